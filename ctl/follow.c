#include "follow.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "render.h"

#define PAUSE_NS 250000000 /* between two questions */

bool follow_wanted(const struct command *command, const json_t *args)
{
	return command == &commands[COMMAND_events] &&
	       json_is_true(json_object_get(args, "follow"));
}

static const char *text_of(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(event, key));
}

/* "TIME TYPE from FROM to TO: SIGNATURE {DETAILS}", as far as the event has them. */
static void put_line(FILE *out, const json_t *event)
{
	const char *from = text_of(event, "src_ip"), *to = text_of(event, "dest_ip");
	const char *signature = text_of(json_object_get(event, "alert"), "signature");
	char *details = json_dumps(json_object_get(event, "metadata"), JSON_COMPACT);
	const char *time = text_of(event, "timestamp"), *type = text_of(event, "event_type");

	render_text(out, time != NULL ? time : "-");
	fputc(' ', out);
	render_text(out, type != NULL ? type : "-");
	if (from != NULL && to != NULL) {
		fputs(" from ", out);
		render_text(out, from);
		fputs(" to ", out);
		render_text(out, to);
	}
	if (signature != NULL) {
		fputs(": ", out);
		render_text(out, signature);
	}
	if (details != NULL) {
		fputc(' ', out);
		render_text(out, details);
	}
	fputc('\n', out);
	free(details);
}

static void put_event(FILE *out, const json_t *event, bool json)
{
	if (!json) {
		put_line(out, event);
		return;
	}
	json_dumpf(event, out, JSON_COMPACT);
	fputc('\n', out);
}

/* Prints those of the reply that are of this type (NULL: any); *last: the number of the last one.
 */
static void put_events(
	FILE *out, const json_t *events, const char *type, bool json, json_int_t *last)
{
	const json_t *event;
	size_t i;

	json_array_foreach (events, i, event) {
		json_int_t number = json_integer_value(json_object_get(event, "number"));
		const char *of = text_of(event, "event_type");

		if (i == 0 && *last > 0 && number > *last + 1)
			fprintf(stderr,
				"vswitch-ctl: %" JSON_INTEGER_FORMAT
				" events were too fast to be followed; the event file has them\n",
				number - *last - 1);
		*last = number;
		if (type == NULL || (of != NULL && strcmp(type, of) == 0))
			put_event(out, event, json);
	}
}

/* The reply's events; NULL with *code and err. */
static json_t *ask(const char *socket, json_int_t last, unsigned timeout_ms, enum exit_code *code,
	char *err, size_t err_len)
{
	json_t *request = json_pack("{s:i,s:s,s:{s:I}}", "api", COMMAND_API, "command", "events",
		"args", "since", last);
	json_t *reply = client_request(socket, request, timeout_ms, err, err_len), *events = NULL;

	json_decref(request);
	*code = EXIT_UNREACHABLE;
	if (reply == NULL)
		return NULL;
	if (json_is_true(json_object_get(reply, "ok")))
		events = json_incref(json_object_get(reply, "result"));
	if (events == NULL) {
		const char *error = text_of(reply, "error");

		*code = EXIT_REFUSED;
		snprintf(err, err_len, "%s", error != NULL ? error : "refused");
	}
	json_decref(reply);
	return events;
}

enum exit_code follow_events(const char *socket, const json_t *args, unsigned timeout_ms, bool json,
	FILE *out, char *err, size_t err_len)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	json_int_t last = json_integer_value(json_object_get(args, "since"));
	const char *type = text_of(args, "type");
	enum exit_code code;
	json_t *events;

	err[0] = '\0';
	while ((events = ask(socket, last, timeout_ms, &code, err, err_len)) != NULL) {
		put_events(out, events, type, json, &last);
		json_decref(events);
		if (fflush(out) != 0 || ferror(out))
			return EXIT_OK;
		nanosleep(&pause, NULL);
	}
	return code;
}
