/*
 * The way of a packet between input and output: parse and guard, whose it is, learn, where to, the
 * firewall. Worker threads.
 */
#ifndef VS_FORWARD_H
#define VS_FORWARD_H

#include "worker.h"

/* Takes over n <= BURST packets that a worker's queue of port gave. Returns how many bytes they
 * had. */
uint64_t forward_burst(
	struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n);

/* Takes over packets of port that another worker has handed over: this one owns them. */
void forward_handed(struct worker *w, const struct port *port, struct rte_mbuf **pkts, unsigned n);

#endif
