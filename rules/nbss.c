#include "nbss.h"

#include <string.h>

#include "smb_bytes.h"

enum {
	STATE_HEAD, /* collecting head */
	STATE_BODY,
	STATE_BAD,
	STATE_SYNC,
	STATE_BEGIN, /* head is complete, not told yet */
};

/* RFC 1002 4.3.2: two names of at most 255 bytes in a session request. */
#define REQUEST_MAX 510

/* What a record with a message of this kind has at the least behind its NetBIOS header. */
#define SMB1_MIN       35
#define SMB2_MIN       64
#define ENCRYPTED_MIN  52
#define COMPRESSED_MIN 16

void nbss_init(struct nbss *n, bool netbios)
{
	memset(n, 0, sizeof(*n));
	n->netbios = netbios;
}

void nbss_resync(struct nbss *n)
{
	n->state = STATE_SYNC;
	n->raw = n->raw_asked = 0;
	n->is_raw = false;
	n->window = ~0ull;
	n->skipped += n->have;
	for (unsigned i = 0; i < n->have; i++)
		n->window = n->window << 8 | n->head[i];
	n->have = 0;
}

void nbss_expect_raw(struct nbss *n)
{
	if (n->state != STATE_SYNC && n->raw < UINT8_MAX)
		n->raw++;
}

void nbss_ask_raw(struct nbss *n)
{
	if (n->state != STATE_SYNC && n->raw_asked < UINT8_MAX)
		n->raw_asked++;
}

void nbss_answer_raw(struct nbss *n, bool granted)
{
	if (n->raw_asked == 0 || (granted && n->hasty))
		return;
	n->raw_asked--;
	if (granted)
		nbss_expect_raw(n);
}

static bool is_magic(const uint8_t *p)
{
	return p[0] >= 0xfc && p[1] == 'S' && p[2] == 'M' && p[3] == 'B';
}

/* A header's first byte and length agree with RFC 1002 and MS-SMB2. */
static bool header_is_sane(const struct nbss *n)
{
	uint32_t len = be32(n->head) & 0xffffff;

	switch (n->head[0]) {
	case NBSS_MESSAGE:
		return (len == 0 || len >= 4 || n->raw > 0 || n->raw_asked > 0) &&
		       (!n->netbios || len <= 0x1ffff);
	case NBSS_REQUEST:
		return len <= REQUEST_MAX;
	case NBSS_POSITIVE:
	case NBSS_KEEP_ALIVE:
		return len == 0;
	case NBSS_NEGATIVE:
		return len == 1;
	case NBSS_RETARGET:
		return len == 6;
	default:
		return false;
	}
}

/* How many bytes decide whether a record begins here. */
static unsigned head_len(const struct nbss *n)
{
	uint32_t len = be32(n->head) & 0xffffff;

	if (n->have < NBSS_HEADER || n->head[0] != NBSS_MESSAGE || len < 4)
		return NBSS_HEADER;
	if (n->raw > 0 && n->have >= NBSS_HEAD && len >= NBSS_PEEK - NBSS_HEADER &&
		is_magic(n->head + NBSS_HEADER) && n->head[4] == 0xff)
		return NBSS_PEEK;
	return NBSS_HEAD;
}

/* The one request of servers: MS-CIFS 2.2.4.32, MID 0xffff. */
static bool is_oplock_break(const struct nbss *n)
{
	return n->have == NBSS_PEEK && n->head[8] == 0x24 && !(n->head[13] & 0x80) &&
	       le16(n->head + 34) == 0xffff;
}

/* A session message whose head is complete: what it is. False: nothing that may come here. */
static bool classify(struct nbss *n)
{
	bool magic = n->have >= NBSS_HEAD && is_magic(n->head + NBSS_HEADER);

	n->is_raw = false;
	if (n->raw > 0) {
		n->is_raw = !is_oplock_break(n);
		n->raw -= n->is_raw;
		return true;
	}
	if (n->raw_asked == 0)
		return magic || n->have < NBSS_HEAD;
	n->raw_asked--;
	n->is_raw = !magic;
	n->hasty |= magic;
	return true;
}

/* Collects the head. True when it is complete or bad: state says which. */
static bool collect(struct nbss *n, const uint8_t **bytes, uint32_t *len)
{
	while (n->have < head_len(n)) {
		if (*len == 0)
			return false;
		n->head[n->have++] = *(*bytes)++;
		--*len;
		if (n->have == NBSS_HEADER && !header_is_sane(n)) {
			n->state = STATE_BAD;
			return true;
		}
	}
	n->state = STATE_BEGIN;
	if (n->head[0] != NBSS_MESSAGE)
		n->is_raw = false;
	else if (!classify(n))
		n->state = STATE_BAD;
	return true;
}

static bool may_begin(uint64_t window)
{
	uint32_t len = window >> 32 & 0xffffff;

	if (window >> 56 != NBSS_MESSAGE || (window & 0xffffff) != 0x534d42)
		return false;
	switch (window >> 24 & 0xff) {
	case 0xff:
		return len >= SMB1_MIN;
	case 0xfe:
		return len >= SMB2_MIN;
	case 0xfd:
		return len >= ENCRYPTED_MIN;
	case 0xfc:
		return len >= COMPRESSED_MIN;
	default:
		return false;
	}
}

static bool search(struct nbss *n, const uint8_t **bytes, uint32_t *len)
{
	while (*len > 0) {
		n->window = n->window << 8 | *(*bytes)++;
		--*len;
		n->skipped++;
		if (!may_begin(n->window))
			continue;
		for (unsigned i = 0; i < NBSS_HEAD; i++)
			n->head[i] = (uint8_t)(n->window >> (56 - 8 * i));
		n->have = NBSS_HEAD;
		n->skipped -= NBSS_HEAD;
		return true;
	}
	return false;
}

/*
 * The head was copied to be looked at; where its bytes and more are still at hand, as in any
 * segment that was not cut within the head, they are told in one piece.
 */
static enum nbss_item begin(struct nbss *n, const uint8_t *fed, const uint8_t **bytes,
	uint32_t *len, struct nbss_piece *piece)
{
	n->type = n->head[0];
	n->len = NBSS_HEADER + (be32(n->head) & 0xffffff);
	n->seen = n->have;
	piece->offset = 0;
	piece->bytes = n->head;
	if (fed != NULL && *bytes - fed >= n->have) {
		uint32_t more = n->len - n->have < *len ? n->len - n->have : *len;

		piece->bytes = *bytes - n->have;
		*bytes += more;
		*len -= more;
		n->seen += more;
	}
	piece->len = n->seen;
	n->have = 0;
	n->state = STATE_BODY;
	return NBSS_BEGIN;
}

static enum nbss_item body(
	struct nbss *n, const uint8_t **bytes, uint32_t *len, struct nbss_piece *piece)
{
	uint32_t more = n->len - n->seen < *len ? n->len - n->seen : *len;

	if (n->seen == n->len) {
		n->state = STATE_HEAD;
		return NBSS_END;
	}
	if (more == 0)
		return NBSS_MORE;
	*piece = (struct nbss_piece){*bytes, more, n->seen};
	*bytes += more;
	*len -= more;
	n->seen += more;
	return NBSS_DATA;
}

enum nbss_item nbss_next(
	struct nbss *n, const uint8_t **bytes, uint32_t *len, struct nbss_piece *piece)
{
	const uint8_t *fed = *bytes;

	switch (n->state) {
	case STATE_HEAD:
		if (!collect(n, bytes, len))
			return NBSS_MORE;
		return n->state == STATE_BAD ? NBSS_BAD : begin(n, fed, bytes, len, piece);
	case STATE_SYNC:
		if (!search(n, bytes, len))
			return NBSS_MORE;
		n->state = STATE_BEGIN;
		return NBSS_SYNCED;
	case STATE_BEGIN:
		n->skipped = 0;
		return begin(n, NULL, bytes, len, piece);
	case STATE_BODY:
		return body(n, bytes, len, piece);
	default:
		return NBSS_BAD;
	}
}
