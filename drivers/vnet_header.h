/*
 * The kernel's vnet header (struct virtio_net_hdr, in the machine's byte order) and mbuf flags, one
 * made out of the other. For the kernel port, on its I/O thread; no state.
 */
#ifndef VS_VNET_HEADER_H
#define VS_VNET_HEADER_H

#include <linux/virtio_net.h>
#include <rte_mbuf.h>

/*
 * Sets m's RX flags and tso_segsz by a header that came with it, as the vhost library does in its
 * compliant mode: RX_L4_CKSUM_NONE for a partial checksum of TCP or UDP where packet_parse() finds
 * it, RX_LRO for TSO. A partial checksum anywhere else (a tunnel's inner packet, say) is completed
 * here: it goes from csum_start to the frame's end. m is not shared.
 *
 * 0, or -1 where the header does not fit the frame (Virtio 1.1, 5.1.6.2 and 5.1.6.4): a checksum
 * beyond it or beyond the first segment, a GSO type that is not TCP or not the frame's own, a
 * segment size of 0, TSO with the checksum elsewhere than in the TCP header.
 */
int vnet_header_to_mbuf(const struct virtio_net_hdr *header, struct rte_mbuf *m);

/*
 * Makes the header that goes with m, by its TX flags (offload_accept() and offload_complete(), for
 * a receiver without SCTP and without GSO over extension headers). m is only read.
 *
 * 0, or -1 where m's lengths go beyond its first segment or where the header can't say it.
 */
int vnet_header_from_mbuf(const struct rte_mbuf *m, struct virtio_net_hdr *header);

#endif
