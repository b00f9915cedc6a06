/* Which connections are inspected, from where on, and what the others cost. */
#include "inspect_rig.h"

#define HTTP "GET / HTTP/1.1\r\n\r\n"

/* A record of SMB with the marker ends the connection: it is inspected. */
static void assert_inspected(struct tcp *c, unsigned side)
{
	assert_int_equal(ir_smb(c, side, MARKER), DROP_inspect_found);
	assert_false(ir.got[!side] > ir.reset[!side]);
	ir_forget_told();
}

static void test_services(void **state)
{
	ir_start(IR_TEXT(IR_PREVENT ", services: [445, 8445]"));
	for (unsigned i = 0; i < 2; i++) {
		struct tcp c = ir_open(1, 2, i == 0 ? 445 : 8445);

		/* Not even SMB: it is held against what SMB must be. */
		assert_int_equal(ir_say(&c, 0, HTTP, sizeof(HTTP) - 1), DROP_inspect_found);
		assert_int_equal(ir_count_told(0, "F1"), 1);
		c = ir_open(2, 1, i == 0 ? 445 : 8445);
		assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
		assert_inspected(&c, 1);
	}
	ir_assert_all_back();
}

/* On any other port by the first eight bytes, however they are cut. */
static void test_smb_on_another_port(void **state)
{
	uint8_t record[128];
	uint32_t len;

	ir_start(IR_TEXT(IR_PREVENT));
	len = ir_echo("hello", 0);
	memcpy(record, ir_record, len);
	for (uint32_t first = 1; first <= 9; first++) {
		struct tcp c = ir_open(1, 2, 4450);

		assert_int_equal(ir_say(&c, 0, record, first), DELIVERED);
		assert_int_equal(ir_say(&c, 0, record + first, len - first), DELIVERED);
		assert_int_equal(ir_flows(), 1);
		assert_inspected(&c, 0);
	}
	ir_assert_all_back();
}

static void test_first_bytes_out_of_order(void **state)
{
	uint8_t record[128];
	uint32_t len;

	ir_start(IR_TEXT(IR_PREVENT));
	len = ir_echo(MARKER, 0);
	memcpy(record, ir_record, len);
	for (uint32_t cut = 1; cut < 12; cut++) {
		struct tcp c = ir_open(1, 2, 4450);

		/* Ahead of the gap it may go: the receiver can't use it yet. */
		assert_int_equal(ir_at(&c, 0, cut, record + cut, len - cut), DELIVERED);
		assert_int_equal(ir_at(&c, 0, 0, record, cut), DROP_inspect_found);
		assert_int_equal(ir_count_told(1, NULL), 1);
	}
	ir_assert_all_back();
}

static uint64_t by_shortcuts(void)
{
	return workers[0]->stats.stages[STAGE_SHORTCUT].packets;
}

/* What is inspected never goes by a shortcut; what is not does, as soon as that is sure. */
static void test_shortcuts(void **state)
{
	uint64_t before;
	struct tcp c;

	ir_start(IR_TEXT(IR_PREVENT));
	c = ir_open(1, 2, 445);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(by_shortcuts(), 0);
	assert_inspected(&c, 0);
	c = ir_open(1, 2, 80);
	before = by_shortcuts();
	assert_int_equal(ir_say(&c, 0, HTTP, sizeof(HTTP) - 1), DELIVERED);
	assert_int_equal(by_shortcuts(), before);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(ir_say(&c, i & 1, HTTP, sizeof(HTTP) - 1), DELIVERED);
	assert_true(by_shortcuts() >= before + 4);
	/* Rules for other services: it is looked at again. */
	ir_apply(IR_TEXT(IR_PREVENT ", services: [80]"));
	before = by_shortcuts();
	ir_say(&c, 0, HTTP, sizeof(HTTP) - 1);
	assert_int_equal(by_shortcuts(), before);
	ir_forget_told();
}

static void test_others_are_settled(void **state)
{
	struct tcp c, late;
	uint64_t segments;

	ir_start(IR_TEXT(IR_PREVENT));
	c = ir_open(1, 2, 80);
	assert_int_equal(ir_say(&c, 0, HTTP, sizeof(HTTP) - 1), DELIVERED);
	assert_int_equal(ir_say(&c, 1, HTTP, sizeof(HTTP) - 1), DELIVERED);
	segments = ir_inspect(0)->stats.segments;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(ir_say(&c, i & 1, HTTP, sizeof(HTTP) - 1), DELIVERED);
		/* SMB in the middle is none of ours, nor is what TCP would not do. */
		assert_int_equal(ir_smb(&c, i & 1, MARKER), DELIVERED);
	}
	assert_int_equal(ir_at(&c, 0, 0, "get", 3), DELIVERED);
	assert_int_equal(ir_at(&c, 0, 1 << 20, "far", 3), DELIVERED);
	assert_int_equal(ir_inspect(0)->stats.segments, segments);
	assert_int_equal(ir_inspect(0)->stats.flows, 0);

	/* In single bytes it takes a flow for as long as it might still be SMB. */
	late = ir_open(1, 2, 81);
	assert_int_equal(ir_say(&late, 0, "\0\0\0", 3), DELIVERED);
	assert_int_equal(ir_flows(), 1);
	assert_int_equal(ir_say(&late, 0, "\1GET", 4), DELIVERED);
	assert_int_equal(ir_flows(), 0);
	assert_int_equal(ir_smb(&late, 0, MARKER), DELIVERED);
	assert_int_equal(ir_smb(&late, 1, MARKER), DELIVERED);
	ir_assert_all_back();
}

/* Who speaks first is no client of SMB, but may be followed by one on a service. */
static void test_server_speaks_first(void **state)
{
	struct tcp c;

	ir_start(IR_TEXT(IR_PREVENT));
	c = ir_open(1, 2, 21);
	assert_int_equal(ir_say(&c, 1, "220 ready\r\n", 11), DELIVERED);
	assert_int_equal(ir_say(&c, 0, "USER me\r\n", 9), DELIVERED);
	assert_int_equal(ir_flows(), 0);
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
	assert_inspected(&c, 0);
	c = ir_open(1, 2, 4450);
	assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
	assert_inspected(&c, 0);
	ir_assert_all_back();
}

/*
 * What its receiver does not take must not settle anything: a first segment that acknowledges what
 * was never sent is dropped there, and what comes next in its place is what counts.
 */
static void test_settled_by_what_is_taken_only(void **state)
{
	struct tcp c;

	ir_start(IR_TEXT(IR_PREVENT));
	c = ir_open(1, 2, 4450);
	assert_int_equal(
		ir_raw(&c, 0, TCP_ACK, c.isn[0] + 1, c.isn[1] + 5000, HTTP, 18), DELIVERED);
	assert_int_equal(ir_smb(&c, 0, MARKER), DROP_stream_differs);
	assert_int_equal(ir_at(&c, 0, 0, "\0\0", 2), DROP_stream_differs);
	assert_int_equal(ir_count_told(0, "differs"), 2);
	/* From before the beginning on, too. */
	ir_raw(&c, 0, TCP_ACK, c.isn[0], c.isn[1] + 1, "\0\0\0\0\x40\xffSMB", 9);
	assert_int_equal(ir.got[1], 0);
	/* The same again is no other, and once it is acknowledged all is settled. */
	assert_int_equal(ir_at(&c, 0, 0, HTTP, 18), DELIVERED);
	assert_int_equal(ir_at(&c, 0, 18, MARKER, sizeof(MARKER)), DELIVERED);
	assert_int_equal(ir_ack(&c, 0), DELIVERED);
	assert_int_equal(ir_smb(&c, 0, MARKER), DELIVERED);
	ir_assert_all_back();
}

/*
 * Nor does the side that sent it, whatever it acknowledges: its receiver has refused the first
 * segment, and takes what comes in its place.
 */
static void test_settled_by_the_receiver_only(void **state)
{
	ir_start(IR_TEXT(IR_PREVENT));
	for (unsigned i = 0; i < 4; i++) {
		struct tcp c = ir_open(1, 2, 4450);
		unsigned by = i & 1;
		uint32_t next = c.isn[!by] + 1;

		assert_int_equal(ir_raw(&c, by, TCP_ACK, c.isn[by] + 1, next + 5000, "GET / HT", 8),
			DELIVERED);
		/* Of bytes that the other has never sent, or none of them. */
		assert_int_equal(
			ir_raw(&c, by, TCP_ACK, c.isn[by] + 1 + (i < 2 ? 0 : 8), next + 1, NULL, 0),
			DELIVERED);
		assert_int_equal(ir_raw(&c, by, TCP_ACK, c.isn[by] + 9, next, NULL, 0), DELIVERED);
		assert_int_equal(ir_smb(&c, by, MARKER), DROP_stream_differs);
		assert_int_equal(ir.got[!by], 0);
	}
	ir_assert_all_back();
}

/* NetBIOS' session service before the first message, as on port 139, makes no other of it. */
static void test_netbios_on_another_port(void **state)
{
	static const struct {
		uint8_t bytes[4 + 68];
		uint32_t len;
	} packets[] = {
		{{0x85}, 4}, /* keep-alive */
		{{0x00}, 4}, {{0x81, 0, 0, 68, 32}, 4 + 68}, /* session request */
	};
	uint8_t bytes[256];

	ir_start(IR_TEXT(IR_PREVENT));
	for (unsigned i = 0; i < RTE_DIM(packets); i++) {
		uint32_t len = packets[i].len, more;
		struct tcp c = ir_open(1, 2, 4450);

		assert_int_equal(ir_say(&c, 0, packets[i].bytes, len), DELIVERED);
		assert_int_equal(ir_flows(), 1);
		assert_inspected(&c, 0);
		/* Byte by byte. */
		c = ir_open(1, 2, 4450);
		for (uint32_t at = 0; at < len; at++)
			assert_int_equal(ir_say(&c, 0, packets[i].bytes + at, 1), DELIVERED);
		assert_inspected(&c, 0);
		/* With the message in one segment. */
		c = ir_open(1, 2, 4450);
		more = ir_echo(MARKER, 0);
		memcpy(bytes, packets[i].bytes, len);
		memcpy(bytes + len, ir_record, more);
		assert_int_equal(ir_say(&c, 0, bytes, len + more), DROP_inspect_found);
		ir_forget_told();
	}
	ir_assert_all_back();
}

static void test_data_in_a_syn(void **state)
{
	struct tcp c;
	uint32_t len;

	ir_start(IR_TEXT(IR_PREVENT));
	for (unsigned i = 0; i < 2; i++) {
		c = ir_tcp(1, 2, i == 0 ? 445 : 4450);
		len = ir_echo(MARKER, 0);
		assert_int_equal(
			ir_raw(&c, 0, TCP_SYN, c.isn[0], 0, ir_record, len), DROP_inspect_found);
		/* Its first half, which the server takes. */
		c = ir_tcp(1, 2, i == 0 ? 445 : 4450);
		assert_int_equal(
			ir_raw(&c, 0, TCP_SYN, c.isn[0], 0, ir_record, len - 4), DELIVERED);
		c.next[0] += len - 4;
		assert_int_equal(ir_raw(&c, 1, SYN_ACK, c.isn[1], c.next[0], NULL, 0), DELIVERED);
		assert_int_equal(ir_say(&c, 0, ir_record + len - 4, 4), DROP_inspect_found);
		/* Or does not. */
		c = ir_tcp(1, 2, i == 0 ? 445 : 4450);
		assert_int_equal(ir_raw(&c, 0, TCP_SYN, c.isn[0], 0, ir_record, 9), DELIVERED);
		assert_int_equal(ir_syn_ack(&c), DELIVERED);
		assert_int_equal(ir_say(&c, 0, ir_record, len), DROP_inspect_found);
	}
	/* What a server that knows no fast open drops is no beginning. */
	c = ir_tcp(1, 2, 4450);
	assert_int_equal(ir_raw(&c, 0, TCP_SYN, c.isn[0], 0, HTTP, 18), DELIVERED);
	assert_int_equal(ir_syn_ack(&c), DELIVERED);
	assert_int_equal(ir_say(&c, 0, ir_record, len), DROP_stream_differs);
}

static void test_syn_again_with_another_number(void **state)
{
	struct tcp c;

	ir_start(IR_TEXT(IR_PREVENT));
	c = ir_tcp(1, 2, 445);
	assert_int_equal(ir_syn(&c), DELIVERED);
	c.isn[0] += 100000;
	c.next[0] = c.isn[0] + 1;
	assert_int_equal(ir_syn(&c), DELIVERED);
	assert_int_equal(ir_syn_ack(&c), DELIVERED);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	/* One in the middle is no new beginning: its receiver answers that it has none. */
	assert_int_equal(ir_raw(&c, 0, TCP_SYN, c.isn[0] + 7777, 0, NULL, 0), DELIVERED);
	assert_inspected(&c, 0);
	ir_assert_all_back();
}

/* A SYN that nobody has answered is none that what follows could belong to. */
static void test_nothing_follows_an_unanswered_syn(void **state)
{
	struct tcp c;
	uint32_t len;

	ir_start(IR_TEXT(IR_PREVENT));
	c = ir_open(1, 2, 445);
	len = ir_echo(MARKER, 0);
	assert_int_equal(ir_say(&c, 0, ir_record, len - 9), DELIVERED);
	/* Both for the switch only: the receiver's numbers are others. */
	assert_int_equal(ir_raw(&c, 0, RST, c.next[0] + 500000, 0, NULL, 0), DELIVERED);
	assert_int_equal(ir_raw(&c, 0, TCP_SYN, c.next[0] - 1, 0, NULL, 0), DELIVERED);
	assert_int_equal(ir_raw(&c, 1, TCP_ACK, c.next[1], c.next[0], NULL, 0), DELIVERED);
	assert_int_equal(ir_say(&c, 0, ir_record + len - 9, 9), DROP_inspect_midstream);
	assert_int_equal(ir_say(&c, 1, "x", 1), DROP_inspect_midstream);
}

/* Connections that ran before the ports were there. */
static void midstream(const char *policy, int verdict)
{
	char text[2048];
	struct tcp c = ir_tcp(1, 2, 445);

	snprintf(text, sizeof(text), "%s",
		IR_NETWORK IR_HOSTS "inspection: [{tenant: acme, rules: [test.rules], mode: "
				    "prevent, uninspected: {midstream: ");
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s}}]\n", policy);
	ir_start(text);
	assert_int_equal(ir_smb(&c, 0, "hello"), verdict);
	assert_int_equal(ir_count_told(0, "midstream"), strcmp(policy, "inspect") != 0);
	if (verdict != DELIVERED) {
		assert_true(ir.reset[0]);
		assert_int_equal(ir_smb(&c, 1, "hello"), DROP_inspect_dead);
		assert_int_equal(ir_failures(CONFIG_FAILURE_MIDSTREAM), 1);
	} else if (strcmp(policy, "pass") == 0) {
		assert_int_equal(ir_smb(&c, 0, MARKER), DELIVERED);
		assert_int_equal(ir_smb(&c, 1, MARKER), DELIVERED);
		assert_int_equal(ir_flows(), 0);
	} else {
		/* Told of only, until it is sure where its records are. */
		assert_int_equal(ir_smb(&c, 0, MARKER), DELIVERED);
		assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
		ir_agree(&c);
		assert_inspected(&c, 0);
	}
	ir_assert_all_back();
}

static void test_midstream_inspected(void **state)
{
	midstream("inspect", DELIVERED);
}

static void test_midstream_passed(void **state)
{
	midstream("pass", DELIVERED);
}

static void test_midstream_dropped(void **state)
{
	midstream("drop", DROP_inspect_midstream);
}

static void test_tenant_without_inspection(void **state)
{
	struct tcp c;

	ir_start(IR_SMALL
		"networks: [{name: n, tenant: acme}, {name: m, tenant: other}]\nports:\n" HOST(
			a, 1, IR_IN) HOST(b, 2, IR_IN) HOST_IN(c, 3, "m", IR_IN)
			HOST_IN(d, 4, "m", IR_IN) IR_WITH(IR_PREVENT));
	c = ir_open(3, 4, 445);
	assert_int_equal(ir_smb(&c, 0, MARKER), DELIVERED);
	assert_int_equal(ir_inspect(0)->stats.segments, 0);
	c = ir_open(1, 2, 445);
	assert_inspected(&c, 0);
}

/* A living connection meets inspection, loses it, and meets it again. */
static void test_switched_on_and_off(void **state)
{
	struct tcp smb, web, quiet;

	ir_start_bare(IR_NETWORK IR_HOSTS);
	smb = ir_open(1, 2, 445);
	web = ir_open(1, 2, 80);
	assert_int_equal(ir_smb(&smb, 0, MARKER), DELIVERED);
	assert_int_equal(ir_say(&web, 0, HTTP, 18), DELIVERED);
	for (unsigned i = 0; i < 3; i++) {
		ir_apply(IR_TEXT(IR_PREVENT));
		quiet = ir_open(3, 4, 445);
		assert_int_equal(ir_smb(&smb, 0, "hello"), DELIVERED);
		assert_int_equal(ir_smb(&smb, 1, "hello"), DELIVERED);
		assert_int_equal(ir_smb(&quiet, 0, "hello"), DELIVERED);
		assert_int_equal(ir_flows(), 2);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(ir_say(&web, k & 1, HTTP, 18), DELIVERED);
		assert_int_equal(ir_flows(), 2);
		ir_apply(IR_NETWORK IR_HOSTS);
		assert_int_equal(ir_flows(), 0);
		ir_assert_all_back();
		for (unsigned k = 0; k < 4; k++) {
			assert_int_equal(ir_smb(&smb, k & 1, MARKER), DELIVERED);
			assert_int_equal(ir_smb(&quiet, k & 1, MARKER), DELIVERED);
			assert_int_equal(ir_say(&web, k & 1, HTTP, 18), DELIVERED);
		}
	}
	ir_apply(IR_TEXT(IR_PREVENT));
	ir_agree(&smb);
	assert_inspected(&smb, 0);
	ir_agree(&quiet);
	assert_inspected(&quiet, 1);
}

/* Another list of services concerns who was settled, not who is inspected. */
static void test_services_change(void **state)
{
	struct tcp smb, other, web;

	ir_start(IR_TEXT(IR_PREVENT));
	smb = ir_open(1, 2, 445);
	other = ir_open(1, 2, 8445);
	web = ir_open(1, 2, 80);
	assert_int_equal(ir_smb(&smb, 0, "hello"), DELIVERED);
	for (unsigned k = 0; k < 4; k++) {
		assert_int_equal(ir_say(&other, k & 1, HTTP, 18), DELIVERED);
		assert_int_equal(ir_say(&web, k & 1, HTTP, 18), DELIVERED);
	}
	ir_apply(IR_TEXT(IR_PREVENT ", services: [445, 8445]"));
	for (unsigned k = 0; k < 4; k++)
		assert_int_equal(ir_say(&web, k & 1, HTTP, 18), DELIVERED);
	assert_inspected(&smb, 1);
	/* Midstream now: from here on. */
	ir_agree(&other);
	assert_inspected(&other, 0);
}

/* A frame for many has no connection to be inspected in: no bytes on a service go that way. */
static void test_frames_for_many(void **state)
{
	static const uint8_t macs[2][6] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x02, 0, 0, 0, 0x77, 0x77}};
	struct tcp c = ir_tcp(1, 2, 445), web = ir_tcp(1, 2, 80);
	struct rte_mbuf *m;
	uint32_t len;

	ir_start(IR_NETWORK "ports:\n" HOST(
		a, 1, IR_IN) "  - {name: b, network: n, kernel: {interface: b}, ips: [10.0.0.2], "
			     "default-in: allow}\n" IR_WITH(IR_PREVENT));
	for (unsigned i = 0; i < 2; i++) {
		len = ir_make(&c, 0, TCP_SYN, c.isn[0], 0, MARKER, sizeof(MARKER));
		memcpy(ir_frame, macs[i], 6);
		m = frames_mbuf(port_env.pool, ir_frame, len, 0, 0);
		assert_int_equal(ir_put(&c, 0, &m, 1), DROP_stream_invalid);
		assert_int_equal(ir.got[1], 0);
		len = ir_make(&c, 0, TCP_SYN, c.isn[0], 0, NULL, 0);
		memcpy(ir_frame, macs[i], 6);
		m = frames_mbuf(port_env.pool, ir_frame, len, 0, 0);
		assert_int_equal(ir_put(&c, 0, &m, 1), DELIVERED);
		len = ir_make(&web, 0, TCP_SYN, web.isn[0], 0, HTTP, 18);
		memcpy(ir_frame, macs[i], 6);
		m = frames_mbuf(port_env.pool, ir_frame, len, 0, 0);
		assert_int_equal(ir_put(&web, 0, &m, 1), DELIVERED);
	}
}

/* A fragment from a to everybody: of the packet `id`, len bytes at off. */
static struct rte_mbuf *fragment(
	uint32_t id, const uint8_t *bytes, uint32_t off, uint32_t len, bool more)
{
	uint8_t frame[FRAME_MAX] = {0}, *ip = frame + 14;

	memset(frame, 0xff, 6);
	rig_mac(frame + 6, 1);
	put16(frame + 12, 0x86dd);
	put32(ip, 0x60000000);
	put16(ip + 4, 8 + len);
	ip[6] = 44; /* a fragment header */
	ip[7] = 64;
	put16(ip + 8, 0xfd00);
	put32(ip + 20, 1);
	put16(ip + 24, 0xfd00);
	put32(ip + 36, 2);
	ip[40] = 60; /* destination options */
	put16(ip + 42, off | more);
	put32(ip + 44, id);
	memcpy(ip + 48, bytes + off, len);
	return frames_mbuf(port_env.pool, frame, 14 + 48 + len, 0, 0);
}

/* The same in fragments, whose first has headers alone: options that fill it up, and TCP's. */
static void test_fragments_for_many(void **state)
{
	enum { OPTIONS = 1024, FIRST = OPTIONS + 24, ALL = FIRST + 16 };
	struct tcp c = ir_tcp(1, 2, 445);
	uint8_t bytes[ALL] = {0}, *tcp = bytes + OPTIONS;

	bytes[0] = TCP;
	bytes[1] = OPTIONS / 8 - 1;
	/* One byte of padding is a zero, which all of them are. */
	put16(tcp, c.port[0]);
	put16(tcp + 2, c.port[1]);
	put32(tcp + 4, c.isn[0]);
	tcp[12] = 6 << 4;
	tcp[13] = TCP_SYN;
	put16(tcp + 14, 8192);
	memset(tcp + 20, 1, 4); /* no-operation */
	for (unsigned prevent = 0; prevent < 2; prevent++) {
		struct rte_mbuf *m[2];

		if (prevent)
			ir_apply(IR_TEXT(IR_PREVENT));
		else
			ir_start(IR_TEXT(""));
		m[0] = fragment(4711 + prevent, bytes, 0, FIRST, true);
		m[1] = fragment(4711 + prevent, bytes, FIRST, ALL - FIRST, false);
		assert_int_equal(
			ir_put(&c, 0, m, 2), prevent ? (int)DROP_stream_invalid : DELIVERED);
		assert_int_equal(ir.got[1], prevent ? 0 : 2);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IR_TEST(test_services),
		IR_TEST(test_smb_on_another_port),
		IR_TEST(test_first_bytes_out_of_order),
		IR_TEST(test_shortcuts),
		IR_TEST(test_others_are_settled),
		IR_TEST(test_server_speaks_first),
		IR_TEST(test_settled_by_what_is_taken_only),
		IR_TEST(test_settled_by_the_receiver_only),
		IR_TEST(test_netbios_on_another_port),
		IR_TEST(test_data_in_a_syn),
		IR_TEST(test_syn_again_with_another_number),
		IR_TEST(test_nothing_follows_an_unanswered_syn),
		IR_TEST(test_midstream_inspected),
		IR_TEST(test_midstream_passed),
		IR_TEST(test_midstream_dropped),
		IR_TEST(test_tenant_without_inspection),
		IR_TEST(test_switched_on_and_off),
		IR_TEST(test_services_change),
		IR_TEST(test_frames_for_many),
		IR_TEST(test_fragments_for_many),
	};

	if (rig_eal(argv[0], "1024") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, rig_eal_end);
}
