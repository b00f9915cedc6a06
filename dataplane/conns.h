/*
 * A worker's connections as they live: opened, followed by their packets, timed out, and pushed out
 * when there are too many. Stands on conn_table; owns timers, lists and quotas. What is allowed is
 * not its matter: see firewall.h.
 *
 * A struct conns belongs to its worker. Quotas (conn_quota.h) are counted over all workers.
 *
 * Time is in ticks of 1/16 s, by the worker's own clock (a replay: the
 * capture's).
 */
#ifndef VS_CONNS_H
#define VS_CONNS_H

#include <rte_branch_prediction.h>
#include <rte_tcp.h>

#include "conn_table.h"
#include "drop.h"

#define CONN_TICKS_PER_SECOND 16

/* Seconds by state. The configuration's firewall.timeouts; may change while it runs. */
struct conn_timeouts {
	uint32_t seconds[CONN_STATES];
};

struct conns;

/* NULL: no memory. Control thread. */
struct conns *conns_create(uint32_t capacity);
void conns_free(struct conns *conns);
struct conn_table *conns_table(struct conns *conns);
size_t conns_bytes(const struct conns *conns); /* in all, the table included */

/* Why a connection goes. */
enum conn_end {
	CONN_END_TIMEOUT,
	CONN_END_PUSHED_OUT, /* there was no room for another */
	CONN_END_PORT, /* a port of it is gone */
	CONN_END_CLOSED, /* by rules, by command, or because its tuple is another's now */
};

typedef void conn_ended_fn(void *arg, const struct conn *conn, enum conn_end end);

/*
 * Has ended(arg, conn, end) called for each connection that goes while conn->inspected is set,
 * before it is gone. Its worker does so. Control thread, also with the worker running, but only
 * while conn->inspected is 0 of all connections, before the worker comes to know who would set it.
 */
void conns_on_end(struct conns *conns, conn_ended_fn *ended, void *arg);

/* Which connection a packet at hand may open. */
struct conn_open {
	const struct conn_view *view;
	unsigned opener; /* side; the sender's, but for what was picked up the other way round */
	uint16_t port[2]; /* by side */
	uint16_t tenant; /* the opener's */
	const uint8_t *l2; /* of the packet at hand */
	bool picked_up;
	unsigned workers; /* that have the network's packets, this one included: rates are shared */
};

/*
 * Opens one, within the quotas of the opener's port and tenant. Makes room by pushing out the
 * oldest that is not established: at the port's limit one of the same port, at the tenant's of the
 * tenant's port with the most, in a full table of the port with the most.
 * One that is taken over with its other side's packet pushes nothing out, is the first to be, and
 * costs the sender's rate.
 * Returns NULL, with the reason in *reason (conn_limit_port, conn_limit_tenant, conn_rate_port,
 * conn_rate_tenant, conn_table_full), where that does not suffice. The caller sets epochs, service,
 * flags beyond opener, binding and picked-up, and rules. State is that of the packet: call
 * conns_follow() next.
 */
struct conn *conns_open(
	struct conns *conns, const struct conn_open *open, uint32_t now, enum drop_reason *reason);

/*
 * Takes over a connection that another worker had, as conn_table_peek() copied it, whatever the
 * quotas say. NULL where it finds no room. Its former worker's is to be closed.
 */
struct conn *conns_adopt(
	struct conns *conns, const struct conn *other, const struct conn_detail *detail);

/*
 * Moves conn's state on by one of its packets, sent by side `sender`; binds a direction that was
 * not yet. Returns -1, or why the packet must not pass: tcp_invalid (with strict: sequence numbers
 * or flags that cannot be). Liberal tracking never drops for numbers.
 */
int conns_follow(struct conns *conns, struct conn *conn, const struct rte_mbuf *m,
	const struct packet *p, unsigned sender, uint32_t now, bool strict);

/* Forgets it at once. */
void conns_close(struct conns *conns, struct conn *conn);

/* Written lazily: a line that is only read stays with everybody who reads it. */
#define CONNS_TOUCH_TICKS (CONN_TICKS_PER_SECOND / 2)

/* A packet of it came: its timeout starts again. */
static inline void conns_touch(struct conn *conn, uint32_t now)
{
	if (unlikely((int32_t)(now - conn->seen) >= CONNS_TOUCH_TICKS))
		__atomic_store_n(&conn->seen, now, __ATOMIC_RELAXED);
}

/*
 * Whether conns_follow() would do no more than conns_touch() for a packet of side `sender`: most
 * packets of an open connection.
 */
static inline bool conns_is_settled(
	const struct conn *conn, uint8_t tcp_flags, unsigned sender, bool strict)
{
	const uint8_t notable = RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG;
	const uint8_t bound = (uint8_t)(CONN_BOUND_0 << sender);

	if ((conn->flags & (bound | CONN_NEW)) != bound)
		return false;
	if (conn->state == CONN_TCP_ESTABLISHED)
		return !(tcp_flags & notable) && !strict;
	if (conn->state == CONN_UDP_SINGLE)
		return !(conn->flags & CONN_BOUND_0 << !sender);
	return conn->state == CONN_UDP_MULTIPLE;
}

/*
 * Notes whether the rules deny conn. Denied, it is kept only as long as a closed one (its packets
 * touch it), and is the first to be pushed out; allowed again, it is what it was before.
 */
void conns_deny(struct conns *conns, struct conn *conn, bool denied, uint32_t now);

/*
 * Whether a packet of conn, sent by side `sender`, begins another connection with its tuple: a SYN
 * by the opener of one that has ended, or by the other side of one that is not being opened. The
 * caller decides on it anew, and closes this one where the new one may be.
 */
bool conns_is_new_attempt(const struct conn *conn, const struct packet *p, unsigned sender);

/*
 * Expires what is due, a bounded number of entries; however long it was not called, what is there
 * is looked at once. True where more is to do. Its worker, now and then.
 */
bool conns_expire(struct conns *conns, uint32_t now, unsigned budget);

/*
 * Closes the connections with an end at `port` that were opened before the first call, looking at
 * `budget` entries of the table (0: only notes which those are). True until all are closed. Calls
 * for several ports share the way through the table.
 */
bool conns_close_port(struct conns *conns, uint16_t port, unsigned budget);

/* Whether it has an end at a port that was closed after it was opened, and is only there still
 * since conns_close_port() has not come to it. */
bool conns_is_left_over(const struct conns *conns, const struct conn *conn);

/* In force for connections that are there at once, as far as conns_expire() gets. Any thread. */
void conns_set_timeouts(struct conns *conns, const struct conn_timeouts *timeouts);

/* Connections that were pushed out, ever. Any thread. */
uint64_t conns_pushed_out(const struct conns *conns);

#endif
