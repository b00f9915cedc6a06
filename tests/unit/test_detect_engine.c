/* A worker's tools for one database: streams that the control thread makes while they are used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "detect_streams.h"
#include "rule_rig.h"

#define TAKEN (4 * DETECT_STREAMS)

static struct ruleset *ruleset;
static struct rule_db *db;
static struct detect_engine *engine;
static struct detect_stream *taken[TAKEN + 1];

static int up(void **state)
{
	static const char text[] = RIG_HEADER
		"(flow:to_server; content:\"AAAA\"; sid:1;)\n" RIG_HEADER
		"(content:!\"BBBB\"; sid:2;)\n" RIG_HEADER
		"(flow:to_client; file.data; content:\"CCCC\"; sid:3;)\n" RIG_HEADER
		"(dce_opnum:15; sid:4;)\n" RIG_HEADER "(dsize:>9; sid:5;)";
	struct rule_report report;
	char reason[256];

	ruleset = rig_load(text, &report);
	rule_report_free(&report);
	assert_non_null(ruleset);
	db = rule_compile(ruleset, NULL, reason, sizeof(reason));
	assert_non_null(db);
	engine = detect_engine_create(db);
	assert_non_null(engine);
	return 0;
}

static int down(void **state)
{
	detect_engine_free(engine);
	rule_db_free(db);
	ruleset_free(ruleset);
	return 0;
}

static struct detect_stream *take(void)
{
	return detect_stream_take(engine, RULE_DIR_TO_SERVER, RULE_RECORD);
}

static void give(struct detect_stream *stream)
{
	detect_stream_give(engine, RULE_DIR_TO_SERVER, RULE_RECORD, stream);
}

static void streams_are_made_for_those_in_use(void **state)
{
	unsigned n = 0;

	for (unsigned round = 1; round <= 3; round++) {
		while ((taken[n] = take()) != NULL)
			n++;
		assert_int_equal(n, round * DETECT_STREAMS);
		detect_engine_refill(engine);
	}
	for (unsigned i = 0; i < n; i++)
		give(taken[i]);
	detect_engine_refill(engine); /* enough are ready: those used before, and the last ones */
	for (n = 0; (taken[n] = take()) != NULL;)
		n++;
	assert_int_equal(n, 4 * DETECT_STREAMS);
	while (n-- > 0)
		give(taken[n]);
}

static void a_stream_comes_back_as_new(void **state)
{
	struct rule_hit room[4];
	struct rule_hits hits = {room, 0, 4, 0};
	struct detect_stream *stream = take();

	assert_true(rule_stream_scan(
		stream->stream, (const uint8_t *)"AAA", 3, detect_engine_scratch(engine), &hits));
	give(stream);
	assert_ptr_equal(take(), stream);
	assert_true(rule_stream_scan(
		stream->stream, (const uint8_t *)"A", 1, detect_engine_scratch(engine), &hits));
	assert_int_equal(hits.n, 0);
	give(stream);
}

static void where_nothing_is_searched_for_there_are_none(void **state)
{
	assert_null(detect_stream_take(engine, RULE_DIR_TO_CLIENT, RULE_RECORD));
	assert_null(detect_stream_take(engine, RULE_DIR_TO_SERVER, RULE_FILE_DATA));
	assert_false(detect_engine_wants(engine, RULE_DIR_TO_SERVER, RULE_FILE_DATA));
	assert_true(detect_engine_wants(engine, RULE_DIR_TO_CLIENT, RULE_FILE_DATA));
}

static void rules_without_a_pattern_are_sorted(void **state)
{
	const uint32_t *rules;
	uint32_t n;

	rules = detect_engine_always(engine, RULE_DIR_TO_CLIENT, RULE_RECORD, &n);
	assert_int_equal(n, 1);
	assert_int_equal(ruleset_rule(ruleset, rules[0])->sid, 2);
	detect_engine_always(engine, RULE_DIR_TO_CLIENT, RULE_FILE_DATA, &n);
	assert_int_equal(n, 0);
	rules = detect_engine_bare(engine, RULE_DIR_TO_SERVER, true, &n);
	assert_int_equal(n, 1);
	assert_int_equal(ruleset_rule(ruleset, rules[0])->sid, 4);
	rules = detect_engine_bare(engine, RULE_DIR_TO_SERVER, false, &n);
	assert_int_equal(n, 1);
	assert_int_equal(ruleset_rule(ruleset, rules[0])->sid, 5);
	assert_int_equal(detect_engine_buffers(engine, RULE_DIR_TO_SERVER), 1u << RULE_RECORD);
	assert_int_equal(detect_engine_buffers(engine, RULE_DIR_TO_CLIENT),
		1u << RULE_RECORD | 1u << RULE_FILE_DATA);
}

static void *refill(void *arg)
{
	while (!__atomic_load_n((bool *)arg, __ATOMIC_ACQUIRE))
		detect_engine_refill(engine);
	return NULL;
}

/* The control thread beside the worker: no stream is given out twice, none gets lost. */
static void both_threads_at_once(void **state)
{
	bool over = false;
	pthread_t control;
	unsigned n = 0;

	assert_int_equal(pthread_create(&control, NULL, refill, &over), 0);
	for (unsigned round = 0; round < 20; round++) {
		while (n < TAKEN) {
			struct detect_stream *stream = take();

			if (stream == NULL) {
				sched_yield();
				continue;
			}
			stream->next = NULL;
			taken[n++] = stream;
		}
		for (unsigned i = 0; i < n; i++) {
			assert_null(taken[i]->next); /* whose is this? */
			taken[i]->next = taken[i];
		}
		while (n > round * 20)
			give(taken[--n]);
		for (unsigned i = 0; i < n; i++)
			taken[i]->next = NULL;
	}
	while (n > 0)
		give(taken[--n]);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	pthread_join(control, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(streams_are_made_for_those_in_use, up, down),
		cmocka_unit_test_setup_teardown(a_stream_comes_back_as_new, up, down),
		cmocka_unit_test_setup_teardown(
			where_nothing_is_searched_for_there_are_none, up, down),
		cmocka_unit_test_setup_teardown(rules_without_a_pattern_are_sorted, up, down),
		cmocka_unit_test_setup_teardown(both_threads_at_once, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
