/*
 * What the parsers of one message share with smb_flow, which makes it for each feed: where they
 * tell, where they read, and what is open on the connection.
 */
#ifndef VS_SMB_CONTEXT_H
#define VS_SMB_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "smb_event.h"
#include "smb_opening.h"
#include "smb_pipes.h"
#include "smb_walk.h"

/* SMB1's raw modes: what a message means for what is to come. A bit each. */
enum {
	SMB_RAW_READ = 1, /* the server's next record is raw data */
	SMB_RAW_ASKED = 2, /* the client wants to send raw data */
	SMB_RAW_GRANTED = 4, /* and may */
	SMB_RAW_REFUSED = 8,
};

struct smb_context {
	struct smb_sink sink;
	struct smb_walk *walk; /* of the sink's direction */
	struct smb_stream *stream;
	struct smb_pipes *pipes;
	struct smb_opening *opening;
	uint8_t raw; /* SMB_RAW_* that came while parsing */
};

#endif
