#include "rule_match_bytes.h"

#define BINARY_MAX 8
#define DIGITS_MAX 23

/* The place of the number and its bytes, or why there is none. */
static enum rule_result locate(struct rule_run *run, const struct rule_read *read, uint32_t pos,
	const uint8_t **bytes, int64_t *n, int64_t *at)
{
	*n = rule_run_number(run, &read->n_bytes);
	*at = rule_run_number(run, &read->offset) + (read->relative ? pos : 0);
	if (*n < 1 || *n > (read->base ? DIGITS_MAX : BINARY_MAX) || *at < 0)
		return RULE_NO;
	if (*at + *n <= run->head->len) {
		*bytes = run->head->bytes + *at;
		return RULE_YES;
	}
	if (*at < run->data->base)
		return RULE_NO;
	if (*at + *n > run->end)
		return *at + *n > run->data->size ? RULE_NO : RULE_WAIT;
	*bytes = run->data->bytes + (*at - run->data->base);
	return RULE_YES;
}

static uint64_t binary(const uint8_t *bytes, int64_t n, bool little)
{
	uint64_t value = 0;

	for (int64_t i = 0; i < n; i++)
		value = value << 8 | bytes[little ? n - 1 - i : i];
	return value;
}

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* As strtoull() reads it, from n bytes: blanks, a sign, digits as far as they go. */
static bool digits(const uint8_t *bytes, int64_t n, int base, uint64_t *value)
{
	int64_t i = 0, first;
	bool minus = false;

	while (i < n && (bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r')))
		i++;
	if (i < n && (bytes[i] == '-' || bytes[i] == '+'))
		minus = bytes[i++] == '-';
	if (base == 16 && i + 2 < n && bytes[i] == '0' && (bytes[i + 1] | 0x20) == 'x' &&
		digit(bytes[i + 2]) < base)
		i += 2;
	*value = 0;
	for (first = i; i < n && digit(bytes[i]) < base; i++)
		if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
			__builtin_add_overflow(*value, (uint64_t)digit(bytes[i]), value))
			return false;
	if (minus)
		*value = -*value;
	return i > first;
}

static enum rule_result read_number(struct rule_run *run, const struct rule_read *read,
	uint32_t pos, uint64_t *value, int64_t *end)
{
	enum rule_result result;
	const uint8_t *bytes;
	int64_t n, at;

	result = locate(run, read, pos, &bytes, &n, &at);
	if (result != RULE_YES)
		return result;
	if (read->base) {
		if (!digits(bytes, n, read->base, value))
			return RULE_NO;
	} else {
		bool little = read->endian == RULE_LITTLE ||
			      (read->endian == RULE_DCE && run->dce_little);

		*value = binary(bytes, n, little);
	}
	if (read->bitmask)
		*value = (*value & read->bitmask) >> __builtin_ctzll(read->bitmask);
	*end = at + n;
	return RULE_YES;
}

static bool holds(enum rule_test test, uint64_t found, uint64_t value)
{
	switch (test) {
	case RULE_TEST_LESS:
		return found < value;
	case RULE_TEST_GREATER:
		return found > value;
	case RULE_TEST_EQUAL:
		return found == value;
	case RULE_TEST_LESS_EQUAL:
		return found <= value;
	case RULE_TEST_GREATER_EQUAL:
		return found >= value;
	case RULE_TEST_AND:
		return (found & value) != 0;
	case RULE_TEST_OR:
		return (found ^ value) != 0;
	}
	return false;
}

static enum rule_result byte_test(
	struct rule_run *run, const struct rule_byte_test *test, uint32_t pos)
{
	uint64_t found, value = (uint64_t)test->value.value;
	enum rule_result result;
	int64_t end;

	result = read_number(run, &test->read, pos, &found, &end);
	if (result != RULE_YES)
		return result;
	if (test->value.var != RULE_NO_VAR)
		value = run->scratch->vars[test->value.var];
	return holds(test->test, found, value) != test->negated ? RULE_YES : RULE_NO;
}

/* What leads before the buffer leads to its beginning; behind its end there is nothing. */
static enum rule_result byte_jump(
	struct rule_run *run, const struct rule_byte_jump *jump, uint32_t *pos)
{
	uint32_t size = run->data->size;
	enum rule_result result;
	int64_t end, from = 0;
	uint64_t value;

	result = read_number(run, &jump->read, *pos, &value, &end);
	if (result != RULE_YES)
		return result;
	if (__builtin_mul_overflow(value, (uint64_t)jump->multiplier, &value) ||
		value > (uint64_t)RULE_RUN_FAR)
		return RULE_NO;
	if (jump->align)
		value = (value + 3) & ~UINT64_C(3);
	if (jump->from == RULE_JUMP_END && size == RULE_SIZE_UNKNOWN)
		return RULE_WAIT;
	if (jump->from == RULE_JUMP_HERE)
		from = end;
	else if (jump->from == RULE_JUMP_END)
		from = size;
	from += (int64_t)value + jump->post_offset;
	if (from < 0)
		from = 0;
	if (size == RULE_SIZE_UNKNOWN ? from > run->end : from > size)
		return size == RULE_SIZE_UNKNOWN && from <= RULE_RUN_FAR ? RULE_WAIT : RULE_NO;
	*pos = (uint32_t)from;
	return RULE_YES;
}

static enum rule_result byte_extract(
	struct rule_run *run, const struct rule_byte_extract *extract, uint32_t *pos)
{
	enum rule_result result;
	uint64_t value;
	int64_t end;

	result = read_number(run, &extract->read, *pos, &value, &end);
	if (result != RULE_YES)
		return result;
	value *= extract->multiplier;
	if (extract->align && value % extract->align)
		value += extract->align - value % extract->align;
	run->scratch->vars[extract->var] = value;
	*pos = (uint32_t)end;
	return RULE_YES;
}

static bool compute(char oper, uint64_t value, uint64_t by, uint64_t *sum)
{
	switch (oper) {
	case '+':
		*sum = value + by;
		return true;
	case '-':
		*sum = value - by;
		return true;
	case '*':
		*sum = value * by;
		return true;
	case '/':
		*sum = by ? value / by : 0;
		return by != 0;
	case '<':
		*sum = by < 64 ? value << by : 0;
		return true;
	default:
		*sum = by < 64 ? value >> by : 0;
		return true;
	}
}

static enum rule_result byte_math(
	struct rule_run *run, const struct rule_byte_math *math, uint32_t *pos)
{
	uint64_t value, by = (uint64_t)math->rvalue.value;
	enum rule_result result;
	int64_t end;

	result = read_number(run, &math->read, *pos, &value, &end);
	if (result != RULE_YES)
		return result;
	if (math->rvalue.var != RULE_NO_VAR)
		by = run->scratch->vars[math->rvalue.var];
	if (!compute(math->oper, value, by, &run->scratch->vars[math->var]))
		return RULE_NO;
	*pos = (uint32_t)end;
	return RULE_YES;
}

enum rule_result rule_match_bytes(struct rule_run *run, const struct rule_item *item, uint32_t *pos)
{
	switch (item->type) {
	case RULE_BYTE_TEST:
		return byte_test(run, &item->byte_test, *pos);
	case RULE_BYTE_JUMP:
		return byte_jump(run, &item->byte_jump, pos);
	case RULE_BYTE_EXTRACT:
		return byte_extract(run, &item->byte_extract, pos);
	default:
		return byte_math(run, &item->byte_math, pos);
	}
}
