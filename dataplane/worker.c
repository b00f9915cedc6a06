#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "firewall.h"
#include "forward.h"
#include "handover.h"
#include "inspect.h"
#include "learn.h"
#include "transmit.h"
#include "worker.h"

#define HANDOVER_RING        1024 /* packets, and buffers, from one worker to another */
#define LEARN_RING           4096 /* addresses posted to a home worker */
#define LEARN_BUDGET         64 /* of those, in one pass */
#define ROUNDS               4 /* a second: over the MAC tables of all its networks */
#define ROUND_TABLES         32 /* of those, in one pass */
#define ROUND_BUDGET         128 /* addresses forgotten in one pass: some 30 us */
#define FRAGMENTS_POOL_SHARE 4 /* all workers' fragments that wait take 1/4 of the buffers */
#define SLEEP_MAX_MS         250 /* so that MAC ages are looked at also in a quiet switch */
#define EMPTY_TIMES          16 /* in a row: a queue is taken for an idle guest's */
#define EMPTY_POLLS          50000 /* of it, a second, while others are busy */
#define BURST_BYTES          131072 /* so that a burst of TSO frames stays in the cache until it is sent */
#define POLL_MS              1 /* nap of a worker that has a queue without notifications */

struct worker *workers[MAX_WORKERS];
unsigned n_workers;
struct rte_rcu_qsbr *worker_rcu;

static struct rte_ring *ring_create(
	const char *kind, unsigned from, unsigned to, unsigned elem, unsigned count, unsigned flags)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u-%u", kind, from, to);
	return rte_ring_create_elem(name, elem, count, SOCKET_ID_ANY, flags);
}

static bool create_rings(struct worker *w, unsigned n)
{
	for (unsigned from = 0; from < n; from++) {
		if (from == w->index)
			continue;
		w->in[from] = ring_create("handover", from, w->index, sizeof(void *), HANDOVER_RING,
			RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (w->in[from] == NULL)
			return false;
	}
	/* RTS: a worker that lost its core between two stores holds up no other one. */
	w->learned = ring_create("learned", w->index, w->index, sizeof(struct learn_message),
		LEARN_RING, RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
	return w->learned != NULL;
}

static struct worker *worker_create(const struct config_vswitch *conf, unsigned index)
{
	struct worker *w = rte_zmalloc("worker", sizeof(*w), RTE_CACHE_LINE_SIZE);

	if (w == NULL)
		return NULL;
	workers[index] = w;
	w->index = index;
	w->core = conf->workers[index];
	w->epoll_fd = -1;
	w->hz = rte_get_tsc_hz();
	w->empty_cycles = w->hz / EMPTY_POLLS;
	w->sleep_after = conf->sleep_after_us * (w->hz / 1000000);
	w->firewall = firewall_create(
		conf->connections, conf->buffers / (FRAGMENTS_POOL_SHARE * conf->n_workers));
	w->counters = rte_zmalloc(
		"counters", MAX_PORTS * sizeof(*w->counters), RTE_CACHE_LINE_SIZE);
	w->tx = rte_zmalloc("tx", MAX_PORTS * sizeof(*w->tx), RTE_CACHE_LINE_SIZE);
	w->memos = rte_zmalloc("memos", MAX_PORTS * sizeof(*w->memos), RTE_CACHE_LINE_SIZE);
	w->queues = rte_zmalloc(
		"queues", MAX_PORTS * PORT_QUEUES_MAX * sizeof(*w->queues), RTE_CACHE_LINE_SIZE);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->counters == NULL || w->tx == NULL || w->memos == NULL || w->queues == NULL ||
		w->wake_fd < 0 || w->firewall == NULL || !shortcuts_init(&w->shortcuts) ||
		!create_rings(w, conf->n_workers))
		return NULL;
	return w;
}

int workers_create(const struct config_vswitch *conf, char *err, size_t err_len)
{
	size_t size = rte_rcu_qsbr_get_memsize(MAX_WORKERS + 1);

	worker_rcu = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);
	if (worker_rcu == NULL || rte_rcu_qsbr_init(worker_rcu, MAX_WORKERS + 1) != 0)
		goto fail;
	rte_rcu_qsbr_thread_register(worker_rcu, MAX_WORKERS); /* the control thread, offline */
	n_workers = conf->n_workers;
	for (unsigned i = 0; i < n_workers; i++)
		if (worker_create(conf, i) == NULL)
			goto fail;
	return 0;
fail:
	snprintf(err, err_len,
		"no memory for %u workers with %u connections each: raise the memory, list fewer "
		"cores or lower vswitch.connections",
		conf->n_workers, conf->connections);
	workers_destroy();
	return -1;
}

/* Frees the packets that stand in a ring, which no thread uses any more. */
static void ring_drain(struct rte_ring *ring)
{
	struct rte_mbuf *m;

	while (ring != NULL && rte_ring_dequeue(ring, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

static void worker_free(struct worker *w)
{
	for (unsigned from = 0; from < n_workers; from++)
		ring_drain(w->in[from]);
	rte_ring_free(w->learned);
	inspect_free(w->inspect); /* before the connections that it is about */
	firewall_free(w->firewall);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	rte_free(w->counters);
	rte_free(w->tx);
	rte_free(w->memos);
	rte_free(w->queues);
	shortcuts_free(&w->shortcuts);
	rte_free(w);
}

void workers_destroy(void)
{
	for (unsigned i = 0; i < n_workers; i++) {
		if (workers[i] == NULL || !workers[i]->started)
			continue;
		atomic_store(&workers[i]->stop, true);
		atomic_thread_fence(memory_order_seq_cst);
		worker_wake(workers[i]);
		pthread_join(workers[i]->thread, NULL);
	}
	for (unsigned i = 0; i < n_workers; i++)
		if (workers[i] != NULL)
			worker_free(workers[i]);
	memset(workers, 0, sizeof(workers));
	n_workers = 0;
	rte_free(worker_rcu);
	worker_rcu = NULL;
}

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	/* What was posted must be visible before `sleeping` is read: see try_sleep(). */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&w->sleeping, memory_order_relaxed) ||
		!atomic_exchange(&w->sleeping, false))
		return;
	/* Can only fail where the counter is full, and then it is readable anyway. */
	if (write(w->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void worker_want_round(struct worker *w)
{
	atomic_store(&w->round_wanted, true);
	worker_wake(w);
}

void workers_synchronize(void)
{
	if (worker_rcu != NULL)
		rte_rcu_qsbr_synchronize(worker_rcu, RTE_QSBR_THRID_INVALID);
}

static inline struct queue_memo *memo_of(struct worker *w, const struct rx_queue *rxq)
{
	return &w->queues[rxq->port->dev->id * PORT_QUEUES_MAX + rxq->queue];
}

/* The guest's notifications cost it an exit each: none while its queue is polled anyway. */
static inline void quieten(
	struct worker *w, struct port_dev *dev, unsigned queue, struct queue_memo *memo)
{
	uint32_t generation = atomic_load_explicit(&dev->rx_generation, memory_order_acquire);

	if (likely(memo->generation == generation))
		return;
	memo->generation = generation;
	w->rearm = true;
	dev->driver->rx_notify(dev, queue, false);
}

/* How many packets to take next, where n were so many bytes. */
static inline unsigned appetite(unsigned n, uint64_t bytes)
{
	if (likely(bytes * BURST <= (uint64_t)BURST_BYTES * n))
		return BURST;
	return RTE_MAX(BURST_BYTES * n / bytes, 1u);
}

/* Asks a queue. */
static unsigned receive(struct worker *w, const struct rx_queue *rxq, struct queue_memo *memo,
	struct rte_mbuf **pkts)
{
	struct port_dev *dev = rxq->port->dev;
	unsigned take = memo->take > 0 ? memo->take : BURST, n;
	uint64_t start;

	if (!(atomic_load_explicit(&dev->rx_ready, memory_order_acquire) & (1u << rxq->queue)))
		return 0;
	quieten(w, dev, rxq->queue, memo);
	start = worker_clock(w);
	n = dev->driver->rx_burst(dev, rxq->queue, pkts, take);
	if (n > 0)
		worker_stage_count(w, STAGE_RX, n, worker_clock(w) - start);
	return n;
}

static unsigned poll_queue(struct worker *w, const struct rx_queue *rxq)
{
	struct queue_memo *memo = memo_of(w, rxq);
	struct rte_mbuf *pkts[BURST];
	unsigned n;

	if (unlikely(!handover_has_room(w, w->snapshot->networks[rxq->port->network]))) {
		w->chores = true;
		return 0;
	}
	n = receive(w, rxq, memo, pkts);
	if (n == 0) {
		memo->empty += memo->empty < EMPTY_TIMES;
		memo->next = w->now + w->empty_cycles;
		return 0;
	}
	memo->empty = 0;
	memo->take = (uint8_t)appetite(n, forward_burst(w, rxq->port, pkts, n));
	return n;
}

/* To ask a queue costs some 50 cycles, so where others are busy one that is mostly empty has to
 * wait a little. */
static inline unsigned poll_in_time(struct worker *w, const struct rx_queue *rxq)
{
	const struct queue_memo *memo = memo_of(w, rxq);

	if (likely(memo->empty < EMPTY_TIMES || !w->busy || w->now >= memo->next))
		return poll_queue(w, rxq);
	w->chores = true;
	return 0;
}

/* Each pass begins with the next queue, so that all have the same chance where room is scarce. */
static unsigned poll_queues(struct worker *w, const struct worker_plan *plan)
{
	unsigned first = w->first < plan->n_queues ? w->first : 0, moved = 0;

	for (unsigned i = first; i < plan->n_queues; i++)
		moved += poll_in_time(w, &plan->queues[i]);
	for (unsigned i = 0; i < first; i++)
		moved += poll_in_time(w, &plan->queues[i]);
	w->first = first + 1;
	return moved;
}

static bool round_is_due(struct worker *w)
{
	if (unlikely(atomic_load_explicit(&w->round_wanted, memory_order_relaxed)))
		return atomic_exchange(&w->round_wanted, false);
	return w->now >= w->next_round;
}

/* In pieces, so that no packet waits for long, however many addresses are to go at once. */
static void look_after_tables(struct worker *w, const struct worker_plan *plan)
{
	unsigned budget = ROUND_BUDGET, tables = ROUND_TABLES;

	if (round_is_due(w)) {
		w->next_round = w->now + w->hz / ROUNDS;
		w->at = 0;
	}
	for (; w->at < plan->n_homes && tables > 0; w->at++, tables--)
		if (!fdb_age(plan->homes[w->at]->fdb, &budget, w->now))
			break;
	w->chores |= w->at < plan->n_homes || !rte_ring_empty(w->learned);
}

/*
 * Takes every queue of its plan for one that it never polled: the last one who did may have left
 * notifications on, and where the port is a new one under an old id, generations start anew.
 */
static void meet_snapshot(struct worker *w, uint64_t serial)
{
	w->met = serial;
	w->rearm = true;
	for (unsigned i = 0; serial != 0 && i < w->snapshot->plans[w->index].n_queues; i++) {
		const struct rx_queue *rxq = &w->snapshot->plans[w->index].queues[i];
		uint32_t generation = atomic_load_explicit(
			&rxq->port->dev->rx_generation, memory_order_relaxed);

		*memo_of(w, rxq) = (struct queue_memo){.generation = generation - 1};
	}
}

unsigned worker_pass(struct worker *w)
{
	const struct worker_plan *plan;
	uint64_t serial;
	unsigned moved;

	w->snapshot = snapshot_current();
	serial = w->snapshot != NULL ? w->snapshot->serial : 0;
	if (unlikely(serial != w->met))
		meet_snapshot(w, serial);
	if (w->snapshot == NULL)
		return 0;
	plan = &w->snapshot->plans[w->index];
	w->timed = w->stats.passes % STAGE_TIMED_PASSES == 0;
	w->chores = false;
	firewall_begin(w);
	/* First what another worker has already spent time on. */
	moved = handover_receive(w);
	moved += poll_queues(w, plan);
	w->chores |= firewall_chores(w);
	transmit_flush(w);
	handover_flush(w);
	learn_posted(w, LEARN_BUDGET);
	look_after_tables(w, plan);
	counter_add(&w->stats.passes, 1);
	w->busy = moved > 0;
	return moved;
}

/*
 * Puts the descriptor of every queue in a fresh epoll set. Returns false where a queue that may be
 * polled has none and its driver does not wake workers itself.
 */
static bool arm_descriptors(struct worker *w, const struct worker_plan *plan)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	bool all = true;

	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &event) != 0)
		return false;
	for (unsigned i = 0; i < plan->n_queues; i++) {
		struct port_dev *dev = plan->queues[i].port->dev;
		unsigned queue = plan->queues[i].queue;
		int fd;

		if (!(atomic_load(&dev->rx_ready) & (1u << queue)))
			continue;
		fd = dev->driver->rx_fd(dev, queue);
		if (fd == PORT_FD_NONE)
			all = false;
		else if (fd >= 0 && epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
			all = false;
	}
	return all;
}

static void notify_all(const struct worker_plan *plan, bool on)
{
	for (unsigned i = 0; i < plan->n_queues; i++) {
		struct port_dev *dev = plan->queues[i].port->dev;
		unsigned queue = plan->queues[i].queue;

		if (atomic_load_explicit(&dev->rx_ready, memory_order_acquire) & (1u << queue))
			dev->driver->rx_notify(dev, queue, on);
	}
}

/*
 * Arms everything that can end the sleep, looks once more, and sleeps. Whoever posts work makes it
 * visible, then reads `sleeping`; here it is the other way round, with a full fence between on both
 * sides, so one of the two sees the other.
 */
static void try_sleep(struct worker *w)
{
	const struct snapshot *snapshot = w->snapshot;
	static const struct worker_plan no_plan;
	const struct worker_plan *plan = snapshot != NULL ? &snapshot->plans[w->index] : &no_plan;
	struct epoll_event events[8];
	unsigned moved;

	if (w->rearm || w->epoll_fd < 0) {
		w->rearm = false;
		w->must_poll = !arm_descriptors(w, plan);
	}
	notify_all(plan, true);
	atomic_store(&w->sleeping, true);
	atomic_thread_fence(memory_order_seq_cst);
	w->now = rte_rdtsc();
	moved = worker_pass(w);
	if (moved == 0 && !w->chores && !w->rearm && w->snapshot == snapshot &&
		!atomic_load(&w->stop)) {
		rte_rcu_qsbr_thread_offline(worker_rcu, w->index);
		epoll_wait(w->epoll_fd, events, RTE_DIM(events),
			w->must_poll ? POLL_MS : SLEEP_MAX_MS);
		rte_rcu_qsbr_thread_online(worker_rcu, w->index);
		counter_add(&w->stats.sleeps, 1);
	}
	atomic_store(&w->sleeping, false);
	/* Ports of an old snapshot may be gone by now. */
	if (snapshot_current() == snapshot)
		notify_all(plan, false);
	w->idle_since = moved == 0 ? w->idle_since : 0;
}

static void worker_round(struct worker *w)
{
	uint64_t before = w->now;
	unsigned moved;

	w->now = rte_rdtsc();
	if (w->idle_since == 0)
		counter_add(&w->stats.busy_cycles, w->now - before);
	/* At the start: what this round meets must last until its end, which is try_sleep()'s. */
	rte_rcu_qsbr_quiescent(worker_rcu, w->index);
	moved = worker_pass(w);
	/* Its only writer, so no read-modify-write of the bus. */
	atomic_store_explicit(&w->heartbeat,
		atomic_load_explicit(&w->heartbeat, memory_order_relaxed) + 1,
		memory_order_relaxed);
	if (moved > 0) {
		w->idle_since = 0;
		return;
	}
	if (w->idle_since == 0)
		w->idle_since = w->now;
	if (w->sleep_after != 0 && !w->chores && w->now - w->idle_since >= w->sleep_after)
		try_sleep(w);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	/*
	 * An lcore id of its own gives it a cache in the packet pool. There are RTE_MAX_LCORE of
	 * them, far more than workers; without one it would only be slower.
	 */
	rte_thread_register();
	rte_rcu_qsbr_thread_register(worker_rcu, w->index);
	rte_rcu_qsbr_thread_online(worker_rcu, w->index);
	w->now = rte_rdtsc();
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed))
		worker_round(w);
	rte_rcu_qsbr_thread_offline(worker_rcu, w->index);
	rte_rcu_qsbr_thread_unregister(worker_rcu, w->index);
	rte_thread_unregister();
	return NULL;
}

int worker_start(struct worker *w, char *err, size_t err_len)
{
	pthread_attr_t attr;
	cpu_set_t cpus;
	char name[16];
	int ret;

	CPU_ZERO(&cpus);
	CPU_SET(w->core, &cpus);
	pthread_attr_init(&attr);
	ret = pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	if (ret == 0)
		ret = pthread_create(&w->thread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	if (ret != 0) {
		snprintf(err, err_len,
			"vswitch.workers: core %u: %s: list cores that this machine has and that "
			"the process may use (taskset -p)",
			w->core, strerror(ret));
		return -1;
	}
	w->started = true;
	snprintf(name, sizeof(name), "worker-%u", w->core);
	pthread_setname_np(w->thread, name);
	return 0;
}
