/* Link types of captures made into Ethernet. Inputs lie in exact-size heap blocks, for ASan. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "capture_link.h"

static const uint8_t ipv4[20] = {
	0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 2, 3, 10, 9, 8, 7};
static const uint8_t ipv6[40] = {0x60, 0, 0, 0, 0, 0, 59, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 1, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

struct result {
	int rc;
	uint32_t strip;
	uint8_t ether[CAPTURE_LINK_ETHER];
};

/* Converts head followed by body, from a block of just that size. */
static struct result convert(
	int dlt, const void *head, size_t head_len, const void *body, size_t body_len)
{
	uint8_t *data = malloc(head_len + body_len);
	struct result r;

	assert_non_null(data);
	memcpy(data, head, head_len);
	memcpy(data + head_len, body, body_len);
	memset(&r, 0xee, sizeof(r));
	r.rc = capture_link_convert(dlt, data, (uint32_t)(head_len + body_len), r.ether, &r.strip);
	free(data);
	return r;
}

static uint16_t ethertype(const struct result *r)
{
	return (uint16_t)(r->ether[12] << 8 | r->ether[13]);
}

struct link_case {
	int dlt;
	const char *head;
	size_t head_len;
	bool v6;
};

/* Every way to carry IP that is known, and how many bytes stand before it. */
static const struct link_case cases[] = {
	{DLT_RAW, "", 0, false},
	{DLT_RAW, "", 0, true},
	{DLT_IPV4, "", 0, false},
	{DLT_IPV6, "", 0, true},
	{DLT_NULL, "\2\0\0\0", 4, false},
	{DLT_NULL, "\0\0\0\2", 4, false},
	{DLT_NULL, "\12\0\0\0", 4, true},
	{DLT_NULL, "\30\0\0\0", 4, true},
	{DLT_NULL, "\34\0\0\0", 4, true},
	{DLT_NULL, "\0\0\0\36", 4, true},
	{DLT_LOOP, "\0\0\0\2", 4, false},
	{DLT_LINUX_SLL, "\0\0\0\1\0\6\1\2\3\4\5\6\0\0\x08\0", 16, false},
	{DLT_LINUX_SLL, "\0\4\3\4\0\6\0\0\0\0\0\0\0\0\x86\xdd", 16, true},
	{DLT_LINUX_SLL2, "\x08\0\0\0\0\0\0\1\0\1\0\6\1\2\3\4\5\6\0\0", 20, false},
	{DLT_C_HDLC, "\x0f\0\x08\0", 4, false},
	{DLT_C_HDLC, "\x8f\0\x86\xdd", 4, true},
	{DLT_PPP, "\xff\x03\0\x21", 4, false},
	{DLT_PPP, "\0\x57", 2, true},
	{DLT_PPP, "\x21", 1, false},
	{DLT_PPP_PPPD, "\1\3\0\x21", 4, false},
	{DLT_PPP_SERIAL, "\xff\x03\0\x57", 4, true},
	{DLT_PPP_SERIAL, "\x0f\0\x08\0", 4, false},
};

static void test_ip(void **state)
{
	static const uint8_t macs[12] = {2, 0, 10, 9, 8, 7, 2, 0, 10, 1, 2, 3};
	struct result r, first6;
	unsigned i;

	first6 = convert(DLT_RAW, ipv6, sizeof(ipv6), "", 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct link_case *c = &cases[i];

		r = convert(c->dlt, c->head, c->head_len, c->v6 ? ipv6 : ipv4,
			c->v6 ? sizeof(ipv6) : sizeof(ipv4));
		assert_int_equal(r.rc, CAPTURE_LINK_ETHER);
		assert_int_equal(r.strip, c->head_len);
		assert_int_equal(ethertype(&r), c->v6 ? 0x86dd : 0x0800);
		if (c->v6)
			assert_memory_equal(r.ether, first6.ether, 12);
		else
			assert_memory_equal(r.ether, macs, 12);
	}
}

/* However short the packet is cut: no read behind it, and an answer. */
static void test_cut(void **state)
{
	const uint8_t *body;
	struct result r;
	size_t len, all;
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct link_case *c = &cases[i];

		body = c->v6 ? ipv6 : ipv4;
		all = c->head_len + (c->v6 ? sizeof(ipv6) : sizeof(ipv4));
		for (len = 0; len < all; len++) {
			if (len < c->head_len)
				r = convert(c->dlt, c->head, len, "", 0);
			else
				r = convert(c->dlt, c->head, c->head_len, body, len - c->head_len);
			/* A PPP header cut in half reads as another one: not as IP, though. */
			if (len < c->head_len)
				assert_true(r.rc == -(1 + CAPTURE_SKIP_SHORT) ||
					    r.rc == -(1 + CAPTURE_SKIP_PAYLOAD));
			else if (r.rc < 0)
				assert_int_equal(len, c->head_len); /* nothing behind the header */
			else
				assert_true(r.strip <= len);
		}
	}
}

static void test_groups(void **state)
{
	uint8_t p4[20], p6[40];
	struct result r;

	memcpy(p4, ipv4, sizeof(p4));
	memcpy(p4 + 16, "\xe0\x81\2\3", 4);
	r = convert(DLT_RAW, p4, sizeof(p4), "", 0);
	assert_memory_equal(r.ether, "\1\0\x5e\1\2\3", 6);
	memcpy(p4 + 16, "\xff\xff\xff\xff", 4);
	r = convert(DLT_RAW, p4, sizeof(p4), "", 0);
	assert_memory_equal(r.ether, "\xff\xff\xff\xff\xff\xff", 6);
	/* A source is never a group, whatever the packet says. */
	memcpy(p4 + 12, "\xff\xff\xff\xff", 4);
	r = convert(DLT_RAW, p4, sizeof(p4), "", 0);
	assert_int_equal(r.ether[6], 2);

	memcpy(p6, ipv6, sizeof(p6));
	p6[24] = 0xff;
	r = convert(DLT_RAW, p6, sizeof(p6), "", 0);
	assert_memory_equal(r.ether, "\x33\x33\0\0\0\2", 6);
	assert_int_equal(r.ether[6], 6);
	/* Both directions of a conversation agree on a host's MAC. */
	r = convert(DLT_RAW, ipv6, sizeof(ipv6), "", 0);
	memcpy(p6 + 8, ipv6 + 24, 16);
	memcpy(p6 + 24, ipv6 + 8, 16);
	{
		struct result back = convert(DLT_RAW, p6, sizeof(p6), "", 0);

		assert_memory_equal(back.ether, r.ether + 6, 6);
		assert_memory_equal(back.ether + 6, r.ether, 6);
	}
}

static void test_cooked(void **state)
{
	struct result r;

	/* ARP keeps the sender's MAC and goes to all where the header says so. */
	r = convert(DLT_LINUX_SLL, "\0\1\0\1\0\6\x52\x54\0\1\2\3\0\0\x08\6", 16, "arp", 3);
	assert_int_equal(r.rc, CAPTURE_LINK_ETHER);
	assert_memory_equal(r.ether, "\xff\xff\xff\xff\xff\xff\x52\x54\0\1\2\3\x08\6", 14);
	r = convert(DLT_LINUX_SLL, "\0\0\0\1\0\6\x52\x54\0\1\2\3\0\0\x08\6", 16, "arp", 3);
	assert_memory_equal(r.ether, "\x0a\0\0\0\0\2\x52\x54\0\1\2\3\x08\6", 14);
	/* A group address is no sender. */
	r = convert(DLT_LINUX_SLL, "\0\0\0\1\0\6\x53\x54\0\1\2\3\0\0\x08\6", 16, "arp", 3);
	assert_memory_equal(r.ether + 6, "\x0a\0\0\0\0\1", 6);
	/* 802.2 stands behind its length. */
	r = convert(DLT_LINUX_SLL, "\0\2\0\1\0\6\x52\x54\0\1\2\3\0\0\0\4", 16, "\x42\x42\3", 3);
	assert_int_equal(r.rc, CAPTURE_LINK_ETHER);
	assert_int_equal(ethertype(&r), 3);
	/* Netlink, 802.11, CAN: not Ethernet. */
	r = convert(DLT_LINUX_SLL, "\0\0\3\x38\0\0\0\0\0\0\0\0\0\0\x08\0", 16, ipv4, 20);
	assert_int_equal(r.rc, -(1 + CAPTURE_SKIP_PAYLOAD));
	r = convert(DLT_LINUX_SLL, "\0\0\3\x23\0\6\0\0\0\0\0\0\0\0\x08\0", 16, ipv4, 20);
	assert_int_equal(r.rc, -(1 + CAPTURE_SKIP_PAYLOAD));
	r = convert(DLT_LINUX_SLL, "\0\0\1\x18\0\0\0\0\0\0\0\0\0\0\0\x0c", 16, "can", 3);
	assert_int_equal(r.rc, -(1 + CAPTURE_SKIP_PAYLOAD));
}

static void test_others(void **state)
{
	struct result r;

	r = convert(DLT_EN10MB, "", 0, "", 0);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.strip, 0);
	r = convert(DLT_IEEE802_11_RADIO, "\0\0\x08\0\0\0\0\0", 8, ipv4, 20);
	assert_int_equal(r.rc, -(1 + CAPTURE_SKIP_LINK_TYPE));
	/* An IP version that does not exist, LCP, SLARP, Appletalk. */
	r = convert(DLT_RAW, "\x55", 1, ipv4, 20);
	assert_int_equal(r.rc, -(1 + CAPTURE_SKIP_PAYLOAD));
	r = convert(DLT_PPP, "\xff\3\xc0\x21", 4, ipv4, 20);
	assert_int_equal(r.rc, -(1 + CAPTURE_SKIP_PAYLOAD));
	r = convert(DLT_C_HDLC, "\x8f\0\x80\x35", 4, ipv4, 20);
	assert_int_equal(r.rc, -(1 + CAPTURE_SKIP_PAYLOAD));
	r = convert(DLT_NULL, "\x10\0\0\0", 4, ipv4, 20);
	assert_int_equal(r.rc, -(1 + CAPTURE_SKIP_PAYLOAD));
	/* An IP header cut short gives no addresses. */
	r = convert(DLT_RAW, ipv4, 19, "", 0);
	assert_memory_equal(r.ether, "\x0a\0\0\0\0\2\x0a\0\0\0\0\1\x08\0", 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_cooked),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
