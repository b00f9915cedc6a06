/*
 * The other end of a vhost-user connection, as QEMU is it: shares memory, negotiates, drives split
 * rings. Every step can be taken by itself and every field set by hand, so that it can also be the
 * guest that no honest QEMU would be. For tests and fuzzers; no DPDK, one thread a master.
 *
 * Functions return 0 or more, or -1 where the connection is gone, time is up, or a file can't be
 * made. Timeouts are in milliseconds.
 */
#ifndef VS_VHOST_MASTER_H
#define VS_VHOST_MASTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#define VHOST_MASTER_RINGS     32
#define VHOST_MASTER_RING_SIZE 256
#define VHOST_MASTER_BUFFER    4096 /* bytes behind each descriptor */
#define VHOST_MASTER_REGIONS   19 /* what the library can read in one message */

/* Requests, and the flag that asks for an acknowledgement of any. */
enum {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES,
	VHOST_SET_OWNER,
	VHOST_RESET_OWNER,
	VHOST_SET_MEM_TABLE,
	VHOST_SET_LOG_BASE,
	VHOST_SET_LOG_FD,
	VHOST_SET_VRING_NUM,
	VHOST_SET_VRING_ADDR,
	VHOST_SET_VRING_BASE,
	VHOST_GET_VRING_BASE,
	VHOST_SET_VRING_KICK,
	VHOST_SET_VRING_CALL,
	VHOST_SET_VRING_ERR,
	VHOST_GET_PROTOCOL_FEATURES,
	VHOST_SET_PROTOCOL_FEATURES,
	VHOST_GET_QUEUE_NUM,
	VHOST_SET_VRING_ENABLE,
	VHOST_SEND_RARP,
	VHOST_NET_SET_MTU,
	VHOST_SET_BACKEND_REQ_FD,
	VHOST_IOTLB_MSG,
};
#define VHOST_NEED_REPLY 8u

struct vhost_master_ring {
	uint16_t size;
	uint16_t next_avail; /* value of avail->idx to come */
	uint16_t last_used;
	int kick, call;
	size_t offset; /* of the ring in the memory */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

struct vhost_master {
	int listener, fd;
	int memfd;
	uint8_t *mem;
	size_t mem_size;
	uint64_t gpa, user; /* of mem, as the guest and as QEMU know it */
	uint64_t offered, features; /* virtio feature bits */
	uint64_t protocol;
	uint64_t queue_limit; /* pairs, as the switch says; 0: it was not asked */
	size_t header; /* bytes of the virtio-net header */
	struct vhost_master_ring rings[VHOST_MASTER_RINGS];
};

/* A master without a connection, with memory of its own for pairs queue pairs. */
int vhost_master_init(struct vhost_master *m, unsigned pairs);
void vhost_master_free(struct vhost_master *m);

/* Connection. listen() replaces what stands at path. */
int vhost_master_listen(struct vhost_master *m, const char *path);
int vhost_master_accept(struct vhost_master *m, int timeout);
int vhost_master_connect(struct vhost_master *m, const char *path, int timeout);
void vhost_master_disconnect(struct vhost_master *m);

/* Messages. */
int vhost_master_send(struct vhost_master *m, uint32_t request, uint32_t flags, const void *payload,
	uint32_t size, const int *fds, unsigned n_fds);
int vhost_master_reply(struct vhost_master *m, void *payload, uint32_t size);
int vhost_master_send_u64(struct vhost_master *m, uint32_t request, uint64_t value);
int vhost_master_get_u64(struct vhost_master *m, uint32_t request, uint64_t *value);
int vhost_master_send_ring(
	struct vhost_master *m, uint32_t request, uint32_t index, uint32_t value);

/* Waits until all that was sent has been handled; -1 where something was refused. */
int vhost_master_sync(struct vhost_master *m);

/* Steps of a guest's start. wanted: virtio feature bits, as far as they are offered. */
int vhost_master_negotiate(struct vhost_master *m, uint64_t wanted);
int vhost_master_share_memory(struct vhost_master *m, unsigned regions);
int vhost_master_start_ring(struct vhost_master *m, unsigned index);
int vhost_master_set_ring_address(struct vhost_master *m, unsigned index, bool log);
int vhost_master_stop_ring(struct vhost_master *m, unsigned index);
int vhost_master_enable_ring(struct vhost_master *m, unsigned index, bool enable);

/* A log of the pages that the switch writes to, a bit each, in the file fd of size bytes. */
int vhost_master_start_log(struct vhost_master *m, int fd, uint64_t size, uint64_t offset);

/* All of them, for pairs queue pairs, and buffers in the receive rings. */
int vhost_master_start(struct vhost_master *m, uint64_t wanted, unsigned pairs);

/* What a reboot does: rings start from nothing. Not while the switch uses them. */
void vhost_master_reset(struct vhost_master *m);

/* Descriptors by hand; expose() offers the chain that begins at head, and kicks. */
void vhost_master_put(struct vhost_master *m, unsigned ring, uint16_t index, uint64_t addr,
	uint32_t len, uint16_t flags, uint16_t next);
void vhost_master_expose(struct vhost_master *m, unsigned ring, uint16_t head);
uint64_t vhost_master_buffer(const struct vhost_master *m, unsigned ring, uint16_t index); /* gpa */
uint8_t *vhost_master_at(const struct vhost_master *m, uint64_t gpa);

/* Gives every descriptor of a receive ring to the switch. */
void vhost_master_fill(struct vhost_master *m, unsigned pair);

/* Offers one frame; header may be NULL. It is not waited for. */
int vhost_master_transmit(struct vhost_master *m, unsigned pair,
	const struct virtio_net_hdr_mrg_rxbuf *header, const void *frame, size_t len);

/* Chains of the transmit ring that the switch has given back since the start. */
unsigned vhost_master_transmitted(const struct vhost_master *m, unsigned pair);

/* Takes one frame out of a receive ring and gives its buffers back; its length, 0: none there. */
int vhost_master_receive(struct vhost_master *m, unsigned pair,
	struct virtio_net_hdr_mrg_rxbuf *header, void *frame, size_t size);

#endif
