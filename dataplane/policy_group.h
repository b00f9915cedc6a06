/*
 * Groups' rules, compiled: from the configuration's form to tables, shared with what was there
 * before as far as it is the same. Counted references.
 *
 * Control thread; no DPDK.
 */
#ifndef VS_POLICY_GROUP_H
#define VS_POLICY_GROUP_H

#include "config.h"
#include "policy.h"
#include "policy_sets.h"
#include "policy_table.h"

/* What a rule's remote by name is compiled to: ids by the configuration's indexes. */
struct policy_ids {
	const uint16_t *groups; /* of config.groups */
	const uint16_t *sets; /* of config.sets */
};

/*
 * The group compiled. before: the one of that name and tenant in the last policy, or NULL; it is
 * what is returned where nothing in it changed. The caller owns a reference. lines: scratch. NULL:
 * out of memory. *built: tables that had to be built.
 */
struct policy_group *policy_group_create(const struct config_group *source,
	const struct policy_ids *ids, struct policy_group *before,
	const struct policy_sets_change *sets, struct policy_lines *lines, unsigned *built);
void policy_group_release(struct policy_group *group);

#endif
