/*
 * Tenants' rules from files to profiles, with workers and engines of the test's own: what is
 * checked, shared, compiled, reloaded, kept and freed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_streams.h"
#include "inspect_store_rig.h"
#include "temp_dir.h"

#define TENANTS 4
#define HEADER  "alert tcp $EXTERNAL_NET any -> $HOME_NET 445 "
#define RULE_1  HEADER "(msg:\"one\"; content:\"marker-one\"; classtype:trojan-activity; sid:1;)\n"
#define RULE_2  HEADER "(msg:\"two\"; content:\"marker-two\"; sid:2; rev:3;)\n"
#define BAD     HEADER "(msg:\"bad\"; asn1:bitstring_overflow; sid:7;)\n"

static struct config configs[TENANTS * 4];
static struct config_inspection inspections[TENANTS * 4][TENANTS];
static struct config_variable variables[TENANTS];
static struct config_override overrides[TENANTS];
static unsigned n_configs;
static struct config_report report;

/* A configuration of tenants a, b, ..., who have rules.rules each. It is the test's: a share too
 * many keeps it. */
static struct config *config_of(unsigned n)
{
	struct config *config = &configs[n_configs];

	config->inspection = inspections[n_configs++];
	config->n_inspection = n;
	config->shares = 1000;
	for (unsigned i = 0; i < n; i++) {
		struct config_inspection *inspection = &config->inspection[i];

		memset(inspection, 0, sizeof(*inspection));
		inspection->tenant[0] = (char)('a' + i);
		strcpy(inspection->rules[0], "test.rules");
		inspection->n_rules = 1;
		inspection->services[0] = 445;
		inspection->n_services = 1;
		inspection->packet_us = 50;
		inspection->port_percent = inspection->tenant_percent = 100;
	}
	return config;
}

static void begin(void)
{
	char cache[64], err[256];

	snprintf(cache, sizeof(cache), "%s/cache/rules", dir);
	assert_true(inspect_store_start(dir, cache, rig_changed, err, sizeof(err)));
}

static int setup(void **state)
{
	n_configs = 0;
	memset(variables, 0, sizeof(variables));
	memset(overrides, 0, sizeof(overrides));
	if (make_dir(state) != 0)
		return -1;
	rig_open();
	begin();
	return 0;
}

static int teardown(void **state)
{
	inspect_store_stop();
	rig_close();
	return remove_dir(state);
}

/* As a transaction does it. */
static void configure(const struct config *config)
{
	inspect_store_configure(config, rig_tenant_index);
	rig_publish();
}

static void compiled(void)
{
	char err[512];

	if (!inspect_store_wait(err, sizeof(err)))
		fail_msg("%s", err);
}

static void apply(const struct config *config)
{
	config_report_init(&report);
	if (!inspect_store_check(config, false, &report))
		config_report_print(&report, stdout);
	assert_int_equal(report.n_errors, 0);
	configure(config);
	compiled();
}

static bool checks(const struct config *config)
{
	config_report_init(&report);
	return inspect_store_check(config, false, &report);
}

static const struct rule *rule_of(const char *tenant, uint32_t sid)
{
	const struct inspect_profile *profile = inspect_store_profile(tenant);

	assert_non_null(profile->engines[0]);
	return ruleset_find(rule_db_ruleset(detect_engine_db(profile->engines[0])), 1, sid);
}

/* Of a tenant in the status; borrowed, good until the next call. */
static const json_t *status_of(const char *tenant, const char *member)
{
	static json_t *status;
	const json_t *row;
	size_t i;

	json_decref(status);
	status = NULL;
	if (tenant == NULL)
		return NULL;
	status = inspect_store_status();
	json_array_foreach (json_object_get(status, "tenants"), i, row) {
		if (strcmp(json_string_value(json_object_get(row, "tenant")), tenant) == 0)
			return json_object_get(row, member);
	}
	return NULL;
}

static const char *text_of(const char *tenant, const char *member)
{
	return json_string_value(status_of(tenant, member));
}

static int64_t number_of(const char *tenant, const char *member)
{
	return json_integer_value(status_of(tenant, member));
}

/* Sets that wait for their end. */
static int64_t retired(void)
{
	json_t *status = inspect_store_status();
	int64_t n = json_integer_value(json_object_get(status, "retired"));

	json_decref(status);
	return n;
}

static const char *reload_state(void)
{
	static char text[32];
	json_t *status = inspect_store_status();

	snprintf(text, sizeof(text), "%s",
		json_string_value(json_object_get(json_object_get(status, "reload"), "state")));
	json_decref(status);
	return text;
}

static void reload(void)
{
	char err[256];

	if (!inspect_store_reload(err, sizeof(err)))
		fail_msg("%s", err);
	compiled();
}

static void a_fault_names_file_line_and_sid(void **state)
{
	struct config *config = config_of(2);
	const struct config_message *m = report.messages;

	write_text("other.rules", "\n\n" BAD RULE_1 HEADER "(sid:8; content:\"abcd\"; wat:1;)\n");
	write_text("test.rules", RULE_2);
	strcpy(config->inspection[1].rules[1], in_dir("other.rules"));
	config->inspection[1].n_rules = 2;
	assert_false(checks(config));
	assert_int_equal(report.n_errors, 2);
	assert_string_equal(m[0].file, in_dir("other.rules"));
	assert_int_equal(m[0].line, 3);
	assert_string_equal(m[0].field, "inspection[1].rules[1]");
	assert_non_null(strstr(m[0].text, "sid 7: asn1: "));
	assert_int_equal(m[1].line, 5);
	assert_non_null(strstr(m[1].text, "sid 8: wat: "));

	/* Left out, and said so. */
	config->inspection[1].skip_unsupported = true;
	assert_true(checks(config));
	assert_int_equal(report.n_errors, 0);
	assert_int_equal(report.n_warnings, 1);
	assert_string_equal(m[0].field, "inspection[1].rules");
	configure(config);
	compiled();
	assert_int_equal(number_of("b", "loaded"), 2);
	assert_int_equal(number_of("b", "refused"), 2);
	assert_int_equal(json_array_size(status_of("b", "left_out")), 2);
	assert_int_equal(number_of("a", "loaded"), 1);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct config *config = config_of(1);

	assert_false(checks(config));
	assert_string_equal(report.messages[0].file, in_dir("test.rules"));
	assert_string_equal(report.messages[0].field, "inspection[0].rules[0]");
	assert_non_null(strstr(report.messages[0].text, "vswitch.rules"));
	assert_int_equal(mkdir(in_dir("test.rules"), 0700), 0);
	assert_false(checks(config));
	assert_non_null(strstr(report.messages[0].text, "regular file"));
}

/* A configuration that was taken before, as at a start. */
static void restore(const struct config *config)
{
	config_report_init(&report);
	assert_true(inspect_store_check(config, true, &report));
	assert_int_equal(report.n_errors, 0);
	configure(config);
}

static void what_ran_before_comes_back_without_broken_rules(void **state)
{
	struct config *config = config_of(2), *next = config_of(3);
	char err[512];

	/* Missing for the one, right for the other, whose rules need not wait. */
	write_text("other.rules", RULE_2);
	strcpy(config->inspection[1].rules[0], "other.rules");
	assert_false(checks(config));
	restore(config);
	assert_int_equal(report.n_warnings, 2);
	assert_non_null(strstr(report.messages[0].text, "tenant a has none of its rules"));
	assert_string_equal(report.messages[1].file, in_dir("test.rules"));
	assert_false(inspect_store_wait(err, sizeof(err)));
	assert_string_equal(text_of("a", "state"), "failed");
	assert_int_equal(inspect_store_profile("a")->revision, 0);
	assert_null(inspect_store_profile("a")->engines[0]);
	assert_non_null(rule_of("b", 2));
	assert_non_null(strstr(inspect_store_problem(), "tenant a"));
	assert_non_null(strstr(inspect_store_problem(), "No such file"));

	/* Broken in another way, which is what is told then. */
	write_text("test.rules", BAD);
	assert_true(inspect_store_reload(err, sizeof(err)));
	assert_false(inspect_store_wait(err, sizeof(err)));
	assert_string_equal(reload_state(), "failed");
	assert_non_null(strstr(inspect_store_problem(), "asn1"));
	assert_int_equal(inspect_store_profile("a")->revision, 0);
	assert_non_null(rule_of("b", 2));

	/* Whoever is given broken files anew is refused; another change need not wait for the old.
	 */
	next->inspection[1] = config->inspection[1];
	assert_true(checks(next));
	strcpy(next->inspection[2].rules[0], "third.rules");
	assert_false(checks(next));

	write_text("test.rules", RULE_1);
	reload();
	assert_null(inspect_store_problem());
	assert_string_equal(text_of("a", "state"), "ready");
	assert_non_null(rule_of("a", 1));
	assert_true(inspect_store_profile("a")->revision > 0);
}

static void tenants_with_the_same_files_share(void **state)
{
	struct config *config = config_of(3);
	const struct inspect_profile *a, *b, *c;

	write_text("test.rules", RULE_1);
	write_text("other.rules", RULE_2);
	strcpy(config->inspection[2].rules[0], "other.rules");
	apply(config);
	a = inspect_store_profile("a");
	b = inspect_store_profile("b");
	c = inspect_store_profile("c");
	assert_null(inspect_store_profile("d"));
	for (unsigned w = 0; w < RIG_WORKERS; w++) {
		assert_ptr_equal(a->engines[w], b->engines[w]);
		assert_ptr_not_equal(a->engines[w], c->engines[w]);
	}
	assert_ptr_not_equal(a->engines[0], a->engines[1]);
	assert_null(a->engines[RIG_WORKERS]);
	assert_ptr_equal(a->bind, b->bind);
	assert_int_equal(b->tenant, 1);
	assert_int_equal(a->packet_cycles, 100000);
	assert_string_equal(rule_of("c", 2)->msg, "two");
	assert_int_equal(json_string_length(status_of("a", "hash")), 16);
}

static void until_it_is_compiled_there_is_no_database(void **state)
{
	const struct inspect_profile *profile;
	struct config *config = config_of(1);

	write_text("test.rules", RULE_1);
	assert_true(checks(config));
	/* What was checked is compiled, whatever the file is by then. */
	write_text("test.rules", BAD);
	configure(config);
	profile = inspect_store_profile("a");
	assert_int_equal(profile->revision, 0);
	assert_null(profile->bind);
	assert_null(profile->engines[0]);
	assert_string_equal(text_of("a", "state"), "compiling");
	compiled();
	assert_int_equal(rig.changed, 1);
	profile = inspect_store_profile("a");
	assert_true(profile->revision > 0);
	assert_non_null(profile->bind);
	assert_non_null(rule_of("a", 1));
	assert_string_equal(text_of("a", "state"), "ready");
}

static void no_rules_are_not_no_database(void **state)
{
	struct config *config = config_of(2);
	const struct inspect_profile *profile;

	write_text("test.rules", RULE_1);
	config->inspection[0].n_rules = 0;
	apply(config);
	profile = inspect_store_profile("a");
	assert_true(profile->revision > 0);
	assert_null(profile->bind);
	assert_null(profile->engines[0]);
	assert_string_equal(text_of("a", "state"), "no rules");
	assert_int_equal(number_of("b", "loaded"), 1);

	/* Rules are given to it, and taken away again. */
	apply(config_of(2));
	assert_non_null(inspect_store_profile("a")->engines[0]);
	apply(config);
	assert_null(inspect_store_profile("a")->engines[0]);
	assert_true(inspect_store_profile("a")->revision > 0);
}

static void what_needs_no_compiling_holds_at_once(void **state)
{
	struct config *config = config_of(1), *next = config_of(1);
	const struct inspect_profile *before, *after;

	write_text("test.rules", RULE_1);
	apply(config);
	before = inspect_store_profile("a");
	assert_false(before->prevent);
	inspect_store_configure(config, rig_tenant_index); /* nothing new */
	assert_ptr_equal(inspect_store_profile("a"), before);

	write_text("test.rules", RULE_1 RULE_2); /* not before a reload */
	next->inspection[0].prevent = true;
	next->inspection[0].on[CONFIG_FAILURE_ENCRYPTED] = CONFIG_ON_PASS;
	next->inspection[0].on[CONFIG_FAILURE_MIDSTREAM] = CONFIG_ON_INSPECT;
	next->inspection[0].n_allow = 1;
	next->inspection[0].allow[0].ports.first = 53;
	assert_true(checks(next));
	inspect_store_configure(next, rig_tenant_index);
	after = inspect_store_profile("a");
	assert_ptr_not_equal(after, before);
	assert_true(after->prevent);
	assert_int_equal(after->passes, 1u << CONFIG_FAILURE_ENCRYPTED);
	assert_int_equal(after->allow[0].ports.first, 53);
	assert_ptr_equal(after->engines[0], before->engines[0]);
	assert_ptr_equal(after->bind, before->bind);
	assert_int_equal(after->revision, before->revision);
	assert_false(before->prevent); /* still there: it is in a snapshot */
	rig_publish();
	inspect_store_tick();
	assert_int_equal(retired(), 0);
	assert_true(inspect_store_profile("a")->prevent);
	assert_null(rule_of("a", 2));
}

static void a_tenant_that_goes_takes_its_rules_along(void **state)
{
	write_text("test.rules", RULE_1);
	apply(config_of(1));
	configure(config_of(0));
	assert_null(inspect_store_profile("a"));
	assert_int_equal(retired(), 1);
	inspect_store_tick();
	assert_int_equal(retired(), 0);
}

static void variables_and_overrides_are_the_tenants(void **state)
{
	struct config *config = config_of(3), *next = config_of(3);
	struct rule_ends ends = {.src_port = 40000, .dst_port = 445};
	const struct inspect_profile *a, *b, *before;
	const struct detect_engine *engine;
	const struct rule *rule;
	struct addr_span span;

	write_text("test.rules", RULE_1 RULE_2);
	strcpy(variables[0].name, "HOME_NET");
	strcpy(variables[0].value, "10.0.0.0/8");
	config->inspection[1].variables = variables;
	config->inspection[1].n_variables = 1;
	overrides[0] = (struct config_override){.kind = RULE_OVERRIDE_QUARANTINE, .sid = 1};
	overrides[1] = (struct config_override){.kind = RULE_OVERRIDE_DISABLE, .sid = 9};
	config->inspection[2].overrides = overrides;
	config->inspection[2].n_overrides = 2;
	apply(config);
	assert_int_equal(report.n_warnings, 1);
	assert_string_equal(report.messages[0].field, "inspection[2].overrides");
	assert_int_equal(number_of("c", "unknown_overrides"), 1);

	assert_true(addr_span_parse("192.0.2.1", &span));
	ends.src = ends.dst = span.first;
	a = inspect_store_profile("a");
	b = inspect_store_profile("b");
	before = inspect_store_profile("c");
	rule = rule_of("a", 1);
	assert_true(rule_bind_fits(a->bind, rule, &ends));
	assert_false(rule_bind_fits(b->bind, rule_of("b", 1), &ends));
	assert_true(rule_bind_quarantines(before->bind, rule_of("c", 1)));
	assert_false(rule_bind_quarantines(a->bind, rule));
	assert_ptr_equal(a->engines[0], before->engines[0]);

	/* Another override needs no other engine. */
	overrides[2] = (struct config_override){.kind = RULE_OVERRIDE_DISABLE, .sid = 1};
	next->inspection[2].overrides = &overrides[2];
	next->inspection[2].n_overrides = 1;
	engine = a->engines[0];
	apply(next);
	assert_true(rule_bind_disabled(inspect_store_profile("c")->bind, rule_of("c", 1)));
	assert_ptr_equal(inspect_store_profile("c")->engines[0], engine);
	assert_int_equal(retired(), 0);
}

static void a_binding_waits_for_flows(void **state)
{
	struct config *config = config_of(1), *next = config_of(1);
	const struct inspect_profile *before;
	const struct rule_bind *bind;
	struct detect_engine *engine;
	const struct rule *rule;

	write_text("test.rules", RULE_1);
	overrides[0] = (struct config_override){.kind = RULE_OVERRIDE_DISABLE, .sid = 1};
	config->inspection[0].overrides = overrides;
	config->inspection[0].n_overrides = 1;
	apply(config);
	before = inspect_store_profile("a");
	bind = before->bind;
	engine = before->engines[1];
	rule = rule_of("a", 1);
	detect_engine_hold(engine);
	apply(next);
	assert_ptr_not_equal(inspect_store_profile("a")->bind, bind);
	inspect_store_tick();
	inspect_store_tick();
	assert_true(rule_bind_disabled(bind, rule)); /* a sanitizer sees whether it is there */
	detect_engine_release(engine);
	inspect_store_tick();
	apply(config);
	assert_true(rule_bind_disabled(inspect_store_profile("a")->bind, rule));
}

static void a_variable_that_no_tenant_has_is_refused(void **state)
{
	struct config *config = config_of(2);

	write_text("test.rules", "alert tcp $PRINTERS any -> any any (content:\"abcd\"; sid:1;)\n");
	strcpy(variables[0].name, "PRINTERS");
	strcpy(variables[0].value, "10.0.0.9");
	config->inspection[0].variables = variables;
	config->inspection[0].n_variables = 1;
	assert_false(checks(config));
	assert_int_equal(report.n_errors, 1);
	assert_string_equal(report.messages[0].field, "inspection[1].rules[0]");
	assert_non_null(strstr(report.messages[0].text, "PRINTERS"));
	config->n_inspection = 1;
	apply(config);
	assert_int_equal(number_of("a", "loaded"), 1);
}

static void reload_raises_the_revision_that_workers_run(void **state)
{
	const struct inspect_profile *before;
	uint64_t first, second;
	json_t *status;

	write_text("test.rules", RULE_1);
	apply(config_of(1));
	first = inspect_store_profile("a")->revision;
	rig_meet(0);
	rig_meet(1);
	write_text("test.rules", RULE_1 RULE_2);
	reload();
	assert_string_equal(reload_state(), "done");
	second = inspect_store_profile("a")->revision;
	assert_true(second > first);
	assert_non_null(rule_of("a", 2));
	assert_int_equal(number_of("a", "loaded"), 2);

	/* Worker 1 goes round, worker 0 does not. */
	rig_meet(1);
	status = inspect_store_status();
	for (unsigned w = 0; w < RIG_WORKERS; w++) {
		const json_t *row = json_array_get(json_object_get(status, "workers"), w);
		const json_t *tenant = json_array_get(json_object_get(status, "tenants"), 0);

		assert_int_equal(json_integer_value(json_object_get(row, "core")), w + 1);
		assert_int_equal(json_integer_value(json_object_get(row, "revision")),
			w == 1 ? second : first);
		row = json_array_get(json_object_get(tenant, "workers"), w);
		assert_int_equal(json_integer_value(json_object_get(row, "revision")),
			w == 1 ? second : first);
	}
	json_decref(status);

	/* Files that did not change are compiled no second time. */
	before = inspect_store_profile("a");
	reload();
	assert_string_equal(reload_state(), "done");
	assert_ptr_equal(inspect_store_profile("a"), before);
}

static void flow_bits_keep_their_numbers(void **state)
{
	static const char *const set = HEADER "(content:\"abcd\"; flowbits:set,mark; sid:1;)\n";
	char text[512];
	uint16_t name;

	write_text("test.rules", set);
	apply(config_of(1));
	name = rule_of("a", 1)->bits[0].names[0];
	snprintf(
		text, sizeof(text), HEADER "(content:\"efgh\"; flowbits:set,new; sid:2;)\n%s", set);
	write_text("test.rules", text);
	reload();
	assert_int_equal(rule_of("a", 1)->bits[0].names[0], name);
	assert_int_not_equal(rule_of("a", 2)->bits[0].names[0], name);
}

static void a_bad_file_on_reload_changes_nothing(void **state)
{
	struct config *config = config_of(2);
	const struct inspect_profile *a, *b;
	const json_t *errors;
	json_t *status;

	write_text("test.rules", RULE_1);
	write_text("other.rules", RULE_2);
	strcpy(config->inspection[1].rules[0], "other.rules");
	apply(config);
	a = inspect_store_profile("a");
	b = inspect_store_profile("b");
	write_text("test.rules", RULE_1 RULE_2);
	write_text("other.rules", RULE_2 "\n" BAD);
	rig.changed = 0;
	reload();
	assert_int_equal(rig.changed, 0);
	assert_ptr_equal(inspect_store_profile("a"), a);
	assert_ptr_equal(inspect_store_profile("b"), b);
	assert_string_equal(text_of("b", "state"), "ready");
	status = inspect_store_status();
	errors = json_object_get(json_object_get(status, "reload"), "errors");
	assert_string_equal(reload_state(), "failed");
	assert_int_equal(json_array_size(errors), 1);
	errors = json_array_get(errors, 0);
	assert_string_equal(
		json_string_value(json_object_get(errors, "file")), in_dir("other.rules"));
	assert_int_equal(json_integer_value(json_object_get(errors, "line")), 3);
	json_decref(status);
	assert_int_equal(remove(in_dir("other.rules")), 0);
	reload();
	assert_string_equal(reload_state(), "failed");
	assert_ptr_equal(inspect_store_profile("b"), b);

	write_text("other.rules", RULE_2);
	reload();
	assert_string_equal(reload_state(), "done");
	assert_int_equal(number_of("a", "loaded"), 2);
	assert_ptr_equal(inspect_store_profile("b"), b); /* as before */
}

static void old_engines_wait_for_their_flows(void **state)
{
	struct detect_engine *engine;

	write_text("test.rules", RULE_1);
	apply(config_of(1));
	engine = inspect_store_profile("a")->engines[1];
	detect_engine_hold(engine);
	write_text("test.rules", RULE_2);
	reload();
	assert_ptr_not_equal(inspect_store_profile("a")->engines[1], engine);
	inspect_store_tick();
	inspect_store_tick();
	assert_int_equal(retired(), 1);
	assert_non_null(ruleset_find(rule_db_ruleset(detect_engine_db(engine)), 1, 1));
	detect_engine_release(engine);
	inspect_store_tick();
	assert_int_equal(retired(), 0);
}

static void nothing_is_freed_before_a_snapshot_without_it(void **state)
{
	write_text("test.rules", RULE_1);
	apply(config_of(1));
	inspect_store_configure(config_of(0), rig_tenant_index);
	inspect_store_tick();
	assert_int_equal(retired(), 1);
	rig_publish();
	assert_int_equal(retired(), 1);
	inspect_store_tick();
	assert_int_equal(retired(), 0);
}

static void a_second_start_finds_them_compiled(void **state)
{
	write_text("test.rules", RULE_1 RULE_2);
	apply(config_of(1));
	assert_true(json_is_false(status_of("a", "cached")));
	inspect_store_stop();
	begin();
	apply(config_of(1));
	assert_true(json_is_true(status_of("a", "cached")));
}

static void a_cache_that_others_may_write_is_not_used(void **state)
{
	write_text("test.rules", RULE_1);
	apply(config_of(1));
	inspect_store_stop();
	assert_int_equal(chmod(in_dir("cache/rules"), 0777), 0);
	begin();
	apply(config_of(1));
	assert_true(json_is_false(status_of("a", "cached")));
	inspect_store_stop();
	assert_int_equal(chmod(in_dir("cache/rules"), 0700), 0);
	begin();
	apply(config_of(1));
	assert_true(json_is_true(status_of("a", "cached")));
}

static void what_cannot_be_had_leaves_the_old(void **state)
{
	struct config *config = config_of(1);
	const struct inspect_profile *before;
	char err[512];

	write_text("test.rules", RULE_1);
	apply(config);
	before = inspect_store_profile("a");
	config = config_of(1);
	strcpy(config->inspection[0].rules[0], "other.rules");
	configure(config); /* not checked */
	assert_false(inspect_store_wait(err, sizeof(err)));
	assert_non_null(strstr(err, "tenant a: "));
	assert_non_null(strstr(err, "other.rules: cannot be opened"));
	assert_ptr_equal(inspect_store_profile("a"), before);
	assert_string_equal(text_of("a", "state"), "failed");
	assert_non_null(text_of("a", "error"));
	/* Ticks take nothing of what still runs. */
	inspect_store_tick();
	assert_non_null(rule_of("a", 1));

	write_text("other.rules", RULE_2);
	reload();
	assert_string_equal(text_of("a", "state"), "ready");
	assert_null(text_of("a", "error"));
	assert_non_null(rule_of("a", 2));
}

static void the_newest_configuration_wins(void **state)
{
	struct config *config = config_of(1), *next = config_of(1);
	char err[256];

	write_text("test.rules", RULE_1);
	write_text("other.rules", RULE_2);
	strcpy(next->inspection[0].rules[0], "other.rules");
	configure(config);
	configure(next); /* the compiler is at work on the first */
	assert_false(inspect_store_reload(err, sizeof(err)));
	assert_non_null(strstr(err, "already"));
	compiled();
	assert_null(rule_of("a", 1));
	assert_non_null(rule_of("a", 2));
	inspect_store_tick();
	assert_int_equal(retired(), 0);
}

static void classes_beside_the_rules_give_priorities(void **state)
{
	write_text("test.rules", RULE_1);
	write_text("classification.config",
		"config classification: trojan-activity,A Trojan was detected,1\n");
	apply(config_of(1));
	assert_int_equal(rule_of("a", 1)->priority, 1);
	write_text("classification.config",
		"config classification: trojan-activity,A Trojan was detected,2\n");
	reload();
	assert_int_equal(rule_of("a", 1)->priority, 2);
	write_text("classification.config", "config classification: what\n");
	reload();
	assert_string_equal(reload_state(), "failed");
	assert_int_equal(rule_of("a", 1)->priority, 2);
}

static void reload_needs_rules(void **state)
{
	struct config *config = config_of(1);
	char err[256];

	assert_false(inspect_store_reload(err, sizeof(err)));
	config->inspection[0].n_rules = 0;
	apply(config);
	assert_false(inspect_store_reload(err, sizeof(err)));
	assert_non_null(strstr(err, "no tenant has files of rules"));
}

static void rules_are_listed_as_they_hold(void **state)
{
	struct config *config = config_of(2);
	json_t *result, *rows, *row;

	write_text("test.rules", RULE_1 RULE_2
		"alert tcp any any -> any 80 (msg:\"web\"; content:\"abcd\"; sid:3;)\n");
	overrides[0] = (struct config_override){.kind = RULE_OVERRIDE_DISABLE, .sid = 2};
	config->inspection[1].overrides = overrides;
	config->inspection[1].n_overrides = 1;
	apply(config);
	assert_null(inspect_store_rules("x", NULL));
	result = inspect_store_rules(NULL, NULL);
	assert_int_equal(json_array_size(json_object_get(result, "rules")), 6);
	json_decref(result);
	result = inspect_store_rules("b", "TWO");
	assert_int_equal(json_array_size(json_object_get(result, "rules")), 1);
	row = json_array_get(json_object_get(result, "rules"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "state")), "disabled");
	assert_int_equal(json_integer_value(json_object_get(row, "rev")), 3);
	assert_non_null(strstr(json_string_value(json_object_get(row, "place")), "test.rules:2"));
	json_decref(result);
	/* The test's directory may have a 3 in its name, too: then all three are named. */
	result = inspect_store_rules("a", "3");
	rows = json_object_get(result, "rules");
	row = json_array_get(rows, json_array_size(rows) - 1);
	assert_int_equal(json_integer_value(json_object_get(row, "sid")), 3);
	assert_string_equal(json_string_value(json_object_get(row, "state")), "out of reach");
	json_decref(result);
}

static void cost(struct detect_engine *engine, uint32_t sid, struct detect_cost cost)
{
	*detect_engine_cost(engine, rule_of("a", sid)->index) = cost;
}

static void costs_are_summed_over_workers(void **state)
{
	const struct inspect_profile *profile;
	json_t *result, *rows, *row;

	write_text("test.rules", RULE_1 RULE_2);
	apply(config_of(2));
	profile = inspect_store_profile("a");
	cost(profile->engines[0], 1, (struct detect_cost){10, 2, 1, 500});
	cost(profile->engines[0], 2, (struct detect_cost){3, 1, 1, 800});
	cost(profile->engines[1], 2, (struct detect_cost){1, 0, 0, 200});
	assert_null(inspect_store_stats("x"));
	result = inspect_store_stats(NULL);
	rows = json_object_get(result, "rules");
	assert_int_equal(json_array_size(rows), 2);
	row = json_array_get(rows, 0);
	assert_int_equal(json_integer_value(json_object_get(row, "sid")), 2);
	assert_int_equal(json_integer_value(json_object_get(row, "checks")), 4);
	assert_int_equal(json_integer_value(json_object_get(row, "cycles_per_check")), 250);
	assert_int_equal(json_array_size(json_object_get(row, "tenants")), 2);
	json_decref(result);
}

static int forget_status(void **state)
{
	status_of(NULL, NULL);
	return teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, forget_status)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_fault_names_file_line_and_sid),
		TEST(a_file_that_is_not_there_is_named),
		TEST(what_ran_before_comes_back_without_broken_rules),
		TEST(tenants_with_the_same_files_share),
		TEST(until_it_is_compiled_there_is_no_database),
		TEST(no_rules_are_not_no_database),
		TEST(what_needs_no_compiling_holds_at_once),
		TEST(a_tenant_that_goes_takes_its_rules_along),
		TEST(variables_and_overrides_are_the_tenants),
		TEST(a_binding_waits_for_flows),
		TEST(a_variable_that_no_tenant_has_is_refused),
		TEST(reload_raises_the_revision_that_workers_run),
		TEST(flow_bits_keep_their_numbers),
		TEST(a_bad_file_on_reload_changes_nothing),
		TEST(old_engines_wait_for_their_flows),
		TEST(nothing_is_freed_before_a_snapshot_without_it),
		TEST(a_second_start_finds_them_compiled),
		TEST(a_cache_that_others_may_write_is_not_used),
		TEST(what_cannot_be_had_leaves_the_old),
		TEST(the_newest_configuration_wins),
		TEST(classes_beside_the_rules_give_priorities),
		TEST(reload_needs_rules),
		TEST(rules_are_listed_as_they_hold),
		TEST(costs_are_summed_over_workers),
	};

	return cmocka_run_group_tests_name("inspect_store", tests, NULL, NULL);
}
