/*
 * Packets on their way to the worker that owns them: a ring for each pair of workers, filled in
 * bursts, bounded in packets and in buffers. While an owner is behind with its ring, the queues of
 * its networks are not polled, so what it can't take waits at those who sent it. What does not fit
 * all the same is dropped with handover_full at the packet's input port.
 */
#ifndef VS_HANDOVER_H
#define VS_HANDOVER_H

#include "worker.h"

/* Takes m over, which came in at port, bound for worker `to`. */
void handover(struct worker *w, unsigned to, const struct port *port, struct rte_mbuf *m);

/* Posts all that was collected. Returns how many packets. */
unsigned handover_flush(struct worker *w);

/* Forwards what other workers have handed over so far. Returns how many packets. */
unsigned handover_receive(struct worker *w);

/* Whether every other owner of net has taken most of what w has put into its ring. */
bool handover_owners_keep_up(struct worker *w, const struct network *net);

/* Whether packets of net may be polled: a burst of them finds room with their owners. */
static inline bool handover_has_room(struct worker *w, const struct network *net)
{
	return (net->n_workers == 1 && net->home == w->index) || handover_owners_keep_up(w, net);
}

#endif
