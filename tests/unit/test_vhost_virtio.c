/*
 * vhost-user ports against DPDK's own virtio driver (virtio-user) as the guest: packed rings and
 * in-order use, which the test's own front end has not got. Both ends live in this process.
 */
#include "vhost_rig.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#define ROUNDS 20
#define FRAMES 2000 /* several times round the ring */

struct guest {
	char name[40];
	uint16_t id;
};

static void guest_configure(struct guest *guest)
{
	struct rte_eth_conf conf = {0};

	assert_int_equal(rte_eth_dev_configure(guest->id, 1, 1, &conf), 0);
	assert_int_equal(
		rte_eth_rx_queue_setup(guest->id, 0, 256, SOCKET_ID_ANY, NULL, port_env.pool), 0);
	assert_int_equal(rte_eth_tx_queue_setup(guest->id, 0, 256, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(guest->id), 0);
}

static void guest_start(struct guest *guest, const char *socket, const char *options)
{
	static unsigned number;
	char args[300];

	snprintf(guest->name, sizeof(guest->name), "net_virtio_user%u", number++);
	snprintf(args, sizeof(args), "path=%s,server=1,queues=1,mac=02:00:00:00:00:01,%s", socket,
		options);
	assert_int_equal(rte_eal_hotplug_add("vdev", guest->name, args), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name(guest->name, &guest->id), 0);
	guest_configure(guest);
}

static void guest_stop(struct guest *guest)
{
	rte_eth_dev_stop(guest->id);
	rte_eth_dev_close(guest->id);
	rte_eal_hotplug_remove("vdev", guest->name);
}

/* Frames of all lengths there and back, each checked. */
static void check_echo(struct port_dev *dev, const struct guest *guest)
{
	uint8_t frame[1514];

	for (unsigned i = 0; i < FRAMES; i++) {
		size_t len = 60 + i % (sizeof(frame) - 60);
		struct rte_mbuf *m;

		rig_frame(frame, len, i);
		m = rig_mbuf(frame, len);
		assert_int_equal(rte_eth_tx_burst(guest->id, 0, &m, 1), 1);
		m = rig_take(dev, 0);
		assert_int_equal(m->pkt_len, len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), frame, len);
		assert_int_equal(vhost_user_driver.tx_burst(dev, 0, &m, 1), 1);
		rig_until(rte_eth_rx_burst(guest->id, 0, &m, 1) == 1);
		assert_int_equal(m->pkt_len, len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), frame, len);
		rte_pktmbuf_free(m);
	}
}

static void check_guest(const char *name, const char *options, const char *ring)
{
	struct config_port conf = rig_conf(name, false);
	struct guest guest;
	struct port_dev *dev;

	conf.vhost_user.packed = true;
	dev = rig_open(&conf);
	guest_start(&guest, conf.vhost_user.socket, options);
	rig_wait_state(dev, "queues enabled");
	assert_true(rig_shows(dev, "ring", ring));
	assert_true(rig_shows(dev, "error", NULL));
	check_echo(dev, &guest);
	/* The guest's driver is stopped and started. */
	for (unsigned i = 0; i < ROUNDS; i++) {
		assert_int_equal(rte_eth_dev_stop(guest.id), 0);
		assert_int_equal(rte_eth_dev_start(guest.id), 0);
		rig_until(atomic_load(&dev->rx_ready) == 1 && atomic_load(&dev->tx_ready) == 1);
	}
	check_echo(dev, &guest);
	assert_true(rig_shows(dev, "error", NULL));
	guest_stop(&guest);
	rig_until(atomic_load(&dev->rx_ready) == 0);
	rig_close(dev);
}

static void test_packed_ring(void **state)
{
	check_guest("packed", "packed_vq=1,in_order=0,mrg_rxbuf=1", "packed");
}

static void test_packed_ring_in_order(void **state)
{
	check_guest("packed2", "packed_vq=1,in_order=1,mrg_rxbuf=0", "packed");
}

static void test_split_ring(void **state)
{
	check_guest("split", "packed_vq=0,in_order=0,mrg_rxbuf=0", "split");
}

static void test_split_ring_in_order(void **state)
{
	check_guest("split2", "packed_vq=0,in_order=1,mrg_rxbuf=1", "split");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packed_ring),
		cmocka_unit_test(test_packed_ring_in_order),
		cmocka_unit_test(test_split_ring),
		cmocka_unit_test(test_split_ring_in_order),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
