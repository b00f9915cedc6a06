/*
 * The input of a replay: frames of a capture file, each with the port that it enters at and a time
 * that never goes backwards, and the account of what the file held.
 *
 * With a `replay` mapping in the configuration a frame enters at the port that names its source
 * MAC; where none does, at the port with the longest prefix that holds its source address (IPv4,
 * IPv6, the sender of an ARP packet; VLAN tags are looked through); frames that no port names are
 * counted as unmapped and passed over. Without a mapping there are two ports, and replay_side says
 * which: the side that opens a conversation is 0, its peer 1.
 *
 * One owner, one thread. Needs the EAL where there is no mapping.
 */
#ifndef VS_REPLAY_H
#define VS_REPLAY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "capture_file.h"
#include "config.h"

struct replay;

/*
 * Opens the capture at path. config may be NULL; where it has a mapping, it stays the caller's and
 * must live as long as the replay. NULL on error, with a message in err that names the file and
 * what was expected.
 */
struct replay *replay_open(
	const char *path, const struct config *config, char *err, size_t err_len);

/*
 * 1: a frame, and in *slot its port: the index in config->ports with a mapping, else 0 or 1.
 * frame->ts_ns is at least that of the frame before. 0: the end. -1: the file breaks off here, see
 * replay_error(); what came before was good. The frame's bytes are valid until the next call.
 */
int replay_next(struct replay *replay, unsigned *slot, struct capture_frame *frame);

/* Where and why the file breaks off; NULL where it does not. */
const char *replay_error(const struct replay *replay);

/* True where path is the capture itself: writing there would destroy it. */
bool replay_is_input(const struct replay *replay, const char *path);

/*
 * What has been read so far; the caller owns the reference:
 *
 *     file, link_type      as opened
 *     frames               handed to the switch
 *     unmapped             frames that no port in the mapping names
 *     truncated            frames, of both kinds, that the capture holds only in part
 *     skipped              {link_type, payload, short}: packets that can't become Ethernet frames
 *     time_backwards       frames with an earlier time than the one before
 *     forgotten            conversations that the table of replay_side had no more room for
 *     broken_off           null, or where and why the file ends early
 *     first_ns, last_ns    since 1970; null without a frame
 */
json_t *replay_summary(const struct replay *replay);

void replay_close(struct replay *replay);

#endif
