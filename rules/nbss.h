/*
 * NetBIOS session service over TCP: cuts one direction's byte stream into records, each with a
 * header of 4 bytes (RFC 1002 4.3; for direct TCP on 445 MS-SMB2 2.1: type 0 and 24 bits of
 * length).
 *
 * A record that holds a message must begin with one of SMB's magics, so a record is told of when
 * its first 8 bytes are there. Raw data, which SMB1 announces (SMB_COM_READ_RAW, WRITE_RAW), is
 * what the announcement makes it, whatever it looks like: a file may hold a magic. What cannot
 * begin a record is an error; nbss_resync() then looks for the next bytes that can: only for
 * streams whose beginning was not seen.
 *
 * A struct nbss belongs to its direction's smb_flow. Nothing in it depends on how the stream was
 * cut into feeds.
 */
#ifndef VS_NBSS_H
#define VS_NBSS_H

#include <stdbool.h>
#include <stdint.h>

#define NBSS_HEADER 4
#define NBSS_HEAD   8 /* with the magic */
#define NBSS_PEEK                                                                                  \
	36 /* with SMB1's header, where raw data is due: an oplock break may come first            \
	    */
#define NBSS_MAX (0xffffffu + NBSS_HEADER)

enum nbss_type {
	NBSS_MESSAGE = 0x00,
	NBSS_REQUEST = 0x81,
	NBSS_POSITIVE = 0x82,
	NBSS_NEGATIVE = 0x83,
	NBSS_RETARGET = 0x84,
	NBSS_KEEP_ALIVE = 0x85,
};

enum nbss_item {
	NBSS_MORE, /* all bytes are taken */
	NBSS_BEGIN, /* a record begins: len, type; its first bytes are in piece */
	NBSS_DATA, /* more of it in piece */
	NBSS_END, /* it is complete */
	NBSS_BAD, /* no record begins here; until nbss_resync() every further call says so again */
	NBSS_SYNCED, /* a record was found after skipped bytes; NBSS_BEGIN is next */
};

struct nbss_piece {
	const uint8_t *bytes; /* in the fed bytes or in struct nbss */
	uint32_t len;
	uint32_t offset; /* in the record */
};

struct nbss {
	uint64_t window; /* the last 8 bytes while there is no record */
	uint64_t skipped; /* bytes since it was in step */
	uint32_t len; /* of the record, header included */
	uint32_t seen; /* of it */
	uint8_t head[NBSS_PEEK];
	uint8_t have; /* of head */
	uint8_t state;
	uint8_t type;
	uint8_t raw; /* records of raw data that are due */
	uint8_t raw_asked; /* for leave to send such, which is not given yet */
	bool hasty; /* it did not wait for it: from then on a magic is a message's */
	bool is_raw; /* the record at hand */
	bool netbios;
};

/* netbios: a stream of port 139, where lengths have 17 bits. */
void nbss_init(struct nbss *n, bool netbios);

/*
 * Takes from *bytes, *len what makes the next item. Call until it says NBSS_MORE or NBSS_BAD. Every
 * call but a bounded number takes at least one byte.
 */
enum nbss_item nbss_next(
	struct nbss *n, const uint8_t **bytes, uint32_t *len, struct nbss_piece *piece);

/* From what is no record's beginning on, or from anywhere: looks for the next that is one. */
void nbss_resync(struct nbss *n);

/* The next record, but for oplock breaks, is raw data: what answers SMB_COM_READ_RAW. */
void nbss_expect_raw(struct nbss *n);

/*
 * SMB_COM_WRITE_RAW asks for leave to send one record of raw data. Until the answer, a record
 * without a magic is taken for it; one with a magic is a message, as a server takes it that
 * refuses.
 */
void nbss_ask_raw(struct nbss *n);
/* Of both: not while the next record is being looked for, since that may be another. */
void nbss_answer_raw(struct nbss *n, bool granted);

#endif
