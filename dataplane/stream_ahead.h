/*
 * What a side of a stream has sent ahead of a gap: ranges of numbers, in order, apart from each
 * other, few. Internal to stream*.c.
 */
#ifndef VS_STREAM_AHEAD_H
#define VS_STREAM_AHEAD_H

#include "stream.h"

/* Adds a range that begins behind next. False: too many ranges or bytes, and nothing changed. */
bool stream_ahead_add(struct stream_side *side, uint32_t from, uint32_t to);

/* Takes out what begins at `to` or before it; where that ends, or else `to`. */
uint32_t stream_ahead_join(struct stream_side *side, uint32_t to);

/* The same, with nothing taken out. */
uint32_t stream_ahead_reach(const struct stream_side *side, uint32_t to);

#endif
