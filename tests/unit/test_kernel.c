/* Kernel ports: frames in both directions, what their bounds do, and what operators do to them. */
#include "kernel_rig.h"

#include <dirent.h>

/* A kernel port in namespace 0, and a packet socket on its interface. */
struct rig_port {
	const char *netns;
	char interface[16];
	struct port_dev *dev;
	int fd;
};

static struct rig_port port_make(uint16_t mtu)
{
	struct rig_port port = {.netns = rig_netns(0), .interface = "tap0"};
	struct config_port conf = rig_conf(port.interface, port.netns);

	rig_no_ipv6(port.netns);
	conf.mtu = mtu;
	port.dev = rig_open(&conf, 7);
	port.fd = netns_packet_socket(port.netns, port.interface);
	assert_true(port.fd >= 0);
	return port;
}

static void port_end(struct rig_port *port)
{
	port->dev->driver->close(port->dev);
	close(port->fd);
	assert_int_equal(rig_in_use(), 0);
}

static void assert_frame(const struct rte_mbuf *m, unsigned len, unsigned seed)
{
	uint8_t expected[9100], frame[9100];

	rig_fill(expected, len, seed);
	assert_int_equal(m->pkt_len, len);
	assert_memory_equal(rte_pktmbuf_read(m, 0, len, frame), expected, len);
	assert_int_equal(m->port, 7);
	assert_int_equal(rte_mbuf_check(m, 1, &(const char *){NULL}), 0);
	/* First segment filled before a second is chained. */
	if (m->nb_segs > 1)
		assert_int_equal(m->data_len, RTE_MBUF_DEFAULT_DATAROOM);
}

static void test_frames_in(void **state)
{
	const unsigned lens[] = {15, 60, 1514, 2048, 2049, 4096, 9014};
	struct rig_port port;
	uint8_t frame[9100];

	rig_skip_unless_usable();
	port = port_make(9000);
	for (unsigned i = 0; i < RTE_DIM(lens); i++) {
		struct rte_mbuf *m;

		rig_fill(frame, lens[i], i);
		assert_int_equal(send(port.fd, frame, lens[i], 0), lens[i]);
		m = rig_receive(port.dev);
		assert_non_null(m);
		assert_frame(m, lens[i], i);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(rig_counter(port.dev, "rx_invalid"), 0);
	port_end(&port);
}

static void test_frames_out(void **state)
{
	const unsigned lens[] = {60, 1514, 9014, 9014, 1000};
	const unsigned steps[] = {60, 2000, 2000, 100, 1};
	struct rig_port port;
	uint8_t frame[9100], expected[9100];

	rig_skip_unless_usable();
	port = port_make(9000);
	for (unsigned i = 0; i < RTE_DIM(lens); i++) {
		struct rte_mbuf *m = rig_mbuf(lens[i], i, steps[i]);

		/* Shared: a copy stays here, as with a flooded packet. */
		rte_pktmbuf_refcnt_update(m, 1);
		assert_int_equal(port.dev->driver->tx_burst(port.dev, 0, &m, 1), 1);
		rig_fill(expected, lens[i], i);
		assert_int_equal(rig_recv(port.fd, frame, sizeof(frame)), lens[i]);
		assert_memory_equal(frame, expected, lens[i]);
		assert_true(netns_wait(rte_mbuf_refcnt_read(m) == 1));
		assert_int_equal(m->pkt_len, lens[i]);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(rig_counter(port.dev, "tx_frames"), RTE_DIM(lens));
	assert_int_equal(port.dev->tx_late_drops, 0);
	port_end(&port);
}

/* More segments than one writev() takes: refused, and counted as the late drop it is. */
static void test_too_many_segments(void **state)
{
	struct rig_port port;
	struct rte_mbuf *m;

	rig_skip_unless_usable();
	port = port_make(9000);
	m = rig_mbuf(1100, 0, 1);
	assert_int_equal(port.dev->driver->tx_burst(port.dev, 0, &m, 1), 1);
	assert_true(netns_wait(port.dev->tx_late_drops == 1));
	assert_int_equal(rig_counter(port.dev, "tx_refused"), 1);
	port_end(&port);
}

static void test_wake_only_when_armed(void **state)
{
	struct rig_port port;
	uint8_t frame[60];
	unsigned before;

	rig_skip_unless_usable();
	port = port_make(1500);
	rig_fill(frame, sizeof(frame), 0);
	assert_int_equal(port.dev->driver->rx_fd(port.dev, 0), PORT_FD_WAKES);
	before = rig_wakes;
	send(port.fd, frame, sizeof(frame), 0);
	rte_pktmbuf_free(rig_receive(port.dev));
	assert_int_equal(rig_wakes, before);
	port.dev->driver->rx_notify(port.dev, 0, true);
	send(port.fd, frame, sizeof(frame), 0);
	assert_true(netns_wait(rig_wakes > before));
	rte_pktmbuf_free(rig_receive(port.dev));
	port.dev->driver->rx_notify(port.dev, 0, false);
	before = rig_wakes;
	send(port.fd, frame, sizeof(frame), 0);
	rte_pktmbuf_free(rig_receive(port.dev));
	assert_int_equal(rig_wakes, before);
	port_end(&port);
}

#define ECHOES 3000

static void *echo_main(void *arg)
{
	const struct rig_port *port = arg;
	uint8_t frame[2000];

	for (unsigned i = 0; i < ECHOES; i++) {
		ssize_t n = rig_recv(port->fd, frame, sizeof(frame));

		if (n < 0 || send(port->fd, frame, (size_t)n, 0) != n)
			break;
	}
	return NULL;
}

/* As a worker does: armed, one more look, asleep. False where nothing woke it. */
static bool sleep_for_packet(struct port_dev *dev, struct rte_mbuf **m)
{
	struct pollfd poll_fd = {.fd = rig_wake_fd, .events = POLLIN};
	bool woken = true;
	uint64_t count;

	while (woken) {
		dev->driver->rx_notify(dev, 0, true);
		if (dev->driver->rx_burst(dev, 0, m, 1) == 1)
			break;
		woken = poll(&poll_fd, 1, NETNS_WAIT_MS) == 1;
		if (woken && read(rig_wake_fd, &count, sizeof(count)) < 0)
			break;
	}
	dev->driver->rx_notify(dev, 0, false);
	return woken;
}

/* Every frame finds I/O thread and worker asleep, or about to be: one lost wake-up is the end. */
static void test_no_wake_up_is_lost(void **state)
{
	struct rig_port port;
	pthread_t echo;

	rig_skip_unless_usable();
	port = port_make(1500);
	assert_int_equal(pthread_create(&echo, NULL, echo_main, &port), 0);
	for (unsigned i = 0; i < ECHOES; i++) {
		struct rte_mbuf *m = rig_mbuf(60, i, 60);

		assert_int_equal(port.dev->driver->tx_burst(port.dev, 0, &m, 1), 1);
		assert_true(sleep_for_packet(port.dev, &m));
		assert_frame(m, 60, i);
		rte_pktmbuf_free(m);
	}
	pthread_join(echo, NULL);
	port_end(&port);
}

/* The worker does not come: no more is read than the queue holds, the interface drops the rest. */
static void test_worker_behind(void **state)
{
	struct netns_statistics statistics = {.interface = "tap0"};
	const unsigned sent = 4000;
	unsigned received = 0;
	struct rig_port port;
	uint8_t frame[60];
	struct rte_mbuf *m;

	rig_skip_unless_usable();
	port = port_make(1500);
	for (unsigned i = 0; i < sent; i++) {
		rig_fill(frame, sizeof(frame), i);
		assert_int_equal(send(port.fd, frame, sizeof(frame), 0), sizeof(frame));
	}
	assert_true(netns_wait(rig_counter(port.dev, "rx_stalls") == 1));
	assert_int_equal(rig_counter(port.dev, "rx_frames"), 256);
	assert_true(rig_in_use() < 256 + 64 + 64);
	assert_int_equal(netns_statistics(port.netns, &statistics), 0);
	assert_true(statistics.tx_dropped > 0);
	/* What waits in the interface's queue comes without a new frame to announce it. */
	for (; received < sent - statistics.tx_dropped; received++) {
		m = rig_receive(port.dev);
		assert_non_null(m);
		assert_int_equal(m->pkt_len, sizeof(frame));
		rte_pktmbuf_free(m);
	}
	assert_int_equal(port.dev->driver->rx_burst(port.dev, 0, &m, 1), 0);
	assert_int_equal(rig_counter(port.dev, "rx_frames"), received);
	port_end(&port);
}

/* More than the I/O thread can write at once: each packet is sent, refused or a late drop. */
static void test_full_out(void **state)
{
	unsigned offered = 0, taken = 0;
	struct rig_port port;

	rig_skip_unless_usable();
	port = port_make(1500);
	while (taken == offered && offered < 100000) {
		struct rte_mbuf *pkts[32];
		uint16_t n;

		for (unsigned i = 0; i < 32; i++)
			pkts[i] = rig_mbuf(60, i, 60);
		n = port.dev->driver->tx_burst(port.dev, 0, pkts, 32);
		assert_true(n <= 32);
		rte_pktmbuf_free_bulk(pkts + n, 32 - n);
		offered += 32;
		taken += n;
	}
	assert_true(taken < offered);
	assert_true(netns_wait(
		(uint64_t)rig_counter(port.dev, "tx_frames") + port.dev->tx_late_drops == taken));
	port_end(&port);
}

/* What is still queued when the port is closed, and that the kernel does not take, is accounted
 * for. */
static void test_close_counts_late_drops(void **state)
{
	struct rte_mbuf *pkts[32];
	struct rig_port port;
	uint16_t n;

	rig_skip_unless_usable();
	port = port_make(1500);
	assert_int_equal(netns_command("ip -n %s link set tap0 down", port.netns), 0);
	for (unsigned i = 0; i < 32; i++)
		pkts[i] = rig_mbuf(60, i, 60);
	n = port.dev->driver->tx_burst(port.dev, 0, pkts, 32);
	rte_pktmbuf_free_bulk(pkts + n, 32 - n);
	assert_int_equal(port.dev->driver->close(port.dev), n);
	close(port.fd);
	assert_int_equal(rig_in_use(), 0);
}

static void test_pool_empty(void **state)
{
	struct rte_mbuf **all = calloc(RIG_BUFFERS, sizeof(*all));
	struct rig_port port;
	struct rte_mbuf *m;
	uint8_t frame[1514];
	unsigned n = 0;

	rig_skip_unless_usable();
	port = port_make(1500);
	while (n < RIG_BUFFERS && (all[n] = rte_pktmbuf_alloc(port_env.pool)) != NULL)
		n++;
	rig_fill(frame, sizeof(frame), 0);
	/* The I/O thread has some in reserve; then frames are dropped, and the port lives on. */
	for (unsigned i = 0; rig_counter(port.dev, "rx_no_buffer") == 0; i++) {
		assert_true(i < 1000);
		assert_int_equal(send(port.fd, frame, sizeof(frame), 0), sizeof(frame));
	}
	rte_pktmbuf_free_bulk(all, n);
	while (port.dev->driver->rx_burst(port.dev, 0, &m, 1) == 1)
		rte_pktmbuf_free(m);
	rig_fill(frame, sizeof(frame), 99);
	assert_int_equal(send(port.fd, frame, sizeof(frame), 0), sizeof(frame));
	do {
		m = rig_receive(port.dev);
		assert_non_null(m);
		frame[0] = *rte_pktmbuf_mtod_offset(m, uint8_t *, 14);
		rte_pktmbuf_free(m);
	} while (frame[0] != frame[14]);
	port_end(&port);
	free(all);
}

static void send_one(struct port_dev *dev, unsigned seed)
{
	struct rte_mbuf *m = rig_mbuf(60, seed, 60);

	if (dev->driver->tx_burst(dev, 0, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

static void test_interface_down(void **state)
{
	struct rig_port port;
	unsigned changes;
	uint8_t frame[100];
	int fd;

	rig_skip_unless_usable();
	port = port_make(1500);
	assert_true(rig_shows(port.dev, "state", "up"));
	assert_true(rig_shows(port.dev, "error", NULL));
	assert_int_equal(netns_command("ip -n %s link set tap0 down", port.netns), 0);
	assert_true(rig_shows(port.dev, "state", "down"));
	changes = rig_changes;
	send_one(port.dev, 0);
	send_one(port.dev, 1);
	assert_true(netns_wait(port.dev->tx_late_drops == 2));
	assert_int_equal(rig_counter(port.dev, "tx_down"), 2);
	assert_false(rig_shows(port.dev, "error", NULL));
	assert_int_equal(rig_changes, changes + 1);
	assert_int_equal(netns_command("ip -n %s link set tap0 up mtu 1400", port.netns), 0);
	assert_true(rig_shows(port.dev, "state", "up"));
	assert_true(rig_shows(port.dev, "error", NULL));
	assert_int_equal(rig_counter(port.dev, "interface_mtu"), 1400);
	fd = netns_packet_socket(port.netns, port.interface);
	send_one(port.dev, 2);
	assert_int_equal(rig_recv(fd, frame, sizeof(frame)), 60);
	close(fd);
	assert_true(netns_wait(rig_changes == changes + 2));
	port_end(&port);
}

static void test_close_with_frames_in_flight(void **state)
{
	struct rig_port port;
	uint8_t frame[9014];

	rig_skip_unless_usable();
	port = port_make(9000);
	rig_fill(frame, sizeof(frame), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(send(port.fd, frame, sizeof(frame), 0), sizeof(frame));
	assert_true(netns_wait(rig_counter(port.dev, "rx_frames") > 10));
	for (unsigned i = 0; i < 200; i++)
		send_one(port.dev, i);
	assert_true(rig_in_use() > 0);
	port_end(&port);
}

/* What was made in one namespace works on in another, also under another name. */
static void test_moved(void **state)
{
	struct config_port conf;
	struct rig_port port;
	struct rte_mbuf *m;
	uint8_t frame[1514];
	const char *other;
	int fd;

	rig_skip_unless_usable();
	port = port_make(1500);
	other = rig_netns(1);
	rig_no_ipv6(other);
	assert_true(rig_shows(port.dev, "netns", port.netns));
	assert_int_equal(
		netns_command("ip -n %s link set tap0 netns %s name moved", port.netns, other), 0);
	assert_true(rig_shows(port.dev, "netns", other));
	assert_true(rig_shows(port.dev, "interface", "moved"));
	assert_true(rig_shows(port.dev, "state", "down"));
	assert_int_equal(netns_command("ip -n %s link set moved up", other), 0);
	fd = netns_packet_socket(other, (char[]){"moved"});
	send_one(port.dev, 0);
	assert_int_equal(rig_recv(fd, frame, sizeof(frame)), 60);
	rig_fill(frame, sizeof(frame), 1);
	assert_int_equal(send(fd, frame, sizeof(frame), 0), sizeof(frame));
	m = rig_receive(port.dev);
	assert_non_null(m);
	assert_frame(m, sizeof(frame), 1);
	rte_pktmbuf_free(m);
	close(fd);
	/* And the configuration follows it. */
	conf = rig_conf("tap0", port.netns);
	conf.mtu = 1300;
	conf.has_mac = true;
	memcpy(conf.mac, "\x02\x00\x00\x00\x00\x42", 6);
	assert_int_equal(port.dev->driver->update(port.dev, &conf), 0);
	assert_int_equal(port.dev->mtu, 1300);
	assert_int_equal(rig_counter(port.dev, "interface_mtu"), 1300);
	assert_int_equal(
		netns_command("ip -n %s link show moved | grep -q 02:00:00:00:00:42", other), 0);
	conf = rig_conf("tap1", port.netns);
	assert_int_equal(port.dev->driver->update(port.dev, &conf), -1);
	conf = rig_conf("tap0", other);
	assert_int_equal(port.dev->driver->update(port.dev, &conf), -1);
	port_end(&port);
	assert_int_not_equal(netns_command("ip -n %s link show moved 2>/dev/null", other), 0);
}

/* The interface goes with its namespace; the port says so, and a new one can be opened. */
static void test_namespace_removed(void **state)
{
	struct config_port conf;
	struct rig_port port;
	unsigned changes;
	char err[256];

	rig_skip_unless_usable();
	port = port_make(1500);
	conf = rig_conf(port.interface, port.netns);
	changes = rig_changes;
	/* A socket would keep the namespace. */
	close(port.fd);
	port.fd = -1;
	rig_netns_del(0);
	assert_true(netns_wait(port.dev->rx_ready == 0 && port.dev->tx_ready == 0));
	assert_true(netns_wait(rig_changes == changes + 1));
	assert_true(rig_shows(port.dev, "state", "gone"));
	assert_true(rig_shows(port.dev, "interface", "tap0"));
	send_one(port.dev, 0);
	assert_true(netns_wait(port.dev->tx_late_drops == 1));
	assert_int_equal(port.dev->driver->update(port.dev, &conf), -1);
	port_end(&port);
	assert_null(kernel_driver.open(&conf, 7, err, sizeof(err)));
	assert_non_null(strstr(err, "ip netns add"));
	port = port_make(1500);
	port_end(&port);
}

static unsigned count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Many ports share one thread; nothing of them is left when they are closed. */
static void test_many_ports(void **state)
{
	struct port_dev *devs[16];
	unsigned fds, threads;
	const char *netns;

	rig_skip_unless_usable();
	netns = rig_netns(0);
	fds = count_entries("/proc/self/fd");
	threads = count_entries("/proc/self/task");
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < RTE_DIM(devs); i++) {
			char name[16];
			struct config_port conf;

			snprintf(name, sizeof(name), "tap%u", i);
			conf = rig_conf(name, i % 2 ? netns : "");
			devs[i] = rig_open(&conf, (uint16_t)i);
			assert_int_equal(devs[i]->rx_ready, 1);
			assert_int_equal(devs[i]->tx_ready, 1);
			assert_int_equal(devs[i]->id, i);
			assert_true(rig_shows(devs[i], "netns", i % 2 ? netns : NULL));
			send_one(devs[i], i);
		}
		assert_int_equal(count_entries("/proc/self/task"), threads + 1);
		for (unsigned i = 0; i < RTE_DIM(devs); i++)
			devs[i]->driver->close(devs[i]);
		assert_int_equal(rig_in_use(), 0);
	}
	assert_int_equal(count_entries("/proc/self/fd"), fds);
	assert_int_equal(count_entries("/proc/self/task"), threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_frames_in, rig_clean),
		cmocka_unit_test_teardown(test_frames_out, rig_clean),
		cmocka_unit_test_teardown(test_too_many_segments, rig_clean),
		cmocka_unit_test_teardown(test_wake_only_when_armed, rig_clean),
		cmocka_unit_test_teardown(test_no_wake_up_is_lost, rig_clean),
		cmocka_unit_test_teardown(test_worker_behind, rig_clean),
		cmocka_unit_test_teardown(test_full_out, rig_clean),
		cmocka_unit_test_teardown(test_close_counts_late_drops, rig_clean),
		cmocka_unit_test_teardown(test_pool_empty, rig_clean),
		cmocka_unit_test_teardown(test_interface_down, rig_clean),
		cmocka_unit_test_teardown(test_close_with_frames_in_flight, rig_clean),
		cmocka_unit_test_teardown(test_moved, rig_clean),
		cmocka_unit_test_teardown(test_namespace_removed, rig_clean),
		cmocka_unit_test_teardown(test_many_ports, rig_clean),
	};

	alarm(180);
	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
