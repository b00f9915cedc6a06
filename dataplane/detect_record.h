/*
 * A record's bytes as far as they are kept for evaluation: the first DETECT_HEAD, and of longer
 * ones the last DETECT_TAIL / 2 at the least. While all of it lies in the bytes that are being fed,
 * it is looked at there and not copied.
 */
#ifndef VS_DETECT_RECORD_H
#define VS_DETECT_RECORD_H

#include "detect_feed.h"

#define DETECT_HEAD (64u << 10)
#define DETECT_TAIL (INSPECT_LARGE_SIZE - DETECT_HEAD)

/* With the context's rules, unless there is no time left for them. */
void detect_record_begin(struct detect_feed *feed, uint32_t len);
/* The next bytes, and what is found in them; in pieces of at most DETECT_SLICE. */
void detect_record_data(struct detect_feed *feed, const uint8_t *bytes, uint32_t len);
void detect_record_end(struct detect_feed *feed);

/* A name in it: a share's path, a pipe, a user. */
void detect_record_name(
	struct detect_feed *feed, enum rule_buffer buffer, const char *text, uint32_t len);

/* The bytes that were fed go away: copies what lies in them. */
void detect_record_settle(struct detect_feed *feed);

/* Gives back all that it has; its rest is not held against rules. */
void detect_record_drop(
	struct detect_record *record, unsigned direction, const struct detect_context *context);

/* The place of a call, counted from 0. */
static inline struct rule_dce_call *detect_record_call(struct detect_record *record, unsigned i)
{
	return &record->calls[i % DETECT_CALLS];
}

/* What rule_match() sees of it. */
void detect_record_input(const struct detect_record *record, struct rule_input *input);

#endif
