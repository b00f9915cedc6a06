#include "config_check_inspection.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "config_check_rule.h"
#include "config_fields_inspection.h"
#include "config_rule_types.h"
#include "config_vars.h"
#include "rule_bind.h"

#define DHCP_SERVER 67 /* RFC 2131, 4.1 */

struct check {
	struct config_context *context;
	const struct config *config;
	const struct config_inspection *entry; /* at hand */
	const json_t *given; /* the same, as the document has it */
};

static void check_tenant(struct check *check, unsigned i)
{
	const struct config *config = check->config;
	const char *tenant = check->entry->tenant, *near = NULL;

	for (unsigned j = 0; j < i; j++)
		if (tenant[0] && !strcmp(config->inspection[j].tenant, tenant))
			config_check_error(check->context, "tenant",
				"\"%s\" is the tenant of inspection[%u], too: put all its fields "
				"into one entry",
				tenant, j);
	for (unsigned j = 0; j < config->n_networks; j++) {
		if (!strcmp(config->networks[j].tenant, tenant))
			return;
		if (!near && config_schema_near(tenant, config->networks[j].tenant))
			near = config->networks[j].tenant;
	}
	if (tenant[0] && near)
		config_check_warn(check->context, "tenant",
			"no network is tenant %s's: nothing is inspected; did you mean \"%s\"?",
			tenant, near);
	else if (tenant[0])
		config_check_warn(check->context, "tenant",
			"no network is tenant %s's: nothing is inspected", tenant);
}

/* The tenant that the port's network is of; NULL where the network is not known. */
static const char *tenant_of(const struct config *config, const struct config_port *port)
{
	const struct config_network *network = config_network(config, port->network);

	return network ? network->tenant : NULL;
}

/* Names of ports, in the list that is called so. */
static void check_exempt(
	struct check *check, const char *list, const char (*names)[CONFIG_NAME_MAX + 1], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct config_port *port = config_port(check->config, names[i]);
		const char *tenant = port ? tenant_of(check->config, port) : NULL;
		char item[64];

		snprintf(item, sizeof(item), "%s[%u]", list, i);
		if (!port)
			config_check_error(check->context, item,
				"port \"%s\" does not exist: add it under ports, or name one that "
				"does",
				names[i]);
		else if (tenant && strcmp(tenant, check->entry->tenant) != 0)
			config_check_error(check->context, item,
				"port \"%s\" is of tenant %s: name one of tenant %s", names[i],
				tenant, check->entry->tenant);
	}
}

static bool allows_dhcp(const struct config_inspection *entry)
{
	for (unsigned i = 0; i < entry->n_allow; i++)
		if (entry->allow[i].protocol == IPPROTO_UDP &&
			entry->allow[i].ports.first <= DHCP_SERVER &&
			entry->allow[i].ports.last >= DHCP_SERVER)
			return true;
	return false;
}

static void check_allow(struct check *check, unsigned i, const struct config_allow *allow)
{
	const json_t *list = json_object_get(json_object_get(check->given, "quarantine"), "allow");
	const json_t *given = json_array_get(list, i);
	char item[64];

	if (allow->protocol < 0) {
		snprintf(item, sizeof(item), "quarantine.allow[%u].protocol", i);
		config_check_error(check->context, item,
			"must be one protocol: an entry for each, such as tcp and udp");
	} else if (json_object_get(given, "protocol") && json_object_get(given, "ports") &&
		   !config_protocol_has_ports(allow->protocol)) {
		snprintf(item, sizeof(item), "quarantine.allow[%u].ports", i);
		config_check_error(check->context, item,
			"needs a protocol that has ports: say protocol: tcp, udp, sctp, dccp or "
			"udplite");
	}
}

/* Whether the document says more about quarantine than the defaults do. */
static bool means_quarantine(const struct check *check)
{
	struct config_inspection plain = {0};
	bool differs;
	json_t *own, *defaults;

	if (!json_object_get(check->given, "quarantine"))
		return false;
	config_schema_defaults(&config_fields_quarantine, &plain);
	own = config_schema_encode(&config_fields_quarantine, check->entry);
	defaults = config_schema_encode(&config_fields_quarantine, &plain);
	differs = !json_equal(own, defaults);
	json_decref(own);
	json_decref(defaults);
	return differs;
}

static void check_quarantine(struct check *check)
{
	const struct config_inspection *entry = check->entry;

	for (unsigned i = 0; i < entry->n_allow; i++)
		check_allow(check, i, &entry->allow[i]);
	check_exempt(check, "quarantine.exempt", entry->exempt, entry->n_exempt);
	if (!entry->prevent && means_quarantine(check))
		config_check_warn(check->context, "quarantine",
			"in mode detect nobody is cut off, events only say who would be: say "
			"mode: prevent");
	if (entry->level == CONFIG_QUARANTINE_PORT && !allows_dhcp(entry))
		config_check_warn(check->context, "quarantine.allow",
			"lets no DHCP pass (protocol: udp, ports: 67): a guest at level port loses "
			"its address when its lease ends");
}

static void check_uninspected(struct check *check)
{
	const struct config_inspection *entry = check->entry;

	if (entry->on[CONFIG_FAILURE_ENCRYPTED] == CONFIG_ON_DROP)
		config_check_warn(check->context, "uninspected.encrypted",
			"shares that demand SMB 3 encryption cannot be used: no key is known here, "
			"so nothing encrypted is ever inspected");
	if (entry->on[CONFIG_FAILURE_MIDSTREAM] == CONFIG_ON_DROP)
		config_check_warn(check->context, "uninspected.midstream",
			"connections that run when the switch starts, or when a guest arrives by "
			"migration, are cut: clients must open them anew");
}

static void check_bounds(struct check *check)
{
	const struct config_inspection *entry = check->entry;
	const json_t *services = json_object_get(check->given, "services");
	uint64_t all = (uint64_t)check->config->vswitch.inspection_memory << 20;

	if (json_is_array(services) && json_array_size(services) == 0)
		config_check_error(check->context, "services",
			"must name at least one TCP port, such as [139, 445]; for no inspection "
			"leave the tenant's entry out");
	if (entry->memory > all)
		config_check_warn(check->context, "memory",
			"is never reached: vswitch.inspection-memory is %u MiB in all",
			check->config->vswitch.inspection_memory);
}

/* Says so where an earlier one is about the same rules, of which the later one wins. */
static void claim_override(
	struct check *check, json_t *seen, const struct config_override *override, unsigned i)
{
	const json_t *before;
	char key[96];

	if (override->kind == RULE_OVERRIDE_SUPPRESS)
		return;
	if (override->sid)
		snprintf(key, sizeof(key), "%u:%u", override->gid, override->sid);
	else
		snprintf(key, sizeof(key), "class %s", override->classtype);
	before = json_object_get(seen, key);
	if (before)
		config_context_warn(check->context,
			"is about the same rules as overrides[%d], which has no effect: remove it",
			(int)json_integer_value(before));
	json_object_set_new(seen, key, json_integer(i));
}

/* given: as the document has it; gid, for one, has a default. */
static void check_override(struct check *check, const struct config_override *override,
	const json_t *given, const struct rule_vars *vars)
{
	bool suppress = override->kind == RULE_OVERRIDE_SUPPRESS;
	struct rule_spans spans = {0};
	char reason[160];

	if (!json_object_get(given, "sid") == !json_object_get(given, "classtype"))
		config_context_error(check->context,
			"needs exactly one of \"sid\" and \"classtype\": which rules it is about");
	if (json_object_get(given, "gid") && !json_object_get(given, "sid"))
		config_check_error(check->context, "gid", "means nothing without a sid: give both");
	if (!suppress && json_object_get(given, "track"))
		config_check_error(check->context, "track", "is of action: suppress only");
	if (!suppress && override->addresses[0])
		config_check_error(check->context, "addresses", "is of action: suppress only");
	if (override->addresses[0] && vars &&
		!rule_vars_resolve(vars, RULE_VARS_ADDRESSES, override->addresses, &spans, reason,
			sizeof(reason)))
		config_check_error(check->context, "addresses", "%s", reason);
	rule_spans_free(&spans);
}

static void check_overrides(struct check *check, const struct rule_vars *vars)
{
	const json_t *list = json_object_get(check->given, "overrides");
	size_t mark = config_context_member(check->context, "overrides");
	json_t *seen = json_object();

	for (unsigned i = 0; i < check->entry->n_overrides; i++) {
		const struct config_override *override = &check->entry->overrides[i];
		size_t item = config_context_item(check->context, i);

		check_override(check, override, json_array_get(list, i), vars);
		claim_override(check, seen, override, i);
		config_context_leave(check->context, item);
	}
	json_decref(seen);
	config_context_leave(check->context, mark);
}

static void check_expressions(struct check *check)
{
	char reason[160], member[CONFIG_NAME_MAX + 16];
	struct rule_vars *vars;
	unsigned at;

	if (check->entry->n_variables == 0 && check->entry->n_overrides == 0)
		return;
	vars = config_vars_create(check->entry, &at, reason, sizeof(reason));
	if (!vars && at == check->entry->n_variables) {
		config_context_error(check->context, "%s", reason);
	} else if (!vars) {
		snprintf(member, sizeof(member), "variables.%s", check->entry->variables[at].name);
		config_check_error(check->context, member, "%s", reason);
	}
	check_overrides(check, vars);
	rule_vars_free(vars);
}

void config_check_inspection(struct config_context *context, const struct config *config)
{
	struct check check = {.context = context, .config = config};
	const json_t *section = json_object_get(config_doc_root(context->doc), "inspection");
	size_t mark = config_context_member(context, "inspection");

	for (unsigned i = 0; i < config->n_inspection; i++) {
		size_t item = config_context_item(context, i);

		check.entry = &config->inspection[i];
		check.given = json_array_get(section, i);
		check_tenant(&check, i);
		check_quarantine(&check);
		check_uninspected(&check);
		check_bounds(&check);
		check_expressions(&check);
		check_exempt(&check, "fan-out.exempt", check.entry->fanout_exempt,
			check.entry->n_fanout_exempt);
		config_context_leave(context, item);
	}
	config_context_leave(context, mark);
}
