#include "trunk_inbox.h"

#include <stdlib.h>
#include <string.h>

#define RING_FRAMES 512 /* for a port whose worker is slower than the one that looks */

static struct rte_ring *ring_new(void)
{
	struct rte_ring *ring = aligned_alloc(
		RTE_CACHE_LINE_SIZE, (size_t)rte_ring_get_memsize(RING_FRAMES));

	if (ring != NULL)
		rte_ring_init(ring, "uplink", RING_FRAMES, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return ring;
}

int trunk_inbox_init(struct trunk_inbox *inbox, struct port_dev *dev, unsigned queues)
{
	memset(inbox, 0, sizeof(*inbox));
	inbox->dev = dev;
	for (unsigned q = 0; q < queues; q++) {
		inbox->rings[q] = ring_new();
		if (inbox->rings[q] == NULL) {
			trunk_inbox_fini(inbox);
			return -1;
		}
	}
	return 0;
}

void trunk_inbox_fini(struct trunk_inbox *inbox)
{
	struct rte_mbuf *m;

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		while (inbox->rings[q] != NULL &&
			rte_ring_sc_dequeue(inbox->rings[q], (void **)&m) == 0)
			rte_pktmbuf_free(m);
		free(inbox->rings[q]);
		inbox->rings[q] = NULL;
	}
}

void trunk_inbox_put(struct trunk_inbox *inbox, uint16_t queue, struct rte_mbuf *m)
{
	if (rte_ring_sp_enqueue(inbox->rings[queue], m) != 0) {
		atomic_fetch_add_explicit(&inbox->overflow, 1, memory_order_relaxed);
		rte_pktmbuf_free(m);
	}
	/* Who sleeps arms, fences and looks once more: one of the two sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&inbox->armed, memory_order_relaxed) & (1u << queue))
		port_env.wake(inbox->dev);
}

uint16_t trunk_inbox_take(
	struct trunk_inbox *inbox, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	n = (uint16_t)rte_ring_sc_dequeue_burst(inbox->rings[queue], (void **)pkts, n, NULL);
	for (uint16_t i = 0; i < n; i++)
		pkts[i]->port = inbox->dev->id;
	return n;
}

void trunk_inbox_notify(struct trunk_inbox *inbox, uint16_t queue, bool on)
{
	if (on)
		atomic_fetch_or(&inbox->armed, 1u << queue);
	else
		atomic_fetch_and(&inbox->armed, ~(1u << queue));
	atomic_thread_fence(memory_order_seq_cst);
}
