/* Transactions' words: MS-CIFS 2.2.4.33, 34, 46, 47, 62, 63. */
#include "smb1_command.h"

#include <stddef.h>

#include "smb_bytes.h"

enum { TRANSACT_NMPIPE = 0x26, RAW_WRITE_NMPIPE = 0x31, WRITE_NMPIPE = 0x37 };

#define FLAG_NO_RESPONSE 0x0002

/* Where in the words what is, in bytes; displacement 0: there is none. */
struct layout {
	uint8_t words; /* at the least */
	uint8_t size; /* of each number */
	uint8_t total, count[2], offset[2], displacement[2];
};

static const struct layout trans_primary = {14, 2, 0, {18, 22}, {20, 24}, {0, 0}};
static const struct layout trans_secondary = {8, 2, 0, {4, 10}, {6, 12}, {8, 14}};
static const struct layout trans_reply = {10, 2, 0, {6, 12}, {8, 14}, {10, 16}};
static const struct layout nt_primary = {19, 4, 3, {19, 27}, {23, 31}, {0, 0}};
static const struct layout nt_secondary = {18, 4, 3, {11, 23}, {15, 27}, {19, 31}};
static const struct layout nt_reply = {18, 4, 3, {11, 23}, {15, 27}, {19, 31}};

static uint32_t number(const struct layout *l, const uint8_t *words, uint8_t at)
{
	return l->size == 2 ? le16(words + at) : le32(words + at);
}

static void read_part(const struct layout *l, const uint8_t *words, struct smb1_part *part)
{
	for (unsigned i = 0; i < 2; i++) {
		part->total[i] = number(l, words, (uint8_t)(l->total + i * l->size));
		part->count[i] = number(l, words, l->count[i]);
		part->offset[i] = number(l, words, l->offset[i]);
		part->displacement[i] = 0;
		if (l->displacement[i] != 0)
			part->displacement[i] = number(l, words, l->displacement[i]);
	}
}

static void check_place(
	const struct smb_context *c, const struct smb1_message *m, struct smb1_part *part)
{
	for (unsigned i = 0; i < 2; i++) {
		if (smb1_command_inside(c, m, part->offset[i], part->count[i]))
			continue;
		smb_detect(&c->sink, SMB_FOUND_data_outside, m->at, part->offset[i]);
		part->offset[i] = 0;
	}
}

static void pipe_data(
	struct smb_context *c, const struct smb1_transaction *t, const struct smb1_part *part)
{
	if (t->pipe && part->offset[1] != 0)
		smb1_command_pipe_data(c, t->fid, part->offset[1], part->count[1]);
}

/* Setup words of TRANSACTION and TRANSACTION2 begin behind the 28 bytes that are fixed. */
static void trans_setup(struct smb_context *c, const struct smb1_message *m, const uint8_t *w,
	struct smb1_transaction *t)
{
	uint16_t function;
	enum smb_detection found;

	if (w[26] == 0 || m->word_count < 15)
		return;
	function = le16(w + 28);
	if (m->command == SMB1_TRANSACTION2) {
		found = smb_invariants_trans2_subcommand(function);
		if (found != SMB_DETECTIONS)
			smb_detect(&c->sink, found, m->at, function);
		return;
	}
	if (m->word_count >= 16 && (function == TRANSACT_NMPIPE || function == RAW_WRITE_NMPIPE ||
					   function == WRITE_NMPIPE)) {
		t->pipe = true;
		t->fid = le16(w + 30);
	}
}

static void nt_function(struct smb_context *c, const struct smb1_message *m, const uint8_t *w,
	struct smb1_transaction *t)
{
	uint16_t function = le16(w + 36);
	enum smb_detection found = smb_invariants_nt_function(function);

	if (found != SMB_DETECTIONS)
		smb_detect(&c->sink, found, m->at, function);
	t->rename = found == SMB_FOUND_nt_rename;
}

static void primary(struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *w)
{
	bool nt = m->command == SMB1_NT_TRANSACT;
	const struct layout *l = nt ? &nt_primary : &trans_primary;
	struct smb1_transaction *t;
	struct smb1_part part;

	if (!smb1_command_words(c, m, l->words))
		return;
	read_part(l, w, &part);
	check_place(c, m, &part);
	t = smb1_trans_primary(&s->open, &c->sink, &m->ids, m->command, &part, m->at);
	if (nt)
		nt_function(c, m, w, t);
	else
		trans_setup(c, m, w, t);
	pipe_data(c, t, &part);
	/* Complete, and no reply will come. */
	if (!nt && le16(w + 10) & FLAG_NO_RESPONSE && part.count[0] >= part.total[0] &&
		part.count[1] >= part.total[1]) {
		smb1_trans_reply(&s->open, &m->ids, true, NULL);
		smb1_open_replied(&s->open, &m->ids);
	}
}

/* Judged by its ids even where its words are wrong. */
static void secondary(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *w)
{
	const struct layout *l = m->command == SMB1_NT_TRANSACT_SECONDARY ? &nt_secondary
									  : &trans_secondary;
	struct smb1_transaction *t;
	struct smb1_part part = {0};

	if (smb1_command_words(c, m, l->words))
		read_part(l, w, &part);
	check_place(c, m, &part);
	t = smb1_trans_secondary(&s->open, &c->sink, &m->ids, m->command, &part, m->at);
	if (t != NULL)
		pipe_data(c, t, &part);
}

static void reply(struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *w)
{
	const struct layout *l = m->command == SMB1_NT_TRANSACT ? &nt_reply : &trans_reply;
	const struct smb1_transaction *t = smb1_trans_find(&s->open, &m->ids);
	bool failed = smb1_command_failed(m), has_words = m->word_count >= l->words;
	struct smb1_part part;

	if (has_words) {
		read_part(l, w, &part);
		check_place(c, m, &part);
		if (t != NULL)
			pipe_data(c, t, &part);
	}
	m->keep_open = !smb1_trans_reply(&s->open, &m->ids, failed, has_words ? &part : NULL);
}

void smb1_command_trans(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *words)
{
	bool is_secondary = m->command == SMB1_TRANSACTION_SECONDARY ||
			    m->command == SMB1_TRANSACTION2_SECONDARY ||
			    m->command == SMB1_NT_TRANSACT_SECONDARY;

	if (c->sink.direction == SMB_TO_CLIENT) {
		if (!is_secondary && m->reply)
			reply(s, c, m, words);
	} else if (is_secondary) {
		secondary(s, c, m, words);
	} else {
		primary(s, c, m, words);
	}
}
