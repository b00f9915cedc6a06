/*
 * The files of all tenants once more, while the switch runs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "inspect_store.h"
#include "inspect_store_state.h"
#include "log.h"
#include "worker.h"

#define LOGGED_MAX 8 /* refusals of one set that go to the log */

/* An item for each set that tenants want. False: out of memory, or a variable means nothing. */
static bool add_items(struct inspect_job *job, char *err, size_t err_len)
{
	for (unsigned i = 0; i < inspect_store.n_tenants; i++) {
		const struct store_tenant *tenant = &inspect_store.tenants[i];
		const struct inspect_set *set = store_find_set(tenant->key);
		bool there = tenant->key[0] == '\0';

		for (unsigned k = 0; k < job->n; k++)
			there |= strcmp(job->items[k].files->key, tenant->key) == 0;
		if (there)
			continue;
		job->items[job->n].files = inspect_files_create(
			inspect_store.rules_dir, tenant->conf, err, err_len);
		if (job->items[job->n].files == NULL)
			return false;
		job->items[job->n].running = set != NULL;
		job->items[job->n].hash = set != NULL ? set->files->hash : 0;
		job->n++;
	}
	return true;
}

bool inspect_store_reload(char *err, size_t err_len)
{
	struct inspect_job *job;

	if (inspect_compiler_busy()) {
		snprintf(err, err_len,
			"rules are being compiled already: try again when `rules status` says "
			"that they are ready");
		return false;
	}
	snprintf(err, err_len, "out of memory");
	job = inspect_job_create(inspect_store.n_tenants);
	if (job == NULL || !add_items(job, err, err_len)) {
		inspect_job_free(job);
		return false;
	}
	if (job->n == 0) {
		snprintf(err, err_len,
			"no tenant has files of rules: `inspection: - rules` names them");
		inspect_job_free(job);
		return false;
	}
	job->reload = true;
	job->config = config_share(inspect_store.config);
	job->n_workers = n_workers;
	memcpy(job->rules_dir, inspect_store.rules_dir, sizeof(job->rules_dir));
	inspect_store.reload = STORE_RELOADING;
	inspect_store.reloads++;
	inspect_store.reload_error[0] = '\0';
	inspect_store.reload_changed = false;
	config_report_init(&inspect_store.reload_report);
	inspect_compiler_submit(job);
	return true;
}

static void log_refusals(const struct rule_report *refusals)
{
	char text[768];

	for (uint32_t i = 0; i < refusals->n && i < LOGGED_MAX; i++) {
		rule_report_format(&refusals->refusals[i], text, sizeof(text));
		log_error("%s", text);
	}
}

static void note_failure(const struct inspect_job *job)
{
	char *error = inspect_store.reload_error;

	for (unsigned i = 0; i < job->n; i++) {
		const struct inspect_job_item *item = &job->items[i];

		if (item->error[0] == '\0')
			continue;
		store_report(&inspect_store.reload_report, &item->report, item->files, NULL, 0);
		log_refusals(&item->report);
		if (error[0] == '\0')
			snprintf(error, sizeof(inspect_store.reload_error),
				"nothing is changed: %s", item->error);
		if (!item->running)
			store_note_failure(item);
	}
	inspect_store.reload = STORE_RELOAD_FAILED;
	log_error("rules reload: %s", error);
}

bool store_reloaded(struct inspect_job *job)
{
	bool changed = false;

	if (job->failed) {
		note_failure(job);
		return false;
	}
	for (unsigned i = 0; i < job->n; i++) {
		struct inspect_set *set = job->items[i].set;

		/* The configuration may have changed in the meantime. */
		if (set == NULL || !store_wants(set->files->key))
			continue;
		if (!changed)
			store_next_revision();
		changed = true;
		store_take_over(set);
		job->items[i].set = NULL;
	}
	inspect_store.reload = STORE_RELOADED;
	inspect_store.reload_changed = changed;
	inspect_store.reload_revision = inspect_store.revision.now;
	log_info("rules reload: %s, revision %" PRIu64,
		changed ? "changed files are compiled" : "no file has changed",
		inspect_store.revision.now);
	return changed;
}
