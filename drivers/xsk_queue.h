/*
 * One queue of an interface through an AF_XDP socket of our own, with memory (UMEM) of its own:
 * half of its chunks receive, half send. Frames are copied between chunks and mbufs, so that no
 * kernel ever holds a buffer of the switch's pool, and no guest's chain must lie in one piece.
 *
 * Opened and closed by the control thread. The receiving half belongs to the worker that has the
 * trunk's RX queue, the sending half to the one that has its TX queue, and neither makes a system
 * call: where the kernel wants one (xsk_queue_wants()), the I/O thread makes it.
 */
#ifndef VS_XSK_QUEUE_H
#define VS_XSK_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/if_xdp.h>
#include <rte_mbuf.h>

#define XSK_FRAME_MAX (4096 - 256) /* bytes: a page without the headroom that XDP wants in it */

struct xsk_queue;

/* What went through it; packets that were lost have the name of a reason. */
struct xsk_queue_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_no_buffer; /* the switch's pool was empty */
	struct xdp_statistics kernel;
};

/*
 * The socket of one queue of the interface, for frames of `longest` bytes, XSK_FRAME_MAX at most. 0
 * and *queue, or a negative errno: -EBUSY: another socket has the queue.
 */
int xsk_queue_open(
	struct xsk_queue **queue, const char *interface, unsigned index, uint32_t longest);

/* Nobody uses it any more, and no program sends frames to it. The kernel frees the queue of the
 * interface a little later. Returns how many frames the kernel had not taken, of those sent. */
unsigned xsk_queue_close(struct xsk_queue *queue);

int xsk_queue_fd(const struct xsk_queue *queue);

/* The driver takes frames from our memory without a copy of its own. */
bool xsk_queue_is_zero_copy(const struct xsk_queue *queue);

void xsk_queue_count(const struct xsk_queue *queue, struct xsk_queue_counters *counters);

/* Up to n frames, in mbufs out of pool. Who has the RX queue. */
uint16_t xsk_queue_receive(
	struct xsk_queue *queue, struct rte_mempool *pool, struct rte_mbuf **pkts, uint16_t n);

/* Sends the first of pkts, copied and freed; returns how many. Who has the TX queue. */
uint16_t xsk_queue_send(struct xsk_queue *queue, struct rte_mbuf **pkts, uint16_t n);

/* Whether the kernel wants to be called for what is in the rings. Any thread. */
bool xsk_queue_wants(const struct xsk_queue *queue);

/*
 * Calls the kernel as far as it wants that. True: it has not taken all yet, and is to be called
 * again. I/O thread.
 */
bool xsk_queue_call(struct xsk_queue *queue);

#endif
