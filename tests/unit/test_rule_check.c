/* What operators are told about files of rules without a running switch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule_check.h"
#include "rule_rig.h"
#include "temp_dir.h"

static json_t *check(const char *text)
{
	static const uint16_t ports[] = {139, 445};
	struct rule_check_options options = {.ports = ports, .n_ports = 2};
	const char *name = in_dir("my.rules");
	FILE *file = fopen(name, "w");
	json_t *result;

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	result = rule_check(&(struct ruleset_source){.name = name}, 1, &options);
	assert_non_null(result);
	return result;
}

static void assert_entry(json_t *result, const char *list, size_t i, int line, int sid,
	const char *keyword, const char *reason)
{
	json_t *entry = json_array_get(json_object_get(result, list), i);
	const char *file = json_string_value(json_object_get(entry, "file"));

	assert_non_null(entry);
	assert_string_equal(file, in_dir("my.rules"));
	assert_int_equal(json_integer_value(json_object_get(entry, "line")), line);
	assert_int_equal(json_integer_value(json_object_get(entry, "sid")), sid);
	if (keyword)
		assert_string_equal(json_string_value(json_object_get(entry, "keyword")), keyword);
	assert_string_equal(json_string_value(json_object_get(entry, "reason")), reason);
}

static size_t size_of(json_t *result, const char *list)
{
	return json_array_size(json_object_get(result, list));
}

static void everything_is_told_at_once(void **state)
{
	json_t *result = check("alert tcp any any -> any 445 (content:\"abcd\"; sid:1;)\n"
			       "alert tcp any any -> any 445 (asn1:x; sid:2;)\n"
			       "alert tcp any any -> any 80 (content:\"abcd\"; sid:3;)\n"
			       "drop tcp any any -> any 445 (content:\"abcd\"; flowbits:isset,x; "
			       "noalert; sid:4;)\n"
			       "alert tcp any any -> any 445 (pcre:\"/a/\"; sid:5;)\n"
			       "alert tcp any any -> any 445 (content:\"ab\"; sid:6;)\n");

	assert_int_equal(json_integer_value(json_object_get(result, "loaded")), 5);
	assert_int_equal(size_of(result, "refused"), 1);
	assert_entry(result, "refused", 0, 2, 2, "asn1", "ASN.1 is not decoded here");
	assert_int_equal(size_of(result, "unreachable"), 1);
	assert_entry(result, "unreachable", 0, 3, 3, NULL,
		"its ports or addresses fit no inspected service");
	assert_int_equal(size_of(result, "warnings"), 4);
	assert_entry(
		result, "warnings", 0, 4, 4, NULL, "it waits for a bit that no rule here sets");
	assert_entry(
		result, "warnings", 1, 4, 4, NULL, "it drops and, having noalert, tells nobody");
	assert_entry(result, "warnings", 2, 5, 5, NULL,
		"it has no content to search for: every record is evaluated");
	assert_entry(result, "warnings", 3, 6, 6, NULL,
		"its longest content is short: it is evaluated very often");
	assert_int_equal(json_integer_value(json_object_get(result, "patterns")), 4);
	assert_int_equal(json_integer_value(json_object_get(result, "pcre-hyperscan")), 1);
	json_decref(result);
}

static void a_missing_file_is_told(void **state)
{
	struct rule_check_options options = {0};
	struct ruleset_source source = {.name = in_dir("none.rules")};
	json_t *result = rule_check(&source, 1, &options), *entry;

	assert_int_equal(json_integer_value(json_object_get(result, "loaded")), 0);
	entry = json_array_get(json_object_get(result, "refused"), 0);
	assert_string_equal(json_string_value(json_object_get(entry, "reason")),
		"cannot be opened: No such file or directory");
	json_decref(result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_is_told_at_once, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_missing_file_is_told, make_dir, remove_dir),
	};

	return cmocka_run_group_tests_name("rule_check", tests, NULL, NULL);
}
