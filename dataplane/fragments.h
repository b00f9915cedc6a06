/*
 * Virtual reassembly: a fragment waits until all of its packet is there, then the whole is decided
 * on by its first fragment's headers, and the fragments go out in order. Nothing is put together.
 *
 * Fragments are of one packet where port, network, Ethernet header, addresses, identification and,
 * in IPv4, protocol agree. With the Ethernet header, no fragment can go elsewhere than the first
 * one, whose verdict it shares.
 *
 * What is not taken, fragment_invalid each:
 * - a fragment without payload, one but the last whose payload is not a multiple of 8 bytes, and a
 *   whole over 65535 bytes (RFC 791; RFC 8200, 4.5).
 * - one but the last with less than FRAGMENT_LEN_MIN bytes of payload, or one that begins before
 *   that: the latter could only overlap the first (RFC 1858 and 3128: headers written over, or cut
 *   in two; a first fragment without its whole L4 header is l4_malformed already).
 * - one that overlaps another, or that contradicts where the packet ends: all of the packet is
 *   dropped, what still comes of it as well (RFC 8200, 4.5, after RFC 5722; here for IPv4 too).
 * Only a fragment that is there already, at the same place with the same length, is dropped alone.
 *
 * Limits, by fragment_limit: FRAGMENTS_PER_PACKET (the packet is dropped), and packets and buffers
 * that wait, since buffers belong to the pool of all ports. A port may hold a quarter of each: at
 * that limit its own oldest packet makes room. Where all ports together are at the limit, the
 * oldest packet of the port that holds the most does. So a port that sends fragments without end
 * takes nothing from one that sends a few.
 *
 * A struct fragments belongs to its worker; all of a packet's fragments come to the same one.
 */
#ifndef VS_FRAGMENTS_H
#define VS_FRAGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "packet.h"

struct worker;
struct port;

#define FRAGMENTS_PER_PACKET  64 /* 65535 bytes in IPv6's smallest MTU are 54 */
#define FRAGMENTS_PACKETS     512 /* that wait, of all ports */
#define FRAGMENTS_BUFFERS     4096u /* that they take, at the most */
#define FRAGMENTS_BUFFERS_MIN 256u /* and at the least: a quarter is a packet of 64 fragments */
#define FRAGMENTS_SHARE       4 /* of either, one port may hold 1/4 */
#define FRAGMENTS_TIMEOUT     15 /* seconds from a packet's first fragment; Open vSwitch's too */

struct fragments;

/*
 * buffers: that may wait, brought between FRAGMENTS_BUFFERS_MIN and FRAGMENTS_BUFFERS; all workers
 * together should leave most of the pool to others. NULL: no memory. Control thread.
 */
struct fragments *fragments_create(unsigned buffers);

/* Frees all that waits, uncounted. Control thread, when its worker is gone. */
void fragments_free(struct fragments *fragments);

/*
 * Takes m, a fragment (PACKET_FRAGMENT) that came in at port; keeps it, drops it, or completes its
 * packet with it. Then *first is what packet_parse() finds in the first one, as if the packet were
 * whole (packet_parse_whole()), and out, with room for FRAGMENTS_PER_PACKET, holds all its
 * fragments in order: their number is returned, and they are the caller's. Otherwise 0.
 *
 * m has no offload requests (offload_accept() refuses them in fragments). Drops count at the port
 * that the fragment came from: fragment_invalid, fragment_limit, fragment_timeout, port_gone, and
 * l4_malformed for a whole that contradicts its UDP length.
 */
unsigned fragments_add(struct fragments *fragments, struct worker *w, const struct port *port,
	struct rte_mbuf *m, const struct packet *p, struct rte_mbuf **out, struct packet *first);

/*
 * Drops what is over its time, and what is of ports that are not in the worker's snapshot any more.
 * At most budget packets; true where more is due. Costs next to nothing where none is.
 */
bool fragments_expire(struct fragments *fragments, struct worker *w, unsigned budget);

/* Packets that wait: while there are any, its worker must come back in time. */
unsigned fragments_waiting(const struct fragments *fragments);

#endif
