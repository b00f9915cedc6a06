#include <rte_branch_prediction.h>

#include "offload.h"
#include "transmit.h"

#define FRAMES_MAX (BURST + OFFLOAD_SEGMENTS_MAX)

/* What the far end of a port takes, as its driver says at the moment. */
struct receiver {
	uint32_t ready; /* queues */
	uint32_t caps; /* PORT_TX_* */
	uint32_t mtu;
};

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

static void spread_frames(struct worker *w, const struct port *to, uint32_t ready,
	struct rte_mbuf **frames, unsigned n)
{
	const struct network *net = w->snapshot->networks[to->network];
	unsigned rank = rank_in_network(w, net);
	struct rte_mbuf *some[FRAMES_MAX];
	uint8_t queues[FRAMES_MAX];

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

static void send_frames(struct worker *w, const struct port *to, uint32_t ready,
	struct rte_mbuf **frames, unsigned n)
{
	if (likely((ready & (ready - 1)) == 0))
		send_queue(w, to, __builtin_ctz(ready), frames, n);
	else
		spread_frames(w, to, ready, frames, n);
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

/* Some of the frames must be completed for this receiver. */
static void send_completed(struct worker *w, const struct port *to, const struct receiver *r,
	struct rte_mbuf **pkts, unsigned n)
{
	struct rte_mbuf *frames[FRAMES_MAX];
	unsigned n_frames = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (likely(offload_fits(m, r->caps, r->mtu))) {
			frames[n_frames++] = m;
			continue;
		}
		/* One packet may become many: send what waits, to have room and to keep the order.
		 */
		if (n_frames > 0)
			send_frames(w, to, r->ready, frames, n_frames);
		n_frames = complete(w, to, r->caps, r->mtu, m, frames);
	}
	if (n_frames > 0)
		send_frames(w, to, r->ready, frames, n_frames);
}

/* Whether any receiver takes all of these as they are, but for those too long for its mtu. */
static bool all_are_plain(struct rte_mbuf *const *pkts, unsigned n, uint32_t mtu)
{
	uint64_t flags = 0;
	uint32_t longest = 0;
	unsigned segments = 0;

	for (unsigned i = 0; i < n; i++) {
		flags |= pkts[i]->ol_flags;
		segments |= pkts[i]->nb_segs;
		longest = RTE_MAX(longest, pkts[i]->pkt_len - pkts[i]->l2_len);
	}
	return !(flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)) && segments == 1 &&
	       longest <= mtu;
}

static void send_all(struct worker *w, const struct port *to, struct rte_mbuf **pkts, unsigned n)
{
	const struct receiver r = {
		.ready = atomic_load_explicit(&to->dev->tx_ready, memory_order_acquire),
		.caps = atomic_load_explicit(&to->dev->tx_caps, memory_order_relaxed),
		.mtu = atomic_load_explicit(&to->dev->mtu, memory_order_relaxed),
	};
	uint64_t start = worker_clock(w);

	counter_add(&w->counters[to->id].offered, n);
	if (unlikely(r.ready == 0))
		drop_out(w, to, pkts, n, DROP_tx_not_ready);
	else if (likely(all_are_plain(pkts, n, r.mtu)))
		send_frames(w, to, r.ready, pkts, n);
	else
		send_completed(w, to, &r, pkts, n);
	worker_stage_count(w, STAGE_TX, n, worker_clock(w) - start);
}

static void flush_buffer(struct worker *w, const struct port *to, struct tx_buffer *buffer)
{
	unsigned n = buffer->n;

	buffer->n = 0;
	send_all(w, to, buffer->pkts, n);
}

void transmit_burst(struct worker *w, const struct port *to, struct rte_mbuf **pkts, unsigned n)
{
	struct tx_buffer *buffer = &w->tx[to->id];

	if (likely(n == BURST && buffer->n == 0)) {
		send_all(w, to, pkts, n);
		return;
	}
	if (!buffer->listed) {
		buffer->listed = true;
		w->dirty[w->n_dirty++] = to->id;
	}
	for (unsigned i = 0; i < n; i++) {
		buffer->pkts[buffer->n++] = pkts[i];
		if (buffer->n == BURST)
			flush_buffer(w, to, buffer);
	}
}

void transmit(struct worker *w, const struct port *to, struct rte_mbuf *m)
{
	transmit_burst(w, to, &m, 1);
}

void transmit_flush(struct worker *w)
{
	for (unsigned i = 0; i < w->n_dirty; i++) {
		uint16_t id = w->dirty[i];
		struct tx_buffer *buffer = &w->tx[id];

		buffer->listed = false;
		if (buffer->n > 0)
			flush_buffer(w, w->snapshot->ports[id], buffer);
	}
	w->n_dirty = 0;
}
