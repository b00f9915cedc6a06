#include "policy_sets.h"

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "policy_table.h"

/* What is in a set, in rising order. Shared by all policies in which it is the same. */
struct content {
	uint32_t refs;
	uint32_t version;
	unsigned n;
	struct addr_span spans[];
};

struct entry {
	uint16_t id;
	struct content *content;
	char name[CONFIG_NAME_MAX + 1];
};

struct policy_sets {
	uint32_t refs;
	unsigned n;
	struct entry *entries; /* by name */
	uint32_t *versions; /* by id */
	unsigned n_versions;
	struct set_index *index;
};

static int compare_spans(const void *a, const void *b)
{
	const struct addr_span *x = a, *y = b;

	if (!addr_equal(x->first, y->first))
		return addr_less(x->first, y->first) ? -1 : 1;
	if (!addr_equal(x->last, y->last))
		return addr_less(x->last, y->last) ? -1 : 1;
	return 0;
}

static const struct entry *find_entry(const struct policy_sets *sets, const char *name)
{
	unsigned low = 0, high = sets == NULL ? 0 : sets->n;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct entry *entry = &sets->entries[middle];
		int order = strcmp(name, entry->name);

		if (order == 0)
			return entry;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void content_release(struct content *content)
{
	if (content != NULL && --content->refs == 0)
		free(content);
}

/* The source's addresses, sorted, each once; before's where they are the same. */
static struct content *content_create(
	const struct policy_set_source *source, struct content *before)
{
	size_t size = source->n * sizeof(struct addr_span);
	struct content *content = malloc(sizeof(*content) + size);
	unsigned n = 0;

	if (content == NULL)
		return NULL;
	if (size > 0) {
		memcpy(content->spans, source->spans, size);
		qsort(content->spans, source->n, sizeof(struct addr_span), compare_spans);
	}
	for (unsigned i = 0; i < source->n; i++) {
		if (n == 0 || compare_spans(&content->spans[i], &content->spans[n - 1]) != 0)
			content->spans[n++] = content->spans[i];
	}
	if (before != NULL && before->n == n &&
		memcmp(before->spans, content->spans, n * sizeof(struct addr_span)) == 0) {
		free(content);
		before->refs++;
		return before;
	}
	content->refs = 1;
	content->version = policy_number();
	content->n = n;
	return content;
}

/* Entries with their contents and the ids of names that were there; the others have NO_SET. */
static bool fill(struct policy_sets *sets, const struct policy_set_source *sources, unsigned n,
	const struct policy_sets *before)
{
	for (; sets->n < n; sets->n++) {
		const struct policy_set_source *source = &sources[sets->n];
		const struct entry *old = find_entry(before, source->name);
		struct entry *entry = &sets->entries[sets->n];

		strncpy(entry->name, source->name, CONFIG_NAME_MAX);
		entry->id = old == NULL ? NO_SET : old->id;
		entry->content = content_create(source, old == NULL ? NULL : old->content);
		if (entry->content == NULL)
			return false;
	}
	return true;
}

/* Gives the new names ids that are free. */
static void number(struct policy_sets *sets, const struct policy_set_source *sources)
{
	bool used[SETS_MAX] = {false};
	uint16_t next = 0;

	for (unsigned i = 0; i < sets->n; i++) {
		if (sets->entries[i].id != NO_SET)
			used[sets->entries[i].id] = true;
	}
	for (unsigned i = 0; i < sets->n; i++) {
		struct entry *entry = &sets->entries[i];

		if (entry->id == NO_SET) {
			while (used[next])
				next++;
			entry->id = next++;
		}
		*sources[i].id = entry->id;
		if (sets->n_versions <= entry->id)
			sets->n_versions = entry->id + 1u;
	}
}

static bool list_versions(struct policy_sets *sets)
{
	sets->versions = calloc(sets->n_versions > 0 ? sets->n_versions : 1, sizeof(uint32_t));
	if (sets->versions == NULL)
		return false;
	for (unsigned i = 0; i < sets->n; i++)
		sets->versions[sets->entries[i].id] = sets->entries[i].content->version;
	return true;
}

static bool same(const struct policy_sets *a, const struct policy_sets *b)
{
	if (a == NULL || a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct entry *x = &a->entries[i], *y = &b->entries[i];

		if (x->content != y->content || x->id != y->id || strcmp(x->name, y->name) != 0)
			return false;
	}
	return true;
}

static bool make_index(struct policy_sets *sets, const char **why)
{
	struct set_member *members;
	size_t total = 0, n = 0;

	for (unsigned i = 0; i < sets->n; i++)
		total += sets->entries[i].content->n;
	if (total > SET_SPANS_MAX) {
		*why = "its sets and groups have more than 1048576 addresses in all";
		return false;
	}
	if (total == 0)
		return true;
	members = calloc(total, sizeof(*members));
	if (members == NULL)
		return false;
	for (unsigned i = 0; i < sets->n; i++) {
		const struct entry *entry = &sets->entries[i];

		for (unsigned j = 0; j < entry->content->n; j++)
			members[n++] = (struct set_member){entry->content->spans[j], entry->id};
	}
	sets->index = set_index_create(members, (unsigned)total);
	free(members);
	if (sets->index != NULL && set_index_most(sets->index) > SETS_PER_ADDRESS_MAX) {
		*why = "an address is in more than 64 of its sets and groups: leave it in fewer, "
		       "since every new connection looks through them";
		return false;
	}
	return sets->index != NULL;
}

struct policy_sets *policy_sets_create(const struct policy_set_source *sources, unsigned n,
	struct policy_sets *before, const char **why)
{
	struct policy_sets *sets = calloc(1, sizeof(*sets));

	*why = "out of memory";
	if (sets == NULL)
		return NULL;
	sets->refs = 1;
	if (n > SETS_MAX) {
		*why = "it has more than 8192 sets and groups";
		goto fail;
	}
	sets->entries = calloc(n > 0 ? n : 1, sizeof(*sets->entries));
	if (sets->entries == NULL || !fill(sets, sources, n, before))
		goto fail;
	number(sets, sources);
	if (same(before, sets)) {
		policy_sets_release(sets);
		before->refs++;
		return before;
	}
	if (list_versions(sets) && make_index(sets, why))
		return sets;
fail:
	policy_sets_release(sets);
	return NULL;
}

void policy_sets_release(struct policy_sets *sets)
{
	if (sets == NULL || --sets->refs > 0)
		return;
	for (unsigned i = 0; i < sets->n; i++)
		content_release(sets->entries[i].content);
	free(sets->entries);
	free(sets->versions);
	set_index_free(sets->index);
	free(sets);
}

uint16_t policy_sets_find(const struct policy_sets *sets, const char *name)
{
	const struct entry *entry = find_entry(sets, name);

	return entry == NULL ? NO_SET : entry->id;
}

uint32_t policy_sets_version(const struct policy_sets *sets, uint16_t id)
{
	return sets == NULL || id >= sets->n_versions ? 0 : sets->versions[id];
}

bool policy_sets_changed(const struct policy_sets_change *change, const uint16_t *ids, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (policy_sets_version(change->before, ids[i]) !=
			policy_sets_version(change->now, ids[i]))
			return true;
	}
	return false;
}

const struct set_index *policy_sets_index(const struct policy_sets *sets)
{
	return sets == NULL ? NULL : sets->index;
}
