/* SMB1 messages for smb_rig.h. */
#ifndef VS_SMB1_RIG_H
#define VS_SMB1_RIG_H

#include "smb_rig.h"

#define UNICODE 0x8000

/* Ids of the messages to come. */
static struct {
	uint16_t pid, mid, tid, uid, flags2;
	uint32_t status;
} smb1_with = {.pid = 0x1234, .mid = 1, .tid = 7, .uid = 9, .flags2 = 0x4000};

static uint32_t words_at; /* where the block's WordCount is */
static uint32_t bytes_at; /* and its ByteCount */

static inline void smb1_header(unsigned command, bool reply)
{
	msg_len = 4;
	put("\xffSMB", 4);
	put8(command);
	put32(smb1_with.status);
	put8(reply ? 0x98 : 0x18);
	put16(smb1_with.flags2);
	put_zeros(12);
	put16(smb1_with.tid);
	put16(smb1_with.pid);
	put16(smb1_with.uid);
	put16(smb1_with.mid);
}

/* n words, all zero; their bytes are then set by set16(word(i), v). */
static inline void smb1_words(unsigned n)
{
	words_at = msg_len;
	put8(n);
	put_zeros(n * 2);
	bytes_at = msg_len;
	put16(0);
}

static inline uint32_t word(unsigned i)
{
	return words_at + 1 + i * 2;
}

/* The block's bytes are what was put since. */
static inline void smb1_end(void)
{
	set16(bytes_at, msg_len - bytes_at - 2);
}

static inline void smb1_empty(unsigned command, bool reply)
{
	smb1_header(command, reply);
	smb1_words(0);
	send_msg(reply ? SMB_TO_CLIENT : SMB_TO_SERVER);
}

static inline void smb1_no_andx(void)
{
	msg[word(0)] = 0xff;
}

/* To the end of what was put, for an AndX chain: the next block is there. */
static inline void smb1_chain(unsigned command)
{
	smb1_end();
	msg[word(0)] = (uint8_t)command;
	set16(word(1), msg_len - 4);
}

/* A tree connect and its reply; the tree is smb1_with.tid. */
static inline void smb1_connect(const char *path)
{
	smb1_header(0x75, false);
	smb1_words(4);
	smb1_no_andx();
	set16(word(3), 1);
	put8(0);
	put(path, (uint32_t)strlen(path) + 1);
	put("?????", 6);
	smb1_end();
	send_msg(SMB_TO_SERVER);
	smb1_header(0x75, true);
	smb1_words(3);
	smb1_no_andx();
	send_msg(SMB_TO_CLIENT);
	smb1_with.mid++;
}

/* A primary transaction: count of total bytes of data, which are zero. */
static inline void smb1_trans(unsigned command, unsigned setup, uint32_t total, uint32_t count)
{
	smb1_header(command, false);
	smb1_words(15);
	set16(word(1), total);
	set16(word(11), count);
	msg[word(13)] = 1;
	set16(word(14), setup);
	set16(word(12), msg_len - 4);
	put_zeros(count);
	smb1_end();
	send_msg(SMB_TO_SERVER);
}

static inline void smb1_nt_transact(unsigned function, uint32_t total, uint32_t count)
{
	smb1_header(0xa0, false);
	smb1_words(19);
	set32(words_at + 1 + 7, total);
	set32(words_at + 1 + 27, count);
	set32(words_at + 1 + 31, msg_len - 4);
	set16(words_at + 1 + 36, function);
	put_zeros(count);
	smb1_end();
	send_msg(SMB_TO_SERVER);
}

/* 0x26, 0x33: of transactions with 16-bit lengths. */
static inline void smb1_secondary(
	unsigned command, uint32_t total, uint32_t count, uint32_t displacement)
{
	smb1_header(command, false);
	smb1_words(command == 0x33 ? 9 : 8);
	set16(word(1), total);
	set16(word(5), count);
	set16(word(6), msg_len - 4);
	set16(word(7), displacement);
	put_zeros(count);
	smb1_end();
	send_msg(SMB_TO_SERVER);
}

static inline void smb1_nt_secondary(uint32_t total, uint32_t count, uint32_t displacement)
{
	smb1_header(0xa1, false);
	smb1_words(18);
	set32(words_at + 1 + 7, total);
	set32(words_at + 1 + 23, count);
	set32(words_at + 1 + 27, msg_len - 4);
	set32(words_at + 1 + 31, displacement);
	put_zeros(count);
	smb1_end();
	send_msg(SMB_TO_SERVER);
}

#endif
