/*
 * Link types of captures, made into Ethernet: what stands before the payload is replaced by an
 * Ethernet header. Pure functions, no state, any thread.
 *
 * A capture without Ethernet addresses (also Ethernet with zeros for both, as loopback interfaces
 * have it) gets made-up ones, which follow from the IP addresses so
 * that each host keeps one MAC (locally administered, unicast):
 *
 *     IPv4 a.b.c.d      02:00:aa:bb:cc:dd
 *     IPv6              06:00 and 32 bits of a hash of the address
 *     not known         0a:00:00:00:00:01 as source, 0a:00:00:00:00:02 as destination
 *
 * IP multicast and broadcast destinations get the group MAC that belongs to them (RFC 1112,
 * RFC 2464). The sender that a "cooked" capture (LINUX_SLL) names is kept for what is not IP; IP
 * goes by the rule above in both directions, since the receiver's MAC is not in such a capture and
 * a host must not have two.
 */
#ifndef VS_CAPTURE_LINK_H
#define VS_CAPTURE_LINK_H

#include <stdint.h>

#define CAPTURE_LINK_ETHER 14 /* bytes of the header that is made up */

enum capture_skip {
	CAPTURE_SKIP_LINK_TYPE, /* nothing is known about this link type */
	CAPTURE_SKIP_PAYLOAD, /* what the link carries has no place in an Ethernet frame */
	CAPTURE_SKIP_SHORT, /* cut off within the link's own header */
	CAPTURE_SKIP_REASONS
};

/* As the summary names them. */
extern const char *const capture_skip_names[CAPTURE_SKIP_REASONS];

/*
 * Looks at one captured packet of link type dlt (DLT_*, as libpcap numbers them). Returns how many
 * bytes of ether are to be put before data + *strip: CAPTURE_LINK_ETHER, or 0 where the packet is
 * an Ethernet frame already. Returns -(1 + enum capture_skip) where it can't become one.
 */
int capture_link_convert(int dlt, const uint8_t *data, uint32_t len,
	uint8_t ether[CAPTURE_LINK_ETHER], uint32_t *strip);

#endif
