#include "rule_arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 65536

struct rule_arena_block {
	struct rule_arena_block *before;
	size_t used, size;
	alignas(max_align_t) char bytes[];
};

void *rule_arena_alloc(struct rule_arena *arena, size_t size)
{
	struct rule_arena_block *block = arena->last;
	void *given;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!block || block->size - block->used < size) {
		size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;

		block = malloc(sizeof(*block) + room);
		if (!block)
			return NULL;
		*block = (struct rule_arena_block){.before = arena->last, .size = room};
		arena->last = block;
		arena->bytes += sizeof(*block) + room;
	}
	given = block->bytes + block->used;
	block->used += size;
	return memset(given, 0, size);
}

char *rule_arena_text(struct rule_arena *arena, const void *bytes, size_t size)
{
	char *text = rule_arena_alloc(arena, size + 1);

	if (text && size > 0)
		memcpy(text, bytes, size);
	return text;
}

static void drop_last(struct rule_arena *arena)
{
	struct rule_arena_block *block = arena->last;

	arena->last = block->before;
	arena->bytes -= sizeof(*block) + block->size;
	free(block);
}

void rule_arena_free(struct rule_arena *arena)
{
	while (arena->last)
		drop_last(arena);
}

struct rule_arena_mark rule_arena_mark(const struct rule_arena *arena)
{
	return (struct rule_arena_mark){arena->last, arena->last ? arena->last->used : 0};
}

void rule_arena_roll_back(struct rule_arena *arena, struct rule_arena_mark mark)
{
	while (arena->last != mark.block)
		drop_last(arena);
	if (arena->last)
		arena->last->used = mark.used;
}
