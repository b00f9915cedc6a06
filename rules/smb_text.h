/*
 * Names in SMB messages: UTF-16 or the client's code page on the wire, UTF-8 for the reader. And
 * the user name in NTLMSSP (MS-NLMP 2.2.1.3). Pure functions that tell what they find.
 */
#ifndef VS_SMB_TEXT_H
#define VS_SMB_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "smb_event.h"

/*
 * A name as far as it goes to its terminator or len. raw: its bytes, whole or, where truncated,
 * their beginning. Tells SMB_LIMIT_NAME beside the truncated event. type: SMB_TREE_CONNECT,
 * SMB_CREATE, SMB_USER.
 */
struct smb_name {
	enum smb_event_type type;
	const uint8_t *raw;
	uint32_t len;
	uint32_t offset; /* in the record */
	bool unicode;
	bool truncated;
	bool pipe; /* for SMB_CREATE: on IPC$ */
};

/* Returns whether the name is of IPC$ (for a tree's path). */
bool smb_text_tell(const struct smb_sink *sink, const struct smb_name *name);

/* The bytes of a name up to, without, its terminator. */
uint32_t smb_text_len(const uint8_t *raw, uint32_t len, bool unicode);

/*
 * Looks for NTLMSSP's authenticate message in a security blob (whole or its beginning) at offset of
 * the record, and tells its user.
 */
void smb_text_user(const struct smb_sink *sink, const uint8_t *blob, uint32_t len, uint32_t offset);

#endif
