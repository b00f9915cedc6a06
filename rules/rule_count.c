#include "rule_count.h"

#include <stdlib.h>

#define WAYS 8

struct place {
	struct addr a, b;
	uint64_t begin; /* seconds */
	uint64_t flow;
	uint32_t gid, sid, seconds, count;
	bool used, filter;
};

struct rule_counts {
	uint64_t lost;
	uint32_t mask; /* of buckets */
	struct place places[];
};

struct rule_counts *rule_counts_create(uint32_t max)
{
	uint32_t buckets = 1;
	struct rule_counts *counts;

	while (buckets < (1U << 24) && buckets * WAYS < max)
		buckets *= 2;
	counts = calloc(1, sizeof(*counts) + (size_t)buckets * WAYS * sizeof(*counts->places));
	if (counts)
		counts->mask = buckets - 1;
	return counts;
}

void rule_counts_free(struct rule_counts *counts)
{
	free(counts);
}

uint64_t rule_counts_lost(const struct rule_counts *counts)
{
	return counts->lost;
}

static struct place key_of(const struct rule *rule, const struct rule_threshold *threshold,
	struct addr src, struct addr dst, uint64_t flow)
{
	struct place key = {.gid = rule->gid,
		.sid = rule->sid,
		.seconds = threshold->seconds,
		.filter = threshold->type == RULE_THRESHOLD_FILTER};

	if (threshold->track == RULE_TRACK_SRC || threshold->track == RULE_TRACK_BOTH)
		key.a = src;
	if (threshold->track == RULE_TRACK_DST || threshold->track == RULE_TRACK_BOTH)
		key.b = dst;
	if (threshold->track == RULE_TRACK_FLOW)
		key.flow = flow;
	return key;
}

static bool over(const struct place *place, uint64_t now)
{
	return !place->used || now - place->begin >= place->seconds;
}

static bool same(const struct place *x, const struct place *y)
{
	return x->used && x->sid == y->sid && x->gid == y->gid && x->filter == y->filter &&
	       x->flow == y->flow && addr_equal(x->a, y->a) && addr_equal(x->b, y->b);
}

/* The key's count, begun anew where its time is over. */
static struct place *place_of(struct rule_counts *counts, const struct place *key, uint64_t now)
{
	uint64_t h = key->a.low ^ key->a.high * 3 ^ key->b.low * 5 ^ key->b.high * 7 ^
		     ((uint64_t)key->sid << 32 | key->gid) ^ key->flow * 11 ^ key->filter;
	struct place *bucket, *place = NULL;

	h = (h ^ h >> 31) * 0x9e3779b97f4a7c15U;
	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9U;
	bucket = &counts->places[((h >> 32) & counts->mask) * WAYS];
	for (int i = 0; i < WAYS; i++)
		if (same(&bucket[i], key)) {
			if (!over(&bucket[i], now))
				return &bucket[i];
			place = &bucket[i];
			break;
		}
	for (int i = 0; !place && i < WAYS; i++)
		if (over(&bucket[i], now))
			place = &bucket[i];
	if (!place) {
		place = bucket;
		for (int i = 1; i < WAYS; i++)
			if (bucket[i].begin < place->begin)
				place = &bucket[i];
		counts->lost++;
	}
	*place = *key;
	place->used = true;
	place->begin = now;
	return place;
}

static uint32_t count(struct rule_counts *counts, const struct rule *rule,
	const struct rule_threshold *threshold, struct addr src, struct addr dst, uint64_t flow,
	uint64_t now)
{
	struct place key = key_of(rule, threshold, src, dst, flow);
	struct place *place = place_of(counts, &key, now);

	place->count += place->count < UINT32_MAX;
	if (threshold->type == RULE_THRESHOLD_THRESHOLD && place->count >= threshold->count) {
		place->used = false; /* the next one begins anew */
		return threshold->count;
	}
	return place->count;
}

struct rule_count_verdict rule_count(struct rule_counts *counts, const struct rule *rule,
	struct addr src, struct addr dst, uint64_t flow, uint64_t now_s)
{
	const struct rule_threshold *threshold = &rule->threshold;
	struct rule_count_verdict verdict = {true, true};
	uint32_t n;

	if (rule->filter.type &&
		count(counts, rule, &rule->filter, src, dst, flow, now_s) <= rule->filter.count)
		return (struct rule_count_verdict){false, false};
	if (!threshold->type)
		return verdict;
	n = count(counts, rule, threshold, src, dst, flow, now_s);
	if (threshold->type == RULE_THRESHOLD_LIMIT)
		verdict.alerts = n <= threshold->count;
	else
		verdict.alerts = n == threshold->count;
	return verdict;
}
