/* What filters in front of uplinks are told: MACs that are here, and who elsewhere is cut off. */
#include "port_edge.h"
#include "quarantine_remote.h"
#include "switch_rig.h"
#include "switch_state.h"

#define NETWORKS "networks: [{name: n, tenant: acme}, {name: t, tenant: acme, vlan: 7}]\n"
#define UPLINK   "uplinks: [{name: up, device: net_ring0, untagged: n, networks: [t]}]\n"
#define PORTS                                                                                      \
	"ports:\n"                                                                                 \
	"  - {name: a, network: n, kernel: {interface: a}, mac: 02:00:00:00:00:0a,\n"              \
	"     pairs: [{ip: 10.0.0.9, mac: 02:00:00:00:00:99}]}\n"                                  \
	"  - {name: b, network: n, kernel: {interface: b}}\n"                                      \
	"  - {name: c, network: t, kernel: {interface: c}, mac: 02:00:00:00:00:0c}\n"

#define INSPECTION                                                                                 \
	"inspection: [{tenant: acme, services: [4450],\n"                                          \
	"  quarantine: {level: service, allow: [{protocol: tcp, ports: 8080}]}}]\n"

/* What a port's filter was told last. */
struct told {
	unsigned times;
	char macs[512], sources[512], services[64]; /* in order, a space behind each */
	unsigned n_allow;
	int first_allowed; /* port; -1: none */
};

static struct told untagged, tagged;
static struct port_driver driver;
static const struct addr attacker = {.low = ADDR_V4_PREFIX | 0x0a000042}; /* 10.0.0.66 */
static uint64_t dropped; /* of the attacker, by each filter */
static bool counts_anew; /* when it is told of others than before */
static const struct addr other = {.low = ADDR_V4_PREFIX | 0x0a000043};

static void append(char *text, size_t size, const char *item)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s ", item);
}

static void on_edge(struct port_dev *dev, const struct port_edge *edge)
{
	struct told *told = rig_dev(dev)->conf.uplink.vlan == 0 ? &untagged : &tagged;
	char item[ADDR_TEXT_MAX + 16];

	if (rig_dev(dev)->conf.kind != CONFIG_PORT_UPLINK)
		return;
	dropped = counts_anew ? 0 : dropped;
	*told = (struct told){.times = told->times + 1, .first_allowed = -1};
	for (unsigned i = 0; i < edge->n_macs; i++) {
		snprintf(item, sizeof(item), "%02x", edge->macs[i][5]);
		append(told->macs, sizeof(told->macs), item);
	}
	for (unsigned i = 0; i < edge->n_sources; i++) {
		char text[ADDR_TEXT_MAX];

		addr_format(edge->sources[i].addr, text);
		snprintf(item, sizeof(item), "%s/%d", text, edge->sources[i].level);
		append(told->sources, sizeof(told->sources), item);
	}
	for (unsigned i = 0; i < edge->n_services; i++) {
		snprintf(item, sizeof(item), "%u", edge->services[i]);
		append(told->services, sizeof(told->services), item);
	}
	told->n_allow = edge->n_allow;
	if (edge->n_allow > 0)
		told->first_allowed = edge->allow[0].ports.first;
}

static uint64_t on_drops(struct port_dev *dev, struct addr source)
{
	return rig_dev(dev)->conf.kind == CONFIG_PORT_UPLINK && addr_equal(source, attacker)
		       ? dropped
		       : 0;
}

/* What it counted is gone with it. */
static uint64_t on_close(struct port_dev *dev)
{
	if (rig_dev(dev)->conf.kind == CONFIG_PORT_UPLINK)
		dropped = 0;
	return rig_driver.close(dev);
}

static int start_eal(void **state)
{
	int rc = rig_eal("test_switch_edge", "512");

	driver = rig_driver;
	driver.edge = on_edge;
	driver.edge_drops = on_drops;
	driver.close = on_close;
	switch_ports_use_driver(&driver);
	return rc;
}

static int begin(void **state)
{
	memset(&untagged, 0, sizeof(untagged));
	memset(&tagged, 0, sizeof(tagged));
	dropped = 3;
	counts_anew = false;
	return rig_begin(state);
}

static uint16_t index_of(const char *network)
{
	return switch_find_network(network)->index;
}

static void set(const char *network, struct addr addr, enum config_quarantine_level level)
{
	assert_true(quarantine_remote_set(index_of(network), addr, level));
}

/* Configured ones with their pairs', of the network whose frames have no tag. */
static void test_configured_macs(void **state)
{
	rig_start(NETWORKS UPLINK PORTS);
	assert_string_equal(untagged.macs, "0a 99 ");
	assert_string_equal(tagged.macs, "");
	assert_int_equal(tagged.times, 1);
	rig_apply(NETWORKS UPLINK
		"ports: [{name: d, network: n, kernel: {interface: d}, mac: 02:00:00:00:00:0d}]");
	assert_string_equal(untagged.macs, "0d ");
}

/* Of ports here, none of those behind the uplink. */
static void test_learned_macs(void **state)
{
	rig_start(NETWORKS UPLINK PORTS);
	rig_send("b", RIG_BROADCAST, 0xb1, 1);
	rig_send("up", RIG_BROADCAST, 0xee, 2);
	rig_settle();
	switch_tick();
	assert_string_equal(untagged.macs, "0a 99 b1 ");
	rig_apply(NETWORKS UPLINK "ports: [{name: c, network: t, kernel: {interface: c}}]");
	rig_settle();
	switch_tick();
	assert_string_equal(untagged.macs, "");
	rig_take("up");
	rig_take("c");
}

static void test_who_is_cut_off(void **state)
{
	rig_start(NETWORKS UPLINK PORTS);
	assert_string_equal(untagged.sources, "");
	set("n", attacker, CONFIG_QUARANTINE_SERVICE);
	assert_string_equal(untagged.sources, "10.0.0.66/2 ");
	assert_string_equal(tagged.sources, "");
	set("n", attacker, CONFIG_QUARANTINE_PORT);
	assert_string_equal(untagged.sources, "10.0.0.66/3 ");
	set("t", other, CONFIG_QUARANTINE_PORT);
	assert_string_equal(tagged.sources, "10.0.0.67/3 ");
	assert_int_equal(quarantine_remote_drops(index_of("n"), attacker), 3);
	assert_int_equal(quarantine_remote_drops(index_of("t"), other), 0);
	/* Those that stand are told to a port that is opened later. */
	rig_apply(NETWORKS PORTS);
	memset(&untagged, 0, sizeof(untagged));
	rig_apply(NETWORKS UPLINK PORTS);
	assert_string_equal(untagged.sources, "10.0.0.66/3 ");
	set("n", attacker, CONFIG_QUARANTINE_NONE);
	assert_string_equal(untagged.sources, "");
	set("t", other, CONFIG_QUARANTINE_NONE);
	assert_string_equal(tagged.sources, "");
}

/* As the worker's gate goes by: the tenant's, or those of who has no inspection. */
static void test_what_that_means(void **state)
{
	rig_start(NETWORKS UPLINK PORTS);
	assert_string_equal(untagged.services, "139 445 ");
	assert_int_equal(untagged.first_allowed, 67);
	rig_apply(NETWORKS UPLINK PORTS INSPECTION);
	switch_tick();
	assert_string_equal(untagged.services, "4450 ");
	assert_int_equal(untagged.n_allow, 1);
	assert_int_equal(untagged.first_allowed, 8080);
	assert_string_equal(tagged.services, "4450 ");
}

/* Its device was lost, and is there again. */
static void test_a_port_that_is_opened_again(void **state)
{
	rig_start(NETWORKS UPLINK PORTS);
	assert_int_equal(untagged.times, 1);
	memset(&untagged, 0, sizeof(untagged));
	switch_find_port("up")->dev->lost = true;
	switch_tick();
	assert_string_equal(untagged.macs, "0a 99 ");
}

/* Filters begin at zero: with another level, when their device was lost, or is opened anew. */
static void test_what_was_dropped_is_not_forgotten(void **state)
{
	rig_start(NETWORKS UPLINK PORTS);
	set("n", attacker, CONFIG_QUARANTINE_SERVICE);
	counts_anew = true;
	set("n", attacker, CONFIG_QUARANTINE_PORT);
	counts_anew = false;
	assert_int_equal(quarantine_remote_drops(index_of("n"), attacker), 3);
	dropped = 4;
	assert_int_equal(quarantine_remote_drops(index_of("n"), attacker), 7);
	switch_find_port("up")->dev->driver = &driver;
	switch_find_port("up")->dev->lost = true;
	switch_tick();
	assert_int_equal(dropped, 0);
	assert_int_equal(quarantine_remote_drops(index_of("n"), attacker), 7);
	dropped = 5;
	rig_apply(NETWORKS PORTS);
	assert_int_equal(quarantine_remote_drops(index_of("n"), attacker), 12);
	rig_apply(NETWORKS UPLINK PORTS);
	assert_int_equal(quarantine_remote_drops(index_of("n"), attacker), 12);
	set("n", attacker, CONFIG_QUARANTINE_NONE);
}

#define EDGE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, rig_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EDGE_TEST(test_configured_macs),
		EDGE_TEST(test_learned_macs),
		EDGE_TEST(test_who_is_cut_off),
		EDGE_TEST(test_what_that_means),
		EDGE_TEST(test_a_port_that_is_opened_again),
		EDGE_TEST(test_what_was_dropped_is_not_forgotten),
	};

	return cmocka_run_group_tests_name("switch_edge", tests, start_eal, rig_eal_end);
}
