/*
 * What runs, as JSON for commands and metrics.
 */
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_mempool.h>
#include <rte_memory.h>

#include "conn_quota.h"
#include "drop.h"
#include "switch.h"
#include "switch_firewall.h"
#include "switch_inspect.h"
#include "switch_state.h"
#include "version.h"

#define FDB_DUMP_CHUNK 256

static const char *const stage_names[STAGES] = {
	[STAGE_RX] = "rx",
	[STAGE_SHORTCUT] = "shortcut",
	[STAGE_PARSE] = "parse",
	[STAGE_FIREWALL] = "firewall",
	[STAGE_FORWARD] = "forward",
	[STAGE_TX] = "tx",
	[STAGE_HANDOVER] = "handover",
};

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *mac_text(const uint8_t mac[6])
{
	return json_sprintf(
		"%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static uint64_t seconds(uint64_t when, uint64_t now)
{
	return now > when ? (now - when) / rte_get_tsc_hz() : 0;
}

json_t *switch_status(void)
{
	json_t *memory, *status = json_object();
	unsigned up = 0;

	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (switch_state.ports[i]->dev != NULL &&
			atomic_load(&switch_state.ports[i]->dev->tx_ready) != 0)
			up++;
	json_object_set_new(status, "version", json_string(VSWITCH_VERSION));
	json_object_set_new(status, "revision", number(switch_state.revision));
	json_object_set_new(
		status, "uptime_s", number(seconds(switch_state.started_at, rte_rdtsc())));
	json_object_set_new(status, "workers", number(n_workers));
	json_object_set_new(status, "networks", number(switch_state.n_networks));
	json_object_set_new(status, "ports", number(switch_state.n_ports));
	json_object_set_new(status, "ports_up", number(up));
	memory = json_object();
	json_object_set_new(memory, "hugepages", json_boolean(rte_eal_has_hugepages()));
	json_object_set_new(memory, "buffers", number(port_env.pool->size));
	json_object_set_new(memory, "buffers_free", number(rte_mempool_avail_count(port_env.pool)));
	json_object_set_new(status, "memory", memory);
	json_object_set_new(status, "firewall", switch_firewall_status());
	json_object_set_new(status, "inspection", switch_inspect_status());
	return status;
}

static json_t *two(uint64_t packets, uint64_t bytes)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

static json_t *port_json(const struct port_entry *port)
{
	const struct config_port *conf = &port->conf;
	struct port_counters count;
	json_t *row = json_object(), *own;

	switch_count(port, &count);
	json_object_set_new(row, "name", json_string(conf->name));
	json_object_set_new(row, "network", json_string(conf->network));
	json_object_set_new(row, "tenant", json_string(port->network->conf.tenant));
	json_object_set_new(row, "kind", json_string(port->driver->kind));
	json_object_set_new(row, "mac", conf->has_mac ? mac_text(conf->mac) : json_null());
	json_object_set_new(row, "mtu", number(conf->mtu));
	json_object_set_new(row, "queues", number(switch_queues(port)));
	json_object_set_new(row, "connections", number(conn_quota_port(port->id)));
	json_object_set_new(row, "connections_max", number(conf->limits.connections));
	json_object_set_new(row, "isolated", json_boolean(conf->isolated));
	if (config_port_is_remote(conf))
		json_object_set_new(row, "uplink", json_string(conf->uplink.uplink));
	json_object_set_new(row, "promiscuous", json_boolean(conf->promiscuous));
	json_object_set_new(row, "rx", two(count.received, count.received_bytes));
	json_object_set_new(row, "tx", two(count.sent, count.sent_bytes));
	json_object_set_new(row, "drops", number(port_counters_dropped(&count, false)));
	json_object_set_new(row, "drops_out", number(port_counters_dropped(&count, true)));
	if (port->dev != NULL) {
		own = port->driver->describe(port->dev);
		json_object_update(row, own);
		json_decref(own);
	} else {
		json_object_set_new(row, "state", json_string("failed"));
		json_object_set_new(row, "error", json_string(port->error));
	}
	return row;
}

json_t *switch_ports(const char *name)
{
	json_t *rows;

	if (name != NULL && switch_find_port(name) == NULL)
		return NULL;
	rows = json_array();
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (name == NULL || strcmp(switch_state.ports[i]->conf.name, name) == 0)
			json_array_append_new(rows, port_json(switch_state.ports[i]));
	return rows;
}

static json_t *network_json(const struct network_entry *net)
{
	json_t *row = json_object(), *cores = json_array(), *ports = json_array();
	struct fdb_stats macs;

	fdb_stats(net->fdb, &macs);
	for (unsigned i = 0; i < net->conf.workers; i++)
		json_array_append_new(cores, number(workers[(net->home + i) % n_workers]->core));
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (switch_state.ports[i]->network == net)
			json_array_append_new(ports, json_string(switch_state.ports[i]->conf.name));
	json_object_set_new(row, "name", json_string(net->conf.name));
	json_object_set_new(row, "tenant", json_string(net->conf.tenant));
	json_object_set_new(row, "vlan", net->conf.vlan ? number(net->conf.vlan) : json_null());
	json_object_set_new(row, "vni", net->conf.vni ? number(net->conf.vni) : json_null());
	json_object_set_new(row, "mtu", number(net->conf.mtu));
	json_object_set_new(row, "home", number(workers[net->home]->core));
	json_object_set_new(row, "workers", cores);
	json_object_set_new(row, "ports", ports);
	json_object_set_new(row, "macs", number(macs.entries));
	json_object_set_new(row, "mac_limit", number(net->conf.mac_limit));
	json_object_set_new(row, "macs_learned", number(macs.learned));
	json_object_set_new(row, "macs_moved", number(macs.moves));
	json_object_set_new(row, "macs_moves_held", number(macs.moves_held));
	json_object_set_new(row, "macs_aged", number(macs.aged));
	json_object_set_new(row, "macs_evicted", number(macs.evicted));
	json_object_set_new(row, "macs_refused", number(macs.refused));
	return row;
}

json_t *switch_networks(const char *name)
{
	json_t *rows;

	if (name != NULL && switch_find_network(name) == NULL)
		return NULL;
	rows = json_array();
	for (unsigned i = 0; i < switch_state.n_networks; i++)
		if (name == NULL || strcmp(switch_state.networks[i]->conf.name, name) == 0)
			json_array_append_new(rows, network_json(switch_state.networks[i]));
	return rows;
}

static json_t *fdb_row(
	const struct network_entry *net, const uint8_t mac[6], const char *port, const char *type)
{
	json_t *row = json_object();

	json_object_set_new(row, "network", json_string(net->conf.name));
	json_object_set_new(row, "mac", mac_text(mac));
	json_object_set_new(row, "port", json_string(port));
	json_object_set_new(row, "type", json_string(type));
	return row;
}

static void append_statics(json_t *rows, const struct network_entry *net, const char *port)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct config_port *conf = &switch_state.ports[i]->conf;
		const uint8_t *mac;

		if (switch_state.ports[i]->network != net ||
			(port != NULL && strcmp(port, conf->name) != 0))
			continue;
		for (unsigned k = 0; (mac = config_port_mac(conf, k)) != NULL; k++) {
			json_t *row = fdb_row(net, mac, conf->name, "static");

			json_object_set_new(row, "age_s", json_null());
			json_object_set_new(row, "moves", number(0));
			json_array_append_new(rows, row);
		}
	}
}

/* A chunk at a time: workers free what they delete only while this thread is not in the table. */
static unsigned dump_learned(
	const struct network_entry *net, struct fdb_entry entries[FDB_DUMP_CHUNK], uint32_t *next)
{
	unsigned n;

	rte_rcu_qsbr_thread_online(worker_rcu, MAX_WORKERS);
	n = fdb_dump(net->fdb, entries, FDB_DUMP_CHUNK, next, switch_now());
	rte_rcu_qsbr_thread_offline(worker_rcu, MAX_WORKERS);
	return n;
}

static void append_learned(json_t *rows, const struct network_entry *net, const char *port)
{
	struct fdb_entry entries[FDB_DUMP_CHUNK];
	uint32_t next = 0;
	unsigned n;

	while ((n = dump_learned(net, entries, &next)) > 0)
		for (unsigned i = 0; i < n; i++) {
			const char *name = switch_port_name(entries[i].port);
			uint64_t key = fdb_key(&entries[i].mac);
			json_t *row;

			/* Learned before it was configured: of no more use, and about to age. */
			if ((port != NULL && strcmp(port, name) != 0) ||
				static_macs_lookup(net->statics, key) != NO_PORT)
				continue;
			row = fdb_row(net, entries[i].mac.addr_bytes, name, "learned");
			json_object_set_new(row, "age_s", number(entries[i].age));
			json_object_set_new(row, "moves", number(entries[i].moves));
			json_array_append_new(rows, row);
		}
}

json_t *switch_fdb(const char *network, const char *port)
{
	json_t *rows;

	if ((network != NULL && switch_find_network(network) == NULL) ||
		(port != NULL && switch_find_port(port) == NULL))
		return NULL;
	rows = json_array();
	for (unsigned i = 0; i < switch_state.n_networks; i++) {
		const struct network_entry *net = switch_state.networks[i];

		if (network != NULL && strcmp(net->conf.name, network) != 0)
			continue;
		append_statics(rows, net, port);
		append_learned(rows, net, port);
	}
	return rows;
}

json_t *switch_fdb_moves(const char *network)
{
	struct fdb_move moves[FDB_MOVES_KEPT];
	json_t *rows;

	if (network != NULL && switch_find_network(network) == NULL)
		return NULL;
	rows = json_array();
	for (unsigned i = 0; i < switch_state.n_networks; i++) {
		const struct network_entry *net = switch_state.networks[i];
		unsigned n;

		if (network != NULL && strcmp(net->conf.name, network) != 0)
			continue;
		n = fdb_moves(net->fdb, moves, FDB_MOVES_KEPT);
		for (unsigned j = 0; j < n; j++) {
			json_t *row = json_object();

			json_object_set_new(row, "network", json_string(net->conf.name));
			json_object_set_new(row, "mac", mac_text(moves[j].mac.addr_bytes));
			json_object_set_new(
				row, "from", json_string(switch_port_name(moves[j].from)));
			json_object_set_new(row, "to", json_string(switch_port_name(moves[j].to)));
			json_object_set_new(
				row, "age_s", number(seconds(moves[j].when, switch_now())));
			json_array_append_new(rows, row);
		}
	}
	return rows;
}

static json_t *worker_queues(unsigned w)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct port_entry *port = switch_state.ports[i];

		for (unsigned q = 0; q < switch_queues(port); q++) {
			bool ready = port->dev != NULL &&
				     (atomic_load(&port->dev->rx_ready) & (1u << q));

			if (switch_poller(port, q) == w)
				json_array_append_new(
					rows, json_pack("{s:s, s:i, s:b}", "port", port->conf.name,
						      "queue", (int)q, "ready", ready));
		}
	}
	return rows;
}

static json_t *worker_homes(unsigned w)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < switch_state.n_networks; i++)
		if (switch_state.networks[i]->home == w)
			json_array_append_new(
				names, json_string(switch_state.networks[i]->conf.name));
	return names;
}

json_t *switch_workers(void)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < n_workers; i++) {
		const struct worker *w = workers[i];
		json_t *row = json_object();

		json_object_set_new(row, "core", number(w->core));
		json_object_set_new(row, "sleeping", json_boolean(atomic_load(&w->sleeping)));
		json_object_set_new(row, "networks", worker_homes(i));
		json_object_set_new(row, "queues", worker_queues(i));
		json_array_append_new(rows, row);
	}
	return rows;
}

static double ratio(uint64_t a, uint64_t b)
{
	return b > 0 ? (double)a / b : 0;
}

/* now - base, word by word; both are structs of counters. */
static void since(
	struct worker_stats *out, const struct worker_stats *now, const struct worker_stats *base)
{
	const uint64_t *a = (const uint64_t *)now, *b = (const uint64_t *)base;
	uint64_t *to = (uint64_t *)out;

	for (unsigned i = 0; i < sizeof(*out) / sizeof(*to); i++)
		to[i] = counter_read(&a[i]) - b[i];
}

static json_t *stages_json(const struct worker_stats *stats)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < STAGES; i++) {
		const struct stage_stats *s = &stats->stages[i];

		json_array_append_new(rows,
			json_pack("{s:s, s:I, s:I, s:f, s:f}", "stage", stage_names[i], "packets",
				(json_int_t)s->packets, "bursts", (json_int_t)s->bursts,
				"cycles_per_packet", ratio(s->cycles, s->timed_packets),
				"packets_per_burst", ratio(s->packets, s->bursts)));
	}
	return rows;
}

json_t *switch_worker_stats(bool reset)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < n_workers; i++) {
		struct stats_base *base = &switch_state.bases[i];
		uint64_t start = base->when != 0 ? base->when : switch_state.started_at;
		const struct stage_stats *rx;
		struct worker_stats stats;
		json_t *row = json_object();

		since(&stats, &workers[i]->stats, &base->stats);
		rx = &stats.stages[STAGE_RX];
		json_object_set_new(row, "core", number(workers[i]->core));
		json_object_set_new(row, "packets", number(rx->packets));
		json_object_set_new(
			row, "cycles_per_packet", json_real(ratio(stats.busy_cycles, rx->packets)));
		json_object_set_new(
			row, "packets_per_burst", json_real(ratio(rx->packets, rx->bursts)));
		json_object_set_new(row, "busy_percent",
			json_real(100 * ratio(stats.busy_cycles, rte_rdtsc() - start)));
		json_object_set_new(row, "passes", number(stats.passes));
		json_object_set_new(row, "sleeps", number(stats.sleeps));
		json_object_set_new(row, "learn_messages_lost", number(stats.fdb_messages_lost));
		json_object_set_new(row, "stages", stages_json(&stats));
		json_array_append_new(rows, row);
		if (reset) {
			static const struct worker_stats none;

			since(&base->stats, &workers[i]->stats, &none);
			base->when = rte_rdtsc();
		}
	}
	return rows;
}

static json_t *drops_object(const struct port_counters *count)
{
	json_t *drops = json_object();

	for (unsigned i = 0; i < DROP_REASONS; i++)
		if (count->drops[i] > 0)
			json_object_set_new(drops, drop_name(i), number(count->drops[i]));
	return drops;
}

static json_t *stats_json(const struct port_counters *count)
{
	json_t *row = json_object();

	json_object_set_new(row, "received", number(count->received));
	json_object_set_new(row, "bytes_received", number(count->received_bytes));
	json_object_set_new(row, "delivered", number(count->delivered));
	json_object_set_new(row, "consumed", number(count->consumed));
	json_object_set_new(row, "dropped", number(port_counters_dropped(count, false)));
	json_object_set_new(row, "offered", number(count->offered));
	json_object_set_new(row, "sent", number(count->sent));
	json_object_set_new(row, "bytes_sent", number(count->sent_bytes));
	json_object_set_new(row, "dropped_out", number(port_counters_dropped(count, true)));
	json_object_set_new(row, "drops", drops_object(count));
	return row;
}

json_t *switch_stats(const char *name)
{
	json_t *rows;

	if (name != NULL && switch_find_port(name) == NULL)
		return NULL;
	rows = json_array();
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct port_entry *port = switch_state.ports[i];
		struct port_counters count;
		json_t *row;

		if (name != NULL && strcmp(port->conf.name, name) != 0)
			continue;
		switch_count(port, &count);
		row = stats_json(&count);
		json_object_set_new(row, "port", json_string(port->conf.name));
		json_object_set_new(row, "network", json_string(port->conf.network));
		json_array_append_new(rows, row);
	}
	return rows;
}

json_t *switch_ledger(void)
{
	struct port_counters all = {0};
	uint64_t dropped_in, dropped_out, late;
	json_t *ledger;

	for (unsigned i = 0; i < n_workers; i++)
		for (unsigned id = 0; id < MAX_PORTS; id++)
			port_counters_add(&all, &workers[i]->counters[id]);
	late = switch_state.late;
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		late += switch_late_drops(switch_state.ports[i]);
	all.sent -= late;
	all.drops[DROP_tx_full] += late;
	dropped_in = port_counters_dropped(&all, false);
	dropped_out = port_counters_dropped(&all, true);
	ledger = stats_json(&all);
	json_object_set_new(ledger, "copies", number(all.copies));
	json_object_set_new(ledger, "made", number(all.made));
	json_object_set_new(ledger, "adds_up",
		json_boolean(all.received == all.delivered + all.consumed + dropped_in &&
			     all.offered == all.sent + dropped_out &&
			     all.offered == all.delivered + all.copies + all.made));
	return ledger;
}

json_t *switch_drops(const char *name)
{
	json_t *rows;

	if (name != NULL && switch_find_port(name) == NULL)
		return NULL;
	rows = json_array();
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct port_entry *port = switch_state.ports[i];
		struct port_counters count;

		if (name != NULL && strcmp(port->conf.name, name) != 0)
			continue;
		switch_count(port, &count);
		for (unsigned reason = 0; reason < DROP_REASONS; reason++) {
			if (count.drops[reason] == 0)
				continue;
			json_array_append_new(rows,
				json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "port",
					port->conf.name, "network", port->conf.network, "tenant",
					port->network->conf.tenant, "reason", drop_name(reason),
					"stage", drop_is_output(reason) ? "out" : "in", "text",
					drop_text(reason), "packets",
					(json_int_t)count.drops[reason]));
		}
	}
	return rows;
}
