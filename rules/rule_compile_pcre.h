/*
 * A Hyperscan database for each pcre that it knows and of which only yes or no is asked. Used by
 * rule_compile.c alone. No DPDK.
 */
#ifndef VS_RULE_COMPILE_PCRE_H
#define VS_RULE_COMPILE_PCRE_H

#include <hs/hs.h>

#include "ruleset.h"

/* Of each pcre by its index, NULL where PCRE2 decides anyway; the caller frees the list. NULL: out
 * of memory. */
const struct rule_pcre **rule_compile_list_pcres(const struct ruleset *ruleset);
/* NULL: PCRE2 decides. The caller frees it. */
hs_database_t *rule_compile_pcre(const struct rule_pcre *pcre);

#endif
