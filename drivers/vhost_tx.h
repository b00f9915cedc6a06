/*
 * Enqueues packets to a guest without writing to them. Workers; no state.
 *
 * The vhost library sums the pseudo-header anew into every packet with an open checksum. Where
 * others hold the packet too that is a write to what they read; and with TSO it leaves the length
 * out of the sum, as network cards want it, which a guest that segments the packet itself (a
 * router) turns into wrong checksums.
 */
#ifndef VS_VHOST_TX_H
#define VS_VHOST_TX_H

#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

/*
 * Sends the first of n <= PORT_BURST_MAX packets to the ring of device vid, frees these and returns
 * how many they are. Takes up to two buffers of pool for a packet with TSO.
 */
uint16_t vhost_tx_burst(
	int vid, uint16_t ring, struct rte_mbuf **pkts, uint16_t n, struct rte_mempool *pool);

#endif
