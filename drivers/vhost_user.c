#include "vhost_user.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_branch_prediction.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_vhost.h>

#include "log.h"
#include "vhost_features.h"
#include "vhost_guard.h"
#include "vhost_link.h"
#include "vhost_port.h"
#include "vhost_show.h"
#include "vhost_tx.h"

static struct config_access socket_access = {(uid_t)-1, (gid_t)-1, -1};

void vhost_user_set_access(const struct config_access *access)
{
	socket_access = *access;
}

static inline struct vhost_port *vhost_port(struct port_dev *dev)
{
	return (struct vhost_port *)dev;
}

static inline void bump(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
		memory_order_release);
}

/* Data path. */

static uint16_t rx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost_port *port = vhost_port(dev);
	struct vhost_queue *q = &port->queues[queue];
	int vid = atomic_load_explicit(&port->vid, memory_order_acquire);
	uint16_t got;

	if (unlikely(vid < 0))
		return 0;
	bump(&q->rx_polls, 1);
	got = rte_vhost_dequeue_burst(vid, 2 * queue + 1, port_env.pool, pkts, n);
	bump(&q->rx_packets, got);
	bump(&q->rx_polls, 1);
	for (uint16_t i = 0; i < got; i++)
		pkts[i]->port = dev->id;
	return got;
}

static uint16_t tx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	int vid = atomic_load_explicit(&vhost_port(dev)->vid, memory_order_acquire);

	if (unlikely(vid < 0))
		return 0;
	return vhost_tx_burst(vid, 2 * queue, pkts, n, port_env.pool);
}

static void rx_notify(struct port_dev *dev, uint16_t queue, bool on)
{
	int vid = atomic_load_explicit(&vhost_port(dev)->vid, memory_order_acquire);

	if (vid >= 0)
		rte_vhost_enable_guest_notification(vid, 2 * queue + 1, on);
}

static int rx_fd(struct port_dev *dev, uint16_t queue)
{
	struct vhost_port *port = vhost_port(dev);

	if (atomic_load(&port->pollable) & (1u << queue))
		return PORT_FD_NONE;
	return port->queues[queue].wait_fd;
}

/* Control thread. */

/*
 * Whatever the library reports above this, a guest can provoke without end. What it means for the
 * port is in the port's `error`. Whoever asked for debugging keeps it.
 */
static void quieten_library(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	if (!rte_log_can_log(rte_log_register("lib.vhost.config"), RTE_LOG_DEBUG))
		rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_CRIT);
}

static void port_free(struct vhost_port *port)
{
	for (unsigned i = 0; i < PORT_QUEUES_MAX; i++)
		if (port->queues[i].wait_fd >= 0)
			close(port->queues[i].wait_fd);
	pthread_mutex_destroy(&port->lock);
	pthread_mutex_destroy(&port->peek);
	rte_free(port);
}

static struct vhost_port *port_create(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct vhost_port *port = rte_zmalloc("vhost_port", sizeof(*port), RTE_CACHE_LINE_SIZE);
	bool ok = true;

	if (port == NULL) {
		snprintf(err, err_len, "no memory for the port");
		return NULL;
	}
	port->dev.driver = &vhost_user_driver;
	snprintf(port->dev.name, sizeof(port->dev.name), "%s", conf->name);
	port->dev.id = id;
	port->conf = conf->vhost_user;
	port->access = socket_access;
	port->opened_ms = vhost_link_now_ms();
	atomic_store(&port->vid, -1);
	pthread_mutex_init(&port->lock, NULL);
	pthread_mutex_init(&port->peek, NULL);
	vhost_link_set_mtu(port, conf->mtu);
	for (unsigned i = 0; i < PORT_QUEUES_MAX; i++) {
		port->queues[i].wait_fd =
			i < conf->vhost_user.queues && ok ? epoll_create1(EPOLL_CLOEXEC) : -1;
		ok = ok && (i >= conf->vhost_user.queues || port->queues[i].wait_fd >= 0);
	}
	if (ok)
		return port;
	snprintf(
		err, err_len, "no descriptor for a queue: %s (raise LimitNOFILE)", strerror(errno));
	port_free(port);
	return NULL;
}

/* What the library offers less what is unwanted, but never less than before. */
static int choose_features(struct vhost_port *port, char *err, size_t err_len)
{
	const char *path = port->conf.socket;
	uint64_t can, before = vhost_features_recall(port->dev.name);
	uint64_t unwanted = vhost_features_unwanted(&port->conf);

	if (rte_vhost_driver_get_features(path, &can) != 0)
		goto fail;
	port->kept = before & can & unwanted;
	port->lost = before & ~can;
	port->offered = can & ~(unwanted & ~before);
	if (rte_vhost_driver_disable_features(path, ~port->offered) != 0)
		goto fail;
	if (port->lost != 0)
		log_warning(
			"port %s: cannot offer feature bits %#llx that it offered before: guests "
			"started then must be restarted",
			port->dev.name, (unsigned long long)port->lost);
	if (vhost_features_remember(port->dev.name, before, port->offered, err, err_len) == 0)
		return 0;
	/* Guests that run must not wait for a full disk. */
	log_warning("port %s: %s", port->dev.name, err);
	snprintf(port->error, sizeof(port->error), "%s", err);
	return 0;
fail:
	snprintf(err, err_len, "the vhost library does not know %s", path);
	return -1;
}

/*
 * Nobody may connect to a server's socket before it has its owner, group and mode, so it is made
 * for root alone. No other thread makes files meanwhile.
 */
static int start(struct vhost_port *port, char *err, size_t err_len)
{
	mode_t mask = umask(0177);
	int rc = rte_vhost_driver_start(port->conf.socket);

	umask(mask);
	if (rc != 0) {
		snprintf(err, err_len, "the vhost library cannot open %s: %s", port->conf.socket,
			strerror(errno));
		return -1;
	}
	if (!port->conf.server)
		return 0;
	if (!vhost_socket_identify(port->conf.socket, &port->socket_id)) {
		snprintf(err, err_len, "%s was removed by another process", port->conf.socket);
		return -1;
	}
	return vhost_socket_give(port->conf.socket, &port->access, err, err_len);
}

static int open_socket(struct vhost_port *port, char *err, size_t err_len)
{
	const char *path = port->conf.socket;
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;

	if (!port->conf.server)
		flags |= RTE_VHOST_USER_CLIENT;
	if (vhost_socket_prepare(path, port->conf.server, &port->access, err, err_len) != 0)
		return -1;
	if (rte_vhost_driver_register(path, flags) != 0) {
		snprintf(err, err_len, "the vhost library takes no further socket: %s",
			strerror(errno));
		return -1;
	}
	port->registered = true;
	if (rte_vhost_driver_callback_register(path, &vhost_link_ops) != 0) {
		snprintf(err, err_len, "the vhost library does not know %s", path);
		return -1;
	}
	if (choose_features(port, err, err_len) != 0)
		return -1;
	return start(port, err, err_len);
}

/*
 * The library calls destroy_device for a guest that is attached, on this thread and with its own
 * locks held; that waits for workers only.
 */
static void unregister(struct vhost_port *port)
{
	if (!port->registered)
		return;
	pthread_mutex_lock(&port->lock);
	port->closing = true;
	pthread_mutex_unlock(&port->lock);
	if (port->conf.server)
		vhost_socket_unlink_own(
			port->conf.socket, &port->socket_id, rte_vhost_driver_unregister);
	else
		rte_vhost_driver_unregister(port->conf.socket);
}

static uint64_t vhost_user_close(struct port_dev *dev)
{
	struct vhost_port *port = vhost_port(dev);

	unregister(port);
	vhost_link_detach(port);
	port_free(port);
	return 0; /* the guest has what was sent */
}

static struct port_dev *vhost_user_open(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct vhost_port *port = port_create(conf, id, err, err_len);

	if (port == NULL)
		return NULL;
	quieten_library();
	vhost_guard_install();
	if (vhost_link_attach(port, err, err_len) != 0) {
		port_free(port);
		return NULL;
	}
	if (open_socket(port, err, err_len) == 0)
		return &port->dev;
	vhost_user_close(&port->dev);
	return NULL;
}

static bool same_access(const struct config_access *a, const struct config_access *b)
{
	return a->owner == b->owner && a->group == b->group && a->mode == b->mode;
}

static int vhost_user_update(struct port_dev *dev, const struct config_port *conf)
{
	struct vhost_port *port = vhost_port(dev);
	const struct config_vhost_user *now = &port->conf, *wanted = &conf->vhost_user;
	char err[VHOST_ERROR_LEN];

	if (strcmp(now->socket, wanted->socket) != 0 || now->server != wanted->server ||
		now->queues != wanted->queues || now->packed != wanted->packed ||
		now->tso != wanted->tso)
		return -1;
	if (port->conf.server && !same_access(&port->access, &socket_access)) {
		if (vhost_socket_give(port->conf.socket, &socket_access, err, sizeof(err)) != 0)
			return -1;
		port->access = socket_access;
	}
	if (port->conf_mtu != conf->mtu) {
		vhost_link_set_mtu(port, conf->mtu);
		port_env.changed(dev);
	}
	return 0;
}

static json_t *describe(struct port_dev *dev)
{
	return vhost_show(vhost_port(dev));
}

const struct port_driver vhost_user_driver = {
	.kind = "vhost-user",
	.open = vhost_user_open,
	.update = vhost_user_update,
	.close = vhost_user_close,
	.forget = vhost_features_forget,
	.rx_burst = rx_burst,
	.tx_burst = tx_burst,
	.rx_notify = rx_notify,
	.rx_fd = rx_fd,
	.describe = describe,
};
