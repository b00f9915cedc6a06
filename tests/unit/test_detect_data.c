/*
 * What detect makes of a message's fields: file data over reads and writes, names, users, DCERPC
 * calls and their stubs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_rig.h"

#define TO   "alert smb any any -> any any "
#define DROP "drop smb any any -> any any "

static int up(void **state)
{
	detect_up(32);
	smb2_with.id = 1;
	smb2_with.tree = 5;
	smb2_with.status = 0;
	return 0;
}

static int down(void **state)
{
	detect_down();
	return 0;
}

static void expect(const char *rules, const char *story)
{
	struct rules_rig rig = rules_up(rules, NULL, 0);

	detect_use(&rig);
	detect_run_all(story);
	rules_down(&rig);
}

static void send_write(uint64_t file, uint64_t position, const void *data, uint32_t len)
{
	smb2_header(9, false);
	smb2_write(file, position, data, len);
	send_msg(0);
}

static void send_text(uint64_t file, uint64_t position, const char *text)
{
	send_write(file, position, text, (uint32_t)strlen(text));
}

static void send_read(uint64_t file, uint64_t position, const char *text)
{
	smb2_header(8, false);
	put_zeros(8);
	put64(position);
	put64(file);
	put64(file + 1);
	put_zeros(16);
	send_msg(0);
	smb2_with.id--;
	smb2_header(8, true);
	put16(17);
	put16(80);
	put32((uint32_t)strlen(text));
	put_zeros(8);
	put(text, (uint32_t)strlen(text));
	send_msg(1);
}

/* Cut at any place by two writes or two reads; the last byte decides. */
static void a_marker_lies_across_messages(void **state)
{
	static const char marker[] = "MARKER-1", filling[] = "................";
	struct rules_rig rig = rules_up(DROP "(file.data; content:\"MARKER-1\"; sid:1;)", NULL, 0);

	detect_use(&rig);
	for (unsigned cut = 1; cut < 8; cut++)
		for (unsigned reads = 0; reads < 2; reads++) {
			char first[64], second[64];
			uint32_t behind = 5, last;

			rig_reset(NULL);
			snprintf(first, sizeof(first), "%s%.*s", filling, (int)cut, marker);
			snprintf(second, sizeof(second), "%s%.*s", marker + cut, (int)behind,
				filling);
			if (reads) {
				send_read(9, 100, first);
				send_read(9, 100 + strlen(first), second);
			} else {
				send_text(9, 100, first);
				send_text(9, 100 + strlen(first), second);
			}
			last = talk_len - behind;
			detect_run_all("drop:1");
			detect_run(1, NULL);
			assert_int_equal(stopped_at, last);
			assert_true(found[0].finding.file_content);
			assert_int_equal(found[0].finding.side, reads);
		}
	rules_down(&rig);
}

static void positions_must_follow(void **state)
{
	static const char rules[] = TO "(file.data; content:\"MARKER-1\"; sid:1;)";

	send_text(9, 0, "MARK");
	send_text(9, 5, "ER-1"); /* one byte is missing */
	send_text(8, 0, "MARK");
	send_text(7, 4, "ER-1"); /* another file */
	send_text(6, 0, "MARK");
	send_read(6, 4, "ER-1"); /* the other way */
	expect(rules, "");
	rig_reset(NULL);
	send_text(9, 0, "MARK");
	send_text(9, 5, "ER-1");
	send_text(9, 4, "ER-1"); /* after all */
	expect(rules, "1");
}

/* What is written once more counts as it is then. */
static void overlaps_are_taken_as_they_come(void **state)
{
	static const char rules[] = TO "(file.data; content:\"MARKER-1\"; sid:1;)";

	send_text(9, 100, "..MARKE");
	send_text(9, 106, "ER-1");
	expect(rules, "1");
	rig_reset(NULL);
	send_text(9, 100, "MARK.......");
	send_text(9, 104, "ER-1");
	expect(rules, "1");
	rig_reset(NULL);
	send_text(9, 100, "MARK");
	send_text(9, 100, "xxxx");
	send_text(9, 104, "ER-1");
	expect(rules, "");
	rig_reset(NULL);
	send_text(9, 100, "MARKER-1");
	send_text(9, 108, "MARKER-1"); /* once a run */
	send_text(9, 100, "MARKER-1.."); /* another */
	send_text(9, 109, "."); /* goes on with that one */
	expect(rules, "1 1");
}

/* As many files at a time as there is room for; then the one longest unused begins anew. */
static void files_are_bounded(void **state)
{
	static const char rules[] = TO "(file.data; content:\"MARKER-1\"; sid:1;)";

	for (uint64_t file = 0; file < DETECT_FILES; file++)
		send_text(10 + file, 0, "MARK");
	for (uint64_t file = 0; file < DETECT_FILES; file++)
		send_text(10 + file, 4, "ER-1");
	expect(rules, "1 1 1 1");
	rig_reset(NULL);
	for (uint64_t file = 0; file < DETECT_FILES + 1; file++)
		send_text(10 + file, 0, "MARK");
	for (uint64_t file = 1; file < DETECT_FILES + 1; file++)
		send_text(10 + file, 4, "ER-1");
	send_text(10, 4, "ER-1"); /* its beginning is forgotten */
	expect(rules, "1 1 1 1");
}

/* Two writes of one compound. */
static void a_rule_is_told_once_a_record(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		smb2_header(9, false);
		smb2_write(9, 0, "MARKER-1", 8);
		smb2_next(9, false);
		smb2_write(10, 0, "MARKER-1", 8);
		send_msg(0);
	}
	expect(TO "(file.data; content:\"MARKER-1\"; sid:1;)", "1 1");
}

/* Offsets are in the file, up to where no rule can name them. */
static void offsets_are_in_the_file(void **state)
{
	static const char rules[] = TO "(file.data; content:\"MZ\"; offset:0; depth:2; "
				       "content:\"MARK\"; offset:100; depth:4; sid:1;)\n" TO
				       "(file.data; content:\"MARK\"; sid:2;)";
	static char file[105];

	memset(file, '.', 104);
	memcpy(file, "MZ", 2);
	memcpy(file + 100, "MARK", 4);
	send_write(9, 0, file, 50);
	send_write(9, 50, file + 50, 54);
	expect(rules, "1 2");
	rig_reset(NULL);
	send_write(9, 8, file, 104); /* the same elsewhere in the file */
	expect(rules, "2");
}

/* Beyond 4 GiB, and where the position itself wraps. */
static void files_may_be_large(void **state)
{
	static const uint64_t positions[] = {(UINT64_C(1) << 32) - 2, UINT64_C(5) << 32,
		(UINT64_C(1) << 30) - 3, UINT64_MAX - 3};
	static const char rules[] = TO
		"(file.data; content:\"MARK\"; content:\"ER\"; distance:0; "
		"within:2; isdataat:!1,relative; sid:1;)\n" TO
		"(file.data; content:\"MARK\"; offset:0; depth:65535; sid:2;)";

	for (unsigned i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
		rig_reset(NULL);
		send_text(9, positions[i], "MARK");
		send_text(9, positions[i] + 4, "ER");
		expect(rules, "1");
	}
}

/* Each end of a read or write is taken for the end; more may still make a match of it. */
static void an_end_is_taken_for_the_end(void **state)
{
	static const char rules[] = TO
		"(file.data; content:\"AAAA\"; content:!\"BBBB\"; sid:1;)\n" TO
		"(file.data; content:\"CCCC\"; endswith; sid:2;)\n" TO
		"(file.data; content:\"AAAA\"; content:\"DDDD\"; distance:0; sid:3;)";

	by_sid = true;
	send_text(9, 0, "AAAA CCCC");
	expect(rules, "1 2");
	rig_reset(NULL);
	send_text(9, 0, "AAAA BBBB");
	send_text(9, 9, "CCCC.");
	send_text(9, 14, "DD");
	send_text(9, 16, "DD");
	expect(rules, "3");
}

/* Of a long file half a block of the last bytes is there at the least, however it was cut. */
static void the_last_bytes_stay(void **state)
{
	static const char rules[] = TO "(file.data; content:\"AAAA\"; content:\"BBBB\"; sid:1;)";
	static const struct {
		uint32_t a, b;
		const char *story;
	} places[] = {{0, 8188, "1"}, {0, 8189, ""}, {4095, 8192, ""}, {4096, 12284, "1"},
		{4096, 12285, ""}, {8200, 12000, "1"}};
	static char data[15000];

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		rig_reset(NULL);
		memset(data, '.', sizeof(data));
		memcpy(data + places[i].a, "AAAA", 4);
		memcpy(data + places[i].b, "BBBB", 4);
		for (uint32_t at = 0; at < sizeof(data); at += 5000)
			send_write(9, at, data + at, 5000);
		expect(rules, places[i].story);
	}
}

static struct rules_rig rigs[2];

static void change_rules(unsigned n)
{
	detect_use(&rigs[n > 0]);
	if (n == 1) {
		assert_true(detect_flow_is_behind(conn, &context));
		assert_int_equal(detect_engine_flows(rigs[0].engine), 1);
	} else if (n == 3) { /* the old one's place was taken */
		assert_false(detect_flow_is_behind(conn, &context));
		assert_int_equal(detect_engine_flows(rigs[0].engine), 0);
	}
}

static void a_file_begins_anew_with_new_rules(void **state)
{
	rigs[0] = rules_up(TO "(file.data; content:\"MARKER-1\"; sid:1;)", NULL, 0);
	rigs[1] = rules_up(TO "(file.data; content:\"MARKER-1\"; sid:2;)", NULL, 0);
	send_text(9, 0, "MARK");
	send_text(9, 4, "ER-1 MARKER-1 MARK");
	for (uint64_t file = 0; file < DETECT_FILES; file++)
		send_text(20 + file, 0, "x");
	sends[2].len = talk_len - sends[2].from; /* all at once */
	n_sends = 3;
	send_text(9, 100, "MARKER-1");
	before_send = change_rules;
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "2 2");
	rules_down(&rigs[0]);
	rules_down(&rigs[1]);
}

static void memory_is_bounded(void **state)
{
	struct rules_rig rig = rules_up(TO "(file.data; content:\"MARKER-1\"; sid:1;)", NULL, 0);

	send_text(9, 0, "MARKER-1");
	detect_use(&rig);
	account.max = 100;
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "failure:memory");
	assert_true(stopped_at <= talk_len);
	rules_down(&rig);
}

static void names_are_looked_at(void **state)
{
	smb2_tree_connect("\\\\srv\\secret", false);
	smb2_tree_connect("\\\\srv\\IPC$", true);
	smb2_header(5, false); /* a pipe is opened */
	put_zeros(44);
	put16(120);
	put16(12);
	put_zeros(8);
	put_wide("svcctl");
	send_msg(0);
	expect(TO "(smb.share; content:\"SECRET\"; nocase; endswith; sid:1;)\n" TO
		  "(smb.share; content:\"secre\"; endswith; sid:2;)\n" TO
		  "(smb.named_pipe; content:\"IPC|24|\"; sid:3;)\n" TO
		  "(smb.named_pipe; content:\"svcctl\"; startswith; sid:4;)\n" TO
		  "(smb.share; content:\"secret\"; content:\"|00 00 00|\"; sid:5;)\n" TO
		  "(smb.share; content:!\"IPC\"; sid:6;)\n" TO
		  "(smb.named_pipe; content:\"s|00|v|00|c\"; sid:7;)\n" TO
		  "(content:\"|fe|SMB\"; offset:4; depth:4; smb.share; content:\"secret\"; sid:8;)",
		"1 6 8 3 4");
}

/* The user is in NTLMSSP's third message. */
static void users_are_looked_at(void **state)
{
	uint32_t blob;

	smb2_header(1, false);
	put16(25);
	put_zeros(10);
	put16(88);
	put16(64 + 12);
	put_zeros(8);
	blob = msg_len;
	put("NTLMSSP", 8);
	put32(3);
	put_zeros(52);
	put("operator", 8);
	put_zeros(4);
	set16(blob + 36, 8);
	set32(blob + 40, 64);
	send_msg(0);
	expect(TO "(smb.ntlmssp_user; content:\"operator\"; startswith; endswith; sid:1;)\n" TO
		  "(smb.ntlmssp_user; content:\"root\"; sid:2;)",
		"1");
}

static uint8_t pdu[0x10000];
static uint32_t pdu_len;

static void dce(const void *bytes, uint32_t len)
{
	memcpy(pdu + pdu_len, bytes, len);
	pdu_len += len;
}

/* One presentation context: 367abb81-9844-35f1-ad32-98f038001003, version 2. */
static void dce_bind(void)
{
	static const uint8_t bind[] = {5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 0xb8,
		0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0x81, 0xbb, 0x7a, 0x36, 0x44,
		0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0x00, 0x10, 0x03, 2, 0, 0, 0};

	dce(bind, sizeof(bind));
	memset(pdu + pdu_len, 0, 20);
	pdu_len += 20;
}

/* flags: 1 first, 2 last. */
static void dce_request(uint8_t flags, uint8_t opnum, const char *stub)
{
	uint8_t len = (uint8_t)strlen(stub);
	uint8_t head[24] = {5, 0, 0, flags, 0x10, 0, 0, 0, (uint8_t)(24 + len), 0, 0, 0, 2, 0, 0, 0,
		len, 0, 0, 0, 0, 0, opnum, 0};

	dce(head, sizeof(head));
	dce(stub, len);
}

static void send_pdus(uint64_t file, uint32_t each)
{
	for (uint32_t at = 0; at < pdu_len; at += each)
		send_write(file, 0, pdu + at, pdu_len - at < each ? pdu_len - at : each);
	pdu_len = 0;
}

#define IFACE "dce_iface:367abb81-9844-35f1-ad32-98f038001003;"

static void calls_are_looked_at(void **state)
{
	static const char rules[] = TO
		"(" IFACE " dce_opnum:12; sid:1;)\n" TO "(" IFACE " dce_opnum:15; sid:2;)\n" TO
		"(dce_opnum:15; dce_stub_data; content:\"MARKER-1\"; sid:3;)\n" TO
		"(dce_opnum:12; dce_stub_data; content:\"MARKER-1\"; sid:4;)\n" TO "(" IFACE
		" content:\"MARKER\"; sid:5;)\n" TO
		"(dce_stub_data; content:\"ER-1..\"; endswith; sid:6;)\n" TO
		"(dce_iface:367abb81-9844-35f1-ad32-98f038001004; sid:7;)";

	by_sid = true;
	pdu_len = 0;
	smb2_tree_connect("\\\\srv\\IPC$", true);
	dce_bind();
	send_pdus(77, UINT16_MAX);
	expect(rules, "");
	dce_request(3, 15, "..MARKER-1..");
	send_pdus(77, UINT16_MAX);
	expect(rules, "2 3 5 6");
}

/* Over fragments, and over writes, of two pipes in turns. */
static void stubs_go_on(void **state)
{
	static const char rules[] = TO
		"(dce_opnum:15; dce_stub_data; content:\"MARKER-1\"; sid:3;)\n" TO
		"(dce_opnum:12; dce_stub_data; content:\"MARKER-1\"; sid:4;)";

	pdu_len = 0;
	smb2_tree_connect("\\\\srv\\IPC$", true);
	for (uint64_t pipe = 77; pipe < 79; pipe++) {
		dce_bind();
		send_pdus(pipe, UINT16_MAX);
	}
	for (unsigned part = 0; part < 3; part++)
		for (uint64_t pipe = 77; pipe < 79; pipe++) {
			static const char *const parts[2][3] = {
				{"..MAR", "KER", "-1"}, {"M", "ARKER-", "1.."}};

			dce_request(part == 0   ? 1
				    : part == 2 ? 2
						: 0,
				pipe == 77 ? 15 : 12, parts[pipe - 77][part]);
			send_pdus(pipe, part == 1 ? 10 : UINT16_MAX);
		}
	expect(rules, "3 4");
	rig_reset(NULL);
	smb2_tree_connect("\\\\srv\\IPC$", true);
	dce_bind();
	dce_request(3, 15, "..MARK");
	dce_request(3, 15, "ER-1"); /* another call */
	send_pdus(77, UINT16_MAX);
	expect(rules, "");
}

/* More of a stub than is told could hide anything. */
static void stubs_are_bounded(void **state)
{
	static char stub[230];
	struct rules_rig rig;

	pdu_len = 0;
	memset(stub, 'x', sizeof(stub) - 1);
	smb2_tree_connect("\\\\srv\\IPC$", true);
	for (unsigned i = 0; i <= DCERPC_STUB_MAX / (sizeof(stub) - 1); i++) {
		dce_request(i == 0 ? 1 : 0, 15, stub);
		if (pdu_len > 60000)
			send_pdus(77, UINT16_MAX);
	}
	send_pdus(77, UINT16_MAX);
	rig = rules_up(TO "(dce_stub_data; content:\"MARKER-1\"; sid:1;)", NULL, 0);
	detect_use(&rig);
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "failure:budget");
	rules_down(&rig);
	rig = rules_up(TO "(content:\"MARKER-1\"; sid:1;)", NULL, 0);
	detect_use(&rig);
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "");
	rules_down(&rig);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_marker_lies_across_messages, up, down),
		cmocka_unit_test_setup_teardown(positions_must_follow, up, down),
		cmocka_unit_test_setup_teardown(overlaps_are_taken_as_they_come, up, down),
		cmocka_unit_test_setup_teardown(files_are_bounded, up, down),
		cmocka_unit_test_setup_teardown(a_rule_is_told_once_a_record, up, down),
		cmocka_unit_test_setup_teardown(offsets_are_in_the_file, up, down),
		cmocka_unit_test_setup_teardown(files_may_be_large, up, down),
		cmocka_unit_test_setup_teardown(an_end_is_taken_for_the_end, up, down),
		cmocka_unit_test_setup_teardown(the_last_bytes_stay, up, down),
		cmocka_unit_test_setup_teardown(a_file_begins_anew_with_new_rules, up, down),
		cmocka_unit_test_setup_teardown(memory_is_bounded, up, down),
		cmocka_unit_test_setup_teardown(names_are_looked_at, up, down),
		cmocka_unit_test_setup_teardown(users_are_looked_at, up, down),
		cmocka_unit_test_setup_teardown(calls_are_looked_at, up, down),
		cmocka_unit_test_setup_teardown(stubs_go_on, up, down),
		cmocka_unit_test_setup_teardown(stubs_are_bounded, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
