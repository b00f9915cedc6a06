/*
 * What the files of the uplink driver share: a port is what its device carries of one network.
 */
#ifndef VS_ETHDEV_PORT_H
#define VS_ETHDEV_PORT_H

#include "ethdev_device.h"

/* Any worker may write these: atomic additions, as none of them is counted in a hurry. */
struct ethdev_counters {
	_Atomic uint64_t rx_overflow; /* the port's own workers did not keep up */
	_Atomic uint64_t tx_double_tag; /* a guest's own tag, where none may go out */
	_Atomic uint64_t tx_refused; /* what the device does not take */
};

struct ethdev_port {
	struct port_dev dev; /* first: a port_dev of this driver is an ethdev_port */
	struct ethdev_device *device;
	uint16_t vlan; /* 0: frames without a tag */
	_Atomic uint32_t armed; /* queues whose worker sleeps, a bit each */
	struct rte_ring *rings[PORT_QUEUES_MAX]; /* found by other ports' workers */
	struct ethdev_counters counters;
};

static inline struct ethdev_port *ethdev_port(struct port_dev *dev)
{
	return (struct ethdev_port *)dev;
}

static inline void ethdev_count(_Atomic uint64_t *counter, unsigned n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
