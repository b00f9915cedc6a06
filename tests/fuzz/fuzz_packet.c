/*
 * Fuzzes a packet's way through the parser and the offloads: the first bytes say what the sender
 * asked for, what the receiver takes and how the frame lies in its chain; the rest is the frame,
 * in heap blocks of exactly its size.
 *
 * libFuzzer target; its corpus is frames behind 16 bytes of struct plan.
 */
#include <rte_eal.h>
#include <stdlib.h>
#include <string.h>

#include "offload.h"
#include "packet.h"
#include "port_driver.h"
#include "vnet_header.h"

#define BUFFERS 2047

enum { LRO = 1, VNET = 2, SHARED = 4 };

struct plan {
	uint8_t checksum; /* RX_L4_CKSUM_*, two bits */
	uint8_t options;
	uint8_t caps;
	uint8_t first; /* bytes in the first segment, but for a tenth of them */
	uint16_t segsz;
	uint16_t mtu;
	uint8_t gso_type;
	uint8_t vnet_flags;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t pad_kib; /* makes a long frame out of a short input */
};

static struct rte_mempool *pool;
struct port_env port_env __attribute__((weak));

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *eal[] = {"fuzz_packet", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "64", "--log-level=error"};

	if (rte_eal_init(RTE_DIM(eal), eal) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("fuzz", BUFFERS, 0, 0, 2048, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static void free_block(void *block, void *shinfo)
{
	free(block);
	free(shinfo);
}

static struct rte_mbuf *segment(const uint8_t *data, uint32_t len, uint32_t size)
{
	struct rte_mbuf_ext_shared_info *shinfo = calloc(1, sizeof(*shinfo));
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *block = calloc(1, size);

	if (shinfo == NULL || m == NULL || block == NULL)
		abort();
	if (len > 0)
		memcpy(block, data, RTE_MIN(len, size));
	shinfo->free_cb = free_block;
	shinfo->fcb_opaque = shinfo;
	rte_mbuf_ext_refcnt_set(shinfo, 1);
	rte_pktmbuf_attach_extbuf(m, block, RTE_BAD_IOVA, (uint16_t)size, shinfo);
	m->data_off = 0;
	m->data_len = (uint16_t)size;
	m->pkt_len = size;
	return m;
}

/* The frame, and as many zeroes behind it, in a chain. */
static struct rte_mbuf *build(const struct plan *plan, const uint8_t *data, uint32_t len)
{
	uint32_t first = RTE_MIN(len, plan->first * 10u), left = plan->pad_kib % 66 * 1024;
	struct rte_mbuf *m = segment(data, first, first), *last = m;

	if (len > first) {
		last->next = segment(data + first, len - first, len - first);
		last = last->next;
		m->nb_segs++;
	}
	while (left > 0) {
		uint32_t size = RTE_MIN(left, 1777u);

		last->next = segment(NULL, 0, size);
		last = last->next;
		m->nb_segs++;
		len += size;
		left -= size;
	}
	m->pkt_len = len;
	return m;
}

static void ask(const struct plan *plan, struct rte_mbuf *m)
{
	m->ol_flags |= plan->checksum & 1 ? RTE_MBUF_F_RX_L4_CKSUM_BAD : 0;
	m->ol_flags |= plan->checksum & 2 ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0;
	m->ol_flags |= plan->options & LRO ? RTE_MBUF_F_RX_LRO : 0;
	m->tso_segsz = plan->segsz;
}

/* Every frame that goes out fits its receiver, and says what a vnet header can say. */
static void receive(const struct plan *plan, struct rte_mbuf *m, uint32_t caps)
{
	struct rte_mbuf *out[OFFLOAD_SEGMENTS_MAX];
	struct virtio_net_hdr header;
	int n = 1;

	out[0] = m;
	if (!offload_fits(m, caps, plan->mtu))
		n = offload_complete(m, caps, plan->mtu, pool, out, OFFLOAD_SEGMENTS_MAX);
	if (n < 0) {
		rte_pktmbuf_free(m);
		return;
	}
	if (n == 0)
		abort();
	for (int i = 0; i < n; i++) {
		if (!offload_fits(out[i], caps, plan->mtu) ||
			vnet_header_from_mbuf(out[i], &header) != 0 ||
			rte_mbuf_check(out[i], 1, &(const char *){NULL}) != 0)
			abort();
	}
	rte_pktmbuf_free_bulk(out, (unsigned)n);
}

static bool vnet(const struct plan *plan, struct rte_mbuf *m)
{
	const struct virtio_net_hdr header = {.flags = plan->vnet_flags,
		.gso_type = plan->gso_type,
		.gso_size = plan->segsz,
		.csum_start = plan->csum_start,
		.csum_offset = plan->csum_offset};

	return !(plan->options & VNET) || vnet_header_to_mbuf(&header, m) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_mbuf *m;
	struct packet p;
	struct plan plan;

	if (size <= sizeof(plan) || size > 60000)
		return 0;
	memcpy(&plan, data, sizeof(plan));
	m = build(&plan, data + sizeof(plan), (uint32_t)(size - sizeof(plan)));
	ask(&plan, m);
	if (vnet(&plan, m) && packet_parse(m, &p) < 0) {
		if (p.l3_off + p.l3_len > m->pkt_len || p.payload_off > p.l3_off + p.l3_len)
			abort();
		if (offload_accept(m, &p) < 0) {
			if (plan.options & SHARED) {
				for (struct rte_mbuf *s = m; s != NULL; s = s->next)
					rte_mbuf_refcnt_update(s, 1);
				receive(&plan, m, plan.caps & 15);
			}
			receive(&plan, m, plan.caps >> 4);
			m = NULL;
		}
	}
	rte_pktmbuf_free(m);
	if (rte_mempool_avail_count(pool) != BUFFERS)
		abort();
	return 0;
}
