/*
 * The bytes of an SMB2 conversation, both sides, without end (MS-SMB2 2.2): negotiate, an anonymous
 * session, a tree of the server's own address, one open file, then reads or writes of blocks. Made
 * from scratch, any part of it at any time, so that a sender needs no more than a position. Pure.
 *
 * Messages are numbered from 0: the client's number n is answered by the server's number n.
 */
#ifndef VS_PKTGEN_SMB2_H
#define VS_PKTGEN_SMB2_H

#include <stdbool.h>
#include <stdint.h>

#include "pktgen_options.h"

#define PKTGEN_SMB2_SETUP     5 /* messages before the first read or write */
#define PKTGEN_SMB2_SETUP_MAX 320 /* bytes that one of those has at most */
#define PKTGEN_SMB2_HEAD      116 /* bytes of a read or write before its data */
#define PKTGEN_SMB2_BLOCKS    16 /* different ones, in turn */

struct pktgen_smb2 {
	uint32_t block; /* bytes of a read or write */
	enum pktgen_smb what;
	uint8_t *data; /* PKTGEN_SMB2_BLOCKS of them */
	const char *marker; /* ends the block of a message numbered last; NULL: no marker */
	uint32_t len[2][PKTGEN_SMB2_SETUP]; /* by side: 0 is the client's */
	uint8_t setup[2][PKTGEN_SMB2_SETUP][PKTGEN_SMB2_SETUP_MAX];
};

/* Where a side is in what it sends. */
struct pktgen_smb2_at {
	uint64_t message;
	uint32_t offset; /* within it */
};

/* server: the address that it has to its client. False: no memory. */
bool pktgen_smb2_init(struct pktgen_smb2 *smb2, enum pktgen_smb what, uint32_t block, bool zeros,
	const char *marker, uint32_t server);

void pktgen_smb2_free(struct pktgen_smb2 *smb2);

/* Bytes of a side's message, with its NetBIOS header. */
uint32_t pktgen_smb2_len(const struct pktgen_smb2 *smb2, unsigned side, uint64_t message);

/* Bytes of file data in this message and its answer together: a block, or 0. */
uint32_t pktgen_smb2_data(const struct pktgen_smb2 *smb2, uint64_t message);

/*
 * The next bytes that a side sends, len at most, none of a message from number end on. last: the
 * message whose block has the marker. Moves at on; returns how many.
 */
uint32_t pktgen_smb2_bytes(const struct pktgen_smb2 *smb2, unsigned side, struct pktgen_smb2_at *at,
	uint64_t end, uint64_t last, uint8_t *bytes, uint32_t len);

/* Moves at on by so many bytes that were sent. */
void pktgen_smb2_skip(
	const struct pktgen_smb2 *smb2, unsigned side, struct pktgen_smb2_at *at, uint32_t len);

#endif
