/*
 * Frames from a shared device to the ports that they are for. Workers.
 */
#ifndef VS_TRUNK_RX_H
#define VS_TRUNK_RX_H

#include "trunk.h"

/*
 * Up to n <= PORT_BURST_MAX frames for the port that inbox belongs to: those that wait in it, or
 * else what the device has, unless another worker is just looking there. What is for others goes
 * into their inboxes. Worker of the queue.
 */
uint16_t trunk_receive(struct trunk *trunk, struct trunk_inbox *inbox, uint16_t queue,
	struct rte_mbuf **pkts, uint16_t n);

/* struct port_driver's rx_fd for a port that calls trunk_receive(). */
int trunk_rx_fd(struct trunk *trunk, uint16_t queue);

#endif
