#include "transaction_boot.h"

#include <stdio.h>
#include <string.h>

#include "log.h"

/* The report's first error on one line, and how many more there are. */
void transaction_boot_first_error(const struct config_report *report, char *text, size_t len)
{
	for (unsigned i = 0; i < report->n_messages; i++) {
		const struct config_message *m = &report->messages[i];
		char place[32] = "", more[32] = "";

		if (m->warning)
			continue;
		if (m->line > 0)
			snprintf(place, sizeof(place), ":%u:%u", m->line, m->col);
		if (report->n_errors > 1)
			snprintf(more, sizeof(more), " (and %u more)", report->n_errors - 1);
		snprintf(text, len, "%s%s: %s%s%s%s", m->file, place, m->field,
			m->field[0] != '\0' ? ": " : "", m->text, more);
		return;
	}
	snprintf(text, len, "%s", "no reason given");
}

void transaction_boot_log(const struct config_report *report)
{
	for (unsigned i = 0; i < report->n_messages; i++) {
		const struct config_message *m = &report->messages[i];

		log_message(m->warning ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "%s:%u:%u: %s: %s",
			m->file, m->line, m->col, m->field, m->text);
	}
}

/* The section may be right though the rest of the file is not. False: neither is. */
static bool section_is_right(const char *file, const json_t *section)
{
	json_t *root = json_pack("{s:O}", "vswitch", section);
	struct config_doc *doc = config_doc_from_json(file, root);
	struct config_report report;
	struct config *config;

	config_report_init(&report);
	config = config_decode(doc, &report);
	config_free(config);
	config_doc_free(doc);
	json_decref(root);
	return config != NULL;
}

static void read_file(struct transaction_boot *boot)
{
	struct config_report report;
	struct config_doc *doc;
	const json_t *section;

	config_report_init(&report);
	doc = config_doc_from_file(boot->file, &report);
	section = doc == NULL ? NULL : json_object_get(config_doc_root(doc), "vswitch");
	if (doc == NULL || !transaction_state_make(&boot->file_state, doc, section, NULL, &report))
		transaction_boot_first_error(&report, boot->why, sizeof(boot->why));
	transaction_boot_log(&report);
	if (section != NULL &&
		(boot->file_state.config != NULL || section_is_right(boot->file, section)))
		boot->section = json_deep_copy(section);
	config_doc_free(doc);
}

bool transaction_boot_read(struct transaction_boot *boot, const char *file)
{
	struct config_report report;

	memset(boot, 0, sizeof(*boot));
	snprintf(boot->file, sizeof(boot->file), "%s", file == NULL ? "" : file);
	if (boot->file[0] != '\0')
		read_file(boot);
	else
		snprintf(boot->why, sizeof(boot->why),
			"vswitchd was started without a configuration file (-c FILE)");
	config_report_init(&report);
	return transaction_state_empty(&boot->empty, boot->section, &report);
}

void transaction_boot_free(struct transaction_boot *boot)
{
	transaction_state_free(&boot->file_state);
	transaction_state_free(&boot->empty);
	json_decref(boot->section);
	memset(boot, 0, sizeof(*boot));
}

json_t *transaction_boot_canonical(const struct transaction_boot *boot, const char *name,
	const char *text, size_t len, struct config_report *report)
{
	struct config_doc *doc = name == NULL ? config_doc_from_file(boot->file, report)
					      : config_doc_from_yaml(name, text, len, report);
	struct transaction_state state;
	struct config *config;
	json_t *canonical = NULL;

	if (doc == NULL)
		return NULL;
	if (json_object_get(config_doc_root(doc), "vswitch") != NULL) {
		config = config_decode(doc, report);
		canonical = config == NULL ? NULL : config_encode(config);
		config_free(config);
	} else if (transaction_state_make(&state, doc, boot->section, NULL, report)) {
		canonical = json_incref(state.canonical);
		transaction_state_free(&state);
	}
	config_doc_free(doc);
	return canonical;
}
