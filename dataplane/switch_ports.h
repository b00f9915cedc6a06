/*
 * Port entries: opening their drivers, and the events that those send. Control thread, but for the
 * functions that port_env hands to drivers.
 */
#ifndef VS_SWITCH_PORTS_H
#define VS_SWITCH_PORTS_H

#include "switch_state.h"

/*
 * Fills in port_env, over the packet pool of this process. state_dir may be NULL. Before the first
 * port is opened. 0, or -1 with a message in err.
 */
int switch_ports_init(const struct config_vswitch *conf, char *err, size_t err_len);
void switch_ports_exit(void);

/* In a replay: every port, whatever its kind, is opened with this driver. */
void switch_ports_use_driver(const struct port_driver *driver);

/* Which workers port_env.wake() wakes for the port with this id, a bit each. */
void switch_ports_set_pollers(uint16_t id, uint32_t bits);
uint32_t switch_ports_pollers(uint16_t id);

/* The driver that serves conf. */
const struct port_driver *port_entry_driver(const struct config_port *conf);

/* Free with free(). */
struct storm *port_storm_create(const struct config_storm *conf);

/* A new entry with an id of its own; not opened. NULL where MAX_PORTS are in use. */
struct port_entry *port_entry_create(const struct config_port *conf, struct network_entry *network);

/* The dev is closed by now. */
void port_entry_free(struct port_entry *port);

/* Opens port->dev; on failure notes the error in port. Returns true where it is open. */
bool port_entry_open(struct port_entry *port);

/*
 * True where the open dev can serve conf as it is or after the driver took it up; otherwise it
 * must be closed and opened again.
 */
bool port_entry_update(struct port_entry *port, const struct config_port *conf);

/* Once a tick: what ports were not allowed to report when it happened. */
void switch_ports_tick(void);

#endif
