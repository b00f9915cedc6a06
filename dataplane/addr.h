/*
 * IP addresses of both families as one kind of number: IPv4 as IPv4-mapped IPv6 (RFC
 * 4291, 2.5.5.2). Any thread; no state, no DPDK: vswitch-ctl links it too.
 */
#ifndef VS_ADDR_H
#define VS_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* In host order, so that addresses compare as numbers do. */
struct addr {
	uint64_t high, low;
};

/* First to last, both included. */
struct addr_span {
	struct addr first, last;
};

#define ADDR_TEXT_MAX  46
#define ADDR_V4_PREFIX (UINT64_C(0xffff) << 32)

static inline struct addr addr_from_ipv4(const void *bytes)
{
	uint32_t v;

	memcpy(&v, bytes, sizeof(v));
	return (struct addr){.low = ADDR_V4_PREFIX | __builtin_bswap32(v)};
}

static inline struct addr addr_from_ipv6(const void *bytes)
{
	uint64_t v[2];

	memcpy(v, bytes, sizeof(v));
	return (struct addr){__builtin_bswap64(v[0]), __builtin_bswap64(v[1])};
}

static inline bool addr_is_ipv4(struct addr a)
{
	return a.high == 0 && a.low >> 32 == 0xffff;
}

static inline bool addr_equal(struct addr a, struct addr b)
{
	return a.high == b.high && a.low == b.low;
}

static inline bool addr_less(struct addr a, struct addr b)
{
	return a.high != b.high ? a.high < b.high : a.low < b.low;
}

static inline bool addr_in(struct addr a, struct addr_span span)
{
	return !addr_less(a, span.first) && !addr_less(span.last, a);
}

/* The addresses of a/len; len counts in a's own family (32 or 128, what is above counts as that).
 * Host bits in a are masked off. */
struct addr_span addr_prefix(struct addr a, unsigned len);

/* All of a family: 4, 6 or 0 for both. IPv6 without ::ffff:0:0/96 is two spans. */
unsigned addr_family_spans(unsigned family, struct addr_span spans[2]);

/*
 * The part of span that is of the family (as above): 0 to 2 spans. As numbers, ::/0 and every other
 * IPv6 span around ::ffff:0:0/96 has the IPv4 addresses in it: who takes an IPv6 span for the
 * addresses of a rule, set or pair splits it with 6 first.
 */
unsigned addr_span_split(struct addr_span span, unsigned family, struct addr_span spans[2]);

/*
 * "10.0.0.1", "fd00::/64", "10.0.0.2-10.0.0.9". False where text is none of them, and span is left
 * alone. Host bits in a prefix are masked off, as OpenStack's normalized_cidr does. IPv4-mapped
 * text (::ffff:10.0.0.1) is refused: no packet has such an address, and whoever writes it may mean
 * either family. Both ends of a span are of one family, the lower first.
 */
bool addr_span_parse(const char *text, struct addr_span *span);

/* Writes the address, or the span as a prefix where it is one; text has room for ADDR_TEXT_MAX (a
 * span: twice that and one). */
void addr_format(struct addr a, char *text);
void addr_span_format(struct addr_span span, char *text);

#endif
