/*
 * Fuzzes what comes in by an uplink before it is any network's: tags, VXLAN, ARP and neighbour
 * discovery of the underlay. The first bytes say how the frame lies in its chain and what of it is
 * put right, so that more than its first field is looked at; the rest is the frame, in heap blocks
 * of exactly its size.
 *
 * libFuzzer target; its corpus is frames behind 2 bytes.
 */
#include <rte_eal.h>
#include <rte_ip.h>
#include <stdlib.h>
#include <string.h>

#include "port_driver.h"
#include "trunk_tag.h"
#include "vxlan_frame.h"
#include "vxlan_resolve.h"

#define BUFFERS 255
#define LONGEST 3818

enum { NESTED = 1, IPV6 = 2, FOR_US = 4, SUMMED = 8 };

struct port_env port_env __attribute__((weak));

static struct rte_mempool *pool;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *eal[] = {"fuzz_uplink", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "64", "--log-level=error"};

	if (rte_eal_init(RTE_DIM(eal), eal) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create(
		"fuzz", BUFFERS, 0, 0, LONGEST + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void free_block(void *block, void *shinfo)
{
	free(block);
	free(shinfo);
}

static struct rte_mbuf *segment(const uint8_t *data, uint16_t len)
{
	struct rte_mbuf_ext_shared_info *shinfo = calloc(1, sizeof(*shinfo));
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *block = malloc(len > 0 ? len : 1);

	require(shinfo != NULL && m != NULL && block != NULL);
	memcpy(block, data, len);
	shinfo->free_cb = free_block;
	shinfo->fcb_opaque = shinfo;
	rte_mbuf_ext_refcnt_set(shinfo, 1);
	rte_pktmbuf_attach_extbuf(m, block, RTE_BAD_IOVA, len, shinfo);
	m->data_off = 0;
	m->data_len = len;
	m->pkt_len = len;
	return m;
}

/* In one block, or in two of which the first has `first` bytes. */
static struct rte_mbuf *chain(const uint8_t *data, uint16_t len, uint16_t first)
{
	struct rte_mbuf *m = segment(data, RTE_MIN(len, first));

	if (len > first)
		require(rte_pktmbuf_chain(m, segment(data + first, len - first)) == 0);
	return m;
}

static struct vxlan_end our_end(bool ipv6)
{
	static const uint8_t v4[4] = {192, 0, 2, 1}, v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};

	return (struct vxlan_end){.address = ipv6 ? addr_from_ipv6(v6) : addr_from_ipv4(v4),
		.mac = {{2, 0, 0, 0, 0, 0xaa}},
		.udp_port = 4789};
}

/* As if it had been sent to us, with an IPv4 header's checksum that is right. */
static void put_right(uint8_t *frame, size_t len, uint8_t options, const struct vxlan_end *end)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + RTE_ETHER_HDR_LEN);
	size_t header;

	if ((options & FOR_US) && len >= RTE_ETHER_HDR_LEN)
		memcpy(frame, &end->mac, sizeof(end->mac));
	if (!(options & SUMMED) || len < RTE_ETHER_HDR_LEN + sizeof(*ip))
		return;
	header = (ip->version_ihl & 0xf) * 4u;
	if (header < sizeof(*ip) || len < RTE_ETHER_HDR_LEN + header)
		return;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, header);
}

static void take_tag(struct rte_mbuf *m, bool nested)
{
	uint32_t before = m->pkt_len;
	int vlan = trunk_tag_pop(m, nested);

	require(vlan < TRUNK_VLANS);
	require(m->pkt_len == before || (vlan >= 0 && m->pkt_len + TRUNK_TAG_LEN == before));
	if (vlan >= 0 && !nested)
		require(!trunk_tag_is_there(m));
	rte_pktmbuf_free(m);
}

static void take_tunnel(struct rte_mbuf *m, const struct vxlan_end *end)
{
	struct vxlan_arrival a;

	if (vxlan_parse(m, end, &a) == 0) {
		require(a.len >= RTE_ETHER_HDR_LEN && a.offset + a.len <= m->pkt_len);
		require(a.vni < 1u << 24);
		if (vxlan_pop(m, &a))
			require(m->pkt_len == a.len);
	}
	rte_pktmbuf_free(m);
}

/* An answer is written over the question, so that lies in a buffer of the pool's. */
static void hear(struct rte_mbuf *m, const struct vxlan_end *end)
{
	struct vxlan_said said;
	enum vxlan_resolve_kind kind = vxlan_resolve_hear(m, end, &said);

	if (kind != VXLAN_RESOLVE_NONE && said.known)
		require(rte_is_valid_assigned_ether_addr(&said.mac));
	if (kind == VXLAN_RESOLVE_ASKED)
		require(memcmp(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), &end->mac, 6) == 0);
	rte_mbuf_sanity_check(m, 1);
	rte_pktmbuf_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t options, frame[LONGEST];
	struct vxlan_end end;
	struct rte_mbuf *m;
	uint16_t first, len;

	if (size < 2 || size - 2 > LONGEST)
		return 0;
	options = data[0];
	first = data[1];
	len = (uint16_t)(size - 2);
	memcpy(frame, data + 2, len);
	end = our_end(options & IPV6);
	put_right(frame, len, options, &end);
	take_tag(chain(frame, len, first), options & NESTED);
	take_tunnel(chain(frame, len, first), &end);
	hear(chain(frame, len, first), &end);
	m = rte_pktmbuf_alloc(pool);
	require(m != NULL);
	memcpy(rte_pktmbuf_append(m, len), frame, len);
	hear(m, &end);
	require(rte_mempool_in_use_count(pool) == 0);
	return 0;
}
