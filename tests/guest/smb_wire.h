/*
 * What SMB 2.1's messages look like, as far as smb speaks it: offsets from the beginning of the
 * SMB2 header, of numbers in little endian. Source: [MS-SMB2] 2.2.
 */
#ifndef GUEST_SMB_WIRE_H
#define GUEST_SMB_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SMB2_HEADER  64
#define SMB2_DIALECT 0x0210
#define SMB2_SIGNING 1 /* of the security mode: possible, not demanded */

enum {
	SMB2_NEGOTIATE = 0,
	SMB2_SESSION_SETUP = 1,
	SMB2_LOGOFF = 2,
	SMB2_TREE_CONNECT = 3,
	SMB2_TREE_DISCONNECT = 4,
	SMB2_CREATE = 5,
	SMB2_CLOSE = 6,
	SMB2_WRITE = 9,
};

/* Of the header. */
enum {
	AT_STATUS = 8,
	AT_COMMAND = 12,
	AT_CREDITS = 14,
	AT_FLAGS = 16,
	AT_MESSAGE = 24,
	AT_TREE = 36,
	AT_SESSION = 40,
};
#define SMB2_RESPONSE 1u /* of the flags */

/* NTSTATUS */
#define STATUS_OK            0u
#define STATUS_PENDING       0x00000103u
#define STATUS_MORE          0xc0000016u /* the session's next message, please */
#define STATUS_INVALID       0xc000000du
#define STATUS_NO_FILE       0xc0000034u
#define STATUS_CLOSED        0xc0000128u
#define STATUS_NOT_SUPPORTED 0xc00000bbu
#define STATUS_NO_SHARE      0xc00000ccu
#define STATUS_FAILED        0xc0000001u

/* Sizes of bodies without what is of variable length. */
enum {
	NEGOTIATE_REQUEST = 36,
	NEGOTIATE_RESPONSE = 64,
	SETUP_REQUEST = 24,
	SETUP_RESPONSE = 8,
	TREE_REQUEST = 8,
	TREE_RESPONSE = 16,
	CREATE_REQUEST = 56,
	CREATE_RESPONSE = 88,
	CLOSE_REQUEST = 24,
	CLOSE_RESPONSE = 60,
	WRITE_REQUEST = 48,
	WRITE_RESPONSE = 16,
	SHORT_BODY = 4, /* of LOGOFF and TREE_DISCONNECT, both ways */
	ERROR_BODY = 9,
};

/* NTLMSSP, [MS-NLMP] 2.2.1: the messages of somebody without a name and a password. */
#define NTLM_FLAGS     0x00088205u /* Unicode, target name, NTLM, always sign, extended security */
#define NTLM_ANONYMOUS 0x00000800u
enum {
	NTLM_NEGOTIATE_SIZE = 32,
	NTLM_CHALLENGE_SIZE = 48,
	NTLM_AUTHENTICATE_SIZE = 64,
};

static inline void put(void *to, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		((uint8_t *)to)[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t get(const void *from, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)((const uint8_t *)from)[i] << 8 * i;
	return value;
}

/* ASCII as UTF-16. Returns the bytes written. */
static inline uint32_t put_text(void *to, const char *text)
{
	uint32_t n = 0;

	for (; *text; text++, n += 2)
		put((uint8_t *)to + n, 2, (uint8_t)*text);
	return n;
}

#define SMB_PORT    445
#define SMB_SHARE   "share"
#define NAME_LENGTH 255
#define CHUNK       65536u /* bytes of a write: one credit's worth */

/* One connection and the message at hand. A record is 4 bytes of length and a message. */
struct link {
	int fd;
	uint64_t message, session;
	uint32_t tree;
	uint32_t len; /* of the message in `in` */
	uint8_t in[CHUNK + 4096];
	uint8_t record[4 + CHUNK + 4096];
};

/* Where the message that is to be sent is written. */
static inline uint8_t *out(struct link *l)
{
	return l->record + 4;
}

/* Begins a message in out() with its header. */
void begin(struct link *l, unsigned command, uint32_t flags, uint32_t status);

/* Sends it with that many bytes after the header. False: errno says why; the same for receive(). */
bool send_message(struct link *l, uint32_t body);
bool receive(struct link *l);

/* Says what failed and why (errno). Returns 1. */
int fail(const char *what);

/* Takes files into that directory, without end. Returns an exit status. */
int serve(const char *directory);

#endif
