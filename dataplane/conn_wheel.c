#include "conn_wheel.h"

#include <rte_prefetch.h>

/* wheel_prev of the first in a slot has this bit, and the slot's number. */
#define HEAD_BIT (1u << 31)

_Static_assert(CONN_CAPACITY_MAX <= HEAD_BIT, "an entry's number is no slot's");

void conn_wheel_init(struct conn_wheel *wheel, struct conn_table *table)
{
	*wheel = (struct conn_wheel){.table = table};
	for (unsigned i = 0; i < CONN_WHEEL_SLOTS; i++)
		wheel->head[i] = CONN_NONE_INDEX;
}

void conn_wheel_add(struct conn_wheel *wheel, struct conn *conn, uint64_t second)
{
	uint32_t index = conn_table_index(wheel->table, conn), slot, next;

	if (second < wheel->at)
		second = wheel->at;
	if (second >= wheel->at + CONN_WHEEL_SLOTS)
		second = wheel->at + CONN_WHEEL_SLOTS - 1;
	slot = second % CONN_WHEEL_SLOTS;
	next = wheel->head[slot];
	conn->wheel_next = next;
	conn->wheel_prev = HEAD_BIT | slot;
	if (next != CONN_NONE_INDEX)
		conn_table_at(wheel->table, next)->wheel_prev = index;
	wheel->head[slot] = index;
}

void conn_wheel_remove(struct conn_wheel *wheel, struct conn *conn)
{
	if (conn->wheel_prev & HEAD_BIT)
		wheel->head[conn->wheel_prev & ~HEAD_BIT] = conn->wheel_next;
	else
		conn_table_at(wheel->table, conn->wheel_prev)->wheel_next = conn->wheel_next;
	if (conn->wheel_next != CONN_NONE_INDEX)
		conn_table_at(wheel->table, conn->wheel_next)->wheel_prev = conn->wheel_prev;
}

struct conn *conn_wheel_next(struct conn_wheel *wheel, uint64_t second, unsigned *budget)
{
	/* No slot has to come round twice for this. */
	if (second > wheel->at + CONN_WHEEL_SLOTS)
		wheel->at = second - CONN_WHEEL_SLOTS;
	while (conn_wheel_is_behind(wheel, second) && *budget > 0) {
		uint32_t index = wheel->head[wheel->at % CONN_WHEEL_SLOTS];

		--*budget;
		if (index != CONN_NONE_INDEX) {
			struct conn *conn = conn_table_at(wheel->table, index);

			conn_wheel_remove(wheel, conn);
			if (conn->wheel_next != CONN_NONE_INDEX)
				rte_prefetch0(
					&conn_table_at(wheel->table, conn->wheel_next)->sequence);
			return conn;
		}
		wheel->at++;
	}
	return NULL;
}

bool conn_wheel_is_behind(const struct conn_wheel *wheel, uint64_t second)
{
	return wheel->at < second;
}
