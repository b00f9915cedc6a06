/*
 * Learning where MACs live, from the packets that come in. Worker threads. The table is its home
 * worker's; others post to it what they met, within limits.
 */
#ifndef VS_LEARN_H
#define VS_LEARN_H

#include "worker.h"

/* An address that another worker met and that the home worker is to learn. */
struct learn_message {
	uint64_t key;
	uint32_t serial; /* of the port */
	uint16_t network;
	uint16_t port;
};

/* The sender with this key (fdb_key()) came in at port; false where its address is configured on
 * another port of the network. */
bool learn(struct worker *w, const struct port *port, uint64_t key);

/* Learns what other workers have posted; no more than budget messages. */
void learn_posted(struct worker *w, unsigned budget);

#endif
