#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule_scratch.h"

#include <hs/hs.h>
#include <pcre2.h>
#include <stdalign.h>
#include <stdlib.h>

/* Frames double from 20 KiB up to RULE_PCRE_HEAP_KIB, are kept, and fit beside one another. */
#define POOL_BYTES (1U << 20)

struct rule_scratch_pool {
	size_t used;
	alignas(max_align_t) char bytes[POOL_BYTES];
};

static void *pool_alloc(size_t size, void *arg)
{
	struct rule_scratch_pool *pool = arg;
	void *given = pool->bytes + pool->used;

	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (size > POOL_BYTES - pool->used)
		return NULL;
	pool->used += size;
	return given;
}

static void pool_free(void *given, void *arg)
{
	(void)given;
	(void)arg;
}

static bool set_up_pcre(struct rule_scratch *scratch)
{
	pcre2_general_context *general = pcre2_general_context_create(
		pool_alloc, pool_free, scratch->pool);
	pcre2_match_context *context;

	if (!general)
		return false;
	context = pcre2_match_context_create(general);
	scratch->pcre_context = context;
	scratch->pcre_data = pcre2_match_data_create(1, general);
	if (!context || !scratch->pcre_data)
		return false;
	pcre2_set_match_limit(context, RULE_PCRE_MATCH_LIMIT);
	pcre2_set_depth_limit(context, RULE_PCRE_DEPTH_LIMIT);
	pcre2_set_heap_limit(context, RULE_PCRE_HEAP_KIB);
	return true;
}

struct rule_scratch *rule_scratch_create(struct hs_scratch *hs)
{
	struct rule_scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch) {
		hs_free_scratch(hs);
		return NULL;
	}
	scratch->hs = hs;
	scratch->pool = malloc(sizeof(*scratch->pool));
	if (!scratch->pool) {
		rule_scratch_free(scratch);
		return NULL;
	}
	scratch->pool->used = 0;
	if (!set_up_pcre(scratch)) {
		rule_scratch_free(scratch);
		return NULL;
	}
	return scratch;
}

void rule_scratch_free(struct rule_scratch *scratch)
{
	if (!scratch)
		return;
	hs_free_scratch(scratch->hs);
	free(scratch->pool); /* with all that PCRE2 has */
	free(scratch);
}
