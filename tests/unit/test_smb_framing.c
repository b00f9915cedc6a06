/*
 * NetBIOS records and the connection around them: what frames, what does not, what happens then on
 * connections that were seen whole and on those that were picked up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smb1_rig.h"

static void records_are_told_whole(void **state)
{
	smb1_empty(0x72, false);
	send_bytes(0, "\x85\0\0", 4); /* keep-alive */
	smb1_empty(0x72, true);
	send_bytes(0, "\0\0\0", 4); /* an empty message */
	run(0);
	assert_int_equal(result, SMB_FLOW_OK);
	assert_told("0 record 39 type 00\n");
	assert_told("0 record 4 type 85\n0 end 4 ");
	assert_told("0 record 4 type 00\n0 end 4 ");
	assert_told("0 message v1 72 request at 4 tree 7 id 12340001\n0 end 39 ");
	assert_told("1 message v1 72 reply at 4 ");
	assert_not_told("detected");
}

static void several_records_in_one_segment(void **state)
{
	smb1_empty(0x72, false);
	smb1_with.mid++;
	smb1_empty(0x10, false);
	sends[0].len += sends[1].len;
	n_sends = 1;
	run(0);
	assert_int_equal(count_told("0 record 39"), 2);
	assert_int_equal(count_told("0 end 39"), 2);
}

static void session_service_on_139(void **state)
{
	uint8_t request[72] = {0x81, 0, 0, 68};

	send_bytes(0, request, sizeof(request));
	send_bytes(1, "\x82\0\0", 4);
	smb1_empty(0x72, false);
	run(SMB_FLOW_NETBIOS);
	assert_told("0 record 72 type 81\n");
	assert_told("1 record 4 type 82\n");
	assert_told("message v1 72");
	assert_not_told("detected");

	rig_reset(NULL);
	send_bytes(1, "\x83\0\0\1\x82", 5);
	send_bytes(1, "\x84\0\0\6\12\0\0\1\0\213", 10);
	run(SMB_FLOW_NETBIOS);
	assert_told("1 record 5 type 83\n");
	assert_told("1 record 10 type 84\n");
	assert_not_told("detected");
}

static void broken(const void *bytes, uint32_t len, unsigned flags, bool is_broken)
{
	rig_reset(NULL);
	send_bytes(0, bytes, len);
	run(flags);
	assert_int_equal(result, is_broken ? SMB_FLOW_BROKEN : SMB_FLOW_OK);
	assert_int_equal(count_told("detected F1 culprit 0"), is_broken);
}

static void what_is_no_record_is_a_verdict(void **state)
{
	broken("GET / HTTP/1.1\r\n", 16, 0, true);
	broken("\1\0\0\43\xffSMB", 8, 0, true); /* no such type */
	broken("\0\0\0\43\xffSMC", 8, 0, true);
	broken("\0\0\0\43\xfbSMB", 8, 0, true);
	broken("\0\0\0\3\xffSM", 7, 0, true); /* too short for a magic */
	broken("\x85\0\0\1", 4, 0, true);
	broken("\x82\0\0\1", 4, 0, true);
	broken("\x83\0\0\0", 4, 0, true);
	broken("\x84\0\0\7", 4, 0, true);
	broken("\x81\0\1\xfe", 4, 0, false); /* 510 bytes */
	broken("\x81\0\1\xff", 4, 0, true);
	broken("\0\1\xff\xff\xffSMB", 8, SMB_FLOW_NETBIOS, false); /* 17 bits */
	broken("\0\2\0\0\xffSMB", 8, SMB_FLOW_NETBIOS, true);
	broken("\0\2\0\0\xffSMB", 8, 0, false);
	broken("\0\xff\xff\xff\xfeSMB", 8, 0, false);
	/* Not to be said yet. */
	broken("\0\2\0\0\xffSM", 7, 0, false);
}

static void nothing_is_parsed_once_it_is_broken(void **state)
{
	send_bytes(0, "garbage!", 8);
	smb1_empty(0x72, false);
	smb1_empty(0x72, true);
	run(0);
	assert_int_equal(result, SMB_FLOW_BROKEN);
	assert_not_told("message");
	assert_int_equal(count_told("detected"), 1);
}

static void raw_data_comes_where_it_was_asked_for(void **state)
{
	smb1_header(0x1a, false); /* READ_RAW */
	smb1_words(8);
	send_msg(0);
	send_bytes(1, "\0\0\0\11raw bytes", 13);
	smb1_empty(0x72, true);
	run(0);
	assert_told("1 record 13 type 00\n1 read at 4 len 9 position 0\n1 end 13");
	assert_told("1 message v1 72 reply");
	assert_not_told("detected F");
	/* Only one. */
	send_bytes(1, "\0\0\0\11raw bytes", 13);
	run(0);
	assert_told("detected F1 culprit 1");
}

static void raw_data_may_be_shorter_than_a_magic(void **state)
{
	smb1_header(0x1d, false); /* WRITE_RAW */
	smb1_words(12);
	send_msg(0);
	send_bytes(0, "\0\0\0\2ab", 6);
	smb1_empty(0x72, false);
	run(0);
	assert_told("0 record 6 type 00\n0 write at 4 len 2 position 0\n0 end 6");
	assert_not_told("detected F1");
}

static void read_raw(unsigned fid, uint32_t position)
{
	smb1_header(0x1a, false);
	smb1_words(8);
	set16(word(0), fid);
	set32(word(1), position);
	send_msg(0);
}

/* The beginning of a record whose sizes overflow (C1), as a file may have it. */
static void compressed_overflow(void)
{
	msg_len = 4;
	put("\xfcSMB", 4);
	put32(0xffffffff);
	put32(1);
	put32(0xffffffff);
	put_zeros(20);
}

/* What a file holds is not what its server says, whatever it looks like. */
static void raw_data_is_no_message(void **state)
{
	read_raw(0x4001, 0x1000);
	compressed_overflow();
	send_msg(1);
	smb1_empty(0x72, true);
	run(0);
	assert_told("1 record 40 type 00\n1 read at 4 len 36 position 1000\n1 end 40");
	assert_told("1 message v1 72 reply");
	assert_not_told("compressed");
	assert_not_told("detected C");
	assert_not_told("detected F");
	/* Nothing more in it than its end: the next record is a message. */
	rig_reset(NULL);
	read_raw(0x4001, 0);
	send_bytes(1, "\0\0\0", 4);
	smb1_empty(0x72, true);
	run(0);
	assert_told("1 message v1 72 reply");
	/* One that nobody asked for is still one; but the client has had a hand in where it is. */
	compressed_overflow();
	send_msg(1);
	run(0);
	assert_told("1 detected C1 culprit 1 value ffffffff doubtful\n");
	/* Not so what the client sends. */
	compressed_overflow();
	send_msg(0);
	run(0);
	assert_told("0 detected C1 culprit 0 value ffffffff\n");
}

/* The one request of servers may come before it. */
static void an_oplock_break_is_no_raw_data(void **state)
{
	read_raw(0x4001, 0);
	smb1_with.mid = 0xffff;
	smb1_header(0x24, false);
	smb1_words(8);
	smb1_no_andx();
	send_msg(1);
	send_bytes(1, "\0\0\0\11raw bytes", 13);
	smb1_with.mid = 1;
	smb1_empty(0x72, true);
	run(0);
	assert_told("1 message v1 24 request");
	assert_told("1 read at 4 len 9 position 0");
	assert_told("1 message v1 72 reply");
	assert_not_told("detected F");
}

static void write_raw(unsigned here)
{
	smb1_header(0x1d, false);
	smb1_words(12);
	set16(word(0), 0x4001);
	set32(word(3), 0x2000);
	set16(word(10), here);
	set16(word(11), msg_len - 4);
	put_zeros(here);
	smb1_end();
	send_msg(0);
}

/* Once the server lets the client send it. */
static void raw_data_may_be_sent_when_it_is_granted(void **state)
{
	write_raw(16);
	smb1_empty(0x1d, true);
	compressed_overflow();
	send_msg(0);
	smb1_empty(0x20, true);
	smb1_empty(0x72, false);
	run(0);
	assert_told("0 write at 63 len 16 position 2000");
	assert_told("0 record 40 type 00\n0 write at 4 len 36 position 2010\n0 end 40");
	assert_told("0 message v1 72 request");
	assert_not_told("detected");
	/* It is refused: what follows is a message. */
	rig_reset(NULL);
	write_raw(0);
	smb1_with.status = 0xc0000002;
	smb1_empty(0x1d, true);
	smb1_with.status = 0;
	compressed_overflow();
	send_msg(0);
	run(0);
	assert_told("0 detected C1 culprit 0 value ffffffff\n");
	/* Granted is what is not refused by its status, whatever it says otherwise. */
	for (unsigned i = 0; i < 2; i++) {
		rig_reset(NULL);
		write_raw(0);
		smb1_with.status = i == 0 ? 0x40000000 : 0x80000005;
		smb1_empty(i == 0 ? 0x2f : 0x32, true);
		smb1_with.status = 0;
		compressed_overflow();
		send_msg(0);
		run(0);
		assert_not_told("detected C1");
	}
	/* As much is granted as was asked for. */
	rig_reset(NULL);
	write_raw(0);
	smb1_empty(0x1d, true);
	smb1_empty(0x1d, true);
	send_bytes(0, "\0\0\0\11raw bytes", 13);
	compressed_overflow();
	send_msg(0);
	run(0);
	assert_told("0 detected C1 culprit 0 value ffffffff\n");
}

/* A client that does not wait hides nothing: each of its magics is looked at. */
static void who_does_not_wait_is_looked_at(void **state)
{
	write_raw(0);
	write_raw(0);
	smb1_empty(0x1d, true);
	compressed_overflow();
	send_msg(0);
	smb1_empty(0x72, false);
	run(0);
	assert_told("0 detected C1 culprit 0 value ffffffff\n");
	assert_told("0 message v1 72 request");
}

static void picked_up_it_finds_the_next_record(void **state)
{
	send_bytes(0, "\0\0\0\43\xffSMBSMB\0\0\0\10\xffSMB\0\0", 21); /* none: too short */
	talk[8] = 'x'; /* "\0\0\0#\xffSMBx..." is one: spoil it */
	talk[4] = 0xf0;
	smb1_empty(0x72, false);
	smb1_with.mid++;
	smb1_empty(0x10, false);
	run(SMB_FLOW_PARTIAL);
	assert_told("0 resync 21\n0 record 39 type 00\n");
	assert_int_equal(count_told("record"), 2);
	assert_int_equal(count_told("end 39"), 2);
	assert_not_told("detected");
}

static void picked_up_it_begins_at_once(void **state)
{
	smb1_empty(0x72, false);
	run(SMB_FLOW_PARTIAL);
	assert_told("0 record 39 type 00\n");
	assert_not_told("resync");
}

static void picked_up_a_bad_record_is_passed_over(void **state)
{
	smb1_empty(0x72, false);
	send_bytes(0, "\0\0\0\43garbage", 11);
	smb1_empty(0x10, false);
	send_bytes(0, "\x86\0", 2); /* and a bad type */
	smb1_empty(0x71, false);
	run(SMB_FLOW_PARTIAL);
	assert_int_equal(count_told("0 record 39"), 3);
	assert_told("0 resync 11\n");
	assert_told("0 resync 2\n");
	assert_int_equal(result, SMB_FLOW_OK);
	assert_not_told("detected");
}

/* A record's beginning may hide in the bytes of one that is none. */
static void picked_up_it_loses_no_beginning(void **state)
{
	send_bytes(0, "\0\0\0\60\0", 5);
	smb1_empty(0x72, false);
	run(SMB_FLOW_PARTIAL);
	assert_told("0 resync 5\n0 record 39");
}

static void a_gap_makes_it_partial(void **state)
{
	smb1_empty(0x72, false);
	smb1_header(0x2f, false);
	smb1_words(12);
	smb1_no_andx();
	put_zeros(400);
	send_msg(0);
	sends[1].len -= 300; /* lost */
	send_gap(0);
	send_bytes(0, "rest of it", 10);
	smb1_empty(0x71, false);
	run(0);
	assert_told("0 resync 10\n0 record 39");
	assert_told("message v1 71");
	assert_int_equal(result, SMB_FLOW_OK);
	/* What says that something was not there is silent from now on. */
	smb1_secondary(0x33, 0, 0, 0);
	run(0);
	assert_not_told("detected I3");
}

static void the_first_message_says_who_is_the_client(void **state)
{
	smb1_empty(0x72, true);
	sends[0].side = 0;
	smb1_empty(0x10, false);
	sends[1].side = 1;
	run(SMB_FLOW_PARTIAL);
	assert_told("1 message v1 72 reply");
	assert_told("0 message v1 10 request");
	assert_not_told("detected");
	/* Not where it was seen who opened it. */
	run(0);
	assert_told("0 message v1 72 request");
	assert_told("0 detected F10 culprit 0");
}

/* What NetBIOS' session service may send before the first message, by its type and length. */
static void netbios_before_smb_is_recognised(void **state)
{
	static const struct {
		uint8_t head[4];
		int is_smb;
	} packets[] = {
		{{0x00, 0, 0, 0}, 1}, /* a message of no bytes */
		{{0x81, 0, 0, 68}, 1}, /* session request */
		{{0x81, 0, 2, 0}, 1},
		{{0x81, 0, 2, 1}, 0}, /* of more than names can have */
		{{0x81, 1, 0, 68}, 0},
		{{0x82, 0, 0, 0}, 1}, /* positive, and negative response */
		{{0x82, 0, 0, 1}, 0},
		{{0x83, 0, 0, 1}, 1},
		{{0x83, 0, 0, 0}, 0},
		{{0x84, 0, 0, 6}, 1}, /* retarget */
		{{0x84, 0, 0, 7}, 0},
		{{0x85, 0, 0, 0}, 1}, /* keep-alive */
		{{0x85, 0, 0, 1}, 0},
		{{0x80, 0, 0, 0}, 0},
		{{0x86, 0, 0, 0}, 0},
	};

	for (unsigned i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		uint8_t bytes[8] = {0};

		memcpy(bytes, packets[i].head, 4);
		assert_int_equal(smb_flow_recognise(bytes, 4), packets[i].is_smb);
		assert_int_equal(smb_flow_recognise(bytes, 8), packets[i].is_smb);
		for (uint32_t len = 1; packets[i].is_smb && len < 4; len++)
			assert_int_equal(smb_flow_recognise(bytes, len), -1);
	}
	assert_int_equal(smb_flow_recognise((const uint8_t *)"", 0), -1);
}

static void smb_is_recognised_by_its_first_bytes(void **state)
{
	static const uint8_t smb2[12] = {0, 0, 1, 2, 0xfe, 'S', 'M', 'B', 64};

	assert_int_equal(smb_flow_recognise(smb2, 12), 1);
	assert_int_equal(smb_flow_recognise(smb2, 8), 1);
	for (uint32_t len = 0; len < 8; len++)
		assert_int_equal(smb_flow_recognise(smb2, len), -1);
	assert_int_equal(smb_flow_recognise((const uint8_t *)"GET", 3), 0);
	assert_int_equal(smb_flow_recognise((const uint8_t *)"\0\0\0\x40\xfbSMB", 8), 0);
	assert_int_equal(smb_flow_recognise((const uint8_t *)"\0\0\0\x40\xfcSMB", 8), 1);
	assert_int_equal(smb_flow_recognise((const uint8_t *)"\0\0\0\x40\xffSSH", 8), 0);
	/* What may stand before it: a session request and its answers, keep-alives, nothing. */
	assert_int_equal(smb_flow_recognise((const uint8_t *)"\x81\0\0\x44", 4), 1);
	assert_int_equal(smb_flow_recognise((const uint8_t *)"\x81\0\0", 3), -1);
	assert_int_equal(smb_flow_recognise((const uint8_t *)"\x82\0\0\0", 4), 1);
	assert_int_equal(smb_flow_recognise((const uint8_t *)"\x85\0\0\1", 4), 0);
	assert_int_equal(smb_flow_recognise((const uint8_t *)"\0\0\0\0", 4), 1);
}

static void every_detection_explains_itself(void **state)
{
	for (unsigned i = 0; i < SMB_DETECTIONS; i++) {
		const struct smb_invariant *a = smb_invariant(i);

		assert_true(strlen(a->text) > 30 && a->text[strlen(a->text) - 1] != '.');
		assert_true(strlen(a->name) > 3);
		assert_non_null(smb_action_name(a->action));
		for (unsigned j = 0; j < i; j++) {
			assert_string_not_equal(a->id, smb_invariant(j)->id);
			assert_string_not_equal(a->text, smb_invariant(j)->text);
		}
	}
	for (unsigned i = 0; i < SMB_LIMITS; i++)
		assert_non_null(smb_limit_name(i));
	assert_string_equal(smb_action_name(SMB_ACTION_quarantine), "quarantine");
	assert_string_equal(smb_invariant(SMB_FOUND_nt_transact_mixed)->id, "I1");
	assert_true(smb_invariant(SMB_FOUND_secondary_unmatched)->needs_whole);
	assert_false(smb_invariant(SMB_FOUND_nt_transact_mixed)->needs_whole);
}

#define TEST(name) cmocka_unit_test_setup(name, rig_reset)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(records_are_told_whole),
		TEST(several_records_in_one_segment),
		TEST(session_service_on_139),
		TEST(what_is_no_record_is_a_verdict),
		TEST(nothing_is_parsed_once_it_is_broken),
		TEST(raw_data_comes_where_it_was_asked_for),
		TEST(raw_data_may_be_shorter_than_a_magic),
		TEST(raw_data_is_no_message),
		TEST(an_oplock_break_is_no_raw_data),
		TEST(raw_data_may_be_sent_when_it_is_granted),
		TEST(who_does_not_wait_is_looked_at),
		TEST(picked_up_it_finds_the_next_record),
		TEST(picked_up_it_begins_at_once),
		TEST(picked_up_a_bad_record_is_passed_over),
		TEST(picked_up_it_loses_no_beginning),
		TEST(a_gap_makes_it_partial),
		TEST(the_first_message_says_who_is_the_client),
		TEST(smb_is_recognised_by_its_first_bytes),
		TEST(netbios_before_smb_is_recognised),
		TEST(every_detection_explains_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
