/*
 * Captures that vswitch-pktgen replays: which side of a conversation each frame belongs to, and
 * what is left out and counted. Captures are written on the spot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include "pktgen_replay.h"
#include "temp_dir.h"

static pcap_t *pcap;
static pcap_dumper_t *dumper;
static struct pktgen_capture capture;
static char err[PKTGEN_ERR];

static void begin(int link)
{
	pcap = pcap_open_dead(link, 65535);
	dumper = pcap_dump_open(pcap, in_dir("c.pcap"));
	assert_non_null(dumper);
}

static void put(const uint8_t *frame, uint32_t len, uint32_t of)
{
	struct pcap_pkthdr header = {.caplen = len, .len = of};

	pcap_dump((u_char *)dumper, &header, frame);
}

static int end(void)
{
	pcap_dump_close(dumper);
	pcap_close(pcap);
	return pktgen_capture_read(&capture, in_dir("c.pcap"), err);
}

/* Ethernet, perhaps a tag, and IPv4 from 10.0.0.from to 10.0.0.to. */
static void ipv4(uint8_t from, uint8_t to, bool tagged, uint32_t len)
{
	uint8_t frame[9100] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8};
	uint8_t *at = frame + 12;

	if (tagged) {
		memcpy(at, "\x81\x00\x00\x07", 4);
		at += 4;
	}
	memcpy(at, "\x08\x00\x45", 3);
	memcpy(at + 2 + 12, (uint8_t[]){10, 0, 0, from, 10, 0, 0, to}, 8);
	put(frame, len, len);
}

static void ipv6(uint8_t from, uint8_t to)
{
	uint8_t frame[80] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x86, 0xdd, 0x60};

	frame[14 + 23] = from;
	frame[14 + 39] = to;
	put(frame, sizeof(frame), sizeof(frame));
}

static void arp(uint8_t from, uint8_t to)
{
	uint8_t frame[60] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 8, 0x08, 0x06};

	frame[14 + 17] = from;
	frame[14 + 27] = to;
	put(frame, sizeof(frame), sizeof(frame));
}

static void check_sides(const char *sides)
{
	assert_int_equal(end(), 0);
	assert_int_equal(capture.n, strlen(sides));
	for (uint32_t i = 0; i < capture.n; i++)
		if (capture.frames[i].side != sides[i] - '0')
			fail_msg("frame %u is of side %u", i, capture.frames[i].side);
	pktgen_capture_free(&capture);
}

static void who_speaks_first_is_one_side(void **state)
{
	begin(DLT_EN10MB);
	ipv4(1, 2, false, 60);
	ipv4(2, 1, false, 60);
	ipv4(2, 3, false, 60); /* 2 opens this one itself */
	ipv4(3, 2, true, 64);
	ipv4(1, 2, true, 64); /* the same two, whatever the tag */
	ipv6(1, 2);
	ipv6(2, 1);
	arp(5, 4);
	arp(4, 5);
	ipv4(2, 1, false, 60);
	check_sides("0101001011");
}

static void many_conversations_keep_apart(void **state)
{
	char sides[200 * 201 + 1];
	unsigned n = 0;

	begin(DLT_EN10MB);
	for (unsigned i = 0; i < 200; i++)
		for (unsigned j = 0; j < i; j++) {
			ipv4((uint8_t)i, (uint8_t)j, false, 60);
			ipv4((uint8_t)j, (uint8_t)i, false, 60);
			sides[n++] = '0';
			sides[n++] = '1';
		}
	sides[n] = '\0';
	check_sides(sides);
}

static void what_is_not_whole_is_counted(void **state)
{
	uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5};

	begin(DLT_EN10MB);
	ipv4(1, 2, false, 60);
	put(frame, 60, 60); /* neither IP nor ARP */
	put(frame, 60, 1500);
	put(frame, 10, 10);
	ipv4(1, 2, false, 9019);
	ipv4(2, 1, false, 9018);
	assert_int_equal(end(), 0);
	assert_int_equal(capture.n, 2);
	assert_int_equal(capture.cut, 1);
	assert_int_equal(capture.other, 3);
	assert_int_equal(capture.frames[1].len, 9018);
	assert_int_equal(capture.bytes[capture.frames[1].offset + 14 + 15], 2);
	assert_int_equal(pktgen_replay_buffers(&capture), 1);
	pktgen_capture_free(&capture);
}

static void what_cannot_be_replayed_is_refused(void **state)
{
	uint8_t frame[60] = {0x45};

	begin(DLT_RAW);
	put(frame, 60, 60);
	assert_int_equal(end(), -1);
	assert_non_null(strstr(err, "not of Ethernet"));
	begin(DLT_EN10MB);
	assert_int_equal(end(), -1);
	assert_non_null(strstr(err, "no whole frame"));
	assert_int_equal(pktgen_capture_read(&capture, in_dir("nothing"), err), -1);
	assert_non_null(strstr(err, "No such file"));
	begin(DLT_EN10MB);
	ipv4(1, 2, false, 60);
	ipv4(1, 2, false, 60);
	pcap_dump_close(dumper);
	pcap_close(pcap);
	assert_int_equal(truncate(in_dir("c.pcap"), 120), 0);
	assert_int_equal(pktgen_capture_read(&capture, in_dir("c.pcap"), err), -1);
	assert_non_null(strstr(err, "truncated"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_speaks_first_is_one_side, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			many_conversations_keep_apart, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(what_is_not_whole_is_counted, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_replayed_is_refused, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
