/*
 * The tap device behind a kernel port: made, set up and looked at. Packets are not its business.
 *
 * Called by the control thread. What must happen in another network namespace happens on a thread
 * that lives as long as the call, so no other thread ever changes its own.
 *
 * A device for a named namespace is made in a nameless one and moved. Made in its place it would
 * keep that namespace alive (a tun file holds the one that it was opened in), and `ip netns del`
 * would leave it running, out of everyone's reach. So the device goes with its namespace, as
 * operators expect, and the port says so. It is the same when an operator moves a device.
 */
#ifndef VS_KERNEL_TAP_H
#define VS_KERNEL_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <net/if.h>

struct kernel_tap_config {
	const char *interface;
	const char *netns; /* name under /run/netns; empty: the switch's own */
	uint16_t mtu; /* bytes of L3 */
	const uint8_t *mac; /* NULL: the kernel's choice */
};

/* Where and how the device is now, whatever was done to it since. */
struct kernel_tap_info {
	char interface[IFNAMSIZ];
	/* Name under /run/netns, or net:[inode] where it has none; empty: the switch's own. */
	char netns[256];
	unsigned ifindex;
	unsigned mtu;
	bool up;
};

/*
 * Makes the device, up, with vnet header (struct virtio_net_hdr, 10 bytes), partial checksum and
 * TSO (linux/if_tun.h). Returns its non-blocking descriptor, which the caller owns and with which
 * the device goes; -1 with what is wrong and what would be right in err.
 */
int kernel_tap_open(const struct kernel_tap_config *config, char *err, size_t err_len);

/* Sets MTU and MAC (NULL: as it is) where the device is now. 0, or a negative errno. */
int kernel_tap_set(int fd, uint16_t mtu, const uint8_t *mac);

/* 0, or a negative errno: -EBADFD where the device was removed. */
int kernel_tap_info(int fd, struct kernel_tap_info *info);

#endif
