#include "guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ether.h>

#include "load.h"

#define ARP_LEN     28
#define ARP_REQUEST 1
#define ARP_REPLY   2
#define RARP_ASK    3 /* RFC 903: request reverse */

#define DHCP_SERVER   67
#define DHCP_CLIENT   68
#define BOOTREPLY     2
#define DHCPV6_CLIENT 546
#define DHCPV6_SERVER 547
#define UDP_LEN       8

#define MLD_QUERY     130
#define MLD_REPORT    131
#define MLD_DONE      132
#define ND_RS         133
#define ND_RA         134
#define ND_NS         135
#define ND_NA         136
#define ND_REDIRECT   137
#define MLDV2_REPORT  143
#define ND_HOP_LIMIT  255
#define ND_TARGET     8 /* offset in solicitation and advertisement */
#define ND_SOURCE_MAC 1 /* option types */
#define ND_TARGET_MAC 2
/* The five of RFC 4861, the four of RFC 3971 and a nonce, and as many that are not known here. */
#define ND_OPTIONS_MAX 20

/* The bytes of a message that are there and in the first segment. */
struct part {
	const uint8_t *data;
	uint32_t len;
	bool whole; /* to the packet's end */
};

static inline bool mac_equal(const uint8_t *a, const uint8_t *b)
{
	return load32(a) == load32(b) && load16(a + 4) == load16(b + 4);
}

static inline bool mac_unicast(const uint8_t *mac)
{
	return !(mac[0] & 1) && (load32(mac) | load16(mac + 4)) != 0;
}

static struct part part_from(const struct rte_mbuf *m, const struct packet *p, uint32_t off)
{
	uint32_t end = p->l3_off + p->l3_len, readable = RTE_MIN(end, m->data_len);

	return (struct part){
		.data = rte_pktmbuf_mtod(m, const uint8_t *) + off,
		.len = off < readable ? readable - off : 0,
		.whole = end <= m->data_len,
	};
}

static bool mac_allowed(const struct guard *guard, const uint8_t *mac)
{
	if (!mac_unicast(mac))
		return false;
	if (!guard->has_macs || (guard->has_mac && mac_equal(mac, guard->mac)))
		return true;
	for (unsigned i = 0; i < guard->n_pairs; i++) {
		if (guard->pairs[i].has_mac && mac_equal(mac, guard->pairs[i].mac))
			return true;
	}
	return false;
}

/* A MAC that a message names: the port's as well as the frame's own. */
static bool inner_mac_allowed(const struct guard *guard, const uint8_t *mac, const uint8_t *source)
{
	return mac_equal(mac, source) || (guard->has_macs && mac_allowed(guard, mac));
}

/*
 * The family is compared too: ::/0 as numbers holds all of IPv4, and ::ffff:10.0.0.1 on the wire
 * is not 10.0.0.1.
 */
static bool pair_allowed(const struct guard *guard, struct addr a, bool ipv4, const uint8_t *mac)
{
	if (!guard->has_addresses)
		return true;
	for (unsigned i = 0; i < guard->n_pairs; i++) {
		const struct guard_pair *pair = &guard->pairs[i];

		if (addr_in(a, pair->span) && addr_is_ipv4(pair->span.first) == ipv4 &&
			(!pair->has_mac || mac_equal(pair->mac, mac)))
			return true;
	}
	return false;
}

/* No one's address on a network, whatever a pair says: loopback, groups, broadcast, 0.0.0.0. */
static bool ipv4_unicast(const uint8_t *a)
{
	return a[0] < 224 && a[0] != 127 && load32(a) != 0;
}

/* As above, with ::1, and what stands for IPv4 inside of hosts (RFC 4291, 2.5.5.2). */
static bool ipv6_unicast(struct addr a)
{
	return a.high >> 56 != 0xff && !(a.high == 0 && a.low <= 1) && !addr_is_ipv4(a);
}

static bool ipv6_link_local(struct addr a)
{
	return a.high >> 54 == 0xfe80 >> 6;
}

static bool ipv6_own(const struct guard *guard, struct addr a, const uint8_t *mac)
{
	return ipv6_unicast(a) && (ipv6_link_local(a) || pair_allowed(guard, a, false, mac));
}

/* Whether the sender may say that it has, or is about to have, the address that it names. */
static bool arp_addresses(const struct guard *guard, const uint8_t *arp, uint16_t op)
{
	const uint8_t *sha = arp + 8, *spa = arp + 14, *tpa = arp + 24;

	/*
	 * A probe (RFC 5227, 2.1.1) tells others who probe for the same address that it is taken,
	 * so it must be an own one.
	 */
	if (load32(spa) == 0 && op != ARP_REPLY)
		return op == RARP_ASK || pair_allowed(guard, addr_from_ipv4(tpa), true, sha);
	return ipv4_unicast(spa) && pair_allowed(guard, addr_from_ipv4(spa), true, sha);
}

static int check_arp(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *source = rte_pktmbuf_mtod(m, const uint8_t *) + 6;
	struct part part = part_from(m, p, p->l3_off);
	const uint8_t *arp = part.data;
	bool rarp = p->ethertype == RTE_ETHER_TYPE_RARP;
	uint16_t op;

	if (part.len < ARP_LEN)
		return DROP_spoof_arp;
	/* Ethernet and IPv4, of their lengths */
	if (load16(arp) != 1 || load16(arp + 2) != RTE_ETHER_TYPE_IPV4 || arp[4] != 6 ||
		arp[5] != 4)
		return DROP_spoof_arp;
	op = load16(arp + 6);
	if (rarp ? op != RARP_ASK : op != ARP_REQUEST && op != ARP_REPLY)
		return DROP_spoof_arp;
	if (!inner_mac_allowed(guard, arp + 8, source))
		return DROP_spoof_arp;
	if (rarp && !inner_mac_allowed(guard, arp + 18, source))
		return DROP_spoof_arp;
	return arp_addresses(guard, arp, op) ? -1 : DROP_spoof_arp;
}

/* First byte of a UDP payload; -1: there is none; -2: it is out of sight. */
static int udp_first_byte(const struct part *udp)
{
	if (load16(udp->data + 4) <= UDP_LEN)
		return -1;
	return udp->len > UDP_LEN ? udp->data[UDP_LEN] : -2;
}

/*
 * Clients listen to what comes to their port, from whichever it comes; relay agents pass a server's
 * answers on (RFC 2131, 4.1; RFC 8415, 7.2 and 19).
 */
static bool udp_gives_addresses(const struct rte_mbuf *m, const struct packet *p)
{
	struct part udp = part_from(m, p, p->l4_off);
	uint16_t from = load16(udp.data), to = load16(udp.data + 2);
	int byte;

	if (p->flags & PACKET_IPV4) {
		if (to != DHCP_SERVER)
			return to == DHCP_CLIENT;
		byte = udp_first_byte(&udp);
		return from == DHCP_SERVER || byte == BOOTREPLY || byte == -2;
	}
	if (to != DHCPV6_SERVER)
		return to == DHCPV6_CLIENT;
	byte = udp_first_byte(&udp);
	/* ADVERTISE, REPLY, RECONFIGURE, RELAY-REPL */
	return from == DHCPV6_SERVER || byte == 2 || byte == 7 || byte == 10 || byte == 13 ||
	       byte == -2;
}

static inline bool is_udp(const struct packet *p)
{
	return p->l4_proto == IPPROTO_UDP && p->flags & PACKET_L4;
}

static bool dhcp_asks(const struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *udp = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l4_off);

	return is_udp(p) && load16(udp) == DHCP_CLIENT && load16(udp + 2) == DHCP_SERVER;
}

static int check_ipv4(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *from = frame + p->l3_off + 12;

	if (load32(from) == 0) {
		if (!dhcp_asks(m, p))
			return DROP_spoof_ipv4;
	} else if (!ipv4_unicast(from) ||
		   !pair_allowed(guard, addr_from_ipv4(from), true, frame + 6)) {
		return DROP_spoof_ipv4;
	}
	if (is_udp(p) && udp_gives_addresses(m, p))
		return DROP_rogue_dhcp;
	return -1;
}

/*
 * Walks the options at off. False where one is malformed or names another's MAC. *target_mac is
 * set where one gives the target's; *has_source where one gives the sender's.
 */
static bool nd_options(const struct guard *guard, const struct part *nd, uint32_t off,
	const uint8_t *source, const uint8_t **target_mac, bool *has_source)
{
	unsigned n = 0;

	*has_source = false;
	while (off < nd->len) {
		const uint8_t *option = nd->data + off;
		uint32_t len;

		if (nd->len - off < 8 || ++n > ND_OPTIONS_MAX)
			return false;
		len = option[1] * 8u;
		if (len == 0 || len > nd->len - off)
			return false;
		if (option[0] == ND_SOURCE_MAC || option[0] == ND_TARGET_MAC) {
			if (len != 8 || !inner_mac_allowed(guard, option + 2, source))
				return false;
			if (option[0] == ND_TARGET_MAC)
				*target_mac = option + 2;
			else
				*has_source = true;
		}
		off += len;
	}
	return true;
}

/* ff02::1:ff00:0/104 with the target's last three bytes (RFC 4291, 2.7.1). */
static bool is_solicited_node(struct addr to, struct addr target)
{
	return to.high == UINT64_C(0xff02) << 48 &&
	       to.low == (UINT64_C(0x1ff000000) | (target.low & 0xffffff));
}

/*
 * RFC 4861, 6.1.1, 7.1.1 and 7.1.2. ip: the IPv6 header. Whose address the source is has been
 * checked, and that :: sends no other kind than a solicitation.
 */
static bool nd_honest(
	const struct guard *guard, const struct part *nd, const uint8_t *ip, const uint8_t *source)
{
	struct addr from = addr_from_ipv6(ip + 8), to = addr_from_ipv6(ip + 24), target;
	uint8_t type = nd->data[0];
	uint32_t options = type == ND_RS ? ND_TARGET : ND_TARGET + 16;
	const uint8_t *target_mac = source;
	bool has_source;

	if (ip[7] != ND_HOP_LIMIT || nd->data[1] != 0 || !nd->whole || nd->len < options)
		return false;
	if (!nd_options(guard, nd, options, source, &target_mac, &has_source))
		return false;
	if (type == ND_RS)
		return true;
	target = addr_from_ipv6(nd->data + ND_TARGET);
	if (type == ND_NA)
		return ipv6_own(guard, target, target_mac);
	if (from.high != 0 || from.low != 0)
		return ipv6_unicast(target);
	/* duplicate address detection (RFC 4862, 5.4.2) */
	return !has_source && is_solicited_node(to, target) && ipv6_own(guard, target, source);
}

static int check_icmpv6(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	struct part nd = part_from(m, p, p->l4_off);

	switch (nd.data[0]) {
	case ND_RA:
	case ND_REDIRECT:
		return DROP_rogue_ra;
	case ND_RS:
	case ND_NS:
	case ND_NA:
		if (p->flags & PACKET_FRAGMENT ||
			!nd_honest(guard, &nd, frame + p->l3_off, frame + 6))
			return DROP_spoof_nd;
		return -1;
	default:
		return -1;
	}
}

static inline bool is_icmpv6(const struct packet *p)
{
	return p->l4_proto == IPPROTO_ICMPV6 && (p->flags & PACKET_L4) && (p->flags & PACKET_IPV6);
}

/* What the unspecified address may send: before a host has one it probes and joins groups. */
static bool unspecified_allowed(const struct rte_mbuf *m, const struct packet *p)
{
	uint8_t type;

	if (!is_icmpv6(p) || p->flags & PACKET_FRAGMENT)
		return false;
	type = *rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l4_off);
	return type == ND_NS || type == MLD_REPORT || type == MLD_DONE || type == MLDV2_REPORT;
}

static int check_ipv6(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	struct addr from = addr_from_ipv6(frame + p->l3_off + 8);

	if (from.high == 0 && from.low == 0) {
		if (!unspecified_allowed(m, p))
			return DROP_spoof_ipv6;
	} else if (!ipv6_own(guard, from, frame + 6)) {
		return DROP_spoof_ipv6;
	}
	if (is_icmpv6(p))
		return check_icmpv6(guard, m, p);
	if (is_udp(p) && udp_gives_addresses(m, p))
		return DROP_rogue_dhcp;
	return -1;
}

static bool ethertype_listed(const struct guard *guard, uint16_t ethertype)
{
	for (unsigned i = 0; i < guard->n_ethertypes; i++) {
		uint16_t listed = guard->ethertypes[i];

		if (listed == CONFIG_ETHERTYPE_ANY || listed == ethertype)
			return true;
	}
	return false;
}

static __rte_noinline int check_all(
	const struct guard *guard, const struct rte_mbuf *m, const struct packet *p)
{
	if (!ethertype_listed(guard, p->ethertype))
		return DROP_ethertype;
	if (guard->trusted)
		return -1;
	if (!mac_allowed(guard, rte_pktmbuf_mtod(m, const uint8_t *) + 6))
		return DROP_spoof_mac;
	switch (p->ethertype) {
	case RTE_ETHER_TYPE_IPV4:
		return check_ipv4(guard, m, p);
	case RTE_ETHER_TYPE_IPV6:
		return check_ipv6(guard, m, p);
	case RTE_ETHER_TYPE_ARP:
	case RTE_ETHER_TYPE_RARP:
		return check_arp(guard, m, p);
	default:
		return -1;
	}
}

/* TCP, or UDP that is none of DHCP's. */
static inline bool is_plain(const struct rte_mbuf *m, const struct packet *p)
{
	uint16_t to;

	if (likely(p->l4_proto == IPPROTO_TCP))
		return true;
	if (!is_udp(p))
		return false;
	to = load16(rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l4_off + 2));
	return to != DHCP_SERVER && to != DHCP_CLIENT && to != DHCPV6_SERVER && to != DHCPV6_CLIENT;
}

/* The ethertype in what is compared says that there is an IP header, and no tag before it. */
int guard_check(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t source = load64(frame + 6);

	if (likely(guard->has_usual4 && source == guard->usual_source4)) {
		if (likely(load32(frame + 26) == guard->usual_ipv4 && is_plain(m, p)))
			return -1;
	} else if (guard->has_usual6 && source == guard->usual_source6) {
		if (likely(load64(frame + 22) == guard->usual_ipv6[0] &&
			    load64(frame + 30) == guard->usual_ipv6[1] && is_plain(m, p)))
			return -1;
	}
	return check_all(guard, m, p);
}

/* 01:80:c2:00:00:00 to 0f */
static bool is_reserved_multicast(const uint8_t *mac)
{
	static const uint8_t prefix[5] = {0x01, 0x80, 0xc2, 0, 0};

	return memcmp(mac, prefix, sizeof(prefix)) == 0 && mac[5] < 0x10;
}

int guard_admit_any(const struct guard *guard, const struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);

	if (unlikely(!mac_unicast(frame + 6)))
		return DROP_src_mac_invalid;
	if (unlikely(p->flags & PACKET_TAGGED) && !guard->tagged)
		return DROP_vlan_tagged;
	if (unlikely(p->flags & PACKET_GROUP) && is_reserved_multicast(frame))
		return DROP_reserved_multicast;
	return guard_check(guard, m, p);
}

static void add_pair(struct guard *guard, struct addr_span span, bool has_mac, const uint8_t *mac)
{
	struct guard_pair *pair = &guard->pairs[guard->n_pairs++];

	pair->span = span;
	pair->has_mac = has_mac || guard->has_mac;
	memcpy(pair->mac, has_mac ? mac : guard->mac, sizeof(pair->mac));
	guard->has_macs |= has_mac;
	guard->has_addresses = true;
}

static void add_pairs(struct guard *guard, const struct config_port *port)
{
	for (unsigned i = 0; i < port->n_ips; i++) {
		uint8_t bytes[16];
		struct addr a;

		if (inet_pton(AF_INET, port->ips[i], bytes) == 1)
			a = addr_from_ipv4(bytes);
		else if (inet_pton(AF_INET6, port->ips[i], bytes) == 1)
			a = addr_from_ipv6(bytes);
		else
			continue; /* the configuration has none such; and less passes without */
		add_pair(guard, (struct addr_span){a, a}, false, NULL);
	}
	for (unsigned i = 0; i < port->n_pairs; i++)
		add_pair(guard, port->pairs[i].span, port->pairs[i].has_mac, port->pairs[i].mac);
}

/* A MAC and an ethertype as a frame has them. */
static uint64_t usual_source(const uint8_t *mac, uint16_t ethertype)
{
	uint8_t source[8];

	memcpy(source, mac, 6);
	source[6] = ethertype >> 8;
	source[7] = ethertype & 0xff;
	return load64(source);
}

/* The first single address of each family that has a MAC. */
static void set_usual(struct guard *guard)
{
	bool ipv4 = ethertype_listed(guard, RTE_ETHER_TYPE_IPV4) && !guard->trusted;
	bool ipv6 = ethertype_listed(guard, RTE_ETHER_TYPE_IPV6) && !guard->trusted;

	for (unsigned i = 0; i < guard->n_pairs; i++) {
		const struct guard_pair *pair = &guard->pairs[i];
		struct addr a = pair->span.first;
		uint32_t v4 = rte_cpu_to_be_32((uint32_t)a.low);

		if (!pair->has_mac || !mac_unicast(pair->mac) || !addr_equal(a, pair->span.last))
			continue;
		if (addr_is_ipv4(a)) {
			if (guard->has_usual4 || !ipv4 || !ipv4_unicast((const uint8_t *)&v4))
				continue;
			guard->usual_ipv4 = v4;
			guard->usual_source4 = usual_source(pair->mac, RTE_ETHER_TYPE_IPV4);
			guard->has_usual4 = true;
		} else if (!guard->has_usual6 && ipv6 && ipv6_unicast(a)) {
			guard->usual_ipv6[0] = rte_cpu_to_be_64(a.high);
			guard->usual_ipv6[1] = rte_cpu_to_be_64(a.low);
			guard->usual_source6 = usual_source(pair->mac, RTE_ETHER_TYPE_IPV6);
			guard->has_usual6 = true;
		}
	}
}

struct guard *guard_create(const struct config_port *port, const struct config_network *network)
{
	size_t pairs = (size_t)port->n_ips + port->n_pairs;
	struct guard *guard = calloc(1, sizeof(*guard) + pairs * sizeof(struct guard_pair));

	if (guard == NULL)
		return NULL;
	guard->pairs = (struct guard_pair *)(guard + 1);
	guard->tagged = port->tagged;
	guard->trusted = port->trusted;
	guard->has_mac = guard->has_macs = port->has_mac;
	memcpy(guard->mac, port->mac, sizeof(guard->mac));
	guard->has_addresses = port->n_ips > 0 || port->n_pairs > 0;
	add_pairs(guard, port);
	guard->n_ethertypes = (uint16_t)RTE_MIN(network->n_ethertypes, RTE_DIM(guard->ethertypes));
	memcpy(guard->ethertypes, network->ethertypes,
		guard->n_ethertypes * sizeof(guard->ethertypes[0]));
	guard->open4 = guard->trusted && ethertype_listed(guard, RTE_ETHER_TYPE_IPV4);
	set_usual(guard);
	return guard;
}

void guard_free(struct guard *guard)
{
	free(guard);
}
