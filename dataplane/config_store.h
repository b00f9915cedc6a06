/*
 * The configuration that outlives the process: what was applied last, by file or by command, and
 * the revisions before it. Owned by the control thread, for it waits for the disk; no DPDK here.
 *
 * In the directory: revision-N.json, each a document that can be read as a configuration file, and
 * the link applied.json to the one in force. The vswitch section is never in them: it always comes
 * from the file that the switch is started with.
 */
#ifndef VS_CONFIG_STORE_H
#define VS_CONFIG_STORE_H

#include <stdbool.h>

#include <jansson.h>

#include "config_doc.h"
#include "config_report.h"

#define CONFIG_STORE_KEEP         10 /* revisions kept beside the one in force */
#define CONFIG_STORE_REVISION_MAX 999999999

struct config_store;

/*
 * Opens the directory, made with mode 0700 where it is missing, and locks it until
 * config_store_close(), so that no second switch uses it. NULL with the reason in err.
 */
struct config_store *config_store_open(const char *dir, struct config_error *err);

void config_store_close(struct config_store *store);

/* The number to save under next: one above every revision that is there; 1 in an empty store. */
unsigned config_store_next_revision(const struct config_store *store);

/*
 * Saves the sections networks, ports and replay of document as revision, which must be no lower
 * than config_store_next_revision(). It is not in force yet: config_store_commit() makes it so, or
 * config_store_discard() removes it. So a full disk shows before anything is changed. False with
 * the reason in err: nothing was saved.
 */
bool config_store_write(struct config_store *store, const json_t *document, unsigned revision,
	struct config_error *err);

/*
 * Puts what was written last in force. After a crash at any moment either this one or the one
 * before is. Revisions beyond those kept are removed. False with the reason in err: what was in
 * force still is; or the disk failed to keep the change ("sync"), and only a restart tells.
 */
bool config_store_commit(struct config_store *store, struct config_error *err);

/* Both at once. */
bool config_store_save(struct config_store *store, const json_t *document, unsigned revision,
	struct config_error *err);

/* revision: that was written last, and config_store_commit() was not called. */
void config_store_discard(struct config_store *store, unsigned revision);

/*
 * The document in force and its revision. NULL without an error in report: nothing was saved yet;
 * NULL with one: what is there cannot be used. Free with config_doc_free().
 */
struct config_doc *config_store_load_applied(
	const struct config_store *store, unsigned *revision, struct config_report *report);

/* An earlier document; one that is not kept is an error. */
struct config_doc *config_store_load_revision(
	const struct config_store *store, unsigned revision, struct config_report *report);

/* [{"revision": 12, "saved": "2026-11-25T03:37:00Z", "applied": true}], the newest first. */
json_t *config_store_list(const struct config_store *store);

#endif
