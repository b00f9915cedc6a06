/*
 * Cases for the anti-spoofing guard: frames by name, made byte by byte, and the ports that they
 * come from. run() tries each untagged and behind one and two VLAN tags, IPv6 also behind
 * extension headers, in every split over two segments, cut off anywhere, and at a trusted port.
 */
#ifndef VS_TEST_GUARD_RIG_H
#define VS_TEST_GUARD_RIG_H

#include "frames.h"

#include <arpa/inet.h>

#include "guard.h"

#define ICMP   1
#define IGMP   2
#define GRE    47
#define ICMPV6 58

enum mac { OWN, VIRTUAL, FOREIGN, GROUP, ZERO };

static const uint8_t macs[][6] = {
	[OWN] = {2, 0, 0, 0, 0, 1},
	[VIRTUAL] = {0, 0, 0x5e, 0, 1, 7}, /* VRRP's */
	[FOREIGN] = {2, 0, 0, 0, 0, 2},
	[GROUP] = {3, 0, 0, 0, 0, 1},
	[ZERO] = {0},
};

enum port {
	ADDRESSED, /* MAC, 10.0.0.1, fd00::1 */
	PAIRED, /* and 10.0.0.100 and fd00::100 with the virtual MAC, 10.1.0.0/24 with its own */
	PAIR_ONLY, /* 10.0.0.100 with the virtual MAC, and no MAC of its own */
	BARE, /* a MAC and no addresses */
	MACLESS, /* addresses and no MAC */
	OPEN, /* neither */
	WIDE, /* a MAC, and pairs 0.0.0.0/0 and ::/0 */
	WIDE6, /* a MAC, and the pair ::/0 */
	TRUSTED,
	PORTS
};

static struct guard *guards[PORTS];
static struct rte_mempool *pool;

struct frame_case {
	const char *name;
	int want; /* -1 passes */
	enum port port;
	enum mac mac; /* Ethernet source */
	uint16_t ethertype; /* where it is neither ARP nor IP */

	uint16_t arp; /* operation */
	bool rarp;
	enum mac sha, tha;
	const char *spa, *tpa;
	uint8_t arp_wrong; /* the byte of its fixed part that is changed, and one more */

	const char *from, *to;
	uint8_t proto;
	uint16_t sport, dport;
	int first; /* byte of UDP payload; 0: none; -1: the payload is in a later fragment */
	uint16_t fragment; /* IPv4's field */

	uint8_t type, code; /* of ICMPv6 */
	uint8_t hops; /* fewer than 255 */
	const char *target;
	uint8_t options[32];
	uint8_t n_options;
	uint8_t cut; /* bytes that are missing at its end */
	const char *ext; /* headers, a letter each: see add_ext() */
};

#define CASES(cases) cases, RTE_DIM(cases)

struct bytes {
	uint8_t data[600];
	uint32_t len;
};

static inline void add(struct bytes *b, const void *data, uint32_t len)
{
	assert_true(b->len + len <= sizeof(b->data));
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void add16(struct bytes *b, uint32_t v)
{
	uint8_t bytes[2];

	put16(bytes, v);
	add(b, bytes, 2);
}

static inline void add_zeroes(struct bytes *b, uint32_t len)
{
	static const uint8_t zeroes[64];

	add(b, zeroes, len);
}

static inline void add_address(struct bytes *b, const char *text)
{
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	uint8_t bytes[16];

	assert_int_equal(inet_pton(family, text, bytes), 1);
	add(b, bytes, family == AF_INET6 ? 16 : 4);
}

static inline void add_arp(struct bytes *b, const struct frame_case *c)
{
	uint32_t at = b->len;

	add(b, (uint8_t[]){0, 1, 8, 0, 6, 4}, 6);
	add16(b, c->arp);
	add(b, macs[c->sha], 6);
	add_address(b, c->spa);
	add(b, macs[c->tha], 6);
	add_address(b, c->tpa);
	if (c->arp_wrong > 0)
		b->data[at + c->arp_wrong - 1]++;
}

static inline void add_upper(struct bytes *b, const struct frame_case *c)
{
	if (c->proto == UDP) {
		add16(b, c->sport);
		add16(b, c->dport);
		add16(b, c->first == 0 ? 8 : 108);
		add16(b, 0);
		if (c->first > 0) {
			add(b, (uint8_t[]){(uint8_t)c->first}, 1);
			for (unsigned i = 0; i < 3; i++)
				add(b, macs, 30);
			add(b, macs, 9);
		}
	} else if (c->proto == TCP) {
		add16(b, c->sport);
		add16(b, c->dport);
		add_zeroes(b, 8);
		add(b, (uint8_t[]){5 << 4, TCP_SYN}, 2);
		add_zeroes(b, 6);
	} else if (c->proto == ICMPV6) {
		add(b, (uint8_t[]){c->type, c->code}, 2);
		add_zeroes(b, 6);
		if (c->target != NULL)
			add_address(b, c->target);
		add(b, c->options, c->n_options);
		b->len -= c->cut;
	} else {
		add_zeroes(b, 12);
	}
}

static inline uint8_t ext_number(char letter)
{
	return letter == 'h'   ? 0
	       : letter == 'r' ? 43
	       : letter == 'd' ? 60
	       : letter == 'a' ? 51
			       : 44;
}

/* h: hop by hop, r: routing, d: destination, a: authentication; fragment header: w whole, f first,
 * l last. */
static inline void add_ext(struct bytes *b, const char *ext, uint8_t proto)
{
	uint8_t header[16] = {ext[1] != 0 ? ext_number(ext[1]) : proto};
	uint32_t len = 8;

	switch (*ext) {
	case 'h':
		memcpy(header + 2, (uint8_t[]){5, 2, 0, 0, 1, 0}, 6); /* router alert */
		break;
	case 'r':
		header[2] = 4;
		break;
	case 'd':
		memcpy(header + 1, (uint8_t[]){1, 1, 12}, 3);
		len = 16;
		break;
	case 'a':
		header[1] = 1;
		len = 12;
		break;
	case 'f':
		header[3] = 1;
		break;
	case 'l':
		header[3] = 8;
		break;
	}
	add(b, header, len);
	if (ext[1] != 0)
		add_ext(b, ext + 1, proto);
}

static inline void add_ip(struct bytes *b, const struct frame_case *c, const char *ext)
{
	bool ipv6 = strchr(c->from, ':') != NULL;
	uint32_t at = b->len;

	if (ipv6) {
		add(b, (uint8_t[]){0x60, 0, 0, 0, 0, 0}, 6);
		add(b, (uint8_t[]){*ext != 0 ? ext_number(*ext) : c->proto, 255 - c->hops}, 2);
	} else {
		add(b, (uint8_t[]){0x45, 0, 0, 0, 0, 0}, 6);
		add16(b, c->fragment);
		add(b, (uint8_t[]){64, c->proto, 0, 0}, 4);
	}
	add_address(b, c->from);
	add_address(b, c->to != NULL ? c->to : ipv6 ? "fd00::2" : "10.0.0.2");
	if (*ext != 0)
		add_ext(b, ext, c->proto);
	add_upper(b, c);
	put16(b->data + at + (ipv6 ? 4 : 2), b->len - at - (ipv6 ? 40 : 0));
}

static inline void build(
	struct bytes *b, const struct frame_case *c, unsigned vlans, const char *ext)
{
	uint16_t ethertype = c->rarp                ? 0x8035
			     : c->arp > 0           ? 0x0806
			     : c->from == NULL      ? c->ethertype
			     : strchr(c->from, ':') ? 0x86dd
						    : 0x0800;

	b->len = 0;
	add(b, (uint8_t[]){2, 0, 0, 0, 0, 9}, 6);
	add(b, macs[c->mac], 6);
	for (unsigned i = 0; i < vlans; i++) {
		add16(b, 0x8100);
		add16(b, 100 + i);
	}
	add16(b, ethertype);
	if (c->arp > 0)
		add_arp(b, c);
	else if (c->from != NULL)
		add_ip(b, c, ext);
	else
		add_zeroes(b, 46);
}

/* Parser's verdict + 1000, else the guard's. */
static inline int check_split(
	const struct guard *guard, const uint8_t *data, uint32_t len, uint32_t first)
{
	struct rte_mbuf *m = frames_mbuf(pool, data, len, first, 0);
	struct packet p;
	int reason = packet_parse(m, &p);

	reason = reason >= 0 ? 1000 + reason : guard_check(guard, m, &p);
	rte_pktmbuf_free(m);
	return reason;
}

static inline int check(const struct guard *guard, const struct bytes *b)
{
	return check_split(guard, b->data, b->len, 0);
}

static inline const char *verdict(int reason)
{
	return reason == -1 ? "passes" : drop_name((enum drop_reason)(reason % 1000));
}

static inline void expect(const struct frame_case *c, const struct bytes *b, const char *how)
{
	int got = check(guards[c->port], b);

	if (got != c->want)
		fail_msg("%s%s: %s, should be: %s", c->name, how, verdict(got), verdict(c->want));
	got = check(guards[TRUSTED], b);
	if (got != (c->want == DROP_ethertype ? c->want : -1))
		fail_msg("%s%s at a trusted port: %s", c->name, how, verdict(got));
}

/* What does not pass whole, passes in no split, nor cut off; and nothing is read beyond it. */
static inline void expect_split(const struct frame_case *c, const struct bytes *b)
{
	for (uint32_t first = 1; first < b->len; first++) {
		int got = check_split(guards[c->port], b->data, b->len, first);

		if (got == -1 && c->want != -1)
			fail_msg("%s, split at %u: passes", c->name, first);
		got = check_split(guards[c->port], b->data, first, 0);
		if (got == -1 && (c->want != -1 || c->from != NULL))
			fail_msg("%s, cut off at %u: passes", c->name, first);
	}
}

static inline void run(const struct frame_case *cases, unsigned n)
{
	struct bytes b;

	for (const struct frame_case *c = cases; c < cases + n; c++) {
		const char *ext = c->ext != NULL ? c->ext : "";

		build(&b, c, 0, ext);
		expect(c, &b, "");
		expect_split(c, &b);
		build(&b, c, 1, ext);
		expect(c, &b, ", tagged");
		build(&b, c, 2, ext);
		expect(c, &b, ", tagged twice");
		if (c->from == NULL || strchr(c->from, ':') == NULL || c->ext != NULL)
			continue;
		build(&b, c, 0, "hdrdaw");
		expect(c, &b, ", behind extension headers");
		expect_split(c, &b);
	}
}

static inline struct addr_span span4(uint32_t first, uint32_t last)
{
	return (struct addr_span){{.low = ADDR_V4_PREFIX | first}, {.low = ADDR_V4_PREFIX | last}};
}

static struct config_network network = {
	.ethertypes = {0x0806, 0x0800, 0x86dd, 0x8035, 0x88cc},
	.n_ethertypes = 5,
};

static inline void make_ports(void)
{
	static const struct addr_span all6 = {{0, 0}, {UINT64_MAX, UINT64_MAX}},
				      virtual6 = {{UINT64_C(0xfd) << 56, 0x100},
					      {UINT64_C(0xfd) << 56, 0x100}};
	static struct config_port port;

	for (enum port i = 0; i < PORTS; i++) {
		port = (struct config_port){.trusted = i == TRUSTED,
			.n_ips = 2,
			.ips = {"10.0.0.1", "fd00::1"},
			.has_mac = i != MACLESS && i != OPEN && i != PAIR_ONLY};
		memcpy(port.mac, macs[OWN], 6);
		if (i == BARE || i == OPEN || i == PAIR_ONLY || i == WIDE || i == WIDE6)
			port.n_ips = 0;
		if (i == PAIRED || i == PAIR_ONLY) {
			port.pairs[0] = (struct config_pair){
				.span = span4(0x0a000064, 0x0a000064), .has_mac = true};
			port.pairs[1] = (struct config_pair){.span = virtual6, .has_mac = true};
			port.pairs[2] = (struct config_pair){
				.span = span4(0x0a010000, 0x0a0100ff), .has_mac = false};
			memcpy(port.pairs[0].mac, macs[VIRTUAL], 6);
			memcpy(port.pairs[1].mac, macs[VIRTUAL], 6);
			port.n_pairs = i == PAIRED ? 3 : 1;
		}
		if (i == WIDE || i == WIDE6) {
			port.pairs[port.n_pairs++].span = all6;
			if (i == WIDE)
				port.pairs[port.n_pairs++].span = span4(0, UINT32_MAX);
		}
		guards[i] = guard_create(&port, &network);
		assert_non_null(guards[i]);
	}
}

static inline void free_ports(void)
{
	for (enum port i = 0; i < PORTS; i++)
		guard_free(guards[i]);
}

/* The tests between the ports' being made and freed; what main() returns. */
#define guard_rig_main(name, tests)                                                                \
	(guard_rig_start(name) ? cmocka_run_group_tests(tests, NULL, guard_rig_stop) : 1)

static inline bool guard_rig_start(const char *name)
{
	if (frames_eal(name) < 0)
		return false;
	pool = rte_pktmbuf_pool_create("frames", 511, 0, 0, 2048, SOCKET_ID_ANY);
	if (pool == NULL)
		return false;
	make_ports();
	return true;
}

static inline int guard_rig_stop(void **state)
{
	assert_int_equal(rte_mempool_avail_count(pool), 511);
	free_ports();
	return 0;
}

#endif
