/*
 * What inspection costs in a whole worker: SMB2 reads and writes of 64 KiB blocks between two ports
 * whose guests are made up (smb_source.c), with a firewall, held against a file of rules and the
 * invariants in mode prevent, through a real worker on core 0: parsing, firewall, reassembly,
 * framing, rules, forwarding, transmission. Beside it the Hyperscan scan alone of the same bytes in
 * the same pieces, which reads them where they lie. In every run all payload must have been
 * inspected and delivered, and the marker at the end of the last block be found, once.
 *
 * Needs no guests and no root, and takes hugepages where they are free.
 */
#include <getopt.h>
#include <hs/hs.h>
#include <libgen.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "inspect.h"
#include "inspect_store.h"
#include "ruleset.h"
#include "rule_patterns.h"
#include "setup.h"
#include "smb_source.h"
#include "switch.h"
#include "switch_inspect.h"
#include "worker.h"

#define BLOCK      65536u
#define MARKER     "last-block-of-the-bench"
#define MARKER_SID "9900001"
#define RUNS_MAX   101
#define WAIT_S     120
#define SERVER     0x0a000002u

struct options {
	const char *rules;
	unsigned core;
	unsigned runs;
	unsigned mib; /* of file data in a run */
	int only; /* number of the case, or -1 */
	bool json;
};

struct figures {
	double gbps; /* TCP payload of both sides */
	double cycles; /* a byte of it */
	double packet; /* cycles a packet */
	double scan; /* cycles a byte of the scan alone */
	double stages[STAGES]; /* cycles a byte */
};

static const struct bench_case {
	const char *name;
	enum pktgen_smb what;
	bool zeros;
	uint32_t segment;
} cases[] = {
	{"reads, random", PKTGEN_SMB_READ, false, SMB_SOURCE_MTU},
	{"reads, zeros", PKTGEN_SMB_READ, true, SMB_SOURCE_MTU},
	{"writes, random", PKTGEN_SMB_WRITE, false, SMB_SOURCE_MTU},
	{"writes, zeros", PKTGEN_SMB_WRITE, true, SMB_SOURCE_MTU},
	{"reads, random, TSO", PKTGEN_SMB_READ, false, SMB_SOURCE_TSO},
	{"writes, random, TSO", PKTGEN_SMB_WRITE, false, SMB_SOURCE_TSO},
};

static struct options options = {.rules = "rules/smb.rules", .runs = 5, .mib = 256, .only = -1};
static char dir[] = "/tmp/inspect_bench.XXXXXX"; /* of the rules */

/* The scan alone: the patterns that records are searched for, in one database a direction. */
static struct {
	struct ruleset *ruleset;
	hs_database_t *dbs[2]; /* by side */
	hs_scratch_t *scratch;
	hs_stream_t *streams[2];
	uint64_t found;
	uint8_t *bytes[2]; /* of the first messages behind the set-up */
	uint32_t len[2]; /* of one of them */
} raw;

static void *must(void *p)
{
	if (p == NULL)
		setup_die("out of memory, or %s does not load", options.rules);
	return p;
}

static void write_file(const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = must(fopen(path, "w"));
	fputs(text, file);
	if (fclose(file) != 0)
		setup_die("cannot write %s", path);
}

static void make_files(void)
{
	char path[64], real[4096];

	if (mkdtemp(dir) == NULL || realpath(options.rules, real) == NULL)
		setup_die("no directory %s, or no file %s", dir, options.rules);
	snprintf(path, sizeof(path), "%s/bench.rules", dir);
	if (symlink(real, path) != 0)
		setup_die("cannot write %s", path);
	write_file("marker.rules",
		"alert smb any any -> any any (msg:\"marker\"; content:\"" MARKER "\"; "
		"sid:" MARKER_SID "; rev:1;)\n");
}

static void remove_files(void)
{
	static const char *const names[] = {"/bench.rules", "/marker.rules", ""};

	for (unsigned i = 0; i < RTE_DIM(names); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s%s", dir, names[i]);
		remove(path);
	}
}

/* ports: else the switch is empty. The caller frees it. */
static char *make_config(bool ports)
{
	char *text;
	size_t len;
	FILE *out = must(open_memstream(&text, &len));

	fprintf(out,
		"vswitch: {workers: [%u], connections: 65536, buffers: 16384, rules: %s}\n"
		"networks: [{name: bench, tenant: bench}]\n"
		"groups: [{name: rules, tenant: bench, rules: [{direction: in, protocol: tcp, "
		"ports: 445, remote: 10.0.0.0/24, action: allow}]}]\n"
		"inspection: [{tenant: bench, rules: [bench.rules, marker.rules], "
		"skip-unsupported: true, mode: prevent, budget: {port: 100, tenant: 100}}]\n",
		options.core, dir);
	fputs(ports ? "ports:\n" : "", out);
	for (unsigned i = 1; ports && i <= 2; i++)
		fprintf(out,
			"  - {name: vm%u, network: bench, vhost-user: {socket: /bench/vm%u}, "
			"mac: 02:00:00:00:00:%02u, ips: [10.0.0.%u], groups: [rules]}\n",
			i, i, i, i);
	fclose(out);
	return text;
}

static void start_switch(void)
{
	char *text = make_config(false), err[512];

	setup_start(text, &smb_source_driver, false);
	free(text);
	if (!inspect_store_start(dir, "", switch_inspect_changed, err, sizeof(err)))
		setup_die("%s", err);
	text = make_config(true);
	setup_apply(text);
	free(text);
	if (!inspect_store_wait(err, sizeof(err)))
		setup_die("%s", err);
	switch_inspect_changed();
}

static void stop_switch(void)
{
	setup_stop();
	inspect_store_stop();
}

static hs_database_t *compile(const struct rule_patterns *patterns)
{
	const char **texts = must(calloc(patterns->n, sizeof(*texts)));
	unsigned *flags = must(calloc(patterns->n, sizeof(*flags)));
	unsigned *ids = must(calloc(patterns->n, sizeof(*ids)));
	hs_compile_error_t *error;
	hs_database_t *db;

	for (uint32_t i = 0; i < patterns->n; i++) {
		const struct rule_content *content = patterns->patterns[i].content;
		char *text = must(malloc(RULE_PATTERN_TEXT));

		rule_pattern_escape(content, text);
		texts[i] = text;
		ids[i] = i;
		flags[i] = HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL |
			   (content->nocase ? HS_FLAG_CASELESS : 0);
	}
	if (hs_compile_multi(texts, flags, ids, patterns->n, HS_MODE_STREAM, NULL, &db, &error) !=
		HS_SUCCESS)
		setup_die("Hyperscan: %s", error->message);
	for (uint32_t i = 0; i < patterns->n; i++)
		free((char *)texts[i]);
	free(texts);
	free(flags);
	free(ids);
	return db;
}

/* other: of the direction that the side's bytes do not go in. */
static void load_side(unsigned side, unsigned other)
{
	uint32_t n = ruleset_count(raw.ruleset);
	bool *wanted = must(calloc(n, sizeof(*wanted)));
	struct rule_patterns patterns;

	for (uint32_t i = 0; i < n; i++) {
		const struct rule *rule = ruleset_rule(raw.ruleset, i);

		wanted[i] = !(rule->flow & other) && rule->fast != RULE_NO_FAST &&
			    rule->items[rule->fast].buffer == RULE_RECORD;
	}
	if (!rule_patterns_collect(&patterns, raw.ruleset, wanted))
		setup_die("out of memory");
	raw.dbs[side] = compile(&patterns);
	if (hs_alloc_scratch(raw.dbs[side], &raw.scratch) != HS_SUCCESS ||
		hs_open_stream(raw.dbs[side], 0, &raw.streams[side]) != HS_SUCCESS)
		setup_die("out of memory");
	rule_patterns_free(&patterns);
	free(wanted);
}

/* The same rules once more, as what is measured must not be touched. */
static void load_raw(void)
{
	char bench[64], marker[64];
	struct ruleset_source sources[] = {{.name = bench}, {.name = marker}};
	struct ruleset_options how = {.skip_unsupported = true};
	struct rule_report report;

	snprintf(bench, sizeof(bench), "%s/bench.rules", dir);
	snprintf(marker, sizeof(marker), "%s/marker.rules", dir);
	rule_report_init(&report);
	raw.ruleset = must(ruleset_load(sources, 2, &how, &report));
	rule_report_free(&report);
	load_side(0, RULE_TO_CLIENT);
	load_side(1, RULE_TO_SERVER);
}

static void free_raw(void)
{
	for (unsigned side = 0; side < 2; side++) {
		hs_close_stream(raw.streams[side], NULL, NULL, NULL);
		hs_free_database(raw.dbs[side]);
	}
	hs_free_scratch(raw.scratch);
	ruleset_free(raw.ruleset);
}

static int on_hit(
	unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	raw.found++;
	return 0;
}

/* The messages that come round. */
static void lay_out(const struct pktgen_smb2 *smb2)
{
	for (unsigned side = 0; side < 2; side++) {
		struct pktgen_smb2_at at = {.message = PKTGEN_SMB2_SETUP};
		uint32_t size;

		raw.len[side] = pktgen_smb2_len(smb2, side, PKTGEN_SMB2_SETUP);
		size = raw.len[side] * PKTGEN_SMB2_BLOCKS;
		raw.bytes[side] = must(malloc(size));
		pktgen_smb2_bytes(smb2, side, &at, UINT64_MAX, UINT64_MAX, raw.bytes[side], size);
	}
}

/* Pieces are cut where segments and their buffers begin: these go on from message to message. */
static void scan_message(unsigned side, const uint8_t *bytes, uint32_t segment, uint32_t *left)
{
	for (uint32_t at = 0, n; at < raw.len[side]; at += n, *left -= n) {
		*left = *left == 0 ? RTE_MIN(segment, (uint32_t)RTE_MBUF_DEFAULT_DATAROOM) : *left;
		n = RTE_MIN(raw.len[side] - at, *left);
		if (hs_scan_stream(raw.streams[side], (const char *)bytes + at, n, 0, raw.scratch,
			    on_hit, NULL) != HS_SUCCESS)
			setup_die("Hyperscan failed");
	}
	hs_reset_stream(raw.streams[side], 0, raw.scratch, NULL, NULL);
}

/* The scan has the worker's core, and what waits for the worker any other. */
static void pin(bool to_core)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if ((i == options.core) == to_core)
			CPU_SET(i, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
		setup_die("two cores are needed, and one of them is to be %u", options.core);
}

/* Cycles a byte. */
static double scan_alone(const struct bench_case *c, uint64_t messages)
{
	uint32_t left[2] = {0};
	uint64_t start, bytes = 0;

	pin(true);
	start = rte_rdtsc();
	for (uint64_t i = 0; i < messages; i++)
		for (unsigned side = 0; side < 2; side++) {
			uint64_t which = i % PKTGEN_SMB2_BLOCKS;

			scan_message(side, raw.bytes[side] + which * raw.len[side], c->segment,
				&left[side]);
			bytes += raw.len[side];
		}
	start = rte_rdtsc() - start;
	pin(false);
	return (double)start / (double)bytes;
}

static struct smb_source_result converse(const struct smb_source_order *order)
{
	struct smb_source_result result = {0};

	smb_source_begin(order);
	for (unsigned ms = 0; !result.done; ms++) {
		if (ms == WAIT_S * 1000) {
			json_dumpf(switch_drops(NULL), stderr, JSON_INDENT(1));
			json_dumpf(switch_inspect_status(), stderr, JSON_INDENT(1));
			setup_die("the conversation does not come to its end");
		}
		usleep(1000);
		result = smb_source_result();
	}
	usleep(2000); /* the worker's pass is over, and counted */
	return result;
}

/* Bytes that both sides send. */
static uint64_t payload_of(const struct pktgen_smb2 *smb2, uint64_t messages)
{
	uint64_t bytes = 0;

	for (uint64_t i = 0; i < messages; i++)
		bytes += pktgen_smb2_len(smb2, 0, i) + pktgen_smb2_len(smb2, 1, i);
	return bytes;
}

static struct figures run(const struct bench_case *c, const struct pktgen_smb2 *smb2)
{
	const struct inspect_stats *stats = inspect_stats_of(workers[0]->inspect);
	struct smb_source_order order = {smb2,
		PKTGEN_SMB2_SETUP + (uint64_t)options.mib * (1024 * 1024 / BLOCK), c->segment};
	struct inspect_stats before = *stats;
	struct worker_stats stages = workers[0]->stats;
	uint64_t expected = payload_of(smb2, order.messages);
	struct smb_source_result result = converse(&order);
	double bytes = (double)result.payload, took = (double)(result.ended - result.began);
	struct figures f = {
		.gbps = bytes * 8 * (double)rte_get_tsc_hz() / took / 1e9,
		.cycles = took / bytes,
		.packet = took / (double)result.packets,
	};

	if (result.payload != expected || stats->bytes - before.bytes != expected ||
		stats->alerts - before.alerts != 1)
		setup_die("%s: of %llu bytes of payload %llu were delivered and %llu inspected, "
			  "and %llu alerts instead of one, for the marker in the last block",
			c->name, (unsigned long long)expected, (unsigned long long)result.payload,
			(unsigned long long)(stats->bytes - before.bytes),
			(unsigned long long)(stats->alerts - before.alerts));
	for (unsigned i = 0; i < STAGES; i++)
		f.stages[i] = worker_stage_cycles(&stages, &workers[0]->stats, i) *
			      (double)result.packets / bytes;
	f.scan = scan_alone(c, order.messages);
	return f;
}

static int by_gbps(const void *a, const void *b)
{
	const struct figures *x = a, *y = b;

	return (x->gbps > y->gbps) - (x->gbps < y->gbps);
}

static void print_title(void)
{
	printf("%u rules of %s\n", ruleset_count(raw.ruleset), options.rules);
	printf("%-21s %6s %13s %7s %7s %7s %9s %6s %6s %6s %7s\n", "SMB2", "Gb/s", "min..max",
		"cyc/pkt", "cyc/B", "source", "inspected", "else", "scan", "ratio", "min..max");
}

/* Of the scan, by those of all that the worker does but making the packets. */
static double ratio_of(const struct figures *f)
{
	return f->scan / (f->cycles - f->stages[STAGE_RX]);
}

/* The run in the middle. */
static void print_case(const struct bench_case *c, struct figures *runs)
{
	const struct figures *f;
	double ratio[RUNS_MAX], least = 1e9, most = 0;

	qsort(runs, options.runs, sizeof(*runs), by_gbps);
	f = &runs[options.runs / 2];
	for (unsigned i = 0; i < options.runs; i++) {
		ratio[i] = ratio_of(&runs[i]);
		least = RTE_MIN(least, ratio[i]);
		most = RTE_MAX(most, ratio[i]);
	}
	printf("%-21s %6.2f %6.2f..%-5.2f %7.0f %7.3f %7.3f %9.3f %6.3f %6.3f %6.2f %.2f..%.2f\n",
		c->name, f->gbps, runs[0].gbps, runs[options.runs - 1].gbps, f->packet, f->cycles,
		f->stages[STAGE_RX], f->stages[STAGE_FIREWALL],
		f->cycles - f->stages[STAGE_RX] - f->stages[STAGE_FIREWALL], f->scan,
		ratio[options.runs / 2], least, most);
	fflush(stdout);
}

static void print_json(const struct bench_case *c, const struct figures *f)
{
	printf("{\"case\": \"%s\", \"gbps\": %.3f, \"cycles_per_byte\": %.4f, "
	       "\"cycles_per_packet\": %.1f, \"source_per_byte\": %.4f, "
	       "\"scan_per_byte\": %.4f}\n",
		c->name, f->gbps, f->cycles, f->packet, f->stages[STAGE_RX], f->scan);
	fflush(stdout);
}

static void bench(const struct bench_case *c)
{
	struct figures runs[RUNS_MAX];
	struct pktgen_smb2 smb2;

	if (!pktgen_smb2_init(&smb2, c->what, BLOCK, c->zeros, MARKER, SERVER))
		setup_die("out of memory");
	lay_out(&smb2);
	for (unsigned i = 0; i < options.runs; i++) {
		runs[i] = run(c, &smb2);
		if (options.json)
			print_json(c, &runs[i]);
	}
	if (!options.json)
		print_case(c, runs);
	free(raw.bytes[0]);
	free(raw.bytes[1]);
	pktgen_smb2_free(&smb2);
}

static bool take_option(int c, unsigned long value)
{
	switch (c) {
	case 'c':
		options.core = (unsigned)value;
		return value < CPU_SETSIZE;
	case 'm':
		options.mib = (unsigned)value;
		return value >= 1 && value <= 65536;
	case 'n':
		options.only = (int)value;
		return value < RTE_DIM(cases);
	default:
		options.runs = (unsigned)value;
		return value >= 1 && value <= RUNS_MAX;
	}
}

static bool parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "c:jm:n:r:")) != -1) {
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
	if (optind < argc)
		options.rules = argv[optind++];
	return optind == argc;
}

int main(int argc, char **argv)
{
	if (!parse_options(argc, argv)) {
		fprintf(stderr,
			"usage: %s [-c CORE] [-j] [-m MIB] [-n CASE] [-r RUNS] [FILE of rules]\n"
			"  -c  core of the worker, and then of the scan (0)\n"
			"  -j  a line of JSON for each run\n"
			"  -m  MiB of file data in a run (256)\n"
			"  -n  only this case, from 0\n"
			"  -r  runs of each (5)\n",
			argv[0]);
		return 2;
	}
	make_files();
	atexit(remove_files);
	start_switch();
	load_raw();
	pin(false);
	if (!options.json)
		print_title();
	for (unsigned i = 0; i < RTE_DIM(cases); i++)
		if (options.only < 0 || options.only == (int)i)
			bench(&cases[i]);
	free_raw();
	stop_switch();
	return 0;
}
