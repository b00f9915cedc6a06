/*
 * vhost-user ports under traffic: what one guest, or the control thread, does to its port while a
 * worker uses it and others, and what reaches a guest with open checksums and TSO. The numbers are
 * those of the test catalogue.
 */
#include "vhost_rig.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#define HEADERS 54 /* Ethernet, IPv4, TCP */
#define SEGMENT 1400
#define CKSUM   50 /* offset of TCP's checksum */

/* Two started guests, bridged by the worker, and a port of the test's own beside them. */
struct lane {
	struct vhost_master from, to;
	struct port_dev *ports[4];
	uint32_t sent, received;
};

static void lane_start(struct lane *lane, struct port_dev *extra)
{
	memset(lane, 0, sizeof(*lane));
	lane->ports[0] = rig_started(&lane->from, "from", RIG_LINUX, 1);
	lane->ports[1] = rig_started(&lane->to, "to", RIG_LINUX, 1);
	lane->ports[2] = lane->ports[3] = extra;
	rig_worker_start(lane->ports, extra != NULL ? 4 : 2);
}

static void lane_send(struct lane *lane)
{
	uint8_t frame[128];

	rig_frame(frame, sizeof(frame), lane->sent);
	if (vhost_master_transmit(&lane->from, 0, NULL, frame, sizeof(frame)) == 0)
		lane->sent++;
}

/* In order, and none lost. */
static bool lane_receive(struct lane *lane)
{
	uint8_t frame[2048];
	uint32_t number;

	while (vhost_master_receive(&lane->to, 0, NULL, frame, sizeof(frame)) > 0) {
		memcpy(&number, frame + 14, sizeof(number));
		assert_int_equal(number, lane->received);
		lane->received++;
	}
	return lane->received == lane->sent;
}

static void lane_step(struct lane *lane)
{
	lane_send(lane);
	lane_receive(lane);
}

static void lane_stop(struct lane *lane)
{
	rig_until(lane_receive(lane));
	assert_true(lane->sent > 0);
	rig_worker_stop();
	rig_close(lane->ports[0]);
	rig_close(lane->ports[1]);
	vhost_master_free(&lane->from);
	vhost_master_free(&lane->to);
}

/* 1: the device's number is gone between two looks at it. */
static void test_1_guest_dies_under_traffic(void **state)
{
	unsigned buffers = rig_buffers();
	struct vhost_master a, b;
	struct port_dev *ports[2] = {rig_started(&a, "a", RIG_LINUX, 1), NULL};
	uint8_t frame[1000], in[2048];

	ports[1] = rig_started(&b, "b", RIG_LINUX, 1);
	rig_worker_start(ports, 2);
	rig_frame(frame, sizeof(frame), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct vhost_master *m = i & 1 ? &a : &b, *other = i & 1 ? &b : &a;

		for (unsigned k = 0; k < 50; k++) {
			vhost_master_transmit(&a, 0, NULL, frame, sizeof(frame));
			vhost_master_transmit(&b, 0, NULL, frame, sizeof(frame));
			vhost_master_receive(other, 0, NULL, in, sizeof(in));
		}
		vhost_master_disconnect(m);
		vhost_master_transmit(other, 0, NULL, frame, sizeof(frame));
		assert_int_equal(vhost_master_accept(m, RIG_MS), 0);
		vhost_master_reset(m);
		assert_int_equal(vhost_master_start(m, RIG_LINUX, 1), 0);
	}
	rig_worker_stop();
	rig_close(ports[0]);
	rig_close(ports[1]);
	vhost_master_free(&a);
	vhost_master_free(&b);
	assert_int_equal(rig_buffers(), buffers);
}

/* 2, 9: ports with a guest attached come and go, and the others lose nothing. */
static void test_2_9_port_is_deleted_with_its_guest(void **state)
{
	unsigned descriptors = 0;
	struct lane lane;

	lane_start(&lane, NULL);
	for (unsigned i = 0; i < 100; i++) {
		struct vhost_master m;
		struct port_dev *dev = rig_started(&m, "deleted", RIG_LINUX, 1);

		lane_step(&lane);
		rig_close(dev);
		vhost_master_free(&m);
		lane_step(&lane);
		if (i == 0)
			descriptors = rig_descriptors();
	}
	assert_int_equal(rig_descriptors(), descriptors);
	lane_stop(&lane);
}

/* 3, 4: a guest that toggles its queues without end, and an operator who watches it. */
static void test_3_4_toggling_guest_costs_the_others_nothing(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "toggle", RIG_LINUX, 2);
	struct lane lane;

	lane_start(&lane, dev);
	for (unsigned i = 0; i < 20000; i++) {
		assert_int_equal(vhost_master_enable_ring(&m, i % 4, (i / 4) & 1), 0);
		if (i % 8 == 0)
			lane_step(&lane);
		if (i % 500 == 0)
			json_decref(vhost_user_driver.describe(dev));
	}
	assert_int_equal(vhost_master_sync(&m), 0);
	lane_stop(&lane);
	rig_close(dev);
	vhost_master_free(&m);
}

/* 10: memory is plugged in while packets flow. */
static void test_10_memory_changes_under_traffic(void **state)
{
	struct lane lane;

	lane_start(&lane, NULL);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(vhost_master_share_memory(&lane.from, 1 + i % 4), 0);
		assert_int_equal(vhost_master_share_memory(&lane.to, 1 + (i + 1) % 4), 0);
		for (unsigned k = 0; k < 10; k++)
			lane_step(&lane);
		assert_int_equal(vhost_master_sync(&lane.from), 0);
		assert_int_equal(vhost_master_sync(&lane.to), 0);
	}
	assert_int_equal(rig_number(lane.ports[0], "memory_regions"), 4);
	lane_stop(&lane);
}

/* A TCP segment, with something in its checksum that is neither right nor zero. */
static void tcp_frame(uint8_t *frame, size_t len)
{
	struct rte_ipv4_hdr ip = {.version_ihl = 0x45, .time_to_live = 64, .next_proto_id = 6};
	struct rte_tcp_hdr tcp = {.data_off = 0x50, .cksum = 0x3412};

	rig_frame(frame, len, 0);
	frame[12] = 8;
	frame[13] = 0;
	ip.total_length = rte_cpu_to_be_16(len - 14);
	ip.src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 1));
	ip.dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2));
	memcpy(frame + 14, &ip, sizeof(ip));
	memcpy(frame + 34, &tcp, sizeof(tcp));
}

/* A chain of full segments. */
static struct rte_mbuf *chain_of(const uint8_t *frame, size_t len, uint64_t flags)
{
	struct rte_mbuf *head = NULL, *last = NULL;

	for (size_t at = 0; at < len;) {
		size_t part = RTE_MIN(len - at, (size_t)2048);
		struct rte_mbuf *m = rig_mbuf(frame + at, part);

		if (head == NULL)
			head = m;
		else
			last->next = m;
		last = m;
		at += part;
		head->nb_segs += m != head;
		head->pkt_len = at;
	}
	head->ol_flags = flags | RTE_MBUF_F_TX_IPV4;
	head->l2_len = 14;
	head->l3_len = head->l4_len = 20;
	head->tso_segsz = SEGMENT;
	return head;
}

static const uint64_t tso_flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;

/* The guest gets the segment as its sender made it, with the sum of the pseudo-header in it. */
static void test_tso_reaches_the_guest_as_it_is(void **state)
{
	static const size_t sizes[] = {55, 1514, 2048, 2049, 20000, 65535};
	static uint8_t frame[65535], in[65535];
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "tso", RIG_LINUX, 1);
	struct virtio_net_hdr_mrg_rxbuf header;
	unsigned buffers = rig_buffers();

	for (unsigned i = 0; i < RTE_DIM(sizes); i++) {
		struct rte_mbuf *pkt;

		tcp_frame(frame, sizes[i]);
		pkt = chain_of(frame, sizes[i], tso_flags);
		assert_int_equal(vhost_user_driver.tx_burst(dev, 0, &pkt, 1), 1);
		assert_int_equal(vhost_master_receive(&m, 0, &header, in, sizeof(in)), sizes[i]);
		assert_memory_equal(in, frame, sizes[i]);
		assert_int_equal(header.hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(header.hdr.csum_start, 34);
		assert_int_equal(header.hdr.csum_offset, 16);
		assert_int_equal(header.hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
		assert_int_equal(header.hdr.gso_size, SEGMENT);
		assert_int_equal(header.hdr.hdr_len, HEADERS);
		assert_int_equal(rig_buffers(), buffers);
	}
	rig_close(dev);
	vhost_master_free(&m);
}

/* A flooded packet is held by others, who must not see it change. */
static void test_shared_packet_is_not_written(void **state)
{
	uint8_t frame[500], in[2048];
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "shared", RIG_LINUX, 1);
	unsigned buffers = rig_buffers();
	struct rte_mbuf *pkt, *clone;

	tcp_frame(frame, sizeof(frame));
	pkt = chain_of(frame, sizeof(frame), RTE_MBUF_F_TX_TCP_CKSUM);
	rte_mbuf_refcnt_update(pkt, 1);
	assert_int_equal(vhost_user_driver.tx_burst(dev, 0, &pkt, 1), 1);
	assert_int_equal(vhost_master_receive(&m, 0, NULL, in, sizeof(in)), sizeof(frame));
	assert_memory_equal(in, frame, sizeof(frame));
	assert_memory_equal(rte_pktmbuf_mtod(pkt, void *), frame, sizeof(frame));
	assert_int_equal(rte_mbuf_refcnt_read(pkt), 1);

	clone = rte_pktmbuf_clone(pkt, port_env.pool);
	assert_non_null(clone);
	assert_int_equal(vhost_user_driver.tx_burst(dev, 0, &clone, 1), 1);
	assert_int_equal(vhost_master_receive(&m, 0, NULL, in, sizeof(in)), sizeof(frame));
	assert_memory_equal(rte_pktmbuf_mtod(pkt, void *), frame, sizeof(frame));
	rte_pktmbuf_free(pkt);
	assert_int_equal(rig_buffers(), buffers);
	rig_close(dev);
	vhost_master_free(&m);
}

/* What is not taken is the caller's, and as it was. */
static void check_unsent(struct port_dev *dev, const uint8_t *frame, size_t len, uint64_t flags)
{
	struct rte_mbuf *pkt = chain_of(frame, len, flags);
	uint16_t segments = pkt->nb_segs, first = pkt->data_len;

	assert_int_equal(vhost_user_driver.tx_burst(dev, 0, &pkt, 1), 0);
	assert_int_equal(pkt->nb_segs, segments);
	assert_int_equal(pkt->data_len, first);
	assert_int_equal(pkt->pkt_len, len);
	assert_int_equal(rte_mbuf_refcnt_read(pkt), 1);
	assert_memory_equal(rte_pktmbuf_mtod(pkt, void *), frame, RTE_MIN(len, (size_t)CKSUM));
	rte_pktmbuf_free(pkt);
}

static void test_unsent_packet_stays_the_callers(void **state)
{
	static uint8_t frame[20000];
	struct rte_mbuf *all[RIG_BUFFERS];
	struct vhost_master m;
	struct port_dev *dev = rig_client(&m, "full");
	unsigned buffers = rig_buffers(), n = 0;

	m.rings[0].next_avail = 1; /* so that start() leaves the ring empty */
	assert_int_equal(vhost_master_start(&m, RIG_LINUX, 1), 0);
	rig_until(atomic_load(&dev->tx_ready) == 1);
	tcp_frame(frame, sizeof(frame));
	check_unsent(dev, frame, sizeof(frame), tso_flags);
	check_unsent(dev, frame, 1000, RTE_MBUF_F_TX_TCP_CKSUM);
	check_unsent(dev, frame, 1000, 0);

	/* Nor is there anything to shield it with. */
	m.rings[0].next_avail = 0;
	vhost_master_fill(&m, 0);
	struct rte_mbuf *pkt = chain_of(frame, sizeof(frame), tso_flags);
	while ((all[n] = rte_pktmbuf_alloc(port_env.pool)) != NULL)
		n++;
	assert_int_equal(vhost_user_driver.tx_burst(dev, 0, &pkt, 1), 0);
	rte_pktmbuf_free_bulk(all, n);
	assert_int_equal(vhost_user_driver.tx_burst(dev, 0, &pkt, 1), 1);
	assert_int_equal(rig_buffers(), buffers);
	rig_close(dev);
	vhost_master_free(&m);
}

/* What the guest leaves open is told to the switch. */
static void test_guests_open_checksums_and_tso_are_told(void **state)
{
	static uint8_t frame[60000];
	struct virtio_net_hdr_mrg_rxbuf header = {
		.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16}};
	struct vhost_master m;
	struct port_dev *dev = rig_started(&m, "open", RIG_LINUX, 1);
	struct rte_mbuf *pkt;

	tcp_frame(frame, sizeof(frame));
	assert_int_equal(vhost_master_transmit(&m, 0, &header, frame, 1000), 0);
	pkt = rig_take(dev, 0);
	assert_int_equal(pkt->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_NONE);
	assert_int_equal(pkt->ol_flags & RTE_MBUF_F_RX_LRO, 0);
	rte_pktmbuf_free(pkt);

	header.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	header.hdr.gso_size = SEGMENT;
	header.hdr.hdr_len = HEADERS;
	assert_int_equal(vhost_master_transmit(&m, 0, &header, frame, sizeof(frame)), 0);
	pkt = rig_take(dev, 0);
	assert_true(pkt->ol_flags & RTE_MBUF_F_RX_LRO);
	assert_int_equal(pkt->tso_segsz, SEGMENT);
	assert_int_equal(pkt->pkt_len, sizeof(frame));
	assert_true(pkt->nb_segs > 1);
	rte_pktmbuf_free(pkt);
	rig_close(dev);
	vhost_master_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_1_guest_dies_under_traffic),
		cmocka_unit_test(test_2_9_port_is_deleted_with_its_guest),
		cmocka_unit_test(test_3_4_toggling_guest_costs_the_others_nothing),
		cmocka_unit_test(test_10_memory_changes_under_traffic),
		cmocka_unit_test(test_tso_reaches_the_guest_as_it_is),
		cmocka_unit_test(test_shared_packet_is_not_written),
		cmocka_unit_test(test_unsent_packet_stays_the_callers),
		cmocka_unit_test(test_guests_open_checksums_and_tso_are_told),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
