/*
 * vswitchd(8) against the program: every drop reason with its stage and meaning and no other, and
 * every option. Runs in the repository's top folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drop.h"

/* The file's text without backslashes, as in "\-"; the caller frees it. */
static char *read_plain(const char *name)
{
	size_t len = 0, size = 1 << 18;
	FILE *file = fopen(name, "r");
	char *text = malloc(size);
	int c;

	assert_non_null(file);
	assert_non_null(text);
	while ((c = fgetc(file)) != EOF && len < size - 1) {
		if (c != '\\')
			text[len++] = (char)c;
	}
	text[len] = '\0';
	fclose(file);
	return text;
}

/* From the heading to the next one; the caller frees it. */
static char *section(const char *text, const char *heading)
{
	char line[64];
	const char *begin, *end;

	snprintf(line, sizeof(line), "\n.SH %s\n", heading);
	begin = strstr(text, line);
	assert_non_null(begin);
	end = strstr(begin + 1, "\n.SH ");
	return end != NULL ? strndup(begin, (size_t)(end - begin) + 1) : strdup(begin);
}

static void test_drop_reasons(void **state)
{
	char *page = read_plain("dataplane/vswitchd.8"), *list = section(page, "DROPPED PACKETS");
	unsigned entries = 0;

	(void)state;
	for (int i = 0; i < DROP_REASONS; i++) {
		enum drop_reason reason = (enum drop_reason)i;
		char entry[256], text[160];

		snprintf(text, sizeof(text), "%s", drop_text(reason));
		text[0] = (char)toupper((unsigned char)text[0]);
		snprintf(entry, sizeof(entry), "\n.TP\n.BR %s \" (%s)\"\n%s.\n", drop_name(reason),
			drop_is_output(reason) ? "out" : "in", text);
		if (strstr(list, entry) == NULL)
			fail_msg("vswitchd.8 lacks this entry:%s", entry);
	}
	for (const char *at = list; (at = strstr(at, "\n.TP\n")) != NULL; at++)
		entries++;
	assert_int_equal(entries, DROP_REASONS);
	free(list);
	free(page);
}

/* Every "--option" of the one text is in the other. */
static void assert_options_in(const char *from, const char *in)
{
	unsigned n = 0;

	for (const char *at = from; (at = strstr(at, "--")) != NULL; at += 2) {
		size_t len = 2 + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-");
		char option[64];

		snprintf(option, sizeof(option), "%.*s", (int)len, at);
		if (len > 2 && strstr(in, option) == NULL)
			fail_msg("%s is missing", option);
		n += len > 2;
	}
	assert_true(n > 0);
}

static void test_options(void **state)
{
	char *page = read_plain("dataplane/vswitchd.8"), *options = section(page, "OPTIONS");
	char *program = read_plain("dataplane/main.c");
	char *usage = strstr(program, "usage: vswitchd"), *end;

	(void)state;
	assert_non_null(usage);
	end = strstr(usage, ";\n");
	assert_non_null(end);
	*end = '\0';
	assert_options_in(usage, options);
	assert_options_in(options, usage);
	free(program);
	free(options);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop_reasons),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
