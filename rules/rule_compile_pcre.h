/*
 * A Hyperscan database for each pcre that it knows and of which only yes or no is asked. Used by
 * rule_compile.c alone. No DPDK.
 */
#ifndef VS_RULE_COMPILE_PCRE_H
#define VS_RULE_COMPILE_PCRE_H

#include <hs/hs.h>

#include "ruleset.h"

/*
 * By the index of the pcre, NULL where PCRE2 decides; scratch grows to fit. The caller frees them.
 * NULL: out of memory.
 */
hs_database_t **rule_compile_pcres(const struct ruleset *ruleset, hs_scratch_t **scratch);

#endif
