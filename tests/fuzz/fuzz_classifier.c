/*
 * Fuzzes the classifier and the set index: the input is members of sets, rules and packets, and
 * what the classifier finds must be what a naive matcher finds.
 *
 * libFuzzer target; its corpus is a byte that says how many rules for nothing come first, in fours
 * (so that few bytes reach the second page), a byte each with the numbers of members and of rules,
 * and then these; what is left is packets.
 */
#include <stdlib.h>
#include <string.h>

#include "unit/classifier_naive.h"

#define PADDING   520 /* rules for nothing, at the most */
#define RULES     64
#define RULES_MAX (PADDING + RULES)
#define MEMBERS   32
#define SPANS     3 /* of a rule and dimension, at the most */
#define PACKETS   64

struct input {
	const uint8_t *data;
	size_t left;
};

static struct classifier_rule rules[RULES_MAX];
static struct service_span services[RULES][SPANS];
static struct addr_span remotes[RULES][SPANS], locals[RULES][SPANS];
static struct set_member members[MEMBERS];
static unsigned n_rules, n_members;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Zeroes where the input has ended. */
static uint8_t take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->data++;
}

static uint16_t take16(struct input *in)
{
	uint16_t high = take(in);

	return (uint16_t)(high << 8 | take(in));
}

/* Few addresses of each family, so that they meet; and the ends of the number line. */
static struct addr take_addr(struct input *in)
{
	uint8_t kind = take(in);
	uint16_t number = take16(in);

	switch (kind & 7) {
	case 0:
		return (struct addr){0, number};
	case 1:
		return (struct addr){UINT64_MAX, UINT64_MAX - number};
	case 2:
		return (struct addr){0, ADDR_V4_PREFIX - 32768 + number};
	case 3:
		return (struct addr){UINT64_C(0xfd00) << 48 | kind >> 3, number};
	case 4:
		return (struct addr){UINT64_C(0xfd00) << 48, UINT64_MAX - number};
	default:
		return (struct addr){0, ADDR_V4_PREFIX | (uint32_t)(kind >> 3) << 24 | number};
	}
}

/* A prefix, or from one address to another, in whichever order they come. */
static struct addr_span take_span(struct input *in)
{
	uint8_t kind = take(in);
	struct addr first = take_addr(in);

	if (kind < 192)
		return addr_prefix(first, kind);
	return (struct addr_span){first, take_addr(in)};
}

static uint32_t take_service(struct input *in)
{
	uint8_t proto = take(in);

	return service_key(proto, take16(in));
}

static uint16_t take_set(struct input *in)
{
	uint8_t set = take(in);

	return set < 128 ? (uint16_t)(set * 60) : NO_SET;
}

static void take_rule(struct input *in, unsigned i)
{
	struct classifier_rule *rule = &rules[n_rules++];
	uint8_t counts = take(in);

	*rule = (struct classifier_rule){.services = services[i],
		.n_services = counts & 3,
		.remotes = remotes[i],
		.n_remotes = counts >> 2 & 3,
		.locals = locals[i],
		.n_locals = counts >> 4 & 3};
	rule->remote_set = take_set(in);
	rule->local_set = take_set(in);
	for (unsigned s = 0; s < rule->n_services; s++) {
		services[i][s].first = take_service(in);
		services[i][s].last = take_service(in);
	}
	for (unsigned s = 0; s < rule->n_remotes; s++)
		remotes[i][s] = take_span(in);
	for (unsigned s = 0; s < rule->n_locals; s++)
		locals[i][s] = take_span(in);
}

static void take_policy(struct input *in)
{
	static const struct service_span nothing = {1, 0};
	unsigned padding = take(in) * 4u % (PADDING + 1), wanted;

	n_members = take(in) % (MEMBERS + 1);
	wanted = take(in) % (RULES + 1);
	for (unsigned i = 0; i < n_members; i++) {
		members[i].set = take_set(in) % SETS_MAX;
		members[i].span = take_span(in);
	}
	for (n_rules = 0; n_rules < padding; n_rules++)
		rules[n_rules] = (struct classifier_rule){.services = &nothing,
			.n_services = 1,
			.remote_set = NO_SET,
			.local_set = NO_SET};
	for (unsigned i = 0; i < wanted; i++)
		take_rule(in, i);
}

static void check(const struct classifier *classifier, const struct set_index *sets,
	struct classifier_query query)
{
	query.remote_sets = set_index_find(sets, query.remote);
	query.local_sets = set_index_find(sets, query.local);
	if (!naive_list_is(query.remote_sets, query.remote, members, n_members) ||
		classifier_match(classifier, &query) !=
			naive_match(rules, n_rules, &query, members, n_members))
		abort();
}

/* At the bounds of a rule, and right before and behind them. */
static void check_bounds(const struct classifier *classifier, const struct set_index *sets,
	const struct classifier_rule *rule)
{
	struct classifier_query query = {0};

	if (rule->n_services > 0)
		query.service = rule->services[0].last;
	if (rule->n_locals > 0)
		query.local = rule->locals[0].first;
	for (unsigned i = 0; i < rule->n_remotes; i++) {
		query.remote = rule->remotes[i].first;
		check(classifier, sets, query);
		query.remote.high -= query.remote.low-- == 0;
		check(classifier, sets, query);
		query.remote = rule->remotes[i].last;
		check(classifier, sets, query);
		query.remote.high += ++query.remote.low == 0;
		query.service++;
		check(classifier, sets, query);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct classifier *classifier;
	struct set_index *sets;

	take_policy(&in);
	classifier = classifier_create(rules, n_rules);
	sets = set_index_create(members, n_members);
	if (classifier == NULL || sets == NULL)
		abort();
	for (unsigned i = n_rules > RULES ? n_rules - RULES : 0; i < n_rules; i++)
		check_bounds(classifier, sets, &rules[i]);
	for (unsigned i = 0; i < PACKETS && in.left > 0; i++) {
		struct classifier_query query = {.service = take_service(&in)};

		query.remote = take_addr(&in);
		query.local = take_addr(&in);
		check(classifier, sets, query);
	}
	classifier_free(classifier);
	set_index_free(sets);
	return 0;
}
