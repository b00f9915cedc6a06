/*
 * What the parsers of one message share with smb_flow, which makes it for each feed: where they
 * tell, where they read, and what is open on the connection.
 */
#ifndef VS_SMB_CONTEXT_H
#define VS_SMB_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "smb_event.h"
#include "smb_pipes.h"
#include "smb_walk.h"

struct smb_context {
	struct smb_sink sink;
	struct smb_walk *walk; /* of the sink's direction */
	struct smb_stream *stream;
	struct smb_pipes *pipes;
	uint8_t raw_due; /* a bit for each enum smb_direction: a record without a magic may come */
};

#endif
