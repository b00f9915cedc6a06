#include "stream_ahead.h"

#include <string.h>

#include "stream_keep.h"

static uint32_t len_of(const struct stream_range *range)
{
	return range->to - range->from;
}

static void remove_ranges(struct stream_side *side, unsigned at, unsigned n)
{
	for (unsigned i = at; i < at + n; i++)
		side->ahead_bytes -= len_of(&side->ahead[i]);
	memmove(&side->ahead[at], &side->ahead[at + n],
		(side->n_ahead - at - n) * sizeof(*side->ahead));
	side->n_ahead = (uint8_t)(side->n_ahead - n);
}

static void insert_range(struct stream_side *side, unsigned at, struct stream_range range)
{
	memmove(&side->ahead[at + 1], &side->ahead[at],
		(side->n_ahead - at) * sizeof(*side->ahead));
	side->ahead[at] = range;
	side->ahead_bytes += len_of(&range);
	side->n_ahead++;
}

bool stream_ahead_add(struct stream_side *side, uint32_t from, uint32_t to)
{
	struct stream_range range = {from, to};
	uint32_t merged = 0;
	unsigned first = 0, last; /* which it overlaps or touches: first to before last */

	while (first < side->n_ahead && stream_before(side->ahead[first].to, from))
		first++;
	for (last = first; last < side->n_ahead; last++) {
		if (stream_before(to, side->ahead[last].from))
			break;
		range.from = stream_earlier(range.from, side->ahead[last].from);
		range.to = stream_later(range.to, side->ahead[last].to);
		merged += len_of(&side->ahead[last]);
	}
	if (side->n_ahead - (last - first) >= STREAM_AHEAD_SEGMENTS ||
		side->ahead_bytes - merged + len_of(&range) > STREAM_AHEAD_BYTES)
		return false;
	remove_ranges(side, first, last - first);
	insert_range(side, first, range);
	return true;
}

/* How many begin at `to` or before it: one that reaches beyond touches no other. */
static unsigned joined(const struct stream_side *side, uint32_t to)
{
	unsigned n = 0;

	while (n < side->n_ahead && !stream_before(to, side->ahead[n].from))
		n++;
	return n;
}

uint32_t stream_ahead_reach(const struct stream_side *side, uint32_t to)
{
	unsigned n = joined(side, to);

	return n == 0 ? to : stream_later(to, side->ahead[n - 1].to);
}

uint32_t stream_ahead_join(struct stream_side *side, uint32_t to)
{
	unsigned n = joined(side, to);

	if (n == 0)
		return to;
	to = stream_later(to, side->ahead[n - 1].to);
	remove_ranges(side, 0, n);
	return to;
}
