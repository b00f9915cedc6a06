#include "detect_record.h"

#include <string.h>

#include "detect_rules.h"
#include "detect_track.h"

#define HITS 256 /* distinct patterns in one slice */
#define EAGER_ALWAYS                                                                               \
	32 /* rules without a pattern that are evaluated before the record's end, too */

static unsigned name_place(enum rule_buffer buffer)
{
	return buffer == RULE_SMB_SHARE ? 0 : buffer == RULE_SMB_NAMED_PIPE ? 1 : 2;
}

static void add_always(struct detect_feed *feed, enum rule_buffer buffer, uint32_t max)
{
	uint32_t n;
	const uint32_t *rules = detect_engine_always(
		detect_feed_record(feed)->engine, feed->direction, buffer, &n);

	for (uint32_t i = 0; i < n && i < max; i++)
		detect_rules_add(feed, NULL, rules[i]);
}

/* Its first bytes, and what is kept of it, are gone from here on. */
static void give_blocks(struct detect_record *record, const struct detect_context *context)
{
	if (record->block)
		inspect_give(context->memory, context->account,
			record->large ? INSPECT_LARGE : INSPECT_SMALL, record->block);
	if (record->names)
		inspect_give(context->memory, context->account, INSPECT_SMALL, record->names);
	record->block = record->names = NULL;
	record->head = NULL;
}

void detect_record_drop(
	struct detect_record *record, unsigned direction, const struct detect_context *context)
{
	if (record->stream)
		detect_stream_give(record->engine, direction, RULE_RECORD, record->stream);
	record->stream = NULL;
	give_blocks(record, context);
	if (record->engine)
		detect_engine_release(record->engine);
	record->engine = NULL;
	record->pending.n = 0;
	record->n_spans = 0;
	record->track = -1;
}

/* There is no memory for it: what that means is policy, and its rules go without an answer. */
static void starve(struct detect_feed *feed)
{
	detect_record_drop(detect_feed_record(feed), feed->direction, feed->context);
	detect_fail(feed, CONFIG_FAILURE_MEMORY);
}

void detect_record_begin(struct detect_feed *feed, uint32_t len)
{
	struct detect_record *record = detect_feed_record(feed);
	struct detect_engine *engine = feed->spent ? NULL : feed->context->engine;

	*record = (struct detect_record){.open = true,
		.len = len,
		.track = -1,
		.position = feed->flow->side[feed->side].next,
		.engine = engine,
		.bind = feed->context->bind};
	if (!engine)
		return;
	detect_engine_hold(engine);
	if (detect_engine_wants(engine, feed->direction, RULE_RECORD)) {
		record->stream = detect_stream_take(engine, feed->direction, RULE_RECORD);
		if (!record->stream) {
			starve(feed);
			return;
		}
	}
	add_always(feed, RULE_RECORD, EAGER_ALWAYS);
}

/* A block of its own for the first bytes, large enough for need of them. */
static bool move(struct detect_feed *feed, uint32_t need)
{
	struct detect_record *record = detect_feed_record(feed);
	bool large = need > INSPECT_SMALL_SIZE;
	uint8_t *block;

	if (record->block && (record->large || !large))
		return true;
	block = inspect_take(feed->context->memory, feed->context->account,
		large ? INSPECT_LARGE : INSPECT_SMALL);
	if (!block) {
		starve(feed);
		return false;
	}
	if (record->kept > 0)
		memcpy(block, record->head, record->kept);
	if (record->block)
		inspect_give(feed->context->memory, feed->context->account, INSPECT_SMALL,
			record->block);
	record->block = block;
	record->head = block;
	record->large = large;
	return true;
}

/* Whether any rule looks at the record's bytes. */
static bool is_looked_at(const struct detect_feed *feed)
{
	const struct detect_engine *engine = detect_feed_record(feed)->engine;

	return engine && detect_engine_buffers(engine, feed->direction) & 1u << RULE_RECORD;
}

void detect_record_settle(struct detect_feed *feed)
{
	struct detect_record *record = detect_feed_record(feed);

	if (!record->open || record->block || !record->head)
		return;
	if (is_looked_at(feed))
		move(feed, record->kept);
	else
		record->head = NULL;
}

/* Where the record is not copied yet and goes on in memory. */
static bool borrow(struct detect_record *record, const uint8_t *bytes, uint32_t len)
{
	if (record->block)
		return false;
	if (record->seen == 0)
		record->head = bytes;
	else if (!record->head || record->head + record->kept != bytes)
		return false;
	record->kept += len;
	return true;
}

/* Behind the first bytes: the last ones. Half of them stay when there is no room for more. */
static void keep_tail(struct detect_record *record, const uint8_t *bytes, uint32_t len)
{
	if (record->tail_len == 0)
		record->tail_base = DETECT_HEAD;
	memcpy(record->block + DETECT_HEAD + record->tail_len, bytes, len);
	record->tail_len += len;
}

static void slide_tail(struct detect_record *record)
{
	uint8_t *tail = record->block + DETECT_HEAD;

	memcpy(tail, tail + DETECT_TAIL / 2, DETECT_TAIL / 2);
	record->tail_base += DETECT_TAIL / 2;
	record->tail_len = DETECT_TAIL / 2;
}

/*
 * Keeps as many of the len bytes as there is room for, at least one, and says how many. What waits
 * is held against what goes away before it does. So what can be found depends on where in the
 * record it is, and not on how the record was cut.
 */
static uint32_t keep(struct detect_feed *feed, const uint8_t *bytes, uint32_t len)
{
	struct detect_record *record = detect_feed_record(feed);
	uint32_t room = DETECT_HEAD - record->kept, n;

	if (record->tail_len == DETECT_TAIL) {
		detect_rules_run(feed, NULL, DETECT_SO_FAR);
		slide_tail(record);
	}
	if (room == 0)
		room = DETECT_TAIL - record->tail_len;
	n = len < room ? len : room;
	if (record->kept < DETECT_HEAD && borrow(record, bytes, n))
		return n;
	if (!is_looked_at(feed) || !move(feed, record->kept + n))
		return len;
	if (record->kept == DETECT_HEAD) {
		keep_tail(record, bytes, n);
	} else {
		memcpy(record->block + record->kept, bytes, n);
		record->kept += n;
	}
	return n;
}

/* What is searched for in it. */
static void scan(struct detect_feed *feed, const uint8_t *bytes, uint32_t len)
{
	struct detect_record *record = detect_feed_record(feed);
	struct rule_hit room[HITS];
	struct rule_hits hits = {room, 0, HITS, 0};

	if (!record->stream)
		return;
	if (rule_stream_scan(record->stream->stream, bytes, len,
		    detect_engine_scratch(record->engine), &hits)) {
		detect_rules_add_hits(feed, NULL, RULE_RECORD, &hits);
		return;
	}
	detect_record_drop(record, feed->direction, feed->context);
	detect_fail(feed, CONFIG_FAILURE_ENGINE);
}

void detect_record_data(struct detect_feed *feed, const uint8_t *bytes, uint32_t len)
{
	struct detect_record *record = detect_feed_record(feed);

	if (feed->spent && record->engine)
		detect_record_drop(record, feed->direction, feed->context);
	while (len > 0) {
		uint32_t n = keep(feed, bytes, len);

		record->seen += n;
		scan(feed, bytes, n);
		bytes += n;
		len -= n;
	}
}

/* Rules without a pattern for which there was no room on the list. */
static void try_rest(struct detect_feed *feed)
{
	uint32_t n;
	const uint32_t *rules = detect_engine_always(
		detect_feed_record(feed)->engine, feed->direction, RULE_RECORD, &n);

	for (uint32_t i = EAGER_ALWAYS; i < n; i++)
		detect_rules_try(feed, NULL, rules[i]);
}

void detect_record_end(struct detect_feed *feed)
{
	struct detect_record *record = detect_feed_record(feed);

	if (record->engine && !feed->spent) {
		detect_track_record_end(feed);
		detect_rules_run(feed, NULL, DETECT_FINAL);
		try_rest(feed);
		detect_track_record_end(feed); /* with the bits that these have set */
	}
	detect_record_drop(record, feed->direction, feed->context);
	record->open = false;
}

void detect_record_name(
	struct detect_feed *feed, enum rule_buffer buffer, const char *text, uint32_t len)
{
	struct detect_record *record = detect_feed_record(feed);
	uint32_t room = INSPECT_SMALL_SIZE / DETECT_NAMES;
	struct rule_hit hit[HITS];
	struct rule_hits hits = {hit, 0, HITS, 0};

	if (!record->engine || feed->spent || len == 0 ||
		!(detect_engine_buffers(record->engine, feed->direction) & 1u << buffer))
		return;
	if (!record->names)
		record->names = inspect_take(
			feed->context->memory, feed->context->account, INSPECT_SMALL);
	if (!record->names) {
		starve(feed);
		return;
	}
	len = len < room ? len : room;
	memcpy(record->names + name_place(buffer) * room, text, len);
	record->name_len[name_place(buffer)] = (uint16_t)len;
	if (!rule_db_scan(detect_engine_db(record->engine), feed->direction, buffer,
		    (const uint8_t *)text, len, detect_engine_scratch(record->engine), &hits)) {
		detect_fail(feed, CONFIG_FAILURE_ENGINE);
		return;
	}
	add_always(feed, buffer, UINT32_MAX);
	detect_rules_add_hits(feed, NULL, buffer, &hits);
	detect_rules_run(feed, NULL, DETECT_SO_FAR);
}

/* Behind the first bytes there is room for the last ones: until those move on, it is all one piece.
 */
void detect_record_input(const struct detect_record *record, struct rule_input *input)
{
	struct rule_data *data = &input->data[RULE_RECORD];

	if (!record->head)
		return;
	input->given |= 1u << RULE_RECORD;
	if (record->tail_len == 0 || record->tail_base == DETECT_HEAD) {
		*data = (struct rule_data){
			record->head, 0, record->kept + record->tail_len, record->len};
		return;
	}
	*data = (struct rule_data){
		record->block + DETECT_HEAD, record->tail_base, record->tail_len, record->len};
	input->heads[RULE_RECORD] = (struct rule_head){record->head, record->kept};
}
