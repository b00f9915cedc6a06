/*
 * How many connections a port or a tenant has opened, over all workers, and how many it may: one
 * atomic count each, touched when a connection opens or goes, and rates that each worker meters for
 * its share. Worker threads; limits are set by the control thread, and may change while it runs.
 */
#ifndef VS_CONN_QUOTA_H
#define VS_CONN_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "drop.h"
#include "sizes.h"

struct conn_limits {
	uint32_t connections;
	uint32_t per_second; /* new ones */
};

/* Control thread. port: its id; tenant: policy_tenant.index. */
void conn_quota_set_port(uint16_t port, const struct conn_limits *limits);
void conn_quota_set_tenant(uint16_t tenant, const struct conn_limits *limits);

/* Any thread. */
uint32_t conn_quota_port(uint16_t port);
uint32_t conn_quota_tenant(uint16_t tenant);
/* Most that there were since the last call of the control thread, for the events at 80 and 100 %.
 */
uint32_t conn_quota_port_peak(uint16_t port);
uint32_t conn_quota_tenant_peak(uint16_t tenant);

#endif
