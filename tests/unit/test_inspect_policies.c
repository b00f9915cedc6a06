/* What cannot be inspected: dropped for its own reason, or passed by the tenant's policy. */
#include "inspect_rig.h"

#define ON(policies) IR_TEXT(IR_PREVENT ", uninspected: {" policies "}")

/* Opens a connection in which a record is said; what becomes of that. */
static int say_in_new(uint32_t from, struct tcp *c)
{
	*c = ir_open(from, 2, 445);
	return ir_smb(c, 0, "hello");
}

static void no_flows_left(bool passes)
{
	struct tcp c;

	ir_start(passes ? ON("memory: pass") : ON("memory: drop"));
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(say_in_new(1, &c), DELIVERED);
	assert_int_equal(ir_flows(), 64);
	assert_int_equal(say_in_new(3, &c), passes ? DELIVERED : DROP_inspect_memory);
	assert_int_equal(ir_count_told(0, "memory"), 1);
	assert_int_equal(ir_failures(CONFIG_FAILURE_MEMORY), 1);
	if (passes) {
		/* Let go for good. */
		assert_int_equal(ir_smb(&c, 0, MARKER), DELIVERED);
		assert_int_equal(ir_smb(&c, 1, MARKER), DELIVERED);
	} else {
		/* Sent again when there is room, it is inspected from its beginning. */
		assert_int_equal(ir_smb(&c, 0, "hello"), DROP_inspect_memory);
		fw_pass_seconds(10 * 24 * 3600);
		assert_int_equal(ir_flows(), 0);
		assert_int_equal(say_in_new(3, &c), DELIVERED);
		assert_int_equal(ir_smb(&c, 0, MARKER), DROP_inspect_found);
	}
}

static void test_no_flows_left(void **state)
{
	no_flows_left(false);
}

static void test_no_flows_left_passes(void **state)
{
	no_flows_left(true);
}

/* So many connections from that host are inspected, until one is not for want of memory. */
static unsigned take_flows(uint32_t from, uint32_t to)
{
	struct tcp c;
	unsigned n = 0;

	for (;; n++) {
		c = ir_open(from, to, 445);
		if (ir_smb(&c, 0, "hello") != DELIVERED)
			break;
		assert_in_range(n, 0, 63);
	}
	assert_int_equal(ir_smb(&c, 0, "hello"), DROP_inspect_memory);
	ir_forget_told();
	return n;
}

/* Of 64 places for connections one port takes 16 at most, and one tenant 48. */
static void test_shares(void **state)
{
	struct tcp c;

	ir_start(IR_SMALL
		"networks: [{name: n, tenant: acme}, {name: m, tenant: other}]\nports:\n" HOST(
			a, 1, IR_IN) HOST(b, 2, IR_IN) HOST(c, 3, IR_IN) HOST(d, 4,
			IR_IN) HOST_IN(e, 5, "m", IR_IN) HOST_IN(f, 6, "m",
			IR_IN) "inspection: [{tenant: acme, rules: [test.rules]" IR_PREVENT "}, "
			       "{tenant: other, rules: [test.rules]" IR_PREVENT "}]\n");
	ir_inspect(0)->timed = true;
	assert_int_equal(take_flows(1, 2), 16);
	/* Others answer, and open their own. */
	c = ir_open(2, 1, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
	assert_int_equal(take_flows(2, 1), 15);
	assert_int_equal(take_flows(3, 1), 16);
	assert_int_equal(take_flows(4, 1), 0);
	assert_int_equal(take_flows(5, 6), 16);
	/* What is given back is theirs again. */
	assert_int_equal(ir_smb(&c, 0, MARKER), DROP_inspect_found);
	assert_int_equal(ir_flows(), 63);
	c = ir_open(4, 1, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	ir_inspect(0)->timed = false;
	fw_pass_seconds(10 * 24 * 3600);
	ir_assert_all_back();
	for (unsigned i = 0; i < MAX_PORTS; i++)
		assert_int_equal(ir_inspect(0)->of_port[i], 0);
}

/* A byte behind a SYN that nobody has answered. */
static void test_unanswered_takes_no_place(void **state)
{
	ir_start(ON(""));
	for (unsigned i = 0; i < 64; i++) {
		struct tcp c = ir_tcp(1, 2, i & 1 ? 445 : 4450);

		assert_int_equal(ir_syn(&c), DELIVERED);
		assert_int_equal(ir_say(&c, 0, "\0", 1), DROP_inspect_midstream);
		assert_int_equal(ir_flows(), 0);
	}
	ir_assert_all_back();
}

/* A tenant's limit is its own. */
static void test_account(void **state)
{
	uint32_t len;
	unsigned n;
	struct tcp c;

	ir_start(IR_TEXT(IR_PREVENT ", memory: 1"));
	for (n = 0; n < 64; n++) {
		c = ir_open(1, 2, 445);
		len = ir_echo("x", 30000);
		if (ir_say(&c, 0, ir_record, 1400) != DELIVERED)
			break;
	}
	assert_in_range(n, 2, 63);
	assert_true(rig_drops("a", DROP_inspect_memory) > 0);
	assert_true(ir_inspect(0)->accounts[0].used <= 1 << 20);
	assert_true(inspect_limit_refused(ir_inspect(0)) > 0);
	assert_true(len > 30000);
}

static void no_database(bool passes)
{
	struct tcp c;

	ir_start_bare(passes ? ON("no-database: pass") : ON("no-database: drop"));
	rig_settle();
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), passes ? DELIVERED : DROP_inspect_no_database);
	assert_true(ir_failures(CONFIG_FAILURE_NO_DATABASE) > 0);
	assert_int_equal(ir_count_told(0, "no-database"), 1);
	ir_ready();
	/* Then what was let pass is met in the middle, and what was not is sent again. */
	ir_agree(&c);
	assert_int_equal(ir_smb(&c, 0, MARKER), DROP_inspect_found);
}

static void test_no_database(void **state)
{
	no_database(false);
}

static void test_no_database_passes(void **state)
{
	no_database(true);
}

/* A transform header (MS-SMB2 2.2.41) and `more` bytes. */
static uint32_t encrypted(uint32_t more)
{
	memset(ir_record, 0, sizeof(ir_record));
	memcpy(ir_record + 4, "\xfdSMB", 4);
	ir_le16(4 + 36, more);
	ir_le16(4 + 42, 1);
	return ir_finish(4 + 52 + more);
}

static void test_encrypted(void **state)
{
	struct tcp c;

	ir_start(ON(""));
	c = ir_open(1, 2, 445);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(ir_say(&c, 0, ir_record, encrypted(100)), DELIVERED);
	assert_int_equal(ir_count_told(0, "encrypted"), 1); /* once in a connection */
	assert_true(ir_failures(CONFIG_FAILURE_ENCRYPTED) > 0);
	assert_int_equal(ir_smb(&c, 0, MARKER), DROP_inspect_found);
	ir_forget_told();
	ir_apply(ON("encrypted: drop"));
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_say(&c, 0, ir_record, encrypted(100)), DROP_inspect_encrypted);
	assert_int_equal(ir_count_told(0, "encrypted"), 1);
	assert_true(ir.reset[0] && ir.reset[1]);
	assert_int_equal(ir_smb(&c, 0, "hello"), DROP_inspect_dead);
}

/* Met in the middle, since then nobody can say that compression was not negotiated. */
static void test_compressed(void **state)
{
	for (unsigned passes = 0; passes < 2; passes++) {
		struct tcp c = ir_tcp(1, 2, 445);
		uint32_t len;

		if (passes)
			ir_apply(ON("compressed: pass"));
		else
			ir_start(ON(""));
		memset(ir_record, 0, sizeof(ir_record));
		memcpy(ir_record + 4, "\xfcSMB", 4);
		ir_le16(8, 200); /* OriginalCompressedSegmentSize */
		ir_le16(12, 2); /* LZ77 */
		len = ir_finish(4 + 16 + 64);
		assert_int_equal(ir_say(&c, 0, ir_record, len),
			passes ? DELIVERED : DROP_inspect_compressed);
		assert_int_equal(ir_count_told(0, "compressed"), 1);
	}
}

/* Work is measured where a clock runs; the meters are what they are of. */
static void budget(bool passes)
{
	struct inspect_meter busy;
	struct tcp c, other;

	ir_start(passes ? ON("budget: pass") : ON("budget: drop"));
	c = ir_open(1, 2, 445);
	other = ir_open(3, 4, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	ir_inspect(0)->timed = true;
	busy = (struct inspect_meter){rig.hz, rig.now};
	ir_inspect(0)->ports[rig_port("a")->dev.id] = busy;
	assert_int_equal(ir_smb(&c, 0, "hello"), passes ? DELIVERED : DROP_inspect_budget);
	assert_int_equal(ir_count_told(0, "budget"), 1);
	/* Others have a share of their own. */
	assert_int_equal(ir_smb(&other, 0, "hello"), DELIVERED);
	/* It falls with time. */
	fw_pass_seconds(10);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 0, MARKER), passes ? DELIVERED : DROP_inspect_found);
	/* The tenant's is everybody's. */
	busy.when = rig.now;
	ir_inspect(0)->tenants[0] = busy;
	assert_int_equal(ir_smb(&other, 0, "hello"), passes ? DELIVERED : DROP_inspect_budget);
	ir_inspect(0)->timed = false;
}

static void test_budget(void **state)
{
	budget(false);
}

static void test_budget_passes(void **state)
{
	budget(true);
}

/* The work that an answer is, is of who asked for it. */
static void test_budget_is_the_openers(void **state)
{
	struct inspect_meter *meters;
	struct tcp c, other;

	ir_start(ON("budget: drop"));
	meters = ir_inspect(0)->ports;
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
	assert_true(meters[rig_port("a")->dev.id].level > 0);
	assert_int_equal(meters[rig_port("b")->dev.id].level, 0);
	other = ir_open(2, 1, 445);
	ir_inspect(0)->timed = true;
	meters[rig_port("a")->dev.id] = (struct inspect_meter){rig.hz, rig.now};
	assert_int_equal(ir_smb(&c, 1, "hello"), DROP_inspect_budget);
	assert_int_equal(ir_smb(&other, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&other, 1, "hello"), DELIVERED);
	ir_inspect(0)->timed = false;
}

/* What changes holds for connections that are under inspection already. */
static void test_running_flows_follow(void **state)
{
	struct tcp c, marked;

	ir_start(IR_TEXT(", uninspected: {encrypted: drop}"));
	c = ir_open(1, 2, 445);
	marked = ir_open(3, 4, 445);
	assert_int_equal(ir_say(&c, 0, ir_record, encrypted(100)), DELIVERED);
	assert_int_equal(ir_smb(&marked, 0, "hello"), DELIVERED);
	ir_apply(ON("encrypted: pass"));
	assert_int_equal(ir_flows(), 2);
	assert_int_equal(ir_say(&c, 0, ir_record, encrypted(100)), DELIVERED);
	assert_int_equal(ir_smb(&marked, 0, "hello"), DELIVERED);
	ir_apply(ON("encrypted: drop"));
	assert_int_equal(ir_say(&c, 0, ir_record, encrypted(100)), DROP_inspect_encrypted);
	assert_true(ir.reset[0] && ir.reset[1]);
	assert_int_equal(ir_smb(&marked, 0, MARKER), DROP_inspect_found);
	/* From one mode to the other at once, and back. */
	ir_apply(IR_TEXT(", uninspected: {encrypted: drop}"));
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_say(&c, 0, ir_record, encrypted(100)), DELIVERED);
	ir_apply(ON("encrypted: drop"));
	assert_int_equal(ir_say(&c, 1, ir_record, encrypted(100)), DROP_inspect_encrypted);
	assert_true(ir.reset[0] && ir.reset[1]);
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	ir_apply(IR_TEXT(", uninspected: {encrypted: drop}"));
	assert_int_equal(ir_say(&c, 0, ir_record, encrypted(100)), DELIVERED);
	assert_int_equal(ir_smb(&c, 0, MARKER), DELIVERED);
	assert_int_equal(ir_count_told(1, NULL), 2);
}

/* Urgent data, and more ahead of a gap than is kept. */
static void test_stream(void **state)
{
	struct tcp c;

	ir_start(ON(""));
	c = ir_open(1, 2, 445);
	assert_int_equal(
		ir_raw(&c, 0, TCP_ACK | 0x20, c.next[0], c.next[1], "u", 1), DROP_stream_urgent);
	assert_int_equal(ir_at(&c, 0, 1000000, "far", 3), DROP_stream_window);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(ir_at(&c, 0, 10 + 2 * i, "x", 1), DELIVERED);
	assert_int_equal(ir_at(&c, 0, 500, "x", 1), DROP_stream_ahead);
	assert_int_equal(ir_count_told(0, "urgent"), 1);
	/* In mode detect all of it goes on. */
	ir_apply(IR_TEXT(""));
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_raw(&c, 0, TCP_ACK | 0x20, c.next[0], c.next[1], "u", 1), DELIVERED);
	assert_int_equal(ir_at(&c, 0, 1000000, "far", 3), DELIVERED);
	assert_int_equal(ir_count_told(0, "urgent"), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IR_TEST(test_no_flows_left),
		IR_TEST(test_no_flows_left_passes),
		IR_TEST(test_shares),
		IR_TEST(test_unanswered_takes_no_place),
		IR_TEST(test_account),
		IR_TEST(test_no_database),
		IR_TEST(test_no_database_passes),
		IR_TEST(test_encrypted),
		IR_TEST(test_compressed),
		IR_TEST(test_budget),
		IR_TEST(test_budget_passes),
		IR_TEST(test_budget_is_the_openers),
		IR_TEST(test_running_flows_follow),
		IR_TEST(test_stream),
	};

	if (rig_eal(argv[0], "1024") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, rig_eal_end);
}
