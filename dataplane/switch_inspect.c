#include "switch_inspect.h"

#include <string.h>

#include "inspect.h"
#include "inspect_store.h"
#include "quarantine.h"
#include "switch.h"
#include "switch_policy.h"

static const char *const block_names[INSPECT_BLOCKS] = {
	[INSPECT_PAGE] = "pages",
	[INSPECT_SMALL] = "small",
	[INSPECT_LARGE] = "large",
	[INSPECT_FLOW] = "flows",
};

const struct config_inspection *switch_inspect_config(
	const struct config *config, const char *tenant)
{
	for (unsigned i = 0; i < config->n_inspection; i++)
		if (strcmp(config->inspection[i].tenant, tenant) == 0)
			return &config->inspection[i];
	return NULL;
}

bool switch_inspect_exempt(const struct config_inspection *conf, const char *port)
{
	for (unsigned i = 0; i < conf->n_exempt; i++)
		if (strcmp(conf->exempt[i], port) == 0)
			return true;
	return false;
}

bool switch_inspect_fanout_exempt(const struct config_inspection *conf, const char *port)
{
	for (unsigned i = 0; i < conf->n_fanout_exempt; i++)
		if (strcmp(conf->fanout_exempt[i], port) == 0)
			return true;
	return false;
}

/* Every worker's, the first time that something is to be inspected; kept from then on. */
static bool make_memory(struct config_report *report)
{
	const struct config_vswitch *conf = &switch_state.conf;
	uint64_t bytes = ((uint64_t)conf->inspection_memory << 20) / n_workers;

	for (unsigned i = 0; i < n_workers; i++) {
		struct inspect *inspect;

		if (workers[i]->inspect != NULL)
			continue;
		inspect = inspect_create(
			workers[i], conf->inspected, bytes, !switch_state.single_step);
		if (inspect == NULL) {
			config_report_add(report, false, "vswitchd", 0, 0, "inspection",
				"no memory for %u inspected connections and %u MiB: lower "
				"vswitch.inspected or vswitch.inspection-memory, or where vswitch "
				"runs on hugepages give it more",
				conf->inspected, conf->inspection_memory);
			return false;
		}
		__atomic_store_n(&workers[i]->inspect, inspect, __ATOMIC_RELEASE);
	}
	return true;
}

bool switch_inspect_prepare(const struct config *config, bool restore, struct config_report *report)
{
	return inspect_store_check(config, restore, report) &&
	       (config->n_inspection == 0 || make_memory(report));
}

/* policy_tenant.index; of a tenant without ports any: nobody will ask. */
static uint16_t tenant_index(const char *tenant)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		const struct policy_tenant *policy = switch_state.ports[i]->policy->tenant;

		if (strcmp(policy->name, tenant) == 0)
			return policy->index;
	}
	return 0;
}

/* Moves the port's epoch where other connections are to be inspected than before. */
static void follow(struct port_entry *port, const struct config_inspection *conf)
{
	static uint32_t epochs;
	struct port_inspection now = {.on = conf != NULL};

	if (conf != NULL) {
		memcpy(now.services, conf->services, sizeof(now.services));
		now.n_services = conf->n_services;
	}
	if (port->inspection.epoch != 0 && now.on == port->inspection.on &&
		now.n_services == port->inspection.n_services &&
		memcmp(now.services, port->inspection.services, sizeof(now.services)) == 0)
		return;
	now.epoch = ++epochs;
	port->inspection = now;
}

void switch_inspect_install(const struct config *config)
{
	inspect_store_configure(config, tenant_index);
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		struct port_entry *port = switch_state.ports[i];

		follow(port, switch_inspect_config(config, port->network->conf.tenant));
	}
	switch_policy_track();
}

const struct inspect_profile *switch_inspect_profile(const struct port_entry *port)
{
	return port->inspection.on ? inspect_store_profile(port->network->conf.tenant) : NULL;
}

uint32_t switch_inspect_term(const char *tenant)
{
	const struct inspect_profile *profile = inspect_store_profile(tenant);

	return profile != NULL ? profile->quarantine_s : 0;
}

void switch_inspect_changed(void)
{
	if (switch_state.config != NULL)
		switch_publish();
}

static void add(json_t *object, const char *name, uint64_t n)
{
	json_object_set_new(object, name,
		json_integer(json_integer_value(json_object_get(object, name)) + (json_int_t)n));
}

/* The object's member, made where it is not there. */
static json_t *member(json_t *object, const char *name)
{
	json_t *child = json_object_get(object, name);

	if (child == NULL) {
		child = json_object();
		json_object_set_new(object, name, child);
	}
	return child;
}

static void add_memory(json_t *memory, const struct inspect_memory *of)
{
	for (unsigned kind = 0; kind < INSPECT_BLOCKS; kind++) {
		json_t *block = member(memory, block_names[kind]);

		add(block, "used", inspect_memory_used(of, kind));
		add(block, "count", inspect_memory_count(of, kind));
		add(block, "refused", inspect_memory_refused(of, kind));
	}
}

static void add_stats(json_t *status, const struct inspect_stats *stats)
{
	json_t *failures = member(status, "failures");

	add(status, "inspected", counter_read(&stats->flows));
	add(status, "segments", counter_read(&stats->segments));
	add(status, "bytes", counter_read(&stats->bytes));
	add(status, "alerts", counter_read(&stats->alerts));
	add(status, "ended", counter_read(&stats->ended));
	add(status, "quarantines", counter_read(&stats->quarantines));
	add(status, "remote_unproven", counter_read(&stats->remote_unproven));
	add(status, "remote_full", counter_read(&stats->remote_full));
	add(status, "evasions", counter_read(&stats->evasions));
	add(status, "fanout_lost", counter_read(&stats->fanout_lost));
	for (unsigned i = 0; i < CONFIG_FAILURES; i++)
		add(failures, inspect_failure_name(i), counter_read(&stats->failures[i]));
}

json_t *switch_inspect_status(void)
{
	json_t *status = json_object();

	for (unsigned i = 0; i < n_workers; i++) {
		if (workers[i]->inspect == NULL)
			continue;
		add_stats(status, inspect_stats_of(workers[i]->inspect));
		add_memory(member(status, "memory"), inspect_memory_of(workers[i]->inspect));
		add(status, "limit_refused", inspect_limit_refused(workers[i]->inspect));
		add(status, "log_lost", inspect_log_lost(inspect_log_of(workers[i])));
	}
	return status;
}
