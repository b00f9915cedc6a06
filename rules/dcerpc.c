#include "dcerpc.h"

#include <string.h>

#include "smb_bytes.h"

enum {
	STEP_HEADER, /* 16 bytes that all fragments have */
	STEP_CALL, /* 8 of a request or response */
	STEP_BIND, /* 12 before the list of contexts */
	STEP_CONTEXT, /* 24 of each */
	STEP_STUB,
	STEP_REST, /* to the fragment's end */
	STEP_OFF,
};

enum { REQUEST = 0, RESPONSE = 2, BIND = 11, ALTER_CONTEXT = 14, TYPE_MAX = 19 };

#define FLAG_FIRST  0x01
#define FLAG_LAST   0x02
#define FLAG_OBJECT 0x80

#define HEADER_LEN      16
#define CALL_LEN        8
#define OBJECT_LEN      16
#define BIND_LEN        12
#define CONTEXT_LEN     24
#define TRANSFER_LEN    20
#define AUTH_HEADER_LEN 8

static void step(struct dcerpc_half *h, uint8_t next, uint8_t want)
{
	h->step = next;
	h->want = want;
	h->have = 0;
}

void dcerpc_init(struct dcerpc *d)
{
	memset(d, 0, sizeof(*d));
	step(&d->half[0], STEP_HEADER, HEADER_LEN);
	step(&d->half[1], STEP_HEADER, HEADER_LEN);
}

static uint16_t num16(const struct dcerpc_half *h, const uint8_t *p)
{
	return h->big_endian ? be16(p) : le16(p);
}

static uint32_t num32(const struct dcerpc_half *h, const uint8_t *p)
{
	return h->big_endian ? be32(p) : le32(p);
}

/* The rest of the fragment says nothing. */
static void rest(struct dcerpc_half *h)
{
	step(h, STEP_REST, 0);
	h->skip = h->left;
}

static void off(struct dcerpc *d, struct dcerpc_half *h, const struct smb_sink *sink,
	uint32_t offset, uint64_t value)
{
	if (d->recognised)
		smb_detect(sink, SMB_FOUND_dcerpc_fragment, offset, value);
	step(h, STEP_OFF, 0);
}

/* What the fragment's type has behind the common header. */
static uint32_t fixed_len(const struct dcerpc_half *h)
{
	switch (h->type) {
	case REQUEST:
		return CALL_LEN + (h->flags & FLAG_OBJECT ? OBJECT_LEN : 0);
	case RESPONSE:
		return CALL_LEN;
	case BIND:
	case ALTER_CONTEXT:
		return BIND_LEN;
	default:
		return 0;
	}
}

static void on_header(
	struct dcerpc *d, struct dcerpc_half *h, const struct smb_sink *sink, uint32_t offset)
{
	const uint8_t *p = h->buf;
	uint32_t len, auth, fixed;

	h->type = p[2];
	h->flags = p[3];
	h->big_endian = (p[4] & 0xf0) == 0;
	len = num16(h, p + 8);
	auth = num16(h, p + 10);
	if (auth > 0)
		auth += AUTH_HEADER_LEN;
	fixed = HEADER_LEN + fixed_len(h);
	if (p[0] != 5 || p[1] > 1 || h->type > TYPE_MAX || len < fixed || len - fixed < auth) {
		off(d, h, sink, offset, len);
		return;
	}
	d->recognised = true;
	h->left = len - HEADER_LEN;
	h->stub = len - fixed - auth;
	if (h->flags & FLAG_FIRST || num32(h, p + 12) != h->call) {
		h->told = 0;
		h->limited = false;
	}
	h->call = num32(h, p + 12);
	h->stub_begun = false;
	if (h->type == REQUEST || h->type == RESPONSE)
		step(h, STEP_CALL, CALL_LEN);
	else if (h->type == BIND || h->type == ALTER_CONTEXT)
		step(h, STEP_BIND, BIND_LEN);
	else
		rest(h);
}

static const struct dcerpc_context *find_context(const struct dcerpc *d, uint16_t id)
{
	for (unsigned i = 0; i < d->n_contexts; i++)
		if (d->context[i].id == id)
			return &d->context[i];
	return NULL;
}

static void on_call(
	struct dcerpc *d, struct dcerpc_half *h, const struct smb_sink *sink, uint32_t offset)
{
	const struct dcerpc_half *asked = &d->half[SMB_TO_SERVER];
	const struct dcerpc_context *context;
	struct smb_event event = {.type = SMB_DCE_CALL, .offset = offset};

	h->context = num16(h, h->buf + 4);
	if (h->type == REQUEST)
		h->opnum = num16(h, h->buf + 6);
	else
		h->opnum = asked->call == h->call ? asked->opnum : UINT16_MAX;
	context = find_context(d, h->context);
	if (context != NULL) {
		memcpy(event.dce.interface, context->interface, 16);
		event.dce.version = context->version;
		event.dce.known = true;
	}
	event.dce.context = h->context;
	event.dce.opnum = h->opnum;
	event.dce.call = h->call;
	event.dce.first = h->flags & FLAG_FIRST;
	event.dce.last = h->flags & FLAG_LAST;
	event.dce.big_endian = h->big_endian;
	event.dce.stub_len = h->stub;
	smb_tell(sink, &event);
	step(h, STEP_STUB, 0);
	h->skip = h->type == REQUEST && h->flags & FLAG_OBJECT ? OBJECT_LEN : 0;
	if (h->stub == 0)
		rest(h);
}

static void on_bind(struct dcerpc *d, struct dcerpc_half *h, const struct smb_sink *sink)
{
	if (h->type == BIND)
		d->n_contexts = 0;
	h->contexts = h->buf[8];
	if (h->contexts == 0 || h->left < CONTEXT_LEN)
		rest(h);
	else
		step(h, STEP_CONTEXT, CONTEXT_LEN);
}

/* An interface's id in text order: three numbers in the sender's byte order, then 8 bytes. */
static void text_order(const struct dcerpc_half *h, const uint8_t *p, uint8_t *out)
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

	for (unsigned i = 0; i < 16; i++)
		out[i] = p[h->big_endian ? i : order[i]];
}

static void remember(struct dcerpc *d, const struct smb_sink *sink, uint32_t offset,
	const struct dcerpc_context *context)
{
	struct dcerpc_context *slot = NULL;

	for (unsigned i = 0; i < d->n_contexts; i++)
		if (d->context[i].id == context->id)
			slot = &d->context[i];
	if (slot == NULL && d->n_contexts < DCERPC_CONTEXTS)
		slot = &d->context[d->n_contexts++];
	if (slot != NULL)
		*slot = *context;
	else
		smb_limited(sink, SMB_LIMIT_CONTEXTS, offset);
}

static void on_context(
	struct dcerpc *d, struct dcerpc_half *h, const struct smb_sink *sink, uint32_t offset)
{
	struct smb_event event = {.type = SMB_DCE_BIND, .offset = offset};
	struct dcerpc_context context = {.id = num16(h, h->buf)};
	uint32_t transfers = h->buf[2] * TRANSFER_LEN;

	text_order(h, h->buf + 4, context.interface);
	context.version = (uint16_t)num32(h, h->buf + 20); /* minor above */
	remember(d, sink, offset, &context);
	memcpy(event.dce.interface, context.interface, 16);
	event.dce.version = context.version;
	event.dce.context = context.id;
	event.dce.call = h->call;
	event.dce.known = true;
	event.dce.big_endian = h->big_endian;
	smb_tell(sink, &event);
	h->contexts--;
	if (h->contexts == 0 || h->left < transfers + CONTEXT_LEN) {
		rest(h);
		return;
	}
	step(h, STEP_CONTEXT, CONTEXT_LEN);
	h->skip = transfers;
}

/* Stub data is told as it comes. */
static uint32_t on_stub(struct dcerpc_half *h, const struct smb_sink *sink, const uint8_t *bytes,
	uint32_t len, uint32_t offset)
{
	uint32_t take = h->stub < len ? h->stub : len;
	struct smb_event event = {.type = SMB_DCE_STUB, .offset = offset};

	event.bytes.bytes = bytes;
	event.bytes.len = take;
	event.bytes.first = h->flags & FLAG_FIRST && !h->stub_begun;
	event.bytes.last = h->flags & FLAG_LAST && take == h->stub;
	h->stub_begun = true;
	h->stub -= take;
	h->left -= take;
	if (h->told + take <= DCERPC_STUB_MAX) {
		h->told += take;
		smb_tell(sink, &event);
	} else if (!h->limited) {
		h->limited = true;
		smb_limited(sink, SMB_LIMIT_STUB, offset);
	}
	if (h->stub == 0)
		rest(h);
	return take;
}

static void on_step(
	struct dcerpc *d, struct dcerpc_half *h, const struct smb_sink *sink, uint32_t offset)
{
	switch (h->step) {
	case STEP_HEADER:
		on_header(d, h, sink, offset);
		break;
	case STEP_CALL:
		on_call(d, h, sink, offset);
		break;
	case STEP_BIND:
		on_bind(d, h, sink);
		break;
	case STEP_CONTEXT:
		on_context(d, h, sink, offset);
		break;
	default:
		break;
	}
}

/* Passes over and collects; the number of bytes taken. */
static uint32_t take(struct dcerpc *d, struct dcerpc_half *h, const struct smb_sink *sink,
	const uint8_t *bytes, uint32_t len, uint32_t offset)
{
	uint32_t n;

	if (h->skip > 0) {
		n = h->skip < len ? h->skip : len;
		h->skip -= n;
		h->left -= n;
		return n;
	}
	if (h->step == STEP_STUB)
		return on_stub(h, sink, bytes, len, offset);
	n = (uint32_t)(h->want - h->have) < len ? (uint32_t)(h->want - h->have) : len;
	memcpy(h->buf + h->have, bytes, n);
	h->have = (uint8_t)(h->have + n);
	if (h->step != STEP_HEADER)
		h->left -= n;
	if (h->have == h->want)
		on_step(d, h, sink, offset + n > h->want ? offset + n - h->want : 0);
	return n;
}

void dcerpc_feed(struct dcerpc *d, const struct smb_sink *sink, const uint8_t *bytes, uint32_t len,
	uint32_t offset)
{
	struct dcerpc_half *h = &d->half[sink->direction];

	while (len > 0 && h->step != STEP_OFF) {
		uint32_t n = take(d, h, sink, bytes, len, offset);

		bytes += n;
		len -= n;
		offset += n;
		if (h->step == STEP_REST && h->skip == 0)
			step(h, STEP_HEADER, HEADER_LEN);
	}
}
