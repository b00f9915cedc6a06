/*
 * `port show` of what uplinks carry. Control thread.
 */
#ifndef VS_TRUNK_SHOW_H
#define VS_TRUNK_SHOW_H

#include <jansson.h>

#include "port_driver.h"

/* struct port_driver's describe. */
json_t *trunk_describe(struct port_dev *dev);

#endif
