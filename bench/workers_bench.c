/*
 * What a second worker brings: packets of UDP flows, 64 bytes with their checksum, both ways
 * between pairs of ports whose guests are made up (source.c), firewall on, through real workers on
 * two cores. In every round, in turn: each worker alone with a network of its own, both at once,
 * and both with a network that has two workers, half of whose flows are handed over (handover.h) by
 * the worker that polls them. Needs no guests and no root, and takes hugepages where they are free.
 */
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "setup.h"
#include "source.h"
#include "switch.h"
#include "worker.h"

#define ROUNDS_MAX 101
#define ADDRESSES  16 /* of a port: they decide on the owner */
#define PAIRS      2
#define WAIT_MS    10000 /* until all flows are open */
#define WARMUP_MS  50
#define NOISE      0.02 /* of the time, that others may have the cores */

struct options {
	unsigned cores[PAIRS];
	unsigned rounds;
	unsigned ms; /* of one measurement */
	uint32_t flows; /* of each pair */
	unsigned rules; /* 0: both ports are trusted */
	bool json;
};

/* What was measured: of pair 0, of pair 1, of both. */
struct figures {
	double pps; /* delivered */
	double cycles; /* of the cores at work, for each packet */
	double source; /* cycles of that for making it */
	double handed; /* part of the packets that came from another worker */
	double lost; /* part of the packets that were not delivered */
	double away; /* part of the time that other programs had these cores */
};

/* One round. */
struct round {
	struct figures alone[PAIRS], home, handed;
	double cores; /* what two cores do of what one does, without any memory */
};

static struct options options = {
	.cores = {0, 1}, .rounds = 5, .ms = 500, .flows = 1000, .rules = 20};
static struct source_order open_order, stop_order, order;

static void write_port(FILE *out, unsigned number, const char *network)
{
	fprintf(out,
		"  - {name: vm%u, network: %s, vhost-user: {socket: /bench/vm%u}, "
		"mac: 02:00:00:00:00:%02u, %s, "
		"connections: {max: 16777216, per-second: 16777216}, ips: [",
		number, network, number, number,
		options.rules > 0 ? "groups: [rules]" : "trusted: yes");
	for (unsigned i = 1; i <= ADDRESSES; i++)
		fprintf(out, "%s10.0.%u.%u", i > 1 ? ", " : "", number, i);
	fputs("]}\n", out);
}

/* shared: one network with two workers, else one with its home at each. The caller frees it. */
static char *make_config(bool with_ports, bool shared)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		setup_die("out of memory");
	fprintf(out,
		"vswitch: {workers: [%u, %u], connections: 1048576, buffers: 32768}\n"
		"networks:\n"
		"  - {name: both, tenant: bench, workers: 2, home: %u}\n"
		"  - {name: first, tenant: bench, home: %u}\n"
		"  - {name: second, tenant: bench, home: %u}\n"
		"tenants: [{name: bench, connections: {max: 16777216, per-second: 16777216}}]\n",
		options.cores[0], options.cores[1], options.cores[0], options.cores[0],
		options.cores[1]);
	if (options.rules > 0)
		setup_write_rules(out, options.rules);
	if (with_ports) {
		fputs("ports:\n", out);
		for (unsigned i = 1; i <= 2 * PAIRS; i++)
			write_port(out, i, shared ? "both" : i <= 2 ? "first" : "second");
	}
	fclose(out);
	return text;
}

static void apply(bool with_ports, bool shared)
{
	char *text = make_config(with_ports, shared), err[256];

	setup_apply(text);
	free(text);
	for (unsigned i = 1; with_ports && i <= 2 * PAIRS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "vm%u", i);
		if (switch_move_queue(name, 0, options.cores[(i - 1) / 2], err, sizeof(err)) != 0)
			setup_die("%s", err);
	}
}

static void nap(unsigned ms)
{
	usleep(ms * 1000);
}

/* Gives both ports of pairs from..to this to do. */
static void send_all(unsigned from, unsigned to, const struct source_order *clients,
	const struct source_order *servers)
{
	for (unsigned i = 2 * from + 1; i <= 2 * to + 2; i++) {
		char name[16];

		snprintf(name, sizeof(name), "vm%u", i);
		source_send(name, i % 2 == 1 ? clients : servers);
	}
}

static void wait_until_done(unsigned from, unsigned to)
{
	for (unsigned i = 2 * from + 1; i <= 2 * to + 2; i++) {
		unsigned waited = 0;
		char name[16];

		snprintf(name, sizeof(name), "vm%u", i);
		while (!source_is_done(name)) {
			if (waited++ == WAIT_MS)
				setup_die("%s does not get rid of its packets", name);
			nap(1);
		}
	}
}

struct sums {
	uint64_t received, sent, handed, rx_cycles, rx_timed;
};

static struct sums read_sums(void)
{
	struct sums sums = {0};

	for (unsigned w = 0; w < n_workers; w++) {
		const struct worker_stats *stats = &workers[w]->stats;

		sums.handed += counter_read(&stats->stages[STAGE_HANDOVER].packets);
		sums.rx_cycles += counter_read(&stats->stages[STAGE_RX].cycles);
		sums.rx_timed += counter_read(&stats->stages[STAGE_RX].timed_packets);
		for (unsigned id = 0; id < MAX_PORTS; id++) {
			sums.received += counter_read(&workers[w]->counters[id].received);
			sums.sent += counter_read(&workers[w]->counters[id].sent);
		}
	}
	return sums;
}

/* What is under way arrives, or is dropped: when nothing moves any more. */
static struct sums settle(void)
{
	struct sums before = read_sums(), now;

	for (unsigned same = 0; same < 5;) {
		nap(1);
		now = read_sums();
		same = now.sent == before.sent && now.received == before.received ? same + 1 : 0;
		before = now;
	}
	return before;
}

/* Seconds that the workers of pairs from..to have had their cores. */
static double cpu_time(unsigned from, unsigned to)
{
	double sum = 0;

	for (unsigned i = from; i <= to; i++) {
		struct timespec t = {0};
		clockid_t clock;

		if (pthread_getcpuclockid(workers[i]->thread, &clock) == 0)
			clock_gettime(clock, &t);
		sum += (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	}
	return sum;
}

/* Pairs from..to send as fast as it goes. */
static struct figures measure(unsigned from, unsigned to)
{
	struct sums first = settle(), a, b;
	uint64_t start, took;
	double packets, had;

	send_all(from, to, &order, &order);
	nap(WARMUP_MS);
	had = cpu_time(from, to);
	a = read_sums();
	start = rte_rdtsc();
	nap(options.ms);
	b = read_sums();
	took = rte_rdtsc() - start;
	had = cpu_time(from, to) - had;
	send_all(from, to, &stop_order, &stop_order);
	wait_until_done(from, to);
	packets = (double)(b.sent - a.sent);
	if (packets == 0)
		setup_die("nothing was delivered");
	struct sums last = settle();

	return (struct figures){
		.pps = packets * (double)rte_get_tsc_hz() / (double)took,
		.cycles = (double)took * (to - from + 1) / packets,
		.source = (double)(b.rx_cycles - a.rx_cycles) / (double)(b.rx_timed - a.rx_timed),
		.handed = (double)(b.handed - a.handed) / packets,
		.away = 1 - had * (double)rte_get_tsc_hz() / ((double)took * (to - from + 1)),
		.lost = 1 -
			(double)(last.sent - first.sent) / (double)(last.received - first.received),
	};
}

/* All flows of all pairs are there, and none that was before. */
static void open_flows(bool shared)
{
	apply(false, shared);
	apply(true, shared);
	send_all(0, PAIRS - 1, &open_order, &stop_order);
	wait_until_done(0, PAIRS - 1);
	settle();
}

/* Turns of a loop that needs nothing but its core, on both at once and on one. */
struct spinner {
	pthread_t thread;
	unsigned core;
	uint64_t until, turns;
};

static void *spin(void *arg)
{
	struct spinner *s = arg;
	uint64_t x = 1;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(s->core, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	while (rte_rdtsc() < s->until) {
		for (unsigned i = 0; i < 1000; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
		s->turns += x != 0;
	}
	return NULL;
}

static double spin_on(unsigned from, unsigned to)
{
	struct spinner spinners[PAIRS] = {0};
	uint64_t turns = 0;

	for (unsigned i = from; i <= to; i++) {
		spinners[i].core = options.cores[i];
		spinners[i].until = rte_rdtsc() + rte_get_tsc_hz() / 10;
		if (pthread_create(&spinners[i].thread, NULL, spin, &spinners[i]) != 0)
			setup_die("no thread");
	}
	for (unsigned i = from; i <= to; i++) {
		pthread_join(spinners[i].thread, NULL);
		turns += spinners[i].turns;
	}
	return (double)turns;
}

static struct round measure_round(void)
{
	struct round r = {0};

	r.cores = 2 * spin_on(0, 1) / (spin_on(0, 0) + spin_on(1, 1));
	open_flows(false);
	for (unsigned i = 0; i < PAIRS; i++)
		r.alone[i] = measure(i, i);
	r.home = measure(0, PAIRS - 1);
	open_flows(true);
	r.handed = measure(0, PAIRS - 1);
	return r;
}

/* Of one worker: on whichever core. */
static double one(const struct round *r)
{
	return (r->alone[0].pps + r->alone[1].pps) / 2;
}

/* The most that other programs had of the cores in one of the round's measurements. */
static double away(const struct round *r)
{
	double most = 0;

	for (unsigned i = 0; i < PAIRS; i++)
		most = fmax(most, r->alone[i].away);
	return fmax(most, fmax(r->home.away, r->handed.away));
}

static void print_json(const struct round *r)
{
	printf("{\"one\": %.0f, \"one_cycles\": %.1f, \"home\": %.0f, \"home_cycles\": %.1f, "
	       "\"handed\": %.0f, \"handed_cycles\": %.1f, \"part_handed\": %.3f, \"lost\": %.6f, "
	       "\"cores\": %.3f, \"away\": %.3f}\n",
		one(r), (r->alone[0].cycles + r->alone[1].cycles) / 2, r->home.pps, r->home.cycles,
		r->handed.pps, r->handed.cycles, r->handed.handed,
		fmax(r->home.lost, r->handed.lost), r->cores, away(r));
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A line of the table, of what `of` takes out of each round. */
static void print_line(
	const char *name, const struct round *rounds, struct figures (*of)(const struct round *))
{
	double pps[ROUNDS_MAX], ratio[ROUNDS_MAX], cycles[ROUNDS_MAX], source[ROUNDS_MAX];
	unsigned n = options.rounds;
	double handed = 0, lost = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct figures f = of(&rounds[i]);

		pps[i] = f.pps / 1e6;
		ratio[i] = f.pps / one(&rounds[i]);
		cycles[i] = f.cycles;
		source[i] = f.source;
		handed += 100 * f.handed / n;
		lost += 100 * f.lost / n;
	}
	qsort(pps, n, sizeof(*pps), compare);
	qsort(ratio, n, sizeof(*ratio), compare);
	qsort(cycles, n, sizeof(*cycles), compare);
	qsort(source, n, sizeof(*source), compare);
	printf("%-28s %6.2f  %5.2f..%-5.2f %7.0f %7.0f %6.0f%% %6.2f%%  %5.2f  %.2f..%.2f\n", name,
		pps[n / 2], pps[0], pps[n - 1], cycles[n / 2], source[n / 2], handed, lost,
		ratio[n / 2], ratio[0], ratio[n - 1]);
}

static struct figures of_first(const struct round *r)
{
	return r->alone[0];
}

static struct figures of_second(const struct round *r)
{
	return r->alone[1];
}

static struct figures of_home(const struct round *r)
{
	return r->home;
}

static struct figures of_handed(const struct round *r)
{
	return r->handed;
}

static void print_table(const struct round *rounds)
{
	double cores = 0, most = 0;

	printf("%u flows a pair, %u rules\n", options.flows, options.rules);
	printf("%-28s %6s  %12s %7s %7s %7s %7s  %5s  %s\n", "", "Mpps", "min..max ", "cycles",
		"source", "handed", "lost", "ratio", "min..max");
	print_line("first worker alone", rounds, of_first);
	print_line("second worker alone", rounds, of_second);
	print_line("both, a network each", rounds, of_home);
	print_line("both, one network", rounds, of_handed);
	for (unsigned i = 0; i < options.rounds; i++) {
		cores += rounds[i].cores / options.rounds;
		most = fmax(most, away(&rounds[i]));
	}
	printf("these two cores together do %.2f times as much as one of them of a loop without "
	       "memory\n",
		cores);
	if (most > NOISE)
		printf("warning: other programs had up to %.0f %% of these cores: believe the "
		       "maxima\n",
			100 * most);
}

static bool take_option(int c, unsigned long value)
{
	switch (c) {
	case 'f':
		options.flows = (uint32_t)value;
		return value >= 1 && value <= 200000;
	case 'm':
		options.ms = (unsigned)value;
		return value >= 10 && value <= 60000;
	case 'r':
		options.rounds = (unsigned)value;
		return value >= 1 && value <= ROUNDS_MAX;
	default:
		options.rules = (unsigned)value;
		return value == 0 || (value >= 2 && value <= 10000);
	}
}

static bool parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "f:jm:r:s:")) != -1) {
		char *end;
		unsigned long value;

		if (c == 'j') {
			options.json = true;
			continue;
		}
		if (optarg == NULL)
			return false;
		value = strtoul(optarg, &end, 10);
		if (end == optarg || *end != '\0' || !take_option(c, value))
			return false;
	}
	return optind == argc;
}

static void make_orders(void)
{
	order = (struct source_order){.n_flows = options.flows,
		.protocol = IPPROTO_UDP,
		.addresses = ADDRESSES,
		.packets = UINT64_MAX};
	open_order = order;
	open_order.packets = options.flows;
	stop_order = order;
	stop_order.packets = 0;
}

int main(int argc, char **argv)
{
	struct round rounds[ROUNDS_MAX];
	char *text;

	if (!parse_options(argc, argv)) {
		fprintf(stderr,
			"usage: %s [-f FLOWS] [-j] [-m MS] [-r ROUNDS] [-s RULES]\n"
			"  -f  of each pair of ports, 1 to 200000 (1000)\n"
			"  -j  a line of JSON for each round\n"
			"  -m  milliseconds of each measurement (500)\n"
			"  -r  rounds (5)\n"
			"  -s  rules, 0: firewall off (20)\n",
			argv[0]);
		return 2;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("skipped: two workers need two cores\n");
		return 0;
	}
	make_orders();
	text = make_config(false, false);
	setup_start(text, &source_driver, false);
	free(text);
	for (unsigned i = 0; i < options.rounds; i++) {
		rounds[i] = measure_round();
		if (options.json)
			print_json(&rounds[i]);
	}
	if (!options.json)
		print_table(rounds);
	setup_stop();
	return 0;
}
