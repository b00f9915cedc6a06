/*
 * The operator's program that is told of quarantines, so that it can pin a snapshot of the guest,
 * say (vswitchd(8), "Hook"). Out of process and never waited for: started without a shell and
 * without arguments, with one JSON document on standard input, in a process group of its own,
 * without any other descriptor of vswitchd's, and ended when it takes too long. HOOK_RUNNING_MAX
 * run at a time, HOOK_WAITING_MAX wait for their turn; more are lost, counted and logged.
 *
 * Control thread only, on loop.h's loop.
 */
#ifndef VS_QUARANTINE_HOOK_H
#define VS_QUARANTINE_HOOK_H

#include <stdint.h>

#include <jansson.h>

#define HOOK_RUNNING_MAX 4
#define HOOK_WAITING_MAX 64
#define HOOK_LIMIT_MS    10000 /* then SIGTERM */
#define HOOK_GRACE_MS    2000 /* then SIGKILL */

/* program: an absolute path; "": there is none. Copied. limit_ms, grace_ms: 0 for the above. */
void hook_open(const char *program, unsigned limit_ms, unsigned grace_ms);

/* Those that run are sent SIGTERM, those that wait are lost. */
void hook_close(void);

/*
 * Has the program told of document, an object with "action", "port" (or "address" and "network")
 * and "tenant" among its members;
 * takes over the reference (NULL, out of memory, counts as lost). How it ended is logged, and told
 * in a `quarantine` event with the action `hook`.
 */
void hook_run(json_t *document);

struct hook_counts {
	uint64_t started;
	uint64_t
		failed; /* could not be started, ended with another status than 0, or by a signal */
	uint64_t lost; /* too many waited */
	unsigned running, waiting;
};

void hook_counts(struct hook_counts *counts);

#endif
