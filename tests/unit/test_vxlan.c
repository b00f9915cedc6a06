/*
 * VXLAN ports over a net_ring device: what they put on the wire is taken from it here, and what
 * peers would send is put there. No privileges, no hardware.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "config.h"
#include "ethdev.h"
#include "port_driver.h"
#include "vxlan_port.h"
#include "vxlan_resolve.h"

#define BUFFERS 4095
#define FRAME   60
#define MTU     1500

static unsigned changes;
static char err[256];

static const struct rte_ether_addr peer_mac = {{2, 0, 0, 0, 0, 0xbb}};

static void on_wake(struct port_dev *dev)
{
}

static void on_changed(struct port_dev *dev)
{
	changes++;
}

static void on_synchronize(void)
{
}

static int setup(void **state)
{
	char *argv[] = {"test_vxlan", "--no-huge", "--no-shconf", "--allow=ffff:ff:1f.7", "-m",
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

static struct addr address(const char *text)
{
	struct addr_span span;

	assert_true(addr_span_parse(text, &span));
	return span.first;
}

/* A port to peer; the underlay is 192.0.2.1/24 or 2001:db8::1/64 in VLAN `vlan`. */
static struct config_port conf_of(uint32_t vni, const char *peer, uint16_t vlan)
{
	struct config_port conf = {.kind = CONFIG_PORT_VXLAN, .mtu = MTU - 70};
	struct config_underlay *underlay = &conf.vxlan.underlay;
	bool ipv6 = strchr(peer, ':') != NULL;

	snprintf(conf.name, sizeof(conf.name), "up.%s.%u", peer, vni);
	snprintf(conf.uplink.device, sizeof(conf.uplink.device), "net_ring0");
	conf.uplink.queues = 1;
	conf.uplink.mtu = MTU;
	conf.uplink.vlan = vlan;
	underlay->local = address(ipv6 ? "2001:db8::1" : "192.0.2.1");
	underlay->on_link = addr_prefix(underlay->local, ipv6 ? 64 : 24);
	underlay->gateway = address(ipv6 ? "2001:db8::fe" : "192.0.2.254");
	underlay->udp_port = 4789;
	underlay->mtu = MTU;
	conf.vxlan.peer = address(peer);
	conf.vxlan.vni = vni;
	return conf;
}

static struct port_dev *open_conf(const struct config_port *conf)
{
	static const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 0xaa}};
	static uint16_t id = 10;
	struct trunk *trunk = trunk_hold(&conf->uplink, err, sizeof(err));
	struct port_dev *dev;

	assert_non_null(trunk);
	trunk->mac = mac; /* net_ring has none */
	dev = vxlan_driver.open(conf, id++, err, sizeof(err));
	trunk_release(trunk);
	if (dev == NULL)
		fail_msg("%s", err);
	return dev;
}

static struct port_dev *open_port(uint32_t vni, const char *peer, uint16_t vlan)
{
	struct config_port conf = conf_of(vni, peer, vlan);

	return open_conf(&conf);
}

static struct vxlan_underlay *underlay_of(struct port_dev *dev)
{
	return vxlan_port(dev)->underlay;
}

static uint16_t eth_of(struct port_dev *dev)
{
	return ((const struct ethdev *)underlay_of(dev)->trunk->device)->eth;
}

static void close_dev(struct port_dev *dev)
{
	vxlan_driver.close(dev);
}

static void assert_nothing_left(void)
{
	assert_int_equal(rte_eth_dev_count_avail(), 0);
	assert_int_equal(rte_mempool_in_use_count(port_env.pool), 0);
}

/* What the wire has; the test frees it or puts it back. */
static struct rte_mbuf *wire(struct port_dev *dev)
{
	struct rte_mbuf *m = NULL;

	return rte_eth_rx_burst(eth_of(dev), 0, &m, 1) == 1 ? m : NULL;
}

static void inject(struct port_dev *dev, struct rte_mbuf *m)
{
	assert_int_equal(rte_eth_tx_burst(eth_of(dev), 0, &m, 1), 1);
}

static unsigned receive(struct port_dev *dev, struct rte_mbuf **pkts, unsigned n)
{
	unsigned got = 0;

	/* Another port may just have found the queue empty. */
	for (unsigned i = 0; i < 1000 && got < n; i++)
		got += dev->driver->rx_burst(dev, 0, pkts + got, (uint16_t)(n - got));
	return got;
}

/* The port's worker looks, and there is nothing for it. */
static void look(struct port_dev *dev)
{
	struct rte_mbuf *m;

	assert_int_equal(receive(dev, &m, 1), 0);
}

static struct rte_mbuf *frame(uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);
	uint8_t *data;

	assert_non_null(m);
	data = (uint8_t *)rte_pktmbuf_append(m, len);
	for (unsigned i = 0; i < len; i++)
		data[i] = (uint8_t)i;
	m->l2_len = 14;
	m->hash.rss = 0x12345678;
	return m;
}

static void assert_frame(struct rte_mbuf *m, uint16_t len)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

	assert_int_equal(m->pkt_len, len);
	for (unsigned i = 0; i < len; i++)
		assert_int_equal(data[i], (uint8_t)i);
	rte_pktmbuf_free(m);
}

static uint16_t send_one(struct port_dev *dev, struct rte_mbuf *m)
{
	return dev->driver->tx_burst(dev, 0, &m, 1);
}

/* All that was lost of the device's frames, under whatever reason. */
static json_int_t drops_in_switch(struct port_dev *dev)
{
	json_t *row = dev->driver->describe(dev);
	json_t *drops = json_object_get(json_object_get(row, "device"), "drops");
	json_int_t n = json_integer_value(json_object_get(drops, "in_switch"));

	json_decref(row);
	return n;
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

static void assert_state(struct port_dev *dev, const char *state, const char *error)
{
	json_t *row = dev->driver->describe(dev);
	const char *why = json_string_value(json_object_get(row, "error"));

	assert_string_equal(json_string_value(json_object_get(row, "state")), state);
	if (error == NULL)
		assert_null(why);
	else
		assert_non_null(strstr(why, error));
	json_decref(row);
}

/* The question that waits is sent and taken off the wire; who is asked for answers. */
static void answer(struct port_dev *dev, const char *who, uint16_t vlan)
{
	struct vxlan_end other = {.address = address(who), .mac = peer_mac, .udp_port = 4789};
	struct vxlan_said said;
	struct rte_mbuf *m;

	vxlan_underlay_poll(underlay_of(dev));
	m = wire(dev);
	assert_non_null(m);
	assert_int_equal(trunk_tag_pop(m, false), vlan);
	assert_int_equal(vxlan_resolve_hear(m, &other, &said), VXLAN_RESOLVE_ASKED);
	assert_true(addr_equal(said.address, underlay_of(dev)->conf.local));
	if (vlan != 0)
		trunk_tag_push(m, vlan);
	inject(dev, m);
	look(dev);
}

/* A frame in VXLAN from a peer, put on the wire. */
static void arrives(struct port_dev *dev, const char *from, uint32_t vni, uint16_t vlan)
{
	struct vxlan_underlay *u = underlay_of(dev);
	struct vxlan_end other = {.address = address(from), .mac = peer_mac, .udp_port = 4789};
	struct vxlan_headers headers;
	struct rte_mbuf *m = frame(FRAME);

	vxlan_headers_init(&headers, &other, u->conf.local, vni);
	vxlan_push(m, &headers, &u->end.mac, 7);
	m->vlan_tci = 0;
	if (vlan != 0)
		trunk_tag_push(m, vlan);
	inject(dev, m);
}

/* Asked for at once; what is sent goes there in VXLAN, and only there, under the underlay's tag. */
static void to_a_neighbour(const char *peer, uint16_t vlan)
{
	struct port_dev *dev = open_port(5000, peer, vlan);
	struct vxlan_end other = {.address = address(peer), .mac = peer_mac, .udp_port = 4789};
	struct vxlan_arrival a;
	struct rte_mbuf *m;

	assert_int_equal(dev->tx_ready, 0);
	assert_int_equal(dev->rx_ready, 1);
	assert_int_equal(dev->tx_caps & ~PORT_TX_CHAINS, 0);
	assert_state(dev, "unresolved", "does not say where it is");
	answer(dev, peer, vlan);
	assert_int_equal(dev->tx_ready, 1);
	assert_state(dev, "up", NULL);
	assert_int_equal(send_one(dev, frame(FRAME)), 1);
	m = wire(dev);
	assert_non_null(m);
	assert_int_equal(trunk_tag_pop(m, false), vlan);
	assert_int_equal(vxlan_parse(m, &other, &a), 0);
	assert_true(addr_equal(a.from, underlay_of(dev)->conf.local));
	assert_int_equal(a.vni, 5000);
	assert_true(vxlan_pop(m, &a));
	assert_frame(m, FRAME);
	assert_null(wire(dev));
	close_dev(dev);
	assert_nothing_left();
}

static void test_to_neighbours(void **state)
{
	to_a_neighbour("192.0.2.2", 0);
	to_a_neighbour("192.0.2.2", 9);
	to_a_neighbour("2001:db8::2", 0);
	to_a_neighbour("2001:db8::2", 9);
}

/* Who is further away is reached through the gateway; two that are there are asked for once. */
static void test_through_the_gateway(void **state)
{
	struct port_dev *near = open_port(1, "198.51.100.1", 0);
	struct port_dev *far = open_port(1, "203.0.113.1", 0);

	assert_ptr_equal(vxlan_port(near)->next_hop, vxlan_port(far)->next_hop);
	answer(near, "192.0.2.254", 0);
	assert_null(wire(near));
	assert_int_equal(near->tx_ready, 1);
	assert_int_equal(far->tx_ready, 1);
	close_dev(near);
	assert_int_equal(far->tx_ready, 1);
	close_dev(far);
	assert_nothing_left();
}

/* Each frame comes in at the port of its network and peer, whoever looks. */
static void test_frames_find_their_port(void **state)
{
	struct port_dev *ports[] = {open_port(1, "192.0.2.2", 9), open_port(65, "192.0.2.2", 9),
		open_port(1, "192.0.2.3", 9), open_port(129, "192.0.2.2", 9)};
	static const struct {
		const char *from;
		uint32_t vni;
	} frames[] = {{"192.0.2.2", 1}, {"192.0.2.2", 65}, {"192.0.2.3", 1}, {"192.0.2.2", 129}};

	for (unsigned i = 0; i < 4; i++) {
		struct rte_mbuf *m;

		arrives(ports[0], frames[i].from, frames[i].vni, 9);
		arrives(ports[0], frames[i].from, frames[i].vni, 9);
		look(ports[(i + 1) % 4]);
		for (unsigned n = 0; n < 2; n++) {
			assert_int_equal(receive(ports[i], &m, 1), 1);
			assert_int_equal(m->port, ports[i]->id);
			assert_frame(m, FRAME);
		}
		for (unsigned k = 0; k < 4; k++)
			look(ports[k]);
	}
	for (unsigned i = 0; i < 4; i++)
		close_dev(ports[i]);
	assert_nothing_left();
}

static void test_strangers_are_counted(void **state)
{
	struct port_dev *dev = open_port(1, "192.0.2.2", 0), *far = open_port(2, "192.0.2.3", 0);
	struct rte_mbuf *m;

	arrives(dev, "192.0.2.4", 1, 0);
	arrives(dev, "192.0.2.2", 2, 0);
	arrives(dev, "192.0.2.2", 65, 0);
	arrives(dev, "192.0.2.3", 1, 0);
	arrives(dev, "192.0.2.2", 1, 100); /* another VLAN */
	m = frame(FRAME);
	rte_pktmbuf_mtod(m, uint8_t *)[12] = 0x88; /* of no kind that is known here */
	inject(dev, m);
	look(dev);
	look(far);
	assert_int_equal(shown(dev, "underlay", "rx_unknown_peer"), 1);
	assert_int_equal(shown(dev, "underlay", "rx_unknown_vni"), 3);
	assert_int_equal(shown(dev, "underlay", "rx_other"), 1);
	assert_int_equal(shown(dev, "device", "rx_unknown_vlan"), 1);
	assert_int_equal(drops_in_switch(dev), 6);
	close_dev(far);
	arrives(dev, "192.0.2.3", 2, 0); /* that port is gone */
	look(dev);
	assert_int_equal(shown(dev, "underlay", "rx_unknown_peer"), 2);
	close_dev(dev);
	assert_nothing_left();
}

/* Packets that others look at, too, are left as they are. */
static void test_shared_packets_are_not_written(void **state)
{
	struct port_dev *dev = open_port(1, "192.0.2.2", 9);
	struct rte_mbuf *m = frame(FRAME), *out;

	answer(dev, "192.0.2.2", 9);
	rte_mbuf_refcnt_update(m, 1);
	assert_int_equal(send_one(dev, m), 1);
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	assert_frame(m, FRAME);
	out = wire(dev);
	assert_int_equal(out->pkt_len, FRAME + 50 + 4);
	rte_pktmbuf_free(out);
	m = frame(FRAME); /* no headroom */
	m->data_off = 20;
	m->hash.rss = 1;
	for (unsigned i = 0; i < FRAME; i++)
		rte_pktmbuf_mtod(m, uint8_t *)[i] = (uint8_t)i;
	assert_int_equal(send_one(dev, m), 1);
	out = wire(dev);
	assert_int_equal(out->pkt_len, FRAME + 50 + 4);
	rte_pktmbuf_free(out);
	close_dev(dev);
	assert_nothing_left();
}

/* What finds no room goes back to the caller as it came. */
static void test_a_full_device(void **state)
{
	struct port_dev *dev = open_port(1, "192.0.2.2", 9);
	struct rte_mbuf *pkts[32], *out;
	unsigned sent = 0, n;

	answer(dev, "192.0.2.2", 9);
	do {
		for (unsigned i = 0; i < 32; i++)
			pkts[i] = frame(FRAME);
		n = dev->driver->tx_burst(dev, 0, pkts, 32);
		sent += n;
	} while (n == 32 && sent < 4000);
	assert_in_range(n, 0, 31);
	for (unsigned i = n; i < 32; i++)
		assert_frame(pkts[i], FRAME);
	for (unsigned i = 0; (out = wire(dev)) != NULL; i++) {
		assert_int_equal(out->pkt_len, FRAME + 50 + 4);
		rte_pktmbuf_free(out);
		assert_true(i < sent);
	}
	close_dev(dev);
	assert_nothing_left();
}

static void test_what_must_not_go_out(void **state)
{
	struct port_dev *dev = open_port(1, "192.0.2.2", 0);
	struct rte_mbuf *pkts[5], *m;

	answer(dev, "192.0.2.2", 0);
	pkts[0] = frame(FRAME);
	pkts[1] = frame(FRAME);
	rte_pktmbuf_mtod(pkts[1], uint8_t *)[12] = 0x81; /* a guest's own tag */
	rte_pktmbuf_mtod(pkts[1], uint8_t *)[13] = 0x00;
	pkts[2] = frame(MTU - 50 + 14 + 1);
	pkts[3] = frame(FRAME);
	pkts[3]->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
	pkts[4] = frame(MTU - 50 + 14);
	assert_int_equal(dev->driver->tx_burst(dev, 0, pkts, 5), 5);
	assert_int_equal(shown(dev, NULL, "tx_double_tag"), 1);
	assert_int_equal(shown(dev, NULL, "tx_refused"), 2);
	assert_int_equal(drops_in_switch(dev), 3);
	assert_int_equal(dev->tx_late_drops, 3);
	m = wire(dev);
	assert_int_equal(m->pkt_len, FRAME + 50);
	rte_pktmbuf_free(m);
	m = wire(dev);
	assert_int_equal(m->pkt_len, MTU + 14);
	rte_pktmbuf_free(m);
	assert_null(wire(dev));
	close_dev(dev);
	assert_nothing_left();
}

/* A next hop that is lost while packets are on their way: they are dropped and counted. */
static void test_lost(void **state)
{
	struct port_dev *dev = open_port(1, "192.0.2.2", 0);
	struct rte_mbuf *pkts[3] = {frame(FRAME), frame(FRAME), frame(FRAME)};

	answer(dev, "192.0.2.2", 0);
	vxlan_neighbour_set(vxlan_port(dev)->next_hop, NULL);
	assert_int_equal(dev->driver->tx_burst(dev, 0, pkts, 3), 3);
	assert_int_equal(shown(dev, NULL, "tx_unresolved"), 3);
	assert_int_equal(dev->tx_late_drops, 3);
	changes = 0;
	underlay_of(dev)->ticked = 0;
	dev->driver->check(dev);
	assert_int_equal(dev->tx_ready, 0);
	assert_true(changes > 0);
	assert_state(dev, "unresolved", "192.0.2.2 does not say where it is (ARP)");
	answer(dev, "192.0.2.2", 0);
	assert_int_equal(dev->tx_ready, 1);
	close_dev(dev);
	assert_nothing_left();
}

/* No peer could find a device that has no MAC to name. */
static void test_a_device_without_a_mac(void **state)
{
	struct config_port conf = conf_of(1, "192.0.2.2", 0);

	assert_null(vxlan_driver.open(&conf, 1, err, sizeof(err))); /* net_ring has none */
	assert_non_null(strstr(err, "the device has no MAC"));
	assert_nothing_left();
}

/* Who asks for the switch's address is answered, in the underlay's VLAN. */
static void test_answers(void **state)
{
	static const char *const peers[] = {"192.0.2.2", "2001:db8::2"};

	for (unsigned i = 0; i < 2; i++) {
		struct port_dev *dev = open_port(1, peers[i], 9);
		struct vxlan_end other = {
			.address = address(i == 0 ? "192.0.2.77" : "2001:db8::77"),
			.mac = peer_mac};
		struct vxlan_said said;
		struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);

		answer(dev, peers[i], 9);
		vxlan_resolve_ask(m, &other, underlay_of(dev)->conf.local, NULL);
		m->vlan_tci = 0;
		trunk_tag_push(m, 9);
		inject(dev, m);
		/* Not a look more: the answer would come in again. */
		while (atomic_load(&underlay_of(dev)->counters.rx_resolve) < 2)
			assert_int_equal(dev->driver->rx_burst(dev, 0, &m, 1), 0);
		m = wire(dev);
		assert_non_null(m);
		assert_int_equal(trunk_tag_pop(m, false), 9);
		assert_int_equal(vxlan_resolve_hear(m, &other, &said), VXLAN_RESOLVE_SAID);
		assert_true(addr_equal(said.address, underlay_of(dev)->conf.local));
		assert_int_equal(shown(dev, "underlay", "rx_resolve"), 2);
		rte_pktmbuf_free(m);
		close_dev(dev);
		assert_nothing_left();
	}
}

static void test_updates(void **state)
{
	struct config_port conf = conf_of(1, "192.0.2.2", 0), other;
	struct port_dev *dev = open_conf(&conf);

	other = conf;
	other.mtu = 1000;
	assert_int_equal(vxlan_driver.update(dev, &other), 0);
	assert_int_equal(dev->mtu, 1000);
	other.vxlan.macs[other.vxlan.n_macs++][5] = 1;
	assert_int_equal(vxlan_driver.update(dev, &other), 0);
	for (unsigned i = 0; i < 6; i++) {
		other = conf;
		other.vxlan.vni += i == 0;
		other.vxlan.peer.low += i == 1;
		other.vxlan.underlay.local.low += i == 2;
		other.vxlan.underlay.gateway.low += i == 3;
		other.vxlan.underlay.udp_port += i == 4;
		other.uplink.vlan += i == 5;
		assert_int_equal(vxlan_driver.update(dev, &other), -1);
	}
	/* Its uplink has tunnels with another end still: no two at a time. */
	other = conf;
	other.vxlan.underlay.udp_port++;
	assert_null(vxlan_driver.open(&other, 99, err, sizeof(err)));
	assert_non_null(strstr(err, "just being changed"));
	vxlan_underlay_poll(underlay_of(dev));
	rte_pktmbuf_free(wire(dev));
	close_dev(dev);
	dev = open_conf(&other);
	close_dev(dev);
	assert_nothing_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_neighbours),
		cmocka_unit_test(test_through_the_gateway),
		cmocka_unit_test(test_frames_find_their_port),
		cmocka_unit_test(test_strangers_are_counted),
		cmocka_unit_test(test_shared_packets_are_not_written),
		cmocka_unit_test(test_a_full_device),
		cmocka_unit_test(test_what_must_not_go_out),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_a_device_without_a_mac),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_updates),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
