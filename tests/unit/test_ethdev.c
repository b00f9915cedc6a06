/*
 * Uplinks over a net_ring device, which brings back what is sent: what one of its ports sends comes
 * in again at the port of the same VLAN, whichever port's worker looks. No privileges, no hardware.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "config.h"
#include "ethdev.h"
#include "ethdev_pool.h"
#include "port_driver.h"
#include "trunk_port.h"

#define BUFFERS 4095
#define FRAME   60

static unsigned wakes, changes, synchronized;
static char err[256];

static void on_wake(struct port_dev *dev)
{
	wakes++;
}

static void on_changed(struct port_dev *dev)
{
	changes++;
}

static void on_synchronize(void)
{
	synchronized++;
}

static int setup(void **state)
{
	char *argv[] = {"test_ethdev", "--no-huge", "--no-shconf", "--allow=ffff:ff:1f.7", "-m",
		"256", "--no-telemetry", "--log-level=error", NULL};
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) != 0 || rte_eal_init(8, argv) < 0)
		return -1;
	sched_setaffinity(0, sizeof(cores), &cores);
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	port_env.wake = on_wake;
	port_env.changed = on_changed;
	port_env.synchronize = on_synchronize;
	return port_env.pool != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	return rte_eal_cleanup();
}

static uint16_t eth_of(struct port_dev *dev)
{
	return ((const struct ethdev *)trunk_port(dev)->trunk->device)->eth;
}

static struct config_port conf_of(const char *device, uint16_t vlan)
{
	struct config_port conf = {.kind = CONFIG_PORT_UPLINK, .mtu = 1500};

	snprintf(conf.name, sizeof(conf.name), "up.%u", vlan);
	snprintf(conf.uplink.device, sizeof(conf.uplink.device), "%s", device);
	conf.uplink.queues = 1;
	conf.uplink.mtu = 1500;
	conf.uplink.vlan = vlan;
	return conf;
}

static struct port_dev *open_conf(const struct config_port *conf)
{
	struct port_dev *dev = uplink_driver.open(
		conf, 10 + conf->uplink.vlan % 10, err, sizeof(err));

	if (dev == NULL)
		fail_msg("%s", err);
	return dev;
}

static struct port_dev *open_vlan(uint16_t vlan)
{
	struct config_port conf = conf_of("net_ring0", vlan);

	return open_conf(&conf);
}

static void close_dev(struct port_dev *dev)
{
	uplink_driver.close(dev);
}

/* Nothing is left: no device, and no buffer on its way. */
static void assert_nothing_left(void)
{
	assert_int_equal(rte_eth_dev_count_avail(), 0);
	assert_int_equal(rte_mempool_in_use_count(port_env.pool), 0);
}

/* A broadcast frame: `head` in hex behind the MACs, then bytes that tell it from others. */
static struct rte_mbuf *frame(const char *head, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);
	uint8_t *data;

	assert_non_null(m);
	data = (uint8_t *)rte_pktmbuf_append(m, len);
	memset(data, 0xff, 6);
	for (unsigned i = 6; i < len; i++)
		data[i] = (uint8_t)i;
	for (unsigned i = 0; head[2 * i] != '\0'; i++) {
		unsigned byte;

		assert_int_equal(sscanf(head + 2 * i, "%2x", &byte), 1);
		data[12 + i] = (uint8_t)byte;
	}
	m->l2_len = 14;
	return m;
}

static void assert_head(const struct rte_mbuf *m, const char *head)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

	for (unsigned i = 0; head[2 * i] != '\0'; i++) {
		unsigned byte;

		assert_int_equal(sscanf(head + 2 * i, "%2x", &byte), 1);
		assert_int_equal(data[12 + i], byte);
	}
}

static uint16_t send_one(struct port_dev *dev, struct rte_mbuf *m)
{
	return dev->driver->tx_burst(dev, 0, &m, 1);
}

static unsigned receive(struct port_dev *dev, struct rte_mbuf **pkts, unsigned n)
{
	unsigned got = 0;

	/* Another port may just have found the queue empty. */
	for (unsigned i = 0; i < 1000 && got < n; i++)
		got += dev->driver->rx_burst(dev, 0, pkts + got, (uint16_t)(n - got));
	return got;
}

/* What comes in from the wire, whatever it is. */
static void inject(struct port_dev *dev, struct rte_mbuf *m)
{
	assert_int_equal(rte_eth_tx_burst(eth_of(dev), 0, &m, 1), 1);
}

static json_int_t shown(struct port_dev *dev, const char *object, const char *name)
{
	json_t *row = dev->driver->describe(dev);
	json_t *at = object != NULL ? json_object_get(row, object) : row;
	json_int_t value;

	assert_true(json_is_integer(json_object_get(at, name)));
	value = json_integer_value(json_object_get(at, name));
	json_decref(row);
	return value;
}

static void test_frames_find_the_port_of_their_vlan(void **state)
{
	struct port_dev *red = open_vlan(101), *blue = open_vlan(202), *plain = open_vlan(0);
	struct rte_mbuf *m, *in[4];

	assert_int_equal(rte_eth_dev_count_avail(), 1);
	assert_int_equal(send_one(red, frame("0800", FRAME)), 1);
	assert_int_equal(send_one(blue, frame("0806", FRAME)), 1);
	assert_int_equal(send_one(plain, frame("86dd", FRAME)), 1);
	/* On the wire. */
	assert_int_equal(rte_eth_rx_burst(eth_of(red), 0, in, 4), 3);
	assert_head(in[0], "810000650800");
	assert_head(in[1], "810000ca0806");
	assert_head(in[2], "86dd");
	for (unsigned i = 0; i < 3; i++)
		inject(red, in[i]);
	/* Blue looks, and so red and plain have theirs. */
	assert_int_equal(receive(blue, &m, 1), 1);
	assert_head(m, "0806");
	assert_int_equal(m->port, blue->id);
	assert_int_equal(m->pkt_len, FRAME);
	rte_pktmbuf_free(m);
	assert_int_equal(receive(red, &m, 1), 1);
	assert_head(m, "0800");
	assert_int_equal(m->port, red->id);
	rte_pktmbuf_free(m);
	assert_int_equal(receive(plain, &m, 1), 1);
	assert_head(m, "86dd");
	assert_int_equal(m->port, plain->id);
	rte_pktmbuf_free(m);
	close_dev(red);
	close_dev(plain);
	assert_int_equal(rte_eth_dev_count_avail(), 1);
	close_dev(blue);
	assert_int_equal(synchronized, 3);
	assert_nothing_left();
}

static void test_strays_are_counted(void **state)
{
	struct port_dev *dev = open_vlan(101);
	struct rte_mbuf *m;

	inject(dev, frame("810000640800", FRAME)); /* VLAN 100 */
	inject(dev, frame("81000fff0800", FRAME));
	inject(dev, frame("0800", FRAME));
	inject(dev, frame("8100e0000800", FRAME));
	inject(dev, frame("81000065810000c80800", FRAME));
	inject(dev, frame("810000650800", 17));
	inject(dev, frame("810060650800", FRAME)); /* this one is its own */
	assert_int_equal(receive(dev, &m, 1), 1);
	assert_int_equal(m->vlan_tci, 0x6000);
	rte_pktmbuf_free(m);
	assert_int_equal(shown(dev, "device", "rx_unknown_vlan"), 2);
	assert_int_equal(shown(dev, "device", "rx_untagged"), 2);
	assert_int_equal(shown(dev, "device", "rx_double_tag"), 1);
	assert_int_equal(shown(dev, "device", "rx_too_short"), 1);
	assert_int_equal(shown(dev, NULL, "vlan"), 101);
	close_dev(dev);
	assert_nothing_left();
}

static void test_guests_choose_no_vlan(void **state)
{
	struct port_dev *plain = open_vlan(0), *red = open_vlan(101);
	struct rte_mbuf *m;

	/* Taken, so that it is not offered again, and dropped. */
	assert_int_equal(send_one(plain, frame("810000650800", FRAME)), 1);
	assert_int_equal(send_one(plain, frame("8100e0000800", FRAME)), 1);
	assert_int_equal(send_one(red, frame("88a800ca0800", FRAME)), 1);
	assert_int_equal(receive(red, &m, 1) + receive(plain, &m, 1), 0);
	assert_int_equal(shown(plain, NULL, "tx_double_tag"), 2);
	assert_int_equal(shown(red, NULL, "tx_double_tag"), 1);
	assert_int_equal(uplink_driver.close(plain), 2); /* late drops */
	assert_int_equal(uplink_driver.close(red), 1);
	assert_nothing_left();
}

static void test_qinq_where_it_may_be(void **state)
{
	struct config_port red = conf_of("net_ring0", 101), plain = conf_of("net_ring0", 0);
	struct port_dev *tagged, *bare;
	struct rte_mbuf *m;

	red.uplink.qinq = plain.uplink.qinq = true;
	tagged = open_conf(&red);
	bare = open_conf(&plain);
	assert_int_equal(send_one(tagged, frame("810000ca0800", FRAME)), 1);
	assert_int_equal(receive(tagged, &m, 1), 1);
	assert_head(m, "810000ca0800");
	rte_pktmbuf_free(m);
	assert_int_equal(send_one(bare, frame("810000ca0800", FRAME)), 1);
	assert_int_equal(receive(bare, &m, 1), 0);
	close_dev(tagged);
	assert_int_equal(uplink_driver.close(bare), 1);
	assert_nothing_left();
}

static void test_shared_packets_are_not_written(void **state)
{
	struct port_dev *dev = open_vlan(101);
	struct rte_mbuf *m = frame("0800", FRAME), *in;

	rte_mbuf_refcnt_update(m, 1); /* another receiver's */
	assert_int_equal(send_one(dev, m), 1);
	assert_head(m, "0800");
	assert_int_equal(m->pkt_len, FRAME);
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	assert_int_equal(receive(dev, &in, 1), 1);
	assert_ptr_not_equal(in, m);
	assert_memory_equal(rte_pktmbuf_mtod(in, void *), rte_pktmbuf_mtod(m, void *), FRAME);
	rte_pktmbuf_free(in);

	/* Nor is one without room ahead of it. */
	rte_pktmbuf_prepend(m, rte_pktmbuf_headroom(m));
	m->data_off = 2;
	m->data_len = m->pkt_len = FRAME;
	memset(rte_pktmbuf_mtod(m, void *), 0x77, FRAME);
	assert_int_equal(send_one(dev, m), 1);
	assert_int_equal(receive(dev, &in, 1), 1);
	assert_int_equal(*rte_pktmbuf_mtod_offset(in, uint8_t *, FRAME - 1), 0x77);
	assert_int_equal(in->pkt_len, FRAME);
	rte_pktmbuf_free(in);
	close_dev(dev);
	assert_nothing_left();
}

/* What a device takes no more of goes back as it was, to be offered again. */
static void test_full_device(void **state)
{
	struct port_dev *dev = open_vlan(101);
	struct rte_mbuf *pkts[PORT_BURST_MAX], *in;
	unsigned sent = 0, taken;

	do {
		for (unsigned i = 0; i < PORT_BURST_MAX; i++)
			pkts[i] = frame("0800", FRAME);
		rte_mbuf_refcnt_update(pkts[PORT_BURST_MAX - 1], 1);
		taken = dev->driver->tx_burst(dev, 0, pkts, PORT_BURST_MAX);
		sent += taken;
		rte_pktmbuf_free(pkts[PORT_BURST_MAX - 1]); /* the other receiver is done with it */
	} while (taken == PORT_BURST_MAX && sent < 2048);
	assert_in_range(sent, 500, 2047);
	for (unsigned i = taken; i < PORT_BURST_MAX; i++) {
		assert_head(pkts[i], "0800");
		assert_int_equal(pkts[i]->pkt_len, FRAME);
		assert_int_equal(pkts[i]->l2_len, 14);
		rte_pktmbuf_free(pkts[i]);
	}
	for (unsigned i = 0; i < sent; i++) {
		assert_int_equal(receive(dev, &in, 1), 1);
		rte_pktmbuf_free(in);
	}
	assert_int_equal(uplink_driver.close(dev), 0);
	assert_nothing_left();
}

static void assert_refused(struct port_dev *dev, struct rte_mbuf *m)
{
	json_int_t before = shown(dev, NULL, "tx_refused");
	struct rte_mbuf *in;

	assert_int_equal(send_one(dev, m), 1);
	assert_int_equal(shown(dev, NULL, "tx_refused"), before + 1);
	assert_int_equal(receive(dev, &in, 1), 0);
}

/* Whatever the stages before it promise. */
static void test_nothing_goes_that_the_device_does_not_take(void **state)
{
	struct port_dev *dev = open_vlan(101);
	struct trunk *trunk = trunk_port(dev)->trunk;
	struct rte_mbuf *m = frame("0800", FRAME);

	assert_int_equal(trunk->tx_caps, PORT_TX_CHAINS); /* net_ring's */
	trunk->tx_caps = 0;
	rte_pktmbuf_chain(m, frame("0800", FRAME));
	assert_refused(dev, m);
	m = frame("0800", FRAME);
	m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
	assert_refused(dev, m);
	m = frame("0800", FRAME);
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4;
	assert_refused(dev, m);
	trunk->tx_caps = PORT_TX_CSUM;
	m = frame("0800", FRAME);
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
	assert_refused(dev, m);
	assert_refused(dev, frame("0800", 1600));
	assert_refused(dev, frame("", 10));
	m = frame("0800", FRAME);
	m->ol_flags |= RTE_MBUF_F_TX_SCTP_CKSUM | RTE_MBUF_F_TX_IPV4;
	assert_refused(dev, m);
	assert_int_equal(send_one(dev, frame("0800", 1514)), 1);
	assert_int_equal(receive(dev, &m, 1), 1);
	rte_pktmbuf_free(m);
	assert_int_equal(uplink_driver.close(dev), 7);
	assert_nothing_left();
}

/* A packet to be cut, of headers and segments of so many bytes. */
static struct rte_mbuf *to_be_cut(uint16_t l3, uint16_t l4, uint16_t segment)
{
	struct rte_mbuf *m = frame("0800", 1400);

	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
	m->l3_len = l3;
	m->l4_len = l4;
	m->tso_segsz = segment;
	return m;
}

/* What a NIC with TSO must not be given: some stop for good. */
static void test_nothing_goes_that_cannot_be_cut(void **state)
{
	struct port_dev *dev = open_vlan(101);
	struct trunk *trunk = trunk_port(dev)->trunk;
	struct rte_mbuf *m;

	trunk->tx_caps = PORT_TX_CHAINS | PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6;
	assert_refused(dev, to_be_cut(20, 20, 0));
	assert_refused(dev, to_be_cut(0, 20, 500));
	assert_refused(dev, to_be_cut(20, 0, 500));
	assert_refused(dev, to_be_cut(20, 20, 1500)); /* longer than any frame of this uplink */
	m = to_be_cut(20, 20, 500);
	m->l2_len = 100;
	m->l3_len = 400;
	m->l4_len = 200;
	rte_pktmbuf_trim(m, 1400 - 700); /* nothing behind its headers */
	assert_refused(dev, m);
	m = frame("0800", FRAME);
	trunk->segments = 2;
	for (unsigned i = 0; i < 2; i++)
		rte_pktmbuf_chain(m, frame("0800", FRAME));
	assert_refused(dev, m);
	m = frame("0800", FRAME);
	rte_pktmbuf_chain(m, frame("0800", FRAME));
	assert_int_equal(send_one(dev, m), 1);
	assert_int_equal(receive(dev, &m, 1), 1);
	rte_pktmbuf_free(m);
	assert_int_equal(send_one(dev, to_be_cut(20, 20, 1460)), 1);
	assert_int_equal(receive(dev, &m, 1), 1);
	rte_pktmbuf_free(m);
	assert_int_equal(uplink_driver.close(dev), 6);
	assert_nothing_left();
}

static void test_a_port_that_is_behind_loses_its_own(void **state)
{
	struct port_dev *red = open_vlan(101), *blue = open_vlan(202);
	struct rte_mbuf *m;
	unsigned n = 0;

	red->driver->rx_notify(red, 0, true);
	wakes = 0;
	for (unsigned i = 0; i < 700; i++) {
		assert_int_equal(send_one(red, frame("0800", FRAME)), 1);
		if (i % 16 == 15)
			assert_int_equal(send_one(blue, frame("0806", FRAME)), 1);
		while (blue->driver->rx_burst(blue, 0, &m, 1) == 1) {
			assert_head(m, "0806");
			rte_pktmbuf_free(m);
			n++;
		}
	}
	for (; receive(blue, &m, 1) == 1; n++)
		rte_pktmbuf_free(m);
	assert_int_equal(n, 43);
	assert_true(wakes > 0);
	n = 0;
	for (; receive(red, &m, 1) == 1; n++)
		rte_pktmbuf_free(m);
	assert_int_equal(n, 511);
	assert_int_equal(shown(red, NULL, "rx_overflow"), 700 - 511);
	assert_int_equal(shown(blue, NULL, "rx_overflow"), 0);
	close_dev(red);
	close_dev(blue);
	assert_nothing_left();
}

static void test_a_queue_that_another_has_is_left_alone(void **state)
{
	struct port_dev *dev = open_vlan(101);
	struct trunk *trunk = trunk_port(dev)->trunk;
	struct rte_mbuf *m;

	assert_int_equal(send_one(dev, frame("0800", FRAME)), 1);
	atomic_store(&trunk->rx[0].taken, true);
	assert_int_equal(receive(dev, &m, 1), 0);
	atomic_store(&trunk->rx[0].taken, false);
	assert_int_equal(receive(dev, &m, 1), 1);
	rte_pktmbuf_free(m);
	assert_false(atomic_load(&trunk->rx[0].taken));
	close_dev(dev);
	assert_nothing_left();
}

/* Closed with frames in its ring and in the device. */
static void test_closed_with_frames_on_their_way(void **state)
{
	struct port_dev *red = open_vlan(101), *blue = open_vlan(202);
	struct rte_mbuf *m;

	assert_int_equal(send_one(red, frame("0800", FRAME)), 1);
	assert_int_equal(receive(blue, &m, 1), 0);
	close_dev(red);
	/* It is no one's now. */
	inject(blue, frame("810000650800", FRAME));
	assert_int_equal(receive(blue, &m, 1), 0);
	assert_int_equal(shown(blue, "device", "rx_unknown_vlan"), 1);
	close_dev(blue);
	assert_nothing_left();
}

static void test_devices_that_cannot_be_opened(void **state)
{
	static const struct {
		const char *device, *message;
	} bad[] = {
		{"net_nosuchdriver0", "cannot be made"},
		{"net_af_packet0", "names no interface"},
		{"net_af_packet0,iface=nosuch0", "there is no interface nosuch0"},
		{"0000:fe:1f.5", "this host has no such PCI device"},
	};

	for (unsigned i = 0; i < RTE_DIM(bad); i++) {
		struct config_port conf = conf_of(bad[i].device, 101);

		for (unsigned again = 0; again < 2; again++) {
			assert_null(uplink_driver.open(&conf, 1, err, sizeof(err)));
			assert_non_null(strstr(err, bad[i].message));
		}
	}
	assert_nothing_left();
}

static void test_limits_of_a_device(void **state)
{
	struct config_port conf = conf_of("net_ring0", 101);
	struct port_dev *dev;

	conf.uplink.queues = 16;
	dev = open_conf(&conf);
	assert_int_equal(atomic_load(&dev->rx_ready), 0xffff);
	assert_int_equal(atomic_load(&dev->tx_ready), 1);
	close_dev(dev);
	conf = conf_of("net_null0", 101);
	conf.uplink.queues = 2;
	conf.uplink.mtu = 40;
	assert_null(uplink_driver.open(&conf, 1, err, sizeof(err)));
	assert_non_null(strstr(err, "does not take its configuration"));
	assert_nothing_left();
}

static void test_update(void **state)
{
	struct config_port conf = conf_of("net_ring0", 101), other = conf;
	struct port_dev *dev = open_conf(&conf);

	conf.mtu = 1400;
	assert_int_equal(uplink_driver.update(dev, &conf), 0);
	assert_int_equal(atomic_load(&dev->mtu), 1400);
	other.uplink.vlan = 102;
	assert_int_equal(uplink_driver.update(dev, &other), -1);
	other = conf;
	other.uplink.mtu = 9000;
	assert_int_equal(uplink_driver.update(dev, &other), -1);
	other = conf;
	snprintf(other.uplink.device, sizeof(other.uplink.device), "net_ring1");
	assert_int_equal(uplink_driver.update(dev, &other), -1);
	close_dev(dev);
	assert_nothing_left();
}

static void test_links_and_removal_are_seen(void **state)
{
	struct port_dev *dev = open_vlan(101);
	uint16_t eth = eth_of(dev);
	json_t *row;

	changes = 0;
	uplink_driver.check(dev);
	assert_int_equal(changes, 0);
	assert_int_equal(rte_eth_dev_set_link_down(eth), 0);
	uplink_driver.check(dev);
	assert_int_equal(changes, 1);
	assert_int_equal(atomic_load(&dev->rx_ready) | atomic_load(&dev->tx_ready), 0);
	row = uplink_driver.describe(dev);
	assert_string_equal(json_string_value(json_object_get(row, "state")), "down");
	json_decref(row);
	assert_int_equal(rte_eth_dev_set_link_up(eth), 0);
	uplink_driver.check(dev);
	assert_int_equal(changes, 2);
	assert_int_equal(atomic_load(&dev->tx_ready), 1);
	assert_false(atomic_load(&dev->lost));
	atomic_store(&((struct ethdev *)trunk_port(dev)->trunk->device)->gone, true);
	uplink_driver.check(dev);
	assert_true(atomic_load(&dev->lost));
	assert_int_equal(atomic_load(&dev->tx_ready), 0);
	close_dev(dev);
	assert_nothing_left();
}

/* A pool is taken again by the next device, also with buffers still on their way. */
static void test_pools_outlive_devices(void **state)
{
	struct rte_mempool *pool = ethdev_pool_take(1023, 0, err, sizeof(err));
	struct rte_mbuf *m;

	assert_non_null(pool);
	m = rte_pktmbuf_alloc(pool);
	assert_non_null(m);
	ethdev_pool_give(pool);
	assert_ptr_equal(ethdev_pool_take(1023, 0, err, sizeof(err)), pool);
	ethdev_pool_give(pool);
	rte_pktmbuf_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_find_the_port_of_their_vlan),
		cmocka_unit_test(test_strays_are_counted),
		cmocka_unit_test(test_guests_choose_no_vlan),
		cmocka_unit_test(test_qinq_where_it_may_be),
		cmocka_unit_test(test_shared_packets_are_not_written),
		cmocka_unit_test(test_full_device),
		cmocka_unit_test(test_nothing_goes_that_the_device_does_not_take),
		cmocka_unit_test(test_nothing_goes_that_cannot_be_cut),
		cmocka_unit_test(test_a_port_that_is_behind_loses_its_own),
		cmocka_unit_test(test_a_queue_that_another_has_is_left_alone),
		cmocka_unit_test(test_closed_with_frames_on_their_way),
		cmocka_unit_test(test_devices_that_cannot_be_opened),
		cmocka_unit_test(test_limits_of_a_device),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_links_and_removal_are_seen),
		cmocka_unit_test(test_pools_outlive_devices),
	};

	return cmocka_run_group_tests_name("ethdev", tests, setup, teardown);
}
