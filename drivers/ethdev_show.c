#include "ethdev_show.h"

#include <rte_ethdev.h>

#include "ethdev_port.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *counter(const _Atomic uint64_t *value)
{
	return number(atomic_load_explicit(value, memory_order_relaxed));
}

static json_t *describe_link(const struct ethdev_device *device)
{
	uint32_t mbps;
	bool full_duplex;
	bool up = ethdev_device_link(device, &mbps, &full_duplex);

	return json_pack("{s:s, s:o, s:o}", "state", up ? "up" : "down", "speed_mbps",
		up && mbps != 0 ? number(mbps) : json_null(), "duplex",
		up ? json_string(full_duplex ? "full" : "half") : json_null());
}

/* What leaves the switch whole for the device to finish, and what the switch finishes itself. */
static void describe_offloads(const struct ethdev_device *device, json_t *row)
{
	static const struct {
		uint32_t caps;
		const char *name;
	} offloads[] = {
		{PORT_TX_CSUM, "checksum"},
		{PORT_TX_TSO4 | PORT_TX_TSO6, "tso"},
		{PORT_TX_CHAINS, "chains"},
	};
	json_t *used = json_array(), *emulated = json_array();

	for (unsigned i = 0; i < RTE_DIM(offloads); i++)
		json_array_append_new(device->tx_caps & offloads[i].caps ? used : emulated,
			json_string(offloads[i].name));
	json_array_append_new(emulated, json_string("vlan"));
	json_object_set_new(row, "offloads", used);
	json_object_set_new(row, "offloads_emulated", emulated);
	json_object_set_new(row, "rss",
		json_string(!device->facts.rss            ? "none"
			    : device->facts.rss_symmetric ? "symmetric"
							  : "on"));
}

static uint64_t sum_strays(const struct ethdev_device *device, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned q = 0; q < device->conf.queues; q++) {
		const char *strays = (const char *)&device->queues[q].strays;

		sum += atomic_load_explicit(
			(const _Atomic uint64_t *)(const void *)(strays + offset),
			memory_order_relaxed);
	}
	return sum;
}

/* The device as a whole: the same for all networks that it carries. */
static json_t *describe_device(const struct ethdev_device *device)
{
	struct rte_eth_stats stats = {0};

	rte_eth_stats_get(device->eth, &stats);
	return json_pack(
		"{s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"name", device->conf.device, "driver", device->facts.driver, "ports",
		(int)device->n_ports, "mtu", (int)device->conf.mtu, "rx_packets",
		(json_int_t)stats.ipackets, "rx_bytes", (json_int_t)stats.ibytes, "rx_missed",
		(json_int_t)stats.imissed, "rx_errors", (json_int_t)stats.ierrors, "rx_no_buffer",
		(json_int_t)stats.rx_nombuf, "rx_unknown_vlan",
		(json_int_t)sum_strays(device, offsetof(struct ethdev_strays, unknown_vlan)),
		"rx_untagged",
		(json_int_t)sum_strays(device, offsetof(struct ethdev_strays, untagged)),
		"rx_double_tag",
		(json_int_t)sum_strays(device, offsetof(struct ethdev_strays, double_tag)),
		"rx_too_short",
		(json_int_t)sum_strays(device, offsetof(struct ethdev_strays, too_short)),
		"tx_packets", (json_int_t)stats.opackets, "tx_bytes", (json_int_t)stats.obytes,
		"tx_errors", (json_int_t)stats.oerrors);
}

json_t *ethdev_describe(struct port_dev *dev)
{
	struct ethdev_port *port = ethdev_port(dev);
	const struct ethdev_device *device = port->device;
	bool lost = atomic_load(&dev->lost), up = atomic_load(&dev->tx_ready) != 0;
	json_t *row = json_object();

	json_object_set_new(row, "state", json_string(lost ? "gone" : up ? "up" : "down"));
	json_object_set_new(row, "error",
		lost  ? json_string("the device was removed: it is looked for until it is back")
		: !up ? json_string("the device has no link: see its interface and cable")
		      : json_null());
	json_object_set_new(row, "vlan", port->vlan != 0 ? number(port->vlan) : json_null());
	json_object_set_new(row, "link", describe_link(device));
	describe_offloads(device, row);
	json_object_set_new(row, "rx_overflow", counter(&port->counters.rx_overflow));
	json_object_set_new(row, "tx_double_tag", counter(&port->counters.tx_double_tag));
	json_object_set_new(row, "tx_refused", counter(&port->counters.tx_refused));
	json_object_set_new(row, "device", describe_device(device));
	return row;
}
