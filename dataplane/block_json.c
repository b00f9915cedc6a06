#include "block_json.h"

#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static const char *const directions[] = {
	[BLOCK_BOTH] = "both", [BLOCK_IN] = "in", [BLOCK_OUT] = "out"};

static bool is_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= CONFIG_NAME_MAX && strspn(text, NAME_CHARACTERS) == len;
}

bool block_comment_valid(const char *text)
{
	if (strlen(text) >= sizeof(((struct block *)0)->comment))
		return false;
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

bool block_end_parse(const char *text, struct block_end *end)
{
	*end = (struct block_end){.kind = BLOCK_ANY};
	if (strcmp(text, "any") == 0)
		return true;
	end->kind = BLOCK_SPAN;
	if (addr_span_parse(text, &end->span))
		return true;
	*end = (struct block_end){.kind = BLOCK_NAMED};
	if (!is_name(text))
		return false;
	strcpy(end->name, text);
	return true;
}

void block_end_format(const struct block_end *end, char *text)
{
	if (end->kind == BLOCK_SPAN)
		addr_span_format(end->span, text);
	else
		strcpy(text, end->kind == BLOCK_ANY ? "any" : end->name);
}

/* The text, or null for an empty one. */
static json_t *optional(const char *text)
{
	return text[0] == '\0' ? json_null() : json_string(text);
}

json_t *block_json(const struct block *block)
{
	char from[BLOCK_END_TEXT_MAX], to[BLOCK_END_TEXT_MAX];

	block_end_format(&block->from, from);
	block_end_format(&block->to, to);
	return json_pack("{s:I,s:s,s:s,s:s,s:o,s:o,s:s,s:I,s:o,s:o}", "id", (json_int_t)block->id,
		"service", block->service_text, "from", from, "to", to, "tenant",
		optional(block->tenant), "port", optional(block->port), "direction",
		directions[block->direction], "since", (json_int_t)block->since, "until",
		block->until == 0 ? json_null() : json_integer(block->until), "comment",
		optional(block->comment));
}

static bool read_number(const json_t *json, const char *key, json_int_t max, json_int_t *number)
{
	const json_t *value = json_object_get(json, key);

	*number = json_integer_value(value);
	return json_is_integer(value) && *number >= 1 && *number <= max;
}

/* The member's text; NULL where it is none, or has a NUL in it. */
static const char *text_of(const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);
	const char *text = json_string_value(value);

	return text != NULL && strlen(text) == json_string_length(value) ? text : NULL;
}

/* A text that `valid` likes, or null; into the size bytes at to. */
static bool read_optional(
	const json_t *json, const char *key, bool (*valid)(const char *text), char *to, size_t size)
{
	const char *text = text_of(json, key);

	to[0] = '\0';
	if (json_is_null(json_object_get(json, key)))
		return true;
	if (text == NULL || !valid(text) || strlen(text) >= size)
		return false;
	strcpy(to, text);
	return true;
}

static bool read_end(const json_t *json, const char *key, struct block_end *end)
{
	const char *text = text_of(json, key);

	return text != NULL && block_end_parse(text, end);
}

static bool read_service(const json_t *json, struct block *block)
{
	const char *text = text_of(json, "service");

	if (text == NULL || !service_parse(text, &block->service))
		return false;
	service_format(block->service, block->service_text);
	return true;
}

static bool read_direction(const json_t *json, struct block *block)
{
	const char *text = text_of(json, "direction");

	for (unsigned i = 0; text != NULL && i < 3; i++) {
		if (strcmp(text, directions[i]) == 0) {
			block->direction = i;
			return true;
		}
	}
	return false;
}

static bool read_times(const json_t *json, struct block *block)
{
	json_int_t since, until = 0;

	if (!read_number(json, "since", INT64_MAX, &since))
		return false;
	if (!json_is_null(json_object_get(json, "until")) &&
		!read_number(json, "until", INT64_MAX, &until))
		return false;
	block->since = (time_t)since;
	block->until = (time_t)until;
	return true;
}

/* The first member that is not as it must be; NULL: none. */
static const char *fault(const json_t *json, struct block *block)
{
	json_int_t id;

	if (!read_number(json, "id", UINT32_MAX - 1, &id))
		return "id";
	block->id = (uint32_t)id;
	if (!read_service(json, block))
		return "service";
	if (!read_end(json, "from", &block->from))
		return "from";
	if (!read_end(json, "to", &block->to))
		return "to";
	if (!read_optional(json, "tenant", is_name, block->tenant, sizeof(block->tenant)))
		return "tenant";
	if (!read_optional(json, "port", is_name, block->port, sizeof(block->port)))
		return "port";
	if (!read_direction(json, block))
		return "direction";
	if (!read_times(json, block))
		return "since or until";
	if (!read_optional(
		    json, "comment", block_comment_valid, block->comment, sizeof(block->comment)))
		return "comment";
	return json_object_size(json) == 10 ? NULL : "number of members";
}

bool block_from_json(const json_t *json, struct block *block, struct config_error *err)
{
	const char *member;

	*block = (struct block){0};
	member = fault(json, block);
	if (member == NULL)
		return true;
	config_error_set(err, "a block's %s is not as vswitchd writes it", member);
	return false;
}
