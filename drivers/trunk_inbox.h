/*
 * Where frames wait that another port's worker took from a queue of the trunk: one ring for each of
 * the trunk's queues. Ports of the trunk have one, and so has whatever stands on its underlay.
 *
 * One producer at a time: the worker that has the queue. One consumer: the port's worker for it.
 */
#ifndef VS_TRUNK_INBOX_H
#define VS_TRUNK_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "port_driver.h"

struct trunk_inbox {
	struct port_dev *dev; /* whose frames these are: named in mbufs, and woken */
	_Atomic uint32_t armed; /* queues whose worker sleeps, a bit each */
	_Atomic uint64_t overflow; /* frames lost as dev's own workers did not keep up */
	struct rte_ring *rings[PORT_QUEUES_MAX];
};

/* 0, or -1 where memory is short. Control thread. */
int trunk_inbox_init(struct trunk_inbox *inbox, struct port_dev *dev, unsigned queues);

/* Frees what waits in it, too. Control thread; no worker uses it any more. */
void trunk_inbox_fini(struct trunk_inbox *inbox);

/* m is the inbox's from now on. Who has the trunk's queue. */
void trunk_inbox_put(struct trunk_inbox *inbox, uint16_t queue, struct rte_mbuf *m);

/* Up to n frames; mbuf->port is set. Worker of the queue. */
uint16_t trunk_inbox_take(
	struct trunk_inbox *inbox, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

/* struct port_driver's rx_notify. Worker of the queue. */
void trunk_inbox_notify(struct trunk_inbox *inbox, uint16_t queue, bool on);

#endif
