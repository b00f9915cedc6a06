/*
 * Through a whole switch: how many connections one may have, and that whoever opens them without
 * end does so at nobody else's cost.
 */
#include "firewall_rig.h"

#define SMALL   "vswitch: {workers: [1], connections: 1024}\n"
#define NEVER   "firewall: {pick-up: 0}\n"
#define NET     "networks: [{name: n, tenant: t}]\n"
#define ALLOW   ", default-in: allow"
#define MAX(m)  ", connections: {max: " m "}"
#define RATE(r) ", connections: {per-second: " r "}"
#define ROOM    1024

static int start_eal(void **state)
{
	return rig_eal("test_firewall_quota", "256");
}

/* The n-th SYN of a flood, from host 3 to host 4. */
static struct pkt syn(unsigned n)
{
	return (struct pkt){.from = 3,
		.to = 4,
		.proto = TCP,
		.sport = 1024 + n % 60000,
		.dport = 80 + n / 60000,
		.flags = TCP_SYN};
}

/* The n-th datagram of a flood to all kinds of ports. */
static struct pkt datagram(unsigned n)
{
	static uint64_t random = 1;

	return (struct pkt){.from = 3,
		.to = 4,
		.proto = UDP,
		.sport = frames_random(&random),
		.dport = frames_random(&random) | 1,
		.ident = n};
}

/* a opens TCP connection n to b; all three packets pass. */
static void open_one(unsigned n)
{
	struct pkt there = {A_B, .proto = TCP, .sport = 20000 + n, .dport = 445, .flags = TCP_SYN};
	struct pkt back = {B_A, .proto = TCP, .sport = 445, .dport = 20000 + n, .flags = SYN_ACK};

	fw_passes_at("a", "b", there, __FILE__, __LINE__);
	fw_passes_at("b", "a", back, __FILE__, __LINE__);
	there.flags = TCP_ACK;
	fw_passes_at("a", "b", there, __FILE__, __LINE__);
}

static uint64_t dropped_at(const char *port)
{
	struct port_counters count = rig_count(port);

	return port_counters_dropped(&count, false);
}

static void flood(struct pkt (*packet)(unsigned), unsigned from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fw_put("c", packet(from + i));
	rig_take("d");
}

/* What may be open at a time is the port's own: what is only begun gives way, in order. */
static void test_63_quota_of_a_port(void **state)
{
	rig_start(SMALL NEVER NET "ports:\n" HOST(a, 1, MAX("10")) HOST(b, 2, ALLOW)
			HOST(c, 3, MAX("10")) HOST(d, 4, ALLOW));
	flood(syn, 0, 100);
	assert_int_equal(rig_drops("c", DROP_conn_limit_port), 0);
	assert_int_equal(conn_quota_port(rig_port("c")->dev.id), 10);
	for (unsigned i = 0; i < 10; i++)
		open_one(i);
	fw_drops("a", conn_limit_port, TCP_A(TCP_SYN));
	/* What runs goes on, and what is closed makes room. */
	fw_passes("a", "b", A_B, .proto = TCP, .sport = 20003, .dport = 445, .flags = TCP_ACK);
	fw_passes("b", "a", B_A, .proto = TCP, .sport = 445, .dport = 20003, .flags = RST);
	fw_passes("a", "b", TCP_A(TCP_SYN));
	assert_int_equal(fw_connections(), 20);
	/* A larger limit is in force at once, and so is a smaller one for what is new. */
	rig_apply(NEVER NET "ports:\n" HOST(a, 1, MAX("12")) HOST(b, 2, ALLOW) HOST(c, 3, MAX("10"))
			HOST(d, 4, ALLOW));
	open_one(100);
	rig_apply(NEVER NET "ports:\n" HOST(a, 1, MAX("5")) HOST(b, 2, ALLOW) HOST(c, 3, MAX("10"))
			HOST(d, 4, ALLOW));
	fw_drops("a", conn_limit_port, A_B, .proto = TCP, .sport = 9, .dport = 445,
		.flags = TCP_SYN);
	fw_passes("a", "b", A_B, .proto = TCP, .sport = 20100, .dport = 445, .flags = TCP_ACK);
}

/* Of a tenant's ports the one that has the most begun gives way to the others. */
static void test_63_quota_of_a_tenant(void **state)
{
	unsigned pushed = 0;

	rig_start(SMALL NEVER NET "tenants: [{name: t, connections: {max: 40}}]\nports:\n" HOST(
		a, 1, "") HOST(b, 2, ALLOW) HOST(c, 3, "") HOST(d, 4, ALLOW));
	flood(syn, 0, 100);
	assert_int_equal(conn_quota_port(rig_port("c")->dev.id), 40);
	/* a has several under way at a time: none of them is pushed out, c's are. */
	for (unsigned i = 0; i < 10; i++)
		fw_passes("a", "b", A_B, .proto = TCP, .sport = 20000 + i, .dport = 445,
			.flags = TCP_SYN);
	flood(syn, 100, 100);
	for (unsigned i = 0; i < 10; i++) {
		fw_passes("b", "a", B_A, .proto = TCP, .sport = 445, .dport = 20000 + i,
			.flags = SYN_ACK);
		flood(syn, 200 + i, 1);
		fw_passes("a", "b", A_B, .proto = TCP, .sport = 20000 + i, .dport = 445,
			.flags = TCP_ACK);
	}
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 10);
	assert_int_equal(fw_connections(), 40);
	/* Those that are up are never pushed out, so then it is full. */
	for (unsigned i = 10; i < 40; i++)
		open_one(i);
	pushed = (unsigned)rig_drops("c", DROP_conn_limit_tenant);
	flood(syn, 300, 5);
	assert_int_equal(rig_drops("c", DROP_conn_limit_tenant), pushed + 5);
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 40);
}

/* New connections a second, with a second's burst; another port has its own. */
static void test_63_rates(void **state)
{
	rig_start(SMALL NEVER NET "ports:\n" HOST(a, 1, "") HOST(b, 2, ALLOW) HOST(c, 3, RATE("20"))
			HOST(d, 4, ALLOW));
	flood(datagram, 0, 100);
	assert_int_equal(rig_drops("c", DROP_conn_rate_port), 80);
	fw_pass_seconds(1);
	flood(datagram, 100, 100);
	assert_int_equal(rig_drops("c", DROP_conn_rate_port), 160);
	for (unsigned i = 0; i < 50; i++)
		open_one(i);
	rig_apply(NEVER NET "tenants: [{name: t, connections: {per-second: 30}}]\nports:\n" HOST(
		a, 1, "") HOST(b, 2, ALLOW) HOST(c, 3, "") HOST(d, 4, ALLOW));
	fw_pass_seconds(10);
	flood(datagram, 200, 100);
	assert_in_range(rig_drops("c", DROP_conn_rate_tenant), 69, 71);
	/* What is known needs no new one. */
	fw_passes("a", "b", A_B, .proto = TCP, .sport = 20003, .dport = 445, .flags = TCP_ACK);
}

/* The whole table is full of a flooding port's, and another port opens as if it were empty. */
static void check_flood(struct pkt (*packet)(unsigned))
{
	rig_start(SMALL NEVER NET "ports:\n" HOST(a, 1, "") HOST(b, 2, ALLOW) HOST(c, 3, "")
			HOST(d, 4, ALLOW));
	for (unsigned i = 0; i < 50; i++)
		open_one(i);
	flood(packet, 0, 2 * ROOM);
	assert_true(fw_connections() >= ROOM - ROOM / 10);
	for (unsigned i = 50; i < 150; i++) {
		flood(packet, 2 * ROOM + 20 * i, 20);
		open_one(i);
	}
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 150);
	assert_int_equal(conn_quota_port(rig_port("a")->dev.id), 150);
	for (unsigned i = 0; i < 150; i++)
		fw_passes("b", "a", B_A, .proto = TCP, .sport = 445, .dport = 20000 + i,
			.flags = TCP_ACK);
	assert_int_equal(dropped_at("a"), 0);
}

static void test_63_syn_flood_costs_no_other(void **state)
{
	check_flood(syn);
}

static void test_63_random_udp_costs_no_other(void **state)
{
	check_flood(datagram);
}

/* Full of what runs, nothing more is opened, and nothing that runs is lost. */
static void test_63_full_of_established(void **state)
{
	unsigned n = 0;

	rig_start(SMALL NEVER NET "ports:\n" HOST(a, 1, "") HOST(b, 2, ALLOW) HOST(c, 3, "")
			HOST(d, 4, ALLOW));
	for (unsigned i = 0; i < ROOM; i++) {
		struct pkt k = {A_B, .proto = UDP, .sport = 20000 + i, .dport = 53};
		struct pkt back = {B_A, .proto = UDP, .sport = 53, .dport = 20000 + i};

		fw_put("a", k);
		if (rig_take("b") == 0)
			continue;
		fw_put("b", back);
		n += rig_take("a");
	}
	assert_true(n >= ROOM - ROOM / 20);
	assert_int_equal(fw_count((struct conn_filter){.state = "multiple"}), n);
	flood(syn, 0, 100);
	assert_true(rig_drops("c", DROP_conn_table_full) >= 100 - (ROOM - n));
	assert_int_equal(fw_count((struct conn_filter){.state = "multiple"}), n);
	/* 64: what has run out is cleaned up, though nobody asks for room. */
	fw_pass_seconds(100);
	assert_int_equal(fw_connections(), 0);
	flood(syn, 200, 100);
	assert_int_equal(fw_connections(), 100);
}

/* 65: what a port leaves behind is cleared away in pieces, while others go on. */
static void test_65_port_is_removed_with_its_connections(void **state)
{
	rig_start(SMALL NEVER NET "ports:\n" HOST(a, 1, "") HOST(b, 2, ALLOW) HOST(c, 3, "")
			HOST(d, 4, ALLOW));
	for (unsigned i = 0; i < 10; i++)
		open_one(i);
	flood(syn, 0, 800);
	rig_apply(NEVER NET "ports:\n" HOST(a, 1, "") HOST(b, 2, ALLOW) HOST(d, 4, ALLOW));
	worker_pass(workers[0]);
	assert_true(fw_count((struct conn_filter){0}) > 10);
	open_one(10);
	rig_settle();
	assert_int_equal(fw_connections(), 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_63_quota_of_a_port),
		FW_TEST(test_63_quota_of_a_tenant),
		FW_TEST(test_63_rates),
		FW_TEST(test_63_syn_flood_costs_no_other),
		FW_TEST(test_63_random_udp_costs_no_other),
		FW_TEST(test_63_full_of_established),
		FW_TEST(test_65_port_is_removed_with_its_connections),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
