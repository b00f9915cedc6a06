/* Sets of rules: order, classes, names that outlive a reload, and bindings to variables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "rule_bind.h"
#include "rule_rig.h"
#include "temp_dir.h"

static struct ruleset *load(const char *text)
{
	struct rule_report report;
	struct ruleset *ruleset = rig_load(text, &report);

	if (!ruleset)
		rule_report_print(&report, stdout);
	rule_report_free(&report);
	assert_non_null(ruleset);
	return ruleset;
}

static void assert_order(const char *text, const uint32_t *sids, uint32_t n)
{
	struct ruleset *ruleset = load(text);

	assert_int_equal(ruleset_count(ruleset), n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(ruleset_rule(ruleset, i)->sid, sids[i]);
		assert_int_equal(ruleset_rule(ruleset, i)->index, i);
		assert_ptr_equal(ruleset_find(ruleset, 1, sids[i]), ruleset_rule(ruleset, i));
	}
	ruleset_free(ruleset);
}

static void pass_comes_before_drop_before_reject_before_alert(void **state)
{
	static const uint32_t sids[] = {4, 3, 2, 5, 1, 6};

	assert_order("alert tcp any any -> any any (priority:2; sid:1;)\n"
		     "reject tcp any any -> any any (sid:2;)\n"
		     "drop tcp any any -> any any (sid:3;)\n"
		     "pass tcp any any -> any any (sid:4;)\n"
		     "alert tcp any any -> any any (priority:1; sid:5;)\n"
		     "alert tcp any any -> any any (priority:2; sid:6;)\n",
		sids, 6);
}

static void setters_come_before_those_who_ask(void **state)
{
	static const uint32_t sids[] = {4, 3, 2, 1}, circle[] = {3, 1, 2};

	assert_order("drop tcp any any -> any any (flowbits:isset,c; sid:1;)\n"
		     "drop tcp any any -> any any (flowbits:isset,b; flowbits:set,c; sid:2;)\n"
		     "alert tcp any any -> any any (flowbits:isnotset,a; flowbits:set,b; sid:3;)\n"
		     "alert tcp any any -> any any (flowbits:toggle,a; sid:4;)\n",
		sids, 4);
	/* A circle has no order, but an end. */
	assert_order("alert tcp any any -> any any (flowbits:isset,b; flowbits:set,a; sid:1;)\n"
		     "alert tcp any any -> any any (flowbits:isset,a; flowbits:set,b; sid:2;)\n"
		     "alert tcp any any -> any any (sid:3;)\n",
		circle, 3);
}

static void classes_give_priorities(void **state)
{
	struct ruleset_source source = {"r",
		"alert tcp any any -> any any (classtype:grave; sid:1;)\n"
		"alert tcp any any -> any any (classtype:grave; priority:4; sid:2;)\n"
		"alert tcp any any -> any any (priority:4; classtype:grave; sid:3;)\n"
		"alert tcp any any -> any any (classtype:other; sid:4;)\n",
		0};
	struct ruleset_options options = {.classes = path};
	struct rule_report report;
	struct ruleset *ruleset;
	char why[512], expected[512];
	FILE *file;

	source.size = strlen(source.text);
	in_dir("classes");
	file = fopen(path, "w");
	fprintf(file, "# comment\nconfig classification: grave,What it means,1\n");
	fclose(file);
	rule_report_init(&report);
	ruleset = ruleset_load(&source, 1, &options, &report);
	assert_non_null(ruleset);
	assert_int_equal(ruleset_find(ruleset, 1, 1)->priority, 1);
	assert_int_equal(ruleset_find(ruleset, 1, 2)->priority, 4);
	assert_int_equal(ruleset_find(ruleset, 1, 3)->priority, 4);
	assert_int_equal(ruleset_find(ruleset, 1, 4)->priority, 3);
	assert_string_equal(ruleset_class_text(ruleset, "grave"), "What it means");
	assert_string_equal(ruleset_class_text(ruleset, "other"), "");
	ruleset_free(ruleset);

	file = fopen(path, "w");
	fprintf(file, "config classification: grave,1\n");
	fclose(file);
	assert_null(ruleset_load(&source, 1, &options, &report));
	rule_report_format(&report.refusals[0], why, sizeof(why));
	snprintf(expected, sizeof(expected),
		"%s:1: \"config classification: NAME,TEXT,PRIORITY\" with a priority from 1 to "
		"255, "
		"at most 1024 times, is right",
		path);
	assert_string_equal(why, expected);
	rule_report_free(&report);
}

static void a_file_that_cannot_be_read_refuses_all(void **state)
{
	struct ruleset_source sources[] = {{"r", "alert tcp any any -> any any (sid:1;)\n", 38},
		{"/nowhere/x.rules", NULL, 0}};
	struct ruleset_options options = {.skip_unsupported = true};
	struct rule_report report;
	char why[512], fifo[64];

	rule_report_init(&report);
	assert_null(ruleset_load(sources, 2, &options, &report));
	assert_int_equal(report.n, 1);
	rule_report_format(&report.refusals[0], why, sizeof(why));
	assert_string_equal(why, "/nowhere/x.rules: cannot be opened: No such file or directory");
	rule_report_free(&report);
	sources[1].name = "/";
	assert_null(ruleset_load(sources, 2, &options, &report));
	rule_report_format(&report.refusals[0], why, sizeof(why));
	assert_string_equal(why, "/: is no regular file: name a file of rules");
	rule_report_free(&report);
	/* Nor does anybody wait for a writer, or a device's end. */
	snprintf(fifo, sizeof(fifo), "/tmp/vswitch-rules-%d", getpid());
	assert_int_equal(mkfifo(fifo, 0600), 0);
	sources[1].name = fifo;
	assert_null(ruleset_load(sources, 2, &options, &report));
	unlink(fifo);
	assert_non_null(strstr(report.refusals[0].reason, "is no regular file"));
	rule_report_free(&report);
	sources[1].name = "/dev/zero";
	assert_null(ruleset_load(sources, 2, &options, &report));
	assert_non_null(strstr(report.refusals[0].reason, "is no regular file"));
	rule_report_free(&report);
}

static const struct rule *reload(
	struct ruleset **ruleset, struct rule_names *names, const char *text)
{
	struct ruleset_source source = {"r", text, strlen(text)};
	struct ruleset_options options = {.bits = names};
	struct rule_report report;

	rule_report_init(&report);
	ruleset_free(*ruleset);
	*ruleset = ruleset_load(&source, 1, &options, &report);
	rule_report_free(&report);
	return *ruleset ? ruleset_rule(*ruleset, 0) : NULL;
}

static void bits_keep_their_numbers_over_a_reload(void **state)
{
	struct rule_names *names = rule_names_create(2);
	struct ruleset *ruleset = NULL;
	const struct rule *rule;

	rule = reload(&ruleset, names, RIG_HEADER "(flowbits:set,one; sid:1;)");
	assert_int_equal(rule->bits[0].names[0], 0);
	rule = reload(&ruleset, names,
		RIG_HEADER "(flowbits:set,two; sid:2;)\n" RIG_HEADER "(flowbits:set,one; sid:1;)");
	assert_int_equal(ruleset_find(ruleset, 1, 2)->bits[0].names[0], 1);
	assert_int_equal(ruleset_find(ruleset, 1, 1)->bits[0].names[0], 0);
	assert_null(reload(&ruleset, names, RIG_HEADER "(flowbits:set,three; sid:1;)"));
	rule_names_free(names);
}

static void equal_rules_have_equal_hashes(void **state)
{
	struct ruleset *a = load("alert tcp any any -> any any (sid:1;)\n");
	struct ruleset *b = load("# x\n\n  alert tcp any any -> any any (sid:1;)  \n");
	struct ruleset *c = load("alert tcp any any -> any any (sid:2;)\n");

	assert_true(ruleset_hash(a) == ruleset_hash(b));
	assert_true(ruleset_hash(a) != ruleset_hash(c));
	ruleset_free(a);
	ruleset_free(b);
	ruleset_free(c);
}

/* Variables and headers. */

static struct addr ip(const char *text)
{
	struct addr_span span;

	assert_true(addr_span_parse(text, &span));
	return span.first;
}

static bool fits(const char *header, const struct rule_vars *vars, const char *src,
	uint16_t src_port, const char *dst, uint16_t dst_port)
{
	struct rule_ends ends = {ip(src), ip(dst), src_port, dst_port};
	char text[512], reason[256];
	struct rule_bind *bind;
	struct ruleset *ruleset;
	unsigned unknown;
	bool result;

	snprintf(text, sizeof(text), "alert tcp %s (sid:1;)", header);
	ruleset = load(text);
	bind = rule_bind_create(ruleset, vars, NULL, 0, &unknown, reason, sizeof(reason));
	if (!bind)
		fail_msg("%s", reason);
	result = rule_bind_fits(bind, ruleset_rule(ruleset, 0), &ends);
	rule_bind_free(bind);
	ruleset_free(ruleset);
	return result;
}

static void headers_fit_addresses_and_ports(void **state)
{
	struct rule_vars *v = rule_vars_create();
	char why[256];

	assert_true(fits("any any -> any 445", v, "10.0.0.1", 1, "fd00::1", 445));
	assert_false(fits("any any -> any 445", v, "10.0.0.1", 445, "fd00::1", 446));
	assert_true(fits("any any <> any 445", v, "10.0.0.1", 445, "fd00::1", 446));
	assert_true(fits("10.0.0.0/24 any -> any any", v, "10.0.0.255", 1, "10.0.1.0", 1));
	assert_false(fits("10.0.0.0/24 any -> any any", v, "10.0.1.0", 1, "10.0.0.1", 1));
	assert_false(fits("!10.0.0.0/24 any -> any any", v, "10.0.0.255", 1, "10.0.1.0", 1));
	assert_true(fits("!10.0.0.0/24 any -> any any", v, "fd00::1", 1, "10.0.1.0", 1));
	assert_false(fits("[10.0.0.0/24,!10.0.0.7] any -> any any", v, "10.0.0.7", 1, "::1", 1));
	assert_true(fits("[10.0.0.0/24,!10.0.0.7] any -> any any", v, "10.0.0.8", 1, "::1", 1));
	assert_false(fits("[::/0] any -> any any", v, "10.0.0.8", 1, "::1", 1));
	assert_true(fits("any [1:3,!2,9:] -> any any", v, "::1", 3, "::1", 1));
	assert_false(fits("any [1:3,!2,9:] -> any any", v, "::1", 2, "::1", 1));
	assert_true(fits("any [1:3,!2,9:] -> any any", v, "::1", 65535, "::1", 1));
	assert_true(fits("any :3 -> any any", v, "::1", 0, "::1", 1));
	assert_false(fits("any !$HTTP_PORTS -> any any", v, "::1", 80, "::1", 1));
	assert_true(fits("$HOME_NET any -> $EXTERNAL_NET any", v, "10.0.0.1", 1, "10.0.0.2", 1));

	assert_true(rule_vars_set(
		v, RULE_VARS_ADDRESSES, "HOME_NET", "[10.0.0.0/8,!10.9.0.0/16]", why, sizeof(why)));
	assert_true(rule_vars_set(
		v, RULE_VARS_ADDRESSES, "EXTERNAL_NET", "!$HOME_NET", why, sizeof(why)));
	assert_true(fits("$HOME_NET any -> $EXTERNAL_NET any", v, "10.0.0.1", 1, "10.9.0.2", 1));
	assert_false(fits("$HOME_NET any -> $EXTERNAL_NET any", v, "10.0.0.1", 1, "10.8.0.2", 1));
	assert_false(fits("[$HOME_NET,10.9.0.1] any -> any any", v, "10.9.0.1", 1, "10.8.0.2", 1));
	rule_vars_free(v);
}

static void variables_are_checked(void **state)
{
	struct rule_vars *v = rule_vars_create(), *copy;
	char why[256];

	assert_false(rule_vars_set(v, RULE_VARS_ADDRESSES, "NET", "10.0.0", why, sizeof(why)));
	assert_null(rule_vars_get(v, RULE_VARS_ADDRESSES, "NET", 3));
	assert_false(rule_vars_set(v, RULE_VARS_ADDRESSES, "HOME_NET", "$NET", why, sizeof(why)));
	assert_string_equal(why, "address variable $NET is not defined");
	assert_string_equal(rule_vars_get(v, RULE_VARS_ADDRESSES, "HOME_NET", 8), "any");
	assert_false(
		rule_vars_set(v, RULE_VARS_ADDRESSES, "HOME_NET", "[$HOME_NET]", why, sizeof(why)));
	assert_string_equal(why, "lists and variables are nested more than 30 deep");
	assert_false(rule_vars_set(v, RULE_VARS_PORTS, "a b", "1", why, sizeof(why)));
	assert_string_equal(why, "\"a b\" is no name of a variable");
	assert_true(rule_vars_set(v, RULE_VARS_PORTS, "P", "[1,2]", why, sizeof(why)));
	copy = rule_vars_copy(v);
	assert_true(rule_vars_set(v, RULE_VARS_PORTS, "P", "3", why, sizeof(why)));
	assert_string_equal(rule_vars_get(copy, RULE_VARS_PORTS, "P", 1), "[1,2]");
	assert_string_equal(rule_vars_get(v, RULE_VARS_PORTS, "P", 1), "3");
	rule_vars_free(copy);
	rule_vars_free(v);
}

/* Each level names the one below ten times: a billion steps, were they not counted. */
static void nested_variables_are_bounded(void **state)
{
	struct rule_vars *v = rule_vars_create();
	char name[8] = "V0", value[128], why[256];
	bool set = rule_vars_set(v, RULE_VARS_PORTS, name, "!any", why, sizeof(why));

	for (char level = '1'; set && level <= '9'; level++) {
		char below = (char)(level - 1);

		name[1] = level;
		snprintf(value, sizeof(value),
			"[!$V%c,!$V%c,!$V%c,!$V%c,!$V%c,!$V%c,!$V%c,!$V%c,!$V%c,!$V%c]", below,
			below, below, below, below, below, below, below, below, below);
		set = rule_vars_set(v, RULE_VARS_PORTS, name, value, why, sizeof(why));
	}
	assert_false(set);
	assert_string_equal(why, "more than 65536 parts");
	rule_vars_free(v);
}

static struct ruleset *overridden_set(void)
{
	return load("alert tcp any any -> any any (classtype:a; sid:1;)\n"
		    "alert tcp any any -> any any (classtype:a; sid:2;)\n"
		    "drop tcp any any -> any any (classtype:b; sid:3;)\n");
}

static void overrides_change_what_a_rule_does(void **state)
{
	static const struct rule_override overrides[] = {
		{.kind = RULE_OVERRIDE_DROP, .sid = 1},
		{.kind = RULE_OVERRIDE_DISABLE, .classtype = "a"},
		{.kind = RULE_OVERRIDE_ALERT, .classtype = "b"},
		{.kind = RULE_OVERRIDE_QUARANTINE, .sid = 3, .gid = 1},
		{.kind = RULE_OVERRIDE_DROP, .sid = 99},
	};
	struct ruleset *ruleset = overridden_set();
	struct rule_vars *vars = rule_vars_create();
	const struct rule *one = ruleset_find(ruleset, 1, 1), *two = ruleset_find(ruleset, 1, 2),
			  *three = ruleset_find(ruleset, 1, 3);
	char reason[256];
	unsigned unknown;
	struct rule_bind *bind = rule_bind_create(
		ruleset, vars, overrides, 5, &unknown, reason, sizeof(reason));

	assert_non_null(bind);
	assert_int_equal(unknown, 1);
	assert_int_equal(rule_bind_action(bind, one), RULE_DROP);
	assert_false(rule_bind_disabled(bind, one));
	assert_true(rule_bind_disabled(bind, two));
	assert_int_equal(rule_bind_action(bind, three), RULE_DROP);
	assert_true(rule_bind_quarantines(bind, three));
	assert_false(rule_bind_quarantines(bind, one));
	rule_bind_free(bind);
	rule_vars_free(vars);
	ruleset_free(ruleset);
}

static void rules_ask_for_quarantine_themselves(void **state)
{
	static const struct rule_override overrides[] = {
		{.kind = RULE_OVERRIDE_DROP, .sid = 2},
		{.kind = RULE_OVERRIDE_ALERT, .sid = 3},
	};
	struct ruleset *ruleset = load(
		"drop tcp any any -> any any (metadata:a 1, vswitch_action quarantine; sid:1;)\n"
		"drop tcp any any -> any any (metadata:vswitch_action quarantine; sid:2;)\n"
		"reject tcp any any -> any any (metadata:vswitch_action quarantine; sid:3;)\n"
		"drop tcp any any -> any any (metadata:vswitch_action_quarantine; sid:4;)\n");
	struct rule_vars *vars = rule_vars_create();
	char reason[256];
	unsigned unknown;
	struct rule_bind *bind = rule_bind_create(
		ruleset, vars, overrides, 2, &unknown, reason, sizeof(reason));

	assert_non_null(bind);
	assert_true(rule_bind_quarantines(bind, ruleset_find(ruleset, 1, 1)));
	assert_false(rule_bind_quarantines(bind, ruleset_find(ruleset, 1, 2)));
	assert_false(rule_bind_quarantines(bind, ruleset_find(ruleset, 1, 3)));
	assert_false(rule_bind_quarantines(bind, ruleset_find(ruleset, 1, 4)));
	assert_int_equal(rule_bind_action(bind, ruleset_find(ruleset, 1, 3)), RULE_ALERT);
	rule_bind_free(bind);
	rule_vars_free(vars);
	ruleset_free(ruleset);
}

static void alerts_are_suppressed_by_address(void **state)
{
	static const struct rule_override overrides[] = {
		{RULE_OVERRIDE_SUPPRESS, 1, 1, NULL, RULE_TRACK_SRC, "10.0.0.1"},
		{RULE_OVERRIDE_SUPPRESS, 0, 0, "a", RULE_TRACK_DST, "[10.0.0.2,10.0.0.3]"},
	};
	static const struct rule_override wrong = {
		RULE_OVERRIDE_SUPPRESS, 1, 1, NULL, RULE_TRACK_SRC, "10.0.0"};
	struct rule_ends from = {ip("10.0.0.1"), ip("10.0.0.9"), 1, 2};
	struct rule_ends to = {ip("10.0.0.9"), ip("10.0.0.3"), 1, 2};
	struct rule_ends other = {ip("10.0.0.3"), ip("10.0.0.1"), 1, 2};
	struct ruleset *ruleset = overridden_set();
	struct rule_vars *vars = rule_vars_create();
	const struct rule *one = ruleset_find(ruleset, 1, 1), *two = ruleset_find(ruleset, 1, 2),
			  *three = ruleset_find(ruleset, 1, 3);
	char reason[256];
	unsigned unknown;
	struct rule_bind *bind = rule_bind_create(
		ruleset, vars, overrides, 2, &unknown, reason, sizeof(reason));

	assert_non_null(bind);
	assert_true(rule_bind_suppressed(bind, one, &from));
	assert_true(rule_bind_suppressed(bind, one, &to));
	assert_false(rule_bind_suppressed(bind, one, &other));
	assert_false(rule_bind_suppressed(bind, two, &from));
	assert_true(rule_bind_suppressed(bind, two, &to));
	assert_false(rule_bind_suppressed(bind, three, &to));
	assert_int_equal(rule_bind_action(bind, one), RULE_ALERT);
	rule_bind_free(bind);
	assert_null(rule_bind_create(ruleset, vars, &wrong, 1, &unknown, reason, sizeof(reason)));
	assert_string_equal(reason,
		"suppress: \"10.0.0\" is no address: 10.0.0.1, 10.0.0.0/8, 10.0.0.1-10.0.0.9, "
		"their like in IPv6 or any is right");
	rule_vars_free(vars);
	ruleset_free(ruleset);
}

static void what_no_service_can_reach_is_known(void **state)
{
	static const struct {
		const char *rule;
		bool reachable;
	} cases[] = {
		{"alert tcp any any -> any 445 (sid:1;)", true},
		{"alert tcp any any -> any [80,443] (sid:1;)", false},
		{"alert tcp any 139 -> any any (flow:to_client; sid:1;)", true},
		{"alert tcp any 80 -> any any (flow:to_client; sid:1;)", false},
		{"alert tcp any any -> any 445 (flow:to_client; sid:1;)", false},
		{"alert tcp any 80 -> any 445 (flow:to_client; sid:1;)", false},
		{"alert tcp any 80 -> any any (sid:1;)", false},
		{"alert tcp any any -> any any (sid:1;)", true},
		{"alert tcp any 1024: -> any 1:1023 (sid:1;)", true},
		{"alert smb any any -> any 80 (sid:1;)", true},
		{"alert tcp any any -> any 80 (dce_opnum:1; sid:1;)", true},
		{"alert tcp !any any -> any 445 (sid:1;)", false},
	};
	static const uint16_t ports[] = {139, 445};
	struct rule_vars *vars = rule_vars_create();

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ruleset *ruleset = load(cases[i].rule);
		char reason[256];
		unsigned unknown;
		struct rule_bind *bind = rule_bind_create(
			ruleset, vars, NULL, 0, &unknown, reason, sizeof(reason));

		if (rule_bind_reachable(bind, ruleset_rule(ruleset, 0), ports, 2) !=
			cases[i].reachable)
			fail_msg("%s", cases[i].rule);
		rule_bind_free(bind);
		ruleset_free(ruleset);
	}
	rule_vars_free(vars);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pass_comes_before_drop_before_reject_before_alert),
		cmocka_unit_test(setters_come_before_those_who_ask),
		cmocka_unit_test_setup_teardown(classes_give_priorities, make_dir, remove_dir),
		cmocka_unit_test(a_file_that_cannot_be_read_refuses_all),
		cmocka_unit_test(bits_keep_their_numbers_over_a_reload),
		cmocka_unit_test(equal_rules_have_equal_hashes),
		cmocka_unit_test(headers_fit_addresses_and_ports),
		cmocka_unit_test(variables_are_checked),
		cmocka_unit_test(nested_variables_are_bounded),
		cmocka_unit_test(overrides_change_what_a_rule_does),
		cmocka_unit_test(rules_ask_for_quarantine_themselves),
		cmocka_unit_test(alerts_are_suppressed_by_address),
		cmocka_unit_test(what_no_service_can_reach_is_known),
	};

	return cmocka_run_group_tests_name("ruleset", tests, NULL, NULL);
}
