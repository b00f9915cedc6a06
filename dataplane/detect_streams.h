/*
 * What detect*.c take from an engine while they work. Its worker alone, no allocation; the control
 * thread makes new streams beside (detect_engine_refill()).
 */
#ifndef VS_DETECT_STREAMS_H
#define VS_DETECT_STREAMS_H

#include "detect_engine.h"

/* A stream of Hyperscan in its beginning, for one direction and buffer. */
struct detect_stream {
	struct rule_stream *stream;
	struct detect_stream *next; /* free ones, at the worker */
};

/*
 * NULL: none is ready, or nothing is searched for there (detect_engine_wants()).
 */
struct detect_stream *detect_stream_take(
	struct detect_engine *engine, enum rule_direction direction, enum rule_buffer buffer);
/* Reset, and ready for the next. */
void detect_stream_give(struct detect_engine *engine, enum rule_direction direction,
	enum rule_buffer buffer, struct detect_stream *stream);

/* Whether there is anything to search for in a buffer that comes in pieces. */
bool detect_engine_wants(
	const struct detect_engine *engine, enum rule_direction direction, enum rule_buffer buffer);
/* Buffers, a bit each, that any rule of the direction looks at. */
unsigned detect_engine_buffers(const struct detect_engine *engine, enum rule_direction direction);

/* Of rule_db_always(), those whose first buffer is this one; by index and rising. */
const uint32_t *detect_engine_always(const struct detect_engine *engine,
	enum rule_direction direction, enum rule_buffer buffer, uint32_t *n);
/* Of rule_db_bare(), those that packets alone decide, or (calls) those that look at DCERPC calls.
 */
const uint32_t *detect_engine_bare(
	const struct detect_engine *engine, enum rule_direction direction, bool calls, uint32_t *n);

struct rule_scratch *detect_engine_scratch(struct detect_engine *engine);
const struct rule_pcre_dbs *detect_engine_pcres(const struct detect_engine *engine);
struct detect_cost *detect_engine_cost(struct detect_engine *engine, uint32_t rule);

/* See detect_engine_flows(). */
void detect_engine_hold(struct detect_engine *engine);
void detect_engine_release(struct detect_engine *engine);

#endif
