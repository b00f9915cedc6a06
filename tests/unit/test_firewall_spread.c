/*
 * Connections of networks that several workers share, and of networks that move to another one:
 * whatever belongs to a connection comes to the worker that has it.
 */
#include "firewall_rig.h"

#define FOUR      "vswitch: {workers: [10, 11, 12, 13], connections: 4096}\n"
#define NEVER     "firewall: {pick-up: 0}\n"
#define NET_OF(w) "networks: [{name: n, tenant: t, workers: " #w ", home: 11}]\n"
#define HOME      "networks: [{name: n, tenant: t, home: 11}]\n"
#define GROUP                                                                                      \
	"groups:\n- name: g\n  tenant: t\n  rules:\n"                                              \
	"  - {direction: in, protocol: tcp, ports: 445, action: allow}\n"                          \
	"  - {direction: in, protocol: udp, ports: 53, action: allow}\n"
/* Of each network's hosts many addresses are at one port, for many pairs of them. */
#define PAIR(name, n, more)                                                                        \
	"  - {name: " #name ", network: n, kernel: {interface: " #name "}, mac: "                  \
	"\"02:00:00:00:00:0" #n "\", pairs: [{ip: 10.0.0.0/8}, {ip: \"::/0\"}]" more "}\n"
#define PORTS "ports:\n" PAIR(a, 1, "") PAIR(b, 2, ", groups: [g]") PAIR(c, 3, ", trusted: true")

static int start_eal(void **state)
{
	return rig_eal("test_firewall_spread", "512");
}

/* From address 16 + x to 4096 + x, and back. */
#define THERE(x) .from = 16 + (x), .to = 4096 + (x), .mac_from = 1, .mac_to = 2
#define BACK(x)  .from = 4096 + (x), .to = 16 + (x), .mac_from = 2, .mac_to = 1

static unsigned used_by(unsigned w)
{
	return conn_table_used(conns_table(firewall_conns(workers[w]->firewall)));
}

/* The worker whose table grew since `before` was taken. */
static unsigned owner_since(const unsigned *before)
{
	unsigned owner = MAX_WORKERS;

	for (unsigned w = 0; w < n_workers; w++) {
		if (used_by(w) == before[w])
			continue;
		assert_int_equal(owner, MAX_WORKERS);
		owner = w;
	}
	assert_int_not_equal(owner, MAX_WORKERS);
	return owner;
}

/* A datagram of two fragments, the later one first. */
static void put_fragments(const char *port, struct pkt k, uint16_t id)
{
	k.payload = 800 - 8;
	for (int i = 1; i >= 0; i--) {
		uint8_t *ip = fw_frame + 14;

		fw_make(&k);
		put16(ip + 2, 20 + 400);
		put16(ip + 4, id);
		put16(ip + 6, i == 0 ? 0x2000 : 400 / 8);
		rig_put(port, fw_frame, 14 + 20 + 400);
		rig_settle();
	}
}

/* Both directions, errors and fragments of each pair of addresses are found where the pair is. */
static void check_spread(const char *text, unsigned n)
{
	unsigned owned[MAX_WORKERS] = {0}, spread = 0;

	rig_start(text);
	for (unsigned x = 0; x < 64; x++) {
		const struct pkt there = {
			THERE(x), .proto = TCP, .sport = 40000, .dport = 445, .flags = TCP_ACK};
		const struct pkt udp = {THERE(x), .proto = UDP, .sport = 40000, .dport = 53};
		bool ipv6 = x % 2;
		unsigned before[MAX_WORKERS], owner;

		for (unsigned w = 0; w < n_workers; w++)
			before[w] = used_by(w);
		fw_passes("a", "b", THERE(x), .proto = TCP, .sport = 40000, .dport = 445,
			.flags = TCP_SYN, .ipv6 = ipv6);
		fw_passes("b", "a", BACK(x), .proto = TCP, .sport = 445, .dport = 40000,
			.flags = SYN_ACK, .ipv6 = ipv6);
		fw_passes("a", "b", THERE(x), .proto = TCP, .sport = 40000, .dport = 445,
			.flags = TCP_ACK, .ipv6 = ipv6);
		owner = owner_since(before);
		owned[owner]++;
		fw_drops("b", policy_in, BACK(x), .proto = UDP, .sport = 53, .dport = 40000);
		put_fragments("a", udp, (uint16_t)x);
		assert_int_equal(rig_take("b"), 2);
		put_fragments("b", (struct pkt){BACK(x), .proto = UDP, .sport = 53, .dport = 40000},
			(uint16_t)x);
		assert_int_equal(rig_take("a"), 2);
		fw_passes("c", "a", .from = 0x900 + x, .mac_from = 3, .to = 16 + x, .mac_to = 1,
			.proto = ICMP, .type = 11, .quoted = &udp);
		if (!ipv6)
			fw_passes("c", "a", .from = 0x900 + x, .mac_from = 3, .to = 16 + x,
				.mac_to = 1, .proto = ICMP, .type = 11, .quoted = &there);
	}
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 64);
	assert_int_equal(fw_count((struct conn_filter){.state = "multiple"}), 64);
	assert_int_equal(fw_connections(), 128);
	for (unsigned w = 0; w < n_workers; w++)
		spread += owned[w] > 64 / n / 4;
	assert_int_equal(spread, n);
	assert_int_equal(fw_stats().fetched, 0);
	for (unsigned w = 0; w < n_workers; w++)
		assert_int_equal(fragments_waiting(firewall_fragments(workers[w]->firewall)), 0);
}

static void test_spread_over_two(void **state)
{
	check_spread(FOUR NEVER NET_OF(2) GROUP PORTS, 2);
}

static void test_spread_over_four(void **state)
{
	check_spread(FOUR NEVER NET_OF(4) GROUP PORTS, 4);
}

/* A change of rules is met by every worker. */
static void test_revoked_on_all_workers(void **state)
{
	rig_start(FOUR NEVER NET_OF(4) GROUP PORTS);
	for (unsigned x = 0; x < 32; x++)
		fw_passes("a", "b", THERE(x), .proto = UDP, .sport = 40000, .dport = 53);
	rig_apply(FOUR NEVER NET_OF(4) "groups: [{name: g, tenant: t}]\n" PORTS);
	for (unsigned x = 0; x < 32; x++)
		fw_drops("b", policy_revoked, BACK(x), .proto = UDP, .sport = 53, .dport = 40000);
	assert_int_equal(fw_stats().decided_again, 32);
	rig_apply(FOUR NEVER NET_OF(4) GROUP PORTS);
	for (unsigned x = 0; x < 32; x++)
		fw_passes("b", "a", BACK(x), .proto = UDP, .sport = 53, .dport = 40000);
}

/* A port's limit is over all workers; none of them has room left. */
static void test_quota_is_over_all_workers(void **state)
{
	rig_start(FOUR NEVER NET_OF(4) GROUP "ports:\n" PAIR(a, 1, ", connections: {max: 20}")
			PAIR(b, 2, ", groups: [g]"));
	for (unsigned x = 0; x < 64; x++) {
		fw_put("a", (struct pkt){THERE(x), .proto = UDP, .sport = 40000, .dport = 53});
		if (rig_take("b") == 1)
			fw_passes("b", "a", BACK(x), .proto = UDP, .sport = 53, .dport = 40000);
	}
	assert_int_equal(rig_drops("a", DROP_conn_limit_port), 44);
	assert_int_equal(fw_connections(), 20);
}

/* To a MAC that nobody knows: the home worker floods the whole, by each receiver's rules. */
static void test_fragments_to_unknown(void **state)
{
#define FLOOD(name, more)                                                                          \
	"  - {name: " #name ", network: n, kernel: {interface: " #name "}" more "}\n"
	rig_start(FOUR NEVER NET_OF(4) GROUP "ports:\n" FLOOD(a, "") FLOOD(b, ", groups: [g]")
			FLOOD(c, ""));
	for (unsigned x = 0; x < 32; x++) {
		put_fragments("a",
			(struct pkt){.from = 16 + x,
				.to = 4096 + x,
				.mac_from = 1,
				.mac_to = 9,
				.proto = UDP,
				.sport = 1,
				.dport = 53},
			(uint16_t)x);
		assert_int_equal(rig_take("b"), 2);
		assert_int_equal(rig_take("c"), 0);
	}
	assert_int_equal(rig_drops("c", DROP_policy_copy), 64);
	assert_int_equal(fw_connections(), 0);
	/* Once it is known, they are the pair's owner's, and a connection. */
	fw_put("b", (struct pkt){.from = 1, .to = 2, .mac_from = 9, .mac_to = 1, .proto = UDP});
	rig_take("a");
	for (unsigned x = 0; x < 32; x++) {
		put_fragments("a",
			(struct pkt){.from = 16 + x,
				.to = 4096 + x,
				.mac_from = 1,
				.mac_to = 9,
				.proto = UDP,
				.sport = 1,
				.dport = 53},
			(uint16_t)(100 + x));
		assert_int_equal(rig_take("b"), 2);
	}
	assert_int_equal(fw_connections(), 32);
}

static void move_home(unsigned core)
{
	char err[256];

	assert_int_equal(switch_move_network("n", core, err, sizeof(err)), 0);
	rig_settle();
}

/* n connections of host 1's, as they were: packets of both directions pass. */
static void check_all_go_on(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (i % 2)
			fw_passes("b", "a", BACK(0), .proto = TCP, .sport = 445, .dport = 20000 + i,
				.flags = TCP_ACK);
		fw_passes("a", "b", THERE(0), .proto = TCP, .sport = 20000 + i, .dport = 445,
			.flags = TCP_ACK);
		if (i % 2 == 0)
			fw_passes("b", "a", BACK(0), .proto = TCP, .sport = 445, .dport = 20000 + i,
				.flags = TCP_ACK);
	}
}

/* The new home takes over what the old one had, one by one as packets come, up to the limit. */
static void test_moved_home_fetches(void **state)
{
	rig_start(FOUR NEVER HOME GROUP "ports:\n" PAIR(a, 1, ", connections: {max: 40}")
			PAIR(b, 2, ", groups: [g]") PAIR(c, 3, ""));
	for (unsigned i = 0; i < 40; i++) {
		fw_passes("a", "b", THERE(0), .proto = TCP, .sport = 20000 + i, .dport = 445,
			.flags = TCP_SYN);
		fw_passes("b", "a", BACK(0), .proto = TCP, .sport = 445, .dport = 20000 + i,
			.flags = SYN_ACK);
		fw_passes("a", "b", THERE(0), .proto = TCP, .sport = 20000 + i, .dport = 445,
			.flags = TCP_ACK);
	}
	assert_int_equal(used_by(1), 40);
	move_home(13);
	check_all_go_on(40);
	rig_settle();
	assert_int_equal(fw_stats().fetched, 40);
	assert_int_equal(used_by(1), 0);
	assert_int_equal(used_by(3), 40);
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 40);
	assert_int_equal(fw_connections(), 40);
	fw_drops("a", conn_limit_port, THERE(0), .proto = UDP, .sport = 9, .dport = 53);
	/* And back, to a worker that had them before. */
	move_home(11);
	check_all_go_on(40);
	rig_settle();
	assert_int_equal(used_by(1), 40);
	assert_int_equal(fw_connections(), 40);
	/* What nobody has is nobody's. */
	fw_drops("b", tcp_no_connection, BACK(0), .proto = TCP, .sport = 445, .dport = 9,
		.flags = TCP_ACK);
}

/* What was not fetched runs out where it is, and its rules are those of today. */
static void test_moved_home_and_changes(void **state)
{
	rig_start(FOUR NEVER HOME GROUP PORTS);
	for (unsigned i = 0; i < 10; i++)
		fw_passes("a", "b", THERE(0), .proto = UDP, .sport = 20000 + i, .dport = 53);
	move_home(12);
	rig_apply(FOUR NEVER "networks: [{name: n, tenant: t, home: 11}]\n"
			     "groups: [{name: g, tenant: t}]\n" PORTS);
	for (unsigned i = 0; i < 5; i++)
		fw_drops("b", policy_revoked, BACK(0), .proto = UDP, .sport = 53,
			.dport = 20000 + i);
	assert_int_equal(fw_connections(), 10);
	fw_pass_seconds(70);
	assert_int_equal(fw_connections(), 0);
}

/* A network that comes to have more workers, and fewer. */
static void test_spread_changes(void **state)
{
	rig_start(FOUR NEVER NET_OF(1) GROUP PORTS);
	for (unsigned x = 0; x < 32; x++) {
		fw_passes("a", "b", THERE(x), .proto = TCP, .sport = 40000, .dport = 445,
			.flags = TCP_SYN);
		fw_passes("b", "a", BACK(x), .proto = TCP, .sport = 445, .dport = 40000,
			.flags = SYN_ACK);
		fw_passes("a", "b", THERE(x), .proto = TCP, .sport = 40000, .dport = 445,
			.flags = TCP_ACK);
	}
	for (unsigned pass = 0; pass < 2; pass++) {
		rig_apply(pass == 0 ? FOUR NEVER NET_OF(4) GROUP PORTS
				    : FOUR NEVER NET_OF(1) GROUP PORTS);
		for (unsigned x = 0; x < 32; x++) {
			fw_passes("b", "a", BACK(x), .proto = TCP, .sport = 445, .dport = 40000,
				.flags = TCP_ACK);
			fw_passes("a", "b", THERE(x), .proto = TCP, .sport = 40000, .dport = 445,
				.flags = TCP_ACK);
		}
		rig_settle();
		assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 32);
		assert_int_equal(fw_connections(), 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_spread_over_two),
		FW_TEST(test_spread_over_four),
		FW_TEST(test_revoked_on_all_workers),
		FW_TEST(test_quota_is_over_all_workers),
		FW_TEST(test_fragments_to_unknown),
		FW_TEST(test_moved_home_fetches),
		FW_TEST(test_moved_home_and_changes),
		FW_TEST(test_spread_changes),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
