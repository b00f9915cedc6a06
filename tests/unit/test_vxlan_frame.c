/*
 * Frames put into VXLAN and got out of it again, over IPv4 and IPv6: by the byte, at each length at
 * which they may be cut off, with each bit of their headers changed, and at random. Frames lie in
 * heap blocks of just their size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vxlan_frame.h"

#define HEADROOM 128
#define VNI      0xabcdef
#define HASH     0x87654321u

static const struct rte_ether_addr hop = {{2, 0, 0, 0, 0, 9}};

static struct addr address(const char *text)
{
	struct addr_span span;

	assert_true(addr_span_parse(text, &span));
	return span.first;
}

static struct vxlan_end end_at(const char *text, uint8_t last)
{
	struct vxlan_end end = {.address = address(text), .udp_port = 4789};

	end.mac = (struct rte_ether_addr){{2, 0, 0, 0, 0, last}};
	return end;
}

/* One tunnel: from a to b, and what b is there. */
struct tunnel {
	struct vxlan_end a, b;
	struct vxlan_headers headers;
};

static struct tunnel tunnel(bool ipv6)
{
	struct tunnel t = {.a = end_at(ipv6 ? "2001:db8::1" : "192.0.2.1", 1),
		.b = end_at(ipv6 ? "2001:db8::2" : "192.0.2.2", 9)};

	vxlan_headers_init(&t.headers, &t.a, t.b.address, VNI);
	return t;
}

/* A buffer of its own with room for len bytes behind the headroom, and not one more. */
static struct rte_mbuf *buffer(uint32_t headroom, uint32_t len)
{
	struct rte_mbuf *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->buf_addr = malloc(headroom + len);
	assert_non_null(m->buf_addr);
	m->buf_len = (uint16_t)(headroom + len);
	m->data_off = (uint16_t)headroom;
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	m->nb_segs = 1;
	m->refcnt = 1;
	return m;
}

static void drop(struct rte_mbuf *m)
{
	while (m != NULL) {
		struct rte_mbuf *next = m->next;

		free(m->buf_addr);
		free(m);
		m = next;
	}
}

static struct rte_mbuf *inner(uint32_t len)
{
	struct rte_mbuf *m = buffer(HEADROOM, len);
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + 1);
	return m;
}

static void assert_inner(struct rte_mbuf *m, uint32_t len)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

	assert_int_equal(m->pkt_len, len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(data[i], (uint8_t)(i * 7 + 1));
}

static struct rte_mbuf *pushed(const struct tunnel *t, uint32_t len)
{
	struct rte_mbuf *m = inner(len);

	vxlan_push(m, &t->headers, &hop, HASH);
	return m;
}

/* The first len bytes of m, at the end of a block. */
static struct rte_mbuf *cut(const struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *piece = buffer(0, len);

	memcpy(piece->buf_addr, rte_pktmbuf_mtod(m, const void *), len);
	return piece;
}

static void test_bytes_ipv4(void **state)
{
	/* Written by hand from RFC 791, 768 and 7348. */
	static const uint8_t expected[50] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45,
		0x00, 0x00, 0x60, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb6, 0x89, 192, 0, 2, 1, 192,
		0, 2, 2, 0xe1, 0xd9, 0x12, 0xb5, 0x00, 0x4c, 0x00, 0x00, 0x08, 0, 0, 0, 0xab, 0xcd,
		0xef, 0};
	struct tunnel t = tunnel(false);
	struct rte_mbuf *m = pushed(&t, 60);

	assert_int_equal(t.headers.len, 50);
	assert_int_equal(m->pkt_len, 110);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), expected, sizeof(expected));
	vxlan_undo(m, &t.headers);
	assert_inner(m, 60);
	assert_int_equal(m->data_off, HEADROOM);
	drop(m);
}

static void test_bytes_ipv6(void **state)
{
	static const uint8_t expected[14 + 8] = {
		2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0x00, 0x4c, 17, 64};
	struct tunnel t = tunnel(true);
	struct rte_mbuf *m = pushed(&t, 60);
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

	assert_int_equal(t.headers.len, 70);
	assert_memory_equal(data, expected, sizeof(expected));
	assert_true(data[14 + 40 + 6] != 0 || data[14 + 40 + 7] != 0);
	drop(m);
}

static void assert_arrives(struct rte_mbuf *m, const struct tunnel *t, uint32_t len)
{
	struct vxlan_arrival a;

	assert_int_equal(vxlan_parse(m, &t->b, &a), 0);
	assert_true(addr_equal(a.from, t->a.address));
	assert_int_equal(a.vni, VNI);
	assert_int_equal(a.len, len);
	assert_true(vxlan_pop(m, &a));
	assert_inner(m, len);
}

static void test_there_and_back(void **state)
{
	static const uint32_t lengths[] = {14, 15, 59, 60, 61, 1514, 9014};

	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++)
		for (unsigned i = 0; i < RTE_DIM(lengths); i++) {
			struct tunnel t = tunnel(ipv6);
			struct rte_mbuf *m = pushed(&t, lengths[i]);

			assert_int_equal(m->ol_flags, 0);
			assert_arrives(m, &t, lengths[i]);
			drop(m);
		}
}

/* The inner frame's end lies in a buffer of its own; and with padding behind it. */
static void test_chains(void **state)
{
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++)
		for (uint32_t first = 14; first < 20; first++) {
			struct tunnel t = tunnel(ipv6);
			struct rte_mbuf *m = inner(101), *rest = buffer(0, 101 - first);
			struct vxlan_arrival a;

			memcpy(rest->buf_addr, rte_pktmbuf_mtod_offset(m, void *, first),
				101 - first);
			m->next = rest;
			m->nb_segs = 2;
			m->data_len = (uint16_t)first;
			vxlan_push(m, &t.headers, &hop, HASH);
			assert_int_equal(vxlan_parse(m, &t.b, &a), 0);
			assert_int_equal(a.len, 101);
			assert_true(vxlan_pop(m, &a));
			assert_int_equal(m->pkt_len, 101);
			assert_int_equal(m->data_len, first);
			drop(m);
		}
}

static void test_padding_is_cut(void **state)
{
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		struct tunnel t = tunnel(ipv6);
		struct rte_mbuf *m = pushed(&t, 14);
		struct rte_mbuf *padded = buffer(0, m->pkt_len + 5);

		memset(padded->buf_addr, 0xee, padded->data_len);
		memcpy(padded->buf_addr, rte_pktmbuf_mtod(m, void *), m->pkt_len);
		assert_arrives(padded, &t, 14);
		drop(m);
		drop(padded);
	}
}

/* No length but the whole one is taken, and nothing behind the end is read. */
static void test_cut_off(void **state)
{
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		struct tunnel t = tunnel(ipv6);
		struct rte_mbuf *m = pushed(&t, 30);

		for (uint32_t len = 0; len < m->pkt_len; len++) {
			struct rte_mbuf *piece = cut(m, len);
			struct vxlan_arrival a;
			int fault = vxlan_parse(piece, &t.b, &a);

			assert_int_equal(
				fault, len < (ipv6 ? 54u : 34u) ? VXLAN_OTHER : VXLAN_MALFORMED);
			drop(piece);
		}
		drop(m);
	}
}

static int fault_of(struct rte_mbuf *m, const struct tunnel *t)
{
	struct vxlan_arrival a;
	int fault = vxlan_parse(m, &t->b, &a);

	drop(m);
	return fault;
}

/* Over IPv6 nothing that the sums hold can change; over IPv4 that is IP's header, and UDP's length
 * may be shorter. */
static void test_every_bit(void **state)
{
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		struct tunnel t = tunnel(ipv6);
		struct rte_mbuf *m = pushed(&t, 60);

		for (uint32_t bit = 0; bit < t.headers.len * 8u; bit++) {
			struct rte_mbuf *changed = cut(m, m->pkt_len);
			bool source_mac = bit / 8 >= 6 && bit / 8 < 12;
			bool label = ipv6 && bit / 8 >= 14 && bit / 8 < 18 && bit >= 14 * 8 + 4;
			bool hops = ipv6 && bit / 8 == 14 + 7;
			bool udp = !ipv6 && ((bit / 8 >= 34 && bit / 8 < 36) ||
						    (bit / 8 >= 46 && bit / 8 < 49));

			((uint8_t *)changed->buf_addr)[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			if (!ipv6 && bit / 8 == 39) /* UDP's length */
				fault_of(changed, &t);
			else if (source_mac || label || hops || udp)
				assert_int_equal(fault_of(changed, &t), 0);
			else
				assert_true(fault_of(changed, &t) < 0);
		}
		drop(m);
	}
}

/* Sets the bytes of a frame over IPv4 at offset, and IP's sum right. */
static struct rte_mbuf *with_ipv4(const struct tunnel *t, unsigned offset, uint8_t value)
{
	struct rte_mbuf *m = pushed(t, 60);
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t sum = 0;

	data[offset] = value;
	data[24] = data[25] = 0;
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	data[24] = (uint8_t)(sum >> 8);
	data[25] = (uint8_t)sum;
	return m;
}

static void test_faults(void **state)
{
	struct tunnel t = tunnel(false), six = tunnel(true);
	struct rte_mbuf *m;

	assert_int_equal(fault_of(with_ipv4(&t, 20, 0x20), &t), VXLAN_FRAGMENT); /* more of them */
	assert_int_equal(fault_of(with_ipv4(&t, 21, 0x01), &t), VXLAN_FRAGMENT); /* a later one */
	assert_int_equal(fault_of(with_ipv4(&t, 33, 0x03), &t), VXLAN_OTHER); /* for another host */
	assert_int_equal(fault_of(with_ipv4(&t, 23, 6), &t), VXLAN_OTHER); /* TCP */
	assert_int_equal(fault_of(with_ipv4(&t, 37, 0xb4), &t), VXLAN_OTHER); /* UDP port 4788 */
	assert_int_equal(fault_of(with_ipv4(&t, 22, 1), &t), 0); /* any TTL */
	assert_int_equal(fault_of(with_ipv4(&t, 15, 0xff), &t), 0); /* any DSCP and ECN */
	assert_int_equal(fault_of(with_ipv4(&t, 14, 0x44), &t), VXLAN_MALFORMED);
	assert_int_equal(fault_of(with_ipv4(&t, 14, 0x55), &t), VXLAN_OTHER);
	assert_int_equal(fault_of(with_ipv4(&t, 39, 0x4d), &t), VXLAN_MALFORMED); /* UDP length */
	assert_int_equal(
		fault_of(with_ipv4(&t, 39, 29), &t), VXLAN_MALFORMED); /* no inner header */
	assert_int_equal(fault_of(with_ipv4(&t, 39, 30), &t), 0);
	assert_int_equal(fault_of(with_ipv4(&t, 41, 1), &t), VXLAN_CHECKSUM);
	assert_int_equal(fault_of(with_ipv4(&t, 42, 0x00), &t), VXLAN_FLAGS); /* no VNI */
	assert_int_equal(fault_of(with_ipv4(&t, 42, 0x0c), &t), VXLAN_FLAGS); /* GPE */
	assert_int_equal(fault_of(with_ipv4(&t, 42, 0x88), &t), VXLAN_FLAGS); /* GBP */
	assert_int_equal(fault_of(with_ipv4(&t, 49, 1), &t), VXLAN_FLAGS);
	m = pushed(&six, 60);
	rte_pktmbuf_mtod(m, uint8_t *)[20] = 44;
	assert_int_equal(fault_of(m, &six), VXLAN_FRAGMENT);
	m = pushed(&six, 60);
	memset(rte_pktmbuf_mtod_offset(m, uint8_t *, 60), 0, 2);
	assert_int_equal(fault_of(m, &six), 0); /* a sum of zero is none (RFC 6935) */
}

/* IPv4 with options is taken: whoever sends it, its header says how long it is. */
static void test_options(void **state)
{
	struct tunnel t = tunnel(false);
	struct rte_mbuf *m = pushed(&t, 60), *longer = buffer(0, m->pkt_len + 4);
	uint8_t *data = longer->buf_addr;
	struct vxlan_arrival a;
	uint32_t sum = 0;

	memcpy(data, rte_pktmbuf_mtod(m, void *), 34);
	memset(data + 34, 1, 4); /* no operation */
	memcpy(data + 38, rte_pktmbuf_mtod_offset(m, void *, 34), m->pkt_len - 34);
	data[14] = 0x46;
	data[17] = (uint8_t)(data[17] + 4);
	data[24] = data[25] = 0;
	for (unsigned i = 14; i < 38; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	data[24] = (uint8_t)(sum >> 8);
	data[25] = (uint8_t)sum;
	assert_int_equal(vxlan_parse(longer, &t.b, &a), 0);
	assert_int_equal(a.offset, 54);
	assert_int_equal(a.len, 60);
	drop(m);
	drop(longer);
}

/* Flows get source ports of their own, from the dynamic ones (RFC 7348, 5). */
static void test_source_ports(void **state)
{
	struct tunnel t = tunnel(false);
	uint16_t before = 0;

	for (uint32_t i = 0; i < 16; i++) {
		struct rte_mbuf *m = inner(60);
		const uint8_t *data;
		uint16_t port;

		vxlan_push(m, &t.headers, &hop, i << 28 | 1);
		data = rte_pktmbuf_mtod(m, const uint8_t *);
		port = (uint16_t)(data[34] << 8 | data[35]);
		assert_true(port >= 49152 && port != before);
		before = port;
		drop(m);
	}
}

/* Whatever comes: what is taken lies in the frame. */
static void test_random(void **state)
{
	uint64_t seed = 20261201;

	for (unsigned i = 0; i < 200000; i++) {
		struct tunnel t = tunnel(i & 1);
		struct rte_mbuf *good = pushed(&t, 40), *m;
		struct vxlan_arrival a;

		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		m = cut(good, (uint32_t)(seed >> 33) % (good->pkt_len + 1));
		for (unsigned n = 0; m->data_len > 0 && n < (seed >> 60) % 4; n++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			((uint8_t *)m->buf_addr)[(seed >> 40) % m->data_len] =
				(uint8_t)(seed >> 32);
		}
		if (vxlan_parse(m, &t.b, &a) == 0) {
			assert_true(a.len >= RTE_ETHER_HDR_LEN);
			assert_true(a.offset + a.len <= m->pkt_len);
			assert_true(vxlan_pop(m, &a));
			assert_int_equal(m->pkt_len, a.len);
		}
		drop(good);
		drop(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_ipv4),
		cmocka_unit_test(test_bytes_ipv6),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_padding_is_cut),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_source_ports),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
