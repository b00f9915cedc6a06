/* The tables of configured MACs, and the one published pointer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_malloc.h>

#include "snapshot.h"

static int start_eal(void **state)
{
	char *argv[] = {"test_snapshot", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"-m", "64", "--log-level=error", NULL};

	return rte_eal_init(8, argv) < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
	return rte_eal_cleanup();
}

static size_t heap_in_use(void)
{
	struct rte_malloc_socket_stats stats;

	assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

static void test_static_macs(void **state)
{
	static uint64_t keys[MAX_PORTS];
	static uint16_t ports[MAX_PORTS];
	struct static_macs *macs;
	size_t heap = heap_in_use();

	static const unsigned sizes[] = {1, 16, 17, MAX_PORTS};

	for (unsigned s = 0; s < RTE_DIM(sizes); s++) {
		unsigned n = sizes[s];

		for (unsigned i = 0; i < n; i++) {
			keys[i] = 0x02 | (uint64_t)(i + 1) << 24;
			ports[i] = n - 1 - i;
		}
		macs = static_macs_create(keys, ports, n);
		assert_non_null(macs);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(static_macs_lookup(macs, keys[i]), ports[i]);
		assert_int_equal(static_macs_lookup(macs, 0x02), NO_PORT);
		assert_int_equal(static_macs_lookup(macs, 0), NO_PORT);
		static_macs_unref(macs);
	}
	assert_int_equal(heap_in_use(), heap);
}

static void test_none(void **state)
{
	assert_int_equal(static_macs_lookup(NULL, 5), NO_PORT);
	assert_null(static_macs_ref(NULL));
	static_macs_unref(NULL);
	assert_true(static_macs_equal(NULL, NULL, NULL, 0));
}

static void test_equal(void **state)
{
	uint64_t keys[] = {2, 4, 6}, other_keys[] = {2, 4, 8};
	uint16_t ports[] = {1, 2, 3}, other_ports[] = {1, 3, 2};
	struct static_macs *macs = static_macs_create(keys, ports, 3);

	assert_true(static_macs_equal(macs, keys, ports, 3));
	assert_false(static_macs_equal(macs, keys, ports, 2));
	assert_false(static_macs_equal(macs, keys, ports, 0));
	assert_false(static_macs_equal(macs, other_keys, ports, 3));
	assert_false(static_macs_equal(macs, keys, other_ports, 3));
	assert_false(static_macs_equal(NULL, keys, ports, 3));
	static_macs_unref(macs);
}

static void test_references(void **state)
{
	uint64_t key = 2;
	uint16_t port = 9;
	size_t heap = heap_in_use();
	struct static_macs *macs = static_macs_create(&key, &port, 1);

	assert_ptr_equal(static_macs_ref(macs), macs);
	static_macs_unref(macs);
	assert_int_equal(static_macs_lookup(macs, key), port);
	assert_true(heap_in_use() > heap);
	static_macs_unref(macs);
	assert_int_equal(heap_in_use(), heap);
}

static void test_publish(void **state)
{
	static const struct snapshot a = {.serial = 1}, b = {.serial = 2};

	assert_null(snapshot_current());
	assert_null(snapshot_publish(&a));
	assert_ptr_equal(snapshot_current(), &a);
	assert_ptr_equal(snapshot_publish(&b), &a);
	assert_ptr_equal(snapshot_current(), &b);
	assert_ptr_equal(snapshot_publish(NULL), &b);
	assert_null(snapshot_current());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_static_macs),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_publish),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
