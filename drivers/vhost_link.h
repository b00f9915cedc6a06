/*
 * Connections of vhost-user front ends: turns the vhost library's callbacks into the words that
 * workers read. No callback does more than that, however often a guest provokes it.
 *
 * Functions here: control thread.
 */
#ifndef VS_VHOST_LINK_H
#define VS_VHOST_LINK_H

#include <stddef.h>
#include <stdint.h>

struct rte_vhost_device_ops;
struct vhost_port;

extern const struct rte_vhost_device_ops vhost_link_ops;

/*
 * Makes port known by its socket's path, before the library may call back for it. 0, or -1 with a
 * message in err where another port has the path or there are too many.
 */
int vhost_link_attach(struct vhost_port *port, char *err, size_t err_len);

/* After the library was told to forget the port. */
void vhost_link_detach(struct vhost_port *port);

void vhost_link_set_mtu(struct vhost_port *port, uint16_t mtu);

/* The library's feature bits of a running link, as PORT_TX_*. */
uint32_t vhost_link_caps(uint64_t features);

uint64_t vhost_link_now_ms(void);

#endif
