/*
 * SMB messages made by hand, a conversation of them, and what smb_flow tells of it as text. Every
 * conversation runs whole, byte by byte and at random cuts, each feed an exact heap block, and must
 * be told the same each time. Include behind cmocka.h.
 */
#ifndef VS_SMB_RIG_H
#define VS_SMB_RIG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smb_flow.h"

#define RIG_BYTES (4u << 20)
#define RIG_SENDS 4096
#define RIG_TEXT  (1u << 20)

/* The message at hand, from its NetBIOS header on. */
static uint8_t msg[0x30000];
static uint32_t msg_len;

static uint8_t talk[RIG_BYTES]; /* what was sent */
static uint32_t talk_len;
static struct {
	uint8_t side; /* 2: a gap in side 0, 3: in side 1 */
	uint32_t from, len;
} sends[RIG_SENDS];
static unsigned n_sends;

static char told[RIG_TEXT]; /* a line an event */
static uint32_t told_len;
static struct smb_flow *flow;
static enum smb_flow_result result; /* of the last feed */

struct rig_digest {
	uint32_t len, sum;
	bool first, last;
};
static struct rig_digest record_digest[2], stub_digest[2];

static inline void put8(uint32_t v)
{
	msg[msg_len++] = (uint8_t)v;
}

static inline void put16(uint32_t v)
{
	put8(v);
	put8(v >> 8);
}

static inline void put32(uint32_t v)
{
	put16(v);
	put16(v >> 16);
}

static inline void put64(uint64_t v)
{
	put32((uint32_t)v);
	put32((uint32_t)(v >> 32));
}

static inline void put(const void *bytes, uint32_t len)
{
	memcpy(msg + msg_len, bytes, len);
	msg_len += len;
}

static inline void put_zeros(uint32_t len)
{
	memset(msg + msg_len, 0, len);
	msg_len += len;
}

/* ASCII as UTF-16, without an end. */
static inline void put_wide(const char *text)
{
	for (; *text != 0; text++)
		put16((uint8_t)*text);
}

static inline void set16(uint32_t at, uint32_t v)
{
	msg[at] = (uint8_t)v;
	msg[at + 1] = (uint8_t)(v >> 8);
}

static inline void set32(uint32_t at, uint32_t v)
{
	set16(at, v);
	set16(at + 2, v >> 16);
}

static inline void send_bytes(unsigned side, const void *bytes, uint32_t len)
{
	assert_true(n_sends < RIG_SENDS && talk_len + len <= RIG_BYTES);
	if (len > 0)
		memcpy(talk + talk_len, bytes, len);
	sends[n_sends].side = (uint8_t)side;
	sends[n_sends].from = talk_len;
	sends[n_sends++].len = len;
	talk_len += len;
}

static inline void send_gap(unsigned side)
{
	send_bytes(2 + side, NULL, 0);
}

/* Sends the message at hand as one record. */
static inline void send_msg(unsigned side)
{
	uint32_t len = msg_len - 4;

	msg[0] = 0;
	msg[1] = (uint8_t)(len >> 16);
	msg[2] = (uint8_t)(len >> 8);
	msg[3] = (uint8_t)len;
	send_bytes(side, msg, msg_len);
}

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(told + told_len, RIG_TEXT - told_len, format, args);
	va_end(args);
	assert_true(n >= 0 && told_len + (uint32_t)n + 1 < RIG_TEXT);
	told_len += (uint32_t)n;
	told[told_len++] = '\n';
	told[told_len] = 0;
}

static void digest(struct rig_digest *d, const struct smb_event *e)
{
	for (uint32_t i = 0; i < e->bytes.len; i++)
		d->sum = d->sum * 31 + e->bytes.bytes[i];
	d->len += e->bytes.len;
}

/* Stub data came in whatever pieces: told of when something else is. */
static void tell_stub(unsigned direction)
{
	struct rig_digest *d = &stub_digest[direction];

	if (d->len > 0)
		tell("%u stub %u bytes, sum %08x%s%s", direction, d->len, d->sum,
			d->first ? ", first" : "", d->last ? ", last" : "");
	*d = (struct rig_digest){0};
}

static void tell_dce(const char *what, const struct smb_event *e)
{
	const uint8_t *i = e->dce.interface;

	tell("%u %s %02x%02x%02x%02x-%02x%02x-%02x%02x v%u context %u opnum %u call %u stub "
	     "%u%s%s%s",
		e->direction, what, i[0], i[1], i[2], i[3], i[4], i[5], i[6], i[7], e->dce.version,
		e->dce.context, e->dce.opnum, e->dce.call, e->dce.stub_len,
		e->dce.first ? " first" : "", e->dce.last ? " last" : "",
		e->dce.known ? "" : " unknown");
}

static void tell_name(const char *what, const struct smb_event *e)
{
	tell("%u %s '%.*s'%s%s host %08x", e->direction, what, (int)e->name.len, e->name.text,
		e->name.pipe ? " pipe" : "", e->name.truncated ? " truncated" : "", e->name.host);
}

static void tell_event(const struct smb_event *e)
{
	switch (e->type) {
	case SMB_RECORD_BEGIN:
		tell("%u record %u type %02x", e->direction, e->record.len, e->record.type);
		break;
	case SMB_RECORD_END:
		tell("%u end %u sum %08x", e->direction, record_digest[e->direction].len,
			record_digest[e->direction].sum);
		record_digest[e->direction] = (struct rig_digest){0};
		break;
	case SMB_RESYNC:
		tell("%u resync %u", e->direction, e->bytes.len);
		break;
	case SMB_MESSAGE:
		tell("%u message v%u %02x %s%s at %u tree %x id %llx", e->direction,
			e->message.version, e->message.command,
			e->message.reply ? "reply" : "request",
			e->message.chained ? " chained" : "", e->offset, e->message.tree,
			(unsigned long long)e->message.id);
		break;
	case SMB_TREE_CONNECT:
		tell_name("tree", e);
		break;
	case SMB_CREATE:
		tell_name("create", e);
		break;
	case SMB_USER:
		tell_name("user", e);
		break;
	case SMB_FILE_DATA:
		tell("%u %s at %u len %u position %s%llx", e->direction,
			e->file.read ? "read" : "write", e->offset, e->file.len,
			e->file.has_position ? "" : "unknown ",
			(unsigned long long)e->file.position);
		break;
	case SMB_DCE_BIND:
		tell_dce("bind", e);
		break;
	case SMB_DCE_CALL:
		tell_dce("call", e);
		break;
	case SMB_ENCRYPTED:
		tell("%u encrypted %u session %llx", e->direction, e->opaque.len,
			(unsigned long long)e->opaque.session);
		break;
	case SMB_COMPRESSED:
		tell("%u compressed %u from %u", e->direction, e->opaque.len, e->opaque.original);
		break;
	case SMB_DETECTED:
		tell("%u detected %s culprit %u value %llx%s", e->direction,
			smb_invariant(e->detection.what)->id, e->detection.culprit,
			(unsigned long long)e->detection.value,
			e->detection.doubt == SMB_SURE ? "" : " doubtful");
		break;
	case SMB_LIMITED:
		tell("%u limit %s", e->direction, smb_limit_name(e->limit));
		break;
	default:
		fail_msg("event %d", e->type);
	}
}

static void on_event(void *arg, const struct smb_event *e)
{
	if (e->type == SMB_RECORD_DATA) {
		assert_int_equal(e->offset, record_digest[e->direction].len);
		digest(&record_digest[e->direction], e);
		return;
	}
	if (e->type == SMB_DCE_STUB) {
		stub_digest[e->direction].first |= e->bytes.first;
		stub_digest[e->direction].last |= e->bytes.last;
		digest(&stub_digest[e->direction], e);
		return;
	}
	tell_stub(e->direction);
	tell_event(e);
}

static void rig_feed(unsigned side, const uint8_t *bytes, uint32_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);

	memcpy(exact, bytes, len);
	result = smb_flow_feed(flow, side, exact, len, on_event, NULL);
	free(exact);
}

/* cut: how many bytes a feed at the most; 0: as they were sent. */
static void run_cut(unsigned flags, uint32_t cut, unsigned *seed)
{
	told_len = 0;
	told[0] = 0;
	memset(record_digest, 0, sizeof(record_digest));
	memset(stub_digest, 0, sizeof(stub_digest));
	flow = malloc(sizeof(*flow));
	memset(flow, 0xa5, sizeof(*flow));
	smb_flow_init(flow, flags);
	for (unsigned i = 0; i < n_sends; i++) {
		uint32_t done = 0;

		if (sends[i].side >= 2) {
			smb_flow_gap(flow, sends[i].side - 2);
			memset(&record_digest[smb_flow_direction(flow, sends[i].side - 2)], 0,
				sizeof(record_digest[0]));
		}
		while (done < sends[i].len) {
			uint32_t n = sends[i].len - done;

			if (seed != NULL)
				cut = 1 + (uint32_t)rand_r(seed) % 97;
			if (cut > 0 && n > cut)
				n = cut;
			rig_feed(sends[i].side, talk + sends[i].from + done, n);
			done += n;
		}
	}
	tell_stub(0);
	tell_stub(1);
	free(flow);
	flow = NULL;
}

/* Runs what was sent in every way; told is what came of it. */
static inline void run(unsigned flags)
{
	static char whole[RIG_TEXT];
	unsigned seed = 1;

	run_cut(flags, 0, NULL);
	strcpy(whole, told);
	for (unsigned i = 0; i < 12; i++) {
		run_cut(flags, 1, i == 0 ? NULL : &seed);
		if (strcmp(whole, told) != 0)
			fail_msg("cut %u tells\n%sinstead of\n%s", i, told, whole);
	}
}

/* Anew. */
static inline int rig_reset(void **state)
{
	talk_len = msg_len = 0;
	n_sends = 0;
	return 0;
}

static inline unsigned count_told(const char *what)
{
	unsigned n = 0;

	for (const char *at = told; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

#define assert_told(what)                                                                          \
	do {                                                                                       \
		if (count_told(what) == 0)                                                         \
			fail_msg("not told: %s\n%s", what, told);                                  \
	} while (0)
#define assert_not_told(what)                                                                      \
	do {                                                                                       \
		if (count_told(what) != 0)                                                         \
			fail_msg("told: %s\n%s", what, told);                                      \
	} while (0)

#endif
