/*
 * What rules see of a connection's state: flow:established holds from the handshake on until the
 * connection has ended on both sides. One that a side has closed already still carries data.
 */
#include "inspect_rig.h"

static const char rules[] =
	"drop tcp any any -> any any (flow:established,to_server; content:\"" MARKER "\"; sid:1;)\n"
	"drop tcp any any -> any any (flow:established,to_client; content:\"" VICTIM
	"\"; sid:2;)\n";

static void begin(void)
{
	ir_prepare(rules);
	rig_start(IR_TEXT(IR_PREVENT));
	ir_ready();
}

static void close_side(struct tcp *c, unsigned side)
{
	assert_int_equal(
		ir_raw(c, side, FIN_ACK, c->next[side], c->next[!side], NULL, 0), DELIVERED);
	c->next[side]++;
}

static void test_open(void **state)
{
	struct tcp c;

	begin();
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 0, MARKER), DROP_inspect_found);
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 1, MARKER), DELIVERED); /* not this way */
	assert_int_equal(ir_smb(&c, 1, VICTIM), DROP_inspect_found);
}

static void test_closed_by_the_server(void **state)
{
	struct tcp c;

	begin();
	c = ir_open(1, 2, 445);
	close_side(&c, 1);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 0, MARKER), DROP_inspect_found);
	assert_int_equal(ir_count_told(1, NULL), 1);
}

static void test_closed_by_the_client(void **state)
{
	struct tcp c;

	begin();
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	close_side(&c, 0);
	assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
	assert_int_equal(ir_smb(&c, 1, VICTIM), DROP_inspect_found);
	assert_int_equal(ir_count_told(2, NULL), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IR_TEST(test_open),
		IR_TEST(test_closed_by_the_server),
		IR_TEST(test_closed_by_the_client),
	};

	if (rig_eal(argv[0], "1024") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, rig_eal_end);
}
