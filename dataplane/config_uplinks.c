#include "config_uplinks.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_bond.h"
#include "config_check_rule.h"
#include "config_fields.h"
#include "config_types.h"
#include "config_vxlan.h"

#define VLANS 4096

/* How many hex digits text begins with; 0 where they are not min to max. */
static size_t hex_digits(const char *text, size_t min, size_t max)
{
	size_t n = 0;

	while (isxdigit((unsigned char)text[n]))
		n++;
	return n >= min && n <= max ? n : 0;
}

/* [domain:]bus:device.function, as lspci and DPDK write it. */
bool config_device_is_pci(const char *device)
{
	size_t domain = hex_digits(device, 4, 8), n;

	if (domain > 0) {
		if (device[domain] != ':')
			return false;
		device += domain + 1;
	}
	for (unsigned part = 0; part < 2; part++) {
		n = hex_digits(device, 2, 2);
		if (n == 0 || device[n] != ":."[part])
			return false;
		device += n + 1;
	}
	return *device >= '0' && *device <= '7' && (device[1] == '\0' || device[1] == ',');
}

/* net_DRIVER[NUMBER]: DPDK finds the driver by the beginning. */
static bool is_vdev(const char *device)
{
	size_t n = strlen("net_");

	if (strncmp(device, "net_", n) != 0 || !isalpha((unsigned char)device[n]))
		return false;
	while (isalnum((unsigned char)device[n]) || device[n] == '_')
		n++;
	return device[n] == '\0' || device[n] == ',';
}

bool config_device_is_one(const char *text)
{
	return config_device_is_pci(text) || is_vdev(text);
}

/* The switch has sockets of its own for that. */
static bool is_af_xdp(const char *device)
{
	return strncmp(device, "net_af_xdp", strlen("net_af_xdp")) == 0;
}

static bool is_printable(const char *text)
{
	while (*text > ' ' && *text < 0x7f)
		text++;
	return *text == '\0';
}

static bool decode_device(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);

	if (!text || strlen(text) > (size_t)field->max || !is_printable(text) ||
		!config_device_is_one(text))
		return config_type_bad(context,
			"a PCI address such as \"0000:3b:00.0\", or a device of DPDK such as "
			"\"net_tap0,iface=up0\"",
			value);
	if (is_af_xdp(text))
		return config_type_bad(context,
			"a device of another driver: for AF_XDP write \"interface\" instead of "
			"\"device\", as in interface: eth1",
			value);
	snprintf(to, field->size, "%s", text);
	return true;
}

static json_t *encode_device(const struct config_field *field, const void *from)
{
	(void)field;
	return json_string(from);
}

const struct config_type config_type_device = {decode_device, encode_device, NULL};

static bool has_device(const void *object)
{
	return ((const struct config_uplink *)object)->device[0];
}

static bool has_bond(const void *object)
{
	return ((const struct config_uplink *)object)->has_bond;
}

static bool has_interface(const void *object)
{
	return ((const struct config_uplink *)object)->interface[0];
}

static bool has_untagged(const void *object)
{
	return ((const struct config_uplink *)object)->untagged[0];
}

static bool has_vxlan(const void *object)
{
	return ((const struct config_uplink *)object)->has_vxlan;
}

static const char *const qinq_choices[] = {"drop", "pass", NULL};

/* clang-format off */

static const struct config_field uplink_fields[] = {
	{.name = "name", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_uplink, name),
		.help = "the uplink's name"},
	{.name = "device", .type = &config_type_device, .max = CONFIG_DEVICE_MAX,
		CONFIG_AT(struct config_uplink, device), .present = has_device,
		.help = "a PCI address, or a device of DPDK such as \"net_tap0,iface=up0\""},
	{.name = "interface", .type = &config_type_interface, .max = CONFIG_INTERFACE_MAX,
		CONFIG_AT(struct config_uplink, interface), .present = has_interface,
		.help = "the name of an interface of the kernel, which the host goes on using"},
	{.name = "bond", .type = &config_type_object, .table = &config_fields_bond,
		CONFIG_AT(struct config_uplink, bond),
		.count_offset = offsetof(struct config_uplink, has_bond), .present = has_bond,
		.help = "several devices that are used as one"},
	{.name = "queues", .type = &config_type_number, .min = 1, .max = CONFIG_QUEUES_MAX,
		.value = 1, CONFIG_AT(struct config_uplink, queues),
		.help = "how many queues the device is to have"},
	{.name = "networks", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_LIST(struct config_uplink, networks, n_networks),
		.help = "a list of names of networks that have a vlan, such as [office]"},
	{.name = "untagged", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_AT(struct config_uplink, untagged), .present = has_untagged,
		.help = "the name of the network whose frames have no tag"},
	{.name = "qinq", .type = &config_type_choice, .choices = qinq_choices,
		.value = false, CONFIG_AT(struct config_uplink, qinq),
		.help = "drop or pass"},
	{.name = "promiscuous", .type = &config_type_boolean,
		.value = false, CONFIG_AT(struct config_uplink, promiscuous),
		.help = "true or false"},
	{.name = "mac-limit", .type = &config_type_number, .min = 0, .max = 1048576,
		.value = 4096, CONFIG_AT(struct config_uplink, mac_limit),
		.help = "how many MACs of each network are learned on it"},
	{.name = "storm", .type = &config_type_object, .table = &config_fields_storm,
		CONFIG_AT(struct config_uplink, storm),
		.help = "packets per second by kind"},
	{.name = "vxlan", .type = &config_type_object, .table = &config_fields_vxlan,
		CONFIG_AT(struct config_uplink, vxlan),
		.count_offset = offsetof(struct config_uplink, has_vxlan), .present = has_vxlan,
		.help = "the underlay and its peers"},
	{0},
};

/* clang-format on */

const struct config_table config_fields_uplink = {"an uplink", uplink_fields, NULL};

struct expansion {
	struct config_context *context;
	struct config *config;
	struct config_uplink *uplink;
	int carried[VLANS]; /* index of the network that the uplink carries under it, or -1 */
	uint16_t mtu; /* the largest of those, and of VXLAN's outer packets */
	bool vxlan; /* it has tunnels, and they are in order */
};

static int find_network(const struct config *config, const char *name)
{
	const struct config_network *network = config_network(config, name);

	return network ? (int)(network - config->networks) : -1;
}

static void carry(struct expansion *x, const char *member, int network, uint16_t vlan)
{
	const struct config_network *net = &x->config->networks[network];
	int other = x->carried[vlan];

	if (other >= 0 && other != network) {
		config_check_error(x->context, member,
			"networks %s and %s both have vlan %u: the uplink can carry only one of "
			"them; list its networks, or change a vlan",
			x->config->networks[other].name, net->name, vlan);
		return;
	}
	x->carried[vlan] = network;
	if (net->mtu > x->mtu)
		x->mtu = net->mtu;
}

static void carry_listed(struct expansion *x, unsigned i)
{
	const char *name = x->uplink->networks[i];
	int network = find_network(x->config, name);
	char member[32];

	snprintf(member, sizeof(member), "networks[%u]", i);
	if (network < 0)
		config_check_error(x->context, member,
			"network \"%s\" does not exist: add it under networks, or name one that "
			"does",
			name);
	else if (x->config->networks[network].vlan == 0)
		config_check_error(x->context, member,
			"network \"%s\" has no vlan: give it one, or make it the uplink's "
			"\"untagged\" one",
			name);
	else
		carry(x, member, network, x->config->networks[network].vlan);
}

/*
 * Who can send in the underlay could send into any tunnel, with the host's own address: no guest
 * may.
 */
static void carry_vxlan(struct expansion *x)
{
	const struct config_vxlan *vxlan = &x->uplink->vxlan;
	int other = x->carried[vxlan->vlan];

	x->vxlan = x->uplink->has_vxlan && config_vxlan_check(x->context, x->config, x->uplink);
	if (!x->uplink->has_vxlan)
		return;
	if (vxlan->mtu > x->mtu)
		x->mtu = vxlan->mtu;
	if (other >= 0 && vxlan->vlan != 0)
		config_check_error(x->context, "vxlan.vlan",
			"network %s has vlan %u here, and its guests could send into the tunnels: "
			"give the underlay a VLAN of its own",
			x->config->networks[other].name, vxlan->vlan);
	else if (other >= 0)
		config_check_error(x->context, "vxlan.vlan",
			"network %s goes without a tag, as the tunnels do, and its guests could "
			"send into them: give the underlay a VLAN of its own",
			x->config->networks[other].name);
}

/* Which networks the uplink carries, and how. */
static void carry_all(struct expansion *x)
{
	const struct config_uplink *uplink = x->uplink;
	int untagged = -1;

	memset(x->carried, 0xff, sizeof(x->carried));
	x->mtu = 0;
	if (uplink->untagged[0]) {
		untagged = find_network(x->config, uplink->untagged);
		if (untagged < 0)
			config_check_error(x->context, "untagged",
				"network \"%s\" does not exist: add it under networks, or name one "
				"that does",
				uplink->untagged);
		else
			carry(x, "untagged", untagged, 0);
	}
	for (unsigned i = 0; i < uplink->n_networks; i++)
		carry_listed(x, i);
	/* One for tunnels alone would join them to the same networks' VLANs elsewhere. */
	for (unsigned i = 0;
		uplink->n_networks == 0 && !uplink->has_vxlan && i < x->config->n_networks; i++)
		if (x->config->networks[i].vlan != 0 && (int)i != untagged)
			carry(x, "networks", (int)i, x->config->networks[i].vlan);
	if (untagged >= 0 && x->config->networks[untagged].vlan != 0 &&
		x->carried[x->config->networks[untagged].vlan] == untagged)
		config_check_error(x->context, "untagged",
			"network \"%s\" is listed under networks, too: it goes out either with its "
			"tag or without",
			uplink->untagged);
}

/* What the ports of the uplink have in common. */
static void fill_share(const struct expansion *x, struct config_port *port)
{
	config_schema_defaults(&config_fields_port, port);
	port->kind = CONFIG_PORT_UPLINK;
	memcpy(port->uplink.uplink, x->uplink->name, sizeof(port->uplink.uplink));
	memcpy(port->uplink.device, x->uplink->device, sizeof(port->uplink.device));
	port->uplink.bond = x->uplink->bond;
	memcpy(port->uplink.interface, x->uplink->interface, sizeof(port->uplink.interface));
	port->uplink.queues = x->uplink->queues;
	port->uplink.qinq = x->uplink->qinq;
	port->uplink.mtu = x->mtu;
	port->trusted = true;
	port->promiscuous = x->uplink->promiscuous;
	port->mac_limit = x->uplink->mac_limit;
	port->storm = x->uplink->storm;
}

static bool name_is_free(const struct config *config, const char *name)
{
	return config_port(config, name) == NULL;
}

/* The port that stands for what the uplink carries under vlan. */
static void append_share(struct expansion *x, uint16_t vlan)
{
	const struct config_network *network = &x->config->networks[x->carried[vlan]];
	struct config_port port = {0};
	char name[CONFIG_NAME_MAX + 16];

	fill_share(x, &port);
	if (vlan == 0)
		snprintf(name, sizeof(name), "%s", x->uplink->name);
	else
		snprintf(name, sizeof(name), "%s.%u", x->uplink->name, vlan);
	if (strlen(name) > CONFIG_NAME_MAX) {
		config_check_error(x->context, "name",
			"is too long for \".%u\" behind it: give at most %d characters", vlan,
			CONFIG_NAME_MAX - 5);
		return;
	}
	if (!name_is_free(x->config, name)) {
		config_check_error(x->context, "name",
			"what it carries of network %s would be called %s, and a port is called "
			"that already: rename one",
			network->name, name);
		return;
	}
	memcpy(port.name, name, strlen(name) + 1);
	memcpy(port.network, network->name, sizeof(port.network));
	port.network_index = (unsigned)x->carried[vlan];
	port.mtu = network->mtu;
	port.uplink.vlan = vlan;
	port.tagged = vlan != 0 && x->uplink->qinq; /* without the network's tag never */
	x->config->ports[x->config->n_ports++] = port;
}

static unsigned count_carried(const struct expansion *x)
{
	unsigned n = 0;

	for (unsigned vlan = 0; vlan < VLANS; vlan++)
		n += x->carried[vlan] >= 0;
	return n;
}

static void append_tunnels(struct expansion *x)
{
	struct config_port share = {0};

	fill_share(x, &share);
	/* As with a network's own tag: guests' tags are part of the frame, or do not pass. */
	share.tagged = x->uplink->qinq;
	config_vxlan_append(x->context, x->config, x->uplink, &share);
}

static void append_all(struct expansion *x)
{
	unsigned tunnels = x->vxlan ? config_vxlan_count(x->config, x->uplink) : 0;
	unsigned n = count_carried(x) + tunnels, room = x->config->n_ports + n;
	struct config_port *ports;

	if (n == 0 && x->uplink->n_networks == 0 && !x->uplink->untagged[0])
		config_context_warn(x->context,
			"carries nothing: give networks a vlan or vni, or name one as "
			"\"untagged\"");
	if (room > CONFIG_PORTS_MAX) {
		config_context_error(x->context,
			"makes %u ports with those before it, one for each network that it "
			"carries, and to each of its peers: at most %u are taken; list the "
			"networks that are needed",
			room, CONFIG_PORTS_MAX);
		return;
	}
	ports = realloc(x->config->ports, (room > 0 ? room : 1) * sizeof(*ports));
	if (!ports) {
		config_context_error(x->context, "out of memory");
		return;
	}
	x->config->ports = ports;
	for (unsigned vlan = 0; vlan < VLANS; vlan++)
		if (x->carried[vlan] >= 0)
			append_share(x, (uint16_t)vlan);
	if (x->vxlan)
		append_tunnels(x);
}

bool config_device_same(const char *a, const char *b)
{
	size_t n = strcspn(a, ",");

	return n == strcspn(b, ",") && strncmp(a, b, n) == 0;
}

/* Says where other stands on device, too: member of the context's object. */
static void check_free(struct expansion *x, const char *member, const char *device,
	const struct config_uplink *other)
{
	bool taken = other->device[0] && config_device_same(other->device, device);

	for (unsigned m = 0; m < other->bond.n_members; m++)
		taken |= config_device_same(other->bond.members[m], device);
	if (taken)
		config_check_error(x->context, member,
			"uplink %s has a device of that name already: give each its own, such as "
			"net_tap0 and net_tap1",
			other->name);
}

static void check_devices(struct expansion *x, unsigned i)
{
	const struct config_uplink *uplink = x->uplink;
	char member[32];

	for (unsigned j = 0; j < i; j++) {
		const struct config_uplink *other = &x->config->uplinks[j];

		if (uplink->device[0])
			check_free(x, "device", uplink->device, other);
		for (unsigned m = 0; m < uplink->bond.n_members; m++) {
			snprintf(member, sizeof(member), "bond.members[%u]", m);
			check_free(x, member, uplink->bond.members[m], other);
		}
	}
}

/* What the uplink stands on is given, once, and no other's. */
static void check_underneath(struct expansion *x, unsigned i)
{
	const struct config_uplink *uplink = x->uplink;

	if (uplink->has_bond && uplink->device[0])
		config_check_error(x->context, "bond",
			"is given beside device: an uplink stands on one of them");
	else if (uplink->interface[0] && (uplink->has_bond || uplink->device[0]))
		config_check_error(x->context, "interface",
			"is given beside a device: an uplink stands on one of them");
	else if (!uplink->has_bond && !uplink->device[0] && !uplink->interface[0])
		config_context_error(x->context,
			"stands on nothing: give it an interface of the kernel, a device, or a "
			"bond of several");
	if (uplink->has_bond)
		config_bond_check(x->context, &uplink->bond);
	check_devices(x, i);
}

/* Whether a device of DPDK, as it is configured, stands on an interface of the kernel. */
static bool is_over(const char *device, const char *interface)
{
	const char *at = strstr(device, ",iface=");
	size_t len = strlen(interface);

	at = at != NULL ? at + strlen(",iface=") : "";
	return strncmp(at, interface, len) == 0 && (at[len] == '\0' || at[len] == ',');
}

/* Of two that name the same interface, the second one is told. */
static bool has_it(const struct config_uplink *other, const struct config_uplink *uplink)
{
	const char *interface = uplink->interface;
	bool has = (other < uplink && strcmp(other->interface, interface) == 0) ||
		   is_over(other->device, interface);

	for (unsigned m = 0; m < other->bond.n_members; m++)
		has |= is_over(other->bond.members[m], interface);
	return has;
}

/* One that another uplink takes frames from, or that the switch itself makes for the host. */
static void check_interface(struct expansion *x)
{
	const char *interface = x->uplink->interface;

	if (!interface[0])
		return;
	for (unsigned i = 0; i < x->config->n_uplinks; i++)
		if (has_it(&x->config->uplinks[i], x->uplink))
			config_check_error(x->context, "interface",
				"uplink %s has that interface already: give each its own",
				x->config->uplinks[i].name);
	for (unsigned i = 0; i < x->config->n_listed_ports; i++) {
		const struct config_port *port = &x->config->ports[i];

		if (port->kind == CONFIG_PORT_KERNEL && !port->kernel.netns[0] &&
			strcmp(port->kernel.interface, interface) == 0)
			config_check_error(x->context, "interface",
				"is the one of port %s, by which the host is a guest: give a NIC",
				port->name);
	}
}

void config_uplinks_expand(struct config_context *context, struct config *config)
{
	struct expansion *x = calloc(1, sizeof(*x));

	config->n_ports = config->n_listed_ports;
	if (!x) {
		config_context_error(context, "out of memory");
		return;
	}
	x->context = context;
	x->config = config;
	for (unsigned i = 0; i < config->n_uplinks; i++) {
		size_t mark = config_context_member(context, "uplinks");

		config_context_item(context, i);
		x->uplink = &config->uplinks[i];
		check_underneath(x, i);
		check_interface(x);
		carry_all(x);
		carry_vxlan(x);
		if (x->uplink->name[0])
			append_all(x);
		config_context_leave(context, mark);
	}
	free(x);
}
