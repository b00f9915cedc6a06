/* Compiled databases in files: used where all fits, else compiled as if there were none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <unistd.h>

#include <cmocka.h>

#include "rule_cache.h"
#include "rule_rig.h"
#include "temp_dir.h"

#define NAME_ROOM 512
#define RULES                                                                                      \
	RIG_HEADER "(content:\"abcd|00 00|\"; sid:1;)\n" RIG_HEADER                                \
		   "(smb.share; content:\"IPC|24|\"; nocase; sid:2;)\n" RIG_HEADER                 \
		   "(content:\"wxyz\"; pcre:\"/(a+)+[bc]/\"; sid:3;)\n"

/* Compiled or not, it finds what it should. */
static bool is_cached(const char *text)
{
	struct rule_report report;
	struct ruleset *ruleset = rig_load(text, &report);
	struct rule_hit room[4];
	struct rule_hits hits = {room, 0, 4, 0};
	struct rule_scratch *scratch;
	struct rule_stream *stream;
	char reason[256];
	struct rule_db *db;
	bool cached;

	rule_report_free(&report);
	assert_non_null(ruleset);
	db = rule_compile(ruleset, dir, reason, sizeof(reason));
	if (!db)
		fail_msg("%s", reason);
	cached = rule_db_facts(db).cached;
	assert_int_equal(rule_db_facts(db).hyperscan_pcres, 1);
	scratch = rule_db_scratch(db);
	stream = rule_stream_create(db, RULE_DIR_TO_CLIENT, RULE_RECORD);
	assert_non_null(stream);
	assert_true(
		rule_stream_scan(stream, (const uint8_t *)"xabcd\0\0 wxyz", 12, scratch, &hits));
	assert_int_equal(hits.n, 2);
	rule_stream_free(stream);
	rule_scratch_free(scratch);
	rule_db_free(db);
	ruleset_free(ruleset);
	return cached;
}

static unsigned count_files(char *name)
{
	DIR *list = opendir(dir);
	unsigned n = 0;

	assert_non_null(list);
	for (struct dirent *entry = readdir(list); entry; entry = readdir(list))
		if (entry->d_name[0] != '.') {
			snprintf(name, NAME_ROOM, "%s/%s", dir, entry->d_name);
			n++;
		}
	closedir(list);
	return n;
}

static void the_second_time_nothing_is_compiled(void **state)
{
	char name[NAME_ROOM];
	struct stat st;

	assert_false(is_cached(RULES));
	assert_true(is_cached(RULES));
	assert_int_equal(count_files(name), 1);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* What is not compiled does not matter, what is does. */
	assert_true(is_cached("# comment\n" RULES RIG_HEADER "(flags:S; sid:4;)\n"));
	assert_false(is_cached(RULES RIG_HEADER "(content:\"abce\"; sid:4;)\n"));
	assert_false(is_cached(RULES RIG_HEADER "(content:\"abce\"; nocase; sid:4;)\n"));
	assert_true(is_cached(RULES));
}

static void a_damaged_file_is_as_good_as_none(void **state)
{
	char name[NAME_ROOM];
	uint8_t *bytes;
	size_t size;
	FILE *file;

	assert_false(is_cached(RULES));
	assert_int_equal(count_files(name), 1);
	file = fopen(name, "rb");
	fseek(file, 0, SEEK_END);
	size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(size);
	assert_int_equal(fread(bytes, 1, size, file), size);
	fclose(file);
	for (size_t at = 0; at < size; at += size / 23) {
		file = fopen(name, "wb"); /* one bit wrong */
		bytes[at] ^= 4;
		fwrite(bytes, 1, size, file);
		bytes[at] ^= 4;
		fclose(file);
		assert_false(is_cached(RULES));
		assert_true(is_cached(RULES));
		assert_int_equal(truncate(name, (off_t)at), 0);
		assert_false(is_cached(RULES));
	}
	free(bytes);
}

static void the_oldest_files_go(void **state)
{
	char text[512], name[NAME_ROOM];

	assert_false(is_cached(RULES));
	for (int i = 0; i < RULE_CACHE_FILES + 3; i++) {
		snprintf(text, sizeof(text), "%s" RIG_HEADER "(content:\"other %d\"; sid:9;)\n",
			RULES, i);
		assert_false(is_cached(text));
		if (i < 3) /* in use: stays young */
			assert_true(is_cached(RULES));
	}
	assert_int_equal(count_files(name), RULE_CACHE_FILES);
	assert_true(is_cached(text));
	assert_false(is_cached(RULES));
}

static void without_a_directory_it_compiles(void **state)
{
	assert_int_equal(rmdir(dir), 0);
	assert_false(is_cached(RULES));
	assert_false(is_cached(RULES));
	assert_int_equal(mkdir(dir, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_second_time_nothing_is_compiled, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			a_damaged_file_is_as_good_as_none, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_oldest_files_go, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			without_a_directory_it_compiles, make_dir, remove_dir),
	};

	return cmocka_run_group_tests_name("rule_cache", tests, NULL, NULL);
}
