/*
 * What the entries of `inspection` must hold together, beside config_check, which alone calls it;
 * no DPDK here.
 */
#ifndef VS_CONFIG_CHECK_INSPECTION_H
#define VS_CONFIG_CHECK_INSPECTION_H

#include "config.h"
#include "config_context.h"

/*
 * Checks config's inspection, when networks and ports have been checked. Faults go to the context's
 * report. Rule files are not read here.
 */
void config_check_inspection(struct config_context *context, const struct config *config);

#endif
