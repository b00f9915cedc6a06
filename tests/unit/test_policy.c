/*
 * Decisions: both directions, the order of everything, every kind of rule, and blocks by every
 * scope. Configurations are in YAML, as operators write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy_rig.h"

static const char office[] =
	"networks:\n"
	"  - {name: office, tenant: acme}\n"
	"  - {name: lab, tenant: other}\n"
	"groups:\n"
	"  - name: desktops\n"
	"    tenant: acme\n"
	"    rules:\n"
	"      - {direction: in, protocol: tcp, ports: [22, 8000-8010], remote: 10.0.0.0/24,\n"
	"         action: allow}\n"
	"      - {direction: in, protocol: tcp, ports: 445, remote: {group: servers}, log: true,\n"
	"         action: allow}\n"
	"      - {direction: out, protocol: tcp, ports: 445, remote: {set: files},\n"
	"         action: allow}\n"
	"      - {direction: out, protocol: tcp, ports: 445, action: reject}\n"
	"      - {direction: in, protocol: icmp, type: 8, action: allow}\n"
	"      - {direction: in, protocol: icmp, type: 3, code: 4, action: allow}\n"
	"      - {direction: in, protocol: icmpv6, type: 128, action: allow}\n"
	"      - {direction: in, protocol: 47, family: ipv6, action: allow}\n"
	"      - {direction: in, family: ipv6, protocol: udp, ports: 53, remote: {set: files},\n"
	"         action: allow}\n"
	"      - {direction: in, protocol: sctp, ports: 5000, remote: '::/0', action: allow}\n"
	"  - name: strict\n"
	"    tenant: acme\n"
	"    rules:\n"
	"      - {direction: in, protocol: tcp, ports: 22, action: deny}\n"
	"      - {direction: in, protocol: tcp, ports: 8080, action: allow}\n"
	"  - {name: servers, tenant: acme, rules: []}\n"
	"  - name: all4\n"
	"    tenant: acme\n"
	"    rules:\n"
	"      - {direction: in, family: ipv4, action: allow}\n"
	"      - {direction: out, action: deny}\n"
	"sets:\n"
	"  - {name: files, tenant: acme, addresses: [10.9.0.0/16, 'fd09::/64']}\n"
	"  - {name: theirs, tenant: other, addresses: [10.0.0.7]}\n"
	"ports:\n"
	"  - {name: vm1, network: office, kernel: {interface: a1}, mac: '02:00:00:00:00:01',\n"
	"     ips: [10.0.0.1, 'fd00::1'], groups: [desktops, strict]}\n"
	"  - {name: vm2, network: office, kernel: {interface: a2}, mac: '02:00:00:00:00:02',\n"
	"     ips: [10.0.0.2], groups: [strict, desktops]}\n"
	"  - {name: srv, network: office, kernel: {interface: a3}, mac: '02:00:00:00:00:03',\n"
	"     ips: [10.5.0.3], groups: [servers],\n"
	"     pairs: [{ip: 10.6.0.0/24}, {ip: 0.0.0.0/0}, {ip: 'fd06::6'}, {ip: '::/0'}]}\n"
	"  - {name: gw, network: office, kernel: {interface: a4}, trusted: true, groups: "
	"[servers],\n"
	"     ips: [10.5.0.254]}\n"
	"  - {name: open, network: office, kernel: {interface: a5}, default-in: allow,\n"
	"     default-out: reject, mac: '02:00:00:00:00:05', ips: [10.0.0.5]}\n"
	"  - {name: four, network: office, kernel: {interface: a6}, groups: [all4],\n"
	"     mac: '02:00:00:00:00:06', ips: [10.0.0.6]}\n"
	"  - {name: alien, network: lab, kernel: {interface: b1}, mac: '02:00:00:00:00:07',\n"
	"     ips: [10.0.0.7], default-in: allow}\n";

static struct config *config;

static int setup(void **state)
{
	(void)state;
	config = rig_config(office);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	config_free(config);
	return 0;
}

struct expectation {
	const char *port;
	enum policy_direction direction;
	const char *from, *to, *service, *verdict;
};

static void assert_all(const struct policy *policy, const struct expectation *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct expectation *e = &list[i];
		const char *verdict = rig_decide(rig_port(config, policy, e->port), e->direction,
			e->from, e->to, e->service);

		if (strcmp(verdict, e->verdict) != 0)
			fail_msg("%s %s, %s to %s, %s: %s, not %s", e->port,
				e->direction == POLICY_OUT ? "out" : "in", e->from, e->to,
				e->service, verdict, e->verdict);
	}
}

#define ASSERT_ALL(policy, list) assert_all(policy, list, sizeof(list) / sizeof((list)[0]))

static void test_rules(void **state)
{
	static const struct expectation list[] = {
		/* Remote by prefix, ports as numbers and ranges. */
		{"vm1", POLICY_IN, "10.0.0.9", "10.0.0.1", "tcp/22", "allow rule 0.0"},
		{"vm1", POLICY_IN, "10.0.1.9", "10.0.0.1", "tcp/22", "deny rule 1.0"},
		{"vm1", POLICY_IN, "10.0.0.9", "10.0.0.1", "tcp/8010", "allow rule 0.0"},
		{"vm1", POLICY_IN, "10.0.0.9", "10.0.0.1", "tcp/8011", "deny default"},
		{"vm1", POLICY_IN, "10.0.0.9", "10.0.0.1", "udp/22", "deny default"},
		/* A later group, and the same groups the other way round. */
		{"vm1", POLICY_IN, "10.0.1.9", "10.0.0.1", "tcp/8080", "allow rule 1.1"},
		{"vm2", POLICY_IN, "10.0.0.9", "10.0.0.2", "tcp/22", "deny rule 0.0"},
		{"vm2", POLICY_IN, "10.0.0.9", "10.0.0.2", "tcp/8000", "allow rule 1.0"},
		/* A group as remote: its ports' ips and pairs, trusted ports too; no /0. */
		{"vm1", POLICY_IN, "10.5.0.3", "10.0.0.1", "tcp/445", "allow rule 0.1 log"},
		{"vm1", POLICY_IN, "10.5.0.254", "10.0.0.1", "tcp/445", "allow rule 0.1 log"},
		{"vm1", POLICY_IN, "10.6.0.77", "10.0.0.1", "tcp/445", "allow rule 0.1 log"},
		{"vm1", POLICY_IN, "fd06::6", "fd00::1", "tcp/445", "allow rule 0.1 log"},
		{"vm1", POLICY_IN, "10.7.0.1", "10.0.0.1", "tcp/445", "deny default"},
		{"vm1", POLICY_IN, "fd06::7", "fd00::1", "tcp/445", "deny default"},
		/* A set as remote; out looks at the other end. */
		{"vm1", POLICY_OUT, "10.0.0.1", "10.9.1.1", "tcp/445", "allow rule 0.2"},
		{"vm1", POLICY_OUT, "fd00::1", "fd09::8", "tcp/445", "allow rule 0.2"},
		{"vm1", POLICY_OUT, "10.9.1.1", "10.0.0.1", "tcp/445", "reject rule 0.3"},
		{"vm1", POLICY_OUT, "10.0.0.1", "10.8.1.1", "udp/445", "allow default"},
		{"vm1", POLICY_IN, "10.9.1.1", "10.0.0.1", "tcp/445", "deny default"},
		/* ICMP by type and code, of each family. */
		{"vm1", POLICY_IN, "10.1.1.1", "10.0.0.1", "icmp/8.0", "allow rule 0.4"},
		{"vm1", POLICY_IN, "10.1.1.1", "10.0.0.1", "icmp/8.7", "allow rule 0.4"},
		{"vm1", POLICY_IN, "10.1.1.1", "10.0.0.1", "icmp/13", "deny default"},
		{"vm1", POLICY_IN, "10.1.1.1", "10.0.0.1", "icmp/3.4", "allow rule 0.5"},
		{"vm1", POLICY_IN, "10.1.1.1", "10.0.0.1", "icmp/3.3", "deny default"},
		{"vm1", POLICY_IN, "fd00::9", "fd00::1", "icmpv6/128", "allow rule 0.6"},
		{"vm1", POLICY_IN, "fd00::9", "fd00::1", "icmpv6/129", "deny default"},
		/* Families: alone, and with a set that has addresses of both. */
		{"vm1", POLICY_IN, "fd00::9", "fd00::1", "47", "allow rule 0.7"},
		{"vm1", POLICY_IN, "10.0.0.9", "10.0.0.1", "47", "deny default"},
		{"vm1", POLICY_IN, "fd09::9", "fd00::1", "udp/53", "allow rule 0.8"},
		{"vm1", POLICY_IN, "10.9.0.9", "10.0.0.1", "udp/53", "deny default"},
		{"vm1", POLICY_IN, "fd08::9", "fd00::1", "udp/53", "deny default"},
		/* ::/0 is no IPv4 address. */
		{"vm1", POLICY_IN, "fd08::9", "fd00::1", "sctp/5000", "allow rule 0.9"},
		{"vm1", POLICY_IN, "::1", "fd00::1", "sctp/5000", "allow rule 0.9"},
		{"vm1", POLICY_IN, "10.9.0.9", "10.0.0.1", "sctp/5000", "deny default"},
		/* All of a family, and all. */
		{"four", POLICY_IN, "10.9.0.9", "10.0.0.6", "132", "allow rule 0.0"},
		{"four", POLICY_IN, "fd00::9", "fd00::6", "tcp/1", "deny default"},
		{"four", POLICY_OUT, "10.0.0.6", "10.0.0.1", "tcp/1", "deny rule 0.1"},
		{"four", POLICY_OUT, "fd00::6", "fd00::1", "200", "deny rule 0.1"},
		/* Defaults, and trust. */
		{"open", POLICY_IN, "10.0.0.9", "10.0.0.5", "tcp/22", "allow default"},
		{"open", POLICY_OUT, "10.0.0.5", "10.0.0.9", "tcp/22", "reject default"},
		{"gw", POLICY_IN, "10.0.0.9", "10.5.0.254", "tcp/22", "allow trust"},
		{"gw", POLICY_OUT, "10.5.0.254", "10.0.0.9", "tcp/22", "allow trust"},
	};
	struct policy *policy = rig_policy(config, NULL, NULL);

	(void)state;
	ASSERT_ALL(policy, list);
	policy_free(policy);
}

/* A guest gets its addresses by DHCP, though its rules say no to all. */
static void test_allowances(void **state)
{
	static const struct {
		enum policy_direction direction;
		const char *from, *to;
		unsigned source_port;
		const char *service, *verdict;
	} list[] = {
		{POLICY_OUT, "0.0.0.0", "255.255.255.255", 68, "udp/67", "allow allowance"},
		{POLICY_OUT, "0.0.0.0", "255.255.255.255", 67, "udp/68", "deny rule 0.1"},
		{POLICY_OUT, "0.0.0.0", "255.255.255.255", 69, "udp/67", "deny rule 0.1"},
		{POLICY_OUT, "0.0.0.0", "255.255.255.255", 68, "tcp/67", "deny rule 0.1"},
		{POLICY_OUT, "fe80::1", "ff02::1:2", 546, "udp/547", "allow allowance"},
		{POLICY_OUT, "fe80::1", "ff02::1:2", 547, "udp/546", "deny rule 0.1"},
		{POLICY_OUT, "fe80::1", "ff02::1:2", 68, "udp/67", "deny rule 0.1"},
		{POLICY_OUT, "10.0.0.6", "10.0.0.1", 546, "udp/547", "deny rule 0.1"},
		{POLICY_IN, "fe80::2", "fe80::1", 547, "udp/546", "allow allowance"},
		{POLICY_IN, "fe80::2", "fe80::1", 546, "udp/547", "deny default"},
		{POLICY_IN, "10.0.0.2", "10.0.0.6", 67, "udp/68", "allow allowance"},
	};
	struct policy *policy = rig_policy(config, NULL, NULL);
	const struct policy_port *port = rig_port(config, policy, "four");

	(void)state;
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		assert_string_equal(rig_decide_from(port, list[i].direction, list[i].from,
					    list[i].source_port, list[i].to, list[i].service),
			list[i].verdict);
	policy_free(policy);
}

static void test_block_scopes(void **state)
{
	static const struct expectation list[] = {
		/* 100: everywhere, both ways, also at trusted ports and over allowances. */
		{"open", POLICY_IN, "10.0.0.9", "10.0.0.5", "tcp/445", "deny block 100 log"},
		{"gw", POLICY_OUT, "10.5.0.254", "10.0.0.5", "tcp/445", "deny block 100 log"},
		{"alien", POLICY_IN, "fd00::1", "fd00::2", "tcp/445", "deny block 100 log"},
		/* 101: a tenant's ports. */
		{"open", POLICY_IN, "10.0.0.9", "10.0.0.5", "udp/1500", "deny block 101 log"},
		{"open", POLICY_IN, "10.0.0.9", "10.0.0.5", "udp/2001", "allow default"},
		{"alien", POLICY_IN, "10.0.0.9", "10.0.0.7", "udp/1500", "allow default"},
		/* 102: one port. */
		{"open", POLICY_IN, "10.0.0.9", "10.0.0.5", "47", "deny block 102 log"},
		{"alien", POLICY_IN, "10.0.0.9", "10.0.0.7", "47", "allow default"},
		/* 103 into guests, 104 out of guests. */
		{"open", POLICY_IN, "10.0.0.9", "10.0.0.5", "icmp/8", "deny block 103 log"},
		{"open", POLICY_OUT, "10.0.0.5", "10.0.0.9", "icmp/8", "reject default"},
		{"gw", POLICY_OUT, "10.5.0.254", "10.0.0.9", "icmp/3.4", "deny block 104 log"},
		{"open", POLICY_IN, "10.5.0.254", "10.0.0.5", "icmp/3.4", "allow default"},
		/* 105 and 106: who opens, and to whom; the same at both ports on the way. */
		{"gw", POLICY_OUT, "10.7.0.1", "10.0.0.9", "tcp/7", "deny block 105 log"},
		{"gw", POLICY_IN, "10.7.0.1", "10.0.0.9", "tcp/7", "deny block 105 log"},
		{"gw", POLICY_OUT, "10.0.0.9", "10.7.0.1", "tcp/7", "allow trust"},
		{"gw", POLICY_IN, "10.7.0.1", "10.5.0.3", "tcp/8", "deny block 106 log"},
		{"gw", POLICY_OUT, "10.7.0.1", "10.5.0.3", "tcp/8", "deny block 106 log"},
		{"gw", POLICY_OUT, "10.5.0.3", "10.7.0.1", "tcp/8", "allow trust"},
		{"alien", POLICY_IN, "10.7.0.1", "10.5.0.3", "tcp/8", "allow default"},
		/* 107: a set to a group. */
		{"gw", POLICY_OUT, "10.9.0.1", "10.6.0.3", "tcp/9", "deny block 107 log"},
		{"gw", POLICY_IN, "10.9.0.1", "10.6.0.3", "tcp/9", "deny block 107 log"},
		{"gw", POLICY_IN, "10.9.0.1", "10.7.0.3", "tcp/9", "allow trust"},
		{"gw", POLICY_IN, "10.6.0.3", "10.9.0.1", "tcp/9", "allow trust"},
		/* 108: a name that is not there matches nothing. */
		{"gw", POLICY_IN, "10.0.0.9", "10.5.0.254", "tcp/10", "allow trust"},
		/* 109: a name is looked for in the port's own tenant. */
		{"alien", POLICY_IN, "10.0.0.7", "10.0.0.8", "tcp/11", "deny block 109 log"},
		{"gw", POLICY_IN, "10.0.0.7", "10.0.0.8", "tcp/11", "allow trust"},
		/* 110: everything between two. */
		{"gw", POLICY_IN, "fd01::1", "fd02::1", "200", "deny block 110 log"},
		{"gw", POLICY_IN, "10.1.1.1", "fd02::1", "200", "allow trust"},
	};
	struct rig_blocks b = {.blocks.n = 0};
	struct policy *policy;

	(void)state;
	rig_block(&b, "tcp/445", "any", "any", "", "", BLOCK_BOTH);
	rig_block(&b, "udp/1000-2000", "any", "any", "acme", "", BLOCK_BOTH);
	rig_block(&b, "47", "any", "any", "", "open", BLOCK_BOTH);
	rig_block(&b, "icmp/8", "any", "any", "", "", BLOCK_IN);
	rig_block(&b, "icmp/3.4", "any", "any", "", "", BLOCK_OUT);
	rig_block(&b, "tcp/7", "10.7.0.0/16", "any", "", "", BLOCK_BOTH);
	rig_block(&b, "tcp/8", "any", "servers", "acme", "", BLOCK_BOTH);
	rig_block(&b, "tcp/9", "files", "servers", "acme", "", BLOCK_BOTH);
	rig_block(&b, "tcp/10", "any", "gone", "acme", "", BLOCK_BOTH);
	rig_block(&b, "tcp/11", "theirs", "any", "", "", BLOCK_BOTH);
	rig_block(&b, "any", "::/0", "fd02::/16", "", "", BLOCK_BOTH);
	policy = rig_policy(config, &b, NULL);
	ASSERT_ALL(policy, list);
	/* Where the same blocks count, they are one; the port that one names has its own. */
	assert_ptr_equal(
		rig_port(config, policy, "gw")->blocks, rig_port(config, policy, "vm1")->blocks);
	assert_ptr_not_equal(
		rig_port(config, policy, "gw")->blocks, rig_port(config, policy, "open")->blocks);
	policy_free(policy);
}

static void test_block_over_allowance(void **state)
{
	struct rig_blocks b = {.blocks.n = 0};
	struct policy *policy;

	(void)state;
	rig_block(&b, "udp", "any", "any", "", "", BLOCK_BOTH);
	policy = rig_policy(config, &b, NULL);
	assert_string_equal(rig_decide_from(rig_port(config, policy, "vm1"), POLICY_OUT, "0.0.0.0",
				    68, "255.255.255.255", "udp/67"),
		"deny block 100 log");
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_allowances, setup, teardown),
		cmocka_unit_test_setup_teardown(test_block_scopes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_block_over_allowance, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
