/*
 * Devices of DPDK below a trunk: NICs by PCI address, tap and other vdevs.
 *
 * No interrupts: a worker with a port of such a trunk looks every millisecond when it has nothing
 * else to do.
 */
#ifndef VS_ETHDEV_H
#define VS_ETHDEV_H

#include <rte_ethdev.h>

#include "iface.h"
#include "trunk.h"

extern const struct trunk_ops ethdev_ops;

/* What `port show` tells of a device; fixed while it is open. */
struct ethdev_facts {
	const char *driver;
	uint64_t rx_offloads, tx_offloads; /* in use */
	bool rss, rss_symmetric;
};

/* A trunk's device; conf, tx_caps and longest are the trunk's. */
struct ethdev {
	struct trunk *trunk;
	uint16_t eth; /* port id of ethdev */
	bool probed, started;
	struct rte_mempool *pool;
	struct iface iface; /* below net_af_packet */
	bool promiscuous; /* that was so before */
	struct ethdev_facts facts;
	struct rte_device *device;
	_Atomic bool gone; /* the device was removed under us */
};

#endif
