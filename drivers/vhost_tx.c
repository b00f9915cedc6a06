#include "vhost_tx.h"

#include <rte_branch_prediction.h>
#include <rte_vhost.h>

#include "port_driver.h"

#define OPEN (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

static bool shared(const struct rte_mbuf *m)
{
	return rte_mbuf_refcnt_read(m) != 1 || RTE_MBUF_CLONED(m);
}

static unsigned headers(const struct rte_mbuf *m)
{
	return m->l2_len + m->l3_len + m->l4_len;
}

/*
 * Whether the library would write what must stay as it is. It leaves packets alone whose headers
 * are in pieces already.
 */
static bool must_shield(const struct rte_mbuf *m)
{
	if (!(m->ol_flags & OPEN) || headers(m) == 0 || m->data_len < headers(m))
		return false;
	return (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) || shared(m);
}

/*
 * The same packet in a chain of indirect buffers whose first one ends a byte short of its headers:
 * the library sums no pseudo-header then (rte_net_intel_cksum_flags_prepare() wants the headers in
 * one piece), and describes the packet to the guest all the same. NULL: no buffer.
 */
static struct rte_mbuf *shield(struct rte_mbuf *m, struct rte_mempool *pool)
{
	uint16_t first = headers(m) - 1;
	struct rte_mbuf *parts[2];

	if (rte_pktmbuf_alloc_bulk(pool, parts, 2) != 0)
		return NULL;
	for (unsigned i = 0; i < 2; i++)
		rte_pktmbuf_attach(parts[i], m);
	parts[0]->data_len = first;
	parts[0]->pkt_len = m->pkt_len;
	parts[0]->nb_segs = m->nb_segs + 1;
	parts[0]->next = parts[1];
	parts[1]->data_off += first;
	parts[1]->data_len -= first;
	parts[1]->next = m->next;
	return parts[0];
}

/* The segments behind the first are m's own. */
static void unshield(struct rte_mbuf *head)
{
	head->next->next = NULL;
	head->nb_segs = 2;
	rte_pktmbuf_free(head);
}

static uint16_t burst_shielded(
	int vid, uint16_t ring, struct rte_mbuf **pkts, uint16_t n, struct rte_mempool *pool)
{
	struct rte_mbuf *out[PORT_BURST_MAX];
	uint16_t ready, sent;

	for (ready = 0; ready < n; ready++) {
		struct rte_mbuf *m = pkts[ready];

		out[ready] = must_shield(m) ? shield(m, pool) : m;
		if (out[ready] == NULL)
			break;
	}
	sent = rte_vhost_enqueue_burst(vid, ring, out, ready);
	for (uint16_t i = 0; i < ready; i++)
		if (out[i] != pkts[i])
			unshield(out[i]);
	return sent;
}

/*
 * rte_pktmbuf_free_bulk() for what is usual here: packets of one segment, out of one pool. It takes
 * 15 instructions a packet where that, which keeps lists by pool, takes 41.
 */
static void free_burst(struct rte_mbuf **pkts, uint16_t n, struct rte_mempool *pool)
{
	struct rte_mbuf *done[PORT_BURST_MAX];
	unsigned n_done = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (unlikely(m->nb_segs > 1 || m->pool != pool))
			rte_pktmbuf_free(m);
		else if (likely((m = rte_pktmbuf_prefree_seg(m)) != NULL))
			done[n_done++] = m;
	}
	rte_mempool_put_bulk(pool, (void **)done, n_done);
}

uint16_t vhost_tx_burst(
	int vid, uint16_t ring, struct rte_mbuf **pkts, uint16_t n, struct rte_mempool *pool)
{
	uint64_t flags = 0;
	uint16_t sent;

	for (uint16_t i = 0; i < n; i++)
		flags |= pkts[i]->ol_flags;
	if (likely(!(flags & OPEN)))
		sent = rte_vhost_enqueue_burst(vid, ring, pkts, n);
	else
		sent = burst_shielded(vid, ring, pkts, n, pool);
	if (likely(sent > 0))
		free_burst(pkts, sent, pool);
	return sent;
}
