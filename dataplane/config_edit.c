#include "config_edit.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PATCH_DEPTH_MAX 8 /* objects within objects; the deepest field lies on level 2 */

/* "port" for "ports"; NULL for a section that has no named objects to edit. */
static const char *singular(const char *section)
{
	static const char *const sections[][2] = {{"ports", "port"}, {"networks", "network"},
		{"uplinks", "uplink"}, {"tenants", "tenant"}, {"groups", "group"}, {"sets", "set"}};

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++)
		if (!strcmp(section, sections[i][0]))
			return sections[i][1];
	return NULL;
}

static bool of_tenants(const char *section)
{
	return !strcmp(section, "groups") || !strcmp(section, "sets");
}

/* Whether item is what the section's objects are called by. */
static bool is_called(const json_t *item, const char *section, const char *name)
{
	const char *own = json_string_value(json_object_get(item, "name"));
	const char *tenant = json_string_value(json_object_get(item, "tenant"));
	size_t len;

	if (!own || !of_tenants(section))
		return own && !strcmp(own, name);
	len = tenant ? strlen(tenant) : 0;
	return tenant && !strncmp(name, tenant, len) && name[len] == '/' &&
	       !strcmp(name + len + 1, own);
}

static size_t find(const json_t *list, const char *section, const char *name)
{
	size_t i, n = json_array_size(list);

	for (i = 0; i < n; i++)
		if (is_called(json_array_get(list, i), section, name))
			break;
	return i;
}

const json_t *config_edit_find(const json_t *root, const char *section, const char *name)
{
	const json_t *list = json_object_get(root, section);

	return json_array_get(list, find(list, section, name));
}

/* A copy of root with the section as a list of its own in it; NULL with err set. */
static json_t *copy_with(const json_t *root, const char *section, struct config_error *err)
{
	json_t *copy, *list;

	err->text[0] = '\0';
	if (!singular(section)) {
		config_error_set(err,
			"section %s has no objects to edit: networks, ports, uplinks, tenants, "
			"groups and sets have",
			section);
		return NULL;
	}
	if (!json_is_object(root)) {
		config_error_set(err, "there is no configuration to edit: apply one first");
		return NULL;
	}
	copy = json_copy((json_t *)(uintptr_t)root);
	list = json_object_get(copy, section);
	json_object_set_new(copy, section, json_is_array(list) ? json_copy(list) : json_array());
	return copy;
}

static json_t *refuse(json_t *copy)
{
	json_decref(copy);
	return NULL;
}

/* What object is called by in the section; false: it has no name, or no tenant. */
static bool name_of(const json_t *object, const char *section, char *name, size_t len)
{
	const char *own = json_string_value(json_object_get(object, "name"));
	const char *tenant = json_string_value(json_object_get(object, "tenant"));

	if (!own || (of_tenants(section) && !tenant))
		return false;
	snprintf(name, len, "%s%s%s", of_tenants(section) ? tenant : "",
		of_tenants(section) ? "/" : "", own);
	return true;
}

json_t *config_edit_add(
	const json_t *root, const char *section, const json_t *object, struct config_error *err)
{
	json_t *copy = copy_with(root, section, err);
	json_t *list = json_object_get(copy, section);
	char name[256];

	if (!copy)
		return NULL;
	if (!name_of(object, section, name, sizeof(name))) {
		config_error_set(err, "a new %s needs a name%s", singular(section),
			of_tenants(section) ? " and a tenant" : "");
		return refuse(copy);
	}
	if (find(list, section, name) < json_array_size(list)) {
		config_error_set(err, "%s %s exists already: set its fields, or remove it first",
			singular(section), name);
		return refuse(copy);
	}
	json_array_append_new(list, json_deep_copy(object));
	return copy;
}

/* The object called name in copy's section, as a copy of its own; NULL with err set. */
static json_t *get(
	json_t *copy, const char *section, const char *name, size_t *at, struct config_error *err)
{
	json_t *list = json_object_get(copy, section);

	if (!copy)
		return NULL;
	*at = find(list, section, name);
	if (*at == json_array_size(list)) {
		config_error_set(err, "%s %s does not exist", singular(section), name);
		return NULL;
	}
	json_array_set_new(list, *at, json_copy(json_array_get(list, *at)));
	return json_array_get(list, *at);
}

/* RFC 7396, section 2. object is a copy of its own. False: patch is nested too deeply. */
static bool merge(json_t *object, const json_t *patch, unsigned depth)
{
	const char *key;
	json_t *value;

	if (depth == 0)
		return false;
	json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
		if (json_is_null(value)) {
			json_object_del(object, key);
		} else if (json_is_object(value)) {
			json_t *inner = json_object_get(object, key);

			inner = json_is_object(inner) ? json_copy(inner) : json_object();
			json_object_set_new(object, key, inner);
			if (!merge(inner, value, depth - 1))
				return false;
		} else {
			json_object_set_new(object, key, json_deep_copy(value));
		}
	}
	return true;
}

/* What says which object it is must stay. */
static bool keeps(const json_t *object, const json_t *patch, const char *member)
{
	const json_t *value = json_object_get(patch, member);

	return !value || json_equal(value, json_object_get(object, member));
}

json_t *config_edit_set(const json_t *root, const char *section, const char *name,
	const json_t *patch, struct config_error *err)
{
	json_t *copy = copy_with(root, section, err);
	const char *changed;
	size_t at;
	json_t *object = get(copy, section, name, &at, err);

	if (!object)
		return refuse(copy);
	if (!json_is_object(patch)) {
		config_error_set(err, "a change of %s %s must be a mapping of fields",
			singular(section), name);
		return refuse(copy);
	}
	changed = !keeps(object, patch, "name")                            ? "name"
		  : of_tenants(section) && !keeps(object, patch, "tenant") ? "tenant"
									   : NULL;
	if (changed) {
		config_error_set(err,
			"the %s of %s %s cannot be changed: remove it and add another", changed,
			singular(section), name);
		return refuse(copy);
	}
	if (!merge(object, patch, PATCH_DEPTH_MAX)) {
		config_error_set(
			err, "the change of %s %s is nested too deeply", singular(section), name);
		return refuse(copy);
	}
	return copy;
}

json_t *config_edit_list(const json_t *root, const char *section, const char *name,
	const char *member, json_t *list, struct config_error *err)
{
	json_t *copy = copy_with(root, section, err);
	size_t at;
	json_t *object = get(copy, section, name, &at, err);

	if (!object) {
		json_decref(list);
		return refuse(copy);
	}
	json_object_set_new(object, member, list);
	return copy;
}

/* Name of the first port in the network, and how many there are. */
static const char *port_in(const json_t *root, const char *network, unsigned *count)
{
	const char *first = NULL;
	size_t i;
	json_t *port;

	*count = 0;
	json_array_foreach (json_object_get(root, "ports"), i, port) {
		const char *of = json_string_value(json_object_get(port, "network"));
		const char *name = json_string_value(json_object_get(port, "name"));

		if (of && name && !strcmp(of, network) && (*count)++ == 0)
			first = name;
	}
	return first;
}

static bool has_text(const json_t *list, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		const char *own = json_string_value(item);

		if (own && !strcmp(own, text))
			return true;
	}
	return false;
}

/* The tenant of a network: its own name where none is given. */
static const char *tenant_of(const json_t *root, const char *network)
{
	const json_t *found = network ? config_edit_find(root, "networks", network) : NULL;
	const char *tenant = json_string_value(json_object_get(found, "tenant"));

	return tenant || !found ? tenant : network;
}

/* Says which port of the tenant is in the group. */
static bool port_uses(
	const json_t *root, const char *tenant, const char *group, char *user, size_t len)
{
	size_t i;
	json_t *port;

	json_array_foreach (json_object_get(root, "ports"), i, port) {
		const char *of = tenant_of(
			root, json_string_value(json_object_get(port, "network")));
		const char *name = json_string_value(json_object_get(port, "name"));

		if (!of || !name || strcmp(of, tenant) != 0 ||
			!has_text(json_object_get(port, "groups"), group))
			continue;
		snprintf(user, len, "port %s", name);
		return true;
	}
	return false;
}

/* Says which rule of another group names it; kind: "group" or "set". */
static bool rule_uses(const json_t *root, const char *tenant, const char *kind, const char *name,
	char *user, size_t len)
{
	size_t i, r;
	json_t *group, *rule;

	json_array_foreach (json_object_get(root, "groups"), i, group) {
		const char *of = json_string_value(json_object_get(group, "tenant"));
		const char *own = json_string_value(json_object_get(group, "name"));

		if (!of || !own || strcmp(of, tenant) != 0 ||
			(!strcmp(kind, "group") && !strcmp(own, name)))
			continue;
		json_array_foreach (json_object_get(group, "rules"), r, rule) {
			const char *remote = json_string_value(
				json_object_get(json_object_get(rule, "remote"), kind));

			if (!remote || strcmp(remote, name) != 0)
				continue;
			snprintf(user, len, "rule %zu of group %s", r, own);
			return true;
		}
	}
	return false;
}

/* Says whose inspection makes an exception of the port. */
static bool inspection_uses(const json_t *root, const char *port, char *user, size_t len)
{
	size_t i;
	json_t *entry;

	json_array_foreach (json_object_get(root, "inspection"), i, entry) {
		const char *tenant = json_string_value(json_object_get(entry, "tenant"));
		const char *const by[] = {"quarantine", "fan-out"};

		for (size_t b = 0; b < sizeof(by) / sizeof(*by); b++) {
			if (!has_text(
				    json_object_get(json_object_get(entry, by[b]), "exempt"), port))
				continue;
			snprintf(user, len, "%s.exempt of tenant %s's inspection", by[b],
				tenant ? tenant : "?");
			return true;
		}
	}
	return false;
}

/* Says which uplink names the network. */
static bool uplink_uses(const json_t *root, const char *network, char *user, size_t len)
{
	size_t i;
	json_t *uplink;

	json_array_foreach (json_object_get(root, "uplinks"), i, uplink) {
		const char *name = json_string_value(json_object_get(uplink, "name"));
		const char *untagged = json_string_value(json_object_get(uplink, "untagged"));

		if (!has_text(json_object_get(uplink, "networks"), network) &&
			(!untagged || strcmp(untagged, network) != 0))
			continue;
		snprintf(user, len, "uplink %s", name ? name : "?");
		return true;
	}
	return false;
}

/* Whether somebody names the network, port, group or set, and who: user. */
static bool is_used(
	const json_t *root, const char *section, const char *name, char *user, size_t len)
{
	const char *slash = strchr(name, '/');
	char tenant[128];

	if (!strcmp(section, "networks"))
		return uplink_uses(root, name, user, len);
	if (!strcmp(section, "ports"))
		return inspection_uses(root, name, user, len);
	if (!of_tenants(section) || !slash || (size_t)(slash - name) >= sizeof(tenant))
		return false;
	memcpy(tenant, name, (size_t)(slash - name));
	tenant[slash - name] = '\0';
	return (!strcmp(section, "groups") && port_uses(root, tenant, slash + 1, user, len)) ||
	       rule_uses(root, tenant, singular(section), slash + 1, user, len);
}

json_t *config_edit_remove(
	const json_t *root, const char *section, const char *name, struct config_error *err)
{
	json_t *copy = copy_with(root, section, err);
	unsigned ports = 0;
	char user[192];
	size_t at;

	if (!get(copy, section, name, &at, err))
		return refuse(copy);
	if (!strcmp(section, "networks") && port_in(copy, name, &ports)) {
		config_error_set(err,
			"network %s still has ports (%u, the first is %s): remove them first", name,
			ports, port_in(copy, name, &ports));
		return refuse(copy);
	}
	if (is_used(copy, section, name, user, sizeof(user))) {
		config_error_set(err, "%s %s is used by %s: change that first", singular(section),
			name, user);
		return refuse(copy);
	}
	json_array_remove(json_object_get(copy, section), at);
	return copy;
}
