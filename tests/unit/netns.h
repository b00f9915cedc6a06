/*
 * Namespaces, sockets in them and commands on them, for unit tests. A test that uses it moves its
 * own process into a nameless namespace first, so nothing it does touches the machine's network.
 */
#ifndef VS_TEST_NETNS_H
#define VS_TEST_NETNS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>

/* packet.h has another. */
#undef PACKET_BROADCAST

#define NETNS_WAIT_MS 20000 /* for what takes microseconds, on a machine that does other things */

/* NULL where this process may make namespaces and tap devices, or why not. Moves it to its own. */
static inline const char *netns_unusable(void)
{
	if (geteuid() != 0)
		return "needs root for network namespaces";
	if (access("/dev/net/tun", R_OK | W_OK) != 0)
		return "needs /dev/net/tun";
	if (system("ip -V >/dev/null 2>&1") != 0)
		return "needs the ip command (iproute2)";
	if (unshare(CLONE_NEWNET) != 0)
		return "may not make a network namespace";
	return NULL;
}

/* Runs a command; its exit code. */
__attribute__((format(printf, 1, 2))) static inline int netns_command(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

struct netns_job {
	const char *netns;
	int (*run)(void *arg);
	void *arg;
	int result;
};

static inline void *netns_job_main(void *arg)
{
	struct netns_job *job = arg;
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", job->netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		job->result = -errno;
	else
		job->result = job->run(job->arg);
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* Calls run(arg) in a namespace, on a thread of its own. */
static inline int netns_run(const char *netns, int (*run)(void *arg), void *arg)
{
	struct netns_job job = {.netns = netns, .run = run, .arg = arg};
	pthread_t thread;

	if (pthread_create(&thread, NULL, netns_job_main, &job) != 0)
		return -EAGAIN;
	pthread_join(thread, NULL);
	return job.result;
}

static inline int netns_packet_socket_main(void *arg)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(arg),
	};
	struct timeval timeout = {.tv_sec = NETNS_WAIT_MS / 1000};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	if (address.sll_ifindex == 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* A socket for all frames of an interface, with a time-out on what it receives. */
static inline int netns_packet_socket(const char *netns, char *interface)
{
	return netns_run(netns, netns_packet_socket_main, interface);
}

struct netns_statistics {
	const char *interface;
	unsigned long rx_packets, tx_packets, tx_dropped;
};

static inline int netns_statistics_main(void *arg)
{
	struct netns_statistics *statistics = arg;
	FILE *file = fopen("/proc/thread-self/net/dev", "r");
	char line[512];
	int rc = -ENOENT;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *name = line + strspn(line, " ");
		char *colon = strchr(name, ':');

		if (colon == NULL || strncmp(name, statistics->interface, colon - name) != 0)
			continue;
		/* bytes packets errs drop fifo frame compressed multicast, then the same out */
		if (sscanf(colon + 1, "%*u %lu %*u %*u %*u %*u %*u %*u %*u %lu %*u %lu",
			    &statistics->rx_packets, &statistics->tx_packets,
			    &statistics->tx_dropped) == 3)
			rc = 0;
	}
	if (file != NULL)
		fclose(file);
	return rc;
}

static inline int netns_statistics(const char *netns, struct netns_statistics *statistics)
{
	return netns_run(netns, netns_statistics_main, statistics);
}

static inline long netns_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for a condition, without a busy core. */
#define netns_wait(condition)                                                                      \
	({                                                                                         \
		long netns_end = netns_now_ms() + NETNS_WAIT_MS;                                   \
		bool netns_met;                                                                    \
		while (!(netns_met = (condition)) && netns_now_ms() < netns_end)                   \
			usleep(200);                                                               \
		netns_met;                                                                         \
	})

#endif
