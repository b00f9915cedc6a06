#include "stream.h"

#include <stddef.h>
#include <string.h>

#include "stream_ahead.h"
#include "stream_keep.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define URG 0x20

/* Windows are smaller (RFC 7323, 2.3): numbers that lie further apart have nothing to do with each
 * other. */
#define FAR (1u << 30)

/* A segment on its way through. */
struct turn {
	struct stream *stream;
	struct stream_blocks blocks;
	unsigned sender;
	const struct stream_segment *segment;
	uint32_t seq, end; /* of the payload */
	const struct stream_handler *handler;
	void *arg;
};

static const char *const names[STREAM_VERDICTS] = {
	[STREAM_PASS] = "pass",
	[STREAM_STOPPED] = "stopped",
	[STREAM_DIFFERS] = "differs",
	[STREAM_AHEAD] = "ahead",
	[STREAM_WINDOW_FULL] = "window-full",
	[STREAM_MEMORY] = "memory",
	[STREAM_URGENT] = "urgent",
	[STREAM_INVALID] = "invalid",
};

const char *stream_verdict_name(enum stream_verdict verdict)
{
	return names[verdict];
}

static void init_side(struct stream_side *side)
{
	/* All but the ranges, of which there are none. */
	memset(side, 0, offsetof(struct stream_side, ahead));
}

void stream_init(struct stream *stream, bool midstream)
{
	stream->midstream = midstream;
	init_side(&stream->side[0]);
	init_side(&stream->side[1]);
}

void stream_end(
	struct stream *stream, struct inspect_memory *memory, struct inspect_account *account)
{
	const struct stream_blocks blocks = {memory, account};

	stream_keep_drop(&stream->side[0], &blocks);
	stream_keep_drop(&stream->side[1], &blocks);
	stream_init(stream, stream->midstream);
}

bool stream_reset_seq(const struct stream *stream, unsigned side, uint32_t *seq)
{
	const struct stream_side *s = &stream->side[side];

	*seq = s->acknowledges ? stream_later(s->acked, s->next) : s->next;
	return s->known;
}

uint64_t stream_bytes(const struct stream *stream, unsigned side)
{
	return stream->side[side].bytes;
}

/* The side's first byte has this number. */
static void begin(struct stream_side *side, uint32_t start)
{
	side->start = side->acked = side->next = side->seen = start;
	side->known = true;
}

/* As if nothing of the side had ever come. */
static void begin_again(const struct turn *turn, unsigned which, uint32_t start)
{
	struct stream_side *side = &turn->stream->side[which];
	uint64_t bytes = side->bytes;

	stream_keep_drop(side, &turn->blocks);
	init_side(side);
	begin(side, start);
	side->opened = true;
	if (bytes > 0)
		turn->handler->gap(turn->arg, which, 0);
	side->bytes = bytes;
}

/* Whether the side was placed, but none of its bytes were. */
static bool is_untouched(const struct stream_side *side)
{
	return side->bytes == 0 && side->n_ahead == 0 && !side->finished;
}

static bool is_within(uint32_t seq, uint32_t from, uint32_t to)
{
	return !stream_before(seq, from) && !stream_before(to, seq);
}

/*
 * Whether this acknowledges the SYN before the last one, and neither came with bytes: with them,
 * there would be no copies any more to compare with.
 */
static bool is_former(const struct stream_side *side, uint32_t ack)
{
	return side->has_former && !side->answered && is_untouched(side) && ack == side->former &&
	       !is_within(ack, side->start, side->seen);
}

/* Whether a SYN's acknowledgement is of one of the peer's SYNs, and of nothing that never came. */
static bool answers(const struct turn *turn, const struct stream_side *peer)
{
	uint32_t ack = turn->segment->ack;

	if (!peer->known)
		return turn->stream->midstream;
	return is_within(ack, peer->start, peer->seen) || is_former(peer, ack);
}

/*
 * A SYN (RFC 9293, 3.5; both sides may send one without being asked). Until it is acknowledged, one
 * with another number may take its place: its sender has started anew. False: it is none that the
 * receiver can take for the beginning of what we follow; *verdict says what becomes of it.
 */
static bool open_side(const struct turn *turn, enum stream_verdict *verdict)
{
	const struct stream_segment *segment = turn->segment;
	struct stream_side *side = &turn->stream->side[turn->sender];
	uint32_t former;

	*verdict = STREAM_INVALID;
	if (segment->flags & FIN ||
		(segment->flags & ACK && !answers(turn, &turn->stream->side[!turn->sender])))
		return false;
	if (!side->known) {
		begin(side, turn->seq);
		side->opened = true;
		return true;
	}
	if (turn->seq == side->start)
		return true;
	if (!side->opened || side->answered || side->spoke) {
		/* The receiver's answer tells its sender so (RFC 5961, 4): let it ask. */
		if (!(segment->flags & ACK) && segment->len == 0)
			*verdict = STREAM_PASS;
		return false;
	}
	former = side->start;
	begin_again(turn, turn->sender, turn->seq);
	side->former = former;
	side->has_former = true;
	return true;
}

/* Kept bytes up to `to`, to the handler. */
static bool give_kept(const struct turn *turn, unsigned which, uint32_t to)
{
	struct stream_side *side = &turn->stream->side[which];

	while (stream_before(side->next, to)) {
		const uint8_t *bytes;
		uint32_t n = stream_keep_read(side, side->next, to, &bytes);

		side->next += n;
		side->bytes += n;
		if (!turn->handler->data(turn->arg, which, bytes, n))
			return false;
	}
	return true;
}

static void tell_gap(const struct turn *turn, unsigned which, uint32_t len)
{
	struct stream_side *side = &turn->stream->side[which];

	if (len == 0)
		return;
	side->next += len;
	side->bytes += len;
	turn->handler->gap(turn->arg, which, len);
}

/* The receiver has bytes of side `which` up to `to` that never came: there is no use in waiting. */
static bool skip_to(const struct turn *turn, unsigned which, uint32_t to)
{
	struct stream_side *side = &turn->stream->side[which];

	while (stream_before(side->next, to)) {
		uint32_t hole = side->n_ahead > 0 ? stream_earlier(to, side->ahead[0].from) : to;

		tell_gap(turn, which, hole - side->next);
		if (!give_kept(turn, which, stream_ahead_join(side, hole)))
			return false;
	}
	return true;
}

/* The peer's word on a SYN: which one counts. */
static void answer(const struct turn *turn, unsigned which, uint32_t ack)
{
	struct stream_side *side = &turn->stream->side[which];

	/* An old connection's end may still talk; it says nothing on this one. */
	if (!turn->stream->midstream && !turn->stream->side[!which].opened)
		return;
	if (is_former(side, ack))
		begin_again(turn, which, ack);
	side->answered = side->in_step = is_within(ack, side->start, side->seen);
}

/*
 * The acknowledgement, of what the other side has sent. One that cannot be is not taken by its
 * receiver either (RFC 9293, 3.10.7.4). False: the handler said stop to what it released.
 */
static bool acknowledge(const struct turn *turn)
{
	const unsigned which = !turn->sender;
	struct stream_side *side = &turn->stream->side[which];
	uint32_t ack = turn->segment->ack;

	if (!side->known && turn->stream->midstream)
		begin(side, ack);
	if (side->opened && !side->answered)
		answer(turn, which, ack);
	if (!side->known || (side->opened && !side->answered) || stream_before(ack, side->acked) ||
		ack - side->acked > FAR || (side->opened && stream_before(side->seen, ack)))
		return true;
	if (!side->opened && !side->spoke && stream_before(side->seen, ack))
		begin(side, ack);
	side->acknowledges = true;
	if (ack - side->start >= STREAM_WINDOW)
		side->in_step = true;
	if (!skip_to(turn, which, side->finished ? stream_earlier(ack, side->fin) : ack))
		return false;
	stream_keep_release(side, &turn->blocks, ack);
	return true;
}

/* The segment's bytes from number `from` on up to `to`, to the handler. */
static bool give_new(const struct turn *turn, uint32_t from, uint32_t to)
{
	struct stream_cursor cursor = stream_cursor_at(turn->segment, turn->seq);
	const uint8_t *bytes;
	uint32_t n;

	stream_cursor_skip(&cursor, from);
	while ((n = stream_cursor_next(&cursor, to - cursor.seq, &bytes)) > 0)
		if (!turn->handler->data(turn->arg, turn->sender, bytes, n))
			return false;
	return true;
}

static void store_from(const struct turn *turn, struct stream_side *side, uint32_t from)
{
	struct stream_cursor cursor = stream_cursor_at(turn->segment, turn->seq);

	stream_cursor_skip(&cursor, from);
	stream_keep_store(side, cursor, turn->end);
}

/* Whether what the segment has of bytes that are kept is the same. */
static bool agrees(const struct turn *turn, const struct stream_side *side, uint32_t from)
{
	struct stream_cursor cursor = stream_cursor_at(turn->segment, turn->seq);

	stream_cursor_skip(&cursor, from);
	if (!stream_keep_equals(side, &cursor, stream_earlier(turn->end, side->next)))
		return false;
	for (unsigned i = 0; i < side->n_ahead; i++) {
		const struct stream_range *range = &side->ahead[i];

		if (!stream_before(range->from, turn->end))
			break;
		stream_cursor_skip(&cursor, stream_later(range->from, from));
		if (!stream_keep_equals(side, &cursor, stream_earlier(turn->end, range->to)))
			return false;
	}
	return true;
}

/* What begins at next or before it and ends behind it, and what is kept behind that. */
static enum stream_verdict take_in_order(
	const struct turn *turn, struct stream_side *side, uint32_t from)
{
	uint32_t reach = stream_ahead_reach(side, turn->end);
	struct stream_reserved reserved;
	uint32_t next = side->next;
	uint64_t bytes = side->bytes;

	if (!stream_keep_reserve(side, &turn->blocks, from, turn->end, &reserved))
		return STREAM_MEMORY;
	/* The handler is first: what it refuses was never forwarded, and is not kept. */
	if (!give_new(turn, next, turn->end))
		goto stopped;
	side->next = turn->end;
	side->bytes += turn->end - next;
	if (!give_kept(turn, turn->sender, reach))
		goto stopped;
	stream_ahead_join(side, turn->end);
	store_from(turn, side, next);
	return STREAM_PASS;
stopped:
	side->next = next;
	side->bytes = bytes;
	stream_keep_unreserve(side, &turn->blocks, &reserved);
	return STREAM_STOPPED;
}

/* Ahead of a gap, where nothing can be with the receiver already that would make it none. */
static enum stream_verdict take_ahead(
	const struct turn *turn, struct stream_side *side, uint32_t from)
{
	struct stream_reserved reserved;

	if (!side->in_step)
		return STREAM_AHEAD;
	if (!stream_keep_reserve(side, &turn->blocks, from, turn->end, &reserved))
		return STREAM_MEMORY;
	if (!stream_ahead_add(side, from, turn->end)) {
		stream_keep_unreserve(side, &turn->blocks, &reserved);
		return STREAM_AHEAD;
	}
	store_from(turn, side, from);
	return STREAM_PASS;
}

/* Payload of which some, from number `from` on, is not acknowledged. */
static enum stream_verdict take_payload(
	const struct turn *turn, struct stream_side *side, uint32_t from)
{
	bool is_ahead = stream_before(side->next, from);

	if (!stream_keep_fits(side, turn->end))
		return STREAM_WINDOW_FULL;
	if ((from != side->next || side->n_ahead > 0) && !agrees(turn, side, from))
		return STREAM_DIFFERS;
	if (is_ahead)
		return take_ahead(turn, side, from);
	if (!stream_before(side->next, turn->end))
		return STREAM_PASS;
	return take_in_order(turn, side, from);
}

/* Whether bytes and end agree with where the stream was said to end, or is said to now. */
static bool fits_end(const struct turn *turn, const struct stream_side *side)
{
	bool finishes = turn->segment->flags & FIN;

	if (side->finished)
		return finishes ? turn->end == side->fin : !stream_before(side->fin, turn->end);
	return !finishes ||
	       (!stream_before(turn->end, side->next) &&
		       (side->n_ahead == 0 ||
			       !stream_before(turn->end, side->ahead[side->n_ahead - 1].to)));
}

/* Bytes of a side pass once both know where the other begins. */
static bool is_open(const struct turn *turn)
{
	const struct stream_side *side = turn->stream->side;

	return turn->stream->midstream || turn->segment->flags & SYN ||
	       (side[0].opened && side[1].opened && (side[0].answered || side[1].answered));
}

/* Payload and FIN. */
static enum stream_verdict take(const struct turn *turn, uint32_t last)
{
	struct stream_side *side = &turn->stream->side[turn->sender];
	enum stream_verdict verdict = STREAM_PASS;
	uint32_t from = turn->seq;

	if (!is_open(turn))
		return STREAM_INVALID;
	/* Seen from here on: what the peer still lacks before that is not to be had from us. */
	if (!side->known ||
		(!side->opened && !side->spoke && stream_before(side->acked, turn->seq))) {
		begin(side, turn->seq);
		side->acknowledges = false;
	}
	if (stream_before(from, side->start) && !side->acknowledges)
		return STREAM_INVALID;
	if (!stream_before(side->acked, last))
		return STREAM_PASS;
	if (last - side->acked > FAR || !fits_end(turn, side))
		return STREAM_INVALID;
	if (!(turn->segment->flags & SYN))
		side->spoke = true;
	from = stream_later(from, side->acked);
	if (stream_before(from, turn->end))
		verdict = take_payload(turn, side, from);
	else if (turn->end - side->acked > STREAM_WINDOW)
		verdict = STREAM_AHEAD;
	if (verdict == STREAM_PASS && turn->segment->flags & FIN) {
		side->finished = true;
		side->fin = turn->end;
	}
	return verdict;
}

/* How far the side has come, passed on or not: nothing beyond can be acknowledged. */
static void note_seen(const struct turn *turn, uint32_t last)
{
	struct stream_side *side = &turn->stream->side[turn->sender];

	if (side->known && stream_before(side->seen, last) && last - side->seen <= FAR)
		side->seen = last;
}

enum stream_verdict stream_segment(struct stream *stream, struct inspect_memory *memory,
	struct inspect_account *account, unsigned side, const struct stream_segment *segment,
	const struct stream_handler *handler, void *arg)
{
	uint8_t flags = segment->flags;
	const uint32_t seq = segment->seq + !!(flags & SYN), end = seq + segment->len;
	const struct turn turn = {stream, {memory, account}, side, segment, seq, end, handler, arg};
	const bool holds = segment->len > 0 || flags & FIN;
	const uint32_t last = end + !!(flags & FIN);
	enum stream_verdict verdict;

	if (flags & RST)
		return STREAM_PASS;
	if (flags & URG)
		return STREAM_URGENT;
	if (segment->len > STREAM_WINDOW)
		return STREAM_WINDOW_FULL;
	if (flags & SYN && !open_side(&turn, &verdict))
		return verdict;
	/* Only a SYN may do without (RFC 9293, 3.10.7.4). */
	if (!(flags & (SYN | ACK)))
		return holds ? STREAM_INVALID : STREAM_PASS;
	if (flags & ACK && !acknowledge(&turn))
		return STREAM_STOPPED;
	verdict = holds ? take(&turn, last) : STREAM_PASS;
	if (verdict != STREAM_INVALID)
		note_seen(&turn, last);
	return verdict;
}
