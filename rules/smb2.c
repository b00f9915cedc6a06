#include "smb2.h"

#include <string.h>

#include "smb2_body.h"
#include "smb_bytes.h"

enum { STEP_HEADER, STEP_BODY, STEP_NAME, STEP_CONTEXT, STEP_COMPRESSION };

#define BASE       4
#define HEADER_LEN 64

#define FLAG_REPLY   0x1
#define FLAG_ASYNC   0x2
#define FLAG_RELATED 0x4

#define NEGOTIATE           0
#define CONTEXT_LEN         8
#define CONTEXT_COMPRESSION 3
#define COMPRESSION_LEN     10 /* up to the first algorithm */

void smb2_init(struct smb2 *s)
{
	memset(s, 0, sizeof(*s));
	s->size_max = SMB2_SIZE_DEFAULT;
}

static void want(struct smb_context *c, uint32_t at, uint32_t len, uint8_t step)
{
	if (!smb_walk_want(c->walk, at, len, step))
		smb_detect(&c->sink, SMB_FOUND_message_short, at, len);
}

void smb2_begin(struct smb_context *c, uint8_t magic)
{
	if (magic == 0xfe)
		want(c, BASE, HEADER_LEN, STEP_HEADER);
	else
		smb2_opaque_begin(c, magic);
}

static void next_message(struct smb_context *c, struct smb2_message *m)
{
	if (m->next == 0) {
		smb_walk_stop(c->walk);
		return;
	}
	if (m->messages >= SMB2_COMPOUND_MAX) {
		smb_walk_stop(c->walk);
		smb_limited(&c->sink, SMB_LIMIT_COMPOUND, m->next);
		return;
	}
	want(c, m->next, HEADER_LEN, STEP_HEADER);
}

/* NextCommand: from this header to the next, in steps of 8 (MS-SMB2 3.2.4.1.4). */
static void find_end(const struct smb_context *c, struct smb2_message *m, uint32_t next)
{
	uint32_t room = c->walk->record_len - m->at;

	m->next = 0;
	m->end = c->walk->record_len;
	if (next == 0)
		return;
	if (next < HEADER_LEN || next % 8 != 0 || next > room || room - next < HEADER_LEN) {
		smb_detect(&c->sink, SMB_FOUND_next_command, m->at, next);
		return;
	}
	m->next = m->end = m->at + next;
}

static void tell_message(const struct smb_context *c, const struct smb2_message *m)
{
	struct smb_event event = {.type = SMB_MESSAGE,
		.offset = m->at,
		.message = {.version = 2,
			.reply = m->reply,
			.chained = m->messages > 1,
			.command = m->command,
			.status = m->status,
			.tree = m->tree,
			.id = m->id}};

	smb_opening_message(c->opening, &event);
	smb_tell(&c->sink, &event);
}

/*
 * Related requests of a compound go to the tree of the one before: MS-SMB2 3.2.4.1.4. Replies name
 * it.
 */
static void find_tree(struct smb2_message *m, const uint8_t *p, uint32_t flags)
{
	if (flags & FLAG_RELATED && m->messages > 1 && !m->reply)
		return;
	m->to_pipe = false;
	m->tree = flags & FLAG_ASYNC ? 0 : le32(p + 36);
	m->session = le64(p + 40);
}

static void on_header(
	struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *p)
{
	uint32_t flags = le32(p + 16);
	unsigned body;

	m->at = c->walk->at;
	m->messages++;
	m->command = le16(p + 12);
	m->reply = c->sink.direction == SMB_TO_CLIENT;
	m->status = m->reply ? le32(p + 8) : 0;
	m->id = le64(p + 24);
	m->name.len = 0;
	find_tree(m, p, flags);
	find_end(c, m, le32(p + 20));
	if (le32(p) != 0x424d53fe || le16(p + 4) != HEADER_LEN)
		smb_detect(&c->sink, SMB_FOUND_smb2_header, m->at, le16(p + 4));
	if (m->reply != (flags & FLAG_REPLY))
		smb_detect(&c->sink, SMB_FOUND_wrong_direction, m->at, m->command);
	tell_message(c, m);
	body = smb2_body_len(m);
	if (body == 0) {
		smb2_body_none(s, m);
		next_message(c, m);
	} else if (m->at + HEADER_LEN + body > m->end) {
		smb_detect(&c->sink, SMB_FOUND_message_short, m->at, m->end - m->at);
		next_message(c, m);
	} else {
		want(c, m->at + HEADER_LEN, body, STEP_BODY);
	}
}

/* A negotiate reply's contexts say whether compression was agreed on: MS-SMB2 2.2.4.1. */
static bool want_context(struct smb_context *c, struct smb2_message *m, uint32_t at)
{
	if (m->contexts == 0)
		return false;
	m->contexts--;
	return smb_walk_want(c->walk, at, CONTEXT_LEN, STEP_CONTEXT);
}

static void on_body(struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *p)
{
	uint32_t len;

	smb2_body(s, c, m, p);
	if (m->reply && m->command == NEGOTIATE && m->contexts > 0) {
		if (!want_context(c, m, m->at + le32(p + 60)))
			smb_detect(&c->sink, SMB_FOUND_message_short, m->at, le32(p + 60));
		return;
	}
	if (m->name.len == 0) {
		next_message(c, m);
		return;
	}
	len = m->name.len < SMB_WINDOW ? m->name.len : SMB_WINDOW;
	m->name.truncated = len < m->name.len;
	m->name.len = len;
	want(c, m->name.offset, len, STEP_NAME);
}

static void on_context(struct smb_context *c, struct smb2_message *m, const uint8_t *p)
{
	uint32_t len = le16(p + 2), at = c->walk->at;

	if (le16(p) == CONTEXT_COMPRESSION && len >= COMPRESSION_LEN)
		want(c, at + CONTEXT_LEN, COMPRESSION_LEN, STEP_COMPRESSION);
	else if (!want_context(c, m, at + CONTEXT_LEN + ((len + 7) & ~7u)))
		smb_walk_stop(c->walk);
}

static void on_compression(struct smb2 *s, struct smb_context *c, const uint8_t *p)
{
	if (le16(p) > 0 && le16(p + 8) != 0)
		s->compression = true;
	smb_walk_stop(c->walk);
}

void smb2_step(struct smb2 *s, struct smb_context *c, const uint8_t *window)
{
	struct smb2_message *m = &s->message[c->sink.direction];

	if (c->walk->at == BASE) /* the record's first */
		memset(m, 0, sizeof(*m));
	switch (c->walk->step) {
	case STEP_HEADER:
		on_header(s, c, m, window);
		break;
	case STEP_BODY:
		on_body(s, c, m, window);
		break;
	case STEP_NAME:
		smb2_body_name(s, c, m, window);
		next_message(c, m);
		break;
	case STEP_CONTEXT:
		on_context(c, m, window);
		break;
	case STEP_COMPRESSION:
		on_compression(s, c, window);
		break;
	default:
		smb2_opaque_step(s, c, window);
		break;
	}
}
