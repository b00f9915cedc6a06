/*
 * What the rules of one ruleset share while they are parsed: memory, the expressions of their
 * headers, classes, compiled pcre, names of bits. Owned by ruleset.c; one thread. No DPDK.
 */
#ifndef VS_RULE_CONTEXT_H
#define VS_RULE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "rule.h"
#include "rule_arena.h"
#include "rule_names.h"
#include "rule_vars.h"

#define RULE_CLASSES_MAX 1024
#define RULE_PCRES_MAX   65000
#define RULE_EXPRS_MAX   20000

struct rule_class {
	const char *name, *description;
	uint8_t priority;
};

struct rule_context {
	struct rule_arena arena;
	const struct rule_vars *vars; /* names that rules may use */
	struct rule_names *bits; /* of flowbits and xbits; lives longer than the ruleset */
	struct rule_names *addresses, *ports; /* expressions as written, by number */
	struct rule_class *classes;
	unsigned n_classes;
	void **pcres; /* pcre2_code */
	unsigned n_pcres, pcres_room;
};

/* Takes code over, and its number in *index; false: out of memory, or too many. */
bool rule_context_keep_pcre(struct rule_context *context, void *code, uint16_t *index);
/* Frees those from first on. */
void rule_context_drop_pcres(struct rule_context *context, unsigned first);

const struct rule_class *rule_context_class(
	const struct rule_context *context, const char *name, size_t n);

#endif
