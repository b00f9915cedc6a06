#include "rule_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void rule_report_init(struct rule_report *report)
{
	*report = (struct rule_report){0};
}

void rule_report_free(struct rule_report *report)
{
	for (uint32_t i = 0; i < report->n; i++)
		free(report->refusals[i].file);
	free(report->refusals);
	rule_report_init(report);
}

static bool grow(struct rule_report *report)
{
	uint32_t room = report->room ? 2 * report->room : 64;
	void *bigger;

	if (report->n < report->room)
		return true;
	if (report->n >= RULE_REPORT_MAX)
		return false;
	bigger = realloc(report->refusals, room * sizeof(*report->refusals));
	if (!bigger)
		return false;
	report->refusals = bigger;
	report->room = room;
	return true;
}

void rule_report_add(struct rule_report *report, const char *file, uint32_t line, uint32_t sid,
	const char *keyword, const char *reason)
{
	struct rule_refusal *refusal;
	char *name;

	report->n_all++;
	if (!grow(report))
		return;
	name = strdup(file);
	if (!name)
		return;
	refusal = &report->refusals[report->n++];
	*refusal = (struct rule_refusal){.file = name, .line = line, .sid = sid};
	snprintf(refusal->keyword, sizeof(refusal->keyword), "%s", keyword);
	snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
}

int rule_report_format(const struct rule_refusal *refusal, char *text, size_t size)
{
	char line[16] = "", sid[24] = "";

	if (refusal->line)
		snprintf(line, sizeof(line), ":%" PRIu32, refusal->line);
	if (refusal->sid)
		snprintf(sid, sizeof(sid), ": sid %" PRIu32, refusal->sid);
	return snprintf(text, size, "%s%s%s%s%s: %s", refusal->file, line, sid,
		refusal->keyword[0] ? ": " : "", refusal->keyword, refusal->reason);
}

void rule_report_print(const struct rule_report *report, FILE *stream)
{
	char text[RULE_REASON_MAX + RULE_KEYWORD_MAX + 4096];

	for (uint32_t i = 0; i < report->n; i++) {
		rule_report_format(&report->refusals[i], text, sizeof(text));
		fprintf(stream, "%s\n", text);
	}
	if (report->n_all > report->n)
		fprintf(stream, "and %" PRIu64 " more\n", report->n_all - report->n);
}
