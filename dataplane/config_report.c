#include "config_report.h"

#include <stdarg.h>
#include <string.h>

/* Length of the well-formed UTF-8 sequence at s, 0 if there is none (RFC 3629, section 4). */
static size_t utf8_length(const unsigned char *s)
{
	size_t len;
	unsigned min = 0x80;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		min = 0xa0;
	else if (s[0] == 0xf0)
		min = 0x90;
	if (s[1] < min || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Replaces what is not printable text, and a sequence that was cut off at the end, by '?'. */
static void make_printable(char *text)
{
	unsigned char *s = (unsigned char *)text;

	while (*s) {
		size_t len = utf8_length(s);
		bool c1 = len == 2 && s[0] == 0xc2 && s[1] < 0xa0;

		if (len == 0 || c1 || *s < 0x20 || *s == 0x7f) {
			*s++ = '?';
			continue;
		}
		s += len;
	}
}

void config_report_init(struct config_report *report)
{
	memset(report, 0, sizeof(*report));
}

static unsigned last_warning(const struct config_report *report)
{
	for (unsigned i = report->n_messages; i > 0; i--)
		if (report->messages[i - 1].warning)
			return i - 1;
	return CONFIG_REPORT_MAX;
}

bool config_report_full(const struct config_report *report)
{
	return report->n_messages == CONFIG_REPORT_MAX && last_warning(report) == CONFIG_REPORT_MAX;
}

static struct config_message *new_message(struct config_report *report, bool warning)
{
	struct config_message *end = &report->messages[CONFIG_REPORT_MAX - 1];
	unsigned victim;

	if (report->n_messages < CONFIG_REPORT_MAX)
		return &report->messages[report->n_messages++];
	victim = last_warning(report);
	if (warning || victim == CONFIG_REPORT_MAX)
		return NULL;
	memmove(&report->messages[victim], &report->messages[victim + 1],
		(size_t)(CONFIG_REPORT_MAX - 1 - victim) * sizeof(*end));
	return end;
}

void config_report_add(struct config_report *report, bool warning, const char *file, unsigned line,
	unsigned col, const char *field, const char *fmt, ...)
{
	struct config_message *message;
	va_list args;

	if (warning)
		report->n_warnings++;
	else
		report->n_errors++;
	message = new_message(report, warning);
	if (!message)
		return;
	message->warning = warning;
	message->line = line;
	message->col = col;
	snprintf(message->file, sizeof(message->file), "%s", file ? file : "");
	snprintf(message->field, sizeof(message->field), "%s", field ? field : "");
	va_start(args, fmt);
	vsnprintf(message->text, sizeof(message->text), fmt, args);
	va_end(args);
	make_printable(message->file);
	make_printable(message->field);
	make_printable(message->text);
}

static void print_message(const struct config_message *message, FILE *out)
{
	if (message->file[0])
		fprintf(out, "%s:", message->file);
	if (message->line)
		fprintf(out, "%u:", message->line);
	if (message->line && message->col)
		fprintf(out, "%u:", message->col);
	if (message->file[0] || message->line)
		fputc(' ', out);
	fprintf(out, "%s: ", message->warning ? "warning" : "error");
	if (message->field[0])
		fprintf(out, "%s: ", message->field);
	fprintf(out, "%s\n", message->text);
}

void config_report_print(const struct config_report *report, FILE *out)
{
	unsigned all = report->n_errors + report->n_warnings;

	for (unsigned i = 0; i < report->n_messages; i++)
		print_message(&report->messages[i], out);
	if (all > report->n_messages)
		fprintf(out, "... and %u more\n", all - report->n_messages);
}

json_t *config_report_json(const struct config_report *report)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < report->n_messages; i++) {
		const struct config_message *m = &report->messages[i];

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:i, s:i, s:s, s:s}", "severity",
				      m->warning ? "warning" : "error", "file", m->file, "line",
				      (int)m->line, "column", (int)m->col, "field", m->field,
				      "message", m->text));
	}
	return list;
}

void config_error_set(struct config_error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	make_printable(err->text);
}
