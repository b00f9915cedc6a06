/*
 * `stats` events: what the switch has counted since its start, every vswitch.stats-interval, in the
 * schema of Suricata's EVE log where that has a place for it. Control thread.
 */
#ifndef VS_STATS_EVENTS_H
#define VS_STATS_EVENTS_H

#include <stdint.h>

#include <jansson.h>

/* What an event is made of, as the functions named give it; all borrowed. */
struct stats_sources {
	const json_t *status; /* switch_status(), with its firewall's */
	const json_t *ledger; /* switch_ledger() */
	const json_t *inspection; /* switch_inspect_status() */
	const json_t *quarantine; /* quarantine_status() */
	uint64_t alerts; /* told of */
	uint64_t suppressed; /* alerts that were not, for a port had too many a second */
};

/* The event's fields; the caller owns the reference. */
json_t *stats_event(const struct stats_sources *sources);

/* Emits one about now. */
void stats_events_emit(void);

#endif
