/*
 * The hook: what it is given and what not, how its end is told, and that a slow, stubborn, broken
 * or missing program, or many calls, hold nothing up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "events.h"
#include "loop.h"
#include "quarantine_hook.h"
#include "temp_dir.h"

static char program[128];
static struct hook_counts counts;

static int set_up(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	if (make_dir(state) != 0 || loop_open() != 0)
		return -1;
	events_open("");
	return 0;
}

static int tear_down(void **state)
{
	hook_close();
	events_close();
	loop_close();
	return remove_dir(state);
}

/* Makes the program out of lines of shell, in which $D is the test's directory. */
static void make_program(const char *text, unsigned limit_ms)
{
	char script[1024];

	snprintf(script, sizeof(script), "#!/bin/sh\nD=%s\n%s\n", dir, text);
	write_text("hook", script);
	strcpy(program, in_dir("hook"));
	assert_int_equal(chmod(program, 0700), 0);
	hook_open(program, limit_ms, 100);
}

static void call(const char *port)
{
	hook_run(json_pack("{s:s,s:s,s:s}", "action", "added", "port", port, "tenant", "acme"));
	hook_counts(&counts);
}

/* Until nothing runs or waits. */
static void settle(void)
{
	for (unsigned i = 0; i < 1000; i++) {
		hook_counts(&counts);
		if (counts.running == 0 && counts.waiting == 0)
			return;
		loop_run_once(100);
	}
	fail_msg("%u run and %u wait", counts.running, counts.waiting);
}

/* What the last event says of the result; good until the next one. */
static const char *result(void)
{
	static char text[128];
	json_t *recent = events_recent();
	const json_t *event = json_array_get(recent, json_array_size(recent) - 1);
	const json_t *metadata = json_object_get(event, "metadata");

	assert_string_equal(json_string_value(json_object_get(event, "event_type")), "quarantine");
	assert_string_equal(json_string_value(json_object_get(metadata, "action")), "hook");
	snprintf(text, sizeof(text), "%s: %s", json_string_value(json_object_get(metadata, "port")),
		json_string_value(json_object_get(metadata, "result")));
	json_decref(recent);
	return text;
}

static const char *content(const char *name)
{
	static char text[4096];
	FILE *file = fopen(in_dir(name), "r");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

static void test_document_on_input(void **state)
{
	json_t *document;

	make_program("cat >$D/input", 0);
	call("vm1");
	settle();
	assert_int_equal(counts.started, 1);
	assert_int_equal(counts.failed, 0);
	document = json_loads(content("input"), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(document, "port")), "vm1");
	assert_int_equal(json_object_size(document), 3);
	json_decref(document);
	assert_string_equal(result(), "vm1: exit status 0");
}

/* No argument, no variable but PATH, no descriptor, no signal blocked or ignored; a group of its
 * own and the root directory. */
static void test_surroundings(void **state)
{
	char other[128];
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	strcpy(other, in_dir("other"));
	fd = open(other, O_RDWR | O_CREAT, 0600); /* without O_CLOEXEC */
	assert_true(fd >= 0);
	assert_int_equal(setenv("SECRET", "yes", 1), 0);
	make_program("exec >$D/out\n"
		     "echo $#\n"
		     "env | grep -v ^PWD= | grep -v ^SHLVL= | grep -v ^_= | cut -d= -f1\n"
		     "ls -l /proc/$$/fd | grep -c other\n"
		     "pwd\n"
		     "for set in Blk Ign; do # of the signals that are no business of libc's own\n"
		     "  mask=$(sed -n \"s/^Sig$set:\\t//p\" /proc/$$/status)\n"
		     "  echo $set $((0x$mask & 0x7fffffff))\n"
		     "done\n"
		     "cut -d' ' -f5 /proc/$$/stat | grep -cx $$",
		0);
	call("vm1");
	settle();
	assert_string_equal(content("out"), "0\nPATH\n0\n/\nBlk 0\nIgn 0\n1\n");
	unsetenv("SECRET");
	close(fd);
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

static void test_failing(void **state)
{
	make_program("exit 3", 0);
	call("vm1");
	settle();
	assert_int_equal(counts.failed, 1);
	assert_string_equal(result(), "vm1: exit status 3");
	make_program("kill -9 $$", 0);
	call("vm2");
	settle();
	assert_int_equal(counts.failed, 1);
	assert_string_equal(result(), "vm2: ended by signal 9");
}

static void test_missing(void **state)
{
	hook_open(in_dir("none"), 0, 0);
	call("vm1");
	settle();
	assert_int_equal(counts.started, 0);
	assert_int_equal(counts.failed, 1);
	assert_string_equal(result(), "vm1: cannot be started: No such file or directory");
	write_text("text", "no program");
	hook_open(in_dir("text"), 0, 0);
	call("vm2");
	settle();
	assert_string_equal(result(), "vm2: cannot be started: Permission denied");
}

static void test_none(void **state)
{
	hook_open("", 0, 0);
	call("vm1");
	assert_int_equal(counts.running + counts.waiting + counts.lost, 0);
}

static void test_slow(void **state)
{
	make_program("exec sleep 1000", 50);
	call("vm1");
	assert_int_equal(counts.running, 1); /* and the call has returned */
	settle();
	assert_int_equal(counts.failed, 1);
	assert_string_equal(result(), "vm1: ended by signal 15, for it took too long");
}

/* One that does not heed SIGTERM, and what it has started. */
static void test_stubborn(void **state)
{
	make_program("trap '' TERM\n"
		     "sleep 1000 & echo $! >$D/child\n"
		     "while :; do sleep 1; done",
		50);
	call("vm1");
	settle();
	assert_string_equal(result(), "vm1: ended by signal 9, for it took too long");
	for (unsigned i = 0; i < 1000 && kill(atoi(content("child")), 0) == 0; i++) {
		/* It is init's to reap by now, if there is one: a zombie is dead, too. */
		char stat[64], line[256];
		FILE *file;

		snprintf(stat, sizeof(stat), "/proc/%d/stat", atoi(content("child")));
		file = fopen(stat, "r");
		if (file == NULL)
			return;
		if (fgets(line, sizeof(line), file) != NULL && strstr(line, ") Z ") != NULL) {
			fclose(file);
			return;
		}
		fclose(file);
		loop_run_once(10);
	}
}

/* It need not read: the document is no pipe. */
static void test_does_not_read(void **state)
{
	json_t *document = json_pack("{s:s,s:s}", "action", "added", "port", "vm1");
	char *large = malloc(1 << 20);

	memset(large, 'x', (1 << 20) - 1);
	large[(1 << 20) - 1] = '\0';
	json_object_set_new(document, "reason", json_string(large));
	free(large);
	make_program("exit 0", 0);
	hook_run(document);
	settle();
	assert_int_equal(counts.failed, 0);
	assert_string_equal(result(), "vm1: exit status 0");
}

/* So many at a time, so many wait, and the rest is counted. */
static void test_many(void **state)
{
	make_program("while [ ! -e $D/go ]; do sleep 0.05; done; echo >>$D/ran", 0);
	for (unsigned i = 0; i < HOOK_RUNNING_MAX + HOOK_WAITING_MAX + 5; i++)
		call("vm1");
	assert_int_equal(counts.running, HOOK_RUNNING_MAX);
	assert_int_equal(counts.waiting, HOOK_WAITING_MAX);
	assert_int_equal(counts.lost, 5);
	write_text("go", "");
	settle();
	assert_int_equal(counts.started, HOOK_RUNNING_MAX + HOOK_WAITING_MAX);
	assert_int_equal(counts.failed, 0);
	assert_int_equal(strlen(content("ran")), HOOK_RUNNING_MAX + HOOK_WAITING_MAX);
}

/* vswitchd's end is that of its hooks. */
static void test_close(void **state)
{
	make_program("trap 'echo >$D/ended; exit' TERM\n: >$D/up\nwhile :; do sleep 0.05; done", 0);
	call("vm1");
	for (unsigned i = 0; i < 1000 && access(in_dir("up"), F_OK) != 0; i++)
		loop_run_once(10);
	hook_close();
	for (unsigned i = 0; i < 1000 && access(in_dir("ended"), F_OK) != 0; i++)
		usleep(10000);
	assert_int_equal(access(in_dir("ended"), F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_document_on_input),
		TEST(test_surroundings),
		TEST(test_failing),
		TEST(test_missing),
		TEST(test_none),
		TEST(test_slow),
		TEST(test_stubborn),
		TEST(test_does_not_read),
		TEST(test_many),
		TEST(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
