/*
 * What the tests of vhost-user ports share: DPDK without hugepages, the switch's side of a port
 * (pool, grace periods, wake-ups), a worker thread that bridges ports, and short ways to look.
 *
 * The test's own thread is the control thread, and the worker wherever none was started.
 */
#ifndef VS_TEST_VHOST_RIG_H
#define VS_TEST_VHOST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>

#include "config.h"
#include "port_driver.h"
#include "vhost_master.h"
#include "vhost_user.h"

#define RIG_BUFFERS 8191
#define RIG_MS      5000 /* patience; nothing that works takes so long */
#define RIG_PORTS   4

#define F_VERSION_1 (1ull << 32)
#define F(name)     (1ull << VIRTIO_NET_F_##name)
#define RIG_LINUX                                                                                  \
	(F_VERSION_1 | F(CSUM) | F(GUEST_CSUM) | F(HOST_TSO4) | F(HOST_TSO6) | F(GUEST_TSO4) |     \
		F(GUEST_TSO6) | F(MRG_RXBUF) | F(MQ) | F(MTU) |                                    \
		1ull << VIRTIO_RING_F_INDIRECT_DESC)

static struct {
	char dir[64];
	struct rte_rcu_qsbr *rcu;
	unsigned next_id;
	_Atomic unsigned wakes, changes;

	/* The worker: what comes in at port i goes out at ports[i ^ 1]. */
	struct port_dev *ports[RIG_PORTS];
	unsigned n_ports;
	pthread_t worker;
	_Atomic bool stop;
	_Atomic uint64_t passes, forwarded;
} rig;

static void rig_synchronize(void)
{
	rte_rcu_qsbr_synchronize(rig.rcu, RTE_QSBR_THRID_INVALID);
}

static void rig_wake(struct port_dev *dev)
{
	(void)dev;
	atomic_fetch_add(&rig.wakes, 1);
}

static void rig_changed(struct port_dev *dev)
{
	(void)dev;
	atomic_fetch_add(&rig.changes, 1);
}

static inline int rig_setup(void **state)
{
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "-m", "192", "--lcores",
		"0@(0-1)", "--log-level=4", "--no-telemetry", NULL};

	(void)state;
	if (rte_eal_init(10, argv) < 0)
		return -1;
	strcpy(rig.dir, "/tmp/vhost-test-XXXXXX");
	if (mkdtemp(rig.dir) == NULL)
		return -1;
	rig.rcu = aligned_alloc(64, RTE_ALIGN(rte_rcu_qsbr_get_memsize(1), 64));
	if (rig.rcu == NULL || rte_rcu_qsbr_init(rig.rcu, 1) != 0)
		return -1;
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", RIG_BUFFERS, 250, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	port_env.synchronize = rig_synchronize;
	port_env.wake = rig_wake;
	port_env.changed = rig_changed;
	port_env.state_dir = NULL;
	return port_env.pool != NULL ? 0 : -1;
}

static inline int rig_teardown(void **state)
{
	char path[400];
	DIR *dir = opendir(rig.dir);
	struct dirent *entry;

	(void)state;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", rig.dir, entry->d_name);
		unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(rig.dir);
	free(rig.rcu);
	return 0;
}

static inline void rig_nap(void)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	nanosleep(&nap, NULL);
}

/* Waits, but not for ever, until condition holds. */
#define rig_until(condition)                                                                       \
	do {                                                                                       \
		bool met_ = (condition);                                                           \
		for (int left_ = RIG_MS; !met_ && left_ > 0; left_--) {                            \
			rig_nap();                                                                 \
			met_ = (condition);                                                        \
		}                                                                                  \
		if (!met_)                                                                         \
			print_message("never: %s\n", #condition);                                  \
		assert_true(met_);                                                                 \
	} while (0)

static inline void rig_path(char *path, size_t len, const char *name)
{
	snprintf(path, len, "%s/%s", rig.dir, name);
}

static inline struct config_port rig_conf(const char *name, bool server)
{
	struct config_port conf = {.mtu = 1500};

	snprintf(conf.name, sizeof(conf.name), "%s", name);
	rig_path(conf.vhost_user.socket, sizeof(conf.vhost_user.socket), name);
	conf.kind = CONFIG_PORT_VHOST_USER;
	conf.vhost_user.server = server;
	conf.vhost_user.queues = 2;
	conf.vhost_user.tso = true;
	return conf;
}

static inline struct port_dev *rig_open(const struct config_port *conf)
{
	char err[256] = "";
	struct port_dev *dev = vhost_user_driver.open(conf, rig.next_id++, err, sizeof(err));

	if (dev == NULL)
		print_message("open: %s\n", err);
	assert_non_null(dev);
	return dev;
}

static inline void rig_close(struct port_dev *dev)
{
	vhost_user_driver.close(dev);
}

/* A port in client mode whose guest listens already. */
static inline struct port_dev *rig_client(struct vhost_master *m, const char *name)
{
	struct config_port conf = rig_conf(name, false);
	struct port_dev *dev;

	assert_int_equal(vhost_master_init(m, 4), 0);
	assert_int_equal(vhost_master_listen(m, conf.vhost_user.socket), 0);
	dev = rig_open(&conf);
	assert_int_equal(vhost_master_accept(m, RIG_MS), 0);
	return dev;
}

/* The same with a guest that has started pairs queue pairs. */
static inline struct port_dev *rig_started(
	struct vhost_master *m, const char *name, uint64_t features, unsigned pairs)
{
	struct port_dev *dev = rig_client(m, name);

	assert_int_equal(vhost_master_start(m, features, pairs), 0);
	rig_until(atomic_load(&dev->rx_ready) == (1u << pairs) - 1);
	rig_until(atomic_load(&dev->tx_ready) == (1u << pairs) - 1);
	return dev;
}

static inline bool rig_shows(struct port_dev *dev, const char *field, const char *text)
{
	json_t *shown = vhost_user_driver.describe(dev);
	const char *value = json_string_value(json_object_get(shown, field));
	bool found = text == NULL ? value == NULL : value != NULL && strstr(value, text) != NULL;

	json_decref(shown);
	return found;
}

static inline json_int_t rig_number(struct port_dev *dev, const char *field)
{
	json_t *shown = vhost_user_driver.describe(dev);
	json_int_t value = json_integer_value(json_object_get(shown, field));

	json_decref(shown);
	return value;
}

static inline bool rig_lists(struct port_dev *dev, const char *field, const char *text)
{
	json_t *shown = vhost_user_driver.describe(dev), *item;
	bool found = false;
	size_t i;

	json_array_foreach (json_object_get(shown, field), i, item)
		found = found || strcmp(json_string_value(item), text) == 0;
	json_decref(shown);
	return found;
}

#define rig_wait_state(dev, text) rig_until(rig_shows(dev, "state", text))
#define rig_wait_error(dev, text) rig_until(rig_shows(dev, "error", text))

static inline unsigned rig_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static inline unsigned rig_buffers(void)
{
	return rte_mempool_avail_count(port_env.pool);
}

/* A frame of len bytes that says its number. */
static inline void rig_frame(uint8_t *frame, size_t len, uint32_t number)
{
	memset(frame, 0xa5, len);
	memset(frame, 2, 12);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	memcpy(frame + 14, &number, sizeof(number));
}

/* One packet from the guest; the caller frees it. */
static inline struct rte_mbuf *rig_take(struct port_dev *dev, unsigned queue)
{
	struct rte_mbuf *m = NULL;

	rig_until(vhost_user_driver.rx_burst(dev, queue, &m, 1) == 1);
	assert_int_equal(m->port, dev->id);
	return m;
}

static inline struct rte_mbuf *rig_mbuf(const void *frame, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, len), frame, len);
	return m;
}

/* Frames both ways over one queue pair. */
static inline void rig_check_traffic(struct port_dev *dev, struct vhost_master *m, unsigned pair)
{
	uint8_t out[300], in[2048];
	struct rte_mbuf *pkt;

	rig_frame(out, sizeof(out), pair);
	assert_int_equal(vhost_master_transmit(m, pair, NULL, out, sizeof(out)), 0);
	pkt = rig_take(dev, pair);
	assert_int_equal(pkt->pkt_len, sizeof(out));
	assert_memory_equal(rte_pktmbuf_mtod(pkt, void *), out, sizeof(out));
	assert_int_equal(vhost_user_driver.tx_burst(dev, pair, &pkt, 1), 1);
	assert_int_equal(vhost_master_receive(m, pair, NULL, in, sizeof(in)), sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
}

static inline unsigned rig_bridge(struct port_dev *from, struct port_dev *to)
{
	uint32_t ready = atomic_load_explicit(&from->rx_ready, memory_order_acquire);
	unsigned moved = 0;

	for (; ready != 0; ready &= ready - 1) {
		struct rte_mbuf *pkts[PORT_BURST_MAX];
		unsigned n = vhost_user_driver.rx_burst(
			from, __builtin_ctz(ready), pkts, PORT_BURST_MAX);
		uint32_t queues = atomic_load_explicit(&to->tx_ready, memory_order_acquire);
		unsigned sent = 0;

		if (n > 0 && queues != 0)
			sent = vhost_user_driver.tx_burst(to, __builtin_ctz(queues), pkts, n);
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
		moved += sent;
	}
	return moved;
}

static inline void *rig_worker(void *arg)
{
	(void)arg;
	rte_thread_register();
	rte_rcu_qsbr_thread_register(rig.rcu, 0);
	rte_rcu_qsbr_thread_online(rig.rcu, 0);
	while (!atomic_load(&rig.stop)) {
		for (unsigned i = 0; i < rig.n_ports; i++)
			atomic_fetch_add(
				&rig.forwarded, rig_bridge(rig.ports[i], rig.ports[i ^ 1]));
		rte_rcu_qsbr_quiescent(rig.rcu, 0);
		atomic_fetch_add(&rig.passes, 1);
	}
	rte_rcu_qsbr_thread_offline(rig.rcu, 0);
	rte_rcu_qsbr_thread_unregister(rig.rcu, 0);
	rte_thread_unregister();
	return NULL;
}

/* Ports two by two. */
static inline void rig_worker_start(struct port_dev **ports, unsigned n)
{
	memcpy(rig.ports, ports, n * sizeof(*ports));
	rig.n_ports = n;
	atomic_store(&rig.stop, false);
	assert_int_equal(pthread_create(&rig.worker, NULL, rig_worker, NULL), 0);
}

static inline void rig_worker_stop(void)
{
	atomic_store(&rig.stop, true);
	pthread_join(rig.worker, NULL);
}

#endif
