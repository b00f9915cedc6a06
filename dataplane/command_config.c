/*
 * Commands on the configuration as a whole: handlers as commands.h declares them, on transaction.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "config_diff.h"
#include "config_yaml_out.h"

/* The argument `file`, {"name", "text"}; NULLs where it was not given. */
static void file_arg(
	const struct command_request *request, const char **name, const char **text, size_t *len)
{
	const json_t *file = json_object_get(request->args, "file");
	const json_t *content = json_object_get(file, "text");

	*name = json_string_value(json_object_get(file, "name"));
	*text = json_string_value(content);
	*len = json_string_length(content);
}

/* The caller frees it. */
static char *diff_text(const json_t *diff)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	config_diff_print(diff, out);
	fclose(out);
	return text;
}

void command_config_diff(const struct command_request *request, struct command_reply *reply)
{
	struct config_report report;
	const char *name, *text;
	size_t len;
	json_t *diff;
	char *printed;

	config_report_init(&report);
	file_arg(request, &name, &text, &len);
	diff = transaction_diff(name, text, len, &report);
	command_report(reply, &report);
	if (diff == NULL) {
		command_refuse(reply,
			"there is nothing to compare with: the configuration has %u "
			"error%s",
			report.n_errors, report.n_errors == 1 ? "" : "s");
		return;
	}
	printed = diff_text(diff);
	reply->negative = json_array_size(diff) > 0;
	reply->result = json_pack(
		"{s:s,s:o}", "text", printed == NULL ? "" : printed, "changes", diff);
	free(printed);
}

void command_config_show(const struct command_request *request, struct command_reply *reply)
{
	const json_t *document = transaction_document();
	char *text;

	(void)request;
	if (document == NULL) {
		command_refuse(reply, "no configuration is applied");
		return;
	}
	text = config_yaml_out(document);
	if (text != NULL)
		reply->result = json_pack("{s:s,s:O}", "text", text, "configuration", document);
	free(text);
}

void command_config_apply(const struct command_request *request, struct command_reply *reply)
{
	struct transaction_how how = command_how(request);
	struct transaction_outcome outcome;
	const char *name, *text;
	size_t len;

	file_arg(request, &name, &text, &len);
	transaction_apply(name, text, len, &how, &outcome);
	command_outcome(reply, &outcome);
}

void command_config_confirm(const struct command_request *request, struct command_reply *reply)
{
	struct transaction_how how = command_how(request);
	struct transaction_outcome outcome;

	transaction_confirm(&how, &outcome);
	command_outcome(reply, &outcome);
}

void command_config_rollback(const struct command_request *request, struct command_reply *reply)
{
	struct transaction_how how = command_how(request);
	struct transaction_outcome outcome;

	transaction_rollback(command_number(request, "revision"), &how, &outcome);
	command_outcome(reply, &outcome);
}

void command_config_history(const struct command_request *request, struct command_reply *reply)
{
	(void)request;
	reply->result = transaction_history();
}
