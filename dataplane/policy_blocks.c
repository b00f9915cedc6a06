#include "policy_blocks.h"

#include <stdlib.h>
#include <string.h>

/* What one end of a block compiles to. */
struct end {
	unsigned n_spans;
	struct addr_span spans[2];
	uint16_t set;
};

bool policy_blocks_resolves(const struct block_end *end, const struct policy_sets *sets)
{
	return end->kind != BLOCK_NAMED || policy_sets_find(sets, end->name) != NO_SET;
}

static struct end compile_end(const struct block_end *end, const struct policy_sets *sets)
{
	struct end compiled = {.set = NO_SET};

	if (end->kind == BLOCK_SPAN)
		compiled.n_spans = policy_span_parts(end->span, compiled.spans);
	else if (end->kind == BLOCK_NAMED)
		compiled.set = policy_sets_find(sets, end->name);
	return compiled;
}

/* A block with a name that is not there matches nothing until it is back. */
static void add_block(struct policy_lines *lines, const struct block *block,
	enum policy_direction direction, const struct policy_sets *sets)
{
	struct end from = compile_end(&block->from, sets), to = compile_end(&block->to, sets);
	const struct end *remote = direction == POLICY_OUT ? &to : &from;
	const struct end *local = direction == POLICY_OUT ? &from : &to;
	bool any = block->service.first == 0 &&
		   block->service.last >= service_key(UINT8_MAX, UINT16_MAX);
	struct policy_line line = {
		.action = CONFIG_DENY,
		.remote_set = remote->set,
		.local_set = local->set,
		.n_remotes = (uint8_t)remote->n_spans,
		.n_locals = (uint8_t)local->n_spans,
		.n_services = any ? 0 : 1,
		.block = block->id,
	};

	if (policy_blocks_resolves(&block->from, sets) && policy_blocks_resolves(&block->to, sets))
		policy_lines_add(lines, &line, remote->spans, local->spans, &block->service);
}

static bool concerns(const struct block *block, const struct policy_block_scope *scope,
	enum policy_direction direction)
{
	if (block->direction == (direction == POLICY_OUT ? BLOCK_IN : BLOCK_OUT))
		return false;
	if (block->tenant[0] != '\0' && strcmp(block->tenant, scope->tenant) != 0)
		return false;
	return block->port[0] == '\0' ||
	       (scope->port != NULL && strcmp(block->port, scope->port) == 0);
}

/* Whether pool has the lines as its tables of one direction; then who has. */
static const struct policy_blocks *find_table(const struct policy_block_pool *pool,
	enum policy_direction direction, const char *tenant, const struct policy_lines *lines)
{
	for (unsigned i = 0; pool != NULL && i < pool->n; i++) {
		const struct policy_blocks *blocks = pool->list[i];
		const struct policy_table *table = blocks->tables[direction];

		if (table != NULL && table->source_len == lines->len &&
			(table->n_sets == 0 || strcmp(blocks->tenant, tenant) == 0) &&
			memcmp(table->source, lines->bytes, lines->len) == 0)
			return blocks;
	}
	return NULL;
}

/* One direction of blocks, shared with what this policy or the last one has. */
static bool make_table(struct policy_blocks *blocks, enum policy_direction direction,
	const struct policy_block_scope *scope, const struct policy_block_pool *before,
	const struct policy_block_pool *pool, struct policy_lines *lines)
{
	const struct policy_blocks *now, *old;
	const struct policy_table *table;

	policy_lines_clear(lines);
	for (unsigned i = 0; i < scope->blocks->n; i++) {
		const struct block *block = &scope->blocks->list[i];

		if (concerns(block, scope, direction))
			add_block(lines, block, direction, scope->sets->now);
	}
	now = find_table(pool, direction, scope->tenant, lines);
	old = now != NULL ? NULL : find_table(before, direction, scope->tenant, lines);
	table = now != NULL ? now->tables[direction] : old != NULL ? old->tables[direction] : NULL;
	if (!policy_table_create(lines, table, &blocks->tables[direction]))
		return false;
	table = blocks->tables[direction];
	if (now != NULL)
		blocks->version[direction] = now->version[direction];
	else if (old != NULL && !policy_sets_changed(scope->sets, table->sets, table->n_sets))
		blocks->version[direction] = old->version[direction];
	else if (table != NULL)
		blocks->version[direction] = policy_number();
	if (table != NULL && table->n_sets > 0)
		strncpy(blocks->tenant, scope->tenant, CONFIG_NAME_MAX);
	return true;
}

static void release(struct policy_blocks *blocks)
{
	if (--blocks->refs > 0)
		return;
	for (unsigned d = 0; d < POLICY_DIRECTIONS; d++)
		policy_table_release(blocks->tables[d]);
	free(blocks);
}

static struct policy_blocks *find_same(
	const struct policy_block_pool *pool, const struct policy_blocks *blocks)
{
	for (unsigned i = 0; pool != NULL && i < pool->n; i++) {
		struct policy_blocks *other = pool->list[i];

		if (other->version[POLICY_IN] == blocks->version[POLICY_IN] &&
			other->version[POLICY_OUT] == blocks->version[POLICY_OUT])
			return other;
	}
	return NULL;
}

static bool pool_add(struct policy_block_pool *pool, struct policy_blocks *blocks)
{
	if (pool->n == pool->room) {
		unsigned room = pool->room == 0 ? 8 : pool->room * 2;
		struct policy_blocks **list = realloc(pool->list, room * sizeof(*list));

		if (list == NULL)
			return false;
		pool->list = list;
		pool->room = room;
	}
	pool->list[pool->n++] = blocks;
	return true;
}

/* Puts blocks, or the same one of the last policy, into pool. Takes over blocks. */
static bool keep(struct policy_blocks *blocks, const struct policy_block_pool *before,
	struct policy_block_pool *pool, const struct policy_blocks **out)
{
	struct policy_blocks *same = find_same(pool, blocks);

	*out = same;
	if (same != NULL) {
		release(blocks);
		return true;
	}
	same = find_same(before, blocks);
	if (same != NULL) {
		release(blocks);
		blocks = same;
		blocks->refs++;
	}
	if (!pool_add(pool, blocks)) {
		release(blocks);
		return false;
	}
	*out = blocks;
	return true;
}

bool policy_blocks_create(const struct policy_block_scope *scope,
	const struct policy_block_pool *before, struct policy_block_pool *pool,
	struct policy_lines *lines, const struct policy_blocks **out)
{
	struct policy_blocks *blocks = calloc(1, sizeof(*blocks));

	*out = NULL;
	if (blocks == NULL)
		return false;
	blocks->refs = 1;
	for (unsigned d = 0; d < POLICY_DIRECTIONS; d++) {
		if (!make_table(blocks, d, scope, before, pool, lines)) {
			release(blocks);
			return false;
		}
	}
	if (blocks->tables[POLICY_IN] != NULL || blocks->tables[POLICY_OUT] != NULL)
		return keep(blocks, before, pool, out);
	release(blocks);
	return true;
}

void policy_block_pool_free(struct policy_block_pool *pool)
{
	for (unsigned i = 0; i < pool->n; i++)
		release(pool->list[i]);
	free(pool->list);
	*pool = (struct policy_block_pool){0};
}
