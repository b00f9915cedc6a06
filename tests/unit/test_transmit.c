/* The way out: full, slow and absent receivers, queues, MTU, and what is completed in software. */
#include "switch_rig.h"

#define PORT(name) "  - {name: " #name ", network: n, kernel: {interface: " #name "}}\n"

static uint8_t frame[RIG_FRAME_LEN];

static int start_eal(void **state)
{
	return rig_eal("test_transmit", "256");
}

/* a to c; b's MAC is 2, and known. */
static void start_three(void)
{
	rig_start("networks: [{name: n}]\nports:\n" PORT(
		a) "  - {name: b, network: n, kernel: {interface: b}, mac: "
		   "\"02:00:00:00:00:02\"}\n" PORT(c));
}

static void put_many(const char *name, uint32_t dst, uint32_t src, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rig_put(name, rig_frame(frame, dst, src, i), RIG_FRAME_LEN);
}

static void test_full(void **state)
{
	struct rig_dev *b;

	start_three();
	b = rig_port("b");
	b->room = 10;
	put_many("a", 2, 1, 25);
	rig_settle();
	assert_int_equal(b->n_record, 10);
	assert_int_equal(b->sent[9].id, 9);
	assert_int_equal(rig_drops("b", DROP_tx_full), 15);
	assert_int_equal(rig_count("b").offered, 25);
	assert_int_equal(rig_count("b").sent, 10);
	assert_int_equal(rig_count("b").sent_bytes, 10 * RIG_FRAME_LEN);
	/* What a full receiver loses was delivered all the same: it is the receiver's loss. */
	assert_int_equal(rig_count("a").delivered, 25);
	/* And costs two calls, however often it may be tried again. */
	assert_int_equal(b->tx_calls, 2);
}

/* A full receiver takes nothing from the others. */
static void test_full_among_others(void **state)
{
	start_three();
	rig_port("b")->room = 0;
	put_many("a", RIG_BROADCAST, 1, 20);
	rig_settle();
	assert_int_equal(rig_take("c"), 20);
	assert_int_equal(rig_drops("b", DROP_tx_full), 20);
	assert_int_equal(rig_drops("c", DROP_tx_full), 0);
}

/* A receiver that takes one frame a call is asked no more often than its port allows. */
static void test_slow(void **state)
{
	struct rig_dev *b;

	rig_start("networks: [{name: n}]\nports:\n" PORT(
		a) "  - {name: b, network: n, kernel: {interface: b}, mac: "
		   "\"02:00:00:00:00:02\", tx-retries: 5}\n");
	b = rig_port("b");
	b->per_call = 1;
	put_many("a", 2, 1, 20);
	rig_settle();
	assert_int_equal(b->tx_calls, 6);
	assert_int_equal(rig_count("b").sent, 6);
	assert_int_equal(rig_drops("b", DROP_tx_full), 14);
}

static void test_not_ready(void **state)
{
	start_three();
	rig_port("b")->dev.tx_ready = 0;
	put_many("a", 2, 1, 3);
	rig_settle();
	assert_int_equal(rig_drops("b", DROP_tx_not_ready), 3);
	assert_int_equal(rig_port("b")->tx_calls, 0);
	rig_send("a", RIG_BROADCAST, 1, 7);
	rig_expect("c", 7);
}

/* What is not ready is not polled either. */
static void test_rx_not_ready(void **state)
{
	start_three();
	rig_port("a")->dev.rx_ready = 0;
	rig_send("a", 2, 1, 1);
	rig_expect("", 0);
	rig_port("a")->dev.rx_ready = 1;
	rig_settle();
	rig_expect("b", 1);
}

static void test_mtu(void **state)
{
	static uint8_t long_frame[14 + 1501];

	start_three();
	rig_frame(long_frame, RIG_BROADCAST, 1, 0);
	rig_port("b")->dev.mtu = 1500;
	rig_port("c")->dev.mtu = 9000;
	rig_put("a", long_frame, 14 + 1500);
	rig_settle();
	assert_int_equal(rig_take("b"), 1);
	assert_int_equal(rig_take("c"), 1);
	rig_put("a", long_frame, 14 + 1501);
	rig_settle();
	assert_int_equal(rig_take("b"), 0);
	assert_int_equal(rig_take("c"), 1);
	assert_int_equal(rig_drops("b", DROP_tx_mtu), 1);
}

/* The network's MTU may be raised while the ports stay as they are. */
static void test_mtu_changes(void **state)
{
	static uint8_t long_frame[14 + 4000];
	struct rig_dev *b;

	start_three();
	b = rig_port("b");
	rig_frame(long_frame, 2, 1, 0);
	rig_put("a", long_frame, sizeof(long_frame));
	rig_settle();
	assert_int_equal(rig_drops("b", DROP_tx_mtu), 1);
	rig_apply("networks: [{name: n, mtu: 4000}]\nports:\n" PORT(
		a) "  - {name: b, network: n, kernel: {interface: b}, mac: "
		   "\"02:00:00:00:00:02\"}\n" PORT(c));
	assert_ptr_equal(rig_port("b"), b);
	rig_put("a", long_frame, sizeof(long_frame));
	rig_settle();
	assert_int_equal(rig_take("b"), 1);
}

/* A TSO packet as a guest sends it: to MAC 2, of n bytes of payload. */
static struct rte_mbuf *tso(struct frame *f, uint32_t n, uint16_t segment)
{
	struct frame_spec spec = {
		.proto = TCP, .tcp_flags = TCP_ACK, .payload = n, .partial = true};
	struct rte_mbuf *m;

	frame_build(f, &spec);
	rig_mac(f->data, 2);
	rig_mac(f->data + 6, 1);
	m = frames_mbuf(port_env.pool, f->data, f->len, 2000, 2000);
	m->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
	m->tso_segsz = segment;
	return m;
}

static void test_tso_whole(void **state)
{
	static struct frame f;

	start_three();
	rig_put_mbuf("a", 0, tso(&f, 60000, 1448));
	rig_settle();
	assert_int_equal(rig_take("b"), 1);
	assert_int_equal(rig_count("b").sent_bytes, f.len);
	assert_int_equal(rig_count("a").copies, 0);
	assert_memory_equal(rig_port("b")->last, f.data, f.len);
}

/* Segments count as copies, and the ledger adds up. */
static void test_tso_cut(void **state)
{
	static struct frame f;
	struct rig_dev *b;

	start_three();
	b = rig_port("b");
	b->dev.tx_caps = 0;
	rig_send("a", 2, 1, 1);
	rig_put_mbuf("a", 0, tso(&f, 60000, 1448));
	put_many("a", 2, 1, 3);
	rig_settle();
	assert_int_equal(b->n_record, 1 + 42 + 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(b->sent[43 + i].id, i);
	for (unsigned i = 0; i < 42; i++)
		assert_int_equal(b->sent[1 + i].len, 54 + (i < 41 ? 1448 : 60000 - 41 * 1448));
	assert_int_equal(rig_count("b").sent, 46);
	assert_int_equal(rig_count("b").copies, 41);
}

/* The same packet whole for one, cut for another, and neither sees what the other gets. */
static void test_tso_shared(void **state)
{
	static struct frame f;
	struct rte_mbuf *m;

	start_three();
	rig_port("b")->dev.tx_caps = 0;
	m = tso(&f, 30000, 1000);
	memset(f.data, 0xff, 6);
	memset(rte_pktmbuf_mtod(m, void *), 0xff, 6);
	rig_put_mbuf("a", 0, m);
	rig_settle();
	assert_int_equal(rig_take("b"), 30);
	assert_true(frame_checksums_ok(rig_port("b")->last, 14));
	assert_int_equal(rig_take("c"), 1);
	assert_memory_equal(rig_port("c")->last, f.data, f.len);
}

static void test_bad_offload(void **state)
{
	static struct frame f;

	start_three();
	rig_put_mbuf("a", 0, tso(&f, 60000, 0));
	rig_settle();
	assert_int_equal(rig_drops("a", DROP_offload_invalid), 1);
	/* More segments than a bulk transfer has. */
	rig_port("b")->dev.tx_caps = 0;
	rig_put_mbuf("a", 0, tso(&f, 60000, 1));
	rig_settle();
	assert_int_equal(rig_drops("b", DROP_tx_offload), 1);
	rig_expect("", 0);
}

/* No buffer left to complete a packet in: it is lost, and no other. */
static void test_no_buffer(void **state)
{
	static struct rte_mbuf *all[65536];
	static struct frame f;
	unsigned n = 0;

	start_three();
	rig_port("b")->dev.tx_caps = 0;
	rig_put_mbuf("a", 0, tso(&f, 60000, 1448));
	put_many("a", 2, 1, 2);
	while (n < RTE_DIM(all) && (all[n] = rte_pktmbuf_alloc(port_env.pool)) != NULL)
		n++;
	rig_settle();
	rte_pktmbuf_free_bulk(all, n);
	assert_int_equal(rig_take("b"), 2);
	assert_int_equal(rig_drops("b", DROP_tx_no_buffer), 1);
	assert_int_equal(rig_count("b").offered, 3);
}

/* A flow stays on one queue, flows spread over those that are ready, over no others. */
static void test_queues(void **state)
{
	unsigned per_queue[8] = {0};
	struct rig_dev *b;

	rig_start("networks: [{name: n}]\nports:\n" PORT(
		a) "  - {name: b, network: n, vhost-user: {socket: /tmp/b, queues: 8}, "
		   "mac: \"02:00:00:00:00:02\"}\n");
	b = rig_port("b");
	b->dev.tx_ready = 0x16; /* 1, 2 and 4 */
	for (unsigned i = 0; i < 300; i++)
		for (unsigned again = 0; again < 2; again++)
			rig_put("a", rig_udp(frame, 2, 1, 53, 1000 + i, i), RIG_FRAME_LEN);
	rig_settle();
	assert_int_equal(b->n_record, 600);
	for (unsigned i = 0; i < 600; i++)
		per_queue[b->sent[i].queue]++;
	assert_int_equal(per_queue[1] + per_queue[2] + per_queue[4], 600);
	for (unsigned q = 1; q <= 4; q += q)
		assert_in_range(per_queue[q], 120, 280);
	for (unsigned i = 0; i < 600; i++)
		for (unsigned j = 0; j < i; j++)
			if (b->sent[i].id == b->sent[j].id)
				assert_int_equal(b->sent[i].queue, b->sent[j].queue);
}

/* All queues of a port are polled. */
static void test_rx_queues(void **state)
{
	rig_start("networks: [{name: n}]\nports:\n" PORT(
		a) "  - {name: b, network: n, vhost-user: {socket: /tmp/b, queues: 4}}\n");
	for (unsigned q = 0; q < 4; q++)
		rig_put_mbuf("b", q,
			frames_mbuf(port_env.pool, rig_frame(frame, RIG_BROADCAST, 2, q),
				RIG_FRAME_LEN, 0, 0));
	rig_settle();
	assert_int_equal(rig_take("a"), 4);
}

/* What a driver took and dropped later was not sent: not by the port, not in all. */
static void test_late_drops(void **state)
{
	struct port_counters count;
	json_t *ledger;

	start_three();
	put_many("a", 2, 1, 10);
	rig_settle();
	rig_port("b")->dev.tx_late_drops = 4;
	count = rig_count("b");
	assert_int_equal(count.sent, 6);
	assert_int_equal(count.drops[DROP_tx_full], 4);
	/* It stays so when the port is opened anew, and when it goes; more may be dropped then. */
	rig_port("b")->queued = 1;
	rig_apply("networks: [{name: n}]\nports:\n" PORT(
		a) "  - {name: b, network: n, kernel: {interface: b2}, mac: "
		   "\"02:00:00:00:00:02\"}\n" PORT(c));
	assert_int_equal(rig_port("b")->dev.tx_late_drops, 0);
	assert_int_equal(rig_count("b").sent, 5);
	rig_port("b")->dev.tx_late_drops = 2;
	rig_apply("networks: [{name: n}]\nports:\n" PORT(a) PORT(c));
	ledger = switch_ledger();
	assert_int_equal(json_integer_value(json_object_get(ledger, "sent")), 3);
	assert_int_equal(json_integer_value(json_object_get(ledger, "dropped_out")), 7);
	json_decref(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_full),
		RIG_TEST(test_full_among_others),
		RIG_TEST(test_slow),
		RIG_TEST(test_not_ready),
		RIG_TEST(test_rx_not_ready),
		RIG_TEST(test_mtu),
		RIG_TEST(test_mtu_changes),
		RIG_TEST(test_tso_whole),
		RIG_TEST(test_tso_cut),
		RIG_TEST(test_tso_shared),
		RIG_TEST(test_bad_offload),
		RIG_TEST(test_no_buffer),
		RIG_TEST(test_queues),
		RIG_TEST(test_rx_queues),
		RIG_TEST(test_late_drops),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
