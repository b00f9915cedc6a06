/*
 * What was wrong with rules: one entry for every rule that was refused, and for every file that
 * could not be read, with file, line, sid and keyword. Filled by one thread. No DPDK.
 */
#ifndef VS_RULE_REPORT_H
#define VS_RULE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RULE_REASON_MAX  256
#define RULE_KEYWORD_MAX 40
#define RULE_REPORT_MAX  100000 /* entries kept; what is above is counted */

struct rule_refusal {
	char *file;
	uint32_t line, sid; /* 0: unknown */
	char keyword[RULE_KEYWORD_MAX]; /* "" where the rule as a whole is meant */
	char reason[RULE_REASON_MAX];
};

struct rule_report {
	struct rule_refusal *refusals;
	uint32_t n, room;
	uint64_t n_all; /* with those that are not kept */
};

void rule_report_init(struct rule_report *report);
void rule_report_free(struct rule_report *report);

/* Out of memory: counted, not kept. */
void rule_report_add(struct rule_report *report, const char *file, uint32_t line, uint32_t sid,
	const char *keyword, const char *reason);

/* "file:12: sid 2001: asn1: reason", without what is unknown. */
int rule_report_format(const struct rule_refusal *refusal, char *text, size_t size);
void rule_report_print(const struct rule_report *report, FILE *stream);

#endif
