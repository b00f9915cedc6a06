#include "trunk_rx.h"

#include <rte_cycles.h>

#include "trunk_port.h"
#include "trunk_tx.h"

#define LOOK_US 2 /* between two looks into an empty queue that several ports share */

#define TAG_FLAGS                                                                                  \
	(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED) /* the tag is popped by then            \
							    */

struct trunk_inbox trunk_taken;

/* A frame that is for no port; the fault says why. */
static void stray(struct trunk_strays *strays, int fault, struct rte_mbuf *m)
{
	_Atomic uint64_t *counter = fault == TRUNK_TAG_SHORT    ? &strays->too_short
				    : fault == TRUNK_TAG_DOUBLE ? &strays->double_tag
				    : fault == 0                ? &strays->untagged
								: &strays->unknown_vlan;

	trunk_count(counter, 1);
	rte_pktmbuf_free(m);
}

/* The inbox of whom m is for, which has no tag any more; NULL: nobody's. */
static struct trunk_inbox *find_inbox(
	struct trunk *trunk, uint16_t queue, uint16_t vlan, struct rte_mbuf *m)
{
	struct trunk_underlay *underlay = atomic_load_explicit(
		&trunk->underlay, memory_order_acquire);
	struct trunk_inbox *to = NULL;
	struct trunk_port *port;

	if (unlikely(underlay != NULL) && underlay->vlan == vlan)
		to = underlay->receive(underlay, queue, m);
	if (to != NULL)
		return to;
	port = atomic_load_explicit(&trunk->ports[vlan], memory_order_acquire);
	return port != NULL ? &port->inbox : NULL;
}

/* Keeps those of pkts that are own's, in front; returns how many. */
static uint16_t spread(struct trunk *trunk, struct trunk_inbox *own, uint16_t queue,
	struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		struct trunk_inbox *to = NULL;
		int vlan = trunk_tag_pop(m, trunk->conf.qinq);

		m->ol_flags &= ~TAG_FLAGS;
		if (vlan >= 0)
			to = find_inbox(trunk, queue, (uint16_t)vlan, m);
		if (to == NULL) {
			stray(&trunk->rx[queue].strays, vlan, m);
		} else if (to == own) {
			m->port = own->dev->id;
			pkts[kept++] = m;
		} else if (to != TRUNK_TAKEN) {
			trunk_inbox_put(to, queue, m);
		}
	}
	return kept;
}

/* With the queue taken. */
static uint16_t look(struct trunk *trunk, struct trunk_inbox *own, uint16_t queue,
	struct rte_mbuf **pkts, uint16_t n)
{
	/* Who had the queue before may have left us older ones. */
	uint16_t got = trunk_inbox_take(own, queue, pkts, n);

	if (got > 0)
		return got;
	got = trunk->ops->rx_burst(trunk, queue, pkts, n);
	if (got == 0)
		atomic_store_explicit(&trunk->rx[queue].looked, rte_rdtsc(), memory_order_relaxed);
	return got > 0 ? spread(trunk, own, queue, pkts, got) : 0;
}

/* Another port has just found it empty. Who is about to sleep must see that for himself. */
static bool is_fresh(const struct trunk *trunk, const struct trunk_inbox *inbox, uint16_t queue)
{
	uint64_t looked = atomic_load_explicit(&trunk->rx[queue].looked, memory_order_relaxed);

	return rte_rdtsc() - looked < LOOK_US * (rte_get_tsc_hz() / 1000000) &&
	       !(atomic_load_explicit(&inbox->armed, memory_order_relaxed) & (1u << queue));
}

uint16_t trunk_receive(struct trunk *trunk, struct trunk_inbox *inbox, uint16_t queue,
	struct rte_mbuf **pkts, uint16_t n)
{
	struct trunk_rx_queue *q = &trunk->rx[queue];
	uint16_t got = trunk_inbox_take(inbox, queue, pkts, n);

	trunk_tx_poll(trunk);
	if (got > 0 || is_fresh(trunk, inbox, queue) ||
		atomic_load_explicit(&q->taken, memory_order_relaxed) ||
		atomic_exchange_explicit(&q->taken, true, memory_order_acquire))
		return got;
	got = look(trunk, inbox, queue, pkts, n);
	atomic_store_explicit(&q->taken, false, memory_order_release);
	return got;
}

int trunk_rx_fd(struct trunk *trunk, uint16_t queue)
{
	return trunk->ops->rx_fd != NULL ? trunk->ops->rx_fd(trunk, queue) : PORT_FD_NONE;
}
