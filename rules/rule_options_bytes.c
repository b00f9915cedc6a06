/* byte_test, byte_jump, byte_extract and byte_math: numbers in the data. */
#include "rule_options.h"

#include <string.h>

#define OFFSET_MAX 65535

/* Parts that all four have in common; *known false where part is none of them. */
static bool read_common(
	struct rule_parser *parser, struct rule_text part, struct rule_read *read, bool *known)
{
	static const struct {
		const char *word;
		enum rule_endian endian;
	} endians[] = {{"big", RULE_BIG}, {"little", RULE_LITTLE}, {"dce", RULE_DCE}};
	static const struct {
		const char *word;
		uint8_t base;
	} bases[] = {{"hex", 16}, {"dec", 10}, {"oct", 8}};
	struct rule_text rest = part, name;

	*known = true;
	for (int i = 0; i < 3; i++) {
		if (rule_text_is(part, endians[i].word)) {
			read->endian = endians[i].endian;
			return true;
		}
		if (rule_text_is(part, bases[i].word)) {
			read->base = bases[i].base;
			return true;
		}
	}
	if (rule_text_is(part, "relative")) {
		read->relative = true;
		return true;
	}
	if (rule_text_is(part, "string")) {
		read->base = read->base ? read->base : 10;
		return true;
	}
	rule_text_word(&rest, &name);
	if (rule_text_is(name, "bitmask")) {
		if (!rule_text_number64(rule_text_trim(rest), &read->bitmask) ||
			read->bitmask == 0 || read->bitmask > UINT32_MAX)
			return rule_refuse(
				parser, "bitmask: a number from 1 to 0xffffffff is right");
		return true;
	}
	*known = false;
	return true;
}

static bool unknown_part(struct rule_parser *parser, struct rule_text part)
{
	return rule_refuse(parser, "\"%.*s\" is not known here", RULE_TEXT_ARG(part));
}

static bool check_size(struct rule_parser *parser, const struct rule_read *read)
{
	static const struct {
		uint8_t base, most;
	} digits[] = {{8, 23}, {10, 20}, {16, 14}};
	int64_t most = 8;

	for (int i = 0; i < 3; i++)
		if (read->base == digits[i].base)
			most = digits[i].most;
	if (read->n_bytes.var != RULE_NO_VAR ||
		(read->n_bytes.value >= 1 && read->n_bytes.value <= most))
		return true;
	return rule_refuse(parser, "%lld bytes: 1 to %lld are right",
		(long long)read->n_bytes.value, (long long)most);
}

/* The first part: how many bytes. */
static bool read_size(struct rule_parser *parser, struct rule_text *rest, struct rule_read *read)
{
	struct rule_text part;

	return (rule_text_next(rest, ',', &part) ||
		       rule_refuse(parser, "the number of bytes is missing")) &&
	       rule_read_number(parser, part, 0, 23, "number of bytes", &read->n_bytes);
}

static bool read_place(struct rule_parser *parser, struct rule_text *rest, struct rule_read *read)
{
	struct rule_text part;

	return (rule_text_next(rest, ',', &part) || rule_refuse(parser, "the offset is missing")) &&
	       rule_read_number(parser, part, -OFFSET_MAX, OFFSET_MAX, "offset", &read->offset);
}

static bool read_operator(
	struct rule_parser *parser, struct rule_text part, struct rule_byte_test *test)
{
	static const struct {
		const char *word;
		enum rule_test test;
	} operators[] = {
		{"<", RULE_TEST_LESS},
		{">", RULE_TEST_GREATER},
		{"=", RULE_TEST_EQUAL},
		{"<=", RULE_TEST_LESS_EQUAL},
		{">=", RULE_TEST_GREATER_EQUAL},
		{"&", RULE_TEST_AND},
		{"^", RULE_TEST_OR},
	};
	struct rule_text op = part;

	test->negated = rule_text_negated(&op);
	if (op.n == 0 && test->negated) { /* "!" alone: not equal */
		test->test = RULE_TEST_EQUAL;
		return true;
	}
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (rule_text_is(op, operators[i].word)) {
			test->test = operators[i].test;
			return true;
		}
	return rule_refuse(parser,
		"operator \"%.*s\": <, >, =, <=, >=, & or ^, with ! before it or not, is right",
		RULE_TEXT_ARG(part));
}

/* Up to the largest number there is. */
static bool read_value(
	struct rule_parser *parser, struct rule_text part, struct rule_number *number)
{
	uint64_t value;

	if (!rule_text_number64(part, &value))
		return rule_read_number(parser, part, 0, INT64_MAX, "value", number);
	*number = (struct rule_number){(int64_t)value, RULE_NO_VAR};
	return true;
}

static bool read_byte_test(struct rule_parser *parser, struct rule_text value)
{
	struct rule_item *item = rule_add_item(parser, RULE_BYTE_TEST);
	struct rule_byte_test *test;
	struct rule_text part;
	bool known;

	if (!item)
		return false;
	test = &item->byte_test;
	if (!read_size(parser, &value, &test->read))
		return false;
	if (!rule_text_next(&value, ',', &part))
		return rule_refuse(parser, "the operator is missing");
	if (!read_operator(parser, part, test))
		return false;
	if (!rule_text_next(&value, ',', &part))
		return rule_refuse(parser, "the value is missing");
	if (!read_value(parser, part, &test->value) || !read_place(parser, &value, &test->read))
		return false;
	while (rule_text_next(&value, ',', &part)) {
		if (!read_common(parser, part, &test->read, &known))
			return false;
		if (!known)
			return unknown_part(parser, part);
	}
	return check_size(parser, &test->read);
}

/* "word value": what stands behind the word. */
static bool worded(struct rule_text part, const char *word, struct rule_text *value)
{
	struct rule_text name;

	if (!rule_text_word(&part, &name) || !rule_text_is(name, word))
		return false;
	*value = rule_text_trim(part);
	return true;
}

static bool read_uint(struct rule_parser *parser, struct rule_text text, const char *what,
	int64_t min, int64_t max, int64_t *number)
{
	return rule_text_number(text, min, max, number) ||
	       rule_refuse(parser, "%s: a number from %lld to %lld is right", what, (long long)min,
		       (long long)max);
}

static bool read_jump_part(
	struct rule_parser *parser, struct rule_text part, struct rule_byte_jump *jump)
{
	struct rule_text value;
	int64_t number;
	bool known;

	if (!read_common(parser, part, &jump->read, &known))
		return false;
	if (known)
		return true;
	if (rule_text_is(part, "align")) {
		jump->align = true;
	} else if (rule_text_is(part, "from_beginning")) {
		jump->from = RULE_JUMP_BEGINNING;
	} else if (rule_text_is(part, "from_end")) {
		jump->from = RULE_JUMP_END;
	} else if (worded(part, "multiplier", &value)) {
		if (!read_uint(parser, value, "multiplier", 1, 65535, &number))
			return false;
		jump->multiplier = (uint32_t)number;
	} else if (worded(part, "post_offset", &value)) {
		if (!read_uint(parser, value, "post_offset", -65535, 65535, &number))
			return false;
		jump->post_offset = (int32_t)number;
	} else {
		return unknown_part(parser, part);
	}
	return true;
}

static bool read_byte_jump(struct rule_parser *parser, struct rule_text value)
{
	struct rule_item *item = rule_add_item(parser, RULE_BYTE_JUMP);
	struct rule_byte_jump *jump;
	struct rule_text part;

	if (!item)
		return false;
	jump = &item->byte_jump;
	jump->multiplier = 1;
	if (!read_size(parser, &value, &jump->read) || !read_place(parser, &value, &jump->read))
		return false;
	while (rule_text_next(&value, ',', &part))
		if (!read_jump_part(parser, part, jump))
			return false;
	return check_size(parser, &jump->read);
}

static bool read_extract_part(
	struct rule_parser *parser, struct rule_text part, struct rule_byte_extract *extract)
{
	struct rule_text value;
	int64_t number;
	bool known;

	if (!read_common(parser, part, &extract->read, &known))
		return false;
	if (known)
		return true;
	if (worded(part, "align", &value)) {
		if (!rule_text_is(value, "2") && !rule_text_is(value, "4"))
			return rule_refuse(parser, "align: 2 or 4 is right");
		extract->align = (uint8_t)(value.s[0] - '0');
	} else if (worded(part, "multiplier", &value)) {
		if (!read_uint(parser, value, "multiplier", 1, 65535, &number))
			return false;
		extract->multiplier = (uint32_t)number;
	} else {
		return unknown_part(parser, part);
	}
	return true;
}

static bool read_byte_extract(struct rule_parser *parser, struct rule_text value)
{
	struct rule_item *item = rule_add_item(parser, RULE_BYTE_EXTRACT);
	struct rule_byte_extract *extract;
	struct rule_text part, name;

	if (!item)
		return false;
	extract = &item->byte_extract;
	extract->multiplier = 1;
	if (!read_size(parser, &value, &extract->read) ||
		!read_place(parser, &value, &extract->read))
		return false;
	if (!rule_text_next(&value, ',', &name))
		return rule_refuse(parser, "the name of the result is missing");
	while (rule_text_next(&value, ',', &part))
		if (!read_extract_part(parser, part, extract))
			return false;
	return check_size(parser, &extract->read) && rule_new_var(parser, name, &extract->var);
}

enum math_part {
	MATH_BYTES = 1,
	MATH_OFFSET = 2,
	MATH_OPER = 4,
	MATH_RVALUE = 8,
	MATH_RESULT = 16
};

static bool read_oper(
	struct rule_parser *parser, struct rule_text value, struct rule_byte_math *math)
{
	if (rule_text_is(value, "<<") || rule_text_is(value, ">>") ||
		(value.n == 1 && strchr("+-*/", value.s[0]))) {
		math->oper = value.s[0];
		return true;
	}
	return rule_refuse(
		parser, "oper \"%.*s\": +, -, *, /, << or >> is right", RULE_TEXT_ARG(value));
}

static bool read_math_part(struct rule_parser *parser, struct rule_text part,
	struct rule_byte_math *math, struct rule_text *result, unsigned *seen)
{
	struct rule_text value;
	bool known;

	if (worded(part, "bytes", &value)) {
		*seen |= MATH_BYTES;
		return rule_read_number(
			parser, value, 1, 23, "number of bytes", &math->read.n_bytes);
	}
	if (worded(part, "offset", &value)) {
		*seen |= MATH_OFFSET;
		return rule_read_number(
			parser, value, -OFFSET_MAX, OFFSET_MAX, "offset", &math->read.offset);
	}
	if (worded(part, "oper", &value)) {
		*seen |= MATH_OPER;
		return read_oper(parser, value, math);
	}
	if (worded(part, "rvalue", &value)) {
		*seen |= MATH_RVALUE;
		return rule_read_number(parser, value, 0, UINT32_MAX, "rvalue", &math->rvalue);
	}
	if (worded(part, "result", &value)) {
		*seen |= MATH_RESULT;
		*result = value;
		return true;
	}
	if (worded(part, "endian", &value) || worded(part, "string", &value))
		part = value.n ? value : part;
	return read_common(parser, part, &math->read, &known) &&
	       (known || unknown_part(parser, part));
}

static bool read_byte_math(struct rule_parser *parser, struct rule_text value)
{
	static const char *const names[] = {"bytes", "offset", "oper", "rvalue", "result"};
	struct rule_item *item = rule_add_item(parser, RULE_BYTE_MATH);
	struct rule_byte_math *math;
	struct rule_text part, result = {0};
	unsigned seen = 0;

	if (!item)
		return false;
	math = &item->byte_math;
	while (rule_text_next(&value, ',', &part))
		if (!read_math_part(parser, part, math, &result, &seen))
			return false;
	for (int i = 0; i < 5; i++)
		if (!(seen & 1U << i))
			return rule_refuse(parser, "%s is missing", names[i]);
	if (math->oper == '/' && math->rvalue.var == RULE_NO_VAR && math->rvalue.value == 0)
		return rule_refuse(parser, "divides by 0");
	return check_size(parser, &math->read) && rule_new_var(parser, result, &math->var);
}

const struct rule_option rule_options_bytes[] = {
	{"byte_test", RULE_VALUE_NEEDED, read_byte_test},
	{"byte_jump", RULE_VALUE_NEEDED, read_byte_jump},
	{"byte_extract", RULE_VALUE_NEEDED, read_byte_extract},
	{"byte_math", RULE_VALUE_NEEDED, read_byte_math},
	{0},
};
