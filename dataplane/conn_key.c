#include "conn_key.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>

#include "classifier.h"
#include "load.h"

#define ICMP_LEN      8
#define PORTS_LEN     4 /* source and destination port, first in every header that has them */
#define QUERY_LEN     6 /* up to an ICMP query's identifier */
#define ICMP_TYPE_LEN 2 /* type and code */
#define ID_BITS       53

__extension__ typedef unsigned __int128 uint128_t;

enum icmp_kind { ICMP_QUERY, ICMP_ANSWER, ICMP_ERROR, ICMP_LINK, ICMP_ELSE };

/* By sender (0) and receiver (1), in the order of the packet. */
struct tuple {
	struct addr addr[2];
	uint16_t port[2];
	bool query, answer; /* ICMP's */
	uint32_t service;
};

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	uint128_t r = (uint128_t)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* What of a key is no address, in one register: read from memory, it would wait for its stores. */
static inline uint64_t tail_of(
	uint16_t port0, uint16_t port1, uint16_t network, uint8_t proto, uint8_t asks)
{
	return port0 | (uint64_t)port1 << 16 | (uint64_t)network << 32 | (uint64_t)proto << 48 |
	       (uint64_t)asks << 56;
}

static inline uint32_t hash_of(struct addr a, struct addr b, uint64_t tail)
{
	const uint64_t *s = packet_secrets;
	uint64_t h = mix(a.low ^ s[0], b.low ^ s[1]) ^ mix(a.high ^ s[1], b.high ^ s[2]);

	h = mix(h ^ s[2], tail ^ s[0]);
	return (uint32_t)(h ^ (h >> 32));
}

/* Of what most packets are, from the hash that packet_parse() has made already. */
static inline uint32_t hash_short(uint32_t flow_hash, uint16_t network)
{
	return flow_hash + network * 0x9e3779b1u;
}

static inline bool is_short(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

uint32_t conn_key_hash(const struct conn_key *key)
{
	if (is_short(key->proto) && key->asks == 0 && addr_is_ipv4(key->addr[0]) &&
		addr_is_ipv4(key->addr[1]))
		return hash_short(packet_flow_hash(rte_cpu_to_be_32((uint32_t)key->addr[0].low),
					  rte_cpu_to_be_32((uint32_t)key->addr[1].low), key->proto,
					  key->port[0], key->port[1]),
			key->network);
	return hash_of(key->addr[0], key->addr[1],
		tail_of(key->port[0], key->port[1], key->network, key->proto, key->asks));
}

static inline bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_DCCP || proto == IPPROTO_UDPLITE;
}

static inline bool is_icmp(uint8_t proto, bool ipv6)
{
	return proto == (ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* RFC 792, 950, 1256; RFC 4443, 2710, 3810, 4861. */
static enum icmp_kind icmp_kind(bool ipv6, uint8_t type)
{
	if (ipv6) {
		if (type >= 1 && type <= 4)
			return ICMP_ERROR;
		if ((type >= 130 && type <= 137) || type == 143)
			return ICMP_LINK;
		return type == 128 ? ICMP_QUERY : type == 129 ? ICMP_ANSWER : ICMP_ELSE;
	}
	switch (type) {
	case 8:
	case 13:
	case 15:
	case 17:
		return ICMP_QUERY;
	case 0:
	case 14:
	case 16:
	case 18:
		return ICMP_ANSWER;
	case 3:
	case 4:
	case 5:
	case 11:
	case 12:
		return ICMP_ERROR;
	default:
		return ICMP_ELSE;
	}
}

/* The query that an answer of this type is to. */
static inline uint8_t icmp_query_of(bool ipv6, uint8_t type)
{
	return ipv6 ? 128 : type == 0 ? 8 : type - 1;
}

/* t's ports and service, out of an ICMP message that is no error; avail bytes of it are there. */
static bool read_icmp(bool ipv6, const uint8_t *l4, uint32_t avail, struct tuple *t)
{
	uint8_t proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, query;
	enum icmp_kind kind;

	if (avail < ICMP_TYPE_LEN)
		return false;
	kind = icmp_kind(ipv6, l4[0]);
	if (kind == ICMP_ERROR || kind == ICMP_LINK)
		return false;
	if (kind == ICMP_ELSE) {
		t->port[0] = t->port[1] = load16(l4);
		t->service = service_key(proto, t->port[1]);
		return true;
	}
	if (avail < QUERY_LEN)
		return false;
	t->query = kind == ICMP_QUERY;
	t->answer = kind == ICMP_ANSWER;
	query = t->query ? l4[0] : icmp_query_of(ipv6, l4[0]);
	t->port[t->answer] = load16(l4 + 4);
	t->port[!t->answer] = query;
	t->service = service_key(proto, (uint16_t)(query << 8 | (t->query ? l4[1] : 0)));
	return true;
}

/* t's ports and service. False where the header is not there so far, or opens nothing. */
static inline bool read_l4(
	bool ipv6, uint8_t proto, const uint8_t *l4, uint32_t avail, struct tuple *t)
{
	if (likely(has_ports(proto))) {
		if (unlikely(avail < PORTS_LEN))
			return false;
		t->port[0] = load16(l4);
		t->port[1] = load16(l4 + 2);
		t->service = service_key(proto, t->port[1]);
		return true;
	}
	if (is_icmp(proto, ipv6))
		return read_icmp(ipv6, l4, avail, t);
	t->service = service_key(proto, 0);
	return true;
}

static inline void read_l3(bool ipv6, const uint8_t *ip, struct tuple *t)
{
	t->addr[0] = ipv6 ? addr_from_ipv6(ip + 8) : addr_from_ipv4(ip + 12);
	t->addr[1] = ipv6 ? addr_from_ipv6(ip + 24) : addr_from_ipv4(ip + 16);
}

/* Puts the sides in their order. */
static inline void set_key(
	const struct tuple *t, uint16_t network, uint8_t proto, struct conn_view *view)
{
	bool same = addr_equal(t->addr[0], t->addr[1]);
	bool swap = same ? t->port[1] < t->port[0] : addr_less(t->addr[1], t->addr[0]);
	struct addr low = swap ? t->addr[1] : t->addr[0], high = swap ? t->addr[0] : t->addr[1];
	uint16_t port0 = swap ? t->port[1] : t->port[0], port1 = swap ? t->port[0] : t->port[1];
	uint8_t asks = t->query ? 1 + swap : t->answer ? 1 + !swap : 0;

	view->key = (struct conn_key){
		.addr = {low, high},
		.port = {port0, port1},
		.network = network,
		.proto = proto,
		.asks = asks,
	};
	view->sender = swap;
	view->reply = t->answer;
	view->service = t->service;
	view->hash = conn_key_hash(&view->key);
}

/* An ICMP error; avail bytes are readable behind its header, where the quoted packet starts. */
static enum conn_kind view_quoted(
	bool ipv6, const uint8_t *ip, uint32_t avail, uint16_t network, struct conn_view *view)
{
	struct tuple t = {0};
	uint32_t off;
	uint8_t proto;

	if (!packet_quoted(ipv6, ip, avail, &off, &proto) ||
		!read_l4(ipv6, proto, ip + off, avail - off, &t))
		return CONN_ERROR_UNREADABLE;
	read_l3(ipv6, ip, &t);
	set_key(&t, network, proto, view);
	return CONN_ERROR;
}

/* What has no connection of its own; avail: of the ICMP message. */
static enum conn_kind view_icmp(
	bool ipv6, const uint8_t *l4, uint32_t avail, uint16_t network, struct conn_view *view)
{
	if (avail < ICMP_LEN)
		return CONN_ERROR_UNREADABLE;
	switch (icmp_kind(ipv6, l4[0])) {
	case ICMP_ERROR:
		return view_quoted(ipv6, l4 + ICMP_LEN, avail - ICMP_LEN, network, view);
	case ICMP_LINK:
		return CONN_NONE;
	default:
		return CONN_PACKET;
	}
}

/* Most packets: TCP or UDP over IPv4, whole, both headers there. Comes to what the long way does.
 */
static inline void view_short(
	const uint8_t *frame, const struct packet *p, uint16_t network, struct conn_view *view)
{
	const uint8_t *ip = frame + p->l3_off, *l4 = frame + p->l4_off;
	struct addr from = addr_from_ipv4(ip + 12), to = addr_from_ipv4(ip + 16);
	uint16_t source = load16(l4), destination = load16(l4 + 2);
	bool swap = (from.low << 16 | source) > (to.low << 16 | destination);
	struct addr low = {.low = swap ? to.low : from.low};
	struct addr high = {.low = swap ? from.low : to.low};
	uint16_t port0 = swap ? destination : source, port1 = swap ? source : destination;

	*view = (struct conn_view){
		.key = {.addr = {low, high},
			.port = {port0, port1},
			.network = network,
			.proto = p->l4_proto},
		.hash = hash_short(p->flow_hash, network),
		.kind = CONN_PACKET,
		.sender = swap,
		.service = service_key(p->l4_proto, destination),
	};
}

static __rte_noinline void view_any(
	const struct rte_mbuf *m, const struct packet *p, uint16_t network, struct conn_view *view)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *l4 = frame + p->l4_off;
	bool ipv6 = p->flags & PACKET_IPV6;
	struct tuple t;
	uint32_t avail;

	*view = (struct conn_view){.kind = CONN_NONE};
	if (unlikely(!(p->flags & (PACKET_IPV4 | PACKET_IPV6))))
		return;
	view->kind = CONN_ERROR_UNREADABLE;
	if (unlikely(!(p->flags & PACKET_L4)))
		return;
	avail = RTE_MIN((uint32_t)m->data_len, p->l3_off + p->l3_len) - p->l4_off;
	if (unlikely(is_icmp(p->l4_proto, ipv6))) {
		view->kind = view_icmp(ipv6, l4, avail, network, view);
		if (view->kind != CONN_PACKET)
			return;
	}
	t = (struct tuple){0};
	if (unlikely(!read_l4(ipv6, p->l4_proto, l4, avail, &t)))
		return;
	view->kind = CONN_PACKET;
	read_l3(ipv6, frame + p->l3_off, &t);
	set_key(&t, network, p->l4_proto, view);
}

void conn_view(
	const struct rte_mbuf *m, const struct packet *p, uint16_t network, struct conn_view *view)
{
	const uint16_t needed = PACKET_IPV4 | PACKET_L4;

	/* A fragment's flow_hash is without ports. */
	if (likely((p->flags & (needed | PACKET_FRAGMENT)) == needed && is_short(p->l4_proto)))
		view_short(rte_pktmbuf_mtod(m, const uint8_t *), p, network, view);
	else
		view_any(m, p, network, view);
}

/* FNV-1a (64 bits): http://www.isthe.com/chongo/tech/comp/fnv/ */
uint64_t conn_key_id(const struct conn_key *key)
{
	const uint8_t *bytes = (const uint8_t *)key;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < sizeof(*key); i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return (hash ^ hash >> ID_BITS) & ((UINT64_C(1) << ID_BITS) - 1);
}

void conn_query(
	const struct conn_key *key, unsigned opener, uint32_t service, struct policy_query *query)
{
	*query = (struct policy_query){
		.service = service,
		.from = key->addr[opener],
		.to = key->addr[!opener],
	};
	if (has_ports(key->proto)) {
		query->service = service_key(key->proto, key->port[!opener]);
		query->source_port = key->port[opener];
	}
}

void conn_proto_name(uint8_t proto, char *text)
{
	static const struct {
		uint8_t proto;
		const char *name;
	} names[] = {
		{IPPROTO_TCP, "tcp"},
		{IPPROTO_UDP, "udp"},
		{IPPROTO_ICMP, "icmp"},
		{IPPROTO_ICMPV6, "icmpv6"},
		{IPPROTO_SCTP, "sctp"},
		{IPPROTO_DCCP, "dccp"},
		{IPPROTO_UDPLITE, "udplite"},
	};

	for (unsigned i = 0; i < RTE_DIM(names); i++)
		if (names[i].proto == proto) {
			snprintf(text, 16, "%s", names[i].name);
			return;
		}
	snprintf(text, 16, "%u", proto);
}
