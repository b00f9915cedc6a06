/*
 * The kernel's interface below a device that shares one with it (net_af_xdp, net_af_packet): what
 * DPDK neither checks nor sets. Control thread. In the network namespace of the switch.
 */
#ifndef VS_ETHDEV_IFACE_H
#define VS_ETHDEV_IFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <net/if.h>

struct ethdev_iface {
	char name[IF_NAMESIZE]; /* empty: the device has none */
	unsigned index;
	bool xdp; /* by AF_XDP: queue by queue */
	uint32_t mtu; /* as it was; 0: not changed */
	bool vlan_strip; /* was on, and was turned off */
	bool promiscuous; /* was so before */
	bool left_behind; /* as a switch that crashed left it */
};

/*
 * Which interface the device `device` (a vdev with its arguments) stands on, held against what it
 * must be: there; under AF_XDP with just `queues` queues, all of them free (ethdev_xdp.h). 0, also
 * where it has none; -1 with a message in err.
 */
int ethdev_iface_find(
	struct ethdev_iface *iface, const char *device, unsigned queues, char *err, size_t err_len);

/*
 * Makes it take packets of mtu bytes and leave VLAN tags in frames: a program and a socket in front
 * of the kernel's stack don't see those that were taken off, and tagged frames would look like
 * untagged ones. 0, or -1 with a message in err.
 */
int ethdev_iface_prepare(struct ethdev_iface *iface, uint16_t mtu, char *err, size_t err_len);

/* Sets back what ethdev_iface_prepare() and the device's driver set. */
void ethdev_iface_restore(const struct ethdev_iface *iface);

/* False: the interface is not there any more, or another one has its name. */
bool ethdev_iface_is_there(const struct ethdev_iface *iface);

/* Up, and with a carrier. */
bool ethdev_iface_is_running(const struct ethdev_iface *iface);

#endif
