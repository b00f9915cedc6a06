/*
 * What is found is stopped at the packet that completes it, however its bytes come: nothing of that
 * packet and of what follows reaches its receiver, and both ends are reset. In mode detect the same
 * is told, and everything arrives.
 */
#include "inspect_rig.h"

static bool prevent;
static uint8_t record[70000];
static uint32_t record_len;

static void begin(void)
{
	ir_start(prevent ? IR_TEXT(IR_PREVENT) : IR_TEXT(""));
	record_len = ir_echo("something before it " MARKER " and something behind", 0);
	memcpy(record, ir_record, record_len);
}

/* Behind the marker's last byte. */
static uint32_t marked(void)
{
	uint32_t n = sizeof(MARKER) - 1;

	for (uint32_t i = 0; i + n <= record_len; i++)
		if (memcmp(record + i, MARKER, n) == 0)
			return i + n;
	fail_msg("no marker");
	return 0;
}

/*
 * The segment that came to `verdict` was the one that completes it. wanted: the number that its
 * receiver waits for, relative to its sender's first byte.
 */
static void ends(struct tcp *c, unsigned side, int verdict, uint32_t wanted)
{
	assert_int_equal(ir_count_told(1, NULL), 1);
	if (!prevent) {
		assert_int_equal(verdict, DELIVERED);
		assert_int_equal(ir_smb(c, side, "hello"), DELIVERED);
		assert_int_equal(ir_smb(c, !side, "hello"), DELIVERED);
		return;
	}
	assert_int_equal(verdict, DROP_inspect_found);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ir.got[i], 1);
		assert_true(ir.reset[i]);
	}
	assert_int_equal(ir.reset_seq[side], c->next[!side]);
	assert_int_equal(ir.reset_seq[!side], c->isn[side] + 1 + wanted);
	/* Nothing follows, in either direction. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ir_smb(c, i, "hello"), DROP_inspect_dead);
		assert_int_equal(ir.got[!i], 0);
		assert_true(ir.reset[i]);
	}
	ir_assert_all_back();
}

static void in_order(void)
{
	struct tcp c;
	uint32_t at;

	begin();
	at = marked();
	for (unsigned side = 0; side < 2; side++) {
		c = ir_open(1, 2, 445);
		ends(&c, side, ir_say(&c, side, record, record_len), 0);
		c = ir_open(1, 2, 445);
		assert_int_equal(ir_say(&c, side, record, at - 1), DELIVERED);
		ends(&c, side, ir_say(&c, side, record + at - 1, 1), at - 1);
		/* Acknowledged meanwhile, and behind another record in the same segment. */
		c = ir_open(1, 2, 445);
		memcpy(record + record_len, record, at);
		put32(record + record_len, record_len - 4);
		memset(record + 41, 'x', record_len - 41);
		assert_int_equal(ir_say(&c, side, record, 50), DELIVERED);
		assert_int_equal(ir_ack(&c, side), DELIVERED);
		assert_int_equal(ir_say(&c, side, record + 50, record_len + at - 51), DELIVERED);
		ends(&c, side, ir_say(&c, side, record + record_len + at - 1, 1),
			record_len + at - 1);
		record_len = ir_echo("something before it " MARKER " and something behind", 0);
		memcpy(record, ir_record, record_len);
	}
}

static void in_single_bytes(void)
{
	struct tcp c;
	uint32_t at;

	begin();
	c = ir_open(1, 2, 445);
	at = marked();
	for (uint32_t i = 0; i < at - 1; i++)
		assert_int_equal(ir_say(&c, 0, record + i, 1), DELIVERED);
	ends(&c, 0, ir_say(&c, 0, record + at - 1, 1), at - 1);
	/* The last byte first, and so on to the first. */
	c = ir_open(1, 2, 445);
	for (uint32_t i = at - 1; i > 0; i--)
		assert_int_equal(
			ir_at(&c, 0, i, record + i, 1), i >= at - 64 ? DELIVERED : DELIVERED);
	ends(&c, 0, ir_at(&c, 0, 0, record, 1), 0);
}

static void out_of_order(void)
{
	static const uint8_t orders[6][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	uint32_t at;

	begin();
	at = marked();
	for (unsigned i = 0; i < 6; i++) {
		struct tcp c = ir_open(1, 2, 445);
		const uint32_t cuts[] = {0, at - 10, at - 3, record_len};
		bool have[4] = {false};

		for (unsigned k = 0; k < 3; k++) {
			unsigned piece = orders[i][k];
			uint32_t from = cuts[piece], wanted = 0;
			int verdict = ir_at(&c, 0, from, record + from, cuts[piece + 1] - from);

			for (unsigned p = 0; have[p]; p++)
				wanted = cuts[p + 1];
			have[piece] = true;
			if (have[0] && have[1] && have[2])
				ends(&c, 0, verdict, wanted);
			else
				assert_int_equal(verdict, DELIVERED);
		}
	}
}

static void overlapping(void)
{
	struct tcp c;
	uint32_t at;

	begin();
	at = marked();
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_at(&c, 0, 0, record, at - 5), DELIVERED);
	assert_int_equal(ir_at(&c, 0, at - 9, record + at - 9, 6), DELIVERED);
	assert_int_equal(ir_at(&c, 0, at - 1, record + at - 1, 9), DELIVERED);
	ends(&c, 0, ir_at(&c, 0, at - 12, record + at - 12, 20), at - 3);
	/* Sent again, after the first copy went out and was lost; then with other bytes. */
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_at(&c, 0, 0, record, at - 5), DELIVERED);
	assert_int_equal(ir_at(&c, 0, 0, record, at - 5), DELIVERED);
	assert_int_equal(ir_at(&c, 0, 0, record, at - 7), DELIVERED);
	record[at - 6] ^= 1;
	assert_int_equal(
		ir_at(&c, 0, 0, record, at - 5), prevent ? DROP_stream_differs : DELIVERED);
	assert_int_equal(ir_count_told(0, "differs"), 1);
	assert_int_equal(ir_at(&c, 0, at - 6, record + at - 6, 6),
		prevent ? DROP_stream_differs : DELIVERED);
	record[at - 6] ^= 1;
	ir_forget_told();
	ends(&c, 0, ir_at(&c, 0, 0, record, at), at - 5);
}

#define FRAGMENT 512u

/* One packet in IP fragments, in order and turned round. */
static void in_fragments(void)
{
	struct rte_mbuf *m[32];
	struct tcp c;
	int verdict;

	begin();
	record_len = ir_echo("", 3000);
	memcpy(ir_record + FRAGMENT * 4 - 20 - 5, MARKER, sizeof(MARKER) - 1);
	memcpy(record, ir_record, record_len);
	for (unsigned turned = 0; turned < 2; turned++) {
		uint32_t len, n = 0;

		c = ir_open(1, 2, 445);
		len = ir_make(&c, 0, TCP_ACK, c.next[0], c.next[1], record, record_len) - 34;
		for (uint32_t off = 0; off < len; off += FRAGMENT, n++) {
			uint8_t frame[34 + FRAGMENT];
			uint32_t part = RTE_MIN(FRAGMENT, len - off);

			memcpy(frame, ir_frame, 34);
			memcpy(frame + 34, ir_frame + 34 + off, part);
			put16(frame + 16, 20 + part);
			put16(frame + 18, 77 + turned);
			put16(frame + 20, off / 8 | (off + part < len ? 0x2000 : 0));
			put16(frame + 24, 0);
			put16(frame + 24, ~slow_sum(0, frame + 14, 20) & 0xffff);
			m[n] = frames_mbuf(port_env.pool, frame, 34 + part, 0, 0);
		}
		for (uint32_t i = 0; turned && i < n / 2; i++)
			RTE_SWAP(m[i], m[n - 1 - i]);
		verdict = ir_put(&c, 0, m, n);
		if (!prevent)
			assert_int_equal(ir.got[1], n);
		c.next[0] += record_len;
		ends(&c, 0, verdict, 0);
	}
}

/* 64 KiB in one packet of many buffers, as a guest with TSO sends it. */
static void in_a_long_chain(void)
{
	struct rte_mbuf *m;
	struct tcp c;
	uint32_t len;
	int verdict;

	begin();
	c = ir_open(1, 2, 445);
	record_len = ir_echo("", 65000);
	memcpy(ir_record + record_len - sizeof(MARKER) + 1, MARKER, sizeof(MARKER) - 1);
	len = ir_make(&c, 0, TCP_ACK, c.next[0], c.next[1], ir_record, record_len);
	/* The first buffer ends within the record's header. */
	m = frames_mbuf(port_env.pool, ir_frame, len, 54 + 3, 2048);
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	m->tso_segsz = 1448;
	verdict = ir_put(&c, 0, &m, 1);
	c.next[0] += record_len;
	ends(&c, 0, verdict, 0);
}

#define BOTH(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		prevent = true;                                                                    \
		name();                                                                            \
	}                                                                                          \
	static void test_##name##_detect(void **state)                                             \
	{                                                                                          \
		prevent = false;                                                                   \
		name();                                                                            \
	}

BOTH(in_order)
BOTH(in_single_bytes)
BOTH(out_of_order)
BOTH(overlapping)
BOTH(in_fragments)
BOTH(in_a_long_chain)

/* What follows is answered, but not for ever; a SYN begins anew. */
static void test_dead(void **state)
{
	unsigned answers = 0;
	struct tcp c;

	prevent = true;
	begin();
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_say(&c, 0, record, marked() - 4), DELIVERED);
	assert_int_equal(ir_say(&c, 0, record + marked() - 4, 4), DROP_inspect_found);
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(ir_say(&c, 0, "more", 4), DROP_inspect_dead);
		assert_int_equal(ir.got[1], 0);
		answers += ir.reset[0];
	}
	assert_in_range(answers, 50, 200);
	fw_pass_seconds(2);
	assert_int_equal(ir_say(&c, 0, "more", 4), DROP_inspect_dead);
	assert_true(ir.reset[0]);
	/* The old one is not continued under a SYN's cover. */
	assert_int_equal(ir_raw(&c, 0, TCP_SYN, c.next[0] - 77, 0, NULL, 0), DELIVERED);
	assert_int_equal(ir_say(&c, 0, record + marked() - 4, 4), DROP_inspect_midstream);
	assert_int_equal(ir.got[1], 0);
	c.isn[0] += 1000000;
	c.next[0] = c.isn[0] + 1;
	ir_shake(&c);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 0, MARKER), DROP_inspect_found);
}

/* Alerts drop nothing, in any mode. */
static void test_alert_only(void **state)
{
	struct tcp c;

	prevent = true;
	begin();
	c = ir_open(1, 2, 445);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ir_smb(&c, i & 1, NOTICE), DELIVERED);
		assert_int_equal(ir_count_told(3, NULL), 1);
	}
	assert_int_equal(rig_drops("a", DROP_inspect_found), 0);
}

/* What classification.config says of a rule's class, else the class's name. */
static void test_category(void **state)
{
	static const char *const texts[] = {NOTICE, CULPRIT, MARKER};
	static const char *const categories[] = {"Something to know", "unheard-of", ""};
	struct inspect_record told;
	struct tcp c;

	write_text("classification.config", "config classification: notes,Something to know,3\n");
	ir_prepare(
		"alert tcp any any -> any any (content:\"" NOTICE "\"; classtype:notes; sid:1;)\n"
		"alert tcp any any -> any any (content:\"" CULPRIT "\"; classtype:unheard-of; "
		"sid:2;)\n"
		"alert tcp any any -> any any (content:\"" MARKER "\"; sid:3;)\n");
	rig_start(IR_TEXT(""));
	ir_ready();
	c = ir_open(1, 2, 445);
	for (unsigned i = 0; i < RTE_DIM(texts); i++) {
		assert_int_equal(ir_smb(&c, 0, texts[i]), DELIVERED);
		assert_true(ir_told(&told));
		assert_int_equal(told.sid, i + 1);
		assert_string_equal(told.category, categories[i]);
	}
}

/* A copy with a wrong checksum is dropped by its receiver: it has no place in the stream. */
static void test_wrong_checksum(void **state)
{
	struct rte_mbuf *m;
	struct tcp c;
	uint32_t len;

	prevent = true;
	begin();
	c = ir_open(1, 2, 445);
	len = ir_make(&c, 0, TCP_ACK, c.next[0], c.next[1], "xxxxxxxx", 8);
	ir_frame[50] ^= 0x55;
	m = frames_mbuf(port_env.pool, ir_frame, len, 0, 0);
	assert_int_equal(ir_put(&c, 0, &m, 1), DROP_stream_checksum);
	assert_int_equal(ir_count_told(0, "checksum"), 1);
	ends(&c, 0, ir_say(&c, 0, record, record_len), 0);
}

/* A RST that its receiver may not take ends nothing. */
static void test_behind_a_reset(void **state)
{
	struct tcp c;

	prevent = true;
	begin();
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_say(&c, 0, record, marked() - 4), DELIVERED);
	assert_int_equal(ir_raw(&c, 0, RST, c.next[0] + 99999, 0, NULL, 0), DELIVERED);
	ends(&c, 0, ir_say(&c, 0, record + marked() - 4, 4), marked() - 4);
}

/* The next connection that is told of ended for this. */
static void assert_ended(const char *why)
{
	struct flow_record flow;

	assert_int_equal(flow_log_take(inspect_flow_log(workers[0]), &flow, 1), 1);
	assert_string_equal(flow.reason, why);
}

/* In whichever way a connection ends, nothing of it stays. */
static void test_all_is_given_back(void **state)
{
	static const char *const why[] = {"closed", "timeout", "removed", "port", "off"};
	const struct conn_filter any = {0};
	struct tcp c;
	bool all;

	prevent = true;
	begin();
	for (unsigned way = 0; way < 5; way++) {
		c = ir_open(1, 2, 445);
		/* In the middle of a record, and with bytes ahead of a gap. */
		assert_int_equal(ir_say(&c, 0, record, 45), DELIVERED);
		assert_int_equal(ir_at(&c, 0, 60, record + 60, 3), DELIVERED);
		assert_int_equal(ir_at(&c, 1, 60, record + 60, 3), DELIVERED);
		assert_int_equal(ir_flows(), 1);
		switch (way) {
		case 0: /* closed, and its time is over */
			assert_int_equal(ir_raw(&c, 0, RST, c.next[0], 0, NULL, 0), DELIVERED);
			fw_pass_seconds(60);
			break;
		case 1: /* forgotten */
			fw_pass_seconds(10 * 24 * 3600);
			break;
		case 2: /* killed */
			assert_int_equal(switch_conns_kill(&any, &all), 1);
			rig_settle();
			break;
		case 3: /* a port is gone */
			ir_apply(IR_NETWORK "ports:\n" HOST(a, 1, IR_IN) HOST(c, 3, IR_IN)
					IR_WITH(IR_PREVENT));
			break;
		default: /* the tenant is not inspected any more */
			ir_apply(IR_TEXT(IR_PREVENT));
			ir_apply(IR_NETWORK IR_HOSTS);
			break;
		}
		ir_assert_all_back();
		assert_ended(why[way]);
		if (way == 3)
			ir_apply(IR_TEXT(IR_PREVENT));
	}
}

/* A flood of half-open connections with data pushes the oldest out, flows and all. */
static void test_pushed_out(void **state)
{
	struct tcp c;

	prevent = true;
	ir_start(IR_NETWORK "ports:\n" HOST(a, 1, IR_IN ", connections: {max: 8}") HOST(b, 2, IR_IN)
			IR_WITH(IR_PREVENT));
	record_len = ir_echo("hello", 0);
	for (unsigned i = 0; i < 200; i++) {
		c = ir_tcp(1, 2, 445);
		assert_int_equal(
			ir_raw(&c, 0, TCP_SYN, c.isn[0], 0, ir_record, record_len - 2), DELIVERED);
		assert_in_range(ir_flows(), 1, 8);
	}
	assert_int_equal(ir_flows(), 8);
	assert_ended("pushed_out");
	fw_pass_seconds(24 * 3600);
	ir_assert_all_back();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IR_TEST(test_in_order),
		IR_TEST(test_in_order_detect),
		IR_TEST(test_in_single_bytes),
		IR_TEST(test_in_single_bytes_detect),
		IR_TEST(test_out_of_order),
		IR_TEST(test_out_of_order_detect),
		IR_TEST(test_overlapping),
		IR_TEST(test_overlapping_detect),
		IR_TEST(test_in_fragments),
		IR_TEST(test_in_fragments_detect),
		IR_TEST(test_in_a_long_chain),
		IR_TEST(test_in_a_long_chain_detect),
		IR_TEST(test_dead),
		IR_TEST(test_alert_only),
		IR_TEST(test_category),
		IR_TEST(test_wrong_checksum),
		IR_TEST(test_behind_a_reset),
		IR_TEST(test_all_is_given_back),
		IR_TEST(test_pushed_out),
	};

	if (rig_eal(argv[0], "1024") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, rig_eal_end);
}
