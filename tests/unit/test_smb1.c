/*
 * SMB1 messages: headers, AndX chains, names, data, and what contradicts itself. Invariants have a
 * test of their own: test_smb_invariants.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smb1_rig.h"

static int reset(void **state)
{
	smb1_with.pid = 0x1234;
	smb1_with.mid = 1;
	smb1_with.tid = 7;
	smb1_with.flags2 = 0x4000;
	smb1_with.status = 0;
	return rig_reset(state);
}

static void lengths_must_fit_into_the_record(void **state)
{
	/* Header. */
	smb1_header(0x72, false);
	send_msg(0);
	run(0);
	assert_told("detected F2 culprit 0");

	/* Words. */
	reset(NULL);
	smb1_header(0x72, false);
	smb1_words(3);
	msg[words_at] = 4;
	send_msg(0);
	run(0);
	assert_told("detected F2 culprit 0");

	/* Bytes. */
	reset(NULL);
	smb1_header(0x72, false);
	smb1_words(0);
	put_zeros(10);
	set16(bytes_at, 11);
	send_msg(0);
	run(0);
	assert_told("detected F2 culprit 0 value b");

	/* As many as there are. */
	reset(NULL);
	smb1_header(0x72, false);
	smb1_words(0);
	put_zeros(10);
	smb1_end();
	send_msg(0);
	run(0);
	assert_not_told("detected");
}

static void a_command_needs_its_words(void **state)
{
	static const struct {
		uint8_t command, words;
	} commands[] = {{0x2f, 12}, {0x2e, 10}, {0x0b, 5}, {0x0a, 5}, {0x75, 4}, {0xa2, 24},
		{0x25, 14}, {0x32, 14}, {0xa0, 19}, {0x04, 3}, {0x2b, 1}};

	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		for (unsigned less = 0; less < 2; less++) {
			reset(NULL);
			smb1_header(commands[i].command, false);
			smb1_words(commands[i].words - less);
			if (commands[i].words > 1)
				msg[word(0)] = 0xff;
			if (commands[i].command == 0x25 || commands[i].command == 0x32)
				set16(word(0), 0);
			send_msg(0);
			run(0);
			if (count_told("detected F2") != less)
				fail_msg("command %02x, %u words\n%s", commands[i].command,
					commands[i].words - less, told);
		}
	}
}

static void session_setup_and_tree_connect(unsigned flags2)
{
	static const uint8_t before[5] = "blob";
	uint32_t message, user, blob;

	smb1_with.flags2 = (uint16_t)(0x4800 | flags2);
	smb1_header(0x73, false);
	smb1_words(12);
	put(before, 5);
	blob = message = msg_len;
	put("NTLMSSP\0\3\0\0\0", 12);
	put_zeros(52);
	set32(message + 60, 1);
	user = msg_len;
	put_wide("alice");
	set16(message + 36, 10);
	set32(message + 40, user - message);
	set16(word(7), msg_len - blob + 5);
	smb1_chain(0x75);
	smb1_words(4);
	smb1_no_andx();
	set16(word(3), 1);
	put8(0);
	if (flags2 & UNICODE) {
		if (msg_len & 1)
			put8(0);
		put_wide("\\\\10.1.2.3\\Data");
		put16(0);
	} else {
		put("\\\\10.1.2.3\\Data", 16);
	}
	put("A:", 3);
	smb1_end();
	send_msg(0);
	run(0);
	assert_told("0 user 'alice' host 00000000\n");
	assert_told("0 tree '\\\\10.1.2.3\\Data' host 0a010203\n");
	assert_told("0 message v1 73 request at 4");
	assert_told("0 message v1 75 request chained");
	assert_not_told("detected");
	assert_not_told("limit");
}

static void chains_of_andx_are_followed(void **state)
{
	session_setup_and_tree_connect(0);
	reset(NULL);
	session_setup_and_tree_connect(UNICODE);
}

/* n blocks, of LOGOFF. */
static void chain_of(unsigned n)
{
	smb1_header(0x74, false);
	smb1_words(2);
	for (unsigned i = 1; i < n; i++) {
		smb1_chain(0x74);
		smb1_words(2);
	}
	smb1_no_andx();
	send_msg(0);
}

static void chains_end(void **state)
{
	chain_of(SMB1_CHAIN_MAX);
	run(0);
	assert_int_equal(count_told("message v1 74"), SMB1_CHAIN_MAX);
	assert_not_told("detected");
	reset(NULL);
	chain_of(SMB1_CHAIN_MAX + 1);
	run(0);
	assert_int_equal(count_told("message v1 74"), SMB1_CHAIN_MAX);
	assert_told("detected F3 culprit 0");
}

static void chains_go_forward(void **state)
{
	static const unsigned targets[] = {0, 4, 32, 33, 38, 1000};

	for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		reset(NULL);
		smb1_header(0x74, false);
		smb1_words(2);
		msg[word(0)] = 0x74;
		set16(word(1), targets[i]);
		send_msg(0);
		run(0);
		assert_told("detected F3 culprit 0");
	}
}

static void a_name_is_not_the_next_block_too(void **state)
{
	smb1_header(0x75, false);
	smb1_words(4);
	msg[word(0)] = 0x74;
	set16(word(3), 1);
	put8(0);
	set16(word(1), msg_len - 4 + 5);
	put("\\\\srv\\share\0?????\0\0\0\0\0", 22);
	smb1_end();
	send_msg(0);
	run(0);
	assert_told("detected F3");
	assert_not_told("0 tree ");
}

static void create(const char *name, uint32_t len)
{
	smb1_header(0xa2, false);
	smb1_words(24);
	smb1_no_andx();
	set16(words_at + 1 + 5, len);
	put(name, (uint32_t)strlen(name) + 1);
	smb1_end();
	send_msg(0);
}

static void creates_on_ipc_are_of_pipes(void **state)
{
	smb1_connect("\\\\srv\\ipc$");
	create("\\svcctl", 7);
	smb1_with.tid++;
	smb1_connect("\\\\srv\\data");
	create("\\svcctl", 7);
	run(0);
	assert_told("0 tree '\\\\srv\\ipc$' pipe host");
	assert_told("0 create '\\svcctl' pipe host");
	assert_told("0 tree '\\\\srv\\data' host");
	assert_told("0 create '\\svcctl' host");
	assert_not_told("detected");
	/* Disconnected: not known any more. */
	reset(NULL);
	smb1_connect("\\\\srv\\ipc$");
	smb1_empty(0x71, false);
	create("\\svcctl", 7);
	run(0);
	assert_told("0 create '\\svcctl' host");
}

/* In UTF-16 a name begins at an even place of its message. */
static void wide_names_are_aligned(void **state)
{
	smb1_with.flags2 = 0x4000 | UNICODE;
	smb1_header(0xa2, false);
	smb1_words(24);
	smb1_no_andx();
	set16(words_at + 1 + 5, 10);
	assert_int_equal((msg_len - 4) % 2, 1);
	put8(0);
	put_wide("hello");
	smb1_end();
	send_msg(0);
	run(0);
	assert_told("create 'hello' host");
}

static void old_opens_have_names_too(void **state)
{
	static const uint8_t commands[] = {0x02, 0x03, 0x0f, 0x2d};

	for (unsigned i = 0; i < sizeof(commands); i++) {
		reset(NULL);
		smb1_header(commands[i], false);
		smb1_words(2);
		smb1_no_andx();
		if (commands[i] != 0x2d)
			put8(4);
		put("\\old.txt", 9);
		smb1_end();
		send_msg(0);
		run(0);
		assert_told("create '\\old.txt' host");
	}
	reset(NULL);
	smb1_header(0x70, false);
	smb1_words(0);
	put("\4\\\\srv\\IPC$\0\4\0\4IPC", 18);
	smb1_end();
	send_msg(0);
	smb1_header(0x70, true);
	smb1_words(2);
	set16(word(1), 99);
	send_msg(1);
	smb1_with.tid = 99;
	create("\\svcctl", 7);
	run(0);
	assert_told("tree '\\\\srv\\IPC$' pipe");
	assert_told("create '\\svcctl' pipe");
}

static void a_host_is_an_address_or_none(void **state)
{
	static const struct {
		const char *path, *told;
	} paths[] = {
		{"\\\\192.168.56.20\\IPC$", "pipe host c0a83814"},
		{"\\\\0.0.0.1\\a", "host 00000001"},
		{"\\\\1.2.3\\a", "host 00000000"},
		{"\\\\1.2.3.4.5\\a", "host 00000000"},
		{"\\\\1.2.3.256\\a", "host 00000000"},
		{"\\\\1..3.4\\a", "host 00000000"},
		{"\\\\1.2.3.4x\\a", "host 00000000"},
		{"\\\\1.2.3.\\a", "host 00000000"},
		{"IPC$", "pipe host 00000000"},
		{"\\\\srv\\XIPC$", "XIPC$' host"},
		{"", "tree '' host 00000000"},
	};

	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		reset(NULL);
		smb1_connect(paths[i].path);
		run(0);
		assert_told(paths[i].told);
	}
}

static void long_names_are_told_in_part(void **state)
{
	char name[2001];

	memset(name, 'a', 2000);
	name[2000] = 0;
	create(name, 2000);
	run(0);
	assert_told("aaa' truncated");
	assert_told("limit name");
	reset(NULL);
	name[SMB_WINDOW] = 0;
	create(name, SMB_WINDOW);
	run(0);
	assert_not_told("truncated");
}

static void write_andx(uint32_t pad, uint32_t len, uint64_t position)
{
	smb1_header(0x2f, false);
	smb1_words(14);
	smb1_no_andx();
	set16(word(2), 0x4001);
	set32(word(3), (uint32_t)position);
	set16(word(9), len >> 16);
	set16(word(10), len);
	set16(word(11), msg_len - 4 + pad);
	set32(word(12), (uint32_t)(position >> 32));
	put_zeros(pad + len);
	smb1_end();
	send_msg(0);
}

static void writes_tell_where_their_data_is(void **state)
{
	smb1_connect("\\\\srv\\data");
	write_andx(1, 100, 0x123456789aull);
	write_andx(3, 0x12345, 0);
	run(0);
	assert_told("0 write at 68 len 100 position 123456789a\n");
	assert_told("0 write at 70 len 74565 position 0\n");
	assert_not_told("detected");
}

static void data_lies_within_its_message(void **state)
{
	static const struct {
		unsigned offset, len;
		bool bad;
	} places[] = {{63, 10, false}, {62, 10, true}, {32, 1, true}, {0, 1, true}, {64, 10, true},
		{63, 11, true}, {0xffff, 1, true}, {0, 0, false}, {63, 0x8000, true}};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		reset(NULL);
		smb1_connect("\\\\srv\\data");
		smb1_header(0x2f, false);
		smb1_words(14);
		smb1_no_andx();
		set16(word(10), places[i].len);
		set16(word(11), places[i].offset);
		put_zeros(10);
		smb1_end();
		send_msg(0);
		run(0);
		if (count_told("detected F4") != places[i].bad)
			fail_msg("%u+%u\n%s", places[i].offset, places[i].len, told);
	}
}

static void reads_are_told_with_their_request(void **state)
{
	smb1_connect("\\\\srv\\data");
	smb1_header(0x2e, false);
	smb1_words(12);
	smb1_no_andx();
	set16(word(2), 0x4001);
	set32(word(3), 0x1000);
	set32(word(10), 2);
	send_msg(0);
	smb1_header(0x2e, true);
	smb1_words(12);
	smb1_no_andx();
	set16(word(5), 20);
	set16(word(6), msg_len - 4);
	put_zeros(20);
	smb1_end();
	send_msg(1);
	run(0);
	assert_told("1 read at 63 len 20 position 200001000\n");
	assert_not_told("detected");
	/* One whose request was not seen. */
	n_sends--;
	sends[n_sends - 1] = sends[n_sends];
	run(SMB_FLOW_PARTIAL);
	assert_told("1 read at 63 len 20 position unknown 0\n");
}

static void old_reads_and_writes_too(void **state)
{
	smb1_connect("\\\\srv\\data");
	smb1_header(0x0b, false);
	smb1_words(5);
	set16(word(0), 1);
	set16(word(1), 6);
	set32(word(2), 0x77);
	put("\1\6\0abcdef", 9);
	smb1_end();
	send_msg(0);
	smb1_header(0x2c, false);
	smb1_words(6);
	set16(word(1), 4);
	put("\0abcd", 5);
	smb1_end();
	send_msg(0);
	smb1_header(0x0a, false);
	smb1_words(5);
	set32(word(2), 0x99);
	send_msg(0);
	smb1_header(0x0a, true);
	smb1_words(5);
	set16(word(0), 3);
	put("\1\3\0abc", 6);
	smb1_end();
	send_msg(1);
	run(0);
	assert_told("0 write at 52 len 6 position 77\n");
	assert_told("0 write at 52 len 4 position 0\n");
	assert_told("1 read at 52 len 3 position 99\n");
	assert_not_told("detected");
}

static void servers_may_break_oplocks(void **state)
{
	smb1_with.mid = 0xffff;
	smb1_header(0x24, false);
	smb1_words(8);
	smb1_no_andx();
	send_msg(1);
	run(0);
	assert_told("1 message v1 24 request");
	assert_not_told("detected");
	/* Nothing else is asked by servers. */
	reset(NULL);
	smb1_empty(0x72, false);
	sends[0].side = 1;
	run(0);
	assert_told("1 detected F10 culprit 1");
}

/* More requests than any client has open: the oldest is forgotten, and I7 falls silent. */
static void open_requests_are_bounded(void **state)
{
	for (unsigned i = 0; i <= SMB1_REQUESTS; i++) {
		smb1_with.mid = (uint16_t)(100 + i);
		smb1_empty(0x10, false);
	}
	run(0);
	assert_int_equal(count_told("limit requests"), 1);
	smb1_with.mid = 100;
	smb1_empty(0x10, true);
	run(0);
	assert_not_told("detected");
	/* What has its reply takes no place. */
	reset(NULL);
	for (unsigned i = 0; i < 3 * SMB1_REQUESTS; i++) {
		smb1_with.mid = (uint16_t)(100 + i);
		smb1_empty(0x10, false);
		smb1_empty(0x10, true);
	}
	run(0);
	assert_not_told("limit");
	assert_not_told("detected");
}

static void what_gets_no_reply_takes_no_place(void **state)
{
	for (unsigned i = 0; i < 2 * SMB1_REQUESTS; i++) {
		smb1_with.mid = (uint16_t)(100 + i);
		smb1_empty(0xa4, false); /* NT_CANCEL */
		smb1_header(0x24, false); /* an oplock break, acknowledged */
		smb1_words(8);
		smb1_no_andx();
		set16(word(3), 2);
		send_msg(0);
		smb1_header(0x2b, false); /* an echo that asks for none */
		smb1_words(1);
		send_msg(0);
		smb1_header(0x25, false); /* a transaction without response */
		smb1_words(14);
		set16(word(5), 2);
		send_msg(0);
	}
	run(0);
	assert_not_told("limit");
	assert_not_told("detected");
}

static void an_echo_has_as_many_replies_as_it_asks_for(void **state)
{
	smb1_header(0x2b, false);
	smb1_words(1);
	set16(word(0), 3);
	send_msg(0);
	for (unsigned i = 0; i < 3; i++)
		smb1_empty(0x2b, true);
	run(0);
	assert_int_equal(count_told("message v1 2b reply"), 3);
	assert_not_told("detected");
}

static void trees_are_bounded(void **state)
{
	for (unsigned i = 0; i <= SMB_TREES; i++) {
		smb1_with.tid = (uint16_t)(1 + i);
		smb1_connect("\\\\srv\\IPC$");
	}
	smb1_with.tid = 1;
	create("\\forgotten", 10);
	smb1_with.tid = SMB_TREES + 1;
	create("\\known", 6);
	run(0);
	assert_int_equal(count_told("limit trees"), 1);
	assert_told("create '\\forgotten' host");
	assert_told("create '\\known' pipe");
}

static void a_failed_tree_connect_is_no_tree(void **state)
{
	smb1_connect("\\\\srv\\IPC$");
	talk[sends[1].from + 9] = 0x22; /* STATUS_ACCESS_DENIED */
	talk[sends[1].from + 12] = 0xc0;
	create("\\svcctl", 7);
	run(0);
	assert_told("create '\\svcctl' host");
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(lengths_must_fit_into_the_record),
		TEST(a_command_needs_its_words),
		TEST(chains_of_andx_are_followed),
		TEST(chains_end),
		TEST(chains_go_forward),
		TEST(a_name_is_not_the_next_block_too),
		TEST(creates_on_ipc_are_of_pipes),
		TEST(wide_names_are_aligned),
		TEST(old_opens_have_names_too),
		TEST(a_host_is_an_address_or_none),
		TEST(long_names_are_told_in_part),
		TEST(writes_tell_where_their_data_is),
		TEST(data_lies_within_its_message),
		TEST(reads_are_told_with_their_request),
		TEST(old_reads_and_writes_too),
		TEST(servers_may_break_oplocks),
		TEST(open_requests_are_bounded),
		TEST(what_gets_no_reply_takes_no_place),
		TEST(an_echo_has_as_many_replies_as_it_asks_for),
		TEST(trees_are_bounded),
		TEST(a_failed_tree_connect_is_no_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
