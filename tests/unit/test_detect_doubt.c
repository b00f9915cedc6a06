/*
 * Findings that are in doubt (enum smb_doubt): told, but nobody is cut off and no connection ends
 * for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "detect_rig.h"
#include "smb1_rig.h"

static int up(void **state)
{
	detect_up(64);
	smb1_with.mid = 1;
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

	by_sid = true;
	detect_use(&rig);
	detect_run_all(story);
	rules_down(&rig);
}

static void read_raw(const char *content)
{
	smb1_header(0x1a, false);
	smb1_words(8);
	send_msg(0);
	msg_len = 4;
	put(content, (uint32_t)strlen(content));
	send_msg(1);
}

/* In a reply of the server that was asked for. */
static void send_text(const char *text)
{
	smb1_empty(0x72, false);
	smb1_header(0x72, true);
	smb1_words(0);
	put(text, (uint32_t)strlen(text));
	smb1_end();
	send_msg(1);
}

#define QUARANTINES "target:dest_ip; metadata:vswitch_action quarantine; "

/* Raw data is a file's: rules that look at files act on it, and others only tell. */
static void raw_data_is_a_files(void **state)
{
	static const char rules[] =
		"drop tcp any any -> any any (content:\"MARKER-1\"; offset:4; " QUARANTINES
		"sid:1;)\n"
		"drop tcp any any -> any any (file.data; content:\"MARKER-1\"; sid:2;)\n"
		"drop tcp any any -> any any (file.data; content:\"MARKER-2\"; endswith; sid:3;)\n";

	read_raw("MARKER-1");
	expect(rules, "1 drop:2");
	/* Another end of the file; and nothing of it where there is none. */
	rig_reset(state);
	read_raw("......MARKER-2");
	read_raw("");
	expect(rules, "drop:3");
}

/* Nor does what raw data sets make others act. */
static void bits_of_raw_data_are_doubtful(void **state)
{
	static const char rules[] =
		"alert tcp any any -> any any (content:\"MARKER-1\"; flowbits:set,a; noalert; "
		"sid:1;)\n"
		"drop tcp any any -> any any (content:\"MARKER-2\"; flowbits:isset,a; sid:2;)\n"
		"drop tcp any any -> any any (content:\"MARKER-2\"; sid:3;)\n"
		"alert tcp any any -> any any (content:\"MARKER-3\"; xbits:set,b,track ip_src; "
		"noalert; sid:4;)\n"
		"drop tcp any any -> any any (content:\"MARKER-4\"; xbits:isset,b,track ip_src; "
		"sid:5;)\n";

	read_raw("MARKER-1");
	smb1_header(0x72, false);
	smb1_words(0);
	put("MARKER-2", 8);
	smb1_end();
	send_msg(0);
	expect(rules, "2 drop:3");
	rig_reset(state);
	read_raw("MARKER-3");
	send_text("MARKER-4");
	expect(rules, "");
}

/* The bytes of a file that is read when a connection is picked up name nobody. */
static void a_connection_that_is_picked_up(void **state)
{
	static const char rules[] =
		"drop tcp any any -> any any (content:\"MARKER-1\"; " QUARANTINES "sid:1;)\n"
		"drop tcp any any -> any any (file.data; content:\"MARKER-2\"; sid:2;)\n";

	flags_with = SMB_FLOW_PARTIAL;
	passes_with = UINT32_MAX;
	send_bytes(1, "the middle of a file", 20);
	send_text("MARKER-1");
	expect(rules, "1");
	/* An invariant, and a file within the file. */
	rig_reset(state);
	smb1_header(0x2f, false);
	smb1_words(12);
	smb1_no_andx();
	set16(word(10), 8);
	set16(word(11), msg_len - 4);
	put("MARKER-2", 8);
	smb1_end();
	send_msg(0);
	smb1_trans(0x32, 0xe, 0, 0);
	expect(rules, "I6a 2");
	/* Nor does what looks like a compressed record in a file end its reader's connection. */
	rig_reset(state);
	send_bytes(1, "the middle of a file", 20);
	for (unsigned i = 0; i < 2; i++) {
		msg_len = 4;
		put("\xfcSMB", 4);
		put32(16);
		put32(1);
		put32(0);
		put_zeros(16);
		send_msg(1);
	}
	passes_with = 0;
	expect(rules, "");
	assert_int_equal(stopped_at, UINT32_MAX);
	/* From the first byte on it is what it seems to be. */
	sends[0].len = 0;
	expect(rules, "failure:compressed failure:compressed(again)");
	passes_with = UINT32_MAX;
	/* They agree. */
	rig_reset(state);
	send_text("");
	smb1_empty(0x73, false);
	smb1_empty(0x73, true);
	send_text("MARKER-1");
	expect(rules, "quarantine:1");
	flags_with = 0;
}

/* Several of them would make a worm of somebody. */
static void shares_of_others_are_told_without_a_doubt(void **state)
{
	static const char rules[] = "alert tcp any any -> any any (content:\"MARKER-1\"; sid:1;)\n";

	smb1_connect("\\\\10.0.0.9\\IPC$");
	expect(rules, "failure:midstream"); /* as the rig tells it */
	assert_int_equal(found[0].finding.kind, DETECT_FOREIGN_SHARE);
	flags_with = SMB_FLOW_PARTIAL;
	expect(rules, "");
	flags_with = 0;
}

/* The same without raw modes is what it was. */
static void without_a_doubt_they_act(void **state)
{
	send_text("MARKER-1");
	expect("drop tcp any any -> any any (content:\"MARKER-1\"; " QUARANTINES "sid:1;)\n",
		"quarantine:1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(raw_data_is_a_files),
		TEST(bits_of_raw_data_are_doubtful),
		TEST(a_connection_that_is_picked_up),
		TEST(shares_of_others_are_told_without_a_doubt),
		TEST(without_a_doubt_they_act),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
