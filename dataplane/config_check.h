/*
 * What fields of a configuration must hold together: names that refer to each other, and things of
 * which there may be only one. Part of config_decode(); no DPDK here.
 */
#ifndef VS_CONFIG_CHECK_H
#define VS_CONFIG_CHECK_H

#include "config.h"
#include "config_context.h"

/*
 * Checks config, decoded from the context's document as far as its fields were right, and fills in
 * what follows from other fields (kind and network_index of a port, inherited values). Faults go to
 * the context's report.
 */
void config_check(struct config_context *context, struct config *config);

#endif
