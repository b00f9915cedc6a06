/*
 * The XDP program of an uplink's interface (xdp_edge.bpf.c): which frames go to the switch's AF_XDP
 * sockets, which sources end in the kernel; all else passes to the host. Loads it, puts it on the
 * interface, and writes its maps. In the network namespace of the switch. Control thread.
 *
 * The program outlives a switch that is killed: without its sockets it passes frames to the host,
 * and those that would have been for the switch from sources in quarantine it drops still. The next
 * switch puts its own in that one's place at once, quarantines taken over.
 *
 * Needs CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW, or CAP_SYS_ADMIN.
 */
#ifndef VS_XDP_PROGRAM_H
#define VS_XDP_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "addr.h"
#include "xdp_edge.h"

struct xdp_program; /* not libxdp's of the same name, of which nothing is used with it */

/*
 * Whether xdp_program_attach() could do so, as far as that can be told without touching the
 * interface: who shares its NIC must not feel each try. 0, or -1 with a message in err.
 */
int xdp_program_check(unsigned ifindex, char *err, size_t err_len);

/*
 * Loads and attaches: in the driver (native), or where that can't, in front of the stack (generic).
 * A stale one of ours is replaced without a gap, in the mode that it is in. NULL with a message in
 * err: the interface has another's program, whose id and name it tells, or one of a switch that is
 * running; or the kernel does not take ours. queues: of the interface, as many as there may be
 * sockets, EDGE_QUEUES_MAX at most.
 */
struct xdp_program *xdp_program_attach(
	unsigned ifindex, unsigned queues, char *err, size_t err_len);

/* Takes it off the interface, if it is still this one that is there, and frees it. */
void xdp_program_detach(struct xdp_program *p);

/* Once a second. False: somebody has taken it off or put another in its place, or the interface is
 * gone. */
bool xdp_program_is_attached(struct xdp_program *p);

uint32_t xdp_program_id(const struct xdp_program *p);
bool xdp_program_is_native(const struct xdp_program *p);

/*
 * What follows answers 0, also where it is so already, or a negative errno; -ENOSPC: the map is
 * full, and what that means is logged once. Full, a map keeps what it has: frames for what found no
 * room pass to the host, and those of sources that found none are dropped by the switch itself.
 */

/* Frames of the queue for the switch go to this socket, which has a receive ring; fd -1: to the
 * host. A socket that is closed takes itself out. */
int xdp_program_set_socket(struct xdp_program *p, unsigned queue, int xsk_fd);

/* All frames of the VLAN are the switch's; 0: those without a tag for a MAC that is. A VLAN that is
 * not any more is left without sources. */
int xdp_program_set_vlan(struct xdp_program *p, uint16_t vlan, bool ours);

/* Of guests in the untagged network: one, or just these n. */
int xdp_program_set_mac(struct xdp_program *p, const uint8_t mac[6], bool ours);
int xdp_program_set_macs(struct xdp_program *p, const uint8_t (*macs)[6], unsigned n);

/* VXLAN with this VNI, to an underlay address, is the switch's. One that is not any more is left
 * without sources. */
int xdp_program_set_vni(struct xdp_program *p, uint32_t vni, bool ours);

/* VXLAN comes to this address and UDP port (host order), in frames of this VLAN (0: without a
 * tag). */
int xdp_program_set_underlay(
	struct xdp_program *p, uint16_t vlan, struct addr addr, uint16_t port, bool ours);

struct xdp_source {
	struct addr addr;
	uint32_t level; /* EDGE_SHUT_* */
};

/* What of these n sources, and of no others, is dropped in a network (EDGE_OF_VLAN(),
 * EDGE_OF_VNI()), and what that means in it. A source that stays at its level keeps its counters.
 */
int xdp_program_set_quarantine(struct xdp_program *p, uint32_t network,
	const struct edge_rules *rules, const struct xdp_source *sources, unsigned n);

/* What was dropped of a source since it is in the map; false: it is not. */
bool xdp_program_drops(
	struct xdp_program *p, uint32_t network, struct addr source, struct edge_drops *drops);

/*
 * {"id","mode":"native"|"generic","maps":{"macs"|"vnis"|"underlay"|"sources":{"used","size",
 * "refused"},"vlans":n},"verdicts":{name:frames}}, names as in EDGE_VERDICTS. The caller owns the
 * reference.
 */
json_t *xdp_program_describe(struct xdp_program *p);

/* [{"address","level":"service"|"port","packets","bytes"}] of one network's sources in quarantine,
 * XDP_SOURCES_SHOWN at most. The caller owns the reference. */
#define XDP_SOURCES_SHOWN 256
json_t *xdp_program_sources(struct xdp_program *p, uint32_t network);

#endif
