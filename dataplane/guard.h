/*
 * Anti-spoofing: whether a frame may come from its port at all. Before anything is learned of it,
 * and before any rule.
 *
 * A guest sends from its own MAC and addresses and the port's pairs; asks for addresses, and gives
 * none out (DHCP, DHCPv6, router advertisements); speaks the ethertypes of its network. The list is
 * that of OpenStack's firewall driver (its contributor documentation, "Open vSwitch firewall"); the
 * counters are split as NSX SpoofGuard's are.
 *
 * guard_check(): any thread; no state, no DPDK library. Guards are immutable and built with the
 * snapshot. What is in the later fragments of a packet is judged by its first.
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
	struct addr_span span;
	uint8_t mac[6];
};

struct guard {
	bool trusted; /* only the ethertypes are held against it */
	bool has_mac;
	uint8_t mac[6];
	bool has_addresses; /* else any source address passes */
	uint16_t n_pairs; /* the port's own addresses are pairs with its own MAC */
	struct guard_pair *pairs;
	uint16_t n_ethertypes;
	uint16_t ethertypes[CONFIG_ETHERTYPES_MAX];
};

/* NULL: out of memory. Control thread. */
struct guard *guard_create(const struct config_port *port, const struct config_network *network);
void guard_free(struct guard *guard);

/*
 * Returns -1, or the reason to drop: spoof_mac, spoof_arp, spoof_ipv4, spoof_ipv6, spoof_nd,
 * rogue_dhcp, rogue_ra, ethertype.
 */
int guard_check(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p);

/*
 * Whether a receiver must get it whatever its rules say: ARP, neighbour discovery, router
 * advertisements, multicast listener queries. Only what passed guard_check().
 */
bool guard_is_neighbourly(const struct rte_mbuf *m, const struct packet *p);

#endif
