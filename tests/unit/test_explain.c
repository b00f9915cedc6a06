/*
 * explain from a configuration alone: every step's verdict and words, the packets that questions
 * make, and what is said to questions that cannot be answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drop.h"
#include "explain.h"
#include "explain_frame.h"
#include "policy_rig.h"

#define PORT(name, n, more)                                                                        \
	"- {name: " name ", network: office, kernel: {interface: " name "}, mac: "                 \
	"\"02:00:00:00:00:0" n "\", ips: [10.0.0." n ", \"fd00::" n "\"]" more "}\n"

static const char text[] =
	"tenants: [{name: acme}, {name: quiet, audit: yes}]\n"
	"networks:\n"
	"- {name: office, tenant: acme}\n"
	"- {name: lab, tenant: quiet, unknown-unicast: drop}\n"
	"groups:\n"
	"- name: server\n"
	"  tenant: acme\n"
	"  rules:\n"
	"  - {name: smb, direction: in, protocol: tcp, ports: 445, remote: 10.0.0.0/24, action: "
	"allow}\n"
	"  - {direction: in, protocol: udp, ports: 53, action: reject}\n"
	"  - {direction: in, protocol: icmp, type: 8, action: allow}\n"
	"  - {direction: in, protocol: icmpv6, type: 128, action: allow}\n"
	"  - {direction: in, protocol: sctp, ports: 9, action: allow}\n"
	"  - {direction: in, protocol: 47, action: allow}\n"
	"- name: mute\n"
	"  tenant: acme\n"
	"  rules:\n"
	"  - {direction: out, protocol: tcp, ports: 25, action: deny}\n"
	"ports:\n" PORT("a", "1", ", groups: [mute]") PORT(
		"b", "2", ", groups: [server], pairs: [{ip: 10.9.0.0/24}]") PORT("i", "3",
		", isolated: true") PORT("j", "4", ", isolated: true") PORT("r", "5",
		", trusted: true") "- {name: bare, network: office, kernel: {interface: bare}}\n"
				   "- {name: x, network: lab, kernel: {interface: x}, mac: "
				   "\"02:00:00:00:00:01\", ips: "
				   "[10.0.0.1]}\n"
				   "- {name: y, network: lab, kernel: {interface: y}, mac: "
				   "\"02:00:00:00:00:02\", ips: "
				   "[10.0.0.2]}\n";

static struct config *config;
static struct policy *policy;
static struct rig_blocks blocks;

static int setup(void **state)
{
	struct config_report report;

	config = rig_config(text);
	rig_block(&blocks, "tcp/3389", "any", "any", "", "", BLOCK_BOTH);
	policy = rig_policy_with(config, &blocks, NULL, &report);
	return 0;
}

static int teardown(void **state)
{
	policy_free(policy);
	config_free(config);
	return 0;
}

static json_t *ask(const struct explain_question *question, char *err, size_t err_len)
{
	const struct explain_world world = {.config = config, .policy = policy};

	return explain(&world, question, err, err_len);
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *value = json_string_value(json_object_get(object, member));

	return value != NULL ? value : "";
}

static const json_t *step_of(const json_t *result, const char *name)
{
	const json_t *each;
	size_t i;

	json_array_foreach (json_object_get(result, "steps"), i, each)
		if (strcmp(text_of(each, "step"), name) == 0)
			return each;
	return NULL;
}

/* The verdict, the reason ("": none), and a step with its verdict and a part of what it says. */
static void answers_at(const struct explain_question *question, const char *verdict,
	const char *reason, const char *step, const char *step_verdict, const char *says,
	const char *file, int line)
{
	char err[512] = "", *whole;
	json_t *result = ask(question, err, sizeof(err));
	const json_t *found = step_of(result, step);

	if (result != NULL && strcmp(text_of(result, "verdict"), verdict) == 0 &&
		strcmp(text_of(result, "reason"), reason) == 0 &&
		strcmp(text_of(found, "verdict"), step_verdict) == 0 &&
		strstr(text_of(found, "says"), says) != NULL) {
		assert_int_equal(explain_is_negative(result), strcmp(verdict, "pass") != 0);
		json_decref(result);
		return;
	}
	whole = result != NULL ? json_dumps(result, JSON_INDENT(1)) : NULL;
	print_error("%s\n", whole != NULL ? whole : err);
	free(whole);
	json_decref(result);
	_fail(file, line);
}

#define answers(verdict, reason, step, step_verdict, says, ...)                                    \
	answers_at(&(struct explain_question){__VA_ARGS__}, verdict, reason, step, step_verdict,   \
		says, __FILE__, __LINE__)

static void test_rules(void **state)
{
	answers("pass", "", "in", "allow", "rule 0 (smb) of group server of port b says allow: {",
		.from = "a", .to = "b", .service = "tcp/445");
	answers("pass", "", "out", "allow", "no rule of port a says anything: default-out is allow",
		.from = "a", .to = "10.0.0.2", .service = "tcp/445");
	answers("drop", "policy_in", "in", "deny", "default-in is deny", .from = "a", .to = "b",
		.service = "tcp/446");
	answers("drop", "policy_in", "in", "deny", "default-in", .from = "a", .to = "fd00::2",
		.service = "tcp/445");
	answers("reject", "policy_in", "verdict", "reject", "the sender is told", .from = "a",
		.to = "b", .service = "udp/53");
	answers("reject", "policy_in", "in", "reject", "rule 1 of group server of port b",
		.from = "a", .to = "b", .service = "udp/53");
	answers("drop", "policy_out", "out", "deny", "rule 0 of group mute of port a", .from = "a",
		.to = "b", .service = "tcp/25");
	answers("pass", "", "out", "allow", "port r is trusted: no rules", .from = "r", .to = "b",
		.service = "icmp");
	answers("pass", "", "in", "allow", "trusted", .from = "a", .to = "r", .service = "tcp/1");
	answers("drop", "blocked", "out", "deny", "emergency block 100 shuts it at port a",
		.from = "a", .to = "r", .service = "tcp/3389");
	answers("pass", "", "out", "allow", "DHCP passes always", .from = "a", .to = "r",
		.service = "udp/67", .source_port = 68);
}

static void test_audit(void **state)
{
	answers("pass", "", "audit", "pass", "tenant quiet is in audit mode", .from = "x",
		.to = "y", .service = "tcp/445");
	answers("drop", "blocked", "out", "deny", "block", .from = "x", .to = "y",
		.service = "tcp/3389");
}

static void test_protocols(void **state)
{
	answers("pass", "", "in", "allow", "rule 2", .from = "a", .to = "b", .service = "icmp");
	answers("pass", "", "in", "allow", "rule 2", .from = "a", .to = "b", .service = "icmp/8");
	answers("drop", "policy_in", "in", "deny", "default", .from = "a", .to = "b",
		.service = "icmp/13");
	answers("pass", "", "in", "allow", "rule 3", .from = "a", .to = "fd00::2",
		.service = "icmpv6");
	answers("pass", "", "in", "allow", "rule 3", .from = "a", .to = "fd00::2",
		.service = "icmp");
	answers("pass", "", "in", "allow", "rule 4", .from = "a", .to = "b", .service = "sctp/9");
	answers("pass", "", "in", "allow", "rule 5", .from = "a", .to = "b", .service = "47");
	answers("drop", "icmp_unrelated", "rules", "drop", "icmp_unrelated", .from = "a", .to = "b",
		.service = "icmp/0");
	answers("drop", "icmp_unrelated", "rules", "drop", "icmp_unrelated", .from = "a", .to = "b",
		.service = "icmp/3.3");
}

static void test_guard(void **state)
{
	answers("drop", "spoof_ipv4", "guard", "drop", "spoof_ipv4", .from = "a", .to = "b",
		.service = "tcp/445", .from_address = "10.0.0.9");
	answers("drop", "spoof_ipv6", "guard", "drop", "spoof_ipv6", .from = "a", .to = "fd00::2",
		.service = "tcp/445", .from_address = "fd00::9");
	answers("pass", "", "guard", "pass", "port r is trusted", .from = "r", .to = "b",
		.service = "tcp/445", .from_address = "10.0.0.9");
	answers("drop", "rogue_dhcp", "guard", "drop", "", .from = "a", .to = "b",
		.service = "udp/68", .source_port = 67);
	answers("pass", "", "guard", "pass", "may send from these", .from = "b", .to = "r",
		.service = "tcp/1", .from_address = "10.9.0.77");
}

static void test_destinations(void **state)
{
	answers("pass", "", "destination", "pass", "port b: it has the address", .from = "a",
		.to = "10.0.0.2", .service = "tcp/445");
	answers("pass", "", "destination", "pass", "port b: it has the address", .from = "r",
		.to = "10.9.0.3", .service = "47");
	answers("drop", "isolated", "destination", "drop", "isolated", .from = "i", .to = "j",
		.service = "tcp/1");
	answers("drop", "hairpin", "destination", "drop", "", .from = "a", .to = "a",
		.service = "tcp/1");
	answers("drop", "no_receiver", "destination", "drop", "", .from = "a", .to = "y",
		.service = "tcp/1");
}

/* The Ethernet header of most packets: from a to b, IPv4 or as type says. */
#define A_TO_B "02:00:00:00:00:02 02:00:00:00:00:01 "
#define IP(len, field, proto, from, to)                                                            \
	"0800 4500" len "0001" field "40" proto "0000 0a0000" from "0a0000" to
#define SYN "c000 01bd 00000000 00000000 5002 2000 0000 0000"
#define ACK "c000 01bd 00000000 00000000 5010 2000 0000 0000"

static void test_bytes(void **state)
{
	answers("pass", "", "destination", "pass", "port b: its MAC is configured", .from = "a",
		.packet = A_TO_B IP("0028", "0000", "06", "01", "02") SYN);
	answers("drop", "tcp_no_connection", "connection", "none", "opens none", .from = "a",
		.packet = A_TO_B IP("0028", "0000", "06", "01", "02") ACK);
	answers("drop", "ip_malformed", "parse", "drop", "", .from = "a",
		.packet = A_TO_B IP("0028", "0000", "06", "01", "02") "c000");
	answers("drop", "frame_short", "parse", "drop", "", .from = "a", .packet = "0200");
	answers("drop", "frame_short", "parse", "drop", "", .from = "a", .packet = "");
	answers("drop", "src_mac_invalid", "guard", "drop", "", .from = "bare",
		.packet = "020000000002 030000000001 88cc");
	answers("drop", "src_mac_static", "source", "drop", "", .from = "bare",
		.packet = A_TO_B "0806 0001080006040001 020000000001 0a000001 000000000000 "
				 "0a000002");
	answers("drop", "vlan_tagged", "guard", "drop", "", .from = "a",
		.packet = A_TO_B "8100 0064" IP("0028", "0000", "06", "01", "02") SYN);
	answers("drop", "reserved_multicast", "guard", "drop", "", .from = "a",
		.packet = "0180c200000e 020000000001 88cc");
	answers("drop", "ethertype", "guard", "drop", "", .from = "a",
		.packet = A_TO_B "88b5 00000000");
	answers("drop", "spoof_mac", "guard", "drop", "", .from = "a",
		.packet = "020000000002 020000000009" IP("0028", "0000", "06", "01", "02") SYN);
}

static void test_neighbours(void **state)
{
	answers("pass", "", "rules", "pass", "not the rules' matter", .from = "a",
		.packet = A_TO_B "0806 0001080006040002 020000000001 0a000001 020000000002 "
				 "0a000002");
	answers("drop", "spoof_arp", "guard", "drop", "", .from = "a",
		.packet = A_TO_B "0806 0001080006040002 020000000001 0a000009 020000000002 "
				 "0a000002");
	answers("pass", "", "in", "allow", "goes to b, r, bare", .from = "a",
		.packet = "ffffffffffff 020000000001 0806 0001080006040001 020000000001 0a000001 "
			  "000000000000 0a000002");
	answers("drop", "rogue_ra", "guard", "drop", "", .from = "a",
		.packet = "333300000001 020000000001 86dd 60000000 0010 3a ff "
			  "fe800000000000000000000000000001 ff020000000000000000000000000001 "
			  "8600 0000 00000000 00000000 00000000");
}

static void test_many(void **state)
{
	/* b's rules let nobody in from port 9; r's are none. */
	answers("pass", "", "in", "allow", "goes to r", .from = "a",
		.packet = "ffffffffffff 020000000001" IP(
			"001c", "0000", "11", "01", "ff") "c000 0009 0008 0000");
	answers("drop", "unknown_unicast", "destination", "drop", "", .from = "x",
		.packet = "020000000077 020000000001" IP(
			"001c", "0000", "11", "01", "77") "c000 0009 0008 0000");
	answers("drop", "policy_in", "in", "deny", "is refused by the rules of bare", .from = "a",
		.packet = "020000000077 020000000001" IP(
			"001c", "0000", "11", "01", "77") "c000 0009 0008 0000");
}

#define PAYLOAD_232                                                                                \
	"c000003501e00000" P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8)   \
		P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8) P(8)
#define P(n) "0000000000000000"

static void test_fragments(void **state)
{
	answers("reject", "policy_in", "fragments", "wait", "waits for the rest", .from = "a",
		.packet = A_TO_B IP("00fc", "2000", "11", "01", "02") PAYLOAD_232);
	answers("wait", "", "fragments", "wait", "waits for the first fragment", .from = "a",
		.packet = A_TO_B IP("00fc", "0040", "11", "01", "02") PAYLOAD_232);
	answers("drop", "fragment_invalid", "fragments", "drop", "", .from = "a",
		.packet = A_TO_B IP("001c", "2040", "11", "01", "02") "0000000000000000");
}

/* What an ICMP error quotes is named. */
static void test_errors_of_icmp(void **state)
{
	const struct explain_question q = {.from = "b",
		.packet = "020000000001 020000000002" IP("0038", "0000", "01", "02",
			"01") "0303 0000 00000000 4500001c00010000401100000a0000010a000002 "
			      "c000 0035 0008 0000"};
	char err[256];
	json_t *result = ask(&q, err, sizeof(err)), *quotes;

	assert_non_null(result);
	assert_string_equal(text_of(result, "reason"), "icmp_unrelated");
	assert_string_equal(text_of(step_of(result, "connection"), "verdict"), "none");
	quotes = json_object_get(json_object_get(result, "packet"), "quotes");
	assert_string_equal(text_of(quotes, "source"), "10.0.0.1");
	assert_string_equal(text_of(quotes, "protocol"), "udp");
	assert_int_equal(json_integer_value(json_object_get(quotes, "destination_port")), 53);
	json_decref(result);
}

static void refuses_at(
	const struct explain_question *question, const char *says, const char *file, int line)
{
	char err[512] = "";
	json_t *result = ask(question, err, sizeof(err));

	if (result == NULL && strstr(err, says) != NULL)
		return;
	print_error("\"%s\" does not say \"%s\"\n", err, says);
	json_decref(result);
	_fail(file, line);
}

#define refuses(says, ...)                                                                         \
	refuses_at(&(struct explain_question){__VA_ARGS__}, says, __FILE__, __LINE__)

static void test_questions(void **state)
{
	char *hex = malloc(2 * EXPLAIN_FRAME_MAX + 3);

	assert_non_null(hex);
	memset(hex, '0', 2 * EXPLAIN_FRAME_MAX + 2);
	hex[2 * EXPLAIN_FRAME_MAX + 2] = '\0';
	refuses("(none) does not exist", .to = "b", .service = "tcp/1");
	refuses("port z does not exist", .from = "z", .to = "b", .service = "tcp/1");
	refuses("say where it goes", .from = "a", .service = "tcp/1");
	refuses("no other port of network office has the address 10.0.0.77", .from = "a",
		.to = "10.0.0.77", .service = "tcp/1");
	refuses("--to zz is neither", .from = "a", .to = "zz", .service = "tcp/1");
	refuses("--to 10.0.0.0/24 is neither", .from = "a", .to = "10.0.0.0/24",
		.service = "tcp/1");
	refuses("port bare has no ips", .from = "a", .to = "bare", .service = "tcp/1");
	refuses("port bare has no IPv4 address", .from = "bare", .to = "b", .service = "tcp/1");
	refuses("give one IPv4 address", .from = "a", .to = "b", .service = "tcp/1",
		.from_address = "fd00::1");
	refuses("give one IPv6 address", .from = "a", .to = "fd00::2", .service = "tcp/1",
		.from_address = "fd00::/64");
	refuses("no service is given", .from = "a", .to = "b");
	refuses("tcp/x: say what", .from = "a", .to = "b", .service = "tcp/x");
	refuses("name one protocol", .from = "a", .to = "b", .service = "any");
	refuses("between IPv6 addresses only", .from = "a", .to = "b", .service = "icmpv6");
	refuses("between IPv4 addresses only", .from = "a", .to = "fd00::2", .service = "icmp/13");
	refuses("there are 1 to 65535", .from = "a", .to = "b", .service = "tcp/1",
		.source_port = 65536);
	refuses("byte 1 is not two hex digits", .from = "a", .packet = "02 0x");
	refuses("byte 1 is not two hex digits", .from = "a", .packet = "02 0");
	refuses("give 2048 bytes at the most", .from = "a", .packet = hex);
	refuses("leave out SERVICE", .from = "a", .packet = "02", .service = "tcp/1");
	refuses("leave out SERVICE", .from = "a", .packet = "02", .to = "b");
	hex[2 * EXPLAIN_FRAME_MAX] = '\0';
	answers("drop", "src_mac_invalid", "guard", "drop", "", .from = "bare", .packet = hex);
	free(hex);
}

/* Any bytes get an answer, which ends with a verdict and names a reason where it is not to pass. */
static void test_garbage(void **state)
{
	static const char digits[] = "0123456789abcdef";
	static const char *const begins[] = {"", A_TO_B,
		A_TO_B IP("0028", "0000", "06", "01", "02"), A_TO_B "86dd 60000000",
		A_TO_B "8100 0064 0800 45"};
	static const char *const from[] = {"a", "r", "bare"};
	uint64_t seed = 88172645463325252;
	char hex[512], err[256];

	for (unsigned n = 0; n < 20000; n++) {
		size_t len = (size_t)snprintf(hex, sizeof(hex), "%s", begins[n % 5]), i;
		const struct explain_question q = {.from = from[n % 3], .packet = hex};
		json_t *result;
		const json_t *steps;

		for (i = 2 * (n % 97); i > 0; i--, seed = seed * 6364136223846793005 + 1)
			hex[len++] = digits[seed >> 60];
		hex[len] = '\0';
		result = ask(&q, err, sizeof(err));
		assert_non_null(result);
		steps = json_object_get(result, "steps");
		assert_string_equal(
			text_of(json_array_get(steps, json_array_size(steps) - 1), "step"),
			"verdict");
		assert_true((text_of(result, "reason")[0] != '\0') ==
			    (strcmp(text_of(result, "verdict"), "drop") == 0 ||
				    strcmp(text_of(result, "verdict"), "reject") == 0));
		json_decref(result);
	}
}

/* The command's arguments, and the text that people get. */
static void test_command(void **state)
{
	const struct explain_world world = {.config = config, .policy = policy};
	json_t *args = json_pack("{s:s,s:s,s:s,s:i}", "from", "a", "to", "10.0.0.2", "service",
		"tcp/445", "source-port", 1234);
	char err[256];
	json_t *result = explain_command(&world, args, err, sizeof(err));
	const json_t *packet = json_object_get(result, "packet");

	assert_non_null(result);
	assert_string_equal(text_of(packet, "tenant"), "acme");
	assert_string_equal(text_of(packet, "source"), "10.0.0.1");
	assert_string_equal(text_of(packet, "destination"), "10.0.0.2");
	assert_string_equal(text_of(packet, "protocol"), "tcp");
	assert_int_equal(json_integer_value(json_object_get(packet, "source_port")), 1234);
	assert_int_equal(json_integer_value(json_object_get(packet, "destination_port")), 445);
	assert_string_equal(text_of(result, "to"), "b");
	assert_non_null(
		strstr(text_of(result, "text"), "\nverdict      pass    it passes to port b\n"));
	assert_string_equal(text_of(step_of(result, "in"), "group"), "server");
	assert_int_equal(json_integer_value(json_object_get(step_of(result, "in"), "rule")), 0);
	assert_string_equal(text_of(json_object_get(step_of(result, "in"), "rule_text"), "remote"),
		"10.0.0.0/24");
	json_decref(result);
	json_object_set_new(args, "to", json_string("nobody"));
	assert_null(explain_command(&world, args, err, sizeof(err)));
	json_decref(args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_errors_of_icmp),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
