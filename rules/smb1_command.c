#include "smb1_command.h"

#include <stddef.h>

#include "smb_bytes.h"
#include "smb_text.h"

#define FLAGS2_UNICODE   0x8000
#define FLAGS2_NT_STATUS 0x4000
#define ERROR_STATUS     0xc0000000u /* severity in the two highest bits */

#define WRITE_MODE_RAW       0x0004
#define WRITE_MODE_MSG_START 0x0008

#define LOCK_OPLOCK_RELEASE 0x02

enum {
	OPEN = 0x02,
	CREATE = 0x03,
	CLOSE = 0x04,
	READ = 0x0a,
	WRITE = 0x0b,
	CREATE_NEW = 0x0f,
	LOCK_AND_READ = 0x13,
	WRITE_AND_UNLOCK = 0x14,
	READ_RAW = 0x1a,
	READ_MPX = 0x1b,
	WRITE_RAW = 0x1d,
	LOCKING_ANDX = 0x24,
	ECHO = 0x2b,
	WRITE_AND_CLOSE = 0x2c,
	OPEN_ANDX = 0x2d,
	READ_ANDX = 0x2e,
	WRITE_ANDX = 0x2f,
	TREE_CONNECT = 0x70,
	TREE_DISCONNECT = 0x71,
	SESSION_SETUP_ANDX = 0x73,
	TREE_CONNECT_ANDX = 0x75,
	NT_CREATE_ANDX = 0xa2,
};

bool smb1_command_failed(const struct smb1_message *m)
{
	if (m->flags2 & FLAGS2_NT_STATUS)
		return (m->status & ERROR_STATUS) == ERROR_STATUS;
	return (m->status & 0xff) != 0; /* DOS error class */
}

bool smb1_command_words(const struct smb_context *c, const struct smb1_message *m, unsigned least)
{
	if (m->word_count >= least)
		return true;
	smb_detect(&c->sink, SMB_FOUND_message_short, m->at, m->word_count);
	return false;
}

bool smb1_command_inside(
	const struct smb_context *c, const struct smb1_message *m, uint32_t offset, uint32_t len)
{
	uint32_t room = c->walk->record_len - SMB1_BASE;

	return len == 0 ||
	       (offset >= m->bytes_at - SMB1_BASE && offset <= room && len <= room - offset);
}

void smb1_command_pipe_data(struct smb_context *c, uint16_t fid, uint32_t offset, uint32_t len)
{
	uint32_t at = SMB1_BASE + offset;

	if (len > 0 && !smb_pipes_data(c->pipes, &c->sink, c->stream, fid, at, len))
		smb_detect(&c->sink, SMB_FOUND_data_outside, at, len);
}

/* Data of a read or write: a file's, a pipe's, or, on a tree that is not known, maybe either. */
static void data(struct smb_context *c, const struct smb1_message *m, uint32_t offset, uint32_t len,
	struct smb_event *event)
{
	enum smb_tree_kind kind = smb_trees_kind(c->pipes, m->ids.tid);

	if (m->to_pipe)
		kind = SMB_TREE_PIPE;
	if (!smb1_command_inside(c, m, offset, len)) {
		smb_detect(&c->sink, SMB_FOUND_data_outside, m->at, len);
		return;
	}
	if (len == 0)
		return;
	if (kind != SMB_TREE_PIPE) {
		event->type = SMB_FILE_DATA;
		event->offset = SMB1_BASE + offset;
		event->file.len = len;
		event->file.read = m->reply;
		smb_tell(&c->sink, event);
	}
	if (kind != SMB_TREE_DISK)
		smb1_command_pipe_data(c, (uint16_t)event->file.file, offset, len);
}

static void write_andx(
	struct smb1 *s, struct smb_context *c, const struct smb1_message *m, const uint8_t *w)
{
	struct smb_event event = {.file = {.has_position = true}};
	uint32_t len, offset;
	uint16_t mode;

	smb1_trans_check_write(&s->open, &c->sink, &m->ids, m->at);
	if (!smb1_command_words(c, m, 12))
		return;
	mode = le16(w + 14);
	len = le16(w + 20) | (uint32_t)le16(w + 18) << 16;
	offset = le16(w + 22);
	event.file.file = le16(w + 4);
	event.file.position = le32(w + 6);
	if (m->word_count >= 14)
		event.file.position |= (uint64_t)le32(w + 24) << 32;
	if ((mode & WRITE_MODE_RAW) && (mode & WRITE_MODE_MSG_START) && len >= 2 &&
		smb_trees_kind(c->pipes, m->ids.tid) == SMB_TREE_PIPE) {
		/* The message's length is before it. */
		offset += 2;
		len -= 2;
	}
	data(c, m, offset, len, &event);
}

/* WRITE, WRITE_AND_UNLOCK: a buffer format and a length are before the data. */
static void write_core(
	struct smb_context *c, const struct smb1_message *m, const uint8_t *w, uint32_t before)
{
	struct smb_event event = {.file = {.has_position = true}};

	if (!smb1_command_words(c, m, 5))
		return;
	event.file.file = le16(w);
	event.file.position = le32(w + 4);
	data(c, m, m->bytes_at - SMB1_BASE + before, le16(w + 2), &event);
}

static void read_reply(struct smb1 *s, struct smb_context *c, const struct smb1_message *m,
	uint32_t offset, uint32_t len)
{
	const struct smb1_request *request = smb1_open_find(&s->open, &m->ids);
	struct smb_event event = {0};

	if (request != NULL) {
		event.file.file = request->fid;
		event.file.has_position = true;
		event.file.position = request->position;
	}
	data(c, m, offset, len, &event);
}

static void reply(struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *w)
{
	struct smb1_request *request = smb1_open_find(&s->open, &m->ids);

	switch (m->command) {
	case READ_ANDX:
		if (m->word_count >= 12)
			read_reply(
				s, c, m, le16(w + 12), le16(w + 10) | (uint32_t)le16(w + 14) << 16);
		break;
	case READ:
	case LOCK_AND_READ:
		if (m->word_count >= 5)
			read_reply(s, c, m, m->bytes_at - SMB1_BASE + 3, le16(w));
		break;
	case TREE_CONNECT_ANDX:
	case TREE_CONNECT:
		if (request != NULL && m->status == 0 && m->word_count >= 2)
			smb_trees_set(c->pipes, &c->sink,
				m->command == TREE_CONNECT ? le16(w + 2) : m->ids.tid,
				request->pipe, m->at);
		break;
	case ECHO:
		m->keep_open = request != NULL && request->position > 1;
		if (m->keep_open)
			request->position--;
		break;
	case WRITE_RAW:
		m->keep_open = !smb1_command_failed(m);
		break;
	case READ_MPX:
		m->keep_open = m->status == 0;
		break;
	default:
		break;
	}
}

/* A name in the block's bytes, skip bytes into them. len: of it, as far as the block has it. */
static void name(struct smb_context *c, struct smb1_message *m, enum smb_event_type type,
	uint32_t skip, uint32_t len)
{
	uint32_t at = m->bytes_at + skip;
	uint32_t end = m->bytes_at + m->byte_count;

	m->name = (struct smb_name){.type = type, .unicode = m->flags2 & FLAGS2_UNICODE};
	if (m->name.unicode && type != SMB_USER && (at - SMB1_BASE) & 1)
		at++;
	if (end > c->walk->record_len)
		end = c->walk->record_len;
	if (at >= end)
		return;
	m->name.offset = at;
	m->name.len = len < end - at ? len : end - at;
	m->name.pipe = m->to_pipe || smb_trees_kind(c->pipes, m->ids.tid) == SMB_TREE_PIPE;
}

/* A read's reply does not say what it is of. */
static void remember_read(
	struct smb1 *s, const struct smb1_message *m, uint16_t fid, uint64_t position)
{
	struct smb1_request *request = smb1_open_find(&s->open, &m->ids);

	if (request == NULL)
		return;
	request->fid = fid;
	request->position = position;
}

static void locking(
	struct smb1 *s, const struct smb_context *c, const struct smb1_message *m, const uint8_t *w)
{
	/* An acknowledged oplock break that locks nothing gets no reply: MS-CIFS 3.3.5.29. */
	if (m->word_count >= 8 && w[6] & LOCK_OPLOCK_RELEASE && le32(w + 12) == 0)
		smb1_open_replied(&s->open, &m->ids);
}

static void echo(
	struct smb1 *s, const struct smb_context *c, const struct smb1_message *m, const uint8_t *w)
{
	if (!smb1_command_words(c, m, 1))
		return;
	if (le16(w) == 0)
		smb1_open_replied(&s->open, &m->ids);
	else
		remember_read(s, m, 0, le16(w));
}

/* MS-CIFS 2.2.4.22: its data comes bare, as the next record. */
static void read_raw(
	struct smb1 *s, struct smb_context *c, const struct smb1_message *m, const uint8_t *w)
{
	struct smb1_raw *raw = &s->raw[SMB_TO_CLIENT];

	s->raw_used = true;
	c->raw |= SMB_RAW_READ;
	smb1_open_replied(&s->open, &m->ids);
	if (!smb1_command_words(c, m, 8))
		return;
	*raw = (struct smb1_raw){le16(w), m->ids.tid, le32(w + 2)};
	if (m->word_count >= 10)
		raw->position |= (uint64_t)le32(w + 16) << 32;
}

/* MS-CIFS 2.2.4.25: its first data may be here, the rest comes bare once the server lets it. */
static void write_raw(
	struct smb1 *s, struct smb_context *c, const struct smb1_message *m, const uint8_t *w)
{
	struct smb_event event = {.file = {.has_position = true}};

	s->raw_used = true;
	c->raw |= SMB_RAW_ASKED;
	if (!smb1_command_words(c, m, 12))
		return;
	event.file.file = le16(w);
	event.file.position = le32(w + 6);
	if (m->word_count >= 14)
		event.file.position |= (uint64_t)le32(w + 24) << 32;
	s->raw[SMB_TO_SERVER] = (struct smb1_raw){
		le16(w), m->ids.tid, event.file.position + le16(w + 20)};
	data(c, m, le16(w + 22), le16(w + 20), &event);
}

void smb1_raw_data(struct smb1 *s, struct smb_context *c)
{
	struct smb1_raw *raw = &s->raw[c->sink.direction];
	enum smb_tree_kind kind = smb_trees_kind(c->pipes, raw->tid);
	uint32_t len = c->walk->record_len - SMB1_BASE;
	struct smb_event event = {.type = SMB_FILE_DATA,
		.offset = SMB1_BASE,
		.file = {.len = len,
			.read = c->sink.direction == SMB_TO_CLIENT,
			.has_position = true,
			.position = raw->position,
			.file = raw->fid}};

	raw->position += len;
	if (len == 0)
		return;
	if (kind != SMB_TREE_PIPE)
		smb_tell(&c->sink, &event);
	if (kind != SMB_TREE_DISK)
		smb1_command_pipe_data(c, raw->fid, 0, len);
}

/* Requests that carry names, or open and close. */
static void request_names(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *w)
{
	switch (m->command) {
	case SESSION_SETUP_ANDX:
		if (m->word_count == 12)
			name(c, m, SMB_USER, 0, le16(w + 14));
		break;
	case TREE_CONNECT_ANDX:
		if (smb1_command_words(c, m, 4))
			name(c, m, SMB_TREE_CONNECT, le16(w + 6), UINT16_MAX);
		break;
	case TREE_CONNECT:
		name(c, m, SMB_TREE_CONNECT, 1, UINT16_MAX);
		break;
	case NT_CREATE_ANDX:
		if (smb1_command_words(c, m, 24))
			name(c, m, SMB_CREATE, 0, le16(w + 5));
		break;
	case OPEN_ANDX:
		name(c, m, SMB_CREATE, 0, UINT16_MAX);
		break;
	case OPEN:
	case CREATE:
	case CREATE_NEW:
		name(c, m, SMB_CREATE, 1, UINT16_MAX);
		break;
	case TREE_DISCONNECT:
		smb_trees_remove(c->pipes, m->ids.tid);
		break;
	case CLOSE:
		if (smb1_command_words(c, m, 3))
			smb_pipes_close(c->pipes, le16(w));
		break;
	default:
		break;
	}
}

static void request(struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *w)
{
	switch (m->command) {
	case WRITE_ANDX:
		write_andx(s, c, m, w);
		break;
	case WRITE:
	case WRITE_AND_UNLOCK:
		write_core(c, m, w, 3);
		break;
	case WRITE_AND_CLOSE:
		write_core(c, m, w, 1);
		break;
	case READ_ANDX:
		if (smb1_command_words(c, m, 10))
			remember_read(s, m, le16(w + 4),
				le32(w + 6) |
					(m->word_count >= 12 ? (uint64_t)le32(w + 20) << 32 : 0));
		break;
	case READ:
	case LOCK_AND_READ:
		if (smb1_command_words(c, m, 5))
			remember_read(s, m, le16(w), le32(w + 4));
		break;
	case READ_RAW:
		read_raw(s, c, m, w);
		break;
	case WRITE_RAW:
		write_raw(s, c, m, w);
		break;
	case LOCKING_ANDX:
		locking(s, c, m, w);
		break;
	case ECHO:
		echo(s, c, m, w);
		break;
	default:
		request_names(s, c, m, w);
		break;
	}
}

/* Whatever it is that answers WRITE_RAW: clients go by its ids and status. */
static void answer_raw(struct smb1 *s, struct smb_context *c, const struct smb1_message *m)
{
	const struct smb1_request *request = smb1_open_find(&s->open, &m->ids);

	if (request != NULL && request->command == WRITE_RAW)
		c->raw |= smb1_command_failed(m) ? SMB_RAW_REFUSED : SMB_RAW_GRANTED;
}

void smb1_command(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *words)
{
	if (m->reply)
		answer_raw(s, c, m);
	switch (m->command) {
	case SMB1_TRANSACTION:
	case SMB1_TRANSACTION_SECONDARY:
	case SMB1_TRANSACTION2:
	case SMB1_TRANSACTION2_SECONDARY:
	case SMB1_NT_TRANSACT:
	case SMB1_NT_TRANSACT_SECONDARY:
		smb1_command_trans(s, c, m, words);
		break;
	default:
		if (m->reply)
			reply(s, c, m, words);
		else if (c->sink.direction == SMB_TO_SERVER)
			request(s, c, m, words);
		break;
	}
}

void smb1_command_name(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *window)
{
	struct smb1_request *request;
	bool pipe;

	m->name.raw = window;
	if (m->name.type == SMB_USER) {
		smb_text_user(&c->sink, window, m->name.len, m->name.offset);
		return;
	}
	pipe = smb_text_tell(&c->sink, &m->name);
	if (m->name.type != SMB_TREE_CONNECT)
		return;
	m->to_pipe = pipe;
	request = smb1_open_find(&s->open, &m->ids);
	if (request != NULL)
		request->pipe = pipe;
}
