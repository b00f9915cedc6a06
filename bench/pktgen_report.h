/*
 * What came of a run, as a table for people and as JSON. One thread, after the run.
 */
#ifndef VS_PKTGEN_REPORT_H
#define VS_PKTGEN_REPORT_H

#include <jansson.h>

#include "pktgen_histogram.h"
#include "pktgen_options.h"
#include "pktgen_run.h"

#define PKTGEN_TRIALS 48

/* Of a search. */
struct pktgen_trial {
	double rate; /* packets a second, of all ports together */
	double loss; /* part */
	bool pass;
	bool late; /* the generator could not offer the rate */
};

struct pktgen_report {
	const struct pktgen_options *options;
	struct pktgen_result result; /* owned: samples are freed with it */
	const struct pktgen_histogram *latency; /* NULL: none was measured */
	struct pktgen_trial trials[PKTGEN_TRIALS];
	unsigned n_trials;
	double throughput; /* found by the search, packets a second of all ports; 0: none */
	json_t *more; /* owned: what this kind of traffic has beside; NULL: nothing */
};

/* What bounds the figures: "generator", "rate" (as told) or "switch". */
const char *pktgen_report_limit(const struct pktgen_report *report);

/* The caller owns it. */
json_t *pktgen_report_json(const struct pktgen_report *report);

void pktgen_report_print(const struct pktgen_report *report, FILE *out);

void pktgen_report_free(struct pktgen_report *report);

#endif
