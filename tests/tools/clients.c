/*
 * For system tests: clients of a Unix socket that are up to no good. Each of COUNT connections gets
 * the same bytes, REPEAT times, as far as the socket takes them at once; nothing is ever read. Then
 * prints how many connections there are, and holds them until it is killed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void send_all(int fd, const char *text, long repeat)
{
	for (long i = 0; i < repeat; i++)
		if (send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return;
}

int main(int argc, char **argv)
{
	long connected = 0;

	if (argc != 5) {
		fprintf(stderr, "usage: clients SOCKET COUNT TEXT REPEAT\n");
		return 2;
	}
	for (long i = 0; i < atol(argv[2]); i++) {
		int fd = connect_to(argv[1]);

		if (fd < 0) {
			fprintf(stderr, "clients: %s: %s\n", argv[1], strerror(errno));
			return 1;
		}
		send_all(fd, argv[3], atol(argv[4]));
		connected++;
	}
	printf("%ld connected\n", connected);
	fflush(stdout);
	pause();
	return 0;
}
