#include "vxlan_resolve.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_byteorder.h>
#include <rte_icmp.h>
#include <rte_ip.h>

#include "checksum.h"

#define L3             RTE_ETHER_HDR_LEN
#define ND_HOP_LIMIT   255 /* so it has passed no router */
#define ND_SOLICIT     135
#define ND_ADVERT      136
#define ND_SOURCE_LINK 1
#define ND_TARGET_LINK 2
#define ND_SOLICITED   (1u << 30)
#define ND_OVERRIDE    (1u << 29)
#define ND_OPTIONS_MAX 8

/* A neighbour solicitation or advertisement with the one option that we put into it. */
struct nd {
	struct rte_ipv6_hdr ip;
	uint8_t type, code;
	rte_be16_t sum;
	rte_be32_t flags;
	uint8_t target[16];
	uint8_t option, option_len; /* in units of 8 bytes */
	uint8_t link[RTE_ETHER_ADDR_LEN];
} __attribute__((packed));

#define ND_FIXED offsetof(struct nd, option) /* bytes without options */

static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};

static void address_bytes(uint8_t bytes[16], struct addr a)
{
	rte_be64_t v[2] = {rte_cpu_to_be_64(a.high), rte_cpu_to_be_64(a.low)};

	memcpy(bytes, v, sizeof(v));
}

/* Of IPv6 multicast (RFC 2464, 7). */
static struct rte_ether_addr group_mac(const uint8_t address[16])
{
	struct rte_ether_addr mac = {{0x33, 0x33}};

	memcpy(mac.addr_bytes + 2, address + 12, 4);
	return mac;
}

static void put_ether(struct rte_mbuf *m, const struct vxlan_end *end,
	const struct rte_ether_addr *to, uint16_t type)
{
	struct rte_ether_hdr ether = {
		.dst_addr = *to, .src_addr = end->mac, .ether_type = rte_cpu_to_be_16(type)};

	memcpy(rte_pktmbuf_mtod(m, void *), &ether, sizeof(ether));
	m->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
	m->tx_offload = L3;
}

/* Makes what is in m, longer or shorter, len bytes long. m has one segment, with room. */
static void set_len(struct rte_mbuf *m, uint16_t len)
{
	m->data_len = len;
	m->pkt_len = len;
}

static void put_arp(struct rte_mbuf *m, const struct vxlan_end *end, uint16_t operation,
	rte_be32_t about, const struct rte_ether_addr *whom, const struct rte_ether_addr *to)
{
	struct rte_arp_hdr arp = {
		.arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER),
		.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN,
		.arp_plen = sizeof(rte_be32_t),
		.arp_opcode = rte_cpu_to_be_16(operation),
		.arp_data =
			{
				.arp_sha = end->mac,
				.arp_sip = rte_cpu_to_be_32((uint32_t)end->address.low),
				.arp_tha = *whom,
				.arp_tip = about,
			},
	};

	set_len(m, L3 + sizeof(arp));
	put_ether(m, end, to, RTE_ETHER_TYPE_ARP);
	memcpy(rte_pktmbuf_mtod_offset(m, void *, L3), &arp, sizeof(arp));
}

static void put_nd(struct rte_mbuf *m, const struct vxlan_end *end, struct nd *nd,
	const uint8_t to[16], const struct rte_ether_addr *to_mac)
{
	uint16_t len = sizeof(*nd) - sizeof(nd->ip);

	nd->ip.vtc_flow = rte_cpu_to_be_32(6u << 28);
	nd->ip.payload_len = rte_cpu_to_be_16(len);
	nd->ip.proto = IPPROTO_ICMPV6;
	nd->ip.hop_limits = ND_HOP_LIMIT;
	address_bytes(nd->ip.src_addr, end->address);
	memcpy(nd->ip.dst_addr, to, 16);
	nd->option_len = 1;
	memcpy(nd->link, &end->mac, sizeof(nd->link));
	set_len(m, L3 + sizeof(*nd));
	put_ether(m, end, to_mac, RTE_ETHER_TYPE_IPV6);
	nd->sum = checksum_pseudo((const uint8_t *)nd, sizeof(nd->ip), true, IPPROTO_ICMPV6, len);
	memcpy(rte_pktmbuf_mtod_offset(m, void *, L3), nd, sizeof(*nd));
	nd->sum = (uint16_t)~checksum_sum(m, L3 + sizeof(nd->ip), len);
	memcpy(rte_pktmbuf_mtod_offset(m, void *, L3), nd, sizeof(*nd));
}

static void ask_nd(struct rte_mbuf *m, const struct vxlan_end *end, struct addr address,
	const struct rte_ether_addr *to)
{
	static const uint8_t solicited_node[13] = {0xff, 0x02, [11] = 1, 0xff};
	struct nd nd = {.type = ND_SOLICIT, .option = ND_SOURCE_LINK};
	struct rte_ether_addr group;
	uint8_t dst[16];

	address_bytes(nd.target, address);
	memcpy(dst, nd.target, sizeof(dst));
	if (to == NULL) {
		memcpy(dst, solicited_node, sizeof(solicited_node));
		group = group_mac(dst);
		to = &group;
	}
	put_nd(m, end, &nd, dst, to);
}

void vxlan_resolve_ask(struct rte_mbuf *m, const struct vxlan_end *end, struct addr address,
	const struct rte_ether_addr *to)
{
	static const struct rte_ether_addr nobody, all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

	if (addr_is_ipv4(address))
		put_arp(m, end, RTE_ARP_OP_REQUEST, rte_cpu_to_be_32((uint32_t)address.low),
			&nobody, to != NULL ? to : &all);
	else
		ask_nd(m, end, address, to);
}

/* Whether nothing stands in the way of writing an answer of len bytes over m. */
static bool has_room(const struct rte_mbuf *m, uint16_t len)
{
	return m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) &&
	       rte_pktmbuf_data_len(m) + rte_pktmbuf_tailroom(m) >= len;
}

static enum vxlan_resolve_kind hear_arp(
	struct rte_mbuf *m, const struct vxlan_end *end, struct vxlan_said *said)
{
	struct rte_arp_hdr arp;
	uint16_t operation;

	if (rte_pktmbuf_data_len(m) < L3 + sizeof(arp))
		return VXLAN_RESOLVE_NONE;
	memcpy(&arp, rte_pktmbuf_mtod_offset(m, void *, L3), sizeof(arp));
	operation = rte_be_to_cpu_16(arp.arp_opcode);
	if (arp.arp_hardware != rte_cpu_to_be_16(RTE_ARP_HRD_ETHER) ||
		arp.arp_protocol != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
		arp.arp_hlen != RTE_ETHER_ADDR_LEN || arp.arp_plen != sizeof(rte_be32_t) ||
		(operation != RTE_ARP_OP_REQUEST && operation != RTE_ARP_OP_REPLY) ||
		!rte_is_valid_assigned_ether_addr(&arp.arp_data.arp_sha))
		return VXLAN_RESOLVE_NONE;
	said->address = addr_from_ipv4(&arp.arp_data.arp_sip);
	said->mac = arp.arp_data.arp_sha;
	said->known = arp.arp_data.arp_sip != 0;
	if (operation != RTE_ARP_OP_REQUEST ||
		!addr_equal(addr_from_ipv4(&arp.arp_data.arp_tip), end->address) ||
		!has_room(m, L3 + sizeof(arp)))
		return VXLAN_RESOLVE_SAID;
	put_arp(m, end, RTE_ARP_OP_REPLY, arp.arp_data.arp_sip, &said->mac, &said->mac);
	return VXLAN_RESOLVE_ASKED;
}

/* The link-layer address in an option of that type; false where the options are not in order. */
static bool link_option(const uint8_t *at, uint32_t len, uint8_t type, struct rte_ether_addr *mac)
{
	for (unsigned i = 0; i < ND_OPTIONS_MAX && len > 0; i++) {
		uint32_t size = len < 8 ? 0 : at[1] * 8u;

		if (size == 0 || size > len)
			return false;
		if (at[0] == type)
			memcpy(mac, at + 2, sizeof(*mac));
		at += size;
		len -= size;
	}
	return len == 0;
}

/* A packet of the kinds that we hear, whole and with its checksum right (RFC 4861, 7.1). */
static const struct nd *whole_nd(const struct rte_mbuf *m)
{
	const struct nd *nd = rte_pktmbuf_mtod_offset(m, const struct nd *, L3);
	uint32_t len;

	if (rte_pktmbuf_data_len(m) < L3 + ND_FIXED)
		return NULL;
	len = rte_be_to_cpu_16(nd->ip.payload_len);
	if (rte_be_to_cpu_32(nd->ip.vtc_flow) >> 28 != 6 || nd->ip.proto != IPPROTO_ICMPV6 ||
		nd->ip.hop_limits != ND_HOP_LIMIT ||
		(nd->type != ND_SOLICIT && nd->type != ND_ADVERT) || nd->code != 0 ||
		len < ND_FIXED - sizeof(nd->ip) ||
		len > rte_pktmbuf_data_len(m) - L3 - sizeof(nd->ip))
		return NULL;
	if (((uint32_t)checksum_pseudo(
		     (const uint8_t *)&nd->ip, sizeof(nd->ip), true, IPPROTO_ICMPV6, len) +
		    checksum_sum(m, L3 + sizeof(nd->ip), len)) %
			0xffff !=
		0)
		return NULL;
	return nd;
}

static enum vxlan_resolve_kind answer_nd(
	struct rte_mbuf *m, const struct vxlan_end *end, const struct vxlan_said *said)
{
	struct nd nd = {.type = ND_ADVERT, .option = ND_TARGET_LINK};
	struct rte_ether_addr group = group_mac(all_nodes);
	uint8_t dst[16];

	if (!has_room(m, L3 + sizeof(nd)))
		return VXLAN_RESOLVE_SAID;
	address_bytes(nd.target, end->address);
	nd.flags = rte_cpu_to_be_32(ND_OVERRIDE | (said->known ? ND_SOLICITED : 0));
	if (said->known)
		address_bytes(dst, said->address);
	else
		memcpy(dst, all_nodes, sizeof(dst));
	put_nd(m, end, &nd, dst, said->known ? &said->mac : &group);
	return VXLAN_RESOLVE_ASKED;
}

static enum vxlan_resolve_kind hear_nd(
	struct rte_mbuf *m, const struct vxlan_end *end, struct vxlan_said *said)
{
	const struct nd *nd = whole_nd(m);
	struct addr target;
	uint32_t options;
	bool solicits;

	if (nd == NULL)
		return VXLAN_RESOLVE_NONE;
	solicits = nd->type == ND_SOLICIT;
	target = addr_from_ipv6(nd->target);
	options = rte_be_to_cpu_16(nd->ip.payload_len) - (ND_FIXED - sizeof(nd->ip));
	said->mac = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->src_addr;
	if (!link_option((const uint8_t *)nd + ND_FIXED, options,
		    solicits ? ND_SOURCE_LINK : ND_TARGET_LINK, &said->mac) ||
		!rte_is_valid_assigned_ether_addr(&said->mac))
		return VXLAN_RESOLVE_NONE;
	said->address = solicits ? addr_from_ipv6(nd->ip.src_addr) : target;
	said->known = said->address.high != 0 || said->address.low != 0;
	if (!solicits)
		return VXLAN_RESOLVE_SAID;
	if (nd->ip.src_addr[0] == 0xff || !addr_equal(target, end->address))
		return VXLAN_RESOLVE_NONE;
	return answer_nd(m, end, said);
}

enum vxlan_resolve_kind vxlan_resolve_hear(
	struct rte_mbuf *m, const struct vxlan_end *end, struct vxlan_said *said)
{
	bool ipv4 = addr_is_ipv4(end->address);
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	if (rte_pktmbuf_data_len(m) < sizeof(*ether))
		return VXLAN_RESOLVE_NONE;
	if (ipv4 && ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP))
		return hear_arp(m, end, said);
	if (!ipv4 && ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6))
		return hear_nd(m, end, said);
	return VXLAN_RESOLVE_NONE;
}
