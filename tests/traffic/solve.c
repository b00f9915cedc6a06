#include "solve.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "draft.h"

#define ATTEMPTS    400
#define BODY        64 /* what may stand anywhere stands behind the headers */
#define SEARCH      512 /* places that are tried for one content */
#define NUMBERS     65536
#define LEAST       48 /* bytes of a record */
#define EXTRACTED_N 6

static const uint8_t fillers[] = {0, 'A', 1, 0xff, ' ', 0x41};
static const uint8_t magic1[] = {0xff, 'S', 'M', 'B'};

bool solve_holds(
	const struct rule *rule, const struct solve_with *with, const uint8_t *bytes, uint32_t len)
{
	struct rule_input input = {.given = 1U << RULE_RECORD};
	uint32_t end;

	input.data[RULE_RECORD] = (struct rule_data){bytes, 0, len, len};
	with->scratch->budget = 1000000;
	return rule_match(rule, &input, &with->pcres, with->scratch, &end) == RULE_YES;
}

/* Whether content there would leave no record of SMB: its first eight bytes are spoken for. */
static bool breaks_header(const struct rule_content *content, int64_t at)
{
	for (int64_t i = at; i < 8 && i < at + content->len; i++) {
		uint8_t byte = content->bytes[i - at];

		if (i < 4 || (i == 4 && byte < 0xfc) || (i > 4 && (byte & 0xdf) != magic1[i - 4]))
			return true;
	}
	return false;
}

static bool put_at_end(
	struct draft *d, const struct rule_content *content, int64_t from, uint32_t *pos)
{
	int64_t at = from > d->end ? from : d->end;

	/* Shorter ones are no messages to who knows SMB. */
	if (at < BODY && !content->has_within && !content->has_depth)
		at = BODY;
	if (!draft_put(d, at, content->bytes, content->len, content->nocase))
		return false;
	*pos = (uint32_t)at + content->len;
	if (*pos < d->min || *pos > d->max)
		return false;
	d->min = d->max = *pos;
	return true;
}

static bool is_magic(const struct rule_content *content)
{
	return content->len >= 4 && content->bytes[0] >= 0xfc &&
	       (content->bytes[1] & 0xdf) == 'S' && (content->bytes[2] & 0xdf) == 'M' &&
	       (content->bytes[3] & 0xdf) == 'B';
}

/* Where case does not matter capitals are written: SMB's magic is in these. */
static void as_written(const struct rule_content *content, uint8_t bytes[RULE_CONTENT_MAX])
{
	for (unsigned i = 0; i < content->len; i++) {
		bytes[i] = content->bytes[i];
		if (content->nocase && bytes[i] >= 'a' && bytes[i] <= 'z')
			bytes[i] &= 0xdf;
	}
}

static bool put_content(
	struct draft *d, const struct rule_content *content, uint32_t *pos, uint32_t *where)
{
	bool relative = content->has_distance || content->has_within;
	int64_t from = relative ? *pos : 0, to = SOLVE_MAX;
	unsigned skip = d->seed & 1 ? draft_random(d, 3) : 0;
	bool anywhere = !relative && !content->has_offset && !content->has_depth;
	uint8_t bytes[RULE_CONTENT_MAX];

	as_written(content, bytes);

	if (content->has_distance)
		from += draft_number(d, &content->distance);
	if (content->has_offset)
		from = draft_number(d, &content->offset);
	if (content->has_within)
		to = from + draft_number(d, &content->within);
	if (content->has_depth)
		to = from + draft_number(d, &content->depth);
	if (from < 0)
		from = 0;
	if (content->ends_with) {
		bool put = put_at_end(d, content, from, pos);

		*where = put ? *pos - content->len : 0;
		return put;
	}
	if (anywhere && !is_magic(content))
		from = d->end > BODY ? d->end : BODY;
	/* At first where it leaves the record's header alone. */
	for (int64_t at = from; at < from + 2 * SEARCH; at++) {
		int64_t there = at - from < SEARCH ? at : at - SEARCH;

		if (there + content->len > to || (there == at && breaks_header(content, at)) ||
			!draft_could_put(d, there, bytes, content->len, content->nocase))
			continue;
		if (skip-- > 0)
			continue;
		*where = (uint32_t)there;
		*pos = (uint32_t)there + content->len;
		return draft_put(d, there, bytes, content->len, content->nocase);
	}
	return false;
}

/* What a keyword makes of the bytes' value. */
static uint64_t masked(const struct rule_read *read, uint64_t value)
{
	return read->bitmask ? (value & read->bitmask) >> __builtin_ctzll(read->bitmask) : value;
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

static bool place(
	const struct draft *d, const struct rule_read *read, uint32_t pos, int64_t *at, uint32_t *n)
{
	int64_t bytes = draft_number(d, &read->n_bytes);

	*at = draft_number(d, &read->offset) + (read->relative ? pos : 0);
	*n = (uint32_t)bytes;
	return bytes >= 1 && bytes <= 23 && *at >= 0 && *at + bytes <= SOLVE_MAX &&
	       read->endian != RULE_DCE;
}

/* Bits alone, so that other tests may ask for others of the same byte. */
static bool put_bit_test(
	struct draft *d, const struct rule_byte_test *test, int64_t at, uint32_t n, uint64_t value)
{
	for (unsigned bit = 0; bit < n * 8; bit++) {
		uint32_t byte = test->read.endian == RULE_LITTLE ? bit / 8 : n - 1 - bit / 8;
		uint8_t one = (uint8_t)(1U << bit % 8);

		if (!(value >> bit & 1))
			continue;
		if (test->negated) {
			if (!draft_put_bits(d, at + byte, 0, one))
				return false;
		} else if (draft_put_bits(d, at + byte, one, one)) {
			return true;
		}
	}
	return test->negated;
}

/* What is there already, as far as nobody spoke for its bits the filler to come. */
static uint64_t present(const struct draft *d, const struct rule_read *read, int64_t at, uint32_t n)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < n && i < 8; i++)
		value = value << 8 | d->bytes[at + (read->endian == RULE_LITTLE ? n - 1 - i : i)];
	return value;
}

/* A value that is in its last byte alone. */
static bool put_one_byte(
	struct draft *d, const struct rule_byte_test *test, int64_t at, uint32_t n, uint64_t value)
{
	unsigned shift = test->read.endian == RULE_LITTLE && n <= 8 ? (n - 1) * 8 : 0;

	for (unsigned i = 0, first = draft_random(d, 256); i < 256; i++) {
		uint64_t raw = (uint64_t)((first + i) & 0xff) << shift;

		if (holds(test->test, masked(&test->read, raw), value) != test->negated &&
			draft_put_number(d, at, n, &test->read, raw))
			return true;
	}
	return false;
}

static bool put_byte_test(struct draft *d, const struct rule_byte_test *test, uint32_t pos)
{
	static const int64_t near[] = {0, 1, -1, 256, -256, 65536, -65536};
	uint64_t value = test->value.var == RULE_NO_VAR ? (uint64_t)test->value.value
							: d->vars[test->value.var];
	uint32_t n;
	int64_t at;

	if (!place(d, &test->read, pos, &at, &n))
		return false;
	if (test->test == RULE_TEST_AND && test->read.base == 0 && !test->read.bitmask && n <= 8)
		return put_bit_test(d, test, at, n, value);
	if (at < 4 &&
		put_one_byte(d, test, at, n, value)) /* the record's length is to stay small */
		return true;
	for (unsigned i = 0; i <= sizeof(near) / sizeof(near[0]); i++) {
		uint64_t raw = i == 0 ? present(d, &test->read, at, n)
				      : value + (uint64_t)near[i - 1];

		if (test->read.bitmask && i > 0)
			raw <<= __builtin_ctzll(test->read.bitmask);
		if (holds(test->test, masked(&test->read, raw), value) != test->negated &&
			draft_put_number(d, at, n, &test->read, raw))
			return true;
	}
	for (uint64_t raw = 0; raw < NUMBERS; raw++)
		if (holds(test->test, masked(&test->read, raw), value) != test->negated &&
			draft_put_number(d, at, n, &test->read, raw))
			return true;
	return false;
}

/* The least jump that leads to where nothing is yet, or in other attempts to just behind it. */
static bool put_byte_jump(struct draft *d, const struct rule_byte_jump *jump, uint32_t *pos)
{
	int64_t at, least, to;
	uint32_t n;

	if (!place(d, &jump->read, *pos, &at, &n) || jump->from == RULE_JUMP_END)
		return false;
	least = at + n > d->end || draft_random(d, 2) ? at + n : d->end;
	least += draft_random(d, 2) ? draft_random(d, 48) : 0;
	for (uint64_t raw = 0; raw < NUMBERS; raw++) {
		uint64_t value = masked(&jump->read, raw) * jump->multiplier;

		if (jump->align)
			value = (value + 3) & ~UINT64_C(3);
		to = (int64_t)value + jump->post_offset +
		     (jump->from == RULE_JUMP_HERE ? at + n : 0);
		if (to > SOLVE_MAX)
			return false;
		if (to < least || !draft_put_number(d, at, n, &jump->read, raw))
			continue;
		*pos = (uint32_t)to;
		if (d->min < *pos)
			d->min = *pos;
		return true;
	}
	return false;
}

static bool put_extracted(
	struct draft *d, const struct rule_read *read, uint32_t *pos, uint64_t *value)
{
	static const uint16_t values[EXTRACTED_N] = {8, 4, 16, 1, 64, 0};
	unsigned first = draft_random(d, EXTRACTED_N);
	uint32_t n;
	int64_t at;

	if (!place(d, read, *pos, &at, &n))
		return false;
	*pos = (uint32_t)at + n;
	for (unsigned i = 0; i < EXTRACTED_N; i++) {
		uint64_t raw = values[(first + i) % EXTRACTED_N];

		*value = masked(read, raw);
		if (draft_put_number(d, at, n, read, raw))
			return true;
	}
	/* It is spoken for already: as it is. */
	for (uint64_t raw = 0; raw < NUMBERS; raw++) {
		*value = masked(read, raw);
		if (draft_put_number(d, at, n, read, raw))
			return true;
	}
	return false;
}

static bool put_extract(struct draft *d, const struct rule_byte_extract *extract, uint32_t *pos)
{
	uint64_t value;

	if (!put_extracted(d, &extract->read, pos, &value))
		return false;
	value *= extract->multiplier;
	if (extract->align && value % extract->align)
		value += extract->align - value % extract->align;
	d->vars[extract->var] = value;
	return true;
}

static bool put_math(struct draft *d, const struct rule_byte_math *math, uint32_t *pos)
{
	uint64_t value, by = math->rvalue.var == RULE_NO_VAR ? (uint64_t)math->rvalue.value
							     : d->vars[math->rvalue.var];

	if (!put_extracted(d, &math->read, pos, &value) || (math->oper == '/' && by == 0))
		return false;
	d->vars[math->var] = math->oper == '+'   ? value + by
			     : math->oper == '-' ? value - by
			     : math->oper == '*' ? value * by
			     : math->oper == '/' ? value / by
			     : by >= 64          ? 0
			     : math->oper == '<' ? value << by
						 : value >> by;
	return true;
}

/* All but the bytes that may be any. */
static bool put_example(
	struct draft *d, int64_t at, const uint8_t *example, const bool *free_bytes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!free_bytes[i] && !draft_could_put(d, at + i, example + i, 1, false))
			return false;
	for (uint32_t i = 0; i < n; i++)
		if (!draft_put_bits(d, at + i, example[i], free_bytes[i] ? 0 : 0xff))
			return false;
	return true;
}

static bool put_pcre(struct draft *d, const struct rule_pcre *pcre, uint32_t *pos)
{
	uint8_t example[4096];
	bool free_bytes[4096];
	int64_t at = pcre->relative ? *pos : pcre->anchored ? 0 : d->end > BODY ? d->end : BODY;
	uint32_t n;

	if (!example_of(pcre->text, (pcre->options & PCRE2_EXTENDED) != 0, &d->seed, example,
		    free_bytes, sizeof(example), &n))
		return false;
	while (!put_example(d, at, example, free_bytes, n))
		if (pcre->anchored || ++at >= SOLVE_MAX)
			return false;
	*pos = (uint32_t)at + n;
	return true;
}

static bool put_isdataat(struct draft *d, const struct rule_isdataat *isdataat, uint32_t pos)
{
	int64_t need = draft_number(d, &isdataat->at) + (isdataat->relative ? pos : 1);

	if (need > SOLVE_MAX)
		return isdataat->negated;
	if (isdataat->negated && (uint32_t)need <= d->max)
		d->max = need > 0 ? (uint32_t)need - 1 : 0;
	else if (!isdataat->negated && need > (int64_t)d->min)
		d->min = (uint32_t)need;
	return d->min <= d->max;
}

static bool put_item(struct draft *d, const struct rule_item *item, uint32_t *pos, uint32_t *where)
{
	switch (item->type) {
	case RULE_CONTENT:
		return item->content.negated || put_content(d, &item->content, pos, where);
	case RULE_PCRE:
		return item->pcre.negated || put_pcre(d, &item->pcre, pos);
	case RULE_BYTE_TEST:
		return put_byte_test(d, &item->byte_test, *pos);
	case RULE_BYTE_JUMP:
		return put_byte_jump(d, &item->byte_jump, pos);
	case RULE_BYTE_EXTRACT:
		return put_extract(d, &item->byte_extract, pos);
	case RULE_BYTE_MATH:
		return put_math(d, &item->byte_math, pos);
	case RULE_ISDATAAT:
		return put_isdataat(d, &item->isdataat, *pos);
	}
	return false;
}

/* The least length from least on that the header can say with what is spoken for of it; 0: none. */
static uint32_t length_from(struct draft *d, uint32_t least)
{
	for (uint32_t len = least; len <= d->max && len <= SOLVE_MAX; len++) {
		uint8_t bytes[3] = {
			(uint8_t)((len - 4) >> 16), (uint8_t)((len - 4) >> 8), (uint8_t)(len - 4)};

		if (draft_put(d, 1, bytes, 3, false))
			return len;
	}
	return 0;
}

/* The header's length, magic, and who sends: as far as the rule leaves them open. */
static bool finish(struct draft *d, const struct rule *rule, bool to_server, struct solution *s)
{
	uint32_t len = d->end > d->min ? d->end : d->min;
	bool smb2;

	if (len < LEAST && d->fixed[3] != 0xff)
		len = LEAST;
	if (d->max < len)
		len = d->max;
	if (rule_range_given(&rule->dsize) && !rule->dsize.negated && len < rule->dsize.low)
		len = rule->dsize.low;
	len = length_from(d, len);
	if (len < d->end || len < d->min || len < 8)
		return false;
	if (d->fixed[4] == 0)
		draft_put(d, 4, magic1, 4, false);
	if (memcmp(d->bytes + 5, "SMB", 3) != 0)
		draft_put(d, 5, magic1 + 1, 3, false);
	if (memcmp(d->bytes + 5, "SMB", 3) != 0 || d->bytes[4] < 0xfc)
		return false;
	smb2 = d->bytes[4] == 0xfe;
	if (len > 20)
		draft_put_bits(d, smb2 ? 20 : 13, to_server ? 0 : smb2 ? 1 : 0x80, smb2 ? 1 : 0x80);
	for (uint32_t i = 0; i < len; i++)
		s->bytes[i] = (uint8_t)((d->bytes[i] & d->fixed[i]) |
					(d->filler & (uint8_t)~d->fixed[i]));
	s->len = len;
	return true;
}

/* The content that is searched for, or the longest. */
static void choose_miss(const struct draft *d, const struct rule *rule, struct solution *s)
{
	s->n = 0;
	for (unsigned i = 0; i < rule->n_items; i++) {
		const struct rule_item *item = &rule->items[i];

		if (item->type != RULE_CONTENT || item->content.negated)
			continue;
		if (i == rule->fast || (s->n < item->content.len && rule->fast == RULE_NO_FAST)) {
			s->at = d->at[i];
			s->n = item->content.len;
		}
	}
}

static bool attempt(struct draft *d, const struct rule *rule, bool to_server, struct solution *s)
{
	uint32_t pos = 0;

	draft_put_bits(d, 0, 0, 0xff);
	d->end = 0;
	for (unsigned i = 0; i < rule->n_items; i++)
		if (!put_item(d, &rule->items[i], &pos, &d->at[i]))
			return false;
	if (!finish(d, rule, to_server, s))
		return false;
	choose_miss(d, rule, s);
	return true;
}

const char *solve(const struct rule *rule, bool to_server, const struct solve_with *with,
	struct solution *solution)
{
	static struct draft d;
	const char *why = "its keywords contradict what begins an SMB record";

	for (unsigned i = 0; i < rule->n_items; i++)
		if (rule->items[i].buffer != RULE_RECORD)
			return "looks at other buffers than the record";
	if (!rule_has_items(rule))
		return "looks at packets alone";
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		memset(&d, 0, sizeof(d));
		d.seed = i;
		d.max = SOLVE_MAX;
		d.filler = fillers[i % sizeof(fillers)];
		if (!attempt(&d, rule, to_server, solution))
			continue;
		why = "no attempt satisfied it";
		if (solve_holds(rule, with, solution->bytes, solution->len))
			return NULL;
	}
	return why;
}
