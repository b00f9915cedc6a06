/*
 * Segmentation of TCP in software, for receivers without TSO. Worker threads; no state.
 *
 * Not rte_gso: it knows IPv4 only, needs a pool of indirect buffers and two mbufs a segment, and
 * leaves the checksums to the NIC. Here IPv4 and IPv6 take one way, and the payload is copied,
 * which costs little beside the sum that reads every byte of it: a segment is one buffer of its
 * own where it fits, so any receiver takes it and nobody shares it.
 */
#ifndef VS_GSO_H
#define VS_GSO_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/*
 * Cuts m (TX_TCP_SEG, as offload_accept() leaves it) into segments of m->tso_segsz bytes of
 * payload, into out. IP identification and TCP sequence number move on; FIN and PSH are on the
 * last segment only, CWR on the first. Each segment has a partial checksum and the TX flags for
 * it. m is only read, and stays the caller's. chains: a segment may be a chain of buffers.
 *
 * Returns the number of segments, or -(1 + drop reason): tx_offload (more than out_max, longer
 * than a buffer, or lengths that contradict each other), tx_no_buffer.
 */
int gso_segment(const struct rte_mbuf *m, bool chains, struct rte_mempool *pool,
	struct rte_mbuf **out, unsigned out_max);

#endif
