/* What quarantine forbids. Worker threads; no state of its own. */
#include <netinet/in.h>

#include <rte_ether.h>

#include "firewall_state.h"
#include "inspect.h"

/* Where the tenant has no inspection, an operator's own quarantine goes by these. */
static const struct config_allow own_allow[] = {
	{.protocol = IPPROTO_UDP, .ports = {67, 67}, .remote = {{0, 0}, {UINT64_MAX, UINT64_MAX}}},
	{.protocol = IPPROTO_UDP,
		.ports = {547, 547},
		.remote = {{0, 0}, {UINT64_MAX, UINT64_MAX}}},
	{.protocol = IPPROTO_UDP, .ports = {53, 53}, .remote = {{0, 0}, {UINT64_MAX, UINT64_MAX}}},
	{.protocol = IPPROTO_TCP, .ports = {53, 53}, .remote = {{0, 0}, {UINT64_MAX, UINT64_MAX}}},
};
static const struct inspect_profile own = {
	.services = {139, 445},
	.n_services = 2,
	.allow = own_allow,
	.n_allow = RTE_DIM(own_allow),
};

/* remote: side of the packet's key that is not the one cut off. */
static bool is_allowed(
	const struct inspect_profile *profile, const struct conn_view *view, unsigned remote)
{
	const struct conn_key *key = &view->key;

	for (unsigned i = 0; i < profile->n_allow; i++) {
		const struct config_allow *allow = &profile->allow[i];

		if (allow->protocol == key->proto && key->port[remote] >= allow->ports.first &&
			key->port[remote] <= allow->ports.last &&
			addr_in(key->addr[remote], allow->remote))
			return true;
	}
	return false;
}

static bool is_service(const struct inspect_profile *profile, const struct conn_view *view)
{
	return view->kind == CONN_PACKET && view->key.proto == IPPROTO_TCP &&
	       (inspect_is_service(profile, view->key.port[0]) ||
		       inspect_is_service(profile, view->key.port[1]));
}

/* Neighbours must be found, or nothing on the list could be reached. */
static bool is_neighbour_discovery(const struct packet *p, const struct conn_view *view)
{
	return view->kind == CONN_NONE &&
	       (p->ethertype == RTE_ETHER_TYPE_ARP || p->l4_proto == IPPROTO_ICMPV6);
}

/* The packet's own source or destination, also of an ICMP error. False: it is not IP. */
static bool read_address(const struct firewall_packet *packet, bool source, struct addr *addr)
{
	const struct packet *p = packet->p;
	const uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, p->l3_off);

	if (p->flags & PACKET_IPV4)
		*addr = addr_from_ipv4(l3 + (source ? 12 : 16)); /* RFC 791, 3.1 */
	else if (p->flags & PACKET_IPV6)
		*addr = addr_from_ipv6(l3 + (source ? 8 : 24)); /* RFC 8200, 3 */
	else
		return false;
	return true;
}

/* Of the address behind an uplink's port; NONE also where it is none. */
static uint8_t remote_level(
	const struct port *port, const struct firewall_packet *packet, bool source)
{
	struct addr addr;

	if (!port->remote || !quarantine_remote_any(port->network) ||
		!read_address(packet, source, &addr))
		return CONFIG_QUARANTINE_NONE;
	return (uint8_t)quarantine_remote_level(port->network, addr);
}

/* Of one end of the packet: source, that which sends. */
static uint8_t end_level(const struct port *port, const struct firewall_packet *packet, bool source)
{
	uint8_t level = quarantine_level(port->id);

	return RTE_MAX(level, remote_level(port, packet, source));
}

uint8_t inspect_gate_level(
	const struct port *from, const struct port *to, const struct firewall_packet *packet)
{
	uint8_t a = end_level(from, packet, true), b = end_level(to, packet, false);

	return RTE_MAX(a, b);
}

/* port: one end of the packet; remote: side of its key at the other. */
static bool forbids(
	const struct port *port, const struct firewall_packet *packet, bool source, unsigned remote)
{
	const struct inspect_profile *profile = inspect_gate_profile(port->inspect);
	const struct conn_view *view = &packet->view;

	switch (end_level(port, packet, source)) {
	case CONFIG_QUARANTINE_PORT:
		if (is_neighbour_discovery(packet->p, view))
			return false;
		return view->kind != CONN_PACKET || !is_allowed(profile, view, remote);
	case CONFIG_QUARANTINE_SERVICE:
		return is_service(profile, view);
	default:
		return false;
	}
}

bool inspect_gate_forbids(
	const struct port *from, const struct port *to, struct firewall_packet *packet)
{
	if (!packet->looked)
		firewall_see(from, packet);
	return forbids(from, packet, true, !packet->view.sender) ||
	       (to != NULL && forbids(to, packet, false, packet->view.sender));
}

static void count_drop(const struct port *port, const struct firewall_packet *packet, bool source)
{
	struct addr addr;

	if (port->remote && quarantine_remote_any(port->network) &&
		read_address(packet, source, &addr))
		quarantine_remote_count_drop(port->network, addr);
}

int inspect_gate_drop(
	const struct port *from, const struct port *to, const struct firewall_packet *packet)
{
	count_drop(from, packet, true);
	if (to != NULL)
		count_drop(to, packet, false);
	return (int)DROP_quarantined;
}

bool inspect_flood_forbids(const struct port *from, struct firewall_packet *packet)
{
	const struct packet *p = packet->p;

	if (!from->inspect->prevent)
		return false;
	if (!packet->looked)
		firewall_see(from, packet);
	/* In fragments the first may have no more than headers. */
	return is_service(from->inspect, &packet->view) &&
	       (packet->frames != NULL || p->l3_off + p->l3_len > p->payload_off);
}

const struct inspect_profile *inspect_gate_profile(const struct inspect_profile *inspect)
{
	return inspect != NULL ? inspect : &own;
}
