/*
 * Packet buffers that a device of an uplink receives into: a pool of its own, since a device keeps
 * its rings full, which is nothing to take from the guests. Control thread.
 *
 * A device is closed while packets from it are still on their way, so its pool lives on: for the
 * next device that needs one like it, or until all buffers are back.
 */
#ifndef VS_ETHDEV_POOL_H
#define VS_ETHDEV_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mempool.h>

/* n buffers with room for frames of `room` bytes. NULL with a message in err. */
struct rte_mempool *ethdev_pool_take(unsigned n, uint32_t room, char *err, size_t err_len);

/* The device is closed. NULL is allowed. */
void ethdev_pool_give(struct rte_mempool *pool);

#endif
