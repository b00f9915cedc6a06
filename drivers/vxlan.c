/*
 * VXLAN: a port is what goes of one network to one peer, over an uplink's device (trunk.h), so that
 * MACs are learned behind their host and everything else is as with any port.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "port_driver.h"
#include "trunk_rx.h"
#include "vxlan_port.h"
#include "vxlan_show.h"
#include "vxlan_tx.h"
#include "xdp_follow.h"

static void port_free(struct vxlan_port *port)
{
	trunk_inbox_fini(&port->inbox);
	free(port);
}

static struct vxlan_port *port_new(const struct config_port *conf, uint16_t id)
{
	struct vxlan_port *port = calloc(1, sizeof(*port));

	if (port == NULL)
		return NULL;
	port->dev.driver = &vxlan_driver;
	snprintf(port->dev.name, sizeof(port->dev.name), "%s", conf->name);
	port->dev.id = id;
	port->dev.mtu = conf->mtu;
	port->vni = conf->vxlan.vni;
	port->peer = conf->vxlan.peer;
	port->tags = conf->tagged;
	if (trunk_inbox_init(&port->inbox, &port->dev, conf->uplink.queues) != 0) {
		port_free(port);
		return NULL;
	}
	return port;
}

static void set_link(struct vxlan_port *port, bool up)
{
	struct trunk *trunk = port->underlay->trunk;

	atomic_store(&port->link, up);
	atomic_store(&port->dev.rx_ready, up ? (1u << trunk->conf.queues) - 1 : 0);
	atomic_fetch_add(&port->dev.rx_generation, 1);
	vxlan_port_refresh(port);
}

static bool link_of(const struct vxlan_port *port)
{
	struct trunk *trunk = port->underlay->trunk;

	return trunk->ops->link(trunk, NULL, NULL);
}

static struct port_dev *vxlan_open(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct vxlan_port *port = port_new(conf, id);

	if (port == NULL) {
		snprintf(err, err_len, "vxlan: out of memory");
		return NULL;
	}
	port->underlay = vxlan_underlay_hold(conf, err, err_len);
	if (port->underlay == NULL) {
		port_free(port);
		return NULL;
	}
	vxlan_headers_init(&port->headers, &port->underlay->end, port->peer, port->vni);
	/* The inner frame is left for nobody else to finish. */
	port->dev.tx_caps = port->underlay->trunk->tx_caps & PORT_TX_CHAINS;
	if (vxlan_underlay_add(port->underlay, port, err, err_len) != 0) {
		vxlan_underlay_release(port->underlay);
		port_free(port);
		return NULL;
	}
	set_link(port, link_of(port));
	return &port->dev;
}

/* What is said of the uplink is the same in all its ports, so all of them are opened again. */
static int vxlan_update(struct port_dev *dev, const struct config_port *conf)
{
	struct vxlan_port *port = vxlan_port(dev);

	if (atomic_load(&dev->lost) || !vxlan_underlay_is_of(port->underlay, conf) ||
		port->vni != conf->vxlan.vni || !addr_equal(port->peer, conf->vxlan.peer))
		return -1;
	atomic_store(&dev->mtu, conf->mtu);
	return 0;
}

static uint64_t vxlan_close(struct port_dev *dev)
{
	struct vxlan_port *port = vxlan_port(dev);
	uint64_t late = atomic_load(&dev->tx_late_drops);

	vxlan_underlay_remove(port->underlay, port);
	vxlan_underlay_release(port->underlay);
	port_free(port);
	return late;
}

static void vxlan_check(struct port_dev *dev)
{
	struct vxlan_port *port = vxlan_port(dev);
	struct vxlan_underlay *underlay = port->underlay;
	uint32_t was_ready = atomic_load(&dev->tx_ready);
	bool was_up = atomic_load(&port->link);

	vxlan_underlay_tick(underlay);
	if (!underlay->is_there)
		atomic_store(&dev->lost, true);
	if (underlay->link != was_up)
		set_link(port, underlay->link);
	vxlan_port_refresh(port);
	if (!underlay->is_there || underlay->link != was_up ||
		atomic_load(&dev->tx_ready) != was_ready)
		port_env.changed(dev);
}

static uint16_t vxlan_rx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct vxlan_port *port = vxlan_port(dev);

	vxlan_underlay_poll(port->underlay);
	return trunk_receive(port->underlay->trunk, &port->inbox, queue, pkts, n);
}

static void vxlan_rx_notify(struct port_dev *dev, uint16_t queue, bool on)
{
	trunk_inbox_notify(&vxlan_port(dev)->inbox, queue, on);
}

static int vxlan_rx_fd(struct port_dev *dev, uint16_t queue)
{
	return trunk_rx_fd(vxlan_port(dev)->underlay->trunk, queue);
}

/* All ports of a network say the same. What fails is done with the next call, in a second. */
static void vxlan_edge(struct port_dev *dev, const struct port_edge *edge)
{
	const struct vxlan_port *port = vxlan_port(dev);
	const struct trunk *trunk = port->underlay->trunk;
	struct xdp_program *program = trunk_program(trunk);

	if (program != NULL)
		xdp_follow(program, trunk->kernel_index, EDGE_OF_VNI(port->vni), edge);
}

/* From all peers: who sums up asks one port of a network on an uplink. */
static uint64_t vxlan_edge_drops(struct port_dev *dev, struct addr source)
{
	const struct vxlan_port *port = vxlan_port(dev);

	return xdp_follow_drops(
		trunk_program(port->underlay->trunk), EDGE_OF_VNI(port->vni), source);
}

const struct port_driver vxlan_driver = {
	.kind = "vxlan",
	.open = vxlan_open,
	.update = vxlan_update,
	.close = vxlan_close,
	.check = vxlan_check,
	.edge = vxlan_edge,
	.edge_drops = vxlan_edge_drops,
	.rx_burst = vxlan_rx_burst,
	.tx_burst = vxlan_tx_burst,
	.rx_notify = vxlan_rx_notify,
	.rx_fd = vxlan_rx_fd,
	.describe = vxlan_describe,
};
