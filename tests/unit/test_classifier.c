/* The classifier rule by rule; test_classifier_property holds it against a naive matcher. */
#include "oom_rig.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "classifier_naive.h"

#define TCP    6
#define ICMP   1
#define ICMPV6 58

struct list {
	uint16_t n;
	uint16_t ids[8];
};

static const struct set_list *list(const struct list *l)
{
	return (const struct set_list *)(const void *)l;
}

static struct addr_span span(const char *text)
{
	struct addr_span s;

	assert_true(addr_span_parse(text, &s));
	return s;
}

static struct addr addr(const char *text)
{
	return span(text).first;
}

static const struct classifier_rule any = {.remote_set = NO_SET, .local_set = NO_SET};

static int match(const struct classifier *c, uint32_t service, const char *remote)
{
	const struct classifier_query query = {.service = service, .remote = addr(remote)};

	return classifier_match(c, &query);
}

static int match_both(const struct classifier *c, const char *remote, struct list remote_sets,
	const char *local, struct list local_sets)
{
	const struct classifier_query query = {
		.remote = addr(remote),
		.local = addr(local),
		.remote_sets = list(&remote_sets),
		.local_sets = list(&local_sets),
	};

	return classifier_match(c, &query);
}

static void test_no_rules(void **state)
{
	struct classifier *c = classifier_create(NULL, 0);

	assert_non_null(c);
	assert_int_equal(match(c, service_key(TCP, 22), "10.0.0.1"), -1);
	classifier_free(c);
	classifier_free(NULL);
}

static void test_first_rule_wins(void **state)
{
	struct addr_span wide = span("10.0.0.0/8"), narrow = span("10.1.0.0/16");
	struct classifier_rule rules[3] = {any, any, any};
	struct classifier *c;

	rules[0].remotes = &narrow;
	rules[1].remotes = &wide;
	rules[0].n_remotes = rules[1].n_remotes = 1;
	c = classifier_create(rules, 3);
	assert_int_equal(match(c, 0, "10.1.0.0"), 0);
	assert_int_equal(match(c, 0, "10.1.255.255"), 0);
	assert_int_equal(match(c, 0, "10.0.255.255"), 1);
	assert_int_equal(match(c, 0, "10.2.0.0"), 1);
	assert_int_equal(match(c, 0, "11.0.0.0"), 2);
	assert_int_equal(match(c, 0, "fd00::1"), 2);
	classifier_free(c);
}

static struct service_span port_span(uint16_t first, uint16_t last)
{
	return (struct service_span){service_key(TCP, first), service_key(TCP, last)};
}

static void test_ports(void **state)
{
	struct service_span ssh = port_span(22, 22);
	struct service_span some[] = {
		port_span(30, 40), port_span(35, 50), port_span(51, 51), port_span(60, UINT16_MAX)};
	struct service_span last = {service_key(255, 0), service_key(255, UINT16_MAX)};
	struct classifier_rule rules[] = {any, any, any};
	struct classifier *c;

	rules[0].services = &ssh;
	rules[1].services = some;
	rules[2].services = &last;
	rules[0].n_services = rules[2].n_services = 1;
	rules[1].n_services = 4;
	c = classifier_create(rules, 3);
	assert_int_equal(match(c, service_key(TCP, 21), "::1"), -1);
	assert_int_equal(match(c, service_key(TCP, 22), "::1"), 0);
	assert_int_equal(match(c, service_key(TCP, 23), "::1"), -1);
	assert_int_equal(match(c, service_key(17, 22), "::1"), -1);
	assert_int_equal(match(c, service_key(TCP, 29), "::1"), -1);
	for (uint16_t port = 30; port <= 51; port++)
		assert_int_equal(match(c, service_key(TCP, port), "::1"), 1);
	assert_int_equal(match(c, service_key(TCP, 52), "::1"), -1);
	assert_int_equal(match(c, service_key(TCP, UINT16_MAX), "::1"), 1);
	assert_int_equal(match(c, service_key(TCP + 1, 0), "::1"), -1);
	assert_int_equal(match(c, service_key(254, UINT16_MAX), "::1"), -1);
	assert_int_equal(match(c, service_key(255, 0), "::1"), 2);
	assert_int_equal(match(c, service_key(255, UINT16_MAX), "::1"), 2);
	classifier_free(c);
}

static uint32_t icmp(uint8_t proto, unsigned type, unsigned code)
{
	return service_key(proto, (uint16_t)(type << 8 | code));
}

static void test_icmp(void **state)
{
	struct service_span echo = {icmp(ICMP, 8, 0), icmp(ICMP, 8, 255)};
	struct service_span too_big = {icmp(ICMPV6, 2, 0), icmp(ICMPV6, 2, 0)};
	struct classifier_rule rules[] = {any, any};
	struct classifier *c;

	rules[0].services = &echo;
	rules[1].services = &too_big;
	rules[0].n_services = rules[1].n_services = 1;
	c = classifier_create(rules, 2);
	assert_int_equal(match(c, icmp(ICMP, 7, 255), "::1"), -1);
	assert_int_equal(match(c, icmp(ICMP, 8, 0), "::1"), 0);
	assert_int_equal(match(c, icmp(ICMP, 8, 255), "::1"), 0);
	assert_int_equal(match(c, icmp(ICMP, 9, 0), "::1"), -1);
	assert_int_equal(match(c, icmp(ICMPV6, 8, 0), "::1"), -1);
	assert_int_equal(match(c, icmp(ICMPV6, 2, 0), "::1"), 1);
	assert_int_equal(match(c, icmp(ICMPV6, 2, 1), "::1"), -1);
	assert_int_equal(match(c, icmp(ICMP, 2, 0), "::1"), -1);
	classifier_free(c);
}

static void test_families(void **state)
{
	struct addr_span ipv4[2], ipv6[2];
	struct classifier_rule rules[2] = {any, any};
	struct classifier *c;

	rules[0].n_remotes = addr_family_spans(4, ipv4);
	rules[0].remotes = ipv4;
	rules[1].n_remotes = addr_family_spans(6, ipv6);
	rules[1].remotes = ipv6;
	c = classifier_create(rules, 2);
	assert_int_equal(match(c, 0, "0.0.0.0"), 0);
	assert_int_equal(match(c, 0, "255.255.255.255"), 0);
	assert_int_equal(match(c, 0, "::"), 1);
	assert_int_equal(match(c, 0, "::fffe:ffff:ffff"), 1);
	assert_int_equal(match(c, 0, "::1:0:0:0"), 1);
	assert_int_equal(match(c, 0, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 1);
	classifier_free(c);
}

static void test_empty_spans_match_nothing(void **state)
{
	struct addr_span none = {{0, 9}, {0, 8}};
	struct addr_span some_and_none[2] = {{{0, 20}, {0, 30}}, {{0, 28}, {0, 24}}};
	struct service_span no_port = {9, 8};
	struct classifier_rule rules[4] = {any, any, any, any};
	struct classifier *c;

	rules[0].remotes = rules[1].locals = &none;
	rules[0].n_remotes = rules[1].n_locals = 1;
	rules[2].services = &no_port;
	rules[2].n_services = 1;
	/* Nor do they end what others hold open. */
	rules[3].remotes = some_and_none;
	rules[3].n_remotes = 2;
	c = classifier_create(rules, 4);
	for (unsigned i = 0; i < 40; i++) {
		const struct classifier_query query = {i, {0, i}, {0, i}, NULL, NULL};

		assert_int_equal(classifier_match(c, &query), i >= 20 && i <= 30 ? 3 : -1);
	}
	classifier_free(c);
}

/* By a set, by a span or a set, and by the other end's. */
static void test_sets(void **state)
{
	struct addr_span net = span("10.0.0.0/24");
	struct classifier_rule rules[5] = {any, any, any, any, any};
	struct list none = {0}, in7 = {1, {7}}, in8 = {1, {8}}, in9 = {1, {9}};
	struct list many = {7, {1, 2, 3, 8, 100, 8000, NO_SET - 1}}, others = {3, {0, 6, 10}};
	struct list last = {1, {NO_SET - 1}};
	struct classifier *c;

	rules[0].remote_set = 7;
	rules[1].remotes = &net;
	rules[1].n_remotes = 1;
	rules[1].remote_set = 8;
	rules[2].local_set = 9;
	rules[3].remote_set = 7;
	rules[3].local_set = 7;
	rules[4].remote_set = NO_SET - 1;
	c = classifier_create(rules, 5);
	assert_int_equal(match_both(c, "10.0.0.1", in7, "10.0.0.2", none), 0);
	assert_int_equal(match_both(c, "10.0.0.1", none, "10.0.0.2", in7), 1);
	assert_int_equal(match_both(c, "10.0.1.1", none, "10.0.0.2", in7), -1);
	assert_int_equal(match_both(c, "10.0.1.1", in8, "10.0.0.2", none), 1);
	assert_int_equal(match_both(c, "10.0.1.1", many, "10.0.0.2", none), 1);
	assert_int_equal(match_both(c, "10.0.1.1", in9, "10.0.0.2", none), -1);
	assert_int_equal(match_both(c, "10.0.1.1", in9, "10.0.0.2", in9), 2);
	assert_int_equal(match_both(c, "10.0.1.1", others, "10.0.0.2", others), -1);
	assert_int_equal(match_both(c, "10.0.1.1", last, "10.0.0.2", none), 4);
	classifier_free(c);
	c = classifier_create(&rules[3], 1);
	assert_int_equal(match_both(c, "10.0.1.1", in7, "10.0.0.2", none), -1);
	assert_int_equal(match_both(c, "10.0.1.1", none, "10.0.0.2", in7), -1);
	assert_int_equal(match_both(c, "10.0.1.1", in7, "10.0.0.2", in7), 0);
	classifier_free(c);
}

/* Rule k of n is for port k; each is found, on every page and at its edges. */
static void test_pages(void **state)
{
	static const unsigned sizes[] = {1, 63, 64, 65, 511, 512, 513, 1024, 1025};
	static struct classifier_rule rules[1025];
	static struct service_span ports[1025];

	for (unsigned i = 0; i < 1025; i++) {
		ports[i].first = ports[i].last = service_key(TCP, (uint16_t)i);
		rules[i] = any;
		rules[i].services = &ports[i];
		rules[i].n_services = 1;
	}
	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct classifier *c = classifier_create(rules, sizes[s]);

		assert_non_null(c);
		for (unsigned i = 0; i < sizes[s]; i++)
			assert_int_equal(match(c, service_key(TCP, (uint16_t)i), "::1"), i);
		assert_int_equal(match(c, service_key(TCP, (uint16_t)sizes[s]), "::1"), -1);
		classifier_free(c);
	}
}

/* As many rules as there may be, each for a port and for a set; the last ones are found. */
static void test_limits(void **state)
{
	unsigned n = CLASSIFIER_RULES_MAX;
	struct classifier_rule *rules = calloc(n + 1, sizeof(*rules));
	struct service_span port = {service_key(TCP, 445), service_key(TCP, 445)};
	struct addr_span *spans = calloc(CLASSIFIER_SPANS_MAX + 1, sizeof(*spans));
	struct list in1 = {1, {1}};
	struct classifier *c;

	assert_non_null(rules);
	assert_non_null(spans);
	for (unsigned i = 0; i <= n; i++) {
		rules[i] = any;
		rules[i].remote_set = i + 1 < n ? 0 : 1;
		rules[i].services = &port;
		rules[i].n_services = i % 2;
	}
	assert_null(classifier_create(rules, n + 1));
	c = classifier_create(rules, n);
	assert_non_null(c);
	assert_int_equal(match_both(c, "::1", in1, "::2", in1), -1);
	const struct classifier_query query = {
		.service = port.first, .remote_sets = list(&in1), .local_sets = list(&in1)};
	assert_int_equal(classifier_match(c, &query), n - 1);
	classifier_free(c);
	rules[0].remotes = spans;
	rules[0].n_remotes = CLASSIFIER_SPANS_MAX;
	c = classifier_create(rules, 1);
	assert_non_null(c);
	classifier_free(c);
	rules[0].n_remotes++;
	assert_null(classifier_create(rules, 1));
	rules[0].locals = rules[0].remotes;
	rules[0].n_locals = rules[0].n_remotes;
	rules[0].n_remotes = 0;
	assert_null(classifier_create(rules, 1));
	free(rules);
	free(spans);
}

static uint64_t random_state = 1;

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state % n);
}

/* Rules that would need more distinct rows than there may be are refused, with nothing kept. */
static void test_memory_limit(void **state)
{
	unsigned n = CLASSIFIER_RULES_MAX, each = 4;
	struct classifier_rule *rules = calloc(n, sizeof(*rules));
	struct addr_span *spans = calloc((size_t)n * each, sizeof(*spans));

	assert_non_null(rules);
	assert_non_null(spans);
	for (unsigned i = 0; i < n * each; i++) {
		spans[i].first = (struct addr){1, below(UINT32_MAX)};
		spans[i].last = (struct addr){1, spans[i].first.low + below(1 << 28)};
		rules[i / each] = any;
		rules[i / each].remotes = &spans[i / each * each];
		rules[i / each].n_remotes = each;
	}
	assert_null(classifier_create(rules, n));
	free(rules);
	free(spans);
}

static double ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

#define MANY 10000

static struct classifier_rule rules_of_many[MANY];
static struct service_span services_of_many[MANY];
static struct addr_span remotes_of_many[MANY];

static void make_many(void)
{
	for (unsigned i = 0; i < MANY; i++) {
		uint16_t port = (uint16_t)below(65000);
		uint8_t proto = below(2) ? TCP : 17;
		struct addr a = {0, ADDR_V4_PREFIX | 10u << 24 | below(1 << 24)};

		if (below(2))
			a = (struct addr){
				UINT64_C(0xfd00) << 48 | below(16), (uint64_t)below(1 << 30) << 34};
		services_of_many[i] = (struct service_span){
			service_key(proto, port), service_key(proto, (uint16_t)(port + below(64)))};
		remotes_of_many[i] = addr_prefix(
			a, addr_is_ipv4(a) ? 8 + below(25) : 40 + below(89));
		rules_of_many[i] = any;
		rules_of_many[i].services = &services_of_many[i];
		rules_of_many[i].remotes = &remotes_of_many[i];
		rules_of_many[i].n_services = rules_of_many[i].n_remotes = 1;
	}
}

static void test_many_rules(void **state)
{
	double before;
	struct classifier *c;
	unsigned hits = 0;

	make_many();
	before = ms();
	c = classifier_create(rules_of_many, MANY);
	printf("%u rules: %.1f ms, ", MANY, ms() - before);
	assert_non_null(c);
	printf("%zu KiB\n", classifier_size(c) / 1024);
	assert_in_range(classifier_size(c), 1 << 20, 8 << 20);
	for (unsigned i = 0; i < 4000; i++) {
		unsigned aim = below(MANY), other = below(2) ? below(MANY) : aim;
		const struct classifier_query query = {.service = services_of_many[aim].last,
			.remote = remotes_of_many[other].last};
		int found = classifier_match(c, &query);

		hits += found >= 512;
		assert_int_equal(found, naive_match(rules_of_many, MANY, &query, NULL, 0));
	}
	assert_true(hits > 100);
	classifier_free(c);
}

/* What is alike takes memory once: more rules with the same conditions cost little more. */
static void test_equal_rows_are_shared(void **state)
{
	size_t one, all;
	struct classifier *c;

	make_many();
	c = classifier_create(rules_of_many, 1);
	assert_non_null(c);
	one = classifier_size(c);
	classifier_free(c);
	for (unsigned i = 0; i < MANY; i++) {
		services_of_many[i] = services_of_many[0];
		remotes_of_many[i] = remotes_of_many[0];
	}
	c = classifier_create(rules_of_many, MANY);
	assert_non_null(c);
	all = classifier_size(c);
	classifier_free(c);
	assert_true(all > one);
	assert_true(all < one + 2048);
}

static void *make_for_oom(void)
{
	static const uint16_t sets[] = {3, 4, NO_SET};
	static struct classifier_rule rules[600];

	make_many();
	memcpy(rules, rules_of_many, sizeof(rules));
	for (unsigned i = 0; i < 600; i++) {
		rules[i].remote_set = sets[i % 3];
		rules[i].local_set = sets[i / 3 % 3];
		rules[i].locals = &remotes_of_many[600 + i];
		rules[i].n_locals = i % 2;
	}
	return classifier_create(rules, 600);
}

static void free_made(void *made)
{
	classifier_free(made);
}

static void test_out_of_memory(void **state)
{
	assert_true(oom_each(make_for_oom, free_made) > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_first_rule_wins),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_empty_spans_match_nothing),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_many_rules),
		cmocka_unit_test(test_equal_rows_are_shared),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
