/*
 * Broadcasts and multicasts of the untagged network, which are for the host and for the switch: the
 * XDP program, which can't send a frame two ways, leaves them to the host's stack, and a packet
 * socket there brings the switch its copy. They come in at queue 0.
 *
 * The socket also holds the interface promiscuous, as guests have MACs that are not its own: so
 * that ends with the switch, however that ends, and what others asked for is untouched.
 *
 * Opened and closed by the control thread, read by the I/O thread, emptied by who has RX queue 0.
 */
#ifndef VS_XSK_GROUP_H
#define VS_XSK_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

struct xsk_group;

struct xsk_group_counters {
	uint64_t packets, bytes; /* that were taken */
	uint64_t overflow; /* the switch's workers did not keep up */
	uint64_t missed; /* nor did the I/O thread: lost in the kernel */
	uint64_t unusable; /* a header without sense, or no buffer for it */
};

/* For an interface, with frames of no kind so far. NULL with a message in err. */
struct xsk_group *xsk_group_open(
	const char *name, unsigned ifindex, uint32_t longest, char *err, size_t err_len);
void xsk_group_close(struct xsk_group *group);

/* Whether such frames are wanted at all. 0 or a negative errno. Control thread. */
int xsk_group_want(struct xsk_group *group, bool on);

void xsk_group_count(struct xsk_group *group, struct xsk_group_counters *counters);

/* The socket, for the I/O thread to wait for. */
int xsk_group_fd(const struct xsk_group *group);

/* An eventfd that is written when frames came, and never read: for edge-triggered epoll. */
int xsk_group_event_fd(const struct xsk_group *group);

/* Takes some frames from the socket. True: there are more. I/O thread. */
bool xsk_group_read(struct xsk_group *group);

/* Up to n frames. Who has RX queue 0. */
uint16_t xsk_group_receive(struct xsk_group *group, struct rte_mbuf **pkts, uint16_t n);

#endif
