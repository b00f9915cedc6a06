/*
 * Fuzzes the policy compiler: the input is a configuration as YAML, the one that it is changed to,
 * and bytes for emergency blocks and packets, with a NUL behind each YAML. What the policies decide
 * must be what a naive matcher reads off the rules, and a port whose epoch stayed must decide as it
 * did.
 *
 * libFuzzer target; its corpus is two small configurations each, the second of which may be empty:
 * then it is the first.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decision.h"
#include "policy_build.h"
#include "unit/policy_naive.h"

#define BLOCKS_USED 3
#define PACKETS     48

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t left;
};

/* One configuration with what came of it. */
struct stage {
	struct config *config;
	struct policy *policy;
	struct blocks blocks;
	struct block list[BLOCKS_USED];
};

static struct config_report report;

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	config_report_print(&report, stderr);
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Zeroes where the input has ended. */
static uint8_t take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->data++;
}

static uint16_t take16(struct input *in)
{
	uint16_t high = take(in);

	return (uint16_t)(high << 8 | take(in));
}

/* Up to the NUL, or all that is left. NULL: refused. */
static struct config *take_config(struct input *in)
{
	const uint8_t *end = in->left > 0 ? memchr(in->data, '\0', in->left) : NULL;
	size_t len = end != NULL ? (size_t)(end - in->data) : in->left;
	struct config *config = NULL;
	struct config_doc *doc;

	config_report_init(&report);
	doc = len > 0 ? config_doc_from_yaml("fuzz", (const char *)in->data, len, &report) : NULL;
	if (doc != NULL)
		config = config_decode(doc, &report);
	config_doc_free(doc);
	in->data += len + (end != NULL);
	in->left -= len + (end != NULL);
	return config;
}

/* Some span that the configuration speaks of: of a rule, a set or a port. */
static bool take_known(
	struct input *in, const struct config *config, uint8_t kind, struct addr_span *span)
{
	uint8_t i = take(in), j = take(in);

	switch (kind & 3) {
	case 0:
		if (config->n_groups == 0 || config->groups[i % config->n_groups].n_rules == 0)
			return false;
		i = (uint8_t)(i % config->n_groups);
		j = (uint8_t)(j % config->groups[i].n_rules);
		*span = config->groups[i].rules[j].remote.span;
		return config->groups[i].rules[j].remote.kind == CONFIG_REMOTE_SPAN;
	case 1:
		if (config->n_sets == 0 || config->sets[i % config->n_sets].n_addresses == 0)
			return false;
		i = (uint8_t)(i % config->n_sets);
		*span = config->sets[i].addresses[j % config->sets[i].n_addresses];
		return true;
	case 2:
		i = (uint8_t)(i % config->n_ports);
		return config->ports[i].n_ips > 0 &&
		       addr_span_parse(config->ports[i].ips[j % config->ports[i].n_ips], span);
	default:
		i = (uint8_t)(i % config->n_ports);
		if (config->ports[i].n_pairs > 0)
			*span = config->ports[i].pairs[j % config->ports[i].n_pairs].span;
		return config->ports[i].n_pairs > 0;
	}
}

/* At or next to a bound of such a span, or any address. */
static struct addr take_addr(struct input *in, const struct config *config)
{
	uint8_t kind = take(in);
	struct addr_span span;
	struct addr a;

	if (kind < 32 || !take_known(in, config, kind, &span)) {
		a = (struct addr){0, ADDR_V4_PREFIX | (uint32_t)take16(in) << 16};
		if ((kind & 1) != 0)
			a = (struct addr){(uint64_t)take16(in) << 48, 0};
		a.low |= take16(in);
		return a;
	}
	a = (kind & 4) != 0 ? span.last : span.first;
	if ((kind & 8) != 0) {
		a.low += (kind & 4) != 0 ? 1 : UINT64_MAX;
		if ((kind & 4) != 0 ? a.low == 0 : a.low == UINT64_MAX)
			a.high += (kind & 4) != 0 ? 1 : UINT64_MAX;
	}
	return a;
}

/* At or next to the bounds of a rule's services, or any. */
static uint32_t take_service(struct input *in, const struct config *config)
{
	uint8_t kind = take(in), i = take(in), j = take(in);
	const struct config_group *group;
	const struct config_rule *rule;
	int port;

	if (kind < 64 || config->n_groups == 0)
		return service_key(kind, (uint16_t)(i << 8 | j));
	group = &config->groups[i % config->n_groups];
	if (group->n_rules == 0)
		return service_key(17, (uint16_t)(i << 8 | j));
	rule = &group->rules[j % group->n_rules];
	port = rule->type >= 0 ? rule->type << 8 | (rule->code >= 0 ? rule->code : kind) : 0;
	if (rule->n_ports > 0)
		port = (kind & 1) != 0 ? rule->ports[kind % rule->n_ports].last
				       : rule->ports[kind % rule->n_ports].first;
	if ((kind & 2) != 0)
		port += (kind & 1) != 0 ? 1 : -1;
	return service_key(rule->protocol >= 0 ? (uint8_t)rule->protocol : kind, (uint16_t)port);
}

static void take_end(struct input *in, const struct config *config, struct block_end *end)
{
	uint8_t kind = take(in), i = take(in);

	end->kind = BLOCK_ANY;
	if (kind % 3 == 1 && take_known(in, config, kind >> 2, &end->span)) {
		end->kind = BLOCK_SPAN;
	} else if (kind % 3 == 2) {
		end->kind = BLOCK_NAMED; /* a name that there may not be */
		strcpy(end->name, "nobody");
		if ((kind & 4) != 0 && config->n_groups > 0)
			strcpy(end->name, config->groups[i % config->n_groups].name);
		else if ((kind & 8) != 0 && config->n_sets > 0)
			strcpy(end->name, config->sets[i % config->n_sets].name);
	}
}

static void take_block(struct input *in, const struct config *config, struct block *block)
{
	uint8_t scope = take(in), i = take(in);

	block->service.first = take_service(in, config);
	block->service.last = block->service.first | ((scope & 4) != 0 ? take16(in) : 0);
	if ((scope & 8) != 0)
		block->service = SERVICE_ANY;
	take_end(in, config, &block->from);
	take_end(in, config, &block->to);
	block->direction = scope % 3;
	if ((scope & 16) != 0)
		strcpy(block->tenant, config->networks[i % config->n_networks].tenant);
	if ((scope & 32) != 0)
		strcpy(block->port, config->ports[i % config->n_ports].name);
}

static void take_blocks(struct input *in, struct stage *stage)
{
	stage->blocks.list = stage->list;
	stage->blocks.n = take(in) % (BLOCKS_USED + 1);
	for (unsigned i = 0; i < stage->blocks.n; i++) {
		stage->list[i].id = i + 1;
		take_block(in, stage->config, &stage->list[i]);
	}
}

/* False where a limit forbids it. */
static bool compile(struct stage *stage, const struct policy *before)
{
	config_report_init(&report);
	stage->policy = policy_create(stage->config, &stage->blocks, before, &report);
	must((stage->policy == NULL) == (report.n_errors > 0), "no policy and no reason, or both");
	return stage->policy != NULL;
}

/* Built again out of the same, nothing moves. */
static void check_same(const struct stage *stage)
{
	struct stage again = *stage;

	must(compile(&again, stage->policy), "what was compiled is refused");
	must(policy_stats(again.policy).epochs_moved == 0, "an epoch moved, and nothing changed");
	policy_free(again.policy);
}

/* Both ends of one family, as a packet's are. */
static void take_query(struct input *in, const struct config *config, struct policy_query *query)
{
	uint8_t kind;

	query->from = take_addr(in, config);
	query->to = take_addr(in, config);
	if (addr_is_ipv4(query->from) != addr_is_ipv4(query->to))
		query->to = query->from;
	kind = take(in);
	query->source_port = 40000;
	query->service = take_service(in, config);
	if (kind < 32) {
		static const uint16_t dhcp[] = {67, 68, 546, 547};

		query->source_port = dhcp[kind & 3];
		query->service = service_key(17, dhcp[kind >> 2 & 3]);
	}
}

static struct policy_verdict decide(const struct stage *stage, unsigned port,
	enum policy_direction direction, const struct policy_query *query)
{
	struct policy_verdict verdict, expected = naive_decide(stage->config, &stage->blocks,
					       &stage->config->ports[port], direction, query);

	policy_decide(policy_port(stage->policy, port), direction, query, &verdict);
	must(naive_same(&verdict, &expected), "a verdict that the rules do not give");
	return verdict;
}

static bool denies(const struct stage *stage, unsigned port, const struct policy_verdict *verdict)
{
	return verdict->action != CONFIG_ALLOW &&
	       (verdict->source == POLICY_BY_BLOCK ||
		       !policy_port(stage->policy, port)->tenant->audit);
}

/* The two sides' verdicts, and what both say together. */
static void check_packet(struct input *in, const struct stage *stage, struct policy_query *query)
{
	unsigned from = take(in) % stage->config->n_ports, to = take(in) % stage->config->n_ports;
	struct policy_verdict out, into;
	struct decision d;
	bool out_denies, denied;

	take_query(in, stage->config, query);
	out = decide(stage, from, POLICY_OUT, query);
	into = decide(stage, to, POLICY_IN, query);
	decision_make(policy_port(stage->policy, from), policy_port(stage->policy, to), query, &d);
	out_denies = denies(stage, from, &out);
	denied = out_denies || denies(stage, to, &into);
	must((d.reason >= 0) == denied, "a connection that one side denies, or that none does");
	must(d.complete == !out_denies, "the receiver is asked if the sender allows, only");
	must(naive_same(&d.verdicts[POLICY_OUT], &out), "another verdict of the sender's");
	must(out_denies || naive_same(&d.verdicts[POLICY_IN], &into), "another of the receiver's");
	if (denied)
		must(d.by == (out_denies ? POLICY_OUT : POLICY_IN), "denied by the wrong side");
}

/* The policy before still decides as it did; where the epoch stayed, so does the new one. */
static void check_before(
	const struct stage *before, const struct stage *now, const struct policy_query *query)
{
	for (unsigned p = 0; p < now->config->n_ports && p < before->config->n_ports; p++) {
		if (strcmp(now->config->ports[p].name, before->config->ports[p].name) != 0)
			continue;
		for (unsigned d = 0; d < POLICY_DIRECTIONS; d++) {
			struct policy_verdict old = decide(before, p, d, query);
			struct policy_verdict new = decide(now, p, d, query);

			must(policy_port(before->policy, p)->epoch[d] !=
						policy_port(now->policy, p)->epoch[d] ||
					naive_same(&old, &new),
				"decided otherwise, and the epoch has not moved");
		}
	}
}

static void check_packets(struct input *in, const struct stage *before, const struct stage *now)
{
	struct policy_query query;

	for (unsigned i = 0; i < PACKETS && in->left > 0; i++) {
		check_packet(in, now, &query);
		check_before(before, now, &query);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct stage first = {.config = take_config(&in)}, second = {.config = NULL};

	if (first.config == NULL || first.config->n_ports == 0)
		goto out;
	second.config = take_config(&in);
	if (second.config == NULL)
		second.config = config_share(first.config);
	if (second.config->n_ports == 0)
		goto out;
	take_blocks(&in, &first);
	take_blocks(&in, &second);
	if (compile(&first, NULL) && compile(&second, first.policy)) {
		check_same(&second);
		check_packets(&in, &first, &second);
	}
out:
	policy_free(first.policy);
	policy_free(second.policy);
	config_free(first.config);
	config_free(second.config);
	return 0;
}
