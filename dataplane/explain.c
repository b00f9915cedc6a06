#include "explain.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "config_fields_firewall.h"
#include "config_schema.h"
#include "conn_key.h"
#include "decision.h"
#include "explain_frame.h"
#include "guard.h"
#include "packet.h"

/* An explanation in the making. */
struct answer {
	const struct explain_world *world;
	const struct explain_frame *frame;
	const struct config_port *from;
	const struct config_port *to; /* NULL: many, or not known */
	struct rte_mbuf m; /* around the frame's bytes */
	struct packet p;
	struct conn_view view;
	json_t *steps;
	int reason; /* to drop it, or -1 */
	bool rejected;
};

static const char *const action_names[] = {"allow", "deny", "reject"};

/* Adds a step; says: a sentence for people. Returns it, borrowed. */
static json_t *__attribute__((format(printf, 4, 5)))
step(struct answer *a, const char *name, const char *verdict, const char *fmt, ...)
{
	char says[768];
	va_list args;
	json_t *object;

	va_start(args, fmt);
	vsnprintf(says, sizeof(says), fmt, args);
	va_end(args);
	object = json_pack("{s:s,s:s,s:s}", "step", name, "verdict", verdict, "says", says);
	json_array_append_new(a->steps, object);
	return object;
}

static void stop(struct answer *a, const char *name, int reason)
{
	json_t *object;

	a->reason = reason;
	object = step(a, name, "drop", "dropped as %s: %s", drop_name((enum drop_reason)reason),
		drop_text((enum drop_reason)reason));
	json_object_set_new(object, "reason", json_string(drop_name((enum drop_reason)reason)));
}

/* What the packet is, as far as it can be read. */
static bool read_packet(struct answer *a)
{
	int reason;

	a->m.buf_addr = (void *)a->frame->data;
	a->m.data_len = (uint16_t)a->frame->len;
	a->m.pkt_len = a->frame->len;
	a->m.nb_segs = 1;
	reason = packet_parse(&a->m, &a->p);
	if (reason >= 0) {
		stop(a, "parse", reason);
		return false;
	}
	conn_view(&a->m, &a->p, (uint16_t)a->from->network_index, &a->view);
	return true;
}

static bool check_guard(struct answer *a)
{
	const struct config *config = a->world->config;
	struct guard *guard = guard_create(a->from, &config->networks[a->from->network_index]);
	int reason;

	if (guard == NULL)
		return false;
	reason = guard_check(guard, &a->m, &a->p);
	guard_free(guard);
	if (reason >= 0)
		stop(a, "guard", reason);
	else
		step(a, "guard", "pass",
			a->from->trusted ? "port %s is trusted"
					 : "port %s may send from these addresses",
			a->from->name);
	return reason < 0;
}

/* The port that the destination MAC leads to; NULL: none is known. */
static const struct config_port *locate(const struct answer *a, const char **how)
{
	const struct config *config = a->world->config;
	const uint8_t *mac = a->frame->data;
	int learned = -1;

	*how = "its MAC is configured";
	if (a->frame->to >= 0)
		return &config->ports[a->frame->to];
	for (unsigned i = 0; i < config->n_ports; i++)
		if (config->ports[i].has_mac &&
			config->ports[i].network_index == a->from->network_index &&
			memcmp(config->ports[i].mac, mac, 6) == 0)
			return &config->ports[i];
	*how = "its MAC was learned there";
	if (a->world->learned != NULL)
		learned = a->world->learned(a->from->network_index, mac);
	return learned >= 0 ? &config->ports[learned] : NULL;
}

static bool find_output(struct answer *a)
{
	const char *how;

	if (a->p.flags & PACKET_GROUP) {
		step(a, "destination", "pass", "to many: every port of network %s that takes it",
			a->from->network);
		return true;
	}
	a->to = locate(a, &how);
	if (a->to == NULL) {
		step(a, "destination", "pass",
			"no port of network %s is known for its MAC: flooded, where the network "
			"floods",
			a->from->network);
		return true;
	}
	if (a->to->network_index != a->from->network_index)
		stop(a, "destination", DROP_no_receiver);
	else if (a->to == a->from)
		stop(a, "destination", DROP_hairpin);
	else if ((a->from->isolated && !a->to->promiscuous) ||
		 (a->to->isolated && !a->from->promiscuous))
		stop(a, "destination", DROP_isolated);
	else
		step(a, "destination", "pass", "port %s: %s", a->to->name,
			a->frame->to >= 0 ? "it has the address" : how);
	return a->reason < 0;
}

/* A rule as the configuration has it. */
static json_t *rule_of(const struct answer *a, const struct config_port *at,
	const struct policy_verdict *v, const char **name)
{
	const struct config_group *group = &a->world->config->groups[at->group_index[v->group]];
	const struct config_rule *rule = &group->rules[v->rule];

	*name = rule->name[0] != '\0' ? rule->name : NULL;
	return config_schema_encode(&config_fields_rule, rule);
}

static void say_rule(struct answer *a, const char *side, const char *verdict,
	const struct config_port *at, const struct policy_verdict *v)
{
	const char *group = at->groups[v->group], *name;
	json_t *rule = rule_of(a, at, v, &name), *object;
	char *text = json_dumps(rule, JSON_PRESERVE_ORDER);

	object = step(a, side, verdict, "rule %u%s%s%s of group %s of port %s says %s: %s",
		v->rule, name != NULL ? " (" : "", name != NULL ? name : "",
		name != NULL ? ")" : "", group, at->name, action_names[v->action], text);
	json_object_set_new(object, "group", json_string(group));
	json_object_set_new(object, "rule", json_integer(v->rule));
	json_object_set_new(object, "rule_text", rule);
	free(text);
}

/* One side's verdict in words. */
static void say_verdict(struct answer *a, enum policy_direction direction,
	const struct config_port *at, const struct decision *d)
{
	const struct policy_verdict *v = &d->verdicts[direction];
	const char *side = direction == POLICY_OUT ? "out" : "in";
	const char *verdict = action_names[v->action];

	switch (v->source) {
	case POLICY_BY_RULE:
		say_rule(a, side, verdict, at, v);
		break;
	case POLICY_BY_BLOCK:
		json_object_set_new(step(a, side, verdict,
					    "emergency block %u shuts it at port %s: see `block "
					    "list`",
					    v->block, at->name),
			"block", json_integer(v->block));
		break;
	case POLICY_BY_ALLOWANCE:
		step(a, side, verdict, "port %s: DHCP passes always", at->name);
		break;
	case POLICY_BY_TRUST:
		step(a, side, verdict, "port %s is trusted: no rules", at->name);
		break;
	default:
		step(a, side, verdict, "no rule of port %s says anything: default-%s is %s",
			at->name, side, verdict);
		break;
	}
}

static const struct policy_port *policy_of(const struct answer *a, const struct config_port *port)
{
	return policy_port(a->world->policy, (unsigned)(port - a->world->config->ports));
}

/* Both sides' rules, or the sender's alone where the receiver is not known. */
static void decide(struct answer *a)
{
	const struct policy_port *from = policy_of(a, a->from);
	struct policy_query query;
	struct decision d;

	conn_query(&a->view.key, a->view.sender, a->view.service, &query);
	if (a->to != NULL)
		decision_make(from, policy_of(a, a->to), &query, &d);
	else
		decision_make_one(from, POLICY_OUT, &query, &d);
	say_verdict(a, POLICY_OUT, a->from, &d);
	if (d.complete)
		say_verdict(a, POLICY_IN, a->to, &d);
	if (d.audited)
		step(a, "audit", "pass",
			"tenant %s is in audit mode: it passes, and the denial is logged",
			from->tenant->name);
	a->reason = d.reason;
	a->rejected = decision_rejects(&d);
}

/* What runs knows of its connection. */
static void find_connection(struct answer *a)
{
	bool exact = a->frame->to < 0;
	json_t *conn;

	if (a->world->connection == NULL || a->to == NULL)
		return;
	conn = a->world->connection(&a->view, a->from, a->frame->data, exact);
	if (json_is_null(conn)) {
		json_decref(conn);
		step(a, "connection", "none", "no connection exists: the rules decide");
		return;
	}
	json_object_set_new(
		step(a, "connection",
			json_is_true(json_object_get(conn, "denied")) ? "denied" : "known",
			"a connection exists, in state %s for %d s; it goes by what "
			"the rules say now",
			json_string_value(json_object_get(conn, "state")),
			(int)json_integer_value(json_object_get(conn, "idle_s"))),
		"connection", conn);
}

static void go_through(struct answer *a)
{
	if (!read_packet(a) || !check_guard(a) || !find_output(a))
		return;
	switch (a->view.kind) {
	case CONN_NONE:
		step(a, "rules", "pass",
			"not the rules' matter: neighbour discovery, ARP and other listed "
			"ethertypes are the guard's");
		return;
	case CONN_ERROR:
	case CONN_ERROR_UNREADABLE:
		find_connection(a);
		step(a, "rules", "pass",
			"an ICMP error passes if it is about a connection that exists");
		return;
	default:
		find_connection(a);
		decide(a);
	}
}

static json_t *describe_packet(const struct answer *a)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], proto[16];
	unsigned sender = a->view.sender;
	json_t *object = json_pack("{s:s,s:s,s:s,s:i,s:i}", "from", a->from->name, "network",
		a->from->network, "tenant",
		a->world->config->networks[a->from->network_index].tenant, "ethertype",
		(int)a->p.ethertype, "bytes", (int)a->frame->len);

	if (!(a->p.flags & (PACKET_IPV4 | PACKET_IPV6)) || a->view.kind == CONN_NONE)
		return object;
	addr_format(a->view.key.addr[sender], from);
	addr_format(a->view.key.addr[!sender], to);
	conn_proto_name(a->view.key.proto, proto);
	json_object_set_new(object, "source", json_string(from));
	json_object_set_new(object, "destination", json_string(to));
	json_object_set_new(object, "protocol", json_string(proto));
	json_object_set_new(object, "source_port", json_integer(a->view.key.port[sender]));
	json_object_set_new(object, "destination_port", json_integer(a->view.key.port[!sender]));
	return object;
}

static json_t *conclude(struct answer *a)
{
	const char *verdict = a->reason < 0 ? "pass" : a->rejected ? "reject" : "drop";
	const char *reason = a->reason < 0 ? NULL : drop_name((enum drop_reason)a->reason);

	if (a->reason < 0)
		step(a, "verdict", verdict, "it passes%s%s", a->to != NULL ? " to port " : "",
			a->to != NULL ? a->to->name : "");
	else
		step(a, "verdict", verdict, "it is dropped and counted as %s (%s)%s", reason,
			drop_text((enum drop_reason)a->reason),
			a->rejected ? "; the sender is told" : "");
	return json_pack("{s:o,s:o,s:s,s:s?,s:s?}", "packet", describe_packet(a), "steps", a->steps,
		"verdict", verdict, "reason", reason, "to", a->to != NULL ? a->to->name : NULL);
}

json_t *explain(const struct explain_world *world, const struct explain_question *question,
	char *err, size_t err_len)
{
	struct explain_frame frame;
	struct answer a = {.world = world, .frame = &frame, .reason = -1};

	if (!explain_frame_make(world->config, question, &frame, err, err_len))
		return NULL;
	a.from = &world->config->ports[frame.from];
	a.steps = json_array();
	go_through(&a);
	return conclude(&a);
}

/* A line a step. The caller frees it. */
static char *steps_text(const json_t *steps)
{
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);
	const json_t *each;

	if (out == NULL)
		return NULL;
	json_array_foreach (steps, i, each)
		fprintf(out, "%-12s %-7s %s\n", json_string_value(json_object_get(each, "step")),
			json_string_value(json_object_get(each, "verdict")),
			json_string_value(json_object_get(each, "says")));
	fclose(out);
	return text;
}

json_t *explain_command(
	const struct explain_world *world, const json_t *args, char *err, size_t err_len)
{
	struct explain_question question = {
		.from = json_string_value(json_object_get(args, "from")),
		.to = json_string_value(json_object_get(args, "to")),
		.service = json_string_value(json_object_get(args, "service")),
		.from_address = json_string_value(json_object_get(args, "from-address")),
		.source_port = (unsigned)json_integer_value(json_object_get(args, "source-port")),
		.packet = json_string_value(json_object_get(args, "packet")),
	};
	json_t *result = explain(world, &question, err, err_len);
	char *text;

	if (result == NULL)
		return NULL;
	text = steps_text(json_object_get(result, "steps"));
	json_object_set_new(result, "text", json_string(text != NULL ? text : ""));
	free(text);
	return result;
}

bool explain_is_negative(const json_t *result)
{
	return strcmp(json_string_value(json_object_get(result, "verdict")), "pass") != 0;
}
