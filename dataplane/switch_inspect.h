/*
 * Inspection's part of the switch's configuration: each port's profile and since when it is
 * inspected so, the workers' memory for it, and what they have counted. Control thread.
 */
#ifndef VS_SWITCH_INSPECT_H
#define VS_SWITCH_INSPECT_H

#include <stdbool.h>

#include <jansson.h>

#include "config.h"
#include "switch_state.h"

/* Whether config's inspection can be had: its rule files read, the workers' memory taken. False,
 * with the reason in report: nothing has changed. restore: as switch_restore() has it. */
bool switch_inspect_prepare(
	const struct config *config, bool restore, struct config_report *report);

/* Brings profiles and ports to config, for the next switch_publish(). Policies are installed. */
void switch_inspect_install(const struct config *config);

/* NULL: the port's tenant is not inspected. */
const struct inspect_profile *switch_inspect_profile(const struct port_entry *port);

/* As quarantine_tick() asks: by the configuration in force, 0 also where the tenant is not
 * inspected. */
uint32_t switch_inspect_term(const char *tenant);

/* The tenant's entry in config; NULL: none. */
const struct config_inspection *switch_inspect_config(
	const struct config *config, const char *tenant);

/* Whether name is in that list of the entry's: exempt ports. */
bool switch_inspect_exempt(const struct config_inspection *conf, const char *port);
bool switch_inspect_fanout_exempt(const struct config_inspection *conf, const char *port);

/* New rules are compiled: publishes them. */
void switch_inspect_changed(void);

/*
 * Over all workers: {"inspected","segments","bytes","alerts","ended","quarantines",
 * "remote_unproven","remote_full","evasions","fanout_lost","failures":{"midstream",...},"memory":{"pages":{"used","count","refused"},...},
 * "limit_refused","log_lost"}; empty where nothing was ever inspected. limit_refused: times that a
 * tenant's own limit of memory stood in the way. The caller owns the reference.
 */
json_t *switch_inspect_status(void);

#endif
