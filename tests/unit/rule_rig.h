/* One rule or more out of text, and what their keywords say about data. */
#ifndef RULE_RIG_H
#define RULE_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule_compile.h"
#include "rule_match.h"
#include "ruleset.h"

#define RIG_HEADER "alert tcp any any -> any any "

/* Of rules in text, all or nothing; NULL where it is refused, and report says why. */
static inline struct ruleset *rig_load(const char *text, struct rule_report *report)
{
	struct ruleset_source source = {"rig", text, strlen(text)};
	struct ruleset_options options = {0};

	rule_report_init(report);
	return ruleset_load(&source, 1, &options, report);
}

/* A ruleset of one rule with these options; its sid is 1. */
static inline struct ruleset *rig_rule(const char *keywords)
{
	struct rule_report report;
	struct ruleset *ruleset;
	char text[8192];

	snprintf(text, sizeof(text), RIG_HEADER "(%s sid:1;)", keywords);
	ruleset = rig_load(text, &report);
	if (!ruleset)
		rule_report_print(&report, stdout);
	rule_report_free(&report);
	return ruleset;
}

/* Why a rule of this text is refused, as operators see it. */
static inline void rig_refusal(const char *text, char *why, size_t size)
{
	struct rule_report report;
	struct ruleset *ruleset = rig_load(text, &report);

	snprintf(why, size, "it loads");
	if (!ruleset && report.n > 0)
		rule_report_format(&report.refusals[0], why, size);
	ruleset_free(ruleset);
	rule_report_free(&report);
}

static inline struct rule_input rig_input(
	enum rule_buffer buffer, const void *bytes, uint32_t n, uint32_t size)
{
	struct rule_input input = {.given = (uint8_t)(1U << buffer)};

	input.data[buffer] = (struct rule_data){bytes, 0, n, size};
	return input;
}

/* The first n of size bytes, in a block of just that length. */
static inline enum rule_result rig_match_part(const struct rule *rule, struct rule_scratch *scratch,
	const void *bytes, uint32_t n, uint32_t size)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct rule_input input = rig_input(RULE_RECORD, copy, n, size);
	enum rule_result result;
	uint32_t end;

	if (n)
		memcpy(copy, bytes, n);
	scratch->budget = 1000000;
	result = rule_match(rule, &input, NULL, scratch, &end);
	free(copy);
	return result;
}

#endif
