/* What the switch tells its uplinks' driver, as the XDP program's maps have it then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xdp_follow.h"
#include "xdp_rig.h"

static const char *reason; /* why nothing can be tested here */
static struct xdp_program *program;
static const struct addr attacker = {.low = ADDR_V4_PREFIX | 0x0a000042};
static const uint16_t services[] = {445};

static int setup(void **state)
{
	char err[256];

	reason = xdp_rig_unusable();
	if (reason == NULL &&
		netns_command("ip link set x0 address 02:00:00:00:00:ee; ip link add name b0 "
			      "address 02:00:00:00:00:bb type bridge 2>/dev/null") == 0)
		program = xdp_program_attach(xdp_rig_ifindex, XDP_RIG_QUEUES, err, sizeof(err));
	if (reason == NULL && program == NULL)
		reason = "needs bridges";
	if (reason != NULL)
		print_message("skipped: %s\n", reason);
	return 0;
}

static int teardown(void **state)
{
	if (program != NULL)
		xdp_program_detach(program);
	return 0;
}

#define SKIP_UNLESS_USABLE()                                                                       \
	do {                                                                                       \
		if (reason != NULL)                                                                \
			skip();                                                                    \
	} while (0)

static json_int_t macs_in_use(void)
{
	json_t *all = xdp_program_describe(program);
	json_int_t n = 0;

	assert_int_equal(json_unpack(all, "{s:{s:{s:I}}}", "maps", "macs", "used", &n), 0);
	json_decref(all);
	return n;
}

/* Where a guest sends from the host's MAC, the host gets its frames still. */
static void test_the_hosts_macs_are_the_hosts(void **state)
{
	const uint8_t macs[3][6] = {
		{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 0xee}, {2, 0, 0, 0, 0, 0xbb}};
	const struct port_edge edge = {.macs = macs, .n_macs = 3};

	SKIP_UNLESS_USABLE();
	assert_int_equal(xdp_follow(program, xdp_rig_ifindex, EDGE_OF_VLAN(0), &edge), 0);
	assert_int_equal(macs_in_use(), 2);
	/* What the interface is a port of has its MAC on it, too. */
	assert_int_equal(netns_command("ip link set x0 master b0"), 0);
	assert_int_equal(xdp_follow(program, xdp_rig_ifindex, EDGE_OF_VLAN(0), &edge), 0);
	assert_int_equal(macs_in_use(), 1);
	/* And so has what stands on that. */
	assert_int_equal(
		netns_command("ip link add link b0 name m0 address 02:00:00:00:00:01 type macvlan"),
		0);
	assert_int_equal(xdp_follow(program, xdp_rig_ifindex, EDGE_OF_VLAN(0), &edge), 0);
	assert_int_equal(macs_in_use(), 0);
	assert_int_equal(netns_command("ip link del m0 && ip link set x0 nomaster"), 0);
}

/* Of another network they say nothing. */
static void test_macs_are_the_untagged_networks(void **state)
{
	const uint8_t macs[1][6] = {{2, 0, 0, 0, 0, 1}};
	const struct port_edge one = {.macs = macs, .n_macs = 1}, none = {0};

	SKIP_UNLESS_USABLE();
	assert_int_equal(xdp_follow(program, xdp_rig_ifindex, EDGE_OF_VLAN(0), &one), 0);
	assert_int_equal(xdp_follow(program, xdp_rig_ifindex, EDGE_OF_VLAN(7), &none), 0);
	assert_int_equal(macs_in_use(), 1);
	assert_int_equal(xdp_follow(program, xdp_rig_ifindex, EDGE_OF_VLAN(0), &none), 0);
	assert_int_equal(macs_in_use(), 0);
}

static void assert_source(uint32_t network, const char *level)
{
	json_t *row = json_object(), *source;

	xdp_follow_show(program, network, row);
	source = json_array_get(json_object_get(row, "xdp_sources"), 0);
	if (level == NULL) {
		assert_null(source);
	} else {
		assert_string_equal(json_string_value(json_object_get(source, "level")), level);
		assert_string_equal(
			json_string_value(json_object_get(source, "address")), "10.0.0.66");
	}
	json_decref(row);
}

static void test_sources_and_their_levels(void **state)
{
	struct port_edge_source source = {attacker, CONFIG_QUARANTINE_SERVICE};
	struct port_edge edge = {
		.sources = &source, .n_sources = 1, .services = services, .n_services = 1};

	SKIP_UNLESS_USABLE();
	assert_int_equal(xdp_follow(program, xdp_rig_ifindex, EDGE_OF_VNI(9), &edge), 0);
	assert_source(EDGE_OF_VNI(9), "service");
	assert_source(EDGE_OF_VLAN(9), NULL);
	source.level = CONFIG_QUARANTINE_PORT;
	assert_int_equal(xdp_follow(program, xdp_rig_ifindex, EDGE_OF_VNI(9), &edge), 0);
	assert_source(EDGE_OF_VNI(9), "port");
	assert_int_equal(xdp_follow_drops(program, EDGE_OF_VNI(9), attacker), 0);
	edge.n_sources = 0;
	assert_int_equal(xdp_follow(program, xdp_rig_ifindex, EDGE_OF_VNI(9), &edge), 0);
	assert_source(EDGE_OF_VNI(9), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_hosts_macs_are_the_hosts),
		cmocka_unit_test(test_macs_are_the_untagged_networks),
		cmocka_unit_test(test_sources_and_their_levels),
	};

	return cmocka_run_group_tests_name("xdp_follow", tests, setup, teardown);
}
