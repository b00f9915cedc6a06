/*
 * What the firewall tells the operator: verdicts of rules with `log`, denials that audit mode let
 * pass, and denials by rule or block. Workers put small records into a ring of their own; the
 * control thread takes them out every tick and writes events (firewall_events.h).
 *
 * An accepted connection is told of once. Denials are limited by port and second
 * (FIREWALL_LOG_PER_SECOND); what was held back, or found the ring full, is counted in the next one
 * of that port.
 */
#ifndef VS_FIREWALL_LOG_H
#define VS_FIREWALL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "conn_key.h"
#include "policy.h"

#define FIREWALL_LOG_RING       1024 /* records */
#define FIREWALL_LOG_PER_SECOND 10 /* denials of one port that a worker tells of */

/* Nothing in it points anywhere: what it speaks of may be gone when it is read. */
struct firewall_record {
	struct conn_key key;
	uint8_t opener; /* side */
	uint8_t direction; /* enum policy_direction */
	bool audit; /* it passed all the same */
	bool picked_up;
	uint16_t from_port, to_port; /* ids; NO_PORT: several */
	uint32_t from_serial, to_serial; /* of those */
	uint32_t service;
	uint32_t suppressed; /* denials at this port that were not told of, before this one */
	struct policy_verdict verdict; /* of the side that decided */
	char group[CONFIG_NAME_MAX + 1]; /* where a rule decided */
	uint64_t when; /* worker.now */
};

struct firewall_log; /* one of a worker */

/* NULL: no memory. Control thread. */
struct firewall_log *firewall_log_create(void);

/* Control thread, when its worker is gone. NULL is none. */
void firewall_log_free(struct firewall_log *log);

/*
 * Its worker. Puts record in; a denial only within the limit of port, which is an id of one of the
 * record's ports. suppressed is filled in here. now: in cycles, hz of them a second.
 */
void firewall_log_put(struct firewall_log *log, const struct firewall_record *record, uint16_t port,
	uint64_t now, uint64_t hz);

/* Control thread: takes up to n out, the oldest first. */
unsigned firewall_log_take(struct firewall_log *log, struct firewall_record *records, unsigned n);

/* Records for which the ring had no room, ever. Any thread. */
uint64_t firewall_log_lost(const struct firewall_log *log);

#endif
