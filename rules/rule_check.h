/*
 * What files of rules come to, for operators: `vswitch-ctl rules check`, which needs no running
 * switch, and the switch's own answer to a reload. Control or compiler thread. No DPDK.
 */
#ifndef VS_RULE_CHECK_H
#define VS_RULE_CHECK_H

#include <stdint.h>
#include <jansson.h>

#include "rule_vars.h"
#include "ruleset.h"

struct rule_check_options {
	const struct rule_vars *vars; /* NULL: the default ones */
	const char *classes; /* a file like classification.config, or NULL */
	const uint16_t *ports; /* of inspected services */
	unsigned n_ports;
};

/*
 * {"loaded": 487, "refused": [{"file", "line", "sid", "keyword", "reason"}, ...],
 *  "unreachable": [{"file", "line", "sid", "reason"}, ...], "warnings": [the same, ...],
 *  "patterns", "always", "pcre-hyperscan", "pcre2", "bytes"}
 * The whole is good where refused is empty. NULL: out of memory.
 */
json_t *rule_check(
	const struct ruleset_source *sources, unsigned n, const struct rule_check_options *options);

/* The same facts about rules that are loaded already; report is what was refused. */
json_t *rule_check_ruleset(const struct ruleset *ruleset, const struct rule_report *report,
	const struct rule_check_options *options);

#endif
