/* The table of connections: what is in it is found, and nothing else; at any fill, from any thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "conn_table.h"

#define MILLION 1000000u

static const uint8_t l2_a[12] = {2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa};
static const uint8_t l2_b[12] = {2, 0, 0, 0, 0, 0xa, 2, 0, 0, 0, 0, 0xb};

static uint64_t seed = 42;

static uint32_t random32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32);
}

/* Of a TCP packet from 10.x.x.x, which number n gives, to 10.255.255.1. */
static struct conn_view view_of(uint32_t n, uint16_t network)
{
	struct conn_view view = {
		.kind = CONN_PACKET,
		.key =
			{
				.addr = {{.low = ADDR_V4_PREFIX | 0x0a000000 | n % 65521},
					{.low = ADDR_V4_PREFIX | 0x0affff01}},
				.port = {(uint16_t)(1024 + n / 65521), 445},
				.network = network,
				.proto = IPPROTO_TCP,
			},
	};

	view.hash = conn_key_hash(&view.key);
	return view;
}

static struct conn *add(struct conn_table *table, const struct conn_view *view, uint16_t from,
	uint16_t to, const uint8_t *l2)
{
	struct conn *conn = conn_table_add(table, view);

	if (conn == NULL)
		return NULL;
	assert_int_equal(conn->state, CONN_FREE);
	conn_change_begin(conn);
	conn->port[view->sender] = from;
	conn->port[!view->sender] = to;
	conn->flags = view->sender | CONN_BOUND_0 << view->sender;
	memcpy(conn->l2[view->sender], l2, 12);
	conn->state = CONN_TCP_SYN;
	conn_change_end(conn);
	return conn;
}

static struct conn_view turned(struct conn_view view)
{
	view.sender = !view.sender;
	return view;
}

static void test_empty(void **state)
{
	struct conn_table *table = conn_table_create(100);
	struct conn_view view = view_of(1, 0);
	struct conn conn;

	assert_non_null(table);
	assert_null(conn_table_find(table, &view, 1, l2_a));
	assert_null(conn_table_find_at(table, &view, 0, 1));
	assert_false(conn_table_read(table, 0, &conn, NULL));
	assert_false(conn_table_read(table, 100, &conn, NULL));
	assert_false(conn_table_read(table, CONN_NONE_INDEX, &conn, NULL));
	assert_false(conn_table_peek(table, &view, 1, l2_a, &conn, NULL));
	conn_table_free(table);
	assert_null(conn_table_create(0));
	assert_null(conn_table_create(CONN_CAPACITY_MAX + 1));
	conn_table_free(NULL);
}

static void test_both_directions(void **state)
{
	struct conn_table *table = conn_table_create(100);
	struct conn_view view = view_of(1, 0), back = turned(view);
	struct conn *conn = add(table, &view, 7, 8, l2_a);
	struct conn copy;
	struct conn_detail detail;

	assert_ptr_equal(conn_table_find(table, &view, 7, l2_a), conn);
	/* Bound: the MACs decide, wherever it comes from. */
	assert_ptr_equal(conn_table_find(table, &view, 9, l2_a), conn);
	assert_null(conn_table_find(table, &view, 7, l2_b));
	/* Not bound: the port does. */
	assert_ptr_equal(conn_table_find(table, &back, 8, l2_b), conn);
	assert_ptr_equal(conn_table_find(table, &back, 8, l2_a), conn);
	assert_null(conn_table_find(table, &back, 7, l2_b));
	assert_ptr_equal(conn_table_find_at(table, &view, 0, 7), conn);
	assert_ptr_equal(conn_table_find_at(table, &view, 1, 8), conn);
	assert_null(conn_table_find_at(table, &view, 0, 8));

	conn_table_detail(table, conn)->rule[1] = 77;
	assert_true(conn_table_peek(table, &back, 8, l2_b, &copy, &detail));
	assert_memory_equal(&copy, conn, sizeof(copy));
	assert_int_equal(detail.rule[1], 77);
	assert_true(conn_table_read(table, conn_table_index(table, conn), &copy, NULL));
	assert_false(conn_table_peek(table, &back, 7, l2_b, &copy, &detail));

	conn_table_remove(table, conn);
	assert_null(conn_table_find(table, &view, 7, l2_a));
	assert_int_equal(conn_table_used(table), 0);
	/* What was there before does not show through. */
	conn = conn_table_add(table, &view);
	assert_int_equal(conn->flags, 0);
	assert_int_equal(conn_table_detail(table, conn)->rule[1], 0);
	conn_table_free(table);
}

/* Guest A on port 1 sends to B on port 2 through a router on port 3: one tuple, two legs. */
static void test_router(void **state)
{
	static const uint8_t a_to_r[12] = {2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, 0xa};
	static const uint8_t r_to_b[12] = {2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xff};
	static const uint8_t b_to_r[12] = {2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, 0xb};
	static const uint8_t r_to_a[12] = {2, 0, 0, 0, 0, 0xa, 2, 0, 0, 0, 0, 0xff};
	struct conn_table *table = conn_table_create(100);
	struct conn_view view = view_of(1, 0), back = turned(view);
	struct conn *first, *second;

	first = add(table, &view, 1, 3, a_to_r);
	assert_null(conn_table_find(table, &view, 3, r_to_b));
	second = add(table, &view, 3, 2, r_to_b);
	assert_non_null(second);
	assert_ptr_equal(conn_table_find(table, &view, 1, a_to_r), first);
	assert_ptr_equal(conn_table_find(table, &view, 3, r_to_b), second);
	/* The answers, neither leg bound so far. */
	assert_ptr_equal(conn_table_find(table, &back, 2, b_to_r), second);
	assert_ptr_equal(conn_table_find(table, &back, 3, r_to_a), first);
	/* And bound. */
	memcpy(second->l2[1], b_to_r, 12);
	second->flags |= CONN_BOUND_1;
	assert_ptr_equal(conn_table_find(table, &back, 3, r_to_a), first);
	memcpy(first->l2[1], r_to_a, 12);
	first->flags |= CONN_BOUND_1;
	assert_ptr_equal(conn_table_find(table, &back, 2, b_to_r), second);
	assert_ptr_equal(conn_table_find(table, &back, 3, r_to_a), first);
	/* An ICMP error about A's packet goes to where A is on that leg. */
	assert_ptr_equal(conn_table_find_at(table, &view, 0, 1), first);
	assert_ptr_equal(conn_table_find_at(table, &view, 0, 3), second);
	/* Without the first, the second is not taken for it. */
	conn_table_remove(table, first);
	assert_null(conn_table_find(table, &view, 1, a_to_r));
	assert_null(conn_table_find(table, &back, 3, r_to_a));
	conn_table_free(table);
}

static void test_networks(void **state)
{
	struct conn_table *table = conn_table_create(100);
	struct conn_view one = view_of(1, 1), two = view_of(1, 2);
	struct conn *conn = add(table, &one, 7, 8, l2_a);

	assert_null(conn_table_find(table, &two, 7, l2_a));
	assert_ptr_not_equal(add(table, &two, 7, 8, l2_a), conn);
	assert_ptr_equal(conn_table_find(table, &one, 7, l2_a), conn);
	conn_table_free(table);
}

/* One key cannot take all of its buckets, and others still find room beside it. */
static void test_legs_are_bounded(void **state)
{
	struct conn_table *table = conn_table_create(12); /* two buckets */
	struct conn_view view = view_of(1, 0), other = view_of(2, 0);
	struct conn *conns[CONN_LEGS_MAX];
	uint8_t l2[12] = {0};

	for (unsigned i = 0; i < CONN_LEGS_MAX; i++) {
		l2[11] = (uint8_t)i;
		conns[i] = add(table, &view, (uint16_t)i, 99, l2);
		assert_non_null(conns[i]);
	}
	assert_null(conn_table_add(table, &view));
	assert_int_equal(conn_table_refused(table), 1);
	assert_non_null(add(table, &other, 7, 8, l2_a));
	for (unsigned i = 0; i < CONN_LEGS_MAX; i++) {
		l2[11] = (uint8_t)i;
		assert_ptr_equal(conn_table_find(table, &view, 50, l2), conns[i]);
	}
	conn_table_free(table);
}

static void test_capacity(void **state)
{
	struct conn_table *table = conn_table_create(10);
	struct conn_view view;
	struct conn *rivals[CONN_RIVALS_MAX];

	for (unsigned i = 0; i < 10; i++) {
		view = view_of(i, 0);
		assert_non_null(add(table, &view, 7, 8, l2_a));
	}
	view = view_of(10, 0);
	assert_null(conn_table_add(table, &view));
	assert_int_equal(conn_table_used(table), 10);
	assert_int_equal(conn_table_refused(table), 0);
	/* There are two buckets only. */
	assert_int_equal(conn_table_rivals(table, &view, rivals), 10);
	conn_table_remove(table, rivals[9]);
	assert_int_equal(conn_table_rivals(table, &view, rivals), 9);
	assert_non_null(conn_table_add(table, &view));
	conn_table_free(table);
}

/* Adds n, finds each both ways, takes each out, n / 8 at a time. */
static void fill_and_empty(uint32_t n)
{
	struct conn_table *table = conn_table_create(n);
	struct conn_view view;

	for (uint32_t i = 0; i < n; i++) {
		view = view_of(i, 0);
		assert_non_null(add(table, &view, 7, 8, l2_a));
	}
	assert_int_equal(conn_table_used(table), n);
	assert_int_equal(conn_table_refused(table), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct conn *conn;

		view = view_of(i, 0);
		conn = conn_table_find(table, &view, 7, l2_a);
		assert_non_null(conn);
		assert_int_equal(conn->key.port[0], view.key.port[0]);
		view.sender = 1;
		assert_ptr_equal(conn_table_find(table, &view, 8, l2_b), conn);
		view = view_of(i, 1);
		assert_null(conn_table_find(table, &view, 7, l2_a));
	}
	for (uint32_t i = 0; i < n; i++) {
		view = view_of(i, 0);
		conn_table_remove(table, conn_table_find(table, &view, 7, l2_a));
		assert_null(conn_table_find(table, &view, 7, l2_a));
	}
	assert_int_equal(conn_table_used(table), 0);
	conn_table_free(table);
}

static void test_a_million(void **state)
{
	fill_and_empty(MILLION);
}

/* Just as many as make the table no bigger: the fullest that there is. */
static void test_fullest(void **state)
{
	fill_and_empty(6u << 17);
	fill_and_empty(6u << 8);
}

static void test_bytes(void **state)
{
	struct conn_table *table = conn_table_create(MILLION);

	assert_true(conn_table_bytes(table) <= MILLION * 192ull);
	conn_table_free(table);
}

/* Against a plain list; few keys, so that buckets, legs and free entries come round again. */
#define KEYS   60
#define LEGS   3
#define ROUNDS 200000

static void test_against_naive(void **state)
{
	struct conn_table *table = conn_table_create(90);
	struct conn *there[KEYS][LEGS] = {{NULL}};
	uint32_t used = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t k = random32() % KEYS, leg = random32() % LEGS;
		struct conn_view view = view_of(k, 0);
		struct conn **slot = &there[k][leg], *found;
		uint8_t l2[12] = {(uint8_t)leg, 1, 2};

		view.sender = k & 1;
		found = conn_table_find(table, &view, 500, l2);
		assert_ptr_equal(found, *slot);
		if (found != NULL && random32() % 2 == 0) {
			conn_table_remove(table, found);
			*slot = NULL;
			used--;
		} else if (found == NULL && random32() % 2 == 0) {
			*slot = add(table, &view, (uint16_t)leg, (uint16_t)(100 + leg), l2);
			assert_true(*slot != NULL || used == 90 || conn_table_refused(table) > 0);
			used += *slot != NULL;
		}
		view.sender = !view.sender;
		assert_ptr_equal(conn_table_find(table, &view, (uint16_t)(100 + leg), l2_b), *slot);
		assert_int_equal(conn_table_used(table), used);
	}
	assert_true(used > 20);
	conn_table_free(table);
}

/* A reader beside the worker: every field of an entry says the same number, or it is not given. */
struct reader {
	struct conn_table *table;
	_Atomic bool stop;
	uint64_t seen, broken, peeked;
};

static void check(struct reader *r, const struct conn *conn)
{
	uint32_t n = conn->service;

	r->seen++;
	r->broken += conn->key.port[0] != (uint16_t)(1024 + n / 65521) ||
		     conn->key.addr[0].low != (ADDR_V4_PREFIX | 0x0a000000 | n % 65521) ||
		     conn->epoch[0] != n || conn->epoch[1] != n || conn->state != CONN_TCP_SYN;
}

static void *read_all(void *arg)
{
	struct reader *r = arg;

	while (!r->stop) {
		struct conn conn;

		for (uint32_t i = 0; i < conn_table_capacity(r->table); i++)
			if (conn_table_read(r->table, i, &conn, NULL))
				check(r, &conn);
		for (uint32_t n = 0; n < 64; n++) {
			struct conn_view view = view_of(n, 0);

			if (!conn_table_peek(r->table, &view, 7, l2_a, &conn, NULL))
				continue;
			check(r, &conn);
			r->peeked++;
			r->broken += conn.service != n;
		}
	}
	return NULL;
}

static void test_reader_beside(void **state)
{
	struct reader r = {.table = conn_table_create(16)};
	struct conn *conns[16] = {NULL};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
	for (unsigned i = 0; i < 1000000 || (r.seen < 1000 && i < 100000000); i++) {
		uint32_t n = random32() % 64;
		struct conn_view view = view_of(n, 0);
		struct conn **conn = &conns[i % 16];

		if (*conn != NULL)
			conn_table_remove(r.table, *conn);
		*conn = conn_table_find(r.table, &view, 7, l2_a) == NULL
				? conn_table_add(r.table, &view)
				: NULL;
		if (*conn == NULL)
			continue;
		conn_change_begin(*conn);
		(*conn)->service = (*conn)->epoch[0] = (*conn)->epoch[1] = n;
		(*conn)->port[0] = 7;
		(*conn)->state = CONN_TCP_SYN;
		conn_change_end(*conn);
	}
	r.stop = true;
	pthread_join(thread, NULL);
	assert_true(r.seen > 0);
	assert_true(r.peeked > 0);
	assert_int_equal(r.broken, 0);
	conn_table_free(r.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_router),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_legs_are_bounded),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_a_million),
		cmocka_unit_test(test_fullest),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_against_naive),
		cmocka_unit_test(test_reader_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
