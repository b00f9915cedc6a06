/* The way of a packet on one worker, from port to port: who gets what, and why the others do not.
 */
#include "switch_rig.h"

#define PORT(name) "  - {name: " #name ", network: n, kernel: {interface: " #name "}}\n"

static uint8_t frame[RIG_FRAME_LEN];

static int start_eal(void **state)
{
	return rig_eal("test_forward", "256");
}

static void start_three(void)
{
	rig_start("networks: [{name: n}]\nports:\n" PORT(a) PORT(b) PORT(c));
}

/* Tenants may use the same addresses. */
static void test_networks_never_cross(void **state)
{
	rig_start("networks: [{name: n}, {name: o}]\n"
		  "ports:\n" PORT(a) PORT(b)
			  PORT(c) "  - {name: x, network: o, kernel: {interface: x}}\n"
				  "  - {name: y, network: o, kernel: {interface: y}}\n"
				  "  - {name: z, network: o, kernel: {interface: z}, "
				  "mac: \"02:00:00:00:00:05\"}\n");
	rig_send("a", RIG_BROADCAST, 1, 100);
	rig_expect("bc", 100);
	rig_send("x", RIG_BROADCAST, 1, 101);
	rig_expect("yz", 101);
	rig_send("b", RIG_BROADCAST, 2, 102);
	rig_expect("ac", 102);
	rig_send("y", RIG_BROADCAST, 2, 103);
	rig_expect("xz", 103);
	rig_send("a", 2, 1, 104);
	rig_expect("b", 104);
	rig_send("x", 2, 1, 105);
	rig_expect("y", 105);
	/* What the other network has configured or learned is unknown here. */
	rig_send("a", 5, 1, 106);
	rig_expect("bc", 106);
	rig_send("a", RIG_MULTICAST, 1, 107);
	rig_expect("bc", 107);
	rig_put("a", rig_udp(frame, 2, 1, 53, 1000, 108), RIG_FRAME_LEN);
	rig_settle();
	rig_expect("b", 108);
}

/* No one has the MAC 00:00:00:00:00:00, least of all the port whose id is 0. */
static void test_zero_destination(void **state)
{
	static const uint8_t zero[6];

	rig_start("networks: [{name: n}, {name: o}]\n"
		  "ports:\n"
		  "  - {name: x, network: o, kernel: {interface: x}}\n"
		  "  - {name: y, network: o, kernel: {interface: y}}\n" PORT(a) PORT(b));
	assert_int_equal(rig_port("x")->dev.id, 0);
	rig_put("a", rig_frame_to(frame, zero, 1, 1), RIG_FRAME_LEN);
	rig_settle();
	rig_expect("b", 1);
	assert_int_equal(rig_drops("a", DROP_no_receiver), 0);
}

static void test_learned_unicast(void **state)
{
	start_three();
	rig_send("a", 2, 1, 1); /* unknown */
	rig_expect("bc", 1);
	rig_send("b", 1, 2, 2);
	rig_expect("a", 2);
	rig_send("a", 2, 1, 3);
	rig_expect("b", 3);
	assert_int_equal(rig_count("a").received, 2);
	assert_int_equal(rig_count("a").received_bytes, 2 * RIG_FRAME_LEN);
	assert_int_equal(rig_count("a").copies, 1);
	assert_int_equal(rig_count("b").sent_bytes, 2 * RIG_FRAME_LEN);
	/* The address moves, and frames follow it at once. */
	rig_send("c", 1, 2, 4);
	rig_expect("a", 4);
	rig_send("a", 2, 1, 5);
	rig_expect("c", 5);
}

/* A configured MAC is known before its owner has said a word, and while it is away. */
static void test_configured_unicast(void **state)
{
	rig.broken = true;
	rig_start("networks: [{name: n}]\nports:\n" PORT(a) PORT(
		b) "  - {name: c, network: n, kernel: {interface: c}, mac: \"02:00:00:00:00:03\"}\n"
		   "  - {name: d, network: n, kernel: {interface: broken}, "
		   "mac: \"02:00:00:00:00:04\"}\n");
	rig_send("a", 3, 1, 1);
	rig_expect("c", 1);
	rig_send("a", 4, 1, 2);
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_no_receiver), 1);
}

static void test_unknown_unicast(void **state)
{
	rig_start("networks: [{name: n}]\nports:\n" PORT(a) PORT(
		b) "  - {name: c, network: n, kernel: {interface: c}, mac: \"02:00:00:00:00:03\"}\n"
		   "  - {name: d, network: n, kernel: {interface: d}, mac: \"02:00:00:00:00:04\", "
		   "flood: on}\n"
		   "  - {name: e, network: n, kernel: {interface: e}, flood: off}\n");
	rig_send("a", 77, 1, 1);
	rig_expect("bd", 1);
	/* Broadcast and multicast are another matter. */
	rig_send("a", RIG_BROADCAST, 1, 2);
	rig_expect("bcde", 2);
	rig_send("a", RIG_MULTICAST, 1, 3);
	rig_expect("bcde", 3);
}

static void test_unknown_unicast_dropped(void **state)
{
	rig_start("networks: [{name: n, unknown-unicast: drop}]\nports:\n" PORT(a) PORT(b));
	rig_send("a", 2, 1, 1);
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_unknown_unicast), 1);
	rig_send("a", RIG_BROADCAST, 1, 2);
	rig_expect("b", 2);
	rig_send("b", 1, 2, 3);
	rig_expect("a", 3);
	rig_send("a", 2, 1, 4);
	rig_expect("b", 4);
}

static void test_no_receiver(void **state)
{
	rig_start("networks: [{name: n}]\nports:\n" PORT(a));
	rig_send("a", RIG_BROADCAST, 1, 1);
	rig_send("a", 2, 1, 2);
	assert_int_equal(rig_drops("a", DROP_no_receiver), 2);
}

static void test_hairpin(void **state)
{
	rig_start("networks: [{name: n}]\nports:\n" PORT(
		b) "  - {name: a, network: n, kernel: {interface: a}, trusted: true, mac: "
		   "\"02:00:00:00:00:01\"}\n");
	rig_send("a", 1, 1, 1); /* to itself */
	rig_send("a", RIG_BROADCAST, 9, 2); /* a second MAC behind the same port */
	rig_expect("b", 2);
	rig_send("a", 9, 1, 3);
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_hairpin), 2);
}

static void test_reserved_multicast(void **state)
{
	uint8_t dst[6] = {0x01, 0x80, 0xc2, 0, 0, 0};

	start_three();
	for (unsigned last = 0; last < 0x10; last++) {
		dst[5] = last;
		rig_put("a", rig_frame_to(frame, dst, 1, last), RIG_FRAME_LEN);
	}
	rig_settle();
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_reserved_multicast), 16);
	dst[5] = 0x10;
	rig_put("a", rig_frame_to(frame, dst, 1, 10), RIG_FRAME_LEN);
	rig_settle();
	rig_expect("bc", 10);
	dst[5] = 0x01;
	dst[4] = 0x01;
	rig_put("a", rig_frame_to(frame, dst, 1, 11), RIG_FRAME_LEN);
	rig_settle();
	rig_expect("bc", 11);
}

static void test_bad_sources(void **state)
{
	static const uint8_t sources[][6] = {
		{0},
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x01, 0x00, 0x5e, 0, 0, 1},
		{0x03, 0, 0, 0, 0, 1},
	};

	start_three();
	for (unsigned i = 0; i < RTE_DIM(sources); i++) {
		rig_frame(frame, RIG_BROADCAST, 1, i);
		memcpy(frame + 6, sources[i], 6);
		rig_put("a", frame, RIG_FRAME_LEN);
	}
	rig_settle();
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_src_mac_invalid), RTE_DIM(sources));
	assert_true(fdb_empty(switch_find_network("n")->fdb));
}

static void test_short_frames(void **state)
{
	start_three();
	rig_frame(frame, RIG_BROADCAST, 1, 1);
	for (unsigned len = 1; len < 14; len++)
		rig_put("a", frame, len);
	rig_settle();
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_frame_short), 13);
	rig_put("a", frame, 14);
	rig_settle();
	assert_int_equal(rig_take("b"), 1);
}

/* Another guest's configured address cannot be taken by sending from it. */
static void test_configured_mac_of_another(void **state)
{
	rig_start("networks: [{name: n}]\nports:\n" PORT(a) PORT(
		b) "  - {name: v, network: n, kernel: {interface: v}, trusted: true, mac: "
		   "\"02:00:00:00:00:05\"}\n");
	rig_send("a", RIG_BROADCAST, 5, 1);
	rig_expect("", 0);
	rig_send("b", 5, 2, 2);
	rig_expect("v", 2);
	/* Its own, and others behind it, the victim may use. */
	rig_send("v", RIG_BROADCAST, 5, 3);
	rig_expect("ab", 3);
	rig_send("v", RIG_BROADCAST, 6, 4);
	rig_expect("ab", 4);
	assert_int_equal(rig_drops("a", DROP_src_mac_static), 1);
}

/* What was learned gives way to what is configured, at once and for good. */
static void test_configured_after_learned(void **state)
{
	start_three();
	rig_send("a", RIG_BROADCAST, 5, 1);
	rig_expect("bc", 1);
	rig_send("b", 5, 2, 2);
	rig_expect("a", 2);
	rig_apply("networks: [{name: n}]\nports:\n" PORT(a)
			PORT(b) "  - {name: c, network: n, kernel: {interface: c}, mac: "
				"\"02:00:00:00:00:05\"}\n");
	rig_send("a", RIG_BROADCAST, 5, 3);
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_src_mac_static), 1);
	rig_send("b", 5, 2, 4);
	rig_expect("c", 4);
}

static void test_tagged(void **state)
{
	static const uint16_t types[] = {0x8100, 0x88a8};

	rig_start("networks: [{name: n}]\nports:\n" PORT(a)
			PORT(b) "  - {name: t, network: n, kernel: {interface: t}, tagged: pass, "
				"trusted: true}\n");
	for (unsigned i = 0; i < RTE_DIM(types); i++) {
		rig_frame(frame, RIG_BROADCAST, 1, i);
		put16(frame + 12, types[i]);
		put16(frame + 14, 100);
		put16(frame + 16, 0x0806);
		rig_put("a", frame, RIG_FRAME_LEN);
		rig_settle();
		rig_expect("", 0);
		rig_mac(frame + 6, 3);
		rig_put("t", frame, RIG_FRAME_LEN);
		rig_settle();
		rig_expect("ab", i);
		assert_memory_equal(rig_port("b")->last, frame, RIG_FRAME_LEN);
	}
	assert_int_equal(rig_drops("a", DROP_vlan_tagged), 2);
}

static void test_learning_off(void **state)
{
	rig_start("networks: [{name: n, learning: false}]\nports:\n" PORT(a) PORT(b) PORT(c));
	rig_send("b", RIG_BROADCAST, 2, 1);
	rig_expect("ac", 1);
	rig_send("a", 2, 1, 2);
	rig_expect("bc", 2);
	assert_true(fdb_empty(switch_find_network("n")->fdb));
}

static void test_ageing(void **state)
{
	rig_start("networks: [{name: n, mac-age: 10s}]\nports:\n" PORT(a) PORT(b) PORT(c));
	rig_send("b", RIG_BROADCAST, 2, 1);
	rig_expect("ac", 1);
	rig_pass_time(9 * rig.hz);
	rig_settle();
	rig_send("a", 2, 1, 2);
	rig_expect("b", 2);
	rig_pass_time(rig.hz);
	rig_settle();
	rig_send("a", 2, 1, 3);
	rig_expect("bc", 3);
}

static void test_flush(void **state)
{
	char err[128];

	start_three();
	rig_send("b", RIG_BROADCAST, 2, 1);
	rig_expect("ac", 1);
	assert_int_equal(switch_fdb_flush("n", "b", err, sizeof(err)), 0);
	rig_settle();
	rig_send("a", 2, 1, 2);
	rig_expect("bc", 2);
	/* Heard again within the second, and learned again. */
	rig_send("b", RIG_BROADCAST, 2, 3);
	rig_expect("ac", 3);
	rig_send("a", 2, 1, 4);
	rig_expect("b", 4);
	assert_int_equal(switch_fdb_flush("m", NULL, err, sizeof(err)), -1);
	assert_int_equal(switch_fdb_flush(NULL, "m", err, sizeof(err)), -1);
}

/* More in one pass than one burst, and in order. */
static void test_many_in_order(void **state)
{
	struct rig_dev *b;

	start_three();
	rig_send("b", RIG_BROADCAST, 2, 0);
	rig_take("a");
	rig_take("c");
	for (unsigned i = 0; i < 1000; i++)
		rig_put("a", rig_frame(frame, 2, 1, i), RIG_FRAME_LEN);
	rig_settle();
	b = rig_port("b");
	assert_int_equal(b->n_record, 1000);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(b->sent[i].id, i);
	assert_int_equal(rig_take("c"), 0);
}

/* Private VLAN: what isolated ports may reach, whatever the frame. */
struct pair {
	const char *from;
	const char *reaches;
};

static const struct pair pairs[] = {
	{"i", "pq"},
	{"j", "pq"},
	{"p", "ijqo"},
	{"q", "ijpo"},
	{"o", "pq"},
};

static void start_private(void)
{
	rig_start(
		"networks: [{name: n}]\nports:\n"
		"  - {name: i, network: n, kernel: {interface: i}, isolated: true, trusted: true}\n"
		"  - {name: j, network: n, kernel: {interface: j}, isolated: true, trusted: true}\n"
		"  - {name: p, network: n, kernel: {interface: p}, promiscuous: true, trusted: "
		"true}\n"
		"  - {name: q, network: n, kernel: {interface: q}, promiscuous: true, trusted: "
		"true}\n"
		"  - {name: o, network: n, kernel: {interface: o}, trusted: true}\n");
}

/* ARP request, neighbour solicitation to its solicited-node group, or a frame of no known kind. */
static unsigned discovery(uint8_t *out, unsigned kind, uint32_t src, uint32_t id)
{
	static const uint8_t node[6] = {0x33, 0x33, 0xff, 0, 0, 1};
	uint8_t *ip = out + 14;
	unsigned len = 14 + 40 + 24 + sizeof(id);

	if (kind != 1) {
		rig_frame(out, RIG_BROADCAST, src, id);
		put16(out + 12, kind == 0 ? 0x0806 : RIG_TYPE);
		return RIG_FRAME_LEN;
	}
	memset(out, 0, len);
	memcpy(out, node, sizeof(node));
	rig_mac(out + 6, src);
	put16(out + 12, 0x86dd);
	ip[0] = 0x60;
	put16(ip + 4, len - 14 - 40);
	ip[6] = 58;
	ip[7] = 255;
	ip[8] = 0xfe;
	ip[9] = 0x80;
	ip[24] = 0xff;
	ip[25] = 0x02;
	ip[40] = 135;
	memcpy(out + len - sizeof(id), &id, sizeof(id));
	return len;
}

static void test_isolation_of_groups(void **state)
{
	uint8_t out[128];
	unsigned id = 0;

	start_private();
	for (unsigned kind = 0; kind < 3; kind++)
		for (unsigned i = 0; i < RTE_DIM(pairs); i++) {
			unsigned len = discovery(out, kind, 100 + i, ++id);

			rig_put(pairs[i].from, out, len);
			rig_settle();
			rig_expect(pairs[i].reaches, id);
		}
}

static void test_isolation_of_unicast(void **state)
{
	static const char all[] = "ijpqo";
	unsigned id = 0, isolated = 0;

	start_private();
	for (unsigned i = 0; i < RTE_DIM(pairs); i++)
		rig_send(pairs[i].from, RIG_BROADCAST, 100 + i, 0);
	for (unsigned i = 0; i < RTE_DIM(pairs); i++)
		rig_take(pairs[i].from);
	for (unsigned i = 0; i < RTE_DIM(pairs); i++) {
		/* Unknown unicast as well. */
		rig_send(pairs[i].from, 9999, 100 + i, ++id);
		rig_expect(pairs[i].reaches, id);
		for (unsigned j = 0; j < RTE_DIM(pairs); j++) {
			char to[2] = {all[j]};
			bool reached = strchr(pairs[i].reaches, all[j]) != NULL;

			if (i == j)
				continue;
			rig_send(pairs[i].from, 100 + j, 100 + i, ++id);
			rig_expect(reached ? to : "", id);
			isolated += !reached;
		}
	}
	for (unsigned i = 0; i < RTE_DIM(pairs); i++)
		isolated -= rig_drops(pairs[i].from, DROP_isolated);
	assert_int_equal(isolated, 0);
}

/* What came out of a tunnel goes into no other one, whatever it is for. */
static void test_split_horizon(void **state)
{
	rig_start("networks: [{name: n, vni: 5}]\nports:\n"
		  "  - {name: o, network: n, kernel: {interface: o}, trusted: true}\n"
		  "uplinks:\n"
		  "  - name: u\n"
		  "    device: net_ring0\n"
		  "    vxlan: {local: 192.0.2.1/24, mtu: 1550, peers: [{name: p, address: "
		  "192.0.2.2},\n"
		  "      {name: q, address: 192.0.2.3, macs: [{network: n, mac: "
		  "02:00:00:00:00:02}]}]}\n");
	rig_send("u.p.5", RIG_BROADCAST, 1, 1);
	assert_int_equal(rig_take("o"), 1);
	assert_int_equal(rig_take("u.q.5"), 0);
	rig_send("u.q.5", 9999, 2, 2);
	assert_int_equal(rig_take("o"), 1);
	assert_int_equal(rig_take("u.p.5"), 0);
	rig_send("u.p.5", 2, 1, 3);
	assert_int_equal(rig_take("u.q.5"), 0);
	assert_int_equal(rig_drops("u.p.5", DROP_isolated), 1);
	/* A guest's is for the peer that the MAC is configured at, a broadcast for both. */
	rig_send("o", 2, 3, 4);
	assert_int_equal(rig_take("u.q.5"), 1);
	assert_int_equal(rig_take("u.p.5"), 0);
	rig_send("o", RIG_BROADCAST, 3, 5);
	assert_int_equal(rig_take("u.p.5"), 1);
	assert_int_equal(rig_take("u.q.5"), 1);
	/* And nobody else has it. */
	rig_send("u.p.5", 3, 2, 6);
	assert_int_equal(rig_take("o"), 0);
	assert_int_equal(rig_drops("u.p.5", DROP_src_mac_static), 1);
}

/* Each kind has a rate of its own, and each port. */
static void test_storm(void **state)
{
	static const struct {
		uint32_t dst;
		enum drop_reason reason;
		unsigned depth;
	} kinds[] = {
		{RIG_BROADCAST, DROP_storm_broadcast, 25},
		{RIG_MULTICAST, DROP_storm_multicast, 50},
		{77, DROP_storm_unknown, 100},
	};

	rig_start("networks: [{name: n}]\nports:\n"
		  "  - {name: a, network: n, kernel: {interface: a}, "
		  "storm: {broadcast: 100, multicast: 200, unknown-unicast: 400}}\n" PORT(
			  b) "  - {name: v, network: n, kernel: {interface: v}, mac: "
			     "\"02:00:00:00:00:05\"}\n");
	for (unsigned k = 0; k < RTE_DIM(kinds); k++) {
		for (unsigned i = 0; i < 300; i++)
			rig_send("a", kinds[k].dst, 1, i);
		assert_int_equal(rig_take("b"), kinds[k].depth);
		assert_int_equal(rig_drops("a", kinds[k].reason), 300 - kinds[k].depth);
	}
	rig_take("v");
	/* Others may still speak, and what is known may still be sent. */
	rig_send("b", RIG_BROADCAST, 2, 1);
	rig_expect("av", 1);
	rig_send("a", 5, 1, 2);
	rig_expect("v", 2);
	rig_pass_time(rig.hz / 10);
	for (unsigned i = 0; i < 300; i++)
		rig_send("a", RIG_BROADCAST, 1, i);
	assert_int_equal(rig_take("b"), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_networks_never_cross),
		RIG_TEST(test_zero_destination),
		RIG_TEST(test_learned_unicast),
		RIG_TEST(test_configured_unicast),
		RIG_TEST(test_unknown_unicast),
		RIG_TEST(test_unknown_unicast_dropped),
		RIG_TEST(test_no_receiver),
		RIG_TEST(test_hairpin),
		RIG_TEST(test_reserved_multicast),
		RIG_TEST(test_bad_sources),
		RIG_TEST(test_short_frames),
		RIG_TEST(test_configured_mac_of_another),
		RIG_TEST(test_configured_after_learned),
		RIG_TEST(test_tagged),
		RIG_TEST(test_learning_off),
		RIG_TEST(test_ageing),
		RIG_TEST(test_flush),
		RIG_TEST(test_many_in_order),
		RIG_TEST(test_isolation_of_groups),
		RIG_TEST(test_isolation_of_unicast),
		RIG_TEST(test_split_horizon),
		RIG_TEST(test_storm),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
