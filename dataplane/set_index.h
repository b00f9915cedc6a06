/*
 * Which of a tenant's sets (address sets, and groups as sets of their members' addresses) an
 * address is in. One lookup a packet and end; rules compare ids. So a member that joins or leaves
 * rebuilds this, in a few ms, and no rule.
 *
 * Immutable once built. set_index_create(): control or compiler thread; set_index_find(): any. No
 * DPDK.
 */
#ifndef VS_SET_INDEX_H
#define VS_SET_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define NO_SET               UINT16_MAX
#define SETS_MAX             8192 /* of one tenant */
#define SETS_PER_ADDRESS_MAX 64 /* each costs every new connection, in each group that names it */
#define SET_SPANS_MAX        1048576 /* of one tenant, in all */
#define SET_LISTS_MAX        16777216 /* ids in all distinct lists: 32 MiB */

/* Ids in rising order. */
struct set_list {
	uint16_t n;
	uint16_t ids[];
};

/* One span of addresses and the set that it belongs to. */
struct set_member {
	struct addr_span span;
	uint16_t set;
};

struct set_index;

/*
 * members are read, not kept; in any order, overlaps allowed, and a span whose last is below its
 * first has nothing in it. Equal lists are one. NULL: out of memory; a set of SETS_MAX or above;
 * more than SET_SPANS_MAX; or sets that overlap so much that their lists exceed SET_LISTS_MAX
 * (5,800 sets, each inside the next, do) or BIT_PAGES_BYTES_MAX (bit_pages.h) while they are built.
 */
struct set_index *set_index_create(const struct set_member *members, unsigned n);
void set_index_free(struct set_index *index);

/* In how many sets the address is that is in most. */
unsigned set_index_most(const struct set_index *index);

/* NULL: in none. Good as long as index. index may be NULL. */
const struct set_list *set_index_find(const struct set_index *index, struct addr addr);

#endif
