#include <rte_cycles.h>
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
 * A ring holds no more buffers than it has slots: with TSO a packet takes 30 and more, and what
 * waits for one worker must not be the pool of all ports. So what fits finds slots, too.
 */
static unsigned post(struct worker *w, unsigned to)
{
	struct rte_ring *ring = workers[to]->in[w->index];
	uint32_t taken = atomic_load_explicit(&workers[to]->taken[w->index], memory_order_acquire);
	uint32_t left = rte_ring_get_capacity(ring) - (w->posted[to] - taken);
	struct rte_mbuf **pkts = w->out[to];
	unsigned n = w->n_out[to], fit = 0;

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

unsigned handover_receive(struct worker *w)
{
	struct stage_stats *stats = &w->stats.stages[STAGE_HANDOVER];
	struct rte_mbuf *pkts[BURST];
	unsigned total = 0;

	for (unsigned from = 0; from < n_workers; from++) {
		uint64_t start = rte_rdtsc();
		unsigned n;

		if (w->in[from] == NULL)
			continue;
		n = rte_ring_sc_dequeue_burst(w->in[from], (void **)pkts, BURST, NULL);
		if (n == 0)
			continue;
		atomic_store_explicit(&w->taken[from],
			atomic_load_explicit(&w->taken[from], memory_order_relaxed) +
				buffers_of(pkts, n),
			memory_order_release);
		counter_add(&stats->packets, n);
		counter_add(&stats->bursts, 1);
		counter_add(&stats->cycles, rte_rdtsc() - start);
		forward_runs(w, pkts, n);
		total += n;
	}
	return total;
}
