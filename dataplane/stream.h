/*
 * Inline TCP reassembly of one connection, both directions: which bytes of a segment are new,
 * which a copy of what went before, and whether the segment may go on. What is new is given to the
 * handler in order, before its segment is forwarded.
 *
 * - Every payload byte that was forwarded is kept, as a copy, until its receiver acknowledges it.
 *   What overlaps is compared with the copy: equal passes, different is STREAM_DIFFERS. What lies
 *   wholly below the acknowledgement passes uncompared: the receiver has it and takes no other.
 * - Copies are bounded (STREAM_WINDOW a direction): what exceeds that is STREAM_WINDOW_FULL and
 *   not forwarded, which holds the sender back.
 * - Ahead of a gap up to STREAM_AHEAD_SEGMENTS separate pieces and STREAM_AHEAD_BYTES a direction
 *   pass with a copy kept: the receiver cannot use them until the gap is filled. The segment that
 *   fills it is given to the handler with all that it releases, and carries the verdict. More is
 *   STREAM_AHEAD.
 * - The receiver acknowledges bytes that never came through here: they are a gap for good, told to
 *   the handler; what was kept behind it follows in order. An acknowledgement of what the sender,
 *   whose SYN was seen, has never shown here is none to its receiver either, and is ignored: it
 *   cannot be used to make a gap. What was shown and not forwarded can be acknowledged, as the
 *   caller may forward in spite of a verdict.
 * - A RST changes nothing, and its payload is nobody's: whether the receiver took it is not known.
 *   FIN counts one number; bytes behind a FIN are STREAM_INVALID. Urgent data is STREAM_URGENT:
 *   two ends do not agree on what it is. Payload without ACK, SYN or RST is STREAM_INVALID.
 * - A SYN's data (fast open) is the stream's first. A SYN with another number, before the first is
 *   answered and before anything else is said, begins the side anew; the answer's acknowledgement
 *   says which one counts, the last or, where neither had data, the one before. An answer that
 *   acknowledges none of them is STREAM_INVALID. With the same number, data is held against what
 *   the first SYN had. Later such SYNs pass for their receiver to answer them (RFC 5961, 4), but
 *   with data they are STREAM_INVALID. Payload is STREAM_INVALID until both sides' SYNs were seen
 *   and one is acknowledged, so that nobody continues an old connection as if it were a new one; a
 *   connection of which one direction only passes here can be followed only as midstream.
 * - Midstream, a side begins with its first payload, or where its peer's acknowledgement is beyond
 *   that. What lies below and is not acknowledged was not inspected: STREAM_INVALID. The peer may
 *   hold what was sent before we began, so that what looks like a gap to us is none to it: ahead
 *   of one nothing passes (STREAM_AHEAD) until STREAM_WINDOW bytes more are acknowledged.
 * - Numbers wrap (RFC 9293, 3.4).
 *
 * A struct stream is its connection's, its worker's; plain data, no pointers but into memory's
 * blocks. Cost: one copy of the payload. No DPDK.
 */
#ifndef VS_STREAM_H
#define VS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect_memory.h"

#define STREAM_WINDOW         (512u << 10) /* bytes kept, in pages of INSPECT_PAGE_SIZE */
#define STREAM_AHEAD_SEGMENTS 64
#define STREAM_AHEAD_BYTES    (256u << 10)

enum stream_verdict {
	STREAM_PASS,
	STREAM_STOPPED, /* the handler said so */
	STREAM_DIFFERS, /* an overlap with other bytes than before: an evasion attempt */
	STREAM_AHEAD,
	STREAM_WINDOW_FULL,
	STREAM_MEMORY, /* no block for the copy; nothing of the segment was given to the handler */
	STREAM_URGENT,
	STREAM_INVALID,
	STREAM_VERDICTS
};

/* A piece of a segment's payload. */
struct stream_piece {
	const uint8_t *bytes;
	uint32_t len;
};

struct stream_segment {
	uint32_t seq, ack;
	uint8_t flags; /* as in the TCP header */
	uint32_t len; /* of all pieces */
	const struct stream_piece *pieces;
	unsigned n_pieces;
};

struct stream_handler {
	/* The next len bytes of side's stream. False: the segment must not go on. */
	bool (*data)(void *arg, unsigned side, const uint8_t *bytes, uint32_t len);
	/*
	 * len bytes of side's stream are missing for good. 0: its SYN came again with another
	 * number after one with data; what follows is a stream's beginning.
	 */
	void (*gap)(void *arg, unsigned side, uint32_t len);
};

#include "stream_state.h" /* struct stream; its fields are stream*.c's */

/* midstream: the opening was not seen. */
void stream_init(struct stream *stream, bool midstream);

/*
 * A segment sent by side (0 or 1). The handler may be called several times; once data() has said
 * false, it is not called again for this segment, and the caller ends the connection. What an
 * acknowledgement releases is the other side's, and may be what STREAM_STOPPED is for.
 */
enum stream_verdict stream_segment(struct stream *stream, struct inspect_memory *memory,
	struct inspect_account *account, unsigned side, const struct stream_segment *segment,
	const struct stream_handler *handler, void *arg);

/* Gives all blocks back. */
void stream_end(
	struct stream *stream, struct inspect_memory *memory, struct inspect_account *account);

/*
 * For a RST of our own to the receiver of side's bytes, so that it is accepted: the number behind
 * what was given to the handler and passed on, which it may not have acknowledged yet, or behind
 * what it has. Where it lacks some, the number is within its window, and it asks (RFC 5961, 3).
 * False: not known.
 */
bool stream_reset_seq(const struct stream *stream, unsigned side, uint32_t *seq);

/* Bytes of side's stream given to the handler, ever, gaps included. */
uint64_t stream_bytes(const struct stream *stream, unsigned side);

/* "differs", "window-full", ... */
const char *stream_verdict_name(enum stream_verdict verdict);

#endif
