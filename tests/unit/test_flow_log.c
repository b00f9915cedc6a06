/* Ended connections on their way to the control thread: limits, counts, and a full ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "flow_log.h"
#include "frames.h"
#include "sizes.h"

#define HZ 1000

static struct flow_log *log_of_one;
static struct flow_record taken[FLOW_LOG_RING + 1];
static uint64_t now;

static int start_eal(void **state)
{
	return frames_eal("test_flow_log") < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
	return rte_eal_cleanup();
}

static int set_up(void **state)
{
	now = 5000;
	log_of_one = flow_log_create();
	return log_of_one != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	flow_log_free(log_of_one);
	return 0;
}

/* The opener, side 1, is at the port; its peer always at port 2. */
static void put(uint16_t port, uint32_t serial, bool alerted)
{
	struct flow_record record = {
		.key.port = {445, port},
		.opener = 1,
		.alerted = alerted,
		.reason = "closed",
		.port = {2, port},
		.serial = {2, serial},
		.suppressed = 4711,
		.until = now,
		.bytes = {7, 8},
	};

	flow_log_put(log_of_one, &record, now, HZ);
}

static unsigned take(void)
{
	return flow_log_take(log_of_one, taken, FLOW_LOG_RING + 1);
}

static void test_records_come_whole_and_in_order(void **state)
{
	put(3, 33, false);
	put(4, 44, true);
	put(NO_PORT, 0, false);
	assert_int_equal(flow_log_take(log_of_one, taken, 2), 2);
	assert_int_equal(taken[0].port[1], 3);
	assert_int_equal(taken[0].serial[1], 33);
	assert_int_equal(taken[0].key.port[0], 445);
	assert_int_equal(taken[0].bytes[1], 8);
	assert_int_equal(taken[0].suppressed, 0);
	assert_string_equal(taken[0].reason, "closed");
	assert_int_equal(taken[1].port[1], 4);
	assert_true(taken[1].alerted);
	assert_int_equal(take(), 1);
	assert_int_equal(taken[0].port[1], NO_PORT);
	assert_int_equal(take(), 0);
}

/* By the port of who opened them, with alerts apart; what was held back is in the next one. */
static void test_limited_by_port_and_second(void **state)
{
	for (unsigned i = 0; i < FLOW_LOG_PER_SECOND + 3; i++)
		put(3, 3, false);
	put(4, 4, false);
	for (unsigned i = 0; i < FLOW_LOG_PER_SECOND + 2; i++)
		put(3, 3, true);
	assert_int_equal(take(), 2 * FLOW_LOG_PER_SECOND + 1);
	assert_int_equal(taken[FLOW_LOG_PER_SECOND].suppressed, 0);
	assert_int_equal(taken[FLOW_LOG_PER_SECOND + 1].suppressed, 3);
	now += HZ - 1;
	put(3, 3, false);
	assert_int_equal(take(), 0);
	now += 1;
	put(3, 3, false);
	assert_int_equal(take(), 1);
	assert_int_equal(taken[0].suppressed, 3);
	put(3, 3, false);
	assert_int_equal(take(), 1);
	assert_int_equal(taken[0].suppressed, 0);
	assert_int_equal(flow_log_lost(log_of_one), 0);
}

/* What another port with the same id left behind is none of the new one's. */
static void test_a_port_with_the_id_of_one_before(void **state)
{
	for (unsigned i = 0; i < FLOW_LOG_PER_SECOND + 3; i++)
		put(3, 3, false);
	assert_int_equal(take(), FLOW_LOG_PER_SECOND);
	put(3, 300, false);
	assert_int_equal(take(), 1);
	assert_int_equal(taken[0].suppressed, 0);
}

static void test_full(void **state)
{
	const unsigned plain = FLOW_LOG_RING - FLOW_LOG_RING / 4;

	for (unsigned i = 0; i < plain + 5; i++)
		put((uint16_t)(i % 1000), 1 + i % 1000, false);
	assert_int_equal(flow_log_lost(log_of_one), 5);
	for (unsigned i = 0; i < FLOW_LOG_RING / 4 + 2; i++)
		put((uint16_t)(i % 1000), 1 + i % 1000, true);
	assert_int_equal(flow_log_lost(log_of_one), 7);
	assert_int_equal(take(), FLOW_LOG_RING);
	assert_true(taken[plain].alerted);
	/* Each of those without room is counted at its port. */
	put(plain % 1000, 1 + plain % 1000, false);
	put(FLOW_LOG_RING / 4 % 1000, 1 + FLOW_LOG_RING / 4 % 1000, false);
	put(0, 1, false);
	assert_int_equal(take(), 3);
	assert_int_equal(taken[0].suppressed, 1);
	assert_int_equal(taken[1].suppressed, 1);
	assert_int_equal(taken[2].suppressed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_records_come_whole_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limited_by_port_and_second, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_port_with_the_id_of_one_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("flow_log", tests, start_eal, stop_eal);
}
