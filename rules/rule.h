/*
 * One parsed rule in the language of Suricata, as plain data: written by rule_parse.c and
 * rule_options_*.c, immutable from then on, read by any thread. All of it lives in the arena of its
 * ruleset (rule_arena.h). No DPDK; knows no ports or tenants of the switch.
 */
#ifndef VS_RULE_H
#define VS_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_ITEMS_MAX   64 /* keywords of one rule that look at a buffer */
#define RULE_VARS_MAX    8 /* byte_extract and byte_math results of one rule */
#define RULE_BITS_MAX    16 /* flowbits and xbits of one rule */
#define RULE_OPNUMS_MAX  32
#define RULE_CONTENT_MAX 255
#define RULE_PCRE_MAX    4096

/* In the order in which they win. */
enum rule_action {
	RULE_PASS,
	RULE_DROP,
	RULE_REJECT,
	RULE_ALERT,
	RULE_ACTIONS,
};

enum rule_proto {
	RULE_TCP,
	RULE_SMB,
	RULE_DCERPC,
};

/* What content, pcre and the byte keywords look at. */
enum rule_buffer {
	RULE_RECORD, /* one NetBIOS session record with its 4 bytes of header */
	RULE_FILE_DATA, /* the plain data of reads and writes */
	RULE_SMB_SHARE,
	RULE_SMB_NAMED_PIPE,
	RULE_SMB_NTLMSSP_USER,
	RULE_DCE_STUB, /* a reassembled DCERPC stub */
	RULE_BUFFERS,
};

#define RULE_NO_VAR (-1)

/* A number in a keyword: written there, or the result of a byte_extract or byte_math. */
struct rule_number {
	int64_t value;
	int8_t var; /* index, or RULE_NO_VAR */
};

struct rule_content {
	const uint8_t *bytes; /* lower case where nocase */
	uint8_t len;
	bool nocase, negated, ends_with;
	bool has_offset, has_depth; /* from the buffer's start; depth counts from offset */
	bool has_distance, has_within; /* from the end of what matched before */
	bool fast; /* the rule's author wrote fast_pattern */
	struct rule_number offset, depth, distance, within;
};

struct rule_pcre {
	const char *text; /* between the slashes, as written */
	bool negated, relative;
	bool anchored; /* matches at the beginning of what it looks at or not at all */
	bool end_sensitive; /* more data may turn a match into none */
	uint32_t options; /* PCRE2_* */
	void *code; /* pcre2_code; owned by the ruleset */
	uint16_t index; /* among all pcre of the ruleset */
};

enum rule_endian {
	RULE_BIG,
	RULE_LITTLE,
	RULE_DCE, /* as the DCERPC header of the message says */
};

/* Where and how the four byte keywords read a number. */
struct rule_read {
	struct rule_number n_bytes, offset;
	uint64_t bitmask; /* 0: none; the result is shifted down by its trailing zeros */
	enum rule_endian endian;
	uint8_t base; /* digits as text: 8, 10, 16; 0: binary */
	bool relative;
};

enum rule_test {
	RULE_TEST_LESS,
	RULE_TEST_GREATER,
	RULE_TEST_EQUAL,
	RULE_TEST_LESS_EQUAL,
	RULE_TEST_GREATER_EQUAL,
	RULE_TEST_AND, /* any of the bits */
	RULE_TEST_OR, /* as Suricata has it: xor, not zero */
};

struct rule_byte_test {
	struct rule_read read;
	enum rule_test test;
	bool negated;
	struct rule_number value;
};

enum rule_jump_from {
	RULE_JUMP_HERE, /* the byte behind the number */
	RULE_JUMP_BEGINNING,
	RULE_JUMP_END,
};

struct rule_byte_jump {
	struct rule_read read;
	enum rule_jump_from from;
	uint32_t multiplier;
	int32_t post_offset;
	bool align; /* up to a multiple of 4 */
};

struct rule_byte_extract {
	struct rule_read read;
	uint32_t multiplier;
	uint8_t align; /* 0, 2 or 4 */
	uint8_t var; /* result */
};

struct rule_byte_math {
	struct rule_read read;
	char oper; /* + - * / and < (shift left), > (shift right) */
	struct rule_number rvalue;
	uint8_t var; /* result */
};

struct rule_isdataat {
	struct rule_number at;
	bool negated, relative;
};

enum rule_item_type {
	RULE_CONTENT,
	RULE_PCRE,
	RULE_BYTE_TEST,
	RULE_BYTE_JUMP,
	RULE_BYTE_EXTRACT,
	RULE_BYTE_MATH,
	RULE_ISDATAAT,
};

struct rule_item {
	enum rule_item_type type;
	enum rule_buffer buffer;
	bool position_used; /* a later item of the buffer is relative to where this one ends */
	union {
		struct rule_content content;
		struct rule_pcre pcre;
		struct rule_byte_test byte_test;
		struct rule_byte_jump byte_jump;
		struct rule_byte_extract byte_extract;
		struct rule_byte_math byte_math;
		struct rule_isdataat isdataat;
	};
};

enum rule_bit_command {
	RULE_BIT_SET,
	RULE_BIT_UNSET,
	RULE_BIT_TOGGLE,
	RULE_BIT_ISSET, /* any of the names */
	RULE_BIT_ISNOTSET, /* not all of the names */
};

/* Whose bits: of the connection (flowbits), or of addresses (xbits). */
enum rule_bit_scope {
	RULE_BIT_FLOW,
	RULE_BIT_SRC,
	RULE_BIT_DST,
	RULE_BIT_PAIR,
};

struct rule_bit {
	enum rule_bit_command command;
	enum rule_bit_scope scope;
	uint32_t seconds; /* xbits: 0 means until something else removes it */
	uint16_t n;
	const uint16_t *names; /* ids, see ruleset_bit_name() */
};

/* Bits of rule.flow. None of a pair: either. */
enum rule_flow {
	RULE_TO_SERVER = 1,
	RULE_TO_CLIENT = 2,
	RULE_ESTABLISHED = 4,
	RULE_NOT_ESTABLISHED = 8,
	RULE_STATELESS = 16,
	RULE_ONLY_STREAM = 32,
	RULE_NO_STREAM = 64,
	RULE_ONLY_FRAG = 128,
	RULE_NO_FRAG = 256,
};

enum rule_track {
	RULE_TRACK_NONE,
	RULE_TRACK_SRC,
	RULE_TRACK_DST,
	RULE_TRACK_BOTH,
	RULE_TRACK_RULE,
	RULE_TRACK_FLOW,
};

enum rule_threshold_type {
	RULE_THRESHOLD_NONE,
	RULE_THRESHOLD_LIMIT, /* the first count of each time */
	RULE_THRESHOLD_THRESHOLD, /* each count-th */
	RULE_THRESHOLD_BOTH, /* the count-th of each time, once */
	RULE_THRESHOLD_FILTER, /* detection_filter: every one above count */
};

struct rule_threshold {
	enum rule_threshold_type type;
	enum rule_track track;
	uint32_t count, seconds;
};

/* value within [low, high]; dsize and versions. Not given: low > high. */
struct rule_range {
	uint32_t low, high;
	bool negated;
};

/* flags: how the bits in want relate to the packet's, of those outside ignore. */
enum rule_flags_mode {
	RULE_FLAGS_NONE,
	RULE_FLAGS_EXACT,
	RULE_FLAGS_ALL, /* + */
	RULE_FLAGS_ANY, /* * */
	RULE_FLAGS_NOT, /* ! */
};

struct rule_dce_iface {
	bool given, any_frag;
	uint8_t uuid[16]; /* in the order in which it is written */
	struct rule_range version;
};

enum rule_target {
	RULE_TARGET_NONE,
	RULE_TARGET_SRC,
	RULE_TARGET_DST,
};

#define RULE_NO_FAST UINT16_MAX

struct rule {
	enum rule_action action;
	enum rule_proto proto;
	bool both_ways; /* <> */
	bool noalert, bypass;
	bool quarantines; /* metadata: vswitch_action quarantine */
	enum rule_target target; /* who is attacked */
	uint8_t priority; /* 1 is the gravest */
	uint32_t sid, gid, rev;
	uint16_t src, src_ports, dst, dst_ports; /* expressions, see rule_vars.h */
	uint16_t flow; /* enum rule_flow */

	struct rule_range dsize;
	enum rule_flags_mode flags_mode;
	uint8_t flags_want, flags_ignore; /* as in the TCP header */

	const char *msg, *classtype, *metadata, *reference; /* "" where not given; several: ", " */
	const char *file; /* where it stands */
	uint32_t line;
	uint32_t index; /* in its ruleset, in the order of evaluation */
	uint16_t stage; /* isset of a bit comes later than the rules that set it */

	uint16_t n_items; /* grouped by buffer, in the order as written */
	const struct rule_item *items;
	uint16_t fast; /* the item that the database looks for, or RULE_NO_FAST */
	uint8_t n_vars;
	uint8_t buffers; /* bit 1 << enum rule_buffer: has items there */

	uint16_t n_bits;
	const struct rule_bit *bits;
	struct rule_threshold threshold, filter;

	struct rule_dce_iface dce_iface;
	uint16_t n_opnums;
	const struct rule_range *opnums;
};

/* "alert", "tcp", "record": as they are written in rules and reports. */
const char *rule_action_name(enum rule_action action);
const char *rule_proto_name(enum rule_proto proto);
const char *rule_buffer_name(enum rule_buffer buffer);

/* What has no buffer to look at: decided on packets and bits alone. */
static inline bool rule_has_items(const struct rule *rule)
{
	return rule->n_items > 0;
}

static inline bool rule_range_given(const struct rule_range *range)
{
	return range->low <= range->high;
}

static inline bool rule_range_has(const struct rule_range *range, uint32_t value)
{
	return (value >= range->low && value <= range->high) != range->negated;
}

#endif
