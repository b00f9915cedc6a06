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

#define NO_SET        UINT16_MAX
#define SETS_MAX      8192 /* of one tenant */
#define SET_SPANS_MAX 1048576 /* of one tenant, in all */

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

/* members are read, not kept; in any order, overlaps allowed. NULL: out of memory or over a limit.
 */
struct set_index *set_index_create(const struct set_member *members, unsigned n);
void set_index_free(struct set_index *index);

/* NULL: in none. Good as long as index. index may be NULL. */
const struct set_list *set_index_find(const struct set_index *index, struct addr addr);

#endif
