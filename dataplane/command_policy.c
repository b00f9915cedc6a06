/*
 * Commands that change tenants, groups with their rules, and sets: handlers as commands.h declares
 * them. Those that only list them are in command_policy_show.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "command_edit.h"
#include "command_policy.h"
#include "config.h"
#include "config_edit.h"
#include "config_fields_firewall.h"

static const struct edit_section tenants = {"tenants", "tenant", &config_fields_tenant};
static const struct edit_section groups = {"groups", "group", &config_fields_group};
static const struct edit_section sets = {"sets", "set", &config_fields_set};

/* The tenants that have an object of the name, as "a, b"; returns how many, one of them: tenant. */
static unsigned tenants_with(
	const char *section, const char *name, const char **tenant, char *list, size_t len)
{
	size_t i;
	json_t *object;
	unsigned n = 0;

	list[0] = '\0';
	json_array_foreach (json_object_get(transaction_canonical(), section), i, object) {
		size_t used = strlen(list);

		if (strcmp(json_string_value(json_object_get(object, "name")), name) != 0)
			continue;
		*tenant = json_string_value(json_object_get(object, "tenant"));
		snprintf(list + used, len - used, "%s%s", n++ > 0 ? ", " : "", *tenant);
	}
	return n;
}

bool command_policy_key(const struct command_request *request, struct command_reply *reply,
	const char *section, const char *name, char key[POLICY_KEY_MAX])
{
	const char *tenant = command_text(request, "tenant");
	char list[256];
	int len;

	if (tenant == NULL && strchr(name, '/') == NULL &&
		tenants_with(section, name, &tenant, list, sizeof(list)) > 1) {
		command_refuse(reply,
			"several tenants have a %.*s %s: say which with --tenant, one of %s",
			(int)strlen(section) - 1, section, name, list);
		return false;
	}
	len = snprintf(key, POLICY_KEY_MAX, "%s%s%s", tenant == NULL ? "" : tenant,
		tenant == NULL ? "" : "/", name);
	if (len < POLICY_KEY_MAX)
		return true;
	command_refuse(reply, "there is no such name: it is too long");
	return false;
}

/* The tenant that a new object gets; NULL: refused. */
static const char *tenant_for(const struct command_request *request, struct command_reply *reply)
{
	const char *tenant = command_text(request, "tenant"), *own;
	size_t i;
	json_t *network;

	if (tenant == NULL)
		tenant = json_string_value(
			json_object_get(json_object_get(request->args, "settings"), "tenant"));
	if (tenant != NULL)
		return tenant;
	json_array_foreach (json_object_get(transaction_canonical(), "networks"), i, network) {
		own = json_string_value(json_object_get(network, "tenant"));
		if (tenant != NULL && strcmp(tenant, own) != 0) {
			command_refuse(reply,
				"there are several tenants: say which with --tenant, such as %s",
				tenant);
			return NULL;
		}
		tenant = own;
	}
	if (tenant == NULL)
		command_refuse(reply, "there is no network yet: say whose it is with --tenant");
	return tenant;
}

static void add(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section)
{
	const char *name = command_text(request, "name");
	const char *tenant = tenant_for(request, reply);
	char key[POLICY_KEY_MAX];
	json_t *bare;

	if (tenant == NULL)
		return;
	snprintf(key, sizeof(key), "%s/%s", tenant, name);
	bare = json_pack("{s:s,s:s}", "name", name, "tenant", tenant);
	edit_add(request, reply, section, key, bare);
	json_decref(bare);
}

void command_group_add(const struct command_request *request, struct command_reply *reply)
{
	add(request, reply, &groups);
}

void command_set_add(const struct command_request *request, struct command_reply *reply)
{
	add(request, reply, &sets);
}

void command_group_set(const struct command_request *request, struct command_reply *reply)
{
	char key[POLICY_KEY_MAX];

	if (command_policy_key(request, reply, "groups", command_text(request, "name"), key))
		edit_set(request, reply, &groups, key);
}

void command_group_del(const struct command_request *request, struct command_reply *reply)
{
	char key[POLICY_KEY_MAX];

	if (command_policy_key(request, reply, "groups", command_text(request, "name"), key))
		edit_del(request, reply, &groups, key);
}

void command_set_del(const struct command_request *request, struct command_reply *reply)
{
	char key[POLICY_KEY_MAX];

	if (command_policy_key(request, reply, "sets", command_text(request, "name"), key))
		edit_del(request, reply, &sets, key);
}

/* A tenant without an entry has the defaults: the first change makes one. */
void command_tenant_set(const struct command_request *request, struct command_reply *reply)
{
	const char *name = command_text(request, "name");
	json_t *bare;

	if (config_edit_find(transaction_document(), "tenants", name) != NULL) {
		edit_set(request, reply, &tenants, name);
		return;
	}
	bare = json_pack("{s:s}", "name", name);
	edit_add(request, reply, &tenants, name, bare);
	json_decref(bare);
}

void command_tenant_del(const struct command_request *request, struct command_reply *reply)
{
	edit_del(request, reply, &tenants, command_text(request, "name"));
}

/* A copy of the list in the object that key calls, to be edited; NULL: refused. */
static json_t *list_of(struct command_reply *reply, const struct edit_section *section,
	const char *key, const char *member)
{
	const json_t *object = config_edit_find(transaction_document(), section->name, key);
	json_t *list = json_object_get(object, member);

	if (object == NULL) {
		command_refuse(reply, "there is no %s `%s`", section->what, key);
		return NULL;
	}
	return json_is_array(list) ? json_copy(list) : json_array();
}

static void commit_list(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section, const char *key, const char *member, json_t *list)
{
	struct config_error err;

	edit_commit(request, reply,
		config_edit_list(transaction_document(), section->name, key, member, list, &err),
		&err);
}

/* The rule that a patch for a new object describes: fields set to null are left out. */
static json_t *rule_of(const json_t *patch)
{
	json_t *rule = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
		if (!json_is_null(value))
			json_object_set(rule, key, value);
	}
	return rule;
}

void command_rule_add(const struct command_request *request, struct command_reply *reply)
{
	bool has_place = json_object_get(request->args, "at") != NULL;
	size_t at = command_number(request, "at"), n;
	char key[POLICY_KEY_MAX];
	json_t *list, *patch;

	if (!command_policy_key(request, reply, "groups", command_text(request, "group"), key))
		return;
	list = list_of(reply, &groups, key, "rules");
	if (list == NULL)
		return;
	n = json_array_size(list);
	if (has_place && at > n) {
		command_refuse(reply, "group %s has %zu rules: --at takes 0 to %zu", key, n, n);
		json_decref(list);
		return;
	}
	patch = edit_patch(request, reply, &config_fields_rule);
	if (patch == NULL) {
		json_decref(list);
		return;
	}
	json_array_insert_new(list, has_place ? at : n, rule_of(patch));
	json_decref(patch);
	commit_list(request, reply, &groups, key, "rules", list);
}

/* Index of the rule by position or name; the list's size: there is none. */
static size_t find_rule(const json_t *list, const char *rule)
{
	size_t n = json_array_size(list), i;

	if (rule[0] != '\0' && rule[strspn(rule, "0123456789")] == '\0') {
		unsigned long long at = strtoull(rule, NULL, 10);

		return at < n ? (size_t)at : n;
	}
	for (i = 0; i < n; i++) {
		const char *name = json_string_value(
			json_object_get(json_array_get(list, i), "name"));

		if (name != NULL && strcmp(name, rule) == 0)
			break;
	}
	return i;
}

void command_rule_del(const struct command_request *request, struct command_reply *reply)
{
	const char *rule = command_text(request, "rule");
	char key[POLICY_KEY_MAX];
	json_t *list;
	size_t at;

	if (!command_policy_key(request, reply, "groups", command_text(request, "group"), key))
		return;
	list = list_of(reply, &groups, key, "rules");
	if (list == NULL)
		return;
	at = find_rule(list, rule);
	if (at == json_array_size(list)) {
		command_refuse(reply,
			"group %s has no rule `%s`: `rule list` shows the positions, from 0, and "
			"names of the %zu that it has",
			key, rule, json_array_size(list));
		json_decref(list);
		return;
	}
	json_array_remove(list, at);
	commit_list(request, reply, &groups, key, "rules", list);
}

/* The canonical text of addresses; false where text is none. */
static bool span_text(const char *text, char canonical[2 * ADDR_TEXT_MAX + 1])
{
	struct addr_span span;

	if (text == NULL || !addr_span_parse(text, &span))
		return false;
	addr_span_format(span, canonical);
	return true;
}

/* {canonical text: text} of the addresses in the request; NULL: refused. */
static json_t *members_of(const struct command_request *request, struct command_reply *reply)
{
	json_t *members = json_object(), *word;
	char canonical[2 * ADDR_TEXT_MAX + 1];
	size_t i;

	json_array_foreach (json_object_get(request->args, "addresses"), i, word) {
		char *text = strdup(json_string_value(word)), *at = text, *part;

		while ((part = strsep(&at, ",")) != NULL) {
			if (!span_text(part, canonical)) {
				command_refuse(reply,
					"`%.64s` is no address, prefix or range, such as 10.0.0.1, "
					"10.0.0.0/24 or 10.0.0.2-10.0.0.9",
					part);
				free(text);
				json_decref(members);
				return NULL;
			}
			json_object_set_new(members, canonical, json_string(part));
		}
		free(text);
	}
	return members;
}

/* list without the members; these are forgotten as they are found. */
static json_t *without_members(const json_t *list, json_t *members, bool keep)
{
	json_t *kept = json_array(), *item;
	char canonical[2 * ADDR_TEXT_MAX + 1];
	size_t i;

	json_array_foreach (list, i, item) {
		bool found = span_text(json_string_value(item), canonical) &&
			     json_object_del(members, canonical) == 0;

		if (!found || keep)
			json_array_append(kept, item);
	}
	return kept;
}

/* A list of addresses that commands put some into and take some out of. */
struct address_list {
	const struct edit_section *section;
	const char *argument; /* that names its object */
	const char *member; /* of that */
};

static const struct address_list set_addresses = {&sets, "set", "addresses"};
static const struct address_list group_members = {&groups, "group", "addresses"};

static void change_members(const struct command_request *request, struct command_reply *reply,
	const struct address_list *of, bool remove)
{
	char key[POLICY_KEY_MAX];
	json_t *list, *members, *changed, *text;
	const char *canonical;

	if (!command_policy_key(
		    request, reply, of->section->name, command_text(request, of->argument), key))
		return;
	list = list_of(reply, of->section, key, of->member);
	members = list == NULL ? NULL : members_of(request, reply);
	if (members == NULL) {
		json_decref(list);
		return;
	}
	changed = without_members(list, members, !remove);
	if (!remove) {
		json_object_foreach (members, canonical, text)
			json_array_append(changed, text);
	}
	json_decref(members);
	json_decref(list);
	commit_list(request, reply, of->section, key, of->member, changed);
}

void command_set_member_add(const struct command_request *request, struct command_reply *reply)
{
	change_members(request, reply, &set_addresses, false);
}

void command_set_member_del(const struct command_request *request, struct command_reply *reply)
{
	change_members(request, reply, &set_addresses, true);
}

void command_group_member_add(const struct command_request *request, struct command_reply *reply)
{
	change_members(request, reply, &group_members, false);
}

void command_group_member_del(const struct command_request *request, struct command_reply *reply)
{
	change_members(request, reply, &group_members, true);
}
