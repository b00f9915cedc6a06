/*
 * Walks one record: its parser says which bytes it wants next, gets them in one piece, and what
 * lies between is passed over by length, unread. Where the wanted bytes were fed in one piece they
 * are not even copied. Only forwards: what was passed over cannot be wanted any more.
 *
 * A struct smb_walk belongs to its direction's smb_flow.
 */
#ifndef VS_SMB_WALK_H
#define VS_SMB_WALK_H

#include <stdbool.h>
#include <stdint.h>

#define SMB_WINDOW                                                                                 \
	1024 /* bytes that can be wanted at once: a UNC path of 338 characters, twice              \
	      */

struct smb_walk {
	uint32_t record_len; /* with the NetBIOS header */
	uint32_t at; /* where the window begins */
	uint16_t want; /* its length; 0: nothing more is wanted of this record */
	uint16_t have; /* of it, in buf */
	uint8_t step; /* of the parser, for when it is there */
	uint8_t buf[SMB_WINDOW];
};

void smb_walk_begin(struct smb_walk *w, uint32_t record_len);

/*
 * Wants len bytes (at most SMB_WINDOW) at offset at. False, and nothing is wanted any more, where
 * that is not within the record, or begins before the end of the last window.
 */
bool smb_walk_want(struct smb_walk *w, uint32_t at, uint32_t len, uint8_t step);

/* Nothing more of this record. */
void smb_walk_stop(struct smb_walk *w);

/* The record's bytes at the end of the last window and behind it: may be wanted. */
uint32_t smb_walk_end(const struct smb_walk *w);

/*
 * The window, if the len bytes at offset complete it; else NULL, and what of them belongs to it is
 * kept. Then the window is done with: the parser's step runs on it, and wants the next.
 */
const uint8_t *smb_walk_window(
	struct smb_walk *w, const uint8_t *bytes, uint32_t len, uint32_t offset);

#endif
