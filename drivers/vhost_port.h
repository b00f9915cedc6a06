/*
 * What the files of the vhost-user driver share about one port. Nobody else includes this.
 *
 * Threads: the control thread makes, describes and frees a port. The vhost library's threads call
 * back: its events thread, its reconnect thread (new connections in client mode), and the control
 * thread itself inside rte_vhost_driver_start() and _unregister(). Workers read only dev's words,
 * `vid` and `pollable`, and write only their queue's counters.
 *
 * Locks: `lock` guards links, active, error and all words that workers read, and is a leaf: nothing
 * is called under it that waits, so the library may hold its queue locks around it. `peek` keeps a
 * device alive while the control thread looks into it, which may take a queue lock; so callbacks
 * that come with queue locks held never take it.
 */
#ifndef VS_VHOST_PORT_H
#define VS_VHOST_PORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <rte_common.h>

#include "config.h"
#include "port_driver.h"
#include "vhost_guard.h"
#include "vhost_protocol.h"
#include "vhost_socket.h"

#define VHOST_ERROR_LEN 256

/*
 * A queue pair. The guest's transmit ring 2n+1 is this side's rx queue n, its receive ring 2n the
 * tx queue n (virtio 1.1, 5.1.2).
 */
struct vhost_queue {
	/* Written by the worker that polls it. */
	_Atomic uint64_t rx_packets;
	_Atomic uint64_t rx_polls; /* twice the calls; odd inside one */

	/* Under vhost_port.lock; see vhost_link.c. */
	uint64_t start_packets; /* rx_packets when the ring started */
	uint16_t start_index; /* the ring's own position then */
	int wait_fd; /* epoll set of the kick descriptors, as long as the port */
} __rte_cache_aligned;

/* One connection of a front end. */
struct vhost_link {
	struct vhost_port *port;
	bool used;
	int vid; /* the library's number for it */
	pid_t pid; /* of the peer; 0: unknown */
	uint64_t since_ms; /* when it was made */
	bool running; /* between new_device and destroy_device */
	uint32_t rx_enabled, tx_enabled; /* queue pairs whose rings are enabled */
	uint32_t polled; /* pairs whose guest gives no kicks */
	int kicks[PORT_QUEUES_MAX]; /* own copies of the rings' kick descriptors; -1: none */
	struct vhost_session session;
	struct vhost_guard guard; /* its cause stays until there is a new link */
};

struct vhost_port {
	struct port_dev dev; /* first: a port_dev of this driver is a vhost_port */

	_Atomic int vid; /* of the active link while it runs, else -1 */
	_Atomic uint32_t pollable; /* rx queues without notifications */
	struct vhost_queue queues[PORT_QUEUES_MAX];

	struct config_vhost_user conf;
	struct config_access access; /* that the socket was given */
	uint16_t conf_mtu; /* under lock */
	uint64_t offered; /* feature bits */
	uint64_t kept; /* offered only since they were before */
	uint64_t lost; /* offered before, but this build cannot any more */
	struct vhost_socket_id socket_id;
	bool registered;
	uint64_t opened_ms;

	pthread_mutex_t lock, peek;
	/*
	 * In server mode a second front end may connect before the library has noticed that the
	 * first is gone. It waits until then.
	 */
	struct vhost_link links[2];
	struct vhost_link *active;
	bool closing;
	uint64_t refused; /* connections beyond links */
	char error[VHOST_ERROR_LEN]; /* the last one, until the guest runs again */

	LIST_ENTRY(vhost_port) next;
};

#endif
