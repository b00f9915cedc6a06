#include "inspect_store_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config_vars.h"
#include "counters.h"

/* Variables and overrides as one text, equal where they are. NULL: out of memory. */
static char *spec_of(const struct config_inspection *conf)
{
	char *spec = NULL;
	size_t size;
	FILE *out = open_memstream(&spec, &size);

	if (out == NULL)
		return NULL;
	for (unsigned i = 0; i < conf->n_variables; i++)
		fprintf(out, "%s=%s\n", conf->variables[i].name, conf->variables[i].value);
	for (unsigned i = 0; i < conf->n_overrides; i++) {
		const struct config_override *o = &conf->overrides[i];

		fprintf(out, "%u %u:%u %s %u %s\n", o->kind, o->gid, o->sid, o->classtype, o->track,
			o->addresses);
	}
	if (fclose(out) == 0)
		return spec;
	free(spec);
	return NULL;
}

static struct rule_override override_of(const struct config_override *conf)
{
	return (struct rule_override){
		.kind = (enum rule_override_kind)conf->kind,
		.gid = conf->gid,
		.sid = conf->sid,
		.classtype = conf->sid == 0 ? conf->classtype : NULL,
		.track = (enum rule_track)conf->track,
		.addresses = conf->addresses[0] != '\0' ? conf->addresses : NULL,
	};
}

struct rule_bind *inspect_bind_rules(const struct ruleset *ruleset,
	const struct config_inspection *conf, unsigned *unknown, char *err, size_t err_len)
{
	struct rule_override *overrides = calloc(conf->n_overrides + 1u, sizeof(*overrides));
	struct rule_bind *bind = NULL;
	struct rule_vars *vars;
	unsigned at;

	*unknown = 0;
	if (overrides == NULL) {
		snprintf(err, err_len, "out of memory");
		return NULL;
	}
	for (unsigned i = 0; i < conf->n_overrides; i++)
		overrides[i] = override_of(&conf->overrides[i]);
	vars = config_vars_create(conf, &at, err, err_len);
	if (vars != NULL)
		bind = rule_bind_create(
			ruleset, vars, overrides, conf->n_overrides, unknown, err, err_len);
	rule_vars_free(vars);
	free(overrides);
	return bind;
}

static void free_bind(struct inspect_bind *bind)
{
	rule_bind_free(bind->bind);
	free(bind->spec);
	free(bind);
}

struct inspect_bind *inspect_set_bind(
	struct inspect_set *set, const struct config_inspection *conf, char *err, size_t err_len)
{
	struct inspect_bind *bind;
	char *spec;

	err[0] = '\0';
	if (set->ruleset == NULL)
		return NULL;
	spec = spec_of(conf);
	for (bind = set->binds; spec != NULL && bind != NULL; bind = bind->next)
		if (strcmp(bind->spec, spec) == 0) {
			free(spec);
			return bind;
		}
	bind = calloc(1, sizeof(*bind));
	if (bind == NULL || spec == NULL) {
		snprintf(err, err_len, "out of memory");
		free(spec);
		free(bind);
		return NULL;
	}
	bind->spec = spec;
	bind->bind = inspect_bind_rules(set->ruleset, conf, &bind->unknown, err, err_len);
	if (bind->bind == NULL) {
		free_bind(bind);
		return NULL;
	}
	bind->next = set->binds;
	set->binds = bind;
	return bind;
}

static unsigned now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* Keeps the first of report's refusals, and their number. */
static void keep_left_out(struct inspect_set *set, const struct rule_report *report)
{
	for (uint32_t i = 0; i < report->n && i < INSPECT_LEFT_OUT_MAX; i++)
		rule_report_add(&set->left_out, report->refusals[i].file, report->refusals[i].line,
			report->refusals[i].sid, report->refusals[i].keyword,
			report->refusals[i].reason);
	set->left_out.n_all = report->n_all;
}

static bool make_engines(struct inspect_set *set, unsigned n_workers)
{
	for (; set->n_engines < n_workers; set->n_engines++) {
		set->engines[set->n_engines] = detect_engine_create(set->db);
		if (set->engines[set->n_engines] == NULL)
			return false;
	}
	return true;
}

struct inspect_set *inspect_set_build(struct inspect_files *files, struct rule_names *bits,
	const char *cache, unsigned n_workers, struct rule_report *report, char *err,
	size_t err_len)
{
	struct inspect_set *set = calloc(1, sizeof(*set));
	unsigned since = now_ms();

	snprintf(err, err_len, "out of memory");
	if (set == NULL)
		return NULL;
	rule_report_init(&set->left_out);
	set->ruleset = inspect_files_load(files, bits, report);
	inspect_files_forget(files);
	if (set->ruleset != NULL)
		set->db = rule_compile(set->ruleset, cache[0] != '\0' ? cache : NULL, err, err_len);
	else
		snprintf(err, err_len, "rules are refused");
	if (set->db != NULL && !make_engines(set, n_workers))
		snprintf(err, err_len, "out of memory for the workers' streams");
	else if (set->db != NULL) {
		set->files = files;
		set->compile_ms = now_ms() - since;
		keep_left_out(set, report);
		return set;
	}
	inspect_set_free(set);
	return NULL;
}

struct inspect_set *inspect_set_none(void)
{
	static const struct config_inspection none;
	struct inspect_set *set = calloc(1, sizeof(*set));
	char err[64];

	if (set == NULL)
		return NULL;
	rule_report_init(&set->left_out);
	set->files = inspect_files_create("", &none, err, sizeof(err));
	if (set->files != NULL)
		return set;
	free(set);
	return NULL;
}

void inspect_set_free(struct inspect_set *set)
{
	if (set == NULL)
		return;
	while (set->binds != NULL) {
		struct inspect_bind *bind = set->binds;

		set->binds = bind->next;
		free_bind(bind);
	}
	for (unsigned i = 0; i < set->n_engines; i++)
		detect_engine_free(set->engines[i]);
	rule_db_free(set->db);
	ruleset_free(set->ruleset);
	rule_report_free(&set->left_out);
	inspect_files_free(set->files);
	free(set);
}

/* Workers, a bit each, whose flows hold its engine. */
static uint32_t holders(const struct inspect_set *set)
{
	uint32_t held = 0;

	for (unsigned i = 0; i < set->n_engines; i++)
		if (detect_engine_flows(set->engines[i]) > 0)
			held |= 1u << i;
	return held;
}

uint32_t inspect_set_flows(const struct inspect_set *set)
{
	uint32_t flows = 0;

	for (unsigned i = 0; i < set->n_engines; i++)
		flows += detect_engine_flows(set->engines[i]);
	return flows;
}

void inspect_set_tick(struct inspect_set *set)
{
	uint32_t held = holders(set);
	struct inspect_bind **at = &set->binds;

	while (*at != NULL) {
		struct inspect_bind *bind = *at;

		/* No profile leads to it: a flow that holds it now did so before. */
		if (bind->refs == 0)
			bind->held &= held;
		if (bind->refs > 0 || bind->held != 0) {
			at = &bind->next;
			continue;
		}
		*at = bind->next;
		free_bind(bind);
	}
	for (unsigned i = 0; i < set->n_engines; i++)
		detect_engine_refill(set->engines[i]);
}

struct detect_cost inspect_set_cost(const struct inspect_set *set, uint32_t rule)
{
	struct detect_cost sum = {0};

	for (unsigned i = 0; i < set->n_engines; i++) {
		const struct detect_cost *cost = &detect_engine_costs(set->engines[i])[rule];

		sum.checks += counter_read(&cost->checks);
		sum.matches += counter_read(&cost->matches);
		sum.alerts += counter_read(&cost->alerts);
		sum.cycles += counter_read(&cost->cycles);
	}
	return sum;
}
