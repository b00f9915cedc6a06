/*
 * A tenant's sets by name: address sets, and groups as sets of their members' addresses (the
 * configuration sees to it that no two have one name). Gives each an id that rules are compiled
 * with, knows what is in it and since when, and makes the index that workers look addresses up in.
 *
 * An id stays with its name while the name is there, so that rules need no rebuild; the id of a
 * name that went may go to another: rules that named the old one cannot be there any more.
 *
 * Immutable once created, counted references. Control thread; no DPDK.
 */
#ifndef VS_POLICY_SETS_H
#define VS_POLICY_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "set_index.h"

struct policy_sets;

/* One set as it is wanted. */
struct policy_set_source {
	const char *tenant; /* not looked at here */
	const char *name;
	const struct addr_span *spans; /* of one family each */
	unsigned n;
	uint16_t *id; /* where its id goes */
};

/*
 * The sets in sources, which are in the order of their names, no two the same. What is equal in
 * before (may be NULL) is shared; where all is, before is what is returned. The caller owns a
 * reference. NULL with *why: out of memory or over a limit.
 */
struct policy_sets *policy_sets_create(const struct policy_set_source *sources, unsigned n,
	struct policy_sets *before, const char **why);

/* Gives a reference back. NULL is allowed. */
void policy_sets_release(struct policy_sets *sets);

/* NO_SET where there is none of that name. sets may be NULL here and below. */
uint16_t policy_sets_find(const struct policy_sets *sets, const char *name);

/* Of what is in a set: no two that differ ever had the same. 0: no such id. */
uint32_t policy_sets_version(const struct policy_sets *sets, uint16_t id);

/* A tenant's sets in the policy before and in the one that is made; either may be NULL. */
struct policy_sets_change {
	const struct policy_sets *before, *now;
};

/* Whether any of the n sets of these ids has other contents now. */
bool policy_sets_changed(const struct policy_sets_change *change, const uint16_t *ids, unsigned n);

/* NULL where nothing is in any. Good as long as sets. */
const struct set_index *policy_sets_index(const struct policy_sets *sets);

#endif
