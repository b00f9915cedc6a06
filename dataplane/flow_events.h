/*
 * `flow` events: takes what workers tell of inspected connections that have ended (flow_log.h) and
 * writes it as EVE JSON. Names are looked up here, in what runs now: a port that is gone is
 * "(removed)".
 *
 * One of the modules that share switch_state.h. Control thread.
 */
#ifndef VS_FLOW_EVENTS_H
#define VS_FLOW_EVENTS_H

#define FLOW_EVENTS_BUDGET 256

/*
 * Writes what workers have to tell, of each at most FLOW_EVENTS_BUDGET records; to be called
 * several times a second. Where workers had no room for records, an event says how many.
 */
void flow_events_poll(void);

#endif
