/*
 * The saved configuration: what was applied comes back, a broken one is told and never taken for an
 * empty one, a save that fails changes nothing, old revisions go and recent ones stay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config_store.h"
#include "temp_dir.h"

static struct config_error err;
static struct config_report report;
static struct config_store *store;

static int close_and_remove(void **state)
{
	config_store_close(store);
	store = NULL;
	return remove_dir(state);
}

static void open_store(void)
{
	store = config_store_open(dir, &err);
	assert_string_equal(err.text, "");
	assert_non_null(store);
}

static void reopen_store(void)
{
	config_store_close(store);
	open_store();
}

/* A document that differs by n. */
static json_t *document(int n)
{
	return json_pack("{s:{s:[i]}, s:[{s:s, s:i}], s:[], s:[]}", "vswitch", "workers", 1,
		"networks", "name", "n", "vlan", n, "ports", "replay");
}

static void save(int n, unsigned revision)
{
	json_t *doc = document(n);

	assert_true(config_store_save(store, doc, revision, &err));
	assert_string_equal(err.text, "");
	json_decref(doc);
}

/* The VLAN of the document's network: which document() it was. */
static int vlan_of(const struct config_doc *doc)
{
	const json_t *network;

	assert_non_null(doc);
	network = json_array_get(json_object_get(config_doc_root(doc), "networks"), 0);
	return (int)json_integer_value(json_object_get(network, "vlan"));
}

static int applied(unsigned *revision)
{
	struct config_doc *doc;
	int n;

	config_report_init(&report);
	doc = config_store_load_applied(store, revision, &report);
	config_report_print(&report, stdout);
	assert_int_equal(report.n_errors, 0);
	n = vlan_of(doc);
	config_doc_free(doc);
	return n;
}

static void an_empty_store_has_nothing_applied(void **state)
{
	unsigned revision = 7;
	json_t *list;

	open_store();
	config_report_init(&report);
	assert_null(config_store_load_applied(store, &revision, &report));
	assert_int_equal(report.n_errors, 0);
	assert_int_equal(revision, 0);
	assert_int_equal(config_store_next_revision(store), 1);
	list = config_store_list(store);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	assert_null(config_store_load_revision(store, 3, &report));
	assert_string_equal(
		report.messages[0].text, "there is no revision 3: nothing was applied yet");
}

static void what_was_applied_comes_back(void **state)
{
	unsigned revision;
	struct config_doc *doc;
	struct stat st;

	open_store();
	save(5, 1);
	save(6, 2);
	reopen_store();
	assert_int_equal(applied(&revision), 6);
	assert_int_equal(revision, 2);
	assert_int_equal(config_store_next_revision(store), 3);
	doc = config_store_load_revision(store, 1, &report);
	assert_int_equal(vlan_of(doc), 5);
	config_doc_free(doc);
	/* it is a configuration file that anybody may apply, with lines for messages */
	config_report_init(&report);
	doc = config_doc_from_file(in_dir("applied.json"), &report);
	assert_int_equal(vlan_of(doc), 6);
	assert_null(json_object_get(config_doc_root(doc), "vswitch"));
	config_doc_free(doc);
	assert_int_equal(stat(in_dir("applied.json"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
}

static void a_new_directory_is_private(void **state)
{
	struct stat st;

	strcat(dir, "/s");
	open_store();
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	config_store_close(store);
	store = NULL;
	rmdir(dir);
	*strrchr(dir, '/') = '\0';
}

static void old_revisions_go_recent_ones_stay(void **state)
{
	const unsigned saved = CONFIG_STORE_KEEP + 5;
	struct config_doc *doc;
	unsigned revision;
	json_t *list;

	open_store();
	for (unsigned i = 1; i <= saved; i++)
		save((int)i, i);
	list = config_store_list(store);
	assert_int_equal(json_array_size(list), CONFIG_STORE_KEEP + 1);
	for (unsigned i = 0; i <= CONFIG_STORE_KEEP; i++) {
		const json_t *entry = json_array_get(list, i);
		const char *time = json_string_value(json_object_get(entry, "saved"));

		assert_int_equal(json_integer_value(json_object_get(entry, "revision")), saved - i);
		assert_int_equal(json_is_true(json_object_get(entry, "applied")), i == 0);
		assert_int_equal(strlen(time), strlen("2026-11-25T03:37:00Z"));
	}
	json_decref(list);
	config_report_init(&report);
	assert_null(config_store_load_revision(store, 4, &report));
	assert_string_equal(report.messages[0].text, "there is no revision 4: kept are 5 to 15");
	doc = config_store_load_revision(store, 5, &report);
	assert_int_equal(vlan_of(doc), 5);
	config_doc_free(doc);
	assert_int_equal(applied(&revision), (int)saved);
}

static void revisions_are_never_used_twice(void **state)
{
	json_t *doc = document(1);
	unsigned revision;

	open_store();
	save(1, 1);
	save(2, 12);
	assert_false(config_store_save(store, doc, 12, &err));
	assert_non_null(strstr(err.text, "cannot save revision 12 in "));
	assert_non_null(strstr(err.text, ": the next one there is 13"));
	assert_false(config_store_save(store, doc, 5, &err));
	assert_false(config_store_save(store, doc, CONFIG_STORE_REVISION_MAX + 1u, &err));
	assert_int_equal(applied(&revision), 2);
	assert_int_equal(revision, 12);
	json_decref(doc);
}

/* A crash between the new revision's file and the link: the old one is in force. */
static void a_revision_without_its_link_is_not_in_force(void **state)
{
	unsigned revision;

	open_store();
	save(1, 1);
	write_text("revision-2.json", "{\"networks\": [{\"name\": \"n\", \"vlan\": 9}]}");
	write_text(".applied.json.new", "left by a crash");
	reopen_store();
	assert_int_equal(applied(&revision), 1);
	assert_int_equal(revision, 1);
	save(3, config_store_next_revision(store));
	assert_int_equal(applied(&revision), 3);
	assert_int_equal(revision, 3);
}

static void other_files_are_left_alone(void **state)
{
	static const char *const names[] = {"revision-0.json", "revision-01.json",
		"revision-1.json.bak", "revision--1.json", "revision-9999999999.json", "vm1.json"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		write_text(names[i], "x");
	open_store();
	assert_int_equal(config_store_next_revision(store), 1);
	for (unsigned i = 1; i <= CONFIG_STORE_KEEP + 3; i++)
		save(1, i);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(access(in_dir(names[i]), F_OK), 0);
}

static void assert_applied_is_refused(unsigned line, const char *text)
{
	unsigned revision;

	config_report_init(&report);
	assert_null(config_store_load_applied(store, &revision, &report));
	assert_int_equal(report.n_errors, 1);
	config_report_print(&report, stdout);
	assert_string_equal(report.messages[0].text, text);
	assert_int_equal(report.messages[0].line, line);
}

static void a_broken_state_is_an_error(void **state)
{
	open_store();
	save(1, 1);
	write_text("revision-1.json", "{\"networks\": [\n{]\n");
	assert_applied_is_refused(2, "not YAML: did not find expected node content while parsing a "
				     "flow node that starts "
				     "on line 2");
	assert_string_equal(report.messages[0].file, in_dir("applied.json"));
	write_text("revision-1.json", "");
	assert_applied_is_refused(0, "is empty; a file with no networks and ports says {}");
	unlink(in_dir("revision-1.json"));
	assert_applied_is_refused(0, "cannot open it: No such file or directory");
	unlink(in_dir("applied.json"));
	assert_int_equal(symlink("/etc/passwd", in_dir("applied.json")), 0);
	assert_applied_is_refused(0,
		"applied.json is no link to a revision in this directory: remove it to start with "
		"nothing applied, or point it at one");
}

/* Somebody copied a backup there. */
static void a_plain_file_is_taken(void **state)
{
	unsigned revision;

	open_store();
	save(1, 4);
	unlink(in_dir("applied.json"));
	write_text("applied.json", "{\"networks\": [{\"name\": \"n\", \"vlan\": 77}]}");
	assert_int_equal(applied(&revision), 77);
	assert_int_equal(revision, 4);
	save(78, 5);
	assert_int_equal(applied(&revision), 78);
}

static void one_switch_a_directory(void **state)
{
	open_store();
	assert_null(config_store_open(dir, &err));
	assert_non_null(strstr(err.text, "another switch uses it; each switch needs its own"));
	reopen_store();
}

/* Whoever may write anywhere (root) sees no such error: give that up in a child. */
static int open_as_nobody(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 && seteuid(65534) < 0)
			_exit(2);
		_exit(!config_store_open(dir, &err) &&
					strstr(err.text, "cannot write to the state "
							 "directory") &&
					strstr(err.text, "Permission denied")
				? 0
				: 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void an_unwritable_directory_is_told_at_once(void **state)
{
	char file[64];

	assert_int_equal(chmod(dir, 0555), 0);
	assert_int_equal(open_as_nobody(), 0);
	assert_int_equal(chmod(dir, 0700), 0);
	snprintf(file, sizeof(file), "%s/f", dir);
	write_text("f", "");
	assert_null(config_store_open(file, &err));
	assert_non_null(strstr(err.text, "cannot open the state directory"));
	assert_non_null(strstr(err.text, "Not a directory"));
	assert_null(config_store_open("/nonexistent/a/b", &err));
	assert_string_equal(err.text,
		"cannot make the state directory /nonexistent/a/b: No such file or directory");
}

static void a_save_that_fails_changes_nothing(void **state)
{
	json_t *doc = document(2);
	unsigned revision;

	open_store();
	save(1, 1);
	assert_int_equal(mkdir(in_dir(".revision-2.json.new"), 0700), 0); /* cannot be replaced */
	assert_false(config_store_save(store, doc, 2, &err));
	assert_non_null(strstr(err.text, "cannot create"));
	assert_int_equal(rmdir(in_dir(".revision-2.json.new")), 0);
	assert_int_equal(mkdir(in_dir(".applied.json.new"), 0700), 0);
	assert_false(config_store_save(store, doc, 2, &err));
	assert_non_null(strstr(err.text, "cannot make the link"));
	assert_int_equal(rmdir(in_dir(".applied.json.new")), 0);
	assert_int_equal(applied(&revision), 1);
	assert_int_equal(revision, 1);
	json_decref(doc);
}

/* Written, it is not in force; whether it will be is decided later. */
static void a_written_revision_waits(void **state)
{
	json_t *doc = document(2);
	unsigned revision;

	open_store();
	save(1, 1);
	assert_true(config_store_write(store, doc, 2, &err));
	assert_int_equal(applied(&revision), 1);
	config_store_discard(store, 2);
	assert_int_equal(access(in_dir("revision-2.json"), F_OK), -1);
	assert_int_equal(config_store_next_revision(store), 2);
	assert_true(config_store_write(store, doc, 2, &err));
	reopen_store(); /* a crash: still the one before */
	assert_int_equal(applied(&revision), 1);
	assert_true(config_store_write(store, doc, 3, &err));
	assert_true(config_store_commit(store, &err));
	assert_int_equal(applied(&revision), 2);
	assert_int_equal(revision, 3);
	json_decref(doc);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, close_and_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_store_has_nothing_applied),
		TEST(what_was_applied_comes_back),
		TEST(a_new_directory_is_private),
		TEST(old_revisions_go_recent_ones_stay),
		TEST(revisions_are_never_used_twice),
		TEST(a_revision_without_its_link_is_not_in_force),
		TEST(a_written_revision_waits),
		TEST(other_files_are_left_alone),
		TEST(a_broken_state_is_an_error),
		TEST(a_plain_file_is_taken),
		TEST(one_switch_a_directory),
		TEST(an_unwritable_directory_is_told_at_once),
		TEST(a_save_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests_name("config_store", tests, NULL, NULL);
}
