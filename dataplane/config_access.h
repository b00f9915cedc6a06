/*
 * Who may use a file or socket that the switch makes: the fields of struct config_access. A user or
 * group is named as this host knows it, or by number; a mode is octal text; no DPDK here.
 */
#ifndef VS_CONFIG_ACCESS_H
#define VS_CONFIG_ACCESS_H

#include "config_schema.h"

/* Fields of a struct config_access; -1 in each until given. */
extern const struct config_table config_access_table;

#endif
