/*
 * The packet that a question to explain() is about, as bytes: given in hex, or the first packet of
 * the connection that the words describe.
 */
#ifndef VS_EXPLAIN_FRAME_H
#define VS_EXPLAIN_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "explain.h"

struct explain_frame {
	unsigned from; /* port, index into config.ports */
	int to; /* port that has the address; -1: find it by its MAC */
	bool given; /* in hex: it is this packet that is asked about, not one like it */
	uint32_t len;
	uint8_t data[EXPLAIN_FRAME_MAX];
};

/* False with a message in err. */
bool explain_frame_make(const struct config *config, const struct explain_question *question,
	struct explain_frame *frame, char *err, size_t err_len);

#endif
