#include "checksum.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define OFFLOAD_FLAGS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)

__extension__ typedef unsigned __int128 uint128_t;

/* The part of a packet that a checksum covers. */
struct range {
	uint32_t off;
	uint32_t len;
};

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* 2^64 is 1 modulo 0xffff, so words may be added as they are and the carries last. */
static uint16_t sum_bytes(const uint8_t *data, uint32_t len)
{
	uint128_t sum = 0;
	uint64_t words[4] = {0};

	for (; len >= sizeof(words); len -= sizeof(words), data += sizeof(words)) {
		memcpy(words, data, sizeof(words));
		for (unsigned i = 0; i < 4; i++)
			sum += words[i];
	}
	memset(words, 0, sizeof(words));
	memcpy(words, data, len);
	for (unsigned i = 0; i < 4; i++)
		sum += words[i];
	return fold((uint64_t)fold((uint64_t)sum) + (uint64_t)(sum >> 64));
}

uint16_t checksum_sum(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	uint64_t sum = 0;
	bool odd = false;

	for (; m != NULL && len > 0; m = m->next) {
		uint32_t part;
		uint16_t s;

		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		part = RTE_MIN(len, m->data_len - off);
		s = sum_bytes(rte_pktmbuf_mtod_offset(m, const uint8_t *, off), part);
		sum += odd ? rte_bswap16(s) : s;
		odd ^= part & 1;
		len -= part;
		off = 0;
	}
	return fold(sum);
}

/* Where a routing header's list leads, unless it is already there or of a type unknown here. */
static const uint8_t *routed_destination(const uint8_t *routing, uint32_t len)
{
	uint8_t type = routing[2], left = routing[3];

	if (left == 0 || len < 24)
		return NULL;
	if (type == 4) /* RFC 8754: the last segment comes first */
		return routing + 8;
	if (type == 0 || type == 2) /* RFC 2460 4.4, RFC 6275 6.4 */
		return routing + len - 16;
	return NULL;
}

/* Bounded by len, as every header takes eight bytes of it. */
static const uint8_t *final_destination(const uint8_t *ip, uint32_t len)
{
	const uint8_t *dst = ip + 24;
	uint8_t proto = ip[6];
	uint32_t off = sizeof(struct rte_ipv6_hdr);

	while (off + 8 <= len) {
		uint32_t ext = proto == IPPROTO_AH ? (ip[off + 1] + 2u) * 4
						   : (ip[off + 1] + 1u) * 8;

		if (proto == IPPROTO_FRAGMENT)
			ext = 8;
		if (off + ext > len)
			break;
		if (proto == IPPROTO_ROUTING) {
			const uint8_t *final = routed_destination(ip + off, ext);

			dst = final != NULL ? final : dst;
		}
		proto = ip[off];
		off += ext;
	}
	return dst;
}

uint16_t checksum_pseudo(
	const uint8_t *ip, uint32_t header_len, bool ipv6, uint8_t proto, uint32_t l4_len)
{
	uint64_t sum;

	if (ipv6) {
		sum = sum_bytes(ip + 8, 16);
		sum += sum_bytes(final_destination(ip, header_len), 16);
	} else {
		sum = sum_bytes(ip + 12, 8);
	}
	sum += rte_cpu_to_be_16((uint16_t)l4_len);
	sum += rte_cpu_to_be_16((uint16_t)(l4_len >> 16));
	sum += rte_cpu_to_be_16(proto);
	return fold(sum);
}

void checksum_ipv4(uint8_t *ip)
{
	struct rte_ipv4_hdr *header = (struct rte_ipv4_hdr *)ip;

	header->hdr_checksum = 0;
	header->hdr_checksum = ~sum_bytes(ip, rte_ipv4_hdr_len(header));
}

static void complete_sum(
	struct rte_mbuf *m, const struct range *l4, uint16_t pseudo, uint16_t field_off)
{
	uint8_t *field = rte_pktmbuf_mtod_offset(m, uint8_t *, l4->off + field_off);
	uint16_t sum = 0;

	memcpy(field, &sum, sizeof(sum));
	sum = ~fold((uint64_t)checksum_sum(m, l4->off, l4->len) + pseudo);
	/* RFC 768: zero would say that there is none. In TCP the two mean the same. */
	if (sum == 0)
		sum = 0xffff;
	memcpy(field, &sum, sizeof(sum));
}

/* As rte_hash_crc(), which reads words where they don't lie. */
static uint32_t crc_bytes(uint32_t crc, const uint8_t *data, uint32_t len)
{
	for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), data += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, data, sizeof(word));
		crc = rte_hash_crc_8byte(word, crc);
	}
	for (; len > 0; len--, data++)
		crc = rte_hash_crc_1byte(*data, crc);
	return crc;
}

/* CRC32c (RFC 9260, appendix A), the low byte first. */
static void complete_sctp(struct rte_mbuf *m, const struct range *l4)
{
	uint8_t *field = rte_pktmbuf_mtod_offset(
		m, uint8_t *, l4->off + offsetof(struct rte_sctp_hdr, cksum));
	uint32_t off = l4->off, len = l4->len;
	uint32_t crc = 0xffffffff;

	memset(field, 0, sizeof(crc));
	for (const struct rte_mbuf *s = m; s != NULL && len > 0; s = s->next) {
		uint32_t part;

		if (off >= s->data_len) {
			off -= s->data_len;
			continue;
		}
		part = RTE_MIN(len, s->data_len - off);
		crc = crc_bytes(crc, rte_pktmbuf_mtod_offset(s, const uint8_t *, off), part);
		len -= part;
		off = 0;
	}
	crc = rte_cpu_to_le_32(~crc);
	memcpy(field, &crc, sizeof(crc));
}

/* The upper layer of the packet at ip; false where it goes beyond m or the headers beyond ip. */
static bool upper_layer(const struct rte_mbuf *m, const uint8_t *ip, struct range *l4)
{
	bool ipv6 = m->ol_flags & RTE_MBUF_F_TX_IPV6;
	uint32_t fixed = ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	uint32_t total, headers = m->l2_len + m->l3_len + m->l4_len;

	if (m->l3_len < fixed || headers > m->data_len)
		return false;
	if (ipv6)
		total = fixed + rte_be_to_cpu_16(((const struct rte_ipv6_hdr *)ip)->payload_len);
	else
		total = rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)ip)->total_length);
	if (total < m->l3_len + m->l4_len || total > m->pkt_len - m->l2_len)
		return false;
	*l4 = (struct range){m->l2_len + m->l3_len, total - m->l3_len};
	return true;
}

/* UDP has a length of its own, and only what is within it is summed (RFC 768). */
static bool udp_length(const struct rte_mbuf *m, struct range *l4)
{
	const struct rte_udp_hdr *udp;
	uint32_t len;

	if (m->l4_len < sizeof(*udp))
		return false;
	udp = rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, l4->off);
	len = rte_be_to_cpu_16(udp->dgram_len);
	if (len < sizeof(*udp) || len > l4->len)
		return false;
	l4->len = len;
	return true;
}

bool checksum_complete(struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, m->l2_len);
	bool ipv6 = m->ol_flags & RTE_MBUF_F_TX_IPV6;
	uint64_t kind = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
	struct range l4;

	if (!upper_layer(m, ip, &l4))
		return false;
	if (kind == RTE_MBUF_F_TX_TCP_CKSUM && m->l4_len >= sizeof(struct rte_tcp_hdr))
		complete_sum(m, &l4, checksum_pseudo(ip, m->l3_len, ipv6, IPPROTO_TCP, l4.len),
			offsetof(struct rte_tcp_hdr, cksum));
	else if (kind == RTE_MBUF_F_TX_UDP_CKSUM && udp_length(m, &l4))
		complete_sum(m, &l4, checksum_pseudo(ip, m->l3_len, ipv6, IPPROTO_UDP, l4.len),
			offsetof(struct rte_udp_hdr, dgram_cksum));
	else if (kind == RTE_MBUF_F_TX_SCTP_CKSUM && m->l4_len >= sizeof(struct rte_sctp_hdr))
		complete_sctp(m, &l4);
	else
		return false;
	m->ol_flags &= ~OFFLOAD_FLAGS;
	return true;
}
