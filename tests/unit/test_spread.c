/* Networks spread over several workers, stepped: whose packet is it, and how does it get there. */
#include "switch_rig.h"

#include "handover.h"
#include "transmit.h"

#define PORT(name) "  - {name: " #name ", network: n, kernel: {interface: " #name "}}\n"
#define FOUR       "vswitch: {workers: [10, 11, 12, 13]}\n"
#define SPREAD     FOUR "networks: [{name: n, workers: 4, home: 11}]\n"

static uint8_t frame[RIG_FRAME_LEN];

static int start_eal(void **state)
{
	return rig_eal("test_spread", "256");
}

/* How many packets of port worker w has delivered. */
static uint64_t delivered_by(unsigned w, const char *port)
{
	return workers[w]->counters[rig_port(port)->dev.id].delivered;
}

/* The worker that alone has delivered packets of a and b since the counts in before. */
static unsigned only_owner(uint64_t before[MAX_WORKERS])
{
	unsigned owner = MAX_WORKERS;

	for (unsigned w = 0; w < n_workers; w++) {
		uint64_t n = delivered_by(w, "a") + delivered_by(w, "b");

		if (n == before[w])
			continue;
		assert_int_equal(owner, MAX_WORKERS);
		owner = w;
		before[w] = n;
	}
	assert_int_not_equal(owner, MAX_WORKERS);
	return owner;
}

static void put_udp(
	const char *port, uint32_t dst, uint32_t src, uint16_t dport, uint16_t sport, uint32_t id)
{
	rig_put(port, rig_udp(frame, dst, src, dport, sport, id), RIG_FRAME_LEN);
	rig_settle();
}

/* A packet in two fragments. */
static void put_fragments(const char *port, uint32_t dst, uint32_t src, uint16_t id)
{
	enum { PAYLOAD = 400 };
	uint8_t fragment[14 + 20 + PAYLOAD] = {0};

	for (unsigned i = 0; i < 2; i++) {
		rig_udp(fragment, dst, src, 445, 50000, 0);
		put16(fragment + 14 + 2, 20 + PAYLOAD);
		put16(fragment + 14 + 4, id);
		put16(fragment + 14 + 6, i == 0 ? 0x2000 : PAYLOAD / 8);
		put16(fragment + 14 + 24, 2 * PAYLOAD); /* of the whole */
		rig_put(port, fragment, sizeof(fragment));
	}
	rig_settle();
}

/* Both directions, all ports and fragments of two addresses belong to one worker. */
static void check_owners(const char *text, unsigned n)
{
	uint64_t before[MAX_WORKERS] = {0};
	unsigned owned[MAX_WORKERS] = {0};

	rig_start(text);
	for (unsigned i = 0; i < 64; i++) {
		uint32_t x = 1000 + i, y = 2000 + i * 7;
		unsigned owner;

		rig_send("a", RIG_BROADCAST, x, 0);
		rig_send("b", RIG_BROADCAST, y, 0);
		rig_take("a");
		rig_take("b");
		rig_take("c");
		for (unsigned w = 0; w < n_workers; w++)
			before[w] = delivered_by(w, "a") + delivered_by(w, "b");
		put_udp("a", y, x, 445, 50000, 1);
		rig_expect("b", 1);
		owner = only_owner(before);
		put_udp("b", x, y, 50000, 445, 2);
		rig_expect("a", 2);
		assert_int_equal(only_owner(before), owner);
		put_udp("a", y, x, 446, 50000 + i, 3);
		rig_expect("b", 3);
		assert_int_equal(only_owner(before), owner);
		put_fragments("a", y, x, 4 + i);
		assert_int_equal(rig_take("b"), 2);
		assert_int_equal(only_owner(before), owner);
		owned[owner]++;
	}
	for (unsigned w = 0; w < n; w++)
		assert_in_range(owned[(1 + w) % 4], 64 / n / 4, 64);
	for (unsigned w = n; w < 4; w++)
		assert_int_equal(owned[(1 + w) % 4], 0);
}

static void test_owners_of_four(void **state)
{
	check_owners(SPREAD "ports:\n" PORT(a) PORT(b) PORT(c), 4);
}

static void test_owners_of_three(void **state)
{
	check_owners(FOUR "networks: [{name: n, workers: 3, home: 11}]\nports:\n" PORT(a) PORT(b)
			     PORT(c),
		3);
}

static void test_owners_of_two(void **state)
{
	check_owners(FOUR "networks: [{name: n, workers: 2, home: 11}]\nports:\n" PORT(a) PORT(b)
			     PORT(c),
		2);
}

static void test_owner_alone(void **state)
{
	check_owners(FOUR "networks: [{name: n, home: 11}]\nports:\n" PORT(a) PORT(b) PORT(c), 1);
}

/* Queues are polled where the network's packets are owned, and spread over those workers. */
static void test_pollers(void **state)
{
	unsigned polled[4] = {0};

	rig_start(FOUR "networks: [{name: n, workers: 2, home: 13}]\nports:\n"
		       "  - {name: a, network: n, vhost-user: {socket: /tmp/a, queues: 8}}\n");
	for (unsigned w = 0; w < 4; w++)
		polled[w] = snapshot_current()->plans[w].n_queues;
	assert_int_equal(polled[3], 4);
	assert_int_equal(polled[0], 4);
	assert_int_equal(polled[1] + polled[2], 0);
}

/* Learning and flooding are the home's alone: it has the table and the meters. */
static void test_home(void **state)
{
	struct fdb_stats stats;

	rig_start(SPREAD "ports:\n" PORT(a)
			PORT(b) "  - {name: c, network: n, kernel: {interface: c}, "
				"storm: {broadcast: 100}}\n");
	for (uint32_t i = 0; i < 200; i++) {
		rig_put("a", rig_udp(frame, RIG_BROADCAST, 1000 + i, 67, 68, i), RIG_FRAME_LEN);
		rig_settle();
		rig_expect("bc", i);
	}
	for (unsigned w = 0; w < 4; w++)
		assert_int_equal(delivered_by(w, "a"), w == 1 ? 200 : 0);
	fdb_stats(switch_find_network("n")->fdb, &stats);
	assert_int_equal(stats.learned, 200);
	/* Known to all, wherever their packets are owned. */
	for (uint32_t i = 0; i < 200; i++) {
		put_udp("b", 1000 + i, 9, 1, 2, i);
		rig_expect("a", i);
	}
	for (uint32_t i = 0; i < 100; i++)
		rig_put("c", rig_udp(frame, RIG_BROADCAST, 5000 + i, 67, 68, i), RIG_FRAME_LEN);
	rig_settle();
	assert_int_equal(rig_take("a"), 25);
	assert_int_equal(rig_drops("c", DROP_storm_broadcast), 75);
}

/* Configured MACs are not learned on the way through another worker, nor accepted from others. */
static void test_configured_macs(void **state)
{
	rig_start(SPREAD "ports:\n" PORT(a)
			PORT(b) "  - {name: v, network: n, kernel: {interface: v}, mac: "
				"\"02:00:00:00:00:05\"}\n");
	for (uint32_t i = 0; i < 50; i++) {
		put_udp("a", 1000 + i, 5, 1, 2, i);
		rig_expect("", 0);
		put_udp("b", 5, 1000 + i, 1, 2, i);
		rig_expect("v", i);
	}
	assert_int_equal(rig_drops("a", DROP_src_mac_static), 50);
}

/* One that sends from ever new addresses takes nobody's place in the ring to the home worker. */
static void test_address_flood(void **state)
{
	unsigned lost = 0;

	rig_start(SPREAD "ports:\n" PORT(a) PORT(b) PORT(c));
	assert_int_equal(switch_move_queue("a", 0, 10, (char[64]){0}, 64), 0);
	assert_int_not_equal(switch_poller(switch_find_port("c"), 0), 1);
	/* The home worker forwards meanwhile, and comes to learn nothing. */
	rig_send("b", RIG_BROADCAST, 2, 0);
	for (uint32_t i = 0; i < 20000; i++) {
		rig_put("a", rig_udp(frame, 2, 10000 + i, 1, 2, i), RIG_FRAME_LEN);
		for (unsigned w = 0; w < 4; w++)
			if (w != 1)
				worker_pass(workers[w]);
		handover_receive(workers[1]);
		transmit_flush(workers[1]);
	}
	rig_put("c", rig_udp(frame, 2, 7, 1, 2, 0), RIG_FRAME_LEN);
	for (unsigned w = 0; w < 4; w++)
		if (w != 1)
			worker_pass(workers[w]);
	for (unsigned w = 0; w < 4; w++)
		lost += workers[w]->stats.fdb_messages_lost;
	assert_true(lost > 0);
	rig_settle();
	rig_settle();
	rig_take("a");
	rig_take("b");
	rig_take("c");
	put_udp("b", 7, 2, 1, 2, 1);
	rig_expect("c", 1);
}

/* While the owner does not come to it, its packets wait where they came from; none is lost. */
static void test_owner_behind(void **state)
{
	struct worker *poller;

	rig_start(FOUR "networks: [{name: n, home: 11}, {name: o, home: 10}]\nports:\n" PORT(a)
			PORT(b) "  - {name: x, network: o, kernel: {interface: x}}\n"
				"  - {name: y, network: o, kernel: {interface: y}}\n");
	assert_int_equal(switch_move_queue("a", 0, 10, (char[64]){0}, 64), 0);
	poller = workers[0];
	rig_send("b", RIG_BROADCAST, 2, 0);
	rig_take("a");
	for (uint32_t i = 0; i < 2000; i++) {
		rig_put("a", rig_frame(frame, 2, 1, i), RIG_FRAME_LEN);
		worker_pass(poller);
	}
	assert_in_range(rte_ring_count(workers[1]->in[0]), 1023 / 4, 1023 / 4 + BURST);
	/* It may not sleep over what it does not poll, and other networks do not wait. */
	assert_true(poller->chores);
	rig_put("x", rig_frame(frame, RIG_BROADCAST, 7, 5), RIG_FRAME_LEN);
	worker_pass(poller);
	assert_int_equal(rig_take("y"), 1);
	rig_settle();
	assert_false(poller->chores);
	assert_int_equal(rig_take("b"), 2000);
	for (uint32_t i = 0; i < 2000; i++)
		assert_int_equal(rig_port("b")->sent[i].id, i);
}

/* Packets of many buffers: what waits for one worker must not be the pool of all ports. */
static void test_ring_holds_few_buffers(void **state)
{
	static uint8_t large[40 * 60];

	rig_start(FOUR "networks: [{name: n, home: 11, unknown-unicast: drop}]\nports:\n" PORT(a)
			PORT(b));
	assert_int_equal(switch_move_queue("a", 0, 10, (char[64]){0}, 64), 0);
	rig_frame(large, 2, 1, 0);
	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned i = 0; i < BURST; i++)
			rig_put_mbuf(
				"a", 0, frames_mbuf(port_env.pool, large, sizeof(large), 60, 60));
		for (unsigned i = 0; i < 5; i++)
			worker_pass(workers[0]);
		assert_int_equal(rte_ring_count(workers[1]->in[0]), 1023 / 40);
		assert_int_equal(rig_drops("a", DROP_handover_full), round * (BURST - 1023 / 40));
		rig_settle();
		assert_int_equal(rig_drops("a", DROP_unknown_unicast), round * (1023 / 40));
	}
}

/* A port that is gone when its packets come out of a ring: they go nowhere, not to its heir. */
static void test_port_gone(void **state)
{
	rig_start(FOUR "networks: [{name: n, home: 11}, {name: o}]\nports:\n" PORT(a) PORT(b));
	assert_int_equal(switch_move_queue("a", 0, 10, (char[64]){0}, 64), 0);
	for (uint32_t i = 0; i < 10; i++)
		rig_put("a", rig_frame(frame, RIG_BROADCAST, 1, i), RIG_FRAME_LEN);
	worker_pass(workers[0]);
	assert_int_equal(rte_ring_count(workers[1]->in[0]), 10);
	/* Into another network: what is under way belongs to the one before. */
	rig_apply(FOUR "networks: [{name: n, home: 11}, {name: o}]\nports:\n" PORT(
		b) "  - {name: a, network: o, kernel: {interface: a}}\n"
		   "  - {name: x, network: o, kernel: {interface: x}}\n");
	rig_settle();
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_port_gone), 10);
}

static void test_port_removed(void **state)
{
	json_t *ledger;

	rig_start(FOUR "networks: [{name: n, home: 11}]\nports:\n" PORT(a) PORT(b));
	assert_int_equal(switch_move_queue("a", 0, 10, (char[64]){0}, 64), 0);
	for (uint32_t i = 0; i < 10; i++)
		rig_put("a", rig_frame(frame, RIG_BROADCAST, 1, i), RIG_FRAME_LEN);
	worker_pass(workers[0]);
	rig_apply(FOUR "networks: [{name: n, home: 11}]\nports:\n" PORT(b));
	/* Added again under the same name, it is another port. */
	rig_apply(FOUR "networks: [{name: n, home: 11}]\nports:\n" PORT(a) PORT(b));
	rig_settle();
	rig_expect("", 0);
	assert_int_equal(rig_count("a").received, 0);
	ledger = switch_ledger();
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(ledger, "drops"), "port_gone")),
		10);
	json_decref(ledger);
}

/* A flow's packets, put in step by step; every call goes on where the last one ended. */
static uint32_t sent_so_far;

static void put_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rig_put("a", rig_udp(frame, 2, 1, 445, 1000, sent_so_far++), RIG_FRAME_LEN);
}

/* All of them once. A packet still in the old worker's ring may be overtaken by one after the move.
 */
static void expect_all(void)
{
	static bool met[RIG_LOG];
	struct rig_dev *b = rig_port("b");

	memset(met, 0, sizeof(met));
	rig_settle();
	assert_int_equal(b->n_record, sent_so_far);
	for (uint32_t i = 0; i < sent_so_far; i++) {
		assert_true(b->sent[i].id < sent_so_far);
		assert_false(met[b->sent[i].id]);
		met[b->sent[i].id] = true;
	}
}

static void start_flow(void)
{
	rig_start(FOUR "networks: [{name: n, home: 11}]\nports:\n" PORT(
		a) "  - {name: b, network: n, kernel: {interface: b}, mac: "
		   "\"02:00:00:00:00:02\"}\n");
	sent_so_far = 0;
}

static void test_queue_moves(void **state)
{
	char err[128];

	start_flow();
	for (unsigned i = 0; i < 20; i++) {
		unsigned w = switch_poller(switch_find_port("a"), 0);

		put_some(40);
		worker_pass(workers[w]);
		assert_int_equal(switch_move_queue("a", 0, 10 + (w + 1) % 4, err, sizeof(err)), 0);
		assert_int_equal(switch_poller(switch_find_port("a"), 0), (w + 1) % 4);
		put_some(5);
		rig_settle();
	}
	expect_all();
	assert_int_equal(switch_move_queue("a", 1, 10, err, sizeof(err)), -1);
	assert_int_equal(switch_move_queue("a", 0, 14, err, sizeof(err)), -1);
	assert_string_equal(err, "core 14 runs no worker: choose one of 10, 11, 12, 13");
	assert_int_equal(switch_move_queue("x", 0, 10, err, sizeof(err)), -1);
}

/* The MAC table goes along, and what was learned before. */
static void test_home_moves(void **state)
{
	struct network_entry *net;
	struct fdb_stats stats;
	struct fdb *fdb;
	char err[128];

	start_flow();
	net = switch_find_network("n");
	fdb = net->fdb;
	for (unsigned i = 0; i < 20; i++) {
		unsigned home = net->home;

		put_some(40);
		worker_pass(workers[home]);
		assert_int_equal(
			switch_move_network("n", 10 + (home + 1) % 4, err, sizeof(err)), 0);
		assert_int_equal(snapshot_current()->networks[net->index]->home, (home + 1) % 4);
		rig_settle();
		/* Learned by the new home. */
		rig_send("a", 2, 100 + i, sent_so_far++);
		fdb_stats(fdb, &stats);
		assert_int_equal(stats.entries, 1 + i + 1);
	}
	expect_all();
	for (unsigned i = 0; i < 20; i++) {
		rig_send("b", 100 + i, 2, i);
		assert_int_equal(rig_take("a"), 1);
	}
	assert_int_equal(switch_move_network("n", 99, err, sizeof(err)), -1);
	assert_int_equal(switch_move_network("m", 10, err, sizeof(err)), -1);
}

/* A home moved by command stays where it is until the configuration names another one. */
static void test_moved_home_stays(void **state)
{
	char err[128];

	start_flow();
	assert_int_equal(switch_move_network("n", 13, err, sizeof(err)), 0);
	rig_apply(FOUR "networks: [{name: n, home: 11, mac-age: 10s}]\nports:\n" PORT(a) PORT(b));
	assert_int_equal(switch_find_network("n")->home, 3);
	rig_apply(FOUR "networks: [{name: n, home: 12}]\nports:\n" PORT(a) PORT(b));
	assert_int_equal(switch_find_network("n")->home, 2);
}

/* Every queue that changes hands is quietened by its new worker, whatever it met there before. */
static void test_quiet_after_move(void **state)
{
	char err[128];

	start_flow();
	rig_settle();
	for (unsigned i = 0; i < 8; i++) {
		rig_port("a")->armed[0] = true;
		assert_int_equal(switch_move_queue("a", 0, 10 + i % 4, err, sizeof(err)), 0);
		rig_settle();
		assert_false(rig_port("a")->armed[0]);
	}
	/* And so is a port that is opened anew: its driver counts generations from the start. */
	rig_apply(FOUR "networks: [{name: n, home: 11}]\nports:\n"
		       "  - {name: a, network: n, kernel: {interface: a2}}\n" PORT(b));
	rig_port("a")->armed[0] = true;
	rig_settle();
	assert_false(rig_port("a")->armed[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_owners_of_four),
		RIG_TEST(test_owners_of_three),
		RIG_TEST(test_owners_of_two),
		RIG_TEST(test_owner_alone),
		RIG_TEST(test_pollers),
		RIG_TEST(test_home),
		RIG_TEST(test_configured_macs),
		RIG_TEST(test_address_flood),
		RIG_TEST(test_owner_behind),
		RIG_TEST(test_ring_holds_few_buffers),
		RIG_TEST(test_port_gone),
		RIG_TEST(test_port_removed),
		RIG_TEST(test_queue_moves),
		RIG_TEST(test_home_moves),
		RIG_TEST(test_moved_home_stays),
		RIG_TEST(test_quiet_after_move),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
