/*
 * vswitch-pktgen's frames: checksums hold whatever is written over, times survive the way, and what
 * comes in is read within its bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pktgen_frame.h"

static const uint8_t a[6] = {2, 0, 0, 0, 0, 1}, b[6] = {2, 0, 0, 0, 0, 2};
static uint8_t data[2048];

/* RFC 1071, over all bytes, as slow as it is plain. */
static uint32_t sum_of(const uint8_t *bytes, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_checksums(const struct pktgen_frame *frame, uint32_t len, bool tcp)
{
	const uint8_t *ip = data + frame->l3;
	uint32_t l4 = len - frame->l4;

	assert_int_equal(sum_of(ip, 20, 0), 0xffff);
	assert_int_equal(ip[2] << 8 | ip[3], len - frame->l3);
	if (tcp)
		assert_int_equal(
			sum_of(data + frame->l4, l4, sum_of(ip + 12, 8, IPPROTO_TCP + l4)), 0xffff);
	else
		assert_int_equal(data[frame->l4 + 4] << 8 | data[frame->l4 + 5], l4);
}

static struct pktgen_tuple random_tuple(void)
{
	return (struct pktgen_tuple){.src = (uint32_t)rand() * 2654435761u,
		.dst = (uint32_t)rand() * 2654435761u,
		.sport = (uint16_t)rand(),
		.dport = (uint16_t)rand()};
}

static void check_kind(uint16_t vlan, uint8_t protocol)
{
	bool tcp = protocol == IPPROTO_TCP;
	struct pktgen_frame frame, in;
	struct pktgen_tuple tuple = random_tuple();
	struct pktgen_tcp segment = {.window = 0xffff, .flags = PKTGEN_ACK};
	uint64_t time;

	pktgen_frame_init(&frame, b, a, vlan, protocol);
	pktgen_frame_init(&in, b, a, vlan, protocol);
	memset(data, 0, sizeof(data));
	pktgen_frame_write(&frame, data, 60, &tuple, tcp ? &segment : NULL);
	for (unsigned i = 0; i < 5000; i++) {
		uint32_t len = pktgen_frame_stamped(&frame) + (uint32_t)rand() % 1400;
		uint64_t stamp = (uint64_t)rand() << 32 | (uint32_t)rand() * 3u;
		struct pktgen_seen seen;

		tuple = random_tuple();
		segment.seq = (uint32_t)rand() * 5u;
		segment.ack = (uint32_t)rand() * 7u;
		pktgen_frame_unstamp(&frame, data);
		pktgen_frame_patch(&frame, data, len, &tuple, tcp ? &segment : NULL);
		check_checksums(&frame, len, tcp);
		assert_false(pktgen_frame_stamp_of(&in, data, len, &time));
		pktgen_frame_stamp(&frame, data, stamp);
		check_checksums(&frame, len, tcp);
		assert_true(pktgen_frame_stamp_of(&in, data, len, &time));
		assert_true(time == stamp);
		assert_true(pktgen_frame_is(&in, data, len));
		assert_true(pktgen_frame_read(&in, data, len, &seen));
		assert_memory_equal(&seen.tuple, &tuple, sizeof(tuple));
		assert_int_equal(seen.len, len - frame.payload);
		assert_int_equal(seen.payload, frame.payload);
		if (tcp)
			assert_true(seen.tcp.seq == segment.seq && seen.tcp.ack == segment.ack &&
				    seen.tcp.flags == PKTGEN_ACK && seen.tcp.window == 0xffff);
	}
}

static void checksums_hold_whatever_is_written_over(void **state)
{
	srand(3);
	check_kind(0, IPPROTO_UDP);
	check_kind(0, IPPROTO_TCP);
	check_kind(0x6007, IPPROTO_UDP);
	check_kind(7, IPPROTO_TCP);
}

static void a_time_fits_into_the_smallest_udp(void **state)
{
	struct pktgen_frame frame;

	pktgen_frame_init(&frame, b, a, 0, IPPROTO_UDP);
	assert_int_equal(pktgen_frame_stamped(&frame), 60);
	pktgen_frame_init(&frame, b, a, 7, IPPROTO_UDP);
	assert_int_equal(pktgen_frame_stamped(&frame), 60);
	pktgen_frame_init(&frame, b, a, 0, IPPROTO_TCP);
	assert_int_equal(pktgen_frame_stamped(&frame), 66);
}

static void a_syn_offers_mss_and_scale(void **state)
{
	struct pktgen_tuple tuple = random_tuple();
	struct pktgen_tcp syn = {
		.seq = 0xfffffffe, .window = 0xffff, .mss = 1460, .flags = PKTGEN_SYN};
	struct pktgen_frame frame;
	struct pktgen_seen seen;

	pktgen_frame_init(&frame, b, a, 0, IPPROTO_TCP);
	memset(data, 0, sizeof(data));
	assert_int_equal(pktgen_frame_write(&frame, data, 62, &tuple, &syn), 62);
	check_checksums(&frame, 62, true);
	assert_true(pktgen_frame_read(&frame, data, 62, &seen));
	assert_int_equal(seen.tcp.mss, 1460);
	assert_int_equal(seen.tcp.scale, PKTGEN_WINDOW_SCALE);
	assert_int_equal(seen.len, 0);
	/* Cut off anywhere, it is nothing or itself, and no byte behind it is read. */
	for (uint32_t len = 0; len < 62; len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);

		memcpy(exact, data, len);
		assert_false(pktgen_frame_read(&frame, exact, len, &seen) && len < 54);
		free(exact);
	}
}

static void random_bytes_are_read_within_their_bounds(void **state)
{
	struct pktgen_frame frame;
	unsigned read = 0;

	pktgen_frame_init(&frame, b, a, 0, IPPROTO_TCP);
	srand(4);
	for (unsigned i = 0; i < 200000; i++) {
		uint32_t len = (uint32_t)rand() % 120;
		uint8_t *exact = malloc(len > 0 ? len : 1);
		struct pktgen_seen seen;

		for (uint32_t n = 0; n < len; n++)
			exact[n] = (uint8_t)rand();
		if (len > 34) {
			exact[12] = 8;
			exact[13] = 0;
			exact[14] = (uint8_t)(0x40 | (exact[14] & 7));
			exact[16] = 0;
			exact[20] = exact[21] = 0;
			exact[23] = IPPROTO_TCP;
		}
		pktgen_frame_is(&frame, exact, len);
		read += pktgen_frame_read(&frame, exact, len, &seen);
		free(exact);
	}
	assert_true(read > 100);
}

static void arp_asks_for_the_peer(void **state)
{
	struct pktgen_frame frame;

	pktgen_frame_init(&frame, b, a, 9, IPPROTO_UDP);
	pktgen_frame_arp(&frame, data, 0x0a000001, 0x0a000002);
	assert_memory_equal(data, "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\1\x81\0\0\x9\x8\6", 18);
	assert_true(pktgen_frame_is_arp(&frame, data, 60, 0x0a000001));
	assert_false(pktgen_frame_is_arp(&frame, data, 60, 0x0a000003));
	assert_false(pktgen_frame_is_arp(&frame, data, 40, 0x0a000001));
	assert_false(pktgen_frame_is(&frame, data, 60));
}

static void foreign_frames_are_told_apart(void **state)
{
	struct pktgen_tuple tuple = random_tuple();
	struct pktgen_frame frame, other;

	pktgen_frame_init(&frame, b, a, 5, IPPROTO_UDP);
	memset(data, 0, sizeof(data));
	pktgen_frame_write(&frame, data, 60, &tuple, NULL);
	assert_true(pktgen_frame_is(&frame, data, 60));
	pktgen_frame_init(&other, a, b, 5, IPPROTO_UDP);
	assert_false(pktgen_frame_is(&other, data, 60));
	pktgen_frame_init(&other, b, a, 6, IPPROTO_UDP);
	assert_false(pktgen_frame_is(&other, data, 60));
	pktgen_frame_init(&other, b, a, 5, IPPROTO_TCP);
	assert_false(pktgen_frame_is(&other, data, 60));
	assert_false(pktgen_frame_is(&frame, data, 30));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_hold_whatever_is_written_over),
		cmocka_unit_test(a_time_fits_into_the_smallest_udp),
		cmocka_unit_test(a_syn_offers_mss_and_scale),
		cmocka_unit_test(random_bytes_are_read_within_their_bounds),
		cmocka_unit_test(arp_asks_for_the_peer),
		cmocka_unit_test(foreign_frames_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
