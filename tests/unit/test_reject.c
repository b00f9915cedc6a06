/* The switch's answers to what is rejected: held against a reader and checksums of their own. */
#include "frames.h"

#include "reject.h"

#define ICMP    1
#define ICMPV6  58
#define TCP_RST 0x04
#define BUFFERS 511

static struct rte_mempool *pool, *answers;
static struct frame frame, answer;

/* Parses frame (which must pass), in segments of those sizes, and reads its answer. */
static bool ask_split(uint32_t first, uint32_t rest)
{
	static uint8_t after[FRAME_MAX];
	struct rte_mbuf *m = frames_mbuf(pool, frame.data, frame.len, first, rest), *a;
	struct packet p, q;
	bool answered;

	assert_int_equal(packet_parse(m, &p), -1);
	a = reject_answer(m, &p, answers);
	answered = a != NULL;
	assert_int_equal(frames_read(m, after), frame.len);
	assert_memory_equal(after, frame.data, frame.len);
	rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_avail_count(pool), BUFFERS);
	if (answered) {
		assert_int_equal(a->nb_segs, 1);
		assert_int_equal(a->ol_flags, 0);
		assert_int_equal(a->l2_len, p.l3_off);
		answer.len = frames_read(a, answer.data);
		assert_int_equal(packet_parse(a, &q), -1);
		assert_int_equal(q.l3_off, p.l3_off);
		assert_int_equal(q.l3_off + q.l3_len, answer.len);
		assert_int_equal(q.addr_hash, p.addr_hash);
		assert_null(reject_answer(a, &q, answers)); /* none to an answer */
		answer.l3 = q.l3_off;
		answer.l4 = q.l4_off;
		rte_pktmbuf_free(a);
	}
	assert_int_equal(rte_mempool_avail_count(answers), BUFFERS);
	return answered;
}

static bool ask(void)
{
	return ask_split(0, 0);
}

/* MACs and addresses turned round, the tags kept, the checksums right. */
static void check_headers(uint8_t proto, uint8_t ttl)
{
	const uint8_t *ip = answer.data + answer.l3, *asked = frame.data + frame.l3;

	assert_memory_equal(answer.data, frame.data + 6, 6);
	assert_memory_equal(answer.data + 6, frame.data, 6);
	assert_memory_equal(answer.data + 12, frame.data + 12, frame.l3 - 12);
	if (ip[0] == 0x45) {
		assert_int_equal(get16(ip + 6), 0x4000);
		assert_int_equal(ip[8], ttl);
		assert_int_equal(ip[9], proto);
		assert_memory_equal(ip + 12, asked + 16, 4);
		assert_memory_equal(ip + 16, asked + 12, 4);
	} else {
		assert_int_equal(get32(ip), 0x60000000);
		assert_int_equal(ip[6], proto);
		assert_int_equal(ip[7], ttl);
		assert_memory_equal(ip + 8, asked + 24, 16);
		assert_memory_equal(ip + 24, asked + 8, 16);
	}
	if (proto == ICMP) {
		assert_int_equal(slow_sum(0, ip, 20), 0xffff);
		assert_int_equal(
			slow_sum(0, answer.data + answer.l4, answer.len - answer.l4), 0xffff);
	} else {
		assert_true(frame_checksums_ok(answer.data, answer.l3));
	}
}

static void check_rst(uint8_t flags, uint32_t seq, uint32_t ack)
{
	const uint8_t *tcp = answer.data + answer.l4, *asked = frame.data + frame.l4;

	check_headers(TCP, 64);
	assert_int_equal(answer.len, answer.l4 + 20);
	assert_memory_equal(tcp, asked + 2, 2);
	assert_memory_equal(tcp + 2, asked, 2);
	assert_int_equal(get32(tcp + 4), seq);
	assert_int_equal(get32(tcp + 8), ack);
	assert_int_equal(tcp[12], 5 << 4);
	assert_int_equal(tcp[13], flags);
	assert_int_equal(get16(tcp + 14), 0);
	assert_int_equal(get16(tcp + 18), 0);
}

/* RFC 9293, 3.10.7.1: every mix of SYN, FIN, ACK and payload. */
static void test_rst(void **state)
{
	for (unsigned i = 0; i < 2 * 3 * 2 * 8 * 2; i++) {
		struct frame_spec s = {
			.ipv6 = i & 1,
			.vlans = i / 2 % 3,
			.extra = i / 6 % 2 * 3,
			.tcp_words = 4,
			.proto = TCP,
			.tcp_flags = (i / 12 & 1 ? TCP_SYN : 0) | (i / 12 & 2 ? TCP_FIN : 0) |
				     (i / 12 & 4 ? TCP_ACK : 0),
			.payload = i / 96 * 4001, /* and the sequence wraps */
			.padding = 7,
		};
		uint32_t end = FRAME_SEQ + s.payload + !!(s.tcp_flags & TCP_SYN) +
			       !!(s.tcp_flags & TCP_FIN);

		frame_build(&frame, &s);
		assert_true(ask());
		if (s.tcp_flags & TCP_ACK)
			check_rst(TCP_RST, 77, 0);
		else
			check_rst(TCP_RST | TCP_ACK, 0, end);
	}
}

/* A long segment, in a chain, counts whole. */
static void test_rst_to_chain(void **state)
{
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		frame_build(
			&frame, &(struct frame_spec){.ipv6 = ipv6, .proto = TCP, .payload = 60000});
		assert_true(ask_split(frame.payload, 1500));
		check_rst(TCP_RST | TCP_ACK, 0, FRAME_SEQ + 60000);
	}
}

static void test_no_rst_to_rst(void **state)
{
	for (unsigned flags = 0; flags < 256; flags++) {
		frame_build(&frame, &(struct frame_spec){.proto = TCP, .tcp_flags = flags});
		assert_int_equal(ask(), !(flags & TCP_RST));
	}
}

static void check_icmp(bool ipv6)
{
	uint32_t max = ipv6 ? 1280 - 48 : 576 - 28, len = frame.end - frame.l3;
	const uint8_t *icmp = answer.data + answer.l4;

	check_headers(ipv6 ? ICMPV6 : ICMP, 255);
	assert_int_equal(icmp[0], ipv6 ? 1 : 3);
	assert_int_equal(icmp[1], ipv6 ? 1 : 13);
	assert_int_equal(get32(icmp + 4), 0);
	assert_int_equal(answer.len - answer.l4 - 8, len < max ? len : max);
	assert_memory_equal(icmp + 8, frame.data + frame.l3, answer.len - answer.l4 - 8);
}

/* All of it that fits is quoted, wherever its segments end, and no padding. */
static void test_icmp(void **state)
{
	static const uint32_t payloads[] = {0, 1, 99, 519, 520, 521, 1183, 1184, 1185, 9000};
	static const uint8_t protos[] = {UDP, SCTP, 47, 0};

	for (unsigned i = 0; i < 2 * 3 * RTE_DIM(payloads) * RTE_DIM(protos); i++) {
		struct frame_spec s = {
			.ipv6 = i & 1,
			.vlans = i / 2 % 3,
			.payload = payloads[i / 6 % RTE_DIM(payloads)],
			.proto = protos[i / 6 / RTE_DIM(payloads)],
			.extra = 2,
			.padding = 9,
		};

		if (s.proto == 0)
			s.proto = s.ipv6 ? 4 : 58;
		frame_build(&frame, &s);
		assert_true(ask());
		check_icmp(s.ipv6);
		assert_true(ask_split(frame.payload, 0));
		check_icmp(s.ipv6);
		assert_true(ask_split(frame.payload + (s.payload > 100 ? 100 : 0), 333));
		check_icmp(s.ipv6);
	}
}

/* No error answers an error (RFC 1122, 3.2.2; RFC 4443, 2.4 e). */
static void test_none_to_errors(void **state)
{
	for (unsigned type = 0; type < 256; type++) {
		bool error4 = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;

		frame_build(&frame, &(struct frame_spec){.proto = ICMP, .payload = 64});
		frame.data[frame.l4] = (uint8_t)type;
		assert_int_equal(ask(), !error4);
		frame_build(
			&frame, &(struct frame_spec){.ipv6 = true, .proto = ICMPV6, .payload = 64});
		frame.data[frame.l4] = (uint8_t)type;
		assert_int_equal(ask(), type >= 128 && type != 137);
		/* the other family's number says nothing */
		frame_build(&frame, &(struct frame_spec){.proto = ICMPV6, .payload = 64});
		frame.data[frame.l4] = (uint8_t)type;
		assert_true(ask());
	}
}

static void test_fragments(void **state)
{
	frame_build(&frame, &(struct frame_spec){.proto = UDP, .payload = 64});
	put16(frame.data + frame.l3 + 6, 0x2000);
	assert_true(ask());
	check_icmp(false);
	put16(frame.data + frame.l3 + 6, 0x2001);
	assert_false(ask());
	put16(frame.data + frame.l3 + 6, 0x0001);
	assert_false(ask());
	frame_build(&frame, &(struct frame_spec){.proto = TCP, .payload = 64});
	put16(frame.data + frame.l3 + 6, 0x0001);
	assert_false(ask());
	frame_build(&frame, &(struct frame_spec){.ipv6 = true, .proto = UDP, .extra = 1});
	memcpy(frame.data + frame.l3 + 40, (uint8_t[8]){UDP, 0, 0, 1}, 8);
	frame.data[frame.l3 + 6] = 44;
	assert_true(ask());
	frame.data[frame.l3 + 43] = 8;
	assert_false(ask());
}

/* Nothing goes to or comes from a group, no one or oneself (RFC 1122, 3.2.2; RFC 4443, 2.4 e). */
static void test_none_to_groups(void **state)
{
	static const uint8_t macs[][6] = {{255, 255, 255, 255, 255, 255}, {1, 0, 0x5e}, {0}};
	static const uint8_t ip4[][4] = {{0}, {127, 0, 0, 1}, {224, 0, 0, 1}, {239, 255, 255, 250},
		{240, 0, 0, 1}, {255, 255, 255, 255}};
	static const uint8_t ip6[][16] = {{0}, {[15] = 1}, {0xff, 2, [15] = 1}, {0xff, 0x0e}};

	for (unsigned i = 0; i < 4; i++) {
		struct frame_spec s = {.ipv6 = i & 1, .proto = i & 2 ? TCP : UDP};
		uint32_t len = s.ipv6 ? 16 : 4, n = s.ipv6 ? RTE_DIM(ip6) : RTE_DIM(ip4);

		for (unsigned side = 0; side < 2; side++) {
			for (unsigned j = 0; j < RTE_DIM(macs); j++) {
				frame_build(&frame, &s);
				memcpy(frame.data + 6 * side, macs[j], 6);
				assert_false(ask());
			}
			for (unsigned j = 0; j < n; j++) {
				uint8_t *ip;

				frame_build(&frame, &s);
				ip = frame.data + frame.l3 + (s.ipv6 ? 8 : 12) + len * side;
				memcpy(ip, s.ipv6 ? ip6[j] : ip4[j], len);
				assert_false(ask());
			}
		}
		frame_build(&frame, &s);
		assert_true(ask());
	}
}

static void test_not_ip(void **state)
{
	frame_build(&frame, &(struct frame_spec){.proto = UDP, .payload = 64});
	put16(frame.data + 12, 0x0806);
	assert_false(ask());
}

/* Without a buffer, or in one that is too small, there is no answer and no leak. */
static void test_no_buffer(void **state)
{
	struct rte_mempool *small;
	struct rte_mbuf *taken[BUFFERS], *m, *a;
	struct packet p;

	frame_build(&frame, &(struct frame_spec){.proto = UDP, .payload = 900});
	assert_int_equal(rte_pktmbuf_alloc_bulk(answers, taken, BUFFERS), 0);
	m = frames_mbuf(pool, frame.data, frame.len, 0, 0);
	assert_int_equal(packet_parse(m, &p), -1);
	assert_null(reject_answer(m, &p, answers));
	rte_pktmbuf_free_bulk(taken, BUFFERS);
	small = rte_pktmbuf_pool_create(
		"small", BUFFERS, 0, 0, RTE_PKTMBUF_HEADROOM + 589, SOCKET_ID_ANY);
	assert_non_null(small);
	assert_null(reject_answer(m, &p, small));
	assert_int_equal(rte_mempool_avail_count(small), BUFFERS);
	rte_mempool_free(small);
	small = rte_pktmbuf_pool_create(
		"fitting", BUFFERS, 0, 0, RTE_PKTMBUF_HEADROOM + 590, SOCKET_ID_ANY);
	assert_non_null(small);
	a = reject_answer(m, &p, small);
	assert_non_null(a);
	rte_pktmbuf_free(a);
	rte_pktmbuf_free(m);
	rte_mempool_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rst),
		cmocka_unit_test(test_rst_to_chain),
		cmocka_unit_test(test_no_rst_to_rst),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_none_to_errors),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_none_to_groups),
		cmocka_unit_test(test_not_ip),
		cmocka_unit_test(test_no_buffer),
	};

	if (frames_eal("test_reject") < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("frames", BUFFERS, 0, 0, 2048, SOCKET_ID_ANY);
	answers = rte_pktmbuf_pool_create("answers", BUFFERS, 0, 0, 2048, SOCKET_ID_ANY);
	if (pool == NULL || answers == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
