/*
 * A TCP segment as it came, in one frame or several, as reassembly takes it (stream.h). Worker
 * threads; no state.
 */
#ifndef VS_INSPECT_SEGMENT_H
#define VS_INSPECT_SEGMENT_H

#include "firewall.h"
#include "stream.h"

#define SEGMENT_PIECES_MAX 128 /* 64 KiB in buffers of 2 KiB are 33, in fragments 64 */

struct segment {
	struct stream_segment s;
	struct stream_piece pieces[SEGMENT_PIECES_MAX];
};

/* Fills in *segment, whose pieces point into the packet's buffers. False: it is in too many. */
bool segment_read(const struct firewall_packet *packet, struct segment *segment);

/*
 * Whether its checksum is right, as far as the sender has made one: a receiver drops what has a
 * wrong one, so it must not stand in the stream. open_ended: also where it is the pseudo-header's
 * alone, as in a capture taken before the sender's NIC completed it.
 */
bool segment_checksum_holds(const struct firewall_packet *packet, bool open_ended);

#endif
