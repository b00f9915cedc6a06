#include "gso.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "drop.h"

/* The packet that is being cut, and how far the cut has come. */
struct source {
	const struct rte_mbuf *m;
	const struct rte_mbuf *at; /* the next byte of payload is in this segment, at at_off */
	uint32_t at_off;
	uint32_t headers; /* bytes before the payload */
	uint32_t payload; /* bytes, in all */
	bool ipv6;
};

/* False where the lengths in m contradict each other. */
static bool source_open(struct source *s, const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, m->l2_len);
	uint32_t l3, fixed;

	*s = (struct source){
		.m = m,
		.at = m,
		.headers = m->l2_len + m->l3_len + m->l4_len,
		.ipv6 = m->ol_flags & RTE_MBUF_F_TX_IPV6,
	};
	fixed = s->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	if (s->headers > m->data_len || m->l3_len < fixed || m->tso_segsz == 0 ||
		m->l4_len < sizeof(struct rte_tcp_hdr))
		return false;
	if (s->ipv6)
		l3 = fixed + rte_be_to_cpu_16(((const struct rte_ipv6_hdr *)ip)->payload_len);
	else
		l3 = rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)ip)->total_length);
	if (l3 <= m->l3_len + m->l4_len || l3 > m->pkt_len - m->l2_len)
		return false;
	s->payload = l3 - m->l3_len - m->l4_len;
	s->at_off = s->headers;
	return true;
}

/* Moves up to len bytes of payload to dst; returns how many lay in one piece. */
static uint32_t source_read(struct source *s, uint8_t *dst, uint32_t len)
{
	while (s->at_off == s->at->data_len) {
		s->at = s->at->next;
		s->at_off = 0;
	}
	len = RTE_MIN(len, s->at->data_len - s->at_off);
	memcpy(dst, rte_pktmbuf_mtod_offset(s->at, const uint8_t *, s->at_off), len);
	s->at_off += len;
	return len;
}

/* Fills seg with the headers and len bytes of payload, chaining more buffers behind it. */
static bool copy_segment(
	struct source *s, struct rte_mbuf *seg, uint32_t len, struct rte_mempool *pool)
{
	struct rte_mbuf *last = seg;

	memcpy(rte_pktmbuf_mtod(seg, void *), rte_pktmbuf_mtod(s->m, void *), s->headers);
	seg->data_len = s->headers;
	seg->pkt_len = s->headers + len;
	while (len > 0) {
		uint32_t n = rte_pktmbuf_tailroom(last);

		if (n == 0) {
			last->next = rte_pktmbuf_alloc(pool);
			if (last->next == NULL)
				return false;
			last = last->next;
			seg->nb_segs++;
			continue;
		}
		n = source_read(s, rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len),
			RTE_MIN(n, len));
		last->data_len += n;
		len -= n;
	}
	return true;
}

static void set_metadata(const struct rte_mbuf *m, struct rte_mbuf *seg)
{
	seg->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM |
			(m->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6));
	seg->tx_offload = m->tx_offload;
	seg->tso_segsz = 0;
	seg->port = m->port;
	seg->packet_type = m->packet_type;
	seg->vlan_tci = m->vlan_tci;
	seg->hash = m->hash;
	rte_mbuf_dynfield_copy(seg, m);
}

/* number: of the segment; off: of its payload in the whole. */
static void set_headers(const struct source *s, struct rte_mbuf *seg, unsigned number, uint32_t off)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(seg, uint8_t *, seg->l2_len);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + seg->l3_len);
	uint32_t len = seg->pkt_len - s->headers, l3 = seg->pkt_len - seg->l2_len;

	if (s->ipv6) {
		struct rte_ipv6_hdr *ipv6 = (struct rte_ipv6_hdr *)ip;

		ipv6->payload_len = rte_cpu_to_be_16((uint16_t)(l3 - sizeof(*ipv6)));
	} else {
		struct rte_ipv4_hdr *ipv4 = (struct rte_ipv4_hdr *)ip;

		ipv4->total_length = rte_cpu_to_be_16((uint16_t)l3);
		ipv4->packet_id = rte_cpu_to_be_16(
			(uint16_t)(rte_be_to_cpu_16(ipv4->packet_id) + number));
		checksum_ipv4(ip);
	}
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + off);
	if (off + len < s->payload)
		tcp->tcp_flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (number > 0)
		tcp->tcp_flags &= ~RTE_TCP_CWR_FLAG;
	tcp->cksum = checksum_pseudo(ip, seg->l3_len, s->ipv6, IPPROTO_TCP, len + seg->l4_len);
}

int gso_segment(const struct rte_mbuf *m, bool chains, struct rte_mempool *pool,
	struct rte_mbuf **out, unsigned out_max)
{
	uint32_t room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	uint32_t size = m->tso_segsz, off = 0;
	struct source s;
	unsigned n;

	if (!source_open(&s, m) || s.headers > room)
		return -(1 + DROP_tx_offload);
	if (!chains && s.headers + RTE_MIN(s.payload, size) > room)
		return -(1 + DROP_tx_offload);
	n = (s.payload + size - 1) / size;
	if (n > out_max)
		return -(1 + DROP_tx_offload);
	if (rte_pktmbuf_alloc_bulk(pool, out, n) != 0)
		return -(1 + DROP_tx_no_buffer);
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = RTE_MIN(s.payload - off, size);

		if (!copy_segment(&s, out[i], len, pool)) {
			rte_pktmbuf_free_bulk(out, n);
			return -(1 + DROP_tx_no_buffer);
		}
		set_metadata(m, out[i]);
		set_headers(&s, out[i], i, off);
		off += len;
	}
	return (int)n;
}
