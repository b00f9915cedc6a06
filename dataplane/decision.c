#include "decision.h"

/* Takes one side's verdict in. Audit mode overrules rules and defaults, not emergency blocks. */
static void take(struct decision *d, const struct policy_port *port, enum policy_direction side)
{
	const struct policy_verdict *verdict = &d->verdicts[side];

	if (verdict->action == CONFIG_ALLOW)
		return;
	if (verdict->source != POLICY_BY_BLOCK && port->tenant->audit) {
		if (!d->audited)
			d->by = side;
		d->audited = true;
		return;
	}
	d->by = side;
	if (verdict->source == POLICY_BY_BLOCK)
		d->reason = DROP_blocked;
	else
		d->reason = side == POLICY_OUT ? DROP_policy_out : DROP_policy_in;
}

void decision_make_one(const struct policy_port *port, enum policy_direction direction,
	const struct policy_query *query, struct decision *decision)
{
	decision->reason = -1;
	decision->by = direction;
	decision->audited = decision->complete = false;
	policy_decide(port, direction, query, &decision->verdicts[direction]);
	take(decision, port, direction);
}

void decision_make(const struct policy_port *opener, const struct policy_port *other,
	const struct policy_query *query, struct decision *decision)
{
	decision_make_one(opener, POLICY_OUT, query, decision);
	if (decision->reason >= 0)
		return;
	policy_decide(other, POLICY_IN, query, &decision->verdicts[POLICY_IN]);
	decision->complete = true;
	take(decision, other, POLICY_IN);
}
