#include "smb1.h"

#include <string.h>

#include "smb1_command.h"
#include "smb_bytes.h"

enum { STEP_HEADER, STEP_WORDS, STEP_NAME, STEP_BLOCK };

#define HEADER_LEN 32
#define NO_ANDX    0xff
#define FLAG_REPLY 0x80

#define NT_CANCEL 0xa4
#define LOCKING   0x24

void smb1_init(struct smb1 *s)
{
	memset(s, 0, sizeof(*s));
	smb1_open_init(&s->open);
}

/* Wants what the message's lengths promise; where it is not in the record, the message is cut off.
 */
static void want(struct smb_context *c, uint32_t at, uint32_t len, uint8_t step)
{
	if (!smb_walk_want(c->walk, at, len, step))
		smb_detect(&c->sink, SMB_FOUND_message_short, at, len);
}

void smb1_begin(struct smb_context *c)
{
	want(c, SMB1_BASE, HEADER_LEN + 1, STEP_HEADER);
}

/* Commands to which no reply of their own comes. */
static bool is_answered(uint8_t command)
{
	return command != NT_CANCEL && command != SMB1_TRANSACTION_SECONDARY &&
	       command != SMB1_TRANSACTION2_SECONDARY && command != SMB1_NT_TRANSACT_SECONDARY;
}

static void on_request(struct smb1 *s, struct smb_context *c, const struct smb1_message *m)
{
	if (!smb_invariants_smb1_command(m->command))
		smb_detect(&c->sink, SMB_FOUND_reserved_command, SMB1_BASE, m->command);
	if (is_answered(m->command))
		smb1_open_request(&s->open, &c->sink, &m->ids, m->command, SMB1_BASE);
}

static void on_header(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *p)
{
	bool flagged = p[9] & FLAG_REPLY, oplock_break;

	memset(m, 0, sizeof(*m));
	m->header_command = m->command = p[4];
	m->status = le32(p + 5);
	m->flags2 = le16(p + 10);
	m->ids.tid = le16(p + 24);
	m->ids.pid = le16(p + 26);
	m->ids.uid = le16(p + 28);
	m->ids.mid = le16(p + 30);
	m->word_count = p[32];
	m->at = SMB1_BASE + HEADER_LEN;
	/* The one request of servers: MS-CIFS 2.2.4.32, MID 0xffff. */
	oplock_break = c->sink.direction == SMB_TO_CLIENT && !flagged && m->command == LOCKING &&
		       m->ids.mid == 0xffff;
	m->reply = c->sink.direction == SMB_TO_CLIENT && !oplock_break;
	if (flagged != m->reply)
		smb_detect(&c->sink, SMB_FOUND_wrong_direction, SMB1_BASE, m->command);
	if (m->reply && !(m->command == LOCKING && m->ids.mid == 0xffff))
		smb1_open_check_reply(
			&s->open, &c->sink, &m->ids, m->command, m->status, SMB1_BASE);
	else if (c->sink.direction == SMB_TO_SERVER)
		on_request(s, c, m);
	if (c->sink.direction == SMB_TO_SERVER)
		smb1_open_used(&s->open, m->ids.mid);
	want(c, m->at + 1, m->word_count * 2u + 2, STEP_WORDS);
}

/* Commands whose first two words name the next block: MS-CIFS 2.2.3.4. */
static bool is_andx(uint8_t command)
{
	switch (command) {
	case 0x24: /* LOCKING */
	case 0x2d: /* OPEN */
	case 0x2e: /* READ */
	case 0x2f: /* WRITE */
	case 0x73: /* SESSION_SETUP */
	case 0x74: /* LOGOFF */
	case 0x75: /* TREE_CONNECT */
	case 0xa2: /* NT_CREATE */
		return true;
	default:
		return false;
	}
}

static void next_block(struct smb1 *s, struct smb_context *c, struct smb1_message *m)
{
	uint32_t at = (uint32_t)SMB1_BASE + m->next_offset;

	if (m->next_command == NO_ANDX) {
		if (m->reply && !m->keep_open)
			smb1_open_replied(&s->open, &m->ids);
		smb_walk_stop(c->walk);
		return;
	}
	if (m->blocks >= SMB1_CHAIN_MAX || !smb_walk_want(c->walk, at, 1, STEP_BLOCK)) {
		smb_walk_stop(c->walk);
		smb_detect(&c->sink, SMB_FOUND_andx_chain, m->at, m->next_offset);
	}
}

static void tell_message(const struct smb_context *c, const struct smb1_message *m)
{
	struct smb_event event = {.type = SMB_MESSAGE,
		.offset = m->at,
		.message = {.version = 1,
			.reply = m->reply,
			.chained = m->blocks > 1,
			.command = m->command,
			.status = m->status,
			.tree = m->ids.tid,
			.id = (uint64_t)m->ids.pid << 16 | m->ids.mid}};

	if (m->blocks == 1)
		event.offset = SMB1_BASE;
	smb_opening_message(c->opening, &event);
	smb_tell(&c->sink, &event);
}

/* A name that overlaps the next block would be read as both. */
static bool want_name(struct smb_context *c, struct smb1_message *m)
{
	uint32_t len = m->name.len < SMB_WINDOW ? m->name.len : SMB_WINDOW;
	uint32_t next = (uint32_t)SMB1_BASE + m->next_offset;

	if (m->name.len == 0)
		return false;
	if (m->next_command != NO_ANDX && next < m->name.offset + len) {
		smb_detect(&c->sink, SMB_FOUND_andx_chain, m->at, m->next_offset);
		smb_walk_stop(c->walk);
		return true;
	}
	m->name.truncated = len < m->name.len;
	m->name.len = len;
	want(c, m->name.offset, len, STEP_NAME);
	return true;
}

static void on_words(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *words)
{
	m->blocks++;
	m->byte_count = le16(words + m->word_count * 2);
	m->bytes_at = m->at + 1 + m->word_count * 2u + 2;
	m->next_command = NO_ANDX;
	if (is_andx(m->command) && m->word_count >= 2) {
		m->next_command = words[0];
		m->next_offset = le16(words + 2);
	}
	/* Windows' replies to NT_CREATE have counted bytes that they do not have. */
	if (!m->reply && m->byte_count > c->walk->record_len - m->bytes_at)
		smb_detect(&c->sink, SMB_FOUND_message_short, m->bytes_at, m->byte_count);
	tell_message(c, m);
	m->name.len = 0;
	smb1_command(s, c, m, words);
	if (!want_name(c, m))
		next_block(s, c, m);
}

void smb1_step(struct smb1 *s, struct smb_context *c, const uint8_t *window)
{
	struct smb1_message *m = &s->message[c->sink.direction];

	switch (c->walk->step) {
	case STEP_HEADER:
		on_header(s, c, m, window);
		break;
	case STEP_WORDS:
		on_words(s, c, m, window);
		break;
	case STEP_NAME:
		smb1_command_name(s, c, m, window);
		next_block(s, c, m);
		break;
	default:
		m->at = c->walk->at;
		m->command = m->next_command;
		m->word_count = window[0];
		want(c, m->at + 1, m->word_count * 2u + 2, STEP_WORDS);
		break;
	}
}
