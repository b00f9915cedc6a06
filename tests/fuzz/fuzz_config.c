/*
 * Fuzzes the configuration: the bytes as a YAML file. Whatever is accepted must survive being
 * printed, read again, decoded and encoded, and differ from itself in nothing.
 *
 * libFuzzer target; its corpus is small configuration files.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_diff.h"
#include "config_yaml_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config_report report;

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	config_report_print(&report, stderr);
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Printed and read again, the tree is the same. Takes over nothing. */
static void check_printing(const json_t *tree)
{
	char *text = config_yaml_out(tree);
	struct config_doc *doc;

	must(text, "a tree that was read cannot be printed");
	config_report_init(&report);
	doc = config_doc_from_yaml("printed", text, strlen(text), &report);
	must(doc, "a tree that was printed cannot be read");
	must(json_equal(tree, config_doc_root(doc)), "a tree changed by being printed");
	config_doc_free(doc);
	free(text);
}

/* The canonical document means what the first one meant. */
static void check_meaning(const struct config *config)
{
	json_t *tree = config_encode(config), *again, *diff;
	struct config_doc *doc = config_doc_from_json("encoded", tree);
	struct config *decoded;

	check_printing(tree);
	config_report_init(&report);
	decoded = config_decode(doc, &report);
	must(decoded, "a canonical document is refused");
	again = config_encode(decoded);
	diff = config_diff(tree, again);
	must(json_equal(tree, again), "a canonical document changed by being decoded");
	must(json_array_size(diff) == 0, "equal documents differ");
	json_decref(diff);
	json_decref(again);
	json_decref(tree);
	config_free(decoded);
	config_doc_free(doc);
}

/* The first line of the input as a path: any text may be asked for. */
static void ask_where(const struct config_doc *doc, const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	char *path = strndup((const char *)data, end ? (size_t)(end - data) : size);
	unsigned line, col;

	config_doc_where(doc, path, &line, &col);
	must(line > 0 && col > 0, "a document that was read has no lines");
	free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size); /* of its exact size, for the sanitizer to see its end */
	struct config_doc *doc;
	struct config *config;
	json_t *list;

	if (size > 0)
		memcpy(text, data, size);
	config_report_init(&report);
	doc = config_doc_from_yaml("fuzz", text, size, &report);
	must(!doc == (report.n_errors > 0), "refused without a reason, or accepted with one");
	if (doc) {
		ask_where(doc, data, size);
		check_printing(config_doc_root(doc));
		config_report_init(&report);
		config = config_decode(doc, &report);
		must(!config == (report.n_errors > 0), "no configuration and no reason, or both");
		list = config_report_json(&report);
		must(json_array_size(list) == report.n_messages, "a message is no text");
		json_decref(list);
		if (config)
			check_meaning(config);
		config_free(config);
	}
	config_doc_free(doc);
	free(text);
	return 0;
}
