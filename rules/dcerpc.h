/*
 * DCERPC over one pipe: a push parser over the bytes that each side writes to it. Fragments (C706
 * chapter 12, MS-RPCE 2.2.2) may be cut anywhere by the writes that carry them.
 *
 * What is told: interfaces that are bound (SMB_DCE_BIND), each fragment of a request or response
 * (SMB_DCE_CALL) and its stub data in pieces (SMB_DCE_STUB). Bytes that are no DCERPC turn the
 * direction off until the pipe is closed: not every pipe carries it.
 *
 * A struct dcerpc belongs to its connection's smb_pipes.
 */
#ifndef VS_DCERPC_H
#define VS_DCERPC_H

#include <stdbool.h>
#include <stdint.h>

#include "smb_event.h"

#define DCERPC_CONTEXTS 8
#define DCERPC_STUB_MAX (1u << 20) /* of one call, as in Suricata */

struct dcerpc_context {
	uint8_t interface[16]; /* as in text form */
	uint16_t version;
	uint16_t id;
};

struct dcerpc_half {
	uint32_t left; /* bytes of the fragment that are still to come */
	uint32_t skip; /* of them, to pass over before the next step */
	uint32_t stub; /* stub bytes of the fragment still to come */
	uint32_t call;
	uint32_t told; /* stub bytes of the call so far */
	uint16_t context, opnum;
	uint8_t step;
	uint8_t have, want; /* bytes in buf */
	uint8_t type, flags;
	uint8_t contexts; /* of a bind, still to come */
	bool big_endian;
	bool stub_begun;
	bool limited; /* SMB_LIMIT_STUB was told for this call */
	uint8_t buf[24];
};

struct dcerpc {
	struct dcerpc_half half[2]; /* by enum smb_direction */
	struct dcerpc_context context[DCERPC_CONTEXTS];
	uint8_t n_contexts;
	bool recognised; /* a fragment was seen */
};

void dcerpc_init(struct dcerpc *d);

/* Bytes that the sink's direction wrote; offset: in the record. */
void dcerpc_feed(struct dcerpc *d, const struct smb_sink *sink, const uint8_t *bytes, uint32_t len,
	uint32_t offset);

#endif
