/*
 * `port show` of what a trunk over AF_XDP sockets is made of. Control thread.
 */
#ifndef VS_XSK_SHOW_H
#define VS_XSK_SHOW_H

#include "iface.h"
#include "io_thread.h"
#include "trunk.h"
#include "xdp_program.h"
#include "xsk_group.h"
#include "xsk_queue.h"

/* A trunk's device. */
struct xsk {
	struct io_client client; /* first: what the I/O thread is given is an xsk */
	struct iface iface;
	struct xsk_group *group;
	struct xdp_program *program;
	unsigned n_queues;
	struct xsk_queue *queues[PORT_QUEUES_MAX];
	int wait_fds[PORT_QUEUES_MAX]; /* epoll sets: what brings frames to the queue */
	bool io; /* the I/O thread knows it */
	uint64_t checked; /* when the interface was looked at, in TSC cycles */
	bool is_there; /* as it was then */
};

/* struct trunk_ops' describe. */
void xsk_describe(const struct trunk *trunk, json_t *row, json_t *device);

#endif
