/*
 * What workers tell the control thread of inspection: findings, failures, quarantines, with the
 * packet that gave it away. One ring a worker; limited by port and second as firewall_log.h is, but
 * a quarantine is always told of. Nothing in a record points anywhere but to its own evidence.
 */
#ifndef VS_INSPECT_LOG_H
#define VS_INSPECT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "conn_key.h"
#include "config.h"

#define INSPECT_LOG_RING       1024
#define INSPECT_LOG_PER_SECOND 20 /* alerts of one port that a worker tells of */
#define INSPECT_TEXT_MAX       160

enum inspect_tells {
	INSPECT_TELLS_RULE,
	INSPECT_TELLS_INVARIANT, /* "I1", and its text */
	INSPECT_TELLS_EVASION, /* an overlap with other bytes, urgent data, ... */
	INSPECT_TELLS_FAILURE, /* what was not inspected */
	INSPECT_TELLS_FANOUT,
	INSPECT_TELLS_FOREIGN_SHARE, /* a tree connect that names another host */
};

/* Who the culprit is, and why one on another host was not cut off. */
enum inspect_where {
	INSPECT_LOCAL, /* the guest of a port */
	INSPECT_REMOTE, /* key.addr[culprit], behind an uplink */
	INSPECT_REMOTE_UNPROVEN, /* it would be, but may have sent in another's name */
	INSPECT_REMOTE_FULL, /* quarantine_remote.h has no room */
};

struct inspect_record {
	uint8_t what; /* enum inspect_tells */
	uint8_t action; /* enum detect_action: what was done, or would have been */
	bool dropped; /* false in detect mode, and for alerts */
	uint8_t reason; /* enum drop_reason, where dropped */
	bool quarantined; /* the culprit was cut off by this */
	uint8_t where; /* enum inspect_where */
	bool smb; /* the connection is known to be SMB */
	uint8_t level; /* enum config_quarantine_level, where quarantined */
	uint32_t quarantine_s; /* 0: until released */
	struct conn_key key; /* proto 0: it is about no one connection, as fan-out is */
	uint8_t opener; /* side of key that opened it */
	uint8_t sender; /* side of the packet at hand */
	uint8_t culprit; /* side */
	uint16_t port[2]; /* ids by side; NO_PORT: none */
	uint32_t serial[2];
	uint32_t gid, sid, rev; /* of a rule */
	uint8_t priority;
	char id[16]; /* of an invariant "I1", of a failure "memory", "differs", of fan-out "fanout"
		      */
	char text[INSPECT_TEXT_MAX]; /* msg, or an explanation */
	char category[64]; /* of a rule: what its classtype means, or else the classtype */
	uint32_t offset; /* in the record */
	uint64_t position; /* of the record in its side's stream */
	uint64_t value;
	uint32_t suppressed; /* that were not told of, before this one */
	uint64_t when; /* worker.now */
	struct rte_mbuf *packet; /* copy of the packet at hand; NULL: none. The reader frees it */
	struct rte_mbuf *before; /* the record's bytes before it, without headers; NULL: none */
};

struct inspect_log; /* one of a worker */

/* NULL: no memory. Control thread. */
struct inspect_log *inspect_log_create(void);
void inspect_log_free(struct inspect_log *log); /* and the packets in it */

/*
 * Whether a record about this port would be taken now: asked before it is filled in, and counted as
 * held back where not. A yes is for the next inspect_log_put(), which is about this port. A quarter
 * of the ring is for quarantines alone. Its worker.
 */
bool inspect_log_wants(
	struct inspect_log *log, uint16_t port, bool quarantined, uint64_t now, uint64_t hz);
/* Its worker; takes over the packets, also where the ring is full. They are evidence: those of what
 * is no quarantine are freed at once, so that records hold no buffers that others need. */
void inspect_log_put(struct inspect_log *log, const struct inspect_record *record);

/* Control thread: takes up to n out, the oldest first; the packets are the caller's. */
unsigned inspect_log_take(struct inspect_log *log, struct inspect_record *records, unsigned n);
/* Records for which there was no room, ever. Any thread. */
uint64_t inspect_log_lost(const struct inspect_log *log);

#endif
