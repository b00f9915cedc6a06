/*
 * What detect*.c share while one packet's bytes are fed: who sent them, what may be spent, what
 * came of it. On the stack of detect_feed() and its likes.
 */
#ifndef VS_DETECT_FEED_H
#define VS_DETECT_FEED_H

#include <rte_branch_prediction.h>

#include "detect.h"
#include "detect_streams.h"

#define DETECT_SLICE      4096u /* bytes between looks at the deadline */
#define DETECT_STEPS      200000 /* of evaluation (rule_scratch.h) that one slice may cause */
#define DETECT_RULE_STEPS 20000 /* and that one look at one rule may take: half a millisecond */

struct detect_feed {
	struct detect_flow *flow;
	const struct detect_context *context;
	unsigned side;
	enum rule_direction direction;
	struct rule_ends ends; /* as side sends */
	const uint8_t *piece; /* of the record, that is being told */
	uint32_t piece_len, piece_offset;
	uint32_t at; /* offset in the record of what is being told */
	int64_t steps; /* left of the slice's */
	bool spent; /* the deadline or a budget is used up: nothing more is matched */
	bool stop;
};

void detect_feed_begin(struct detect_feed *feed, struct detect_flow *flow,
	const struct detect_context *context, unsigned side);

static inline struct detect_record *detect_feed_record(const struct detect_feed *feed)
{
	return &feed->flow->side[feed->side].record;
}

/* Tells, with the record at hand; stops where the action asks for it. */
void detect_tell(struct detect_feed *feed, struct detect_finding *finding);

/* Something was not inspected; stops where the policy does not let it pass. */
void detect_fail(struct detect_feed *feed, enum config_failure failure);

/* Whether the packet's time is up at `now`. */
static inline bool detect_is_late(const struct detect_context *context, uint64_t now)
{
	return unlikely(context->deadline != 0 && now > context->deadline) &&
	       !(context->extended && context->extended(context->arg));
}

/* No more time or steps: once a feed a failure, and no rule is held against anything in it. */
void detect_spend(struct detect_feed *feed);

#endif
