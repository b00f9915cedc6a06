/*
 * Frames for tests, made byte by byte, in mbufs whose every segment is a heap block of exactly its
 * size, so that a sanitizer sees the first byte read beyond it. The checksums here share no code
 * with the product.
 */
#ifndef VS_TEST_FRAMES_H
#define VS_TEST_FRAMES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#define FRAME_MAX  66000
#define TCP        6
#define UDP        17
#define SCTP       132
#define TCP_FIN    0x01
#define TCP_SYN    0x02
#define TCP_PSH    0x08
#define TCP_ACK    0x10
#define TCP_CWR    0x80
#define FRAME_SEQ  0xfffff000u /* wraps within a long packet */
#define FRAME_ID   0xfffe
#define FRAME_SEGS 80

struct frame_spec {
	bool ipv6;
	bool reverse; /* the answer's direction */
	bool partial; /* only the pseudo-header summed */
	bool routing; /* IPv6: a routing header of type 4, one hop to go */
	uint8_t vlans; /* 0x88a8 outermost where there are two */
	uint8_t proto; /* any but TCP, UDP, SCTP: payload only */
	uint8_t extra; /* IPv4: words of options; IPv6: destination options of 8 bytes each */
	uint8_t tcp_words; /* of options */
	uint8_t tcp_flags;
	uint32_t payload;
	uint32_t padding; /* behind the packet's own end */
};

struct frame {
	uint8_t data[FRAME_MAX];
	uint32_t len; /* with padding */
	uint32_t l3; /* offsets */
	uint32_t l4;
	uint32_t payload;
	uint32_t end; /* of the packet itself */
};

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static inline uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* RFC 1071, a byte at a time. */
static inline uint32_t slow_sum(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (sum & 0xffff) + (sum >> 16);
}

/* CRC32c, a bit at a time; bit-reversed as on the wire's first byte. */
static inline uint32_t slow_crc32c(const uint8_t *p, uint32_t len)
{
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

/* src and dst are those that the pseudo-header has. */
static inline uint32_t slow_pseudo(
	const uint8_t *src, const uint8_t *dst, uint32_t addr_len, uint8_t proto, uint32_t l4_len)
{
	uint8_t tail[8] = {0};

	put32(tail, l4_len);
	tail[7] = proto;
	return slow_sum(slow_sum(slow_sum(0, src, addr_len), dst, addr_len), tail, sizeof(tail));
}

static inline uint32_t frame_pseudo(const struct frame *f, const struct frame_spec *s)
{
	const uint8_t *ip = f->data + f->l3;
	uint32_t len = f->end - f->l4;

	if (!s->ipv6)
		return slow_pseudo(ip + 12, ip + 16, 4, s->proto, len);
	return slow_pseudo(ip + 8, s->routing ? ip + 40 + 8 : ip + 24, 16, s->proto, len);
}

static inline void frame_close(struct frame *f, const struct frame_spec *s)
{
	uint8_t *l4 = f->data + f->l4;
	uint32_t len = f->end - f->l4, field = s->proto == TCP ? 16 : 6, sum;

	if (s->proto == SCTP && !s->partial) {
		sum = slow_crc32c(l4, len);
		for (int i = 0; i < 4; i++)
			l4[8 + i] = (uint8_t)(sum >> (8 * i));
	}
	if (s->proto != TCP && s->proto != UDP)
		return;
	sum = frame_pseudo(f, s);
	if (!s->partial) {
		sum = ~slow_sum(sum, l4, len) & 0xffff;
		sum = sum == 0 ? 0xffff : sum;
	}
	put16(l4 + field, sum);
}

static inline uint32_t frame_ip(uint8_t *ip, const struct frame_spec *s, uint32_t l4_len)
{
	static const uint8_t a4[] = {10, 0, 0, 1}, b4[] = {10, 0, 7, 200};
	static const uint8_t a6[16] = {0xfd, 1, [15] = 1}, b6[16] = {0xfd, 2, 9, [15] = 0x77};
	uint32_t header = s->ipv6 ? 40 : 20 + 4 * s->extra;
	uint8_t *next = ip + 6;

	if (!s->ipv6) {
		ip[0] = (uint8_t)(0x40 | header / 4);
		put16(ip + 2, header + l4_len);
		put16(ip + 4, FRAME_ID);
		put16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = s->proto;
		memcpy(ip + 12, s->reverse ? b4 : a4, 4);
		memcpy(ip + 16, s->reverse ? a4 : b4, 4);
		memset(ip + 20, 1, 4 * s->extra);
		put16(ip + 10, ~slow_sum(0, ip, header) & 0xffff);
		return header;
	}
	put32(ip, 0x60000000);
	ip[7] = 64;
	memcpy(ip + 8, s->reverse ? b6 : a6, 16);
	memcpy(ip + 24, s->reverse ? a6 : b6, 16);
	if (s->routing) {
		*next = 43;
		next = ip + header;
		memcpy(next, (uint8_t[8]){0, 2, 4, 1}, 8);
		memset(next + 8, 0xab, 16);
		header += 24;
	}
	for (unsigned i = 0; i < s->extra; i++) {
		*next = 60;
		next = ip + header;
		memcpy(next, (uint8_t[8]){0, 0, 1, 4}, 8);
		header += 8;
	}
	*next = s->proto;
	put16(ip + 4, header - 40 + l4_len);
	return header;
}

static inline void frame_build(struct frame *f, const struct frame_spec *s)
{
	static const uint8_t macs[] = {2, 0, 0, 0, 0, 0x0a, 2, 0, 0, 0, 0, 0x0b};
	uint32_t l4_header = s->proto == TCP    ? 20 + 4 * s->tcp_words
			     : s->proto == UDP  ? 8
			     : s->proto == SCTP ? 12
						: 0;
	uint8_t *l4;

	memset(f, 0, sizeof(*f));
	memcpy(f->data, macs + (s->reverse ? 6 : 0), 6);
	memcpy(f->data + 6, macs + (s->reverse ? 0 : 6), 6);
	f->l3 = 14;
	for (unsigned i = 0; i < s->vlans; i++, f->l3 += 4) {
		put16(f->data + f->l3 - 2, s->vlans == 2 && i == 0 ? 0x88a8 : 0x8100);
		put16(f->data + f->l3, 100 + i);
	}
	put16(f->data + f->l3 - 2, s->ipv6 ? 0x86dd : 0x0800);
	f->l4 = f->l3 + frame_ip(f->data + f->l3, s, l4_header + s->payload);
	f->payload = f->l4 + l4_header;
	f->end = f->payload + s->payload;
	f->len = f->end + s->padding;
	assert_true(f->len <= FRAME_MAX);
	l4 = f->data + f->l4;
	for (uint32_t i = 0; i < s->payload; i++)
		f->data[f->payload + i] = (uint8_t)(i * 7 + (i >> 8) * 13 + 1);
	memset(f->data + f->end, 0xee, s->padding);
	if (l4_header > 0) {
		put16(l4, s->reverse ? 445 : 49152);
		put16(l4 + 2, s->reverse ? 49152 : 445);
	}
	if (s->proto == TCP) {
		put32(l4 + 4, FRAME_SEQ);
		put32(l4 + 8, 77);
		l4[12] = (uint8_t)((5 + s->tcp_words) << 4);
		l4[13] = s->tcp_flags;
		put16(l4 + 14, 512);
		memset(l4 + 20, 1, 4 * s->tcp_words);
	} else if (s->proto == UDP) {
		put16(l4 + 4, 8 + s->payload);
	}
	frame_close(f, s);
}

/*
 * Whether the checksums of a packet are right, IPv4's own too; IPv4, or IPv6 with destination
 * options and a routing header as frame_build() makes them.
 */
static inline bool frame_checksums_ok(const uint8_t *data, uint32_t l3)
{
	const uint8_t *ip = data + l3, *dst = ip + 24;
	bool ipv6 = ip[0] >> 4 == 6;
	uint32_t header = ipv6 ? 40 : (ip[0] & 15u) * 4, len, sum;
	uint8_t proto = ip[ipv6 ? 6 : 9];

	if (!ipv6 && slow_sum(0, ip, header) != 0xffff)
		return false;
	while (ipv6 && (proto == 60 || proto == 43)) {
		dst = proto == 43 ? ip + header + 8 : dst;
		proto = ip[header];
		header += (ip[header + 1] + 1u) * 8;
	}
	len = ipv6 ? 40 + get16(ip + 4) - header : get16(ip + 2) - header;
	if (proto == SCTP) {
		uint8_t *copy = malloc(len);

		memcpy(copy, ip + header, len);
		memset(copy + 8, 0, 4);
		sum = slow_crc32c(copy, len);
		free(copy);
		return memcmp(ip + header + 8,
			       (uint8_t[]){(uint8_t)sum, (uint8_t)(sum >> 8), (uint8_t)(sum >> 16),
				       (uint8_t)(sum >> 24)},
			       4) == 0;
	}
	sum = ipv6 ? slow_pseudo(ip + 8, dst, 16, proto, len)
		   : slow_pseudo(ip + 12, ip + 16, 4, proto, len);
	return slow_sum(sum, ip + header, len) == 0xffff;
}

static inline int frames_eal(const char *program)
{
	char *argv[] = {(char *)(uintptr_t)program, "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "64", "--log-level=error", NULL};

	return rte_eal_init(8, argv);
}

static inline void frames_free_block(void *block, void *shinfo)
{
	free(block);
	free(shinfo);
}

/* One segment, of len bytes, in a block of just that size. */
static inline struct rte_mbuf *frames_segment(
	struct rte_mempool *pool, const uint8_t *data, uint16_t len)
{
	struct rte_mbuf_ext_shared_info *shinfo = calloc(1, sizeof(*shinfo));
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *block = malloc(len);

	assert_non_null(m);
	assert_non_null(shinfo);
	assert_non_null(block);
	memcpy(block, data, len);
	shinfo->free_cb = frames_free_block;
	shinfo->fcb_opaque = shinfo;
	rte_mbuf_ext_refcnt_set(shinfo, 1);
	rte_pktmbuf_attach_extbuf(m, block, RTE_BAD_IOVA, len, shinfo);
	m->data_off = 0;
	m->data_len = len;
	m->pkt_len = len;
	return m;
}

/* The first segment has first bytes, the others `rest` each; 0 or too long for one: all. */
static inline struct rte_mbuf *frames_mbuf(
	struct rte_mempool *pool, const uint8_t *data, uint32_t len, uint32_t first, uint32_t rest)
{
	uint32_t size = first == 0 ? len : first;
	struct rte_mbuf *m = NULL, **tail = &m;
	uint32_t off = 0;
	uint16_t n = 0;

	do {
		uint32_t part = RTE_MIN(size, len - off);

		part = RTE_MIN(part, 65535u);
		*tail = frames_segment(pool, data + off, (uint16_t)part);
		tail = &(*tail)->next;
		off += part;
		n++;
		size = rest == 0 ? len : rest;
	} while (off < len);
	m->pkt_len = len;
	m->nb_segs = n;
	return m;
}

/* Gathers m's bytes in data, checking the chain on the way. */
static inline uint32_t frames_read(const struct rte_mbuf *m, uint8_t *data)
{
	uint32_t len = 0;
	unsigned n = 0;

	for (const struct rte_mbuf *s = m; s != NULL; s = s->next, n++) {
		assert_true(len + s->data_len <= FRAME_MAX);
		memcpy(data + len, rte_pktmbuf_mtod(s, const void *), s->data_len);
		len += s->data_len;
	}
	assert_int_equal(len, m->pkt_len);
	assert_int_equal(n, m->nb_segs);
	return len;
}

/* xorshift: the same numbers in every run. */
static inline uint32_t frames_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

#endif
