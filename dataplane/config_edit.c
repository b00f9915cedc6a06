#include "config_edit.h"

#include <stdint.h>
#include <string.h>

#define PATCH_DEPTH_MAX 8 /* objects within objects; the deepest field lies on level 2 */

/* "port" for "ports"; NULL for a section that has no named objects to edit. */
static const char *singular(const char *section)
{
	if (!strcmp(section, "ports"))
		return "port";
	if (!strcmp(section, "networks"))
		return "network";
	return NULL;
}

static size_t find(const json_t *list, const char *name)
{
	size_t i, n = json_array_size(list);

	for (i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);
		const char *other = json_string_value(json_object_get(item, "name"));

		if (other && !strcmp(other, name))
			break;
	}
	return i;
}

/* A copy of root with the section as a list in it; NULL with err set. */
static json_t *copy_with(const json_t *root, const char *section, struct config_error *err)
{
	json_t *copy;

	err->text[0] = '\0';
	if (!singular(section)) {
		config_error_set(
			err, "section %s has no objects to edit: networks and ports have", section);
		return NULL;
	}
	if (!json_is_object(root)) {
		config_error_set(err, "there is no configuration to edit: apply one first");
		return NULL;
	}
	copy = json_deep_copy(root);
	if (!json_is_array(json_object_get(copy, section)))
		json_object_set_new(copy, section, json_array());
	return copy;
}

static json_t *refuse(json_t *copy)
{
	json_decref(copy);
	return NULL;
}

json_t *config_edit_add(
	const json_t *root, const char *section, const json_t *object, struct config_error *err)
{
	json_t *copy = copy_with(root, section, err);
	json_t *list = json_object_get(copy, section);
	const char *name = json_string_value(json_object_get(object, "name"));

	if (!copy)
		return NULL;
	if (!name) {
		config_error_set(err, "a new %s needs a name", singular(section));
		return refuse(copy);
	}
	if (find(list, name) < json_array_size(list)) {
		config_error_set(err, "%s %s exists already: set its fields, or remove it first",
			singular(section), name);
		return refuse(copy);
	}
	json_array_append_new(list, json_deep_copy(object));
	return copy;
}

/* The object called name in copy's section; NULL with err set. */
static json_t *get(
	json_t *copy, const char *section, const char *name, size_t *at, struct config_error *err)
{
	json_t *list = json_object_get(copy, section);

	*at = find(list, name);
	if (copy && *at == json_array_size(list))
		config_error_set(err, "%s %s does not exist", singular(section), name);
	return json_array_get(list, *at);
}

/* RFC 7396, section 2. False: patch is nested too deeply. */
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
			if (!json_is_object(json_object_get(object, key)))
				json_object_set_new(object, key, json_object());
			if (!merge(json_object_get(object, key), value, depth - 1))
				return false;
		} else {
			json_object_set_new(object, key, json_deep_copy(value));
		}
	}
	return true;
}

json_t *config_edit_set(const json_t *root, const char *section, const char *name,
	const json_t *patch, struct config_error *err)
{
	json_t *copy = copy_with(root, section, err);
	const json_t *new_name = json_object_get(patch, "name");
	size_t at;
	json_t *object = get(copy, section, name, &at, err);

	if (!object)
		return refuse(copy);
	if (!json_is_object(patch)) {
		config_error_set(err, "a change of %s %s must be a mapping of fields",
			singular(section), name);
		return refuse(copy);
	}
	if (new_name && !json_equal(new_name, json_object_get(object, "name"))) {
		config_error_set(err,
			"the name of %s %s cannot be changed: remove it and add another",
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

json_t *config_edit_remove(
	const json_t *root, const char *section, const char *name, struct config_error *err)
{
	json_t *copy = copy_with(root, section, err);
	unsigned ports = 0;
	size_t at;

	if (!get(copy, section, name, &at, err))
		return refuse(copy);
	if (!strcmp(section, "networks") && port_in(copy, name, &ports)) {
		config_error_set(err,
			"network %s still has ports (%u, the first is %s): remove them first", name,
			ports, port_in(copy, name, &ports));
		return refuse(copy);
	}
	json_array_remove(json_object_get(copy, section), at);
	return copy;
}
