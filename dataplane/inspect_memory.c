#include "inspect_memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "counters.h"

/* Free blocks of one kind: a stack, so that what was given last, and is in the cache, goes first.
 */
struct stack {
	void **free; /* the lower n_free of count */
	uint32_t n_free, count;
	uint32_t size; /* of a block, in whole cache lines */
	_Atomic uint32_t used; /* for who reads from another thread */
	_Atomic uint64_t refused;
	void *region;
};

struct inspect_memory {
	struct stack kinds[INSPECT_BLOCKS];
};

static bool create_stack(struct stack *stack, uint32_t count, size_t size)
{
	size = RTE_ALIGN_CEIL(size, (size_t)RTE_CACHE_LINE_SIZE);
	stack->count = stack->n_free = count;
	stack->size = (uint32_t)size;
	if (count == 0)
		return true;
	stack->free = rte_malloc("inspect_free", count * sizeof(*stack->free), RTE_CACHE_LINE_SIZE);
	stack->region = rte_malloc("inspect_blocks", count * size, RTE_CACHE_LINE_SIZE);
	if (stack->free == NULL || stack->region == NULL)
		return false;
	memset(stack->region, 0, count * size);
	for (uint32_t i = 0; i < count; i++)
		stack->free[i] = (uint8_t *)stack->region + (count - 1 - i) * size;
	return true;
}

struct inspect_memory *inspect_memory_create(
	const uint32_t counts[INSPECT_BLOCKS], size_t flow_size)
{
	const size_t sizes[INSPECT_BLOCKS] = {
		[INSPECT_PAGE] = INSPECT_PAGE_SIZE,
		[INSPECT_SMALL] = INSPECT_SMALL_SIZE,
		[INSPECT_LARGE] = INSPECT_LARGE_SIZE,
		[INSPECT_FLOW] = flow_size,
	};
	struct inspect_memory *memory = rte_zmalloc(
		"inspect_memory", sizeof(*memory), RTE_CACHE_LINE_SIZE);

	if (memory == NULL)
		return NULL;
	for (unsigned i = 0; i < INSPECT_BLOCKS; i++) {
		if (!create_stack(&memory->kinds[i], counts[i], sizes[i])) {
			inspect_memory_free(memory);
			return NULL;
		}
	}
	return memory;
}

void inspect_memory_free(struct inspect_memory *memory)
{
	if (memory == NULL)
		return;
	for (unsigned i = 0; i < INSPECT_BLOCKS; i++) {
		rte_free(memory->kinds[i].free);
		rte_free(memory->kinds[i].region);
	}
	rte_free(memory);
}

/* Only the owner writes, so there is nothing to be atomic about but the store. */
static inline void tell_used(struct stack *stack)
{
	atomic_store_explicit(&stack->used, stack->count - stack->n_free, memory_order_relaxed);
}

static void *refuse(struct stack *stack)
{
	uint64_t refused = atomic_load_explicit(&stack->refused, memory_order_relaxed);

	atomic_store_explicit(&stack->refused, refused + 1, memory_order_relaxed);
	return NULL;
}

void *inspect_take(
	struct inspect_memory *memory, struct inspect_account *account, enum inspect_block kind)
{
	struct stack *stack = &memory->kinds[kind];
	void *block;

	if (account->used + stack->size > account->max) {
		counter_add(&account->refused, 1);
		return NULL;
	}
	if (stack->n_free == 0)
		return refuse(stack);
	block = stack->free[--stack->n_free];
	account->used += stack->size;
	tell_used(stack);
	return block;
}

void inspect_give(struct inspect_memory *memory, struct inspect_account *account,
	enum inspect_block kind, void *block)
{
	struct stack *stack = &memory->kinds[kind];

	stack->free[stack->n_free++] = block;
	account->used -= stack->size;
	tell_used(stack);
}

uint32_t inspect_memory_used(const struct inspect_memory *memory, enum inspect_block kind)
{
	return atomic_load_explicit(&memory->kinds[kind].used, memory_order_relaxed);
}

uint32_t inspect_memory_count(const struct inspect_memory *memory, enum inspect_block kind)
{
	return memory->kinds[kind].count;
}

uint64_t inspect_memory_refused(const struct inspect_memory *memory, enum inspect_block kind)
{
	return atomic_load_explicit(&memory->kinds[kind].refused, memory_order_relaxed);
}
