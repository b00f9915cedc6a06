/*
 * What an SMB2 message's body says, command by command. Called by smb2.c with the fixed part of the
 * body at hand.
 */
#ifndef VS_SMB2_BODY_H
#define VS_SMB2_BODY_H

#include <stdint.h>

#include "smb2.h"

/* Bytes of the body behind the header that smb2_body() wants; 0: it says nothing of interest. */
unsigned smb2_body_len(const struct smb2_message *m);

/* body: that many bytes. Sets m->name.len where a name is to be read. */
void smb2_body(struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *body);

/* The message has no such body: an error that answers a request, say. */
void smb2_body_none(struct smb2 *s, const struct smb2_message *m);

/* The name that was asked for. */
void smb2_body_name(
	struct smb2 *s, struct smb_context *c, struct smb2_message *m, const uint8_t *window);

#endif
