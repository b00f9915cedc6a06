/*
 * What the files of the uplink driver share: a port is what its trunk carries of one network.
 */
#ifndef VS_TRUNK_PORT_H
#define VS_TRUNK_PORT_H

#include "trunk.h"

/* Any worker may write these: atomic additions, as none of them is counted in a hurry. */
struct trunk_port_counters {
	_Atomic uint64_t tx_double_tag; /* a guest's own tag, where none may go out */
	_Atomic uint64_t tx_refused; /* what the device does not take */
};

struct trunk_port {
	struct port_dev dev; /* first: a port_dev of this driver is a trunk_port */
	struct trunk *trunk;
	uint16_t vlan; /* 0: frames without a tag */
	struct trunk_inbox inbox;
	struct trunk_port_counters counters;
};

static inline struct trunk_port *trunk_port(struct port_dev *dev)
{
	return (struct trunk_port *)dev;
}

#endif
