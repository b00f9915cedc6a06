/* What a change of the configuration does to ports, and what it leaves alone. */
#include "switch_rig.h"

#define PORT(name) "  - {name: " #name ", network: n, kernel: {interface: " #name "}}\n"
#define IN_O(name) "  - {name: " #name ", network: o, kernel: {interface: " #name "}}\n"
#define TWO        "networks: [{name: n}, {name: o}]\nports:\n"

static uint8_t frame[RIG_FRAME_LEN];
static char text[256 * 1024];

static int start_eal(void **state)
{
	return rig_eal("test_ports", "512");
}

/* The learned addresses that `fdb show` tells of. */
static unsigned learned(const char *network, const char *port)
{
	json_t *rows = switch_fdb(network, port), *row;
	unsigned n = 0;
	size_t i;

	json_array_foreach (rows, i, row)
		n += strcmp(json_string_value(json_object_get(row, "type")), "learned") == 0;
	json_decref(rows);
	return n;
}

static void test_others_are_left_alone(void **state)
{
	struct rig_dev *a, *b;

	rig_start(TWO PORT(a) PORT(b) IN_O(x));
	a = rig_port("a");
	b = rig_port("b");
	rig_send("a", RIG_BROADCAST, 1, 1);
	rig_send("b", RIG_BROADCAST, 2, 2);
	rig_take("a");
	rig_take("b");
	assert_int_equal(rig.opened, 3);
	/* x goes, y comes, z comes into the same network, and b changes a little. */
	rig_apply("networks: [{name: n}, {name: o, unknown-unicast: drop}]\nports:\n" IN_O(y) PORT(
		a) "  - {name: b, network: n, kernel: {interface: b}, mtu: 9000}\n" PORT(z));
	assert_ptr_equal(rig_port("a"), a);
	assert_ptr_equal(rig_port("b"), b);
	assert_int_equal(rig.opened, 5);
	assert_int_equal(rig.closed, 1);
	/* a's driver is not even asked: it could fail, and a would be made anew. */
	assert_int_equal(rig.updated, 1);
	assert_int_equal(rig_count("a").received, 1);
	assert_int_equal(rig_count("a").sent, 1);
	assert_int_equal(rig_count("z").received, 0);
	assert_int_equal(learned("n", NULL), 2);
	rig_send("a", 2, 1, 3);
	rig_expect("b", 3);
	assert_int_equal(rig_count("a").received, 2);
	/* But for one whose interface is gone. */
	atomic_store(&a->dev.lost, true);
	rig_apply(TWO PORT(a));
	assert_int_equal(rig.updated, 2);
}

/* Drivers forget those that are gone, not those that failed, moved or were opened anew. */
static void test_gone_ports_are_forgotten(void **state)
{
	struct config *past;

	rig_start(TWO PORT(a) PORT(b) PORT(c) PORT(d));
	past = rig_config(TWO PORT(a) PORT(b) PORT(c) PORT(d));
	rig.forgotten[0] = '\0';
	switch_forget_ports(past);
	assert_string_equal(rig.forgotten, "");
	rig.broken = true;
	rig_apply(TWO PORT(d) IN_O(a) "  - {name: c, network: n, kernel: {interface: broken}}\n");
	assert_null(switch_find_port("c")->dev);
	assert_string_equal(rig.forgotten, "");
	switch_forget_ports(past);
	assert_string_equal(rig.forgotten, "b ");
	config_free(past);
}

/* Nor do they lose what waits at their queues while another is opened anew. */
static void test_nothing_lost(void **state)
{
	rig_start(TWO PORT(a) PORT(b) PORT(c));
	for (unsigned i = 0; i < 100; i++) {
		rig_put("a", rig_frame(frame, RIG_BROADCAST, 1, i), RIG_FRAME_LEN);
		if (i % 10 == 5)
			rig_apply(i % 20 == 5 ? TWO PORT(a) PORT(b) "  - {name: c, network: n, "
								    "kernel: {interface: c2}}\n"
					      : TWO PORT(a) PORT(b) PORT(c));
		if (i % 3 == 0)
			rig_settle();
	}
	rig_settle();
	assert_int_equal(rig_take("b"), 100);
	assert_int_equal(rig_count("a").delivered, 100);
	assert_int_equal(rig.opened, 3 + 10);
}

static void test_move_leaves_nothing(void **state)
{
	rig_start(TWO PORT(a) PORT(b) PORT(c) IN_O(x) IN_O(y));
	rig_send("a", RIG_BROADCAST, 1, 1);
	rig_send("b", RIG_BROADCAST, 2, 2);
	rig_send("x", RIG_BROADCAST, 7, 2);
	assert_int_equal(learned("n", "a"), 1);
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		rig_take(switch_state.ports[i]->conf.name);
	rig_apply(TWO PORT(b) PORT(c) IN_O(a) IN_O(x) IN_O(y));
	assert_int_equal(learned("n", NULL), 1);
	assert_int_equal(learned("o", "a"), 0);
	rig_settle();
	rig_send("b", 1, 2, 3);
	rig_expect("c", 3);
	rig_send("b", RIG_BROADCAST, 2, 4);
	rig_expect("c", 4);
	rig_send("x", 1, 7, 5);
	rig_expect("ay", 5);
	rig_send("a", 2, 1, 6);
	rig_expect("xy", 6);
	/* Back again: learned there, forgotten there. */
	rig_apply(TWO PORT(a) PORT(b) PORT(c) IN_O(x) IN_O(y));
	rig_settle();
	rig_send("x", 1, 7, 7);
	rig_expect("y", 7);
}

/* Where a network knows no flooding, a forgotten address is a lost packet: only theirs may go. */
static void test_two_ports_go(void **state)
{
	static const char drop[] = "networks: [{name: n, unknown-unicast: drop}]\nports:\n";
	char config[1024];

	snprintf(config, sizeof(config), "%s%s", drop, PORT(a) PORT(b) PORT(c) PORT(d));
	rig_start(config);
	for (unsigned i = 0; i < 4; i++)
		rig_send((char[]){'a' + i, '\0'}, RIG_BROADCAST, 1 + i, 0);
	rig_take("a");
	rig_take("b");
	snprintf(config, sizeof(config), "%s%s", drop, PORT(a) PORT(b));
	rig_apply(config);
	rig_settle();
	assert_int_equal(learned("n", NULL), 2);
	rig_send("a", 2, 1, 5);
	rig_expect("b", 5);
	rig_send("b", 1, 2, 6);
	rig_expect("a", 6);
}

static void test_new_settings_hold(void **state)
{
	rig_start(TWO PORT(a) PORT(b));
	rig_send("a", RIG_BROADCAST, 1, 1);
	rig_expect("b", 1);
	rig_apply(TWO
		"  - {name: a, network: n, kernel: {interface: a}, storm: {broadcast: 0}}\n" PORT(
			b));
	rig_send("a", RIG_BROADCAST, 1, 2);
	rig_expect("", 0);
	assert_int_equal(rig_drops("a", DROP_storm_broadcast), 1);
	rig_apply(TWO PORT(a) PORT(b));
	rig_send("a", RIG_BROADCAST, 1, 3);
	rig_expect("b", 3);
	/* Addresses that a smaller limit does not allow for are not kept. */
	for (unsigned i = 0; i < 10; i++)
		rig_send("a", RIG_BROADCAST, 100 + i, 0);
	assert_int_equal(learned("n", "a"), 11);
	rig_apply(TWO "  - {name: a, network: n, kernel: {interface: a}, mac-limit: 5}\n" PORT(b));
	assert_true(learned("n", "a") <= 5);
	for (unsigned i = 0; i < 10; i++)
		rig_send("a", RIG_BROADCAST, 100 + i, 0);
	assert_int_equal(learned("n", "a"), 5);
}

static void test_table_settings(void **state)
{
	struct fdb *fdb;

	rig_start(TWO PORT(a) PORT(b));
	rig_send("a", RIG_BROADCAST, 1, 1);
	fdb = switch_find_network("n")->fdb;
	rig_apply("networks: [{name: n, mac-age: 5s}, {name: o}]\nports:\n" PORT(a) PORT(b));
	assert_ptr_equal(switch_find_network("n")->fdb, fdb);
	assert_int_equal(learned("n", NULL), 1);
	rig_pass_time(6 * rig.hz);
	rig_settle();
	assert_int_equal(learned("n", NULL), 0);
	rig_apply("networks: [{name: n, mac-limit: 2}, {name: o}]\nports:\n" PORT(a) PORT(b));
	for (unsigned i = 0; i < 10; i++)
		rig_send("a", RIG_BROADCAST, 1 + i, 0);
	assert_int_equal(learned("n", NULL), 2);
}

/* Two ports that exchange their interfaces: neither may be opened while the other has it. */
static void test_swap(void **state)
{
	rig_start(TWO PORT(a) PORT(b));
	rig_send("a", RIG_BROADCAST, 1, 1);
	rig_apply(TWO "  - {name: a, network: n, kernel: {interface: b}}\n"
		      "  - {name: b, network: n, kernel: {interface: a}}\n");
	assert_int_equal(rig.closed, 2);
	assert_string_equal(rig_port("a")->conf.kernel.interface, "b");
	assert_int_equal(rig_count("a").received, 1);
	assert_int_equal(rig_port("a")->dev.id, switch_find_port("a")->id);
}

/* A port that can't be had is no refusal: it waits, and is there when it can be had. */
static void test_broken_port(void **state)
{
	json_t *rows, *row;

	rig.broken = true;
	rig_start(TWO PORT(a) PORT(b) "  - {name: c, network: n, kernel: {interface: broken}}\n");
	rows = switch_ports("c");
	row = json_array_get(rows, 0);
	assert_string_equal(json_string_value(json_object_get(row, "state")), "failed");
	assert_string_equal(json_string_value(json_object_get(row, "error")), "broken is broken");
	json_decref(rows);
	rig_send("a", RIG_BROADCAST, 1, 1);
	rig_expect("b", 1);
	switch_tick();
	assert_null(switch_find_port("c")->dev);
	rig.broken = false;
	switch_tick();
	rig_send("a", RIG_BROADCAST, 1, 2);
	rig_expect("bc", 2);
	assert_int_equal(rig_count("c").sent, 1);
}

/* Ids come round: whoever gets an old one gets nothing of its former owner's. */
static void test_ids_come_round(void **state)
{
	uint16_t last = MAX_PORTS;

	rig_start(TWO PORT(a) PORT(b));
	for (unsigned i = 0; i < MAX_PORTS + 100; i++) {
		char config[1024];

		snprintf(config, sizeof(config),
			TWO PORT(a) PORT(b) "  - {name: p%u, network: n, kernel: {interface: p}}\n",
			i);
		rig_apply(config);
		snprintf(config, sizeof(config), "p%u", i);
		assert_int_equal(rig_count(config).received, 0);
		assert_int_equal(rig_count(config).offered, 0);
		assert_int_equal(learned("n", config), 0);
		assert_int_not_equal(rig_port(config)->dev.id, last);
		last = rig_port(config)->dev.id;
		rig_send(config, RIG_BROADCAST, 500 + i, i);
		assert_int_equal(rig_take("a"), 1);
		assert_int_equal(learned("n", config), 1);
		/* The MAC of the one before is nowhere now. */
		if (i > 0) {
			rig_send("a", 500 + i - 1, 1, i);
			assert_int_equal(rig_take("b"), 2);
			assert_int_equal(rig_take(config), 1);
		} else {
			rig_take("b");
		}
		rig_pass_time(rig.hz);
	}
	assert_int_equal(rig.opened, 2 + MAX_PORTS + 100);
	assert_int_equal(rig.closed, MAX_PORTS + 99);
}

/* A configuration of so many ports, named from `first` on. */
static const char *many_ports(unsigned first, unsigned n)
{
	size_t len = snprintf(text, sizeof(text), "networks: [{name: n}]\nports:\n");

	for (unsigned i = first; i < first + n; i++)
		len += snprintf(text + len, sizeof(text) - len,
			"  - {name: p%u, network: n, kernel: {interface: p%u}}\n", i, i);
	return text;
}

static unsigned ids_in_use(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MAX_PORTS; i++)
		n += switch_state.by_id[i] != NULL;
	return n;
}

/* All ids in use, and one of them free for a moment: it is taken again at once. */
static void test_too_many_ports(void **state)
{
	json_t *before, *after;

	rig_start(many_ports(0, MAX_PORTS));
	assert_int_equal(ids_in_use(), MAX_PORTS);
	rig_send("p0", RIG_BROADCAST, 1, 1);
	assert_int_equal(rig_count("p0").copies, MAX_PORTS - 2);
	before = switch_ports(NULL);
	/* One other: with the old ones that still run, one too many. */
	assert_false(rig_try(many_ports(1, MAX_PORTS)));
	assert_non_null(strstr(rig.report.messages[0].text, "remove the old ones"));
	after = switch_ports(NULL);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	assert_int_equal(ids_in_use(), MAX_PORTS);
	assert_int_equal(switch_revision(), 1);
	/* One for which there is an id, and one for which there is none. */
	rig_apply(many_ports(0, MAX_PORTS - 1));
	assert_false(rig_try(many_ports(1, MAX_PORTS)));
	assert_int_equal(ids_in_use(), MAX_PORTS - 1);
	/* In two steps. */
	rig_apply(many_ports(1, MAX_PORTS - 2));
	assert_int_equal(ids_in_use(), MAX_PORTS - 2);
	rig_apply(many_ports(1, MAX_PORTS));
	assert_int_equal(ids_in_use(), MAX_PORTS);
	assert_int_equal(rig_count("p1024").received, 0);
	rig_send("p1024", RIG_BROADCAST, 2, 2);
	assert_int_equal(rig_count("p1024").received, 1);
	assert_int_equal(rig_count("p1024").copies, MAX_PORTS - 2);
	rig_apply(many_ports(0, 0));
	assert_int_equal(ids_in_use(), 0);
}

/* Everything as it was, to the last pointer. */
static void check_refusal(const char *config, const char *why)
{
	json_t *before = json_pack(
		"[o, o, o]", switch_ports(NULL), switch_networks(NULL), switch_fdb(NULL, NULL));
	const struct snapshot *snapshot = snapshot_current();
	uint64_t revision = switch_revision();
	unsigned opened = rig.opened, closed = rig.closed, updated = rig.updated;
	size_t heap = rig_heap();
	json_t *after;

	assert_false(rig_try(config));
	assert_int_equal(rig.report.n_errors, 1);
	if (strstr(rig.report.messages[0].text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", rig.report.messages[0].text, why);
	after = json_pack(
		"[o, o, o]", switch_ports(NULL), switch_networks(NULL), switch_fdb(NULL, NULL));
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	assert_ptr_equal(snapshot_current(), snapshot);
	assert_int_equal(switch_revision(), revision);
	assert_int_equal(rig.opened, opened);
	assert_int_equal(rig.closed, closed);
	assert_int_equal(rig.updated, updated);
	assert_int_equal(rig_heap(), heap);
	assert_int_equal(ids_in_use(), switch_state.n_ports);
}

static void test_refusals(void **state)
{
	size_t len;

	rig_start("vswitch: {workers: [10, 11]}\n" TWO PORT(a) PORT(b));
	rig_send("a", RIG_BROADCAST, 1, 1);
	/* What the file says of workers holds after a restart only. */
	check_refusal("vswitch: {workers: [10, 12]}\nnetworks: [{name: q}, {name: n, home: 12}]\n"
		      "ports:\n" PORT(a) PORT(c),
		"no worker runs on core 12");
	assert_string_equal(rig.report.messages[0].field, "networks[1].home");
	check_refusal("vswitch: {workers: [10, 11, 12]}\nnetworks: [{name: n, workers: 3}]\n"
		      "ports:\n" PORT(a) PORT(c),
		"2 workers run");
	/* More tables than there is memory for; old ones and new ones. */
	len = snprintf(text, sizeof(text), "networks:\n");
	for (unsigned i = 0; i < 20; i++)
		len += snprintf(text + len, sizeof(text) - len,
			"  - {name: %c%u, mac-limit: 1048576}\n", 'n', i);
	snprintf(text + len, sizeof(text) - len,
		"  - {name: n, mac-limit: 100}\nports:\n" PORT(b)
			PORT(c) "  - {name: d, network: n1, kernel: {interface: d}, mac: "
				"\"02:00:00:00:00:05\"}\n");
	check_refusal(text, "no memory for the MAC table");
	rig_expect("b", 1);
	rig_send("b", 1, 2, 2);
	rig_expect("a", 2);
}

/* Old and new networks together, while both are there. */
static void test_too_many_networks(void **state)
{
	for (unsigned from = 0; from < 2; from++) {
		size_t len = snprintf(text, sizeof(text), "networks:\n");

		for (unsigned i = from; i < from + MAX_NETWORKS; i++)
			len += snprintf(text + len, sizeof(text) - len,
				"  - {name: n%u, mac-limit: 1}\n", i);
		if (from == 0)
			rig_start(text);
		else
			check_refusal(text, "old and new networks together");
	}
}

/* A second start in one process begins at nothing. */
static void test_start_again(void **state)
{
	json_t *stats;

	rig_start(TWO PORT(a) PORT(b));
	for (unsigned i = 0; i < 100; i++)
		rig_send("a", RIG_BROADCAST, 1, i);
	json_decref(switch_worker_stats(true));
	rig_stop();
	rig_start(TWO PORT(a) PORT(b));
	rig_send("a", RIG_BROADCAST, 1, 1);
	assert_int_equal(rig_count("a").received, 1);
	stats = switch_worker_stats(false);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(stats, 0), "packets")), 1);
	json_decref(stats);
	stats = switch_worker_stats(true);
	json_decref(stats);
	stats = switch_worker_stats(false);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(stats, 0), "packets")), 0);
	json_decref(stats);
}

static void change(const char *name, uint32_t ready)
{
	struct port_dev *dev = &rig_port(name)->dev;

	if (ready != 0)
		atomic_fetch_add(&dev->rx_generation, 1);
	atomic_store(&dev->rx_ready, ready);
	atomic_store(&dev->tx_ready, ready);
	port_env.changed(dev);
	switch_port_events();
	rig_settle();
}

/* 36: what was learned from a guest that is gone is asked for, and learned where it comes up. */
static void test_gone_guest_is_forgotten(void **state)
{
	rig_start(TWO PORT(a) PORT(b) PORT(c));
	rig_send("b", RIG_BROADCAST, 2, 1);
	rig_expect("ac", 1);
	rig_send("a", 2, 1, 2);
	rig_expect("b", 2);
	change("b", 0);
	rig_send("a", 2, 1, 3);
	rig_expect("c", 3);
	rig_send("c", RIG_BROADCAST, 2, 4);
	rig_expect("a", 4);
	rig_send("a", 2, 1, 5);
	rig_expect("c", 5);
	/* Back within the second, and heard. */
	change("c", 0);
	change("c", 1);
	rig_send("a", 2, 1, 6);
	rig_expect("c", 6);
	rig_send("c", RIG_BROADCAST, 2, 7);
	rig_expect("a", 7);
	assert_int_equal(learned("n", "c"), 1);
}

static unsigned events_of(const char *port)
{
	json_t *events = events_recent(), *event;
	unsigned n = 0;
	size_t i;

	json_array_foreach (events, i, event) {
		json_t *name = json_object_get(json_object_get(event, "metadata"), "port");

		n += json_is_string(name) && strcmp(json_string_value(name), port) == 0;
	}
	json_decref(events);
	return n;
}

/* 4: a guest that toggles its queues fills neither the file nor the control thread's time. */
static void test_events_are_bounded(void **state)
{
	rig_start("networks: [{name: n}]\nports:\n" PORT(toggler) PORT(quiet));
	for (unsigned i = 0; i < 1000; i++)
		change("toggler", i & 1);
	assert_int_equal(events_of("toggler"), 16);
	change("quiet", 1);
	assert_int_equal(events_of("quiet"), 1);
	/* What it came to is told, and a little more is allowed with every tick. */
	switch_tick();
	assert_int_equal(events_of("toggler"), 17);
	switch_tick();
	assert_int_equal(events_of("toggler"), 17);
	change("toggler", 0);
	change("toggler", 1);
	assert_int_equal(events_of("toggler"), 18);
	switch_tick();
	assert_int_equal(events_of("toggler"), 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_gone_guest_is_forgotten),
		RIG_TEST(test_events_are_bounded),
		RIG_TEST(test_others_are_left_alone),
		RIG_TEST(test_gone_ports_are_forgotten),
		RIG_TEST(test_nothing_lost),
		RIG_TEST(test_move_leaves_nothing),
		RIG_TEST(test_two_ports_go),
		RIG_TEST(test_new_settings_hold),
		RIG_TEST(test_table_settings),
		RIG_TEST(test_swap),
		RIG_TEST(test_broken_port),
		RIG_TEST(test_ids_come_round),
		RIG_TEST(test_too_many_ports),
		RIG_TEST(test_refusals),
		RIG_TEST(test_too_many_networks),
		RIG_TEST(test_start_again),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
