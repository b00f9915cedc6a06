/*
 * Shortcuts through a whole switch: that the packets of a flow take them, and that whatever changes
 * what would become of a packet is heeded by the next one all the same.
 */
#include "firewall_rig.h"

#include "quarantine_gate.h"
#include "shortcut.h"
#include "switch_state.h"

#define NET                                                                                        \
	"vswitch: {workers: [1], connections: 4096}\nfirewall: {pick-up: 0}\n"                     \
	"networks: [{name: n, tenant: t}]\n"
#define GROUP "groups:\n- name: g\n  tenant: t\n  rules:\n"
#define SERVER                                                                                     \
	GROUP "  - {direction: in, protocol: tcp, ports: 445, action: allow}\n"                    \
	      "  - {direction: in, protocol: udp, action: allow}\n"
#define CLOSED GROUP "  - {direction: in, protocol: tcp, ports: 22, action: allow}\n"
#define PORTS  "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]") HOST(c, 3, ", groups: [g]")
#define SIMPLE NET SERVER PORTS

#define UDP_TO_C .from = 1, .to = 3, .proto = UDP, .sport = 40000, .dport = 53

static int start_eal(void **state)
{
	return rig_eal("test_shortcut", "256");
}

static uint64_t taken(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < n_workers; i++)
		n += workers[i]->stats.stages[STAGE_SHORTCUT].packets;
	return n;
}

static void passes_at(uint64_t short_ones, const char *from, const char *to, struct pkt k,
	const char *file, int line)
{
	uint64_t before = taken();

	fw_passes_at(from, to, k, file, line);
	if (taken() - before == short_ones)
		return;
	print_error("%s\n", short_ones > 0 ? "no shortcut" : "by a shortcut");
	_fail(file, line);
}

#define short_passes(from, to, ...)                                                                \
	passes_at(1, from, to, (struct pkt){__VA_ARGS__}, __FILE__, __LINE__)
#define long_passes(from, to, ...)                                                                 \
	passes_at(0, from, to, (struct pkt){__VA_ARGS__}, __FILE__, __LINE__)

static void open_connection(void)
{
	fw_handshake();
	fw_passes("a", "b", TCP_A(TCP_ACK));
	fw_passes("b", "a", TCP_B(TCP_ACK));
}

/* Both directions of a's connection to b have theirs. */
static void warm_up(void)
{
	open_connection();
	short_passes("a", "b", TCP_A(TCP_ACK));
	short_passes("b", "a", TCP_B(TCP_ACK), .payload = 700);
}

static void test_next_packets_take_it(void **state)
{
	rig_start(SIMPLE);
	long_passes("a", "b", TCP_A(TCP_SYN));
	long_passes("b", "a", TCP_B(SYN_ACK));
	long_passes("a", "b", TCP_A(TCP_ACK));
	short_passes("a", "b", TCP_A(TCP_ACK), .payload = 1);
	short_passes("b", "a", TCP_B(TCP_ACK));
	assert_int_equal(fw_connections(), 1);
	assert_string_equal(fw_state(), "established");
}

static void test_datagrams(void **state)
{
	rig_start(SIMPLE);
	for (unsigned i = 0; i < 3; i++)
		fw_passes("a", "b", UDP_A);
	short_passes("a", "b", UDP_A);
	/* The answer changes what it is. */
	fw_passes("b", "a", UDP_B);
	long_passes("a", "b", UDP_A);
	short_passes("a", "b", UDP_A);
	assert_string_equal(fw_state(), "multiple");
}

static void test_without_firewall(void **state)
{
	rig_start(NET "ports:\n" HOST(a, 1, ", trusted: yes") HOST(b, 2, ", trusted: yes"));
	long_passes("a", "b", TCP_A(TCP_ACK));
	short_passes("a", "b", TCP_A(TCP_SYN));
	short_passes("a", "b", TCP_A(RST));
	assert_int_equal(fw_connections(), 0);
}

/* What the state of a connection goes by is seen, whatever stands in a shortcut. */
static void test_flags_go_the_long_way(void **state)
{
	rig_start(SIMPLE);
	warm_up();
	long_passes("a", "b", TCP_A(FIN_ACK));
	assert_string_equal(fw_state(), "fin");
	fw_passes("b", "a", TCP_B(FIN_ACK));
	fw_passes("a", "b", TCP_A(TCP_ACK));
	assert_string_not_equal(fw_state(), "established");
	long_passes("b", "a", TCP_B(RST));
	assert_string_equal(fw_state(), "closed");
}

static void test_rules_that_change(void **state)
{
	rig_start(SIMPLE);
	warm_up();
	rig_apply(NET CLOSED PORTS);
	fw_drops("a", policy_revoked, TCP_A(TCP_ACK));
	fw_drops("b", policy_revoked, TCP_B(TCP_ACK));
	rig_apply(SIMPLE);
	fw_passes("a", "b", TCP_A(TCP_ACK));
	short_passes("a", "b", TCP_A(TCP_ACK));
}

static void test_a_port_that_goes(void **state)
{
	rig_start(SIMPLE);
	warm_up();
	rig_apply(NET SERVER "ports:\n" HOST(a, 1, "") HOST(c, 3, ", groups: [g]"));
	fw_put("a", (struct pkt){TCP_A(TCP_ACK)});
	rig_expect("", 0);
}

static void test_a_killed_connection(void **state)
{
	const struct conn_filter any = {0};
	bool all;

	rig_start(SIMPLE);
	warm_up();
	assert_int_equal(switch_conns_kill(&any, &all), 1);
	rig_settle();
	fw_drops("a", tcp_no_connection, TCP_A(TCP_ACK));
	fw_drops("b", tcp_no_connection, TCP_B(TCP_ACK));
	/* Its place in the table is another's now. */
	fw_passes("a", "b", UDP_A);
	fw_drops("a", tcp_no_connection, TCP_A(TCP_ACK));
}

static void test_quarantine(void **state)
{
	rig_start(SIMPLE);
	warm_up();
	quarantine_gate_set(rig_port("b")->dev.id, CONFIG_QUARANTINE_PORT);
	fw_drops("a", quarantined, TCP_A(TCP_ACK));
	fw_drops("b", quarantined, TCP_B(TCP_ACK));
	quarantine_gate_set(rig_port("b")->dev.id, CONFIG_QUARANTINE_NONE);
	short_passes("a", "b", TCP_A(TCP_ACK));
}

/* Taken, it is still there when half of an idle one's life has passed many times. */
static void test_they_keep_a_connection(void **state)
{
	rig_start(SIMPLE);
	fw_passes("a", "b", UDP_A);
	fw_passes("b", "a", UDP_B);
	for (unsigned i = 0; i < 20; i++) {
		fw_pass_seconds(30);
		fw_passes("a", "b", UDP_A);
	}
	assert_true(taken() > 15);
	assert_int_equal(fw_connections(), 1);
	fw_pass_seconds(600);
	assert_int_equal(fw_connections(), 0);
	/* It opens one again. */
	long_passes("a", "b", UDP_A);
	assert_int_equal(fw_connections(), 1);
}

/* The same headers from elsewhere, or with one thing different, are another matter. */
static void test_nobody_elses(void **state)
{
	rig_start(SIMPLE);
	warm_up();
	fw_drops("c", spoof_mac, TCP_A(TCP_ACK));
	fw_drops("c", spoof_ipv4, TCP_A(TCP_ACK), .mac_from = 3);
	fw_drops("a", spoof_mac, TCP_A(TCP_ACK), .mac_from = 3);
	fw_drops("a", tcp_no_connection, TCP_A(TCP_ACK), .mac_to = 3);
	fw_drops("a", tcp_no_connection, A_B, .proto = TCP, .sport = 40001, .dport = 445,
		.flags = TCP_ACK);
	fw_drops("a", spoof_ipv4, .from = 3, .to = 2, .mac_from = 1, .proto = TCP, .sport = 40000,
		.dport = 445, .flags = TCP_ACK);
}

static void put_changed(unsigned at, uint8_t byte)
{
	const struct pkt k = {TCP_A(TCP_ACK), .payload = 8};
	uint32_t len = fw_make(&k);

	fw_frame[at] = byte;
	rig_put("a", fw_frame, len);
	rig_settle();
}

/* Headers that are no usual ones: too long, too short, in fragments, with options, or tagged. */
static void test_malformed(void **state)
{
	uint64_t before;

	rig_start(SIMPLE);
	warm_up();
	before = taken();
	put_changed(14, 0x44);
	put_changed(14, 0x65);
	put_changed(16, 0xff);
	put_changed(17, 19);
	put_changed(20, 0x20);
	put_changed(21, 1);
	put_changed(46, 0x40);
	put_changed(46, 0xf0);
	put_changed(12, 0x81);
	rig_expect("", 0);
	assert_int_equal(taken(), before);
	assert_int_equal(rig_drops("a", DROP_ip_malformed), 4);
	assert_int_equal(rig_drops("a", DROP_l4_malformed), 2);
	short_passes("a", "b", TCP_A(TCP_ACK), .payload = 8);
}

static struct rte_mbuf *mbuf(const struct pkt *k, uint64_t flags)
{
	uint32_t len = fw_make(k);
	struct rte_mbuf *m = frames_mbuf(port_env.pool, fw_frame, len, 0, 0);

	m->ol_flags |= flags;
	return m;
}

/* What the sender left open goes on as such, and is refused where it cannot be. */
static void test_offloads(void **state)
{
	const struct pkt data = {TCP_A(TCP_ACK), .payload = 300};
	uint64_t before;

	rig_start(SIMPLE);
	warm_up();
	before = taken();
	rig_put_mbuf("a", 0, mbuf(&data, RTE_MBUF_F_RX_L4_CKSUM_NONE));
	rig_settle();
	rig_expect("b", fw_id);
	assert_int_equal(taken(), before + 1);
	/* TSO without a segment size. */
	rig_put_mbuf("a", 0, mbuf(&data, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE));
	rig_settle();
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_offload_invalid), 1);
	assert_int_equal(taken(), before + 2); /* and it ended there */
}

/* Packets of one flow in one burst leave in the order in which they came, whatever is among them.
 */
static void test_order(void **state)
{
	static const uint8_t flags[] = {TCP_ACK, TCP_ACK, TCP_ACK, FIN_ACK, TCP_ACK, TCP_ACK};
	uint32_t ids[RTE_DIM(flags)];
	struct rig_dev *b;

	rig_start(SIMPLE);
	warm_up();
	b = rig_port("b");
	for (unsigned i = 0; i < RTE_DIM(flags); i++) {
		const struct pkt k = {TCP_A(flags[i]), .payload = 1 + i};

		rig_put_mbuf("a", 0, mbuf(&k, 0));
		ids[i] = fw_id;
	}
	rig_settle();
	assert_int_equal(b->n_record, RTE_DIM(flags));
	for (unsigned i = 0; i < RTE_DIM(flags); i++)
		assert_int_equal(b->sent[i].id, ids[i]);
	rig_take("b");
}

/* A flow of a's to c that has the slot of its flow UDP_A to b. */
static struct pkt rival(void)
{
	struct pkt k = {UDP_A}, other = {UDP_TO_C};
	const uint16_t from = rig_port("a")->dev.id;
	const struct shortcut *slot;

	fw_make(&k);
	slot = shortcut_slot(&workers[0]->shortcuts, fw_frame, from);
	for (uint32_t ports = 0; ports < 4000000; ports++) {
		other.sport = 1024 + ports % 60000;
		other.dport = 1000 + ports / 60000;
		fw_make(&other);
		if (shortcut_slot(&workers[0]->shortcuts, fw_frame, from) == slot)
			return other;
	}
	fail();
	return other;
}

static struct rte_mbuf *fragment(const struct pkt *k, uint32_t off, uint32_t len, bool more)
{
	uint8_t *ip = fw_frame + 14;

	fw_make(k);
	memmove(ip + 20, ip + 20 + off, len);
	put16(ip + 2, 20 + len);
	put16(ip + 6, (more ? 0x2000 : 0) | off / 8);
	return frames_mbuf(port_env.pool, fw_frame, 14 + 20 + len, 0, 0);
}

/* Fragments are overtaken by none of their flow. */
static void test_order_of_fragments(void **state)
{
	const struct pkt large = {UDP_A, .payload = 1000}, small = {UDP_A, .payload = 100};
	struct rig_dev *b;

	rig_start(SIMPLE);
	for (unsigned i = 0; i < 3; i++)
		fw_passes("a", "b", UDP_A);
	short_passes("a", "b", UDP_A);
	b = rig_port("b");
	rig_put_mbuf("a", 0, mbuf(&small, 0));
	rig_put_mbuf("a", 0, fragment(&large, 0, 504, true));
	rig_put_mbuf("a", 0, fragment(&large, 504, 504, false));
	rig_put_mbuf("a", 0, mbuf(&small, 0));
	rig_settle();
	assert_int_equal(b->n_record, 4);
	assert_int_equal(b->sent[0].len, b->sent[3].len);
	assert_int_equal(b->sent[1].len, 538);
	assert_int_equal(b->sent[2].len, 538);
	rig_take("b");
}

/* What may be sent to a DHCP server is told by the payload: there are no shortcuts for it. */
static void test_dhcp(void **state)
{
	const struct pkt k = {A_B, .proto = UDP, .sport = 1067, .dport = 67, .payload = 300};
	uint64_t before = taken();
	uint32_t len;

	rig_start(NET SERVER "ports:\n" HOST(a, 1, "") HOST(b, 2, ", trusted: yes"));
	for (unsigned i = 0; i < 4; i++) {
		len = fw_make(&k);
		fw_frame[42] = 1; /* BOOTREQUEST */
		rig_put("a", fw_frame, len);
		rig_settle();
		rig_expect("b", fw_id);
	}
	len = fw_make(&k);
	fw_frame[42] = 2; /* BOOTREPLY */
	rig_put("a", fw_frame, len);
	rig_settle();
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_rogue_dhcp), 1);
	assert_int_equal(taken(), before);
}

/* Two flows of one slot, in turn: each gets where it belongs. */
static void test_rivals(void **state)
{
	const struct pkt to_b = {UDP_A};
	struct pkt to_c;

	rig_start(SIMPLE);
	to_c = rival();
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 8; i++) {
			rig_put_mbuf("a", 0, mbuf(&to_b, 0));
			rig_put_mbuf("a", 0, mbuf(&to_c, 0));
			if (round % 2)
				rig_put_mbuf("a", 0, mbuf(&to_c, 0));
		}
		rig_settle();
		assert_int_equal(rig_take("b"), 8);
		assert_int_equal(rig_take("c"), round % 2 ? 16 : 8);
	}
	assert_int_equal(fw_connections(), 2);
}

#define TWO                                                                                        \
	"vswitch: {workers: [1, 2], connections: 4096}\nfirewall: {pick-up: 0}\n"                  \
	"networks: [{name: n, tenant: t, workers: 2}]\n"

static uint64_t handed(void)
{
	return workers[0]->stats.stages[STAGE_HANDOVER].packets +
	       workers[1]->stats.stages[STAGE_HANDOVER].packets;
}

/* A flow of several workers' network: to its owner, and from there, by shortcuts. */
static void test_handed_over(void **state)
{
	uint64_t before, over;

	rig_start(TWO SERVER PORTS);
	open_connection();
	before = taken();
	over = handed();
	for (unsigned i = 0; i < 4; i++) {
		fw_passes("a", "b", TCP_A(TCP_ACK));
		fw_passes("b", "a", TCP_B(TCP_ACK));
	}
	/* One that is handed over takes one at either worker. */
	assert_true(handed() > over);
	assert_int_equal(taken() - before, 8 + handed() - over);
	assert_int_equal(fw_connections(), 1);
	rig_apply(TWO CLOSED PORTS);
	fw_drops("a", policy_revoked, TCP_A(TCP_ACK));
	fw_drops("b", policy_revoked, TCP_B(TCP_ACK));
	fw_drops("c", spoof_mac, TCP_A(TCP_ACK));
	rig_apply(TWO SERVER PORTS);
	open_connection();
	quarantine_gate_set(rig_port("a")->dev.id, CONFIG_QUARANTINE_PORT);
	fw_drops("a", quarantined, TCP_A(TCP_ACK));
	fw_drops("b", quarantined, TCP_B(TCP_ACK));
	quarantine_gate_set(rig_port("a")->dev.id, CONFIG_QUARANTINE_NONE);
}

/* Where they bring nothing they are left alone for a while, and then asked again. */
static void test_rest(void **state)
{
	struct shortcut_use use = {0};
	uint64_t rested = 0;

	for (unsigned i = 0; shortcuts_pay(&use, BURST); i++) {
		assert_true(i < 100000);
		shortcuts_brought(&use, BURST, i % 2 ? BURST : 1);
		shortcuts_brought(&use, BURST, 0);
	}
	while (!shortcuts_pay(&use, BURST))
		rested += BURST;
	assert_true(rested >= 100000);
	for (unsigned i = 0; i < 100000; i++) {
		shortcuts_brought(&use, BURST, BURST - 2);
		assert_true(shortcuts_pay(&use, BURST));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_next_packets_take_it),
		FW_TEST(test_datagrams),
		FW_TEST(test_without_firewall),
		FW_TEST(test_flags_go_the_long_way),
		FW_TEST(test_rules_that_change),
		FW_TEST(test_a_port_that_goes),
		FW_TEST(test_a_killed_connection),
		FW_TEST(test_quarantine),
		FW_TEST(test_they_keep_a_connection),
		FW_TEST(test_nobody_elses),
		FW_TEST(test_malformed),
		FW_TEST(test_offloads),
		FW_TEST(test_order),
		FW_TEST(test_order_of_fragments),
		FW_TEST(test_dhcp),
		FW_TEST(test_rivals),
		FW_TEST(test_handed_over),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
