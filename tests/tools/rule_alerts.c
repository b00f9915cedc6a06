/*
 * rule_alerts RULES-FILE CAPTURE: what detect finds by these rules in a capture's connections, by
 * itself, without a switch around it: a line an alert, the client's address and the sid.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPTURE_FLOWS 16384

#include "detect.h"
#include "inspect_blocks.h"
#include "ruleset.h"
#include "unit/smb_capture.h"

#define COUNTS 65536

static struct ruleset *ruleset;
static struct rule_db *db;
static struct rule_vars *vars;
static struct rule_bind *bound;
static struct detect_context context;
static struct inspect_account account = {.max = UINT64_MAX};

/* As capture_ip() puts it: IPv4 in the first four bytes of sixteen. */
static struct addr end_of(const struct capture_flow *f, unsigned side)
{
	static const uint8_t none[12];
	const uint8_t *p = f->key + 16 * side;

	return memcmp(p + 4, none, sizeof(none)) == 0 ? addr_from_ipv4(p) : addr_from_ipv6(p);
}

static void found(void *arg, const struct detect_finding *finding)
{
	const struct capture_flow *const *at = arg;
	char client[ADDR_TEXT_MAX];

	if (finding->kind == DETECT_FAILURE && finding->failure != CONFIG_FAILURE_ENCRYPTED &&
		finding->failure != CONFIG_FAILURE_COMPRESSED)
		fprintf(stderr, "failure %d\n", finding->failure);
	if (finding->kind != DETECT_RULE || !finding->alert)
		return;
	addr_format(end_of(*at, 0), client);
	printf("%s %u\n", client, finding->rule->sid);
}

static void begin(void *arg, struct capture_flow *f)
{
	struct detect_ends ends = {{end_of(f, 0), end_of(f, 1)},
		{(uint16_t)be16(f->key + 32), (uint16_t)be16(f->key + 34)}};

	f->user = malloc(sizeof(struct detect_flow));
	detect_flow_init(f->user, &ends, f->flags, ~(detect_passes)0);
}

static void bytes(void *arg, struct capture_flow *f, unsigned side, const uint8_t *p, uint32_t len)
{
	struct rule_packet packet = {.to_server = side == 0,
		.established = true,
		.in_stream = true,
		.flags = 0x18,
		.size = len};

	*(const struct capture_flow **)arg = f;
	context.flow = f->number;
	detect_packet(f->user, &context, side, &packet);
	detect_feed(f->user, &context, side, p, len);
}

static void gap(void *arg, struct capture_flow *f, unsigned side)
{
	detect_gap(f->user, &context, side);
}

static void end(void *arg, struct capture_flow *f)
{
	*(const struct capture_flow **)arg = f;
	detect_flow_end(f->user, &context);
	free(f->user);
}

static bool load(const char *path)
{
	static const uint32_t blocks[INSPECT_BLOCKS] = {1, 65536, 65536, 1};
	struct ruleset_source source = {.name = path};
	struct ruleset_options options = {0};
	struct rule_report report;
	unsigned unknown;
	char why[512] = "out of memory";

	rule_report_init(&report);
	ruleset = ruleset_load(&source, 1, &options, &report);
	if (ruleset == NULL)
		rule_report_print(&report, stderr);
	rule_report_free(&report);
	if (ruleset == NULL)
		return false;
	db = rule_compile(ruleset, NULL, why, sizeof(why));
	vars = rule_vars_create();
	if (db != NULL)
		bound = rule_bind_create(ruleset, vars, NULL, 0, &unknown, why, sizeof(why));
	if (bound == NULL) {
		fprintf(stderr, "%s: %s\n", path, why);
		return false;
	}
	context = (struct detect_context){.engine = detect_engine_create(db),
		.bind = bound,
		.memory = inspect_memory_create(blocks, sizeof(struct detect_flow)),
		.account = &account,
		.xbits = rule_xbits_create(COUNTS),
		.counts = rule_counts_create(COUNTS),
		.now_s = 1,
		.found = found};
	return context.engine != NULL && context.memory != NULL && context.xbits != NULL &&
	       context.counts != NULL;
}

static void unload(void)
{
	rule_counts_free(context.counts);
	rule_xbits_free(context.xbits);
	inspect_memory_free(context.memory);
	detect_engine_free(context.engine);
	rule_bind_free(bound);
	rule_vars_free(vars);
	rule_db_free(db);
	ruleset_free(ruleset);
}

int main(int argc, char **argv)
{
	static const struct capture_sink sink = {begin, bytes, gap, end};
	const struct capture_flow *at = NULL;
	struct capture capture = {.sink = &sink, .arg = &at};
	bool read;

	if (argc != 3) {
		fprintf(stderr, "usage: rule_alerts RULES-FILE CAPTURE\n");
		return 2;
	}
	if (!load(argv[1]))
		return 1;
	context.arg = &at;
	read = capture_read(&capture, argv[2]);
	unload();
	if (!read)
		fprintf(stderr, "%s cannot be read\n", argv[2]);
	return read ? 0 : 1;
}
