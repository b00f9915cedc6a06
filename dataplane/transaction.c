#include "transaction.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blocks.h"
#include "config_diff.h"
#include "config_store.h"
#include "events.h"
#include "log.h"
#include "loop.h"
#include "path.h"
#include "switch.h"
#include "transaction_boot.h"
#include "transaction_state.h"

#define RETRY_MS 1000 /* when a change could not be taken back */

static struct {
	struct transaction_boot boot;
	const struct config_vswitch *vswitch; /* in boot */
	struct config_store *store;
	char problem[1024];

	struct transaction_state applied; /* empty: nothing is */
	unsigned revision; /* of applied, or of what comes back if it is not confirmed */

	bool unconfirmed;
	struct transaction_state before; /* what comes back; empty: nothing was applied */
	uint64_t due_ms;
	time_t due;
	struct loop_timer *timer;
} tx;

static void problem(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void problem(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(tx.problem, sizeof(tx.problem), fmt, ap);
	va_end(ap);
	log_error("%s", tx.problem);
}

static void outcome_init(struct transaction_outcome *outcome)
{
	memset(outcome, 0, sizeof(*outcome));
	config_report_init(&outcome->report);
	outcome->revision = tx.revision;
}

static void refuse(struct transaction_outcome *outcome, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void refuse(struct transaction_outcome *outcome, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(outcome->text, sizeof(outcome->text), fmt, ap);
	va_end(ap);
	outcome->done = false;
}

static void done(struct transaction_outcome *outcome, bool changed, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void done(struct transaction_outcome *outcome, bool changed, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(outcome->text, sizeof(outcome->text), fmt, ap);
	va_end(ap);
	outcome->done = true;
	outcome->changed = changed;
}

static void emit(const char *action, unsigned revision, const struct transaction_how *how)
{
	json_t *metadata = json_pack("{s:s,s:i}", "action", action, "revision", (int)revision);

	if (how != NULL)
		json_object_set_new(metadata, "by",
			json_pack("{s:i,s:i}", "uid", (int)how->uid, "pid", (int)how->pid));
	events_emit("config", metadata);
}

/* Makes the switch what state says. restore: it was taken before. */
static bool run_state(
	const struct transaction_state *state, bool restore, struct config_report *report)
{
	const struct config *config = state->config != NULL ? state->config : tx.boot.empty.config;

	/* Nobody knows what was blocked, and it may be what holds a worm. */
	if (blocks_unknown()) {
		config_report_add(
			report, false, "vswitchd", 0, 0, "blocks", "%s", blocks_problem());
		return false;
	}
	return (restore ? switch_restore : switch_reconfigure)(config, report) == 0;
}

/* Nobody goes back to state any more but by a command: drivers may forget the ports that went. */
static void leave_behind(const struct transaction_state *state)
{
	if (state->config != NULL)
		switch_forget_ports(state->config);
}

/* What canonical document runs. */
static const json_t *running(void)
{
	return tx.applied.canonical != NULL ? tx.applied.canonical : tx.boot.empty.canonical;
}

/* As a revision that is not in force yet. */
static bool write_state(
	const struct transaction_state *state, unsigned *revision, struct config_error *err)
{
	if (tx.store == NULL) {
		config_error_set(
			err, "there is no state directory to save to: %s", tx.vswitch->state);
		return false;
	}
	*revision = config_store_next_revision(tx.store);
	return config_store_write(tx.store, state->document, *revision, err);
}

static bool save(
	const struct transaction_state *state, unsigned *revision, struct config_error *err)
{
	unsigned next;

	if (!write_state(state, &next, err) || !config_store_commit(tx.store, err))
		return false;
	*revision = next;
	return true;
}

static void open_store(void)
{
	struct config_error err;
	char inside[300];

	snprintf(inside, sizeof(inside), "%s/", tx.vswitch->state);
	if (path_make_parents(inside) < 0)
		config_error_set(&err, "cannot make the state directory %s: %s", tx.vswitch->state,
			strerror(errno));
	else
		tx.store = config_store_open(tx.vswitch->state, &err);
	if (tx.store != NULL)
		return;
	if (tx.problem[0] == '\0')
		problem("nothing is applied and no traffic passes: %s", err.text);
	else
		log_error("%s", err.text);
}

const struct config_vswitch *transaction_load(const char *file)
{
	memset(&tx, 0, sizeof(tx));
	if (!transaction_boot_read(&tx.boot, file))
		return NULL;
	tx.vswitch = &tx.boot.empty.config->vswitch;
	if (tx.boot.why[0] != '\0')
		problem("nothing is applied and no traffic passes: %s%s",
			tx.boot.file[0] != '\0' ? "the configuration file is broken: " : "",
			tx.boot.why);
	open_store();
	return tx.vswitch;
}

/* The saved state if there is one, else the file's; false with the problem set. */
static bool choose_start(struct transaction_state *state, bool *saved)
{
	struct config_report report;
	struct config_doc *doc;
	char why[640];
	bool made;

	config_report_init(&report);
	doc = config_store_load_applied(tx.store, &tx.revision, &report);
	*saved = doc != NULL;
	if (doc == NULL && report.n_errors == 0) {
		tx.revision = 0;
		*state = tx.boot.file_state;
		tx.boot.file_state = (struct transaction_state){0};
		return true;
	}
	made = doc != NULL && transaction_state_make(state, doc, tx.boot.section, NULL, &report);
	config_doc_free(doc);
	if (made)
		return true;
	transaction_boot_log(&report);
	transaction_boot_first_error(&report, why, sizeof(why));
	problem("nothing is applied and no traffic passes: the saved configuration is broken: %s; "
		"apply a configuration, or roll back to a revision that is not",
		why);
	return false;
}

bool transaction_start(void)
{
	struct transaction_state state = {0};
	struct config_report report;
	struct config_error err;
	char why[640];
	bool saved;

	if (tx.problem[0] != '\0' || !choose_start(&state, &saved))
		return false;
	config_report_init(&report);
	if (!run_state(&state, true, &report)) {
		transaction_state_free(&state);
		transaction_boot_log(&report);
		transaction_boot_first_error(&report, why, sizeof(why));
		problem("nothing is applied and no traffic passes: %s", why);
		return false;
	}
	transaction_boot_log(&report);
	tx.applied = state;
	/* The file brings it back as well, so this is no reason to keep guests waiting. */
	if (!saved && !save(&state, &tx.revision, &err))
		problem("the configuration runs but could not be saved: %s", err.text);
	if (saved && tx.boot.file_state.canonical != NULL &&
		!json_equal(tx.boot.file_state.canonical, state.canonical))
		log_warning("what was applied last, and runs again, is not what %s says: see "
			    "`vswitch-ctl config diff`, or apply the file",
			tx.boot.file);
	transaction_state_free(&tx.boot.file_state);
	log_info("configuration revision %u runs", tx.revision);
	emit("applied", tx.revision, NULL);
	return true;
}

void transaction_stop(void)
{
	loop_cancel(tx.timer);
	transaction_state_free(&tx.applied);
	transaction_state_free(&tx.before);
	transaction_boot_free(&tx.boot);
	config_store_close(tx.store);
	memset(&tx, 0, sizeof(tx));
}

const char *transaction_problem(void)
{
	return tx.problem[0] != '\0' ? tx.problem : NULL;
}

/* Makes what ran before the unconfirmed change run again. */
static bool take_back(const char *action, const struct transaction_how *how)
{
	struct config_report report;

	config_report_init(&report);
	if (!run_state(&tx.before, true, &report)) {
		transaction_boot_log(&report);
		return false;
	}
	loop_cancel(tx.timer);
	tx.timer = NULL;
	leave_behind(&tx.applied);
	transaction_state_free(&tx.applied);
	tx.applied = tx.before;
	tx.before = (struct transaction_state){0};
	tx.unconfirmed = false;
	emit(action, tx.revision, how);
	if (tx.applied.config == NULL)
		problem("nothing is applied and no traffic passes: the configuration that was "
			"applied was not confirmed");
	return true;
}

static void not_confirmed(void *arg)
{
	(void)arg;
	tx.timer = NULL;
	if (take_back("expired", NULL)) {
		log_warning("the change was not confirmed in time: revision %u runs again",
			tx.revision);
		return;
	}
	problem("an unconfirmed change could not be taken back; trying again");
	tx.timer = loop_after(RETRY_MS, not_confirmed, NULL);
}

/* True, and outcome says so, while a change awaits its confirmation. */
static bool refuse_unconfirmed(struct transaction_outcome *outcome)
{
	uint64_t now = loop_now_ms();
	char clock[16];
	struct tm tm;

	if (!tx.unconfirmed)
		return false;
	localtime_r(&tx.due, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	refuse(outcome,
		"a change awaits its confirmation until %s (%llu s): `config confirm` keeps it, "
		"`config rollback` takes it back",
		clock, (unsigned long long)(tx.due_ms > now ? (tx.due_ms - now + 999) / 1000 : 0));
	return true;
}

/* The switch runs next already. Puts things back if the time limit can't be set. */
static bool await_confirmation(unsigned seconds)
{
	struct config_report report;

	tx.timer = loop_after((uint64_t)seconds * 1000, not_confirmed, NULL);
	if (tx.timer == NULL) {
		config_report_init(&report);
		run_state(&tx.applied, true, &report);
		return false;
	}
	tx.unconfirmed = true;
	tx.due_ms = loop_now_ms() + (uint64_t)seconds * 1000;
	tx.due = time(NULL) + seconds;
	return true;
}

/* What could not be saved must not run: a restart would bring back something else. */
static void unsaved(struct transaction_state *next, const struct config_error *err,
	struct transaction_outcome *outcome)
{
	struct config_report report;

	config_report_init(&report);
	if (run_state(&tx.applied, true, &report)) {
		refuse(outcome, "could not be saved: %s", err->text);
		leave_behind(next);
		transaction_state_free(next);
		return;
	}
	transaction_boot_log(&report);
	problem("a configuration that could not be saved (%s) runs, for the one before could not "
		"be put back",
		err->text);
	refuse(outcome, "%s", tx.problem);
	transaction_state_free(&tx.applied);
	tx.applied = *next;
}

/*
 * Runs next, which it takes over, and saves it or awaits its confirmation. It is on the disk before
 * it runs: to put back what ran before would not bring back an interface or a connection.
 */
static void run_and_keep(struct transaction_state *next, bool restore,
	const struct transaction_how *how, struct transaction_outcome *outcome)
{
	struct config_error err;
	size_t n = json_array_size(outcome->changes);
	unsigned revision = 0;

	if (how->confirm_s == 0 && !write_state(next, &revision, &err)) {
		refuse(outcome, "could not be saved: %s", err.text);
		transaction_state_free(next);
		return;
	}
	if (!run_state(next, restore, &outcome->report)) {
		char why[480];

		transaction_boot_first_error(&outcome->report, why, sizeof(why));
		refuse(outcome, "%s", why);
		transaction_state_free(next);
		if (how->confirm_s == 0)
			config_store_discard(tx.store, revision);
		return;
	}
	if (how->confirm_s == 0 && !config_store_commit(tx.store, &err)) {
		unsaved(next, &err, outcome);
		return;
	}
	if (how->confirm_s > 0 && !await_confirmation(how->confirm_s)) {
		refuse(outcome, "out of memory");
		transaction_state_free(next);
		return;
	}
	if (how->confirm_s > 0) {
		tx.before = tx.applied;
		tx.problem[0] = '\0';
		outcome->revision = config_store_next_revision(tx.store);
		done(outcome, true, "%zu change%s applied; comes back unless confirmed within %u s",
			n, n == 1 ? "" : "s", how->confirm_s);
	} else {
		leave_behind(&tx.applied);
		transaction_state_free(&tx.applied);
		tx.revision = outcome->revision = revision;
		tx.problem[0] = '\0';
		done(outcome, true, "%zu change%s applied as revision %u", n, n == 1 ? "" : "s",
			revision);
	}
	tx.applied = *next;
	log_info("configuration: %s, by uid %d, pid %d", outcome->text, (int)how->uid,
		(int)how->pid);
	emit(how->confirm_s > 0 ? "applied_unconfirmed" : "applied", outcome->revision, how);
}

/* Takes over doc, which may be NULL with errors in the outcome's report. restore: it was taken
 * before. */
static void change(struct config_doc *doc, bool restore, const struct transaction_how *how,
	struct transaction_outcome *outcome)
{
	struct transaction_state next;
	size_t n;

	if (doc == NULL || !transaction_state_make(
				   &next, doc, tx.boot.section, &tx.applied, &outcome->report)) {
		config_doc_free(doc);
		refuse(outcome, "the configuration has %u error%s", outcome->report.n_errors,
			outcome->report.n_errors == 1 ? "" : "s");
		return;
	}
	config_doc_free(doc);
	outcome->changes = config_diff(running(), next.canonical);
	n = json_array_size(outcome->changes);
	if (how->dry_run) {
		done(outcome, false, "%zu change%s; nothing was done", n, n == 1 ? "" : "s");
		transaction_state_free(&next);
	} else if (refuse_unconfirmed(outcome)) {
		transaction_state_free(&next);
	} else if (tx.applied.config != NULL && n == 0) {
		done(outcome, false, "nothing to change");
		transaction_state_free(&next);
	} else if (tx.store == NULL) {
		refuse(outcome, "nothing can be saved: the state directory %s cannot be used",
			tx.vswitch->state);
		transaction_state_free(&next);
	} else {
		run_and_keep(&next, restore, how, outcome);
	}
}

void transaction_apply(const char *name, const char *text, size_t len,
	const struct transaction_how *how, struct transaction_outcome *outcome)
{
	outcome_init(outcome);
	change(config_doc_from_yaml(name, text, len, &outcome->report), false, how, outcome);
}

void transaction_edit(const char *name, const json_t *root, const struct transaction_how *how,
	struct transaction_outcome *outcome)
{
	outcome_init(outcome);
	change(config_doc_from_json(name, (json_t *)(uintptr_t)root), false, how, outcome);
}

void transaction_confirm(const struct transaction_how *how, struct transaction_outcome *outcome)
{
	struct config_error err;

	outcome_init(outcome);
	if (!tx.unconfirmed) {
		refuse(outcome, "no change awaits confirmation");
		return;
	}
	if (!save(&tx.applied, &tx.revision, &err)) {
		refuse(outcome, "could not be saved: %s; the change still awaits confirmation",
			err.text);
		return;
	}
	loop_cancel(tx.timer);
	tx.timer = NULL;
	tx.unconfirmed = false;
	tx.problem[0] = '\0';
	leave_behind(&tx.before);
	transaction_state_free(&tx.before);
	outcome->revision = tx.revision;
	done(outcome, true, "confirmed as revision %u", tx.revision);
	log_info("configuration: %s, by uid %d, pid %d", outcome->text, (int)how->uid,
		(int)how->pid);
	emit("confirmed", tx.revision, how);
}

/* The newest revision before the one in force; 0: there is none. */
static unsigned revision_before(void)
{
	json_t *list = config_store_list(tx.store), *entry;
	unsigned found = 0;
	size_t i;

	json_array_foreach (list, i, entry) {
		unsigned n = (unsigned)json_integer_value(json_object_get(entry, "revision"));

		if (!json_is_true(json_object_get(entry, "applied")) &&
			(tx.revision == 0 || n < tx.revision) && n > found)
			found = n;
	}
	json_decref(list);
	return found;
}

static void rollback_unconfirmed(
	const struct transaction_how *how, struct transaction_outcome *outcome)
{
	outcome->changes = config_diff(tx.applied.canonical,
		tx.before.canonical != NULL ? tx.before.canonical : tx.boot.empty.canonical);
	if (!take_back("rolled_back", how)) {
		refuse(outcome, "what ran before cannot be put back now; see the log");
		return;
	}
	done(outcome, true, "the unconfirmed change was taken back: revision %u runs", tx.revision);
	log_info("configuration: %s, by uid %d, pid %d", outcome->text, (int)how->uid,
		(int)how->pid);
}

void transaction_rollback(
	unsigned revision, const struct transaction_how *how, struct transaction_outcome *outcome)
{
	outcome_init(outcome);
	if (revision == 0 && tx.unconfirmed) {
		rollback_unconfirmed(how, outcome);
		return;
	}
	if (tx.store == NULL || (revision == 0 && (revision = revision_before()) == 0)) {
		refuse(outcome, "there is no earlier revision to go back to");
		return;
	}
	change(config_store_load_revision(tx.store, revision, &outcome->report), true, how,
		outcome);
}

void transaction_outcome_free(struct transaction_outcome *outcome)
{
	json_decref(outcome->changes);
	outcome->changes = NULL;
}

json_t *transaction_diff(
	const char *name, const char *text, size_t len, struct config_report *report)
{
	json_t *canonical = transaction_boot_canonical(&tx.boot, name, text, len, report);
	json_t *diff = canonical == NULL ? NULL : config_diff(running(), canonical);

	json_decref(canonical);
	return diff;
}

const struct config *transaction_config(void)
{
	return tx.applied.config;
}

const json_t *transaction_document(void)
{
	return tx.applied.document;
}

const json_t *transaction_canonical(void)
{
	return running();
}

unsigned transaction_revision(void)
{
	return tx.revision;
}

json_t *transaction_history(void)
{
	return tx.store == NULL ? json_array() : config_store_list(tx.store);
}

json_t *transaction_status(void)
{
	uint64_t now = loop_now_ms();
	json_t *status = json_pack("{s:s?,s:s,s:i,s:b,s:s?}", "file",
		tx.boot.file[0] != '\0' ? tx.boot.file : NULL, "state", tx.vswitch->state,
		"revision", (int)tx.revision, "applied", tx.applied.config != NULL, "problem",
		transaction_problem());

	if (tx.unconfirmed)
		json_object_set_new(status, "unconfirmed",
			json_pack("{s:i,s:I}", "revision",
				(int)config_store_next_revision(tx.store), "seconds_left",
				(json_int_t)(tx.due_ms > now ? (tx.due_ms - now) / 1000 : 0)));
	return status;
}
