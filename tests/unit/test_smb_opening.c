/*
 * Connections that were picked up: what is found in them is in doubt until the two directions
 * agree, and behind a gap for good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smb1_rig.h"
#include "smb2_rig.h"
#include "smb_opening.h"

static int reset(void **state)
{
	smb1_with.pid = 0xfeff;
	smb1_with.mid = 0x40;
	smb1_with.status = 0;
	smb2_with.id = 0;
	return rig_reset(state);
}

/* A record that anybody may write into a file: its sizes overflow (C1). */
static void overflow(unsigned side)
{
	msg_len = 4;
	put("\xfcSMB", 4);
	put32(0xffffffff);
	put32(1);
	put32(0xffffffff);
	put_zeros(20);
	send_msg(side);
}

static void exchange(unsigned command)
{
	smb1_empty(command, false);
	smb1_empty(command, true);
}

static void beginning(void)
{
	exchange(0x72);
	exchange(0x73);
}

static void expect_from(unsigned side, bool doubtful)
{
	char text[64];

	snprintf(text, sizeof(text), "%u detected C1 culprit %u value ffffffff%s\n", side, side,
		doubtful ? " doubtful" : "");
	run(SMB_FLOW_PARTIAL);
	if (count_told(text) != 1)
		fail_msg("not told: %s%s", text, told);
}

/* What a file holds, read in the midst of a connection. */
static void content_is_doubtful(void **state)
{
	send_bytes(1, "the middle of a file", 20);
	overflow(1);
	smb1_empty(0x2e, false);
	expect_from(1, true);
	/* Seen whole there is no doubt, and none of this is a message. */
	run(0);
	assert_int_equal(result, SMB_FLOW_BROKEN);
	/* Where it begins with the first byte, too. */
	reset(state);
	overflow(0);
	expect_from(0, true);
	reset(state);
	overflow(1);
	expect_from(1, true);
}

static void agreement_ends_the_doubt(void **state)
{
	for (unsigned side = 0; side < 2; side++) {
		reset(state);
		beginning();
		overflow(side);
		expect_from(side, false);
	}
	/* As soon as it is over, and not before. */
	reset(state);
	exchange(0x72);
	smb1_empty(0x73, false);
	overflow(0);
	expect_from(0, true);
}

/* In the midst of a connection as well, if it is idle then. */
static void other_commands_do_too(void **state)
{
	exchange(0x10);
	smb1_with.mid++;
	exchange(0x71);
	overflow(0);
	expect_from(0, false);
	/* Behind a reply to what was not seen, and requests that did not wait. */
	reset(state);
	smb1_empty(0x10, true);
	smb1_empty(0x10, false);
	smb1_with.mid++;
	smb1_empty(0x10, false);
	smb1_with.mid++;
	exchange(0x72);
	exchange(0x72);
	exchange(0x72);
	overflow(1);
	expect_from(1, false);
}

/* Each of these lacks something. */
static void what_is_no_agreement(void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		reset(state);
		switch (i) {
		case 0: /* not from its first byte */
			send_bytes(0, "x", 1);
			beginning();
			break;
		case 1:
			smb1_empty(0x72, false);
			send_bytes(1, "x", 1);
			smb1_empty(0x72, true);
			exchange(0x73);
			break;
		case 2: /* a gap */
			exchange(0x72);
			send_gap(1);
			exchange(0x73);
			break;
		case 3: /* something to be found in it */
			smb1_header(0x72, false);
			smb1_words(0);
			set16(bytes_at, 100);
			send_msg(0);
			smb1_empty(0x72, true);
			exchange(0x73);
			break;
		case 4: /* another MID, another command */
			for (unsigned k = 0; k < 2; k++) {
				smb1_empty(0x72, false);
				smb1_with.mid++;
				smb1_empty(0x72, true);
				smb1_empty(0x72, false);
				smb1_empty(0x73, true);
			}
			break;
		default: /* none waits */
			for (unsigned k = 0; k < 2; k++)
				smb1_empty(0x72, false);
			for (unsigned k = 0; k < 2; k++)
				smb1_empty(0x72, true);
			break;
		}
		overflow(0);
		run(SMB_FLOW_PARTIAL);
		if (count_told("0 detected C1 culprit 0 value ffffffff doubtful\n") != 1)
			fail_msg("case %u\n%s", i, told);
	}
}

/* Who has replies to every MID in a file does not come by one in time. */
static void guesses_are_bounded(void **state)
{
	for (unsigned tries = SMB_OPENING_TRIES - 1; tries <= SMB_OPENING_TRIES; tries++) {
		reset(state);
		smb1_with.mid = 1;
		for (unsigned i = 0; i < tries; i++)
			smb1_empty(0x10, true);
		exchange(0x10);
		exchange(0x10);
		overflow(1);
		expect_from(1, tries == SMB_OPENING_TRIES);
	}
}

static void smb2_exchange(unsigned command)
{
	uint64_t id = smb2_with.id;

	for (unsigned reply = 0; reply < 2; reply++) {
		smb2_with.id = id;
		smb2_header(command, reply);
		if (command == 0 && reply == 1) {
			put16(65);
			put_zeros(62);
		} else {
			put16(25);
			put_zeros(62);
		}
		send_msg(reply);
	}
	smb2_with.id = id + 1;
}

static void smb2_has_its_beginning(void **state)
{
	smb2_exchange(0);
	smb2_exchange(1);
	overflow(0);
	expect_from(0, false);
	/* From SMB1: the answer is SMB2's, and negotiates again or not. */
	for (unsigned again = 0; again < 2; again++) {
		reset(state);
		smb1_empty(0x72, false);
		smb2_header(0, true);
		put16(65);
		put_zeros(62);
		send_msg(1);
		if (again)
			smb2_exchange(0);
		smb2_exchange(1);
		overflow(1);
		expect_from(1, false);
	}
}

/* Behind a gap it is as in the midst: no second beginning is believed. */
static void a_gap_brings_doubt(void **state)
{
	beginning();
	send_gap(0);
	beginning();
	overflow(0);
	expect_from(0, true);
	run(0);
	assert_told("0 detected C1 culprit 0 value ffffffff doubtful\n");
	/* The server may have been asked for raw data in it. */
	reset(state);
	beginning();
	send_gap(0);
	overflow(1);
	expect_from(1, true);
	/* The client was not, without a raw mode. */
	reset(state);
	beginning();
	send_gap(1);
	overflow(0);
	expect_from(0, false);
}

/* A record that is none makes the side one that looks for the next. */
static void so_does_a_bad_record(void **state)
{
	beginning();
	send_bytes(0, "garbage!", 8);
	overflow(0);
	expect_from(0, true);
}

/* The reply that ended the transaction may have been missed, and its ids be free. */
static void i4_is_doubtful_where_replies_are_missing(void **state)
{
	smb1_trans(0x25, 0x54, 200, 100);
	smb1_header(0x2f, false);
	smb1_words(12);
	smb1_no_andx();
	send_msg(0);
	run(0);
	assert_told("0 detected I4 culprit 0 value 40\n");
	reset(state);
	beginning();
	smb1_trans(0x25, 0x54, 200, 100);
	send_gap(1);
	smb1_header(0x2f, false);
	smb1_words(12);
	smb1_no_andx();
	send_msg(0);
	run(0);
	assert_told("0 detected I4 culprit 0 value 40 doubtful\n");
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(content_is_doubtful),
		TEST(agreement_ends_the_doubt),
		TEST(other_commands_do_too),
		TEST(what_is_no_agreement),
		TEST(guesses_are_bounded),
		TEST(smb2_has_its_beginning),
		TEST(a_gap_brings_doubt),
		TEST(so_does_a_bad_record),
		TEST(i4_is_doubtful_where_replies_are_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
