/*
 * Evaluates byte_test, byte_jump, byte_extract and byte_math. Used by rule_match.c alone. No DPDK.
 */
#ifndef VS_RULE_MATCH_BYTES_H
#define VS_RULE_MATCH_BYTES_H

#include "rule_match_run.h"

/* item is one of the four. Moves *pos where the keyword does. */
enum rule_result rule_match_bytes(
	struct rule_run *run, const struct rule_item *item, uint32_t *pos);

#endif
