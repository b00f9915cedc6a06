/*
 * The table of quarantines that quarantine*.c share, and nobody else: the entries, kept in
 * quarantines.json, of ports and of addresses on other hosts. What stands at the workers' gates by
 * it is quarantine.c's and quarantine_networks.c's. Control thread.
 */
#ifndef VS_QUARANTINE_TABLE_H
#define VS_QUARANTINE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect_log.h"
#include "quarantine.h"
#include "quarantine_evidence.h"
#include "quarantine_remote.h"
#include "quarantine_state.h"

struct quarantine_table {
	char dir[256]; /* empty: nothing is kept */
	bool unknown; /* nobody knows what was quarantined */
	bool unsaved;
	char problem[768]; /* empty: none */
	unsigned n;
	unsigned counts[2]; /* of ports, of addresses */
	/* In the order in which they came. */
	struct quarantine_entry list[QUARANTINE_MAX + QUARANTINE_REMOTE_MAX];
};

extern struct quarantine_table quarantine_table;

/* Reads what is saved. False: it cannot be used, and `unknown` is set. */
bool quarantine_table_load(const char *dir);
void quarantine_table_free(void);
void quarantine_table_save(void);

/* NULL: there is none. */
struct quarantine_entry *quarantine_table_port(const char *port, const char *tenant);
struct quarantine_entry *quarantine_table_address(
	const char *network, const char *tenant, struct addr addr);

/* An entry that begins now; for_s 0: until released. */
void quarantine_entry_begin(struct quarantine_entry *entry, const char *port, const char *tenant,
	unsigned level, uint32_t for_s);
/* Makes it that of an address on another host. */
void quarantine_entry_remote(struct quarantine_entry *entry, const char *network, struct addr addr);
/* What a record says of its cause. */
void quarantine_entry_cause(struct quarantine_entry *entry, const struct inspect_record *record,
	const char *peer, const struct evidence *evidence);

/* The table's entry that `with` belongs to, which has its place there, or is made one of. NULL: the
 * table is full. *action: what that comes to, NULL: it was so already. */
struct quarantine_entry *quarantine_table_take_up(
	const struct quarantine_entry *with, const char **action);

/* Takes the i-th out. */
void quarantine_table_remove(unsigned i);

/* How many there may be of the entry's kind. */
unsigned quarantine_table_max(const struct quarantine_entry *entry);

/* Log, event and hook of what was done with entry. by, evidence: NULL for none. */
void quarantine_tell(const struct quarantine_entry *entry, const char *action, const char *by,
	const struct evidence *evidence, bool lasting);
/* There is no room in the table for what is cut off all the same. */
void quarantine_tell_full(const struct quarantine_entry *entry, const struct evidence *evidence);

/* A worker cut it off whose record was lost: taken up now. False: there is no room. */
bool quarantine_take_up_unknown(const struct quarantine_entry *with);

/* quarantine_networks.c: what stands at the workers' gate for addresses on other hosts. */

/* Brings the gate to what the table says of the entry's address, where its network is there; entry
 * may have left the table. */
void quarantine_networks_set(const struct quarantine_entry *entry);
/* Raises it to the entry's level, also where the table has none. */
void quarantine_networks_raise(const struct quarantine_entry *entry);
bool quarantine_networks_has(const char *network, const char *tenant);
/* Makes lasting what workers have cut off without a record having come through. */
void quarantine_networks_compare(quarantine_term_fn *term);
/* Opens the gate for addresses without an entry: that one, or all (network NULL). How many. */
unsigned quarantine_networks_open(const char *network, struct addr addr, const char *by);
/* Appends a row for each such address, and packets dropped to that of an entry. */
void quarantine_networks_list(json_t *rows);
void quarantine_networks_annotate(const struct quarantine_entry *entry, json_t *row);
void quarantine_networks_free(void);

/* Why the table has nothing of who is cut off. */
const char *quarantine_why_unlisted(bool remote);

#endif
