/*
 * The XDP program's way onto an interface and off it, on a veth pair: native and generic, what is
 * another's, what a killed switch left behind, two switches at once; and the maps that it fills.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>

#include "xdp_attached.h"
#include "xdp_lock.h"
#include "xdp_program.h"
#include "xdp_rig.h"

static const char *reason; /* why nothing can be tested here */
static char err[256];

static int setup(void **state)
{
	reason = xdp_rig_unusable();
	if (reason != NULL)
		print_message("skipped: %s\n", reason);
	return 0;
}

#define SKIP_UNLESS_USABLE()                                                                       \
	do {                                                                                       \
		if (reason != NULL)                                                                \
			skip();                                                                    \
	} while (0)

static struct xdp_program *attach(void)
{
	struct xdp_program *p;

	if (xdp_program_check(xdp_rig_ifindex, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	p = xdp_program_attach(xdp_rig_ifindex, XDP_RIG_QUEUES, err, sizeof(err));
	if (p == NULL)
		fail_msg("%s", err);
	return p;
}

static void assert_refused(const char *what)
{
	assert_null(xdp_program_attach(xdp_rig_ifindex, XDP_RIG_QUEUES, err, sizeof(err)));
	if (strstr(err, what) == NULL)
		fail_msg("no \"%s\" in \"%s\"", what, err);
	/* Who asks first hears the same. */
	assert_int_equal(xdp_program_check(xdp_rig_ifindex, err, sizeof(err)), -1);
	if (strstr(err, what) == NULL)
		fail_msg("no \"%s\" in \"%s\" before", what, err);
}

static struct xdp_attached find(void)
{
	struct xdp_attached found;

	assert_int_equal(xdp_attached_find(xdp_rig_ifindex, &found), 0);
	return found;
}

/* Puts a program on or, -1, takes off what is there; whatever it is. */
static void put_on(int program, uint32_t flags)
{
	assert_int_equal(bpf_xdp_attach((int)xdp_rig_ifindex, program, flags, NULL), 0);
}

static void put_other_on(const char *name, uint32_t flags)
{
	int program = xdp_rig_load(name);

	assert_true(program >= 0);
	put_on(program, flags);
	close(program); /* the interface keeps it */
}

static const struct edge_rules rules = {.n_services = 1, .services = {445}};

static struct xdp_source source_of(uint32_t number)
{
	uint8_t bytes[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};

	return (struct xdp_source){addr_from_ipv4(bytes), EDGE_SHUT_SERVICES};
}

static int set_sources(
	struct xdp_program *p, uint32_t network, const struct xdp_source *sources, unsigned n)
{
	return xdp_program_set_quarantine(p, network, &rules, sources, n);
}

/* A switch of another process that attaches, drops a source, and is killed. Its program's id. */
static uint32_t kill_one(struct xdp_source source)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct xdp_program *p = xdp_program_attach(
			xdp_rig_ifindex, XDP_RIG_QUEUES, err, sizeof(err));

		if (p == NULL || xdp_program_set_vlan(p, 7, true) != 0 ||
			set_sources(p, EDGE_OF_VLAN(7), &source, 1) != 0)
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return find().id;
}

static void test_attached_and_detached(void **state)
{
	struct xdp_program *p;
	struct xdp_attached found;

	SKIP_UNLESS_USABLE();
	assert_int_equal(find().id, 0);
	p = attach();
	found = find();
	assert_true(found.ours);
	assert_string_equal(found.name, EDGE_PROGRAM);
	assert_int_equal(found.id, xdp_program_id(p));
	assert_int_equal(found.mode, XDP_FLAGS_DRV_MODE);
	assert_true(xdp_program_is_native(p));
	assert_true(xdp_program_is_attached(p));
	xdp_program_detach(p);
	assert_int_equal(find().id, 0);
}

/* With frames too big for one page, veth does not take a program itself. */
static void test_generic_where_the_driver_cannot(void **state)
{
	struct xdp_program *p;

	SKIP_UNLESS_USABLE();
	assert_int_equal(netns_command("ip link set x0 mtu 60000 && ip link set x1 mtu 60000"), 0);
	p = attach();
	assert_false(xdp_program_is_native(p));
	assert_int_equal(find().mode, XDP_FLAGS_SKB_MODE);
	xdp_program_detach(p);
	assert_int_equal(find().id, 0);
	assert_int_equal(netns_command("ip link set x0 mtu 1500 && ip link set x1 mtu 1500"), 0);
}

static void test_no_such_interface(void **state)
{
	SKIP_UNLESS_USABLE();
	assert_null(xdp_program_attach(4711, 1, err, sizeof(err)));
	assert_non_null(strstr(err, "No such device"));
}

static void test_anothers_program_is_refused(void **state)
{
	const uint32_t modes[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
	char what[64];

	SKIP_UNLESS_USABLE();
	for (unsigned i = 0; i < 2; i++) {
		put_other_on("filter", modes[i]);
		snprintf(what, sizeof(what),
			"x0: has an XDP program of another's (id %u, \"filter\")", find().id);
		assert_refused(what);
		assert_non_null(strstr(err, "ip link set dev x0 xdp off"));
		put_on(-1, modes[i]);
	}
	/* Of our name, but without a map of ours. */
	put_other_on(EDGE_PROGRAM, 0);
	assert_false(find().ours);
	assert_refused("has an XDP program of another's");
	put_on(-1, 0);
}

static void test_a_stale_one_is_replaced(void **state)
{
	struct xdp_program *p;
	struct edge_drops drops;
	uint32_t stale;

	SKIP_UNLESS_USABLE();
	stale = kill_one(source_of(1));
	assert_true(stale != 0);
	assert_true(find().ours);
	p = attach();
	assert_int_not_equal(xdp_program_id(p), stale);
	assert_int_equal(find().id, xdp_program_id(p));
	/* What it dropped is dropped still, until the switch says otherwise. */
	assert_true(xdp_program_drops(p, EDGE_OF_VLAN(7), source_of(1).addr, &drops));
	assert_int_equal(set_sources(p, EDGE_OF_VLAN(7), NULL, 0), 0);
	assert_false(xdp_program_drops(p, EDGE_OF_VLAN(7), source_of(1).addr, &drops));
	xdp_program_detach(p);
	assert_int_equal(find().id, 0);
}

/* In generic mode, a native one could not take its place without a gap. */
static void test_a_stale_one_is_replaced_in_its_mode(void **state)
{
	struct xdp_program *p;

	SKIP_UNLESS_USABLE();
	assert_int_equal(netns_command("ip link set x0 mtu 60000 && ip link set x1 mtu 60000"), 0);
	kill_one(source_of(1));
	assert_int_equal(netns_command("ip link set x0 mtu 1500 && ip link set x1 mtu 1500"), 0);
	p = attach();
	assert_false(xdp_program_is_native(p));
	xdp_program_detach(p);
	assert_int_equal(find().id, 0);
}

static void test_a_running_switchs_is_not_taken(void **state)
{
	struct xdp_program *p;
	uint32_t id;
	char what[64];

	SKIP_UNLESS_USABLE();
	p = attach();
	id = find().id;
	snprintf(what, sizeof(what), "x0: another switch uses it (process %d)", (int)getpid());
	/* More often than askers are kept. */
	for (unsigned i = 0; i < 20; i++) {
		assert_refused(what);
		assert_true(xdp_program_is_attached(p));
	}
	assert_int_equal(find().id, id);
	xdp_program_detach(p);
	xdp_program_detach(attach());
}

/* Without an answer the askers' queue is full in the end, and the interface still not free. */
static void test_a_busy_switchs_is_not_taken_either(void **state)
{
	struct xdp_program *p;

	SKIP_UNLESS_USABLE();
	p = attach();
	for (unsigned i = 0; i < 20; i++)
		assert_refused("x0: another switch uses it");
	xdp_program_detach(p);
}

static int bind_as_nobody(int *lock)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setresuid(65534, 65534, 65534) != 0)
			_exit(1);
		*lock = xdp_lock(xdp_rig_ifindex, err, sizeof(err));
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &status, WUNTRACED);
	return WIFSTOPPED(status) ? pid : -1;
}

static void test_a_name_taken_by_nobody_is_not_heeded(void **state)
{
	int lock, pid;

	SKIP_UNLESS_USABLE();
	pid = bind_as_nobody(&lock);
	assert_true(pid > 0);
	xdp_program_detach(attach());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_only_ours_is_detached(void **state)
{
	struct xdp_program *p;

	SKIP_UNLESS_USABLE();
	p = attach();
	put_on(-1, XDP_FLAGS_DRV_MODE);
	assert_false(xdp_program_is_attached(p));
	put_other_on("filter", XDP_FLAGS_DRV_MODE);
	assert_false(xdp_program_is_attached(p));
	xdp_program_detach(p);
	assert_string_equal(find().name, "filter");
	put_on(-1, XDP_FLAGS_DRV_MODE);
	/* Likewise in the other mode. */
	p = attach();
	put_on(-1, XDP_FLAGS_DRV_MODE);
	put_other_on("filter", XDP_FLAGS_SKB_MODE);
	xdp_program_detach(p);
	assert_string_equal(find().name, "filter");
	put_on(-1, XDP_FLAGS_SKB_MODE);
}

/* It may go on elsewhere, as when the interface is in another network namespace by then. */
static void test_one_that_cannot_be_detached_drops_nothing(void **state)
{
	struct xdp_source source = source_of(1);
	struct edge_source key;
	struct xdp_attached found;
	struct xdp_program *p;
	int program, map;

	SKIP_UNLESS_USABLE();
	p = attach();
	assert_int_equal(set_sources(p, EDGE_OF_VLAN(7), &source, 1), 0);
	found = find();
	program = xdp_attached_open(&found);
	map = xdp_attached_map(program, EDGE_SOURCES, BPF_MAP_TYPE_PERCPU_HASH,
		sizeof(struct edge_source), sizeof(struct edge_drops));
	assert_int_equal(bpf_map_get_next_key(map, NULL, &key), 0);
	put_other_on("other", 0);
	xdp_program_detach(p);
	assert_int_equal(bpf_map_get_next_key(map, NULL, &key), -ENOENT);
	close(map);
	close(program);
	put_on(-1, 0);
}

static void test_the_interface_may_be_gone(void **state)
{
	struct xdp_program *p;
	unsigned ifindex;

	SKIP_UNLESS_USABLE();
	assert_int_equal(netns_command("ip link add y0 type veth peer name y1"), 0);
	ifindex = if_nametoindex("y0");
	p = xdp_program_attach(ifindex, 1, err, sizeof(err));
	assert_non_null(p);
	assert_int_equal(netns_command("ip link del y0"), 0);
	assert_false(xdp_program_is_attached(p));
	xdp_program_detach(p);
}

static json_int_t used(struct xdp_program *p, const char *map, const char *what)
{
	json_t *all = xdp_program_describe(p);
	json_int_t n = json_integer_value(
		json_object_get(json_object_get(json_object_get(all, "maps"), map), what));

	json_decref(all);
	return n;
}

static void test_macs_are_replaced_as_a_whole(void **state)
{
	const uint8_t macs[3][6] = {{2, 0, 0, 0, 0, 3}, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	struct xdp_program *p;

	SKIP_UNLESS_USABLE();
	p = attach();
	assert_int_equal(xdp_program_set_macs(p, macs, 3), 0);
	assert_int_equal(used(p, "macs", "used"), 3);
	assert_int_equal(xdp_program_set_macs(p, macs + 1, 1), 0);
	assert_int_equal(used(p, "macs", "used"), 1);
	assert_int_equal(xdp_program_set_mac(p, macs[1], true), 0); /* again */
	assert_int_equal(used(p, "macs", "used"), 1);
	assert_int_equal(xdp_program_set_mac(p, macs[1], false), 0);
	assert_int_equal(xdp_program_set_mac(p, macs[1], false), 0);
	assert_int_equal(used(p, "macs", "used"), 0);
	xdp_program_detach(p);
}

/* Those named first, which are configured ones: learned ones, a guest's to choose, do not matter.
 */
static void test_the_first_macs_find_room(void **state)
{
	static uint8_t macs[EDGE_MACS_MAX + 1][6];
	struct xdp_program *p;

	SKIP_UNLESS_USABLE();
	p = attach();
	for (uint32_t i = 1; i <= EDGE_MACS_MAX; i++)
		memcpy(macs[i] + 2, &i, sizeof(i));
	assert_int_equal(xdp_program_set_macs(p, (const uint8_t(*)[6])macs + 1, EDGE_MACS_MAX), 0);
	memset(macs[0], 0xfe, 6); /* behind all others in order */
	assert_int_equal(
		xdp_program_set_macs(p, (const uint8_t(*)[6])macs, EDGE_MACS_MAX + 1), -ENOSPC);
	assert_int_equal(used(p, "macs", "used"), EDGE_MACS_MAX);
	assert_int_equal(used(p, "macs", "refused"), 1);
	assert_int_equal(xdp_program_set_mac(p, macs[0], false), 0);
	assert_int_equal(used(p, "macs", "used"), EDGE_MACS_MAX - 1); /* it was in */
	xdp_program_detach(p);
}

static void test_sources_are_their_networks(void **state)
{
	const struct xdp_source sources[] = {source_of(3), source_of(1), source_of(2)};
	struct xdp_program *p;
	struct edge_drops drops;
	json_t *list;

	SKIP_UNLESS_USABLE();
	p = attach();
	assert_int_equal(set_sources(p, EDGE_OF_VLAN(5), sources, 3), 0);
	assert_int_equal(set_sources(p, EDGE_OF_VNI(5), sources, 2), 0);
	list = xdp_program_sources(p, EDGE_OF_VLAN(5));
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(list, 0), "address")), "10.0.0.1");
	json_decref(list);
	/* One that stays keeps its counters, so it must not be taken out and put in again. */
	assert_int_equal(set_sources(p, EDGE_OF_VLAN(5), sources + 1, 1), 0);
	assert_true(xdp_program_drops(p, EDGE_OF_VLAN(5), sources[1].addr, &drops));
	assert_false(xdp_program_drops(p, EDGE_OF_VLAN(5), sources[0].addr, &drops));
	assert_true(xdp_program_drops(p, EDGE_OF_VNI(5), sources[0].addr, &drops));
	/* With the network its sources go. */
	assert_int_equal(xdp_program_set_vni(p, 5, true), 0);
	assert_int_equal(xdp_program_set_vni(p, 5, false), 0);
	assert_false(xdp_program_drops(p, EDGE_OF_VNI(5), sources[0].addr, &drops));
	assert_int_equal(xdp_program_set_vlan(p, 5, false), 0);
	assert_int_equal(used(p, "sources", "used"), 0);
	xdp_program_detach(p);
}

static void test_a_full_map_keeps_what_it_has(void **state)
{
	static struct xdp_source sources[EDGE_SOURCES_MAX + 2];
	struct xdp_program *p;
	struct edge_drops drops;

	SKIP_UNLESS_USABLE();
	p = attach();
	for (uint32_t i = 0; i < EDGE_SOURCES_MAX + 2; i++)
		sources[i] = source_of(i);
	assert_int_equal(set_sources(p, 0, sources, EDGE_SOURCES_MAX + 2), -ENOSPC);
	assert_int_equal(used(p, "sources", "used"), EDGE_SOURCES_MAX);
	assert_int_equal(used(p, "sources", "size"), EDGE_SOURCES_MAX);
	assert_int_equal(used(p, "sources", "refused"), 2);
	assert_true(xdp_program_drops(p, 0, sources[0].addr, &drops));
	assert_false(xdp_program_drops(p, 0, sources[EDGE_SOURCES_MAX].addr, &drops));
	/* Where there is room, the next ones find it. */
	assert_int_equal(set_sources(p, 0, sources + 2, EDGE_SOURCES_MAX), 0);
	assert_true(xdp_program_drops(p, 0, sources[EDGE_SOURCES_MAX].addr, &drops));
	xdp_program_detach(p);
}

static void test_numbers_out_of_range(void **state)
{
	struct xdp_program *p;

	SKIP_UNLESS_USABLE();
	p = attach();
	assert_int_equal(xdp_program_set_vlan(p, 4096, true), -EINVAL);
	assert_true(xdp_program_set_socket(p, XDP_RIG_QUEUES, 0) < 0);
	assert_true(xdp_program_set_socket(p, 0, 0) < 0); /* no socket of AF_XDP */
	xdp_program_detach(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attached_and_detached),
		cmocka_unit_test(test_generic_where_the_driver_cannot),
		cmocka_unit_test(test_no_such_interface),
		cmocka_unit_test(test_anothers_program_is_refused),
		cmocka_unit_test(test_a_stale_one_is_replaced),
		cmocka_unit_test(test_a_stale_one_is_replaced_in_its_mode),
		cmocka_unit_test(test_a_running_switchs_is_not_taken),
		cmocka_unit_test(test_a_busy_switchs_is_not_taken_either),
		cmocka_unit_test(test_a_name_taken_by_nobody_is_not_heeded),
		cmocka_unit_test(test_only_ours_is_detached),
		cmocka_unit_test(test_one_that_cannot_be_detached_drops_nothing),
		cmocka_unit_test(test_the_interface_may_be_gone),
		cmocka_unit_test(test_macs_are_replaced_as_a_whole),
		cmocka_unit_test(test_the_first_macs_find_room),
		cmocka_unit_test(test_sources_are_their_networks),
		cmocka_unit_test(test_a_full_map_keeps_what_it_has),
		cmocka_unit_test(test_numbers_out_of_range),
	};

	return cmocka_run_group_tests_name("xdp_program", tests, setup, NULL);
}
