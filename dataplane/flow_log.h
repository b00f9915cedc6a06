/*
 * Inspected connections that have ended, on their way from workers to the event file: small records
 * in a ring of each worker, which the control thread takes out every tick (flow_events.h).
 *
 * Connections end in their millions, so only those that were inspected are told of, and of one
 * opener's port at most FLOW_LOG_PER_SECOND a second, those with alerts counted apart. What was
 * held back, or found the ring full, is counted in the next one of that port. A quarter of the ring
 * is for connections with alerts alone.
 */
#ifndef VS_FLOW_LOG_H
#define VS_FLOW_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "conn_key.h"

#define FLOW_LOG_RING       2048 /* records */
#define FLOW_LOG_PER_SECOND 50
#define FLOW_REASON_MAX     24

/* What became of its packets. */
enum flow_verdict {
	FLOW_PASSED,
	FLOW_DROPPED, /* from some packet on */
	FLOW_REJECTED, /* and both ends were reset */
};

/* By side: of the key, as conn_key.h has it. Nothing in it points anywhere. */
struct flow_record {
	struct conn_key key;
	uint8_t opener; /* side that opened it */
	uint8_t state; /* enum conn_state, as it was at the end */
	uint8_t verdict; /* enum flow_verdict */
	bool alerted;
	bool partial; /* its opening was not seen */
	char reason[FLOW_REASON_MAX]; /* why it ended: as vswitchd(8) has them */
	uint16_t port[2]; /* ids; NO_PORT: none */
	uint32_t serial[2];
	uint32_t suppressed; /* filled in here: that were not told of, before this one */
	uint64_t since,
		until; /* worker.now when it began to be inspected, and at its last packet */
	uint64_t packets[2], bytes[2]; /* sent by the side while inspected; of TCP payload */
};

struct flow_log; /* one of a worker */

/* NULL: no memory. Control thread. */
struct flow_log *flow_log_create(void);

/* Control thread, when its worker is gone. NULL is none. */
void flow_log_free(struct flow_log *log);

/* Its worker. now: in cycles, hz of them a second. */
void flow_log_put(
	struct flow_log *log, const struct flow_record *record, uint64_t now, uint64_t hz);

/* Control thread: takes up to n out, the oldest first. */
unsigned flow_log_take(struct flow_log *log, struct flow_record *records, unsigned n);

/* Records for which there was no room, ever. Any thread. */
uint64_t flow_log_lost(const struct flow_log *log);

#endif
