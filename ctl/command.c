#include "command.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NO_ARGS                                                                                    \
	{                                                                                          \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define ARGS(...)                                                                                  \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define REQUIRED(name, type, help)                                                                 \
	{                                                                                          \
#name, ARG_##type, ARG_REQUIRED, help                                              \
	}
#define OPTIONAL(name, type, help)                                                                 \
	{                                                                                          \
#name, ARG_##type, ARG_OPTIONAL, help                                              \
	}
#define KEYWORD(name, type, help)                                                                  \
	{                                                                                          \
#name, ARG_##type, ARG_KEYWORD, help                                               \
	}
#define OPTION(name, type, help)                                                                   \
	{                                                                                          \
#name, ARG_##type, ARG_OPTION, help                                                \
	}

/* A guest of another host. */
#define REMOTE_GUEST                                                                               \
	OPTION(network, NETWORK, "with --address: the network of a guest of another host"),        \
		OPTION(address, TEXT, "that guest's address")
/* Which connections. */
#define CONN_FILTER                                                                                \
	OPTION(network, NETWORK, "of this network"), OPTION(tenant, TEXT, "of this tenant"),       \
		OPTION(port, PORT, "from or to this port"),                                        \
		OPTION(from, TEXT, "opened from this address, prefix or range"),                   \
		OPTION(to, TEXT, "opened to it"),                                                  \
		OPTION(service, TEXT, "for this, such as tcp/445"),                                \
		OPTION(state, TEXT, "in this state, such as established")

const struct command commands[COMMANDS] = {
#define COMMAND(id, kind, words, args, shape, columns, help, more)                                 \
	{words, COMMAND_##kind, SHAPE_##shape, columns, args, help, more},
#include "commands.def"
#undef COMMAND
};

const char *command_word(const char *words, int n, size_t *len)
{
	for (; n > 0; n--) {
		words = strchr(words, ' ');
		if (words == NULL)
			return NULL;
		words++;
	}
	*len = strcspn(words, " ");
	return words;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Edit distance between typed and the len bytes at word; large where they are far apart. */
static size_t distance(const char *typed, const char *word, size_t len)
{
	size_t n = strlen(typed), row[33], last, here;

	if (n > 32 || len > 32)
		return 32;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		last = row[0];
		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			here = row[j];
			row[j] = min3(row[j] + 1, row[j - 1] + 1,
				last + (typed[i - 1] == word[j - 1] ? 0 : 1));
			last = here;
		}
	}
	return row[len];
}

static void append(char *text, size_t size, const char *s, size_t len)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%.*s", (int)len, s);
}

/* Commands that still fit after the first n words; alive is indexed like commands. */
struct candidates {
	bool alive[COMMANDS];
	unsigned n;
};

/* Keeps those whose n-th word is typed, or where there is none, begins with it. */
static void narrow(struct candidates *c, int n, const char *typed)
{
	size_t typed_len = strlen(typed), len;
	bool exact = false;
	const char *word;

	for (int i = 0; i < COMMANDS; i++) {
		word = c->alive[i] ? command_word(commands[i].words, n, &len) : NULL;
		exact |= word != NULL && len == typed_len && memcmp(word, typed, len) == 0;
	}
	c->n = 0;
	for (int i = 0; i < COMMANDS; i++) {
		word = c->alive[i] ? command_word(commands[i].words, n, &len) : NULL;
		c->alive[i] = word != NULL && typed_len > 0 && typed_len <= len &&
			      memcmp(word, typed, typed_len) == 0 && (!exact || len == typed_len);
		c->n += c->alive[i];
	}
}

/* Lists the different n-th words of the candidates: "list, show, add". With near: only those. */
static unsigned list_words(
	const struct candidates *c, int n, const char *near, char *text, size_t size)
{
	const char *word, *last = NULL;
	size_t len, last_len = 0;
	unsigned listed = 0;

	text[0] = '\0';
	for (int i = 0; i < COMMANDS; i++) {
		word = c->alive[i] ? command_word(commands[i].words, n, &len) : NULL;
		if (word == NULL || (near != NULL && distance(near, word, len) > 2))
			continue;
		if (last != NULL && len == last_len && memcmp(last, word, len) == 0)
			continue;
		append(text, size, ", ", listed > 0 ? 2 : 0);
		append(text, size, word, len);
		last = word;
		last_len = len;
		listed++;
	}
	return listed;
}

static void say_unknown(const struct candidates *before, int n, char *const *argv, int argc,
	char *err, size_t err_len)
{
	char words[512], typed[128] = "";

	for (int i = 0; i < n; i++) {
		append(typed, sizeof(typed), argv[i], strlen(argv[i]));
		append(typed, sizeof(typed), " ", 1);
	}
	if (n >= argc) {
		list_words(before, n, NULL, words, sizeof(words));
		snprintf(err, err_len, "`%.*s` needs one of: %s", (int)strlen(typed) - 1, typed,
			words);
	} else if (list_words(before, n, argv[n], words, sizeof(words)) > 0) {
		snprintf(err, err_len, "unknown command `%s%.64s`; near it: %s", typed, argv[n],
			words);
	} else {
		list_words(before, n, NULL, words, sizeof(words));
		snprintf(err, err_len, "unknown command `%s%.64s`; there is: %s", typed, argv[n],
			words);
	}
}

/* The candidate that has exactly n words, or -1. */
static int complete_at(const struct candidates *c, int n)
{
	size_t len;

	for (int i = 0; i < COMMANDS; i++) {
		if (c->alive[i] && command_word(commands[i].words, n, &len) == NULL)
			return i;
	}
	return -1;
}

/* True if the candidates' n-th words differ. */
static bool ambiguous(const struct candidates *c, int n)
{
	const char *word, *first = NULL;
	size_t len, first_len = 0;

	for (int i = 0; i < COMMANDS; i++) {
		word = c->alive[i] ? command_word(commands[i].words, n, &len) : NULL;
		if (word == NULL)
			continue;
		if (first != NULL && (len != first_len || memcmp(first, word, len) != 0))
			return true;
		first = word;
		first_len = len;
	}
	return false;
}

const struct command *command_find(
	int argc, char *const *argv, int *used, char *err, size_t err_len)
{
	struct candidates c = {.n = COMMANDS}, before;
	char words[512];

	memset(c.alive, true, sizeof(c.alive));
	for (int n = 0; n < COMMAND_WORDS_MAX; n++) {
		int complete = n > 0 ? complete_at(&c, n) : -1;

		before = c;
		if (n < argc)
			narrow(&c, n, argv[n]);
		if (n >= argc || c.n == 0) {
			/* What follows may be the arguments of a command that ends here. */
			if (complete >= 0) {
				*used = n;
				return &commands[complete];
			}
			say_unknown(&before, n, argv, argc, err, err_len);
			return NULL;
		}
		if (ambiguous(&c, n)) {
			list_words(&c, n, NULL, words, sizeof(words));
			snprintf(err, err_len, "`%.64s` may mean: %s", argv[n], words);
			return NULL;
		}
	}
	snprintf(err, err_len, "unknown command");
	return NULL;
}

const struct command *command_exact(const char *words)
{
	for (int i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].words, words) == 0)
			return &commands[i];
	}
	return NULL;
}

bool command_arg_is_named(const struct command_arg *arg)
{
	return arg->place == ARG_OPTION || arg->place == ARG_KEYWORD;
}

void command_placeholder(const struct command_arg *arg, char *text, size_t len)
{
	const char *fixed = NULL;
	size_t n = 0;

	if (arg->type == ARG_DURATION || arg->type == ARG_PERIOD)
		fixed = "TIME";
	else if (arg->type == ARG_SETTINGS)
		fixed = "KEY=VALUE...";
	else if (arg->type == ARG_ADDRESSES)
		fixed = "ADDRESSES";
	else if (arg->type == ARG_FLAG)
		fixed = "";
	if (fixed != NULL) {
		snprintf(text, len, "%s", fixed);
		return;
	}
	for (; arg->name[n] != '\0' && n + 1 < len; n++)
		text[n] = (char)toupper((unsigned char)arg->name[n]);
	text[n] = '\0';
	if (arg->type == ARG_WORDS)
		append(text, len, "...", 3);
}

void command_synopsis(const struct command *command, char *text, size_t len)
{
	text[0] = '\0';
	append(text, len, command->words, strlen(command->words));
	for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		const struct command_arg *arg = &command->args[i];
		char value[40], part[96];

		command_placeholder(arg, value, sizeof(value));
		if (arg->place == ARG_OPTION)
			snprintf(part, sizeof(part), " [--%s%s%s]", arg->name,
				value[0] != '\0' ? " " : "", value);
		else if (arg->place == ARG_KEYWORD)
			snprintf(part, sizeof(part), " [%s %s]", arg->name, value);
		else if (arg->place == ARG_OPTIONAL)
			snprintf(part, sizeof(part), " [%s]", value);
		else
			snprintf(part, sizeof(part), " %s", value);
		append(text, len, part, strlen(part));
	}
}

/* Text without control characters, of bounded length. */
static bool is_plain(const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (text == NULL || len > COMMAND_TEXT_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return true;
}

static bool is_settings(json_t *value)
{
	const char *key;
	json_t *setting;

	if (!json_is_object(value) || json_object_size(value) > COMMAND_SETTINGS_MAX)
		return false;
	json_object_foreach (value, key, setting) {
		if (!is_plain(setting))
			return false;
	}
	return true;
}

static bool is_words(const json_t *value)
{
	size_t i;
	json_t *word;

	if (!json_is_array(value) || json_array_size(value) > COMMAND_SETTINGS_MAX)
		return false;
	json_array_foreach (value, i, word) {
		if (!is_plain(word))
			return false;
	}
	return true;
}

static bool is_time(const json_t *value, unsigned max_s)
{
	return json_is_integer(value) && json_integer_value(value) >= 1 &&
	       json_integer_value(value) <= max_s;
}

/* NULL if value is as type says, or else what it should be. */
static const char *type_fault(enum command_arg_type type, json_t *value)
{
	switch (type) {
	case ARG_NUMBER:
		return json_is_integer(value) && json_integer_value(value) >= 0
			       ? NULL
			       : "must be a number from 0";
	case ARG_DURATION:
		return is_time(value, COMMAND_DURATION_MAX)
			       ? NULL
			       : "must be a number of seconds from 1 to 86400";
	case ARG_PERIOD:
		return is_time(value, COMMAND_PERIOD_MAX)
			       ? NULL
			       : "must be a number of seconds from 1 to 31536000";
	case ARG_FILE:
		return json_is_object(value) && is_plain(json_object_get(value, "name")) &&
				       json_is_string(json_object_get(value, "text"))
			       ? NULL
			       : "must be {\"name\": file name, \"text\": content}";
	case ARG_SETTINGS:
		return is_settings(value) ? NULL : "must be an object of short texts";
	case ARG_WORDS:
		return is_words(value) ? NULL : "must be an array of short texts";
	case ARG_FLAG:
		return json_is_boolean(value) ? NULL : "must be true or false";
	default:
		return is_plain(value) ? NULL : "must be a short text without control characters";
	}
}

static const struct command_arg *arg_named(const struct command *command, const char *name)
{
	for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		if (strcmp(command->args[i].name, name) == 0)
			return &command->args[i];
	}
	return NULL;
}

bool command_check_args(const struct command *command, const json_t *args, char *err, size_t len)
{
	const char *key, *fault;
	json_t *value;

	if (args != NULL && !json_is_object(args)) {
		snprintf(err, len, "args must be an object");
		return false;
	}
	json_object_foreach ((json_t *)args, key, value) {
		const struct command_arg *arg = arg_named(command, key);

		fault = arg == NULL ? "is not known" : type_fault(arg->type, value);
		if (fault != NULL) {
			snprintf(err, len, "%s: argument `%.64s` %s", command->words, key, fault);
			return false;
		}
	}
	for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		if (command->args[i].place == ARG_REQUIRED &&
			json_object_get(args, command->args[i].name) == NULL) {
			snprintf(err, len, "%s: argument `%s` is missing", command->words,
				command->args[i].name);
			return false;
		}
	}
	return true;
}
