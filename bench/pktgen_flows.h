/*
 * Which flows a port sends: ranges of addresses and ports, and the n-th of their combinations. The
 * source port steps first, then the source address, the destination port, the destination address,
 * so that the first N are N different ones. Pure.
 */
#ifndef VS_PKTGEN_FLOWS_H
#define VS_PKTGEN_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "pktgen_values.h"

enum pktgen_field { PKTGEN_SRC_PORT, PKTGEN_SRC_IP, PKTGEN_DST_PORT, PKTGEN_DST_IP, PKTGEN_FIELDS };

struct pktgen_range {
	uint32_t min, step;
	uint32_t count; /* of values; 0: not given */
	uint32_t first; /* number of the one that it begins with */
};

struct pktgen_flows {
	struct pktgen_range field[PKTGEN_FIELDS];
	uint64_t n; /* at most the product of the counts */
};

/* Host order. */
struct pktgen_tuple {
	uint32_t src, dst;
	uint16_t sport, dport;
};

/* Where a stream is in its flows. */
struct pktgen_cursor {
	const struct pktgen_flows *flows;
	uint64_t index;
	uint32_t left; /* flows until more than the source port changes */
	struct pktgen_tuple tuple; /* of index */
};

/*
 * MIN, MIN-MAX, MIN-MAX+STEP, or Pktgen's START:MIN:MAX:STEP; of addresses or of ports. 0, or -1
 * with what would be right in err.
 */
int pktgen_range_parse(
	const char *text, bool addresses, struct pktgen_range *range, char err[PKTGEN_ERR]);

/*
 * Fills what was not given: addresses from and to, the destination port, and as many source and
 * destination ports as n flows need (0: all that the ranges make). -1 and err where the ranges make
 * less than n.
 */
int pktgen_flows_init(struct pktgen_flows *flows, const struct pktgen_range given[PKTGEN_FIELDS],
	uint64_t n, uint32_t from, uint32_t to, char err[PKTGEN_ERR]);

void pktgen_flows_nth(const struct pktgen_flows *flows, uint64_t n, struct pktgen_tuple *tuple);

void pktgen_cursor_init(
	struct pktgen_cursor *cursor, const struct pktgen_flows *flows, uint64_t index);

/* The next flow's, and the first one's behind the last. */
static inline void pktgen_cursor_next(struct pktgen_cursor *cursor)
{
	if (--cursor->left > 0) {
		cursor->index++;
		cursor->tuple.sport += (uint16_t)cursor->flows->field[PKTGEN_SRC_PORT].step;
		return;
	}
	pktgen_cursor_init(cursor, cursor->flows,
		cursor->index + 1 < cursor->flows->n ? cursor->index + 1 : 0);
}

/* What comes back. */
static inline struct pktgen_tuple pktgen_tuple_turned(const struct pktgen_tuple *t)
{
	return (struct pktgen_tuple){
		.src = t->dst, .dst = t->src, .sport = t->dport, .dport = t->sport};
}

#endif
