/*
 * vswitch-ctl: reads its arguments, has vswitchd (or a local handler) carry the command out, prints
 * the result, and tells by its exit status how it went.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "arguments.h"
#include "client.h"
#include "command.h"
#include "complete.h"
#include "config_diff.h"
#include "config_report.h"
#include "follow.h"
#include "help.h"
#include "local.h"
#include "reload.h"
#include "render.h"
#include "version.h"

#define DEFAULT_SOCKET    "/run/vswitch/ctl.sock"
#define DEFAULT_TIMEOUT_S 60

struct options {
	const char *socket;
	unsigned timeout_s;
	bool json;
	bool help;
	bool version;
	int argc; /* what is left: the command and its arguments */
	char **argv;
};

static void print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

/* text as JSON takes it: other bytes than ASCII become ? where it is not UTF-8. */
static json_t *plain_string(char *text)
{
	json_t *string = json_string(text);

	if (string != NULL)
		return string;
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(text);
}

/*
 * What no reply says: for people on standard error, and with -j as a reply in the shape of
 * vswitchd's too, so that who reads JSON need not look elsewhere. Returns code.
 */
static enum exit_code __attribute__((format(printf, 3, 4)))
fail(const struct options *o, enum exit_code code, const char *fmt, ...)
{
	char error[1024];
	va_list args;
	json_t *reply;

	va_start(args, fmt);
	vsnprintf(error, sizeof(error), fmt, args);
	va_end(args);
	fputs("vswitch-ctl: ", stderr);
	render_text(stderr, error);
	fputc('\n', stderr);
	if (!o->json)
		return code;
	/* What was typed may be no UTF-8, or have been cut within a character. */
	reply = json_pack("{s:b,s:s,s:o}", "ok", 0, "code",
		code == EXIT_UNREACHABLE ? "unreachable" : "usage", "error", plain_string(error));
	print_json(reply);
	json_decref(reply);
	return code;
}

/* For parse_options(): false. */
static bool wrong(const struct options *o, const char *what, const char *why)
{
	fail(o, EXIT_USAGE, "%s %s", what, why);
	return false;
}

/* -j counts for a complaint about what stands before it, too. */
static bool asks_for_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "-j") == 0 || strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

/*
 * The value of an option at argv[*i], in one of the forms --long VALUE, --long=VALUE, -s VALUE and
 * -sVALUE; NULL if it is not this option, "" without a value.
 */
static const char *option_value(const char *name, const char *letter, int argc, char **argv, int *i)
{
	const char *word = argv[*i];
	size_t len = strlen(name);
	bool whole = strcmp(word, name) == 0 || (letter != NULL && strcmp(word, letter) == 0);

	if (whole)
		return ++*i < argc ? argv[*i] : "";
	if (strncmp(word, name, len) == 0 && word[len] == '=')
		return word + len + 1;
	if (letter != NULL && strncmp(word, letter, 2) == 0)
		return word + 2;
	return NULL;
}

/* Takes vswitch-ctl's own options out, wherever they stand before "--". False: wrong usage. */
static bool parse_options(int argc, char **argv, struct options *o)
{
	const char *value;

	o->json = asks_for_json(argc, argv);
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (strcmp(word, "--") == 0) {
			while (++i < argc)
				o->argv[o->argc++] = argv[i];
		} else if (strcmp(word, "-j") == 0 || strcmp(word, "--json") == 0) {
			continue; /* asks_for_json() */
		} else if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
			o->help = true;
		} else if (strcmp(word, "--version") == 0) {
			o->version = true;
		} else if ((value = option_value("--socket", "-s", argc, argv, &i)) != NULL) {
			o->socket = value;
		} else if ((value = option_value("--timeout", NULL, argc, argv, &i)) != NULL) {
			o->timeout_s = arguments_duration(value, COMMAND_DURATION_MAX);
		} else if (word[0] == '-' && word[1] != '-' && word[1] != '\0') {
			return wrong(o, word, "is no option; see vswitch-ctl help");
		} else {
			o->argv[o->argc++] = argv[i];
		}
	}
	if (o->timeout_s == 0)
		return wrong(o, "--timeout", "needs a time, such as 5s");
	if (o->socket[0] == '\0')
		return wrong(o, "--socket", "needs a path");
	return true;
}

/* Errors or warnings of a reply, in the form that editors jump to. */
static void print_messages(const json_t *messages)
{
	struct config_report report;
	const json_t *message;
	size_t i;

	config_report_init(&report);
	json_array_foreach (messages, i, message) {
		const char *severity = json_string_value(json_object_get(message, "severity"));
		const char *file = json_string_value(json_object_get(message, "file"));
		const char *field = json_string_value(json_object_get(message, "field"));
		const char *text = json_string_value(json_object_get(message, "message"));

		config_report_add(&report, severity != NULL && strcmp(severity, "warning") == 0,
			file == NULL ? "" : file,
			(unsigned)json_integer_value(json_object_get(message, "line")),
			(unsigned)json_integer_value(json_object_get(message, "column")),
			field == NULL ? "" : field, "%s", text == NULL ? "" : text);
	}
	config_report_print(&report, stderr);
}

/* A text beside other members is the same once more, for people. */
static void print_json_result(const struct command *command, json_t *result)
{
	if (command->shape == SHAPE_TEXT && json_object_size(result) > 1)
		json_object_del(result, "text");
	print_json(result);
}

static void print_result(const struct command *command, const json_t *args, const json_t *result)
{
	const char *text;

	switch (command->shape) {
	case SHAPE_TABLE:
		render_table(stdout, command->columns, result);
		break;
	case SHAPE_RECORD:
		render_record(stdout, result);
		break;
	case SHAPE_TEXT:
		text = json_string_value(json_object_get(result, "text"));
		render_text(stdout, text == NULL ? "" : text);
		break;
	case SHAPE_DONE:
		text = json_string_value(json_object_get(result, "message"));
		if (json_is_true(json_object_get(args, "dry-run")))
			config_diff_print(json_object_get(result, "changes"), stdout);
		render_text(stdout, text == NULL ? "done" : text);
		putchar('\n');
		break;
	}
}

static enum exit_code refused(const struct options *o, const struct command *command, json_t *reply)
{
	const char *code = json_string_value(json_object_get(reply, "code"));
	const char *error = json_string_value(json_object_get(reply, "error"));

	print_messages(json_object_get(reply, "errors"));
	fprintf(stderr, "vswitch-ctl: %s: ", command->words);
	render_text(stderr, error == NULL ? "refused" : error);
	fputc('\n', stderr);
	if (o->json)
		print_json(reply);
	return code != NULL && strcmp(code, "usage") == 0 ? EXIT_USAGE : EXIT_REFUSED;
}

static enum exit_code finish(
	const struct options *o, const struct command *command, const json_t *args, json_t *reply)
{
	json_t *result = json_object_get(reply, "result");

	if (!json_is_true(json_object_get(reply, "ok")))
		return refused(o, command, reply);
	print_messages(json_object_get(reply, "warnings"));
	if (o->json)
		print_json_result(command, result);
	else
		print_result(command, args, result);
	return json_is_true(json_object_get(reply, "negative")) ? EXIT_NEGATIVE : EXIT_OK;
}

/* Carries the command out, here or there. NULL with *code and a message on standard error. */
static json_t *carry_out(
	const struct options *o, const struct command *command, json_t *args, enum exit_code *code)
{
	local_fn *local = local_handler(command, args);
	json_t *request, *reply;
	char err[512];

	if (local != NULL) {
		*code = EXIT_USAGE;
		reply = local(args, err, sizeof(err));
	} else {
		*code = EXIT_UNREACHABLE;
		request = json_pack("{s:i,s:s,s:O}", "api", COMMAND_API, "command", command->words,
			"args", args);
		reply = client_request(o->socket, request, o->timeout_s * 1000, err, sizeof(err));
		json_decref(request);
	}
	if (reload_begun(command, args, reply))
		reply = reload_wait(o->socket, reply, o->timeout_s * 1000, err, sizeof(err));
	if (reply == NULL)
		fail(o, *code, "%s", err);
	return reply;
}

static enum exit_code run(const struct options *o)
{
	const struct command *command;
	enum exit_code code;
	json_t *args, *reply;
	char err[768];
	int used = 0;

	command = command_find(o->argc, o->argv, &used, err, sizeof(err));
	if (command == NULL)
		return fail(o, EXIT_USAGE, "%s", err);
	args = arguments_parse(command, o->argc - used, o->argv + used, err, sizeof(err));
	if (args == NULL || !command_check_args(command, args, err, sizeof(err))) {
		json_decref(args);
		return fail(o, EXIT_USAGE, "%s", err);
	}
	if (follow_wanted(command, args)) {
		code = follow_events(
			o->socket, args, o->timeout_s * 1000, o->json, stdout, err, sizeof(err));
		json_decref(args);
		return err[0] != '\0' ? fail(o, code, "%s", err) : code;
	}
	reply = carry_out(o, command, args, &code);
	if (reply != NULL)
		code = finish(o, command, args, reply);
	json_decref(reply);
	json_decref(args);
	return code;
}

/* --help: `help` for the words that stand there. */
static enum exit_code help(struct options *o)
{
	const struct command *command;
	char err[768];
	int used = 0;

	command = command_find(o->argc, o->argv, &used, err, sizeof(err));
	if (command != NULL)
		help_command(stdout, command);
	else
		help_overview(stdout);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	const char *env = getenv("VSWITCH_SOCKET");
	struct options o = {
		.socket = env != NULL && env[0] != '\0' ? env : DEFAULT_SOCKET,
		.timeout_s = DEFAULT_TIMEOUT_S,
		.argv = calloc((size_t)argc + 1, sizeof(char *)),
	};
	enum exit_code code = EXIT_OK;

	if (o.argv == NULL)
		return EXIT_REFUSED;
	if (argc >= 2 && strcmp(argv[1], "--complete") == 0)
		complete_words(stdout, argc - 2, argv + 2, o.socket);
	else if (!parse_options(argc, argv, &o))
		code = EXIT_USAGE;
	else if (o.version)
		puts("vswitch-ctl " VSWITCH_VERSION);
	else if (o.help)
		code = help(&o);
	else if (o.argc == 0 && o.json)
		code = fail(&o, EXIT_USAGE, "a command is missing; see vswitch-ctl help");
	else if (o.argc == 0) {
		help_overview(stderr);
		code = EXIT_USAGE;
	} else
		code = run(&o);
	free(o.argv);
	return fflush(stdout) == 0 ? code : EXIT_REFUSED;
}
