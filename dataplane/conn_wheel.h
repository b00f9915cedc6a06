/*
 * Timers of one worker's connections: a wheel of one slot a second. An entry stands in the slot of
 * its deadline, or in the farthest one where that is beyond the horizon; whoever turns the wheel
 * decides what is due and files the others again. So a packet that moves a deadline on costs
 * nothing here.
 *
 * Its links are conn.wheel_next and wheel_prev. Its worker only; everything but a turn is O(1).
 */
#ifndef VS_CONN_WHEEL_H
#define VS_CONN_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "conn_table.h"

#define CONN_WHEEL_SLOTS                                                                           \
	1024 /* seconds; with a million connections 1,000 are filed again a second */

struct conn_wheel {
	struct conn_table *table;
	uint64_t at; /* second of the slot to be emptied next */
	uint32_t head[CONN_WHEEL_SLOTS];
};

void conn_wheel_init(struct conn_wheel *wheel, struct conn_table *table);

/* conn is in no slot; second: of its deadline. It comes up once that second is over. */
void conn_wheel_add(struct conn_wheel *wheel, struct conn *conn, uint64_t second);

void conn_wheel_remove(struct conn_wheel *wheel, struct conn *conn);

/*
 * Takes the next one out whose slot's second is before `second`. NULL: none is left, or *budget,
 * which counts entries and slots, is used up. However long nobody turned it, a pass over all
 * slots catches up.
 */
struct conn *conn_wheel_next(struct conn_wheel *wheel, uint64_t second, unsigned *budget);

/* Whether conn_wheel_next() has more to do for `second`. */
bool conn_wheel_is_behind(const struct conn_wheel *wheel, uint64_t second);

#endif
