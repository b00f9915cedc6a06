/*
 * For tests of policy: configurations out of YAML, policies of them, and decisions in one line.
 * Include it behind cmocka.h.
 */
#ifndef VS_POLICY_RIG_H
#define VS_POLICY_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block_json.h"
#include "config.h"
#include "policy_build.h"

/* The configuration in text; fails where it has errors. */
static inline struct config *rig_config(const char *text)
{
	struct config_report report;
	struct config_doc *doc;
	struct config *config;

	config_report_init(&report);
	doc = config_doc_from_yaml("test.yaml", text, strlen(text), &report);
	config = doc == NULL ? NULL : config_decode(doc, &report);
	config_doc_free(doc);
	if (config == NULL) {
		config_report_print(&report, stderr);
		fail_msg("the configuration is refused");
	}
	return config;
}

/* Blocks of a test. */
struct rig_blocks {
	struct block list[32];
	struct blocks blocks;
};

/* Adds one: ends as text, tenant and port may be "". Returns it. */
static inline struct block *rig_block(struct rig_blocks *b, const char *service, const char *from,
	const char *to, const char *tenant, const char *port, enum block_direction direction)
{
	struct block *block = &b->list[b->blocks.n];

	memset(block, 0, sizeof(*block));
	block->id = 100 + b->blocks.n++;
	block->direction = direction;
	block->since = 1;
	assert_true(service_parse(service, &block->service));
	service_format(block->service, block->service_text);
	assert_true(block_end_parse(from, &block->from));
	assert_true(block_end_parse(to, &block->to));
	strcpy(block->tenant, tenant);
	strcpy(block->port, port);
	b->blocks.list = b->list;
	b->blocks.version++;
	return block;
}

/* The policy of config; fails where there is none. blocks may be NULL. Warnings go to report. */
static inline struct policy *rig_policy_with(const struct config *config,
	const struct rig_blocks *blocks, const struct policy *before, struct config_report *report)
{
	static const struct blocks none;
	struct policy *policy;

	config_report_init(report);
	policy = policy_create(config, blocks == NULL ? &none : &blocks->blocks, before, report);
	if (policy == NULL) {
		config_report_print(report, stderr);
		fail_msg("no policy");
	}
	assert_int_equal(report->n_errors, 0);
	return policy;
}

static inline struct policy *rig_policy(
	const struct config *config, const struct rig_blocks *blocks, const struct policy *before)
{
	struct config_report report;

	return rig_policy_with(config, blocks, before, &report);
}

static inline const struct policy_port *rig_port(
	const struct config *config, const struct policy *policy, const char *name)
{
	for (unsigned i = 0; i < config->n_ports; i++) {
		if (strcmp(config->ports[i].name, name) == 0)
			return policy_port(policy, i);
	}
	fail_msg("no port %s", name);
	return NULL;
}

static inline struct addr rig_addr(const char *text)
{
	struct addr_span span;

	assert_true(addr_span_parse(text, &span));
	return span.first;
}

/* The verdict as text: "allow rule 0.1" (group.rule), "deny default", "deny block 100", "allow
 * trust", "allow allowance"; with " log" behind it. */
static inline const char *rig_decide_from(const struct policy_port *port,
	enum policy_direction direction, const char *from, unsigned source_port, const char *to,
	const char *service)
{
	static const char *const actions[] = {
		[CONFIG_ALLOW] = "allow", [CONFIG_DENY] = "deny", [CONFIG_REJECT] = "reject"};
	static char text[64];
	struct policy_query query = {
		.source_port = (uint16_t)source_port, .from = rig_addr(from), .to = rig_addr(to)};
	struct policy_verdict verdict;
	struct service_span span;
	char by[32];

	assert_true(service_parse(service, &span));
	query.service = span.first;
	policy_decide(port, direction, &query, &verdict);
	switch (verdict.source) {
	case POLICY_BY_RULE:
		snprintf(by, sizeof(by), "rule %u.%u", verdict.group, verdict.rule);
		break;
	case POLICY_BY_BLOCK:
		snprintf(by, sizeof(by), "block %u", verdict.block);
		break;
	default:
		snprintf(by, sizeof(by), "%s",
			verdict.source == POLICY_BY_DEFAULT ? "default"
			: verdict.source == POLICY_BY_TRUST ? "trust"
							    : "allowance");
	}
	snprintf(text, sizeof(text), "%s %s%s", actions[verdict.action], by,
		verdict.log ? " log" : "");
	return text;
}

static inline const char *rig_decide(const struct policy_port *port,
	enum policy_direction direction, const char *from, const char *to, const char *service)
{
	return rig_decide_from(port, direction, from, 40000, to, service);
}

#endif
