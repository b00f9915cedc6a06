#include "kernel_queue.h"

#include <stdlib.h>

static struct rte_ring *queue_ring(unsigned flags)
{
	/* One slot stays empty, so it is made of twice the slots. */
	struct rte_ring *ring = aligned_alloc(
		RTE_CACHE_LINE_SIZE, rte_ring_get_memsize(2 * KERNEL_QUEUE_PACKETS));

	if (ring != NULL)
		rte_ring_init(ring, "kernel", KERNEL_QUEUE_PACKETS, flags | RING_F_EXACT_SZ);
	return ring;
}

static void queue_exit(struct rte_ring *ring)
{
	struct rte_mbuf *m;

	if (ring == NULL)
		return;
	while (rte_ring_dequeue(ring, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	free(ring);
}

static uint32_t queue_segments(struct rte_mbuf **pkts, unsigned n)
{
	uint32_t segments = 0;

	for (unsigned i = 0; i < n; i++)
		segments += pkts[i]->nb_segs;
	return segments;
}

int kernel_rx_queue_init(struct kernel_rx_queue *queue)
{
	queue->ring = queue_ring(RING_F_SP_ENQ | RING_F_SC_DEQ);
	return queue->ring != NULL ? 0 : -1;
}

int kernel_tx_queue_init(struct kernel_tx_queue *queue)
{
	/* RTS: a worker that lost its core between two stores holds up no other one. */
	queue->ring = queue_ring(RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
	return queue->ring != NULL ? 0 : -1;
}

void kernel_rx_queue_exit(struct kernel_rx_queue *queue)
{
	queue_exit(queue->ring);
}

void kernel_tx_queue_exit(struct kernel_tx_queue *queue)
{
	queue_exit(queue->ring);
}

static uint32_t rx_waiting(const struct kernel_rx_queue *queue)
{
	/* In this order: what was taken had been put before. */
	uint32_t taken = atomic_load_explicit(&queue->taken, memory_order_acquire);

	return atomic_load_explicit(&queue->put, memory_order_relaxed) - taken;
}

static bool rx_half_empty(const struct kernel_rx_queue *queue)
{
	return rte_ring_free_count(queue->ring) >= KERNEL_QUEUE_PACKETS / 2 &&
	       rx_waiting(queue) <= KERNEL_RX_SEGMENTS / 2;
}

unsigned kernel_rx_queue_room(struct kernel_rx_queue *queue, unsigned largest)
{
	unsigned packets = rte_ring_free_count(queue->ring);
	unsigned room = RTE_MIN(packets, (KERNEL_RX_SEGMENTS - rx_waiting(queue)) / largest);

	if (!atomic_load_explicit(&queue->stalled, memory_order_relaxed)) {
		if (room > 0)
			return room;
		atomic_store_explicit(&queue->stalled, true, memory_order_relaxed);
		atomic_fetch_add_explicit(&queue->stalls, 1, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst);
	}
	if (!rx_half_empty(queue))
		return 0;
	atomic_store_explicit(&queue->stalled, false, memory_order_relaxed);
	return RTE_MIN(packets, KERNEL_RX_SEGMENTS / 2 / largest);
}

bool kernel_rx_queue_put(struct kernel_rx_queue *queue, struct rte_mbuf **pkts, unsigned n)
{
	/* Counted before the worker can take them. */
	atomic_fetch_add_explicit(&queue->put, queue_segments(pkts, n), memory_order_relaxed);
	rte_ring_sp_enqueue_bulk(queue->ring, (void **)pkts, n, NULL);
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&queue->armed, memory_order_relaxed);
}

unsigned kernel_rx_queue_take(
	struct kernel_rx_queue *queue, struct rte_mbuf **pkts, unsigned n, bool *kick)
{
	uint32_t taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);

	*kick = false;
	n = rte_ring_sc_dequeue_burst(queue->ring, (void **)pkts, n, NULL);
	if (n == 0)
		return 0;
	atomic_store_explicit(&queue->taken, taken + queue_segments(pkts, n), memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	if (unlikely(atomic_load_explicit(&queue->stalled, memory_order_relaxed)))
		*kick = rx_half_empty(queue);
	return n;
}

void kernel_rx_queue_arm(struct kernel_rx_queue *queue, bool on)
{
	atomic_store_explicit(&queue->armed, on, memory_order_relaxed);
	if (on)
		atomic_thread_fence(memory_order_seq_cst);
}

unsigned kernel_tx_queue_put(struct kernel_tx_queue *queue, struct rte_mbuf **pkts, unsigned n)
{
	uint32_t used = atomic_load_explicit(&queue->segments, memory_order_relaxed);
	uint32_t segments = 0;
	unsigned fit, sent = 0;

	for (fit = 0; fit < n; fit++) {
		if (used + segments + pkts[fit]->nb_segs > KERNEL_TX_SEGMENTS)
			break;
		segments += pkts[fit]->nb_segs;
	}
	if (fit == 0)
		return 0;
	used = atomic_fetch_add_explicit(&queue->segments, segments, memory_order_acquire);
	/* Else another worker was faster, and the queue is full. */
	if (used + segments <= KERNEL_TX_SEGMENTS)
		sent = rte_ring_enqueue_burst(queue->ring, (void **)pkts, fit, NULL);
	/* Those that were not sent are still the caller's and may be looked at. */
	if (sent < fit)
		atomic_fetch_sub_explicit(&queue->segments, queue_segments(pkts + sent, fit - sent),
			memory_order_relaxed);
	return sent;
}

unsigned kernel_tx_queue_take(
	struct kernel_tx_queue *queue, struct rte_mbuf **pkts, unsigned n, unsigned *left)
{
	return rte_ring_sc_dequeue_burst(queue->ring, (void **)pkts, n, left);
}

void kernel_tx_queue_done(struct kernel_tx_queue *queue, struct rte_mbuf **pkts, unsigned n)
{
	uint32_t segments = queue_segments(pkts, n);

	rte_pktmbuf_free_bulk(pkts, n);
	atomic_fetch_sub_explicit(&queue->segments, segments, memory_order_release);
}
