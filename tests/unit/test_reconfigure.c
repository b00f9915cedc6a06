/*
 * Random walks through configurations. After every step the running switch is what a switch
 * freshly started with that configuration is, and what workers see holds together.
 */
#include "switch_rig.h"

#define STEPS    120
#define NETWORKS 5
#define PORTS    14
#define CORES    4

static char texts[STEPS][16 * 1024];
static json_t *states[STEPS];

static int start_eal(void **state)
{
	return rig_eal("test_reconfigure", "512");
}

static unsigned one_of(unsigned n)
{
	return rte_rand_max(n);
}

static bool one_in(unsigned n)
{
	return one_of(n) == 0;
}

/* Appends to a text of 16 KiB. */
static void add(char *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(char *to, const char *fmt, ...)
{
	size_t len = strlen(to);
	va_list args;

	va_start(args, fmt);
	len += vsnprintf(to + len, sizeof(texts[0]) - len, fmt, args);
	va_end(args);
	assert_true(len < sizeof(texts[0]));
}

static void add_network(char *to, unsigned i)
{
	add(to, "  - {name: n%u, workers: %u, mac-limit: %u, mac-age: %us, mtu: %u", i,
		1 + one_of(CORES), 64u << one_of(2), 100 + one_of(3), 1500 + one_of(2) * 500);
	if (one_in(2))
		add(to, ", home: %u", 10 + one_of(CORES));
	if (one_in(4))
		add(to, ", learning: false");
	if (one_in(4))
		add(to, ", unknown-unicast: drop");
	add(to, "}\n");
}

static void add_port(char *to, unsigned i, unsigned network)
{
	static const char *const roles[] = {
		"", "", "", ", isolated: true", ", promiscuous: true", ", tagged: pass"};

	add(to, "  - {name: p%u, network: n%u%s, mac-limit: %u", i, network,
		roles[one_of(RTE_DIM(roles))], 10 + one_of(3));
	/* Now and then another interface, or another kind of port. */
	if (one_in(3))
		add(to, ", vhost-user: {socket: /tmp/p%u, queues: %u}", i, 1 + one_of(4));
	else
		add(to, ", kernel: {interface: p%u-%u}", i, one_in(4));
	if (one_in(2))
		add(to, ", mac: \"02:00:00:00:01:%02x\"", i + 16 * one_in(3));
	if (one_in(3))
		add(to, ", storm: {broadcast: %u}", one_of(3) * 100);
	add(to, "}\n");
}

/*
 * Ports and networks come and go, in an order of chance. Where it is not to be possible, the last
 * network is at home on a core that the switch, once running, does not have.
 */
static void make_text(char *to, bool possible)
{
	unsigned n = 1 + one_of(NETWORKS), first = one_of(NETWORKS), turn = one_of(PORTS);
	unsigned networks[NETWORKS];

	*to = '\0';
	add(to, "vswitch: {workers: [10, 11, 12, 13%s]}\nnetworks:\n", possible ? "" : ", 14");
	for (unsigned i = 0; i < n; i++) {
		networks[i] = (first + i) % NETWORKS;
		add_network(to, networks[i]);
	}
	if (!possible)
		add(to, "  - {name: x, home: 14}\n");
	add(to, "ports:\n");
	for (unsigned i = 0; i < PORTS; i++)
		if (one_of(4) > 0)
			add_port(to, (i + turn) % PORTS, networks[one_of(n)]);
}

/* What depends on the way that the switch has come: counts, and homes that it chose itself. */
static void remove_history(json_t *rows)
{
	static const char *const keys[] = {"rx", "tx", "drops", "drops_out", "macs", "macs_learned",
		"macs_moved", "macs_moves_held", "macs_aged", "macs_evicted", "macs_refused",
		"home", "connections"};
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		for (unsigned k = 0; k < RTE_DIM(keys); k++)
			json_object_del(row, keys[k]);
		if (json_object_get(row, "workers") != NULL)
			json_object_set_new(row, "workers",
				json_integer(json_array_size(json_object_get(row, "workers"))));
	}
}

static json_t *running_state(void)
{
	json_t *ports = switch_ports(NULL), *networks = switch_networks(NULL);

	remove_history(ports);
	remove_history(networks);
	return json_pack("{s:o, s:o}", "ports", ports, "networks", networks);
}

static unsigned times_polled(const struct snapshot *snapshot, const struct port *port, unsigned q)
{
	unsigned times = 0;

	for (unsigned w = 0; w < n_workers; w++)
		for (unsigned i = 0; i < snapshot->plans[w].n_queues; i++)
			times += snapshot->plans[w].queues[i].port == port &&
				 snapshot->plans[w].queues[i].queue == q;
	return times;
}

static unsigned times_home(const struct snapshot *snapshot, const struct network *net)
{
	unsigned times = 0;

	for (unsigned w = 0; w < n_workers; w++)
		for (unsigned i = 0; i < snapshot->plans[w].n_homes; i++)
			times += snapshot->plans[w].homes[i] == net && w == net->home;
	return times;
}

static void check_port(const struct snapshot *snapshot, const struct port_entry *entry)
{
	const struct port *port = snapshot->ports[entry->id];
	const struct network *net;
	unsigned member = 0;

	assert_non_null(port);
	assert_ptr_equal(port->dev, entry->dev);
	assert_int_equal(port->dev->id, entry->id);
	assert_ptr_equal(switch_state.by_id[entry->id], entry);
	net = snapshot->networks[port->network];
	assert_non_null(net);
	assert_ptr_equal(net->fdb, entry->network->fdb);
	for (unsigned i = 0; i < net->n_ports; i++)
		member += net->ports[i] == port;
	assert_int_equal(member, 1);
	if (entry->conf.has_mac)
		assert_int_equal(static_macs_lookup(net->statics, port->mac), entry->id);
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		assert_int_equal(times_polled(snapshot, port, q), q < switch_queues(entry) ? 1 : 0);
}

/* What workers see is whole: every port in its network, every queue and table with one worker. */
static void check_snapshot(void)
{
	const struct snapshot *snapshot = snapshot_current();
	unsigned ids = 0, networks = 0, members = 0;

	for (unsigned i = 0; i < switch_state.n_ports; i++)
		check_port(snapshot, switch_state.ports[i]);
	for (unsigned i = 0; i < MAX_PORTS; i++)
		ids += (snapshot->ports[i] != NULL) + (switch_state.by_id[i] != NULL);
	assert_int_equal(ids, 2 * switch_state.n_ports);
	for (unsigned i = 0; i < MAX_NETWORKS; i++) {
		const struct network *net = snapshot->networks[i];

		if (net == NULL)
			continue;
		networks++;
		members += net->n_ports;
		assert_int_equal(times_home(snapshot, net), 1);
		for (unsigned w = 0; w < net->n_workers; w++)
			for (unsigned v = 0; v < w; v++)
				assert_int_not_equal(net->workers[w], net->workers[v]);
	}
	assert_int_equal(networks, switch_state.n_networks);
	assert_int_equal(members, switch_state.n_ports);
}

/* Some traffic, of which a part stays under way over the next change. */
static void make_traffic(void)
{
	uint8_t frame[RIG_FRAME_LEN];

	for (unsigned i = 0; i < 200 && switch_state.n_ports > 0; i++) {
		const struct port_entry *port = switch_state.ports[one_of(switch_state.n_ports)];
		uint32_t src = one_in(2) ? 0x100 + one_of(32) : 0x200 + one_of(64);
		uint32_t dst = one_in(4) ? RIG_BROADCAST : 0x200 + one_of(64);

		rig_put(port->conf.name, rig_udp(frame, dst, src, 1, 2, i), RIG_FRAME_LEN);
		if (one_in(8))
			worker_pass(workers[one_of(n_workers)]);
	}
	rig_pass_time(rig.hz / 10);
}

/* Commands in between. */
static void make_moves(void)
{
	char err[128];

	if (switch_state.n_networks == 0 || switch_state.n_ports == 0)
		return;
	switch_move_network(switch_state.networks[one_of(switch_state.n_networks)]->conf.name,
		10 + one_of(CORES), err, sizeof(err));
	switch_move_queue(switch_state.ports[one_of(switch_state.n_ports)]->conf.name, one_of(4),
		10 + one_of(CORES), err, sizeof(err));
	check_snapshot();
}

/* A refusal in between changes nothing. */
static void try_the_impossible(void)
{
	static char text[sizeof(texts[0])];
	const struct snapshot *snapshot = snapshot_current();
	json_t *before = running_state(), *after;
	unsigned opened = rig.opened;
	size_t heap = rig_heap();

	make_text(text, false);
	assert_false(rig_try(text));
	after = running_state();
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	assert_ptr_equal(snapshot_current(), snapshot);
	assert_int_equal(rig.opened, opened);
	assert_int_equal(rig_heap(), heap);
	check_snapshot();
}

static void walk(void)
{
	rig_start(texts[0]);
	for (unsigned i = 0; i < STEPS; i++) {
		if (i > 0)
			rig_apply(texts[i]);
		assert_int_equal(switch_revision(), i + 1);
		states[i] = running_state();
		check_snapshot();
		make_traffic();
		if (one_in(3))
			make_moves();
		if (one_in(5))
			try_the_impossible();
		make_traffic();
		if (one_in(2)) {
			rig_settle();
			assert_true(rig_ledger_adds_up());
		}
	}
	rig_stop();
}

/* Long ways and short ones lead to the same place. */
static void test_walk(void **state)
{
	rte_srand(*(unsigned *)*state);
	for (unsigned i = 0; i < STEPS; i++)
		make_text(texts[i], true);
	rig.record = false;
	walk();
	for (unsigned i = 0; i < STEPS; i++) {
		json_t *fresh;

		rig.opened = rig.closed = 0;
		rig_start(texts[i]);
		fresh = running_state();
		check_snapshot();
		rig_stop();
		if (!json_equal(fresh, states[i])) {
			json_dumpf(fresh, stderr, JSON_INDENT(1));
			json_dumpf(states[i], stderr, JSON_INDENT(1));
			fail_msg("step %u, seed %u", i, *(unsigned *)*state);
		}
		json_decref(fresh);
		json_decref(states[i]);
	}
}

static unsigned seeds[] = {1, 2, 3, 4};

#define WALK(n)                                                                                    \
	{                                                                                          \
		"walk " #n, test_walk, rig_begin, rig_end, &seeds[n]                               \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {WALK(0), WALK(1), WALK(2), WALK(3)};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
