/* content, what modifies it, and isdataat. */
#include "rule_options.h"

#include <ctype.h>
#include <string.h>

#define POSITION_MAX 65535

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes between two bars; text moves behind the second. */
static bool decode_hex(
	struct rule_parser *parser, struct rule_text *text, uint8_t *bytes, size_t *n)
{
	int high = -1;

	for (; text->n > 0 && text->s[0] != '|'; text->s++, text->n--) {
		int d = hex(text->s[0]);

		if (text->s[0] == ' ' || text->s[0] == ',') {
			if (high >= 0)
				return rule_refuse(parser, "a single hexadecimal digit in |..|");
			continue;
		}
		if (d < 0)
			return rule_refuse(parser, "'%c' is no hexadecimal digit",
				isprint((unsigned char)text->s[0]) ? text->s[0] : '?');
		if (high < 0) {
			high = d;
			continue;
		}
		if (*n == RULE_CONTENT_MAX)
			return rule_refuse(parser, "longer than %d bytes", RULE_CONTENT_MAX);
		bytes[(*n)++] = (uint8_t)(high << 4 | d);
		high = -1;
	}
	if (high >= 0)
		return rule_refuse(parser, "a single hexadecimal digit in |..|");
	if (text->n == 0)
		return rule_refuse(parser, "a | lacks its second |");
	text->s++;
	text->n--;
	return true;
}

static bool decode(struct rule_parser *parser, struct rule_text text, uint8_t *bytes, size_t *n)
{
	*n = 0;
	while (text.n > 0) {
		char c = text.s[0];

		text.s++;
		text.n--;
		if (c == '|') {
			if (!decode_hex(parser, &text, bytes, n))
				return false;
			continue;
		}
		if (c == '"')
			return rule_refuse(parser, "a double quote within needs a \\ before it");
		if (c == '\\') {
			if (text.n == 0 || !memchr(":;\\\"", text.s[0], 4))
				return rule_refuse(
					parser, "\\ may stand before : ; \\ and \" only");
			c = text.s[0];
			text.s++;
			text.n--;
		}
		if (*n == RULE_CONTENT_MAX)
			return rule_refuse(parser, "longer than %d bytes", RULE_CONTENT_MAX);
		bytes[(*n)++] = (uint8_t)c;
	}
	return *n > 0 || rule_refuse(parser, "is empty");
}

static bool read_content(struct rule_parser *parser, struct rule_text value)
{
	uint8_t bytes[RULE_CONTENT_MAX];
	bool negated = rule_text_negated(&value);
	struct rule_content *content;
	struct rule_item *item;
	size_t n;

	if (!rule_text_unquote(&value))
		return rule_refuse(parser, "must stand in double quotes");
	if (!decode(parser, value, bytes, &n))
		return false;
	item = rule_add_item(parser, RULE_CONTENT);
	if (!item)
		return false;
	content = &item->content;
	content->negated = negated;
	content->len = (uint8_t)n;
	content->bytes = (uint8_t *)rule_keep(parser, (struct rule_text){(const char *)bytes, n});
	return content->bytes != NULL;
}

/* The content that a modifier is about, or NULL with a reason. */
static struct rule_content *modified(struct rule_parser *parser)
{
	for (unsigned i = parser->n_items; i > 0; i--) {
		struct rule_item *item = &parser->items[i - 1];

		if (item->buffer == parser->buffer && item->type == RULE_CONTENT)
			return &item->content;
	}
	rule_refuse(parser, "no content stands before it in this buffer");
	return NULL;
}

static bool read_nocase(struct rule_parser *parser, struct rule_text value)
{
	struct rule_content *content = modified(parser);
	uint8_t *bytes;

	(void)value;
	if (!content)
		return false;
	if (content->nocase)
		return rule_refuse(parser, "stands twice behind one content");
	bytes = (uint8_t *)rule_keep(
		parser, (struct rule_text){(const char *)content->bytes, content->len});
	if (!bytes)
		return false;
	for (unsigned i = 0; i < content->len; i++)
		bytes[i] = bytes[i] >= 'A' && bytes[i] <= 'Z' ? bytes[i] | 0x20 : bytes[i];
	content->bytes = bytes;
	content->nocase = true;
	return true;
}

static bool read_rawbytes(struct rule_parser *parser, struct rule_text value)
{
	(void)value;
	return modified(parser) != NULL;
}

static bool absolute(struct rule_parser *parser, struct rule_content *content)
{
	if (content->has_distance || content->has_within)
		return rule_refuse(
			parser, "offset and depth do not go together with distance and within");
	return true;
}

static bool relative(struct rule_parser *parser, struct rule_content *content)
{
	if (content->has_offset || content->has_depth)
		return rule_refuse(
			parser, "distance and within do not go together with offset and depth");
	return true;
}

static bool once(struct rule_parser *parser, bool *has)
{
	if (*has)
		return rule_refuse(parser, "stands twice behind one content");
	*has = true;
	return true;
}

static bool read_offset(struct rule_parser *parser, struct rule_text value)
{
	struct rule_content *content = modified(parser);

	return content && absolute(parser, content) && once(parser, &content->has_offset) &&
	       rule_read_number(parser, value, 0, POSITION_MAX, "offset", &content->offset);
}

static bool read_depth(struct rule_parser *parser, struct rule_text value)
{
	struct rule_content *content = modified(parser);

	return content && absolute(parser, content) && once(parser, &content->has_depth) &&
	       rule_read_number(parser, value, 1, POSITION_MAX, "depth", &content->depth);
}

static bool read_distance(struct rule_parser *parser, struct rule_text value)
{
	struct rule_content *content = modified(parser);

	return content && relative(parser, content) && once(parser, &content->has_distance) &&
	       rule_read_number(
		       parser, value, -POSITION_MAX, POSITION_MAX, "distance", &content->distance);
}

static bool read_within(struct rule_parser *parser, struct rule_text value)
{
	struct rule_content *content = modified(parser);

	return content && relative(parser, content) && once(parser, &content->has_within) &&
	       rule_read_number(parser, value, 1, POSITION_MAX, "within", &content->within);
}

static bool read_startswith(struct rule_parser *parser, struct rule_text value)
{
	struct rule_content *content = modified(parser);

	(void)value;
	if (!content)
		return false;
	if (content->has_offset || content->has_depth || content->has_distance ||
		content->has_within)
		return rule_refuse(
			parser, "goes together with none of offset, depth, distance and within");
	content->has_offset = content->has_depth = true;
	content->offset = (struct rule_number){0, RULE_NO_VAR};
	content->depth = (struct rule_number){content->len, RULE_NO_VAR};
	return true;
}

static bool read_endswith(struct rule_parser *parser, struct rule_text value)
{
	struct rule_content *content = modified(parser);

	(void)value;
	return content && once(parser, &content->ends_with);
}

/* "only" and "offset,length" tune Suricata's search; which bytes are searched for is ours to say.
 */
static bool read_fast_pattern(struct rule_parser *parser, struct rule_text value)
{
	struct rule_content *content = modified(parser);
	struct rule_text rest = value, part;
	int64_t offset, length;

	if (!content || !once(parser, &content->fast))
		return false;
	if (content->negated)
		return rule_refuse(parser, "cannot be a content that must be absent");
	if (value.n == 0)
		return true;
	if (rule_text_is(value, "only")) {
		if (content->has_offset || content->has_depth || content->has_distance ||
			content->has_within)
			return rule_refuse(parser,
				"only: goes together with none of offset, depth, "
				"distance and within");
		return true;
	}
	rule_text_next(&rest, ',', &part);
	if (!rule_text_number(part, 0, content->len - 1, &offset) || !rest.s ||
		!rule_text_number(rule_text_trim(rest), 1, content->len - offset, &length))
		return rule_refuse(parser,
			"\"%.*s\": nothing, only, or an offset and a length "
			"within its content are right",
			RULE_TEXT_ARG(value));
	return true;
}

static bool read_isdataat(struct rule_parser *parser, struct rule_text value)
{
	bool negated = rule_text_negated(&value);
	struct rule_item *item = rule_add_item(parser, RULE_ISDATAAT);
	struct rule_text part;

	if (!item)
		return false;
	item->isdataat.negated = negated;
	rule_text_next(&value, ',', &part);
	if (!rule_read_number(parser, part, 0, POSITION_MAX, "position", &item->isdataat.at))
		return false;
	while (rule_text_next(&value, ',', &part)) {
		if (rule_text_is(part, "relative"))
			item->isdataat.relative = true;
		else if (!rule_text_is(part, "rawbytes"))
			return rule_refuse(
				parser, "\"%.*s\": relative is right", RULE_TEXT_ARG(part));
	}
	return true;
}

const struct rule_option rule_options_content[] = {
	{"content", RULE_VALUE_NEEDED, read_content},
	{"nocase", RULE_VALUE_NONE, read_nocase},
	{"rawbytes", RULE_VALUE_NONE, read_rawbytes},
	{"offset", RULE_VALUE_NEEDED, read_offset},
	{"depth", RULE_VALUE_NEEDED, read_depth},
	{"distance", RULE_VALUE_NEEDED, read_distance},
	{"within", RULE_VALUE_NEEDED, read_within},
	{"startswith", RULE_VALUE_NONE, read_startswith},
	{"endswith", RULE_VALUE_NONE, read_endswith},
	{"fast_pattern", RULE_VALUE_MAY, read_fast_pattern},
	{"isdataat", RULE_VALUE_NEEDED, read_isdataat},
	{0},
};
