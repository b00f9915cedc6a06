/*
 * SMB on one connection, both directions: fed with each direction's bytes in order, tells what is
 * in them (smb_event.h). The caller gives the memory; a feed allocates nothing, and takes time in
 * proportion to the messages in it and not to their data, which is passed over by its length.
 *
 * What is told does not depend on how the bytes were cut into feeds, only SMB_RECORD_DATA and
 * SMB_DCE_STUB come in the pieces that were fed. Direction is who sends: SMB_TO_SERVER is the side
 * that opened the connection. Where that is not known (SMB_FLOW_PARTIAL), side 0 is taken for it
 * until the first record, whose message may say otherwise: smb_flow_direction(). What is told then
 * is in doubt (enum smb_doubt) until the two directions agree (smb_opening.h); behind a gap it is
 * for good.
 *
 * A struct smb_flow is its connection's; any one thread at a time. Knows no ports, no tenants.
 */
#ifndef VS_SMB_FLOW_H
#define VS_SMB_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "nbss.h"
#include "smb1.h"
#include "smb2.h"
#include "smb_context.h"
#include "smb_event.h"

#define SMB_FLOW_PARTIAL (1u << 0) /* not seen from its SYN on, or one direction only */
#define SMB_FLOW_NETBIOS (1u << 1) /* port 139 */

#define SMB_FLOW_HELD 21 /* bytes of a record up to its message's reply flag */

enum smb_flow_result {
	SMB_FLOW_OK,
	SMB_FLOW_BROKEN, /* SMB_FOUND_framing was told; nothing more is parsed, whatever is fed */
};

struct smb_side {
	struct nbss nbss;
	struct smb_walk walk;
	struct smb_stream stream;
	uint64_t told; /* detections of this record */
	uint8_t parser; /* of this record */
	bool lost; /* it was not fed without a gap: where a record begins is found by looking */
	uint8_t doubt; /* enum smb_doubt: about this record */
	bool holding; /* this record until it is known who sends it */
	uint8_t n_held;
	uint8_t held[SMB_FLOW_HELD];
};

struct smb_flow {
	uint8_t flags;
	struct smb_opening opening;
	bool oriented; /* a message has shown which side is the client */
	bool swapped; /* direction 0 is the server's */
	bool broken;
	struct smb_side side[2]; /* by direction as fed */
	struct smb_pipes pipes;
	struct smb1 smb1;
	struct smb2 smb2;
};

/* flags: SMB_FLOW_*. */
void smb_flow_init(struct smb_flow *flow, unsigned flags);

/*
 * The next len bytes that side sent: 0 or 1, as enum smb_direction where known. handler gets arg
 * and each event.
 */
enum smb_flow_result smb_flow_feed(struct smb_flow *flow, unsigned side, const uint8_t *bytes,
	uint32_t len, smb_handler *handler, void *arg);

/*
 * Bytes of this side are missing, or were passed uninspected by policy: the connection is partial
 * from here on, and the side looks for its next record, which is in doubt.
 */
void smb_flow_gap(struct smb_flow *flow, unsigned side);

enum smb_direction smb_flow_direction(const struct smb_flow *flow, unsigned side);

/*
 * Whether the first bytes of a connection on any port are SMB, or NetBIOS' session service, which
 * carries it: 1 yes, 0 no, -1 not to be said yet. Eight bytes always decide.
 */
int smb_flow_recognise(const uint8_t *bytes, uint32_t len);

#endif
