/* Anti-spoofing: ethertypes, MACs, ARP, IPv4 and DHCP, and how guards are made. */
#include "guard_rig.h"

static void test_ethertypes(void **state)
{
	static const struct frame_case cases[] = {
		{"listed beyond the usual", -1, .ethertype = 0x88cc},
		{"not listed", DROP_ethertype, .ethertype = 0x8847},
		{"an 802.3 length", DROP_ethertype, .ethertype = 46},
		{"an 802.3 length of nothing, from no one, all zeroes", DROP_ethertype, BARE,
			.mac = ZERO, .ethertype = 0},
		{"IPX's", DROP_ethertype, .ethertype = 0x8137},
		{"not listed, and another's MAC", DROP_ethertype, .mac = FOREIGN,
			.ethertype = 0x8847},
	};
	struct bytes b;

	run(CASES(cases));
	build(&b, &cases[0], 3, "");
	assert_int_equal(check(guards[OPEN], &b), DROP_ethertype); /* behind two tags: 0x8100 */
}

static void test_macs(void **state)
{
	static const struct frame_case cases[] = {
		{"own", -1, .ethertype = 0x88cc},
		{"another's", DROP_spoof_mac, .mac = FOREIGN, .ethertype = 0x88cc},
		{"a group's", DROP_spoof_mac, .mac = GROUP, .ethertype = 0x88cc},
		{"zero", DROP_spoof_mac, .mac = ZERO, .ethertype = 0x88cc},
		{"a pair's, at another port", DROP_spoof_mac, .mac = VIRTUAL, .ethertype = 0x88cc},
		{"a pair's", -1, PAIRED, .mac = VIRTUAL, .ethertype = 0x88cc},
		{"a pair's where no other is known", -1, PAIR_ONLY, .mac = VIRTUAL,
			.ethertype = 0x88cc},
		{"another's beside a pair's alone", DROP_spoof_mac, PAIR_ONLY, .mac = OWN,
			.ethertype = 0x88cc},
		{"another's beside pairs", DROP_spoof_mac, PAIRED, .mac = FOREIGN,
			.ethertype = 0x88cc},
		{"any where none is known", -1, OPEN, .mac = FOREIGN, .ethertype = 0x88cc},
		{"a group's where none is known", DROP_spoof_mac, OPEN, .mac = GROUP,
			.ethertype = 0x88cc},
		{"zero where none is known", DROP_spoof_mac, OPEN, .mac = ZERO,
			.ethertype = 0x88cc},
		{"any where only addresses are known", -1, MACLESS, .mac = FOREIGN,
			.from = "10.0.0.1", .proto = TCP},
		{"another's with an own address", DROP_spoof_mac, .mac = FOREIGN,
			.from = "10.0.0.1", .proto = TCP},
		{"another's with an own IPv6 address", DROP_spoof_mac, .mac = FOREIGN,
			.from = "fd00::1", .proto = TCP},
		{"another's in a later fragment", DROP_spoof_mac, .mac = FOREIGN,
			.from = "10.0.0.1", .proto = TCP, .fragment = 100},
		{"another's with an own ARP", DROP_spoof_mac, .mac = FOREIGN, .arp = 1,
			.spa = "10.0.0.1", .tpa = "10.0.0.2"},
	};

	run(CASES(cases));
}

static void test_arp(void **state)
{
	static const struct frame_case cases[] = {
		{"request", -1, .arp = 1, .spa = "10.0.0.1", .tpa = "10.0.0.2", .tha = ZERO},
		{"reply", -1, .arp = 2, .spa = "10.0.0.1", .tpa = "10.0.0.2", .tha = FOREIGN},
		{"gratuitous", -1, .arp = 1, .spa = "10.0.0.1", .tpa = "10.0.0.1"},
		{"gratuitous for another's", DROP_spoof_arp, .arp = 1, .spa = "10.0.0.2",
			.tpa = "10.0.0.2"},
		{"another's address", DROP_spoof_arp, .arp = 2, .spa = "10.0.0.2",
			.tpa = "10.0.0.3"},
		{"another's MAC", DROP_spoof_arp, .arp = 2, .sha = FOREIGN, .spa = "10.0.0.1",
			.tpa = "10.0.0.3"},
		{"another's MAC inside, beside pairs", DROP_spoof_arp, PAIRED, .arp = 2,
			.sha = FOREIGN, .spa = "10.0.0.1", .tpa = "10.0.0.3"},
		{"probe", -1, .arp = 1, .spa = "0.0.0.0", .tpa = "10.0.0.1", .tha = ZERO},
		{"probe with another's MAC", DROP_spoof_arp, .arp = 1, .sha = FOREIGN,
			.spa = "0.0.0.0", .tpa = "10.0.0.1"},
		{"probe that takes another's address from it", DROP_spoof_arp, .arp = 1,
			.spa = "0.0.0.0", .tpa = "10.0.0.2"},
		{"probe where no address is known", -1, BARE, .arp = 1, .spa = "0.0.0.0",
			.tpa = "10.0.0.2"},
		{"reply from no address", DROP_spoof_arp, .arp = 2, .spa = "0.0.0.0",
			.tpa = "10.0.0.1"},
		{"reply from no address where none is known", DROP_spoof_arp, BARE, .arp = 2,
			.spa = "0.0.0.0", .tpa = "10.0.0.1"},
		{"no Ethernet", DROP_spoof_arp, .arp = 1, .spa = "10.0.0.1", .tpa = "10.0.0.2",
			.arp_wrong = 2},
		{"no IPv4", DROP_spoof_arp, .arp = 1, .spa = "10.0.0.1", .tpa = "10.0.0.2",
			.arp_wrong = 4},
		{"another length of MACs", DROP_spoof_arp, .arp = 1, .spa = "10.0.0.1",
			.tpa = "10.0.0.2", .arp_wrong = 5},
		{"another length of addresses", DROP_spoof_arp, .arp = 1, .spa = "10.0.0.1",
			.tpa = "10.0.0.2", .arp_wrong = 6},
		{"an operation of RARP", DROP_spoof_arp, .arp = 3, .spa = "10.0.0.1",
			.tpa = "10.0.0.2"},
		{"inverse ARP", DROP_spoof_arp, .arp = 8, .spa = "10.0.0.1", .tpa = "10.0.0.2"},
		{"any address where none is known", -1, BARE, .arp = 1, .spa = "10.9.9.9",
			.tpa = "10.0.0.2"},
		{"another's MAC where no address is known", DROP_spoof_arp, BARE, .arp = 1,
			.sha = FOREIGN, .spa = "10.9.9.9", .tpa = "10.0.0.2"},
		{"a group's address where none is known", DROP_spoof_arp, BARE, .arp = 1,
			.spa = "224.0.0.1", .tpa = "10.0.0.2"},
		{"the frame's MAC where none is known", -1, OPEN, .mac = FOREIGN, .sha = FOREIGN,
			.arp = 2, .spa = "10.9.9.9", .tpa = "10.0.0.2"},
		{"not the frame's MAC where none is known", DROP_spoof_arp, OPEN, .mac = FOREIGN,
			.arp = 2, .spa = "10.9.9.9", .tpa = "10.0.0.2"},
		{"pair", -1, PAIRED, .mac = VIRTUAL, .sha = VIRTUAL, .arp = 1, .spa = "10.0.0.100",
			.tpa = "10.0.0.2"},
		{"17: pair's MAC inside, own MAC outside", -1, PAIRED, .sha = VIRTUAL, .arp = 2,
			.spa = "10.0.0.100", .tpa = "10.0.0.2"},
		{"17: the same without the pair", DROP_spoof_arp, .sha = VIRTUAL, .arp = 2,
			.spa = "10.0.0.1", .tpa = "10.0.0.2"},
		{"own MAC inside, pair's MAC outside", -1, PAIRED, .mac = VIRTUAL, .arp = 2,
			.spa = "10.0.0.1", .tpa = "10.0.0.2"},
		{"pair's address with the port's MAC", DROP_spoof_arp, PAIRED, .arp = 2,
			.spa = "10.0.0.100", .tpa = "10.0.0.2"},
		{"own address with the pair's MAC", DROP_spoof_arp, PAIRED, .sha = VIRTUAL,
			.arp = 2, .spa = "10.0.0.1", .tpa = "10.0.0.2"},
		{"pair of a prefix, its last", -1, PAIRED, .arp = 2, .spa = "10.1.0.255",
			.tpa = "10.0.0.2"},
		{"beyond the prefix", DROP_spoof_arp, PAIRED, .arp = 2, .spa = "10.1.1.0",
			.tpa = "10.0.0.2"},
		{"any address with the pair 0.0.0.0/0", -1, WIDE, .arp = 2, .spa = "10.9.9.9",
			.tpa = "10.0.0.2"},
		{"an IPv4 address with the pair ::/0", DROP_spoof_arp, WIDE6, .arp = 2,
			.spa = "10.9.9.9", .tpa = "10.0.0.2"},
	};

	run(CASES(cases));
}

static void test_rarp(void **state)
{
	static const struct frame_case cases[] = {
		{"announcement after a migration", -1, .rarp = true, .arp = 3, .spa = "0.0.0.0",
			.tpa = "0.0.0.0"},
		{"own address", -1, .rarp = true, .arp = 3, .spa = "10.0.0.1", .tpa = "0.0.0.0"},
		{"another's address", DROP_spoof_arp, .rarp = true, .arp = 3, .spa = "10.0.0.2",
			.tpa = "0.0.0.0"},
		{"another's MAC", DROP_spoof_arp, .rarp = true, .arp = 3, .sha = FOREIGN,
			.spa = "0.0.0.0", .tpa = "0.0.0.0"},
		{"for another's MAC", DROP_spoof_arp, .rarp = true, .arp = 3, .tha = FOREIGN,
			.spa = "0.0.0.0", .tpa = "0.0.0.0"},
		{"reply of a server", DROP_spoof_arp, .rarp = true, .arp = 4, .spa = "10.0.0.1",
			.tpa = "0.0.0.0"},
		{"an operation of ARP", DROP_spoof_arp, .rarp = true, .arp = 1, .spa = "10.0.0.1",
			.tpa = "10.0.0.2"},
		{"where nothing is known", -1, OPEN, .mac = FOREIGN, .sha = FOREIGN, .tha = FOREIGN,
			.rarp = true, .arp = 3, .spa = "0.0.0.0", .tpa = "0.0.0.0"},
		{"of a pair's MAC", -1, PAIRED, .rarp = true, .arp = 3, .sha = VIRTUAL,
			.tha = VIRTUAL, .spa = "0.0.0.0", .tpa = "0.0.0.0"},
	};

	run(CASES(cases));
}

static void test_ipv4(void **state)
{
	static const struct frame_case cases[] = {
		{"TCP", -1, .from = "10.0.0.1", .proto = TCP},
		{"UDP", -1, .from = "10.0.0.1", .proto = UDP, .sport = 5000, .dport = 53},
		{"GRE", -1, .from = "10.0.0.1", .proto = GRE},
		{"IGMP", -1, .from = "10.0.0.1", .to = "224.0.0.22", .proto = IGMP},
		{"TCP from another's", DROP_spoof_ipv4, .from = "10.0.0.2", .proto = TCP},
		{"UDP from another's", DROP_spoof_ipv4, .from = "10.0.0.2", .proto = UDP},
		{"IGMP from another's", DROP_spoof_ipv4, .from = "10.0.0.2", .to = "224.0.0.22",
			.proto = IGMP},
		{"IGMP from no address", DROP_spoof_ipv4, .from = "0.0.0.0", .to = "224.0.0.22",
			.proto = IGMP},
		{"link-local", DROP_spoof_ipv4, .from = "169.254.1.1", .proto = TCP},
		{"no address", DROP_spoof_ipv4, .from = "0.0.0.0", .proto = TCP},
		{"pair", -1, PAIRED, .mac = VIRTUAL, .from = "10.0.0.100", .proto = TCP},
		{"pair's address with the port's MAC", DROP_spoof_ipv4, PAIRED,
			.from = "10.0.0.100", .proto = TCP},
		{"own address with the pair's MAC", DROP_spoof_ipv4, PAIRED, .mac = VIRTUAL,
			.from = "10.0.0.1", .proto = TCP},
		{"pair of a prefix, its first", -1, PAIRED, .from = "10.1.0.0", .proto = TCP},
		{"before the prefix", DROP_spoof_ipv4, PAIRED, .from = "10.0.255.255",
			.proto = TCP},
		{"any where none is known", -1, BARE, .from = "192.0.2.7", .proto = TCP},
		{"a group where none is known", DROP_spoof_ipv4, BARE, .from = "224.0.0.1",
			.proto = TCP},
		{"broadcast where none is known", DROP_spoof_ipv4, BARE, .from = "255.255.255.255",
			.proto = TCP},
		{"loopback where none is known", DROP_spoof_ipv4, BARE, .from = "127.0.0.1",
			.proto = TCP},
		{"no address where none is known", DROP_spoof_ipv4, BARE, .from = "0.0.0.0",
			.proto = TCP},
		{"pair 0.0.0.0/0", -1, WIDE, .from = "192.0.2.7", .proto = TCP},
		{"a group with the pair 0.0.0.0/0", DROP_spoof_ipv4, WIDE, .from = "239.1.1.1",
			.proto = TCP},
		{"loopback with the pair 0.0.0.0/0", DROP_spoof_ipv4, WIDE, .from = "127.1.1.1",
			.proto = TCP},
		{"no address with the pair 0.0.0.0/0", DROP_spoof_ipv4, WIDE, .from = "0.0.0.0",
			.proto = UDP, .sport = 1, .dport = 2},
		{"pair ::/0 is no pair for IPv4", DROP_spoof_ipv4, WIDE6, .from = "10.0.0.1",
			.proto = TCP},
		{"address without MAC", -1, MACLESS, .from = "10.0.0.1", .proto = TCP},
		{"another's where no MAC is known", DROP_spoof_ipv4, MACLESS, .from = "10.0.0.2",
			.proto = TCP},
		{"first fragment", -1, .from = "10.0.0.1", .proto = TCP, .fragment = 0x2000},
		{"first fragment from another's", DROP_spoof_ipv4, .from = "10.0.0.2", .proto = TCP,
			.fragment = 0x2000},
		{"later fragment", -1, .from = "10.0.0.1", .proto = UDP, .fragment = 100},
		{"later fragment from another's", DROP_spoof_ipv4, .from = "10.0.0.2", .proto = UDP,
			.fragment = 100},
		{"ICMPv6's number is no neighbour discovery in IPv4", -1, .from = "10.0.0.1",
			.proto = ICMPV6, .type = 134},
	};

	run(CASES(cases));
}

static void test_dhcp(void **state)
{
	static const struct frame_case cases[] = {
		{"discover", -1, .from = "0.0.0.0", .to = "255.255.255.255", .proto = UDP,
			.sport = 68, .dport = 67, .first = 1},
		{"renewal", -1, .from = "10.0.0.1", .proto = UDP, .sport = 68, .dport = 67,
			.first = 1},
		{"discover where nothing is known", -1, OPEN, .mac = FOREIGN, .from = "0.0.0.0",
			.to = "255.255.255.255", .proto = UDP, .sport = 68, .dport = 67,
			.first = 1},
		{"no client's port from no address", DROP_spoof_ipv4, .from = "0.0.0.0",
			.proto = UDP, .sport = 1068, .dport = 67, .first = 1},
		{"no server's port from no address", DROP_spoof_ipv4, .from = "0.0.0.0",
			.proto = UDP, .sport = 68, .dport = 69, .first = 1},
		{"later fragment from no address", DROP_spoof_ipv4, .from = "0.0.0.0", .proto = UDP,
			.sport = 68, .dport = 67, .fragment = 1},
		{"TCP with the ports of DHCP from no address", DROP_spoof_ipv4, .from = "0.0.0.0",
			.proto = TCP, .sport = 68, .dport = 67},
		{"offer", DROP_rogue_dhcp, .from = "10.0.0.1", .proto = UDP, .sport = 67,
			.dport = 68, .first = 2},
		{"offer to all", DROP_rogue_dhcp, .from = "10.0.0.1", .to = "255.255.255.255",
			.proto = UDP, .sport = 67, .dport = 68, .first = 2},
		{"offer from any port", DROP_rogue_dhcp, .from = "10.0.0.1", .proto = UDP,
			.sport = 6767, .dport = 68, .first = 2},
		{"offer where nothing is known", DROP_rogue_dhcp, OPEN, .from = "10.0.0.1",
			.proto = UDP, .sport = 67, .dport = 68, .first = 2},
		{"offer in fragments", DROP_rogue_dhcp, .from = "10.0.0.1", .proto = UDP,
			.sport = 67, .dport = 68, .first = 2, .fragment = 0x2000},
		{"offer from another's address", DROP_spoof_ipv4, .from = "10.0.0.2", .proto = UDP,
			.sport = 67, .dport = 68, .first = 2},
		{"server to relay agent", DROP_rogue_dhcp, .from = "10.0.0.1", .proto = UDP,
			.sport = 67, .dport = 67, .first = 1},
		{"reply to relay agent from any port", DROP_rogue_dhcp, .from = "10.0.0.1",
			.proto = UDP, .sport = 6767, .dport = 67, .first = 2},
		{"request from any port", -1, .from = "10.0.0.1", .proto = UDP, .sport = 6767,
			.dport = 67, .first = 1},
		{"reply or request is in the second fragment", DROP_rogue_dhcp, .from = "10.0.0.1",
			.proto = UDP, .sport = 6767, .dport = 67, .first = -1, .fragment = 0x2000},
		{"nothing in it", -1, .from = "10.0.0.1", .proto = UDP, .sport = 68, .dport = 67},
		{"a server's port to elsewhere", -1, .from = "10.0.0.1", .proto = UDP, .sport = 67,
			.dport = 53, .first = 2},
		{"the same ports in TCP", -1, .from = "10.0.0.1", .proto = TCP, .sport = 67,
			.dport = 68},
	};

	run(CASES(cases));
}

/* The short way and the long way agree on whatever is changed in a frame that passes. */
static void test_usual_frames(void **state)
{
	static const struct frame_case seeds[] = {
		{"TCP", -1, .from = "10.0.0.1", .proto = TCP, .sport = 67, .dport = 68},
		{"UDP", -1, .from = "10.0.0.1", .proto = UDP, .sport = 66, .dport = 69, .first = 3},
		{"UDP", -1, .from = "10.0.0.1", .proto = UDP, .sport = 9, .dport = 9,
			.fragment = 3},
		{"TCP", -1, .from = "fd00::1", .proto = TCP},
		{"UDP", -1, .from = "fd00::1", .proto = UDP, .sport = 9, .dport = 545, .first = 7},
		{"UDP", -1, .from = "fd00::1", .proto = UDP, .sport = 546, .dport = 546 ^ 8},
		{"UDP", -1, .from = "fd00::1", .proto = UDP, .dport = 9, .ext = "l"},
	};
	uint64_t random = 1;
	unsigned passed = 0, dropped = 0;

	for (enum port i = 0; i < PORTS; i++) {
		const struct guard *g = guards[i];

		assert_int_equal(g->has_usual4, i == ADDRESSED || i == PAIRED || i == PAIR_ONLY);
		assert_int_equal(g->has_usual6, i == ADDRESSED || i == PAIRED);
	}
	for (unsigned i = 0; i < 70000; i++) {
		struct guard slow = *guards[i & 4 ? ADDRESSED : PAIRED];
		const struct frame_case *c = &seeds[i / 8 % RTE_DIM(seeds)];
		struct bytes b;
		int got, want;

		build(&b, c, 0, c->ext != NULL ? c->ext : "");
		b.data[frames_random(&random) % RTE_MIN(b.len, 60u)] ^=
			1 << frames_random(&random) % 8;
		slow.has_usual4 = slow.has_usual6 = false;
		got = check(guards[i & 4 ? ADDRESSED : PAIRED], &b);
		want = check(&slow, &b);
		if (got != want)
			fail_msg(
				"the short way: %s, the long way: %s", verdict(got), verdict(want));
		passed += got == -1;
		dropped += got >= 0 && got < 1000;
	}
	assert_true(passed > 1000 && dropped > 1000);
}

/* What a network does not list does not pass, IPv4 neither, nor anything where nothing is listed.
 */
static void test_narrow_network(void **state)
{
	static const struct frame_case tcp4 = {.from = "10.0.0.1", .proto = TCP},
				       tcp6 = {.from = "fd00::1", .proto = TCP},
				       arp = {.arp = 1, .spa = "10.0.0.1", .tpa = "10.0.0.2"};
	struct config_port port = {.has_mac = true, .ips = {"10.0.0.1", "fd00::1"}, .n_ips = 2};
	struct config_network narrow = {.ethertypes = {0x86dd}, .n_ethertypes = 1};
	struct guard *guard;
	struct bytes b;

	memcpy(port.mac, macs[OWN], 6);
	for (unsigned i = 0; i < 4; i++) {
		narrow.n_ethertypes = !(i & 1);
		port.trusted = i & 2;
		guard = guard_create(&port, &narrow);
		assert_non_null(guard);
		build(&b, &tcp6, 0, "");
		assert_int_equal(check(guard, &b), i & 1 ? DROP_ethertype : -1);
		build(&b, &tcp4, 0, "");
		assert_int_equal(check(guard, &b), DROP_ethertype);
		build(&b, &arp, 0, "");
		assert_int_equal(check(guard, &b), DROP_ethertype);
		guard_free(guard);
	}
}

/* A network may take any frame; the rest of the guard stays. */
static void test_any_ethertype(void **state)
{
	static const struct frame_case cases[] = {
		{"MPLS", -1, .ethertype = 0x8847},
		{"an 802.3 length", -1, .ethertype = 46},
		{"another's MAC", DROP_spoof_mac, .mac = FOREIGN, .ethertype = 46},
		{"another's address", DROP_spoof_ipv4, .from = "10.0.0.2", .proto = TCP},
	};
	struct config_port port = {.has_mac = true, .ips = {"10.0.0.1"}, .n_ips = 1};
	struct config_network any = {
		.ethertypes = {0x0806, CONFIG_ETHERTYPE_ANY}, .n_ethertypes = 2};
	struct guard *guard;
	struct bytes b;

	memcpy(port.mac, macs[OWN], 6);
	guard = guard_create(&port, &any);
	assert_non_null(guard);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		build(&b, &cases[i], 0, "");
		assert_int_equal(check(guard, &b), cases[i].want);
	}
	guard_free(guard);
}

/* An address that no host has does not pass, even if a pair names it alone. */
static void test_pairs_of_no_one(void **state)
{
	static const char *const texts[] = {
		"224.0.0.1", "127.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::1", "::"};

	for (unsigned i = 0; i < RTE_DIM(texts); i++) {
		struct config_port port = {.has_mac = true, .n_ips = 1};
		struct frame_case c = {.from = texts[i], .proto = TCP};
		struct guard *guard;
		struct bytes b;

		memcpy(port.mac, macs[OWN], 6);
		strcpy(port.ips[0], texts[i]);
		guard = guard_create(&port, &network);
		assert_non_null(guard);
		build(&b, &c, 0, "");
		assert_int_equal(check(guard, &b), i < 4 ? DROP_spoof_ipv4 : DROP_spoof_ipv6);
		guard_free(guard);
	}
}

/* All that a port can have fits, and each of it counts. */
static void test_full_port(void **state)
{
	struct config_port *port = calloc(1, sizeof(*port));
	struct frame_case c = {.proto = TCP};
	struct guard *guard;
	char text[16];
	struct bytes b;

	assert_non_null(port);
	memcpy(port->mac, macs[OWN], 6);
	port->has_mac = true;
	port->n_ips = CONFIG_PORT_IPS_MAX;
	port->n_pairs = CONFIG_PAIRS_MAX;
	for (unsigned i = 0; i < CONFIG_PORT_IPS_MAX; i++)
		snprintf(port->ips[i], sizeof(port->ips[i]), "10.7.0.%u", i);
	for (unsigned i = 0; i < CONFIG_PAIRS_MAX; i++)
		port->pairs[i].span = span4(0x0a080000 + i, 0x0a080000 + i);
	guard = guard_create(port, &network);
	assert_non_null(guard);
	for (unsigned i = 0; i < 256; i++) {
		c.from = text;
		snprintf(text, sizeof(text), "10.7.0.%u", i);
		build(&b, &c, 0, "");
		assert_int_equal(check(guard, &b), i < CONFIG_PORT_IPS_MAX ? -1 : DROP_spoof_ipv4);
		snprintf(text, sizeof(text), "10.8.0.%u", i);
		build(&b, &c, 0, "");
		assert_int_equal(check(guard, &b), i < CONFIG_PAIRS_MAX ? -1 : DROP_spoof_ipv4);
	}
	guard_free(guard);
	free(port);
}

/* The guard's verdict, what holds for every port before it included. */
static int admit(const struct guard *guard, const struct bytes *b)
{
	struct rte_mbuf *m = frames_mbuf(pool, b->data, b->len, 0, 0);
	struct packet p;
	int reason;

	assert_int_equal(packet_parse(m, &p), -1);
	reason = guard_admit(guard, m, &p);
	rte_pktmbuf_free(m);
	return reason;
}

static void test_before_the_guard(void **state)
{
	static const struct frame_case own = {"own", .from = "10.0.0.1", .proto = TCP};
	static const struct frame_case foreign = {
		"another's", .mac = FOREIGN, .from = "10.0.0.1", .proto = TCP};
	static const struct frame_case group = {
		"a group's", .mac = GROUP, .from = "10.0.0.1", .proto = TCP};
	static const struct frame_case zero = {
		"zero", .mac = ZERO, .from = "10.0.0.1", .proto = TCP};
	struct config_port *port = calloc(1, sizeof(*port));
	struct guard *tagged;
	struct bytes b;

	assert_non_null(port);
	port->tagged = true;
	tagged = guard_create(port, &network);
	build(&b, &own, 0, "");
	assert_int_equal(admit(guards[ADDRESSED], &b), -1);
	build(&b, &foreign, 0, "");
	assert_int_equal(admit(guards[ADDRESSED], &b), DROP_spoof_mac);
	build(&b, &group, 0, "");
	assert_int_equal(admit(guards[TRUSTED], &b), DROP_src_mac_invalid);
	build(&b, &zero, 0, "");
	assert_int_equal(admit(guards[TRUSTED], &b), DROP_src_mac_invalid);
	for (unsigned vlans = 1; vlans <= 2; vlans++) {
		build(&b, &own, vlans, "");
		assert_int_equal(admit(guards[ADDRESSED], &b), DROP_vlan_tagged);
		assert_int_equal(admit(guards[TRUSTED], &b), DROP_vlan_tagged);
		assert_int_equal(admit(tagged, &b), -1);
	}
	for (unsigned last = 0; last < 256; last++) {
		build(&b, &own, 0, "");
		memcpy(b.data, (uint8_t[]){1, 0x80, 0xc2, 0, 0, last}, 6);
		assert_int_equal(
			admit(guards[ADDRESSED], &b), last < 16 ? DROP_reserved_multicast : -1);
		b.data[4] = 1;
		assert_int_equal(admit(guards[ADDRESSED], &b), -1);
	}
	guard_free(tagged);
	free(port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ethertypes),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_rarp),
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_dhcp),
		cmocka_unit_test(test_usual_frames),
		cmocka_unit_test(test_narrow_network),
		cmocka_unit_test(test_any_ethertype),
		cmocka_unit_test(test_pairs_of_no_one),
		cmocka_unit_test(test_full_port),
		cmocka_unit_test(test_before_the_guard),
	};

	return guard_rig_main("test_guard", tests);
}
