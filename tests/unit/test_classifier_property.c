/*
 * Random policies and packets: the classifier, fed by a set index, answers what a naive matcher
 * answers. TEST_SEED=n repeats a run. Most packets lie at or next to the bounds of some rule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

#include "classifier_naive.h"

#define POLICIES    20000
#define PACKETS     8 /* for each */
#define LONG        130 /* rules; such a policy gets more packets */
#define LONG_FACTOR 16
#define RULES_MAX   1025
#define SPANS_MAX   3 /* of a rule and dimension */
#define SETS        6
#define MEMBERS_MAX 24
#define BASES       4

/* A span, and the prefix that it was made from: 0 to 32 IPv4's, 33 to 161 IPv6's, or none. */
#define PREFIXES  (33 + 129)
#define NO_PREFIX PREFIXES

struct policy {
	unsigned n;
	struct classifier_rule rules[RULES_MAX];
	struct service_span services[RULES_MAX][SPANS_MAX];
	struct addr_span remotes[RULES_MAX][SPANS_MAX], locals[RULES_MAX][SPANS_MAX];
	uint8_t prefixes[RULES_MAX][SPANS_MAX]; /* of the remotes */
	uint16_t sets[SETS];
	unsigned n_members;
	struct set_member members[MEMBERS_MAX];
	struct addr bases[2 * BASES]; /* IPv4, then IPv6; all addresses are near one */
	bool locals_asked;
};

static struct policy policy;
static uint64_t random_state;
static unsigned next_prefix;

static struct {
	unsigned hits, misses, by_remote_set, by_local_set, later_pages, in_sets;
	unsigned edges[PREFIXES]; /* packets at or next to the bound of such a prefix */
	unsigned decided[PREFIXES]; /* by a rule with such a prefix around the packet */
} seen;

/* splitmix64 */
static uint64_t any64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return (unsigned)(any64() % n);
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

static struct addr add(struct addr a, int64_t step)
{
	unsigned __int128 number = (unsigned __int128)a.high << 64 | a.low;

	number += (unsigned __int128)(__int128)step;
	return (struct addr){(uint64_t)(number >> 64), (uint64_t)number};
}

static struct addr any_base(void)
{
	return policy.bases[below(2 * BASES)];
}

static void make_bases(void)
{
	for (unsigned i = 0; i < BASES; i++) {
		policy.bases[i] = (struct addr){0, ADDR_V4_PREFIX | (any64() & UINT32_MAX)};
		policy.bases[BASES + i] = (struct addr){any64(), any64()};
		if (one_in(4))
			policy.bases[BASES + i].high = policy.bases[BASES].high;
	}
	if (one_in(8))
		policy.bases[below(2 * BASES)] = (struct addr){UINT64_MAX, UINT64_MAX - below(3)};
	if (one_in(8))
		policy.bases[below(2 * BASES)] = (struct addr){0, below(3)};
	if (one_in(8))
		policy.bases[below(2 * BASES)] = (struct addr){0, ADDR_V4_PREFIX - 1 + below(3)};
}

/* Prefixes by turns, so that each length comes. */
static struct addr_span any_span(uint8_t *prefix)
{
	struct addr a, b;
	unsigned turn;

	*prefix = NO_PREFIX;
	if (!one_in(4)) {
		turn = next_prefix++ % PREFIXES;
		*prefix = (uint8_t)turn;
		if (turn <= 32) {
			a = (struct addr){0, ADDR_V4_PREFIX | (any_base().low & UINT32_MAX)};
			return addr_prefix(a, turn);
		}
		do
			a = any_base();
		while (addr_is_ipv4(a));
		return addr_prefix(a, turn - 33);
	}
	a = add(any_base(), below(20));
	b = one_in(2) ? any_base() : add(a, below(300));
	if (addr_less(b, a) && !one_in(50))
		return (struct addr_span){b, a};
	return (struct addr_span){a, b};
}

static struct service_span any_services(void)
{
	static const uint8_t protos[] = {6, 17, 1, 58, 132, 47, 0, 255};
	uint8_t proto = protos[below(sizeof(protos))];
	uint16_t port = (uint16_t)(one_in(8) ? 65535 : one_in(8) ? 0 : 440 + below(12));
	uint16_t last = (uint16_t)(port > 65000 ? 65535 : port + below(8));
	uint16_t type = (uint16_t)(below(4) << 8);

	switch (below(6)) {
	case 0: /* a protocol */
		return (struct service_span){service_key(proto, 0), service_key(proto, UINT16_MAX)};
	case 1: /* an ICMP type, whatever the code */
		return (struct service_span){service_key(1, type), service_key(1, type | 255)};
	case 2: /* type and code */
		type |= (uint16_t)below(3);
		return (struct service_span){service_key(58, type), service_key(58, type)};
	case 3:
		return (struct service_span){service_key(proto, port), service_key(proto, port)};
	case 4: /* of no protocol that there is, but a span of numbers all the same */
		return (struct service_span){service_key(proto, port), service_key(255, last)};
	default:
		return (struct service_span){service_key(proto, port), service_key(proto, last)};
	}
}

static uint16_t any_set(void)
{
	return policy.sets[below(SETS)];
}

static void make_sets(void)
{
	uint8_t prefix;

	for (unsigned i = 0; i < SETS; i++)
		policy.sets[i] = (uint16_t)(one_in(4) ? SETS_MAX - 1 - below(3) : below(1030));
	policy.n_members = one_in(3) ? 0 : below(MEMBERS_MAX + 1);
	for (unsigned i = 0; i < policy.n_members; i++)
		policy.members[i] = (struct set_member){any_span(&prefix), any_set()};
}

/* any, spans, a set, or both. */
static unsigned make_end(struct addr_span *spans, uint8_t *prefixes, uint16_t *set)
{
	unsigned n = one_in(3) ? 0 : 1 + (one_in(4) ? below(SPANS_MAX) : 0);

	*set = one_in(4) ? any_set() : NO_SET;
	for (unsigned i = 0; i < n; i++)
		spans[i] = any_span(&prefixes[i]);
	return n;
}

/* In a long list few rules are broad, else no packet gets past them. */
static void make_narrow(unsigned i)
{
	struct classifier_rule *rule = &policy.rules[i];
	uint16_t port = (uint16_t)any64();

	policy.services[i][0] = (struct service_span){service_key(6, port), service_key(6, port)};
	rule->n_services = 1;
	if (rule->remote_set == NO_SET && (rule->n_remotes == 0 || one_in(2))) {
		struct addr a = add(any_base(), below(1000));

		policy.remotes[i][0] = (struct addr_span){a, add(a, below(4))};
		policy.prefixes[i][0] = NO_PREFIX;
		rule->n_remotes = 1;
	}
}

static void make_rule(unsigned i)
{
	uint8_t unused[SPANS_MAX];
	struct classifier_rule *rule = &policy.rules[i];

	*rule = (struct classifier_rule){.services = policy.services[i],
		.remotes = policy.remotes[i],
		.locals = policy.locals[i],
		.local_set = NO_SET};
	rule->n_services = one_in(3) ? 0 : 1 + (one_in(4) ? below(SPANS_MAX) : 0);
	for (unsigned s = 0; s < rule->n_services; s++)
		policy.services[i][s] = any_services();
	rule->n_remotes = make_end(policy.remotes[i], policy.prefixes[i], &rule->remote_set);
	if (policy.locals_asked && one_in(2))
		rule->n_locals = make_end(policy.locals[i], unused, &rule->local_set);
	if (policy.n > LONG && !one_in(30))
		make_narrow(i);
}

static void make_policy(void)
{
	static const unsigned sizes[] = {511, 512, 513, 1023, 1024, 1025, 600};

	policy.n = below(20);
	if (one_in(10))
		policy.n = below(LONG);
	if (one_in(60))
		policy.n = one_in(2) ? below(601) : sizes[below(sizeof(sizes) / sizeof(sizes[0]))];
	policy.locals_asked = one_in(3);
	make_bases();
	make_sets();
	for (unsigned i = 0; i < policy.n; i++)
		make_rule(i);
}

static struct addr near_span(const struct addr_span *span)
{
	switch (below(5)) {
	case 0:
		return add(span->first, -1);
	case 1:
		return span->first;
	case 2:
		return span->last;
	case 3:
		return add(span->last, 1);
	default: /* inside, where it is not empty */
		return add(span->first, below(3));
	}
}

static struct addr any_packet_addr(
	const struct addr_span *spans, const uint8_t *prefixes, unsigned n)
{
	unsigned i;

	if (n > 0 && !one_in(8)) {
		i = below(n);
		if (prefixes != NULL && prefixes[i] != NO_PREFIX)
			seen.edges[prefixes[i]]++;
		return near_span(&spans[i]);
	}
	if (policy.n_members > 0 && !one_in(4))
		return near_span(&policy.members[below(policy.n_members)].span);
	return add(any_base(), (int64_t)below(40) - 20);
}

static uint32_t any_service(const struct classifier_rule *rule)
{
	const struct service_span *span;

	if (rule->n_services == 0 || one_in(8))
		return any_services().first;
	span = &rule->services[below(rule->n_services)];
	switch (below(5)) {
	case 0:
		return (span->first - 1) & 0xffffff;
	case 1:
		return (span->last + 1) & 0xffffff;
	case 2:
		return span->last;
	default:
		return span->first;
	}
}

/* Aimed at one rule, most of the time. */
static void make_packet(struct classifier_query *query)
{
	static const struct classifier_rule none = {.remote_set = NO_SET, .local_set = NO_SET};
	unsigned aim = policy.n > 0 ? below(policy.n) : 0, other = one_in(4) ? 0 : aim;
	const struct classifier_rule *rule = policy.n > 0 ? &policy.rules[aim] : &none;
	const struct classifier_rule *second = policy.n > 0 ? &policy.rules[other] : &none;

	query->service = any_service(second);
	query->remote = any_packet_addr(rule->remotes, policy.prefixes[aim], rule->n_remotes);
	query->local = any_packet_addr(second->locals, NULL, second->n_locals);
}

static void note(const struct classifier_query *query, int found)
{
	const struct classifier_rule *rule = &policy.rules[found < 0 ? 0 : found];
	bool by_span = false;

	if (found < 0) {
		seen.misses++;
		return;
	}
	seen.hits++;
	seen.later_pages += found >= 512;
	for (unsigned i = 0; i < rule->n_remotes; i++) {
		if (!naive_in_span(query->remote, &rule->remotes[i]))
			continue;
		by_span = true;
		if (policy.prefixes[found][i] != NO_PREFIX)
			seen.decided[policy.prefixes[found][i]]++;
	}
	seen.by_remote_set += rule->remote_set != NO_SET && !by_span;
	seen.by_local_set += rule->local_set != NO_SET && rule->n_locals == 0;
}

static void check_packet(
	const struct classifier *classifier, const struct set_index *sets, unsigned number)
{
	struct classifier_query query;
	int expected, found;

	make_packet(&query);
	query.remote_sets = set_index_find(sets, query.remote);
	query.local_sets = set_index_find(sets, query.local);
	seen.in_sets += query.remote_sets != NULL;
	if (!naive_list_is(query.remote_sets, query.remote, policy.members, policy.n_members))
		fail_msg("policy %u: the sets of an address are wrong", number);
	expected = naive_match(policy.rules, policy.n, &query, policy.members, policy.n_members);
	found = classifier_match(classifier, &query);
	if (found != expected) {
		char remote[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];

		addr_format(query.remote, remote);
		addr_format(query.local, local);
		fail_msg("policy %u of %u rules, service %06x, remote %s, local %s: rule %d "
			 "matches, "
			 "the classifier says %d",
			number, policy.n, query.service, remote, local, expected, found);
	}
	note(&query, found);
}

static void assert_seen(void)
{
	unsigned packets = seen.hits + seen.misses;

	printf("%u hits, %u misses, %u by remote set, %u by local set, %u behind rule 511\n",
		seen.hits, seen.misses, seen.by_remote_set, seen.by_local_set, seen.later_pages);
	assert_true(packets >= 100000);
	assert_true(seen.hits > packets / 10);
	assert_true(seen.misses > packets / 10);
	assert_true(seen.by_remote_set > 1000);
	assert_true(seen.by_local_set > 100);
	assert_true(seen.later_pages > 50);
	assert_true(seen.in_sets > 1000);
	for (unsigned i = 0; i < PREFIXES; i++) {
		if (seen.edges[i] == 0 || seen.decided[i] == 0)
			fail_msg("no packet for prefixes of IPv%d/%u", i > 32 ? 6 : 4,
				i > 32 ? i - 33 : i);
	}
}

static void test_against_naive(void **state)
{
	const char *seed = getenv("TEST_SEED");

	assert_int_equal(getrandom(&random_state, sizeof(random_state), 0), sizeof(random_state));
	if (seed != NULL)
		random_state = strtoull(seed, NULL, 0);
	printf("TEST_SEED=%llu\n", (unsigned long long)random_state);
	for (unsigned i = 0; i < POLICIES; i++) {
		struct classifier *classifier;
		struct set_index *sets;

		make_policy();
		classifier = classifier_create(policy.rules, policy.n);
		sets = set_index_create(policy.members, policy.n_members);
		assert_non_null(classifier);
		assert_non_null(sets);
		for (unsigned p = 0; p < PACKETS * (policy.n > LONG ? LONG_FACTOR : 1); p++)
			check_packet(classifier, sets, i);
		classifier_free(classifier);
		set_index_free(sets);
	}
	assert_seen();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
