/* The inside of a struct detect_flow, for who holds one; only detect*.c look into it. */
#ifndef VS_DETECT_STATE_H
#define VS_DETECT_STATE_H

#define DETECT_PENDING 64 /* rules of a record, or of a file, that wait for more */
#define DETECT_TRACKS  8 /* of them at most DETECT_FILES files */
#define DETECT_FILES   4
#define DETECT_SPANS   4 /* of file data within a record, at a time */
#define DETECT_NAMES   3 /* share, pipe, user */
#define DETECT_CALLS   8 /* of DCERPC in a record: of more the last ones count */

struct detect_stream;

/* A rule on a list; see detect_pending.h. */
struct detect_waiting {
	uint32_t rule : 24; /* index */
	uint32_t blocker : 7; /* 1 + item that has not come; 0: none is known */
	uint32_t done : 1; /* it matched, and is not told again */
	uint32_t searched; /* where the bytes end in which the blocker is not; modulo 2^32 */
};

_Static_assert(RULESET_RULES_MAX < 1 << 24 && RULE_ITEMS_MAX < 1 << 7, "they fit");

/* By index and rising. */
struct detect_pending {
	uint16_t n;
	struct detect_waiting waiting[DETECT_PENDING];
};

/* A run of bytes that goes over several records: a file read or written in order, or the stub data
 * of a DCERPC call. */
struct detect_track {
	struct detect_engine *engine; /* NULL: not in use */
	const struct rule_bind *bind;
	struct detect_stream *stream; /* NULL: nothing is searched for */
	uint8_t *block; /* INSPECT_SMALL: the last bytes */
	uint64_t id; /* of the file */
	uint64_t base; /* position of the first byte in block */
	uint32_t len; /* in block */
	uint32_t used; /* clock when it was */
	uint8_t side;
	uint8_t buffer; /* enum rule_buffer */
	bool has_call, dce_little;
	struct rule_dce_call call; /* of a stub */
	struct detect_pending pending;
};

struct detect_span {
	uint32_t from, to; /* offsets in the record: what is still to come */
	uint8_t track;
};

/* The record that a side is in. */
struct detect_record {
	struct detect_engine *engine; /* NULL: it is not held against rules */
	const struct rule_bind *bind;
	struct detect_stream *stream;
	const uint8_t *head; /* its first bytes, in block or in what is being fed */
	uint8_t *block; /* INSPECT_SMALL or, where large, INSPECT_LARGE; NULL: none yet */
	uint8_t *names; /* INSPECT_SMALL: the last name of each kind; NULL: none */
	uint64_t position; /* in the side's stream */
	uint32_t len, seen;
	uint32_t kept; /* at head */
	uint32_t tail_base, tail_len; /* of the last bytes of a record that head does not hold */
	uint32_t n_calls; /* so far; the last DETECT_CALLS of them are there */
	uint8_t doubt; /* enum smb_doubt */
	bool open, large;
	bool passed; /* a pass rule matched */
	bool dce_little; /* of the last call */

	int8_t track; /* the last one that this record carried bytes of, or -1 */
	uint8_t n_spans;
	uint16_t name_len[DETECT_NAMES]; /* 0: none */
	struct detect_span spans[DETECT_SPANS];
	uint64_t pipe; /* of the last call */
	struct rule_dce_call calls[DETECT_CALLS];
	struct detect_pending pending;
};

struct detect_flow {
	struct detect_ends ends;
	detect_passes passes;
	uint32_t failed; /* enum config_failure bits that were told */
	uint32_t clock;
	uint32_t unlooked; /* bytes of the packet since the deadline was looked at */
	bool is_smb, bypassed;
	struct rule_flow_bits bits;
	bool doubtful_bits; /* some were set by records that are in doubt */
	struct {
		uint64_t fed; /* bytes, ever */
		uint64_t next; /* where the next record begins */
		struct rule_packet packet; /* the last */
		bool passed; /* by a rule that looks at no data: no other acts on its bytes */
		struct detect_record record;
	} side[2];
	struct detect_track tracks[DETECT_TRACKS];
	struct smb_flow smb;
};

#endif
