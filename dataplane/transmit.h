/*
 * The way out: collects packets by destination port over a pass, completes what the destination
 * can't take (offload.h), spreads them over its ready queues and sends. Worker threads; the buffers
 * belong to the worker.
 */
#ifndef VS_TRANSMIT_H
#define VS_TRANSMIT_H

#include "worker.h"

/* Takes m over, bound for port `to`. m may be shared. m->hash.rss is its flow hash. */
void transmit(struct worker *w, const struct port *to, struct rte_mbuf *m);

/* The same for n <= BURST packets, in order. A full burst goes out at once where nothing waits. */
void transmit_burst(struct worker *w, const struct port *to, struct rte_mbuf **pkts, unsigned n);

/* Sends all that was collected; what does not go is dropped with a reason at its port. */
void transmit_flush(struct worker *w);

#endif
