/*
 * What a packet may begin that is of no connection: a new one, or, for a while after the switch or
 * a port of it was started, one that passed before. Workers and `explain` ask this same code.
 *
 * Any thread; no state, no DPDK library.
 */
#ifndef VS_CONN_OPENING_H
#define VS_CONN_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "conn_key.h"

/* Whether a packet may open a connection: a SYN without ACK, or no TCP at all and no answer. */
bool conn_opening_starts(const struct packet *p, const struct conn_view *view);

/*
 * Whether a packet that starts none may be in the middle of one. A SYN that also ends is not: no
 * connection has one there, and some stacks take it for a start.
 */
bool conn_opening_may_continue(const struct packet *p, const struct conn_view *view);

/*
 * Whether it may answer one that passed before the switch was started: TCP but a SYN, an ICMP
 * answer, and what comes from a server's port to a client's, by the range that Linux gives clients.
 * Anything more would let through for a while what rules forbid. starts: conn_opening_starts().
 */
bool conn_opening_answers(const struct conn_view *view, bool starts);

/* What would have opened its connection, had the other side sent it: as conn_view.service. */
uint32_t conn_opening_service_turned(const struct conn_view *view);

/* What about a port tells which of its connections were never seen; in TSC cycles. */
struct conn_opening_end {
	uint64_t since; /* the port exists */
	uint64_t tracked; /* it has rules or blocks: 0: ever since; UINT64_MAX: it has none */
};

/* A time later than `now`, by another core's clock, is just now. */
static inline bool conn_opening_is_recent(uint64_t now, uint64_t since, uint64_t window)
{
	return now - since < window || since > now;
}

/*
 * Whether connections between two ports may be taken over: those that began before one of the ports
 * was made; and between two that had no rules, where nothing was tracked, those that began before
 * one got some, lest a block of something else cuts them.
 */
static inline bool conn_opening_in_window(uint64_t now, const struct conn_opening_end *a,
	const struct conn_opening_end *b, uint64_t window)
{
	uint64_t since = a->since > b->since ? a->since : b->since;
	uint64_t tracked = a->tracked < b->tracked ? a->tracked : b->tracked;

	return conn_opening_is_recent(now, since, window) ||
	       (tracked != 0 && conn_opening_is_recent(now, tracked, window));
}

#endif
