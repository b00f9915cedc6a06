/*
 * Policies one after the other: what moves a port's epochs and what does not, and what is shared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oom_rig.h"
#include "policy_rig.h"

/* A tenant with two ports, and a neighbour; each %s is a place where a case changes something. */
static const char template[] =
	"networks: [{name: office, tenant: acme}, {name: %s, tenant: acme}, {name: lab, tenant: "
	"other}]\n"
	"tenants: [{name: acme, audit: %s}]\n"
	"groups:\n"
	"  - name: web\n"
	"    tenant: acme\n"
	"    rules:\n"
	"      - {direction: in, protocol: tcp, ports: %s, remote: {set: near}, action: allow}\n"
	"      - {direction: out, protocol: tcp, remote: {group: peers}, action: %s}\n"
	"%s"
	"  - {name: peers, tenant: acme, rules: [], addresses: [%s]}\n"
	"  - {name: web, tenant: other, rules: [{direction: in, protocol: tcp, ports: %s, "
	"action: allow}]}\n"
	"  - {name: peers, tenant: other, rules: []}\n"
	"sets:\n"
	"  - {name: near, tenant: acme, addresses: [%s]}\n"
	"  - {name: unused, tenant: acme, addresses: [%s]}\n"
	"  - {name: near, tenant: other, addresses: [%s]}\n"
	"ports:\n"
	"  - {name: %s, network: %s, mac: '02:00:00:00:00:01', kernel: {interface: a1}, ips: "
	"[10.0.0.1],\n"
	"     groups: [%s], default-in: %s, default-out: %s, trusted: %s}\n"
	"  - {name: p2, network: office, mac: '02:00:00:00:00:02', kernel: {interface: a2}, ips: "
	"[%s],\n"
	"     groups: [peers]}\n"
	"  - {name: q1, network: lab, mac: '02:00:00:00:00:03', kernel: {interface: b1}, ips: "
	"[10.0.0.1],\n"
	"     groups: [web, peers]}\n";

enum place {
	NETWORK2,
	AUDIT,
	IN_PORTS,
	OUT_ACTION,
	MORE_RULES,
	MEMBERS,
	OTHER_PORTS,
	NEAR,
	UNUSED,
	OTHER_NEAR,
	PORT,
	NETWORK,
	GROUPS,
	DEFAULT_IN,
	DEFAULT_OUT,
	TRUSTED,
	PEER_IPS,
	PLACES
};

static const char *const original[PLACES] = {"annex", "false", "80", "allow", "", "10.8.0.1", "80",
	"10.1.0.0/16, 10.4.0.0/16", "10.2.0.0/16", "10.1.0.0/16", "p1", "office", "web", "deny",
	"allow", "false", "10.0.0.2"};

/* The template with another text at a place; PLACES: none. */
static struct config *config_with(enum place place, const char *text)
{
	const char *t[PLACES];
	char yaml[4096];

	memcpy(t, original, sizeof(t));
	if (place < PLACES)
		t[place] = text;
	snprintf(yaml, sizeof(yaml), template, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8],
		t[9], t[10], t[11], t[12], t[13], t[14], t[15], t[16]);
	return rig_config(yaml);
}

#define MOVES_OUT 1u
#define MOVES_IN  2u

/* Which of the port's epochs differ. */
static unsigned moved(const struct policy_port *a, const struct policy_port *b)
{
	assert_true(a->epoch[POLICY_OUT] != 0 && b->epoch[POLICY_IN] != 0);
	return (a->epoch[POLICY_OUT] != b->epoch[POLICY_OUT] ? MOVES_OUT : 0) |
	       (a->epoch[POLICY_IN] != b->epoch[POLICY_IN] ? MOVES_IN : 0);
}

/* What each change moves at the port p1, and at p2; at the other tenant's nothing, but what is its
 * own. */
static const struct {
	enum place place;
	const char *text;
	unsigned p1, p2, q1;
} changes[] = {
	{PLACES, "", 0, 0, 0},
	{NETWORK2, "hall", 0, 0, 0},
	{IN_PORTS, "81", MOVES_IN, 0, 0},
	{OUT_ACTION, "deny", MOVES_OUT, 0, 0},
	{MORE_RULES, "      - {direction: in, protocol: udp, action: allow}\n", MOVES_IN, 0, 0},
	{MORE_RULES, "      - {direction: out, protocol: udp, action: deny}\n", MOVES_OUT, 0, 0},
	{MORE_RULES, "      - {direction: out, protocol: udp, action: deny, log: true}\n",
		MOVES_OUT, 0, 0},
	{NEAR, "10.1.0.0/16, 10.4.0.0/16, 10.3.0.1", MOVES_IN, 0, 0},
	{NEAR, "10.4.0.0/16, 10.1.0.0/16", 0, 0, 0},
	{UNUSED, "10.2.0.0/17", 0, 0, 0},
	{PEER_IPS, "10.0.0.9", MOVES_OUT, 0, 0},
	{MEMBERS, "", MOVES_OUT, 0, 0},
	{MEMBERS, "10.8.0.1, 'fd08::/64'", MOVES_OUT, 0, 0},
	{MEMBERS, "10.8.0.1, 10.0.0.2", 0, 0, 0},
	{GROUPS, "", MOVES_IN | MOVES_OUT, 0, 0},
	{GROUPS, "peers", MOVES_IN | MOVES_OUT, 0, 0},
	{GROUPS, "peers, web", MOVES_IN | MOVES_OUT, 0, 0},
	{DEFAULT_IN, "reject", MOVES_IN, 0, 0},
	{DEFAULT_OUT, "deny", MOVES_OUT, 0, 0},
	{TRUSTED, "true", MOVES_IN | MOVES_OUT, 0, 0},
	{AUDIT, "true", MOVES_IN | MOVES_OUT, MOVES_IN | MOVES_OUT, 0},
	{NETWORK, "annex", MOVES_IN | MOVES_OUT, 0, 0},
	{OTHER_PORTS, "81", 0, 0, MOVES_IN},
	{OTHER_NEAR, "10.9.0.0/16", 0, 0, 0},
};

static void test_epochs(void **state)
{
	struct config *before = config_with(PLACES, "");
	struct policy *first = rig_policy(before, NULL, NULL);

	(void)state;
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct config *after = config_with(changes[i].place, changes[i].text);
		struct policy *second = rig_policy(after, NULL, first);
		unsigned expected[] = {changes[i].p1, changes[i].p2, changes[i].q1}, sum = 0;

		for (unsigned p = 0; p < 3; p++) {
			unsigned is = moved(policy_port(first, p), policy_port(second, p));

			if (is != expected[p])
				fail_msg("change %u (%s), port %u: moved %u, not %u", i,
					changes[i].text, p, is, expected[p]);
			sum += (unsigned)__builtin_popcount(is);
		}
		assert_int_equal(policy_stats(second).epochs_moved, sum);
		policy_free(second);
		config_free(after);
	}
	policy_free(first);
	config_free(before);
}

/* A name that went and came back has epochs that nothing had. */
static void test_port_returns(void **state)
{
	struct config *with = config_with(PLACES, ""), *without = config_with(PORT, "p9");
	struct policy *a = rig_policy(with, NULL, NULL), *b = rig_policy(without, NULL, a);
	struct policy *c = rig_policy(with, NULL, b);

	(void)state;
	for (unsigned d = 0; d < POLICY_DIRECTIONS; d++) {
		assert_int_not_equal(
			rig_port(with, c, "p1")->epoch[d], rig_port(with, a, "p1")->epoch[d]);
		assert_int_not_equal(
			rig_port(with, c, "p1")->epoch[d], rig_port(without, b, "p9")->epoch[d]);
		assert_int_equal(
			rig_port(with, c, "p2")->epoch[d], rig_port(with, a, "p2")->epoch[d]);
	}
	policy_free(a);
	policy_free(b);
	policy_free(c);
	config_free(with);
	config_free(without);
}

/* What is equal is one, also when the policy that it was built for is gone. */
static void test_sharing(void **state)
{
	struct config *config = config_with(PLACES, ""), *other = config_with(IN_PORTS, "81");
	struct policy *a = rig_policy(config, NULL, NULL), *b = rig_policy(config, NULL, a);
	const struct policy_group *group = policy_port(a, 0)->groups[0];
	struct policy *c;

	(void)state;
	assert_int_equal(policy_stats(a).groups_built, 2);
	assert_int_equal(policy_stats(a).groups_kept, 2); /* without rules, nothing is built */
	assert_int_equal(policy_stats(a).sets_built, 2);
	assert_int_equal(policy_stats(b).groups_built, 0);
	assert_int_equal(policy_stats(b).sets_kept, 2);
	assert_int_equal(policy_stats(b).epochs_moved, 0);
	assert_ptr_equal(policy_port(b, 0)->groups[0], group);
	assert_ptr_equal(policy_port(b, 0)->tenant, policy_port(a, 0)->tenant);
	policy_free(a);
	c = rig_policy(other, NULL, b);
	policy_free(b);
	assert_int_equal(policy_stats(c).groups_built, 1);
	assert_int_equal(policy_stats(c).sets_built, 0);
	assert_string_equal(
		rig_decide(policy_port(c, 0), POLICY_IN, "10.1.0.1", "10.0.0.1", "tcp/81"),
		"allow rule 0.0");
	assert_string_equal(
		rig_decide(policy_port(c, 0), POLICY_OUT, "10.0.0.1", "10.0.0.2", "tcp/1"),
		"allow rule 0.1");
	assert_string_equal(
		rig_decide(policy_port(c, 2), POLICY_IN, "10.1.0.1", "10.0.0.1", "tcp/80"),
		"allow rule 0.0");
	policy_free(c);
	config_free(config);
	config_free(other);
}

/* A rule between others gives those behind it new numbers, which connections keep for display. */
static void test_rule_numbers(void **state)
{
	static const char head[] =
		"networks: [{name: n}]\n"
		"ports: [{name: p, network: n, kernel: {interface: a}, groups: [g]}]\n"
		"groups: [{name: g, tenant: n, rules: [";
	static const char *const rules[] = {
		"{direction: in, action: allow}, {direction: out, action: deny}",
		"{direction: in, action: deny}, {direction: out, action: deny}",
		"{direction: in, protocol: 6, action: deny}, {direction: in, action: deny}, "
		"{direction: out, action: deny}",
	};
	unsigned expected[] = {MOVES_IN | MOVES_OUT, MOVES_IN, MOVES_IN | MOVES_OUT};
	struct policy *before = NULL;
	unsigned last[2] = {0, 0};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		char yaml[1024];
		struct config *config;
		struct policy *policy;
		const uint32_t *epoch;

		snprintf(yaml, sizeof(yaml), "%s%s]}]\n", head, rules[i]);
		config = rig_config(yaml);
		policy = rig_policy(config, NULL, before);
		epoch = policy_port(policy, 0)->epoch;
		assert_int_equal((epoch[POLICY_IN] != last[0] ? MOVES_IN : 0) |
					 (epoch[POLICY_OUT] != last[1] ? MOVES_OUT : 0),
			expected[i]);
		last[0] = epoch[POLICY_IN];
		last[1] = epoch[POLICY_OUT];
		policy_free(before);
		before = policy;
		config_free(config);
	}
	assert_string_equal(
		rig_decide(policy_port(before, 0), POLICY_OUT, "1.1.1.1", "2.2.2.2", "6"),
		"deny rule 0.2");
	policy_free(before);
}

/* Blocks move the epochs of the ports and directions that they concern. */
static void test_block_epochs(void **state)
{
	static const struct {
		const char *from, *tenant, *port;
		enum block_direction direction;
		unsigned p1, p2, q1;
	} list[] = {
		{"any", "", "", BLOCK_BOTH, 3, 3, 3},
		{"any", "", "", BLOCK_IN, MOVES_IN, MOVES_IN, MOVES_IN},
		{"any", "acme", "", BLOCK_OUT, MOVES_OUT, MOVES_OUT, 0},
		{"any", "", "p1", BLOCK_BOTH, 3, 0, 0},
		{"any", "", "q1", BLOCK_IN, 0, 0, MOVES_IN},
		{"any", "acme", "q1", BLOCK_IN, 0, 0, 0},
		{"unused", "acme", "", BLOCK_BOTH, 3, 3, 0},
		{"gone", "acme", "", BLOCK_BOTH, 0, 0, 0},
		{"near", "", "p1", BLOCK_IN, MOVES_IN, 0, 0},
	};
	struct config *config = config_with(PLACES, "");
	struct rig_blocks b = {.blocks.n = 0};
	struct policy *before;

	(void)state;
	rig_block(&b, "tcp/1", "any", "any", "", "", BLOCK_BOTH);
	rig_block(&b, "tcp/2", "any", "any", "", "p2", BLOCK_BOTH);
	before = rig_policy(config, &b, NULL);
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		unsigned expected[] = {list[i].p1, list[i].p2, list[i].q1};
		struct policy *after, *lifted;

		rig_block(&b, "tcp/3", list[i].from, "any", list[i].tenant, list[i].port,
			list[i].direction);
		after = rig_policy(config, &b, before);
		b.blocks.n--;
		lifted = rig_policy(config, &b, after);
		for (unsigned p = 0; p < 3; p++) {
			unsigned on = moved(policy_port(before, p), policy_port(after, p));
			unsigned off = moved(policy_port(after, p), policy_port(lifted, p));

			if (on != expected[p] || off != expected[p])
				fail_msg("block %u, port %u: moved %u and back %u, not %u", i, p,
					on, off, expected[p]);
		}
		policy_free(before);
		policy_free(after);
		before = lifted;
	}
	policy_free(before);
	config_free(config);
}

/* What is in a block's set decides, and only where it is named. */
static void test_block_members(void **state)
{
	struct config *config = config_with(PLACES, ""),
		      *wider = config_with(UNUSED, "10.2.0.0/15");
	struct rig_blocks b = {.blocks.n = 0};
	struct policy *first, *second;

	(void)state;
	rig_block(&b, "any", "unused", "any", "acme", "", BLOCK_IN);
	first = rig_policy(config, &b, NULL);
	second = rig_policy(wider, &b, first);
	assert_int_equal(moved(policy_port(first, 0), policy_port(second, 0)), MOVES_IN);
	assert_int_equal(moved(policy_port(first, 2), policy_port(second, 2)), 0);
	assert_string_equal(
		rig_decide(policy_port(first, 0), POLICY_IN, "10.3.0.1", "10.0.0.1", "6"),
		"deny default");
	assert_string_equal(
		rig_decide(policy_port(second, 0), POLICY_IN, "10.3.0.1", "10.0.0.1", "6"),
		"deny block 100 log");
	policy_free(first);
	policy_free(second);
	config_free(config);
	config_free(wider);
}

/* The port's network has the rule that names the set; the set goes, with all that names it. */
static void test_vanished_name(void **state)
{
	static const char head[] = "networks: [{name: n}]\n"
				   "ports: [{name: p, network: n, kernel: {interface: a}}]\n";
	char yaml[512];
	struct config *config[3];
	struct policy *policy[3];
	struct config_report report;
	struct rig_blocks b = {.blocks.n = 0};

	(void)state;
	snprintf(yaml, sizeof(yaml), "%ssets: [{name: bad, tenant: n, addresses: [10.0.0.1]}]\n",
		head);
	config[0] = config[2] = rig_config(yaml);
	snprintf(yaml, sizeof(yaml), "%ssets: [{name: new, tenant: n, addresses: [10.0.0.1]}]\n",
		head);
	config[1] = rig_config(yaml);
	rig_block(&b, "any", "bad", "any", "n", "", BLOCK_BOTH);
	for (unsigned i = 0; i < 3; i++) {
		policy[i] = rig_policy_with(config[i], &b, i > 0 ? policy[i - 1] : NULL, &report);
		assert_int_equal(report.n_warnings, i == 1 ? 1 : 0);
		assert_string_equal(rig_decide(policy_port(policy[i], 0), POLICY_OUT, "10.0.0.1",
					    "10.0.0.2", "6"),
			i == 1 ? "allow default" : "deny block 100 log");
		if (i == 1)
			assert_non_null(strstr(report.messages[0].text, "bad of tenant n"));
	}
	assert_int_equal(moved(policy_port(policy[0], 0), policy_port(policy[1], 0)), 3);
	assert_int_equal(moved(policy_port(policy[1], 0), policy_port(policy[2], 0)), 3);
	for (unsigned i = 0; i < 3; i++)
		policy_free(policy[i]);
	config_free(config[0]);
	config_free(config[1]);
}

/* Ids of names that stay are kept while others come and go, so that groups are kept. */
static void test_set_ids(void **state)
{
	static const char *const sets[] = {"m", "a, m", "m, z", "b, m, z", "m"};
	struct policy *before = NULL;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		char yaml[2048], list[64], *save = NULL;
		struct config *config;
		struct policy *policy;
		int len = snprintf(yaml, sizeof(yaml),
			"networks: [{name: n}]\n"
			"ports: [{name: p, network: n, kernel: {interface: a}, groups: [g]}]\n"
			"groups: [{name: g, tenant: n, rules: [{direction: in, remote: {set: m}, "
			"action: allow}]}]\nsets:\n");

		snprintf(list, sizeof(list), "%s", sets[i]);
		for (char *s = strtok_r(list, ", ", &save); s != NULL;
			s = strtok_r(NULL, ", ", &save))
			len += snprintf(yaml + len, sizeof(yaml) - (size_t)len,
				"  - {name: %s, tenant: n, addresses: [%s]}\n", s,
				strcmp(s, "m") == 0 ? "10.0.0.1" : "10.0.0.2");
		config = rig_config(yaml);
		policy = rig_policy(config, NULL, before);
		assert_int_equal(policy_stats(policy).groups_built, i == 0 ? 1 : 0);
		assert_int_equal(policy_stats(policy).epochs_moved, i == 0 ? 2 : 0);
		assert_string_equal(
			rig_decide(policy_port(policy, 0), POLICY_IN, "10.0.0.1", "10.0.0.9", "6"),
			"allow rule 0.0");
		assert_string_equal(
			rig_decide(policy_port(policy, 0), POLICY_IN, "10.0.0.2", "10.0.0.9", "6"),
			"deny default");
		policy_free(before);
		before = policy;
		config_free(config);
	}
	policy_free(before);
}

/* Tenants keep the index of their quotas; a new one gets one that nobody had just now. */
static void test_tenant_indexes(void **state)
{
	static const char *const names[] = {"b", "a, b", "a, c", "c, d"};
	struct policy *before = NULL;
	unsigned index[128] = {0};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char yaml[512];
		struct config *config;
		struct policy *policy;
		unsigned b = 0;

		snprintf(yaml, sizeof(yaml),
			"networks: [{name: %c%s%c}]\n"
			"ports: [{name: p, network: %c, kernel: {interface: a}}, "
			"{name: q, network: %c, kernel: {interface: b}}]\n",
			names[i][0], names[i][1] != '\0' ? "}, {name: " : "",
			names[i][1] != '\0' ? names[i][3] : ' ', names[i][0],
			names[i][1] != '\0' ? names[i][3] : names[i][0]);
		config = rig_config(yaml);
		policy = rig_policy(config, NULL, before);
		for (unsigned p = 0; p < 2; p++) {
			const struct policy_tenant *tenant = policy_port(policy, p)->tenant;

			if (index[(int)tenant->name[0]] != 0)
				assert_int_equal(tenant->index + 1u, index[(int)tenant->name[0]]);
			index[(int)tenant->name[0]] = tenant->index + 1u;
			b |= 1u << tenant->index;
		}
		assert_int_equal(__builtin_popcount(b), names[i][1] != '\0' ? 2 : 1);
		policy_free(before);
		before = policy;
		config_free(config);
	}
	assert_int_not_equal(index['c'], index['b']);
	policy_free(before);
}

/* What oom_each() builds. */
static struct {
	struct config *config;
	struct rig_blocks blocks;
	struct policy *before;
} oom;

static void *make_policy(void)
{
	struct config_report report;
	struct policy *policy;

	config_report_init(&report);
	policy = policy_create(oom.config, &oom.blocks.blocks, oom.before, &report);
	assert_int_equal(report.n_errors, policy == NULL ? 1 : 0);
	return policy;
}

static void free_policy(void *policy)
{
	policy_free(policy);
}

/* Without memory there is no policy, nothing left over, and the one before is as it was. */
static void test_no_memory(void **state)
{
	struct config *config = config_with(PLACES, "");

	(void)state;
	memset(&oom, 0, sizeof(oom));
	oom.config = config;
	rig_block(&oom.blocks, "tcp/1", "any", "any", "", "", BLOCK_BOTH);
	rig_block(&oom.blocks, "tcp/2", "near", "any", "acme", "p1", BLOCK_IN);
	assert_true(oom_each(make_policy, free_policy) > 20);
	oom.before = make_policy();
	assert_true(oom_each(make_policy, free_policy) > 10);
	oom.config = config_with(
		MORE_RULES, "      - {direction: in, protocol: udp, action: allow}\n");
	rig_block(&oom.blocks, "tcp/3", "any", "peers", "", "", BLOCK_OUT);
	assert_true(oom_each(make_policy, free_policy) > 10);
	assert_string_equal(
		rig_decide(policy_port(oom.before, 0), POLICY_IN, "10.1.0.1", "10.0.0.1", "tcp/80"),
		"allow rule 0.0");
	assert_string_equal(
		rig_decide(policy_port(oom.before, 0), POLICY_IN, "10.1.0.1", "10.0.0.1", "tcp/2"),
		"deny block 101 log");
	policy_free(oom.before);
	config_free(oom.config);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_port_returns),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_rule_numbers),
		cmocka_unit_test(test_block_epochs),
		cmocka_unit_test(test_block_members),
		cmocka_unit_test(test_vanished_name),
		cmocka_unit_test(test_set_ids),
		cmocka_unit_test(test_tenant_indexes),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
