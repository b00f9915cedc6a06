/*
 * What is wrong, or only odd, in a configuration: a bounded list of messages with file, line and
 * field. Owned by the caller; no DPDK here.
 */
#ifndef VS_CONFIG_REPORT_H
#define VS_CONFIG_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#define CONFIG_REPORT_MAX 32 /* messages kept; the rest is only counted */

struct config_message {
	bool warning;
	char file[256];
	unsigned line, col; /* from 1; 0: unknown */
	char field[160]; /* "ports[2].mac"; empty: the document as a whole */
	char text[400]; /* what is wrong and what would be right */
};

struct config_report {
	struct config_message messages[CONFIG_REPORT_MAX];
	unsigned n_messages;
	unsigned n_errors, n_warnings; /* also those not kept */
};

/* Why an operation that has only one thing to say failed; empty text: it did not. */
struct config_error {
	char text[256];
};

void config_report_init(struct config_report *report);

/*
 * An error takes the place of a kept warning where the list is full. Bytes that are no printable
 * text (control characters, broken UTF-8) are kept as '?', so that no input can forge a log line.
 */
void config_report_add(struct config_report *report, bool warning, const char *file, unsigned line,
	unsigned col, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));

/* A further error would only be counted: callers may spare themselves the work of wording it. */
bool config_report_full(const struct config_report *report);

/* One message a line: "FILE:LINE:COL: error: FIELD: TEXT". */
void config_report_print(const struct config_report *report, FILE *out);

/* [{"severity","file","line","column","field","message"}]; the caller owns the reference. */
json_t *config_report_json(const struct config_report *report);

/* Sets err's text, cleaned in the same way. */
void config_error_set(struct config_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
