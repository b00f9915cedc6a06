#include "ruleset_order.h"

#include <stdlib.h>

static bool asks(const struct rule_bit *bit)
{
	return bit->command == RULE_BIT_ISSET || bit->command == RULE_BIT_ISNOTSET;
}

/* One more than the latest rule that changes a bit that it asks for. */
static uint16_t stage_of(const struct rule *rule, const uint16_t *changed)
{
	uint16_t stage = 0;

	for (unsigned i = 0; i < rule->n_bits; i++)
		for (unsigned k = 0; asks(&rule->bits[i]) && k < rule->bits[i].n; k++)
			if (changed[rule->bits[i].names[k]] > stage)
				stage = changed[rule->bits[i].names[k]];
	return stage < RULESET_STAGES_MAX ? stage : RULESET_STAGES_MAX;
}

/* changed: for each bit, 1 + the latest stage of the rules that change it; 0: none does. */
static bool settle(struct rule **rules, uint32_t n, uint16_t *changed)
{
	bool moved = false;

	for (uint32_t r = 0; r < n; r++) {
		struct rule *rule = rules[r];

		rule->stage = stage_of(rule, changed);
		for (unsigned i = 0; i < rule->n_bits; i++)
			for (unsigned k = 0; !asks(&rule->bits[i]) && k < rule->bits[i].n; k++) {
				uint16_t *last = &changed[rule->bits[i].names[k]];

				if (*last < rule->stage + 1) {
					*last = (uint16_t)(rule->stage + 1);
					moved = true;
				}
			}
	}
	return moved;
}

static int compare(const void *a, const void *b)
{
	const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;

	if (x->stage != y->stage)
		return x->stage < y->stage ? -1 : 1;
	if (x->action != y->action)
		return x->action < y->action ? -1 : 1;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

bool ruleset_order(struct rule **rules, uint32_t n, uint16_t bits)
{
	uint16_t *changed = calloc((size_t)bits + 1, sizeof(*changed));

	if (!changed)
		return false;
	for (int i = 0; i <= RULESET_STAGES_MAX && settle(rules, n, changed); i++)
		;
	free(changed);
	for (uint32_t i = 0; i < n; i++)
		rules[i]->index = i;
	if (n > 0)
		qsort(rules, n, sizeof(*rules), compare);
	for (uint32_t i = 0; i < n; i++)
		rules[i]->index = i;
	return true;
}
