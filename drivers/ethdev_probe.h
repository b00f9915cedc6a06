/*
 * Brings a device of an uplink up and takes it down again: what DPDK is asked for, and what it is
 * asked to do without. Part of ethdev_device; control thread.
 */
#ifndef VS_ETHDEV_PROBE_H
#define VS_ETHDEV_PROBE_H

#include "ethdev_device.h"

/*
 * Finds device->conf's device, configures and starts it. 0, or -1 with a message in err and nothing
 * left behind.
 */
int ethdev_probe_start(struct ethdev_device *device, char *err, size_t err_len);

void ethdev_probe_stop(struct ethdev_device *device);

#endif
