/*
 * Frames in VXLAN (RFC 7348) over IPv4 and IPv6: putting them in and getting them out. Any thread;
 * no state.
 */
#ifndef VS_VXLAN_FRAME_H
#define VS_VXLAN_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "addr.h"

#define VXLAN_HEADERS_MAX (14 + 40 + 8 + 8) /* outer Ethernet, IP, UDP, VXLAN */
#define VXLAN_MTU_TAKES   14 /* of them no part of the outer packet: outer Ethernet */

/* The switch's own end. */
struct vxlan_end {
	struct addr address;
	struct rte_ether_addr mac;
	uint16_t udp_port; /* of both ends */
};

/* What stands before every frame that goes to one peer of one network, but for the fields that the
 * frame itself decides. */
struct vxlan_headers {
	uint8_t bytes[VXLAN_HEADERS_MAX];
	uint16_t len;
	bool ipv6;
	uint16_t sum; /* of the IPv4 header, or of IPv6's pseudo-header, but for its length */
};

void vxlan_headers_init(struct vxlan_headers *headers, const struct vxlan_end *from,
	struct addr peer, uint32_t vni);

/*
 * Puts headers before m, bound for the MAC of the next hop; hash chooses the UDP source port, so
 * that the underlay spreads flows over its paths. m is nobody else's, with headers->len of headroom
 * and nothing left open (checksum, TSO); its TX flags go. The UDP checksum is zero over IPv4, and
 * computed over IPv6.
 */
void vxlan_push(struct rte_mbuf *m, const struct vxlan_headers *headers,
	const struct rte_ether_addr *next_hop, uint32_t hash);

/* Undoes vxlan_push() but for the flags. */
void vxlan_undo(struct rte_mbuf *m, const struct vxlan_headers *headers);

/* What is wrong with a frame of the underlay. */
enum vxlan_fault {
	VXLAN_OTHER = -1, /* not for our end of tunnels */
	VXLAN_MALFORMED = -2, /* cut off, or lengths or the IPv4 header's checksum don't hold */
	VXLAN_FRAGMENT = -3, /* who makes tunnels makes no fragments of them (RFC 7348, 4.3) */
	VXLAN_CHECKSUM = -4, /* of UDP, where there is one */
	VXLAN_FLAGS = -5, /* no VNI, or something that we don't know and so can't rely on */
};

struct vxlan_arrival {
	struct addr from;
	uint32_t vni;
	uint32_t offset; /* of the inner frame in m */
	uint32_t len; /* of the inner frame, at least an Ethernet header */
};

/*
 * Whether m, an Ethernet frame without tag, is for `end`, and from where. Reads no byte beyond its
 * buffers. 0, or an enum vxlan_fault. As in Linux, reserved bits that are set are no VXLAN of ours,
 * though RFC 7348 has them ignored: what extensions mean by them may change what follows. A zero
 * UDP checksum is taken over IPv6, too (RFC 6935: the inner frame has sums of its own).
 */
int vxlan_parse(const struct rte_mbuf *m, const struct vxlan_end *end, struct vxlan_arrival *a);

/* Makes the inner frame of m. False where its padding can't be cut off; then m is to be dropped. */
bool vxlan_pop(struct rte_mbuf *m, const struct vxlan_arrival *a);

#endif
