/*
 * Fields as commands give them, KEY=VALUE, made into a piece of configuration document: "a.b" goes
 * into the object a, a field that is a list takes its items separated by commas (of an object in it
 * the first field; a device keeps those ahead of its arguments), or list or object are written
 * as in the configuration file, [...] or {...}; an empty value takes the field
 * out. Values become what they would be in the configuration file. No DPDK here.
 */
#ifndef VS_SETTINGS_H
#define VS_SETTINGS_H

#include <stddef.h>

#include <jansson.h>

#include "config_schema.h"

/*
 * settings: {"vhost-user.queues": "2", ...}. Fields that table does not know are kept, for
 * config_decode() to name. The caller owns the result, a patch for config_edit_set(); NULL with a
 * message in err where keys contradict each other.
 */
json_t *settings_patch(
	const struct config_table *table, const json_t *settings, char *err, size_t err_len);

#endif
