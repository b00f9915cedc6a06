#include <stdlib.h>
#include <string.h>

#include <rte_debug.h>

#include "inspect_store.h"
#include "switch_inspect.h"
#include "switch_policy.h"
#include "switch_ports.h"

void *switch_alloc(size_t n, size_t size)
{
	void *memory = calloc(n > 0 ? n : 1, size);

	if (memory == NULL)
		rte_panic("out of memory\n");
	return memory;
}

static uint64_t conf_key(const struct config_port *conf)
{
	struct rte_ether_addr mac;

	if (!conf->has_mac)
		return 0;
	memcpy(&mac, conf->mac, sizeof(mac));
	return fdb_key(&mac);
}

static uint8_t port_is(const struct config_port *conf)
{
	return (conf->promiscuous ? 0 : PORT_CLOSED) |
	       (conf->kind == CONFIG_PORT_VXLAN ? PORT_TUNNEL : 0);
}

static uint8_t port_shuns(const struct config_port *conf)
{
	return (conf->isolated ? PORT_CLOSED : 0) |
	       (conf->kind == CONFIG_PORT_VXLAN ? PORT_TUNNEL : 0);
}

static void build_exemptions(struct port *port, const struct port_entry *entry)
{
	const struct config_inspection *conf = switch_inspect_config(
		switch_state.config, entry->network->conf.tenant);

	port->inspect_exempt = conf != NULL && switch_inspect_exempt(conf, entry->conf.name);
	/* Whoever is behind an uplink can send SYNs in others' names, so they prove nothing; the
	 * host that it runs on knows whose they are. */
	port->fanout_exempt = port->remote || (conf != NULL && switch_inspect_fanout_exempt(
								       conf, entry->conf.name));
}

static void build_port(struct port *port, const struct port_entry *entry, const struct guard *guard)
{
	*port = (struct port){
		.dev = entry->dev,
		.storm = entry->storm,
		.policy = entry->policy,
		.epoch = {entry->policy->epoch[POLICY_OUT], entry->policy->epoch[POLICY_IN]},
		.bare = entry->bare,
		.guard = guard,
		.since = entry->since,
		.tracked = switch_policy_tracked(entry),
		.mac = conf_key(&entry->conf),
		.serial = entry->serial,
		.id = entry->id,
		.network = entry->network->index,
		.mac_limit = entry->conf.mac_limit,
		.tx_retries = entry->conf.tx_retries,
		.is = port_is(&entry->conf),
		.shuns = port_shuns(&entry->conf),
		.takes_unknown = config_port_takes_unknown(&entry->conf),
		.remote = config_port_is_remote(&entry->conf),
		.inspect = switch_inspect_profile(entry),
		.inspect_epoch = entry->inspection.epoch,
	};
	if (port->inspect != NULL)
		build_exemptions(port, entry);
}

/* Some worker still has it in the snapshot in force, and another one is to have it. */
static bool changes_hands(uint8_t now, uint8_t next)
{
	return now != NO_WORKER && now != next;
}

static void build_network(struct network *net, const struct network_entry *entry)
{
	*net = (struct network){
		.fdb = entry->fdb,
		.statics = static_macs_ref(entry->statics),
		.id = entry->index,
		.home = entry->home,
		.moved = entry->moved,
		.n_workers = entry->conf.workers,
		.learning = entry->conf.learning && !changes_hands(entry->writer, entry->home),
		.wire = entry->conf.wire,
		.flood_unknown = entry->conf.unknown_unicast == CONFIG_UNKNOWN_FLOOD,
	};
	for (unsigned i = 0; i < net->n_workers; i++)
		net->workers[i] = (entry->home + i) % n_workers;
}

static void build_ports(struct snapshot *snapshot)
{
	unsigned n = 0;

	snapshot->port_store = aligned_alloc(
		_Alignof(struct port), (switch_state.n_ports + 1) * sizeof(struct port));
	if (snapshot->port_store == NULL)
		rte_panic("out of memory\n");
	snapshot->guard_store = switch_alloc(switch_state.n_ports, sizeof(struct guard *));
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct port_entry *entry = switch_state.ports[i];

		if (entry->dev == NULL)
			continue;
		snapshot->guard_store[n] = guard_create(&entry->conf, &entry->network->conf);
		if (snapshot->guard_store[n] == NULL)
			rte_panic("out of memory\n");
		build_port(&snapshot->port_store[n], entry, snapshot->guard_store[n]);
		snapshot->ports[entry->id] = &snapshot->port_store[n++];
	}
	snapshot->n_ports = n;
}

/* Networks, and for each the list of its ports. */
static void build_networks(struct snapshot *snapshot)
{
	const struct port **members;

	snapshot->n_networks = switch_state.n_networks;
	snapshot->network_store = switch_alloc(switch_state.n_networks, sizeof(struct network));
	members = switch_alloc(switch_state.n_ports, sizeof(*members));
	snapshot->member_store = members;
	for (unsigned i = 0; i < switch_state.n_networks; i++) {
		struct network *net = &snapshot->network_store[i];

		build_network(net, switch_state.networks[i]);
		snapshot->networks[net->id] = net;
		net->ports = members;
		for (unsigned j = 0; j < switch_state.n_ports; j++) {
			const struct port_entry *port = switch_state.ports[j];

			if (port->dev == NULL || port->network != switch_state.networks[i])
				continue;
			*members++ = snapshot->ports[port->id];
			net->tracked |= !snapshot->ports[port->id]->bare;
			net->n_ports++;
		}
	}
}

unsigned switch_queues(const struct port_entry *port)
{
	switch (port->conf.kind) {
	case CONFIG_PORT_VHOST_USER:
		return port->conf.vhost_user.queues;
	case CONFIG_PORT_UPLINK:
	case CONFIG_PORT_VXLAN:
		return port->conf.uplink.queues;
	case CONFIG_PORT_KERNEL:
		break;
	}
	return 1;
}

unsigned switch_poller(const struct port_entry *port, unsigned queue)
{
	const struct network_entry *net = port->network;

	if (port->polled_by[queue] != POLLED_BY_DEFAULT)
		return port->polled_by[queue];
	return (net->home + (port->id + queue) % net->conf.workers) % n_workers;
}

/* Appends those queues of port that worker w polls from now on; returns the new end. */
static struct rx_queue *append_queues(struct rx_queue *end, const struct snapshot *snapshot,
	const struct port_entry *port, unsigned w)
{
	if (port->dev == NULL)
		return end;
	for (unsigned q = 0; q < switch_queues(port); q++)
		if (switch_poller(port, q) == w && !changes_hands(port->polling[q], w))
			*end++ = (struct rx_queue){snapshot->ports[port->id], q};
	return end;
}

static void build_plans(struct snapshot *snapshot)
{
	struct rx_queue *queues;
	const struct network **homes;

	queues = switch_alloc((size_t)switch_state.n_ports * PORT_QUEUES_MAX, sizeof(*queues));
	homes = switch_alloc(switch_state.n_networks, sizeof(*homes));
	snapshot->queue_store = queues;
	snapshot->home_store = homes;
	for (unsigned w = 0; w < n_workers; w++) {
		struct worker_plan *plan = &snapshot->plans[w];

		plan->queues = queues;
		for (unsigned i = 0; i < switch_state.n_ports; i++)
			queues = append_queues(queues, snapshot, switch_state.ports[i], w);
		plan->n_queues = queues - plan->queues;
		plan->homes = homes;
		for (unsigned i = 0; i < switch_state.n_networks; i++)
			if (switch_state.networks[i]->home == w &&
				!changes_hands(switch_state.networks[i]->writer, w))
				*homes++ = &snapshot->network_store[i];
		plan->n_homes = homes - plan->homes;
	}
}

static struct snapshot *build(void)
{
	struct snapshot *snapshot = switch_alloc(1, sizeof(*snapshot));

	snapshot->serial = ++switch_state.next_serial;
	snapshot->firewall = switch_policy_settings();
	build_ports(snapshot);
	build_networks(snapshot);
	build_plans(snapshot);
	return snapshot;
}

/* Notes who has what in the snapshot in force. True where something is with nobody yet. */
static bool note_holders(void)
{
	bool more = false;

	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		struct port_entry *port = switch_state.ports[i];

		for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
			bool polled = port->dev != NULL && q < switch_queues(port);
			uint8_t next = polled ? switch_poller(port, q) : NO_WORKER;
			bool leaves = polled && changes_hands(port->polling[q], next);

			port->polling[q] = leaves ? NO_WORKER : next;
			more |= leaves;
		}
	}
	for (unsigned i = 0; i < switch_state.n_networks; i++) {
		struct network_entry *net = switch_state.networks[i];
		bool leaves = changes_hands(net->writer, net->home);

		net->writer = leaves ? NO_WORKER : net->home;
		more |= leaves;
	}
	return more;
}

/*
 * While workers change over, a port's driver wakes both who polled it and who is to; who has not
 * met the new snapshot yet is woken by its publication.
 */
static void publish(void)
{
	struct snapshot *snapshot = build();
	uint32_t pollers[MAX_PORTS] = {0};

	for (unsigned w = 0; w < n_workers; w++)
		for (unsigned i = 0; i < snapshot->plans[w].n_queues; i++)
			pollers[snapshot->plans[w].queues[i].port->id] |= 1u << w;
	for (unsigned id = 0; id < MAX_PORTS; id++)
		switch_ports_set_pollers(id, switch_ports_pollers(id) | pollers[id]);
	switch_build_free(snapshot_publish(snapshot));
	for (unsigned id = 0; id < MAX_PORTS; id++)
		switch_ports_set_pollers(id, pollers[id]);
}

void switch_publish(void)
{
	switch_policy_spread();
	/* Twice at the most: what nobody has changes hands no more. */
	do
		publish();
	while (note_holders());
	inspect_store_published();
}

void switch_build_free(const struct snapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	for (unsigned i = 0; i < snapshot->n_networks; i++)
		static_macs_unref((struct static_macs *)snapshot->network_store[i].statics);
	for (unsigned i = 0; i < snapshot->n_ports; i++)
		guard_free(snapshot->guard_store[i]);
	free(snapshot->guard_store);
	free(snapshot->port_store);
	free(snapshot->network_store);
	free(snapshot->member_store);
	free(snapshot->queue_store);
	free(snapshot->home_store);
	free((void *)snapshot);
}
