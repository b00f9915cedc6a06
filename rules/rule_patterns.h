/*
 * What is searched for in one direction and buffer: distinct patterns, and the rules of each. Used
 * by rule_compile.c alone. No DPDK.
 */
#ifndef VS_RULE_PATTERNS_H
#define VS_RULE_PATTERNS_H

#include <stdbool.h>
#include <stdint.h>

#include "ruleset.h"

/* Longest escaped form of a content, with its zero. */
#define RULE_PATTERN_TEXT (4 * RULE_CONTENT_MAX + 1)

struct rule_pattern {
	const struct rule_content *content;
	uint32_t first, n; /* in rule_patterns.rules */
};

struct rule_patterns {
	struct rule_pattern *patterns;
	uint32_t n;
	uint32_t *rules; /* indices, rising in each pattern */
};

/* Of the rules with an entry of true in wanted. False: out of memory. */
bool rule_patterns_collect(
	struct rule_patterns *patterns, const struct ruleset *ruleset, const bool *wanted);
void rule_patterns_free(struct rule_patterns *patterns);

/* The bytes as an expression, text of RULE_PATTERN_TEXT. */
void rule_pattern_escape(const struct rule_content *content, char *text);

#endif
