/* The queues between workers and I/O thread: their bounds, and who is told when. */
#include "kernel_rig.h"

#include "kernel_queue.h"

#define LARGEST 33 /* segments of a packet of 64 KiB */

static int setup(void **state)
{
	if (rig_eal("test_kernel_queue") != 0)
		return -1;
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", RIG_BUFFERS, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return port_env.pool != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	return rte_eal_cleanup();
}

static unsigned put_rx(struct kernel_rx_queue *queue, unsigned packets, unsigned segments)
{
	unsigned n = 0;

	for (; n < packets && kernel_rx_queue_room(queue, LARGEST) > 0; n++) {
		struct rte_mbuf *m = rig_mbuf(segments, n, 1);

		kernel_rx_queue_put(queue, &m, 1);
	}
	return n;
}

/* Takes n packets, one at a time; returns how often the I/O thread was to be kicked. */
static unsigned take_rx(struct kernel_rx_queue *queue, unsigned n)
{
	unsigned kicks = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m;
		bool kick;

		assert_int_equal(kernel_rx_queue_take(queue, &m, 1, &kick), 1);
		rte_pktmbuf_free(m);
		kicks += kick;
	}
	return kicks;
}

static void test_rx_bound_of_packets(void **state)
{
	struct kernel_rx_queue queue = {0};
	struct rte_mbuf *m;
	bool kick;

	assert_int_equal(kernel_rx_queue_init(&queue), 0);
	assert_int_equal(put_rx(&queue, 1000, 1), 256);
	assert_int_equal(queue.stalls, 1);
	/* Full until half empty, so that the two threads do not wake each other for each packet. */
	assert_int_equal(take_rx(&queue, 127), 0);
	assert_int_equal(kernel_rx_queue_room(&queue, LARGEST), 0);
	assert_int_equal(take_rx(&queue, 1), 1);
	assert_true(kernel_rx_queue_room(&queue, LARGEST) > 0);
	assert_int_equal(take_rx(&queue, 128), 0);
	assert_int_equal(kernel_rx_queue_take(&queue, &m, 1, &kick), 0);
	assert_false(kick);
	assert_int_equal(queue.stalls, 1);
	kernel_rx_queue_exit(&queue);
	assert_int_equal(rig_in_use(), 0);
}

static void test_rx_bound_of_buffers(void **state)
{
	struct kernel_rx_queue queue = {0};
	unsigned packets;

	assert_int_equal(kernel_rx_queue_init(&queue), 0);
	/* Round after round, since the counts of segments wrap one day. */
	queue.put = queue.taken = UINT32_MAX - 1500;
	for (unsigned round = 0; round < 4; round++) {
		packets = put_rx(&queue, 1000, LARGEST);
		assert_in_range(rig_in_use(), KERNEL_RX_SEGMENTS - LARGEST, KERNEL_RX_SEGMENTS);
		assert_true(take_rx(&queue, packets) > 0);
		assert_int_equal(rig_in_use(), 0);
	}
	put_rx(&queue, 10, LARGEST);
	kernel_rx_queue_exit(&queue);
	assert_int_equal(rig_in_use(), 0);
}

static void test_rx_wake(void **state)
{
	struct kernel_rx_queue queue = {0};
	struct rte_mbuf *m = rig_mbuf(60, 0, 60);

	assert_int_equal(kernel_rx_queue_init(&queue), 0);
	assert_false(kernel_rx_queue_put(&queue, &m, 1));
	kernel_rx_queue_arm(&queue, true);
	for (unsigned i = 0; i < 2; i++) {
		m = rig_mbuf(60, 0, 60);
		assert_true(kernel_rx_queue_put(&queue, &m, 1));
	}
	kernel_rx_queue_arm(&queue, false);
	m = rig_mbuf(60, 0, 60);
	assert_false(kernel_rx_queue_put(&queue, &m, 1));
	kernel_rx_queue_exit(&queue);
	assert_int_equal(rig_in_use(), 0);
}

/* Puts packets until one is refused; returns how many were taken. */
static unsigned put_tx(struct kernel_tx_queue *queue, unsigned segments)
{
	unsigned taken = 0;

	for (;;) {
		struct rte_mbuf *pkts[8];
		unsigned n;

		for (unsigned i = 0; i < 8; i++)
			pkts[i] = rig_mbuf(segments, i, 1);
		n = kernel_tx_queue_put(queue, pkts, 8);
		taken += n;
		if (n == 8)
			continue;
		rte_pktmbuf_free_bulk(pkts + n, 8 - n);
		return taken;
	}
}

static unsigned take_tx(struct kernel_tx_queue *queue)
{
	struct rte_mbuf *pkts[32];
	unsigned n, left, taken = 0;

	do {
		n = kernel_tx_queue_take(queue, pkts, 32, &left);
		kernel_tx_queue_done(queue, pkts, n);
		taken += n;
	} while (left > 0);
	return taken;
}

static void test_tx_bounds(void **state)
{
	struct kernel_tx_queue queue = {0};

	assert_int_equal(kernel_tx_queue_init(&queue), 0);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(put_tx(&queue, 1), 256);
		assert_int_equal(rig_in_use(), 256);
		assert_int_equal(take_tx(&queue), 256);
		assert_int_equal(put_tx(&queue, LARGEST), KERNEL_TX_SEGMENTS / LARGEST);
		assert_int_equal(take_tx(&queue), KERNEL_TX_SEGMENTS / LARGEST);
		assert_int_equal(rig_in_use(), 0);
		assert_int_equal(queue.segments, 0);
	}
	put_tx(&queue, 10);
	kernel_tx_queue_exit(&queue);
	assert_int_equal(rig_in_use(), 0);
}

/* What was taken but not yet written still counts: its buffers are still in use. */
static void test_tx_counts_until_done(void **state)
{
	struct kernel_tx_queue queue = {0};
	struct rte_mbuf *pkts[62], *m;
	unsigned left;

	assert_int_equal(kernel_tx_queue_init(&queue), 0);
	assert_int_equal(put_tx(&queue, LARGEST), 62);
	assert_int_equal(kernel_tx_queue_take(&queue, pkts, 62, &left), 62);
	m = rig_mbuf(LARGEST, 0, 1);
	assert_int_equal(kernel_tx_queue_put(&queue, &m, 1), 0);
	kernel_tx_queue_done(&queue, pkts, 62);
	assert_int_equal(kernel_tx_queue_put(&queue, &m, 1), 1);
	kernel_tx_queue_exit(&queue);
	assert_int_equal(rig_in_use(), 0);
}

#define RACE_PACKETS 10000

static void *race_main(void *arg)
{
	struct kernel_tx_queue *queue = arg;

	for (unsigned sent = 0; sent < RACE_PACKETS;) {
		struct rte_mbuf *m = rig_mbuf(3, 0, 1);

		if (kernel_tx_queue_put(queue, &m, 1) == 1) {
			sent++;
		} else {
			rte_pktmbuf_free(m);
			sched_yield();
		}
	}
	return NULL;
}

/* Several workers at once: nothing is lost, and the count comes back to nought. */
static void test_tx_of_several_workers(void **state)
{
	struct kernel_tx_queue queue = {0};
	pthread_t workers[3];
	unsigned taken = 0;

	assert_int_equal(kernel_tx_queue_init(&queue), 0);
	for (unsigned i = 0; i < RTE_DIM(workers); i++)
		assert_int_equal(pthread_create(&workers[i], NULL, race_main, &queue), 0);
	while (taken < RTE_DIM(workers) * RACE_PACKETS) {
		taken += take_tx(&queue);
		sched_yield();
	}
	for (unsigned i = 0; i < RTE_DIM(workers); i++)
		pthread_join(workers[i], NULL);
	assert_int_equal(queue.segments, 0);
	kernel_tx_queue_exit(&queue);
	assert_int_equal(rig_in_use(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rx_bound_of_packets),
		cmocka_unit_test(test_rx_bound_of_buffers),
		cmocka_unit_test(test_rx_wake),
		cmocka_unit_test(test_tx_bounds),
		cmocka_unit_test(test_tx_counts_until_done),
		cmocka_unit_test(test_tx_of_several_workers),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, setup, teardown);
}
