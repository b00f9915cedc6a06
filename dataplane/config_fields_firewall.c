#include "config_fields_firewall.h"

#include "config.h"
#include "config_addresses.h"
#include "config_rule_types.h"
#include "config_types.h"

const char *const config_action_choices[] = {"allow", "deny", "reject", NULL};
static const char *const direction_choices[] = {"in", "out", NULL};
static const char *const family_choices[] = {"any", "ipv4", "ipv6", NULL};
static const char *const tcp_choices[] = {"liberal", "strict", NULL};

static bool has_pair_mac(const void *object)
{
	return ((const struct config_pair *)object)->has_mac;
}

static bool has_rule_name(const void *object)
{
	return ((const struct config_rule *)object)->name[0];
}

static bool has_ports(const void *object)
{
	return ((const struct config_rule *)object)->n_ports > 0;
}

static bool has_type(const void *object)
{
	return ((const struct config_rule *)object)->type >= 0;
}

static bool has_code(const void *object)
{
	return ((const struct config_rule *)object)->code >= 0;
}

/* clang-format off */

static const struct config_field pair_fields[] = {
	{.name = "ip", .type = &config_type_span, .required = true,
		CONFIG_AT(struct config_pair, span),
		.help = "an address, prefix or range, such as 10.0.0.9"},
	{.name = "mac", .type = &config_type_mac, CONFIG_AT(struct config_pair, mac),
		.count_offset = offsetof(struct config_pair, has_mac), .present = has_pair_mac,
		.help = "the MAC that they are sent with, such as \"02:00:00:00:00:01\""},
	{0},
};

const struct config_table config_fields_pair = {"a pair", pair_fields, NULL};

#define LIMITS(most, rate)                                                                         \
	{.name = "max", .type = &config_type_number, .min = 1, .max = 16777216,                    \
		.value = (most), CONFIG_AT(struct config_limits, connections),                     \
		.help = "how many connections at a time"},                                         \
	{.name = "per-second", .type = &config_type_number, .min = 1, .max = 16777216,             \
		.value = (rate), CONFIG_AT(struct config_limits, per_second),                      \
		.help = "how many new connections a second"},                                      \
	{0}

static const struct config_field port_limits_fields[] = {LIMITS(50000, 20000)};
static const struct config_field tenant_limits_fields[] = {LIMITS(200000, 50000)};

const struct config_table config_fields_port_limits = {
	"the limits of a port's connections", port_limits_fields, NULL};
static const struct config_table tenant_limits_table = {
	"the limits of a tenant's connections", tenant_limits_fields, NULL};

static const struct config_field tenant_fields[] = {
	{.name = "name", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_tenant, name),
		.help = "the tenant's name, as networks give it"},
	{.name = "audit", .type = &config_type_boolean,
		.value = false, CONFIG_AT(struct config_tenant, audit),
		.help = "true or false"},
	{.name = "connections", .type = &config_type_object, .table = &tenant_limits_table,
		CONFIG_AT(struct config_tenant, limits),
		.help = "how many connections its ports may open"},
	{0},
};

const struct config_table config_fields_tenant = {"a tenant", tenant_fields, NULL};

static const struct config_field rule_fields[] = {
	{.name = "name", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_AT(struct config_rule, name), .present = has_rule_name,
		.help = "a name to call the rule by"},
	{.name = "direction", .type = &config_type_choice, .choices = direction_choices,
		.required = true, .value = CONFIG_IN, CONFIG_AT(struct config_rule, direction),
		.help = "in (into the guest) or out"},
	{.name = "family", .type = &config_type_choice, .choices = family_choices,
		.value = CONFIG_ANY_FAMILY, CONFIG_AT(struct config_rule, family),
		.help = "any, ipv4 or ipv6"},
	{.name = "protocol", .type = &config_type_protocol,
		.value = -1, CONFIG_AT(struct config_rule, protocol),
		.help = "a protocol such as tcp"},
	{.name = "ports", .type = &config_type_ports, .single = true,
		CONFIG_LIST(struct config_rule, ports, n_ports), .present = has_ports,
		.help = "a port, a range such as \"1000-2000\", or a list of them"},
	{.name = "type", .type = &config_type_number, .min = 0, .max = 255,
		.value = -1, CONFIG_AT(struct config_rule, type), .present = has_type,
		.help = "the ICMP type, such as 8"},
	{.name = "code", .type = &config_type_number, .min = 0, .max = 255,
		.value = -1, CONFIG_AT(struct config_rule, code), .present = has_code,
		.help = "the ICMP code, such as 0"},
	{.name = "remote", .type = &config_type_remote, .table = &config_remote_table,
		CONFIG_AT(struct config_rule, remote),
		.help = "any, addresses such as 10.0.0.0/24, {group: NAME} or {set: NAME}"},
	{.name = "action", .type = &config_type_choice, .choices = config_action_choices,
		.required = true, .value = CONFIG_DENY, CONFIG_AT(struct config_rule, action),
		.help = "allow, deny or reject"},
	{.name = "log", .type = &config_type_boolean,
		.value = false, CONFIG_AT(struct config_rule, log),
		.help = "true or false"},
	{0},
};

const struct config_table config_fields_rule = {"a rule", rule_fields, NULL};

static const struct config_field group_fields[] = {
	{.name = "name", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_group, name),
		.help = "the name that ports and rules call the group by"},
	{.name = "tenant", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_group, tenant),
		.help = "the name of the tenant that it belongs to"},
	{.name = "addresses", .type = &config_type_span, .bare = true,
		CONFIG_ITEMS(struct config_group, addresses, n_addresses, CONFIG_SET_ADDRESSES_MAX),
		.help = "a list of addresses on other hosts, such as [10.0.0.9, fd00::9]"},
	{.name = "rules", .type = &config_type_object, .table = &config_fields_rule, .bare = true,
		CONFIG_ITEMS(struct config_group, rules, n_rules, CONFIG_RULES_MAX),
		.help = "a list of rules"},
	{0},
};

const struct config_table config_fields_group = {"a group", group_fields, NULL};

static const struct config_field set_fields[] = {
	{.name = "name", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_set, name),
		.help = "the name that rules call the set by"},
	{.name = "tenant", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_set, tenant),
		.help = "the name of the tenant that it belongs to"},
	{.name = "addresses", .type = &config_type_span, .bare = true,
		CONFIG_ITEMS(struct config_set, addresses, n_addresses, CONFIG_SET_ADDRESSES_MAX),
		.help = "a list of addresses, such as [10.0.0.1, 10.1.0.0/16]"},
	{0},
};

const struct config_table config_fields_set = {"a set", set_fields, NULL};

#define TIMEOUT(field, member, seconds)                                                            \
	{.name = field, .type = &config_type_seconds, .min = 1, .max = 1000000,                    \
		.value = (seconds), CONFIG_AT(struct config_timeouts, member),                     \
		.help = "a time such as " #seconds "s"}

static const struct config_field timeouts_fields[] = {
	TIMEOUT("tcp-syn", tcp_syn, 30),
	TIMEOUT("tcp-opening", tcp_opening, 30),
	TIMEOUT("tcp-established", tcp_established, 43200),
	TIMEOUT("tcp-fin", tcp_fin, 120),
	TIMEOUT("tcp-closing", tcp_closing, 45),
	TIMEOUT("tcp-closed", tcp_closed, 20),
	TIMEOUT("udp-first", udp_first, 60),
	TIMEOUT("udp-single", udp_single, 30),
	TIMEOUT("udp-multiple", udp_multiple, 60),
	TIMEOUT("icmp-first", icmp_first, 20),
	TIMEOUT("icmp-replied", icmp_replied, 30),
	TIMEOUT("other-first", other_first, 60),
	TIMEOUT("other-single", other_single, 30),
	TIMEOUT("other-multiple", other_multiple, 60),
	{0},
};

static const struct config_table timeouts_table = {"the timeouts", timeouts_fields, NULL};

static const struct config_field firewall_fields[] = {
	{.name = "tcp", .type = &config_type_choice, .choices = tcp_choices,
		.value = CONFIG_TCP_LIBERAL, CONFIG_AT(struct config_firewall, tcp),
		.help = "liberal or strict"},
	{.name = "pick-up", .type = &config_type_seconds, .min = 0, .max = 1000000,
		.value = 60, CONFIG_AT(struct config_firewall, pick_up_s),
		.help = "a time such as 60s, or 0 for never"},
	{.name = "timeouts", .type = &config_type_object, .table = &timeouts_table,
		CONFIG_AT(struct config_firewall, timeouts),
		.help = "times without a packet after which connections are forgotten"},
	{0},
};

const struct config_table config_fields_firewall = {"the firewall section", firewall_fields, NULL};
