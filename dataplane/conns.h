/*
 * A worker's connections as they live: opened, followed by their packets, timed out, and pushed out
 * when there are too many. Stands on conn_table; owns timers, lists and quotas. What is allowed is
 * not its matter: see firewall.h.
 *
 * A struct conns belongs to its worker. Quotas (conn_quota.h) are counted over all workers.
 *
 * Time is in ticks of 1/16 s since the switch started, by the worker's own clock (a replay: the
 * capture's).
 */
#ifndef VS_CONNS_H
#define VS_CONNS_H

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

/* Which connection a packet at hand may open. */
struct conn_open {
	const struct conn_view *view;
	unsigned opener; /* side; the sender's, but for what was picked up the other way round */
	uint16_t port[2]; /* by side */
	uint16_t tenant; /* the opener's */
	const uint8_t *l2; /* of the packet at hand */
	bool picked_up;
};

/*
 * Opens one, within the quotas of the opener's port and tenant; makes room by pushing out, first of
 * the same port, then of the port with the most, what is not established. Returns NULL, with the
 * reason in *reason (conn_limit_port, conn_limit_tenant, conn_rate_port, conn_rate_tenant,
 * conn_table_full), where that does not suffice. The caller sets epochs, service, flags beyond
 * opener, binding and picked-up, and rules. State is that of the packet: call conns_follow() next.
 */
struct conn *conns_open(
	struct conns *conns, const struct conn_open *open, uint32_t now, enum drop_reason *reason);

/*
 * Moves conn's state on by one of its packets, sent by side `sender`; binds a direction that was
 * not yet. Returns -1, or why the packet must not pass: tcp_invalid (with strict: sequence numbers
 * or flags that cannot be). Liberal tracking never drops for numbers.
 */
int conns_follow(struct conns *conns, struct conn *conn, const struct rte_mbuf *m,
	const struct packet *p, unsigned sender, uint32_t now, bool strict);

/* Forgets it at once. */
void conns_close(struct conns *conns, struct conn *conn);

/* As a packet may do before its connection is looked up: true where it may open one (a SYN without
 * ACK, or no TCP at all). */
bool conns_may_open(const struct packet *p, const struct conn_view *view);

/* Expires what is due, a bounded number of entries. True where more is. Its worker, now and then.
 */
bool conns_expire(struct conns *conns, uint32_t now, unsigned budget);

void conns_set_timeouts(struct conns *conns, const struct conn_timeouts *timeouts);

#endif
