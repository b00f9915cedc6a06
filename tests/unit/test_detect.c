/* What detect makes of a connection's records: rules in their order, however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_rig.h"

#define TO   "alert tcp any any -> any any "
#define DROP "drop tcp any any -> any any "

/* An SMB2 write of text, with before bytes of x in front of it and behind bytes after it. */
static void send_write(const char *text, uint32_t before, uint32_t behind)
{
	static uint8_t data[0x20000];
	uint32_t len = (uint32_t)strlen(text);

	memset(data, 'x', before + len + behind);
	memcpy(data + before, text, len);
	smb2_header(9, false);
	smb2_write(0x77, 0, data, before + len + behind);
	send_msg(0);
}

static void expect(const char *rules, const char *story)
{
	struct rules_rig rig = rules_up(rules, NULL, 0);

	detect_use(&rig);
	detect_run_all(story);
	rules_down(&rig);
}

/* Of long records: not in every way. */
static void expect_quickly(const char *rules, const char *story)
{
	struct rules_rig rig = rules_up(rules, NULL, 0);

	detect_use(&rig);
	for (uint32_t cut = 0; cut < 3000; cut += 1447) {
		detect_run(cut, NULL);
		assert_string_equal(detect_story(), story);
	}
	rules_down(&rig);
}

static int up(void **state)
{
	detect_up(32);
	return 0;
}

static int down(void **state)
{
	detect_down();
	return 0;
}

/* Whatever the offset and however it is cut: not a byte more than the marker's last one. */
static void a_marker_is_stopped_at_its_last_byte(void **state)
{
	static const uint32_t befores[] = {
		0, 1, 100, 1300, 4000, 4090, 8000, 8060, 20000, 65000, 65420, 65430, 70000, 100000};
	static const uint32_t cuts[] = {1, 7, 1448, 0};
	struct rules_rig rig = rules_up(DROP "(content:\"MARKER-1\"; sid:1;)", NULL, 0);

	detect_use(&rig);
	for (unsigned i = 0; i < sizeof(befores) / sizeof(befores[0]); i++) {
		uint32_t last = 4 + 64 + 48 + befores[i] + 8;

		rig_reset(NULL);
		send_write("MARKER-1", befores[i], 3000);
		for (unsigned k = 0; k < sizeof(cuts) / sizeof(cuts[0]); k++) {
			uint32_t cut = cuts[k] ? cuts[k] : talk_len,
				 at = (last + cut - 1) / cut * cut;

			detect_run(cuts[k], NULL);
			assert_string_equal(detect_story(), "drop:1");
			assert_int_equal(stopped_at, at < talk_len ? at : talk_len);
			assert_int_equal(found[0].finding.offset, last);
			assert_int_equal(found[0].finding.position, 0);
		}
	}
	rules_down(&rig);
}

/* Several records in a segment; the first's beginning is in the segment before. */
static void records_are_told_apart(void **state)
{
	static uint8_t all[4096];

	send_write("MARKER-1", 5, 5);
	send_write("nothing", 5, 5);
	send_write("MARKER-1MARKER-1", 5, 5);
	memcpy(all, talk, talk_len);
	n_sends = 0;
	sends[n_sends].side = 0;
	sends[n_sends].from = 0;
	sends[n_sends++].len = 3;
	sends[n_sends].side = 0;
	sends[n_sends].from = 3;
	sends[n_sends++].len = talk_len - 3;
	expect(TO "(content:\"MARKER-1\"; sid:1;)\n" TO
		  "(content:\"|00|\"; offset:0; depth:1; content:\"nothing\"; offset:121; depth:7; "
		  "sid:2;)",
		"1 2 1");
	assert_true(recognised);
}

static void the_second_record_has_its_place(void **state)
{
	struct rules_rig rig = rules_up(TO "(content:\"MARKER-1\"; sid:1;)", NULL, 0);

	send_write("nothing", 0, 0);
	send_write("MARKER-1", 0, 0);
	detect_use(&rig);
	detect_run(5, NULL);
	assert_int_equal(n_found, 1);
	assert_int_equal(found[0].finding.position, 4 + 64 + 48 + 7);
	assert_int_equal(found[0].finding.side, 0);
	assert_int_equal(found[0].finding.culprit, 0);
	assert_false(found[0].finding.file_content);
	rules_down(&rig);
}

/* Bits within a record and from one to the next; the asking rule stands first in the file. */
static void bits_are_set_before_they_are_asked_for(void **state)
{
	static const char fields[] = TO
		"(file.data; content:\"BBBB\"; flowbits:isset,a; sid:2;)\n" TO
		"(content:\"AAAA\"; flowbits:set,a; flowbits:noalert; sid:1;)\n" TO
		"(content:\"BBBB\"; flowbits:isset,b; sid:4;)\n" TO
		"(file.data; content:\"AAAA\"; flowbits:set,b; flowbits:noalert; sid:3;)";
	static const char rules[] = TO
		"(content:\"BBBB\"; flowbits:isset,a; sid:2;)\n" TO
		"(content:\"AAAA\"; flowbits:set,a; flowbits:noalert; sid:1;)";

	send_write("AAAA BBBB", 0, 9);
	expect(rules, "2");
	rig_reset(NULL);
	send_write("BBBB AAAA", 0, 9);
	expect(rules, "2");
	rig_reset(NULL);
	send_write("BBBB", 0, 9);
	send_write("AAAA", 0, 9);
	expect(rules, "");
	rig_reset(NULL);
	send_write("AAAA", 0, 9);
	send_write("BBBB", 0, 9);
	expect(rules, "2");
	/* Also between what looks at a record and what looks at a field of it. */
	by_sid = true;
	rig_reset(NULL);
	send_write("BBBB AAAA", 0, 9);
	expect(fields, "2 4");
}

/* Over what is decided with the same bytes or later ones, whatever stands first. */
static void pass_wins(void **state)
{
	send_write("AAAA good", 0, 0);
	send_write("AAAA evil", 0, 0);
	expect(DROP "(content:\"AAAA\"; content:\"|20|\"; within:1; content:\"oo\"; distance:1; "
		    "within:2; sid:1;)\n"
		    "pass tcp any any -> any any (content:\"AAAA go\"; bypass; sid:2;)\n" TO
		    "(content:\"evil\"; sid:3;)\n",
		"3");
	assert_true(bypassed);
}

/* A pass rule without a look at data passes all that its packets bring. */
static void pass_rules_of_addresses_win(void **state)
{
	static const char rules[] = DROP "(content:\"AAAA\"; sid:1;)\n" DROP
					 "(file.data; content:\"AAAA\"; sid:3;)\n"
					 "pass tcp 10.0.0.%u any -> any any (sid:2;)";
	char text[512];

	by_sid = true;
	send_write("AAAA", 0, 0);
	snprintf(text, sizeof(text), rules, 1);
	expect(text, "");
	snprintf(text, sizeof(text), rules, 2);
	expect(text, "drop:1 drop:3");
}

static void actions_are_asked_for(void **state)
{
	struct rule_override overrides[] = {
		{.kind = RULE_OVERRIDE_QUARANTINE, .sid = 2},
		{.kind = RULE_OVERRIDE_DISABLE, .sid = 4},
		{.kind = RULE_OVERRIDE_SUPPRESS,
			.sid = 6,
			.track = RULE_TRACK_SRC,
			.addresses = "10.0.0.1"},
	};
	struct rules_rig rig = rules_up(DROP
		"(content:\"AAAA\"; sid:1;)\n" DROP "(content:\"AAAA\"; sid:2;)\n"
		"reject tcp any any -> any any (content:\"AAAA\"; sid:3;)\n" DROP
		"(content:\"AAAA\"; sid:4;)\n" DROP "(content:\"AAAA\"; noalert; sid:5;)\n" DROP
		"(content:\"AAAA\"; sid:6;)\n" TO "(content:\"AAAA\"; sid:7;)\n"
		"drop tcp any any -> any 446 (content:\"AAAA\"; sid:8;)\n"
		"drop tcp any 50000 -> 10.0.0.2 445 (content:\"AAAA\"; sid:9;)\n",
		overrides, 3);

	send_write("AAAA", 0, 0);
	detect_use(&rig);
	detect_run_all("drop:1 quarantine:2 drop:5(quiet) drop:6(quiet) drop:9 reject:3 7");
	rules_down(&rig);
}

static void the_culprit_is_not_the_target(void **state)
{
	struct rules_rig rig = rules_up(TO "(content:\"AAAA\"; sid:1;)\n" TO
					   "(content:\"AAAA\"; target:dest_ip; sid:2;)\n" TO
					   "(content:\"AAAA\"; target:src_ip; sid:3;)\n",
		NULL, 0);

	send_write("AAAA", 0, 0);
	sends[0].side = 1; /* by the server */
	detect_use(&rig);
	detect_run(0, NULL);
	assert_int_equal(n_found, 4); /* a request by the server is F10 */
	for (unsigned i = 0; i < n_found; i++)
		if (found[i].finding.kind == DETECT_RULE)
			assert_int_equal(found[i].finding.culprit, found[i].sid == 2 ? 1 : 0);
	rules_down(&rig);
}

static void counts_bound_alerts(void **state)
{
	struct rules_rig rig = rules_up(TO
		"(content:\"AAAA\"; threshold:type limit, track by_src, count 1, seconds 60; "
		"sid:1;)\n" DROP
		"(content:\"AAAA\"; detection_filter:track by_src, count 2, seconds 60; sid:2;)",
		NULL, 0);

	send_write("AAAA", 0, 0);
	send_write("AAAA", 0, 0);
	send_write("AAAA", 0, 0);
	detect_use(&rig);
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "1 drop:2");
	assert_int_equal(found[1].send, 2);
	assert_int_equal(detect_engine_costs(rig.engine)[0].matches, 3);
	assert_int_equal(detect_engine_costs(rig.engine)[0].alerts, 1);
	rules_down(&rig);
}

/* What must be absent, and what must be the end, is only known when the record is complete. */
static void negations_are_decided_at_the_end(void **state)
{
	static const char rules[] = TO "(content:\"AAAA\"; content:!\"BBBB\"; sid:1;)\n" TO
				       "(content:\"CCCC\"; endswith; sid:2;)\n" TO
				       "(content:\"AAAA\"; isdataat:!9,relative; sid:3;)\n" TO
				       "(content:!\"AAAA\"; sid:4;)";

	by_sid = true;
	send_write("AAAA CCCC", 500, 0);
	expect(rules, "1 2 3");
	rig_reset(NULL);
	send_write("AAAA BBBB CCCC", 500, 1);
	expect(rules, "");
	rig_reset(NULL);
	send_write("CCCC", 70000, 0);
	expect(rules, "2 4");
	rig_reset(NULL);
	send_write(
		"CCCC", 100000, 0); /* not all of it is there at the end: none counts as absent */
	expect(rules, "2");
}

/* Of a record of any length the first bytes and the last ones are held against rules together. */
static void long_records_have_a_beginning_and_an_end(void **state)
{
	static const char rules[] = TO
		"(content:\"|fe|SMB\"; offset:4; depth:4; content:\"MARK\"; sid:1;)\n" TO
		"(content:\"FIRST\"; content:\"MARK\"; sid:2;)\n" TO
		"(content:\"MARK\"; content:\"LAST\"; distance:3000; within:900; sid:3;)\n" TO
		"(content:\"MARK\"; content:\"FIRST\"; distance:0; sid:4;)";
	static char data[0x1f000];

	by_sid = true;
	for (uint32_t at = 64000; at < sizeof(data) - 4000; at += 4111) {
		rig_reset(NULL);
		memset(data, 'x', sizeof(data) - 1);
		memcpy(data + 60000, "FIRST", 5);
		memcpy(data + at, "MARK", 4);
		memcpy(data + at + 3500, "LAST", 4);
		send_write(data, 0, 0);
		expect_quickly(rules, "1 2 3");
	}
}

static void keywords_of_packets_see_the_last_one(void **state)
{
	struct rules_rig rig = rules_up(TO "(flow:to_server,established; dsize:>100; sid:1;)\n" TO
					   "(content:\"AAAA\"; dsize:<50; sid:2;)\n" TO
					   "(content:\"AAAA\"; dsize:>50; sid:3;)\n" TO
					   "(flow:to_client; flags:PA; sid:4;)\n" TO
					   "(content:\"AAAA\"; flow:only_stream; sid:5;)\n" TO
					   "(content:\"AAAA\"; flow:no_stream; sid:6;)\n",
		NULL, 0);

	send_write("AAAA", 0, 0);
	detect_use(&rig);
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "1 3 5 6");
	detect_run(10, NULL);
	assert_string_equal(detect_story(), "2 5 6");
	rules_down(&rig);
}

/* All on one evaluation's list, more than it holds. */
static void too_many_rules_at_once_are_a_failure(void **state)
{
	static char text[32768];
	size_t at = 0;

	for (unsigned i = 0; i < DETECT_PENDING + 4; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
			TO "(content:\"AAAA\"; content:\"|fe fe fe %02x|\"; nocase; offset:9; "
			   "sid:%u;)\n",
			i, i + 1);
	send_write("AAAA \xfe\xfe\xfe\x01 \xfe\xfe\xfe", 0, 0);
	passes_with = 1u << CONFIG_FAILURE_BUDGET;
	expect(text, "2");
}

static void without_a_database_invariants_hold(void **state)
{
	static const uint8_t garbage[] = "GET / HTTP/1.1";

	send_write("AAAA", 0, 0);
	send_bytes(0, garbage, sizeof(garbage) - 1);
	detect_run(0, NULL);
	assert_string_equal(
		detect_story(), "failure:no_database failure:no_database(again) drop:F1");
	assert_int_equal(stopped_at, sends[0].len);
	passes_with = 1u << CONFIG_FAILURE_NO_DATABASE;
	detect_run(0, NULL);
	assert_int_equal(stopped_at, talk_len);
}

static void the_opaque_is_policy(void **state)
{
	struct rules_rig rig = rules_up(TO "(content:\"zzzz\"; sid:1;)", NULL, 0);

	for (unsigned i = 0; i < 2; i++) {
		msg_len = 4;
		put("\xfdSMB", 4);
		put_zeros(32);
		put32(8);
		put16(0);
		put16(1);
		put64(9);
		put_zeros(8);
		send_msg(0);
	}
	detect_use(&rig);
	detect_run_all("failure:encrypted failure:encrypted(again)");
	assert_true(stopped_at < talk_len);
	passes_with = 1u << CONFIG_FAILURE_ENCRYPTED;
	detect_run_all("failure:encrypted failure:encrypted(again)");
	assert_int_equal(stopped_at, UINT32_MAX);
	rules_down(&rig);
}

/* Compressed without having been negotiated, and more messages than are looked at. */
static void the_hidden_is_policy(void **state)
{
	struct rules_rig rig = rules_up(TO "(content:\"zzzz\"; sid:1;)", NULL, 0);

	smb2_negotiate_reply(0x311, 1u << 20, true);
	msg_len = 4;
	put("\xfcSMB", 4);
	put32(100);
	put16(1);
	put16(0);
	put32(0);
	put_zeros(50);
	send_msg(0);
	smb2_header(13, false);
	for (unsigned i = 0; i < SMB2_COMPOUND_MAX; i++)
		smb2_next(13, false);
	send_msg(0);
	detect_use(&rig);
	detect_run_all("failure:compressed failure:budget");
	assert_true(stopped_at < talk_len);
	passes_with = 1u << CONFIG_FAILURE_COMPRESSED | 1u << CONFIG_FAILURE_BUDGET;
	detect_run_all("failure:compressed failure:budget");
	assert_int_equal(stopped_at, UINT32_MAX);
	rules_down(&rig);
}

/* Rules that change in the middle of a record hold from the next one on. */
static struct rules_rig rigs[2];

static void change_rules(unsigned n)
{
	detect_use(&rigs[n > 0]);
	if (n != 1)
		return;
	assert_true(detect_flow_is_behind(conn, &context));
	assert_int_equal(detect_engine_flows(rigs[0].engine), 1);
	if (passes_with)
		detect_flow_abandon(conn, &context);
}

static void a_record_ends_with_the_rules_it_began_with(void **state)
{
	rigs[0] = rules_up(TO "(content:\"AAAA\"; sid:1;)", NULL, 0);
	rigs[1] = rules_up(TO "(content:\"AAAA\"; sid:2;)", NULL, 0);
	send_write("AAAA", 0, 0);
	sends[1] = sends[0];
	sends[0].len = 118; /* in the middle of it */
	sends[1].from += 118;
	sends[1].len -= 118;
	n_sends = 2;
	send_write("AAAA", 0, 0);
	before_send = change_rules;
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "1 2");
	passes_with = 1u << CONFIG_FAILURE_MEMORY; /* anything: abandons */
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "2");
	rules_down(&rigs[0]);
	rules_down(&rigs[1]);
}

static void a_gap_ends_the_record(void **state)
{
	send_write("AAAA", 0, 0);
	sends[0].len = 119;
	send_gap(0);
	send_write("AAAA", 0, 0);
	expect(TO "(content:\"AAAA\"; sid:1;)", "1");
	assert_int_equal(found[0].finding.position, 119);
}

static void time_is_bounded(void **state)
{
	struct rules_rig rig = rules_up(TO "(content:\"AAAA\"; sid:1;)", NULL, 0);

	send_write("AAAA", 9000, 0);
	send_write("AAAA", 0, 0);
	detect_use(&rig);
	context.deadline = 1;
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "failure:budget failure:budget(again)");
	assert_int_equal(stopped_at, sends[0].len);
	passes_with = 1u << CONFIG_FAILURE_BUDGET;
	detect_run(0, NULL);
	assert_int_equal(stopped_at, UINT32_MAX);
	context.deadline = UINT64_MAX;
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "1 1");
	rules_down(&rig);
}

/* A sparse image: zeros are in many rules, and what is rare in these decides. */
static void zeros_evaluate_no_rule(void **state)
{
	static const uint8_t zeros[0x10000];
	struct rules_rig rig = rules_up(TO
		"(content:\"|00 00 00 00 00 00 00 00|EVIL\"; sid:1;)\n" TO
		"(content:\"|00 00 00 00|\"; content:\"MARK\"; sid:2;)",
		NULL, 0);

	smb2_header(9, false);
	smb2_write(0x77, 0, zeros, sizeof(zeros));
	send_msg(0);
	detect_use(&rig);
	for (uint32_t cut = 0; cut < 3000; cut += 1448) {
		detect_run(cut, NULL);
		assert_string_equal(detect_story(), "");
	}
	for (uint32_t i = 0; i < ruleset_count(rig.ruleset); i++)
		assert_int_equal(detect_engine_costs(rig.engine)[i].checks, 0);
	rules_down(&rig);
}

/* Ever more work for one rule: each A is a beginning. */
static void steps_are_bounded(void **state)
{
	static char text[40001];
	struct rules_rig rig = rules_up(TO
		"(content:\"AA\"; content:\"A\"; distance:1; content:\"A\"; distance:1; "
		"content:\"A\"; distance:1; content:\"B|ff|\"; distance:1; fast_pattern; "
		"sid:1;)\n" TO
		"(content:\"AA\"; content:\"A\"; distance:1; content:\"A\"; distance:1; "
		"content:\"A\"; distance:1; content:\"BBBB|ff|\"; distance:1; within:9; sid:2;)",
		NULL, 0);

	memset(text, 'A', 40000);
	memcpy(text, "BBBB\xff", 5);
	send_write(text, 0, 0);
	detect_use(&rig);
	detect_run(0, NULL);
	assert_string_equal(detect_story(), "failure:budget failure:budget(again)");
	assert_true(stopped_at <= talk_len);
	rules_down(&rig);
}

static void memory_is_bounded(void **state)
{
	struct rules_rig rig = rules_up(TO "(content:\"AAAA\"; sid:1;)", NULL, 0);

	send_write("AAAA", 9000, 0);
	send_write("AAAA", 0, 0);
	detect_use(&rig);
	account.max = INSPECT_SMALL_SIZE;
	detect_run(1000, NULL);
	assert_string_equal(detect_story(), "failure:memory 1");
	assert_true(stopped_at <= 9000);
	passes_with = 1u << CONFIG_FAILURE_MEMORY;
	detect_run(1000, NULL);
	assert_string_equal(detect_story(), "failure:memory 1");
	assert_int_equal(stopped_at, UINT32_MAX);
	detect_run(0, NULL); /* a record within one segment needs none */
	assert_string_equal(detect_story(), "1 1");
	rules_down(&rig);
}

/* A stream for each open record, no more than are ready. */
static void streams_are_bounded(void **state)
{
	static struct detect_flow flows[DETECT_STREAMS + 1];
	struct rules_rig rig = rules_up(TO "(content:\"AAAA\"; sid:1;)", NULL, 0);
	struct detect_ends ends = detect_rig_ends();
	struct rule_packet packet = {.to_server = true};
	unsigned n = DETECT_STREAMS + 1;

	n_found = 0;
	send_write("AAAA", 0, 0);
	detect_use(&rig);
	inspect_memory_free(context.memory);
	context.memory = inspect_memory_create(
		(uint32_t[INSPECT_BLOCKS]){0, DETECT_STREAMS + 1, 0, 0}, 64);
	for (unsigned i = 0; i < n; i++) {
		detect_flow_init(&flows[i], &ends, 0, 0);
		detect_packet(&flows[i], &context, 0, &packet);
		assert_int_equal(detect_feed(&flows[i], &context, 0, talk, 50),
			i < DETECT_STREAMS ? DETECT_GO_ON : DETECT_STOP);
	}
	assert_string_equal(detect_story(), "failure:memory");
	assert_int_equal(detect_engine_flows(rig.engine), DETECT_STREAMS);
	detect_engine_refill(rig.engine);
	detect_flow_end(&flows[n - 1], &context);
	detect_flow_init(&flows[n - 1], &ends, 0, 0);
	assert_int_equal(detect_feed(&flows[n - 1], &context, 0, talk, 50), DETECT_GO_ON);
	for (unsigned i = 0; i < n; i++)
		detect_flow_end(&flows[i], &context);
	rules_down(&rig);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_marker_is_stopped_at_its_last_byte, up, down),
		cmocka_unit_test_setup_teardown(records_are_told_apart, up, down),
		cmocka_unit_test_setup_teardown(the_second_record_has_its_place, up, down),
		cmocka_unit_test_setup_teardown(bits_are_set_before_they_are_asked_for, up, down),
		cmocka_unit_test_setup_teardown(pass_wins, up, down),
		cmocka_unit_test_setup_teardown(pass_rules_of_addresses_win, up, down),
		cmocka_unit_test_setup_teardown(actions_are_asked_for, up, down),
		cmocka_unit_test_setup_teardown(the_culprit_is_not_the_target, up, down),
		cmocka_unit_test_setup_teardown(counts_bound_alerts, up, down),
		cmocka_unit_test_setup_teardown(negations_are_decided_at_the_end, up, down),
		cmocka_unit_test_setup_teardown(long_records_have_a_beginning_and_an_end, up, down),
		cmocka_unit_test_setup_teardown(keywords_of_packets_see_the_last_one, up, down),
		cmocka_unit_test_setup_teardown(too_many_rules_at_once_are_a_failure, up, down),
		cmocka_unit_test_setup_teardown(without_a_database_invariants_hold, up, down),
		cmocka_unit_test_setup_teardown(the_opaque_is_policy, up, down),
		cmocka_unit_test_setup_teardown(the_hidden_is_policy, up, down),
		cmocka_unit_test_setup_teardown(
			a_record_ends_with_the_rules_it_began_with, up, down),
		cmocka_unit_test_setup_teardown(a_gap_ends_the_record, up, down),
		cmocka_unit_test_setup_teardown(time_is_bounded, up, down),
		cmocka_unit_test_setup_teardown(steps_are_bounded, up, down),
		cmocka_unit_test_setup_teardown(zeros_evaluate_no_rule, up, down),
		cmocka_unit_test_setup_teardown(memory_is_bounded, up, down),
		cmocka_unit_test_setup_teardown(streams_are_bounded, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
