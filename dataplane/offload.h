/*
 * Checksums and segmentation that one end of the switch left open and the other can't take.
 * Worker threads; no state.
 *
 * A packet from a guest may carry only its pseudo-header's sum (partial checksum) and may be up to
 * 64 KiB of TCP to be cut later (TSO). Between two guests that both negotiated it, it crosses as it
 * is. mbuf flags say so: RX flags as a driver sets them, TX flags from offload_accept() on.
 */
#ifndef VS_OFFLOAD_H
#define VS_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "drop.h"
#include "packet.h"
#include "port_driver.h"

/*
 * Frames made out of one. 64 KiB in Internet's smallest usual segments (MTU 576, with timestamps)
 * are 126; what would be more than this is no bulk transfer but a way to burn a worker's time.
 */
#define OFFLOAD_SEGMENTS_MAX 256

/* Where the data lives, and bits that others registered: no offloads. */
#define OFFLOAD_KEPT                                                                               \
	(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL |                                               \
		((RTE_MBUF_F_LAST_FREE << 1) - RTE_MBUF_F_FIRST_FREE))

/* Whether m's sender left something open, as its driver's RX flags say. */
static inline bool offload_is_asked(const struct rte_mbuf *m)
{
	uint64_t checksum = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	return m->ol_flags & RTE_MBUF_F_RX_LRO || checksum == RTE_MBUF_F_RX_L4_CKSUM_NONE;
}

/* offload_accept() where something was asked for. */
int offload_accept_request(struct rte_mbuf *m, const struct packet *p);

/*
 * Turns what the sender asked for (RX_L4_CKSUM_NONE with the pseudo-header summed, RX_LRO with
 * tso_segsz, as the vhost library's compliant mode reports them) into TX flags and l2/l3/l4_len,
 * held against what packet_parse() found; every other offload flag is cleared. l2_len is set
 * always, as the MTU check needs it. A good or unknown checksum stays as it is, a known-bad one
 * (RX_L4_CKSUM_BAD) is never repaired, and UDP over IPv4 without a checksum stays without. TSO of
 * no more than one segment becomes a partial checksum. No byte of the packet is written.
 *
 * Returns -1, or DROP_offload_invalid: TSO that is not TCP, without a segment size, over a
 * fragment, of a SYN or with a known-bad checksum; a checksum request on what is neither TCP, UDP
 * nor SCTP, or behind more than 511 bytes of IP headers (what an mbuf can say).
 */
static inline int offload_accept(struct rte_mbuf *m, const struct packet *p)
{
	if (unlikely(offload_is_asked(m)))
		return offload_accept_request(m, p);
	/* So the L4 type, which is a field and not flags, and all else start from zero. */
	m->ol_flags &= OFFLOAD_KEPT;
	m->tx_offload = p->l3_off;
	return -1;
}

/*
 * Makes out of m what a receiver with tx_caps and mtu takes: completes the checksum, or segments
 * by the sender's own segment size (not the MTU) and completes each segment's where the receiver
 * takes no partial ones, or linearises. m may be shared, so it is copied where it must be written.
 * On success returns how many frames now stand in out[0..] and m has been freed or is out[0]. On
 * failure returns -(1 + drop reason) and m, unchanged, still belongs to the caller: tx_mtu (also
 * where a segment would exceed it), tx_no_buffer, tx_offload (a packet that would need more than
 * out_max frames, or a copy that no single buffer of pool holds, for a receiver without chains).
 * out_max >= OFFLOAD_SEGMENTS_MAX.
 */
int offload_complete(struct rte_mbuf *m, uint32_t tx_caps, uint32_t mtu, struct rte_mempool *pool,
	struct rte_mbuf **out, unsigned out_max);

/*
 * True where a receiver takes m's open checksum or TSO. Never with IPv6 extension headers: the
 * vhost library sums their pseudo-header wrongly (rte_ipv6_phdr_cksum() takes the first header's
 * protocol). Nor with SCTP, whose CRC no such receiver computes.
 */
static inline bool offload_is_taken(const struct rte_mbuf *m, uint32_t tx_caps)
{
	bool ipv6 = m->ol_flags & RTE_MBUF_F_TX_IPV6;
	uint32_t needed = PORT_TX_CSUM;

	if ((m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_SCTP_CKSUM)
		return false;
	if (ipv6 && m->l3_len != 40)
		return false;
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		needed |= ipv6 ? PORT_TX_TSO6 : PORT_TX_TSO4;
	return (tx_caps & needed) == needed;
}

/* Bytes of L3 in m or, with TSO, in its longest segment: what must not exceed a receiver's MTU. */
static inline uint32_t offload_l3_len(const struct rte_mbuf *m)
{
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		return m->l3_len + m->l4_len + m->tso_segsz;
	return m->pkt_len - m->l2_len;
}

/* True where a receiver with tx_caps (PORT_TX_*) and mtu (bytes of L3) takes m as it is. */
static inline bool offload_fits(const struct rte_mbuf *m, uint32_t tx_caps, uint32_t mtu)
{
	if (unlikely(m->nb_segs > 1 && !(tx_caps & PORT_TX_CHAINS)))
		return false;
	if (unlikely(offload_l3_len(m) > mtu))
		return false;
	return likely(!(m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG))) ||
	       offload_is_taken(m, tx_caps);
}

#endif
