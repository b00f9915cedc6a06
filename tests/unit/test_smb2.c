/*
 * SMB2 and SMB3: headers, compounds, names, data; encrypted and compressed records. The compressed
 * ones are headers with zeros behind them: nothing in them decompresses to anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smb2_rig.h"

static uint8_t zeros[0x10000];

static int reset(void **state)
{
	smb2_with.id = 1;
	smb2_with.tree = 5;
	smb2_with.status = 0;
	return rig_reset(state);
}

static void headers_must_be_whole(void **state)
{
	smb2_header(13, false);
	send_msg(0);
	run(0);
	assert_told("0 message v2 0d request at 4 tree 5 id 1\n");
	assert_not_told("detected");

	reset(state);
	smb2_header(13, false);
	msg_len--;
	send_msg(0);
	run(0);
	assert_told("detected F2 culprit 0");

	reset(state);
	smb2_header(13, false);
	msg[8] = 65;
	send_msg(0);
	run(0);
	assert_told("detected F8 culprit 0 value 41");

	/* A body that is cut off. */
	reset(state);
	smb2_header(9, false);
	put_zeros(47);
	send_msg(0);
	run(0);
	assert_told("detected F2");
}

static void every_message_of_a_compound_is_told(void **state)
{
	smb2_header(13, false);
	put_zeros(5);
	for (unsigned i = 0; i < 4; i++)
		smb2_next(13, false);
	send_msg(0);
	run(0);
	assert_int_equal(count_told("message v2 0d request"), 5);
	assert_int_equal(count_told("chained"), 4);
	assert_told("0 message v2 0d request chained at 76 tree 5 id 2\n");
	assert_not_told("detected");
}

static void compounds_are_bounded(void **state)
{
	smb2_header(13, false);
	for (unsigned i = 0; i < SMB2_COMPOUND_MAX; i++)
		smb2_next(13, false);
	send_msg(0);
	run(0);
	assert_int_equal(count_told("message v2 0d"), SMB2_COMPOUND_MAX);
	assert_told("limit compound");
}

static void next_commands_must_be_in_place(void **state)
{
	static const struct {
		uint32_t next;
		bool bad;
	} nexts[] = {{64, false}, {72, false}, {8, true}, {56, true}, {68, true}, {80, true},
		{144, true}, {0xfffffff8, true}, {0, false}};

	for (unsigned i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
		reset(state);
		smb2_header(13, false);
		put_zeros(8);
		smb2_next(13, false);
		if (nexts[i].next == 64) {
			/* Right behind its header. */
			memmove(msg + 68, msg + 76, 64);
			msg_len -= 8;
		}
		set32(24, nexts[i].next);
		send_msg(0);
		run(0);
		if (count_told("detected F7") != nexts[i].bad)
			fail_msg("%u\n%s", nexts[i].next, told);
	}
}

static void directions_must_agree(void **state)
{
	smb2_header(13, true);
	send_msg(0);
	run(0);
	assert_told("0 detected F10 culprit 0");
}

static void names_are_told(void **state)
{
	smb2_tree_connect("\\\\172.16.99.5\\IPC$", true);
	smb2_header(5, false);
	put16(57);
	put_zeros(42);
	put16(120);
	put16(14);
	put_zeros(8);
	put_wide("svcctl!");
	send_msg(0);
	run(0);
	assert_told("0 tree '\\\\172.16.99.5\\IPC$' pipe host ac106305\n");
	assert_told("0 create 'svcctl!' pipe host");
	assert_not_told("detected");
	assert_not_told("limit");
}

/* Characters of one to four bytes in UTF-8, and a surrogate that stands alone. */
static void names_come_in_utf8(void **state)
{
	static const uint16_t name[] = {'a', 0xe4, 0x20ac, 0xd83d, 0xde00, 0xd83d, 'b'};

	smb2_header(5, false);
	put16(57);
	put_zeros(42);
	put16(120);
	put16(sizeof(name));
	put_zeros(8);
	for (unsigned i = 0; i < sizeof(name) / 2; i++)
		put16(name[i]);
	send_msg(0);
	run(0);
	assert_told("create 'a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd"
		    "b' host");
}

static void names_lie_within_their_message(void **state)
{
	static const struct {
		uint32_t offset, len;
		bool bad;
	} names[] = {{120, 8, false}, {119, 8, true}, {121, 8, true}, {120, 10, true}, {0, 2, true},
		{0xffff, 2, true}, {0, 0, false}};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		reset(state);
		smb2_header(5, false);
		put_zeros(44);
		put16(names[i].offset);
		put16(names[i].len);
		put_zeros(8);
		put_wide("name");
		send_msg(0);
		run(0);
		if (count_told("detected F4") != names[i].bad)
			fail_msg("%u+%u\n%s", names[i].offset, names[i].len, told);
	}
}

static void users_are_told(void **state)
{
	uint32_t message;

	smb2_header(1, false);
	put16(25);
	put_zeros(10);
	put16(88);
	put16(102);
	put_zeros(8);
	put("\xa1\x82\1\2", 4);
	message = msg_len;
	put("NTLMSSP\0\3\0\0\0", 12);
	put_zeros(76);
	set32(message + 60, 1);
	set16(message + 36, 10);
	set32(message + 40, 88);
	put_wide("carol");
	send_msg(0);
	run(0);
	assert_told("0 user 'carol' host");
	assert_not_told("limit");
	/* A user that lies behind what is looked at. */
	set32(message + 40, 1000);
	n_sends = talk_len = 0;
	send_msg(0);
	run(0);
	assert_not_told("user");
	assert_told("limit name");
}

static void writes_and_reads_tell_where_their_data_is(void **state)
{
	smb2_tree_connect("\\\\srv\\data", false);
	smb2_header(9, false);
	smb2_write(77, 0x500000000ull, zeros, 0x10000);
	send_msg(0);
	smb2_header(8, false);
	put_zeros(8);
	put64(0x600000000ull);
	put64(77);
	put_zeros(24);
	send_msg(0);
	smb2_with.id--;
	/* Pending at first. */
	smb2_with.status = 0x103;
	smb2_header(8, true);
	put_zeros(9);
	send_msg(1);
	smb2_with.status = 0;
	smb2_with.id--;
	smb2_header(8, true);
	put16(17);
	put16(80);
	put32(1000);
	put_zeros(8);
	put(zeros, 1000);
	send_msg(1);
	run(0);
	assert_told("0 write at 116 len 65536 position 500000000\n");
	assert_told("1 read at 84 len 1000 position 600000000\n");
	assert_not_told("detected");
	/* The same once more is a reply to what is not pending any more. */
	smb2_with.id--;
	send_msg(1);
	run(0);
	assert_told("1 read at 84 len 1000 position unknown 0\n");
}

/* The same number is another tree in another session, and another one's writes are files'. */
static void trees_are_of_their_session(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	smb2_header(9, false);
	smb2_write(1, 0, zeros, 100);
	send_msg(0);
	run(0);
	assert_not_told("0 write");
	smb2_with.session++;
	smb2_header(9, false);
	smb2_write(1, 0, zeros, 100);
	send_msg(0);
	smb2_with.session--;
	run(0);
	assert_int_equal(count_told("0 write at 116 len 100"), 1);
	/* Disconnected. */
	smb2_header(4, false);
	put_zeros(4);
	send_msg(0);
	smb2_header(9, false);
	smb2_write(1, 0, zeros, 100);
	send_msg(0);
	run(0);
	assert_int_equal(count_told("0 write at 116 len 100"), 2);
}

/* related: the messages behind the tree connect belong to it. */
static void connect_and_write(bool related)
{
	reset(NULL);
	smb2_tree_connect("\\\\srv\\data", false);
	smb2_header(3, false);
	put16(9);
	put16(0);
	put16(72);
	put16(20);
	put_wide("\\\\srv\\IPC$");
	smb2_next(9, false);
	if (related)
		set32(smb2_at + 16, 4);
	smb2_write(1, 0, zeros, 100);
	send_msg(0);
	run(0);
	assert_not_told("detected");
}

static void related_messages_go_to_the_same_tree(void **state)
{
	connect_and_write(true);
	assert_not_told("0 write");
	connect_and_write(false);
	assert_told("0 write");
	/* Without a tree connect: the tree of the one before. */
	reset(state);
	smb2_tree_connect("\\\\srv\\IPC$", true);
	smb2_header(13, false);
	smb2_with.tree = UINT32_MAX;
	smb2_next(9, false);
	set32(smb2_at + 16, 4);
	smb2_write(1, 0, zeros, 100);
	send_msg(0);
	run(0);
	assert_not_told("0 write");
	assert_told("message v2 09 request chained at 68 tree 5 ");
}

static void data_lies_within_its_message(void **state)
{
	static const struct {
		uint32_t offset, len;
		bool bad;
	} places[] = {{112, 100, false}, {111, 100, true}, {113, 100, true}, {112, 101, true},
		{112, 0xffffffff, true}, {0, 0, false}};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		reset(state);
		smb2_header(9, false);
		smb2_write(1, 0, zeros, 100);
		set32(smb2_at + 64 + 4, places[i].len);
		set16(smb2_at + 64 + 2, places[i].offset);
		send_msg(0);
		run(0);
		if (count_told("detected F4") != places[i].bad)
			fail_msg("%u+%u\n%s", places[i].offset, places[i].len, told);
	}
	/* Nor does it reach into the next of a compound. */
	reset(state);
	smb2_header(9, false);
	smb2_write(1, 0, zeros, 80);
	smb2_next(13, false);
	set32(4 + 64 + 4, 81);
	send_msg(0);
	run(0);
	assert_told("detected F4");
}

static void pending_requests_are_bounded(void **state)
{
	for (unsigned i = 0; i <= SMB2_PENDING; i++) {
		smb2_header(8, false);
		put_zeros(48);
		send_msg(0);
	}
	run(0);
	assert_int_equal(count_told("limit pending"), 1);
}

static void what_is_answered_is_not_pending(void **state)
{
	/* One that waits for long, and many that end, in errors too. */
	smb2_header(8, false);
	put_zeros(48);
	send_msg(0);
	for (unsigned i = 0; i < 3 * SMB2_PENDING; i++) {
		smb2_header(8, false);
		put_zeros(48);
		send_msg(0);
		smb2_with.id--;
		smb2_with.status = i % 2 ? 0xc0000011 : 0;
		smb2_header(8, true);
		put16(17);
		put_zeros(14);
		send_msg(1);
		smb2_with.status = 0;
	}
	/* It is still known. */
	smb2_with.id = 1;
	smb2_header(8, true);
	put16(17);
	put16(80);
	put32(10);
	put_zeros(18);
	send_msg(1);
	run(0);
	assert_not_told("limit");
	assert_told("1 read at 84 len 10 position 0\n");
}

static void encrypted(uint32_t size, uint32_t there)
{
	put("\xfdSMB", 4);
	put_zeros(32);
	put32(size);
	put16(0);
	put16(1);
	put64(0xabcdef);
	put_zeros(there);
}

static void encrypted_records_are_passed_over(void **state)
{
	msg_len = 4;
	encrypted(1000, 1000);
	send_msg(0);
	/* Several in a record. */
	msg_len = 4;
	encrypted(100, 100);
	encrypted(200, 200);
	send_msg(0);
	smb2_header(13, false);
	send_msg(0);
	run(0);
	assert_told("0 encrypted 1000 session abcdef\n");
	assert_told("0 encrypted 100 session abcdef\n0 encrypted 200 session abcdef\n");
	assert_told("message v2 0d");
	assert_not_told("detected");
}

static void encrypted_lengths_must_fit(void **state)
{
	static const struct {
		uint32_t size, there;
	} bad[] = {{101, 100}, {0xffffffff, 100}, {99, 100}, {40, 100}};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reset(state);
		msg_len = 4;
		encrypted(bad[i].size, bad[i].there);
		send_msg(0);
		run(0);
		assert_told("detected F9 culprit 0");
	}
	/* Nothing goes plain behind it. */
	reset(state);
	msg_len = 4;
	encrypted(100, 100);
	smb2_at = 0;
	smb2_next(13, false);
	send_msg(0);
	run(0);
	assert_told("detected F9");
	assert_not_told("message");
}

static void compressed(uint32_t original, unsigned flags, uint32_t offset, uint32_t there)
{
	msg_len = 4;
	put("\xfcSMB", 4);
	put32(original);
	put16(2);
	put16(flags);
	put32(offset);
	put_zeros(there);
	send_msg(0);
}

static void expect(const char *id, bool found)
{
	char text[32];

	snprintf(text, sizeof(text), "detected %s culprit 0", id);
	run(0);
	if (count_told(text) != found)
		fail_msg("%s %s\n%s", id, found ? "not told" : "told", told);
}

static void c1_sizes_that_overflow(void **state)
{
	smb2_negotiate_reply(0x311, 0x100000, true);
	compressed(0xffffffff, 0, 16, 100);
	expect("C1", true);
	reset(state);
	smb2_negotiate_reply(0x311, 0x100000, true);
	compressed(0xffffffff, 0, 0, 100);
	expect("C1", false);
	reset(state);
	compressed(0xfffffff0, 0, 15, 100);
	expect("C1", false);
	reset(state);
	compressed(0xfffffff0, 0, 16, 100);
	expect("C1", true);
	reset(state);
	compressed(16, 0, 0xffffffff, 100);
	expect("C1", true);
}

static void c2_offset_behind_the_record(void **state)
{
	compressed(200, 0, 100, 100);
	expect("C2", false);
	reset(state);
	compressed(200, 0, 101, 100);
	expect("C2", true);
}

static void c3_more_than_was_negotiated(void **state)
{
	smb2_negotiate_reply(0x311, 0x100000, true);
	compressed(0x110000, 0, 0, 100);
	expect("C3", false);
	reset(state);
	smb2_negotiate_reply(0x311, 0x100000, true);
	compressed(0x110001, 0, 0, 100);
	expect("C3", true);
	/* Where nothing was, 8 MiB. */
	reset(state);
	compressed(8u << 20, 0, 0, 100);
	expect("C3", false);
	reset(state);
	compressed((8u << 20) + 1, 0, 0, 100);
	expect("C3", true);
}

static void c4_without_having_been_negotiated(void **state)
{
	smb2_negotiate_reply(0x311, 0x100000, true);
	compressed(100, 0, 0, 100);
	run(0);
	assert_not_told("detected");
	assert_told("0 compressed 116 from 100\n");
	reset(state);
	smb2_negotiate_reply(0x311, 0x100000, false);
	compressed(100, 0, 0, 100);
	expect("C4", true);
	reset(state);
	smb2_negotiate_reply(0x302, 0x100000, true);
	compressed(100, 0, 0, 100);
	expect("C4", true);
	/* It may have been, before. */
	run(SMB_FLOW_PARTIAL);
	assert_not_told("detected");
}

/* A chain: n payloads of 20 bytes, the last of which says len. */
static void chain(unsigned n, unsigned algorithm, uint32_t len, uint32_t size)
{
	reset(NULL);
	smb2_negotiate_reply(0x311, 0x100000, true);
	msg_len = 4;
	put("\xfcSMB", 4);
	put32(100);
	for (unsigned i = 0; i < n; i++) {
		put16(algorithm);
		put16(i == 0);
		put32(i + 1 < n ? 20 : len);
		put32(size);
		put_zeros(16);
	}
	send_msg(0);
}

static void c5_chains_must_fit(void **state)
{
	chain(3, 2, 20, 100);
	run(0);
	assert_not_told("detected");
	chain(3, 2, 21, 100);
	expect("C5", true);
	chain(3, 2, 3, 100);
	expect("C5", true);
	chain(3, 0, 20, 0xffffffff); /* no size there */
	expect("C5", false);
	chain(3, 2, 20, 101);
	expect("C5", true);
	chain(1, 2, 0xffffffff, 100);
	expect("C5", true);
	chain(3, 0, 16, 0); /* half a header behind */
	expect("C5", true);
	chain(SMB2_PAYLOADS_MAX, 0, 20, 0);
	expect("C5", false);
	chain(SMB2_PAYLOADS_MAX + 1, 0, 20, 0);
	expect("C5", true);
}

static void short_opaque_records(void **state)
{
	for (uint32_t len = 0; len < 52; len++) {
		reset(state);
		msg_len = 4;
		encrypted(0, 0);
		msg_len = 4 + (len < 4 ? 4 : len);
		send_msg(0);
		run(0);
		assert_told("detected F2");
		if (len >= 16)
			continue;
		n_sends = talk_len = 0;
		msg[4] = 0xfc;
		send_msg(0);
		run(0);
		assert_told("detected F2");
	}
}

static void negotiate_contexts_are_skipped_by_length(void **state)
{
	smb2_negotiate_reply(0x311, 0x100000, true);
	run(0);
	assert_not_told("detected");
	/* Contexts that are not there. */
	reset(state);
	smb2_negotiate_reply(0x311, 0x100000, true);
	talk[sends[0].from + 4 + 64 + 60] = 0xff;
	talk[sends[0].from + 4 + 64 + 61] = 0xff;
	run(0);
	assert_told("1 detected F2 culprit 1");
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(headers_must_be_whole),
		TEST(every_message_of_a_compound_is_told),
		TEST(compounds_are_bounded),
		TEST(next_commands_must_be_in_place),
		TEST(directions_must_agree),
		TEST(names_are_told),
		TEST(names_come_in_utf8),
		TEST(names_lie_within_their_message),
		TEST(users_are_told),
		TEST(writes_and_reads_tell_where_their_data_is),
		TEST(trees_are_of_their_session),
		TEST(related_messages_go_to_the_same_tree),
		TEST(data_lies_within_its_message),
		TEST(pending_requests_are_bounded),
		TEST(what_is_answered_is_not_pending),
		TEST(encrypted_records_are_passed_over),
		TEST(encrypted_lengths_must_fit),
		TEST(c1_sizes_that_overflow),
		TEST(c2_offset_behind_the_record),
		TEST(c3_more_than_was_negotiated),
		TEST(c4_without_having_been_negotiated),
		TEST(c5_chains_must_fit),
		TEST(short_opaque_records),
		TEST(negotiate_contexts_are_skipped_by_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
