/*
 * Events of inspection: takes the records of all workers (inspect_log.h), keeps the evidence of
 * quarantines, makes them lasting (quarantine.h) and writes EVE JSON. What is found is an "alert"
 * in Suricata's schema with our own facts under "metadata"; of what has no rule, inspect_sids.h
 * gives the numbers. Names are looked up here, in what runs now: a port that is gone is
 * "(removed)".
 *
 * One of the modules that share switch_state.h. Control thread.
 */
#ifndef VS_INSPECT_EVENTS_H
#define VS_INSPECT_EVENTS_H

#define INSPECT_EVENTS_BUDGET 256

/*
 * Writes what workers have to tell, of each at most INSPECT_EVENTS_BUDGET records; to be called
 * several times a second, and before a port that records may name is removed. Where workers had no
 * room for records, an event says how many.
 */
void inspect_events_poll(void);

/* Takes all that there is: before a port that records may name goes, and when workers have ended.
 */
void inspect_events_drain(void);

#endif
