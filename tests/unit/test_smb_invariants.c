/*
 * SMB1's invariants, I1 to I9: each fires on a message made by hand that breaks it and nothing else
 * (harmless: all data are zero), stays silent on its nearest honest neighbour, and, where it says
 * something about what was not there, on connections that were picked up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smb1_rig.h"

static int reset(void **state)
{
	smb1_with.pid = 0x1234;
	smb1_with.mid = 0x40;
	smb1_with.tid = 7;
	smb1_with.uid = 9;
	smb1_with.status = 0;
	return rig_reset(state);
}

/* Runs as whole and as picked up: id is told so often each time. */
static void expect(const char *id, unsigned whole, unsigned partial)
{
	char text[64];

	snprintf(text, sizeof(text), "detected %s culprit", id);
	run(0);
	if (count_told(text) != whole)
		fail_msg("whole: %s %u times, not %u\n%s", id, count_told(text), whole, told);
	run(SMB_FLOW_PARTIAL);
	if (count_told(text) != partial)
		fail_msg("partial: %s %u times, not %u\n%s", id, count_told(text), partial, told);
}

static void expect_nothing(void)
{
	run(0);
	assert_not_told("detected");
	run(SMB_FLOW_PARTIAL);
	assert_not_told("detected");
}

static void i1_trans2_secondary_in_nt_transact(void **state)
{
	smb1_nt_transact(6, 200, 100);
	smb1_secondary(0x33, 200, 100, 100);
	expect("I1", 1, 1);
	expect("I3", 1, 0);

	/* An honest one. */
	reset(state);
	smb1_nt_transact(6, 200, 100);
	smb1_empty(0xa0, true); /* go on */
	smb1_nt_secondary(200, 100, 100);
	expect_nothing();

	/* Into an NT_TRANSACT of other ids. */
	reset(state);
	smb1_nt_transact(6, 200, 100);
	smb1_with.mid++;
	smb1_trans(0x32, 5, 200, 100);
	smb1_secondary(0x33, 200, 100, 100);
	expect_nothing();
}

static void i2_nt_transact_too_large(void **state)
{
	smb1_nt_transact(6, 0x10000, 100);
	expect("I2", 1, 1);
	reset(state);
	smb1_nt_transact(6, 0xffff, 100);
	expect_nothing();
}

static void i3_secondary_without_primary(void **state)
{
	static const uint8_t commands[] = {0x26, 0x33};

	for (unsigned i = 0; i < 2; i++) {
		reset(state);
		smb1_secondary(commands[i], 200, 100, 100);
		expect("I3", 1, 0);
		reset(state);
		smb1_trans(commands[i] - 1u, 1, 200, 100);
		smb1_secondary(commands[i], 200, 100, 100);
		expect_nothing();
	}
	reset(state);
	smb1_nt_secondary(200, 100, 100);
	expect("I3", 1, 0);
}

/* Each of the four ids counts. */
static void i3_ids_must_be_the_same(void **state)
{
	uint16_t *const ids[] = {&smb1_with.pid, &smb1_with.mid, &smb1_with.tid, &smb1_with.uid};

	for (unsigned i = 0; i < 4; i++) {
		reset(state);
		smb1_trans(0x32, 5, 200, 100);
		++*ids[i];
		smb1_secondary(0x33, 200, 100, 100);
		expect("I3", 1, 0);
	}
}

static void i3_a_transaction_ends_with_its_reply(void **state)
{
	smb1_trans(0x32, 5, 100, 100);
	smb1_with.status = 0xc000000d;
	smb1_empty(0x32, true);
	smb1_with.status = 0;
	expect_nothing();
	smb1_secondary(0x33, 200, 100, 100);
	expect("I3", 1, 0);

	/* Complete, and its reply in two parts. */
	reset(state);
	smb1_trans(0x32, 5, 100, 100);
	for (unsigned part = 0; part < 2; part++) {
		smb1_header(0x32, true);
		smb1_words(10);
		set16(word(1), 20);
		set16(word(6), 10);
		set16(word(7), msg_len - 4);
		set16(word(8), part * 10);
		put_zeros(10);
		smb1_end();
		send_msg(1);
	}
	expect_nothing();
	smb1_secondary(0x33, 200, 100, 100);
	expect("I3", 1, 0);
}

static void i3_errors_of_dos_end_it_too(void **state)
{
	smb1_with.flags2 = 0;
	smb1_trans(0x32, 5, 100, 100);
	smb1_with.status = 0x00050001; /* class DOS */
	smb1_empty(0x32, true);
	smb1_with.status = 0;
	smb1_secondary(0x33, 200, 100, 100);
	smb1_with.flags2 = 0x4000;
	expect("I3", 1, 0);
}

static void refuse(void)
{
	smb1_with.status = 0xc000000d;
	smb1_empty(0x32, true);
	smb1_with.status = 0;
}

/* A server that ends a transaction while the client sends the rest: the client could not know. */
static void i3_is_not_brought_about_by_the_server(void **state)
{
	smb1_trans(0x32, 5, 300, 100);
	smb1_empty(0x32, true); /* go on */
	refuse();
	smb1_secondary(0x33, 300, 100, 100);
	smb1_secondary(0x33, 300, 100, 200);
	refuse();
	expect_nothing();
	/* Once it knows, the ids are free for anything. */
	smb1_header(0x2f, false);
	smb1_words(12);
	smb1_no_andx();
	send_msg(0);
	expect_nothing();
	smb1_trans(0x32, 5, 100, 100);
	smb1_empty(0x32, true);
	expect_nothing();
	smb1_secondary(0x33, 300, 100, 100);
	expect("I3", 1, 0);
	/* More than was announced, or of another kind, is the client's doing. */
	reset(state);
	smb1_trans(0x32, 5, 300, 100);
	refuse();
	smb1_secondary(0x33, 300, 201, 100);
	expect("F5", 1, 1);
	reset(state);
	smb1_trans(0x32, 5, 300, 100);
	refuse();
	smb1_secondary(0x26, 300, 100, 100);
	expect("I3", 1, 0);
}

/* A reply that never ends leaves the ids to the client all the same. */
static void i4_ids_are_free_once_the_server_replies(void **state)
{
	smb1_trans(0x25, 0x54, 100, 100);
	smb1_header(0x25, true);
	smb1_words(10);
	set16(word(1), 20);
	set16(word(6), 10);
	set16(word(7), msg_len - 4);
	put_zeros(10);
	smb1_end();
	send_msg(1);
	smb1_header(0x2f, false);
	smb1_words(12);
	smb1_no_andx();
	send_msg(0);
	expect_nothing();
}

/* The same ids anew: the old transaction is gone. */
static void i3_a_new_primary_replaces_the_old(void **state)
{
	smb1_trans(0x32, 5, 200, 100);
	smb1_trans(0x25, 0x54, 200, 100);
	smb1_secondary(0x33, 200, 100, 100);
	expect("I3", 1, 0);
	expect("I4", 0, 0);
}

static void i4_write_under_a_transactions_ids(void **state)
{
	smb1_trans(0x25, 0x54, 200, 100);
	smb1_header(0x2f, false);
	smb1_words(12);
	smb1_no_andx();
	send_msg(0);
	expect("I4", 1, 1);

	reset(state);
	smb1_trans(0x25, 0x54, 200, 100);
	smb1_with.mid++;
	smb1_header(0x2f, false);
	smb1_words(12);
	smb1_no_andx();
	send_msg(0);
	expect_nothing();
}

static void i5_nt_rename(void **state)
{
	smb1_nt_transact(5, 200, 100);
	expect("I5", 1, 1);
	expect("I5a", 0, 0);
	smb1_nt_secondary(200, 100, 100);
	expect("I5a", 1, 1);
	for (unsigned function = 1; function <= 8; function++) {
		reset(state);
		smb1_nt_transact(function, 100, 100);
		expect("I5", function == 5, function == 5);
	}
}

static void i6_reserved_subcommands(void **state)
{
	static const struct {
		uint8_t subcommand;
		const char *id;
	} subcommands[] = {{0, NULL}, {1, NULL}, {3, NULL}, {4, "I6b"}, {5, NULL}, {8, NULL},
		{9, "I6"}, {0xa, "I6"}, {0xb, NULL}, {0xd, NULL}, {0xe, "I6a"}, {0x10, NULL},
		{0x11, "I6"}};

	for (unsigned i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		reset(state);
		smb1_trans(0x32, subcommands[i].subcommand, 0, 0);
		if (subcommands[i].id != NULL)
			expect(subcommands[i].id, 1, 1);
		else
			expect_nothing();
		/* The same number in a TRANSACTION is something else. */
		reset(state);
		smb1_trans(0x25, subcommands[i].subcommand, 0, 0);
		expect_nothing();
	}
}

static void i7_reply_that_nobody_asked_for(void **state)
{
	smb1_empty(0x10, false);
	smb1_with.mid++;
	smb1_empty(0x10, true);
	expect("I7", 1, 0);

	/* Asked for, and answered twice. */
	reset(state);
	smb1_empty(0x10, false);
	smb1_empty(0x10, true);
	smb1_empty(0x10, true);
	expect_nothing();

	/* An oplock break's MID is nobody's. */
	reset(state);
	smb1_empty(0x72, false);
	smb1_with.mid = 0xffff;
	smb1_empty(0x24, true);
	expect_nothing();
}

static void i8_codes_that_are_not_assigned(void **state)
{
	static const uint8_t reserved[] = {0x15, 0x19, 0x21, 0x30, 0x36, 0x5f, 0x60, 0x76, 0x7d,
		0x7f, 0x85, 0x9f, 0xa3, 0xa6, 0xbf, 0xc4, 0xdb, 0xfd, 0xfe, 0xff};
	static const uint8_t used[] = {0x00, 0x14, 0x1a, 0x20, 0x22, 0x31, 0x35, 0x70, 0x72, 0x80,
		0x84, 0xa4, 0xa5, 0xc0, 0xc3};

	for (unsigned i = 0; i < sizeof(reserved); i++) {
		reset(state);
		smb1_empty(reserved[i], false);
		expect("I8", 1, 1);
	}
	for (unsigned i = 0; i < sizeof(used); i++) {
		reset(state);
		smb1_empty(used[i], false);
		expect("I8", 0, 0);
	}
}

/* request: its MID; reply: its MID; the reply's status. */
static void ask_and_answer(unsigned request, unsigned reply, uint32_t status)
{
	reset(NULL);
	smb1_with.mid = (uint16_t)request;
	smb1_trans(0x32, 5, 0, 0);
	smb1_with.mid = (uint16_t)reply;
	smb1_with.status = status;
	smb1_empty(0x32, true);
	smb1_with.status = 0;
}

static void i9_an_implant_answers(void **state)
{
	ask_and_answer(0x41, 0x51, 0);
	expect("I9", 1, 1);
	assert_told("1 detected I9 culprit 1 value 51");
	ask_and_answer(0x42, 0x52, 0xc0000002);
	expect("I9", 1, 1);
	/* Its request was before the connection was picked up. */
	ask_and_answer(0x30, 0x52, 0xc0000002);
	expect("I9", 1, 1);
	/* As a clean host answers. */
	ask_and_answer(0x41, 0x41, 0xc0000002);
	expect_nothing();
	/* Honest: that MID was asked. */
	ask_and_answer(0x51, 0x51, 0xc0000002);
	expect_nothing();
	/* Picked up: a reply to something that was asked before is none. */
	ask_and_answer(0x30, 0x51, 0);
	expect("I9", 0, 0);
	ask_and_answer(0x3f, 0x4f, 0xc0000002);
	expect("I9", 0, 0);
	ask_and_answer(0x50, 0x60, 0xc0000002);
	expect("I9", 0, 0);
}

static void reply_under(uint16_t mid)
{
	smb1_with.mid = mid;
	smb1_with.status = 0xc0000002;
	smb1_empty(0x32, true);
	smb1_with.status = 0;
}

/* A client that asks under one MID time and again has none but itself to blame for the replies. */
static void i9_is_not_brought_about_by_the_client(void **state)
{
	smb1_with.mid = 0x51;
	smb1_trans(0x32, 5, 0, 0);
	for (unsigned i = 0; i < 40; i++) {
		smb1_with.mid = (uint16_t)(0x100 + i);
		smb1_empty(0x10, false);
	}
	smb1_with.mid = 0x51;
	smb1_trans(0x32, 5, 0, 0);
	smb1_with.mid = 0x41;
	smb1_trans(0x32, 5, 0, 0);
	reply_under(0x51);
	for (unsigned i = 0; i < 40; i++) {
		smb1_with.mid = (uint16_t)(0x100 + i);
		smb1_empty(0x10, true);
	}
	reply_under(0x51);
	expect_nothing();
	/* A third one, long after the last that was asked for: nobody is cut off for it. */
	reply_under(0x51);
	expect("I9", 0, 0);
	/* Even after another message of its MID only. */
	reset(state);
	smb1_with.mid = 0x52;
	smb1_empty(0xa4, false);
	smb1_with.mid = 0x42;
	smb1_trans(0x32, 5, 0, 0);
	reply_under(0x52);
	expect("I9", 0, 0);
}

/* What was forgotten, or was before the connection was picked up, may have been asked. */
static void i9_is_doubted_where_requests_are_missing(void **state)
{
	ask_and_answer(0x41, 0x51, 0);
	run(0);
	assert_told("1 detected I9 culprit 1 value 51\n");
	run(SMB_FLOW_PARTIAL);
	assert_told("1 detected I9 culprit 1 value 51 doubtful\n");
	reset(state);
	for (unsigned i = 0; i <= SMB1_REQUESTS; i++) {
		smb1_with.mid = (uint16_t)(0x100 + i);
		smb1_empty(0x10, false);
	}
	reply_under(0x51);
	run(0);
	assert_told("1 detected I9 culprit 1 value 51 doubtful\n");
	assert_not_told("detected I7");
	/* As often under one MID as is not counted any more. */
	reset(state);
	for (unsigned i = 0; i <= SMB1_TIMES; i++)
		smb1_empty(0x10, false);
	for (unsigned i = 0; i <= SMB1_TIMES + 40; i++)
		smb1_empty(0x10, true);
	reply_under(0x51);
	run(0);
	assert_told("1 detected I9 culprit 1 value 51 doubtful\n");
	assert_not_told("detected I7");
}

/* Each of several requests under one MID may be answered. */
static void i7_requests_are_counted(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		smb1_empty(0x10, false);
	smb1_empty(0x10, true);
	for (unsigned i = 0; i < SMB1_ANSWERED; i++) {
		smb1_with.mid = (uint16_t)(0x100 + i);
		smb1_empty(0x10, false);
		smb1_empty(0x10, true);
	}
	smb1_with.mid = 0x40;
	smb1_empty(0x10, true);
	expect_nothing();
}

static void f5_more_than_was_announced(void **state)
{
	smb1_trans(0x32, 5, 100, 101);
	expect("F5", 1, 1);
	reset(state);
	smb1_trans(0x32, 5, 200, 100);
	smb1_secondary(0x33, 200, 100, 101);
	expect("F5", 1, 1);
	/* A secondary may announce less, and is held to it. */
	reset(state);
	smb1_trans(0x32, 5, 200, 100);
	smb1_secondary(0x33, 150, 50, 100);
	expect_nothing();
	reset(state);
	smb1_trans(0x32, 5, 200, 100);
	smb1_secondary(0x33, 150, 51, 100);
	expect("F5", 1, 1);
	/* In 64 bits. */
	reset(state);
	smb1_nt_transact(6, 0xffff, 100);
	smb1_nt_secondary(0xffff, 100, 0xffffffd0);
	expect("F5", 1, 1);
}

static void f6_parts_out_of_order(void **state)
{
	smb1_trans(0x32, 5, 300, 100);
	smb1_secondary(0x33, 300, 100, 200);
	expect("F6", 1, 0);
	reset(state);
	smb1_trans(0x32, 5, 300, 100);
	smb1_secondary(0x33, 300, 100, 100);
	smb1_secondary(0x33, 300, 100, 200);
	expect_nothing();
}

static void f4_parts_lie_within_their_message(void **state)
{
	for (unsigned less = 0; less < 2; less++) {
		reset(state);
		smb1_header(0x32, false);
		smb1_words(15);
		set16(word(1), 20);
		set16(word(11), 20);
		set16(word(12), msg_len - 4);
		put_zeros(20 - less);
		smb1_end();
		send_msg(0);
		expect("F4", less, less);
	}
	/* In a reply too. */
	reset(state);
	smb1_trans(0x32, 5, 0, 0);
	smb1_header(0x32, true);
	smb1_words(10);
	set16(word(1), 20);
	set16(word(6), 20);
	set16(word(7), 4);
	put_zeros(40);
	smb1_end();
	send_msg(1);
	expect("F4", 1, 1);
	assert_told("1 detected F4 culprit 1");
}

/* Filling the table wins nothing: a secondary of what was forgotten has no primary. */
static void transactions_are_bounded(void **state)
{
	for (unsigned i = 0; i <= SMB1_TRANSACTIONS; i++) {
		smb1_with.mid = (uint16_t)(0x100 + i);
		smb1_trans(0x32, 5, 200, 100);
	}
	run(0);
	assert_int_equal(count_told("limit transactions"), 1);
	assert_not_told("detected");
	smb1_secondary(0x33, 200, 100, 100);
	run(0);
	assert_not_told("detected");
	smb1_with.mid = 0x100;
	smb1_secondary(0x33, 200, 100, 100);
	expect("I3", 1, 0);
}

/* What is not needed any more makes room first: none that is open is forgotten for it. */
static void closed_and_complete_transactions_make_room(void **state)
{
	smb1_with.mid = 0x100;
	smb1_trans(0x32, 5, 300, 100);
	for (unsigned i = 1; i <= SMB1_TRANSACTIONS; i++) {
		smb1_with.mid = (uint16_t)(0x100 + i);
		smb1_trans(0x32, 5, 200, 100);
		refuse();
	}
	run(0);
	assert_not_told("limit transactions");
	for (unsigned i = 1; i <= SMB1_TRANSACTIONS; i++) {
		smb1_with.mid = (uint16_t)(0x200 + i);
		smb1_trans(0x32, 5, 100, 100);
	}
	smb1_with.mid = 0x100;
	smb1_secondary(0x33, 300, 100, 100);
	run(0);
	assert_int_equal(count_told("limit transactions"), 1);
	assert_not_told("detected");
}

static void told_once_a_record(void **state)
{
	smb1_header(0x74, false);
	smb1_words(2);
	for (unsigned i = 0; i < 3; i++) {
		smb1_chain(0x2f);
		smb1_words(12);
		set16(word(10), 1000); /* without its data */
	}
	smb1_no_andx();
	send_msg(0);
	smb1_with.mid++;
	smb1_secondary(0x33, 0, 0, 0);
	smb1_secondary(0x33, 0, 0, 0);
	run(0);
	assert_int_equal(count_told("detected F4"), 1);
	assert_int_equal(count_told("detected I3"), 2);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(i1_trans2_secondary_in_nt_transact),
		TEST(i2_nt_transact_too_large),
		TEST(i3_secondary_without_primary),
		TEST(i3_ids_must_be_the_same),
		TEST(i3_a_transaction_ends_with_its_reply),
		TEST(i3_errors_of_dos_end_it_too),
		TEST(i3_is_not_brought_about_by_the_server),
		TEST(i4_ids_are_free_once_the_server_replies),
		TEST(i3_a_new_primary_replaces_the_old),
		TEST(i4_write_under_a_transactions_ids),
		TEST(i5_nt_rename),
		TEST(i6_reserved_subcommands),
		TEST(i7_reply_that_nobody_asked_for),
		TEST(i8_codes_that_are_not_assigned),
		TEST(i7_requests_are_counted),
		TEST(i9_an_implant_answers),
		TEST(i9_is_not_brought_about_by_the_client),
		TEST(i9_is_doubted_where_requests_are_missing),
		TEST(f4_parts_lie_within_their_message),
		TEST(f5_more_than_was_announced),
		TEST(f6_parts_out_of_order),
		TEST(transactions_are_bounded),
		TEST(closed_and_complete_transactions_make_room),
		TEST(told_once_a_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
