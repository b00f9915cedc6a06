/*
 * One worker's connections: a table with a fixed number of entries, memory for all of them taken at
 * start. Its worker is the only writer. Others may read entries, one at a time, and never find half
 * of one: see conn_table_read().
 *
 * How: buckets of one cache line, eight 16-bit signatures with eight 32-bit entry numbers; a key
 * may live in two of them. It goes to its first one while that has room to spare, else to the
 * emptier; where both are full, one entry moves to its other bucket. The first counts how many are
 * in their second, and where none is, as for five keys in six when the table is full, a lookup
 * takes one bucket. 128 bytes of an entry are what a packet touches, 40 are for tracking and
 * listing; with its share of the buckets a connection takes 185 bytes (conn_table_bytes()). The
 * same key may be there several times: once for each leg of a packet that a guest sends on (a
 * router's or a proxy's), told apart by MACs and ports. CONN_LEGS_MAX times at the most, so that
 * nobody fills others' buckets with one key.
 */
#ifndef VS_CONN_TABLE_H
#define VS_CONN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn_key.h"

#define CONN_NONE_INDEX   UINT32_MAX
#define CONN_CAPACITY_MAX (1u << 30)
#define CONN_LEGS_MAX     6
#define CONN_RIVALS_MAX   16

enum conn_state {
	CONN_FREE,
	CONN_TCP_SYN, /* SYN seen */
	CONN_TCP_SYN_ACK, /* and its answer */
	CONN_TCP_ESTABLISHED,
	CONN_TCP_FIN, /* one side has closed */
	CONN_TCP_CLOSING, /* both have */
	CONN_TCP_CLOSED, /* reset, or closed and acknowledged */
	CONN_UDP_FIRST, /* one packet */
	CONN_UDP_SINGLE, /* several, no answer */
	CONN_UDP_MULTIPLE, /* answered */
	CONN_ICMP_FIRST,
	CONN_ICMP_REPLIED,
	CONN_OTHER_FIRST,
	CONN_OTHER_SINGLE,
	CONN_OTHER_MULTIPLE,
	CONN_STATES
};

/* "established", "multiple": states of different protocols may share a name. */
const char *conn_state_name(enum conn_state state);

/* Flags of a conn. */
#define CONN_OPENER    (1u << 0) /* the side that opened it: 0 or 1 */
#define CONN_BOUND_0   (1u << 1) /* l2[0] is known */
#define CONN_BOUND_1   (1u << 2)
#define CONN_DENIED    (1u << 3) /* by the rules of its epochs: passes nothing until they move */
#define CONN_PICKED_UP (1u << 4) /* its opening was not seen */
#define CONN_AUDITED   (1u << 5) /* passes only because its tenant is in audit mode */
#define CONN_FIRST     (1u << 6) /* first[] is known of both sides: its opening was seen */
#define CONN_NEW       (1u << 7) /* its first packet has not been followed yet */

/* 128 bytes, on two cache lines: the first tells whose it is, the second what to do. */
struct conn {
	struct conn_key key;
	uint8_t l2[2][12]; /* by sending side: destination and source MAC, as in the frame */

	uint32_t sequence; /* odd while it is made, changed or freed: see conn_table_read() */
	uint16_t port[2]; /* by side: the port that its packets come in at, and leave for it by */
	uint32_t epoch[2]; /* policy_port.epoch that its verdict is of: the opener's port's out, the
			      other's in */
	uint32_t seen; /* ticks (conns.h) at the last packet */
	uint32_t service; /* of the packet that opened it */
	uint8_t state; /* enum conn_state */
	uint8_t flags;
	uint16_t tenant; /* index, for its quota */
	uint32_t wheel_next, wheel_prev; /* in the timer wheel */
	uint32_t port_next, port_prev; /* in its opener's port's list of those that may go first */
	uint32_t generation; /* conns.c: of its ports */
	/* Of inspection (inspect.h), which alone writes them. */
	uint32_t inspected; /* 1 + its slot there; 0: none */
	uint32_t settled; /* port.inspect_epoch under which it was found to need none, or more: see
			     inspect_which.c */
	uint32_t first[2]; /* TCP, by side: the number of its first byte; with CONN_FIRST. Of one
			      that inspection has ended: that of a reset in its name */
} __attribute__((aligned(64)));

#define CONN_STATE_OFF 64 /* bytes: of the second */

_Static_assert(sizeof(struct conn) == 128, "two cache lines");
_Static_assert(offsetof(struct conn, sequence) == CONN_STATE_OFF, "it begins there");

/* What one side of a TCP connection has sent. */
struct conn_tcp_side {
	uint32_t end; /* sequence number behind the last byte sent; liberal: behind its FIN */
	uint32_t max_end; /* behind the last one that its peer's window takes */
	uint32_t max_window; /* the most that it offered, scaled */
	uint8_t scale;
	bool scales; /* its SYN said so */
	bool seen; /* a SYN of it, with the numbers above */
	uint8_t closed; /* its FIN was seen (1), and acknowledged (2) */
};

#define CONN_RULE_NONE  UINT16_MAX /* in conn_detail.rule: no rule decided */
#define CONN_RULE_BLOCK (UINT16_MAX - 1) /* an emergency block did */
#define CONN_RULE_KILL  (UINT16_MAX - 2) /* an operator closed it: only a new one may follow */
#define CONN_RULE_FOUND (UINT16_MAX - 3) /* so did inspection */

/* What TCP's tracking and listing need beside. */
struct conn_detail {
	struct conn_tcp_side tcp[2];
	uint16_t group[2], rule[2]; /* that decided: the opener's port's out, the other's in */
};

struct conn_table;

_Static_assert(sizeof(struct conn_detail) == 40, "what a connection may take in all is limited");

/* Takes the memory of `capacity` connections, and touches all of it, so that its worker never
 * waits for a page. NULL: none to be had, or over CONN_CAPACITY_MAX. Control thread. */
struct conn_table *conn_table_create(uint32_t capacity);
void conn_table_free(struct conn_table *table);

uint32_t conn_table_capacity(const struct conn_table *table);
uint32_t conn_table_used(const struct conn_table *table); /* any thread */
size_t conn_table_bytes(const struct conn_table *table); /* in all */

/* The three passes over a burst of n packets. First: fetches the buckets. */
void conn_table_prefetch(const struct conn_table *table, const uint32_t *hashes, unsigned n);

/* Second: fetches the entries whose signatures match. */
void conn_table_prefetch_entries(
	const struct conn_table *table, const uint32_t *hashes, unsigned n);

/*
 * Third. A packet of view, that came in at `port` with these MACs (12 bytes of the frame): the
 * connection whose direction is bound to these MACs, or, with its answer not seen yet, whose
 * packets leave by this port. Otherwise NULL. Whether `port` is the one of the connection is the
 * caller's to check: a guest may have moved.
 */
struct conn *conn_table_find(
	struct conn_table *table, const struct conn_view *view, uint16_t port, const uint8_t *l2);

/* Any with this key whose side `side` lives at port `port`: for ICMP errors, which routers send. */
struct conn *conn_table_find_at(
	struct conn_table *table, const struct conn_view *view, unsigned side, uint16_t port);

/* Whether port is an end of any with this key: of a leg of it, where a router sends it on. */
bool conn_table_is_end(struct conn_table *table, const struct conn_view *view, uint16_t port);

/*
 * A new one with key, all else zero, state too (CONN_FREE): nobody else sees it before the caller
 * has set that. NULL: no entry is free, there is no place in the key's buckets, or CONN_LEGS_MAX
 * have this key.
 */
struct conn *conn_table_add(struct conn_table *table, const struct conn_view *view);

/* Times that conn_table_add() found no place though entries were free. Any thread. */
uint64_t conn_table_refused(const struct conn_table *table);

/* All that share buckets with view's key: what stands in the way of a new one. Returns how many. */
unsigned conn_table_rivals(
	struct conn_table *table, const struct conn_view *view, struct conn **rivals);

/* Takes it out. It must be in no list any more. */
void conn_table_remove(struct conn_table *table, struct conn *conn);

/* Around changes of more than one word of conn: other threads see both or none. Its worker. */
static inline void conn_change_begin(struct conn *conn)
{
	__atomic_store_n(&conn->sequence, conn->sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void conn_change_end(struct conn *conn)
{
	__atomic_store_n(&conn->sequence, conn->sequence + 1, __ATOMIC_RELEASE);
}

struct conn_detail *conn_table_detail(struct conn_table *table, const struct conn *conn);
struct conn *conn_table_at(struct conn_table *table, uint32_t index);
uint32_t conn_table_index(const struct conn_table *table, const struct conn *conn);

/*
 * Copies entry `index` as it is at one moment; false where it is free or changes right now. detail
 * may be NULL; its numbers are each whole, but may be of different packets. Any thread, while the
 * table exists.
 */
bool conn_table_read(const struct conn_table *table, uint32_t index, struct conn *conn,
	struct conn_detail *detail);

/* What conn_table_find() would find, copied; false also where it changes right now. Any thread. */
bool conn_table_peek(const struct conn_table *table, const struct conn_view *view, uint16_t port,
	const uint8_t *l2, struct conn *conn, struct conn_detail *detail);

#endif
