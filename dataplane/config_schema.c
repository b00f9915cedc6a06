#include "config_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_types.h"

#define FIELDS_MAX      32 /* of a table */
#define NAME_LENGTH_MAX 24 /* longer words are near to no field's name */

static void *member(const void *object, size_t offset)
{
	return (char *)(uintptr_t)object + offset;
}

const char *config_schema_kind(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_NULL:
		return "nothing";
	default:
		return "true or false";
	}
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits that turn a into b (Levenshtein); 99 where one of them is too long to be a field's name. */
static unsigned distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned row[NAME_LENGTH_MAX + 1];

	if (na > NAME_LENGTH_MAX || nb > NAME_LENGTH_MAX)
		return 99;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned up = row[j];

			row[j] = min3(up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[nb];
}

const char *config_schema_nearest(const struct config_table *table, const char *name)
{
	unsigned best = strlen(name) > 4 ? 3 : 2; /* fewer edits than this */
	const char *nearest = NULL;

	for (const struct config_field *f = table->fields; f->name; f++) {
		unsigned d = distance(name, f->name);

		if (d < best) {
			best = d;
			nearest = f->name;
		}
	}
	return nearest;
}

bool config_schema_near(const char *name, const char *other)
{
	return distance(name, other) < (strlen(name) > 4 ? 3u : 2u);
}

static const struct config_field *find_field(const struct config_table *table, const char *name)
{
	for (const struct config_field *f = table->fields; f->name; f++)
		if (f->name[0] == name[0] && !strcmp(f->name, name))
			return f;
	return NULL;
}

static void unknown_field(
	struct config_context *context, const struct config_table *table, const char *name)
{
	const char *nearest = config_schema_nearest(table, name);
	char known[320];
	size_t len = 0;

	for (const struct config_field *f = table->fields; f->name && len < sizeof(known); f++)
		len += (size_t)snprintf(
			known + len, sizeof(known) - len, "%s%s", len ? ", " : "", f->name);
	if (nearest)
		config_context_error(context, "unknown field; did you mean \"%s\"? Known are %s",
			nearest, known);
	else
		config_context_error(context, "unknown field; known are %s", known);
}

void config_schema_unknown(
	struct config_context *context, const struct config_table *table, const json_t *value)
{
	const char *key;
	json_t *item;

	json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
		size_t mark;

		if (find_field(table, key))
			continue;
		mark = config_context_member(context, key);
		unknown_field(context, table, key);
		config_context_leave(context, mark);
	}
}

static void twice(struct config_context *context)
{
	config_context_error(context, "is in the list twice: remove one");
}

static bool list_has(
	const struct config_field *field, const char *items, unsigned n, const char *item)
{
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(items + i * field->size, item, field->size))
			return true;
	return false;
}

static int compare_items(const void *a, const void *b, void *size)
{
	const char *const *x = a, *const *y = b;
	int order = memcmp(*x, *y, *(const size_t *)size);

	return order ? order : (*x > *y) - (*x < *y);
}

/* The same for a long list, whose items may not be held each against each. */
static void find_twice(struct config_context *context, const struct config_field *field,
	const char *items, unsigned n)
{
	size_t size = field->size;
	const char **sorted = malloc(n * sizeof(*sorted));

	if (!sorted) {
		config_context_error(context, "out of memory");
		return;
	}
	for (unsigned i = 0; i < n; i++)
		sorted[i] = items + i * size;
	qsort_r(sorted, n, sizeof(*sorted), compare_items, &size);
	for (unsigned i = 1; i < n; i++) {
		size_t mark;

		if (memcmp(sorted[i - 1], sorted[i], size))
			continue;
		mark = config_context_item(context, (size_t)(sorted[i] - items) / size);
		twice(context);
		config_context_leave(context, mark);
	}
	free(sorted);
}

/* Room for n items, emptied; NULL: there is none. */
static char *list_room(const struct config_field *field, void *object, size_t n)
{
	char *items = member(object, field->offset);

	if (!field->dynamic) {
		memset(items, 0, field->size * field->list_max);
		return items;
	}
	items = calloc(n, field->size);
	*(char **)member(object, field->offset) = items;
	return items;
}

static void decode_item(struct config_context *context, const struct config_field *field,
	const json_t *value, char *items, unsigned *count)
{
	char *item = items + *count * field->size;

	if (field->table)
		config_schema_defaults(field->table, item);
	if (!field->type->decode(context, field, value, item))
		return;
	if (!field->table && !field->dynamic && list_has(field, items, *count, item))
		twice(context);
	++*count;
}

static void decode_items(struct config_context *context, const struct config_field *field,
	const json_t *value, void *object)
{
	unsigned *count = member(object, field->count_offset);
	size_t n = json_array_size(value);
	char *items;

	if (n > field->list_max) {
		config_context_error(context,
			field->table ? "has %zu entries: at most %u are taken"
				     : "has %zu items: at most %u are taken",
			n, field->list_max);
		n = field->list_max;
	}
	*count = 0;
	items = list_room(field, object, n);
	if (n == 0)
		return;
	if (!items) {
		config_context_error(context, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		size_t mark = config_context_item(context, i);

		decode_item(context, field, json_array_get(value, i), items, count);
		config_context_leave(context, mark);
	}
	if (field->dynamic && !field->table && *count == n) /* all right: indices are the file's */
		find_twice(context, field, items, *count);
}

static void decode_member(struct config_context *context, const struct config_field *field,
	const char *key, const json_t *value, char *items, unsigned *count)
{
	static const struct config_field name = {.name = "name", .max = CONFIG_NAME_MAX};
	char *item = items + *count * field->size;
	json_t *text = json_string(key);

	if (config_type_name.decode(context, &name, text, item) &&
		field->type->decode(context, field, value, item + field->map_offset))
		++*count;
	json_decref(text);
}

static void decode_map(struct config_context *context, const struct config_field *field,
	const json_t *value, void *object)
{
	unsigned *count = member(object, field->count_offset);
	const char *key;
	char *items;
	json_t *item;

	if (!json_is_object(value)) {
		config_context_error(context, "must be a mapping, such as {NAME: VALUE}, not %s",
			config_schema_kind(value));
		return;
	}
	if (json_object_size(value) > field->list_max) {
		config_context_error(context, "has %zu names: at most %u are taken",
			json_object_size(value), field->list_max);
		return;
	}
	items = list_room(field, object, json_object_size(value) + 1);
	if (!items) {
		config_context_error(context, "out of memory");
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
		size_t mark = config_context_member(context, key);

		decode_member(context, field, key, item, items, count);
		config_context_leave(context, mark);
	}
}

static void decode_list(struct config_context *context, const struct config_field *field,
	const json_t *value, void *object)
{
	if (json_is_array(value)) {
		decode_items(context, field, value, object);
	} else if (field->single) {
		json_t *list = json_array();

		json_array_append(list, (json_t *)(uintptr_t)value);
		decode_items(context, field, list, object);
		json_decref(list);
	} else {
		config_context_error(context,
			field->table ? "must be a list, each entry with a dash, not %s"
				     : "must be a list, such as [a, b], not %s",
			config_schema_kind(value));
	}
}

static void decode_field(struct config_context *context, const struct config_field *field,
	const json_t *value, void *object)
{
	if (json_is_null(value)) {
		if (!field->bare)
			config_context_error(context,
				"has no value: give %s, or leave the field out", field->help);
		return;
	}
	if (field->map_offset)
		decode_map(context, field, value, object);
	else if (field->list_max)
		decode_list(context, field, value, object);
	else if (field->type->decode(context, field, value, member(object, field->offset)) &&
		 field->count_offset)
		*(bool *)member(object, field->count_offset) = true;
}

void config_schema_defaults(const struct config_table *table, void *object)
{
	for (const struct config_field *f = table->fields; f->name; f++)
		if (!f->list_max && f->type->reset)
			f->type->reset(f, member(object, f->offset));
	if (table->defaults)
		table->defaults(object);
}

static void free_list(const struct config_field *field, void *object)
{
	char *items = *(char **)member(object, field->offset);
	unsigned count = *(unsigned *)member(object, field->count_offset);

	for (unsigned i = 0; field->table && i < count; i++)
		config_schema_free(field->table, items + i * field->size);
	free(items);
}

void config_schema_free(const struct config_table *table, void *object)
{
	for (const struct config_field *f = table->fields; f->name; f++)
		if (f->dynamic)
			free_list(f, object);
		else if (f->table && !f->list_max)
			config_schema_free(f->table, member(object, f->offset));
}

/* The values of an object's fields, in the table's order; false: it has others, too. */
static bool find_values(
	const struct config_table *table, const json_t *value, const json_t *values[FIELDS_MAX])
{
	bool known = true;
	const char *key;
	json_t *item;

	json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
		const struct config_field *field = find_field(table, key);

		if (field && field - table->fields < FIELDS_MAX)
			values[field - table->fields] = item;
		else
			known = false;
	}
	return known;
}

void config_schema_decode(struct config_context *context, const struct config_table *table,
	const json_t *value, void *object)
{
	const json_t *values[FIELDS_MAX] = {0};
	bool known;

	if (!json_is_object(value)) {
		config_context_error(context, "must be a mapping of the fields of %s, not %s",
			table->what, config_schema_kind(value));
		return;
	}
	known = find_values(table, value, values);
	for (const struct config_field *f = table->fields; f->name; f++) {
		const json_t *item = values[f - table->fields];
		size_t mark;

		if (!item && f->required)
			config_context_error(
				context, "field \"%s\" is missing: give %s", f->name, f->help);
		if (!item)
			continue;
		mark = config_context_member(context, f->name);
		decode_field(context, f, item, object);
		config_context_leave(context, mark);
	}
	if (!known)
		config_schema_unknown(context, table, value);
}

static bool decode_object(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	config_schema_decode(context, field->table, value, to);
	return true;
}

static json_t *encode_object(const struct config_field *field, const void *from)
{
	return config_schema_encode(field->table, from);
}

static void reset_object(const struct config_field *field, void *to)
{
	config_schema_defaults(field->table, to);
}

const struct config_type config_type_object = {decode_object, encode_object, reset_object};
