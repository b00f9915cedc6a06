/*
 * Of a classifier: which rules name which set of addresses, as pages of bits (bit_pages.h). A rule
 * names one set at the most, so all pages together are no more than the rules.
 *
 * Building: control or compiler thread. Immutable then: rule_sets_collect(): any. No DPDK.
 */
#ifndef VS_RULE_SETS_H
#define VS_RULE_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bit_pages.h"
#include "set_index.h"

struct rule_set {
	uint16_t set, rule;
};

struct rule_sets;

/* Sorts names by set and rule, does not keep them. Pages are stored in pages. NULL: out of memory
 * or of pages. */
struct rule_sets *rule_sets_create(struct rule_set *names, unsigned n, struct bit_pages *pages);
void rule_sets_free(struct rule_sets *sets);

/*
 * The rules that name any set of list (NULL: none), as a row of pages in found; only those in
 * places where row, of n_row pages, has any, are sure to be there. False where there is none: found
 * is left alone then. pages: bit_pages_pages(). Takes the time of the shorter of list and the sets
 * that rules name, and of the rules found.
 */
bool rule_sets_collect(const struct rule_sets *sets, const struct set_list *list,
	const struct bit_page *pages, const uint32_t *row, unsigned n_row, struct bit_page *found);

/* Bytes that it takes. */
size_t rule_sets_size(const struct rule_sets *sets);

#endif
