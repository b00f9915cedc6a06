#include "ethdev_xdp.h"

#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UMEM_BYTES  4096
#define CHUNK_BYTES 2048
#define RING_SIZE   2
#define REPLY_BYTES 32768

/* The value of the attribute of this type among len bytes of them, or NULL. */
static const struct rtattr *find_attribute(const struct rtattr *at, int len, unsigned type)
{
	for (; RTA_OK(at, len); at = RTA_NEXT(at, len))
		if ((at->rta_type & ~(unsigned)NLA_F_NESTED) == type)
			return at;
	return NULL;
}

/* Asks for one link; the reply's length, or -1. */
static ssize_t ask_link(unsigned ifindex, void *reply, size_t len)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_GETLINK,
			.nlmsg_flags = NLM_F_REQUEST},
		.link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex},
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	if (send(fd, &request, sizeof(request), 0) == sizeof(request))
		n = recv(fd, reply, len, 0);
	close(fd);
	return n;
}

/* Id of the XDP program on the interface; 0: none. */
static uint32_t program_of(unsigned ifindex)
{
	static _Alignas(struct nlmsghdr) char reply[REPLY_BYTES];
	const struct nlmsghdr *head = (const void *)reply;
	ssize_t n = ask_link(ifindex, reply, sizeof(reply));
	const struct rtattr *xdp, *id = NULL;
	uint32_t program = 0;

	if (n < 0 || !NLMSG_OK(head, n) || head->nlmsg_type != RTM_NEWLINK)
		return 0;
	xdp = find_attribute(
		IFLA_RTA((struct ifinfomsg *)NLMSG_DATA(head)), (int)IFLA_PAYLOAD(head), IFLA_XDP);
	if (xdp != NULL)
		id = find_attribute(RTA_DATA(xdp), (int)RTA_PAYLOAD(xdp), IFLA_XDP_PROG_ID);
	if (id != NULL && RTA_PAYLOAD(id) >= sizeof(program))
		memcpy(&program, RTA_DATA(id), sizeof(program));
	return program;
}

/* Empty where it can't be told. */
static void name_of_program(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {.prog_id = id};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));

	name[0] = '\0';
	if (fd < 0)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) == 0)
		snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name);
	close(fd);
}

/* What libxdp and libbpf put on an interface for sockets, alone or behind their dispatcher. */
static bool is_for_sockets(const char *name)
{
	return strcmp(name, "xsk_def_prog") == 0 || strcmp(name, "xdp_dispatcher") == 0;
}

/* The kernel takes one socket a queue: errno of another one's bind(). */
static int try_bind(int fd, void *memory, unsigned ifindex, unsigned queue)
{
	struct xdp_umem_reg umem = {
		.addr = (uintptr_t)memory, .len = UMEM_BYTES, .chunk_size = CHUNK_BYTES};
	struct sockaddr_xdp at = {.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY,
		.sxdp_ifindex = ifindex,
		.sxdp_queue_id = queue};
	int size = RING_SIZE;

	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) != 0 ||
		setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof(size)) != 0 ||
		setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size, sizeof(size)) != 0 ||
		setsockopt(fd, SOL_XDP, XDP_RX_RING, &size, sizeof(size)) != 0 ||
		bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		return errno;
	return 0;
}

static int queue_error(unsigned ifindex, unsigned queue)
{
	void *memory = mmap(
		NULL, UMEM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? errno : 0;

	if (memory == MAP_FAILED)
		error = ENOMEM;
	if (error == 0)
		error = try_bind(fd, memory, ifindex, queue);
	if (fd >= 0)
		close(fd);
	if (memory != MAP_FAILED)
		munmap(memory, UMEM_BYTES);
	return error;
}

/* 0: fd is no AF_XDP socket. */
static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	int domain = 0;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain != AF_XDP)
		return 0;
	len = sizeof(cookie);
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

static bool is_listed(const struct ethdev_xdp_sockets *sockets, uint64_t cookie)
{
	for (unsigned i = 0; i < sockets->n; i++)
		if (sockets->list[i].cookie == cookie)
			return true;
	return false;
}

void ethdev_xdp_list(struct ethdev_xdp_sockets *sockets, const struct ethdev_xdp_sockets *before)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	sockets->n = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL && sockets->n < ETHDEV_XDP_SOCKETS) {
		int fd = atoi(entry->d_name);
		uint64_t cookie = cookie_of(fd);

		if (cookie == 0 || (before != NULL && is_listed(before, cookie)))
			continue;
		sockets->list[sockets->n].fd = fd;
		sockets->list[sockets->n++].cookie = cookie;
	}
	if (dir != NULL)
		closedir(dir);
}

void ethdev_xdp_close(const struct ethdev_xdp_sockets *sockets)
{
	for (unsigned i = 0; i < sockets->n; i++)
		if (cookie_of(sockets->list[i].fd) == sockets->list[i].cookie)
			close(sockets->list[i].fd);
}

int ethdev_xdp_check(const char *name, unsigned ifindex, unsigned queues, char *err, size_t err_len)
{
	uint32_t program = program_of(ifindex);
	char program_name[BPF_OBJ_NAME_LEN];

	if (program == 0)
		return 0;
	name_of_program(program, program_name);
	if (!is_for_sockets(program_name)) {
		snprintf(err, err_len,
			"%s: has an XDP program of another's (id %u, \"%s\"): take it off (ip link "
			"set dev %s xdp off), or use another interface",
			name, program, program_name, name);
		return -1;
	}
	for (unsigned q = 0; q < queues; q++) {
		if (queue_error(ifindex, q) != EBUSY)
			continue;
		snprintf(err, err_len,
			"%s: queue %u is in use by another program's AF_XDP socket: stop that, or "
			"use another interface",
			name, q);
		return -1;
	}
	/* The kernel frees the queues a little after our own sockets are closed. */
	usleep(ETHDEV_XDP_FREED_MS * 1000);
	return 1;
}
