#include <netinet/in.h>
#include <string.h>

#include "pktgen_frame.h"

#define ETHER       14
#define TAG         4
#define IPV4        20
#define UDP         8
#define TCP         20
#define SYN_OPTIONS 8 /* MSS, a NOP, window scale (RFC 9293 3.1, RFC 7323 2.2) */
#define TTL         64
#define STAMP_MAGIC 0x76737067u

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static uint32_t sum32(uint32_t v)
{
	return (v >> 16) + (v & 0xffff);
}

/* RFC 1071. */
static uint32_t fold(uint32_t sum)
{
	sum = sum32(sum);
	return sum32(sum);
}

void pktgen_frame_init(struct pktgen_frame *frame, const uint8_t dst[6], const uint8_t src[6],
	uint16_t vlan, uint8_t protocol)
{
	memset(frame, 0, sizeof(*frame));
	memcpy(frame->dst, dst, 6);
	memcpy(frame->src, src, 6);
	frame->vlan = vlan;
	frame->protocol = protocol;
	frame->l3 = vlan != 0 ? ETHER + TAG : ETHER;
	frame->l4 = frame->l3 + IPV4;
	frame->payload = frame->l4 + (protocol == IPPROTO_TCP ? TCP : UDP);
}

uint32_t pktgen_frame_stamped(const struct pktgen_frame *frame)
{
	uint32_t len = frame->payload + PKTGEN_STAMP;

	return len > PKTGEN_FRAME_MIN ? len : PKTGEN_FRAME_MIN;
}

static void write_ether(
	const struct pktgen_frame *frame, uint8_t *data, const uint8_t *dst, uint32_t type)
{
	memcpy(data, dst, 6);
	memcpy(data + 6, frame->src, 6);
	if (frame->vlan != 0) {
		put16(data + 12, 0x8100);
		put16(data + 14, frame->vlan);
	}
	put16(data + frame->l3 - 2, type);
}

uint32_t pktgen_frame_write(const struct pktgen_frame *frame, uint8_t *data, uint32_t len,
	const struct pktgen_tuple *tuple, const struct pktgen_tcp *tcp)
{
	uint8_t *ip = data + frame->l3, *l4 = data + frame->l4;
	uint32_t headers = frame->payload;

	write_ether(frame, data, frame->dst, 0x0800);
	memset(ip, 0, IPV4);
	ip[0] = 0x45;
	put16(ip + 6, 0x4000); /* do not fragment */
	ip[8] = TTL;
	ip[9] = frame->protocol;
	if (tcp != NULL) {
		memset(l4, 0, TCP);
		l4[12] = TCP / 4 << 4;
		l4[13] = tcp->flags;
		put16(l4 + 14, tcp->window);
		if (tcp->mss != 0) {
			l4[12] = (TCP + SYN_OPTIONS) / 4 << 4;
			put16(l4 + TCP, 0x0204);
			put16(l4 + TCP + 2, tcp->mss);
			put16(l4 + TCP + 4, 0x0103);
			put16(l4 + TCP + 6, 3 << 8 | PKTGEN_WINDOW_SCALE);
			headers += SYN_OPTIONS;
		}
	}
	pktgen_frame_patch(frame, data, len, tuple, tcp);
	return headers;
}

/* The options of a SYN of ours. */
static uint32_t sum_options(const uint8_t *l4)
{
	return l4[12] == TCP / 4 << 4 ? 0
				      : get16(l4 + TCP) + get16(l4 + TCP + 2) +
						get16(l4 + TCP + 4) + get16(l4 + TCP + 6);
}

static void patch_tcp(const struct pktgen_frame *frame, uint8_t *l4, uint32_t pseudo,
	const struct pktgen_tcp *tcp)
{
	uint32_t sum;

	put32(l4 + 4, tcp->seq);
	put32(l4 + 8, tcp->ack);
	if (frame->partial) {
		put16(l4 + 16, fold(pseudo));
		return;
	}
	sum = pseudo + get16(l4) + get16(l4 + 2) + sum32(tcp->seq) + sum32(tcp->ack) +
	      get16(l4 + 12) + get16(l4 + 14) + sum_options(l4);
	put16(l4 + 16, ~fold(sum));
}

void pktgen_frame_patch(const struct pktgen_frame *frame, uint8_t *data, uint32_t len,
	const struct pktgen_tuple *tuple, const struct pktgen_tcp *tcp)
{
	uint8_t *ip = data + frame->l3, *l4 = data + frame->l4;
	uint32_t ends = sum32(tuple->src) + sum32(tuple->dst), total = len - frame->l3;

	put16(ip + 2, total);
	put16(ip + 10, ~fold(0x4500 + 0x4000 + (TTL << 8 | frame->protocol) + total + ends));
	put32(ip + 12, tuple->src);
	put32(ip + 16, tuple->dst);
	put16(l4, tuple->sport);
	put16(l4 + 2, tuple->dport);
	if (tcp != NULL)
		patch_tcp(frame, l4, ends + IPPROTO_TCP + total - IPV4, tcp);
	else
		put16(l4 + 4, total - IPV4); /* and no checksum: RFC 768 allows that in IPv4 */
}

void pktgen_frame_stamp(const struct pktgen_frame *frame, uint8_t *data, uint64_t time)
{
	uint8_t *at = data + frame->payload;
	uint32_t sum;

	put32(at, STAMP_MAGIC);
	put32(at + 4, (uint32_t)(time >> 32));
	put32(at + 8, (uint32_t)time);
	if (frame->protocol != IPPROTO_TCP || frame->partial)
		return;
	at = data + frame->l4 + 16;
	sum = (~get16(at) & 0xffff) + sum32(STAMP_MAGIC) + sum32((uint32_t)(time >> 32)) +
	      sum32((uint32_t)time);
	put16(at, ~fold(sum));
}

void pktgen_frame_unstamp(const struct pktgen_frame *frame, uint8_t *data)
{
	memset(data + frame->payload, 0, PKTGEN_STAMP);
}

bool pktgen_frame_stamp_of(
	const struct pktgen_frame *frame, const uint8_t *data, uint32_t len, uint64_t *time)
{
	const uint8_t *at = data + frame->payload;

	if (len < (uint32_t)frame->payload + PKTGEN_STAMP || get32(at) != STAMP_MAGIC)
		return false;
	*time = (uint64_t)get32(at + 4) << 32 | get32(at + 8);
	return true;
}

bool pktgen_frame_is(const struct pktgen_frame *frame, const uint8_t *data, uint32_t len)
{
	if (len < frame->payload || memcmp(data, frame->dst, 6) != 0 ||
		memcmp(data + 6, frame->src, 6) != 0)
		return false;
	if (frame->vlan != 0 &&
		(get16(data + 12) != 0x8100 || ((get16(data + 14) ^ frame->vlan) & 0xfff) != 0))
		return false;
	return get16(data + frame->l3 - 2) == 0x0800 && data[frame->l3 + 9] == frame->protocol;
}

/* MSS and window scale; those of others are passed over. */
static void read_options(const uint8_t *at, uint32_t len, struct pktgen_tcp *tcp)
{
	uint32_t size;

	for (; len > 0 && *at != 0; at += size, len -= size) {
		size = *at == 1 ? 1 : len > 1 ? at[1] : 0;
		if (size == 0 || size > len || (*at != 1 && size < 2))
			return;
		if (*at == 2 && size == 4)
			tcp->mss = (uint16_t)get16(at + 2);
		if (*at == 3 && size == 3)
			tcp->scale = at[2] < 14 ? at[2] : 14;
	}
}

static bool read_tcp(const uint8_t *l4, uint32_t len, struct pktgen_seen *seen)
{
	uint32_t header = len >= TCP ? (uint32_t)(l4[12] >> 4) * 4 : 0;

	if (header < TCP || header > len)
		return false;
	seen->tcp = (struct pktgen_tcp){.seq = get32(l4 + 4),
		.ack = get32(l4 + 8),
		.window = (uint16_t)get16(l4 + 14),
		.flags = l4[13]};
	if (l4[13] & PKTGEN_SYN)
		read_options(l4 + TCP, header - TCP, &seen->tcp);
	seen->payload += header;
	seen->len -= header;
	return true;
}

bool pktgen_frame_read(const struct pktgen_frame *frame, const uint8_t *data, uint32_t len,
	struct pktgen_seen *seen)
{
	const uint8_t *ip = data + frame->l3;
	uint32_t total, readable, header;

	if (len < (uint32_t)frame->l3 + IPV4 + UDP || get16(ip - 2) != 0x0800 || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 15) * 4u;
	total = get16(ip + 2);
	readable = len - frame->l3;
	if (header < IPV4 || header + UDP > readable || total < header + UDP ||
		(get16(ip + 6) & 0x3fff) != 0)
		return false;
	seen->tuple = (struct pktgen_tuple){.src = get32(ip + 12),
		.dst = get32(ip + 16),
		.sport = (uint16_t)get16(ip + header),
		.dport = (uint16_t)get16(ip + header + 2)};
	seen->protocol = ip[9];
	seen->payload = frame->l3 + header;
	seen->len = total - header;
	if (ip[9] == IPPROTO_TCP) {
		/* Of a frame in several buffers, the first holds the headers at least. */
		uint32_t first = readable - header;

		return seen->len >= TCP &&
		       read_tcp(ip + header, first < seen->len ? first : seen->len, seen);
	}
	seen->payload += UDP;
	seen->len -= UDP;
	return ip[9] == IPPROTO_UDP;
}

void pktgen_frame_arp(const struct pktgen_frame *frame, uint8_t *data, uint32_t from, uint32_t to)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
	static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1};
	uint8_t *arp = data + frame->l3;

	memset(data, 0, PKTGEN_FRAME_MIN);
	write_ether(frame, data, all, 0x0806);
	memcpy(arp, request, sizeof(request));
	memcpy(arp + 8, frame->src, 6);
	put32(arp + 14, from);
	put32(arp + 24, to);
}

bool pktgen_frame_is_arp(
	const struct pktgen_frame *frame, const uint8_t *data, uint32_t len, uint32_t from)
{
	const uint8_t *arp = data + frame->l3;

	return len >= (uint32_t)frame->l3 + 28 && get16(arp - 2) == 0x0806 &&
	       memcmp(arp + 8, frame->src, 6) == 0 && get32(arp + 14) == from;
}
