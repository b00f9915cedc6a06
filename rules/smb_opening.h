/*
 * Whether a connection that was picked up, without its SYN, is read where its records are. A record
 * is found there by what its first bytes look like, and anybody may have put them into a file that
 * others read or write: what it says is doubtful (SMB_DOUBT_PICKED_UP) until the two directions
 * agree.
 *
 * They agree when both began with a record at the first byte that was seen, not a byte was passed
 * over since, and SMB_OPENING_AGREED requests in a row, each by itself, had their reply: under its
 * ids, of its command, and before the next request. What a file holds would have to begin with the
 * first byte that is seen of its direction, and to have the ids of requests to come. A reply to
 * what was not seen, and a request that does not wait, begin the count anew, SMB_OPENING_TRIES
 * times at the most: who guesses ids has no more guesses. Who controls both what one end says and
 * what the other end writes at that moment cannot be told from both; so it is with every reader of
 * half a connection.
 *
 * A struct smb_opening belongs to its connection's smb_flow.
 */
#ifndef VS_SMB_OPENING_H
#define VS_SMB_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "smb_event.h"

#define SMB_OPENING_AGREED 2
#define SMB_OPENING_TRIES  8

struct smb_opening {
	uint64_t id; /* of the request that is to be answered */
	uint16_t command;
	uint8_t version;
	uint8_t agreed, tries;
	bool waiting; /* for its reply */
	bool never; /* it is too late */
};

/* whole: the connection was seen from its SYN on, and nothing is left to be shown. */
void smb_opening_init(struct smb_opening *o, bool whole);

/* The next message of the connection, in SMB_MESSAGE's words. */
void smb_opening_message(struct smb_opening *o, const struct smb_event *event);

/* Something else: bytes that are no record, one in which something was found, encrypted or
 * compressed. Once they agree this changes nothing. */
void smb_opening_other(struct smb_opening *o);

/* Whether the directions agree. */
bool smb_opening_seen(const struct smb_opening *o);

#endif
