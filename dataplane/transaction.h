/*
 * The configuration as it is applied, and the only way to change it: check, apply to the switch,
 * save, all or nothing. Owns the applied document, the store of revisions, the change that awaits
 * its confirmation, and the timer that takes it back. Control thread only.
 *
 * The `vswitch:` section always is the one of the file that vswitchd was started with. Networks and
 * ports are what was applied last; the file's only until something has been saved.
 */
#ifndef VS_TRANSACTION_H
#define VS_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "config.h"

/* What came of a change. Free with transaction_outcome_free(). */
struct transaction_outcome {
	bool done; /* false: refused, and everything is as it was */
	bool changed; /* false where there was nothing to change */
	unsigned revision; /* in force, or what the unconfirmed change will be */
	char text[512]; /* one line: what was done, or why not */
	json_t *changes; /* as config_diff() writes them; NULL: not known */
	struct config_report report; /* faults and warnings, with file, line and field */
};

struct transaction_how {
	unsigned confirm_s; /* 0: for good; else take it back after so many seconds */
	bool dry_run; /* only check, and say what would change */
	uid_t uid; /* who asked, for log and events */
	pid_t pid;
};

/*
 * Reads file, which may be NULL or "" for none. Returns its `vswitch:` section, valid until
 * transaction_stop(); where it can't be read, the defaults: then transaction_start() applies
 * nothing and says why. NULL: out of memory.
 */
const struct config_vswitch *transaction_load(const char *file);

/*
 * Applies what was applied last or, with nothing saved, the file's networks and ports. The switch
 * must have been started. Rules of inspection that cannot be had any more are left out, with a
 * warning in the log (see switch_restore()). False: nothing is applied and nothing passes;
 * transaction_problem() says why, and a later transaction_apply() can mend it.
 */
bool transaction_start(void);

/* Frees everything. An unconfirmed change was never saved: the next start has the one before. */
void transaction_stop(void);

/* Why nothing is applied, or what else is wrong with the state; NULL where all is well. */
const char *transaction_problem(void);

/* Makes the switch equal to the document in text (YAML, called name in messages). */
void transaction_apply(const char *name, const char *text, size_t len,
	const struct transaction_how *how, struct transaction_outcome *outcome);

/* Makes the switch equal to root, which is the applied document with one edit; see config_edit.h.
 */
void transaction_edit(const char *name, const json_t *root, const struct transaction_how *how,
	struct transaction_outcome *outcome);

/* Saves the change that awaits it. */
void transaction_confirm(const struct transaction_how *how, struct transaction_outcome *outcome);

/*
 * Goes back to a saved revision, as a new one. 0: takes the unconfirmed change back, or else goes
 * to the newest revision before the one in force. Rules as in transaction_start().
 */
void transaction_rollback(
	unsigned revision, const struct transaction_how *how, struct transaction_outcome *outcome);

void transaction_outcome_free(struct transaction_outcome *outcome);

/*
 * What text (called name; NULL: the file that vswitchd was started with, as it is now) would
 * change: as config_diff() writes it, the caller owns the reference. NULL with errors in report
 * where it is no valid configuration.
 */
json_t *transaction_diff(
	const char *name, const char *text, size_t len, struct config_report *report);

/* The applied document, borrowed; NULL where nothing is applied. */
const json_t *transaction_document(void);

/* What it means, borrowed; NULL where nothing is applied. */
const struct config *transaction_config(void);

/* What runs, as config_encode() writes it: borrowed, and not to be changed. */
const json_t *transaction_canonical(void);

/* Number of the revision in force; 0: none was saved yet. */
unsigned transaction_revision(void);

/* The saved revisions, as config_store_list() has them. */
json_t *transaction_history(void);

/* {"file","state","revision","applied","problem","unconfirmed":{"revision","seconds_left"}}. */
json_t *transaction_status(void);

#endif
