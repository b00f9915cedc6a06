/*
 * SMB2 and SMB3 messages (MS-SMB2 2.2): headers, compounds, and of the bodies what names, opens,
 * closes, reads and writes. And records whose messages cannot be seen: encrypted ones are passed
 * over by their length, of compressed ones the header is checked (smb2_opaque.c).
 *
 * A struct smb2 belongs to its connection's smb_flow.
 */
#ifndef VS_SMB2_H
#define VS_SMB2_H

#include <stdbool.h>
#include <stdint.h>

#include "smb_context.h"
#include "smb_text.h"

#define SMB2_COMPOUND_MAX 128 /* messages in a record */
#define SMB2_SETS         32 /* of requests whose reply needs to know them, by message id */
#define SMB2_WAYS         4
#define SMB2_PENDING      (SMB2_SETS * SMB2_WAYS)
#define SMB2_CONTEXTS_MAX 16 /* negotiate contexts that are looked at */
#define SMB2_PAYLOADS_MAX 64 /* of a compressed record's chain */

/* Where nothing was negotiated: what servers take at the most, MS-SMB2 3.3.5.4. */
#define SMB2_SIZE_DEFAULT (8u << 20)

/* The message that a direction is in. */
struct smb2_message {
	uint64_t id, session;
	uint32_t at; /* of its magic, in the record */
	uint32_t end; /* of it */
	uint32_t next; /* where the next of the compound is; 0: none */
	uint32_t status, tree;
	uint16_t command;
	uint16_t messages; /* in this record so far */
	uint16_t contexts; /* still to come, of a negotiate reply; payloads so far, compressed */
	bool reply;
	bool to_pipe; /* a tree connect before, in this chain of related messages, was to IPC$ */
	struct smb_name name; /* that the window is to hold */
	uint32_t original; /* of a compressed record */
};

struct smb2_pending {
	uint64_t id;
	uint64_t file;
	uint64_t position;
	uint8_t command;
	uint8_t kind; /* enum smb_tree_kind that it went to */
	bool open;
};

struct smb2 {
	struct smb2_message message[2];
	uint32_t size_max; /* of a message that the server takes or sends */
	bool compression; /* was negotiated */
	struct smb2_pending pending[SMB2_PENDING];
};

void smb2_init(struct smb2 *s);

/* A record's magic said SMB2, 0xfe, encrypted, 0xfd, or compressed, 0xfc. */
void smb2_begin(struct smb_context *c, uint8_t magic);

/* The window that was wanted is there, at c->walk->at. */
void smb2_step(struct smb2 *s, struct smb_context *c, const uint8_t *window);

/* smb2_opaque.c: what smb2_step() does for these steps. */
enum smb2_opaque_step {
	SMB2_STEP_ENCRYPTED = 64,
	SMB2_STEP_COMPRESSED,
	SMB2_STEP_PAYLOAD,
	SMB2_STEP_PAYLOAD_SIZE,
};

void smb2_opaque_begin(struct smb_context *c, uint8_t magic);
void smb2_opaque_step(struct smb2 *s, struct smb_context *c, const uint8_t *window);

#endif
