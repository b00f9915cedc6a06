#include <string.h>

#include "firewall_state.h"
#include "reject.h"
#include "transmit.h"

#define REJECTS_PER_SECOND 100 /* answers to one port */

void firewall_tell(struct worker *w, const struct opening *o, const struct decision *d,
	enum policy_direction direction)
{
	const struct port *at = direction == POLICY_OUT ? o->opener : o->other;
	struct firewall_record record = {
		.key = *o->key,
		.opener = o->side,
		.direction = direction,
		.audit = d->audited && direction == d->by,
		.picked_up = o->picked_up,
		.from_port = o->opener->id,
		.from_serial = o->opener->serial,
		.to_port = o->other != NULL ? o->other->id : NO_PORT,
		.to_serial = o->other != NULL ? o->other->serial : 0,
		.service = o->service,
		.verdict = d->verdicts[direction],
		.when = w->now,
	};

	if (record.verdict.source == POLICY_BY_RULE)
		memcpy(record.group, at->policy->groups[record.verdict.group]->name,
			sizeof(record.group));
	firewall_log_put(w->firewall->log, &record, o->opener->id, w->now, w->hz);
}

void firewall_tell_all(struct worker *w, const struct opening *o, const struct decision *d)
{
	const struct policy_verdict *by = &d->verdicts[d->by];

	if (d->reason >= 0) {
		if (by->log || by->source == POLICY_BY_BLOCK)
			firewall_tell(w, o, d, d->by);
		return;
	}
	if (d->audited)
		firewall_tell(w, o, d, d->by);
	if (o->quiet)
		return;
	for (unsigned i = 0; i < POLICY_DIRECTIONS; i++)
		if (d->verdicts[i].log && d->verdicts[i].action == CONFIG_ALLOW)
			firewall_tell(w, o, d, i);
}

/* Whether the port may be answered once more in this second. */
static bool take_answer(struct worker *w, const struct port *from)
{
	struct port_memo *memo = &w->firewall->memos[from->id];

	if (w->now - memo->second >= w->hz) {
		memo->second = w->now;
		memo->rejects = REJECTS_PER_SECOND;
	}
	if (memo->rejects == 0)
		return false;
	memo->rejects--;
	return true;
}

static void answer(struct worker *w, const struct port *from, const struct firewall_packet *packet,
	struct rte_mbuf *m)
{
	if (m == NULL)
		return;
	m->hash.rss = packet->p->flow_hash;
	counter_add(&w->counters[from->id].made, 1);
	transmit(w, from, m);
}

void firewall_answer(
	struct worker *w, const struct port *from, const struct firewall_packet *packet)
{
	if (take_answer(w, from))
		answer(w, from, packet, reject_answer(packet->m, packet->p, port_env.pool));
}

void firewall_reset(struct worker *w, const struct port *from, const struct firewall_packet *packet,
	uint32_t seq)
{
	if (take_answer(w, from))
		answer(w, from, packet, reject_reset(packet->m, packet->p, port_env.pool, seq));
}
