/*
 * Offloads between unlike ends, held against an oracle of its own: what an end may ask for, what
 * the other end gets, and that nobody sees another's packet change. Item numbers are those of the
 * catalogue of known faults.
 */
#include "frames.h"

#include "checksum.h"
#include "offload.h"
#include "packet.h"

#define BUFFERS 1023
#define ROOM    2048 /* bytes of a buffer of the pool */

/* How far a packet is shared when it comes to offload_complete(). */
enum sharing { ALONE, REFERENCED, CLONED, EXTERNAL_SHARED, SHARINGS };

enum offload { NONE, PARTIAL, TSO };

struct setup {
	struct frame_spec spec;
	enum offload offload;
	uint16_t segsz;
	uint32_t caps;
	uint32_t mtu;
	uint32_t first; /* bytes in the first segment */
	uint32_t rest;
	enum sharing sharing;
};

static struct rte_mempool *pool;
static struct frame frame;
static uint8_t bytes[FRAME_MAX];

/* Made whole or partial by the spec, flagged as a driver would, and accepted. */
static struct rte_mbuf *accepted(const struct setup *s)
{
	struct packet p;
	struct rte_mbuf *m;

	m = frames_mbuf(pool, frame.data, frame.len, s->first, s->rest);
	assert_int_equal(packet_parse(m, &p), -1);
	if (s->offload != NONE)
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
	if (s->offload == TSO) {
		m->ol_flags |= RTE_MBUF_F_RX_LRO;
		m->tso_segsz = s->segsz;
	}
	assert_int_equal(offload_accept(m, &p), -1);
	return m;
}

static struct rte_mbuf *built(struct setup *s)
{
	s->spec.partial = s->offload != NONE;
	frame_build(&frame, &s->spec);
	return accepted(s);
}

/* Returns what stands for the other owner; released by the caller, NULL where there is none. */
static struct rte_mbuf *share(struct rte_mbuf **m, enum sharing how)
{
	struct rte_mbuf *owner = *m;

	switch (how) {
	case REFERENCED:
		for (struct rte_mbuf *s = owner; s != NULL; s = s->next)
			rte_mbuf_refcnt_update(s, 1);
		return owner;
	case CLONED: /* of a direct buffer: the clone is indirect */
		owner = rte_pktmbuf_copy(*m, pool, 0, UINT32_MAX);
		rte_pktmbuf_free(*m);
		/* FALLTHROUGH */
	case EXTERNAL_SHARED: /* of an external one: both hold the block */
		*m = rte_pktmbuf_clone(owner, pool);
		assert_non_null(owner);
		assert_non_null(*m);
		return owner;
	default:
		return NULL;
	}
}

static bool is_tso(const struct setup *s)
{
	return s->offload == TSO && s->spec.payload > s->segsz;
}

/* The oracle: whether the receiver takes the open checksum or TSO, and a chain, as they are. */
static bool takes_offload(const struct setup *s)
{
	bool extensions = s->spec.ipv6 && (s->spec.extra > 0 || s->spec.routing);
	uint32_t tso = s->spec.ipv6 ? PORT_TX_TSO6 : PORT_TX_TSO4;

	if (s->offload == NONE)
		return true;
	if (extensions || s->spec.proto == SCTP || !(s->caps & PORT_TX_CSUM))
		return false;
	return !is_tso(s) || (s->caps & tso);
}

static int expected(const struct setup *s, unsigned segs)
{
	uint32_t headers = frame.payload - frame.l3;
	uint32_t l3 = is_tso(s) ? headers + s->segsz : frame.len - frame.l3;
	bool chained = segs > 1 && !(s->caps & PORT_TX_CHAINS);
	bool copied = !takes_offload(s) && s->sharing != ALONE;
	bool cut = is_tso(s) && (!takes_offload(s) || (chained && frame.len > ROOM));

	if (l3 > s->mtu)
		return -(1 + DROP_tx_mtu);
	if (cut && !(s->caps & PORT_TX_CHAINS) && frame.payload + s->segsz > ROOM)
		return -(1 + DROP_tx_offload);
	if (cut)
		return (int)((s->spec.payload + s->segsz - 1) / s->segsz);
	if (!(s->caps & PORT_TX_CHAINS) && frame.len > ROOM && (chained || copied))
		return -(1 + DROP_tx_offload);
	return 1;
}

/* What the packet's flags say about it must be what its bytes say. */
static void check_checksum(const struct setup *s, const struct rte_mbuf *m, uint32_t len)
{
	uint64_t kind = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
	uint64_t family = m->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
	struct frame f;

	if (kind == 0) {
		assert_int_equal(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG, 0);
		assert_true(frame_checksums_ok(bytes, frame.l3));
		return;
	}
	assert_true(s->offload != NONE);
	assert_true(s->caps & PORT_TX_CSUM);
	assert_int_equal(
		kind, s->spec.proto == TCP ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM);
	assert_int_equal(family, s->spec.ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
	assert_int_equal(m->l2_len, frame.l3);
	assert_int_equal(m->l3_len, frame.l4 - frame.l3);
	assert_int_equal(m->l4_len, frame.payload - frame.l4);
	f.l3 = frame.l3;
	f.l4 = frame.l4;
	f.end = len;
	memcpy(f.data, bytes, frame.payload);
	assert_int_equal(get16(bytes + frame.l4 + (s->spec.proto == TCP ? 16 : 6)),
		frame_pseudo(&f, &s->spec));
}

/* One of the segments that a TSO packet was cut into, in bytes. */
static void check_segment(const struct setup *s, uint32_t number, uint32_t len, bool last)
{
	const uint8_t *ip = bytes + frame.l3, *tcp = bytes + frame.l4;
	uint32_t off = number * s->segsz;
	uint8_t flags = s->spec.tcp_flags;

	if (!last)
		flags &= ~(TCP_FIN | TCP_PSH);
	if (number > 0)
		flags &= ~TCP_CWR;
	assert_int_equal(len - frame.payload, last ? s->spec.payload - off : s->segsz);
	assert_memory_equal(
		bytes + frame.payload, frame.data + frame.payload + off, len - frame.payload);
	assert_int_equal(get32(tcp + 4), FRAME_SEQ + off);
	assert_int_equal(tcp[13], flags);
	if (s->spec.ipv6) {
		assert_int_equal(get16(ip + 4), len - frame.l3 - 40);
	} else {
		assert_int_equal(get16(ip + 2), len - frame.l3);
		assert_int_equal(get16(ip + 4), (FRAME_ID + number) & 0xffff);
		assert_int_equal(slow_sum(0, ip, (ip[0] & 15) * 4), 0xffff);
	}
	/* All else is as it was. */
	memcpy(bytes + frame.l4 + 4, frame.data + frame.l4 + 4, 4);
	bytes[frame.l4 + 13] = s->spec.tcp_flags;
	memcpy(bytes + frame.l4 + 16, frame.data + frame.l4 + 16, 2);
	if (s->spec.ipv6) {
		memcpy(bytes + frame.l3 + 4, frame.data + frame.l3 + 4, 2);
	} else {
		memcpy(bytes + frame.l3 + 2, frame.data + frame.l3 + 2, 4);
		memcpy(bytes + frame.l3 + 10, frame.data + frame.l3 + 10, 2);
	}
	assert_memory_equal(bytes, frame.data, frame.payload);
}

static void check_frames(const struct setup *s, struct rte_mbuf **out, int n, bool cut)
{
	for (int i = 0; i < n; i++) {
		struct rte_mbuf *m = out[i];
		uint32_t len = frames_read(m, bytes);

		assert_true(offload_fits(m, s->caps, s->mtu));
		if (!(s->caps & PORT_TX_CHAINS))
			assert_int_equal(m->nb_segs, 1);
		if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) {
			assert_true(takes_offload(s) && is_tso(s));
			assert_int_equal(m->tso_segsz, s->segsz);
			assert_memory_equal(bytes, frame.data, frame.len);
			continue;
		}
		check_checksum(s, m, cut ? len : frame.end);
		if (cut) {
			assert_true(rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m));
			check_segment(s, (uint32_t)i, len, i == n - 1);
			continue;
		}
		assert_int_equal(len, frame.len);
		if (s->offload != NONE) /* the field is checked: the rest is as it was */
			memcpy(bytes + frame.l4, frame.data + frame.l4, frame.payload - frame.l4);
		assert_memory_equal(bytes, frame.data, frame.len);
	}
}

/* Sends the packet of s, and holds what comes out against what must. */
static void run(struct setup *s)
{
	struct rte_mbuf *out[OFFLOAD_SEGMENTS_MAX], *m = built(s), *owner;
	unsigned segs;
	int n, wanted;

	owner = share(&m, s->sharing);
	segs = m->nb_segs;
	wanted = expected(s, segs);
	assert_int_equal(offload_fits(m, s->caps, s->mtu),
		wanted == 1 && takes_offload(s) && (segs == 1 || s->caps & PORT_TX_CHAINS));
	n = offload_complete(m, s->caps, s->mtu, pool, out, OFFLOAD_SEGMENTS_MAX);
	assert_int_equal(n, wanted);
	check_frames(s, out, n, n > 1);
	if (n < 0) {
		assert_int_equal(frames_read(m, bytes), frame.len);
		assert_memory_equal(bytes, frame.data, frame.len);
		rte_pktmbuf_free(m);
	} else {
		rte_pktmbuf_free_bulk(out, (unsigned)n);
	}
	if (owner != NULL) {
		assert_int_equal(frames_read(owner, bytes), frame.len);
		assert_memory_equal(bytes, frame.data, frame.len);
		assert_int_equal(rte_mbuf_refcnt_read(owner), 1);
		rte_pktmbuf_free(owner);
	}
	assert_int_equal(rte_mempool_avail_count(pool), BUFFERS);
}

/* Every offload x receiver x MTU x family x tags x chain x sharing. */
static void run_matrix(struct setup *s)
{
	static const uint32_t mtus[] = {576, 1500, 9000, 65535};
	static const uint32_t rests[] = {0, ROOM, 333};

	for (unsigned i = 0; i < 16 * 4 * 3 * SHARINGS; i++) {
		s->caps = i & 15;
		s->mtu = mtus[i / 16 % 4];
		s->rest = rests[i / 64 % 3];
		s->sharing = (enum sharing)(i / 192);
		for (unsigned family = 0; family < 6; family++) {
			s->spec.ipv6 = family & 1;
			s->spec.vlans = family / 2;
			s->spec.padding = family == 2 ? 7 : 0;
			s->first = s->rest == 333 ? 150 : s->rest;
			run(s);
		}
	}
}

static void test_matrix_whole_packets(void **state)
{
	struct setup s = {.spec = {.proto = TCP, .payload = 1460 - 4 * 3, .tcp_words = 3}};

	run_matrix(&s);
}

static void test_matrix_partial_tcp(void **state)
{
	struct setup s = {.spec = {.proto = TCP, .payload = 701}, .offload = PARTIAL};

	run_matrix(&s);
}

static void test_matrix_partial_udp_with_options(void **state)
{
	struct setup s = {.spec = {.proto = UDP, .payload = 3001, .extra = 2}, .offload = PARTIAL};

	run_matrix(&s);
}

static void test_matrix_partial_sctp(void **state)
{
	struct setup s = {.spec = {.proto = SCTP, .payload = 1001}, .offload = PARTIAL};

	run_matrix(&s);
}

static void test_matrix_tso(void **state)
{
	struct setup s = {.spec = {.proto = TCP,
				  .payload = 7001,
				  .tcp_words = 3,
				  .tcp_flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR},
		.offload = TSO,
		.segsz = 1448};

	run_matrix(&s);
}

static void test_matrix_tso_with_options(void **state)
{
	struct setup s = {.spec = {.proto = TCP,
				  .payload = 1300,
				  .extra = 3,
				  .routing = true,
				  .tcp_flags = TCP_ACK | TCP_PSH},
		.offload = TSO,
		.segsz = 400};

	run_matrix(&s);
}

static void test_matrix_tso_jumbo_segments(void **state)
{
	struct setup s = {.spec = {.proto = TCP, .payload = 20000, .tcp_flags = TCP_ACK},
		.offload = TSO,
		.segsz = 8900};

	run_matrix(&s);
}

/* Any size in any pieces gives the stream back. */
static void test_tso_of_random_shape(void **state)
{
	uint64_t seed = 4711;

	for (unsigned i = 0; i < 2000; i++) {
		struct setup s = {.offload = TSO, .mtu = 65535};
		uint32_t r = frames_random(&seed);

		s.spec = (struct frame_spec){.proto = TCP,
			.ipv6 = r & 1,
			.vlans = (r >> 1) % 3,
			.extra = (r >> 3) % 9,
			.tcp_words = (r >> 7) % 11,
			.tcp_flags = r >> 11,
			.payload = 1 + frames_random(&seed) % (r & 0x80000000 ? 2000 : 65000)};
		s.spec.tcp_flags &= ~TCP_SYN;
		if (s.spec.payload > 65535u - 200)
			s.spec.payload = 65535u - 200;
		s.segsz = 1 + s.spec.payload / OFFLOAD_SEGMENTS_MAX +
			  frames_random(&seed) % (r & 0x40000000 ? 1500 : 60000) % 65000;
		s.caps = (r >> 20) & 15;
		s.first = 22 + 40 + 64 + 60 + frames_random(&seed) % 200;
		s.rest = 900 + frames_random(&seed) % 5000;
		run(&s);
	}
}

/* Item 21: whoever can't complete a checksum gets it completed. */
static void test_21_partial_checksum_is_completed_for_who_cannot(void **state)
{
	for (unsigned i = 0; i < 8; i++) {
		struct setup s = {.spec = {.ipv6 = i & 1,
					  .proto = i & 2 ? TCP : UDP,
					  .payload = 99 + i,
					  .vlans = i / 4},
			.offload = PARTIAL,
			.mtu = 1500,
			.caps = PORT_TX_CHAINS};
		struct rte_mbuf *m = built(&s), *out[OFFLOAD_SEGMENTS_MAX];

		assert_false(frame_checksums_ok(frame.data, frame.l3));
		assert_int_equal(
			offload_complete(m, s.caps, s.mtu, pool, out, OFFLOAD_SEGMENTS_MAX), 1);
		frames_read(out[0], bytes);
		assert_true(frame_checksums_ok(bytes, frame.l3));
		assert_ptr_equal(out[0], m); /* alone, so in place */
		rte_pktmbuf_free(out[0]);
	}
}

/* Item 22: a partial checksum is no wrong one, and crosses to who takes it untouched. */
static void test_22_partial_checksum_is_not_validated(void **state)
{
	struct setup s = {.spec = {.proto = TCP, .payload = 100},
		.offload = PARTIAL,
		.mtu = 1500,
		.caps = PORT_TX_CSUM};
	struct rte_mbuf *m = built(&s);

	assert_true(offload_fits(m, s.caps, s.mtu));
	frames_read(m, bytes);
	assert_memory_equal(bytes, frame.data, frame.len);
	rte_pktmbuf_free(m);
}

/* Item 23: what came damaged leaves damaged, to any receiver; as TSO it does not leave at all. */
static void test_23_bad_checksum_is_never_repaired(void **state)
{
	static const uint64_t flags[] = {
		0, RTE_MBUF_F_RX_L4_CKSUM_BAD, RTE_MBUF_F_RX_L4_CKSUM_GOOD};
	struct frame_spec spec = {.proto = TCP, .payload = 3000};
	struct rte_mbuf *m, *out[OFFLOAD_SEGMENTS_MAX];
	struct packet p;

	frame_build(&frame, &spec);
	frame.data[frame.payload + 5] ^= 0x10;
	for (unsigned i = 0; i < 3 * 16; i++) {
		uint32_t caps = i & 15;

		m = frames_mbuf(pool, frame.data, frame.len, 200, 0);
		assert_int_equal(packet_parse(m, &p), -1);
		m->ol_flags |= flags[i / 16];
		assert_int_equal(offload_accept(m, &p), -1);
		assert_int_equal(m->ol_flags, RTE_MBUF_F_EXTERNAL);
		if (!(caps & PORT_TX_CHAINS))
			assert_int_equal(
				offload_complete(m, caps, 9000, pool, out, OFFLOAD_SEGMENTS_MAX),
				-(1 + DROP_tx_offload));
		else
			assert_true(offload_fits(m, caps, 9000));
		frames_read(m, bytes);
		assert_memory_equal(bytes, frame.data, frame.len);
		rte_pktmbuf_free(m);
	}
	m = frames_mbuf(pool, frame.data, frame.len, 0, 0);
	assert_int_equal(packet_parse(m, &p), -1);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_LRO;
	m->tso_segsz = 1000;
	assert_int_equal(offload_accept(m, &p), DROP_offload_invalid);
	rte_pktmbuf_free(m);
}

/*
 * Item 24: UDP over IPv4 without a checksum stays without, even where the sender asks for one; a
 * computed zero is sent as 0xffff, in both families; IPv6 always gets one.
 */
static void test_24_udp_checksum_zero(void **state)
{
	struct rte_mbuf *out[OFFLOAD_SEGMENTS_MAX], *m;
	uint32_t field;

	for (unsigned i = 0; i < 4; i++) {
		struct setup s = {.spec = {.ipv6 = i & 1, .proto = UDP, .payload = 40},
			.offload = i & 2 ? PARTIAL : NONE,
			.mtu = 1500};

		frame_build(&frame, &s.spec);
		put16(frame.data + frame.l4 + 6, 0);
		m = accepted(&s);
		assert_int_equal(offload_complete(m, 0, 1500, pool, out, OFFLOAD_SEGMENTS_MAX), 1);
		frames_read(out[0], bytes);
		field = get16(bytes + frame.l4 + 6);
		if (i == 3)
			assert_true(field != 0 && frame_checksums_ok(bytes, frame.l3));
		else
			assert_int_equal(field, 0);
		rte_pktmbuf_free(out[0]);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct setup s = {.spec = {.ipv6 = i, .proto = UDP, .payload = 40}, .mtu = 1500};

		/* The payload takes up the sum's complement, so that the sum comes out as zero. */
		frame_build(&frame, &s.spec);
		put16(frame.data + frame.payload,
			get16(frame.data + frame.payload) + get16(frame.data + frame.l4 + 6));
		if (get16(frame.data + frame.payload) < get16(frame.data + frame.l4 + 6))
			put16(frame.data + frame.payload, get16(frame.data + frame.payload) + 1);
		put16(frame.data + frame.l4 + 6, 0x1234);
		s.offload = PARTIAL;
		m = accepted(&s);
		assert_int_equal(offload_complete(m, 0, 1500, pool, out, OFFLOAD_SEGMENTS_MAX), 1);
		frames_read(out[0], bytes);
		assert_int_equal(get16(bytes + frame.l4 + 6), 0xffff);
		assert_true(frame_checksums_ok(bytes, frame.l3));
		rte_pktmbuf_free(out[0]);
	}
}

/* A UDP length short of the packet's bounds the sum (RFC 768). */
static void test_udp_length_bounds_the_sum(void **state)
{
	struct setup s = {.spec = {.proto = UDP, .payload = 40}, .offload = PARTIAL, .mtu = 1500};
	struct rte_mbuf *out[OFFLOAD_SEGMENTS_MAX], *m;
	const uint8_t *ip = bytes + 14;

	frame_build(&frame, &s.spec);
	put16(frame.data + frame.l4 + 4, 8 + 33);
	m = accepted(&s);
	assert_int_equal(offload_complete(m, 0, 1500, pool, out, OFFLOAD_SEGMENTS_MAX), 1);
	frames_read(out[0], bytes);
	assert_int_equal(slow_sum(slow_pseudo(ip + 12, ip + 16, 4, UDP, 41), ip + 20, 41), 0xffff);
	rte_pktmbuf_free(out[0]);
}

/* What offload_accept() makes of one combination of flags, by the words of its header. */
static int accept_oracle(const struct packet *p, uint64_t rx, uint16_t segsz, uint64_t *flags)
{
	bool tso = rx & RTE_MBUF_F_RX_LRO, ipv4 = p->flags & PACKET_IPV4;
	uint64_t sum = rx & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	*flags = 0;
	if (!tso && sum != RTE_MBUF_F_RX_L4_CKSUM_NONE)
		return -1;
	if (!(p->flags & PACKET_L4) || (p->flags & PACKET_FRAGMENT))
		return DROP_offload_invalid;
	*flags = ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	if (tso) {
		*flags |= RTE_MBUF_F_TX_TCP_CKSUM | (segsz < 100 ? RTE_MBUF_F_TX_TCP_SEG : 0);
		if (p->l4_proto != TCP || segsz == 0 || sum == RTE_MBUF_F_RX_L4_CKSUM_BAD)
			return DROP_offload_invalid;
		return p->tcp_flags & TCP_SYN ? DROP_offload_invalid : -1;
	}
	if (p->l4_proto == TCP)
		*flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	else if (p->l4_proto == UDP)
		*flags |= RTE_MBUF_F_TX_UDP_CKSUM;
	else if (p->l4_proto == SCTP)
		*flags |= RTE_MBUF_F_TX_SCTP_CKSUM;
	else
		return DROP_offload_invalid;
	return -1;
}

static void check_accept(uint64_t rx, uint64_t stale, uint16_t segsz)
{
	struct rte_mbuf *m = frames_mbuf(pool, frame.data, frame.len, 0, 0);
	uint64_t flags;
	struct packet p;
	int wanted;

	assert_int_equal(packet_parse(m, &p), -1);
	m->ol_flags |= rx | stale | RTE_MBUF_F_FIRST_FREE;
	m->tx_offload = UINT64_MAX;
	m->tso_segsz = segsz;
	wanted = accept_oracle(&p, rx, segsz, &flags);
	assert_int_equal(offload_accept(m, &p), wanted);
	if (wanted == -1) {
		assert_int_equal(m->ol_flags, flags | RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_FIRST_FREE);
		assert_int_equal(m->l2_len, p.l3_off);
		assert_int_equal(m->l3_len, flags ? p.l4_off - p.l3_off : 0);
		assert_int_equal(m->tso_segsz, flags & RTE_MBUF_F_TX_TCP_SEG ? segsz : 0);
		assert_int_equal(m->outer_l2_len, 0);
		assert_int_equal(m->outer_l3_len, 0);
	}
	rte_pktmbuf_free(m);
}

/* Item 25: the L4 type is a field of two bits; nothing stale stays in it or beside it. */
static void test_25_flags_of_every_combination(void **state)
{
	static const uint8_t protos[] = {TCP, UDP, SCTP, 1, 58, 47};
	static const uint64_t sums[] = {RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, RTE_MBUF_F_RX_L4_CKSUM_BAD,
		RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_NONE};
	static const uint64_t stales[] = {0, RTE_MBUF_F_TX_TCP_CKSUM, RTE_MBUF_F_TX_SCTP_CKSUM,
		RTE_MBUF_F_TX_UDP_CKSUM, RTE_MBUF_F_TX_OFFLOAD_MASK,
		RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_RSS_HASH |
			RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_OUTER_L4_CKSUM_BAD,
		RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_IP_CKSUM};
	static const uint16_t segszs[] = {0, 1, 99, 100, 65535};

	for (unsigned i = 0; i < 2 * 6 * 4 * 2 * 7 * 5; i++) {
		struct frame_spec s = {.ipv6 = i & 1,
			.proto = protos[i / 2 % 6],
			.payload = 100,
			.vlans = i % 3,
			.extra = i % 2};
		uint64_t rx = sums[i / 12 % 4] | (i / 48 % 2 ? RTE_MBUF_F_RX_LRO : 0);

		frame_build(&frame, &s);
		check_accept(rx, stales[i / 96 % 7], segszs[i / 672]);
	}
	for (unsigned i = 0; i < 8; i++) {
		uint64_t rx = sums[i / 2] | (i & 1 ? RTE_MBUF_F_RX_LRO : 0);

		/* fragments, first and later; a SYN; ARP */
		frame_build(&frame, &(struct frame_spec){.proto = TCP, .payload = 100});
		put16(frame.data + frame.l3 + 6, 0x2000);
		check_accept(rx, 0, 50);
		put16(frame.data + frame.l3 + 6, 0x0007);
		check_accept(rx, 0, 50);
		frame_build(&frame,
			&(struct frame_spec){.proto = TCP, .payload = 100, .tcp_flags = TCP_SYN});
		check_accept(rx, 0, 50);
		put16(frame.data + 12, 0x0806);
		check_accept(rx, 0, 50);
	}
}

/* IP headers longer than an mbuf's 9 bits can say: no request behind them. */
static void test_offload_behind_long_headers(void **state)
{
	uint8_t data[14 + 40 + 528 + 20 + 64] = {[12] = 0x86, [13] = 0xdd};
	uint8_t *ip = data + 14;
	struct rte_mbuf *m;
	struct packet p;

	ip[0] = 0x60;
	put16(ip + 4, sizeof(data) - 54);
	ip[6] = 60;
	ip[40] = TCP;
	for (unsigned units = 58; units < 61; units++) { /* 504, 512, 520 bytes in all */
		ip[41] = (uint8_t)(units - 1);
		memset(ip + 40 + 8 * units, 0, 20);
		ip[40 + 8 * units + 12] = 0x50;
		m = frames_mbuf(pool, data, sizeof(data), 0, 0);
		assert_int_equal(packet_parse(m, &p), -1);
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
		assert_int_equal(offload_accept(m, &p), units < 59 ? -1 : DROP_offload_invalid);
		rte_pktmbuf_free(m);
	}
}

/* Item 26: TSO to a smaller MTU, or to who has none, is segmented or dropped by name. */
static void test_26_tso_to_smaller_mtu_has_a_name(void **state)
{
	struct setup s = {.spec = {.proto = TCP, .payload = 30000},
		.offload = TSO,
		.segsz = 8960,
		.caps = PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_CHAINS,
		.rest = ROOM,
		.first = ROOM};
	struct rte_mbuf *out[OFFLOAD_SEGMENTS_MAX], *m = built(&s);

	assert_true(offload_fits(m, s.caps, 9000));
	assert_false(offload_fits(m, s.caps, 8999));
	assert_int_equal(offload_complete(m, s.caps, 8999, pool, out, OFFLOAD_SEGMENTS_MAX),
		-(1 + DROP_tx_mtu));
	assert_int_equal(
		offload_complete(m, 0, 8999, pool, out, OFFLOAD_SEGMENTS_MAX), -(1 + DROP_tx_mtu));
	assert_int_equal(offload_complete(m, 0, 9000, pool, out, OFFLOAD_SEGMENTS_MAX),
		-(1 + DROP_tx_offload));
	assert_int_equal(
		offload_complete(m, PORT_TX_CHAINS, 9000, pool, out, OFFLOAD_SEGMENTS_MAX), 4);
	rte_pktmbuf_free_bulk(out, 4);
}

/* Item 27: segments have the sender's size, however much more the receiver's MTU would allow. */
static void test_27_segment_size_is_the_senders(void **state)
{
	struct setup s = {.spec = {.proto = TCP, .payload = 12000, .ipv6 = true},
		.offload = TSO,
		.segsz = 1000,
		.caps = PORT_TX_CHAINS};
	struct rte_mbuf *out[OFFLOAD_SEGMENTS_MAX], *m = built(&s);

	assert_int_equal(offload_complete(m, s.caps, 9000, pool, out, OFFLOAD_SEGMENTS_MAX), 12);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(out[i]->pkt_len, frame.payload + 1000);
	rte_pktmbuf_free_bulk(out, 12);
}

/* Item 29 (what is left of it here: ECN is not offered, but CWR may come): CWR is said once. */
static void test_29_cwr_on_the_first_segment_only(void **state)
{
	struct setup s = {.spec = {.proto = TCP, .payload = 3000, .tcp_flags = 0xff & ~TCP_SYN},
		.offload = TSO,
		.segsz = 1000};
	struct rte_mbuf *out[OFFLOAD_SEGMENTS_MAX], *m = built(&s);
	static const uint8_t flags[] = {0xff & ~(TCP_SYN | TCP_FIN | TCP_PSH),
		0xff & ~(TCP_SYN | TCP_FIN | TCP_PSH | TCP_CWR), 0xff & ~(TCP_SYN | TCP_CWR)};

	assert_int_equal(offload_complete(m, 0, 1500, pool, out, OFFLOAD_SEGMENTS_MAX), 3);
	for (unsigned i = 0; i < 3; i++) {
		frames_read(out[i], bytes);
		assert_int_equal(bytes[frame.l4 + 13], flags[i]);
	}
	rte_pktmbuf_free_bulk(out, 3);
}

/* Item 30: the longest packet there is, whole and cut; and the most segments of one. */
static void test_30_longest_packet_and_most_segments(void **state)
{
	struct setup s = {.offload = TSO, .mtu = 65535, .segsz = 1448, .first = ROOM, .rest = ROOM};

	for (unsigned i = 0; i < 4; i++) {
		s.spec = (struct frame_spec){.proto = TCP,
			.ipv6 = i & 1,
			.vlans = 2,
			.tcp_words = 3,
			.tcp_flags = TCP_ACK | TCP_PSH,
			.payload = 65535 - 32 - (i & 1 ? 40 : 20)};
		s.caps = i & 2 ? 15 : 0;
		run(&s);
	}
	s.spec.payload = 256 * 100;
	s.segsz = 100;
	s.caps = 0;
	run(&s);
	for (unsigned more = 0; more < 2; more++) {
		struct rte_mbuf *out[OFFLOAD_SEGMENTS_MAX], *m;

		s.spec.payload = 256 * 100 + more;
		m = built(&s);
		assert_int_equal(
			offload_complete(m, 0, 1500, pool, out, OFFLOAD_SEGMENTS_MAX - !more),
			-(1 + DROP_tx_offload));
		rte_pktmbuf_free(m);
	}
}

/* Item 31: padding is in no sum and in no segment. */
static void test_31_padding_is_in_no_sum_and_no_segment(void **state)
{
	for (unsigned i = 0; i < 12; i++) {
		struct setup s = {.spec = {.proto = i & 4 ? UDP : TCP,
					  .ipv6 = i & 1,
					  .padding = 46,
					  .payload = i & 2 ? 1 : 3000},
			.offload = i >= 8 ? TSO : PARTIAL,
			.segsz = 1000,
			.mtu = 9000,
			.caps = PORT_TX_CHAINS,
			.first = 80,
			.rest = 1001};

		if (s.offload == TSO)
			s.spec.proto = TCP;
		run(&s);
	}
}

/* Item 32: the MTU is one of packets, not of frames: tags don't count. */
static void test_32_mtu_to_the_byte(void **state)
{
	for (unsigned i = 0; i < 12; i++) {
		struct setup s = {.spec = {.proto = TCP,
					  .ipv6 = i & 1,
					  .vlans = i / 2 % 3,
					  .payload = 9000 - (i & 1 ? 60 : 40) + i / 6},
			.caps = PORT_TX_CHAINS,
			.mtu = 9000,
			.first = ROOM,
			.rest = ROOM};

		assert_int_equal(s.spec.payload > 9000 - (i & 1 ? 60u : 40u), i / 6);
		run(&s);
	}
}

/* With too few buffers, the packet is dropped by name, whole, and nothing leaks. */
static void test_no_buffers(void **state)
{
	struct setup s = {.spec = {.proto = TCP, .payload = 9000},
		.offload = TSO,
		.segsz = 3000,
		.first = 100,
		.rest = 4000};
	struct rte_mbuf *hoard[BUFFERS], *out[OFFLOAD_SEGMENTS_MAX], *m, *owner;

	for (unsigned kind = 0; kind < 2; kind++) {
		s.offload = kind ? PARTIAL : TSO;
		for (unsigned left = 0; left < 7; left++) {
			unsigned needed = kind ? 5 : 6, n;
			int rc;

			m = built(&s);
			owner = share(&m, REFERENCED);
			n = rte_mempool_avail_count(pool) - left;
			assert_int_equal(rte_pktmbuf_alloc_bulk(pool, hoard, n), 0);
			rc = offload_complete(
				m, PORT_TX_CHAINS, 9050, pool, out, OFFLOAD_SEGMENTS_MAX);
			if (left < needed) {
				assert_int_equal(rc, -(1 + DROP_tx_no_buffer));
				assert_int_equal(rte_mempool_avail_count(pool), left);
				assert_int_equal(frames_read(m, bytes), frame.len);
				assert_memory_equal(bytes, frame.data, frame.len);
				rte_pktmbuf_free(m);
			} else {
				assert_int_equal(rc, kind ? 1 : 3);
				rte_pktmbuf_free_bulk(out, (unsigned)rc);
			}
			rte_pktmbuf_free(owner);
			rte_pktmbuf_free_bulk(hoard, n);
			assert_int_equal(rte_mempool_avail_count(pool), BUFFERS);
		}
	}
}

/* Lengths that contradict the packet (written over since it was accepted) are no way out of it. */
static void test_lengths_that_contradict_the_packet(void **state)
{
	static const struct {
		uint8_t off;
		uint16_t value;
	} patches[] = {{2, 0}, {2, 39}, {2, 65535}, {2, 20}};
	struct rte_mbuf *out[OFFLOAD_SEGMENTS_MAX], *m;

	for (unsigned i = 0; i < RTE_DIM(patches) * 2; i++) {
		struct setup s = {.spec = {.proto = TCP, .payload = 3000},
			.offload = i & 1 ? TSO : PARTIAL,
			.segsz = 1000};

		m = built(&s);
		put16(rte_pktmbuf_mtod_offset(m, uint8_t *, frame.l3) + patches[i / 2].off,
			patches[i / 2].value);
		assert_int_equal(offload_complete(m, 0, 9000, pool, out, OFFLOAD_SEGMENTS_MAX),
			-(1 + DROP_tx_offload));
		rte_pktmbuf_free(m);
	}
}

/* The sum over any cut of any bytes is that of RFC 1071, a byte at a time. */
static void test_sum_of_chains(void **state)
{
	uint64_t seed = 99;

	for (unsigned i = 0; i < 3000; i++) {
		uint32_t len = 1 + frames_random(&seed) % 300, off = frames_random(&seed) % len;
		uint32_t part = frames_random(&seed) % (len - off + 1), sum;
		bool ones = frames_random(&seed) % 4 == 0;
		struct rte_mbuf *m;
		uint16_t result;
		uint8_t be[2];

		for (uint32_t k = 0; k < len; k++)
			bytes[k] = ones ? 0xff : (uint8_t)frames_random(&seed);
		m = frames_mbuf(pool, bytes, len, 1 + frames_random(&seed) % len,
			1 + frames_random(&seed) % 70);
		result = checksum_sum(m, off, part);
		memcpy(be, &result, 2);
		sum = slow_sum(0, bytes + off, part);
		assert_int_equal(get16(be) % 0xffff, sum % 0xffff);
		assert_int_equal(get16(be) == 0, sum == 0);
		rte_pktmbuf_free(m);
	}
}

static int setup(void **state)
{
	if (frames_eal("test_offload") < 0)
		return -1;
	pool = rte_pktmbuf_pool_create(
		"test", BUFFERS, 0, 0, ROOM + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	return rte_mempool_avail_count(pool) == BUFFERS ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sum_of_chains),
		cmocka_unit_test(test_21_partial_checksum_is_completed_for_who_cannot),
		cmocka_unit_test(test_22_partial_checksum_is_not_validated),
		cmocka_unit_test(test_23_bad_checksum_is_never_repaired),
		cmocka_unit_test(test_24_udp_checksum_zero),
		cmocka_unit_test(test_udp_length_bounds_the_sum),
		cmocka_unit_test(test_25_flags_of_every_combination),
		cmocka_unit_test(test_offload_behind_long_headers),
		cmocka_unit_test(test_26_tso_to_smaller_mtu_has_a_name),
		cmocka_unit_test(test_27_segment_size_is_the_senders),
		cmocka_unit_test(test_29_cwr_on_the_first_segment_only),
		cmocka_unit_test(test_30_longest_packet_and_most_segments),
		cmocka_unit_test(test_31_padding_is_in_no_sum_and_no_segment),
		cmocka_unit_test(test_32_mtu_to_the_byte),
		cmocka_unit_test(test_no_buffers),
		cmocka_unit_test(test_lengths_that_contradict_the_packet),
		cmocka_unit_test(test_tso_of_random_shape),
		cmocka_unit_test(test_matrix_whole_packets),
		cmocka_unit_test(test_matrix_partial_tcp),
		cmocka_unit_test(test_matrix_partial_udp_with_options),
		cmocka_unit_test(test_matrix_partial_sctp),
		cmocka_unit_test(test_matrix_tso),
		cmocka_unit_test(test_matrix_tso_with_options),
		cmocka_unit_test(test_matrix_tso_jumbo_segments),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
