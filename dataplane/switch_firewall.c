#include "switch_firewall.h"

#include <stdint.h>

#include "conn_quota.h"
#include "events.h"
#include "firewall.h"
#include "switch_policy.h"

#define HIGH_PERCENT 80
#define CALM_PERCENT 70 /* below that it is over */

/* How full something was when that was reported last: 0, HIGH_PERCENT or 100. */
static uint8_t tenant_levels[CONFIG_TENANTS_MAX], worker_levels[MAX_WORKERS];

static void add(json_t *object, const char *name, uint64_t n)
{
	json_object_set_new(object, name,
		json_integer(json_integer_value(json_object_get(object, name)) + (json_int_t)n));
}

json_t *switch_firewall_status(void)
{
	json_t *status = json_object();

	for (unsigned i = 0; i < n_workers; i++) {
		struct firewall *firewall = workers[i]->firewall;
		const struct firewall_stats *stats = firewall_stats_of(firewall);
		struct conns *conns = firewall_conns(firewall);
		const struct conn_table *table = conns_table(conns);

		add(status, "connections", conn_table_used(table));
		add(status, "capacity", conn_table_capacity(table));
		add(status, "bytes", conns_bytes(conns));
		add(status, "opened", counter_read(&stats->opened));
		add(status, "decided_again", counter_read(&stats->decided_again));
		add(status, "picked_up", counter_read(&stats->picked_up));
		add(status, "fetched", counter_read(&stats->fetched));
		add(status, "pushed_out", conns_pushed_out(conns));
		add(status, "refused", conn_table_refused(table));
		add(status, "log_lost", firewall_log_lost(firewall_log_of(firewall)));
	}
	return status;
}

static uint8_t level_of(uint32_t used, uint32_t limit, uint8_t before)
{
	uint64_t percent = limit > 0 ? (uint64_t)used * 100 / limit : 0;

	if (percent >= 100)
		return 100;
	if (percent >= HIGH_PERCENT || (before > 0 && percent >= CALM_PERCENT))
		return HIGH_PERCENT;
	return 0;
}

/* Tells when `used` of limit has come to another level; what: "port", "tenant" or "worker". */
static void look(const char *what, json_t *name, uint32_t used, uint32_t limit, uint8_t *before)
{
	uint8_t level = level_of(used, limit, *before);

	if (level == *before) {
		json_decref(name);
		return;
	}
	*before = level;
	events_emit("quota", json_pack("{s:o,s:i,s:I,s:I}", what, name, "percent", (int)level,
				     "connections", (json_int_t)used, "limit", (json_int_t)limit));
}

void switch_firewall_tick(void)
{
	bool seen[CONFIG_TENANTS_MAX] = {false};

	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		struct port_entry *port = switch_state.ports[i];
		const struct policy_tenant *tenant = port->policy->tenant;

		look("port", json_string(port->conf.name), conn_quota_port_peak(port->id),
			port->conf.limits.connections, &port->quota_level);
		if (seen[tenant->index])
			continue;
		seen[tenant->index] = true;
		look("tenant", json_string(tenant->name), conn_quota_tenant_peak(tenant->index),
			config_tenant_limits(switch_state.config, tenant->name)->connections,
			&tenant_levels[tenant->index]);
	}
	for (unsigned i = 0; i < n_workers; i++) {
		const struct conn_table *table = conns_table(firewall_conns(workers[i]->firewall));

		look("worker", json_integer(workers[i]->core), conn_table_used(table),
			conn_table_capacity(table), &worker_levels[i]);
	}
}
