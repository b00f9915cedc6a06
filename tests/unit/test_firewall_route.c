/*
 * Through a whole switch: guests that send on what others sent, frames for many, emergency blocks,
 * audit mode and answers to what is rejected.
 */
#include "firewall_rig.h"

#include "blocks.h"
#include "service.h"

#define SMALL "vswitch: {workers: [1], connections: 4096}\n"
#define NEVER "firewall: {pick-up: 0}\n"
#define NET   "networks: [{name: n, tenant: t}]\n"
#define ALLOW ", default-in: allow"
#define TAKES(n, rule)                                                                             \
	"- name: " n "\n  tenant: t\n  rules: [{direction: in, " rule ", action: allow}]\n"
/* c sends on for the others. */
#define ROUTER                                                                                     \
	"  - {name: c, network: n, kernel: {interface: c}, mac: \"02:00:00:00:00:03\", "           \
	"ips: [10.0.0.3], pairs: [{ip: 0.0.0.0/0}]" ALLOW "}\n"

static int start_eal(void **state)
{
	return rig_eal("test_firewall_route", "256");
}

/* From a to b by way of c: the frame that a sends to c, and the one that c sends to b. */
#define A_C_B(f) TCP_A(f), .mac_to = 3
#define C_A_B(f) TCP_A(f), .mac_from = 3
#define B_C_A(f) TCP_B(f), .mac_to = 3
#define C_B_A(f) TCP_B(f), .mac_from = 3

#define SMB "protocol: tcp, ports: 445"
#define WEB "protocol: tcp, ports: 80"

static void check_routed(void)
{
	/* The first leg is c's to take; it does not speak for b. */
	fw_passes("a", "c", A_C_B(TCP_SYN));
	fw_passes("c", "b", C_A_B(TCP_SYN));
	fw_passes("b", "c", B_C_A(SYN_ACK));
	fw_passes("c", "a", C_B_A(SYN_ACK));
	fw_passes("a", "c", A_C_B(TCP_ACK));
	fw_passes("c", "b", C_A_B(TCP_ACK));
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 2);
}

/* A router's second leg is a connection of its own, between its own ports and by their rules. */
static void test_routed_leg_has_rules_of_its_own(void **state)
{
	rig_start(SMALL NEVER NET "groups:\n" TAKES("g", SMB) "ports:\n" HOST(a, 1, "")
			HOST(b, 2, ", groups: [g]") ROUTER);
	check_routed();
	assert_int_equal(conn_quota_port(rig_port("a")->dev.id), 1);
	assert_int_equal(conn_quota_port(rig_port("c")->dev.id), 1);
	/* What b's rules say ends the second leg and leaves the first one be. */
	rig_apply(NEVER NET "groups:\n" TAKES("g", WEB) "ports:\n" HOST(a, 1, "")
			HOST(b, 2, ", groups: [g]") ROUTER);
	fw_passes("a", "c", A_C_B(TCP_ACK));
	fw_drops("c", policy_revoked, C_A_B(TCP_ACK));
	fw_drops("b", policy_revoked, B_C_A(TCP_ACK));
	fw_passes("c", "a", C_B_A(TCP_ACK));
}

static void test_first_leg_opens_no_second(void **state)
{
	rig_start(SMALL NEVER NET "groups:\n" TAKES("g", WEB) "ports:\n" HOST(a, 1, "")
			HOST(b, 2, ", groups: [g]") ROUTER);
	fw_passes("a", "c", A_C_B(TCP_SYN));
	fw_drops("c", policy_in, C_A_B(TCP_SYN));
	fw_passes("a", "c", .from = 1, .to = 2, .mac_to = 3, .proto = UDP, .sport = 9, .dport = 9);
	fw_drops("c", policy_in, .from = 1, .to = 2, .mac_from = 3, .proto = UDP, .sport = 9,
		.dport = 9);
	/* Nor is the first leg's answer one that b could give a directly. */
	fw_drops("b", tcp_no_connection, TCP_B(SYN_ACK));
}

/* An error of the second leg's comes back by both. */
static void test_errors_of_both_legs(void **state)
{
	static const struct pkt udp = {UDP_A};

	rig_start(SMALL NEVER NET "groups:\n" TAKES("g", "protocol: udp") "ports:\n" HOST(a, 1, "")
			HOST(b, 2, ", groups: [g]") ROUTER);
	fw_passes("a", "c", UDP_A, .mac_to = 3);
	fw_drops("b", icmp_unrelated, B_A, .mac_to = 3, .proto = ICMP, .type = 3, .quoted = &udp);
	fw_passes("c", "b", UDP_A, .mac_from = 3);
	fw_passes("b", "c", B_A, .mac_to = 3, .proto = ICMP, .type = 3, .quoted = &udp);
	fw_passes("c", "a", B_A, .mac_from = 3, .proto = ICMP, .type = 3, .quoted = &udp);
}

/* Who sends one packet on and on to itself gets so many legs, and no more. */
static void test_legs_are_bounded(void **state)
{
	rig_start(SMALL NEVER NET "ports:\n"
				  "  - {name: a, network: n, kernel: {interface: a}" ALLOW "}\n"
				  "  - {name: b, network: n, kernel: {interface: b}" ALLOW "}\n");
	fw_put("b", (struct pkt){.from = 2, .to = 99, .proto = UDP});
	for (unsigned i = 0; i < 20; i++)
		fw_put("a", (struct pkt){UDP_A, .mac_from = 0x100 + i});
	assert_int_equal(rig_take("b"), 20);
	assert_in_range(fw_connections(), 2, CONN_LEGS_MAX + 1);
}

/* 40: a frame for many passes its sender's rules once, and each receiver's for its own copy. */
static void test_40_rules_of_frames_for_many(void **state)
{
#define MANY "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]") HOST(c, 3, "") HOST(d, 4, ALLOW)
#define OUT_DENY                                                                                   \
	"- name: o\n  tenant: t\n  rules:\n  - {direction: out, protocol: udp, ports: 1900, "      \
	"action: deny}\n"
	rig_start(
		SMALL NEVER NET "groups:\n" TAKES("g", "protocol: udp, ports: 5353") OUT_DENY MANY);
	fw_passes("a", "bd", A_B, .mac_to = RIG_BROADCAST, .proto = UDP, .sport = 5353,
		.dport = 5353);
	/* Each copy has its place in the books, whichever port is asked first. */
	assert_int_equal(rig_drops("c", DROP_policy_copy), 1);
	fw_passes("a", "d", A_B, .mac_to = RIG_BROADCAST, .proto = UDP, .sport = 9, .dport = 9);
	assert_int_equal(rig_drops("c", DROP_policy_copy), 2);
	assert_int_equal(rig_drops("b", DROP_policy_copy), 1);
	/* It is no connection, and what comes back is no answer. */
	assert_int_equal(fw_connections(), 0);
	fw_drops("b", policy_in, B_A, .proto = UDP, .sport = 5353, .dport = 5353);
	rig_apply(NEVER NET "groups:\n" TAKES("g", "protocol: udp, ports: 5353") OUT_DENY
		"ports:\n" HOST(a, 1, ", groups: [o]") HOST(b, 2, ", groups: [g]") HOST(c, 3, "")
			HOST(d, 4, ""));
	fw_drops("a", policy_out, A_B, .mac_to = RIG_BROADCAST, .proto = UDP, .sport = 9,
		.dport = 1900);
	fw_drops(
		"a", policy_in, A_B, .mac_to = RIG_BROADCAST, .proto = UDP, .sport = 9, .dport = 9);
	fw_passes("a", "b", A_B, .mac_to = RIG_BROADCAST, .proto = UDP, .sport = 9, .dport = 5353);
}

static uint32_t block(struct block b)
{
	struct config_report report;
	struct config_error err;

	assert_true(service_parse(b.service_text, &b.service));
	config_report_init(&report);
	assert_int_equal(blocks_add(&b, &err), BLOCKS_ADDED);
	assert_true(switch_policy_changed(&report));
	return b.id;
}

static void lift(uint32_t id)
{
	struct config_report report;

	config_report_init(&report);
	assert_int_equal(blocks_remove(id, NULL), 1);
	assert_true(switch_policy_changed(&report));
}

/* A block stands above what rules allow, audit mode and trust, and ends what runs at once. */
static void test_block_cuts_what_runs(void **state)
{
	uint32_t id;

	rig_start(SMALL NEVER NET "tenants: [{name: t, audit: true}]\nports:\n" HOST(a, 1, ALLOW)
			HOST(b, 2, ALLOW) HOST(c, 3, ", trusted: true"));
	fw_handshake();
	fw_passes("a", "b", UDP_A);
	id = block((struct block){.service_text = "tcp/445"});
	fw_drops("b", blocked, TCP_B(TCP_ACK));
	fw_drops("a", blocked, TCP_A(TCP_ACK));
	fw_drops("a", blocked, TCP_A(TCP_SYN));
	fw_drops("c", blocked, .from = 3, .to = 2, .proto = TCP, .sport = 1, .dport = 445,
		.flags = TCP_SYN);
	fw_passes("b", "a", UDP_B);
	lift(id);
	fw_passes("a", "b", TCP_A(TCP_ACK));
	fw_passes("b", "a", TCP_B(TCP_ACK));
	fw_passes("c", "b", .from = 3, .to = 2, .proto = TCP, .sport = 1, .dport = 445,
		.flags = TCP_SYN);
}

static void test_audit_drops_nothing(void **state)
{
	static const char audit[] = SMALL NEVER NET
		"tenants: [{name: t, audit: true}]\nports:\n" HOST(a, 1, "") HOST(b, 2, "");
	bool more;
	json_t *rows;
	const struct conn_filter any = {0};

	rig_start(audit);
	/* What ran before the mode was set is taken over, whatever the window. */
	fw_passes("a", "b", A_B, .proto = TCP, .sport = 7, .dport = 8, .flags = TCP_ACK);
	fw_passes("b", "a", B_A, .proto = TCP, .sport = 8, .dport = 7, .flags = RST);
	assert_int_equal(switch_conns_kill(&(struct conn_filter){.port = "a"}, NULL), 1);
	rig_settle();
	fw_handshake();
	fw_passes("a", "b", A_B, .mac_to = RIG_BROADCAST, .proto = UDP, .sport = 9, .dport = 9);
	rows = switch_conns_list(&any, 9, &more);
	assert_true(json_is_true(json_object_get(json_array_get(rows, 0), "audited")));
	json_decref(rows);
	/* Once it is in earnest, what only passed by way of audit ends. */
	rig_apply(NEVER NET "ports:\n" HOST(a, 1, "") HOST(b, 2, ""));
	fw_drops("a", policy_revoked, TCP_A(TCP_ACK));
	rig_apply(audit);
	fw_passes("a", "b", TCP_A(TCP_ACK));
}

/* The answer is the switch's own: made by it, and sent like any other frame. */
static void test_rejected_is_answered(void **state)
{
	const uint8_t *frame;

	rig_start(SMALL NEVER NET "groups:\n- name: g\n  tenant: t\n  rules:\n"
				  "  - {direction: in, action: reject}\n"
				  "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]"));
	fw_put("a", (struct pkt){TCP_A(TCP_SYN)});
	assert_int_equal(rig_take("a"), 1);
	frame = rig_port("a")->last;
	assert_int_equal(frame[14 + 9], TCP);
	assert_int_equal(frame[14 + 20 + 13] & RST, RST);
	fw_put("a", (struct pkt){UDP_A});
	assert_int_equal(rig_take("a"), 1);
	assert_int_equal(frame[14 + 9], ICMP);
	assert_int_equal(frame[14 + 20], 3);
	assert_int_equal(frame[14 + 21], 13);
	assert_int_equal(rig_take("b"), 0);
	assert_int_equal(rig_drops("a", DROP_policy_in), 2);
	assert_int_equal(rig_count("a").made, 2);
	assert_int_equal(fw_connections(), 0);
	/* So many a second, and no more. */
	for (unsigned i = 0; i < 1000; i++)
		fw_put("a", (struct pkt){UDP_A});
	assert_in_range(rig_take("a"), 90, 110);
	assert_int_equal(rig_drops("a", DROP_policy_in), 1002);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_routed_leg_has_rules_of_its_own),
		FW_TEST(test_first_leg_opens_no_second),
		FW_TEST(test_errors_of_both_legs),
		FW_TEST(test_legs_are_bounded),
		FW_TEST(test_40_rules_of_frames_for_many),
		FW_TEST(test_block_cuts_what_runs),
		FW_TEST(test_audit_drops_nothing),
		FW_TEST(test_rejected_is_answered),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
