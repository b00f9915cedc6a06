/* The kernel's vnet header, in and out: honest, contradicting the frame, and at random. */
#include "frames.h"

#include "offload.h"
#include "packet.h"
#include "vnet_header.h"

#define BUFFERS   255
#define NEEDS     VIRTIO_NET_HDR_F_NEEDS_CSUM
#define TCPV4     VIRTIO_NET_HDR_GSO_TCPV4
#define TCPV6     VIRTIO_NET_HDR_GSO_TCPV6
#define RX_FLAGS  (RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_MASK)
#define RX_OPEN   RTE_MBUF_F_RX_L4_CKSUM_NONE
#define RX_TSO    (RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE)
#define TCP_FIELD 16
#define UDP_FIELD 6

static struct rte_mempool *pool;
static struct frame frame;
static uint8_t bytes[FRAME_MAX];

static void build(bool ipv6, uint8_t proto, uint32_t payload)
{
	frame_build(&frame, &(struct frame_spec){.ipv6 = ipv6,
				    .proto = proto,
				    .partial = true,
				    .vlans = 1,
				    .payload = payload});
}

static struct rte_mbuf *read_frame(uint32_t first)
{
	return frames_mbuf(pool, frame.data, frame.len, first, 0);
}

struct row {
	const char *what;
	bool ipv6;
	uint8_t proto;
	uint8_t flags;
	uint8_t gso_type;
	uint16_t gso_size;
	int16_t start; /* from where the L4 header is */
	uint16_t offset;
	int rc;
	uint64_t rx;
};

static const struct row rows[] = {
	{"nothing", false, TCP, 0, 0, 0, 0, 0, 0, 0},
	{"valid", true, UDP, VIRTIO_NET_HDR_F_DATA_VALID, 0, 0, 0, 0, 0, 0},
	{"partial TCP", false, TCP, NEEDS, 0, 0, 0, TCP_FIELD, 0, RX_OPEN},
	{"partial TCP, a size without a type", true, TCP, NEEDS, 0, 9, 0, TCP_FIELD, 0, RX_OPEN},
	{"partial UDP", true, UDP, NEEDS, 0, 0, 0, UDP_FIELD, 0, RX_OPEN},
	{"TSO", false, TCP, NEEDS, TCPV4, 500, 0, TCP_FIELD, 0, RX_TSO},
	{"TSO, IPv6", true, TCP, NEEDS, TCPV6, 1, 0, TCP_FIELD, 0, RX_TSO},
	{"TSO with ECN", false, TCP, NEEDS, TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 500, 0, TCP_FIELD, 0,
		RX_TSO},
	{"TSO of size 0", false, TCP, NEEDS, TCPV4, 0, 0, TCP_FIELD, -1, 0},
	{"TSO without a checksum", false, TCP, 0, TCPV4, 500, 0, TCP_FIELD, -1, 0},
	{"TSO of the other family", false, TCP, NEEDS, TCPV6, 500, 0, TCP_FIELD, -1, 0},
	{"TSO of the other family", true, TCP, NEEDS, TCPV4, 500, 0, TCP_FIELD, -1, 0},
	{"TSO of UDP", false, UDP, NEEDS, TCPV4, 500, 0, UDP_FIELD, -1, 0},
	{"TSO, checksum behind", false, TCP, NEEDS, TCPV4, 500, 2, TCP_FIELD, -1, 0},
	{"TSO, checksum before", false, TCP, NEEDS, TCPV4, 500, 0, UDP_FIELD, -1, 0},
	{"UFO", false, UDP, NEEDS, VIRTIO_NET_HDR_GSO_UDP, 500, 0, UDP_FIELD, -1, 0},
	{"USO", false, UDP, NEEDS, 5, 500, 0, UDP_FIELD, -1, 0},
	{"unknown GSO", false, TCP, NEEDS, 0x7f, 500, 0, TCP_FIELD, -1, 0},
	{"ECN alone", false, TCP, NEEDS, VIRTIO_NET_HDR_GSO_ECN, 500, 0, TCP_FIELD, -1, 0},
	{"beyond the frame", false, TCP, NEEDS, 0, 0, 32767, TCP_FIELD, -1, 0},
	{"field beyond the frame", false, TCP, NEEDS, 0, 0, 0, 65535, -1, 0},
};

static void test_header_to_flags(void **state)
{
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		const struct row *r = &rows[i];
		struct virtio_net_hdr header = {.flags = r->flags,
			.gso_type = r->gso_type,
			.gso_size = r->gso_size,
			.csum_offset = r->offset};
		struct rte_mbuf *m;

		build(r->ipv6, r->proto, 1200);
		header.csum_start = (uint16_t)(frame.l4 + r->start);
		m = read_frame(0);
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_LRO; /* stale */
		if (vnet_header_to_mbuf(&header, m) != r->rc)
			fail_msg("%s", r->what);
		if (r->rc == 0) {
			if ((m->ol_flags & RX_FLAGS) != r->rx)
				fail_msg("%s: flags", r->what);
			if (r->rx == RX_TSO)
				assert_int_equal(m->tso_segsz, r->gso_size);
		}
		frames_read(m, bytes);
		assert_memory_equal(bytes, frame.data, frame.len);
		rte_pktmbuf_free(m);
	}
}

/* A checksum that is not the frame's own TCP or UDP one: a tunnel's, a fragment's, ICMPv6's. */
static void test_foreign_checksum_is_completed(void **state)
{
	static struct frame inner;
	struct virtio_net_hdr header = {.flags = NEEDS};
	struct frame_spec spec = {.ipv6 = true, .proto = TCP, .partial = true, .payload = 301};
	struct rte_mbuf *m;

	/* TCP in IPv6 in UDP, as VXLAN has it, in a chain */
	frame_build(&inner, &spec);
	frame_build(&frame, &(struct frame_spec){.proto = UDP, .payload = 8 + inner.len});
	memcpy(frame.data + frame.payload + 8, inner.data, inner.len);
	put16(frame.data + frame.l4 + 6, 0);
	header.csum_start = (uint16_t)(frame.payload + 8 + inner.l4);
	header.csum_offset = TCP_FIELD;
	m = read_frame(200);
	assert_int_equal(vnet_header_to_mbuf(&header, m), 0);
	assert_int_equal(m->ol_flags & RX_FLAGS, 0);
	frames_read(m, bytes);
	assert_true(frame_checksums_ok(bytes + frame.payload + 8, inner.l3));
	assert_int_equal(get16(bytes + frame.l4 + 6), 0);
	rte_pktmbuf_free(m);

	/* A first fragment: no L4 of its own to flag */
	build(false, UDP, 64);
	put16(frame.data + frame.l3 + 6, 0x2000);
	header.csum_start = (uint16_t)frame.l4;
	header.csum_offset = UDP_FIELD;
	m = read_frame(0);
	assert_int_equal(vnet_header_to_mbuf(&header, m), 0);
	assert_int_equal(m->ol_flags & RX_FLAGS, 0);
	frames_read(m, bytes);
	assert_int_equal(slow_sum(frame_pseudo(&frame, &(struct frame_spec){.proto = UDP}),
				 bytes + frame.l4, frame.end - frame.l4),
		0xffff);
	rte_pktmbuf_free(m);

	/* A frame that is no IP at all, whose sum comes out as zero: sent as all ones */
	memset(frame.data, 0, 64);
	frame.len = 64;
	put16(frame.data + 12, 0x88b5);
	put16(frame.data + 20, 0xffff);
	header.csum_start = 20;
	header.csum_offset = 4;
	m = read_frame(0);
	assert_int_equal(vnet_header_to_mbuf(&header, m), 0);
	frames_read(m, bytes);
	assert_int_equal(get16(bytes + 24), 0xffff);
	rte_pktmbuf_free(m);
}

/* Item 14: every start and offset around a frame's end, in exact-size segments. */
static void test_14_checksum_anywhere(void **state)
{
	build(false, TCP, 10);
	for (uint32_t first = 60; first <= frame.len; first += frame.len - 60)
		for (uint32_t start = 0; start < frame.len + 4; start++)
			for (uint32_t offset = 0; offset < frame.len + 4; offset++) {
				struct virtio_net_hdr header = {.flags = NEEDS,
					.csum_start = (uint16_t)start,
					.csum_offset = (uint16_t)offset};
				struct rte_mbuf *m = read_frame(first);
				bool fits = start + offset + 2 <= first;

				assert_int_equal(vnet_header_to_mbuf(&header, m), fits ? 0 : -1);
				frames_read(m, bytes);
				if (fits && !(m->ol_flags & RX_OPEN))
					put16(bytes + start + offset,
						get16(frame.data + start + offset));
				assert_memory_equal(bytes, frame.data, frame.len);
				rte_pktmbuf_free(m);
			}
}

/* In, accepted, and out again: the header that came is the header that goes. */
static void test_round_trip(void **state)
{
	for (unsigned i = 0; i < 2 * 2 * 3; i++) {
		bool ipv6 = i & 1, udp = i & 2;
		struct virtio_net_hdr header = {.flags = NEEDS, .csum_offset = TCP_FIELD}, back;
		struct rte_mbuf *m;
		struct packet p;

		build(ipv6, udp ? UDP : TCP, 1200);
		header.csum_start = (uint16_t)frame.l4;
		if (udp)
			header.csum_offset = UDP_FIELD;
		if (i / 4 == 0) {
			header = (struct virtio_net_hdr){0};
		} else if (i / 4 == 2 && !udp) {
			header.gso_type = ipv6 ? TCPV6 : TCPV4;
			header.gso_size = 500;
			header.hdr_len = (uint16_t)frame.payload;
		}
		m = read_frame(300);
		assert_int_equal(vnet_header_to_mbuf(&header, m), 0);
		assert_int_equal(packet_parse(m, &p), -1);
		assert_int_equal(offload_accept(m, &p), -1);
		memset(&back, 0xa5, sizeof(back));
		assert_int_equal(vnet_header_from_mbuf(m, &back), 0);
		assert_memory_equal(&back, &header, sizeof(header));
		rte_pktmbuf_free(m);
	}
}

/* TX flags and lengths of every kind: in the frame and of a kind that the kernel knows, or not. */
static void test_flags_to_header(void **state)
{
	static const uint64_t kinds[] = {RTE_MBUF_F_TX_L4_NO_CKSUM, RTE_MBUF_F_TX_TCP_CKSUM,
		RTE_MBUF_F_TX_SCTP_CKSUM, RTE_MBUF_F_TX_UDP_CKSUM};
	static const unsigned fields[] = {TCP_FIELD, TCP_FIELD, 0, UDP_FIELD};

	build(false, TCP, 10);
	for (unsigned i = 0; i < 4 * 2 * 2 * 2 * 90; i++) {
		bool tso = i & 4, ipv6 = i & 8;
		unsigned kind = i & 3, l4 = i >> 5;
		uint16_t size = i & 16 ? 9 : 0;
		struct rte_mbuf *m = read_frame(64);
		struct virtio_net_hdr header;
		bool open = kind != 0 || tso;
		bool fits = 38 + l4 <= 64;

		m->ol_flags |= kinds[kind] | (tso ? RTE_MBUF_F_TX_TCP_SEG : 0) |
			       (ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
		m->l2_len = 18;
		m->l3_len = 20;
		m->l4_len = l4;
		m->tso_segsz = size;
		if (open && (!fits || (kind == 2 && !tso) || (tso && size == 0))) {
			assert_int_equal(vnet_header_from_mbuf(m, &header), -1);
			rte_pktmbuf_free(m);
			continue;
		}
		assert_int_equal(vnet_header_from_mbuf(m, &header), 0);
		assert_int_equal(header.flags, open ? NEEDS : 0);
		assert_int_equal(header.csum_start, open ? 38 : 0);
		assert_int_equal(header.csum_offset, !open ? 0 : tso ? TCP_FIELD : fields[kind]);
		assert_int_equal(header.gso_type, tso ? (ipv6 ? TCPV6 : TCPV4) : 0);
		assert_int_equal(header.gso_size, tso ? size : 0);
		assert_int_equal(header.hdr_len, tso ? 38 + l4 : 0);
		rte_pktmbuf_free(m);
	}
	for (unsigned l3 = 20; l3 < 60; l3++) { /* the field beyond the first segment */
		struct rte_mbuf *m = read_frame(64);
		struct virtio_net_hdr header;

		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4;
		m->l2_len = 18;
		m->l3_len = l3;
		assert_int_equal(vnet_header_from_mbuf(m, &header), 18 + l3 + 18 <= 64 ? 0 : -1);
		rte_pktmbuf_free(m);
	}
}

/* Random headers on random frames: what is accepted leaves as a header that fits the frame. */
static void test_random_headers(void **state)
{
	static const uint8_t types[] = {0, 0, TCPV4, TCPV6, TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 3};
	uint64_t seed = 7;
	unsigned tso = 0;

	for (unsigned i = 0; i < 50000; i++) {
		uint32_t r = frames_random(&seed);
		struct virtio_net_hdr header = {.flags = r & 3,
			.gso_type = types[(r >> 2) % 6],
			.gso_size = (r >> 5) % 200,
			.csum_offset = r & 0x8000 ? TCP_FIELD : r >> 24};
		struct rte_mbuf *m;
		struct packet p;

		build(r & 0x10000, r & 0x20000 ? UDP : TCP, (r >> 18) % 300);
		header.csum_start = frames_random(&seed) % 2 ? frame.l4
							     : frames_random(&seed) % 100;
		for (unsigned k = 0; k < (r >> 27) % 4; k++)
			frame.data[frames_random(&seed) % frame.len] = (uint8_t)frames_random(
				&seed);
		m = read_frame(frames_random(&seed) % frame.len);
		if (vnet_header_to_mbuf(&header, m) == 0 && packet_parse(m, &p) < 0 &&
			offload_accept(m, &p) < 0) {
			assert_int_equal(vnet_header_from_mbuf(m, &header), 0);
			assert_true(header.csum_start + header.csum_offset + 2u <= m->data_len);
			assert_true(header.hdr_len <= m->data_len);
			tso += header.gso_type != 0;
		}
		rte_pktmbuf_free(m);
	}
	assert_true(tso > 100);
}

static int setup(void **state)
{
	if (frames_eal("test_vnet_header") < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", BUFFERS, 0, 0, 2048, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	return rte_mempool_avail_count(pool) == BUFFERS ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_to_flags),
		cmocka_unit_test(test_foreign_checksum_is_completed),
		cmocka_unit_test(test_14_checksum_anywhere),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_flags_to_header),
		cmocka_unit_test(test_random_headers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
