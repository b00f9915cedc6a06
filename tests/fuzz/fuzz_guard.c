/*
 * Fuzzes anti-spoofing and the switch's answers: the first byte chooses the port, the second how
 * many bytes of the frame are in its first segment; the rest is the frame, in heap blocks of
 * exactly its size.
 *
 * Whatever passes is held against what must be true of it, by means that are not the guard's; and
 * whatever is answered, the answer must be a packet for the sender that is answered no more.
 *
 * libFuzzer target; its corpus is frames behind these two bytes.
 */
#include <rte_eal.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "port_driver.h"
#include "reject.h"

#define BUFFERS 2047

enum { ADDRESSES = 1, MAC = 2, PAIRS = 4, TRUST = 8, GUARDS = 16 };

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, pair_mac[6] = {0, 0, 0x5e, 0, 1, 7};
static const uint8_t own_ipv4[4] = {10, 0, 0, 1};
static const uint8_t own_ipv6[16] = {0xfd, [15] = 1};

static struct guard *guards[GUARDS];
static struct rte_mempool *pool;
struct port_env port_env __attribute__((weak));

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct guard *make_guard(unsigned options)
{
	static const struct config_network network = {
		.ethertypes = {0x0806, 0x0800, 0x86dd, 0x8035},
		.n_ethertypes = 4,
	};
	struct config_port port = {.trusted = options & TRUST,
		.has_mac = options & MAC,
		.ips = {"10.0.0.1", "fd00::1"},
		.n_ips = options & ADDRESSES ? 2 : 0,
		.n_pairs = options & PAIRS ? 1 : 0};

	memcpy(port.mac, own_mac, 6);
	memcpy(port.pairs[0].mac, pair_mac, 6);
	port.pairs[0].has_mac = true;
	port.pairs[0].span.first = addr_from_ipv4((const uint8_t[4]){10, 1, 0, 0});
	port.pairs[0].span.last = addr_from_ipv4((const uint8_t[4]){10, 1, 255, 255});
	return guard_create(&port, &network);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *eal[] = {"fuzz_guard", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "64", "--log-level=error"};

	if (rte_eal_init(RTE_DIM(eal), eal) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("fuzz", BUFFERS, 0, 0, 2048, SOCKET_ID_ANY);
	for (unsigned i = 0; i < GUARDS; i++) {
		guards[i] = make_guard(i);
		if (guards[i] == NULL)
			return -1;
	}
	return pool != NULL ? 0 : -1;
}

static void free_block(void *block, void *shinfo)
{
	free(block);
	free(shinfo);
}

static struct rte_mbuf *segment(const uint8_t *data, uint32_t len)
{
	struct rte_mbuf_ext_shared_info *shinfo = calloc(1, sizeof(*shinfo));
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *block = malloc(len);

	must(shinfo != NULL && m != NULL && block != NULL);
	memcpy(block, data, len);
	shinfo->free_cb = free_block;
	shinfo->fcb_opaque = shinfo;
	rte_mbuf_ext_refcnt_set(shinfo, 1);
	rte_pktmbuf_attach_extbuf(m, block, RTE_BAD_IOVA, (uint16_t)len, shinfo);
	m->data_off = 0;
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	return m;
}

static bool is_own_mac(const uint8_t *mac, unsigned options)
{
	if (!(options & (MAC | PAIRS)))
		return !(mac[0] & 1);
	return (options & MAC && memcmp(mac, own_mac, 6) == 0) ||
	       (options & PAIRS && memcmp(mac, pair_mac, 6) == 0);
}

static void passed_ipv4(const uint8_t *ip, const uint8_t *l4, const struct packet *p, unsigned o)
{
	bool udp = p->l4_proto == 17 && !(p->flags & PACKET_LATER_FRAGMENT);

	must(ip[12] < 224 && ip[12] != 127);
	if (udp) {
		must(l4[2] != 0 || l4[3] != 68);
		must(l4[0] != 0 || l4[1] != 67 || l4[2] != 0 || l4[3] != 67);
	}
	if (memcmp(ip + 12, (uint8_t[4]){0}, 4) == 0) {
		must(udp && memcmp(l4, (uint8_t[4]){0, 68, 0, 67}, 4) == 0);
		return;
	}
	must(!(o & (ADDRESSES | PAIRS)) || (o & ADDRESSES && memcmp(ip + 12, own_ipv4, 4) == 0) ||
		(o & PAIRS && ip[12] == 10 && ip[13] == 1));
}

static void passed_ipv6(const uint8_t *ip, const uint8_t *l4, const struct packet *p, unsigned o)
{
	bool link_local = ip[8] == 0xfe && (ip[9] & 0xc0) == 0x80;
	bool none = memcmp(ip + 8, (uint8_t[16]){0}, 16) == 0;
	bool icmp = p->l4_proto == 58 && !(p->flags & PACKET_LATER_FRAGMENT);

	must(ip[8] != 0xff);
	must(!none || (icmp && (l4[0] == 135 || l4[0] == 131 || l4[0] == 132 || l4[0] == 143)));
	must(none || link_local || !(o & (ADDRESSES | PAIRS)) ||
		(o & ADDRESSES && memcmp(ip + 8, own_ipv6, 16) == 0));
	if (p->l4_proto == 17 && !(p->flags & PACKET_LATER_FRAGMENT))
		must(l4[2] != 2 || l4[3] != 34); /* 546 */
	if (!icmp)
		return;
	must(l4[0] != 134 && l4[0] != 137);
	if (l4[0] >= 133 && l4[0] <= 136)
		must(ip[7] == 255 && !(p->flags & PACKET_FRAGMENT));
	if (l4[0] == 136 && o & (ADDRESSES | PAIRS))
		must((l4[8] == 0xfe && (l4[9] & 0xc0) == 0x80) ||
			(o & ADDRESSES && memcmp(l4 + 8, own_ipv6, 16) == 0));
}

static void passed_arp(const uint8_t *arp, unsigned o)
{
	must(is_own_mac(arp + 8, o));
	if (memcmp(arp + 14, (uint8_t[4]){0}, 4) == 0 || !(o & (ADDRESSES | PAIRS)))
		return;
	must((o & ADDRESSES && memcmp(arp + 14, own_ipv4, 4) == 0) ||
		(o & PAIRS && arp[14] == 10 && arp[15] == 1));
}

static void guard(const struct rte_mbuf *m, const struct packet *p, unsigned options)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *l3 = frame + p->l3_off, *l4 = frame + p->l4_off;
	int reason = guard_check(guards[options], m, p);

	if (options & TRUST) {
		must(reason == -1 || reason == DROP_ethertype);
		return;
	}
	must(reason == -1 || (reason >= DROP_ethertype && reason <= DROP_rogue_ra));
	if (reason != -1)
		return;
	must(is_own_mac(frame + 6, options));
	if (p->flags & PACKET_IPV4)
		passed_ipv4(l3, l4, p, options);
	else if (p->flags & PACKET_IPV6)
		passed_ipv6(l3, l4, p, options);
	else
		passed_arp(l3, options);
}

static void reject(const struct rte_mbuf *m, const struct packet *p)
{
	struct rte_mbuf *a = reject_answer(m, p, pool);
	struct packet q;

	if (a == NULL)
		return;
	must(rte_mbuf_check(a, 1, &(const char *){NULL}) == 0 && a->nb_segs == 1);
	must(packet_parse(a, &q) == -1);
	must(q.l3_off == p->l3_off && q.addr_hash == p->addr_hash);
	must(q.l3_off + q.l3_len == a->pkt_len);
	must(q.l3_len <= (q.flags & PACKET_IPV4 ? REJECT_IPV4_MAX : REJECT_IPV6_MAX));
	must(memcmp(rte_pktmbuf_mtod(a, uint8_t *), rte_pktmbuf_mtod_offset(m, uint8_t *, 6), 6) ==
		0);
	must(reject_answer(a, &q, pool) == NULL);
	rte_pktmbuf_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_mbuf *m;
	struct packet p;
	uint32_t len, first;

	if (size < 3 || size > 60000)
		return 0;
	len = (uint32_t)size - 2;
	first = data[1] > 0 && data[1] < len ? data[1] : len;
	m = segment(data + 2, first);
	if (first < len) {
		m->next = segment(data + 2 + first, len - first);
		m->nb_segs = 2;
		m->pkt_len = len;
	}
	if (packet_parse(m, &p) < 0) {
		guard(m, &p, data[0] % GUARDS);
		reject(m, &p);
	}
	rte_pktmbuf_free(m);
	must(rte_mempool_avail_count(pool) == BUFFERS);
	return 0;
}
