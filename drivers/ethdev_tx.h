/*
 * Frames of a network out of a shared device, tagged. Workers.
 */
#ifndef VS_ETHDEV_TX_H
#define VS_ETHDEV_TX_H

#include "ethdev_port.h"

/*
 * struct port_driver's tx_burst. Whatever its caller promises, no chain, no segmentation and no
 * length reaches the device that it does not take: some PMDs would read and write beyond buffers.
 */
uint16_t ethdev_tx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

#endif
