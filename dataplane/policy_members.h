/*
 * What is in the sets of all tenants, read out of the configuration: the addresses of address sets,
 * and for groups those of the ports that are in them and of their members on other hosts.
 *
 * A port counts with its `ips` and those of its `pairs` that do not hold all of a family: such a
 * pair would make every address a member (Neutron's bug 1867119).
 *
 * Control thread; no DPDK.
 */
#ifndef VS_POLICY_MEMBERS_H
#define VS_POLICY_MEMBERS_H

#include "config.h"
#include "policy_sets.h"

struct policy_members;

/* group_ids, set_ids: where ids go, by config.groups and config.sets. NULL: out of memory. */
struct policy_members *policy_members_create(
	const struct config *config, uint16_t *group_ids, uint16_t *set_ids);

/* The tenant's sets and groups, n of them, as policy_sets_create() takes them. Good as long as
 * members and config. */
const struct policy_set_source *policy_members_of(
	const struct policy_members *members, const char *tenant, unsigned *n);

void policy_members_free(struct policy_members *members);

#endif
