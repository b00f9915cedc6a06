/*
 * What names a connection: network, protocol, addresses and ports, the same for both directions.
 *
 * Side 0 is the lower of the two (address, then port). A direction is named by the side that sends.
 * Worker threads, and whoever explains; no state.
 *
 * Ports: TCP, UDP, SCTP, DCCP and UDP-Lite have theirs. An ICMP query (echo and the like) has its
 * identifier on the asking side and the query's type on the other, so that the answer has the same
 * key and a query the other way round another. What else ICMP says has type and code on both.
 * Other protocols have 0.
 */
#ifndef VS_CONN_KEY_H
#define VS_CONN_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "addr.h"
#include "packet.h"
#include "policy.h"

/* Hashed and compared whole: no padding. */
struct conn_key {
	struct addr addr[2];
	uint16_t port[2];
	uint16_t network; /* index */
	uint8_t proto;
	uint8_t asks; /* ICMP queries and their answers: 1 + the side that asks; else 0 */
};

_Static_assert(sizeof(struct conn_key) == 40, "no padding");

enum conn_kind {
	CONN_PACKET, /* of a connection, or one that may open it */
	CONN_ERROR, /* an ICMP error: key and sender are those of the packet that it quotes */
	CONN_ERROR_UNREADABLE, /* an ICMP error that does not say what it is about, or IP with no
				  transport header where one must be */
	CONN_NONE, /* not IP, or neighbour discovery and multicast listener messages */
};

struct conn_view {
	struct conn_key key;
	uint32_t hash;
	uint8_t kind; /* enum conn_kind */
	uint8_t sender; /* side; of the quoted packet where kind is CONN_ERROR */
	bool reply; /* an ICMP answer: it opens nothing */
	uint32_t service; /* service_key() of its destination, as a packet that opens; of an ICMP
			     answer: that of the query */
};

/*
 * p: as packet_parse() found it; of a whole packet, or the first fragment of one whose transport
 * header is there. Reads m's first segment only.
 */
void conn_view(
	const struct rte_mbuf *m, const struct packet *p, uint16_t network, struct conn_view *view);

/* A hash that nobody outside can aim: packet_hash_secret() seeds it. */
uint32_t conn_key_hash(const struct conn_key *key);

/* A number for events' flow_id: the same for both directions, and below 2^53, which every reader of
 * JSON takes exactly. */
uint64_t conn_key_id(const struct conn_key *key);

/*
 * What policy decides on, if `opener` is the side that opened. service: view->service, or what a
 * connection keeps of it; where the protocol has ports, they are in the key and it is not looked
 * at.
 */
void conn_query(
	const struct conn_key *key, unsigned opener, uint32_t service, struct policy_query *query);

/* "tcp", "icmpv6", "47"; text has room for 16. */
void conn_proto_name(uint8_t proto, char *text);

#endif
