/*
 * The switch as the control thread sees it: makes the running state equal to a configuration, and
 * tells what the running state is. Owns ports, networks, the published snapshot and the workers.
 * Control thread only, unless a function says otherwise.
 */
#ifndef VS_SWITCH_H
#define VS_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "config.h"

/*
 * Starts the workers (and all that they stand on) as `vswitch:` says. Packets pass nowhere until
 * the first switch_reconfigure(). The EAL must be up. 0, or -1 with a message in err.
 */
int switch_start(const struct config_vswitch *conf, char *err, size_t err_len);

/* Takes every port away, stops the workers, frees everything. */
void switch_stop(void);

/*
 * Makes the running state equal to config, whole: on success (0) every worker runs the new
 * revision when it returns, and ports that did not change lost nothing. The switch keeps its own
 * copy of what it needs. A port whose socket or interface can't be had right now is not a refusal:
 * it is taken up, shows its error, and is tried again every second. On refusal (-1: what the
 * machine can't do, such as a worker's core) nothing has changed and report says why.
 */
int switch_reconfigure(const struct config *config, struct config_report *report);

/*
 * The same for a configuration that was taken before: at a start, or to go back to it. A tenant
 * whose rules cannot be had any more runs without them, as its `no-database` says, and report warns
 * of that: a file that has gone is no reason to leave everybody without a network.
 */
int switch_restore(const struct config *config, struct config_report *report);

/*
 * Builds the policy of the running configuration with the emergency blocks as they are now
 * (blocks_current()) and has every worker run it. False, with the reason in report: nothing has
 * changed. True also where no configuration runs yet.
 */
bool switch_policy_changed(struct config_report *report);

/*
 * Nothing will bring past back by itself: ports of it that do not run are gone for good, and what
 * their drivers kept for them in the state directory is removed.
 */
void switch_forget_ports(const struct config *past);

/* Counts up with each successful switch_reconfigure(); 0: none yet. */
uint64_t switch_revision(void);

/* Once a second or so: retries failed ports, ages MACs' books, gathers events. */
void switch_tick(void);

/* A descriptor that is readable when a port's state changed; then call switch_port_events(). */
int switch_event_fd(void);
void switch_port_events(void);

/* True while every worker has gone round since the last call (for the watchdog). */
bool switch_workers_alive(void);

/*
 * What runs, as JSON; the caller owns the reference. A name (may be NULL: all) that does not exist
 * gives NULL.
 *
 * status:  {"version","revision","uptime_s","workers","networks","ports","ports_up",
 *           "memory":{"hugepages":bool,"buffers","buffers_free"}}
 * ports:   [{"name","network","tenant","kind","state","error","mac","mtu","queues",
 *            "rx":{"packets","bytes"},"tx":{"packets","bytes"},"drops", + the driver's own}]
 * networks:[{"name","tenant","vlan","home","workers":[cores],"ports":[names],"macs","mtu",...}]
 * fdb:     [{"network","mac","port","type":"static"|"learned","age_s","moves"}]
 * workers: [{"core","networks":[...],"queues":[{"port","queue","ready"}],"busy_percent",...}]
 */
json_t *switch_status(void);
json_t *switch_ports(const char *port);
json_t *switch_networks(const char *network);
json_t *switch_fdb(const char *network, const char *port);
json_t *switch_fdb_moves(const char *network);
json_t *switch_workers(void);

/*
 * [{"core","cycles_per_packet","packets_per_burst","stages":[{"stage","packets","bursts",
 *   "cycles_per_packet","packets_per_burst"}],...}] since the start or the last reset.
 */
json_t *switch_worker_stats(bool reset);

/*
 * The ledger of each port: [{"port","network","received","bytes_received","delivered","consumed",
 *   "dropped","offered","sent","bytes_sent","dropped_out","drops":{reason:count}}]; see counters.h.
 */
json_t *switch_stats(const char *port);

/*
 * The same summed over all ports that there ever were, with "copies", "made" and "adds_up": whether
 * the three equations of counters.h hold (while packets are under way they need not).
 */
json_t *switch_ledger(void);

/* [{"port","reason","stage","text","packets"}], those above zero. */
json_t *switch_drops(const char *port);

/* Forgets what was learned, of one network or port where they are named; configured MACs stay. */
int switch_fdb_flush(const char *network, const char *port, char *err, size_t err_len);

/* Polls queue of port on core from now on. Runtime only: a restart chooses anew. */
int switch_move_queue(const char *port, unsigned queue, unsigned core, char *err, size_t err_len);

/* Makes core the home worker of network, MAC table and all. */
int switch_move_network(const char *network, unsigned core, char *err, size_t err_len);

#endif
