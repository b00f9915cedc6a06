#include "arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_doc.h"

struct parse {
	const struct command *command;
	int argc;
	char *const *argv;
	int next; /* in argv */
	json_t *args;
	char *err;
	size_t err_len;
};

unsigned arguments_duration(const char *text, unsigned max_s)
{
	unsigned long value, unit = 1;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (strcmp(end, "m") == 0)
		unit = 60;
	else if (strcmp(end, "h") == 0)
		unit = 3600;
	else if (end[0] != '\0' && strcmp(end, "s") != 0)
		return 0;
	return errno != 0 || value > max_s / unit ? 0 : (unsigned)(value * unit);
}

/* All of in, up to the limit of a configuration; the caller frees it. NULL with err. */
static char *read_all(FILE *in, const char *path, size_t *len, char *err, size_t err_len)
{
	size_t size = CONFIG_DOC_SIZE_MAX + 1;
	char *text = malloc(size);

	if (text == NULL) {
		snprintf(err, err_len, "out of memory");
		return NULL;
	}
	*len = fread(text, 1, size, in);
	if (!ferror(in) && *len < size)
		return text;
	if (ferror(in))
		snprintf(err, err_len, "%s: cannot read: %s", path, strerror(errno));
	else
		snprintf(err, err_len,
			"%s: is longer than the %zu bytes that a configuration may "
			"have",
			path, size - 1);
	free(text);
	return NULL;
}

/* Only a regular file, as vswitchd takes them: nobody is waited for at the other end of a FIFO. */
static FILE *open_file(const char *path, char *err, size_t err_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	FILE *in = NULL;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		snprintf(err, err_len,
			"%s: is no regular file; write - to have standard input read", path);
		close(fd);
		return NULL;
	}
	if (fd >= 0)
		in = fdopen(fd, "r");
	if (in == NULL)
		snprintf(err, err_len, "%s: cannot open: %s", path, strerror(errno));
	if (in == NULL && fd >= 0)
		close(fd);
	return in;
}

static json_t *file_value(const char *path, char *err, size_t err_len)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *in = standard ? stdin : open_file(path, err, err_len);
	json_t *content, *file;
	char *text;
	size_t len;

	if (in == NULL)
		return NULL;
	text = read_all(in, path, &len, err, err_len);
	if (!standard)
		fclose(in);
	if (text == NULL)
		return NULL;
	content = memchr(text, '\0', len) == NULL ? json_stringn(text, len) : NULL;
	free(text);
	if (content == NULL) {
		snprintf(err, err_len, "%s: is not UTF-8 text", path);
		return NULL;
	}
	file = json_pack(
		"{s:s,s:o}", "name", standard ? "(standard input)" : path, "text", content);
	if (file == NULL)
		snprintf(err, err_len, "%s: its name is not UTF-8 text", path);
	return file;
}

static json_t *number_value(const char *name, const char *text, char *err, size_t err_len)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0)
		return json_integer(value);
	snprintf(err, err_len, "`%.64s` is no number for %s", text, name);
	return NULL;
}

static json_t *time_value(const struct command_arg *arg, const char *text, char *err, size_t len)
{
	bool period = arg->type == ARG_PERIOD;
	unsigned s = arguments_duration(text, period ? COMMAND_PERIOD_MAX : COMMAND_DURATION_MAX);

	if (s > 0)
		return json_integer(s);
	snprintf(err, len, "`%.64s` is no time from 1s to %s for %s, such as 60s or 5m", text,
		period ? "8760h" : "24h", arg->name);
	return NULL;
}

/* The value of an argument that takes one word. NULL with err. */
static json_t *word_value(const struct command_arg *arg, const char *text, char *err, size_t len)
{
	json_t *value;

	switch (arg->type) {
	case ARG_NUMBER:
		return number_value(arg->name, text, err, len);
	case ARG_DURATION:
	case ARG_PERIOD:
		return time_value(arg, text, err, len);
	case ARG_FILE:
		return file_value(text, err, len);
	default:
		value = json_string(text);
		if (value == NULL)
			snprintf(err, len, "%s is not UTF-8 text", arg->name);
		return value;
	}
}

/* KEY=VALUE for each word up to the next option, beside those that came before. */
static json_t *settings_value(struct parse *p, json_t *before)
{
	json_t *settings = before == NULL ? json_object() : json_incref(before);

	for (; p->next < p->argc; p->next++) {
		const char *word = p->argv[p->next], *equals = strchr(word, '=');
		char key[256];

		if (strncmp(word, "--", 2) == 0)
			break;
		if (equals == NULL || equals == word || (size_t)(equals - word) >= sizeof(key)) {
			snprintf(p->err, p->err_len,
				"`%.64s` is no setting: write KEY=VALUE, such as network=office",
				word);
			goto fail;
		}
		memcpy(key, word, (size_t)(equals - word));
		key[equals - word] = '\0';
		if (json_object_get(settings, key) != NULL) {
			snprintf(p->err, p->err_len, "%s is given twice", key);
			goto fail;
		}
		if (json_object_set_new(settings, key, json_string(equals + 1)) < 0) {
			snprintf(p->err, p->err_len, "`%.64s` is not UTF-8 text", word);
			goto fail;
		}
	}
	return settings;
fail:
	json_decref(settings);
	return NULL;
}

static json_t *words_value(struct parse *p)
{
	json_t *words = json_array();

	for (; p->next < p->argc && strncmp(p->argv[p->next], "--", 2) != 0; p->next++)
		json_array_append_new(words, json_string(p->argv[p->next]));
	return words;
}

/* Puts in what was given by name; true if it was new and right. */
static bool set_named(struct parse *p, const struct command_arg *arg, json_t *value)
{
	if (value == NULL)
		return false;
	if (arg->place == ARG_KEYWORD && json_object_get(p->args, arg->name) != NULL) {
		snprintf(p->err, p->err_len, "%s is given twice", arg->name);
		json_decref(value);
		return false;
	}
	return json_object_set_new(p->args, arg->name, value) == 0;
}

/* --name, --name VALUE or --name=VALUE at p->next. */
static bool parse_option(struct parse *p)
{
	const char *name = p->argv[p->next] + 2;
	size_t len = strcspn(name, "=");

	for (int i = 0; i < COMMAND_ARGS_MAX && p->command->args[i].name != NULL; i++) {
		const struct command_arg *arg = &p->command->args[i];
		const char *text = name[len] == '=' ? name + len + 1 : NULL;
		json_t *value;

		if (!command_arg_is_named(arg) || strlen(arg->name) != len ||
			memcmp(arg->name, name, len) != 0)
			continue;
		p->next++;
		if (arg->type == ARG_FLAG && text != NULL) {
			snprintf(p->err, p->err_len, "--%s takes no value", arg->name);
			return false;
		}
		if (arg->type != ARG_FLAG && text == NULL) {
			if (p->next == p->argc) {
				snprintf(p->err, p->err_len, "--%s needs a value", arg->name);
				return false;
			}
			text = p->argv[p->next++];
		}
		value = arg->type == ARG_FLAG ? json_true()
					      : word_value(arg, text, p->err, p->err_len);
		return set_named(p, arg, value);
	}
	snprintf(p->err, p->err_len, "%s has no option --%.*s", p->command->words, (int)len, name);
	return false;
}

/* The positional argument that comes next, or NULL. Settings may go on after an option. */
static const struct command_arg *next_positional(const struct parse *p, bool settings_go_on)
{
	for (int i = 0; i < COMMAND_ARGS_MAX && p->command->args[i].name != NULL; i++) {
		const struct command_arg *arg = &p->command->args[i];

		if (!command_arg_is_named(arg) &&
			(json_object_get(p->args, arg->name) == NULL ||
				(settings_go_on && arg->type == ARG_SETTINGS)))
			return arg;
	}
	return NULL;
}

/* The keyword that the next word is, where everything required is there; else NULL. */
static const struct command_arg *next_keyword(const struct parse *p)
{
	const struct command_arg *positional = next_positional(p, false);

	if (positional != NULL && positional->place == ARG_REQUIRED)
		return NULL;
	for (int i = 0; i < COMMAND_ARGS_MAX && p->command->args[i].name != NULL; i++) {
		if (p->command->args[i].place == ARG_KEYWORD &&
			strcmp(p->command->args[i].name, p->argv[p->next]) == 0)
			return &p->command->args[i];
	}
	return NULL;
}

static bool parse_keyword(struct parse *p, const struct command_arg *arg)
{
	p->next++;
	if (p->next == p->argc) {
		snprintf(p->err, p->err_len, "%s needs a value", arg->name);
		return false;
	}
	return set_named(p, arg, word_value(arg, p->argv[p->next++], p->err, p->err_len));
}

static bool parse_positional(struct parse *p)
{
	const struct command_arg *keyword = next_keyword(p);
	const struct command_arg *arg = next_positional(p, true);
	json_t *value;

	if (keyword != NULL)
		return parse_keyword(p, keyword);
	if (arg == NULL) {
		snprintf(p->err, p->err_len, "%s does not take `%.64s`", p->command->words,
			p->argv[p->next]);
		return false;
	}
	if (arg->type == ARG_SETTINGS)
		value = settings_value(p, json_object_get(p->args, arg->name));
	else if (arg->type == ARG_WORDS)
		value = words_value(p);
	else
		value = word_value(arg, p->argv[p->next++], p->err, p->err_len);
	return value != NULL && json_object_set_new(p->args, arg->name, value) == 0;
}

json_t *arguments_parse(
	const struct command *command, int argc, char *const *argv, char *err, size_t err_len)
{
	struct parse p = {command, argc, argv, 0, json_object(), err, err_len};
	char missing[40];
	const struct command_arg *arg;

	snprintf(err, err_len, "out of memory");
	while (p.next < argc) {
		const char *word = argv[p.next];
		bool parsed = word[0] == '-' && word[1] == '-' ? parse_option(&p)
							       : parse_positional(&p);

		if (!parsed)
			goto fail;
	}
	arg = next_positional(&p, false);
	if (arg != NULL && arg->place == ARG_REQUIRED) {
		command_placeholder(arg, missing, sizeof(missing));
		snprintf(err, err_len, "%s needs %s: %s", command->words, missing, arg->help);
		goto fail;
	}
	return p.args;
fail:
	json_decref(p.args);
	return NULL;
}
