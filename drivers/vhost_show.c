#include "vhost_show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <linux/virtio_net.h>
#include <rte_vhost.h>

#include "vhost_features.h"
#include "vhost_link.h"
#include "vhost_port.h"

#ifndef VIRTIO_F_RING_PACKED
#define VIRTIO_F_RING_PACKED 34
#endif

#define SILENT_MS     3000 /* a front end that has not spoken for so long won't */
#define STUCK_ROUNDS  20
#define STUCK_WAIT_NS 50000
#define STUCK_POLLS   3 /* whole calls that take nothing, to call a queue stuck */
#define STABLE_TRIES  100

/* A copy, taken under the lock, of what is shown. */
struct view {
	bool connected, running, standby;
	pid_t pid;
	uint64_t since_ms;
	struct vhost_session session;
	uint32_t rx, tx;
	uint64_t refused;
	char error[VHOST_ERROR_LEN];
};

static int stage(const struct vhost_link *link)
{
	if (link == NULL || !link->used)
		return -1;
	return link->running * 4 + link->session.mapped * 2 + link->session.negotiated;
}

static void take_view(struct vhost_port *port, struct view *view)
{
	const struct vhost_link *link;

	memset(view, 0, sizeof(*view));
	pthread_mutex_lock(&port->lock);
	link = port->active;
	for (unsigned i = 0; i < RTE_DIM(port->links) && port->active == NULL; i++)
		if (stage(&port->links[i]) > stage(link))
			link = &port->links[i];
	if (link != NULL) {
		view->connected = true;
		view->running = link->running;
		view->pid = link->pid;
		view->since_ms = link->since_ms;
		view->session = link->session;
		vhost_guard_explain(&link->guard, view->error, sizeof(view->error));
	}
	view->standby = port->links[0].used && port->links[1].used;
	view->rx = atomic_load(&port->dev.rx_ready);
	view->tx = atomic_load(&port->dev.tx_ready);
	view->refused = port->refused;
	if (view->error[0] == '\0')
		memcpy(view->error, port->error, sizeof(view->error));
	pthread_mutex_unlock(&port->lock);
}

static const char *state_of(const struct vhost_port *port, const struct view *view)
{
	if (!view->connected)
		return port->conf.server ? "waiting for connection" : "waiting for socket";
	if (view->rx != 0 || view->tx != 0)
		return "queues enabled";
	if (view->session.mapped)
		return "memory mapped";
	return view->session.negotiated ? "negotiated" : "connected";
}

/* The library tries to connect once a second, and says nothing of why it fails. */
static void explain_waiting(const struct vhost_port *port, char *text, size_t len)
{
	const char *path = port->conf.socket;

	if (port->conf.server)
		return;
	switch (vhost_socket_probe(path)) {
	case VHOST_SOCKET_MISSING:
		snprintf(text, len,
			"no socket at %s: the guest does not run, or its interface has another "
			"path",
			path);
		break;
	case VHOST_SOCKET_STALE:
		snprintf(text, len,
			"nobody listens at %s: the guest that made it is gone, or is the client "
			"there "
			"(QEMU: server=on)",
			path);
		break;
	case VHOST_SOCKET_OTHER:
		snprintf(text, len, "%s is no socket: give the guest's interface this path", path);
		break;
	case VHOST_SOCKET_UNREACHABLE:
		snprintf(text, len,
			"cannot reach %s: %s: look at owner, group and mode of the socket and of "
			"the "
			"directories above it",
			path, strerror(errno));
		break;
	case VHOST_SOCKET_ALIVE:
		if (vhost_link_now_ms() - port->opened_ms > SILENT_MS)
			snprintf(text, len,
				"the process that has %s does not accept: is it the client there "
				"(QEMU: server=on), or in use by another switch?",
				path);
		break;
	}
}

static void explain_silence(
	const struct vhost_port *port, const struct view *view, char *text, size_t len)
{
	if (!view->connected || view->session.spoke ||
		vhost_link_now_ms() - view->since_ms <= SILENT_MS)
		return;
	snprintf(text, len,
		"connected at %s, but the other side says nothing: another process may be "
		"connected "
		"there, and QEMU serves one at a time",
		port->conf.socket);
}

/* Packets that the guest has offered and that were not taken; 0 where that cannot be told. */
static uint16_t pending(int vid, unsigned queue)
{
	return rte_vhost_rx_queue_count(vid, 2 * queue + 1);
}

/*
 * True where workers poll and the queue's packets stay: the library stops at a descriptor that it
 * can't use, without a word. Wakes the workers and gives them a millisecond.
 */
static bool is_stuck(struct vhost_port *port, int vid, unsigned q)
{
	const struct timespec nap = {.tv_nsec = STUCK_WAIT_NS};
	const struct vhost_queue *queue = &port->queues[q];
	uint64_t polls = atomic_load(&queue->rx_polls);
	uint64_t packets = atomic_load(&queue->rx_packets);

	if (pending(vid, q) == 0)
		return false;
	port_env.wake(&port->dev);
	for (unsigned i = 0; i < STUCK_ROUNDS; i++) {
		nanosleep(&nap, NULL);
		if (atomic_load(&queue->rx_packets) != packets || pending(vid, q) == 0)
			return false;
		if (atomic_load(&queue->rx_polls) - polls >= 2 * (STUCK_POLLS + 1))
			return rte_mempool_avail_count(port_env.pool) >= PORT_BURST_MAX;
	}
	return false;
}

static void explain_stuck(struct vhost_port *port, int vid, uint32_t rx, char *text, size_t len)
{
	for (unsigned q = 0; q < port->conf.queues; q++) {
		if (!(rx & (1u << q)) || !is_stuck(port, vid, q))
			continue;
		snprintf(text, len,
			"queue %u is stuck: the guest put a descriptor in it that points outside "
			"of "
			"its memory or to itself; only a reset of the guest's driver helps",
			q);
		return;
	}
}

/*
 * Chains that the guest offered and that were no packets. Only between two calls do the ring's
 * position and the worker's count belong together. The position has 16 bits, so more than 32767
 * of them show as none.
 */
static unsigned discarded(struct vhost_port *port, int vid, unsigned q)
{
	struct vhost_queue *queue = &port->queues[q];

	for (unsigned i = 0; i < STABLE_TRIES; i++) {
		uint64_t polls = atomic_load(&queue->rx_polls);
		uint16_t taken = atomic_load(&queue->rx_packets) - queue->start_packets;
		uint16_t avail, used;
		int16_t lost;

		if (rte_vhost_get_vring_base(vid, 2 * q + 1, &avail, &used) != 0)
			return 0;
		if ((polls & 1) || atomic_load(&queue->rx_polls) != polls)
			continue;
		/* A RARP that the library makes up after a migration came from no chain. */
		lost = avail - queue->start_index - taken;
		return lost > 0 ? lost : 0;
	}
	return 0;
}

static void look_into_queues(
	struct vhost_port *port, const struct view *view, json_t *out, char *text, size_t len)
{
	unsigned lost = 0;
	int vid;

	/* What the library counts in a packed ring is something else. */
	if (view->session.features & (1ull << VIRTIO_F_RING_PACKED))
		return;
	pthread_mutex_lock(&port->peek);
	vid = atomic_load(&port->vid);
	if (vid >= 0) {
		explain_stuck(port, vid, view->rx, text, len);
		for (unsigned q = 0; q < port->conf.queues; q++)
			if (view->rx & (1u << q))
				lost += discarded(port, vid, q);
		json_object_set_new(out, "rx_discarded", json_integer(lost));
	}
	pthread_mutex_unlock(&port->peek);
}

static json_t *mask_list(uint32_t mask)
{
	json_t *list = json_array();

	for (; mask != 0; mask &= mask - 1)
		json_array_append_new(list, json_integer(__builtin_ctz(mask)));
	return list;
}

static json_t *peer(const struct view *view)
{
	char path[40], name[32] = "";
	FILE *file;

	if (!view->connected || view->pid <= 0)
		return json_null();
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)view->pid);
	file = fopen(path, "re");
	if (file != NULL) {
		if (fgets(name, sizeof(name), file) == NULL)
			name[0] = '\0';
		fclose(file);
	}
	/* A process names itself as it likes. */
	name[strcspn(name, "\n")] = '\0';
	for (char *c = name; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return json_pack("{s:i, s:s}", "pid", (int)view->pid, "name", name);
}

static void show_features(const struct vhost_port *port, const struct view *view, json_t *out)
{
	const struct vhost_session *session = &view->session;

	json_object_set_new(out, "features_offered", vhost_features_names(port->offered));
	if (port->kept != 0)
		json_object_set_new(out, "features_kept", vhost_features_names(port->kept));
	if (!session->negotiated)
		return;
	json_object_set_new(out, "features", vhost_features_names(session->features));
	json_object_set_new(out, "ring",
		json_string(
			session->features & (1ull << VIRTIO_F_RING_PACKED) ? "packed" : "split"));
}

static void explain(struct vhost_port *port, const struct view *view, char *text, size_t len)
{
	if (view->error[0] != '\0')
		snprintf(text, len, "%s", view->error);
	else if (port->lost != 0)
		snprintf(text, len,
			"this build cannot offer feature bits %#llx that the port offered before: "
			"guests started then must be restarted",
			(unsigned long long)port->lost);
	else if (!view->connected)
		explain_waiting(port, text, len);
	else
		explain_silence(port, view, text, len);
}

json_t *vhost_show(struct vhost_port *port)
{
	char error[VHOST_ERROR_LEN] = "";
	json_t *out = json_object();
	struct view view;

	take_view(port, &view);
	json_object_set_new(out, "state", json_string(state_of(port, &view)));
	json_object_set_new(out, "socket", json_string(port->conf.socket));
	json_object_set_new(out, "mode", json_string(port->conf.server ? "server" : "client"));
	json_object_set_new(out, "peer", peer(&view));
	json_object_set_new(out, "queue_limit", json_integer(port->conf.queues));
	json_object_set_new(out, "queues_rx", mask_list(view.rx));
	json_object_set_new(out, "queues_tx", mask_list(view.tx));
	json_object_set_new(out, "mtu", json_integer(atomic_load(&port->dev.mtu)));
	if (view.session.mapped)
		json_object_set_new(out, "memory_regions", json_integer(view.session.regions));
	if (view.standby)
		json_object_set_new(out, "standby", json_true());
	json_object_set_new(out, "connections_refused", json_integer((json_int_t)view.refused));
	show_features(port, &view, out);
	look_into_queues(port, &view, out, error, sizeof(error));
	if (error[0] == '\0')
		explain(port, &view, error, sizeof(error));
	json_object_set_new(out, "error", error[0] != '\0' ? json_string(error) : json_null());
	return out;
}
