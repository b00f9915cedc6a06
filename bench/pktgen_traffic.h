/*
 * Each kind of traffic from its beginning to its end: set up, warm-up, the run or the search's
 * trials, and what there is to report beside packets. One thread.
 */
#ifndef VS_PKTGEN_TRAFFIC_H
#define VS_PKTGEN_TRAFFIC_H

#include "pktgen_report.h"

/*
 * Ports are open and know each other. Fills the report but for its options. -1: err; the report is
 * to be freed in any case.
 */
int pktgen_traffic_run(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report, char err[PKTGEN_ERR]);

/* Buffers that a port needs beside those in its ring. -1: err. */
int pktgen_traffic_buffers(
	const struct pktgen_options *options, uint32_t *buffers, char err[PKTGEN_ERR]);

#endif
