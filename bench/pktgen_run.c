#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "pktgen_run.h"

#define SILENCE 0.5 /* seconds without a packet, after which none is expected any more */
#define DRAIN   2.0 /* seconds at most, RFC 2544 26.1 */

volatile sig_atomic_t pktgen_stopped;

static uint64_t cycles(double seconds)
{
	return (uint64_t)(seconds * (double)rte_get_tsc_hz());
}

static struct pktgen_counts sum(const struct pktgen_ports *ports)
{
	struct pktgen_counts all = {0};

	for (unsigned i = 0; i < ports->n; i++) {
		const struct pktgen_counts *c = &ports->port[i].counts;

		all.sent += c->sent;
		all.sent_bytes += c->sent_bytes;
		all.received += c->received;
		all.received_bytes += c->received_bytes;
		all.refused += c->refused;
		all.missed += c->missed;
		all.foreign += c->foreign;
	}
	return all;
}

static void sample(const struct pktgen_ports *ports, struct pktgen_result *result,
	struct pktgen_counts *last, double seconds)
{
	struct pktgen_counts all = sum(ports);
	struct pktgen_sample *s;

	if (result->samples == NULL)
		result->samples = calloc(PKTGEN_SAMPLES, sizeof(*result->samples));
	if (result->samples == NULL || result->n_samples == PKTGEN_SAMPLES)
		return;
	s = &result->samples[result->n_samples++];
	s->seconds = seconds;
	s->sent = all.sent - last->sent;
	s->received = all.received - last->received;
	*last = all;
}

static void drain(const struct pktgen_task *task)
{
	uint64_t begin = rte_rdtsc(), now = begin, moved = begin;

	while (now - begin < cycles(DRAIN) && now - moved < cycles(SILENCE) &&
		!task->settled(task->arg)) {
		if (task->step(task->arg, now, false) > 0)
			moved = now;
		now = rte_rdtsc();
	}
}

void pktgen_run(struct pktgen_ports *ports, const struct pktgen_task *task, double seconds,
	double interval, struct pktgen_result *result)
{
	uint64_t begin, end, now, next, every = cycles(interval), then;
	struct pktgen_counts last = {0};

	free(result->samples);
	memset(result, 0, sizeof(*result));
	for (unsigned i = 0; i < ports->n; i++)
		memset(&ports->port[i].counts, 0, sizeof(ports->port[i].counts));
	begin = now = rte_rdtsc();
	end = begin + cycles(seconds);
	next = every > 0 ? begin + every : UINT64_MAX;
	while (now < end && !pktgen_stopped) {
		unsigned moved = task->step(task->arg, now, true);

		then = now;
		now = rte_rdtsc();
		pktgen_meter_pass(&result->meter, now - then, moved);
		if (now >= next) {
			sample(ports, result, &last,
				(double)(now - begin) / (double)rte_get_tsc_hz());
			next += every;
		}
		if (moved == 0 && task->done != NULL && task->done(task->arg))
			break;
	}
	result->seconds = (double)(now - begin) / (double)rte_get_tsc_hz();
	drain(task);
	for (unsigned i = 0; i < ports->n; i++)
		result->port[i] = ports->port[i].counts;
	result->all = sum(ports);
}

uint64_t pktgen_result_lost(const struct pktgen_result *result)
{
	uint64_t due = result->all.sent + result->all.refused;

	return due > result->all.received ? due - result->all.received : 0;
}

double pktgen_result_loss(const struct pktgen_result *result)
{
	uint64_t due = result->all.sent + result->all.refused;

	return due > 0 ? (double)pktgen_result_lost(result) / (double)due : 0;
}
