#include "xsk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ether.h>

#include "iface.h"
#include "io_thread.h"
#include "xdp_program.h"
#include "xsk_group.h"
#include "xsk_queue.h"
#include "xsk_show.h"

#define TAGS_LEN   (2 * TRUNK_TAG_LEN)
#define CHECK_MS   500 /* between two looks at the interface */
#define FREED_MS   100 /* after which queues of closed sockets are free: mostly much less */
#define RETRY_US   5000
#define LAST_CALLS 100 /* of xsk_queue_call() for what waits in a full ring, and then some */
#define GROUP_PART 4 /* of a burst, this part at most is broadcasts */

_Static_assert(RTE_ETHER_HDR_LEN + TAGS_LEN + XSK_MTU_MAX == XSK_FRAME_MAX, "a frame in a chunk");

static uint64_t closed; /* when one was closed last, in TSC cycles; 0: never */

static struct xsk *xsk_of(const struct trunk *trunk)
{
	return trunk->device;
}

/* What a worker must not do. I/O thread. */
static bool xsk_work(struct io_client *client, uint32_t events)
{
	struct xsk *xsk = (struct xsk *)client;
	bool more = xsk_group_read(xsk->group);

	for (unsigned q = 0; q < xsk->n_queues; q++)
		more |= xsk_queue_call(xsk->queues[q]);
	return more;
}

static int check_conf(const struct trunk *trunk, const struct iface *iface, char *err, size_t len)
{
	unsigned has = iface_queues(iface), wanted = trunk->conf.queues;

	if (has != 0 && has != wanted)
		snprintf(err, len,
			"%s has %u receive queues and the uplink %u, and what comes in at a queue "
			"that only one side has would be lost: ethtool -L %s combined %u, or "
			"queues: %u",
			iface->name, has, wanted, iface->name, wanted, has);
	else if (trunk->conf.mtu > XSK_MTU_MAX)
		snprintf(err, len,
			"%s: AF_XDP takes packets of %u bytes at most, and a network of the uplink "
			"or its vxlan has %u as its mtu: lower that, or give the NIC to DPDK "
			"(device:)",
			iface->name, XSK_MTU_MAX, trunk->conf.mtu);
	else
		return 0;
	return -1;
}

static void explain_queue(const struct iface *iface, unsigned queue, int rc, char *err, size_t len)
{
	if (rc == -EBUSY)
		snprintf(err, len,
			"%s: queue %u is in use by another program's AF_XDP socket: stop that, or "
			"use another interface",
			iface->name, queue);
	else
		snprintf(err, len, "%s: no AF_XDP socket on its queue %u: %s", iface->name, queue,
			strerror(-rc));
}

/* The kernel frees queues a little after their sockets are closed. */
static bool may_be_freed_soon(void)
{
	return closed != 0 && rte_rdtsc() - closed < rte_get_tsc_hz() / 1000 * FREED_MS;
}

static int open_queue(struct xsk *xsk, unsigned q, uint32_t longest, char *err, size_t len)
{
	int rc = xsk_queue_open(&xsk->queues[q], xsk->iface.name, q, longest);

	while (rc == -EBUSY && may_be_freed_soon()) {
		usleep(RETRY_US);
		rc = xsk_queue_open(&xsk->queues[q], xsk->iface.name, q, longest);
	}
	if (rc == 0)
		return 0;
	explain_queue(&xsk->iface, q, rc, err, len);
	return -1;
}

/* What a worker that has nothing to do waits for. 0 or -1. */
static int watch(struct xsk *xsk, unsigned q, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	return epoll_ctl(xsk->wait_fds[q], EPOLL_CTL_ADD, fd, &event);
}

static int open_waiting(struct xsk *xsk, char *err, size_t len)
{
	for (unsigned q = 0; q < xsk->n_queues; q++) {
		xsk->wait_fds[q] = epoll_create1(EPOLL_CLOEXEC);
		if (xsk->wait_fds[q] < 0 || watch(xsk, q, xsk_queue_fd(xsk->queues[q])) != 0 ||
			(q == 0 && watch(xsk, q, xsk_group_event_fd(xsk->group)) != 0)) {
			snprintf(err, len, "%s: cannot be waited for: %s", xsk->iface.name,
				strerror(errno));
			return -1;
		}
	}
	return 0;
}

static int open_program(struct xsk *xsk, char *err, size_t len)
{
	int rc = 0;

	xsk->program = xdp_program_attach(xsk->iface.index, xsk->n_queues, err, len);
	if (xsk->program == NULL)
		return -1;
	for (unsigned q = 0; rc == 0 && q < xsk->n_queues; q++)
		rc = xdp_program_set_socket(xsk->program, q, xsk_queue_fd(xsk->queues[q]));
	if (rc == 0)
		return 0;
	snprintf(err, len, "%s: its XDP program takes no socket: %s", xsk->iface.name,
		strerror(-rc));
	return -1;
}

static int start_io(struct xsk *xsk, char *err, size_t len)
{
	if (io_thread_start(err, len) != 0)
		return -1;
	xsk->client.fd = xsk_group_fd(xsk->group);
	xsk->client.work = xsk_work;
	if (io_thread_add(&xsk->client, err, len) == 0) {
		xsk->io = true;
		return 0;
	}
	io_thread_stop();
	return -1;
}

static void stop_io(struct xsk *xsk)
{
	if (!xsk->io)
		return;
	io_thread_remove(&xsk->client);
	io_thread_stop();
}

/* How many frames were still to be sent, after all that can go has gone. */
static unsigned close_queue(struct xsk_queue *queue)
{
	unsigned calls = 0;

	while (xsk_queue_call(queue) && calls < LAST_CALLS)
		calls++;
	closed = rte_rdtsc();
	return xsk_queue_close(queue);
}

/* First the program, so that from then on the host has all. Returns how many frames were not sent.
 */
static unsigned take_down(struct xsk *xsk)
{
	unsigned unsent = 0;

	stop_io(xsk);
	if (xsk->program != NULL)
		xdp_program_detach(xsk->program);
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		if (xsk->wait_fds[q] >= 0)
			close(xsk->wait_fds[q]);
		if (xsk->queues[q] != NULL)
			unsent += close_queue(xsk->queues[q]);
	}
	if (xsk->group != NULL)
		xsk_group_close(xsk->group);
	iface_restore(&xsk->iface);
	free(xsk);
	return unsent;
}

static int bring_up(struct trunk *trunk, struct xsk *xsk, char *err, size_t len)
{
	struct iface *iface = &xsk->iface;

	/* In an order that touches the NIC last: what is in the way may be so for long, and with
	 * the NIC's MTU, say, mostly changes its link, which the host shares. */
	if (iface_find(iface, trunk->conf.interface, err, len) != 0 ||
		check_conf(trunk, iface, err, len) != 0 ||
		xdp_program_check(iface->index, err, len) != 0)
		return -1;
	for (; xsk->n_queues < trunk->conf.queues; xsk->n_queues++)
		if (open_queue(xsk, xsk->n_queues, trunk->longest, err, len) != 0)
			return -1;
	if (iface_prepare(iface, trunk->conf.mtu, err, len) != 0)
		return -1;
	xsk->group = xsk_group_open(iface->name, iface->index, trunk->longest, err, len);
	if (xsk->group == NULL || open_waiting(xsk, err, len) != 0 ||
		open_program(xsk, err, len) != 0)
		return -1;
	return start_io(xsk, err, len);
}

static int xsk_open(struct trunk *trunk, char *err, size_t len)
{
	struct xsk *xsk = calloc(1, sizeof(*xsk));

	if (xsk == NULL) {
		snprintf(err, len, "uplink: out of memory");
		return -1;
	}
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		xsk->wait_fds[q] = -1;
	/* Chains are copied into one piece. */
	trunk->tx_caps = PORT_TX_CHAINS;
	trunk->longest = RTE_ETHER_HDR_LEN + TAGS_LEN + trunk->conf.mtu;
	if (bring_up(trunk, xsk, err, len) != 0) {
		take_down(xsk);
		return -1;
	}
	xsk->is_there = true;
	trunk->device = xsk;
	trunk->kernel_index = xsk->iface.index;
	iface_mac(&xsk->iface, trunk->mac.addr_bytes);
	return 0;
}

static uint64_t xsk_close(struct trunk *trunk)
{
	return take_down(xsk_of(trunk));
}

static void xsk_carry(struct trunk *trunk, uint16_t vlan, bool on)
{
	struct xsk *xsk = xsk_of(trunk);

	/* Both know the VLAN already, or have room for it: they cannot fail. */
	xdp_program_set_vlan(xsk->program, vlan, on);
	if (vlan == 0)
		xsk_group_want(xsk->group, on);
}

static bool xsk_link(const struct trunk *trunk, uint32_t *mbps, bool *full_duplex)
{
	const struct iface *iface = &xsk_of(trunk)->iface;
	bool full;
	uint32_t speed = iface_speed(iface, &full);

	if (mbps != NULL)
		*mbps = speed;
	if (full_duplex != NULL)
		*full_duplex = full;
	return iface_is_running(iface);
}

static bool has_its_mac(const struct trunk *trunk)
{
	struct rte_ether_addr mac;

	iface_mac(&xsk_of(trunk)->iface, mac.addr_bytes);
	return rte_is_same_ether_addr(&mac, &trunk->mac);
}

/* What keeps frames from the switch, and is mended or named when the interface is opened again;
 * NULL: nothing. */
static const char *what_is_wrong(const struct trunk *trunk)
{
	const struct xsk *xsk = xsk_of(trunk);
	unsigned queues = iface_queues(&xsk->iface);

	if (!iface_is_there(&xsk->iface))
		return "was removed or renamed";
	if (!xdp_program_is_attached(xsk->program))
		return "no longer has the switch's XDP program, which somebody took off";
	if (queues != 0 && queues != xsk->n_queues)
		return "has another number of receive queues than before";
	/* Tunnels come to it, and go out with it. */
	if (atomic_load(&trunk->underlay) != NULL && !has_its_mac(trunk))
		return "has another MAC than before";
	return NULL;
}

/* All ports of the trunk ask, and are to hear the same. */
static bool xsk_is_there(struct trunk *trunk)
{
	struct xsk *xsk = xsk_of(trunk);
	uint64_t now = rte_rdtsc();
	const char *wrong;

	if (!xsk->is_there || now - xsk->checked < rte_get_tsc_hz() / 1000 * CHECK_MS)
		return xsk->is_there;
	xsk->checked = now;
	wrong = what_is_wrong(trunk);
	xsk->is_there = wrong == NULL;
	if (wrong != NULL)
		snprintf(trunk->gone, sizeof(trunk->gone), "%s %s", xsk->iface.name, wrong);
	return xsk->is_there;
}

static uint16_t xsk_rx_burst(
	struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct xsk *xsk = xsk_of(trunk);
	uint16_t groups = 0, got;

	if (queue == 0)
		groups = xsk_group_receive(xsk->group, pkts, (uint16_t)(1 + n / GROUP_PART));
	got = xsk_queue_receive(
		xsk->queues[queue], port_env.pool, pkts + groups, (uint16_t)(n - groups));
	if (got > 0 && xsk_queue_wants(xsk->queues[queue]))
		io_thread_kick(&xsk->client);
	return (uint16_t)(groups + got);
}

static uint16_t xsk_tx_burst(
	struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, bool *refused)
{
	struct xsk *xsk = xsk_of(trunk);

	n = xsk_queue_send(xsk->queues[queue], pkts, n);
	*refused = false;
	if (xsk_queue_wants(xsk->queues[queue]))
		io_thread_kick(&xsk->client);
	return n;
}

static int xsk_rx_fd(struct trunk *trunk, uint16_t queue)
{
	return xsk_of(trunk)->wait_fds[queue];
}

static struct xdp_program *xsk_program(const struct trunk *trunk)
{
	return xsk_of(trunk)->program;
}

const struct trunk_ops xsk_ops = {
	.open = xsk_open,
	.close = xsk_close,
	.carry = xsk_carry,
	.link = xsk_link,
	.is_there = xsk_is_there,
	.rx_burst = xsk_rx_burst,
	.tx_burst = xsk_tx_burst,
	.rx_fd = xsk_rx_fd,
	.program = xsk_program,
	.describe = xsk_describe,
};
