/*
 * What the store of rules holds: its modules (inspect_store.c, inspect_store_check.c,
 * inspect_store_reload.c, inspect_store_show.c) share it, and nobody else. Control thread.
 */
#ifndef VS_INSPECT_STORE_STATE_H
#define VS_INSPECT_STORE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "config_report.h"
#include "inspect_profile.h"
#include "inspect_store_files.h"
#include "inspect_store_job.h"
#include "inspect_store_set.h"

/* A profile with what it stands on. */
struct store_profile {
	struct inspect_profile profile;
	struct config_allow allow[CONFIG_ALLOWED_MAX];
	struct addr_span exempt[CONFIG_ALLOWED_MAX];
	struct inspect_set *set; /* NULL: no database yet */
	struct inspect_bind *bind;
	bool unreachable; /* retired, and a snapshot was published since */
	struct store_profile *next; /* retired before it */
};

#define STORE_UNPUBLISHED UINT64_MAX

/* A revision on its way to the workers. */
struct store_mark {
	uint64_t now, before;
	uint64_t since; /* serial of the first snapshot with `now`, or STORE_UNPUBLISHED */
};

struct store_tenant {
	const struct config_inspection *conf; /* in inspect_store.config */
	uint16_t index; /* policy_tenant.index */
	char *key; /* of the set that it is to have */
	struct store_profile *profile;
	struct store_mark revision;
	char error[320]; /* why its rules are not those of the configuration; empty: they are */
};

enum store_reload { STORE_NO_RELOAD, STORE_RELOADING, STORE_RELOADED, STORE_RELOAD_FAILED };

struct inspect_store {
	bool started;
	char rules_dir[256];
	void (*changed)(void);
	struct config *config; /* a share of the one configured last; NULL: none */
	struct store_tenant *tenants; /* by name */
	unsigned n_tenants;
	struct inspect_set *sets; /* by key at most one: what tenants want */
	struct inspect_set *dying; /* replaced, or wanted by nobody */
	struct store_profile *retired;
	struct inspect_files *checked; /* read by a check, to be compiled */
	struct store_mark revision; /* rises with each set taken over */
	bool again; /* the configuration changed while something was compiled */

	enum store_reload reload; /* the last one */
	uint64_t reloads; /* how many were started */
	bool reload_changed;
	uint64_t reload_revision;
	char reload_error[320];
	struct config_report reload_report;
};

extern struct inspect_store inspect_store;

/* NULL: none. */
struct inspect_set *store_find_set(const char *key);
struct store_tenant *store_find_tenant(const char *name);
/* Whether a tenant is to have the set of key. */
bool store_wants(const char *key);

/* Takes what the last check read for key out of the list; NULL: nothing was. */
struct inspect_files *store_take_checked(const char *key);

/*
 * Adds refusals to report: as errors, or as warnings. conf is inspection[i] of its configuration,
 * or NULL where no field is to be named.
 */
void store_report(struct config_report *report, const struct rule_report *refusals,
	const struct inspect_files *files, const struct config_inspection *conf, unsigned i);

/* Tenants who want the set that item was to become know why they have not got it. */
void store_note_failure(const struct inspect_job_item *item);

/* Takes over the result of a job that reloads. True: sets changed. */
bool store_reloaded(struct inspect_job *job);
void store_next_revision(void);
/* Puts set in the place of the one with its key, as part of the next revision. */
void store_take_over(struct inspect_set *set);

#endif
