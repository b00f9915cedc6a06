/* SMB2 messages for smb_rig.h. */
#ifndef VS_SMB2_RIG_H
#define VS_SMB2_RIG_H

#include "smb_rig.h"

static struct {
	uint64_t id, session;
	uint32_t tree, status;
} smb2_with = {.id = 1, .session = 0x1122334455667788ull, .tree = 5};

static uint32_t smb2_at; /* the message at hand, in the record */

/* A message behind what is in the record already, 8 bytes aligned. */
static inline void smb2_next(unsigned command, bool reply)
{
	uint32_t before = smb2_at;

	while ((msg_len - 4) % 8 != 0)
		put8(0);
	smb2_at = msg_len;
	if (before != 0)
		set32(before + 20, smb2_at - before);
	put("\xfeSMB", 4);
	put16(64);
	put16(0);
	put32(smb2_with.status);
	put16(command);
	put16(1);
	put32(reply ? 1 : 0);
	put32(0);
	put64(smb2_with.id++);
	put32(0xfeff);
	put32(smb2_with.tree);
	put64(smb2_with.session);
	put_zeros(16);
}

static inline void smb2_header(unsigned command, bool reply)
{
	msg_len = 4;
	smb2_at = 0;
	smb2_next(command, reply);
}

/* What was put last is at this offset from the header. */
static inline uint32_t smb2_offset(void)
{
	return msg_len - smb2_at;
}

static inline void smb2_negotiate_reply(unsigned dialect, uint32_t size, bool compression)
{
	smb2_header(0, true);
	put16(65);
	put16(1);
	put16(dialect);
	put16(compression ? 2 : 1);
	put_zeros(20);
	put32(size);
	put32(size);
	put32(size);
	put_zeros(16);
	put16(0x80);
	put16(0);
	put32(128); /* contexts */
	put16(1); /* preauthentication integrity */
	put16(6);
	put32(0);
	put_zeros(8);
	put16(compression ? 3 : 2);
	put16(10);
	put32(0);
	put16(1);
	put16(0);
	put32(0);
	put16(2);
	send_msg(1);
}

static inline void smb2_tree_connect(const char *path, bool pipe)
{
	smb2_header(3, false);
	put16(9);
	put16(0);
	put16(72);
	put16((uint32_t)strlen(path) * 2);
	put_wide(path);
	send_msg(0);
	smb2_with.id--;
	smb2_header(3, true);
	put16(16);
	put8(pipe ? 2 : 1);
	put_zeros(13);
	send_msg(1);
}

/* A write of len bytes to the file of this number, at offset 112. */
static inline void smb2_write(uint64_t file, uint64_t position, const void *data, uint32_t len)
{
	put16(49);
	put16(112);
	put32(len);
	put64(position);
	put64(file);
	put64(file + 1);
	put_zeros(16);
	put(data, len);
}

#endif
