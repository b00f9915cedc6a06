#include "settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "config_doc.h"
#include "config_rule_types.h"
#include "config_types.h"
#include "config_uplinks.h"

#define KEY_PARTS_MAX 4

static const struct config_field *find_field(
	const struct config_table *table, const char *name, size_t len)
{
	if (table == NULL)
		return NULL;
	for (const struct config_field *field = table->fields; field->name != NULL; field++) {
		if (strlen(field->name) == len && memcmp(field->name, name, len) == 0)
			return field;
	}
	return NULL;
}

/* A name of digits is still a name; only where a field takes other things does a text mean one. */
static json_t *scalar(const struct config_field *field, const char *text, size_t len)
{
	if (field == NULL || field->type == &config_type_boolean ||
		field->type == &config_type_number || field->type == &config_type_choice ||
		field->type == &config_type_microseconds || field->type == &config_type_seconds ||
		field->type == &config_type_ports || field->type == &config_type_protocol ||
		field->type == &config_type_ethertype)
		return config_doc_plain_scalar(text, len);
	return json_stringn(text, len);
}

/* An object in a list is given by its first field alone. */
static json_t *item_of(const struct config_field *field, const char *text, size_t len)
{
	json_t *object;

	if (field->table == NULL)
		return scalar(field, text, len);
	object = json_object();
	json_object_set_new(
		object, field->table->fields[0].name, scalar(&field->table->fields[0], text, len));
	return object;
}

/* Where the item that text begins with ends. A device has commas of its own, before arguments. */
static size_t item_len(const struct config_field *field, const char *text)
{
	size_t len = strcspn(text, ",");

	while (field->type == &config_type_device && text[len] != '\0' &&
		!config_device_is_one(text + len + 1))
		len += 1 + strcspn(text + len + 1, ",");
	return len;
}

/* Lists and objects may be written as in the configuration file, too: [...] and {...}. */
static bool is_flow(const struct config_field *field, const char *text)
{
	return field != NULL && (field->list_max != 0 || field->table != NULL) &&
	       (text[0] == '[' || text[0] == '{');
}

/* NULL with err. */
static json_t *flow(const char *text, char *err, size_t err_len)
{
	struct config_report report;
	struct config_doc *doc;
	json_t *value;

	config_report_init(&report);
	doc = config_doc_from_yaml("value", text, strlen(text), &report);
	if (doc == NULL) {
		snprintf(err, err_len, "`%.128s`: %.100s", text, report.messages[0].text);
		return NULL;
	}
	value = json_incref((json_t *)(uintptr_t)config_doc_root(doc));
	config_doc_free(doc);
	return value;
}

/* NULL with err. */
static json_t *value_of(
	const struct config_field *field, const char *text, char *err, size_t err_len)
{
	json_t *list;

	if (text[0] == '\0')
		return json_null();
	if (is_flow(field, text))
		return flow(text, err, err_len);
	if (field == NULL || field->list_max == 0)
		return scalar(field, text, strlen(text));
	list = json_array();
	for (;;) {
		size_t len = item_len(field, text);

		json_array_append_new(list, item_of(field, text, len));
		if (text[len] == '\0')
			return list;
		text += len + 1;
	}
}

/* Puts one setting into patch. False with err. */
static bool put(json_t *patch, const struct config_table *table, const char *key, const char *text,
	char *err, size_t err_len)
{
	const char *part = key;
	char name[CONFIG_DOC_KEY_MAX + 1];

	for (int depth = 0; depth < KEY_PARTS_MAX; depth++) {
		size_t len = strcspn(part, ".");
		const struct config_field *field = find_field(table, part, len);
		json_t *inner;

		if (len == 0 || len >= sizeof(name))
			break;
		memcpy(name, part, len);
		name[len] = '\0';
		inner = json_object_get(patch, name);
		if (part[len] == '\0' && inner == NULL)
			return json_object_set_new(
				       patch, name, value_of(field, text, err, err_len)) == 0;
		if (part[len] == '\0' || (inner != NULL && !json_is_object(inner))) {
			snprintf(err, err_len, "%.128s is given together with fields inside it",
				key);
			return false;
		}
		if (inner == NULL) {
			inner = json_object();
			json_object_set_new(patch, name, inner);
		}
		patch = inner;
		table = field == NULL ? NULL : field->table;
		part += len + 1;
	}
	snprintf(err, err_len,
		"`%.128s` is no field: give its name, with dots into an object, such as "
		"vhost-user.queues",
		key);
	return false;
}

json_t *settings_patch(
	const struct config_table *table, const json_t *settings, char *err, size_t err_len)
{
	json_t *patch = json_object(), *value;
	const char *key;

	snprintf(err, err_len, "out of memory");
	json_object_foreach ((json_t *)(uintptr_t)settings, key, value) {
		if (!put(patch, table, key, json_string_value(value), err, err_len)) {
			json_decref(patch);
			return NULL;
		}
	}
	return patch;
}
