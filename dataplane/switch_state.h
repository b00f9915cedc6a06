/*
 * What the control thread knows of ports and networks beside what workers see: the modules of the
 * switch (switch.c, switch_build.c, switch_show.c) share it, and nobody else. Control thread.
 */
#ifndef VS_SWITCH_STATE_H
#define VS_SWITCH_STATE_H

#include "config.h"
#include "counters.h"
#include "snapshot.h"
#include "worker.h"

#define POLLED_BY_DEFAULT 0xff
#define NO_WORKER         0xff

struct network_entry {
	struct config_network conf;
	uint16_t index; /* into snapshot.networks */
	uint16_t home; /* index of the home worker */
	bool moved; /* its packets have been owned by other workers */
	bool home_moved; /* by command: stays over a reconfiguration */
	struct fdb *fdb;
	uint8_t writer; /* the worker that fdb belongs to now, or NO_WORKER */
	struct static_macs *statics;
	uint64_t moves_reported; /* number of the last MAC move in the events */
};

/* What of its tenant's inspection decides which connections are looked at. */
struct port_inspection {
	bool on;
	unsigned n_services;
	uint16_t services[CONFIG_SERVICES_MAX];
	uint32_t epoch; /* no two that differ ever had the same; 0: none yet */
};

struct port_entry {
	struct config_port conf;
	uint16_t id;
	uint32_t serial;
	struct network_entry *network;
	const struct port_driver *driver;
	struct port_dev *dev; /* NULL: could not be opened, see error */
	char error[256];
	struct storm *storm;
	const struct policy_port *policy; /* part of switch_state.policy */
	uint64_t since; /* it was made, in TSC cycles */
	uint8_t quota_level; /* switch_firewall.c: how full its quota was when last reported */
	bool bare; /* see struct port */
	uint64_t tracked; /* it ceased to be bare; 0: it never was */
	struct port_inspection inspection;
	uint8_t polled_by[PORT_QUEUES_MAX]; /* worker by queue, or POLLED_BY_DEFAULT */
	uint8_t polling[PORT_QUEUES_MAX]; /* the worker that polls it now, or NO_WORKER */
	struct port_counters base; /* what the id had counted for ports before this one */
	uint64_t late; /* tx_late_drops of devs that it had before */
	bool up; /* its far end was there when that was looked at last */
	uint8_t events_left; /* that it may still cause before the next tick */
	bool event_due; /* it changed, and had none left */
};

/* Where a worker's statistics stood when they were last reset. */
struct stats_base {
	struct worker_stats stats;
	uint64_t when; /* TSC cycles */
};

struct switch_state {
	bool started;
	bool single_step; /* a replay: the workers have no threads */
	struct config_vswitch conf;
	uint64_t started_at; /* TSC cycles */
	uint64_t revision;
	uint64_t revision_since; /* switch_now() when every worker ran it; 0: the first one */
	struct config *config; /* that was applied last; NULL: none yet */
	struct policy *policy; /* of that and of the emergency blocks */
	uint64_t next_serial; /* of ports and snapshots */
	uint16_t next_id; /* where to look for a free port id */
	struct port_entry *by_id[MAX_PORTS]; /* also those of a change under way */
	uint64_t late; /* tx_late_drops of ports that are gone */
	uint64_t beats[MAX_WORKERS]; /* heartbeats at the last look */
	struct stats_base bases[MAX_WORKERS];
	struct port_entry *ports[MAX_PORTS]; /* in the configuration's order */
	unsigned n_ports;
	struct network_entry *networks[MAX_NETWORKS];
	unsigned n_networks;
};

extern struct switch_state switch_state;

/*
 * Makes a snapshot of the present state, publishes it and frees the one before. Ports without a dev
 * are left out. What one worker has to leave before another takes it up, a queue or a MAC table,
 * belongs to neither in a snapshot of its own between the two. Memory that the process can't get
 * ends it: it would otherwise have to run on without a policy.
 */
void switch_publish(void);

void switch_build_free(const struct snapshot *snapshot);

/* How many queues of port are polled. */
unsigned switch_queues(const struct port_entry *port);

/* Index of the worker that polls queue of port. */
unsigned switch_poller(const struct port_entry *port, unsigned queue);

/*
 * Forgets the addresses learned at the port with this id (NO_PORT: at all) in net, soon. What must
 * not come back has to be out of the workers' sight by now.
 */
void switch_forget(const struct network_entry *net, uint16_t id);

/* NULL where there is none of that name. */
struct port_entry *switch_find_port(const char *name);
struct network_entry *switch_find_network(const char *name);
/* The one with this index in the snapshot; NULL: none. */
struct network_entry *switch_network_at(uint16_t index);

/* Packets that port's drivers took and then dropped: they count as sent where they were taken. */
uint64_t switch_late_drops(const struct port_entry *port);

/* Cycles on the clock that workers go by. */
uint64_t switch_now(void);

/* "(removed)" where no port has the id any more. */
const char *switch_port_name(uint16_t id);

/* The counters of port over all workers, since it has been this port. */
void switch_count(const struct port_entry *port, struct port_counters *sum);

/* calloc() that ends the process where there is no memory. */
void *switch_alloc(size_t n, size_t size);

#endif
