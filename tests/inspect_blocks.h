/*
 * inspect_memory.h with a heap block of just its size for each that is taken, so that ASan sees who
 * reads or writes beyond one, or after it was given back. Takes the place of the library's; needs
 * no EAL. Include in one file of a program.
 */
#ifndef VS_INSPECT_BLOCKS_H
#define VS_INSPECT_BLOCKS_H

#include <stdlib.h>
#include <string.h>

#include "inspect_memory.h"

struct inspect_memory {
	uint32_t counts[INSPECT_BLOCKS], used[INSPECT_BLOCKS];
	uint64_t refused[INSPECT_BLOCKS];
	size_t sizes[INSPECT_BLOCKS];
};

struct inspect_memory *inspect_memory_create(
	const uint32_t counts[INSPECT_BLOCKS], size_t flow_size)
{
	struct inspect_memory *memory = calloc(1, sizeof(*memory));

	if (memory) {
		memcpy(memory->counts, counts, sizeof(memory->counts));
		memory->sizes[INSPECT_PAGE] = INSPECT_PAGE_SIZE;
		memory->sizes[INSPECT_SMALL] = INSPECT_SMALL_SIZE;
		memory->sizes[INSPECT_LARGE] = INSPECT_LARGE_SIZE;
		memory->sizes[INSPECT_FLOW] = flow_size;
	}
	return memory;
}

void inspect_memory_free(struct inspect_memory *memory)
{
	free(memory);
}

void *inspect_take(
	struct inspect_memory *memory, struct inspect_account *account, enum inspect_block kind)
{
	void *block;

	if (account->used + memory->sizes[kind] > account->max) {
		account->refused++;
		return NULL;
	}
	if (memory->used[kind] == memory->counts[kind]) {
		memory->refused[kind]++;
		return NULL;
	}
	block = malloc(memory->sizes[kind]);
	if (!block)
		abort();
	memset(block, 0xa5, memory->sizes[kind]);
	account->used += memory->sizes[kind];
	memory->used[kind]++;
	return block;
}

void inspect_give(struct inspect_memory *memory, struct inspect_account *account,
	enum inspect_block kind, void *block)
{
	account->used -= memory->sizes[kind];
	memory->used[kind]--;
	free(block);
}

uint32_t inspect_memory_used(const struct inspect_memory *memory, enum inspect_block kind)
{
	return memory->used[kind];
}

uint32_t inspect_memory_count(const struct inspect_memory *memory, enum inspect_block kind)
{
	return memory->counts[kind];
}

uint64_t inspect_memory_refused(const struct inspect_memory *memory, enum inspect_block kind)
{
	return memory->refused[kind];
}

#endif
