#include "rule_spans.h"

#include <stdlib.h>

void rule_spans_free(struct rule_spans *set)
{
	free(set->spans);
	*set = (struct rule_spans){0};
}

bool rule_spans_add(struct rule_spans *set, struct addr_span span)
{
	if (set->n == set->room) {
		uint32_t room = set->room ? 2 * set->room : 4;
		void *bigger = realloc(set->spans, room * sizeof(*set->spans));

		if (!bigger)
			return false;
		set->spans = bigger;
		set->room = room;
	}
	set->spans[set->n++] = span;
	return true;
}

bool rule_spans_add_all(struct rule_spans *set, const struct rule_spans *other)
{
	for (uint32_t i = 0; i < other->n; i++)
		if (!rule_spans_add(set, other->spans[i]))
			return false;
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct addr_span *x = a, *y = b;

	if (addr_equal(x->first, y->first))
		return 0;
	return addr_less(x->first, y->first) ? -1 : 1;
}

static struct addr next(struct addr a)
{
	a.low++;
	a.high += a.low == 0;
	return a;
}

static struct addr before(struct addr a)
{
	a.high -= a.low == 0;
	a.low--;
	return a;
}

static bool is_last(struct addr a)
{
	return a.high == UINT64_MAX && a.low == UINT64_MAX;
}

void rule_spans_settle(struct rule_spans *set)
{
	uint32_t n = 0;

	if (set->n == 0)
		return;
	qsort(set->spans, set->n, sizeof(*set->spans), by_first);
	for (uint32_t i = 1; i < set->n; i++) {
		struct addr_span *merged = &set->spans[n], *span = &set->spans[i];

		if (!is_last(merged->last) && addr_less(next(merged->last), span->first))
			set->spans[++n] = *span;
		else if (addr_less(merged->last, span->last))
			merged->last = span->last;
	}
	set->n = n + 1;
}

bool rule_spans_subtract(struct rule_spans *set, const struct rule_spans *less)
{
	struct rule_spans rest = {0};
	uint32_t j = 0;

	for (uint32_t i = 0; i < set->n; i++) {
		struct addr_span span = set->spans[i];
		bool left = true;

		while (j < less->n && addr_less(less->spans[j].last, span.first))
			j++;
		for (uint32_t k = j; left && k < less->n; k++) {
			struct addr_span cut = less->spans[k];

			if (addr_less(span.last, cut.first))
				break;
			if (addr_less(span.first, cut.first) &&
				!rule_spans_add(
					&rest, (struct addr_span){span.first, before(cut.first)}))
				goto failed;
			left = addr_less(cut.last, span.last);
			if (left)
				span.first = next(cut.last);
		}
		if (left && !rule_spans_add(&rest, span))
			goto failed;
	}
	rule_spans_free(set);
	*set = rest;
	return true;
failed:
	rule_spans_free(&rest);
	return false;
}

bool rule_spans_has(const struct rule_spans *set, struct addr number)
{
	uint32_t low = 0, high = set->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (addr_less(set->spans[mid].last, number))
			low = mid + 1;
		else
			high = mid;
	}
	return low < set->n && addr_in(number, set->spans[low]);
}
