/*
 * The last step of parsing a rule: what only the rule as a whole can show to be wrong, items in the
 * order of evaluation, numbers for the names of bits. Used by rule_parse.c alone. No DPDK.
 */
#ifndef VS_RULE_FINISH_H
#define VS_RULE_FINISH_H

#include <stdbool.h>

#include "rule_options.h"

/* False, with a reason, and the keyword (RULE_KEYWORD_MAX) where one is to blame. */
bool rule_finish(struct rule_parser *parser, char *keyword);

#endif
