/*
 * switch.h without a switch, for tests of the control plane: remembers the configuration that it
 * was given, answers from it, and refuses when told to. Include it in one file of a program; the
 * real switch is then not linked in.
 */
#ifndef VS_FAKE_SWITCH_H
#define VS_FAKE_SWITCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_events.h"
#include "inspect_store.h"
#include "switch.h"
#include "switch_conns.h"
#include "switch_explain.h"

static struct {
	json_t *canonical; /* what was applied last; NULL: nothing yet */
	uint64_t revision;
	unsigned policies; /* how often switch_policy_changed() carried a change out */
	unsigned refuse_policy; /* so many of its next calls fail */
	unsigned restored; /* how often a configuration came back that was taken before */
	unsigned refuse; /* so many of the next switch_reconfigure() are refused */
	char moved[64]; /* what the last worker command was */
	char forgotten[256]; /* ports, each with a space behind it */
	const char *rules_problem; /* NULL: none */
	unsigned reloads; /* of rules */
	unsigned refuse_reload; /* so many of the next ones */
	unsigned drained; /* what workers tell of inspection was waited for so often */
} fake_switch;

static inline void fake_switch_reset(void)
{
	json_decref(fake_switch.canonical);
	memset(&fake_switch, 0, sizeof(fake_switch));
}

/* The object called name in the section of what is applied; borrowed, NULL for none. */
static inline json_t *fake_switch_find(const char *section, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(fake_switch.canonical, section), i, item) {
		if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
			return item;
	}
	return NULL;
}

void inspect_events_drain(void)
{
	fake_switch.drained++;
}

int switch_reconfigure(const struct config *config, struct config_report *report)
{
	if (fake_switch.refuse > 0) {
		fake_switch.refuse--;
		config_report_add(
			report, false, "machine", 0, 0, "networks[0].home", "no such core");
		return -1;
	}
	json_decref(fake_switch.canonical);
	fake_switch.canonical = config_encode(config);
	fake_switch.revision++;
	return 0;
}

int switch_restore(const struct config *config, struct config_report *report)
{
	fake_switch.restored++;
	return switch_reconfigure(config, report);
}

bool switch_policy_changed(struct config_report *report)
{
	if (fake_switch.refuse_policy > 0) {
		fake_switch.refuse_policy--;
		config_report_add(report, false, "policy", 0, 0, "", "no memory for it");
		return false;
	}
	fake_switch.policies++;
	return true;
}

void switch_forget_ports(const struct config *past)
{
	size_t len = strlen(fake_switch.forgotten);

	for (unsigned i = 0; i < past->n_ports; i++)
		if (fake_switch_find("ports", past->ports[i].name) == NULL)
			len += snprintf(fake_switch.forgotten + len,
				len < sizeof(fake_switch.forgotten)
					? sizeof(fake_switch.forgotten) - len
					: 0,
				"%s ", past->ports[i].name);
}

uint64_t switch_revision(void)
{
	return fake_switch.revision;
}

/* A row for each object of a section, or for the one called name; NULL if there is none. */
static json_t *fake_rows(const char *section, const char *name, const char *as)
{
	json_t *rows = json_array(), *item;
	size_t i;

	json_array_foreach (json_object_get(fake_switch.canonical, section), i, item) {
		const char *own = json_string_value(json_object_get(item, "name"));
		json_t *row;

		if (name != NULL && strcmp(own, name) != 0)
			continue;
		row = json_pack("{s:s,s:s,s:i}", as, own, "tenant", "a\"b\\c", "received", 7);
		json_object_set(row, "network", json_object_get(item, "network"));
		json_array_append_new(rows, row);
	}
	if (name == NULL || json_array_size(rows) > 0)
		return rows;
	json_decref(rows);
	return NULL;
}

json_t *switch_status(void)
{
	return json_pack("{s:s,s:I,s:i,s:i,s:i,s:{s:b,s:i,s:i},s:{s:i,s:i}}", "version", "1.2.3",
		"revision", (json_int_t)fake_switch.revision, "uptime_s", 5, "ports", 2, "ports_up",
		1, "memory", "hugepages", 0, "buffers", 1024, "buffers_free", 1000, "firewall",
		"connections", 3, "capacity", 4096);
}

json_t *switch_ports(const char *port)
{
	return fake_rows("ports", port, "name");
}

json_t *switch_networks(const char *network)
{
	return fake_rows("networks", network, "name");
}

json_t *switch_fdb(const char *network, const char *port)
{
	(void)network;
	(void)port;
	return json_array();
}

json_t *switch_fdb_moves(const char *network)
{
	(void)network;
	return json_pack("[{s:s,s:s,s:s}]", "mac", "02:00:00:00:00:01", "from", "vm1", "to", "vm2");
}

json_t *switch_workers(void)
{
	return json_pack("[{s:i,s:[s],s:[{s:s,s:i,s:b}]}]", "core", 1, "networks", "office",
		"queues", "port", "vm1", "queue", 0, "ready", 1);
}

json_t *switch_worker_stats(bool reset)
{
	(void)reset;
	return json_pack("[{s:i,s:f,s:f,s:i,s:i,s:[{s:s,s:i,s:i,s:f}]}]", "core", 1, "busy_percent",
		12.5, "cycles_per_packet", 210.25, "passes", 9, "sleeps", 3, "stages", "stage",
		"rx", "packets", 100, "bursts", 10, "cycles_per_packet", 30.0);
}

json_t *switch_stats(const char *port)
{
	json_t *rows = fake_rows("ports", port, "port"), *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		json_object_del(row, "tenant");
		json_object_set_new(row, "drops", json_pack("{s:i}", "tx_full", 3));
	}
	return rows;
}

json_t *switch_ledger(void)
{
	return json_pack("{s:b}", "adds_up", 1);
}

json_t *switch_drops(const char *port)
{
	return fake_rows("ports", port, "port");
}

int switch_fdb_flush(const char *network, const char *port, char *err, size_t err_len)
{
	if (network == NULL || fake_switch_find("networks", network) != NULL)
		return 0;
	snprintf(err, err_len, "there is no network %s", network);
	(void)port;
	return -1;
}

int switch_move_queue(const char *port, unsigned queue, unsigned core, char *err, size_t err_len)
{
	(void)err;
	(void)err_len;
	snprintf(fake_switch.moved, sizeof(fake_switch.moved), "%s/%u to %u", port, queue, core);
	return 0;
}

int switch_move_network(const char *network, unsigned core, char *err, size_t err_len)
{
	snprintf(err, err_len, "core %u runs no worker: %s stays", core, network);
	return -1;
}

bool switch_conns_check(const struct conn_filter *filter, char *err, size_t err_len)
{
	snprintf(err, err_len, "no port %s", filter->port != NULL ? filter->port : "");
	return filter->port == NULL || fake_switch_find("ports", filter->port) != NULL;
}

json_t *switch_conns_list(const struct conn_filter *filter, unsigned limit, bool *more)
{
	*more = false;
	return json_array();
}

json_t *switch_conns_count(const struct conn_filter *filter)
{
	return json_pack("{s:i,s:i,s:[]}", "connections", 0, "capacity", 0, "groups");
}

unsigned switch_conns_kill(const struct conn_filter *filter, bool *all)
{
	*all = true;
	return 0;
}

json_t *switch_explain(const json_t *args, bool *negative, char *err, size_t err_len)
{
	snprintf(err, err_len, "nothing to explain");
	return NULL;
}

/* Nobody is inspected but tenant "office". */
json_t *inspect_store_status(void)
{
	return json_pack("{s:i,s:[{s:i,s:i}],s:{s:i,s:s},s:[{s:s,s:s,s:i,s:[s]}]}", "revision", 3,
		"workers", "core", 1, "revision", 3, "reload", "number", (int)fake_switch.reloads,
		"state", "done", "tenants", "tenant", "office", "state", "ready", "revision", 3,
		"files", "smb.rules");
}

const char *inspect_store_problem(void)
{
	return fake_switch.rules_problem;
}

json_t *inspect_store_rules(const char *tenant, const char *filter)
{
	if (tenant != NULL && strcmp(tenant, "office") != 0)
		return NULL;
	return json_pack("{s:[{s:s,s:i,s:s}],s:b}", "rules", "tenant", "office", "sid", 1, "msg",
		filter != NULL ? filter : "all", "more", 0);
}

json_t *inspect_store_stats(const char *tenant)
{
	if (tenant != NULL && strcmp(tenant, "office") != 0)
		return NULL;
	return json_pack("{s:[{s:i,s:i}],s:b}", "rules", "sid", 1, "checks", 9, "more", 0);
}

bool inspect_store_reload(char *err, size_t err_len)
{
	if (fake_switch.refuse_reload > 0) {
		fake_switch.refuse_reload--;
		snprintf(err, err_len, "rules are being compiled already");
		return false;
	}
	fake_switch.reloads++;
	return true;
}

#endif
