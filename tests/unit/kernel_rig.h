/* What the tests of kernel ports have in common: EAL, a pool, the environment of a driver. */
#ifndef VS_TEST_KERNEL_RIG_H
#define VS_TEST_KERNEL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "config.h"
#include "netns.h"
#include "port_driver.h"

#define RIG_BUFFERS   8191
#define RIG_ETHERTYPE 0x88b5 /* IEEE 802: local experimental use */

/* The product's own, where the test is linked with it. */
__attribute__((weak)) struct port_env port_env;

static int rig_wake_fd = -1;
static _Atomic unsigned rig_wakes;
static _Atomic unsigned rig_changes;
static const char *rig_reason; /* why nothing can be tested here */
static char rig_names[4][32]; /* of namespaces, made by rig_netns() */

static inline void rig_wake(struct port_dev *dev)
{
	const uint64_t one = 1;

	atomic_fetch_add(&rig_wakes, 1);
	if (write(rig_wake_fd, &one, sizeof(one)) < 0)
		abort();
}

static inline void rig_changed(struct port_dev *dev)
{
	atomic_fetch_add(&rig_changes, 1);
}

static inline void rig_synchronize(void)
{
}

/* EAL would keep the main thread, and all that it starts, on one core. */
static inline int rig_eal(const char *program)
{
	char *argv[] = {(char *)(uintptr_t)program, "--no-huge", "--no-shconf", "--no-pci", "-m",
		"64", "--no-telemetry", "--log-level=error", NULL};
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) != 0 || rte_eal_init(8, argv) < 0)
		return -1;
	return sched_setaffinity(0, sizeof(cores), &cores);
}

static inline int rig_setup(void **state)
{
	rig_reason = netns_unusable();
	if (rig_reason != NULL)
		return 0;
	if (rig_eal("test_kernel") != 0)
		return -1;
	rig_wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", RIG_BUFFERS, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	port_env.wake = rig_wake;
	port_env.changed = rig_changed;
	port_env.synchronize = rig_synchronize;
	return port_env.pool != NULL ? 0 : -1;
}

static inline int rig_teardown(void **state)
{
	if (rig_reason != NULL)
		return 0;
	close(rig_wake_fd);
	return rte_eal_cleanup();
}

#define rig_skip_unless_usable()                                                                   \
	do {                                                                                       \
		if (rig_reason != NULL) {                                                          \
			print_message("skipped: %s\n", rig_reason);                                \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* Makes namespace number n, and returns its name. rig_clean() removes it, however the test ends. */
static inline const char *rig_netns(unsigned n)
{
	snprintf(rig_names[n], sizeof(rig_names[n]), "vs-unit-%d-%u", (int)getpid(), n);
	assert_int_equal(netns_command("ip netns add %s", rig_names[n]), 0);
	return rig_names[n];
}

static inline void rig_netns_del(unsigned n)
{
	assert_int_equal(netns_command("ip netns del %s", rig_names[n]), 0);
	rig_names[n][0] = '\0';
}

/* After each test. */
static inline int rig_clean(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		if (rig_names[i][0] != '\0')
			netns_command("ip netns del %s", rig_names[i]);
		rig_names[i][0] = '\0';
	}
	return 0;
}

static inline struct config_port rig_conf(const char *interface, const char *netns)
{
	struct config_port conf = {.kind = CONFIG_PORT_KERNEL, .mtu = 1500};

	snprintf(conf.name, sizeof(conf.name), "port-%s", interface);
	snprintf(conf.kernel.interface, sizeof(conf.kernel.interface), "%s", interface);
	snprintf(conf.kernel.netns, sizeof(conf.kernel.netns), "%.63s", netns);
	return conf;
}

static inline struct port_dev *rig_open(const struct config_port *conf, uint16_t id)
{
	char err[256] = "";
	struct port_dev *dev = kernel_driver.open(conf, id, err, sizeof(err));

	if (dev == NULL)
		fail_msg("%s", err);
	return dev;
}

/* A quiet interface: the kernel sends nothing on it by itself. */
static inline void rig_no_ipv6(const char *netns)
{
	assert_int_equal(
		netns_command("ip netns exec %s sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/"
			      "disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'",
			netns),
		0);
}

static inline void rig_fill(uint8_t *frame, unsigned len, unsigned seed)
{
	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\x02\x00\x00\x00\x00\x77", 6);
	frame[12] = RIG_ETHERTYPE >> 8;
	frame[13] = RIG_ETHERTYPE & 0xff;
	for (unsigned i = 14; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + seed + (i >> 8));
}

/* A frame as rig_fill() makes it, in segments of `step` bytes. */
static inline struct rte_mbuf *rig_mbuf(unsigned len, unsigned seed, unsigned step)
{
	uint8_t frame[9100];
	struct rte_mbuf *head = rte_pktmbuf_alloc(port_env.pool);

	assert_true(len <= sizeof(frame) && head != NULL);
	rig_fill(frame, len, seed);
	for (unsigned at = 0; at < len; at += step) {
		struct rte_mbuf *m = at == 0 ? head : rte_pktmbuf_alloc(port_env.pool);
		unsigned n = RTE_MIN(step, len - at);

		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, n), frame + at, n);
		if (m != head)
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
	}
	return head;
}

/* The next of our frames from dev; others (ARP, neighbours) are passed over. NULL: none came. */
static inline struct rte_mbuf *rig_receive(struct port_dev *dev)
{
	long end = netns_now_ms() + NETNS_WAIT_MS;
	struct rte_mbuf *m;

	while (netns_now_ms() < end) {
		const struct rte_ether_hdr *eth;

		if (dev->driver->rx_burst(dev, 0, &m, 1) == 0) {
			usleep(100);
			continue;
		}
		eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
		if (eth->ether_type == htons(RIG_ETHERTYPE))
			return m;
		rte_pktmbuf_free(m);
	}
	return NULL;
}

/* The next of our frames from a packet socket; its length, or -1 where none came. */
static inline ssize_t rig_recv(int fd, uint8_t *frame, size_t len)
{
	for (unsigned i = 0; i < 1000; i++) {
		ssize_t n = recv(fd, frame, len, 0);

		if (n < 14)
			return -1;
		if (frame[12] == RIG_ETHERTYPE >> 8 && frame[13] == (RIG_ETHERTYPE & 0xff))
			return n;
	}
	return -1;
}

static inline json_int_t rig_counter(struct port_dev *dev, const char *name)
{
	json_t *state = dev->driver->describe(dev);
	json_int_t value;

	assert_true(json_is_integer(json_object_get(state, name)));
	value = json_integer_value(json_object_get(state, name));
	json_decref(state);
	return value;
}

/* True where describe() has a field of this value; NULL: null. */
static inline bool rig_shows(struct port_dev *dev, const char *name, const char *value)
{
	json_t *state = dev->driver->describe(dev);
	json_t *field = json_object_get(state, name);
	bool same = value == NULL
			    ? json_is_null(field)
			    : json_is_string(field) && strcmp(json_string_value(field), value) == 0;

	json_decref(state);
	return same;
}

static inline unsigned rig_in_use(void)
{
	return rte_mempool_in_use_count(port_env.pool);
}

#endif
