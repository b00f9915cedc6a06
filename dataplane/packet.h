/*
 * Facts about one packet, computed once by packet_parse() and kept in an array beside the burst.
 * Worker threads; no state.
 */
#ifndef VS_PACKET_H
#define VS_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "drop.h"

#define PACKET_IPV4 (1u << 0)
#define PACKET_IPV6 (1u << 1)
#define PACKET_FRAGMENT (1u << 2) /* of either kind */
#define PACKET_LATER_FRAGMENT (1u << 3) /* not the first: no L4 header */
#define PACKET_TAGGED (1u << 4) /* 802.1Q or 802.1ad */
#define PACKET_GROUP (1u << 5) /* destination MAC is multicast or broadcast */
#define PACKET_BROADCAST (1u << 6)
#define PACKET_L4 (1u << 7) /* l4_off and l4_proto are valid, the fixed L4 header is there */

struct packet {
	uint16_t flags;
	uint16_t ethertype; /* host order, behind any VLAN tags; 0: an 802.3 length */
	uint16_t l3_off; /* from the start of the frame, in bytes */
	uint16_t l4_off;
	uint32_t l3_len; /* bytes from the L3 header to the packet's own end, Ethernet padding excluded */
	uint16_t payload_off; /* behind the TCP or UDP header */
	uint8_t l4_proto; /* IPPROTO_*, behind any extension headers */
	uint8_t tcp_flags;
	uint32_t addr_hash; /* symmetric, of the two IP addresses (or the two MACs where not IP) */
	uint32_t flow_hash; /* symmetric, of addresses, protocol and ports */
};

/*
 * Parses the headers in the first segment of m (a header that goes beyond it is malformed; vhost
 * and kernel ports fill the first segment before they chain). Trusts only m's lengths.
 *
 * Returns -1, or the reason to drop it: frame_short, frame_long, ip_malformed, l4_malformed. Bounds:
 * two VLAN tags, eight IPv6 extension headers (a ninth is ip_malformed).
 */
int packet_parse(const struct rte_mbuf *m, struct packet *p);

#endif
