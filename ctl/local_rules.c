/*
 * `rules check`: what a file of signatures comes to, by the code of rules/, without vswitchd.
 */
#include "local_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule_check.h"

/* Where SMB is served, and so what is inspected unless the configuration says otherwise. */
static const uint16_t smb_ports[] = {139, 445};

/* "FILE:LINE: sid N: keyword: reason", for each of rows. */
static void print_rows(FILE *out, const json_t *rows, const char *what)
{
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *keyword = json_string_value(json_object_get(row, "keyword"));

		fprintf(out, "%s:%d: %s: sid %" JSON_INTEGER_FORMAT ": %s%s%s\n",
			json_string_value(json_object_get(row, "file")),
			(int)json_integer_value(json_object_get(row, "line")), what,
			json_integer_value(json_object_get(row, "sid")),
			keyword != NULL ? keyword : "", keyword != NULL && keyword[0] ? ": " : "",
			json_string_value(json_object_get(row, "reason")));
	}
}

/* The result once more as lines for people. */
static json_t *text_of(const json_t *result, const char *name)
{
	const json_t *refused = json_object_get(result, "refused");
	const json_t *unreachable = json_object_get(result, "unreachable");
	char *text = NULL;
	json_t *string;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	print_rows(out, refused, "refused");
	print_rows(out, unreachable, "never reached");
	print_rows(out, json_object_get(result, "warnings"), "warning");
	fprintf(out, "%s: %d rules load, %zu are refused, %zu see no inspected service\n", name,
		(int)json_integer_value(json_object_get(result, "loaded")),
		json_array_size(refused), json_array_size(unreachable));
	fclose(out);
	string = json_string(text);
	free(text);
	return string;
}

json_t *local_rules_check_run(const json_t *args, char *err, size_t err_len)
{
	const json_t *file = json_object_get(args, "file");
	const json_t *text = json_object_get(file, "text");
	const struct ruleset_source source = {
		.name = json_string_value(json_object_get(file, "name")),
		.text = json_string_value(text),
		.size = json_string_length(text),
	};
	const struct rule_check_options options = {
		.classes = json_string_value(json_object_get(args, "classes")),
		.ports = smb_ports,
		.n_ports = sizeof(smb_ports) / sizeof(smb_ports[0]),
	};
	json_t *result = rule_check(&source, 1, &options);

	if (result == NULL) {
		snprintf(err, err_len, "out of memory");
		return NULL;
	}
	json_object_set_new(result, "text", text_of(result, source.name));
	return json_pack("{s:b,s:o,s:b}", "ok", 1, "result", result, "negative",
		json_array_size(json_object_get(result, "refused")) > 0);
}
