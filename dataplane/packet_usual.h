/*
 * What most packets are: TCP or UDP for one receiver, over IPv4 without options, tags or fragments,
 * in a frame whose headers are all in its first segment. So each field is where it always is. Any
 * thread; no state.
 */
#ifndef VS_PACKET_USUAL_H
#define VS_PACKET_USUAL_H

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "load.h"
#include "packet.h"

/* In bytes; offsets are from the start of the frame. */
#define USUAL_IP_OFF  14
#define USUAL_L4_OFF  34
#define USUAL_UDP_LEN 8
#define USUAL_TCP_LEN 20

/*
 * Length of a TCP or UDP header, or 0 where it is not such, not whole or not sound. room: bytes at
 * l4 that are readable, 8 at least; len: of the packet from there on.
 */
static inline uint32_t packet_usual_l4(
	const uint8_t *l4, uint8_t proto, uint32_t room, uint32_t len)
{
	uint32_t header, said;

	if (proto == IPPROTO_UDP) {
		said = load16(l4 + 4);
		return said >= USUAL_UDP_LEN && said <= len ? USUAL_UDP_LEN : 0;
	}
	if (proto != IPPROTO_TCP || room < USUAL_TCP_LEN)
		return 0;
	header = (l4[12] >> 4) * 4;
	return header >= USUAL_TCP_LEN && header <= room ? header : 0;
}

/* Length of the usual packet's TCP or UDP header, in bytes; 0 where m is anything else, or unsound.
 */
static inline uint32_t packet_usual(const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint32_t l3 = USUAL_L4_OFF - USUAL_IP_OFF;
	uint32_t readable = m->data_len, total, room;

	if (readable < USUAL_L4_OFF + USUAL_UDP_LEN || frame[0] & 1 ||
		(load32(frame + 12) & rte_cpu_to_be_32(0xffffff00)) != rte_cpu_to_be_32(0x08004500))
		return 0;
	total = load16(frame + USUAL_IP_OFF + 2);
	if (load16(frame + USUAL_IP_OFF + 6) & 0x3fff || total < l3 + USUAL_UDP_LEN ||
		total > m->pkt_len - USUAL_IP_OFF || m->pkt_len > USUAL_IP_OFF + PACKET_L3_MAX)
		return 0;
	room = RTE_MIN(readable - USUAL_IP_OFF, total) - l3;
	return packet_usual_l4(frame + USUAL_L4_OFF, frame[USUAL_IP_OFF + 9], room, total - l3);
}

#endif
