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

struct conn_view;

#define EXPLAIN_FRAME_MAX 2048 /* bytes of a packet that is given whole */

/* What is asked. Texts as the user wrote them; NULL: not given. */
struct explain_question {
	const char *from; /* port that it comes in at */
	const char *to; /* port or address that it is for */
	const char *service; /* "tcp/445"; see service.h */
	const char *from_address; /* else the first of the port's in the family of `to` */
	unsigned source_port; /* 0: some port, 49152 */
	const char *packet; /* the frame's bytes in hex instead of to and service */
};

/* Where explain() looks up what the configuration alone does not tell. */
struct explain_world {
	const struct config *config;
	const struct policy *policy; /* of config */
	/* The port, by index into config->ports, where mac was learned in the network with this
	 * index; -1: none. NULL: nothing is learned. */
	int (*learned)(unsigned network, const uint8_t mac[6]);
	/* What a worker holds of the packet's connection, as an object; JSON null: none. exact: the
	 * source port is the packet's own, else any counts. NULL: nothing runs. */
	json_t *(*connection)(const struct conn_view *view, const struct config_port *from,
		const uint8_t *l2, bool exact);
};

/*
 * {"packet": {...}, "steps": [{"step","verdict","says", ...}], "verdict": "pass" | "drop" |
 * "reject", "reason": a drop reason or null, "to": port or null}. The caller owns the reference.
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
