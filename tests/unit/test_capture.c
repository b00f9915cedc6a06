/* The port driver of replay: frames in from capture_inject(), out to a capture file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "config.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define MBUFS 511

/* The switch's own where that is linked in. */
struct port_env port_env __attribute__((weak));

static char dir[] = "/tmp/vswitch-capture-XXXXXX";
static char path[sizeof(dir) + 16];
static char err[256];
static unsigned wakes;
static uint8_t data[CAPTURE_FRAME_MAX + 1], back[CAPTURE_FRAME_MAX];

static void count_wake(struct port_dev *dev)
{
	wakes++;
}

static struct port_dev *open_port(uint16_t id)
{
	static struct config_port conf = {.name = "replayed"};
	struct port_dev *dev = capture_driver.open(&conf, id, err, sizeof(err));

	assert_non_null(dev);
	return dev;
}

/* Every buffer is back where it came from. */
static void expect_no_leak(void)
{
	assert_int_equal(rte_mempool_avail_count(port_env.pool), MBUFS);
}

static void test_opened(void **state)
{
	struct port_dev *dev = open_port(7);
	json_t *facts;

	assert_string_equal(dev->name, "replayed");
	assert_int_equal(dev->id, 7);
	assert_ptr_equal(dev->driver, &capture_driver);
	assert_int_equal(dev->rx_ready, 1);
	assert_int_equal(dev->tx_ready, 1);
	assert_int_equal(dev->tx_caps, PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_CHAINS);
	assert_true(dev->mtu >= UINT16_MAX);
	assert_int_equal(dev->driver->rx_fd(dev, 0), -1);
	facts = dev->driver->describe(dev);
	assert_string_equal(json_string_value(json_object_get(facts, "state")), "replay");
	assert_true(json_is_null(json_object_get(facts, "error")));
	json_decref(facts);
	dev->driver->close(dev);
}

static void test_inject(void **state)
{
	static const uint32_t lengths[] = {
		0, 1, 13, 60, 1514, 65535, 65536, 131070, CAPTURE_FRAME_MAX};
	struct port_dev *dev = open_port(3);
	struct rte_mbuf *m, *seg;
	unsigned i;

	for (i = 0; i < RTE_DIM(lengths); i++) {
		assert_int_equal(capture_inject(dev, data, lengths[i]), 0);
		assert_int_equal(dev->driver->rx_burst(dev, 1, &m, 1), 0);
		assert_int_equal(dev->driver->rx_burst(dev, 0, &m, 1), 1);
		assert_int_equal(dev->driver->rx_burst(dev, 0, &seg, 1), 0);
		rte_mbuf_sanity_check(m, 1);
		assert_int_equal(m->port, 3);
		assert_int_equal(m->pkt_len, lengths[i]);
		assert_int_equal(m->ol_flags, RTE_MBUF_F_EXTERNAL);
		assert_int_equal(m->nb_segs,
			lengths[i] == 0 ? 1 : (lengths[i] + UINT16_MAX - 1) / UINT16_MAX);
		for (seg = m; seg; seg = seg->next) {
			assert_int_equal(seg->buf_len, seg->data_len);
			assert_int_equal(seg->data_off, 0);
		}
		assert_memory_equal(rte_pktmbuf_read(m, 0, lengths[i], back), data, lengths[i]);
		rte_pktmbuf_free(m);
		expect_no_leak();
	}
	assert_int_equal(capture_inject(dev, data, CAPTURE_FRAME_MAX + 1), -1);
	expect_no_leak();
	dev->driver->close(dev);
}

static void test_full(void **state)
{
	struct port_dev *dev = open_port(0);
	struct rte_mbuf *pkts[PORT_BURST_MAX];
	unsigned i;
	uint16_t n;

	for (i = 0; i < CAPTURE_QUEUE_MAX; i++)
		assert_int_equal(capture_inject(dev, data + i, 1), 0);
	assert_int_equal(capture_inject(dev, data, 1), -1);
	/* In order, and no more than asked for. */
	n = dev->driver->rx_burst(dev, 0, pkts, PORT_BURST_MAX);
	assert_int_equal(n, PORT_BURST_MAX);
	for (i = 0; i < n; i++)
		assert_int_equal(*rte_pktmbuf_mtod(pkts[i], uint8_t *), data[i]);
	rte_pktmbuf_free_bulk(pkts, n);
	/* What nobody fetched goes with the port. */
	dev->driver->close(dev);
	expect_no_leak();
}

static void test_no_buffers(void **state)
{
	struct port_dev *dev = open_port(0);
	struct rte_mbuf *all[MBUFS];

	assert_int_equal(rte_pktmbuf_alloc_bulk(port_env.pool, all, MBUFS - 1), 0);
	/* The second segment finds no buffer: the first one is given back. */
	assert_int_equal(capture_inject(dev, data, UINT16_MAX + 1), -1);
	assert_int_equal(rte_mempool_avail_count(port_env.pool), 1);
	assert_int_equal(capture_inject(dev, data, UINT16_MAX), 0);
	assert_int_equal(capture_inject(dev, data, 1), -1);
	rte_pktmbuf_free_bulk(all, MBUFS - 1);
	dev->driver->close(dev);
	expect_no_leak();
}

static void test_wake(void **state)
{
	struct port_dev *dev = open_port(0);

	wakes = 0;
	assert_int_equal(capture_inject(dev, data, 1), 0);
	assert_int_equal(wakes, 0);
	dev->driver->rx_notify(dev, 0, true);
	assert_int_equal(capture_inject(dev, data, 1), 0);
	assert_int_equal(wakes, 1);
	dev->driver->rx_notify(dev, 0, false);
	assert_int_equal(capture_inject(dev, data, 1), 0);
	assert_int_equal(wakes, 1);
	dev->driver->close(dev);
}

static void send_one(struct port_dev *dev, struct rte_mbuf *m)
{
	assert_int_equal(dev->driver->tx_burst(dev, 0, &m, 1), 1);
}

static void test_output(void **state)
{
	static const uint32_t lengths[] = {0, 60, UINT16_MAX + 1};
	struct port_dev *dev = open_port(0);
	struct capture_writer *w = capture_writer_open(path, err, sizeof(err));
	struct capture_reader *r;
	struct capture_frame f;
	struct rte_mbuf *m;
	unsigned i, k;

	assert_non_null(w);
	capture_set_output(w);
	for (i = 0; i < RTE_DIM(lengths); i++) {
		capture_set_time(1000 + i);
		assert_int_equal(capture_inject(dev, data, lengths[i]), 0);
		assert_int_equal(dev->driver->rx_burst(dev, 0, &m, 1), 1);
		rte_pktmbuf_refcnt_update(m, 1); /* as for a flooded frame */
		send_one(dev, m);
		send_one(dev, m);
	}
	capture_set_output(NULL);
	assert_int_equal(capture_inject(dev, data, 1), 0);
	assert_int_equal(dev->driver->rx_burst(dev, 0, &m, 1), 1);
	send_one(dev, m); /* goes nowhere, and is still the driver's to free */
	assert_int_equal(capture_writer_close(w, err, sizeof(err)), 0);
	dev->driver->close(dev);

	r = capture_reader_open(path, err, sizeof(err));
	assert_non_null(r);
	for (i = 0; i < RTE_DIM(lengths); i++) {
		for (k = 0; k < 2; k++) {
			assert_int_equal(capture_reader_next(r, &f), 1);
			assert_int_equal(f.ts_ns, 1000 + i);
			assert_int_equal(f.len, lengths[i]);
			assert_memory_equal(f.data, data, f.len);
		}
	}
	assert_int_equal(capture_reader_next(r, &f), 0);
	capture_reader_close(r);
}

/* The reason for the exact-size buffers: a sanitizer sees a read one byte behind a frame. */
static void test_over_read_seen(void **state)
{
	struct port_dev *dev;
	struct rte_mbuf *m;
	int status, null;
	pid_t pid;

	if (!SANITIZED) {
		print_message("skipped: not built with the address sanitizer (SAN=1)\n");
		skip();
	}
	dev = open_port(0);
	assert_int_equal(capture_inject(dev, data, 60), 0);
	assert_int_equal(dev->driver->rx_burst(dev, 0, &m, 1), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		null = open("/dev/null", O_WRONLY); /* the report is expected */
		dup2(null, STDERR_FILENO);
		_exit(*(volatile uint8_t *)rte_pktmbuf_mtod_offset(m, uint8_t *, 60) & 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	rte_pktmbuf_free(m);
	dev->driver->close(dev);
}

static int setup(void **state)
{
	static char *argv[] = {"test_capture", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "64", "--log-level=error"};
	uint32_t i;

	if (rte_eal_init(RTE_DIM(argv), argv) < 0 || !mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/out", dir);
	port_env.pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, 256, SOCKET_ID_ANY);
	port_env.wake = count_wake;
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	return port_env.pool ? 0 : -1;
}

static int teardown(void **state)
{
	unlink(path);
	rmdir(dir);
	rte_mempool_free(port_env.pool);
	return rte_eal_cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opened),
		cmocka_unit_test(test_inject),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_no_buffers),
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_over_read_seen),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
