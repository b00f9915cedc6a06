#include "rule_names.h"

#include <stdlib.h>
#include <string.h>

#include "rule_arena.h"

struct rule_names {
	struct rule_arena arena;
	uint16_t n, max;
	uint32_t mask;
	uint16_t *slots; /* open addressing; RULE_NO_NAME: empty */
	const char *texts[];
};

static uint32_t hash(const char *name, size_t n)
{
	uint32_t h = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619U;
	return h;
}

struct rule_names *rule_names_create(uint16_t max)
{
	struct rule_names *names;
	uint32_t size = 16;

	if (max == RULE_NO_NAME)
		max--;
	while (size < 2U * max)
		size *= 2;
	names = calloc(1, sizeof(*names) + max * sizeof(*names->texts));
	if (!names)
		return NULL;
	names->slots = malloc(size * sizeof(*names->slots));
	if (!names->slots) {
		free(names);
		return NULL;
	}
	memset(names->slots, 0xff, size * sizeof(*names->slots));
	names->max = max;
	names->mask = size - 1;
	return names;
}

void rule_names_free(struct rule_names *names)
{
	if (!names)
		return;
	rule_arena_free(&names->arena);
	free(names->slots);
	free(names);
}

/* The slot where the name is, or an empty one: half of them always are. */
static uint16_t *slot_of(const struct rule_names *names, const char *name, size_t n)
{
	for (uint32_t i = hash(name, n);; i++) {
		uint16_t *slot = &names->slots[i & names->mask];

		if (*slot == RULE_NO_NAME || (strlen(names->texts[*slot]) == n &&
						     memcmp(names->texts[*slot], name, n) == 0))
			return slot;
	}
}

uint16_t rule_names_find(const struct rule_names *names, const char *name, size_t n)
{
	return *slot_of(names, name, n);
}

uint16_t rule_names_add(struct rule_names *names, const char *name, size_t n)
{
	uint16_t *slot = slot_of(names, name, n);

	if (*slot != RULE_NO_NAME)
		return *slot;
	if (names->n == names->max || memchr(name, 0, n) != NULL)
		return RULE_NO_NAME;
	names->texts[names->n] = rule_arena_text(&names->arena, name, n);
	if (!names->texts[names->n])
		return RULE_NO_NAME;
	*slot = names->n;
	return names->n++;
}

const char *rule_names_text(const struct rule_names *names, uint16_t id)
{
	return id < names->n ? names->texts[id] : NULL;
}

uint16_t rule_names_count(const struct rule_names *names)
{
	return names->n;
}
