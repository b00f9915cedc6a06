#include "config_types.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 48 /* characters of a value that a message repeats */

/* value as a message shows it. */
static const char *show(const json_t *value, char text[SHOWN_MAX + 8])
{
	if (json_is_string(value))
		snprintf(text, SHOWN_MAX + 8, "\"%.*s\"", SHOWN_MAX, json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, SHOWN_MAX + 8, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(text, SHOWN_MAX + 8, "%s", json_is_true(value) ? "true" : "false");
	else
		snprintf(text, SHOWN_MAX + 8, "%s", config_schema_kind(value));
	return text;
}

bool config_type_bad(struct config_context *context, const char *right, const json_t *value)
{
	char shown[SHOWN_MAX + 8];

	config_context_error(context, "must be %s, not %s", right, show(value, shown));
	return false;
}

const char *config_type_text(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static void store(const struct config_field *field, void *to, int64_t value)
{
	if (field->size == 1)
		*(uint8_t *)to = (uint8_t)value;
	else if (field->size == 2)
		*(uint16_t *)to = (uint16_t)value;
	else
		*(uint32_t *)to = (uint32_t)value;
}

static uint32_t load(const struct config_field *field, const void *from)
{
	if (field->size == 1)
		return *(const uint8_t *)from;
	if (field->size == 2)
		return *(const uint16_t *)from;
	return *(const uint32_t *)from;
}

static void reset_number(const struct config_field *field, void *to)
{
	store(field, to, field->value);
}

static void reset_text(const struct config_field *field, void *to)
{
	if (field->text)
		snprintf(to, field->size, "%s", field->text);
}

static json_t *encode_text(const struct config_field *field, const void *from)
{
	(void)field;
	return *(const char *)from ? json_string(from) : NULL;
}

/* Boolean */

static int truth(const json_t *value)
{
	static const struct {
		const char *word;
		int truth;
	} words[] = {{"yes", 1}, {"Yes", 1}, {"YES", 1}, {"on", 1}, {"On", 1}, {"ON", 1}, {"no", 0},
		{"No", 0}, {"NO", 0}, {"off", 0}, {"Off", 0}, {"OFF", 0}};
	const char *text = config_type_text(value);

	if (json_is_boolean(value))
		return json_is_true(value);
	for (size_t i = 0; text && i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(text, words[i].word))
			return words[i].truth;
	return -1;
}

static bool decode_boolean(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	int t = truth(value);

	(void)field;
	if (t < 0)
		return config_type_bad(context, "true or false", value);
	*(bool *)to = t;
	return true;
}

static json_t *encode_boolean(const struct config_field *field, const void *from)
{
	(void)field;
	return json_boolean(*(const bool *)from);
}

const struct config_type config_type_boolean = {decode_boolean, encode_boolean, reset_number};

/* Number */

static bool in_range(const struct config_field *field, int64_t value)
{
	return value >= field->min && value <= field->max;
}

static bool decode_number(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	char right[64];

	if (json_is_integer(value) && in_range(field, json_integer_value(value))) {
		store(field, to, json_integer_value(value));
		return true;
	}
	snprintf(right, sizeof(right), "a whole number from %" PRId64 " to %" PRId64, field->min,
		field->max);
	return config_type_bad(context, right, value);
}

static json_t *encode_number(const struct config_field *field, const void *from)
{
	return json_integer(load(field, from));
}

const struct config_type config_type_number = {decode_number, encode_number, reset_number};

/* Choice */

static int find_choice(const struct config_field *field, const char *word)
{
	for (int i = 0; field->choices[i]; i++)
		if (!strcmp(field->choices[i], word))
			return i;
	return -1;
}

static bool decode_choice(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	int found = text ? find_choice(field, text) : -1;
	char right[128] = "one of";
	size_t len = strlen(right);

	if (json_is_boolean(value)) { /* another YAML writer's yes or on */
		found = find_choice(field, json_is_true(value) ? "yes" : "no");
		if (found < 0)
			found = find_choice(field, json_is_true(value) ? "on" : "off");
	}
	if (found >= 0) {
		store(field, to, found);
		return true;
	}
	for (int i = 0; field->choices[i] && len < sizeof(right); i++)
		len += (size_t)snprintf(
			right + len, sizeof(right) - len, "%s %s", i ? "," : "", field->choices[i]);
	return config_type_bad(context, right, value);
}

static json_t *encode_choice(const struct config_field *field, const void *from)
{
	return json_string(field->choices[load(field, from)]);
}

const struct config_type config_type_choice = {decode_choice, encode_choice, reset_number};

/* Durations */

struct unit {
	const char *suffix;
	int64_t microseconds;
};

static const struct unit units[] = {
	{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};

/* Up to 10 digits and a unit, in microseconds; -1 where text is none. */
static int64_t parse_duration(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 10)
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		int64_t n;

		if (strcmp(text + digits, units[i].suffix))
			continue;
		n = strtoll(text, NULL, 10);
		return n > INT64_MAX / units[i].microseconds ? -1 : n * units[i].microseconds;
	}
	return -1;
}

static bool decode_duration(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to, const struct unit *base)
{
	const char *text = config_type_text(value);
	int64_t n = text ? parse_duration(text) : -1;
	char right[96];

	if (json_is_integer(value))
		n = json_integer_value(value);
	else if (n >= 0)
		n = n % base->microseconds ? -1 : n / base->microseconds;
	if (n >= 0 && in_range(field, n)) {
		store(field, to, n);
		return true;
	}
	snprintf(right, sizeof(right),
		"a time from %" PRId64 "%s to %" PRId64 "%s, such as %" PRId64 "%s", field->min,
		base->suffix, field->max, base->suffix, field->value, base->suffix);
	return config_type_bad(context, right, value);
}

static json_t *encode_duration(
	const struct config_field *field, const void *from, const struct unit *base)
{
	return json_sprintf("%" PRIu32 "%s", load(field, from), base->suffix);
}

static bool decode_microseconds(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	return decode_duration(context, field, value, to, &units[0]);
}

static json_t *encode_microseconds(const struct config_field *field, const void *from)
{
	return encode_duration(field, from, &units[0]);
}

const struct config_type config_type_microseconds = {
	decode_microseconds, encode_microseconds, reset_number};

static bool decode_seconds(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	return decode_duration(context, field, value, to, &units[2]);
}

static json_t *encode_seconds(const struct config_field *field, const void *from)
{
	return encode_duration(field, from, &units[2]);
}

const struct config_type config_type_seconds = {decode_seconds, encode_seconds, reset_number};

/* Names and paths */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

static bool need_quotes(struct config_context *context, const json_t *value)
{
	char shown[SHOWN_MAX + 8];

	show(value, shown);
	if (json_is_integer(value) || json_is_boolean(value))
		config_context_error(context, "must be text: put it in quotes, \"%s\"", shown);
	else
		config_context_error(context, "must be text, not %s", shown);
	return false;
}

static bool decode_name(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	char right[128];
	size_t len;

	if (!json_is_string(value))
		return need_quotes(context, value);
	len = text ? strlen(text) : 0;
	if (len > 0 && len <= (size_t)field->max && strchr(LETTERS DIGITS, text[0]) &&
		strspn(text, LETTERS DIGITS "._-") == len) {
		memcpy(to, text, len + 1);
		return true;
	}
	snprintf(right, sizeof(right),
		"1 to %" PRId64 " letters, digits, '.', '_' or '-', the first a letter or digit",
		field->max);
	return config_type_bad(context, right, value);
}

const struct config_type config_type_name = {decode_name, encode_text, reset_text};

static bool printable_ascii(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

/* Copies path without what does not change its meaning; false where there is a "..". */
static bool normalize_path(const char *path, char *to)
{
	char *out = to;

	while (*path) {
		size_t slashes = strspn(path, "/");
		size_t len = strcspn(path + slashes, "/");
		const char *part = path + slashes;

		if (len == 2 && !strncmp(part, "..", 2))
			return false;
		if (len > 0 && !(len == 1 && *part == '.')) {
			*out++ = '/';
			memcpy(out, part, len);
			out += len;
		}
		path = part + len;
	}
	*out = '\0';
	return true;
}

static bool decode_path(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	char clean[256];

	if (!json_is_string(value))
		return need_quotes(context, value);
	if (!text || text[0] != '/' || !printable_ascii(text))
		return config_type_bad(context,
			"an absolute path in printable ASCII, such as /run/vswitch/vm1.sock",
			value);
	if (strlen(text) > (size_t)field->max) {
		config_context_error(context,
			"is a path of %zu characters: at most %" PRId64 " are taken", strlen(text),
			field->max);
		return false;
	}
	if (!normalize_path(text, clean))
		return config_type_bad(context, "a path without \"..\"", value);
	if (!clean[0])
		return config_type_bad(context, "a path below /", value);
	memcpy(to, clean, strlen(clean) + 1);
	return true;
}

const struct config_type config_type_path = {decode_path, encode_text, reset_text};

static bool decode_interface(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	char right[96];

	if (!json_is_string(value))
		return need_quotes(context, value);
	if (text && text[0] && strlen(text) <= (size_t)field->max && printable_ascii(text) &&
		!strpbrk(text, "/:% ") && strcmp(text, ".") && strcmp(text, "..")) {
		memcpy(to, text, strlen(text) + 1);
		return true;
	}
	snprintf(right, sizeof(right),
		"an interface name of 1 to %" PRId64 " characters without '/', ':', '%%' or blanks",
		field->max);
	return config_type_bad(context, right, value);
}

const struct config_type config_type_interface = {decode_interface, encode_text, reset_text};
