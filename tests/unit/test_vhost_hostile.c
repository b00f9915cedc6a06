/*
 * Front ends and guests that no honest QEMU would be. After each the switch still stands, a second
 * guest's traffic flows, and neither buffers nor descriptors are lost. The numbers are those of the
 * test catalogue.
 */
#include "vhost_rig.h"

#include "vhost_port.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define TX 1 /* the guest's transmit ring of the first queue pair */

static struct {
	struct vhost_master evil, good;
	struct port_dev *evil_dev, *good_dev;
	unsigned descriptors, buffers;
} pair;

static int start_pair(void **state)
{
	pair.evil_dev = rig_started(&pair.evil, "evil", RIG_LINUX, 1);
	pair.good_dev = rig_started(&pair.good, "good", RIG_LINUX, 1);
	rig_check_traffic(pair.good_dev, &pair.good, 0);
	pair.buffers = rig_buffers();
	pair.descriptors = rig_descriptors();
	return 0;
}

/* The evil one becomes honest, and nothing is missing. */
static int stop_pair(void **state)
{
	vhost_master_disconnect(&pair.evil);
	vhost_master_reset(&pair.evil);
	do
		assert_int_equal(vhost_master_accept(&pair.evil, RIG_MS), 0);
	while (vhost_master_start(&pair.evil, RIG_LINUX, 1) != 0);
	rig_until(atomic_load(&pair.evil_dev->rx_ready) == 1);
	rig_until(atomic_load(&pair.evil_dev->tx_ready) == 1);
	rig_check_traffic(pair.evil_dev, &pair.evil, 0);
	rig_check_traffic(pair.good_dev, &pair.good, 0);
	assert_true(rig_shows(pair.evil_dev, "error", NULL));
	assert_int_equal(rig_buffers(), pair.buffers);
	assert_int_equal(rig_descriptors(), pair.descriptors);
	rig_close(pair.evil_dev);
	rig_close(pair.good_dev);
	vhost_master_free(&pair.evil);
	vhost_master_free(&pair.good);
	return 0;
}

/* A new connection of the evil one, on which nothing was said yet. */
static void evil_again(void)
{
	vhost_master_disconnect(&pair.evil);
	vhost_master_reset(&pair.evil);
	assert_int_equal(vhost_master_accept(&pair.evil, RIG_MS), 0);
}

static void evil_started(void)
{
	evil_again();
	assert_int_equal(vhost_master_start(&pair.evil, RIG_LINUX, 1), 0);
	rig_until(atomic_load(&pair.evil_dev->rx_ready) == 1);
}

/* Messages. */

static const struct {
	const char *what;
	uint32_t request, size;
	uint32_t words[12];
	const char *error;
} messages[] = {
	{"no request", 0, 0, {0}, "request 0, which was not negotiated"},
	{"a request of the back end's", 23, 8, {0}, "request 23"},
	{"an unknown request", 1000000, 8, {0}, "request 1000000"},
	{"IOTLB", VHOST_IOTLB_MSG, 32, {0, 0, 4096, 0, 0, 0x7f00, 0x203}, "request 22"},
	{"configuration space", 24, 268, {0, 256}, "request 24"},
	{"crypto session", 26, 632, {0}, "request 26"},
	{"post-copy", 28, 0, {0}, "request 28"},
	{"in-flight descriptors", 31, 24, {0, 0, 0, 0, 0x01000200}, "request 31"},
	{"half a feature word", VHOST_SET_FEATURES, 4, {0}, "with 4 bytes where at least 8"},
	{"a ring without number", VHOST_SET_VRING_ENABLE, 0, {0}, "with 0 bytes"},
	{"half an address", VHOST_SET_VRING_ADDR, 16, {0}, "with 16 bytes"},
	{"a table without its regions", VHOST_SET_MEM_TABLE, 8, {3}, "at least 104"},
	{"a ring beyond the limit", VHOST_SET_VRING_NUM, 8, {4, 256}, "queue pair 3"},
	{"a ring far beyond it", VHOST_SET_VRING_ENABLE, 8, {255, 1}, "queue pair 128"},
	{"a ring beyond the library's", VHOST_SET_VRING_ENABLE, 8, {70000, 1}, NULL},
	{"no descriptors", VHOST_SET_VRING_NUM, 8, {0, 0}, "gave ring 0 no descriptors"},
	{"an odd number of them", VHOST_SET_VRING_NUM, 8, {0, 255}, "refused SET_VRING_NUM"},
	{"too many of them", VHOST_SET_VRING_NUM, 8, {0, 65536}, "refused SET_VRING_NUM"},
	{"an MTU of nothing", VHOST_NET_SET_MTU, 8, {1}, "refused NET_SET_MTU"},
};

static void test_13_odd_messages_are_refused(void **state)
{
	for (unsigned i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		uint8_t payload[632] = {0};

		print_message("%s\n", messages[i].what);
		memcpy(payload, messages[i].words, sizeof(messages[i].words));
		evil_again();
		assert_int_equal(vhost_master_send(&pair.evil, messages[i].request, 0, payload,
					 messages[i].size, NULL, 0),
			0);
		assert_int_equal(vhost_master_sync(&pair.evil), -1);
		if (messages[i].error != NULL)
			rig_wait_error(pair.evil_dev, messages[i].error);
		rig_check_traffic(pair.good_dev, &pair.good, 0);
	}
}

/* Those who ask for an acknowledgement get a no, and stay. */
static void test_13_refusal_is_answered(void **state)
{
	uint32_t payload[2] = {4, 256};
	uint64_t answer = 0;

	evil_again();
	assert_int_equal(vhost_master_send(&pair.evil, VHOST_SET_VRING_NUM, VHOST_NEED_REPLY,
				 payload, sizeof(payload), NULL, 0),
		0);
	assert_int_equal(vhost_master_reply(&pair.evil, &answer, sizeof(answer)), 0);
	assert_int_not_equal(answer, 0);
	assert_int_equal(vhost_master_start(&pair.evil, RIG_LINUX, 1), 0);
}

/* 15: descriptors sent along with what takes none. */
static void test_15_stray_descriptors_are_closed(void **state)
{
	static const uint32_t requests[] = {VHOST_GET_QUEUE_NUM, VHOST_RESET_OWNER, VHOST_SET_OWNER,
		VHOST_GET_FEATURES, VHOST_SET_VRING_ENABLE, VHOST_SET_VRING_NUM, 31, 1000};
	static const uint32_t ringed[] = {VHOST_SET_VRING_NUM, VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE, VHOST_SET_VRING_ENABLE, 32};
	int fds[8];

	for (unsigned i = 0; i < 8; i++)
		fds[i] = pair.evil.memfd;
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		uint32_t payload[2] = {200, 1};

		evil_again();
		for (unsigned k = 0; k < 10; k++)
			vhost_master_send(
				&pair.evil, requests[i], 0, payload, sizeof(payload), fds, 8);
		vhost_master_sync(&pair.evil);
	}
	/* Ring numbers that the library refuses before anybody else sees the message. */
	for (unsigned i = 0; i < sizeof(ringed) / sizeof(ringed[0]); i++) {
		uint32_t payload[10] = {70000, 1};

		evil_again();
		vhost_master_send(&pair.evil, ringed[i], 0, payload, sizeof(payload), fds, 8);
		assert_int_equal(vhost_master_sync(&pair.evil), -1);
	}
	/* All eight go where one belongs, and one to a ring that does not exist. */
	evil_again();
	for (unsigned k = 0; k < 2; k++) {
		uint64_t ring = k * 200;

		vhost_master_send(&pair.evil, VHOST_SET_VRING_CALL, 0, &ring, sizeof(ring), fds,
			k == 0 ? 8 : 1);
		assert_int_equal(vhost_master_sync(&pair.evil), -1);
		evil_again();
	}
}

/* A worker writes to a call descriptor, and must not be made to wait. */
static void test_13_only_eventfds_are_taken(void **state)
{
	uint64_t ring = TX;
	int pipes[2], full = eventfd(0, 0);

	assert_int_equal(pipe(pipes), 0);
	evil_again();
	assert_int_equal(vhost_master_negotiate(&pair.evil, RIG_LINUX), 0);
	assert_int_equal(vhost_master_send_ring(&pair.evil, VHOST_SET_VRING_NUM, TX, 256), 0);
	vhost_master_send(&pair.evil, VHOST_SET_VRING_CALL, 0, &ring, sizeof(ring), &pipes[1], 1);
	assert_int_equal(vhost_master_sync(&pair.evil), -1);
	rig_wait_error(pair.evil_dev, "SET_VRING_CALL with a descriptor that is no eventfd");
	evil_again();
	assert_int_equal(vhost_master_negotiate(&pair.evil, RIG_LINUX), 0);
	assert_int_equal(vhost_master_send_ring(&pair.evil, VHOST_SET_VRING_NUM, TX, 256), 0);
	vhost_master_send(&pair.evil, VHOST_SET_VRING_KICK, 0, &ring, sizeof(ring), &pipes[0], 1);
	assert_int_equal(vhost_master_sync(&pair.evil), -1);
	rig_wait_error(pair.evil_dev, "SET_VRING_KICK with a descriptor that is no eventfd");

	/* One that blocks is made one that does not. */
	evil_again();
	assert_int_equal(eventfd_write(full, UINT64_MAX - 1), 0);
	close(pair.evil.rings[TX].call);
	pair.evil.rings[TX].call = full;
	assert_int_equal(vhost_master_start(&pair.evil, RIG_LINUX, 1), 0);
	rig_until(atomic_load(&pair.evil_dev->rx_ready) == 1);
	rig_check_traffic(pair.evil_dev, &pair.evil, 0);
	close(pipes[0]);
	close(pipes[1]);
}

/* The library would read beyond what it checked, or through arrays that it has not got. */
static void test_13_rings_in_use_keep_size_and_place(void **state)
{
	evil_started();
	assert_int_equal(vhost_master_send_ring(&pair.evil, VHOST_SET_VRING_NUM, TX, 32768), 0);
	assert_int_equal(vhost_master_sync(&pair.evil), -1);
	rig_wait_error(pair.evil_dev, "changed the size or position of ring 1");

	evil_started();
	assert_int_equal(vhost_master_enable_ring(&pair.evil, TX, false), 0);
	assert_int_equal(vhost_master_send_ring(&pair.evil, VHOST_SET_VRING_NUM, TX, 32768), 0);
	assert_int_equal(vhost_master_sync(&pair.evil), -1);

	evil_started();
	assert_int_equal(vhost_master_send_ring(&pair.evil, VHOST_SET_VRING_BASE, TX, 7), 0);
	assert_int_equal(vhost_master_sync(&pair.evil), -1);
	rig_wait_error(pair.evil_dev, "changed the size or position of ring 1");

	evil_started();
	assert_int_equal(vhost_master_stop_ring(&pair.evil, TX), 0);
	uint64_t ring = TX;
	assert_int_equal(vhost_master_send(&pair.evil, VHOST_SET_VRING_KICK, 0, &ring, sizeof(ring),
				 &pair.evil.rings[TX].kick, 1),
		0);
	assert_int_equal(vhost_master_sync(&pair.evil), -1);
	rig_wait_error(pair.evil_dev, "started ring 1 without giving its size");
}

static void test_13_ring_format_is_fixed_once_sized(void **state)
{
	evil_again();
	assert_int_equal(vhost_master_negotiate(&pair.evil, RIG_LINUX), 0);
	assert_int_equal(vhost_master_send_ring(&pair.evil, VHOST_SET_VRING_NUM, TX, 256), 0);
	assert_int_equal(vhost_master_send_u64(&pair.evil, VHOST_SET_FEATURES,
				 pair.evil.features | 1ull << VIRTIO_RING_F_EVENT_IDX),
		0);
	assert_int_equal(vhost_master_sync(&pair.evil), -1);
	rig_wait_error(pair.evil_dev, "changed the format of its rings");
}

/* A packed ring's position is an index into it. */
static void test_13_packed_ring_starts_inside(void **state)
{
	struct config_port conf = rig_conf("packed", false);
	struct port_dev *dev;
	struct vhost_master m;

	conf.vhost_user.packed = true;
	assert_int_equal(vhost_master_init(&m, 1), 0);
	assert_int_equal(vhost_master_listen(&m, conf.vhost_user.socket), 0);
	dev = rig_open(&conf);
	assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
	m.rings[TX].last_used = 300;
	assert_int_equal(vhost_master_start(&m, RIG_LINUX | 1ull << 34, 1), -1);
	rig_wait_error(dev, "started ring 1 beyond its end");
	rig_close(dev);
	vhost_master_free(&m);
}

/* 16 */
static void test_16_too_many_memory_regions_are_explained(void **state)
{
	evil_again();
	assert_int_equal(vhost_master_negotiate(&pair.evil, RIG_LINUX), 0);
	assert_int_equal(vhost_master_share_memory(&pair.evil, 8), 0);
	assert_int_equal(vhost_master_sync(&pair.evil), 0);
	assert_int_equal(vhost_master_share_memory(&pair.evil, 9), 0);
	assert_int_equal(vhost_master_sync(&pair.evil), -1);
	rig_wait_error(pair.evil_dev, "9 memory regions and at most 8 are possible");
	assert_true(rig_shows(pair.evil_dev, "error", "single-file-segments"));
}

static void test_16_memory_that_cannot_be_mapped_is_explained(void **state)
{
	int memfd = pair.evil.memfd, pipes[2];

	assert_int_equal(pipe(pipes), 0);
	evil_again();
	assert_int_equal(vhost_master_negotiate(&pair.evil, RIG_LINUX), 0);
	pair.evil.memfd = pipes[0];
	assert_int_equal(vhost_master_share_memory(&pair.evil, 1), 0);
	pair.evil.memfd = memfd;
	assert_int_equal(vhost_master_sync(&pair.evil), -1);
	rig_wait_error(pair.evil_dev, "memory cannot be mapped");
	assert_true(rig_shows(pair.evil_dev, "error", "share=on"));

	/* A file shorter than it is said to be would end the process when it is read. */
	evil_again();
	assert_int_equal(vhost_master_negotiate(&pair.evil, RIG_LINUX), 0);
	pair.evil.memfd = memfd_create("short", MFD_CLOEXEC);
	assert_int_equal(ftruncate(pair.evil.memfd, pair.evil.mem_size / 2), 0);
	assert_int_equal(vhost_master_share_memory(&pair.evil, 1), 0);
	assert_int_equal(vhost_master_sync(&pair.evil), -1);
	rig_wait_error(pair.evil_dev, "larger than the file behind it");
	close(pair.evil.memfd);
	pair.evil.memfd = memfd;
	close(pipes[0]);
	close(pipes[1]);
}

/* Workers write to the log. */
static void test_13_log_lies_in_its_file(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	evil_started();
	assert_int_equal(vhost_master_start_log(&pair.evil, fd, 2 << 20, 0), -1);
	rig_wait_error(pair.evil_dev, "log for migration");
	evil_started();
	assert_int_equal(vhost_master_start_log(&pair.evil, fd, 1 << 19, 4096), -1);
	rig_wait_error(pair.evil_dev, "log for migration");
	close(fd);
}

/* 11: it leaves after any message of its start. */
static void test_11_front_end_leaves_at_every_stage(void **state)
{
	for (unsigned stage = 0; stage < 24; stage++) {
		evil_again();
		if (stage > 0)
			vhost_master_negotiate(&pair.evil, RIG_LINUX);
		if (stage > 1)
			vhost_master_share_memory(&pair.evil, 1);
		for (unsigned i = 0; i < 2 && stage > 2 + 4 * i; i++)
			vhost_master_start_ring(&pair.evil, i);
		for (unsigned i = 0; i < 2 && stage > 10 + 4 * i; i++)
			vhost_master_enable_ring(&pair.evil, i, true);
		if (stage > 18)
			vhost_master_stop_ring(&pair.evil, stage & 1);
		if (stage & 1)
			vhost_master_sync(&pair.evil);
		rig_check_traffic(pair.good_dev, &pair.good, 0);
	}
}

/*
 * A header without its payload keeps the library's only thread waiting: no longer than the limit,
 * and no worker meanwhile.
 */
static void test_half_a_message_stops_nobody_for_long(void **state)
{
	static const uint8_t bytes[] = {
		VHOST_SET_FEATURES, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3};

	for (size_t len = 3; len <= sizeof(bytes); len += 3) {
		evil_again();
		assert_int_equal(send(pair.evil.fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
		rig_check_traffic(pair.good_dev, &pair.good, 0);
		assert_int_equal(vhost_master_sync(&pair.good), 0);
	}
}

/* So does one that reads no answer, once the socket is full. */
static void test_unread_answers_stop_nobody_for_long(void **state)
{
	evil_again();
	for (struct pollfd room = {.fd = pair.evil.fd, .events = POLLOUT};
		poll(&room, 1, 100) == 1 && !(room.revents & POLLHUP);)
		if (vhost_master_send(&pair.evil, VHOST_GET_FEATURES, 0, NULL, 0, NULL, 0) != 0)
			break;
	rig_check_traffic(pair.good_dev, &pair.good, 0);
	assert_int_equal(vhost_master_sync(&pair.good), 0);
	rig_wait_error(pair.evil_dev, "does not read the answers");
}

/* Polls as a worker does, since only then can an operator be told that nothing comes of it. */
static void *poll_evil(void *arg)
{
	_Atomic bool *stop = arg;
	struct rte_mbuf *pkts[PORT_BURST_MAX];

	rte_thread_register();
	while (!atomic_load(stop)) {
		unsigned n = vhost_user_driver.rx_burst(pair.evil_dev, 0, pkts, PORT_BURST_MAX);

		rte_pktmbuf_free_bulk(pkts, n);
		sched_yield();
	}
	rte_thread_unregister();
	return NULL;
}

/*
 * 13: it makes the file of its memory shorter. Whoever looks at a ring next would end the process:
 * a worker, the library's thread or the control thread.
 */

static void cut_memory(off_t left)
{
	/* cmocka takes SIGBUS for itself before each test. */
	vhost_guard_install();
	assert_int_equal(ftruncate(pair.evil.memfd, left), 0);
}

/* It is off and stays off, whatever it says, and nobody else is; it may start anew. */
static void expect_cut(void)
{
	rig_until(atomic_load(&pair.evil_dev->rx_ready) == 0);
	rig_until(atomic_load(&pair.evil_dev->tx_ready) == 0);
	rig_wait_error(pair.evil_dev, "cut short");
	assert_true(rig_shows(pair.evil_dev, "state", "memory mapped"));
	rig_check_traffic(pair.good_dev, &pair.good, 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(vhost_master_enable_ring(&pair.evil, i, false), 0);
		assert_int_equal(vhost_master_enable_ring(&pair.evil, i, true), 0);
	}
	assert_int_equal(vhost_master_sync(&pair.evil), 0);
	assert_int_equal(atomic_load(&pair.evil_dev->rx_ready), 0);
	assert_int_equal(atomic_load(&pair.evil_dev->tx_ready), 0);
	vhost_master_disconnect(&pair.evil);
	rig_until(!rig_shows(pair.evil_dev, "state", "memory mapped"));
	rig_wait_error(pair.evil_dev, "cut short");
	cut_memory(pair.evil.mem_size);
}

static void test_13_memory_cut_short_under_a_receiving_worker(void **state)
{
	_Atomic bool stop = false;
	uint8_t frame[300];
	pthread_t poller;

	rig_frame(frame, sizeof(frame), 1);
	/* All of it, and less than the buffers that its packets lie in. */
	for (unsigned i = 0; i < 2; i++) {
		unsigned changes;

		evil_started();
		for (unsigned k = 0; k < 5; k++)
			assert_int_equal(
				vhost_master_transmit(&pair.evil, 0, NULL, frame, sizeof(frame)),
				0);
		changes = atomic_load(&rig.changes);
		cut_memory(i * (pair.evil.rings[TX].offset + 4 * 4096));
		assert_int_equal(pthread_create(&poller, NULL, poll_evil, &stop), 0);
		rig_until(atomic_load(&pair.evil_dev->rx_ready) == 0);
		atomic_store(&stop, true);
		pthread_join(poller, NULL);
		atomic_store(&stop, false);
		assert_int_not_equal(atomic_load(&rig.changes), changes);
		expect_cut();
	}
}

static void test_13_memory_cut_short_under_traffic(void **state)
{
	_Atomic bool stop = false;
	pthread_t poller;

	evil_started();
	assert_int_equal(pthread_create(&poller, NULL, poll_evil, &stop), 0);
	rig_until(atomic_load(&((struct vhost_port *)pair.evil_dev)->queues[0].rx_polls) > 1000);
	cut_memory(0);
	rig_until(atomic_load(&pair.evil_dev->rx_ready) == 0);
	atomic_store(&stop, true);
	pthread_join(poller, NULL);
	expect_cut();
}

static void test_13_memory_cut_short_under_a_sending_worker(void **state)
{
	uint8_t frame[1000];
	struct rte_mbuf *pkt;

	rig_frame(frame, sizeof(frame), 1);
	evil_started();
	rig_until(atomic_load(&pair.evil_dev->tx_ready) == 1);
	cut_memory(0);
	pkt = rig_mbuf(frame, sizeof(frame));
	if (vhost_user_driver.tx_burst(pair.evil_dev, 0, &pkt, 1) == 0)
		rte_pktmbuf_free(pkt);
	expect_cut();
	evil_started();
	cut_memory(0);
	vhost_user_driver.rx_notify(pair.evil_dev, 0, true);
	expect_cut();
}

/* With its memory in several pieces. The first and the last have a ring each. */
static void test_13_memory_cut_short_in_regions(void **state)
{
	evil_again();
	assert_int_equal(vhost_master_negotiate(&pair.evil, RIG_LINUX), 0);
	assert_int_equal(vhost_master_share_memory(&pair.evil, 8), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(vhost_master_start_ring(&pair.evil, i), 0);
		assert_int_equal(vhost_master_enable_ring(&pair.evil, i, true), 0);
	}
	rig_until(atomic_load(&pair.evil_dev->rx_ready) == 1);
	cut_memory(0);
	/* The control thread looks at the ring. */
	rig_until(rig_shows(pair.evil_dev, "error", "cut short"));
	expect_cut();
}

/* The library reads a ring when it is given its place. */
static void test_13_memory_cut_short_before_the_rings_start(void **state)
{
	evil_again();
	assert_int_equal(vhost_master_negotiate(&pair.evil, RIG_LINUX), 0);
	assert_int_equal(vhost_master_share_memory(&pair.evil, 1), 0);
	assert_int_equal(vhost_master_sync(&pair.evil), 0);
	cut_memory(0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vhost_master_start_ring(&pair.evil, i), 0);
	expect_cut();
}

/* A table is refused, and the memory of the one before is still in use. */
static void test_13_memory_cut_short_after_a_refused_table(void **state)
{
	uint32_t table[2] = {9};
	uint64_t answer = 0;
	int fds[8];

	for (unsigned i = 0; i < 8; i++)
		fds[i] = pair.evil.memfd;
	evil_started();
	assert_int_equal(vhost_master_send(&pair.evil, VHOST_SET_MEM_TABLE, VHOST_NEED_REPLY, table,
				 sizeof(table), fds, 8),
		0);
	assert_int_equal(vhost_master_reply(&pair.evil, &answer, sizeof(answer)), 0);
	assert_int_not_equal(answer, 0);
	cut_memory(0);
	vhost_user_driver.rx_notify(pair.evil_dev, 0, true);
	expect_cut();
}

/* The log is a file of the front end's, too. */
static void test_13_log_cut_short(void **state)
{
	const uint64_t size = 4 << 20;
	int fd = memfd_create("log", MFD_CLOEXEC);
	uint8_t frame[300];
	struct rte_mbuf *pkt;

	rig_frame(frame, sizeof(frame), 1);
	assert_int_equal(ftruncate(fd, size), 0);
	evil_started();
	assert_int_equal(vhost_master_start_log(&pair.evil, fd, size, 0), 0);
	assert_int_equal(vhost_master_send_u64(
				 &pair.evil, VHOST_SET_FEATURES, pair.evil.features | 1ull << 26),
		0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vhost_master_set_ring_address(&pair.evil, i, true), 0);
	assert_int_equal(vhost_master_sync(&pair.evil), 0);
	rig_until(atomic_load(&pair.evil_dev->tx_ready) == 1);
	vhost_guard_install();
	assert_int_equal(ftruncate(fd, 0), 0);
	pkt = rig_mbuf(frame, sizeof(frame));
	if (vhost_user_driver.tx_burst(pair.evil_dev, 0, &pkt, 1) == 0)
		rte_pktmbuf_free(pkt);
	close(fd);
	expect_cut();
}

/* Rings. */

/* Offers a chain that begins at 0 and lets a worker look at it a few times. */
static unsigned poll_chain(uint16_t head, struct rte_mbuf **pkts)
{
	unsigned n = 0;

	vhost_master_expose(&pair.evil, TX, head);
	for (unsigned i = 0; i < 20; i++)
		n += vhost_user_driver.rx_burst(pair.evil_dev, 0, pkts + n, PORT_BURST_MAX - n);
	rig_check_traffic(pair.good_dev, &pair.good, 0);
	return n;
}

static void expect_nothing(uint16_t head)
{
	struct rte_mbuf *pkts[PORT_BURST_MAX];

	assert_int_equal(poll_chain(head, pkts), 0);
}

static void put_loop(void)
{
	for (unsigned i = 0; i < 4; i++)
		vhost_master_put(&pair.evil, TX, i, vhost_master_buffer(&pair.evil, TX, i), 64,
			VRING_DESC_F_NEXT, (i + 1) % 4);
}

static void put_outside(void)
{
	vhost_master_put(&pair.evil, TX, 0, 4096, 1500, 0, 0);
}

static void put_across_the_end(void)
{
	vhost_master_put(&pair.evil, TX, 0, pair.evil.gpa + pair.evil.mem_size - 100, 1500, 0, 0);
}

static void put_wrapping(void)
{
	vhost_master_put(&pair.evil, TX, 0, UINT64_MAX - 100, 1500, 0, 0);
}

static void put_next_outside(void)
{
	vhost_master_put(&pair.evil, TX, 0, vhost_master_buffer(&pair.evil, TX, 0), 64,
		VRING_DESC_F_NEXT, 60000);
}

static void put_huge(void)
{
	vhost_master_put(
		&pair.evil, TX, 0, vhost_master_buffer(&pair.evil, TX, 0), UINT32_MAX, 0, 0);
}

static void put_long_chain(void)
{
	for (unsigned i = 0; i < VHOST_MASTER_RING_SIZE; i++)
		vhost_master_put(&pair.evil, TX, i, vhost_master_buffer(&pair.evil, TX, i), 4096,
			VRING_DESC_F_NEXT, (i + 1) % VHOST_MASTER_RING_SIZE);
}

static void put_indirect_outside(void)
{
	vhost_master_put(&pair.evil, TX, 0, 4096, 64, VRING_DESC_F_INDIRECT, 0);
}

static void put_indirect_loop(void)
{
	uint64_t at = vhost_master_buffer(&pair.evil, TX, 0);
	struct vring_desc *table = (void *)vhost_master_at(&pair.evil, at);

	for (unsigned i = 0; i < 4; i++)
		table[i] = (struct vring_desc){at + 2048, 64, VRING_DESC_F_NEXT, (i + 1) % 4};
	vhost_master_put(&pair.evil, TX, 0, at, sizeof(*table) * 4, VRING_DESC_F_INDIRECT, 0);
}

static void put_indirect_in_indirect(void)
{
	uint64_t at = vhost_master_buffer(&pair.evil, TX, 0);
	struct vring_desc *table = (void *)vhost_master_at(&pair.evil, at);

	table[0] = (struct vring_desc){at, 8, VRING_DESC_F_INDIRECT, 0};
	vhost_master_put(&pair.evil, TX, 0, at, sizeof(*table), VRING_DESC_F_INDIRECT, 0);
}

static const struct {
	const char *what;
	void (*put)(void);
} bad_chains[] = {
	{"a loop", put_loop},
	{"outside of the memory", put_outside},
	{"across its end", put_across_the_end},
	{"an address that wraps", put_wrapping},
	{"a next one outside of the ring", put_next_outside},
	{"a length of 4 GiB", put_huge},
	{"a chain of all, in a circle", put_long_chain},
	{"an indirect table outside of the memory", put_indirect_outside},
	{"a loop in an indirect table", put_indirect_loop},
	{"an indirect table in itself", put_indirect_in_indirect},
};

static bool told_of_it(void)
{
	return rig_shows(pair.evil_dev, "error", "queue 0 is stuck") ||
	       rig_number(pair.evil_dev, "rx_discarded") > 0;
}

/* 13: it costs the queue at the most, and that is told. */
static void test_13_bad_descriptors_harm_only_their_guest(void **state)
{
	for (unsigned i = 0; i < sizeof(bad_chains) / sizeof(bad_chains[0]); i++) {
		_Atomic bool stop = false;
		pthread_t poller;

		print_message("%s\n", bad_chains[i].what);
		evil_started();
		bad_chains[i].put();
		expect_nothing(0);
		assert_int_equal(pthread_create(&poller, NULL, poll_evil, &stop), 0);
		rig_until(told_of_it());
		atomic_store(&stop, true);
		pthread_join(poller, NULL);
		assert_int_equal(rig_buffers(), pair.buffers);
	}
}

/* 13: heads that are no descriptors, and more of them than there are. */
static void test_13_bad_available_ring(void **state)
{
	evil_started();
	expect_nothing(60000);
	evil_started();
	pair.evil.rings[TX].next_avail += 40000;
	expect_nothing(0);
}

/* 14: chains that are cut as no driver would; those with a frame in them are frames. */
static void test_14_tiny_chains(void **state)
{
	struct rte_mbuf *pkts[PORT_BURST_MAX];
	uint8_t frame[100];
	unsigned total;

	rig_frame(frame, sizeof(frame), 77);
	evil_started();
	/* Byte by byte, header included. */
	total = pair.evil.header + sizeof(frame);
	for (unsigned i = 0; i < total; i++) {
		uint64_t at = vhost_master_buffer(&pair.evil, TX, i);

		*vhost_master_at(&pair.evil, at) =
			i < pair.evil.header ? 0 : frame[i - pair.evil.header];
		vhost_master_put(
			&pair.evil, TX, i, at, 1, i + 1 < total ? VRING_DESC_F_NEXT : 0, i + 1);
	}
	assert_int_equal(poll_chain(0, pkts), 1);
	assert_int_equal(pkts[0]->pkt_len, sizeof(frame));
	assert_memory_equal(rte_pktmbuf_mtod(pkts[0], void *), frame, sizeof(frame));
	rte_pktmbuf_free(pkts[0]);
	/* Nothing, part of a header, a header alone. */
	for (unsigned len = 0; len <= pair.evil.header; len += pair.evil.header / 2) {
		vhost_master_put(
			&pair.evil, TX, 200, vhost_master_buffer(&pair.evil, TX, 200), len, 0, 0);
		expect_nothing(200);
	}
	assert_int_equal(rig_number(pair.evil_dev, "rx_discarded"), 3);
	/* The queue goes on. */
	assert_int_equal(pair.evil.rings[TX].next_avail, 4);
	assert_int_equal(vhost_master_transmit(&pair.evil, 0, NULL, frame, sizeof(frame)), 0);
	rte_pktmbuf_free(rig_take(pair.evil_dev, 0));
}

/* 14: what the virtio-net header says is held against the packet, here or by offload_accept(). */
static void test_14_false_headers(void **state)
{
	static const struct virtio_net_hdr headers[] = {
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0},
		{.flags = 1, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0},
		{.flags = 1, .csum_start = 5000, .csum_offset = 16},
		{.flags = 1, .csum_start = 59, .csum_offset = 65535},
		{.flags = 1, .csum_start = 65535, .csum_offset = 65535},
		{.flags = 1, .csum_start = 0, .csum_offset = 58},
		{.flags = 255, .gso_type = 255, .hdr_len = 65535, .gso_size = 65535},
		{.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1},
	};
	uint8_t frame[60];

	rig_frame(frame, sizeof(frame), 0);
	evil_started();
	for (unsigned i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct virtio_net_hdr_mrg_rxbuf header = {.hdr = headers[i]};
		struct rte_mbuf *pkt;

		assert_int_equal(
			vhost_master_transmit(&pair.evil, 0, &header, frame, sizeof(frame)), 0);
		pkt = rig_take(pair.evil_dev, 0);
		assert_int_equal(pkt->pkt_len, sizeof(frame));
		assert_int_equal(pkt->ol_flags & RTE_MBUF_F_RX_LRO, 0);
		rte_pktmbuf_free(pkt);
	}
}

/* 13: a receive ring that says no good either. */
static void test_13_bad_receive_ring(void **state)
{
	uint8_t frame[1000];
	unsigned kinds = 3;

	rig_frame(frame, sizeof(frame), 0);
	for (unsigned kind = 0; kind < kinds; kind++) {
		struct rte_mbuf *pkt = rig_mbuf(frame, sizeof(frame));

		evil_started();
		for (unsigned i = 0; i < VHOST_MASTER_RING_SIZE; i++)
			vhost_master_put(&pair.evil, 0, i,
				kind == 0 ? 4096 : vhost_master_buffer(&pair.evil, 0, i),
				kind == 1 ? 0 : 64,
				VRING_DESC_F_WRITE | (kind == 2 ? VRING_DESC_F_NEXT : 0), i);
		for (unsigned i = 0; i < 20; i++)
			assert_int_equal(vhost_user_driver.tx_burst(pair.evil_dev, 0, &pkt, 1), 0);
		rte_pktmbuf_free(pkt);
		rig_check_traffic(pair.good_dev, &pair.good, 0);
	}
}

#define hostile(test) cmocka_unit_test_setup_teardown(test, start_pair, stop_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		hostile(test_13_odd_messages_are_refused),
		hostile(test_13_refusal_is_answered),
		hostile(test_15_stray_descriptors_are_closed),
		hostile(test_13_only_eventfds_are_taken),
		hostile(test_13_rings_in_use_keep_size_and_place),
		hostile(test_13_ring_format_is_fixed_once_sized),
		hostile(test_13_packed_ring_starts_inside),
		hostile(test_16_too_many_memory_regions_are_explained),
		hostile(test_16_memory_that_cannot_be_mapped_is_explained),
		hostile(test_13_log_lies_in_its_file),
		hostile(test_11_front_end_leaves_at_every_stage),
		hostile(test_half_a_message_stops_nobody_for_long),
		hostile(test_unread_answers_stop_nobody_for_long),
		hostile(test_13_memory_cut_short_under_a_receiving_worker),
		hostile(test_13_memory_cut_short_under_traffic),
		hostile(test_13_memory_cut_short_under_a_sending_worker),
		hostile(test_13_memory_cut_short_in_regions),
		hostile(test_13_memory_cut_short_before_the_rings_start),
		hostile(test_13_memory_cut_short_after_a_refused_table),
		hostile(test_13_log_cut_short),
		hostile(test_13_bad_descriptors_harm_only_their_guest),
		hostile(test_13_bad_available_ring),
		hostile(test_14_tiny_chains),
		hostile(test_14_false_headers),
		hostile(test_13_bad_receive_ring),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
