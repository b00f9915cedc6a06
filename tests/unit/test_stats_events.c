/* `stats` events: where the numbers that the switch gives stand in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats_events.h"

static void assert_event(const struct stats_sources *sources, const char *expected)
{
	json_t *event = stats_event(sources), *want = json_loads(expected, 0, NULL);

	assert_non_null(want);
	assert_non_null(event);
	if (!json_equal(want, event))
		print_error("%s\n", json_dumps(event, JSON_SORT_KEYS));
	assert_true(json_equal(want, event));
	json_decref(event);
	json_decref(want);
}

static void test_numbers_have_their_places(void **state)
{
	json_t *status = json_pack("{s:i,s:i,s:i,s:i,s:{s:i,s:i,s:i}}", "uptime_s", 61, "revision",
		7, "ports", 3, "ports_up", 2, "firewall", "connections", 12, "opened", 340,
		"capacity", 1024);
	json_t *ledger = json_pack("{s:i,s:i,s:i,s:i,s:i,s:{s:i,s:i}}", "received", 100,
		"bytes_received", 6400, "delivered", 90, "dropped", 10, "dropped_out", 4, "drops",
		"policy_in", 10, "tx_full", 4);
	json_t *inspection = json_pack("{s:i}", "inspected", 5);
	json_t *quarantine = json_pack("{s:i,s:i}", "ports", 2, "service", 1);
	const struct stats_sources sources = {status, ledger, inspection, quarantine, 9, 1};

	assert_event(&sources,
		"{\"stats\": {\"uptime\": 61, \"decoder\": {\"pkts\": 100, \"bytes\": 6400},"
		"\"ips\": {\"accepted\": 90, \"blocked\": 14,"
		"\"drop_reason\": {\"policy_in\": 10, \"tx_full\": 4}},"
		"\"flow\": {\"active\": 12, \"total\": 340},"
		"\"detect\": {\"alert\": 9, \"alerts_suppressed\": 1}},"
		"\"metadata\": {\"revision\": 7, \"ports\": 3, \"ports_up\": 2,"
		"\"quarantined\": 2, \"inspection\": {\"inspected\": 5}}}");
	json_decref(status);
	json_decref(ledger);
	json_decref(inspection);
	json_decref(quarantine);
}

/* Out of memory, a source is missing: the rest is told all the same. */
static void test_what_is_missing_is_left_out(void **state)
{
	const struct stats_sources sources = {0};

	assert_event(&sources,
		"{\"stats\": {\"decoder\": {}, \"ips\": {\"blocked\": 0},"
		"\"flow\": {}, \"detect\": {\"alert\": 0, \"alerts_suppressed\": 0}},"
		"\"metadata\": {}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_have_their_places),
		cmocka_unit_test(test_what_is_missing_is_left_out),
	};

	return cmocka_run_group_tests_name("stats_events", tests, NULL, NULL);
}
