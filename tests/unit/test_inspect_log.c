/* Records of inspection on their way to the control thread: limits, counts, packets, a full ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <rte_mempool.h>

#include "frames.h"
#include "inspect_log.h"
#include "sizes.h"

#define HZ      1000
#define BUFFERS 4096

static struct rte_mempool *pool;
static struct inspect_log *log_of_one;
static struct inspect_record taken[INSPECT_LOG_RING + 1];
static uint64_t now;

static int start_eal(void **state)
{
	if (frames_eal("test_inspect_log") < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("log", BUFFERS, 0, 0, 512, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static int stop_eal(void **state)
{
	return rte_eal_cleanup();
}

static int set_up(void **state)
{
	now = 5000;
	log_of_one = inspect_log_create();
	return log_of_one != NULL ? 0 : -1;
}

/* Whatever happened: no buffer stays behind. */
static int tear_down(void **state)
{
	inspect_log_free(log_of_one);
	return rte_mempool_avail_count(pool) == BUFFERS ? 0 : -1;
}

static struct inspect_record make(uint16_t port, uint32_t serial, bool quarantined)
{
	return (struct inspect_record){
		.what = INSPECT_TELLS_RULE,
		.quarantined = quarantined,
		.sid = 9,
		.port = {port, NO_PORT},
		.serial = {serial, 0},
		.suppressed = 4711,
		.text = "marker",
		.when = now,
		.packet = rte_pktmbuf_alloc(pool),
		.before = rte_pktmbuf_alloc(pool),
	};
}

/* As a worker does it. Whether it was wanted. */
static bool put(uint16_t port, uint32_t serial, bool quarantined)
{
	struct inspect_record record;

	if (!inspect_log_wants(log_of_one, port, quarantined, now, HZ))
		return false;
	record = make(port, serial, quarantined);
	assert_non_null(record.before);
	inspect_log_put(log_of_one, &record);
	return true;
}

static unsigned take(void)
{
	unsigned n = inspect_log_take(log_of_one, taken, INSPECT_LOG_RING + 1);

	for (unsigned i = 0; i < n; i++) {
		rte_pktmbuf_free(taken[i].packet);
		rte_pktmbuf_free(taken[i].before);
	}
	return n;
}

static void test_records_come_whole_and_in_order(void **state)
{
	assert_true(put(3, 33, false));
	assert_true(put(4, 44, true));
	assert_int_equal(take(), 2);
	assert_int_equal(taken[0].port[0], 3);
	assert_int_equal(taken[0].suppressed, 0);
	assert_int_equal(taken[1].port[0], 4);
	assert_int_equal(taken[1].serial[0], 44);
	assert_int_equal(taken[1].sid, 9);
	assert_string_equal(taken[1].text, "marker");
	assert_int_equal(taken[1].when, now);
	assert_int_equal(take(), 0);
}

/* Packets are evidence: an alert's would only hold buffers. */
static void test_packets_of_quarantines_only(void **state)
{
	assert_true(put(3, 33, false));
	assert_true(put(3, 33, true));
	assert_int_equal(rte_mempool_avail_count(pool), BUFFERS - 2);
	assert_int_equal(take(), 2);
	assert_null(taken[0].packet);
	assert_null(taken[0].before);
	assert_non_null(taken[1].packet);
	assert_non_null(taken[1].before);
}

/* What nobody has taken out goes with the log; tear_down() counts. */
static void test_free_with_packets(void **state)
{
	for (unsigned i = 0; i < 10; i++)
		assert_true(put(3, 33, true));
}

/* So many alerts a second and port; the first of the next second tells how many there were more. */
static void test_alerts_are_limited(void **state)
{
	unsigned wanted = 0;

	for (unsigned i = 0; i < 1000; i++)
		wanted += put(3, 33, false);
	assert_int_equal(wanted, INSPECT_LOG_PER_SECOND);
	assert_true(put(4, 44, false)); /* another port's are its own */
	assert_int_equal(take(), INSPECT_LOG_PER_SECOND + 1);
	now += HZ - 1;
	assert_false(put(3, 33, false));
	now++;
	assert_true(put(3, 33, false));
	assert_true(put(3, 33, false));
	assert_int_equal(take(), 2);
	assert_int_equal(taken[0].suppressed, 1001 - INSPECT_LOG_PER_SECOND);
	assert_int_equal(taken[1].suppressed, 0);
	assert_int_equal(inspect_log_lost(log_of_one), 0);
}

/* A question that is followed by no record takes nothing of the limit. */
static void test_asking_is_free(void **state)
{
	for (unsigned i = 0; i < 1000; i++)
		assert_true(inspect_log_wants(log_of_one, 3, false, now, HZ));
	assert_true(put(3, 33, false));
}

static void test_quarantines_always(void **state)
{
	while (put(3, 33, false))
		;
	assert_true(put(3, 33, true));
	assert_int_equal(take(), INSPECT_LOG_PER_SECOND + 1);
	assert_true(taken[INSPECT_LOG_PER_SECOND].quarantined);
	assert_int_equal(taken[INSPECT_LOG_PER_SECOND].suppressed, 1);
}

/* Alerts of many ports leave room for quarantines; when that is gone, too, they are counted. */
static void test_full_ring(void **state)
{
	unsigned alerts = 0, quarantines = 0;

	for (uint16_t port = 0; port < MAX_PORTS; port++)
		alerts += put(port, port, false) + put(port, port, false);
	assert_int_equal(alerts, INSPECT_LOG_RING - INSPECT_LOG_RING / 4);
	assert_int_equal(inspect_log_lost(log_of_one), 2 * MAX_PORTS - alerts);
	for (uint16_t port = 0; port < INSPECT_LOG_RING; port++)
		quarantines += put(port, port, true);
	assert_int_equal(quarantines, INSPECT_LOG_RING);
	assert_int_equal(inspect_log_lost(log_of_one),
		2 * MAX_PORTS - alerts + INSPECT_LOG_RING - INSPECT_LOG_RING / 4);
	assert_int_equal(take(), INSPECT_LOG_RING);
	assert_true(taken[INSPECT_LOG_RING - 1].quarantined);
	/* The port's next one tells of those. */
	now += HZ;
	assert_true(put(INSPECT_LOG_RING - 1, INSPECT_LOG_RING - 1, false));
	assert_int_equal(take(), 1);
	assert_true(taken[0].suppressed > 0);
}

/* Another port under the id has not been held back. */
static void test_id_is_used_again(void **state)
{
	while (put(3, 33, false))
		;
	take();
	now += HZ;
	assert_true(put(3, 34, false));
	assert_int_equal(take(), 1);
	assert_int_equal(taken[0].suppressed, 0);
}

/* A record of no port, as where both are gone. */
static void test_no_port(void **state)
{
	assert_true(put(NO_PORT, 0, false));
	assert_true(put(NO_PORT, 0, true));
	assert_int_equal(take(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_records_come_whole_and_in_order),
		TEST(test_packets_of_quarantines_only),
		TEST(test_free_with_packets),
		TEST(test_alerts_are_limited),
		TEST(test_asking_is_free),
		TEST(test_quarantines_always),
		TEST(test_full_ring),
		TEST(test_id_is_used_again),
		TEST(test_no_port),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
