/* How a worker asks its queues: how much at a time, and how often where nothing comes. */
#include "switch_rig.h"

#include "worker.h"

#define PORT(name) "  - {name: " #name ", network: n, kernel: {interface: " #name "}}\n"
#define THREE      "vswitch: {workers: [1]}\nnetworks: [{name: n}]\nports:\n" PORT(a) PORT(b) PORT(c)

static int start_eal(void **state)
{
	return rig_eal("test_polling", "256");
}

static void put(const char *port, uint32_t src, uint32_t id)
{
	uint8_t frame[RIG_FRAME_LEN];

	rig_put(port, rig_frame(frame, RIG_BROADCAST, src, id), RIG_FRAME_LEN);
}

static unsigned waiting(const char *port)
{
	return rte_ring_count(rig_port(port)->rx[0]);
}

/* a is busy for so many passes. */
static void be_busy(unsigned passes)
{
	for (unsigned i = 0; i < passes; i++) {
		put("a", 1, i);
		assert_int_equal(worker_pass(workers[0]), 1);
	}
}

static void test_empty_queues_wait_beside_busy_ones(void **state)
{
	rig_start(THREE);
	be_busy(40);
	put("c", 3, 100);
	be_busy(1);
	assert_int_equal(waiting("c"), 1);
	assert_true(workers[0]->chores); /* so it does not go to sleep */
	/* A little later it is asked, and from then on with all others. */
	rig_pass_time(rig.hz / 10000);
	put("a", 1, 101);
	assert_int_equal(worker_pass(workers[0]), 2);
	put("c", 3, 102);
	put("a", 1, 103);
	assert_int_equal(worker_pass(workers[0]), 2);
}

static void test_empty_queues_are_asked_by_idle_workers(void **state)
{
	rig_start(THREE);
	be_busy(40);
	put("c", 3, 100);
	/* Nobody else has anything any more: no time passes. */
	assert_int_equal(worker_pass(workers[0]), 0);
	assert_true(workers[0]->chores);
	assert_int_equal(worker_pass(workers[0]), 1);
	assert_int_equal(waiting("c"), 0);
}

static void put_large(unsigned n)
{
	static uint8_t frame[60000];

	rig_frame(frame, RIG_BROADCAST, 1, 1);
	for (unsigned i = 0; i < n; i++)
		rig_put_mbuf("a", 0, frames_mbuf(port_env.pool, frame, sizeof(frame), 2000, 2000));
}

static void test_large_frames_come_in_small_bursts(void **state)
{
	rig_start(THREE);
	put_large(40);
	assert_int_equal(worker_pass(workers[0]), BURST);
	assert_int_equal(worker_pass(workers[0]), 2);
	assert_int_equal(worker_pass(workers[0]), 2);
	rig_settle();
	/* The first small ones come so, too. */
	for (unsigned i = 0; i < 50; i++)
		put("a", 1, i);
	assert_int_equal(worker_pass(workers[0]), 2);
	assert_int_equal(worker_pass(workers[0]), BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_empty_queues_wait_beside_busy_ones),
		RIG_TEST(test_empty_queues_are_asked_by_idle_workers),
		RIG_TEST(test_large_frames_come_in_small_bursts),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
