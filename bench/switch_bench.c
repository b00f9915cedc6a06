/*
 * What the switch itself costs, in CPU cycles per packet and stage: one worker, stepped by this
 * thread, between two ports whose guests are made up (source.c). Established TCP both ways with the
 * firewall off and on, for several numbers of flows; then new connections a second. Needs no guests
 * and no root, and takes hugepages where they are free.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_tcp.h>

#include "setup.h"
#include "source.h"
#include "switch.h"
#include "worker.h"

#define RUNS        5
#define RUNS_MAX    101
#define CONNECTIONS 1048576u /* that the worker has room for */
#define NEW         900000u /* connections in all runs together */
#define FLOWS_MAX   100000u
#define NOISE_LIMIT 1.0 /* percent of the time that others had this core */

struct options {
	unsigned core;
	unsigned runs;
	unsigned packets; /* in one run */
	unsigned flows; /* 0: several counts of them */
	unsigned rules; /* ALL: several counts of them */
	bool best; /* the run that took least is shown, else the one in the middle */
};

#define ALL UINT32_MAX

/* Cycles per packet. */
struct figures {
	double stages[STAGES], rest, all; /* all: but for the source */
};

/* 0: both ports are trusted. */
static const uint32_t rule_counts[] = {0, 20, 10000};
static const uint32_t flow_counts[] = {1, 1000, FLOWS_MAX};

static uint32_t order[FLOWS_MAX];

static void write_port(FILE *out, unsigned number, unsigned n_rules)
{
	fprintf(out,
		"  - {name: vm%u, network: bench, vhost-user: {socket: /bench/vm%u}, "
		"mac: 02:00:00:00:00:%02u, ips: [10.0.%u.1], %s, "
		"connections: {max: 16777216, per-second: 16777216}}\n",
		number, number, number, number, n_rules > 0 ? "groups: [rules]" : "trusted: yes");
}

/* with_ports: else the switch is empty, and forgets connections. The caller frees it. */
static char *make_config(const struct options *options, unsigned n_rules, bool with_ports)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		setup_die("out of memory");
	fprintf(out,
		"vswitch: {workers: [%u], connections: %u, buffers: 16384}\n"
		"networks: [{name: bench, tenant: bench}]\n"
		"tenants: [{name: bench, connections: {max: 16777216, per-second: 16777216}}]\n",
		options->core, CONNECTIONS);
	if (n_rules > 0)
		setup_write_rules(out, n_rules);
	if (with_ports) {
		fputs("ports:\n", out);
		write_port(out, 1, n_rules);
		write_port(out, 2, n_rules);
	}
	fclose(out);
	return text;
}

/* One pass of the worker on the time of day. */
static unsigned pass(void)
{
	workers[0]->now = rte_rdtsc();
	return worker_pass(workers[0]);
}

static void apply(const struct options *options, unsigned n_rules, bool with_ports)
{
	char *text = make_config(options, n_rules, with_ports);

	setup_apply(text);
	free(text);
	while (pass() > 0 || workers[0]->chores)
		;
}

/* Has the sources send, and the worker forward, until all is done; what that cost per packet. */
static struct figures run(const struct source_order *from_vm1, const struct source_order *from_vm2)
{
	uint64_t packets = from_vm1->packets + (from_vm2 != NULL ? from_vm2->packets : 0);
	uint64_t sunk = source_sunk(), start, took;
	struct worker_stats before = workers[0]->stats;
	struct figures figures = {0};

	source_send("vm1", from_vm1);
	if (from_vm2 != NULL)
		source_send("vm2", from_vm2);
	start = rte_rdtsc();
	while (pass() > 0)
		;
	took = rte_rdtsc() - start;
	if (source_sunk() - sunk != packets) {
		json_dumpf(switch_drops(NULL), stderr, JSON_INDENT(1));
		setup_die("of %llu packets only %llu were delivered", (unsigned long long)packets,
			(unsigned long long)(source_sunk() - sunk));
	}
	figures.all = figures.rest = (double)took / (double)packets;
	for (unsigned i = 0; i < STAGES; i++) {
		const struct stage_stats *now = &workers[0]->stats.stages[i];

		/* Not every packet goes through every stage. */
		figures.stages[i] = worker_stage_cycles(&before, &workers[0]->stats, i) *
				    (double)(now->packets - before.stages[i].packets) /
				    (double)packets;
		figures.rest -= figures.stages[i];
	}
	figures.all -= figures.stages[STAGE_RX];
	return figures;
}

static struct source_order tcp(uint32_t n_flows, uint8_t flags, uint64_t packets)
{
	return (struct source_order){.flows = order,
		.n_flows = n_flows,
		.protocol = IPPROTO_TCP,
		.tcp_flags = flags,
		.packets = packets};
}

static void establish(uint32_t n_flows)
{
	struct source_order syn = tcp(n_flows, RTE_TCP_SYN_FLAG, n_flows);
	struct source_order none = tcp(n_flows, 0, 0);
	struct source_order syn_ack = tcp(n_flows, RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG, n_flows);
	struct source_order ack = tcp(n_flows, RTE_TCP_ACK_FLAG, n_flows);

	/* In random order, so that neighbours in memory are not neighbours in time. */
	for (uint32_t i = 0; i < n_flows; i++)
		order[i] = i;
	for (uint32_t i = n_flows; i > 1; i--) {
		uint32_t k = (uint32_t)rand() % i, moved = order[i - 1];

		order[i - 1] = order[k];
		order[k] = moved;
	}
	run(&syn, NULL);
	run(&none, &syn_ack);
	run(&ack, NULL);
}

static int by_all(const void *a, const void *b)
{
	const struct figures *x = a, *y = b;

	return (x->all > y->all) - (x->all < y->all);
}

static void print_title(void)
{
	printf("%-25s %8s  %6s  %13s  %8s %6s %8s %8s %6s %6s %7s\n", "cycles per packet", "flows",
		"all", "min..max", "shortcut", "parse", "firewall", "forward", "tx", "rest",
		"Mpps");
}

static void print_name(unsigned rules)
{
	char name[40] = "firewall off";

	if (rules > 0)
		snprintf(name, sizeof(name), "firewall on, %u rules", rules);
	printf("%-25s ", name);
}

/* The run that is shown, and the extremes of all. */
static const struct figures *sort_runs(const struct options *options, struct figures *figures)
{
	qsort(figures, options->runs, sizeof(*figures), by_all);
	return &figures[options->best ? 0 : options->runs / 2];
}

static void print_runs(
	const struct options *options, unsigned rules, uint32_t flows, struct figures *figures)
{
	const struct figures *shown = sort_runs(options, figures);
	char range[32];

	snprintf(
		range, sizeof(range), "%.0f..%.0f", figures[0].all, figures[options->runs - 1].all);
	print_name(rules);
	printf("%8u  %6.0f  %13s  %8.0f %6.0f %8.0f %8.0f %6.0f %6.0f %7.2f\n", flows, shown->all,
		range, shown->stages[STAGE_SHORTCUT], shown->stages[STAGE_PARSE],
		shown->stages[STAGE_FIREWALL], shown->stages[STAGE_FORWARD],
		shown->stages[STAGE_TX], shown->rest, (double)rte_get_tsc_hz() / shown->all / 1e6);
	fflush(stdout);
}

static void bench_established(const struct options *options, unsigned rules, uint32_t n_flows)
{
	struct source_order packets = tcp(n_flows, RTE_TCP_ACK_FLAG, options->packets / 2);
	struct figures figures[RUNS_MAX] = {0};

	apply(options, 0, false);
	apply(options, rules, true);
	establish(n_flows);
	run(&packets, &packets); /* fills caches */
	for (unsigned r = 0; r < options->runs; r++)
		figures[r] = run(&packets, &packets);
	print_runs(options, rules, n_flows, figures);
}

static void bench_new(const struct options *options, unsigned rules)
{
	struct figures figures[RUNS_MAX] = {0};
	const struct figures *shown;
	uint32_t each = NEW / options->runs;
	double hz = (double)rte_get_tsc_hz();
	char range[48];

	apply(options, 0, false);
	apply(options, rules, true);
	for (unsigned r = 0; r < options->runs; r++) {
		struct source_order packets = {
			.n_flows = each,
			.first = r * each,
			.protocol = IPPROTO_UDP,
			.packets = each,
		};

		figures[r] = run(&packets, NULL);
	}
	shown = sort_runs(options, figures);
	snprintf(range, sizeof(range), "%.0f..%.0f", hz / figures[options->runs - 1].all,
		hz / figures[0].all);
	print_name(rules);
	printf("%9.0f  %17s  %6.0f  %8.0f\n", hz / shown->all, range, shown->all,
		shown->stages[STAGE_FIREWALL]);
	fflush(stdout);
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool chosen(unsigned one, unsigned all, unsigned choice)
{
	return choice == all || choice == one;
}

static void bench_all(const struct options *options)
{
	print_title();
	for (unsigned i = 0; i < RTE_DIM(rule_counts); i++) {
		if (!chosen(rule_counts[i], ALL, options->rules))
			continue;
		for (unsigned k = 0; k < RTE_DIM(flow_counts); k++)
			if (chosen(flow_counts[k], 0, options->flows))
				bench_established(options, rule_counts[i], flow_counts[k]);
	}
	printf("\n%-25s %9s  %17s  %6s  %8s\n", "new UDP connections", "a second", "min..max",
		"cycles", "firewall");
	for (unsigned i = 0; i < RTE_DIM(rule_counts); i++)
		if (rule_counts[i] > 0 && chosen(rule_counts[i], ALL, options->rules))
			bench_new(options, rule_counts[i]);
}

static void bench(const struct options *options)
{
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID), lost;

	bench_all(options);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
	lost = 100 * (wall - cpu) / wall;
	if (lost > NOISE_LIMIT)
		printf("warning: for %.1f %% of the time something else had core %u: believe the "
		       "minima\n",
			lost, options->core);
}

/* The value of one option; false where it is none. */
static bool take_option(struct options *options, int c, unsigned long value)
{
	switch (c) {
	case 'c':
		options->core = (unsigned)value;
		return value < CPU_SETSIZE;
	case 'f':
		options->flows = (unsigned)value;
		return value == 1 || value == 1000 || value == FLOWS_MAX;
	case 'n':
		options->packets = (unsigned)value;
		return value >= 2 && value <= UINT32_MAX;
	case 'r':
		options->runs = (unsigned)value;
		return value >= 1 && value <= RUNS_MAX;
	case 's':
		options->rules = (unsigned)value;
		return value == 0 || value == 20 || value == 10000;
	default:
		return false;
	}
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt(argc, argv, "bc:f:n:r:s:")) != -1) {
		char *end;
		unsigned long value;

		if (c == 'b') {
			options->best = true;
			continue;
		}
		if (optarg == NULL)
			return false;
		value = strtoul(optarg, &end, 10);
		if (end == optarg || *end != '\0' || !take_option(options, c, value))
			return false;
	}
	return optind == argc;
}

static void pin(unsigned core)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(core, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
		setup_die("core %u: %s", core, strerror(errno));
}

int main(int argc, char **argv)
{
	struct options options = {.runs = RUNS, .packets = 400000, .rules = ALL};
	char *text;

	if (!parse_options(argc, argv, &options)) {
		fprintf(stderr,
			"usage: %s [-b] [-c CORE] [-f 1|1000|100000] [-n PACKETS] [-r RUNS] "
			"[-s 0|20|10000]\n"
			"  -b  show the best run, not the one in the middle\n"
			"  -c  core to run on (0)\n"
			"  -f  with this number of flows only\n"
			"  -n  packets in a run (400000)\n"
			"  -r  runs of each case (5)\n"
			"  -s  with this number of rules only; 0: firewall off\n",
			argv[0]);
		return 2;
	}
	text = make_config(&options, 0, false);
	setup_start(text, &source_driver, true);
	free(text);
	pin(options.core);
	bench(&options);
	setup_stop();
	return 0;
}
