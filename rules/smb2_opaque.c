/* Encrypted and compressed records: MS-SMB2 2.2.41, 2.2.42. */
#include "smb2.h"
#include "smb_bytes.h"

#define BASE           4
#define ENCRYPTED_LEN  52
#define COMPRESSED_LEN 16
#define PAYLOAD_LEN    8
#define CHAINED        1

void smb2_opaque_begin(struct smb_context *c, uint8_t magic)
{
	uint32_t len = magic == 0xfd ? ENCRYPTED_LEN : COMPRESSED_LEN;

	smb_opening_other(c->opening);
	if (!smb_walk_want(
		    c->walk, BASE, len, magic == 0xfd ? SMB2_STEP_ENCRYPTED : SMB2_STEP_COMPRESSED))
		smb_detect(&c->sink, SMB_FOUND_message_short, BASE, len);
}

/* Several may follow each other in a record; nothing else may follow one. */
static void on_encrypted(
	struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *p)
{
	uint32_t at = c->walk->at, room = c->walk->record_len - at - ENCRYPTED_LEN;
	struct smb_event event = {.type = SMB_ENCRYPTED,
		.offset = at,
		.opaque = {.len = room, .session = le64(p + 44), .original = le32(p + 36)}};

	if (le32(p) != 0x424d53fd || event.opaque.original > room) {
		smb_detect(&c->sink, SMB_FOUND_encrypted_size, at, event.opaque.original);
		smb_walk_stop(c->walk);
		return;
	}
	if (event.opaque.original < room)
		event.opaque.len = event.opaque.original;
	smb_tell(&c->sink, &event);
	m->messages++;
	if (event.opaque.original == room) {
		smb_walk_stop(c->walk);
	} else if (m->messages >= SMB2_COMPOUND_MAX) {
		smb_limited(&c->sink, SMB_LIMIT_COMPOUND, at);
		smb_walk_stop(c->walk);
	} else if (!smb_walk_want(c->walk, at + ENCRYPTED_LEN + event.opaque.original,
			   ENCRYPTED_LEN, SMB2_STEP_ENCRYPTED)) {
		smb_detect(&c->sink, SMB_FOUND_encrypted_size, at, event.opaque.original);
	}
}

static void on_payload(struct smb_context *c, struct smb2_message *m, uint32_t at, const uint8_t *p)
{
	uint32_t len = le32(p + 4), room = c->walk->record_len - at - PAYLOAD_LEN;
	uint16_t algorithm = le16(p);
	bool has_size = algorithm != 0 && algorithm != 4; /* NONE, Pattern_V1 */

	m->contexts++;
	if (len > room || m->contexts > SMB2_PAYLOADS_MAX || (has_size && len < 4)) {
		smb_detect(&c->sink, SMB_FOUND_compressed_chain, at, len);
		smb_walk_stop(c->walk);
		return;
	}
	m->next = at + PAYLOAD_LEN + len;
	if (has_size)
		smb_walk_want(c->walk, at + PAYLOAD_LEN, 4, SMB2_STEP_PAYLOAD_SIZE);
	else if (m->next < c->walk->record_len &&
		 !smb_walk_want(c->walk, m->next, PAYLOAD_LEN, SMB2_STEP_PAYLOAD))
		smb_detect(&c->sink, SMB_FOUND_compressed_chain, m->next, len);
}

static void on_payload_size(struct smb_context *c, struct smb2_message *m, const uint8_t *p)
{
	if (le32(p) > m->original)
		smb_detect(&c->sink, SMB_FOUND_compressed_chain, c->walk->at, le32(p));
	if (m->next < c->walk->record_len &&
		!smb_walk_want(c->walk, m->next, PAYLOAD_LEN, SMB2_STEP_PAYLOAD))
		smb_detect(&c->sink, SMB_FOUND_compressed_chain, m->next, 0);
}

static void on_compressed(
	struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *p)
{
	uint32_t at = c->walk->at, room = c->walk->record_len - at - COMPRESSED_LEN;
	uint32_t original = le32(p + 4), offset = le32(p + 12);
	struct smb_event event = {.type = SMB_COMPRESSED,
		.offset = at,
		.opaque = {.len = c->walk->record_len - at, .original = original}};

	m->original = original;
	if (!s->compression)
		smb_detect(&c->sink, SMB_FOUND_compressed_unasked, at, le16(p + 8));
	if (original > s->size_max)
		smb_detect(&c->sink, SMB_FOUND_compressed_size, at, original);
	smb_tell(&c->sink, &event);
	if (le16(p + 10) & CHAINED) {
		on_payload(c, m, at + 8, p + 8);
		return;
	}
	if (original > UINT32_MAX - offset)
		smb_detect(&c->sink, SMB_FOUND_compressed_overflow, at, offset);
	if (offset > room)
		smb_detect(&c->sink, SMB_FOUND_compressed_offset, at, offset);
	smb_walk_stop(c->walk);
}

void smb2_opaque_step(struct smb2 *s, struct smb_context *c, const uint8_t *window)
{
	struct smb2_message *m = &s->message[c->sink.direction];

	switch (c->walk->step) {
	case SMB2_STEP_ENCRYPTED:
		on_encrypted(s, c, m, window);
		break;
	case SMB2_STEP_COMPRESSED:
		on_compressed(s, c, m, window);
		break;
	case SMB2_STEP_PAYLOAD:
		on_payload(c, m, c->walk->at, window);
		break;
	case SMB2_STEP_PAYLOAD_SIZE:
		on_payload_size(c, m, window);
		break;
	default:
		break;
	}
}
