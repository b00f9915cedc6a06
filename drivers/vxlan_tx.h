/*
 * Frames of a network out to a peer, in VXLAN. Workers.
 */
#ifndef VS_VXLAN_TX_H
#define VS_VXLAN_TX_H

#include "vxlan_port.h"

/*
 * struct port_driver's tx_burst. Packets that others look at, too, are copied; nothing reaches the
 * trunk that does not fit it or the underlay.
 */
uint16_t vxlan_tx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

#endif
