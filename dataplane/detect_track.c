#include "detect_track.h"

#include <string.h>

#include "detect_record.h"
#include "detect_rules.h"

#define HITS 256

/* What rule_match() has for positions ends at 2 GiB; from here on they are told as if they were
 * near FAR, which is beyond every offset and depth that a rule can name. */
#define POSITION_MAX (UINT64_C(1) << 30)
#define FAR          (1u << 20)

#define KEEP (INSPECT_SMALL_SIZE / 2) /* of the last bytes, when there is no room for more */

void detect_track_drop(struct detect_flow *flow, unsigned i, const struct detect_context *context)
{
	struct detect_track *track = &flow->tracks[i];
	struct smb_flow *smb = &flow->smb;

	if (!track->engine)
		return;
	if (track->stream)
		detect_stream_give(track->engine,
			(enum rule_direction)smb_flow_direction(smb, track->side), track->buffer,
			track->stream);
	if (track->block)
		inspect_give(context->memory, context->account, INSPECT_SMALL, track->block);
	detect_engine_release(track->engine);
	*track = (struct detect_track){0};
	for (unsigned side = 0; side < 2; side++) {
		struct detect_record *record = &flow->side[side].record;
		uint8_t kept = 0;

		if (record->track == (int)i)
			record->track = -1;
		for (unsigned k = 0; k < record->n_spans; k++)
			if (record->spans[k].track != i)
				record->spans[kept++] = record->spans[k];
		record->n_spans = kept;
	}
}

/* The first place for a buffer's tracks, and behind their last. */
static unsigned first_of(enum rule_buffer buffer)
{
	return buffer == RULE_FILE_DATA ? 0 : DETECT_FILES;
}

static unsigned last_of(enum rule_buffer buffer)
{
	return buffer == RULE_FILE_DATA ? DETECT_FILES : DETECT_TRACKS;
}

static bool goes_on(const struct detect_feed *feed, const struct detect_track *track, uint64_t id,
	uint64_t position)
{
	return track->engine == detect_feed_record(feed)->engine && track->side == feed->side &&
	       track->id == id && track->base + track->len == position;
}

static int find(
	const struct detect_feed *feed, enum rule_buffer buffer, uint64_t id, uint64_t position)
{
	for (unsigned i = first_of(buffer); i < last_of(buffer); i++)
		if (goes_on(feed, &feed->flow->tracks[i], id, position))
			return (int)i;
	return -1;
}

/* A new one, in place of the one longest unused. -1: no memory; what that means is policy. */
static int start(struct detect_feed *feed, enum rule_buffer buffer, uint64_t id, uint64_t position)
{
	struct detect_flow *flow = feed->flow;
	struct detect_record *record = detect_feed_record(feed);
	unsigned i = first_of(buffer);
	struct detect_track *track;
	const uint32_t *rules;
	uint32_t n;

	for (unsigned k = i; k < last_of(buffer); k++)
		if (!flow->tracks[k].engine || flow->tracks[k].used < flow->tracks[i].used)
			i = k;
	detect_track_drop(flow, i, feed->context);
	track = &flow->tracks[i];
	*track = (struct detect_track){.engine = record->engine,
		.bind = record->bind,
		.id = id,
		.base = position,
		.side = (uint8_t)feed->side,
		.buffer = (uint8_t)buffer};
	detect_engine_hold(track->engine);
	track->block = inspect_take(feed->context->memory, feed->context->account, INSPECT_SMALL);
	if (detect_engine_wants(track->engine, feed->direction, buffer))
		track->stream = detect_stream_take(track->engine, feed->direction, buffer);
	if (!track->block ||
		(!track->stream && detect_engine_wants(track->engine, feed->direction, buffer))) {
		detect_track_drop(flow, i, feed->context);
		detect_fail(feed, CONFIG_FAILURE_MEMORY);
		return -1;
	}
	record->track = (int8_t)i;
	rules = detect_engine_always(track->engine, feed->direction, buffer, &n);
	for (uint32_t k = 0; k < n; k++)
		detect_rules_add(feed, track, rules[k]);
	return (int)i;
}

/* What is searched for in it. False: the engine failed. */
static bool scan(
	struct detect_feed *feed, struct detect_track *track, const uint8_t *bytes, uint32_t len)
{
	struct rule_hit room[HITS];
	struct rule_hits hits = {room, 0, HITS, 0};

	if (track->stream && !rule_stream_scan(track->stream->stream, bytes, len,
				     detect_engine_scratch(track->engine), &hits))
		return false;
	detect_rules_add_hits(feed, track, track->buffer, &hits);
	return true;
}

/* Where bytes that a track has are written or read once more, it goes on from there. */
static int find_overlap(const struct detect_feed *feed, uint64_t id, uint64_t position)
{
	const struct detect_record *record = detect_feed_record(feed);

	for (int i = 0; i < DETECT_FILES; i++) {
		const struct detect_track *track = &feed->flow->tracks[i];

		if (track->engine == record->engine && track->side == feed->side &&
			track->id == id && position - track->base < track->len)
			return i;
	}
	return -1;
}

/*
 * Forgets what it has from position on, and what was found there. False: the engine failed, and the
 * track is no more.
 */
static bool rewind_track(struct detect_feed *feed, unsigned i, uint64_t position)
{
	struct detect_track *track = &feed->flow->tracks[i];
	struct detect_pending before = track->pending;

	track->len = (uint32_t)(position - track->base);
	track->pending.n = 0;
	if ((!track->stream || rule_stream_reset(track->stream->stream,
				       detect_engine_scratch(track->engine))) &&
		(track->len == 0 || scan(feed, track, track->block, track->len))) {
		detect_rules_merge(feed, track, &before);
		return true;
	}
	detect_track_drop(feed->flow, i, feed->context);
	detect_fail(feed, CONFIG_FAILURE_ENGINE);
	return false;
}

/* The track of file data at this position; or -1. */
static int track_of(struct detect_feed *feed, uint64_t id, uint64_t position)
{
	int i = find(feed, RULE_FILE_DATA, id, position);

	if (i < 0) {
		i = find_overlap(feed, id, position);
		if (i >= 0 && !rewind_track(feed, (unsigned)i, position))
			return -1;
	}
	if (i < 0)
		i = start(feed, RULE_FILE_DATA, id, position);
	if (i >= 0)
		feed->flow->tracks[i].used = ++feed->flow->clock;
	return i;
}

/*
 * Keeps as many of the len bytes as there is room for, at least one, and says how many. Before the
 * older half goes away what waits is held against all of it: how the bytes were cut does not
 * matter.
 */
static uint32_t keep(
	struct detect_feed *feed, struct detect_track *track, const uint8_t *bytes, uint32_t len)
{
	uint32_t room, n;

	if (track->len == INSPECT_SMALL_SIZE) {
		detect_rules_run(feed, track, DETECT_SO_FAR);
		memcpy(track->block, track->block + INSPECT_SMALL_SIZE - KEEP, KEEP);
		track->base += INSPECT_SMALL_SIZE - KEEP;
		track->len = KEEP;
	}
	room = INSPECT_SMALL_SIZE - track->len;
	n = len < room ? len : room;
	memcpy(track->block + track->len, bytes, n);
	track->len += n;
	return n;
}

/* False: the track is no more. */
static bool feed_track(struct detect_feed *feed, unsigned i, const uint8_t *bytes, uint32_t len)
{
	struct detect_track *track = &feed->flow->tracks[i];

	detect_feed_record(feed)->track = (int8_t)i;
	while (len > 0 && !feed->spent) {
		uint32_t n = keep(feed, track, bytes, len);

		if (!scan(feed, track, bytes, n)) {
			detect_track_drop(feed->flow, i, feed->context);
			detect_fail(feed, CONFIG_FAILURE_ENGINE);
			return false;
		}
		bytes += n;
		len -= n;
	}
	detect_rules_run(feed, track, DETECT_SO_FAR);
	if (feed->spent)
		detect_track_drop(feed->flow, i, feed->context);
	return !feed->spent;
}

/* What of the piece at hand the span has. True: that was the last of it, or it is no more. */
static bool feed_span(struct detect_feed *feed, struct detect_span *span)
{
	uint32_t end = feed->piece_offset + feed->piece_len, i = span->track;
	uint32_t to = span->to < end ? span->to : end;
	uint32_t from = span->from > feed->piece_offset ? span->from : feed->piece_offset;

	if (from >= to)
		return span->to <= feed->piece_offset;
	span->from = to;
	feed->at = from;
	if (!feed_track(feed, i, feed->piece + (from - feed->piece_offset), to - from))
		return false; /* it is off the list already */
	if (to < span->to)
		return false;
	detect_rules_run(feed, &feed->flow->tracks[i], DETECT_PAUSE);
	return true;
}

void detect_track_piece(struct detect_feed *feed)
{
	struct detect_record *record = detect_feed_record(feed);

	for (unsigned k = 0; k < record->n_spans;) {
		uint8_t before = record->n_spans;

		if (feed_span(feed, &record->spans[k]))
			record->spans[k] = record->spans[--record->n_spans];
		else if (record->n_spans == before)
			k++;
	}
}

void detect_track_file(struct detect_feed *feed, const struct smb_event *event)
{
	struct detect_record *record = detect_feed_record(feed);
	uint64_t id = event->file.has_position ? event->file.file : 0;
	struct detect_span *span;
	int i;

	if (!record->engine || feed->spent ||
		!(detect_engine_buffers(record->engine, feed->direction) & 1u << RULE_FILE_DATA))
		return;
	i = event->file.has_position ? track_of(feed, id, event->file.position)
				     : start(feed, RULE_FILE_DATA, id, 0);
	if (i < 0)
		return;
	if (record->n_spans == DETECT_SPANS) {
		detect_fail(feed, CONFIG_FAILURE_BUDGET);
		return;
	}
	span = &record->spans[record->n_spans++];
	*span = (struct detect_span){event->offset, event->offset + event->file.len, (uint8_t)i};
	if (feed_span(feed, span))
		record->n_spans--;
}

void detect_track_stub(struct detect_feed *feed, const struct smb_event *event)
{
	struct detect_record *record = detect_feed_record(feed);
	uint64_t pipe = feed->flow->smb.side[feed->side].stream.file;
	struct detect_track *track = NULL;
	int i = -1;

	if (!record->engine || feed->spent ||
		!(detect_engine_buffers(record->engine, feed->direction) & 1u << RULE_DCE_STUB))
		return;
	for (unsigned k = DETECT_FILES; k < DETECT_TRACKS; k++) {
		track = &feed->flow->tracks[k];
		if (goes_on(feed, track, pipe, track->base + track->len))
			i = (int)k;
	}
	if (i >= 0 && event->bytes.first) {
		detect_track_drop(feed->flow, (unsigned)i, feed->context);
		i = -1;
	}
	if (i < 0)
		i = start(feed, RULE_DCE_STUB, pipe, 0);
	if (i < 0)
		return;
	track = &feed->flow->tracks[i];
	track->used = ++feed->flow->clock;
	if (record->n_calls > 0 && record->pipe == pipe) {
		track->call = *detect_record_call(record, record->n_calls - 1u);
		track->dce_little = record->dce_little;
		track->has_call = true;
	}
	feed->at = event->offset;
	if (!feed_track(feed, (unsigned)i, event->bytes.bytes, event->bytes.len))
		return;
	if (event->bytes.last) {
		detect_rules_run(feed, track, DETECT_FINAL);
		detect_track_drop(feed->flow, (unsigned)i, feed->context);
	}
}

void detect_track_record_end(struct detect_feed *feed)
{
	struct detect_record *record = detect_feed_record(feed);

	if (record->track >= 0)
		detect_rules_run(feed, &feed->flow->tracks[record->track], DETECT_PAUSE);
}

struct rule_data detect_track_window(const struct detect_track *track, bool at_end)
{
	uint32_t base = track->base < POSITION_MAX ? (uint32_t)track->base : FAR;

	return (struct rule_data){
		track->block, base, track->len, at_end ? base + track->len : RULE_SIZE_UNKNOWN};
}
