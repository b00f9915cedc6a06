/*
 * The fields of what the firewall goes by: tenants, groups with their rules, sets, and what ports
 * have of it; like config_fields.h, which is for the rest. No DPDK here.
 */
#ifndef VS_CONFIG_FIELDS_FIREWALL_H
#define VS_CONFIG_FIELDS_FIREWALL_H

#include "config_schema.h"

extern const struct config_table config_fields_tenant;
extern const struct config_table config_fields_group;
extern const struct config_table config_fields_rule;
extern const struct config_table config_fields_set;
extern const struct config_table config_fields_firewall;

/* Of a port. */
extern const struct config_table config_fields_pair;
extern const struct config_table config_fields_port_limits;

extern const char *const config_action_choices[]; /* by enum config_action */

#endif
