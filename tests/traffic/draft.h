/* A record that is being made: which of its bits are spoken for. Inside of solve.c. */
#ifndef TRAFFIC_DRAFT_H
#define TRAFFIC_DRAFT_H

#include <stdbool.h>
#include <stdint.h>

#include "solve.h"

struct draft {
	uint8_t bytes[SOLVE_MAX];
	uint8_t fixed[SOLVE_MAX]; /* bits that are spoken for */
	uint32_t end; /* behind the last of them */
	uint32_t min, max; /* of the record's length */
	uint64_t vars[RULE_VARS_MAX];
	uint32_t at[RULE_ITEMS_MAX]; /* where each item was put */
	unsigned seed; /* of this attempt */
	uint8_t filler;
};

unsigned draft_random(struct draft *d, unsigned below);

/* False: some of the bits are spoken for otherwise; nothing is changed then. */
bool draft_put_bits(struct draft *d, int64_t at, uint8_t byte, uint8_t bits);
bool draft_put(struct draft *d, int64_t at, const uint8_t *bytes, uint32_t n, bool nocase);
bool draft_could_put(
	const struct draft *d, int64_t at, const uint8_t *bytes, uint32_t n, bool nocase);

/* A number of n bytes as a keyword reads it. */
bool draft_put_number(
	struct draft *d, int64_t at, uint32_t n, const struct rule_read *read, uint64_t value);

int64_t draft_number(const struct draft *d, const struct rule_number *number);

/*
 * Text that a simple expression matches, at most max bytes, and which of its bytes may be others
 * (a dot's). False: beyond what is understood.
 */
bool example_of(const char *pattern, bool extended, unsigned *seed, uint8_t *out, bool *free_bytes,
	uint32_t max, uint32_t *n);

#endif
