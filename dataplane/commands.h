/*
 * vswitchd's side of the commands: takes a request line apart, checks it against the table in
 * ctl/commands.def, calls the command's handler and makes the reply. Control thread only.
 *
 * Request: {"command": "port show", "args": {"name": "vm1"}, "api": 1}; args and api may be left
 * out. Reply: {"api": 1, "ok": true, "result": ..., "revision": n}, with "warnings" where there
 * are any, and with "negative": true where the answer is no; or {"api": 1, "ok": false,
 * "code": "usage" | "refused" | "busy", "error": text, "errors": [as config_report_json()]}.
 */
#ifndef VS_COMMANDS_H
#define VS_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "command.h"
#include "control.h"
#include "transaction.h"

struct command_request {
	const struct command *command;
	const json_t *args; /* checked against the command; NULL: none */
	const struct control_peer *peer;
};

/* Filled in by a handler: a result, or a refusal. It starts out empty. */
struct command_reply {
	json_t *result;
	bool negative; /* the answer is no: exit code 1 */
	const char *code; /* NULL: ok */
	char error[512];
	json_t *errors, *warnings; /* as config_report_json() writes them; may be NULL */
};

typedef void command_fn(const struct command_request *request, struct command_reply *reply);

/* Every command that vswitchd answers: command_status(), command_port_list(), ... */
#define COMMAND_HANDLER_READ(id)   command_fn command_##id;
#define COMMAND_HANDLER_CHANGE(id) command_fn command_##id;
#define COMMAND_HANDLER_LOCAL(id)
#define COMMAND_HANDLER_EITHER(id) command_fn command_##id;
#define COMMAND(id, kind, ...)     COMMAND_HANDLER_##kind(id)
#include "commands.def"
#undef COMMAND
#undef COMMAND_HANDLER_READ
#undef COMMAND_HANDLER_CHANGE
#undef COMMAND_HANDLER_LOCAL
#undef COMMAND_HANDLER_EITHER

/* Answers a request line; see control_answer_fn. */
json_t *commands_answer(const char *line, size_t len, const struct control_peer *peer);

/* For handlers. The text argument called name, NULL where it was not given. */
const char *command_text(const struct command_request *request, const char *name);
/* Of a number or duration that was not given: 0. Of a flag: false. */
unsigned command_number(const struct command_request *request, const char *name);
bool command_flag(const struct command_request *request, const char *name);

void command_refuse(struct command_reply *reply, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Result of a command of shape "done". */
void command_message(struct command_reply *reply, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Takes over result; NULL is a refusal: no `what` of this name. */
void command_result_of(
	struct command_reply *reply, json_t *result, const char *what, const char *name);

/* Who asked, --confirm-within and --dry-run, as a transaction takes them. */
struct transaction_how command_how(const struct command_request *request);

/* Makes a transaction's outcome the reply, and frees it. */
void command_outcome(struct command_reply *reply, struct transaction_outcome *outcome);

/* Moves the report's errors and warnings to the reply. */
void command_report(struct command_reply *reply, const struct config_report *report);

#endif
