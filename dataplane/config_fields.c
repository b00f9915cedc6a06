#include "config_fields.h"

#include <string.h>
#include <unistd.h>

#include "config.h"
#include "config_access.h"
#include "config_addresses.h"
#include "config_fields_firewall.h"
#include "config_fields_inspection.h"
#include "config_rule_types.h"
#include "config_types.h"
#include "config_uplinks.h"

static bool has_control_access(const void *object)
{
	const struct config_access *a = &((const struct config_vswitch *)object)->control_access;

	return a->owner != (uid_t)-1 || a->group != (gid_t)-1 || a->mode >= 0;
}

static bool has_socket_access(const void *object)
{
	const struct config_access *a = &((const struct config_vswitch *)object)->socket_access;

	return a->owner != (uid_t)-1 || a->group != (gid_t)-1 || a->mode >= 0;
}

static const char *const hugepages_choices[] = {"auto", "yes", "no", NULL};

/* clang-format off */

static const struct config_field vswitch_fields[] = {
	{.name = "workers", .type = &config_type_number, .min = 0, .max = 1023,
		CONFIG_LIST(struct config_vswitch, workers, n_workers),
		.help = "a list of the cores that move packets, such as [1, 2]"},
	{.name = "control", .type = &config_type_path, .max = CONFIG_PATH_MAX,
		.text = "/run/vswitch/ctl.sock", CONFIG_AT(struct config_vswitch, control),
		.help = "the path of the control socket"},
	{.name = "control-access", .type = &config_type_object, .table = &config_access_table,
		CONFIG_AT(struct config_vswitch, control_access), .present = has_control_access,
		.help = "owner, group and mode of the control socket"},
	{.name = "events", .type = &config_type_path, .max = 255,
		CONFIG_AT(struct config_vswitch, events),
		.help = "the path of the event file"},
	{.name = "state", .type = &config_type_path, .max = 255,
		.text = "/var/lib/vswitch", CONFIG_AT(struct config_vswitch, state),
		.help = "the directory of the saved state"},
	{.name = "socket-access", .type = &config_type_object, .table = &config_access_table,
		CONFIG_AT(struct config_vswitch, socket_access), .present = has_socket_access,
		.help = "owner, group and mode of the vhost-user sockets"},
	{.name = "hugepages", .type = &config_type_choice, .choices = hugepages_choices,
		.value = CONFIG_HUGEPAGES_AUTO, CONFIG_AT(struct config_vswitch, hugepages),
		.help = "auto, yes or no"},
	{.name = "buffers", .type = &config_type_number, .min = 1024, .max = 8388608,
		.value = 32768, CONFIG_AT(struct config_vswitch, buffers),
		.help = "the number of packet buffers"},
	{.name = "sleep-after", .type = &config_type_microseconds, .min = 0, .max = 10000000,
		.value = 50, CONFIG_AT(struct config_vswitch, sleep_after_us),
		.help = "a time such as 50us, or 0 for never"},
	{.name = "connections", .type = &config_type_number, .min = 1024, .max = 16777216,
		.value = 262144, CONFIG_AT(struct config_vswitch, connections),
		.help = "for how many connections each worker has room"},
	{.name = "inspected", .type = &config_type_number, .min = 16, .max = 1048576,
		.value = 2048, CONFIG_AT(struct config_vswitch, inspected),
		.help = "for how many inspected connections each worker has room"},
	{.name = "inspection-memory", .type = &config_type_number, .min = 16, .max = 65536,
		.value = 256, CONFIG_AT(struct config_vswitch, inspection_memory),
		.help = "MiB"},
	{.name = "rules", .type = &config_type_path, .max = 255,
		.text = VS_RULES_DIR, CONFIG_AT(struct config_vswitch, rules),
		.help = "the directory of rule files"},
	{.name = "evidence", .type = &config_type_path, .max = 255,
		CONFIG_AT(struct config_vswitch, evidence),
		.help = "the directory of quarantines' evidence"},
	{.name = "hook", .type = &config_type_path, .max = 255,
		CONFIG_AT(struct config_vswitch, hook),
		.help = "the path of a program"},
	{.name = "stats-interval", .type = &config_type_seconds, .min = 0, .max = 86400,
		.value = 60, CONFIG_AT(struct config_vswitch, stats_s),
		.help = "a time such as 60s, or 0 for never"},
	{0},
};

static void default_vswitch(void *object)
{
	struct config_vswitch *vswitch = object;

	vswitch->control_access.mode = 0660;
	/* Core 0 is where the kernel and everything else runs: leave it alone if there is another.
	 */
	vswitch->workers[0] = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	vswitch->n_workers = 1;
}

const struct config_table config_fields_vswitch = {
	"the vswitch section", vswitch_fields, default_vswitch};

static bool has_home(const void *object)
{
	return ((const struct config_network *)object)->home >= 0;
}

static const char *const unknown_unicast_choices[] = {"flood", "drop", NULL};

static const struct config_field network_fields[] = {
	{.name = "name", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_network, name),
		.help = "the name that ports call the network by"},
	{.name = "tenant", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_AT(struct config_network, tenant),
		.help = "the name of the tenant that it belongs to"},
	{.name = "vlan", .type = &config_type_number, .min = 0, .max = 4094,
		.value = 0, CONFIG_AT(struct config_network, vlan),
		.help = "the VLAN that uplinks carry it under, or 0 for none"},
	{.name = "vni", .type = &config_type_number, .min = 0, .max = 16777215,
		.value = 0, CONFIG_AT(struct config_network, vni),
		.help = "its number in VXLAN, or 0 for none"},
	{.name = "workers", .type = &config_type_number, .min = 1, .max = CONFIG_WORKERS_MAX,
		.value = 1, CONFIG_AT(struct config_network, workers),
		.help = "over how many workers its packets are spread"},
	{.name = "home", .type = &config_type_number, .min = 0, .max = 1023,
		.value = -1, CONFIG_AT(struct config_network, home), .present = has_home,
		.help = "the core of its home worker"},
	{.name = "mtu", .type = &config_type_number, .min = CONFIG_MTU_MIN, .max = CONFIG_MTU_MAX,
		.value = 1500, CONFIG_AT(struct config_network, mtu),
		.help = "the largest IP packet in bytes"},
	{.name = "learning", .type = &config_type_boolean,
		.value = true, CONFIG_AT(struct config_network, learning),
		.help = "true or false"},
	{.name = "unknown-unicast", .type = &config_type_choice, .choices = unknown_unicast_choices,
		.value = CONFIG_UNKNOWN_FLOOD, CONFIG_AT(struct config_network, unknown_unicast),
		.help = "flood or drop"},
	{.name = "mac-limit", .type = &config_type_number, .min = 0, .max = 1048576,
		.value = 4096, CONFIG_AT(struct config_network, mac_limit),
		.help = "how many MACs it learns in all"},
	{.name = "mac-age", .type = &config_type_seconds, .min = 1, .max = 1000000,
		.value = 300, CONFIG_AT(struct config_network, mac_age),
		.help = "a time such as 300s"},
	{.name = "ethertypes", .type = &config_type_ethertype,
		CONFIG_LIST(struct config_network, ethertypes, n_ethertypes),
		.help = "a list of the ethertypes that ports may send, such as [arp, ipv4]"},
	{0},
};

static void default_network(void *object)
{
	static const uint16_t ethertypes[] = {0x0806, 0x0800, 0x86dd, 0x8035};
	struct config_network *network = object;

	memcpy(network->ethertypes, ethertypes, sizeof(ethertypes));
	network->n_ethertypes = sizeof(ethertypes) / sizeof(*ethertypes);
}

const struct config_table config_fields_network = {"a network", network_fields, default_network};

static const char *const mode_choices[] = {"client", "server", NULL};

static const struct config_field vhost_user_fields[] = {
	{.name = "socket", .type = &config_type_path, .max = CONFIG_PATH_MAX, .required = true,
		CONFIG_AT(struct config_vhost_user, socket),
		.help = "the path of the socket that QEMU and the switch share"},
	{.name = "mode", .type = &config_type_choice, .choices = mode_choices,
		.value = false, CONFIG_AT(struct config_vhost_user, server),
		.help = "client or server"},
	{.name = "queues", .type = &config_type_number, .min = 1, .max = CONFIG_QUEUES_MAX,
		.value = 1, CONFIG_AT(struct config_vhost_user, queues),
		.help = "queue pairs at the most"},
	{.name = "packed", .type = &config_type_boolean,
		.value = false, CONFIG_AT(struct config_vhost_user, packed),
		.help = "true or false"},
	{.name = "tso", .type = &config_type_boolean,
		.value = true, CONFIG_AT(struct config_vhost_user, tso),
		.help = "true or false"},
	{0},
};

static const struct config_table vhost_user_table = {"a vhost-user port", vhost_user_fields, NULL};

static bool has_netns(const void *object)
{
	return ((const struct config_kernel *)object)->netns[0];
}

static const struct config_field kernel_fields[] = {
	{.name = "interface", .type = &config_type_interface, .max = 15, .required = true,
		CONFIG_AT(struct config_kernel, interface),
		.help = "the name that the kernel's interface gets"},
	{.name = "netns", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_AT(struct config_kernel, netns), .present = has_netns,
		.help = "the name of a namespace under /run/netns"},
	{0},
};

static const struct config_table kernel_table = {"a kernel port", kernel_fields, NULL};

static const struct config_field storm_fields[] = {
	{.name = "broadcast", .type = &config_type_number, .min = 0, .max = UINT32_MAX,
		.value = 1000, CONFIG_AT(struct config_storm, broadcast),
		.help = "packets per second"},
	{.name = "multicast", .type = &config_type_number, .min = 0, .max = UINT32_MAX,
		.value = 4000, CONFIG_AT(struct config_storm, multicast),
		.help = "packets per second"},
	{.name = "unknown-unicast", .type = &config_type_number, .min = 0, .max = UINT32_MAX,
		.value = 1000, CONFIG_AT(struct config_storm, unknown_unicast),
		.help = "packets per second"},
	{0},
};

const struct config_table config_fields_storm = {"the storm control", storm_fields, NULL};

static bool is_vhost_user(const void *object)
{
	return ((const struct config_port *)object)->kind == CONFIG_PORT_VHOST_USER;
}

static bool is_kernel(const void *object)
{
	return ((const struct config_port *)object)->kind == CONFIG_PORT_KERNEL;
}

static bool has_mac(const void *object)
{
	return ((const struct config_port *)object)->has_mac;
}

static bool has_mtu(const void *object)
{
	return ((const struct config_port *)object)->has_mtu;
}

static const char *const tagged_choices[] = {"drop", "pass", NULL};
static const char *const flood_choices[] = {"auto", "on", "off", NULL};

static const struct config_field port_fields[] = {
	{.name = "name", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_port, name),
		.help = "the port's name"},
	{.name = "network", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_port, network),
		.help = "the name of the network that it belongs to"},
	{.name = "vhost-user", .type = &config_type_object, .table = &vhost_user_table,
		CONFIG_AT(struct config_port, vhost_user), .present = is_vhost_user,
		.help = "the socket of a guest's NIC"},
	{.name = "kernel", .type = &config_type_object, .table = &kernel_table,
		CONFIG_AT(struct config_port, kernel), .present = is_kernel,
		.help = "an interface of the host's kernel"},
	{.name = "mac", .type = &config_type_mac, CONFIG_AT(struct config_port, mac),
		.count_offset = offsetof(struct config_port, has_mac), .present = has_mac,
		.help = "the MAC of the guest's NIC, such as \"02:00:00:00:00:01\""},
	{.name = "ips", .type = &config_type_address, CONFIG_LIST(struct config_port, ips, n_ips),
		.help = "a list of addresses, such as [10.0.0.1]"},
	{.name = "mtu", .type = &config_type_number, .min = CONFIG_MTU_MIN, .max = CONFIG_MTU_MAX,
		CONFIG_AT(struct config_port, mtu),
		.count_offset = offsetof(struct config_port, has_mtu), .present = has_mtu,
		.help = "the largest IP packet in bytes"},
	{.name = "isolated", .type = &config_type_boolean,
		.value = false, CONFIG_AT(struct config_port, isolated),
		.help = "true or false"},
	{.name = "promiscuous", .type = &config_type_boolean,
		.value = false, CONFIG_AT(struct config_port, promiscuous),
		.help = "true or false"},
	{.name = "tagged", .type = &config_type_choice, .choices = tagged_choices,
		.value = false, CONFIG_AT(struct config_port, tagged),
		.help = "drop or pass"},
	{.name = "flood", .type = &config_type_choice, .choices = flood_choices,
		.value = CONFIG_FLOOD_AUTO, CONFIG_AT(struct config_port, flood),
		.help = "auto, on or off"},
	{.name = "mac-limit", .type = &config_type_number, .min = 0, .max = 1048576,
		.value = 1024, CONFIG_AT(struct config_port, mac_limit),
		.help = "how many MACs are learned on it"},
	{.name = "storm", .type = &config_type_object, .table = &config_fields_storm,
		CONFIG_AT(struct config_port, storm),
		.help = "packets per second by kind"},
	{.name = "tx-retries", .type = &config_type_number, .min = 0, .max = 64,
		.value = 8, CONFIG_AT(struct config_port, tx_retries),
		.help = "how often a burst is offered again"},
	{.name = "groups", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_LIST(struct config_port, groups, n_groups),
		.help = "a list of names of groups of rules, such as [desktops]"},
	{.name = "default-in", .type = &config_type_choice, .choices = config_action_choices,
		.value = CONFIG_DENY, CONFIG_AT(struct config_port, default_in),
		.help = "allow, deny or reject"},
	{.name = "default-out", .type = &config_type_choice, .choices = config_action_choices,
		.value = CONFIG_ALLOW, CONFIG_AT(struct config_port, default_out),
		.help = "allow, deny or reject"},
	{.name = "trusted", .type = &config_type_boolean,
		.value = false, CONFIG_AT(struct config_port, trusted),
		.help = "true or false"},
	{.name = "pairs", .type = &config_type_object, .table = &config_fields_pair,
		CONFIG_LIST(struct config_port, pairs, n_pairs),
		.help = "a list of addresses, such as {ip: 10.0.0.9}"},
	{.name = "connections", .type = &config_type_object, .table = &config_fields_port_limits,
		CONFIG_AT(struct config_port, limits),
		.help = "how many connections it may open"},
	{0},
};

const struct config_table config_fields_port = {"a port", port_fields, NULL};

static const struct config_field replay_fields[] = {
	{.name = "port", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_replay, port),
		.help = "the name of the port that the frames enter at"},
	{.name = "macs", .type = &config_type_mac, CONFIG_LIST(struct config_replay, macs, n_macs),
		.help = "a list of source MACs"},
	{.name = "ips", .type = &config_type_prefix,
		CONFIG_LIST(struct config_replay, prefixes, n_prefixes),
		.help = "a list of source addresses or prefixes, such as [10.0.0.0/24]"},
	{0},
};

const struct config_table config_fields_replay = {"a replay entry", replay_fields, NULL};

static const struct config_field root_fields[] = {
	{.name = "vswitch", .type = &config_type_object, .table = &config_fields_vswitch,
		.bare = true, CONFIG_AT(struct config, vswitch),
		.help = "the switch itself"},
	{.name = "networks", .type = &config_type_object, .table = &config_fields_network,
		.bare = true, CONFIG_ITEMS(struct config, networks, n_networks, CONFIG_NETWORKS_MAX),
		.help = "a list of networks"},
	{.name = "ports", .type = &config_type_object, .table = &config_fields_port,
		.bare = true, CONFIG_ITEMS(struct config, ports, n_listed_ports, CONFIG_PORTS_MAX),
		.help = "a list of ports"},
	{.name = "uplinks", .type = &config_type_object, .table = &config_fields_uplink,
		.bare = true, CONFIG_ITEMS(struct config, uplinks, n_uplinks, CONFIG_UPLINKS_MAX),
		.help = "a list of uplinks"},
	{.name = "tenants", .type = &config_type_object, .table = &config_fields_tenant,
		.bare = true, CONFIG_ITEMS(struct config, tenants, n_tenants, CONFIG_TENANTS_MAX),
		.help = "a list of tenants"},
	{.name = "groups", .type = &config_type_object, .table = &config_fields_group,
		.bare = true, CONFIG_ITEMS(struct config, groups, n_groups, CONFIG_GROUPS_MAX),
		.help = "a list of groups of rules"},
	{.name = "sets", .type = &config_type_object, .table = &config_fields_set,
		.bare = true, CONFIG_ITEMS(struct config, sets, n_sets, CONFIG_SETS_MAX),
		.help = "a list of sets of addresses"},
	{.name = "firewall", .type = &config_type_object, .table = &config_fields_firewall,
		.bare = true, CONFIG_AT(struct config, firewall),
		.help = "how connections are followed"},
	{.name = "inspection", .type = &config_type_object, .table = &config_fields_inspection,
		.bare = true,
		CONFIG_ITEMS(struct config, inspection, n_inspection, CONFIG_TENANTS_MAX),
		.help = "a list of tenants whose traffic is inspected"},
	{.name = "replay", .type = &config_type_object, .table = &config_fields_replay,
		.bare = true, CONFIG_ITEMS(struct config, replay, n_replay, CONFIG_REPLAY_MAX),
		.help = "a list of replay entries"},
	{0},
};

const struct config_table config_fields_root = {"the document", root_fields, NULL};
