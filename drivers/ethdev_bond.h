/*
 * Several devices of DPDK below a trunk that are used as one, by librte_net_bond: active-backup, or
 * all of them with LACP (IEEE 802.1AX). Its members come and go while it is open.
 */
#ifndef VS_ETHDEV_BOND_H
#define VS_ETHDEV_BOND_H

#include "trunk.h"

extern const struct trunk_ops ethdev_bond_ops;

#endif
