/*
 * The host's own MACs on an interface that it shares with the switch: those of the interface, of
 * what it is a port of (bridge, bond, team), and of what stands on these (VLAN, macvlan). Asked of
 * the kernel (rtnetlink(7)), in the network namespace of the calling thread. Control thread.
 */
#ifndef VS_XDP_HOST_H
#define VS_XDP_HOST_H

#include <stdint.h>

#define XDP_HOST_MACS_MAX 512

struct xdp_host_macs {
	unsigned n;
	uint8_t macs[XDP_HOST_MACS_MAX][6];
};

/* Where there are more than fit, some of them; the interface's own always. 0, or a negative errno:
 * it could not be told. */
int xdp_host_macs_read(struct xdp_host_macs *host, unsigned ifindex);

#endif
