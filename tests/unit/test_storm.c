/* Storm control: how many packets of each kind get through, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "storm.h"

#define START 1000 /* seconds */

static uint64_t hz;

static int start_eal(void **state)
{
	char *argv[] = {"test_storm", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"-m", "64", "--log-level=error", NULL};

	if (rte_eal_init(8, argv) < 0)
		return -1;
	hz = rte_get_tsc_hz();
	return 0;
}

static int stop_eal(void **state)
{
	return rte_eal_cleanup();
}

/* Of n packets at once, those that pass. */
static unsigned burst(struct storm *storm, enum storm_kind kind, unsigned n, uint64_t now)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++)
		passed += storm_pass(storm, kind, now);
	return passed;
}

static void test_depth(void **state)
{
	struct config_storm conf = {.broadcast = 1000, .multicast = 4000, .unknown_unicast = 10};
	struct storm storm;
	uint64_t now = START * hz;

	storm_init(&storm, &conf, now);
	assert_int_equal(burst(&storm, STORM_BROADCAST, 1000, now), 250);
	assert_int_equal(burst(&storm, STORM_MULTICAST, 3000, now), 1000);
	assert_int_equal(burst(&storm, STORM_UNKNOWN, 1000, now), 16);
	/* However long it was quiet, no more than that. */
	now += 3600 * hz;
	assert_int_equal(burst(&storm, STORM_BROADCAST, 1000, now), 250);
	assert_int_equal(burst(&storm, STORM_UNKNOWN, 1000, now), 16);
}

static void test_kinds_are_apart(void **state)
{
	struct config_storm conf = {.broadcast = 100, .multicast = 0, .unknown_unicast = 100};
	struct storm storm;
	uint64_t now = START * hz;

	storm_init(&storm, &conf, now);
	assert_int_equal(burst(&storm, STORM_BROADCAST, 1000, now), 25);
	assert_int_equal(burst(&storm, STORM_UNKNOWN, 10, now), 10);
	/* 0: none at all, at any time. */
	assert_int_equal(burst(&storm, STORM_MULTICAST, 10, now), 0);
	assert_int_equal(burst(&storm, STORM_MULTICAST, 10, now + 100 * hz), 0);
}

/* Ten seconds of twice the rate, packet by packet. */
static void check_rate(uint32_t rate)
{
	struct config_storm conf = {rate, rate, rate};
	unsigned n = 20 * rate, passed = 0, depth = rate / 4 > 16 ? rate / 4 : 16;
	struct storm storm;
	uint64_t start = START * hz;

	storm_init(&storm, &conf, start);
	for (unsigned i = 0; i < n; i++)
		passed += storm_pass(
			&storm, STORM_MULTICAST, start + (unsigned __int128)i * 10 * hz / n);
	assert_in_range(passed, 10 * rate * 0.99, 10 * rate * 1.01 + depth);
}

static void test_rate(void **state)
{
	static const uint32_t rates[] = {1, 3, 100, 1000, 4000, 100000};

	for (unsigned i = 0; i < RTE_DIM(rates); i++)
		check_rate(rates[i]);
}

static void test_largest_rate(void **state)
{
	struct config_storm conf = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
	struct storm storm;

	storm_init(&storm, &conf, START * hz);
	assert_int_equal(burst(&storm, STORM_BROADCAST, 1000000, START * hz), 1000000);
}

/* The next home worker's clock may lag behind: no packet is held back for that. */
static void test_clock_behind(void **state)
{
	struct config_storm conf = {100, 100, 100};
	struct storm storm;
	uint64_t now = START * hz;

	storm_init(&storm, &conf, now);
	assert_int_equal(burst(&storm, STORM_BROADCAST, 10, now), 10);
	assert_true(storm_pass(&storm, STORM_BROADCAST, now - 1000));
	now += hz;
	assert_int_equal(burst(&storm, STORM_BROADCAST, 1000, now), 25);
	assert_int_equal(burst(&storm, STORM_BROADCAST, 1000, now), 0);
	assert_int_equal(burst(&storm, STORM_BROADCAST, 1000, now + hz / 10), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_kinds_are_apart),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_largest_rate),
		cmocka_unit_test(test_clock_behind),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
