/*
 * Addresses on other hosts that are cut off: what workers find, both families, the limits, what is
 * free again, and readers while others write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "packet.h"
#include "quarantine_remote.h"

#define OFFICE 3
#define LAB    (MAX_NETWORKS - 1)

#define NONE    CONFIG_QUARANTINE_NONE
#define SERVICE CONFIG_QUARANTINE_SERVICE
#define HOST    CONFIG_QUARANTINE_PORT

static struct addr v4(uint32_t host)
{
	return (struct addr){.low = ADDR_V4_PREFIX | (UINT32_C(10) << 24) | host};
}

static struct addr v6(uint64_t host)
{
	return (struct addr){UINT64_C(0xfd) << 56, host};
}

static int set_up(void **state)
{
	packet_hash_secret(0x1234567890abcdef);
	return 0;
}

static int tear_down(void **state)
{
	quarantine_remote_clear(OFFICE);
	quarantine_remote_clear(LAB);
	return quarantine_remote_total() == 0 ? 0 : -1;
}

static void test_levels(void **state)
{
	const struct addr addrs[] = {v4(9), v6(9)};

	for (unsigned i = 0; i < 2; i++) {
		struct addr a = addrs[i];

		assert_int_equal(
			quarantine_remote_raise(OFFICE, a, SERVICE), QUARANTINE_REMOTE_NEW);
		assert_int_equal(
			quarantine_remote_raise(OFFICE, a, SERVICE), QUARANTINE_REMOTE_STANDS);
		assert_int_equal(quarantine_remote_level(OFFICE, a), SERVICE);
		assert_int_equal(quarantine_remote_raise(OFFICE, a, HOST), QUARANTINE_REMOTE_NEW);
		assert_int_equal(
			quarantine_remote_raise(OFFICE, a, SERVICE), QUARANTINE_REMOTE_STANDS);
		assert_int_equal(quarantine_remote_level(OFFICE, a), HOST);
		assert_int_equal(quarantine_remote_total(), 1 + i);
	}
	/* Nobody else: another address, the same number in the other family, another network. */
	assert_int_equal(quarantine_remote_level(OFFICE, v4(8)), NONE);
	assert_int_equal(
		quarantine_remote_level(OFFICE, (struct addr){0, v4(9).low & UINT32_MAX}), NONE);
	assert_int_equal(quarantine_remote_level(LAB, v4(9)), NONE);
	assert_true(quarantine_remote_any(OFFICE));
	assert_false(quarantine_remote_any(LAB));
	/* Only the control thread lowers and lifts. */
	assert_true(quarantine_remote_set(OFFICE, v4(9), SERVICE));
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), SERVICE);
	assert_true(quarantine_remote_set(OFFICE, v4(9), NONE));
	assert_true(quarantine_remote_set(OFFICE, v4(9), NONE));
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), NONE);
	assert_int_equal(quarantine_remote_level(OFFICE, v6(9)), HOST);
	assert_int_equal(quarantine_remote_total(), 1);
}

static void test_network_goes(void **state)
{
	for (unsigned i = 0; i < 100; i++) {
		assert_true(quarantine_remote_set(OFFICE, v4(i), HOST));
		assert_true(quarantine_remote_set(LAB, v4(i), SERVICE));
	}
	quarantine_remote_clear(OFFICE);
	assert_false(quarantine_remote_any(OFFICE));
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(quarantine_remote_level(OFFICE, v4(i)), NONE);
		assert_int_equal(quarantine_remote_level(LAB, v4(i)), SERVICE);
	}
}

/* One network gets no more than its share, all together no more than there is; what is lifted makes
 * room, and what is there can be raised still. */
static void test_full(void **state)
{
	const unsigned networks = QUARANTINE_REMOTE_MAX / QUARANTINE_REMOTE_NETWORK_MAX;

	for (unsigned n = 0; n < networks; n++) {
		for (unsigned i = 0; i < QUARANTINE_REMOTE_NETWORK_MAX; i++)
			assert_int_equal(quarantine_remote_raise((uint16_t)n, v4(i), SERVICE),
				QUARANTINE_REMOTE_NEW);
		assert_int_equal(quarantine_remote_raise((uint16_t)n, v4(1u << 20), SERVICE),
			QUARANTINE_REMOTE_FULL);
		assert_int_equal(quarantine_remote_level((uint16_t)n, v4(1u << 20)), NONE);
	}
	assert_int_equal(quarantine_remote_total(), QUARANTINE_REMOTE_MAX);
	assert_false(quarantine_remote_set(LAB, v4(1), SERVICE));
	assert_false(quarantine_remote_any(LAB));
	assert_int_equal(quarantine_remote_raise(0, v4(7), HOST), QUARANTINE_REMOTE_NEW);
	for (unsigned n = 0; n < networks; n++)
		for (unsigned i = 0; i < QUARANTINE_REMOTE_NETWORK_MAX; i++)
			assert_int_equal(quarantine_remote_level((uint16_t)n, v4(i)),
				n == 0 && i == 7 ? HOST : SERVICE);
	assert_true(quarantine_remote_set(0, v4(7), NONE));
	assert_true(quarantine_remote_set(LAB, v4(1), SERVICE));
	assert_int_equal(quarantine_remote_raise(0, v4(7), SERVICE), QUARANTINE_REMOTE_FULL);
	for (unsigned n = 0; n < networks; n++)
		quarantine_remote_clear((uint16_t)n);
}

struct seen {
	unsigned calls;
	struct quarantine_remote last;
	uint64_t drops;
};

static void note_seen(void *arg, const struct quarantine_remote *remote)
{
	struct seen *seen = arg;

	seen->calls++;
	seen->last = *remote;
}

static uint64_t more_drops(void *arg, uint16_t network, struct addr addr)
{
	assert_int_equal(network, OFFICE);
	return ((struct seen *)arg)->drops;
}

static void test_watcher(void **state)
{
	struct seen seen = {.drops = 40}, each = {0};
	const struct quarantine_remote_watcher watcher = {note_seen, more_drops, &seen};

	assert_true(quarantine_remote_watch(&watcher));
	quarantine_remote_raise(OFFICE, v6(1), SERVICE);
	assert_int_equal(seen.calls, 0); /* a worker has: it is told of when that is heard */
	quarantine_remote_announce(OFFICE, v6(1));
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.last.level, SERVICE);
	assert_int_equal(seen.last.network, OFFICE);
	assert_true(addr_equal(seen.last.addr, v6(1)));
	quarantine_remote_count_drop(OFFICE, v6(1));
	quarantine_remote_count_drop(OFFICE, v6(1));
	quarantine_remote_count_drop(OFFICE, v6(2));
	assert_int_equal(quarantine_remote_drops(OFFICE, v6(1)), 42);
	quarantine_remote_each(note_seen, &each);
	assert_int_equal(each.calls, 1);
	assert_int_equal(each.last.drops, 2);
	quarantine_remote_clear(OFFICE);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(seen.last.level, NONE);
	quarantine_remote_unwatch(&watcher);
	quarantine_remote_set(OFFICE, v6(1), HOST);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(quarantine_remote_drops(OFFICE, v6(1)), 0); /* its slot began anew */
}

#define LASTING 64 /* addresses that are there all the time */
#define PASSING 4096 /* those that come and go */
#define ROUNDS  20000

static _Atomic bool done;
static _Atomic unsigned lost, made_up;

/* As a worker: what is there is found whatever others do, and what never was is not. */
static void *reader(void *arg)
{
	while (!atomic_load(&done))
		for (unsigned i = 0; i < LASTING; i++) {
			if (quarantine_remote_level(OFFICE, v4(i)) != HOST)
				atomic_fetch_add(&lost, 1);
			if (quarantine_remote_level(OFFICE, v6(i)) != NONE ||
				quarantine_remote_level(LAB, v4(i)) != NONE)
				atomic_fetch_add(&made_up, 1);
		}
	return NULL;
}

/* As another worker, which cuts the same off at the same time. */
static void *raiser(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		quarantine_remote_raise(OFFICE, v4(1000 + i % PASSING), SERVICE);
	return NULL;
}

static void test_concurrent(void **state)
{
	pthread_t readers[2], raisers[2];

	for (unsigned i = 0; i < LASTING; i++)
		assert_true(quarantine_remote_set(OFFICE, v4(i), HOST));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&readers[i], NULL, reader, NULL), 0);
		assert_int_equal(pthread_create(&raisers[i], NULL, raiser, NULL), 0);
	}
	for (unsigned i = 0; i < ROUNDS; i++)
		quarantine_remote_set(OFFICE, v4(1000 + i % PASSING), NONE);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(raisers[i], NULL);
	atomic_store(&done, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(lost, 0);
	assert_int_equal(made_up, 0);
	for (unsigned i = 0; i < PASSING; i++)
		quarantine_remote_set(OFFICE, v4(1000 + i), NONE);
	/* However they met: the books are right. */
	assert_int_equal(quarantine_remote_total(), LASTING);
	assert_int_equal(quarantine_remote_counts[OFFICE], LASTING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_levels),
		TEST(test_network_goes),
		TEST(test_full),
		TEST(test_watcher),
		TEST(test_concurrent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
