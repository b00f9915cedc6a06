#include "quarantine.h"

#include <stdio.h>
#include <string.h>

#include "quarantine_gate.h"
#include "quarantine_hook.h"
#include "quarantine_table.h"

/* A port that is there, by id. */
struct present {
	char port[CONFIG_NAME_MAX + 1]; /* empty: none */
	char tenant[CONFIG_NAME_MAX + 1];
	bool met; /* cut off at the last tick without a quarantine in the table */
	bool told; /* and that there is no room for one */
};

static struct present present_ports[MAX_PORTS];
static struct quarantine_table *const table = &quarantine_table;

/* The id of the port where it is there, else NO_PORT. tenant NULL: whoever's. */
static uint16_t id_of(const char *port, const char *tenant)
{
	for (unsigned id = 0; id < MAX_PORTS; id++) {
		if (present_ports[id].port[0] != '\0' &&
			strcmp(present_ports[id].port, port) == 0 &&
			(tenant == NULL || strcmp(present_ports[id].tenant, tenant) == 0))
			return (uint16_t)id;
	}
	return NO_PORT;
}

/* What stands at the gate of a port by the table alone. */
static enum config_quarantine_level wanted(const struct present *present)
{
	const struct quarantine_entry *entry = quarantine_table_port(
		present->port, present->tenant);

	if (entry != NULL)
		return (enum config_quarantine_level)entry->level;
	return table->unknown ? CONFIG_QUARANTINE_SERVICE : CONFIG_QUARANTINE_NONE;
}

void quarantine_settle(void)
{
	if (table->unsaved)
		quarantine_table_save();
}

bool quarantine_load(const char *dir, const char *evidence_dir, const char *hook)
{
	quarantine_free();
	evidence_open(evidence_dir);
	hook_open(hook, 0, 0);
	return quarantine_table_load(dir);
}

void quarantine_free(void)
{
	for (unsigned id = 0; id < MAX_PORTS; id++) {
		if (present_ports[id].port[0] != '\0')
			quarantine_gate_set((uint16_t)id, CONFIG_QUARANTINE_NONE);
	}
	quarantine_networks_free();
	quarantine_settle();
	hook_close();
	memset(present_ports, 0, sizeof(present_ports));
	quarantine_table_free();
}

const char *quarantine_problem(void)
{
	return table->problem[0] != '\0' ? table->problem : NULL;
}

void quarantine_port_up(uint16_t id, const char *port, const char *tenant)
{
	struct present *present = &present_ports[id];
	bool same = strcmp(present->port, port) == 0 && strcmp(present->tenant, tenant) == 0;

	if (same) {
		quarantine_gate_raise(id, wanted(present));
		return;
	}
	*present = (struct present){0};
	snprintf(present->port, sizeof(present->port), "%s", port);
	snprintf(present->tenant, sizeof(present->tenant), "%s", tenant);
	quarantine_gate_set(id, wanted(present));
}

void quarantine_port_down(uint16_t id)
{
	present_ports[id] = (struct present){0};
	quarantine_gate_set(id, CONFIG_QUARANTINE_NONE);
}

static void raise_gate(const struct quarantine_entry *entry)
{
	uint16_t id;

	if (quarantine_is_remote(entry)) {
		quarantine_networks_raise(entry);
		return;
	}
	id = id_of(entry->port, entry->tenant);
	if (id != NO_PORT)
		quarantine_gate_raise(id, (enum config_quarantine_level)entry->level);
}

void quarantine_note(const struct inspect_record *record, const char *port, const char *peer,
	const char *network, const char *tenant, const struct evidence *evidence)
{
	struct quarantine_entry with, *entry;
	const char *action;

	if (record->level < CONFIG_QUARANTINE_SERVICE)
		return;
	quarantine_entry_begin(&with, port, tenant, record->level, record->quarantine_s);
	snprintf(with.network, sizeof(with.network), "%s", network);
	if (record->where == INSPECT_REMOTE)
		quarantine_entry_remote(&with, network, record->key.addr[record->culprit & 1]);
	quarantine_entry_cause(&with, record, peer, evidence);
	raise_gate(&with);
	entry = quarantine_table_take_up(&with, &action);
	if (entry == NULL) {
		quarantine_tell_full(&with, evidence);
		return;
	}
	if (action == NULL)
		return;
	if (strcmp(action, "raised") == 0)
		quarantine_entry_cause(entry, record, peer, evidence);
	table->unsaved = true;
	quarantine_tell(entry, action, NULL, evidence, true);
}

/* with: of who is cut off by command. */
static bool add(struct quarantine_entry *with, const char *reason, char *err, size_t err_len)
{
	struct quarantine_entry *entry;
	const char *action;

	if (with->level < CONFIG_QUARANTINE_SERVICE) {
		snprintf(err, err_len, "the level must be `service` or `%s`",
			quarantine_is_remote(with) ? "host" : "port");
		return false;
	}
	snprintf(with->reason, sizeof(with->reason), "%s", reason != NULL ? reason : "by command");
	entry = quarantine_table_take_up(with, &action);
	if (entry == NULL) {
		snprintf(err, err_len,
			"%u quarantines are kept, as many as there may be: release some",
			quarantine_table_max(with));
		return false;
	}
	raise_gate(entry);
	if (action == NULL)
		return true;
	if (reason != NULL)
		snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
	quarantine_table_save();
	quarantine_tell(entry, action, "command", NULL, true);
	return true;
}

bool quarantine_add(const char *port, const char *tenant, enum config_quarantine_level level,
	uint32_t for_s, const char *reason, char *err, size_t err_len)
{
	struct quarantine_entry with;

	quarantine_entry_begin(&with, port, tenant, level, for_s);
	return add(&with, reason, err, err_len);
}

bool quarantine_add_remote(const char *network, struct addr addr, const char *tenant,
	enum config_quarantine_level level, uint32_t for_s, const char *reason, char *err,
	size_t err_len)
{
	struct quarantine_entry with;

	quarantine_entry_begin(&with, "", tenant, level, for_s);
	quarantine_entry_remote(&with, network, addr);
	return add(&with, reason, err, err_len);
}

/* Takes the i-th out of the table and, where its port or network is there, off the gate. */
static void lift(unsigned i, const char *action, const char *by)
{
	struct quarantine_entry entry = table->list[i];
	uint16_t id = id_of(entry.port, entry.tenant);

	quarantine_table_remove(i);
	if (quarantine_is_remote(&entry))
		quarantine_networks_set(&entry);
	else if (id != NO_PORT)
		quarantine_gate_set(id, wanted(&present_ports[id]));
	quarantine_tell(&entry, action, by, NULL, true);
}

/* Opens the gates of ports that have no entry. name NULL: all. How many were shut. */
static unsigned open_gates(const char *name, const char *by)
{
	struct quarantine_entry entry;
	unsigned n = 0;

	for (unsigned id = 0; id < MAX_PORTS; id++) {
		struct present *present = &present_ports[id];
		unsigned level = quarantine_level((uint16_t)id);

		if (present->port[0] == '\0' || level == CONFIG_QUARANTINE_NONE ||
			(name != NULL && strcmp(present->port, name) != 0))
			continue;
		quarantine_gate_set((uint16_t)id, CONFIG_QUARANTINE_NONE);
		present->met = present->told = false;
		quarantine_entry_begin(&entry, present->port, present->tenant, level, 0);
		quarantine_tell(&entry, "released", by, NULL, true);
		n++;
	}
	return n;
}

/* Whether nobody knows who is to be released; all: then that is given up. */
static bool knows(bool all, char *err, size_t err_len)
{
	if (table->unknown && !all) {
		snprintf(err, err_len, "%s", table->problem);
		return false;
	}
	if (table->unknown) {
		table->unknown = false;
		table->unsaved = true;
	}
	return true;
}

bool quarantine_release(const char *port, const char *by, char *err, size_t err_len)
{
	bool was_unknown = table->unknown;
	unsigned n = 0;

	if (!knows(port == NULL, err, err_len))
		return false;
	for (unsigned i = table->n; i-- > 0;) {
		const struct quarantine_entry *entry = &table->list[i];

		if (port != NULL && (quarantine_is_remote(entry) || strcmp(entry->port, port) != 0))
			continue;
		lift(i, "released", by);
		n++;
	}
	n += open_gates(port, by);
	if (port == NULL)
		n += quarantine_networks_open(NULL, (struct addr){0}, by);
	quarantine_settle();
	if (n > 0 || was_unknown)
		return true;
	if (port != NULL)
		snprintf(err, err_len, "port %s is not in quarantine", port);
	else
		snprintf(err, err_len, "no port or address is in quarantine");
	return false;
}

bool quarantine_release_remote(
	const char *network, struct addr addr, const char *by, char *err, size_t err_len)
{
	char text[ADDR_TEXT_MAX];
	unsigned n = 0;

	if (!knows(false, err, err_len))
		return false;
	for (unsigned i = table->n; i-- > 0;) {
		const struct quarantine_entry *entry = &table->list[i];

		if (!quarantine_is_remote(entry) || !addr_equal(entry->addr, addr) ||
			strcmp(entry->network, network) != 0)
			continue;
		lift(i, "released", by);
		n++;
	}
	n += quarantine_networks_open(network, addr, by);
	quarantine_settle();
	if (n > 0)
		return true;
	addr_format(addr, text);
	snprintf(err, err_len, "address %s of network %s is not in quarantine", text, network);
	return false;
}

/* A worker has cut the port off, and nobody said so for a whole tick: its record was lost. */
static void take_up_unknown(struct present *present, unsigned level, uint32_t for_s)
{
	static const struct evidence none;
	struct quarantine_entry with;

	quarantine_entry_begin(&with, present->port, present->tenant, level, for_s);
	if (!quarantine_take_up_unknown(&with) && !present->told) {
		present->told = true;
		quarantine_tell_full(&with, &none);
	}
}

static void compare_gates(quarantine_term_fn *term)
{
	for (unsigned id = 0; id < MAX_PORTS; id++) {
		struct present *present = &present_ports[id];
		unsigned level = quarantine_level((uint16_t)id);
		bool more;

		if (present->port[0] == '\0')
			continue;
		more = level > CONFIG_QUARANTINE_NONE && level > wanted(present);
		if (more && present->met)
			take_up_unknown(present, level, term(present->tenant));
		present->met = more;
	}
}

void quarantine_tick(uint64_t now_s, quarantine_term_fn *term)
{
	for (unsigned i = table->n; i-- > 0;) {
		if (table->list[i].until != 0 && table->list[i].until <= now_s)
			lift(i, "expired", NULL);
	}
	compare_gates(term);
	quarantine_networks_compare(term);
	quarantine_settle();
}

static json_t *show_gate(const struct present *present, unsigned level)
{
	struct quarantine_entry entry;

	quarantine_entry_begin(&entry, present->port, present->tenant, level, 0);
	entry.since = 0;
	snprintf(entry.reason, sizeof(entry.reason), "%s", quarantine_why_unlisted(false));
	return quarantine_entry_show(&entry);
}

json_t *quarantine_list(void)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < table->n; i++) {
		json_t *row = quarantine_entry_show(&table->list[i]);

		if (quarantine_is_remote(&table->list[i]))
			quarantine_networks_annotate(&table->list[i], row);
		else if (id_of(table->list[i].port, table->list[i].tenant) == NO_PORT)
			json_object_set_new(row, "note",
				json_string("no such port of the tenant: waits for its return"));
		json_array_append_new(rows, row);
	}
	for (unsigned id = 0; id < MAX_PORTS; id++) {
		const struct present *present = &present_ports[id];
		unsigned level = quarantine_level((uint16_t)id);

		if (present->port[0] != '\0' && level != CONFIG_QUARANTINE_NONE &&
			quarantine_table_port(present->port, present->tenant) == NULL)
			json_array_append_new(rows, show_gate(present, level));
	}
	quarantine_networks_list(rows);
	return rows;
}

static bool says(const json_t *row, const char *member, const char *text)
{
	const char *said = json_string_value(json_object_get(row, member));

	return said != NULL && strcmp(said, text) == 0;
}

/* The row of which two members say this. */
static json_t *show(const char *member, const char *text, const char *other, const char *of_other)
{
	json_t *rows = quarantine_list(), *row, *found = NULL;
	size_t i;

	json_array_foreach (rows, i, row) {
		if (!says(row, member, text) || !says(row, other, of_other))
			continue;
		/* Rather that of the port as it is there than of another tenant's before it. */
		if (found == NULL || json_object_get(row, "note") == NULL)
			found = row;
	}
	json_incref(found);
	json_decref(rows);
	return found;
}

json_t *quarantine_show(const char *port)
{
	return show("port", port, "where", "local");
}

json_t *quarantine_show_remote(const char *network, struct addr addr)
{
	char text[ADDR_TEXT_MAX];

	addr_format(addr, text);
	return show("network", network, "address", text);
}

json_t *quarantine_status(void)
{
	json_t *rows = quarantine_list(), *row;
	int service = 0, port = 0, remote_service = 0, host = 0;
	struct hook_counts hook;
	size_t i;

	json_array_foreach (rows, i, row) {
		if (says(row, "where", "remote")) {
			host += says(row, "level", "host");
			remote_service += says(row, "level", "service");
		} else {
			port += says(row, "level", "port");
			service += says(row, "level", "service");
		}
	}
	json_decref(rows);
	hook_counts(&hook);
	return json_pack("{s:i,s:i,s:i,s:{s:i,s:i,s:i},s:{s:I,s:I},s:{s:I,s:I,s:I,s:i,s:i},s:s?}",
		"ports", service + port, "service", service, "port", port, "remote", "addresses",
		remote_service + host, "service", remote_service, "host", host, "evidence",
		"written", (json_int_t)evidence_written(), "lost", (json_int_t)evidence_lost(),
		"hook", "started", (json_int_t)hook.started, "failed", (json_int_t)hook.failed,
		"lost", (json_int_t)hook.lost, "running", (int)hook.running, "waiting",
		(int)hook.waiting, "problem", quarantine_problem());
}
