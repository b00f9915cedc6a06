/* Addresses of both families as numbers: prefixes, families, text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"

#define SPAN_TEXT_MAX (2 * ADDR_TEXT_MAX + 1)
#define LAST          UINT64_MAX

static struct addr v4(uint32_t a)
{
	return (struct addr){0, ADDR_V4_PREFIX | a};
}

static void assert_span(
	struct addr_span span, uint64_t high, uint64_t low, uint64_t last_high, uint64_t last_low)
{
	assert_int_equal(span.first.high, high);
	assert_int_equal(span.first.low, low);
	assert_int_equal(span.last.high, last_high);
	assert_int_equal(span.last.low, last_low);
}

static void test_from_bytes(void **state)
{
	static const uint8_t ipv4[] = {10, 1, 2, 3};
	static const uint8_t ipv6[] = {0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct addr a = addr_from_ipv4(ipv4), b = addr_from_ipv6(ipv6);

	assert_int_equal(a.high, 0);
	assert_int_equal(a.low, 0xffff0a010203);
	assert_int_equal(b.high, 0xfd01020304050607);
	assert_int_equal(b.low, 0x08090a0b0c0d0e0f);
	assert_true(addr_is_ipv4(a));
	assert_false(addr_is_ipv4(b));
	assert_false(addr_is_ipv4((struct addr){1, ADDR_V4_PREFIX}));
	assert_false(addr_is_ipv4((struct addr){0, ADDR_V4_PREFIX - 1}));
	assert_true(addr_is_ipv4((struct addr){0, ADDR_V4_PREFIX}));
	assert_true(addr_is_ipv4((struct addr){0, ADDR_V4_PREFIX | UINT32_MAX}));
	assert_false(addr_is_ipv4((struct addr){0, (ADDR_V4_PREFIX | UINT32_MAX) + 1}));
}

static void test_order(void **state)
{
	struct addr_span span = {{1, 5}, {2, 3}};

	assert_true(addr_less((struct addr){1, 9}, (struct addr){2, 0}));
	assert_true(addr_less((struct addr){1, 8}, (struct addr){1, 9}));
	assert_false(addr_less((struct addr){1, 9}, (struct addr){1, 9}));
	assert_false(addr_less((struct addr){2, 0}, (struct addr){1, 9}));
	assert_true(addr_in((struct addr){1, 5}, span));
	assert_true(addr_in((struct addr){1, LAST}, span));
	assert_true(addr_in((struct addr){2, 3}, span));
	assert_false(addr_in((struct addr){1, 4}, span));
	assert_false(addr_in((struct addr){2, 4}, span));
}

/* Bit by bit, not by a mask. */
static bool bit(struct addr a, unsigned from_top)
{
	return from_top < 64 ? a.high >> (63 - from_top) & 1 : a.low >> (127 - from_top) & 1;
}

static void assert_prefix(struct addr a, unsigned len, unsigned skipped)
{
	struct addr_span span = addr_prefix(a, len);

	for (unsigned i = 0; i < 128; i++) {
		bool fixed = i < skipped + len;

		assert_int_equal(bit(span.first, i), fixed && bit(a, i));
		assert_int_equal(bit(span.last, i), !fixed || bit(a, i));
	}
}

static void test_every_prefix(void **state)
{
	struct addr a = {0xa5a5a5a55a5a5a5a, 0x5aa55aa5a55aa55a};

	for (unsigned len = 0; len <= 128; len++)
		assert_prefix(a, len, 0);
	for (unsigned len = 0; len <= 32; len++)
		assert_prefix(v4(0xa55aa55a), len, 96);
	/* Longer than there are bits: the one address. */
	assert_span(addr_prefix(v4(7), 33), 0, v4(7).low, 0, v4(7).low);
	assert_span(addr_prefix(a, 129), a.high, a.low, a.high, a.low);
}

static void test_families(void **state)
{
	struct addr_span spans[2];

	assert_int_equal(addr_family_spans(4, spans), 1);
	assert_span(spans[0], 0, 0xffff00000000, 0, 0xffffffffffff);
	assert_int_equal(addr_family_spans(0, spans), 1);
	assert_span(spans[0], 0, 0, LAST, LAST);
	assert_int_equal(addr_family_spans(6, spans), 2);
	assert_span(spans[0], 0, 0, 0, 0xfffeffffffff);
	assert_span(spans[1], 0, 0x1000000000000, LAST, LAST);
}

static void test_split(void **state)
{
	struct addr_span spans[2], span;

	assert_true(addr_span_parse("fd00::/8", &span));
	assert_int_equal(addr_span_split(span, 4, spans), 0);
	assert_int_equal(addr_span_split(span, 6, spans), 1);
	assert_memory_equal(&spans[0], &span, sizeof(span));
	assert_int_equal(addr_span_split(span, 0, spans), 1);
	assert_memory_equal(&spans[0], &span, sizeof(span));
	assert_true(addr_span_parse("10.0.0.0/8", &span));
	assert_int_equal(addr_span_split(span, 6, spans), 0);
	assert_int_equal(addr_span_split(span, 4, spans), 1);
	assert_memory_equal(&spans[0], &span, sizeof(span));
	assert_true(addr_span_parse("::/64", &span));
	assert_int_equal(addr_span_split(span, 6, spans), 2);
	assert_span(spans[0], 0, 0, 0, 0xfffeffffffff);
	assert_span(spans[1], 0, 0x1000000000000, 0, LAST);
	/* Ends right at the IPv4 addresses on either side. */
	assert_true(addr_span_parse("::5-::fffe:ffff:ffff", &span));
	assert_int_equal(addr_span_split(span, 6, spans), 1);
	assert_span(spans[0], 0, 5, 0, 0xfffeffffffff);
	assert_true(addr_span_parse("::1:0:0:0-::1:0:0:5", &span));
	assert_int_equal(addr_span_split(span, 6, spans), 1);
	assert_span(spans[0], 0, 0x1000000000000, 0, 0x1000000000005);
	assert_int_equal(addr_span_split(span, 4, spans), 0);
}

/* What text means, and how it is printed. */
static const struct text {
	const char *text, *printed;
} texts[] = {
	{"10.0.0.1", "10.0.0.1"},
	{"10.0.0.1/32", "10.0.0.1"},
	{"10.0.0.77/24", "10.0.0.0/24"},
	{"0.0.0.0/0", "0.0.0.0/0"},
	{"10.0.0.1/0", "0.0.0.0/0"},
	{"128.0.0.0/1", "128.0.0.0/1"},
	{"10.0.0.2-10.0.0.9", "10.0.0.2-10.0.0.9"},
	{"10.0.0.2-10.0.0.2", "10.0.0.2"},
	{"10.0.0.8-10.0.0.15", "10.0.0.8/29"},
	{"10.0.0.8-10.0.0.16", "10.0.0.8-10.0.0.16"},
	{"10.0.0.7-10.0.0.15", "10.0.0.7-10.0.0.15"},
	{"0.0.0.0-255.255.255.255", "0.0.0.0/0"},
	{"0.0.0.1-255.255.255.255", "0.0.0.1-255.255.255.255"},
	{"fd00::/64", "fd00::/64"},
	{"FD00:0::1/128", "fd00::1"},
	{"fd00::1:2:3:4/64", "fd00::/64"},
	{"fd00::-fd00::ffff", "fd00::/112"},
	{"fd00::1-fd00:0:0:1::", "fd00::1-fd00:0:0:1::"},
	{"fd00::-fd00:0:0:1:ffff:ffff:ffff:ffff", "fd00::/63"},
	{"::/0", "::/0"},
	{"::", "::"},
	{"::/96", "::/96"},
	{"fe80::1/10", "fe80::/10"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.250-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffa-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"},
};

static void test_text(void **state)
{
	char printed[SPAN_TEXT_MAX];
	struct addr_span span, again;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_true(addr_span_parse(texts[i].text, &span));
		addr_span_format(span, printed);
		assert_string_equal(printed, texts[i].printed);
		assert_true(addr_span_parse(printed, &again));
		assert_memory_equal(&again, &span, sizeof(span));
	}
}

static void test_every_prefix_as_text(void **state)
{
	char text[SPAN_TEXT_MAX], printed[SPAN_TEXT_MAX];
	struct addr_span span;

	for (unsigned len = 0; len < 128; len++) {
		snprintf(text, sizeof(text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/%u", len);
		assert_true(addr_span_parse(text, &span));
		addr_span_format(span, printed);
		assert_int_equal(strtoul(strchr(printed, '/') + 1, NULL, 10), len);
	}
	for (unsigned len = 0; len < 32; len++) {
		snprintf(text, sizeof(text), "255.255.255.255/%u", len);
		assert_true(addr_span_parse(text, &span));
		addr_span_format(span, printed);
		assert_int_equal(strtoul(strchr(printed, '/') + 1, NULL, 10), len);
	}
}

/* The longest spans of all fit into what the header says, with the NUL. */
static void test_longest_text(void **state)
{
	char text[SPAN_TEXT_MAX];
	struct addr_span span = {{0xfedcba9876543210, 0xfedcba9876543211}, {LAST, LAST}};

	addr_span_format(span, text);
	assert_string_equal(text, "fedc:ba98:7654:3210:fedc:ba98:7654:3211-"
				  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	addr_span_format((struct addr_span){{0, 0}, {LAST, LAST - 1}}, text);
	assert_string_equal(text, "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	/* Ends in the middle of the IPv4 addresses, and right behind them: as numbers, ::/80. */
	addr_span_format((struct addr_span){{0, 0}, v4(UINT32_MAX - 1)}, text);
	assert_string_equal(text, "::-255.255.255.254");
	addr_span_format((struct addr_span){{0, 0}, v4(UINT32_MAX)}, text);
	assert_string_equal(text, "::/80");
}

static const char *const refused[] = {
	"",
	" 10.0.0.1",
	"10.0.0.1 ",
	"10.0.0",
	"10.0.0.256",
	"010.0.0.1",
	"10.0.0.1/",
	"10.0.0.1/33",
	"10.0.0.1/024",
	"10.0.0.1/-1",
	"10.0.0.1/+1",
	"10.0.0.1/ 8",
	"10.0.0.1/8 ",
	"10.0.0.1/255.0.0.0",
	"10.0.0.1/4294967304",
	"10.0.0.1-",
	"-10.0.0.1",
	"/8",
	"10.0.0.2-10.0.0.1",
	"10.0.0.1-10.0.0.2-10.0.0.3",
	"10.0.0.0/8-10.0.0.9",
	"10.0.0.1-10.0.0.0/8",
	"10.0.0.1-fd00::1",
	"::1-10.0.0.1",
	"fd00::1/129",
	"fd00::1%eth0",
	"fe80::1%1/64",
	"fd00:::1",
	"[fd00::1]",
	"::ffff:10.0.0.1",
	"::ffff:10.0.0.0/120",
	"::ffff:a00:1",
	"::1-::ffff:10.0.0.1",
	"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
	"any",
};

static void test_refused(void **state)
{
	struct addr_span span, before;

	memset(&before, 0xa5, sizeof(before));
	span = before;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (addr_span_parse(refused[i], &span))
			fail_msg("'%s' is taken", refused[i]);
		assert_memory_equal(&span, &before, sizeof(span));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_bytes),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_every_prefix_as_text),
		cmocka_unit_test(test_longest_text),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
