/*
 * Whether an interface is free for AF_XDP, on a veth pair in a network namespace of the test's own:
 * with a program of another's, with one for sockets that are in use, and with one that was left
 * behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ethdev_xdp.h"

static const char *reason; /* why nothing can be tested here */
static unsigned ifindex;
static char err[256];

static int setup(void **state)
{
	int fd;

	if (unshare(CLONE_NEWNET) != 0)
		reason = "needs a network namespace (root)";
	else if (system("ip link add x0 type veth peer name x1 && ip link set x0 up") != 0)
		reason = "needs veth pairs and ip";
	else if ((fd = socket(AF_XDP, SOCK_RAW, 0)) < 0)
		reason = "needs CONFIG_XDP_SOCKETS";
	else
		close(fd);
	if (reason != NULL)
		print_message("skipped: %s\n", reason);
	ifindex = if_nametoindex("x0");
	return 0;
}

#define SKIP_UNLESS_USABLE()                                                                       \
	do {                                                                                       \
		if (reason != NULL)                                                                \
			skip();                                                                    \
	} while (0)

/* A program that lets everything pass. */
static int load(const char *name)
{
	struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_XDP,
		.insn_cnt = 2,
		.insns = (uintptr_t)code,
		.license = (uintptr_t) "GPL"};

	snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* Puts the program on the interface; -1 takes it off. */
static void attach(int program)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct rtattr xdp, fd;
		int value;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_SETLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex},
		.xdp = {.rta_len = 2 * sizeof(struct rtattr) + sizeof(int),
			.rta_type = IFLA_XDP | NLA_F_NESTED},
		.fd = {.rta_len = sizeof(struct rtattr) + sizeof(int), .rta_type = IFLA_XDP_FD},
		.value = program,
	};
	_Alignas(struct nlmsghdr) char reply[4096];
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	const struct nlmsgerr *answer;

	assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
	assert_true(recv(fd, reply, sizeof(reply), 0) > 0);
	answer = NLMSG_DATA((struct nlmsghdr *)(void *)reply);
	assert_int_equal(answer->error, 0);
	close(fd);
}

static void attach_named(const char *name)
{
	int program = load(name);

	assert_true(program >= 0);
	attach(program);
	close(program); /* the interface keeps it */
}

/* A socket on queue 0, as another program has it. */
static int open_socket(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xdp_umem_reg umem = {.addr = (uintptr_t)memory, .len = 4096, .chunk_size = 2048};
	struct sockaddr_xdp at = {
		.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = ifindex};
	int fd = socket(AF_XDP, SOCK_RAW, 0), size = 2;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)), 0);
	assert_int_equal(setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof(size)), 0);
	assert_int_equal(setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size, sizeof(size)), 0);
	assert_int_equal(setsockopt(fd, SOL_XDP, XDP_RX_RING, &size, sizeof(size)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int check(void)
{
	return ethdev_xdp_check("x0", ifindex, 1, err, sizeof(err));
}

static void test_a_free_interface(void **state)
{
	SKIP_UNLESS_USABLE();
	assert_int_equal(check(), 0);
}

static void test_a_program_of_anothers(void **state)
{
	SKIP_UNLESS_USABLE();
	attach_named("filter");
	assert_int_equal(check(), -1);
	assert_non_null(strstr(err, "x0: has an XDP program of another's (id "));
	assert_non_null(strstr(err, "\"filter\"): take it off (ip link set dev x0 xdp off)"));
	attach(-1);
	assert_int_equal(check(), 0);
}

static void test_sockets_in_use(void **state)
{
	int fd, left = -1;

	SKIP_UNLESS_USABLE();
	fd = open_socket();
	attach_named("xsk_def_prog");
	assert_int_equal(check(), -1);
	assert_non_null(strstr(err, "x0: queue 0 is in use by another program's AF_XDP socket"));
	close(fd);
	/* The kernel frees the queue a little later; until then it is in use. */
	for (unsigned i = 0; i < 100 && left != 1; i++) {
		usleep(10000);
		left = check();
	}
	assert_int_equal(left, 1);
	attach(-1);
	assert_int_equal(check(), 0);
}

static void test_sockets_are_told_apart_and_closed(void **state)
{
	struct ethdev_xdp_sockets before, mine;
	int other, udp, fd, domain;
	socklen_t len = sizeof(domain);

	SKIP_UNLESS_USABLE();
	other = socket(AF_XDP, SOCK_RAW, 0);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	ethdev_xdp_list(&before, NULL);
	assert_int_equal(before.n, 1);
	assert_int_equal(before.list[0].fd, other);
	fd = socket(AF_XDP, SOCK_RAW, 0);
	ethdev_xdp_list(&mine, &before);
	assert_int_equal(mine.n, 1);
	assert_int_equal(mine.list[0].fd, fd);
	ethdev_xdp_close(&mine);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len), -1);
	/* Whoever has the number now is somebody else. */
	assert_int_equal(socket(AF_XDP, SOCK_RAW, 0), fd);
	ethdev_xdp_close(&mine);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len), 0);
	assert_int_equal(getsockopt(other, SOL_SOCKET, SO_DOMAIN, &domain, &len), 0);
	close(fd);
	close(other);
	close(udp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_free_interface),
		cmocka_unit_test(test_a_program_of_anothers),
		cmocka_unit_test(test_sockets_in_use),
		cmocka_unit_test(test_sockets_are_told_apart_and_closed),
	};

	return cmocka_run_group_tests_name("ethdev_xdp", tests, setup, NULL);
}
