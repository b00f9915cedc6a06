/*
 * What the words of an SMB1 block say, command by command: names to read, where data is, what it
 * opens or closes. Called by smb1.c with the words and ByteCount at hand.
 */
#ifndef VS_SMB1_COMMAND_H
#define VS_SMB1_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "smb1.h"

/* Request or reply, as m says. m->name.raw is NULL and m->name.len set where a name is to be read.
 */
void smb1_command(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *words);

/* The name that was asked for. */
void smb1_command_name(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *window);

/* Commands of transactions: smb1_command_trans.c. */
void smb1_command_trans(
	struct smb1 *s, struct smb_context *c, struct smb1_message *m, const uint8_t *words);

/* Whether len bytes at offset (from the magic) are behind the block's words, within the record. */
bool smb1_command_inside(
	const struct smb_context *c, const struct smb1_message *m, uint32_t offset, uint32_t len);

/* Pipe data of a transaction or of raw I/O on fid. */
void smb1_command_pipe_data(struct smb_context *c, uint16_t fid, uint32_t offset, uint32_t len);

/* The reply says that its request was not done. */
bool smb1_command_failed(const struct smb1_message *m);

/* Fewer words than the command has: told, false. */
bool smb1_command_words(const struct smb_context *c, const struct smb1_message *m, unsigned least);

#endif
