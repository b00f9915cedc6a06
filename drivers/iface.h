/*
 * An interface of the kernel below an uplink, by AF_XDP or net_af_packet: what must be so for the
 * switch to see frames as they are, and what was so before. Control thread. In the network
 * namespace of the switch.
 */
#ifndef VS_IFACE_H
#define VS_IFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <net/if.h>

struct iface {
	char name[IF_NAMESIZE]; /* empty: there is none */
	unsigned index;
	uint32_t mtu; /* as it was; 0: not changed */
	bool vlan_strip; /* was on, and was turned off */
};

/* Finds the one of that name, an Ethernet interface. 0, or -1 with a message in err. */
int iface_find(struct iface *iface, const char *name, char *err, size_t err_len);

/* Receive queues in use; 0 where that cannot be told. */
unsigned iface_queues(const struct iface *iface);

/*
 * Makes it take packets of mtu bytes and leave VLAN tags in frames: a program and a socket in front
 * of the kernel's stack don't see those that were taken off, and tagged frames would look like
 * untagged ones. 0, or -1 with a message in err.
 */
int iface_prepare(struct iface *iface, uint16_t mtu, char *err, size_t err_len);

/* Sets back what iface_prepare() set, also where it has another name by now. */
void iface_restore(const struct iface *iface);

/* By the interface's own flag, as an administrator or DPDK sets it. */
bool iface_is_promiscuous(const struct iface *iface);
void iface_set_promiscuous(const struct iface *iface, bool on);

/* False: the interface is not there any more, or another one has its name. */
bool iface_is_there(const struct iface *iface);

/* Up, and with a carrier. */
bool iface_is_running(const struct iface *iface);

/* In Mb/s, 0 where that cannot be told, and whether it is full duplex. */
uint32_t iface_speed(const struct iface *iface, bool *full_duplex);

/* Its hardware address; zeros where that cannot be told. */
void iface_mac(const struct iface *iface, uint8_t mac[6]);

#endif
