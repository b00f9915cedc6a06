#include "inspect_segment.h"

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "packet.h"

static const struct rte_tcp_hdr *tcp_of(const struct firewall_packet *packet)
{
	return rte_pktmbuf_mtod_offset(packet->m, const struct rte_tcp_hdr *, packet->p->l4_off);
}

/* Adds len bytes of m from off on. False where it is in too many pieces. */
static bool add_pieces(
	struct segment *segment, const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	for (; m != NULL && len > 0; m = m->next) {
		uint32_t n;

		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		n = RTE_MIN(m->data_len - off, len);
		if (segment->s.n_pieces == SEGMENT_PIECES_MAX)
			return false;
		segment->pieces[segment->s.n_pieces++] = (struct stream_piece){
			rte_pktmbuf_mtod_offset(m, const uint8_t *, off), n};
		segment->s.len += n;
		len -= n;
		off = 0;
	}
	return len == 0;
}

/* Bytes of TCP from its header on in the first frame, and where they begin in the others. */
static bool add_fragments(struct segment *segment, const struct firewall_packet *packet)
{
	for (unsigned i = 1; i < packet->n_frames; i++) {
		struct packet p;
		struct packet_fragment f;

		if (packet_parse(packet->frames[i], &p) >= 0 || !(p.flags & PACKET_FRAGMENT))
			return false;
		packet_fragment(packet->frames[i], &p, &f);
		if (!add_pieces(segment, packet->frames[i], p.l3_off + f.header, f.len))
			return false;
	}
	return true;
}

bool segment_read(const struct firewall_packet *packet, struct segment *segment)
{
	const struct packet *p = packet->p;
	const struct rte_tcp_hdr *tcp = tcp_of(packet);
	uint32_t end = p->l3_off + p->l3_len;

	segment->s = (struct stream_segment){
		.seq = rte_be_to_cpu_32(tcp->sent_seq),
		.ack = rte_be_to_cpu_32(tcp->recv_ack),
		.flags = p->tcp_flags,
		.pieces = segment->pieces,
	};
	if (end > p->payload_off &&
		!add_pieces(segment, packet->m, p->payload_off, end - p->payload_off))
		return false;
	return packet->frames == NULL || add_fragments(segment, packet);
}

bool segment_checksum_holds(const struct firewall_packet *packet, bool open_ended)
{
	const struct packet *p = packet->p;
	const struct rte_mbuf *m = packet->m;
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off);
	uint32_t header = p->l4_off - p->l3_off, sum;
	uint32_t len = p->l3_off + p->l3_len - p->l4_off;
	bool ipv6 = p->flags & PACKET_IPV6;
	uint16_t pseudo, made = tcp_of(packet)->cksum;

	if (m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG))
		return true; /* left open: completed where it is delivered */
	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	if (packet->frames != NULL)
		return true; /* over several frames: the overlap rule holds for what gets dropped */
	pseudo = checksum_pseudo(ip, header, ipv6, IPPROTO_TCP, len);
	/* For a segment to be cut later, without its length. */
	if (open_ended &&
		(made == pseudo || made == checksum_pseudo(ip, header, ipv6, IPPROTO_TCP, 0)))
		return true;
	sum = pseudo + checksum_sum(m, p->l4_off, len);
	return (uint16_t)((sum & 0xffff) + (sum >> 16)) == 0xffff;
}
