#include "vxlan_show.h"

#include "trunk_show.h"
#include "vxlan_port.h"
#include "xdp_follow.h"

static json_t *counter(const _Atomic uint64_t *value)
{
	return json_integer((json_int_t)atomic_load_explicit(value, memory_order_relaxed));
}

static json_t *address(struct addr a)
{
	char text[ADDR_TEXT_MAX];

	addr_format(a, text);
	return json_string(text);
}

static json_t *mac_or_null(const struct vxlan_neighbour *neighbour)
{
	struct rte_ether_addr mac;
	const uint8_t *b = mac.addr_bytes;

	if (!vxlan_neighbour_mac(neighbour, &mac))
		return json_null();
	return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

/* The uplink's own end: the same for all of its tunnels. */
static json_t *describe_underlay(const struct vxlan_underlay *u)
{
	const struct vxlan_underlay_counters *c = &u->counters;

	return json_pack("{s:o, s:i, s:o, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"local", address(u->conf.local), "port", (int)u->conf.udp_port, "vlan",
		u->hook.vlan != 0 ? json_integer(u->hook.vlan) : json_null(), "mtu",
		(int)u->conf.mtu, "neighbours", u->kernel_index != 0 ? "kernel" : "own",
		"rx_unknown_peer", counter(&c->rx_unknown_peer), "rx_unknown_vni",
		counter(&c->rx_unknown_vni), "rx_malformed", counter(&c->rx_malformed),
		"rx_fragment", counter(&c->rx_fragment), "rx_checksum", counter(&c->rx_checksum),
		"rx_flags", counter(&c->rx_flags), "rx_resolve", counter(&c->rx_resolve),
		"rx_other", counter(&c->rx_other));
}

static json_t *error_of(const struct vxlan_port *port, bool lost, bool link, bool up)
{
	char hop[ADDR_TEXT_MAX];

	if (lost || !link)
		return trunk_error(port->underlay->trunk, lost, link);
	if (up)
		return json_null();
	if (port->next_hop->error[0] != '\0')
		return json_string(port->next_hop->error);
	addr_format(port->next_hop->address, hop);
	return json_sprintf("%s does not say where it is (%s): is it up, in the same VLAN, and its "
			    "address right?",
		hop, addr_is_ipv4(port->peer) ? "ARP" : "neighbour discovery");
}

json_t *vxlan_describe(struct port_dev *dev)
{
	struct vxlan_port *port = vxlan_port(dev);
	bool lost = atomic_load(&dev->lost), link = atomic_load(&port->link);
	bool up = atomic_load(&dev->tx_ready) != 0;
	json_t *row = json_object();

	json_object_set_new(row, "state",
		json_string(lost    ? "gone"
			    : up    ? "up"
			    : !link ? "down"
				    : "unresolved"));
	json_object_set_new(row, "error", error_of(port, lost, link, up));
	json_object_set_new(row, "vni", json_integer(port->vni));
	json_object_set_new(row, "peer", address(port->peer));
	json_object_set_new(row, "next_hop_mac", mac_or_null(port->next_hop));
	json_object_set_new(row, "rx_overflow", counter(&port->inbox.overflow));
	json_object_set_new(row, "tx_unresolved", counter(&port->counters.tx_unresolved));
	json_object_set_new(row, "tx_double_tag", counter(&port->counters.tx_double_tag));
	json_object_set_new(row, "tx_refused", counter(&port->counters.tx_refused));
	json_object_set_new(row, "underlay", describe_underlay(port->underlay));
	trunk_show(port->underlay->trunk, row);
	xdp_follow_show(trunk_program(port->underlay->trunk), EDGE_OF_VNI(port->vni), row);
	return row;
}
