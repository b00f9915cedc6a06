/*
 * Sets of numbers as sorted, disjoint spans: addresses, and ports as addresses below 65,536.
 * Control or compiler thread builds, any thread asks. No DPDK.
 */
#ifndef VS_RULE_SPANS_H
#define VS_RULE_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

struct rule_spans {
	uint32_t n, room;
	struct addr_span *spans;
};

void rule_spans_free(struct rule_spans *set);
/* Adds a span in any place; sorted only by rule_spans_settle(). False: out of memory. */
bool rule_spans_add(struct rule_spans *set, struct addr_span span);
bool rule_spans_add_all(struct rule_spans *set, const struct rule_spans *other);
/* Sorts and merges. */
void rule_spans_settle(struct rule_spans *set);
/* Takes what is in the settled set less out of the settled set. False: out of memory. */
bool rule_spans_subtract(struct rule_spans *set, const struct rule_spans *less);
/* set must be settled. */
bool rule_spans_has(const struct rule_spans *set, struct addr number);

#endif
