/*
 * Workers: one pinned thread a core that polls its queues, forwards, and sleeps when there is
 * nothing to do.
 *
 * A struct worker is written by its own thread, but for the words that other threads post to:
 * rings, `wake_fd`, `sleeping`. In a replay workers have no threads: worker_pass() is called
 * in their place, and `now` is the capture's time.
 */
#ifndef VS_WORKER_H
#define VS_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "counters.h"
#include "packet.h"
#include "shortcut.h"
#include "snapshot.h"

/* Packets bound for one port, collected over one pass. */
struct tx_buffer {
	uint16_t n;
	bool listed; /* in worker.dirty */
	struct rte_mbuf *pkts[BURST];
};

enum stage {
	STAGE_RX,
	STAGE_SHORTCUT, /* in place of the next three */
	STAGE_PARSE, /* and guard */
	STAGE_FIREWALL,
	STAGE_FORWARD,
	STAGE_TX,
	STAGE_HANDOVER,
	STAGES
};

struct firewall;
struct inspect;

/* Reading the clock costs some 30 cycles on a virtual machine, so only some passes are timed. */
#define STAGE_TIMED_PASSES 16 /* one in so many */

struct stage_stats {
	uint64_t packets, bursts;
	uint64_t timed_packets, cycles; /* of the passes that were timed */
};

struct worker_stats {
	struct stage_stats stages[STAGES];
	uint64_t passes; /* of the loop */
	uint64_t busy_cycles; /* in passes that moved a packet, to the beginning of the next */
	uint64_t sleeps;
	uint64_t fdb_messages_lost; /* addresses that their home worker was not told of: too many */
};

/* What a worker keeps of the addresses that come in at a port, to spare the table. */
struct learn_memo {
	uint64_t key; /* the last one */
	uint64_t when; /* it was learned, in TSC cycles */
	uint64_t serial; /* of the snapshot then: another one may have other rules for it */
	uint64_t second; /* start of the second that posts counts down in */
	uint32_t generation; /* rx_generation of the port then: a new one may be another guest */
	uint32_t posts; /* addresses that the home worker may still be told of */
};

/* What a worker keeps of a queue that it polls. */
struct queue_memo {
	uint32_t generation; /* rx_generation of its port, last met */
	uint8_t take; /* packets in a burst, at the most; 0: not known yet */
	uint8_t empty; /* times in a row that there was nothing */
	uint64_t next; /* not before this it is polled again, while others are busy; TSC cycles */
};

struct worker {
	uint16_t index;
	uint16_t core;
	uint64_t now; /* TSC cycles; a replay's own clock */
	uint64_t hz; /* of those */
	const struct snapshot *snapshot; /* of this pass */

	struct firewall *firewall;
	struct inspect *inspect; /* NULL until something is to be inspected */
	struct port_counters *counters; /* [MAX_PORTS] */
	struct tx_buffer *tx; /* [MAX_PORTS] */
	struct learn_memo *memos; /* [MAX_PORTS] */
	struct shortcuts shortcuts;
	uint16_t dirty[MAX_PORTS]; /* ports with packets in tx */
	unsigned n_dirty;
	unsigned first; /* queue of its plan that the next pass begins with */
	struct worker_stats stats;
	bool timed; /* this pass is one whose stages are timed */

	/* The round over the MAC tables of its networks. */
	uint64_t next_round;
	unsigned at; /* network of its plan where the round goes on */
	bool chores; /* it is not through, or there is more to learn or to poll */

	/* Packets to be handed to another worker. */
	struct rte_mbuf *out[MAX_WORKERS][BURST];
	uint16_t n_out[MAX_WORKERS];
	uint32_t posted[MAX_WORKERS]; /* buffers that it has put into each ring, ever */
	uint32_t known_taken[MAX_WORKERS]; /* what it knows of their `taken` */

	/* Sleep. */
	uint64_t idle_since; /* 0: busy */
	uint64_t sleep_after; /* cycles; 0: never */
	uint64_t empty_cycles; /* between polls of a queue that is mostly empty */
	int epoll_fd;
	struct queue_memo *queues; /* [MAX_PORTS * PORT_QUEUES_MAX] */
	bool busy; /* the pass before moved packets */
	uint64_t met; /* serial of the snapshot last met; 0: none */
	bool rearm; /* the descriptors in epoll_fd are no longer those of its queues */
	bool must_poll; /* a queue has no descriptor */

	_Atomic uint64_t heartbeat; /* moves with every round, for the watchdog */
	bool started;
	pthread_t thread;

	/* What other threads look at with every burst: on lines of its own, seldom written. */
	struct rte_ring *in[MAX_WORKERS] /* packets handed in; one producer each, NULL for itself */
		__attribute__((aligned(64)));
	struct rte_ring *learned; /* struct fdb_message, of any worker */
	int wake_fd;
	_Atomic bool sleeping;
	_Atomic bool round_wanted; /* over its MAC tables, now */
	_Atomic bool stop;

	/* Written with every burst that was handed in, and seldom looked at. */
	_Atomic uint32_t taken[MAX_WORKERS] /* buffers taken out of each of `in`, ever */
		__attribute__((aligned(64)));
} __attribute__((aligned(64)));

/* All workers; set before the first starts, constant from then on. */
extern struct worker *workers[MAX_WORKERS];
extern unsigned n_workers;

/* The RCU that workers are online in while they may look at a snapshot. Thread MAX_WORKERS is the
 * control thread's, online only while it walks a worker's table. */
extern struct rte_rcu_qsbr *worker_rcu;

/*
 * Makes the workers that conf asks for, without threads; then worker_start() gives each its own. 0,
 * or -1 with a message in err. Control thread.
 */
int workers_create(const struct config_vswitch *conf, char *err, size_t err_len);
int worker_start(struct worker *w, char *err, size_t err_len);

/* Stops the threads that run, and frees all. No snapshot is in force. Control thread. */
void workers_destroy(void);

/* One round over all of its queues. Returns how many packets it moved. Its own thread. */
unsigned worker_pass(struct worker *w);

/* Wakes it where it sleeps. Any thread; a system call only then. */
void worker_wake(struct worker *w);

/* Has it look at its networks' MAC tables now: there is something to flush. Any thread. */
void worker_want_round(struct worker *w);

/* Waits until no worker can be using what it saw before. Any thread that holds no lock that a
 * worker may wait for. */
void workers_synchronize(void);

static inline uint64_t *worker_drops(struct worker *w, uint16_t port, enum drop_reason reason)
{
	return &w->counters[port].drops[reason];
}

/* Drops m, which came in at port, for an `in` reason. */
static inline void worker_drop(
	struct worker *w, uint16_t port, struct rte_mbuf *m, enum drop_reason reason)
{
	counter_add(worker_drops(w, port, reason), 1);
	rte_pktmbuf_free(m);
}

/* TSC cycles in a pass that is timed, else 0. */
static inline uint64_t worker_clock(const struct worker *w)
{
	return unlikely(w->timed) ? rte_rdtsc() : 0;
}

/*
 * Accounts one burst of n packets in a stage; one of none, where others took them all, is no burst.
 * cycles: what it took, as worker_clock() says.
 */
static inline void worker_stage_count(
	struct worker *w, enum stage stage, unsigned n, uint64_t cycles)
{
	struct stage_stats *stats = &w->stats.stages[stage];

	counter_add(&stats->packets, n);
	counter_add(&stats->bursts, n > 0);
	if (unlikely(w->timed)) {
		counter_add(&stats->timed_packets, n);
		counter_add(&stats->cycles, cycles);
	}
}

/* Cycles a packet in a stage between two looks at a worker's statistics; 0 where no pass was timed.
 */
static inline double worker_stage_cycles(
	const struct worker_stats *before, const struct worker_stats *now, enum stage stage)
{
	const struct stage_stats *a = &before->stages[stage], *b = &now->stages[stage];
	uint64_t timed = b->timed_packets - a->timed_packets;

	return timed > 0 ? (double)(b->cycles - a->cycles) / (double)timed : 0;
}

#endif
