/*
 * Packets on their way to the worker that owns them: a ring for each pair of workers, filled in
 * bursts, bounded in packets and in buffers. A full ring drops with handover_full at the packet's
 * input port.
 */
#ifndef VS_HANDOVER_H
#define VS_HANDOVER_H

#include "worker.h"

/* Takes m over, which came in at port, bound for worker `to`. */
void handover(struct worker *w, unsigned to, const struct port *port, struct rte_mbuf *m);

/* Posts all that was collected. Returns how many packets. */
unsigned handover_flush(struct worker *w);

/* Forwards what other workers have handed over; a burst from each. Returns how many packets. */
unsigned handover_receive(struct worker *w);

#endif
