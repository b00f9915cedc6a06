/*
 * The other way round of config_schema.c: objects of the configuration as documents.
 */
#include "config_schema.h"

#include <string.h>

static void *member(const void *object, size_t offset)
{
	return (char *)(uintptr_t)object + offset;
}

/* An object that may be like another, encoded before; NULLs: there is none. */
struct like {
	const void *object;
	const json_t *json;
};

static json_t *encode_like(
	const struct config_table *table, const void *object, const struct like *like);

/* A dynamic list's items, or a list's own. */
static const char *items_of(const struct config_field *field, const void *object)
{
	char *items = object ? member(object, field->offset) : NULL;

	return items && field->dynamic ? *(char **)(void *)items : items;
}

static unsigned count_of(const struct config_field *field, const void *object)
{
	return object ? *(const unsigned *)member(object, field->count_offset) : 0;
}

/* Bytes of an item that say which one it is: those ahead of what it points to. */
static size_t identity(const struct config_field *field)
{
	for (const struct config_field *f = field->table ? field->table->fields : NULL;
		f && f->name; f++)
		if (f->dynamic)
			return f->offset;
	return field->size;
}

/* The item of the list before at the same distance from its start, or its end; NULL: neither. */
static const char *counterpart(const struct config_field *field, const char *item, unsigned i,
	unsigned n, const struct like *like, unsigned *at)
{
	const char *items = items_of(field, like->object);
	unsigned before = count_of(field, like->object);
	size_t len = identity(field);

	*at = i;
	if (i < before && !memcmp(items + i * field->size, item, len))
		return items + i * field->size;
	*at = before - (n - i);
	if (n - i <= before && !memcmp(items + *at * field->size, item, len))
		return items + *at * field->size;
	return NULL;
}

static json_t *encode_item(const struct config_field *field, const char *items, unsigned i,
	unsigned n, const struct like *list)
{
	const char *item = items + i * field->size;
	struct like like = {0};
	unsigned at;

	like.object = list->json ? counterpart(field, item, i, n, list, &at) : NULL;
	like.json = like.object ? json_array_get(list->json, at) : NULL;
	if (like.json && identity(field) == field->size)
		return json_incref((json_t *)(uintptr_t)like.json);
	return field->table ? encode_like(field->table, item, &like)
			    : field->type->encode(field, item);
}

static json_t *encode_list(
	const struct config_field *field, const void *object, const struct like *like)
{
	const char *items = items_of(field, object);
	unsigned count = count_of(field, object);
	struct like list = {like->object, json_object_get(like->json, field->name)};
	json_t *json = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(json, encode_item(field, items, i, count, &list));
	return json;
}

static json_t *encode_map(const struct config_field *field, const void *object)
{
	const char *item = items_of(field, object);
	json_t *json = json_object();

	for (unsigned i = 0; i < count_of(field, object); i++, item += field->size)
		json_object_set_new(
			json, item, field->type->encode(field, item + field->map_offset));
	return json;
}

static json_t *encode_like(
	const struct config_table *table, const void *object, const struct like *like)
{
	json_t *value = json_object();

	for (const struct config_field *f = table->fields; f->name; f++) {
		json_t *item;

		if (f->present && !f->present(object))
			continue;
		item = f->map_offset ? encode_map(f, object)
		       : f->list_max ? encode_list(f, object, like)
				     : f->type->encode(f, member(object, f->offset));
		if (item)
			json_object_set_new(value, f->name, item);
	}
	return value;
}

json_t *config_schema_encode(const struct config_table *table, const void *object)
{
	return encode_like(table, object, &(struct like){0});
}

json_t *config_schema_encode_like(
	const struct config_table *table, const void *object, const void *like, const json_t *json)
{
	return encode_like(table, object, &(struct like){like, json});
}
