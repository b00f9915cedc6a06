/*
 * What inspection has told of, counted for the metrics. Apart from inspect_events.h so that nothing
 * of the switch is needed to ask. Control thread.
 */
#ifndef VS_INSPECT_COUNT_H
#define VS_INSPECT_COUNT_H

#include <stdint.h>

struct inspect_count {
	uint64_t allowed, blocked; /* alerts, by what became of their packets */
	uint64_t suppressed; /* alerts that workers held back */
	uint64_t lost; /* that found no room on their way */
	/* Addresses on other hosts that were not cut off for them: inspect_log.h says why. */
	uint64_t unproven, full;
};

/* inspect_events.c's to write. */
extern struct inspect_count inspect_count;

#endif
