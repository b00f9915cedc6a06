/*
 * Uplinks: devices (trunk_ops) as trunks. A port is what a trunk carries of one network, under the
 * network's VLAN or untagged, so that everything behind it is as with any other port: an id, a
 * network, counters of its own.
 */
#include "port_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "trunk_port.h"
#include "trunk_rx.h"
#include "trunk_show.h"
#include "trunk_tx.h"
#include "xdp_follow.h"

static void port_free(struct trunk_port *port)
{
	trunk_inbox_fini(&port->inbox);
	free(port);
}

static struct trunk_port *port_new(const struct config_port *conf, uint16_t id)
{
	struct trunk_port *port = calloc(1, sizeof(*port));

	if (port == NULL)
		return NULL;
	port->dev.driver = &uplink_driver;
	snprintf(port->dev.name, sizeof(port->dev.name), "%s", conf->name);
	port->dev.id = id;
	port->dev.mtu = conf->mtu;
	port->vlan = conf->uplink.vlan;
	if (trunk_inbox_init(&port->inbox, &port->dev, conf->uplink.queues) != 0) {
		port_free(port);
		return NULL;
	}
	return port;
}

/* The link as workers see it: without one nothing is sent, and counted as sent. */
static void set_link(struct trunk_port *port, bool up)
{
	/* One TX queue to the switch: which of the device's it is goes by the worker. */
	atomic_store(&port->dev.tx_ready, up ? 1 : 0);
	atomic_store(&port->dev.rx_ready, up ? (1u << port->trunk->conf.queues) - 1 : 0);
	atomic_fetch_add(&port->dev.rx_generation, 1);
}

static struct port_dev *uplink_open(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct trunk_port *port = port_new(conf, id);

	if (port == NULL) {
		snprintf(err, err_len, "uplink: out of memory");
		return NULL;
	}
	port->trunk = trunk_hold(&conf->uplink, err, err_len);
	if (port->trunk == NULL) {
		port_free(port);
		return NULL;
	}
	port->dev.tx_caps = port->trunk->tx_caps;
	set_link(port, port->trunk->ops->link(port->trunk, NULL, NULL));
	trunk_set_port(port->trunk, port->vlan, port);
	return &port->dev;
}

/* What is said of the device is the same in all its ports, so all of them are opened again. */
static int uplink_update(struct port_dev *dev, const struct config_port *conf)
{
	struct trunk_port *port = trunk_port(dev);

	if (atomic_load(&dev->lost) || !trunk_is_of(port->trunk, &conf->uplink) ||
		port->vlan != conf->uplink.vlan)
		return -1;
	atomic_store(&dev->mtu, conf->mtu);
	return 0;
}

static uint64_t uplink_close(struct port_dev *dev)
{
	struct trunk_port *port = trunk_port(dev);
	uint64_t late = atomic_load(&dev->tx_late_drops);

	trunk_set_port(port->trunk, port->vlan, NULL);
	/* Workers of other ports may just have found it. */
	port_env.synchronize();
	trunk_release(port->trunk);
	port_free(port);
	return late;
}

static void uplink_check(struct port_dev *dev)
{
	struct trunk_port *port = trunk_port(dev);
	bool was_up = atomic_load(&dev->tx_ready) != 0, up;

	if (!port->trunk->ops->is_there(port->trunk)) {
		atomic_store(&dev->lost, true);
		set_link(port, false);
		port_env.changed(dev);
		return;
	}
	up = port->trunk->ops->link(port->trunk, NULL, NULL);
	if (up == was_up)
		return;
	set_link(port, up);
	port_env.changed(dev);
}

static uint16_t uplink_rx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct trunk_port *port = trunk_port(dev);

	return trunk_receive(port->trunk, &port->inbox, queue, pkts, n);
}

static void uplink_rx_notify(struct port_dev *dev, uint16_t queue, bool on)
{
	trunk_inbox_notify(&trunk_port(dev)->inbox, queue, on);
}

static int uplink_rx_fd(struct port_dev *dev, uint16_t queue)
{
	return trunk_rx_fd(trunk_port(dev)->trunk, queue);
}

/* What fails is done with the next call, in a second; until then the switch itself drops. */
static void uplink_edge(struct port_dev *dev, const struct port_edge *edge)
{
	const struct trunk_port *port = trunk_port(dev);
	struct xdp_program *program = trunk_program(port->trunk);

	if (program != NULL)
		xdp_follow(program, port->trunk->kernel_index, EDGE_OF_VLAN(port->vlan), edge);
}

static uint64_t uplink_edge_drops(struct port_dev *dev, struct addr source)
{
	const struct trunk_port *port = trunk_port(dev);

	return xdp_follow_drops(trunk_program(port->trunk), EDGE_OF_VLAN(port->vlan), source);
}

const struct port_driver uplink_driver = {
	.kind = "uplink",
	.open = uplink_open,
	.update = uplink_update,
	.close = uplink_close,
	.check = uplink_check,
	.edge = uplink_edge,
	.edge_drops = uplink_edge_drops,
	.rx_burst = uplink_rx_burst,
	.tx_burst = trunk_tx_burst,
	.rx_notify = uplink_rx_notify,
	.rx_fd = uplink_rx_fd,
	.describe = trunk_describe,
};
