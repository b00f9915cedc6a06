#include "addr.h"

#include <arpa/inet.h>
#include <stdio.h>

static const struct addr last_addr = {UINT64_MAX, UINT64_MAX};

/* The len lowest bits. */
static struct addr low_bits(unsigned len)
{
	return (struct addr){
		.high = len > 64 ? UINT64_MAX >> (128 - len) : 0,
		.low = len >= 64 ? UINT64_MAX : (UINT64_C(1) << len) - 1,
	};
}

static unsigned family_bits(struct addr a)
{
	return addr_is_ipv4(a) ? 32 : 128;
}

struct addr_span addr_prefix(struct addr a, unsigned len)
{
	unsigned bits = family_bits(a);
	struct addr host = low_bits(len < bits ? bits - len : 0);

	return (struct addr_span){
		.first = {a.high & ~host.high, a.low & ~host.low},
		.last = {a.high | host.high, a.low | host.low},
	};
}

unsigned addr_family_spans(unsigned family, struct addr_span spans[2])
{
	return addr_span_split((struct addr_span){.last = last_addr}, family, spans);
}

static unsigned add_common(
	struct addr_span a, struct addr_span b, struct addr_span *spans, unsigned n)
{
	struct addr_span common = {
		.first = addr_less(a.first, b.first) ? b.first : a.first,
		.last = addr_less(a.last, b.last) ? a.last : b.last,
	};

	if (addr_less(common.last, common.first))
		return n;
	spans[n] = common;
	return n + 1;
}

unsigned addr_span_split(struct addr_span span, unsigned family, struct addr_span spans[2])
{
	static const struct addr_span below = {.last = {0, ADDR_V4_PREFIX - 1}};
	static const struct addr_span ipv4 = {
		{0, ADDR_V4_PREFIX}, {0, ADDR_V4_PREFIX | UINT32_MAX}};
	static const struct addr_span above = {
		{0, ADDR_V4_PREFIX + (UINT64_C(1) << 32)}, {UINT64_MAX, UINT64_MAX}};

	if (family == 4)
		return add_common(span, ipv4, spans, 0);
	if (family == 6)
		return add_common(span, above, spans, add_common(span, below, spans, 0));
	spans[0] = span;
	return 1;
}

/* The n characters of text as one address. */
static bool parse_addr(const char *text, size_t n, struct addr *a)
{
	char copy[ADDR_TEXT_MAX];
	uint8_t bytes[16];

	if (n >= sizeof(copy))
		return false;
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (inet_pton(AF_INET, copy, bytes) == 1) {
		*a = addr_from_ipv4(bytes);
		return true;
	}
	if (inet_pton(AF_INET6, copy, bytes) != 1)
		return false;
	*a = addr_from_ipv6(bytes);
	return !addr_is_ipv4(*a);
}

/* Digits only, no zero ahead, at the most max. */
static bool parse_len(const char *text, unsigned max, unsigned *len)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 3 || text[n] != '\0' || (text[0] == '0' && n > 1))
		return false;
	*len = 0;
	for (size_t i = 0; i < n; i++)
		*len = *len * 10 + (unsigned)(text[i] - '0');
	return *len <= max;
}

bool addr_span_parse(const char *text, struct addr_span *span)
{
	size_t n = strcspn(text, "/-");
	struct addr_span parsed;
	unsigned len;

	if (!parse_addr(text, n, &parsed.first))
		return false;
	parsed.last = parsed.first;
	if (text[n] == '/') {
		if (!parse_len(text + n + 1, family_bits(parsed.first), &len))
			return false;
		parsed = addr_prefix(parsed.first, len);
	} else if (text[n] == '-') {
		if (!parse_addr(text + n + 1, strlen(text + n + 1), &parsed.last) ||
			addr_is_ipv4(parsed.first) != addr_is_ipv4(parsed.last) ||
			addr_less(parsed.last, parsed.first))
			return false;
	}
	*span = parsed;
	return true;
}

void addr_format(struct addr a, char *text)
{
	uint64_t words[2] = {__builtin_bswap64(a.high), __builtin_bswap64(a.low)};
	uint8_t bytes[16];

	memcpy(bytes, words, sizeof(bytes));
	if (addr_is_ipv4(a))
		inet_ntop(AF_INET, bytes + 12, text, ADDR_TEXT_MAX);
	else
		inet_ntop(AF_INET6, bytes, text, ADDR_TEXT_MAX);
}

void addr_span_format(struct addr_span span, char *text)
{
	struct addr differ = {span.first.high ^ span.last.high, span.first.low ^ span.last.low};
	unsigned bits = family_bits(span.first), host;
	struct addr_span prefix;
	size_t n;

	addr_format(span.first, text);
	if (addr_equal(span.first, span.last))
		return;
	host = differ.high != 0 ? 128 - (unsigned)__builtin_clzll(differ.high)
				: 64 - (unsigned)__builtin_clzll(differ.low);
	n = strlen(text);
	if (host <= bits) {
		prefix = addr_prefix(span.first, bits - host);
		if (addr_equal(prefix.first, span.first) && addr_equal(prefix.last, span.last)) {
			snprintf(text + n, ADDR_TEXT_MAX, "/%u", bits - host);
			return;
		}
	}
	text[n++] = '-';
	addr_format(span.last, text + n);
}
