/*
 * Frames out of a trunk. Workers.
 *
 * A TX queue is for one thread at a time, and there may be more workers than queues. Who finds it
 * taken puts his frames into its ring, fences and looks again; who has it empties the ring before
 * he sends his own, and after he let go of it looks whether something came in meanwhile. So nobody
 * waits, nothing stays behind, and each worker's frames go out in their order.
 */
#ifndef VS_TRUNK_TX_H
#define VS_TRUNK_TX_H

#include "trunk.h"

/* The rings of the queues; 0, or -1 where memory is short. Control thread. */
int trunk_tx_init(struct trunk *trunk);

/* Frees them, and what waits in them: how many frames. Control thread. */
unsigned trunk_tx_fini(struct trunk *trunk);

/*
 * Whether the device takes m as it is. Whatever a port promised: no chain, no segmentation and no
 * length may reach a device that does not take it, as some would read and write beyond buffers.
 */
bool trunk_takes(const struct trunk *trunk, const struct rte_mbuf *m);

/*
 * Sends the first of pkts, in order; returns how many. They are the caller's alone, trunk_takes()
 * them, and they have their tag. Those sent belong to the trunk now, the others still to the
 * caller; *refused: the first of those will never go, whereas otherwise the device is full.
 */
uint16_t trunk_send(struct trunk *trunk, struct rte_mbuf **pkts, uint16_t n, bool *refused);

/* Sends what waits for the caller's queue, unless somebody is just doing so. */
void trunk_tx_poll(struct trunk *trunk);

/* struct port_driver's tx_burst. */
uint16_t trunk_tx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

#endif
