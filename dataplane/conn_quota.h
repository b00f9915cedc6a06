/*
 * How many connections a port or a tenant has opened, over all workers, and how many it may: one
 * atomic count each, touched when a connection opens or goes, and rates that each worker meters for
 * its share, with the burst of one second. Without limits set, nothing may open. Worker threads;
 * limits are set by the control thread, and may change while it runs.
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

/* Over how many workers the tenant's packets are spread, in all its networks. */
void conn_quota_spread_tenant(uint16_t tenant, unsigned workers);

/* Any thread. */
uint32_t conn_quota_port(uint16_t port);
uint32_t conn_quota_tenant(uint16_t tenant);
/* Most that there were since the last call of the control thread, for the events at 80 and 100 %.
 */
uint32_t conn_quota_port_peak(uint16_t port);
uint32_t conn_quota_tenant_peak(uint16_t tenant);

/* Worker threads. One more; false where that would be over the limit. */
bool conn_quota_take_port(uint16_t port);
bool conn_quota_take_tenant(uint16_t tenant);
/* One more that counts already, elsewhere. */
void conn_quota_add_port(uint16_t port);
void conn_quota_add_tenant(uint16_t tenant);
void conn_quota_give_port(uint16_t port);
void conn_quota_give_tenant(uint16_t tenant);

/* A token bucket, empty of use at first. */
struct conn_meter {
	uint32_t used; /* 1/16 connections */
	uint32_t then; /* ticks of 1/16 s */
};

/* One worker's, all zero at first. */
struct conn_meters {
	struct conn_meter ports[MAX_PORTS], tenants[CONFIG_TENANTS_MAX];
};

/*
 * Meters a new connection at `now` (ticks) against the worker's share of both rates: one of
 * `workers`. Returns -1, or conn_rate_port or conn_rate_tenant: then neither was charged.
 */
int conn_quota_meter(
	struct conn_meters *meters, uint16_t port, uint16_t tenant, unsigned workers, uint32_t now);

#endif
