#include "quarantine_table.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "events.h"
#include "log.h"
#include "quarantine_hook.h"

struct quarantine_table quarantine_table;

static const unsigned maxima[2] = {QUARANTINE_MAX, QUARANTINE_REMOTE_MAX};
static struct log_limit limit;

unsigned quarantine_table_max(const struct quarantine_entry *entry)
{
	return maxima[quarantine_is_remote(entry)];
}

struct quarantine_entry *quarantine_table_port(const char *port, const char *tenant)
{
	for (unsigned i = 0; i < quarantine_table.n; i++) {
		struct quarantine_entry *entry = &quarantine_table.list[i];

		if (!quarantine_is_remote(entry) && strcmp(entry->port, port) == 0 &&
			strcmp(entry->tenant, tenant) == 0)
			return entry;
	}
	return NULL;
}

struct quarantine_entry *quarantine_table_address(
	const char *network, const char *tenant, struct addr addr)
{
	for (unsigned i = 0; i < quarantine_table.n; i++) {
		struct quarantine_entry *entry = &quarantine_table.list[i];

		if (quarantine_is_remote(entry) && addr_equal(entry->addr, addr) &&
			strcmp(entry->network, network) == 0 && strcmp(entry->tenant, tenant) == 0)
			return entry;
	}
	return NULL;
}

void quarantine_table_save(void)
{
	struct quarantine_table *table = &quarantine_table;
	struct config_error err = {0};

	if (table->dir[0] == '\0' || table->unknown)
		return;
	table->unsaved = !quarantine_state_write(table->dir, table->list, table->n, &err);
	if (!table->unsaved) {
		table->problem[0] = '\0';
		return;
	}
	snprintf(table->problem, sizeof(table->problem),
		"quarantines are in force but could not be saved, so that a restart would bring "
		"those of before: %s; it is tried again every second",
		err.text);
	log_limited(&limit, LOG_LEVEL_ERROR, "%s", table->problem);
}

bool quarantine_table_load(const char *dir)
{
	struct quarantine_table *table = &quarantine_table;
	struct config_error err = {0};

	snprintf(table->dir, sizeof(table->dir), "%s", dir);
	if (dir[0] == '\0')
		return true;
	if (quarantine_state_read(table->dir, table->list, maxima, &table->n, &err)) {
		for (unsigned i = 0; i < table->n; i++)
			table->counts[quarantine_is_remote(&table->list[i])]++;
		return true;
	}
	table->n = 0;
	table->unknown = true;
	snprintf(table->problem, sizeof(table->problem),
		"inspected services are shut for all ports, for nobody knows what was in "
		"quarantine: "
		"%.255s/quarantines.json cannot be used: %s; mend it and restart vswitchd, or give "
		"up "
		"what it said with `vswitch-ctl quarantine release --all`",
		table->dir, err.text);
	log_error("%s", table->problem);
	return false;
}

void quarantine_table_free(void)
{
	/* Not the entries: most of their memory was never touched. */
	memset(&quarantine_table, 0, offsetof(struct quarantine_table, list));
	memset(&limit, 0, sizeof(limit));
}

void quarantine_entry_begin(struct quarantine_entry *entry, const char *port, const char *tenant,
	unsigned level, uint32_t for_s)
{
	*entry = (struct quarantine_entry){.level = (uint8_t)level, .since = (uint64_t)time(NULL)};
	entry->until = for_s == 0 ? 0 : entry->since + for_s;
	snprintf(entry->port, sizeof(entry->port), "%s", port);
	snprintf(entry->tenant, sizeof(entry->tenant), "%s", tenant);
}

void quarantine_entry_remote(struct quarantine_entry *entry, const char *network, struct addr addr)
{
	snprintf(entry->network, sizeof(entry->network), "%s", network);
	entry->addr = addr;
	addr_format(addr, entry->address);
}

void quarantine_entry_cause(struct quarantine_entry *entry, const struct inspect_record *record,
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

static struct quarantine_entry *find(const struct quarantine_entry *with)
{
	return quarantine_is_remote(with)
		       ? quarantine_table_address(with->network, with->tenant, with->addr)
		       : quarantine_table_port(with->port, with->tenant);
}

struct quarantine_entry *quarantine_table_take_up(
	const struct quarantine_entry *with, const char **action)
{
	struct quarantine_table *table = &quarantine_table;
	struct quarantine_entry *entry = find(with);
	bool raised, longer;

	*action = "added";
	if (entry == NULL) {
		unsigned *count = &table->counts[quarantine_is_remote(with)];

		if (*count >= quarantine_table_max(with))
			return NULL;
		(*count)++;
		table->list[table->n] = *with;
		return &table->list[table->n++];
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

void quarantine_table_remove(unsigned i)
{
	struct quarantine_table *table = &quarantine_table;

	table->counts[quarantine_is_remote(&table->list[i])]--;
	table->n--;
	memmove(&table->list[i], &table->list[i + 1], (table->n - i) * sizeof(table->list[0]));
	table->unsaved = true;
}

/* "port vm1", "address 10.0.0.9 of network office". */
static void name_subject(const struct quarantine_entry *entry, char *text, size_t len)
{
	if (quarantine_is_remote(entry))
		snprintf(text, len, "address %s of network %s", entry->address, entry->network);
	else
		snprintf(text, len, "port %s", entry->port);
}

void quarantine_tell(const struct quarantine_entry *entry, const char *action, const char *by,
	const struct evidence *evidence, bool lasting)
{
	json_t *facts = quarantine_entry_show(entry);
	char subject[ADDR_TEXT_MAX + CONFIG_NAME_MAX + 32];

	name_subject(entry, subject, sizeof(subject));
	log_message(LOG_LEVEL_WARNING, "quarantine of %s (tenant %s, level %s) %s%s%s: %s", subject,
		entry->tenant,
		quarantine_is_remote(entry) ? quarantine_remote_level_name(entry->level)
					    : quarantine_level_name(entry->level),
		action, by != NULL ? " by " : "", by != NULL ? by : "", entry->reason);
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

void quarantine_tell_full(const struct quarantine_entry *entry, const struct evidence *evidence)
{
	char subject[ADDR_TEXT_MAX + CONFIG_NAME_MAX + 32];

	name_subject(entry, subject, sizeof(subject));
	log_limited(&limit, LOG_LEVEL_ERROR,
		"%u quarantines are kept, as many as there may be: that of %s would not "
		"outlive a restart; release some",
		quarantine_table_max(entry), subject);
	quarantine_tell(entry, "added", NULL, evidence, false);
}

bool quarantine_take_up_unknown(const struct quarantine_entry *begun)
{
	static const struct evidence none;
	struct quarantine_entry with = *begun;
	const char *action;

	snprintf(with.reason, sizeof(with.reason),
		"by a worker, whose record of why found no room on its way");
	if (quarantine_table_take_up(&with, &action) == NULL)
		return false;
	quarantine_table.unsaved = true;
	quarantine_tell(&with, action != NULL ? action : "added", NULL, &none, true);
	return true;
}

const char *quarantine_why_unlisted(bool remote)
{
	if (quarantine_table.unknown)
		return "nobody knows what was in quarantine";
	if (quarantine_table.counts[remote] >= maxima[remote])
		return "not kept over a restart";
	return "cut off this moment: what gave it away is being recorded";
}
