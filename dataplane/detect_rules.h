/*
 * Rules that may match what is there, in their order: those that a hit of the database named, and
 * those that have nothing to be searched for. Each stays on a bounded list until its answer is
 * final.
 */
#ifndef VS_DETECT_RULES_H
#define VS_DETECT_RULES_H

#include "detect_feed.h"

enum detect_when {
	DETECT_SO_FAR, /* more may come */
	DETECT_PAUSE, /* more may come, but what is not there counts as absent */
	DETECT_FINAL, /* what waits is over */
};

/*
 * A rule for the record (track NULL) or track at hand. A full list is evaluated first; where it
 * stays full, the rule has its only chance now.
 */
void detect_rules_add(struct detect_feed *feed, struct detect_track *track, uint32_t rule);
/* The rules of what was found in buffer. */
void detect_rules_add_hits(struct detect_feed *feed, struct detect_track *track,
	enum rule_buffer buffer, const struct rule_hits *hits);

/*
 * The track begins anew with what was found in its bytes so far: what of that matched before is not
 * told again, and what waited before it waits on.
 */
void detect_rules_merge(
	struct detect_feed *feed, struct detect_track *track, const struct detect_pending *before);

/* Evaluates the list; matches act. */
void detect_rules_run(struct detect_feed *feed, struct detect_track *track, enum detect_when when);

/* One rule, now or never. */
void detect_rules_try(struct detect_feed *feed, struct detect_track *track, uint32_t rule);

/* Rules that packets alone decide; and whether any of them fits so far that it is worth while. */
void detect_rules_packet(struct detect_feed *feed);
bool detect_rules_packet_fits(const struct detect_engine *engine, enum rule_direction direction,
	const struct rule_packet *packet);

#endif
