/*
 * What `port show` says of a vhost-user port, and how it finds out what the vhost library keeps to
 * itself. Control thread.
 */
#ifndef VS_VHOST_SHOW_H
#define VS_VHOST_SHOW_H

#include <jansson.h>

struct vhost_port;

/* See port_driver.describe(). Takes up to 2 ms for each queue whose packets nobody takes. */
json_t *vhost_show(struct vhost_port *port);

#endif
