/*
 * The public rules of /work/shared/rules, where that folder is there: how many load, and that what
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

#include "ruleset.h"

#define SHARED  "/work/shared/rules"
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

static void the_whole_set_loads_in_time(void **state)
{
	struct rule_report report;
	double begin = now(), took;
	struct ruleset *ruleset = load(WHOLE, &report);
	unsigned other = 0;

	took = now() - begin;
	for (uint32_t i = 0; i < report.n; i++)
		other += strncmp(report.refusals[i].reason, "protocol \"", 10) == 0;
	printf("whole set: %u of %u tcp and smb rules load in %.2f s; %u of other protocols\n",
		ruleset_count(ruleset), ruleset_count(ruleset) + report.n - other, took, other);
	assert_int_equal(ruleset_count(ruleset) + report.n - other, 1405);
	assert_true(ruleset_count(ruleset) >= 1380);
	assert_true(took < SECONDS);
	assert_named(&report);
	ruleset_free(ruleset);
	rule_report_free(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smb_subset_loads_but_for_27),
		cmocka_unit_test(the_whole_set_loads_in_time),
	};

	if (access(SUBSET, R_OK) != 0) {
		printf("skipped: " SUBSET " is not there\n");
		return 77;
	}
	return cmocka_run_group_tests_name("rule_shared", tests, NULL, NULL);
}
