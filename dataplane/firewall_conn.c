/* Packets for one port: held against their connection, or opening one. */
#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_tcp.h>

#include "conn_opening.h"
#include "firewall_state.h"
#include "inspect.h"

/* Notes a decision in conn, whatever it is. */
static void note(
	struct worker *w, struct conn *conn, const struct opening *o, const struct decision *d)
{
	struct conn_detail *detail = conn_table_detail(w->firewall->table, conn);

	/* Denied first: who copies it between the two must not take it for allowed and current. */
	conns_deny(w->firewall->conns, conn, d->reason >= 0, firewall_ticks(w));
	conn_change_begin(conn);
	conn->epoch[POLICY_OUT] = o->opener->epoch[POLICY_OUT];
	conn->epoch[POLICY_IN] = o->other->epoch[POLICY_IN];
	conn->flags &= (uint8_t)~CONN_AUDITED;
	conn->flags |= d->audited ? CONN_AUDITED : 0;
	for (unsigned i = 0; i < POLICY_DIRECTIONS; i++) {
		bool asked = i == POLICY_OUT || d->complete;
		bool ruled = asked && d->verdicts[i].source == POLICY_BY_RULE;

		detail->group[i] = ruled ? d->verdicts[i].group : UINT16_MAX;
		detail->rule[i] = ruled ? d->verdicts[i].rule : CONN_RULE_NONE;
		if (asked && d->verdicts[i].source == POLICY_BY_BLOCK)
			detail->rule[i] = CONN_RULE_BLOCK;
	}
	conn_change_end(conn);
}

/* Decides on o and opens its connection, of which packet is the first. Returns -1 or a reason. */
static int open_as(struct worker *w, const struct opening *o, const struct port *from,
	struct firewall_packet *packet, struct decision *d)
{
	struct firewall *fw = w->firewall;
	struct conn_open open = {
		.view = &packet->view,
		.opener = o->side,
		.tenant = o->opener->policy->tenant->index,
		.l2 = rte_pktmbuf_mtod(packet->m, const uint8_t *),
		.picked_up = o->picked_up,
		.workers = w->snapshot->networks[from->network]->n_workers,
	};
	enum drop_reason reason;
	struct policy_query query;
	struct conn *conn;

	conn_query(o->key, o->side, o->service, &query);
	decision_make(o->opener->policy, o->other->policy, &query, d);
	if (d->reason >= 0)
		return d->reason;
	open.port[o->side] = o->opener->id;
	open.port[!o->side] = o->other->id;
	conn = conns_open(fw->conns, &open, firewall_ticks(w), &reason);
	if (conn == NULL)
		return (int)reason;
	conn->service = o->service;
	note(w, conn, o, d);
	firewall_tell_all(w, o, d);
	counter_add(&fw->stats.opened, 1);
	counter_add(&fw->stats.picked_up, o->picked_up);
	packet->conn = conn;
	return conns_follow(fw->conns, conn, packet->m, packet->p, packet->view.sender,
		firewall_ticks(w), w->snapshot->firewall.tcp_strict);
}

/* Whether connections may be taken over that nobody has seen begin: in audit mode always, since it
 * drops nothing that rules are about. */
static bool in_pick_up_window(
	const struct worker *w, const struct port *from, const struct port *to)
{
	const struct conn_opening_end a = {from->since, from->tracked};
	const struct conn_opening_end b = {to->since, to->tracked};

	return from->policy->tenant->audit ||
	       conn_opening_in_window(w->now, &a, &b, w->snapshot->firewall.pick_up);
}

/*
 * The packet's connection where another worker had it: its network has moved since. What that one
 * has is a copy from now on, and goes.
 */
static struct conn *fetch(
	struct worker *w, const struct port *from, const struct firewall_packet *packet)
{
	const uint8_t *l2 = rte_pktmbuf_mtod(packet->m, const uint8_t *);
	struct conn_detail detail;
	struct conn other, *conn;

	for (unsigned i = 0; i < n_workers; i++) {
		if (i == w->index || !conn_table_peek(workers[i]->firewall->table, &packet->view,
					     from->id, l2, &other, &detail))
			continue;
		conn = conns_adopt(w->firewall->conns, &other, &detail);
		if (conn != NULL && firewall_post_close(workers[i], &other, false))
			counter_add(&w->firewall->stats.fetched, 1);
		return conn;
	}
	return NULL;
}

/* A packet without a connection. */
static int open_connection(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet)
{
	const struct conn_view *view = &packet->view;
	bool starts = conn_opening_starts(packet->p, view);
	bool window = in_pick_up_window(w, from, to);
	struct opening o = {from, to, &view->key, view->sender, view->service, !starts, false};
	struct decision d, turned;
	int reason = DROP_icmp_unrelated;

	if (!starts && (!window || !conn_opening_may_continue(packet->p, view)))
		return view->key.proto == IPPROTO_TCP ? DROP_tcp_no_connection
						      : DROP_icmp_unrelated;
	if (!view->reply) {
		reason = open_as(w, &o, from, packet, &d);
		if (reason < 0 || d.reason < 0)
			return reason;
	}
	if (window && conn_opening_answers(view, starts)) {
		struct opening back = {to, from, &view->key, !view->sender,
			conn_opening_service_turned(view), true, false};

		if (open_as(w, &back, from, packet, &turned) < 0)
			return -1;
	}
	if (!view->reply) {
		firewall_tell_all(w, &o, &d);
		if (decision_rejects(&d))
			firewall_answer(w, from, packet);
	}
	return reason;
}

/* conn as it was opened; its ends are these two ports. */
static struct opening opening_of(
	const struct conn *conn, unsigned sender, const struct port *from, const struct port *to)
{
	unsigned opener = conn->flags & CONN_OPENER;

	return (struct opening){
		.opener = sender == opener ? from : to,
		.other = sender == opener ? to : from,
		.key = &conn->key,
		.side = opener,
		.service = conn->service,
		.quiet = true,
	};
}

static inline bool is_syn(const struct firewall_packet *packet)
{
	const uint8_t syn_only = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_RST_FLAG;

	return packet->view.key.proto == IPPROTO_TCP &&
	       (packet->p->tcp_flags & syn_only) == RTE_TCP_SYN_FLAG;
}

/* Rules have changed. Returns -1, or why the packet at hand is dropped. */
static int decide_again(struct worker *w, struct conn *conn, const struct opening *o,
	const struct port *from, struct firewall_packet *packet)
{
	struct policy_query query;
	struct decision d;

	counter_add(&w->firewall->stats.decided_again, 1);
	conn_query(o->key, o->side, o->service, &query);
	decision_make(o->opener->policy, o->other->policy, &query, &d);
	note(w, conn, o, &d);
	firewall_tell_all(w, o, &d);
	if (d.reason < 0)
		return -1;
	if (packet != NULL && decision_rejects(&d))
		firewall_answer(w, from, packet);
	if (d.reason == DROP_blocked || (packet != NULL && is_syn(packet)))
		return d.reason;
	return DROP_policy_revoked;
}

/*
 * The guest of one end sits at another port now: the connection goes on there, if that may. Else it
 * stays what it was: someone who borrows MACs must not end it.
 */
static int rebind(struct worker *w, struct conn *conn, const struct port *from,
	const struct port *to, struct firewall_packet *packet)
{
	struct opening o = opening_of(conn, packet->view.sender, from, to);
	struct conn_key key = conn->key;
	struct policy_query query;
	struct decision d;

	conn_query(o.key, o.side, o.service, &query);
	decision_make(o.opener->policy, o.other->policy, &query, &d);
	if (d.reason >= 0) {
		firewall_tell_all(w, &o, &d);
		return d.reason;
	}
	o.key = &key;
	o.picked_up = true;
	conns_close(w->firewall->conns, conn);
	return open_as(w, &o, from, packet, &d);
}

/*
 * A SYN that cannot be of conn, though it has its tuple: the old one gives way to a new one, if
 * that may be.
 */
static int replace(struct worker *w, struct conn *conn, const struct port *from,
	const struct port *to, struct firewall_packet *packet)
{
	const struct conn_view *view = &packet->view;
	struct policy_query query;
	struct decision d;

	conn_query(&view->key, view->sender, view->service, &query);
	decision_make(from->policy, to->policy, &query, &d);
	if (d.reason < 0)
		conns_close(w->firewall->conns, conn);
	return open_connection(w, from, to, packet);
}

/* Neither epoch of conn has moved, and its verdict is to pass. */
static inline bool is_current(
	const struct conn *conn, const struct port *opener, const struct port *other)
{
	return conn->epoch[POLICY_OUT] == opener->epoch[POLICY_OUT] &&
	       conn->epoch[POLICY_IN] == other->epoch[POLICY_IN] && !(conn->flags & CONN_DENIED);
}

static bool is_killed(const struct worker *w, const struct conn *conn)
{
	uint16_t rule = conn_table_detail(w->firewall->table, conn)->rule[POLICY_OUT];

	return (conn->flags & CONN_DENIED) && (rule == CONN_RULE_KILL || rule == CONN_RULE_FOUND);
}

/* Dead, whatever the rules come to say: only a new connection may follow. */
static void end_for_good(struct worker *w, struct conn *conn, uint16_t rule)
{
	struct conn_detail *detail = conn_table_detail(w->firewall->table, conn);

	conns_deny(w->firewall->conns, conn, true, firewall_ticks(w));
	conn_change_begin(conn);
	detail->group[POLICY_OUT] = UINT16_MAX;
	detail->rule[POLICY_OUT] = rule;
	conn_change_end(conn);
}

void firewall_end(struct worker *w, struct conn *conn)
{
	end_for_good(w, conn, CONN_RULE_FOUND);
}

/*
 * A TCP connection that may still be picked up stays as a dead one, as long as its ends go on: else
 * the next segment would bring it back. The others begin anew anyway, where the rules allow it.
 */
void firewall_kill(struct worker *w, struct conn *conn)
{
	const struct port *a = w->snapshot->ports[conn->port[0]];
	const struct port *b = w->snapshot->ports[conn->port[1]];

	if (conn->key.proto != IPPROTO_TCP || a == NULL || b == NULL || !in_pick_up_window(w, a, b))
		conns_close(w->firewall->conns, conn);
	else
		end_for_good(w, conn, CONN_RULE_KILL);
}

/* Resets the sender of a packet of a connection that inspection has ended. The packet may be an old
 * one, so its number is the latest that its sender has shown to wait for. */
static void reset_again(struct worker *w, struct conn *conn, const struct port *from,
	const struct firewall_packet *packet)
{
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(
		packet->m, const struct rte_tcp_hdr *, packet->p->l4_off);
	uint32_t ack = rte_be_to_cpu_32(tcp->recv_ack);
	uint32_t *seq = &conn->first[!packet->view.sender];

	if (packet->p->tcp_flags & RTE_TCP_ACK_FLAG && (int32_t)(ack - *seq) > 0)
		*seq = ack;
	firewall_reset(w, from, packet, *seq);
}

static int on_killed(struct worker *w, struct conn *conn, const struct port *from,
	const struct port *to, struct firewall_packet *packet)
{
	if (is_syn(packet)) {
		conns_close(w->firewall->conns, conn);
		return open_connection(w, from, to, packet);
	}
	conns_touch(conn, firewall_ticks(w));
	if (conn_table_detail(w->firewall->table, conn)->rule[POLICY_OUT] == CONN_RULE_KILL)
		return DROP_tcp_no_connection;
	reset_again(w, conn, from, packet);
	return DROP_inspect_dead;
}

static int on_stale(struct worker *w, struct conn *conn, const struct port *from,
	const struct port *to, struct firewall_packet *packet)
{
	struct opening o = opening_of(conn, packet->view.sender, from, to);
	const struct conn_detail *detail;

	if (conn->epoch[POLICY_OUT] != o.opener->epoch[POLICY_OUT] ||
		conn->epoch[POLICY_IN] != o.other->epoch[POLICY_IN])
		return decide_again(w, conn, &o, from, packet);
	/* As long as either end goes on, it stays dead: forgotten, the other end could make a new
	 * one of it. */
	conns_touch(conn, firewall_ticks(w));
	if (is_syn(packet))
		return decide_again(w, conn, &o, from, packet);
	detail = conn_table_detail(w->firewall->table, conn);
	return detail->rule[POLICY_OUT] == CONN_RULE_BLOCK ||
			       detail->rule[POLICY_IN] == CONN_RULE_BLOCK
		       ? DROP_blocked
		       : DROP_policy_revoked;
}

static int on_connection(struct worker *w, struct conn *conn, const struct port *from,
	const struct port *to, struct firewall_packet *packet)
{
	unsigned sender = packet->view.sender;
	bool opens = sender == (conn->flags & CONN_OPENER);
	int reason;

	if (unlikely(conn->port[sender] != from->id || conn->port[!sender] != to->id))
		return rebind(w, conn, from, to, packet);
	if (unlikely(is_syn(packet)) && conns_is_new_attempt(conn, packet->p, sender))
		return replace(w, conn, from, to, packet);
	if (unlikely(!is_current(conn, opens ? from : to, opens ? to : from))) {
		/* A port that has the id of one that is gone has epochs of its own. */
		if (conns_is_left_over(w->firewall->conns, conn)) {
			conns_close(w->firewall->conns, conn);
			return open_connection(w, from, to, packet);
		}
		if (is_killed(w, conn))
			return on_killed(w, conn, from, to, packet);
		reason = on_stale(w, conn, from, to, packet);
		if (reason >= 0)
			return reason;
	}
	packet->conn = conn;
	return conns_follow(w->firewall->conns, conn, packet->m, packet->p, sender,
		firewall_ticks(w), w->snapshot->firewall.tcp_strict);
}

/* Whether an ICMP error may come from there: a neighbour that the packet never passed could make it
 * up, knowing or guessing what to quote. */
static bool may_report(
	const struct worker *w, const struct port *from, const struct firewall_packet *packet)
{
	return from->policy->trusted ||
	       conn_table_is_end(w->firewall->table, &packet->view, from->id);
}

/* An ICMP error, for the sender of the packet that it quotes. */
static int related(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet)
{
	struct conn *conn = conn_table_find_at(
		w->firewall->table, &packet->view, packet->view.sender, to->id);
	const struct port *peer;
	struct opening o;

	if (conn == NULL || conns_is_left_over(w->firewall->conns, conn) ||
		!may_report(w, from, packet))
		return DROP_icmp_unrelated;
	peer = w->snapshot->ports[conn->port[!packet->view.sender]];
	if (peer == NULL || peer->network != to->network)
		return DROP_icmp_unrelated;
	o = opening_of(conn, packet->view.sender, to, peer);
	if (conn->epoch[POLICY_OUT] != o.opener->epoch[POLICY_OUT] ||
		conn->epoch[POLICY_IN] != o.other->epoch[POLICY_IN])
		decide_again(w, conn, &o, to, NULL);
	return conn->flags & CONN_DENIED ? DROP_policy_revoked : -1;
}

uint16_t firewall_known_port(
	struct worker *w, const struct port *from, struct firewall_packet *packet)
{
	const struct conn *conn;
	const struct port *to;
	unsigned sender;

	if (from->bare)
		return NO_PORT;
	firewall_see(from, packet);
	if (packet->view.kind != CONN_PACKET)
		return NO_PORT;
	sender = packet->view.sender;
	conn = conn_table_find(w->firewall->table, &packet->view, from->id,
		rte_pktmbuf_mtod(packet->m, const uint8_t *));
	/* Bound: the connection has sent to this MAC before. */
	if (conn == NULL || !(conn->flags & CONN_BOUND_0 << sender) ||
		conns_is_left_over(w->firewall->conns, conn))
		return NO_PORT;
	to = w->snapshot->ports[conn->port[!sender]];
	return to != NULL && to->network == from->network ? to->id : NO_PORT;
}

static inline struct conn *find(
	struct worker *w, const struct port *from, const struct firewall_packet *packet)
{
	return conn_table_find(w->firewall->table, &packet->view, from->id,
		rte_pktmbuf_mtod(packet->m, const uint8_t *));
}

/* With found, conn is what find() said. */
static __rte_noinline int judge(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet, bool found, struct conn *conn)
{
	if (!packet->looked)
		firewall_see(from, packet);
	switch (packet->view.kind) {
	case CONN_NONE:
		return -1;
	case CONN_ERROR:
		return related(w, from, to, packet);
	case CONN_ERROR_UNREADABLE:
		return DROP_icmp_unrelated;
	default:
		break;
	}
	if (!found)
		conn = find(w, from, packet);
	if (unlikely(conn == NULL && w->snapshot->networks[from->network]->moved))
		conn = fetch(w, from, packet);
	if (likely(conn != NULL))
		return on_connection(w, conn, from, to, packet);
	return open_connection(w, from, to, packet);
}

/* Most packets: conn goes on between these ports, under rules that have not changed. */
static inline bool goes_on(const struct worker *w, const struct conn *conn, const struct port *from,
	const struct port *to, const struct firewall_packet *packet)
{
	unsigned sender = packet->view.sender;
	bool opens = sender == (conn->flags & CONN_OPENER);

	return conn->port[sender] == from->id && conn->port[!sender] == to->id &&
	       is_current(conn, opens ? from : to, opens ? to : from) &&
	       conns_is_settled(
		       conn, packet->p->tcp_flags, sender, w->snapshot->firewall.tcp_strict);
}

static int when_inspected(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet, int reason)
{
	if (reason < 0 && packet->conn != NULL)
		return inspect_packet(w, from, to, packet);
	if (reason >= 0 && packet->looked && is_syn(packet))
		inspect_denied(w, from, packet);
	return reason;
}

int firewall_unicast(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet)
{
	bool findable = packet->looked && packet->view.kind == CONN_PACKET;
	struct conn *conn = likely(findable) ? find(w, from, packet) : NULL;
	int reason = -1;

	if (likely(conn != NULL && goes_on(w, conn, from, to, packet))) {
		conns_touch(conn, firewall_ticks(w));
		packet->conn = conn;
	} else {
		reason = judge(w, from, to, packet, findable, conn);
	}
	return likely(from->inspect == NULL) ? reason : when_inspected(w, from, to, packet, reason);
}
