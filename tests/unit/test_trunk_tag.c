/*
 * 802.1Q tags put on frames and taken off them again: by the byte, with every tag that may stand in
 * a frame, and where frames end too early.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "trunk_tag.h"

#define ROOM 256

static uint8_t buffer[ROOM];
static struct rte_mbuf mbuf;

static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

/* A frame that begins with the MACs and these bytes, and is len bytes long. */
static struct rte_mbuf *frame(const char *hex, uint16_t len)
{
	memset(&mbuf, 0, sizeof(mbuf));
	memset(buffer, 0x5a, sizeof(buffer));
	mbuf.buf_addr = buffer;
	mbuf.buf_len = sizeof(buffer);
	mbuf.data_off = 64;
	mbuf.nb_segs = 1;
	mbuf.data_len = len;
	mbuf.pkt_len = len;
	mbuf.l2_len = 14;
	memcpy(buffer + 64, macs, sizeof(macs));
	for (unsigned i = 0; hex[2 * i] != '\0'; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		buffer[64 + sizeof(macs) + i] = (uint8_t)byte;
	}
	return &mbuf;
}

static void assert_bytes(const struct rte_mbuf *m, const char *hex, uint16_t len)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

	assert_int_equal(m->data_len, len);
	assert_int_equal(m->pkt_len, len);
	assert_memory_equal(data, macs, sizeof(macs));
	for (unsigned i = 0; hex[2 * i] != '\0'; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		assert_int_equal(data[sizeof(macs) + i], byte);
	}
}

static void test_push_and_undo(void **state)
{
	struct rte_mbuf *m = frame("08004500", 60);

	trunk_tag_push(m, 100);
	assert_bytes(m, "8100006408004500", 64);
	assert_int_equal(m->l2_len, 18);
	trunk_tag_undo(m);
	assert_bytes(m, "08004500", 60);
	assert_int_equal(m->l2_len, 14);
	assert_int_equal(m->data_off, 64);
}

static void test_pop_keeps_priority_for_the_next_push(void **state)
{
	struct rte_mbuf *m = frame("8100b0640800", 64); /* PCP 5, DEI, VLAN 100 */

	assert_int_equal(trunk_tag_pop(m, false), 100);
	assert_bytes(m, "0800", 60);
	assert_int_equal(m->vlan_tci, 0xb000);
	trunk_tag_push(m, 4094);
	assert_bytes(m, "8100bffe0800", 64);
}

static void test_without_tag(void **state)
{
	struct rte_mbuf *m = frame("86dd", 60);

	m->vlan_tci = 0xe064; /* whatever the buffer had before */
	assert_int_equal(trunk_tag_pop(m, true), 0);
	assert_bytes(m, "86dd", 60);
	assert_int_equal(m->vlan_tci, 0);
}

static void test_priority_tag_is_no_vlan(void **state)
{
	struct rte_mbuf *m = frame("8100e0000806", 64);

	assert_int_equal(trunk_tag_pop(m, false), 0);
	assert_bytes(m, "0806", 60);
	assert_int_equal(m->vlan_tci, 0xe000);
}

static void test_two_tags(void **state)
{
	static const char *const inner[] = {
		"81000064810000c80800", "8100006488a800c80800", "81000064910000c80800"};

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(trunk_tag_pop(frame(inner[i], 64), false), TRUNK_TAG_DOUBLE);
		assert_bytes(&mbuf, inner[i], 64);
		assert_int_equal(trunk_tag_pop(frame(inner[i], 64), true), 100);
		assert_bytes(&mbuf, inner[i] + 8, 60);
		assert_true(trunk_tag_is_there(&mbuf));
	}
}

static void test_no_hopping_behind_a_priority_tag(void **state)
{
	assert_int_equal(trunk_tag_pop(frame("8100e000810000c80800", 64), true), TRUNK_TAG_DOUBLE);
}

static void test_other_outer_tags_are_no_vlans(void **state)
{
	assert_int_equal(trunk_tag_pop(frame("88a800640800", 64), true), TRUNK_TAG_DOUBLE);
	assert_int_equal(trunk_tag_pop(frame("910000640800", 64), true), TRUNK_TAG_DOUBLE);
}

static void test_a_tag_that_the_device_took_off(void **state)
{
	struct rte_mbuf *m = frame("0800", 60);

	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0x60c8;
	assert_int_equal(trunk_tag_pop(m, false), 200);
	assert_bytes(m, "0800", 60);
	assert_int_equal(m->vlan_tci, 0x6000);
	frame("810000640800", 64);
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 200;
	assert_int_equal(trunk_tag_pop(m, false), TRUNK_TAG_DOUBLE);
}

static void test_short_frames(void **state)
{
	for (uint16_t len = 0; len < 18; len++) {
		int vlan = trunk_tag_pop(frame("810000640800", len), true);

		assert_int_equal(vlan, TRUNK_TAG_SHORT);
		assert_int_equal(mbuf.data_len, len);
	}
	assert_int_equal(trunk_tag_pop(frame("810000640800", 18), true), 100);
	assert_int_equal(trunk_tag_pop(frame("0800", 14), true), 0);
	assert_false(trunk_tag_is_there(frame("8100", 13)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_push_and_undo),
		cmocka_unit_test(test_pop_keeps_priority_for_the_next_push),
		cmocka_unit_test(test_without_tag),
		cmocka_unit_test(test_priority_tag_is_no_vlan),
		cmocka_unit_test(test_two_tags),
		cmocka_unit_test(test_no_hopping_behind_a_priority_tag),
		cmocka_unit_test(test_other_outer_tags_are_no_vlans),
		cmocka_unit_test(test_a_tag_that_the_device_took_off),
		cmocka_unit_test(test_short_frames),
	};

	return cmocka_run_group_tests_name("trunk_tag", tests, NULL, NULL);
}
