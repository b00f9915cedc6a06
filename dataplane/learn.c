#include "learn.h"

/* A port's share, so that no flood of addresses fills the ring for the others. */
static bool may_post(const struct worker *w, struct learn_memo *memo)
{
	if (w->now - memo->second >= w->hz) {
		memo->second = w->now;
		memo->posts = FDB_LEARNS_PER_SECOND;
	}
	if (memo->posts == 0)
		return false;
	memo->posts--;
	return true;
}

/* Tells the home worker, which is another one. False where it could not be told. */
static bool post(struct worker *w, const struct network *net, const struct port *port,
	struct learn_memo *memo, uint64_t key)
{
	struct learn_message message = {
		.key = key,
		.serial = port->serial,
		.network = net->id,
		.port = port->id,
	};
	struct worker *home = workers[net->home];

	if (fdb_is_fresh(net->fdb, key, port->id, w->now))
		return true;
	if (may_post(w, memo) &&
		rte_ring_enqueue_elem(home->learned, &message, sizeof(message)) == 0)
		return true;
	counter_add(&w->stats.fdb_messages_lost, 1);
	return false;
}

bool learn(struct worker *w, const struct port *port, uint64_t key)
{
	const struct network *net = w->snapshot->networks[port->network];
	uint32_t generation = atomic_load_explicit(&port->dev->rx_generation, memory_order_relaxed);
	struct learn_memo *memo = &w->memos[port->id];
	uint16_t configured;

	if (key == port->mac)
		return true;
	if (memo->key == key && memo->serial == w->snapshot->serial &&
		memo->generation == generation && w->now - memo->when < w->hz)
		return true;
	configured = static_macs_lookup(net->statics, key);
	if (configured != NO_PORT)
		return configured == port->id;
	if (!net->learning)
		return true;
	if (w->index == net->home)
		fdb_learn(net->fdb, key, port->id, port->mac_limit, w->now);
	else if (!post(w, net, port, memo, key))
		return true;
	memo->key = key;
	memo->when = w->now;
	memo->serial = w->snapshot->serial;
	memo->generation = generation;
	return true;
}

void learn_posted(struct worker *w, unsigned budget)
{
	struct learn_message message;

	while (budget-- > 0 &&
		rte_ring_sc_dequeue_elem(w->learned, &message, sizeof(message)) == 0) {
		const struct network *net = w->snapshot->networks[message.network];
		const struct port *port = w->snapshot->ports[message.port];

		if (net == NULL || port == NULL || port->serial != message.serial ||
			port->network != message.network || net->home != w->index ||
			!net->learning || static_macs_lookup(net->statics, message.key) != NO_PORT)
			continue;
		fdb_learn(net->fdb, message.key, port->id, port->mac_limit, w->now);
	}
}
