/*
 * What one worker needs to scan and evaluate: made once for a database of rules (rule_compile.h),
 * used by that worker alone, so that nothing is allocated on the way of a packet. No DPDK.
 */
#ifndef VS_RULE_SCRATCH_H
#define VS_RULE_SCRATCH_H

#include <stdint.h>

#include "rule.h"

/*
 * Of pcre that Hyperscan cannot decide. Suricata's own limits are 3,500 and 1,500; these let no
 * rule of the public sets down and cost a millisecond at most.
 */
#define RULE_PCRE_MATCH_LIMIT 10000
#define RULE_PCRE_DEPTH_LIMIT 1500
#define RULE_PCRE_HEAP_KIB    320

struct hs_scratch;

struct rule_scratch {
	struct hs_scratch *hs; /* NULL: pcre are left to PCRE2 */
	void *pcre_data, *pcre_context; /* pcre2_match_data, pcre2_match_context */
	struct rule_scratch_pool *pool; /* PCRE2's memory */
	/*
	 * What the caller still allows, in steps: one for each keyword and each 64 bytes searched.
	 * rule_match() takes off what it used and gives RULE_OVER when there is nothing left.
	 */
	int64_t budget;
	uint64_t vars[RULE_VARS_MAX];
};

/* hs is taken over, also on failure. NULL: out of memory. */
struct rule_scratch *rule_scratch_create(struct hs_scratch *hs);
void rule_scratch_free(struct rule_scratch *scratch);

#endif
