#include "rule_check.h"

#include <stdlib.h>
#include <string.h>

#include "rule_bind.h"
#include "rule_compile.h"
#include "rule_fast.h"

/* Uses of a bit in all rules. */
enum { BIT_CHANGED = 1, BIT_ASKED = 2 };

static json_t *refusals(const struct rule_report *report)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < report->n; i++) {
		const struct rule_refusal *refusal = &report->refusals[i];

		json_array_append_new(
			list, json_pack("{s:s,s:i,s:I,s:s,s:s}", "file", refusal->file, "line",
				      (int)refusal->line, "sid", (json_int_t)refusal->sid,
				      "keyword", refusal->keyword, "reason", refusal->reason));
	}
	return list;
}

static void add(json_t *list, const struct rule *rule, const char *reason)
{
	json_array_append_new(
		list, json_pack("{s:s,s:i,s:I,s:s}", "file", rule->file, "line", (int)rule->line,
			      "sid", (json_int_t)rule->sid, "reason", reason));
}

static void add_unreachable(json_t *list, const struct ruleset *ruleset,
	const struct rule_check_options *options, const struct rule_vars *vars)
{
	char reason[RULE_REASON_MAX];
	unsigned unknown;
	struct rule_bind *bind = rule_bind_create(
		ruleset, vars, NULL, 0, &unknown, reason, sizeof(reason));

	for (uint32_t i = 0; bind && i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		if (!rule_bind_reachable(bind, rule, options->ports, options->n_ports))
			add(list, rule, "its ports or addresses fit no inspected service");
	}
	rule_bind_free(bind);
}

static bool asks(const struct rule_bit *bit)
{
	return bit->command == RULE_BIT_ISSET || bit->command == RULE_BIT_ISNOTSET;
}

static void note_bits(const struct rule *rule, uint8_t *uses)
{
	for (unsigned i = 0; i < rule->n_bits; i++)
		for (unsigned k = 0; k < rule->bits[i].n; k++)
			uses[rule->bits[i].names[k]] |= asks(&rule->bits[i]) ? BIT_ASKED
									     : BIT_CHANGED;
}

static void warn_about_bits(json_t *list, const struct rule *rule, const uint8_t *uses)
{
	for (unsigned i = 0; i < rule->n_bits; i++) {
		bool set = false;

		if (rule->bits[i].command != RULE_BIT_ISSET)
			continue;
		for (unsigned k = 0; k < rule->bits[i].n; k++)
			set |= uses[rule->bits[i].names[k]] & BIT_CHANGED;
		if (!set) {
			add(list, rule, "it waits for a bit that no rule here sets");
			return;
		}
	}
}

static void add_warnings(json_t *list, const struct ruleset *ruleset)
{
	uint8_t *uses = calloc(RULE_NO_NAME, sizeof(*uses));

	for (uint32_t i = 0; uses && i < ruleset_count(ruleset); i++)
		note_bits(ruleset_rule(ruleset, i), uses);
	for (uint32_t i = 0; uses && i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		warn_about_bits(list, rule, uses);
		if (rule->noalert && (rule->action == RULE_DROP || rule->action == RULE_REJECT))
			add(list, rule, "it drops and, having noalert, tells nobody");
		if (rule_has_items(rule) && rule->fast == RULE_NO_FAST)
			add(list, rule,
				"it has no content to search for: every record is evaluated");
		else if (rule_has_items(rule) &&
			 rule->items[rule->fast].content.len < RULE_FAST_MIN)
			add(list, rule, "its longest content is short: it is evaluated very often");
	}
	free(uses);
}

json_t *rule_check_ruleset(const struct ruleset *ruleset, const struct rule_report *report,
	const struct rule_check_options *options)
{
	struct rule_vars *own = options->vars ? NULL : rule_vars_create();
	const struct rule_vars *vars = options->vars ? options->vars : own;
	json_t *unreachable = json_array(), *warnings = json_array();
	char reason[RULE_REASON_MAX];
	struct rule_db_facts facts = {0};
	struct rule_db *db;
	json_t *refused = refusals(report);

	db = rule_compile(ruleset, NULL, reason, sizeof(reason));
	if (db)
		facts = rule_db_facts(db);
	else
		json_array_append_new(
			refused, json_pack("{s:s,s:i,s:i,s:s,s:s}", "file", "", "line", 0, "sid", 0,
					 "keyword", "", "reason", reason));
	rule_db_free(db);
	if (vars)
		add_unreachable(unreachable, ruleset, options, vars);
	add_warnings(warnings, ruleset);
	rule_vars_free(own);
	return json_pack("{s:I,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:I}", "loaded",
		(json_int_t)ruleset_count(ruleset), "refused", refused, "unreachable", unreachable,
		"warnings", warnings, "patterns", (json_int_t)facts.patterns, "always",
		(json_int_t)facts.always, "pcre-hyperscan", (json_int_t)facts.hyperscan_pcres,
		"pcre2", (json_int_t)facts.pcre2_pcres, "bytes",
		(json_int_t)(facts.bytes + ruleset_bytes(ruleset)));
}

json_t *rule_check(
	const struct ruleset_source *sources, unsigned n, const struct rule_check_options *options)
{
	struct ruleset_options load = {
		.vars = options->vars, .classes = options->classes, .skip_unsupported = true};
	struct rule_report report;
	struct ruleset *ruleset;
	json_t *result;

	rule_report_init(&report);
	ruleset = ruleset_load(sources, n, &load, &report);
	if (ruleset)
		result = rule_check_ruleset(ruleset, &report, options);
	else
		result = json_pack("{s:i,s:o,s:[],s:[]}", "loaded", 0, "refused", refusals(&report),
			"unreachable", "warnings");
	ruleset_free(ruleset);
	rule_report_free(&report);
	return result;
}
