#include "fanout_targets.h"

#include <rte_jhash.h>

void fanout_targets_init(struct fanout_targets *targets, uint32_t seed)
{
	for (unsigned i = 0; i < FANOUT_TARGETS; i++)
		targets->all[i] = (struct fanout_target){
			.newer = i + 1 < FANOUT_TARGETS ? i + 1 : FANOUT_NIL};
	for (unsigned i = 0; i < FANOUT_CHAINS; i++)
		targets->chains[i] = FANOUT_NIL;
	for (unsigned i = 0; i < FANOUT_KINDS; i++)
		targets->lists[i] = (struct fanout_list){FANOUT_NIL, FANOUT_NIL, 0};
	targets->free = 0;
	targets->unresolved = 0;
	targets->seed = seed;
}

bool fanout_targets_empty(const struct fanout_targets *targets)
{
	for (unsigned i = 0; i < FANOUT_KINDS; i++)
		if (targets->lists[i].count > 0)
			return false;
	return true;
}

static uint16_t *chain_of(struct fanout_targets *targets, struct addr addr)
{
	uint32_t hash = rte_jhash_32b((const uint32_t *)&addr, sizeof(addr) / 4, targets->seed);

	return &targets->chains[hash % FANOUT_CHAINS];
}

struct fanout_target *fanout_target_find(struct fanout_targets *targets, struct addr addr)
{
	for (uint16_t i = *chain_of(targets, addr); i != FANOUT_NIL; i = targets->all[i].chain)
		if (addr_equal(targets->all[i].addr, addr))
			return &targets->all[i];
	return NULL;
}

static bool is_unresolved(const struct fanout_target *target)
{
	return target->kind == FANOUT_FAILED && !target->service;
}

static void leave(struct fanout_targets *targets, const struct fanout_target *target)
{
	struct fanout_list *list = &targets->lists[target->kind];

	if (target->older != FANOUT_NIL)
		targets->all[target->older].newer = target->newer;
	else
		list->oldest = target->newer;
	if (target->newer != FANOUT_NIL)
		targets->all[target->newer].older = target->older;
	else
		list->newest = target->older;
	list->count--;
	targets->unresolved -= is_unresolved(target);
}

static void enter(struct fanout_targets *targets, struct fanout_target *target,
	enum fanout_kind kind, uint64_t now)
{
	struct fanout_list *list = &targets->lists[kind];
	uint16_t index = target - targets->all;

	target->kind = kind;
	target->since = now;
	target->older = list->newest;
	target->newer = FANOUT_NIL;
	if (list->newest != FANOUT_NIL)
		targets->all[list->newest].newer = index;
	else
		list->oldest = index;
	list->newest = index;
	list->count++;
	targets->unresolved += is_unresolved(target);
}

/* Makes room for one of a kind where there is none. */
static bool give_way(struct fanout_targets *targets, enum fanout_kind kind)
{
	static const uint8_t order[] = {FANOUT_OPEN, FANOUT_LOOKING, FANOUT_TRYING, FANOUT_FAILED};
	static const uint8_t n[FANOUT_KINDS] = {
		[FANOUT_LOOKING] = 1, [FANOUT_TRYING] = 2, [FANOUT_MARKED] = 4};

	for (unsigned i = 0; i < n[kind]; i++) {
		const struct fanout_list *list = &targets->lists[order[i]];
		/* Of those that wait the newest, so that none is kept from its deadline. */
		bool waits = order[i] == FANOUT_LOOKING || order[i] == FANOUT_TRYING;

		if (list->count == 0)
			continue;
		fanout_target_drop(targets, &targets->all[waits ? list->newest : list->oldest]);
		return true;
	}
	return false;
}

struct fanout_target *fanout_target_add(
	struct fanout_targets *targets, struct addr addr, enum fanout_kind kind, uint64_t now)
{
	struct fanout_target *target;
	uint16_t *chain = chain_of(targets, addr);

	if (targets->free == FANOUT_NIL && !give_way(targets, kind))
		return NULL;
	target = &targets->all[targets->free];
	targets->free = target->newer;
	*target = (struct fanout_target){
		.addr = addr, .chain = *chain, .service = kind != FANOUT_LOOKING};
	*chain = target - targets->all;
	enter(targets, target, kind, now);
	return target;
}

void fanout_target_drop(struct fanout_targets *targets, struct fanout_target *target)
{
	uint16_t index = target - targets->all;
	uint16_t *link = chain_of(targets, target->addr);

	leave(targets, target);
	while (*link != index)
		link = &targets->all[*link].chain;
	*link = target->chain;
	target->newer = targets->free;
	targets->free = index;
}

void fanout_target_change(struct fanout_targets *targets, struct fanout_target *target,
	enum fanout_kind kind, uint64_t now)
{
	leave(targets, target);
	enter(targets, target, kind, now);
}

void fanout_target_serves(struct fanout_targets *targets, struct fanout_target *target)
{
	targets->unresolved -= is_unresolved(target);
	target->service = true;
}
