/* Workers as threads: starting and stopping, changes under traffic, sleeping and waking. */
#include "switch_rig.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define PORT(name) "  - {name: " #name ", network: n, kernel: {interface: " #name "}}\n"

static unsigned cores[2], n_cores;

static int start_eal(void **state)
{
	cpu_set_t set;

	if (rig_eal("test_workers", "256") != 0 || sched_getaffinity(0, sizeof(set), &set) != 0)
		return -1;
	for (unsigned core = 0; core < CPU_SETSIZE && n_cores < RTE_DIM(cores); core++)
		if (CPU_ISSET(core, &set))
			cores[n_cores++] = core;
	return 0;
}

static int begin(void **state)
{
	rig_begin(state);
	rig.threads = true;
	rig.record = false;
	return 0;
}

/* A document with as many workers as there are cores, up to two. */
static const char *document(const char *rest)
{
	static char text[4][4096];
	static unsigned turn;
	char *to = text[turn++ % 4];

	if (n_cores == 2)
		snprintf(to, sizeof(text[0]), "vswitch: {workers: [%u, %u]}\n%s", cores[0],
			cores[1], rest);
	else
		snprintf(to, sizeof(text[0]), "vswitch: {workers: [%u]}\n%s", cores[0], rest);
	return to;
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* Waits for a condition for as long as any machine may take, and fails then. */
#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		for (unsigned naps = 0; !(condition); naps++) {                                    \
			if (naps == 100000)                                                        \
				fail_msg("never: %s", #condition);                                 \
			nap();                                                                     \
		}                                                                                  \
	} while (0)

static void test_start_and_stop(void **state)
{
	uint8_t frame[RIG_FRAME_LEN];

	for (unsigned i = 0; i < 50; i++) {
		rig.opened = rig.closed = 0;
		rig_start(document("networks: [{name: n}]\nports:\n" PORT(a) PORT(b)));
		/* Every other time without a packet, or with one under way. */
		if (i % 2 == 0)
			rig_put("a", rig_frame(frame, RIG_BROADCAST, 1, i), RIG_FRAME_LEN);
		if (i % 4 == 0)
			WAIT_FOR(rig_port("b")->n_sent == 1);
		/* What waits at a port is the port's, and what is polled is delivered. */
		switch_stop();
		assert_int_equal(rig.opened, rig.closed);
		assert_int_equal(rig_heap(), rig.heap);
	}
}

/* Frames of one flow from a to b, put in by a thread of its own. */
struct source {
	struct rig_dev *from, *to;
	_Atomic bool stop;
	unsigned put;
};

static void *feed(void *arg)
{
	struct source *source = arg;
	uint8_t frame[RIG_FRAME_LEN];

	while (!source->stop) {
		struct rte_mbuf *m;

		/* As fast as they are polled: where another worker is behind, that is its pace. */
		if (rte_ring_count(source->from->rx[0]) >= 512) {
			sched_yield();
			continue;
		}
		rig_udp(frame, 2, 1, 445, 1000, source->put);
		m = frames_mbuf(port_env.pool, frame, RIG_FRAME_LEN, 0, 0);
		m->port = source->from->dev.id;
		rte_ring_sp_enqueue(source->from->rx[0], m);
		source->put++;
		atomic_thread_fence(memory_order_seq_cst);
		if (source->from->armed[0])
			port_env.wake(&source->from->dev);
	}
	return NULL;
}

static pthread_t start_feeding(struct source *source)
{
	pthread_t thread;

	source->from = rig_port("a");
	source->to = rig_port("b");
	assert_int_equal(pthread_create(&thread, NULL, feed, source), 0);
	return thread;
}

/* Stops the source, and waits until all that it put in has come out at b. */
static void expect_all(struct source *source, pthread_t thread)
{
	source->stop = true;
	pthread_join(thread, NULL);
	assert_true(source->put > 0);
	WAIT_FOR(source->to->n_sent >= source->put);
	assert_int_equal(source->to->n_sent, source->put);
	assert_int_equal(rig_count("a").received, source->put);
	assert_int_equal(rig_count("a").delivered, source->put);
}

#define A_TO_B                                                                                     \
	PORT(a)                                                                                    \
	"  - {name: b, network: n, kernel: {interface: b}, mac: \"02:00:00:00:00:02\"}\n"

/* Configurations that leave a and b as they are, and all else not. */
static const char *const changes[] = {
	"networks: [{name: n}]\nports:\n" A_TO_B,
	"networks: [{name: n}, {name: o}]\nports:\n" A_TO_B PORT(
		c) "  - {name: x, network: o, kernel: {interface: x}}\n",
	"networks: [{name: o}, {name: n, mac-age: 10s}]\nports:\n"
	"  - {name: x, network: n, kernel: {interface: x}}\n" A_TO_B PORT(c),
	"networks: [{name: n, mac-limit: 100}]\nports:\n"
	"  - {name: x, network: n, kernel: {interface: y}, mac: \"02:00:00:00:00:07\"}\n" A_TO_B,
};

static void test_changes_under_traffic(void **state)
{
	struct source source = {0};
	pthread_t thread;

	rig_start(document(changes[0]));
	thread = start_feeding(&source);
	for (unsigned i = 0; i < 400; i++)
		rig_apply(document(changes[i % RTE_DIM(changes)]));
	expect_all(&source, thread);
	rig_stop();
}

/* Queues and homes go round the workers, with all that is in the table. */
static void test_moves_under_traffic(void **state)
{
	struct source source = {0};
	struct fdb_stats stats;
	pthread_t thread;
	char err[128];

	rig.linger = true;
	rig_start(document("networks: [{name: n}]\nports:\n" PORT(a) PORT(b)));
	/* So that b's address is a learned one. */
	{
		uint8_t frame[RIG_FRAME_LEN];

		rig_put("b", rig_frame(frame, RIG_BROADCAST, 2, 0), RIG_FRAME_LEN);
		WAIT_FOR(rig_port("a")->n_sent == 1);
	}
	thread = start_feeding(&source);
	for (unsigned i = 0; i < 300; i++) {
		unsigned core = cores[i / 2 % n_cores];

		if (i % 2 == 0)
			assert_int_equal(switch_move_queue("a", 0, core, err, sizeof(err)), 0);
		else
			assert_int_equal(switch_move_network("n", core, err, sizeof(err)), 0);
	}
	expect_all(&source, thread);
	fdb_stats(switch_find_network("n")->fdb, &stats);
	assert_int_equal(stats.entries, 2);
	rig_stop();
}

/* Its state is read all the while: no lock, and no harm. */
static void test_questions_under_traffic(void **state)
{
	struct source source = {0};
	pthread_t thread;

	rig_start(document(changes[1]));
	thread = start_feeding(&source);
	for (unsigned i = 0; i < 300; i++) {
		json_decref(switch_ports(NULL));
		json_decref(switch_networks(NULL));
		json_decref(switch_workers());
		json_decref(switch_worker_stats(i % 10 == 0));
		json_decref(switch_fdb(NULL, NULL));
		json_decref(switch_fdb_moves(NULL));
		json_decref(switch_ledger());
		assert_int_equal(switch_fdb_flush("n", NULL, (char[64]){0}, 64), 0);
	}
	expect_all(&source, thread);
	rig_stop();
}

/* CPU time of a worker's thread, in ns. */
static uint64_t cpu_time(const struct worker *w)
{
	struct timespec ts;
	clockid_t clock;

	assert_int_equal(pthread_getcpuclockid(w->thread, &clock), 0);
	assert_int_equal(clock_gettime(clock, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static bool all_sleep(void)
{
	for (unsigned i = 0; i < n_workers; i++)
		if (!workers[i]->sleeping || !rig_port("a")->armed[0])
			return false;
	return true;
}

static uint64_t sleeps(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < n_workers; i++)
		n += counter_read(&workers[i]->stats.sleeps);
	return n;
}

/*
 * Puts frames in at a, each when all workers sleep. Where nobody is woken they wait for the end of
 * the sleep, a quarter of a second: most of them have to be out long before.
 */
static void check_waking(unsigned *n)
{
	uint8_t frame[RIG_FRAME_LEN];
	unsigned late = 0;

	for (unsigned i = 0; i < 20; i++) {
		uint64_t start;

		WAIT_FOR(all_sleep());
		start = rte_rdtsc();
		rig_put("a", rig_frame(frame, RIG_BROADCAST, 1, i), RIG_FRAME_LEN);
		++*n;
		WAIT_FOR(rig_port("b")->n_sent == *n);
		late += rte_rdtsc() - start > rig.hz / 10;
	}
	assert_true(late < 10);
}

/* Quiet workers cost next to nothing, and the first packet wakes whom it concerns. */
static void check_sleep(bool use_fd)
{
	uint64_t cpu = 0, start, before;
	unsigned n = 0;

	rig.use_fd = use_fd;
	rig_start(document("networks: [{name: n}]\nports:\n" PORT(a) PORT(b) PORT(c)));
	check_waking(&n);
	WAIT_FOR(rig_port("c")->n_sent == n);
	WAIT_FOR(all_sleep());
	for (unsigned i = 0; i < n_workers; i++)
		cpu -= cpu_time(workers[i]);
	before = sleeps();
	start = rte_rdtsc();
	WAIT_FOR(sleeps() >= before + 4 * n_workers);
	for (unsigned i = 0; i < n_workers; i++)
		cpu += cpu_time(workers[i]);
	/* A tenth of what polling would have cost; it is a thousandth where nothing disturbs. */
	assert_true(cpu < (rte_rdtsc() - start) * 1e9 / rig.hz / 10);
	assert_true(switch_workers_alive());
	rig_stop();
}

static void test_sleep_with_wake(void **state)
{
	check_sleep(false);
}

static void test_sleep_with_descriptors(void **state)
{
	check_sleep(true);
}

/* A packet for another worker wakes that one too. */
static void test_handover_wakes(void **state)
{
	unsigned n = 0;
	char err[128];

	if (n_cores < 2)
		skip();
	rig_start(document("networks: [{name: n}]\nports:\n" PORT(a) PORT(b)));
	assert_int_equal(switch_move_network("n", cores[0], err, sizeof(err)), 0);
	assert_int_equal(switch_move_queue("a", 0, cores[1], err, sizeof(err)), 0);
	check_waking(&n);
	rig_stop();
}

/*
 * A port opened anew counts its queues' generations from the start again; its descriptor must be
 * watched all the same, or packets would wait for the end of the sleep.
 */
static void test_opened_anew(void **state)
{
	uint8_t frame[RIG_FRAME_LEN];
	unsigned late = 0;

	rig.use_fd = rig.down = true;
	rig_start(document("networks: [{name: n}]\nports:\n" PORT(a) PORT(b)));
	for (unsigned i = 0; i < 20; i++) {
		uint64_t before;

		rig_apply(document(
			i % 2 ? "networks: [{name: n}]\nports:\n" PORT(a) PORT(b)
			      : "networks: [{name: n}]\nports:\n"
				"  - {name: a, network: n, kernel: {interface: a2}}\n" PORT(b)));
		/* Its far end comes up later, as a guest does. */
		WAIT_FOR(workers[0]->sleeping && workers[n_workers - 1]->sleeping);
		rig_port("a")->dev.rx_generation++;
		rig_port("a")->dev.rx_ready = 1;
		port_env.wake(&rig_port("a")->dev);
		WAIT_FOR(all_sleep());
		before = rte_rdtsc();
		rig_put("a", rig_frame(frame, RIG_BROADCAST, 1, i), RIG_FRAME_LEN);
		WAIT_FOR(rig_port("b")->n_sent == i + 1);
		late += rte_rdtsc() - before > rig.hz / 10;
	}
	/* The sleep ends by itself after a quarter of a second. */
	assert_true(late < 10);
	rig_stop();
}

/* A waiting worker holds up nobody who waits for workers. */
static void test_synchronize_beside_sleepers(void **state)
{
	uint64_t start;

	rig_start(document("networks: [{name: n}]\nports:\n" PORT(a) PORT(b)));
	WAIT_FOR(all_sleep());
	start = rte_rdtsc();
	for (unsigned i = 0; i < 1000; i++)
		port_env.synchronize();
	/* Were each to wait for a sleep to end, it would be minutes. */
	assert_true(rte_rdtsc() - start < 20 * rig.hz);
	rig_stop();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, rig_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start_and_stop),
		TEST(test_changes_under_traffic),
		TEST(test_moves_under_traffic),
		TEST(test_questions_under_traffic),
		TEST(test_sleep_with_wake),
		TEST(test_sleep_with_descriptors),
		TEST(test_handover_wakes),
		TEST(test_opened_anew),
		TEST(test_synchronize_beside_sleepers),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
