#include "ethdev.h"

#include <stdio.h>
#include <stdlib.h>

#include "ethdev_probe.h"

/*
 * To the switch these say what a guest left open, not what a device found: NONE would be a sum to
 * be completed. The device was asked for none of it.
 */
#define IGNORED_FLAGS (RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_LRO)

static int ethdev_open(struct trunk *trunk, char *err, size_t err_len)
{
	struct ethdev *device = calloc(1, sizeof(*device));

	if (device == NULL) {
		snprintf(err, err_len, "uplink: out of memory");
		return -1;
	}
	device->trunk = trunk;
	device->name = trunk->conf.device;
	if (ethdev_probe_start(device, err, err_len) == 0) {
		trunk->device = device;
		rte_eth_macaddr_get(device->eth, &trunk->mac);
		return 0;
	}
	free(device);
	return -1;
}

/* What the NIC has it sends, or keeps to itself. */
static uint64_t ethdev_close(struct trunk *trunk)
{
	ethdev_probe_stop(trunk->device);
	free(trunk->device);
	return 0;
}

bool ethdev_link(const struct trunk *trunk, uint32_t *mbps, bool *full_duplex)
{
	const struct ethdev *device = trunk->device;
	struct rte_eth_link link;
	bool up = rte_eth_link_get_nowait(device->eth, &link) == 0 &&
		  link.link_status == RTE_ETH_LINK_UP;

	if (mbps != NULL)
		*mbps = up && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN ? link.link_speed : 0;
	if (full_duplex != NULL)
		*full_duplex = up && link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	/* Drivers that stand on an interface of the kernel don't look at its carrier. */
	if (device->iface.name[0] != '\0')
		up = iface_is_running(&device->iface);
	return up;
}

bool ethdev_device_is_there(const struct ethdev *device)
{
	return !atomic_load(&device->gone) &&
	       (device->iface.name[0] == '\0' || iface_is_there(&device->iface));
}

static bool ethdev_is_there(struct trunk *trunk)
{
	return ethdev_device_is_there(trunk->device);
}

uint16_t ethdev_rx_burst(struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	const struct ethdev *device = trunk->device;

	n = rte_eth_rx_burst(device->eth, queue, pkts, n);
	for (uint16_t i = 0; i < n; i++)
		pkts[i]->ol_flags &= ~IGNORED_FLAGS;
	return n;
}

/* For the NIC to write the headers of each segment anew. */
static void ask_for_segments(struct rte_mbuf *m)
{
	if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) && (m->ol_flags & RTE_MBUF_F_TX_IPV4))
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
}

uint16_t ethdev_tx_burst(
	struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, bool *refused)
{
	const struct ethdev *device = trunk->device;
	uint16_t good, sent = 0;

	for (uint16_t i = 0; i < n; i++)
		ask_for_segments(pkts[i]);
	/* The pseudo-header's sum as this NIC wants it. */
	good = rte_eth_tx_prepare(device->eth, queue, pkts, n);
	if (good > 0)
		sent = rte_eth_tx_burst(device->eth, queue, pkts, good);
	*refused = good < n && sent == good;
	return sent;
}

void ethdev_describe(const struct trunk *trunk, json_t *row, json_t *shown)
{
	const struct ethdev *device = trunk->device;
	struct rte_eth_stats stats = {0};
	json_t *counters;

	rte_eth_stats_get(device->eth, &stats);
	counters = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "driver",
		device->facts.driver, "rx_packets", (json_int_t)stats.ipackets, "rx_bytes",
		(json_int_t)stats.ibytes, "rx_missed", (json_int_t)stats.imissed, "rx_errors",
		(json_int_t)stats.ierrors, "rx_no_buffer", (json_int_t)stats.rx_nombuf,
		"tx_packets", (json_int_t)stats.opackets, "tx_bytes", (json_int_t)stats.obytes,
		"tx_errors", (json_int_t)stats.oerrors);
	json_object_update(shown, counters);
	json_decref(counters);
	json_object_set_new(row, "rss",
		json_string(!device->facts.rss            ? "none"
			    : device->facts.rss_symmetric ? "symmetric"
							  : "on"));
}

const struct trunk_ops ethdev_ops = {
	.open = ethdev_open,
	.close = ethdev_close,
	.link = ethdev_link,
	.is_there = ethdev_is_there,
	.rx_burst = ethdev_rx_burst,
	.tx_burst = ethdev_tx_burst,
	.describe = ethdev_describe,
};
