#include "inspect_events.h"

#include <string.h>
#include <time.h>

#include <jansson.h>

#include "detect.h"
#include "events.h"
#include "inspect.h"
#include "inspect_count.h"
#include "inspect_sids.h"
#include "quarantine.h"
#include "quarantine_evidence.h"
#include "quarantine_state.h"
#include "switch_state.h"

#define DRAIN_ROUNDS 16 /* a ring is empty after four, unless it is still filled */

static uint64_t lost_before;

/* NULL where that port is gone. */
static const struct port_entry *port_of(const struct inspect_record *r, unsigned side)
{
	uint16_t id = r->port[side & 1];
	const struct port_entry *port = id < MAX_PORTS ? switch_state.by_id[id] : NULL;

	return port != NULL && port->serial == r->serial[side & 1] ? port : NULL;
}

static const char *port_name(const struct inspect_record *r, unsigned side)
{
	const struct port_entry *port = port_of(r, side);

	if (r->port[side & 1] == NO_PORT)
		return NULL;
	return port != NULL ? port->conf.name : "(removed)";
}

/* Whose record it is: both ends are of one network; either may be gone. */
static const struct network_entry *network_of(const struct inspect_record *r)
{
	const struct port_entry *port = port_of(r, r->sender);

	if (port == NULL)
		port = port_of(r, !r->sender);
	return port != NULL ? port->network : NULL;
}

/* The address that is the culprit, where that is on another host; else NULL. */
static const char *remote_culprit(const struct inspect_record *r, char text[ADDR_TEXT_MAX])
{
	if (r->where == INSPECT_LOCAL || r->key.proto == 0)
		return NULL;
	addr_format(r->key.addr[r->culprit & 1], text);
	return text;
}

/* NULL where the tenant is not inspected any more. */
static const struct config_inspection *inspection_of(const char *tenant)
{
	const struct config *config = switch_state.config;

	for (unsigned i = 0; config != NULL && i < config->n_inspection; i++) {
		if (strcmp(config->inspection[i].tenant, tenant) == 0)
			return &config->inspection[i];
	}
	return NULL;
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

/* A text out of a rule's file, in at most size bytes. */
static void set_plain(json_t *object, const char *key, const char *text, size_t size)
{
	char plain[INSPECT_TEXT_MAX];

	events_plain(text, size, plain, sizeof(plain));
	set_text(object, key, plain);
}

static json_t *alert_of(const struct inspect_record *r)
{
	json_t *alert = json_object();
	const struct inspect_sid *own;
	char id[sizeof(r->id) + 1];

	set_text(alert, "action", r->dropped ? "blocked" : "allowed");
	if (r->what == INSPECT_TELLS_RULE) {
		set_number(alert, "gid", r->gid);
		set_number(alert, "signature_id", r->sid);
		set_number(alert, "rev", r->rev);
		set_plain(alert, "signature", r->text, sizeof(r->text));
		set_plain(alert, "category", r->category, sizeof(r->category));
		set_number(alert, "severity", r->priority);
		return alert;
	}
	events_plain(r->id, sizeof(r->id), id, sizeof(id));
	own = inspect_sid((enum inspect_tells)r->what, id);
	set_number(alert, "gid", INSPECT_GID);
	set_number(alert, "signature_id", own->sid);
	set_number(alert, "rev", 1);
	set_plain(alert, "signature", r->text, sizeof(r->text));
	set_text(alert, "category", own->category);
	set_number(alert, "severity", own->severity);
	return alert;
}

static json_t *verdict_of(const struct inspect_record *r)
{
	if (!r->dropped)
		return json_pack("{s:s}", "action", "alert");
	if (r->action < DETECT_REJECT)
		return json_pack("{s:s}", "action", "drop");
	return json_pack("{s:s,s:s,s:[s]}", "action", "drop", "reject-target", "both", "reject",
		"tcp-reset");
}

static void set_quarantine(
	json_t *metadata, const struct inspect_record *r, const struct evidence *evidence)
{
	if (!r->quarantined)
		return;
	set(metadata, "quarantined", json_true());
	set_text(metadata, "level",
		r->where == INSPECT_LOCAL ? quarantine_level_name(r->level)
					  : quarantine_remote_level_name(r->level));
	if (evidence->file[0] != '\0')
		set_text(metadata, "evidence", evidence->file);
	if (evidence->error[0] != '\0')
		set_text(metadata, "evidence_error", evidence->error);
}

static json_t *metadata_of(const struct inspect_record *r, const struct evidence *evidence)
{
	static const char *const not_quarantined[] = {
		[INSPECT_LOCAL] = NULL,
		[INSPECT_REMOTE] = NULL,
		[INSPECT_REMOTE_UNPROVEN] = "unproven",
		[INSPECT_REMOTE_FULL] = "full",
	};
	const struct network_entry *network = network_of(r);
	const struct config_inspection *inspection = NULL;
	json_t *metadata = json_object();
	char address[ADDR_TEXT_MAX];

	if (network != NULL) {
		set_text(metadata, "tenant", network->conf.tenant);
		set_text(metadata, "network", network->conf.name);
		inspection = inspection_of(network->conf.tenant);
	}
	if (inspection != NULL)
		set_text(metadata, "mode", inspection->prevent ? "prevent" : "detect");
	set_text(metadata, "from_port", port_name(r, r->sender));
	set_text(metadata, "to_port", port_name(r, !r->sender));
	set_text(metadata, "culprit", port_name(r, r->culprit));
	set_text(metadata, "culprit_ip", remote_culprit(r, address));
	set_text(metadata, "not_quarantined", not_quarantined[r->where]);
	set_text(metadata, "what", inspect_tells_name((enum inspect_tells)r->what));
	if (r->what != INSPECT_TELLS_RULE)
		set_plain(metadata, "id", r->id, sizeof(r->id));
	if (r->what == INSPECT_TELLS_RULE || r->what == INSPECT_TELLS_INVARIANT) {
		set_number(metadata, "offset", r->offset);
		set_number(metadata, "position", r->position);
	}
	if (r->value != 0)
		set_number(metadata, "value", r->value);
	if (!r->dropped && r->action > DETECT_ALERT)
		set(metadata, "would_drop", json_true());
	if (r->suppressed > 0)
		set_number(metadata, "suppressed", r->suppressed);
	set_quarantine(metadata, r, evidence);
	return metadata;
}

/* Of what is about no one connection: the guest's first address, where it has one. */
static void set_guest(json_t *event, const struct inspect_record *r)
{
	const struct port_entry *port = port_of(r, r->sender);

	if (port != NULL && port->conf.n_ips > 0)
		set_text(event, "src_ip", port->conf.ips[0]);
}

static void set_tuple(json_t *event, const struct inspect_record *r)
{
	const struct conn_key *key = &r->key;
	unsigned from = r->sender & 1, to = !from;
	char text[ADDR_TEXT_MAX];

	addr_format(key->addr[from], text);
	set_text(event, "src_ip", text);
	set_number(event, "src_port", key->port[from]);
	addr_format(key->addr[to], text);
	set_text(event, "dest_ip", text);
	set_number(event, "dest_port", key->port[to]);
	set_text(event, "proto", "TCP");
	set_text(event, "direction", r->sender == r->opener ? "to_server" : "to_client");
}

/* What the events of a record have in common. */
static json_t *event_of(const struct inspect_record *r)
{
	const struct network_entry *network = network_of(r);
	json_t *event = json_object();

	if (r->key.proto != 0)
		set_number(event, "flow_id", conn_key_id(&r->key));
	set_text(event, "in_iface", port_name(r, r->sender));
	if (network != NULL && network->conf.vlan != 0)
		set(event, "vlan", json_pack("[i]", (int)network->conf.vlan));
	if (r->key.proto != 0)
		set_tuple(event, r);
	else
		set_guest(event, r);
	if (r->smb)
		set_text(event, "app_proto", "smb");
	set(event, "alert", alert_of(r));
	set(event, "verdict", verdict_of(r));
	return event;
}

/* An alert, and where the packet was dropped a drop event, as Suricata has them. */
static void emit(const struct inspect_record *r, const struct evidence *evidence)
{
	json_t *event = event_of(r);

	set(event, "metadata", metadata_of(r, evidence));
	events_emit_fields("alert", event);
	if (r->dropped && r->key.proto != 0) {
		event = event_of(r);
		set(event, "drop", json_pack("{s:s}", "reason", drop_name(r->reason)));
		set(event, "metadata", metadata_of(r, evidence));
		events_emit_fields("drop", event);
	}
	inspect_count.allowed += !r->dropped;
	inspect_count.blocked += r->dropped;
	inspect_count.suppressed += r->suppressed;
	inspect_count.unproven += r->where == INSPECT_REMOTE_UNPROVEN;
	inspect_count.full += r->where == INSPECT_REMOTE_FULL;
}

static void quarantine(const struct inspect_record *r, const struct evidence *evidence)
{
	const struct port_entry *culprit = port_of(r, r->culprit);
	const struct port_entry *peer = port_of(r, !r->culprit);
	const struct network_entry *network = culprit != NULL ? culprit->network : NULL;

	/* An address is its network's, whatever became of the uplink. */
	if (r->where == INSPECT_REMOTE)
		network = switch_network_at(r->key.network);
	if (network == NULL) /* gone, and what comes under its name is another guest */
		return;
	quarantine_note(r, culprit != NULL ? culprit->conf.name : "",
		peer != NULL ? peer->conf.name : "", network->conf.name, network->conf.tenant,
		evidence);
}

static void handle(const struct inspect_record *r)
{
	struct evidence evidence = {0};
	char address[ADDR_TEXT_MAX];
	struct timespec now;

	if (r->quarantined) {
		const char *culprit = remote_culprit(r, address), *peer = port_name(r, !r->culprit);

		if (culprit == NULL)
			culprit = port_name(r, r->culprit);
		clock_gettime(CLOCK_REALTIME, &now);
		evidence_keep(r, culprit != NULL ? culprit : "(none)",
			peer != NULL ? peer : "(none)", &now, &evidence);
	}
	emit(r, &evidence);
	if (r->quarantined)
		quarantine(r, &evidence);
	rte_pktmbuf_free(r->packet);
	rte_pktmbuf_free(r->before);
}

static void tell_lost(void)
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < n_workers; i++) {
		const struct inspect_log *log = inspect_log_of(workers[i]);

		lost += log != NULL ? inspect_log_lost(log) : 0;
	}
	if (lost > lost_before) {
		inspect_count.lost += lost - lost_before;
		events_emit(
			"inspection", json_pack("{s:I}", "lost", (json_int_t)(lost - lost_before)));
	}
	lost_before = lost;
}

/* True where a worker may have more to tell. */
static bool take(void)
{
	static struct inspect_record records[INSPECT_EVENTS_BUDGET];
	bool more = false;

	for (unsigned i = 0; i < n_workers; i++) {
		struct inspect_log *log = inspect_log_of(workers[i]);
		unsigned n = log != NULL ? inspect_log_take(log, records, INSPECT_EVENTS_BUDGET)
					 : 0;

		for (unsigned r = 0; r < n; r++)
			handle(&records[r]);
		more |= n == INSPECT_EVENTS_BUDGET;
	}
	quarantine_settle();
	tell_lost();
	return more;
}

void inspect_events_poll(void)
{
	(void)take();
}

void inspect_events_drain(void)
{
	for (unsigned i = 0; i < DRAIN_ROUNDS && take(); i++)
		;
}
