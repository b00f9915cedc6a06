/*
 * The hosts that one guest has tried, for fanout.h: found by address, listed by what came of it, in
 * the order of time. A fixed size, bounded work, no pointers. The worker that owns the port's
 * counts.
 */
#ifndef VS_FANOUT_TARGETS_H
#define VS_FANOUT_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

#define FANOUT_TARGETS 256u /* at a time */
#define FANOUT_CHAINS  256
#define FANOUT_NIL     UINT16_MAX

_Static_assert(FANOUT_TARGETS < FANOUT_NIL, "16 bits number them");

enum fanout_kind {
	FANOUT_LOOKING, /* a lookup waits for its answer */
	FANOUT_TRYING, /* a SYN does */
	FANOUT_OPEN, /* answered */
	FANOUT_FAILED,
	FANOUT_MARKED, /* a finding */
	FANOUT_KINDS
};

struct fanout_target {
	struct addr addr;
	uint64_t since; /* of its kind */
	uint16_t older, newer; /* among its kind; newer also links the free ones */
	uint16_t chain; /* next one of the same hash */
	uint8_t kind; /* enum fanout_kind */
	uint8_t tries; /* SYNs that wait; the caller's */
	bool service; /* a SYN was sent to it, or must have been */
};

struct fanout_list {
	uint16_t oldest, newest, count;
};

struct fanout_targets {
	struct fanout_target all[FANOUT_TARGETS];
	uint16_t chains[FANOUT_CHAINS];
	struct fanout_list lists[FANOUT_KINDS];
	uint16_t free; /* the first of those */
	uint16_t unresolved; /* failed ones that are no service */
	uint32_t seed; /* of the hash: guests choose the addresses */
};

/* None. Touches all of it. */
void fanout_targets_init(struct fanout_targets *targets, uint32_t seed);
bool fanout_targets_empty(const struct fanout_targets *targets);

/* NULL: not known. */
struct fanout_target *fanout_target_find(struct fanout_targets *targets, struct addr addr);

/*
 * A new one, of its kind since now; a service unless it is LOOKING. Where they are full another
 * gives way to it: an open one, the oldest; to one that tries also one that is looked up; to a
 * marked one any but a marked one. NULL where none does: one that waits is never pushed out by more
 * of its kind.
 */
struct fanout_target *fanout_target_add(
	struct fanout_targets *targets, struct addr addr, enum fanout_kind kind, uint64_t now);

void fanout_target_drop(struct fanout_targets *targets, struct fanout_target *target);

/* Into another kind, as its newest. */
void fanout_target_change(struct fanout_targets *targets, struct fanout_target *target,
	enum fanout_kind kind, uint64_t now);

void fanout_target_serves(struct fanout_targets *targets, struct fanout_target *target);

/* NULL: none of the kind. */
static inline struct fanout_target *fanout_target_oldest(
	struct fanout_targets *targets, enum fanout_kind kind)
{
	uint16_t index = targets->lists[kind].oldest;

	return index == FANOUT_NIL ? NULL : &targets->all[index];
}

#endif
