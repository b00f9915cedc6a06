/*
 * What of the switch's state a driver needs that filters in front of a port (an XDP program, a
 * NIC's flow rules): struct port_driver.edge. Control thread.
 */
#ifndef VS_PORT_EDGE_H
#define VS_PORT_EDGE_H

#include <stdint.h>

#include "addr.h"
#include "config.h"

/* An address on another host that is cut off: level SERVICE or PORT. */
struct port_edge_source {
	struct addr addr;
	enum config_quarantine_level level;
};

/* All of it as it is now, not what changed. Nothing in it outlives the call. */
struct port_edge {
	/* Where frames without a tag are shared with the host: MACs of the network's ports here. */
	const uint8_t (*macs)[6];
	unsigned n_macs;

	const struct port_edge_source *sources;
	unsigned n_sources;

	/* What level SERVICE shuts (TCP ports, host order), and what level PORT lets pass. */
	const uint16_t *services;
	unsigned n_services;
	const struct config_allow *allow;
	unsigned n_allow;
};

#endif
