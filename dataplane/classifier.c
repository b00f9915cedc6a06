#include "classifier.h"

#include <stdbool.h>
#include <stdlib.h>

#include "bit_pages.h"
#include "rule_sets.h"
#include "span_map.h"

#define PAGES_MAX (CLASSIFIER_RULES_MAX / BIT_PAGE_BITS)

struct classifier {
	unsigned n_pages; /* of a row */
	bool any_local; /* no rule asks for a local address */
	struct span_map *services, *remotes, *locals; /* to numbers of rows */
	struct rule_sets *remote_sets, *local_sets;
	struct bit_pages *store;
	const struct bit_page *pages; /* of store */
	const uint32_t *rows;
};

/* What a rule says about one end. */
struct condition {
	const struct addr_span *spans;
	unsigned n;
	uint16_t set;
};

enum end { REMOTE, LOCAL };

static struct condition condition(const struct classifier_rule *rule, enum end end)
{
	return end == REMOTE ? (struct condition){rule->remotes, rule->n_remotes, rule->remote_set}
			     : (struct condition){rule->locals, rule->n_locals, rule->local_set};
}

static struct addr service_number(uint32_t service)
{
	return (struct addr){.low = service};
}

static struct span_map *map_services(
	struct bit_pages *store, const struct classifier_rule *rules, unsigned n)
{
	struct span_bit *spans, *to;
	struct span_map *map;
	size_t count = 0;

	for (unsigned i = 0; i < n; i++)
		count += rules[i].n_services;
	if (count > CLASSIFIER_SPANS_MAX)
		return NULL;
	to = spans = calloc(count + 1, sizeof(*spans));
	if (spans == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		if (rules[i].n_services == 0)
			bit_pages_set(store, i, true);
		for (unsigned s = 0; s < rules[i].n_services; s++) {
			struct service_span span = rules[i].services[s];

			*to++ = (struct span_bit){
				{service_number(span.first), service_number(span.last)}, i};
		}
	}
	map = span_map_create(spans, (unsigned)count, n, store);
	free(spans);
	bit_pages_clear(store);
	return map;
}

static struct span_map *map_addresses(
	struct bit_pages *store, const struct classifier_rule *rules, unsigned n, enum end end)
{
	struct span_bit *spans, *to;
	struct span_map *map;
	size_t count = 0;

	for (unsigned i = 0; i < n; i++)
		count += condition(&rules[i], end).n;
	if (count > CLASSIFIER_SPANS_MAX)
		return NULL;
	to = spans = calloc(count + 1, sizeof(*spans));
	if (spans == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		struct condition c = condition(&rules[i], end);

		if (c.n == 0 && c.set == NO_SET)
			bit_pages_set(store, i, true);
		for (unsigned s = 0; s < c.n; s++)
			*to++ = (struct span_bit){c.spans[s], i};
	}
	map = span_map_create(spans, (unsigned)count, n, store);
	free(spans);
	bit_pages_clear(store);
	return map;
}

static struct rule_sets *map_sets(
	struct bit_pages *store, const struct classifier_rule *rules, unsigned n, enum end end)
{
	struct rule_set *names = calloc((size_t)n + 1, sizeof(*names));
	struct rule_sets *sets;
	unsigned count = 0;

	if (names == NULL)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		struct condition c = condition(&rules[i], end);

		if (c.set != NO_SET)
			names[count++] = (struct rule_set){c.set, (uint16_t)i};
	}
	sets = rule_sets_create(names, count, store);
	free(names);
	return sets;
}

static bool all_any(const struct classifier_rule *rules, unsigned n, enum end end)
{
	for (unsigned i = 0; i < n; i++) {
		struct condition c = condition(&rules[i], end);

		if (c.n != 0 || c.set != NO_SET)
			return false;
	}
	return true;
}

static bool build(struct classifier *c, const struct classifier_rule *rules, unsigned n)
{
	c->store = bit_pages_create(n);
	if (c->store == NULL)
		return false;
	c->services = map_services(c->store, rules, n);
	if (c->services == NULL)
		return false;
	c->remotes = map_addresses(c->store, rules, n, REMOTE);
	if (c->remotes == NULL)
		return false;
	c->remote_sets = map_sets(c->store, rules, n, REMOTE);
	if (c->remote_sets == NULL)
		return false;
	c->any_local = all_any(rules, n, LOCAL);
	if (c->any_local)
		return true;
	c->locals = map_addresses(c->store, rules, n, LOCAL);
	if (c->locals == NULL)
		return false;
	c->local_sets = map_sets(c->store, rules, n, LOCAL);
	return c->local_sets != NULL;
}

struct classifier *classifier_create(const struct classifier_rule *rules, unsigned n)
{
	struct classifier *c;

	if (n > CLASSIFIER_RULES_MAX)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	if (!build(c, rules, n)) {
		classifier_free(c);
		return NULL;
	}
	bit_pages_seal(c->store);
	c->n_pages = bit_pages_row_pages(c->store);
	c->pages = bit_pages_pages(c->store);
	c->rows = bit_pages_rows(c->store);
	return c;
}

void classifier_free(struct classifier *c)
{
	if (c == NULL)
		return;
	span_map_free(c->services);
	span_map_free(c->remotes);
	span_map_free(c->locals);
	rule_sets_free(c->remote_sets);
	rule_sets_free(c->local_sets);
	bit_pages_free(c->store);
	free(c);
}

static const uint32_t *row(
	const struct classifier *c, const struct span_map *map, struct addr number)
{
	return c->rows + (size_t)span_map_find(map, number) * c->n_pages;
}

/* Leaves in match what is in page or, where there is one, in more. False: nothing. */
static inline bool narrow(
	struct bit_page *match, const struct bit_page *page, const struct bit_page *more)
{
	uint64_t any = 0;

	if (more != NULL) {
		for (unsigned i = 0; i < BIT_PAGE_WORDS; i++)
			any |= match->words[i] &= page->words[i] | more->words[i];
	} else {
		for (unsigned i = 0; i < BIT_PAGE_WORDS; i++)
			any |= match->words[i] &= page->words[i];
	}
	return any != 0;
}

/* One is set. */
static int first_bit(const struct bit_page *page)
{
	unsigned i = 0;

	while (page->words[i] == 0)
		i++;
	return (int)(i * 64) + __builtin_ctzll(page->words[i]);
}

static inline bool is_empty(const uint32_t *pages, unsigned n)
{
	uint32_t any = 0;

	for (unsigned i = 0; i < n; i++)
		any |= pages[i];
	return any == 0;
}

int classifier_match(const struct classifier *c, const struct classifier_query *query)
{
	struct bit_page of_remote_sets[PAGES_MAX], of_local_sets[PAGES_MAX], match;
	const uint32_t *services = row(c, c->services, service_number(query->service));
	const uint32_t *remotes = row(c, c->remotes, query->remote);
	const uint32_t *locals = c->any_local ? NULL : row(c, c->locals, query->local);
	bool by_remote_set, by_local_set;

	if (is_empty(services, c->n_pages))
		return -1;
	by_remote_set = rule_sets_collect(
		c->remote_sets, query->remote_sets, c->pages, services, c->n_pages, of_remote_sets);
	by_local_set = !c->any_local && rule_sets_collect(c->local_sets, query->local_sets,
						c->pages, services, c->n_pages, of_local_sets);
	for (unsigned p = 0; p < c->n_pages; p++) {
		if (services[p] == 0 || (remotes[p] == 0 && !by_remote_set) ||
			(locals != NULL && locals[p] == 0 && !by_local_set))
			continue;
		match = c->pages[services[p]];
		if (narrow(&match, &c->pages[remotes[p]],
			    by_remote_set ? &of_remote_sets[p] : NULL) &&
			(locals == NULL || narrow(&match, &c->pages[locals[p]],
						   by_local_set ? &of_local_sets[p] : NULL)))
			return (int)(p * BIT_PAGE_BITS) + first_bit(&match);
	}
	return -1;
}

size_t classifier_size(const struct classifier *c)
{
	size_t size = sizeof(*c) + bit_pages_size(c->store) + span_map_size(c->services) +
		      span_map_size(c->remotes) + rule_sets_size(c->remote_sets);

	if (!c->any_local)
		size += span_map_size(c->locals) + rule_sets_size(c->local_sets);
	return size;
}
