/*
 * The copies that a side of a stream keeps: pages of INSPECT_PAGE_SIZE by sequence number, so that
 * a byte's place is known without a search, whatever order it came in. Internal to stream*.c.
 */
#ifndef VS_STREAM_KEEP_H
#define VS_STREAM_KEEP_H

#include "stream.h"

/* Sequence numbers wrap (RFC 9293, 3.4). */
static inline bool stream_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline uint32_t stream_later(uint32_t a, uint32_t b)
{
	return stream_before(a, b) ? b : a;
}

static inline uint32_t stream_earlier(uint32_t a, uint32_t b)
{
	return stream_before(a, b) ? a : b;
}

/* Where blocks come from. */
struct stream_blocks {
	struct inspect_memory *memory;
	struct inspect_account *account;
};

/* A place in a segment's pieces. */
struct stream_cursor {
	const struct stream_piece *piece, *end;
	uint32_t off; /* in piece */
	uint32_t seq; /* of the byte there */
};

/* At the first byte, whose number is seq. */
struct stream_cursor stream_cursor_at(const struct stream_segment *segment, uint32_t seq);
/* The next bytes that are together, at most max of them, 0 at the end; goes behind them. */
uint32_t stream_cursor_next(struct stream_cursor *cursor, uint32_t max, const uint8_t **bytes);
/* Forward to number seq. */
void stream_cursor_skip(struct stream_cursor *cursor, uint32_t seq);

/* What stream_reserve() took, by place in the index. */
struct stream_reserved {
	uint64_t pages[STREAM_WINDOW / INSPECT_PAGE_SIZE / 64];
};

/* Whether bytes up to `to` are within STREAM_WINDOW, in whole pages, of what is acknowledged. */
bool stream_keep_fits(const struct stream_side *side, uint32_t to);

/* Pages for these numbers, which must fit. False: none is left, and all is as it was. */
bool stream_keep_reserve(struct stream_side *side, const struct stream_blocks *blocks,
	uint32_t from, uint32_t to, struct stream_reserved *reserved);
void stream_keep_unreserve(struct stream_side *side, const struct stream_blocks *blocks,
	const struct stream_reserved *reserved);

/* Copies bytes up to number `to` into pages that are reserved. */
void stream_keep_store(struct stream_side *side, struct stream_cursor cursor, uint32_t to);

/* Whether the bytes up to number `to` are those that are kept. */
bool stream_keep_equals(const struct stream_side *side, struct stream_cursor *cursor, uint32_t to);

/* Kept bytes from number `from` on, up to `to` or a page's end; their amount. */
uint32_t stream_keep_read(
	const struct stream_side *side, uint32_t from, uint32_t to, const uint8_t **bytes);

/* The peer has acknowledged up to `to`: gives back what is below. */
void stream_keep_release(struct stream_side *side, const struct stream_blocks *blocks, uint32_t to);

/* Gives everything back. */
void stream_keep_drop(struct stream_side *side, const struct stream_blocks *blocks);

#endif
