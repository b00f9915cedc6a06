/*
 * Fragments that wait for their rest: what completes a packet, what spoils it, and that nobody can
 * take room from others. Frames are exact heap blocks, and every test ends with all of them free.
 */
#include "frames.h"

#include <rte_mempool.h>

#include "fragments.h"
#include "worker.h"

#define HZ       1000
#define PAYLOADS 64

static struct rte_mempool *pool;
static struct fragments *fragments;
static struct worker worker;
static struct snapshot snapshot;
static struct port ports[8];
static struct frame whole;
static uint8_t data[FRAME_MAX];
static struct rte_mbuf *out[FRAGMENTS_PER_PACKET];
static struct packet first;
static unsigned completed; /* fragments of the last packet that did */
static uint64_t put_in; /* fragments, of all ports */
static uint64_t taken_out;

/* The datagram at hand, whose fragments piece() makes. */
static struct {
	bool ipv6;
	uint32_t header; /* of the part that every fragment repeats, from the L3 header */
	uint32_t next; /* IPv6: offset of its last next-header field */
	uint32_t len; /* bytes behind it */
	uint32_t id;
} datagram;

static int start_eal(void **state)
{
	int ret = frames_eal("test_fragments");

	worker.counters = calloc(MAX_PORTS, sizeof(*worker.counters));
	pool = ret < 0 ? NULL : rte_pktmbuf_pool_create("p", 8191, 0, 0, 256, SOCKET_ID_ANY);
	return pool != NULL && worker.counters != NULL ? 0 : -1;
}

static int stop_eal(void **state)
{
	free(worker.counters);
	rte_mempool_free(pool);
	return rte_eal_cleanup();
}

static int set_up(void **state)
{
	memset(worker.counters, 0, MAX_PORTS * sizeof(*worker.counters));
	memset(&snapshot, 0, sizeof(snapshot));
	worker.now = 1000000;
	worker.hz = HZ;
	worker.snapshot = &snapshot;
	snapshot.serial = 1;
	for (unsigned i = 0; i < RTE_DIM(ports); i++) {
		ports[i] = (struct port){.id = i * 100, .serial = 70 + i, .network = 3};
		snapshot.ports[ports[i].id] = &ports[i];
	}
	completed = 0;
	put_in = taken_out = 0;
	fragments = fragments_create(UINT32_MAX);
	return fragments != NULL ? 0 : -1;
}

static uint64_t drops(unsigned port, enum drop_reason reason)
{
	return worker.counters[ports[port].id].drops[reason];
}

static uint64_t all_drops(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < MAX_PORTS; i++)
		for (unsigned r = 0; r < DROP_REASONS; r++)
			n += worker.counters[i].drops[r];
	return n;
}

/* Nothing is lost sight of: what went in waits, came out or was counted. */
static unsigned waiting_fragments(void)
{
	return (unsigned)(put_in - taken_out - all_drops());
}

static int tear_down_chains(void **state)
{
	fragments_free(fragments);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	return 0;
}

static int tear_down(void **state)
{
	assert_int_equal(rte_mempool_in_use_count(pool), waiting_fragments());
	return tear_down_chains(state);
}

/* extra: IPv6 destination options before the fragment header, and IPv4 options. */
static void make_datagram(bool ipv6, uint8_t proto, uint32_t len, unsigned extra, uint32_t id)
{
	struct frame_spec s = {.ipv6 = ipv6, .proto = proto, .extra = extra};

	s.payload = len - (proto == TCP ? 20 : proto == UDP ? 8 : 0);
	frame_build(&whole, &s);
	datagram.ipv6 = ipv6;
	datagram.header = whole.l4 - whole.l3;
	datagram.next = extra > 0 ? 40 + (extra - 1) * 8 : 6;
	datagram.len = len;
	datagram.id = id;
}

/* The fragment of the datagram with len bytes at offset. */
static uint32_t piece(uint32_t offset, uint32_t len, bool more)
{
	uint8_t *ip = data + whole.l3, *payload = ip + datagram.header;

	assert_true(offset + len <= datagram.len);
	memcpy(data, whole.data, whole.l4);
	if (datagram.ipv6) {
		payload[0] = ip[datagram.next];
		payload[1] = 0;
		put16(payload + 2, offset | more);
		put32(payload + 4, datagram.id);
		ip[datagram.next] = 44;
		payload += 8;
		put16(ip + 4, datagram.header - 40 + 8 + len);
	} else {
		put16(ip + 2, datagram.header + len);
		put16(ip + 4, datagram.id);
		put16(ip + 6, offset / 8 | (more ? 0x2000 : 0));
	}
	memcpy(payload, whole.data + whole.l4 + offset, len);
	return (uint32_t)(payload + len - data);
}

/* The frame in data comes in at port, in segments of `segment` bytes (0: one). */
static unsigned put_frame(unsigned port, uint32_t len, uint32_t segment)
{
	struct rte_mbuf *m = frames_mbuf(pool, data, len, segment, segment);
	struct packet p;
	unsigned n;

	assert_int_equal(packet_parse(m, &p), -1);
	assert_true(p.flags & PACKET_FRAGMENT);
	put_in++;
	n = fragments_add(fragments, &worker, &ports[port], m, &p, out, &first);
	taken_out += n;
	if (n > 0)
		completed = n;
	return n;
}

static unsigned put_at(unsigned port, uint32_t offset, uint32_t len, bool more)
{
	return put_frame(port, piece(offset, len, more), 0);
}

static unsigned put(uint32_t offset, uint32_t len, bool more)
{
	return put_at(0, offset, len, more);
}

/* What completed is the datagram at hand: its fragments in order, byte for byte. Frees it. */
static void expect_bytes(unsigned n)
{
	static uint8_t got[FRAME_MAX], frame[FRAME_MAX];
	struct packet p;
	uint32_t at = 0;

	assert_int_equal(completed, n);
	for (unsigned i = 0; i < n; i++) {
		struct packet_fragment info;
		uint32_t len = frames_read(out[i], frame);

		assert_int_equal(packet_parse(out[i], &p), -1);
		packet_fragment(out[i], &p, &info);
		assert_int_equal(info.offset, at);
		assert_int_equal(info.more, i + 1 < n);
		assert_true(p.l3_off + p.l3_len <= len);
		memcpy(got + at, frame + p.l3_off + info.header, info.len);
		at += info.len;
	}
	assert_int_equal(at, datagram.len);
	assert_memory_equal(got, whole.data + whole.l4, at);
	rte_pktmbuf_free_bulk(out, n);
	completed = 0;
}

/* And with the facts that the parser finds in the whole. */
static void expect_whole(unsigned n)
{
	struct rte_mbuf *m;
	struct packet p;

	expect_bytes(n);
	m = frames_mbuf(pool, whole.data, whole.len, 0, 0);
	assert_int_equal(packet_parse(m, &p), -1);
	rte_pktmbuf_free(m);
	assert_int_equal(first.flags, p.flags);
	assert_int_equal(first.flow_hash, p.flow_hash);
	assert_int_equal(first.addr_hash, p.addr_hash);
	assert_int_equal(first.l4_proto, p.l4_proto);
	assert_int_equal(first.tcp_flags, p.tcp_flags);
	assert_int_equal(first.payload_off - first.l4_off, p.payload_off - p.l4_off);
}

static void expect_nothing(void)
{
	assert_int_equal(completed, 0);
}

static void test_in_order(void **state)
{
	make_datagram(false, UDP, 3000, 0, 1);
	assert_int_equal(put(0, 1480, true), 0);
	assert_int_equal(fragments_waiting(fragments), 1);
	assert_int_equal(put(1480, 1480, true), 0);
	assert_int_equal(put(2960, 40, false), 3);
	expect_whole(3);
	assert_int_equal(fragments_waiting(fragments), 0);
	assert_int_equal(all_drops(), 0);
}

/* Linux sends them this way. */
static void test_reversed(void **state)
{
	make_datagram(false, TCP, 3000, 3, 1);
	put(2960, 40, false);
	put(1480, 1480, true);
	expect_nothing();
	put(0, 1480, true);
	expect_whole(3);
	assert_int_equal(all_drops(), 0);
}

static void test_ipv6_behind_extension_headers(void **state)
{
	for (unsigned extra = 0; extra < 7; extra++) {
		make_datagram(true, extra & 1 ? TCP : UDP, 2600, extra, 0x12345678 + extra);
		put(2464, 136, false);
		put(0, 1232, true);
		put(1232, 1232, true);
		expect_whole(3);
	}
	assert_int_equal(all_drops(), 0);
}

/* An extension header within the fragmented part: the upper layer begins behind it. */
static void test_ipv6_extension_header_inside(void **state)
{
	make_datagram(true, UDP, 2600, 1, 1);
	/* The options become payload of the fragments. */
	whole.l4 -= 8;
	datagram.header -= 8;
	datagram.next = 6;
	datagram.len += 8;
	put(0, 1232, true);
	put(1232, 1376, false);
	assert_int_equal(completed, 2);
	assert_int_equal(first.l4_off - first.l3_off, 40 + 8 + 8);
	whole.l4 += 8;
	datagram.header += 8;
	whole.l4 -= 8;
	expect_whole(2);
	assert_int_equal(all_drops(), 0);
}

/* Padding of short frames is no payload. */
static void test_padding(void **state)
{
	uint32_t len;

	make_datagram(false, UDP, 1481, 0, 1);
	put(0, 1480, true);
	len = piece(1480, 1, false);
	memset(data + len, 0xee, 60 - len);
	put_frame(0, 60, 0);
	expect_whole(2);
}

/*
 * Random datagrams, cut anywhere, shuffled, with copies and overlaps among them, held against a map
 * of bytes.
 */
struct naive {
	uint8_t seen[FRAME_MAX];
	uint32_t have, total, offsets[PAYLOADS * 3], lens[PAYLOADS * 3];
	unsigned n;
	bool dead, done;
};

enum naive_verdict { NAIVE_WAITS, NAIVE_DROPS, NAIVE_COMPLETES };

static enum naive_verdict naive_add(struct naive *a, uint32_t offset, uint32_t len, bool more)
{
	bool bad = !more && a->total != 0 && a->total != offset + len;

	if (a->dead)
		return NAIVE_DROPS;
	for (unsigned i = 0; i < a->n; i++)
		if (a->offsets[i] == offset && a->lens[i] == len &&
			more == (a->total != offset + len))
			return NAIVE_DROPS;
	for (uint32_t i = 0; i < len; i++)
		bad |= a->seen[offset + i] != 0;
	for (uint32_t i = offset + len; !more && i < FRAME_MAX; i++)
		bad |= a->seen[i] != 0;
	bad |= a->total != 0 && offset + len > a->total;
	if (bad) {
		a->dead = true;
		return NAIVE_DROPS;
	}
	memset(a->seen + offset, 1, len);
	a->have += len;
	if (!more)
		a->total = offset + len;
	a->offsets[a->n] = offset;
	a->lens[a->n++] = len;
	return a->have == a->total ? NAIVE_COMPLETES : NAIVE_WAITS;
}

struct cut {
	uint32_t offset, len;
	bool more;
};

/* Cuts of the datagram at hand in random order; now and then one twice, or one that is wrong. */
static unsigned random_cuts(uint64_t *rnd, struct cut *cuts, bool spoil)
{
	unsigned n = 0;

	for (uint32_t at = 0, len; at < datagram.len; at += len) {
		len = FRAGMENT_LEN_MIN + frames_random(rnd) % 100 * 8;
		if (at > 0 && at + len + FRAGMENT_LEN_MIN > datagram.len)
			len = datagram.len - at;
		cuts[n++] = (struct cut){at, len, at + len < datagram.len};
	}
	for (unsigned i = 0, more = spoil ? 1 + frames_random(rnd) % 3 : 0; i < more; i++) {
		struct cut cut = cuts[frames_random(rnd) % n];

		if (frames_random(rnd) % 2) {
			cut.offset += 8 * (frames_random(rnd) % 3);
			cut.len = RTE_MIN(cut.len + 8 * (frames_random(rnd) % 3),
				(datagram.len - cut.offset) & ~7u);
			cut.more = frames_random(rnd) % 4 != 0;
		}
		if (cut.len < FRAGMENT_LEN_MIN ||
			(cut.offset > 0 && cut.offset < FRAGMENT_LEN_MIN) ||
			(cut.offset == 0 && !cut.more) || (cut.more && cut.len % 8 != 0))
			continue;
		cuts[n++] = cut;
	}
	for (unsigned i = n; i > 1; i--) {
		unsigned j = frames_random(rnd) % i;
		struct cut cut = cuts[i - 1];

		cuts[i - 1] = cuts[j];
		cuts[j] = cut;
	}
	return n;
}

static void test_random_orders(void **state)
{
	static struct naive naive;
	struct cut cuts[PAYLOADS * 2];
	uint64_t rnd = 42;
	unsigned whole_ones = 0, spoilt = 0;

	for (unsigned round = 0; round < 4000; round++) {
		uint8_t proto = frames_random(&rnd) % 2 ? TCP : UDP;
		bool cut_short = false;
		unsigned n;

		make_datagram(frames_random(&rnd) % 2, proto, 1100 + frames_random(&rnd) % 5000,
			frames_random(&rnd) % 3, round);
		n = random_cuts(&rnd, cuts, round % 2);
		memset(&naive, 0, sizeof(naive));
		for (unsigned i = 0; i < n && !naive.done; i++) {
			uint64_t before = all_drops();
			enum naive_verdict verdict;

			verdict = naive_add(&naive, cuts[i].offset, cuts[i].len, cuts[i].more);
			put(cuts[i].offset, cuts[i].len, cuts[i].more);
			naive.done = verdict == NAIVE_COMPLETES;
			/* A wrong end may complete less than the datagram: UDP's length tells. */
			cut_short = naive.done && naive.total != datagram.len;
			if (cut_short && proto == UDP)
				verdict = NAIVE_DROPS;
			assert_int_equal(completed > 0, verdict == NAIVE_COMPLETES);
			assert_int_equal(all_drops() > before, verdict == NAIVE_DROPS);
		}
		whole_ones += naive.done;
		if (cut_short) {
			rte_pktmbuf_free_bulk(out, completed);
			completed = 0;
		} else if (naive.done) {
			expect_whole(naive.n);
		}
		spoilt += naive.dead;
		worker.now += FRAGMENTS_TIMEOUT * HZ;
		while (fragments_expire(fragments, &worker, 16))
			;
		assert_int_equal(fragments_waiting(fragments), 0);
		assert_int_equal(waiting_fragments(), 0);
	}
	assert_true(whole_ones > 2000);
	assert_true(spoilt > 300);
}

/* The same fragment again costs its packet nothing; but once the packet is out, it is a new one. */
static void test_duplicates(void **state)
{
	make_datagram(false, UDP, 3000, 0, 1);
	put(0, 1480, true);
	put(0, 1480, true);
	put(2960, 40, false);
	put(2960, 40, false);
	assert_int_equal(drops(0, DROP_fragment_invalid), 2);
	put(1480, 1480, true);
	expect_whole(3);
	put(1480, 1480, true);
	expect_nothing();
	assert_int_equal(fragments_waiting(fragments), 1);
	assert_int_equal(drops(0, DROP_fragment_invalid), 2);
}

/* An overlap of 8 bytes or all, at either end: all of the packet goes, what still comes as well. */
static void test_overlaps(void **state)
{
	static const struct cut bad[] = {
		{1472, 1480, true}, /* 8 bytes of the one before */
		{1488, 1480, true}, /* 8 bytes of the one behind */
		{1480, 1488, true},
		{1472, 1496, true}, /* of both */
		{232, 2736, true}, /* over all that there is but the header */
		{0, 1472, true}, /* within one, at its beginning */
		{248, 1232, true}, /* at its end */
		{480, 232, true}, /* in the middle */
		{0, 2960, true}, /* with another length */
		{1480, 1480, false}, /* another end */
		{2960, 400, true}, /* the last one once more, but not the last */
		{1480, 1500, false}, /* ends short of the last one's end */
		{3360, 640, false}, /* behind it */
		{3360, 640, true},
	};

	for (unsigned i = 0; i < RTE_DIM(bad); i++) {
		for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
			uint64_t before = all_drops();

			make_datagram(ipv6, UDP, 4000, 0, i);
			put(0, 1480, true);
			put(2960, 400, false);
			put(bad[i].offset, bad[i].len, bad[i].more);
			assert_int_equal(all_drops() - before, 3);
			put(1480, 1480, true);
			put(0, 1480, true);
			put(2960, 400, false);
			assert_int_equal(all_drops() - before, 6);
			expect_nothing();
			worker.now += FRAGMENTS_TIMEOUT * HZ;
			assert_false(fragments_expire(fragments, &worker, 100));
			assert_int_equal(all_drops() - before, 6);
		}
	}
	assert_int_equal(drops(0, DROP_fragment_invalid), all_drops());
}

/* The end is known too late for what came before. */
static void test_end_before_what_is_there(void **state)
{
	make_datagram(false, UDP, 4000, 0, 1);
	put(2000, 1000, true);
	put(0, 800, true);
	put(800, 800, false);
	assert_int_equal(drops(0, DROP_fragment_invalid), 3);
}

/* RFC 1858 and 3128: none of these could be honest, whatever else comes. */
static void test_tiny(void **state)
{
	make_datagram(false, TCP, 3000, 0, 1);
	put(0, FRAGMENT_LEN_MIN - 8, true);
	put(8, 1000, true); /* from the sequence number's second half on */
	put(16, 1000, false);
	put(FRAGMENT_LEN_MIN - 8, 1000, true);
	put(480, FRAGMENT_LEN_MIN - 8, true);
	put(0, 1001, true);
	put(480, 1004, true);
	put(480, 0, false);
	assert_int_equal(drops(0, DROP_fragment_invalid), 8);
	assert_int_equal(fragments_waiting(fragments), 0);

	put(0, FRAGMENT_LEN_MIN, true);
	put(FRAGMENT_LEN_MIN, FRAGMENT_LEN_MIN, true);
	put(2 * FRAGMENT_LEN_MIN, 3000 - 2 * FRAGMENT_LEN_MIN, false);
	expect_whole(3);
	put(0, 2992, true);
	put(2992, 8, false); /* the last one may be short */
	expect_whole(2);
}

/*
 * 65535 bytes with the first fragment's header, and not one more: each fragment fits, but the first
 * one's header is longer than the others'.
 */
static void test_longest(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		bool ipv6 = i & 1, over = i & 2;
		uint32_t len = 65535 - (ipv6 ? 16 : 60) + over, at = 9000;
		uint64_t before = all_drops();
		unsigned n = 1;

		make_datagram(ipv6, 47, at, ipv6 ? 2 : 10, i);
		put(0, at, true);
		make_datagram(ipv6, 47, len, 0, i);
		for (; at < len; at += 9000, n++)
			put(at, RTE_MIN(9000u, len - at), at + 9000 < len);
		assert_int_equal(all_drops() - before, over ? n : 0);
		if (over)
			expect_nothing();
		else
			expect_bytes(n);
	}
	assert_int_equal(drops(0, DROP_fragment_invalid), all_drops());
	assert_int_equal(fragments_waiting(fragments), 0);
}

static void test_timeout(void **state)
{
	make_datagram(false, UDP, 3000, 0, 1);
	put(0, 1480, true);
	worker.now += 5 * HZ;
	datagram.id = 2;
	put(0, 1480, true);
	worker.now += 10 * HZ - 1;
	assert_false(fragments_expire(fragments, &worker, 100));
	assert_int_equal(fragments_waiting(fragments), 2);
	worker.now += 1;
	assert_false(fragments_expire(fragments, &worker, 100));
	assert_int_equal(fragments_waiting(fragments), 1);
	assert_int_equal(drops(0, DROP_fragment_timeout), 1);
	/* Nobody came to look, and yet it is too late. */
	worker.now += 5 * HZ;
	put(1480, 1520, false);
	expect_nothing();
	assert_int_equal(drops(0, DROP_fragment_timeout), 2);
	/* The id is used again. */
	put(0, 1480, true);
	expect_whole(2);
	assert_int_equal(fragments_waiting(fragments), 0);
}

static void test_expiry_in_pieces(void **state)
{
	make_datagram(false, UDP, 3000, 0, 0);
	for (; datagram.id < 10; datagram.id++)
		put(0, 1480, true);
	worker.now += FRAGMENTS_TIMEOUT * HZ;
	assert_true(fragments_expire(fragments, &worker, 4));
	assert_int_equal(fragments_waiting(fragments), 6);
	assert_true(fragments_expire(fragments, &worker, 4));
	assert_false(fragments_expire(fragments, &worker, 4));
	assert_int_equal(drops(0, DROP_fragment_timeout), 10);
}

static void test_never_mixed(void **state)
{
	uint32_t len;

	/* another port, another network */
	make_datagram(false, UDP, 3000, 0, 1);
	put_at(0, 0, 1480, true);
	put_at(1, 1480, 1520, false);
	ports[0].network = 4;
	put_at(0, 1480, 1520, false);
	ports[0].network = 3;
	expect_nothing();
	assert_int_equal(fragments_waiting(fragments), 3);
	/* another id, protocol, address, MAC or tag */
	datagram.id = 2;
	put(1480, 1520, false);
	datagram.id = 1;
	piece(1480, 1520, false);
	data[whole.l3 + 9] = TCP;
	put_frame(0, whole.l4 + 1520, 0);
	piece(1480, 1520, false);
	data[whole.l3 + 15]++;
	put_frame(0, whole.l4 + 1520, 0);
	piece(1480, 1520, false);
	data[whole.l3 + 19]++;
	put_frame(0, whole.l4 + 1520, 0);
	piece(1480, 1520, false);
	data[5]++;
	put_frame(0, whole.l4 + 1520, 0);
	len = piece(1480, 1520, false);
	memmove(data + 16, data + 12, len - 12);
	put16(data + 12, 0x8100);
	put16(data + 14, 7);
	put_frame(0, len + 4, 0);
	expect_nothing();
	assert_int_equal(fragments_waiting(fragments), 9);
	put_at(1, 0, 1480, true);
	expect_whole(2);
	put_at(0, 1480, 1520, false);
	expect_whole(2);
	assert_int_equal(fragments_waiting(fragments), 7);
	/* 0x1234 is no IPv6 id 0x11234, and IPv6 takes another protocol in later fragments. */
	make_datagram(true, UDP, 3000, 0, 0x1234);
	put(0, 1480, true);
	datagram.id = 0x11234;
	put(1480, 1520, false);
	expect_nothing();
	datagram.id = 0x1234;
	piece(1480, 1520, false);
	data[whole.l4] = 0;
	put_frame(0, whole.l4 + 8 + 1520, 0);
	expect_whole(2);
	assert_int_equal(all_drops(), 0);
}

/* The whole has a UDP length, and the fragments are just as long. */
static void test_udp_length(void **state)
{
	for (int off = -1; off <= 1; off++) {
		make_datagram(false, UDP, 3000, 0, (uint32_t)(off + 5));
		put16(whole.data + whole.l4 + 4, (uint32_t)(3000 + off));
		put(1480, 1520, false);
		put(0, 1480, true);
		if (off == 0) {
			expect_whole(2);
			continue;
		}
		expect_nothing();
	}
	assert_int_equal(drops(0, DROP_l4_malformed), 4);
	assert_int_equal(fragments_waiting(fragments), 0);
}

static void test_fragments_per_packet(void **state)
{
	uint32_t at = 0;

	make_datagram(false, UDP, 65000, 0, 1);
	for (unsigned i = 0; i < FRAGMENTS_PER_PACKET; i++, at += FRAGMENT_LEN_MIN)
		put(at, FRAGMENT_LEN_MIN, true);
	assert_int_equal(all_drops(), 0);
	put(at, 8, false);
	put(at, 8, false);
	assert_int_equal(drops(0, DROP_fragment_limit), FRAGMENTS_PER_PACKET + 1);
	assert_int_equal(drops(0, DROP_fragment_invalid), 1); /* it came too late */
	make_datagram(false, UDP, FRAGMENT_LEN_MIN * FRAGMENTS_PER_PACKET, 0, 2);
	for (at = 0; at < datagram.len; at += FRAGMENT_LEN_MIN)
		put(at, FRAGMENT_LEN_MIN, at + FRAGMENT_LEN_MIN < datagram.len);
	expect_whole(FRAGMENTS_PER_PACKET);
}

/* A port that sends beginnings without end loses its own oldest ones, and no one else any. */
static void test_port_limit(void **state)
{
	make_datagram(false, UDP, 3000, 0, 1);
	put_at(1, 0, 1480, true);
	for (datagram.id = 0; datagram.id < 1000; datagram.id++)
		put_at(0, 0, 1480, true);
	assert_int_equal(fragments_waiting(fragments), FRAGMENTS_PACKETS / 4 + 1);
	assert_int_equal(drops(0, DROP_fragment_limit), 1000 - FRAGMENTS_PACKETS / 4);
	assert_int_equal(drops(1, DROP_fragment_limit), 0);
	datagram.id = 1;
	put_at(1, 1480, 1520, false);
	expect_whole(2);
	/* the newest are those that stayed */
	datagram.id = 1000 - FRAGMENTS_PACKETS / 4;
	put_at(0, 1480, 1520, false);
	expect_whole(2);
	datagram.id = 999 - FRAGMENTS_PACKETS / 4;
	put_at(0, 1480, 1520, false);
	expect_nothing();
}

/* Several together fill the table, and one with few packets still gets through. */
static void test_table_full(void **state)
{
	make_datagram(false, UDP, 3000, 0, 7);
	put_at(7, 0, 1480, true);
	for (datagram.id = 0; datagram.id < 500; datagram.id++)
		for (unsigned port = 0; port < 6; port++)
			put_at(port, 0, 1480, true);
	assert_int_equal(fragments_waiting(fragments), FRAGMENTS_PACKETS);
	datagram.id = 8;
	put_at(7, 0, 1480, true);
	assert_int_equal(fragments_waiting(fragments), FRAGMENTS_PACKETS);
	put_at(7, 1480, 1520, false);
	expect_whole(2);
	datagram.id = 7;
	put_at(7, 1480, 1520, false);
	expect_whole(2);
	assert_int_equal(drops(7, DROP_fragment_limit), 0);
	for (unsigned port = 0; port < 6; port++)
		assert_true(drops(port, DROP_fragment_limit) >= 500 - FRAGMENTS_PACKETS / 4);
}

/* What counts is buffers: a port's quarter, and all of it. */
static void test_buffers(void **state)
{
	const unsigned segs = 16; /* of a fragment in segments of 100 bytes */
	unsigned all = FRAGMENTS_BUFFERS / segs;

	make_datagram(false, UDP, 3000, 0, 7);
	put_at(7, 0, 1480, true);
	for (datagram.id = 0; datagram.id < all / 4; datagram.id++)
		put_frame(0, piece(0, 1496, true), 96);
	assert_int_equal(all_drops(), 0);
	assert_int_equal(rte_mempool_in_use_count(pool), FRAGMENTS_BUFFERS / 4 + 1);
	put_at(0, 0, 1480, true);
	assert_int_equal(drops(0, DROP_fragment_limit), 1);
	assert_int_equal(rte_mempool_in_use_count(pool), FRAGMENTS_BUFFERS / 4 + 1 + 1 - segs);
	for (datagram.id = 0; datagram.id < all; datagram.id++)
		for (unsigned port = 0; port < 6; port++)
			put_frame(port, piece(0, 1496, true), 96);
	assert_in_range(
		rte_mempool_in_use_count(pool), FRAGMENTS_BUFFERS - segs, FRAGMENTS_BUFFERS);
	datagram.id = 7;
	put_at(7, 1480, 1520, false);
	expect_whole(2);
	assert_int_equal(drops(7, DROP_fragment_limit), 0);
}

/* One fragment with more buffers than a port may hold; and one whose packet had to make room. */
static void test_fragment_of_many_buffers(void **state)
{
	fragments_free(fragments);
	fragments = fragments_create(0); /* the least there is */
	make_datagram(false, UDP, 3000, 0, 1);
	put_frame(0, piece(0, 1480, true), 48);
	assert_int_equal(rte_mempool_in_use_count(pool), 32);
	put_frame(0, piece(1480, 1520, false), 40);
	expect_nothing();
	assert_int_equal(drops(0, DROP_fragment_limit), 2);
	assert_int_equal(fragments_waiting(fragments), 0);
	make_datagram(false, UDP, 6000, 0, 1);
	put_frame(0, piece(0, 5000, true), 50);
	assert_int_equal(drops(0, DROP_fragment_limit), 3);
	assert_int_equal(fragments_waiting(fragments), 0);
}

/* Dead packets take room as others do, and go first as they age. */
static void test_dead_ones_make_room(void **state)
{
	make_datagram(false, UDP, 3000, 0, 0);
	for (; datagram.id < FRAGMENTS_PACKETS / 4; datagram.id++) {
		put(0, 1480, true);
		put(0, 1488, true);
	}
	assert_int_equal(fragments_waiting(fragments), FRAGMENTS_PACKETS / 4);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	put(0, 1480, true);
	put(1480, 1520, false);
	expect_whole(2);
	datagram.id = 0; /* forgotten, so it may try anew */
	put(0, 1480, true);
	put(1480, 1520, false);
	expect_whole(2);
	datagram.id = 5;
	put(0, 1480, true);
	put(1480, 1520, false);
	expect_nothing();
	assert_int_equal(drops(0, DROP_fragment_limit), 0);
}

static void test_gone_ports(void **state)
{
	struct snapshot next = snapshot;

	make_datagram(false, UDP, 3000, 0, 1);
	put_at(0, 0, 1480, true);
	put_at(1, 0, 1480, true);
	put_at(2, 0, 1480, true);
	datagram.id = 2;
	put_at(2, 0, 1480, true);
	assert_false(fragments_expire(fragments, &worker, 10));
	assert_int_equal(all_drops(), 0);
	/* Port 1 is gone, and the id of port 2 is another one's. */
	next.serial = 2;
	next.ports[ports[1].id] = NULL;
	ports[2].serial = 99;
	worker.snapshot = &next;
	assert_true(fragments_expire(fragments, &worker, 2));
	assert_false(fragments_expire(fragments, &worker, 2));
	assert_int_equal(drops(0, DROP_port_gone), 0);
	assert_int_equal(drops(1, DROP_port_gone), 1);
	assert_int_equal(drops(2, DROP_port_gone), 2);
	assert_int_equal(fragments_waiting(fragments), 1);
	/* A new one with an old one's id sends before that was looked at. */
	datagram.id = 1;
	ports[0].serial = 98;
	put_at(0, 1480, 1520, false);
	expect_nothing();
	assert_int_equal(drops(0, DROP_port_gone), 1);
	put_at(0, 0, 1480, true);
	expect_whole(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reversed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_ipv6_behind_extension_headers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_ipv6_extension_header_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_padding, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_random_orders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_duplicates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_overlaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end_before_what_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tiny, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_longest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_expiry_in_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_never_mixed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_udp_length, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fragments_per_packet, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_port_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_table_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_buffers, set_up, tear_down_chains),
		cmocka_unit_test_setup_teardown(
			test_fragment_of_many_buffers, set_up, tear_down_chains),
		cmocka_unit_test_setup_teardown(test_dead_ones_make_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone_ports, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("fragments", tests, start_eal, stop_eal);
}
