/*
 * SMB1 messages (MS-CIFS 2.2.3): the header, the chain of AndX blocks, and what they say. Of each
 * message only header, words and names are read; data is told of by its place.
 *
 * A struct smb1 belongs to its connection's smb_flow.
 */
#ifndef VS_SMB1_H
#define VS_SMB1_H

#include <stdbool.h>
#include <stdint.h>

#include "smb1_trans.h"
#include "smb_context.h"
#include "smb_text.h"

#define SMB1_CHAIN_MAX 10 /* blocks in a message; Windows sends three at the most */

/* Offsets within a message are counted from its magic, which is here in the record. */
#define SMB1_BASE 4

/* The message that a direction is in. */
struct smb1_message {
	struct smb1_ids ids;
	uint32_t status;
	uint16_t flags2;
	uint8_t header_command;
	bool reply;

	/* of the block at hand */
	uint8_t command;
	uint8_t blocks; /* so far */
	uint8_t word_count;
	uint8_t next_command; /* 0xff: none */
	uint16_t next_offset; /* from the magic */
	uint16_t byte_count;
	uint32_t at; /* of its WordCount, in the record */
	uint32_t bytes_at;

	bool to_pipe; /* a tree connect in this chain was to IPC$ */
	bool keep_open; /* further replies to the same request will come */
	struct smb_name name; /* that the window is to hold */
};

/* Where raw data of a direction goes. */
struct smb1_raw {
	uint16_t fid, tid;
	uint64_t position; /* in the file, of the next */
};

struct smb1 {
	struct smb1_message message[2];
	struct smb1_raw raw[2];
	bool raw_used; /* a raw mode, by the client: the server's framing is as the client made it
			*/
	struct smb1_open open;
};

void smb1_init(struct smb1 *s);

/* A record's magic said SMB1: wants the header. */
void smb1_begin(struct smb_context *c);

/* A record is raw data, all of it behind its NetBIOS header. */
void smb1_raw_data(struct smb1 *s, struct smb_context *c);

/* The window that was wanted is there, at c->walk->at. */
void smb1_step(struct smb1 *s, struct smb_context *c, const uint8_t *window);

#endif
