/*
 * Brings a device of an uplink up and takes it down again: what DPDK is asked for, and what it is
 * asked to do without. Part of ethdev; control thread.
 */
#ifndef VS_ETHDEV_PROBE_H
#define VS_ETHDEV_PROBE_H

#include "ethdev.h"

/*
 * Finds the device that its trunk's conf names, configures and starts it. 0, or -1 with a message
 * in err and nothing left behind.
 */
int ethdev_probe_start(struct ethdev *device, char *err, size_t err_len);

void ethdev_probe_stop(struct ethdev *device);

#endif
