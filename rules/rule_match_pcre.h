/*
 * Evaluates pcre. Hyperscan decides where only yes or no matters and it knows the expression: it
 * takes the same time for any data. PCRE2 does where the place matters, within limits. Used by
 * rule_match.c alone. No DPDK.
 */
#ifndef VS_RULE_MATCH_PCRE_H
#define VS_RULE_MATCH_PCRE_H

#include "rule_match_run.h"

/* Yes or no, negated where the pcre is. */
enum rule_result rule_match_pcre(struct rule_run *run, const struct rule_pcre *pcre, uint32_t pos);
/* Item i and those after it, from each place where it matches, until they hold too. */
enum rule_result rule_match_pcre_and_rest(struct rule_run *run, unsigned i, uint32_t pos);

#endif
