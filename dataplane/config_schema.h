/*
 * Objects of the configuration as tables of fields. One walk over a table decodes an object and
 * names every fault, another encodes it; the manual page is held against the same tables. Used by
 * the config_* modules; no DPDK here.
 */
#ifndef VS_CONFIG_SCHEMA_H
#define VS_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "config_context.h"

struct config_field;

/* What a field holds: how text becomes a value and back. */
struct config_type {
	/* Stores value at to. False: a fault was reported, *to is as it was. */
	bool (*decode)(struct config_context *context, const struct config_field *field,
		const json_t *value, void *to);
	/* A new reference; NULL: there is nothing to write (no value is set). */
	json_t *(*encode)(const struct config_field *field, const void *from);
	/* Stores the field's default at to, which holds zeros; NULL: zeros it is. */
	void (*reset)(const struct config_field *field, void *to);
};

struct config_table {
	const char *what; /* "a port" */
	const struct config_field *fields; /* up to one without a name */
	void (*defaults)(void *object); /* those that are no number, choice or text; may be NULL */
};

struct config_field {
	const char *name;
	const struct config_type *type;
	const char *help; /* what it is, for messages about its absence */
	const struct config_table *table; /* type object: its fields */
	const char *const *choices; /* type choice: words by value, up to NULL */
	int64_t min, max; /* numbers; text: max is the longest */
	int64_t value; /* default of a number or choice */
	const char *text; /* default of a text */
	size_t offset, size; /* of the member; of one item in a list */
	size_t count_offset; /* list: of its unsigned count; a MAC: of the bool that says it is set
			      */
	unsigned list_max; /* list: items at the most; 0: no list */
	bool dynamic; /* list: the member points to the items, which config_schema_free() frees */
	bool single; /* list: one item may stand for a list of it */
	size_t map_offset; /* list: a mapping in the document. An item begins with its name, of
			      CONFIG_NAME_MAX, and has its value there; 0: an ordinary list */
	bool bare; /* "name:" with nothing behind it means the default */
	bool required;
	bool (*present)(const void *object); /* encode only if so; NULL: always */
};

/* For tables. Where in its object a field's value lies ... */
#define CONFIG_AT(object, member)                                                                  \
	.offset = offsetof(object, member), .size = sizeof(((object *)0)->member)

#define CONFIG_ITEM_SIZE(object, member) sizeof(((object *)0)->member[0])

/* ... a list of values with its count ... */
#define CONFIG_LIST(object, member, count)                                                         \
	.offset = offsetof(object, member), .size = CONFIG_ITEM_SIZE(object, member),              \
	.list_max = sizeof(((object *)0)->member) / CONFIG_ITEM_SIZE(object, member),              \
	.count_offset = offsetof(object, count)

/* ... and a dynamic list of up to max. */
#define CONFIG_ITEMS(object, member, count, max)                                                   \
	.offset = offsetof(object, member), .size = CONFIG_ITEM_SIZE(object, member),              \
	.list_max = (max), .count_offset = offsetof(object, count), .dynamic = true

extern const struct config_type config_type_object;

/* Gives every field of object, which holds zeros, its default; lists stay empty but for those that
 * the table's own function fills. */
void config_schema_defaults(const struct config_table *table, void *object);

/* Frees what dynamic lists in object hold, not object itself. */
void config_schema_free(const struct config_table *table, void *object);

/* Decodes value over the defaults that object holds; faults go to the context's report. */
void config_schema_decode(struct config_context *context, const struct config_table *table,
	const json_t *value, void *object);

/* Reports the members of value that are no fields of table; config_schema_decode() does it too. */
void config_schema_unknown(
	struct config_context *context, const struct config_table *table, const json_t *value);

/* The caller owns the reference. */
json_t *config_schema_encode(const struct config_table *table, const void *object);

/* The same; json, which is what the object `like` encodes to, gives its equal parts to it. */
json_t *config_schema_encode_like(
	const struct config_table *table, const void *object, const void *like, const json_t *json);

/* The name among table's that the user may have meant; NULL if none is near. */
const char *config_schema_nearest(const struct config_table *table, const char *name);

/* Whether somebody who wrote name may have meant other. */
bool config_schema_near(const char *name, const char *other);

/* "text", "a list" and so on, for messages. */
const char *config_schema_kind(const json_t *value);

#endif
