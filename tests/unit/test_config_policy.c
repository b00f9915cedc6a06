/* Tenants, groups with rules, sets and the firewall: what they decode to, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "config_diff.h"
#include "config_edit.h"
#include "config_rig.h"

#define NETWORK "networks: [{name: n, tenant: t}, {name: o, tenant: u}]\n"
#define RULE(fields)                                                                               \
	NETWORK "sets: [{name: admins, tenant: t}, {name: theirs, tenant: u}]\n"                   \
		"groups:\n- name: g\n  tenant: t\n  rules:\n  - {" fields "}\n"
#define PORT(fields)                                                                               \
	NETWORK "groups: [{name: g, tenant: t}, {name: theirs, tenant: u}]\nports:\n"              \
		"- {name: p, network: n, vhost-user: {socket: /s}, mac: 02:00:00:00:00:01, "       \
		"ips: [10.0.0.1], " fields "}\n"

static struct config *one_rule(const char *text, struct config_rule *rule)
{
	struct config *c = decode_good(text);

	assert_int_equal(c->n_groups, 1);
	assert_int_equal(c->groups[0].n_rules, 1);
	*rule = c->groups[0].rules[0];
	return c;
}

static void assert_span(struct addr_span span, const char *text)
{
	char own[2 * ADDR_TEXT_MAX + 1];

	addr_span_format(span, own);
	assert_string_equal(own, text);
}

static void a_rule_without_more_matches_all(void **state)
{
	struct config_rule r;
	struct config *c = one_rule(RULE("direction: out, action: reject"), &r);

	assert_int_equal(r.direction, CONFIG_OUT);
	assert_int_equal(r.action, CONFIG_REJECT);
	assert_int_equal(r.family, CONFIG_ANY_FAMILY);
	assert_int_equal(r.protocol, -1);
	assert_int_equal(r.n_ports, 0);
	assert_int_equal(r.type, -1);
	assert_int_equal(r.code, -1);
	assert_int_equal(r.remote.kind, CONFIG_REMOTE_ANY);
	assert_false(r.log);
	assert_string_equal(r.name, "");
	config_free(c);
}

static void fields_of_a_rule_are_decoded(void **state)
{
	struct config_rule r;
	struct config *c = one_rule(RULE("name: web, direction: in, protocol: tcp, log: yes, "
					 "ports: [22, '443', 1000-2000], remote: 10.0.0.0/24, "
					 "action: allow"),
		&r);

	assert_string_equal(r.name, "web");
	assert_int_equal(r.protocol, IPPROTO_TCP);
	assert_int_equal(r.n_ports, 3);
	assert_int_equal(r.ports[1].first, 443);
	assert_int_equal(r.ports[2].first, 1000);
	assert_int_equal(r.ports[2].last, 2000);
	assert_int_equal(r.remote.kind, CONFIG_REMOTE_SPAN);
	assert_span(r.remote.span, "10.0.0.0/24");
	assert_int_equal(r.family, CONFIG_IPV4); /* the remote's */
	assert_true(r.log);
	config_free(c);
	c = one_rule(RULE("direction: in, protocol: 132, ports: 5, remote: {set: admins}, "
			  "action: allow"),
		&r);
	assert_int_equal(r.protocol, IPPROTO_SCTP);
	assert_int_equal(r.ports[0].last, 5);
	assert_int_equal(r.remote.kind, CONFIG_REMOTE_SET);
	assert_int_equal(r.remote.index, 0);
	assert_int_equal(r.family, CONFIG_ANY_FAMILY);
	config_free(c);
	c = one_rule(RULE("direction: in, remote: {group: g}, action: allow"), &r);
	assert_int_equal(r.remote.kind, CONFIG_REMOTE_GROUP);
	assert_int_equal(r.remote.index, 0);
	config_free(c);
}

static void icmp_follows_the_family(void **state)
{
	struct config_rule r;
	struct config *c = one_rule(
		RULE("direction: in, family: ipv6, protocol: icmp, type: 128, action: allow"), &r);

	assert_int_equal(r.protocol, IPPROTO_ICMPV6);
	assert_int_equal(r.type, 128);
	config_free(c);
	c = one_rule(
		RULE("direction: in, protocol: icmp, remote: '2001:db8::/64', action: allow"), &r);
	assert_int_equal(r.protocol, IPPROTO_ICMPV6);
	config_free(c);
	c = one_rule(RULE("direction: in, protocol: icmp, type: 8, code: 0, action: allow"), &r);
	assert_int_equal(r.family, CONFIG_IPV4);
	assert_int_equal(r.code, 0);
	config_free(c);
	c = one_rule(RULE("direction: in, protocol: icmpv6, action: allow"), &r);
	assert_int_equal(r.family, CONFIG_IPV6);
	config_free(c);
}

static void assert_rule_fault(const char *text, const char *member, const char *why)
{
	char field[80];
	struct config *config = decode(text);

	snprintf(field, sizeof(field), "groups[0].rules[0]%s%s", member[0] ? "." : "", member);
	if (report.n_errors != 1)
		config_report_print(&report, stdout);
	assert_null(config);
	assert_int_equal(report.n_errors, 1);
	assert_string_equal(report.messages[0].field, field);
	assert_string_equal(report.messages[0].text, why);
	assert_int_equal(report.messages[0].line, 7);
}

static void rules_that_contradict_themselves_are_refused(void **state)
{
	static const char no_ports[] = "needs a protocol that has ports: say protocol: tcp, udp, "
				       "sctp, dccp or udplite";

	assert_rule_fault(RULE("action: deny"), "",
		"field \"direction\" is missing: give in (into the guest) or out");
	assert_rule_fault(RULE("direction: in"), "",
		"field \"action\" is missing: give allow, deny or reject");
	assert_rule_fault(RULE("direction: in, ports: 22, action: deny"), "ports", no_ports);
	assert_rule_fault(
		RULE("direction: in, protocol: gre, ports: 22, action: deny"), "ports", no_ports);
	assert_rule_fault(RULE("direction: in, protocol: tcp, type: 8, action: deny"), "type",
		"is of ICMP only: say protocol: icmp or icmpv6");
	assert_rule_fault(RULE("direction: in, protocol: icmp, code: 0, action: deny"), "code",
		"means nothing without a type: give both");
	assert_rule_fault(RULE("direction: in, family: ipv4, protocol: icmpv6, action: deny"),
		"protocol",
		"icmpv6 is IPv6's, and the rule is for IPv4: say protocol: icmp, or family: ipv6");
	assert_rule_fault(RULE("direction: in, protocol: icmpv6, remote: 10.0.0.1, action: deny"),
		"protocol",
		"icmpv6 is IPv6's, and the rule is for IPv4: say protocol: icmp, or family: ipv6");
	assert_rule_fault(RULE("direction: in, family: ipv6, remote: 10.0.0.1, action: deny"),
		"remote",
		"has addresses of ipv4 in a rule for ipv6: give addresses of the same family, or "
		"leave family out");
	assert_rule_fault(RULE("name: 5, direction: in, action: deny"), "name",
		"must be text: put it in quotes, \"5\"");
	assert_rule_fault(RULE("name: '5', direction: in, action: deny"), "name",
		"\"5\" could be taken for a rule's position: put a letter into it");
}

static void values_out_of_bounds_are_refused(void **state)
{
	static const char ports[] = "must be a port from 0 to 65535, such as 22, or a range such "
				    "as \"1000-2000\", not ";
	static const char *const bad[] = {"65536", "-1", "\"1-\"", "\"-5\"", "\"1-2-3\"",
		"\"99999\"", "\"5-65536\"", "\"http\""};
	char text[512], why[160];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text),
			RULE("direction: in, action: deny, protocol: tcp, ports: [%s]"), bad[i]);
		snprintf(why, sizeof(why), "%s%s", ports, bad[i]);
		assert_rule_fault(text, "ports[0]", why);
	}
	assert_rule_fault(RULE("direction: in, action: deny, protocol: tcp, ports: 30-20"),
		"ports[0]", "is a range the wrong way round: \"20-30\" would be right");
	assert_rule_fault(RULE("direction: in, action: deny, protocol: 256"), "protocol",
		"must be a protocol: any, tcp, udp, icmp, icmpv6, sctp or another by name, or a "
		"number from 0 to 255, not 256");
	assert_rule_fault(RULE("direction: in, action: deny, protocol: icmp, type: 256"), "type",
		"must be a whole number from 0 to 255, not 256");
	assert_rule_fault(RULE("direction: in, action: deny, remote: 10.0.0.9-10.0.0.1"), "remote",
		"is a range the wrong way round: 10.0.0.1-10.0.0.9 would be right");
	assert_rule_fault(RULE("direction: in, action: deny, remote: 10.0.0.1/24"), "remote",
		"has bits set behind its length; 10.0.0.0/24 would be right");
	assert_fault("firewall: {timeouts: {tcp-syn: 0}}", 1, 23, "firewall.timeouts.tcp-syn",
		"must be a time from 1s to 1000000s, such as 30s, not 0");
	assert_fault("vswitch: {connections: 16777217}", 1, 11, "vswitch.connections",
		"must be a whole number from 1024 to 16777216, not 16777217");
	assert_fault("networks: [{name: n, ethertypes: [0x5ff]}]", 1, 35,
		"networks[0].ethertypes[0]",
		"must be an ethertype: arp, ipv4, ipv6, rarp, lldp, any or another by name, or a "
		"number from 0x0600 to 0xffff, not 1535");
}

static void names_are_a_tenants_own(void **state)
{
	config_free(decode_good(NETWORK "groups: [{name: g, tenant: t}, {name: g, tenant: u}]\n"));
	assert_fault(NETWORK "groups: [{name: g, tenant: t}]\nsets: [{name: g, tenant: t}]\n", 3, 9,
		"sets[0].name",
		"\"g\" is the name of groups[0] of the same tenant, too: names of groups and sets "
		"must differ");
	assert_rule_fault(RULE("direction: in, action: deny, remote: {set: admin}"), "remote.set",
		"set \"admin\" does not exist in tenant t; did you mean \"admins\"?");
	assert_rule_fault(RULE("direction: in, action: deny, remote: {set: theirs}"), "remote.set",
		"set \"theirs\" is of tenant u: name one of tenant t");
	assert_rule_fault(RULE("direction: in, action: deny, remote: {group: admins}"),
		"remote.group",
		"\"admins\" is a set, not a group: name it as {set: admins} in a rule's remote");
	assert_rule_fault(RULE("direction: in, action: deny, remote: {group: g, set: admins}"),
		"remote",
		"must have exactly one of \"group\" and \"set\", such as {group: servers}");
	assert_fault(PORT("groups: [theirs]"), 4, 101, "ports[0].groups[0]",
		"group \"theirs\" is of tenant u: name one of tenant t");
	assert_fault(PORT("groups: [g, g]"), 4, 104, "ports[0].groups[1]",
		"is in the list twice: remove one");
}

static void sets_and_pairs_hold_addresses(void **state)
{
	struct config *c = decode_good(
		NETWORK "sets: [{name: s, tenant: t, addresses: [10.0.0.1, 10.0.0.2-10.0.0.9, "
			"'2001:db8::/64']}]\n"
			"ports:\n- {name: p, network: n, vhost-user: {socket: /s}, pairs: [{ip: "
			"10.1.0.0/16}, {ip: 10.0.0.9, mac: 02:00:00:00:00:09}]}\n");

	assert_int_equal(c->sets[0].n_addresses, 3);
	assert_span(c->sets[0].addresses[1], "10.0.0.2-10.0.0.9");
	assert_span(c->sets[0].addresses[2], "2001:db8::/64");
	assert_int_equal(c->ports[0].n_pairs, 2);
	assert_false(c->ports[0].pairs[0].has_mac);
	assert_true(c->ports[0].pairs[1].has_mac);
	assert_int_equal(c->ports[0].pairs[1].mac[5], 9);
	config_free(c);
	assert_fault(NETWORK "sets: [{name: s, tenant: t, addresses: [10.0.0.1, 10.0.0.2, "
			     "10.0.0.1/32]}]\n",
		2, 61, "sets[0].addresses[2]", "is in the list twice: remove one");
	for (unsigned i = 0; i < 4; i++) {
		static const char *const bad[] = {"224.0.0.1", "0.0.0.0", "'::'", "'ff02::1'"};
		char text[512];

		snprintf(text, sizeof(text), PORT("pairs: [{ip: %s}]"), bad[i]);
		assert_null(decode(text));
		assert_int_equal(report.n_errors, 1);
		assert_string_equal(report.messages[0].field, "ports[0].pairs[0].ip");
	}
}

static void odd_ports_are_warned_of(void **state)
{
	assert_warning(PORT("groups: [g]"), "", "");
	assert_warning(PORT("pairs: [{ip: 0.0.0.0/0}]"), "ports[0].pairs[0].ip",
		"lets the port send from any address; it never counts as a member of the port's "
		"groups");
	assert_warning(PORT("trusted: true, groups: [g]"), "ports[0].groups",
		"a trusted port is held against no rules: groups only make it a member that other "
		"ports' rules can name");
	assert_warning(NETWORK "ports: [{name: p, network: n, kernel: {interface: i}}]\n",
		"ports[0]",
		"has neither mac nor ips: only DHCP, router advertisements and ethertypes are "
		"guarded; give the guest's, or trusted: true for a router");
	assert_warning(NETWORK "ports: [{name: p, network: n, kernel: {interface: i}, mac: "
			       "02:00:00:00:00:01}]\n",
		"ports[0]",
		"has no ips: only the MAC, the sender MAC in ARP, DHCP and router advertisements "
		"are guarded; give the guest's addresses");
	assert_warning(NETWORK "ports: [{name: p, network: n, kernel: {interface: i}, pairs: "
			       "[{ip: 10.0.0.1}]}]\n",
		"ports[0]",
		"has no mac: its addresses are guarded, but it may send from any MAC; give the "
		"guest's");
	assert_warning(NETWORK "ports: [{name: p, network: n, kernel: {interface: i}, pairs: "
			       "[{ip: 10.0.0.1, mac: 02:00:00:00:00:01}]}]\n",
		"", "");
	assert_warning(NETWORK "ports: [{name: p, network: n, kernel: {interface: i}, trusted: "
			       "true}]\n",
		"", "");
	assert_warning("tenants: [{name: x}]\n", "tenants[0].name",
		"no network is tenant x's: the entry has no effect");
}

#define DUAL(rules)                                                                                \
	NETWORK "groups: [{name: g, tenant: t, rules: [" rules "]}]\n"                             \
		"ports: [{name: p, network: n, kernel: {interface: i}, groups: [g], "              \
		"mac: 02:00:00:00:00:01, ips: [10.0.0.1, 'fd00::1']}]\n"

static void rules_for_half_of_a_dual_stack_port_are_warned_of(void **state)
{
	assert_warning(DUAL("{direction: in, remote: 10.0.0.0/8, action: allow}"),
		"ports[0].groups",
		"the port has IPv4 and IPv6 addresses, but the in rules of its groups speak of "
		"IPv4 only: to IPv6, default-in applies (deny)");
	assert_warning(DUAL("{direction: in, protocol: icmpv6, action: allow}"), "ports[0].groups",
		"the port has IPv4 and IPv6 addresses, but the in rules of its groups speak of "
		"IPv6 only: to IPv4, default-in applies (deny)");
	assert_warning(DUAL("{direction: in, remote: 10.0.0.0/8, action: allow}, "
			    "{direction: in, family: ipv6, action: allow}"),
		"", "");
	assert_warning(DUAL("{direction: in, protocol: tcp, action: allow}"), "", "");
	assert_warning(DUAL("{direction: out, remote: 10.0.0.0/8, action: allow}"), "", "");
}

static void tables_are_limited(void **state)
{
	size_t size = 64 + 40 * (size_t)(CONFIG_RULES_MAX + 1);
	char *text = malloc(size), *end = text;

	end += sprintf(end, "groups: [{name: g, tenant: t, rules: [");
	for (unsigned i = 0; i <= CONFIG_RULES_MAX; i++)
		end += sprintf(end, "{direction: in, action: deny},");
	sprintf(end, "]}]");
	assert_fault(text, 1, 31, "groups[0].rules", "has 16385 entries: at most 16384 are taken");
	free(text);
}

/* A document with one group of n rules, and the port that it is for. */
static json_t *large(unsigned n)
{
	json_t *root = json_pack("{s:[{s:s,s:s}],s:[{s:s,s:s,s:{s:s},s:[s]}],s:[{s:s,s:s}]}",
		"networks", "name", "n", "tenant", "t", "ports", "name", "p", "network", "n",
		"kernel", "interface", "i", "groups", "g", "groups", "name", "g", "tenant", "t");
	json_t *rules = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(rules,
			json_pack("{s:s,s:s,s:i,s:o,s:s}", "direction", "in", "protocol", "tcp",
				"ports", i, "remote",
				json_sprintf("10.%u.%u.0/24", i >> 8, i & 255), "action", "allow"));
	json_object_set_new(json_array_get(json_object_get(root, "groups"), 0), "rules", rules);
	return root;
}

static struct config *decode_json(json_t *root)
{
	struct config_doc *doc = config_doc_from_json("f", root);
	struct config *config;

	config_report_init(&report);
	config = config_decode(doc, &report);
	config_doc_free(doc);
	assert_non_null(config);
	return config;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Costs some 10 ms; twenty times that says that something grows with the square. */
static void one_rule_of_ten_thousand_is_changed_quickly(void **state)
{
	json_t *root = large(10000), *before, *after, *whole, *diff, *list, *edited;
	struct config *old = decode_json(root), *new;
	struct config_error err;
	double start;

	before = config_encode(old);
	start = seconds();
	list = json_copy(json_object_get(config_edit_find(root, "groups", "t/g"), "rules"));
	json_array_insert_new(
		list, 5000, json_pack("{s:s,s:s}", "direction", "in", "action", "deny"));
	edited = config_edit_list(root, "groups", "t/g", "rules", list, &err);
	new = decode_json(edited);
	after = config_encode_like(new, old, before);
	diff = config_diff(before, after);
	assert_true(seconds() - start < 1);
	assert_int_equal(json_array_size(diff), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(diff, 0), "path")),
		"groups[t/g].rules[5000]");
	whole = config_encode(new);
	assert_true(json_equal(after, whole)); /* shared or not, it is the same */
	json_decref(whole);
	json_decref(diff);
	json_decref(after);
	json_decref(before);
	json_decref(edited);
	json_decref(root);
	config_free(old);
	config_free(new);
}

/* What is taken from the configuration before must be what this one means. */
static void encoding_like_another_is_exact(void **state)
{
	static const char *const texts[] = {RULE("direction: in, action: deny"),
		RULE("direction: out, action: deny"),
		RULE("direction: in, action: deny}\n  - {direction: in, action: allow"),
		PORT("groups: [g]"), PORT("groups: []"), PORT("trusted: true, mtu: 1400"), "{}",
		NETWORK "sets: [{name: s, tenant: t, addresses: [10.0.0.1, 10.0.0.2]}]\n",
		NETWORK "sets: [{name: s, tenant: t, addresses: [10.0.0.2]}, {name: r, tenant: "
			"t, addresses: [10.0.0.1]}]\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		for (size_t j = 0; j < sizeof(texts) / sizeof(*texts); j++) {
			struct config *a = decode_good(texts[i]), *b = decode_good(texts[j]);
			json_t *encoded = config_encode(a), *whole = config_encode(b);
			json_t *like = config_encode_like(b, a, encoded);

			assert_true(json_equal(like, whole));
			json_decref(like);
			json_decref(whole);
			json_decref(encoded);
			config_free(a);
			config_free(b);
		}
}

static void what_is_used_is_not_removed(void **state)
{
	json_t *root = large(1), *added, *result;
	struct config_error err;
	json_t *set = json_pack("{s:s,s:s}", "name", "s", "tenant", "t");

	assert_null(config_edit_remove(root, "groups", "t/g", &err));
	assert_string_equal(err.text, "group t/g is used by port p: change that first");
	assert_null(config_edit_remove(root, "groups", "u/g", &err));
	assert_string_equal(err.text, "group u/g does not exist");
	added = config_edit_add(root, "sets", set, &err);
	assert_null(config_edit_add(added, "sets", set, &err));
	result = config_edit_remove(added, "sets", "t/s", &err);
	assert_non_null(result);
	json_decref(result);
	json_object_set_new(
		json_array_get(json_object_get(json_array_get(json_object_get(added, "groups"), 0),
				       "rules"),
			0),
		"remote", json_pack("{s:s}", "set", "s"));
	assert_null(config_edit_remove(added, "sets", "t/s", &err));
	assert_string_equal(err.text, "set t/s is used by rule 0 of group g: change that first");
	json_decref(set);
	json_decref(added);
	json_decref(root);
}

static void differences_go_by_tenant_and_position(void **state)
{
	struct config *a = decode_good(
		NETWORK "groups: [{name: g, tenant: t, rules: [{direction: in, action: allow}, "
			"{direction: out, action: allow}]}, {name: g, tenant: u}]\n"
			"sets: [{name: s, tenant: t, addresses: [10.0.0.1, 10.0.0.2]}]\n");
	struct config *b = decode_good(
		NETWORK "groups: [{name: g, tenant: u}, {name: g, tenant: t, rules: [{direction: "
			"in, action: allow}, {direction: out, action: deny}]}]\n"
			"sets: [{name: s, tenant: t, addresses: [10.0.0.3, 10.0.0.1]}]\n");
	json_t *from = config_encode(a), *to = config_encode(b), *diff = config_diff(from, to);
	char *text = json_dumps(diff, JSON_COMPACT);

	assert_string_equal(text,
		"[{\"path\":\"groups[t/g].rules[1].action\",\"from\":\"allow\",\"to\":\"deny\"},"
		"{\"path\":\"sets[t/s].addresses[10.0.0.2]\",\"from\":\"10.0.0.2\"},"
		"{\"path\":\"sets[t/s].addresses[10.0.0.3]\",\"to\":\"10.0.0.3\"}]");
	free(text);
	json_decref(diff);
	json_decref(from);
	json_decref(to);
	config_free(a);
	config_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_without_more_matches_all),
		cmocka_unit_test(fields_of_a_rule_are_decoded),
		cmocka_unit_test(icmp_follows_the_family),
		cmocka_unit_test(rules_that_contradict_themselves_are_refused),
		cmocka_unit_test(values_out_of_bounds_are_refused),
		cmocka_unit_test(names_are_a_tenants_own),
		cmocka_unit_test(sets_and_pairs_hold_addresses),
		cmocka_unit_test(odd_ports_are_warned_of),
		cmocka_unit_test(rules_for_half_of_a_dual_stack_port_are_warned_of),
		cmocka_unit_test(tables_are_limited),
		cmocka_unit_test(one_rule_of_ten_thousand_is_changed_quickly),
		cmocka_unit_test(encoding_like_another_is_exact),
		cmocka_unit_test(what_is_used_is_not_removed),
		cmocka_unit_test(differences_go_by_tenant_and_position),
	};

	return cmocka_run_group_tests_name("config_policy", tests, NULL, NULL);
}
