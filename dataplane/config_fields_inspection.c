#include "config_fields_inspection.h"

#include <netinet/in.h>
#include <string.h>

#include "config.h"
#include "config_addresses.h"
#include "config_inspection_types.h"
#include "config_rule_types.h"
#include "config_types.h"
#include "rule_bind.h"

/*
 * Objects within the entry whose members are the entry's own: they lie at its beginning, and their
 * fields' offsets are those in struct config_inspection.
 */
#define WITHIN .offset = 0, .size = sizeof(struct config_inspection)

static const char *const mode_choices[] = {"detect", "prevent", NULL};
static const char *const level_choices[] = {"none", "flow", "service", "port", NULL};
static const char *const midstream_choices[] = {"drop", "pass", "inspect", NULL};
static const char *const failure_choices[] = {"drop", "pass", NULL};
/* By enum rule_override_kind. */
static const char *const override_choices[] = {
	"disable", "alert", "drop", "quarantine", "suppress", NULL};
/* By enum rule_track: none means what Suricata calls by_either. */
static const char *const track_choices[] = {"by_either", "by_src", "by_dst", NULL};

_Static_assert(RULE_OVERRIDE_DISABLE == 0 && RULE_OVERRIDE_ALERT == 1 && RULE_OVERRIDE_DROP == 2 &&
		       RULE_OVERRIDE_QUARANTINE == 3 && RULE_OVERRIDE_SUPPRESS == 4,
	"override_choices follow the enum");
_Static_assert(RULE_TRACK_NONE == 0 && RULE_TRACK_SRC == 1 && RULE_TRACK_DST == 2,
	"track_choices follow the enum");

static bool has_sid(const void *object)
{
	return ((const struct config_override *)object)->sid > 0;
}

static bool has_classtype(const void *object)
{
	return ((const struct config_override *)object)->classtype[0];
}

static bool suppresses(const void *object)
{
	return ((const struct config_override *)object)->kind == RULE_OVERRIDE_SUPPRESS;
}

static bool has_ports(const void *object)
{
	return config_protocol_has_ports(((const struct config_allow *)object)->protocol);
}

/* clang-format off */

static const struct config_field allow_fields[] = {
	{.name = "protocol", .type = &config_type_protocol, .required = true,
		.value = 0, CONFIG_AT(struct config_allow, protocol),
		.help = "a protocol such as udp"},
	{.name = "ports", .type = &config_type_ports, .present = has_ports,
		CONFIG_AT(struct config_allow, ports),
		.help = "a port of the remote, or a range such as \"1000-2000\""},
	{.name = "remote", .type = &config_type_remotes, CONFIG_AT(struct config_allow, remote),
		.help = "any, or addresses such as 10.0.0.0/24"},
	{0},
};

static void default_allow(void *object)
{
	((struct config_allow *)object)->ports = (struct config_ports){0, 0xffff};
}

static const struct config_table allow_table = {
	"what a guest may still reach", allow_fields, default_allow};

static const struct config_field quarantine_fields[] = {
	{.name = "level", .type = &config_type_choice, .choices = level_choices,
		.value = CONFIG_QUARANTINE_SERVICE, CONFIG_AT(struct config_inspection, level),
		.help = "none, flow, service or port"},
	{.name = "for", .type = &config_type_seconds, .min = 0, .max = 31536000,
		.value = 0, CONFIG_AT(struct config_inspection, quarantine_s),
		.help = "a time such as 1h, or 0 for until it is released"},
	{.name = "exempt-servers", .type = &config_type_boolean,
		.value = true, CONFIG_AT(struct config_inspection, exempt_servers),
		.help = "true or false"},
	{.name = "exempt", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_LIST(struct config_inspection, exempt, n_exempt),
		.help = "a list of names of the tenant's ports, such as [fileserver]"},
	{.name = "exempt-addresses", .type = &config_type_span,
		CONFIG_LIST(struct config_inspection, exempt_addresses, n_exempt_addresses),
		.help = "a list of addresses on other hosts, such as [10.0.9.0/24]"},
	{.name = "allow", .type = &config_type_object, .table = &allow_table,
		CONFIG_LIST(struct config_inspection, allow, n_allow),
		.help = "a list such as [{protocol: udp, ports: 67}]"},
	{0},
};

/* DHCP and DNS to anywhere: RFC 2131, 4.1; RFC 8415, 7.2; RFC 1035, 4.2. */
static void default_quarantine(void *object)
{
	static const struct {
		int protocol;
		uint16_t port;
	} services[] = {{IPPROTO_UDP, 67}, {IPPROTO_UDP, 547}, {IPPROTO_UDP, 53},
		{IPPROTO_TCP, 53}};
	struct config_inspection *inspection = object;

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		struct config_allow *allow = &inspection->allow[i];

		allow->protocol = services[i].protocol;
		allow->ports = (struct config_ports){services[i].port, services[i].port};
		allow->remote = config_any_address;
	}
	inspection->n_allow = sizeof(services) / sizeof(*services);
}

const struct config_table config_fields_quarantine = {
	"quarantine", quarantine_fields, default_quarantine};

#define FAILURE(field, failure, words, otherwise, what)                                            \
	{.name = field, .type = &config_type_choice, .choices = words, .value = (otherwise),       \
		CONFIG_AT(struct config_inspection, on[failure]), .help = what}

static const struct config_field uninspected_fields[] = {
	FAILURE("midstream", CONFIG_FAILURE_MIDSTREAM, midstream_choices, CONFIG_ON_INSPECT,
		"drop, pass or inspect"),
	FAILURE("encrypted", CONFIG_FAILURE_ENCRYPTED, failure_choices, CONFIG_ON_PASS,
		"drop or pass"),
	FAILURE("compressed", CONFIG_FAILURE_COMPRESSED, failure_choices, CONFIG_ON_DROP,
		"drop or pass"),
	FAILURE("memory", CONFIG_FAILURE_MEMORY, failure_choices, CONFIG_ON_DROP, "drop or pass"),
	FAILURE("budget", CONFIG_FAILURE_BUDGET, failure_choices, CONFIG_ON_DROP, "drop or pass"),
	FAILURE("engine", CONFIG_FAILURE_ENGINE, failure_choices, CONFIG_ON_DROP, "drop or pass"),
	FAILURE("no-database", CONFIG_FAILURE_NO_DATABASE, failure_choices, CONFIG_ON_DROP,
		"drop or pass"),
	{0},
};

static const struct config_table uninspected_table = {
	"what becomes of what cannot be inspected", uninspected_fields, NULL};

static const struct config_field budget_fields[] = {
	{.name = "packet", .type = &config_type_microseconds, .min = 10, .max = 1000000,
		.value = 5000, CONFIG_AT(struct config_inspection, packet_us),
		.help = "a time such as 5ms"},
	{.name = "port", .type = &config_type_number, .min = 1, .max = 100,
		.value = 80, CONFIG_AT(struct config_inspection, port_percent),
		.help = "percent of a worker's time"},
	{.name = "tenant", .type = &config_type_number, .min = 1, .max = 100,
		.value = 90, CONFIG_AT(struct config_inspection, tenant_percent),
		.help = "percent of a worker's time"},
	{0},
};

static const struct config_table budget_table = {"the budget of work", budget_fields, NULL};

static const struct config_field override_fields[] = {
	{.name = "action", .type = &config_type_choice, .choices = override_choices,
		.required = true, CONFIG_AT(struct config_override, kind),
		.help = "disable, alert, drop, quarantine or suppress"},
	{.name = "sid", .type = &config_type_number, .min = 1, .max = UINT32_MAX,
		CONFIG_AT(struct config_override, sid), .present = has_sid,
		.help = "the sid of a rule"},
	{.name = "gid", .type = &config_type_number, .min = 1, .max = UINT32_MAX,
		.value = 1, CONFIG_AT(struct config_override, gid), .present = has_sid,
		.help = "the gid of that rule"},
	{.name = "classtype", .type = &config_type_name, .max = 63,
		CONFIG_AT(struct config_override, classtype), .present = has_classtype,
		.help = "a classtype that rules have, such as policy-violation"},
	{.name = "track", .type = &config_type_choice, .choices = track_choices,
		.value = RULE_TRACK_NONE, CONFIG_AT(struct config_override, track),
		.present = suppresses, .help = "by_src, by_dst or by_either"},
	{.name = "addresses", .type = &config_type_expression, .max = 255,
		CONFIG_AT(struct config_override, addresses),
		.help = "addresses as in rules, such as \"[10.0.0.5,$DC_SERVERS]\""},
	{0},
};

static const struct config_table override_table = {"an override", override_fields, NULL};

/* Thresholds of public detections of worms that spread over SMB. */
static const struct config_field fanout_fields[] = {
	{.name = "enabled", .type = &config_type_boolean,
		.value = true, CONFIG_AT(struct config_inspection, fanout.on),
		.help = "true or false"},
	{.name = "window", .type = &config_type_seconds, .min = 1, .max = 3600,
		.value = 60, CONFIG_AT(struct config_inspection, fanout.window_s),
		.help = "a time such as 60s"},
	{.name = "hosts", .type = &config_type_number, .min = 1, .max = CONFIG_FANOUT_HOSTS_MAX,
		.value = 20, CONFIG_AT(struct config_inspection, fanout.hosts),
		.help = "a number of distinct hosts"},
	{.name = "failed", .type = &config_type_number, .min = 0, .max = 100,
		.value = 50, CONFIG_AT(struct config_inspection, fanout.failed_percent),
		.help = "percent of the hosts"},
	{.name = "attempts", .type = &config_type_number, .min = 1, .max = 1000000,
		.value = 70, CONFIG_AT(struct config_inspection, fanout.attempts),
		.help = "a number of SYNs"},
	{.name = "failed-hosts", .type = &config_type_number, .min = 0,
		.max = CONFIG_FANOUT_HOSTS_MAX,
		.value = 5, CONFIG_AT(struct config_inspection, fanout.failed),
		.help = "a number of distinct hosts"},
	{.name = "detected", .type = &config_type_number, .min = 1,
		.max = CONFIG_FANOUT_HOSTS_MAX,
		.value = 3, CONFIG_AT(struct config_inspection, fanout.detected),
		.help = "a number of distinct hosts"},
	{.name = "exempt", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_LIST(struct config_inspection, fanout_exempt, n_fanout_exempt),
		.help = "a list of names of the tenant's ports, such as [scanner]"},
	{0},
};

static const struct config_table fanout_table = {"fan-out", fanout_fields, NULL};

static const struct config_field inspection_fields[] = {
	{.name = "tenant", .type = &config_type_name, .max = CONFIG_NAME_MAX, .required = true,
		CONFIG_AT(struct config_inspection, tenant),
		.help = "the tenant's name, as networks give it"},
	{.name = "mode", .type = &config_type_choice, .choices = mode_choices,
		.value = false, CONFIG_AT(struct config_inspection, prevent),
		.help = "detect or prevent"},
	{.name = "rules", .type = &config_type_file, .max = CONFIG_FILE_MAX,
		CONFIG_LIST(struct config_inspection, rules, n_rules),
		.help = "a list of rule files, such as [smb.rules]"},
	{.name = "skip-unsupported", .type = &config_type_boolean,
		.value = false, CONFIG_AT(struct config_inspection, skip_unsupported),
		.help = "true or false"},
	{.name = "quarantine", .type = &config_type_object, .table = &config_fields_quarantine,
		WITHIN, .help = "how guests are cut off"},
	{.name = "services", .type = &config_type_number, .min = 1, .max = 65535,
		CONFIG_LIST(struct config_inspection, services, n_services),
		.help = "a list of TCP ports, such as [139, 445]"},
	{.name = "uninspected", .type = &config_type_object, .table = &uninspected_table,
		WITHIN, .help = "what becomes of what cannot be inspected"},
	{.name = "memory", .type = &config_type_mebibytes, .min = 1, .max = 65536,
		.value = 64, CONFIG_AT(struct config_inspection, memory),
		.help = "MiB"},
	{.name = "budget", .type = &config_type_object, .table = &budget_table,
		WITHIN, .help = "how much work the traffic may cause"},
	{.name = "variables", .type = &config_type_expression, .max = 1023,
		CONFIG_ITEMS(struct config_inspection, variables, n_variables,
			CONFIG_VARIABLES_MAX),
		.map_offset = offsetof(struct config_variable, value),
		.help = "addresses or ports by name"},
	{.name = "overrides", .type = &config_type_object, .table = &override_table,
		CONFIG_ITEMS(struct config_inspection, overrides, n_overrides,
			CONFIG_OVERRIDES_MAX),
		.help = "a list of changes to rules"},
	{.name = "fan-out", .type = &config_type_object, .table = &fanout_table,
		WITHIN, .help = "when a guest spreads like a worm"},
	{0},
};

/* clang-format on */

static void default_inspection(void *object)
{
	struct config_inspection *inspection = object;

	inspection->services[0] = 139;
	inspection->services[1] = 445;
	inspection->n_services = 2;
}

const struct config_table config_fields_inspection = {
	"an entry of inspection", inspection_fields, default_inspection};
