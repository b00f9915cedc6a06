/*
 * Uplinks: devices of DPDK (NICs by PCI address, AF_XDP, tap and other vdevs) as trunks. A port is
 * what a device carries of one network, under the network's VLAN or untagged, so that everything
 * behind it is as with any other port: an id, a network, counters of its own.
 *
 * No interrupts: a worker with such a port looks every millisecond when it has nothing else to do.
 */
#include "port_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ethdev_port.h"
#include "ethdev_rx.h"
#include "ethdev_show.h"
#include "ethdev_tx.h"

#define RING_FRAMES 512 /* for a port whose worker is slower than the one that looks */

static struct rte_ring *ring_new(void)
{
	struct rte_ring *ring = aligned_alloc(
		RTE_CACHE_LINE_SIZE, (size_t)rte_ring_get_memsize(RING_FRAMES));

	if (ring != NULL)
		rte_ring_init(ring, "uplink", RING_FRAMES, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return ring;
}

static void port_free(struct ethdev_port *port)
{
	struct rte_mbuf *m;

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		while (port->rings[q] != NULL &&
			rte_ring_sc_dequeue(port->rings[q], (void **)&m) == 0)
			rte_pktmbuf_free(m);
		free(port->rings[q]);
	}
	free(port);
}

static struct ethdev_port *port_new(const struct config_port *conf, uint16_t id)
{
	struct ethdev_port *port = calloc(1, sizeof(*port));

	if (port == NULL)
		return NULL;
	port->dev.driver = &ethdev_driver;
	snprintf(port->dev.name, sizeof(port->dev.name), "%s", conf->name);
	port->dev.id = id;
	port->dev.mtu = conf->mtu;
	port->vlan = conf->uplink.vlan;
	for (unsigned q = 0; q < conf->uplink.queues; q++) {
		port->rings[q] = ring_new();
		if (port->rings[q] == NULL) {
			port_free(port);
			return NULL;
		}
	}
	return port;
}

/* The link as workers see it: without one nothing is sent, and counted as sent. */
static void set_link(struct ethdev_port *port, bool up)
{
	/* One TX queue to the switch: which of the device's it is goes by the worker. */
	atomic_store(&port->dev.tx_ready, up ? 1 : 0);
	atomic_store(&port->dev.rx_ready, up ? (1u << port->device->conf.queues) - 1 : 0);
	atomic_fetch_add(&port->dev.rx_generation, 1);
}

static struct port_dev *ethdev_open(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct ethdev_port *port = port_new(conf, id);

	if (port == NULL) {
		snprintf(err, err_len, "uplink: out of memory");
		return NULL;
	}
	port->device = ethdev_device_hold(&conf->uplink, err, err_len);
	if (port->device == NULL) {
		port_free(port);
		return NULL;
	}
	port->dev.tx_caps = port->device->tx_caps;
	set_link(port, ethdev_device_link(port->device, NULL, NULL));
	atomic_store_explicit(&port->device->ports[port->vlan], port, memory_order_release);
	return &port->dev;
}

/* What is said of the device is the same in all its ports, so all of them are opened again. */
static int ethdev_update(struct port_dev *dev, const struct config_port *conf)
{
	struct ethdev_port *port = ethdev_port(dev);
	const struct config_uplink_share *now = &port->device->conf;

	if (atomic_load(&dev->lost) || strcmp(now->device, conf->uplink.device) != 0 ||
		now->queues != conf->uplink.queues || now->mtu != conf->uplink.mtu ||
		now->qinq != conf->uplink.qinq || port->vlan != conf->uplink.vlan)
		return -1;
	atomic_store(&dev->mtu, conf->mtu);
	return 0;
}

static uint64_t ethdev_close(struct port_dev *dev)
{
	struct ethdev_port *port = ethdev_port(dev);
	uint64_t late = atomic_load(&dev->tx_late_drops);

	atomic_store(&port->device->ports[port->vlan], NULL);
	/* Workers of other ports may just have found it. */
	port_env.synchronize();
	ethdev_device_release(port->device);
	port_free(port);
	return late;
}

static void ethdev_check(struct port_dev *dev)
{
	struct ethdev_port *port = ethdev_port(dev);
	bool was_up = atomic_load(&dev->tx_ready) != 0, up;

	if (!ethdev_device_is_there(port->device)) {
		atomic_store(&dev->lost, true);
		set_link(port, false);
		port_env.changed(dev);
		return;
	}
	up = ethdev_device_link(port->device, NULL, NULL);
	if (up == was_up)
		return;
	set_link(port, up);
	port_env.changed(dev);
}

static void ethdev_rx_notify(struct port_dev *dev, uint16_t queue, bool on)
{
	struct ethdev_port *port = ethdev_port(dev);

	if (on)
		atomic_fetch_or(&port->armed, 1u << queue);
	else
		atomic_fetch_and(&port->armed, ~(1u << queue));
	atomic_thread_fence(memory_order_seq_cst);
}

static int ethdev_rx_fd(struct port_dev *dev, uint16_t queue)
{
	return PORT_FD_NONE;
}

const struct port_driver ethdev_driver = {
	.kind = "uplink",
	.open = ethdev_open,
	.update = ethdev_update,
	.close = ethdev_close,
	.check = ethdev_check,
	.rx_burst = ethdev_rx_burst,
	.tx_burst = ethdev_tx_burst,
	.rx_notify = ethdev_rx_notify,
	.rx_fd = ethdev_rx_fd,
	.describe = ethdev_describe,
};
