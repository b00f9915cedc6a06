/*
 * What vswitch-pktgen measures with: when packets are due at a rate, percentiles of times, the
 * search for the highest rate on a device that is made up, and whose limit a figure is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "pktgen_histogram.h"
#include "pktgen_meter.h"
#include "pktgen_pace.h"
#include "pktgen_search.h"

#define HZ 1e9

/* A loop that looks every `every` cycles for a second. */
static uint64_t paced(struct pktgen_pace *pace, uint64_t every)
{
	uint64_t sum = 0;

	for (uint64_t now = 0; now < (uint64_t)HZ; now += every)
		sum += pktgen_pace_due(pace, now, 32);
	return sum;
}

static void a_rate_is_kept_whatever_the_loop(void **state)
{
	static const uint64_t every[] = {100, 777, 10000, 31000};
	struct pktgen_pace pace;

	for (unsigned i = 0; i < 4; i++) {
		pktgen_pace_init(&pace, 1e6, HZ, 0.001, 0);
		assert_in_range(paced(&pace, every[i]), 999900, 1000000);
		assert_int_equal(pace.missed, 0);
	}
	pktgen_pace_init(&pace, 3, HZ, 0.001, 0);
	assert_int_equal(paced(&pace, 1000), 2); /* the third is due at the end */
}

static void a_pause_is_made_up_for_and_a_long_one_missed(void **state)
{
	struct pktgen_pace pace;
	uint64_t sum = 0;

	pktgen_pace_init(&pace, 1e6, HZ, 0.001, 0);
	/* Half a millisecond late: 500 are due, and come in bursts. */
	for (unsigned i = 0; i < 20; i++)
		sum += pktgen_pace_due(&pace, 500000, 32);
	assert_int_equal(sum, 500);
	assert_int_equal(pace.missed, 0);
	/* Ten milliseconds later: 1,000 of the 10,000 still are. */
	for (unsigned i = 0; i < 50; i++)
		sum += pktgen_pace_due(&pace, 10500000, 32);
	assert_int_equal(sum, 1500);
	assert_int_equal(pace.missed, 9000);
	assert_int_equal(pktgen_pace_due(&pace, 10501000, 32), 1);
}

static void without_a_rate_all_are_due(void **state)
{
	struct pktgen_pace pace;

	pktgen_pace_init(&pace, 0, HZ, 0.001, 0);
	assert_int_equal(pktgen_pace_due(&pace, 0, 32), 32);
	assert_int_equal(pktgen_pace_due(&pace, 0, 7), 7);
}

/* Against the same in a sorted list. */
static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void percentiles_are_within_two_percent(void **state)
{
	static const double percents[] = {1, 50, 90, 99, 99.9, 99.99, 100};
	static struct pktgen_histogram h;
	static uint64_t times[100000];

	pktgen_histogram_reset(&h);
	srand(1);
	for (unsigned i = 0; i < 100000; i++) {
		times[i] = (uint64_t)rand() >> (rand() % 31);
		pktgen_histogram_add(&h, times[i]);
	}
	qsort(times, 100000, sizeof(times[0]), by_time);
	for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		uint64_t right = times[(unsigned)(percents[i] * 1000) - 1];
		uint64_t got = pktgen_histogram_percentile(&h, percents[i]);

		if (got < right || (double)got > (double)right * 1.02)
			fail_msg("%g %%: %llu, not %llu", percents[i], (unsigned long long)got,
				(unsigned long long)right);
	}
	assert_int_equal(h.max, times[99999]);
	assert_int_equal(h.min, times[0]);
}

static void extremes_have_their_place(void **state)
{
	static struct pktgen_histogram h;

	pktgen_histogram_reset(&h);
	assert_int_equal(pktgen_histogram_percentile(&h, 99), 0);
	assert_true(pktgen_histogram_mean(&h) == 0);
	pktgen_histogram_add(&h, 0);
	assert_int_equal(pktgen_histogram_percentile(&h, 50), 0);
	pktgen_histogram_add(&h, UINT64_MAX);
	assert_int_equal(pktgen_histogram_percentile(&h, 50), 0);
	assert_true(pktgen_histogram_percentile(&h, 100) == UINT64_MAX);
	/* One value is every percentile. */
	pktgen_histogram_reset(&h);
	for (unsigned i = 0; i < 10; i++)
		pktgen_histogram_add(&h, 123456);
	assert_int_equal(pktgen_histogram_percentile(&h, 1), 123456);
	assert_int_equal(pktgen_histogram_percentile(&h, 100), 123456);
}

/* A device that forwards so much, and drops the rest. */
static double found(double device, double high, double resolution, double allowed, unsigned *trials)
{
	struct pktgen_search search;
	double rate;

	pktgen_search_init(&search, high, resolution, allowed);
	while (pktgen_search_next(&search, &rate)) {
		assert_true(rate <= high);
		pktgen_search_tell(&search, rate > device ? 1 - device / rate : 0);
	}
	*trials = search.trials;
	return search.pass;
}

static void a_search_finds_what_a_device_can_do(void **state)
{
	unsigned trials;

	srand(2);
	for (unsigned i = 0; i < 1000; i++) {
		double device = 1 + rand() % 9999999, got = found(device, 1e7, 0.001, 0, &trials);

		assert_true(got <= device && got >= device - 1e4);
		assert_in_range(trials, 2, 11);
	}
}

static void a_search_ends_at_both_ends(void **state)
{
	unsigned trials;

	assert_true(found(2e7, 1e7, 0.01, 0, &trials) == 1e7);
	assert_int_equal(trials, 1);
	assert_true(found(0, 1e7, 0.01, 0, &trials) == 0);
	assert_in_range(trials, 7, 9);
}

static void allowed_loss_is_allowed(void **state)
{
	unsigned trials;
	double got = found(9e6, 1e7, 0.0001, 0.05, &trials);

	assert_true(got > 9e6 && got <= 9e6 / 0.95 && got > 9e6 / 0.95 - 1e3);
}

static void headroom_says_whose_limit_it_is(void **state)
{
	struct pktgen_meter meter = {0};

	assert_true(pktgen_meter_cost(&meter) == 0);
	for (unsigned i = 0; i < 1000; i++)
		pktgen_meter_pass(&meter, 3200, 64);
	assert_true(pktgen_meter_cost(&meter) == 50);
	assert_true(pktgen_meter_headroom(&meter) == 0);
	/* As long again with nothing to do. */
	for (unsigned i = 0; i < 32000; i++)
		pktgen_meter_pass(&meter, 100, 0);
	assert_true(pktgen_meter_headroom(&meter) == 0.5);
	/* Single packets cost more each, but there would be time for more. */
	for (unsigned i = 0; i < 64000; i++)
		pktgen_meter_pass(&meter, 100, 1);
	assert_true(pktgen_meter_cost(&meter) == 50);
	assert_true(pktgen_meter_headroom(&meter) > 0.49);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_kept_whatever_the_loop),
		cmocka_unit_test(a_pause_is_made_up_for_and_a_long_one_missed),
		cmocka_unit_test(without_a_rate_all_are_due),
		cmocka_unit_test(percentiles_are_within_two_percent),
		cmocka_unit_test(extremes_have_their_place),
		cmocka_unit_test(a_search_finds_what_a_device_can_do),
		cmocka_unit_test(a_search_ends_at_both_ends),
		cmocka_unit_test(allowed_loss_is_allowed),
		cmocka_unit_test(headroom_says_whose_limit_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
