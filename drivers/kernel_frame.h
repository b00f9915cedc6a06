/*
 * One frame with its vnet header, between a tap device's descriptor and a chain of mbufs. No copy
 * of our own: the kernel fills and reads the chain's segments.
 *
 * A reader belongs to one thread; writing needs nothing beside its arguments.
 */
#ifndef VS_KERNEL_FRAME_H
#define VS_KERNEL_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

/* 64 KiB less one of L3, an Ethernet header and two VLAN tags. */
#define KERNEL_FRAME_MAX (65535 + 14 + 8)

struct kernel_reader;

enum kernel_read {
	KERNEL_READ_FRAME,
	KERNEL_READ_EMPTY, /* nothing to read */
	KERNEL_READ_INVALID, /* a frame was read and dropped: too long, or a header without sense */
	KERNEL_READ_NO_BUFFER, /* a frame was read and dropped: the pool is empty */
	KERNEL_READ_ERROR, /* see errno; EBADFD: the device was removed */
};

/*
 * The reader holds segments for one frame of the longest, out of pool, ready to be filled. NULL
 * where memory is short or where the pool's buffers are too small for one readv().
 */
struct kernel_reader *kernel_reader_new(struct rte_mempool *pool);
void kernel_reader_free(struct kernel_reader *reader);

/* Segments of the longest frame that kernel_frame_read() returns. */
unsigned kernel_reader_segments(const struct kernel_reader *reader);

/*
 * Reads one frame from fd (non-blocking). On KERNEL_READ_FRAME *m is the caller's: all segments but
 * the last are full, and the RX flags say what the vnet header said.
 */
enum kernel_read kernel_frame_read(int fd, struct kernel_reader *reader, struct rte_mbuf **m);

/*
 * Writes m, which is only read and stays the caller's, with a vnet header made from its TX flags.
 * 0, or a negative errno: -EIO where the interface is down, -EBADFD where it was removed.
 */
int kernel_frame_write(int fd, const struct rte_mbuf *m);

#endif
