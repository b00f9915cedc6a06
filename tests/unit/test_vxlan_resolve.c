/*
 * ARP and neighbour discovery between two ends of tunnels: questions, answers, and what is none of
 * them. Frames lie in heap blocks of just their size, and room for an answer where there is one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vxlan_resolve.h"

#define ROOM 128

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

static struct vxlan_end ends[2][3]; /* by family */

static int setup(void **state)
{
	static const char *const texts[2][3] = {{"192.0.2.1", "192.0.2.2", "192.0.2.3"},
		{"2001:db8::1", "2001:db8::1234:5678", "2001:db8::3"}};

	for (unsigned f = 0; f < 2; f++)
		for (unsigned i = 0; i < 3; i++)
			ends[f][i] = end_at(texts[f][i], (uint8_t)(i + 1));
	return 0;
}

static struct rte_mbuf *buffer(uint32_t len)
{
	struct rte_mbuf *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->buf_addr = calloc(1, len > 0 ? len : 1);
	m->buf_len = (uint16_t)len;
	m->nb_segs = 1;
	m->refcnt = 1;
	return m;
}

static void drop(struct rte_mbuf *m)
{
	free(m->buf_addr);
	free(m);
}

/* The first len bytes of m in a block of room bytes. */
static struct rte_mbuf *cut(const struct rte_mbuf *m, uint32_t len, uint32_t room)
{
	struct rte_mbuf *piece = buffer(room);

	memcpy(piece->buf_addr, rte_pktmbuf_mtod(m, void *), len);
	piece->data_len = (uint16_t)len;
	piece->pkt_len = len;
	return piece;
}

static struct rte_mbuf *question(
	const struct vxlan_end *from, const struct vxlan_end *about, bool directly)
{
	struct rte_mbuf *m = buffer(ROOM);

	vxlan_resolve_ask(m, from, about->address, directly ? &about->mac : NULL);
	return m;
}

static const struct rte_ether_hdr *ether(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
}

static void assert_says(const struct vxlan_said *said, const struct vxlan_end *who)
{
	assert_true(said->known);
	assert_true(addr_equal(said->address, who->address));
	assert_true(rte_is_same_ether_addr(&said->mac, &who->mac));
}

static void test_question_and_answer(void **state)
{
	for (unsigned f = 0; f < 2; f++)
		for (unsigned directly = 0; directly < 2; directly++) {
			const struct vxlan_end *a = &ends[f][0], *b = &ends[f][1];
			struct rte_mbuf *m = question(a, b, directly);
			struct vxlan_said said;

			assert_int_equal(m->pkt_len, f == 0 ? 42 : 86);
			assert_true(rte_is_same_ether_addr(&ether(m)->src_addr, &a->mac));
			if (directly)
				assert_true(rte_is_same_ether_addr(&ether(m)->dst_addr, &b->mac));
			else
				assert_true(rte_is_multicast_ether_addr(&ether(m)->dst_addr));
			/* Whoever it is not for learns of it, and does not answer. */
			assert_int_equal(
				vxlan_resolve_hear(m, &ends[f][2], &said) == VXLAN_RESOLVE_ASKED,
				0);
			assert_int_equal(vxlan_resolve_hear(m, b, &said), VXLAN_RESOLVE_ASKED);
			assert_says(&said, a);
			assert_true(rte_is_same_ether_addr(&ether(m)->dst_addr, &a->mac));
			assert_true(rte_is_same_ether_addr(&ether(m)->src_addr, &b->mac));
			assert_int_equal(vxlan_resolve_hear(m, a, &said), VXLAN_RESOLVE_SAID);
			assert_says(&said, b);
			drop(m);
		}
}

/* Solicited-node multicast and its MAC (RFC 4291, 2.7.1; RFC 2464, 7). */
static void test_who_is_asked(void **state)
{
	static const uint8_t mac[6] = {0x33, 0x33, 0xff, 0x34, 0x56, 0x78};
	static const uint8_t group[16] = {
		0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x34, 0x56, 0x78};
	struct rte_mbuf *m = question(&ends[1][0], &ends[1][1], false);

	assert_memory_equal(&ether(m)->dst_addr, mac, 6);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, void *, 14 + 24), group, 16);
	drop(m);
	m = question(&ends[0][0], &ends[0][1], false);
	assert_true(rte_is_broadcast_ether_addr(&ether(m)->dst_addr));
	drop(m);
}

/* A host that has no address yet is told that ours is taken, and nothing is learned of it. */
static void test_before_an_address_is_used(void **state)
{
	struct vxlan_end nobody = ends[0][2];
	struct vxlan_said said;
	struct rte_mbuf *m;

	nobody.address = address("0.0.0.0");
	m = question(&nobody, &ends[0][0], false);
	assert_int_equal(vxlan_resolve_hear(m, &ends[0][0], &said), VXLAN_RESOLVE_ASKED);
	assert_false(said.known);
	drop(m);
	nobody = ends[1][2];
	nobody.address = address("::");
	m = question(&nobody, &ends[1][0], false);
	assert_int_equal(vxlan_resolve_hear(m, &ends[1][0], &said), VXLAN_RESOLVE_ASKED);
	assert_false(said.known);
	assert_int_equal(ether(m)->dst_addr.addr_bytes[0], 0x33); /* to all nodes */
	assert_int_equal(vxlan_resolve_hear(m, &ends[1][1], &said), VXLAN_RESOLVE_SAID);
	assert_says(&said, &ends[1][0]);
	drop(m);
}

/* Every length but the whole one; and no answer where there is no room for one. */
static void test_cut_off(void **state)
{
	for (unsigned f = 0; f < 2; f++) {
		struct rte_mbuf *m = question(&ends[f][0], &ends[f][1], false);

		for (uint32_t len = 0; len < m->pkt_len; len++) {
			struct rte_mbuf *piece = cut(m, len, len);
			struct vxlan_said said;

			assert_int_equal(
				vxlan_resolve_hear(piece, &ends[f][1], &said), VXLAN_RESOLVE_NONE);
			drop(piece);
		}
		drop(m);
	}
}

static void test_every_bit(void **state)
{
	struct rte_mbuf *m = question(&ends[1][0], &ends[1][1], false);

	for (uint32_t bit = 14 * 8; bit < m->pkt_len * 8; bit++) {
		struct rte_mbuf *changed = cut(m, m->pkt_len, ROOM);
		struct vxlan_said said;
		bool label = bit >= 14 * 8 + 4 && bit < 18 * 8;

		((uint8_t *)changed->buf_addr)[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		assert_int_equal(vxlan_resolve_hear(changed, &ends[1][1], &said),
			label ? VXLAN_RESOLVE_ASKED : VXLAN_RESOLVE_NONE);
		drop(changed);
	}
	drop(m);
}

/* What has passed a router, other kinds, an answer in the name of a group. */
static void test_no_neighbours(void **state)
{
	static const struct {
		unsigned family;
		uint32_t offset;
		uint8_t value;
	} changes[] = {{0, 14, 9}, {0, 16, 9}, {0, 18, 5}, {0, 19, 5}, {0, 21, 3}, {0, 22, 3},
		{1, 21, 254}, {1, 20, 17}, {1, 54, 134}, {1, 55, 1}, {1, 79, 0}, {1, 79, 2}};

	for (unsigned i = 0; i < RTE_DIM(changes); i++) {
		unsigned f = changes[i].family;
		struct rte_mbuf *m = question(&ends[f][0], &ends[f][1], false);
		struct vxlan_said said;

		((uint8_t *)m->buf_addr)[changes[i].offset] = changes[i].value;
		assert_int_equal(vxlan_resolve_hear(m, &ends[f][1], &said), VXLAN_RESOLVE_NONE);
		drop(m);
	}
}

static void test_random(void **state)
{
	uint64_t seed = 20261202;

	for (unsigned i = 0; i < 200000; i++) {
		const struct vxlan_end *end = &ends[i & 1][1];
		struct rte_mbuf *good = question(&ends[i & 1][0], end, false), *m;
		struct vxlan_said said;
		uint32_t len;

		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		len = (uint32_t)(seed >> 33) % (good->pkt_len + 1);
		m = cut(good, len, len);
		for (unsigned n = 0; len > 0 && n < (seed >> 60) % 4; n++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			((uint8_t *)m->buf_addr)[(seed >> 40) % len] = (uint8_t)(seed >> 32);
		}
		if (vxlan_resolve_hear(m, end, &said) == VXLAN_RESOLVE_ASKED)
			assert_true(m->pkt_len <= m->buf_len);
		drop(good);
		drop(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question_and_answer),
		cmocka_unit_test(test_who_is_asked),
		cmocka_unit_test(test_before_an_address_is_used),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_no_neighbours),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
