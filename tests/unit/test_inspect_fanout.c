/*
 * What of a guest's packets counts as fan-out: SYNs to services that are refused, denied or never
 * answered, and addresses where nobody lives. Who is answered is none that spreads.
 */
#include "inspect_rig.h"

#define LIMITS                                                                                     \
	", fan-out: {hosts: 4, failed: 50, attempts: 1000000, failed-hosts: 4, detected: 256}"
#define FAR_HOST 100 /* and on: addresses behind e, which may speak for them */
#define PORTS                                                                                      \
	"ports:\n" HOST(a, 1, IR_IN) HOST(b, 2, "") HOST(c, 3, "")                                 \
		HOST(d, 4, "") "  - {name: e, network: n, kernel: {interface: e}, mac: "           \
			       "\"02:00:00:00:00:05\", "                                           \
			       "trusted: true}\n"
#define TEXT(more) IR_NETWORK PORTS IR_WITH(more LIMITS)

#define SYN_TO(n)                                                                                  \
	.from = 1, .to = (n), .mac_to = 5, .proto = TCP, .sport = 40000, .dport = 445,             \
	.flags = TCP_SYN
#define BACK_OF(n, f)                                                                              \
	.from = (n), .to = 1, .mac_from = 5, .mac_to = 1, .proto = TCP, .sport = 445,              \
	.dport = 40000, .flags = (f)

static unsigned alerts, worms;

/* Takes in what was told of fan-out. */
static void take_told(void)
{
	struct inspect_record record;

	alerts = worms = 0;
	while (ir_told(&record)) {
		if (record.what != INSPECT_TELLS_FANOUT)
			continue;
		assert_int_equal(record.port[record.culprit], rig_port("a")->dev.id);
		worms += record.action == DETECT_QUARANTINE;
		alerts += record.action == DETECT_ALERT;
	}
}

static void pass_seconds(unsigned n)
{
	while (n-- > 0)
		fw_pass_seconds(1);
	take_told();
}

static uint8_t level(const char *port)
{
	return quarantine_level(rig_port(port)->dev.id);
}

static void ends_as_worm(void)
{
	assert_int_equal(worms, 1);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(level("e"), CONFIG_QUARANTINE_NONE);
	fw_drops("a", quarantined, SYN_TO(FAR_HOST));
	fw_passes("a", "e", .from = 1, .to = FAR_HOST, .mac_to = 5, .proto = ICMP, .type = 8);
}

static void test_unanswered(void **state)
{
	ir_start(TEXT(IR_PREVENT));
	for (unsigned i = 0; i < 4; i++)
		fw_passes("a", "e", SYN_TO(FAR_HOST + i));
	take_told();
	assert_int_equal(alerts + worms, 0);
	pass_seconds(6);
	ends_as_worm();
}

/* The try that makes it one does not go out any more. */
static void test_refused(void **state)
{
	ir_start(TEXT(IR_PREVENT));
	for (unsigned i = 0; i < 3; i++) {
		fw_passes("a", "e", SYN_TO(FAR_HOST + i));
		fw_passes("e", "a", BACK_OF(FAR_HOST + i, RST | TCP_ACK));
	}
	take_told();
	assert_int_equal(alerts, 1); /* at half */
	assert_int_equal(worms, 0);
	fw_drops("a", quarantined, SYN_TO(FAR_HOST + 3));
	take_told();
	ends_as_worm();
}

static void test_denied(void **state)
{
	ir_start(TEXT(IR_PREVENT));
	for (unsigned i = 0; i < 3; i++)
		fw_drops("a", policy_in, .from = 1, .to = 2 + i, .proto = TCP, .sport = 40000,
			.dport = 445, .flags = TCP_SYN);
	take_told();
	assert_int_equal(alerts, 1);
	fw_drops("a", quarantined, SYN_TO(FAR_HOST));
	take_told();
	ends_as_worm();
}

/* An ARP request of a's. */
static void asks_for(uint32_t host)
{
	uint8_t *arp = fw_frame + 14;

	memset(fw_frame, 0, 60);
	memset(fw_frame, 0xff, 6);
	rig_mac(fw_frame + 6, 1);
	put16(fw_frame + 12, 0x0806);
	memcpy(arp, (uint8_t[]){0, 1, 8, 0, 6, 4, 0, 1}, 8);
	rig_mac(arp + 8, 1);
	put32(arp + 14, 0x0a000001);
	put32(arp + 24, 0x0a000000 + host);
	rig_put("a", fw_frame, 60);
	rig_settle();
	for (const char *name = "bcde"; *name != 0; name++)
		rig_take((char[]){*name, 0});
}

static void test_nobody_there(void **state)
{
	ir_start(TEXT(IR_PREVENT));
	/* By itself it may be for anything. */
	for (unsigned i = 0; i < 8; i++)
		asks_for(FAR_HOST + i);
	pass_seconds(6);
	assert_int_equal(alerts + worms, 0);
	for (unsigned i = 20; i < 23; i++) {
		fw_passes("a", "e", SYN_TO(FAR_HOST + i));
		fw_passes("e", "a", BACK_OF(FAR_HOST + i, SYN_ACK));
	}
	take_told();
	assert_int_equal(alerts, 1);
	assert_int_equal(worms, 0);
	/* Each SYN that fails makes one of them count. */
	fw_passes("a", "e", SYN_TO(FAR_HOST + 23));
	fw_passes("e", "a", BACK_OF(FAR_HOST + 23, RST | TCP_ACK));
	take_told();
	assert_int_equal(worms, 0);
	fw_passes("a", "e", SYN_TO(FAR_HOST + 24));
	fw_drops("e", quarantined, BACK_OF(FAR_HOST + 24, RST | TCP_ACK));
	take_told();
	assert_int_equal(worms, 1);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_SERVICE);
}

/* Many servers that answer, and services that are none, are ordinary. */
static void test_answered(void **state)
{
	ir_start(TEXT(IR_PREVENT));
	for (unsigned i = 0; i < 30; i++) {
		fw_passes("a", "e", SYN_TO(FAR_HOST + i));
		fw_passes("e", "a", BACK_OF(FAR_HOST + i, SYN_ACK));
		fw_passes("a", "e", .from = 1, .to = FAR_HOST + i, .mac_to = 5, .proto = TCP,
			.sport = 40000, .dport = 80, .flags = TCP_SYN);
	}
	pass_seconds(6);
	assert_int_equal(alerts + worms, 0);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_NONE);
	/* Nor is a server whose clients go away. */
	for (unsigned i = 0; i < 30; i++)
		fw_passes("e", "a", BACK_OF(FAR_HOST + i, RST));
	pass_seconds(6);
	assert_int_equal(alerts + worms, 0);
}

static void test_detect(void **state)
{
	ir_start(TEXT(""));
	for (unsigned i = 0; i < 4; i++)
		fw_passes("a", "e", SYN_TO(FAR_HOST + i));
	pass_seconds(6);
	assert_int_equal(worms, 1);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_NONE);
	fw_passes("a", "e", SYN_TO(FAR_HOST + 9));
}

/* Two workers share the network's packets: what one sees, the network's home counts; what moves to
 * another worker is inspected there from then on, and nothing of it stays behind. */
#define TWO                                                                                        \
	"vswitch: {workers: [10, 11], connections: 4096, inspected: 64, inspection-memory: 16}\n"
#define OVER(n, home) "networks: [{name: n, tenant: acme, workers: " #n ", home: " #home "}]\n"

static void test_spread(void **state)
{
	ir_start(TWO OVER(2, 11) PORTS IR_WITH(IR_PREVENT LIMITS));
	for (unsigned i = 0; i < 8; i++)
		fw_put("a", (struct pkt){SYN_TO(FAR_HOST + i)});
	rig_take("e");
	pass_seconds(6);
	assert_int_equal(worms, 1);
	assert_int_equal(level("a"), CONFIG_QUARANTINE_SERVICE);
}

static void test_moves(void **state)
{
	struct tcp c;

	ir_start(TWO OVER(1, 11) IR_HOSTS IR_WITH(IR_PREVENT));
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_inspect(1)->n_flows, 1);
	ir_apply(TWO OVER(1, 10) IR_HOSTS IR_WITH(IR_PREVENT));
	ir_agree(&c);
	assert_int_equal(ir_inspect(0)->n_flows, 1);
	assert_int_equal(ir_inspect(1)->n_flows, 0);
	assert_int_equal(ir_smb(&c, 0, MARKER), DROP_inspect_found);
	ir_assert_all_back();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IR_TEST(test_unanswered),
		IR_TEST(test_refused),
		IR_TEST(test_denied),
		IR_TEST(test_nobody_there),
		IR_TEST(test_answered),
		IR_TEST(test_detect),
		IR_TEST(test_spread),
		IR_TEST(test_moves),
	};

	if (rig_eal(argv[0], "1024") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, rig_eal_end);
}
