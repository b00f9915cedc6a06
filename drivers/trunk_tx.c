#include "trunk_tx.h"

#include <stdlib.h>

#include <rte_ether.h>
#include <rte_lcore.h>

#include "trunk_port.h"

#define WAITING_FRAMES 512 /* of all workers that found a queue taken */
#define ROUNDS         4 /* of emptying its ring, before others are left to do it */

#define OPEN_FLAGS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

static bool is_ours_alone(const struct rte_mbuf *m)
{
	return rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m);
}

/* What a NIC cuts by is right; some stop sending for good when it is not. */
static bool can_be_cut(const struct trunk *trunk, const struct rte_mbuf *m)
{
	uint32_t headers = m->l2_len + m->l3_len + m->l4_len;

	return (trunk->tx_caps & PORT_TX_TSO4) && m->l3_len != 0 && m->l4_len != 0 &&
	       m->tso_segsz != 0 && headers < m->pkt_len &&
	       headers + m->tso_segsz <= trunk->longest;
}

bool trunk_takes(const struct trunk *trunk, const struct rte_mbuf *m)
{
	uint32_t caps = trunk->tx_caps;

	if (m->nb_segs > 1 && !(caps & PORT_TX_CHAINS))
		return false;
	if ((m->ol_flags & OPEN_FLAGS) &&
		(!(caps & PORT_TX_CSUM) ||
			(m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_SCTP_CKSUM))
		return false;
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		return can_be_cut(trunk, m);
	return m->pkt_len <= trunk->longest &&
	       (trunk->segments == 0 || m->nb_segs <= trunk->segments);
}

/* A tag of a guest's own would make the frame one of another VLAN, or of two. */
static bool may_be_tagged(const struct trunk_port *port, const struct rte_mbuf *m)
{
	return (port->vlan != 0 && port->trunk->conf.qinq) || !trunk_tag_is_there(m);
}

/*
 * What goes to the device for m: m itself, or a copy where others look at m too or it has no room
 * for the tag. NULL: no buffer. A copy need not be of one segment where m is: see trunk_takes().
 */
static struct rte_mbuf *prepare(const struct trunk_port *port, struct rte_mbuf *m)
{
	bool written = port->vlan != 0 || (m->ol_flags & OPEN_FLAGS);
	struct rte_mbuf *out = m;

	if (written &&
		(!is_ours_alone(m) || (port->vlan != 0 && rte_pktmbuf_headroom(m) < TRUNK_TAG_LEN)))
		out = rte_pktmbuf_copy(m, port_env.pool, 0, UINT32_MAX);
	if (out == NULL)
		return NULL;
	if (port->vlan != 0)
		trunk_tag_push(out, port->vlan);
	return out;
}

/* out, which prepare() made of m, does not go out now. */
static void unprepare(const struct trunk_port *port, struct rte_mbuf *m, struct rte_mbuf *out)
{
	if (out != m)
		rte_pktmbuf_free(out);
	else if (port->vlan != 0)
		trunk_tag_undo(out);
}

/*
 * Prepares up to n packets; returns for how many there were buffers. out[i] is NULL for one that
 * must not go out.
 */
static uint16_t prepare_all(
	struct trunk_port *port, struct rte_mbuf **pkts, struct rte_mbuf **out, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		out[i] = NULL;
		if (unlikely(rte_pktmbuf_data_len(m) < RTE_ETHER_HDR_LEN)) {
			trunk_count(&port->counters.tx_refused, 1);
			continue;
		}
		if (unlikely(!may_be_tagged(port, m))) {
			trunk_count(&port->counters.tx_double_tag, 1);
			continue;
		}
		out[i] = prepare(port, m);
		if (out[i] == NULL)
			return i;
		if (unlikely(!trunk_takes(port->trunk, out[i]))) {
			trunk_count(&port->counters.tx_refused, 1);
			unprepare(port, m, out[i]);
			out[i] = NULL;
		}
	}
	return n;
}

static bool take(struct trunk_tx_queue *q)
{
	return !atomic_load_explicit(&q->taken, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&q->taken, true, memory_order_acquire);
}

/* Who has the queue sends what waits in its ring. False: some of it still does. */
static bool send_waiting(struct trunk *trunk, uint16_t queue)
{
	struct trunk_tx_queue *q = &trunk->tx[queue];
	struct rte_mbuf *pkts[PORT_BURST_MAX];

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = rte_ring_dequeue_burst_start(
			q->waiting, (void **)pkts, PORT_BURST_MAX, NULL);
		bool refused = false;
		unsigned sent;

		if (n == 0)
			return true;
		sent = trunk->ops->tx_burst(trunk, queue, pkts, (uint16_t)n, &refused);
		if (refused) {
			rte_pktmbuf_free(pkts[sent++]);
			trunk_count(&q->refused, 1);
		}
		rte_ring_dequeue_finish(q->waiting, sent);
		if (sent < n && !refused)
			return false;
	}
	return rte_ring_empty(q->waiting);
}

/* Lets go of the queue, and sees to what came into its ring before that could be seen. */
static void let_go(struct trunk *trunk, uint16_t queue)
{
	struct trunk_tx_queue *q = &trunk->tx[queue];

	for (unsigned round = 0; round < ROUNDS; round++) {
		atomic_store_explicit(&q->taken, false, memory_order_release);
		atomic_thread_fence(memory_order_seq_cst);
		if (likely(rte_ring_empty(q->waiting)) || !take(q))
			return;
		if (!send_waiting(trunk, queue))
			break;
	}
	atomic_store_explicit(&q->taken, false, memory_order_release);
}

static uint16_t own_queue(const struct trunk *trunk)
{
	return (uint16_t)(rte_lcore_id() % trunk->conf.queues);
}

void trunk_tx_poll(struct trunk *trunk)
{
	uint16_t queue = own_queue(trunk);

	if (likely(rte_ring_empty(trunk->tx[queue].waiting)) || !take(&trunk->tx[queue]))
		return;
	send_waiting(trunk, queue);
	let_go(trunk, queue);
}

uint16_t trunk_send(struct trunk *trunk, struct rte_mbuf **pkts, uint16_t n, bool *refused)
{
	uint16_t queue = own_queue(trunk), sent = 0;
	struct trunk_tx_queue *q = &trunk->tx[queue];

	*refused = false;
	if (take(q)) {
		if (send_waiting(trunk, queue))
			sent = trunk->ops->tx_burst(trunk, queue, pkts, n, refused);
		let_go(trunk, queue);
		return sent;
	}
	sent = (uint16_t)rte_ring_enqueue_burst(q->waiting, (void **)pkts, n, NULL);
	/* Who had it may have looked into the ring before. */
	atomic_thread_fence(memory_order_seq_cst);
	trunk_tx_poll(trunk);
	return sent;
}

static struct rte_ring *ring_new(void)
{
	struct rte_ring *ring = aligned_alloc(
		RTE_CACHE_LINE_SIZE, (size_t)rte_ring_get_memsize(WAITING_FRAMES));

	/* RTS: a worker that lost its core between two stores holds up no other one. */
	if (ring != NULL)
		rte_ring_init(ring, "uplink_tx", WAITING_FRAMES, RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
	return ring;
}

int trunk_tx_init(struct trunk *trunk)
{
	for (unsigned q = 0; q < trunk->conf.queues; q++) {
		trunk->tx[q].waiting = ring_new();
		if (trunk->tx[q].waiting == NULL)
			return -1;
	}
	return 0;
}

unsigned trunk_tx_fini(struct trunk *trunk)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	for (unsigned q = 0; q < trunk->conf.queues; q++) {
		while (trunk->tx[q].waiting != NULL &&
			rte_ring_sc_dequeue(trunk->tx[q].waiting, (void **)&m) == 0) {
			rte_pktmbuf_free(m);
			n++;
		}
		free(trunk->tx[q].waiting);
	}
	return n;
}

/* The packet counts as sent with the caller, and as dropped with the port. */
static void drop(struct trunk_port *port, struct rte_mbuf *m)
{
	trunk_count(&port->dev.tx_late_drops, 1);
	rte_pktmbuf_free(m);
}

/* Sends the run of packets that may go out and begins at out[0]; returns how many are done with. */
static uint16_t send_run(struct trunk_port *port, struct rte_mbuf **pkts, struct rte_mbuf **out,
	uint16_t n, bool *full)
{
	uint16_t run = 0, sent;
	bool refused;

	while (run < n && out[run] != NULL)
		run++;
	sent = trunk_send(port->trunk, out, run, &refused);
	*full = sent < run && !refused;
	for (uint16_t i = 0; i < sent; i++)
		if (out[i] != pkts[i])
			rte_pktmbuf_free(pkts[i]);
	if (!refused)
		return sent;
	trunk_count(&port->counters.tx_refused, 1);
	unprepare(port, pkts[sent], out[sent]);
	drop(port, pkts[sent]);
	return sent + 1;
}

uint16_t trunk_tx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct trunk_port *port = trunk_port(dev);
	struct rte_mbuf *out[PORT_BURST_MAX], *originals[PORT_BURST_MAX];
	uint16_t ready, done = 0;
	bool full = false;

	n = RTE_MIN(n, (uint16_t)PORT_BURST_MAX);
	for (uint16_t i = 0; i < n; i++)
		originals[i] = pkts[i];
	ready = prepare_all(port, originals, out, n);
	while (done < ready && !full) {
		if (out[done] != NULL)
			done += send_run(port, originals + done, out + done, ready - done, &full);
		else
			drop(port, originals[done++]);
	}
	for (uint16_t i = done; i < ready; i++)
		if (out[i] != NULL)
			unprepare(port, originals[i], out[i]);
	return done;
}
