#include <rte_branch_prediction.h>
#include <rte_cycles.h>

#include "offload.h"
#include "transmit.h"

#define FRAMES_MAX (BURST + OFFLOAD_SEGMENTS_MAX)

static uint64_t bytes_of(struct rte_mbuf *const *pkts, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	return bytes;
}

static void drop_out(struct worker *w, const struct port *to, struct rte_mbuf **pkts, unsigned n,
	enum drop_reason reason)
{
	if (n == 0)
		return;
	counter_add(worker_drops(w, to->id, reason), n);
	rte_pktmbuf_free_bulk(pkts, n);
}

/*
 * Sends to one queue. Tries again only while the receiver takes something, and no more than the
 * port's retries: a slow guest costs its own packets, not the others' time.
 */
static void send_queue(
	struct worker *w, const struct port *to, unsigned queue, struct rte_mbuf **pkts, unsigned n)
{
	struct port_dev *dev = to->dev;
	struct port_counters *counters = &w->counters[to->id];
	uint64_t bytes = bytes_of(pkts, n);
	unsigned sent = 0;

	for (unsigned tries = 0; sent < n && tries <= to->tx_retries + n / BURST; tries++) {
		unsigned chunk = n - sent < BURST ? n - sent : BURST;
		unsigned taken = dev->driver->tx_burst(dev, queue, pkts + sent, chunk);

		if (taken == 0)
			break;
		sent += taken;
	}
	if (unlikely(sent < n))
		bytes -= bytes_of(pkts + sent, n - sent);
	counter_add(&counters->sent, sent);
	counter_add(&counters->sent_bytes, bytes);
	drop_out(w, to, pkts + sent, n - sent, DROP_tx_full);
}

/* The bit number of the index-th set bit of mask. */
static unsigned nth_bit(uint32_t mask, unsigned index)
{
	while (index-- > 0)
		mask &= mask - 1;
	return __builtin_ctz(mask);
}

/*
 * Which of its `ready` queues a packet goes to. Each queue belongs to one of the network's workers
 * where there are enough of them, since the vhost library locks a queue for each burst.
 */
static unsigned choose_queue(unsigned rank, unsigned n_ranks, uint32_t ready, uint32_t hash)
{
	unsigned n = __builtin_popcount(ready);

	if (n <= n_ranks)
		return nth_bit(ready, rank % n);
	return nth_bit(ready, rank + n_ranks * (hash % ((n - rank + n_ranks - 1) / n_ranks)));
}

static unsigned rank_in_network(const struct worker *w, const struct network *net)
{
	for (unsigned i = 0; i < net->n_workers; i++)
		if (net->workers[i] == w->index)
			return i;
	return 0;
}

static void send_frames(struct worker *w, const struct port *to, uint32_t ready,
	struct rte_mbuf **frames, unsigned n)
{
	const struct network *net = w->snapshot->networks[to->network];
	unsigned rank = rank_in_network(w, net);
	struct rte_mbuf *some[FRAMES_MAX];
	uint8_t queues[FRAMES_MAX];

	if (likely((ready & (ready - 1)) == 0)) {
		send_queue(w, to, __builtin_ctz(ready), frames, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		queues[i] = choose_queue(rank, net->n_workers, ready, frames[i]->hash.rss);
	for (; ready != 0; ready &= ready - 1) {
		unsigned queue = __builtin_ctz(ready), k = 0;

		for (unsigned i = 0; i < n; i++)
			if (queues[i] == queue)
				some[k++] = frames[i];
		if (k > 0)
			send_queue(w, to, queue, some, k);
	}
}

/* Appends to frames what m becomes for this receiver; returns how many frames that is. */
static unsigned complete(struct worker *w, const struct port *to, uint32_t caps, uint32_t mtu,
	struct rte_mbuf *m, struct rte_mbuf **frames)
{
	struct port_counters *counters = &w->counters[to->id];
	uint32_t hash = m->hash.rss;
	int n = offload_complete(m, caps, mtu, port_env.pool, frames, OFFLOAD_SEGMENTS_MAX);

	if (n < 0) {
		drop_out(w, to, &m, 1, (enum drop_reason)(-n - 1));
		return 0;
	}
	for (int i = 0; i < n; i++)
		frames[i]->hash.rss = hash;
	counter_add(&counters->offered, n - 1);
	counter_add(&counters->copies, n - 1);
	return n;
}

static void flush_buffer(struct worker *w, const struct port *to, struct tx_buffer *buffer)
{
	uint32_t ready = atomic_load_explicit(&to->dev->tx_ready, memory_order_acquire);
	uint32_t caps = atomic_load_explicit(&to->dev->tx_caps, memory_order_relaxed);
	uint32_t mtu = atomic_load_explicit(&to->dev->mtu, memory_order_relaxed);
	struct rte_mbuf *frames[FRAMES_MAX];
	unsigned n = buffer->n, n_frames = 0;

	buffer->n = 0;
	counter_add(&w->counters[to->id].offered, n);
	if (unlikely(ready == 0)) {
		drop_out(w, to, buffer->pkts, n, DROP_tx_not_ready);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = buffer->pkts[i];

		if (likely(offload_fits(m, caps, mtu))) {
			frames[n_frames++] = m;
			continue;
		}
		/* One packet may become many: send what waits, to have room and to keep the order.
		 */
		if (n_frames > 0)
			send_frames(w, to, ready, frames, n_frames);
		n_frames = complete(w, to, caps, mtu, m, frames);
	}
	if (n_frames > 0)
		send_frames(w, to, ready, frames, n_frames);
}

static void flush_port(struct worker *w, const struct port *to, struct tx_buffer *buffer)
{
	unsigned n = buffer->n;
	uint64_t start = rte_rdtsc();

	flush_buffer(w, to, buffer);
	worker_stage_count(w, STAGE_TX, n, rte_rdtsc() - start);
}

void transmit(struct worker *w, const struct port *to, struct rte_mbuf *m)
{
	struct tx_buffer *buffer = &w->tx[to->id];

	if (!buffer->listed) {
		buffer->listed = true;
		w->dirty[w->n_dirty++] = to->id;
	}
	buffer->pkts[buffer->n++] = m;
	if (buffer->n == BURST)
		flush_port(w, to, buffer);
}

void transmit_flush(struct worker *w)
{
	for (unsigned i = 0; i < w->n_dirty; i++) {
		uint16_t id = w->dirty[i];
		struct tx_buffer *buffer = &w->tx[id];

		buffer->listed = false;
		if (buffer->n > 0)
			flush_port(w, w->snapshot->ports[id], buffer);
	}
	w->n_dirty = 0;
}
