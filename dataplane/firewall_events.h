/*
 * Events of the firewall: takes the records of all workers (firewall_log.h) and writes them as EVE
 * JSON. A denial is a "drop" with the reason that counters have; what passed and is told of all the
 * same, accepted or in audit mode, is a "firewall". Names are looked up here, in what runs now: a
 * port that is gone is "(removed)", and a rule has its name only where the configuration that runs
 * is the one that decided.
 *
 * One of the modules that share switch_state.h. Control thread.
 */
#ifndef VS_FIREWALL_EVENTS_H
#define VS_FIREWALL_EVENTS_H

#define FIREWALL_EVENTS_BUDGET 256

/*
 * Writes what workers have to tell, of each at most FIREWALL_EVENTS_BUDGET records; to be called
 * several times a second. Where workers had no room for records, an event says how many.
 */
void firewall_events_poll(void);

#endif
