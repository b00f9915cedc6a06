/*
 * From the configuration's groups, sets and ports, and the emergency blocks, to what workers decide
 * by. What did not change is shared with the policy before; epochs move only where something may be
 * decided otherwise.
 *
 * Control thread. No DPDK: `vswitch-ctl explain --config` builds one too.
 */
#ifndef VS_POLICY_BUILD_H
#define VS_POLICY_BUILD_H

#include "blocks.h"
#include "config.h"
#include "policy.h"

struct policy; /* all ports' policies of one configuration, with what they share */

/*
 * Builds the policy of config with blocks on top. before: the one in force, whose parts are shared
 * where they are equal; NULL: none. Ports keep their epochs where nothing that concerns them
 * changed; a port is known by its name. NULL with an error in report where memory or a limit does
 * not suffice: then nothing has changed. Takes milliseconds: 10,000 rules in a group 20 at the
 * most.
 */
struct policy *policy_create(const struct config *config, const struct blocks *blocks,
	const struct policy *before, struct config_report *report);

/* Once no worker looks at it any more. Parts that a later policy shares stay. */
void policy_free(struct policy *policy);

/* Of the i-th port of the configuration. Good as long as policy. */
const struct policy_port *policy_port(const struct policy *policy, unsigned i);

/* Numbers that changed hands in policy_create(): for tests and `status`. */
struct policy_stats {
	unsigned groups_built, groups_kept;
	unsigned sets_built, sets_kept; /* tenants' indexes */
	unsigned epochs_moved; /* ports' directions */
};
struct policy_stats policy_stats(const struct policy *policy);

#endif
