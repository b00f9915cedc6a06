/*
 * The fields of every object in the configuration: names, defaults and limits in one place. Used by
 * config.c and by the test that holds the manual page against them; no DPDK here.
 */
#ifndef VS_CONFIG_FIELDS_H
#define VS_CONFIG_FIELDS_H

#include "config_schema.h"

extern const struct config_table config_fields_root; /* of struct config; its fields: sections */
extern const struct config_table config_fields_vswitch;
extern const struct config_table config_fields_network;
extern const struct config_table config_fields_port;
extern const struct config_table config_fields_storm;
extern const struct config_table config_fields_replay;

#endif
