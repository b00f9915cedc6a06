#include "complete.h"

#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#include "client.h"
#include "command.h"
#include "config_fields.h"
#include "config_fields_firewall.h"
#include "config_uplinks.h"

#define ASK_MS 1000

static void offer(FILE *out, const char *typed, const char *word, const char *end)
{
	if (strncmp(word, typed, strlen(typed)) == 0)
		fprintf(out, "%s%s\n", word, end);
}

/* The names in the daemon's list: `words` is the command that gives it. */
static void offer_names(FILE *out, const char *typed, const char *words, const char *socket)
{
	json_t *request = json_pack("{s:s}", "command", words), *reply, *row;
	char err[256];
	size_t i;

	reply = client_request(socket, request, ASK_MS, err, sizeof(err));
	json_array_foreach (json_object_get(reply, "result"), i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));

		if (name != NULL)
			offer(out, typed, name, "");
	}
	json_decref(reply);
	json_decref(request);
}

/* Fields that can be set, those inside an object too: "vhost-user.queues=". */
static void offer_fields(
	FILE *out, const char *typed, const char *prefix, const struct config_table *table)
{
	for (const struct config_field *field = table->fields; field->name != NULL; field++) {
		char name[160];

		snprintf(name, sizeof(name), "%s%s", prefix, field->name);
		if (field->table == NULL) {
			if (strcmp(name, "name") != 0)
				offer(out, typed, name, "=");
		} else if (prefix[0] == '\0') {
			strncat(name, ".", sizeof(name) - strlen(name) - 1);
			offer_fields(out, typed, name, field->table);
		}
	}
}

/* What the command's settings are fields of. */
static const struct config_table *table_of(const char *words)
{
	static const struct {
		const char *word;
		const struct config_table *table;
	} tables[] = {{"network ", &config_fields_network}, {"uplink ", &config_fields_uplink},
		{"tenant ", &config_fields_tenant}, {"group ", &config_fields_group},
		{"rule ", &config_fields_rule}, {"set ", &config_fields_set}};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		if (strncmp(words, tables[i].word, strlen(tables[i].word)) == 0)
			return tables[i].table;
	}
	return &config_fields_port;
}

static void offer_values(FILE *out, const char *typed, const struct command *command,
	const struct command_arg *arg, const char *socket)
{
	switch (arg->type) {
	case ARG_PORT:
		offer_names(out, typed, "port list", socket);
		break;
	case ARG_NETWORK:
		offer_names(out, typed, "network list", socket);
		break;
	case ARG_ADDRESSES:
		offer_names(out, typed, "group list", socket);
		offer_names(out, typed, "set list", socket);
		break;
	case ARG_TENANT:
		offer_names(out, typed, "tenant list", socket);
		break;
	case ARG_GROUP:
		offer_names(out, typed, "group list", socket);
		break;
	case ARG_SET:
		offer_names(out, typed, "set list", socket);
		break;
	case ARG_UPLINK:
		offer_names(out, typed, "uplink list", socket);
		break;
	case ARG_SETTINGS:
		offer_fields(out, typed, "", table_of(command->words));
		break;
	default: /* files are the shell's own business */
		break;
	}
}

static const struct command_arg *option_named(const struct command *command, const char *word)
{
	for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		const struct command_arg *arg = &command->args[i];

		if (command_arg_is_named(arg) && strncmp(word, "--", 2) == 0 &&
			strcmp(arg->name, word + 2) == 0)
			return arg;
		if (arg->place == ARG_KEYWORD && strcmp(arg->name, word) == 0)
			return arg;
	}
	return NULL;
}

/* The n-th positional argument; one that takes all the rest is every later one too. */
static const struct command_arg *positional(const struct command *command, int n)
{
	const struct command_arg *last = NULL;

	for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		if (command_arg_is_named(&command->args[i]))
			continue;
		last = &command->args[i];
		if (n-- == 0)
			return last;
	}
	return last != NULL && last->type == ARG_SETTINGS ? last : NULL;
}

/* argv: the words behind the command's own, of which the last is being typed. */
static void complete_args(
	FILE *out, const struct command *command, int argc, char *const *argv, const char *socket)
{
	const char *typed = argv[argc - 1];
	const struct command_arg *arg = argc >= 2 ? option_named(command, argv[argc - 2]) : NULL;
	int n = 0;

	if (arg != NULL && arg->type != ARG_FLAG) {
		offer_values(out, typed, command, arg, socket);
		return;
	}
	for (int i = 0; i < argc - 1; i++) {
		arg = option_named(command, argv[i]);
		if (arg == NULL)
			n++;
		else if (arg->type != ARG_FLAG)
			i++;
	}
	if (typed[0] == '-') {
		for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
			char option[64];

			snprintf(option, sizeof(option), "--%s", command->args[i].name);
			if (command_arg_is_named(&command->args[i]))
				offer(out, typed, option, "");
		}
		return;
	}
	arg = positional(command, n);
	for (int i = 0; n > 0 && i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		if (command->args[i].place == ARG_KEYWORD)
			offer(out, typed, command->args[i].name, "");
	}
	if (arg != NULL)
		offer_values(out, typed, command, arg, socket);
}

/* How many words at words match argv's first, all but the last; -1: they don't. */
static int matching_words(const char *words, int argc, char *const *argv)
{
	int n = 0;

	for (; n < argc - 1; n++) {
		size_t len = strcspn(words, " ");

		if (strlen(argv[n]) != len || memcmp(words, argv[n], len) != 0)
			return -1;
		if (words[len] == '\0')
			return n + 1;
		words += len + 1;
	}
	return n;
}

/* Leaves out options that belong to vswitch-ctl itself, with their values; notes the socket. */
static int without_options(int argc, char *const *argv, char **kept, int max, const char **socket)
{
	int n = 0;

	for (int i = 0; i < argc && n < max; i++) {
		bool value = strcmp(argv[i], "-s") == 0 || strcmp(argv[i], "--socket") == 0 ||
			     strcmp(argv[i], "--timeout") == 0;

		if (i < argc - 1 && value) {
			*socket = argv[i][1] == 's' || argv[i][2] == 's' ? argv[i + 1] : *socket;
			i++;
		} else if (i == argc - 1 ||
			   (strcmp(argv[i], "-j") != 0 && strcmp(argv[i], "--json") != 0)) {
			kept[n++] = argv[i];
		}
	}
	return n;
}

void complete_words(FILE *out, int argc, char *const *argv, const char *socket)
{
	char *words[64];
	int n = without_options(argc, argv, words, 64, &socket);
	char last[64] = "";

	for (int i = 0; n > 0 && i < COMMANDS; i++) {
		int matched = matching_words(commands[i].words, n, words);
		const char *next;
		char word[64];
		size_t len;

		if (matched < 0)
			continue;
		next = command_word(commands[i].words, matched, &len);
		if (next == NULL) {
			complete_args(out, &commands[i], n - matched, words + matched, socket);
			continue;
		}
		snprintf(word, sizeof(word), "%.*s", (int)len, next);
		if (matched == n - 1 && strcmp(word, last) != 0)
			offer(out, words[n - 1], word, "");
		strcpy(last, word);
	}
}

void complete_bash(FILE *out)
{
	fputs("_vswitch_ctl() {\n"
	      "\tlocal IFS=$'\\n'\n"
	      "\tCOMPREPLY=($(vswitch-ctl --complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
	      "2>/dev/null))\n"
	      "\t[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
	      "}\n"
	      "complete -o default -F _vswitch_ctl vswitch-ctl\n",
		out);
}
