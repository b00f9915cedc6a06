/*
 * Rules of a record or track that have no final answer yet, in their order. For each is known,
 * where there is one, a content that it cannot do without and that has not come: until it is in the
 * bytes that are new, the rule need not be looked at. So one that waits costs a search of what is
 * new, and not of all that is kept.
 */
#ifndef VS_DETECT_PENDING_H
#define VS_DETECT_PENDING_H

#include "detect.h"

/* Where the rule is or belongs. */
unsigned detect_pending_place(const struct detect_pending *list, uint32_t rule);

static inline bool detect_pending_has(
	const struct detect_pending *list, unsigned place, uint32_t rule)
{
	return place < list->n && list->waiting[place].rule == rule;
}

/* Only while n < DETECT_PENDING. */
void detect_pending_insert(struct detect_pending *list, unsigned place, uint32_t rule, bool done);

/*
 * Whether the rule still lacks what it lacked when it was blocked; buffer is its list's. Takes off
 * steps what it searched.
 */
bool detect_pending_blocked(struct detect_waiting *waiting, const struct rule *rule,
	enum rule_buffer buffer, const struct rule_input *input, int64_t *steps);

/* It must wait: for a content that is nowhere in buffer so far, where there is such. */
void detect_pending_block(struct detect_waiting *waiting, const struct rule *rule,
	enum rule_buffer buffer, const struct rule_input *input, int64_t *steps);

#endif
