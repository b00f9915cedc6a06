/*
 * The fields of the `inspection` section: one entry a tenant; like config_fields.h, which is for
 * the rest. No DPDK here.
 */
#ifndef VS_CONFIG_FIELDS_INSPECTION_H
#define VS_CONFIG_FIELDS_INSPECTION_H

#include "config_schema.h"

extern const struct config_table config_fields_inspection;
/* Of its `quarantine`; also of a struct config_inspection. */
extern const struct config_table config_fields_quarantine;

#endif
