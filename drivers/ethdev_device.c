#include "ethdev_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "ethdev_probe.h"

static struct ethdev_device *devices;

/* The device that could not be opened last: its other ports would fail for the same reason. */
static struct {
	struct config_uplink_share conf;
	char err[256];
	uint64_t when; /* TSC cycles; 0: never */
} failed;

static bool same_conf(const struct config_uplink_share *a, const struct config_uplink_share *b)
{
	return strcmp(a->device, b->device) == 0 && a->queues == b->queues && a->mtu == b->mtu &&
	       a->qinq == b->qinq;
}

static struct ethdev_device *find(const struct config_uplink_share *conf)
{
	struct ethdev_device *device = devices;

	while (device != NULL && !same_conf(&device->conf, conf))
		device = device->next;
	return device;
}

static bool has_just_failed(const struct config_uplink_share *conf)
{
	return failed.when != 0 && same_conf(&failed.conf, conf) &&
	       rte_rdtsc() - failed.when < rte_get_tsc_hz() / 4;
}

static struct ethdev_device *open_device(
	const struct config_uplink_share *conf, char *err, size_t err_len)
{
	struct ethdev_device *device = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*device), RTE_CACHE_LINE_SIZE));

	if (device == NULL) {
		snprintf(err, err_len, "uplink: out of memory");
		return NULL;
	}
	memset(device, 0, sizeof(*device));
	device->conf = *conf;
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		rte_spinlock_init(&device->queues[q].tx_lock);
	if (ethdev_probe_start(device, err, err_len) == 0) {
		device->next = devices;
		devices = device;
		return device;
	}
	failed.conf = *conf;
	snprintf(failed.err, sizeof(failed.err), "%s", err);
	failed.when = rte_rdtsc();
	free(device);
	return NULL;
}

struct ethdev_device *ethdev_device_hold(
	const struct config_uplink_share *conf, char *err, size_t err_len)
{
	struct ethdev_device *device = find(conf);

	if (device == NULL && has_just_failed(conf)) {
		snprintf(err, err_len, "%s", failed.err);
		return NULL;
	}
	if (device == NULL)
		device = open_device(conf, err, err_len);
	if (device != NULL)
		device->n_ports++;
	return device;
}

void ethdev_device_release(struct ethdev_device *device)
{
	struct ethdev_device **at = &devices;

	if (--device->n_ports > 0)
		return;
	while (*at != device)
		at = &(*at)->next;
	*at = device->next;
	ethdev_probe_stop(device);
	free(device);
}

bool ethdev_device_link(const struct ethdev_device *device, uint32_t *mbps, bool *full_duplex)
{
	struct rte_eth_link link;
	bool up = rte_eth_link_get_nowait(device->eth, &link) == 0 &&
		  link.link_status == RTE_ETH_LINK_UP;

	if (mbps != NULL)
		*mbps = up && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN ? link.link_speed : 0;
	if (full_duplex != NULL)
		*full_duplex = up && link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	/* Drivers that stand on an interface of the kernel don't look at its carrier. */
	if (device->iface.name[0] != '\0')
		up = ethdev_iface_is_running(&device->iface);
	return up;
}

bool ethdev_device_is_there(const struct ethdev_device *device)
{
	return !atomic_load(&device->gone) &&
	       (device->iface.name[0] == '\0' || ethdev_iface_is_there(&device->iface));
}
