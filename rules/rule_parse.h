/*
 * One line of a rule file to a rule. Control or compiler thread. No DPDK.
 */
#ifndef VS_RULE_PARSE_H
#define VS_RULE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "rule.h"
#include "rule_context.h"
#include "rule_report.h"
#include "rule_text.h"

#define RULE_LINE_MAX    65536
#define RULE_OPTIONS_MAX 256 /* keywords of one rule */

/*
 * The rule in text (one line, no comment), in the context's arena; its file and line are file and
 * line. NULL where it is refused: reason->sid (where the text has one), keyword and reason are
 * written, and nothing of it stays in the context but memory, which the caller rolls back.
 */
struct rule *rule_parse(struct rule_context *context, const char *file, uint32_t line,
	struct rule_text text, struct rule_refusal *refusal);

#endif
