/*
 * Packet counters. Every worker has its own set for every port, and is its only writer: relaxed
 * loads and stores, no locked instruction. Readers (the control thread) add the sets up.
 *
 * The ledger that always adds up once nothing is in flight, and that every system test asserts:
 *   each port in:   received = delivered + consumed + sum of its `in` drops
 *   each port out:  offered = sent + sum of its `out` drops
 *   the switch:     sum of offered = sum of delivered + copies + made
 * delivered: packets that were offered to at least one output; copies: further outputs of a packet
 * that went to several, and the segments beyond the first of one cut up for its receiver; made:
 * packets that the switch made itself.
 */
#ifndef VS_COUNTERS_H
#define VS_COUNTERS_H

#include <stdint.h>

#include "drop.h"
#include "sizes.h"

struct port_counters {
	uint64_t received, received_bytes;
	uint64_t delivered;
	uint64_t consumed;
	uint64_t copies;
	uint64_t made;
	uint64_t offered;
	uint64_t sent, sent_bytes;
	uint64_t drops[DROP_REASONS];
} __attribute__((aligned(64)));

/* Adds n to a counter that only the calling thread writes. */
static inline void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Adds b to a, or takes it away: a is the caller's own. */
void port_counters_add(struct port_counters *a, const struct port_counters *b);
void port_counters_subtract(struct port_counters *a, const struct port_counters *b);

/* Sum of the drops of one stage: at input (false) or output (true). */
uint64_t port_counters_dropped(const struct port_counters *c, bool output);

#endif
