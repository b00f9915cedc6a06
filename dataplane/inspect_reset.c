/* Resets of our own to both ends of a connection that inspection ends. */
#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "inspect_state.h"
#include "transmit.h"

/* Makes the headers at ip, of a packet of its own, right for a TCP header without payload. */
static void mend_headers(struct rte_mbuf *m, const struct packet *p)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, p->l3_off);
	struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, p->l4_off);
	uint32_t header = p->l4_off - p->l3_off, sum;

	if (p->flags & PACKET_IPV4) {
		struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)ip;

		/* As a packet of its own, also where it is made of a fragment's. */
		ip4->fragment_offset &= rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
		ip4->total_length = rte_cpu_to_be_16((uint16_t)(header + sizeof(*tcp)));
		checksum_ipv4(ip);
	} else {
		struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)ip;

		ip6->payload_len = rte_cpu_to_be_16(
			(uint16_t)(header - sizeof(*ip6) + sizeof(*tcp)));
	}
	tcp->cksum = 0;
	sum = checksum_sum(m, p->l4_off, sizeof(*tcp));
	sum += checksum_pseudo(ip, header, p->flags & PACKET_IPV6, IPPROTO_TCP, sizeof(*tcp));
	tcp->cksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/*
 * To the receiver, as from the packet's sender: with its headers, at the number that the receiver
 * waits for, so that it takes it (RFC 5961, 3).
 */
static struct rte_mbuf *reset_onward(const struct inspection *x, uint32_t seq)
{
	const struct packet *p = x->packet->p;
	struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);
	uint16_t len = (uint16_t)(p->l4_off + sizeof(struct rte_tcp_hdr));
	struct rte_tcp_hdr *tcp;

	if (m == NULL)
		return NULL;
	if (rte_pktmbuf_append(m, len) == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(x->packet->m, void *), len);
	tcp = rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, p->l4_off);
	tcp->sent_seq = rte_cpu_to_be_32(seq);
	tcp->data_off = sizeof(*tcp) / 4 << 4;
	tcp->tcp_flags = RTE_TCP_RST_FLAG | (p->tcp_flags & RTE_TCP_ACK_FLAG);
	tcp->rx_win = 0;
	tcp->tcp_urp = 0;
	mend_headers(m, p);
	m->l2_len = p->l3_off;
	m->hash.rss = p->flow_hash;
	return m;
}

/* Notes the number that each side waits for, for this reset and those that follow. */
static void note_numbers(struct inspection *x)
{
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(
		x->packet->m, const struct rte_tcp_hdr *, x->packet->p->l4_off);
	const struct inspect_flow *flow = x->flow;
	unsigned sender = x->packet->view.sender;
	uint32_t *first = x->conn->first, seq;
	/* Where the stream knows nothing of a side, by what the segment says. */
	const uint32_t shown[2] = {
		[0] = rte_be_to_cpu_32(tcp->sent_seq), [1] = rte_be_to_cpu_32(tcp->recv_ack)};

	for (unsigned other = 0; other < 2; other++) {
		bool known = flow != NULL && stream_reset_seq(&flow->stream, x->side ^ other, &seq);

		first[sender ^ other] = known ? seq : shown[other];
	}
	/* The sender may have more of the other side's than that, where it was passed by policy. */
	if ((int32_t)(shown[1] - first[!sender]) > 0)
		first[!sender] = shown[1];
}

void inspect_reset_both(struct inspection *x)
{
	struct rte_mbuf *m = NULL;
	uint32_t seq;

	note_numbers(x);
	firewall_reset(x->w, x->from, x->packet, x->conn->first[!x->packet->view.sender]);
	/* In fragments of IPv6 a header is left that makes none: that receiver is told when it
	 * sends. */
	if (x->flow != NULL && (x->packet->frames == NULL || x->packet->p->flags & PACKET_IPV4) &&
		stream_reset_seq(&x->flow->stream, x->side, &seq))
		m = reset_onward(x, seq);
	if (m == NULL)
		return;
	counter_add(&x->w->counters[x->to->id].made, 1);
	transmit(x->w, x->to, m);
}
