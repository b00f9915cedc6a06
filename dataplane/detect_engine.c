#include "detect_engine.h"

#include <stdlib.h>

#include "counters.h"
#include "detect_streams.h"

#define STREAM_BUFFERS 3
#define READY_MAX      (2 * DETECT_STREAMS) /* places in a ring; a power of two */
#define STREAMS_MAX    (100u * DETECT_STREAMS) /* of one kind in all */

/*
 * Streams of one direction and buffer. New ones come from the control thread through the ring,
 * used ones stay with the worker. head and made are the control thread's to write, all else the
 * worker's.
 */
struct pool {
	struct detect_stream *ring[READY_MAX];
	uint32_t head; /* where the control thread puts the next */
	uint32_t tail; /* where the worker takes the next */
	uint32_t made;
	uint32_t free; /* that the worker has */
	struct detect_stream *first;
};

struct list {
	uint32_t *rules;
	uint32_t n;
};

struct detect_engine {
	const struct rule_db *db;
	struct rule_scratch *scratch;
	struct rule_pcre_dbs pcres;
	struct detect_cost *costs;
	uint32_t held;
	struct pool pools[RULE_DIRS][STREAM_BUFFERS];
	unsigned buffers[RULE_DIRS];
	struct list always[RULE_DIRS][RULE_BUFFERS];
	struct list bare[RULE_DIRS], calls[RULE_DIRS];
};

static const enum rule_buffer stream_buffers[STREAM_BUFFERS] = {
	RULE_RECORD, RULE_FILE_DATA, RULE_DCE_STUB};

static unsigned place_of(enum rule_buffer buffer)
{
	return buffer == RULE_RECORD ? 0 : buffer == RULE_FILE_DATA ? 1 : 2;
}

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static bool goes(const struct rule *rule, enum rule_direction direction)
{
	uint16_t both = RULE_TO_SERVER | RULE_TO_CLIENT;

	return !(rule->flow & both) ||
	       rule->flow & (direction == RULE_DIR_TO_SERVER ? RULE_TO_SERVER : RULE_TO_CLIENT);
}

static bool add(struct list *list, uint32_t rule, uint32_t room)
{
	if (!list->rules)
		list->rules = calloc(room, sizeof(*list->rules));
	if (!list->rules)
		return false;
	list->rules[list->n++] = rule;
	return true;
}

/* Rules without a pattern, by where they begin to be decidable. */
static bool sort_lists(struct detect_engine *engine, enum rule_direction direction)
{
	const struct ruleset *ruleset = rule_db_ruleset(engine->db);
	uint32_t n;
	const uint32_t *rules = rule_db_always(engine->db, direction, &n);

	for (uint32_t i = 0; i < n; i++) {
		const struct rule *rule = ruleset_rule(ruleset, rules[i]);
		unsigned buffer = (unsigned)__builtin_ctz(rule->buffers);

		if (!add(&engine->always[direction][buffer], rules[i], n))
			return false;
	}
	rules = rule_db_bare(engine->db, direction, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct rule *rule = ruleset_rule(ruleset, rules[i]);
		bool calls = rule->dce_iface.given || rule->n_opnums > 0;

		if (!add(calls ? &engine->calls[direction] : &engine->bare[direction], rules[i], n))
			return false;
	}
	for (uint32_t i = 0; i < ruleset_count(ruleset); i++)
		if (goes(ruleset_rule(ruleset, i), direction))
			engine->buffers[direction] |= ruleset_rule(ruleset, i)->buffers;
	return true;
}

struct detect_engine *detect_engine_create(const struct rule_db *db)
{
	struct detect_engine *engine = calloc(1, sizeof(*engine));
	bool ready;

	if (!engine)
		return NULL;
	engine->db = db;
	engine->pcres = rule_db_pcres(db);
	engine->scratch = rule_db_scratch(db);
	engine->costs = calloc(
		(size_t)ruleset_count(rule_db_ruleset(db)) + 1, sizeof(*engine->costs));
	ready = engine->scratch && engine->costs && sort_lists(engine, RULE_DIR_TO_SERVER) &&
		sort_lists(engine, RULE_DIR_TO_CLIENT);
	if (ready)
		detect_engine_refill(engine);
	for (int direction = 0; direction < RULE_DIRS; direction++)
		for (int i = 0; ready && i < STREAM_BUFFERS; i++)
			ready = !rule_db_wants(db, direction, stream_buffers[i]) ||
				engine->pools[direction][i].made == DETECT_STREAMS;
	if (!ready) {
		detect_engine_free(engine);
		return NULL;
	}
	return engine;
}

static void free_stream(struct detect_stream *stream)
{
	rule_stream_free(stream->stream);
	free(stream);
}

static void free_pool(struct pool *pool)
{
	while (pool->tail != pool->head)
		free_stream(pool->ring[pool->tail++ % READY_MAX]);
	while (pool->first) {
		struct detect_stream *stream = pool->first;

		pool->first = stream->next;
		free_stream(stream);
	}
}

void detect_engine_free(struct detect_engine *engine)
{
	if (!engine)
		return;
	for (int direction = 0; direction < RULE_DIRS; direction++) {
		for (int i = 0; i < STREAM_BUFFERS; i++)
			free_pool(&engine->pools[direction][i]);
		for (int i = 0; i < RULE_BUFFERS; i++)
			free(engine->always[direction][i].rules);
		free(engine->bare[direction].rules);
		free(engine->calls[direction].rules);
	}
	rule_scratch_free(engine->scratch);
	free(engine->costs);
	free(engine);
}

const struct rule_db *detect_engine_db(const struct detect_engine *engine)
{
	return engine->db;
}

static struct detect_stream *make(
	const struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer)
{
	struct detect_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->stream = rule_stream_create(db, direction, buffer);
	if (!stream->stream) {
		free(stream);
		return NULL;
	}
	return stream;
}

/* What there is no memory for is tried again at the next tick. */
static void refill(struct pool *pool, const struct rule_db *db, enum rule_direction direction,
	enum rule_buffer buffer)
{
	uint32_t ready = pool->head - load(&pool->tail) + load(&pool->free);

	for (; ready < DETECT_STREAMS && pool->made < STREAMS_MAX; ready++) {
		struct detect_stream *stream = make(db, direction, buffer);

		if (!stream)
			return;
		pool->made++;
		pool->ring[pool->head % READY_MAX] = stream;
		store(&pool->head, pool->head + 1);
	}
}

void detect_engine_refill(struct detect_engine *engine)
{
	for (int direction = 0; direction < RULE_DIRS; direction++)
		for (int i = 0; i < STREAM_BUFFERS; i++)
			if (rule_db_wants(engine->db, direction, stream_buffers[i]))
				refill(&engine->pools[direction][i], engine->db, direction,
					stream_buffers[i]);
}

uint32_t detect_engine_flows(const struct detect_engine *engine)
{
	return load(&engine->held);
}

const struct detect_cost *detect_engine_costs(const struct detect_engine *engine)
{
	return engine->costs;
}

struct detect_stream *detect_stream_take(
	struct detect_engine *engine, enum rule_direction direction, enum rule_buffer buffer)
{
	struct pool *pool = &engine->pools[direction][place_of(buffer)];
	struct detect_stream *stream = pool->first;

	if (stream) {
		pool->first = stream->next;
		store(&pool->free, pool->free - 1);
		return stream;
	}
	if (pool->tail == load(&pool->head))
		return NULL;
	stream = pool->ring[pool->tail % READY_MAX];
	store(&pool->tail, pool->tail + 1);
	return stream;
}

void detect_stream_give(struct detect_engine *engine, enum rule_direction direction,
	enum rule_buffer buffer, struct detect_stream *stream)
{
	struct pool *pool = &engine->pools[direction][place_of(buffer)];

	rule_stream_reset(stream->stream, engine->scratch);
	stream->next = pool->first;
	pool->first = stream;
	store(&pool->free, pool->free + 1);
}

bool detect_engine_wants(
	const struct detect_engine *engine, enum rule_direction direction, enum rule_buffer buffer)
{
	return rule_db_wants(engine->db, direction, buffer);
}

unsigned detect_engine_buffers(const struct detect_engine *engine, enum rule_direction direction)
{
	return engine->buffers[direction];
}

const uint32_t *detect_engine_always(const struct detect_engine *engine,
	enum rule_direction direction, enum rule_buffer buffer, uint32_t *n)
{
	*n = engine->always[direction][buffer].n;
	return engine->always[direction][buffer].rules;
}

const uint32_t *detect_engine_bare(
	const struct detect_engine *engine, enum rule_direction direction, bool calls, uint32_t *n)
{
	const struct list *list = calls ? &engine->calls[direction] : &engine->bare[direction];

	*n = list->n;
	return list->rules;
}

struct rule_scratch *detect_engine_scratch(struct detect_engine *engine)
{
	return engine->scratch;
}

const struct rule_pcre_dbs *detect_engine_pcres(const struct detect_engine *engine)
{
	return &engine->pcres;
}

struct detect_cost *detect_engine_cost(struct detect_engine *engine, uint32_t rule)
{
	return &engine->costs[rule];
}

void detect_engine_hold(struct detect_engine *engine)
{
	store(&engine->held, engine->held + 1);
}

void detect_engine_release(struct detect_engine *engine)
{
	store(&engine->held, engine->held - 1);
}
