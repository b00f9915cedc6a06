#include "switch_edge.h"

#include <string.h>

#include "inspect.h"
#include "log.h"
#include "port_edge.h"
#include "quarantine_remote.h"
#include "switch_inspect.h"
#include "switch_state.h"

#define FDB_CHUNK 256

/* Put together for one port at a time. */
static struct {
	uint8_t macs[SWITCH_EDGE_MACS][6];
	unsigned n_macs;
	struct port_edge_source sources[QUARANTINE_REMOTE_MAX];
	unsigned n_sources;
	uint16_t network; /* that sources are of */
} gathered;

/* What filters had dropped of each address before some of them were closed. */
static struct {
	unsigned n;
	struct {
		uint16_t network;
		struct addr addr;
		uint64_t drops;
	} of[QUARANTINE_REMOTE_MAX];
} counted;

static void add_mac(const uint8_t mac[6])
{
	if (gathered.n_macs < SWITCH_EDGE_MACS)
		memcpy(gathered.macs[gathered.n_macs++], mac, 6);
}

static void add_configured(const struct config_port *conf)
{
	if (conf->has_mac)
		add_mac(conf->mac);
	for (unsigned i = 0; i < conf->n_pairs; i++)
		if (conf->pairs[i].has_mac)
			add_mac(conf->pairs[i].mac);
}

/* A chunk at a time: workers free what they delete only while this thread is not in the table. */
static void add_learned(const struct network_entry *net)
{
	struct fdb_entry entries[FDB_CHUNK];
	uint32_t next = 0;
	unsigned n;

	do {
		rte_rcu_qsbr_thread_online(worker_rcu, MAX_WORKERS);
		n = fdb_dump(net->fdb, entries, FDB_CHUNK, &next, switch_now());
		rte_rcu_qsbr_thread_offline(worker_rcu, MAX_WORKERS);
		for (unsigned i = 0; i < n; i++) {
			const struct port_entry *port = switch_state.by_id[entries[i].port];

			if (port != NULL && !config_port_is_remote(&port->conf))
				add_mac(entries[i].mac.addr_bytes);
		}
	} while (n > 0 && gathered.n_macs < SWITCH_EDGE_MACS);
}

/* Its frames have no tag, so that they are told from the host's by their MACs. */
static bool is_untagged(const struct port_entry *port)
{
	return port->conf.kind == CONFIG_PORT_UPLINK && port->conf.uplink.vlan == 0;
}

static void gather_macs(const struct network_entry *net)
{
	gathered.n_macs = 0;
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct port_entry *port = switch_state.ports[i];

		if (port->network == net && !config_port_is_remote(&port->conf))
			add_configured(&port->conf);
	}
	add_learned(net);
}

static void add_source(void *arg, const struct quarantine_remote *remote)
{
	(void)arg;
	if (remote->network == gathered.network && remote->level > CONFIG_QUARANTINE_FLOW &&
		gathered.n_sources < QUARANTINE_REMOTE_MAX)
		gathered.sources[gathered.n_sources++] = (struct port_edge_source){
			remote->addr, remote->level};
}

static void gather_sources(uint16_t network)
{
	gathered.network = network;
	gathered.n_sources = 0;
	if (quarantine_remote_any(network))
		quarantine_remote_each(add_source, NULL);
}

static bool has_filter(const struct port_entry *port)
{
	return port->dev != NULL && port->driver->edge != NULL;
}

static void tell(const struct port_entry *port)
{
	const struct inspect_profile *profile = inspect_gate_profile(switch_inspect_profile(port));
	struct port_edge edge = {.macs = (const uint8_t(*)[6])gathered.macs,
		.sources = gathered.sources,
		.services = profile->services,
		.n_services = profile->n_services,
		.allow = profile->allow,
		.n_allow = profile->n_allow};

	if (is_untagged(port)) {
		gather_macs(port->network);
		edge.n_macs = gathered.n_macs;
	}
	gather_sources(port->network->index);
	edge.n_sources = gathered.n_sources;
	port->driver->edge(port->dev, &edge);
}

void switch_edge_update(void)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (has_filter(switch_state.ports[i]))
			tell(switch_state.ports[i]);
}

void switch_edge_tick(void)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct port_entry *port = switch_state.ports[i];

		if (has_filter(port) &&
			(is_untagged(port) || quarantine_remote_any(port->network->index)))
			tell(port);
	}
}

static uint64_t count_drops(void *arg, uint16_t network, struct addr addr);

/* A filter counts anew when it is made anew: what it had counted is not forgotten. */
static void keep_drops(uint16_t network, struct addr addr, uint64_t before)
{
	uint64_t now = count_drops(NULL, network, addr);

	if (now < before)
		quarantine_remote_add_drops(network, addr, before - now);
}

/* An address was cut off, or lifted: it is so in front of its network's ports before this returns.
 */
static void on_changed(void *arg, const struct quarantine_remote *remote)
{
	uint64_t drops = count_drops(NULL, remote->network, remote->addr);

	(void)arg;
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct port_entry *port = switch_state.ports[i];

		if (has_filter(port) && port->network->index == remote->network)
			tell(port);
	}
	keep_drops(remote->network, remote->addr, drops);
}

/* Ports of a network to several peers over one uplink have one filter, and tell the same of it. */
static bool has_told(const struct port_entry *port, unsigned before)
{
	for (unsigned i = 0; i < before; i++) {
		const struct port_entry *other = switch_state.ports[i];

		if (has_filter(other) && other->network == port->network &&
			other->conf.kind == CONFIG_PORT_VXLAN &&
			port->conf.kind == CONFIG_PORT_VXLAN &&
			strcmp(other->conf.uplink.uplink, port->conf.uplink.uplink) == 0)
			return true;
	}
	return false;
}

static uint64_t count_drops(void *arg, uint16_t network, struct addr addr)
{
	uint64_t drops = 0;

	(void)arg;
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct port_entry *port = switch_state.ports[i];

		if (has_filter(port) && port->driver->edge_drops != NULL &&
			port->network->index == network && !has_told(port, i))
			drops += port->driver->edge_drops(port->dev, addr);
	}
	return drops;
}

static void note_drops(void *arg, const struct quarantine_remote *remote)
{
	(void)arg;
	if (counted.n == QUARANTINE_REMOTE_MAX)
		return;
	counted.of[counted.n].network = remote->network;
	counted.of[counted.n].addr = remote->addr;
	counted.of[counted.n++].drops = count_drops(NULL, remote->network, remote->addr);
}

void switch_edge_closing(void)
{
	counted.n = 0;
	quarantine_remote_each(note_drops, NULL);
}

void switch_edge_closed(void)
{
	for (unsigned i = 0; i < counted.n; i++)
		keep_drops(counted.of[i].network, counted.of[i].addr, counted.of[i].drops);
	counted.n = 0;
}

static const struct quarantine_remote_watcher watcher = {
	.changed = on_changed, .drops = count_drops};

void switch_edge_start(void)
{
	if (!quarantine_remote_watch(&watcher))
		log_error("uplinks: sources in quarantine are not dropped in the kernel");
}

void switch_edge_stop(void)
{
	quarantine_remote_unwatch(&watcher);
}
