#include "offload.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "checksum.h"
#include "gso.h"

#define L3_LEN_MAX ((1u << RTE_MBUF_L3_LEN_BITS) - 1)

/* UDP over IPv4 whose checksum field is zero has none, whatever its sender says (RFC 768). */
static bool has_no_checksum(const struct rte_mbuf *m, const struct packet *p)
{
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(
		m, const struct rte_udp_hdr *, p->l4_off);

	return (p->flags & PACKET_IPV4) && udp->dgram_cksum == 0;
}

static int accept_tso(struct rte_mbuf *m, const struct packet *p)
{
	uint32_t payload = p->l3_len - (p->payload_off - p->l3_off);

	if (p->l4_proto != IPPROTO_TCP || m->tso_segsz == 0 || (p->tcp_flags & RTE_TCP_SYN_FLAG))
		return DROP_offload_invalid;
	if (payload > m->tso_segsz)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	else
		m->tso_segsz = 0;
	return -1;
}

/* m->ol_flags has only OFFLOAD_KEPT, and m->tso_segsz is the sender's. */
static int accept_request(struct rte_mbuf *m, const struct packet *p, bool tso)
{
	uint32_t l3_len = p->l4_off - p->l3_off, l4_len;
	uint64_t flags = p->flags & PACKET_IPV4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;

	if (!(p->flags & PACKET_L4) || (p->flags & PACKET_FRAGMENT) || l3_len > L3_LEN_MAX)
		return DROP_offload_invalid;
	switch (p->l4_proto) {
	case IPPROTO_TCP:
		l4_len = p->payload_off - p->l4_off;
		flags |= RTE_MBUF_F_TX_TCP_CKSUM;
		break;
	case IPPROTO_UDP:
		l4_len = sizeof(struct rte_udp_hdr);
		flags |= RTE_MBUF_F_TX_UDP_CKSUM;
		break;
	case IPPROTO_SCTP:
		l4_len = sizeof(struct rte_sctp_hdr);
		flags |= RTE_MBUF_F_TX_SCTP_CKSUM;
		break;
	default:
		return DROP_offload_invalid;
	}
	if (p->l4_proto == IPPROTO_UDP && !tso && has_no_checksum(m, p)) {
		m->tx_offload = p->l3_off;
		return -1;
	}
	m->ol_flags |= flags;
	m->tx_offload = rte_mbuf_tx_offload(
		p->l3_off, l3_len, l4_len, tso ? m->tso_segsz : 0, 0, 0, 0);
	return tso ? accept_tso(m, p) : -1;
}

int offload_accept_request(struct rte_mbuf *m, const struct packet *p)
{
	uint64_t checksum = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	bool tso = m->ol_flags & RTE_MBUF_F_RX_LRO;

	m->ol_flags &= OFFLOAD_KEPT;
	if (tso && checksum == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		return DROP_offload_invalid;
	return accept_request(m, p, tso);
}

/* Whether nobody else sees what is written to m and to its first segment's data. */
static bool is_writable(const struct rte_mbuf *m)
{
	if (rte_mbuf_refcnt_read(m) != 1 || RTE_MBUF_CLONED(m))
		return false;
	return !RTE_MBUF_HAS_EXTBUF(m) || rte_mbuf_ext_refcnt_read(m->shinfo) == 1;
}

static bool fits_one_buffer(const struct rte_mbuf *m, struct rte_mempool *pool)
{
	return m->pkt_len <= (uint32_t)(rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM);
}

static int segment(struct rte_mbuf *m, uint32_t tx_caps, struct rte_mempool *pool,
	struct rte_mbuf **out, unsigned out_max)
{
	int n = gso_segment(m, tx_caps & PORT_TX_CHAINS, pool, out, out_max);

	for (int i = 0; i < n; i++) {
		if (offload_is_taken(out[i], tx_caps) || checksum_complete(out[i]))
			continue;
		rte_pktmbuf_free_bulk(out, (unsigned)n);
		return -(1 + DROP_tx_offload);
	}
	if (n > 0)
		rte_pktmbuf_free(m);
	return n;
}

int offload_complete(struct rte_mbuf *m, uint32_t tx_caps, uint32_t mtu, struct rte_mempool *pool,
	struct rte_mbuf **out, unsigned out_max)
{
	bool tso = m->ol_flags & RTE_MBUF_F_TX_TCP_SEG;
	bool open = m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG);
	bool sum = open && !offload_is_taken(m, tx_caps);
	bool chains = tx_caps & PORT_TX_CHAINS;
	bool flatten = m->nb_segs > 1 && !chains;
	struct rte_mbuf *done = m;

	if (offload_l3_len(m) > mtu)
		return -(1 + DROP_tx_mtu);
	if (tso && (sum || (flatten && !fits_one_buffer(m, pool))))
		return segment(m, tx_caps, pool, out, out_max);
	if (flatten || (sum && !is_writable(m))) {
		if (!chains && !fits_one_buffer(m, pool))
			return -(1 + DROP_tx_offload);
		done = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
		if (done == NULL)
			return -(1 + DROP_tx_no_buffer);
	}
	if (sum && !checksum_complete(done)) {
		if (done != m)
			rte_pktmbuf_free(done);
		return -(1 + DROP_tx_offload);
	}
	if (done != m)
		rte_pktmbuf_free(m);
	out[0] = done;
	return 1;
}
