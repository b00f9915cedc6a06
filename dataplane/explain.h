/*
 * What the switch would do with a packet, and why: guard, destination, blocks, groups and rules, by
 * the very functions that workers run. From a running switch or from a configuration alone.
 *
 * Control thread; vswitch-ctl links it, too: no DPDK library.
 */
#ifndef VS_EXPLAIN_H
#define VS_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "config.h"
#include "policy_build.h"

#define EXPLAIN_FRAME_MAX 2048 /* bytes of a packet that is given whole */
#define EXPLAIN_WHO_MAX   128

/* What is asked. Texts as the user wrote them; NULL: not given. */
struct explain_question {
	const char *from; /* port that it comes in at */
	const char *to; /* port or address that it is for */
	const char *service; /* "tcp/445"; see service.h */
	const char *from_address; /* else the first of the port's in the family of `to` */
	unsigned source_port; /* 0: some port, 49152 */
	const char *packet; /* the frame's bytes in hex instead of to and service */
};

struct explain_lookup; /* see explain_conn.h */
struct explain_conn;

/* Where explain() looks up what the configuration alone does not tell. NULL: nothing runs. */
struct explain_world {
	const struct config *config;
	const struct policy *policy; /* of config */
	/* The port, by index into config->ports, where mac was learned in the network with this
	 * index; -1: none. */
	int (*learned)(unsigned network, const uint8_t mac[6]);
	/* The port where the packet's connection has had its destination MAC so far; -1: none. */
	int (*known)(const struct explain_lookup *lookup);
	bool (*is_up)(unsigned port); /* packets can leave by it */
	/* Whether connections between two ports may be taken over (firewall.pick-up). */
	bool (*picks_up)(unsigned from, unsigned to);
	/* Whether a quarantine forbids the packet; to: its receiver, by index, or -1 for the
	 * sender's part in a frame for many. who has room for EXPLAIN_WHO_MAX: "port vm1". */
	bool (*quarantined)(const struct explain_lookup *lookup, int to, char *who);
	/* False: there is none. */
	bool (*connection)(const struct explain_lookup *lookup, struct explain_conn *conn);
};

/*
 * {"packet": {...}, "steps": [{"step","verdict","says", ...}], "verdict": "pass" | "drop" |
 * "reject" | "wait" (a fragment that another one decides about), "reason": a drop reason or null,
 * "to": port or null}. The caller owns the reference.
 * NULL with a message in err, which says what would be right, where the question can't be answered.
 */
json_t *explain(const struct explain_world *world, const struct explain_question *question,
	char *err, size_t err_len);

/* The same as the command `explain` asks it: args of a request. The result has the steps once more
 * as "text". */
json_t *explain_command(
	const struct explain_world *world, const json_t *args, char *err, size_t err_len);

/* Whether the packet does not pass. */
bool explain_is_negative(const json_t *result);

#endif
