/* What does not look at data: packets, DCERPC calls, bits and counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule_bits.h"
#include "rule_count.h"
#include "rule_packet.h"
#include "rule_rig.h"

static const struct addr a = {0, 0xffff0a000001}, b = {0, 0xffff0a000002}, c = {0, 0xffff0a000003};

static bool packet_fits(const char *keywords, struct rule_packet packet)
{
	struct ruleset *ruleset = rig_rule(keywords);
	bool result;

	assert_non_null(ruleset);
	result = rule_packet_fits(ruleset_rule(ruleset, 0), &packet);
	ruleset_free(ruleset);
	return result;
}

#define PACKET(...) ((struct rule_packet){__VA_ARGS__})

static void packets_fit(void **state)
{
	assert_true(packet_fits("", PACKET()));
	assert_true(packet_fits("flow:to_server;", PACKET(.to_server = true)));
	assert_false(packet_fits("flow:to_server;", PACKET(.to_server = false)));
	assert_true(packet_fits("flow:from_server;", PACKET(.to_server = false)));
	assert_false(packet_fits("flow:from_server;", PACKET(.to_server = true)));
	assert_true(packet_fits("flow:established;", PACKET(.established = true)));
	assert_false(packet_fits("flow:established;", PACKET(.established = false)));
	assert_true(packet_fits("flow:not_established;", PACKET(.established = false)));
	assert_false(packet_fits("flow:not_established;", PACKET(.established = true)));
	assert_true(packet_fits("flow:stateless;", PACKET(.established = false)));
	assert_true(packet_fits("flow:no_stream;", PACKET(.in_stream = false)));
	assert_false(packet_fits("flow:no_stream;", PACKET(.in_stream = true)));
	assert_false(packet_fits("flow:only_stream; content:\"a\";", PACKET(.in_stream = false)));
	assert_true(packet_fits("flow:no_frag;", PACKET()));
	assert_false(packet_fits("flow:only_frag;", PACKET()));
	assert_true(packet_fits("flags:SA;", PACKET(.flags = 0x12)));
	assert_false(packet_fits("flags:S;", PACKET(.flags = 0x12)));
	assert_true(packet_fits("flags:S,12;", PACKET(.flags = 0xc2)));
	assert_true(packet_fits("flags:+S;", PACKET(.flags = 0x12)));
	assert_false(packet_fits("flags:+SF;", PACKET(.flags = 0x12)));
	assert_true(packet_fits("flags:*SF;", PACKET(.flags = 0x12)));
	assert_false(packet_fits("flags:*RF;", PACKET(.flags = 0x12)));
	assert_true(packet_fits("flags:!RF;", PACKET(.flags = 0x12)));
	assert_false(packet_fits("flags:!SF;", PACKET(.flags = 0x12)));
	assert_true(packet_fits("flags:0;", PACKET(.flags = 0)));
	assert_false(packet_fits("flags:0;", PACKET(.flags = 1)));
	assert_true(packet_fits("dsize:5;", PACKET(.size = 5)));
	assert_false(packet_fits("dsize:5;", PACKET(.size = 6)));
	assert_true(packet_fits("dsize:!5;", PACKET(.size = 6)));
	assert_false(packet_fits("dsize:>5;", PACKET(.size = 5)));
	assert_true(packet_fits("dsize:>5;", PACKET(.size = 70000)));
	assert_false(packet_fits("dsize:<5;", PACKET(.size = 5)));
	assert_true(packet_fits("dsize:5<>8;", PACKET(.size = 7)));
	assert_false(packet_fits("dsize:5<>8;", PACKET(.size = 8)));
}

static bool call_fits(const char *keywords, const struct rule_dce_call *call)
{
	struct ruleset *ruleset = rig_rule(keywords);
	bool result;

	assert_non_null(ruleset);
	result = rule_packet_calls(ruleset_rule(ruleset, 0), call);
	ruleset_free(ruleset);
	return result;
}

#define SVCCTL "367abb81-9844-35f1-ad32-98f038001003"

static void calls_fit(void **state)
{
	struct rule_dce_call call = {.uuid = {0x36, 0x7a, 0xbb, 0x81, 0x98, 0x44, 0x35, 0xf1, 0xad,
					     0x32, 0x98, 0xf0, 0x38, 0x00, 0x10, 0x03},
		.version = 2,
		.opnum = 12,
		.has_iface = true,
		.has_opnum = true,
		.first_frag = true};

	assert_true(call_fits("", NULL));
	assert_false(call_fits("dce_opnum:12;", NULL));
	assert_false(call_fits("dce_iface:" SVCCTL ";", NULL));
	assert_true(call_fits("dce_iface:" SVCCTL "; dce_opnum:3,10-15;", &call));
	assert_false(call_fits("dce_iface:" SVCCTL "; dce_opnum:3,13-15;", &call));
	assert_true(call_fits("dce_iface:" SVCCTL ",=2;", &call));
	assert_false(call_fits("dce_iface:" SVCCTL ",>2;", &call));
	assert_true(call_fits("dce_iface:" SVCCTL ",<3;", &call));
	assert_false(call_fits("dce_iface:" SVCCTL ",!2;", &call));
	call.first_frag = false;
	assert_false(call_fits("dce_iface:" SVCCTL ";", &call));
	assert_true(call_fits("dce_iface:" SVCCTL ",any_frag;", &call));
	call.uuid[15]++;
	assert_false(call_fits("dce_iface:" SVCCTL ",any_frag;", &call));
	call.has_opnum = false;
	assert_false(call_fits("dce_opnum:12;", &call));
}

struct bits_rig {
	struct ruleset *ruleset;
	struct rule_flow_bits flow;
	struct rule_xbits *xbits;
};

static bool allows(
	struct bits_rig *rig, uint32_t sid, struct addr src, struct addr dst, uint64_t now)
{
	return rule_bits_allow(
		ruleset_find(rig->ruleset, 1, sid), &rig->flow, rig->xbits, src, dst, now);
}

static void apply(
	struct bits_rig *rig, uint32_t sid, struct addr src, struct addr dst, uint64_t now)
{
	rule_bits_apply(ruleset_find(rig->ruleset, 1, sid), &rig->flow, rig->xbits, src, dst, now);
}

static struct bits_rig bits_rig(const char *text)
{
	struct rule_report report;
	struct bits_rig rig = {.ruleset = rig_load(text, &report)};

	rule_report_free(&report);
	assert_non_null(rig.ruleset);
	rig.xbits = rule_xbits_create(64);
	return rig;
}

static void free_bits_rig(struct bits_rig *rig)
{
	rule_xbits_free(rig->xbits);
	ruleset_free(rig->ruleset);
}

static void flow_bits_are_set_and_asked_for(void **state)
{
	struct bits_rig rig = bits_rig(RIG_HEADER
		"(flowbits:set,x; sid:1;)\n" RIG_HEADER "(flowbits:isset,x; sid:2;)\n" RIG_HEADER
		"(flowbits:isnotset,x; sid:3;)\n" RIG_HEADER
		"(flowbits:unset,x; sid:4;)\n" RIG_HEADER "(flowbits:toggle,x; sid:5;)\n" RIG_HEADER
		"(flowbits:isset,x|y; sid:6;)\n" RIG_HEADER
		"(flowbits:isnotset,x|y; sid:7;)\n" RIG_HEADER
		"(flowbits:isset,x; flowbits:isset,y; sid:8;)\n" RIG_HEADER
		"(flowbits:set,y; sid:9;)\n");

	assert_true(allows(&rig, 1, a, b, 0));
	assert_false(allows(&rig, 2, a, b, 0));
	assert_true(allows(&rig, 3, a, b, 0));
	assert_false(allows(&rig, 6, a, b, 0));
	assert_true(allows(&rig, 7, a, b, 0));
	apply(&rig, 1, a, b, 0);
	assert_true(allows(&rig, 2, a, b, 0));
	assert_false(allows(&rig, 3, a, b, 0));
	assert_true(allows(&rig, 6, a, b, 0));
	assert_true(allows(&rig, 7, a, b, 0));
	assert_false(allows(&rig, 8, a, b, 0));
	apply(&rig, 9, a, b, 0);
	assert_false(allows(&rig, 7, a, b, 0));
	assert_true(allows(&rig, 8, a, b, 0));
	apply(&rig, 4, a, b, 0);
	assert_false(allows(&rig, 2, a, b, 0));
	apply(&rig, 5, a, b, 0);
	assert_true(allows(&rig, 2, a, b, 0));
	apply(&rig, 5, a, b, 0);
	assert_false(allows(&rig, 2, a, b, 0));
	free_bits_rig(&rig);
}

static void flow_bits_are_bounded(void **state)
{
	struct rule_flow_bits bits = {0};

	for (uint16_t id = 0; id < RULE_FLOW_BITS + 2; id++)
		rule_flow_bits_set(&bits, id);
	assert_int_equal(bits.n, RULE_FLOW_BITS);
	assert_int_equal(bits.lost, 2);
	assert_false(rule_flow_bits_has(&bits, 1)); /* the oldest went */
	assert_true(rule_flow_bits_has(&bits, 2));
	assert_true(rule_flow_bits_has(&bits, RULE_FLOW_BITS + 1));
}

static void xbits_belong_to_addresses_and_expire(void **state)
{
	struct bits_rig rig = bits_rig(
		RIG_HEADER "(xbits:set,x,track ip_src,expire 10; sid:1;)\n" RIG_HEADER
			   "(xbits:isset,x,track ip_src; sid:2;)\n" RIG_HEADER
			   "(xbits:isset,x,track ip_dst; sid:3;)\n" RIG_HEADER
			   "(xbits:set,p,track ip_pair; sid:4;)\n" RIG_HEADER
			   "(xbits:isset,p,track ip_pair; sid:5;)\n" RIG_HEADER
			   "(xbits:unset,p,track ip_pair; sid:6;)\n" RIG_HEADER
			   "(xbits:isnotset,x,track ip_src; sid:7;)\n");

	apply(&rig, 1, a, b, 100);
	assert_true(allows(&rig, 2, a, c, 109));
	assert_false(allows(&rig, 2, b, a, 109));
	assert_true(allows(&rig, 3, c, a, 109));
	assert_false(allows(&rig, 7, a, c, 109));
	assert_false(allows(&rig, 2, a, c, 110));
	apply(&rig, 4, a, b, 100);
	assert_true(allows(&rig, 5, b, a, 1000000));
	assert_false(allows(&rig, 5, a, c, 100));
	apply(&rig, 6, b, a, 100);
	assert_false(allows(&rig, 5, a, b, 100));
	free_bits_rig(&rig);
}

static void xbits_are_bounded(void **state)
{
	struct bits_rig rig = bits_rig(RIG_HEADER "(xbits:set,x,track ip_src; sid:1;)\n");

	for (uint64_t i = 0; i < 1000; i++)
		apply(&rig, 1, (struct addr){0, i}, b, i);
	assert_true(rule_xbits_lost(rig.xbits) >= 1000 - 64);
	free_bits_rig(&rig);
}

/* Which of the matches at these seconds are told: a bit for each. */
static unsigned told(const char *keywords, const uint64_t *seconds, unsigned n, bool *matches)
{
	struct rule_counts *counts = rule_counts_create(64);
	struct ruleset *ruleset = rig_rule(keywords);
	unsigned sum = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rule_count_verdict verdict = rule_count(
			counts, ruleset_rule(ruleset, 0), a, b, 7, 1000 + seconds[i]);

		sum |= (unsigned)verdict.alerts << i;
		if (matches)
			matches[i] = verdict.matches;
	}
	ruleset_free(ruleset);
	rule_counts_free(counts);
	return sum;
}

static void thresholds_limit_what_is_told(void **state)
{
	static const uint64_t seconds[] = {0, 1, 2, 3, 4, 5, 10, 11, 12, 13};
	bool matches[10];

	assert_int_equal(told("", seconds, 10, NULL), 0x3ff);
	assert_int_equal(
		told("threshold:type limit,track by_src,count 2,seconds 10;", seconds, 10, NULL),
		0x0c3);
	assert_int_equal(told("threshold:type threshold,track by_src,count 3,seconds 10;", seconds,
				 10, NULL),
		0x124);
	assert_int_equal(
		told("threshold:type both,track by_src,count 3,seconds 10;", seconds, 10, matches),
		0x104);
	assert_true(matches[0]);
	assert_int_equal(
		told("detection_filter:track by_src,count 4,seconds 10;", seconds, 10, matches),
		0x030);
	assert_false(matches[3]);
	assert_true(matches[4]);
}

static void counts_are_kept_apart(void **state)
{
	static const struct {
		const char *track;
		bool other_src, other_dst, other_flow; /* begins a count of its own */
	} cases[] = {{"by_src", true, false, false}, {"by_dst", false, true, false},
		{"by_both", true, true, false}, {"by_rule", false, false, false},
		{"by_flow", false, false, true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[128];
		struct rule_counts *counts = rule_counts_create(64);
		struct ruleset *ruleset;
		const struct rule *rule;

		snprintf(text, sizeof(text), "threshold:type limit,track %s,count 1,seconds 60;",
			cases[i].track);
		ruleset = rig_rule(text);
		rule = ruleset_rule(ruleset, 0);
		assert_true(rule_count(counts, rule, a, b, 1, 1).alerts);
		assert_false(rule_count(counts, rule, a, b, 1, 1).alerts);
		assert_int_equal(rule_count(counts, rule, c, b, 1, 1).alerts, cases[i].other_src);
		assert_int_equal(rule_count(counts, rule, a, c, 1, 1).alerts, cases[i].other_dst);
		assert_int_equal(rule_count(counts, rule, a, b, 2, 1).alerts, cases[i].other_flow);
		ruleset_free(ruleset);
		rule_counts_free(counts);
	}
}

static void counts_are_bounded(void **state)
{
	struct rule_counts *counts = rule_counts_create(64);
	struct ruleset *ruleset = rig_rule("threshold:type limit,track by_src,count 1,seconds 60;");

	for (uint64_t i = 0; i < 1000; i++)
		rule_count(counts, ruleset_rule(ruleset, 0), (struct addr){0, i}, b, 1, 1);
	assert_true(rule_counts_lost(counts) >= 1000 - 64);
	ruleset_free(ruleset);
	rule_counts_free(counts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_fit),
		cmocka_unit_test(calls_fit),
		cmocka_unit_test(flow_bits_are_set_and_asked_for),
		cmocka_unit_test(flow_bits_are_bounded),
		cmocka_unit_test(xbits_belong_to_addresses_and_expire),
		cmocka_unit_test(xbits_are_bounded),
		cmocka_unit_test(thresholds_limit_what_is_told),
		cmocka_unit_test(counts_are_kept_apart),
		cmocka_unit_test(counts_are_bounded),
	};

	return cmocka_run_group_tests_name("rule_state", tests, NULL, NULL);
}
