/*
 * Tells work from waiting: a worker that shares its core with others is taken off it now and then,
 * and the time until it is back is nobody's work. Asked only when time seems to be up, since it
 * costs a system call; its worker.
 */
#ifndef VS_INSPECT_CLOCK_H
#define VS_INSPECT_CLOCK_H

#include <stdbool.h>

struct inspect_clock {
	long switches; /* of the thread, at the last question */
};

/* Whether the calling thread was taken off its core since the last call. */
bool inspect_clock_was_away(struct inspect_clock *clock);

#endif
