/*
 * Runs one kind of traffic for a time: the loop, its clock, samples on the way, the end when all
 * that is under way has come, and what it cost the generator. One thread.
 */
#ifndef VS_PKTGEN_RUN_H
#define VS_PKTGEN_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "pktgen_histogram.h"
#include "pktgen_meter.h"
#include "pktgen_port.h"

#define PKTGEN_SAMPLES 3600

/* Set by a signal: runs end soon. */
extern volatile sig_atomic_t pktgen_stopped;

struct pktgen_task {
	/* One pass: returns how many packets moved. sending: else only what is under way is waited
	 * for. */
	unsigned (*step)(void *arg, uint64_t now, bool sending);
	/* Whether it has sent all that it was to send; NULL: time ends it. */
	bool (*done)(void *arg);
	/* Whether nothing is under way any more. */
	bool (*settled)(void *arg);
	void *arg;
};

struct pktgen_sample {
	double seconds; /* since the beginning */
	uint64_t sent, received; /* in this interval */
};

struct pktgen_result {
	double seconds; /* of sending */
	struct pktgen_counts port[PKTGEN_PORTS];
	struct pktgen_counts all;
	struct pktgen_meter meter; /* while sending */
	struct pktgen_sample *samples;
	unsigned n_samples;
};

/* Counts begin anew. interval: seconds, 0 for no samples. */
void pktgen_run(struct pktgen_ports *ports, const struct pktgen_task *task, double seconds,
	double interval, struct pktgen_result *result);

/* What was due, and was not received: of what could not be sent, too. */
uint64_t pktgen_result_lost(const struct pktgen_result *result);

/* The part of what was due, 0 to 1. */
double pktgen_result_loss(const struct pktgen_result *result);

#endif
