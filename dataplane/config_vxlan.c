#include "config_vxlan.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_addresses.h"
#include "config_check_rule.h"
#include "config_types.h"

static bool has_gateway(const void *object)
{
	return ((const struct config_vxlan *)object)->gateway[0];
}

/* clang-format off */

static const struct config_field peer_mac_fields[] = {
	{.name = "network", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_peer_mac, network),
		.help = "the name of the network that the MAC is in"},
	{.name = "mac", .type = &config_type_mac, .required = true,
		CONFIG_AT(struct config_peer_mac, mac),
		.help = "a MAC that lives behind the peer"},
	{0},
};

static const struct config_table peer_mac_table = {"a MAC of a peer", peer_mac_fields, NULL};

static const struct config_field peer_fields[] = {
	{.name = "name", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_AT(struct config_peer, name),
		.help = "the peer's name in those of ports"},
	{.name = "address", .type = &config_type_address, .required = true,
		CONFIG_AT(struct config_peer, address),
		.help = "the address of the other host's end of the tunnels"},
	{.name = "networks", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_ITEMS(struct config_peer, networks, n_networks, CONFIG_NETWORKS_MAX),
		.help = "a list of names of networks that have a vni, such as [office]"},
	{.name = "macs", .type = &config_type_object, .table = &peer_mac_table,
		CONFIG_ITEMS(struct config_peer, macs, n_macs, 16384),
		.help = "a list of MACs, such as {network: office, mac: 02:00:00:00:00:01}"},
	{0},
};

static const struct config_table peer_table = {"a peer", peer_fields, NULL};

static bool decode_local(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to);
static json_t *encode_local(const struct config_field *field, const void *from);

static const struct config_type config_type_local = {decode_local, encode_local, NULL};

static const struct config_field vxlan_fields[] = {
	{.name = "local", .type = &config_type_local, .required = true,
		CONFIG_AT(struct config_vxlan, local),
		.help = "this host's own address with its prefix length, such as 192.0.2.1/24"},
	{.name = "gateway", .type = &config_type_address,
		CONFIG_AT(struct config_vxlan, gateway), .present = has_gateway,
		.help = "the address of the router to peers that are further away"},
	{.name = "port", .type = &config_type_number, .min = 1, .max = 65535,
		.value = 4789, CONFIG_AT(struct config_vxlan, udp_port),
		.help = "a UDP port"},
	{.name = "vlan", .type = &config_type_number, .min = 0, .max = 4094,
		.value = 0, CONFIG_AT(struct config_vxlan, vlan),
		.help = "the VLAN that the tunnels run in, or 0 for none"},
	{.name = "mtu", .type = &config_type_number, .min = 576, .max = CONFIG_MTU_MAX,
		.value = 1500, CONFIG_AT(struct config_vxlan, mtu),
		.help = "the largest outer packet in bytes"},
	{.name = "peers", .type = &config_type_object, .table = &peer_table,
		.bare = true, CONFIG_ITEMS(struct config_vxlan, peers, n_peers, CONFIG_PEERS_MAX),
		.help = "a list of peers"},
	{0},
};

/* clang-format on */

const struct config_table config_fields_vxlan = {"vxlan", vxlan_fields, NULL};

static struct addr address_of(uint8_t family, const uint8_t *bytes)
{
	return family == 4 ? addr_from_ipv4(bytes) : addr_from_ipv6(bytes);
}

static struct addr local_of(const struct config_vxlan *vxlan)
{
	return address_of(vxlan->local.family, vxlan->local.addr);
}

/* text has been checked, or is empty: then all zeros. */
static struct addr parsed(const char *text)
{
	struct addr_span span = {0};

	return addr_span_parse(text, &span) ? span.first : (struct addr){0};
}

/* An address that a host can have within its prefix: neither the subnet's nor the broadcast one. */
static bool is_own(const struct config_prefix *local)
{
	struct addr a = address_of(local->family, local->addr);
	struct addr_span subnet = addr_prefix(a, local->len);
	bool v4 = local->family == 4;

	if (local->len == 0 || (v4 ? local->addr[0] >= 224 : local->addr[0] == 0xff))
		return false;
	if (v4 && local->len < 31)
		return !addr_equal(a, subnet.first) && !addr_equal(a, subnet.last);
	return a.high != 0 || a.low > 1;
}

static bool parse_local(const char *text, struct config_prefix *local)
{
	struct addr_span span;
	char alone[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');

	/* As for its form it is a prefix; what stands before the slash is the address. */
	if (!slash || (size_t)(slash - text) >= sizeof(alone) || !addr_span_parse(text, &span))
		return false;
	snprintf(alone, sizeof(alone), "%.*s", (int)(slash - text), text);
	local->family = inet_pton(AF_INET, alone, local->addr) == 1 ? 4 : 6;
	if (local->family == 6 && inet_pton(AF_INET6, alone, local->addr) != 1)
		return false;
	local->len = (uint8_t)strtoul(slash + 1, NULL, 10);
	return is_own(local);
}

static bool decode_local(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	struct config_prefix local = {0};

	if (!text || !parse_local(text, &local))
		return config_type_bad(context,
			"a host's address with its prefix length, such as 192.0.2.1/24 or "
			"2001:db8::1/64",
			value);
	memcpy(to, &local, sizeof(local));
	return true;
}

static json_t *encode_local(const struct config_field *field, const void *from)
{
	const struct config_prefix *local = from;
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(local->family == 4 ? AF_INET : AF_INET6, local->addr, text, sizeof(text));
	return json_sprintf("%s/%u", text, local->len);
}

static unsigned overhead(const struct config_vxlan *vxlan)
{
	return vxlan->local.family == 4 ? CONFIG_VXLAN_OVERHEAD_IPV4 : CONFIG_VXLAN_OVERHEAD_IPV6;
}

static uint16_t inner_mtu(const struct config_vxlan *vxlan, const struct config_network *network)
{
	unsigned most = vxlan->mtu - overhead(vxlan);

	return (uint16_t)(network->mtu < most ? network->mtu : most);
}

static bool goes_to(const struct config_peer *peer, const struct config_network *network)
{
	if (network->vni == 0)
		return false;
	for (unsigned i = 0; i < peer->n_networks; i++)
		if (!strcmp(peer->networks[i], network->name))
			return true;
	return peer->n_networks == 0;
}

static struct addr_span on_link(const struct config_vxlan *vxlan)
{
	return addr_prefix(local_of(vxlan), vxlan->local.len);
}

/* The subnet's own address or its broadcast one, at which no host is (RFC 1122, 3.2.1.3). */
static bool is_no_hosts(const struct config_vxlan *vxlan, struct addr a)
{
	struct addr_span subnet = on_link(vxlan);

	return vxlan->local.family == 4 && vxlan->local.len < 31 &&
	       (addr_equal(a, subnet.first) || addr_equal(a, subnet.last));
}

/* member: of the object at hand. */
static bool check_family(struct config_context *context, const char *member,
	const struct config_vxlan *vxlan, const char *text)
{
	bool ipv4 = addr_is_ipv4(parsed(text));

	if (ipv4 == (vxlan->local.family == 4))
		return true;
	config_check_error(context, member,
		"%s is IPv%d and the uplink's own address IPv%d: tunnels run over one of them; "
		"give "
		"an IPv%d address, or a second uplink",
		text, ipv4 ? 4 : 6, vxlan->local.family, vxlan->local.family);
	return false;
}

static void check_gateway(struct config_context *context, const struct config_uplink *uplink)
{
	const struct config_vxlan *vxlan = &uplink->vxlan;
	struct addr gateway = parsed(vxlan->gateway);

	if (!vxlan->gateway[0])
		return;
	if (uplink->interface[0]) {
		config_check_error(context, "gateway",
			"is for an uplink with a \"device\": the routes of the host lead to peers "
			"behind an interface of its own; leave it out");
		return;
	}
	if (!check_family(context, "gateway", vxlan, vxlan->gateway))
		return;
	if (!addr_in(gateway, on_link(vxlan)) || addr_equal(gateway, local_of(vxlan)) ||
		is_no_hosts(vxlan, gateway))
		config_check_error(context, "gateway",
			"must be another host in the prefix of \"local\", not %s", vxlan->gateway);
}

/* Peers are called by their addresses, in which a name has no ':'. */
static void name_peer(struct config_peer *peer)
{
	if (peer->name[0])
		return;
	snprintf(peer->name, sizeof(peer->name), "%s", peer->address);
	for (char *c = peer->name; *c; c++)
		if (*c == ':')
			*c = '-';
}

static void check_peer_address(struct config_context *context, const struct config_uplink *uplink,
	const struct config_peer *peer)
{
	const struct config_vxlan *vxlan = &uplink->vxlan;
	struct addr address = parsed(peer->address);

	if (!check_family(context, "address", vxlan, peer->address))
		return;
	if (addr_equal(address, local_of(vxlan)))
		config_check_error(context, "address",
			"is the uplink's own (\"local\"): list the other hosts only");
	else if (is_no_hosts(vxlan, address))
		config_check_error(context, "address",
			"%s is that of the subnet or its broadcasts: list hosts, each gets a copy "
			"of "
			"what is for many",
			peer->address);
	else if (!addr_in(address, on_link(vxlan)) && !vxlan->gateway[0] && !uplink->interface[0])
		config_check_error(context, "address",
			"%s is not in the prefix of \"local\", and there is no \"gateway\": give "
			"one of them",
			peer->address);
}

static void check_peer_twice(
	struct config_context *context, const struct config_vxlan *vxlan, unsigned i)
{
	const struct config_peer *peer = &vxlan->peers[i];

	for (unsigned j = 0; j < i; j++) {
		if (!strcmp(vxlan->peers[j].address, peer->address))
			config_check_error(context, "address",
				"is that of entry [%u], too: list each peer once", j);
		else if (!strcmp(vxlan->peers[j].name, peer->name))
			config_check_error(context, "name",
				"\"%s\" is the name of entry [%u], too: names must differ",
				peer->name, j);
	}
}

/* A network that the peer's entry names in member; NULL: there is none, or it has no vni. */
static const struct config_network *named_network(struct config_context *context,
	const struct config *config, const char *member, const char *name)
{
	const struct config_network *network = config_network(config, name);

	if (!network)
		config_check_error(context, member,
			"network \"%s\" does not exist: add it under networks, or name one that "
			"does",
			name);
	else if (network->vni == 0)
		config_check_error(context, member, "network \"%s\" has no vni: give it one", name);
	return network && network->vni != 0 ? network : NULL;
}

static void check_peer_networks(
	struct config_context *context, const struct config *config, const struct config_peer *peer)
{
	const struct config_network *network;
	char member[32];

	for (unsigned i = 0; i < peer->n_networks; i++) {
		snprintf(member, sizeof(member), "networks[%u]", i);
		named_network(context, config, member, peer->networks[i]);
	}
	for (unsigned i = 0; i < peer->n_macs; i++) {
		snprintf(member, sizeof(member), "macs[%u].network", i);
		network = named_network(context, config, member, peer->macs[i].network);
		if (network && !goes_to(peer, network))
			config_check_error(context, member,
				"network \"%s\" is not among the peer's networks: list it there",
				network->name);
	}
}

/* The key of a MAC in a network, in a table of those that are taken. */
static void mac_key(char key[128], const char *network, const uint8_t *m)
{
	snprintf(key, 128, "%s/%02x:%02x:%02x:%02x:%02x:%02x", network, m[0], m[1], m[2], m[3],
		m[4], m[5]);
}

/* Who has which MAC already: listed ports, and peers of the uplinks before. */
static json_t *taken_macs(const struct config *config)
{
	json_t *taken = json_object();
	char key[128];

	for (unsigned i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];

		if (port->has_mac) {
			mac_key(key, port->network, port->mac);
			json_object_set_new(taken, key, json_string(port->name));
		}
		for (unsigned m = 0; m < port->vxlan.n_macs; m++) {
			mac_key(key, port->network, port->vxlan.macs[m]);
			json_object_set_new(taken, key, json_string(port->name));
		}
	}
	return taken;
}

static void check_peer_macs(
	struct config_context *context, const struct config_peer *peer, json_t *taken)
{
	char key[128], member[32];

	for (unsigned i = 0; i < peer->n_macs; i++) {
		const struct config_peer_mac *mac = &peer->macs[i];
		const json_t *other;

		mac_key(key, mac->network, mac->mac);
		other = json_object_get(taken, key);
		snprintf(member, sizeof(member), "macs[%u].mac", i);
		if (other)
			config_check_error(context, member,
				"%s lives at %s in the same network: a MAC has one place",
				strchr(key, '/') + 1, json_string_value(other));
		else
			json_object_set_new(taken, key, json_sprintf("peer %s", peer->name));
	}
}

static void check_peers(
	struct config_context *context, const struct config *config, struct config_uplink *uplink)
{
	struct config_vxlan *vxlan = &uplink->vxlan;
	json_t *taken = taken_macs(config);

	for (unsigned i = 0; i < vxlan->n_peers; i++) {
		struct config_peer *peer = &vxlan->peers[i];
		size_t mark = config_context_member(context, "peers");

		config_context_item(context, i);
		if (peer->address[0]) { /* else that was said */
			name_peer(peer);
			check_peer_address(context, uplink, peer);
			check_peer_twice(context, vxlan, i);
			check_peer_networks(context, config, peer);
			check_peer_macs(context, peer, taken);
		}
		config_context_leave(context, mark);
	}
	json_decref(taken);
}

/* Where guests' packets would fit the network but not the tunnel, connections would hang. */
static void warn_of_mtu(struct config_context *context, const struct config *config,
	const struct config_vxlan *vxlan)
{
	for (unsigned i = 0; i < config->n_networks; i++) {
		const struct config_network *network = &config->networks[i];

		for (unsigned p = 0; p < vxlan->n_peers; p++) {
			if (!goes_to(&vxlan->peers[p], network) ||
				inner_mtu(vxlan, network) == network->mtu)
				continue;
			config_check_warn(context, "mtu",
				"network %s has packets of %u bytes, of which %u fit: give it an "
				"mtu of %u, or the uplink's vxlan one of %u",
				network->name, network->mtu, inner_mtu(vxlan, network),
				inner_mtu(vxlan, network), network->mtu + overhead(vxlan));
			break;
		}
	}
}

bool config_vxlan_check(
	struct config_context *context, const struct config *config, struct config_uplink *uplink)
{
	struct config_vxlan *vxlan = &uplink->vxlan;
	unsigned errors = context->report->n_errors;
	size_t mark = config_context_member(context, "vxlan");

	if (vxlan->local.family == 0) { /* missing or wrong, and reported */
		config_context_leave(context, mark);
		return false;
	}
	check_gateway(context, uplink);
	check_peers(context, config, uplink);
	if (context->report->n_errors == errors)
		warn_of_mtu(context, config, vxlan);
	if (vxlan->n_peers == 0)
		config_context_warn(context, "has no peers: list the other hosts under \"peers\"");
	config_context_leave(context, mark);
	return context->report->n_errors == errors;
}

unsigned config_vxlan_count(const struct config *config, const struct config_uplink *uplink)
{
	unsigned n = 0;

	for (unsigned p = 0; p < uplink->vxlan.n_peers; p++)
		for (unsigned i = 0; i < config->n_networks; i++)
			n += goes_to(&uplink->vxlan.peers[p], &config->networks[i]);
	return n;
}

static void fill_overlay(struct config_overlay *overlay, const struct config_vxlan *vxlan,
	const struct config_peer *peer, uint32_t vni)
{
	overlay->underlay.local = local_of(vxlan);
	overlay->underlay.on_link = on_link(vxlan);
	overlay->underlay.gateway = parsed(vxlan->gateway);
	overlay->underlay.udp_port = vxlan->udp_port;
	overlay->underlay.mtu = vxlan->mtu;
	overlay->peer = parsed(peer->address);
	overlay->vni = vni;
}

/* False: there are too many. */
static bool fill_macs(
	struct config_overlay *overlay, const struct config_peer *peer, const char *network)
{
	for (unsigned i = 0; i < peer->n_macs; i++) {
		if (strcmp(peer->macs[i].network, network))
			continue;
		if (overlay->n_macs == CONFIG_PEER_MACS_MAX)
			return false;
		memcpy(overlay->macs[overlay->n_macs++], peer->macs[i].mac, 6);
	}
	return true;
}

/* The port of one network to one peer, at which the context stands. */
static void append_one(struct config_context *context, struct config *config,
	const struct config_uplink *uplink, unsigned p, struct config_port *port)
{
	const struct config_peer *peer = &uplink->vxlan.peers[p];
	const struct config_network *network = &config->networks[port->network_index];
	char name[2 * CONFIG_NAME_MAX + 16];

	snprintf(name, sizeof(name), "%s.%s.%u", uplink->name, peer->name, network->vni);
	if (strlen(name) > CONFIG_NAME_MAX) {
		config_check_error(context, "name",
			"\"%s\" is too long for a port's name: give the peer a shorter one", name);
		return;
	}
	if (config_port(config, name)) {
		config_check_error(context, "name",
			"what goes to it of network %s would be called %s, and a port is called "
			"that already: rename one",
			network->name, name);
		return;
	}
	memcpy(port->name, name, strlen(name) + 1);
	memcpy(port->network, network->name, sizeof(port->network));
	port->kind = CONFIG_PORT_VXLAN;
	port->mtu = inner_mtu(&uplink->vxlan, network);
	port->uplink.vlan = uplink->vxlan.vlan;
	fill_overlay(&port->vxlan, &uplink->vxlan, peer, network->vni);
	if (!fill_macs(&port->vxlan, peer, network->name))
		config_check_error(context, "macs",
			"has more than %u of network %s: list those that matter, others are "
			"learned",
			CONFIG_PEER_MACS_MAX, network->name);
	config->ports[config->n_ports++] = *port;
}

void config_vxlan_append(struct config_context *context, struct config *config,
	const struct config_uplink *uplink, const struct config_port *share)
{
	size_t mark = config_context_member(context, "vxlan");

	config_context_member(context, "peers");
	for (unsigned p = 0; p < uplink->vxlan.n_peers; p++) {
		size_t entry = config_context_item(context, p);

		for (unsigned i = 0; i < config->n_networks; i++) {
			struct config_port port = *share;

			port.network_index = i;
			if (goes_to(&uplink->vxlan.peers[p], &config->networks[i]))
				append_one(context, config, uplink, p, &port);
		}
		config_context_leave(context, entry);
	}
	config_context_leave(context, mark);
}
