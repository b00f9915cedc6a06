#include "vhost_link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <linux/virtio_net.h>
#include <rte_vhost.h>

#include "vhost_port.h"

/*
 * The library's event loop holds 1024 descriptors: one for each connection, and one for each
 * socket that listens.
 */
#define EVENT_DESCRIPTORS 1000u

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(vhost_ports, vhost_port) registry = LIST_HEAD_INITIALIZER(registry);
static _Atomic(struct vhost_link *) links[RTE_MAX_VHOST_DEVICE]; /* by vid */

uint64_t vhost_link_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

uint32_t vhost_link_caps(uint64_t features)
{
	uint32_t caps = PORT_TX_CHAINS;

	/* The library cuts nothing and sums nothing: what was not negotiated must not be sent. */
	if (!(features & (1ull << VIRTIO_NET_F_GUEST_CSUM)))
		return caps;
	caps |= PORT_TX_CSUM;
	if (features & (1ull << VIRTIO_NET_F_GUEST_TSO4))
		caps |= PORT_TX_TSO4;
	if (features & (1ull << VIRTIO_NET_F_GUEST_TSO6))
		caps |= PORT_TX_TSO6;
	return caps;
}

static struct vhost_link *link_of(int vid)
{
	if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE)
		return NULL;
	return atomic_load(&links[vid]);
}

static unsigned descriptors_of(const struct vhost_port *port)
{
	return port->conf.server ? 2 : 1;
}

int vhost_link_attach(struct vhost_port *port, char *err, size_t err_len)
{
	const struct vhost_port *other;
	unsigned descriptors = descriptors_of(port);
	int rc = 0;

	pthread_mutex_lock(&registry_lock);
	LIST_FOREACH (other, &registry, next) {
		descriptors += descriptors_of(other);
		if (strcmp(other->conf.socket, port->conf.socket) != 0)
			continue;
		snprintf(err, err_len, "socket %s is port %s's: give each port its own",
			port->conf.socket, other->dev.name);
		rc = -1;
	}
	if (rc == 0 && descriptors > EVENT_DESCRIPTORS) {
		snprintf(err, err_len,
			"too many vhost-user ports: %u in client mode are possible, and one in "
			"server "
			"mode counts as two",
			EVENT_DESCRIPTORS);
		rc = -1;
	}
	if (rc == 0)
		LIST_INSERT_HEAD(&registry, port, next);
	pthread_mutex_unlock(&registry_lock);
	return rc;
}

static struct vhost_port *port_at(const char *path)
{
	struct vhost_port *port;

	pthread_mutex_lock(&registry_lock);
	LIST_FOREACH (port, &registry, next)
		if (strcmp(port->conf.socket, path) == 0)
			break;
	pthread_mutex_unlock(&registry_lock);
	return port;
}

/* All below, down to the callbacks, under port->lock. */

static uint16_t mtu_now(const struct vhost_port *port)
{
	const struct vhost_link *link = port->active;

	if (link == NULL || !(link->session.features & (1ull << VIRTIO_NET_F_MTU)) ||
		link->session.mtu == 0)
		return port->conf_mtu;
	return RTE_MIN(link->session.mtu, port->conf_mtu);
}

static bool usable(const struct vhost_link *link)
{
	return link != NULL && atomic_load(&link->guard.cause) == VHOST_GUARD_WHOLE;
}

/* Sets the words that workers read: masks last where queues start, first where they stop. */
static void publish(struct vhost_port *port)
{
	struct port_dev *dev = &port->dev;
	const struct vhost_link *link = usable(port->active) ? port->active : NULL;
	uint32_t rx = link != NULL ? link->rx_enabled : 0;
	uint32_t tx = link != NULL ? link->tx_enabled : 0;
	uint32_t pollable = link != NULL ? link->polled & rx : 0;
	uint32_t started = rx & ~atomic_load(&dev->rx_ready);

	if (link == NULL) {
		atomic_store(&dev->rx_ready, 0);
		atomic_store(&dev->tx_ready, 0);
		atomic_store(&port->vid, -1);
		atomic_store(&dev->mtu, mtu_now(port));
		return;
	}
	if (pollable != atomic_exchange(&port->pollable, pollable) || started != 0)
		atomic_fetch_add(&dev->rx_generation, 1);
	atomic_store(&dev->tx_caps, vhost_link_caps(link->session.features));
	atomic_store(&dev->mtu, mtu_now(port));
	atomic_store(&port->vid, link->vid);
	atomic_store(&dev->rx_ready, rx);
	atomic_store(&dev->tx_ready, tx);
	/* It may have been found cut since; whoever found it may have cleared them before. */
	if (!usable(link)) {
		atomic_store(&dev->rx_ready, 0);
		atomic_store(&dev->tx_ready, 0);
	}
}

static void kick_drop(struct vhost_link *link, unsigned pair)
{
	int *kick = &link->kicks[pair];

	if (*kick < 0)
		return;
	epoll_ctl(link->port->queues[pair].wait_fd, EPOLL_CTL_DEL, *kick, NULL);
	close(*kick);
	*kick = -1;
}

/*
 * Workers wait for the queue's own wait_fd, in which the kick descriptor of the moment stands. The
 * library may close its copy at any time, even one that a worker's epoll set still refers to.
 */
static void kick_take(struct vhost_link *link, unsigned pair)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct rte_vhost_vring ring;
	int kick = -1;

	kick_drop(link, pair);
	link->polled |= 1u << pair;
	if (rte_vhost_get_vhost_vring(link->vid, 2 * pair + 1, &ring) == 0 && ring.kickfd >= 0)
		kick = fcntl(ring.kickfd, F_DUPFD_CLOEXEC, 0);
	if (kick < 0)
		return;
	if (epoll_ctl(link->port->queues[pair].wait_fd, EPOLL_CTL_ADD, kick, &event) != 0) {
		close(kick);
		return;
	}
	link->kicks[pair] = kick;
	link->polled &= ~(1u << pair);
}

static void link_release(struct vhost_link *link)
{
	struct vhost_link *expected = link;

	vhost_guard_remove(link->vid, &link->guard);
	for (unsigned i = 0; i < PORT_QUEUES_MAX; i++)
		kick_drop(link, i);
	/* Where the library has freed the number already, it may be another port's by now. */
	atomic_compare_exchange_strong(&links[link->vid], &expected, NULL);
	link->used = false;
}

/* Where the ring stands and how many packets came of it, so that what it lost can be told. */
static void rx_started(struct vhost_link *link, unsigned pair)
{
	struct vhost_queue *queue = &link->port->queues[pair];
	uint16_t avail, used;

	if (rte_vhost_get_vring_base(link->vid, 2 * pair + 1, &avail, &used) != 0)
		return;
	queue->start_index = avail;
	queue->start_packets = atomic_load(&queue->rx_packets);
}

void vhost_link_detach(struct vhost_port *port)
{
	pthread_mutex_lock(&registry_lock);
	LIST_REMOVE(port, next);
	pthread_mutex_unlock(&registry_lock);

	pthread_mutex_lock(&port->lock);
	for (unsigned i = 0; i < RTE_DIM(port->links); i++)
		if (port->links[i].used)
			link_release(&port->links[i]);
	pthread_mutex_unlock(&port->lock);
}

void vhost_link_set_mtu(struct vhost_port *port, uint16_t mtu)
{
	pthread_mutex_lock(&port->lock);
	port->conf_mtu = mtu;
	atomic_store(&port->dev.mtu, mtu_now(port));
	pthread_mutex_unlock(&port->lock);
}

/*
 * What the library has mapped just now. 0, or -1 where that cannot be known. Of memory it may be
 * asked only after it has taken a table.
 */
static int guard_memory(int vid)
{
	struct vhost_guard_region regions[VHOST_GUARD_REGIONS];
	struct rte_vhost_memory *memory;
	unsigned n;

	if (rte_vhost_get_mem_table(vid, &memory) != 0)
		return -1;
	for (n = 0; n < memory->nregions && n < VHOST_GUARD_REGIONS; n++) {
		regions[n].start = (uintptr_t)memory->regions[n].mmap_addr;
		regions[n].size = memory->regions[n].mmap_size;
	}
	free(memory);
	vhost_guard_set_memory(vid, regions, n);
	return 0;
}

static int guard_log(int vid)
{
	uint64_t base, size;

	if (rte_vhost_get_log_base(vid, &base, &size) != 0)
		return -1;
	vhost_guard_set_log(vid, (struct vhost_guard_region){base, size});
	return 0;
}

static int guard_remapped(const struct vhost_link *link)
{
	switch (link->session.remaps) {
	case VHOST_REMAP_MEMORY:
		return guard_memory(link->vid);
	case VHOST_REMAP_LOG:
		return guard_log(link->vid);
	default:
		return 0;
	}
}

/* Callbacks of messages, with all of the device's queue locks held. */

static int before_message(int vid, void *message)
{
	struct vhost_link *link = link_of(vid);
	int result;

	vhost_guard_leave();
	if (link == NULL)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	pthread_mutex_lock(&link->port->lock);
	result = vhost_protocol_before(&link->session, vid, message);
	if (result == RTE_VHOST_MSG_RESULT_ERR)
		snprintf(link->port->error, sizeof(link->port->error), "%s", link->session.reason);
	/* The library reads the rings in their new place before it comes back here. */
	else if (link->session.remaps != VHOST_REMAP_NOTHING)
		vhost_guard_enter(vid);
	pthread_mutex_unlock(&link->port->lock);
	return result;
}

static int progress(const struct vhost_link *link)
{
	return link->session.negotiated + link->session.mapped;
}

static int after_message(int vid, void *message)
{
	struct vhost_link *link = link_of(vid);
	struct vhost_port *port;
	bool announces;
	int result, before;

	vhost_guard_leave();
	if (link == NULL)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	port = link->port;
	pthread_mutex_lock(&port->lock);
	before = progress(link);
	result = vhost_protocol_after(&link->session, vid, message);
	if (guard_remapped(link) != 0)
		result = RTE_VHOST_MSG_RESULT_ERR;
	if (link->session.kicked >= 0 && (link->session.kicked & 1))
		kick_take(link, link->session.kicked / 2);
	if (link == port->active)
		publish(port);
	before -= progress(link);
	announces = link->session.announces;
	pthread_mutex_unlock(&port->lock);
	/* The packet is in no ring that would wake a worker. */
	if (announces)
		port_env.wake(&port->dev);
	if (before != 0)
		port_env.changed(&port->dev);
	return result;
}

static struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = before_message,
	.post_msg_handle = after_message,
};

static int vring_state_changed(int vid, uint16_t ring, int enable)
{
	struct vhost_link *link = link_of(vid);
	struct vhost_port *port;
	uint32_t bit, *mask;

	if (link == NULL || ring >= 2 * link->port->conf.queues)
		return 0;
	port = link->port;
	bit = 1u << (ring / 2);
	pthread_mutex_lock(&port->lock);
	mask = ring & 1 ? &link->rx_enabled : &link->tx_enabled;
	*mask = enable ? *mask | bit : *mask & ~bit;
	if ((ring & 1) && enable)
		rx_started(link, ring / 2);
	if (link == port->active)
		publish(port);
	pthread_mutex_unlock(&port->lock);
	if (enable)
		port_env.wake(&port->dev);
	port_env.changed(&port->dev);
	return 0;
}

/* The other callbacks, with no queue lock held. */

static int new_device(int vid)
{
	struct vhost_link *link = link_of(vid);
	struct vhost_port *port;

	if (link == NULL)
		return -1;
	port = link->port;
	pthread_mutex_lock(&port->lock);
	link->running = true;
	if (port->active == NULL && !port->closing)
		port->active = link;
	if (port->active == link) {
		port->error[0] = '\0';
		publish(port);
	}
	pthread_mutex_unlock(&port->lock);
	port_env.wake(&port->dev);
	port_env.changed(&port->dev);
	return 0;
}

static struct vhost_link *next_running(struct vhost_port *port)
{
	for (unsigned i = 0; i < RTE_DIM(port->links) && !port->closing; i++)
		if (port->links[i].used && port->links[i].running)
			return &port->links[i];
	return NULL;
}

/* The device may be freed when this returns, so no worker may be using it any more. */
static void destroy_device(int vid)
{
	struct vhost_link *link = link_of(vid);
	struct vhost_port *port;
	bool was_active;

	if (link == NULL)
		return;
	port = link->port;
	pthread_mutex_lock(&port->peek);
	pthread_mutex_lock(&port->lock);
	link->running = false;
	was_active = port->active == link;
	if (was_active) {
		port->active = NULL;
		publish(port);
	}
	pthread_mutex_unlock(&port->lock);
	pthread_mutex_unlock(&port->peek);
	if (!was_active)
		return;
	port_env.synchronize();
	pthread_mutex_lock(&port->lock);
	if (port->active == NULL)
		port->active = next_running(port);
	publish(port);
	pthread_mutex_unlock(&port->lock);
	port_env.wake(&port->dev);
	port_env.changed(&port->dev);
}

static int features_changed(int vid, uint64_t features)
{
	struct vhost_link *link = link_of(vid);

	if (link != NULL)
		port_env.changed(&link->port->dev);
	return 0;
}

static struct vhost_link *free_link(struct vhost_port *port)
{
	/* In client mode the library makes one connection at a time. */
	for (unsigned i = 0; i < RTE_DIM(port->links) && !port->closing; i++)
		if (!port->links[i].used)
			return &port->links[i];
	return NULL;
}

static void link_init(struct vhost_link *link, struct vhost_port *port, int vid)
{
	const struct vhost_link *other = &port->links[link == &port->links[0]];
	int fd = vhost_socket_limit(
		port->conf.socket, port->conf.server, other->used ? other->session.fd : -1);

	memset(link, 0, sizeof(*link));
	link->port = port;
	link->used = true;
	link->vid = vid;
	link->pid = vhost_socket_peer(fd);
	link->since_ms = vhost_link_now_ms();
	for (unsigned i = 0; i < PORT_QUEUES_MAX; i++)
		link->kicks[i] = -1;
	vhost_protocol_init(&link->session, port->conf.queues, fd);
	link->guard.dev = &port->dev;
	link->guard.active = &port->vid;
	vhost_guard_add(vid, &link->guard);
	atomic_store(&links[vid], link);
}

static int new_connection(int vid)
{
	struct vhost_port *port;
	struct vhost_link *link;
	char path[PATH_MAX];

	if (vid >= RTE_MAX_VHOST_DEVICE || rte_vhost_get_ifname(vid, path, sizeof(path)) != 0)
		return -1;
	port = port_at(path);
	if (port == NULL || rte_vhost_extern_callback_register(vid, &message_ops, NULL) != 0)
		return -1;
	pthread_mutex_lock(&port->lock);
	link = free_link(port);
	if (link != NULL)
		link_init(link, port, vid);
	else
		port->refused++;
	pthread_mutex_unlock(&port->lock);
	port_env.changed(&port->dev);
	return link != NULL ? 0 : -1;
}

static void destroy_connection(int vid)
{
	struct vhost_link *link = link_of(vid);
	struct vhost_port *port;
	char why[VHOST_ERROR_LEN];

	vhost_guard_leave();
	if (link == NULL)
		return;
	port = link->port;
	pthread_mutex_lock(&port->lock);
	vhost_guard_explain(&link->guard, why, sizeof(why));
	if (why[0] == '\0')
		vhost_protocol_epitaph(&link->session, why, sizeof(why));
	if (why[0] != '\0')
		memcpy(port->error, why, sizeof(port->error));
	link_release(link);
	pthread_mutex_unlock(&port->lock);
	port_env.changed(&port->dev);
}

const struct rte_vhost_device_ops vhost_link_ops = {
	.new_device = new_device,
	.destroy_device = destroy_device,
	.vring_state_changed = vring_state_changed,
	.features_changed = features_changed,
	.new_connection = new_connection,
	.destroy_connection = destroy_connection,
};
