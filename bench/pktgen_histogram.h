/*
 * How often which time was seen, from nanoseconds to minutes, within 1.6 %: 64 steps for each power
 * of two. One writer. Pure.
 */
#ifndef VS_PKTGEN_HISTOGRAM_H
#define VS_PKTGEN_HISTOGRAM_H

#include <stdint.h>

#define PKTGEN_STEPS_LOG 6
#define PKTGEN_STEPS     (1u << PKTGEN_STEPS_LOG)
#define PKTGEN_POWERS    38 /* values up to 2^37 ns, two minutes; longer ones count there */

struct pktgen_histogram {
	uint64_t count[(PKTGEN_POWERS - PKTGEN_STEPS_LOG) * PKTGEN_STEPS];
	uint64_t n, min, max;
	double sum;
};

void pktgen_histogram_reset(struct pktgen_histogram *h);

/* ns: nanoseconds. */
void pktgen_histogram_add(struct pktgen_histogram *h, uint64_t ns);

/* The time within which so many percent of all were, 0 to 100; 0 where there were none. */
uint64_t pktgen_histogram_percentile(const struct pktgen_histogram *h, double percent);

double pktgen_histogram_mean(const struct pktgen_histogram *h);

#endif
