/* Connections and rules, as firewall_conn.c and firewall.c go by them. */
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_tcp.h>

#include "config_fields_firewall.h"
#include "config_schema.h"
#include "conn_opening.h"
#include "explain_state.h"

#define NAMES_MAX 8 /* ports in one sentence */

static const char *const action_names[] = {"allow", "deny", "reject"};

static const struct policy_port *policy_of(
	const struct explain_answer *a, const struct config_port *port)
{
	return policy_port(a->world->policy, explain_index(a, port));
}

/* How the port's tenant is inspected; NULL: it is not. */
static const struct config_inspection *inspection_of(
	const struct explain_answer *a, const struct config_port *port)
{
	const struct config *config = a->world->config;
	const char *tenant = config->networks[port->network_index].tenant;

	for (unsigned i = 0; i < config->n_inspection; i++)
		if (strcmp(config->inspection[i].tenant, tenant) == 0)
			return &config->inspection[i];
	return NULL;
}

/* Neither rules, blocks nor inspection: what goes between two such ports is not tracked. */
static bool is_bare(const struct explain_answer *a, const struct config_port *port)
{
	const struct policy_port *policy = policy_of(a, port);

	return policy->trusted && policy->blocks == NULL && inspection_of(a, port) == NULL;
}

/* to: NULL for the sender's part in a frame for many. */
static bool is_quarantined(
	const struct explain_answer *a, const struct config_port *to, char who[EXPLAIN_WHO_MAX])
{
	const struct explain_lookup lookup = {
		.m = &a->m,
		.p = &a->p,
		.view = &a->view,
		.from = explain_index(a, a->from),
		.to = to != NULL ? explain_index(a, to) : 0,
	};

	return a->world->quarantined != NULL &&
	       a->world->quarantined(&lookup, to != NULL ? (int)lookup.to : -1, who);
}

/* False: no quarantine stops it. */
static bool stops_quarantined(struct explain_answer *a, const struct config_port *to)
{
	char who[EXPLAIN_WHO_MAX];

	if (!is_quarantined(a, to, who))
		return false;
	explain_step(a, "quarantine", "found", "%s is in quarantine: see `quarantine list`", who);
	explain_stop(a, "quarantine", DROP_quarantined);
	return true;
}

/* What comes after the rules: TCP's bytes are looked at. */
static void say_inspection(struct explain_answer *a)
{
	const struct config_inspection *conf = inspection_of(a, a->from);

	if (a->reason >= 0 || conf == NULL || a->view.kind != CONN_PACKET ||
		a->view.key.proto != IPPROTO_TCP)
		return;
	explain_step(a, "inspection", "pass",
		"tenant %s is inspected, in mode %s: on its services, and where it is SMB, the "
		"connection's bytes decide",
		conf->tenant, conf->prevent ? "prevent" : "detect");
}

/* A rule as the configuration has it. */
static json_t *rule_of(const struct explain_answer *a, const struct config_port *at,
	const struct policy_verdict *v, const char **name)
{
	const struct config_group *group = &a->world->config->groups[at->group_index[v->group]];
	const struct config_rule *rule = &group->rules[v->rule];

	*name = rule->name[0] != '\0' ? rule->name : NULL;
	return config_schema_encode(&config_fields_rule, rule);
}

static void say_rule(struct explain_answer *a, const char *side, const char *verdict,
	const struct config_port *at, const struct policy_verdict *v)
{
	const char *group = at->groups[v->group], *name;
	json_t *rule = rule_of(a, at, v, &name), *object;
	char *text = json_dumps(rule, JSON_PRESERVE_ORDER);

	object = explain_step(a, side, verdict, "rule %u%s%s%s of group %s of port %s says %s: %s",
		v->rule, name != NULL ? " (" : "", name != NULL ? name : "",
		name != NULL ? ")" : "", group, at->name, action_names[v->action],
		text != NULL ? text : "");
	json_object_set_new(object, "group", json_string(group));
	json_object_set_new(object, "rule", json_integer(v->rule));
	json_object_set_new(object, "rule_text", rule);
	free(text);
}

/* One side's verdict in words. */
static void say_verdict(struct explain_answer *a, enum policy_direction direction,
	const struct config_port *at, const struct decision *d)
{
	const struct policy_verdict *v = &d->verdicts[direction];
	const char *side = direction == POLICY_OUT ? "out" : "in";
	const char *verdict = action_names[v->action];
	json_t *object;

	switch (v->source) {
	case POLICY_BY_RULE:
		say_rule(a, side, verdict, at, v);
		break;
	case POLICY_BY_BLOCK:
		object = explain_step(a, side, verdict,
			"emergency block %u shuts it at port %s: see `block list`", v->block,
			at->name);
		json_object_set_new(object, "block", json_integer(v->block));
		break;
	case POLICY_BY_ALLOWANCE:
		explain_step(a, side, verdict, "port %s: DHCP passes always", at->name);
		break;
	case POLICY_BY_TRUST:
		explain_step(a, side, verdict, "port %s is trusted: no rules", at->name);
		break;
	default:
		explain_step(a, side, verdict, "no rule of port %s says anything: default-%s is %s",
			at->name, side, verdict);
		break;
	}
}

/* Holds a connection that `opener` opened to `other` against both sides' rules. */
static void decide(struct explain_answer *a, const struct config_port *opener,
	const struct config_port *other, const struct policy_query *query)
{
	struct decision d;

	decision_make(policy_of(a, opener), policy_of(a, other), query, &d);
	say_verdict(a, POLICY_OUT, opener, &d);
	if (d.complete)
		say_verdict(a, POLICY_IN, other, &d);
	if (d.audited)
		explain_step(a, "audit", "pass",
			"tenant %s is in audit mode: it passes, and the denial is logged",
			policy_of(a, d.by == POLICY_OUT ? opener : other)->tenant->name);
	a->reason = d.reason;
	a->rejected = decision_rejects(&d);
}

static void decide_packet(struct explain_answer *a)
{
	struct policy_query query;

	conn_query(&a->view.key, a->view.sender, a->view.service, &query);
	decide(a, a->from, a->to, &query);
}

/* An answer to what passed before this switch was there may be taken over the other way round. */
static bool takes_over(struct explain_answer *a)
{
	struct policy_query query;
	struct decision d;

	conn_query(&a->view.key, !a->view.sender, conn_opening_service_turned(&a->view), &query);
	decision_make(policy_of(a, a->to), policy_of(a, a->from), &query, &d);
	if (d.reason >= 0)
		return false;
	explain_step(a, "pick-up", "pass",
		"as the answer in a connection that port %s opened before it was here, within "
		"firewall.pick-up: the rules allow that one",
		a->to->name);
	a->reason = -1;
	a->rejected = false;
	return true;
}

/* A packet without a connection. */
static void open_connection(struct explain_answer *a)
{
	unsigned from = explain_index(a, a->from), to = explain_index(a, a->to);
	bool starts = conn_opening_starts(&a->p, &a->view);
	bool window = a->world->picks_up != NULL && a->world->picks_up(from, to);

	explain_step(a, "connection", "none", "no connection exists%s",
		starts   ? ": the rules decide"
		: window ? ", and it opens none; but firewall.pick-up has not run out, so it may "
			   "be of one that is older"
			 : ", and it opens none");
	if (!starts && (!window || !conn_opening_may_continue(&a->p, &a->view))) {
		explain_stop(a, "rules",
			a->view.key.proto == IPPROTO_TCP ? DROP_tcp_no_connection
							 : DROP_icmp_unrelated);
		return;
	}
	if (!a->view.reply) {
		decide_packet(a);
		if (a->reason < 0)
			return;
	}
	if (window && conn_opening_answers(&a->view, starts) && takes_over(a))
		return;
	if (a->view.reply)
		explain_stop(a, "rules", DROP_icmp_unrelated);
}

static bool is_syn(const struct explain_answer *a)
{
	const uint8_t syn_only = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_RST_FLAG;

	return a->view.key.proto == IPPROTO_TCP && (a->p.tcp_flags & syn_only) == RTE_TCP_SYN_FLAG;
}

/* conn's rules, once more; sender: of the packet, or of the one that is quoted, at port from. */
static void decide_again(struct explain_answer *a, const struct explain_conn *conn, bool opens,
	const struct config_port *from, const struct config_port *to)
{
	struct policy_query query;

	conn_query(&conn->key, conn->opener, conn->service, &query);
	decide(a, opens ? from : to, opens ? to : from, &query);
}

static void say_connection(struct explain_answer *a, const struct explain_conn *conn,
	const char *verdict, const char *then)
{
	json_t *object = explain_step(a, "connection", verdict,
		"a connection exists, in state %s for %d s%s",
		json_string_value(json_object_get(conn->shown, "state")),
		(int)json_integer_value(json_object_get(conn->shown, "idle_s")), then);

	json_object_set(object, "connection", conn->shown);
}

static void on_connection(struct explain_answer *a, const struct explain_conn *conn)
{
	bool opens = a->view.sender == conn->opener;
	bool dead = conn->denied && conn->decided && !is_syn(a);

	if (conn->killed && !conn->moved && !is_syn(a)) {
		say_connection(a, conn, "denied",
			conn->found ? ", ended by inspection" : ", closed by `conn kill`");
		explain_stop(a, "tcp", conn->found ? DROP_inspect_dead : DROP_tcp_no_connection);
		return;
	}
	if (conn->begins_anew || (conn->killed && !conn->moved)) {
		say_connection(a, conn, "replaced",
			"; this is the start of another with the same addresses and ports");
		decide_packet(a);
		return;
	}
	if (conn->moved)
		say_connection(a, conn, "moved", ", of other ports: the rules of these decide");
	else if (conn->denied && conn->decided)
		say_connection(a, conn, "denied", ", and the rules that denied it are in force");
	else if (conn->decided)
		say_connection(a, conn, "known", "; the rules that allowed it are in force");
	else
		say_connection(a, conn, "known", "; rules have changed since: they decide again");
	decide_again(a, conn, opens, a->from, a->to);
	if (a->reason < 0 && !dead) {
		if (!conn->moved && conn->invalid)
			explain_stop(a, "tcp", DROP_tcp_invalid);
		return;
	}
	if (conn->moved)
		return;
	a->rejected = a->rejected && !dead;
	if (dead)
		a->reason = conn->blocked ? DROP_blocked : DROP_policy_revoked;
	else if (a->reason != DROP_blocked && !is_syn(a))
		a->reason = DROP_policy_revoked;
}

/* Asks the running switch. False: it has none. */
static bool find(
	const struct explain_answer *a, enum explain_which which, struct explain_conn *conn)
{
	const struct explain_lookup lookup = {
		.m = &a->m,
		.p = &a->p,
		.view = &a->view,
		.from = explain_index(a, a->from),
		.to = explain_index(a, a->to),
		.which = which,
	};

	*conn = (struct explain_conn){0};
	return a->world->connection != NULL && a->world->connection(&lookup, conn);
}

/* An ICMP error, for the sender of the packet that it quotes. */
static void related(struct explain_answer *a)
{
	struct explain_conn conn;
	bool opens;

	if (!find(a, EXPLAIN_QUOTED, &conn)) {
		explain_step(a, "connection", "none",
			"an ICMP error passes if a connection exists that it is about: none does");
		explain_stop(a, "rules", DROP_icmp_unrelated);
		return;
	}
	say_connection(a, &conn, "related", ", and the error is about it");
	opens = a->view.sender == conn.opener;
	decide_again(a, &conn, opens, a->to, &a->world->config->ports[conn.peer]);
	a->rejected = false;
	if (a->reason >= 0 || (conn.denied && conn.decided))
		a->reason = DROP_policy_revoked;
	json_decref(conn.shown);
}

/* The packet in the question stands for any that opens such a connection. */
static void as_asked(struct explain_answer *a)
{
	struct explain_conn conn;

	if (find(a, EXPLAIN_ALIKE, &conn)) {
		say_connection(a, &conn, conn.denied ? "denied" : "known",
			": it goes on, and new ones begin, as the rules say now");
		json_decref(conn.shown);
	} else if (a->world->connection != NULL) {
		explain_step(a, "connection", "none", "no connection exists: the rules decide");
	}
	decide_packet(a);
}

void explain_unicast(struct explain_answer *a)
{
	struct explain_conn conn;

	if (stops_quarantined(a, a->to))
		return;
	if (is_bare(a, a->from) && is_bare(a, a->to)) {
		explain_step(a, "rules", "pass",
			"ports %s and %s are trusted, and no block is about them: not tracked",
			a->from->name, a->to->name);
		return;
	}
	switch (a->view.kind) {
	case CONN_NONE:
		explain_step(a, "rules", "pass",
			"not the rules' matter: neighbour discovery, ARP and other listed "
			"ethertypes are the guard's");
		return;
	case CONN_ERROR:
		related(a);
		return;
	case CONN_ERROR_UNREADABLE:
		explain_stop(a, "rules", DROP_icmp_unrelated);
		return;
	default:
		break;
	}
	if (!a->frame->given && !a->view.reply) {
		as_asked(a);
	} else if (find(a, EXPLAIN_EXACT, &conn)) {
		on_connection(a, &conn);
		json_decref(conn.shown);
	} else {
		open_connection(a);
	}
	say_inspection(a);
}

/* One side's verdict on a frame for many. */
static int for_many(const struct explain_answer *a, const struct config_port *at,
	enum policy_direction direction, struct decision *d)
{
	struct policy_query query;

	if (a->view.kind != CONN_PACKET)
		return DROP_icmp_unrelated;
	conn_query(&a->view.key, a->view.sender, a->view.service, &query);
	decision_make_one(policy_of(a, at), direction, &query, d);
	return d->reason;
}

/* As inspect_flood_forbids(). */
static bool is_uninspected(const struct explain_answer *a)
{
	const struct config_inspection *conf = inspection_of(a, a->from);

	if (conf == NULL || !conf->prevent || a->view.kind != CONN_PACKET ||
		a->view.key.proto != IPPROTO_TCP || a->p.l3_off + a->p.l3_len <= a->p.payload_off)
		return false;
	for (unsigned i = 0; i < conf->n_services; i++)
		if (a->view.key.port[0] == conf->services[i] ||
			a->view.key.port[1] == conf->services[i])
			return true;
	return false;
}

/* The sender's. False: it is dropped. */
static bool may_flood(struct explain_answer *a)
{
	struct decision d;

	if (stops_quarantined(a, NULL))
		return false;
	if (is_bare(a, a->from) || a->view.kind == CONN_NONE)
		return true;
	a->reason = for_many(a, a->from, POLICY_OUT, &d);
	if (a->view.kind != CONN_PACKET) {
		explain_stop(a, "rules", a->reason);
		return false;
	}
	say_verdict(a, POLICY_OUT, a->from, &d);
	if (d.audited)
		explain_step(a, "audit", "pass",
			"tenant %s is in audit mode: it passes, and the denial is logged",
			policy_of(a, a->from)->tenant->name);
	if (a->reason < 0 && is_uninspected(a))
		explain_stop(a, "inspection", DROP_stream_invalid);
	return a->reason < 0;
}

static bool takes_copy(const struct explain_answer *a, const struct config_port *port)
{
	char who[EXPLAIN_WHO_MAX];
	struct decision d;

	if (is_quarantined(a, port, who))
		return false;
	return is_bare(a, port) || a->view.kind == CONN_NONE ||
	       for_many(a, port, POLICY_IN, &d) < 0;
}

/* "a, b, c and 2 more"; text has room for NAMES_MAX names. */
static void list_names(const json_t *names, char *text, size_t len)
{
	size_t n = json_array_size(names), used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n && i < NAMES_MAX && used < len; i++)
		used += (size_t)snprintf(text + used, len - used, "%s%s", i > 0 ? ", " : "",
			json_string_value(json_array_get(names, i)));
	if (n > NAMES_MAX && used < len)
		snprintf(text + used, len - used, " and %zu more", n - NAMES_MAX);
}

static void say_ports(struct explain_answer *a, const char *verdict, const char *what,
	const char *member, json_t *names)
{
	char text[NAMES_MAX * (CONFIG_NAME_MAX + 2) + 32];

	list_names(names, text, sizeof(text));
	if (json_array_size(names) == 0)
		json_decref(names);
	else
		json_object_set_new(
			explain_step(a, "in", verdict, "%s %s", what, text), member, names);
}

void explain_flood(struct explain_answer *a)
{
	const struct config *config = a->world->config;
	bool unknown = !(a->p.flags & PACKET_GROUP);
	json_t *takes = json_array(), *refuses = json_array();
	bool any;

	if (may_flood(a)) {
		for (unsigned i = 0; i < config->n_ports; i++) {
			const struct config_port *port = &config->ports[i];

			if (port == a->from || port->network_index != a->from->network_index ||
				!explain_is_up(a, port) || !explain_may_talk(a->from, port) ||
				(unknown && !config_port_takes_unknown(port)))
				continue;
			json_array_append_new(
				takes_copy(a, port) ? takes : refuses, json_string(port->name));
		}
		any = json_array_size(takes) > 0;
		if (!any)
			a->reason = json_array_size(refuses) > 0 ? DROP_policy_in
								 : DROP_no_receiver;
		say_ports(a, "allow", "goes to", "receivers", json_incref(takes));
		say_ports(a, "deny", "is refused by the rules of", "refused", json_incref(refuses));
	}
	json_decref(takes);
	json_decref(refuses);
}
