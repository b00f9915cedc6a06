/*
 * The state of one evaluation, shared by rule_match.c, rule_match_bytes.c and rule_match_pcre.c,
 * which alone include this header. No DPDK.
 */
#ifndef VS_RULE_MATCH_RUN_H
#define VS_RULE_MATCH_RUN_H

#include "rule_match.h"

/* No buffer reaches that far: what a result beyond it points to is nowhere. */
#define RULE_RUN_FAR INT64_C(0x7fffffff)

struct rule_run {
	const struct rule_item *items; /* of one buffer */
	unsigned n;
	const struct rule_data *data;
	const struct rule_head *head; /* of the same buffer */
	int64_t end; /* behind the last byte that has arrived */
	const struct rule_pcre_dbs *pcres;
	struct rule_scratch *scratch;
	bool dce_little;
	uint32_t matched_end;
};

/* Items from i on, where the last place is pos. */
enum rule_result rule_run(struct rule_run *run, unsigned i, uint32_t pos);
/* A number of a keyword, a result no farther than RULE_RUN_FAR. */
int64_t rule_run_number(const struct rule_run *run, const struct rule_number *number);
/* One step and one for each 64 bytes; false: over budget. */
bool rule_run_pay(struct rule_run *run, uint32_t bytes);

#endif
