/*
 * TCP reassembly, the ordinary course: what is in order, late, lost, repeated, acknowledged and
 * finished; numbers that wrap; and what all that may take of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "stream_rig.h"

#define WRAPS 0xfffffffcu /* an isn that lets the third byte wrap */

static uint8_t block[STREAM_WINDOW + 4096];

static void in_order_both_ways(void **state)
{
	rig_open(1000, WRAPS);
	is(say(0, 0, "hello "), PASS);
	is(say(0, 6, "there"), PASS);
	is(acknowledge(1, 11), PASS);
	is(say(1, 0, "good day"), PASS);
	is(say(0, 11, "."), PASS);
	told(0, "hello there.");
	told(1, "good day");
	assert_int_equal(stream_bytes(&rig.stream, 0), 12);
	assert_int_equal(stream_bytes(&rig.stream, 1), 8);
	rig_end();
}

static void a_segment_in_pieces(void **state)
{
	rig_open(1000, 2000);
	for (unsigned i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)('A' + i % 23);
	rig.piece = 1023; /* 64 of them and no more */
	is(rig_send(0, ACK, 0, block, 65000), PASS);
	is(rig_send(0, ACK, 0, block, 65000), PASS);
	assert_int_equal(rig.len[0], 65000);
	assert_memory_equal(rig.told[0], block, 65000);
	rig_end();
}

static void what_is_kept_goes_with_its_acknowledgement(void **state)
{
	rig_open(0u - 1 - 3 * INSPECT_PAGE_SIZE, 2000); /* the first byte begins a page */
	assert_int_equal(rig_pages(), 0);
	is(rig_send(0, ACK, 0, block, 3 * INSPECT_PAGE_SIZE), PASS);
	assert_int_equal(rig_pages(), 4);
	is(acknowledge(1, INSPECT_PAGE_SIZE), PASS);
	assert_int_equal(rig_pages(), 3);
	is(acknowledge(1, INSPECT_PAGE_SIZE + 1), PASS);
	assert_int_equal(rig_pages(), 3);
	is(acknowledge(1, INSPECT_PAGE_SIZE), PASS); /* late */
	assert_int_equal(rig_pages(), 3);
	is(acknowledge(1, 3 * INSPECT_PAGE_SIZE), PASS);
	assert_int_equal(rig_pages(), 0);
	/* In the middle of a page, nothing is left either. */
	is(say(0, 3 * INSPECT_PAGE_SIZE, "more"), PASS);
	assert_int_equal(rig_pages(), 2);
	is(acknowledge(1, 3 * INSPECT_PAGE_SIZE + 4), PASS);
	assert_int_equal(rig_pages(), 0);
	rig_end();
}

static void an_acknowledgement_rides_on_data(void **state)
{
	rig_open(1000, 2000);
	is(say(0, 0, "question"), PASS);
	rig.ack[1] = 8;
	is(say(1, 0, "answer"), PASS);
	rig.ack[0] = 6;
	is(say(0, 8, "thanks"), PASS);
	assert_int_equal(rig_pages(), 2);
	is(acknowledge(1, 14), PASS);
	assert_int_equal(rig_pages(), 0);
	rig_end();
}

static void ahead_of_a_gap(void **state)
{
	rig_open(WRAPS, 2000);
	is(say(0, 6, "ghi"), PASS);
	is(say(0, 12, "mno"), PASS);
	told(0, "");
	is(say(0, 3, "def"), PASS);
	told(0, "");
	is(say(0, 0, "abc"), PASS); /* and what it releases */
	told(0, "abcdefghi");
	is(say(0, 9, "jkl"), PASS);
	told(0, "abcdefghijklmno");
	rig_end();
}

static void one_that_fills_several_gaps(void **state)
{
	rig_open(WRAPS, 2000);
	is(say(0, 2, "c"), PASS);
	is(say(0, 4, "e"), PASS);
	is(say(0, 6, "ghi"), PASS);
	is(say(0, 12, "m"), PASS);
	is(say(0, 0, "abcdefgh"), PASS); /* ends within what is kept */
	told(0, "abcdefghi");
	is(say(0, 7, "hijkl"), PASS);
	told(0, "abcdefghijklm");
	rig_end();
}

static void repeated(void **state)
{
	rig_open(1000, 2000);
	is(say(0, 0, "abcdef"), PASS);
	is(acknowledge(1, 2), PASS);
	is(say(0, 0, "abcdef"), PASS);
	is(say(0, 0, "ab"), PASS);
	is(say(0, 3, "de"), PASS);
	told(0, "abcdef");
	/* Partly acknowledged, partly kept, partly new. */
	is(say(0, 0, "abcdefgh"), PASS);
	told(0, "abcdefgh");
	is(say(0, 10, "kl"), PASS);
	is(say(0, 10, "kl"), PASS);
	is(say(0, 9, "jklm"), PASS);
	is(say(0, 4, "efghijklmn"), PASS);
	told(0, "abcdefghijklmn");
	rig_end();
}

static void probes_and_keep_alives(void **state)
{
	rig_open(1000, 2000);
	is(rig_send(0, ACK, 0u - 1, "?", 1), PASS); /* before anything was said */
	is(say(0, 0, "abc"), PASS);
	is(acknowledge(1, 3), PASS);
	is(rig_send(0, ACK, 2, "?", 1), PASS); /* whatever the byte is: the peer has it */
	is(rig_send(0, ACK, 2, "", 0), PASS);
	is(acknowledge(1, 3), PASS); /* a window update */
	is(say(0, 3, "d"), PASS); /* a probe: one new byte */
	is(acknowledge(1, 3), PASS); /* not taken */
	is(say(0, 3, "d"), PASS);
	is(say(0, 3, "def"), PASS);
	told(0, "abcdef");
	rig_end();
}

static void finished(void **state)
{
	uint32_t seq;

	rig_open(WRAPS, 2000);
	is(rig_send(0, FIN | ACK, 0, "abc", 3), PASS);
	is(rig_send(0, FIN | ACK, 0, "abc", 3), PASS);
	is(rig_send(0, FIN | ACK, 3, "", 0), PASS);
	is(say(0, 3, "d"), INVALID);
	is(rig_send(0, FIN | ACK, 3, "d", 1), INVALID);
	is(rig_send(0, FIN | ACK, 2, "", 0), INVALID); /* another end */
	is(acknowledge(1, 4), PASS);
	assert_int_equal(rig_pages(), 0);
	assert_true(stream_reset_seq(&rig.stream, 0, &seq));
	assert_int_equal(seq, (uint32_t)(WRAPS + 1 + 4));
	is(say(0, 4, "e"), INVALID);
	is(rig_send(0, FIN | ACK, 0, "abc", 3), PASS); /* the peer has it all */
	is(say(0, 3, "?"), PASS); /* a keep-alive behind the end */
	/* It does not end before what it has said. */
	is(say(1, 0, "xy"), PASS);
	is(rig_send(1, FIN | ACK, 1, "", 0), INVALID);
	is(rig_send(1, FIN | ACK, 0, "x", 1), INVALID);
	/* The other side goes on. */
	is(say(1, 0, "xyz"), PASS);
	is(rig_send(1, FIN | ACK, 3, "", 0), PASS);
	told(0, "abc");
	told(1, "xyz");
	rig_end();
}

static void finished_ahead_of_a_gap(void **state)
{
	rig_open(1000, 2000);
	is(rig_send(0, FIN | ACK, 3, "def", 3), PASS);
	is(say(0, 6, "g"), INVALID);
	is(say(0, 0, "abc"), PASS);
	told(0, "abcdef");
	rig_end();
	rig_open(1000, 2000);
	is(rig_send(0, FIN | ACK, 3, "", 0), PASS);
	is(say(0, 0, "abcd"), INVALID);
	is(say(0, 0, "abc"), PASS);
	rig_end();
	rig_open(1000, 2000);
	is(say(0, 3, "def"), PASS);
	is(rig_send(0, FIN | ACK, 4, "", 0), INVALID); /* there was more */
	is(rig_send(0, FIN | ACK, STREAM_WINDOW + 1, "", 0), AHEAD);
	is(rig_send(0, FIN | ACK, 6, "", 0), PASS);
	rig_end();
}

static void a_gap_for_good(void **state)
{
	rig_open(WRAPS, 2000);
	is(say(0, 0, "abc"), PASS);
	is(say(0, 5, "f"), PASS);
	is(say(0, 8, "ij"), PASS);
	is(say(0, 12, "m"), PASS);
	is(acknowledge(1, 9), PASS); /* within what is kept */
	told(0, "abc<2>f<2>ij");
	assert_int_equal(stream_bytes(&rig.stream, 0), 10);
	is(say(0, 3, "DE"), PASS); /* the peer has it: nothing comes of it */
	is(say(0, 9, "J"), DIFFERS);
	is(say(0, 10, "kl"), PASS);
	told(0, "abc<2>f<2>ijklm");
	rig_end();
}

static void a_gap_up_to_the_end(void **state)
{
	rig_open(1000, 2000);
	is(rig_send(0, FIN | ACK, 3, "def", 3), PASS);
	is(acknowledge(1, 7), PASS);
	told(0, "<3>def");
	assert_int_equal(rig_pages(), 0);
	rig_end();
	rig_open(1000, 2000);
	is(rig_send(0, FIN | ACK, 3, "", 0), PASS);
	is(acknowledge(1, 4), PASS);
	told(0, "<3>");
	rig_end();
}

static void behind_a_gap_something_is_stopped(void **state)
{
	rig_open(1000, 2000);
	rig.stop_at = "BAD";
	is(say(0, 3, "BAD"), PASS);
	is(say(0, 8, "more"), PASS);
	is(acknowledge(1, 3), STOPPED);
	told(0, "<3>BAD");
	rig_end();
}

static void impossible_acknowledgements(void **state)
{
	rig_open(1000, 2000);
	is(say(0, 0, "abc"), PASS);
	is(acknowledge(1, 4), PASS); /* never sent: the peer takes no notice, and so do we */
	is(acknowledge(1, 1u << 29), PASS);
	is(acknowledge(1, 1u << 31), PASS);
	is(acknowledge(1, 0u - 1), PASS);
	told(0, "abc");
	is(say(0, 0, "ABC"), DIFFERS); /* all is kept */
	is(say(0, 3, "d"), PASS);
	is(acknowledge(1, 4), PASS);
	assert_int_equal(rig_pages(), 0);
	told(0, "abcd");
	rig_end();
}

static void the_handler_stops(void **state)
{
	rig_open(1000, 2000);
	rig.stop_at = "BAD";
	is(say(0, 0, "abc"), PASS);
	is(say(0, 3, "BAD"), STOPPED);
	assert_int_equal(stream_bytes(&rig.stream, 0), 3);
	assert_int_equal(rig_pages(), 2);
	rig_end();
	/* In what a segment releases. */
	rig_open(1000, 2000);
	rig.stop_at = "BAD";
	is(say(0, 1, "AD"), PASS);
	is(say(0, 0, "B"), STOPPED);
	assert_int_equal(stream_bytes(&rig.stream, 0), 0);
	/* Who goes on all the same finds it as it was. */
	rig.stop_at = NULL;
	is(say(0, 0, "B"), PASS);
	told(0, "BADBAD");
	rig_end();
	/* In the middle of a segment nothing more is given. */
	rig_open(1000, 2000);
	rig.stop_at = "BAD";
	rig.piece = 1;
	is(say(0, 0, "BADLY"), STOPPED);
	told(0, "BAD");
	assert_int_equal(rig_pages(), 0);
	rig_end();
}

static void the_window_is_bounded(void **state)
{
	rig_open(0u - 1 - (64u << 10), 2000); /* a page's beginning */
	for (uint32_t at = 0; at < STREAM_WINDOW; at += 64u << 10)
		is(rig_send(0, ACK, at, block, 64u << 10), PASS);
	assert_int_equal(rig_pages(), STREAM_WINDOW / INSPECT_PAGE_SIZE + 1);
	is(say(0, STREAM_WINDOW, "x"), WINDOW_FULL);
	is(rig_send(0, ACK, 0, block, 64u << 10), PASS);
	is(acknowledge(1, INSPECT_PAGE_SIZE), PASS);
	is(say(0, STREAM_WINDOW, "x"), PASS);
	is(rig_send(0, ACK, STREAM_WINDOW + 1, block, INSPECT_PAGE_SIZE), WINDOW_FULL);
	is(acknowledge(1, STREAM_WINDOW + 1), PASS);
	assert_int_equal(rig_pages(), 0);
	is(rig_send(0, ACK, STREAM_WINDOW + 1, block, STREAM_WINDOW + 1), WINDOW_FULL);
	is(rig_send(0, ACK, STREAM_WINDOW + 1, block, STREAM_WINDOW - INSPECT_PAGE_SIZE), PASS);
	rig_end();
}

/* Such a length would wrap. */
static void more_than_any_window(void **state)
{
	const struct stream_segment segment = {
		.seq = 1001, .ack = 2001, .flags = ACK, .len = UINT32_MAX - 15};

	rig_open(1000, 2000);
	is(stream_segment(&rig.stream, rig.memory, &rig.account, 0, &segment, &rig_handler, &rig),
		WINDOW_FULL);
	rig_end();
}

static void ahead_is_bounded(void **state)
{
	rig_open(1000, 2000);
	for (uint32_t i = 0; i < STREAM_AHEAD_SEGMENTS; i++)
		is(say(0, 1 + 2 * i, "x"), PASS);
	is(say(0, 1 + 2 * STREAM_AHEAD_SEGMENTS, "x"), AHEAD);
	is(say(0, 1, "x"), PASS); /* kept already */
	is(say(0, 2, "y"), PASS); /* makes one of two */
	is(say(0, 1 + 2 * STREAM_AHEAD_SEGMENTS, "x"), PASS);
	is(say(0, 0, "y"), PASS);
	told(0, "yxyx");
	/* What is no longer ahead does not count. */
	for (uint32_t i = 2; i <= STREAM_AHEAD_SEGMENTS; i++)
		is(say(0, 2 * i, "y"), PASS);
	for (uint32_t i = 1; i <= STREAM_AHEAD_SEGMENTS; i++)
		is(say(0, 1000 + 2 * i, "x"), PASS);
	is(say(0, 1000, "x"), AHEAD);
	rig_end();
	rig_open(1000, 2000);
	for (uint32_t at = 1; at < STREAM_AHEAD_BYTES; at += 64u << 10)
		is(rig_send(0, ACK, at, block, 64u << 10), PASS);
	is(say(0, 1 + STREAM_AHEAD_BYTES, "x"), AHEAD);
	is(say(0, STREAM_WINDOW + INSPECT_PAGE_SIZE, "x"), WINDOW_FULL);
	is(say(0, (1u << 30) + 8, "x"), INVALID); /* no window is so large */
	is(rig_send(0, ACK, 0, block, 1), PASS);
	assert_int_equal(rig.len[0], STREAM_AHEAD_BYTES + 1);
	rig_end();
}

/* Without a block, a segment changes nothing. */
static void without_memory(void **state)
{
	rig_open(1000, 2000);
	rig.account.max = 3 * INSPECT_PAGE_SIZE; /* the index and two pages */
	is(rig_send(0, ACK, 0, block, 3 * INSPECT_PAGE_SIZE), MEMORY);
	assert_int_equal(rig_pages(), 0);
	is(rig_send(0, ACK, INSPECT_PAGE_SIZE, block, 3 * INSPECT_PAGE_SIZE), MEMORY);
	assert_int_equal(rig_pages(), 0);
	assert_int_equal(rig.account.refused, 2);
	told(0, "");
	is(rig_send(0, ACK, INSPECT_PAGE_SIZE, "xyz", 3), PASS);
	is(rig_send(0, ACK, 0, block, 2 * INSPECT_PAGE_SIZE), DIFFERS);
	is(rig_send(0, ACK, 3 * INSPECT_PAGE_SIZE, block, 2 * INSPECT_PAGE_SIZE), MEMORY);
	assert_int_equal(rig_pages(), 2);
	is(rig_send(0, ACK, 0, "abc", 3), PASS);
	told(0, "abc");
	rig.account.max = 0;
	is(acknowledge(1, 3), PASS);
	is(rig_send(1, ACK, 0, "abc", 3), MEMORY);
	rig_end();
}

static void blocks_of_all_kinds(void **state)
{
	struct inspect_account account = {
		.max = 3 * 128 + 2 * INSPECT_SMALL_SIZE + INSPECT_LARGE_SIZE};
	void *blocks[INSPECT_BLOCKS][3];
	const unsigned counts[INSPECT_BLOCKS] = {0, 2, 1, 3};

	for (unsigned kind = INSPECT_SMALL; kind < INSPECT_BLOCKS; kind++) {
		uint64_t refused = inspect_memory_refused(rig.memory, kind);

		assert_int_equal(inspect_memory_count(rig.memory, kind), counts[kind]);
		for (unsigned i = 0; i < counts[kind]; i++) {
			blocks[kind][i] = inspect_take(rig.memory, &account, kind);
			assert_non_null(blocks[kind][i]);
			assert_int_equal((uintptr_t)blocks[kind][i] % 64, 0);
			assert_int_equal(inspect_memory_used(rig.memory, kind), i + 1);
		}
		account.max += INSPECT_LARGE_SIZE;
		assert_null(inspect_take(rig.memory, &account, kind));
		account.max -= INSPECT_LARGE_SIZE;
		assert_int_equal(inspect_memory_refused(rig.memory, kind), refused + 1);
	}
	assert_int_equal(account.used, account.max); /* a flow of 100 bytes takes two lines */
	assert_int_equal(account.refused, 0);
	assert_null(inspect_take(rig.memory, &account, INSPECT_PAGE));
	assert_int_equal(account.refused, 1);
	for (unsigned kind = INSPECT_SMALL; kind < INSPECT_BLOCKS; kind++)
		for (unsigned i = 0; i < counts[kind]; i++)
			inspect_give(rig.memory, &account, kind, blocks[kind][i]);
	assert_int_equal(account.used, 0);
	assert_int_equal(inspect_memory_used(rig.memory, INSPECT_FLOW), 0);
}

static void numbers_for_a_reset(void **state)
{
	uint32_t seq;

	rig_begin(false, 1000, WRAPS);
	assert_false(stream_reset_seq(&rig.stream, 0, &seq));
	assert_false(stream_reset_seq(&rig.stream, 1, &seq));
	rig_open(1000, WRAPS);
	assert_true(stream_reset_seq(&rig.stream, 0, &seq));
	assert_int_equal(seq, 1001);
	is(say(1, 0, "abcdef"), PASS);
	is(acknowledge(0, 5), PASS);
	assert_true(stream_reset_seq(&rig.stream, 1, &seq));
	assert_int_equal(seq, (uint32_t)(WRAPS + 7)); /* below, the peer would not take it */
	rig_end();
	rig_begin(true, 1000, 2000);
	is(say(0, 0, "abc"), PASS);
	assert_true(stream_reset_seq(&rig.stream, 0, &seq));
	assert_int_equal(seq, 1004); /* what the peer has is not known yet */
	rig_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_both_ways),
		cmocka_unit_test(a_segment_in_pieces),
		cmocka_unit_test(what_is_kept_goes_with_its_acknowledgement),
		cmocka_unit_test(an_acknowledgement_rides_on_data),
		cmocka_unit_test(ahead_of_a_gap),
		cmocka_unit_test(one_that_fills_several_gaps),
		cmocka_unit_test(repeated),
		cmocka_unit_test(probes_and_keep_alives),
		cmocka_unit_test(finished),
		cmocka_unit_test(finished_ahead_of_a_gap),
		cmocka_unit_test(a_gap_for_good),
		cmocka_unit_test(a_gap_up_to_the_end),
		cmocka_unit_test(behind_a_gap_something_is_stopped),
		cmocka_unit_test(impossible_acknowledgements),
		cmocka_unit_test(the_handler_stops),
		cmocka_unit_test(the_window_is_bounded),
		cmocka_unit_test(more_than_any_window),
		cmocka_unit_test(ahead_is_bounded),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(blocks_of_all_kinds),
		cmocka_unit_test(numbers_for_a_reset),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
