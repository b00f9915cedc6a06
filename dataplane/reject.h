/*
 * The switch's own answer to what a rule rejects: a RST to a TCP segment (RFC 9293, 3.10.7.1), else
 * ICMP or ICMPv6 "administratively prohibited" (RFC 1812, 5.2.7.1; RFC 4443, 3.1), as from the
 * packet's destination. Worker threads; no state.
 */
#ifndef VS_REJECT_H
#define VS_REJECT_H

#include <rte_mbuf.h>

#include "packet.h"

/* Bytes of L3 that an answer has at the most (RFC 1812, 4.3.2.3; RFC 4443, 2.4 c). */
#define REJECT_IPV4_MAX 576
#define REJECT_IPV6_MAX 1280

/*
 * A frame for the sender of m, out of pool: one segment, with its checksums complete, l2_len set
 * and m's VLAN tags. It quotes as much of m as fits. NULL: none is due (m is a RST, an ICMP error
 * or a redirect, a later fragment, to or from a group or an unspecified address) or no buffer is
 * left, or none with so much room. m, which may be a chain, stays as it is.
 *
 * What is answered is never an answer of this kind, so two switches can't answer each other. How
 * many answers a guest may ask for is the caller's matter (RFC 1812, 4.3.2.8).
 */
struct rte_mbuf *reject_answer(
	const struct rte_mbuf *m, const struct packet *p, struct rte_mempool *pool);

/* The same for TCP only, with a number of the caller's: that which the sender of m waits for, where
 * m itself may be old. */
struct rte_mbuf *reject_reset(
	const struct rte_mbuf *m, const struct packet *p, struct rte_mempool *pool, uint32_t seq);

#endif
