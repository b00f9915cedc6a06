#include "config_diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "config_doc.h"

#define DEPTH_MAX 32 /* deeper than any document that config_doc reads */
#define KEY_MAX   160 /* longer names are no names */

struct diff {
	json_t *entries;
	char path[512];
	unsigned depth;
};

/* Adds PATH's change; NULL for a side that has no such value. Documents never change: no copies. */
static void add_entry(struct diff *diff, const json_t *from, const json_t *to)
{
	json_t *entry = json_object();

	json_object_set_new(entry, "path", json_string(diff->path));
	if (from)
		json_object_set(entry, "from", (json_t *)(uintptr_t)from);
	if (to)
		json_object_set(entry, "to", (json_t *)(uintptr_t)to);
	json_array_append_new(diff->entries, entry);
}

static void compare(struct diff *diff, const char *name, const json_t *from, const json_t *to);

/* Compares the values called name, in the path's own way of writing: ".name" or "[name]". */
static void compare_at(struct diff *diff, const char *before, const char *name, const char *after,
	const json_t *from, const json_t *to)
{
	size_t len = strlen(diff->path);

	snprintf(diff->path + len, sizeof(diff->path) - len, "%s%s%s", before, name, after);
	compare(diff, name, from, to);
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

/* What a list's entry is called in a path; false where it has no name. */
typedef bool key_fn(const json_t *item, char key[KEY_MAX]);

static bool by_member(const json_t *item, const char *member, char key[KEY_MAX])
{
	const char *name = json_string_value(json_object_get(item, member));

	return name && snprintf(key, KEY_MAX, "%s", name) < KEY_MAX;
}

static bool by_name(const json_t *item, char key[KEY_MAX])
{
	return by_member(item, "name", key);
}

static bool by_port(const json_t *item, char key[KEY_MAX])
{
	return by_member(item, "port", key);
}

static bool by_entry(const json_t *item, char key[KEY_MAX])
{
	return by_member(item, "tenant", key);
}

/* Two tenants may use the same name. */
static bool by_tenant(const json_t *item, char key[KEY_MAX])
{
	const char *tenant = json_string_value(json_object_get(item, "tenant"));
	const char *name = json_string_value(json_object_get(item, "name"));

	return tenant && name && snprintf(key, KEY_MAX, "%s/%s", tenant, name) < KEY_MAX;
}

static bool by_text(const json_t *item, char key[KEY_MAX])
{
	return json_is_string(item) &&
	       snprintf(key, KEY_MAX, "%s", json_string_value(item)) < KEY_MAX;
}

/* All entries of list by their key; NULL where one has none, or the same as another. */
static json_t *index_list(const json_t *list, key_fn *key_of)
{
	json_t *index = json_object();
	char key[KEY_MAX];

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *item = json_array_get(list, i);

		if (!key_of(item, key) || json_object_get(index, key)) {
			json_decref(index);
			return NULL;
		}
		json_object_set(index, key, item);
	}
	return index;
}

/* False: the lists' entries have no such keys to go by. */
static bool compare_keyed(struct diff *diff, const json_t *from, const json_t *to, key_fn *key_of)
{
	json_t *old = index_list(from, key_of), *new = old ? index_list(to, key_of) : NULL;
	const char *key;
	json_t *item;

	if (new) {
		json_object_foreach (old, key, item)
			compare_at(diff, "[", key, "]", item, json_object_get(new, key));
		json_object_foreach (new, key, item)
			if (!json_object_get(old, key))
				compare_at(diff, "[", key, "]", NULL, item);
	}
	json_decref(old);
	json_decref(new);
	return new;
}

static void compare_position(
	struct diff *diff, size_t position, const json_t *from, const json_t *to)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", position);
	compare_at(diff, "[", text, "]", from, to);
}

/* Lists whose order matters: what is equal at both ends stays, what lies between is exchanged. */
static void compare_ordered(struct diff *diff, const json_t *from, const json_t *to)
{
	size_t n = json_array_size(from), m = json_array_size(to), same = 0;

	while (same < n && same < m &&
		json_equal(json_array_get(from, same), json_array_get(to, same)))
		same++;
	while (n > same && m > same &&
		json_equal(json_array_get(from, n - 1), json_array_get(to, m - 1))) {
		n--;
		m--;
	}
	if (n == m) {
		for (; same < n; same++)
			compare_position(
				diff, same, json_array_get(from, same), json_array_get(to, same));
		return;
	}
	for (size_t i = same; i < n; i++)
		compare_position(diff, i, json_array_get(from, i), NULL);
	for (size_t i = same; i < m; i++)
		compare_position(diff, i, NULL, json_array_get(to, i));
}

static void compare_lists(struct diff *diff, const char *name, const json_t *from, const json_t *to)
{
	bool tenants = !strcmp(name, "groups") || !strcmp(name, "sets");

	if (!strcmp(name, "rules") || !strcmp(name, "overrides")) {
		compare_ordered(diff, from, to);
		return;
	}
	if (!strcmp(name, "inspection") && compare_keyed(diff, from, to, by_entry))
		return;
	if (!strcmp(name, "addresses") &&
		(json_equal(from, to) || compare_keyed(diff, from, to, by_text)))
		return;
	if (!compare_keyed(diff, from, to, tenants ? by_tenant : by_name) &&
		!compare_keyed(diff, from, to, by_port) && !json_equal(from, to))
		add_entry(diff, from, to);
}

/* name: of the list or field, for the way its items are held against each other. */
static void compare(struct diff *diff, const char *name, const json_t *from, const json_t *to)
{
	if (from && from == to)
		return;
	if (diff->depth == DEPTH_MAX || !from || !to || json_typeof(from) != json_typeof(to) ||
		(!json_is_object(from) && !json_is_array(from))) {
		if (!from || !to || !json_equal(from, to))
			add_entry(diff, from, to);
		return;
	}
	diff->depth++;
	if (json_is_object(from))
		compare_objects(diff, from, to);
	else
		compare_lists(diff, name, from, to);
	diff->depth--;
}

json_t *config_diff(const json_t *from, const json_t *to)
{
	struct diff diff = {.entries = json_array()};

	compare(&diff, "", from, to);
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
