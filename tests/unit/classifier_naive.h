/*
 * What a classifier and a set index must answer, straight from the meaning: one rule after the
 * other, one span after the other. Shares no code with either; for tests and fuzz targets.
 */
#ifndef VS_CLASSIFIER_NAIVE_H
#define VS_CLASSIFIER_NAIVE_H

#include <stdbool.h>

#include "classifier.h"

static inline bool naive_in_span(struct addr a, const struct addr_span *span)
{
	unsigned __int128 first = (unsigned __int128)span->first.high << 64 | span->first.low;
	unsigned __int128 last = (unsigned __int128)span->last.high << 64 | span->last.low;
	unsigned __int128 number = (unsigned __int128)a.high << 64 | a.low;

	return first <= number && number <= last;
}

static inline bool naive_in_set(
	struct addr a, uint16_t set, const struct set_member *members, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (members[i].set == set && naive_in_span(a, &members[i].span))
			return true;
	}
	return false;
}

static inline bool naive_end(struct addr a, const struct addr_span *spans, unsigned n, uint16_t set,
	const struct set_member *members, unsigned n_members)
{
	if (n == 0 && set == NO_SET)
		return true;
	for (unsigned i = 0; i < n; i++) {
		if (naive_in_span(a, &spans[i]))
			return true;
	}
	return set != NO_SET && naive_in_set(a, set, members, n_members);
}

static inline bool naive_service(uint32_t service, const struct service_span *spans, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (spans[i].first <= service && service <= spans[i].last)
			return true;
	}
	return n == 0;
}

/* members: of all sets; the query's lists are not looked at. */
static inline int naive_match(const struct classifier_rule *rules, unsigned n,
	const struct classifier_query *query, const struct set_member *members, unsigned n_members)
{
	for (unsigned i = 0; i < n; i++) {
		const struct classifier_rule *r = &rules[i];

		if (naive_service(query->service, r->services, r->n_services) &&
			naive_end(query->remote, r->remotes, r->n_remotes, r->remote_set, members,
				n_members) &&
			naive_end(query->local, r->locals, r->n_locals, r->local_set, members,
				n_members))
			return (int)i;
	}
	return -1;
}

/* list is what it must be for a: the sets that have it, all of them, and rising. */
static inline bool naive_list_is(
	const struct set_list *list, struct addr a, const struct set_member *members, unsigned n)
{
	unsigned n_ids = list != NULL ? list->n : 0;

	if (list != NULL && list->n == 0)
		return false;
	for (unsigned i = 0; i < n_ids; i++) {
		if ((i > 0 && list->ids[i] <= list->ids[i - 1]) ||
			!naive_in_set(a, list->ids[i], members, n))
			return false;
	}
	for (unsigned m = 0; m < n; m++) {
		unsigned i = 0;

		if (!naive_in_span(a, &members[m].span))
			continue;
		while (i < n_ids && list->ids[i] != members[m].set)
			i++;
		if (i == n_ids)
			return false;
	}
	return true;
}

#endif
