/* Who is cut off by what is found, from what, and who is not. */
#include "inspect_rig.h"

#define LEVEL(name, more) IR_TEXT(IR_PREVENT ", quarantine: {level: " name more "}")

static uint8_t level(const char *port)
{
	return quarantine_level(rig_port(port)->dev.id);
}

/* Host `from` opens a connection: delivered, or why not. */
static int try(uint32_t from, uint32_t to, uint16_t port)
{
	struct tcp c = ir_tcp(from, to, port);

	return ir_syn(&c);
}

/* a sends b what cuts it off. */
static void give_away(void)
{
	struct tcp c = ir_open(1, 2, 445);

	assert_int_equal(ir_smb(&c, 0, CULPRIT), DROP_inspect_found);
	assert_true(ir.reset[0] && ir.reset[1]);
}

static void connection_alone(const char *text)
{
	struct inspect_record record;

	ir_start(text);
	give_away();
	assert_true(ir_told(&record));
	assert_int_equal(record.sid, 2);
	assert_false(record.quarantined);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_NONE);
	assert_int_equal(try(1, 2, 445), DELIVERED);
	assert_int_equal(try(3, 1, 445), DELIVERED);
}

static void test_flow(void **state)
{
	connection_alone(LEVEL("flow", ""));
}

/* Nobody is cut off, but what is found ends its connection all the same. */
static void test_none(void **state)
{
	connection_alone(LEVEL("none", ""));
}

static void test_service(void **state)
{
	struct inspect_record record;
	struct tcp web, smb, other;

	ir_start(LEVEL("service", ", for: 1h"));
	web = ir_open(1, 2, 80);
	smb = ir_open(3, 1, 445);
	other = ir_open(3, 2, 445);
	assert_int_equal(ir_smb(&smb, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&other, 0, "hello"), DELIVERED);
	give_away();
	assert_true(ir_told(&record));
	assert_true(record.quarantined);
	assert_int_equal(record.level, CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(record.quarantine_s, 3600);
	assert_int_equal(record.port[record.culprit], rig_port("a")->dev.id);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(level("b"), CONFIG_QUARANTINE_NONE);
	/* No service from or to it, whether it began before or not; all else goes on. */
	assert_int_equal(ir_smb(&smb, 1, "hello"), DROP_quarantined);
	assert_int_equal(ir_smb(&smb, 0, "hello"), DROP_quarantined);
	assert_int_equal(try(1, 4, 445), DROP_quarantined);
	assert_int_equal(try(1, 4, 139), DROP_quarantined);
	assert_int_equal(try(4, 1, 445), DROP_quarantined);
	assert_int_equal(try(1, 4, 22), DELIVERED);
	assert_int_equal(ir_say(&web, 0, "GET", 3), DELIVERED);
	assert_int_equal(ir_say(&web, 1, "200", 3), DELIVERED);
	fw_passes("a", "b", PING_A);
	/* Others notice nothing. */
	assert_int_equal(ir_smb(&other, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&other, 1, "hello"), DELIVERED);
	assert_int_equal(try(4, 2, 445), DELIVERED);
	/* Lifted, new connections may be. */
	quarantine_gate_set(rig_port("a")->dev.id, CONFIG_QUARANTINE_NONE);
	assert_int_equal(try(1, 4, 445), DELIVERED);
}

/* SMB on a port that is no service, whoever opened it and whoever sends, while all else goes on. */
static void test_service_on_another_port(void **state)
{
	struct tcp to, from, other, c;

	ir_start(LEVEL("service", ""));
	to = ir_open(3, 1, 4450);
	from = ir_open(1, 4, 4450);
	other = ir_open(3, 4, 4450);
	assert_int_equal(ir_smb(&to, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&from, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&other, 0, "hello"), DELIVERED);
	give_away();
	for (unsigned side = 0; side < 2; side++) {
		assert_int_equal(ir_smb(&to, side, "hello"), DROP_quarantined);
		assert_int_equal(ir_smb(&from, side, "hello"), DROP_quarantined);
		assert_int_equal(ir_smb(&other, side, "hello"), DELIVERED);
		/* New ones: they open, but no SMB passes. */
		c = ir_open(1, 4, 4451);
		assert_int_equal(ir_smb(&c, side, "hello"), DROP_quarantined);
		assert_int_equal(ir.got[!side], 0);
		c = ir_open(4, 1, 4451);
		assert_int_equal(ir_smb(&c, side, "hello"), DROP_quarantined);
		assert_int_equal(ir.got[!side], 0);
		c = ir_open(1, 4, 4451);
		assert_int_equal(ir_say(&c, side, "GET / HTTP", 10), DELIVERED);
		assert_int_equal(ir_say(&c, !side, "HTTP/1.1 200", 12), DELIVERED);
	}
	/* Lifted, they may be. */
	quarantine_gate_set(rig_port("a")->dev.id, CONFIG_QUARANTINE_NONE);
	c = ir_open(1, 4, 4451);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
}

static void put_arp(void)
{
	uint8_t *arp = fw_frame + 14;

	memset(fw_frame, 0, 60);
	memset(fw_frame, 0xff, 6);
	rig_mac(fw_frame + 6, 1);
	put16(fw_frame + 12, 0x0806);
	memcpy(arp, (uint8_t[]){0, 1, 8, 0, 6, 4, 0, 1}, 8);
	rig_mac(arp + 8, 1);
	put32(arp + 14, 0x0a000001);
	put32(arp + 24, 0x0a000002);
	fw_id++;
	memcpy(fw_frame + 56, &fw_id, 4);
	rig_put("a", fw_frame, 60);
	rig_settle();
}

static void test_port(void **state)
{
	struct tcp web;

	ir_start(LEVEL("port", ", allow: [{protocol: udp, ports: 67}, {protocol: udp, ports: 53}, "
			       "{protocol: tcp, ports: 8080, remote: 10.0.0.5}]"));
	web = ir_open(1, 2, 80);
	give_away();
	assert_int_equal(level("a"), CONFIG_QUARANTINE_PORT);
	assert_int_equal(ir_say(&web, 0, "GET", 3), DROP_quarantined);
	assert_int_equal(ir_say(&web, 1, "200", 3), DROP_quarantined);
	assert_int_equal(try(1, 3, 22), DROP_quarantined);
	assert_int_equal(try(3, 1, 22), DROP_quarantined);
	fw_drops("a", quarantined, PING_A);
	fw_drops("b", quarantined, B_A, .proto = ICMP, .type = 8, .ident = 5);
	/* What is on the list: to any, and to one server; not from such a port of its own. */
	fw_passes("a", "b", UDP_A);
	fw_passes("b", "a", UDP_B);
	fw_passes("a", "b", A_B, .proto = UDP, .sport = 68, .dport = 67);
	fw_drops("a", quarantined, A_B, .proto = UDP, .sport = 53, .dport = 5353);
	assert_int_equal(try(1, 5, 8080), DELIVERED);
	assert_int_equal(try(1, 4, 8080), DROP_quarantined);
	/* Neighbours are found still. */
	rig_take("e");
	put_arp();
	rig_expect("bcde", fw_id);
	/* Frames for many: none of its own, and no copy for it. */
	fw_drops("a", quarantined, .from = 1, .to = 255, .mac_to = RIG_BROADCAST, .proto = UDP,
		.sport = 137, .dport = 137);
	fw_passes("b", "cde", .from = 2, .to = 255, .mac_to = RIG_BROADCAST, .proto = UDP,
		.sport = 137, .dport = 137);
	/* Others notice nothing. */
	fw_passes("b", "c", .from = 2, .to = 3, .proto = ICMP, .type = 8, .ident = 9);
	assert_int_equal(try(3, 2, 445), DELIVERED);
}

/* The rule's target turned round: who is attacked is not cut off, whoever sends the packet. */
static void test_culprit_by_target(void **state)
{
	struct tcp c;

	ir_start(LEVEL("service", ""));
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 1, VICTIM), DROP_inspect_found);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(level("b"), CONFIG_QUARANTINE_NONE);
	c = ir_open(3, 4, 445);
	assert_int_equal(ir_smb(&c, 1, CULPRIT), DROP_inspect_found);
	assert_int_equal(level("c"), CONFIG_QUARANTINE_NONE);
	assert_int_equal(level("d"), CONFIG_QUARANTINE_SERVICE);
}

/* Who only answered goes on serving everything else. */
static void test_servers(void **state)
{
	struct tcp c;

	ir_start(LEVEL("port", ""));
	c = ir_open(3, 4, 445);
	assert_int_equal(ir_smb(&c, 1, CULPRIT), DROP_inspect_found);
	assert_int_equal(level("d"), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(try(3, 4, 80), DELIVERED);
	assert_int_equal(try(3, 4, 445), DROP_quarantined);
	/* Raised by what it does itself. */
	quarantine_gate_set(rig_port("d")->dev.id, CONFIG_QUARANTINE_NONE);
	ir_apply(LEVEL("port", ", exempt-servers: no"));
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 1, CULPRIT), DROP_inspect_found);
	assert_int_equal(level("b"), CONFIG_QUARANTINE_PORT);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_NONE);
}

/* Picked up in the middle, with the server's answer first: who serves is told by the messages. */
static void test_server_picked_up(void **state)
{
	static const uint16_t ports[] = {445, 4450};

	ir_start(LEVEL("port", ""));
	for (unsigned i = 0; i < RTE_DIM(ports); i++) {
		struct tcp c = ir_tcp(1, 2, ports[i]);

		assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
		assert_int_equal(ir_flows(), 1);
		/* In doubt, nobody is cut off. */
		assert_int_equal(ir_smb(&c, 1, CULPRIT), DELIVERED);
		assert_int_equal(level("b"), CONFIG_QUARANTINE_NONE);
		ir_agree(&c);
		assert_int_equal(ir_smb(&c, 1, CULPRIT), DROP_inspect_found);
		assert_int_equal(level("b"), CONFIG_QUARANTINE_SERVICE);
		assert_int_equal(level("a"), CONFIG_QUARANTINE_NONE);
		quarantine_gate_set(rig_port("b")->dev.id, CONFIG_QUARANTINE_NONE);
		/* And the client for what it is. */
		c = ir_tcp(1, 2, ports[i]);
		assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
		ir_agree(&c);
		assert_int_equal(ir_smb(&c, 0, CULPRIT), DROP_inspect_found);
		assert_int_equal(level("a"), CONFIG_QUARANTINE_PORT);
		assert_int_equal(level("b"), CONFIG_QUARANTINE_NONE);
		quarantine_gate_set(rig_port("a")->dev.id, CONFIG_QUARANTINE_NONE);
	}
}

#define TWO_TENANTS(network_of_a)                                                                  \
	IR_SMALL                                                                                   \
	"networks: [{name: n, tenant: acme}, {name: m, tenant: other}]\nports:\n" HOST_IN(         \
		a, 1, network_of_a, IR_IN) HOST(b, 2, IR_IN) HOST_IN(c, 3, "m", IR_IN)             \
		IR_WITH(IR_PREVENT)

/* A port that goes to another tenant's network is another tenant's guest. */
static void test_other_tenants_port(void **state)
{
	char err[256];
	uint16_t id;

	ir_start(TWO_TENANTS("n"));
	id = rig_port("a")->dev.id;
	assert_true(quarantine_add("a", "acme", CONFIG_QUARANTINE_PORT, 0, NULL, err, sizeof(err)));
	assert_int_equal(level("a"), CONFIG_QUARANTINE_PORT);
	ir_apply(TWO_TENANTS("m"));
	assert_int_equal(rig_port("a")->dev.id, id);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_NONE);
	assert_int_equal(try(1, 3, 22), DELIVERED);
	assert_true(
		quarantine_add("a", "other", CONFIG_QUARANTINE_SERVICE, 0, NULL, err, sizeof(err)));
	assert_int_equal(level("a"), CONFIG_QUARANTINE_SERVICE);
	ir_apply(TWO_TENANTS("n"));
	assert_int_equal(level("a"), CONFIG_QUARANTINE_PORT);
	assert_int_equal(try(1, 2, 22), DROP_quarantined);
}

/* What the workers had not told yet when the switch ends is in force after a restart. */
static void test_stopped_at_once(void **state)
{
	ir_prepare(ir_rules);
	quarantine_free();
	assert_true(quarantine_load(dir, "", ""));
	rig_start(LEVEL("service", ""));
	ir_ready();
	give_away();
	switch_state.single_step = false;
	switch_stop();
	quarantine_free();
	assert_true(quarantine_load(dir, "", ""));
	quarantine_port_up(7, "a", "acme");
	assert_int_equal(quarantine_level(7), CONFIG_QUARANTINE_SERVICE);
	quarantine_port_down(7);
}

static void test_exempt(void **state)
{
	struct inspect_record record;

	ir_start(LEVEL("port", ", exempt: [a]"));
	give_away();
	assert_true(ir_told(&record));
	assert_false(record.quarantined);
	assert_true(record.dropped);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_NONE);
	assert_int_equal(try(1, 2, 445), DELIVERED);
}

/* A file server that stores a marked file is not ill, nor is who fetches one. */
static void test_file_content(void **state)
{
	struct tcp c;
	uint32_t len;

	ir_start(LEVEL("port", ""));
	c = ir_open(1, 2, 445);
	len = ir_write("what a file holds: " STORED);
	assert_int_equal(ir_say(&c, 0, ir_record, len), DROP_inspect_found);
	assert_int_equal(ir_count_told(5, NULL), 1);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_NONE);
	assert_int_equal(level("b"), CONFIG_QUARANTINE_NONE);
	assert_int_equal(try(1, 2, 445), DELIVERED);
}

/* What is behind the deciding packet in the same burst is held against it already. */
static void test_same_burst(void **state)
{
	struct pkt ping = {PING_A};
	struct port_counters count;
	struct tcp c;
	uint32_t len;

	ir_start(LEVEL("port", ""));
	c = ir_open(1, 2, 445);
	len = ir_echo(CULPRIT, 0);
	len = ir_make(&c, 0, TCP_ACK, c.next[0], c.next[1], ir_record, len);
	ir_look(&c);
	rig_put("a", fw_frame, fw_make(&ping));
	rig_put("a", ir_frame, len);
	rig_put("a", fw_frame, fw_make(&ping));
	rig_put("a", fw_frame, fw_make(&ping));
	rig_settle();
	count = rig_count("a");
	assert_int_equal(count.drops[DROP_inspect_found], 1);
	assert_int_equal(count.drops[DROP_quarantined], 2);
	ir_look(&c);
	assert_int_equal(ir.got[1], 2); /* the ping before it, and a reset */
}

/* In mode detect it is told, and that is all. */
static void test_detect(void **state)
{
	struct inspect_record record;
	struct tcp c;

	ir_start(IR_TEXT(", quarantine: {level: port}"));
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 0, CULPRIT), DELIVERED);
	assert_true(ir_told(&record));
	assert_int_equal(record.action, DETECT_QUARANTINE);
	assert_false(record.quarantined);
	assert_false(record.dropped);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_NONE);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
}

/* The record brings the deciding packet along, and what of its record came before. */
static void test_evidence(void **state)
{
	struct inspect_record record;
	struct tcp c;
	uint32_t len;

	ir_start(LEVEL("service", ""));
	c = ir_open(1, 2, 445);
	len = ir_echo(CULPRIT, 0);
	assert_int_equal(ir_say(&c, 0, ir_record, len - 5), DELIVERED);
	assert_int_equal(ir_say(&c, 0, ir_record + len - 5, 5), DROP_inspect_found);
	assert_int_equal(inspect_log_take(inspect_log_of(workers[0]), &record, 1), 1);
	assert_non_null(record.packet);
	assert_int_equal(record.packet->pkt_len, 54 + 5);
	assert_non_null(record.before);
	assert_int_equal(record.before->pkt_len, len - 5);
	assert_memory_equal(rte_pktmbuf_mtod(record.before, void *), ir_record, len - 5);
	assert_int_equal(record.sender, record.culprit);
	rte_pktmbuf_free(record.packet);
	rte_pktmbuf_free(record.before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IR_TEST(test_flow),
		IR_TEST(test_none),
		IR_TEST(test_service),
		IR_TEST(test_service_on_another_port),
		IR_TEST(test_port),
		IR_TEST(test_culprit_by_target),
		IR_TEST(test_servers),
		IR_TEST(test_server_picked_up),
		IR_TEST(test_other_tenants_port),
		IR_TEST(test_stopped_at_once),
		IR_TEST(test_exempt),
		IR_TEST(test_file_content),
		IR_TEST(test_same_burst),
		IR_TEST(test_detect),
		IR_TEST(test_evidence),
	};

	if (rig_eal(argv[0], "1024") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, rig_eal_end);
}
