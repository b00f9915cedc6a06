/*
 * The public rules of ../shared/rules, where that folder is there: how many load, and that what
 * does not is refused by name. Nothing of them is copied into the project.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <glob.h>

#include <cmocka.h>

#include "rule_check.h"
#include "rule_compile.h"
#include "ruleset.h"

#define SHARED  "../shared/rules"
#define SUBSET  SHARED "/et-open-20210820-smb-subset.rules"
#define WHOLE   SHARED "/et-open-20210820/*.rules"
#define CLASSES SHARED "/et-open-20210820/classification.config"
#define SECONDS 10.0

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct ruleset *load(const char *pattern, struct rule_report *report)
{
	struct ruleset_options options = {.classes = CLASSES, .skip_unsupported = true};
	struct ruleset_source *sources;
	struct ruleset *ruleset;
	glob_t found;

	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	sources = calloc(found.gl_pathc, sizeof(*sources));
	assert_non_null(sources);
	for (size_t i = 0; i < found.gl_pathc; i++)
		sources[i].name = found.gl_pathv[i];
	rule_report_init(report);
	ruleset = ruleset_load(sources, (unsigned)found.gl_pathc, &options, report);
	assert_non_null(ruleset);
	globfree(&found);
	free(sources);
	return ruleset;
}

/* Each says where, which rule, and why; and a protocol or a keyword. */
static void assert_named(const struct rule_report *report)
{
	assert_int_equal(report->n, report->n_all);
	for (uint32_t i = 0; i < report->n; i++) {
		const struct rule_refusal *refusal = &report->refusals[i];

		assert_true(refusal->line > 0);
		assert_true(refusal->sid > 0);
		assert_true(refusal->reason[0] != 0);
		assert_true(refusal->keyword[0] != 0 ||
			    strncmp(refusal->reason, "protocol \"", 10) == 0);
	}
}

static unsigned refused_for(const struct rule_report *report, const char *what)
{
	char protocol[64];
	unsigned n = 0;

	snprintf(protocol, sizeof(protocol), "protocol \"%s\"", what);
	for (uint32_t i = 0; i < report->n; i++)
		n += strcmp(report->refusals[i].keyword, what) == 0 ||
		     strncmp(report->refusals[i].reason, protocol, strlen(protocol)) == 0;
	return n;
}

static void the_smb_subset_loads_but_for_27(void **state)
{
	struct rule_report report;
	struct ruleset *ruleset = load(SUBSET, &report);

	printf("smb subset: %u load, %u are refused\n", ruleset_count(ruleset), report.n);
	assert_int_equal(ruleset_count(ruleset), 487);
	assert_int_equal(report.n, 27);
	assert_named(&report);
	assert_int_equal(refused_for(&report, "udp"), 14);
	assert_int_equal(refused_for(&report, "http"), 6);
	assert_int_equal(refused_for(&report, "asn1"), 4);
	assert_int_equal(refused_for(&report, "tag"), 2);
	assert_int_equal(refused_for(&report, "tcp-pkt"), 1);
	ruleset_free(ruleset);
	rule_report_free(&report);
}

/* A sparse image is nothing but zeros: no rule may be evaluated for it. */
static uint32_t hits_on_zeros(const struct rule_db *db, enum rule_direction direction, double *took)
{
	struct rule_stream *stream = rule_stream_create(db, direction, RULE_RECORD);
	struct rule_scratch *scratch = rule_db_scratch(db);
	uint8_t *zeros = calloc(1, 1U << 16);
	struct rule_hit room[64];
	struct rule_hits hits = {room, 0, 64, 0};
	double begin = now();

	assert_non_null(stream);
	assert_non_null(scratch);
	for (int i = 0; i < 1024; i++)
		assert_true(rule_stream_scan(stream, zeros, 1U << 16, scratch, &hits));
	*took = now() - begin;
	printf("  %zu bytes a stream\n", rule_stream_bytes(stream));
	free(zeros);
	rule_scratch_free(scratch);
	rule_stream_free(stream);
	return hits.n;
}

static void the_smb_subset_compiles(void **state)
{
	struct rule_report report;
	struct ruleset *ruleset = load(SUBSET, &report);
	struct rule_db_facts facts;
	struct rule_db *db;
	double begin = now(), took;
	char reason[256];

	db = rule_compile(ruleset, NULL, reason, sizeof(reason));
	if (!db)
		fail_msg("%s", reason);
	facts = rule_db_facts(db);
	printf("smb subset: %u patterns, %zu bytes, %u pcre by Hyperscan and %u by PCRE2, "
	       "compiled in %.2f s\n",
		facts.patterns, facts.bytes, facts.hyperscan_pcres, facts.pcre2_pcres,
		now() - begin);
	for (int direction = 0; direction < RULE_DIRS; direction++) {
		assert_int_equal(hits_on_zeros(db, direction, &took), 0);
		printf("  64 MiB of zeros in %.3f s\n", took);
	}
	rule_db_free(db);
	ruleset_free(ruleset);
	rule_report_free(&report);
}

static void a_check_says_what_no_service_reaches(void **state)
{
	static const struct ruleset_source source = {.name = SUBSET};
	static const uint16_t ports[] = {139, 445};
	struct rule_check_options options = {.classes = CLASSES, .ports = ports, .n_ports = 2};
	json_t *result = rule_check(&source, 1, &options);

	assert_non_null(result);
	printf("check of the smb subset: %d loaded, %zu refused, %zu out of reach, %zu warnings\n",
		(int)json_integer_value(json_object_get(result, "loaded")),
		json_array_size(json_object_get(result, "refused")),
		json_array_size(json_object_get(result, "unreachable")),
		json_array_size(json_object_get(result, "warnings")));
	assert_int_equal(json_integer_value(json_object_get(result, "loaded")), 487);
	assert_int_equal(json_array_size(json_object_get(result, "refused")), 27);
	assert_true(json_array_size(json_object_get(result, "unreachable")) < 100);
	json_decref(result);
}

static void the_whole_set_loads_in_time(void **state)
{
	struct rule_report report;
	double begin = now(), took;
	struct ruleset *ruleset = load(WHOLE, &report);
	struct rule_db *db;
	unsigned other = 0;
	char reason[256];

	db = rule_compile(ruleset, NULL, reason, sizeof(reason));
	if (!db)
		fail_msg("%s", reason);
	took = now() - begin;
	for (uint32_t i = 0; i < report.n; i++)
		other += strncmp(report.refusals[i].reason, "protocol \"", 10) == 0;
	printf("whole set: %u of %u tcp and smb rules load and compile in %.2f s; %u of other "
	       "protocols\n",
		ruleset_count(ruleset), ruleset_count(ruleset) + report.n - other, took, other);
	assert_int_equal(ruleset_count(ruleset) + report.n - other, 1405);
	assert_true(ruleset_count(ruleset) >= 1380);
	assert_true(took < SECONDS);
	assert_named(&report);
	rule_db_free(db);
	ruleset_free(ruleset);
	rule_report_free(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smb_subset_loads_but_for_27),
		cmocka_unit_test(the_smb_subset_compiles),
		cmocka_unit_test(a_check_says_what_no_service_reaches),
		cmocka_unit_test(the_whole_set_loads_in_time),
	};

	if (access(SUBSET, R_OK) != 0) {
		printf("skipped: " SUBSET " is not there\n");
		return 77;
	}
	return cmocka_run_group_tests_name("rule_shared", tests, NULL, NULL);
}
