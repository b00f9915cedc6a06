/*
 * Sizes that several modules share. Compile-time bounds, all of them checked where they bind.
 */
#ifndef VS_SIZES_H
#define VS_SIZES_H

#include "config.h"
#include "port_driver.h"

#define MAX_PORTS    CONFIG_PORTS_MAX
#define MAX_NETWORKS CONFIG_NETWORKS_MAX
#define MAX_WORKERS  CONFIG_WORKERS_MAX
#define BURST        PORT_BURST_MAX

#define NO_PORT UINT16_MAX

_Static_assert(MAX_PORTS < NO_PORT, "a port's index fits 16 bits");

#endif
