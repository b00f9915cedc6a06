/*
 * Rules out of files: all of them, or nothing, or all but what is not supported. Immutable once
 * loaded; any thread may read it. Loading: control or compiler thread. No DPDK; knows no ports or
 * tenants of the switch.
 */
#ifndef VS_RULESET_H
#define VS_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rule.h"
#include "rule_names.h"
#include "rule_report.h"
#include "rule_vars.h"

#define RULESET_RULES_MAX 100000
#define RULESET_FILE_MAX  (64U << 20) /* bytes */

struct ruleset;

/* A file of rules, or text in memory (text not NULL) that is called name in reports. */
struct ruleset_source {
	const char *name;
	const char *text;
	size_t size;
};

struct ruleset_options {
	const struct rule_vars *vars; /* names that may be used; NULL: the default ones. Not kept */
	struct rule_names *bits; /* names of bits, kept in use; NULL: a table of its own */
	const char *classes; /* a file like classification.config; NULL: every priority is 3 */
	const struct ruleset_source *class_source; /* the same, out of memory too; else NULL */
	bool skip_unsupported; /* what is refused does not refuse the rest */
};

/*
 * NULL where it is refused; report (initialised by the caller) says why, rule by rule. With
 * skip_unsupported only a file that cannot be read, too many rules and lack of memory refuse the
 * whole; report then holds what was left out.
 */
struct ruleset *ruleset_load(const struct ruleset_source *sources, unsigned n,
	const struct ruleset_options *options, struct rule_report *report);
void ruleset_free(struct ruleset *ruleset);

/*
 * Rules in the order of evaluation: those that set a bit before those that ask for it; among these
 * pass, drop, reject, alert; then by priority, then as they stand in the files.
 */
uint32_t ruleset_count(const struct ruleset *ruleset);
const struct rule *ruleset_rule(const struct ruleset *ruleset, uint32_t index);
/* NULL: no such rule. */
const struct rule *ruleset_find(const struct ruleset *ruleset, uint32_t gid, uint32_t sid);

/* Expressions of headers, by the numbers that rules have. */
uint16_t ruleset_expressions(const struct ruleset *ruleset, enum rule_vars_kind kind);
const char *ruleset_expression(
	const struct ruleset *ruleset, enum rule_vars_kind kind, uint16_t id);
const char *ruleset_bit_name(const struct ruleset *ruleset, uint16_t id);
/* What classification.config says about a class; "" where nothing does. */
const char *ruleset_class_text(const struct ruleset *ruleset, const char *classtype);
unsigned ruleset_pcres(const struct ruleset *ruleset);

/* Of the rules' text, in the order in which they were read: equal for equal rules. */
uint64_t ruleset_hash(const struct ruleset *ruleset);
size_t ruleset_bytes(const struct ruleset *ruleset);

#endif
