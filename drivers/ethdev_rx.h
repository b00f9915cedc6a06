/*
 * Frames from a shared device to the ports that they are for. Workers.
 */
#ifndef VS_ETHDEV_RX_H
#define VS_ETHDEV_RX_H

#include "ethdev_port.h"

/* struct port_driver's rx_burst. */
uint16_t ethdev_rx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

#endif
