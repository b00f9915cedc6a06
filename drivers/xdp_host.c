#include "xdp_host.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_BYTES 32768
#define MAC_BYTES   6

/* What is of interest of a link. */
struct link {
	unsigned index, lower, master; /* 0: none */
	const uint8_t *mac; /* NULL: it has none of 6 bytes */
};

/* Which of them are looked for, and what is known so far. */
struct search {
	unsigned ifindex, master;
	struct xdp_host_macs *host;
};

static unsigned read_number(const struct rtattr *at)
{
	uint32_t number = 0;

	if (RTA_PAYLOAD(at) >= sizeof(number))
		memcpy(&number, RTA_DATA(at), sizeof(number));
	return number;
}

static struct link read_link(const struct nlmsghdr *head)
{
	const struct ifinfomsg *info = NLMSG_DATA(head);
	struct link link = {.index = (unsigned)info->ifi_index};
	int len = (int)IFLA_PAYLOAD(head);
	bool elsewhere = false;

	for (const struct rtattr *at = IFLA_RTA(info); RTA_OK(at, len); at = RTA_NEXT(at, len)) {
		if (at->rta_type == IFLA_LINK)
			link.lower = read_number(at);
		else if (at->rta_type == IFLA_MASTER)
			link.master = read_number(at);
		else if (at->rta_type == IFLA_LINK_NETNSID)
			elsewhere = true;
		else if (at->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(at) == MAC_BYTES)
			link.mac = RTA_DATA(at);
	}
	if (elsewhere) /* an index of another namespace: a veth's other end */
		link.lower = 0;
	return link;
}

static void look_at(struct search *search, const struct link *link)
{
	struct xdp_host_macs *host = search->host;

	if (link->index == search->ifindex)
		search->master = link->master;
	if (link->mac == NULL || host->n == XDP_HOST_MACS_MAX ||
		(link->index != search->ifindex && link->lower != search->ifindex &&
			(search->master == 0 ||
				(link->index != search->master && link->lower != search->master))))
		return;
	memcpy(host->macs[host->n++], link->mac, MAC_BYTES);
}

/* One datagram of the answer; true with the last. */
static bool read_answer(struct search *search, const void *reply, ssize_t n)
{
	for (const struct nlmsghdr *head = reply; NLMSG_OK(head, n); head = NLMSG_NEXT(head, n)) {
		struct link link;

		if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR)
			return true;
		if (head->nlmsg_type != RTM_NEWLINK)
			continue;
		link = read_link(head);
		look_at(search, &link);
	}
	return false;
}

/* Asks for one link (index not 0) or all, and looks at what comes. 0 or a negative errno. */
static int ask(int fd, struct search *search, unsigned index)
{
	static _Alignas(struct nlmsghdr) char reply[REPLY_BYTES];
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_GETLINK,
			.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (index == 0 ? NLM_F_DUMP : 0))},
		.link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index},
	};
	bool done = false;

	if (send(fd, &request, sizeof(request), 0) != sizeof(request))
		return -errno;
	while (!done) {
		ssize_t n = recv(fd, reply, sizeof(reply), 0);

		if (n < 0)
			return -errno;
		done = read_answer(search, reply, n) || index != 0;
	}
	return 0;
}

int xdp_host_macs_read(struct xdp_host_macs *host, unsigned ifindex)
{
	struct search search = {.ifindex = ifindex, .host = host};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc;

	host->n = 0;
	if (fd < 0)
		return -errno;
	/* The interface itself first: only then is it known what it is a port of. */
	rc = ask(fd, &search, ifindex);
	if (rc == 0)
		rc = ask(fd, &search, 0);
	close(fd);
	return rc;
}
