/*
 * TCP reassembly against who wants the receiver to see other bytes than we do: the cases of public
 * evasion tests, one by one, and openings that are not what they seem. Markers only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "stream_rig.h"

#define WRAPS 0xfffffffcu /* an isn that lets the third byte wrap */

static void other_bytes_in_their_place(void **state)
{
	rig_open(WRAPS, 2000);
	is(say(0, 0, "first copy"), PASS);
	is(say(0, 0, "other copy"),
		DIFFERS); /* the first may be lost further on: it still counts */
	is(say(0, 6, "c"), PASS);
	is(say(0, 6, "k"), DIFFERS);
	is(say(0, 6, "COPY and more"), DIFFERS); /* nothing of it is taken */
	is(say(0, 8, "py"), PASS);
	is(say(0, 0, "first copy and more"), PASS);
	told(0, "first copy and more");
	is(acknowledge(1, 8), PASS);
	is(say(0, 0, "XXXXX XX"), PASS); /* the peer has these */
	is(say(0, 0, "XXXXX XXpy"), PASS); /* and takes only what it has not */
	is(say(0, 0, "XXXXX XXXX"), DIFFERS);
	told(0, "first copy and more");
	rig_end();
}

static void other_bytes_ahead_of_a_gap(void **state)
{
	rig_open(WRAPS, 2000);
	is(say(0, 4, "efgh"), PASS);
	is(say(0, 10, "kl"), PASS);
	is(say(0, 4, "EFGH"), DIFFERS);
	is(say(0, 7, "hijK"), DIFFERS);
	is(say(0, 11, "L"), DIFFERS);
	is(say(0, 0, "abcdE"), DIFFERS);
	told(0, "");
	is(say(0, 3, "defghijklm"), PASS);
	is(say(0, 8, "IJ"), DIFFERS); /* what joined two is kept, too */
	is(say(0, 0, "abc"), PASS);
	told(0, "abcdefghijklm");
	rig_end();
}

static void other_bytes_at_every_place(void **state)
{
	static uint8_t bytes[3 * INSPECT_PAGE_SIZE];

	rig_open(0u - 1500, 2000); /* pages and numbers end within */
	rig.piece = 700;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	is(rig_send(0, ACK, 0, bytes, sizeof(bytes)), PASS);
	for (unsigned i = 0; i < sizeof(bytes); i += 13) {
		bytes[i] ^= 1;
		is(rig_send(0, ACK, 0, bytes, sizeof(bytes)), DIFFERS);
		bytes[i] ^= 1;
	}
	is(rig_send(0, ACK, 0, bytes, sizeof(bytes)), PASS);
	rig_end();
}

static void tiny_segments(void **state)
{
	const char text[] = "one byte a segment; every second one is late";

	rig_open(WRAPS, 2000);
	for (uint32_t i = 0; i < sizeof(text) - 1; i++)
		is(rig_send(0, ACK, i ^ 1, text + (i ^ 1), 1), PASS);
	told(0, text);
	rig_end();
}

static void urgent(void **state)
{
	rig_open(1000, 2000);
	is(rig_send(0, ACK | URG, 0, "abc", 3), URGENT);
	is(rig_send(0, ACK | URG, 0, "", 0), URGENT); /* announces it */
	is(rig_raw(0, SYN | URG, 1000, 0, "", 0), URGENT);
	told(0, "");
	is(say(0, 0, "abc"), PASS);
	told(0, "abc");
	rig_end();
}

static void reset_and_on(void **state)
{
	rig_open(1000, 2000);
	is(say(0, 0, "abc"), PASS);
	is(rig_send(0, RST, 3, "", 0), PASS);
	is(rig_send(0, RST | ACK, 3, "a reason in words", 17), PASS);
	is(rig_send(1, RST | ACK, 99, "", 0), PASS);
	/* If the peer did not take it, these are what they would be without. */
	is(say(0, 0, "ABC"), DIFFERS);
	is(say(0, 3, "def"), PASS);
	is(acknowledge(1, 6), PASS);
	told(0, "abcdef");
	rig_end();
}

static void flags_that_nobody_takes(void **state)
{
	rig_open(1000, 2000);
	is(rig_send(0, 0, 0, "abc", 3), INVALID);
	is(rig_send(0, PSH, 0, "abc", 3), INVALID);
	is(rig_send(0, FIN, 0, "", 0), INVALID);
	is(rig_send(0, 0, 0, "", 0), PASS);
	is(rig_raw(0, SYN | FIN, 1000, 0, "", 0), INVALID);
	is(rig_raw(1, SYN | FIN | ACK, 2000, 1001, "", 0), INVALID);
	told(0, "");
	is(say(0, 0, "abc"), PASS);
	rig_end();
}

static void data_in_the_syn(void **state)
{
	rig_begin(false, WRAPS, 2000);
	is(rig_raw(0, SYN, WRAPS, 0, "early", 5), PASS);
	told(0, "early");
	is(rig_raw(0, SYN, WRAPS, 0, "early", 5), PASS);
	is(rig_raw(0, SYN, WRAPS, 0, "EARLY", 5), DIFFERS);
	is(rig_raw(0, SYN, WRAPS, 0, "", 0), PASS); /* repeated without */
	is(say(0, 5, " more"), INVALID); /* not before it is answered */
	is(rig_raw(1, SYN | ACK, 2000, WRAPS + 1 + 5, "hi", 2), PASS);
	told(1, "hi");
	is(say(1, 2, ", you"), PASS); /* before that is acknowledged */
	is(acknowledge(0, 7), PASS);
	is(say(0, 5, " more"), PASS);
	told(0, "early more");
	told(1, "hi, you");
	rig_end();
	/* The peer did not take it. */
	rig_begin(false, WRAPS, 2000);
	is(rig_raw(0, SYN, WRAPS, 0, "early", 5), PASS);
	is(rig_raw(1, SYN | ACK, 2000, WRAPS + 1, "", 0), PASS);
	is(say(0, 0, "EARLY"), DIFFERS);
	is(say(0, 0, "early and"), PASS);
	told(0, "early and");
	rig_end();
}

static void another_syn(void **state)
{
	/* The last one is answered, or the one before. */
	rig_begin(false, 5000, 2000);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(rig_raw(0, SYN, 5000, 0, "", 0), PASS);
	is(rig_raw(1, SYN | ACK, 2000, 3001, "", 0), INVALID);
	is(rig_raw(1, SYN | ACK, 2000, 5001, "", 0), PASS);
	is(rig_raw(1, SYN | ACK, 2000, 1001, "", 0), INVALID);
	is(say(0, 0, "abc"), PASS);
	rig_end();
	rig_begin(false, 1000, 2000);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(rig_raw(0, SYN, 5000, 0, "", 0), PASS);
	is(rig_raw(1, SYN | ACK, 2000, 1001, "", 0), PASS);
	is(rig_raw(0, ACK, 5001, 2001, "abc", 3), PASS); /* ahead, for the receiver as for us */
	told(0, "");
	is(say(0, 0, "abc"), PASS);
	told(0, "abc");
	rig_end();
	/* With data, only the last. */
	rig_begin(false, 5000, 2000);
	is(rig_raw(0, SYN, 1000, 0, "abc", 3), PASS);
	is(rig_raw(0, SYN, 5000, 0, "xyz", 3), PASS);
	told(0, "abc<0>xyz");
	is(rig_raw(1, SYN | ACK, 2000, 1001, "", 0), INVALID);
	is(rig_raw(1, SYN | ACK, 2000, 1004, "", 0), INVALID);
	is(rig_raw(1, SYN | ACK, 2000, 5004, "", 0), PASS);
	is(say(0, 3, "!"), PASS);
	told(0, "abc<0>xyz!");
	rig_end();
}

static void a_syn_in_the_middle(void **state)
{
	rig_open(1000, 2000);
	is(say(0, 0, "abc"), PASS);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(rig_raw(0, SYN, 7000, 0, "", 0), PASS); /* its receiver says what it thinks of it */
	is(rig_raw(0, SYN, 1003, 0, "def", 3), INVALID);
	is(rig_raw(1, SYN | ACK, 2000, 1001, "", 0), PASS);
	is(rig_raw(1, SYN | ACK, 2000, 7001, "", 0), INVALID); /* as if it was taken */
	is(rig_raw(1, SYN | ACK, 9000, 1004, "", 0), INVALID);
	is(say(0, 3, "def"), PASS);
	told(0, "abcdef");
	rig_end();
}

static void a_server_answers_twice(void **state)
{
	rig_begin(false, 1000, 2000);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(rig_raw(1, SYN | ACK, 2000, 1001, "", 0), PASS);
	is(rig_raw(1, SYN | ACK, 3000, 1001, "", 0), PASS);
	is(rig_raw(1, ACK, 3001, 1001, "late", 4), PASS);
	/* The client took the first: what it holds ahead is not to be given a beginning now. */
	is(acknowledge(0, 0), PASS);
	is(rig_raw(1, ACK, 2001, 1001, "x", 1), INVALID);
	is(rig_raw(1, SYN | ACK, 2000, 1001, "", 0), INVALID);
	rig_end();
}

static void a_split_handshake(void **state)
{
	/* In four: the server acknowledges, and asks itself. */
	rig_begin(false, 1000, WRAPS);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(rig_raw(1, ACK, WRAPS, 1001, "", 0), PASS);
	is(say(0, 0, "too soon"), INVALID);
	is(rig_raw(1, SYN, WRAPS, 0, "", 0), PASS);
	is(rig_raw(0, ACK, 1001, WRAPS, "too soon", 8), INVALID);
	is(rig_raw(0, SYN | ACK, 1000, WRAPS + 1, "", 0), PASS);
	is(acknowledge(1, 0), PASS);
	is(say(0, 0, "abc"), PASS);
	is(say(1, 0, "xyz"), PASS);
	told(0, "abc");
	told(1, "xyz");
	rig_end();
	/* Without that acknowledgement. */
	rig_begin(false, 1000, WRAPS);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(rig_raw(1, SYN, WRAPS, 0, "", 0), PASS);
	is(rig_raw(0, SYN | ACK, 1000, 12345, "", 0), INVALID);
	is(rig_raw(0, SYN | ACK, 1000, WRAPS + 1, "", 0), PASS);
	is(say(1, 0, "xyz"), PASS);
	rig_end();
}

static void both_open_at_once(void **state)
{
	rig_begin(false, 1000, WRAPS);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(rig_raw(1, SYN, WRAPS, 0, "", 0), PASS);
	is(rig_raw(0, SYN | ACK, 1000, WRAPS + 1, "", 0), PASS);
	is(rig_raw(1, SYN | ACK, WRAPS, 1001, "", 0), PASS);
	is(say(0, 0, "abc"), PASS);
	is(say(1, 0, "xyz"), PASS);
	is(acknowledge(1, 3), PASS);
	is(acknowledge(0, 3), PASS);
	told(0, "abc");
	told(1, "xyz");
	assert_int_equal(rig_pages(), 0);
	rig_end();
}

static void the_wrong_side_answers(void **state)
{
	rig_begin(false, 1000, 2000);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(rig_raw(0, SYN | ACK, 1000, 2001, "", 0), INVALID); /* there was nothing to answer */
	is(rig_raw(1, SYN | ACK, 2000, 999, "", 0), INVALID);
	is(rig_raw(1, SYN | ACK, 2000, 1002, "", 0), INVALID); /* more than was sent */
	is(rig_raw(1, SYN | ACK, 2000, 1001, "", 0), PASS);
	rig_end();
}

/* RST, SYN, and on with the old connection, which the server never gave up. */
static void an_old_connection_as_a_new_one(void **state)
{
	rig_begin(false, 1000, 2000);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(say(0, 0, "of the old one"), INVALID);
	is(rig_raw(1, ACK, 2001, 1001, "", 0), PASS); /* it was asked for what it lacks */
	is(say(0, 0, "of the old one"), INVALID);
	is(rig_raw(1, ACK, 2001, 1001, "and its answer", 14), INVALID);
	told(0, "");
	told(1, "");
	rig_end();
}

/* One direction only, from its SYN on: as much. Picked up, it is followed. */
static void one_sided(void **state)
{
	rig_begin(false, 1000, 2000);
	is(rig_raw(0, SYN, 1000, 0, "", 0), PASS);
	is(acknowledge(0, 0), PASS);
	is(say(0, 0, "abc"), INVALID);
	rig_end();
	rig_begin(true, 1000, 2000);
	is(say(0, 0, "abc"), PASS);
	is(acknowledge(0, 100), PASS);
	is(say(0, 3, "def"), PASS);
	is(acknowledge(0, 5000), PASS);
	is(say(0, 7, "h"), AHEAD); /* who knows what its receiver has? */
	is(say(0, 6, "gh"), PASS);
	told(0, "abcdefgh");
	told(1, "");
	/* The other comes in after all. */
	is(say(1, 5000, "xyz"), PASS);
	told(1, "xyz");
	rig_end();
}

static void midstream(void **state)
{
	rig_begin(true, WRAPS, 2000);
	rig.ack[0] = 70;
	is(say(0, 100, "hello"), PASS);
	is(say(0, 96, "not seen before"), INVALID);
	is(say(0, 99, "?"), INVALID); /* may be what the peer lacks */
	is(say(0, 107, "ahead"), AHEAD);
	rig.ack[1] = 96;
	is(say(1, 60, "some that it has, "), PASS);
	told(1, "it has, ");
	is(say(0, 99, "?"), INVALID);
	is(acknowledge(1, 102), PASS);
	is(say(0, 96, "NOW it has"), DIFFERS); /* as far as it is kept */
	is(say(0, 96, "NOW xxllo"), PASS);
	is(say(0, 105, ", "), PASS);
	is(say(0, 107, "ahead"), PASS);
	told(0, "hello, ahead");
	rig_end();
}

/* Ahead of a gap: only once the peer can hold nothing any more from before we began. */
static void midstream_ahead(void **state)
{
	static const uint8_t zeros[STREAM_WINDOW / 4];
	uint32_t at = 0;

	rig_begin(true, WRAPS, 2000);
	for (; at < STREAM_WINDOW; at += sizeof(zeros)) {
		is(rig_send(0, ACK, at, zeros, sizeof(zeros)), PASS);
		is(say(0, at + sizeof(zeros) + 1, "b"), AHEAD);
		is(acknowledge(1, at + sizeof(zeros) - 1), PASS);
		is(say(0, at + sizeof(zeros) + 1, "b"), AHEAD);
	}
	is(acknowledge(1, at), PASS);
	is(say(0, at + 1, "b"), PASS);
	is(say(0, at, "a"), PASS);
	assert_string_equal(rig.told[0] + at, "ab");
	rig_end();
}

/* What had not arrived when we began. */
static void midstream_more_is_acknowledged(void **state)
{
	rig_begin(true, WRAPS, 2000);
	is(say(0, 100, "abc"), PASS);
	is(acknowledge(1, (1u << 30) + 101), PASS); /* no window is so large */
	told(0, "abc");
	is(acknowledge(1, 500), PASS); /* that was an old one, repeated */
	told(0, "abc<397>");
	assert_int_equal(rig_pages(), 0);
	is(say(0, 500, "def"), PASS);
	told(0, "abc<397>def");
	rig_end();
	/* Before anything of the side comes, its place moves. */
	rig_begin(true, 1000, 2000);
	is(acknowledge(1, 100), PASS);
	is(acknowledge(1, 700), PASS);
	is(say(0, 690, "xxxxxxxxxxabc"), PASS);
	told(0, "abc");
	rig_end();
	/* Ahead of what is acknowledged: the peer may have what is between. */
	rig_begin(true, 1000, 2000);
	is(acknowledge(1, 100), PASS);
	is(say(0, 110, "abc"), PASS);
	is(say(0, 100, "0123456789"), INVALID);
	is(acknowledge(1, 110), PASS);
	is(say(0, 100, "0123456789"), PASS);
	told(0, "abc");
	rig_end();
}

static void midstream_without_memory(void **state)
{
	rig_begin(true, 1000, 2000);
	rig.account.max = 0;
	is(say(0, 100, "abc"), MEMORY);
	is(say(0, 103, "def"), AHEAD);
	rig.account.max = UINT64_MAX / 2;
	is(say(0, 100, "abc"), PASS); /* the first still counts */
	is(say(0, 103, "def"), PASS);
	told(0, "abcdef");
	rig_end();
}

static void midstream_in_the_handshake(void **state)
{
	rig_begin(true, 1000, WRAPS);
	is(rig_raw(1, SYN | ACK, WRAPS, 1001, "", 0), PASS);
	is(acknowledge(0, 0), PASS);
	is(say(0, 0, "abc"), PASS);
	is(say(1, 1, "yz"), PASS);
	is(acknowledge(1, 3), PASS);
	is(say(1, 0, "x"), PASS);
	is(acknowledge(0, 3), PASS);
	told(0, "abc");
	told(1, "xyz");
	assert_int_equal(rig_pages(), 0);
	rig_end();
	/* A SYN where there is a connection already. */
	rig_begin(true, 1000, 2000);
	is(say(0, 0, "abc"), PASS);
	is(rig_raw(0, SYN, 7000, 0, "", 0), PASS);
	is(rig_raw(0, SYN, 7000, 0, "x", 1), INVALID);
	is(say(0, 3, "def"), PASS);
	told(0, "abcdef");
	rig_end();
}

/* A receiver that acknowledges what the sender never sent cannot make bytes pass by us. */
static void a_gap_on_purpose(void **state)
{
	rig_open(1000, 2000);
	rig.ack[0] = 1000;
	is(say(0, 0, "give"), PASS);
	is(say(1, 0, "take"), PASS);
	told(1, "take");
	is(acknowledge(0, 1000), PASS);
	is(say(1, 4, "this"), PASS);
	told(1, "takethis");
	rig_end();
}

static void names(void **state)
{
	for (unsigned i = 0; i < STREAM_VERDICTS; i++)
		assert_non_null(stream_verdict_name(i));
	assert_string_equal(stream_verdict_name(STREAM_WINDOW_FULL), "window-full");
	assert_string_equal(stream_verdict_name(STREAM_INVALID), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_bytes_in_their_place),
		cmocka_unit_test(other_bytes_ahead_of_a_gap),
		cmocka_unit_test(other_bytes_at_every_place),
		cmocka_unit_test(tiny_segments),
		cmocka_unit_test(urgent),
		cmocka_unit_test(reset_and_on),
		cmocka_unit_test(flags_that_nobody_takes),
		cmocka_unit_test(data_in_the_syn),
		cmocka_unit_test(another_syn),
		cmocka_unit_test(a_syn_in_the_middle),
		cmocka_unit_test(a_server_answers_twice),
		cmocka_unit_test(a_split_handshake),
		cmocka_unit_test(both_open_at_once),
		cmocka_unit_test(the_wrong_side_answers),
		cmocka_unit_test(an_old_connection_as_a_new_one),
		cmocka_unit_test(one_sided),
		cmocka_unit_test(midstream),
		cmocka_unit_test(midstream_ahead),
		cmocka_unit_test(midstream_more_is_acknowledged),
		cmocka_unit_test(midstream_without_memory),
		cmocka_unit_test(midstream_in_the_handshake),
		cmocka_unit_test(a_gap_on_purpose),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
