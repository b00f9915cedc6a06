/*
 * A whole switch for tests: its ports are a driver of the test's own, which takes frames from the
 * test and keeps a record of what it was sent. Stepped by the test on a clock of the test's own, or
 * with real workers.
 *
 * Frames are heap blocks of exactly their size, so that a sanitizer sees the first byte read
 * beyond.
 */
#ifndef VS_TEST_SWITCH_RIG_H
#define VS_TEST_SWITCH_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_random.h>

#include "config.h"
#include "events.h"
#include "frames.h"
#include "switch.h"
#include "switch_ports.h"

#define RIG_RING      4096 /* frames put in and not yet polled, a queue */
#define RIG_LOG       4096 /* frames sent that are kept in the record */
#define RIG_FRAME_LEN 60
#define RIG_TYPE      0x88b5 /* IEEE 802: local experimental use */
#define RIG_TAKES_ALL UINT32_MAX

#define RIG_CONNECTIONS 4096 /* a worker; the default takes memory that most tests need not */

/* What port_env's driver was last sent at a port, in order. */
struct rig_sent {
	uint32_t id;
	uint32_t len;
	uint16_t queue;
};

struct rig_dev {
	struct port_dev dev;
	struct config_port conf; /* as opened, or as updated last */
	unsigned n_queues;
	struct rte_ring *rx[PORT_QUEUES_MAX];
	_Atomic bool polled[PORT_QUEUES_MAX]; /* a worker is in rx_burst() */
	_Atomic bool armed[PORT_QUEUES_MAX];
	int fd[PORT_QUEUES_MAX];
	_Atomic uint32_t room; /* frames that tx_burst() still takes, or RIG_TAKES_ALL */
	uint32_t per_call; /* of those at a time, at the most */
	_Atomic uint32_t tx_calls;
	_Atomic uint64_t n_sent;
	struct rig_sent sent[RIG_LOG]; /* while rig.record; the first of n_record */
	unsigned n_record;
	unsigned queued; /* sent, to be dropped when the port is closed */
	uint8_t last[FRAME_MAX]; /* the last frame sent */
};

static struct {
	uint64_t now; /* TSC cycles, where the switch is stepped */
	uint64_t hz;
	size_t heap; /* DPDK's, before the switch started */
	bool threads; /* real workers */
	bool record; /* what is sent; not with several workers at one queue */
	bool use_fd; /* wake workers by descriptor, else by port_env.wake() */
	bool down; /* ports are opened with a far end that is not there yet */
	bool linger; /* in rx_burst(), so that two workers in one queue meet */
	bool strict; /* the firewall does as the text says; else ports let in what no rule denies */
	bool broken; /* open() fails for interfaces and sockets with "broken" in their name */
	unsigned opened, closed, updated;
	char forgotten[64]; /* ports, each with a space behind it */
	unsigned closed_in_use; /* while workers could still find it */
	_Atomic unsigned polled_twice; /* a queue by two workers at once */
	struct config_report report;
} rig;

static const struct port_driver rig_driver;

static inline struct rig_dev *rig_dev(struct port_dev *dev)
{
	return (struct rig_dev *)dev;
}

static inline const char *rig_where(const struct config_port *conf)
{
	return conf->kind == CONFIG_PORT_KERNEL ? conf->kernel.interface : conf->vhost_user.socket;
}

static inline struct rte_ring *rig_ring(void)
{
	struct rte_ring *ring = aligned_alloc(
		RTE_CACHE_LINE_SIZE, rte_ring_get_memsize(2 * RIG_RING));

	assert_non_null(ring);
	assert_int_equal(rte_ring_init(ring, "rig", RIG_RING,
				 RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ),
		0);
	return ring;
}

static inline struct port_dev *rig_open(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct rig_dev *rd;

	if (rig.broken && strstr(rig_where(conf), "broken") != NULL) {
		snprintf(err, err_len, "%s is broken", rig_where(conf));
		return NULL;
	}
	rd = calloc(1, sizeof(*rd));
	assert_non_null(rd);
	rd->dev.driver = &rig_driver;
	rd->conf = *conf;
	rd->n_queues = conf->kind == CONFIG_PORT_VHOST_USER ? conf->vhost_user.queues : 1;
	rd->dev.id = id;
	snprintf(rd->dev.name, sizeof(rd->dev.name), "%s", conf->name);
	for (unsigned q = 0; q < rd->n_queues; q++) {
		rd->rx[q] = rig_ring();
		rd->fd[q] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	rd->room = RIG_TAKES_ALL;
	rd->per_call = BURST;
	rd->dev.tx_ready = (1u << rd->n_queues) - 1;
	rd->dev.rx_ready = rig.down ? 0 : rd->dev.tx_ready;
	rd->dev.tx_caps = PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_CHAINS;
	rd->dev.mtu = conf->mtu;
	rd->dev.rx_generation = rig.down ? 0 : 1;
	rig.opened++;
	return &rd->dev;
}

static inline int rig_update(struct port_dev *dev, const struct config_port *conf)
{
	struct rig_dev *rd = rig_dev(dev);

	if (conf->kind != rd->conf.kind || strcmp(rig_where(conf), rig_where(&rd->conf)) != 0 ||
		conf->vhost_user.queues != rd->conf.vhost_user.queues)
		return -1;
	rd->conf = *conf;
	rd->dev.mtu = conf->mtu;
	rig.updated++;
	return 0;
}

static inline uint64_t rig_close(struct port_dev *dev)
{
	const struct snapshot *snapshot = snapshot_current();
	struct rig_dev *rd = rig_dev(dev);
	uint64_t late = rd->dev.tx_late_drops + rd->queued;
	struct rte_mbuf *m;

	if (snapshot != NULL && snapshot->ports[dev->id] != NULL &&
		snapshot->ports[dev->id]->dev == dev)
		rig.closed_in_use++;
	for (unsigned q = 0; q < rd->n_queues; q++) {
		while (rte_ring_dequeue(rd->rx[q], (void **)&m) == 0)
			rte_pktmbuf_free(m);
		free(rd->rx[q]);
		close(rd->fd[q]);
	}
	/* So that a worker that still uses it does not get away with it. */
	memset(rd, 0xa5, sizeof(*rd));
	free(rd);
	rig.closed++;
	return late;
}

static inline void rig_forget(const char *name)
{
	size_t len = strlen(rig.forgotten);

	snprintf(rig.forgotten + len, sizeof(rig.forgotten) - len, "%s ", name);
}

static inline uint16_t rig_rx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct rig_dev *rd = rig_dev(dev);

	if (atomic_exchange(&rd->polled[queue], true))
		atomic_fetch_add(&rig.polled_twice, 1);
	n = rte_ring_sc_dequeue_burst(rd->rx[queue], (void **)pkts, n, NULL);
	if (rig.linger)
		usleep(20);
	atomic_store(&rd->polled[queue], false);
	return n;
}

/* The id that rig_frame() wrote at the frame's end. */
static inline uint32_t rig_frame_id(const uint8_t *data, uint32_t len)
{
	uint32_t id;

	if (len < sizeof(id))
		return 0;
	memcpy(&id, data + len - sizeof(id), sizeof(id));
	return id;
}

static inline void rig_record(struct rig_dev *rd, uint16_t queue, const struct rte_mbuf *m)
{
	uint32_t len = frames_read(m, rd->last);

	if (rd->n_record < RIG_LOG)
		rd->sent[rd->n_record] = (struct rig_sent){rig_frame_id(rd->last, len), len, queue};
	rd->n_record++;
}

static inline uint16_t rig_tx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct rig_dev *rd = rig_dev(dev);

	atomic_fetch_add(&rd->tx_calls, 1);
	n = RTE_MIN(n, rd->per_call);
	if (rd->room != RIG_TAKES_ALL) {
		n = RTE_MIN(n, rd->room);
		rd->room -= n;
	}
	for (unsigned i = 0; rig.record && i < n; i++)
		rig_record(rd, queue, pkts[i]);
	rte_pktmbuf_free_bulk(pkts, n);
	atomic_fetch_add(&rd->n_sent, n);
	return n;
}

static inline void rig_rx_notify(struct port_dev *dev, uint16_t queue, bool on)
{
	atomic_store(&rig_dev(dev)->armed[queue], on);
}

static inline int rig_rx_fd(struct port_dev *dev, uint16_t queue)
{
	return rig.use_fd ? rig_dev(dev)->fd[queue] : PORT_FD_WAKES;
}

static inline json_t *rig_describe(struct port_dev *dev)
{
	return json_pack(
		"{s:s, s:n, s:s}", "state", "up", "error", "where", rig_where(&rig_dev(dev)->conf));
}

static const struct port_driver rig_driver = {
	.kind = "rig",
	.open = rig_open,
	.update = rig_update,
	.close = rig_close,
	.forget = rig_forget,
	.rx_burst = rig_rx_burst,
	.tx_burst = rig_tx_burst,
	.rx_notify = rig_rx_notify,
	.rx_fd = rig_rx_fd,
	.describe = rig_describe,
};

/*
 * The group's setup and teardown. EAL would keep the main thread, and all that it starts, on one
 * core; megabytes: what the switch gets.
 */
static inline int rig_eal(const char *program, const char *megabytes)
{
	char *argv[] = {(char *)(uintptr_t)program, "--no-huge", "--no-shconf", "--no-pci", "-m",
		(char *)(uintptr_t)megabytes, "--no-telemetry", "--log-level=critical", NULL};
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) != 0 || rte_eal_init(8, argv) < 0 ||
		sched_setaffinity(0, sizeof(cores), &cores) != 0)
		return -1;
	rig.hz = rte_get_tsc_hz();
	switch_ports_use_driver(&rig_driver);
	return 0;
}

static inline int rig_eal_end(void **state)
{
	events_close();
	return rte_eal_cleanup();
}

static inline size_t rig_heap(void)
{
	struct rte_malloc_socket_stats stats;

	assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

/* What the rig's frames need where the firewall is not what is tested. */
static inline void rig_let_pass(struct config *config)
{
	for (unsigned i = 0; i < config->n_networks; i++) {
		struct config_network *network = &config->networks[i];

		network->ethertypes[network->n_ethertypes++] = RIG_TYPE;
	}
	for (unsigned i = 0; i < config->n_ports; i++) {
		if (config->ports[i].default_in == CONFIG_DENY)
			config->ports[i].default_in = CONFIG_ALLOW;
	}
}

/* Decodes YAML text, which must be right. */
static inline struct config *rig_config(const char *text)
{
	struct config_doc *doc;
	struct config *config;

	config_report_init(&rig.report);
	doc = config_doc_from_yaml("(test)", text, strlen(text), &rig.report);
	config = doc != NULL ? config_decode(doc, &rig.report) : NULL;
	config_doc_free(doc);
	if (config == NULL)
		config_report_print(&rig.report, stderr);
	assert_non_null(config);
	if (!rig.strict)
		rig_let_pass(config);
	return config;
}

/* Applies networks and ports; true where they were taken, else rig.report says why not. */
static inline bool rig_try(const char *text)
{
	struct config *config = rig_config(text);
	int ret;

	config_report_init(&rig.report);
	ret = switch_reconfigure(config, &rig.report);
	config_free(config);
	return ret == 0;
}

static inline void rig_apply(const char *text)
{
	bool taken = rig_try(text);

	if (!taken)
		config_report_print(&rig.report, stderr);
	assert_true(taken);
}

/* Time goes on, for all workers of a stepped switch. */
static inline void rig_pass_time(uint64_t cycles)
{
	rig.now += cycles;
	for (unsigned i = 0; !rig.threads && i < n_workers; i++)
		workers[i]->now = rig.now;
}

/* Starts the switch with text's vswitch section and applies the rest. */
static inline void rig_start(const char *text)
{
	struct config *config = rig_config(text);
	char err[512];

	rig.heap = rig_heap();
	rig.now = 1000 * rig.hz;
	rig.polled_twice = rig.closed_in_use = 0;
	switch_state.single_step = !rig.threads;
	config->vswitch.state[0] = '\0';
	if (!rig.strict)
		config->vswitch.connections = RIG_CONNECTIONS;
	if (switch_start(&config->vswitch, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	config_free(config);
	rig_pass_time(0);
	rig_apply(text);
}

static inline struct rig_dev *rig_port(const char *name)
{
	struct port_entry *port = switch_find_port(name);

	assert_non_null(port);
	assert_non_null(port->dev);
	return rig_dev(port->dev);
}

/* Steps every worker until nothing moves any more and nothing is left to do. */
static inline void rig_settle(void)
{
	unsigned moved = 1;

	for (unsigned pass = 0; moved > 0; pass++) {
		assert_true(pass < 10000);
		moved = 0;
		for (unsigned i = 0; i < n_workers; i++)
			moved += worker_pass(workers[i]) + workers[i]->chores;
	}
}

/* Puts a frame in at a queue of port; m's flags are what the far end asks for. */
static inline void rig_put_mbuf(const char *name, unsigned queue, struct rte_mbuf *m)
{
	struct rig_dev *rd = rig_port(name);

	m->port = rd->dev.id;
	assert_int_equal(rte_ring_sp_enqueue(rd->rx[queue], m), 0);
	atomic_thread_fence(memory_order_seq_cst);
	if (!rd->armed[queue])
		return;
	if (rig.use_fd)
		assert_int_equal(eventfd_write(rd->fd[queue], 1), 0);
	else
		port_env.wake(&rd->dev);
}

static inline void rig_put(const char *name, const uint8_t *data, uint32_t len)
{
	rig_put_mbuf(name, 0, frames_mbuf(port_env.pool, data, len, 0, 0));
}

/* The n-th MAC of the tests: 02:00:00:00:xx:xx. */
static inline void rig_mac(uint8_t *to, uint32_t n)
{
	const uint8_t bytes[6] = {0x02, 0, 0, n >> 16, n >> 8, n};

	memcpy(to, bytes, sizeof(bytes));
}

#define RIG_BROADCAST 0x1000000 /* as a MAC's number: ff:ff:ff:ff:ff:ff */
#define RIG_MULTICAST 0x1000001 /* 01:00:5e:00:00:fb */

static inline uint8_t *rig_frame_to(uint8_t *frame, const uint8_t dst[6], uint32_t src, uint32_t id)
{
	memset(frame, 0, RIG_FRAME_LEN);
	memcpy(frame, dst, 6);
	rig_mac(frame + 6, src);
	put16(frame + 12, RIG_TYPE);
	memcpy(frame + RIG_FRAME_LEN - sizeof(id), &id, sizeof(id));
	return frame;
}

/* A frame of RIG_FRAME_LEN bytes from MAC src to MAC dst. */
static inline uint8_t *rig_frame(uint8_t *frame, uint32_t dst, uint32_t src, uint32_t id)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t some[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb};
	uint8_t mac[6];

	rig_mac(mac, dst);
	return rig_frame_to(frame,
		dst == RIG_BROADCAST   ? all
		: dst == RIG_MULTICAST ? some
				       : mac,
		src, id);
}

/* The same with a UDP packet in it, from the address 10.0.0.0 + src to 10.0.0.0 + dst. */
static inline uint8_t *rig_udp(
	uint8_t *frame, uint32_t dst, uint32_t src, uint16_t dport, uint16_t sport, uint32_t id)
{
	uint8_t *ip = frame + 14, *udp = ip + 20;
	unsigned len = RIG_FRAME_LEN - 14;

	rig_frame(frame, dst, src, id);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, len);
	ip[8] = 64;
	ip[9] = UDP;
	put32(ip + 12, 0x0a000000 + src);
	put32(ip + 16, 0x0a000000 + dst);
	put16(udp, sport);
	put16(udp + 2, dport);
	put16(udp + 4, len - 20);
	return frame;
}

/* Puts a frame in and lets the switch come to rest. */
static inline void rig_send(const char *name, uint32_t dst, uint32_t src, uint32_t id)
{
	uint8_t frame[RIG_FRAME_LEN];

	rig_put(name, rig_frame(frame, dst, src, id), RIG_FRAME_LEN);
	rig_settle();
}

/* How many frames port was sent since the last time. */
static inline unsigned rig_take(const char *name)
{
	struct rig_dev *rd = rig_port(name);
	unsigned n = rd->n_record;

	rd->n_record = 0;
	return n;
}

/*
 * That of all ports just those in names (one letter each) were sent one frame, with this id, since
 * the last time.
 */
static inline void rig_expect_at(const char *names, uint32_t id, const char *file, int line)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const char *name = switch_state.ports[i]->conf.name;
		unsigned wanted = strchr(names, name[0]) != NULL && name[1] == '\0';
		struct rig_dev *rd;

		if (switch_state.ports[i]->dev == NULL)
			continue;
		rd = rig_dev(switch_state.ports[i]->dev);
		if (rd->n_record != wanted || (wanted && rd->sent[0].id != id)) {
			print_error("port %s was sent %u frames instead of %u, the first %u\n",
				name, rd->n_record, wanted, rd->sent[0].id);
			_fail(file, line);
		}
		rd->n_record = 0;
	}
}

#define rig_expect(names, id) rig_expect_at(names, id, __FILE__, __LINE__)

/* A port's counters. */
static inline struct port_counters rig_count(const char *name)
{
	const struct port_entry *port = switch_find_port(name);
	struct port_counters count;

	assert_non_null(port);
	switch_count(port, &count);
	return count;
}

static inline uint64_t rig_drops(const char *name, enum drop_reason reason)
{
	return rig_count(name).drops[reason];
}

/* The equations of counters.h, of every port and of the switch. */
static inline bool rig_ledger_adds_up(void)
{
	json_t *ledger = switch_ledger();
	bool adds_up = json_is_true(json_object_get(ledger, "adds_up"));

	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		struct port_counters c;

		switch_count(switch_state.ports[i], &c);
		if (c.received == c.delivered + c.consumed + port_counters_dropped(&c, false) &&
			c.offered == c.sent + port_counters_dropped(&c, true))
			continue;
		print_error("port %s does not add up\n", switch_state.ports[i]->conf.name);
		adds_up = false;
	}
	if (!adds_up)
		json_dumpf(ledger, stderr, JSON_INDENT(1));
	json_decref(ledger);
	return adds_up;
}

/* What every test ends with: the ledger adds up, and nothing is left behind. */
static inline void rig_stop(void)
{
	bool adds_up;
	unsigned free, size;

	if (!rig.threads)
		rig_settle();
	adds_up = rig_ledger_adds_up();
	free = rte_mempool_avail_count(port_env.pool);
	size = port_env.pool->size;
	switch_stop();
	assert_true(adds_up);
	assert_int_equal(free, size);
	assert_int_equal(rig.polled_twice, 0);
	assert_int_equal(rig.closed_in_use, 0);
	assert_int_equal(rig.opened, rig.closed);
	assert_int_equal(rig_heap(), rig.heap);
}

/* Setup and teardown of a stepped switch; the test calls rig_start(). */
static inline int rig_begin(void **state)
{
	rig.record = true;
	rig.threads = rig.use_fd = rig.broken = rig.down = rig.linger = false;
	rig.opened = rig.closed = rig.updated = 0;
	return 0;
}

static inline int rig_end(void **state)
{
	if (switch_state.started)
		rig_stop();
	return 0;
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_begin, rig_end)

#endif
