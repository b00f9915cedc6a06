/*
 * What the store holds, as JSON for commands.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_store.h"
#include "inspect_store_state.h"
#include "worker.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* What worker w runs of what mark is about: by the snapshot that it met last. */
static uint64_t revision_at(const struct store_mark *mark, unsigned w)
{
	uint64_t met = counter_read(&workers[w]->met);

	return mark->since != STORE_UNPUBLISHED && met >= mark->since ? mark->now : mark->before;
}

static json_t *workers_json(const struct store_mark *mark)
{
	json_t *rows = json_array();

	for (unsigned w = 0; w < n_workers; w++)
		json_array_append_new(rows, json_pack("{s:i,s:I}", "core", (int)workers[w]->core,
						    "revision", (json_int_t)revision_at(mark, w)));
	return rows;
}

static const char *state_of(const struct store_tenant *tenant)
{
	const struct inspect_set *set = store_find_set(tenant->key);

	if (tenant->key[0] == '\0')
		return "no rules";
	if (tenant->error[0] != '\0')
		return "failed";
	return set == NULL ? "compiling" : "ready";
}

static json_t *left_out(const struct rule_report *report)
{
	json_t *rows = json_array();

	for (uint32_t i = 0; i < report->n; i++) {
		const struct rule_refusal *refusal = &report->refusals[i];

		json_array_append_new(
			rows, json_pack("{s:s,s:i,s:I,s:s,s:s}", "file", refusal->file, "line",
				      (int)refusal->line, "sid", (json_int_t)refusal->sid,
				      "keyword", refusal->keyword, "reason", refusal->reason));
	}
	return rows;
}

/* Of the rules that run. */
static void add_set(json_t *row, const struct store_profile *profile)
{
	const struct inspect_set *set = profile->set;
	struct rule_db_facts facts = rule_db_facts(set->db);

	json_object_set_new(row, "loaded", number(ruleset_count(set->ruleset)));
	json_object_set_new(row, "refused", number(set->left_out.n_all));
	json_object_set_new(row, "left_out", left_out(&set->left_out));
	json_object_set_new(row, "hash", json_sprintf("%016" PRIx64, ruleset_hash(set->ruleset)));
	json_object_set_new(row, "cached", json_boolean(facts.cached));
	json_object_set_new(row, "compile_ms", number(set->compile_ms));
	json_object_set_new(row, "bytes", number(facts.bytes + ruleset_bytes(set->ruleset)));
	json_object_set_new(row, "patterns", number(facts.patterns));
	if (profile->bind != NULL)
		json_object_set_new(row, "unknown_overrides", number(profile->bind->unknown));
}

static json_t *tenant_json(const struct store_tenant *tenant)
{
	const struct store_profile *profile = tenant->profile;
	json_t *row = json_object(), *files = json_array();

	for (unsigned i = 0; i < tenant->conf->n_rules; i++)
		json_array_append_new(files, json_string(tenant->conf->rules[i]));
	json_object_set_new(row, "tenant", json_string(tenant->conf->tenant));
	json_object_set_new(row, "state", json_string(state_of(tenant)));
	json_object_set_new(row, "revision", number(profile->profile.revision));
	json_object_set_new(row, "files", files);
	if (profile->set != NULL && profile->set->ruleset != NULL)
		add_set(row, profile);
	json_object_set_new(row, "workers", workers_json(&tenant->revision));
	json_object_set_new(
		row, "error", tenant->error[0] != '\0' ? json_string(tenant->error) : json_null());
	return row;
}

static json_t *reload_json(void)
{
	static const char *const names[] = {
		[STORE_NO_RELOAD] = "none",
		[STORE_RELOADING] = "running",
		[STORE_RELOADED] = "done",
		[STORE_RELOAD_FAILED] = "failed",
	};
	json_t *reload = json_object();

	json_object_set_new(reload, "number", number(inspect_store.reloads));
	json_object_set_new(reload, "state", json_string(names[inspect_store.reload]));
	json_object_set_new(reload, "changed", json_boolean(inspect_store.reload_changed));
	json_object_set_new(reload, "revision", number(inspect_store.reload_revision));
	json_object_set_new(reload, "error",
		inspect_store.reload_error[0] != '\0' ? json_string(inspect_store.reload_error)
						      : json_null());
	json_object_set_new(reload, "errors", config_report_json(&inspect_store.reload_report));
	return reload;
}

json_t *inspect_store_status(void)
{
	json_t *status = json_object(), *tenants = json_array();
	unsigned retired = 0;

	for (const struct inspect_set *set = inspect_store.dying; set != NULL; set = set->next)
		retired++;
	for (unsigned i = 0; i < inspect_store.n_tenants; i++)
		json_array_append_new(tenants, tenant_json(&inspect_store.tenants[i]));
	json_object_set_new(status, "revision", number(inspect_store.revision.now));
	json_object_set_new(status, "compiling", json_boolean(inspect_compiler_busy()));
	json_object_set_new(status, "workers", workers_json(&inspect_store.revision));
	json_object_set_new(status, "retired", number(retired));
	json_object_set_new(status, "reload", reload_json());
	json_object_set_new(status, "tenants", tenants);
	return status;
}

const char *inspect_store_problem(void)
{
	static char text[512];
	const struct store_tenant *first = NULL;
	char more[48] = "";
	unsigned n = 0;

	for (unsigned i = 0; i < inspect_store.n_tenants; i++) {
		const struct store_tenant *tenant = &inspect_store.tenants[i];

		if (tenant->error[0] == '\0')
			continue;
		if (first == NULL)
			first = tenant;
		n++;
	}
	if (first == NULL)
		return NULL;
	if (n > 1)
		snprintf(more, sizeof(more), " (and those of %u more tenants)", n - 1);
	snprintf(text, sizeof(text),
		"rules of tenant %s are not in force: %s%s; mend them, then `vswitch-ctl rules "
		"reload`",
		first->conf->tenant, first->error, more);
	return text;
}

/* "drop", or what an override makes of it. */
static const char *action_of(const struct rule_bind *bind, const struct rule *rule)
{
	return rule_bind_quarantines(bind, rule) ? "quarantine"
						 : rule_action_name(rule_bind_action(bind, rule));
}

static const char *rule_state(const struct store_tenant *tenant, const struct rule *rule)
{
	const struct inspect_profile *profile = &tenant->profile->profile;

	if (rule_bind_disabled(profile->bind, rule))
		return "disabled";
	if (!rule_bind_reachable(profile->bind, rule, profile->services, profile->n_services))
		return "out of reach";
	return "on";
}

static json_t *place(const struct rule *rule)
{
	return json_sprintf("%s:%" PRIu32, rule->file, rule->line);
}

static bool fits(const struct rule *rule, const char *filter)
{
	char sid[16];

	if (filter == NULL)
		return true;
	snprintf(sid, sizeof(sid), "%" PRIu32, rule->sid);
	return strcasestr(rule->msg, filter) != NULL || strcmp(sid, filter) == 0 ||
	       strcasestr(rule->classtype, filter) != NULL ||
	       strcasestr(rule->file, filter) != NULL;
}

static json_t *rule_json(const struct store_tenant *tenant, const struct rule *rule)
{
	json_t *row = json_pack("{s:s,s:I,s:I,s:I,s:s,s:s,s:s,s:s,s:i}", "tenant",
		tenant->conf->tenant, "sid", (json_int_t)rule->sid, "gid", (json_int_t)rule->gid,
		"rev", (json_int_t)rule->rev, "action",
		action_of(tenant->profile->profile.bind, rule), "state", rule_state(tenant, rule),
		"msg", rule->msg, "classtype", rule->classtype, "priority", rule->priority);

	json_object_set_new(row, "place", place(rule));
	return row;
}

/* False: there is no room for more. */
static bool add_rules(json_t *rows, const struct store_tenant *tenant, const char *filter)
{
	const struct store_profile *profile = tenant->profile;
	const struct ruleset *ruleset = profile->set != NULL ? profile->set->ruleset : NULL;

	for (uint32_t i = 0; ruleset != NULL && i < ruleset_count(ruleset); i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		if (!fits(rule, filter))
			continue;
		if (json_array_size(rows) == INSPECT_STORE_ROWS_MAX)
			return false;
		json_array_append_new(rows, rule_json(tenant, rule));
	}
	return true;
}

json_t *inspect_store_rules(const char *name, const char *filter)
{
	json_t *rows;
	bool all = true;

	if (name != NULL && store_find_tenant(name) == NULL)
		return NULL;
	rows = json_array();
	for (unsigned i = 0; all && i < inspect_store.n_tenants; i++)
		if (name == NULL || strcmp(inspect_store.tenants[i].conf->tenant, name) == 0)
			all = add_rules(rows, &inspect_store.tenants[i], filter);
	return json_pack("{s:o,s:b}", "rules", rows, "more", !all);
}

/* One rule of one set, and what it cost. */
struct line {
	const struct inspect_set *set;
	const struct rule *rule;
	struct detect_cost cost;
};

static int dearest_first(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->cost.cycles != y->cost.cycles)
		return x->cost.cycles < y->cost.cycles ? 1 : -1;
	return x->rule->sid < y->rule->sid ? -1 : x->rule->sid > y->rule->sid;
}

static json_t *tenants_of(const struct inspect_set *set)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < inspect_store.n_tenants; i++)
		if (inspect_store.tenants[i].profile->set == set)
			json_array_append_new(
				names, json_string(inspect_store.tenants[i].conf->tenant));
	return names;
}

static json_t *line_json(const struct line *line)
{
	const struct detect_cost *cost = &line->cost;
	json_t *row = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "sid",
		(json_int_t)line->rule->sid, "gid", (json_int_t)line->rule->gid, "checks",
		(json_int_t)cost->checks, "matches", (json_int_t)cost->matches, "alerts",
		(json_int_t)cost->alerts, "cycles", (json_int_t)cost->cycles, "cycles_per_check",
		(json_int_t)(cost->checks > 0 ? cost->cycles / cost->checks : 0), "msg",
		line->rule->msg);

	json_object_set_new(row, "tenants", tenants_of(line->set));
	json_object_set_new(row, "place", place(line->rule));
	return row;
}

/* Appends the rules of set that did or cost anything. */
static unsigned add_lines(struct line *lines, const struct inspect_set *set)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < ruleset_count(set->ruleset); i++) {
		struct line *line = &lines[n];

		*line = (struct line){set, ruleset_rule(set->ruleset, i), inspect_set_cost(set, i)};
		n += line->cost.checks > 0 || line->cost.matches > 0;
	}
	return n;
}

/* The sets that tenants run, or that of one tenant, each once. */
static unsigned running_sets(const struct inspect_set **sets, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < inspect_store.n_tenants; i++) {
		const struct store_tenant *tenant = &inspect_store.tenants[i];
		const struct inspect_set *set = tenant->profile->set;
		bool there = set == NULL || set->ruleset == NULL ||
			     (name != NULL && strcmp(name, tenant->conf->tenant) != 0);

		for (unsigned k = 0; k < n; k++)
			there |= sets[k] == set;
		if (!there)
			sets[n++] = set;
	}
	return n;
}

json_t *inspect_store_stats(const char *name)
{
	const struct inspect_set **sets;
	struct line *lines = NULL;
	json_t *rows = json_array();
	size_t room = 1, n = 0;
	unsigned n_sets = 0;

	if (name != NULL && store_find_tenant(name) == NULL) {
		json_decref(rows);
		return NULL;
	}
	sets = calloc(inspect_store.n_tenants + 1u, sizeof(*sets));
	if (sets != NULL)
		n_sets = running_sets(sets, name);
	for (unsigned i = 0; i < n_sets; i++)
		room += ruleset_count(sets[i]->ruleset);
	if (sets != NULL)
		lines = calloc(room, sizeof(*lines));
	for (unsigned i = 0; lines != NULL && i < n_sets; i++)
		n += add_lines(lines + n, sets[i]);
	if (n > 0)
		qsort(lines, n, sizeof(*lines), dearest_first);
	for (size_t i = 0; i < n && i < INSPECT_STORE_ROWS_MAX; i++)
		json_array_append_new(rows, line_json(&lines[i]));
	free(lines);
	free(sets);
	return json_pack("{s:o,s:b}", "rules", rows, "more", n > INSPECT_STORE_ROWS_MAX);
}
