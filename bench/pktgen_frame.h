/*
 * Frames of generated traffic: Ethernet, perhaps a VLAN tag, IPv4, UDP or TCP, and a payload of
 * zeros, so that a checksum takes no more than the headers. A frame is written once, into a buffer
 * that goes on holding it, and only what changes from packet to packet is written over. Pure.
 *
 * Lengths are without the FCS.
 */
#ifndef VS_PKTGEN_FRAME_H
#define VS_PKTGEN_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "pktgen_flows.h"

#define PKTGEN_FRAME_MIN    60 /* bytes, without the FCS */
#define PKTGEN_STAMP        12 /* bytes of payload that a time takes */
#define PKTGEN_WINDOW_SCALE 7 /* RFC 7323, that our SYNs offer */

#define PKTGEN_FIN 0x01
#define PKTGEN_SYN 0x02
#define PKTGEN_RST 0x04
#define PKTGEN_PSH 0x08
#define PKTGEN_ACK 0x10

/* What all frames of one direction have in common. */
struct pktgen_frame {
	uint8_t src[6], dst[6];
	uint16_t vlan; /* tag (IEEE 802.1Q) with priority; 0 for none */
	uint8_t protocol; /* IPPROTO_UDP or IPPROTO_TCP */
	uint8_t l3, l4, payload; /* where in the frame each begins */
	bool partial; /* TCP's checksum is the pseudo header's only: the receiver's NIC has it */
};

/* TCP's part of a packet. Options: of a SYN, MSS and window scale are sent where mss is not 0. */
struct pktgen_tcp {
	uint32_t seq, ack;
	uint16_t window;
	uint16_t mss;
	uint8_t flags;
	uint8_t scale; /* of a SYN that is read: 0 where it offered none */
};

/* What was read of a frame that came in. */
struct pktgen_seen {
	struct pktgen_tuple tuple; /* as the frame has it */
	struct pktgen_tcp tcp;
	uint8_t protocol;
	uint32_t payload, len; /* where in the frame, and how long */
};

void pktgen_frame_init(struct pktgen_frame *frame, const uint8_t dst[6], const uint8_t src[6],
	uint16_t vlan, uint8_t protocol);

/* The smallest frame, without FCS, that has room for a time. */
uint32_t pktgen_frame_stamped(const struct pktgen_frame *frame);

/*
 * All headers of a frame of len bytes, at most, to be followed by zeros; tcp is NULL for UDP.
 * Returns the length of the headers: tcp->mss adds 8 bytes of options.
 */
uint32_t pktgen_frame_write(const struct pktgen_frame *frame, uint8_t *data, uint32_t len,
	const struct pktgen_tuple *tuple, const struct pktgen_tcp *tcp);

/* Over a frame that was written before: another flow, length, and seq and ack of TCP. */
void pktgen_frame_patch(const struct pktgen_frame *frame, uint8_t *data, uint32_t len,
	const struct pktgen_tuple *tuple, const struct pktgen_tcp *tcp);

/* A time, in any unit, into the payload of a UDP frame or a patched TCP one. */
void pktgen_frame_stamp(const struct pktgen_frame *frame, uint8_t *data, uint64_t time);

/* Zeros where a time was: before the frame is patched. */
void pktgen_frame_unstamp(const struct pktgen_frame *frame, uint8_t *data);

/* False: the frame, whose first len bytes are at data, has none. */
bool pktgen_frame_stamp_of(
	const struct pktgen_frame *frame, const uint8_t *data, uint32_t len, uint64_t *time);

/* Whether a frame is of the direction of frame, by its MACs, tag and protocol. */
bool pktgen_frame_is(const struct pktgen_frame *frame, const uint8_t *data, uint32_t len);

/* IPv4 with UDP or TCP, all headers in the first len bytes, a tag of ours; else false. */
bool pktgen_frame_read(const struct pktgen_frame *frame, const uint8_t *data, uint32_t len,
	struct pktgen_seen *seen);

/* An ARP request (RFC 826), of 60 bytes: who has `to`? Broadcast. */
void pktgen_frame_arp(const struct pktgen_frame *frame, uint8_t *data, uint32_t from, uint32_t to);
bool pktgen_frame_is_arp(
	const struct pktgen_frame *frame, const uint8_t *data, uint32_t len, uint32_t from);

#endif
