/*
 * Which end of its conversation a captured frame comes from: 0 for the side that opened it, 1 for
 * its peer. This is how replay chooses a port where the configuration does not say.
 *
 * A conversation is a pair of addresses and ports (TCP, UDP, SCTP), of addresses and identifier
 * (ICMP queries), of addresses (ARP and neighbour discovery by the addresses asked about; other
 * protocols of IP), else of MACs. VLAN tags are looked through. The first packet seen decides who
 * opened it, but where the protocol tells more, that counts: a TCP SYN, a SYN with ACK or a reply
 * to a query is proof of the side that it comes from. Later fragments follow the first of their
 * datagram, or else the last conversation between their addresses; ICMP errors come from the side
 * that the packet they quote was sent to.
 *
 * The same host may be the opener of one conversation and the peer in another, so its MAC shows up
 * at both ports. A network between the two has to flood and must not learn.
 *
 * One table, REPLAY_SIDE_MAX entries; at the limit the one idle longest is forgotten. One owner,
 * one thread. Needs the EAL (rte_hash).
 */
#ifndef VS_REPLAY_SIDE_H
#define VS_REPLAY_SIDE_H

#include <stddef.h>
#include <stdint.h>

#define REPLAY_SIDE_MAX 65536

struct replay_side;

/* NULL where memory is out, or without the EAL. */
struct replay_side *replay_side_new(void);

void replay_side_free(struct replay_side *side);

/* 0 or 1 for an Ethernet frame of len bytes; 0 for one too short to have addresses. */
unsigned replay_side_of(struct replay_side *side, const uint8_t *frame, uint32_t len);

/* Conversations forgotten because the table was full. */
uint64_t replay_side_forgotten(const struct replay_side *side);

#endif
