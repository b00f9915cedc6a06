/*
 * Small files that outlive the process: what is written comes back whole, a write that fails leaves
 * what was there, and a broken file is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state_file.h"
#include "temp_dir.h"

static struct config_error err;

static void what_was_written_is_read(void **state)
{
	json_t *json = json_pack("{s:I, s:s}", "features", (json_int_t)INT64_MAX, "x", "\xc3\xa9");
	json_t *again;
	struct stat st;
	mode_t mask = umask(0);

	assert_true(state_file_write(dir, "vm1.json", json, &err));
	umask(mask);
	assert_string_equal(err.text, "");
	again = state_file_read(dir, "vm1.json", &err);
	assert_true(json_equal(json, again));
	assert_int_equal(stat(in_dir("vm1.json"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	json_decref(again);
	assert_true(state_file_remove(dir, "vm1.json", &err));
	assert_null(state_file_read(dir, "vm1.json", &err));
	assert_string_equal(err.text, "");
	assert_true(state_file_remove(dir, "vm1.json", &err));
	assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
	assert_int_equal(mkdir(dir, 0700), 0);
	json_decref(json);
}

static void names_stay_in_the_directory(void **state)
{
	static const char *const names[] = {"", ".", "..", ".hidden", "../x", "a/b", "/etc/passwd",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	json_t *json = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_false(state_file_write(dir, names[i], json, &err));
		assert_non_null(strstr(err.text, "is no name for a file"));
		assert_null(state_file_read(dir, names[i], &err));
		assert_non_null(strstr(err.text, "is no name for a file"));
		assert_false(state_file_remove(dir, names[i], &err));
	}
	json_decref(json);
}

static void assert_unreadable(const char *name, const char *why)
{
	char expected[256];

	snprintf(expected, sizeof(expected), "%s/%s %s", dir, name, why);
	assert_null(state_file_read(dir, name, &err));
	assert_string_equal(err.text, expected);
}

static void broken_files_are_told(void **state)
{
	write_text("a", "{\"x\": 1,\n");
	assert_unreadable("a", "is no valid JSON in line 2, column 0: string or '}' expected near "
			       "end of file");
	write_text("a", "");
	assert_unreadable(
		"a", "is no valid JSON in line 1, column 0: '[' or '{' expected near end of file");
	write_text("a", "{\"x\": 1, \"x\": 2}");
	assert_unreadable(
		"a", "is no valid JSON in line 1, column 12: duplicate object key near '\"x\"'");
	write_text("a", "{} trailing");
	assert_unreadable("a", "is no valid JSON in line 1, column 11: end of file expected near "
			       "'trailing'");
	assert_int_equal(mkdir(in_dir("b"), 0700), 0);
	assert_unreadable("b", "is not a regular file");
	assert_int_equal(mkfifo(in_dir("c"), 0600), 0);
	assert_unreadable("c", "is not a regular file"); /* and nothing waits for a writer */
	assert_int_equal(truncate(in_dir("a"), STATE_FILE_SIZE_MAX + 1), 0);
	assert_unreadable("a", "is larger than the 8 MiB that are read");
	assert_int_equal(symlink("/etc/passwd", in_dir("d")), 0);
	assert_null(state_file_read(dir, "d", &err));
	assert_non_null(strstr(err.text, "cannot open"));
	assert_null(state_file_read("/nonexistent", "a", &err));
	assert_string_equal(
		err.text, "cannot open the directory /nonexistent: No such file or directory");
}

static void what_cannot_be_read_back_is_not_written(void **state)
{
	char *text = malloc(STATE_FILE_SIZE_MAX + 1);
	json_t *json;

	memset(text, 'x', STATE_FILE_SIZE_MAX);
	text[STATE_FILE_SIZE_MAX] = '\0';
	json = json_pack("[s]", text);
	assert_false(state_file_write(dir, "a", json, &err));
	assert_non_null(strstr(err.text, "is larger than the 8 MiB that are read back"));
	json_decref(json);
	free(text);
	json = json_string("x");
	assert_false(state_file_write(dir, "a", json, &err));
	assert_non_null(strstr(err.text, "is not JSON"));
	json_decref(json);
	assert_int_equal(access(in_dir("a"), F_OK), -1);
}

/* In a process of its own with a file size limit: the write fails half way. */
static bool write_with_full_disk(const json_t *json)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit small = {64, 64};

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		_exit(state_file_write(dir, "a", json, &err)       ? 0
			: strstr(err.text, "cannot write") != NULL ? 1
								   : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

static void a_failed_write_leaves_the_old_content(void **state)
{
	json_t *small = json_pack("{s:i}", "a", 1), *large = json_array(), *read;

	for (int i = 0; i < 100; i++)
		json_array_append_new(large, json_integer(i));
	assert_true(write_with_full_disk(small));
	assert_false(write_with_full_disk(large));
	read = state_file_read(dir, "a", &err);
	assert_true(json_equal(read, small));
	assert_int_equal(access(in_dir(".a.new"), F_OK), -1);
	json_decref(read);
	/* what a crash may leave behind is in nobody's way */
	write_text(".a.new", "{");
	assert_true(state_file_write(dir, "a", large, &err));
	read = state_file_read(dir, "a", &err);
	assert_true(json_equal(read, large));
	json_decref(read);
	json_decref(small);
	json_decref(large);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read),
		TEST(names_stay_in_the_directory),
		TEST(broken_files_are_told),
		TEST(what_cannot_be_read_back_is_not_written),
		TEST(a_failed_write_leaves_the_old_content),
	};

	return cmocka_run_group_tests_name("state_file", tests, NULL, NULL);
}
