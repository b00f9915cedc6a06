/* Anti-spoofing of IPv6: addresses, DHCPv6, neighbour discovery, router advertisements, MLD. */
#include "guard_rig.h"

static void test_dhcpv6(void **state)
{
	static const struct frame_case cases[] = {
		{"solicit", -1, .from = "fe80::1", .to = "ff02::1:2", .proto = UDP, .sport = 546,
			.dport = 547, .first = 1},
		{"solicit from no address", DROP_spoof_ipv6, .from = "::", .to = "ff02::1:2",
			.proto = UDP, .sport = 546, .dport = 547, .first = 1},
		{"advertise", DROP_rogue_dhcp, .from = "fe80::1", .proto = UDP, .sport = 547,
			.dport = 546, .first = 2},
		{"reply from any port", DROP_rogue_dhcp, .from = "fd00::1", .proto = UDP,
			.sport = 5470, .dport = 546, .first = 7},
		{"advertise where nothing is known", DROP_rogue_dhcp, OPEN, .from = "fe80::1",
			.proto = UDP, .sport = 547, .dport = 546, .first = 2},
		{"advertise in fragments", DROP_rogue_dhcp, .from = "fe80::1", .proto = UDP,
			.sport = 547, .dport = 546, .first = 2, .ext = "df"},
		{"from server's port to server's", DROP_rogue_dhcp, .from = "fe80::1", .proto = UDP,
			.sport = 547, .dport = 547, .first = 12},
		{"reply to relay agent from any port", DROP_rogue_dhcp, .from = "fe80::1",
			.proto = UDP, .sport = 5470, .dport = 547, .first = 7},
		{"advertise to relay agent", DROP_rogue_dhcp, .from = "fe80::1", .proto = UDP,
			.sport = 5470, .dport = 547, .first = 2},
		{"reconfigure to relay agent", DROP_rogue_dhcp, .from = "fe80::1", .proto = UDP,
			.sport = 5470, .dport = 547, .first = 10},
		{"relay's reply", DROP_rogue_dhcp, .from = "fe80::1", .proto = UDP, .sport = 5470,
			.dport = 547, .first = 13},
		{"solicit or reply is in the second fragment", DROP_rogue_dhcp, .from = "fe80::1",
			.proto = UDP, .sport = 546, .dport = 547, .first = -1, .ext = "f"},
		{"IPv4's ports in IPv6", -1, .from = "fd00::1", .proto = UDP, .sport = 67,
			.dport = 68, .first = 2},
		{"IPv6's ports in IPv4", -1, .from = "10.0.0.1", .proto = UDP, .sport = 547,
			.dport = 546, .first = 2},
	};

	run(CASES(cases));
}

static void test_ipv6(void **state)
{
	static const struct frame_case cases[] = {
		{"TCP", -1, .from = "fd00::1", .proto = TCP},
		{"UDP", -1, .from = "fd00::1", .proto = UDP, .sport = 5000, .dport = 53},
		{"TCP from another's", DROP_spoof_ipv6, .from = "fd00::2", .proto = TCP},
		{"any link-local address", -1, .from = "fe80::abcd:1", .proto = TCP},
		{"the last link-local address", -1, .from = "febf:ffff::1", .proto = TCP},
		{"site-local", DROP_spoof_ipv6, .from = "fec0::1", .proto = TCP},
		{"no address", DROP_spoof_ipv6, .from = "::", .proto = TCP},
		{"no address where none is known", DROP_spoof_ipv6, BARE,
			.from = "::", .proto = TCP},
		{"any where none is known", -1, BARE, .from = "2001:db8::7", .proto = TCP},
		{"a group where none is known", DROP_spoof_ipv6, BARE, .from = "ff02::1",
			.proto = TCP},
		{"loopback where none is known", DROP_spoof_ipv6, BARE, .from = "::1",
			.proto = TCP},
		{"pair ::/0", -1, WIDE, .from = "2001:db8::7", .proto = TCP},
		{"a group with the pair ::/0", DROP_spoof_ipv6, WIDE, .from = "ff0e::1",
			.proto = TCP},
		{"pair", -1, PAIRED, .mac = VIRTUAL, .from = "fd00::100", .proto = TCP},
		{"pair's address with the port's MAC", DROP_spoof_ipv6, PAIRED, .from = "fd00::100",
			.proto = TCP},
		{"own address with the pair's MAC", DROP_spoof_ipv6, PAIRED, .mac = VIRTUAL,
			.from = "fd00::1", .proto = TCP},
		{"link-local with the pair's MAC", -1, PAIRED, .mac = VIRTUAL, .from = "fe80::1",
			.proto = TCP},
		{"first fragment", -1, .from = "fd00::1", .proto = TCP, .ext = "df"},
		{"first fragment from another's", DROP_spoof_ipv6, .from = "fd00::2", .proto = TCP,
			.ext = "df"},
		{"later fragment", -1, .from = "fd00::1", .proto = UDP, .ext = "l"},
		{"later fragment from another's", DROP_spoof_ipv6, .from = "fd00::2", .proto = UDP,
			.ext = "l"},
		{"later fragment from no address", DROP_spoof_ipv6, .from = "::", .proto = ICMPV6,
			.type = 135, .target = "fd00::1", .ext = "l"},
		{"echo", -1, .from = "fd00::1", .proto = ICMPV6, .type = 128},
		{"echo from no address", DROP_spoof_ipv6, .from = "::", .proto = ICMPV6,
			.type = 128},
	};

	run(CASES(cases));
}

#define LINK_MAC(type, last) {type, 1, 2, 0, 0, 0, 0, last}, .n_options = 8
#define VIRTUAL_MAC(type)    {type, 1, 0, 0, 0x5e, 0, 1, 7}, .n_options = 8

static void test_solicitations(void **state)
{
	static const struct frame_case cases[] = {
		{"router solicitation", -1, .from = "fe80::1", .to = "ff02::2", .proto = ICMPV6,
			.type = 133, .options = LINK_MAC(1, 1)},
		{"router solicitation without its MAC", -1, .from = "fe80::1", .to = "ff02::2",
			.proto = ICMPV6, .type = 133},
		{"router solicitation with another's MAC", DROP_spoof_nd, .from = "fe80::1",
			.to = "ff02::2", .proto = ICMPV6, .type = 133, .options = LINK_MAC(1, 2)},
		{"router solicitation from no address", DROP_spoof_ipv6,
			.from = "::", .to = "ff02::2", .proto = ICMPV6, .type = 133},
		{"solicitation", -1, .from = "fd00::1", .proto = ICMPV6, .type = 135,
			.target = "fd00::2", .options = LINK_MAC(1, 1)},
		{"solicitation without its MAC", -1, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2"},
		{"solicitation from link-local", -1, .from = "fe80::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2", .options = LINK_MAC(1, 1)},
		{"solicitation from another's", DROP_spoof_ipv6, .from = "fd00::3", .proto = ICMPV6,
			.type = 135, .target = "fd00::2"},
		{"solicitation with another's MAC", DROP_spoof_nd, .from = "fd00::1",
			.proto = ICMPV6, .type = 135, .target = "fd00::2",
			.options = LINK_MAC(1, 2)},
		{"another's MAC in the second option", DROP_spoof_nd, .from = "fd00::1",
			.proto = ICMPV6, .type = 135, .target = "fd00::2",
			.options = {14, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 2},
			.n_options = 16},
		{"another's MAC in a target option", DROP_spoof_nd, .from = "fd00::1",
			.proto = ICMPV6, .type = 135, .target = "fd00::2",
			.options = LINK_MAC(2, 2)},
		{"MAC option of two words", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2", .options = {1, 2, 2, 0, 0, 0, 0, 1},
			.n_options = 16},
		{"option of no length", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2", .options = {14}, .n_options = 8},
		{"option beyond the message", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2", .options = {14, 2}, .n_options = 8},
		{"half an option", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6, .type = 135,
			.target = "fd00::2", .options = {14, 1}, .n_options = 4},
		{"one byte of an option", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2", .options = {14}, .n_options = 1},
		{"cut target", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6, .type = 135,
			.target = "fd00::2", .cut = 1},
		{"solicitation for a group", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "ff02::2"},
		{"routed solicitation", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2", .hops = 1},
		{"solicitation with a code", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2", .code = 1},
		{"solicitation in fragments", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2", .ext = "f"},
		{"fragments behind destination options", DROP_spoof_nd, .from = "fd00::1",
			.proto = ICMPV6, .type = 135, .target = "fd00::2", .ext = "dfd"},
		{"router solicitation in fragments", DROP_spoof_nd, .from = "fe80::1",
			.proto = ICMPV6, .type = 133, .ext = "f"},
		{"MAC of a pair inside", -1, PAIRED, .from = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::2", .options = VIRTUAL_MAC(1)},
		{"MAC of the frame where none is known", -1, OPEN, .from = "fd00::1",
			.proto = ICMPV6, .type = 135, .target = "fd00::2",
			.options = LINK_MAC(1, 1)},
		{"not the frame's where none is known", DROP_spoof_nd, OPEN, .from = "fd00::1",
			.proto = ICMPV6, .type = 135, .target = "fd00::2",
			.options = LINK_MAC(1, 2)},
	};

	run(CASES(cases));
}

static void test_duplicate_address_detection(void **state)
{
	static const struct frame_case cases[] = {
		{"own", -1, .from = "::", .to = "ff02::1:ff00:1", .proto = ICMPV6, .type = 135,
			.target = "fd00::1"},
		{"own, with a nonce", -1, .from = "::", .to = "ff02::1:ff00:1", .proto = ICMPV6,
			.type = 135, .target = "fd00::1", .options = {14, 1}, .n_options = 8},
		{"link-local", -1, .from = "::", .to = "ff02::1:ff12:3456", .proto = ICMPV6,
			.type = 135, .target = "fe80::12:3456"},
		{"another's", DROP_spoof_nd, .from = "::", .to = "ff02::1:ff00:2", .proto = ICMPV6,
			.type = 135, .target = "fd00::2"},
		{"any where none is known", -1, BARE, .from = "::", .to = "ff02::1:ff00:2",
			.proto = ICMPV6, .type = 135, .target = "fd00::2"},
		{"pair's", -1, PAIRED, .mac = VIRTUAL, .from = "::", .to = "ff02::1:ff00:100",
			.proto = ICMPV6, .type = 135, .target = "fd00::100"},
		{"with a MAC", DROP_spoof_nd, .from = "::", .to = "ff02::1:ff00:1", .proto = ICMPV6,
			.type = 135, .target = "fd00::1", .options = LINK_MAC(1, 1)},
		{"to another group", DROP_spoof_nd, .from = "::", .to = "ff02::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::1"},
		{"to a group of wider scope", DROP_spoof_nd, .from = "::", .to = "ff05::1:ff00:1",
			.proto = ICMPV6, .type = 135, .target = "fd00::1"},
		{"to another's group", DROP_spoof_nd, .from = "::", .to = "ff02::1:ff00:2",
			.proto = ICMPV6, .type = 135, .target = "fd00::1"},
		{"to one", DROP_spoof_nd, .from = "::", .to = "fd00::1", .proto = ICMPV6,
			.type = 135, .target = "fd00::1"},
		{"of a group", DROP_spoof_nd, BARE, .from = "::", .to = "ff02::1:ff00:2",
			.proto = ICMPV6, .type = 135, .target = "ff02::2"},
		{"in fragments", DROP_spoof_ipv6, .from = "::", .to = "ff02::1:ff00:1",
			.proto = ICMPV6, .type = 135, .target = "fd00::1", .ext = "f"},
	};

	run(CASES(cases));
}

static void test_advertisements(void **state)
{
	static const struct frame_case cases[] = {
		{"own", -1, .from = "fd00::1", .proto = ICMPV6, .type = 136, .target = "fd00::1",
			.options = LINK_MAC(2, 1)},
		{"own, from link-local", -1, .from = "fe80::1", .to = "ff02::1", .proto = ICMPV6,
			.type = 136, .target = "fd00::1", .options = LINK_MAC(2, 1)},
		{"link-local", -1, .from = "fe80::1", .proto = ICMPV6, .type = 136,
			.target = "fe80::1", .options = LINK_MAC(2, 1)},
		{"own without a MAC", -1, .from = "fd00::1", .proto = ICMPV6, .type = 136,
			.target = "fd00::1"},
		{"another's", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6, .type = 136,
			.target = "fd00::2", .options = LINK_MAC(2, 1)},
		{"another's without a MAC", DROP_spoof_nd, .from = "fe80::1", .proto = ICMPV6,
			.type = 136, .target = "fd00::2"},
		{"another's MAC", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6, .type = 136,
			.target = "fd00::1", .options = LINK_MAC(2, 2)},
		{"own MAC first, then another's", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 136, .target = "fd00::1",
			.options = {2, 1, 2, 0, 0, 0, 0, 1, 2, 1, 2, 0, 0, 0, 0, 2},
			.n_options = 16},
		{"from no address", DROP_spoof_ipv6, .from = "::", .proto = ICMPV6, .type = 136,
			.target = "fd00::1"},
		{"a group's", DROP_spoof_nd, BARE, .from = "fd00::1", .proto = ICMPV6, .type = 136,
			.target = "ff02::1"},
		{"own IPv4 address, mapped", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6,
			.type = 136, .target = "::ffff:10.0.0.1"},
		{"any where none is known", -1, BARE, .from = "fd00::9", .proto = ICMPV6,
			.type = 136, .target = "fd00::9", .options = LINK_MAC(2, 1)},
		{"another's MAC where no address is known", DROP_spoof_nd, BARE, .from = "fd00::9",
			.proto = ICMPV6, .type = 136, .target = "fd00::9",
			.options = LINK_MAC(2, 2)},
		{"17: pair", -1, PAIRED, .mac = VIRTUAL, .from = "fe80::1", .proto = ICMPV6,
			.type = 136, .target = "fd00::100", .options = VIRTUAL_MAC(2)},
		{"17: pair's MAC inside, own MAC outside", -1, PAIRED, .from = "fd00::1",
			.proto = ICMPV6, .type = 136, .target = "fd00::100",
			.options = VIRTUAL_MAC(2)},
		{"pair's address with the port's MAC", DROP_spoof_nd, PAIRED, .from = "fd00::1",
			.proto = ICMPV6, .type = 136, .target = "fd00::100",
			.options = LINK_MAC(2, 1)},
		{"routed", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6, .type = 136,
			.target = "fd00::1", .hops = 191},
		{"cut", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6, .type = 136,
			.target = "fd00::1", .cut = 16},
		{"in fragments", DROP_spoof_nd, .from = "fd00::1", .proto = ICMPV6, .type = 136,
			.target = "fd00::1", .ext = "f"},
	};

	run(CASES(cases));
}

static void test_router_advertisements(void **state)
{
	static const struct frame_case cases[] = {
		{"11: router advertisement", DROP_rogue_ra, .from = "fe80::1", .to = "ff02::1",
			.proto = ICMPV6, .type = 134, .n_options = 8},
		{"with nothing known", DROP_rogue_ra, OPEN, .from = "fe80::1", .proto = ICMPV6,
			.type = 134},
		{"with a code", DROP_rogue_ra, .from = "fe80::1", .proto = ICMPV6, .type = 134,
			.code = 1},
		{"routed", DROP_rogue_ra, .from = "fe80::1", .proto = ICMPV6, .type = 134,
			.hops = 1},
		{"7113: first fragment", DROP_rogue_ra, .from = "fe80::1", .proto = ICMPV6,
			.type = 134, .ext = "f"},
		{"7113: behind destination options in a fragment", DROP_rogue_ra, .from = "fe80::1",
			.proto = ICMPV6, .type = 134, .ext = "fd"},
		{"7113: fragment that is whole", DROP_rogue_ra, .from = "fe80::1", .proto = ICMPV6,
			.type = 134, .ext = "w"},
		{"7113: eight headers", DROP_rogue_ra, .from = "fe80::1", .proto = ICMPV6,
			.type = 134, .ext = "hddddddr"},
		{"what only looks like one in a later fragment", -1, .from = "fe80::1",
			.proto = ICMPV6, .type = 134, .ext = "l"},
		{"from another's address", DROP_spoof_ipv6, .from = "fd00::2", .proto = ICMPV6,
			.type = 134},
		{"redirect", DROP_rogue_ra, .from = "fe80::1", .proto = ICMPV6, .type = 137,
			.target = "fe80::1"},
	};

	run(CASES(cases));
}

static void test_listeners(void **state)
{
	static const struct frame_case cases[] = {
		{"report", -1, .from = "fe80::1", .to = "ff02::16", .proto = ICMPV6, .type = 143,
			.hops = 254},
		{"report from no address", -1, .from = "::", .to = "ff02::16", .proto = ICMPV6,
			.type = 143, .hops = 254},
		{"version 1 report from no address", -1, .from = "::", .to = "ff02::fb",
			.proto = ICMPV6, .type = 131, .hops = 254},
		{"done from no address", -1, .from = "::", .to = "ff02::2", .proto = ICMPV6,
			.type = 132, .hops = 254},
		{"query", -1, .from = "fe80::1", .to = "ff02::1", .proto = ICMPV6, .type = 130,
			.hops = 254},
		{"query from no address", DROP_spoof_ipv6, .from = "::", .to = "ff02::1",
			.proto = ICMPV6, .type = 130, .hops = 254},
		{"report from another's", DROP_spoof_ipv6, .from = "fd00::2", .to = "ff02::16",
			.proto = ICMPV6, .type = 143, .hops = 254},
		{"report from no address in fragments", DROP_spoof_ipv6,
			.from = "::", .to = "ff02::16", .proto = ICMPV6, .type = 143, .ext = "f"},
	};

	run(CASES(cases));
}

/* A solicitation of more options than any host sends would be a walk for nothing. */
static void test_option_walk_is_bounded(void **state)
{
	struct frame_case c = {"options", -1, .from = "fd00::1", .proto = ICMPV6, .type = 135,
		.target = "fd00::2"};

	for (unsigned n = 0; n <= 40; n++) {
		struct bytes b;

		build(&b, &c, 0, "");
		for (unsigned i = 0; i < n; i++)
			add(&b, (uint8_t[8]){14, 1}, 8);
		put16(b.data + 14 + 4, b.len - 14 - 40);
		assert_int_equal(check(guards[ADDRESSED], &b), n <= 20 ? -1 : DROP_spoof_nd);
	}
}

/* Padding behind the packet is no part of it. */
static void test_padding_is_no_message(void **state)
{
	struct frame_case c = {"padded", -1, .from = "fd00::1", .proto = ICMPV6, .type = 135,
		.target = "fd00::2", .cut = 1};
	struct bytes b;

	build(&b, &c, 0, "");
	add_zeroes(&b, 17);
	assert_int_equal(check(guards[ADDRESSED], &b), DROP_spoof_nd);
	c.cut = 0;
	build(&b, &c, 0, "");
	add_zeroes(&b, 17); /* were it options, of no length */
	assert_int_equal(check(guards[ADDRESSED], &b), -1);
}

/* The parser takes no packet from such an address, at no port. */
static void test_ipv4_mapped(void **state)
{
	static const struct frame_case mapped = {"mapped", .from = "::ffff:10.0.0.1", .proto = TCP};
	struct bytes b;

	build(&b, &mapped, 0, "");
	for (enum port i = 0; i < PORTS; i++)
		assert_int_equal(check(guards[i], &b), 1000 + DROP_ip_malformed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dhcpv6),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_solicitations),
		cmocka_unit_test(test_duplicate_address_detection),
		cmocka_unit_test(test_advertisements),
		cmocka_unit_test(test_router_advertisements),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_option_walk_is_bounded),
		cmocka_unit_test(test_padding_is_no_message),
		cmocka_unit_test(test_ipv4_mapped),
	};

	return guard_rig_main("test_guard_ipv6", tests);
}
