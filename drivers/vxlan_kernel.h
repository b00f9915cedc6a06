/*
 * The host's kernel asked, over rtnetlink, where the peers of an underlay are whose address is one
 * of its own. In the network namespace of the switch. Control thread.
 */
#ifndef VS_VXLAN_KERNEL_H
#define VS_VXLAN_KERNEL_H

#include <stddef.h>

#include <rte_ether.h>

#include "addr.h"
#include "config.h"

/*
 * Where the device of conf's port is an interface that is shared with the host: which one has the
 * underlay's address (that one if it does, as several may have a link-local one), in *index; else 0
 * there. 0, or -1 with a message in err: the host does not have it, or elsewhere.
 */
int vxlan_kernel_find(const struct config_port *conf, unsigned *index, char *err, size_t err_len);

/*
 * The MAC of the next hop to peer as the kernel's routes and neighbours have it, for packets from
 * local on interface `index`; the kernel is told that it is in use, so that it asks for it and
 * keeps it fresh. 1; 0: the kernel is asking; -1 with a message in err.
 */
int vxlan_kernel_next_hop(unsigned index, struct addr local, struct addr peer,
	struct rte_ether_addr *mac, char *err, size_t err_len);

#endif
