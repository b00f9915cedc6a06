/*
 * One worker's tools for one database of rules: scratch, streams, what each rule costs. Made by the
 * compiler or control thread with the database, used by that worker, freed by the control thread
 * when no flow uses it any more.
 */
#ifndef VS_DETECT_ENGINE_H
#define VS_DETECT_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "rule_compile.h"

#define DETECT_STREAMS 512 /* of each direction and buffer that are kept ready */

/* What one rule cost and did in one worker. */
struct detect_cost {
	uint64_t checks; /* evaluations in full */
	uint64_t matches;
	uint64_t alerts;
	uint64_t cycles;
};

struct detect_engine;

/* db must outlive it. DETECT_STREAMS are ready then. NULL: out of memory. */
struct detect_engine *detect_engine_create(const struct rule_db *db);
/* When detect_engine_flows() is 0. */
void detect_engine_free(struct detect_engine *engine);

const struct rule_db *detect_engine_db(const struct detect_engine *engine);

/* Makes streams for those in use, so that DETECT_STREAMS stay ready, up to a limit of a hundred
 * times that. Control thread, every tick: the worker only takes and gives. */
void detect_engine_refill(struct detect_engine *engine);

/*
 * What flows hold of it: open records, files and DCERPC calls, each of which ends with the rules
 * that it began with. At 0 neither it nor the rule_bind that was given with it is looked at any
 * more, once no worker has the profile that leads to them. Any thread.
 */
uint32_t detect_engine_flows(const struct detect_engine *engine);

/* By rule index, ruleset_count() of them; each number has one writer, the worker. Any thread. */
const struct detect_cost *detect_engine_costs(const struct detect_engine *engine);

#endif
