/*
 * Addresses and ports as rules write them: "$HOME_NET", "[10.0.0.0/8,!10.1.0.0/16]", "1024:",
 * "!$HTTP_PORTS"; and the variables that they name. Each tenant may have variables of its own, so
 * an expression is kept as text and becomes numbers only where it is bound (rule_bind.h).
 *
 * Control or compiler thread. No DPDK.
 */
#ifndef VS_RULE_VARS_H
#define VS_RULE_VARS_H

#include <stdbool.h>
#include <stddef.h>

#include "rule_spans.h"

#define RULE_VARS_NAMES_MAX 256
#define RULE_EXPR_MAX       8192 /* characters of one expression or value */
#define RULE_EXPR_DEPTH     30 /* variables in variables and lists in lists */
#define RULE_EXPR_SPANS     65536 /* that one expression may become */

enum rule_vars_kind {
	RULE_VARS_ADDRESSES,
	RULE_VARS_PORTS,
	RULE_VARS_KINDS,
};

struct rule_vars;

/*
 * With the variables that Suricata's own configuration has; all networks and servers are "any":
 * what attacks a guest here is most often its neighbour. NULL: out of memory.
 */
struct rule_vars *rule_vars_create(void);
struct rule_vars *rule_vars_copy(const struct rule_vars *vars);
void rule_vars_free(struct rule_vars *vars);

/* Defines or replaces. False, with a reason of up to size bytes: vars is as it was. */
bool rule_vars_set(struct rule_vars *vars, enum rule_vars_kind kind, const char *name,
	const char *value, char *reason, size_t size);
/* NULL: not defined. */
const char *rule_vars_get(
	const struct rule_vars *vars, enum rule_vars_kind kind, const char *name, size_t n);

/*
 * The numbers that an expression stands for, settled, in *set (starts empty; the caller frees it
 * in any case). Lists in lists are one list; what is negated is taken away from the whole. May be
 * nothing at all ("!any"). False, with a reason, where it is no expression.
 */
bool rule_vars_resolve(const struct rule_vars *vars, enum rule_vars_kind kind, const char *text,
	struct rule_spans *set, char *reason, size_t size);

#endif
