#include "stream_keep.h"

#include <stddef.h>
#include <string.h>

#define SLOTS     (STREAM_WINDOW / INSPECT_PAGE_SIZE)
#define PAGE_BITS 11 /* of INSPECT_PAGE_SIZE */
#define PAGES     (1u << (32 - PAGE_BITS)) /* that there are numbers for */

_Static_assert(INSPECT_PAGE_SIZE == 1u << PAGE_BITS, "pages are of a power of two");
_Static_assert(SLOTS * sizeof(uint8_t *) <= INSPECT_PAGE_SIZE, "the index is a page itself");
_Static_assert(SLOTS % 64 == 0, "stream_reserved holds whole words");

static inline unsigned slot_of(uint32_t seq)
{
	return (seq >> PAGE_BITS) % SLOTS;
}

/* Pages from a's on to b's. */
static inline uint32_t pages_between(uint32_t a, uint32_t b)
{
	return ((b >> PAGE_BITS) - (a >> PAGE_BITS)) & (PAGES - 1);
}

/* From seq to the end of its page, or to `to`. */
static inline uint32_t run_of(uint32_t seq, uint32_t to)
{
	uint32_t rest = INSPECT_PAGE_SIZE - seq % INSPECT_PAGE_SIZE;

	return rest < to - seq ? rest : to - seq;
}

static inline uint8_t *place_of(const struct stream_side *side, uint32_t seq)
{
	return side->index[slot_of(seq)] + seq % INSPECT_PAGE_SIZE;
}

struct stream_cursor stream_cursor_at(const struct stream_segment *segment, uint32_t seq)
{
	return (struct stream_cursor){
		.piece = segment->pieces,
		.end = segment->pieces + segment->n_pieces,
		.seq = seq,
	};
}

uint32_t stream_cursor_next(struct stream_cursor *cursor, uint32_t max, const uint8_t **bytes)
{
	uint32_t len;

	while (cursor->piece < cursor->end && cursor->off == cursor->piece->len) {
		cursor->piece++;
		cursor->off = 0;
	}
	if (cursor->piece == cursor->end)
		return 0;
	len = cursor->piece->len - cursor->off;
	if (len > max)
		len = max;
	*bytes = cursor->piece->bytes + cursor->off;
	cursor->off += len;
	cursor->seq += len;
	return len;
}

void stream_cursor_skip(struct stream_cursor *cursor, uint32_t seq)
{
	const uint8_t *bytes;

	while (stream_before(cursor->seq, seq))
		if (stream_cursor_next(cursor, seq - cursor->seq, &bytes) == 0)
			return;
}

bool stream_keep_fits(const struct stream_side *side, uint32_t to)
{
	return pages_between(side->acked, to - 1) < SLOTS;
}

static uint8_t *take(const struct stream_blocks *blocks)
{
	return inspect_take(blocks->memory, blocks->account, INSPECT_PAGE);
}

static void give(const struct stream_blocks *blocks, void *block)
{
	inspect_give(blocks->memory, blocks->account, INSPECT_PAGE, block);
}

static bool take_index(struct stream_side *side, const struct stream_blocks *blocks)
{
	void *block = take(blocks);

	if (block == NULL)
		return false;
	side->index = block;
	memset(side->index, 0, SLOTS * sizeof(*side->index));
	return true;
}

static void give_index(struct stream_side *side, const struct stream_blocks *blocks)
{
	give(blocks, side->index);
	side->index = NULL;
}

static void give_slot(struct stream_side *side, const struct stream_blocks *blocks, unsigned slot)
{
	if (side->index[slot] == NULL)
		return;
	give(blocks, side->index[slot]);
	side->index[slot] = NULL;
	side->n_pages--;
}

bool stream_keep_reserve(struct stream_side *side, const struct stream_blocks *blocks,
	uint32_t from, uint32_t to, struct stream_reserved *reserved)
{
	uint32_t n = pages_between(from, to - 1) + 1;

	memset(reserved, 0, sizeof(*reserved));
	if (side->index == NULL && !take_index(side, blocks))
		return false;
	for (unsigned slot = slot_of(from); n-- > 0; slot = (slot + 1) % SLOTS) {
		uint8_t *page;

		if (side->index[slot] != NULL)
			continue;
		page = take(blocks);
		if (page == NULL) {
			stream_keep_unreserve(side, blocks, reserved);
			return false;
		}
		side->index[slot] = page;
		side->n_pages++;
		reserved->pages[slot / 64] |= 1ull << slot % 64;
	}
	return true;
}

void stream_keep_unreserve(struct stream_side *side, const struct stream_blocks *blocks,
	const struct stream_reserved *reserved)
{
	for (unsigned i = 0; i < SLOTS / 64; i++)
		for (uint64_t left = reserved->pages[i]; left != 0; left &= left - 1)
			give_slot(side, blocks, i * 64 + (unsigned)__builtin_ctzll(left));
	if (side->n_pages == 0)
		give_index(side, blocks);
}

void stream_keep_store(struct stream_side *side, struct stream_cursor cursor, uint32_t to)
{
	while (stream_before(cursor.seq, to)) {
		uint8_t *place = place_of(side, cursor.seq);
		const uint8_t *bytes;
		uint32_t n = stream_cursor_next(&cursor, run_of(cursor.seq, to), &bytes);

		if (n == 0)
			return;
		memcpy(place, bytes, n);
	}
}

bool stream_keep_equals(const struct stream_side *side, struct stream_cursor *cursor, uint32_t to)
{
	while (stream_before(cursor->seq, to)) {
		const uint8_t *place = place_of(side, cursor->seq), *bytes;
		uint32_t n = stream_cursor_next(cursor, run_of(cursor->seq, to), &bytes);

		if (n == 0 || memcmp(place, bytes, n) != 0)
			return false;
	}
	return true;
}

uint32_t stream_keep_read(
	const struct stream_side *side, uint32_t from, uint32_t to, const uint8_t **bytes)
{
	*bytes = place_of(side, from);
	return run_of(from, to);
}

void stream_keep_release(struct stream_side *side, const struct stream_blocks *blocks, uint32_t to)
{
	uint32_t n = pages_between(side->acked, to);

	if (side->index != NULL && n >= SLOTS)
		stream_keep_drop(side, blocks);
	for (unsigned slot = slot_of(side->acked); side->index != NULL && n-- > 0;
		slot = (slot + 1) % SLOTS)
		give_slot(side, blocks, slot);
	side->acked = to;
	/* Nothing is on its way: an idle connection holds no block. */
	if (!stream_before(to, side->next) && side->n_ahead == 0)
		stream_keep_drop(side, blocks);
}

void stream_keep_drop(struct stream_side *side, const struct stream_blocks *blocks)
{
	if (side->index == NULL)
		return;
	/* Mostly it is the page that acked is in. */
	give_slot(side, blocks, slot_of(side->acked));
	for (unsigned slot = 0; side->n_pages > 0; slot++)
		give_slot(side, blocks, slot);
	give_index(side, blocks);
}
