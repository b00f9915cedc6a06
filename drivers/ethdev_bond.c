#include "ethdev_bond.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eth_bond.h>
#include <rte_log.h>

#include "ethdev_bond_member.h"
#include "ethdev_probe.h"
#include "trunk_tx.h"

#define BONDS    16
#define CHECK_MS 500 /* between two looks at the members: all ports of the trunk ask for one */

/*
 * The library sends the LACPDUs that are due with whatever is sent, and wants that to be every 100
 * ms at least (DPDK's guide, Link Bonding Poll Mode Driver Library): an idle uplink sends nothing.
 */
#define FLUSH_MS 20

static uint64_t cycles(unsigned ms)
{
	return ms * (rte_get_tsc_hz() / 1000);
}

/* An empty bond. 0, or -1. What goes wrong with it is told by its port. */
static int create(struct bond *bond)
{
	uint8_t mode = bond->lacp ? BONDING_MODE_8023AD : BONDING_MODE_ACTIVE_BACKUP;
	char name[RTE_ETH_NAME_MAX_LEN];
	struct rte_eth_dev_info info;
	uint16_t taken;

	rte_log_set_level_pattern("pmd.net.bond*", RTE_LOG_CRIT);
	for (unsigned i = 0; i < BONDS; i++) {
		int eth;

		snprintf(name, sizeof(name), "net_bonding%u", i);
		if (rte_eth_dev_get_port_by_name(name, &taken) == 0)
			continue;
		eth = rte_eth_bond_create(name, mode, 0);
		if (eth < 0)
			return -1;
		bond->device.eth = (uint16_t)eth;
		bond->device.probed = true;
		if (rte_eth_dev_info_get(bond->device.eth, &info) != 0)
			return -1;
		bond->device.device = info.device;
		/* A connection goes by one member, whichever guests it is between. */
		return bond->lacp ? rte_eth_bond_xmit_policy_set(
					    bond->device.eth, BALANCE_XMIT_POLICY_LAYER34)
				  : 0;
	}
	return -1;
}

/* What the bond can do is what all members can that are in. */
static void find_offloads(struct bond *bond)
{
	struct ethdev *device = &bond->device;

	device->usable = device->rx_capa = ~UINT64_C(0);
	for (unsigned i = 0; i < bond->n_members; i++) {
		const struct ethdev *member = &bond->members[i].device;

		if (!bond->members[i].in)
			continue;
		device->usable &= member->usable;
		device->rx_capa &= member->rx_capa;
		if (device->segments == 0 ||
			(member->segments != 0 && member->segments < device->segments))
			device->segments = member->segments;
	}
}

static int bring_up(struct bond *bond, char *err, size_t err_len)
{
	if (create(bond) != 0) {
		snprintf(err, err_len, "a bond cannot be made: DPDK has no memory or device left");
		return -1;
	}
	bond_members_in(bond);
	if (atomic_load(&bond->n_in) == 0) {
		snprintf(err, err_len, "no member of the bond can be used, first of all %s",
			bond->members[0].error);
		return -1;
	}
	find_offloads(bond);
	if (ethdev_probe_run(&bond->device, err, err_len) != 0)
		return -1;
	for (unsigned i = 0; i < bond->n_members; i++) {
		bond->members[i].device.started = bond->members[i].in;
		if (bond->members[i].in)
			rte_eth_promiscuous_enable(bond->members[i].device.eth);
	}
	return 0;
}

static void take_down(struct bond *bond)
{
	uint32_t level = ethdev_probe_hush();

	if (bond->device.started)
		rte_eth_dev_stop(bond->device.eth);
	bond->device.started = false;
	bond_members_close(bond);
	ethdev_probe_stop(&bond->device);
	ethdev_probe_unhush(level);
}

static struct bond *bond_new(struct trunk *trunk)
{
	const struct config_bond *conf = &trunk->conf.bond;
	struct bond *bond = calloc(1, sizeof(*bond));

	if (bond == NULL)
		return NULL;
	bond->lacp = conf->mode == CONFIG_BOND_LACP;
	bond->n_members = conf->n_members;
	bond->device.trunk = trunk;
	bond->device.name = bond->lacp ? "the bond (lacp)" : "the bond (active-backup)";
	for (unsigned i = 0; i < conf->n_members; i++) {
		bond->members[i].device.trunk = trunk;
		bond->members[i].device.name = conf->members[i];
	}
	return bond;
}

static int bond_open(struct trunk *trunk, char *err, size_t err_len)
{
	struct bond *bond = bond_new(trunk);
	uint32_t level;
	int rc;

	if (bond == NULL) {
		snprintf(err, err_len, "uplink: out of memory");
		return -1;
	}
	level = ethdev_probe_hush();
	rc = bring_up(bond, err, err_len);
	if (rc != 0)
		take_down(bond);
	ethdev_probe_unhush(level);
	if (rc != 0) {
		free(bond);
		return -1;
	}
	trunk->device = bond;
	rte_eth_macaddr_get(bond->device.eth, &trunk->mac);
	return 0;
}

static uint64_t bond_close(struct trunk *trunk)
{
	take_down(trunk->device);
	free(trunk->device);
	return 0;
}

/* The bond stays, whichever of its members are there. */
static bool bond_is_there(struct trunk *trunk)
{
	struct bond *bond = trunk->device;
	uint64_t now = rte_rdtsc();

	if (now - bond->checked < cycles(CHECK_MS))
		return !bond->outdated;
	bond->checked = now;
	bond_members_out(bond);
	if (atomic_load(&bond->n_in) < bond->n_members)
		bond_members_in(bond);
	return !bond->outdated;
}

static void flush(struct trunk *trunk, struct bond *bond)
{
	uint64_t now = rte_rdtsc();
	bool refused;

	if (now - atomic_load_explicit(&bond->flushed, memory_order_relaxed) < cycles(FLUSH_MS))
		return;
	atomic_store_explicit(&bond->flushed, now, memory_order_relaxed);
	trunk_send(trunk, NULL, 0, &refused); /* calls bond_tx_burst() */
}

static uint16_t bond_rx_burst(
	struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct bond *bond = trunk->device;

	if (atomic_load_explicit(&bond->n_in, memory_order_acquire) == 0)
		return 0;
	if (bond->lacp)
		flush(trunk, bond);
	return ethdev_rx_burst(trunk, queue, pkts, n);
}

/*
 * The library puts what some member did not take over the last of those it was given, and so out of
 * order: either all of it is offered again or none. pkts is as it was in the end, since its owner
 * goes by what is where in it.
 */
static uint16_t settle(struct bond *bond, struct rte_mbuf **pkts, struct rte_mbuf *const *given,
	uint16_t sent, uint16_t n)
{
	if (sent > 0) {
		trunk_count(&bond->tx_lost, n - sent);
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	}
	for (uint16_t i = 0; i < n; i++)
		pkts[i] = given[i];
	return sent > 0 ? n : 0;
}

static uint16_t bond_tx_burst(
	struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, bool *refused)
{
	struct bond *bond = trunk->device;
	struct rte_mbuf *given[PORT_BURST_MAX];
	uint16_t sent;

	if (atomic_load_explicit(&bond->n_in, memory_order_acquire) == 0)
		return 0;
	if (n == 0)
		return rte_eth_tx_burst(bond->device.eth, queue, pkts, 0);
	for (uint16_t i = 0; i < n; i++)
		given[i] = pkts[i];
	sent = ethdev_tx_burst(trunk, queue, pkts, n, refused);
	/* One member at a time takes the first of them. */
	if (sent == n || *refused || !bond->lacp)
		return sent;
	return settle(bond, pkts, given, sent, n);
}

static void bond_describe(const struct trunk *trunk, json_t *row, json_t *shown)
{
	const struct bond *bond = trunk->device;

	ethdev_describe(trunk, row, shown);
	json_object_set_new(shown, "name", json_string(bond->device.name));
	json_object_set_new(shown, "tx_lost",
		json_integer(
			(json_int_t)atomic_load_explicit(&bond->tx_lost, memory_order_relaxed)));
	json_object_set_new(row, "members", bond_members_describe(bond));
	if (json_is_null(json_object_get(row, "error")) && !bond_members_agree(bond))
		json_object_set_new(row, "error",
			json_string(
				"no member has agreed with the far end by LACP: is it configured "
				"there, for these ports as one bond?"));
}

const struct trunk_ops ethdev_bond_ops = {
	.open = bond_open,
	.close = bond_close,
	.link = ethdev_link,
	.is_there = bond_is_there,
	.rx_burst = bond_rx_burst,
	.tx_burst = bond_tx_burst,
	.describe = bond_describe,
};
