#include <rte_cycles.h>
#include <rte_prefetch.h>

#include "forward.h"
#include "handover.h"
#include "offload.h"
#include "transmit.h"

#define PREFETCH_AHEAD 4

/* Some facts about the burst at hand, so that what repeats from packet to packet is done once. */
struct context {
	struct worker *w;
	const struct snapshot *snapshot;
	const struct port *port;
	const struct network *net;
	uint64_t last_dst; /* key of the last lookup; 0: no one's */
	uint16_t last_out;
};

static inline uint64_t dst_key(const struct rte_mbuf *m)
{
	return fdb_key(&rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->dst_addr);
}

static inline uint64_t src_key(const struct rte_mbuf *m)
{
	return fdb_key(&rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->src_addr);
}

/* Group bit of the first octet; the key holds the MAC in memory order. */
static inline bool key_is_group(uint64_t key)
{
	return key & 1;
}

/* 01:80:c2:00:00:00 to 0f: IEEE 802.1Q table 8-1, never forwarded by a bridge. */
static bool is_reserved_multicast(const struct rte_mbuf *m)
{
	const struct rte_ether_addr *dst = &rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->dst_addr;

	return dst->addr_bytes[0] == 0x01 && dst->addr_bytes[1] == 0x80 &&
	       dst->addr_bytes[2] == 0xc2 && dst->addr_bytes[3] == 0 && dst->addr_bytes[4] == 0 &&
	       dst->addr_bytes[5] < 0x10;
}

/* The worker that owns the packet's state. */
static inline unsigned owner(const struct network *net, const struct packet *p)
{
	if (net->n_workers == 1)
		return net->home;
	return net->workers[p->addr_hash % net->n_workers];
}

/* What is wrong with a frame as port's input; -1 where nothing is. */
static int check(const struct port *port, struct rte_mbuf *m, const struct packet *p)
{
	uint64_t src = src_key(m);

	if (src == 0 || key_is_group(src))
		return DROP_src_mac_invalid;
	if ((p->flags & PACKET_TAGGED) && !port->tagged)
		return DROP_vlan_tagged;
	if ((p->flags & PACKET_GROUP) && is_reserved_multicast(m))
		return DROP_reserved_multicast;
	return offload_accept(m, p);
}

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
static bool post_learn(struct context *c, struct learn_memo *memo, uint64_t key)
{
	struct fdb_message message = {
		.key = key,
		.serial = c->port->serial,
		.network = c->net->id,
		.port = c->port->id,
	};
	struct worker *home = workers[c->net->home];

	if (fdb_is_fresh(c->net->fdb, key, c->port->id, c->w->now))
		return true;
	if (may_post(c->w, memo) &&
		rte_ring_enqueue_elem(home->learned, &message, sizeof(message)) == 0)
		return true;
	counter_add(&c->w->stats.fdb_messages_lost, 1);
	return false;
}

/* Learns the sender; false where its address is configured on another port. */
static bool learn(struct context *c, uint64_t key)
{
	uint32_t generation = atomic_load_explicit(
		&c->port->dev->rx_generation, memory_order_relaxed);
	struct learn_memo *memo = &c->w->memos[c->port->id];
	uint16_t configured;

	if (key == c->port->mac)
		return true;
	if (memo->key == key && memo->serial == c->snapshot->serial &&
		memo->generation == generation && c->w->now - memo->when < c->w->hz)
		return true;
	configured = static_macs_lookup(c->net->statics, key);
	if (configured != NO_PORT)
		return configured == c->port->id;
	if (!c->net->learning)
		return true;
	if (c->w->index == c->net->home)
		fdb_learn(c->net->fdb, key, c->port->id, c->port->mac_limit, c->w->now);
	else if (!post_learn(c, memo, key))
		return true;
	memo->key = key;
	memo->when = c->w->now;
	memo->serial = c->snapshot->serial;
	memo->generation = generation;
	return true;
}

void forward_learn_posted(struct worker *w, unsigned budget)
{
	struct fdb_message message;

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

static inline bool is_member(const struct context *c, const struct port *port)
{
	return port != NULL && port->network == c->port->network;
}

/* The port where key lives in this network, or NO_PORT. */
static uint16_t locate(struct context *c, uint64_t key)
{
	uint16_t out;

	if (key == c->last_dst)
		return c->last_out;
	out = static_macs_lookup(c->net->statics, key);
	if (out == NO_PORT && !fdb_empty(c->net->fdb)) {
		out = fdb_lookup(c->net->fdb, key);
		/* A learned entry may outlive its port for a moment. */
		if (out != NO_PORT && !is_member(c, c->snapshot->ports[out]))
			out = NO_PORT;
	}
	c->last_dst = key;
	c->last_out = out;
	return out;
}

/* Private VLAN: an isolated port and another talk only where that other is promiscuous. */
static inline bool may_talk(const struct port *a, const struct port *b)
{
	return !(a->isolated && !b->promiscuous) && !(b->isolated && !a->promiscuous);
}

/* The meter that a frame for many is held against. */
static bool storm_allows(struct context *c, const struct packet *p, enum drop_reason *reason)
{
	enum storm_kind kind = STORM_UNKNOWN;

	*reason = DROP_storm_unknown;
	if (p->flags & PACKET_BROADCAST) {
		kind = STORM_BROADCAST;
		*reason = DROP_storm_broadcast;
	} else if (p->flags & PACKET_GROUP) {
		kind = STORM_MULTICAST;
		*reason = DROP_storm_multicast;
	}
	return storm_pass(c->port->storm, kind, c->w->now);
}

/* One more reference to every segment of m for each of `more` receivers. */
static void share(struct rte_mbuf *m, unsigned more)
{
	for (; m != NULL; m = m->next)
		rte_mbuf_refcnt_update(m, more);
}

static void flood(struct context *c, struct rte_mbuf *m, const struct packet *p)
{
	bool unknown = !(p->flags & PACKET_GROUP);
	const struct port *to[MAX_PORTS];
	enum drop_reason reason;
	unsigned n = 0;

	/* The home worker floods: meters and, later, all that spans flows are its own. */
	if (c->w->index != c->net->home) {
		handover(c->w, c->net->home, c->port, m);
		return;
	}
	if (unknown && !c->net->flood_unknown) {
		worker_drop(c->w, c->port->id, m, DROP_unknown_unicast);
		return;
	}
	if (!storm_allows(c, p, &reason)) {
		worker_drop(c->w, c->port->id, m, reason);
		return;
	}
	for (unsigned i = 0; i < c->net->n_ports; i++) {
		const struct port *port = c->net->ports[i];

		if (port != c->port && may_talk(c->port, port) && (!unknown || port->takes_unknown))
			to[n++] = port;
	}
	if (n == 0) {
		worker_drop(c->w, c->port->id, m, DROP_no_receiver);
		return;
	}
	share(m, n - 1);
	counter_add(&c->w->counters[c->port->id].delivered, 1);
	counter_add(&c->w->counters[c->port->id].copies, n - 1);
	for (unsigned i = 0; i < n; i++)
		transmit(c->w, to[i], m);
}

static void unicast(struct context *c, struct rte_mbuf *m, uint16_t out)
{
	const struct port *to = c->snapshot->ports[out];
	enum drop_reason reason;

	/* Whatever a table says: never into another network. */
	if (!is_member(c, to))
		reason = DROP_no_receiver; /* configured, but not up yet */
	else if (to == c->port)
		reason = DROP_hairpin;
	else if (!may_talk(c->port, to))
		reason = DROP_isolated;
	else {
		counter_add(&c->w->counters[c->port->id].delivered, 1);
		transmit(c->w, to, m);
		return;
	}
	worker_drop(c->w, c->port->id, m, reason);
}

static void forward_owned(struct context *c, struct rte_mbuf *m, const struct packet *p)
{
	uint16_t out;

	if (!learn(c, src_key(m))) {
		worker_drop(c->w, c->port->id, m, DROP_src_mac_static);
		return;
	}
	m->hash.rss = p->flow_hash;
	out = p->flags & PACKET_GROUP ? NO_PORT : locate(c, dst_key(m));
	if (out == NO_PORT)
		flood(c, m, p);
	else
		unicast(c, m, out);
}

/* Parses a burst; packets that pass move to the front of pkts. Returns how many those are. */
static unsigned parse_burst(struct worker *w, const struct port *port, struct rte_mbuf **pkts,
	struct packet *packets, unsigned n, bool handed)
{
	unsigned kept = 0;
	int reason;

	for (unsigned i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH_AHEAD], void *));
		reason = packet_parse(m, &packets[kept]);
		/* Its offloads were accepted before it was handed over. */
		if (reason < 0 && !handed)
			reason = check(port, m, &packets[kept]);
		if (reason < 0)
			pkts[kept++] = m;
		else
			worker_drop(w, port->id, m, (enum drop_reason)reason);
	}
	return kept;
}

static void process(
	struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n, bool handed)
{
	struct packet packets[BURST];
	struct context c = {
		.w = w,
		.snapshot = w->snapshot,
		.port = port,
		.net = w->snapshot->networks[port->network],
		.last_out = NO_PORT,
	};
	const struct stage_stats *tx = &w->stats.stages[STAGE_TX];
	uint64_t start = rte_rdtsc(), parsed, tx_before = tx->cycles;
	unsigned kept = parse_burst(w, port, pkts, packets, n, handed);

	parsed = rte_rdtsc();
	worker_stage_count(w, STAGE_PARSE, n, parsed - start);
	for (unsigned i = 0; i < kept; i++) {
		unsigned to = handed ? w->index : owner(c.net, &packets[i]);

		if (to == w->index)
			forward_owned(&c, pkts[i], &packets[i]);
		else
			handover(w, to, port, pkts[i]);
	}
	/* Output buffers that filled up meanwhile were sent, and are accounted there. */
	worker_stage_count(w, STAGE_FORWARD, kept, rte_rdtsc() - parsed - (tx->cycles - tx_before));
}

void forward_burst(struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n)
{
	struct port_counters *counters = &w->counters[port->id];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	counter_add(&counters->received, n);
	counter_add(&counters->received_bytes, bytes);
	process(w, port, pkts, n, false);
}

void forward_handed(struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n)
{
	process(w, port, pkts, n, true);
}
