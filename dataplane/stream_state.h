/* The inside of a struct stream, for who holds one; only stream*.c look into it. */
#ifndef VS_STREAM_STATE_H
#define VS_STREAM_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* Sequence numbers from `from` to before `to`. */
struct stream_range {
	uint32_t from, to;
};

/* What one side sends. Numbers are sequence numbers: compare them with stream_before() only. */
struct stream_side {
	uint32_t start; /* the first byte's: that of the SYN and 1 */
	uint32_t acked; /* the peer has all below; none of it is kept */
	uint32_t next; /* all below was given to the handler */
	uint32_t seen; /* behind all that was shown, whether it passed or not; a FIN counts */
	uint32_t fin; /* the FIN's, if finished */
	uint32_t former; /* start of a SYN before this one, if has_former */
	bool known; /* the numbers above are */
	bool opened; /* by a SYN */
	bool answered; /* and the peer has acknowledged that one */
	bool has_former;
	bool spoke; /* bytes or a FIN without a SYN were shown */
	bool acknowledges; /* acked is the peer's word, not only where we began */
	bool in_step; /* the peer holds nothing from before we began */
	bool finished;
	uint8_t n_ahead;
	uint16_t n_pages; /* kept, besides the index */
	uint32_t ahead_bytes; /* of the ranges ahead */
	uint64_t bytes; /* given to the handler, and gaps */
	uint8_t **index; /* of pages, by number; NULL while nothing is kept */
	struct stream_range ahead[STREAM_AHEAD_SEGMENTS]; /* in order, apart from each other */
};

struct stream {
	bool midstream;
	struct stream_side side[2];
};

#endif
