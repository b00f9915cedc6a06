/*
 * Life of a vhost-user port: both modes, either side restarting, queues, features. The numbers are
 * those of the test catalogue.
 */
#include "vhost_rig.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void test_frames_cross_in_client_mode(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "client", RIG_LINUX, 2);

	rig_wait_state(dev, "queues enabled");
	assert_true(rig_shows(dev, "error", NULL));
	assert_true(rig_shows(dev, "ring", "split"));
	rig_check_traffic(dev, &m, 0);
	rig_check_traffic(dev, &m, 1);
	rig_close(dev);
	vhost_master_free(&m);
}

static void test_frames_cross_in_server_mode(void **state)
{
	struct config_port conf = rig_conf("server", true);
	struct port_dev *dev = rig_open(&conf);
	struct vhost_master m;
	struct stat st;

	rig_wait_state(dev, "waiting for connection");
	assert_int_equal(vhost_master_init(&m, 2), 0);
	assert_int_equal(vhost_master_connect(&m, conf.vhost_user.socket, 0), 0);
	assert_int_equal(vhost_master_start(&m, RIG_LINUX, 1), 0);
	rig_wait_state(dev, "queues enabled");
	rig_check_traffic(dev, &m, 0);
	rig_close(dev);
	assert_int_equal(stat(conf.vhost_user.socket, &st), -1);
	vhost_master_free(&m);
}

/* 17: an operator sees how far a guest came. */
static void test_17_states_are_named(void **state)
{
	struct config_port conf = rig_conf("states", false);
	struct port_dev *dev = rig_open(&conf);
	struct vhost_master m;

	rig_wait_state(dev, "waiting for socket");
	rig_wait_error(dev, "no socket at");
	assert_int_equal(vhost_master_init(&m, 1), 0);
	assert_int_equal(vhost_master_listen(&m, conf.vhost_user.socket), 0);
	assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
	rig_wait_state(dev, "connected");
	assert_true(rig_shows(dev, "error", NULL));
	assert_int_equal(vhost_master_negotiate(&m, RIG_LINUX), 0);
	rig_wait_state(dev, "negotiated");
	assert_int_equal(vhost_master_share_memory(&m, 1), 0);
	rig_wait_state(dev, "memory mapped");
	assert_int_equal(vhost_master_start_ring(&m, 0), 0);
	assert_int_equal(vhost_master_start_ring(&m, 1), 0);
	assert_int_equal(vhost_master_enable_ring(&m, 0, true), 0);
	assert_int_equal(vhost_master_enable_ring(&m, 1, true), 0);
	rig_wait_state(dev, "queues enabled");
	assert_int_equal(vhost_master_stop_ring(&m, 0), 0);
	rig_wait_state(dev, "memory mapped");
	vhost_master_disconnect(&m);
	rig_wait_state(dev, "connected"); /* the listener's backlog takes it */
	vhost_master_free(&m);
	rig_wait_state(dev, "waiting for socket");
	rig_wait_error(dev, "nobody listens at");
	rig_close(dev);
}

/* QEMU serves one connection and leaves the next in its backlog. */
static void test_17_silence_is_explained(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_client(&m, "silent");

	rig_wait_error(dev, "says nothing");
	assert_int_equal(vhost_master_start(&m, RIG_LINUX, 1), 0);
	rig_wait_error(dev, NULL);
	rig_close(dev);
	vhost_master_free(&m);
}

static void test_17_unusable_sockets_are_explained(void **state)
{
	struct config_port conf = rig_conf("file", false);
	FILE *file = fopen(conf.vhost_user.socket, "w");
	struct port_dev *dev;

	assert_non_null(file);
	fclose(file);
	dev = rig_open(&conf);
	rig_wait_error(dev, "is no socket");
	unlink(conf.vhost_user.socket);
	rig_close(dev);
}

/* 11, 12, 15: the guest's side comes and goes; its rings go on, or begin anew. */
static void test_11_15_guest_reconnects(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "reconnect", RIG_LINUX, 2);
	unsigned descriptors = rig_descriptors(), buffers;

	rig_check_traffic(dev, &m, 0);
	buffers = rig_buffers();
	for (unsigned i = 0; i < 300; i++) {
		vhost_master_disconnect(&m);
		assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
		assert_int_equal(vhost_master_start(&m, RIG_LINUX, 1 + i % 2), 0);
		rig_until(atomic_load(&dev->rx_ready) == (i % 2 ? 3 : 1));
		rig_until(atomic_load(&dev->tx_ready) == (i % 2 ? 3 : 1));
		rig_check_traffic(dev, &m, i % 2);
	}
	vhost_master_disconnect(&m);
	assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
	assert_int_equal(vhost_master_start(&m, RIG_LINUX, 2), 0);
	rig_until(atomic_load(&dev->rx_ready) == 3);
	assert_int_equal(rig_descriptors(), descriptors);
	assert_int_equal(rig_buffers(), buffers);
	rig_close(dev);
	vhost_master_free(&m);
}

static void test_12_guest_reboots(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "reboot", RIG_LINUX, 1);

	for (unsigned i = 0; i < 50; i++) {
		rig_check_traffic(dev, &m, 0);
		assert_int_equal(vhost_master_stop_ring(&m, 0), 0);
		assert_int_equal(vhost_master_stop_ring(&m, 1), 0);
		assert_int_equal(atomic_load(&dev->rx_ready), 0);
		assert_int_equal(atomic_load(&dev->tx_ready), 0);
		vhost_master_reset(&m);
		assert_int_equal(vhost_master_start(&m, RIG_LINUX, 1), 0);
		rig_until(atomic_load(&dev->rx_ready) == 1 && atomic_load(&dev->tx_ready) == 1);
	}
	rig_close(dev);
	vhost_master_free(&m);
}

/* 11: what the guest sees of a switch that was killed and started again. */
static void test_11_switch_restarts(void **state)
{
	struct config_port conf = rig_conf("restart", false);
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "restart", RIG_LINUX, 1);

	for (unsigned i = 0; i < 20; i++) {
		rig_check_traffic(dev, &m, 0);
		rig_close(dev);
		vhost_master_disconnect(&m);
		dev = rig_open(&conf);
		assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
		assert_int_equal(vhost_master_start(&m, RIG_LINUX, 1), 0);
		rig_until(atomic_load(&dev->rx_ready) == 1 && atomic_load(&dev->tx_ready) == 1);
	}
	rig_close(dev);
	vhost_master_free(&m);
}

static void test_11_both_sides_come_back_in_server_mode(void **state)
{
	struct config_port conf = rig_conf("server2", true);
	struct port_dev *dev = rig_open(&conf);
	struct vhost_master m;

	assert_int_equal(vhost_master_init(&m, 1), 0);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(vhost_master_connect(&m, conf.vhost_user.socket, RIG_MS), 0);
		assert_int_equal(vhost_master_start(&m, RIG_LINUX, 1), 0);
		rig_until(atomic_load(&dev->rx_ready) == 1 && atomic_load(&dev->tx_ready) == 1);
		rig_check_traffic(dev, &m, 0);
		if (i == 3) {
			rig_close(dev);
			dev = rig_open(&conf);
		}
	}
	rig_close(dev);
	vhost_master_free(&m);
}

/* A second front end in server mode waits until the first is gone, and no third is let in. */
static void test_server_mode_holds_a_second_connection(void **state)
{
	struct config_port conf = rig_conf("standby", true);
	struct port_dev *dev = rig_open(&conf);
	struct vhost_master first, second, third;
	uint64_t limit;

	assert_int_equal(vhost_master_init(&first, 1), 0);
	assert_int_equal(vhost_master_init(&second, 1), 0);
	assert_int_equal(vhost_master_init(&third, 1), 0);
	assert_int_equal(vhost_master_connect(&first, conf.vhost_user.socket, RIG_MS), 0);
	assert_int_equal(vhost_master_start(&first, RIG_LINUX, 1), 0);
	rig_check_traffic(dev, &first, 0);
	assert_int_equal(vhost_master_connect(&second, conf.vhost_user.socket, RIG_MS), 0);
	assert_int_equal(vhost_master_start(&second, RIG_LINUX, 1), 0);
	rig_check_traffic(dev, &first, 0);
	assert_int_equal(vhost_master_connect(&third, conf.vhost_user.socket, RIG_MS), 0);
	assert_int_equal(vhost_master_get_u64(&third, VHOST_GET_QUEUE_NUM, &limit), -1);
	assert_int_equal(rig_number(dev, "connections_refused"), 1);
	vhost_master_disconnect(&first);
	assert_int_equal(vhost_master_sync(&second), 0);
	rig_until(atomic_load(&dev->rx_ready) == 1);
	rig_check_traffic(dev, &second, 0);
	rig_close(dev);
	vhost_master_free(&first);
	vhost_master_free(&second);
	vhost_master_free(&third);
}

/* 5, 6: workers are told of the queues that the guest uses, and of none where there is no guest. */
static void test_5_6_only_enabled_queues_are_ready(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "queues", RIG_LINUX, 2);

	assert_int_equal(vhost_master_enable_ring(&m, 3, false), 0);
	assert_int_equal(vhost_master_sync(&m), 0);
	assert_int_equal(atomic_load(&dev->rx_ready), 1);
	assert_int_equal(atomic_load(&dev->tx_ready), 3);
	assert_int_equal(vhost_master_enable_ring(&m, 2, false), 0);
	assert_int_equal(vhost_master_enable_ring(&m, 3, true), 0);
	assert_int_equal(vhost_master_sync(&m), 0);
	assert_int_equal(atomic_load(&dev->rx_ready), 3);
	assert_int_equal(atomic_load(&dev->tx_ready), 1);
	vhost_master_free(&m);
	rig_until(atomic_load(&dev->rx_ready) == 0 && atomic_load(&dev->tx_ready) == 0);
	rig_close(dev);
}

static void test_queue_pairs_are_limited(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_client(&m, "limit");

	assert_int_equal(vhost_master_negotiate(&m, RIG_LINUX), 0);
	assert_int_equal(m.queue_limit, 2);
	assert_int_equal(vhost_master_share_memory(&m, 1), 0);
	for (unsigned i = 0; i < 6; i++) {
		vhost_master_start_ring(&m, i);
		vhost_master_enable_ring(&m, i, true);
	}
	assert_int_equal(vhost_master_sync(&m), -1);
	rig_wait_error(dev, "uses queue pair 3, but this port has 2");
	/* As QEMU does it: it asks, and leaves. */
	assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
	assert_int_equal(vhost_master_get_u64(&m, VHOST_GET_QUEUE_NUM, &m.queue_limit), 0);
	vhost_master_disconnect(&m);
	rig_wait_error(dev, "told the limit of 2 queue pair(s)");
	assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
	assert_int_equal(vhost_master_start(&m, RIG_LINUX, 2), 0);
	rig_wait_error(dev, NULL);
	rig_close(dev);
	vhost_master_free(&m);
}

static uint64_t offered(const struct config_port *conf)
{
	struct port_dev *dev;
	struct vhost_master m;
	uint64_t features = 0;

	assert_int_equal(vhost_master_init(&m, 1), 0);
	assert_int_equal(vhost_master_listen(&m, conf->vhost_user.socket), 0);
	dev = rig_open(conf);
	assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
	assert_int_equal(vhost_master_get_u64(&m, VHOST_GET_FEATURES, &features), 0);
	rig_close(dev);
	vhost_master_free(&m);
	return features;
}

static void test_features_offered_are_those_kept_up(void **state)
{
	struct config_port conf = rig_conf("features", false);
	const uint64_t tso = F(HOST_TSO4) | F(HOST_TSO6) | F(GUEST_TSO4) | F(GUEST_TSO6);
	const uint64_t never = F(HOST_UFO) | F(GUEST_UFO) | F(HOST_ECN) | F(GUEST_ECN);
	const uint64_t always = F(MRG_RXBUF) | F(CSUM) | F(GUEST_CSUM) | F(MQ) | F(MTU) |
				F(GUEST_ANNOUNCE) | 1ull << VIRTIO_RING_F_INDIRECT_DESC |
				1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << 26 | F_VERSION_1;
	const uint64_t packed = 1ull << 34;
	uint64_t bits = offered(&conf);

	assert_int_equal(bits & (always | tso | never | packed), always | tso);
	conf.vhost_user.tso = false;
	conf.vhost_user.packed = true;
	bits = offered(&conf);
	assert_int_equal(bits & (always | tso | never | packed), always | packed);
}

/* 8: a guest that was started with a bit can come back, whatever was configured since. */
static void test_8_features_never_shrink(void **state)
{
	struct config_port conf = rig_conf("memory", false);
	uint64_t before, after;
	char path[200];
	struct port_dev *dev;

	port_env.state_dir = rig.dir;
	conf.vhost_user.packed = true;
	before = offered(&conf);
	conf.vhost_user.packed = conf.vhost_user.tso = false;
	after = offered(&conf);
	assert_int_equal(after, before);
	dev = rig_open(&conf);
	assert_true(rig_lists(dev, "features_kept", "ring_packed"));
	assert_true(rig_lists(dev, "features_kept", "guest_tso4"));
	assert_false(rig_lists(dev, "features_kept", "csum"));
	rig_close(dev);
	/* But for a port of that name that is another one. */
	vhost_user_driver.forget("other");
	assert_int_equal(offered(&conf), before);
	rig_path(path, sizeof(path), "features-memory.json");
	assert_int_equal(access(path, F_OK), 0);
	vhost_user_driver.forget("memory");
	assert_int_equal(access(path, F_OK), -1);
	vhost_user_driver.forget("memory");
	assert_int_not_equal(offered(&conf), before);
	port_env.state_dir = NULL;
}

static void write_features(const char *port, const char *text)
{
	char name[100], path[200];
	FILE *file;

	snprintf(name, sizeof(name), "features-%s.json", port);
	rig_path(path, sizeof(path), name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_8_bits_that_cannot_be_offered_are_told(void **state)
{
	struct config_port conf = rig_conf("lost", false);
	struct port_dev *dev;

	port_env.state_dir = rig.dir;
	write_features("lost", "{\"port\": \"lost\", \"offered\": \"8000000000000001\"}");
	dev = rig_open(&conf);
	rig_wait_error(dev, "cannot offer feature bits 0x8000000000000000");
	rig_close(dev);
	write_features("lost", "no JSON");
	dev = rig_open(&conf);
	assert_true(rig_lists(dev, "features_offered", "csum"));
	rig_close(dev);
	port_env.state_dir = NULL;
}

/* 8: what the guest insists on and is not offered ends in a message, and not in silence. */
static void test_8_features_not_offered_are_refused(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_client(&m, "mismatch");

	assert_int_equal(vhost_master_negotiate(&m, RIG_LINUX), 0);
	assert_int_equal(
		vhost_master_send_u64(&m, VHOST_SET_FEATURES, m.features | F(HOST_UFO)), 0);
	assert_int_equal(vhost_master_sync(&m), -1);
	rig_wait_error(dev, "features that this switch does not offer");
	rig_close(dev);
	vhost_master_free(&m);
}

static void test_capabilities_follow_what_was_negotiated(void **state)
{
	static const struct {
		uint64_t features;
		uint32_t caps;
	} cases[] = {
		{0, PORT_TX_CHAINS},
		{F(GUEST_CSUM), PORT_TX_CHAINS | PORT_TX_CSUM},
		{F(GUEST_CSUM) | F(GUEST_TSO4), PORT_TX_CHAINS | PORT_TX_CSUM | PORT_TX_TSO4},
		{F(GUEST_CSUM) | F(GUEST_TSO6), PORT_TX_CHAINS | PORT_TX_CSUM | PORT_TX_TSO6},
		{F(GUEST_TSO4), PORT_TX_CHAINS},
		{F(CSUM) | F(HOST_TSO4), PORT_TX_CHAINS},
	};
	struct vhost_master m;
	struct port_dev *dev = rig_client(&m, "caps");

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			vhost_master_start(&m, F_VERSION_1 | F(MRG_RXBUF) | cases[i].features, 1),
			0);
		rig_until(atomic_load(&dev->tx_ready) == 1);
		assert_int_equal(atomic_load(&dev->tx_caps), cases[i].caps);
		vhost_master_disconnect(&m);
		assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
	}
	rig_close(dev);
	vhost_master_free(&m);
}

static void test_mtu_is_the_smaller_one(void **state)
{
	struct config_port conf = rig_conf("mtu", false);
	struct vhost_master m;
	struct port_dev *dev = rig_client(&m, "mtu");

	assert_int_equal(atomic_load(&dev->mtu), 1500);
	assert_int_equal(vhost_master_send_u64(&m, VHOST_NET_SET_MTU, 1400), 0);
	assert_int_equal(vhost_master_start(&m, RIG_LINUX, 1), 0);
	rig_until(atomic_load(&dev->rx_ready) == 1);
	assert_int_equal(atomic_load(&dev->mtu), 1400);
	conf.mtu = 1300;
	assert_int_equal(vhost_user_driver.update(dev, &conf), 0);
	assert_int_equal(atomic_load(&dev->mtu), 1300);
	conf.mtu = 9000;
	assert_int_equal(vhost_user_driver.update(dev, &conf), 0);
	assert_int_equal(atomic_load(&dev->mtu), 1400);
	vhost_master_disconnect(&m);
	assert_int_equal(vhost_master_accept(&m, RIG_MS), 0);
	assert_int_equal(vhost_master_start(&m, RIG_LINUX & ~F(MTU), 1), 0);
	rig_until(atomic_load(&dev->rx_ready) == 1);
	assert_int_equal(atomic_load(&dev->mtu), 9000);
	conf.vhost_user.queues++;
	assert_int_equal(vhost_user_driver.update(dev, &conf), -1);
	rig_close(dev);
	vhost_master_free(&m);
}

static void test_rarp_after_migration_comes_in(void **state)
{
	const uint8_t mac[8] = {2, 0, 0, 0, 0, 9};
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "rarp", RIG_LINUX, 1);
	struct rte_mbuf *pkt;
	unsigned wakes;
	uint64_t word;

	memcpy(&word, mac, sizeof(word));
	assert_int_equal(vhost_master_sync(&m), 0);
	wakes = atomic_load(&rig.wakes);
	assert_int_equal(vhost_master_sync(&m), 0);
	assert_int_equal(atomic_load(&rig.wakes), wakes);
	assert_int_equal(vhost_master_send_u64(&m, VHOST_SEND_RARP, word), 0);
	/* A worker that sleeps hears of it. */
	rig_until(atomic_load(&rig.wakes) == wakes + 1);
	pkt = rig_take(dev, 0);
	assert_memory_equal(rte_pktmbuf_mtod_offset(pkt, uint8_t *, 6), mac, 6);
	assert_int_equal(*rte_pktmbuf_mtod_offset(pkt, uint16_t *, 12), rte_cpu_to_be_16(0x8035));
	rte_pktmbuf_free(pkt);
	rig_close(dev);
	vhost_master_free(&m);
}

static bool logged(const uint8_t *log, uint64_t gpa)
{
	uint64_t page = gpa / 4096;

	return log[page / 8] & (1u << page % 8);
}

/* What QEMU does when a migration begins, with the guest running on. */
static void test_pages_written_are_logged(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "log", RIG_LINUX, 1);
	size_t size = (m.gpa + m.mem_size) / 4096 / 8 + 1;
	int fd = memfd_create("log", MFD_CLOEXEC);
	uint8_t *log, frame[100], in[200];
	struct rte_mbuf *pkt;

	assert_int_equal(ftruncate(fd, size), 0);
	log = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(log != MAP_FAILED);
	assert_int_equal(vhost_master_start_log(&m, fd, size, 0), 0);
	assert_int_equal(vhost_master_send_u64(&m, VHOST_SET_FEATURES, m.features | 1u << 26), 0);
	assert_int_equal(vhost_master_set_ring_address(&m, 0, true), 0);
	assert_int_equal(vhost_master_set_ring_address(&m, 1, true), 0);
	assert_int_equal(vhost_master_sync(&m), 0);
	rig_frame(frame, sizeof(frame), 0);
	pkt = rig_mbuf(frame, sizeof(frame));
	assert_int_equal(vhost_user_driver.tx_burst(dev, 0, &pkt, 1), 1);
	assert_int_equal(vhost_master_receive(&m, 0, NULL, in, sizeof(in)), sizeof(frame));
	assert_true(logged(log, vhost_master_buffer(&m, 0, 0)));
	assert_true(logged(log, m.gpa + m.rings[0].offset + 2 * 4096)); /* the used ring */
	assert_false(logged(log, vhost_master_buffer(&m, 0, 1)));
	assert_true(rig_shows(dev, "error", NULL));
	munmap(log, size);
	close(fd);
	rig_close(dev);
	vhost_master_free(&m);
}

static bool woken(int epoll_fd)
{
	struct epoll_event event;

	return epoll_wait(epoll_fd, &event, 1, 0) == 1;
}

/* A worker adds the queue's descriptor once; the guest may change its own as it likes. */
static void test_kicks_wake_a_sleeping_worker(void **state)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "kick", RIG_LINUX, 1);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), fd = vhost_user_driver.rx_fd(dev, 0);
	uint64_t index = 1, none = 1 | 1u << 8;
	unsigned descriptors;
	uint32_t generation = atomic_load(&dev->rx_generation);
	uint8_t frame[60];

	rig_frame(frame, sizeof(frame), 0);
	assert_true(fd >= 0);
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
	vhost_user_driver.rx_notify(dev, 0, false);
	woken(epoll_fd);
	assert_int_equal(vhost_master_transmit(&m, 0, NULL, frame, sizeof(frame)), 0);
	assert_false(woken(epoll_fd));
	rte_pktmbuf_free(rig_take(dev, 0));
	vhost_user_driver.rx_notify(dev, 0, true);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(vhost_master_transmit(&m, 0, NULL, frame, sizeof(frame)), 0);
		assert_true(woken(epoll_fd));
		assert_false(woken(epoll_fd));
		rte_pktmbuf_free(rig_take(dev, 0));
		if (i != 1)
			continue;
		close(m.rings[1].kick);
		m.rings[1].kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_int_equal(vhost_master_send(&m, VHOST_SET_VRING_KICK, 0, &index,
					 sizeof(index), &m.rings[1].kick, 1),
			0);
		assert_int_equal(vhost_master_sync(&m), 0);
		assert_int_not_equal(atomic_load(&dev->rx_generation), generation);
		woken(epoll_fd);
	}
	descriptors = rig_descriptors();
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(vhost_master_send(&m, VHOST_SET_VRING_KICK, 0, &index,
					 sizeof(index), &m.rings[1].kick, 1),
			0);
	assert_int_equal(vhost_master_sync(&m), 0);
	assert_int_equal(rig_descriptors(), descriptors);
	/* A guest without kicks must be polled. */
	generation = atomic_load(&dev->rx_generation);
	assert_int_equal(
		vhost_master_send(&m, VHOST_SET_VRING_KICK, 0, &none, sizeof(none), NULL, 0), 0);
	assert_int_equal(vhost_master_sync(&m), 0);
	assert_int_equal(vhost_user_driver.rx_fd(dev, 0), PORT_FD_NONE);
	assert_int_not_equal(atomic_load(&dev->rx_generation), generation);
	close(epoll_fd);
	rig_close(dev);
	vhost_master_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_cross_in_client_mode),
		cmocka_unit_test(test_frames_cross_in_server_mode),
		cmocka_unit_test(test_17_states_are_named),
		cmocka_unit_test(test_17_silence_is_explained),
		cmocka_unit_test(test_17_unusable_sockets_are_explained),
		cmocka_unit_test(test_11_15_guest_reconnects),
		cmocka_unit_test(test_12_guest_reboots),
		cmocka_unit_test(test_11_switch_restarts),
		cmocka_unit_test(test_11_both_sides_come_back_in_server_mode),
		cmocka_unit_test(test_server_mode_holds_a_second_connection),
		cmocka_unit_test(test_5_6_only_enabled_queues_are_ready),
		cmocka_unit_test(test_queue_pairs_are_limited),
		cmocka_unit_test(test_features_offered_are_those_kept_up),
		cmocka_unit_test(test_8_features_never_shrink),
		cmocka_unit_test(test_8_bits_that_cannot_be_offered_are_told),
		cmocka_unit_test(test_8_features_not_offered_are_refused),
		cmocka_unit_test(test_capabilities_follow_what_was_negotiated),
		cmocka_unit_test(test_mtu_is_the_smaller_one),
		cmocka_unit_test(test_rarp_after_migration_comes_in),
		cmocka_unit_test(test_pages_written_are_logged),
		cmocka_unit_test(test_kicks_wake_a_sleeping_worker),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
