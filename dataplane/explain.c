#include "explain.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain_conn.h"
#include "explain_state.h"
#include "guard.h"

json_t *explain_step(
	struct explain_answer *a, const char *name, const char *verdict, const char *fmt, ...)
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

void explain_stop(struct explain_answer *a, const char *name, int reason)
{
	json_t *object;

	a->reason = reason;
	object = explain_step(a, name, "drop", "dropped as %s: %s",
		drop_name((enum drop_reason)reason), drop_text((enum drop_reason)reason));
	json_object_set_new(object, "reason", json_string(drop_name((enum drop_reason)reason)));
}

/* What the packet is, as far as it can be read. */
static bool read_packet(struct explain_answer *a)
{
	int reason;

	a->m.buf_addr = (void *)a->frame->data;
	a->m.data_len = (uint16_t)a->frame->len;
	a->m.pkt_len = a->frame->len;
	a->m.nb_segs = 1;
	reason = packet_parse(&a->m, &a->p);
	if (reason >= 0) {
		explain_stop(a, "parse", reason);
		return false;
	}
	a->is_read = true;
	conn_view(&a->m, &a->p, (uint16_t)a->from->network_index, &a->view);
	return true;
}

static bool check_guard(struct explain_answer *a)
{
	const struct config *config = a->world->config;
	struct guard *guard = guard_create(a->from, &config->networks[a->from->network_index]);
	int reason;

	if (guard == NULL) {
		a->failed = true;
		return false;
	}
	reason = guard_admit(guard, &a->m, &a->p);
	guard_free(guard);
	if (reason >= 0)
		explain_stop(a, "guard", reason);
	else
		explain_step(a, "guard", "pass",
			a->from->trusted ? "port %s is trusted"
					 : "port %s may send from these addresses",
			a->from->name);
	return reason < 0;
}

/* The port of the network that mac is configured at; NULL: none. */
static const struct config_port *owner_of(const struct explain_answer *a, const uint8_t *mac)
{
	const struct config *config = a->world->config;

	for (unsigned i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];
		const uint8_t *own;

		if (port->network_index != a->from->network_index)
			continue;
		for (unsigned k = 0; (own = config_port_mac(port, k)) != NULL; k++)
			if (memcmp(own, mac, 6) == 0)
				return port;
	}
	return NULL;
}

/* Nobody is learned where another is configured. */
static bool check_source(struct explain_answer *a)
{
	const struct config_port *owner = owner_of(a, a->frame->data + 6);

	if (owner == NULL || owner == a->from)
		return true;
	explain_stop(a, "source", DROP_src_mac_static);
	return false;
}

/* The port that the destination MAC leads to; NULL: none is known. */
static const struct config_port *locate(const struct explain_answer *a, const char **how)
{
	const struct config *config = a->world->config;
	const uint8_t *mac = a->frame->data;
	const struct config_port *owner;
	int learned = -1;

	*how = "it has the address";
	if (a->frame->to >= 0)
		return &config->ports[a->frame->to];
	*how = "its MAC is configured";
	owner = owner_of(a, mac);
	if (owner != NULL)
		return owner;
	*how = "its MAC was learned there";
	/* By this very packet, where it is for its own sender. */
	if (memcmp(mac, mac + 6, 6) == 0 && config->networks[a->from->network_index].learning)
		return a->from;
	if (a->world->learned != NULL)
		learned = a->world->learned(a->from->network_index, mac);
	if (learned < 0 && a->world->known != NULL && a->view.kind == CONN_PACKET &&
		!(a->p.flags & PACKET_FRAGMENT)) {
		const struct explain_lookup lookup = {
			.m = &a->m,
			.p = &a->p,
			.view = &a->view,
			.from = (unsigned)(a->from - config->ports),
		};

		*how = "its connection has had its MAC there";
		learned = a->world->known(&lookup);
	}
	return learned >= 0 ? &config->ports[learned] : NULL;
}

/* False: it is dropped. */
static bool find_output(struct explain_answer *a)
{
	const struct config_network *net = &a->world->config->networks[a->from->network_index];
	const char *how = NULL;

	if (a->p.flags & PACKET_GROUP) {
		explain_step(a, "destination", "pass",
			"to many: every port of network %s that takes it", net->name);
		return true;
	}
	a->to = locate(a, &how);
	if (a->to == NULL && net->unknown_unicast != CONFIG_UNKNOWN_FLOOD)
		explain_stop(a, "destination", DROP_unknown_unicast);
	else if (a->to == NULL)
		explain_step(a, "destination", "pass",
			"no port of network %s is known for its MAC: flooded to those that take "
			"what is unknown, as far as the port's rate allows",
			net->name);
	else if (a->to->network_index != a->from->network_index || !explain_is_up(a, a->to))
		explain_stop(a, "destination", DROP_no_receiver);
	else if (a->to == a->from)
		explain_stop(a, "destination", DROP_hairpin);
	else if (!explain_may_talk(a->from, a->to))
		explain_stop(a, "destination", DROP_isolated);
	else
		explain_step(a, "destination", "pass", "port %s: %s", a->to->name, how);
	return a->reason < 0;
}

/* A fragment's packet is judged when all of it is there. False: nothing more is to say now. */
static bool check_fragment(struct explain_answer *a)
{
	struct packet_fragment f;

	if (!(a->p.flags & PACKET_FRAGMENT))
		return true;
	packet_fragment(&a->m, &a->p, &f);
	if (!packet_fragment_is_sane(&f)) {
		explain_stop(a, "fragments", DROP_fragment_invalid);
		return false;
	}
	a->waits = a->p.flags & PACKET_LATER_FRAGMENT;
	explain_step(a, "fragments", "wait",
		a->waits ? "it waits for the first fragment of its packet, and goes as that one "
			   "goes"
			 : "it waits for the rest of its packet; then all goes as this first "
			   "fragment's headers say");
	return !a->waits;
}

static void go_through(struct explain_answer *a)
{
	if (!read_packet(a) || !check_guard(a) || !check_source(a) || !check_fragment(a) ||
		!find_output(a))
		return;
	if (a->to != NULL)
		explain_unicast(a);
	else
		explain_flood(a);
}

/* Addresses and ports of the packet that view is of. */
static void describe_ends(const struct conn_view *view, json_t *object)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], proto[16];
	unsigned sender = view->sender;

	addr_format(view->key.addr[sender], from);
	addr_format(view->key.addr[!sender], to);
	conn_proto_name(view->key.proto, proto);
	json_object_set_new(object, "source", json_string(from));
	json_object_set_new(object, "destination", json_string(to));
	json_object_set_new(object, "protocol", json_string(proto));
	json_object_set_new(object, "source_port", json_integer(view->key.port[sender]));
	json_object_set_new(object, "destination_port", json_integer(view->key.port[!sender]));
}

static json_t *describe_packet(const struct explain_answer *a)
{
	json_t *object = json_pack("{s:s,s:s,s:s,s:i,s:i}", "from", a->from->name, "network",
		a->from->network, "tenant",
		a->world->config->networks[a->from->network_index].tenant, "ethertype",
		(int)a->p.ethertype, "bytes", (int)a->frame->len);
	json_t *quoted;

	if (!a->is_read)
		return object;
	if (a->view.kind == CONN_PACKET) {
		describe_ends(&a->view, object);
	} else if (a->view.kind == CONN_ERROR) {
		quoted = json_object();
		describe_ends(&a->view, quoted);
		json_object_set_new(object, "quotes", quoted);
	}
	return object;
}

static void say_verdict(struct explain_answer *a, const char *verdict, const char *reason)
{
	if (a->reason >= 0)
		explain_step(a, "verdict", verdict, "it is dropped and counted as %s (%s)%s",
			reason, drop_text((enum drop_reason)a->reason),
			a->rejected ? "; the sender is told" : "");
	else if (a->waits)
		explain_step(a, "verdict", verdict, "it goes where its first fragment goes");
	else
		explain_step(a, "verdict", verdict, "it passes%s%s",
			a->to != NULL ? " to port " : "", a->to != NULL ? a->to->name : "");
}

static json_t *conclude(struct explain_answer *a)
{
	const char *reason = a->reason < 0 ? NULL : drop_name((enum drop_reason)a->reason);
	const char *verdict = a->waits ? "wait" : "pass";

	if (a->reason >= 0)
		verdict = a->rejected ? "reject" : "drop";
	say_verdict(a, verdict, reason);
	return json_pack("{s:o,s:o,s:s,s:s?,s:s?}", "packet", describe_packet(a), "steps", a->steps,
		"verdict", verdict, "reason", reason, "to", a->to != NULL ? a->to->name : NULL);
}

json_t *explain(const struct explain_world *world, const struct explain_question *question,
	char *err, size_t err_len)
{
	struct explain_frame frame;
	struct explain_answer a = {.world = world, .frame = &frame, .reason = -1};

	if (!explain_frame_make(world->config, question, &frame, err, err_len))
		return NULL;
	a.from = &world->config->ports[frame.from];
	a.steps = json_array();
	go_through(&a);
	if (!a.failed)
		return conclude(&a);
	json_decref(a.steps);
	snprintf(err, err_len, "out of memory");
	return NULL;
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
