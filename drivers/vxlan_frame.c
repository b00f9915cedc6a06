#include "vxlan_frame.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "checksum.h"

#define TTL         64
#define FLAG_VNI    0x08
#define PORT_FIRST  49152 /* of dynamic ports, as RFC 7348 asks for (5) */
#define L3          RTE_ETHER_HDR_LEN
#define AFTER_IP    (sizeof(struct rte_udp_hdr) + sizeof(struct rte_vxlan_hdr))
#define PROTO_FRAG6 44

static uint32_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void put_ipv4(uint8_t *to, struct addr a)
{
	rte_be32_t v = rte_cpu_to_be_32((uint32_t)a.low);

	memcpy(to, &v, sizeof(v));
}

static void put_ipv6(uint8_t *to, struct addr a)
{
	rte_be64_t v[2] = {rte_cpu_to_be_64(a.high), rte_cpu_to_be_64(a.low)};

	memcpy(to, v, sizeof(v));
}

/* Don't fragment, so no identification either (RFC 6864). DSCP and ECN: none (RFC 6040, 4.1). */
static uint8_t *init_ipv4(struct vxlan_headers *h, struct addr from, struct addr to)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = TTL,
		.next_proto_id = IPPROTO_UDP,
	};

	put_ipv4((uint8_t *)&ip.src_addr, from);
	put_ipv4((uint8_t *)&ip.dst_addr, to);
	h->sum = rte_raw_cksum(&ip, sizeof(ip));
	memcpy(h->bytes + L3, &ip, sizeof(ip));
	return h->bytes + L3 + sizeof(ip);
}

static uint8_t *init_ipv6(struct vxlan_headers *h, struct addr from, struct addr to)
{
	struct rte_ipv6_hdr ip = {
		.vtc_flow = rte_cpu_to_be_32(6u << 28),
		.proto = IPPROTO_UDP,
		.hop_limits = TTL,
	};

	put_ipv6(ip.src_addr, from);
	put_ipv6(ip.dst_addr, to);
	h->sum = (uint16_t)fold(
		(uint32_t)rte_raw_cksum(ip.src_addr, 32) + rte_cpu_to_be_16(IPPROTO_UDP));
	memcpy(h->bytes + L3, &ip, sizeof(ip));
	return h->bytes + L3 + sizeof(ip);
}

void vxlan_headers_init(
	struct vxlan_headers *h, const struct vxlan_end *from, struct addr peer, uint32_t vni)
{
	struct rte_ether_hdr ether = {.src_addr = from->mac};
	struct rte_udp_hdr udp = {.dst_port = rte_cpu_to_be_16(from->udp_port)};
	struct rte_vxlan_hdr vxlan = {
		.vx_flags = rte_cpu_to_be_32((uint32_t)FLAG_VNI << 24),
		.vx_vni = rte_cpu_to_be_32(vni << 8),
	};
	uint8_t *at;

	memset(h, 0, sizeof(*h));
	h->ipv6 = !addr_is_ipv4(peer);
	ether.ether_type = rte_cpu_to_be_16(h->ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	memcpy(h->bytes, &ether, sizeof(ether));
	at = h->ipv6 ? init_ipv6(h, from->address, peer) : init_ipv4(h, from->address, peer);
	memcpy(at, &udp, sizeof(udp));
	memcpy(at + sizeof(udp), &vxlan, sizeof(vxlan));
	h->len = (uint16_t)(at + sizeof(udp) + sizeof(vxlan) - h->bytes);
}

/* Lengths, and the sums that they are part of. */
static void finish(struct rte_mbuf *m, const struct vxlan_headers *h)
{
	uint8_t *l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, L3);
	uint16_t l3_len = (uint16_t)(m->pkt_len - L3);
	uint16_t ip_len = h->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(l3 + ip_len);
	rte_be16_t udp_len = rte_cpu_to_be_16(l3_len - ip_len);

	udp->dgram_len = udp_len;
	if (h->ipv6) {
		uint32_t sum = (uint32_t)h->sum + udp_len;

		((struct rte_ipv6_hdr *)l3)->payload_len = udp_len;
		sum = fold(sum + checksum_sum(m, L3 + ip_len, l3_len - ip_len));
		/* Zero would mean that there is none. */
		udp->dgram_cksum = sum == 0xffff ? 0xffff : (uint16_t)~sum;
	} else {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)l3;

		ip->total_length = rte_cpu_to_be_16(l3_len);
		ip->hdr_checksum = (uint16_t)~fold((uint32_t)h->sum + ip->total_length);
	}
}

void vxlan_push(struct rte_mbuf *m, const struct vxlan_headers *h,
	const struct rte_ether_addr *next_hop, uint32_t hash)
{
	uint8_t *frame;
	rte_be16_t port = rte_cpu_to_be_16((uint16_t)(PORT_FIRST + (hash >> 18)));

	m->data_off -= h->len;
	m->data_len += h->len;
	m->pkt_len += h->len;
	m->ol_flags &= ~(RTE_MBUF_F_TX_OFFLOAD_MASK);
	m->tx_offload = L3;
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(frame, h->bytes, h->len);
	memcpy(frame, next_hop, sizeof(*next_hop));
	memcpy(frame + h->len - AFTER_IP, &port, sizeof(port));
	finish(m, h);
}

void vxlan_undo(struct rte_mbuf *m, const struct vxlan_headers *h)
{
	rte_pktmbuf_adj(m, h->len);
	m->tx_offload = L3;
}

/* What of m's first segment lies behind `offset`, if that is `len` bytes; else NULL. */
static const void *piece(const struct rte_mbuf *m, uint32_t offset, uint32_t len)
{
	if (offset + len > rte_pktmbuf_data_len(m))
		return NULL;
	return rte_pktmbuf_mtod_offset(m, const void *, offset);
}

/* The outer packet as far as IP. */
struct outer {
	uint32_t udp; /* offset of the UDP header */
	uint32_t len; /* bytes from there to the packet's end */
	uint16_t sum; /* of the pseudo-header, but for UDP's length */
};

static int parse_ipv4(const struct rte_mbuf *m, const struct vxlan_end *end,
	struct vxlan_arrival *a, struct outer *o)
{
	const struct rte_ipv4_hdr *ip = piece(m, L3, sizeof(*ip));
	uint32_t header, total;

	if (ip == NULL || ip->version_ihl >> 4 != 4)
		return VXLAN_OTHER;
	if (ip->next_proto_id != IPPROTO_UDP ||
		!addr_equal(addr_from_ipv4(&ip->dst_addr), end->address))
		return VXLAN_OTHER;
	header = (ip->version_ihl & 0xf) * 4u;
	total = rte_be_to_cpu_16(ip->total_length);
	if (header < sizeof(*ip) || piece(m, L3, header) == NULL || total > m->pkt_len - L3 ||
		total < header || rte_raw_cksum(ip, header) != 0xffff)
		return VXLAN_MALFORMED;
	if (ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		return VXLAN_FRAGMENT;
	a->from = addr_from_ipv4(&ip->src_addr);
	o->udp = L3 + header;
	o->len = total - header;
	o->sum = (uint16_t)fold(
		(uint32_t)rte_raw_cksum(&ip->src_addr, 8) + rte_cpu_to_be_16(IPPROTO_UDP));
	return 0;
}

static int parse_ipv6(const struct rte_mbuf *m, const struct vxlan_end *end,
	struct vxlan_arrival *a, struct outer *o)
{
	const struct rte_ipv6_hdr *ip = piece(m, L3, sizeof(*ip));

	if (ip == NULL || rte_be_to_cpu_32(ip->vtc_flow) >> 28 != 6 ||
		!addr_equal(addr_from_ipv6(ip->dst_addr), end->address))
		return VXLAN_OTHER;
	if (ip->proto == PROTO_FRAG6)
		return VXLAN_FRAGMENT;
	if (ip->proto != IPPROTO_UDP)
		return VXLAN_OTHER;
	o->udp = L3 + sizeof(*ip);
	o->len = rte_be_to_cpu_16(ip->payload_len);
	if (o->len > m->pkt_len - o->udp)
		return VXLAN_MALFORMED;
	a->from = addr_from_ipv6(ip->src_addr);
	o->sum = (uint16_t)fold(
		(uint32_t)rte_raw_cksum(ip->src_addr, 32) + rte_cpu_to_be_16(IPPROTO_UDP));
	return 0;
}

static bool sum_holds(
	const struct rte_mbuf *m, const struct outer *o, const struct rte_udp_hdr *udp)
{
	uint16_t len = rte_be_to_cpu_16(udp->dgram_len);

	return udp->dgram_cksum == 0 ||
	       fold((uint32_t)o->sum + udp->dgram_len + checksum_sum(m, o->udp, len)) == 0xffff;
}

static int parse_udp(const struct rte_mbuf *m, const struct vxlan_end *end, struct vxlan_arrival *a,
	const struct outer *o)
{
	const struct rte_udp_hdr *udp = piece(m, o->udp, sizeof(*udp));
	const struct rte_vxlan_hdr *vxlan = piece(m, o->udp + sizeof(*udp), sizeof(*vxlan));
	uint32_t len, flags, vni;

	if (udp == NULL || o->len < sizeof(*udp))
		return VXLAN_MALFORMED;
	if (udp->dst_port != rte_cpu_to_be_16(end->udp_port))
		return VXLAN_OTHER;
	len = rte_be_to_cpu_16(udp->dgram_len);
	if (vxlan == NULL || len > o->len || len < AFTER_IP + RTE_ETHER_HDR_LEN)
		return VXLAN_MALFORMED;
	if (!sum_holds(m, o, udp))
		return VXLAN_CHECKSUM;
	flags = rte_be_to_cpu_32(vxlan->vx_flags);
	vni = rte_be_to_cpu_32(vxlan->vx_vni);
	if (flags != (uint32_t)FLAG_VNI << 24 || (vni & 0xff) != 0)
		return VXLAN_FLAGS;
	a->vni = vni >> 8;
	a->offset = o->udp + AFTER_IP;
	a->len = len - AFTER_IP;
	return 0;
}

int vxlan_parse(const struct rte_mbuf *m, const struct vxlan_end *end, struct vxlan_arrival *a)
{
	const struct rte_ether_hdr *ether = piece(m, 0, sizeof(*ether));
	struct outer o;
	int fault = VXLAN_OTHER;

	if (ether == NULL || !rte_is_same_ether_addr(&ether->dst_addr, &end->mac))
		return VXLAN_OTHER;
	if (ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		fault = parse_ipv4(m, end, a, &o);
	else if (ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6))
		fault = parse_ipv6(m, end, a, &o);
	return fault == 0 ? parse_udp(m, end, a, &o) : fault;
}

bool vxlan_pop(struct rte_mbuf *m, const struct vxlan_arrival *a)
{
	uint32_t padding = m->pkt_len - a->offset - a->len;

	if (padding > 0 && rte_pktmbuf_trim(m, (uint16_t)padding) != 0)
		return false;
	return rte_pktmbuf_adj(m, (uint16_t)a->offset) != NULL;
}
