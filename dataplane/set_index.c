#include "set_index.h"

#include <stdbool.h>
#include <stdlib.h>

#include "bit_pages.h"
#include "span_map.h"

struct set_index {
	struct span_map *map; /* to the numbers of lists */
	uint32_t *starts; /* of the lists in words */
	uint16_t *words; /* struct set_list, one behind the other */
	unsigned most; /* ids in a list */
};

static unsigned row_members(const uint32_t *row, unsigned n_pages, const struct bit_page *pages)
{
	unsigned n = 0;

	for (unsigned p = 0; p < n_pages; p++) {
		if (row[p] == 0)
			continue;
		for (unsigned i = 0; i < BIT_PAGE_WORDS; i++)
			n += (unsigned)__builtin_popcountll(pages[row[p]].words[i]);
	}
	return n;
}

static void write_list(
	const uint32_t *row, unsigned n_pages, const struct bit_page *pages, struct set_list *list)
{
	for (unsigned p = 0; p < n_pages; p++) {
		if (row[p] == 0)
			continue;
		for (unsigned i = 0; i < BIT_PAGE_WORDS; i++) {
			uint64_t word = pages[row[p]].words[i];

			for (; word != 0; word &= word - 1)
				list->ids[list->n++] = (uint16_t)(p * BIT_PAGE_BITS + i * 64 +
								  (unsigned)__builtin_ctzll(word));
		}
	}
}

/* A list for each row. */
static bool make_lists(struct set_index *index, const struct bit_pages *rows)
{
	unsigned n = bit_pages_row_count(rows), n_pages = bit_pages_row_pages(rows);
	const struct bit_page *pages = bit_pages_pages(rows);
	const uint32_t *row = bit_pages_rows(rows);
	uint64_t words = 0, ids = 0;

	index->starts = calloc(n, sizeof(*index->starts));
	if (index->starts == NULL)
		return false;
	for (unsigned i = 0; i < n; i++) {
		unsigned members = row_members(row + (size_t)i * n_pages, n_pages, pages);

		if (members > index->most)
			index->most = members;
		index->starts[i] = (uint32_t)words;
		ids += members;
		words += members + 1;
		if (ids > SET_LISTS_MAX)
			return false;
	}
	index->words = calloc(words, sizeof(*index->words));
	if (index->words == NULL)
		return false;
	for (unsigned i = 0; i < n; i++)
		write_list(row + (size_t)i * n_pages, n_pages, pages,
			(struct set_list *)(index->words + index->starts[i]));
	return true;
}

static bool build(struct set_index *index, const struct set_member *members, unsigned n)
{
	struct span_bit *spans = calloc((size_t)n + 1, sizeof(*spans));
	struct bit_pages *rows = NULL;
	unsigned n_sets = 0;
	bool done = false;

	for (unsigned i = 0; spans != NULL && i < n; i++) {
		spans[i] = (struct span_bit){members[i].span, members[i].set};
		if (members[i].set >= n_sets)
			n_sets = members[i].set + 1u;
	}
	if (spans != NULL && n_sets <= SETS_MAX)
		rows = bit_pages_create(n_sets);
	if (rows != NULL)
		index->map = span_map_create(spans, n, n_sets, rows);
	if (index->map != NULL)
		done = make_lists(index, rows);
	free(spans);
	bit_pages_free(rows);
	return done;
}

struct set_index *set_index_create(const struct set_member *members, unsigned n)
{
	struct set_index *index;

	if (n > SET_SPANS_MAX)
		return NULL;
	index = calloc(1, sizeof(*index));
	if (index != NULL && !build(index, members, n)) {
		set_index_free(index);
		index = NULL;
	}
	return index;
}

unsigned set_index_most(const struct set_index *index)
{
	return index->most;
}

void set_index_free(struct set_index *index)
{
	if (index == NULL)
		return;
	span_map_free(index->map);
	free(index->starts);
	free(index->words);
	free(index);
}

const struct set_list *set_index_find(const struct set_index *index, struct addr addr)
{
	const struct set_list *list;

	if (index == NULL)
		return NULL;
	list = (const struct set_list *)(index->words +
					 index->starts[span_map_find(index->map, addr)]);
	return list->n > 0 ? list : NULL;
}
