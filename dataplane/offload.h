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

#include <stdint.h>

#include <rte_mbuf.h>

#include "drop.h"
#include "packet.h"

#define OFFLOAD_SEGMENTS_MAX 64 /* frames made out of one at a time: see offload_segment() */

/*
 * Turns what the sender asked for (RX_L4_CKSUM_NONE with the pseudo-header summed, RX_LRO with
 * tso_segsz, as the vhost library's compliant mode reports them) into TX flags and l2/l3/l4_len,
 * held against what packet_parse() found; every other offload flag is cleared. A good or unknown
 * checksum stays as it is, and a known-bad one (RX_L4_CKSUM_BAD) is never repaired. Returns -1, or
 * DROP_offload_invalid: TSO that is not TCP, without a segment size, over a fragment; a checksum
 * request on what is neither TCP, UDP nor SCTP.
 */
int offload_accept(struct rte_mbuf *m, const struct packet *p);

/* True where a receiver with tx_caps (PORT_TX_*) and mtu takes m as it is. */
static inline bool offload_fits(const struct rte_mbuf *m, uint32_t tx_caps, uint32_t mtu);

/*
 * Makes out of m what a receiver with tx_caps and mtu takes: completes the checksum, or segments
 * by the sender's own segment size (not the MTU) and completes each segment's, or linearises. m may
 * be shared, so it is copied where it must be written. On success returns how many frames now stand in out[0..]
 * and m has been freed or is out[0]. On failure returns -(1 + drop reason) and m still belongs to
 * the caller: tx_mtu (also where a segment would exceed it), tx_no_buffer, tx_offload.
 * out_max >= OFFLOAD_SEGMENTS_MAX; a packet that would need more is tx_offload.
 */
int offload_complete(struct rte_mbuf *m, uint32_t tx_caps, uint32_t mtu, struct rte_mempool *pool,
	struct rte_mbuf **out, unsigned out_max);

#endif
