/*
 * Fuzzes the language of rules and their evaluation. The input is a file of rules; behind a line of
 * "---" comes data. What loads alone loads with the rest; an evaluation stays within its budget and
 * never takes back what it said about a part of the data.
 *
 * libFuzzer target; its corpus is small files of rules.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule_match.h"
#include "rule_patterns.h"
#include "ruleset.h"

#define BUDGET  20000
#define PARTS   9
#define DIVIDER "\n---\n"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rule_scratch *scratch;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	scratch = rule_scratch_create(NULL);
	return scratch ? 0 : 1;
}

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static enum rule_result evaluate(
	const struct rule *rule, const uint8_t *data, uint32_t n, uint32_t size)
{
	struct rule_input input = {.given = 0xff};
	uint8_t *copy = malloc(n ? n : 1); /* of its exact size, for the sanitizer to see its end */
	enum rule_result result;
	uint32_t end;

	must(copy != NULL, "out of memory");
	if (n)
		memcpy(copy, data, n);
	for (int buffer = 0; buffer < RULE_BUFFERS; buffer++)
		input.data[buffer] = (struct rule_data){copy, 0, n, size};
	scratch->budget = BUDGET;
	result = rule_match(rule, &input, NULL, scratch, &end);
	if (result == RULE_YES)
		must(end <= (size == RULE_SIZE_UNKNOWN ? n : size), "matched behind the end");
	free(copy);
	return result;
}

static void check_rule(const struct rule *rule, const uint8_t *data, uint32_t n)
{
	enum rule_result whole = evaluate(rule, data, n, n), part;

	must(whole != RULE_WAIT, "waits for more where there is no more");
	must(rule->fast == RULE_NO_FAST || rule->items[rule->fast].type == RULE_CONTENT,
		"searches for what is no content");
	for (uint32_t i = 0; i < PARTS && whole <= RULE_YES; i++) {
		part = evaluate(rule, data, n * i / PARTS, i % 2 ? n : RULE_SIZE_UNKNOWN);
		must(part == whole || part == RULE_WAIT || part == RULE_OVER || n == 0,
			"takes back what it said");
	}
}

static void check(const struct ruleset *ruleset, const uint8_t *data, uint32_t n)
{
	uint32_t count = ruleset_count(ruleset);
	bool *wanted = calloc((size_t)count + 1, sizeof(*wanted));
	struct rule_patterns patterns;

	must(wanted != NULL, "out of memory");
	for (uint32_t i = 0; i < count; i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		must(ruleset_find(ruleset, rule->gid, rule->sid) == rule, "a rule is not found");
		check_rule(rule, data, n);
		wanted[i] = rule->fast != RULE_NO_FAST;
	}
	must(rule_patterns_collect(&patterns, ruleset, wanted), "out of memory");
	rule_patterns_free(&patterns);
	free(wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ruleset_options options = {.skip_unsupported = true};
	const uint8_t *divider = size ? memmem(data, size, DIVIDER, strlen(DIVIDER)) : NULL;
	size_t n = divider ? (size_t)(divider - data) : size;
	struct ruleset_source source = {"fuzz", (const char *)data, n};
	size_t skip = divider ? n + strlen(DIVIDER) : n;
	struct rule_report report;
	struct ruleset *ruleset;

	if (size == 0 || size > 65536)
		return 0;
	rule_report_init(&report);
	ruleset = ruleset_load(&source, 1, &options, &report);
	must(ruleset != NULL, "skipping what is not supported refuses the whole");
	for (uint32_t i = 0; i < report.n; i++)
		must(report.refusals[i].reason[0] != 0, "refused without a reason");
	check(ruleset, data + skip, (uint32_t)(size - skip));
	ruleset_free(ruleset);
	rule_report_free(&report);
	return 0;
}
