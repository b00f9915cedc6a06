#include "config_check.h"

#include <stdio.h>
#include <string.h>

#include "config_check_inspection.h"
#include "config_check_policy.h"
#include "config_check_rule.h"
#include "config_fields.h"
#include "config_uplinks.h"

/* Things that may be used once, by key; the value says who uses it. */
struct check {
	struct config_context *context;
	struct config *config;
	const json_t *root;
	json_t *networks, *ports; /* index by name */
	json_t *vnis;
	json_t *macs; /* "network/mac" */
	json_t *paths; /* sockets and files */
	json_t *interfaces; /* "netns/interface" */
	json_t *replay_ports, *replay_sources;
};

/* Notes that user has key. Where somebody has it already: who, good as long as table. */
static const char *claim(json_t *table, const char *key, const char *user)
{
	const json_t *before = json_object_get(table, key);

	if (before)
		return json_string_value(before);
	json_object_set_new(table, key, json_string(user));
	return NULL;
}

/* Enters name in the index; a second one of it is a fault. An empty one has been reported. */
static void index_name(struct check *check, json_t *index, const char *name, unsigned i)
{
	const json_t *before = json_object_get(index, name);

	if (!name[0])
		return;
	if (before)
		config_check_error(check->context, "name",
			"\"%s\" is the name of entry [%d], too: names must differ", name,
			(int)json_integer_value(before));
	else
		json_object_set_new(index, name, json_integer(i));
}

/* Index of name, or -1. */
static int find_name(const json_t *index, const char *name)
{
	const json_t *value = json_object_get(index, name);

	return value ? (int)json_integer_value(value) : -1;
}

static void claim_path(struct check *check, const char *member, const char *path, const char *user)
{
	const char *other = path[0] ? claim(check->paths, path, user) : NULL;

	if (other)
		config_check_error(check->context, member,
			"%s is used by %s already: give another path", path, other);
}

/* The list of workers is whole, so that others can be held against it. */
static bool workers_known(struct check *check)
{
	const struct config_vswitch *vswitch = &check->config->vswitch;
	const json_t *list = json_object_get(json_object_get(check->root, "vswitch"), "workers");

	return vswitch->n_workers > 0 && (!list || json_array_size(list) == vswitch->n_workers);
}

/* Evidence is kept beside the state unless it says where. */
static void default_evidence(struct check *check, struct config_vswitch *vswitch)
{
	static const char below[] = "/evidence";
	size_t len = strlen(vswitch->state);

	if (vswitch->evidence[0])
		return;
	if (len + sizeof(below) > sizeof(vswitch->evidence)) {
		config_check_error(check->context, "state",
			"is too long for %s behind it: give a shorter path, or \"evidence\", too",
			below);
		return;
	}
	memcpy(vswitch->evidence, vswitch->state, len);
	memcpy(vswitch->evidence + len, below, sizeof(below));
}

static void check_vswitch(struct check *check)
{
	struct config_vswitch *vswitch = &check->config->vswitch;

	const json_t *section = json_object_get(check->root, "vswitch");
	const json_t *workers = json_object_get(section, "workers");
	size_t mark = config_context_member(check->context, "vswitch");

	if (json_is_array(workers) && json_array_size(workers) == 0)
		config_check_error(
			check->context, "workers", "must name at least one core, such as [1]");
	claim_path(check, "control", vswitch->control, "vswitch.control");
	claim_path(check, "events", vswitch->events, "vswitch.events");
	claim_path(check, "state", vswitch->state, "vswitch.state");
	default_evidence(check, vswitch);
	claim_path(check, "evidence", vswitch->evidence, "vswitch.evidence");
	config_context_leave(check->context, mark);
}

static void check_home(struct check *check, const struct config_network *network)
{
	const struct config_vswitch *vswitch = &check->config->vswitch;

	if (network->workers > vswitch->n_workers)
		config_check_error(check->context, "workers",
			"must be at most %u, the number of cores in vswitch.workers, not %u",
			vswitch->n_workers, network->workers);
	for (unsigned i = 0; i < vswitch->n_workers; i++)
		if (network->home == vswitch->workers[i])
			return;
	if (network->home >= 0)
		config_check_error(check->context, "home",
			"core %d is not in vswitch.workers: name one that is, or leave the field "
			"out",
			network->home);
}

static void check_vni(struct check *check, const struct config_network *network)
{
	const char *other;
	char key[16];

	if (network->vni == 0)
		return;
	snprintf(key, sizeof(key), "%u", network->vni);
	other = claim(check->vnis, key, network->name);
	if (other)
		config_check_error(check->context, "vni",
			"%s is the vni of network %s, too: give each network its own", key, other);
}

static void check_network(struct check *check, unsigned i)
{
	struct config_network *network = &check->config->networks[i];

	index_name(check, check->networks, network->name, i);
	check_vni(check, network);
	if (!network->tenant[0])
		memcpy(network->tenant, network->name, sizeof(network->tenant));
	if (workers_known(check))
		check_home(check, network);
}

/* Which kind a port is: it has exactly one of the two objects. */
static void check_kind(struct check *check, struct config_port *port, const json_t *item)
{
	bool vhost_user = json_object_get(item, "vhost-user");
	bool kernel = json_object_get(item, "kernel");

	if (json_is_object(item) && vhost_user == kernel)
		config_context_error(check->context,
			vhost_user ? "has both \"vhost-user\" and \"kernel\": remove one of them"
				   : "needs \"vhost-user\" or \"kernel\": what the port leads to");
	port->kind = kernel ? CONFIG_PORT_KERNEL : CONFIG_PORT_VHOST_USER;
}

static void check_network_of(struct check *check, struct config_port *port)
{
	int i = find_name(check->networks, port->network);

	if (i >= 0) {
		port->network_index = (unsigned)i;
		if (!port->has_mtu)
			port->mtu = check->config->networks[i].mtu;
		return;
	}
	if (port->network[0])
		config_check_error(check->context, "network",
			"network \"%s\" does not exist: add it under networks, or name one that "
			"does",
			port->network);
}

static void check_mac(struct check *check, const struct config_port *port, const char *label)
{
	const uint8_t *m = port->mac;
	const char *other;
	char key[128];

	if (!port->has_mac)
		return;
	snprintf(key, sizeof(key), "%s/%02x:%02x:%02x:%02x:%02x:%02x", port->network, m[0], m[1],
		m[2], m[3], m[4], m[5]);
	other = claim(check->macs, key, label);
	if (other)
		config_check_error(check->context, "mac",
			"%s is the mac of %s in the same network: give each port its own",
			strchr(key, '/') + 1, other);
}

static void check_interface(struct check *check, const struct config_port *port, const char *label)
{
	const struct config_kernel *kernel = &port->kernel;
	const char *other;
	char key[128];

	if (!kernel->interface[0])
		return;
	snprintf(key, sizeof(key), "%s/%s", kernel->netns, kernel->interface);
	other = claim(check->interfaces, key, label);
	if (other)
		config_check_error(check->context, "kernel.interface",
			"%s is the interface of %s already: give another name", kernel->interface,
			other);
}

static void check_port(struct check *check, unsigned i)
{
	struct config_port *port = &check->config->ports[i];
	const json_t *item = json_array_get(json_object_get(check->root, "ports"), i);
	char label[CONFIG_NAME_MAX + 16];

	if (port->name[0])
		snprintf(label, sizeof(label), "port %s", port->name);
	else
		snprintf(label, sizeof(label), "ports[%u]", i);
	index_name(check, check->ports, port->name, i);
	check_kind(check, port, item);
	check_network_of(check, port);
	check_mac(check, port, label);
	claim_path(check, "vhost-user.socket", port->vhost_user.socket, label);
	check_interface(check, port, label);
	if (port->isolated && port->promiscuous)
		config_check_error(check->context, "isolated",
			"a port cannot be isolated and promiscuous at once: set only one of them");
}

/* Each source of frames belongs to one entry: else it would be chance where they enter. */
static void check_sources(struct check *check, const json_t *item, const char *list)
{
	const json_t *sources = json_object_get(item, list);

	for (size_t i = 0; i < json_array_size(sources); i++) {
		const char *text = json_string_value(json_array_get(sources, i));
		const char *other = claim(check->replay_sources, text, check->context->path);

		if (other && strcmp(other, check->context->path))
			config_check_error(check->context, list,
				"%s is listed by %s, too: remove one", text, other);
	}
}

static void check_replay(struct check *check, unsigned i)
{
	struct config_replay *replay = &check->config->replay[i];
	const json_t *given = json_array_get(json_object_get(check->root, "replay"), i);
	json_t *item = config_schema_encode(&config_fields_replay, replay); /* canonical text */
	int port = find_name(check->ports, replay->port);
	const char *other = replay->port[0]
				    ? claim(check->replay_ports, replay->port, check->context->path)
				    : NULL;

	if (port >= 0)
		replay->port_index = (unsigned)port;
	else if (replay->port[0])
		config_check_error(check->context, "port",
			"port \"%s\" does not exist: add it under ports, or name one that does",
			replay->port);
	if (other)
		config_check_error(check->context, "port",
			"port \"%s\" has the entry %s already: put all its sources into one",
			replay->port, other);
	if (json_is_object(given) && !json_array_size(json_object_get(given, "macs")) &&
		!json_array_size(json_object_get(given, "ips")))
		config_context_error(check->context,
			"needs \"macs\" or \"ips\": which frames of a capture enter at the port");
	check_sources(check, item, "macs");
	check_sources(check, item, "ips");
	json_decref(item);
}

/* Runs one check over the entries of a section, the context's path on each. */
static void each(struct check *check, const char *section, unsigned count,
	void (*check_one)(struct check *check, unsigned i))
{
	for (unsigned i = 0; i < count; i++) {
		size_t mark = config_context_member(check->context, section);

		config_context_item(check->context, i);
		check_one(check, i);
		config_context_leave(check->context, mark);
	}
}

void config_check(struct config_context *context, struct config *config)
{
	struct check check = {.context = context,
		.config = config,
		.root = config_doc_root(context->doc),
		.networks = json_object(),
		.vnis = json_object(),
		.ports = json_object(),
		.macs = json_object(),
		.paths = json_object(),
		.interfaces = json_object(),
		.replay_ports = json_object(),
		.replay_sources = json_object()};

	check_vswitch(&check);
	each(&check, "networks", config->n_networks, check_network);
	each(&check, "ports", config->n_listed_ports, check_port);
	config_uplinks_expand(context, config);
	for (unsigned i = config->n_listed_ports; i < config->n_ports; i++)
		json_object_set_new(check.ports, config->ports[i].name, json_integer(i));
	config_check_policy(context, config);
	config_check_inspection(context, config);
	each(&check, "replay", config->n_replay, check_replay);
	json_decref(check.networks);
	json_decref(check.vnis);
	json_decref(check.ports);
	json_decref(check.macs);
	json_decref(check.paths);
	json_decref(check.interfaces);
	json_decref(check.replay_ports);
	json_decref(check.replay_sources);
}
