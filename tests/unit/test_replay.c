/*
 * Which port a replayed frame enters at, the replay's clock and its summary. The captures of a
 * shared folder beside the project, where there is one, go through reader, side table and port.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <netinet/in.h>
#include <rte_eal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "replay.h"
#include "replay_side.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

/* The switch's own where that is linked in. */
struct port_env port_env __attribute__((weak));

static char dir[] = "/tmp/vswitch-replay-XXXXXX";
static char path[sizeof(dir) + 16];
static char err[512];
static struct replay_side *side;

/* A frame being put together. Hosts are numbers: 10.0.0.n, fd00::n, MAC 02:00:00:00:00:n. */
struct frame {
	uint8_t data[256];
	uint32_t len;
};

static uint8_t *grow(struct frame *f, uint32_t len)
{
	uint8_t *p = f->data + f->len;

	assert_true(f->len + len <= sizeof(f->data));
	memset(p, 0, len);
	f->len += len;
	return p;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static struct frame ether(uint8_t from, uint8_t to, uint16_t type)
{
	struct frame f = {.len = 0};
	uint8_t *p = grow(&f, 14);

	p[0] = p[6] = 2;
	p[5] = to;
	p[11] = from;
	put16(p + 12, type);
	return f;
}

static void add_ipv4(struct frame *f, uint8_t from, uint8_t to, uint8_t proto)
{
	uint8_t *p = grow(f, 20);

	p[0] = 0x45;
	p[9] = proto;
	p[12] = p[16] = 10;
	p[15] = from;
	p[19] = to;
}

static void add_ipv6(struct frame *f, uint8_t from, uint8_t to, uint8_t next)
{
	uint8_t *p = grow(f, 40);

	p[0] = 0x60;
	p[6] = next;
	p[8] = p[24] = 0xfd;
	p[23] = from;
	p[39] = to;
}

static void add_ports(struct frame *f, uint16_t from, uint16_t to)
{
	uint8_t *p = grow(f, 8);

	put16(p, from);
	put16(p + 2, to);
}

static struct frame ipv4(uint8_t from, uint8_t to, uint8_t proto)
{
	struct frame f = ether(from, to, 0x0800);

	add_ipv4(&f, from, to, proto);
	return f;
}

static struct frame udp(uint8_t from, uint16_t from_port, uint8_t to, uint16_t to_port)
{
	struct frame f = ipv4(from, to, IPPROTO_UDP);

	add_ports(&f, from_port, to_port);
	return f;
}

static struct frame tcp(
	uint8_t from, uint16_t from_port, uint8_t to, uint16_t to_port, uint8_t flags)
{
	struct frame f = ipv4(from, to, IPPROTO_TCP);

	add_ports(&f, from_port, to_port);
	grow(&f, 12)[5] = flags;
	return f;
}

/* What the table says, with the frame in a block of just its size, for ASan. */
static unsigned side_of_cut(const struct frame *f, uint32_t len)
{
	uint8_t *copy = malloc(len);
	unsigned n;

	assert_true(copy || len == 0);
	if (len > 0)
		memcpy(copy, f->data, len);
	n = replay_side_of(side, copy, len);
	free(copy);
	return n;
}

static unsigned side_of(struct frame f)
{
	return side_of_cut(&f, f.len);
}

static int side_setup(void **state)
{
	side = replay_side_new();
	return side ? 0 : -1;
}

static int side_teardown(void **state)
{
	replay_side_free(side);
	return 0;
}

static void test_side_udp(void **state)
{
	struct frame f;
	uint8_t *p;

	assert_int_equal(side_of(udp(1, 1000, 2, 53)), 0);
	assert_int_equal(side_of(udp(2, 53, 1, 1000)), 1);
	assert_int_equal(side_of(udp(1, 1000, 2, 53)), 0);
	/* Other ports are another conversation, and that one the peer opens. */
	assert_int_equal(side_of(udp(2, 53, 1, 1001)), 0);
	assert_int_equal(side_of(udp(1, 1001, 2, 53)), 1);
	/* So is another protocol. */
	assert_int_equal(side_of(tcp(2, 53, 1, 1000, ACK)), 0);
	/* Tags change nothing. */
	f = ether(2, 1, 0x88a8);
	p = grow(&f, 8);
	put16(p + 2, 0x8100);
	put16(p + 6, 0x0800);
	add_ipv4(&f, 2, 1, IPPROTO_UDP);
	add_ports(&f, 53, 1000);
	assert_int_equal(side_of(f), 1);
	/* A host that talks to itself. */
	assert_int_equal(side_of(udp(5, 9, 5, 9)), 0);
	assert_int_equal(side_of(udp(5, 9, 5, 8)), 0);
	assert_int_equal(side_of(udp(5, 8, 5, 9)), 1);
}

static void test_side_ipv6(void **state)
{
	struct frame f = ether(1, 2, 0x86dd), g = ether(2, 1, 0x86dd);
	uint8_t *p;

	add_ipv6(&f, 1, 2, IPPROTO_UDP);
	add_ports(&f, 1000, 53);
	assert_int_equal(side_of(f), 0);
	/* Behind extension headers. */
	add_ipv6(&g, 2, 1, IPPROTO_HOPOPTS);
	p = grow(&g, 8);
	p[0] = IPPROTO_DSTOPTS;
	p = grow(&g, 16);
	p[0] = IPPROTO_UDP;
	p[1] = 1;
	add_ports(&g, 53, 1000);
	assert_int_equal(side_of(g), 1);
}

static void test_side_tcp(void **state)
{
	/* The server's answer comes first in the capture. */
	assert_int_equal(side_of(tcp(2, 80, 1, 1000, SYN | ACK)), 1);
	assert_int_equal(side_of(tcp(1, 1000, 2, 80, SYN)), 0);
	/* Midstream the first packet decides, until the ports open anew. */
	assert_int_equal(side_of(tcp(2, 80, 1, 1001, ACK)), 0);
	assert_int_equal(side_of(tcp(1, 1001, 2, 80, ACK)), 1);
	assert_int_equal(side_of(tcp(1, 1001, 2, 80, SYN)), 0);
	assert_int_equal(side_of(tcp(2, 80, 1, 1001, SYN | ACK)), 1);
	/* Both open at once: the first one stays. */
	assert_int_equal(side_of(tcp(1, 7, 2, 7, SYN)), 0);
	assert_int_equal(side_of(tcp(2, 7, 1, 7, SYN)), 1);
	assert_int_equal(side_of(tcp(1, 7, 2, 7, SYN | ACK)), 0);
	/* After the end the same ports may open the other way round. */
	assert_int_equal(side_of(tcp(1, 7, 2, 7, FIN | ACK)), 0);
	assert_int_equal(side_of(tcp(2, 7, 1, 7, ACK)), 1);
	assert_int_equal(side_of(tcp(2, 7, 1, 7, SYN)), 0);
	assert_int_equal(side_of(tcp(1, 7, 2, 7, SYN | ACK)), 1);
	assert_int_equal(side_of(tcp(1, 7, 2, 7, RST | ACK)), 1);
	assert_int_equal(side_of(tcp(1, 7, 2, 7, SYN)), 0);
	/* Once open again it stays, whatever the other side sends. */
	assert_int_equal(side_of(tcp(2, 7, 1, 7, SYN)), 1);
}

static struct frame icmp(uint8_t from, uint8_t to, uint8_t type, uint16_t id)
{
	struct frame f = ipv4(from, to, IPPROTO_ICMP);
	uint8_t *p = grow(&f, 8);

	p[0] = type;
	put16(p + 4, id);
	return f;
}

static void test_side_icmp(void **state)
{
	assert_int_equal(side_of(icmp(1, 2, 8, 77)), 0);
	assert_int_equal(side_of(icmp(2, 1, 0, 77)), 1);
	/* A reply without its query. */
	assert_int_equal(side_of(icmp(1, 2, 0, 78)), 1);
	assert_int_equal(side_of(icmp(2, 1, 8, 78)), 0);
}

/* An error about a packet of `from` to `to`, sent by a router in between. */
static struct frame icmp_error(uint8_t from, uint8_t to)
{
	struct frame f = ipv4(99, from, IPPROTO_ICMP);

	grow(&f, 8)[0] = 3;
	add_ipv4(&f, from, to, IPPROTO_UDP);
	return f;
}

static void test_side_icmp_error(void **state)
{
	struct frame f;
	uint8_t *p;

	assert_int_equal(side_of(udp(1, 1000, 2, 53)), 0);
	f = icmp_error(1, 2);
	add_ports(&f, 1000, 53);
	assert_int_equal(side_of(f), 1);
	f = icmp_error(2, 1);
	add_ports(&f, 53, 1000);
	assert_int_equal(side_of(f), 0);
	/* About nothing known: an answer all the same. */
	f = icmp_error(1, 2);
	add_ports(&f, 4, 5);
	assert_int_equal(side_of(f), 1);

	f = ether(1, 2, 0x86dd);
	add_ipv6(&f, 1, 2, IPPROTO_UDP);
	add_ports(&f, 1000, 53);
	assert_int_equal(side_of(f), 0);
	f = ether(99, 1, 0x86dd);
	add_ipv6(&f, 99, 1, IPPROTO_ICMPV6);
	p = grow(&f, 8);
	p[0] = 2;
	add_ipv6(&f, 1, 2, IPPROTO_UDP);
	add_ports(&f, 1000, 53);
	assert_int_equal(side_of(f), 1);
}

static struct frame fragment(uint8_t from, uint8_t to, uint16_t id, uint16_t offset, bool more)
{
	struct frame f = ipv4(from, to, IPPROTO_UDP);

	put16(f.data + 14 + 4, id);
	put16(f.data + 14 + 6, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
	if (offset == 0)
		add_ports(&f, 1000, 53);
	else
		grow(&f, 8);
	return f;
}

static void test_side_fragments(void **state)
{
	struct frame f;
	uint8_t *p;

	/* Two conversations, one opened by each side: a fragment goes by its own datagram. */
	assert_int_equal(side_of(udp(2, 53, 1, 1000)), 0);
	assert_int_equal(side_of(udp(1, 9, 2, 9)), 0);
	assert_int_equal(side_of(fragment(1, 2, 5, 0, true)), 1);
	assert_int_equal(side_of(udp(1, 9, 2, 9)), 0);
	assert_int_equal(side_of(fragment(1, 2, 5, 8, true)), 1);
	assert_int_equal(side_of(fragment(1, 2, 5, 16, false)), 1);
	/* Without its first, by the last conversation of the two. */
	assert_int_equal(side_of(udp(1, 9, 2, 9)), 0);
	assert_int_equal(side_of(fragment(1, 2, 6, 8, false)), 0);
	assert_int_equal(side_of(fragment(2, 1, 7, 8, false)), 1);
	/* The last comes first: the first one, of an unknown conversation, follows. */
	assert_int_equal(side_of(fragment(3, 4, 9, 8, false)), 0);
	assert_int_equal(side_of(udp(4, 1, 3, 1)), 0);
	assert_int_equal(side_of(fragment(3, 4, 10, 8, false)), 1);
	assert_int_equal(side_of(fragment(3, 4, 10, 0, true)), 1);

	f = ether(2, 1, 0x86dd);
	add_ipv6(&f, 2, 1, IPPROTO_FRAGMENT);
	p = grow(&f, 8);
	p[0] = IPPROTO_UDP;
	p[3] = 1;
	p[7] = 42;
	add_ports(&f, 1, 2);
	assert_int_equal(side_of(f), 0);
	f.data[14 + 40 + 2] = 1;
	f.data[14 + 40 + 3] = 0;
	assert_int_equal(side_of(f), 0);
}

static struct frame arp(uint8_t from, uint8_t to, uint8_t operation)
{
	struct frame f = ether(from, operation == 1 ? 0xff : to, 0x0806);
	uint8_t *p = grow(&f, 28);

	memcpy(p, "\0\1\x08\0\6\4", 6);
	p[7] = operation;
	p[14] = p[24] = 10;
	p[17] = from;
	p[27] = to;
	return f;
}

static void test_side_neighbours(void **state)
{
	struct frame f;
	uint8_t *p;

	assert_int_equal(side_of(arp(1, 2, 1)), 0);
	assert_int_equal(side_of(arp(2, 1, 2)), 1);
	assert_int_equal(side_of(arp(2, 1, 1)), 1); /* asks back: the same pair */
	assert_int_equal(side_of(arp(1, 2, 2)), 0);
	assert_int_equal(side_of(arp(3, 4, 2)), 1);

	/* A solicitation goes to a group, the advertisement to the asker. */
	f = ether(1, 2, 0x86dd);
	add_ipv6(&f, 1, 200, IPPROTO_ICMPV6);
	p = grow(&f, 24);
	p[0] = 135;
	p[8] = 0xfd;
	p[23] = 2;
	assert_int_equal(side_of(f), 0);
	f = ether(2, 1, 0x86dd);
	add_ipv6(&f, 2, 1, IPPROTO_ICMPV6);
	p = grow(&f, 24);
	p[0] = 136;
	p[4] = 0x40;
	p[8] = 0xfd;
	p[23] = 2;
	assert_int_equal(side_of(f), 1);
}

static void test_side_others(void **state)
{
	/* A DHCP server is never the one who asks. */
	assert_int_equal(side_of(udp(0, 68, 255, 67)), 0);
	assert_int_equal(side_of(udp(1, 67, 255, 68)), 1);
	/* By addresses where there are no ports, by MACs where there is no IP. */
	assert_int_equal(side_of(ipv4(1, 2, IPPROTO_GRE)), 0);
	assert_int_equal(side_of(ipv4(2, 1, IPPROTO_GRE)), 1);
	assert_int_equal(side_of(ipv4(2, 1, IPPROTO_ESP)), 0);
	assert_int_equal(side_of(ether(1, 2, 0x88cc)), 0);
	assert_int_equal(side_of(ether(2, 1, 0x88cc)), 1);
}

/* Headers cut at every byte: an answer, and no read behind the end. */
static void test_side_cut(void **state)
{
	struct frame all[8];
	unsigned i;
	uint32_t len;
	uint8_t *p;

	all[0] = tcp(1, 2, 3, 4, SYN);
	all[1] = icmp_error(1, 2);
	add_ports(&all[1], 1, 2);
	all[2] = arp(1, 2, 1);
	all[3] = fragment(1, 2, 3, 0, true);
	all[4] = ether(1, 2, 0x86dd);
	add_ipv6(&all[4], 1, 2, IPPROTO_AH);
	p = grow(&all[4], 16);
	p[0] = IPPROTO_FRAGMENT;
	p[1] = 2;
	p = grow(&all[4], 8);
	p[0] = IPPROTO_ICMPV6;
	p = grow(&all[4], 24);
	p[0] = 135;
	all[5] = ether(1, 2, 0x8100);
	for (i = 0; i < 6; i++)
		put16(grow(&all[5], 4) + 2, 0x8100);
	/* An endless row of extension headers, and one that claims to be longer than the packet. */
	all[6] = ether(1, 2, 0x86dd);
	add_ipv6(&all[6], 1, 2, IPPROTO_DSTOPTS);
	for (i = 0; i < 20; i++)
		grow(&all[6], 8)[0] = IPPROTO_DSTOPTS;
	all[7] = ether(1, 2, 0x86dd);
	add_ipv6(&all[7], 1, 2, IPPROTO_DSTOPTS);
	grow(&all[7], 8)[1] = 255;
	for (i = 0; i < 8; i++) {
		for (len = 0; len <= all[i].len; len++)
			assert_true(side_of_cut(&all[i], len) <= 1);
		assert_int_equal(side_of_cut(&all[i], all[i].len), 0);
	}
}

/* The table is full: the conversation idle longest is forgotten, and no other. */
static void test_side_limit(void **state)
{
	struct frame f;
	uint32_t i;

	/* By MACs, since those make one entry each. */
	assert_int_equal(side_of(ether(1, 2, 0x88cc)), 0);
	assert_int_equal(side_of(ether(3, 4, 0x88cc)), 0);
	f = ether(5, 6, 0x88cc);
	for (i = 0; i < REPLAY_SIDE_MAX - 2; i++) {
		f.data[1] = (uint8_t)(i >> 16);
		f.data[2] = (uint8_t)(i >> 8);
		f.data[3] = (uint8_t)i;
		assert_int_equal(side_of_cut(&f, f.len), 0);
	}
	assert_int_equal(replay_side_forgotten(side), 0);
	assert_int_equal(side_of(ether(2, 1, 0x88cc)), 1);
	f.data[1] = 0xff;
	assert_int_equal(side_of_cut(&f, f.len), 0);
	assert_int_equal(replay_side_forgotten(side), 1);
	assert_int_equal(side_of(ether(2, 1, 0x88cc)), 1); /* had just been used */
	assert_int_equal(side_of(ether(4, 3, 0x88cc)), 0); /* gone: opens anew */
	assert_int_equal(replay_side_forgotten(side), 2);
}

static struct capture_writer *writer_new(void)
{
	struct capture_writer *w = capture_writer_open(path, err, sizeof(err));

	assert_non_null(w);
	return w;
}

static void write_frame(struct capture_writer *w, uint64_t ns, struct frame f)
{
	capture_writer_write(w, ns, f.data, f.len);
}

static void writer_done(struct capture_writer *w)
{
	assert_int_equal(capture_writer_close(w, err, sizeof(err)), 0);
}

static struct replay *replay_new(const struct config *config)
{
	struct replay *r = replay_open(path, config, err, sizeof(err));

	if (!r)
		fail_msg("%s", err);
	return r;
}

static json_int_t number(const json_t *summary, const char *name)
{
	const json_t *value = json_object_get(summary, name);

	if (!json_is_integer(value))
		fail_msg("%s is no number", name);
	return json_integer_value(value);
}

static void expect_frame(struct replay *r, unsigned port, uint64_t ns)
{
	struct capture_frame f;
	unsigned slot = 99;

	assert_int_equal(replay_next(r, &slot, &f), 1);
	assert_int_equal(slot, port);
	assert_int_equal(f.ts_ns, ns);
}

static void test_two_ports(void **state)
{
	struct capture_writer *w = writer_new();
	struct capture_frame f;
	struct replay *r;
	json_t *summary;
	unsigned slot;

	write_frame(w, 100, udp(1, 1000, 2, 53));
	write_frame(w, 50, udp(2, 53, 1, 1000)); /* the clock was set back */
	write_frame(w, 2000000000, udp(1, 1000, 2, 53));
	writer_done(w);
	r = replay_new(NULL);
	assert_true(replay_is_input(r, path));
	assert_false(replay_is_input(r, dir));
	summary = replay_summary(r);
	assert_true(json_is_null(json_object_get(summary, "first_ns")));
	json_decref(summary);
	expect_frame(r, 0, 100);
	expect_frame(r, 1, 100);
	expect_frame(r, 0, 2000000000);
	assert_int_equal(replay_next(r, &slot, &f), 0);
	assert_null(replay_error(r));
	summary = replay_summary(r);
	assert_string_equal(json_string_value(json_object_get(summary, "file")), path);
	assert_string_equal(json_string_value(json_object_get(summary, "link_type")), "EN10MB");
	assert_int_equal(number(summary, "frames"), 3);
	assert_int_equal(number(summary, "unmapped"), 0);
	assert_int_equal(number(summary, "truncated"), 0);
	assert_int_equal(number(summary, "time_backwards"), 1);
	assert_int_equal(number(summary, "forgotten"), 0);
	assert_int_equal(number(summary, "first_ns"), 100);
	assert_int_equal(number(summary, "last_ns"), 2000000000);
	assert_int_equal(number(json_object_get(summary, "skipped"), "link_type"), 0);
	assert_true(json_is_null(json_object_get(summary, "broken_off")));
	json_decref(summary);
	replay_close(r);
}

static void test_broken_off(void **state)
{
	struct capture_writer *w = writer_new();
	struct capture_frame f;
	struct replay *r;
	json_t *summary;
	unsigned slot;

	write_frame(w, 1, udp(1, 1000, 2, 53));
	write_frame(w, 2, udp(2, 53, 1, 1000));
	writer_done(w);
	assert_int_equal(truncate(path, 24 + 2 * (16 + 42) - 1), 0);
	r = replay_new(NULL);
	expect_frame(r, 0, 1);
	assert_int_equal(replay_next(r, &slot, &f), -1);
	assert_non_null(strstr(replay_error(r), "broken off behind packet 1"));
	summary = replay_summary(r);
	assert_string_equal(
		json_string_value(json_object_get(summary, "broken_off")), replay_error(r));
	assert_int_equal(number(summary, "frames"), 1);
	json_decref(summary);
	replay_close(r);
}

static void test_not_opened(void **state)
{
	assert_null(replay_open("/nonexistent.pcap", NULL, err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent.pcap: cannot open"));
}

static void test_mapped(void **state)
{
	struct config_replay map[] = {
		{.port_index = 4,
			.macs = {{2, 0, 0, 0, 0, 7}, {2, 0, 0, 0, 0, 1}},
			.n_macs = 2,
			.prefixes = {{4, 8, {10}}},
			.n_prefixes = 1},
		{.port_index = 5,
			.prefixes = {{4, 31, {10, 0, 0, 2}}, {4, 26, {10}},
				{6, 127, {0xfd, [15] = 2}}},
			.n_prefixes = 3},
		{.port_index = 6, .prefixes = {{4, 32, {10, 0, 0, 3}}}, .n_prefixes = 1},
		{.port_index = 7, .prefixes = {{4, 28, {10}}}, .n_prefixes = 1},
	};
	struct config config = {.replay = map, .n_replay = 4};
	struct capture_writer *w = writer_new();
	struct frame tagged = ether(3, 1, 0x8100), v6;
	struct capture_frame f;
	struct replay *r;
	json_t *summary;
	unsigned slot;

	write_frame(w, 9, udp(1, 1, 2, 2)); /* by MAC, though the prefix would do */
	write_frame(w, 9, udp(2, 2, 1, 1)); /* the longer prefix */
	write_frame(w, 8, ether(9, 1, 0x88cc)); /* nobody's */
	put16(grow(&tagged, 4) + 2, 0x0800);
	add_ipv4(&tagged, 3, 1, IPPROTO_GRE);
	write_frame(w, 10, tagged);
	write_frame(w, 11, arp(2, 1, 2));
	write_frame(w, 12, udp(200, 1, 1, 1)); /* only the short prefix holds it */
	v6 = ether(2, 1, 0x86dd);
	add_ipv6(&v6, 3, 1, IPPROTO_NONE);
	write_frame(w, 13, v6);
	v6 = ether(2, 1, 0x86dd);
	add_ipv6(&v6, 4, 1, IPPROTO_NONE);
	write_frame(w, 14, v6); /* just beside the prefix */
	tagged.len = 11;
	write_frame(w, 15, tagged); /* too short to have a source */
	writer_done(w);

	r = replay_new(&config);
	expect_frame(r, 4, 9);
	expect_frame(r, 5, 9);
	expect_frame(r, 6, 10);
	expect_frame(r, 5, 11);
	expect_frame(r, 4, 12);
	expect_frame(r, 5, 13);
	assert_int_equal(replay_next(r, &slot, &f), 0);
	summary = replay_summary(r);
	assert_int_equal(number(summary, "frames"), 6);
	assert_int_equal(number(summary, "unmapped"), 3);
	assert_int_equal(number(summary, "time_backwards"), 0);
	json_decref(summary);
	replay_close(r);
}

/* What the walk over the shared captures saw. */
static struct {
	struct port_dev *ports[2];
	unsigned files, refused;
	uint64_t frames;
} walk;

/* In at one port and out at the other, as the switch would do it. */
static void walk_frame(unsigned slot, const struct capture_frame *f)
{
	struct port_dev *in = walk.ports[slot], *out = walk.ports[1 - slot];
	struct rte_mbuf *m;

	assert_int_equal(capture_inject(in, f->data, f->len), 0);
	assert_int_equal(in->driver->rx_burst(in, 0, &m, 1), 1);
	assert_int_equal(m->pkt_len, f->len);
	assert_int_equal(out->driver->tx_burst(out, 0, &m, 1), 1);
	walk.frames++;
}

static int walk_file(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
	static const char *const endings[] = {".pcap", ".pcapng", ".trace", ".cap", ".gz"};
	const char *ending = strrchr(name + ftw->base, '.');
	uint64_t last = 0;
	struct capture_frame f;
	struct replay *r;
	unsigned i, slot;
	json_t *summary;

	for (i = 0; ending && i < RTE_DIM(endings) && strcmp(ending, endings[i]) != 0; i++)
		;
	if (kind != FTW_F || !ending || i == RTE_DIM(endings))
		return 0;
	walk.files++;
	r = replay_open(name, NULL, err, sizeof(err));
	if (!r) {
		print_message("%s\n", err);
		walk.refused++;
		return 0;
	}
	while (replay_next(r, &slot, &f) == 1) {
		assert_true(slot <= 1);
		assert_true(f.ts_ns >= last);
		last = f.ts_ns;
		walk_frame(slot, &f);
	}
	summary = replay_summary(r);
	assert_non_null(summary);
	json_decref(summary);
	replay_close(r);
	return 0;
}

static void test_shared_captures(void **state)
{
	static struct config_port conf = {.name = "walk"};
	const char *shared = getenv("VSWITCH_SHARED");
	struct capture_writer *w = capture_writer_open("/dev/null", err, sizeof(err));
	char folder[4096];
	unsigned i;

	assert_non_null(w);
	snprintf(folder, sizeof(folder), "%s/captures", shared ? shared : "../shared");
	if (access(folder, R_OK) < 0) {
		writer_done(w);
		print_message("skipped: no folder %s (VSWITCH_SHARED names its parent)\n", folder);
		skip();
	}
	for (i = 0; i < 2; i++) {
		walk.ports[i] = capture_driver.open(&conf, (uint16_t)i, err, sizeof(err));
		assert_non_null(walk.ports[i]);
	}
	capture_set_output(w);
	assert_int_equal(nftw(folder, walk_file, 16, FTW_PHYS), 0);
	capture_set_output(NULL);
	writer_done(w);
	for (i = 0; i < 2; i++)
		capture_driver.close(walk.ports[i]);
	print_message("%u files, %u of them no captures, %llu frames\n", walk.files, walk.refused,
		(unsigned long long)walk.frames);
	/* Nearly all that is named like a capture is one. */
	assert_true(walk.frames > 0);
	assert_true(walk.refused * 20 <= walk.files);
}

static int setup(void **state)
{
	static char *argv[] = {"test_replay", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "64", "--log-level=error"};

	if (rte_eal_init(RTE_DIM(argv), argv) < 0 || !mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/in", dir);
	port_env.pool = rte_pktmbuf_pool_create("test", 511, 0, 0, 256, SOCKET_ID_ANY);
	return port_env.pool ? 0 : -1;
}

static int teardown(void **state)
{
	unlink(path);
	rmdir(dir);
	rte_mempool_free(port_env.pool);
	return rte_eal_cleanup();
}

#define SIDE_TEST(name) cmocka_unit_test_setup_teardown(name, side_setup, side_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SIDE_TEST(test_side_udp),
		SIDE_TEST(test_side_ipv6),
		SIDE_TEST(test_side_tcp),
		SIDE_TEST(test_side_icmp),
		SIDE_TEST(test_side_icmp_error),
		SIDE_TEST(test_side_fragments),
		SIDE_TEST(test_side_neighbours),
		SIDE_TEST(test_side_others),
		SIDE_TEST(test_side_cut),
		SIDE_TEST(test_side_limit),
		cmocka_unit_test(test_two_ports),
		cmocka_unit_test(test_broken_off),
		cmocka_unit_test(test_not_opened),
		cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_shared_captures),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
