#include "vnet_header.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include <rte_tcp.h>
#include <rte_udp.h>

#include "checksum.h"
#include "packet.h"

/* Whether the header's checksum is the one of the frame's own TCP or UDP header. */
static bool is_own_checksum(const struct virtio_net_hdr *header, const struct packet *p)
{
	if (!(p->flags & PACKET_L4) || (p->flags & PACKET_FRAGMENT))
		return false;
	if (header->csum_start != p->l4_off)
		return false;
	if (p->l4_proto == IPPROTO_TCP)
		return header->csum_offset == offsetof(struct rte_tcp_hdr, cksum);
	return p->l4_proto == IPPROTO_UDP &&
	       header->csum_offset == offsetof(struct rte_udp_hdr, dgram_cksum);
}

/* The field holds the pseudo-header's sum, or what stands for it, and is summed with the rest. */
static int complete(const struct virtio_net_hdr *header, struct rte_mbuf *m)
{
	uint32_t start = header->csum_start;
	uint32_t field = start + header->csum_offset;
	uint16_t sum;

	if (field + sizeof(sum) > m->data_len)
		return -1;
	sum = ~checksum_sum(m, start, m->pkt_len - start);
	if (sum == 0)
		sum = 0xffff;
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, field), &sum, sizeof(sum));
	return 0;
}

static int accept_gso(const struct virtio_net_hdr *header, struct rte_mbuf *m)
{
	unsigned type = header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
	unsigned family;
	struct packet p;

	if (type == VIRTIO_NET_HDR_GSO_TCPV4)
		family = PACKET_IPV4;
	else if (type == VIRTIO_NET_HDR_GSO_TCPV6)
		family = PACKET_IPV6;
	else
		return -1;
	if (header->gso_size == 0 || !(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return -1;
	if (packet_parse(m, &p) >= 0 || !(p.flags & family) || p.l4_proto != IPPROTO_TCP)
		return -1;
	if (!is_own_checksum(header, &p))
		return -1;
	m->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
	m->tso_segsz = header->gso_size;
	return 0;
}

int vnet_header_to_mbuf(const struct virtio_net_hdr *header, struct rte_mbuf *m)
{
	struct packet p;

	m->ol_flags &= ~(RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_MASK);
	if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return accept_gso(header, m);
	/* DATA_VALID needs no flag of ours: a checksum that is not open goes on as it is. */
	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return 0;
	if (packet_parse(m, &p) >= 0 || !is_own_checksum(header, &p))
		return complete(header, m);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
	return 0;
}

int vnet_header_from_mbuf(const struct rte_mbuf *m, struct virtio_net_hdr *header)
{
	uint64_t kind = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
	uint32_t start = m->l2_len + m->l3_len, headers = start + m->l4_len;
	bool tso = m->ol_flags & RTE_MBUF_F_TX_TCP_SEG;

	memset(header, 0, sizeof(*header));
	if (kind == RTE_MBUF_F_TX_L4_NO_CKSUM && !tso)
		return 0;
	if (headers > m->data_len)
		return -1;
	if (tso || kind == RTE_MBUF_F_TX_TCP_CKSUM)
		header->csum_offset = offsetof(struct rte_tcp_hdr, cksum);
	else if (kind == RTE_MBUF_F_TX_UDP_CKSUM)
		header->csum_offset = offsetof(struct rte_udp_hdr, dgram_cksum);
	else
		return -1; /* the kernel would sum where SCTP has a CRC */
	if (start + header->csum_offset + sizeof(uint16_t) > m->data_len)
		return -1;
	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->csum_start = (uint16_t)start;
	if (!tso)
		return 0;
	if (m->tso_segsz == 0)
		return -1;
	header->gso_type = m->ol_flags & RTE_MBUF_F_TX_IPV6 ? VIRTIO_NET_HDR_GSO_TCPV6
							    : VIRTIO_NET_HDR_GSO_TCPV4;
	header->hdr_len = (uint16_t)headers;
	header->gso_size = m->tso_segsz;
	return 0;
}
