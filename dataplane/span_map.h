/*
 * Which spans a number lies in. The number line is cut at the bounds of all spans; each piece has
 * the spans around it as a row of bits (bit_pages.h), and a lookup is one binary search.
 *
 * Numbers are addresses, or anything else that fits into struct addr and is compared like one.
 * Building: control or compiler thread. Immutable then: span_map_find(): any. No DPDK.
 */
#ifndef VS_SPAN_MAP_H
#define VS_SPAN_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "bit_pages.h"

/* A span, and the bit that stands for it; several may share one. */
struct span_bit {
	struct addr_span span;
	uint32_t bit;
};

struct span_map;

/*
 * spans are read, not kept; in any order, overlaps allowed, and one whose last is below its first
 * is empty. The row under construction in rows, of which each bit is less than bits, is what every
 * piece has beside its spans; none of these bits is a span's. It is left in any state. NULL: out of
 * memory or of rows.
 */
struct span_map *span_map_create(
	const struct span_bit *spans, unsigned n, unsigned bits, struct bit_pages *rows);
void span_map_free(struct span_map *map);

/* Number of the row in rows. */
uint32_t span_map_find(const struct span_map *map, struct addr number);

/* Bytes that it takes. */
size_t span_map_size(const struct span_map *map);

#endif
