/*
 * What workers see of the configuration: one immutable tree behind one pointer.
 *
 * The control thread builds it, publishes it with snapshot_publish() and frees the one before once
 * every worker has passed a quiescent state. Nothing in it is ever written after that, but for what
 * its pointers lead to: the driver's atomic words (port_dev), the MAC table (fdb.h) and the storm
 * meters, each with an owner of its own.
 */
#ifndef VS_SNAPSHOT_H
#define VS_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb.h"
#include "guard.h"
#include "policy.h"
#include "sizes.h"
#include "storm.h"

struct inspect_profile;

#define PORT_CLOSED (1u << 0) /* not promiscuous, so nothing for isolated ports */
#define PORT_TUNNEL (1u << 1) /* of VXLAN: peers reach each other by themselves (split horizon) */

/* One port of the running configuration. Those without a driver instance yet are not in here. */
struct port {
	/* What every packet asks for: one cache line. */
	struct port_dev *dev;
	const struct guard *guard; /* what it may send from */
	const struct policy_port *policy; /* the rules that it stands under */
	uint64_t mac; /* fdb_key(); 0: none configured */
	uint32_t epoch[POLICY_DIRECTIONS]; /* policy->epoch */
	uint16_t id;
	uint16_t network; /* index into snapshot.networks */
	uint8_t is; /* PORT_* */
	uint8_t shuns; /* PORT_*: between it and what is one of them nothing passes */
	bool takes_unknown; /* gets unknown unicast */
	bool remote; /* guests of other hosts are behind it, told apart by address */
	bool bare; /* neither rules, blocks nor inspection: between two such nothing is tracked */
	uint8_t tx_retries;
	uint32_t serial; /* tells this port from another that had the same id before */

	const struct inspect_profile
		*inspect; /* how its tenant's traffic is inspected; NULL: not */
	uint32_t inspect_epoch; /* moves with what is to be inspected; not 0 */
	bool inspect_exempt; /* findings never quarantine it */
	bool fanout_exempt; /* nor does it count whom it reaches */

	struct storm *storm; /* written by the network's home worker */
	uint64_t since; /* it exists, in TSC cycles */
	uint64_t tracked; /* it is not bare: 0: ever since; UINT64_MAX: it is */
	uint32_t mac_limit;
} __attribute__((aligned(64)));

/* The configured MACs of one network: immutable, shared between snapshots by count. */
struct static_macs;

struct network {
	struct fdb *fdb;
	const struct static_macs *statics; /* NULL: none */
	uint16_t id; /* its own index */
	uint16_t home; /* index of its home worker */
	bool tracked; /* a port of it is not bare */
	bool moved; /* other workers have owned its packets: they may hold its connections */
	uint8_t n_workers;
	uint8_t workers[MAX_WORKERS]; /* the home first */
	bool learning;
	bool flood_unknown;
	bool wire; /* two ports: what is for one goes from each to the other, whatever its MAC */
	uint16_t n_ports;
	const struct port *const *ports;
};

/* One queue that a worker polls. */
struct rx_queue {
	const struct port *port;
	uint16_t queue;
};

/* What one worker does. */
struct worker_plan {
	unsigned n_queues;
	const struct rx_queue *queues;
	unsigned n_homes;
	const struct network *const *homes; /* networks whose home it is */
};

/* What holds for the firewall as a whole. */
struct firewall_settings {
	bool tcp_strict;
	uint64_t pick_up; /* TSC cycles after a port's start in which it takes connections over */
};

struct snapshot {
	uint64_t serial; /* no two ever published have the same */
	struct firewall_settings firewall;
	const struct port *ports[MAX_PORTS]; /* by id; NULL: none */
	const struct network *networks[MAX_NETWORKS]; /* by index; NULL: none */
	struct worker_plan plans[MAX_WORKERS];

	/* What the pointers above lead into; owned by the snapshot. Control thread. */
	struct port *port_store;
	struct network *network_store;
	const struct port **member_store;
	struct rx_queue *queue_store;
	const struct network **home_store;
	struct guard **guard_store;
	unsigned n_networks;
	unsigned n_ports;
};

/*
 * Builds the table of n configured MACs (keys) and the ids of their ports. NULL where memory does
 * not suffice. One reference belongs to the caller. Control thread.
 */
struct static_macs *static_macs_create(const uint64_t *keys, const uint16_t *ports, unsigned n);
struct static_macs *static_macs_ref(struct static_macs *macs);
void static_macs_unref(struct static_macs *macs);

/* True where macs was made of just these, in this order. Control thread. */
bool static_macs_equal(
	const struct static_macs *macs, const uint64_t *keys, const uint16_t *ports, unsigned n);

/* The port that key is configured on, or NO_PORT. Any thread. */
uint16_t static_macs_lookup(const struct static_macs *macs, uint64_t key);

/* Publishes next, waits for every worker to have left the one before, and returns that one. */
const struct snapshot *snapshot_publish(const struct snapshot *next);

/* The one in force; NULL before the first. Workers: once a pass. */
const struct snapshot *snapshot_current(void);

#endif
