#include "capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "config.h"

#define SEGMENT_MAX UINT16_MAX /* an external buffer's length is 16 bits */

struct capture_dev {
	struct port_dev dev;
	struct rte_ring *queue; /* injected, not yet polled */
	_Atomic bool notify; /* the worker wants to be woken */
	_Atomic uint64_t received, sent;
};

/* Shared by all capture ports: see the header. */
static struct {
	struct capture_writer *writer;
	uint64_t now_ns;
	uint8_t frame[CAPTURE_FRAME_MAX];
} output;

static struct capture_dev *capture_of(struct port_dev *dev)
{
	return container_of(dev, struct capture_dev, dev);
}

static void buffer_free(void *data, void *shared)
{
	free(data);
	free(shared);
}

/*
 * One segment with a copy of data, or NULL. The copy lies in a heap block of exactly its size, and
 * what DPDK keeps about it in a block of its own. Sanitizers see nothing inside a mempool, where a
 * read behind the frame finds the rest of the buffer; here it is a read behind a heap block.
 */
static struct rte_mbuf *segment_new(const uint8_t *data, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);
	struct rte_mbuf_ext_shared_info *shared = calloc(1, sizeof(*shared));
	void *copy = malloc(len);

	if (!m || !shared || (!copy && len > 0)) {
		rte_pktmbuf_free(m);
		free(shared);
		free(copy);
		return NULL;
	}
	if (len > 0)
		memcpy(copy, data, len);
	shared->free_cb = buffer_free;
	shared->fcb_opaque = shared;
	rte_mbuf_ext_refcnt_set(shared, 1);
	/* No device reads it, so it needs no address for one. */
	rte_pktmbuf_attach_extbuf(m, copy, RTE_BAD_IOVA, len, shared);
	m->data_len = len;
	m->pkt_len = len;
	return m;
}

/*
 * One segment up to 64 KiB, which is every frame that the switch forwards; a chain beyond, so that
 * the switch gets to refuse the frame by its own rule.
 */
static struct rte_mbuf *frame_new(const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *head = NULL, *m;
	uint32_t done = 0;
	uint16_t n;

	do {
		n = (uint16_t)RTE_MIN(len - done, (uint32_t)SEGMENT_MAX);
		m = segment_new(data + done, n);
		if (!m || (head && rte_pktmbuf_chain(head, m) < 0)) {
			rte_pktmbuf_free(m);
			rte_pktmbuf_free(head);
			return NULL;
		}
		if (!head)
			head = m;
		done += n;
	} while (done < len);
	return head;
}

int capture_inject(struct port_dev *dev, const uint8_t *data, uint32_t len)
{
	struct capture_dev *c = capture_of(dev);
	struct rte_mbuf *m;

	if (len > CAPTURE_FRAME_MAX || rte_ring_full(c->queue))
		return -1;
	m = frame_new(data, len);
	if (!m)
		return -1;
	m->port = dev->id;
	if (rte_ring_sp_enqueue(c->queue, m) < 0) {
		rte_pktmbuf_free(m);
		return -1;
	}
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&c->notify, memory_order_relaxed) && port_env.wake)
		port_env.wake(dev);
	return 0;
}

void capture_set_output(struct capture_writer *writer)
{
	output.writer = writer;
}

void capture_set_time(uint64_t ns)
{
	output.now_ns = ns;
}

static struct rte_ring *queue_new(void)
{
	ssize_t size = rte_ring_get_memsize(CAPTURE_QUEUE_MAX + 1);
	struct rte_ring *ring;

	if (size < 0)
		return NULL;
	ring = aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)size);
	if (!ring)
		return NULL;
	if (rte_ring_init(ring, "capture", CAPTURE_QUEUE_MAX + 1, RING_F_SP_ENQ | RING_F_SC_DEQ)) {
		free(ring);
		return NULL;
	}
	return ring;
}

static struct port_dev *capture_open(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct capture_dev *c = calloc(1, sizeof(*c));

	if (c)
		c->queue = queue_new();
	if (!c || !c->queue) {
		snprintf(err, err_len, "port %s: out of memory", conf->name);
		free(c);
		return NULL;
	}
	c->dev.driver = &capture_driver;
	snprintf(c->dev.name, sizeof(c->dev.name), "%s", conf->name);
	c->dev.id = id;
	atomic_init(&c->dev.rx_ready, 1);
	atomic_init(&c->dev.tx_ready, 1);
	atomic_init(&c->dev.tx_caps, PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_CHAINS);
	/* A capture made on a host holds frames larger than any wire's: all of them pass. */
	atomic_init(&c->dev.mtu, CAPTURE_FRAME_MAX);
	return &c->dev;
}

static int capture_update(struct port_dev *dev, const struct config_port *conf)
{
	(void)dev;
	(void)conf;
	return 0;
}

static uint64_t capture_close(struct port_dev *dev)
{
	struct capture_dev *c = capture_of(dev);
	void *m;

	while (rte_ring_sc_dequeue(c->queue, &m) == 0)
		rte_pktmbuf_free(m);
	free(c->queue);
	free(c);
	return 0; /* it writes at once */
}

static uint16_t capture_rx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct capture_dev *c = capture_of(dev);

	if (queue != 0)
		return 0;
	n = (uint16_t)rte_ring_sc_dequeue_burst(c->queue, (void **)pkts, n, NULL);
	atomic_fetch_add_explicit(&c->received, n, memory_order_relaxed);
	return n;
}

static uint16_t capture_tx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct capture_dev *c = capture_of(dev);
	uint32_t len;
	uint16_t i;

	if (queue != 0)
		return 0;
	for (i = 0; output.writer && i < n; i++) {
		len = RTE_MIN(pkts[i]->pkt_len, (uint32_t)CAPTURE_FRAME_MAX);
		capture_writer_write(output.writer, output.now_ns,
			rte_pktmbuf_read(pkts[i], 0, len, output.frame), len);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	atomic_fetch_add_explicit(&c->sent, n, memory_order_relaxed);
	return n;
}

static void capture_rx_notify(struct port_dev *dev, uint16_t queue, bool on)
{
	(void)queue;
	atomic_store_explicit(&capture_of(dev)->notify, on, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

static int capture_rx_fd(struct port_dev *dev, uint16_t queue)
{
	(void)dev;
	(void)queue;
	return PORT_FD_WAKES;
}

static json_t *capture_describe(struct port_dev *dev)
{
	struct capture_dev *c = capture_of(dev);

	return json_pack("{s:s, s:n, s:I, s:I}", "state", "replay", "error", "received",
		(json_int_t)atomic_load_explicit(&c->received, memory_order_relaxed), "sent",
		(json_int_t)atomic_load_explicit(&c->sent, memory_order_relaxed));
}

const struct port_driver capture_driver = {
	.kind = "capture",
	.open = capture_open,
	.update = capture_update,
	.close = capture_close,
	.rx_burst = capture_rx_burst,
	.tx_burst = capture_tx_burst,
	.rx_notify = capture_rx_notify,
	.rx_fd = capture_rx_fd,
	.describe = capture_describe,
};
