/*
 * The switch's own answer to what a rule rejects: a RST to a TCP segment (RFC 9293, 3.10.7.1), else
 * ICMP or ICMPv6 "administratively prohibited" (RFC 1812, 5.2.7.1; RFC 4443, 3.1), as from the
 * packet's destination. Worker threads; no state.
 */
#ifndef VS_REJECT_H
#define VS_REJECT_H

#include <rte_mbuf.h>

#include "packet.h"

/*
 * A frame for the sender of m, out of pool. NULL: none is due (m is a RST, an ICMP error, a later
 * fragment, to or from a group or an unspecified address) or no buffer is left. m stays as it is.
 */
struct rte_mbuf *reject_answer(
	const struct rte_mbuf *m, const struct packet *p, struct rte_mempool *pool);

#endif
