/*
 * A tenant's `variables` as rules/ knows them. Used by the check of the configuration and by who
 * loads rules; control or compiler thread, and vswitch-ctl. No DPDK.
 */
#ifndef VS_CONFIG_VARS_H
#define VS_CONFIG_VARS_H

#include "config.h"
#include "rule_vars.h"

/* A name that ends in PORT or PORTS is one of ports, any other one of addresses. */
enum rule_vars_kind config_vars_kind(const char *name);

/*
 * The default variables with those of inspection, which may name each other in any order. NULL: one
 * of them means nothing, reason (of size bytes) says why, and *at is its index; n_variables where
 * it is none's fault but memory's. The caller frees the result with rule_vars_free().
 */
struct rule_vars *config_vars_create(
	const struct config_inspection *inspection, unsigned *at, char *reason, size_t size);

#endif
