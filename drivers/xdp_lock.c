#include "xdp_lock.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WAITING_MAX 8 /* who ask, until they are answered */

/* In the abstract namespace (unix(7)), which every network namespace has its own of. */
static socklen_t lock_name(unsigned ifindex, struct sockaddr_un *name)
{
	int len;

	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	len = snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1, "vswitch/xdp/%u", ifindex);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

/* Who listens there; 0: nobody, or one who has no business with the interface; -1: it can't be
 * told, since so many have asked that its queue is full. */
static pid_t holder(const struct sockaddr_un *name, socklen_t len)
{
	struct ucred peer = {0};
	socklen_t peer_len = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	pid_t pid = 0;

	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)name, len) != 0)
		pid = errno == EAGAIN ? -1 : 0;
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len) == 0 &&
		 (peer.uid == 0 || peer.uid == geteuid()))
		pid = peer.pid;
	close(fd);
	return pid;
}

int xdp_lock(unsigned ifindex, char *err, size_t err_len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un name;
	socklen_t len = lock_name(ifindex, &name);
	char interface[IF_NAMESIZE] = "", who[32] = "";
	pid_t pid;

	if (fd < 0) {
		snprintf(err, err_len, "no socket: %s", strerror(errno));
		return -1;
	}
	if (bind(fd, (struct sockaddr *)&name, len) == 0 && listen(fd, WAITING_MAX) == 0)
		return fd;
	pid = holder(&name, len);
	if (pid == 0)
		return fd;
	close(fd);
	if_indextoname(ifindex, interface);
	if (pid > 0)
		snprintf(who, sizeof(who), " (process %d)", (int)pid);
	snprintf(err, err_len, "%s: another switch uses it%s: stop that, or use another interface",
		interface, who);
	return -1;
}

void xdp_lock_answer(int lock)
{
	for (int fd; (fd = accept4(lock, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
		close(fd);
}
