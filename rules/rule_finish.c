#include "rule_finish.h"

#include <stdio.h>
#include <string.h>

#include "rule_fast.h"
#include "rule_report.h"

static bool blame(struct rule_parser *parser, char *keyword, const char *name, const char *reason)
{
	snprintf(keyword, RULE_KEYWORD_MAX, "%s", name);
	return rule_refuse(parser, "%s", reason);
}

static bool check_content(
	struct rule_parser *parser, char *keyword, const struct rule_content *content)
{
	if (content->has_depth && content->depth.var == RULE_NO_VAR &&
		content->depth.value < content->len)
		return blame(parser, keyword, "depth",
			"is less than its content is long: it could never match");
	if (content->has_within && content->within.var == RULE_NO_VAR &&
		content->within.value < content->len)
		return blame(parser, keyword, "within",
			"is less than its content is long: it could never match");
	return true;
}

static bool check_whole(struct rule_parser *parser, char *keyword)
{
	const struct rule *rule = parser->rule;
	unsigned fast = 0;

	if (!(parser->seen & RULE_SEEN_SID))
		return blame(parser, keyword, "sid", "is missing");
	for (unsigned i = 0; i < parser->n_items; i++) {
		const struct rule_content *content = &parser->items[i].content;

		if (parser->items[i].type != RULE_CONTENT)
			continue;
		if (!check_content(parser, keyword, content))
			return false;
		fast += content->fast;
	}
	if (fast > 1)
		return blame(parser, keyword, "fast_pattern", "stands in the rule twice");
	if ((rule->flow & RULE_ONLY_STREAM) && parser->n_items == 0)
		return blame(
			parser, keyword, "flow", "only_stream, but no keyword looks at the stream");
	return true;
}

static bool is_relative(const struct rule_item *item)
{
	switch (item->type) {
	case RULE_CONTENT:
		return item->content.has_distance || item->content.has_within;
	case RULE_PCRE:
		return item->pcre.relative;
	case RULE_BYTE_TEST:
		return item->byte_test.read.relative;
	case RULE_BYTE_JUMP:
		return item->byte_jump.read.relative;
	case RULE_BYTE_EXTRACT:
		return item->byte_extract.read.relative;
	case RULE_BYTE_MATH:
		return item->byte_math.read.relative;
	case RULE_ISDATAAT:
		return item->isdataat.relative;
	}
	return false;
}

/* Whether what follows starts from where it ends, not from where something earlier did. */
static bool sets_position(const struct rule_item *item)
{
	switch (item->type) {
	case RULE_CONTENT:
		return !item->content.negated;
	case RULE_PCRE:
		return !item->pcre.negated;
	case RULE_BYTE_JUMP:
	case RULE_BYTE_EXTRACT:
	case RULE_BYTE_MATH:
		return true;
	default:
		return false;
	}
}

static bool position_used(const struct rule_item *items, unsigned i, unsigned n)
{
	enum rule_buffer buffer = items[i].buffer;

	for (unsigned j = i + 1; j < n && items[j].buffer == buffer; j++) {
		if (is_relative(&items[j]))
			return true;
		if (sets_position(&items[j]))
			return false;
	}
	return false;
}

static bool keep_items(struct rule_parser *parser)
{
	struct rule *rule = parser->rule;
	struct rule_item *items = rule_arena_alloc(
		&parser->context->arena, parser->n_items * sizeof(*items));
	unsigned n = 0;

	if (!items)
		return rule_refuse(parser, "out of memory");
	for (enum rule_buffer buffer = 0; buffer < RULE_BUFFERS; buffer++)
		for (unsigned i = 0; i < parser->n_items; i++)
			if (parser->items[i].buffer == buffer) {
				items[n++] = parser->items[i];
				rule->buffers |= (uint8_t)(1 << buffer);
			}
	for (unsigned i = 0; i < n; i++)
		items[i].position_used = position_used(items, i, n);
	rule->items = items;
	rule->n_items = (uint16_t)n;
	rule->n_vars = (uint8_t)parser->n_vars;
	return true;
}

static bool keep_opnums(struct rule_parser *parser)
{
	size_t size = parser->n_opnums * sizeof(*parser->opnums);
	struct rule_range *opnums = rule_arena_alloc(&parser->context->arena, size);

	if (!opnums)
		return rule_refuse(parser, "out of memory");
	memcpy(opnums, parser->opnums, size);
	parser->rule->opnums = opnums;
	parser->rule->n_opnums = (uint16_t)parser->n_opnums;
	return true;
}

static bool keep_names(
	struct rule_parser *parser, const struct rule_bit_text *text, struct rule_bit *bit)
{
	uint16_t *names = rule_arena_alloc(&parser->context->arena, text->n * sizeof(*names));

	*bit = text->bit;
	bit->n = text->n;
	bit->names = names;
	if (!names)
		return rule_refuse(parser, "out of memory");
	for (uint16_t i = 0; i < text->n; i++) {
		struct rule_text name = parser->bit_names[text->first + i];

		names[i] = rule_names_add(parser->context->bits, name.s, name.n);
		if (names[i] == RULE_NO_NAME)
			return rule_refuse(parser,
				"no room for the name \"%.*s\": a switch knows %d names of flow "
				"bits",
				RULE_TEXT_ARG(name), RULE_BIT_NAMES_MAX);
	}
	return true;
}

static bool keep_bits(struct rule_parser *parser, char *keyword)
{
	struct rule_bit *bits = rule_arena_alloc(
		&parser->context->arena, parser->n_bits * sizeof(*bits));

	if (!bits)
		return rule_refuse(parser, "out of memory");
	for (unsigned i = 0; i < parser->n_bits; i++)
		if (!keep_names(parser, &parser->bits[i], &bits[i])) {
			bool flow = bits[i].scope == RULE_BIT_FLOW;

			snprintf(keyword, RULE_KEYWORD_MAX, flow ? "flowbits" : "xbits");
			return false;
		}
	parser->rule->bits = bits;
	parser->rule->n_bits = (uint16_t)parser->n_bits;
	return true;
}

bool rule_finish(struct rule_parser *parser, char *keyword)
{
	keyword[0] = 0;
	if (!check_whole(parser, keyword) || !keep_items(parser) || !keep_opnums(parser) ||
		!keep_bits(parser, keyword))
		return false;
	parser->rule->fast = rule_fast_choose(parser->rule);
	return true;
}
