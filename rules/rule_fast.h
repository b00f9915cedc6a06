/*
 * Which one content of a rule the database looks for. A rule is evaluated only where that was
 * found, so the rarest pays. No state, no DPDK.
 */
#ifndef VS_RULE_FAST_H
#define VS_RULE_FAST_H

#include "rule.h"

#define RULE_FAST_MIN 4 /* bytes; shorter only where the rule has nothing else */

/*
 * Index of an item, or RULE_NO_FAST where every content is negated or there is none. Contents of
 * less than RULE_FAST_MIN bytes, or of one byte repeated, only where no other exists, even where
 * they carry fast_pattern.
 */
uint16_t rule_fast_choose(const struct rule *rule);

/* How seldom SMB traffic is expected to hold the content, in bits. */
unsigned rule_fast_rarity(const struct rule_content *content);

#endif
