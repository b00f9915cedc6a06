#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pktgen_smb2.h"

/* MS-SMB2 2.2.1: commands. */
enum command {
	NEGOTIATE = 0,
	SESSION_SETUP = 1,
	TREE_CONNECT = 3,
	CREATE = 5,
	READ = 8,
	WRITE = 9,
};

#define HEADER    64 /* MS-SMB2 2.2.1.2 */
#define NETBIOS   4
#define REPLY     0x00000001u /* SMB2_FLAGS_SERVER_TO_REDIR */
#define MORE      0xc0000016u /* STATUS_MORE_PROCESSING_REQUIRED */
#define DIALECT   0x0210 /* 2.1: no negotiate contexts, neither signing nor encryption */
#define CREDITS   64
#define SESSION   0x400000001ull
#define TREE      1
#define FILE_ID   0x1122334455667788ull
#define FILE_SIZE (1ull << 30) /* then it begins anew */
#define TRANSFER  (1u << 20) /* of a read or write, that the server takes */

/* A message under construction. */
struct message {
	uint8_t *bytes;
	uint32_t len;
};

static void put(struct message *m, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		m->bytes[m->len++] = (uint8_t)(v >> 8 * i);
}

static void put_zeros(struct message *m, unsigned bytes)
{
	memset(m->bytes + m->len, 0, bytes);
	m->len += bytes;
}

static void put_wide(struct message *m, const char *text)
{
	for (; *text != '\0'; text++)
		put(m, (uint8_t)*text, 2);
}

static void put_header(
	struct message *m, unsigned side, enum command command, uint32_t status, uint64_t id)
{
	m->len = NETBIOS;
	put(m, 0x424d53fe, 4);
	put(m, HEADER, 2);
	put(m, command == NEGOTIATE ? 0 : 1, 2); /* credit charge */
	put(m, status, 4);
	put(m, command, 2);
	put(m, CREDITS, 2);
	put(m, side == 1 ? REPLY : 0, 4);
	put(m, 0, 4); /* next command */
	put(m, id, 8);
	put(m, 0xfeff, 4); /* process */
	put(m, command >= CREATE ? TREE : command == TREE_CONNECT && side == 1 ? TREE : 0, 4);
	put(m,
		command == NEGOTIATE || (command == SESSION_SETUP && side == 0 && id == 1)
			? 0
			: SESSION,
		8);
	put_zeros(m, 16); /* signature */
}

/* RFC 1002 4.3.1 as MS-SMB2 2.1 uses it: a zero, and 24 bits of length. */
static void set_netbios(uint8_t *bytes, uint32_t message)
{
	bytes[0] = 0;
	bytes[1] = (uint8_t)(message >> 16);
	bytes[2] = (uint8_t)(message >> 8);
	bytes[3] = (uint8_t)message;
}

/* MS-SMB2 2.2.3 and 2.2.4. */
static void negotiate(struct message *m, unsigned side)
{
	put_header(m, side, NEGOTIATE, 0, 0);
	if (side == 0) {
		put(m, 36, 2);
		put(m, 1, 2); /* dialects */
		put(m, 0, 4);
		put(m, 0, 4); /* capabilities */
		put(m, 0x0102030405060708, 8); /* client's GUID */
		put(m, 0x090a0b0c0d0e0f10, 8);
		put_zeros(m, 8);
		put(m, DIALECT, 2);
		return;
	}
	put(m, 65, 2);
	put(m, 0, 2); /* security mode */
	put(m, DIALECT, 2);
	put(m, 0, 2);
	put(m, 0x1112131415161718, 8); /* server's GUID */
	put(m, 0x191a1b1c1d1e1f20, 8);
	put(m, 0x04, 4); /* large MTU */
	put(m, TRANSFER, 4);
	put(m, TRANSFER, 4);
	put(m, TRANSFER, 4);
	put_zeros(m, 16); /* times */
	put(m, HEADER + 64, 2);
	put(m, 0, 2);
	put(m, 0, 4);
}

/* MS-NLMP 2.2.1: types 1, 2 and 3; the last is anonymous. */
static uint32_t put_ntlm(struct message *m, unsigned type)
{
	uint32_t begin = m->len;

	memcpy(m->bytes + m->len, "NTLMSSP", 8);
	m->len += 8;
	put(m, type, 4);
	if (type == 1) {
		put(m, 0x00000201, 4); /* Unicode, NTLM */
		put_zeros(m, 16);
	} else if (type == 2) {
		put(m, (uint64_t)56 << 32, 8); /* no target name, at offset 56 */
		put(m, 0x00000201, 4);
		put(m, 0x0123456789abcdef, 8); /* challenge */
		put_zeros(m, 8);
		put(m, (uint64_t)56 << 32, 8);
		put_zeros(m, 8);
	} else {
		for (unsigned i = 0; i < 6; i++) /* responses, domain, user, host, key: empty */
			put(m, (uint64_t)64 << 32, 8);
		put(m, 0x00000a01, 4); /* anonymous */
	}
	return m->len - begin;
}

/* MS-SMB2 2.2.5 and 2.2.6. */
static void session_setup(struct message *m, unsigned side, unsigned id)
{
	unsigned type = side == 1 ? 2 : id == 1 ? 1 : 3;
	uint32_t len_at, len;

	put_header(m, side, SESSION_SETUP, side == 1 && id == 1 ? MORE : 0, id);
	if (side == 0) {
		put(m, 25, 2);
		put(m, 0x0100, 2); /* flags, security mode */
		put(m, 0, 4);
		put(m, 0, 4);
		put(m, HEADER + 24, 2);
		len_at = m->len;
		put(m, 0, 2);
		put(m, 0, 8); /* previous session */
	} else {
		put(m, 9, 2);
		put(m, id == 2 ? 2 : 0, 2); /* of nobody */
		put(m, HEADER + 8, 2);
		len_at = m->len;
		put(m, 0, 2);
	}
	len = side == 1 && id == 2 ? 0 : put_ntlm(m, type);
	m->bytes[len_at] = (uint8_t)len;
}

/* MS-SMB2 2.2.9 and 2.2.10. */
static void tree_connect(struct message *m, unsigned side, uint32_t server)
{
	char path[64];

	put_header(m, side, TREE_CONNECT, 0, 3);
	if (side == 1) {
		put(m, 16, 2);
		put(m, 1, 2); /* a disk */
		put(m, 0, 4);
		put(m, 0, 4);
		put(m, 0x001f01ff, 4);
		return;
	}
	snprintf(path, sizeof(path), "\\\\%u.%u.%u.%u\\bench", server >> 24, server >> 16 & 255,
		server >> 8 & 255, server & 255);
	put(m, 9, 2);
	put(m, 0, 2);
	put(m, HEADER + 8, 2);
	put(m, 2 * strlen(path), 2);
	put_wide(m, path);
}

/* MS-SMB2 2.2.13 and 2.2.14. */
static void create(struct message *m, unsigned side)
{
	static const char name[] = "bench.dat";

	put_header(m, side, CREATE, 0, 4);
	if (side == 0) {
		put(m, 57, 2);
		put(m, 0, 2);
		put(m, 2, 4); /* impersonation */
		put_zeros(m, 16);
		put(m, 0x0012019f, 4); /* read and write */
		put(m, 0x80, 4);
		put(m, 7, 4);
		put(m, 3, 4); /* open, or create */
		put(m, 0x40, 4); /* no folder */
		put(m, HEADER + 56, 2);
		put(m, 2 * strlen(name), 2);
		put(m, 0, 8); /* contexts */
		put_wide(m, name);
		return;
	}
	put(m, 89, 2);
	put(m, 0, 2);
	put(m, 1, 4); /* opened */
	put_zeros(m, 32); /* times */
	put(m, FILE_SIZE, 8);
	put(m, FILE_SIZE, 8);
	put(m, 0x80, 4);
	put(m, 0, 4);
	put(m, FILE_ID, 8);
	put(m, FILE_ID, 8);
	put(m, 0, 8); /* contexts */
}

static void make_setup(struct pktgen_smb2 *smb2, unsigned side, uint32_t server)
{
	for (unsigned i = 0; i < PKTGEN_SMB2_SETUP; i++) {
		struct message m = {.bytes = smb2->setup[side][i]};

		if (i == 0)
			negotiate(&m, side);
		else if (i < 3)
			session_setup(&m, side, i);
		else if (i == 3)
			tree_connect(&m, side, server);
		else
			create(&m, side);
		set_netbios(m.bytes, m.len - NETBIOS);
		smb2->len[side][i] = m.len;
	}
}

/* xorshift64*, of any seed but 0. */
static void fill_random(uint8_t *bytes, size_t len)
{
	uint64_t state = 88172645463325252;

	for (size_t i = 0; i < len; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bytes[i] = (uint8_t)(state * 2685821657736338717ull >> 56);
	}
}

bool pktgen_smb2_init(struct pktgen_smb2 *smb2, enum pktgen_smb what, uint32_t block, bool zeros,
	const char *marker, uint32_t server)
{
	memset(smb2, 0, sizeof(*smb2));
	smb2->block = block;
	smb2->what = what;
	smb2->marker = marker;
	smb2->data = calloc(PKTGEN_SMB2_BLOCKS, block);
	if (smb2->data == NULL)
		return false;
	if (!zeros)
		fill_random(smb2->data, (size_t)PKTGEN_SMB2_BLOCKS * block);
	make_setup(smb2, 0, server);
	make_setup(smb2, 1, server);
	return true;
}

void pktgen_smb2_free(struct pktgen_smb2 *smb2)
{
	free(smb2->data);
	smb2->data = NULL;
}

static bool is_write(const struct pktgen_smb2 *smb2, uint64_t message)
{
	return smb2->what == PKTGEN_SMB_WRITE ||
	       (smb2->what == PKTGEN_SMB_BOTH && message % 2 == 1);
}

/* MS-SMB2 2.2.19 to 2.2.22: all before the data. Returns its length; *data: bytes that follow. */
static uint32_t make_head(const struct pktgen_smb2 *smb2, unsigned side, uint64_t message,
	uint8_t head[PKTGEN_SMB2_HEAD + 1], uint32_t *data)
{
	bool write = is_write(smb2, message);
	struct message m = {.bytes = head};
	uint64_t position = (message - PKTGEN_SMB2_SETUP) * smb2->block % FILE_SIZE;

	put_header(&m, side, write ? WRITE : READ, 0, message);
	*data = write == (side == 0) ? smb2->block : 0;
	if (side == 0) {
		put(&m, 49, 2);
		put(&m, write ? HEADER + 48 : HEADER + 16, 2); /* data; padding of the reply */
		put(&m, smb2->block, 4);
		put(&m, position, 8);
		put(&m, FILE_ID, 8);
		put(&m, FILE_ID, 8);
		put_zeros(&m, write ? 16 : 17);
	} else {
		put(&m, 17, 2);
		put(&m, write ? 0 : HEADER + 16, 2);
		put(&m, smb2->block, 4);
		put_zeros(&m, 8);
	}
	head[NETBIOS + 6] = (uint8_t)((smb2->block + 65535) / 65536); /* credit charge, 3.2.4.1.5 */
	set_netbios(head, m.len + *data - NETBIOS);
	return m.len;
}

uint32_t pktgen_smb2_len(const struct pktgen_smb2 *smb2, unsigned side, uint64_t message)
{
	bool write;

	if (message < PKTGEN_SMB2_SETUP)
		return smb2->len[side][message];
	write = is_write(smb2, message);
	if (side == 0)
		return PKTGEN_SMB2_HEAD + (write ? smb2->block : 1);
	return NETBIOS + HEADER + 16 + (write ? 0 : smb2->block);
}

uint32_t pktgen_smb2_data(const struct pktgen_smb2 *smb2, uint64_t message)
{
	return message < PKTGEN_SMB2_SETUP ? 0 : smb2->block;
}

static uint32_t at_most(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* A block's bytes from offset on; the marker is its last, of the message that has one. */
static void copy_block(const struct pktgen_smb2 *smb2, uint64_t message, bool marked,
	uint32_t offset, uint8_t *bytes, uint32_t len)
{
	uint32_t marker = marked && smb2->marker != NULL ? (uint32_t)strlen(smb2->marker) : 0;
	uint32_t begin = smb2->block - marker;

	memcpy(bytes, smb2->data + message % PKTGEN_SMB2_BLOCKS * smb2->block + offset, len);
	for (uint32_t i = offset > begin ? offset : begin; i < offset + len; i++)
		bytes[i - offset] = (uint8_t)smb2->marker[i - begin];
}

/* Within one message. */
static uint32_t copy(const struct pktgen_smb2 *smb2, unsigned side, const struct pktgen_smb2_at *at,
	bool marked, uint8_t *bytes, uint32_t len)
{
	uint8_t head[PKTGEN_SMB2_HEAD + 1];
	uint32_t head_len, data, n;

	if (at->message < PKTGEN_SMB2_SETUP) {
		n = at_most(len, smb2->len[side][at->message] - at->offset);
		memcpy(bytes, smb2->setup[side][at->message] + at->offset, n);
		return n;
	}
	head_len = PKTGEN_SMB2_HEAD + 1;
	if (at->offset < head_len) {
		head_len = make_head(smb2, side, at->message, head, &data);
		if (at->offset < head_len) {
			n = at_most(len, head_len - at->offset);
			memcpy(bytes, head + at->offset, n);
			return n;
		}
	}
	head_len = pktgen_smb2_len(smb2, side, at->message) - smb2->block;
	n = at_most(len, smb2->block - (at->offset - head_len));
	copy_block(smb2, at->message, marked, at->offset - head_len, bytes, n);
	return n;
}

void pktgen_smb2_skip(
	const struct pktgen_smb2 *smb2, unsigned side, struct pktgen_smb2_at *at, uint32_t len)
{
	while (len > 0) {
		uint32_t left = pktgen_smb2_len(smb2, side, at->message) - at->offset;

		if (len < left) {
			at->offset += len;
			return;
		}
		len -= left;
		at->message++;
		at->offset = 0;
	}
}

uint32_t pktgen_smb2_bytes(const struct pktgen_smb2 *smb2, unsigned side, struct pktgen_smb2_at *at,
	uint64_t end, uint64_t last, uint8_t *bytes, uint32_t len)
{
	uint32_t sum = 0;

	while (sum < len && at->message < end) {
		uint32_t n = copy(smb2, side, at, at->message == last, bytes + sum, len - sum);

		pktgen_smb2_skip(smb2, side, at, n);
		sum += n;
	}
	return sum;
}
