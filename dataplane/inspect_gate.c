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

/* port: one end of the packet; remote: side of its key at the other. */
static bool forbids(const struct port *port, const struct firewall_packet *packet, unsigned remote)
{
	const struct inspect_profile *profile = port->inspect != NULL ? port->inspect : &own;
	const struct conn_view *view = &packet->view;

	switch (quarantine_level(port->id)) {
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
	return forbids(from, packet, !packet->view.sender) ||
	       (to != NULL && forbids(to, packet, packet->view.sender));
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
