/*
 * For the tests of the configuration: text in, a configuration or its one fault out. Include it
 * behind cmocka.h.
 */
#ifndef VS_CONFIG_RIG_H
#define VS_CONFIG_RIG_H

#include <string.h>

#include "config.h"

static struct config_report report;

static struct config *decode(const char *text)
{
	struct config_doc *doc;
	struct config *config = NULL;

	config_report_init(&report);
	doc = config_doc_from_yaml("f.yaml", text, strlen(text), &report);
	if (doc)
		config = config_decode(doc, &report);
	config_doc_free(doc);
	return config;
}

static inline struct config *decode_good(const char *text)
{
	struct config *config = decode(text);

	if (!config)
		config_report_print(&report, stdout);
	assert_non_null(config);
	assert_int_equal(report.n_errors, 0);
	return config;
}

/* text has exactly one fault: this one; warnings do not matter. */
static inline void assert_fault(
	const char *text, unsigned line, unsigned col, const char *field, const char *why)
{
	const struct config_message *m = report.messages;
	struct config *config = decode(text);

	while (m->warning)
		m++;
	if (config || report.n_errors != 1)
		print_message("%s\n", text);
	assert_null(config);
	config_report_print(&report, stdout);
	assert_string_equal(m->text, why);
	assert_string_equal(m->field, field);
	assert_int_equal(m->line, line);
	assert_int_equal(m->col, col);
	assert_false(m->warning);
	assert_int_equal(report.n_errors, 1);
}

/* text is right, and the one thing odd about it is this; "" for why: nothing is. */
static inline void assert_warning(const char *text, const char *field, const char *why)
{
	config_free(decode_good(text));
	if (report.n_warnings != (why[0] != '\0'))
		config_report_print(&report, stdout);
	assert_int_equal(report.n_warnings, why[0] != '\0');
	assert_string_equal(report.messages[0].text, why);
	assert_string_equal(report.messages[0].field, field);
}

#endif
