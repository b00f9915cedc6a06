/*
 * What inspection of a connection's bytes costs (detect.h): cycles a byte of SMB2 writes of 64 KiB,
 * of zeros and of random bytes, in segments of one MTU and of a TSO frame, beside the Hyperscan
 * scan and the copy alone; cycles a small request. With the rules of a file (rules/smb.rules, or
 * the argument), and with those and others that look at file data. Needs no hugepages and no root.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "detect.h"
#include "ruleset.h"

#define WRITE    65536u
#define HEAD     116u /* of an SMB2 write: NetBIOS, header, body */
#define REQUEST  92u /* an SMB2 close */
#define REQUESTS 700u
#define ROUNDS   200
#define MTU      1448u
#define TSO      65160u

static const char file_rules[] =
	"alert smb any any -> any any (file.data; content:\"BENCH-MARKER-1\"; sid:9999991;)\n"
	"alert smb any any -> any any (file.data; content:\"MZ\"; offset:0; depth:2; "
	"content:\"BENCH-MARKER-2\"; sid:9999992;)\n"
	"alert smb any any -> any any (content:\"BENCH-MARKER-3\"; content:\"AAAA\"; "
	"sid:9999993;)\n";

struct tools {
	struct ruleset *ruleset;
	struct rule_db *db;
	struct detect_context context;
	struct rule_scratch *scratch;
};

static struct inspect_account account = {.max = UINT64_MAX};
static uint64_t findings;

static void *must(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "detect_bench: out of memory, or the rules do not load\n");
		exit(1);
	}
	return p;
}

static void on_found(void *arg, const struct detect_finding *finding)
{
	findings++;
}

static uint32_t random32(void)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

static struct tools load(const char *path, bool files)
{
	static const uint32_t counts[INSPECT_BLOCKS] = {0, 64, 64, 0};
	struct ruleset_source sources[] = {
		{.name = path}, {"bench", file_rules, sizeof(file_rules) - 1}};
	struct ruleset_options options = {.skip_unsupported = true};
	struct rule_vars *vars = must(rule_vars_create());
	struct rule_report report;
	struct tools tools;
	unsigned unknown;
	char reason[256];

	rule_report_init(&report);
	tools.ruleset = must(ruleset_load(sources, files ? 2 : 1, &options, &report));
	rule_report_free(&report);
	tools.db = must(rule_compile(tools.ruleset, NULL, reason, sizeof(reason)));
	tools.scratch = must(rule_db_scratch(tools.db));
	tools.context = (struct detect_context){.engine = must(detect_engine_create(tools.db)),
		.bind = must(rule_bind_create(
			tools.ruleset, vars, NULL, 0, &unknown, reason, sizeof(reason))),
		.memory = must(inspect_memory_create(counts, 64)),
		.account = &account,
		.xbits = must(rule_xbits_create(1024)),
		.counts = must(rule_counts_create(1024)),
		.now_s = 1,
		.found = on_found};
	rule_vars_free(vars);
	return tools;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void head(uint8_t *p, unsigned command, uint32_t len)
{
	memset(p, 0, REQUEST);
	p[1] = (uint8_t)((len - 4) >> 16);
	p[2] = (uint8_t)((len - 4) >> 8);
	p[3] = (uint8_t)(len - 4);
	memcpy(p + 4, "\xfeSMB\x40", 5);
	p[16] = (uint8_t)command;
}

/* A write of the data behind it. */
static void make_write(uint8_t *p, uint64_t position)
{
	head(p, 9, HEAD + WRITE);
	memset(p + 68, 0, HEAD - 68);
	p[68] = 49;
	p[70] = HEAD - 4;
	put32(p + 72, WRITE);
	put32(p + 76, (uint32_t)position);
	p[84] = 7;
}

/* Cycles for a stream of bytes in segments, in the best of many rounds. */
static uint64_t feed(
	struct tools *tools, uint8_t *bytes, uint32_t len, uint32_t segment, bool writes)
{
	struct detect_flow *flow = must(malloc(sizeof(*flow)));
	struct detect_ends ends = {.port = {50000, 445}};
	struct rule_packet packet = {.to_server = true, .established = true, .flags = 0x10};
	uint64_t best = UINT64_MAX;

	detect_flow_init(flow, &ends, 0, 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start;

		if (writes)
			make_write(bytes, (uint64_t)round * WRITE);
		start = rte_rdtsc();
		for (uint32_t at = 0; at < len; at += segment) {
			uint32_t n = len - at < segment ? len - at : segment;

			packet.size = n;
			detect_packet(flow, &tools->context, 0, &packet);
			detect_feed(flow, &tools->context, 0, bytes + at, n);
		}
		start = rte_rdtsc() - start;
		best = start < best ? start : best;
	}
	detect_flow_end(flow, &tools->context);
	free(flow);
	return best;
}

/* The same without detect: a scan of the stream, and a copy of what it keeps. */
static uint64_t scan(struct tools *tools, const uint8_t *bytes, uint32_t len, uint32_t segment)
{
	struct rule_stream *stream = must(
		rule_stream_create(tools->db, RULE_DIR_TO_SERVER, RULE_RECORD));
	uint8_t *copy = must(malloc(len));
	uint64_t best = UINT64_MAX;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = rte_rdtsc();

		for (uint32_t at = 0; at < len; at += segment) {
			uint32_t n = len - at < segment ? len - at : segment;
			struct rule_hit room[64];
			struct rule_hits hits = {room, 0, 64, 0};

			memcpy(copy + at, bytes + at, n);
			rule_stream_scan(stream, bytes + at, n, tools->scratch, &hits);
			findings += copy[at] == 1;
		}
		rule_stream_reset(stream, tools->scratch);
		start = rte_rdtsc() - start;
		best = start < best ? start : best;
	}
	rule_stream_free(stream);
	free(copy);
	return best;
}

static void bench_writes(struct tools *tools, const char *what, uint8_t *bytes)
{
	uint32_t len = HEAD + WRITE;

	for (unsigned tso = 0; tso < 2; tso++) {
		uint32_t segment = tso ? TSO : MTU;

		printf("%-26s in segments of %5u  %6.2f cycles a byte; scan and copy alone %6.2f\n",
			what, segment, (double)feed(tools, bytes, len, segment, true) / len,
			(double)scan(tools, bytes, len, segment) / len);
	}
}

static void bench(const char *path, bool files)
{
	struct tools tools = load(path, files);
	uint8_t *bytes = must(calloc(1, HEAD + WRITE)), *small = must(malloc(REQUEST * REQUESTS));

	printf("%u rules%s, %zu bytes of connection state\n", ruleset_count(tools.ruleset),
		files ? " with two that look at file data and one that waits for a second content"
		      : "",
		sizeof(struct detect_flow));
	bench_writes(&tools, "writes of zeros", bytes);
	for (uint32_t i = 0; i < WRITE; i++)
		bytes[HEAD + i] = (uint8_t)random32();
	bench_writes(&tools, "writes of random bytes", bytes);
	if (files) {
		memcpy(bytes + HEAD, "BENCH-MARKER-3", 14);
		bench_writes(&tools, "and one rule that waits", bytes);
	}
	for (unsigned i = 0; i < REQUESTS; i++) {
		head(small + i * REQUEST, 6, REQUEST);
		small[i * REQUEST + 68] = 24;
	}
	printf("%-26s %.0f cycles a request of %u bytes, one a segment; scan and copy alone "
	       "%.0f\n\n",
		"small requests",
		(double)feed(&tools, small, REQUEST * REQUESTS, REQUEST, false) / REQUESTS, REQUEST,
		(double)scan(&tools, small, REQUEST * REQUESTS, REQUEST) / REQUESTS);
	detect_engine_free(tools.context.engine);
	rule_bind_free((struct rule_bind *)tools.context.bind);
	inspect_memory_free(tools.context.memory);
	rule_xbits_free(tools.context.xbits);
	rule_counts_free(tools.context.counts);
	rule_scratch_free(tools.scratch);
	rule_db_free(tools.db);
	ruleset_free(tools.ruleset);
	free(bytes);
	free(small);
}

int main(int argc, char **argv)
{
	char *eal[] = {argv[0], "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "--log-level=error", NULL};
	const char *path = argc > 1 ? argv[1] : "rules/smb.rules";

	if (argc > 2 || rte_eal_init(8, eal) < 0) {
		fprintf(stderr, "usage: %s [FILE of rules]\n", argv[0]);
		return 1;
	}
	bench(path, false);
	bench(path, true);
	rte_eal_cleanup();
	return 0;
}
