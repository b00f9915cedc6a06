#include "inspect_store.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_debug.h>

#include "inspect_store_profile.h"
#include "inspect_store_state.h"
#include "log.h"
#include "path.h"
#include "worker.h"

struct inspect_store inspect_store;

/* Makes it if need be. What stands in it is believed: nobody else may write there. */
static bool prepare_cache(const char *dir)
{
	const char *why = NULL;
	struct stat st;

	if (path_make_parents(dir) != 0 || (mkdir(dir, 0700) != 0 && errno != EEXIST) ||
		lstat(dir, &st) != 0)
		why = strerror(errno);
	else if (!S_ISDIR(st.st_mode))
		why = "it is no directory";
	else if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		why = "others may write there: it must be vswitchd's own, with mode 0700";
	if (why != NULL)
		log_warning("compiled rules are not kept in %s: %s", dir, why);
	return why == NULL;
}

bool inspect_store_start(const char *rules_dir, const char *cache_dir, void (*changed)(void),
	char *err, size_t err_len)
{
	const char *cache = cache_dir;

	memset(&inspect_store, 0, sizeof(inspect_store));
	snprintf(inspect_store.rules_dir, sizeof(inspect_store.rules_dir), "%s", rules_dir);
	inspect_store.changed = changed;
	/* Without a cache all goes on, only slower. */
	if (cache[0] != '\0' && !prepare_cache(cache))
		cache = "";
	inspect_store.started = inspect_compiler_start(cache, err, err_len);
	return inspect_store.started;
}

static void free_sets(struct inspect_set **list)
{
	while (*list != NULL) {
		struct inspect_set *set = *list;

		*list = set->next;
		inspect_set_free(set);
	}
}

static void free_tenants(struct store_tenant *tenants, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(tenants[i].key);
	free(tenants);
}

void inspect_store_stop(void)
{
	if (!inspect_store.started)
		return;
	inspect_compiler_stop();
	for (unsigned i = 0; i < inspect_store.n_tenants; i++)
		store_profile_free(inspect_store.tenants[i].profile);
	free_tenants(inspect_store.tenants, inspect_store.n_tenants);
	while (inspect_store.retired != NULL) {
		struct store_profile *profile = inspect_store.retired;

		inspect_store.retired = profile->next;
		store_profile_free(profile);
	}
	free_sets(&inspect_store.sets);
	free_sets(&inspect_store.dying);
	while (inspect_store.checked != NULL)
		inspect_files_free(store_take_checked(inspect_store.checked->key));
	config_free(inspect_store.config);
	memset(&inspect_store, 0, sizeof(inspect_store));
}

int inspect_store_fd(void)
{
	return inspect_compiler_fd();
}

struct inspect_set *store_find_set(const char *key)
{
	struct inspect_set *set = inspect_store.sets;

	while (set != NULL && strcmp(set->files->key, key) != 0)
		set = set->next;
	return set;
}

static int by_name(const void *a, const void *b)
{
	const struct store_tenant *x = a, *y = b;

	return strcmp(x->conf->tenant, y->conf->tenant);
}

struct store_tenant *store_find_tenant(const char *name)
{
	unsigned low = 0, high = inspect_store.n_tenants;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		struct store_tenant *tenant = &inspect_store.tenants[middle];
		int order = strcmp(name, tenant->conf->tenant);

		if (order == 0)
			return tenant;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool store_wants(const char *key)
{
	for (unsigned i = 0; i < inspect_store.n_tenants; i++)
		if (strcmp(inspect_store.tenants[i].key, key) == 0)
			return true;
	return false;
}

const struct inspect_profile *inspect_store_profile(const char *tenant)
{
	const struct store_tenant *found = store_find_tenant(tenant);

	return found != NULL ? &found->profile->profile : NULL;
}

static void retire(struct store_profile *profile)
{
	if (profile == NULL)
		return;
	profile->next = inspect_store.retired;
	inspect_store.retired = profile;
}

static void move_mark(struct store_mark *mark, uint64_t revision)
{
	if (mark->now == revision)
		return;
	if (mark->since != STORE_UNPUBLISHED)
		mark->before = mark->now;
	mark->now = revision;
	mark->since = STORE_UNPUBLISHED;
}

void store_next_revision(void)
{
	move_mark(&inspect_store.revision, inspect_store.revision.now + 1);
}

/* What a tenant's profile is to stand on: the set that it wants, or what it has until that is
 * there. */
static struct inspect_bind *choose(struct store_tenant *tenant, struct inspect_set **set)
{
	const struct store_profile *old = tenant->profile;
	struct inspect_set *wanted = store_find_set(tenant->key);
	struct inspect_bind *bind = NULL;
	char err[256] = "";

	*set = wanted != NULL || old == NULL ? wanted : old->set;
	if (*set != NULL)
		bind = inspect_set_bind(*set, tenant->conf, err, sizeof(err));
	if (err[0] != '\0' && *set == wanted) {
		snprintf(tenant->error, sizeof(tenant->error), "%s", err);
		log_error("tenant %s: its rules are not in force: %s", tenant->conf->tenant, err);
	} else if (wanted != NULL) {
		tenant->error[0] = '\0';
	}
	if (bind != NULL || err[0] == '\0')
		return bind;
	/* What held before holds on, where there was something. */
	*set = old != NULL ? old->set : NULL;
	return old != NULL ? old->bind : NULL;
}

/* Brings the profile up to date. True: workers are to have another one. */
static bool renew(struct store_tenant *tenant)
{
	uint64_t hz = n_workers > 0 ? workers[0]->hz : rte_get_tsc_hz();
	struct store_profile *made;
	struct inspect_bind *bind;
	struct inspect_set *set;

	bind = choose(tenant, &set);
	made = store_profile_create(tenant->conf, tenant->index, set, bind, hz);
	if (made == NULL)
		rte_panic("out of memory\n");
	if (tenant->profile != NULL && store_profile_same(made, tenant->profile)) {
		store_profile_free(made);
		return false;
	}
	retire(tenant->profile);
	tenant->profile = made;
	move_mark(&tenant->revision, made->profile.revision);
	return true;
}

/* Sets that no tenant wants any more: profiles may still lead to them. */
static void drop_unwanted(void)
{
	struct inspect_set **at = &inspect_store.sets;

	while (*at != NULL) {
		struct inspect_set *set = *at;

		if (store_wants(set->files->key)) {
			at = &set->next;
			continue;
		}
		*at = set->next;
		set->next = inspect_store.dying;
		inspect_store.dying = set;
	}
}

void store_take_over(struct inspect_set *set)
{
	struct inspect_set **at = &inspect_store.sets;

	while (*at != NULL && strcmp((*at)->files->key, set->files->key) != 0)
		at = &(*at)->next;
	if (*at != NULL) {
		struct inspect_set *old = *at;

		*at = old->next;
		old->next = inspect_store.dying;
		inspect_store.dying = old;
	}
	set->revision = inspect_store.revision.now;
	set->next = inspect_store.sets;
	inspect_store.sets = set;
}

/* The tenant's files as a check has read them, else to be read. NULL: the tenant has an error. */
static struct inspect_files *files_for(struct store_tenant *tenant)
{
	struct inspect_files *files = store_take_checked(tenant->key);
	char err[256];

	if (files == NULL)
		files = inspect_files_create(
			inspect_store.rules_dir, tenant->conf, err, sizeof(err));
	if (files == NULL)
		snprintf(tenant->error, sizeof(tenant->error), "rules: %s", err);
	return files;
}

static bool has_item(const struct inspect_job *job, const char *key)
{
	for (unsigned i = 0; i < job->n; i++)
		if (strcmp(job->items[i].files->key, key) == 0)
			return true;
	return false;
}

/* Has the sets compiled that tenants want and nobody has tried yet. */
static void compile_missing(void)
{
	struct inspect_job *job;

	inspect_store.again = inspect_compiler_busy();
	if (inspect_store.again)
		return;
	job = inspect_job_create(inspect_store.n_tenants);
	for (unsigned i = 0; job != NULL && i < inspect_store.n_tenants; i++) {
		struct store_tenant *tenant = &inspect_store.tenants[i];

		if (tenant->error[0] != '\0' || store_find_set(tenant->key) != NULL ||
			has_item(job, tenant->key))
			continue;
		job->items[job->n].files = files_for(tenant);
		job->n += job->items[job->n].files != NULL;
	}
	if (job == NULL || job->n == 0) {
		inspect_job_free(job);
		return;
	}
	job->config = config_share(inspect_store.config);
	job->n_workers = n_workers;
	memcpy(job->rules_dir, inspect_store.rules_dir, sizeof(job->rules_dir));
	inspect_compiler_submit(job);
}

/* A set of no files needs no compiler. */
static void make_none(void)
{
	struct inspect_set *set;

	if (!store_wants("") || store_find_set("") != NULL)
		return;
	set = inspect_set_none();
	if (set == NULL)
		rte_panic("out of memory\n");
	store_next_revision();
	store_take_over(set);
}

static void take_tenant(
	struct store_tenant *tenant, const struct config_inspection *conf, uint16_t index)
{
	struct store_tenant *old = store_find_tenant(conf->tenant);

	*tenant = (struct store_tenant){.conf = conf, .index = index};
	tenant->key = inspect_files_key(inspect_store.rules_dir, conf);
	if (tenant->key == NULL)
		rte_panic("out of memory\n");
	tenant->revision.since = STORE_UNPUBLISHED;
	if (old == NULL)
		return;
	tenant->profile = old->profile;
	tenant->revision = old->revision;
	old->profile = NULL;
}

void inspect_store_configure(
	const struct config *config, uint16_t (*tenant_index)(const char *tenant))
{
	struct config *before = inspect_store.config;
	struct store_tenant *tenants = calloc(config->n_inspection + 1u, sizeof(*tenants));
	struct config *share = config_share(config);

	if (tenants == NULL)
		rte_panic("out of memory\n");
	for (unsigned i = 0; i < share->n_inspection; i++)
		take_tenant(&tenants[i], &share->inspection[i],
			tenant_index(share->inspection[i].tenant));
	for (unsigned i = 0; i < inspect_store.n_tenants; i++)
		retire(inspect_store.tenants[i].profile);
	free_tenants(inspect_store.tenants, inspect_store.n_tenants);
	qsort(tenants, share->n_inspection, sizeof(*tenants), by_name);
	inspect_store.tenants = tenants;
	inspect_store.n_tenants = share->n_inspection;
	inspect_store.config = share;
	make_none();
	for (unsigned i = 0; i < inspect_store.n_tenants; i++)
		renew(&tenants[i]);
	config_free(before);
	drop_unwanted();
	compile_missing();
}

void store_note_failure(const struct inspect_job_item *item)
{
	for (unsigned i = 0; i < inspect_store.n_tenants; i++) {
		struct store_tenant *tenant = &inspect_store.tenants[i];
		char first[256] = "";

		if (strcmp(tenant->key, item->files->key) != 0)
			continue;
		if (item->report.n > 0)
			rule_report_format(&item->report.refusals[0], first, sizeof(first));
		snprintf(tenant->error, sizeof(tenant->error), "%s",
			first[0] != '\0' ? first : item->error);
		log_error("tenant %s: its rules are not loaded: %s", tenant->conf->tenant,
			tenant->error);
	}
}

/* True: a set was taken over. */
static bool take_results(struct inspect_job *job)
{
	bool changed = false;

	for (unsigned i = 0; i < job->n; i++) {
		struct inspect_job_item *item = &job->items[i];

		if (item->set == NULL) {
			store_note_failure(item);
		} else if (store_wants(item->set->files->key)) {
			if (!changed)
				store_next_revision();
			changed = true;
			store_take_over(item->set);
			log_info("rules revision %" PRIu64 ": %u rules of %s, %s in %u ms",
				inspect_store.revision.now, ruleset_count(item->set->ruleset),
				item->set->files->sources[0].name,
				rule_db_facts(item->set->db).cached ? "from the cache" : "compiled",
				item->set->compile_ms);
			item->set = NULL;
		}
	}
	return changed;
}

void inspect_store_poll(void)
{
	struct inspect_job *job = inspect_compiler_take();
	bool taken, changed = false;

	if (job == NULL)
		return;
	taken = job->reload ? store_reloaded(job) : take_results(job);
	inspect_job_free(job);
	for (unsigned i = 0; taken && i < inspect_store.n_tenants; i++)
		changed |= renew(&inspect_store.tenants[i]);
	if (inspect_store.again)
		compile_missing();
	if (changed)
		inspect_store.changed();
}

bool inspect_store_wait(char *err, size_t err_len)
{
	while (inspect_compiler_busy()) {
		struct pollfd pfd = {.fd = inspect_compiler_fd(), .events = POLLIN};

		if (poll(&pfd, 1, -1) > 0)
			inspect_store_poll();
	}
	for (unsigned i = 0; i < inspect_store.n_tenants; i++) {
		const struct store_tenant *tenant = &inspect_store.tenants[i];

		if (tenant->error[0] == '\0')
			continue;
		snprintf(err, err_len, "tenant %s: %s", tenant->conf->tenant, tenant->error);
		return false;
	}
	return true;
}

static void mark_published(struct store_mark *mark, uint64_t serial)
{
	if (mark->since == STORE_UNPUBLISHED)
		mark->since = serial;
}

void inspect_store_published(void)
{
	const struct snapshot *snapshot = snapshot_current();
	uint64_t serial = snapshot != NULL ? snapshot->serial : 0;

	for (struct store_profile *p = inspect_store.retired; p != NULL; p = p->next)
		p->unreachable = true;
	for (unsigned i = 0; i < inspect_store.n_tenants; i++)
		mark_published(&inspect_store.tenants[i].revision, serial);
	mark_published(&inspect_store.revision, serial);
}

static void free_retired(void)
{
	struct store_profile **at = &inspect_store.retired;

	while (*at != NULL) {
		struct store_profile *profile = *at;

		if (!profile->unreachable) {
			at = &profile->next;
			continue;
		}
		*at = profile->next;
		store_profile_free(profile);
	}
}

void inspect_store_tick(void)
{
	struct inspect_set **at = &inspect_store.dying;

	free_retired();
	while (*at != NULL) {
		struct inspect_set *set = *at;

		if (set->refs > 0 || inspect_set_flows(set) > 0) {
			inspect_set_tick(set);
			at = &set->next;
			continue;
		}
		*at = set->next;
		inspect_set_free(set);
	}
	for (struct inspect_set *set = inspect_store.sets; set != NULL; set = set->next)
		inspect_set_tick(set);
}
