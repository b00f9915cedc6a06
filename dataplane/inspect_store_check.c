/*
 * Whether the rules of a configuration that is to come can be had, before anything is changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_store.h"
#include "inspect_store_state.h"

struct inspect_files *store_take_checked(const char *key)
{
	struct inspect_files **at = &inspect_store.checked, *found;

	while (*at != NULL && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	found = *at;
	if (found != NULL) {
		*at = found->next;
		found->next = NULL;
	}
	return found;
}

/* What a check read and nobody asked for: its configuration never came. */
static void forget_checked(void)
{
	while (inspect_store.checked != NULL)
		inspect_files_free(store_take_checked(inspect_store.checked->key));
}

/* "inspection[0].rules[2]" for the file that a refusal is about. */
static void field_of(char field[64], const struct inspect_files *files,
	const struct config_inspection *conf, unsigned i, const char *file)
{
	field[0] = '\0';
	if (conf == NULL)
		return;
	snprintf(field, 64, "inspection[%u].rules", i);
	for (unsigned j = 0; j < files->n; j++)
		if (strcmp(files->sources[j].name, file) == 0)
			snprintf(field, 64, "inspection[%u].rules[%u]", i, j);
}

void store_report(struct config_report *report, const struct rule_report *refusals,
	const struct inspect_files *files, const struct config_inspection *conf, unsigned i)
{
	char field[64], sid[32];

	for (uint32_t r = 0; r < refusals->n; r++) {
		const struct rule_refusal *refusal = &refusals->refusals[r];

		field_of(field, files, conf, i, refusal->file);
		sid[0] = '\0';
		if (refusal->sid != 0)
			snprintf(sid, sizeof(sid), "sid %u: ", refusal->sid);
		config_report_add(report, false, refusal->file, refusal->line, 0, field, "%s%s%s%s",
			sid, refusal->keyword, refusal->keyword[0] != '\0' ? ": " : "",
			refusal->reason);
	}
}

static void complain(struct config_report *report, bool warning, unsigned i, const char *member,
	const char *text)
{
	char field[64];

	snprintf(field, sizeof(field), "inspection[%u]%s", i, member);
	config_report_add(report, warning, "vswitchd", 0, 0, field, "%s", text);
}

/* Whether rules can be bound for conf. */
static bool check_bind(const struct ruleset *ruleset, const struct config_inspection *conf,
	unsigned i, struct config_report *report)
{
	char err[256], text[128];
	unsigned unknown;
	struct rule_bind *bind = inspect_bind_rules(ruleset, conf, &unknown, err, sizeof(err));

	if (bind == NULL) {
		complain(report, false, i, "", err);
		return false;
	}
	if (unknown > 0) {
		snprintf(text, sizeof(text),
			"%u override%s no rule of this tenant: see `vswitch-ctl rules list`",
			unknown, unknown == 1 ? " names" : "s name");
		complain(report, true, i, ".overrides", text);
	}
	rule_bind_free(bind);
	return true;
}

/* Reads conf's files and keeps them for who compiles. NULL: refused. */
static struct ruleset *load(
	const struct config_inspection *conf, unsigned i, struct config_report *report)
{
	struct ruleset *ruleset = NULL;
	struct rule_report refusals;
	struct inspect_files *files;
	char err[256], text[128];

	files = inspect_files_create(inspect_store.rules_dir, conf, err, sizeof(err));
	if (files == NULL) {
		complain(report, false, i, "", err);
		return NULL;
	}
	rule_report_init(&refusals);
	if (inspect_files_read(files, &refusals))
		ruleset = inspect_files_load(files, NULL, &refusals);
	if (ruleset == NULL) {
		store_report(report, &refusals, files, conf, i);
		inspect_files_free(files);
	} else {
		if (refusals.n_all > 0) {
			snprintf(text, sizeof(text),
				"%llu rules are left out: `vswitch-ctl rules check FILE` lists "
				"them",
				(unsigned long long)refusals.n_all);
			complain(report, true, i, ".rules", text);
		}
		files->next = inspect_store.checked;
		inspect_store.checked = files;
	}
	rule_report_free(&refusals);
	return ruleset;
}

/* Whether an inspection before the i-th has the same files; *ruleset is theirs then. */
static bool seen_before(
	char *const *keys, struct ruleset *const *rulesets, unsigned i, struct ruleset **ruleset)
{
	for (unsigned k = 0; k < i; k++)
		if (strcmp(keys[k], keys[i]) == 0) {
			*ruleset = rulesets[k];
			return true;
		}
	return false;
}

static bool same(const void *a, const void *b, size_t size)
{
	return size == 0 || memcmp(a, b, size) == 0;
}

/* Whether conf binds rules as the tenant has them bound already. */
static bool is_bound(const struct config_inspection *conf)
{
	const struct store_tenant *tenant = store_find_tenant(conf->tenant);

	return tenant != NULL && tenant->conf->n_variables == conf->n_variables &&
	       tenant->conf->n_overrides == conf->n_overrides &&
	       same(tenant->conf->variables, conf->variables,
		       conf->n_variables * sizeof(*conf->variables)) &&
	       same(tenant->conf->overrides, conf->overrides,
		       conf->n_overrides * sizeof(*conf->overrides));
}

/* The rules of a key that a tenant is to have are in force, or on their way, or have failed and are
 * shown as such: a change of something else need not wait for them. */
static bool check_one(const struct config *config, unsigned i, char *const *keys,
	struct ruleset **rulesets, struct config_report *report)
{
	const struct config_inspection *conf = &config->inspection[i];
	const struct inspect_set *set = store_find_set(keys[i]);

	if (keys[i][0] == '\0')
		return true;
	if (store_wants(keys[i]))
		return set == NULL || is_bound(conf) || check_bind(set->ruleset, conf, i, report);
	if (!seen_before(keys, rulesets, i, &rulesets[i]))
		rulesets[i] = load(conf, i, report);
	return rulesets[i] != NULL && check_bind(rulesets[i], conf, i, report);
}

/* The same of a configuration that was taken before: the tenant is to have its rules or none. */
static void check_restored(const struct config *config, unsigned i, char *const *keys,
	struct ruleset **rulesets, struct config_report *report)
{
	struct config_report own;
	char text[256];

	config_report_init(&own);
	if (!check_one(config, i, keys, rulesets, &own)) {
		snprintf(text, sizeof(text),
			"tenant %s has none of its rules, and `no-database` holds for it, until "
			"they are mended and `vswitch-ctl rules reload` has read them",
			config->inspection[i].tenant);
		complain(report, true, i, ".rules", text);
	}
	for (unsigned m = 0; m < own.n_messages; m++) {
		const struct config_message *message = &own.messages[m];

		config_report_add(report, true, message->file, message->line, message->col,
			message->field, "%s", message->text);
	}
}

static void free_all(const struct config *config, char **keys, struct ruleset **rulesets)
{
	struct ruleset *shared;

	/* From the end: who was first has it. */
	for (unsigned i = config->n_inspection; i-- > 0;)
		if (!seen_before(keys, rulesets, i, &shared))
			ruleset_free(rulesets[i]);
	for (unsigned i = 0; i < config->n_inspection; i++)
		free(keys[i]);
	free(keys);
	free(rulesets);
}

bool inspect_store_check(const struct config *config, bool restore, struct config_report *report)
{
	char **keys = calloc(config->n_inspection + 1u, sizeof(*keys));
	struct ruleset **rulesets = calloc(config->n_inspection + 1u, sizeof(*rulesets));
	bool done = keys != NULL && rulesets != NULL;

	forget_checked();
	for (unsigned i = 0; done && i < config->n_inspection; i++) {
		keys[i] = inspect_files_key(inspect_store.rules_dir, &config->inspection[i]);
		done = keys[i] != NULL;
	}
	if (!done) {
		config_report_add(report, false, "vswitchd", 0, 0, "inspection", "out of memory");
		for (unsigned i = 0; keys != NULL && i < config->n_inspection; i++)
			free(keys[i]);
		free(keys);
		free(rulesets);
		return false;
	}
	for (unsigned i = 0; i < config->n_inspection; i++) {
		if (restore)
			check_restored(config, i, keys, rulesets, report);
		else
			done &= check_one(config, i, keys, rulesets, report);
	}
	free_all(config, keys, rulesets);
	if (!done)
		forget_checked();
	return done;
}
