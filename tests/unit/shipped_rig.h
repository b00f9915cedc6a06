/*
 * The rules of a file at work on connections, by way of detect.h: which of them fire, what they ask
 * for, and of whom. Include behind cmocka.h.
 */
#ifndef SHIPPED_RIG_H
#define SHIPPED_RIG_H

#include <stdlib.h>
#include <string.h>

#include "detect.h"
#include "inspect_blocks.h"
#include "rule_report.h"
#include "ruleset.h"

#define SHIPPED_FIRST 9100000
#define SHIPPED_SIDS  100

static struct {
	struct ruleset *ruleset;
	struct rule_db *db;
	struct detect_engine *engine;
	struct rule_vars *vars;
	struct rule_bind *bind;
	struct inspect_memory *memory;
	struct inspect_account account;
	struct rule_counts *counts;
	struct rule_xbits *xbits;
} shipped;

/* Of rules: what fired since shipped_forget(), by sid - SHIPPED_FIRST. */
static struct {
	unsigned alerts[SHIPPED_SIDS];
	enum detect_action action[SHIPPED_SIDS]; /* the gravest */
	unsigned culprit[SHIPPED_SIDS]; /* of the last */
	unsigned failures; /* but for what is encrypted or compressed */
} fired;

static void shipped_found(void *arg, const struct detect_finding *finding)
{
	uint32_t n;

	if (finding->kind == DETECT_FAILURE && finding->failure != CONFIG_FAILURE_ENCRYPTED &&
		finding->failure != CONFIG_FAILURE_COMPRESSED)
		fired.failures++;
	if (finding->kind != DETECT_RULE || !finding->alert)
		return;
	n = finding->rule->sid - SHIPPED_FIRST;
	assert_true(n < SHIPPED_SIDS);
	fired.alerts[n]++;
	if (finding->action > fired.action[n])
		fired.action[n] = finding->action;
	fired.culprit[n] = finding->culprit;
}

static struct detect_context shipped_context(void)
{
	return (struct detect_context){
		.engine = shipped.engine,
		.bind = shipped.bind,
		.memory = shipped.memory,
		.account = &shipped.account,
		.xbits = shipped.xbits,
		.counts = shipped.counts,
		.now_s = 1,
		.flow = 1,
		.found = shipped_found,
	};
}

static void shipped_forget(void)
{
	memset(&fired, 0, sizeof(fired));
}

static int shipped_load(void **state)
{
	static const uint32_t counts[INSPECT_BLOCKS] = {8, 64, 64, 1};
	struct ruleset_source source = {.name = "rules/smb.rules"};
	struct ruleset_options options = {0};
	struct rule_report report;
	unsigned unknown;
	char why[256];

	rule_report_init(&report);
	shipped.ruleset = ruleset_load(&source, 1, &options, &report);
	if (shipped.ruleset == NULL)
		rule_report_print(&report, stdout);
	rule_report_free(&report);
	if (shipped.ruleset == NULL)
		return -1;
	shipped.db = rule_compile(shipped.ruleset, NULL, why, sizeof(why));
	shipped.vars = rule_vars_create();
	shipped.bind = rule_bind_create(
		shipped.ruleset, shipped.vars, NULL, 0, &unknown, why, sizeof(why));
	shipped.engine = detect_engine_create(shipped.db);
	shipped.memory = inspect_memory_create(counts, sizeof(struct detect_flow));
	shipped.account.max = UINT64_MAX;
	shipped.counts = rule_counts_create(1024);
	shipped.xbits = rule_xbits_create(1024);
	return shipped.bind != NULL && shipped.engine != NULL && shipped.memory != NULL ? 0 : -1;
}

static int shipped_unload(void **state)
{
	rule_xbits_free(shipped.xbits);
	rule_counts_free(shipped.counts);
	inspect_memory_free(shipped.memory);
	detect_engine_free(shipped.engine);
	rule_bind_free(shipped.bind);
	rule_vars_free(shipped.vars);
	rule_db_free(shipped.db);
	ruleset_free(shipped.ruleset);
	return 0;
}

static struct detect_flow *shipped_begin(const struct detect_ends *ends, unsigned flags)
{
	struct detect_flow *f = malloc(sizeof(*f));

	memset(f, 0xa5, sizeof(*f));
	/* As a switch that only watches: encrypted and what else cannot be inspected goes on. */
	detect_flow_init(f, ends, flags, ~(detect_passes)0);
	return f;
}

static void shipped_feed(struct detect_flow *f, unsigned side, const uint8_t *bytes, uint32_t len)
{
	struct detect_context context = shipped_context();
	struct rule_packet packet = {.to_server = side == 0,
		.established = true,
		.in_stream = true,
		.flags = 0x18,
		.size = len};
	uint8_t *exact = malloc(len > 0 ? len : 1);

	memcpy(exact, bytes, len);
	detect_packet(f, &context, side, &packet);
	detect_feed(f, &context, side, exact, len);
	free(exact);
}

static void shipped_end(struct detect_flow *f)
{
	struct detect_context context = shipped_context();

	detect_flow_end(f, &context);
	free(f);
}

#endif
