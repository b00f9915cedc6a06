/* What a packet's connection is: both directions agree, and hostile packets find no way around. */
#include "frames.h"

#include <netinet/in.h>

#include "classifier.h"
#include "conn_key.h"

static struct rte_mempool *pool;

static int start_eal(void **state)
{
	if (frames_eal("test_conn_key") < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("frames", 1023, 0, 0, 256, SOCKET_ID_ANY);
	return pool == NULL ? -1 : 0;
}

static int stop_eal(void **state)
{
	rte_mempool_free(pool);
	return rte_eal_cleanup();
}

/* Of the first len bytes of a frame that packet_parse() takes. */
static struct conn_view view_bytes(const uint8_t *data, uint32_t len, uint16_t network)
{
	struct rte_mbuf *m = frames_mbuf(pool, data, len, 0, 0);
	struct conn_view view;
	struct packet p;

	assert_int_equal(packet_parse(m, &p), -1);
	conn_view(m, &p, network, &view);
	if (view.kind == CONN_PACKET || view.kind == CONN_ERROR)
		assert_int_equal(view.hash, conn_key_hash(&view.key));
	rte_pktmbuf_free(m);
	return view;
}

static struct conn_view view_spec(const struct frame_spec *spec, uint16_t network)
{
	static struct frame f;

	frame_build(&f, spec);
	return view_bytes(f.data, f.len, network);
}

/* A frame with an ICMP or ICMPv6 message of len bytes. */
static struct conn_view view_icmp(bool ipv6, bool reverse, const uint8_t *message, uint32_t len)
{
	struct frame_spec spec = {.ipv6 = ipv6,
		.reverse = reverse,
		.proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.payload = len};
	static struct frame f;

	frame_build(&f, &spec);
	memcpy(f.data + f.payload, message, len);
	return view_bytes(f.data, f.len, 0);
}

static void assert_same(const struct conn_view *a, const struct conn_view *b)
{
	assert_memory_equal(&a->key, &b->key, sizeof(a->key));
	assert_int_equal(a->hash, b->hash);
}

static bool same(const struct conn_view *a, const struct conn_view *b)
{
	return memcmp(&a->key, &b->key, sizeof(a->key)) == 0;
}

static void test_both_directions(void **state)
{
	static const uint8_t protos[] = {TCP, UDP, SCTP, 47, 50};

	for (unsigned i = 0; i < 4 * RTE_DIM(protos); i++) {
		struct frame_spec spec = {.ipv6 = i & 1,
			.vlans = i >> 1 & 1,
			.proto = protos[i / 4],
			.payload = 20,
			.extra = 1};
		struct conn_view there = view_spec(&spec, 5), back;

		spec.reverse = true;
		spec.extra = 0;
		spec.routing = spec.ipv6;
		back = view_spec(&spec, 5);
		assert_int_equal(there.kind, CONN_PACKET);
		assert_same(&there, &back);
		assert_int_equal(there.key.network, 5);
		assert_int_equal(there.key.proto, spec.proto);
		/* The lower address is side 0: that of the first frame. */
		assert_int_equal(there.sender, 0);
		assert_int_equal(back.sender, 1);
		if (i / 4 < 3) {
			assert_int_equal(there.key.port[0], 49152);
			assert_int_equal(there.key.port[1], 445);
			assert_int_equal(there.service, service_key(spec.proto, 445));
			assert_int_equal(back.service, service_key(spec.proto, 49152));
		} else {
			assert_int_equal(there.service, service_key(spec.proto, 0));
		}
	}
}

static void test_what_makes_another(void **state)
{
	struct frame_spec spec = {.proto = TCP};
	struct conn_view tcp = view_spec(&spec, 1), other = view_spec(&spec, 2);

	assert_false(same(&tcp, &other));
	spec.proto = UDP;
	other = view_spec(&spec, 1);
	assert_false(same(&tcp, &other));
	spec = (struct frame_spec){.proto = TCP, .ipv6 = true};
	other = view_spec(&spec, 1);
	assert_false(same(&tcp, &other));
}

/* Equal addresses: the ports order the sides. */
static void test_one_address(void **state)
{
	struct frame_spec spec = {.proto = UDP};
	struct conn_view there, back;
	static struct frame f;

	frame_build(&f, &spec);
	memcpy(f.data + f.l3 + 16, f.data + f.l3 + 12, 4);
	there = view_bytes(f.data, f.len, 0);
	put16(f.data + f.l4, 445);
	put16(f.data + f.l4 + 2, 49152);
	back = view_bytes(f.data, f.len, 0);
	assert_same(&there, &back);
	assert_int_equal(there.sender, !back.sender);
	put16(f.data + f.l4 + 2, 445);
	back = view_bytes(f.data, f.len, 0);
	assert_int_equal(back.kind, CONN_PACKET);
	assert_false(same(&there, &back));
}

static void check_query(bool ipv6, uint8_t ask, uint8_t answer, uint8_t id)
{
	uint8_t query[8] = {ask, 0, 0, 0, 0, id}, reply[8] = {answer, 0, 0, 0, 0, id};
	struct conn_view q = view_icmp(ipv6, false, query, 8), r = view_icmp(ipv6, true, reply, 8);
	struct conn_view other = view_icmp(ipv6, true, query, 8);

	assert_int_equal(q.kind, CONN_PACKET);
	assert_int_equal(r.kind, CONN_PACKET);
	assert_same(&q, &r);
	assert_int_equal(q.sender, !r.sender);
	assert_false(q.reply);
	assert_true(r.reply);
	assert_int_equal(q.service, service_key(q.key.proto, (uint16_t)(ask << 8)));
	assert_int_equal(r.service, q.service);
	/* The other way round, it is another, whatever the identifier. */
	assert_false(same(&q, &other));
	query[5]++;
	other = view_icmp(ipv6, false, query, 8);
	assert_false(same(&q, &other));
}

static void test_icmp_queries(void **state)
{
	static const uint8_t ids[] = {0, 1, 8, 128, 255};

	for (unsigned i = 0; i < RTE_DIM(ids); i++) {
		check_query(false, 8, 0, ids[i]);
		check_query(false, 13, 14, ids[i]);
		check_query(false, 15, 16, ids[i]);
		check_query(false, 17, 18, ids[i]);
		check_query(true, 128, 129, ids[i]);
	}
}

static void test_icmp_else(void **state)
{
	uint8_t message[8] = {10, 3};
	struct conn_view view = view_icmp(false, false, message, 8);

	assert_int_equal(view.kind, CONN_PACKET);
	assert_int_equal(view.service, service_key(IPPROTO_ICMP, 10 << 8 | 3));
	/* ICMPv6's numbers mean nothing in ICMP, and the other family's protocol is a number. */
	message[0] = 135;
	assert_int_equal(view_icmp(false, false, message, 8).kind, CONN_PACKET);
	message[0] = 3;
	view = view_icmp(true, false, message, 8);
	assert_int_equal(view.kind, CONN_ERROR_UNREADABLE);
	message[0] = 200;
	assert_int_equal(view_icmp(true, false, message, 8).kind, CONN_PACKET);
}

static void test_none(void **state)
{
	static const uint8_t link[] = {130, 131, 132, 133, 134, 135, 136, 137, 143};
	struct frame_spec igmp = {.proto = IPPROTO_IGMP, .payload = 8};
	uint8_t message[24] = {0};
	static struct frame f;

	for (unsigned i = 0; i < RTE_DIM(link); i++) {
		message[0] = link[i];
		assert_int_equal(view_icmp(true, false, message, 24).kind, CONN_NONE);
	}
	message[0] = 138;
	assert_int_equal(view_icmp(true, false, message, 24).kind, CONN_PACKET);
	assert_int_equal(view_spec(&igmp, 0).kind, CONN_PACKET);
	frame_build(&f, &igmp);
	put16(f.data + 12, 0x0806);
	assert_int_equal(view_bytes(f.data, f.len, 0).kind, CONN_NONE);
}

/* An error about what frame_build(quoted) makes, of which `keep` bytes are quoted. */
static struct conn_view view_error(const struct frame_spec *quoted, uint32_t keep)
{
	static struct frame f;
	uint8_t message[8 + 200] = {quoted->ipv6 ? 1 : 3, 1};

	frame_build(&f, quoted);
	assert_true(f.end - f.l3 <= 200 && keep <= f.end - f.l3);
	memcpy(message + 8, f.data + f.l3, f.end - f.l3);
	return view_icmp(quoted->ipv6, !quoted->reverse, message, 8 + keep);
}

/* Cut off anywhere: it has the key of what it quotes, or says nothing. */
static void test_errors(void **state)
{
	static const uint8_t protos[] = {TCP, UDP, SCTP};

	for (unsigned i = 0; i < 4 * RTE_DIM(protos); i++) {
		struct frame_spec spec = {.ipv6 = i & 1,
			.reverse = i >> 1 & 1,
			.proto = protos[i / 4],
			.payload = 8,
			.extra = 2,
			.routing = i & 1};
		uint32_t l4 = spec.ipv6 ? 40 + 16 + 24 : 28;
		struct conn_view packet = view_spec(&spec, 0);

		for (uint32_t keep = 0; keep <= l4 + 12; keep++) {
			struct conn_view error = view_error(&spec, keep);

			if (keep < l4 + 4) {
				assert_int_equal(error.kind, CONN_ERROR_UNREADABLE);
				continue;
			}
			assert_int_equal(error.kind, CONN_ERROR);
			assert_same(&error, &packet);
			assert_int_equal(error.sender, packet.sender);
		}
	}
}

static void check_quoted_icmp(bool ipv6, uint8_t type, enum conn_kind kind)
{
	uint8_t message[8 + 40 + 8] = {ipv6 ? 1 : 3, 1}, inner[8] = {type, 0, 0, 0, 0, 9};
	struct frame_spec spec = {
		.ipv6 = ipv6, .proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, .payload = 8};
	struct conn_view error, packet = view_icmp(ipv6, false, inner, 8);
	uint32_t header = ipv6 ? 40 : 20;
	static struct frame f;

	frame_build(&f, &spec);
	memcpy(message + 8, f.data + f.l3, header);
	memcpy(message + 8 + header, inner, 8);
	error = view_icmp(ipv6, true, message, 16 + header);
	assert_int_equal(error.kind, kind);
	if (kind == CONN_ERROR)
		assert_same(&error, &packet);
	/* The identifier must be there. */
	assert_int_equal(view_icmp(ipv6, true, message, 8 + header + 5).kind,
		kind == CONN_ERROR && type == 10 ? CONN_ERROR : CONN_ERROR_UNREADABLE);
}

static void test_errors_about_icmp(void **state)
{
	check_quoted_icmp(false, 8, CONN_ERROR);
	check_quoted_icmp(false, 0, CONN_ERROR);
	check_quoted_icmp(false, 10, CONN_ERROR);
	check_quoted_icmp(false, 3, CONN_ERROR_UNREADABLE);
	check_quoted_icmp(false, 11, CONN_ERROR_UNREADABLE);
	check_quoted_icmp(true, 128, CONN_ERROR);
	check_quoted_icmp(true, 129, CONN_ERROR);
	check_quoted_icmp(true, 1, CONN_ERROR_UNREADABLE);
	check_quoted_icmp(true, 135, CONN_ERROR_UNREADABLE);
	check_quoted_icmp(true, 143, CONN_ERROR_UNREADABLE);
}

static void test_errors_about_fragments(void **state)
{
	struct frame_spec spec = {.proto = UDP, .payload = 8};
	struct conn_view packet = view_spec(&spec, 0), error;
	uint8_t message[8 + 64] = {3, 1};
	static struct frame f;

	frame_build(&f, &spec);
	memcpy(message + 8, f.data + f.l3, f.end - f.l3);
	put16(message + 8 + 6, 0x2000);
	error = view_icmp(false, true, message, 8 + 28);
	assert_int_equal(error.kind, CONN_ERROR);
	assert_same(&error, &packet);
	put16(message + 8 + 6, 0x2001);
	assert_int_equal(view_icmp(false, true, message, 36).kind, CONN_ERROR_UNREADABLE);
	put16(message + 8 + 6, 0);
	message[8] = 0x65; /* IPv6 in an ICMP error */
	assert_int_equal(view_icmp(false, true, message, 36).kind, CONN_ERROR_UNREADABLE);
	message[8] = 0x44; /* header shorter than a header */
	assert_int_equal(view_icmp(false, true, message, 36).kind, CONN_ERROR_UNREADABLE);
	message[8] = 0x4f; /* header longer than the quote */
	assert_int_equal(view_icmp(false, true, message, 36).kind, CONN_ERROR_UNREADABLE);
}

/* IPv4 within IPv6 is on no wire: quoted, it would name a connection over IPv4. */
static void test_errors_about_mapped_addresses(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};
	struct frame_spec spec = {.ipv6 = true, .proto = UDP, .payload = 8};
	static struct frame f;

	frame_build(&f, &spec);
	for (unsigned at = 8; at <= 24; at += 16) {
		uint8_t message[8 + 64] = {1, 0};

		memcpy(message + 8, f.data + f.l3, f.end - f.l3);
		assert_int_equal(view_icmp(true, true, message, 8 + 48).kind, CONN_ERROR);
		memcpy(message + 8 + at, mapped, sizeof(mapped));
		assert_int_equal(
			view_icmp(true, true, message, 8 + 48).kind, CONN_ERROR_UNREADABLE);
	}
}

/* Fragments without the transport header never look like something harmless. */
static void test_fragments(void **state)
{
	struct frame_spec spec = {.proto = UDP, .payload = 16};
	struct conn_view whole = view_spec(&spec, 0), view;
	static struct frame f;

	frame_build(&f, &spec);
	put16(f.data + f.l3 + 6, 0x2000);
	view = view_bytes(f.data, f.len, 0);
	assert_int_equal(view.kind, CONN_PACKET);
	assert_same(&view, &whole);
	put16(f.data + f.l3 + 6, 0x2004);
	assert_int_equal(view_bytes(f.data, f.len, 0).kind, CONN_ERROR_UNREADABLE);
}

/* Ports that would be behind the packet's end are not read, not even out of its padding. */
static void test_short_headers(void **state)
{
	static const uint8_t protos[] = {IPPROTO_DCCP, IPPROTO_UDPLITE};

	for (unsigned i = 0; i < RTE_DIM(protos); i++)
		for (uint32_t len = 0; len < 6; len++) {
			struct frame_spec spec = {
				.proto = protos[i], .payload = len, .padding = 20 * (i & 1)};

			assert_int_equal(view_spec(&spec, 0).kind,
				len < 4 ? CONN_ERROR_UNREADABLE : CONN_PACKET);
		}
}

static void test_query(void **state)
{
	struct frame_spec spec = {.proto = TCP};
	struct conn_view view = view_spec(&spec, 0);
	uint8_t echo[8] = {8, 0, 0, 0, 0, 7};
	struct policy_query query;

	conn_query(&view.key, 0, view.service, &query);
	assert_int_equal(query.service, service_key(TCP, 445));
	assert_int_equal(query.source_port, 49152);
	assert_true(addr_equal(query.from, view.key.addr[0]));
	assert_true(addr_equal(query.to, view.key.addr[1]));
	/* As if the other side had opened. */
	conn_query(&view.key, 1, view.service, &query);
	assert_int_equal(query.service, service_key(TCP, 49152));
	assert_int_equal(query.source_port, 445);
	assert_true(addr_equal(query.from, view.key.addr[1]));
	view = view_icmp(false, false, echo, 8);
	conn_query(&view.key, 0, view.service, &query);
	assert_int_equal(query.service, service_key(IPPROTO_ICMP, 8 << 8));
	assert_int_equal(query.source_port, 0);
}

/* Every bit of a key counts, and those that differ little spread well. */
static void test_hash(void **state)
{
	struct frame_spec spec = {.proto = TCP};
	struct conn_key key = view_spec(&spec, 0).key;
	uint32_t before = conn_key_hash(&key);
	static uint16_t buckets[1024];
	unsigned most = 0;

	for (unsigned bit = 0; bit < 8 * sizeof(key); bit++) {
		struct conn_key other = key;

		((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(conn_key_hash(&other), before);
	}
	for (unsigned i = 0; i < 16384; i++) {
		key.addr[0].low = ADDR_V4_PREFIX | 0x0a000000 | i / 64;
		key.port[0] = (uint16_t)(40000 + i % 64);
		most = RTE_MAX(most, (unsigned)++buckets[conn_key_hash(&key) % 1024]);
	}
	assert_true(most < 45); /* 16 each; 45 is seven standard deviations away */
	packet_hash_secret(12345);
	key = view_spec(&spec, 0).key;
	assert_int_not_equal(conn_key_hash(&key), before);
}

/* Whatever follows the IP header: no read beyond the packet, and the same answer twice. */
static void test_random_bytes(void **state)
{
	uint64_t random = 99;
	static struct frame f;

	for (unsigned i = 0; i < 20000; i++) {
		struct frame_spec spec = {.ipv6 = i & 1,
			.proto = (uint8_t[]){1, 58, 6, 17, 132, 33, 136, 2}[i / 2 % 8],
			.payload = frames_random(&random) % 120};
		struct conn_view view;
		struct packet p;
		struct rte_mbuf *m;

		frame_build(&f, &spec);
		for (uint32_t at = f.l4; at < f.end; at++)
			f.data[at] = (uint8_t)frames_random(&random);
		if (spec.proto == 1 || spec.proto == 58)
			f.data[f.l4] %= 20;
		if (spec.payload > 48) /* mostly what looks like a quoted packet */
			f.data[f.l4 + 8] = spec.ipv6 ? 0x60 : 0x45;
		m = frames_mbuf(pool, f.data, f.len, 0, 0);
		if (packet_parse(m, &p) < 0) {
			conn_view(m, &p, 0, &view);
			assert_true(view.kind <= CONN_NONE);
		}
		rte_pktmbuf_free(m);
	}
}

static void test_names(void **state)
{
	char text[16];

	conn_proto_name(IPPROTO_TCP, text);
	assert_string_equal(text, "tcp");
	conn_proto_name(IPPROTO_ICMPV6, text);
	assert_string_equal(text, "icmpv6");
	conn_proto_name(199, text);
	assert_string_equal(text, "199");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_what_makes_another),
		cmocka_unit_test(test_one_address),
		cmocka_unit_test(test_icmp_queries),
		cmocka_unit_test(test_icmp_else),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_errors_about_icmp),
		cmocka_unit_test(test_errors_about_fragments),
		cmocka_unit_test(test_errors_about_mapped_addresses),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_short_headers),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
