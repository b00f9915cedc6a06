#include "local_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inspect_store_files.h"

#define FIELD_MAX 64

/* One entry of inspection while its files are looked at. */
struct entry {
	const struct inspect_files *files;
	unsigned index;
	struct config_report *report;
};

/* "inspection[0].rules[2]" for the file at that path. */
static void field_of(const struct entry *entry, const char *path, char field[FIELD_MAX])
{
	snprintf(field, FIELD_MAX, "inspection[%u].rules", entry->index);
	for (unsigned i = 0; i < entry->files->n; i++)
		if (!strcmp(entry->files->sources[i].name, path))
			snprintf(field, FIELD_MAX, "inspection[%u].rules[%u]", entry->index, i);
}

/* Whether all files can be read here; else it is said which cannot. */
static bool are_here(const struct entry *entry, const char *name)
{
	bool here = true;

	for (unsigned i = 0; i < entry->files->n; i++) {
		const char *path = entry->files->sources[i].name;
		char field[FIELD_MAX];

		if (access(path, R_OK) == 0)
			continue;
		field_of(entry, path, field);
		config_report_add(entry->report, true, name, 0, 0, field,
			"%s is not to be read here (%s), so its rules were not checked: the switch "
			"reads it when the configuration is applied, and refuses that without it",
			path, strerror(errno));
		here = false;
	}
	return here;
}

static void tell_refusals(const struct entry *entry, const struct rule_report *refusals)
{
	char field[FIELD_MAX], sid[32];

	for (uint32_t i = 0; i < refusals->n; i++) {
		const struct rule_refusal *refusal = &refusals->refusals[i];

		field_of(entry, refusal->file, field);
		sid[0] = '\0';
		if (refusal->sid)
			snprintf(sid, sizeof(sid), "sid %" PRIu32 ": ", refusal->sid);
		config_report_add(entry->report, false, refusal->file, refusal->line, 0, field,
			"%s%s%s%s", sid, refusal->keyword, refusal->keyword[0] ? ": " : "",
			refusal->reason);
	}
}

static void check_rules(const struct entry *entry, struct inspect_files *files, const char *name)
{
	struct ruleset *ruleset = NULL;
	struct rule_report refusals;
	char field[FIELD_MAX];

	rule_report_init(&refusals);
	if (inspect_files_read(files, &refusals))
		ruleset = inspect_files_load(files, NULL, &refusals);
	if (!ruleset) {
		tell_refusals(entry, &refusals);
	} else if (refusals.n_all > 0) {
		snprintf(field, sizeof(field), "inspection[%u].rules", entry->index);
		config_report_add(entry->report, true, name, 0, 0, field,
			"%" PRIu64 " of their rules are left out: `vswitch-ctl rules check FILE` "
			"lists them",
			refusals.n_all);
	}
	ruleset_free(ruleset);
	rule_report_free(&refusals);
}

void local_config_rules(const struct config *config, const char *name, struct config_report *report)
{
	char err[160];

	for (unsigned i = 0; i < config->n_inspection; i++) {
		const struct config_inspection *conf = &config->inspection[i];
		struct inspect_files *files = inspect_files_create(
			config->vswitch.rules, conf, err, sizeof(err));
		struct entry entry = {files, i, report};

		if (!files)
			config_report_add(report, false, name, 0, 0, "inspection", "%s", err);
		else if (are_here(&entry, name) && files->n > 0)
			check_rules(&entry, files, name);
		inspect_files_free(files);
	}
}
