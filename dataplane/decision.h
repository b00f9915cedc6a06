/*
 * What both ends' rules say together of a connection: the sender's `out`, then the receiver's `in`.
 * Any thread; no state, no DPDK: workers and `explain` decide by this same code.
 */
#ifndef VS_DECISION_H
#define VS_DECISION_H

#include <stdbool.h>

#include "drop.h"
#include "policy.h"

struct decision {
	int reason; /* -1: allowed; or DROP_blocked, DROP_policy_out, DROP_policy_in */
	enum policy_direction by; /* where reason comes from, or who was overruled by audit mode */
	bool audited; /* allowed only since the tenant is in audit mode: by would deny it */
	bool complete; /* verdicts of both sides are there; a denied sender's is the only one */
	struct policy_verdict verdicts[POLICY_DIRECTIONS];
};

/* opener: the port that the connection's first packet comes from; other: where it goes. */
void decision_make(const struct policy_port *opener, const struct policy_port *other,
	const struct policy_query *query, struct decision *decision);

/* The same of one side only: a frame for many passes the sender's once, each receiver's by itself.
 */
void decision_make_one(const struct policy_port *port, enum policy_direction direction,
	const struct policy_query *query, struct decision *decision);

/* Whether the one who is denied gets an answer. */
static inline bool decision_rejects(const struct decision *d)
{
	return d->reason >= 0 && d->verdicts[d->by].action == CONFIG_REJECT;
}

#endif
