/*
 * `port show` of what uplinks carry. Control thread.
 */
#ifndef VS_TRUNK_SHOW_H
#define VS_TRUNK_SHOW_H

#include <jansson.h>

#include "trunk.h"

/* Adds what is the same for all ports of the trunk: link, offloads, device. */
void trunk_show(const struct trunk *trunk, json_t *row);

/* What keeps a port of the trunk from work as far as the device goes: a text, or null. */
json_t *trunk_error(const struct trunk *trunk, bool lost, bool link);

/* struct port_driver's describe. */
json_t *trunk_describe(struct port_dev *dev);

#endif
