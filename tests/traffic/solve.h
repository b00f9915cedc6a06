/*
 * A harmless SMB record that satisfies a rule: headers and filler around what its keywords ask for.
 * For tests; what it gives is held against rule_match() before it is given.
 */
#ifndef TRAFFIC_SOLVE_H
#define TRAFFIC_SOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "rule.h"
#include "rule_match.h"

#define SOLVE_MAX 24576

struct solution {
	uint8_t bytes[SOLVE_MAX]; /* a NetBIOS record with its header */
	uint32_t len;
	uint32_t at, n; /* the content that changing a byte of makes it a miss */
};

/* What rule_match() needs to check with. */
struct solve_with {
	struct rule_scratch *scratch;
	struct rule_pcre_dbs pcres;
};

/* NULL: solved; or why not, a text without an end of life. */
const char *solve(const struct rule *rule, bool to_server, const struct solve_with *with,
	struct solution *solution);

/* Whether the rule's keywords hold in a whole record. */
bool solve_holds(
	const struct rule *rule, const struct solve_with *with, const uint8_t *bytes, uint32_t len);

#endif
