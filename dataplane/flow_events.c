#include "flow_events.h"

#include <time.h>

#include <jansson.h>

#include "conn_table.h"
#include "events.h"
#include "flow_log.h"
#include "inspect.h"
#include "switch_state.h"

#define NANOSECONDS UINT64_C(1000000000)

static uint64_t lost_before;

/* NULL where that port is gone. */
static const struct port_entry *port_of(const struct flow_record *r, unsigned side)
{
	uint16_t id = r->port[side];
	const struct port_entry *port = id < MAX_PORTS ? switch_state.by_id[id] : NULL;

	return port != NULL && port->serial == r->serial[side] ? port : NULL;
}

static const char *port_name(const struct flow_record *r, unsigned side)
{
	const struct port_entry *port = port_of(r, side);

	if (r->port[side] == NO_PORT)
		return NULL;
	return port != NULL ? port->conf.name : "(removed)";
}

/* Both ends are of one network; either may be gone. */
static const struct network_entry *network_of(const struct flow_record *r)
{
	const struct port_entry *port = port_of(r, r->opener);

	if (port == NULL)
		port = port_of(r, !r->opener);
	return port != NULL ? port->network : NULL;
}

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL)
		set(object, key, json_string(text));
}

static void set_number(json_t *object, const char *key, uint64_t n)
{
	set(object, key, json_integer((json_int_t)n));
}

/* `when`, in a worker's cycles, as the text of an event; now, in the same, is the time real. */
static void set_time(json_t *object, const char *key, uint64_t when, uint64_t now, uint64_t hz,
	struct timespec real)
{
	uint64_t ago = now > when ? now - when : 0;
	uint64_t at = (uint64_t)real.tv_sec * NANOSECONDS + (uint64_t)real.tv_nsec;
	char text[EVENTS_TIME_MAX];

	at -= ago / hz * NANOSECONDS + ago % hz * NANOSECONDS / hz;
	real.tv_sec = (time_t)(at / NANOSECONDS);
	real.tv_nsec = (long)(at % NANOSECONDS);
	events_time(real, text);
	set_text(object, key, text);
}

/* Suricata's words for a connection's state. */
static const char *state_of(const struct flow_record *r)
{
	switch (r->state) {
	case CONN_TCP_SYN:
	case CONN_TCP_SYN_ACK:
		return "new";
	case CONN_TCP_ESTABLISHED:
		return "established";
	default:
		return "closed";
	}
}

static json_t *flow_of(const struct flow_record *r, uint64_t hz)
{
	unsigned opener = r->opener, peer = !opener;
	uint64_t now = switch_now();
	struct timespec real;
	json_t *flow = json_object();

	clock_gettime(CLOCK_REALTIME, &real);
	set_number(flow, "pkts_toserver", r->packets[opener]);
	set_number(flow, "pkts_toclient", r->packets[peer]);
	set_number(flow, "bytes_toserver", r->bytes[opener]);
	set_number(flow, "bytes_toclient", r->bytes[peer]);
	set_time(flow, "start", r->since, now, hz, real);
	set_time(flow, "end", r->until, now, hz, real);
	set_number(flow, "age", r->until > r->since ? (r->until - r->since) / hz : 0);
	set_text(flow, "state", state_of(r));
	set_text(flow, "reason", r->reason);
	set(flow, "alerted", json_boolean(r->alerted));
	set_text(flow, "action", r->verdict == FLOW_PASSED ? "accept" : "drop");
	return flow;
}

static json_t *verdict_of(const struct flow_record *r)
{
	if (r->verdict == FLOW_REJECTED)
		return json_pack("{s:s,s:s,s:[s]}", "action", "drop", "reject-target", "both",
			"reject", "tcp-reset");
	return json_pack("{s:s}", "action", r->verdict == FLOW_PASSED ? "pass" : "drop");
}

static json_t *metadata_of(const struct flow_record *r)
{
	const struct network_entry *network = network_of(r);
	json_t *metadata = json_object();

	if (network != NULL) {
		set_text(metadata, "tenant", network->conf.tenant);
		set_text(metadata, "network", network->conf.name);
	}
	set_text(metadata, "from_port", port_name(r, r->opener));
	set_text(metadata, "to_port", port_name(r, !r->opener));
	set_text(metadata, "state", conn_state_name(r->state));
	if (r->partial)
		set(metadata, "picked_up", json_true());
	if (r->suppressed > 0)
		set_number(metadata, "suppressed", r->suppressed);
	return metadata;
}

static void emit(const struct flow_record *r, uint64_t hz)
{
	const struct network_entry *network = network_of(r);
	const struct conn_key *key = &r->key;
	unsigned from = r->opener, to = !from;
	char text[ADDR_TEXT_MAX];
	json_t *event = json_object();

	set_number(event, "flow_id", conn_key_id(key));
	set_text(event, "in_iface", port_name(r, from));
	if (network != NULL && network->conf.vlan != 0)
		set(event, "vlan", json_pack("[i]", (int)network->conf.vlan));
	addr_format(key->addr[from], text);
	set_text(event, "src_ip", text);
	set_number(event, "src_port", key->port[from]);
	addr_format(key->addr[to], text);
	set_text(event, "dest_ip", text);
	set_number(event, "dest_port", key->port[to]);
	set_text(event, "proto", "TCP"); /* nothing else is inspected */
	set(event, "verdict", verdict_of(r));
	set(event, "flow", flow_of(r, hz));
	set(event, "metadata", metadata_of(r));
	events_emit_fields("flow", event);
}

static void tell_lost(void)
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < n_workers; i++) {
		const struct flow_log *log = inspect_flow_log(workers[i]);

		lost += log != NULL ? flow_log_lost(log) : 0;
	}
	if (lost > lost_before)
		events_emit("flow", json_pack("{s:I}", "lost", (json_int_t)(lost - lost_before)));
	lost_before = lost;
}

void flow_events_poll(void)
{
	static struct flow_record records[FLOW_EVENTS_BUDGET];

	for (unsigned i = 0; i < n_workers; i++) {
		struct flow_log *log = inspect_flow_log(workers[i]);
		unsigned n = log != NULL ? flow_log_take(log, records, FLOW_EVENTS_BUDGET) : 0;

		for (unsigned r = 0; r < n; r++)
			emit(&records[r], workers[i]->hz);
	}
	tell_lost();
}
