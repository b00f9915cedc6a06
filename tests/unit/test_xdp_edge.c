/*
 * The XDP program's verdicts, by bpf_prog_test_run(): it runs in the kernel, on frames of the
 * test's, with no NIC. Each frame's verdict is told by what the program returns and by the one
 * counter that moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xdp_edge.h"
#include "xdp_edge.skel.h"
#include "xdp_rig.h"

#define ROOM 2048

static const char *reason; /* why nothing can be tested here */
static struct xdp_edge *edge;
static int cpus, xsk = -1;
static struct xdp_md context; /* which queue frames come in at */
static const uint8_t one = 1;

static uint8_t frame[ROOM];
static unsigned len;

/* ---- maps ---- */

static int fd_of(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

static void set_vlan(uint32_t vlan, uint32_t ours)
{
	assert_int_equal(
		bpf_map_update_elem(fd_of(edge->maps.edge_vlans), &vlan, &ours, BPF_ANY), 0);
}

static void set_vni(uint32_t vni)
{
	assert_int_equal(bpf_map_update_elem(fd_of(edge->maps.edge_vnis), &vni, &one, BPF_ANY), 0);
}

static void set_mac(const char *mac)
{
	struct edge_mac key = {0};

	memcpy(key.bytes, mac, 6);
	assert_int_equal(bpf_map_update_elem(fd_of(edge->maps.edge_macs), &key, &one, BPF_ANY), 0);
}

/* In text, of either family, as 16 bytes. */
static void addr_of(const char *text, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (inet_pton(AF_INET6, text, addr) == 1)
		return;
	addr[10] = addr[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, addr + 12), 1);
}

static void set_underlay(const char *addr, uint16_t port, uint16_t vlan)
{
	struct edge_underlay key = {.port = htons(port), .vlan = vlan};

	addr_of(addr, key.addr);
	assert_int_equal(
		bpf_map_update_elem(fd_of(edge->maps.edge_underlay), &key, &one, BPF_ANY), 0);
}

/* SMB is the service; at level HOST DHCP may go out, and what ICMP says. */
static const struct edge_rules rules = {.n_services = 2,
	.services = {139, 445},
	.n_allow = 2,
	.allow = {{IPPROTO_UDP, 67, 68}, {IPPROTO_ICMP, 0, 65535}}};

static void set_source_at(uint32_t network, const char *addr, uint32_t level)
{
	struct edge_drops *zero = calloc((size_t)cpus, sizeof(*zero));
	struct edge_source key = {.network = network, .level = level};

	addr_of(addr, key.addr);
	assert_int_equal(
		bpf_map_update_elem(fd_of(edge->maps.edge_sources), &key, zero, BPF_ANY), 0);
	assert_int_equal(
		bpf_map_update_elem(fd_of(edge->maps.edge_rules), &network, &rules, BPF_ANY), 0);
	free(zero);
}

static void set_source(uint32_t network, const char *addr)
{
	set_source_at(network, addr, EDGE_SHUT_HOST);
}

static struct edge_drops drops_of(uint32_t network, const char *addr)
{
	struct edge_drops *each = calloc((size_t)cpus, sizeof(*each)), sum = {0};
	struct edge_source key = {.network = network, .level = EDGE_SHUT_HOST};

	addr_of(addr, key.addr);
	assert_int_equal(bpf_map_lookup_elem(fd_of(edge->maps.edge_sources), &key, each), 0);
	for (int i = 0; i < cpus; i++) {
		sum.packets += each[i].packets;
		sum.bytes += each[i].bytes;
	}
	free(each);
	return sum;
}

static uint64_t counter_of(uint32_t verdict)
{
	uint64_t *each = calloc((size_t)cpus, sizeof(*each)), sum = 0;

	assert_int_equal(bpf_map_lookup_elem(fd_of(edge->maps.edge_counters), &verdict, each), 0);
	for (int i = 0; i < cpus; i++)
		sum += each[i];
	free(each);
	return sum;
}

/* ---- frames ---- */

static void put(const void *bytes, unsigned n)
{
	assert_true(len + n <= ROOM);
	memcpy(frame + len, bytes, n);
	len += n;
}

static void put16(uint16_t value)
{
	value = htons(value);
	put(&value, sizeof(value));
}

static void put_zeros(unsigned n)
{
	static const uint8_t zeros[ROOM];

	put(zeros, n);
}

#define GUEST     "\x02\0\0\0\0\x01"
#define HOST      "\x02\0\0\0\0\xee"
#define SENDER    "\x02\0\0\0\0\x99"
#define BROADCAST "\xff\xff\xff\xff\xff\xff"

/* MACs; the type follows. */
static void begin(const char *to)
{
	len = 0;
	put(to, 6);
	put(SENDER, 6);
}

static void put_tag(uint16_t type, uint16_t tci)
{
	put16(type);
	put16(tci);
}

/* Type and header of IPv4 with `words` words, fragment bits and what is behind it. */
static void put_ipv4_like(
	const char *from, const char *to, uint8_t first, uint16_t fragment, uint8_t protocol)
{
	uint8_t addr[16];

	put16(0x0800);
	put(&first, 1);
	put_zeros(5);
	put16(fragment);
	put("\x40", 1);
	put(&protocol, 1);
	put_zeros(2);
	addr_of(from, addr);
	put(addr + 12, 4);
	addr_of(to, addr);
	put(addr + 12, 4);
	if ((first & 15) > 5)
		put_zeros(((first & 15) - 5) * 4u);
}

static void put_ipv4(const char *from, const char *to, uint8_t protocol)
{
	put_ipv4_like(from, to, 0x45, 0, protocol);
}

static void put_ipv6(const char *from, const char *to, uint8_t next)
{
	uint8_t addr[16];

	put16(0x86dd);
	put("\x60\0\0\0\0\0", 6);
	put(&next, 1);
	put("\x40", 1);
	addr_of(from, addr);
	put(addr, 16);
	addr_of(to, addr);
	put(addr, 16);
}

/* An extension header of 8 + 8 * more bytes. */
static void put_extension(uint8_t next, uint8_t more, uint16_t fragment)
{
	put(&next, 1);
	put(&more, 1);
	put16(fragment);
	put_zeros(4u + 8u * more);
}

static void put_vxlan(uint16_t port, uint8_t flags, uint32_t vni)
{
	uint32_t last = htonl(vni << 8);

	put16(50000);
	put16(port);
	put_zeros(4);
	put(&flags, 1);
	put_zeros(3);
	put(&last, 4);
}

/* A guest's frame inside VXLAN. */
static void put_inner(const char *from)
{
	put(GUEST SENDER, 12);
	if (strchr(from, ':') != NULL)
		put_ipv6(from, "fd00::1", IPPROTO_TCP);
	else
		put_ipv4(from, "10.0.0.1", IPPROTO_TCP);
	put_zeros(20);
}

/* ---- verdicts ---- */

static int run(unsigned bytes)
{
	uint8_t exact[ROOM];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = exact, .data_size_in = bytes,
		.ctx_in = context.ingress_ifindex ? &context : NULL,
		.ctx_size_in = context.ingress_ifindex ? sizeof(context) : 0);

	context.data_end = bytes;
	memcpy(exact, frame, bytes);
	if (bpf_prog_test_run_opts(bpf_program__fd(edge->progs.vswitch_edge), &opts) != 0)
		fail_msg("bpf_prog_test_run: %s", strerror(errno));
	return (int)opts.retval;
}

static int action_of(enum edge_verdict verdict)
{
	if (verdict == EDGE_QUARANTINED)
		return XDP_DROP;
	return verdict <= EDGE_TO_SWITCH_VNI ? XDP_REDIRECT : XDP_PASS;
}

/* The first `bytes` of the frame meet this end, and are counted there and nowhere else. */
static void assert_cut(unsigned bytes, enum edge_verdict verdict, int line)
{
	uint64_t before[EDGE_VERDICT_COUNT];
	int action;

	for (uint32_t v = 0; v < EDGE_VERDICT_COUNT; v++)
		before[v] = counter_of(v);
	action = run(bytes);
	for (uint32_t v = 0; v < EDGE_VERDICT_COUNT; v++)
		if (counter_of(v) - before[v] != (v == verdict))
			fail_msg("line %d, %u of %u bytes: verdict %u counted %lu times, not %d",
				line, bytes, len, v, counter_of(v) - before[v], v == verdict);
	if (action != action_of(verdict))
		fail_msg("line %d, %u of %u bytes: action %d", line, bytes, len, action);
}

#define assert_verdict(id) assert_cut(len, EDGE_##id, __LINE__)

/* Cut at each length: what is told of a frame may only change where these say so. */
struct change {
	unsigned from; /* bytes */
	enum edge_verdict verdict;
};

static void assert_cuts(const struct change *changes, int line)
{
	enum edge_verdict verdict = changes->verdict;

	assert_int_equal(changes->from, 14); /* the kernel has no shorter ones */
	for (unsigned bytes = 14; bytes <= len; bytes++) {
		if (changes->from == bytes)
			verdict = changes++->verdict;
		assert_cut(bytes, verdict, line);
	}
	assert_int_equal(changes->from, 0); /* all of them met */
}

#define ASSERT_CUTS(...) assert_cuts((const struct change[]){__VA_ARGS__, {0, EDGE_HOST}}, __LINE__)

static int setup(void **state)
{
	reason = xdp_rig_unusable();
	if (reason != NULL)
		print_message("skipped: %s\n", reason);
	cpus = libbpf_num_possible_cpus();
	return 0;
}

/* VLAN 100, VNI 5000, a guest's MAC without a tag, and VXLAN to 192.0.2.1 and 2001:db8::1. */
static int load(void **state)
{
	uint32_t queue = 0;

	if (reason != NULL)
		return 0;
	edge = xdp_edge__open_and_load();
	assert_non_null(edge);
	xsk = xdp_rig_socket();
	assert_int_equal(
		bpf_map_update_elem(fd_of(edge->maps.edge_sockets), &queue, &xsk, BPF_ANY), 0);
	set_vlan(0, 1);
	set_vlan(100, 1);
	set_vni(5000);
	set_mac(GUEST);
	set_underlay("192.0.2.1", 4789, 0);
	set_underlay("2001:db8::1", 4789, 0);
	return 0;
}

static int unload(void **state)
{
	if (edge != NULL)
		xdp_edge__destroy(edge);
	if (xsk >= 0)
		close(xsk);
	edge = NULL;
	xsk = -1;
	memset(&context, 0, sizeof(context));
	return 0;
}

#define SKIP_UNLESS_USABLE()                                                                       \
	do {                                                                                       \
		if (reason != NULL)                                                                \
			skip();                                                                    \
	} while (0)

static void test_untagged(void **state)
{
	SKIP_UNLESS_USABLE();
	begin(GUEST);
	put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(TO_SWITCH_MAC);
	begin(GUEST);
	put16(0x0806);
	put_zeros(28);
	assert_verdict(TO_SWITCH_MAC); /* not IP either */
	begin(HOST);
	put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(HOST);
	begin(BROADCAST);
	put_ipv4("10.0.0.9", "255.255.255.255", IPPROTO_UDP);
	assert_verdict(MULTICAST);
	begin("\x33\x33\0\0\0\x01");
	put_ipv6("fe80::1", "ff02::1", IPPROTO_ICMPV6);
	assert_verdict(MULTICAST);
	/* Without a network for them, MACs of guests count for nothing. */
	set_vlan(0, 0);
	begin(GUEST);
	put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(HOST);
	begin(BROADCAST);
	put_ipv4("10.0.0.9", "255.255.255.255", IPPROTO_UDP);
	assert_verdict(HOST);
}

static void test_vlans(void **state)
{
	SKIP_UNLESS_USABLE();
	for (uint16_t vlan = 1; vlan < EDGE_VLANS; vlan++) {
		begin(HOST);
		put_tag(0x8100, 0xe000 | vlan); /* with a priority */
		put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
		assert_cut(len, vlan == 100 ? EDGE_TO_SWITCH_VLAN : EDGE_HOST, __LINE__);
	}
	/* All of it, for whomever it is. */
	begin(BROADCAST);
	put_tag(0x8100, 100);
	put16(0x0806);
	put_zeros(28);
	assert_verdict(TO_SWITCH_VLAN);
	/* A guest's MAC in another VLAN is another's. */
	begin(GUEST);
	put_tag(0x8100, 101);
	put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(HOST);
}

static void test_priority_tag(void **state)
{
	SKIP_UNLESS_USABLE();
	begin(GUEST);
	put_tag(0x8100, 0xe000);
	put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(TO_SWITCH_MAC);
	begin(HOST);
	put_tag(0x8100, 0xe000);
	put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(HOST);
}

/* The outer tag decides, and only 802.1Q's is one; what is behind two tags is found still. */
static void test_qinq(void **state)
{
	const uint16_t others[] = {0x88a8, 0x9100};

	SKIP_UNLESS_USABLE();
	set_source(100, "10.0.0.66");
	for (unsigned i = 0; i < 2; i++) {
		begin(HOST);
		put_tag(0x8100, 100);
		put_tag(i ? 0x88a8 : 0x8100, 7);
		put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
		assert_verdict(TO_SWITCH_VLAN);
		begin(HOST);
		put_tag(0x8100, 100);
		put_tag(i ? 0x88a8 : 0x8100, 7);
		put_ipv4("10.0.0.66", "10.0.0.1", IPPROTO_TCP);
		ASSERT_CUTS({14, EDGE_SHORT}, {18, EDGE_TO_SWITCH_VLAN}, {42, EDGE_QUARANTINED});
		begin(HOST);
		put_tag(0x8100, 7);
		put_tag(0x8100, 100);
		put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
		assert_verdict(HOST);
		begin(HOST);
		put_tag(others[i], 100);
		put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
		assert_verdict(HOST);
	}
	/* Behind three it is not: the switch looks for itself. */
	begin(HOST);
	put_tag(0x8100, 100);
	put_tag(0x8100, 7);
	put_tag(0x8100, 7);
	put_ipv4("10.0.0.66", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(TO_SWITCH_VLAN);
}

static void test_sources_in_quarantine(void **state)
{
	SKIP_UNLESS_USABLE();
	set_source(100, "10.0.0.66");
	set_source(100, "fd00::66");
	set_source(0, "10.0.0.77");
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv4("10.0.0.66", "10.0.0.1", IPPROTO_TCP);
	put_zeros(20);
	ASSERT_CUTS({14, EDGE_SHORT}, {18, EDGE_TO_SWITCH_VLAN}, {38, EDGE_QUARANTINED});
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv6("fd00::66", "fd00::1", IPPROTO_TCP);
	put_zeros(20);
	ASSERT_CUTS({14, EDGE_SHORT}, {18, EDGE_TO_SWITCH_VLAN}, {58, EDGE_QUARANTINED});
	begin(GUEST);
	put_ipv4("10.0.0.77", "10.0.0.1", IPPROTO_TCP);
	ASSERT_CUTS({14, EDGE_TO_SWITCH_MAC}, {34, EDGE_QUARANTINED});
	/* The same addresses elsewhere, and others here. */
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv4("10.0.0.77", "10.0.0.66", IPPROTO_TCP);
	assert_verdict(TO_SWITCH_VLAN);
	begin(GUEST);
	put_ipv4("10.0.0.66", "10.0.0.77", IPPROTO_TCP);
	assert_verdict(TO_SWITCH_MAC);
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv6("::ffff:10.0.0.66", "fd00::1", IPPROTO_TCP);
	assert_verdict(QUARANTINED); /* no packet has such a source; it is the same address */
	/* What the host gets of it is the host's to judge. */
	begin(HOST);
	put_ipv4("10.0.0.77", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(HOST);
	begin(BROADCAST);
	put_ipv4("10.0.0.77", "255.255.255.255", IPPROTO_UDP);
	assert_verdict(MULTICAST);
	/* No packet of either kind: the switch's to drop. */
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv4_like("10.0.0.66", "10.0.0.1", 0x65, 0, IPPROTO_TCP);
	assert_verdict(TO_SWITCH_VLAN);
}

static void put_ports(uint16_t from, uint16_t to)
{
	put16(from);
	put16(to);
	put_zeros(16);
}

/* A packet in VLAN 100 from a source in quarantine. */
static void begin_packet(const char *from, uint8_t protocol, uint16_t fragment)
{
	begin(HOST);
	put_tag(0x8100, 100);
	if (strchr(from, ':') != NULL)
		put_ipv6(from, "fd00::1", protocol);
	else
		put_ipv4_like(from, "10.0.0.1", 0x46, fragment, protocol);
}

static void assert_ports(
	const char *from, uint8_t protocol, const uint16_t ports[2], enum edge_verdict verdict)
{
	begin_packet(from, protocol, 0);
	put_ports(ports[0], ports[1]);
	assert_cut(len, verdict, __LINE__);
}

/* At level `service`: what is surely TCP from or to a service. */
static void test_services_of_a_source(void **state)
{
	const char *const sources[] = {"10.0.0.66", "fd00::66"};
	const uint16_t to[] = {50000, 445}, from[] = {139, 50000}, other[] = {50000, 446};

	SKIP_UNLESS_USABLE();
	for (unsigned i = 0; i < 2; i++) {
		set_source_at(100, sources[i], EDGE_SHUT_SERVICES);
		assert_ports(sources[i], IPPROTO_TCP, to, EDGE_QUARANTINED);
		assert_ports(sources[i], IPPROTO_TCP, from, EDGE_QUARANTINED);
		assert_ports(sources[i], IPPROTO_TCP, other, EDGE_TO_SWITCH_VLAN);
		assert_ports(sources[i], IPPROTO_UDP, to, EDGE_TO_SWITCH_VLAN);
	}
	/* A fragment's place among others is the switch's to know. */
	begin_packet("10.0.0.66", IPPROTO_TCP, 0x2000);
	put_ports(50000, 445);
	assert_verdict(TO_SWITCH_VLAN);
	begin_packet("10.0.0.66", IPPROTO_TCP, 0);
	put_ports(50000, 445);
	ASSERT_CUTS({14, EDGE_SHORT}, {18, EDGE_TO_SWITCH_VLAN}, {46, EDGE_QUARANTINED});
	begin_packet("fd00::66", IPPROTO_DSTOPTS, 0);
	put_extension(IPPROTO_TCP, 3, 0);
	put_ports(50000, 445);
	ASSERT_CUTS({14, EDGE_SHORT}, {18, EDGE_TO_SWITCH_VLAN}, {94, EDGE_QUARANTINED});
}

/* At level `port`: all but what may be allowed. */
static void test_what_a_source_is_allowed(void **state)
{
	const char *const sources[] = {"10.0.0.66", "fd00::66"};
	const uint16_t dhcp[] = {68, 67}, last[] = {1, 68}, above[] = {1, 69}, below[] = {67, 66};

	SKIP_UNLESS_USABLE();
	for (unsigned i = 0; i < 2; i++) {
		set_source(100, sources[i]);
		assert_ports(sources[i], IPPROTO_UDP, dhcp, EDGE_TO_SWITCH_VLAN);
		assert_ports(sources[i], IPPROTO_UDP, last, EDGE_TO_SWITCH_VLAN);
		assert_ports(sources[i], IPPROTO_UDP, above, EDGE_QUARANTINED);
		assert_ports(sources[i], IPPROTO_UDP, below, EDGE_QUARANTINED);
		assert_ports(sources[i], IPPROTO_TCP, dhcp, EDGE_QUARANTINED);
		assert_ports(sources[i], IPPROTO_ICMP, above, EDGE_TO_SWITCH_VLAN);
		assert_ports(sources[i], IPPROTO_ICMPV6, above, EDGE_TO_SWITCH_VLAN);
	}
	/* What it is can't be told, or the ports can't. */
	begin_packet("10.0.0.66", IPPROTO_UDP, 0x0001);
	put_ports(1, 69);
	assert_verdict(TO_SWITCH_VLAN);
	begin_packet("10.0.0.66", IPPROTO_TCP, 0x0001);
	put_ports(1, 69);
	assert_verdict(QUARANTINED);
	begin_packet("fd00::66", IPPROTO_FRAGMENT, 0);
	put_extension(IPPROTO_TCP, 0, 0x0008);
	put_ports(1, 69);
	assert_verdict(TO_SWITCH_VLAN);
	begin_packet("fd00::66", IPPROTO_DSTOPTS, 0);
	for (unsigned i = 0; i < EDGE_EXTENSIONS; i++)
		put_extension(IPPROTO_DSTOPTS, 0, 0);
	put_extension(IPPROTO_TCP, 0, 0);
	put_ports(1, 69);
	assert_verdict(TO_SWITCH_VLAN);
}

/* Without rules the network has no quarantine. */
static void test_rules_go_with_the_network(void **state)
{
	uint32_t network = 100;

	SKIP_UNLESS_USABLE();
	set_source(100, "10.0.0.66");
	bpf_map_delete_elem(fd_of(edge->maps.edge_rules), &network);
	begin_packet("10.0.0.66", IPPROTO_TCP, 0);
	put_ports(1, 69);
	assert_verdict(TO_SWITCH_VLAN);
}

static void test_drops_are_counted_by_source(void **state)
{
	struct edge_drops drops;

	SKIP_UNLESS_USABLE();
	set_source(100, "10.0.0.66");
	set_source(100, "10.0.0.67");
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv4("10.0.0.66", "10.0.0.1", IPPROTO_TCP);
	put_zeros(62);
	for (unsigned i = 0; i < 3; i++)
		assert_verdict(QUARANTINED);
	drops = drops_of(100, "10.0.0.66");
	assert_int_equal(drops.packets, 3);
	assert_int_equal(drops.bytes, 300);
	assert_int_equal(drops_of(100, "10.0.0.67").packets, 0);
}

static void test_vxlan_over_ipv4(void **state)
{
	SKIP_UNLESS_USABLE();
	set_source(EDGE_OF_VNI(5000), "10.0.0.66");
	begin(HOST);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
	ASSERT_CUTS({14, EDGE_HOST}, {42, EDGE_BAD_VXLAN}, {64, EDGE_TO_SWITCH_VNI});
	begin(HOST);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.66");
	ASSERT_CUTS({14, EDGE_HOST}, {42, EDGE_BAD_VXLAN}, {64, EDGE_TO_SWITCH_VNI},
		{84, EDGE_QUARANTINED});
	assert_true(drops_of(EDGE_OF_VNI(5000), "10.0.0.66").packets > 0);
	/* The VTEP's own address is no source of the network. */
	set_source(EDGE_OF_VNI(5000), "192.0.2.9");
	begin(HOST);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
	assert_verdict(TO_SWITCH_VNI);
}

static void test_vxlan_over_ipv6(void **state)
{
	SKIP_UNLESS_USABLE();
	set_source(EDGE_OF_VNI(5000), "fd00::66");
	begin(HOST);
	put_ipv6("2001:db8::9", "2001:db8::1", IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("fd00::66");
	ASSERT_CUTS({14, EDGE_HOST}, {62, EDGE_BAD_VXLAN}, {84, EDGE_TO_SWITCH_VNI},
		{124, EDGE_QUARANTINED});
}

static void test_vxlan_that_is_not_ours(void **state)
{
	SKIP_UNLESS_USABLE();
	begin(HOST);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5001);
	put_inner("10.0.0.9");
	assert_verdict(OTHER_VNI);
	begin(HOST);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_UDP);
	put_vxlan(4789, 0xf7, 5000); /* all flags but the one */
	put_inner("10.0.0.9");
	assert_verdict(BAD_VXLAN);
	begin(HOST);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_UDP);
	put_vxlan(4790, 0x08, 5000);
	put_inner("10.0.0.9");
	assert_verdict(HOST);
	begin(HOST);
	put_ipv4("192.0.2.9", "192.0.2.2", IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
	assert_verdict(HOST);
	begin(HOST);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_TCP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
	assert_verdict(HOST);
	/* To the guest's MAC it is the guest's, VXLAN or not. */
	begin(GUEST);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
	assert_verdict(TO_SWITCH_MAC);
}

/* The underlay may lie in a VLAN itself, and then in that one only. */
static void test_vxlan_in_a_vlan(void **state)
{
	SKIP_UNLESS_USABLE();
	begin(HOST);
	put_tag(0x8100, 50);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
	assert_verdict(HOST);
	set_underlay("192.0.2.1", 4789, 50);
	assert_verdict(TO_SWITCH_VNI);
}

static void test_ipv4_options_and_fragments(void **state)
{
	SKIP_UNLESS_USABLE();
	for (uint8_t words = 0; words < 16; words++) {
		begin(HOST);
		put_ipv4_like("192.0.2.9", "192.0.2.1", 0x40 | words, 0x4000, IPPROTO_UDP);
		put_vxlan(4789, 0x08, 5000);
		put_inner("10.0.0.9");
		assert_cut(len, words < 5 ? EDGE_HOST : EDGE_TO_SWITCH_VNI, __LINE__);
	}
	begin(HOST);
	put_ipv4_like("192.0.2.9", "192.0.2.1", 0x4f, 0, IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
	ASSERT_CUTS({14, EDGE_HOST}, {82, EDGE_BAD_VXLAN}, {104, EDGE_TO_SWITCH_VNI});
	for (unsigned bit = 0; bit < 14; bit++) {
		begin(HOST);
		put_ipv4_like("192.0.2.9", "192.0.2.1", 0x45, (uint16_t)(1 << bit), IPPROTO_UDP);
		put_vxlan(4789, 0x08, 5000);
		put_inner("10.0.0.9");
		assert_verdict(HOST);
	}
	begin(HOST);
	put_ipv4_like("192.0.2.9", "192.0.2.1", 0x65, 0, IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
	assert_verdict(HOST);
}

static void put_vxlan_behind(const uint8_t *extensions, unsigned n, uint8_t more, uint16_t fragment)
{
	begin(HOST);
	put_ipv6("2001:db8::9", "2001:db8::1", n > 0 ? extensions[0] : IPPROTO_UDP);
	for (unsigned i = 0; i < n; i++)
		put_extension(i + 1 < n ? extensions[i + 1] : IPPROTO_UDP,
			extensions[i] == IPPROTO_FRAGMENT ? 0 : more,
			extensions[i] == IPPROTO_FRAGMENT ? fragment : 0);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
}

static void test_ipv6_extension_headers(void **state)
{
	const uint8_t some[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
		IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS};
	const uint8_t fragment[] = {IPPROTO_FRAGMENT}, unknown[] = {135};

	SKIP_UNLESS_USABLE();
	for (unsigned n = 0; n <= EDGE_EXTENSIONS + 1; n++) {
		put_vxlan_behind(some, n, 0, 0);
		assert_cut(len, n <= EDGE_EXTENSIONS ? EDGE_TO_SWITCH_VNI : EDGE_HOST, __LINE__);
	}
	put_vxlan_behind(some, 3, 2, 0);
	ASSERT_CUTS({14, EDGE_HOST}, {134, EDGE_BAD_VXLAN}, {156, EDGE_TO_SWITCH_VNI});
	put_vxlan_behind(some, 6, 30, 0);
	assert_verdict(TO_SWITCH_VNI);
	/* One that says it is longer than the frame. */
	put_vxlan_behind(some, 1, 0, 0);
	frame[14 + 40 + 1] = 255;
	assert_verdict(HOST);
	put_vxlan_behind(unknown, 1, 0, 0);
	assert_verdict(HOST);
	/* A fragment that is the whole (RFC 6946), and others. */
	put_vxlan_behind(fragment, 1, 0, 0x0006);
	assert_verdict(TO_SWITCH_VNI);
	for (unsigned bit = 0; bit < 16; bit++)
		if (bit != 1 && bit != 2) { /* reserved */
			put_vxlan_behind(fragment, 1, 0, (uint16_t)(1 << bit));
			assert_verdict(HOST);
		}
	put_vxlan_behind(some, 0, 0, 0);
	frame[14] = 0x70;
	assert_verdict(HOST);
}

/* As when the switch is not running: closed sockets are in no map. */
static void test_without_a_socket(void **state)
{
	SKIP_UNLESS_USABLE();
	set_source(100, "10.0.0.66");
	close(xsk);
	xsk = -1;
	begin(GUEST);
	put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(NO_SOCKET);
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(NO_SOCKET);
	begin(HOST);
	put_ipv4("192.0.2.9", "192.0.2.1", IPPROTO_UDP);
	put_vxlan(4789, 0x08, 5000);
	put_inner("10.0.0.9");
	assert_verdict(NO_SOCKET);
	/* Quarantine holds all the same. */
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv4("10.0.0.66", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(QUARANTINED);
}

/* Each queue has its own; another's does not do. */
static void test_a_queue_without_a_socket(void **state)
{
	int program;

	SKIP_UNLESS_USABLE();
	program = bpf_program__fd(edge->progs.vswitch_edge);
	assert_int_equal(
		bpf_xdp_attach((int)xdp_rig_ifindex, program, XDP_FLAGS_DRV_MODE, NULL), 0);
	context.ingress_ifindex = xdp_rig_ifindex;
	begin(GUEST);
	put_ipv4("10.0.0.9", "10.0.0.1", IPPROTO_TCP);
	for (uint32_t queue = 0; queue < XDP_RIG_QUEUES; queue++) {
		context.rx_queue_index = queue;
		assert_cut(len, queue == 0 ? EDGE_TO_SWITCH_MAC : EDGE_NO_SOCKET, __LINE__);
	}
	bpf_xdp_detach((int)xdp_rig_ifindex, XDP_FLAGS_DRV_MODE, NULL);
}

/* A source that found no room in a full map reaches the switch, which drops it itself. */
static void test_a_full_map(void **state)
{
	struct edge_source key = {.network = 100,
		.level = EDGE_SHUT_HOST,
		.addr = {[10] = 0xff, [11] = 0xff, [12] = 10}};
	struct edge_drops *zero;

	SKIP_UNLESS_USABLE();
	zero = calloc((size_t)cpus, sizeof(*zero));
	set_source(100, "10.0.0.0");
	for (uint32_t i = 0; i < EDGE_SOURCES_MAX; i++) {
		uint32_t number = htonl(i);

		memcpy(key.addr + 13, (uint8_t *)&number + 1, 3);
		assert_int_equal(
			bpf_map_update_elem(fd_of(edge->maps.edge_sources), &key, zero, BPF_ANY),
			0);
	}
	key.addr[12] = 11;
	assert_int_not_equal(
		bpf_map_update_elem(fd_of(edge->maps.edge_sources), &key, zero, BPF_ANY), 0);
	free(zero);
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv4("10.0.31.255", "10.0.0.1", IPPROTO_TCP); /* the last that found room */
	assert_verdict(QUARANTINED);
	begin(HOST);
	put_tag(0x8100, 100);
	put_ipv4("11.0.0.66", "10.0.0.1", IPPROTO_TCP);
	assert_verdict(TO_SWITCH_VLAN);
}

#define VERDICT_TEST(test) cmocka_unit_test_setup_teardown(test, load, unload)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VERDICT_TEST(test_untagged),
		VERDICT_TEST(test_vlans),
		VERDICT_TEST(test_priority_tag),
		VERDICT_TEST(test_qinq),
		VERDICT_TEST(test_sources_in_quarantine),
		VERDICT_TEST(test_services_of_a_source),
		VERDICT_TEST(test_what_a_source_is_allowed),
		VERDICT_TEST(test_rules_go_with_the_network),
		VERDICT_TEST(test_drops_are_counted_by_source),
		VERDICT_TEST(test_vxlan_over_ipv4),
		VERDICT_TEST(test_vxlan_over_ipv6),
		VERDICT_TEST(test_vxlan_that_is_not_ours),
		VERDICT_TEST(test_vxlan_in_a_vlan),
		VERDICT_TEST(test_ipv4_options_and_fragments),
		VERDICT_TEST(test_ipv6_extension_headers),
		VERDICT_TEST(test_without_a_socket),
		VERDICT_TEST(test_a_queue_without_a_socket),
		VERDICT_TEST(test_a_full_map),
	};

	return cmocka_run_group_tests_name("xdp_edge", tests, setup, NULL);
}
