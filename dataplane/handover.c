#include <rte_prefetch.h>
#include <rte_ring.h>

#include "forward.h"
#include "handover.h"

static unsigned buffers_of(struct rte_mbuf *const *pkts, unsigned n)
{
	unsigned buffers = 0;

	for (unsigned i = 0; i < n; i++)
		buffers += pkts[i]->nb_segs;
	return buffers;
}

/*
 * Buffers that w has put into owner's ring and that are still there; more than that by what was
 * taken since the owner was asked last, unless it is more than `most`. Each question costs a line
 * that the owner writes with every burst.
 */
static uint32_t waiting(struct worker *w, const struct worker *owner, uint32_t most)
{
	uint16_t to = owner->index;

	if (w->posted[to] - w->known_taken[to] > most)
		w->known_taken[to] = atomic_load_explicit(
			&owner->taken[w->index], memory_order_acquire);
	return w->posted[to] - w->known_taken[to];
}

/*
 * A ring holds no more buffers than it has slots: with TSO a packet takes 30 and more, and what
 * waits for one worker must not be the pool of all ports. So what fits finds slots, too.
 */
static unsigned post(struct worker *w, unsigned to)
{
	struct rte_ring *ring = workers[to]->in[w->index];
	struct rte_mbuf **pkts = w->out[to];
	unsigned n = w->n_out[to], fit = 0;
	uint32_t capacity = rte_ring_get_capacity(ring), need = buffers_of(pkts, n);
	uint32_t most = capacity > need ? capacity - need : 0;
	uint32_t left = capacity - waiting(w, workers[to], most);

	for (; fit < n && pkts[fit]->nb_segs <= left; fit++)
		left -= pkts[fit]->nb_segs;
	w->posted[to] += buffers_of(pkts, fit);
	rte_ring_sp_enqueue_bulk(ring, (void **)pkts, fit, NULL);
	w->n_out[to] = 0;
	for (unsigned i = fit; i < n; i++)
		worker_drop(w, pkts[i]->port, pkts[i], DROP_handover_full);
	if (fit > 0)
		worker_wake(workers[to]);
	return fit;
}

void handover(struct worker *w, unsigned to, const struct port *port, struct rte_mbuf *m)
{
	/* A port removed meanwhile may leave its id to another one, in another network. */
	m->hash.fdir.hi = port->serial;
	w->out[to][w->n_out[to]++] = m;
	if (w->n_out[to] == BURST)
		post(w, to);
}

unsigned handover_flush(struct worker *w)
{
	unsigned posted = 0;

	for (unsigned to = 0; to < n_workers; to++)
		if (w->n_out[to] > 0)
			posted += post(w, to);
	return posted;
}

/* The port that m came in at, or NULL where that is gone. */
static const struct port *input_port(const struct worker *w, const struct rte_mbuf *m)
{
	const struct port *port = w->snapshot->ports[m->port];

	return port != NULL && port->serial == m->hash.fdir.hi ? port : NULL;
}

static void forward_runs(struct worker *w, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n;) {
		const struct port *port = input_port(w, pkts[i]);
		unsigned run = 1;

		if (port == NULL) {
			worker_drop(w, pkts[i]->port, pkts[i], DROP_port_gone);
			i++;
			continue;
		}
		while (i + run < n && input_port(w, pkts[i + run]) == port)
			run++;
		forward_handed(w, port, pkts + i, run);
		i += run;
	}
}

/*
 * What another core has written is in its cache: all of a burst is asked for at once, first where
 * each packet is and then its headers, so that the burst waits for it twice and not each packet.
 */
static void fetch(struct rte_mbuf *const *pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		rte_mbuf_prefetch_part1(pkts[i]);
		rte_mbuf_prefetch_part2(pkts[i]);
	}
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
}

/* Takes a burst, of n at the most, out of the ring that worker `from` fills. */
static unsigned receive(struct worker *w, unsigned from, unsigned n)
{
	struct rte_mbuf *pkts[BURST];
	uint64_t start = worker_clock(w);

	n = rte_ring_sc_dequeue_burst(w->in[from], (void **)pkts, n < BURST ? n : BURST, NULL);
	if (n == 0)
		return 0;
	fetch(pkts, n);
	atomic_store_explicit(&w->taken[from],
		atomic_load_explicit(&w->taken[from], memory_order_relaxed) + buffers_of(pkts, n),
		memory_order_release);
	worker_stage_count(w, STAGE_HANDOVER, n, worker_clock(w) - start);
	forward_runs(w, pkts, n);
	return n;
}

unsigned handover_receive(struct worker *w)
{
	unsigned total = 0;

	for (unsigned from = 0; from < n_workers; from++) {
		unsigned left = w->in[from] != NULL ? rte_ring_count(w->in[from]) : 0, n;

		for (; left > 0; left -= n, total += n) {
			n = receive(w, from, left);
			if (n == 0)
				break;
		}
	}
	return total;
}

bool handover_owners_keep_up(struct worker *w, const struct network *net)
{
	for (unsigned i = 0; i < net->n_workers; i++) {
		const struct worker *owner = workers[net->workers[i]];
		const struct rte_ring *ring = owner->in[w->index];
		uint32_t most = ring != NULL ? rte_ring_get_capacity(ring) / 4 : 0;

		if (ring != NULL && waiting(w, owner, most) > most)
			return false;
	}
	return true;
}
