/*
 * What the XDP program of an uplink's interface (xdp_edge.bpf.c) and its loader (xdp_program.c)
 * share: limits, keys and values of its maps, counters. Included by both, so plain types only.
 */
#ifndef VS_XDP_EDGE_H
#define VS_XDP_EDGE_H

#include <linux/types.h>

/* By these a program of ours is known, also one of a switch that was killed. */
#define EDGE_PROGRAM "vswitch_edge"
#define EDGE_SOCKETS "edge_sockets"
#define EDGE_SOURCES "edge_sources"
#define EDGE_RULES   "edge_rules"

#define EDGE_VLANS 4096
#define EDGE_QUEUES_MAX                                                                            \
	16 /* sockets, one a receive queue; the loader makes it as many as there are */
#define EDGE_MACS_MAX     16384
#define EDGE_VNIS_MAX     1024
#define EDGE_UNDERLAY_MAX 64 /* addresses at which VXLAN comes in */
#define EDGE_SOURCES_MAX  8192 /* in quarantine, of all networks */
#define EDGE_RULES_MAX    2048 /* networks with sources in quarantine */
#define EDGE_SERVICES_MAX 16 /* of one network */
#define EDGE_ALLOW_MAX    32
#define EDGE_EXTENSIONS   6 /* headers of IPv6 between its own and UDP's */

/* A network as the wire tells it: a VLAN (0: frames without a tag), or a VNI. */
#define EDGE_OF_VLAN(vlan) ((__u32)(vlan))
#define EDGE_OF_VNI(vni)   (0x80000000u | (__u32)(vni))

struct edge_mac {
	__u8 bytes[6];
	__u8 zero[2];
};

/* Addresses are IPv6, or IPv4 mapped into it, in the order of the wire. */
struct edge_underlay {
	__u8 addr[16];
	__be16 port; /* UDP */
	__u16 vlan; /* that the underlay itself lies in; 0: none */
};

/* What a source in quarantine may not. */
#define EDGE_SHUT_SERVICES 1 /* TCP from or to one of the network's services */
#define EDGE_SHUT_HOST     2 /* IP, but for what `allow` may mean, and ICMPv6 */

struct edge_source {
	__u32 network;
	__u32 level; /* EDGE_SHUT_* */
	__u8 addr[16];
};

struct edge_drops {
	__u64 packets, bytes;
};

struct edge_allow {
	__u16 protocol; /* IPPROTO_* */
	__u16 first, last; /* ports of the other side; all where the protocol has none */
};

/*
 * What quarantine means in a network; ports in host order. Whose addresses `allow` is meant for the
 * program does not look at: what it lets pass the switch decides on. A network that is not in the
 * map has no source in quarantine.
 */
struct edge_rules {
	__u16 n_services, n_allow;
	__u16 services[EDGE_SERVICES_MAX];
	struct edge_allow allow[EDGE_ALLOW_MAX];
};

/* What became of a frame: name, and as it is called in `port show`. Each frame has just one. */
#define EDGE_VERDICTS(X)                                                                           \
	X(TO_SWITCH_VLAN, to_switch_vlan) /* a VLAN of the uplink's networks */                    \
	X(TO_SWITCH_MAC, to_switch_mac) /* a guest's MAC in the untagged network */                \
	X(TO_SWITCH_VNI, to_switch_vni) /* VXLAN for an underlay address and a VNI of ours */      \
	X(QUARANTINED, quarantined) /* for the switch, from a source in quarantine: dropped */     \
	X(NO_SOCKET, no_socket) /* for the switch, which is not there to take it: to the host */   \
	X(MULTICAST, multicast) /* of the untagged network: to the host, and by it to both */      \
	X(OTHER_VNI, other_vni) /* VXLAN for an underlay address, no VNI of ours: to the host */   \
	X(BAD_VXLAN, bad_vxlan) /* no VXLAN at the port of an underlay address: to the host */     \
	X(SHORT, too_short) /* no whole Ethernet header and tag: to the host */                    \
	X(HOST, host) /* everything else: to the host */

#define EDGE_VERDICT(id, name) EDGE_##id,
enum edge_verdict { EDGE_VERDICTS(EDGE_VERDICT) EDGE_VERDICT_COUNT };
#undef EDGE_VERDICT

#endif
