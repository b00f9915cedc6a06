/* What the tests of the MAC table have in common: EAL, an RCU, a clock and a table a test. */
#ifndef VS_TEST_FDB_RIG_H
#define VS_TEST_FDB_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>

#include "fdb.h"

#define READER  0 /* the RCU's threads */
#define CONTROL 1
#define THREADS 2

#define AGE      300
#define LIMIT    64
#define NO_LIMIT UINT32_MAX

static struct rte_rcu_qsbr *rcu;
static uint64_t hz, now;
static size_t heap; /* bytes in use before the test */

static inline size_t heap_in_use(void)
{
	struct rte_malloc_socket_stats stats;

	assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

static inline int start_eal(void **state)
{
	char *argv[] = {"fdb", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "--log-level=error", NULL};

	if (rte_eal_init(8, argv) < 0)
		return -1;
	hz = rte_get_tsc_hz();
	rcu = rte_zmalloc("rcu", rte_rcu_qsbr_get_memsize(THREADS), RTE_CACHE_LINE_SIZE);
	if (rcu == NULL || rte_rcu_qsbr_init(rcu, THREADS) != 0)
		return -1;
	for (unsigned i = 0; i < THREADS; i++)
		rte_rcu_qsbr_thread_register(rcu, i);
	return 0;
}

static inline int stop_eal(void **state)
{
	rte_free(rcu);
	return rte_eal_cleanup();
}

static inline int begin(void **state)
{
	now = 1000 * hz;
	heap = heap_in_use();
	return 0;
}

/* Whatever a test did, its table leaves no memory behind. */
static inline int end(void **state)
{
	fdb_free(*state);
	*state = NULL;
	return heap_in_use() == heap ? 0 : -1;
}

static inline struct fdb *create(void **state, unsigned limit)
{
	*state = fdb_create(limit, AGE, rcu);
	assert_non_null(*state);
	return *state;
}

/* The n-th of a series of MACs. */
static inline uint64_t mac(uint32_t n)
{
	struct rte_ether_addr addr = {
		.addr_bytes = {0x02, 0x00, n >> 24, n >> 16, n >> 8, n},
	};

	return fdb_key(&addr);
}

static inline uint32_t entries(const struct fdb *fdb)
{
	struct fdb_stats stats;

	fdb_stats(fdb, &stats);
	assert_int_equal(fdb_empty(fdb), stats.entries == 0);
	return stats.entries;
}

static inline void age(struct fdb *fdb)
{
	unsigned budget = UINT32_MAX;

	assert_true(fdb_age(fdb, &budget, now));
}

static inline unsigned count_dump(const struct fdb *fdb, unsigned chunk)
{
	struct fdb_entry *rows = calloc(chunk, sizeof(*rows));
	unsigned n, total = 0;
	uint32_t next = 0;

	while ((n = fdb_dump(fdb, rows, chunk, &next, now)) > 0) {
		assert_true(n <= chunk);
		total += n;
	}
	free(rows);
	return total;
}

#define FDB_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
