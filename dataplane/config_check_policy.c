#include "config_check_policy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_check_rule.h"
#include "config_schema.h"

#define KEY_MAX (2 * CONFIG_NAME_MAX + 2)

#define SPEAKS_IPV4 1u
#define SPEAKS_IPV6 2u

struct check {
	struct config_context *context;
	struct config *config;
	json_t *names; /* "tenant/name": index of a group, or -1 - index of a set */
	uint8_t *speaks; /* by group: families of its `in` rules */
};

static const char *key_of(const char *tenant, const char *name, char key[KEY_MAX])
{
	size_t len = strlen(tenant);

	memcpy(key, tenant, len);
	key[len] = '/';
	memcpy(key + len + 1, name, strlen(name) + 1);
	return key;
}

/* Groups and sets share their names: blocks name either. Empty ones have been reported. */
static void index_name(struct check *check, const char *tenant, const char *name, int value)
{
	char key[KEY_MAX];
	const json_t *before;

	if (!tenant[0] || !name[0])
		return;
	before = json_object_get(check->names, key_of(tenant, name, key));
	if (before) {
		int i = (int)json_integer_value(before);

		config_check_error(check->context, "name",
			"\"%s\" is the name of %s[%d] of the same tenant, too: names of groups and "
			"sets must differ",
			name, i < 0 ? "sets" : "groups", i < 0 ? -1 - i : i);
		return;
	}
	json_object_set_new(check->names, key, json_integer(value));
}

/* True, and *i is the index, where the tenant has such a group or set. */
static bool find_name(
	const struct check *check, const char *tenant, const char *name, bool set, unsigned *i)
{
	char key[KEY_MAX];
	const json_t *found = json_object_get(check->names, key_of(tenant, name, key));
	json_int_t value = json_integer_value(found);

	if (!found || (value < 0) != set)
		return false;
	*i = (unsigned)(set ? -1 - value : value);
	return true;
}

/* Of the i-th group or set; false: there are no more. */
static bool nth_name(
	const struct check *check, bool set, unsigned i, const char **tenant, const char **name)
{
	const struct config *config = check->config;

	if (i >= (set ? config->n_sets : config->n_groups))
		return false;
	*tenant = set ? config->sets[i].tenant : config->groups[i].tenant;
	*name = set ? config->sets[i].name : config->groups[i].name;
	return true;
}

/* Says that the tenant has no such group or set, and what may have been meant. */
static void unknown_name(
	struct check *check, const char *member, const char *tenant, const char *name, bool set)
{
	const char *what = set ? "set" : "group", *other = set ? "group" : "set";
	const char *near = NULL, *elsewhere = NULL, *t, *n;
	unsigned unused;

	/* Hostile documents name many: no search for messages that are not kept. */
	for (unsigned i = 0;
		!config_report_full(check->context->report) && nth_name(check, set, i, &t, &n);
		i++) {
		bool own = !strcmp(t, tenant);

		if (own && !near && config_schema_near(name, n))
			near = n;
		if (!own && !elsewhere && !strcmp(n, name))
			elsewhere = t;
	}
	if (find_name(check, tenant, name, !set, &unused))
		config_check_error(check->context, member,
			"\"%s\" is a %s, not a %s: name it as {%s: %s} in a rule's remote", name,
			other, what, other, name);
	else if (near)
		config_check_error(check->context, member,
			"%s \"%s\" does not exist in tenant %s; did you mean \"%s\"?", what, name,
			tenant, near);
	else if (elsewhere)
		config_check_error(check->context, member,
			"%s \"%s\" is of tenant %s: name one of tenant %s", what, name, elsewhere,
			tenant);
	else
		config_check_error(check->context, member,
			"%s \"%s\" does not exist in tenant %s: add it under %ss, or name one that "
			"does",
			what, name, tenant, what);
}

static void check_remote(
	struct check *check, const struct config_group *group, struct config_rule *rule)
{
	struct config_remote *remote = &rule->remote;
	bool set = remote->kind == CONFIG_REMOTE_SET;

	if ((!set && remote->kind != CONFIG_REMOTE_GROUP) || !group->tenant[0])
		return;
	if (!find_name(check, group->tenant, remote->name, set, &remote->index))
		unknown_name(check, set ? "remote.set" : "remote.group", group->tenant,
			remote->name, set);
}

/* Names are to call rules by, as positions are. */
static void check_rule_name(struct check *check, json_t *names, const char *name, unsigned i)
{
	const json_t *before;

	if (!name[0])
		return;
	if (!name[strspn(name, "0123456789")])
		config_check_error(check->context, "name",
			"\"%s\" could be taken for a rule's position: put a letter into it", name);
	before = json_object_get(names, name);
	if (before)
		config_check_error(check->context, "name",
			"\"%s\" is the name of rules[%d], too: names must differ", name,
			(int)json_integer_value(before));
	else
		json_object_set_new(names, name, json_integer(i));
}

static void check_group(struct check *check, unsigned g)
{
	struct config_group *group = &check->config->groups[g];
	size_t mark = config_context_member(check->context, "rules");
	json_t *names = json_object();

	for (unsigned i = 0; i < group->n_rules; i++) {
		struct config_rule *rule = &group->rules[i];
		size_t item = config_context_item(check->context, i);

		check_rule_name(check, names, rule->name, i);
		config_check_rule(check->context, rule);
		check_remote(check, group, rule);
		config_context_leave(check->context, item);
		if (rule->direction == CONFIG_IN)
			check->speaks[g] |= rule->family == CONFIG_IPV4 ? SPEAKS_IPV4
					    : rule->family == CONFIG_IPV6
						    ? SPEAKS_IPV6
						    : SPEAKS_IPV4 | SPEAKS_IPV6;
	}
	config_context_leave(check->context, mark);
	json_decref(names);
}

static bool is_whole_family(struct addr_span span)
{
	struct addr_span whole = addr_prefix(span.first, 0);

	return addr_equal(span.first, whole.first) && addr_equal(span.last, whole.last);
}

/* RFC 1122, 3.2.1.3, and RFC 4291, 2.5.2 and 2.7. */
static bool is_no_source(struct addr_span span)
{
	bool ipv4 = addr_is_ipv4(span.first);
	struct addr unspecified = {.low = ipv4 ? ADDR_V4_PREFIX : 0};

	if (addr_equal(span.first, span.last) && addr_equal(span.first, unspecified))
		return true;
	return ipv4 ? (uint32_t)span.first.low >= 0xe0000000 : span.first.high >> 56 == 0xff;
}

static void check_pair(struct check *check, const struct config_pair *pair)
{
	if (is_no_source(pair->span))
		config_check_error(check->context, "ip",
			"no guest sends from multicast, broadcast or unspecified addresses: give "
			"those of hosts");
	else if (is_whole_family(pair->span))
		config_check_warn(check->context, "ip",
			"lets the port send from any address; it never counts as a member of the "
			"port's groups");
}

static void check_guard(struct check *check, const struct config_port *port)
{
	bool addresses = port->n_ips > 0 || port->n_pairs > 0, macs = port->has_mac;

	for (unsigned i = 0; i < port->n_pairs; i++)
		macs |= port->pairs[i].has_mac;
	if (port->trusted)
		return;
	if (!addresses && !macs)
		config_context_warn(check->context,
			"has neither mac nor ips: only DHCP, router advertisements and ethertypes "
			"are guarded; give the guest's, or trusted: true for a router");
	else if (!addresses)
		config_context_warn(check->context,
			"has no ips: only the MAC, the sender MAC in ARP, DHCP and router "
			"advertisements are guarded; give the guest's addresses");
	else if (!macs)
		config_context_warn(check->context,
			"has no mac: its addresses are guarded, but it may send from any MAC; "
			"give the guest's");
}

static void check_families(struct check *check, const struct config_port *port)
{
	static const char *const actions[] = {"allow", "deny", "reject"};
	unsigned has = 0, speaks = 0;

	for (unsigned i = 0; i < port->n_ips; i++)
		has |= strchr(port->ips[i], ':') ? SPEAKS_IPV6 : SPEAKS_IPV4;
	for (unsigned i = 0; i < port->n_groups; i++)
		speaks |= check->speaks[port->group_index[i]];
	if (port->trusted || has != (SPEAKS_IPV4 | SPEAKS_IPV6) ||
		(speaks != SPEAKS_IPV4 && speaks != SPEAKS_IPV6))
		return;
	config_check_warn(check->context, "groups",
		"the port has IPv4 and IPv6 addresses, but the in rules of its groups speak of "
		"%s only: to %s, default-in applies (%s)",
		speaks == SPEAKS_IPV4 ? "IPv4" : "IPv6", speaks == SPEAKS_IPV4 ? "IPv6" : "IPv4",
		actions[port->default_in]);
}

/* The tenant that the port's network is of; NULL where the network is not known. */
static const char *tenant_of(const struct check *check, const struct config_port *port)
{
	const struct config *config = check->config;

	if (port->network_index >= config->n_networks ||
		strcmp(config->networks[port->network_index].name, port->network) != 0)
		return NULL;
	return config->networks[port->network_index].tenant;
}

/* True: all its groups are known. */
static bool check_groups(struct check *check, struct config_port *port, const char *tenant)
{
	unsigned known = 0;

	for (unsigned i = 0; i < port->n_groups; i++) {
		char item[32];

		if (find_name(check, tenant, port->groups[i], false, &port->group_index[i])) {
			known++;
			continue;
		}
		snprintf(item, sizeof(item), "groups[%u]", i);
		unknown_name(check, item, tenant, port->groups[i], false);
	}
	if (port->trusted && port->n_groups > 0)
		config_check_warn(check->context, "groups",
			"a trusted port is held against no rules: groups only make it a member "
			"that other ports' rules can name");
	return known == port->n_groups;
}

static void check_port(struct check *check, unsigned p)
{
	struct config_port *port = &check->config->ports[p];
	const char *tenant = tenant_of(check, port);
	size_t mark = config_context_member(check->context, "pairs");

	for (unsigned i = 0; i < port->n_pairs; i++) {
		size_t item = config_context_item(check->context, i);

		check_pair(check, &port->pairs[i]);
		config_context_leave(check->context, item);
	}
	config_context_leave(check->context, mark);
	check_guard(check, port);
	if (tenant && check_groups(check, port, tenant))
		check_families(check, port);
}

/* An entry that a slip of the pen made would be a limit that limits nobody. */
static void check_tenant_used(struct check *check, const struct config_tenant *tenant)
{
	const struct config *config = check->config;

	for (unsigned i = 0; i < config->n_networks; i++)
		if (!strcmp(config->networks[i].tenant, tenant->name))
			return;
	if (tenant->name[0])
		config_check_warn(check->context, "name",
			"no network is tenant %s's: the entry has no effect", tenant->name);
}

static void check_tenant(struct check *check, unsigned i)
{
	const struct config_tenant *tenant = &check->config->tenants[i];

	for (unsigned j = 0; j < i; j++)
		if (tenant->name[0] && !strcmp(check->config->tenants[j].name, tenant->name))
			config_check_error(check->context, "name",
				"\"%s\" is the name of tenants[%u], too: put all its fields into "
				"one entry",
				tenant->name, j);
	check_tenant_used(check, tenant);
}

static void name_group(struct check *check, unsigned i)
{
	const struct config_group *group = &check->config->groups[i];

	index_name(check, group->tenant, group->name, (int)i);
}

static void name_set(struct check *check, unsigned i)
{
	const struct config_set *set = &check->config->sets[i];

	index_name(check, set->tenant, set->name, -1 - (int)i);
}

static void each(struct check *check, const char *section, unsigned count,
	void (*check_one)(struct check *check, unsigned i))
{
	size_t mark = config_context_member(check->context, section);

	for (unsigned i = 0; i < count; i++) {
		size_t item = config_context_item(check->context, i);

		check_one(check, i);
		config_context_leave(check->context, item);
	}
	config_context_leave(check->context, mark);
}

void config_check_policy(struct config_context *context, struct config *config)
{
	struct check check = {.context = context,
		.config = config,
		.names = json_object(),
		.speaks = calloc(config->n_groups + 1, 1)};

	if (!check.names || !check.speaks) {
		config_context_error(context, "out of memory");
	} else {
		each(&check, "tenants", config->n_tenants, check_tenant);
		each(&check, "groups", config->n_groups, name_group);
		each(&check, "sets", config->n_sets, name_set);
		each(&check, "groups", config->n_groups, check_group);
		each(&check, "ports", config->n_ports, check_port);
	}
	json_decref(check.names);
	free(check.speaks);
}
