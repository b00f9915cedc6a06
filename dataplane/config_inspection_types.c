#include "config_inspection_types.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config_addresses.h"
#include "config_types.h"

#define MIB_SHIFT 20

static bool decode_mebibytes(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	json_int_t n = json_integer_value(value);
	char right[80];

	if (json_is_integer(value) && n >= field->min && n <= field->max) {
		*(uint64_t *)to = (uint64_t)n << MIB_SHIFT;
		return true;
	}
	snprintf(right, sizeof(right), "a whole number of MiB from %" PRId64 " to %" PRId64,
		field->min, field->max);
	return config_type_bad(context, right, value);
}

static json_t *encode_mebibytes(const struct config_field *field, const void *from)
{
	(void)field;
	return json_integer((json_int_t)(*(const uint64_t *)from >> MIB_SHIFT));
}

static void reset_mebibytes(const struct config_field *field, void *to)
{
	*(uint64_t *)to = (uint64_t)field->value << MIB_SHIFT;
}

const struct config_type config_type_mebibytes = {
	decode_mebibytes, encode_mebibytes, reset_mebibytes};

static json_t *encode_text(const struct config_field *field, const void *from)
{
	(void)field;
	return *(const char *)from ? json_string(from) : NULL;
}

/* Printable ASCII, without blanks where they may not be. */
static bool printable(const char *text, char from)
{
	for (; *text; text++)
		if (*text < from || *text > 0x7e)
			return false;
	return true;
}

/* No part of it is empty, "." or "..". */
static bool is_below(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (len == 0 || (len <= 2 && strspn(path, ".") >= len))
			return false;
		if (path[len] == '\0')
			return true;
		path += len + 1;
	}
}

static bool decode_file(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);

	if (text && text[0] == '/')
		return config_type_path.decode(context, field, value, to);
	if (!text || !printable(text, '!') || !is_below(text))
		return config_type_bad(context,
			"a file's name such as smb.rules, below vswitch.rules, or its absolute "
			"path; without blanks and \"..\"",
			value);
	if (strlen(text) > (size_t)field->max) {
		config_context_error(context,
			"is a name of %zu characters: at most %" PRId64 " are taken", strlen(text),
			field->max);
		return false;
	}
	memcpy(to, text, strlen(text) + 1);
	return true;
}

const struct config_type config_type_file = {decode_file, encode_text, NULL};

/* Adds text to the room bytes at to, after `before`; false: it is too long, or none. */
static bool append(char *to, size_t room, const char *before, const char *text)
{
	size_t len = strlen(to);

	return text && (size_t)snprintf(to + len, room - len, "%s%s", before, text) < room - len;
}

/* One element, a number too. */
static const char *element(const json_t *value, char number[24])
{
	if (!json_is_integer(value))
		return config_type_text(value);
	snprintf(number, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return number;
}

/* False: too long, or not made of texts and numbers. */
static bool write_expression(const json_t *value, char *to, size_t room)
{
	char number[24];
	json_t *item;
	size_t i;

	to[0] = '\0';
	if (!json_is_array(value))
		return append(to, room, "", element(value, number));
	json_array_foreach (value, i, item)
		if (!append(to, room, i ? "," : "[", element(item, number)))
			return false;
	return append(to, room, "", "]");
}

static bool decode_expression(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	char text[2048];
	size_t room = (size_t)field->max + 1;
	char right[128];

	if (room <= sizeof(text) && write_expression(value, text, room) && text[0] &&
		strcmp(text, "]") != 0 && printable(text, ' ')) {
		memcpy(to, text, strlen(text) + 1);
		return true;
	}
	snprintf(right, sizeof(right),
		"what rules take, in up to %" PRId64
		" characters, such as \"[10.0.0.0/8,!10.1.0.0/16]\" or 1024:2048",
		field->max);
	return config_type_bad(context, right, value);
}

const struct config_type config_type_expression = {decode_expression, encode_text, NULL};

const struct addr_span config_any_address = {.last = {UINT64_MAX, UINT64_MAX}};

static bool decode_remotes(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);

	struct addr_span span;

	if (text && !strcmp(text, "any")) {
		*(struct addr_span *)to = config_any_address;
		return true;
	}
	if (!config_type_span.decode(context, field, value, &span))
		return false;
	if (!addr_is_ipv4(span.first) && addr_in((struct addr){.low = ADDR_V4_PREFIX}, span))
		return config_type_bad(context,
			"any for both families, or IPv6 addresses without ::ffff:0:0/96 such as "
			"2000::/3",
			value);
	*(struct addr_span *)to = span;
	return true;
}

static json_t *encode_remotes(const struct config_field *field, const void *from)
{
	return memcmp(from, &config_any_address, sizeof(config_any_address))
		       ? config_type_span.encode(field, from)
		       : json_string("any");
}

static void reset_remotes(const struct config_field *field, void *to)
{
	(void)field;
	*(struct addr_span *)to = config_any_address;
}

const struct config_type config_type_remotes = {decode_remotes, encode_remotes, reset_remotes};
