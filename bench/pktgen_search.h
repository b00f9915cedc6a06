/*
 * RFC 2544's throughput (26.1; RFC 8219 keeps it): the highest rate at which no more is lost than
 * allowed, found by halving what is left between a rate that passes and one that does not. Pure:
 * its user runs the trials.
 */
#ifndef VS_PKTGEN_SEARCH_H
#define VS_PKTGEN_SEARCH_H

#include <stdbool.h>

struct pktgen_search {
	double pass, fail; /* packets a second; pass 0: none did so far, fail 0: none did not */
	double high; /* where it begins */
	double resolution; /* part of high that it is content with */
	double allowed; /* part of what is offered that may be lost */
	double rate; /* of the trial at hand */
	unsigned trials;
};

void pktgen_search_init(
	struct pktgen_search *search, double high, double resolution, double allowed);

/* The next trial's rate, in packets a second. False: the result is search->pass; 0 for none. */
bool pktgen_search_next(struct pktgen_search *search, double *rate);

/* What came of it: the part of what was offered that was lost, 0 to 1. */
void pktgen_search_tell(struct pktgen_search *search, double loss);

#endif
