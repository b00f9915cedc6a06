#include "render.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 16
#define DEPTH_MAX   8

struct column {
	const char *heading, *member;
	int heading_len, member_len;
	size_t width;
	bool used; /* by any row */
	bool numbers; /* nothing but numbers in it */
};

struct table {
	struct column columns[COLUMNS_MAX];
	unsigned n_columns;
	char rows_at[32]; /* member of the result that holds the rows; empty: the result itself */
	char expand[32]; /* array in a row that makes a line of each of its elements; empty: none */
};

static void put_clean(FILE *out, const char *text, bool newlines)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		fputc((c < 0x20 || c == 0x7f) && !(newlines && (c == '\n' || c == '\t')) ? '?' : c,
			out);
	}
}

void render_text(FILE *out, const char *text)
{
	put_clean(out, text, true);
}

static void put_value(FILE *out, const json_t *value, unsigned depth);

static void put_list(FILE *out, const json_t *list, unsigned depth)
{
	const json_t *item;
	size_t i;

	if (json_array_size(list) == 0)
		fputc('-', out);
	json_array_foreach (list, i, item) {
		fputs(i > 0 ? "," : "", out);
		put_value(out, item, depth + 1);
	}
}

static void put_pairs(FILE *out, const json_t *object, unsigned depth)
{
	const char *key, *space = "";
	json_t *value;

	if (json_object_size(object) == 0)
		fputc('-', out);
	json_object_foreach ((json_t *)object, key, value) {
		fputs(space, out);
		put_clean(out, key, false);
		fputc('=', out);
		put_value(out, value, depth + 1);
		space = " ";
	}
}

/* On one line. */
static void put_value(FILE *out, const json_t *value, unsigned depth)
{
	if (json_is_string(value) && json_string_length(value) > 0)
		put_clean(out, json_string_value(value), false);
	else if (json_is_integer(value))
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		fprintf(out, "%.1f", json_real_value(value));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "yes" : "no", out);
	else if (json_is_array(value) && depth < DEPTH_MAX)
		put_list(out, value, depth);
	else if (json_is_object(value) && depth < DEPTH_MAX)
		put_pairs(out, value, depth);
	else
		fputc('-', out);
}

/* "rx.packets" in row; NULL where there is none. */
static const json_t *member(const json_t *row, const char *path, int len)
{
	char name[64];

	while (len > 0 && row != NULL) {
		int part = (int)strcspn(path, ".");

		part = part < len ? part : len;
		if (part >= (int)sizeof(name))
			return NULL;
		memcpy(name, path, (size_t)part);
		name[part] = '\0';
		row = json_object_get(row, name);
		path += part;
		len -= part;
		if (len > 0) { /* over the dot */
			path++;
			len--;
		}
	}
	return row;
}

static char *value_text(const json_t *value)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	put_value(out, value, 0);
	fclose(out);
	return text;
}

static void parse_columns(struct table *table, const char *columns)
{
	*table = (struct table){0};
	while (*columns != '\0' && table->n_columns < COLUMNS_MAX) {
		int len = (int)strcspn(columns, " "), heading = (int)strcspn(columns, "= ");
		struct column *column = &table->columns[table->n_columns];

		if (columns[0] == '/') {
			snprintf(table->rows_at, sizeof(table->rows_at), "%.*s", len - 1,
				columns + 1);
		} else if (columns[0] == '@') {
			snprintf(
				table->expand, sizeof(table->expand), "%.*s", len - 1, columns + 1);
		} else if (heading < len) {
			column->heading = columns;
			column->heading_len = heading;
			column->member = columns + heading + 1;
			column->member_len = len - heading - 1;
			column->width = (size_t)heading;
			column->numbers = true;
			table->n_columns++;
		}
		columns += len;
		columns += strspn(columns, " ");
	}
}

/* A line for each row, or for each element of the array in it. The caller owns the reference. */
static json_t *table_lines(const struct table *table, const json_t *rows)
{
	json_t *lines = json_array(), *row, *element, *line;
	size_t i, j;

	json_array_foreach (rows, i, row) {
		const json_t *list = table->expand[0] == '\0' ? NULL
							      : json_object_get(row, table->expand);

		if (json_array_size(list) == 0) {
			json_array_append(lines, row);
			continue;
		}
		json_array_foreach (list, j, element) {
			line = json_copy(row);
			json_object_set(line, table->expand, element);
			json_array_append_new(lines, line);
		}
	}
	return lines;
}

static void measure(struct table *table, const json_t *lines)
{
	const json_t *line;
	size_t i;

	json_array_foreach (lines, i, line) {
		for (unsigned c = 0; c < table->n_columns; c++) {
			struct column *column = &table->columns[c];
			const json_t *value = member(line, column->member, column->member_len);
			char *text = value_text(value);
			size_t len = text == NULL ? 0 : strlen(text);

			column->used |= value != NULL && !json_is_null(value);
			column->numbers &= value == NULL || json_is_number(value) ||
					   json_is_null(value);
			column->width = len > column->width ? len : column->width;
			free(text);
		}
	}
}

static void put_cell(FILE *out, const struct column *column, const char *text, int len, bool last)
{
	int pad = (int)column->width - len;

	if (column->numbers)
		fprintf(out, "%*s%.*s", pad, "", len, text);
	else
		fprintf(out, "%.*s%*s", len, text, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", out);
}

void render_table(FILE *out, const char *columns, const json_t *result)
{
	struct table table;
	const json_t *line;
	unsigned last = 0;
	json_t *lines;
	size_t i;

	parse_columns(&table, columns);
	lines = table_lines(
		&table, table.rows_at[0] == '\0' ? result : json_object_get(result, table.rows_at));
	measure(&table, lines);
	for (unsigned c = 0; c < table.n_columns; c++) {
		table.columns[c].used |= json_array_size(lines) == 0;
		last = table.columns[c].used ? c : last;
	}
	for (unsigned c = 0; c <= last; c++) {
		if (table.columns[c].used)
			put_cell(out, &table.columns[c], table.columns[c].heading,
				table.columns[c].heading_len, c == last);
	}
	json_array_foreach (lines, i, line) {
		for (unsigned c = 0; c <= last; c++) {
			const struct column *column = &table.columns[c];
			char *text;

			if (!column->used)
				continue;
			text = value_text(member(line, column->member, column->member_len));
			if (text != NULL)
				put_cell(out, column, text, (int)strlen(text), c == last);
			free(text);
		}
	}
	json_decref(lines);
}

static bool is_nested(const json_t *value)
{
	return (json_is_object(value) && json_object_size(value) > 0) ||
	       (json_is_array(value) && json_is_object(json_array_get(value, 0)));
}

static void put_record(FILE *out, const json_t *value, int indent, unsigned depth)
{
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach (value, i, item) {
		fprintf(out, "%*s- ", indent, "");
		put_value(out, item, depth);
		fputc('\n', out);
	}
	if (!json_is_object(value))
		return;
	json_object_foreach ((json_t *)value, key, item) {
		fprintf(out, "%*s", indent, "");
		put_clean(out, key, false);
		fputc(':', out);
		if (is_nested(item) && depth < DEPTH_MAX) {
			fputc('\n', out);
			put_record(out, item, indent + 2, depth + 1);
		} else {
			fputc(' ', out);
			put_value(out, item, depth);
			fputc('\n', out);
		}
	}
}

void render_record(FILE *out, const json_t *result)
{
	put_record(out, result, 0, 0);
}
