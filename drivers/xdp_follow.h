/*
 * The maps of the XDP program of an uplink's interface, brought in step with what the switch tells
 * its ports' driver (port_edge.h). Control thread.
 */
#ifndef VS_XDP_FOLLOW_H
#define VS_XDP_FOLLOW_H

#include "port_edge.h"
#include "xdp_program.h"

/*
 * What is told of a network (EDGE_OF_VLAN(), EDGE_OF_VNI()); MACs count in the untagged one. A MAC
 * that the host itself has on the interface, or on what stands on it (bridge, macvlan), is never
 * the switch's: a guest that sends from it would otherwise take the host's frames. 0, or a negative
 * errno of what could not be done; all else was.
 */
int xdp_follow(
	struct xdp_program *p, unsigned ifindex, uint32_t network, const struct port_edge *edge);

/* Packets of source in a network that the program has dropped; p may be NULL. */
uint64_t xdp_follow_drops(struct xdp_program *p, uint32_t network, struct addr source);

/* Adds to what `port show` says of a network's port: "xdp_sources", as xdp_program_sources(). p may
 * be NULL: nothing. */
void xdp_follow_show(struct xdp_program *p, uint32_t network, json_t *row);

#endif
