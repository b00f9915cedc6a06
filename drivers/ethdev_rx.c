#include "ethdev_rx.h"

#include <rte_cycles.h>

#define LOOK_US 2 /* between two looks into an empty queue that several ports share */

/*
 * To the switch these say what a guest left open, not what a device found: NONE would be a sum to
 * be completed. The device was asked for none of it.
 */
#define IGNORED_FLAGS                                                                              \
	(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_VLAN |                    \
		RTE_MBUF_F_RX_VLAN_STRIPPED)

static uint16_t take(struct ethdev_port *port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	n = (uint16_t)rte_ring_sc_dequeue_burst(port->rings[queue], (void **)pkts, n, NULL);
	for (uint16_t i = 0; i < n; i++)
		pkts[i]->port = port->dev.id;
	return n;
}

/* A frame that is for no port; the fault says why. */
static void stray(struct ethdev_strays *strays, int fault, struct rte_mbuf *m)
{
	_Atomic uint64_t *counter = fault == ETHDEV_TAG_SHORT    ? &strays->too_short
				    : fault == ETHDEV_TAG_DOUBLE ? &strays->double_tag
				    : fault == 0                 ? &strays->untagged
								 : &strays->unknown_vlan;

	ethdev_count(counter, 1);
	rte_pktmbuf_free(m);
}

/* Into the ring of another port. The ring has one producer: who has the queue. */
static void pass_on(struct ethdev_port *to, uint16_t queue, struct rte_mbuf *m)
{
	if (rte_ring_sp_enqueue(to->rings[queue], m) != 0) {
		ethdev_count(&to->counters.rx_overflow, 1);
		rte_pktmbuf_free(m);
	}
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&to->armed, memory_order_relaxed) & (1u << queue))
		port_env.wake(&to->dev);
}

/* Keeps those of pkts that are port's own, in front; returns how many. */
static uint16_t spread(struct ethdev_port *port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct ethdev_device *device = port->device;
	uint16_t own = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		struct ethdev_port *to = NULL;
		int vlan;

		vlan = ethdev_tag_pop(m, device->conf.qinq);
		if (vlan >= 0)
			to = atomic_load_explicit(&device->ports[vlan], memory_order_acquire);
		if (to == NULL) {
			stray(&device->queues[queue].strays, vlan, m);
			continue;
		}
		m->ol_flags &= ~IGNORED_FLAGS;
		m->port = to->dev.id;
		if (to == port)
			pkts[own++] = m;
		else
			pass_on(to, queue, m);
	}
	return own;
}

/* With the queue taken. */
static uint16_t look(struct ethdev_port *port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct ethdev_device *device = port->device;
	/* Who had the queue before may have left us older ones. */
	uint16_t got = take(port, queue, pkts, n);

	if (got > 0)
		return got;
	got = rte_eth_rx_burst(device->eth, queue, pkts, n);
	if (got == 0)
		atomic_store_explicit(
			&device->queues[queue].looked, rte_rdtsc(), memory_order_relaxed);
	return got > 0 ? spread(port, queue, pkts, got) : 0;
}

/* Another port has just found it empty. */
static bool is_fresh(const struct ethdev_device *device, uint16_t queue)
{
	uint64_t looked = atomic_load_explicit(&device->queues[queue].looked, memory_order_relaxed);

	return rte_rdtsc() - looked < LOOK_US * (rte_get_tsc_hz() / 1000000);
}

uint16_t ethdev_rx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct ethdev_port *port = ethdev_port(dev);
	struct ethdev_queue *q = &port->device->queues[queue];
	uint16_t got = take(port, queue, pkts, n);

	if (got > 0 || is_fresh(port->device, queue) ||
		atomic_load_explicit(&q->taken, memory_order_relaxed) ||
		atomic_exchange_explicit(&q->taken, true, memory_order_acquire))
		return got;
	got = look(port, queue, pkts, n);
	atomic_store_explicit(&q->taken, false, memory_order_release);
	return got;
}
