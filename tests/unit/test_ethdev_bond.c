/*
 * Bonds over net_ring devices, each of which brings back what is sent to it: so what a bond
 * receives says which member it used. No privileges, no hardware.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "config.h"
#include "ethdev_bond_member.h"
#include "port_driver.h"
#include "trunk_port.h"
#include "netns.h"

#define BUFFERS 8191
#define FRAME   60
#define WAIT_MS 20000 /* for what takes some ms, on a machine that does other things */

static unsigned synchronized;
static const char *unusable; /* why there are no taps */
static char err[256];

static void on_dev(struct port_dev *dev)
{
}

static void on_synchronize(void)
{
	synchronized++;
}

static int setup(void **state)
{
	char *argv[] = {"test_ethdev_bond", "--no-huge", "--no-shconf", "--allow=ffff:ff:1f.7",
		"-m", "256", "--no-telemetry", "--log-level=error", NULL};
	cpu_set_t cores;

	unusable = netns_unusable();
	if (sched_getaffinity(0, sizeof(cores), &cores) != 0 || rte_eal_init(8, argv) < 0)
		return -1;
	sched_setaffinity(0, sizeof(cores), &cores);
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	port_env.wake = on_dev;
	port_env.changed = on_dev;
	port_env.synchronize = on_synchronize;
	return port_env.pool != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	return rte_eal_cleanup();
}

/* A port of a bond of members, which are separated by blanks. */
static struct config_port conf_of(enum config_bond_mode mode, const char *members)
{
	struct config_port conf = {.kind = CONFIG_PORT_UPLINK, .mtu = 1500};
	struct config_bond *bond = &conf.uplink.bond;
	char copy[256], *save = NULL;

	snprintf(conf.name, sizeof(conf.name), "up");
	snprintf(copy, sizeof(copy), "%s", members);
	for (char *m = strtok_r(copy, " ", &save); m != NULL; m = strtok_r(NULL, " ", &save))
		snprintf(bond->members[bond->n_members++], sizeof(bond->members[0]), "%s", m);
	bond->mode = mode;
	conf.uplink.queues = 1;
	conf.uplink.mtu = 1500;
	return conf;
}

static struct bond *bond_of(struct port_dev *dev)
{
	return trunk_port(dev)->trunk->device;
}

static struct port_dev *open_conf(const struct config_port *conf)
{
	struct port_dev *dev = uplink_driver.open(conf, 7, err, sizeof(err));

	if (dev == NULL)
		fail_msg("%s", err);
	return dev;
}

static void close_dev(struct port_dev *dev)
{
	assert_int_equal(uplink_driver.close(dev), 0);
	assert_int_equal(rte_eth_dev_count_avail(), 0);
	assert_int_equal(rte_mempool_in_use_count(port_env.pool), 0);
}

/* A second passes for check(). */
static void look(struct port_dev *dev)
{
	bond_of(dev)->checked = 0;
	uplink_driver.check(dev);
}

static const char *state_of(struct port_dev *dev, unsigned member)
{
	static char text[16];
	json_t *row = uplink_driver.describe(dev);
	json_t *shown = json_array_get(json_object_get(row, "members"), member);

	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(shown, "state")));
	json_decref(row);
	return text;
}

/* Until a member has a state; the library looks at links by a timer. */
static void await_state(struct port_dev *dev, unsigned member, const char *state)
{
	/* The library looks every 10 ms; looked at more often than that, it would seem wrong. */
	for (unsigned ms = 1; ms < WAIT_MS && strcmp(state_of(dev, member), state) != 0; ms++) {
		usleep(1000);
		if (ms % 100 == 0)
			look(dev);
	}
	assert_string_equal(state_of(dev, member), state);
	uplink_driver.check(dev); /* too early for a look at the members, but at the link */
}

static uint64_t sent_by(struct port_dev *dev, unsigned member)
{
	struct rte_eth_stats stats;

	assert_int_equal(rte_eth_stats_get(bond_of(dev)->members[member].device.eth, &stats), 0);
	return stats.opackets;
}

/* Sends a frame, by that member. */
static void send_by(struct port_dev *dev, unsigned member)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);
	uint64_t before = sent_by(dev, member);

	assert_non_null(m);
	memset(rte_pktmbuf_append(m, FRAME), 0, FRAME);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 12) = 8;
	assert_int_equal(uplink_driver.tx_burst(dev, 0, &m, 1), 1);
	assert_int_equal(sent_by(dev, member), before + 1);
}

static void set_link(unsigned member, const char *how)
{
	assert_int_equal(netns_command("ip link set dtap%u %s", member, how), 0);
}

static void test_another_member_takes_over(void **state)
{
	struct config_port conf = conf_of(CONFIG_BOND_ACTIVE_BACKUP, "net_tap0 net_tap1");
	struct port_dev *dev;

	if (unusable != NULL) {
		print_message("skipped: %s\n", unusable);
		skip();
	}
	dev = open_conf(&conf);
	await_state(dev, 0, "active");
	await_state(dev, 1, "backup");
	assert_true(atomic_load(&dev->tx_ready) != 0);
	send_by(dev, 0);
	/* It comes in again with a link, and is none that is preferred. */
	set_link(0, "down");
	await_state(dev, 1, "active");
	assert_true(atomic_load(&dev->tx_ready) != 0);
	send_by(dev, 1);
	await_state(dev, 0, "backup");
	assert_string_equal(state_of(dev, 1), "active");
	send_by(dev, 1);
	set_link(1, "down");
	await_state(dev, 0, "active");
	send_by(dev, 0);
	close_dev(dev);
}

static void test_the_primary_is_preferred(void **state)
{
	struct config_port conf = conf_of(CONFIG_BOND_ACTIVE_BACKUP, "net_tap0 net_tap1");
	struct port_dev *dev;

	if (unusable != NULL) {
		print_message("skipped: %s\n", unusable);
		skip();
	}
	strcpy(conf.uplink.bond.primary, "net_tap1");
	dev = open_conf(&conf);
	await_state(dev, 1, "active");
	await_state(dev, 0, "backup");
	send_by(dev, 1);
	set_link(1, "down");
	for (unsigned i = 0; i < 2; i++)
		bond_members_out(bond_of(dev));
	await_state(dev, 0, "active");
	send_by(dev, 0);
	await_state(dev, 1, "active");
	await_state(dev, 0, "backup");
	send_by(dev, 1);
	close_dev(dev);
}

/* Removed under the bond, and back: all others go on. */
static void test_members_go_and_come(void **state)
{
	struct config_port conf = conf_of(
		CONFIG_BOND_ACTIVE_BACKUP, "net_null0,no-rx=1 net_null1,no-rx=1");
	struct port_dev *dev = open_conf(&conf);
	struct bond *bond = bond_of(dev);
	json_t *row;

	await_state(dev, 0, "active");
	synchronized = 0;
	atomic_store(&bond->members[0].device.gone, true);
	bond_members_out(bond);
	assert_int_equal(synchronized, 1);
	assert_int_equal(atomic_load(&bond->n_in), 1);
	assert_int_equal(rte_eth_dev_count_avail(), 2); /* the bond, and the other */
	row = uplink_driver.describe(dev);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(row, "members"), 0), "error")),
		"net_null0,no-rx=1 was removed");
	json_decref(row);
	await_state(dev, 1, "active"); /* and, as it looks, the first comes in again */
	await_state(dev, 0, "backup");
	send_by(dev, 1);
	assert_false(atomic_load(&dev->lost));
	/* All at once: nothing is received from what is not there. */
	atomic_store(&bond->members[0].device.gone, true);
	atomic_store(&bond->members[1].device.gone, true);
	bond_members_out(bond);
	assert_int_equal(atomic_load(&bond->n_in), 0);
	assert_int_equal(rte_eth_dev_count_avail(), 1);
	assert_int_equal(uplink_driver.rx_burst(dev, 0, &(struct rte_mbuf *){NULL}, 1), 0);
	look(dev);
	await_state(dev, 0, "active");
	send_by(dev, 0);
	close_dev(dev);
}

static void test_members_that_are_not_there(void **state)
{
	struct config_port conf = conf_of(
		CONFIG_BOND_ACTIVE_BACKUP, "net_nosuchdriver0 net_null0,no-rx=1 0000:fe:1f.5");
	struct port_dev *dev = open_conf(&conf);
	json_t *row, *members;

	await_state(dev, 1, "active");
	row = uplink_driver.describe(dev);
	members = json_object_get(row, "members");
	assert_non_null(
		strstr(json_string_value(json_object_get(json_array_get(members, 0), "error")),
			"net_nosuchdriver0: cannot be made"));
	assert_non_null(
		strstr(json_string_value(json_object_get(json_array_get(members, 2), "error")),
			"this host has no such PCI device"));
	json_decref(row);
	send_by(dev, 1);
	close_dev(dev);

	conf = conf_of(CONFIG_BOND_LACP, "net_ring0");
	assert_null(uplink_driver.open(&conf, 1, err, sizeof(err)));
	assert_non_null(strstr(err, "net_ring0: its MAC cannot be set"));
	conf = conf_of(CONFIG_BOND_LACP, "0000:fe:1f.5 net_nosuchdriver0");
	for (unsigned again = 0; again < 2; again++) {
		assert_null(uplink_driver.open(&conf, 1, err, sizeof(err)));
		assert_non_null(strstr(err, "no member of the bond can be used, first of all "
					    "0000:fe:1f.5: this host has no such PCI device"));
	}
	assert_int_equal(rte_eth_dev_count_avail(), 0);
}

/* One that can do less than what the bond was opened with. */
static void test_a_member_of_another_kind(void **state)
{
	struct config_port conf = conf_of(
		CONFIG_BOND_ACTIVE_BACKUP, "net_null0,no-rx=1 net_null1,no-rx=1");
	struct port_dev *dev = open_conf(&conf);
	struct bond *bond = bond_of(dev);

	await_state(dev, 0, "active");
	assert_int_equal(atomic_load(&dev->tx_caps), 0); /* net_null's */
	atomic_store(&bond->members[1].device.gone, true);
	bond_members_out(bond);
	bond->device.facts.tx_offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
	look(dev);
	assert_true(atomic_load(&dev->lost)); /* and is opened anew */
	close_dev(dev);
}

static void test_lacp_with_nobody(void **state)
{
	struct config_port conf = conf_of(CONFIG_BOND_LACP, "net_null0,no-rx=1 net_null1,no-rx=1");
	struct port_dev *dev = open_conf(&conf);
	struct rte_mbuf *pkts[3];
	json_t *row;

	await_state(dev, 0, "waiting");
	await_state(dev, 1, "waiting");
	row = uplink_driver.describe(dev);
	assert_non_null(strstr(json_string_value(json_object_get(row, "error")),
		"no member has agreed with the far end by LACP"));
	assert_true(json_is_null(json_object_get(
		json_object_get(json_array_get(json_object_get(row, "members"), 0), "lacp"),
		"partner_system")));
	json_decref(row);
	/* Nothing goes, and the order is as before. */
	for (unsigned i = 0; i < 3; i++) {
		pkts[i] = rte_pktmbuf_alloc(port_env.pool);
		memset(rte_pktmbuf_append(pkts[i], FRAME), (int)i, FRAME);
	}
	assert_int_equal(uplink_driver.tx_burst(dev, 0, pkts, 3), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(*rte_pktmbuf_mtod(pkts[i], uint8_t *), i);
		rte_pktmbuf_free(pkts[i]);
	}
	/* LACPDUs go out although nothing is sent: whoever looks for frames sees to it. */
	for (unsigned ms = 0; ms < WAIT_MS && (sent_by(dev, 0) == 0 || sent_by(dev, 1) == 0);
		ms++) {
		assert_int_equal(uplink_driver.rx_burst(dev, 0, pkts, 3), 0);
		usleep(1000);
	}
	assert_true(sent_by(dev, 0) > 0 && sent_by(dev, 1) > 0);
	close_dev(dev);
}

static struct rte_mbuf *took[PORT_BURST_MAX]; /* what a member sends on and frees */

/*
 * As the library does it (tx_burst_balance() in rte_eth_bond_pmd.c): one member takes the second of
 * two, another one not the first, which stands over it afterwards.
 */
static uint16_t take_the_second(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	assert_int_equal(n, 2);
	took[0] = pkts[1];
	pkts[1] = pkts[0];
	return 1;
}

/* One is a copy, as others look at it, too, the other one is not: each is freed once. */
static void test_what_one_member_does_not_take(void **state)
{
	struct config_port conf = conf_of(CONFIG_BOND_LACP, "net_null0,no-rx=1 net_null1,no-rx=1");
	struct rte_mbuf *pkts[2], *shared;
	struct port_dev *dev;
	eth_tx_burst_t before;
	uint16_t eth;

	conf.uplink.vlan = 100;
	dev = open_conf(&conf);
	eth = bond_of(dev)->device.eth;
	for (unsigned i = 0; i < 2; i++) {
		pkts[i] = rte_pktmbuf_alloc(port_env.pool);
		memset(rte_pktmbuf_append(pkts[i], FRAME), 0, FRAME);
	}
	shared = pkts[0];
	rte_mbuf_refcnt_update(shared, 1);
	before = rte_eth_fp_ops[eth].tx_pkt_burst;
	rte_eth_fp_ops[eth].tx_pkt_burst = take_the_second;
	assert_int_equal(uplink_driver.tx_burst(dev, 0, pkts, 2), 2);
	rte_eth_fp_ops[eth].tx_pkt_burst = before;
	assert_int_equal(atomic_load(&bond_of(dev)->tx_lost), 1);
	assert_int_equal(rte_mempool_in_use_count(port_env.pool), 2);
	assert_int_equal(rte_mbuf_refcnt_read(shared), 1);
	rte_pktmbuf_free(shared);
	rte_pktmbuf_free(took[0]);
	close_dev(dev);
}

static uint16_t take_one(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	took[0] = pkts[0];
	return 1;
}

/* With one member at a time the rest is in order, and offered again. */
static void test_a_member_that_is_full(void **state)
{
	struct config_port conf = conf_of(CONFIG_BOND_ACTIVE_BACKUP, "net_null0,no-rx=1");
	struct port_dev *dev = open_conf(&conf);
	uint16_t eth = bond_of(dev)->device.eth;
	eth_tx_burst_t before = rte_eth_fp_ops[eth].tx_pkt_burst;
	struct rte_mbuf *pkts[3];

	for (unsigned i = 0; i < 3; i++) {
		pkts[i] = rte_pktmbuf_alloc(port_env.pool);
		memset(rte_pktmbuf_append(pkts[i], FRAME), 0, FRAME);
	}
	rte_eth_fp_ops[eth].tx_pkt_burst = take_one;
	assert_int_equal(uplink_driver.tx_burst(dev, 0, pkts, 3), 1);
	rte_eth_fp_ops[eth].tx_pkt_burst = before;
	assert_int_equal(atomic_load(&bond_of(dev)->tx_lost), 0);
	assert_int_equal(rte_mempool_in_use_count(port_env.pool), 3);
	rte_pktmbuf_free(took[0]);
	rte_pktmbuf_free_bulk(pkts + 1, 2);
	close_dev(dev);
}

static void test_other_members_are_another_bond(void **state)
{
	struct config_port conf = conf_of(
		CONFIG_BOND_ACTIVE_BACKUP, "net_null0,no-rx=1 net_null1,no-rx=1");
	struct port_dev *dev = open_conf(&conf);

	assert_int_equal(uplink_driver.update(dev, &conf), 0);
	strcpy(conf.uplink.bond.primary, "net_null1,no-rx=1");
	assert_int_equal(uplink_driver.update(dev, &conf), -1);
	conf = conf_of(CONFIG_BOND_ACTIVE_BACKUP, "net_null0,no-rx=1");
	assert_int_equal(uplink_driver.update(dev, &conf), -1);
	close_dev(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_member_takes_over),
		cmocka_unit_test(test_the_primary_is_preferred),
		cmocka_unit_test(test_members_go_and_come),
		cmocka_unit_test(test_members_that_are_not_there),
		cmocka_unit_test(test_a_member_of_another_kind),
		cmocka_unit_test(test_lacp_with_nobody),
		cmocka_unit_test(test_what_one_member_does_not_take),
		cmocka_unit_test(test_a_member_that_is_full),
		cmocka_unit_test(test_other_members_are_another_bond),
	};

	return cmocka_run_group_tests_name("ethdev_bond", tests, setup, teardown);
}
