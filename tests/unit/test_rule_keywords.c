/* What keywords become when they are read: the fields of a rule, and which content is searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule_rig.h"

static struct ruleset *set;

static const struct rule *load_one(const char *text)
{
	struct rule_report report;

	ruleset_free(set);
	set = rig_load(text, &report);
	if (!set)
		rule_report_print(&report, stdout);
	rule_report_free(&report);
	assert_non_null(set);
	return ruleset_rule(set, 0);
}

static const struct rule *one(const char *keywords)
{
	char text[2048];

	snprintf(text, sizeof(text), RIG_HEADER "(%s sid:1;)", keywords);
	return load_one(text);
}

static int free_set(void **state)
{
	ruleset_free(set);
	set = NULL;
	return 0;
}

static const char *address(uint16_t id)
{
	return ruleset_expression(set, RULE_VARS_ADDRESSES, id);
}

static const char *port(uint16_t id)
{
	return ruleset_expression(set, RULE_VARS_PORTS, id);
}

static void the_header_is_kept(void **state)
{
	const struct rule *rule = load_one(
		"drop smb [10.0.0.0/8, !10.1.0.0/16]  any <> $HOME_NET [139,445] (sid:7;)");

	assert_int_equal(rule->action, RULE_DROP);
	assert_int_equal(rule->proto, RULE_SMB);
	assert_true(rule->both_ways);
	assert_string_equal(address(rule->src), "[10.0.0.0/8, !10.1.0.0/16]");
	assert_string_equal(port(rule->src_ports), "any");
	assert_string_equal(address(rule->dst), "$HOME_NET");
	assert_string_equal(port(rule->dst_ports), "[139,445]");
	assert_int_equal(rule->line, 1);
	assert_string_equal(rule->file, "rig");
}

static void actions_and_protocols(void **state)
{
	static const struct {
		const char *action;
		enum rule_action is;
	} actions[] = {{"pass", RULE_PASS}, {"drop", RULE_DROP}, {"reject", RULE_REJECT},
		{"rejectsrc", RULE_REJECT}, {"rejectdst", RULE_REJECT}, {"rejectboth", RULE_REJECT},
		{"alert", RULE_ALERT}};
	char text[128];

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		snprintf(text, sizeof(text), "%s dcerpc any any -> any any (sid:1;)",
			actions[i].action);
		assert_int_equal(load_one(text)->action, actions[i].is);
		assert_int_equal(ruleset_rule(set, 0)->proto, RULE_DCERPC);
	}
}

static void what_describes_a_rule(void **state)
{
	const struct rule *rule = one(
		"msg:\"a \\\"b\\\"\\; c\"; gid:3; rev:5; classtype:misc; reference:url,a.example; "
		"reference:cve,2017-1; metadata:a 1; metadata:b 2, c 3; priority:2; "
		"target:dest_ip; noalert; bypass;");

	assert_string_equal(rule->msg, "a \"b\"; c");
	assert_int_equal(rule->gid, 3);
	assert_int_equal(rule->rev, 5);
	assert_string_equal(rule->classtype, "misc");
	assert_string_equal(rule->reference, "url,a.example, cve,2017-1");
	assert_string_equal(rule->metadata, "a 1, b 2, c 3");
	assert_int_equal(rule->priority, 2);
	assert_int_equal(rule->target, RULE_TARGET_DST);
	assert_true(rule->noalert);
	assert_true(rule->bypass);
	rule = one("target:src_ip;");
	assert_int_equal(rule->target, RULE_TARGET_SRC);
	assert_int_equal(rule->gid, 1);
	assert_int_equal(rule->rev, 0);
	assert_int_equal(rule->priority, 3);
	assert_false(rule->noalert || rule->bypass);
}

static void contents_are_bytes(void **state)
{
	const struct rule *rule = one(
		"content:\"A|00 fF,01|b\\\\\\\"\\;\\:\"; content:!\"Ab|C0|\"; nocase; within:9;");
	const struct rule_content *content = &rule->items[0].content;

	assert_int_equal(content->len, 9);
	assert_memory_equal(content->bytes, "A\0\xff\1b\\\";:", 9);
	assert_false(content->negated || content->nocase);
	content = &rule->items[1].content;
	assert_int_equal(content->len, 3);
	assert_memory_equal(content->bytes, "ab\xc0", 3);
	assert_true(content->negated && content->nocase && content->has_within);
	assert_int_equal(content->within.value, 9);
}

static void flow_and_packet_keywords(void **state)
{
	const struct rule *rule = one("flow:established,from_client; flags:SA,CE; dsize:10<>20;");

	assert_int_equal(rule->flow, RULE_ESTABLISHED | RULE_TO_SERVER);
	assert_int_equal(rule->flags_mode, RULE_FLAGS_EXACT);
	assert_int_equal(rule->flags_want, 0x12);
	assert_int_equal(rule->flags_ignore, 0xc0);
	assert_int_equal(rule->dsize.low, 11);
	assert_int_equal(rule->dsize.high, 19);
	rule = one("flow:to_client,stateless; flags:!FU; dsize:!5;");
	assert_int_equal(rule->flow, RULE_STATELESS | RULE_TO_CLIENT);
	assert_int_equal(rule->flags_mode, RULE_FLAGS_NOT);
	assert_int_equal(rule->flags_want, 0x21);
	assert_true(rule->dsize.negated);
	assert_int_equal(one("flags:+A;")->flags_mode, RULE_FLAGS_ALL);
	assert_int_equal(one("flags:A+,12;")->flags_mode, RULE_FLAGS_ALL);
	assert_int_equal(ruleset_rule(set, 0)->flags_ignore, 0xc0);
	assert_int_equal(one("flags:*FR;")->flags_mode, RULE_FLAGS_ANY);
	assert_int_equal(one("flags:0;")->flags_want, 0);
	assert_int_equal(one("dsize:>10;")->dsize.low, 11);
	assert_int_equal(one("dsize:<10;")->dsize.high, 9);
	assert_int_equal(one("flow:only_stream; content:\"a\";")->flow, RULE_ONLY_STREAM);
}

static void bits_have_names(void **state)
{
	const struct rule *rule = one(
		"flowbits:set,a.b; flowbits:isset,a.b|c; flowbits:noalert; "
		"xbits:set,d,track ip_pair,expire 60; xbits:isnotset,d,track ip_src;");

	assert_int_equal(rule->n_bits, 4);
	assert_int_equal(rule->bits[0].command, RULE_BIT_SET);
	assert_int_equal(rule->bits[0].scope, RULE_BIT_FLOW);
	assert_string_equal(ruleset_bit_name(set, rule->bits[0].names[0]), "a.b");
	assert_int_equal(rule->bits[1].command, RULE_BIT_ISSET);
	assert_int_equal(rule->bits[1].n, 2);
	assert_int_equal(rule->bits[1].names[0], rule->bits[0].names[0]);
	assert_string_equal(ruleset_bit_name(set, rule->bits[1].names[1]), "c");
	assert_int_equal(rule->bits[2].scope, RULE_BIT_PAIR);
	assert_int_equal(rule->bits[2].seconds, 60);
	assert_int_equal(rule->bits[3].command, RULE_BIT_ISNOTSET);
	assert_int_equal(rule->bits[3].scope, RULE_BIT_SRC);
	assert_true(rule->noalert);
}

static void counts_are_read(void **state)
{
	const struct rule *rule = one("threshold: type both , track by_dst, seconds 60, count 5 ;"
				      "detection_filter:track by_src, count 3, seconds 10;");

	assert_int_equal(rule->threshold.type, RULE_THRESHOLD_BOTH);
	assert_int_equal(rule->threshold.track, RULE_TRACK_DST);
	assert_int_equal(rule->threshold.count, 5);
	assert_int_equal(rule->threshold.seconds, 60);
	assert_int_equal(rule->filter.type, RULE_THRESHOLD_FILTER);
	assert_int_equal(rule->filter.track, RULE_TRACK_SRC);
	assert_int_equal(rule->filter.count, 3);
}

static void smb_and_dcerpc_keywords(void **state)
{
	static const uint8_t uuid[] = {0x36, 0x7a, 0xbb, 0x81, 0x98, 0x44, 0x35, 0xf1, 0xad, 0x32,
		0x98, 0xf0, 0x38, 0x00, 0x10, 0x03};
	const struct rule *rule = one("dce_iface:367abb81-9844-35F1-ad32-98f038001003,>1,any_frag; "
				      "dce_opnum:3,12-15; dce_stub_data; content:\"a\";");

	assert_int_equal(rule->proto, RULE_DCERPC);
	assert_true(rule->dce_iface.given && rule->dce_iface.any_frag);
	assert_memory_equal(rule->dce_iface.uuid, uuid, 16);
	assert_false(rule_range_has(&rule->dce_iface.version, 1));
	assert_true(rule_range_has(&rule->dce_iface.version, 2));
	assert_int_equal(rule->n_opnums, 2);
	assert_int_equal(rule->opnums[1].low, 12);
	assert_int_equal(rule->opnums[1].high, 15);
	assert_int_equal(rule->items[0].buffer, RULE_DCE_STUB);
	rule = one("smb.named_pipe; content:\"a\"; smb.ntlmssp_user; content:\"b\"; smb.share; "
		   "content:\"c\"; file_data; content:\"d\"; pkt_data; content:\"e\";");
	assert_int_equal(rule->proto, RULE_SMB);
	for (unsigned i = 0; i < 5; i++) {
		static const char letters[] = "edcab"; /* as the buffers are numbered */

		assert_int_equal(rule->items[i].buffer, i);
		assert_int_equal(rule->items[i].content.bytes[0], letters[i]);
	}
}

/* Which bytes the database looks for. */
static void assert_fast(const char *keywords, const char *bytes, unsigned n)
{
	const struct rule *rule = one(keywords);
	const struct rule_content *content;

	assert_true(rule->fast != RULE_NO_FAST);
	content = &rule->items[rule->fast].content;
	assert_int_equal(content->len, n);
	assert_memory_equal(content->bytes, bytes, n);
}

static void the_rarest_content_is_searched(void **state)
{
	assert_fast("content:\"|ff|SMB\"; content:\"WXYZ\";", "WXYZ", 4);
	assert_fast("content:\"|ff|SMBs|00 00 00 00|\"; content:\"abcd\";", "abcd", 4);
	assert_fast("content:\"ab\"; content:\"|00 00 00 00 00 00|x|00|\";", "\0\0\0\0\0\0x", 8);
	/* Short or of one byte repeated: only where there is nothing else. */
	assert_fast("content:\"|91 92 93|\"; content:\"aaab\";", "aaab", 4);
	assert_fast("content:\"|00 00 00 00 00 00 00 00|\"; content:\"aaab\";", "aaab", 4);
	assert_fast("content:\"|91 92 93|\"; fast_pattern; content:\"aaab\";", "aaab", 4);
	assert_fast("content:\"|91 92 93|\"; content:!\"abcd\";", "\x91\x92\x93", 3);
	assert_fast("content:\"|00 00 00 00|\";", "\0\0\0\0", 4);
	/* The author's choice, where it will do. */
	assert_fast("content:\"abcd\"; fast_pattern; content:\"|91 92 93 94 95|\";", "abcd", 4);
	assert_int_equal(one("content:!\"abcd\";")->fast, RULE_NO_FAST);
	assert_int_equal(one("pcre:\"/a/\";")->fast, RULE_NO_FAST);
}

/* Whether a later keyword depends on the place, whatever stands between. */
static void positions_are_used_where_something_is_relative(void **state)
{
	const struct rule *rule = one("content:\"a\"; content:!\"b\"; content:\"c\"; distance:0; "
				      "content:\"d\"; byte_test:1,=,1,0; isdataat:1,relative; "
				      "content:\"e\"; content:\"f\";");

	assert_true(rule->items[0].position_used);
	assert_false(rule->items[2].position_used);
	assert_true(rule->items[3].position_used);
	assert_false(rule->items[6].position_used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_is_kept),
		cmocka_unit_test(actions_and_protocols),
		cmocka_unit_test(what_describes_a_rule),
		cmocka_unit_test(contents_are_bytes),
		cmocka_unit_test(flow_and_packet_keywords),
		cmocka_unit_test(bits_have_names),
		cmocka_unit_test(counts_are_read),
		cmocka_unit_test(smb_and_dcerpc_keywords),
		cmocka_unit_test(the_rarest_content_is_searched),
		cmocka_unit_test(positions_are_used_where_something_is_relative),
	};

	return cmocka_run_group_tests_name("rule_keywords", tests, NULL, free_set);
}
