/*
 * The two queues between workers and the I/O thread that each kernel port has: rings, bounded in
 * packets and in buffers, so that neither side can take the pool from the other ports. No locks, no
 * system calls.
 *
 * rx, from the I/O thread to the port's worker. Two things must not be missed, so on each both
 * sides write, fence, then read what the other one writes:
 *   - the I/O thread finds no room: stalled := true; fence; looks at the room once more. The worker
 *     takes packets; fence; looks at stalled, and once half is free, has the I/O thread kicked.
 *   - the worker wants to sleep: armed := true; fence; takes once more. The I/O thread puts packets
 *     in; fence; looks at armed, and has the worker woken.
 *
 * tx, from any number of workers to the I/O thread, which they kick after each put.
 */
#ifndef VS_KERNEL_QUEUE_H
#define VS_KERNEL_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#define KERNEL_QUEUE_PACKETS 256
#define KERNEL_RX_SEGMENTS   1024
#define KERNEL_TX_SEGMENTS   2048

struct kernel_rx_queue {
	struct rte_ring *ring;
	/* Worker. */
	_Alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t taken; /* segments, ever */
	_Atomic bool armed;
	/* I/O thread. */
	_Alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t put; /* segments, ever */
	_Atomic bool stalled;
	_Atomic uint64_t stalls;
};

struct kernel_tx_queue {
	struct rte_ring *ring;
	_Alignas(RTE_CACHE_LINE_SIZE) _Atomic uint32_t segments; /* in the ring or being written */
};

/* 0, or -1 where memory is short. Zeroed memory first. Control thread, as is _exit(). */
int kernel_rx_queue_init(struct kernel_rx_queue *queue);
int kernel_tx_queue_init(struct kernel_tx_queue *queue);

/* Frees what is in the queue, and the ring. */
void kernel_rx_queue_exit(struct kernel_rx_queue *queue);
void kernel_tx_queue_exit(struct kernel_tx_queue *queue);

/*
 * How many packets of up to `largest` segments may be put now; 0 from where it is full until it is
 * half empty, and then the worker says so. I/O thread.
 */
unsigned kernel_rx_queue_room(struct kernel_rx_queue *queue, unsigned largest);

/* Puts n packets, for which there is room. True where the worker must be woken. I/O thread. */
bool kernel_rx_queue_put(struct kernel_rx_queue *queue, struct rte_mbuf **pkts, unsigned n);

/* Takes up to n packets. *kick: the I/O thread waits for the room that there is now. Worker. */
unsigned kernel_rx_queue_take(
	struct kernel_rx_queue *queue, struct rte_mbuf **pkts, unsigned n, bool *kick);

/* While on, kernel_rx_queue_put() asks for the worker to be woken. Worker. */
void kernel_rx_queue_arm(struct kernel_rx_queue *queue, bool on);

/* Puts the first of the n packets, as many as fit; returns how many. Any worker. */
unsigned kernel_tx_queue_put(struct kernel_tx_queue *queue, struct rte_mbuf **pkts, unsigned n);

/* Takes up to n packets, which count as queued until kernel_tx_queue_done(). I/O thread. */
unsigned kernel_tx_queue_take(
	struct kernel_tx_queue *queue, struct rte_mbuf **pkts, unsigned n, unsigned *left);

/* Frees packets that were taken. I/O thread. */
void kernel_tx_queue_done(struct kernel_tx_queue *queue, struct rte_mbuf **pkts, unsigned n);

#endif
