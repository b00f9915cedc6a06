/*
 * vswitch-pktgen's values: numbers and rates as people write them, sizes, ranges and the flows that
 * they make, each of them once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pktgen_flows.h"
#include "pktgen_size.h"
#include "pktgen_values.h"

static char err[PKTGEN_ERR];

static double rate_of(const char *text, double frame, double line)
{
	struct pktgen_rate rate;

	assert_int_equal(pktgen_value_rate(text, &rate, err), 0);
	return pktgen_rate_packets(&rate, frame, line);
}

static void rates_have_units(void **state)
{
	struct pktgen_rate rate;

	assert_true(rate_of("max", 64, 10e9) == 0);
	assert_true(rate_of("100k", 64, 10e9) == 100e3);
	assert_true(rate_of("1.5Mpps", 64, 10e9) == 1.5e6);
	/* RFC 2544 and everybody: 10 Gb/s are 14.88 million frames of 64 bytes. */
	assert_int_equal((int)rate_of("10Gbps", 64, 1), 14880952);
	assert_int_equal((int)rate_of("50%", 1518, 10e9), 812743 / 2);
	for (unsigned i = 0; i < 7; i++) {
		static const char *const wrong[] = {"", "fast", "-5", "10Gb", "101%", "0", "1e400"};

		err[0] = '\0';
		assert_int_equal(pktgen_value_rate(wrong[i], &rate, err), -1);
		assert_non_null(strstr(err, "a rate:"));
	}
}

static void whole_numbers_are_held_to_their_bounds(void **state)
{
	uint64_t v;

	assert_int_equal(pktgen_value_whole("1.5k", 1, 2000, &v, err), 0);
	assert_int_equal(v, 1500);
	assert_int_equal(pktgen_value_whole("2001", 1, 2000, &v, err), -1);
	assert_non_null(strstr(err, "from 1 to 2000"));
	assert_int_equal(pktgen_value_whole("0.5", 0, 10, &v, err), -1);
	assert_int_equal(pktgen_value_whole("7x", 0, 10, &v, err), -1);
}

static void addresses_are_read_whole_or_not_at_all(void **state)
{
	uint8_t mac[6];
	uint32_t ip;

	assert_int_equal(pktgen_value_mac("02:00:00:0a:0b:ff", mac, err), 0);
	assert_memory_equal(mac, "\x02\x00\x00\x0a\x0b\xff", 6);
	assert_int_equal(pktgen_value_mac("02:00:00:0a:0b", mac, err), -1);
	assert_int_equal(pktgen_value_mac("02:00:00:0a:0b:ff:00", mac, err), -1);
	assert_int_equal(pktgen_value_ip("10.1.2.3", &ip, err), 0);
	assert_int_equal(ip, 0x0a010203);
	assert_int_equal(pktgen_value_ip("10.1.2", &ip, err), -1);
}

static void a_range_of_sizes_comes_round(void **state)
{
	struct pktgen_sizes sizes;
	uint32_t at = 0;

	assert_int_equal(pktgen_size_parse("64-67", &sizes, err), 0);
	for (unsigned i = 1; i < 9; i++)
		assert_int_equal(pktgen_size_next(&sizes, &at), 64 + i % 4);
	assert_true(pktgen_size_mean(&sizes) == 65.5);
	assert_int_equal(pktgen_size_parse("1518", &sizes, err), 0);
	assert_int_equal(pktgen_size_next(&sizes, &at), 1518);
}

static void imix_has_each_size_as_often_as_it_should(void **state)
{
	struct pktgen_sizes sizes;
	unsigned small = 0, middle = 0, large = 0, run = 0;
	uint32_t at = 0;

	assert_int_equal(pktgen_size_parse("imix", &sizes, err), 0);
	for (unsigned i = 0; i < 12 * 100; i++) {
		uint16_t size = pktgen_size_next(&sizes, &at);

		small += size == 64;
		middle += size == 570;
		large += size == 1518;
		run = size == 64 ? run + 1 : 0;
		assert_in_range(run, 0, 2); /* spread out, not seven in a row */
	}
	assert_int_equal(small, 700);
	assert_int_equal(middle, 400);
	assert_int_equal(large, 100);
	assert_true(pktgen_size_mean(&sizes) > 353.8 && pktgen_size_mean(&sizes) < 353.9);
	assert_int_equal(sizes.min, 64);
	assert_int_equal(sizes.max, 1518);
}

static void wrong_sizes_are_refused(void **state)
{
	static const char *const wrong[] = {
		"63", "65401", "1518-64", "64:0", "64:60,128:60", "64:1,1518", "64:1:2", ""};
	struct pktgen_sizes sizes;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		err[0] = '\0';
		if (pktgen_size_parse(wrong[i], &sizes, err) != -1 || err[0] == '\0')
			fail_msg("'%s' was taken", wrong[i]);
	}
}

static void check_range(const char *text, bool addresses, uint32_t min, uint32_t step,
	uint32_t count, uint32_t first)
{
	struct pktgen_range range;

	if (pktgen_range_parse(text, addresses, &range, err) != 0)
		fail_msg("%s: %s", text, err);
	assert_int_equal(range.min, min);
	assert_int_equal(range.step, step);
	assert_int_equal(range.count, count);
	assert_int_equal(range.first, first);
}

static void ranges_are_read_in_both_ways(void **state)
{
	static const char *const wrong[] = {
		"9-5", "1:2:3", "1:2:3:4:5", "70000", "10.0.0.1", "5:6:9:1", "", "a-b"};
	struct pktgen_range range;

	check_range("5000", false, 5000, 1, 1, 0);
	check_range("1-10", false, 1, 1, 10, 0);
	check_range("0-65535+2", false, 0, 2, 32768, 0);
	check_range("10.0.0.1-10.0.1.0", true, 0x0a000001, 1, 256, 0);
	check_range("10.0.0.0-10.255.0.0+0.1.0.0", true, 0x0a000000, 0x10000, 256, 0);
	/* Pktgen's: start, min, max, step; a step of 0 stays where it starts. */
	check_range("1234:1000:2000:2", false, 1000, 2, 501, 117);
	check_range("192.168.1.5:192.168.1.1:192.168.1.254:0.0.0.0", true, 0xc0a80105, 1, 1, 0);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (pktgen_range_parse(wrong[i], false, &range, err) != -1)
			fail_msg("'%s' was taken", wrong[i]);
}

static struct pktgen_flows make(const char *src_port, const char *src_ip, uint64_t n)
{
	struct pktgen_range given[PKTGEN_FIELDS] = {0};
	struct pktgen_flows flows;

	if (src_port != NULL)
		assert_int_equal(
			pktgen_range_parse(src_port, false, &given[PKTGEN_SRC_PORT], err), 0);
	if (src_ip != NULL)
		assert_int_equal(pktgen_range_parse(src_ip, true, &given[PKTGEN_SRC_IP], err), 0);
	if (pktgen_flows_init(&flows, given, n, 0x0a000001, 0x0a000002, err) != 0)
		fail_msg("%s", err);
	return flows;
}

static int by_value(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct pktgen_tuple));
}

/* All are different, and a cursor comes to the same ones, twice round. */
static void check_flows(const struct pktgen_flows *flows)
{
	struct pktgen_tuple *all = calloc(flows->n, sizeof(*all));
	struct pktgen_cursor cursor;

	pktgen_cursor_init(&cursor, flows, 0);
	for (uint64_t i = 0; i < 2 * flows->n; i++) {
		struct pktgen_tuple *tuple = &all[i % flows->n];

		pktgen_flows_nth(flows, i % flows->n, tuple);
		assert_int_equal(cursor.index, i % flows->n);
		assert_memory_equal(&cursor.tuple, tuple, sizeof(*tuple));
		pktgen_cursor_next(&cursor);
	}
	qsort(all, flows->n, sizeof(*all), by_value);
	for (uint64_t i = 1; i < flows->n; i++)
		assert_true(memcmp(&all[i - 1], &all[i], sizeof(*all)) != 0);
	free(all);
}

static void flows_are_different_and_in_order(void **state)
{
	struct pktgen_flows flows = make(NULL, NULL, 1);
	struct pktgen_tuple tuple;

	pktgen_flows_nth(&flows, 0, &tuple);
	assert_true(tuple.src == 0x0a000001 && tuple.dst == 0x0a000002 && tuple.sport == 1024 &&
		    tuple.dport == 5000);
	check_flows(&flows);
	flows = make(NULL, NULL, 150000);
	assert_int_equal(flows.field[PKTGEN_SRC_PORT].count, 60000);
	assert_int_equal(flows.field[PKTGEN_DST_PORT].count, 3);
	check_flows(&flows);
	flows = make("1234:1000:2000:3", "10.1.0.5:10.1.0.1:10.1.0.9:2", 0);
	assert_int_equal(flows.n, 334 * 5);
	check_flows(&flows);
	flows = make("1234:1000:2000:3", "10.1.0.5:10.1.0.1:10.1.0.9:2", 1000);
	check_flows(&flows);
	flows = make("65530-65535", NULL, 100); /* the destination port has to do the rest */
	assert_int_equal(flows.field[PKTGEN_DST_PORT].count, 17);
	check_flows(&flows);
}

static void more_flows_than_ranges_make_are_refused(void **state)
{
	struct pktgen_range given[PKTGEN_FIELDS] = {0};
	struct pktgen_flows flows;

	for (unsigned i = 0; i < PKTGEN_FIELDS; i++)
		given[i] = (struct pktgen_range){.min = 7, .step = 1, .count = 2};
	assert_int_equal(pktgen_flows_init(&flows, given, 17, 1, 2, err), -1);
	assert_non_null(strstr(err, "make 16 flows, not 17"));
	assert_int_equal(pktgen_flows_init(&flows, given, 16, 1, 2, err), 0);
	/* As many as there are: no overflow. */
	assert_int_equal(
		pktgen_range_parse("0.0.0.0-255.255.255.255", true, &given[PKTGEN_SRC_IP], err), 0);
	given[PKTGEN_DST_IP] = given[PKTGEN_SRC_IP];
	assert_int_equal(pktgen_flows_init(&flows, given, 0, 1, 2, err), 0);
	assert_true(flows.n >= (uint64_t)UINT32_MAX * UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_have_units),
		cmocka_unit_test(whole_numbers_are_held_to_their_bounds),
		cmocka_unit_test(addresses_are_read_whole_or_not_at_all),
		cmocka_unit_test(a_range_of_sizes_comes_round),
		cmocka_unit_test(imix_has_each_size_as_often_as_it_should),
		cmocka_unit_test(wrong_sizes_are_refused),
		cmocka_unit_test(ranges_are_read_in_both_ways),
		cmocka_unit_test(flows_are_different_and_in_order),
		cmocka_unit_test(more_flows_than_ranges_make_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
