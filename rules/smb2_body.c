#include "smb2_body.h"

#include <stddef.h>

#include "smb_bytes.h"

/* MS-SMB2 2.2.1.2 */
enum {
	NEGOTIATE = 0,
	SESSION_SETUP = 1,
	TREE_CONNECT = 3,
	TREE_DISCONNECT = 4,
	CREATE = 5,
	CLOSE = 6,
	READ = 8,
	WRITE = 9,
	IOCTL = 11,
};

#define STATUS_PENDING  0x00000103u
#define STATUS_ERROR    0xc0000000u /* severity in the two highest bits; warnings have data */
#define SHARE_PIPE      2
#define PIPE_TRANSCEIVE 0x0011c017u
#define SIZE_SLACK      0x10000u /* headers of a compound beside the data that is limited */
#define DIALECT_311     0x0311
#define HEADER_LEN      64

unsigned smb2_body_len(const struct smb2_message *m)
{
	static const uint8_t request[] = {[SESSION_SETUP] = 24,
		[TREE_CONNECT] = 8,
		[TREE_DISCONNECT] = 4,
		[CREATE] = 56,
		[CLOSE] = 24,
		[READ] = 48,
		[WRITE] = 48,
		[IOCTL] = 56};
	static const uint8_t reply[] = {
		[NEGOTIATE] = 64, [TREE_CONNECT] = 16, [READ] = 16, [IOCTL] = 48};

	if (!m->reply)
		return m->command < sizeof(request) ? request[m->command] : 0;
	if ((m->status & STATUS_ERROR) == STATUS_ERROR || m->status == STATUS_PENDING)
		return 0;
	return m->command < sizeof(reply) ? reply[m->command] : 0;
}

/* A number for what is only unique together with its session. */
static uint64_t in_session(const struct smb2_message *m, uint64_t id)
{
	return (m->session * 0x9e3779b97f4a7c15ull) ^ id;
}

/* The 16 bytes of a FileId as one number. */
static uint64_t file_of(const struct smb2_message *m, const uint8_t *id)
{
	return in_session(m, le64(id) * 0xc2b2ae3d27d4eb4full ^ le64(id + 8));
}

/* Where a request of this id is, or what may make room for it: the oldest of its set. */
static struct smb2_pending *find_pending(struct smb2 *s, uint64_t id)
{
	struct smb2_pending *set = &s->pending[id % SMB2_SETS * SMB2_WAYS], *best = set;

	for (unsigned i = 0; i < SMB2_WAYS; i++)
		if (set[i].open && set[i].id == id)
			return &set[i];
	for (unsigned i = 1; i < SMB2_WAYS && best->open; i++)
		if (!set[i].open || set[i].id < best->id)
			best = &set[i];
	return best;
}

static void remember(struct smb2 *s, const struct smb_context *c, const struct smb2_message *m,
	struct smb2_pending pending)
{
	struct smb2_pending *slot = find_pending(s, m->id);

	if (slot->open && slot->id != m->id)
		smb_limited(&c->sink, SMB_LIMIT_PENDING, m->at);
	pending.id = m->id;
	pending.command = (uint8_t)m->command;
	pending.open = true;
	*slot = pending;
}

/* What a reply answers, which is no longer pending then. */
static bool recall(struct smb2 *s, const struct smb2_message *m, struct smb2_pending *pending)
{
	struct smb2_pending *slot = find_pending(s, m->id);

	if (!slot->open || slot->id != m->id || slot->command != m->command)
		return false;
	*pending = *slot;
	slot->open = false;
	return true;
}

void smb2_body_none(struct smb2 *s, const struct smb2_message *m)
{
	struct smb2_pending pending;

	if (m->reply && m->status != STATUS_PENDING)
		recall(s, m, &pending);
}

/* len bytes at offset from the header lie behind the body's fixed part and within the message. */
static bool inside(
	const struct smb_context *c, const struct smb2_message *m, uint32_t offset, uint32_t len)
{
	uint32_t room = m->end - m->at;

	if (len == 0 ||
		(offset >= smb_walk_end(c->walk) - m->at && offset <= room && len <= room - offset))
		return true;
	smb_detect(&c->sink, SMB_FOUND_data_outside, m->at, offset);
	return false;
}

static void pipe_data(struct smb_context *c, const struct smb2_message *m, uint64_t file,
	uint32_t offset, uint32_t len)
{
	if (len > 0 && inside(c, m, offset, len) &&
		!smb_pipes_data(c->pipes, &c->sink, c->stream, file, m->at + offset, len))
		smb_detect(&c->sink, SMB_FOUND_data_outside, m->at, offset);
}

static enum smb_tree_kind tree_of(const struct smb_context *c, const struct smb2_message *m)
{
	return m->to_pipe ? SMB_TREE_PIPE : smb_trees_kind(c->pipes, in_session(m, m->tree));
}

static void tell_data(const struct smb_context *c, const struct smb2_message *m, uint32_t offset,
	uint32_t len, const struct smb2_pending *of)
{
	struct smb_event event = {.type = SMB_FILE_DATA,
		.offset = m->at + offset,
		.file = {.len = len, .read = m->reply}};

	if (of != NULL) {
		event.file.file = of->file;
		event.file.position = of->position;
		event.file.has_position = true;
	}
	smb_tell(&c->sink, &event);
}

static void write_request(struct smb_context *c, const struct smb2_message *m, const uint8_t *b)
{
	uint32_t offset = le16(b + 2), len = le32(b + 4);
	struct smb2_pending of = {.file = file_of(m, b + 16), .position = le64(b + 8)};
	enum smb_tree_kind kind = tree_of(c, m);

	if (len == 0 || !inside(c, m, offset, len))
		return;
	if (kind != SMB_TREE_PIPE)
		tell_data(c, m, offset, len, &of);
	if (kind != SMB_TREE_DISK)
		pipe_data(c, m, of.file, offset, len);
}

static void read_reply(
	struct smb2 *s, struct smb_context *c, const struct smb2_message *m, const uint8_t *b)
{
	uint32_t offset = b[2], len = le32(b + 4);
	struct smb2_pending of;
	bool known = recall(s, m, &of);

	if (len == 0 || !inside(c, m, offset, len))
		return;
	if (!known || of.kind != SMB_TREE_PIPE)
		tell_data(c, m, offset, len, known ? &of : NULL);
	if (known && of.kind != SMB_TREE_DISK)
		pipe_data(c, m, of.file, offset, len);
}

/* A name of len bytes at offset, clipped to the message. */
static void name(const struct smb_context *c, struct smb2_message *m, enum smb_event_type type,
	uint32_t offset, uint32_t len)
{
	if (len == 0 || !inside(c, m, offset, len))
		return;
	m->name = (struct smb_name){.type = type,
		.offset = m->at + offset,
		.len = len,
		.unicode = true,
		.pipe = type == SMB_CREATE && tree_of(c, m) == SMB_TREE_PIPE};
}

static void request(struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *b)
{
	enum smb_tree_kind kind = tree_of(c, m);

	switch (m->command) {
	case SESSION_SETUP:
		name(c, m, SMB_USER, le16(b + 12), le16(b + 14));
		break;
	case TREE_CONNECT:
		name(c, m, SMB_TREE_CONNECT, le16(b + 4), le16(b + 6));
		break;
	case TREE_DISCONNECT:
		smb_trees_remove(c->pipes, in_session(m, m->tree));
		break;
	case CREATE:
		name(c, m, SMB_CREATE, le16(b + 44), le16(b + 46));
		break;
	case CLOSE:
		smb_pipes_close(c->pipes, file_of(m, b + 8));
		break;
	case READ:
		remember(s, c, m,
			(struct smb2_pending){.file = file_of(m, b + 16),
				.position = le64(b + 8),
				.kind = (uint8_t)kind});
		break;
	case WRITE:
		write_request(c, m, b);
		break;
	case IOCTL:
		if (le32(b + 4) == PIPE_TRANSCEIVE)
			pipe_data(c, m, file_of(m, b + 8), le32(b + 24), le32(b + 28));
		break;
	default:
		break;
	}
}

static void negotiated(struct smb2 *s, struct smb2_message *m, const uint8_t *b)
{
	uint32_t max = 0;

	for (unsigned at = 28; at <= 36; at += 4)
		if (le32(b + at) > max)
			max = le32(b + at);
	s->size_max = max > UINT32_MAX - SIZE_SLACK ? UINT32_MAX : max + SIZE_SLACK;
	m->contexts = 0;
	if (le16(b + 4) == DIALECT_311)
		m->contexts = le16(b + 6) < SMB2_CONTEXTS_MAX ? le16(b + 6) : SMB2_CONTEXTS_MAX;
}

static void reply(struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *b)
{
	switch (m->command) {
	case NEGOTIATE:
		negotiated(s, m, b);
		break;
	case TREE_CONNECT:
		smb_trees_set(
			c->pipes, &c->sink, in_session(m, m->tree), b[2] == SHARE_PIPE, m->at);
		break;
	case READ:
		read_reply(s, c, m, b);
		break;
	case IOCTL:
		if (le32(b + 4) == PIPE_TRANSCEIVE)
			pipe_data(c, m, file_of(m, b + 8), le32(b + 32), le32(b + 36));
		break;
	default:
		break;
	}
}

void smb2_body(struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *body)
{
	if (m->reply)
		reply(s, c, m, body);
	else
		request(s, c, m, body);
}

void smb2_body_name(
	struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *window)
{
	m->name.raw = window;
	if (m->name.type == SMB_USER)
		smb_text_user(&c->sink, window, m->name.len, m->name.offset);
	else if (smb_text_tell(&c->sink, &m->name))
		m->to_pipe = true;
}
