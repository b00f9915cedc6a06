/* Records of the firewall on their way to the control thread: limits, counts, and a full ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include <rte_malloc.h>

#include "firewall_log.h"
#include "frames.h"
#include "sizes.h"

#define HZ 1000

static struct firewall_log *log_of_one;
static struct firewall_record taken[FIREWALL_LOG_RING + 1];
static uint64_t now;

static int start_eal(void **state)
{
	return frames_eal("test_firewall_log") < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
	return rte_eal_cleanup();
}

static int set_up(void **state)
{
	now = 5000;
	log_of_one = firewall_log_create();
	return log_of_one != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	firewall_log_free(log_of_one);
	return 0;
}

static void put(enum config_action action, uint16_t port, uint32_t serial)
{
	struct firewall_record record = {
		.key.port = {1, 2},
		.from_port = port,
		.from_serial = serial,
		.to_port = NO_PORT,
		.verdict.action = action,
		.verdict.rule = 9,
		.suppressed = 4711,
		.group = "desktops",
		.when = now,
	};

	firewall_log_put(log_of_one, &record, port, now, HZ);
}

static void deny(uint16_t port, unsigned n)
{
	while (n-- > 0)
		put(CONFIG_DENY, port, port);
}

static unsigned take(void)
{
	return firewall_log_take(log_of_one, taken, FIREWALL_LOG_RING + 1);
}

static void test_records_come_whole_and_in_order(void **state)
{
	deny(3, 1);
	put(CONFIG_REJECT, 4, 44);
	put(CONFIG_ALLOW, 5, 55);
	assert_int_equal(firewall_log_take(log_of_one, taken, 2), 2);
	assert_int_equal(taken[0].from_port, 3);
	assert_int_equal(taken[0].suppressed, 0);
	assert_int_equal(taken[1].from_port, 4);
	assert_int_equal(taken[1].from_serial, 44);
	assert_int_equal(taken[1].verdict.rule, 9);
	assert_string_equal(taken[1].group, "desktops");
	assert_int_equal(taken[1].when, now);
	assert_int_equal(take(), 1);
	assert_int_equal(taken[0].verdict.action, CONFIG_ALLOW);
	assert_int_equal(take(), 0);
}

/* So many a second and port; the first of the next second tells how many there were. */
static void test_denials_are_limited(void **state)
{
	deny(3, 1000);
	deny(4, 3);
	assert_int_equal(take(), FIREWALL_LOG_PER_SECOND + 3);
	for (unsigned i = 0; i < FIREWALL_LOG_PER_SECOND + 3; i++)
		assert_int_equal(taken[i].suppressed, 0);
	now += HZ - 1;
	deny(3, 1);
	assert_int_equal(take(), 0);
	now++;
	deny(3, 2);
	deny(4, 1);
	assert_int_equal(take(), 3);
	assert_int_equal(taken[0].suppressed, 1000 - FIREWALL_LOG_PER_SECOND + 1);
	assert_int_equal(taken[1].suppressed, 0);
	assert_int_equal(taken[2].suppressed, 0);
}

/* From the first moment of the clock on, as in a replay. */
static void test_clock_from_zero(void **state)
{
	now = 0;
	put(CONFIG_DENY, 3, 0);
	put(CONFIG_DENY, 3, 0);
	assert_int_equal(take(), 2);
}

static void test_accepted_ones_are_not_limited(void **state)
{
	for (unsigned i = 0; i < 100; i++)
		put(CONFIG_ALLOW, 3, 3);
	deny(3, 1);
	assert_int_equal(take(), 101);
}

/* What an earlier port with the same id did is not told of the new one. */
static void test_another_port(void **state)
{
	deny(3, 100);
	assert_int_equal(take(), FIREWALL_LOG_PER_SECOND);
	put(CONFIG_DENY, 3, 77);
	assert_int_equal(take(), 1);
	assert_int_equal(taken[0].suppressed, 0);
	assert_int_equal(taken[0].from_serial, 77);
}

/* A limit at the receiver goes by its serial. */
static void test_limit_of_the_receiver(void **state)
{
	struct firewall_record record = {
		.from_port = 1, .to_port = 2, .to_serial = 8, .verdict.action = CONFIG_DENY};

	for (unsigned i = 0; i < 50; i++, record.from_serial++)
		firewall_log_put(log_of_one, &record, 2, now, HZ);
	assert_int_equal(take(), FIREWALL_LOG_PER_SECOND);
}

/* It never waits: what has no room is lost and counted, and denials are made up for. */
/* However many connections a guest opens, denials find room. */
static void test_accepted_ones_leave_room(void **state)
{
	for (unsigned i = 0; i < FIREWALL_LOG_RING; i++)
		put(CONFIG_ALLOW, 1, 1);
	assert_int_equal(firewall_log_lost(log_of_one), FIREWALL_LOG_RING / 2);
	deny(3, 1);
	assert_int_equal(take(), FIREWALL_LOG_RING / 2 + 1);
}

static void test_full_ring(void **state)
{
	const unsigned ports = FIREWALL_LOG_RING / FIREWALL_LOG_PER_SECOND + 1;
	const unsigned over = ports * FIREWALL_LOG_PER_SECOND - FIREWALL_LOG_RING;

	for (unsigned i = 0; i < ports; i++)
		deny(100 + i, FIREWALL_LOG_PER_SECOND);
	assert_int_equal(firewall_log_lost(log_of_one), over);
	deny(3, 15);
	assert_int_equal(firewall_log_lost(log_of_one), over + FIREWALL_LOG_PER_SECOND);
	assert_int_equal(take(), FIREWALL_LOG_RING);
	assert_int_equal(take(), 0);
	now += HZ;
	deny(3, 1);
	assert_int_equal(take(), 1);
	assert_int_equal(taken[0].suppressed, 15);
	assert_int_equal(firewall_log_lost(log_of_one), over + FIREWALL_LOG_PER_SECOND);
}

#define DENIALS 200000

static _Atomic bool done;

static void *worker_thread(void *arg)
{
	for (unsigned i = 0; i < DENIALS; i++) {
		now += 10; /* 100 a second, so that most are held back */
		deny(7, 1);
	}
	done = true;
	return NULL;
}

/* Two threads; and in the end every denial was told of, counted in another, or still is to be. */
static void test_two_threads(void **state)
{
	uint64_t told = 0, counted = 0, last = 0;
	bool finished;
	pthread_t thread;
	unsigned n;

	done = false;
	assert_int_equal(pthread_create(&thread, NULL, worker_thread, NULL), 0);
	do {
		finished = done;
		n = firewall_log_take(log_of_one, taken, 64);
		for (unsigned i = 0; i < n; i++) {
			assert_true(taken[i].when > last);
			assert_int_equal(taken[i].from_port, 7);
			assert_string_equal(taken[i].group, "desktops");
			last = taken[i].when;
			told++;
			counted += taken[i].suppressed;
		}
	} while (n > 0 || !finished);
	pthread_join(thread, NULL);
	now += HZ;
	deny(7, 1);
	assert_int_equal(take(), 1);
	assert_int_equal(told + counted + taken[0].suppressed, DENIALS);
	assert_true(counted > told);
}

static void test_nothing_is_left_allocated(void **state)
{
	struct rte_malloc_socket_stats before, after;

	assert_int_equal(rte_malloc_get_socket_stats(0, &before), 0);
	for (unsigned i = 0; i < 3; i++)
		firewall_log_free(firewall_log_create());
	firewall_log_free(NULL);
	assert_int_equal(rte_malloc_get_socket_stats(0, &after), 0);
	assert_int_equal(after.heap_allocsz_bytes, before.heap_allocsz_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_records_come_whole_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_denials_are_limited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clock_from_zero, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_accepted_ones_are_not_limited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limit_of_the_receiver, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_accepted_ones_leave_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_ring, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_threads, set_up, tear_down),
		cmocka_unit_test(test_nothing_is_left_allocated),
	};

	return cmocka_run_group_tests_name("firewall_log", tests, start_eal, stop_eal);
}
