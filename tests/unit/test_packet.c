/* The parser: what it finds, what it refuses, that it reads nothing beyond, and its hashes. */
#include "frames.h"

#include "packet.h"

#define ICMP   1
#define ICMPV6 58

static struct rte_mempool *pool;
static struct frame frame, other;

static int parse_split(const uint8_t *data, uint32_t len, uint32_t first, struct packet *p)
{
	struct rte_mbuf *m = frames_mbuf(pool, data, len, first, 0);
	int reason;

	memset(p, 0xa5, sizeof(*p));
	reason = packet_parse(m, p);
	rte_pktmbuf_free(m);
	return reason;
}

static int parse(const uint8_t *data, uint32_t len, struct packet *p)
{
	return parse_split(data, len, 0, p);
}

static int parse_frame(struct packet *p)
{
	return parse(frame.data, frame.len, p);
}

static void set_ipv4_fragment(struct frame *f, uint32_t field)
{
	put16(f->data + f->l3 + 6, field);
}

/* Puts len bytes of extension headers behind the IPv6 header; the packet grows by them. */
static void insert(struct frame *f, const uint8_t *ext, uint32_t len, uint8_t type)
{
	uint8_t *ip = f->data + f->l3;

	memmove(ip + 40 + len, ip + 40, f->len - f->l3 - 40);
	memcpy(ip + 40, ext, len);
	ip[6] = type;
	put16(ip + 4, get16(ip + 4) + len);
	f->len += len;
	f->end += len;
	f->l4 += len;
	f->payload += len;
}

static void build(bool ipv6, uint8_t proto, uint32_t payload)
{
	frame_build(&frame, &(struct frame_spec){.ipv6 = ipv6, .proto = proto, .payload = payload});
}

/* Every combination of family, tags, protocol, options and padding, against the builder's facts. */
static void test_finds_headers(void **state)
{
	static const uint8_t protos[] = {TCP, UDP, SCTP, ICMP, ICMPV6, 47};
	struct packet p;

	for (unsigned i = 0; i < 2 * 3 * 6 * 3 * 2 * 2; i++) {
		struct frame_spec s = {
			.ipv6 = i & 1,
			.vlans = i / 2 % 3,
			.proto = protos[i / 6 % 6],
			.extra = (uint8_t[]){0, 1, 8}[i / 36 % 3],
			.tcp_words = i / 108 % 2 * 10,
			.tcp_flags = TCP_ACK | TCP_PSH,
			.payload = 30,
			.padding = i / 216 % 2 * 17,
		};
		uint16_t flags = PACKET_L4 | (s.ipv6 ? PACKET_IPV6 : PACKET_IPV4) |
				 (s.vlans > 0 ? PACKET_TAGGED : 0);

		frame_build(&frame, &s);
		assert_int_equal(parse_frame(&p), -1);
		assert_int_equal(p.flags, flags);
		assert_int_equal(p.ethertype, s.ipv6 ? 0x86dd : 0x0800);
		assert_int_equal(p.l3_off, frame.l3);
		assert_int_equal(p.l3_len, frame.end - frame.l3);
		assert_int_equal(p.l4_off, frame.l4);
		assert_int_equal(p.l4_proto, s.proto);
		assert_int_equal(p.payload_off, s.proto == SCTP ? frame.l4 : frame.payload);
		assert_int_equal(p.tcp_flags, s.proto == TCP ? s.tcp_flags : 0);
	}
}

/* Cut off anywhere, a frame is refused by name; the headers alone in the first segment will do. */
static void test_cut_off_anywhere(void **state)
{
	static const uint8_t protos[] = {TCP, UDP, SCTP, ICMP, ICMPV6};
	struct packet p, whole;

	for (unsigned i = 0; i < 2 * 3 * 5; i++) {
		struct frame_spec s = {.ipv6 = i & 1,
			.vlans = i / 2 % 3,
			.proto = protos[i / 6],
			.extra = 2,
			.tcp_words = 3,
			.payload = 40};
		uint32_t needed;

		frame_build(&frame, &s);
		assert_int_equal(parse_frame(&whole), -1);
		needed = s.proto == ICMP || s.proto == ICMPV6 ? frame.l4 + 8 : frame.payload;
		if ((s.proto == ICMP && s.ipv6) || (s.proto == ICMPV6 && !s.ipv6))
			needed = frame.l4;
		for (uint32_t len = 0; len < frame.len; len++) {
			assert_int_equal(parse(frame.data, len, &p),
				len < frame.l3 ? DROP_frame_short : DROP_ip_malformed);
			if (len == 0)
				continue;
			if (len < frame.l3)
				assert_int_equal(parse_split(frame.data, frame.len, len, &p),
					DROP_frame_short);
			else if (len < frame.l4)
				assert_int_equal(parse_split(frame.data, frame.len, len, &p),
					DROP_ip_malformed);
			else if (len < needed)
				assert_int_equal(parse_split(frame.data, frame.len, len, &p),
					DROP_l4_malformed);
			else {
				assert_int_equal(parse_split(frame.data, frame.len, len, &p), -1);
				/* (an ICMP error's quote may be cut off, which moves the hashes) */
				assert_memory_equal(&p, &whole, offsetof(struct packet, addr_hash));
			}
		}
	}
}

struct patch {
	const char *what;
	bool ipv6;
	uint8_t proto;
	uint8_t from_l4;
	uint8_t off;
	uint16_t value; /* 16 bits at off */
	int reason;
};

static const struct patch patches[] = {
	{"IPv4 version", false, TCP, 0, 0, 0x5500, DROP_ip_malformed},
	{"IPv6 in an IPv4 frame", false, TCP, 0, 0, 0x6500, DROP_ip_malformed},
	{"IHL 4", false, TCP, 0, 0, 0x4400, DROP_ip_malformed},
	{"IHL 0", false, TCP, 0, 0, 0x4000, DROP_ip_malformed},
	{"IHL beyond the packet", false, UDP, 0, 0, 0x4f00, DROP_ip_malformed},
	{"total length 0", false, TCP, 0, 2, 0, DROP_ip_malformed},
	{"total length below IHL", false, TCP, 0, 2, 19, DROP_ip_malformed},
	{"total length ends in TCP", false, TCP, 0, 2, 39, DROP_l4_malformed},
	{"total length is the header", false, TCP, 0, 2, 20, DROP_l4_malformed},
	{"total length beyond the frame", false, TCP, 0, 2, 45, DROP_ip_malformed},
	{"total length 65535", false, TCP, 0, 2, 65535, DROP_ip_malformed},
	{"ping of death", false, UDP, 0, 6, 0x1fff, DROP_ip_malformed},
	{"last fragment that just fits", false, UDP, 0, 6, 0x1ffb, -1},
	{"fragment one unit further", false, UDP, 0, 6, 0x1ffc, DROP_ip_malformed},
	{"IPv6 version", true, TCP, 0, 0, 0x4000, DROP_ip_malformed},
	{"payload length beyond", true, TCP, 0, 4, 25, DROP_ip_malformed},
	{"payload length ends in TCP", true, TCP, 0, 4, 19, DROP_l4_malformed},
	{"payload length 0", true, TCP, 0, 4, 0, DROP_l4_malformed},
	{"data offset 4", false, TCP, 1, 12, 0x4010, DROP_l4_malformed},
	{"data offset 0", true, TCP, 1, 12, 0x0010, DROP_l4_malformed},
	{"data offset beyond", false, TCP, 1, 12, 0x7010, DROP_l4_malformed},
	{"data offset to the end", false, TCP, 1, 12, 0x6010, -1},
	{"UDP length 7", false, UDP, 1, 4, 7, DROP_l4_malformed},
	{"UDP length 0", true, UDP, 1, 4, 0, DROP_l4_malformed},
	{"UDP length beyond", false, UDP, 1, 4, 13, DROP_l4_malformed},
	{"UDP length within", true, UDP, 1, 4, 11, -1},
};

static void test_contradictions(void **state)
{
	struct packet p;

	for (size_t i = 0; i < RTE_DIM(patches); i++) {
		const struct patch *c = &patches[i];

		build(c->ipv6, c->proto, 4);
		put16(frame.data + (c->from_l4 ? frame.l4 : frame.l3) + c->off, c->value);
		if (parse_frame(&p) != c->reason)
			fail_msg("%s: %d instead of %d", c->what, parse_frame(&p), c->reason);
	}
}

/* Rules would take ::ffff:10.0.0.1 for the IPv4 address. */
static void test_ipv4_mapped_addresses(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};
	struct packet p;

	for (unsigned i = 0; i < 2; i++) {
		uint8_t *addr;

		build(true, TCP, 4);
		addr = frame.data + frame.l3 + (i == 0 ? 8 : 24);
		memcpy(addr, mapped, sizeof(mapped));
		assert_int_equal(parse_frame(&p), DROP_ip_malformed);
		addr[9] = 1;
		assert_int_equal(parse_frame(&p), -1);
	}
}

/* Item 70 of the catalogue: the order and number of IPv6 extension headers. */
static void test_70_ipv6_extension_headers(void **state)
{
	static const uint8_t dst[8] = {TCP, 0, 1, 4}, fragment[8] = {TCP, 0, 0, 0, 1, 2, 3, 4};
	static const uint8_t ah[16] = {TCP, 2}, none[8] = {59, 0, 1, 4}, long_ext[8] = {TCP, 9};
	static const uint8_t chain[40] = {
		60, 0, 1, 4, 0, 0, 0, 0, /* hop-by-hop */
		43, 0, 1, 4, 0, 0, 0, 0, /* destination options */
		44, 2, 4, 1, /* routing, 24 bytes */
	};
	uint8_t all[72] = {0};
	struct packet p;

	build(true, TCP, 4);
	for (unsigned i = 0; i < 9; i++) {
		uint8_t first[8];

		memcpy(first, dst, 8);
		first[0] = frame.data[frame.l3 + 6];
		insert(&frame, first, 8, 60);
		assert_int_equal(parse_frame(&p), i < 8 ? -1 : DROP_ip_malformed);
		if (i < 8)
			assert_int_equal(p.l4_off, frame.l4);
	}

	/* Hop-by-hop, destination options, routing, fragment (whole), AH: in the RFC's own order.
	 */
	build(true, TCP, 4);
	memcpy(all, chain, 40);
	memcpy(all + 40, fragment, 8);
	all[40] = 51;
	memcpy(all + 48, ah, 16);
	insert(&frame, all, 64, 0);
	assert_int_equal(parse_frame(&p), -1);
	assert_int_equal(p.l4_proto, TCP);
	assert_int_equal(p.l4_off, frame.l4);
	assert_int_equal(p.flags, PACKET_IPV6 | PACKET_L4);

	/* Hop-by-hop anywhere but first */
	build(true, TCP, 4);
	insert(&frame, dst, 8, 0);
	assert_int_equal(parse_frame(&p), -1);
	insert(&frame, (uint8_t[8]){0, 0, 1, 4}, 8, 60);
	assert_int_equal(parse_frame(&p), DROP_ip_malformed);

	/* A second fragment header behind a first one that counts */
	build(true, TCP, 4);
	insert(&frame, fragment, 8, 44);
	insert(&frame, (uint8_t[8]){44, 0, 0, 1}, 8, 44);
	assert_int_equal(parse_frame(&p), DROP_ip_malformed);

	/* One that is longer than the packet, and one that stops the packet */
	build(true, TCP, 4);
	insert(&frame, long_ext, 8, 60);
	assert_int_equal(parse_frame(&p), DROP_ip_malformed);
	build(true, TCP, 4);
	insert(&frame, none, 8, 60);
	assert_int_equal(parse_frame(&p), -1);
	assert_int_equal(p.l4_proto, 59);

	/* Jumbogram (RFC 2675) */
	build(true, TCP, 4);
	insert(&frame, (uint8_t[8]){TCP, 0, 0xc2, 4, 0, 1, 0, 0}, 8, 0);
	put16(frame.data + frame.l3 + 4, 0);
	assert_int_equal(parse_frame(&p), DROP_ip_malformed);
}

static void test_fragments(void **state)
{
	struct packet first, later, p;

	build(false, UDP, 64);
	set_ipv4_fragment(&frame, 0x2000);
	put16(frame.data + frame.l4 + 4, 4000); /* the datagram's length, not the fragment's */
	assert_int_equal(parse_frame(&first), -1);
	assert_int_equal(first.flags, PACKET_IPV4 | PACKET_FRAGMENT | PACKET_L4);
	set_ipv4_fragment(&frame, 0x0009);
	assert_int_equal(parse_frame(&later), -1);
	assert_int_equal(later.flags, PACKET_IPV4 | PACKET_FRAGMENT | PACKET_LATER_FRAGMENT);
	assert_int_equal(later.addr_hash, first.addr_hash);
	assert_int_equal(later.flow_hash, first.flow_hash);
	build(false, UDP, 64);
	assert_int_equal(parse_frame(&p), -1);
	assert_int_equal(p.addr_hash, first.addr_hash);

	/* A first fragment too small for its L4 header, which would pass by a rule on ports */
	build(false, TCP, 0);
	set_ipv4_fragment(&frame, 0x2000);
	put16(frame.data + frame.l3 + 2, 28);
	assert_int_equal(parse_frame(&p), DROP_l4_malformed);

	/* IPv6: the later fragment names the first header of the fragmented part, not the last */
	frame_build(&frame,
		&(struct frame_spec){.ipv6 = true, .proto = UDP, .extra = 1, .payload = 64});
	insert(&frame, (uint8_t[8]){60, 0, 0, 1}, 8, 44);
	assert_int_equal(parse_frame(&first), -1);
	assert_int_equal(first.flags, PACKET_IPV6 | PACKET_FRAGMENT | PACKET_L4);
	assert_int_equal(first.l4_proto, UDP);
	put16(frame.data + frame.l3 + 42, 0x0048);
	assert_int_equal(parse_frame(&later), -1);
	assert_int_equal(later.flags, PACKET_IPV6 | PACKET_FRAGMENT | PACKET_LATER_FRAGMENT);
	assert_int_equal(later.l4_proto, 60);
	assert_int_equal(later.addr_hash, first.addr_hash);
	assert_int_equal(later.flow_hash, first.flow_hash);
	put16(frame.data + frame.l3 + 42, 0xffa8); /* and 80 bytes: one unit too far */
	assert_int_equal(parse_frame(&p), -1);
	put16(frame.data + frame.l3 + 42, 0xffb0);
	assert_int_equal(parse_frame(&p), DROP_ip_malformed);
}

/* The frame at hand, a fragment; and where its packet says that it belongs. */
static void fragment_of_frame(struct packet *p, struct packet_fragment *f)
{
	struct rte_mbuf *m = frames_mbuf(pool, frame.data, frame.len, 0, 0);

	assert_int_equal(packet_parse(m, p), -1);
	assert_true(p->flags & PACKET_FRAGMENT);
	memset(f, 0xa5, sizeof(*f));
	packet_fragment(m, p, f);
	rte_pktmbuf_free(m);
}

static void test_fragment_places(void **state)
{
	struct packet_fragment f;
	struct packet p;

	for (unsigned extra = 0; extra < 3; extra++) {
		frame_build(&frame, &(struct frame_spec){.proto = UDP,
					    .extra = extra,
					    .payload = 64,
					    .padding = 9,
					    .vlans = extra});
		set_ipv4_fragment(&frame, 0x2000 | 123);
		fragment_of_frame(&p, &f);
		assert_int_equal(f.id, FRAME_ID);
		assert_int_equal(f.offset, 123 * 8);
		assert_int_equal(f.header, 20 + 4 * extra);
		assert_int_equal(f.len, 72);
		assert_int_equal(f.proto, UDP);
		assert_true(f.more);
		set_ipv4_fragment(&frame, 0x1000);
		fragment_of_frame(&p, &f);
		assert_int_equal(f.offset, 0x8000);
		assert_false(f.more);
	}
	/* Before the fragment header, and behind it: those are payload. */
	frame_build(&frame,
		&(struct frame_spec){.ipv6 = true, .proto = UDP, .extra = 1, .payload = 64});
	insert(&frame, (uint8_t[8]){60, 0, 0, 1, 0x81, 2, 3, 4}, 8, 44);
	insert(&frame, (uint8_t[16]){44, 1, 1, 12}, 16, 60);
	for (unsigned later = 0; later < 2; later++) {
		put16(frame.data + frame.l3 + 58, later ? 0x100 : 1);
		fragment_of_frame(&p, &f);
		assert_int_equal(f.id, 0x81020304);
		assert_int_equal(f.offset, later ? 0x100 : 0);
		assert_int_equal(f.header, 40 + 16 + 8);
		assert_int_equal(f.len, 8 + 72);
		assert_int_equal(f.proto, 0);
		assert_int_equal(f.more, !later);
	}
}

/* All of the payload is there after all: what is found must be what the whole has. */
static void test_first_fragment_as_whole(void **state)
{
	static const uint8_t protos[] = {TCP, UDP, SCTP, ICMP, ICMPV6, 47};

	for (unsigned i = 0; i < 2 * RTE_DIM(protos); i++) {
		uint8_t proto = protos[i / 2];
		struct packet p, expected;
		struct rte_mbuf *m;
		uint32_t len;

		build(i & 1, proto, 600);
		if (proto == ICMP || proto == ICMPV6) { /* echo, and an identifier */
			frame.data[frame.l4] = proto == ICMP ? 8 : 128;
			put16(frame.data + frame.l4 + 4, 0x4711);
		}
		assert_int_equal(parse_frame(&expected), -1);
		len = frame.end - frame.l4;
		if (i & 1)
			insert(&frame, (uint8_t[8]){proto, 0, 0, 1}, 8, 44);
		else
			set_ipv4_fragment(&frame, 0x2000);
		m = frames_mbuf(pool, frame.data, frame.l4 + 64, 0, 0);
		put16(rte_pktmbuf_mtod_offset(m, uint8_t *, frame.l3 + (i & 1 ? 4 : 2)),
			frame.l4 - frame.l3 + 64 - (i & 1 ? 40 : 0));
		assert_int_equal(packet_parse(m, &p), -1);
		assert_int_equal(packet_parse_whole(m, len, &p), -1);
		assert_int_equal(p.flags, expected.flags);
		assert_int_equal(p.flow_hash, expected.flow_hash);
		assert_int_equal(p.addr_hash, expected.addr_hash);
		assert_int_equal(p.l4_off, frame.l4);
		assert_int_equal(p.l3_len, frame.l4 + 64 - frame.l3);
		assert_int_equal(p.payload_off - p.l4_off, expected.payload_off - expected.l4_off);
		assert_int_equal(packet_parse(m, &p), -1);
		assert_int_equal(
			packet_parse_whole(m, len + 1, &p), proto == UDP ? DROP_l4_malformed : -1);
		assert_int_equal(packet_parse(m, &p), -1);
		assert_int_equal(
			packet_parse_whole(m, len - 1, &p), proto == UDP ? DROP_l4_malformed : -1);
		rte_pktmbuf_free(m);
	}
}

/* A fragmented ICMP error goes where its later fragments do, until all of it is there. */
static void test_fragmented_icmp_error(void **state)
{
	struct packet later, first_one, whole;
	struct rte_mbuf *m;

	build(false, ICMP, 600);
	frame.data[frame.l4] = 3;
	frame_build(&other, &(struct frame_spec){.proto = TCP, .payload = 500});
	memcpy(frame.data + frame.l4 + 8, other.data + other.l3, 520);
	frame.data[frame.l4 + 8 + 19]++; /* what it quotes is between others */
	assert_int_equal(parse_frame(&whole), -1);
	set_ipv4_fragment(&frame, 0x2000);
	m = frames_mbuf(pool, frame.data, frame.len, 0, 0);
	assert_int_equal(packet_parse(m, &first_one), -1);
	set_ipv4_fragment(&frame, 0x0080);
	assert_int_equal(parse_frame(&later), -1);
	assert_int_not_equal(whole.addr_hash, later.addr_hash);
	assert_int_equal(first_one.addr_hash, later.addr_hash);
	assert_int_equal(first_one.flow_hash, later.flow_hash);
	assert_int_equal(packet_parse_whole(m, 1200, &first_one), -1);
	assert_int_equal(first_one.addr_hash, whole.addr_hash);
	assert_int_equal(first_one.flow_hash, whole.flow_hash);
	rte_pktmbuf_free(m);
}

static void test_frames_that_are_not_ip(void **state)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};
	struct packet p, q;
	uint8_t data[60] = {[12] = 0x08, [13] = 0x06};

	memset(data, 0xff, 6);
	data[6] = 2;
	assert_int_equal(parse(data, sizeof(data), &p), -1);
	assert_int_equal(p.flags, PACKET_GROUP | PACKET_BROADCAST);
	assert_int_equal(p.ethertype, 0x0806);
	assert_int_equal(p.l3_len, 46);
	memcpy(data, group, 6);
	assert_int_equal(parse(data, sizeof(data), &q), -1);
	assert_int_equal(q.flags, PACKET_GROUP);
	assert_int_not_equal(p.addr_hash, q.addr_hash);

	/* 802.3: a length, with and without sense, and the least Ethernet frame there is */
	put16(data + 12, 20);
	assert_int_equal(parse(data, sizeof(data), &p), -1);
	assert_int_equal(p.ethertype, 0);
	assert_int_equal(p.l3_len, 20);
	put16(data + 12, 0x5ff);
	assert_int_equal(parse(data, sizeof(data), &p), -1);
	assert_int_equal(p.ethertype, 0);
	assert_int_equal(p.l3_len, 46);
	put16(data + 12, 0x88b5);
	assert_int_equal(parse(data, 14, &p), -1);
	assert_int_equal(p.l3_len, 0);

	/* Three tags: not looked into */
	frame_build(&frame, &(struct frame_spec){.proto = TCP, .vlans = 3, .payload = 9});
	assert_int_equal(parse_frame(&p), -1);
	assert_int_equal(p.flags, PACKET_TAGGED);
	assert_int_equal(p.ethertype, 0x8100);
	assert_int_equal(p.l3_off, 22);
}

/* Item 30: 64 KiB of packet and not one byte more, with no length that wraps. */
static void test_30_no_16_bit_overflow(void **state)
{
	struct frame_spec s = {.proto = TCP, .payload = 65535 - 40, .vlans = 2};
	struct packet p;

	frame_build(&frame, &s);
	assert_int_equal(frame.end - frame.l3, 65535);
	assert_int_equal(parse_split(frame.data, frame.len, 2048, &p), -1);
	assert_int_equal(p.l3_len, 65535);
	frame.len++;
	assert_int_equal(parse_split(frame.data, frame.len, 2048, &p), DROP_frame_long);
	s.ipv6 = true;
	s.payload = 65535 - 60;
	frame_build(&frame, &s);
	assert_int_equal(parse_split(frame.data, frame.len, 2048, &p), -1);
	assert_int_equal(p.l3_len, 65535);
	frame.len++;
	assert_int_equal(parse_split(frame.data, frame.len, 2048, &p), DROP_frame_long);
	put16(frame.data + frame.l3 - 2, 0x88b5);
	assert_int_equal(parse_split(frame.data, frame.len, 2048, &p), DROP_frame_long);
}

/* Item 31: a packet ends where its IP header says. */
static void test_31_padding_is_no_payload(void **state)
{
	struct packet p;

	for (unsigned i = 0; i < 4; i++) {
		frame_build(&frame, &(struct frame_spec){.ipv6 = i & 1,
					    .proto = i & 2 ? TCP : UDP,
					    .payload = 0,
					    .padding = 18});
		assert_int_equal(parse_frame(&p), -1);
		assert_int_equal(p.l3_off + p.l3_len, frame.payload);
		assert_int_equal(p.payload_off, frame.payload);
	}
}

/* Item 32: in a chain, the headers are in the first segment or the frame is refused. */
static void test_32_headers_are_contiguous(void **state)
{
	struct packet p;

	frame_build(&frame, &(struct frame_spec){.proto = TCP, .tcp_words = 3, .payload = 8900});
	assert_int_equal(parse_split(frame.data, frame.len, frame.payload, &p), -1);
	assert_int_equal(p.l3_len, frame.len - 14);
	assert_int_equal(
		parse_split(frame.data, frame.len, frame.payload - 1, &p), DROP_l4_malformed);
}

static void test_hashes_are_symmetric(void **state)
{
	static const uint8_t protos[] = {TCP, UDP, SCTP, ICMP, ICMPV6, 47};
	struct packet there, back, port;

	for (unsigned i = 0; i < 2 * 6; i++) {
		struct frame_spec s = {.ipv6 = i & 1, .proto = protos[i / 2], .payload = 16};

		frame_build(&frame, &s);
		assert_int_equal(parse_frame(&there), -1);
		s.reverse = true;
		frame_build(&other, &s);
		assert_int_equal(parse(other.data, other.len, &back), -1);
		assert_int_equal(there.addr_hash, back.addr_hash);
		assert_int_equal(there.flow_hash, back.flow_hash);
		put16(frame.data + frame.l4, 4711);
		assert_int_equal(parse_frame(&port), -1);
		assert_int_equal(there.addr_hash, port.addr_hash);
		if (i / 2 < 3)
			assert_int_not_equal(there.flow_hash, port.flow_hash);
	}
}

/* An echo's answer has its hash, another identifier another. */
static void test_echo_hashes_with_its_identifier(void **state)
{
	struct packet request, reply, next;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct frame_spec s = {.ipv6 = v6, .proto = v6 ? ICMPV6 : ICMP, .payload = 16};

		frame_build(&frame, &s);
		memcpy(frame.data + frame.l4, (uint8_t[8]){v6 ? 128 : 8, 0, 0, 0, 1, 2, 0, 9}, 8);
		assert_int_equal(parse_frame(&request), -1);
		frame.data[frame.l4 + 5]++;
		assert_int_equal(parse_frame(&next), -1);
		s.reverse = true;
		frame_build(&frame, &s);
		memcpy(frame.data + frame.l4, (uint8_t[8]){v6 ? 129 : 0, 0, 0, 0, 1, 2, 0, 9}, 8);
		assert_int_equal(parse_frame(&reply), -1);
		assert_int_equal(request.flow_hash, reply.flow_hash);
		assert_int_not_equal(request.flow_hash, next.flow_hash);
		assert_int_equal(request.addr_hash, next.addr_hash);
	}
}

/* An ICMP error of type, from a router, that quotes len bytes of `other`'s IP packet. */
static void build_error(bool ipv6, uint8_t type, uint32_t len)
{
	build(ipv6, ipv6 ? ICMPV6 : ICMP, 8 + len);
	frame.data[frame.l3 + (ipv6 ? 23 : 15)] = 0x63; /* another source */
	frame.data[frame.l4] = type;
	memcpy(frame.data + frame.l4 + 8, other.data + other.l3, len);
}

/* Design: an ICMP error goes by the tuple it quotes. */
static void test_icmp_error_follows_its_quote(void **state)
{
	static const uint8_t types[2][4] = {{3, 4, 11, 12}, {1, 2, 3, 4}};
	static const uint8_t protos[] = {TCP, UDP, SCTP, 47};
	struct packet p, quoted, own;

	for (unsigned i = 0; i < 2 * 4 * 4; i++) {
		bool ipv6 = i & 1;
		struct frame_spec s = {.ipv6 = ipv6,
			.reverse = true,
			.extra = 2,
			.proto = protos[i / 8],
			.payload = 64};
		uint32_t header;

		frame_build(&other, &s);
		header = other.l4 - other.l3;
		assert_int_equal(parse(other.data, other.len, &quoted), -1);
		build_error(ipv6, ipv6 ? 135 : 9, 64);
		assert_int_equal(parse_frame(&own), -1);
		assert_int_not_equal(own.addr_hash, quoted.addr_hash);
		for (uint32_t len = 0; len <= 90; len++) {
			build_error(ipv6, types[ipv6][i / 2 % 4], len);
			assert_int_equal(parse_frame(&p), -1);
			assert_int_equal(p.addr_hash,
				len < (ipv6 ? 40 : 20) ? own.addr_hash : quoted.addr_hash);
			if (len >= header + 4)
				assert_int_equal(p.flow_hash, quoted.flow_hash);
		}
	}

	/* A quote of the other family, and an error about an error: by the addresses */
	build(true, UDP, 50);
	other = frame;
	build_error(false, 3, 64);
	assert_int_equal(parse_frame(&p), -1);
	frame.data[frame.l4] = 9;
	assert_int_equal(parse_frame(&own), -1);
	assert_int_equal(p.addr_hash, own.addr_hash);
}

static void reverse(struct frame *f, const struct packet *p)
{
	uint8_t *ip = f->data + p->l3_off, swap[16];
	uint32_t at = p->flags & PACKET_IPV6 ? 8 : 12, len = p->flags & PACKET_IPV6 ? 16 : 4;

	memcpy(swap, f->data, 6);
	memcpy(f->data, f->data + 6, 6);
	memcpy(f->data + 6, swap, 6);
	if (!(p->flags & (PACKET_IPV4 | PACKET_IPV6)))
		return;
	memcpy(swap, ip + at, len);
	memcpy(ip + at, ip + at + len, len);
	memcpy(ip + at + len, swap, len);
	if ((p->flags & PACKET_L4) && (p->l4_proto == TCP || p->l4_proto == UDP)) {
		memcpy(swap, f->data + p->l4_off, 2);
		memcpy(f->data + p->l4_off, f->data + p->l4_off + 2, 2);
		memcpy(f->data + p->l4_off + 2, swap, 2);
	}
}

static void mutate(struct frame *f, uint64_t *seed)
{
	static const uint8_t values[] = {0, 1, 4, 6, 17, 40, 43, 44, 51, 58, 60, 0x45, 0x60, 0xff};
	unsigned n = frames_random(seed) % 6;

	for (unsigned i = 0; i < n; i++) {
		uint32_t at = frames_random(seed) % RTE_MIN(f->len, 100u);
		uint32_t r = frames_random(seed);

		f->data[at] = r & 1 ? (uint8_t)(r >> 8) : values[(r >> 8) % sizeof(values)];
	}
	if (frames_random(seed) % 4 == 0)
		f->len = frames_random(seed) % (f->len + 1);
}

/* Whatever comes: every offset lies within the packet, and the answer has the same hashes. */
static void test_random_packets(void **state)
{
	static const uint8_t protos[] = {TCP, UDP, SCTP, ICMP, ICMPV6, 47, 50, 59};
	uint64_t seed = 20261125;
	struct packet p, back;
	unsigned good = 0;

	for (unsigned i = 0; i < 100000; i++) {
		uint32_t r = frames_random(&seed), first;
		struct frame_spec s = {.ipv6 = r & 1,
			.vlans = (r >> 1) % 4,
			.proto = protos[(r >> 3) % 8],
			.extra = (r >> 6) % 11 % 10,
			.routing = (r >> 10) % 4 == 0,
			.tcp_words = (r >> 12) % 11,
			.payload = (r >> 16) % 100,
			.padding = (r >> 24) % 8};

		if (!s.ipv6 && s.extra > 10)
			s.extra = 10;
		frame_build(&frame, &s);
		mutate(&frame, &seed);
		first = frames_random(&seed) % (frame.len + 1);
		parse_split(frame.data, frame.len, first, &p);
		if (parse_frame(&p) >= 0)
			continue;
		good++;
		assert_true(p.l3_off + p.l3_len <= frame.len);
		assert_true(p.l4_off <= p.l3_off + p.l3_len);
		assert_true(p.payload_off <= p.l3_off + p.l3_len);
		assert_true(p.payload_off >= p.l4_off);
		reverse(&frame, &p);
		assert_int_equal(parse_frame(&back), -1);
		if (p.l4_proto != ICMP && p.l4_proto != ICMPV6) /* quotes have no reverse */
			assert_int_equal(p.flow_hash, back.flow_hash);
		if ((p.flags & PACKET_L4) == 0)
			assert_int_equal(p.addr_hash, back.addr_hash);
	}
	assert_true(good > 10000);
}

/* Neighbours in a subnet spread over workers and buckets. */
static void test_hashes_spread(void **state)
{
	unsigned workers[4] = {0}, buckets[256] = {0};
	struct packet p;

	build(false, TCP, 4);
	for (unsigned i = 0; i < 16384; i++) {
		frame.data[frame.l3 + 15] = i & 127;
		frame.data[frame.l3 + 19] = (uint8_t)(128 + (i >> 7));
		assert_int_equal(parse_frame(&p), -1);
		workers[p.addr_hash % 4]++;
		buckets[p.flow_hash >> 24]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(workers[i], 16384 / 4 - 400, 16384 / 4 + 400);
	for (unsigned i = 0; i < 256; i++)
		assert_in_range(buckets[i], 64 - 48, 64 + 48);
}

/* The last test: the secret stays. */
static void test_secret_changes_hashes(void **state)
{
	struct packet before, after, again;

	build(true, TCP, 4);
	assert_int_equal(parse_frame(&before), -1);
	packet_hash_secret(1);
	assert_int_equal(parse_frame(&after), -1);
	packet_hash_secret(2);
	assert_int_equal(parse_frame(&again), -1);
	assert_int_not_equal(before.addr_hash, after.addr_hash);
	assert_int_not_equal(before.flow_hash, after.flow_hash);
	assert_int_not_equal(again.addr_hash, after.addr_hash);
	packet_hash_secret(1);
	assert_int_equal(parse_frame(&again), -1);
	assert_int_equal(again.flow_hash, after.flow_hash);
	test_hashes_are_symmetric(state);
	test_hashes_spread(state);
}

/* A usual packet with some bytes of its headers changed, or cut off; never its ethertype. */
static void build_damaged(void)
{
	build(false, rand() % 2 ? TCP : UDP, (uint32_t)rand() % 40);
	for (int changes = rand() % 4; changes > 0; changes--) {
		uint32_t at = (uint32_t)rand() % (frame.l4 + 20);

		if (at != 12 && at != 13 && at < frame.len)
			frame.data[at] = (uint8_t)rand();
	}
	if (rand() % 4 == 0)
		frame.len = 14 + (uint32_t)rand() % (frame.len - 13);
}

/* Most packets take a short way; with a VLAN tag the same ones take the long way, and come to the
 * same. */
static void test_short_way_comes_to_what_the_long_does(void **state)
{
	unsigned good = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct packet usual, tagged;
		int reason;

		build_damaged();
		reason = parse_frame(&usual);
		memmove(frame.data + 16, frame.data + 12, frame.len - 12);
		memcpy(frame.data + 12, (uint8_t[]){0x81, 0, 0, 5}, 4);
		frame.len += 4;
		assert_int_equal(parse_frame(&tagged), reason);
		if (reason >= 0)
			continue;
		good++;
		assert_int_equal(tagged.l3_off, usual.l3_off + 4);
		assert_int_equal(tagged.l4_off, usual.l4_off == 0 ? 0 : usual.l4_off + 4);
		assert_int_equal(
			tagged.payload_off, usual.payload_off == 0 ? 0 : usual.payload_off + 4);
		usual.flags |= PACKET_TAGGED;
		usual.l3_off = tagged.l3_off;
		usual.l4_off = tagged.l4_off;
		usual.payload_off = tagged.payload_off;
		assert_memory_equal(&usual, &tagged, sizeof(usual));
	}
	assert_in_range(good, 4000, 16000);
}

static int setup(void **state)
{
	if (frames_eal("test_packet") < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", 511, 0, 0, 256, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	return rte_mempool_avail_count(pool) == 511 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_headers),
		cmocka_unit_test(test_cut_off_anywhere),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_ipv4_mapped_addresses),
		cmocka_unit_test(test_70_ipv6_extension_headers),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_fragment_places),
		cmocka_unit_test(test_first_fragment_as_whole),
		cmocka_unit_test(test_fragmented_icmp_error),
		cmocka_unit_test(test_frames_that_are_not_ip),
		cmocka_unit_test(test_30_no_16_bit_overflow),
		cmocka_unit_test(test_31_padding_is_no_payload),
		cmocka_unit_test(test_32_headers_are_contiguous),
		cmocka_unit_test(test_hashes_are_symmetric),
		cmocka_unit_test(test_echo_hashes_with_its_identifier),
		cmocka_unit_test(test_icmp_error_follows_its_quote),
		cmocka_unit_test(test_random_packets),
		cmocka_unit_test(test_short_way_comes_to_what_the_long_does),
		cmocka_unit_test(test_hashes_spread),
		cmocka_unit_test(test_secret_changes_hashes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
