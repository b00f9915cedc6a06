/*
 * Memory that is given back all at once: everything a ruleset is made of. What a refused rule took
 * is rolled back to a mark. One thread at a time. No DPDK.
 */
#ifndef VS_RULE_ARENA_H
#define VS_RULE_ARENA_H

#include <stddef.h>

struct rule_arena_block;

struct rule_arena {
	struct rule_arena_block *last;
	size_t bytes; /* taken from the system */
};

struct rule_arena_mark {
	struct rule_arena_block *block;
	size_t used;
};

/* Zeroed and aligned for any type. NULL: out of memory. arena starts as all zeros. */
void *rule_arena_alloc(struct rule_arena *arena, size_t size);
/* A copy of size bytes, with a zero behind it. NULL: out of memory. */
char *rule_arena_text(struct rule_arena *arena, const void *bytes, size_t size);
void rule_arena_free(struct rule_arena *arena);

/* What was taken after the mark is given back; pointers into it are dead. */
struct rule_arena_mark rule_arena_mark(const struct rule_arena *arena);
void rule_arena_roll_back(struct rule_arena *arena, struct rule_arena_mark mark);

#endif
