/*
 * When packets are due at a fixed rate. Pure; time in cycles, as rte_rdtsc() gives it.
 *
 * What a sender could not get rid of in time stays due for a while, so that a pause of its own core
 * is made up for; what is due longer than that is missed: the generator's own fault, and reported
 * as such.
 */
#ifndef VS_PKTGEN_PACE_H
#define VS_PKTGEN_PACE_H

#include <stdint.h>

struct pktgen_pace {
	double per_cycle; /* packets; 0: as fast as it goes */
	double behind_max; /* packets that may be due at a time */
	uint64_t start;
	uint64_t given; /* packets that were due and taken */
	uint64_t missed;
};

/* rate: packets a second, 0 for as fast as it goes; behind: seconds that it may make up for. */
void pktgen_pace_init(
	struct pktgen_pace *pace, double rate, double hz, double behind, uint64_t start);

/* How many are due now, max at most. They are taken for sent. */
unsigned pktgen_pace_due(struct pktgen_pace *pace, uint64_t now, unsigned max);

#endif
