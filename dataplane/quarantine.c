#include "quarantine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "events.h"
#include "log.h"
#include "quarantine_gate.h"
#include "quarantine_hook.h"
#include "quarantine_state.h"

/* A port that is there, by id. */
struct present {
	char port[CONFIG_NAME_MAX + 1]; /* empty: none */
	char tenant[CONFIG_NAME_MAX + 1];
	bool met; /* cut off at the last tick without a quarantine in the table */
	bool told; /* and that there is no room for one */
};

static struct {
	char dir[256];
	bool unknown; /* nobody knows what was quarantined */
	bool unsaved;
	char problem[768]; /* empty: none */
	unsigned n;
	struct quarantine_entry list[QUARANTINE_MAX]; /* in the order in which they came */
	struct present present[MAX_PORTS];
	struct log_limit limit;
} own;

static struct quarantine_entry *find(const char *port, const char *tenant)
{
	for (unsigned i = 0; i < own.n; i++) {
		if (strcmp(own.list[i].port, port) == 0 && strcmp(own.list[i].tenant, tenant) == 0)
			return &own.list[i];
	}
	return NULL;
}

/* The id of the port where it is there, else NO_PORT. tenant NULL: whoever's. */
static uint16_t id_of(const char *port, const char *tenant)
{
	for (unsigned id = 0; id < MAX_PORTS; id++) {
		if (own.present[id].port[0] != '\0' && strcmp(own.present[id].port, port) == 0 &&
			(tenant == NULL || strcmp(own.present[id].tenant, tenant) == 0))
			return (uint16_t)id;
	}
	return NO_PORT;
}

/* What stands at the gate of a port by the table alone. */
static enum config_quarantine_level wanted(const struct present *present)
{
	const struct quarantine_entry *entry = find(present->port, present->tenant);

	if (entry != NULL)
		return (enum config_quarantine_level)entry->level;
	return own.unknown ? CONFIG_QUARANTINE_SERVICE : CONFIG_QUARANTINE_NONE;
}

static void save(void)
{
	struct config_error err = {0};

	if (own.dir[0] == '\0' || own.unknown)
		return;
	own.unsaved = !quarantine_state_write(own.dir, own.list, own.n, &err);
	if (!own.unsaved) {
		own.problem[0] = '\0';
		return;
	}
	snprintf(own.problem, sizeof(own.problem),
		"quarantines are in force but could not be saved, so that a restart would bring "
		"those of before: %s; it is tried again every second",
		err.text);
	log_limited(&own.limit, LOG_LEVEL_ERROR, "%s", own.problem);
}

void quarantine_settle(void)
{
	if (own.unsaved)
		save();
}

bool quarantine_load(const char *dir, const char *evidence_dir, const char *hook)
{
	struct config_error err = {0};

	quarantine_free();
	evidence_open(evidence_dir);
	hook_open(hook, 0, 0);
	snprintf(own.dir, sizeof(own.dir), "%s", dir);
	if (dir[0] == '\0' ||
		quarantine_state_read(own.dir, own.list, QUARANTINE_MAX, &own.n, &err))
		return true;
	own.n = 0;
	own.unknown = true;
	snprintf(own.problem, sizeof(own.problem),
		"inspected services are shut for all ports, for nobody knows what was in "
		"quarantine: "
		"%s/quarantines.json cannot be used: %s; mend it and restart vswitchd, or give up "
		"what it said with `vswitch-ctl quarantine release --all`",
		own.dir, err.text);
	log_error("%s", own.problem);
	return false;
}

void quarantine_free(void)
{
	for (unsigned id = 0; id < MAX_PORTS; id++) {
		if (own.present[id].port[0] != '\0')
			quarantine_gate_set((uint16_t)id, CONFIG_QUARANTINE_NONE);
	}
	quarantine_settle();
	hook_close();
	memset(&own, 0, sizeof(own));
}

const char *quarantine_problem(void)
{
	return own.problem[0] != '\0' ? own.problem : NULL;
}

void quarantine_port_up(uint16_t id, const char *port, const char *tenant)
{
	struct present *present = &own.present[id];
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
	own.present[id] = (struct present){0};
	quarantine_gate_set(id, CONFIG_QUARANTINE_NONE);
}

/* Log, event and hook of what was done with entry. by, evidence: NULL for none. */
static void tell(const struct quarantine_entry *entry, const char *action, const char *by,
	const struct evidence *evidence, bool lasting)
{
	json_t *facts = quarantine_entry_show(entry);

	log_message(LOG_LEVEL_WARNING, "quarantine of port %s (tenant %s, level %s) %s%s%s: %s",
		entry->port, entry->tenant, quarantine_level_name(entry->level), action,
		by != NULL ? " by " : "", by != NULL ? by : "", entry->reason);
	json_object_set_new(facts, "action", json_string(action));
	if (by != NULL)
		json_object_set_new(facts, "by", json_string(by));
	if (evidence != NULL && evidence->error[0] != '\0')
		json_object_set_new(facts, "evidence_error", json_string(evidence->error));
	if (!lasting)
		json_object_set_new(facts, "lasting", json_false());
	events_emit("quarantine", json_copy(facts));
	hook_run(facts);
}

/* What a record says of the entry's cause. */
static void set_cause(struct quarantine_entry *entry, const struct inspect_record *record,
	const char *peer, const struct evidence *evidence)
{
	unsigned sender = record->sender & 1;
	const struct conn_key *key = &record->key;

	if (record->what == INSPECT_TELLS_RULE)
		snprintf(entry->id, sizeof(entry->id), "%u:%u:%u", record->gid, record->sid,
			record->rev);
	else
		snprintf(entry->id, sizeof(entry->id), "%.*s", (int)sizeof(record->id), record->id);
	events_plain(record->text, sizeof(record->text), entry->reason, sizeof(entry->reason));
	snprintf(entry->peer, sizeof(entry->peer), "%s", peer);
	entry->src_ip[0] = entry->dest_ip[0] = '\0';
	if (key->proto != 0) {
		addr_format(key->addr[sender], entry->src_ip);
		addr_format(key->addr[!sender], entry->dest_ip);
	}
	entry->src_port = key->port[sender];
	entry->dest_port = key->port[!sender];
	entry->offset = record->offset;
	snprintf(entry->evidence, sizeof(entry->evidence), "%s", evidence->file);
}

static bool lasts_longer(uint64_t a, uint64_t b)
{
	return b != 0 && (a == 0 || a > b);
}

/* The table's entry that `with` belongs to, which has its place there, or is made one of. NULL: the
 * table is full. *action: what that comes to, NULL: it was so already. */
static struct quarantine_entry *take_up(const struct quarantine_entry *with, const char **action)
{
	struct quarantine_entry *entry = find(with->port, with->tenant);
	bool raised, longer;

	*action = "added";
	if (entry == NULL) {
		if (own.n == QUARANTINE_MAX)
			return NULL;
		own.list[own.n] = *with;
		return &own.list[own.n++];
	}
	raised = with->level > entry->level;
	longer = lasts_longer(with->until, entry->until);
	if (raised)
		entry->level = with->level;
	if (longer)
		entry->until = with->until;
	*action = raised ? "raised" : longer ? "extended" : NULL;
	return entry;
}

static void raise_gate(const struct quarantine_entry *entry)
{
	uint16_t id = id_of(entry->port, entry->tenant);

	if (id != NO_PORT)
		quarantine_gate_raise(id, (enum config_quarantine_level)entry->level);
}

static void begin_entry(struct quarantine_entry *entry, const char *port, const char *tenant,
	unsigned level, uint32_t for_s)
{
	*entry = (struct quarantine_entry){.level = (uint8_t)level, .since = (uint64_t)time(NULL)};
	entry->until = for_s == 0 ? 0 : entry->since + for_s;
	snprintf(entry->port, sizeof(entry->port), "%s", port);
	snprintf(entry->tenant, sizeof(entry->tenant), "%s", tenant);
}

/* There is no room in the table for what is cut off all the same. */
static void tell_full(const struct quarantine_entry *entry, const struct evidence *evidence)
{
	log_limited(&own.limit, LOG_LEVEL_ERROR,
		"%d quarantines are kept, as many as there may be: that of port %s would not "
		"outlive a restart; release some",
		QUARANTINE_MAX, entry->port);
	tell(entry, "added", NULL, evidence, false);
}

void quarantine_note(const struct inspect_record *record, const char *port, const char *peer,
	const char *network, const char *tenant, const struct evidence *evidence)
{
	struct quarantine_entry with, *entry;
	const char *action;

	if (record->level < CONFIG_QUARANTINE_SERVICE)
		return;
	begin_entry(&with, port, tenant, record->level, record->quarantine_s);
	snprintf(with.network, sizeof(with.network), "%s", network);
	set_cause(&with, record, peer, evidence);
	raise_gate(&with);
	entry = take_up(&with, &action);
	if (entry == NULL) {
		tell_full(&with, evidence);
		return;
	}
	if (action == NULL)
		return;
	if (strcmp(action, "raised") == 0)
		set_cause(entry, record, peer, evidence);
	own.unsaved = true;
	tell(entry, action, NULL, evidence, true);
}

bool quarantine_add(const char *port, const char *tenant, enum config_quarantine_level level,
	uint32_t for_s, const char *reason, char *err, size_t err_len)
{
	struct quarantine_entry with, *entry;
	const char *action;

	if (level < CONFIG_QUARANTINE_SERVICE) {
		snprintf(err, err_len, "the level must be `service` or `port`");
		return false;
	}
	begin_entry(&with, port, tenant, level, for_s);
	snprintf(with.reason, sizeof(with.reason), "%s", reason != NULL ? reason : "by command");
	entry = take_up(&with, &action);
	if (entry == NULL) {
		snprintf(err, err_len,
			"%d quarantines are kept, as many as there may be: release some",
			QUARANTINE_MAX);
		return false;
	}
	raise_gate(entry);
	if (action == NULL)
		return true;
	if (reason != NULL)
		snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
	save();
	tell(entry, action, "command", NULL, true);
	return true;
}

/* Takes the i-th out of the table and, where its port is there, off the gate. */
static void lift(unsigned i, const char *action, const char *by)
{
	struct quarantine_entry entry = own.list[i];
	uint16_t id = id_of(entry.port, entry.tenant);

	own.n--;
	memmove(&own.list[i], &own.list[i + 1], (own.n - i) * sizeof(own.list[0]));
	if (id != NO_PORT)
		quarantine_gate_set(id, wanted(&own.present[id]));
	own.unsaved = true;
	tell(&entry, action, by, NULL, true);
}

/* Opens the gates of ports that have no entry. name NULL: all. How many were shut. */
static unsigned open_gates(const char *name, const char *by)
{
	struct quarantine_entry entry;
	unsigned n = 0;

	for (unsigned id = 0; id < MAX_PORTS; id++) {
		struct present *present = &own.present[id];
		unsigned level = quarantine_level((uint16_t)id);

		if (present->port[0] == '\0' || level == CONFIG_QUARANTINE_NONE ||
			(name != NULL && strcmp(present->port, name) != 0))
			continue;
		quarantine_gate_set((uint16_t)id, CONFIG_QUARANTINE_NONE);
		present->met = present->told = false;
		begin_entry(&entry, present->port, present->tenant, level, 0);
		tell(&entry, "released", by, NULL, true);
		n++;
	}
	return n;
}

bool quarantine_release(const char *port, const char *by, char *err, size_t err_len)
{
	bool was_unknown = own.unknown;
	unsigned n = 0;

	if (own.unknown && port != NULL) {
		snprintf(err, err_len, "%s", own.problem);
		return false;
	}
	if (own.unknown) {
		own.unknown = false;
		own.unsaved = true;
	}
	for (unsigned i = own.n; i-- > 0;) {
		if (port != NULL && strcmp(own.list[i].port, port) != 0)
			continue;
		lift(i, "released", by);
		n++;
	}
	n += open_gates(port, by);
	quarantine_settle();
	if (n > 0 || was_unknown)
		return true;
	if (port != NULL)
		snprintf(err, err_len, "port %s is not in quarantine", port);
	else
		snprintf(err, err_len, "no port is in quarantine");
	return false;
}

/* A worker has cut the port off, and nobody said so for a whole tick: its record was lost. */
static void take_up_unknown(struct present *present, unsigned level, uint32_t for_s)
{
	static const struct evidence none;
	struct quarantine_entry with;
	const char *action;

	begin_entry(&with, present->port, present->tenant, level, for_s);
	snprintf(with.reason, sizeof(with.reason),
		"by a worker, whose record of why found no room on its way");
	if (take_up(&with, &action) != NULL) {
		own.unsaved = true;
		tell(&with, action, NULL, &none, true);
	} else if (!present->told) {
		present->told = true;
		tell_full(&with, &none);
	}
}

static void compare_gates(quarantine_term_fn *term)
{
	for (unsigned id = 0; id < MAX_PORTS; id++) {
		struct present *present = &own.present[id];
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
	for (unsigned i = own.n; i-- > 0;) {
		if (own.list[i].until != 0 && own.list[i].until <= now_s)
			lift(i, "expired", NULL);
	}
	compare_gates(term);
	quarantine_settle();
}

/* Why the table has nothing of a port that is cut off. */
static const char *why_unlisted(void)
{
	if (own.unknown)
		return "nobody knows what was in quarantine";
	if (own.n == QUARANTINE_MAX)
		return "not kept over a restart";
	return "cut off this moment: what gave it away is being recorded";
}

static json_t *show_gate(const struct present *present, unsigned level)
{
	struct quarantine_entry entry;

	begin_entry(&entry, present->port, present->tenant, level, 0);
	entry.since = 0;
	snprintf(entry.reason, sizeof(entry.reason), "%s", why_unlisted());
	return quarantine_entry_show(&entry);
}

json_t *quarantine_list(void)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < own.n; i++) {
		json_t *row = quarantine_entry_show(&own.list[i]);

		if (id_of(own.list[i].port, own.list[i].tenant) == NO_PORT)
			json_object_set_new(row, "note",
				json_string("no such port of the tenant: waits for its return"));
		json_array_append_new(rows, row);
	}
	for (unsigned id = 0; id < MAX_PORTS; id++) {
		const struct present *present = &own.present[id];
		unsigned level = quarantine_level((uint16_t)id);

		if (present->port[0] != '\0' && level != CONFIG_QUARANTINE_NONE &&
			find(present->port, present->tenant) == NULL)
			json_array_append_new(rows, show_gate(present, level));
	}
	return rows;
}

json_t *quarantine_show(const char *port)
{
	json_t *rows = quarantine_list(), *row, *found = NULL;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *name = json_string_value(json_object_get(row, "port"));

		if (name == NULL || strcmp(name, port) != 0)
			continue;
		/* Rather that of the port as it is there than of another tenant's before it. */
		if (found == NULL || json_object_get(row, "note") == NULL)
			found = row;
	}
	json_incref(found);
	json_decref(rows);
	return found;
}

json_t *quarantine_status(void)
{
	json_t *rows = quarantine_list(), *row;
	unsigned service = 0, port = 0;
	struct hook_counts hook;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *level = json_string_value(json_object_get(row, "level"));

		if (level != NULL && strcmp(level, "port") == 0)
			port++;
		else
			service++;
	}
	json_decref(rows);
	hook_counts(&hook);
	return json_pack("{s:i,s:i,s:i,s:{s:I,s:I},s:{s:I,s:I,s:I,s:i,s:i},s:s?}", "ports",
		(int)(service + port), "service", (int)service, "port", (int)port, "evidence",
		"written", (json_int_t)evidence_written(), "lost", (json_int_t)evidence_lost(),
		"hook", "started", (json_int_t)hook.started, "failed", (json_int_t)hook.failed,
		"lost", (json_int_t)hook.lost, "running", (int)hook.running, "waiting",
		(int)hook.waiting, "problem", quarantine_problem());
}
