/*
 * A veth pair with two queues in a network namespace of the test's own, and other programs' XDP
 * programs, for tests of the uplinks' one.
 */
#ifndef VS_TEST_XDP_RIG_H
#define VS_TEST_XDP_RIG_H

#include <errno.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>

#include "netns.h"

#define XDP_RIG_QUEUES 2

static unsigned xdp_rig_ifindex; /* of x0 */

/* A program that passes everything; a descriptor, or a negative errno. */
static inline int xdp_rig_load(const char *name)
{
	struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", code, 2, NULL);
}

/* NULL where this process may do all that, or why not. Moves it to a namespace of its own. */
static inline const char *xdp_rig_unusable(void)
{
	const char *reason = netns_unusable();
	int fd;

	if (reason != NULL)
		return reason;
	if (netns_command("ip link add x0 numrxqueues %d numtxqueues %d type veth peer name x1 "
			  "numrxqueues %d numtxqueues %d && ip link set x0 up && ip link set x1 up",
		    XDP_RIG_QUEUES, XDP_RIG_QUEUES, XDP_RIG_QUEUES, XDP_RIG_QUEUES) != 0)
		return "needs veth pairs";
	xdp_rig_ifindex = if_nametoindex("x0");
	fd = xdp_rig_load("try");
	if (fd < 0)
		return "may not load an XDP program (CAP_BPF, CAP_NET_ADMIN)";
	close(fd);
	fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return "needs AF_XDP (CONFIG_XDP_SOCKETS)";
	close(fd);
	return NULL;
}

/* A socket that a queue's frames can be sent to: it has a receive ring and is bound nowhere. */
static inline int xdp_rig_socket(void)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), size = 2;

	if (fd >= 0 && setsockopt(fd, SOL_XDP, XDP_RX_RING, &size, sizeof(size)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

#endif
