/*
 * For system tests, inside a namespace: sends raw Ethernet frames, also from many MACs, and prints
 * what arrives until a frame of an agreed type does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FRAME_MAX 65550

static uint8_t frame[FRAME_MAX];

static int fail(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	return 1;
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void sleep_until(int64_t us)
{
	struct timespec ts = {us / 1000000, us % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static int open_interface(const char *interface, int protocol)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	int on = 1, size = 32 << 20, fd = socket(AF_PACKET, SOCK_RAW, 0);

	at.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(interface);
	if (fd < 0 || at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) != 0) {
		fail(interface);
		return -1;
	}
	/* What a flood brings must fit until it is read. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/* Length in bytes, or -1 where text is no hex. */
static int parse_hex(const char *text)
{
	size_t len = strlen(text) / 2;

	if (len < ETH_HLEN || len > FRAME_MAX || strlen(text) % 2 != 0)
		return -1;
	for (size_t i = 0; i < len; i++)
		if (sscanf(text + 2 * i, "%2hhx", &frame[i]) != 1)
			return -1;
	return (int)len;
}

/* The lower three bytes of the address at `at` become base + i. */
static void number_address(unsigned at, uint32_t base, uint32_t i)
{
	uint32_t value = base + i;

	frame[at + 3] = (uint8_t)(value >> 16);
	frame[at + 4] = (uint8_t)(value >> 8);
	frame[at + 5] = (uint8_t)value;
}

static uint32_t address_number(unsigned at)
{
	return (uint32_t)frame[at + 3] << 16 | (uint32_t)frame[at + 4] << 8 | frame[at + 5];
}

/* Returns 0 when the kernel has taken the frame, and waits for it to have room. */
static int send_one(int fd, int len)
{
	while (send(fd, frame, (size_t)len, 0) != len) {
		if (errno != ENOBUFS && errno != EAGAIN)
			return fail("send");
		sleep_until(now_us() + 500);
	}
	return 0;
}

static int no_frame(void)
{
	fprintf(stderr, "frames: a frame is at least 14 bytes as pairs of hex digits\n");
	return 2;
}

/* One frame a line, from standard input. */
static int send_lines(const char *interface, long per_second)
{
	static char line[2 * FRAME_MAX + 2];
	int64_t start = now_us();
	int fd = open_interface(interface, 0);

	if (fd < 0)
		return 1;
	for (long i = 0; fgets(line, sizeof(line), stdin) != NULL; i++) {
		int len;

		line[strcspn(line, "\n")] = '\0';
		len = parse_hex(line);
		if (len < 0)
			return no_frame();
		if (per_second > 0)
			sleep_until(start + i * 1000000 / per_second);
		if (send_one(fd, len) != 0)
			return 1;
	}
	return 0;
}

static int send_frames(
	const char *interface, const char *hex, long count, long per_second, long sources)
{
	int len = parse_hex(hex), fd;
	uint32_t base = address_number(ETH_ALEN);
	int64_t start = now_us();

	if (len < 0)
		return no_frame();
	fd = open_interface(interface, 0);
	if (fd < 0)
		return 1;
	for (long i = 0; i < count; i++) {
		if (per_second > 0)
			sleep_until(start + i * 1000000 / per_second);
		if (sources > 1)
			number_address(ETH_ALEN, base, (uint32_t)(i % sources));
		if (send_one(fd, len) != 0)
			return 1;
	}
	return 0;
}

/* Puts back the VLAN tag that the kernel moved out of the frame. Returns the new length. */
static size_t restore_tag(struct msghdr *msg, size_t len)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct tpacket_auxdata aux;
	uint16_t tag[2];

	if (cmsg == NULL || cmsg->cmsg_level != SOL_PACKET || cmsg->cmsg_type != PACKET_AUXDATA)
		return len;
	memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID) || len < 12 || len + 4 > FRAME_MAX)
		return len;
	tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q);
	tag[1] = htons(aux.tp_vlan_tci);
	memmove(frame + 16, frame + 12, len - 12);
	memcpy(frame + 12, tag, sizeof(tag));
	return len + sizeof(tag);
}

/* The length of the next frame that came in; 0: none was there, or one that this host sent. */
static size_t receive(int fd)
{
	union {
		struct cmsghdr align;
		char bytes[256];
	} control;
	struct sockaddr_ll from = {0};
	struct iovec iov = {frame, FRAME_MAX - 4};
	struct msghdr msg = {.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &msg, 0);

	if (n < ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING)
		return 0;
	return restore_tag(&msg, (size_t)n);
}

/* Within so many microseconds; what was printed so far can be read before it waits. */
static int readable(int fd, int64_t us)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	if (poll(&poll_fd, 1, 0) > 0)
		return 1;
	fflush(stdout);
	return poll(&poll_fd, 1, (int)(us / 1000 + 1)) > 0;
}

static int watch(const char *interface, uint16_t until, long seconds)
{
	int64_t deadline = now_us() + seconds * 1000000;
	int fd = open_interface(interface, ETH_P_ALL);

	if (fd < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	for (int64_t left; (left = deadline - now_us()) > 0;) {
		size_t len = readable(fd, left) ? receive(fd) : 0;

		if (len == 0)
			continue;
		if ((frame[12] << 8 | frame[13]) == until)
			return 0;
		for (size_t i = 0; i < len; i++)
			printf("%02x", frame[i]);
		putchar('\n');
	}
	fprintf(stderr, "frames: no frame of type %04x came within %ld s\n", until, seconds);
	return 1;
}

static int usage(void)
{
	fprintf(stderr, "usage: frames send INTERFACE HEX [COUNT [PER SECOND [SOURCES]]]\n"
			"           the frame in HEX, COUNT times, at most so often a second (0: "
			"no limit);\n"
			"           SOURCES addresses take turns, counted up from the frame's own\n"
			"       frames lines INTERFACE [PER SECOND]\n"
			"           frames in hex from standard input, one a line\n"
			"       frames watch INTERFACE TYPE SECONDS\n"
			"           prints \"ready\" and then, in hex, what comes in, until a "
			"frame of TYPE\n"
			"           (hex) ends it: 0; 1 where none came in time\n");
	return 2;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && argc <= 7 && strcmp(argv[1], "send") == 0)
		return send_frames(argv[2], argv[3], argc > 4 ? atol(argv[4]) : 1,
			argc > 5 ? atol(argv[5]) : 0, argc > 6 ? atol(argv[6]) : 1);
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "lines") == 0)
		return send_lines(argv[2], argc > 3 ? atol(argv[3]) : 0);
	if (argc == 5 && strcmp(argv[1], "watch") == 0)
		return watch(argv[2], (uint16_t)strtoul(argv[3], NULL, 16), atol(argv[4]));
	return usage();
}
