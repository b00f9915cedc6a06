/*
 * The guests that are cut off: why, since when, until when. Kept in quarantines.json beside the
 * saved configuration, so that a restart lifts none; by port name and tenant, so that a port that
 * comes back is cut off still. Of guests on other hosts no port is known but the uplink's, which is
 * many guests': they are kept by address, network and tenant. Control thread. Limits:
 * QUARANTINE_MAX ports and QUARANTINE_REMOTE_MAX addresses; at the limit the ports stay cut off all
 * the same, and the log says that a restart would lift them (addresses: see quarantine_remote.h).
 */
#ifndef VS_QUARANTINE_H
#define VS_QUARANTINE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "config.h"
#include "inspect_log.h"
#include "quarantine_evidence.h"

#define QUARANTINE_MAX 1024 /* one a port */

/* Reads what is saved in dir, and keeps its changes there ("": keeps nothing, as in a replay).
 * False, with a message logged, where the file cannot be used: then all ports with inspection are
 * cut off from the services until quarantine_release() of all. evidence_dir, hook: may be "". */
bool quarantine_load(const char *dir, const char *evidence_dir, const char *hook);
void quarantine_free(void);

/* A port has come up, or is gone: the gate of its id is set or cleared. */
void quarantine_port_up(uint16_t id, const char *port, const char *tenant);
void quarantine_port_down(uint16_t id);

/* A network has come up, with this index in the snapshot, or is gone: so for its addresses. */
void quarantine_network_up(uint16_t index, const char *network, const char *tenant);
void quarantine_network_down(uint16_t index);

/* A worker cut record's culprit off, whose evidence is kept: makes it lasting (with the next
 * quarantine_settle()), tells events and hook. Level flow is none. */
void quarantine_note(const struct inspect_record *record, const char *port, const char *peer,
	const char *network, const char *tenant, const struct evidence *evidence);

/* Saves what quarantine_note() has changed; after each batch of records. */
void quarantine_settle(void);

/* By command; for_s 0: until released. Raises one that is there, and never lowers or shortens it.
 * In force when it returns, and saved, or else quarantine_problem() says so. reason: as
 * quarantine_reason_valid(), or NULL. False with a reason. */
bool quarantine_add(const char *port, const char *tenant, enum config_quarantine_level level,
	uint32_t for_s, const char *reason, char *err, size_t err_len);
/* The same of an address on another host, which is the tenant's network's. */
bool quarantine_add_remote(const char *network, struct addr addr, const char *tenant,
	enum config_quarantine_level level, uint32_t for_s, const char *reason, char *err,
	size_t err_len);
/* port NULL: all ports and addresses. by: who asks, for the event. False with a reason: there is
 * none. */
bool quarantine_release(const char *port, const char *by, char *err, size_t err_len);
bool quarantine_release_remote(
	const char *network, struct addr addr, const char *by, char *err, size_t err_len);

/* For how many seconds the tenant's configuration has ports cut off; 0: until released. */
typedef uint32_t quarantine_term_fn(const char *tenant);

/*
 * Lifts what is over, saves again what could not be saved, and makes lasting what a worker has cut
 * off without its record having come through: for the tenant's term then. Every second or so; now
 * in seconds since 1970.
 */
void quarantine_tick(uint64_t now_s, quarantine_term_fn *term);

/* What is wrong: the file could not be read at the start, or not be written. NULL: nothing. */
const char *quarantine_problem(void);

/*
 * What is in force, also of ports that are gone ("note"), and ports that are cut off without a
 * quarantine of their own: the file cannot be used, there are too many, or a worker cut them off
 * this moment. show: NULL where there is none of the port. The caller owns the reference.
 */
json_t *quarantine_list(void);
json_t *quarantine_show(const char *port);
json_t *quarantine_show_remote(const char *network, struct addr addr);

/* {"ports","service","port","remote":{"addresses","service","host"},"evidence":{"written","lost"},
 * "hook":{"started","failed","lost","running","waiting"},"problem"}: ports in quarantine, in all
 * and by level, and addresses on other hosts. The caller owns it. */
json_t *quarantine_status(void);

#endif
