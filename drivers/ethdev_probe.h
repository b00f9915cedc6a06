/*
 * Brings a device of an uplink up and takes it down again: what DPDK is asked for, and what it is
 * asked to do without. Part of ethdev; control thread.
 */
#ifndef VS_ETHDEV_PROBE_H
#define VS_ETHDEV_PROBE_H

#include "ethdev.h"

/*
 * Finds the device called device->name, configures and starts it. 0, or -1 with a message in err
 * and nothing left behind.
 */
int ethdev_probe_start(struct ethdev *device, char *err, size_t err_len);

/*
 * The two steps of that: finds the device and holds it against what the trunk needs; configures it
 * with what device->usable and rx_capa have, and starts it. Both 0, or -1 with a message in err;
 * after the first one nothing is left behind then.
 */
int ethdev_probe_find(struct ethdev *device, char *err, size_t err_len);
int ethdev_probe_run(struct ethdev *device, char *err, size_t err_len);

void ethdev_probe_stop(struct ethdev *device);

/* Silences DPDK's log, for what is told otherwise; unhush takes what hush returned. */
uint32_t ethdev_probe_hush(void);
void ethdev_probe_unhush(uint32_t level);

#endif
