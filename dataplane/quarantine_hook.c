#include "quarantine_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "log.h"
#include "loop.h"

/* One run: waiting while pid is 0. */
struct run {
	json_t *document;
	pid_t pid; /* and process group */
	int pidfd;
	struct loop_watch *watch;
	struct loop_timer *timer;
	unsigned signals; /* that it was sent for being late: SIGTERM, SIGKILL */
	STAILQ_ENTRY(run) entry;
};

STAILQ_HEAD(run_list, run);

static struct {
	char program[256];
	unsigned limit_ms, grace_ms;
	struct run_list running, waiting;
	struct hook_counts counts;
	struct log_limit limit;
} own;

static void start_waiting(void);

static const char *text_of(const struct run *run, const char *key)
{
	const char *text = json_string_value(json_object_get(run->document, key));

	return text != NULL ? text : "";
}

/* Whom a document is about: the address, of one on another host. */
static const char *subject_of(const json_t *document)
{
	const char *address = json_string_value(json_object_get(document, "address"));
	const char *port = json_string_value(json_object_get(document, "port"));

	return address != NULL ? address : port != NULL ? port : "?";
}

/* how: "exit status 1", "signal 15", ...; ok: it did what it was to do. */
static void tell(const struct run *run, bool ok, const char *how)
{
	own.counts.failed += !ok;
	log_limited(&own.limit, ok ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "hook %s for %s (%s): %s",
		own.program, subject_of(run->document), text_of(run, "action"), how);
	events_emit("quarantine",
		json_pack("{s:s,s:O?,s:O?,s:O?,s:s,s:s,s:s,s:b}", "action", "hook", "port",
			json_object_get(run->document, "port"), "address",
			json_object_get(run->document, "address"), "network",
			json_object_get(run->document, "network"), "tenant", text_of(run, "tenant"),
			"for", text_of(run, "action"), "result", how, "ok", ok));
}

static void free_run(struct run *run)
{
	loop_cancel(run->timer);
	loop_remove(run->watch);
	if (run->pidfd >= 0)
		close(run->pidfd);
	json_decref(run->document);
	free(run);
}

/* Takes what is left of its group with it, while its own number is still taken, and reaps it. */
static void reap(const struct run *run, char *how, size_t len, bool *ok)
{
	const char *late = run->signals == 0 ? "" : ", for it took too long";
	siginfo_t info = {0};

	kill(-run->pid, SIGKILL);
	while (waitid(P_PID, (id_t)run->pid, &info, WEXITED) != 0 && errno == EINTR)
		;
	*ok = info.si_code == CLD_EXITED && info.si_status == 0;
	if (info.si_code == CLD_EXITED)
		snprintf(how, len, "exit status %d%s", info.si_status, late);
	else
		snprintf(how, len, "ended by signal %d%s", info.si_status, late);
}

static void on_end(int fd, uint32_t events, void *arg)
{
	struct run *run = arg;
	char how[96];
	bool ok;

	STAILQ_REMOVE(&own.running, run, run, entry);
	own.counts.running--;
	reap(run, how, sizeof(how), &ok);
	tell(run, ok, how);
	free_run(run);
	start_waiting();
}

static void on_late(void *arg)
{
	struct run *run = arg;

	kill(-run->pid, run->signals == 0 ? SIGTERM : SIGKILL);
	run->timer = run->signals == 0 ? loop_after(own.grace_ms, on_late, run) : NULL;
	run->signals++;
	if (run->timer == NULL)
		kill(-run->pid, SIGKILL);
}

/* A file in memory with the document and a newline, at its beginning; -1 with errno. */
static int make_input(const struct run *run)
{
	char *text = json_dumps(run->document, JSON_COMPACT);
	int fd = text == NULL ? -1 : memfd_create("quarantine", MFD_CLOEXEC);
	size_t len = text == NULL ? 0 : strlen(text);

	if (text == NULL)
		errno = ENOMEM;
	if (fd >= 0 && (write(fd, text, len) != (ssize_t)len || write(fd, "\n", 1) != 1 ||
			       lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		fd = -1;
		errno = ENOSPC;
	}
	free(text);
	return fd;
}

/* Standard input from input, output to where vswitchd's own errors go; nothing else is open. */
static int set_files(posix_spawn_file_actions_t *files, int input)
{
	int err = posix_spawn_file_actions_adddup2(files, input, 0);

	if (err == 0)
		err = posix_spawn_file_actions_adddup2(files, 2, 1);
	if (err == 0)
		err = posix_spawn_file_actions_addclosefrom_np(files, 3);
	if (err == 0)
		err = posix_spawn_file_actions_addchdir_np(files, "/");
	return err;
}

/* No signal blocked or ignored, as the program expects it, and a process group of its own. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	err = posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (err == 0)
		err = posix_spawnattr_setpgroup(attributes, 0);
	if (err == 0)
		err = posix_spawnattr_setsigmask(attributes, &none);
	if (err == 0)
		err = posix_spawnattr_setsigdefault(attributes, &all);
	return err;
}

/* 0, or an errno. */
static int spawn(pid_t *pid, int input)
{
	static char path_variable[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
		"/bin";
	char *const argv[] = {own.program, NULL}, *const envp[] = {path_variable, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int err = posix_spawn_file_actions_init(&files);

	if (err != 0)
		return err;
	err = posix_spawnattr_init(&attributes);
	if (err == 0) {
		err = set_files(&files, input);
		if (err == 0)
			err = set_attributes(&attributes);
		if (err == 0)
			err = posix_spawn(pid, own.program, &files, &attributes, argv, envp);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&files);
	return err;
}

/* 0, or an errno: then it does not run. */
static int start(struct run *run)
{
	int input = make_input(run), err = input < 0 ? errno : spawn(&run->pid, input);

	if (input >= 0)
		close(input);
	if (err != 0)
		return err;
	run->pidfd = pidfd_open(run->pid, 0);
	if (run->pidfd >= 0) {
		run->timer = loop_after(own.limit_ms, on_late, run);
		run->watch = loop_add(run->pidfd, EPOLLIN, on_end, run);
	}
	if (run->timer != NULL && run->watch != NULL)
		return 0;
	err = errno; /* nobody would learn of its end */
	kill(-run->pid, SIGKILL);
	waitpid(run->pid, NULL, 0);
	return err;
}

static void start_waiting(void)
{
	struct run *run;

	while (own.counts.running < HOOK_RUNNING_MAX &&
		(run = STAILQ_FIRST(&own.waiting)) != NULL) {
		char how[160];
		int err;

		STAILQ_REMOVE_HEAD(&own.waiting, entry);
		own.counts.waiting--;
		err = start(run);
		if (err == 0) {
			STAILQ_INSERT_TAIL(&own.running, run, entry);
			own.counts.running++;
			own.counts.started++;
			continue;
		}
		snprintf(how, sizeof(how), "cannot be started: %s", strerror(err));
		tell(run, false, how);
		free_run(run);
	}
}

void hook_open(const char *program, unsigned limit_ms, unsigned grace_ms)
{
	memset(&own, 0, sizeof(own));
	STAILQ_INIT(&own.running);
	STAILQ_INIT(&own.waiting);
	snprintf(own.program, sizeof(own.program), "%s", program);
	own.limit_ms = limit_ms != 0 ? limit_ms : HOOK_LIMIT_MS;
	own.grace_ms = grace_ms != 0 ? grace_ms : HOOK_GRACE_MS;
}

void hook_close(void)
{
	struct run *run;

	if (own.counts.waiting > 0)
		log_warning("hook %s was not called for %u quarantines: vswitchd stops",
			own.program, own.counts.waiting);
	while ((run = STAILQ_FIRST(&own.running)) != NULL) {
		STAILQ_REMOVE_HEAD(&own.running, entry);
		kill(-run->pid, SIGTERM);
		free_run(run);
	}
	while ((run = STAILQ_FIRST(&own.waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&own.waiting, entry);
		free_run(run);
	}
	own.counts.running = own.counts.waiting = 0;
	own.program[0] = '\0';
}

void hook_run(json_t *document)
{
	struct run *run;

	if (own.program[0] == '\0') {
		json_decref(document);
		return;
	}
	run = document == NULL || own.counts.waiting >= HOOK_WAITING_MAX ? NULL
									 : calloc(1, sizeof(*run));
	if (run == NULL) {
		own.counts.lost++;
		log_limited(&own.limit, LOG_LEVEL_WARNING,
			"hook %s is not called for %s: %u calls wait already", own.program,
			subject_of(document), own.counts.waiting);
		json_decref(document);
		return;
	}
	run->document = document;
	run->pidfd = -1;
	STAILQ_INSERT_TAIL(&own.waiting, run, entry);
	own.counts.waiting++;
	start_waiting();
}

void hook_counts(struct hook_counts *counts)
{
	*counts = own.counts;
}
