#include "ethdev_bond_member.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_alarm.h>
#include <rte_eth_bond.h>
#include <rte_eth_bond_8023ad.h>

#include "ethdev_probe.h"

static void on_fence(void *arg)
{
	atomic_store((_Atomic bool *)arg, true);
}

/*
 * The library looks at members on DPDK's interrupt thread, also at one that was just taken out.
 * That thread does one thing at a time: what it was at is over on return.
 */
static void await_interrupt_thread(void)
{
	_Atomic bool passed = false;

	while (rte_eal_alarm_set(1, on_fence, &passed) != 0)
		usleep(1000); /* no memory for a moment */
	while (!atomic_load(&passed))
		usleep(100);
}

static bool is_primary(const struct bond *bond, const struct bond_member *member)
{
	return strcmp(bond->device.trunk->conf.bond.primary, member->device.name) == 0;
}

/*
 * The library must never prefer a member that is not in: it would receive from it. Where none is
 * configured, the one that is used is preferred, so that none takes its place while it has a link.
 */
static void settle_primary(struct bond *bond)
{
	int current = rte_eth_bond_primary_get(bond->device.eth);
	const struct bond_member *want = NULL;

	for (unsigned i = 0; i < bond->n_members; i++) {
		const struct bond_member *member = &bond->members[i];

		if (!member->in)
			continue;
		if (want == NULL || is_primary(bond, member) ||
			(member->device.eth == current && !is_primary(bond, want)))
			want = member;
	}
	if (want != NULL)
		rte_eth_bond_primary_set(bond->device.eth, want->device.eth);
}

/* The library's timer ends when it has members, and none of them is polled. */
static void note_polling(struct bond *bond)
{
	bool any = false, polled = false;

	for (unsigned i = 0; i < bond->n_members; i++) {
		any |= bond->members[i].in;
		polled |= bond->members[i].in && bond->members[i].polled;
	}
	if (bond->device.started)
		bond->polls &= polled || !any;
	else
		bond->polls = polled;
}

/* What a member that comes late must be able to do; else the bond is opened anew with it. */
static bool fits(const struct bond *bond, const struct bond_member *member)
{
	const struct ethdev_facts *now = &bond->device.facts;

	return !bond->device.started ||
	       ((member->device.usable & now->tx_offloads) == now->tx_offloads &&
		       (member->device.rx_capa & now->rx_offloads) == now->rx_offloads &&
		       (member->device.segments == 0 ||
			       (bond->device.segments != 0 &&
				       member->device.segments >= bond->device.segments)) &&
		       (bond->polls || !member->polled));
}

static bool has_carrier(const struct ethdev *device)
{
	return device->iface.name[0] == '\0' || iface_is_running(&device->iface);
}

/* The library gives its members the bond's MAC. */
static bool takes_mac(const struct ethdev *device)
{
	struct rte_ether_addr mac;

	return rte_eth_macaddr_get(device->eth, &mac) == 0 &&
	       rte_eth_dev_default_mac_addr_set(device->eth, &mac) == 0;
}

static bool add(struct bond *bond, struct bond_member *member)
{
	struct ethdev *device = &member->device;

	if (!has_carrier(device)) {
		snprintf(member->error, sizeof(member->error), "%s has no carrier", device->name);
		return false;
	}
	if (!fits(bond, member)) {
		snprintf(member->error, sizeof(member->error),
			"%s can do less than the others: the bond is opened anew", device->name);
		bond->outdated = true;
		return false;
	}
	if (!takes_mac(device)) {
		snprintf(member->error, sizeof(member->error),
			"%s: its MAC cannot be set, as a bond does: use another device",
			device->name);
		return false;
	}
	if (rte_eth_bond_slave_add(bond->device.eth, device->eth) != 0) {
		snprintf(member->error, sizeof(member->error),
			"%s: DPDK does not take it into the bond: is it in use, or of another kind "
			"than the others?",
			device->name);
		return false;
	}
	/* The bond starts and stops it; whoever takes it out has to stop it. */
	device->started = bond->device.started;
	if (device->started)
		rte_eth_promiscuous_enable(device->eth);
	return true;
}

static void come_in(struct bond *bond, struct bond_member *member)
{
	struct ethdev *device = &member->device;
	uint32_t level = ethdev_probe_hush();

	if (ethdev_probe_find(device, member->error, sizeof(member->error)) != 0)
		goto out;
	member->polled = !device->tells_link;
	if (!add(bond, member)) {
		ethdev_probe_stop(device);
		goto out;
	}
	member->error[0] = '\0';
	member->in = true;
	member->odd = false;
	atomic_fetch_add(&bond->n_in, 1);
out:
	ethdev_probe_unhush(level);
}

void bond_members_in(struct bond *bond)
{
	for (unsigned i = 0; i < bond->n_members; i++)
		if (!bond->members[i].in)
			come_in(bond, &bond->members[i]);
	note_polling(bond);
	settle_primary(bond);
}

static void go_out(struct bond *bond, struct bond_member *member, const char *why)
{
	uint32_t level = ethdev_probe_hush();

	snprintf(member->error, sizeof(member->error), "%s %s", member->device.name, why);
	member->in = false;
	atomic_fetch_sub(&bond->n_in, 1);
	settle_primary(bond);
	rte_eth_bond_slave_remove(bond->device.eth, member->device.eth);
	/* Workers may be at it, and then the library. */
	port_env.synchronize();
	await_interrupt_thread();
	ethdev_probe_stop(&member->device);
	note_polling(bond);
	settle_primary(bond);
	ethdev_probe_unhush(level);
}

static bool is_active(const struct bond *bond, const struct bond_member *member)
{
	uint16_t active[RTE_MAX_ETHPORTS];
	int n = rte_eth_bond_active_slaves_get(bond->device.eth, active, RTE_MAX_ETHPORTS);

	for (int i = 0; i < n; i++)
		if (active[i] == member->device.eth)
			return member->in;
	return false;
}

/* The library's own look at the link may just be due: what counts is that it stays wrong. */
static bool is_misjudged(const struct bond *bond, struct bond_member *member)
{
	struct rte_eth_link link;
	bool was_odd = member->odd;

	member->odd = rte_eth_link_get_nowait(member->device.eth, &link) == 0 &&
		      (link.link_status == RTE_ETH_LINK_UP) != is_active(bond, member);
	return member->odd && was_odd;
}

void bond_members_out(struct bond *bond)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		struct bond_member *member = &bond->members[i];

		if (!member->in)
			continue;
		if (!ethdev_device_is_there(&member->device))
			go_out(bond, member, "was removed");
		else if (!has_carrier(&member->device))
			go_out(bond, member, "has no carrier");
		else if (is_misjudged(bond, member))
			go_out(bond, member, "has another link than the bond thinks");
	}
	settle_primary(bond);
}

void bond_members_close(struct bond *bond)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		if (!bond->members[i].in)
			continue;
		rte_eth_bond_slave_remove(bond->device.eth, bond->members[i].device.eth);
		await_interrupt_thread();
		ethdev_probe_stop(&bond->members[i].device);
		bond->members[i].in = false;
	}
}

/* IEEE 802.1AX-2014, 6.4.2.3: the bits of an actor's or partner's state. */
static json_t *state_words(uint8_t state)
{
	static const struct {
		uint8_t bit;
		const char *word;
	} words[] = {
		{STATE_LACP_ACTIVE, "active"},
		{STATE_LACP_SHORT_TIMEOUT, "short-timeout"},
		{STATE_AGGREGATION, "aggregation"},
		{STATE_SYNCHRONIZATION, "synchronization"},
		{STATE_COLLECTING, "collecting"},
		{STATE_DISTRIBUTING, "distributing"},
		{STATE_DEFAULTED, "defaulted"},
		{STATE_EXPIRED, "expired"},
	};
	json_t *list = json_array();

	for (unsigned i = 0; i < RTE_DIM(words); i++)
		if (state & words[i].bit)
			json_array_append_new(list, json_string(words[i].word));
	return list;
}

static bool lacp_of(const struct bond *bond, const struct bond_member *member,
	struct rte_eth_bond_8023ad_slave_info *info)
{
	return bond->lacp && member->in &&
	       rte_eth_bond_8023ad_slave_info(bond->device.eth, member->device.eth, info) == 0;
}

static bool distributes(const struct bond *bond, const struct bond_member *member)
{
	struct rte_eth_bond_8023ad_slave_info info;

	return lacp_of(bond, member, &info) && (info.actor_state & STATE_DISTRIBUTING);
}

static const char *state_of(const struct bond *bond, const struct bond_member *member)
{
	if (!member->in)
		return "out";
	if (!is_active(bond, member))
		return "down";
	if (bond->lacp)
		return distributes(bond, member) ? "active" : "waiting";
	return rte_eth_bond_primary_get(bond->device.eth) == member->device.eth ? "active"
										: "backup";
}

static json_t *describe_lacp(const struct rte_eth_bond_8023ad_slave_info *info)
{
	const uint8_t *mac = info->partner.system.addr_bytes;

	return json_pack("{s:o, s:o, s:o}", "actor", state_words(info->actor_state), "partner",
		state_words(info->partner_state), "partner_system",
		rte_is_zero_ether_addr(&info->partner.system)
			? json_null()
			: json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
				  mac[3], mac[4], mac[5]));
}

static json_t *describe(const struct bond *bond, const struct bond_member *member)
{
	struct rte_eth_bond_8023ad_slave_info info;
	struct rte_eth_stats stats = {0};
	json_t *row = json_pack("{s:s, s:s, s:o}", "device", member->device.name, "state",
		state_of(bond, member), "error",
		member->in ? json_null() : json_string(member->error));

	if (member->in && rte_eth_stats_get(member->device.eth, &stats) == 0) {
		json_object_set_new(row, "rx_packets", json_integer((json_int_t)stats.ipackets));
		json_object_set_new(row, "tx_packets", json_integer((json_int_t)stats.opackets));
	}
	if (lacp_of(bond, member, &info))
		json_object_set_new(row, "lacp", describe_lacp(&info));
	return row;
}

json_t *bond_members_describe(const struct bond *bond)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < bond->n_members; i++)
		json_array_append_new(list, describe(bond, &bond->members[i]));
	return list;
}

bool bond_members_agree(const struct bond *bond)
{
	bool any = !bond->lacp;

	for (unsigned i = 0; i < bond->n_members; i++)
		any |= distributes(bond, &bond->members[i]);
	return any;
}
