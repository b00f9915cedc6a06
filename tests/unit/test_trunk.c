/*
 * Trunks over a device of the test's own: who finds a queue taken, frames that wait, what stands on
 * the underlay, and who may trust that a queue was just found empty.
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

#include "config.h"
#include "port_driver.h"
#include "trunk_port.h"
#include "trunk_rx.h"
#include "trunk_tx.h"

#define FRAME    60
#define WIRE_MAX 2048

/* What went out, and what comes in. */
static struct {
	struct rte_mbuf *out[WIRE_MAX], *in[WIRE_MAX];
	unsigned n_out, n_in, room, looks;
	int refuses; /* the id of a frame, or -1 */
	void (*meanwhile)(void); /* called while somebody has the TX queue */
} wire;

static struct trunk *trunk;
static struct port_dev *red;
static unsigned wakes;
static uint64_t dropped_late;
static char err[256];

static unsigned id_of(const struct rte_mbuf *m)
{
	return *rte_pktmbuf_mtod_offset(m, const uint16_t *, rte_pktmbuf_data_len(m) - 2);
}

static uint16_t wire_tx(
	struct trunk *t, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, bool *refused)
{
	uint16_t sent = 0;

	assert_true(atomic_load(&t->tx[queue].taken));
	if (wire.meanwhile != NULL) {
		void (*meanwhile)(void) = wire.meanwhile;

		wire.meanwhile = NULL;
		meanwhile();
	}
	while (sent < n && wire.n_out < wire.room && (int)id_of(pkts[sent]) != wire.refuses)
		wire.out[wire.n_out++] = pkts[sent++];
	*refused = sent < n && wire.n_out < wire.room;
	return sent;
}

static uint16_t wire_rx(struct trunk *t, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = 0;

	assert_true(atomic_load(&t->rx[queue].taken));
	wire.looks++;
	while (got < n && wire.n_in > 0)
		pkts[got++] = wire.in[--wire.n_in];
	return got;
}

static bool wire_link(const struct trunk *t, uint32_t *mbps, bool *full_duplex)
{
	return true;
}

static void on_wake(struct port_dev *dev)
{
	wakes++;
}

static void on_synchronize(void)
{
}

static void on_dropped_late(uint64_t packets)
{
	dropped_late += packets;
}

static int setup(void **state)
{
	char *argv[] = {"test_trunk", "--no-huge", "--no-shconf", "--allow=ffff:ff:1f.7", "-m",
		"128", "--no-telemetry", "--log-level=error", NULL};
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) != 0 || rte_eal_init(8, argv) < 0)
		return -1;
	sched_setaffinity(0, sizeof(cores), &cores);
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	port_env.wake = on_wake;
	port_env.synchronize = on_synchronize;
	port_env.dropped_late = on_dropped_late;
	return port_env.pool != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	return rte_eal_cleanup();
}

/* A port over net_ring, whose place the wire takes. */
static int open_red(void **state)
{
	static struct trunk_ops ops;
	struct config_port conf = {.kind = CONFIG_PORT_UPLINK, .mtu = 1500};

	snprintf(conf.name, sizeof(conf.name), "up.100");
	snprintf(conf.uplink.device, sizeof(conf.uplink.device), "net_ring0");
	conf.uplink.queues = 1;
	conf.uplink.mtu = 1500;
	conf.uplink.vlan = 100;
	red = uplink_driver.open(&conf, 7, err, sizeof(err));
	if (red == NULL)
		return -1;
	trunk = trunk_port(red)->trunk;
	ops = *trunk->ops;
	ops.rx_burst = wire_rx;
	ops.tx_burst = wire_tx;
	ops.link = wire_link;
	trunk->ops = &ops;
	memset(&wire, 0, sizeof(wire));
	wire.room = WIRE_MAX;
	wire.refuses = -1;
	wakes = 0;
	return 0;
}

static int close_red(void **state)
{
	rte_pktmbuf_free_bulk(wire.out, wire.n_out);
	rte_pktmbuf_free_bulk(wire.in, wire.n_in);
	uplink_driver.close(red);
	return rte_mempool_in_use_count(port_env.pool) == 0 ? 0 : -1;
}

/* A frame that is told from others by its last two bytes; tci 0: without a tag. */
static struct rte_mbuf *frame(uint16_t id, uint16_t tci)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);
	uint8_t *data;

	assert_non_null(m);
	data = (uint8_t *)rte_pktmbuf_append(m, FRAME);
	memset(data, 0, FRAME);
	memset(data, 0xff, 6);
	data[12] = tci != 0 ? 0x81 : 0x08;
	data[14] = (uint8_t)(tci >> 8);
	data[15] = (uint8_t)tci;
	memcpy(data + FRAME - 2, &id, sizeof(id));
	return m;
}

static uint16_t send_ids(uint16_t first, uint16_t n)
{
	struct rte_mbuf *pkts[PORT_BURST_MAX];
	bool refused;
	uint16_t sent;

	for (uint16_t i = 0; i < n; i++)
		pkts[i] = frame((uint16_t)(first + i), 100);
	sent = trunk_send(trunk, pkts, n, &refused);
	rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	return sent;
}

static void assert_sent(unsigned n)
{
	assert_int_equal(wire.n_out, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(id_of(wire.out[i]), i);
}

static void who_finds_a_queue_taken_leaves_his_frames(void **state)
{
	atomic_store(&trunk->tx[0].taken, true);
	assert_int_equal(send_ids(0, 3), 3);
	assert_int_equal(wire.n_out, 0);
	atomic_store(&trunk->tx[0].taken, false);
	/* The next one sends them before his own. */
	assert_int_equal(send_ids(3, 2), 2);
	assert_sent(5);
	assert_false(atomic_load(&trunk->tx[0].taken));
}

static void send_meanwhile(void)
{
	assert_int_equal(send_ids(4, 2), 2);
}

static void what_came_meanwhile_does_not_stay(void **state)
{
	wire.meanwhile = send_meanwhile;
	assert_int_equal(send_ids(0, 4), 4);
	assert_sent(6);
}

static void who_polls_sends_what_waits(void **state)
{
	struct rte_mbuf *m;

	atomic_store(&trunk->tx[0].taken, true);
	assert_int_equal(send_ids(0, 2), 2);
	atomic_store(&trunk->tx[0].taken, false);
	assert_int_equal(uplink_driver.rx_burst(red, 0, &m, 1), 0);
	assert_sent(2);
}

static void a_full_device_keeps_the_order(void **state)
{
	wire.room = 1;
	atomic_store(&trunk->tx[0].taken, true);
	assert_int_equal(send_ids(0, 3), 3);
	atomic_store(&trunk->tx[0].taken, false);
	/* Older ones still wait, so these may not pass them. */
	assert_int_equal(send_ids(90, 2), 0);
	assert_sent(1);
	wire.room = WIRE_MAX;
	assert_int_equal(send_ids(3, 1), 1);
	assert_sent(4);
	assert_int_equal(atomic_load(&trunk->tx[0].refused), 0);
}

static void the_ring_of_a_queue_is_bounded(void **state)
{
	unsigned waiting = 0, taken;

	atomic_store(&trunk->tx[0].taken, true);
	do {
		taken = send_ids((uint16_t)waiting, 32);
		waiting += taken;
	} while (taken == 32 && waiting < WIRE_MAX - 32);
	assert_in_range(waiting, 256, 1023);
	atomic_store(&trunk->tx[0].taken, false);
	while (wire.n_out < waiting)
		trunk_tx_poll(trunk);
	assert_sent(waiting);
}

/* They had counted as sent. */
static void what_waits_at_the_end_is_counted(void **state)
{
	uint64_t before = dropped_late;

	atomic_store(&trunk->tx[0].taken, true);
	assert_int_equal(send_ids(0, 3), 3);
	assert_int_equal(close_red(state), 0);
	assert_int_equal(dropped_late, before + 3);
	assert_int_equal(open_red(state), 0);
}

static void one_that_never_goes_holds_up_no_other(void **state)
{
	wire.refuses = 1;
	atomic_store(&trunk->tx[0].taken, true);
	assert_int_equal(send_ids(0, 3), 3);
	atomic_store(&trunk->tx[0].taken, false);
	trunk_tx_poll(trunk);
	assert_int_equal(wire.n_out, 2);
	assert_int_equal(id_of(wire.out[1]), 2);
	assert_int_equal(atomic_load(&trunk->tx[0].refused), 1);
}

/* Whoever is about to sleep may not trust another's look. */
static void who_has_armed_looks_for_himself(void **state)
{
	struct rte_mbuf *m;

	assert_int_equal(uplink_driver.rx_burst(red, 0, &m, 1), 0);
	wire.in[wire.n_in++] = frame(0, 100);
	uplink_driver.rx_notify(red, 0, true);
	atomic_store(&trunk->rx[0].looked, UINT64_MAX); /* just now, for as long as the test runs */
	assert_int_equal(uplink_driver.rx_burst(red, 0, &m, 1), 1);
	assert_int_equal(m->port, red->id);
	rte_pktmbuf_free(m);
}

static struct trunk_inbox over;
static unsigned asked;

/* Even ones are the overlay's, number 5 it takes for itself. */
static struct trunk_inbox *take_even(
	struct trunk_underlay *underlay, uint16_t queue, struct rte_mbuf *m)
{
	asked++;
	assert_false(trunk_tag_is_there(m));
	if (id_of(m) == 5) {
		rte_pktmbuf_free(m);
		return TRUNK_TAKEN;
	}
	return id_of(m) % 2 == 0 ? &over : NULL;
}

static void an_underlay_has_its_frames_before_networks(void **state)
{
	struct trunk_underlay underlay = {.vlan = 100, .receive = take_even}, other = underlay;
	struct port_dev dev = {.id = 9};
	struct rte_mbuf *pkts[8];

	asked = 0;
	assert_int_equal(trunk_inbox_init(&over, &dev, 1), 0);
	assert_true(trunk_set_underlay(trunk, &underlay));
	assert_false(trunk_set_underlay(trunk, &other));
	for (uint16_t id = 0; id < 6; id++)
		wire.in[wire.n_in++] = frame(id, 100);
	wire.in[wire.n_in++] = frame(6, 0); /* not in its VLAN, and nobody's */
	trunk_inbox_notify(&over, 0, true);
	assert_int_equal(trunk_receive(trunk, &trunk_port(red)->inbox, 0, pkts, 8), 2);
	assert_int_equal(id_of(pkts[0]), 3);
	assert_int_equal(id_of(pkts[1]), 1);
	rte_pktmbuf_free_bulk(pkts, 2);
	assert_int_equal(asked, 6);
	assert_int_equal(wakes, 3);
	assert_int_equal(atomic_load(&trunk->rx[0].strays.untagged), 1);
	assert_int_equal(trunk_receive(trunk, &over, 0, pkts, 8), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pkts[i]->port, 9);
	rte_pktmbuf_free_bulk(pkts, 3);
	assert_true(trunk_set_underlay(trunk, NULL));
	trunk_inbox_fini(&over);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, open_red, close_red)
	const struct CMUnitTest tests[] = {
		EACH(who_finds_a_queue_taken_leaves_his_frames),
		EACH(what_came_meanwhile_does_not_stay),
		EACH(who_polls_sends_what_waits),
		EACH(a_full_device_keeps_the_order),
		EACH(the_ring_of_a_queue_is_bounded),
		EACH(what_waits_at_the_end_is_counted),
		EACH(one_that_never_goes_holds_up_no_other),
		EACH(who_has_armed_looks_for_himself),
		EACH(an_underlay_has_its_frames_before_networks),
	};
#undef EACH

	return cmocka_run_group_tests_name("trunk", tests, setup, teardown);
}
