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

/* A trunk's device, or a member of its bond; conf, tx_caps and longest are the trunk's. */
struct ethdev {
	struct trunk *trunk;
	const char *name; /* as it is configured, the trunk's */
	uint16_t eth; /* port id of ethdev */
	bool probed, started;
	bool tells_link; /* by an event */
	uint64_t usable; /* RTE_ETH_TX_OFFLOAD_* that the switch may ask for */
	uint64_t rx_capa; /* RTE_ETH_RX_OFFLOAD_* that it could */
	uint16_t segments; /* as in struct trunk */
	struct rte_mempool *pool;
	struct iface iface; /* below net_af_packet */
	bool promiscuous; /* that was so before */
	struct ethdev_facts facts;
	struct rte_device *device;
	_Atomic bool gone; /* the device was removed under us */
};

/* Control thread. */
bool ethdev_device_is_there(const struct ethdev *device);

/* As in struct trunk_ops, for a trunk whose device begins with a struct ethdev. */
bool ethdev_link(const struct trunk *trunk, uint32_t *mbps, bool *full_duplex);
uint16_t ethdev_rx_burst(struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
uint16_t ethdev_tx_burst(
	struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, bool *refused);
void ethdev_describe(const struct trunk *trunk, json_t *row, json_t *shown);

#endif
