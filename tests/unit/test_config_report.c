/* The list of messages about a configuration: its limit, its text, its forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "config_report.h"

static struct config_report report;

static void errors_displace_warnings(void **state)
{
	config_report_init(&report);
	for (unsigned i = 0; i < CONFIG_REPORT_MAX; i++)
		config_report_add(&report, i % 2, "f", 0, 0, "", "message %u", i);
	assert_false(config_report_full(&report));
	config_report_add(&report, true, "f", 0, 0, "", "one warning more");
	config_report_add(&report, false, "f", 0, 0, "", "one error more");
	assert_int_equal(report.n_messages, CONFIG_REPORT_MAX);
	assert_string_equal(report.messages[CONFIG_REPORT_MAX - 1].text, "one error more");
	assert_string_equal(report.messages[CONFIG_REPORT_MAX - 2].text, "message 30");
	assert_string_equal(report.messages[29].text, "message 29");
	assert_int_equal(report.n_errors, CONFIG_REPORT_MAX / 2 + 1);
	assert_int_equal(report.n_warnings, CONFIG_REPORT_MAX / 2 + 1);
	for (unsigned i = 0; i < CONFIG_REPORT_MAX; i++)
		config_report_add(&report, false, "f", 0, 0, "", "error %u", i);
	assert_true(config_report_full(&report));
}

static void messages_hold_nothing_but_text(void **state)
{
	char longest[sizeof(report.messages[0].text) + 45];
	size_t kept = sizeof(report.messages[0].text) - 1;

	config_report_init(&report);
	config_report_add(&report, false, "a\nb", 1, 2, "x\x1b[31m", "%s",
		"\xc3\xa9 \xff \xc2\x85 \xed\xa0\x80 \xe2\x82\xac \xf0\x9f\x98\x80 \xc0\x80");
	assert_string_equal(report.messages[0].file, "a?b");
	assert_string_equal(report.messages[0].field, "x?[31m");
	assert_string_equal(
		report.messages[0].text, "\xc3\xa9 ? ?? ??? \xe2\x82\xac \xf0\x9f\x98\x80 ??");
	for (size_t i = 0; i < sizeof(longest) - 1; i += 2) /* cut within a character */
		memcpy(longest + i, "\xc3\xa9", 2);
	longest[sizeof(longest) - 1] = '\0';
	config_report_add(&report, false, "f", 0, 0, "", "%s", longest);
	assert_int_equal(strlen(report.messages[1].text), kept);
	assert_int_equal(report.messages[1].text[kept - 1], '?');
}

static void reports_are_printed_and_packed(void **state)
{
	char *text, *json;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	json_t *list;

	config_report_init(&report);
	config_report_add(&report, false, "f.yaml", 3, 5, "ports[0].mac", "is wrong");
	config_report_add(&report, true, "f.yaml", 0, 0, "", "is odd");
	config_report_add(&report, true, "", 0, 0, "a", "b");
	config_report_add(&report, false, "smb.rules", 7, 0, "", "c");
	report.n_errors += 4;
	config_report_print(&report, out);
	fclose(out);
	assert_string_equal(text, "f.yaml:3:5: error: ports[0].mac: is wrong\n"
				  "f.yaml: warning: is odd\n"
				  "warning: a: b\n"
				  "smb.rules:7: error: c\n"
				  "... and 4 more\n");
	list = config_report_json(&report);
	json = json_dumps(json_array_get(list, 0), JSON_COMPACT);
	assert_int_equal(json_array_size(list), 4);
	assert_string_equal(json,
		"{\"severity\":\"error\",\"file\":\"f.yaml\",\"line\":3,\"column\":5,"
		"\"field\":\"ports[0].mac\",\"message\":\"is wrong\"}");
	free(text);
	free(json);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_displace_warnings),
		cmocka_unit_test(messages_hold_nothing_but_text),
		cmocka_unit_test(reports_are_printed_and_packed),
	};

	return cmocka_run_group_tests_name("config_report", tests, NULL, NULL);
}
