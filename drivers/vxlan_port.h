/*
 * What the files of VXLAN share: a port is what goes of one network to one peer.
 */
#ifndef VS_VXLAN_PORT_H
#define VS_VXLAN_PORT_H

#include "vxlan_underlay.h"

/* Any worker may write these: atomic additions, as none of them is counted in a hurry. */
struct vxlan_port_counters {
	_Atomic uint64_t tx_unresolved; /* the next hop's MAC was lost in this moment */
	_Atomic uint64_t tx_double_tag; /* a guest's own tag (qinq: drop) */
	_Atomic uint64_t tx_refused; /* what fits no outer packet or the device does not take */
};

struct vxlan_port {
	struct port_dev dev; /* first: a port_dev of this driver is a vxlan_port */
	struct vxlan_underlay *underlay;
	struct addr peer;
	uint32_t vni;
	bool tags; /* frames with a tag of their own go out */
	_Atomic bool link; /* the device has one */
	struct vxlan_headers headers;
	struct vxlan_neighbour *next_hop;
	_Atomic(struct vxlan_port *) next; /* in its bucket */
	struct trunk_inbox inbox;
	struct vxlan_port_counters counters;
};

static inline struct vxlan_port *vxlan_port(struct port_dev *dev)
{
	return (struct vxlan_port *)dev;
}

/* Whether it sends: with a link, and a next hop that is known. Any thread. */
static inline void vxlan_port_refresh(struct vxlan_port *port)
{
	struct rte_ether_addr mac;
	bool ready = atomic_load(&port->link) && vxlan_neighbour_mac(port->next_hop, &mac);

	atomic_store(&port->dev.tx_ready, ready ? 1 : 0);
}

#endif
