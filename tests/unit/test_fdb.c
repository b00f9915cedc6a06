/* The learned MAC table of a network: what it holds, for how long, and who gives way to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_random.h>

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

static size_t heap_in_use(void)
{
	struct rte_malloc_socket_stats stats;

	assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

static int start_eal(void **state)
{
	char *argv[] = {"test_fdb", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
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

static int stop_eal(void **state)
{
	rte_free(rcu);
	return rte_eal_cleanup();
}

static int begin(void **state)
{
	now = 1000 * hz;
	heap = heap_in_use();
	return 0;
}

/* Whatever a test did, its table leaves no memory behind. */
static int end(void **state)
{
	fdb_free(*state);
	*state = NULL;
	return heap_in_use() == heap ? 0 : -1;
}

static struct fdb *create(void **state, unsigned limit)
{
	*state = fdb_create(limit, AGE, rcu);
	assert_non_null(*state);
	return *state;
}

/* The n-th of a series of MACs. */
static uint64_t mac(uint32_t n)
{
	struct rte_ether_addr addr = {
		.addr_bytes = {0x02, 0x00, n >> 24, n >> 16, n >> 8, n},
	};

	return fdb_key(&addr);
}

static uint32_t entries(const struct fdb *fdb)
{
	struct fdb_stats stats;

	fdb_stats(fdb, &stats);
	assert_int_equal(fdb_empty(fdb), stats.entries == 0);
	return stats.entries;
}

static void age(struct fdb *fdb)
{
	unsigned budget = UINT32_MAX;

	assert_true(fdb_age(fdb, &budget, now));
}

static void test_learn(void **state)
{
	struct fdb *fdb = create(state, LIMIT);
	struct fdb_stats stats;

	assert_int_equal(entries(fdb), 0);
	assert_int_equal(fdb_lookup(fdb, mac(1)), NO_PORT);
	fdb_learn(fdb, mac(1), 0, NO_LIMIT, now);
	fdb_learn(fdb, mac(2), MAX_PORTS - 1, NO_LIMIT, now);
	fdb_learn(fdb, mac(2), MAX_PORTS - 1, NO_LIMIT, now);
	assert_int_equal(fdb_lookup(fdb, mac(1)), 0);
	assert_int_equal(fdb_lookup(fdb, mac(2)), MAX_PORTS - 1);
	assert_int_equal(fdb_lookup(fdb, mac(3)), NO_PORT);
	assert_int_equal(entries(fdb), 2);
	fdb_stats(fdb, &stats);
	assert_int_equal(stats.learned, 2);
	assert_int_equal(stats.moves + stats.moves_held + stats.aged + stats.evicted, 0);
	assert_int_equal(stats.refused, 0);
}

static void test_limit_of_nothing(void **state)
{
	struct fdb *fdb = create(state, 0);

	fdb_learn(fdb, mac(1), 3, NO_LIMIT, now);
	assert_int_equal(entries(fdb), 0);
	fdb_free(fdb);
	fdb = create(state, LIMIT);
	fdb_learn(fdb, mac(1), 3, 0, now);
	assert_int_equal(entries(fdb), 0);
	/* Nor does a port that may hold none take an address from another. */
	fdb_learn(fdb, mac(1), 4, 1, now);
	fdb_learn(fdb, mac(1), 3, 0, now);
	assert_int_equal(fdb_lookup(fdb, mac(1)), 4);
}

static void test_two_tables(void **state)
{
	struct fdb *fdb = create(state, LIMIT), *other = fdb_create(LIMIT, AGE, rcu);

	assert_non_null(other);
	fdb_learn(fdb, mac(1), 3, NO_LIMIT, now);
	fdb_learn(other, mac(1), 4, NO_LIMIT, now);
	fdb_learn(other, mac(2), 4, NO_LIMIT, now);
	assert_int_equal(fdb_lookup(fdb, mac(1)), 3);
	assert_int_equal(fdb_lookup(other, mac(1)), 4);
	assert_int_equal(fdb_lookup(fdb, mac(2)), NO_PORT);
	fdb_free(other);
}

static void test_ageing(void **state)
{
	struct fdb *fdb = create(state, LIMIT);
	struct fdb_stats stats;

	fdb_learn(fdb, mac(1), 3, NO_LIMIT, now);
	fdb_learn(fdb, mac(2), 3, NO_LIMIT, now);
	now += AGE * hz - 1;
	fdb_learn(fdb, mac(2), 3, NO_LIMIT, now);
	age(fdb);
	assert_int_equal(entries(fdb), 2);
	now += 1;
	age(fdb);
	assert_int_equal(fdb_lookup(fdb, mac(1)), NO_PORT);
	assert_int_equal(fdb_lookup(fdb, mac(2)), 3);
	now += AGE * hz - 1;
	age(fdb);
	assert_int_equal(entries(fdb), 0);
	fdb_stats(fdb, &stats);
	assert_int_equal(stats.aged, 2);
}

static void test_age_changes(void **state)
{
	struct fdb *fdb = create(state, LIMIT);

	fdb_learn(fdb, mac(1), 3, NO_LIMIT, now);
	now += 10 * hz;
	age(fdb);
	assert_int_equal(entries(fdb), 1);
	fdb_set_age(fdb, 10);
	age(fdb);
	assert_int_equal(entries(fdb), 0);
}

static void test_ageing_in_pieces(void **state)
{
	struct fdb *fdb = create(state, LIMIT);
	unsigned budget = 5;

	for (unsigned i = 0; i < 12; i++)
		fdb_learn(fdb, mac(i), i, NO_LIMIT, now);
	now += AGE * hz;
	assert_false(fdb_age(fdb, &budget, now));
	assert_int_equal(budget, 0);
	assert_int_equal(entries(fdb), 7);
	assert_false(fdb_age(fdb, &budget, now));
	assert_int_equal(entries(fdb), 7);
	budget = 7;
	assert_true(fdb_age(fdb, &budget, now));
	assert_int_equal(budget, 0);
	assert_int_equal(entries(fdb), 0);
}

static void test_freshness(void **state)
{
	struct fdb *fdb = create(state, LIMIT);

	assert_false(fdb_is_fresh(fdb, mac(1), 3, now));
	fdb_learn(fdb, mac(1), 3, NO_LIMIT, now);
	assert_true(fdb_is_fresh(fdb, mac(1), 3, now + hz - 1));
	assert_false(fdb_is_fresh(fdb, mac(1), 3, now + hz));
	assert_false(fdb_is_fresh(fdb, mac(1), 4, now));
	assert_false(fdb_is_fresh(fdb, mac(2), 3, now));
	now += hz;
	fdb_learn(fdb, mac(1), 3, NO_LIMIT, now);
	assert_true(fdb_is_fresh(fdb, mac(1), 3, now));
}

/* The clock of a network's next home worker may lag behind that of the one before. */
static void test_clock_behind(void **state)
{
	struct fdb *fdb = create(state, LIMIT);

	fdb_learn(fdb, mac(1), 3, NO_LIMIT, now);
	now -= 1000;
	age(fdb);
	assert_int_equal(fdb_lookup(fdb, mac(1)), 3);
	assert_true(fdb_is_fresh(fdb, mac(1), 3, now));
	fdb_learn(fdb, mac(1), 3, NO_LIMIT, now);
	fdb_learn(fdb, mac(2), 3, NO_LIMIT, now);
	now += 1000 + AGE * hz - 1;
	age(fdb);
	assert_int_equal(fdb_lookup(fdb, mac(1)), 3);
}

static void test_port_limit(void **state)
{
	struct fdb *fdb = create(state, LIMIT);
	struct fdb_stats stats;

	fdb_learn(fdb, mac(100), 4, 3, now);
	for (unsigned i = 0; i < 3; i++)
		fdb_learn(fdb, mac(i), 3, 3, now);
	now += hz;
	fdb_learn(fdb, mac(0), 3, 3, now); /* seen again: mac(1) is the oldest now */
	fdb_learn(fdb, mac(3), 3, 3, now);
	assert_int_equal(fdb_lookup(fdb, mac(0)), 3);
	assert_int_equal(fdb_lookup(fdb, mac(1)), NO_PORT);
	assert_int_equal(fdb_lookup(fdb, mac(2)), 3);
	assert_int_equal(fdb_lookup(fdb, mac(3)), 3);
	/* An address that moves here counts too. */
	fdb_learn(fdb, mac(100), 3, 3, now);
	assert_int_equal(fdb_lookup(fdb, mac(100)), 3);
	assert_int_equal(fdb_lookup(fdb, mac(2)), NO_PORT);
	assert_int_equal(entries(fdb), 3);
	fdb_stats(fdb, &stats);
	assert_int_equal(stats.evicted, 2);
}

static void test_flood_costs_its_sender(void **state)
{
	struct fdb *fdb = create(state, LIMIT);

	for (unsigned port = 0; port < 4; port++)
		for (unsigned i = 0; i < 8; i++)
			fdb_learn(fdb, mac(port << 8 | i), port, NO_LIMIT, now);
	for (unsigned i = 0; i < FDB_LEARNS_PER_SECOND; i++)
		fdb_learn(fdb, mac(0x10000 + i), 9, NO_LIMIT, now);
	assert_int_equal(entries(fdb), LIMIT);
	for (unsigned port = 0; port < 4; port++)
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(fdb_lookup(fdb, mac(port << 8 | i)), port);
	/* And those that it pushed nobody out with are its newest. */
	for (unsigned i = 0; i < FDB_LEARNS_PER_SECOND; i++)
		assert_int_equal(fdb_lookup(fdb, mac(0x10000 + i)),
			i < FDB_LEARNS_PER_SECOND - (LIMIT - 32) ? NO_PORT : 9);
	/* A latecomer gets its place from the one who holds most. */
	fdb_learn(fdb, mac(5000), 5, NO_LIMIT, now);
	assert_int_equal(fdb_lookup(fdb, mac(5000)), 5);
	assert_int_equal(entries(fdb), LIMIT);
	assert_int_equal(
		fdb_lookup(fdb, mac(0x10000 + FDB_LEARNS_PER_SECOND - (LIMIT - 32))), NO_PORT);
}

static void test_learn_rate(void **state)
{
	struct fdb *fdb = create(state, 8192);
	struct fdb_stats stats;

	for (unsigned i = 0; i < FDB_LEARNS_PER_SECOND + 10; i++)
		fdb_learn(fdb, mac(i), 3, NO_LIMIT, now);
	assert_int_equal(entries(fdb), FDB_LEARNS_PER_SECOND);
	/* Others may still learn, and what is known stays known. */
	fdb_learn(fdb, mac(90000), 4, NO_LIMIT, now);
	assert_int_equal(fdb_lookup(fdb, mac(90000)), 4);
	/* Nor can it take an address away from another port. */
	fdb_learn(fdb, mac(90000), 3, NO_LIMIT, now);
	assert_int_equal(fdb_lookup(fdb, mac(90000)), 4);
	fdb_stats(fdb, &stats);
	assert_int_equal(stats.refused, 11);
	now += hz;
	fdb_learn(fdb, mac(90000), 3, NO_LIMIT, now);
	assert_int_equal(fdb_lookup(fdb, mac(90000)), 3);
}

static void test_moves(void **state)
{
	struct fdb *fdb = create(state, LIMIT);
	struct fdb_move moves[FDB_MOVES_KEPT];
	struct rte_ether_addr addr;
	struct fdb_entry entry;
	struct fdb_stats stats;
	uint32_t next = 0;
	uint64_t key;

	assert_int_equal(fdb_moves(fdb, moves, FDB_MOVES_KEPT), 0);
	fdb_learn(fdb, mac(1), 3, NO_LIMIT, now);
	fdb_learn(fdb, mac(1), 4, NO_LIMIT, now + 5);
	fdb_learn(fdb, mac(1), 7, NO_LIMIT, now + 6);
	assert_int_equal(fdb_lookup(fdb, mac(1)), 7);
	assert_int_equal(fdb_moves(fdb, moves, FDB_MOVES_KEPT), 2);
	assert_int_equal(moves[0].number, 1);
	assert_int_equal(moves[0].from, 3);
	assert_int_equal(moves[0].to, 4);
	assert_int_equal(moves[0].when, now + 5);
	assert_int_equal(moves[1].from, 4);
	assert_int_equal(moves[1].to, 7);
	key = mac(1);
	memcpy(&addr, &key, sizeof(addr));
	assert_memory_equal(&moves[1].mac, &addr, sizeof(addr));
	assert_int_equal(fdb_moves(fdb, moves, 1), 1);
	assert_int_equal(moves[0].number, 2);
	assert_int_equal(fdb_dump(fdb, &entry, 1, &next, now), 1);
	assert_int_equal(entry.moves, 2);
	assert_int_equal(entry.port, 7);
	fdb_stats(fdb, &stats);
	assert_int_equal(stats.moves, 2);
	assert_int_equal(stats.learned, 1);
}

static void test_moves_are_held(void **state)
{
	struct fdb *fdb = create(state, LIMIT);
	struct fdb_stats stats;
	unsigned port = 0;

	fdb_learn(fdb, mac(1), port, NO_LIMIT, now);
	for (unsigned i = 0; i < FDB_MOVES_HELD_AFTER; i++) {
		port ^= 1;
		fdb_learn(fdb, mac(1), port, NO_LIMIT, now);
		assert_int_equal(fdb_lookup(fdb, mac(1)), port);
	}
	fdb_learn(fdb, mac(1), port ^ 1, NO_LIMIT, now);
	fdb_learn(fdb, mac(1), port ^ 1, NO_LIMIT, now + FDB_MOVES_WINDOW * hz - 1);
	assert_int_equal(fdb_lookup(fdb, mac(1)), port);
	/* It holds this address alone. */
	fdb_learn(fdb, mac(2), 0, NO_LIMIT, now);
	fdb_learn(fdb, mac(2), 1, NO_LIMIT, now);
	assert_int_equal(fdb_lookup(fdb, mac(2)), 1);
	fdb_stats(fdb, &stats);
	assert_int_equal(stats.moves_held, 2);
	assert_int_equal(stats.moves, FDB_MOVES_HELD_AFTER + 1);
	now += FDB_MOVES_WINDOW * hz;
	fdb_learn(fdb, mac(1), port ^ 1, NO_LIMIT, now);
	assert_int_equal(fdb_lookup(fdb, mac(1)), port ^ 1);
}

static void test_last_moves_kept(void **state)
{
	struct fdb *fdb = create(state, 2 * FDB_MOVES_KEPT);
	struct fdb_move moves[2 * FDB_MOVES_KEPT];
	unsigned total = FDB_MOVES_KEPT + 20;

	for (unsigned i = 0; i < total; i++) {
		fdb_learn(fdb, mac(i), 1, NO_LIMIT, now);
		fdb_learn(fdb, mac(i), 2, NO_LIMIT, now);
	}
	assert_int_equal(fdb_moves(fdb, moves, 2 * FDB_MOVES_KEPT), FDB_MOVES_KEPT);
	for (unsigned i = 0; i < FDB_MOVES_KEPT; i++) {
		uint64_t key = mac(total - FDB_MOVES_KEPT + i);

		assert_int_equal(moves[i].number, total - FDB_MOVES_KEPT + i + 1);
		assert_memory_equal(&moves[i].mac, &key, sizeof(moves[i].mac));
	}
}

static unsigned count_dump(const struct fdb *fdb, unsigned chunk)
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

static void test_flush(void **state)
{
	struct fdb *fdb = create(state, LIMIT);

	for (unsigned i = 0; i < 30; i++)
		fdb_learn(fdb, mac(i), i % 3 + 100, NO_LIMIT, now);
	fdb_flush(fdb, 100);
	assert_int_equal(count_dump(fdb, 64), 20);
	age(fdb);
	assert_int_equal(entries(fdb), 20);
	assert_int_equal(fdb_lookup(fdb, mac(0)), NO_PORT);
	assert_int_equal(fdb_lookup(fdb, mac(1)), 101);
	/* Nothing of it is left to strike later. */
	fdb_learn(fdb, mac(0), 100, NO_LIMIT, now);
	age(fdb);
	assert_int_equal(fdb_lookup(fdb, mac(0)), 100);
	fdb_flush(fdb, NO_PORT);
	assert_int_equal(count_dump(fdb, 64), 0);
	age(fdb);
	assert_int_equal(entries(fdb), 0);
	fdb_learn(fdb, mac(0), 100, NO_LIMIT, now);
	age(fdb);
	assert_int_equal(entries(fdb), 1);
	assert_int_equal(count_dump(fdb, 64), 1);
}

/* Two ports that go at once take nobody else's addresses along. */
static void test_flush_two_ports(void **state)
{
	struct fdb *fdb = create(state, LIMIT);
	unsigned budget;

	for (unsigned i = 0; i < 30; i++)
		fdb_learn(fdb, mac(i), i % 3 + 100, NO_LIMIT, now);
	fdb_flush(fdb, 100);
	fdb_flush(fdb, 102);
	assert_int_equal(count_dump(fdb, 64), 10);
	budget = 15;
	assert_false(fdb_age(fdb, &budget, now));
	assert_int_equal(entries(fdb), 15);
	age(fdb);
	assert_int_equal(entries(fdb), 10);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(fdb_lookup(fdb, mac(i)), i % 3 == 1 ? 101 : NO_PORT);
}

static void test_dump(void **state)
{
	static const unsigned chunks[] = {1, 7, 50, 1000};
	struct fdb *fdb = create(state, 1024);
	struct fdb_entry rows[1000];

	for (unsigned i = 0; i < 500; i++)
		fdb_learn(fdb, mac(i), i, NO_LIMIT, now + i % 4 * hz);
	now += 10 * hz;
	for (unsigned c = 0; c < RTE_DIM(chunks); c++) {
		bool met[500] = {false};
		unsigned n, total = 0;
		uint32_t next = 0;

		while ((n = fdb_dump(fdb, rows, chunks[c], &next, now)) > 0)
			for (unsigned i = 0; i < n; i++, total++) {
				uint64_t key = mac(rows[i].port);

				assert_memory_equal(&rows[i].mac, &key, sizeof(rows[i].mac));
				assert_false(met[rows[i].port]);
				met[rows[i].port] = true;
				assert_int_equal(rows[i].age, 10 - rows[i].port % 4);
			}
		assert_int_equal(total, 500);
	}
}

/* A plain list that keeps to the same contract, for the random walk below. */
struct model_entry {
	uint64_t key, seen, order;
	uint16_t port;
};

#define MODEL_PORTS 6

struct model {
	struct model_entry entries[LIMIT];
	unsigned n;
	uint64_t order;
	unsigned learns[MODEL_PORTS]; /* in this second */
};

static struct model_entry *model_find(struct model *model, uint64_t key)
{
	for (unsigned i = 0; i < model->n; i++)
		if (model->entries[i].key == key)
			return &model->entries[i];
	return NULL;
}

static unsigned model_count(const struct model *model, uint16_t port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < model->n; i++)
		n += model->entries[i].port == port;
	return n;
}

static unsigned model_oldest(const struct model *model, uint16_t port)
{
	unsigned oldest = LIMIT;

	for (unsigned i = 0; i < model->n; i++)
		if (model->entries[i].port == port &&
			(oldest == LIMIT || model->entries[i].order < model->entries[oldest].order))
			oldest = i;
	assert_true(oldest < LIMIT);
	return oldest;
}

static void model_remove(struct model *model, unsigned i)
{
	model->entries[i] = model->entries[--model->n];
}

/* Among several ports that hold most, the table may choose: it is asked whom it took. */
static unsigned model_victim(const struct model *model, const struct fdb *fdb, uint16_t port)
{
	unsigned most = 0;

	for (uint16_t p = 0; p < MODEL_PORTS; p++)
		most = RTE_MAX(most, model_count(model, p));
	if (model_count(model, port) == most)
		return model_oldest(model, port);
	for (uint16_t p = 0; p < MODEL_PORTS; p++) {
		unsigned oldest;

		if (model_count(model, p) != most)
			continue;
		oldest = model_oldest(model, p);
		if (fdb_lookup(fdb, model->entries[oldest].key) == NO_PORT)
			return oldest;
	}
	fail_msg("the oldest of no port that holds most was evicted");
	return 0;
}

static void model_learn(
	struct model *model, const struct fdb *fdb, uint64_t key, uint16_t port, unsigned limit)
{
	struct model_entry *entry = model_find(model, key);

	if (entry != NULL && entry->port == port) {
		if (now - entry->seen >= hz) {
			entry->seen = now;
			entry->order = ++model->order;
		}
		return;
	}
	if (limit == 0 || model->learns[port] == FDB_LEARNS_PER_SECOND)
		return;
	model->learns[port]++;
	if (entry != NULL)
		model_remove(model, entry - model->entries);
	if (model_count(model, port) >= limit)
		model_remove(model, model_oldest(model, port));
	else if (model->n == LIMIT)
		model_remove(model, model_victim(model, fdb, port));
	model->entries[model->n++] = (struct model_entry){key, now, ++model->order, port};
}

static void model_age(struct model *model)
{
	for (unsigned i = 0; i < model->n;)
		if (now - model->entries[i].seen >= AGE * hz)
			model_remove(model, i);
		else
			i++;
}

static void model_flush(struct model *model, uint16_t port)
{
	for (unsigned i = 0; i < model->n;)
		if (port == NO_PORT || model->entries[i].port == port)
			model_remove(model, i);
		else
			i++;
}

static void model_compare(struct model *model, const struct fdb *fdb, uint64_t keys)
{
	assert_int_equal(entries(fdb), model->n);
	for (uint64_t i = 0; i < keys; i++) {
		const struct model_entry *entry = model_find(model, mac(i));

		assert_int_equal(fdb_lookup(fdb, mac(i)), entry != NULL ? entry->port : NO_PORT);
	}
}

/* One random operation on the table and on the model. A hundred seconds pass now and then. */
static void random_step(struct model *model, struct fdb *fdb, unsigned keys)
{
	uint64_t key = mac(rte_rand_max(keys));
	uint16_t port = rte_rand_max(MODEL_PORTS);
	unsigned limit = port * 7; /* 0 for port 0; above the sixth of the table for the last */

	switch (rte_rand_max(64)) {
	case 0:
		now += 100 * hz;
		memset(model->learns, 0, sizeof(model->learns));
		break;
	case 1:
		fdb_flush(fdb, port);
		model_flush(model, port);
		break;
	case 2:
		if (rte_rand_max(8) == 0) {
			fdb_flush(fdb, NO_PORT);
			model_flush(model, NO_PORT);
		}
		break;
	default:
		age(fdb);
		model_age(model);
		fdb_learn(fdb, key, port, limit, now);
		model_learn(model, fdb, key, port, limit);
		return;
	}
	age(fdb);
	model_age(model);
}

/* Moves are not held in here: no address gets to move so often before time passes. */
static void test_random_walk(void **state)
{
	struct fdb *fdb = create(state, LIMIT);
	struct model *model = calloc(1, sizeof(*model));
	struct fdb_stats stats;

	rte_srand(42);
	for (unsigned step = 0; step < 20000; step++) {
		random_step(model, fdb, 2000);
		if (step % 8 == 0)
			model_compare(model, fdb, 2000);
	}
	for (unsigned step = 0; step < 20000; step++) {
		now += hz * 2;
		memset(model->learns, 0, sizeof(model->learns));
		random_step(model, fdb, 90);
		model_compare(model, fdb, 90);
	}
	fdb_stats(fdb, &stats);
	assert_true(stats.evicted > 100 && stats.aged > 100 && stats.moves > 100);
	assert_int_equal(stats.moves_held, 0);
	free(model);
}

/* A million addresses pass through: slots come back, nothing slows down, nothing leaks. */
static void test_churn(void **state)
{
	struct fdb *fdb = create(state, 4096);
	struct fdb_stats stats;
	uint64_t start;

	rte_srand(7);
	rte_rcu_qsbr_thread_online(rcu, READER);
	start = rte_rdtsc();
	for (unsigned i = 0; i < 1000000; i++) {
		uint64_t key = rte_rand() & 0xfffffffffffe;

		if (i % 32 == 0)
			rte_rcu_qsbr_quiescent(rcu, READER); /* a burst */
		if (i % MAX_PORTS == 0)
			now += hz;
		fdb_learn(fdb, key, i % MAX_PORTS, NO_LIMIT, now);
		assert_int_equal(fdb_lookup(fdb, key), i % MAX_PORTS);
	}
	rte_rcu_qsbr_thread_offline(rcu, READER);
	print_message("          %.0f cycles an address\n", (rte_rdtsc() - start) / 1e6);
	/* A table that is searched takes longer than a tenth of a millisecond each. */
	assert_true(rte_rdtsc() - start < 100 * hz);
	fdb_stats(fdb, &stats);
	assert_int_equal(stats.entries, 4096);
	assert_int_equal(stats.learned, 1000000);
	assert_int_equal(stats.evicted, 1000000 - 4096);
	assert_int_equal(stats.refused, 0);
	assert_int_equal(count_dump(fdb, 100), 4096);
}

/* A worker that stays in one pass for long: addresses are refused, none is freed under it. */
static void test_no_grace(void **state)
{
	struct fdb *fdb = create(state, LIMIT);
	struct fdb_stats stats;
	unsigned learned;

	rte_rcu_qsbr_thread_online(rcu, READER);
	for (unsigned i = 0; i < 1000; i++)
		fdb_learn(fdb, mac(i), 3, NO_LIMIT, now);
	fdb_stats(fdb, &stats);
	learned = stats.learned;
	assert_true(learned >= LIMIT + 256 && learned < 1000);
	assert_int_equal(stats.refused, 1000 - learned);
	rte_rcu_qsbr_quiescent(rcu, READER);
	now += hz;
	for (unsigned i = 0; i < 100; i++) {
		fdb_learn(fdb, mac(5000 + i), 3, NO_LIMIT, now);
		assert_int_equal(fdb_lookup(fdb, mac(5000 + i)), 3);
		rte_rcu_qsbr_quiescent(rcu, READER);
	}
	rte_rcu_qsbr_thread_offline(rcu, READER);
}

#define RACE_KEYS 3000

struct race {
	struct fdb *fdb;
	_Atomic bool stop;
	_Atomic uint64_t found, dumped;
};

/* An address is only ever learned at two ports; any other answer is another one's. */
static bool is_at_home(uint32_t n, uint16_t port)
{
	return port == n % 500 || port == 500 + n % 500;
}

static void *race_reader(void *arg)
{
	struct race *race = arg;
	uint64_t wrong = 0;

	rte_rcu_qsbr_thread_online(rcu, READER);
	while (!race->stop) {
		for (uint32_t n = 0; n < RACE_KEYS; n++) {
			uint16_t port = fdb_lookup(race->fdb, mac(n));

			race->found += port != NO_PORT;
			wrong += port != NO_PORT && !is_at_home(n, port);
			fdb_is_fresh(race->fdb, mac(n), n % 500, 0);
		}
		rte_rcu_qsbr_quiescent(rcu, READER);
	}
	rte_rcu_qsbr_thread_offline(rcu, READER);
	return (void *)(uintptr_t)wrong;
}

static void *race_control(void *arg)
{
	struct race *race = arg;
	struct fdb_move moves[FDB_MOVES_KEPT];
	struct fdb_entry rows[100];
	uint64_t wrong = 0;

	while (!race->stop) {
		uint32_t next = 0;
		unsigned n;

		do {
			rte_rcu_qsbr_thread_online(rcu, CONTROL);
			n = fdb_dump(race->fdb, rows, RTE_DIM(rows), &next, now);
			rte_rcu_qsbr_thread_offline(rcu, CONTROL);
			for (unsigned i = 0; i < n; i++) {
				const uint8_t *b = rows[i].mac.addr_bytes;

				wrong += !is_at_home(b[4] << 8 | b[5], rows[i].port);
			}
			race->dumped += n;
		} while (n > 0);
		n = fdb_moves(race->fdb, moves, FDB_MOVES_KEPT);
		for (unsigned i = 0; i < n; i++) {
			const uint8_t *b = moves[i].mac.addr_bytes;

			wrong += !is_at_home(b[4] << 8 | b[5], moves[i].from) ||
				 !is_at_home(b[4] << 8 | b[5], moves[i].to);
		}
		fdb_flush(race->fdb, race->dumped % 1000);
	}
	return (void *)(uintptr_t)wrong;
}

/* Time stands still while others run: the reader's clock is of no interest here. */
static void race_write(struct fdb *fdb, unsigned steps)
{
	uint64_t when = now;

	for (unsigned i = 0; i < steps; i++) {
		uint32_t n = rte_rand_max(RACE_KEYS);
		unsigned budget = 16;

		if (i % 256 == 0)
			when += hz;
		fdb_learn(fdb, mac(n), rte_rand_max(2) * 500 + n % 500, NO_LIMIT, when);
		if (i % 64 == 0)
			fdb_age(fdb, &budget, when);
	}
}

static void test_readers_beside_the_writer(void **state)
{
	struct race race = {.fdb = create(state, 1024)};
	void *wrong_lookups, *wrong_rows;
	pthread_t reader, control;
	struct fdb_stats stats;

	rte_srand(11);
	assert_int_equal(pthread_create(&reader, NULL, race_reader, &race), 0);
	assert_int_equal(pthread_create(&control, NULL, race_control, &race), 0);
	/* As long as it takes the others to have looked in a good many times. */
	do
		race_write(race.fdb, 1000);
	while (race.found < 300000 || race.dumped < 30000);
	race.stop = true;
	pthread_join(reader, &wrong_lookups);
	pthread_join(control, &wrong_rows);
	assert_int_equal((uintptr_t)wrong_lookups, 0);
	assert_int_equal((uintptr_t)wrong_rows, 0);
	fdb_stats(race.fdb, &stats);
	assert_true(stats.moves > 0 && stats.evicted > 0);
}

static void test_no_memory(void **state)
{
	assert_null(fdb_create(1u << 24, AGE, rcu));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_learn),
		TEST(test_limit_of_nothing),
		TEST(test_two_tables),
		TEST(test_ageing),
		TEST(test_age_changes),
		TEST(test_ageing_in_pieces),
		TEST(test_freshness),
		TEST(test_clock_behind),
		TEST(test_port_limit),
		TEST(test_flood_costs_its_sender),
		TEST(test_learn_rate),
		TEST(test_moves),
		TEST(test_moves_are_held),
		TEST(test_last_moves_kept),
		TEST(test_flush),
		TEST(test_flush_two_ports),
		TEST(test_dump),
		TEST(test_random_walk),
		TEST(test_churn),
		TEST(test_no_grace),
		TEST(test_readers_beside_the_writer),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
