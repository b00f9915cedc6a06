#include "xsk_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <rte_common.h>
#include <xdp/xsk.h>

#define RING_FRAMES 2048 /* of each ring, and chunks of each half */
#define CALLS       8 /* of sendto() in one turn: the kernel takes 32 frames in each */
#define SEND_BYTES  (4 << 20) /* that may be on their way in the kernel */

struct xsk_queue {
	/* Constant. */
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	char *memory;
	size_t len;
	uint32_t chunk; /* bytes */
	int fd;
	bool zero_copy;

	_Alignas(RTE_CACHE_LINE_SIZE) struct xsk_ring_cons rx;
	struct xsk_ring_prod fill;
	_Atomic uint64_t rx_packets, rx_bytes, rx_no_buffer;

	_Alignas(RTE_CACHE_LINE_SIZE) struct xsk_ring_prod tx;
	struct xsk_ring_cons done;
	_Atomic uint64_t tx_packets, tx_bytes;
	uint32_t n_free;
	uint64_t free[RING_FRAMES]; /* chunks of the sending half */
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

/* All chunks of the receiving half are the kernel's; it gives them back one by one. */
static void fill_all(struct xsk_queue *q)
{
	uint32_t at;

	if (xsk_ring_prod__reserve(&q->fill, RING_FRAMES, &at) != RING_FRAMES)
		return; /* cannot be: the ring is new, and of that size */
	for (uint32_t i = 0; i < RING_FRAMES; i++)
		*xsk_ring_prod__fill_addr(&q->fill, at + i) = (uint64_t)i * q->chunk;
	xsk_ring_prod__submit(&q->fill, RING_FRAMES);
	for (uint32_t i = 0; i < RING_FRAMES; i++)
		q->free[i] = (uint64_t)(RING_FRAMES + i) * q->chunk;
	q->n_free = RING_FRAMES;
}

static int open_socket(struct xsk_queue *q, const char *interface, unsigned index)
{
	const struct xsk_umem_config umem = {
		.fill_size = RING_FRAMES, .comp_size = RING_FRAMES, .frame_size = q->chunk};
	const struct xsk_socket_config conf = {.rx_size = RING_FRAMES,
		.tx_size = RING_FRAMES,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP};
	int rc = xsk_umem__create(&q->umem, q->memory, q->len, &q->fill, &q->done, &umem);

	if (rc == 0)
		rc = xsk_socket__create(
			&q->socket, interface, index, q->umem, &q->rx, &q->tx, &conf);
	return rc;
}

static void learn_options(struct xsk_queue *q)
{
	struct xdp_options options = {0};
	socklen_t len = sizeof(options);
	int bytes = SEND_BYTES;

	q->fd = xsk_socket__fd(q->socket);
	if (getsockopt(q->fd, SOL_XDP, XDP_OPTIONS, &options, &len) == 0)
		q->zero_copy = options.flags & XDP_OPTIONS_ZEROCOPY;
	/* With less than the ring holds the kernel would have to be asked again and again. */
	if (setsockopt(q->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		setsockopt(q->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

int xsk_queue_open(
	struct xsk_queue **queue, const char *interface, unsigned index, uint32_t longest)
{
	struct xsk_queue *q = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*q), RTE_CACHE_LINE_SIZE));
	int rc;

	if (q == NULL)
		return -ENOMEM;
	memset(q, 0, sizeof(*q));
	/* The kernel's headroom for XDP is in each of them. */
	q->chunk = longest + XDP_PACKET_HEADROOM <= 2048 ? 2048 : 4096;
	q->len = 2 * RING_FRAMES * (size_t)q->chunk;
	q->memory = mmap(NULL, q->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (q->memory == MAP_FAILED) {
		free(q);
		return -ENOMEM;
	}
	rc = open_socket(q, interface, index);
	if (rc != 0) {
		xsk_queue_close(q);
		return rc;
	}
	learn_options(q);
	fill_all(q);
	*queue = q;
	return 0;
}

/* Frames that the kernel has not yet taken out of the ring. */
static unsigned waiting(const struct xsk_ring_prod *tx)
{
	return __atomic_load_n(tx->producer, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(tx->consumer, __ATOMIC_ACQUIRE);
}

unsigned xsk_queue_close(struct xsk_queue *q)
{
	unsigned unsent = q->socket != NULL ? waiting(&q->tx) : 0;

	if (q->socket != NULL)
		xsk_socket__delete(q->socket);
	if (q->umem != NULL)
		xsk_umem__delete(q->umem);
	munmap(q->memory, q->len);
	free(q);
	return unsent;
}

int xsk_queue_fd(const struct xsk_queue *q)
{
	return q->fd;
}

bool xsk_queue_is_zero_copy(const struct xsk_queue *q)
{
	return q->zero_copy;
}

void xsk_queue_count(const struct xsk_queue *q, struct xsk_queue_counters *counters)
{
	socklen_t len = sizeof(counters->kernel);

	memset(counters, 0, sizeof(*counters));
	counters->rx_packets = atomic_load(&q->rx_packets);
	counters->rx_bytes = atomic_load(&q->rx_bytes);
	counters->rx_no_buffer = atomic_load(&q->rx_no_buffer);
	counters->tx_packets = atomic_load(&q->tx_packets);
	counters->tx_bytes = atomic_load(&q->tx_bytes);
	getsockopt(q->fd, SOL_XDP, XDP_STATISTICS, &counters->kernel, &len);
}

/* NULL: no buffer. A frame of a page takes three at most. */
static struct rte_mbuf *copy_in(struct rte_mempool *pool, const char *data, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *last = m;

	while (last != NULL) {
		uint16_t part = (uint16_t)RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(last));

		memcpy(rte_pktmbuf_mtod(last, char *), data, part);
		last->data_len = part;
		m->pkt_len += part;
		data += part;
		len -= part;
		if (len == 0)
			return m;
		last->next = rte_pktmbuf_alloc(pool);
		last = last->next;
		m->nb_segs += last != NULL;
	}
	rte_pktmbuf_free(m);
	return NULL;
}

uint16_t xsk_queue_receive(
	struct xsk_queue *q, struct rte_mempool *pool, struct rte_mbuf **pkts, uint16_t n)
{
	uint32_t from, to, got = xsk_ring_cons__peek(&q->rx, n, &from);
	uint64_t bytes = 0;
	uint16_t kept = 0;

	if (got == 0)
		return 0;
	/* There is room, as the ring holds all chunks of this half. */
	if (xsk_ring_prod__reserve(&q->fill, got, &to) != got) {
		xsk_ring_cons__cancel(&q->rx, got);
		return 0;
	}
	for (uint32_t i = 0; i < got; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&q->rx, from + i);

		pkts[kept] = copy_in(pool, q->memory + desc->addr, desc->len);
		bytes += desc->len;
		kept += pkts[kept] != NULL;
		*xsk_ring_prod__fill_addr(&q->fill, to + i) = desc->addr &
							      ~(uint64_t)(q->chunk - 1);
	}
	xsk_ring_prod__submit(&q->fill, got);
	xsk_ring_cons__release(&q->rx, got);
	count(&q->rx_packets, got);
	count(&q->rx_bytes, bytes);
	count(&q->rx_no_buffer, got - kept);
	return kept;
}

/* Chunks of what has been sent. */
static void reclaim(struct xsk_queue *q)
{
	uint32_t at, n = xsk_ring_cons__peek(&q->done, RING_FRAMES - q->n_free, &at);

	for (uint32_t i = 0; i < n; i++)
		q->free[q->n_free++] = *xsk_ring_cons__comp_addr(&q->done, at + i);
	if (n > 0)
		xsk_ring_cons__release(&q->done, n);
}

/* m is no longer than a chunk: trunk_takes(). */
static void copy_out(char *to, const struct rte_mbuf *m)
{
	for (; m != NULL; m = m->next) {
		memcpy(to, rte_pktmbuf_mtod(m, const char *), m->data_len);
		to += m->data_len;
	}
}

uint16_t xsk_queue_send(struct xsk_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t bytes = 0;
	uint32_t at;

	if (q->n_free < n)
		reclaim(q);
	n = (uint16_t)RTE_MIN((uint32_t)n, q->n_free);
	/* There is room, as the ring holds all chunks of this half. */
	if (n == 0 || xsk_ring_prod__reserve(&q->tx, n, &at) != n)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		struct xdp_desc *desc = xsk_ring_prod__tx_desc(&q->tx, at + i);

		desc->addr = q->free[--q->n_free];
		desc->len = rte_pktmbuf_pkt_len(pkts[i]);
		desc->options = 0;
		bytes += desc->len;
		copy_out(q->memory + desc->addr, pkts[i]);
	}
	xsk_ring_prod__submit(&q->tx, n);
	rte_pktmbuf_free_bulk(pkts, n);
	count(&q->tx_packets, n);
	count(&q->tx_bytes, bytes);
	return n;
}

static bool is_wanted(const struct xsk_ring_prod *ring)
{
	return __atomic_load_n(ring->flags, __ATOMIC_ACQUIRE) & XDP_RING_NEED_WAKEUP;
}

bool xsk_queue_wants(const struct xsk_queue *q)
{
	/* What was put into a ring must be seen before its flag is looked at. */
	atomic_thread_fence(memory_order_seq_cst);
	return (is_wanted(&q->tx) && waiting(&q->tx) > 0) || is_wanted(&q->fill);
}

bool xsk_queue_call(struct xsk_queue *q)
{
	if (is_wanted(&q->fill))
		recvfrom(q->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	for (unsigned i = 0; i < CALLS && is_wanted(&q->tx) && waiting(&q->tx) > 0; i++)
		if (sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN &&
			errno != EBUSY && errno != ENOBUFS)
			return false; /* no link, say: what waits goes with what comes next */
	return is_wanted(&q->tx) && waiting(&q->tx) > 0;
}
