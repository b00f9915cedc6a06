#include "replay_side.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <rte_ether.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_lcore.h>
#include <rte_random.h>

#include "replay_packet.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

enum side_kind {
	SIDE_FLOW, /* addresses, protocol and ports or identifier */
	SIDE_NEIGHBOUR, /* ARP, neighbour discovery */
	SIDE_FRAGMENT, /* addresses, protocol and identifier of the datagram */
	SIDE_ADDRESSES, /* the last conversation between two addresses */
	SIDE_MACS,
};

/* The end with the lower address and port comes first. Hashed whole: no padding. */
struct side_key {
	uint8_t kind;
	uint8_t family; /* bytes of an address */
	uint8_t proto;
	uint8_t zero;
	uint16_t port[2];
	uint32_t id;
	uint8_t addr[2][16];
};

/* What one packet says by itself of who opened the conversation. */
enum side_claim {
	CLAIM_NONE,
	CLAIM_REPLY, /* the sender answers; counts where nothing else is known */
	CLAIM_SYN, /* the sender opens */
	CLAIM_SYN_ACK, /* the peer opened */
};

struct side_view {
	struct side_key key;
	unsigned sender; /* which end in key */
	enum side_claim claim;
	bool closing;
};

struct side_entry {
	TAILQ_ENTRY(side_entry) link;
	uint8_t opener; /* which end in the key */
	bool sure; /* its opening was seen */
	bool closed; /* FIN or RST was seen: the ports may be used again, the other way round */
};

TAILQ_HEAD(side_list, side_entry);

struct replay_side {
	struct rte_hash *hash;
	struct side_entry *entries; /* by position in hash */
	struct side_list idle; /* the longest first */
	uint64_t forgotten;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

struct replay_side *replay_side_new(void)
{
	struct rte_hash_parameters params = {
		.entries = REPLAY_SIDE_MAX,
		.key_len = sizeof(struct side_key),
		.hash_func = rte_jhash,
		/* A capture made for it must not bring all its conversations into one bucket. */
		.hash_func_init_val = (uint32_t)rte_rand(),
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	struct replay_side *s = calloc(1, sizeof(*s));
	char name[RTE_HASH_NAMESIZE];

	if (!s)
		return NULL;
	snprintf(name, sizeof(name), "replay_side_%p", (void *)s);
	params.name = name;
	TAILQ_INIT(&s->idle);
	s->hash = rte_hash_create(&params);
	if (s->hash)
		s->entries = calloc((size_t)rte_hash_max_key_id(s->hash) + 1, sizeof(*s->entries));
	if (!s->entries) {
		replay_side_free(s);
		return NULL;
	}
	return s;
}

void replay_side_free(struct replay_side *s)
{
	if (!s)
		return;
	rte_hash_free(s->hash);
	free(s->entries);
	free(s);
}

uint64_t replay_side_forgotten(const struct replay_side *s)
{
	return s->forgotten;
}

/* NULL where the key is not known. */
static struct side_entry *side_find(struct replay_side *s, const struct side_key *key)
{
	int32_t pos = rte_hash_lookup(s->hash, key);

	return pos < 0 ? NULL : &s->entries[pos];
}

static void side_forget_oldest(struct replay_side *s)
{
	struct side_entry *e = TAILQ_FIRST(&s->idle);
	void *key;

	if (!e || rte_hash_get_key_with_position(s->hash, (int32_t)(e - s->entries), &key) < 0)
		return;
	TAILQ_REMOVE(&s->idle, e, link);
	rte_hash_del_key(s->hash, key);
	s->forgotten++;
}

/* NULL where the table takes no more, which forgetting one should have prevented. */
static struct side_entry *side_add(
	struct replay_side *s, const struct side_key *key, uint8_t opener, bool sure)
{
	struct side_entry *e;
	int32_t pos;

	if (rte_hash_count(s->hash) >= REPLAY_SIDE_MAX)
		side_forget_oldest(s);
	pos = rte_hash_add_key(s->hash, key);
	if (pos < 0)
		return NULL;
	e = &s->entries[pos];
	memset(e, 0, sizeof(*e));
	e->opener = opener;
	e->sure = sure;
	TAILQ_INSERT_TAIL(&s->idle, e, link);
	return e;
}

static void side_touch(struct replay_side *s, struct side_entry *e)
{
	TAILQ_REMOVE(&s->idle, e, link);
	TAILQ_INSERT_TAIL(&s->idle, e, link);
}

/* The side that the sender is on where opener opened, and the other way round. */
static unsigned side_of_end(unsigned sender, unsigned opener)
{
	return sender == opener ? 0 : 1;
}

static uint8_t side_opener(unsigned sender, unsigned side)
{
	return (uint8_t)(side == 0 ? sender : 1 - sender);
}

/* Puts the ends in order and notes which one the sender is. Ports in host order. */
static void view_set(struct side_view *v, enum side_kind kind, uint8_t proto, unsigned addr_len,
	const uint8_t *src, uint16_t src_port, const uint8_t *dst, uint16_t dst_port)
{
	int order = memcmp(src, dst, addr_len);
	unsigned s = order > 0 || (order == 0 && src_port > dst_port);

	memset(v, 0, sizeof(*v));
	v->sender = s;
	v->key.kind = (uint8_t)kind;
	v->key.family = (uint8_t)addr_len;
	v->key.proto = proto;
	memcpy(v->key.addr[s], src, addr_len);
	memcpy(v->key.addr[1 - s], dst, addr_len);
	v->key.port[s] = src_port;
	v->key.port[1 - s] = dst_port;
}

static void view_addresses(struct side_view *v, const struct replay_packet *p)
{
	view_set(v, SIDE_ADDRESSES, 0, p->addr_len, p->src, 0, p->dst, 0);
}

static void view_fragment(struct side_view *v, const struct replay_packet *p)
{
	view_set(v, SIDE_FRAGMENT, p->proto, p->addr_len, p->src, 0, p->dst, 0);
	v->key.id = p->id;
}

/* TCP, UDP, SCTP. */
static void view_ports(struct side_view *v, const struct replay_packet *p)
{
	uint16_t src = be16(p->l4), dst = be16(p->l4 + 2);
	uint8_t flags;

	view_set(v, SIDE_FLOW, p->proto, p->addr_len, p->src, src, p->dst, dst);
	/* DHCP servers answer from addresses that nobody asked, and to all (RFC 2131, RFC 8415). */
	if (p->proto == IPPROTO_UDP && ((src == 67 && dst == 68) || (src == 547 && dst == 546)))
		v->claim = CLAIM_REPLY;
	if (p->proto != IPPROTO_TCP || p->l4_len < 14)
		return;
	flags = p->l4[13];
	v->closing = flags & (TCP_FIN | TCP_RST);
	if (!v->closing && (flags & TCP_SYN))
		v->claim = flags & TCP_ACK ? CLAIM_SYN_ACK : CLAIM_SYN;
}

/* Queries and their replies, RFC 792 and RFC 4443. False where it is neither. */
static bool view_query(struct side_view *v, const struct replay_packet *p)
{
	bool reply;

	if (p->l4_len < 8)
		return false;
	if (p->proto == IPPROTO_ICMP) {
		switch (p->l4[0]) {
		case 8: /* echo, timestamp, information, mask */
		case 13:
		case 15:
		case 17:
			reply = false;
			break;
		case 0:
		case 14:
		case 16:
		case 18:
			reply = true;
			break;
		default:
			return false;
		}
	} else {
		if (p->l4[0] != 128 && p->l4[0] != 129)
			return false;
		reply = p->l4[0] == 129;
	}
	view_set(v, SIDE_FLOW, p->proto, p->addr_len, p->src, be16(p->l4 + 4), p->dst,
		be16(p->l4 + 4));
	v->claim = reply ? CLAIM_REPLY : CLAIM_NONE;
	return true;
}

/* Neighbour discovery, RFC 4861: asker and target, as with ARP. False where it is none. */
static bool view_neighbour(struct side_view *v, const struct replay_packet *p)
{
	if (p->proto != IPPROTO_ICMPV6 || p->addr_len != 16 || p->l4_len < 24)
		return false;
	if (p->l4[0] == 135) {
		view_set(v, SIDE_NEIGHBOUR, 0, 16, p->src, 0, p->l4 + 8, 0);
		return true;
	}
	if (p->l4[0] != 136)
		return false;
	view_set(v, SIDE_NEIGHBOUR, 0, 16, p->l4 + 8, 0, p->dst, 0);
	if (p->l4[4] & 0x40) /* solicited */
		v->claim = CLAIM_REPLY;
	return true;
}

/* The conversation that an IP packet with an L4 header belongs to by its own headers. */
static void view_flow(struct side_view *v, const struct replay_packet *p)
{
	switch (p->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		if (p->l4_len >= 4) {
			view_ports(v, p);
			return;
		}
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (view_query(v, p) || view_neighbour(v, p))
			return;
		break;
	default:
		break;
	}
	view_set(v, SIDE_FLOW, p->proto, p->addr_len, p->src, 0, p->dst, 0);
}

/* Notes that the sender of v is on the given side, whatever was known. */
static void side_put(struct replay_side *s, const struct side_view *v, unsigned side)
{
	struct side_entry *e = side_find(s, &v->key);
	uint8_t opener = side_opener(v->sender, side);

	if (e) {
		e->opener = opener;
		side_touch(s, e);
	} else {
		side_add(s, &v->key, opener, true);
	}
}

/* The side that v's sender is on by what is known; -1 where nothing is. */
static int side_get(struct replay_side *s, const struct side_view *v)
{
	struct side_entry *e = side_find(s, &v->key);

	return e ? (int)side_of_end(v->sender, e->opener) : -1;
}

/* What a packet proves against what is known of its conversation. */
static void side_correct(struct side_entry *e, const struct side_view *v)
{
	bool proof = v->claim == CLAIM_SYN || v->claim == CLAIM_SYN_ACK;

	if (proof && (!e->sure || e->closed)) {
		e->opener = side_opener(v->sender, v->claim == CLAIM_SYN_ACK);
		e->sure = true;
		e->closed = false;
	}
	if (v->closing)
		e->closed = true;
}

/* guess: the side where neither the table nor the packet itself knows. */
static unsigned side_decide(struct replay_side *s, const struct side_view *v, unsigned guess)
{
	struct side_entry *e = side_find(s, &v->key);
	unsigned side = guess;

	if (e) {
		side_correct(e, v);
		side_touch(s, e);
		return side_of_end(v->sender, e->opener);
	}
	if (v->claim == CLAIM_SYN)
		side = 0;
	else if (v->claim != CLAIM_NONE)
		side = 1;
	e = side_add(s, &v->key, side_opener(v->sender, side), v->claim >= CLAIM_SYN);
	if (e)
		e->closed = v->closing;
	return side;
}

static bool is_icmp_error(const struct replay_packet *p)
{
	uint8_t type;

	if (p->later || p->l4_len < 8)
		return false;
	type = p->l4[0];
	if (p->proto == IPPROTO_ICMP && p->addr_len == 4)
		return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
	return p->proto == IPPROTO_ICMPV6 && p->addr_len == 16 && type >= 1 && type <= 4;
}

/* By the packet that the error quotes; -1 where that belongs to nothing known. */
static int side_of_quoted(struct replay_side *s, const struct replay_packet *error)
{
	struct replay_packet p;
	struct side_view v;
	int side;

	replay_packet_parse_ip(&p, error->l4 + 8, error->l4_len - 8);
	if (p.proto == 0)
		return -1;
	if (p.later)
		view_fragment(&v, &p);
	else
		view_flow(&v, &p);
	side = side_get(s, &v);
	return side < 0 ? -1 : 1 - side;
}

static unsigned side_of_later_fragment(struct replay_side *s, const struct replay_packet *p)
{
	struct side_view datagram, addresses;
	int side;

	view_fragment(&datagram, p);
	side = side_get(s, &datagram);
	if (side < 0) {
		view_addresses(&addresses, p);
		side = side_get(s, &addresses);
		side = side < 0 ? 0 : side;
	}
	side_put(s, &datagram, (unsigned)side);
	return (unsigned)side;
}

static unsigned side_of_ip(struct replay_side *s, const struct replay_packet *p)
{
	struct side_view v, datagram, addresses;
	unsigned side;
	int known;

	if (p->later)
		return side_of_later_fragment(s, p);
	view_flow(&v, p);
	if (is_icmp_error(p)) {
		known = side_of_quoted(s, p);
		if (known >= 0)
			return (unsigned)known;
		v.claim = CLAIM_REPLY;
	}
	known = -1;
	if (p->fragment) { /* a later one may have come before */
		view_fragment(&datagram, p);
		known = side_get(s, &datagram);
	}
	side = side_decide(s, &v, known < 0 ? 0 : (unsigned)known);
	if (p->fragment)
		side_put(s, &datagram, side);
	view_addresses(&addresses, p);
	side_put(s, &addresses, side);
	return side;
}

static unsigned side_of_arp(struct replay_side *s, const struct replay_packet *p)
{
	struct side_view v;

	view_set(&v, SIDE_NEIGHBOUR, 0, 4, p->src, 0, p->dst, 0);
	if (be16(p->l3 + 6) == 2)
		v.claim = CLAIM_REPLY;
	return side_decide(s, &v, 0);
}

unsigned replay_side_of(struct replay_side *s, const uint8_t *frame, uint32_t len)
{
	struct replay_packet p;
	struct side_view v;

	replay_packet_parse(&p, frame, len);
	if (len < RTE_ETHER_HDR_LEN)
		return 0;
	if (p.addr_len > 0 && p.ethertype == RTE_ETHER_TYPE_ARP)
		return side_of_arp(s, &p);
	if (p.addr_len > 0)
		return side_of_ip(s, &p);
	view_set(&v, SIDE_MACS, 0, 6, frame + 6, 0, frame, 0);
	return side_decide(s, &v, 0);
}
