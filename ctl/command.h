/*
 * The commands, as commands.def declares them. Pure data and functions of it, used by both
 * programs: vswitch-ctl parses, helps, completes and writes its manual page from the table,
 * vswitchd checks requests against it and dispatches. Any thread; no DPDK.
 */
#ifndef VS_COMMAND_H
#define VS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define COMMAND_API          1 /* version of requests and replies; grows when their meaning changes */
#define COMMAND_ARGS_MAX     10
#define COMMAND_WORDS_MAX    4
#define COMMAND_SETTINGS_MAX 64 /* key=value pairs in one command */
#define COMMAND_TEXT_MAX     4096 /* bytes in an argument that is not a file */

enum exit_code {
#define EXIT_CODE(name, number, text) EXIT_##name = number,
#include "exit_codes.def"
#undef EXIT_CODE
};

enum command_id {
#define COMMAND(id, ...) COMMAND_##id,
#include "commands.def"
#undef COMMAND
	COMMANDS
};

/* Where a command runs, and whether it changes anything. */
enum command_kind {
	COMMAND_READ, /* vswitchd answers */
	COMMAND_CHANGE, /* vswitchd changes something: who asked is logged */
	COMMAND_LOCAL, /* vswitch-ctl alone; vswitchd need not run */
	COMMAND_EITHER, /* vswitchd answers; with --config vswitch-ctl does, from a file */
};

#define COMMAND_DURATION_MAX 86400u /* seconds */
#define COMMAND_PERIOD_MAX   (365 * 86400u)

enum command_arg_type {
	ARG_TEXT, /* JSON string */
	ARG_PORT, /* name of a port (a string; completion knows them) */
	ARG_NETWORK,
	ARG_TENANT,
	ARG_GROUP,
	ARG_SET,
	ARG_UPLINK,
	ARG_NUMBER, /* JSON integer from 0 */
	ARG_DURATION, /* "90", "90s", "5m", "1h"; JSON integer, seconds, from 1, up to a day */
	ARG_PERIOD, /* the same, up to a year */
	ARG_FILE, /* path or "-"; {"name": PATH, "text": CONTENT} */
	ARG_SETTINGS, /* the rest, each key=value; {"key": "value"} */
	ARG_WORDS, /* the rest; [strings] */
	ARG_ADDRESSES, /* address, prefix, range, or name of a set or group (a string) */
	ARG_FLAG, /* JSON true */
};

enum command_arg_place {
	ARG_REQUIRED, /* positional */
	ARG_OPTIONAL, /* positional, may be left out, and so may those after it */
	ARG_OPTION, /* --name VALUE, or --name alone for a flag */
	ARG_KEYWORD, /* name VALUE behind what is required, and also --name VALUE */
};

struct command_arg {
	const char *name; /* key in the request's "args"; "confirm-within" for --confirm-within */
	enum command_arg_type type;
	enum command_arg_place place;
	const char *help;
};

/* What a reply's result looks like, and so how it is printed without -j. */
enum command_shape {
	SHAPE_TABLE, /* array of objects: a line each, by the columns */
	SHAPE_RECORD, /* object, or array of objects: "key: value" lines */
	SHAPE_TEXT, /* {"text": as it is printed, ...} */
	SHAPE_DONE, /* {"message": one line} */
};

struct command {
	const char *words; /* "config apply" */
	enum command_kind kind;
	enum command_shape shape;
	const char *columns; /* of a table: "HEADING=member.of.object HEADING=..." */
	struct command_arg args[COMMAND_ARGS_MAX]; /* ends at the first without a name */
	const char *help; /* one line, no full stop */
	const char *more; /* further sentences; may be NULL */
};

/* Indexed by enum command_id. */
extern const struct command commands[COMMANDS];

/*
 * Finds the command that argv begins with. Every word may be cut short as long as one command
 * fits. *used: how many of argv are its words. NULL where none or several fit, with a sentence in
 * err that names what was meant, perhaps.
 */
const struct command *command_find(
	int argc, char *const *argv, int *used, char *err, size_t err_len);

/* The n-th of the words, from 0, and its length; NULL past the last. */
const char *command_word(const char *words, int n, size_t *len);

/* The command with exactly these words, or NULL. */
const struct command *command_exact(const char *words);

/* "vswitch-ctl port show [NAME]" without the program's name. Cut off at len. */
void command_synopsis(const struct command *command, char *text, size_t len);

/* Whether it is given by its name, not by its position. */
bool command_arg_is_named(const struct command_arg *arg);

/* What stands for an argument in a synopsis: "NAME", "KEY=VALUE..."; empty for a flag. */
void command_placeholder(const struct command_arg *arg, char *text, size_t len);

/*
 * Checks a request's args (an object, or NULL for none) against the command: nothing unknown,
 * nothing missing, types and bounds as declared. False with a sentence in err.
 */
bool command_check_args(const struct command *command, const json_t *args, char *err, size_t len);

#endif
