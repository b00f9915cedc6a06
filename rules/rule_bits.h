/*
 * Flow bits and xbits: which rules they let through, and what a rule that matched does to them. The
 * flow's own are a small set in the caller's connection; those of addresses a table of the caller's
 * owner, bounded, where the oldest goes first. One thread each. No DPDK, no allocation after
 * creation.
 */
#ifndef VS_RULE_BITS_H
#define VS_RULE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "rule.h"

#define RULE_FLOW_BITS 24 /* set at a time in one flow */

/* Starts as all zeros. */
struct rule_flow_bits {
	uint16_t n;
	uint16_t lost; /* no room; saturates */
	uint16_t ids[RULE_FLOW_BITS];
};

bool rule_flow_bits_has(const struct rule_flow_bits *bits, uint16_t id);
/* Full: the oldest goes and is counted in lost. */
void rule_flow_bits_set(struct rule_flow_bits *bits, uint16_t id);
void rule_flow_bits_unset(struct rule_flow_bits *bits, uint16_t id);

struct rule_xbits;

/* For max bits at a time. NULL: out of memory. */
struct rule_xbits *rule_xbits_create(uint32_t max);
void rule_xbits_free(struct rule_xbits *xbits);
/* Bits that had to go before their time. */
uint64_t rule_xbits_lost(const struct rule_xbits *xbits);

/* Whether what the rule asks for is set, and what it forbids is not. xbits may be NULL: none set.
 */
bool rule_bits_allow(const struct rule *rule, const struct rule_flow_bits *flow,
	struct rule_xbits *xbits, struct addr src, struct addr dst, uint64_t now_s);
/* What the rule sets, unsets and toggles, once it matched. */
void rule_bits_apply(const struct rule *rule, struct rule_flow_bits *flow, struct rule_xbits *xbits,
	struct addr src, struct addr dst, uint64_t now_s);

#endif
