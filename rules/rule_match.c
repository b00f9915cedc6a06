#include "rule_match.h"

#include <string.h>

#include "rule_match_bytes.h"
#include "rule_match_pcre.h"
#include "rule_match_run.h"

#define STEP_BYTES 64

static uint8_t lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static bool equal(const uint8_t *hay, const uint8_t *needle, uint32_t len, bool nocase)
{
	if (!nocase)
		return memcmp(hay, needle, len) == 0;
	for (uint32_t i = 0; i < len; i++)
		if (lower(hay[i]) != needle[i])
			return false;
	return true;
}

uint32_t rule_match_find(
	const uint8_t *hay, uint32_t n, const uint8_t *needle, uint32_t len, bool nocase)
{
	if (len > n)
		return n;
	if (!nocase) {
		const uint8_t *found = memmem(hay, n, needle, len);

		return found ? (uint32_t)(found - hay) : n;
	}
	for (uint32_t i = 0; i + len <= n; i++)
		if (lower(hay[i]) == needle[0] && equal(hay + i, needle, len, true))
			return i;
	return n;
}

int64_t rule_run_number(const struct rule_run *run, const struct rule_number *number)
{
	uint64_t value;

	if (number->var == RULE_NO_VAR)
		return number->value;
	value = run->scratch->vars[number->var];
	return value > RULE_RUN_FAR ? RULE_RUN_FAR : (int64_t)value;
}

bool rule_run_pay(struct rule_run *run, uint32_t bytes)
{
	run->scratch->budget -= 1 + bytes / STEP_BYTES;
	return run->scratch->budget >= 0;
}

/* Where a content may begin, and what its end must not pass. */
struct span {
	int64_t from, to;
};

static struct span span_of(
	const struct rule_run *run, const struct rule_content *content, uint32_t pos)
{
	struct span span = {0, INT64_MAX};
	int64_t size = run->data->size == RULE_SIZE_UNKNOWN ? INT64_MAX : run->data->size;

	if (content->has_distance || content->has_within) {
		span.from = pos;
		if (content->has_distance)
			span.from += rule_run_number(run, &content->distance);
		if (content->has_within)
			span.to = span.from + rule_run_number(run, &content->within);
	} else {
		if (content->has_offset)
			span.from = rule_run_number(run, &content->offset);
		if (content->has_depth)
			span.to = span.from + rule_run_number(run, &content->depth);
	}
	if (span.from < 0)
		span.from = 0;
	if (span.to > size)
		span.to = size;
	return span;
}

/* Whether it may still be found with a byte that has not arrived. */
static bool may_come(
	const struct rule_run *run, const struct rule_content *content, struct span span)
{
	int64_t first = run->end - content->len + 1;

	if (first < span.from)
		first = span.from;
	return run->end != run->data->size && first + content->len <= span.to;
}

/* The first place from from on in bytes that begin at base, all of it before to; or -1. */
static bool find_between(struct rule_run *run, const struct rule_content *content,
	const uint8_t *bytes, int64_t base, int64_t from, int64_t to, int64_t *found)
{
	uint32_t n, at;

	*found = -1;
	if (to - from < content->len)
		return rule_run_pay(run, 0);
	n = (uint32_t)(to - from);
	at = rule_match_find(
		bytes + (from - base), n, content->bytes, content->len, content->nocase);
	if (at < n)
		*found = from + at;
	return rule_run_pay(run, at);
}

/* The first place at or behind from, or -1. Pays; false: nothing left to pay with. */
static bool find_from(
	struct rule_run *run, const struct rule_content *content, struct span span, int64_t *found)
{
	const struct rule_data *data = run->data;
	int64_t head = run->head->len;

	if (span.from < head) {
		if (!find_between(run, content, run->head->bytes, 0, span.from,
			    span.to < head ? span.to : head, found))
			return false;
		if (*found >= 0)
			return true;
	}
	return find_between(run, content, data->bytes, data->base,
		span.from < data->base ? data->base : span.from,
		span.to < run->end ? span.to : run->end, found);
}

/* ends_with: the only place where it can be. */
static enum rule_result at_end(const struct rule_run *run, const struct rule_content *content,
	struct span span, int64_t *at)
{
	if (run->data->size == RULE_SIZE_UNKNOWN)
		return RULE_WAIT;
	*at = (int64_t)run->data->size - content->len;
	if (*at < span.from || span.to < run->data->size)
		return RULE_NO;
	if (run->end < run->data->size)
		return RULE_WAIT;
	if (*at < run->data->base)
		return RULE_NO;
	return equal(run->data->bytes + (*at - run->data->base), content->bytes, content->len,
		       content->nocase)
		       ? RULE_YES
		       : RULE_NO;
}

static enum rule_result absent(
	struct rule_run *run, const struct rule_content *content, uint32_t pos)
{
	struct span span = span_of(run, content, pos);
	bool gone = span.from < run->data->base && span.to > run->head->len &&
		    span.to - span.from >= content->len;
	enum rule_result result;
	int64_t found;

	if (content->ends_with) {
		result = at_end(run, content, span, &found);
		return result == RULE_YES ? RULE_NO : result == RULE_NO ? RULE_YES : result;
	}
	if (!find_from(run, content, span, &found))
		return RULE_OVER;
	if (found >= 0 || gone)
		return RULE_NO;
	return may_come(run, content, span) ? RULE_WAIT : RULE_YES;
}

/* Each place in turn, until what follows holds too. */
static enum rule_result content_and_rest(struct rule_run *run, unsigned i, uint32_t pos)
{
	const struct rule_item *item = &run->items[i];
	const struct rule_content *content = &item->content;
	struct span span = span_of(run, content, pos);
	enum rule_result result, sum = RULE_NO;
	int64_t found;

	if (content->ends_with) {
		if (!rule_run_pay(run, content->len))
			return RULE_OVER;
		result = at_end(run, content, span, &found);
		return result == RULE_YES ? rule_run(run, i + 1, (uint32_t)(found + content->len))
					  : result;
	}
	for (;;) {
		if (!find_from(run, content, span, &found))
			return RULE_OVER;
		if (found < 0)
			break;
		result = rule_run(run, i + 1, (uint32_t)(found + content->len));
		if ((result != RULE_NO && result != RULE_WAIT) || !item->position_used)
			return result;
		if (result == RULE_WAIT)
			sum = RULE_WAIT;
		span.from = found + 1;
	}
	return may_come(run, content, span) ? RULE_WAIT : sum;
}

static enum rule_result isdataat(
	const struct rule_run *run, const struct rule_isdataat *isdataat, uint32_t pos)
{
	/* The position of the last byte that must be there, and one more. */
	int64_t need = rule_run_number(run, &isdataat->at) + (isdataat->relative ? pos : 1);

	if (need > run->end && run->data->size == RULE_SIZE_UNKNOWN)
		return RULE_WAIT;
	if (need <= (run->data->size == RULE_SIZE_UNKNOWN ? run->end : run->data->size))
		return isdataat->negated ? RULE_NO : RULE_YES;
	return isdataat->negated ? RULE_YES : RULE_NO;
}

enum rule_result rule_run(struct rule_run *run, unsigned i, uint32_t pos)
{
	for (; i < run->n; i++) {
		const struct rule_item *item = &run->items[i];
		enum rule_result result;

		switch (item->type) {
		case RULE_CONTENT:
			if (!item->content.negated)
				return content_and_rest(run, i, pos);
			result = absent(run, &item->content, pos);
			break;
		case RULE_PCRE:
			if (!item->pcre.negated && item->position_used)
				return rule_match_pcre_and_rest(run, i, pos);
			result = rule_match_pcre(run, &item->pcre, pos);
			break;
		case RULE_ISDATAAT:
			result = rule_run_pay(run, 0) ? isdataat(run, &item->isdataat, pos)
						      : RULE_OVER;
			break;
		default:
			result = rule_run_pay(run, 0) ? rule_match_bytes(run, item, &pos)
						      : RULE_OVER;
			break;
		}
		if (result != RULE_YES)
			return result;
	}
	run->matched_end = pos;
	return RULE_YES;
}

/* The items of one buffer. */
static enum rule_result match_buffer(
	struct rule_run *run, const struct rule_input *input, enum rule_buffer buffer)
{
	if (!(input->given & 1U << buffer))
		return input->expected & 1U << buffer ? RULE_WAIT : RULE_NO;
	run->data = &input->data[buffer];
	run->head = &input->heads[buffer];
	run->end = (int64_t)run->data->base + run->data->len;
	return rule_run(run, 0, 0);
}

enum rule_result rule_match(const struct rule *rule, const struct rule_input *input,
	const struct rule_pcre_dbs *pcres, struct rule_scratch *scratch, uint32_t *end)
{
	struct rule_run run = {.pcres = pcres, .scratch = scratch, .dce_little = input->dce_little};
	enum rule_result result, sum = RULE_YES;

	for (unsigned i = 0; i < rule->n_items; i += run.n) {
		enum rule_buffer buffer = rule->items[i].buffer;

		run.items = &rule->items[i];
		for (run.n = 1; i + run.n < rule->n_items; run.n++)
			if (run.items[run.n].buffer != buffer)
				break;
		result = match_buffer(&run, input, buffer);
		if (result != RULE_YES && result != RULE_WAIT)
			return result;
		if (result == RULE_WAIT)
			sum = RULE_WAIT;
	}
	*end = run.matched_end;
	return sum;
}
