#include "commands.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

static command_fn *const handlers[COMMANDS] = {
#define COMMAND_HANDLER_READ(id)   command_##id
#define COMMAND_HANDLER_CHANGE(id) command_##id
#define COMMAND_HANDLER_LOCAL(id)  NULL
#define COMMAND_HANDLER_EITHER(id) command_##id
#define COMMAND(id, kind, ...)     [COMMAND_##id] = COMMAND_HANDLER_##kind(id),
#include "commands.def"
#undef COMMAND
};

const char *command_text(const struct command_request *request, const char *name)
{
	return json_string_value(json_object_get(request->args, name));
}

unsigned command_number(const struct command_request *request, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(request->args, name));

	return value > UINT_MAX ? UINT_MAX : (unsigned)value;
}

bool command_flag(const struct command_request *request, const char *name)
{
	return json_is_true(json_object_get(request->args, name));
}

void command_refuse(struct command_reply *reply, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reply->error, sizeof(reply->error), fmt, ap);
	va_end(ap);
	reply->code = "refused";
}

void command_message(struct command_reply *reply, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reply->result = json_pack("{s:s}", "message", text);
}

void command_result_of(
	struct command_reply *reply, json_t *result, const char *what, const char *name)
{
	reply->result = result;
	if (result != NULL)
		return;
	if (name != NULL)
		command_refuse(reply, "there is no %s `%s`", what, name);
	else
		command_refuse(reply, "out of memory");
}

struct transaction_how command_how(const struct command_request *request)
{
	return (struct transaction_how){
		.confirm_s = command_number(request, "confirm-within"),
		.dry_run = command_flag(request, "dry-run"),
		.uid = request->peer->uid,
		.pid = request->peer->pid,
	};
}

/* Moves the messages of one severity. */
static json_t *messages_of(const json_t *all, const char *severity)
{
	json_t *list = json_array(), *message;
	size_t i;

	json_array_foreach (all, i, message) {
		const char *of = json_string_value(json_object_get(message, "severity"));

		if (of != NULL && strcmp(of, severity) == 0)
			json_array_append(list, message);
	}
	if (json_array_size(list) > 0)
		return list;
	json_decref(list);
	return NULL;
}

void command_report(struct command_reply *reply, const struct config_report *report)
{
	json_t *all = config_report_json(report);

	reply->errors = messages_of(all, "error");
	reply->warnings = messages_of(all, "warning");
	json_decref(all);
}

void command_outcome(struct command_reply *reply, struct transaction_outcome *outcome)
{
	command_report(reply, &outcome->report);
	if (outcome->done)
		reply->result = json_pack("{s:s,s:b,s:i,s:O*}", "message", outcome->text, "changed",
			outcome->changed, "revision", (int)outcome->revision, "changes",
			outcome->changes);
	else
		command_refuse(reply, "%s", outcome->text);
	transaction_outcome_free(outcome);
}

static json_t *fault(const char *code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static json_t *fault(const char *code, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	json_t *reply;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reply = json_pack(
		"{s:i,s:b,s:s,s:s}", "api", COMMAND_API, "ok", 0, "code", code, "error", text);
	return reply != NULL ? reply : json_pack("{s:b,s:s}", "ok", 0, "code", code);
}

static json_t *reply_json(const struct command *command, struct command_reply *reply)
{
	json_t *json;

	if (reply->code == NULL && reply->result == NULL)
		command_refuse(reply, "%s: out of memory", command->words);
	if (reply->code != NULL) {
		json_decref(reply->result);
		json_decref(reply->warnings);
		json = fault(reply->code, "%s", reply->error);
		if (reply->errors != NULL)
			json_object_set_new(json, "errors", reply->errors);
		return json;
	}
	json_decref(reply->errors);
	json = json_pack("{s:i,s:b,s:o,s:i}", "api", COMMAND_API, "ok", 1, "result", reply->result,
		"revision", (int)transaction_revision());
	if (reply->negative)
		json_object_set_new(json, "negative", json_true());
	if (reply->warnings != NULL)
		json_object_set_new(json, "warnings", reply->warnings);
	return json;
}

/* Args have no secrets, but may be long: a file's text stays out of the log. */
static void log_change(const struct command_request *request)
{
	char args[256] = "";
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)request->args, key, value) {
		const json_t *shown = json_is_object(value) &&
						      json_object_get(value, "text") != NULL
					      ? json_object_get(value, "name")
					      : value;
		size_t used = strlen(args);
		char *text = json_dumps(shown, JSON_COMPACT | JSON_ENCODE_ANY);

		snprintf(args + used, sizeof(args) - used, " %s=%s", key, text == NULL ? "" : text);
		free(text);
	}
	log_info("%s%s, asked by uid %d, pid %d", request->command->words, args,
		(int)request->peer->uid, (int)request->peer->pid);
}

static json_t *run(
	const struct command *command, const json_t *args, const struct control_peer *peer)
{
	const struct command_request request = {command, args, peer};
	struct command_reply reply = {0};
	command_fn *handler = handlers[command - commands];
	char err[256];

	if (handler == NULL)
		return fault("usage", "%s runs in vswitch-ctl, not in vswitchd", command->words);
	if (!command_check_args(command, args, err, sizeof(err)))
		return fault("usage", "%s", err);
	if (command->kind == COMMAND_CHANGE)
		log_change(&request);
	handler(&request, &reply);
	return reply_json(command, &reply);
}

json_t *commands_answer(const char *line, size_t len, const struct control_peer *peer)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error), *api, *reply;
	const struct command *command;
	const char *words;

	if (request == NULL)
		return fault("usage", "the request is no JSON object in one line: %s", error.text);
	words = json_string_value(json_object_get(request, "command"));
	api = json_object_get(request, "api");
	command = words == NULL ? NULL : command_exact(words);
	if (words == NULL)
		reply = fault("usage", "the request has no \"command\"");
	else if (api != NULL && json_integer_value(api) != COMMAND_API)
		reply = fault(
			"usage", "this vswitchd speaks version %d of the protocol", COMMAND_API);
	else if (command == NULL)
		reply = fault("usage", "unknown command `%.64s`", words);
	else
		reply = run(command, json_object_get(request, "args"), peer);
	json_decref(request);
	return reply;
}
