#include "local.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "complete.h"
#include "config.h"
#include "explain.h"
#include "help.h"
#include "local_config.h"
#include "local_rules.h"

#define COMMAND_HANDLER_READ(id)
#define COMMAND_HANDLER_CHANGE(id)
#define COMMAND_HANDLER_LOCAL(id)  static local_fn local_##id;
#define COMMAND_HANDLER_EITHER(id) COMMAND_HANDLER_LOCAL(id)
#define COMMAND(id, kind, ...)     COMMAND_HANDLER_##kind(id)
#include "commands.def"
#undef COMMAND
#undef COMMAND_HANDLER_READ
#undef COMMAND_HANDLER_CHANGE
#undef COMMAND_HANDLER_LOCAL
#undef COMMAND_HANDLER_EITHER

static local_fn *const handlers[COMMANDS] = {
#define COMMAND_HANDLER_READ(id)   NULL
#define COMMAND_HANDLER_CHANGE(id) NULL
#define COMMAND_HANDLER_LOCAL(id)  local_##id
#define COMMAND_HANDLER_EITHER(id) local_##id
#define COMMAND(id, kind, ...)     [COMMAND_##id] = COMMAND_HANDLER_##kind(id),
#include "commands.def"
#undef COMMAND
};

local_fn *local_handler(const struct command *command, const json_t *args)
{
	if (command->kind == COMMAND_EITHER && json_object_get(args, "config") == NULL)
		return NULL;
	return handlers[command - commands];
}

/* A configuration file as read, with the policy that its rules come to. */
struct read {
	const char *name;
	struct config *config; /* NULL: it is broken */
	struct policy *policy;
	json_t *messages; /* as config_report_json() has them */
	unsigned n_errors;
};

/* rules: the files of rules that it names, too. */
static void read_config(struct read *read, const json_t *file, bool rules)
{
	static const struct blocks none;
	const json_t *text = json_object_get(file, "text");
	struct config_report report;
	struct config_doc *doc;

	config_report_init(&report);
	read->name = json_string_value(json_object_get(file, "name"));
	read->policy = NULL;
	doc = config_doc_from_yaml(
		read->name, json_string_value(text), json_string_length(text), &report);
	read->config = doc == NULL ? NULL : config_decode(doc, &report);
	config_doc_free(doc);
	if (read->config != NULL)
		read->policy = policy_create(read->config, &none, NULL, &report);
	if (read->policy != NULL && rules)
		local_config_rules(read->config, read->name, &report);
	if (read->policy == NULL || report.n_errors > 0) {
		policy_free(read->policy);
		read->policy = NULL;
		config_free(read->config);
		read->config = NULL;
	}
	read->messages = config_report_json(&report);
	read->n_errors = report.n_errors;
}

/* The messages have been given away. */
static void read_free(struct read *read)
{
	policy_free(read->policy);
	config_free(read->config);
}

static json_t *broken(const struct read *read)
{
	char message[512];

	snprintf(message, sizeof(message), "%s has %u error%s", read->name, read->n_errors,
		read->n_errors == 1 ? "" : "s");
	return json_pack("{s:b,s:s,s:s,s:o}", "ok", 0, "code", "refused", "error", message,
		"errors", read->messages);
}

static json_t *local_config_check(const json_t *args, char *err, size_t err_len)
{
	const struct config *config;
	char message[512];
	struct read read;
	json_t *reply;

	(void)err;
	(void)err_len;
	read_config(&read, json_object_get(args, "file"), true);
	config = read.config;
	if (config == NULL)
		return broken(&read);
	snprintf(message, sizeof(message), "%s: %u network%s, %u port%s, no errors", read.name,
		config->n_networks, config->n_networks == 1 ? "" : "s", config->n_ports,
		config->n_ports == 1 ? "" : "s");
	reply = json_pack("{s:b,s:{s:s},s:o}", "ok", 1, "result", "message", message, "warnings",
		read.messages);
	read_free(&read);
	return reply;
}

static json_t *local_explain(const json_t *args, char *err, size_t err_len)
{
	struct explain_world world = {0};
	struct read read;
	json_t *reply, *result;

	read_config(&read, json_object_get(args, "config"), false);
	if (read.config == NULL)
		return broken(&read);
	json_decref(read.messages);
	world.config = read.config;
	world.policy = read.policy;
	result = explain_command(&world, args, err, err_len);
	if (result != NULL)
		reply = json_pack("{s:b,s:o,s:b}", "ok", 1, "result", result, "negative",
			explain_is_negative(result));
	else
		reply = json_pack("{s:b,s:s,s:s}", "ok", 0, "code", "refused", "error", err);
	read_free(&read);
	return reply;
}

/* What is printed, as a reply. */
struct capture {
	FILE *out;
	char *text;
	size_t size;
};

static bool capture_begin(struct capture *capture, char *err, size_t err_len)
{
	capture->out = open_memstream(&capture->text, &capture->size);
	if (capture->out == NULL)
		snprintf(err, err_len, "out of memory");
	return capture->out != NULL;
}

/* {"ok": true, "result": {"text": ...}}. */
static json_t *capture_end(struct capture *capture)
{
	json_t *reply;

	fclose(capture->out);
	reply = json_pack("{s:b,s:{s:s}}", "ok", 1, "result", "text", capture->text);
	free(capture->text);
	return reply;
}

/* Help for every command that is `words`, or begins with these words; how many there are. */
static unsigned print_group(FILE *out, const char *words)
{
	size_t len = strlen(words);
	unsigned n = 0;

	for (int i = 0; i < COMMANDS; i++) {
		if (strncmp(commands[i].words, words, len) != 0 ||
			(commands[i].words[len] != '\0' && commands[i].words[len] != ' '))
			continue;
		if (n++ > 0)
			fputc('\n', out);
		help_command(out, &commands[i]);
	}
	return n;
}

/* Help for the command that the words name, which may be cut short. False: none. */
static bool print_found(FILE *out, const json_t *words, char *err, size_t err_len)
{
	char *argv[COMMAND_WORDS_MAX], group[256] = "";
	const struct command *command;
	int argc = 0, used;

	for (; argc < COMMAND_WORDS_MAX && argc < (int)json_array_size(words); argc++) {
		size_t len = strlen(group);

		argv[argc] = (char *)(uintptr_t)json_string_value(
			json_array_get(words, (size_t)argc));
		snprintf(group + len, sizeof(group) - len, "%s%s", argc > 0 ? " " : "", argv[argc]);
	}
	if (print_group(out, group) > 0)
		return true;
	command = command_find(argc, argv, &used, err, err_len);
	if (command != NULL)
		help_command(out, command);
	return command != NULL;
}

static json_t *local_rules_check(const json_t *args, char *err, size_t err_len)
{
	return local_rules_check_run(args, err, err_len);
}

static json_t *local_help(const json_t *args, char *err, size_t err_len)
{
	const json_t *words = json_object_get(args, "command");
	struct capture capture;
	bool found = true;
	json_t *reply;

	if (!capture_begin(&capture, err, err_len))
		return NULL;
	if (json_is_true(json_object_get(args, "man")))
		help_man(capture.out);
	else if (json_array_size(words) == 0)
		help_overview(capture.out);
	else
		found = print_found(capture.out, words, err, err_len);
	reply = capture_end(&capture);
	if (found)
		return reply;
	json_decref(reply);
	return NULL;
}

static json_t *local_completion(const json_t *args, char *err, size_t err_len)
{
	const char *shell = json_string_value(json_object_get(args, "shell"));
	struct capture capture;

	if (strcmp(shell, "bash") != 0) {
		snprintf(err, err_len, "there is no completion for `%.64s`, only for bash", shell);
		return NULL;
	}
	if (!capture_begin(&capture, err, err_len))
		return NULL;
	complete_bash(capture.out);
	return capture_end(&capture);
}
