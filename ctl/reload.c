#include "reload.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client.h"

#define ASK_MS 50

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool reload_begun(const struct command *command, const json_t *args, const json_t *reply)
{
	return command == &commands[COMMAND_rules_reload] &&
	       !json_is_true(json_object_get(args, "no-wait")) &&
	       json_is_true(json_object_get(reply, "ok"));
}

static json_int_t number_in(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static bool every_worker_runs(const json_t *status, json_int_t revision)
{
	const json_t *worker;
	size_t i;

	json_array_foreach (json_object_get(status, "workers"), i, worker) {
		if (number_in(worker, "revision") < revision)
			return false;
	}
	return true;
}

static json_t *refusal(const char *error, json_t *errors)
{
	return json_pack("{s:i,s:b,s:s,s:s,s:O*}", "api", COMMAND_API, "ok", 0, "code", "refused",
		"error", error, "errors", errors);
}

static json_t *success(const json_t *reload)
{
	bool changed = json_is_true(json_object_get(reload, "changed"));
	json_int_t revision = number_in(reload, "revision");
	char message[128];

	snprintf(message, sizeof(message),
		changed ? "every worker runs revision %" JSON_INTEGER_FORMAT " of the rules"
			: "no file has changed: revision %" JSON_INTEGER_FORMAT " goes on",
		revision);
	return json_pack("{s:i,s:b,s:{s:s,s:b,s:I}}", "api", COMMAND_API, "ok", 1, "result",
		"message", message, "changed", changed, "revision", revision);
}

/* What status says of the reload with this number; NULL: it is under way. */
static json_t *outcome(const json_t *status, json_int_t number)
{
	const json_t *reload = json_object_get(status, "reload");
	const char *state = json_string_value(json_object_get(reload, "state"));
	const char *error = json_string_value(json_object_get(reload, "error"));

	if (state == NULL || number_in(reload, "number") < number)
		return refusal("vswitchd was started again in the meantime: it reads all files "
			       "then",
			NULL);
	if (strcmp(state, "failed") == 0)
		return refusal(
			error != NULL ? error : "refused", json_object_get(reload, "errors"));
	if (strcmp(state, "done") != 0 || !every_worker_runs(status, number_in(reload, "revision")))
		return NULL;
	return success(reload);
}

json_t *reload_wait(
	const char *socket, json_t *reply, unsigned timeout_ms, char *err, size_t err_len)
{
	static const struct timespec pause = {.tv_nsec = ASK_MS * 1000000};
	json_int_t number = number_in(json_object_get(reply, "result"), "reload");
	uint64_t due = now_ms() + timeout_ms, now;
	json_t *request = json_pack("{s:i,s:s}", "api", COMMAND_API, "command", "rules status");
	json_t *status, *end = NULL;

	json_decref(reply);
	snprintf(err, err_len, "the rules are not compiled yet: `rules status` says when they are");
	while (end == NULL && (now = now_ms()) < due) {
		status = client_request(socket, request, (unsigned)(due - now), err, err_len);
		if (status == NULL)
			break;
		end = outcome(json_object_get(status, "result"), number);
		json_decref(status);
		if (end == NULL)
			nanosleep(&pause, NULL);
	}
	json_decref(request);
	return end;
}
