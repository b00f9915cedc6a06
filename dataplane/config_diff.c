#include "config_diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "config_doc.h"

#define DEPTH_MAX 32 /* deeper than any document that config_doc reads */

struct diff {
	json_t *entries;
	char path[512];
	unsigned depth;
};

/* Adds PATH's change; NULL for a side that has no such value. */
static void add_entry(struct diff *diff, const json_t *from, const json_t *to)
{
	json_t *entry = json_object();

	json_object_set_new(entry, "path", json_string(diff->path));
	if (from)
		json_object_set_new(entry, "from", json_deep_copy(from));
	if (to)
		json_object_set_new(entry, "to", json_deep_copy(to));
	json_array_append_new(diff->entries, entry);
}

static void compare(struct diff *diff, const json_t *from, const json_t *to);

/* Compares the values called name, in the path's own way of writing: ".name" or "[name]". */
static void compare_at(struct diff *diff, const char *before, const char *name, const char *after,
	const json_t *from, const json_t *to)
{
	size_t len = strlen(diff->path);

	snprintf(diff->path + len, sizeof(diff->path) - len, "%s%s%s", before, name, after);
	compare(diff, from, to);
	diff->path[len] = '\0';
}

static void compare_objects(struct diff *diff, const json_t *from, const json_t *to)
{
	const char *dot = diff->path[0] ? "." : "";
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)from, key, value)
		compare_at(diff, dot, key, "", value, json_object_get(to, key));
	json_object_foreach ((json_t *)(uintptr_t)to, key, value)
		if (!json_object_get(from, key))
			compare_at(diff, dot, key, "", NULL, value);
}

/* All entries of list by their member `by`; NULL where one has none, or the same as another. */
static json_t *index_list(const json_t *list, const char *by)
{
	json_t *index = json_object();

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *item = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(item, by));

		if (!name || json_object_get(index, name)) {
			json_decref(index);
			return NULL;
		}
		json_object_set(index, name, item);
	}
	return index;
}

/* False: the lists' entries have no names to go by. */
static bool compare_named(struct diff *diff, const json_t *from, const json_t *to, const char *by)
{
	json_t *old = index_list(from, by), *new = index_list(to, by);
	bool named = old && new;
	const char *name;
	json_t *item;

	if (named) {
		json_object_foreach (old, name, item)
			compare_at(diff, "[", name, "]", item, json_object_get(new, name));
		json_object_foreach (new, name, item)
			if (!json_object_get(old, name))
				compare_at(diff, "[", name, "]", NULL, item);
	}
	json_decref(old);
	json_decref(new);
	return named;
}

static void compare(struct diff *diff, const json_t *from, const json_t *to)
{
	if (from && to && json_equal(from, to))
		return;
	if (diff->depth == DEPTH_MAX || !from || !to || json_typeof(from) != json_typeof(to)) {
		add_entry(diff, from, to);
		return;
	}
	diff->depth++;
	if (json_is_object(from))
		compare_objects(diff, from, to);
	else if (!json_is_array(from) ||
		 (!compare_named(diff, from, to, "name") && !compare_named(diff, from, to, "port")))
		add_entry(diff, from, to);
	diff->depth--;
}

json_t *config_diff(const json_t *from, const json_t *to)
{
	struct diff diff = {.entries = json_array()};

	compare(&diff, from, to);
	return diff.entries;
}

/* Text goes out bare where that cannot be misread, all else as JSON. */
static void print_value(const json_t *value, FILE *out)
{
	const char *text = json_string_value(value);
	json_t *read = text ? config_doc_plain_scalar(text, strlen(text)) : NULL;
	bool bare = json_is_string(read);

	json_decref(read);
	for (const char *c = text; bare && *c; c++)
		bare = *c > 0x20 && *c < 0x7f && *c != '"';
	if (bare)
		fputs(text, out);
	else
		json_dumpf(value, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
}

void config_diff_print(const json_t *diff, FILE *out)
{
	size_t i;
	json_t *entry;

	json_array_foreach (diff, i, entry) {
		const json_t *from = json_object_get(entry, "from");
		const json_t *to = json_object_get(entry, "to");

		fprintf(out, "%c %s: ",
			from && to ? '~'
			: from     ? '-'
				   : '+',
			json_string_value(json_object_get(entry, "path")));
		if (from)
			print_value(from, out);
		if (from && to)
			fputs(" -> ", out);
		if (to)
			print_value(to, out);
		fputc('\n', out);
	}
}
