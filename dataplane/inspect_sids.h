/*
 * Signature ids of inspection's own detections, out of inspect_sids.def. Constant data; any thread.
 */
#ifndef VS_INSPECT_SIDS_H
#define VS_INSPECT_SIDS_H

#include <stdint.h>

#include "inspect_log.h"

#define INSPECT_GID 1000

struct inspect_sid {
	enum inspect_tells what;
	const char *id;
	uint32_t sid;
	uint8_t severity; /* 1 to 3; 1: the worst */
	const char *category;
};

/* That of what (not a rule) and id; of an id that has none the kind's. Never NULL. */
const struct inspect_sid *inspect_sid(enum inspect_tells what, const char *id);

/* All of them, *n. */
const struct inspect_sid *inspect_sids(unsigned *n);

/* "invariant", "evasion", ...: as events name them. */
const char *inspect_tells_name(enum inspect_tells what);

#endif
