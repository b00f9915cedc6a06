#include "switch_policy.h"

#include <string.h>

#include <rte_cycles.h>

#include "blocks.h"
#include "conn_quota.h"
#include "firewall.h"
#include "switch.h"

static struct conn_limits limits_of(const struct config_limits *conf)
{
	return (struct conn_limits){conf->connections, conf->per_second};
}

static struct conn_timeouts timeouts_of(const struct config_timeouts *conf)
{
	return (struct conn_timeouts){{
		[CONN_TCP_SYN] = conf->tcp_syn,
		[CONN_TCP_SYN_ACK] = conf->tcp_opening,
		[CONN_TCP_ESTABLISHED] = conf->tcp_established,
		[CONN_TCP_FIN] = conf->tcp_fin,
		[CONN_TCP_CLOSING] = conf->tcp_closing,
		[CONN_TCP_CLOSED] = conf->tcp_closed,
		[CONN_UDP_FIRST] = conf->udp_first,
		[CONN_UDP_SINGLE] = conf->udp_single,
		[CONN_UDP_MULTIPLE] = conf->udp_multiple,
		[CONN_ICMP_FIRST] = conf->icmp_first,
		[CONN_ICMP_REPLIED] = conf->icmp_replied,
		[CONN_OTHER_FIRST] = conf->other_first,
		[CONN_OTHER_SINGLE] = conf->other_single,
		[CONN_OTHER_MULTIPLE] = conf->other_multiple,
	}};
}

void switch_policy_track(void)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		struct port_entry *port = switch_state.ports[i];
		bool bare = port->policy->trusted && port->policy->blocks == NULL &&
			    !port->inspection.on;

		if (port->bare && !bare)
			port->tracked = switch_now();
		port->bare = bare;
	}
}

uint64_t switch_policy_tracked(const struct port_entry *port)
{
	return port->bare ? UINT64_MAX : port->tracked;
}

struct policy *switch_policy_install(struct policy *policy, const struct config *config)
{
	struct policy *before = switch_state.policy;
	struct conn_timeouts timeouts = timeouts_of(&config->firewall.timeouts);

	switch_state.policy = policy;
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		struct port_entry *port = switch_state.ports[i];
		const struct policy_tenant *tenant;
		struct conn_limits limits = limits_of(&port->conf.limits);

		port->policy = policy_port(policy, i);
		conn_quota_set_port(port->id, &limits);
		tenant = port->policy->tenant;
		limits = limits_of(config_tenant_limits(config, tenant->name));
		conn_quota_set_tenant(tenant->index, &limits);
	}
	for (unsigned i = 0; i < n_workers; i++)
		conns_set_timeouts(firewall_conns(workers[i]->firewall), &timeouts);
	return before;
}

void switch_policy_spread(void)
{
	static uint32_t owners[CONFIG_TENANTS_MAX]; /* workers, a bit each */

	memset(owners, 0, sizeof(owners));
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct network_entry *net = switch_state.ports[i]->network;

		for (unsigned k = 0; k < net->conf.workers; k++)
			owners[switch_state.ports[i]->policy->tenant->index] |=
				1u << (net->home + k) % n_workers;
	}
	for (unsigned t = 0; t < CONFIG_TENANTS_MAX; t++)
		if (owners[t] != 0)
			conn_quota_spread_tenant(
				(uint16_t)t, (unsigned)__builtin_popcount(owners[t]));
}

struct firewall_settings switch_policy_settings(void)
{
	const struct config *config = switch_state.config;

	return (struct firewall_settings){
		.tcp_strict = config->firewall.tcp == CONFIG_TCP_STRICT,
		.pick_up = config->firewall.pick_up_s * workers[0]->hz,
	};
}

bool switch_policy_changed(struct config_report *report)
{
	struct policy *policy;

	if (switch_state.config == NULL)
		return true;
	policy = policy_create(switch_state.config, blocks_current(), switch_state.policy, report);
	if (policy == NULL)
		return false;
	policy = switch_policy_install(policy, switch_state.config);
	switch_policy_track();
	switch_publish();
	policy_free(policy);
	return true;
}
