#include "stats_events.h"

#include "events.h"
#include "inspect_count.h"
#include "quarantine.h"
#include "switch.h"
#include "switch_inspect.h"

/* Sets to[name] to from's member, where there is one. */
static void take(json_t *to, const char *name, const json_t *from, const char *member)
{
	json_t *value = json_object_get(from, member);

	if (value != NULL)
		json_object_set(to, name, value);
}

static json_int_t number(const json_t *from, const char *member)
{
	return json_integer_value(json_object_get(from, member));
}

static json_t *ips_of(const json_t *ledger)
{
	json_t *ips = json_pack(
		"{s:I}", "blocked", number(ledger, "dropped") + number(ledger, "dropped_out"));

	take(ips, "accepted", ledger, "delivered");
	take(ips, "drop_reason", ledger, "drops");
	return ips;
}

static json_t *flow_of(const json_t *firewall)
{
	json_t *flow = json_object();

	take(flow, "active", firewall, "connections");
	take(flow, "total", firewall, "opened");
	return flow;
}

json_t *stats_event(const struct stats_sources *sources)
{
	json_t *stats = json_object(), *decoder = json_object(), *metadata = json_object();

	take(stats, "uptime", sources->status, "uptime_s");
	take(decoder, "pkts", sources->ledger, "received");
	take(decoder, "bytes", sources->ledger, "bytes_received");
	json_object_set_new(stats, "decoder", decoder);
	json_object_set_new(stats, "ips", ips_of(sources->ledger));
	json_object_set_new(stats, "flow", flow_of(json_object_get(sources->status, "firewall")));
	json_object_set_new(stats, "detect",
		json_pack("{s:I,s:I}", "alert", (json_int_t)sources->alerts, "alerts_suppressed",
			(json_int_t)sources->suppressed));
	take(metadata, "revision", sources->status, "revision");
	take(metadata, "ports", sources->status, "ports");
	take(metadata, "ports_up", sources->status, "ports_up");
	take(metadata, "quarantined", sources->quarantine, "ports");
	json_object_set(metadata, "inspection", (json_t *)(uintptr_t)sources->inspection);
	return json_pack("{s:o,s:o}", "stats", stats, "metadata", metadata);
}

void stats_events_emit(void)
{
	json_t *status = switch_status(), *ledger = switch_ledger();
	json_t *inspection = switch_inspect_status(), *quarantine = quarantine_status();
	const struct stats_sources sources = {
		.status = status,
		.ledger = ledger,
		.inspection = inspection,
		.quarantine = quarantine,
		.alerts = inspect_count.allowed + inspect_count.blocked,
		.suppressed = inspect_count.suppressed,
	};

	events_emit_fields("stats", stats_event(&sources));
	json_decref(status);
	json_decref(ledger);
	json_decref(inspection);
	json_decref(quarantine);
}
