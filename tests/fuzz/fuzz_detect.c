/*
 * Fuzzes what is found on a connection. The first byte chooses how it is seen (1 picked up, 2 port
 * 139), then come segments: one byte whose lowest bit is the side, whose second is set where a gap
 * is before it and whose third where the rules change, two of length, little endian, and their
 * bytes, each fed from a heap block of just its size.
 *
 * Every input is fed twice, the second time in single bytes, and the same must be found, though not
 * in the same order. All that was taken is given back.
 *
 * libFuzzer target; its inputs are fuzz_smb's as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect.h"
#include "inspect_blocks.h"
#include "ruleset.h"

#define ANY "alert smb any any -> any any "

/* Rules that look at one field each: where a record has several names, the last one stays. */
static const char rules_text[] = ANY
	"(content:\"MARK\"; sid:1;)\n" ANY "(content:\"AAAA\"; content:!\"BBBB\"; sid:2;)\n" ANY
	"(content:\"CCCC\"; endswith; sid:3;)\n" ANY "(file.data; content:\"MARK\"; sid:4;)\n" ANY
	"(file.data; content:\"AAAA\"; content:\"BBBB\"; distance:0; sid:5;)\n" ANY
	"(smb.share; content:\"IPC\"; sid:6;)\n" ANY
	"(smb.named_pipe; content:\"svc\"; sid:7;)\n" ANY
	"(smb.ntlmssp_user; content:\"user\"; sid:8;)\n" ANY "(dce_opnum:15; sid:9;)\n" ANY
	"(dce_iface:367abb81-9844-35f1-ad32-98f038001003; content:\"MARK\"; sid:10;)\n" ANY
	"(dce_stub_data; content:\"MARK\"; sid:11;)\n" ANY
	"(content:\"BBBB\"; flowbits:set,seen; noalert; sid:12;)\n" ANY
	"(content:\"AAAA\"; flowbits:isset,seen; sid:13;)\n" ANY
	"(content:\"AAAA\"; pcre:\"/^.{0,9}B/Rs\"; sid:14;)\n" ANY
	"(content:\"SMB\"; offset:5; depth:3; byte_jump:2,8,relative,little; "
	"isdataat:!60,relative; "
	"sid:15;)\n" ANY "(content:!\"SMB\"; sid:16;)\n" ANY
	"(flow:to_client; content:\"|00|\"; depth:1; content:!\"MARK\"; distance:30; sid:17;)\n";

/* What was found in one way of feeding. */
struct story {
	uint64_t sum, n;
	unsigned failures;
};

static volatile uint8_t looked_at;
static struct ruleset *ruleset;
static struct rule_db *db;
static struct rule_bind *bound;
static struct detect_engine *engines[2];
static struct detect_context context;
static struct inspect_account account = {.max = UINT64_MAX};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Each finding by itself, whatever came before it. */
static void on_found(void *arg, const struct detect_finding *f)
{
	uint64_t values[] = {f->kind, f->action, f->rule ? f->rule->sid : 0, f->invariant,
		f->failure, f->side, f->culprit, f->position, f->value};
	struct story *story = arg;
	uint64_t hash = 0xcbf29ce484222325ull;

	must(f->side < 2 && f->culprit < 2);
	must(f->len == 0 || f->bytes != NULL);
	for (uint32_t i = 0; i < f->len; i++)
		looked_at = f->bytes[i]; /* ASan says whether it is there */
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		hash = (hash ^ values[i]) * 0x100000001b3ull ^ hash >> 29;
	story->sum += hash;
	story->n++;
	story->failures += f->kind == DETECT_FAILURE && f->failure != CONFIG_FAILURE_ENCRYPTED &&
			   f->failure != CONFIG_FAILURE_COMPRESSED;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint32_t counts[INSPECT_BLOCKS] = {0, 64, 64, 0};
	struct ruleset_source source = {"fuzz", rules_text, sizeof(rules_text) - 1};
	struct ruleset_options options = {0};
	struct rule_vars *vars = rule_vars_create();
	struct rule_report report;
	unsigned unknown;
	char reason[256];

	rule_report_init(&report);
	ruleset = ruleset_load(&source, 1, &options, &report);
	rule_report_print(&report, stderr);
	rule_report_free(&report);
	must(ruleset && vars);
	db = rule_compile(ruleset, NULL, reason, sizeof(reason));
	must(db != NULL);
	bound = rule_bind_create(ruleset, vars, NULL, 0, &unknown, reason, sizeof(reason));
	rule_vars_free(vars);
	for (unsigned i = 0; i < 2; i++) {
		engines[i] = detect_engine_create(db);
		must(engines[i] != NULL);
	}
	context = (struct detect_context){.bind = bound,
		.memory = inspect_memory_create(counts, 64),
		.account = &account,
		.xbits = rule_xbits_create(64),
		.counts = rule_counts_create(64),
		.now_s = 1,
		.found = on_found};
	must(bound && context.memory && context.xbits && context.counts);
	return 0;
}

/* cut: bytes a feed at the most. */
static void feed(
	struct detect_flow *flow, unsigned side, const uint8_t *bytes, size_t len, size_t cut)
{
	struct rule_packet packet = {.to_server = side == 0, .established = true, .flags = 0x10};

	for (size_t done = 0; done < len;) {
		size_t n = len - done < cut ? len - done : cut;
		uint8_t *exact = malloc(n);

		must(exact != NULL);
		memcpy(exact, bytes + done, n);
		packet.size = (uint32_t)n;
		detect_packet(flow, &context, side, &packet);
		detect_feed(flow, &context, side, exact, (uint32_t)n);
		free(exact);
		done += n;
	}
}

static void run(const uint8_t *data, size_t size, size_t cut, struct story *story)
{
	struct detect_ends ends = {.port = {50000, 445}};
	struct detect_flow *flow = malloc(sizeof(*flow));
	unsigned engine = 0;

	must(flow != NULL);
	memset(flow, 0xa5, sizeof(*flow));
	memset(story, 0, sizeof(*story));
	context.arg = story;
	context.engine = engines[0];
	detect_flow_init(
		flow, &ends, data[0] & (SMB_FLOW_PARTIAL | SMB_FLOW_NETBIOS), ~(detect_passes)0);
	for (size_t at = 1; at + 3 <= size;) {
		unsigned side = data[at] & 1;
		size_t len = data[at + 1] | (size_t)data[at + 2] << 8;

		if (data[at] & 2)
			detect_gap(flow, &context, side);
		if (data[at] & 4) {
			engine = !engine;
			context.engine = engines[engine];
			if (data[at] & 8)
				detect_flow_abandon(flow, &context);
		}
		at += 3;
		if (len > size - at)
			len = size - at;
		feed(flow, side, data + at, len, cut);
		at += len;
	}
	detect_flow_end(flow, &context);
	free(flow);
	must(account.used == 0);
	must(detect_engine_flows(engines[0]) == 0 && detect_engine_flows(engines[1]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct story whole, cut;

	if (size < 1 || size > 1u << 20)
		return 0;
	run(data, size, SIZE_MAX, &whole);
	run(data, size, 1, &cut);
	if (whole.failures == 0 && cut.failures == 0)
		must(whole.n == cut.n && whole.sum == cut.sum);
	return 0;
}
