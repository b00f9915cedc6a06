/*
 * What the SMB parser tells its user: where records begin and end, what is in their messages, what
 * was found, which limit was hit. Events come during smb_flow_feed(), in the order of the bytes
 * they are about, on the thread that feeds; what they point to is gone when the handler returns.
 *
 * Offsets are within the NetBIOS record, whose 4-byte header is 0 to 3: SMB's magic is at 4.
 */
#ifndef VS_SMB_EVENT_H
#define VS_SMB_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "smb_invariants.h"

enum smb_direction {
	SMB_TO_SERVER,
	SMB_TO_CLIENT,
};

/* Every table and length that is bounded. What is to happen then is its user's policy. */
enum smb_limit {
	SMB_LIMIT_REQUESTS, /* SMB1 requests without a reply: the oldest is forgotten */
	SMB_LIMIT_TRANSACTIONS, /* open SMB1 transactions: the oldest is forgotten */
	SMB_LIMIT_PENDING, /* SMB2 requests without a reply: an older one is forgotten */
	SMB_LIMIT_TREES, /* tree connections: the oldest is forgotten */
	SMB_LIMIT_PIPES, /* pipes with DCERPC: the one longest unused is forgotten */
	SMB_LIMIT_CONTEXTS, /* DCERPC presentation contexts: further ones are not remembered */
	SMB_LIMIT_STUB, /* stub data of one DCERPC call: what follows is not told */
	SMB_LIMIT_NAME, /* a name is told only in part */
	SMB_LIMIT_COMPOUND, /* messages in one record: what follows is not parsed */
	SMB_LIMITS
};

/* "requests", "transactions", ... */
const char *smb_limit_name(enum smb_limit limit);

/* How far a finding can be held against who sent the bytes. With a doubt it is an alert, whatever
 * else it would be worth: somebody else may have made it look so. */
enum smb_doubt {
	SMB_SURE,
	SMB_DOUBT_MISSED, /* what was not seen may explain it */
	SMB_DOUBT_RAW, /* raw data of a file, or the server's record where the client has used a
			  raw mode and so has a hand in what frames as one */
	SMB_DOUBT_PICKED_UP, /* the directions do not agree yet: smb_opening.h */
	SMB_DOUBT_PLACE, /* found behind bytes that were passed over, by what it looks like */
};

enum smb_event_type {
	SMB_RECORD_BEGIN, /* record */
	SMB_RECORD_DATA, /* bytes: every byte of the record, its header too */
	SMB_RECORD_END,
	SMB_RESYNC, /* bytes that belong to no record were passed over; bytes.len of them */
	SMB_MESSAGE, /* message */
	SMB_TREE_CONNECT, /* name: the share's path; of a request */
	SMB_CREATE, /* name: of the file or pipe; of a request */
	SMB_USER, /* name: the user in NTLMSSP's authenticate message */
	SMB_FILE_DATA, /* file: where in this record the data of a read or write is */
	SMB_DCE_BIND, /* dce: interface, context */
	SMB_DCE_CALL, /* dce: a request fragment's header */
	SMB_DCE_STUB, /* bytes: a piece of stub data */
	SMB_ENCRYPTED, /* opaque: skipped by its length */
	SMB_COMPRESSED, /* opaque */
	SMB_DETECTED, /* detection */
	SMB_LIMITED, /* limit */
};

struct smb_event {
	enum smb_event_type type;
	enum smb_direction direction; /* of the bytes */
	uint32_t offset; /* where in the record that it is about begins */
	union {
		struct {
			uint32_t len; /* with the header of 4 bytes */
			uint8_t type; /* NetBIOS session packet type: 0 for a message */
			enum smb_doubt doubt; /* about what all of it says, to rules too */
		} record;
		struct {
			const uint8_t *bytes; /* NULL in SMB_RESYNC */
			uint32_t len;
			bool first, last; /* of the call, in SMB_DCE_STUB */
		} bytes;
		struct {
			uint8_t version; /* 1 or 2; 3 counts as 2 */
			bool reply;
			bool chained; /* not the first of its record: AndX, compound */
			uint16_t command;
			uint32_t status; /* of a reply */
			uint32_t tree;
			uint64_t id; /* MID and PID << 16 of SMB1; message id of SMB2 */
		} message;
		struct {
			const char *text; /* UTF-8, not terminated; may hold any byte */
			uint32_t len;
			bool pipe; /* the share is IPC$ */
			bool truncated;
			uint32_t host; /* SMB_TREE_CONNECT: IPv4 address in host order if the
					  path names one, else 0 */
		} name;
		struct {
			uint32_t len; /* from offset on, within the record */
			bool read; /* reply to a read; otherwise a write */
			bool has_position;
			uint64_t position; /* in the file */
			uint64_t file; /* same number: same open file of this connection */
		} file;
		struct {
			uint8_t interface[16]; /* as in text form: big endian; zero: unknown */
			uint16_t version; /* of the interface, major */
			uint16_t context;
			uint16_t opnum;
			uint32_t call;
			bool first, last; /* fragment of its call */
			bool known; /* the interface is */
			bool big_endian;
			uint32_t stub_len; /* of this fragment */
		} dce;
		struct {
			uint32_t len; /* of the opaque part within the record */
			uint64_t session; /* encrypted */
			uint32_t original; /* size before */
		} opaque;
		struct {
			enum smb_detection what;
			enum smb_direction culprit; /* who sent it: the direction of its bytes */
			uint64_t value; /* that gave it away: a size, an id, a code */
			enum smb_doubt doubt;
		} detection;
		enum smb_limit limit;
	};
};

typedef void smb_handler(void *arg, const struct smb_event *event);

/* How the parser's modules tell: made anew for each feed. */
struct smb_sink {
	smb_handler *handler;
	void *arg;
	enum smb_direction direction;
	bool whole; /* seen from its SYN on, without a gap */
	enum smb_doubt doubt; /* about what this record says */
	uint64_t *told; /* detections of this record so far, a bit each */
};

void smb_tell(const struct smb_sink *sink, struct smb_event *event);

/* Once a record for each, and only if the connection was seen as whole as it takes. */
void smb_detect(
	const struct smb_sink *sink, enum smb_detection what, uint32_t offset, uint64_t value);

void smb_limited(const struct smb_sink *sink, enum smb_limit limit, uint32_t offset);

#endif
