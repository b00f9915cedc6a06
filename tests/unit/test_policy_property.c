/*
 * Random configurations, each a change of the one before: what their policies decide is what the
 * rules say, read one by one, with source, group and rule. TEST_SEED=n repeats a run. Most packets
 * lie at or next to the bounds of some rule, set, pair or block. And a port whose epoch stays
 * decides as it did.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>

#include <cmocka.h>

#include "policy_naive.h"
#include "policy_random.h"
#include "policy_rig.h"

#define CONFIGS   3000
#define DECISIONS 32 /* for each */

/* One configuration with what came of it. */
struct stage {
	struct config *config;
	struct policy *policy;
	struct rig_blocks blocks;
};

static struct {
	unsigned decisions, epochs_kept, epochs_moved, kept_rules;
	unsigned sources[POLICY_BY_TRUST + 1], actions[CONFIG_REJECT + 1];
	unsigned remotes[CONFIG_REMOTE_SET + 1], families[2], directions[POLICY_DIRECTIONS];
	unsigned later_groups, later_rules, types, codes, ports, numbers;
	unsigned port_blocks, tenant_blocks, named_blocks, span_blocks, one_way_blocks;
} seen;

static struct config *decode(json_t *document)
{
	struct config_report report;
	struct config_doc *doc = config_doc_from_json("random", document);
	struct config *config;

	config_report_init(&report);
	config = config_decode(doc, &report);
	config_doc_free(doc);
	if (config == NULL) {
		config_report_print(&report, stderr);
		fail_msg("a configuration is refused");
	}
	return config;
}

static struct addr near(struct addr_span span)
{
	switch (below(5)) {
	case 0:
		return add(span.first, -1);
	case 1:
		return add(span.last, 1);
	case 2:
		return span.last;
	case 3:
		return add(span.first, below(3));
	default:
		return span.first;
	}
}

static struct addr near_member(const struct config *config)
{
	const struct config_port *port = &config->ports[below(config->n_ports)];
	unsigned i = below(4);

	if (port->n_pairs > 0 && one_in(2))
		return near(port->pairs[below(port->n_pairs)].span);
	if (i < port->n_ips)
		return near((struct addr_span){rig_addr(port->ips[i]), rig_addr(port->ips[i])});
	return any_addr(one_in(2));
}

static struct addr near_set(const struct config *config)
{
	const struct config_set *set = &config->sets[below(config->n_sets)];

	if (set->n_addresses == 0)
		return any_addr(one_in(2));
	return near(set->addresses[below(set->n_addresses)]);
}

/* a, where the block takes any. */
static struct addr near_end(const struct config *config, const struct block_end *end, struct addr a)
{
	if (end->kind == BLOCK_SPAN)
		return near(end->span);
	if (end->kind == BLOCK_NAMED)
		return end->name[0] == 's' ? near_set(config) : near_member(config);
	return a;
}

static struct addr near_remote(const struct config *config, const struct config_rule *rule)
{
	if (rule == NULL || rule->remote.kind == CONFIG_REMOTE_ANY || one_in(8))
		return any_addr(one_in(2));
	if (rule->remote.kind == CONFIG_REMOTE_SPAN)
		return near(rule->remote.span);
	return rule->remote.kind == CONFIG_REMOTE_SET ? near_set(config) : near_member(config);
}

/* Of a port's groups and, where chance allows, of the direction; or NULL. */
static const struct config_rule *aim(const struct config *config, const struct config_port *port,
	enum policy_direction direction)
{
	const struct config_rule *rule = NULL;
	const struct config_group *group;

	for (unsigned tries = 0; tries < 4 && port->n_groups > 0; tries++) {
		group = naive_group(
			config, naive_tenant(config, port), port->groups[below(port->n_groups)]);
		if (group->n_rules > 0)
			rule = &group->rules[below(group->n_rules)];
		if (rule != NULL && (rule->direction == CONFIG_OUT) == (direction == POLICY_OUT))
			break;
	}
	return rule;
}

static uint32_t near_service(const struct config_rule *rule)
{
	static const uint8_t protocols[] = {0, 1, 6, 17, 47, 58, 89, 132, 255};
	uint8_t proto = protocols[below(sizeof(protocols))];
	uint16_t port = (uint16_t)(one_in(2) ? 440 + below(16) : below(3) << 8 | below(3));

	if (rule == NULL || one_in(12))
		return service_key(proto, port);
	if (rule->protocol >= 0)
		proto = (uint8_t)rule->protocol;
	if (rule->n_ports > 0) {
		const struct config_ports *of = &rule->ports[below(rule->n_ports)];

		port = (uint16_t)(one_in(2) ? of->first - below(2) : of->last + below(2));
	} else if (rule->type >= 0) {
		port = (uint16_t)(rule->type << 8 | (rule->code >= 0 ? rule->code : (int)below(3)));
		port = (uint16_t)(port + (one_in(4) ? 1 : one_in(4) ? -1 : 0));
	}
	return service_key(proto, port);
}

static void make_dhcp(struct policy_query *query)
{
	static const uint16_t ports[] = {67, 68, 546, 547};

	query->source_port = ports[below(4)];
	query->service = service_key(one_in(8) ? 6 : 17, ports[below(4)]);
}

static void make_query(const struct stage *stage, const struct config_port *port,
	enum policy_direction direction, struct policy_query *query)
{
	const struct config_rule *rule = aim(stage->config, port, direction);
	const struct blocks *blocks = &stage->blocks.blocks;
	struct addr remote = near_remote(stage->config, rule), local;
	const struct block *block = NULL;

	do
		local = one_in(2) ? near_member(stage->config) : any_addr(one_in(2));
	while (addr_is_ipv4(local) != addr_is_ipv4(remote));
	*query = (struct policy_query){
		.service = near_service(rule),
		.source_port = 40000,
		.from = direction == POLICY_OUT ? local : remote,
		.to = direction == POLICY_OUT ? remote : local,
	};
	if (one_in(8))
		make_dhcp(query);
	if (blocks->n > 0 && one_in(3))
		block = &blocks->list[below(blocks->n)];
	if (block == NULL)
		return;
	query->service = one_in(4) ? block->service.last + below(2) : block->service.first;
	query->service &= 0xffffff;
	query->from = near_end(stage->config, &block->from, query->from);
	query->to = near_end(stage->config, &block->to, query->to);
	if (addr_is_ipv4(query->from) != addr_is_ipv4(query->to))
		query->from = query->to;
}

static void note_block(const struct block *block)
{
	seen.port_blocks += block->port[0] != '\0';
	seen.tenant_blocks += block->tenant[0] != '\0';
	seen.named_blocks += block->from.kind == BLOCK_NAMED || block->to.kind == BLOCK_NAMED;
	seen.span_blocks += block->from.kind == BLOCK_SPAN || block->to.kind == BLOCK_SPAN;
	seen.one_way_blocks += block->direction != BLOCK_BOTH;
}

static void note_rule(const struct config_rule *rule)
{
	seen.remotes[rule->remote.kind]++;
	seen.types += rule->type >= 0 && rule->code < 0;
	seen.codes += rule->code >= 0;
	seen.ports += rule->n_ports > 0;
	seen.numbers += rule->protocol >= 0 && rule->n_ports == 0 && rule->type < 0;
}

static void note(const struct stage *stage, const struct config_port *port,
	enum policy_direction direction, const struct policy_query *query,
	const struct policy_verdict *verdict)
{
	seen.decisions++;
	seen.sources[verdict->source]++;
	seen.actions[verdict->action]++;
	seen.families[addr_is_ipv4(query->to)]++;
	seen.directions[direction]++;
	if (verdict->source == POLICY_BY_BLOCK)
		note_block(&stage->blocks.list[verdict->block - stage->blocks.list[0].id]);
	if (verdict->source != POLICY_BY_RULE)
		return;
	seen.later_groups += verdict->group > 0;
	seen.later_rules += verdict->rule > 0;
	note_rule(&naive_group(
		stage->config, naive_tenant(stage->config, port), port->groups[verdict->group])
			   ->rules[verdict->rule]);
}

static const char *describe(const struct policy_verdict *v, char text[80])
{
	snprintf(text, 80, "action %u by source %u, group %u, rule %u, block %u%s", v->action,
		v->source, v->group, v->rule, v->block, v->log ? ", log" : "");
	return text;
}

static void explain_difference(const struct config_port *port, enum policy_direction direction,
	const struct policy_query *query, const struct policy_verdict *said,
	const struct policy_verdict *expected)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], a[80], b[80];

	addr_format(query->from, from);
	addr_format(query->to, to);
	print_error("port %s %s, %s to %s, service %06x, source port %u: %s, not %s\n", port->name,
		direction == POLICY_OUT ? "out" : "in", from, to, query->service,
		query->source_port, describe(said, a), describe(expected, b));
}

/* The policy's verdict, which must be the rules' own. */
static struct policy_verdict decide(const struct stage *stage, unsigned p,
	enum policy_direction direction, const struct policy_query *query)
{
	const struct config_port *port = &stage->config->ports[p];
	struct policy_verdict expected = naive_decide(
		stage->config, &stage->blocks.blocks, port, direction, query);
	struct policy_verdict verdict;

	memset(&verdict, 0xff, sizeof(verdict)); /* whatever was there before */
	policy_decide(policy_port(stage->policy, p), direction, query, &verdict);
	if (!naive_same(&verdict, &expected)) {
		explain_difference(port, direction, query, &verdict, &expected);
		fail_msg("the policy decides what the rules do not say");
	}
	return verdict;
}

/* The policy before still decides as it did; where the epoch stayed, so does the new one. */
static void check_before(const struct stage *before, const struct stage *now, unsigned p,
	enum policy_direction direction, const struct policy_query *query,
	const struct policy_verdict *verdict)
{
	const struct config_port *port = &now->config->ports[p];
	struct policy_verdict old;

	for (unsigned i = 0; i < before->config->n_ports; i++) {
		if (strcmp(before->config->ports[i].name, port->name) != 0)
			continue;
		old = decide(before, i, direction, query);
		if (policy_port(before->policy, i)->epoch[direction] !=
			policy_port(now->policy, p)->epoch[direction]) {
			seen.epochs_moved++;
			return;
		}
		seen.epochs_kept++;
		seen.kept_rules += verdict->source == POLICY_BY_RULE;
		if (naive_same(&old, verdict))
			return;
		explain_difference(port, direction, query, verdict, &old);
		fail_msg("the policy decides otherwise, and the epoch has not moved");
	}
}

static void check_packet(const struct stage *before, const struct stage *now)
{
	unsigned p = below(now->config->n_ports);
	enum policy_direction direction = one_in(2) ? POLICY_OUT : POLICY_IN;
	const struct config_port *port = &now->config->ports[p];
	struct policy_verdict verdict;
	struct policy_query query;

	make_query(now, port, direction, &query);
	verdict = decide(now, p, direction, &query);
	note(now, port, direction, &query, &verdict);
	if (before->policy != NULL)
		check_before(before, now, p, direction, &query, &verdict);
}

static void stage_free(struct stage *stage)
{
	policy_free(stage->policy);
	config_free(stage->config);
	stage->policy = NULL;
	stage->config = NULL;
}

/* Built again out of the same, nothing moves. */
static void check_same(const struct stage *stage)
{
	struct policy *again = rig_policy(stage->config, &stage->blocks, stage->policy);

	assert_int_equal(policy_stats(again).epochs_moved, 0);
	assert_int_equal(policy_stats(again).groups_built, 0);
	policy_free(again);
}

static void assert_seen(void)
{
	printf("%u decisions: %u by default, %u by rule (%u any, %u span, %u group, %u set), %u by "
	       "block, %u allowances, %u trusted; %u under a kept epoch, %u under a moved one\n",
		seen.decisions, seen.sources[POLICY_BY_DEFAULT], seen.sources[POLICY_BY_RULE],
		seen.remotes[CONFIG_REMOTE_ANY], seen.remotes[CONFIG_REMOTE_SPAN],
		seen.remotes[CONFIG_REMOTE_GROUP], seen.remotes[CONFIG_REMOTE_SET],
		seen.sources[POLICY_BY_BLOCK], seen.sources[POLICY_BY_ALLOWANCE],
		seen.sources[POLICY_BY_TRUST], seen.epochs_kept, seen.epochs_moved);
	assert_true(seen.decisions >= 20000);
	for (unsigned i = 0; i <= POLICY_BY_TRUST; i++)
		assert_true(seen.sources[i] > 100);
	for (unsigned i = 0; i <= CONFIG_REJECT; i++)
		assert_true(seen.actions[i] > 1000);
	for (unsigned i = 0; i <= CONFIG_REMOTE_SET; i++)
		assert_true(seen.remotes[i] > 300);
	for (unsigned i = 0; i < 2; i++)
		assert_true(seen.families[i] > 1000 && seen.directions[i] > 1000);
	assert_true(seen.later_groups > 1000 && seen.later_rules > 1000);
	assert_true(seen.types > 100 && seen.codes > 100 && seen.ports > 100 && seen.numbers > 100);
	assert_true(seen.port_blocks > 100 && seen.tenant_blocks > 100);
	assert_true(seen.named_blocks > 100 && seen.span_blocks > 100);
	assert_true(seen.one_way_blocks > 100);
	assert_true(seen.epochs_kept > 1000 && seen.epochs_moved > 1000 && seen.kept_rules > 1000);
}

static void test_against_naive(void **state)
{
	const char *seed = getenv("TEST_SEED");
	struct stage before = {.policy = NULL};
	static struct stage now;
	json_t *document;

	(void)state;
	assert_int_equal(getrandom(&random_state, sizeof(random_state), 0), sizeof(random_state));
	if (seed != NULL)
		random_state = strtoull(seed, NULL, 0);
	printf("TEST_SEED=%llu\n", (unsigned long long)random_state);
	document = any_document();
	for (unsigned i = 0; i < CONFIGS; i++) {
		if (one_in(4)) { /* another one altogether; now and then as the first of all */
			json_decref(document);
			document = any_document();
			if (one_in(2))
				stage_free(&before);
		} else {
			change(document);
		}
		change_blocks(&now.blocks, &before.blocks);
		now.config = decode(document);
		now.policy = rig_policy(now.config, &now.blocks, before.policy);
		for (unsigned p = 0; p < DECISIONS; p++)
			check_packet(&before, &now);
		check_same(&now);
		stage_free(&before);
		before = now;
		before.blocks.blocks.list = before.blocks.list;
	}
	stage_free(&before);
	json_decref(document);
	assert_seen();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
