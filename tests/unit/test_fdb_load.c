/*
 * The learned MAC table at length: beside a model of it, with a million addresses, and with readers
 * while it is written.
 */
#include "fdb_rig.h"

#include <pthread.h>

#include <rte_random.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		FDB_TEST(test_random_walk),
		FDB_TEST(test_churn),
		FDB_TEST(test_no_grace),
		FDB_TEST(test_readers_beside_the_writer),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
