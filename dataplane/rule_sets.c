#include "rule_sets.h"

#include <stdlib.h>
#include <string.h>

/* A page of rules that name the same set. */
struct rule_page {
	uint32_t id; /* of the page */
	uint32_t place; /* in the row of all rules */
};

struct rule_sets {
	unsigned n, n_pages;
	uint16_t *ids; /* that rules name, rising */
	uint32_t *starts; /* in pages; one more than ids */
	struct rule_page *pages;
};

static int by_set(const void *a, const void *b)
{
	const struct rule_set *x = a, *y = b;

	return x->set != y->set ? (int)x->set - (int)y->set : (int)x->rule - (int)y->rule;
}

static bool same_set(const struct rule_set *a, const struct rule_set *b)
{
	return a->set == b->set;
}

static bool same_page(const struct rule_set *a, const struct rule_set *b)
{
	return same_set(a, b) && a->rule / BIT_PAGE_BITS == b->rule / BIT_PAGE_BITS;
}

/* Takes the rules from names[from] on that are of the same page; returns where these end. */
static unsigned take_page(
	const struct rule_set *names, unsigned n, unsigned from, struct bit_page *page)
{
	unsigned i = from;

	memset(page, 0, sizeof(*page));
	while (i < n && same_page(&names[i], &names[from])) {
		unsigned bit = names[i++].rule % BIT_PAGE_BITS;

		page->words[bit / 64] |= UINT64_C(1) << bit % 64;
	}
	return i;
}

static bool fill(
	struct rule_sets *sets, const struct rule_set *names, unsigned n, struct bit_pages *pages)
{
	struct bit_page page;
	unsigned set = 0, to = 0;

	for (unsigned i = 0, end; i < n; i = end) {
		if (i == 0 || !same_set(&names[i], &names[i - 1])) {
			sets->ids[set] = names[i].set;
			sets->starts[set++] = to;
		}
		end = take_page(names, n, i, &page);
		sets->pages[to].place = names[i].rule / BIT_PAGE_BITS;
		sets->pages[to].id = bit_pages_intern_page(pages, &page);
		if (sets->pages[to++].id == BIT_PAGES_NONE)
			return false;
	}
	sets->starts[set] = to;
	return true;
}

struct rule_sets *rule_sets_create(struct rule_set *names, unsigned n, struct bit_pages *pages)
{
	struct rule_sets *sets = calloc(1, sizeof(*sets));

	if (sets == NULL)
		return NULL;
	if (n > 0)
		qsort(names, n, sizeof(*names), by_set);
	for (unsigned i = 0; i < n; i++) {
		sets->n += i == 0 || !same_set(&names[i], &names[i - 1]);
		sets->n_pages += i == 0 || !same_page(&names[i], &names[i - 1]);
	}
	sets->ids = calloc((size_t)sets->n + 1, sizeof(*sets->ids));
	sets->starts = calloc((size_t)sets->n + 1, sizeof(*sets->starts));
	sets->pages = calloc((size_t)sets->n_pages + 1, sizeof(*sets->pages));
	if (sets->ids == NULL || sets->starts == NULL || sets->pages == NULL ||
		!fill(sets, names, n, pages)) {
		rule_sets_free(sets);
		return NULL;
	}
	return sets;
}

void rule_sets_free(struct rule_sets *sets)
{
	if (sets == NULL)
		return;
	free(sets->ids);
	free(sets->starts);
	free(sets->pages);
	free(sets);
}

/* Where id is among n rising ones, n at least 1; UINT32_MAX: it is not. */
static uint32_t position(const uint16_t *ids, unsigned n, uint16_t id)
{
	const uint16_t *at = ids;

	while (n > 1) {
		unsigned half = n / 2;

		at += half & -(unsigned)(at[half] <= id);
		n -= half;
	}
	return *at == id ? (uint32_t)(at - ids) : UINT32_MAX;
}

struct collector {
	const struct bit_page *pages;
	const uint32_t *row;
	unsigned n_row;
	struct bit_page *found;
	bool any;
};

static void collect(struct collector *c, const struct rule_sets *sets, uint32_t set)
{
	for (uint32_t i = sets->starts[set]; i < sets->starts[set + 1]; i++) {
		const struct bit_page *from = &c->pages[sets->pages[i].id];
		struct bit_page *to = &c->found[sets->pages[i].place];

		/* Other conditions leave nothing there: a likely cache miss less. */
		if (c->row[sets->pages[i].place] == 0)
			continue;
		if (!c->any)
			memset(c->found, 0, c->n_row * sizeof(*c->found));
		c->any = true;
		for (unsigned w = 0; w < BIT_PAGE_WORDS; w++)
			to->words[w] |= from->words[w];
	}
}

bool rule_sets_collect(const struct rule_sets *sets, const struct set_list *list,
	const struct bit_page *pages, const uint32_t *row, unsigned n_row, struct bit_page *found)
{
	struct collector c = {.pages = pages, .row = row, .n_row = n_row, .found = found};
	uint32_t at;

	if (list == NULL || list->n == 0 || sets->n == 0)
		return false;
	if (list->n <= sets->n) {
		for (unsigned i = 0; i < list->n; i++) {
			at = position(sets->ids, sets->n, list->ids[i]);
			if (at != UINT32_MAX)
				collect(&c, sets, at);
		}
	} else {
		for (uint32_t i = 0; i < sets->n; i++) {
			if (position(list->ids, list->n, sets->ids[i]) != UINT32_MAX)
				collect(&c, sets, i);
		}
	}
	return c.any;
}

size_t rule_sets_size(const struct rule_sets *sets)
{
	return sizeof(*sets) + sets->n * (sizeof(*sets->ids) + sizeof(*sets->starts)) +
	       sizeof(*sets->starts) + sets->n_pages * sizeof(*sets->pages);
}
