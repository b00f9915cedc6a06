/*
 * `port show` of what goes in VXLAN. Control thread.
 */
#ifndef VS_VXLAN_SHOW_H
#define VS_VXLAN_SHOW_H

#include <jansson.h>

#include "port_driver.h"

/* struct port_driver's describe. */
json_t *vxlan_describe(struct port_dev *dev);

#endif
