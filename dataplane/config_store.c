#include "config_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "state_file.h"

#define APPLIED   "applied.json"
#define NEXT      ".applied.json.new" /* the link to the revision that is not in force yet */
#define NAME_SIZE 32 /* "revision-999999999.json" and a NUL */

struct config_store {
	char *dir;
	int fd; /* holds the lock */
};

/* What applied.json leads to. */
enum applied { APPLIED_NONE, APPLIED_REVISION, APPLIED_FILE, APPLIED_BROKEN };

static void revision_name(unsigned revision, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "revision-%u.json", revision);
}

/* The number in a name that revision_name() made; 0 for any other. */
static unsigned parse_revision(const char *name)
{
	char again[NAME_SIZE];
	unsigned revision;

	if (sscanf(name, "revision-%9u.json", &revision) != 1)
		return 0;
	revision_name(revision, again);
	return strcmp(name, again) ? 0 : revision;
}

struct config_store *config_store_open(const char *dir, struct config_error *err)
{
	struct config_store *store = calloc(1, sizeof(*store));

	err->text[0] = '\0';
	if (store) {
		store->fd = -1;
		store->dir = strdup(dir);
	}
	if (!store || !store->dir)
		config_error_set(err, "out of memory");
	else if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		config_error_set(
			err, "cannot make the state directory %s: %s", dir, strerror(errno));
	else if ((store->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		config_error_set(
			err, "cannot open the state directory %s: %s", dir, strerror(errno));
	else if (faccessat(store->fd, ".", W_OK, AT_EACCESS) < 0)
		config_error_set(
			err, "cannot write to the state directory %s: %s", dir, strerror(errno));
	else if (flock(store->fd, LOCK_EX | LOCK_NB) < 0)
		config_error_set(err,
			"cannot lock the state directory %s: %s; each switch needs its own", dir,
			errno == EWOULDBLOCK ? "another switch uses it" : strerror(errno));
	if (!err->text[0])
		return store;
	config_store_close(store);
	return NULL;
}

void config_store_close(struct config_store *store)
{
	if (!store)
		return;
	if (store->fd >= 0)
		close(store->fd);
	free(store->dir);
	free(store);
}

static int filter_revisions(const struct dirent *entry)
{
	return parse_revision(entry->d_name) != 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	unsigned ra = parse_revision((*a)->d_name), rb = parse_revision((*b)->d_name);

	return ra < rb ? 1 : ra > rb ? -1 : 0;
}

/* The revisions' numbers, newest first; the caller frees them. */
static unsigned *list_revisions(const struct config_store *store, unsigned *count)
{
	struct dirent **entries;
	int n = scandir(store->dir, &entries, filter_revisions, newest_first);
	unsigned *revisions;

	*count = 0;
	if (n < 0)
		return NULL;
	revisions = calloc((size_t)n + 1, sizeof(*revisions));
	for (int i = 0; i < n; i++) {
		if (revisions)
			revisions[(*count)++] = parse_revision(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return revisions;
}

unsigned config_store_next_revision(const struct config_store *store)
{
	unsigned count;
	unsigned *revisions = list_revisions(store, &count);
	unsigned next = count ? revisions[0] + 1 : 1;

	free(revisions);
	return next;
}

/* The revision that applied.json leads to, for APPLIED_REVISION. */
static enum applied find_applied(const struct config_store *store, unsigned *revision)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(store->fd, APPLIED, target, sizeof(target) - 1);

	*revision = 0;
	if (len < 0)
		return errno == ENOENT   ? APPLIED_NONE
		       : errno == EINVAL ? APPLIED_FILE
					 : APPLIED_BROKEN;
	target[len] = '\0';
	*revision = parse_revision(target);
	return *revision ? APPLIED_REVISION : APPLIED_BROKEN;
}

static bool link_fails(const struct config_store *store, struct config_error *err)
{
	config_error_set(
		err, "cannot make the link %s/%s: %s", store->dir, APPLIED, strerror(errno));
	return false;
}

/* A file that stays although it should not does no harm: the next save tries again. */
static void remove_old(const struct config_store *store)
{
	unsigned count;
	unsigned *revisions = list_revisions(store, &count);

	for (unsigned i = CONFIG_STORE_KEEP + 1; i < count; i++) {
		struct config_error err;
		char name[NAME_SIZE];

		revision_name(revisions[i], name);
		state_file_remove(store->dir, name, &err);
	}
	free(revisions);
}

bool config_store_write(struct config_store *store, const json_t *document, unsigned revision,
	struct config_error *err)
{
	unsigned next = config_store_next_revision(store);
	json_t *saved = json_copy((json_t *)(uintptr_t)document);
	char name[NAME_SIZE];
	bool ok;

	err->text[0] = '\0';
	json_object_del(saved, "vswitch");
	revision_name(revision, name);
	ok = revision >= next && revision <= CONFIG_STORE_REVISION_MAX;
	if (!ok)
		config_error_set(err, "cannot save revision %u in %s: the next one there is %u",
			revision, store->dir, next);
	ok = ok && state_file_write(store->dir, name, saved, err);
	json_decref(saved);
	if (!ok)
		return false;
	unlinkat(store->fd, NEXT, 0); /* left over from a crash */
	if (symlinkat(name, store->fd, NEXT) == 0)
		return true;
	link_fails(store, err);
	config_store_discard(store, revision);
	return false;
}

bool config_store_commit(struct config_store *store, struct config_error *err)
{
	err->text[0] = '\0';
	/* The new link takes the old one's place in one step. */
	if (renameat(store->fd, NEXT, store->fd, APPLIED) < 0)
		return link_fails(store, err);
	if (!state_file_sync(store->dir, err))
		return false;
	remove_old(store);
	return true;
}

bool config_store_save(struct config_store *store, const json_t *document, unsigned revision,
	struct config_error *err)
{
	return config_store_write(store, document, revision, err) &&
	       config_store_commit(store, err);
}

/* What cannot be removed does no harm: it is a revision that was never in force. */
void config_store_discard(struct config_store *store, unsigned revision)
{
	struct config_error err;
	char name[NAME_SIZE];

	revision_name(revision, name);
	unlinkat(store->fd, NEXT, 0);
	state_file_remove(store->dir, name, &err);
}

static struct config_doc *load(
	const struct config_store *store, const char *name, struct config_report *report)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", store->dir, name);
	return config_doc_from_file(path, report);
}

struct config_doc *config_store_load_applied(
	const struct config_store *store, unsigned *revision, struct config_report *report)
{
	switch (find_applied(store, revision)) {
	case APPLIED_NONE:
		return NULL;
	case APPLIED_FILE: /* put there by hand, from a backup for example */
		*revision = config_store_next_revision(store) - 1;
		break;
	case APPLIED_BROKEN:
		config_report_add(report, false, store->dir, 0, 0, "",
			"%s is no link to a revision in this directory: remove it to start with "
			"nothing applied, or point it at one",
			APPLIED);
		return NULL;
	case APPLIED_REVISION:
		break;
	}
	return load(store, APPLIED, report);
}

struct config_doc *config_store_load_revision(
	const struct config_store *store, unsigned revision, struct config_report *report)
{
	char name[NAME_SIZE];
	unsigned count;
	unsigned *revisions = list_revisions(store, &count);
	unsigned oldest = count ? revisions[count - 1] : 0;
	unsigned newest = count ? revisions[0] : 0;
	bool found = false;

	for (unsigned i = 0; i < count; i++)
		found |= revisions[i] == revision;
	free(revisions);
	revision_name(revision, name);
	if (found)
		return load(store, name, report);
	if (count)
		config_report_add(report, false, store->dir, 0, 0, "",
			"there is no revision %u: kept are %u to %u", revision, oldest, newest);
	else
		config_report_add(report, false, store->dir, 0, 0, "",
			"there is no revision %u: nothing was applied yet", revision);
	return NULL;
}

/* When the revision was saved, in UTC; empty where its file cannot be asked. */
static void saved_time(const struct config_store *store, unsigned revision, char text[32])
{
	char name[NAME_SIZE];
	struct stat st;
	struct tm tm;

	text[0] = '\0';
	revision_name(revision, name);
	if (fstatat(store->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		gmtime_r(&st.st_mtim.tv_sec, &tm))
		strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

json_t *config_store_list(const struct config_store *store)
{
	json_t *list = json_array();
	unsigned applied, count;
	unsigned *revisions = list_revisions(store, &count);

	find_applied(store, &applied);
	for (unsigned i = 0; i < count; i++) {
		char saved[32];

		saved_time(store, revisions[i], saved);
		json_array_append_new(
			list, json_pack("{s:i, s:s, s:b}", "revision", (int)revisions[i], "saved",
				      saved, "applied", revisions[i] == applied));
	}
	free(revisions);
	return list;
}
