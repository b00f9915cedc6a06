/*
 * Policies of a host with 1,000 ports: a change rebuilds what it concerns, and what it takes is
 * printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "policy_rig.h"

static double ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

/* 1,000 ports of 20 tenants; one has 10,000 rules, 50 more name a group of 2,000 addresses. */
static struct config *large_config(unsigned changed_port, unsigned members)
{
	struct config *config;
	char *yaml = NULL;
	size_t size;
	FILE *out = open_memstream(&yaml, &size);

	fputs("networks:\n", out);
	for (unsigned i = 0; i < 20; i++)
		fprintf(out, "  - {name: n%u}\n", i);
	fputs("ports:\n", out);
	for (unsigned i = 0; i < 1000; i++) {
		fprintf(out,
			"  - {name: p%u, network: n%u, kernel: {interface: i%u}, groups: [%s],\n"
			"     mac: '02:00:00:00:%02x:%02x', ips: [10.%u.%u.1, 'fd00::%x']",
			i, i % 20, i, i % 20 == 0 ? "big, users, all" : "all", i / 256, i % 256,
			i / 256, i % 256, i);
		fprintf(out, ", pairs: [");
		for (unsigned m = 0; i % 20 == 0 && m < 38 + (i == 0 ? members : 0); m++)
			fprintf(out, "%s{ip: 10.200.%u.%u}", m > 0 ? ", " : "", i / 20, m);
		fputs("]}\n", out);
	}
	fputs("groups:\n", out);
	for (unsigned i = 0; i < 20; i++)
		fprintf(out,
			"  - {name: all, tenant: n%u, rules: [{direction: in, remote: {group: "
			"all}, action: allow}]}\n",
			i);
	fputs("  - name: users\n    tenant: n0\n    rules:\n", out);
	for (unsigned i = 0; i < 50; i++)
		fprintf(out,
			"      - {direction: in, protocol: tcp, ports: %u, remote: {group: all},"
			" action: allow}\n",
			1000 + i);
	fputs("  - name: big\n    tenant: n0\n    rules:\n", out);
	for (unsigned i = 0; i < 10000; i++)
		fprintf(out,
			"      - {direction: in, protocol: tcp, ports: %u, remote: "
			"10.%u.%u.0/%u, action: %s}\n",
			i == 5000 ? changed_port : 1 + i % 60000, i % 250, i / 250, 24 + i % 9,
			i % 3 ? "allow" : "deny");
	fclose(out);
	config = rig_config(yaml);
	free(yaml);
	return config;
}

static struct policy *timed(const char *what, const struct config *config,
	const struct rig_blocks *blocks, const struct policy *before)
{
	struct timespec start;
	struct policy *policy;

	clock_gettime(CLOCK_MONOTONIC, &start);
	policy = rig_policy(config, blocks, before);
	print_message("%s: %.2f ms\n", what, ms_since(&start));
	return policy;
}

static void test_large(void **state)
{
	struct config *a = large_config(5001, 0), *rule = large_config(61000, 0);
	struct config *member = large_config(61000, 1);
	struct rig_blocks b = {.blocks.n = 0};
	struct policy *p[6];

	(void)state;
	p[0] = timed("all new: 1,000 ports, 10,000 rules", a, NULL, NULL);
	p[1] = timed("unchanged", a, NULL, p[0]);
	assert_int_equal(policy_stats(p[1]).epochs_moved, 0);
	assert_int_equal(policy_stats(p[1]).groups_built, 0);
	p[2] = timed("one rule of 10,000", rule, NULL, p[1]);
	assert_int_equal(policy_stats(p[2]).groups_built, 1);
	assert_int_equal(policy_stats(p[2]).epochs_moved, 50);
	p[3] = timed("one member of 2,000 that 50 rules name", member, NULL, p[2]);
	assert_int_equal(policy_stats(p[3]).groups_built, 0);
	assert_int_equal(policy_stats(p[3]).sets_built, 1);
	assert_int_equal(policy_stats(p[3]).epochs_moved, 50);
	rig_block(&b, "tcp/445", "any", "all", "n0", "", BLOCK_IN);
	p[4] = timed("a block", member, &b, p[3]);
	assert_int_equal(policy_stats(p[4]).epochs_moved, 50);
	p[5] = timed("unchanged, with it", member, &b, p[4]);
	assert_int_equal(policy_stats(p[5]).epochs_moved, 0);
	for (unsigned i = 0; i < 6; i++)
		policy_free(p[i]);
	config_free(a);
	config_free(rule);
	config_free(member);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
