/*
 * threshold and detection_filter: how often a rule matched, by source, destination, both, or the
 * rule alone. Bounded: where a bucket is full, the count that ended longest ago goes first. One
 * thread, the owner of what is counted. No DPDK, no allocation after creation.
 */
#ifndef VS_RULE_COUNT_H
#define VS_RULE_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "rule.h"

struct rule_counts;

/* For max counts at a time. NULL: out of memory. */
struct rule_counts *rule_counts_create(uint32_t max);
void rule_counts_free(struct rule_counts *counts);
/* Counts that had to go before their time. */
uint64_t rule_counts_lost(const struct rule_counts *counts);

struct rule_count_verdict {
	bool matches; /* detection_filter is passed, or there is none: the rule acts and sets bits
		       */
	bool alerts; /* threshold lets this one be told */
};

/*
 * A rule matched: counts it. flow is any number that tells connections apart (track by_flow). As in
 * Suricata a drop with a threshold drops every match; only what is told is limited.
 */
struct rule_count_verdict rule_count(struct rule_counts *counts, const struct rule *rule,
	struct addr src, struct addr dst, uint64_t flow, uint64_t now_s);

#endif
