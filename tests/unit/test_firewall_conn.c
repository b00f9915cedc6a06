/*
 * Connections through a whole switch, packet by packet: what opens one, what belongs to it, how
 * long it is remembered, and what a change of rules does to it.
 */
#include "firewall_rig.h"

#include "switch_state.h"

#define NET     "networks: [{name: n, tenant: t}]\n"
#define OPEN(p) "  - {direction: in, protocol: tcp, ports: " p ", action: allow}\n"
#define GROUP   "groups:\n- name: g\n  tenant: t\n  rules:\n"
#define SERVER                                                                                     \
	"  - {direction: in, protocol: tcp, ports: 445, action: allow}\n"                          \
	"  - {direction: in, protocol: udp, ports: 53, action: allow}\n"                           \
	"  - {direction: in, protocol: sctp, ports: 9, action: allow}\n"                           \
	"  - {direction: in, protocol: 244, action: allow}\n"                                      \
	"  - {direction: in, protocol: icmp, type: 8, action: allow}\n"                            \
	"  - {direction: in, protocol: icmpv6, type: 128, action: allow}\n"
/* b takes what SERVER says, a nothing but answers. */
#define PORTS  "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]") HOST(c, 3, ", groups: [g]")
#define NEVER  "firewall: {pick-up: 0}\n"
#define SMALL  "vswitch: {workers: [1], connections: 4096}\n"
#define SIMPLE SMALL NEVER NET GROUP SERVER PORTS

static int start_eal(void **state)
{
	return rig_eal("test_firewall_conn", "256");
}

/* 58: as long as nothing is answered a connection is new, however often it is asked. */
static void test_58_repeats_stay_new(void **state)
{
	rig_start(SIMPLE);
	for (unsigned i = 0; i < 3; i++) {
		fw_passes("a", "b", TCP_A(TCP_SYN));
		assert_string_equal(fw_state(), "syn");
	}
	fw_passes("b", "a", TCP_B(SYN_ACK));
	assert_string_equal(fw_state(), "syn-ack");
	fw_passes("b", "a", TCP_B(SYN_ACK));
	assert_string_equal(fw_state(), "syn-ack");
	fw_passes("a", "b", TCP_A(TCP_ACK));
	assert_string_equal(fw_state(), "established");
	assert_int_equal(fw_connections(), 1);
}

static void test_58_repeated_pings_stay_new(void **state)
{
	rig_start(SIMPLE);
	for (unsigned i = 0; i < 3; i++)
		fw_passes("a", "b", PING_A);
	assert_string_equal(fw_state(), "first");
	fw_passes("b", "a", PONG_B);
	assert_string_equal(fw_state(), "replied");
	/* An answer to another question. */
	fw_drops("b", icmp_unrelated, B_A, .proto = ICMP, .type = 0, .ident = 78);
}

static void test_58_repeated_datagrams_stay_unanswered(void **state)
{
	rig_start(SIMPLE);
	fw_passes("a", "b", UDP_A);
	assert_string_equal(fw_state(), "first");
	for (unsigned i = 0; i < 3; i++) {
		fw_passes("a", "b", UDP_A);
		assert_string_equal(fw_state(), "single");
	}
	fw_passes("b", "a", UDP_B);
	assert_string_equal(fw_state(), "multiple");
}

/* b's answers pass, what b begins does not: in both families, and in every protocol. */
static void check_one_way(struct pkt there, struct pkt back, struct pkt other)
{
	fw_drops_at("b", DROP_policy_in, other, __FILE__, __LINE__);
	fw_passes_at("a", "b", there, __FILE__, __LINE__);
	fw_passes_at("b", "a", back, __FILE__, __LINE__);
	fw_passes_at("a", "b", there, __FILE__, __LINE__);
	fw_drops_at("b", DROP_policy_in, other, __FILE__, __LINE__);
}

static void test_only_answers_come_back(void **state)
{
	rig_start(SIMPLE);
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		check_one_way((struct pkt){UDP_A, .ipv6 = ipv6}, (struct pkt){UDP_B, .ipv6 = ipv6},
			(struct pkt){B_A, .proto = UDP, .sport = 53, .dport = 40001, .ipv6 = ipv6});
		check_one_way(
			(struct pkt){A_B, .proto = SCTP, .sport = 40000, .dport = 9, .ipv6 = ipv6},
			(struct pkt){B_A, .proto = SCTP, .sport = 9, .dport = 40000, .ipv6 = ipv6},
			(struct pkt){B_A, .proto = SCTP, .sport = 8, .dport = 40000, .ipv6 = ipv6});
		check_one_way((struct pkt){A_B, .proto = TCP, .sport = 40000, .dport = 445,
				      .flags = TCP_SYN, .ipv6 = ipv6},
			(struct pkt){B_A, .proto = TCP, .sport = 445, .dport = 40000,
				.flags = SYN_ACK, .ipv6 = ipv6},
			(struct pkt){B_A, .proto = TCP, .sport = 445, .dport = 40001,
				.flags = TCP_SYN, .ipv6 = ipv6});
	}
	check_one_way((struct pkt){PING_A}, (struct pkt){PONG_B},
		(struct pkt){B_A, .proto = ICMP, .type = 8, .ident = 77});
	check_one_way((struct pkt){A_B, .proto = ICMP6, .type = 128, .ident = 7, .ipv6 = true},
		(struct pkt){B_A, .proto = ICMP6, .type = 129, .ident = 7, .ipv6 = true},
		(struct pkt){B_A, .proto = ICMP6, .type = 128, .ident = 7, .ipv6 = true});
	/* Without ports all that the two exchange is one connection. */
	fw_drops("b", policy_in, B_A, .proto = NEXT, .payload = 8);
	fw_passes("a", "b", A_B, .proto = NEXT, .payload = 8);
	fw_passes("b", "a", B_A, .proto = NEXT, .payload = 8);
}

static void test_tcp_begins_with_syn(void **state)
{
	static const uint8_t flags[] = {
		TCP_ACK, SYN_ACK, RST, FIN_ACK, 0, TCP_SYN | TCP_FIN, TCP_SYN | RST, TCP_FIN};

	rig_start(SIMPLE);
	for (unsigned i = 0; i < RTE_DIM(flags); i++)
		fw_drops("a", tcp_no_connection, TCP_A(flags[i]));
	assert_int_equal(fw_connections(), 0);
	fw_handshake();
	fw_passes("a", "b", TCP_A(FIN_ACK));
	fw_passes("b", "a", TCP_B(FIN_ACK));
	fw_passes("a", "b", TCP_A(TCP_ACK));
}

/* The port may be used again as soon as both have closed. */
static void test_closed_gives_way_to_a_new_one(void **state)
{
	rig_start(SIMPLE);
	fw_handshake();
	fw_passes("a", "b", TCP_A(RST));
	assert_string_equal(fw_state(), "closed");
	fw_passes("a", "b", TCP_A(TCP_SYN));
	assert_string_equal(fw_state(), "syn");
	fw_passes("b", "a", TCP_B(SYN_ACK));
	assert_int_equal(fw_connections(), 1);
	assert_int_equal(fw_stats().opened, 2);
}

#define TIMEOUTS                                                                                   \
	"firewall: {pick-up: 0, timeouts: {tcp-syn: 5s, tcp-opening: 8s, tcp-established: 100s, "  \
	"tcp-fin: 12s, tcp-closing: 16s, tcp-closed: 3s, udp-first: 20s, udp-single: 24s, "        \
	"udp-multiple: 28s, icmp-first: 6s, icmp-replied: 10s, other-first: 32s, "                 \
	"other-single: 36s, other-multiple: 40s}}\n"

/* Nothing comes: a second before its time it is there, two seconds after it is gone. */
static void check_timeout(const char *wanted, unsigned seconds)
{
	assert_string_equal(fw_state(), wanted);
	fw_pass_seconds(seconds - 1);
	assert_string_equal(fw_state(), wanted);
	fw_pass_seconds(3);
	assert_int_equal(fw_connections(), 0);
}

static void test_timeouts_of_tcp(void **state)
{
	rig_start(SMALL TIMEOUTS NET GROUP SERVER PORTS);
	fw_passes("a", "b", TCP_A(TCP_SYN));
	check_timeout("syn", 5);
	fw_passes("a", "b", TCP_A(TCP_SYN));
	fw_passes("b", "a", TCP_B(SYN_ACK));
	check_timeout("syn-ack", 8);
	fw_handshake();
	check_timeout("established", 100);
	fw_handshake();
	fw_passes("a", "b", TCP_A(FIN_ACK));
	check_timeout("fin", 12);
	fw_handshake();
	fw_passes("a", "b", TCP_A(FIN_ACK), .seq = 100);
	fw_passes("b", "a", TCP_B(FIN_ACK), .seq = 200, .ack = 100);
	check_timeout("closing", 16);
	fw_handshake();
	fw_passes("b", "a", TCP_B(RST));
	check_timeout("closed", 3);
}

static void test_timeouts_of_others(void **state)
{
	const struct pkt a = {A_B, .proto = NEXT, .payload = 4},
			 b = {B_A, .proto = NEXT, .payload = 4};

	rig_start(SMALL TIMEOUTS NET GROUP SERVER PORTS);
	fw_put("a", (struct pkt){UDP_A});
	check_timeout("first", 20);
	fw_put("a", (struct pkt){UDP_A});
	fw_put("a", (struct pkt){UDP_A});
	check_timeout("single", 24);
	fw_put("a", (struct pkt){UDP_A});
	fw_put("b", (struct pkt){UDP_B});
	check_timeout("multiple", 28);
	fw_put("a", (struct pkt){PING_A});
	check_timeout("first", 6);
	fw_put("a", (struct pkt){PING_A});
	fw_put("b", (struct pkt){PONG_B});
	check_timeout("replied", 10);
	fw_put("a", a);
	check_timeout("first", 32);
	fw_put("a", a);
	fw_put("a", a);
	check_timeout("single", 36);
	fw_put("a", a);
	fw_put("b", b);
	check_timeout("multiple", 40);
}

/* Each packet starts the time again; new times are in force for what is there. */
static void test_timeouts_start_again_and_change(void **state)
{
	rig_start(SMALL TIMEOUTS NET GROUP SERVER PORTS);
	fw_handshake();
	for (unsigned i = 0; i < 5; i++) {
		fw_pass_seconds(90);
		fw_passes(i % 2 ? "b" : "a", i % 2 ? "a" : "b", .from = i % 2 ? 2 : 1,
			.to = i % 2 ? 1 : 2, .proto = TCP, .flags = TCP_ACK,
			.sport = i % 2 ? 445 : 40000, .dport = i % 2 ? 40000 : 445);
	}
	rig_apply(
		"firewall: {pick-up: 0, timeouts: {tcp-established: 7s}}\n" NET GROUP SERVER PORTS);
	fw_pass_seconds(5);
	assert_int_equal(fw_connections(), 1);
	fw_pass_seconds(4);
	assert_int_equal(fw_connections(), 0);
	fw_drops("b", tcp_no_connection, TCP_B(TCP_ACK));
}

/* 62: the same five numbers in two networks, whose tenants allow different things. */
static void test_62_networks_are_apart(void **state)
{
	rig_start(
		SMALL NEVER "networks: [{name: n, tenant: t}, {name: m, tenant: u}]\n" GROUP SERVER
			    "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]")
				    HOST_IN(x, 1, "m", "") HOST_IN(y, 2, "m", ""));
	fw_drops("x", policy_in, TCP_A(TCP_SYN));
	fw_handshake();
	fw_drops("x", policy_in, TCP_A(TCP_SYN));
	fw_drops("x", tcp_no_connection, TCP_A(TCP_ACK));
	fw_drops("y", tcp_no_connection, TCP_B(TCP_ACK));
	rig_apply(NEVER "networks: [{name: n, tenant: t}, {name: m, tenant: u}]\n" GROUP SERVER
			"ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]") HOST_IN(x, 1, "m", "")
				HOST_IN(y, 2, "m", ", default-in: allow"));
	fw_passes("x", "y", TCP_A(TCP_SYN));
	fw_passes("x", "y", TCP_A(RST));
	assert_int_equal(fw_connections(), 2);
	/* Closed there, not here. */
	assert_int_equal(fw_count((struct conn_filter){.tenant = "t", .state = "established"}), 1);
	assert_int_equal(fw_count((struct conn_filter){.network = "m", .state = "closed"}), 1);
	fw_passes("b", "a", TCP_B(TCP_ACK));
}

/* 67: what ran before the switch did is taken up for a while, whoever speaks first. */
static void test_67_pick_up(void **state)
{
	rig_start(SMALL "firewall: {pick-up: 10s}\n" NET GROUP SERVER PORTS);
	fw_passes("a", "b", TCP_A(TCP_ACK));
	fw_passes("b", "a", TCP_B(TCP_ACK));
	assert_string_equal(fw_state(), "established");
	/* Of c's connection the server's packet comes first: b to c would never be allowed. */
	fw_passes("b", "c", .from = 2, .to = 3, .proto = TCP, .sport = 445, .dport = 40000,
		.flags = TCP_ACK);
	fw_passes("c", "b", .from = 3, .to = 2, .proto = TCP, .sport = 40000, .dport = 445,
		.flags = TCP_ACK);
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 2);
	assert_int_equal(fw_stats().picked_up, 2);
	/* An answer, a server's datagram, and what neither side may open. */
	fw_passes("b", "a", PONG_B);
	fw_passes("b", "a", UDP_B);
	fw_drops("b", policy_in, B_A, .proto = TCP, .sport = 80, .dport = 40000, .flags = TCP_ACK);
	fw_drops("b", policy_in, B_A, .proto = UDP, .sport = 40000, .dport = 53);
	fw_drops("b", policy_in, TCP_B(TCP_SYN), .window = 1);
	fw_pass_seconds(11);
	fw_drops("b", tcp_no_connection, B_A, .proto = TCP, .sport = 445, .dport = 40001,
		.flags = TCP_ACK);
	fw_drops("a", tcp_no_connection, A_B, .proto = TCP, .sport = 40001, .dport = 445,
		.flags = TCP_ACK);
	fw_drops("b", icmp_unrelated, B_A, .proto = ICMP, .type = 0, .ident = 78);
	fw_drops("b", policy_in, B_A, .proto = UDP, .sport = 53, .dport = 40001);
	fw_passes("a", "b", TCP_A(TCP_ACK));
}

/* The client of a connection taken up from its server's side is who opened it. */
static void test_67_picked_up_the_other_way_round(void **state)
{
	struct addr_span a;

	assert_true(addr_span_parse("10.0.0.1", &a));
	rig_start(SMALL NET GROUP SERVER PORTS);
	fw_passes("b", "a", TCP_B(TCP_ACK));
	fw_passes("b", "a", UDP_B);
	fw_passes("b", "a", PONG_B);
	assert_int_equal(fw_count((struct conn_filter){.has_from = true, .from = a}), 3);
	assert_int_equal(conn_quota_port(rig_port("a")->dev.id), 3);
	assert_int_equal(conn_quota_port(rig_port("b")->dev.id), 0);
	fw_passes("a", "b", TCP_A(TCP_ACK));
	fw_passes("a", "b", UDP_A);
	fw_passes("a", "b", PING_A);
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 1);
	assert_int_equal(fw_count((struct conn_filter){.state = "multiple"}), 1);
	assert_int_equal(fw_count((struct conn_filter){.state = "replied"}), 1);
	/* The rules that it stands on are those of the way from a to b. */
	rig_apply(NET GROUP OPEN("80") PORTS);
	fw_drops("b", policy_revoked, TCP_B(TCP_ACK));
	fw_drops("b", policy_revoked, UDP_B);
	fw_drops("b", policy_revoked, PONG_B);
}

/* A trusted port's packets for many are not looked at before a receiver's rules ask for it. */
static void test_told_of_what_a_trusted_port_floods(void **state)
{
	static const uint32_t to[] = {9, 1, 9};
	struct firewall_record record;

	rig_start(SMALL NEVER NET "groups:\n- name: g\n  tenant: t\n  rules:\n"
				  "  - {direction: in, action: deny, log: true}\n"
				  "ports:\n" HOST(b, 2, ", groups: [g]")
					  HOST(c, 3, ", trusted: true"));
	for (unsigned i = 0; i < RTE_DIM(to); i++) {
		struct pkt k = {.from = 3,
			.to = to[i],
			.mac_to = RIG_BROADCAST,
			.proto = UDP,
			.sport = 40000,
			.dport = 1000 + i};

		fw_put("c", k);
		rig_expect("", 0);
		assert_int_equal(
			firewall_log_take(firewall_log_of(workers[0]->firewall), &record, 1), 1);
		assert_int_equal(record.opener, to[i] < 3);
		assert_int_equal(record.service, service_key(UDP, 1000 + i));
		assert_int_equal(record.key.port[record.opener], 40000);
	}
}

/* Whose connections are taken over must not pay for what another makes up. */
static void test_67_picked_up_at_no_ones_cost(void **state)
{
	rig_start(SMALL NET GROUP SERVER "ports:\n" HOST(
		a, 1, ", connections: {max: 4, per-second: 4}") HOST(b, 2, ", groups: [g]"));
	fw_passes("a", "b", TCP_A(TCP_SYN));
	for (unsigned i = 0; i < 8; i++)
		fw_put("b", (struct pkt){B_A, .proto = TCP, .sport = 445, .dport = 50000 + i,
				    .flags = TCP_ACK});
	assert_int_equal(rig_take("a"), 3);
	assert_int_equal(fw_count((struct conn_filter){.state = "syn"}), 1);
	for (unsigned i = 0; i < 3; i++)
		fw_passes("a", "b", A_B, .proto = TCP, .sport = 40001 + i, .dport = 445,
			.flags = TCP_SYN);
	assert_int_equal(fw_count((struct conn_filter){.state = "syn"}), 4);
}

/* A SYN that also ends is in no connection's middle. */
static void test_67_odd_syn_is_not_picked_up(void **state)
{
	rig_start(SMALL NET GROUP SERVER PORTS);
	fw_drops("b", tcp_no_connection, TCP_B(TCP_SYN | TCP_FIN));
	fw_drops("b", tcp_no_connection, TCP_B(TCP_SYN | RST));
	fw_drops("a", tcp_no_connection, TCP_A(TCP_SYN | TCP_FIN));
}

/* What ran between ports without rules goes on when one gets some, or a block for others. */
static void test_67_rules_where_there_were_none(void **state)
{
#define TRUSTED(more) "ports:\n" HOST(a, 1, ", trusted: true") HOST(b, 2, more)
	rig_start(SMALL "firewall: {pick-up: 10s}\n" NET GROUP SERVER TRUSTED(", trusted: true"));
	fw_pass_seconds(100);
	fw_handshake();
	assert_int_equal(fw_connections(), 0);
	rig_apply("firewall: {pick-up: 10s}\n" NET GROUP SERVER TRUSTED(", groups: [g]"));
	fw_passes("b", "a", TCP_B(TCP_ACK));
	fw_passes("a", "b", TCP_A(TCP_ACK));
	assert_string_equal(fw_state(), "established");
	fw_pass_seconds(11);
	fw_passes("a", "b", TCP_A(TCP_ACK));
	fw_drops("a", tcp_no_connection, A_B, .proto = TCP, .sport = 40001, .dport = 445,
		.flags = TCP_ACK);
	/* A port that had rules all the time lost sight of nothing. */
	rig_apply("firewall: {pick-up: 10s}\n" NET GROUP SERVER PORTS);
	rig_settle();
	fw_pass_seconds(100);
	rig_apply("firewall: {pick-up: 10s}\n" NET GROUP OPEN("445") PORTS);
	fw_drops("a", tcp_no_connection, A_B, .proto = TCP, .sport = 40002, .dport = 445,
		.flags = TCP_ACK);
}

/* An end in the middle closes; what is left of the connection does not stay for a day. */
static void test_67_picked_up_closes(void **state)
{
	rig_start(SMALL NET GROUP SERVER PORTS);
	fw_passes("b", "a", TCP_B(TCP_ACK));
	fw_passes("a", "b", TCP_A(FIN_ACK), .seq = 100);
	assert_string_equal(fw_state(), "fin");
	fw_passes("b", "a", TCP_B(FIN_ACK), .seq = 200, .ack = 101);
	fw_passes("a", "b", TCP_A(TCP_ACK), .seq = 101, .ack = 201);
	assert_string_equal(fw_state(), "closed");
}

/* 45: both directions end at the next packet of either; 46: and go on when the rule is back. */
static void test_45_46_revoked_and_revived(void **state)
{
	rig_start(SIMPLE);
	fw_handshake();
	fw_passes("a", "b", UDP_A);
	rig_apply(NEVER NET GROUP
		"  - {direction: in, protocol: udp, ports: 53, action: allow}\n" PORTS);
	assert_int_equal(fw_stats().decided_again, 0);
	fw_drops("b", policy_revoked, TCP_B(TCP_ACK));
	fw_drops("a", policy_revoked, TCP_A(TCP_ACK));
	fw_drops("b", policy_revoked, TCP_B(FIN_ACK));
	fw_passes("b", "a", UDP_B);
	fw_drops("a", policy_in, TCP_A(TCP_SYN), .window = 1);
	assert_int_equal(fw_connections(), 2);
	rig_apply(SIMPLE);
	fw_passes("b", "a", TCP_B(TCP_ACK));
	fw_passes("a", "b", TCP_A(TCP_ACK));
	fw_passes("b", "a", UDP_B);
	/* Once a change for what was denied by it, each SYN of it besides, and once for UDP's. */
	assert_int_equal(fw_stats().decided_again, 5);
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 1);
}

/* A change of one tenant's rules makes nobody else's connections be decided again. */
static void test_epochs_of_others_stay(void **state)
{
	static const char both[] = SMALL NEVER
		"networks: [{name: n, tenant: t}, {name: m, tenant: u}]\n" GROUP SERVER
		"- name: h\n  tenant: u\n  rules: [{direction: in, protocol: tcp, action: allow}]\n"
		"ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]")
			HOST(c, 3, ", default-in: allow") HOST_IN(x, 1, "m", "")
				HOST_IN(y, 2, "m", ", groups: [h]");
	static const char changed[] = SMALL NEVER
		"networks: [{name: n, tenant: t}, {name: m, tenant: u}]\n" GROUP SERVER OPEN(
			"80") "- name: h\n  tenant: u\n  rules: [{direction: in, protocol: tcp, "
			      "action: allow}]\n"
			      "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]")
				      HOST(c, 3, ", default-in: allow") HOST_IN(x, 1, "m", "")
					      HOST_IN(y, 2, "m", ", groups: [h]");

	rig_start(both);
	fw_handshake();
	fw_passes("x", "y", TCP_A(TCP_SYN));
	fw_passes("y", "x", TCP_B(SYN_ACK));
	fw_passes("a", "c", .from = 1, .to = 3, .proto = UDP, .sport = 1, .dport = 2);
	rig_apply(changed);
	fw_passes("x", "y", TCP_A(TCP_ACK));
	fw_passes("y", "x", TCP_B(TCP_ACK));
	/* Nor those of ports of the same tenant that have other groups. */
	fw_passes("a", "c", .from = 1, .to = 3, .proto = UDP, .sport = 1, .dport = 2);
	assert_int_equal(fw_stats().decided_again, 0);
	fw_passes("a", "b", TCP_A(TCP_ACK));
	fw_passes("b", "a", TCP_B(TCP_ACK));
	assert_int_equal(fw_stats().decided_again, 1);
}

/* What was revoked is no running connection that the other end could have taken up. */
static void test_revoked_is_not_picked_up(void **state)
{
#define OPEN_A "ports:\n" HOST(a, 1, ", default-in: allow") HOST(b, 2, ", groups: [g]")
	rig_start(SMALL "firewall: {pick-up: 1h}\n" NET GROUP SERVER OPEN_A);
	fw_handshake();
	fw_passes("a", "b", UDP_A);
	rig_apply("firewall: {pick-up: 1h}\n" NET GROUP OPEN("80") OPEN_A);
	/* b may open what it likes to a, but this is not of b's opening. */
	for (unsigned i = 0; i < 20; i++) {
		fw_drops("b", policy_revoked, TCP_B(TCP_ACK));
		fw_drops("b", policy_revoked, UDP_B);
		fw_pass_seconds(6);
		fw_drops("a", policy_revoked, TCP_A(TCP_ACK));
		fw_drops("a", policy_revoked, UDP_A);
		fw_pass_seconds(6);
	}
	assert_int_equal(fw_stats().picked_up, 0);
	/* One of its own is another matter. */
	fw_passes("b", "a", TCP_B(TCP_SYN));
	fw_passes("a", "b", TCP_A(SYN_ACK));
	fw_passes("b", "a", TCP_B(TCP_ACK));
	/* Left alone, it is forgotten like one that was closed. */
	fw_pass_seconds(60);
	assert_int_equal(fw_connections(), 1);
}

/* Whose MAC shows up at another port takes its connections there, if they may be there. */
static void test_guest_moves(void **state)
{
#define ANY_MAC(name, more)                                                                        \
	"  - {name: " #name ", network: n, kernel: {interface: " #name "}" more "}\n"
	rig_start(SMALL NEVER NET GROUP SERVER "ports:\n" ANY_MAC(a, "") ANY_MAC(b, ", groups: [g]")
			ANY_MAC(c, "") ANY_MAC(d, ", default-out: deny"));
	rig_send("a", RIG_BROADCAST, 1, 1);
	fw_put("a", (struct pkt){.from = 1, .to = 9, .proto = UDP});
	fw_put("b", (struct pkt){.from = 2, .to = 9, .proto = UDP});
	rig_take("c");
	rig_take("d");
	rig_take("a");
	rig_take("b");
	fw_handshake();
	fw_passes("a", "b", UDP_A);
	fw_passes("c", "b", TCP_A(TCP_ACK));
	fw_passes("b", "c", TCP_B(TCP_ACK));
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 1);
	/* Its peer's packet finds it there as well. */
	fw_passes("b", "c", UDP_B);
	assert_int_equal(conn_quota_port(rig_port("a")->dev.id), 0);
	assert_int_equal(conn_quota_port(rig_port("c")->dev.id), 2);
	fw_pass_seconds(10);
	fw_drops("d", policy_out, TCP_A(TCP_ACK));
	assert_int_equal(fw_connections(), 2);
	/* Nor has its attempt ended what is c's. */
	fw_pass_seconds(10);
	fw_passes("c", "b", TCP_A(TCP_ACK));
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 1);
}

/* A guest that is attached at another port, as after a migration, within the window. */
static void test_67_guest_is_configured_elsewhere(void **state)
{
	rig_start(SMALL "firewall: {pick-up: 10s}\n" NET GROUP SERVER PORTS);
	fw_handshake();
	fw_pass_seconds(100);
	rig_apply("firewall: {pick-up: 10s}\n" NET GROUP SERVER "ports:\n" HOST(d, 1, "")
			HOST(b, 2, ", groups: [g]"));
	rig_settle();
	assert_int_equal(fw_connections(), 0);
	fw_passes("b", "d", TCP_B(TCP_ACK));
	fw_passes("d", "b", TCP_A(TCP_ACK));
	assert_string_equal(fw_state(), "established");
	fw_pass_seconds(11);
	fw_drops("b", tcp_no_connection, B_A, .proto = TCP, .sport = 445, .dport = 40001,
		.flags = TCP_ACK);
}

/* A port's id may serve another port at once: nothing that the first one opened is its. */
static void test_55_port_id_is_used_again(void **state)
{
	uint16_t id;

	rig_start(SMALL NEVER NET GROUP SERVER PORTS);
	id = rig_port("a")->dev.id;
	fw_handshake();
	fw_passes("a", "b", UDP_A);
	rig_apply(NEVER NET GROUP SERVER "ports:\n" HOST(b, 2, ", groups: [g]")
			HOST(c, 3, ", groups: [g]"));
	switch_state.next_id = id;
	rig_apply(NEVER NET GROUP SERVER "ports:\n" HOST(b, 2, ", groups: [g]") HOST(d, 1, ""));
	assert_int_equal(rig_port("d")->dev.id, id);
	fw_drops("b", tcp_no_connection, TCP_B(TCP_ACK));
	fw_drops("b", policy_in, UDP_B);
	fw_drops("d", tcp_no_connection, TCP_A(TCP_ACK));
	assert_int_equal(fw_connections(), 0);
	assert_int_equal(conn_quota_port(id), 0);
}

static void test_strict_tcp(void **state)
{
	rig_start(SMALL "firewall: {pick-up: 0, tcp: strict}\n" NET GROUP SERVER PORTS);
	fw_passes("a", "b", TCP_A(TCP_SYN), .seq = 100);
	fw_drops("b", tcp_invalid, TCP_B(SYN_ACK), .seq = 500, .ack = 5000);
	fw_passes("b", "a", TCP_B(SYN_ACK), .seq = 500, .ack = 101);
	fw_passes("a", "b", TCP_A(TCP_ACK), .seq = 101, .ack = 501);
	fw_passes("a", "b", TCP_A(TCP_ACK), .seq = 101, .ack = 501, .payload = 100);
	fw_drops("a", tcp_invalid, TCP_A(TCP_ACK), .seq = 200000, .ack = 501, .payload = 1);
	fw_drops("a", tcp_invalid, TCP_A(TCP_ACK), .seq = 201, .ack = 900);
	fw_drops("b", tcp_invalid, TCP_B(RST), .seq = 400000);
	fw_drops("a", tcp_invalid, TCP_A(TCP_SYN | TCP_FIN), .seq = 201);
	assert_string_equal(fw_state(), "established");
	fw_passes("b", "a", TCP_B(TCP_ACK), .seq = 501, .ack = 201, .payload = 10);
	fw_passes("a", "b", TCP_A(RST), .seq = 201);
	assert_string_equal(fw_state(), "closed");
}

static void test_liberal_tcp(void **state)
{
	rig_start(SIMPLE);
	fw_passes("a", "b", TCP_A(TCP_SYN), .seq = 100);
	fw_passes("b", "a", TCP_B(SYN_ACK), .seq = 500, .ack = 101);
	fw_passes("a", "b", TCP_A(TCP_ACK), .seq = 101, .ack = 501);
	fw_passes("a", "b", TCP_A(TCP_ACK), .seq = 2000000, .ack = 900, .payload = 100);
	fw_passes("b", "a", TCP_B(TCP_ACK), .seq = 77, .ack = 1, .payload = 100);
	assert_string_equal(fw_state(), "established");
}

/* Closed by command: what still comes of it is of no connection. */
/*
 * 37: a guest that says nothing for so long that its MAC is forgotten still gets what is sent to
 * it, and others do not.
 */
static void test_killed_is_not_picked_up(void **state)
{
	rig_start(SMALL NET GROUP SERVER PORTS);
	fw_handshake();
	assert_int_equal(switch_conns_kill(&(struct conn_filter){.state = "established"}, NULL), 1);
	rig_settle();
	fw_drops("a", tcp_no_connection, TCP_A(TCP_ACK));
	fw_drops("b", tcp_no_connection, TCP_B(TCP_ACK));
	/* Whatever rules do meanwhile. */
	rig_apply(NET GROUP SERVER OPEN("9") PORTS);
	fw_drops("b", tcp_no_connection, TCP_B(TCP_ACK));
	fw_handshake();
	assert_string_equal(fw_state(), "established");
	assert_int_equal(fw_connections(), 1);
}

/*
 * 37: a guest that says nothing for so long that its MAC is forgotten still gets what is sent to
 * it, and others do not.
 */
static void test_37_silent_guest(void **state)
{
	static const char text[] = SMALL NEVER
		"networks: [{name: n, tenant: t, mac-age: 10s}]\n" GROUP SERVER "ports:\n" HOST(
			a, 1, "") "  - {name: b, network: n, kernel: {interface: b}, groups: [g]}\n"
				  "  - {name: c, network: n, kernel: {interface: c}, default-in: "
				  "allow}\n";

	rig_start(text);
	fw_put("b", (struct pkt){B_A, .proto = UDP, .sport = 9, .dport = 9}); /* to be learned */
	rig_take("a");
	fw_handshake();
	for (unsigned i = 0; i < 4; i++) {
		fw_pass_seconds(8);
		fw_passes("a", "b", TCP_A(TCP_ACK));
	}
	/* Without a connection nobody knows where it lives. */
	fw_passes("a", "c", A_B, .proto = TCP, .sport = 1, .dport = 2, .flags = TCP_SYN);
}

static void test_killed(void **state)
{
	rig_start(SIMPLE);
	fw_handshake();
	fw_passes("a", "b", UDP_A);
	fw_passes("a", "b", PING_A);
	assert_int_equal(switch_conns_kill(&(struct conn_filter){.state = "established"}, NULL), 1);
	rig_settle();
	assert_int_equal(fw_connections(), 2);
	fw_drops("a", tcp_no_connection, TCP_A(TCP_ACK));
	fw_drops("b", tcp_no_connection, TCP_B(TCP_ACK));
	fw_passes("b", "a", UDP_B);
	fw_handshake();
	assert_int_equal(switch_conns_kill(&(struct conn_filter){.port = "a"}, NULL), 3);
	rig_settle();
	assert_int_equal(fw_connections(), 0);
	fw_drops("b", policy_in, UDP_B);
	fw_drops("b", icmp_unrelated, PONG_B);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_58_repeats_stay_new),
		FW_TEST(test_58_repeated_pings_stay_new),
		FW_TEST(test_58_repeated_datagrams_stay_unanswered),
		FW_TEST(test_only_answers_come_back),
		FW_TEST(test_tcp_begins_with_syn),
		FW_TEST(test_closed_gives_way_to_a_new_one),
		FW_TEST(test_timeouts_of_tcp),
		FW_TEST(test_timeouts_of_others),
		FW_TEST(test_timeouts_start_again_and_change),
		FW_TEST(test_62_networks_are_apart),
		FW_TEST(test_67_pick_up),
		FW_TEST(test_67_picked_up_the_other_way_round),
		FW_TEST(test_told_of_what_a_trusted_port_floods),
		FW_TEST(test_67_picked_up_at_no_ones_cost),
		FW_TEST(test_67_odd_syn_is_not_picked_up),
		FW_TEST(test_67_rules_where_there_were_none),
		FW_TEST(test_67_picked_up_closes),
		FW_TEST(test_45_46_revoked_and_revived),
		FW_TEST(test_epochs_of_others_stay),
		FW_TEST(test_revoked_is_not_picked_up),
		FW_TEST(test_guest_moves),
		FW_TEST(test_67_guest_is_configured_elsewhere),
		FW_TEST(test_55_port_id_is_used_again),
		FW_TEST(test_strict_tcp),
		FW_TEST(test_liberal_tcp),
		FW_TEST(test_killed_is_not_picked_up),
		FW_TEST(test_37_silent_guest),
		FW_TEST(test_killed),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
