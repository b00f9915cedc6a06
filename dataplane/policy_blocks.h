/*
 * Emergency blocks, compiled: the tables of those that concern a port. Ports that the same blocks
 * concern share one, over tenants and policies. Counted references.
 *
 * Control thread; no DPDK.
 */
#ifndef VS_POLICY_BLOCKS_H
#define VS_POLICY_BLOCKS_H

#include "blocks.h"
#include "policy.h"
#include "policy_sets.h"
#include "policy_table.h"

/* All that there are in a policy, each once. Zero-initialised. */
struct policy_block_pool {
	struct policy_blocks **list;
	unsigned n, room;
};

/* Which blocks: those that concern a port of this name and tenant. */
struct policy_block_scope {
	const struct blocks *blocks;
	const char *tenant;
	const char *port; /* NULL: any that no block names */
	const struct policy_sets_change *sets; /* the tenant's */
};

/*
 * Their tables in *out, good as long as pool: NULL where no block concerns the port. before: the
 * last policy's, may be NULL; what is the same is shared. lines: scratch. False: out of memory.
 */
bool policy_blocks_create(const struct policy_block_scope *scope,
	const struct policy_block_pool *before, struct policy_block_pool *pool,
	struct policy_lines *lines, const struct policy_blocks **out);

void policy_block_pool_free(struct policy_block_pool *pool);

/* Whether `end` names a set or group that there is. */
bool policy_blocks_resolves(const struct block_end *end, const struct policy_sets *sets);

#endif
