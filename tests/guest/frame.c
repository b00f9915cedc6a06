/*
 * Runs inside a test guest: sends raw Ethernet frames as given in hex, and counts or prints the
 * frames that arrive. For what no ordinary program sends: BPDUs, VLAN tags, foreign source MACs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 65550
#define ANY_TYPE  -1

static uint8_t frame[FRAME_MAX + 4];

static int fail(const char *what)
{
	fprintf(stderr, "frame: %s: %s\n", what, strerror(errno));
	return 1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* A packet socket on interface, promiscuous, that sees every protocol; -1 on error. */
static int open_interface(const char *interface, int protocol)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	int on = 1, fd = socket(AF_PACKET, SOCK_RAW, 0);

	at.sll_ifindex = all.mr_ifindex = if_nametoindex(interface);
	if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) ||
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on))) {
		fail(interface);
		return -1;
	}
	return fd;
}

/* Hex digits; spaces, colons and dots between them are skipped. Length, or -1. */
static int parse_hex(const char *text, uint8_t *to, size_t max)
{
	size_t digits = 0;

	for (; *text; text++) {
		int value;

		if (strchr(" :.\n", *text))
			continue;
		if (*text >= '0' && *text <= '9')
			value = *text - '0';
		else if ((*text | 32) >= 'a' && (*text | 32) <= 'f')
			value = (*text | 32) - 'a' + 10;
		else
			return -1;
		if (digits / 2 >= max)
			return -1;
		to[digits / 2] = digits % 2 ? to[digits / 2] << 4 | value : value;
		digits++;
	}
	return digits % 2 ? -1 : (int)(digits / 2);
}

static int send_frames(const char *interface, const char *hex, long count, long gap_us)
{
	int len = parse_hex(hex, frame, FRAME_MAX), fd;

	if (len < ETH_HLEN) {
		fprintf(stderr, "frame: need at least 14 bytes as pairs of hex digits\n");
		return 2;
	}
	fd = open_interface(interface, 0);
	if (fd < 0)
		return 1;
	for (long i = 0; i < count; i++) {
		if (i && gap_us)
			usleep(gap_us);
		while (send(fd, frame, len, 0) != len) {
			if (errno != ENOBUFS && errno != EAGAIN)
				return fail("send");
			usleep(1000);
		}
	}
	printf("sent=%ld\n", count);
	return 0;
}

/* Puts back the VLAN tag that the kernel moved out of the frame. Returns the new length. */
static int restore_tag(struct msghdr *msg, int len)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct tpacket_auxdata aux;
	uint16_t tag[2];

	if (!cmsg || cmsg->cmsg_level != SOL_PACKET || cmsg->cmsg_type != PACKET_AUXDATA)
		return len;
	memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID) || len < 12)
		return len;
	tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q);
	tag[1] = htons(aux.tp_vlan_tci);
	memmove(frame + 16, frame + 12, len - 12);
	memcpy(frame + 12, tag, 4);
	return len + 4;
}

/* The next incoming frame before the deadline: its length, 0 at the deadline, -1 on error. */
static int next_frame(int fd, double deadline)
{
	for (;;) {
		char control[256];
		struct sockaddr_ll from;
		struct iovec iov = {frame, FRAME_MAX};
		struct msghdr msg = {.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		double left = deadline - now();
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		int len;

		if (left <= 0 || poll(&poll_fd, 1, left * 1000 + 1) == 0)
			return 0;
		len = recvmsg(fd, &msg, 0);
		if (len < 0)
			return -1;
		if (from.sll_pkttype != PACKET_OUTGOING)
			return restore_tag(&msg, len);
	}
}

static void print_hex(int len)
{
	for (int i = 0; i < len; i++)
		printf("%02x", frame[i]);
	putchar('\n');
}

static int count_frames(
	const char *interface, const char *type, double seconds, long max, bool print)
{
	int want = strcmp(type, "any") ? (int)strtol(type, NULL, 16) : ANY_TYPE;
	int fd = open_interface(interface, ETH_P_ALL), len = 0;
	double deadline = now() + seconds;
	long count = 0;

	if (fd < 0)
		return 1;
	printf("ready\n");
	fflush(stdout);
	while (count < max && (len = next_frame(fd, deadline)) > 0) {
		if (want != ANY_TYPE && (frame[12] << 8 | frame[13]) != want)
			continue;
		count++;
		if (print)
			print_hex(len);
	}
	if (len < 0)
		return fail("receive");
	printf("frames=%ld\n", count);
	return 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: frame send INTERFACE HEX [COUNT [MICROSECONDS BETWEEN]]\n"
		"       frame count INTERFACE TYPE|any SECONDS [MAX]   count until time or MAX\n"
		"       frame dump INTERFACE TYPE|any SECONDS [MAX]    the same, frames printed\n"
		"TYPE is the hex number behind the two MACs (8100 for a tagged frame; below 0600 "
		"it\n"
		"is a length).\n");
	return 2;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && argc <= 6 && !strcmp(argv[1], "send"))
		return send_frames(argv[2], argv[3], argc > 4 ? atol(argv[4]) : 1,
			argc > 5 ? atol(argv[5]) : 0);
	if ((argc == 5 || argc == 6) && (!strcmp(argv[1], "count") || !strcmp(argv[1], "dump")))
		return count_frames(argv[2], argv[3], atof(argv[4]),
			argc > 5 ? atol(argv[5]) : 1000000000L, argv[1][0] == 'd');
	return usage();
}
