#include "vxlan_kernel.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <rte_byteorder.h>

#define ANSWER_S     1 /* that the kernel is waited for; it answers within the call */
#define REPLY_BYTES  32768
#define KNOWN_STATES (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct request {
	struct nlmsghdr head;
	char body[256]; /* a fixed part and attributes */
} __attribute__((aligned(NLMSG_ALIGNTO)));

/* An address as the kernel has it. */
struct bytes {
	uint8_t at[16];
	uint16_t len;
	uint8_t family;
};

static struct bytes bytes_of(struct addr a)
{
	struct bytes bytes = {.len = 16, .family = AF_INET6};
	rte_be64_t v[2] = {rte_cpu_to_be_64(a.high), rte_cpu_to_be_64(a.low)};

	memcpy(bytes.at, v, sizeof(v));
	if (addr_is_ipv4(a)) {
		memmove(bytes.at, bytes.at + 12, 4);
		bytes.len = 4;
		bytes.family = AF_INET;
	}
	return bytes;
}

/* The fixed part of a request, zeroed. */
static void *begin(struct request *r, uint16_t type, uint16_t flags, size_t fixed)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = NLMSG_LENGTH(fixed);
	r->head.nlmsg_type = type;
	r->head.nlmsg_flags = NLM_F_REQUEST | flags;
	return NLMSG_DATA(&r->head);
}

static void add(struct request *r, uint16_t type, const void *data, uint16_t len)
{
	struct rtattr *attr = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	attr->rta_type = type;
	attr->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(attr), data, len);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + RTA_ALIGN(attr->rta_len);
}

static int open_socket(void)
{
	struct timeval patience = {.tv_sec = ANSWER_S};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* What an answer's messages are given to. False: no more of them are wanted. */
typedef bool (*take_fn)(const struct nlmsghdr *message, void *arg);

/* Reads what came until the answer ends. 0, or a negative errno. */
static int read_answer(int fd, take_fn take, void *arg)
{
	static char reply[REPLY_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));

	for (;;) {
		ssize_t len = recv(fd, reply, sizeof(reply), 0);
		const struct nlmsghdr *message = (const struct nlmsghdr *)reply;

		if (len <= 0)
			return len < 0 ? -errno : -EIO;
		for (; NLMSG_OK(message, (size_t)len); message = NLMSG_NEXT(message, len)) {
			if (message->nlmsg_type == NLMSG_DONE)
				return 0;
			if (message->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
			if (take != NULL && !take(message, arg))
				return 0;
		}
	}
}

static int ask(const struct request *r, take_fn take, void *arg)
{
	int fd = open_socket(), error;

	if (fd < 0)
		return -errno;
	error = send(fd, r, r->head.nlmsg_len, 0) < 0 ? -errno : read_answer(fd, take, arg);
	close(fd);
	return error;
}

/* Attributes behind a message's fixed part. */
#define FOR_EACH_ATTR(attr, message, fixed, left)                                                  \
	for (left = NLMSG_PAYLOAD(message, fixed),                                                 \
	    attr = (const struct rtattr *)((const char *)NLMSG_DATA(message) +                     \
					   NLMSG_ALIGN(fixed));                                    \
		RTA_OK(attr, left); attr = RTA_NEXT(attr, left))

struct wanted {
	struct bytes address;
	unsigned index, prefer;
};

static bool take_address(const struct nlmsghdr *message, void *arg)
{
	const struct ifaddrmsg *fixed = NLMSG_DATA(message);
	struct wanted *wanted = arg;
	const struct rtattr *attr;
	int left;

	if (message->nlmsg_type != RTM_NEWADDR)
		return true;
	FOR_EACH_ATTR(attr, message, sizeof(*fixed), left)
	{
		uint16_t type = fixed->ifa_family == AF_INET ? IFA_LOCAL : IFA_ADDRESS;

		if (attr->rta_type == type && RTA_PAYLOAD(attr) == wanted->address.len &&
			memcmp(RTA_DATA(attr), wanted->address.at, wanted->address.len) == 0 &&
			wanted->index != wanted->prefer)
			wanted->index = fixed->ifa_index;
	}
	return true;
}

static unsigned find_interface(struct addr address, unsigned prefer)
{
	struct wanted wanted = {.address = bytes_of(address), .prefer = prefer};
	struct request r;
	struct ifaddrmsg *fixed = begin(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(*fixed));

	fixed->ifa_family = wanted.address.family;
	return ask(&r, take_address, &wanted) == 0 ? wanted.index : 0;
}

int vxlan_kernel_find(const struct config_port *conf, unsigned *index, char *err, size_t err_len)
{
	const char *interface = conf->uplink.interface;
	unsigned shared = if_nametoindex(interface);
	char text[ADDR_TEXT_MAX];

	*index = 0;
	if (interface[0] == '\0')
		return 0;
	if (shared != 0)
		*index = find_interface(conf->vxlan.underlay.local, shared);
	addr_format(conf->vxlan.underlay.local, text);
	if (shared == 0)
		snprintf(err, err_len,
			"there is no interface %s: it is looked for until it is there (ip link)",
			interface);
	else if (*index == 0)
		snprintf(err, err_len,
			"vxlan: the host does not have %s: give it to the interface, `ip address "
			"add`",
			text);
	else if (conf->uplink.vlan == 0 && *index != shared)
		snprintf(err, err_len, "vxlan: the host has %s on another interface", text);
	else
		return 0;
	return -1;
}

struct route {
	unsigned index;
	struct bytes next_hop;
};

static bool take_route(const struct nlmsghdr *message, void *arg)
{
	const struct rtmsg *fixed = NLMSG_DATA(message);
	struct route *route = arg;
	const struct rtattr *attr;
	int left;

	if (message->nlmsg_type != RTM_NEWROUTE || fixed->rtm_type != RTN_UNICAST)
		return false;
	FOR_EACH_ATTR(attr, message, sizeof(*fixed), left)
	{
		if (attr->rta_type == RTA_OIF)
			memcpy(&route->index, RTA_DATA(attr), sizeof(route->index));
		/* Of the other family (RTA_VIA): not for us. */
		if (attr->rta_type == RTA_GATEWAY && RTA_PAYLOAD(attr) == route->next_hop.len)
			memcpy(route->next_hop.at, RTA_DATA(attr), route->next_hop.len);
	}
	return false;
}

/* fe80::/10 (RFC 4291, 2.5.6): which of them is meant, the interface says. */
static bool is_link_local(struct addr a)
{
	return a.high >> 54 == 0xfe80 >> 6;
}

static int find_route(unsigned index, struct addr local, struct addr peer, struct route *route)
{
	struct bytes from = bytes_of(local), to = bytes_of(peer);
	struct request r;
	struct rtmsg *fixed = begin(&r, RTM_GETROUTE, 0, sizeof(*fixed));

	*route = (struct route){.next_hop = to};
	fixed->rtm_family = to.family;
	fixed->rtm_dst_len = fixed->rtm_src_len = (uint8_t)(to.len * 8);
	add(&r, RTA_DST, to.at, to.len);
	add(&r, RTA_SRC, from.at, from.len);
	if (is_link_local(peer))
		add(&r, RTA_OIF, &index, sizeof(index));
	return ask(&r, take_route, route);
}

struct neighbour {
	struct rte_ether_addr mac;
	bool known;
};

static bool take_neighbour(const struct nlmsghdr *message, void *arg)
{
	const struct ndmsg *fixed = NLMSG_DATA(message);
	struct neighbour *neighbour = arg;
	const struct rtattr *attr;
	int left;

	if (message->nlmsg_type != RTM_NEWNEIGH || !(fixed->ndm_state & KNOWN_STATES))
		return false;
	FOR_EACH_ATTR(attr, message, sizeof(*fixed), left)
	if (attr->rta_type == NDA_LLADDR && RTA_PAYLOAD(attr) == sizeof(neighbour->mac)) {
		memcpy(&neighbour->mac, RTA_DATA(attr), sizeof(neighbour->mac));
		neighbour->known = true;
	}
	return false;
}

static int ask_neighbour(uint16_t type, const struct route *route, struct neighbour *neighbour)
{
	bool use = type == RTM_NEWNEIGH;
	struct request r;
	struct ndmsg *fixed = begin(&r, type, use ? NLM_F_CREATE | NLM_F_ACK : 0, sizeof(*fixed));

	fixed->ndm_family = route->next_hop.family;
	fixed->ndm_ifindex = (int)route->index;
	fixed->ndm_flags = use ? NTF_USE : 0;
	add(&r, NDA_DST, route->next_hop.at, route->next_hop.len);
	return ask(&r, use ? NULL : take_neighbour, neighbour);
}

int vxlan_kernel_next_hop(unsigned index, struct addr local, struct addr peer,
	struct rte_ether_addr *mac, char *err, size_t err_len)
{
	struct neighbour neighbour = {0};
	struct route route;
	char text[ADDR_TEXT_MAX];
	int error = find_route(index, local, peer, &route);

	addr_format(peer, text);
	if (error != 0 || route.index != index) {
		snprintf(err, err_len,
			"the kernel has no route to %s by this interface: see `ip route get %s`",
			text, text);
		return -1;
	}
	error = ask_neighbour(RTM_NEWNEIGH, &route, NULL);
	if (error != 0) {
		snprintf(err, err_len, "cannot have the kernel look for %s: %s", text,
			strerror(-error));
		return -1;
	}
	error = ask_neighbour(RTM_GETNEIGH, &route, &neighbour);
	*mac = neighbour.mac;
	return error == 0 && neighbour.known;
}
