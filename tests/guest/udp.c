/*
 * Runs inside a test guest, and in a namespace beside it: sends datagrams of any size that are sent
 * back, and compares what returns byte by byte.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define DATAGRAM_MAX 65507
#define WAIT_SEC     10 /* for one to come back */

static uint8_t sent[DATAGRAM_MAX], got[DATAGRAM_MAX + 1];

static int fail(const char *what)
{
	fprintf(stderr, "udp: %s: %s\n", what, strerror(errno));
	return 1;
}

/* host: numeric, either family; NULL: any. Returns the length, 0 if host is no address. */
static socklen_t address(struct sockaddr_storage *to, const char *host, uint16_t port)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	if (host && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	if (!host || inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
		return sizeof(*v6);
	return 0;
}

static int echo(uint16_t port)
{
	struct sockaddr_storage peer, any;
	socklen_t len = address(&any, NULL, port);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, len))
		return fail("bind");
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		ssize_t n;

		len = sizeof(peer);
		n = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&peer, &len);
		if (n < 0 || sendto(fd, got, n, 0, (struct sockaddr *)&peer, len) != n)
			return fail("echo");
	}
}

static void fill(size_t size, unsigned seed)
{
	uint32_t state = seed * 2654435761u + 1;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525 + 1013904223;
		sent[i] = state >> 24;
	}
}

/* One after the other, so that a small queue anywhere is no reason for a loss. */
static int ping(const char *host, uint16_t port, size_t size, unsigned count)
{
	struct timeval limit = {.tv_sec = WAIT_SEC};
	struct sockaddr_storage to;
	socklen_t len = address(&to, host, port);
	int fd = len ? socket(to.ss_family, SOCK_DGRAM, 0) : -1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, len))
		return fail(host);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (unsigned i = 0; i < count; i++) {
		ssize_t n;

		fill(size, i);
		if (send(fd, sent, size, 0) != (ssize_t)size)
			return fail("send");
		n = recv(fd, got, sizeof(got), 0);
		if (n < 0)
			return fail("no echo");
		if ((size_t)n != size || memcmp(sent, got, size)) {
			fprintf(stderr, "udp: datagram %u came back changed (%zd bytes)\n", i, n);
			return 1;
		}
	}
	printf("echoed=%u size=%zu\n", count, size);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "echo"))
		return echo(atoi(argv[2]));
	if (argc == 6 && !strcmp(argv[1], "ping") && atoi(argv[4]) <= DATAGRAM_MAX)
		return ping(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
	fprintf(stderr,
		"usage: udp echo PORT                     sends back what comes, until "
		"killed\n"
		"       udp ping ADDRESS PORT SIZE COUNT  exit code 0: all came back whole\n");
	return 2;
}
