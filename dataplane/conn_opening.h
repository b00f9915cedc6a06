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
 * Whether it may answer one that passed before the switch was started: TCP but a SYN, an ICMP
 * answer, and what comes from a server's port to a client's, by the range that Linux gives clients.
 * Anything more would let through for a while what rules forbid. starts: conn_opening_starts().
 */
bool conn_opening_answers(const struct conn_view *view, bool starts);

/* What would have opened its connection, had the other side sent it: as conn_view.service. */
uint32_t conn_opening_service_turned(const struct conn_view *view);

/*
 * Whether connections between two ports that exist since then may be taken over, all in TSC cycles.
 * A port that is younger than `now`, by another core's clock, has just been made.
 */
static inline bool conn_opening_in_window(
	uint64_t now, uint64_t since_a, uint64_t since_b, uint64_t window)
{
	uint64_t since = since_a > since_b ? since_a : since_b;

	return now - since < window || since > now;
}

#endif
