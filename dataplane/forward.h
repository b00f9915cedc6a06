/*
 * The way of a packet between input and output: parse, whose it is, learn, where to. Worker
 * threads.
 */
#ifndef VS_FORWARD_H
#define VS_FORWARD_H

#include "worker.h"

/* Takes over n <= BURST packets that a worker's queue of port gave. */
void forward_burst(struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n);

/* Takes over packets of port that another worker has handed over: this one owns them. */
void forward_handed(struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n);

/* An address that another worker met and that the home worker is to learn. */
struct fdb_message {
	uint64_t key;
	uint32_t serial; /* of the port */
	uint16_t network;
	uint16_t port;
};

/* Learns what other workers have posted; no more than budget messages. */
void forward_learn_posted(struct worker *w, unsigned budget);

#endif
