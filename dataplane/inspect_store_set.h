/*
 * One set of rules, compiled: the ruleset, its database, each worker's engine, and the bindings for
 * the variables and overrides of the tenants who share it.
 *
 * Built by the compiler thread; once handed over the control thread's alone. Workers reach
 * database, engines and bindings through profiles, and flows in the middle of a record hold an
 * engine and the binding that they began with; so a set goes only when no profile leads to it and
 * no flow holds one of its engines, and a binding when no profile does and each worker has since
 * been seen to hold none.
 */
#ifndef VS_INSPECT_STORE_SET_H
#define VS_INSPECT_STORE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "detect_engine.h"
#include "inspect_store_files.h"
#include "rule_bind.h"
#include "rule_compile.h"
#include "sizes.h"

#define INSPECT_LEFT_OUT_MAX 32 /* refusals that are kept to be shown */

/* Rules bound for one tenant, or several whose variables and overrides are the same. */
struct inspect_bind {
	char *spec; /* what they are */
	struct rule_bind *bind;
	unsigned unknown; /* overrides that name no rule */
	unsigned refs; /* profiles */
	uint32_t held; /* workers, a bit each, whose flows may hold it */
	struct inspect_bind *next;
};

struct inspect_set {
	struct inspect_files *files; /* without their texts */
	struct ruleset *ruleset; /* NULL: of no files, and so no database either */
	struct rule_db *db;
	struct detect_engine *engines[MAX_WORKERS];
	unsigned n_engines;
	struct inspect_bind *binds;
	struct rule_report left_out; /* the first refusals, and how many there are */
	uint64_t revision; /* the store's when it was taken over */
	unsigned refs; /* profiles */
	unsigned compile_ms; /* or to load it from the cache */
	struct inspect_set *next; /* the owner's list */
};

/*
 * Of files that were read, whose texts it forgets; takes them over where it succeeds. bits: names
 * of bits, kept in use. NULL, with a reason or, where rules were refused, with report.
 */
struct inspect_set *inspect_set_build(struct inspect_files *files, struct rule_names *bits,
	const char *cache, unsigned n_workers, struct rule_report *report, char *err,
	size_t err_len);

/* Of no files. NULL: out of memory. */
struct inspect_set *inspect_set_none(void);
void inspect_set_free(struct inspect_set *set);

/* The binding for conf, made where it is not there yet. NULL, with a reason; of a set of no files
 * always, with err empty. */
struct inspect_bind *inspect_set_bind(
	struct inspect_set *set, const struct config_inspection *conf, char *err, size_t err_len);

/* Of rules that are only checked. The caller frees it. NULL, with a reason. */
struct rule_bind *inspect_bind_rules(const struct ruleset *ruleset,
	const struct config_inspection *conf, unsigned *unknown, char *err, size_t err_len);

/* Flows that hold one of its engines. */
uint32_t inspect_set_flows(const struct inspect_set *set);
/* Every tick: fills the engines' pools, frees bindings that nobody holds any more. */
void inspect_set_tick(struct inspect_set *set);

/* What one rule cost in all workers. */
struct detect_cost inspect_set_cost(const struct inspect_set *set, uint32_t rule);

#endif
