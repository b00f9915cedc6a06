#include "span_map.h"

#include <stdbool.h>
#include <stdlib.h>

typedef unsigned __int128 wide;

struct span_map {
	unsigned n_low, n_high;
	/* First numbers of the pieces. Those below 2^64, IPv4 and services above all, by
	 * themselves: half the memory to search. */
	uint64_t *low;
	wide *high; /* one ahead of them that is below all: the last of low */
	uint32_t *rows; /* of low and then of high, without the one ahead */
};

/* Where a span begins or has ended. */
struct edge {
	struct addr at;
	uint32_t bit;
	bool begins;
};

struct piece {
	struct addr first;
	uint32_t row;
};

static int by_place(const void *a, const void *b)
{
	const struct addr *x = &((const struct edge *)a)->at, *y = &((const struct edge *)b)->at;

	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	return (x->low > y->low) - (x->low < y->low);
}

static unsigned make_edges(const struct span_bit *spans, unsigned n, struct edge *edges)
{
	unsigned n_edges = 0;

	for (unsigned i = 0; i < n; i++) {
		struct addr first = spans[i].span.first, end = spans[i].span.last;

		if (addr_less(end, first))
			continue;
		edges[n_edges++] = (struct edge){first, spans[i].bit, true};
		end.low++;
		end.high += end.low == 0;
		/* Behind the last number of all there is no piece. */
		if (end.high != 0 || end.low != 0)
			edges[n_edges++] = (struct edge){end, spans[i].bit, false};
	}
	qsort(edges, n_edges, sizeof(*edges), by_place);
	return n_edges;
}

/* A bit is set while any of its spans, counted in depths, is open. */
static void pass_edge(const struct edge *edge, uint32_t *depths, struct bit_pages *rows)
{
	if (edge->begins && depths[edge->bit]++ == 0)
		bit_pages_set(rows, edge->bit, true);
	if (!edge->begins && --depths[edge->bit] == 0)
		bit_pages_set(rows, edge->bit, false);
}

/* Returns how many pieces there are; 0: out of memory or of rows. */
static unsigned sweep(const struct edge *edges, unsigned n_edges, uint32_t *depths,
	struct bit_pages *rows, struct piece *pieces)
{
	struct addr first = {0, 0};
	unsigned n = 0, i = 0;

	for (;;) {
		uint32_t row;

		while (i < n_edges && addr_equal(edges[i].at, first))
			pass_edge(&edges[i++], depths, rows);
		row = bit_pages_intern(rows);
		if (row == BIT_PAGES_NONE)
			return 0;
		if (n == 0 || pieces[n - 1].row != row)
			pieces[n++] = (struct piece){first, row};
		if (i == n_edges)
			return n;
		first = edges[i].at;
	}
}

static struct span_map *from_pieces(const struct piece *pieces, unsigned n)
{
	struct span_map *map = calloc(1, sizeof(*map));

	if (map == NULL)
		return NULL;
	while (map->n_low < n && pieces[map->n_low].first.high == 0)
		map->n_low++;
	map->n_high = n - map->n_low + 1;
	map->low = calloc(map->n_low, sizeof(*map->low));
	map->high = calloc(map->n_high, sizeof(*map->high));
	map->rows = calloc(n, sizeof(*map->rows));
	if (map->low == NULL || map->high == NULL || map->rows == NULL) {
		span_map_free(map);
		return NULL;
	}
	for (unsigned i = 0; i < n; i++) {
		if (i < map->n_low)
			map->low[i] = pieces[i].first.low;
		else
			map->high[i - map->n_low + 1] = (wide)pieces[i].first.high << 64 |
							pieces[i].first.low;
		map->rows[i] = pieces[i].row;
	}
	return map;
}

struct span_map *span_map_create(
	const struct span_bit *spans, unsigned n, unsigned bits, struct bit_pages *rows)
{
	struct edge *edges = calloc((size_t)2 * n + 1, sizeof(*edges));
	struct piece *pieces = calloc((size_t)2 * n + 1, sizeof(*pieces));
	uint32_t *depths = calloc((size_t)bits + 1, sizeof(*depths));
	struct span_map *map = NULL;

	if (edges != NULL && pieces != NULL && depths != NULL) {
		unsigned n_edges = make_edges(spans, n, edges);
		unsigned n_pieces = sweep(edges, n_edges, depths, rows, pieces);

		if (n_pieces > 0)
			map = from_pieces(pieces, n_pieces);
	}
	free(edges);
	free(pieces);
	free(depths);
	return map;
}

void span_map_free(struct span_map *map)
{
	if (map == NULL)
		return;
	free(map->low);
	free(map->high);
	free(map->rows);
	free(map);
}

/* Both searches are for the last element not above the number. The first one never is. Sums and
 * not branches: half of these would be mispredicted. */
static size_t search_low(const uint64_t *low, size_t n, uint64_t number)
{
	const uint64_t *at = low;

	while (n > 1) {
		size_t half = n / 2;

		at += half & -(size_t)(at[half] <= number);
		n -= half;
	}
	return (size_t)(at - low);
}

static size_t search_high(const wide *high, size_t n, wide number)
{
	const wide *at = high;

	while (n > 1) {
		size_t half = n / 2;

		at += half & -(size_t)(at[half] <= number);
		n -= half;
	}
	return (size_t)(at - high);
}

uint32_t span_map_find(const struct span_map *map, struct addr number)
{
	if (number.high == 0)
		return map->rows[search_low(map->low, map->n_low, number.low)];
	return map->rows[map->n_low - 1 +
			 search_high(map->high, map->n_high, (wide)number.high << 64 | number.low)];
}

size_t span_map_size(const struct span_map *map)
{
	return sizeof(*map) + map->n_low * (sizeof(*map->low) + sizeof(*map->rows)) +
	       map->n_high * sizeof(*map->high) + (map->n_high - 1) * sizeof(*map->rows);
}
