#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "pktgen_connect.h"
#include "pktgen_mix.h"
#include "pktgen_replay.h"
#include "pktgen_search.h"
#include "pktgen_traffic.h"

/* Read before the ports are there: how many buffers they need depends on it. */
static struct pktgen_capture capture;

#define IDLE_US  20000 /* between two looks into the rings of ports without traffic */
#define LATE_MAX 0.001 /* part of what is due that the generator may miss in a valid trial */

static unsigned senders(const struct pktgen_options *options)
{
	return options->one_way ? (options->n_ports + 1) / 2 : options->n_ports;
}

static double rate_of(const struct pktgen_options *options)
{
	return pktgen_rate_packets(
		&options->rate, pktgen_size_mean(&options->sizes), options->line);
}

/* One run of streams at a rate of each port. */
static void run_streams(struct pktgen_streams *streams, double rate, double seconds,
	double interval, struct pktgen_result *result)
{
	struct pktgen_task task = pktgen_streams_task(streams);

	pktgen_streams_rate(streams, rate);
	pktgen_run(streams->ports, &task, seconds, interval, result);
}

static void note_trial(struct pktgen_report *report, double rate, bool pass)
{
	const struct pktgen_counts *all = &report->result.all;
	double due = (double)(all->sent + all->refused + all->missed);

	if (report->n_trials == PKTGEN_TRIALS)
		return;
	report->trials[report->n_trials++] = (struct pktgen_trial){
		.rate = rate,
		.loss = pktgen_result_loss(&report->result),
		.pass = pass,
		.late = (double)all->missed > LATE_MAX * due,
	};
}

/*
 * The first trial is as fast as it goes, unless a rate was given: what the switch takes then is the
 * highest rate that could pass. What the generator does not offer in time counts as lost: a rate
 * that was not tried has not passed.
 */
static void search(struct pktgen_streams *streams, struct pktgen_report *report)
{
	const struct pktgen_options *options = streams->options;
	double high = rate_of(options), rate, n = senders(options), loss;
	struct pktgen_result best = {0};
	struct pktgen_search search;

	if (high == 0) {
		run_streams(streams, 0, options->duration, 0, &report->result);
		high = (double)report->result.all.sent / report->result.seconds / n;
	}
	pktgen_search_init(&search, high, options->resolution, options->loss);
	while (!pktgen_stopped && pktgen_search_next(&search, &rate)) {
		const struct pktgen_counts *all = &report->result.all;

		run_streams(streams, rate, options->duration, 0, &report->result);
		loss = pktgen_result_loss(&report->result);
		if ((double)all->missed > LATE_MAX * (double)(all->sent + all->missed))
			loss = 1;
		pktgen_search_tell(&search, loss);
		note_trial(report, rate * n, loss <= options->loss);
		if (loss <= options->loss)
			best = report->result; /* which has no samples */
	}
	if (search.pass > 0)
		report->result = best;
	report->throughput = search.pass * n;
}

static int run_over_streams(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report, char err[PKTGEN_ERR])
{
	static struct pktgen_streams streams;
	static struct pktgen_histogram latency;

	if (pktgen_streams_init(&streams, ports, options, err) != 0)
		return -1;
	if (options->warmup > 0)
		run_streams(&streams, rate_of(options), options->warmup, 0, &report->result);
	if (options->search)
		search(&streams, report);
	else
		run_streams(&streams, rate_of(options), options->duration, options->interval,
			&report->result);
	if (options->latency > 0) {
		latency = streams.latency;
		report->latency = &latency;
	}
	pktgen_streams_end(&streams);
	return 0;
}

static json_t *connect_json(const struct pktgen_connect *connect, double seconds)
{
	struct pktgen_connect_counts c = pktgen_connect_counts(connect);

	return json_pack("{s:I, s:I, s:I, s:f}", "opened", (json_int_t)c.opened, "answered",
		(json_int_t)c.answered, "established", (json_int_t)c.completed, "per_second",
		seconds > 0 ? (double)c.completed / seconds : 0.0);
}

/* Handshakes of all connections, then streams over them. */
static int run_tcp(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report, char err[PKTGEN_ERR])
{
	struct pktgen_result handshakes = {0};
	struct pktgen_connect_counts counts;
	struct pktgen_connect connect;
	struct pktgen_task task;
	int status = pktgen_connect_init(&connect, ports, options, false, err);

	if (status == 0) {
		task = pktgen_connect_task(&connect);
		/* Ten seconds, and as long again as a million connections take with patience. */
		pktgen_run(ports, &task, options->wait + (double)connect.pair[0].flows.n / 1e4, 0,
			&handshakes);
		counts = pktgen_connect_counts(&connect);
		report->more = connect_json(&connect, handshakes.seconds);
		if (counts.completed < counts.wanted) {
			snprintf(err, PKTGEN_ERR,
				"%llu of %llu TCP connections came about: does the switch let them "
				"pass, and are its quotas large enough?",
				(unsigned long long)counts.completed,
				(unsigned long long)counts.wanted);
			status = -1;
		}
	}
	pktgen_ports_empty(ports);
	if (status == 0)
		status = run_over_streams(ports, options, report, err);
	if (!options->keep)
		pktgen_connect_reset(&connect);
	pktgen_connect_free(&connect);
	return status;
}

/* A storm of TCP; one of UDP is a stream of as many flows as packets. */
static int run_tcp_storm(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report, char err[PKTGEN_ERR])
{
	struct pktgen_connect connect;
	struct pktgen_task task;

	if (pktgen_connect_init(&connect, ports, options, true, err) != 0)
		return -1;
	task = pktgen_connect_task(&connect);
	if (options->warmup > 0) {
		pktgen_connect_rate(&connect, rate_of(options));
		pktgen_run(ports, &task, options->warmup, 0, &report->result);
	}
	pktgen_connect_rate(&connect, rate_of(options));
	pktgen_run(ports, &task, options->duration, options->interval, &report->result);
	report->more = connect_json(&connect, report->result.seconds);
	return 0;
}

static int run_udp_storm(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report, char err[PKTGEN_ERR])
{
	struct pktgen_options one_way = *options;
	const struct pktgen_counts *all = &report->result.all;

	one_way.one_way = true;
	if (run_over_streams(ports, &one_way, report, err) != 0)
		return -1;
	report->more = json_pack("{s:I, s:I, s:f}", "opened", (json_int_t)all->sent, "delivered",
		(json_int_t)all->received, "per_second",
		(double)all->received / report->result.seconds);
	return 0;
}

static json_t *smb_json(const struct pktgen_smbs *smbs, double seconds)
{
	const struct pktgen_smb_counts *c = &smbs->counts;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "connections",
		(json_int_t)c->connections, "reset", (json_int_t)c->reset, "operations",
		(json_int_t)c->operations, "data_bytes", (json_int_t)c->data, "payload_bytes",
		(json_int_t)c->payload, "segments_repeated", (json_int_t)c->repeated,
		"payload_total", (json_int_t)(c->payload_before + c->payload), "repeated_total",
		(json_int_t)(c->repeated_before + c->repeated), "operations_per_second",
		(double)c->operations / seconds, "data_bps", (double)c->data * 8 / seconds);
}

/* From warm-up on: connections stay, what they have done begins anew. */
static void forget(struct pktgen_smbs *smbs)
{
	struct pktgen_smb_counts *c = &smbs->counts;

	*c = (struct pktgen_smb_counts){.connections = c->connections,
		.payload_before = c->payload,
		.repeated_before = c->repeated};
}

static int run_smb(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report, char err[PKTGEN_ERR])
{
	static struct pktgen_smbs smbs;
	struct pktgen_task task;
	int status = pktgen_smb_init(&smbs, ports, options, err);

	if (status == 0 && options->warmup > 0) {
		task = pktgen_smb_task(&smbs);
		pktgen_run(ports, &task, options->warmup, 0, &report->result);
		forget(&smbs);
	}
	if (status == 0) {
		task = pktgen_smb_task(&smbs);
		pktgen_run(ports, &task, options->duration, options->interval, &report->result);
		report->more = smb_json(&smbs, report->result.seconds);
		pktgen_smb_end(&smbs);
	}
	pktgen_smb_free(&smbs);
	return status;
}

static int run_mix(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report, char err[PKTGEN_ERR])
{
	static struct pktgen_mix mix;
	struct pktgen_result *result = &report->result;
	struct pktgen_task task;
	int status = pktgen_mix_init(&mix, ports, options, err);

	if (status == 0 && options->warmup > 0) {
		task = pktgen_mix_task(&mix);
		pktgen_streams_rate(&mix.streams, rate_of(options));
		pktgen_run(ports, &task, options->warmup, 0, result);
		forget(&mix.smbs);
	}
	if (status == 0) {
		task = pktgen_mix_task(&mix);
		pktgen_streams_rate(&mix.streams, rate_of(options));
		pktgen_run(ports, &task, options->duration, options->interval, result);
		report->more = smb_json(&mix.smbs, result->seconds);
		json_object_set_new(report->more, "share", json_real(pktgen_mix_share(&mix)));
		json_object_set_new(report->more, "others_pps",
			json_real((double)pktgen_mix_others(&mix) / result->seconds));
		pktgen_mix_end(&mix);
	}
	pktgen_mix_free(&mix);
	return status;
}

/* Guests that do nothing: what the switch sends them by itself does not pile up. */
static void run_idle(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report)
{
	uint64_t begin = rte_rdtsc(), hz = rte_get_tsc_hz(), now = begin;

	while (!pktgen_stopped && now - begin < (uint64_t)(options->duration * (double)hz)) {
		pktgen_ports_empty(ports);
		usleep(IDLE_US);
		now = rte_rdtsc();
	}
	report->result.seconds = (double)(now - begin) / (double)hz;
}

static int run_replay(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report, char err[PKTGEN_ERR])
{
	struct pktgen_replay replay;
	struct pktgen_task task;
	int status = pktgen_replay_init(&replay, ports, options, &capture, err);

	if (status == 0) {
		task = pktgen_replay_task(&replay, rate_of(options));
		pktgen_run(ports, &task, options->duration, options->interval, &report->result);
		report->more = json_pack("{s:I, s:I, s:I, s:I, s:b}", "frames",
			(json_int_t)capture.n, "loops", (json_int_t)(options->loops - replay.loops),
			"cut", (json_int_t)capture.cut, "other", (json_int_t)capture.other,
			"complete", replay.loops == 0);
	}
	pktgen_replay_free(&replay);
	return status;
}

int pktgen_traffic_run(struct pktgen_ports *ports, const struct pktgen_options *options,
	struct pktgen_report *report, char err[PKTGEN_ERR])
{
	switch (options->traffic) {
	case PKTGEN_UDP:
		return run_over_streams(ports, options, report, err);
	case PKTGEN_TCP:
		return run_tcp(ports, options, report, err);
	case PKTGEN_STORM:
		return options->protocol == IPPROTO_TCP
			       ? run_tcp_storm(ports, options, report, err)
			       : run_udp_storm(ports, options, report, err);
	case PKTGEN_SMB:
		return run_smb(ports, options, report, err);
	case PKTGEN_REPLAY:
		return run_replay(ports, options, report, err);
	case PKTGEN_MIX:
		return run_mix(ports, options, report, err);
	case PKTGEN_IDLE:
		return run_idle(ports, options, report), 0;
	}
	return -1;
}

int pktgen_traffic_buffers(
	const struct pktgen_options *options, uint32_t *buffers, char err[PKTGEN_ERR])
{
	*buffers = 0;
	if (options->traffic != PKTGEN_REPLAY)
		return 0;
	if (pktgen_capture_read(&capture, options->capture, err) != 0)
		return -1;
	*buffers = pktgen_replay_buffers(&capture);
	return 0;
}
