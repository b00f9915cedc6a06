/*
 * From one configuration to the next: first everything that can fail is prepared beside the running
 * state, then the change is carried out, which cannot fail any more.
 */
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "inspect_events.h"
#include "notify.h"
#include "quarantine.h"
#include "switch.h"
#include "switch_edge.h"
#include "switch_inspect.h"
#include "switch_policy.h"
#include "switch_ports.h"

/* The state to come, and what has to go when it is there. */
struct change {
	const struct config *config;
	bool restore; /* it was taken before: see switch_restore() */
	struct network_entry *networks[MAX_NETWORKS];
	unsigned n_networks;
	bool index_used[MAX_NETWORKS]; /* by an old network or a new one */
	unsigned members[MAX_NETWORKS]; /* ports, by the configuration's order */
	unsigned load[MAX_WORKERS]; /* of the networks that have a home so far */
	struct port_entry *ports[MAX_PORTS]; /* by the configuration's order */
	bool fresh[MAX_PORTS]; /* made for this change */
	unsigned n_ports;
	struct {
		struct port_entry *port;
		const struct port_driver *driver;
		struct port_dev *dev;
	} closing[2 * MAX_PORTS];
	unsigned n_closing;
	struct policy *policy;
	struct storm *old_storms[MAX_PORTS];
	unsigned n_old_storms;
	struct {
		const struct fdb *fdb;
		uint16_t port;
	} forgotten[MAX_PORTS * 2]; /* addresses to flush from a table */
	unsigned n_forgotten;
};

static uint16_t free_network_index(const struct change *change)
{
	uint16_t index = 0;

	while (index < MAX_NETWORKS && change->index_used[index])
		index++;
	return index;
}

/* Of the i-th network of the configuration, as a share of a worker. */
static unsigned weight(const struct change *change, unsigned i)
{
	return 1 + 2 * change->members[i];
}

/* The worker with the fewest ports so far, as the configuration spreads them. */
static uint16_t idlest_worker(const struct change *change)
{
	uint16_t best = 0;

	for (uint16_t w = 1; w < n_workers; w++)
		if (change->load[w] < change->load[best])
			best = w;
	return best;
}

/* Index of the worker on core, or n_workers. */
static unsigned worker_on(int core)
{
	unsigned w = 0;

	while (w < n_workers && workers[w]->core != core)
		w++;
	return w;
}

static uint16_t choose_home(const struct change *change, const struct config_network *conf,
	const struct network_entry *old)
{
	bool asked_anew = old == NULL || old->conf.home != conf->home;

	if (conf->home >= 0 && (asked_anew || !old->home_moved))
		return worker_on(conf->home);
	return old != NULL ? old->home : idlest_worker(change);
}

/* What only the running switch can tell: `vswitch:` may have changed in the file since it started.
 */
static bool check_network(
	const struct config_network *conf, unsigned i, struct config_report *report)
{
	char field[64];

	if (conf->home >= 0 && worker_on(conf->home) == n_workers) {
		snprintf(field, sizeof(field), "networks[%u].home", i);
		config_report_add(report, false, "vswitchd", 0, 0, field,
			"no worker runs on core %d: name a core of `worker list`, or restart "
			"vswitchd, as a change of vswitch.workers needs it",
			conf->home);
		return false;
	}
	if (conf->workers > n_workers) {
		snprintf(field, sizeof(field), "networks[%u].workers", i);
		config_report_add(report, false, "vswitchd", 0, 0, field,
			"%u workers run: ask for no more, or restart vswitchd, as a change of "
			"vswitch.workers needs it",
			n_workers);
		return false;
	}
	return true;
}

static bool prepare_network(struct change *change, unsigned i, struct config_report *report)
{
	const struct config_network *conf = &change->config->networks[i];
	struct network_entry *old = switch_find_network(conf->name);
	struct network_entry *net;
	char field[64];

	if (!check_network(conf, i, report))
		return false;
	if (old == NULL && free_network_index(change) == MAX_NETWORKS) {
		config_report_add(report, false, "vswitchd", 0, 0, "networks",
			"old and new networks together are more than %u: remove the old ones in a "
			"step of its own",
			MAX_NETWORKS);
		return false;
	}
	net = switch_alloc(1, sizeof(*net));
	net->conf = *conf;
	net->index = old != NULL ? old->index : free_network_index(change);
	change->index_used[net->index] = true;
	net->home = choose_home(change, conf, old);
	if (old == NULL)
		change->load[net->home] += weight(change, i);
	if (old != NULL) {
		net->moved = old->moved || net->home != old->home ||
			     conf->workers != old->conf.workers;
		net->home_moved = old->home_moved && net->home == old->home;
		net->moves_reported = old->moves_reported;
	}
	change->networks[change->n_networks++] = net;
	if (old != NULL && old->conf.mac_limit == conf->mac_limit) {
		net->fdb = old->fdb;
		net->writer = old->writer;
		return true;
	}
	net->writer = NO_WORKER;
	net->moves_reported = 0;
	net->fdb = fdb_create(conf->mac_limit, conf->mac_age, worker_rcu);
	if (net->fdb != NULL)
		return true;
	snprintf(field, sizeof(field), "networks[%u].mac-limit", i);
	config_report_add(report, false, "vswitchd", 0, 0, field,
		"no memory for the MAC table of network %s: lower its mac-limit or give the switch "
		"more memory",
		conf->name);
	return false;
}

static bool prepare_port(struct change *change, unsigned i)
{
	const struct config_port *conf = &change->config->ports[i];
	struct port_entry *port = switch_find_port(conf->name);

	if (port == NULL) {
		port = port_entry_create(conf, change->networks[conf->network_index]);
		if (port == NULL)
			return false;
		change->fresh[i] = true;
	}
	change->ports[change->n_ports++] = port;
	return true;
}

/* The configured MACs of a network and their ports' ids, into what is not NULL; how many. */
static unsigned list_macs(
	const struct change *change, unsigned index, uint64_t *keys, uint16_t *ids)
{
	unsigned n = 0;

	for (unsigned i = 0; i < change->n_ports; i++) {
		const struct config_port *conf = &change->config->ports[i];
		const uint8_t *mac;

		if (conf->network_index != index)
			continue;
		for (unsigned k = 0; (mac = config_port_mac(conf, k)) != NULL; k++, n++) {
			if (keys == NULL)
				continue;
			memcpy(&keys[n], mac, sizeof(conf->mac));
			ids[n] = change->ports[i]->id;
		}
	}
	return n;
}

static bool prepare_statics(struct change *change, unsigned index)
{
	struct network_entry *net = change->networks[index];
	const struct network_entry *old = switch_find_network(net->conf.name);
	unsigned n = list_macs(change, index, NULL, NULL);
	uint64_t *keys;
	uint16_t *ids;

	if (n == 0)
		return true;
	keys = switch_alloc(n, sizeof(*keys));
	ids = switch_alloc(n, sizeof(*ids));
	list_macs(change, index, keys, ids);
	net->statics = old != NULL && static_macs_equal(old->statics, keys, ids, n)
			       ? static_macs_ref(old->statics)
			       : static_macs_create(keys, ids, n);
	free(keys);
	free(ids);
	return net->statics != NULL;
}

/* Frees what was made for a change that does not take place. */
static void abandon(struct change *change)
{
	for (unsigned i = 0; i < change->n_ports; i++)
		if (change->fresh[i])
			port_entry_free(change->ports[i]);
	for (unsigned i = 0; i < change->n_networks; i++) {
		struct network_entry *net = change->networks[i];
		const struct network_entry *old = switch_find_network(net->conf.name);

		static_macs_unref(net->statics);
		if (old == NULL || net->fdb != old->fdb)
			fdb_free(net->fdb);
		free(net);
	}
}

static bool prepare(struct change *change, struct config_report *report)
{
	const struct config *config = change->config;

	for (unsigned i = 0; i < switch_state.n_networks; i++)
		change->index_used[switch_state.networks[i]->index] = true;
	for (unsigned i = 0; i < config->n_ports; i++)
		change->members[config->ports[i].network_index]++;
	for (unsigned i = 0; i < config->n_networks; i++) {
		const struct network_entry *old = switch_find_network(config->networks[i].name);

		if (old != NULL)
			change->load[old->home] += weight(change, i);
	}
	for (unsigned i = 0; i < config->n_networks; i++)
		if (!prepare_network(change, i, report))
			return false;
	for (unsigned i = 0; i < config->n_ports; i++) {
		if (prepare_port(change, i))
			continue;
		config_report_add(report, false, "vswitchd", 0, 0, "ports",
			"old and new ports together are more than %u: remove the old ones in a "
			"step "
			"of its own",
			MAX_PORTS);
		return false;
	}
	for (unsigned i = 0; i < config->n_networks; i++) {
		if (prepare_statics(change, i))
			continue;
		config_report_add(report, false, "vswitchd", 0, 0, "ports",
			"no memory for the configured MACs of network %s",
			config->networks[i].name);
		return false;
	}
	if (!switch_inspect_prepare(config, change->restore, report))
		return false;
	change->policy = policy_create(config, blocks_current(), switch_state.policy, report);
	return change->policy != NULL;
}

static void close_later(struct change *change, struct port_entry *port)
{
	if (port->dev == NULL)
		return;
	change->closing[change->n_closing].port = port;
	change->closing[change->n_closing].driver = port->driver;
	change->closing[change->n_closing++].dev = port->dev;
	port->dev = NULL;
}

/* What was learned at port in the network where it is now has to go. */
static void forget_later(struct change *change, const struct port_entry *port)
{
	change->forgotten[change->n_forgotten].fdb = port->network->fdb;
	change->forgotten[change->n_forgotten++].port = port->id;
}

/* Workers know the ports no more where they were: what they learn now is not what has to go. */
static void forget(const struct change *change)
{
	for (unsigned i = 0; i < change->n_forgotten; i++)
		for (unsigned j = 0; j < switch_state.n_networks; j++)
			if (switch_state.networks[j]->fdb == change->forgotten[i].fdb)
				switch_forget(switch_state.networks[j], change->forgotten[i].port);
}

/* Brings a port that stays to its new configuration. */
static void adapt_port(struct change *change, unsigned i)
{
	const struct config_port *conf = &change->config->ports[i];
	struct network_entry *network = change->networks[conf->network_index];
	struct port_entry *port = change->ports[i];

	if (!port_entry_update(port, conf))
		close_later(change, port);
	if (network->index != port->network->index) {
		/* What is on its way belongs to the old network. */
		port->serial = ++switch_state.next_serial;
		forget_later(change, port);
	} else if (conf->mac_limit < port->conf.mac_limit) {
		forget_later(change, port);
	}
	if (memcmp(&conf->storm, &port->conf.storm, sizeof(conf->storm)) != 0) {
		change->old_storms[change->n_old_storms++] = port->storm;
		port->storm = port_storm_create(&conf->storm);
	}
	port->conf = *conf;
	port->network = network;
	port->driver = port_entry_driver(conf);
}

static bool is_kept(const struct change *change, const struct port_entry *port)
{
	for (unsigned i = 0; i < change->n_ports; i++)
		if (change->ports[i] == port)
			return true;
	return false;
}

static void close_devs(const struct change *change)
{
	for (unsigned i = 0; i < change->n_closing; i++) {
		change->closing[i].port->late += change->closing[i].driver->close(
			change->closing[i].dev);
		notify_progress();
	}
}

/* Frees the entries of the state before; workers have left it. */
static void free_old(const struct change *change, struct port_entry *const *gone, unsigned n_gone,
	struct network_entry *const *networks, unsigned n_networks)
{
	/* What is told of a port makes a quarantine lasting only while it has its name. */
	if (n_gone > 0 && !switch_state.single_step)
		inspect_events_drain();
	for (unsigned i = 0; i < n_gone; i++) {
		quarantine_port_down(gone[i]->id);
		port_entry_free(gone[i]);
	}
	for (unsigned i = 0; i < change->n_old_storms; i++)
		free(change->old_storms[i]);
	for (unsigned i = 0; i < n_networks; i++) {
		const struct network_entry *now = switch_find_network(networks[i]->conf.name);

		static_macs_unref(networks[i]->statics);
		if (switch_network_at(networks[i]->index) == NULL)
			quarantine_network_down(networks[i]->index);
		if (now == NULL || now->fdb != networks[i]->fdb)
			fdb_free(networks[i]->fdb);
		free(networks[i]);
	}
}

/* Who is cut off stays so under whatever id; before a worker meets the port. */
static void note_quarantines(const struct change *change)
{
	for (unsigned i = 0; i < change->n_ports; i++)
		quarantine_port_up(change->ports[i]->id, change->ports[i]->conf.name,
			change->ports[i]->network->conf.tenant);
	for (unsigned i = 0; i < change->n_networks; i++)
		quarantine_network_up(change->networks[i]->index, change->networks[i]->conf.name,
			change->networks[i]->conf.tenant);
}

static void carry_out(struct change *change)
{
	static struct network_entry *old_networks[MAX_NETWORKS];
	static struct port_entry *gone[MAX_PORTS];
	unsigned n_old_networks = switch_state.n_networks, n_gone = 0;
	struct policy *old_policy;

	switch_edge_closing();
	memcpy(old_networks, switch_state.networks, sizeof(old_networks));
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (!is_kept(change, switch_state.ports[i])) {
			gone[n_gone++] = switch_state.ports[i];
			forget_later(change, switch_state.ports[i]);
			close_later(change, switch_state.ports[i]);
		}
	for (unsigned i = 0; i < change->n_ports; i++)
		if (!change->fresh[i])
			adapt_port(change, i);
	memcpy(switch_state.networks, change->networks, sizeof(switch_state.networks));
	memcpy(switch_state.ports, change->ports, sizeof(switch_state.ports));
	switch_state.n_networks = change->n_networks;
	switch_state.n_ports = change->n_ports;
	old_policy = switch_policy_install(change->policy, change->config);
	switch_inspect_install(change->config);
	config_free(switch_state.config);
	switch_state.config = config_share(change->config);
	note_quarantines(change);

	/* What closes must be out of the workers' sight first. */
	if (change->n_closing > 0)
		switch_publish();
	close_devs(change);
	for (unsigned i = 0; i < change->n_ports; i++)
		if (change->ports[i]->dev == NULL)
			port_entry_open(change->ports[i]);
	switch_edge_update();
	switch_edge_closed();
	for (unsigned i = 0; i < change->n_networks; i++)
		fdb_set_age(change->networks[i]->fdb, change->networks[i]->conf.mac_age);
	switch_publish();
	policy_free(old_policy);
	forget(change);
	free_old(change, gone, n_gone, old_networks, n_old_networks);
}

static int reconfigure(const struct config *config, bool restore, struct config_report *report)
{
	struct change *change = switch_alloc(1, sizeof(*change));
	bool prepared;

	change->config = config;
	change->restore = restore;
	prepared = prepare(change, report);
	if (prepared) {
		carry_out(change);
		switch_state.revision++;
		if (switch_state.revision > 1)
			switch_state.revision_since = switch_now();
	} else {
		abandon(change);
	}
	free(change);
	return prepared ? 0 : -1;
}

int switch_reconfigure(const struct config *config, struct config_report *report)
{
	return reconfigure(config, false, report);
}

int switch_restore(const struct config *config, struct config_report *report)
{
	return reconfigure(config, true, report);
}
