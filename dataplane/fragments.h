/*
 * Virtual reassembly: a fragment waits until all of its packet is there, then the whole is decided
 * on by its first fragment's headers, and the fragments go out in order. Nothing is put together.
 *
 * Bounded: packets, fragments a packet, fragments and bytes of buffers in all and a port (its share
 * of the table), time. What overlaps, is too small to be honest, would be over 65535 bytes or never
 * completes is dropped whole, counted by reason at the port that it came from.
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

#define FRAGMENTS_PER_PACKET 64 /* 65535 bytes in IPv6's smallest MTU are 54 */

struct fragments;

/* NULL: no memory. Control thread. */
struct fragments *fragments_create(void);

/* Frees all that waits, uncounted. Control thread, when its worker is gone. */
void fragments_free(struct fragments *fragments);

/*
 * Takes m, a fragment (PACKET_FRAGMENT) that came in at port; keeps it, drops it, or completes its
 * packet with it. Then *first is what packet_parse() finds in the first one, as if the packet were
 * whole (its flow_hash included), and out holds all its fragments in order: their number is
 * returned, and they are the caller's. Otherwise 0.
 */
unsigned fragments_add(struct fragments *fragments, struct worker *w, const struct port *port,
	struct rte_mbuf *m, const struct packet *p, struct rte_mbuf **out, struct packet *first);

/* Drops what is over its time, and what is of ports that are gone. A bounded number of packets;
 * true where more is due. */
bool fragments_expire(struct fragments *fragments, struct worker *w, unsigned budget);

/* Packets that wait: while there are any, its worker must come back in time. */
unsigned fragments_waiting(const struct fragments *fragments);

#endif
