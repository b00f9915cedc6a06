/*
 * Facts about one packet, computed once by packet_parse() and kept in an array beside the burst.
 * Worker threads; no state but the hash's secret, which is set before they start.
 */
#ifndef VS_PACKET_H
#define VS_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "drop.h"

#define PACKET_IPV4           (1u << 0)
#define PACKET_IPV6           (1u << 1)
#define PACKET_FRAGMENT       (1u << 2) /* of either kind */
#define PACKET_LATER_FRAGMENT (1u << 3) /* not the first: no L4 header */
#define PACKET_TAGGED         (1u << 4) /* 802.1Q or 802.1ad */
#define PACKET_GROUP          (1u << 5) /* destination MAC is multicast or broadcast */
#define PACKET_BROADCAST      (1u << 6)
#define PACKET_L4             (1u << 7) /* l4_off, l4_proto valid; its fixed header is there */

/*
 * What a link with the smallest MTU of RFC 1191's table that is in use (296) leaves beside the
 * longest IPv4 header, in units of 8. A guest with a still smaller MTU cannot send fragments.
 */
#define FRAGMENT_LEN_MIN 232

#define PACKET_L3_MAX 65535 /* bytes; what IPv4 can say, and more than any guest's TSO makes */

struct packet {
	uint16_t flags;
	uint16_t ethertype; /* host order, behind any VLAN tags; 0: an 802.3 length */
	uint16_t l3_off; /* from the start of the frame, in bytes */
	uint16_t l4_off;
	uint32_t l3_len; /* bytes from the L3 header to the packet's own end, padding excluded */
	uint16_t payload_off; /* behind the TCP or UDP header, else where l4_off is */
	uint8_t l4_proto; /* IPPROTO_*, behind any extension headers */
	uint8_t tcp_flags;

	/*
	 * Both are the same for the two directions of a conversation. An ICMP error has those of
	 * the packet that it quotes. A fragment has no ports or protocol in its flow_hash, the
	 * first one neither, and an ICMP error's goes by its own addresses, so that all of a
	 * packet's fragments agree.
	 */
	uint32_t addr_hash; /* of the two IP addresses (or the two MACs where not IP) */
	uint32_t flow_hash; /* of addresses, protocol and ports (ICMP echo: identifier) */
};

/*
 * Parses the headers in the first segment of m (a header that goes beyond it is malformed; vhost
 * and kernel ports fill the first segment before they chain). Trusts only m's lengths; reads no
 * byte beyond the first segment's data, and writes nothing but *p, of which everything is set.
 *
 * Returns -1, or the reason to drop it: frame_short, frame_long (an L3 part over PACKET_L3_MAX),
 * ip_malformed, l4_malformed (in an unfragmented UDP packet also a length field that contradicts
 * it). Bounds: two VLAN tags (behind a third, the packet is not looked at and its ethertype is
 * the tag's), eight IPv6 extension headers (a ninth is ip_malformed). Jumbograms are malformed, and
 * so are IPv4-mapped addresses in IPv6.
 * An IPv6 packet whose fragment header says that it is whole (RFC 6946) is no fragment.
 */
int packet_parse(const struct rte_mbuf *m, struct packet *p);

/* A fragment's place in its packet. */
struct packet_fragment {
	uint32_t id; /* host order; names the packet beside the addresses */
	uint16_t offset; /* of its payload in the packet's, bytes */
	uint16_t header; /* bytes from the L3 header to its payload; with IPv6's fragment header */
	uint32_t len; /* of its payload, bytes */
	uint8_t proto; /* IPv4: names the packet, too; IPv6: 0 */
	bool more; /* it is not the last */
};

/* m: a fragment (PACKET_FRAGMENT) in which packet_parse() found p. */
void packet_fragment(const struct rte_mbuf *m, const struct packet *p, struct packet_fragment *f);

/*
 * Whether an honest sender's fragment can be so, whatever else there is of its packet: see
 * fragments.h.
 */
bool packet_fragment_is_sane(const struct packet_fragment *f);

/*
 * m: the first fragment of a packet of which all is there, in which packet_parse() found p; len:
 * bytes of the whole from p->l4_off on. Makes p what it were if the packet were whole: no fragment,
 * with ports in its flow_hash, an ICMP error with the hashes of what it quotes. l3_len stays the
 * fragment's. Returns -1, or l4_malformed: also a UDP length that is not just len.
 */
int packet_parse_whole(const struct rte_mbuf *m, uint32_t len, struct packet *p);

/*
 * Where the upper layer's header of the packet is that an ICMP or ICMPv6 error quotes at ip, of
 * which avail bytes are readable. False where that is cut off, or is in another fragment, or where
 * an IPv6 packet has IPv4-mapped addresses. Behind l4_off there may be nothing any more.
 */
bool packet_quoted(
	bool ipv6, const uint8_t *ip, uint32_t avail, uint32_t *l4_off, uint8_t *l4_proto);

/*
 * The flow_hash of a whole TCP or UDP packet over IPv4 between these two; addresses as they stand
 * on the wire, ports in host order.
 */
uint32_t packet_flow_hash(
	uint32_t addr0, uint32_t addr1, uint8_t proto, uint16_t port0, uint16_t port1);

/*
 * Sets the secret behind the hashes, so that nobody outside can aim packets at one bucket or one
 * worker. Call it before the workers start, with random bits; without it, hashes are the same in
 * every run, which is what replay wants.
 */
void packet_hash_secret(uint64_t secret);

/* What that made of it, for other hashes of what guests choose: constant once workers run. */
extern uint64_t packet_secrets[3];

#endif
