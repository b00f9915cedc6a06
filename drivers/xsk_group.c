#include "xsk_group.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ring.h>

#include "kernel_frame.h"
#include "port_driver.h"

#define WAITING_FRAMES 512
#define READ_FRAMES    64 /* in one turn of the I/O thread */
#define VLAN_MASK      0x0fff

struct xsk_group {
	int fd, event_fd;
	uint32_t longest;
	struct rte_ring *waiting;
	uint64_t missed; /* control thread: the kernel forgets what it told */

	/* I/O thread. */
	struct kernel_reader *reader;
	_Atomic uint64_t packets, bytes, overflow, unusable;
};

/*
 * Frames without a tag, or with a priority tag (IEEE 802.1Q, 9.3), whose first address is a
 * group's. The kernel has taken the tag off by then.
 */
static struct sock_filter wanted[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TPID),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_8021Q, 0, 6),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, VLAN_MASK),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static struct sock_filter nothing[] = {
	BPF_STMT(BPF_RET | BPF_K, 0),
};

int xsk_group_want(struct xsk_group *group, bool on)
{
	const struct sock_fprog filter = {
		.len = on ? RTE_DIM(wanted) : RTE_DIM(nothing), .filter = on ? wanted : nothing};

	return setsockopt(group->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0
		       ? 0
		       : -errno;
}

/* 0 or a negative errno. */
static int open_socket(struct xsk_group *group, unsigned ifindex)
{
	const struct sockaddr_ll at = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)ifindex};
	const struct packet_mreq promiscuous = {
		.mr_ifindex = (int)ifindex, .mr_type = PACKET_MR_PROMISC};
	int one = 1;

	/* Of no protocol, so that nothing comes before the filter is there. */
	group->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (group->fd < 0 || xsk_group_want(group, false) != 0 ||
		setsockopt(group->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0 ||
		setsockopt(group->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) != 0 ||
		setsockopt(group->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
			sizeof(promiscuous)) != 0 ||
		bind(group->fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
		return -errno;
	return 0;
}

static int open_rest(struct xsk_group *group)
{
	group->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	group->reader = kernel_reader_new(port_env.pool);
	group->waiting = aligned_alloc(
		RTE_CACHE_LINE_SIZE, (size_t)rte_ring_get_memsize(WAITING_FRAMES));
	if (group->event_fd < 0 || group->reader == NULL || group->waiting == NULL)
		return -ENOMEM;
	rte_ring_init(group->waiting, "xsk_group", WAITING_FRAMES, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return 0;
}

struct xsk_group *xsk_group_open(
	const char *name, unsigned ifindex, uint32_t longest, char *err, size_t err_len)
{
	struct xsk_group *group = calloc(1, sizeof(*group));
	int rc;

	if (group == NULL) {
		snprintf(err, err_len, "uplink: out of memory");
		return NULL;
	}
	group->fd = group->event_fd = -1;
	group->longest = longest;
	rc = open_socket(group, ifindex);
	if (rc == 0)
		rc = open_rest(group);
	if (rc == 0)
		return group;
	snprintf(err, err_len, "%s: no packet socket on it (CAP_NET_RAW is needed): %s", name,
		strerror(-rc));
	xsk_group_close(group);
	return NULL;
}

void xsk_group_close(struct xsk_group *group)
{
	struct rte_mbuf *m;

	while (group->waiting != NULL && rte_ring_sc_dequeue(group->waiting, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	free(group->waiting);
	kernel_reader_free(group->reader);
	if (group->event_fd >= 0)
		close(group->event_fd);
	if (group->fd >= 0)
		close(group->fd);
	free(group);
}

void xsk_group_count(struct xsk_group *group, struct xsk_group_counters *counters)
{
	struct tpacket_stats stats = {0};
	socklen_t len = sizeof(stats);

	if (getsockopt(group->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		group->missed += stats.tp_drops;
	counters->missed = group->missed;
	counters->packets = atomic_load(&group->packets);
	counters->bytes = atomic_load(&group->bytes);
	counters->overflow = atomic_load(&group->overflow);
	counters->unusable = atomic_load(&group->unusable);
}

int xsk_group_fd(const struct xsk_group *group)
{
	return group->fd;
}

int xsk_group_event_fd(const struct xsk_group *group)
{
	return group->event_fd;
}

/* False: the socket is empty. */
static bool read_one(struct xsk_group *group)
{
	struct rte_mbuf *m = NULL;
	enum kernel_read what = kernel_frame_read(group->fd, group->reader, &m);

	if (what == KERNEL_READ_EMPTY || what == KERNEL_READ_ERROR)
		return false;
	if (what != KERNEL_READ_FRAME || m->pkt_len > group->longest) {
		atomic_fetch_add(&group->unusable, 1);
		rte_pktmbuf_free(m);
		return true;
	}
	/* As the kernel took it: a tag that the frame begins with now is a second one. */
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0;
	atomic_fetch_add(&group->packets, 1);
	atomic_fetch_add(&group->bytes, m->pkt_len);
	if (rte_ring_sp_enqueue(group->waiting, m) != 0) {
		atomic_fetch_add(&group->overflow, 1);
		rte_pktmbuf_free(m);
	}
	return true;
}

bool xsk_group_read(struct xsk_group *group)
{
	const uint64_t one = 1;
	unsigned n = 0;

	while (n < READ_FRAMES && read_one(group))
		n++;
	/* It can only fail where the count is at its end, which it does not reach. */
	if (n > 0 && write(group->event_fd, &one, sizeof(one)) < 0)
		return n == READ_FRAMES;
	return n == READ_FRAMES;
}

uint16_t xsk_group_receive(struct xsk_group *group, struct rte_mbuf **pkts, uint16_t n)
{
	return (uint16_t)rte_ring_sc_dequeue_burst(group->waiting, (void **)pkts, n, NULL);
}
