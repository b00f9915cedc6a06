/*
 * ARP (RFC 826) and IPv6 neighbour discovery (RFC 4861) for an address of the switch's own in the
 * underlay, as packets. Any thread; no state.
 */
#ifndef VS_VXLAN_RESOLVE_H
#define VS_VXLAN_RESOLVE_H

#include <stdbool.h>

#include <rte_mbuf.h>

#include "vxlan_frame.h"

enum vxlan_resolve_kind {
	VXLAN_RESOLVE_NONE, /* no whole packet of these kinds, or not for us */
	VXLAN_RESOLVE_SAID, /* somebody said where he is */
	VXLAN_RESOLVE_ASKED, /* the same, and m has become the answer to be sent to him */
};

struct vxlan_said {
	bool known; /* false: who asks has no address yet; nothing is to be learned */
	struct addr address;
	struct rte_ether_addr mac;
};

/*
 * Makes the empty buffer m a question for where address is: by `to` where that is not NULL, else
 * to all.
 */
void vxlan_resolve_ask(struct rte_mbuf *m, const struct vxlan_end *end, struct addr address,
	const struct rte_ether_addr *to);

/* Looks at m, an Ethernet frame without tag of which nobody else has a share. */
enum vxlan_resolve_kind vxlan_resolve_hear(
	struct rte_mbuf *m, const struct vxlan_end *end, struct vxlan_said *said);

#endif
