/*
 * explain against the data path, on a whole switch: what it says of a packet's bytes is what then
 * happens to them, in hand-made cases and in thousands of random packets and configurations.
 */
#include "firewall_rig.h"

#include "quarantine_gate.h"
#include "switch_explain.h"

#define SMALL   "vswitch: {workers: [1], connections: 4096}\n"
#define NEVER   "firewall: {pick-up: 0}\n"
#define NET     "networks: [{name: n, tenant: t}]\n"
#define RULES   "groups:\n- name: g\n  tenant: t\n  rules:\n"
#define SMB     "  - {name: smb, direction: in, protocol: tcp, ports: 445, action: allow}\n"
#define DNS     "  - {direction: in, protocol: udp, ports: 53, action: allow}\n"
#define ECHO    "  - {direction: in, protocol: icmp, type: 8, action: allow}\n"
#define PORTS   "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]") HOST(c, 3, "")
#define SIMPLE  SMALL NEVER NET RULES SMB DNS ECHO PORTS
#define ROUNDS  80
#define PACKETS 80
#define SENDERS 6 /* in random rounds; the last is of another network */

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t any(uint32_t below)
{
	return frames_random(&seed) % below;
}

/* What explain says of a frame that comes in at the port. */
static json_t *explain_bytes(const char *port, const uint8_t *data, uint32_t len)
{
	char hex[2 * PACKET + 1] = "", err[512];
	json_t *args, *result;
	bool negative;

	for (uint32_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", data[i]);
	args = json_pack("{s:s,s:s}", "from", port, "packet", hex);
	result = switch_explain(args, &negative, err, sizeof(err));
	json_decref(args);
	if (result == NULL)
		fail_msg("%s", err);
	assert_int_equal(negative,
		strcmp(json_string_value(json_object_get(result, "verdict")), "pass") != 0);
	return result;
}

static const char *text_of(const json_t *result, const char *member)
{
	const char *text = json_string_value(json_object_get(result, member));

	return text != NULL ? text : "";
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

static bool names_port(const json_t *names, const char *port)
{
	const json_t *each;
	size_t i;

	json_array_foreach (names, i, each)
		if (strcmp(json_string_value(each), port) == 0)
			return true;
	return false;
}

/* Whether explain's answer has the packet leave by the port. */
static bool goes_to(const json_t *result, const char *port)
{
	const json_t *each;
	size_t i;

	if (strcmp(text_of(result, "verdict"), "pass") != 0)
		return false;
	if (text_of(result, "to")[0] != '\0')
		return strcmp(text_of(result, "to"), port) == 0;
	json_array_foreach (json_object_get(result, "steps"), i, each)
		if (names_port(json_object_get(each, "receivers"), port))
			return true;
	return false;
}

static void disagree(const json_t *result, const char *what, const char *port,
	const struct port_counters *before, const uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		print_error("%02x", data[i]);
	print_error("\n%s", text_of(result, "text"));
	for (int i = 0; i < DROP_REASONS; i++)
		if (rig_drops(port, (enum drop_reason)i) != before->drops[i])
			print_error("in fact %s\n", drop_name((enum drop_reason)i));
	fail_msg("packet from %s: %s", port, what);
}

static int reason_named(const char *name)
{
	for (int i = 0; i < DROP_REASONS; i++)
		if (strcmp(drop_name((enum drop_reason)i), name) == 0)
			return i;
	return -1;
}

/* Sends the bytes, and holds what becomes of them against the answer. */
static void hold_to(const json_t *result, const char *port, const uint8_t *data, uint32_t len)
{
	bool rejected = strcmp(text_of(result, "verdict"), "reject") == 0;
	int reason = reason_named(text_of(result, "reason"));
	struct port_counters before = rig_count(port), after;

	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (switch_state.ports[i]->dev != NULL)
			rig_take(switch_state.ports[i]->conf.name);
	rig_put(port, data, len);
	rig_settle();
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const char *name = switch_state.ports[i]->conf.name;
		unsigned got = switch_state.ports[i]->dev != NULL ? rig_take(name) : 0;

		/* The sender is told, as often as it may be. */
		if (rejected && strcmp(name, port) == 0 ? got > 1 : got != goes_to(result, name))
			disagree(result, got > 0 ? "it came out" : "it did not come out", port,
				&before, data, len);
	}
	after = rig_count(port);
	if (port_counters_dropped(&after, false) !=
		port_counters_dropped(&before, false) + (reason >= 0))
		disagree(result, reason >= 0 ? "it was not dropped" : "it was dropped", port,
			&before, data, len);
	if (reason >= 0 && after.drops[reason] != before.drops[reason] + 1)
		disagree(result, "it was dropped for another reason", port, &before, data, len);
}

/* What explain says is the verdict and reason that the test expects, and what happens. */
static void agrees_at(const char *port, const char *verdict, const char *reason, struct pkt k,
	const char *file, int line)
{
	uint32_t len = fw_make(&k);
	json_t *result = explain_bytes(port, fw_frame, len);

	if (strcmp(text_of(result, "verdict"), verdict) != 0 ||
		strcmp(text_of(result, "reason"), reason) != 0) {
		print_error("%s", text_of(result, "text"));
		_fail(file, line);
	}
	hold_to(result, port, fw_frame, len);
	json_decref(result);
}

#define agrees(port, verdict, reason, ...)                                                         \
	agrees_at(port, verdict, reason, (struct pkt){__VA_ARGS__}, __FILE__, __LINE__)

/* The last word of the connection step's verdict on k, which is not sent. */
static void connection_is_at(
	const char *port, const char *verdict, struct pkt k, const char *file, int line)
{
	json_t *result = explain_bytes(port, fw_frame, fw_make(&k));
	const char *got = text_of(step_of(result, "connection"), "verdict");

	if (strcmp(got, verdict) != 0) {
		print_error(
			"connection: %s instead of %s\n%s", got, verdict, text_of(result, "text"));
		_fail(file, line);
	}
	json_decref(result);
}

#define connection_is(port, verdict, ...)                                                          \
	connection_is_at(port, verdict, (struct pkt){__VA_ARGS__}, __FILE__, __LINE__)

static void test_tcp(void **state)
{
	rig_start(SIMPLE);
	connection_is("a", "none", TCP_A(TCP_SYN));
	agrees("a", "drop", "tcp_no_connection", TCP_A(TCP_ACK));
	agrees("b", "drop", "tcp_no_connection", TCP_B(SYN_ACK));
	agrees("a", "pass", "", TCP_A(TCP_SYN));
	connection_is("a", "known", TCP_A(TCP_SYN));
	agrees("b", "pass", "", TCP_B(SYN_ACK));
	agrees("a", "pass", "", TCP_A(TCP_ACK));
	agrees("b", "drop", "policy_in", B_A, .proto = TCP, .sport = 1, .dport = 445,
		.flags = TCP_SYN);
	agrees("a", "drop", "policy_in", A_B, .proto = TCP, .sport = 1, .dport = 446,
		.flags = TCP_SYN);
	agrees("a", "pass", "", TCP_A(FIN_ACK));
	agrees("b", "pass", "", TCP_B(FIN_ACK));
	agrees("a", "pass", "", TCP_A(TCP_ACK));
	connection_is("a", "replaced", TCP_A(TCP_SYN));
	agrees("a", "pass", "", TCP_A(TCP_SYN));
}

static void test_changed_rules(void **state)
{
	rig_start(SIMPLE);
	fw_handshake();
	connection_is("a", "known", TCP_A(TCP_ACK));
	rig_apply(NEVER NET RULES DNS PORTS);
	connection_is("a", "known", TCP_A(TCP_ACK));
	agrees("a", "drop", "policy_revoked", TCP_A(TCP_ACK));
	connection_is("a", "denied", TCP_A(TCP_ACK));
	agrees("a", "drop", "policy_revoked", TCP_A(TCP_ACK));
	agrees("b", "drop", "policy_revoked", TCP_B(TCP_ACK));
	agrees("a", "drop", "policy_in", TCP_A(TCP_SYN));
	rig_apply(NEVER NET RULES SMB PORTS);
	agrees("b", "pass", "", TCP_B(TCP_ACK));
	connection_is("a", "known", TCP_A(TCP_ACK));
}

static void test_icmp(void **state)
{
	const struct pkt quoted = {UDP_A};

	rig_start(SIMPLE);
	agrees("b", "drop", "icmp_unrelated", PONG_B);
	agrees("a", "pass", "", PING_A);
	agrees("b", "pass", "", PONG_B);
	agrees("b", "drop", "icmp_unrelated", B_A, .proto = ICMP, .type = 3, .code = 3,
		.quoted = &quoted);
	agrees("a", "pass", "", UDP_A);
	connection_is("b", "related", B_A, .proto = ICMP, .type = 3, .code = 3, .quoted = &quoted);
	agrees("b", "pass", "", B_A, .proto = ICMP, .type = 3, .code = 3, .quoted = &quoted);
	rig_apply(NEVER NET RULES SMB PORTS);
	agrees("b", "drop", "policy_revoked", B_A, .proto = ICMP, .type = 3, .code = 3,
		.quoted = &quoted);
	agrees("b", "drop", "icmp_unrelated", B_A, .proto = ICMP, .type = 3);
}

/* Within firewall.pick-up what is no start may be of a connection that is older, also as an answer.
 */
static void test_pick_up(void **state)
{
	rig_start(SMALL "firewall: {pick-up: 60s}\n" NET RULES SMB DNS ECHO PORTS);
	agrees("a", "drop", "policy_in", A_B, .proto = TCP, .sport = 1, .dport = 446,
		.flags = TCP_ACK);
	agrees("a", "pass", "", TCP_A(TCP_ACK));
	agrees("b", "pass", "", B_A, .proto = TCP, .sport = 445, .dport = 40001, .flags = TCP_ACK);
	agrees("b", "drop", "policy_in", B_A, .proto = UDP, .sport = 52, .dport = 40000);
	agrees("b", "pass", "", UDP_B);
	agrees("b", "pass", "", PONG_B);
	fw_pass_seconds(60);
	agrees("b", "drop", "policy_in", B_A, .proto = UDP, .sport = 53, .dport = 40001);
	agrees("b", "drop", "icmp_unrelated", B_A, .proto = ICMP, .type = 0, .ident = 78);
}

static void test_strict(void **state)
{
	rig_start(SMALL "firewall: {pick-up: 0, tcp: strict}\n" NET RULES SMB PORTS);
	agrees("a", "pass", "", TCP_A(TCP_SYN), .seq = 1000);
	agrees("b", "pass", "", TCP_B(SYN_ACK), .seq = 5000, .ack = 1001);
	agrees("a", "pass", "", TCP_A(TCP_ACK), .seq = 1001, .ack = 5001);
	agrees("a", "drop", "tcp_invalid", TCP_A(TCP_ACK), .seq = 9000000, .ack = 5001);
}

/* The guest of one end is at another port all of a sudden. */
static void test_moved(void **state)
{
	rig_start(SMALL NEVER NET RULES SMB "ports:\n" HOST(a, 1, "")
			HOST(b, 2, ", groups: [g]") "  - {name: d, network: n, kernel: {interface: "
						    "d}, trusted: true, groups: [g]}\n");
	fw_handshake();
	rig_apply(NEVER NET RULES SMB "ports:\n" HOST(
		a, 1, "") "  - {name: b, network: n, kernel: {interface: b}, ips: [10.0.0.9]}\n"
			  "  - {name: d, network: n, kernel: {interface: d}, trusted: true, mac: "
			  "\"02:00:00:00:00:02\"}\n");
	connection_is("a", "moved", TCP_A(TCP_ACK));
	agrees("a", "pass", "", TCP_A(TCP_ACK));
}

/* Each fragment waits; what explain says of the first is what becomes of all. */
static void test_fragments(void **state)
{
	struct pkt k = {UDP_A, .payload = 472};
	uint32_t len;
	json_t *result;

	rig_start(SIMPLE);
	for (unsigned refused = 0; refused < 2; refused++) {
		k.dport = refused ? 54 : 53;
		len = fw_make(&k);
		fw_frame[20] = 0x20; /* 240 of 480 bytes */
		put16(fw_frame + 16, 20 + 240);
		put16(fw_frame + 38, 480);
		result = explain_bytes("a", fw_frame, 14 + 20 + 240);
		assert_string_equal(text_of(result, "verdict"), refused ? "drop" : "pass");
		assert_string_equal(text_of(result, "reason"), refused ? "policy_in" : "");
		assert_string_equal(text_of(step_of(result, "fragments"), "verdict"), "wait");
		json_decref(result);
		rig_put("a", fw_frame, 14 + 20 + 240);
		rig_settle();
		assert_int_equal(rig_take("b"), 0);
		put16(fw_frame + 20, 240 / 8);
		result = explain_bytes("a", fw_frame, 14 + 20 + 240);
		assert_string_equal(text_of(result, "verdict"), "wait");
		json_decref(result);
		rig_put("a", fw_frame, 14 + 20 + 240);
		rig_settle();
		assert_int_equal(rig_take("b"), refused ? 0 : 2);
		assert_int_equal(rig_drops("a", DROP_policy_in), refused ? 2 : 0);
	}
	put16(fw_frame + 20, 0x2001);
	result = explain_bytes("a", fw_frame, 14 + 20 + 240);
	assert_string_equal(text_of(result, "reason"), "fragment_invalid");
	hold_to(result, "a", fw_frame, 14 + 20 + 240);
	json_decref(result);
	assert_true(len > 14 + 20 + 240);
}

/* Where nobody knows a MAC, by what was learned, and to a port that is not there. */
static void test_destinations(void **state)
{
	rig.broken = true;
	rig_start(SMALL NEVER NET "ports:\n" HOST(
		a, 1, "") "  - {name: b, network: n, kernel: {interface: b}, ips: [10.0.0.2], "
			  "default-in: "
			  "allow}\n"
			  "  - {name: c, network: n, kernel: {interface: c}, flood: \"off\"}\n"
			  "  - {name: d, network: n, kernel: {interface: broken}, mac: "
			  "\"02:00:00:00:00:04\"}\n");
	agrees("a", "pass", "", UDP_A);
	agrees("b", "drop", "policy_in", UDP_B);
	agrees("a", "pass", "", UDP_A);
	agrees("a", "drop", "no_receiver", .from = 1, .to = 4, .proto = UDP, .dport = 9);
	agrees("a", "drop", "hairpin", .from = 1, .to = 1, .proto = UDP, .dport = 9);
	agrees("c", "drop", "src_mac_static", .from = 1, .to = 2, .proto = UDP, .dport = 9);
	agrees("a", "drop", "spoof_mac", .from = 1, .to = 2, .mac_from = 2, .proto = UDP);
}

static void quarantine(const char *port, enum config_quarantine_level level)
{
	quarantine_gate_set(switch_find_port(port)->id, level);
}

/* Where the tenant has no inspection: an operator's own, by the usual services and allow-list. */
static void test_quarantined(void **state)
{
	rig_start(SIMPLE);
	fw_handshake();
	agrees("a", "pass", "", TCP_A(TCP_ACK));
	quarantine("b", CONFIG_QUARANTINE_SERVICE);
	agrees("a", "drop", "quarantined", TCP_A(TCP_ACK));
	agrees("b", "drop", "quarantined", TCP_B(TCP_ACK));
	agrees("a", "drop", "quarantined", A_B, .proto = TCP, .sport = 1, .dport = 139,
		.flags = TCP_SYN);
	agrees("a", "pass", "", PING_A);
	agrees("b", "pass", "", PONG_B);
	agrees("a", "drop", "policy_in", .from = 1, .to = 3, .proto = TCP, .dport = 445,
		.flags = TCP_SYN);
	quarantine("b", CONFIG_QUARANTINE_NONE);
	quarantine("a", CONFIG_QUARANTINE_PORT);
	agrees("a", "drop", "quarantined", PING_A);
	agrees("b", "drop", "quarantined", PONG_B);
	agrees("a", "pass", "", UDP_A);
	agrees("b", "pass", "", UDP_B);
	agrees("a", "drop", "quarantined", A_B, .mac_to = RIG_BROADCAST, .proto = UDP, .dport = 9);
	quarantine("a", CONFIG_QUARANTINE_NONE);
	quarantine("b", CONFIG_QUARANTINE_PORT);
	agrees("b", "drop", "quarantined", .from = 2, .to = 3, .proto = ICMP, .type = 8);
	agrees("c", "drop", "policy_in", .from = 3, .to = 2, .mac_to = RIG_BROADCAST, .proto = UDP,
		.dport = 9);
}

/* A configuration of any ports with any rules. */
static void random_rules(char *text, size_t len)
{
	static const char *const protocols[] = {"tcp", "udp", "icmp", "any", "icmpv6", "244"};
	static const char *const actions[] = {"allow", "allow", "deny", "reject"};
	static const char *const remotes[] = {"", ", remote: 10.0.0.0/30", ", remote: {group: g0}",
		", remote: \"fd00::/127\"", ", remote: {group: g1}"};
	size_t used = (size_t)snprintf(text, len, "groups:\n");

	for (unsigned g = 0; g < 2; g++) {
		used += (size_t)snprintf(
			text + used, len - used, "- name: g%u\n  tenant: t\n  rules:\n", g);
		for (unsigned i = 1 + any(4); i > 0; i--) {
			unsigned protocol = any(RTE_DIM(protocols)), remote = any(RTE_DIM(remotes));

			/* ICMP of one family and addresses of the other are refused. */
			if (protocols[protocol][0] == 'i' && (remote == 1 || remote == 3))
				remote = 0;

			used += (size_t)snprintf(text + used, len - used,
				"  - {direction: %s, protocol: %s%s%s, action: %s}\n",
				any(3) == 0 ? "out" : "in", protocols[protocol],
				protocol < 2 && any(2) ? ", ports: 445" : "", remotes[remote],
				actions[any(RTE_DIM(actions))]);
		}
	}
	assert_true(used < len);
}

static void random_ports(char *text, size_t len)
{
	static const char *const kinds[] = {
		"", "", "", "", "", "", ", isolated: true", ", promiscuous: true"};
	size_t used = (size_t)snprintf(text, len, "ports:\n");

	for (unsigned i = 0; i < SENDERS; i++) {
		bool odd = i == SENDERS - 1;

		used += (size_t)snprintf(text + used, len - used,
			"- {name: %c, network: %s, kernel: {interface: %c}, default-in: %s, "
			"default-out: %s%s%s%s%s",
			'a' + i, odd ? "m" : "n", 'a' + i, any(2) ? "allow" : "deny",
			any(5) ? "allow" : "reject", any(8) ? "" : ", trusted: true",
			kinds[any(RTE_DIM(kinds))], any(4) ? "" : ", tagged: pass",
			odd      ? ""
			: any(2) ? ", groups: [g0]"
			: any(2) ? ", groups: [g1, g0]"
				 : "");
		if (any(4) > 0)
			used += (size_t)snprintf(
				text + used, len - used, ", mac: \"02:00:00:00:00:%02x\"", i + 1);
		if (any(4) > 0)
			used += (size_t)snprintf(text + used, len - used,
				", ips: [10.0.0.%u, \"fd00::%u\"]", i + 1, i + 1);
		used += (size_t)snprintf(text + used, len - used, "}\n");
	}
	assert_true(used < len);
}

/* Without a vswitch section: the caller puts one before it. */
static void random_config(char *text, size_t len)
{
	size_t used = (size_t)snprintf(text, len,
		"firewall: {pick-up: %u, tcp: %s}\n"
		"tenants: [{name: t, audit: %s}]\n"
		"networks:\n- {name: n, tenant: t, unknown-unicast: %s}\n- {name: m, tenant: t}\n",
		any(2) * 60, any(3) ? "liberal" : "strict", any(5) ? "no" : "yes",
		any(3) ? "flood" : "drop");

	random_rules(text + used, len - used);
	used += strlen(text + used);
	random_ports(text + used, len - used);
}

static struct pkt random_packet(const struct pkt *last)
{
	static const uint8_t protocols[] = {TCP, TCP, TCP, UDP, UDP, ICMP, ICMP6, SCTP, NEXT};
	static const uint8_t flags[] = {
		TCP_SYN, TCP_SYN, SYN_ACK, TCP_ACK, FIN_ACK, RST, TCP_SYN | TCP_FIN, 0};
	static const uint16_t ports[] = {445, 53, 40000, 40000, 67, 68};
	struct pkt k = {.from = 1 + any(SENDERS), .to = 1 + any(SENDERS), .ipv6 = any(3) == 0};

	if (k.from == k.to && any(8))
		k.to = k.from % SENDERS + 1;

	if (any(3) == 0 && last->quoted == NULL) {
		k = *last; /* its answer */
		k.from = last->to;
		k.to = last->from;
		k.sport = last->dport;
		k.dport = last->sport;
		k.type = k.type == 8 ? 0 : k.type == 128 ? 129 : k.type;
		k.flags = last->flags == TCP_SYN ? SYN_ACK : TCP_ACK;
		return k;
	}
	if (any(4) == 0 && last->quoted == NULL) {
		k = *last; /* once more */
		k.flags = flags[any(RTE_DIM(flags))];
		return k;
	}
	k.proto = protocols[any(RTE_DIM(protocols))];
	k.flags = flags[any(RTE_DIM(flags))];
	k.sport = ports[any(RTE_DIM(ports))];
	k.dport = ports[any(RTE_DIM(ports))];
	k.type = (const uint8_t[]){8, 0, 13, 128, 129, 134, 135, 200}[any(8)];
	if (any(12) == 0)
		k.mac_from = any(2) ? 1 + any(SENDERS) : RIG_MULTICAST;
	if (any(8) == 0)
		k.mac_to = (const uint32_t[]){RIG_BROADCAST, 77, 1 + any(SENDERS)}[any(3)];
	return k;
}

/* last's packet quoted in an error, from who got it. */
static struct pkt error_about(const struct pkt *last)
{
	return (struct pkt){.from = last->to,
		.to = last->from,
		.ipv6 = last->ipv6,
		.proto = last->ipv6 ? ICMP6 : ICMP,
		.type = last->ipv6 ? 1 : 3,
		.quoted = last};
}

/* rig_mac() has no group addresses: those it makes unicast ones of. */
static uint32_t make_any(const struct pkt *k)
{
	struct pkt copy = *k;
	uint32_t len;

	if (copy.mac_to >= RIG_BROADCAST || copy.mac_from >= RIG_BROADCAST) {
		copy.mac_to = k->mac_to >= RIG_BROADCAST ? 1 : k->mac_to;
		copy.mac_from = k->mac_from >= RIG_BROADCAST ? 1 : k->mac_from;
	}
	len = fw_make(&copy);
	if (k->mac_to >= RIG_BROADCAST)
		memset(fw_frame, 0xff, 6);
	if (k->mac_from >= RIG_BROADCAST)
		fw_frame[6] |= 1;
	if (any(15) == 0)
		fw_frame[any(RTE_MIN(len, 60u))] ^= (uint8_t)(1u << any(8));
	if (any(20) == 0)
		len = any(len + 1);
	return len;
}

static unsigned n_compared, n_passed, by_reason[DROP_REASONS];

static void compare(const char *port, uint32_t len)
{
	json_t *result = explain_bytes(port, fw_frame, len);
	int reason = reason_named(text_of(result, "reason"));

	/*
	 * What a single fragment comes to is not seen until the others are there; and whether a
	 * frame to its own sender is learned from depends on when that was done last.
	 */
	if (memcmp(fw_frame, fw_frame + 6, 6) == 0) {
		json_decref(result);
		return;
	}
	if (step_of(result, "fragments") == NULL || reason == DROP_fragment_invalid) {
		hold_to(result, port, fw_frame, len);
		n_compared++;
		if (reason >= 0)
			by_reason[reason]++;
		else
			n_passed++;
	}
	json_decref(result);
}

static void test_random(void **state)
{
	char text[8192] = SMALL;

	memset(by_reason, 0, sizeof(by_reason));
	n_compared = n_passed = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pkt last = {UDP_A}, next;
		char port[2] = "a";

		random_config(text + strlen(SMALL), sizeof(text) - strlen(SMALL));
		for (unsigned id = 0; id < SENDERS; id++)
			quarantine_gate_set((uint16_t)id, CONFIG_QUARANTINE_NONE);
		rig_start(text);
		for (unsigned i = 0; i < PACKETS; i++) {
			next = any(12) == 0 && last.quoted == NULL ? error_about(&last)
								   : random_packet(&last);
			port[0] = (char)('a' + (any(15) ? next.from - 1 : any(SENDERS)));
			compare(port, make_any(&next));
			if (next.quoted == NULL)
				last = next;
			rig_pass_time(rig.hz / 4);
			if (any(15) == 0)
				quarantine_gate_set(switch_state.ports[any(SENDERS)]->id,
					any(3)   ? CONFIG_QUARANTINE_NONE
					: any(2) ? CONFIG_QUARANTINE_SERVICE
						 : CONFIG_QUARANTINE_PORT);
			if (any(40) == 0) {
				random_config(text + strlen(SMALL), sizeof(text) - strlen(SMALL));
				rig_apply(text + strlen(SMALL));
			}
		}
		rig_stop();
	}
	print_message("%u packets, %u passed", n_compared, n_passed);
	for (int i = 0; i < DROP_REASONS; i++)
		if (by_reason[i] > 0)
			print_message(", %u %s", by_reason[i], drop_name((enum drop_reason)i));
	print_message("\n");
	assert_true(n_compared > ROUNDS * PACKETS / 2 && n_passed > n_compared / 10);
	assert_true(by_reason[DROP_policy_in] > 0 && by_reason[DROP_policy_out] > 0);
	assert_true(by_reason[DROP_policy_revoked] > 0 && by_reason[DROP_tcp_no_connection] > 0);
	assert_true(by_reason[DROP_quarantined] > 0);
	assert_true(by_reason[DROP_icmp_unrelated] > 0 && by_reason[DROP_unknown_unicast] > 0);
	assert_true(by_reason[DROP_src_mac_static] > 0 && by_reason[DROP_spoof_ipv4] > 0);
}

static int start_eal(void **state)
{
	return rig_eal("test_explain_switch", "256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_tcp),
		FW_TEST(test_changed_rules),
		FW_TEST(test_icmp),
		FW_TEST(test_pick_up),
		FW_TEST(test_strict),
		FW_TEST(test_moved),
		FW_TEST(test_fragments),
		FW_TEST(test_destinations),
		FW_TEST(test_quarantined),
		FW_TEST(test_random),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
