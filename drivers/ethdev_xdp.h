/*
 * Whether an interface is free for AF_XDP. net_af_xdp must not be let near one that is not: when it
 * fails, and when it is closed, it takes off whatever XDP program the interface has. Control
 * thread.
 */
#ifndef VS_ETHDEV_XDP_H
#define VS_ETHDEV_XDP_H

#include <stddef.h>
#include <stdint.h>

#define ETHDEV_XDP_SOCKETS 64 /* that are told apart; a device has 16 at the most */
#define ETHDEV_XDP_FREED_MS                                                                        \
	100 /* after which queues of closed sockets are free: mostly much less */

/* AF_XDP sockets of this process. The kernel never gives a cookie twice, unlike a descriptor. */
struct ethdev_xdp_sockets {
	unsigned n;
	struct {
		int fd;
		uint64_t cookie;
	} list[ETHDEV_XDP_SOCKETS];
};

/* Those that are open now, but for those in `before`. */
void ethdev_xdp_list(struct ethdev_xdp_sockets *sockets, const struct ethdev_xdp_sockets *before);

/*
 * Closes those that are still open. The PMD of DPDK 22.11 leaves its sockets open when its device
 * is closed, and a queue has room for one.
 */
void ethdev_xdp_close(const struct ethdev_xdp_sockets *sockets);

/*
 * 0: nobody uses it. 1: nor does anybody now, but somebody did who left his program for sockets
 * there, as after a crash; it takes some 100 ms to find that out. -1 with a message in err: it has
 * an XDP program that is not for sockets, or is for some that are in use on its first `queues`
 * queues.
 */
int ethdev_xdp_check(
	const char *name, unsigned ifindex, unsigned queues, char *err, size_t err_len);

#endif
