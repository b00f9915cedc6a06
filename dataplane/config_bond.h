/*
 * Bonds in the configuration: several devices that an uplink uses as one (IEEE 802.1AX). Part of
 * config_uplinks; no DPDK here.
 */
#ifndef VS_CONFIG_BOND_H
#define VS_CONFIG_BOND_H

#include "config.h"
#include "config_context.h"
#include "config_schema.h"

extern const struct config_table config_fields_bond;

/* Faults within bond, which is that of the context's object, go to the context's report. */
void config_bond_check(struct config_context *context, const struct config_bond *bond);

#endif
