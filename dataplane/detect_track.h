/*
 * Bytes that go over several records: the data of files that are read or written in order, and
 * DCERPC stubs. Each has a Hyperscan stream that goes on from record to record, and its last bytes.
 * Where there is no room for another, the one longest unused ends.
 */
#ifndef VS_DETECT_TRACK_H
#define VS_DETECT_TRACK_H

#include "detect_feed.h"

/* A piece of the record at hand is file data: a message said so. */
void detect_track_file(struct detect_feed *feed, const struct smb_event *event);
/* More bytes of the record are there (feed->piece): what of them is file data goes on. */
void detect_track_piece(struct detect_feed *feed);

/* Stub data of the pipe at hand. */
void detect_track_stub(struct detect_feed *feed, const struct smb_event *event);

/* The record ends: what its last track waits for is looked at as of now. */
void detect_track_record_end(struct detect_feed *feed);

void detect_track_drop(struct detect_flow *flow, unsigned i, const struct detect_context *context);

/* What rule_match() sees of it. at_end: as if nothing more came. */
struct rule_data detect_track_window(const struct detect_track *track, bool at_end);

#endif
