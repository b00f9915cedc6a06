#include "rule_bits.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 8 /* places where a bit of addresses can be */

/* id with the addresses that it is about; both for a pair, the lower first. */
struct place {
	struct addr a, b;
	uint64_t until; /* seconds; 0: empty */
	uint64_t since;
	uint16_t id;
	uint8_t scope;
};

struct rule_xbits {
	uint64_t lost;
	uint32_t mask; /* of buckets */
	struct place places[];
};

static int place_of(const struct rule_flow_bits *bits, uint16_t id)
{
	for (int i = 0; i < bits->n; i++)
		if (bits->ids[i] == id)
			return i;
	return -1;
}

bool rule_flow_bits_has(const struct rule_flow_bits *bits, uint16_t id)
{
	return place_of(bits, id) >= 0;
}

static void remove_at(struct rule_flow_bits *bits, int i)
{
	memmove(&bits->ids[i], &bits->ids[i + 1], (size_t)(bits->n - i - 1) * sizeof(*bits->ids));
	bits->n--;
}

void rule_flow_bits_set(struct rule_flow_bits *bits, uint16_t id)
{
	if (rule_flow_bits_has(bits, id))
		return;
	if (bits->n == RULE_FLOW_BITS) {
		remove_at(bits, 0);
		bits->lost += bits->lost < UINT16_MAX;
	}
	bits->ids[bits->n++] = id;
}

void rule_flow_bits_unset(struct rule_flow_bits *bits, uint16_t id)
{
	int i = place_of(bits, id);

	if (i >= 0)
		remove_at(bits, i);
}

struct rule_xbits *rule_xbits_create(uint32_t max)
{
	uint32_t buckets = 1;
	struct rule_xbits *xbits;

	while (buckets < (1U << 24) && buckets * WAYS < max)
		buckets *= 2;
	xbits = calloc(1, sizeof(*xbits) + (size_t)buckets * WAYS * sizeof(*xbits->places));
	if (xbits)
		xbits->mask = buckets - 1;
	return xbits;
}

void rule_xbits_free(struct rule_xbits *xbits)
{
	free(xbits);
}

uint64_t rule_xbits_lost(const struct rule_xbits *xbits)
{
	return xbits->lost;
}

static struct place key_of(
	const struct rule_bit *bit, uint16_t id, struct addr src, struct addr dst)
{
	struct place key = {.id = id, .scope = (uint8_t)bit->scope};

	if (bit->scope == RULE_BIT_PAIR) {
		bool turned = addr_less(dst, src);

		key.a = turned ? dst : src;
		key.b = turned ? src : dst;
	} else {
		key.a = bit->scope == RULE_BIT_SRC ? src : dst;
		key.scope = RULE_BIT_SRC; /* of an address: the same bit, whichever side it is on */
	}
	return key;
}

static struct place *bucket_of(struct rule_xbits *xbits, const struct place *key)
{
	uint64_t h = key->a.low ^ key->a.high * 3 ^ key->b.low * 5 ^ key->b.high * 7 ^
		     (uint64_t)key->id << 40 ^ (uint64_t)key->scope << 60;

	h = (h ^ h >> 31) * 0x9e3779b97f4a7c15U;
	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9U;
	return &xbits->places[((h >> 32) & xbits->mask) * WAYS];
}

static struct place *find(struct rule_xbits *xbits, const struct place *key, uint64_t now)
{
	struct place *bucket = bucket_of(xbits, key);

	for (int i = 0; i < WAYS; i++)
		if (bucket[i].until > now && bucket[i].id == key->id &&
			bucket[i].scope == key->scope && addr_equal(bucket[i].a, key->a) &&
			addr_equal(bucket[i].b, key->b))
			return &bucket[i];
	return NULL;
}

static void set(struct rule_xbits *xbits, struct place *key, uint64_t now, uint32_t seconds)
{
	struct place *place = find(xbits, key, now), *bucket = bucket_of(xbits, key);

	for (int i = 0; !place && i < WAYS; i++)
		if (bucket[i].until <= now)
			place = &bucket[i];
	if (!place) {
		place = bucket;
		for (int i = 1; i < WAYS; i++)
			if (bucket[i].since < place->since)
				place = &bucket[i];
		xbits->lost++;
	}
	key->since = now;
	key->until = seconds ? now + seconds : UINT64_MAX;
	*place = *key;
}

static bool is_set(const struct rule_bit *bit, uint16_t id, const struct rule_flow_bits *flow,
	struct rule_xbits *xbits, struct addr src, struct addr dst, uint64_t now)
{
	struct place key;

	if (bit->scope == RULE_BIT_FLOW)
		return rule_flow_bits_has(flow, id);
	key = key_of(bit, id, src, dst);
	return xbits && find(xbits, &key, now);
}

bool rule_bits_allow(const struct rule *rule, const struct rule_flow_bits *flow,
	struct rule_xbits *xbits, struct addr src, struct addr dst, uint64_t now_s)
{
	for (unsigned i = 0; i < rule->n_bits; i++) {
		const struct rule_bit *bit = &rule->bits[i];
		bool want = bit->command == RULE_BIT_ISSET, any = false;

		if (!want && bit->command != RULE_BIT_ISNOTSET)
			continue;
		for (unsigned k = 0; k < bit->n && !any; k++)
			any = is_set(bit, bit->names[k], flow, xbits, src, dst, now_s) == want;
		if (!any)
			return false;
	}
	return true;
}

static void apply(const struct rule_bit *bit, uint16_t id, struct rule_flow_bits *flow,
	struct rule_xbits *xbits, struct addr src, struct addr dst, uint64_t now)
{
	bool on = bit->command == RULE_BIT_SET ||
		  (bit->command == RULE_BIT_TOGGLE && !is_set(bit, id, flow, xbits, src, dst, now));
	struct place key, *place;

	if (bit->scope == RULE_BIT_FLOW) {
		if (on)
			rule_flow_bits_set(flow, id);
		else
			rule_flow_bits_unset(flow, id);
		return;
	}
	if (!xbits)
		return;
	key = key_of(bit, id, src, dst);
	if (on) {
		set(xbits, &key, now, bit->seconds);
		return;
	}
	place = find(xbits, &key, now);
	if (place)
		place->until = 0;
}

void rule_bits_apply(const struct rule *rule, struct rule_flow_bits *flow, struct rule_xbits *xbits,
	struct addr src, struct addr dst, uint64_t now_s)
{
	for (unsigned i = 0; i < rule->n_bits; i++) {
		const struct rule_bit *bit = &rule->bits[i];

		if (bit->command != RULE_BIT_ISSET && bit->command != RULE_BIT_ISNOTSET)
			for (unsigned k = 0; k < bit->n; k++)
				apply(bit, bit->names[k], flow, xbits, src, dst, now_s);
	}
}
