/*
 * The tenants' rules on their way from files to workers: loaded and compiled by a thread of its own
 * (the compiler thread), bound for each tenant, kept as profiles. Tenants with the same files share
 * a database, and what its rules cost. Compiled databases are cached in files.
 *
 * A tenant without files of rules has invariants only: its profile's revision is above 0, bind and
 * engines are NULL, for none are wanted. Where rules are wanted and not there yet the revision is
 * 0.
 *
 * While rules are reloaded the old and the new ones are both in memory, and the old ones stay until
 * no flow is in the middle of a record that began with them. A flow that holds a stream of an
 * engine may hold the binding that it began with, too.
 *
 * Control thread, but for what the compiler thread does inside.
 */
#ifndef VS_INSPECT_STORE_H
#define VS_INSPECT_STORE_H

#include <stdbool.h>

#include <jansson.h>

#include "config.h"
#include "inspect_profile.h"

#define INSPECT_STORE_ROWS_MAX 100000 /* rules in one answer */

/*
 * rules_dir: where relative names of rule files are looked for; cache_dir: for compiled databases,
 * made if need be; either may be empty. changed is called on the control thread, out of its event
 * loop (inspect_store_fd()), whenever profiles have changed: the caller publishes a snapshot and
 * calls inspect_store_published(). False with a reason in err.
 */
bool inspect_store_start(const char *rules_dir, const char *cache_dir, void (*changed)(void),
	char *err, size_t err_len);
/* When no worker runs any more and flows have given their streams back. Waits for what is being
 * compiled. */
void inspect_store_stop(void);

/* Readable when something was compiled; then call inspect_store_poll(). */
int inspect_store_fd(void);
void inspect_store_poll(void);

/*
 * Reads the rule files that config's inspection names and that no tenant has been given yet (others
 * are read by inspect_store_reload() alone), and complains into report as config_decode() does:
 * file and line of the rule, and what is wrong. False: the change is to be refused. Nothing that
 * runs is touched. What it read is what the next inspect_store_configure() has compiled.
 *
 * restore: config was taken before. Then what is wrong with rules is told of as warnings, and
 * refuses nothing: the tenant has no database until inspect_store_reload() finds its files right.
 */
bool inspect_store_check(const struct config *config, bool restore, struct config_report *report);

/*
 * Has profiles follow config; tenant_index gives policy_tenant.index. What needs no compiling holds
 * at once; a tenant's new rules come later, and until then its old ones stay, or where it had none,
 * its profile has none. Call before the snapshot of that config is published. Memory that the
 * process can't get ends it, as in switch_publish().
 */
void inspect_store_configure(
	const struct config *config, uint16_t (*tenant_index)(const char *tenant));

/* NULL: the tenant is not inspected. Valid until the first inspect_store_tick() after the
 * inspect_store_published() after it was replaced. */
const struct inspect_profile *inspect_store_profile(const char *tenant);

/* No worker looks at a profile from before the last publication any more. */
void inspect_store_published(void);

/*
 * Reads all files again and has those that changed compiled, all or nothing: where a file is
 * refused what runs stays. False with a reason, where something is being compiled or there is
 * nothing to reload. How it went: inspect_store_status(), `reload`.
 */
bool inspect_store_reload(char *err, size_t err_len);

/* Which tenant's rules are not in force, and why; of the first, and how many more there are. NULL:
 * they all are, or are on their way. Good until the next call. */
const char *inspect_store_problem(void);

/* Waits until everything asked for is compiled: replay, tests. False with a reason. */
bool inspect_store_wait(char *err, size_t err_len);

/* Every tick: refills pools, frees what no profile leads to and no flow uses any more. */
void inspect_store_tick(void);

/*
 * For `rules status`, `rules list` and `rules stats`; the caller owns the reference, NULL: no such
 * tenant (may be NULL: all).
 *
 * status: {"revision","compiling","retired","workers":[{"core","revision"}],
 *          "reload":{"number","state":"none"|"running"|"done"|"failed","changed","revision","error",
 *            "errors":[as config_report_json()]},
 *          "tenants":[{"tenant","state":"ready"|"compiling"|"failed"|"no rules","revision","files",
 *            "loaded","refused","left_out":[{"file","line","sid","keyword","reason"}],"hash",
 *            "cached","compile_ms","bytes","patterns","unknown_overrides",
 *            "workers":[{"core","revision"}],"error"}]}
 *   A worker's revision is that of the snapshot that it met last. retired: sets of rules that are
 *   replaced, but still in use.
 * rules:  {"rules":[{"tenant","sid","gid","rev","action","state":"on"|"disabled"|"out of reach",
 *            "msg","classtype","priority","place"}],"more"}; filter: part of msg, classtype or
 * file, or a sid. stats:
 * {"rules":[{"sid","gid","checks","matches","alerts","cycles","cycles_per_check","msg",
 *            "tenants","place"}],"more"}, the most expensive first, without those that did nothing;
 *          counted since the rules were loaded.
 */
json_t *inspect_store_status(void);
json_t *inspect_store_rules(const char *tenant, const char *filter);
json_t *inspect_store_stats(const char *tenant);

#endif
