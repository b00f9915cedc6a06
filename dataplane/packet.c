#include "packet.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>

#include "load.h"
#include "packet_usual.h"

#define ETHER_LEN     14
#define VLAN_LEN      4
#define VLAN_TAGS_MAX 2
#define IPV4_LEN      20
#define IPV6_LEN      40
#define IPV6_EXT_MAX  8
#define TCP_LEN       20
#define UDP_LEN       8
#define SCTP_LEN      12
#define ICMP_LEN      8 /* every ICMP and ICMPv6 message that a stack takes has at least these */

__extension__ typedef unsigned __int128 uint128_t;

/* Odd constants with mixed bits; packet_hash_secret() changes them. */
uint64_t packet_secrets[3] = {
	0x9e3779b97f4a7c15,
	0xbf58476d1ce4e5b9,
	0x94d049bb133111eb,
};

/* What the flow hash takes beside the addresses. */
struct flow_key {
	uint64_t addrs; /* hash of the addresses */
	uint32_t ports; /* symmetric */
	uint8_t proto;
};

/* How far a walk over IPv6 extension headers got. */
struct ipv6_walk {
	uint32_t off; /* of the header that proto stands for, from the IPv6 header */
	uint8_t proto;
	bool fragment;
	bool more;
	uint16_t fragment_off; /* bytes */
	uint32_t fragment_id; /* where it is a fragment, as the next one */
	uint32_t fragment_payload; /* offset behind the fragment header, from the IPv6 header */
};

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	uint128_t r = (uint128_t)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* Sorted rather than xored: every pair of neighbours in a subnet has the same few xors. */
static inline uint64_t hash_pair(uint64_t a, uint64_t b)
{
	uint64_t low = a < b ? a : b;
	uint64_t high = a < b ? b : a;

	return mix(low ^ packet_secrets[0], high ^ packet_secrets[1]);
}

static inline uint32_t fold(uint64_t h)
{
	return (uint32_t)(h ^ (h >> 32));
}

static inline uint64_t hash_macs(const uint8_t *frame)
{
	uint64_t dst = (uint64_t)load32(frame) << 16 | load16(frame + 4);
	uint64_t src = (uint64_t)load32(frame + 6) << 16 | load16(frame + 10);

	return hash_pair(dst, src);
}

static inline uint64_t hash_ipv4(const uint8_t *ip)
{
	return hash_pair(load32(ip + 12), load32(ip + 16));
}

static inline uint64_t hash_ipv6(const uint8_t *ip)
{
	uint64_t src = mix(load64(ip + 8) ^ packet_secrets[0], load64(ip + 16) ^ packet_secrets[1]);
	uint64_t dst = mix(
		load64(ip + 24) ^ packet_secrets[0], load64(ip + 32) ^ packet_secrets[1]);

	return hash_pair(src, dst);
}

static inline void set_hashes(struct packet *p, const struct flow_key *key)
{
	p->addr_hash = fold(key->addrs);
	p->flow_hash = fold(
		mix(key->addrs ^ ((uint64_t)key->proto << 32 | key->ports), packet_secrets[2]));
}

static inline uint32_t sorted_ports(const uint8_t *l4)
{
	uint32_t a = load16(l4), b = load16(l4 + 2), low = a < b ? a : b;

	return (a ^ b ^ low) << 16 | low; /* no branch: nobody foresees which is the lower */
}

/* ICMP and ICMPv6 messages that carry an identifier which the answer repeats. */
static bool icmp_has_identifier(uint8_t proto, uint8_t type)
{
	if (proto == IPPROTO_ICMPV6)
		return type == 128 || type == 129;
	return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

static bool icmp_is_error(uint8_t proto, uint8_t type)
{
	if (proto == IPPROTO_ICMPV6)
		return type >= 1 && type <= 4;
	return (type >= 3 && type <= 5) || type == 11 || type == 12;
}

/*
 * Walks from the IPv6 header's end to the upper layer, or to the payload of a later fragment.
 * False where a header is cut off, misplaced or one too many. avail: readable bytes from ip on.
 */
static bool walk_ipv6(const uint8_t *ip, uint32_t avail, struct ipv6_walk *w)
{
	*w = (struct ipv6_walk){.off = IPV6_LEN, .proto = ip[6]};
	for (unsigned n = 0;; n++) {
		const uint8_t *ext = ip + w->off;
		bool known = w->proto == IPPROTO_HOPOPTS || w->proto == IPPROTO_ROUTING ||
			     w->proto == IPPROTO_FRAGMENT || w->proto == IPPROTO_DSTOPTS ||
			     w->proto == IPPROTO_AH;
		uint32_t len = 8;

		if (likely(!known))
			return true;
		if (n == IPV6_EXT_MAX || w->off + 8 > avail)
			return false;
		/* RFC 8200, 4.1: hop-by-hop options stand directly behind the IPv6 header */
		if (w->proto == IPPROTO_HOPOPTS && n > 0)
			return false;
		if (w->proto == IPPROTO_FRAGMENT) {
			if (w->fragment)
				return false;
			w->fragment_off = load16(ext + 2) & 0xfff8;
			w->more = load16(ext + 2) & 1;
			w->fragment = w->fragment_off != 0 || w->more;
			w->fragment_id = rte_be_to_cpu_32(load32(ext + 4));
			w->fragment_payload = w->off + 8;
		} else if (w->proto == IPPROTO_AH) {
			len = (ext[1] + 2u) * 4;
		} else {
			len = (ext[1] + 1u) * 8;
		}
		if (w->off + len > avail)
			return false;
		w->proto = ext[0];
		w->off += len;
		if (w->fragment_off != 0)
			return true;
	}
}

/* Ports, or an ICMP identifier, of the header at l4; avail bytes of it are readable. */
static uint32_t quoted_ports(bool ipv6, uint8_t proto, const uint8_t *l4, uint32_t avail)
{
	switch (proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		return avail >= 4 ? sorted_ports(l4) : 0;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((proto == IPPROTO_ICMPV6) != ipv6 || avail < 6)
			return 0;
		return icmp_has_identifier(proto, l4[0]) ? load16(l4 + 4) : 0;
	default:
		return 0;
	}
}

/*
 * Key of the packet that an ICMP error quotes at ip, of which avail bytes are readable: cut off
 * anywhere, in all honesty. False, and key untouched, where its addresses are not all there.
 */
static bool quoted_key(bool ipv6, const uint8_t *ip, uint32_t avail, struct flow_key *key)
{
	struct ipv6_walk w;
	uint32_t off;
	bool fragment;
	uint8_t proto;

	if (avail < (ipv6 ? IPV6_LEN : IPV4_LEN) || ip[0] >> 4 != (ipv6 ? 6 : 4))
		return false;
	if (ipv6) {
		/* extension headers cut off: the addresses still tell whose it is */
		fragment = !walk_ipv6(ip, avail, &w) || w.fragment;
		off = w.off;
		proto = w.proto;
	} else {
		fragment = load16(ip + 6) & 0x3fff;
		off = (ip[0] & 15) * 4;
		proto = ip[9];
	}
	*key = (struct flow_key){.addrs = ipv6 ? hash_ipv6(ip) : hash_ipv4(ip)};
	if (fragment || off < (ipv6 ? IPV6_LEN : IPV4_LEN))
		return true;
	key->proto = proto;
	key->ports = off <= avail ? quoted_ports(ipv6, proto, ip + off, avail - off) : 0;
	return true;
}

/* IPv4 within IPv6 (RFC 4291, 2.5.5.2) names no node on a link, and rules would take it for IPv4.
 */
static inline bool is_mapped(const uint8_t *addr)
{
	return load64(addr) == 0 && load32(addr + 8) == rte_cpu_to_be_32(0xffff);
}

bool packet_quoted(
	bool ipv6, const uint8_t *ip, uint32_t avail, uint32_t *l4_off, uint8_t *l4_proto)
{
	if (avail < (ipv6 ? IPV6_LEN : IPV4_LEN) || ip[0] >> 4 != (ipv6 ? 6 : 4))
		return false;
	if (ipv6) {
		struct ipv6_walk w;

		if (is_mapped(ip + 8) || is_mapped(ip + 24) || !walk_ipv6(ip, avail, &w) ||
			w.fragment_off != 0)
			return false;
		*l4_off = w.off;
		*l4_proto = w.proto;
	} else {
		*l4_off = (ip[0] & 15) * 4;
		*l4_proto = ip[9];
		if (*l4_off < IPV4_LEN || (load16(ip + 6) & 0x1fff) != 0)
			return false;
	}
	return *l4_off <= avail;
}

static void parse_icmp(const uint8_t *l4, uint32_t avail, uint8_t proto, struct flow_key *key)
{
	if (icmp_has_identifier(proto, l4[0]))
		key->ports = load16(l4 + 4);
	else if (icmp_is_error(proto, l4[0]))
		quoted_key(proto == IPPROTO_ICMPV6, l4 + ICMP_LEN, avail - ICMP_LEN, key);
}

/*
 * avail: readable bytes of the packet from l4 on; len: all of them. p has l4_off, l4_proto and
 * the family's flags.
 */
static int parse_l4(
	const uint8_t *l4, uint32_t avail, uint32_t len, struct packet *p, struct flow_key *key)
{
	uint32_t header;

	switch (p->l4_proto) {
	case IPPROTO_TCP:
		if (unlikely(avail < TCP_LEN))
			return DROP_l4_malformed;
		header = (l4[12] >> 4) * 4;
		if (unlikely(header < TCP_LEN || header > avail))
			return DROP_l4_malformed;
		p->payload_off += header;
		p->tcp_flags = l4[13];
		key->ports = sorted_ports(l4);
		break;
	case IPPROTO_UDP:
		if (unlikely(avail < UDP_LEN || load16(l4 + 4) < UDP_LEN))
			return DROP_l4_malformed;
		if (unlikely(load16(l4 + 4) > len && !(p->flags & PACKET_FRAGMENT)))
			return DROP_l4_malformed;
		p->payload_off += UDP_LEN;
		key->ports = sorted_ports(l4);
		break;
	case IPPROTO_SCTP:
		if (unlikely(avail < SCTP_LEN))
			return DROP_l4_malformed;
		key->ports = sorted_ports(l4);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((p->l4_proto == IPPROTO_ICMP) != !!(p->flags & PACKET_IPV4))
			break; /* the other family's: no more than a number */
		if (unlikely(avail < ICMP_LEN))
			return DROP_l4_malformed;
		/* a fragment never goes by what it quotes: its later ones could not */
		if (likely(!(p->flags & PACKET_FRAGMENT)))
			parse_icmp(l4, avail, p->l4_proto, key);
		break;
	default:
		break;
	}
	p->flags |= PACKET_L4;
	return -1;
}

/* off: of the upper layer, from the IP header at ip. */
static inline int parse_upper(
	const uint8_t *ip, uint32_t avail, uint32_t off, struct packet *p, struct flow_key *key)
{
	p->l4_off = p->l3_off + off;
	p->payload_off = p->l4_off;
	if (likely(!(p->flags & PACKET_LATER_FRAGMENT))) {
		int reason = parse_l4(ip + off, avail - off, p->l3_len - off, p, key);

		if (unlikely(reason >= 0))
			return reason;
	}
	if (unlikely(p->flags & PACKET_FRAGMENT)) {
		key->proto = 0;
		key->ports = 0;
	}
	set_hashes(p, key);
	return -1;
}

/* avail: readable bytes from ip on; p->l3_len: bytes from ip to the frame's end. */
static inline int parse_ipv4(const uint8_t *ip, uint32_t avail, struct packet *p)
{
	struct flow_key key;
	uint32_t header, total, fragment;

	if (unlikely(avail < IPV4_LEN || ip[0] >> 4 != 4))
		return DROP_ip_malformed;
	header = (ip[0] & 15) * 4;
	total = load16(ip + 2);
	if (unlikely(header < IPV4_LEN || header > total || header > avail || total > p->l3_len))
		return DROP_ip_malformed;
	p->l3_len = total;
	p->flags |= PACKET_IPV4;
	p->l4_proto = ip[9];
	fragment = load16(ip + 6) & 0x3fff;
	if (unlikely(fragment != 0)) {
		uint32_t off = (fragment & 0x1fff) * 8;

		if (off + total > PACKET_L3_MAX) /* the ping of death */
			return DROP_ip_malformed;
		p->flags |= PACKET_FRAGMENT | (off != 0 ? PACKET_LATER_FRAGMENT : 0);
	}
	key = (struct flow_key){.addrs = hash_ipv4(ip), .proto = p->l4_proto};
	return parse_upper(ip, avail < total ? avail : total, header, p, &key);
}

static inline int parse_ipv6(const uint8_t *ip, uint32_t avail, struct packet *p)
{
	struct flow_key key;
	struct ipv6_walk w;
	uint32_t total;

	if (unlikely(
		    avail < IPV6_LEN || ip[0] >> 4 != 6 || is_mapped(ip + 8) || is_mapped(ip + 24)))
		return DROP_ip_malformed;
	total = IPV6_LEN + load16(ip + 4);
	if (unlikely(total > p->l3_len))
		return DROP_ip_malformed;
	p->l3_len = total;
	p->flags |= PACKET_IPV6;
	if (avail > total)
		avail = total;
	if (unlikely(!walk_ipv6(ip, avail, &w)))
		return DROP_ip_malformed;
	p->l4_proto = w.proto;
	if (unlikely(w.fragment)) {
		/* RFC 8200, 4.5: the payload of the whole, without the fragment header */
		if (w.fragment_off + total - IPV6_LEN - 8 > PACKET_L3_MAX)
			return DROP_ip_malformed;
		p->flags |= PACKET_FRAGMENT | (w.fragment_off != 0 ? PACKET_LATER_FRAGMENT : 0);
	}
	key = (struct flow_key){.addrs = hash_ipv6(ip), .proto = w.proto};
	return parse_upper(ip, avail, w.off, p, &key);
}

static int parse_other(const uint8_t *frame, struct packet *p)
{
	struct flow_key key = {.addrs = hash_macs(frame)};

	if (p->ethertype < 0x600) {
		if (p->ethertype < p->l3_len)
			p->l3_len = p->ethertype;
		p->ethertype = 0;
	}
	set_hashes(p, &key);
	return -1;
}

static inline bool is_vlan(uint16_t ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8;
}

/* Every packet that is not a usual one. */
static __rte_noinline int parse_any(const struct rte_mbuf *m, struct packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t readable = m->data_len;
	uint32_t off = ETHER_LEN;

	*p = (struct packet){0};
	if (unlikely(readable < ETHER_LEN))
		return DROP_frame_short;
	p->ethertype = load16(frame + 12);
	while (unlikely(is_vlan(p->ethertype)) && off < ETHER_LEN + VLAN_TAGS_MAX * VLAN_LEN) {
		if (readable < off + VLAN_LEN)
			return DROP_frame_short;
		p->ethertype = load16(frame + off + 2);
		p->flags |= PACKET_TAGGED;
		off += VLAN_LEN;
	}
	if (unlikely(m->pkt_len > off + PACKET_L3_MAX))
		return DROP_frame_long;
	if (frame[0] & 1) {
		p->flags |= PACKET_GROUP;
		if (load32(frame) == UINT32_MAX && load16(frame + 4) == UINT16_MAX)
			p->flags |= PACKET_BROADCAST;
	}
	p->l3_off = off;
	p->l3_len = m->pkt_len - off;
	if (likely(p->ethertype == 0x0800))
		return parse_ipv4(frame + off, readable - off, p);
	if (p->ethertype == 0x86dd)
		return parse_ipv6(frame + off, readable - off, p);
	return parse_other(frame, p);
}

/* Comes to what parse_any() does. False, and nothing done, where it is no usual packet. */
static inline bool parse_usual(const struct rte_mbuf *m, struct packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *), *ip = frame + USUAL_IP_OFF;
	const uint8_t *l4 = frame + USUAL_L4_OFF;
	uint32_t header = packet_usual(m);

	if (header == 0)
		return false;
	*p = (struct packet){
		.flags = PACKET_IPV4 | PACKET_L4,
		.ethertype = 0x0800,
		.l3_off = USUAL_IP_OFF,
		.l4_off = USUAL_L4_OFF,
		.l3_len = load16(ip + 2),
		.payload_off = (uint16_t)(USUAL_L4_OFF + header),
		.l4_proto = ip[9],
		.tcp_flags = ip[9] == IPPROTO_TCP ? l4[13] : 0,
	};
	set_hashes(p, &(struct flow_key){hash_ipv4(ip), sorted_ports(l4), ip[9]});
	return true;
}

int packet_parse(const struct rte_mbuf *m, struct packet *p)
{
	return likely(parse_usual(m, p)) ? -1 : parse_any(m, p);
}

void packet_fragment(const struct rte_mbuf *m, const struct packet *p, struct packet_fragment *f)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off);
	uint32_t avail = m->data_len - p->l3_off;

	if (p->flags & PACKET_IPV4) {
		*f = (struct packet_fragment){
			.id = load16(ip + 4),
			.offset = (load16(ip + 6) & 0x1fff) * 8,
			.header = (ip[0] & 15) * 4,
			.proto = ip[9],
			.more = load16(ip + 6) & 0x2000,
		};
	} else {
		struct ipv6_walk w;

		/* It cannot fail: packet_parse() has come this way. */
		walk_ipv6(ip, avail < p->l3_len ? avail : p->l3_len, &w);
		*f = (struct packet_fragment){
			.id = w.fragment_id,
			.offset = w.fragment_off,
			.header = (uint16_t)w.fragment_payload,
			.more = w.more,
		};
	}
	f->len = p->l3_len - f->header;
}

bool packet_fragment_is_sane(const struct packet_fragment *f)
{
	if (f->len == 0 || (f->offset != 0 && f->offset < FRAGMENT_LEN_MIN))
		return false;
	return !f->more || (f->len >= FRAGMENT_LEN_MIN && f->len % 8 == 0);
}

int packet_parse_whole(const struct rte_mbuf *m, uint32_t len, struct packet *p)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off);
	const uint8_t *l4 = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l4_off);
	uint32_t avail = RTE_MIN((uint32_t)m->data_len, p->l3_off + p->l3_len) - p->l4_off;
	struct flow_key key = {
		.addrs = p->flags & PACKET_IPV4 ? hash_ipv4(ip) : hash_ipv6(ip),
		.proto = p->l4_proto,
	};
	int reason;

	p->flags &= ~(PACKET_FRAGMENT | PACKET_L4);
	p->payload_off = p->l4_off;
	reason = parse_l4(l4, avail, len, p, &key);
	if (reason >= 0)
		return reason;
	if (p->l4_proto == IPPROTO_UDP && load16(l4 + 4) != len)
		return DROP_l4_malformed;
	set_hashes(p, &key);
	return -1;
}

uint32_t packet_flow_hash(
	uint32_t addr0, uint32_t addr1, uint8_t proto, uint16_t port0, uint16_t port1)
{
	uint32_t low = RTE_MIN(port0, port1), high = RTE_MAX(port0, port1);
	struct packet p;

	set_hashes(&p, &(struct flow_key){hash_pair(addr0, addr1), high << 16 | low, proto});
	return p.flow_hash;
}

void packet_hash_secret(uint64_t secret)
{
	for (unsigned i = 0; i < 3; i++) {
		secret = mix(secret ^ 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93 + i);
		packet_secrets[i] = secret | 1;
	}
}
