#include "metrics.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "drop.h"
#include "events.h"
#include "inspect_count.h"
#include "quarantine.h"
#include "switch.h"
#include "transaction.h"

/* A family whose samples are one member of each row. */
struct metric {
	const char *name; /* of the family, without "_total" */
	bool counter;
	const char *unit; /* the name's ending, or NULL */
	const char *member;
	const char *help;
};

static const struct metric port_metrics[] = {
	{"vswitch_port_received_packets", true, "packets", "received", "Packets from the port."},
	{"vswitch_port_received_bytes", true, "bytes", "bytes_received", "Bytes from the port."},
	{"vswitch_port_delivered_packets", true, "packets", "delivered",
		"Packets from the port that were offered to at least one other."},
	{"vswitch_port_consumed_packets", true, "packets", "consumed",
		"Packets from the port that the switch itself took."},
	{"vswitch_port_offered_packets", true, "packets", "offered",
		"Packets to the port, copies and those dropped included."},
	{"vswitch_port_sent_packets", true, "packets", "sent", "Packets that the port took."},
	{"vswitch_port_sent_bytes", true, "bytes", "bytes_sent", "Bytes that the port took."},
};

static const struct metric port_gauges[] = {
	{"vswitch_port_connections", false, NULL, "connections", "Connections the port opened."},
	{"vswitch_port_connections_max", false, NULL, "connections_max",
		"Connections that it may have."},
};

static const struct metric network_metrics[] = {
	{"vswitch_network_macs", false, NULL, "macs", "Entries in the MAC table."},
	{"vswitch_network_macs_learned", true, NULL, "macs_learned", "MACs learned."},
	{"vswitch_network_macs_moved", true, NULL, "macs_moved", "MACs that changed their port."},
	{"vswitch_network_macs_evicted", true, NULL, "macs_evicted",
		"MACs forgotten to make room for others."},
};

static const struct metric worker_metrics[] = {
	{"vswitch_worker_busy_percent", false, "percent", "busy_percent",
		"Share of its time that the worker had packets."},
	{"vswitch_worker_cycles_per_packet", false, NULL, "cycles_per_packet",
		"CPU cycles for a packet, over all stages."},
	{"vswitch_worker_passes", true, NULL, "passes", "Rounds over the worker's queues."},
	{"vswitch_worker_sleeps", true, NULL, "sleeps", "Times that the worker went to sleep."},
};

static const struct metric stage_metrics[] = {
	{"vswitch_worker_stage_packets", true, "packets", "packets", "Packets in the stage."},
	{"vswitch_worker_stage_bursts", true, NULL, "bursts", "Bursts in the stage."},
	{"vswitch_worker_stage_cycles_per_packet", false, NULL, "cycles_per_packet",
		"CPU cycles for a packet in the stage."},
};

static const struct metric firewall_metrics[] = {
	{"vswitch_connections", false, NULL, "connections", "Connections that are tracked."},
	{"vswitch_connections_capacity", false, NULL, "capacity", "Those that there is room for."},
	{"vswitch_connections_opened", true, NULL, "opened", "Connections opened."},
	{"vswitch_connections_decided_again", true, NULL, "decided_again",
		"Connections decided on again since rules had changed."},
	{"vswitch_connections_picked_up", true, NULL, "picked_up",
		"Connections taken over in their middle."},
	{"vswitch_connections_pushed_out", true, NULL, "pushed_out",
		"Connections not established that made room for others."},
	{"vswitch_firewall_log_lost", true, NULL, "log_lost",
		"Verdicts that were to be events and found no room on their way."},
};

static const struct metric quarantine_gauges[] = {
	{"vswitch_quarantined_ports", false, NULL, "ports", "Ports that are cut off."},
};

static const struct metric remote_gauges[] = {
	{"vswitch_quarantined_addresses", false, NULL, "addresses",
		"Addresses on other hosts that are cut off."},
};

static const struct metric refused_metrics[] = {
	{"vswitch_quarantine_refused", true, NULL, "refused",
		"Alerts whose culprit on another host was not cut off, by why: not proven to be at "
		"its address, or too many."},
};

static const struct metric alert_metrics[] = {
	{"vswitch_alerts", true, NULL, "alerts",
		"Alerts of inspection that were told, by what became of the packet."},
};

static const struct metric inspection_metrics[] = {
	{"vswitch_alerts_suppressed", true, NULL, "suppressed",
		"Alerts that were not told, for a port had too many a second."},
	{"vswitch_inspection_log_lost", true, NULL, "lost",
		"Alerts and quarantines that found no room on their way."},
	{"vswitch_evidence_written", true, NULL, "evidence_written",
		"Captures of quarantines' evidence written."},
	{"vswitch_evidence_lost", true, NULL, "evidence_lost",
		"Captures of quarantines' evidence that could not be written."},
	{"vswitch_hook_started", true, NULL, "hook_started", "Runs of the quarantine hook."},
	{"vswitch_hook_failed", true, NULL, "hook_failed",
		"Runs of the quarantine hook that failed, or could not be started."},
	{"vswitch_hook_lost", true, NULL, "hook_lost",
		"Calls of the quarantine hook that were left out, for too many waited."},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void put_escaped(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
}

static void family(
	FILE *out, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(out, "# TYPE %s %s\n", name, type);
	if (unit != NULL)
		fprintf(out, "# UNIT %s %s\n", name, unit);
	fprintf(out, "# HELP %s ", name);
	put_escaped(out, help);
	fputc('\n', out);
}

/* A label whose value is a member of row, if it has that; returns the separator for the next. */
static const char *label(FILE *out, const char *separator, const char *name, const json_t *value)
{
	if (!json_is_string(value) && !json_is_integer(value))
		return separator;
	fprintf(out, "%s%s=\"", separator, name);
	if (json_is_string(value))
		put_escaped(out, json_string_value(value));
	else
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	fputc('"', out);
	return ",";
}

static void number(FILE *out, const json_t *value)
{
	if (json_is_real(value))
		fprintf(out, " %.6g\n", json_real_value(value));
	else
		fprintf(out, " %" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
}

/* labels: names of members of row, up to NULL. */
static void sample(
	FILE *out, const struct metric *metric, const json_t *row, const char *const *labels)
{
	const char *separator = "{";

	fprintf(out, "%s%s", metric->name, metric->counter ? "_total" : "");
	for (; *labels != NULL; labels++)
		separator = label(out, separator, *labels, json_object_get(row, *labels));
	if (separator[0] == ',')
		fputc('}', out);
	number(out, json_object_get(row, metric->member));
}

static void families(FILE *out, const struct metric *metrics, size_t n, const json_t *rows,
	const char *const *labels)
{
	const json_t *row;
	size_t j;

	for (size_t i = 0; i < n; i++) {
		family(out, metrics[i].name, metrics[i].counter ? "counter" : "gauge",
			metrics[i].unit, metrics[i].help);
		json_array_foreach (rows, j, row)
			sample(out, &metrics[i], row, labels);
	}
}

static void gauge(
	FILE *out, const char *name, const char *unit, const char *help, const json_t *value)
{
	family(out, name, "gauge", unit, help);
	fputs(name, out);
	number(out, value);
}

static void gauge_number(FILE *out, const char *name, const char *help, uint64_t value)
{
	family(out, name, "gauge", NULL, help);
	fprintf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void put_switch(FILE *out)
{
	json_t *status = switch_status(), *memory = json_object_get(status, "memory");
	json_t *events = events_status();

	family(out, "vswitch", "info", NULL, "The version of vswitchd.");
	fputs("vswitch_info", out);
	if (label(out, "{", "version", json_object_get(status, "version"))[0] == ',')
		fputc('}', out);
	fputs(" 1\n", out);
	gauge(out, "vswitch_uptime_seconds", "seconds", "Time since the start.",
		json_object_get(status, "uptime_s"));
	gauge(out, "vswitch_ports", NULL, "Ports.", json_object_get(status, "ports"));
	gauge(out, "vswitch_ports_up", NULL, "Ports that carry traffic.",
		json_object_get(status, "ports_up"));
	gauge(out, "vswitch_packet_buffers", NULL, "Packet buffers in all.",
		json_object_get(memory, "buffers"));
	gauge(out, "vswitch_packet_buffers_free", NULL, "Packet buffers that are free.",
		json_object_get(memory, "buffers_free"));
	gauge_number(out, "vswitch_configuration_applied",
		"1 if a configuration is applied; nothing passes without.",
		transaction_document() != NULL);
	gauge_number(out, "vswitch_configuration_revision", "The saved revision that is in force.",
		transaction_revision());
	gauge_number(out, "vswitch_configuration_problem",
		"1 if something is wrong with the configuration; status says what.",
		transaction_problem() != NULL);
	family(out, "vswitch_events_lost", "counter", NULL,
		"Events that could not be written to the event file.");
	fputs("vswitch_events_lost_total", out);
	number(out, json_object_get(events, "lost"));
	json_decref(status);
	json_decref(events);
}

static void put_firewall(FILE *out)
{
	static const char *const none[] = {NULL};
	json_t *status = switch_status(), *rows = json_array();

	json_array_append(rows, json_object_get(status, "firewall"));
	families(out, firewall_metrics, COUNT(firewall_metrics), rows, none);
	json_decref(rows);
	json_decref(status);
}

/* Ports by level, alerts by action, and the rest of inspection's counters. */
static void put_quarantine(FILE *out)
{
	static const char *const none[] = {NULL}, *const level[] = {"level", NULL};
	static const char *const action[] = {"action", NULL}, *const reason[] = {"reason", NULL};
	json_t *status = quarantine_status(), *rows;
	const json_t *evidence = json_object_get(status, "evidence");
	const json_t *remote = json_object_get(status, "remote");
	const json_t *hook = json_object_get(status, "hook");

	rows = json_pack("[{s:s,s:O},{s:s,s:O}]", "level", "service", "ports",
		json_object_get(status, "service"), "level", "port", "ports",
		json_object_get(status, "port"));
	families(out, quarantine_gauges, COUNT(quarantine_gauges), rows, level);
	json_decref(rows);
	rows = json_pack("[{s:s,s:O},{s:s,s:O}]", "level", "service", "addresses",
		json_object_get(remote, "service"), "level", "host", "addresses",
		json_object_get(remote, "host"));
	families(out, remote_gauges, COUNT(remote_gauges), rows, level);
	json_decref(rows);
	rows = json_pack("[{s:s,s:I},{s:s,s:I}]", "reason", "unproven", "refused",
		(json_int_t)inspect_count.unproven, "reason", "full", "refused",
		(json_int_t)inspect_count.full);
	families(out, refused_metrics, COUNT(refused_metrics), rows, reason);
	json_decref(rows);
	rows = json_pack("[{s:s,s:I},{s:s,s:I}]", "action", "allowed", "alerts",
		(json_int_t)inspect_count.allowed, "action", "blocked", "alerts",
		(json_int_t)inspect_count.blocked);
	families(out, alert_metrics, COUNT(alert_metrics), rows, action);
	json_decref(rows);
	rows = json_pack("[{s:I,s:I,s:O,s:O,s:O,s:O,s:O}]", "suppressed",
		(json_int_t)inspect_count.suppressed, "lost", (json_int_t)inspect_count.lost,
		"evidence_written", json_object_get(evidence, "written"), "evidence_lost",
		json_object_get(evidence, "lost"), "hook_started", json_object_get(hook, "started"),
		"hook_failed", json_object_get(hook, "failed"), "hook_lost",
		json_object_get(hook, "lost"));
	families(out, inspection_metrics, COUNT(inspection_metrics), rows, none);
	json_decref(rows);
	json_decref(status);
}

static void put_drops(FILE *out, const json_t *ports)
{
	static const char *const labels[] = {"port", "network", "tenant", NULL};
	const char *reason, *separator;
	const json_t *port;
	json_t *count;
	size_t i;

	family(out, "vswitch_port_drops", "counter", NULL,
		"Dropped packets by reason, at the port where they count; reasons without any are "
		"left out.");
	json_array_foreach (ports, i, port) {
		json_object_foreach (json_object_get(port, "drops"), reason, count) {
			separator = "{";
			fputs("vswitch_port_drops_total", out);
			for (const char *const *l = labels; *l != NULL; l++)
				separator = label(out, separator, *l, json_object_get(port, *l));
			fprintf(out, "%sreason=\"%s\"}", separator, reason);
			number(out, count);
		}
	}
	family(out, "vswitch_drop_reason", "info", NULL, "What the reasons mean.");
	for (int r = 0; r < DROP_REASONS; r++) {
		fprintf(out, "vswitch_drop_reason_info{reason=\"%s\",stage=\"%s\",meaning=\"",
			drop_name((enum drop_reason)r),
			drop_is_output((enum drop_reason)r) ? "out" : "in");
		put_escaped(out, drop_text((enum drop_reason)r));
		fputs("\"} 1\n", out);
	}
}

/* The ports' counters with what else is shown of each. The caller owns the reference. */
static json_t *ports_in_full(void)
{
	json_t *stats = switch_stats(NULL), *ports = switch_ports(NULL), *row;
	json_t *shown = json_object();
	size_t i;

	json_array_foreach (ports, i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));

		if (name != NULL)
			json_object_set(shown, name, row);
	}
	json_array_foreach (stats, i, row) {
		const char *name = json_string_value(json_object_get(row, "port"));

		if (name != NULL)
			json_object_update_missing(row, json_object_get(shown, name));
	}
	json_decref(ports);
	json_decref(shown);
	return stats;
}

/* A row for each stage of each worker, with the worker's core. The caller owns the reference. */
static json_t *stages_of(const json_t *workers)
{
	json_t *rows = json_array(), *stage;
	const json_t *worker;
	size_t i, j;

	json_array_foreach (workers, i, worker) {
		json_array_foreach (json_object_get(worker, "stages"), j, stage) {
			json_object_set(stage, "core", json_object_get(worker, "core"));
			json_array_append(rows, stage);
		}
	}
	return rows;
}

/* The names of networks as label `network`. */
static json_t *networks_with_label(void)
{
	json_t *rows = switch_networks(NULL), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		json_object_set(row, "network", json_object_get(row, "name"));
	return rows;
}

char *metrics_text(void)
{
	static const char *const port_labels[] = {"port", "network", "tenant", NULL};
	static const char *const network_labels[] = {"network", "tenant", NULL};
	static const char *const worker_labels[] = {"core", NULL};
	static const char *const stage_labels[] = {"core", "stage", NULL};
	json_t *ports, *networks, *workers, *stages;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	ports = ports_in_full();
	networks = networks_with_label();
	workers = switch_worker_stats(false);
	stages = stages_of(workers);
	put_switch(out);
	put_firewall(out);
	put_quarantine(out);
	families(out, port_metrics, COUNT(port_metrics), ports, port_labels);
	families(out, port_gauges, COUNT(port_gauges), ports, port_labels);
	put_drops(out, ports);
	families(out, network_metrics, COUNT(network_metrics), networks, network_labels);
	families(out, worker_metrics, COUNT(worker_metrics), workers, worker_labels);
	families(out, stage_metrics, COUNT(stage_metrics), stages, stage_labels);
	fputs("# EOF\n", out);
	json_decref(ports);
	json_decref(networks);
	json_decref(workers);
	json_decref(stages);
	return fclose(out) == 0 ? text : NULL;
}
