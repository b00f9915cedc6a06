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

#include <rte_mbuf.h>

#include "addr.h"
#include "config.h"
#include "drop.h"
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

/*
 * All that a frame is held against before anything is learned of it: what holds for every port, and
 * guard_check(). Besides the latter's reasons it returns src_mac_invalid, vlan_tagged (the port
 * takes none) and reserved_multicast (IEEE 802.1Q, table 8-1: no bridge forwards it).
 */
int guard_admit(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p);

#endif
