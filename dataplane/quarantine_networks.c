/* Networks that are there, and what stands at the workers' gate for addresses behind uplinks. */
#include <stdio.h>
#include <string.h>

#include "quarantine_table.h"

#define STRAYS     64 /* that are looked at from one tick to the next */
#define NO_NETWORK UINT16_MAX

static struct {
	struct {
		char name[CONFIG_NAME_MAX + 1]; /* empty: none */
		char tenant[CONFIG_NAME_MAX + 1];
	} present[MAX_NETWORKS];
	unsigned n_strays; /* cut off at the last tick without an entry in the table */
	struct quarantine_remote strays[STRAYS];
} own;

static uint16_t index_of(const char *network, const char *tenant)
{
	for (unsigned i = 0; i < MAX_NETWORKS; i++)
		if (own.present[i].name[0] != '\0' && strcmp(own.present[i].name, network) == 0 &&
			strcmp(own.present[i].tenant, tenant) == 0)
			return (uint16_t)i;
	return NO_NETWORK;
}

bool quarantine_networks_has(const char *network, const char *tenant)
{
	return index_of(network, tenant) != NO_NETWORK;
}

void quarantine_networks_set(const struct quarantine_entry *entry)
{
	const struct quarantine_entry *now = quarantine_table_address(
		entry->network, entry->tenant, entry->addr);
	uint16_t index = index_of(entry->network, entry->tenant);

	if (index != NO_NETWORK)
		(void)quarantine_remote_set(index, entry->addr,
			now != NULL ? (enum config_quarantine_level)now->level
				    : CONFIG_QUARANTINE_NONE);
}

void quarantine_networks_raise(const struct quarantine_entry *entry)
{
	uint16_t index = index_of(entry->network, entry->tenant);

	if (index == NO_NETWORK)
		return;
	(void)quarantine_remote_raise(
		index, entry->addr, (enum config_quarantine_level)entry->level);
	quarantine_remote_announce(index, entry->addr);
}

void quarantine_network_up(uint16_t index, const char *network, const char *tenant)
{
	if (strcmp(own.present[index].name, network) == 0 &&
		strcmp(own.present[index].tenant, tenant) == 0)
		return;
	quarantine_network_down(index);
	snprintf(own.present[index].name, sizeof(own.present[index].name), "%s", network);
	snprintf(own.present[index].tenant, sizeof(own.present[index].tenant), "%s", tenant);
	for (unsigned i = 0; i < quarantine_table.n; i++) {
		const struct quarantine_entry *entry = &quarantine_table.list[i];

		if (quarantine_is_remote(entry) && strcmp(entry->network, network) == 0 &&
			strcmp(entry->tenant, tenant) == 0)
			quarantine_networks_raise(entry);
	}
}

void quarantine_network_down(uint16_t index)
{
	quarantine_remote_clear(index);
	memset(&own.present[index], 0, sizeof(own.present[index]));
}

void quarantine_networks_free(void)
{
	for (unsigned i = 0; i < MAX_NETWORKS; i++)
		quarantine_remote_clear((uint16_t)i);
	memset(&own, 0, sizeof(own));
}

/* Who is behind it in the table; false: it stands there, or its network is gone. */
static bool is_stray(const struct quarantine_remote *remote)
{
	const struct quarantine_entry *entry;

	if (own.present[remote->network].name[0] == '\0')
		return false;
	entry = quarantine_table_address(own.present[remote->network].name,
		own.present[remote->network].tenant, remote->addr);
	return entry == NULL || entry->level < remote->level;
}

static void begin_stray(
	struct quarantine_entry *entry, const struct quarantine_remote *remote, uint32_t for_s)
{
	quarantine_entry_begin(
		entry, "", own.present[remote->network].tenant, remote->level, for_s);
	quarantine_entry_remote(entry, own.present[remote->network].name, remote->addr);
}

static void note_stray(void *arg, const struct quarantine_remote *remote)
{
	if (own.n_strays < STRAYS && is_stray(remote))
		own.strays[own.n_strays++] = *remote;
}

/* How many entries there are whose network is, too. */
static unsigned count_there(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < quarantine_table.n; i++) {
		const struct quarantine_entry *entry = &quarantine_table.list[i];

		n += quarantine_is_remote(entry) &&
		     quarantine_networks_has(entry->network, entry->tenant);
	}
	return n;
}

void quarantine_networks_compare(quarantine_term_fn *term)
{
	struct quarantine_entry with;

	for (unsigned i = 0; i < own.n_strays; i++) {
		struct quarantine_remote *remote = &own.strays[i];

		remote->level = quarantine_remote_level(remote->network, remote->addr);
		if (remote->level == CONFIG_QUARANTINE_NONE || !is_stray(remote))
			continue;
		begin_stray(&with, remote, term(own.present[remote->network].tenant));
		/* Without room for it, the list says so. */
		(void)quarantine_take_up_unknown(&with);
	}
	own.n_strays = 0;
	if (quarantine_remote_total() > 0 && quarantine_remote_total() > count_there())
		quarantine_remote_each(note_stray, NULL);
}

struct opening {
	const char *network; /* NULL: all */
	struct addr addr;
	const char *by;
	unsigned n;
};

static void open_one(void *arg, const struct quarantine_remote *remote)
{
	struct opening *opening = arg;
	struct quarantine_entry entry;

	if (!is_stray(remote) ||
		(opening->network != NULL &&
			(strcmp(own.present[remote->network].name, opening->network) != 0 ||
				!addr_equal(remote->addr, opening->addr))))
		return;
	begin_stray(&entry, remote, 0);
	(void)quarantine_remote_set(remote->network, remote->addr, CONFIG_QUARANTINE_NONE);
	quarantine_tell(&entry, "released", opening->by, NULL, true);
	opening->n++;
}

unsigned quarantine_networks_open(const char *network, struct addr addr, const char *by)
{
	struct opening opening = {network, addr, by, 0};

	quarantine_remote_each(open_one, &opening);
	return opening.n;
}

static void list_one(void *arg, const struct quarantine_remote *remote)
{
	struct quarantine_entry entry;
	json_t *row;

	if (!is_stray(remote) || quarantine_table_address(own.present[remote->network].name,
					 own.present[remote->network].tenant, remote->addr))
		return;
	begin_stray(&entry, remote, 0);
	entry.since = 0;
	snprintf(entry.reason, sizeof(entry.reason), "%s", quarantine_why_unlisted(true));
	row = quarantine_entry_show(&entry);
	quarantine_networks_annotate(&entry, row);
	json_array_append_new(arg, row);
}

void quarantine_networks_list(json_t *rows)
{
	if (quarantine_remote_total() > count_there())
		quarantine_remote_each(list_one, rows);
}

void quarantine_networks_annotate(const struct quarantine_entry *entry, json_t *row)
{
	uint16_t index = index_of(entry->network, entry->tenant);
	const char *note = NULL;

	if (index == NO_NETWORK)
		note = "no such network of the tenant: waits for its return";
	else if (quarantine_remote_level(index, entry->addr) == CONFIG_QUARANTINE_NONE)
		note = "not in force: too many addresses of the network are cut off";
	else
		json_object_set_new(row, "dropped",
			json_integer((json_int_t)quarantine_remote_drops(index, entry->addr)));
	if (note != NULL)
		json_object_set_new(row, "note", json_string(note));
}
