/*
 * What tenants, groups, sets and ports' firewall fields must hold together, beside config_check,
 * which alone calls it; no DPDK here.
 */
#ifndef VS_CONFIG_CHECK_POLICY_H
#define VS_CONFIG_CHECK_POLICY_H

#include "config.h"
#include "config_context.h"

/*
 * Checks config, whose networks and ports have been checked, and fills in what follows: indices of
 * groups and sets, and a rule's family and protocol where other fields say it. Faults go to the
 * context's report.
 */
void config_check_policy(struct config_context *context, struct config *config);

#endif
