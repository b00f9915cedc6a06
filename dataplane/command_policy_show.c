/*
 * Commands that list tenants, groups with their rules, and sets: handlers as commands.h declares
 * them, on the canonical form of what is applied.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_policy.h"
#include "config_edit.h"
#include "config_fields_firewall.h"

static const char *text_of(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

static bool is_text(const json_t *object, const char *member, const char *text)
{
	const char *own = text_of(object, member);

	return own != NULL && strcmp(own, text) == 0;
}

static const json_t *section_of(const char *name)
{
	return json_object_get(transaction_canonical(), name);
}

/* {network: tenant} */
static json_t *network_tenants(void)
{
	json_t *tenants = json_object(), *network;
	size_t i;

	json_array_foreach (section_of("networks"), i, network)
		json_object_set(
			tenants, text_of(network, "name"), json_object_get(network, "tenant"));
	return tenants;
}

static void count(json_t *counts, const char *key)
{
	json_object_set_new(
		counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + 1));
}

/* {"tenant/group": ports in it} */
static json_t *count_members(void)
{
	json_t *tenants = network_tenants(), *counts = json_object(), *port, *group;
	char key[POLICY_KEY_MAX];
	size_t i, j;

	json_array_foreach (section_of("ports"), i, port) {
		const char *tenant = text_of(tenants, text_of(port, "network"));

		json_array_foreach (json_object_get(port, "groups"), j, group) {
			snprintf(key, sizeof(key), "%s/%s", tenant, json_string_value(group));
			count(counts, key);
		}
	}
	json_decref(tenants);
	return counts;
}

static json_t *size_of(const json_t *object, const char *member)
{
	return json_integer((json_int_t)json_array_size(json_object_get(object, member)));
}

static bool is_asked(const struct command_request *request, const json_t *object)
{
	const char *tenant = command_text(request, "tenant");

	return tenant == NULL || is_text(object, "tenant", tenant);
}

void command_group_list(const struct command_request *request, struct command_reply *reply)
{
	json_t *counts = count_members(), *rows = json_array(), *group;
	char key[POLICY_KEY_MAX];
	size_t i;

	json_array_foreach (section_of("groups"), i, group) {
		if (!is_asked(request, group))
			continue;
		snprintf(key, sizeof(key), "%s/%s", text_of(group, "tenant"),
			text_of(group, "name"));
		json_array_append_new(rows,
			json_pack("{s:O,s:O,s:o,s:I,s:o}", "name", json_object_get(group, "name"),
				"tenant", json_object_get(group, "tenant"), "rules",
				size_of(group, "rules"), "ports",
				json_integer_value(json_object_get(counts, key)), "addresses",
				size_of(group, "addresses")));
	}
	json_decref(counts);
	reply->result = rows;
}

void command_set_list(const struct command_request *request, struct command_reply *reply)
{
	json_t *rows = json_array(), *set;
	size_t i;

	json_array_foreach (section_of("sets"), i, set) {
		if (is_asked(request, set))
			json_array_append_new(rows,
				json_pack("{s:O,s:O,s:o}", "name", json_object_get(set, "name"),
					"tenant", json_object_get(set, "tenant"), "addresses",
					size_of(set, "addresses")));
	}
	reply->result = rows;
}

/* The group or set that the command names; NULL: refused. */
static const json_t *named(const struct command_request *request, struct command_reply *reply,
	const char *section, const char *what, const char *name)
{
	char key[POLICY_KEY_MAX];
	const json_t *found;

	if (!command_policy_key(request, reply, section, name, key))
		return NULL;
	found = config_edit_find(transaction_canonical(), section, key);
	if (found == NULL)
		command_refuse(reply, "there is no %s `%s`", what, key);
	return found;
}

/* Names of the ports of the tenant that are in the group. */
static json_t *members_of(const json_t *group)
{
	json_t *tenants = network_tenants(), *members = json_array(), *port, *name;
	size_t i, j;

	json_array_foreach (section_of("ports"), i, port) {
		const char *network = text_of(port, "network");

		if (!is_text(tenants, network, text_of(group, "tenant")))
			continue;
		json_array_foreach (json_object_get(port, "groups"), j, name) {
			if (json_equal(name, json_object_get(group, "name")))
				json_array_append(members, json_object_get(port, "name"));
		}
	}
	json_decref(tenants);
	return members;
}

/* Names of the groups of the same tenant with a rule whose remote it is. */
static json_t *named_by(const json_t *object, const char *kind)
{
	json_t *groups = json_array(), *group, *rule;
	size_t i, j;

	json_array_foreach (section_of("groups"), i, group) {
		if (!json_equal(
			    json_object_get(group, "tenant"), json_object_get(object, "tenant")))
			continue;
		json_array_foreach (json_object_get(group, "rules"), j, rule) {
			if (!is_text(
				    json_object_get(rule, "remote"), kind, text_of(object, "name")))
				continue;
			json_array_append(groups, json_object_get(group, "name"));
			break;
		}
	}
	return groups;
}

void command_group_show(const struct command_request *request, struct command_reply *reply)
{
	const json_t *group = named(
		request, reply, "groups", "group", command_text(request, "name"));

	if (group != NULL)
		reply->result = json_pack("{s:O,s:O,s:o,s:O,s:o,s:O}", "name",
			json_object_get(group, "name"), "tenant", json_object_get(group, "tenant"),
			"ports", members_of(group), "addresses",
			json_object_get(group, "addresses"), "named_by", named_by(group, "group"),
			"rules", json_object_get(group, "rules"));
}

void command_set_show(const struct command_request *request, struct command_reply *reply)
{
	const json_t *set = named(request, reply, "sets", "set", command_text(request, "name"));

	if (set != NULL)
		reply->result = json_pack("{s:O,s:O,s:o,s:O}", "name", json_object_get(set, "name"),
			"tenant", json_object_get(set, "tenant"), "named_by", named_by(set, "set"),
			"addresses", json_object_get(set, "addresses"));
}

/* "tcp 22,1000-2000", "icmp 8/0". */
static json_t *service_of(const json_t *rule)
{
	const json_t *protocol = json_object_get(rule, "protocol"), *item;
	const json_t *type = json_object_get(rule, "type"), *code = json_object_get(rule, "code");
	char text[256];
	size_t i, len;

	if (json_is_string(protocol))
		len = (size_t)snprintf(text, sizeof(text), "%s", json_string_value(protocol));
	else
		len = (size_t)snprintf(text, sizeof(text), "%d", (int)json_integer_value(protocol));
	json_array_foreach (json_object_get(rule, "ports"), i, item) {
		const char *mark = i == 0 ? " " : ",";

		if (json_is_string(item))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", mark,
				json_string_value(item));
		else
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d", mark,
				(int)json_integer_value(item));
	}
	if (type != NULL)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, " %d", (int)json_integer_value(type));
	if (code != NULL)
		snprintf(text + len, sizeof(text) - len, "/%d", (int)json_integer_value(code));
	return json_string(text);
}

/* "any", "10.0.0.0/24", "group servers". */
static json_t *remote_of(const json_t *rule)
{
	const json_t *remote = json_object_get(rule, "remote");
	const char *group = text_of(remote, "group"), *set = text_of(remote, "set");

	if (json_is_string(remote))
		return json_string(json_string_value(remote));
	return json_sprintf("%s %s", group != NULL ? "group" : "set", group != NULL ? group : set);
}

void command_rule_list(const struct command_request *request, struct command_reply *reply)
{
	const json_t *group = named(
		request, reply, "groups", "group", command_text(request, "group"));
	json_t *rows, *rule;
	size_t i;

	if (group == NULL)
		return;
	rows = json_array();
	json_array_foreach (json_object_get(group, "rules"), i, rule) {
		json_t *row = json_copy(rule);

		json_object_set_new(row, "position", json_integer((json_int_t)i));
		json_object_set_new(row, "service", service_of(rule));
		json_object_set_new(row, "peer", remote_of(rule));
		json_array_append_new(rows, row);
	}
	reply->result = rows;
}

/* Row of the tenant, with the defaults where it has none yet. */
static json_t *tenant_row(json_t *rows, const char *name)
{
	json_t *row = json_object_get(rows, name);
	struct config_tenant tenant = {0};

	if (row != NULL)
		return row;
	config_schema_defaults(&config_fields_tenant, &tenant);
	snprintf(tenant.name, sizeof(tenant.name), "%s", name);
	row = config_schema_encode(&config_fields_tenant, &tenant);
	json_object_set_new(rows, name, row);
	return row;
}

static void count_objects(json_t *rows, const char *section)
{
	json_t *object;
	size_t i;

	json_array_foreach (section_of(section), i, object)
		count(tenant_row(rows, text_of(object, "tenant")), section);
}

static void count_ports(json_t *rows)
{
	json_t *tenants = network_tenants(), *port;
	size_t i;

	json_array_foreach (section_of("ports"), i, port)
		count(tenant_row(rows, text_of(tenants, text_of(port, "network"))), "ports");
	json_decref(tenants);
}

void command_tenant_list(const struct command_request *request, struct command_reply *reply)
{
	static const char *const counted[] = {"networks", "ports", "groups", "sets"};
	json_t *rows = json_object(), *list = json_array(), *row;
	const char *name;
	size_t i;

	(void)request;
	json_array_foreach (section_of("tenants"), i, row)
		json_object_update(tenant_row(rows, text_of(row, "name")), row);
	count_objects(rows, "networks");
	count_objects(rows, "groups");
	count_objects(rows, "sets");
	count_ports(rows);
	json_object_foreach (rows, name, row) {
		for (i = 0; i < sizeof(counted) / sizeof(*counted); i++)
			if (json_object_get(row, counted[i]) == NULL)
				json_object_set_new(row, counted[i], json_integer(0));
		json_array_append(list, row);
	}
	json_decref(rows);
	reply->result = list;
}
