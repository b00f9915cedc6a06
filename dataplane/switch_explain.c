#include "switch_explain.h"

#include <netinet/in.h>
#include <string.h>

#include "conn_opening.h"
#include "conn_tcp.h"
#include "conns.h"
#include "explain.h"
#include "explain_conn.h"
#include "fdb.h"
#include "firewall.h"
#include "inspect.h"
#include "switch_conns.h"
#include "switch_policy.h"

/* Ports stand in the configuration's order in switch_state.ports. */
static int index_of(uint16_t id)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (switch_state.ports[i]->id == id)
			return (int)i;
	return -1;
}

static bool is_up(unsigned port)
{
	return switch_state.ports[port]->dev != NULL;
}

/* As the worker looks it up: an entry may be older than its port. */
static int learned(unsigned network, const uint8_t mac[6])
{
	struct rte_ether_addr addr;
	uint16_t port;
	int index;

	memcpy(addr.addr_bytes, mac, sizeof(addr.addr_bytes));
	rte_rcu_qsbr_thread_online(worker_rcu, MAX_WORKERS);
	port = fdb_lookup(switch_state.networks[network]->fdb, fdb_key(&addr));
	rte_rcu_qsbr_thread_offline(worker_rcu, MAX_WORKERS);
	index = port == NO_PORT ? -1 : index_of(port);
	if (index < 0 || !is_up((unsigned)index) ||
		switch_state.ports[index]->network != switch_state.networks[network])
		return -1;
	return index;
}

static bool picks_up(unsigned from, unsigned to)
{
	const struct port_entry *a = switch_state.ports[from], *b = switch_state.ports[to];
	const struct conn_opening_end end_a = {a->since, switch_policy_tracked(a)};
	const struct conn_opening_end end_b = {b->since, switch_policy_tracked(b)};

	return a->policy->tenant->audit || conn_opening_in_window(switch_now(), &end_a, &end_b,
						   switch_policy_settings().pick_up);
}

/* Whether strict tracking would drop the packet, by a copy of what the worker knows. */
static bool is_invalid(const struct explain_lookup *lookup, struct conn_match *match)
{
	return match->conn.key.proto == IPPROTO_TCP && switch_policy_settings().tcp_strict &&
	       conn_tcp_follow(&match->conn, &match->detail, lookup->m, lookup->p,
		       lookup->view->sender, true) == CONN_FREE;
}

/* What has become of it: as firewall_conn.c's on_connection() and related() see it. */
static bool judge(
	const struct explain_lookup *lookup, struct conn_match *match, struct explain_conn *conn)
{
	const struct conn *c = &match->conn;
	unsigned sender = lookup->view->sender, side = c->flags & CONN_OPENER;
	bool quoted = lookup->which == EXPLAIN_QUOTED;
	const struct port_entry *here = switch_state.ports[quoted ? lookup->to : lookup->from];
	const struct port_entry *there = quoted ? switch_state.by_id[c->port[!sender]]
						: switch_state.ports[lookup->to];
	const struct port_entry *opener = sender == side ? here : there;
	const struct port_entry *other = sender == side ? there : here;
	int peer = quoted ? index_of(c->port[!sender]) : -1;

	if (quoted && (peer < 0 || there->network != here->network || !is_up((unsigned)peer)))
		return false;
	*conn = (struct explain_conn){
		.shown = match->shown,
		.key = c->key,
		.service = c->service,
		.opener = side,
		.peer = quoted ? (unsigned)peer : 0,
		.moved = c->port[sender] != here->id || c->port[!sender] != there->id,
		.begins_anew = !quoted && conns_is_new_attempt(c, lookup->p, sender),
		.decided = c->epoch[POLICY_OUT] == opener->policy->epoch[POLICY_OUT] &&
			   c->epoch[POLICY_IN] == other->policy->epoch[POLICY_IN],
		.denied = c->flags & CONN_DENIED,
		.killed = (c->flags & CONN_DENIED) &&
			  (match->detail.rule[POLICY_OUT] == CONN_RULE_KILL ||
				  match->detail.rule[POLICY_OUT] == CONN_RULE_FOUND),
		.found = match->detail.rule[POLICY_OUT] == CONN_RULE_FOUND,
		.blocked = match->detail.rule[POLICY_OUT] == CONN_RULE_BLOCK ||
			   match->detail.rule[POLICY_IN] == CONN_RULE_BLOCK,
	};
	conn->begins_anew = conn->begins_anew && !conn->moved;
	conn->invalid = !quoted && is_invalid(lookup, match);
	conn->key.network = lookup->view->key.network;
	return true;
}

/* As may_report() of firewall_conn.c: whether port is an end of any that has the quoted tuple. */
static bool may_report(const struct conn_search *quoted, const struct port_entry *port)
{
	struct conn_view view = *quoted->view;
	struct conn_search search = *quoted;
	struct conn_match match;

	if (port->policy->trusted)
		return true;
	search.view = &view;
	search.port = port;
	for (view.sender = 0; view.sender < 2; view.sender++) {
		if (switch_conns_find(&search, &match)) {
			json_decref(match.shown);
			return true;
		}
	}
	return false;
}

/* One end of the packet, side of its key, if it is cut off. False: it is not. */
static bool name_end(
	const struct port *port, const struct conn_view *view, unsigned side, char *who)
{
	struct addr addr = view->key.addr[side];
	char text[ADDR_TEXT_MAX];

	if (quarantine_level(port->id) != CONFIG_QUARANTINE_NONE) {
		snprintf(who, EXPLAIN_WHO_MAX, "port %s", switch_port_name(port->id));
		return true;
	}
	if (!port->remote || view->kind != CONN_PACKET ||
		quarantine_remote_level(port->network, addr) == CONFIG_QUARANTINE_NONE)
		return false;
	addr_format(addr, text);
	snprintf(who, EXPLAIN_WHO_MAX, "address %s, behind port %s,", text,
		switch_port_name(port->id));
	return true;
}

/* As forwarding asks: of the snapshot in force. to: -1 for many. */
static bool is_quarantined(const struct explain_lookup *lookup, int to, char *who)
{
	const struct snapshot *snapshot = snapshot_current();
	const struct port *from = snapshot->ports[switch_state.ports[lookup->from]->id];
	const struct port *at = to >= 0 ? snapshot->ports[switch_state.ports[to]->id] : NULL;
	unsigned sender = lookup->view->sender;
	struct firewall_packet packet = {
		.m = (struct rte_mbuf *)lookup->m,
		.p = lookup->p,
		.looked = true,
		.view = *lookup->view,
	};

	if (from == NULL || !inspect_gate_forbids(from, at, &packet))
		return false;
	if (!name_end(from, lookup->view, sender, who) &&
		(at == NULL || !name_end(at, lookup->view, !sender, who)))
		snprintf(who, EXPLAIN_WHO_MAX, "who it is from or for");
	return true;
}

/* explain() counts networks as the configuration does, and connections as the snapshot does. */
static bool connection(const struct explain_lookup *lookup, struct explain_conn *conn)
{
	struct conn_view view = *lookup->view;
	const struct conn_search search = {
		.view = &view,
		.port = switch_state
				.ports[lookup->which == EXPLAIN_QUOTED ? lookup->to : lookup->from],
		.l2 = rte_pktmbuf_mtod(lookup->m, const uint8_t *),
		.how = lookup->which == EXPLAIN_EXACT   ? CONN_SEARCH_EXACT
		       : lookup->which == EXPLAIN_ALIKE ? CONN_SEARCH_ALIKE
							: CONN_SEARCH_QUOTED,
	};
	struct conn_match match;

	view.key.network = switch_state.networks[view.key.network]->index;
	view.hash = conn_key_hash(&view.key);
	if (!switch_conns_find(&search, &match))
		return false;
	if ((lookup->which != EXPLAIN_QUOTED ||
		    may_report(&search, switch_state.ports[lookup->from])) &&
		judge(lookup, &match, conn))
		return true;
	json_decref(match.shown);
	return false;
}

/* As firewall_known_port() of the worker that owns the packet. */
static int known(const struct explain_lookup *lookup)
{
	const struct port_entry *from = switch_state.ports[lookup->from], *to;
	const struct network_entry *net = from->network;
	unsigned owner = (net->home + lookup->p->addr_hash % net->conf.workers) % n_workers;
	struct conn_view view = *lookup->view;
	struct conn_detail detail;
	struct conn conn;

	view.key.network = net->index;
	view.hash = conn_key_hash(&view.key);
	if (from->bare ||
		!conn_table_peek(conns_table(firewall_conns(workers[owner]->firewall)), &view,
			from->id, rte_pktmbuf_mtod(lookup->m, const uint8_t *), &conn, &detail) ||
		!(conn.flags & CONN_BOUND_0 << view.sender))
		return -1;
	to = switch_state.by_id[conn.port[!view.sender]];
	return to != NULL && to->dev != NULL && to->network == net ? index_of(to->id) : -1;
}

json_t *switch_explain(const json_t *args, bool *negative, char *err, size_t err_len)
{
	struct explain_world world = {
		.config = switch_state.config,
		.policy = switch_state.policy,
		.learned = learned,
		.known = known,
		.is_up = is_up,
		.picks_up = picks_up,
		.connection = connection,
		.quarantined = is_quarantined,
	};
	json_t *result;

	if (world.config == NULL) {
		snprintf(err, err_len, "no configuration is applied: nothing passes; see `status`");
		return NULL;
	}
	result = explain_command(&world, args, err, err_len);
	*negative = result != NULL && explain_is_negative(result);
	return result;
}
