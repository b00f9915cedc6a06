#include <rte_prefetch.h>

#include "firewall.h"
#include "forward.h"
#include "guard.h"
#include "handover.h"
#include "inspect.h"
#include "learn.h"
#include "offload.h"
#include "shortcut.h"
#include "transmit.h"

#define PREFETCH_AHEAD 4

/* A packet at hand: one frame, or all fragments of one, which share a fate. */
struct unit {
	struct rte_mbuf **frames;
	unsigned n;
	uint16_t out; /* NO_PORT: for many, or nobody knows */
	int16_t reason; /* to drop it, or -1 */
	struct firewall_packet *packet;
};

/* Some facts about the burst at hand, so that what repeats from packet to packet is done once. */
struct context {
	struct worker *w;
	const struct snapshot *snapshot;
	const struct port *port;
	const struct network *net;
	uint64_t last_dst; /* key of the last lookup; 0: no one's */
	uint16_t last_out;
	uint16_t delivered; /* to one receiver each, to be counted at the end of the burst */

	/* What is the same for all packets to one port. */
	const struct port *to; /* NULL: none was met yet */
	uint16_t met; /* its id, or the one that nobody has */
	int16_t refused; /* why nothing may get there, or -1 */
	bool bare; /* neither end has rules or tracking */
	bool keeps; /* shortcuts of what it comes to */
	uint16_t n_handed; /* over to other workers */
};

static inline uint64_t dst_key(const struct rte_mbuf *m)
{
	return fdb_key(&rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->dst_addr);
}

static inline uint64_t src_key(const struct rte_mbuf *m)
{
	return fdb_key(&rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->src_addr);
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
	int reason = guard_admit(port->guard, m, p);

	return reason >= 0 ? reason : offload_accept(m, p);
}

static inline bool is_member(const struct context *c, const struct port *port)
{
	return port != NULL && port->network == c->port->network;
}

/* The port where key lives in this network, or NO_PORT. */
static uint16_t locate(struct context *c, uint64_t key)
{
	uint16_t out;

	if (unlikely(c->net->wire && c->net->n_ports == 2))
		return c->net->ports[c->port == c->net->ports[0]]->id;
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

/*
 * Private VLAN: an isolated port and another talk only where that other is promiscuous. Split
 * horizon: what came out of a tunnel goes into no other.
 */
static inline bool may_talk(const struct port *a, const struct port *b)
{
	return ((a->shuns & b->is) | (b->shuns & a->is)) == 0;
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

static void drop(struct context *c, const struct unit *u, enum drop_reason reason)
{
	for (unsigned i = 0; i < u->n; i++)
		worker_drop(c->w, c->port->id, u->frames[i], reason);
}

/* To several receivers, or in several frames. */
static void send_to(
	struct context *c, const struct unit *u, const struct port *const *to, unsigned n)
{
	counter_add(&c->w->counters[c->port->id].delivered, u->n);
	counter_add(&c->w->counters[c->port->id].copies, (uint64_t)u->n * (n - 1));
	for (unsigned i = 0; i < u->n; i++) {
		u->frames[i]->hash.rss = u->packet->p->flow_hash;
		share(u->frames[i], n - 1);
		for (unsigned k = 0; k < n; k++)
			transmit(c->w, to[k], u->frames[i]);
	}
}

/* Counts copies that n receivers' rules refuse, as some that were offered to them. */
static void refuse_copies(
	struct context *c, const struct unit *u, const struct port *const *to, unsigned n)
{
	counter_add(&c->w->counters[c->port->id].copies, (uint64_t)u->n * n);
	for (unsigned i = 0; i < n; i++) {
		counter_add(&c->w->counters[to[i]->id].offered, u->n);
		counter_add(worker_drops(c->w, to[i]->id, DROP_policy_copy), u->n);
	}
}

/* The home worker floods: storm meters are its own. */
static void flood(struct context *c, struct unit *u)
{
	bool unknown = !(u->packet->p->flags & PACKET_GROUP);
	const struct port *to[MAX_PORTS]; /* from the end: those who refuse it */
	enum drop_reason storm;
	unsigned n = 0, refused = 0;
	int reason;

	if (unknown && !c->net->flood_unknown)
		reason = DROP_unknown_unicast;
	else if (!storm_allows(c, u->packet->p, &storm))
		reason = (int)storm;
	else
		reason = inspect_gate(c->port, NULL, u->packet);
	if (reason < 0)
		reason = firewall_flood(c->w, c->port, u->packet);
	if (unlikely(reason < 0 && c->port->inspect != NULL)) {
		inspect_lookup(c->w, c->port, u->packet);
		if (inspect_flood_forbids(c->port, u->packet))
			reason = DROP_stream_invalid;
	}
	for (unsigned i = 0; reason < 0 && i < c->net->n_ports; i++) {
		const struct port *port = c->net->ports[i];

		if (port == c->port || !may_talk(c->port, port) ||
			(unknown && !port->takes_unknown))
			continue;
		if (inspect_gate(c->port, port, u->packet) < 0 &&
			firewall_takes_copy(c->w, c->port, port, u->packet))
			to[n++] = port;
		else
			to[MAX_PORTS - ++refused] = port;
	}
	if (reason < 0 && n == 0)
		reason = refused > 0 ? DROP_policy_in : DROP_no_receiver;
	if (reason < 0) {
		refuse_copies(c, u, to + MAX_PORTS - refused, refused);
		send_to(c, u, to, n);
	} else {
		drop(c, u, (enum drop_reason)reason);
	}
}

static int refuses(const struct context *c, const struct port *to)
{
	/* Whatever a table says: never into another network. */
	if (!is_member(c, to))
		return DROP_no_receiver; /* configured, but not up yet */
	if (to == c->port)
		return DROP_hairpin;
	if (!may_talk(c->port, to))
		return DROP_isolated;
	return -1;
}

static __rte_noinline void meet(struct context *c, uint16_t out)
{
	c->met = out;
	c->to = c->snapshot->ports[out];
	c->refused = (int16_t)refuses(c, c->to);
	c->bare = c->refused < 0 && c->port->bare && c->to->bare;
}

/* Why a packet for one port must not get there; -1: it may. */
static inline int judge(struct context *c, uint16_t out, struct firewall_packet *packet)
{
	if (unlikely(out != c->met))
		meet(c, out);
	if (unlikely(c->refused >= 0))
		return c->refused;
	/* The packet before may have put either under quarantine. */
	if (unlikely(inspect_gate(c->port, c->to, packet) >= 0))
		return DROP_quarantined;
	if (unlikely(c->to->inspect != NULL))
		inspect_neighbour(c->w, c->to, packet);
	return c->bare ? -1 : firewall_unicast(c->w, c->port, c->to, packet);
}

/* What is not one packet for one port that it may get to. */
static void output(struct context *c, struct unit *u)
{
	if (u->reason >= 0)
		drop(c, u, (enum drop_reason)u->reason);
	else if (u->out == NO_PORT)
		flood(c, u);
	else
		send_to(c, u, &c->snapshot->ports[u->out], 1);
}

/* A fragment waits for its packet's others; with the last of them all go, as one. */
static void fragment(struct context *c, struct unit *u)
{
	struct rte_mbuf *frames[FRAGMENTS_PER_PACKET];
	struct packet whole;
	struct firewall_packet packet = {.p = &whole, .looked = false, .asked = NULL};
	struct unit all = {.frames = frames, .out = u->out, .reason = -1, .packet = &packet};

	all.n = fragments_add(firewall_fragments(c->w->firewall), c->w, c->port, u->frames[0],
		u->packet->p, frames, &whole);
	if (all.n == 0)
		return;
	packet.m = frames[0];
	packet.frames = frames;
	packet.n_frames = all.n;
	if (all.out != NO_PORT)
		all.reason = (int16_t)judge(c, all.out, &packet);
	output(c, &all);
}

static inline bool is_ip_for_one(const struct packet *p)
{
	return (p->flags & (PACKET_IPV4 | PACKET_IPV6)) &&
	       !(p->flags & (PACKET_GROUP | PACKET_FRAGMENT));
}

/*
 * Whether the guard, and what is learned, go by what all packets have in common that a shortcut
 * fits as it fits this one. DHCP is told apart by its payload.
 */
static bool is_usual_sender(const struct context *c, const struct firewall_packet *packet)
{
	const struct rte_mbuf *m = packet->m;

	return packet_usual(m) != 0 && src_key(m) == c->port->mac && !c->port->remote &&
	       guard_is_plain(packet->p, rte_pktmbuf_mtod_offset(m, const uint8_t *, USUAL_L4_OFF));
}

/* packet is another worker's; `next` was found by its addresses, unless it was handed to this one.
 */
static void hand(struct context *c, unsigned next, const struct firewall_packet *packet, bool owned)
{
	const struct shortcut_facts facts = {
		.serial = c->snapshot->serial,
		.from = c->port->id,
		.worker = (uint8_t)next,
	};

	if (c->keeps && owned && is_usual_sender(c, packet))
		shortcut_keep(
			&c->w->shortcuts, rte_pktmbuf_mtod(packet->m, const uint8_t *), &facts);
	handover(c->w, next, c->port, packet->m);
	c->n_handed++;
}

/*
 * Finds where a packet goes, and who goes on with it: its owner, or the home worker where it must
 * be flooded, since meters are the home's. False where it is handed over. next: its owner.
 */
static bool place_shared(
	struct context *c, struct firewall_packet *packet, uint16_t *out, unsigned next)
{
	/* Only its owner's: the home worker's may be what it had before the network moved. */
	if (*out == NO_PORT && next == c->w->index && is_ip_for_one(packet->p))
		*out = firewall_known_port(c->w, c->port, packet);
	if (*out == NO_PORT)
		next = c->net->home;
	if (next == c->w->index)
		return true;
	hand(c, next, packet, false);
	return false;
}

/* Learns who sent it, and places it. False where it is gone. */
static inline bool place(
	struct context *c, struct firewall_packet *packet, uint16_t *out, bool handed)
{
	unsigned next = owner(c->net, packet->p);
	struct rte_mbuf *m = packet->m;
	uint64_t src = src_key(m);

	if (unlikely(!handed && next != c->w->index)) {
		hand(c, next, packet, true);
		return false;
	}
	if (unlikely(src != c->port->mac) && !learn(c->w, c->port, src)) {
		worker_drop(c->w, c->port->id, m, DROP_src_mac_static);
		return false;
	}
	*out = packet->p->flags & PACKET_GROUP ? NO_PORT : locate(c, dst_key(m));
	return likely(*out != NO_PORT && next == c->w->index) || place_shared(c, packet, out, next);
}

/* A burst's packets, those that this worker goes on with: they move to the front. */
struct burst {
	struct packet parsed[BURST];
	struct firewall_packet packets[BURST];
	uint16_t out[BURST];
	int16_t reason[BURST];
	unsigned n;
};

/* Parses n packets, drops what may not come in so; what passes is in b->packets. */
static void parse_burst(
	struct context *c, struct burst *b, struct rte_mbuf **pkts, unsigned n, bool handed)
{
	struct packet *p = b->parsed;
	int reason;

	b->n = 0;
	for (unsigned i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH_AHEAD], void *));
		reason = packet_parse(m, p);
		/* It was looked at, and its offloads accepted, before it was handed over. */
		if (likely(reason < 0 && !handed))
			reason = check(c->port, m, p);
		if (unlikely(reason >= 0)) {
			worker_drop(c->w, c->port->id, m, (enum drop_reason)reason);
			continue;
		}
		firewall_packet_init(&b->packets[b->n++], m, p++);
	}
}

static void place_burst(struct context *c, struct burst *b, bool handed)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < b->n; i++) {
		struct firewall_packet *packet = &b->packets[i];

		if (unlikely(!place(c, packet, &b->out[kept], handed)))
			continue;
		if (unlikely(kept != i))
			firewall_packet_init(&b->packets[kept], packet->m, packet->p);
		kept++;
	}
	b->n = kept;
}

static inline bool is_fragment(const struct firewall_packet *packet)
{
	return packet->p->flags & PACKET_FRAGMENT;
}

/*
 * Whether all packets that a shortcut fits as it fits this one come to the same, under this
 * snapshot: what the guard says goes by what they have in common, as does whose they are, and both
 * MACs are configured. One that was handed over may have passed the guard of the snapshot before.
 */
static bool is_exemplary(const struct context *c, const struct firewall_packet *packet)
{
	const struct port *from = c->port, *to = c->to;

	return is_usual_sender(c, packet) && dst_key(packet->m) == to->mac && !to->remote &&
	       guard_admit(from->guard, packet->m, packet->p) < 0;
}

/* packet may go to c->to. */
static __rte_noinline void keep_shortcut(
	const struct context *c, const struct firewall_packet *packet)
{
	const bool inspected = c->port->inspect != NULL && packet->p->l4_proto == IPPROTO_TCP;
	const struct shortcut_facts facts = {
		.serial = c->snapshot->serial,
		.conn = packet->conn,
		.sender = packet->conn != NULL ? packet->view.sender : 0,
		.worker = (uint8_t)c->w->index,
		.from = c->port->id,
		.out = c->met,
		.flow_hash = packet->p->flow_hash,
		.settled = inspected ? inspect_settled(c->port, c->to) : 0,
	};

	if (inspected && (packet->conn == NULL || packet->conn->settled != facts.settled))
		return;
	if ((c->bare || packet->conn != NULL) && is_exemplary(c, packet))
		shortcut_keep(
			&c->w->shortcuts, rte_pktmbuf_mtod(packet->m, const uint8_t *), &facts);
}

static void judge_burst(struct context *c, struct burst *b)
{
	uint64_t start = worker_clock(c->w);

	firewall_look(c->w, c->port, b->packets, b->n);
	for (unsigned i = 0; i < b->n; i++) {
		b->reason[i] = -1;
		if (unlikely(b->out[i] == NO_PORT || is_fragment(&b->packets[i])))
			continue;
		b->reason[i] = (int16_t)judge(c, b->out[i], &b->packets[i]);
		if (c->keeps && b->reason[i] < 0)
			keep_shortcut(c, &b->packets[i]);
	}
	worker_stage_count(c->w, STAGE_FIREWALL, b->n, worker_clock(c->w) - start);
}

/* What is dropped, for many, or a fragment. */
static __rte_noinline void send_other(struct context *c, struct burst *b, unsigned i)
{
	struct unit u = {&b->packets[i].m, 1, b->out[i], b->reason[i], &b->packets[i]};

	if (is_fragment(&b->packets[i]))
		fragment(c, &u);
	else
		output(c, &u);
}

/* Packets in a row for one port, c->to. */
struct run {
	struct rte_mbuf *pkts[BURST];
	unsigned n;
};

static inline void end_run(struct context *c, struct run *run)
{
	if (run->n == 0)
		return;
	c->delivered += (uint16_t)run->n;
	transmit_burst(c->w, c->to, run->pkts, run->n);
	run->n = 0;
}

static void send_burst(struct context *c, struct burst *b)
{
	struct run run;

	run.n = 0;
	for (unsigned i = 0; i < b->n; i++) {
		const struct firewall_packet *packet = &b->packets[i];
		uint16_t out = b->out[i];
		bool other = b->reason[i] >= 0 || out == NO_PORT || is_fragment(packet);

		if (unlikely(other || out != c->met))
			end_run(c, &run);
		if (unlikely(other)) {
			send_other(c, b, i);
			continue;
		}
		if (unlikely(out != c->met))
			meet(c, out);
		packet->m->hash.rss = packet->p->flow_hash;
		run.pkts[run.n++] = packet->m;
	}
	end_run(c, &run);
}

/* Packets that no shortcut holds for, or handed over by another worker. */
static void long_way(struct context *c, struct rte_mbuf **pkts, unsigned n, bool handed)
{
	struct worker *w = c->w;
	struct burst b;
	const struct stage_stats *tx = &w->stats.stages[STAGE_TX];
	const struct stage_stats *firewall = &w->stats.stages[STAGE_FIREWALL];
	uint64_t start = worker_clock(w), placing, elsewhere = tx->cycles + firewall->cycles;

	parse_burst(c, &b, pkts, n, handed);
	placing = worker_clock(w);
	worker_stage_count(w, STAGE_PARSE, n, placing - start);
	place_burst(c, &b, handed);
	judge_burst(c, &b);
	send_burst(c, &b);
	/* Output buffers that filled up meanwhile were sent, and are accounted there. */
	elsewhere = tx->cycles + firewall->cycles - elsewhere;
	worker_stage_count(w, STAGE_FORWARD, b.n, worker_clock(w) - placing - elsewhere);
}

/* -1, or why what a usual packet's sender left open cannot be. */
static inline int accept_usual(struct rte_mbuf *m)
{
	struct packet p = {.l3_off = USUAL_IP_OFF};

	if (unlikely(offload_is_asked(m)))
		packet_parse(m, &p); /* it is sound: it has a shortcut */
	return offload_accept(m, &p);
}

/* An IPv4 packet with options, or in fragments: it may be of a flow whose others have a shortcut.
 */
static __rte_noinline bool is_odd_one(const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);

	return packet_usual(m) == 0 && m->data_len >= USUAL_IP_OFF &&
	       load16(frame + 12) == 0x0800 && !(frame[0] & 1);
}

/*
 * Sends those of n packets whose shortcuts hold, and moves the others to the front of pkts. Returns
 * how many these are. All are from the first one on whose shortcut does not hold any more, or that
 * is an odd one, so that packets of one flow stay in their order; and from the first one of an
 * inspected port that has none, since it may put the port under quarantine.
 */
static unsigned send_short(struct context *c, struct rte_mbuf **pkts,
	const struct shortcut *const *shortcuts, unsigned n, bool handed)
{
	const bool strict = c->snapshot->firewall.tcp_strict;
	const uint32_t now = firewall_now(c->w);
	unsigned others = 0, end = n;
	struct run run;
	int reason;

	run.n = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct shortcut *s = shortcuts[i];
		struct rte_mbuf *m = pkts[i];
		bool own = s != NULL && likely(s->worker == c->w->index);

		if (unlikely(s == NULL) && i < end && (c->port->inspect != NULL || is_odd_one(m)))
			end = i;
		if (unlikely(own && i < end && !shortcut_holds(s, m, strict)))
			end = i;
		/* What was handed over for its flood must not go back to its owner. */
		if (unlikely(s == NULL || i >= end || (handed && !own))) {
			pkts[others++] = m;
			continue;
		}
		reason = likely(!handed) ? accept_usual(m) : -1;
		if (unlikely(reason >= 0)) {
			worker_drop(c->w, c->port->id, m, (enum drop_reason)reason);
			continue;
		}
		if (unlikely(!own)) {
			handover(c->w, s->worker, c->port, m);
			continue;
		}
		if (unlikely(s->out != c->met)) {
			end_run(c, &run);
			meet(c, s->out);
		}
		if (s->conn != NULL)
			conns_touch(s->conn, now);
		m->hash.rss = s->flow_hash;
		run.pkts[run.n++] = m;
	}
	end_run(c, &run);
	return others;
}

/* Each by its shortcut, or the long way where it has none. */
static void by_shortcuts(struct context *c, struct rte_mbuf **pkts, unsigned n, bool handed)
{
	const struct shortcut *shortcuts[BURST];
	uint64_t start = worker_clock(c->w), output = c->w->stats.stages[STAGE_TX].cycles;
	unsigned others;

	shortcuts_look(&c->w->shortcuts, c->port->id, c->snapshot->serial, pkts, n, shortcuts);
	others = send_short(c, pkts, shortcuts, n, handed);
	output = c->w->stats.stages[STAGE_TX].cycles - output;
	worker_stage_count(c->w, STAGE_SHORTCUT, n - others, worker_clock(c->w) - start - output);
	/* After all that found theirs: these may overwrite them. */
	if (others > 0)
		long_way(c, pkts, others, handed);
	shortcuts_brought(&c->w->shortcuts.uses[c->port->id], n - c->n_handed, n - others);
}

static void process(
	struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n, bool handed)
{
	struct context c = {
		.w = w,
		.snapshot = w->snapshot,
		.port = port,
		.net = w->snapshot->networks[port->network],
		.last_out = NO_PORT,
		.met = NO_PORT,
	};

	c.keeps = shortcuts_pay(&w->shortcuts.uses[port->id], n);
	if (c.keeps)
		by_shortcuts(&c, pkts, n, handed);
	else
		long_way(&c, pkts, n, handed);
	counter_add(&w->counters[port->id].delivered, c.delivered);
}

uint64_t forward_burst(
	struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n)
{
	struct port_counters *counters = &w->counters[port->id];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	counter_add(&counters->received, n);
	counter_add(&counters->received_bytes, bytes);
	process(w, port, pkts, n, false);
	return bytes;
}

void forward_handed(struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n)
{
	process(w, port, pkts, n, true);
}
