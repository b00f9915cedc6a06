/*
 * Anti-spoofing: whether a frame may come from its port at all. Before anything is learned of it,
 * and before any rule.
 *
 * A guest sends from its own MAC and addresses and the port's pairs; asks for addresses, and gives
 * none out (DHCP, DHCPv6, router advertisements); speaks the ethertypes of its network. The list is
 * that of OpenStack's firewall driver (its contributor documentation, "Open vSwitch firewall"); the
 * counters are split as NSX SpoofGuard's are.
 *
 * guard_check() and guard_admit(): any thread; no state, no DPDK library. Guards are immutable and
 * built with the snapshot. What is in the later fragments of a packet is judged by its first.
 */
#ifndef VS_GUARD_H
#define VS_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>
#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "addr.h"
#include "config.h"
#include "drop.h"
#include "load.h"
#include "packet.h"

struct guard_pair {
	struct addr_span span; /* of one family: that of its first address */
	bool has_mac; /* else whatever MAC the port may send from */
	uint8_t mac[6];
};

struct guard {
	/*
	 * What nearly every frame of a guest begins with: a MAC and the family's ethertype, as
	 * bytes 6 to 13 of an untagged frame have them, and its first address, as on the wire.
	 */
	uint64_t usual_source4, usual_source6;
	uint64_t usual_ipv6[2];
	uint32_t usual_ipv4;
	bool has_usual4, has_usual6;
	bool tagged; /* frames with a VLAN tag pass */
	bool trusted; /* only the ethertypes are held against it */
	bool open4; /* trusted, and IPv4 passes */
	bool has_mac;
	bool has_macs; /* its own or a pair's; else any unicast MAC passes */
	bool has_addresses; /* else any source address passes */
	uint8_t mac[6];
	uint16_t n_pairs; /* the port's own addresses are pairs with its own MAC */
	uint16_t n_ethertypes;
	struct guard_pair *pairs;
	uint16_t ethertypes[CONFIG_ETHERTYPES_MAX];
};

/* NULL: out of memory. Control thread. */
struct guard *guard_create(const struct config_port *port, const struct config_network *network);
void guard_free(struct guard *guard);

/*
 * m: as packet_parse() found it to be p. Reads its first segment only, and neighbour discovery or
 * ARP that is not all in there does not pass. Returns -1, or the reason to drop:
 *
 * - ethertype: the network does not list it (behind VLAN tags; an 802.3 length is in `any` alone);
 * - spoof_mac: neither the port's MAC nor a pair's, or a group's;
 * - spoof_arp: ARP (RFC 826) whose sender's MAC and address are no pair of the port, a probe (RFC
 *   5227) for an address of another, RARP that is no request for an own MAC (RFC 903);
 * - spoof_ipv4, spoof_ipv6: no pair of source address and MAC. 0.0.0.0 may ask for an address
 *   (DHCP), :: may probe for its own and join groups (MLD), fe80::/10 is anyone's;
 * - spoof_nd: neighbour discovery (RFC 4861, and 6980: never in fragments) with another's MAC or
 *   about another's address, or malformed;
 * - rogue_dhcp: an answer to a DHCP or DHCPv6 client, or to a relay agent;
 * - rogue_ra: router advertisements, and redirects.
 *
 * A port without a MAC vouches for none: there the MAC inside of ARP and neighbour discovery must
 * be the frame's.
 */
int guard_check(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p);

/* guard_admit() where it is not a usual packet. */
int guard_admit_any(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p);

/* TCP, or UDP that is none of DHCP's. The ports stand at l4. */
static inline bool guard_is_plain(const struct packet *p, const uint8_t *l4)
{
	uint16_t to;

	if (!(p->flags & PACKET_L4))
		return false;
	if (p->l4_proto == IPPROTO_TCP)
		return true;
	to = load16(l4 + 2);
	return p->l4_proto == IPPROTO_UDP && to != 67 && to != 68 && to != 546 && to != 547;
}

/*
 * Whether a packet for one receiver passes at a glance: IPv4 from the port's first address, or
 * whatever a trusted port sends. An untagged IPv4 frame, so its addresses are where they always
 * are.
 */
static inline bool guard_is_usual(
	const struct guard *guard, const struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t source = load64(frame + 6);

	if ((p->flags & (PACKET_IPV4 | PACKET_GROUP | PACKET_TAGGED)) != PACKET_IPV4)
		return false;
	if (guard->has_usual4 && source == guard->usual_source4)
		return load32(frame + 26) == guard->usual_ipv4 &&
		       guard_is_plain(p, frame + p->l4_off);
	/* The multicast bit is that of the first byte. */
	return guard->open4 && !(frame[6] & 1) && (load32(frame + 6) | load16(frame + 10)) != 0;
}

/*
 * All that a frame is held against before anything is learned of it: what holds for every port, and
 * guard_check(). Besides the latter's reasons it returns src_mac_invalid, vlan_tagged (the port
 * takes none) and reserved_multicast (IEEE 802.1Q, table 8-1: no bridge forwards it).
 */
static inline int guard_admit(
	const struct guard *guard, const struct rte_mbuf *m, const struct packet *p)
{
	return likely(guard_is_usual(guard, m, p)) ? -1 : guard_admit_any(guard, m, p);
}

#endif
