/*
 * Headers of a captured frame, as far as replay needs them to choose a port. Works on raw bytes and
 * makes the best of damaged frames: what replay hands to the switch is for the switch to refuse.
 * Pure functions, no state.
 */
#ifndef VS_REPLAY_PACKET_H
#define VS_REPLAY_PACKET_H

#include <stdbool.h>
#include <stdint.h>

struct replay_packet {
	uint16_t ethertype; /* behind up to four VLAN tags; 0: the frame is too short */
	const uint8_t *l3; /* what follows the ethertype */
	uint32_t l3_len;

	/* The IP header, or what an ARP packet for IPv4 says of addresses. */
	unsigned addr_len; /* 4 or 16; 0: neither, or not readable, and nothing below is valid */
	const uint8_t *src, *dst;
	uint8_t proto; /* IPPROTO_*, behind any extension headers; 0: not readable */
	bool fragment; /* of either kind */
	bool later; /* not the first fragment: no L4 header */
	uint32_t id; /* of a fragment's datagram */
	const uint8_t *l4; /* valid unless proto is 0 or later is set */
	uint32_t l4_len;
};

void replay_packet_parse(struct replay_packet *p, const uint8_t *frame, uint32_t len);

/* The same for an IP packet without anything before it, such as an ICMP error quotes. */
void replay_packet_parse_ip(struct replay_packet *p, const uint8_t *ip, uint32_t len);

#endif
