/*
 * The firewall's part of the switch's configuration: rules, blocks, quotas and timeouts on their
 * way to the workers. Control thread.
 */
#ifndef VS_SWITCH_POLICY_H
#define VS_SWITCH_POLICY_H

#include "policy_build.h"
#include "switch_state.h"

/*
 * Puts policy, which it takes over, and config's limits and timeouts in place of those before, for
 * the next switch_publish(). Ports stand in config's order in switch_state.ports. Returns the
 * policy before, to be freed with policy_free() once that snapshot is out.
 */
struct policy *switch_policy_install(struct policy *policy, const struct config *config);

/* Notes which ports are bare now that policies or inspection have changed: before the
 * switch_publish() that follows. */
void switch_policy_track(void);

/* Since when the port is not bare, in TSC cycles: 0: ever since; UINT64_MAX: it is. */
uint64_t switch_policy_tracked(const struct port_entry *port);

/* Notes over how many workers each tenant's packets are spread, now that homes may have moved. */
void switch_policy_spread(void);

/* What the snapshot says of the configuration in force. */
struct firewall_settings switch_policy_settings(void);

#endif
