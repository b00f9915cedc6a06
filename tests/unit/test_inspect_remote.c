/*
 * Sources on other hosts: who is cut off by what is found, from what, and who is not. Hosts from 5
 * on are behind uplinks: 5 and all that is odd behind e, 6 behind f.
 */
#include "inspect_rig.h"

#define TEXT(more)                                                                                 \
	IR_NETWORK "ports:\n" HOST(a, 1, IR_IN) HOST(b, 2,                                         \
		IR_IN) "uplinks: [{name: e, device: net_ring0, untagged: n}, "                     \
		       "{name: f, device: net_ring1, untagged: n}]\n" IR_WITH(IR_PREVENT more)
#define LEVEL(name, more) TEXT(", quarantine: {level: " name more "}")

#define PING(n, port) .from = (n), .mac_from = 5, .to = 1, .proto = ICMP, .type = 8, .ident = (port)

static struct addr host(uint32_t n)
{
	uint8_t bytes[] = {10, 0, 0, (uint8_t)n};

	return addr_from_ipv4(bytes);
}

static uint8_t level(uint32_t n)
{
	return (uint8_t)quarantine_remote_level(switch_find_network("n")->index, host(n));
}

static void cut_off(uint32_t n, enum config_quarantine_level level)
{
	assert_true(quarantine_remote_set(switch_find_network("n")->index, host(n), level));
}

static int try(uint32_t from, uint32_t to, uint16_t port)
{
	struct tcp c = ir_tcp(from, to, port);

	return ir_syn(&c);
}

/* The switch learns where the hosts behind the uplinks are. */
static void start(const char *text)
{
	ir_start(text);
	fw_passes("e", "a", PING(5, 1));
	fw_passes("f", "a", .from = 6, .to = 1, .proto = ICMP, .type = 8, .ident = 2);
}

static void give_away(uint32_t from, uint32_t to)
{
	struct tcp c = ir_open(from, to, 445);

	assert_int_equal(ir_smb(&c, 0, CULPRIT), DROP_inspect_found);
	assert_true(ir.reset[0] && ir.reset[1]);
}

static void test_service(void **state)
{
	struct inspect_record record;
	struct tcp smb;

	start(LEVEL("service", ", for: 1h"));
	smb = ir_open(1, 5, 445);
	assert_int_equal(ir_smb(&smb, 0, "hello"), DELIVERED);
	give_away(5, 2);
	assert_true(ir_told(&record));
	assert_true(record.quarantined);
	assert_int_equal(record.where, INSPECT_REMOTE);
	assert_int_equal(record.level, CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(record.quarantine_s, 3600);
	assert_true(addr_equal(record.key.addr[record.culprit], host(5)));
	assert_int_equal(level(5), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(quarantine_level(rig_port("e")->dev.id), CONFIG_QUARANTINE_NONE);
	/* No service from or to it, whether it began before or not; all else goes on. */
	assert_int_equal(try(5, 1, 445), DROP_quarantined);
	assert_int_equal(try(1, 5, 139), DROP_quarantined);
	assert_int_equal(ir_smb(&smb, 0, "hello"), DROP_quarantined);
	assert_int_equal(ir_smb(&smb, 1, "hello"), DROP_quarantined);
	assert_int_equal(try(5, 1, 22), DELIVERED);
	fw_passes("e", "a", PING(5, 3));
	/* Others behind the same uplink and others notice nothing. */
	fw_passes("e", "a", .from = 7, .mac_from = 5, .to = 1, .proto = TCP, .sport = 40000,
		.dport = 445, .flags = TCP_SYN);
	assert_int_equal(try(6, 1, 445), DELIVERED);
	assert_int_equal(try(1, 2, 445), DELIVERED);
	assert_int_equal(try(1, 6, 445), DELIVERED);
	/* Nor does the same address behind another uplink get through. */
	fw_drops("f", quarantined, .from = 5, .mac_from = 6, .to = 1, .proto = TCP, .sport = 40000,
		.dport = 445, .flags = TCP_SYN);
	assert_int_equal(quarantine_remote_drops(switch_find_network("n")->index, host(5)), 5);
	cut_off(5, CONFIG_QUARANTINE_NONE);
	assert_int_equal(try(5, 1, 445), DELIVERED);
}

/* SMB on a port that is no service. */
static void test_service_on_another_port(void **state)
{
	struct tcp c, other;

	start(LEVEL("service", ""));
	other = ir_open(6, 1, 4450);
	assert_int_equal(ir_smb(&other, 0, "hello"), DELIVERED);
	give_away(5, 2);
	for (unsigned side = 0; side < 2; side++) {
		c = ir_open(5, 1, 4450);
		assert_int_equal(ir_smb(&c, side, "hello"), DROP_quarantined);
		assert_int_equal(ir.got[!side], 0);
		assert_int_equal(ir_smb(&other, side, "hello"), DELIVERED);
	}
}

static void test_host(void **state)
{
	struct tcp web;

	start(LEVEL("port", ", allow: [{protocol: udp, ports: 67}, {protocol: udp, ports: 53}]"));
	web = ir_open(5, 1, 80);
	give_away(5, 2);
	assert_int_equal(level(5), CONFIG_QUARANTINE_PORT);
	assert_int_equal(ir_say(&web, 0, "GET", 3), DROP_quarantined);
	assert_int_equal(ir_say(&web, 1, "200", 3), DROP_quarantined);
	assert_int_equal(try(1, 5, 22), DROP_quarantined);
	fw_drops("e", quarantined, PING(5, 3));
	fw_passes("e", "a", PING(7, 4));
	/* What is on the list, in both directions. */
	fw_passes("e", "a", .from = 5, .to = 1, .proto = UDP, .sport = 40000, .dport = 53);
	fw_passes("a", "e", .from = 1, .to = 5, .proto = UDP, .sport = 53, .dport = 40000);
	fw_drops("e", quarantined, .from = 5, .to = 1, .proto = UDP, .sport = 53, .dport = 5353);
	/* Frames for many: none of its own. */
	fw_drops("e", quarantined, .from = 5, .to = 255, .mac_to = RIG_BROADCAST, .proto = UDP,
		.sport = 137, .dport = 137);
	fw_passes("e", "abf", .from = 7, .mac_from = 5, .to = 255, .mac_to = RIG_BROADCAST,
		.proto = UDP, .sport = 137, .dport = 137);
	/* An error of its own about a packet that it was sent. */
	fw_passes("a", "e", .from = 1, .to = 7, .mac_to = 5, .proto = UDP, .sport = 9, .dport = 9);
	fw_drops("e", quarantined, .from = 5, .to = 1, .proto = ICMP, .type = 3, .code = 3,
		.quoted = &(struct pkt){.from = 1, .to = 7, .proto = UDP, .sport = 9, .dport = 9});
}

/* A local guest with the address of one that is cut off elsewhere: nothing to do with it. */
static void test_same_address_here(void **state)
{
	start(LEVEL("service", ""));
	cut_off(1, CONFIG_QUARANTINE_PORT);
	assert_int_equal(try(1, 2, 445), DELIVERED);
	assert_int_equal(try(2, 1, 445), DELIVERED);
	assert_int_equal(try(1, 5, 445), DELIVERED);
	assert_int_equal(try(5, 1, 445), DELIVERED);
	fw_drops("e", quarantined, .from = 1, .mac_from = 5, .to = 2, .proto = ICMP, .type = 8);
}

/* IPv6 addresses are cut off as such. */
static void test_ipv6(void **state)
{
	uint8_t bytes[16] = {0xfd, [15] = 5};
	struct addr addr = addr_from_ipv6(bytes);
	uint16_t network;

	start(LEVEL("service", ""));
	network = switch_find_network("n")->index;
	assert_true(quarantine_remote_set(network, addr, CONFIG_QUARANTINE_PORT));
	fw_drops("e", quarantined, .ipv6 = true, .from = 5, .to = 1, .proto = ICMP6, .type = 128);
	fw_drops("a", quarantined, .ipv6 = true, .from = 1, .to = 5, .proto = UDP, .sport = 9,
		.dport = 9);
	fw_passes("e", "a", .ipv6 = true, .from = 7, .mac_from = 5, .to = 1, .proto = ICMP6,
		.type = 128);
	fw_passes("e", "a", PING(5, 9));
	/* Neighbours are found still. */
	fw_passes("e", "a", .ipv6 = true, .from = 5, .to = 1, .proto = ICMP6, .type = 135);
}

/* What is said in an address's name by one who does not hear what is sent there. */
static void test_unproven(void **state)
{
	struct inspect_record record;
	struct tcp c;
	uint32_t len;

	start(LEVEL("service", ""));
	/* It guesses the number that it should acknowledge. */
	c = ir_tcp(5, 2, 445);
	assert_int_equal(ir_syn(&c), DELIVERED);
	assert_int_equal(ir_syn_ack(&c), DELIVERED);
	assert_int_equal(ir_raw(&c, 0, TCP_ACK, c.isn[0] + 1, 777, NULL, 0), DELIVERED);
	len = ir_echo(CULPRIT, 0);
	(void)ir_raw(&c, 0, TCP_ACK, c.isn[0] + 1, 777, ir_record, len);
	assert_int_equal(level(5), CONFIG_QUARANTINE_NONE);
	ir_forget_told();
	/* Picked up in the middle. */
	c = ir_tcp(5, 2, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	ir_agree(&c);
	assert_int_equal(ir_smb(&c, 0, CULPRIT), DROP_inspect_found);
	assert_int_equal(level(5), CONFIG_QUARANTINE_NONE);
	assert_true(ir_told(&record));
	assert_false(record.quarantined);
	assert_true(record.dropped);
	assert_int_equal(record.where, INSPECT_REMOTE_UNPROVEN);
	assert_true(ir_inspect(0)->stats.remote_unproven > 0);
	/* Its next connection, which is seen whole, is enough. */
	give_away(5, 2);
	assert_int_equal(level(5), CONFIG_QUARANTINE_SERVICE);
}

/* The rule's target turned round, and a server that is one. */
static void test_culprit(void **state)
{
	struct tcp c;

	start(LEVEL("port", ""));
	c = ir_open(5, 1, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 1, VICTIM), DROP_inspect_found);
	assert_int_equal(level(5), CONFIG_QUARANTINE_PORT);
	assert_int_equal(level(1), CONFIG_QUARANTINE_NONE);
	/* A server is cut off from its services alone, and a local guest by its port. */
	c = ir_open(1, 6, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 1, CULPRIT), DROP_inspect_found);
	assert_int_equal(level(6), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(quarantine_level(rig_port("a")->dev.id), CONFIG_QUARANTINE_NONE);
	cut_off(6, CONFIG_QUARANTINE_NONE);
	give_away(1, 6);
	assert_int_equal(quarantine_level(rig_port("a")->dev.id), CONFIG_QUARANTINE_PORT);
	assert_int_equal(level(6), CONFIG_QUARANTINE_NONE);
}

static void not_cut_off(const char *text)
{
	struct inspect_record record;

	start(text);
	give_away(5, 2);
	assert_int_equal(level(5), CONFIG_QUARANTINE_NONE);
	assert_true(ir_told(&record));
	assert_false(record.quarantined);
	assert_int_equal(try(5, 2, 445), DELIVERED);
}

static void test_flow(void **state)
{
	not_cut_off(LEVEL("flow", ""));
}

static void test_exempt_address(void **state)
{
	not_cut_off(LEVEL("port", ", exempt-addresses: [10.0.0.4-10.0.0.5]"));
	give_away(6, 2);
	assert_int_equal(level(6), CONFIG_QUARANTINE_PORT);
	/* An IPv6 span has no IPv4 address in it. */
	ir_apply(LEVEL("port", ", exempt-addresses: [\"::/0\"]"));
	give_away(5, 2);
	assert_int_equal(level(5), CONFIG_QUARANTINE_PORT);
}

/* All that is behind an uplink. */
static void test_exempt_uplink(void **state)
{
	not_cut_off(LEVEL("port", ", exempt: [e]"));
	give_away(6, 2);
	assert_int_equal(level(6), CONFIG_QUARANTINE_PORT);
}

/* As many are cut off as may be: its connections end, one by one. */
static void test_full(void **state)
{
	struct inspect_record record;

	start(LEVEL("service", ""));
	for (unsigned i = 0; i < QUARANTINE_REMOTE_NETWORK_MAX; i++)
		assert_true(quarantine_remote_set(switch_find_network("n")->index,
			addr_from_ipv4((uint8_t[]){10, 1, (uint8_t)(i >> 8), (uint8_t)i}),
			CONFIG_QUARANTINE_SERVICE));
	for (unsigned i = 0; i < 2; i++) {
		give_away(5, 2);
		assert_true(ir_told(&record));
		assert_false(record.quarantined);
		assert_int_equal(record.where, INSPECT_REMOTE_FULL);
	}
	assert_int_equal(ir_inspect(0)->stats.remote_full, 2);
	assert_int_equal(level(5), CONFIG_QUARANTINE_NONE);
}

/* Lasting, by network: gone with it, back with it. */
static void test_network_returns(void **state)
{
	char err[256];

	start(LEVEL("service", ""));
	assert_true(quarantine_add_remote(
		"n", host(5), "acme", CONFIG_QUARANTINE_PORT, 0, NULL, err, sizeof(err)));
	assert_int_equal(level(5), CONFIG_QUARANTINE_PORT);
	fw_drops("e", quarantined, PING(5, 3));
	rig_apply(IR_SMALL "networks: [{name: m, tenant: acme}]\n");
	assert_int_equal(quarantine_remote_total(), 0);
	ir_apply(LEVEL("service", ""));
	assert_int_equal(level(5), CONFIG_QUARANTINE_PORT);
	fw_drops("e", quarantined, PING(5, 4));
	/* Another tenant's now. */
	rig_apply(IR_SMALL "networks: [{name: n, tenant: other}]\n");
	assert_int_equal(quarantine_remote_total(), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IR_TEST(test_service),
		IR_TEST(test_service_on_another_port),
		IR_TEST(test_host),
		IR_TEST(test_same_address_here),
		IR_TEST(test_ipv6),
		IR_TEST(test_unproven),
		IR_TEST(test_culprit),
		IR_TEST(test_flow),
		IR_TEST(test_exempt_address),
		IR_TEST(test_exempt_uplink),
		IR_TEST(test_full),
		IR_TEST(test_network_returns),
	};

	if (rig_eal(argv[0], "1024") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, rig_eal_end);
}
