#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_random.h>

#include "inspect_events.h"
#include "log.h"
#include "packet.h"
#include "switch.h"
#include "switch_edge.h"
#include "switch_firewall.h"
#include "switch_policy.h"
#include "switch_ports.h"
#include "switch_report.h"

struct switch_state switch_state;

int switch_start(const struct config_vswitch *conf, char *err, size_t err_len)
{
	switch_state.conf = *conf;
	switch_state.started_at = rte_rdtsc();
	if (workers_create(conf, err, err_len) != 0)
		return -1;
	if (switch_ports_init(conf, err, err_len) != 0) {
		workers_destroy();
		return -1;
	}
	switch_state.started = true;
	switch_edge_start();
	/* Guests must not be able to aim at one worker or queue; a replay must be repeatable. */
	if (!switch_state.single_step)
		packet_hash_secret(rte_rand());
	for (unsigned i = 0; !switch_state.single_step && i < n_workers; i++) {
		if (worker_start(workers[i], err, err_len) == 0)
			continue;
		switch_stop();
		return -1;
	}
	return 0;
}

static void network_entry_free(struct network_entry *net)
{
	if (net == NULL)
		return;
	static_macs_unref(net->statics);
	fdb_free(net->fdb);
	free(net);
}

void switch_stop(void)
{
	if (!switch_state.started)
		return;
	switch_edge_stop();
	switch_build_free(snapshot_publish(NULL));
	/* No packet passes any more: who was cut off last is cut off after a restart, too. */
	if (!switch_state.single_step)
		inspect_events_drain();
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (switch_state.ports[i]->dev != NULL)
			switch_state.ports[i]->driver->close(switch_state.ports[i]->dev);
	/* While the RCU that they were made with is still there. */
	for (unsigned i = 0; i < switch_state.n_networks; i++)
		network_entry_free(switch_state.networks[i]);
	workers_destroy();
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		port_entry_free(switch_state.ports[i]);
	switch_ports_exit();
	policy_free(switch_state.policy);
	config_free(switch_state.config);
	memset(&switch_state, 0, sizeof(switch_state));
}

struct port_entry *switch_find_port(const char *name)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (strcmp(switch_state.ports[i]->conf.name, name) == 0)
			return switch_state.ports[i];
	return NULL;
}

struct network_entry *switch_find_network(const char *name)
{
	for (unsigned i = 0; i < switch_state.n_networks; i++)
		if (strcmp(switch_state.networks[i]->conf.name, name) == 0)
			return switch_state.networks[i];
	return NULL;
}

struct network_entry *switch_network_at(uint16_t index)
{
	for (unsigned i = 0; i < switch_state.n_networks; i++)
		if (switch_state.networks[i]->index == index)
			return switch_state.networks[i];
	return NULL;
}

const char *switch_port_name(uint16_t id)
{
	return switch_state.by_id[id] != NULL ? switch_state.by_id[id]->conf.name : "(removed)";
}

uint64_t switch_now(void)
{
	return switch_state.single_step ? workers[0]->now : rte_rdtsc();
}

uint64_t switch_late_drops(const struct port_entry *port)
{
	uint64_t late = port->late;

	if (port->dev != NULL)
		late += atomic_load_explicit(&port->dev->tx_late_drops, memory_order_relaxed);
	return late;
}

void switch_count(const struct port_entry *port, struct port_counters *sum)
{
	uint64_t late = switch_late_drops(port);

	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < n_workers; i++)
		port_counters_add(sum, &workers[i]->counters[port->id]);
	port_counters_subtract(sum, &port->base);
	/* What its driver took and could not deliver after all was not sent. */
	sum->sent -= late;
	sum->drops[DROP_tx_full] += late;
}

void switch_forget(const struct network_entry *net, uint16_t id)
{
	fdb_flush(net->fdb, id);
	worker_want_round(workers[net->home]);
}

uint64_t switch_revision(void)
{
	return switch_state.revision;
}

/* Why, by the driver's own word. */
static void log_lost(const struct port_entry *port)
{
	json_t *row = port->driver->describe(port->dev);
	const char *why = json_string_value(json_object_get(row, "error"));

	log_warning("port %s: lost, to be opened again: %s", port->conf.name,
		why != NULL ? why : "its device is gone");
	json_decref(row);
}

/* Closes what its driver has lost, an interface that was deleted for example, to be opened again.
 */
static void close_lost(void)
{
	struct {
		struct port_entry *port;
		struct port_dev *dev;
	} lost[MAX_PORTS];
	unsigned n = 0;

	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		struct port_entry *port = switch_state.ports[i];

		if (port->dev == NULL || !atomic_load(&port->dev->lost))
			continue;
		if (n == 0)
			switch_edge_closing();
		log_lost(port);
		lost[n].port = port;
		lost[n++].dev = port->dev;
		port->dev = NULL;
	}
	if (n == 0)
		return;
	switch_publish();
	/* Only now do workers put no more in. */
	for (unsigned i = 0; i < n; i++)
		lost[i].port->late += lost[i].dev->driver->close(lost[i].dev);
	switch_edge_closed();
}

static void retry_ports(void)
{
	bool opened = false;

	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (switch_state.ports[i]->dev == NULL && port_entry_open(switch_state.ports[i])) {
			switch_report_port(switch_state.ports[i]);
			opened = true;
		}
	if (!opened)
		return;
	switch_edge_update();
	switch_publish();
}

static void check_ports(void)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct port_entry *port = switch_state.ports[i];

		if (port->dev != NULL && port->driver->check != NULL)
			port->driver->check(port->dev);
	}
}

void switch_tick(void)
{
	check_ports();
	close_lost();
	retry_ports();
	switch_ports_tick();
	switch_firewall_tick();
	switch_edge_tick();
	for (unsigned i = 0; i < switch_state.n_networks; i++)
		switch_report_moves(switch_state.networks[i]);
}

bool switch_workers_alive(void)
{
	bool alive = true;

	for (unsigned i = 0; i < n_workers; i++) {
		uint64_t beat = atomic_load_explicit(&workers[i]->heartbeat, memory_order_relaxed);

		if (beat == switch_state.beats[i])
			alive = false;
		switch_state.beats[i] = beat;
	}
	return alive;
}

int switch_fdb_flush(const char *network, const char *port, char *err, size_t err_len)
{
	struct network_entry *net = NULL;
	struct port_entry *entry = NULL;

	if (network != NULL && (net = switch_find_network(network)) == NULL) {
		snprintf(err, err_len, "network %s does not exist: see `network list`", network);
		return -1;
	}
	if (port != NULL && (entry = switch_find_port(port)) == NULL) {
		snprintf(err, err_len, "port %s does not exist: see `port list`", port);
		return -1;
	}
	if (net != NULL && entry != NULL && entry->network != net) {
		snprintf(err, err_len, "port %s is in network %s, not in %s", port,
			entry->network->conf.name, network);
		return -1;
	}
	for (unsigned i = 0; i < switch_state.n_networks; i++) {
		struct network_entry *each = switch_state.networks[i];

		if ((net == NULL || each == net) && (entry == NULL || entry->network == each))
			switch_forget(each, entry != NULL ? entry->id : NO_PORT);
	}
	/* Under a new snapshot, workers learn anew what they took for known. */
	switch_publish();
	return 0;
}

static int worker_of_core(unsigned core, char *err, size_t err_len)
{
	char cores[128] = "";
	size_t len = 0;

	for (unsigned i = 0; i < n_workers; i++) {
		if (workers[i]->core == core)
			return i;
		len += snprintf(cores + len, sizeof(cores) - len, "%s%u", i > 0 ? ", " : "",
			workers[i]->core);
	}
	snprintf(err, err_len, "core %u runs no worker: choose one of %s", core, cores);
	return -1;
}

int switch_move_queue(const char *port, unsigned queue, unsigned core, char *err, size_t err_len)
{
	struct port_entry *entry = switch_find_port(port);
	unsigned queues;
	int worker;

	if (entry == NULL) {
		snprintf(err, err_len, "port %s does not exist: see `port list`", port);
		return -1;
	}
	queues = switch_queues(entry);
	if (queue >= queues) {
		snprintf(err, err_len, "port %s has queues 0 to %u", port, queues - 1);
		return -1;
	}
	worker = worker_of_core(core, err, err_len);
	if (worker < 0)
		return -1;
	entry->polled_by[queue] = worker;
	switch_publish();
	return 0;
}

int switch_move_network(const char *network, unsigned core, char *err, size_t err_len)
{
	struct network_entry *net = switch_find_network(network);
	int worker;

	if (net == NULL) {
		snprintf(err, err_len, "network %s does not exist: see `network list`", network);
		return -1;
	}
	worker = worker_of_core(core, err, err_len);
	if (worker < 0)
		return -1;
	net->moved |= net->home != worker;
	net->home = worker;
	net->home_moved = true;
	switch_publish();
	return 0;
}
