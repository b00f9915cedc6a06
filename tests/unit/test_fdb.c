/* The learned MAC table of a network: what it holds, for how long, and who gives way to whom. */
#include "fdb_rig.h"

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

static void test_no_memory(void **state)
{
	assert_null(fdb_create(1u << 24, AGE, rcu));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FDB_TEST(test_learn),
		FDB_TEST(test_limit_of_nothing),
		FDB_TEST(test_two_tables),
		FDB_TEST(test_ageing),
		FDB_TEST(test_age_changes),
		FDB_TEST(test_ageing_in_pieces),
		FDB_TEST(test_freshness),
		FDB_TEST(test_clock_behind),
		FDB_TEST(test_port_limit),
		FDB_TEST(test_flood_costs_its_sender),
		FDB_TEST(test_learn_rate),
		FDB_TEST(test_moves),
		FDB_TEST(test_moves_are_held),
		FDB_TEST(test_last_moves_kept),
		FDB_TEST(test_flush),
		FDB_TEST(test_flush_two_ports),
		FDB_TEST(test_dump),
		FDB_TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
