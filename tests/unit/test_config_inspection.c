/* The `inspection` section: what it decodes to, what is refused, differences, edits and text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_diff.h"
#include "config_edit.h"
#include "config_rig.h"
#include "config_vars.h"
#include "config_yaml_out.h"
#include "rule_bind.h"

#define WORLD                                                                                      \
	"networks: [{name: n, tenant: t}, {name: o, tenant: u}]\n"                                 \
	"ports:\n"                                                                                 \
	"- {name: files, network: n, vhost-user: {socket: /1}, mac: 02:00:00:00:00:01, "           \
	"ips: [10.0.0.1]}\n"                                                                       \
	"- {name: scanner, network: n, vhost-user: {socket: /2}, mac: 02:00:00:00:00:02, "         \
	"ips: [10.0.0.2]}\n"                                                                       \
	"- {name: theirs, network: o, vhost-user: {socket: /3}, mac: 02:00:00:00:00:03, "          \
	"ips: [10.0.0.3]}\n"
/* One entry; what is given begins on line 7, in column 15. */
#define ENTRY(fields) WORLD "inspection:\n- {tenant: t, " fields "}\n"

static const char full[] = WORLD
	"inspection:\n"
	"- tenant: t\n"
	"  rules: [smb.rules, et/smb.rules, /etc/vswitch//own.rules]\n"
	"  skip-unsupported: yes\n"
	"  mode: prevent\n"
	"  quarantine:\n"
	"    level: port\n"
	"    for: 1h\n"
	"    exempt-servers: no\n"
	"    exempt: [files]\n"
	"    exempt-addresses: [10.9.0.0/16, \"fd09::9\"]\n"
	"    allow:\n"
	"    - {protocol: udp, ports: 67}\n"
	"    - {protocol: tcp, ports: 1000-2000, remote: 10.0.0.0/24}\n"
	"    - {protocol: icmp, remote: '2001:db8::/64'}\n"
	"  services: [445]\n"
	"  uninspected: {midstream: pass, encrypted: pass, compressed: pass, memory: pass,\n"
	"    budget: pass, engine: pass, no-database: pass}\n"
	"  memory: 100\n"
	"  budget: {packet: 1ms, port: 30, tenant: 60}\n"
	"  variables: {SMB_NET: '[$HOME_NET,!10.9.0.0/16]', HOME_NET: [10.0.0.0/8, 'fd00::/8'],\n"
	"    SSH_PORTS: 22, WEB_PORT: '80:90'}\n"
	"  overrides:\n"
	"  - {sid: 2024218, action: quarantine}\n"
	"  - {classtype: policy-violation, action: alert}\n"
	"  - {sid: 1, gid: 2, action: suppress, track: by_src, addresses: $SMB_NET}\n"
	"  - {sid: 5, action: disable}\n"
	"  fan-out: {enabled: no, window: 2m, hosts: 10, failed: 20, attempts: 30,\n"
	"    failed-hosts: 4, detected: 2, exempt: [scanner, files]}\n";

static void an_entry_without_more_has_the_defaults(void **state)
{
	struct config *c = decode_good(WORLD "inspection: [{tenant: t}]\n");
	const struct config_inspection *i = c->inspection;
	static const uint16_t allowed[] = {67, 547, 53, 53};

	assert_int_equal(report.n_warnings, 0);
	assert_int_equal(c->n_inspection, 1);
	assert_string_equal(i->tenant, "t");
	assert_int_equal(i->n_rules, 0);
	assert_false(i->skip_unsupported);
	assert_false(i->prevent);
	assert_int_equal(i->level, CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(i->quarantine_s, 0);
	assert_true(i->exempt_servers);
	assert_int_equal(i->n_exempt, 0);
	assert_int_equal(i->n_exempt_addresses, 0);
	assert_int_equal(i->n_allow, 4);
	for (unsigned a = 0; a < i->n_allow; a++) {
		struct addr_span remote = i->allow[a].remote;

		assert_int_equal(i->allow[a].protocol, a == 3 ? IPPROTO_TCP : IPPROTO_UDP);
		assert_int_equal(i->allow[a].ports.first, allowed[a]);
		assert_int_equal(i->allow[a].ports.last, allowed[a]);
		assert_true(addr_in(addr_from_ipv4((uint8_t[]){255, 255, 255, 255}), remote));
		assert_true(addr_in((struct addr){UINT64_MAX, UINT64_MAX}, remote));
	}
	assert_int_equal(i->n_services, 2);
	assert_int_equal(i->services[0], 139);
	assert_int_equal(i->services[1], 445);
	assert_int_equal(i->on[CONFIG_FAILURE_MIDSTREAM], CONFIG_ON_INSPECT);
	assert_int_equal(i->on[CONFIG_FAILURE_ENCRYPTED], CONFIG_ON_PASS);
	for (int f = CONFIG_FAILURE_COMPRESSED; f < CONFIG_FAILURES; f++)
		assert_int_equal(i->on[f], CONFIG_ON_DROP);
	assert_int_equal(i->memory, 64 << 20);
	assert_int_equal(i->packet_us, 5000);
	assert_int_equal(i->port_percent, 80);
	assert_int_equal(i->tenant_percent, 90);
	assert_int_equal(i->n_variables, 0);
	assert_int_equal(i->n_overrides, 0);
	assert_true(i->fanout.on);
	assert_int_equal(i->fanout.window_s, 60);
	assert_int_equal(i->fanout.hosts, 20);
	assert_int_equal(i->fanout.failed_percent, 50);
	assert_int_equal(i->fanout.attempts, 70);
	assert_int_equal(i->fanout.failed, 5);
	assert_int_equal(i->fanout.detected, 3);
	assert_int_equal(i->n_fanout_exempt, 0);
	config_free(c);
}

static void what_the_switch_itself_has(void **state)
{
	struct config *c = decode_good("{}");

	assert_int_equal(c->n_inspection, 0);
	assert_int_equal(c->vswitch.inspected, 2048);
	assert_int_equal(c->vswitch.inspection_memory, 256);
	assert_string_equal(c->vswitch.evidence, "/var/lib/vswitch/evidence");
	assert_string_equal(c->vswitch.hook, "");
	assert_int_equal(c->vswitch.stats_s, 60);
	config_free(c);
	c = decode_good("vswitch: {inspected: 16, inspection-memory: 65536, rules: /r, state: /s, "
			"hook: /h, stats-interval: 0}\n");
	assert_int_equal(c->vswitch.inspected, 16);
	assert_int_equal(c->vswitch.inspection_memory, 65536);
	assert_string_equal(c->vswitch.rules, "/r");
	assert_string_equal(c->vswitch.evidence, "/s/evidence");
	assert_string_equal(c->vswitch.hook, "/h");
	assert_int_equal(c->vswitch.stats_s, 0);
	config_free(c);
	assert_fault("vswitch: {evidence: /var/lib/vswitch}\n", 1, 11, "vswitch.evidence",
		"/var/lib/vswitch is used by vswitch.state already: give another path");
}

static void quarantine_is_decoded(void **state)
{
	struct config *c = decode_good(full);
	const struct config_inspection *i = c->inspection;

	assert_true(i->prevent);
	assert_int_equal(i->level, CONFIG_QUARANTINE_PORT);
	assert_int_equal(i->quarantine_s, 3600);
	assert_false(i->exempt_servers);
	assert_int_equal(i->n_exempt, 1);
	assert_string_equal(i->exempt[0], "files");
	assert_int_equal(i->n_exempt_addresses, 2);
	assert_true(addr_in(addr_from_ipv4((uint8_t[]){10, 9, 255, 1}), i->exempt_addresses[0]));
	assert_true(addr_equal(i->exempt_addresses[1].first, i->exempt_addresses[1].last));
	assert_int_equal(i->n_allow, 3);
	assert_int_equal(i->allow[1].protocol, IPPROTO_TCP);
	assert_int_equal(i->allow[1].ports.first, 1000);
	assert_int_equal(i->allow[1].ports.last, 2000);
	assert_true(addr_in(addr_from_ipv4((uint8_t[]){10, 0, 0, 255}), i->allow[1].remote));
	assert_false(addr_in(addr_from_ipv4((uint8_t[]){10, 0, 1, 0}), i->allow[1].remote));
	assert_int_equal(i->allow[2].protocol, IPPROTO_ICMP);
	assert_int_equal(i->allow[2].ports.first, 0);
	assert_int_equal(i->allow[2].ports.last, 65535);
	config_free(c);
}

static void all_else_is_decoded(void **state)
{
	struct config *c = decode_good(full);
	const struct config_inspection *i = c->inspection;

	assert_int_equal(i->n_rules, 3);
	assert_string_equal(i->rules[1], "et/smb.rules");
	assert_string_equal(i->rules[2], "/etc/vswitch/own.rules");
	assert_true(i->skip_unsupported);
	assert_int_equal(i->n_services, 1);
	assert_int_equal(i->services[0], 445);
	for (int f = 0; f < CONFIG_FAILURES; f++)
		assert_int_equal(i->on[f], CONFIG_ON_PASS);
	assert_int_equal(i->memory, 100 << 20);
	assert_int_equal(i->packet_us, 1000);
	assert_int_equal(i->port_percent, 30);
	assert_int_equal(i->tenant_percent, 60);
	assert_false(i->fanout.on);
	assert_int_equal(i->fanout.window_s, 120);
	assert_int_equal(i->fanout.hosts, 10);
	assert_int_equal(i->fanout.failed_percent, 20);
	assert_int_equal(i->fanout.attempts, 30);
	assert_int_equal(i->fanout.failed, 4);
	assert_int_equal(i->fanout.detected, 2);
	assert_int_equal(i->n_fanout_exempt, 2);
	assert_string_equal(i->fanout_exempt[1], "files");
	config_free(c);
}

static void overrides_are_decoded(void **state)
{
	struct config *c = decode_good(full);
	const struct config_override *o = c->inspection->overrides;

	assert_int_equal(c->inspection->n_overrides, 4);
	assert_int_equal(o[0].kind, RULE_OVERRIDE_QUARANTINE);
	assert_int_equal(o[0].sid, 2024218);
	assert_int_equal(o[0].gid, 1);
	assert_int_equal(o[1].kind, RULE_OVERRIDE_ALERT);
	assert_int_equal(o[1].sid, 0);
	assert_string_equal(o[1].classtype, "policy-violation");
	assert_int_equal(o[2].kind, RULE_OVERRIDE_SUPPRESS);
	assert_int_equal(o[2].gid, 2);
	assert_int_equal(o[2].track, RULE_TRACK_SRC);
	assert_string_equal(o[2].addresses, "$SMB_NET");
	assert_int_equal(o[3].kind, RULE_OVERRIDE_DISABLE);
	config_free(c);
}

static void assert_resolves(const struct rule_vars *vars, enum rule_vars_kind kind,
	const char *text, struct addr in, struct addr out)
{
	struct rule_spans spans = {0};
	char reason[160] = "";

	if (!rule_vars_resolve(vars, kind, text, &spans, reason, sizeof(reason)))
		fail_msg("%s: %s", text, reason);
	assert_true(rule_spans_has(&spans, in));
	assert_false(rule_spans_has(&spans, out));
	rule_spans_free(&spans);
}

/* Each in its kind, whatever the order in which they name each other; lists of YAML are lists. */
static void variables_are_what_rules_take(void **state)
{
	struct config *c = decode_good(full);
	struct rule_vars *vars;
	char reason[160];
	unsigned at;

	assert_int_equal(c->inspection->n_variables, 4);
	assert_string_equal(c->inspection->variables[1].name, "HOME_NET");
	assert_string_equal(c->inspection->variables[1].value, "[10.0.0.0/8,fd00::/8]");
	vars = config_vars_create(c->inspection, &at, reason, sizeof(reason));
	assert_non_null(vars);
	assert_resolves(vars, RULE_VARS_ADDRESSES, "$SMB_NET",
		addr_from_ipv4((uint8_t[]){10, 1, 0, 0}), addr_from_ipv4((uint8_t[]){10, 9, 0, 0}));
	assert_resolves(vars, RULE_VARS_ADDRESSES, "$HTTP_SERVERS",
		addr_from_ipv4((uint8_t[]){10, 1, 0, 0}), addr_from_ipv4((uint8_t[]){11, 0, 0, 0}));
	assert_resolves(vars, RULE_VARS_PORTS, "$SSH_PORTS", (struct addr){.low = 22},
		(struct addr){.low = 23});
	assert_resolves(vars, RULE_VARS_PORTS, "$WEB_PORT", (struct addr){.low = 85},
		(struct addr){.low = 91});
	rule_vars_free(vars);
	config_free(c);
}

static void variables_that_mean_nothing_are_refused(void **state)
{
	assert_fault(ENTRY("variables: {HOME_NET: 10.0.0}"), 7, 27,
		"inspection[0].variables.HOME_NET",
		"\"10.0.0\" is no address: 10.0.0.1, 10.0.0.0/8, 10.0.0.1-10.0.0.9, their like in "
		"IPv6 or any is right");
	assert_fault(ENTRY("variables: {MY_PORTS: 65536}"), 7, 27,
		"inspection[0].variables.MY_PORTS",
		"\"65536\" is no port: a number up to 65535, a span like 1024:2048 or any is "
		"right");
	assert_fault(ENTRY("variables: {A: $B}"), 7, 27, "inspection[0].variables.A",
		"address variable $B is not defined");
	assert_fault(ENTRY("variables: {A: $B, B: '[10.0.0.1,$A]'}"), 7, 27,
		"inspection[0].variables.A", "is defined by itself: give addresses or ports");
	assert_fault(ENTRY("variables: {A: []}"), 7, 27, "inspection[0].variables.A",
		"must be what rules take, in up to 1023 characters, such as "
		"\"[10.0.0.0/8,!10.1.0.0/16]\" or 1024:2048, not a list");
	assert_fault(ENTRY("variables: {A: {b: c}}"), 7, 27, "inspection[0].variables.A",
		"must be what rules take, in up to 1023 characters, such as "
		"\"[10.0.0.0/8,!10.1.0.0/16]\" or 1024:2048, not a mapping");
	assert_fault(ENTRY("variables: {9A: any}"), 7, 27, "inspection[0].variables.9A",
		"\"9A\" is no name of a variable");
	assert_fault(ENTRY("variables: [A]"), 7, 15, "inspection[0].variables",
		"must be a mapping, such as {NAME: VALUE}, not a list");
	/* The longest name that begins another is no name of it. */
	config_free(decode_good(ENTRY("variables: {A: $A_B, A_B: any}")));
}

/* n of them; the caller frees the text. */
static char *with_variables(unsigned n)
{
	char *text = malloc(sizeof(WORLD) + 64 + n * 32);
	char *end = text + sprintf(text, "%s", WORLD "inspection: [{tenant: t, variables: {");

	for (unsigned i = 0; i < n; i++)
		end += sprintf(end, "V%u: any, ", i);
	sprintf(end, "}}]\n");
	return text;
}

static void variables_are_limited(void **state)
{
	char *text = with_variables(CONFIG_VARIABLES_MAX);

	config_free(decode_good(text));
	free(text);
	text = with_variables(CONFIG_VARIABLES_MAX + 1);
	assert_fault(text, 6, 26, "inspection[0].variables", "has 65 names: at most 64 are taken");
	free(text);
}

static void a_tenant_has_one_entry_and_a_network(void **state)
{
	assert_fault(WORLD "inspection:\n- {mode: detect}\n", 7, 3, "inspection[0]",
		"field \"tenant\" is missing: give the tenant's name, as networks give it");
	assert_fault(WORLD "inspection:\n- {tenant: t}\n- {tenant: u}\n- {tenant: t}\n", 9, 4,
		"inspection[2].tenant",
		"\"t\" is the tenant of inspection[0], too: put all its fields into one entry");
	assert_warning(WORLD "inspection: [{tenant: other}]\n", "inspection[0].tenant",
		"no network is tenant other's: nothing is inspected");
	assert_warning("networks: [{name: acme}]\ninspection: [{tenant: acne}]\n",
		"inspection[0].tenant",
		"no network is tenant acne's: nothing is inspected; did you mean \"acme\"?");
}

static void files_of_rules_have_names(void **state)
{
	static const char *const bad[] = {"''", "../smb.rules", "a/../b", "a//b", "a/", ".",
		"'smb rules'", "[a]", "1", "\"a\\u0001\""};
	char text[2048];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct config *c;

		snprintf(text, sizeof(text), ENTRY("rules: [%s]"), bad[i]);
		c = decode(text);
		print_message("%s\n", bad[i]);
		assert_null(c);
		assert_int_equal(report.n_errors, 1);
		assert_non_null(strstr(report.messages[0].text,
			"must be a file's name such as smb.rules, below vswitch.rules, or its "
			"absolute path; without blanks and \"..\", not "));
	}
	assert_fault(ENTRY("rules: [/a/../b]"), 7, 23, "inspection[0].rules[0]",
		"must be a path without \"..\", not \"/a/../b\"");
	assert_fault(ENTRY("rules: [a, a]"), 7, 26, "inspection[0].rules[1]",
		"is in the list twice: remove one");
	config_free(decode_good(ENTRY("rules: [..a, a..b/c.d]")));
}

static void limits_are_held(void **state)
{
	assert_fault(ENTRY("services: [0]"), 7, 26, "inspection[0].services[0]",
		"must be a whole number from 1 to 65535, not 0");
	assert_fault(ENTRY("services: []"), 7, 15, "inspection[0].services",
		"must name at least one TCP port, such as [139, 445]; for no inspection leave the "
		"tenant's entry out");
	assert_fault(ENTRY("mode: block"), 7, 15, "inspection[0].mode",
		"must be one of detect, prevent, not \"block\"");
	assert_fault(ENTRY("memory: 0"), 7, 15, "inspection[0].memory",
		"must be a whole number of MiB from 1 to 65536, not 0");
	assert_fault(ENTRY("uninspected: {engine: inspect}"), 7, 29,
		"inspection[0].uninspected.engine", "must be one of drop, pass, not \"inspect\"");
	assert_fault(ENTRY("uninspected: {midstream: ignore}"), 7, 29,
		"inspection[0].uninspected.midstream",
		"must be one of drop, pass, inspect, not \"ignore\"");
	assert_fault(ENTRY("quarantine: {level: vm}"), 7, 28, "inspection[0].quarantine.level",
		"must be one of none, flow, service, port, not \"vm\"");
	assert_fault(ENTRY("budget: {packet: 0}"), 7, 24, "inspection[0].budget.packet",
		"must be a time from 10us to 1000000us, such as 5000us, not 0");
	assert_fault(ENTRY("fan-out: {failed: 101}"), 7, 25, "inspection[0].fan-out.failed",
		"must be a whole number from 0 to 100, not 101");
	assert_fault(ENTRY("fan-out: {hosts: 257}"), 7, 25, "inspection[0].fan-out.hosts",
		"must be a whole number from 1 to 256, not 257");
	assert_fault(ENTRY("fan-outs: {}"), 7, 15, "inspection[0].fan-outs",
		"unknown field; did you mean \"fan-out\"? Known are tenant, mode, rules, "
		"skip-unsupported, quarantine, services, uninspected, memory, budget, variables, "
		"overrides, fan-out");
}

static void ports_that_are_exempt_are_the_tenants(void **state)
{
	assert_fault(ENTRY("mode: prevent, quarantine: {exempt: [files, gone]}"), 7, 59,
		"inspection[0].quarantine.exempt[1]",
		"port \"gone\" does not exist: add it under ports, or name one that does");
	assert_fault(ENTRY("fan-out: {exempt: [theirs]}"), 7, 34, "inspection[0].fan-out.exempt[0]",
		"port \"theirs\" is of tenant u: name one of tenant t");
}

static void what_stays_allowed_is_one_protocol(void **state)
{
	assert_fault(ENTRY("mode: prevent, quarantine: {allow: [{ports: 67}]}"), 7, 51,
		"inspection[0].quarantine.allow[0]",
		"field \"protocol\" is missing: give a protocol such as udp");
	assert_fault(ENTRY("mode: prevent, quarantine: {allow: [{protocol: any}]}"), 7, 52,
		"inspection[0].quarantine.allow[0].protocol",
		"must be one protocol: an entry for each, such as tcp and udp");
	assert_fault(ENTRY("mode: prevent, quarantine: {allow: [{protocol: icmp, ports: 7}]}"), 7,
		68, "inspection[0].quarantine.allow[0].ports",
		"needs a protocol that has ports: say protocol: tcp, udp, sctp, dccp or udplite");
	assert_fault(ENTRY("mode: prevent, quarantine: {allow: [{protocol: udp, remote: '::/0'}]}"),
		7, 67, "inspection[0].quarantine.allow[0].remote",
		"must be any for both families, or IPv6 addresses without ::ffff:0:0/96 such as "
		"2000::/3, not \"::/0\"");
}

static void overrides_are_about_something(void **state)
{
	assert_fault(ENTRY("overrides: [{sid: 1}]"), 7, 27, "inspection[0].overrides[0]",
		"field \"action\" is missing: give disable, alert, drop, quarantine or suppress");
	assert_fault(ENTRY("overrides: [{action: drop}]"), 7, 27, "inspection[0].overrides[0]",
		"needs exactly one of \"sid\" and \"classtype\": which rules it is about");
	assert_fault(ENTRY("overrides: [{sid: 1, classtype: a, action: drop}]"), 7, 27,
		"inspection[0].overrides[0]",
		"needs exactly one of \"sid\" and \"classtype\": which rules it is about");
	assert_fault(ENTRY("overrides: [{sid: 0, action: drop}]"), 7, 28,
		"inspection[0].overrides[0].sid",
		"must be a whole number from 1 to 4294967295, not 0");
	assert_fault(ENTRY("overrides: [{classtype: a, gid: 3, action: drop}]"), 7, 42,
		"inspection[0].overrides[0].gid", "means nothing without a sid: give both");
	assert_fault(ENTRY("overrides: [{sid: 1, action: drop, track: by_src}]"), 7, 50,
		"inspection[0].overrides[0].track", "is of action: suppress only");
	assert_fault(ENTRY("overrides: [{sid: 1, action: drop, addresses: any}]"), 7, 50,
		"inspection[0].overrides[0].addresses", "is of action: suppress only");
	assert_fault(ENTRY("overrides: [{sid: 1, action: suppress, addresses: '$NOBODY'}]"), 7, 54,
		"inspection[0].overrides[0].addresses", "address variable $NOBODY is not defined");
}

static void overrides_of_the_same_rules(void **state)
{
	assert_warning(ENTRY("overrides: [{sid: 1, action: drop}, {sid: 1, gid: 1, action: "
			     "alert}]"),
		"inspection[0].overrides[1]",
		"is about the same rules as overrides[0], which has no effect: remove it");
	assert_warning(ENTRY("overrides: [{sid: 1, action: drop}, {sid: 1, gid: 2, action: alert}, "
			     "{sid: 1, action: suppress}, {classtype: a, action: drop}]"),
		"", "");
}

static void what_is_odd_is_said(void **state)
{
	assert_warning(ENTRY("quarantine: {for: 1h}"), "inspection[0].quarantine",
		"in mode detect nobody is cut off, events only say who would be: say mode: "
		"prevent");
	assert_warning(ENTRY("quarantine: {level: service, for: 0}"), "", "");
	assert_warning(ENTRY("mode: prevent, quarantine: {level: port, allow: [{protocol: udp, "
			     "ports: 53}, {protocol: tcp, ports: 67}]}"),
		"inspection[0].quarantine.allow",
		"lets no DHCP pass (protocol: udp, ports: 67): a guest at level port loses its "
		"address when its lease ends");
	assert_warning(ENTRY("mode: prevent, quarantine: {level: port, allow: [{protocol: udp, "
			     "ports: 60-70}]}"),
		"", "");
	assert_warning(ENTRY("uninspected: {encrypted: drop}"),
		"inspection[0].uninspected.encrypted",
		"shares that demand SMB 3 encryption cannot be used: no key is known here, so "
		"nothing encrypted is ever inspected");
	assert_warning(ENTRY("uninspected: {midstream: drop}"),
		"inspection[0].uninspected.midstream",
		"connections that run when the switch starts, or when a guest arrives by "
		"migration, are cut: clients must open them anew");
	assert_warning(ENTRY("memory: 257"), "inspection[0].memory",
		"is never reached: vswitch.inspection-memory is 256 MiB in all");
}

/* As state files, `config show` and `config rollback` have it. */
static void the_canonical_document_reads_back(void **state)
{
	struct config *c = decode_good(full), *again;
	json_t *tree = config_encode(c), *tree_again;
	char *yaml = config_yaml_out(tree);

	assert_non_null(yaml);
	again = decode_good(yaml);
	tree_again = config_encode(again);
	assert_true(json_equal(tree, tree_again));
	assert_int_equal(report.n_warnings, 0);
	json_decref(tree);
	json_decref(tree_again);
	config_free(c);
	config_free(again);
	free(yaml);
}

/* What is equal is shared with the document before; what is not is encoded anew. */
static void encoding_by_the_one_before(void **state)
{
	struct config *before = decode_good(full), *after = decode_good(full);
	json_t *encoded = config_encode(before), *tree;

	after->inspection->overrides[3].sid = 6;
	memcpy(after->inspection->variables[0].name, "SMC_NET", 8);
	tree = config_encode_like(after, before, encoded);
	assert_false(json_equal(tree, encoded));
	json_decref(encoded);
	encoded = config_encode(after);
	assert_true(json_equal(tree, encoded));
	json_decref(tree);
	json_decref(encoded);
	config_free(before);
	config_free(after);
}

/* The difference between full and full with `from` replaced. */
static void assert_diff(const char *from, const char *to, const char *lines)
{
	const char *at = strstr(full, from);
	struct config *a = decode_good(full), *b;
	json_t *ja = config_encode(a), *jb, *diff;
	char text[4096], *printed;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - full), full, to, at + strlen(from));
	b = decode_good(text);
	jb = config_encode(b);
	diff = config_diff(ja, jb);
	config_diff_print(diff, out);
	fclose(out);
	assert_string_equal(printed, lines);
	free(printed);
	json_decref(diff);
	json_decref(ja);
	json_decref(jb);
	config_free(a);
	config_free(b);
}

static void differences_name_the_field(void **state)
{
	assert_diff("mode: prevent", "mode: detect", "~ inspection[t].mode: prevent -> detect\n");
	assert_diff(
		"level: port", "level: flow", "~ inspection[t].quarantine.level: port -> flow\n");
	assert_diff("SSH_PORTS: 22", "SSH_PORTS: 23",
		"~ inspection[t].variables.SSH_PORTS: \"22\" -> \"23\"\n");
	assert_diff("[smb.rules, ", "[new.rules, ",
		"~ inspection[t].rules[0]: smb.rules -> new.rules\n");
	assert_diff("sid: 5, action: disable", "sid: 5, action: alert",
		"~ inspection[t].overrides[3].action: disable -> alert\n");
	assert_diff("- tenant: t\n", "- {tenant: u}\n- tenant: t\n",
		"+ inspection[u]: {\"tenant\": \"u\", \"mode\": \"detect\", \"rules\": [], "
		"\"skip-unsupported\": false, \"quarantine\": {\"level\": \"service\", \"for\": "
		"\"0s\", \"exempt-servers\": true, \"exempt\": [], \"exempt-addresses\": [], "
		"\"allow\": [{\"protocol\": "
		"\"udp\", \"ports\": 67, \"remote\": \"any\"}, {\"protocol\": \"udp\", \"ports\": "
		"547, \"remote\": \"any\"}, {\"protocol\": \"udp\", \"ports\": 53, \"remote\": "
		"\"any\"}, {\"protocol\": \"tcp\", \"ports\": 53, \"remote\": \"any\"}]}, "
		"\"services\": [139, 445], \"uninspected\": {\"midstream\": \"inspect\", "
		"\"encrypted\": \"pass\", \"compressed\": \"drop\", \"memory\": \"drop\", "
		"\"budget\": \"drop\", \"engine\": \"drop\", \"no-database\": \"drop\"}, "
		"\"memory\": 64, \"budget\": {\"packet\": \"5000us\", \"port\": 80, \"tenant\": "
		"90}, \"variables\": {}, \"overrides\": [], \"fan-out\": {\"enabled\": true, "
		"\"window\": \"60s\", \"hosts\": 20, \"failed\": 50, \"attempts\": 70, "
		"\"failed-hosts\": 5, \"detected\": 3, \"exempt\": []}}\n");
}

static void a_port_that_is_exempt_cannot_be_removed(void **state)
{
	struct config_doc *doc;
	struct config_error err;
	json_t *without;

	config_report_init(&report);
	doc = config_doc_from_yaml("f.yaml", full, strlen(full), &report);
	assert_non_null(doc);
	assert_null(config_edit_remove(config_doc_root(doc), "ports", "files", &err));
	assert_string_equal(err.text,
		"port files is used by quarantine.exempt of tenant t's inspection: change that "
		"first");
	assert_null(config_edit_remove(config_doc_root(doc), "ports", "scanner", &err));
	assert_string_equal(err.text,
		"port scanner is used by fan-out.exempt of tenant t's inspection: change that "
		"first");
	without = config_edit_remove(config_doc_root(doc), "ports", "theirs", &err);
	assert_non_null(without);
	json_decref(without);
	config_doc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_without_more_has_the_defaults),
		cmocka_unit_test(what_the_switch_itself_has),
		cmocka_unit_test(quarantine_is_decoded),
		cmocka_unit_test(all_else_is_decoded),
		cmocka_unit_test(overrides_are_decoded),
		cmocka_unit_test(variables_are_what_rules_take),
		cmocka_unit_test(variables_that_mean_nothing_are_refused),
		cmocka_unit_test(variables_are_limited),
		cmocka_unit_test(a_tenant_has_one_entry_and_a_network),
		cmocka_unit_test(files_of_rules_have_names),
		cmocka_unit_test(limits_are_held),
		cmocka_unit_test(ports_that_are_exempt_are_the_tenants),
		cmocka_unit_test(what_stays_allowed_is_one_protocol),
		cmocka_unit_test(overrides_are_about_something),
		cmocka_unit_test(overrides_of_the_same_rules),
		cmocka_unit_test(what_is_odd_is_said),
		cmocka_unit_test(the_canonical_document_reads_back),
		cmocka_unit_test(encoding_by_the_one_before),
		cmocka_unit_test(differences_name_the_field),
		cmocka_unit_test(a_port_that_is_exempt_cannot_be_removed),
	};

	return cmocka_run_group_tests_name("config_inspection", tests, NULL, NULL);
}
