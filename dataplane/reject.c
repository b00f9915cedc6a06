#include "reject.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "addr.h"
#include "checksum.h"

#define IPV4_LEN sizeof(struct rte_ipv4_hdr)
#define IPV6_LEN sizeof(struct rte_ipv6_hdr)
#define ICMP_LEN 8 /* type, code, checksum and four unused bytes */

#define ICMP_UNREACHABLE         3
#define ICMP_PROHIBITED          13
#define ICMPV6_UNREACHABLE       1
#define ICMPV6_PROHIBITED        1
#define ICMPV6_FIRST_INFORMATION 128
#define ICMPV6_REDIRECT          137

#define RST_TTL  64
#define ICMP_TTL 255

static const uint8_t *headers(const struct rte_mbuf *m, uint32_t off)
{
	return rte_pktmbuf_mtod_offset(m, const uint8_t *, off);
}

static bool mac_unicast(const uint8_t *mac)
{
	return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
}

static bool ipv4_unicast(const uint8_t *a)
{
	return a[0] != 0 && a[0] != 127 && a[0] < 224;
}

static bool ipv6_unicast(const uint8_t *bytes)
{
	struct addr a = addr_from_ipv6(bytes);

	return bytes[0] != 0xff && !(a.high == 0 && a.low <= 1) && !addr_is_ipv4(a);
}

/* RFC 1122, 3.2.2, and RFC 4443, 2.4 e: an error never answers an error. */
static bool is_error(const struct packet *p, uint8_t type)
{
	if (p->flags & PACKET_IPV6)
		return type < ICMPV6_FIRST_INFORMATION || type == ICMPV6_REDIRECT;
	return (type >= 3 && type <= 5) || type == 11 || type == 12;
}

static bool is_due(const struct rte_mbuf *m, const struct packet *p)
{
	const uint8_t *frame = headers(m, 0), *ip = frame + p->l3_off;
	uint8_t icmp = p->flags & PACKET_IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	if (!(p->flags & PACKET_L4)) /* a later fragment has none */
		return false;
	if (!mac_unicast(frame) || !mac_unicast(frame + RTE_ETHER_ADDR_LEN))
		return false;
	if (p->flags & PACKET_IPV4 ? !ipv4_unicast(ip + 12) || !ipv4_unicast(ip + 16)
				   : !ipv6_unicast(ip + 8) || !ipv6_unicast(ip + 24))
		return false;
	if (p->l4_proto == IPPROTO_TCP)
		return !(p->tcp_flags & RTE_TCP_RST_FLAG);
	return p->l4_proto != icmp || !is_error(p, *headers(m, p->l4_off));
}

/* Frame and IP header turned round, for len bytes behind them. Returns where these begin. */
static uint8_t *answer_headers(const struct rte_mbuf *m, const struct packet *p, uint8_t *out,
	uint8_t proto, uint8_t ttl, uint32_t len)
{
	const uint8_t *frame = headers(m, 0), *ip = frame + p->l3_off;
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)(out + p->l3_off);
	struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)(out + p->l3_off);

	memcpy(out, frame + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	memcpy(out + RTE_ETHER_ADDR_LEN, frame, RTE_ETHER_ADDR_LEN);
	memcpy(out + 2 * RTE_ETHER_ADDR_LEN, frame + 2 * RTE_ETHER_ADDR_LEN,
		p->l3_off - 2 * RTE_ETHER_ADDR_LEN);
	if (p->flags & PACKET_IPV4) {
		*ip4 = (struct rte_ipv4_hdr){
			.version_ihl = RTE_IPV4_VHL_DEF,
			.total_length = rte_cpu_to_be_16((uint16_t)(IPV4_LEN + len)),
			.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG), /* so no id */
			.time_to_live = ttl,
			.next_proto_id = proto,
		};
		memcpy(&ip4->src_addr, ip + 16, sizeof(ip4->src_addr));
		memcpy(&ip4->dst_addr, ip + 12, sizeof(ip4->dst_addr));
		checksum_ipv4((uint8_t *)ip4);
		return (uint8_t *)(ip4 + 1);
	}
	*ip6 = (struct rte_ipv6_hdr){
		.vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28),
		.payload_len = rte_cpu_to_be_16((uint16_t)len),
		.proto = proto,
		.hop_limits = ttl,
	};
	memcpy(ip6->src_addr, ip + 24, sizeof(ip6->src_addr));
	memcpy(ip6->dst_addr, ip + 8, sizeof(ip6->dst_addr));
	return (uint8_t *)(ip6 + 1);
}

static struct rte_mbuf *answer_alloc(
	const struct packet *p, struct rte_mempool *pool, uint32_t l3_len)
{
	struct rte_mbuf *a = rte_pktmbuf_alloc(pool);

	if (a == NULL)
		return NULL;
	if (rte_pktmbuf_append(a, (uint16_t)(p->l3_off + l3_len)) == NULL) {
		rte_pktmbuf_free(a);
		return NULL;
	}
	a->l2_len = p->l3_off;
	return a;
}

static uint32_t ip_len(const struct packet *p)
{
	return p->flags & PACKET_IPV4 ? IPV4_LEN : IPV6_LEN;
}

/* The checksum of len bytes behind a's IP header; summed with its pseudo-header where proto. */
static uint16_t answer_sum(
	const struct rte_mbuf *a, const struct packet *p, uint8_t proto, uint32_t len)
{
	uint32_t header = ip_len(p), sum = checksum_sum(a, p->l3_off + header, len);

	if (proto != IPPROTO_ICMP)
		sum += checksum_pseudo(
			headers(a, p->l3_off), header, p->flags & PACKET_IPV6, proto, len);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* seq: its number; NULL: what the segment acknowledges, or none where it does not. */
static struct rte_mbuf *answer_rst(const struct rte_mbuf *m, const struct packet *p,
	struct rte_mempool *pool, const uint32_t *seq)
{
	const struct rte_tcp_hdr *segment = (const struct rte_tcp_hdr *)headers(m, p->l4_off);
	struct rte_mbuf *a = answer_alloc(p, pool, ip_len(p) + sizeof(struct rte_tcp_hdr));
	struct rte_tcp_hdr *rst;

	if (a == NULL)
		return NULL;
	rst = (struct rte_tcp_hdr *)answer_headers(
		m, p, rte_pktmbuf_mtod(a, uint8_t *), IPPROTO_TCP, RST_TTL, sizeof(*rst));
	*rst = (struct rte_tcp_hdr){
		.src_port = segment->dst_port,
		.dst_port = segment->src_port,
		.data_off = sizeof(*rst) / 4 << 4,
		.tcp_flags = RTE_TCP_RST_FLAG,
	};
	if (seq != NULL) {
		rst->sent_seq = rte_cpu_to_be_32(*seq);
	} else if (p->tcp_flags & RTE_TCP_ACK_FLAG) {
		rst->sent_seq = segment->recv_ack;
	} else {
		uint32_t end = rte_be_to_cpu_32(segment->sent_seq) + p->l3_off + p->l3_len -
			       p->payload_off;

		end += !!(p->tcp_flags & RTE_TCP_SYN_FLAG) + !!(p->tcp_flags & RTE_TCP_FIN_FLAG);
		rst->recv_ack = rte_cpu_to_be_32(end);
		rst->tcp_flags |= RTE_TCP_ACK_FLAG;
	}
	rst->cksum = answer_sum(a, p, IPPROTO_TCP, sizeof(*rst));
	return a;
}

/* Gathers len bytes of m, which has them, from off on. */
static void quote(uint8_t *out, const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	const void *data = rte_pktmbuf_read(m, off, len, out);

	if (data != out && data != NULL)
		memcpy(out, data, len);
}

static struct rte_mbuf *answer_icmp(
	const struct rte_mbuf *m, const struct packet *p, struct rte_mempool *pool)
{
	bool ipv6 = p->flags & PACKET_IPV6;
	uint32_t max = ipv6 ? REJECT_IPV6_MAX : REJECT_IPV4_MAX;
	uint32_t quoted = RTE_MIN(p->l3_len, max - ip_len(p) - ICMP_LEN);
	uint8_t proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	struct rte_mbuf *a = answer_alloc(p, pool, ip_len(p) + ICMP_LEN + quoted);
	uint16_t sum;
	uint8_t *icmp;

	if (a == NULL)
		return NULL;
	icmp = answer_headers(
		m, p, rte_pktmbuf_mtod(a, uint8_t *), proto, ICMP_TTL, ICMP_LEN + quoted);
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = ipv6 ? ICMPV6_UNREACHABLE : ICMP_UNREACHABLE;
	icmp[1] = ipv6 ? ICMPV6_PROHIBITED : ICMP_PROHIBITED;
	quote(icmp + ICMP_LEN, m, p->l3_off, quoted);
	sum = answer_sum(a, p, proto, ICMP_LEN + quoted);
	memcpy(icmp + 2, &sum, sizeof(sum));
	return a;
}

struct rte_mbuf *reject_answer(
	const struct rte_mbuf *m, const struct packet *p, struct rte_mempool *pool)
{
	if (!is_due(m, p))
		return NULL;
	return p->l4_proto == IPPROTO_TCP ? answer_rst(m, p, pool, NULL) : answer_icmp(m, p, pool);
}

struct rte_mbuf *reject_reset(
	const struct rte_mbuf *m, const struct packet *p, struct rte_mempool *pool, uint32_t seq)
{
	if (p->l4_proto != IPPROTO_TCP || !is_due(m, p))
		return NULL;
	return answer_rst(m, p, pool, &seq);
}
