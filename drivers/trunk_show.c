#include "trunk_show.h"

#include "trunk_port.h"
#include "xdp_follow.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *counter(const _Atomic uint64_t *value)
{
	return number(atomic_load_explicit(value, memory_order_relaxed));
}

static json_t *describe_link(const struct trunk *trunk)
{
	uint32_t mbps;
	bool full_duplex;
	bool up = trunk->ops->link(trunk, &mbps, &full_duplex);

	return json_pack("{s:s, s:o, s:o}", "state", up ? "up" : "down", "speed_mbps",
		up && mbps != 0 ? number(mbps) : json_null(), "duplex",
		up ? json_string(full_duplex ? "full" : "half") : json_null());
}

/* What leaves the switch whole for the device to finish, and what the switch finishes itself. */
static void describe_offloads(const struct trunk *trunk, json_t *row)
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
		json_array_append_new(trunk->tx_caps & offloads[i].caps ? used : emulated,
			json_string(offloads[i].name));
	json_array_append_new(emulated, json_string("vlan"));
	json_object_set_new(row, "offloads", used);
	json_object_set_new(row, "offloads_emulated", emulated);
}

static uint64_t sum_strays(const struct trunk *trunk, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned q = 0; q < trunk->conf.queues; q++) {
		const char *strays = (const char *)&trunk->rx[q].strays;

		sum += atomic_load_explicit(
			(const _Atomic uint64_t *)(const void *)(strays + offset),
			memory_order_relaxed);
	}
	return sum;
}

static json_t *strays(const struct trunk *trunk, size_t offset)
{
	return number(sum_strays(trunk, offset));
}

/* The device as a whole: the same for all networks that it carries. */
static json_t *describe_device(const struct trunk *trunk)
{
	uint64_t refused = 0;

	for (unsigned q = 0; q < trunk->conf.queues; q++)
		refused += atomic_load_explicit(&trunk->tx[q].refused, memory_order_relaxed);
	return json_pack("{s:s, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "name",
		trunk->conf.interface[0] != '\0' ? trunk->conf.interface : trunk->conf.device,
		"ports", (int)trunk->n_ports, "mtu", (int)trunk->conf.mtu, "queues",
		(int)trunk->conf.queues, "rx_unknown_vlan",
		strays(trunk, offsetof(struct trunk_strays, unknown_vlan)), "rx_untagged",
		strays(trunk, offsetof(struct trunk_strays, untagged)), "rx_double_tag",
		strays(trunk, offsetof(struct trunk_strays, double_tag)), "rx_too_short",
		strays(trunk, offsetof(struct trunk_strays, too_short)), "tx_refused",
		number(refused));
}

static json_int_t value_of(const json_t *device, const char *name)
{
	return json_integer_value(json_object_get(device, name));
}

/* Lost before the switch had them: in the NIC, in the kernel, in front of it. */
static json_int_t lost_below(const json_t *device)
{
	json_int_t sum = value_of(device, "rx_missed") + value_of(device, "rx_errors");
	const char *reason;
	json_t *n;

	json_object_foreach (json_object_get(device, "kernel_drops"), reason, n)
		sum += json_integer_value(n);
	return sum;
}

/* Lost here, whoever they were for. */
static json_int_t lost_here(const struct trunk *trunk, const json_t *device)
{
	static const char *const reasons[] = {"rx_unknown_vlan", "rx_untagged", "rx_double_tag",
		"rx_too_short", "rx_no_buffer", "rx_group_overflow", "rx_group_unusable",
		"tx_refused", "tx_lost"};
	struct trunk_underlay *underlay = atomic_load(&trunk->underlay);
	json_int_t sum = underlay != NULL ? (json_int_t)underlay->lost(underlay) : 0;

	for (unsigned i = 0; i < RTE_DIM(reasons); i++)
		sum += value_of(device, reasons[i]);
	for (unsigned vlan = 0; vlan < TRUNK_VLANS; vlan++) {
		const struct trunk_port *port = atomic_load(&trunk->ports[vlan]);

		if (port != NULL)
			sum += (json_int_t)(atomic_load(&port->inbox.overflow) +
					    atomic_load(&port->counters.tx_double_tag) +
					    atomic_load(&port->counters.tx_refused));
	}
	return sum;
}

/* Each packet that was lost counts under one reason, and once. */
static void add_up(const struct trunk *trunk, json_t *device)
{
	json_int_t below = lost_below(device), here = lost_here(trunk, device);

	json_object_set_new(device, "drops",
		json_pack("{s:I, s:I, s:I}", "in_device", below, "in_switch", here, "total",
			below + here));
}

void trunk_show(const struct trunk *trunk, json_t *row)
{
	json_t *device = describe_device(trunk);

	json_object_set_new(row, "link", describe_link(trunk));
	describe_offloads(trunk, row);
	trunk->ops->describe(trunk, row, device);
	add_up(trunk, device);
	json_object_set_new(row, "device", device);
}

json_t *trunk_error(const struct trunk *trunk, bool lost, bool link)
{
	if (lost && trunk->gone[0] != '\0')
		return json_string(trunk->gone);
	if (lost)
		return json_string("the device was removed: it is looked for until it is back");
	return link ? json_null()
		    : json_string("the device has no link: see its interface and cable");
}

json_t *trunk_describe(struct port_dev *dev)
{
	struct trunk_port *port = trunk_port(dev);
	const struct trunk *trunk = port->trunk;
	bool lost = atomic_load(&dev->lost), up = atomic_load(&dev->tx_ready) != 0;
	json_t *row = json_object();

	json_object_set_new(row, "state", json_string(lost ? "gone" : up ? "up" : "down"));
	json_object_set_new(row, "error", trunk_error(trunk, lost, up));
	json_object_set_new(row, "vlan", port->vlan != 0 ? number(port->vlan) : json_null());
	json_object_set_new(row, "rx_overflow", counter(&port->inbox.overflow));
	json_object_set_new(row, "tx_double_tag", counter(&port->counters.tx_double_tag));
	json_object_set_new(row, "tx_refused", counter(&port->counters.tx_refused));
	trunk_show(trunk, row);
	xdp_follow_show(trunk_program(trunk), EDGE_OF_VLAN(port->vlan), row);
	return row;
}
