#include "control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "path.h"

#define LOCK_TRIES 16
#define BACKLOG    16

static void lock_path(const struct control_socket *sock, char *path, size_t len)
{
	snprintf(path, len, "%s.lock", sock->path);
}

/*
 * Without the lock two switches that start at once could take each other's socket for a left-over,
 * in the moment between bind and listen. Its holder removes the file in the end, so what was locked
 * may be gone from the directory: then try again.
 */
static int take_lock(struct control_socket *sock, char *err, size_t err_len)
{
	char path[CONFIG_PATH_MAX + 8];
	struct stat by_fd, by_path;

	lock_path(sock, path, sizeof(path));
	for (int i = 0; i < LOCK_TRIES; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0) {
			snprintf(err, err_len, "cannot open %s: %s", path, strerror(errno));
			return -1;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			snprintf(err, err_len,
				"another vswitchd is running: it holds %s (choose another path in "
				"vswitch.control, or stop it)",
				path);
			close(fd);
			return -1;
		}
		if (fstat(fd, &by_fd) == 0 && stat(path, &by_path) == 0 &&
			by_fd.st_ino == by_path.st_ino && by_fd.st_dev == by_path.st_dev) {
			sock->lock_fd = fd;
			return 0;
		}
		close(fd);
	}
	snprintf(err, err_len, "cannot lock %s: it keeps being replaced", path);
	return -1;
}

/* Removes a socket that nobody listens at. */
static int remove_stale(const struct sockaddr_un *addr, char *err, size_t err_len)
{
	struct stat st;
	int fd, failed, why;

	if (lstat(addr->sun_path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		snprintf(err, err_len, "cannot look at %s: %s", addr->sun_path, strerror(errno));
		return -1;
	}
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(err, err_len,
			"%s is there and is no socket: remove it, or choose another "
			"path in vswitch.control",
			addr->sun_path);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	failed = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	why = errno;
	if (fd >= 0)
		close(fd);
	if (failed < 0 && why == ECONNREFUSED && unlink(addr->sun_path) == 0)
		return 0;
	if (failed < 0 && why != EAGAIN)
		snprintf(err, err_len, "cannot take over %s: %s", addr->sun_path, strerror(why));
	else
		snprintf(err, err_len, "another process listens at %s", addr->sun_path);
	return -1;
}

/* The socket has no one's access yet when it appears: bind() goes by the umask. */
static int bind_and_listen(struct control_socket *sock, const struct sockaddr_un *addr,
	const struct config_access *access, char *err, size_t err_len)
{
	mode_t old = umask(0777);
	int failed = bind(sock->fd, (const struct sockaddr *)addr, sizeof(*addr));
	const char *what = "bind to";

	umask(old);
	if (failed < 0)
		goto fail;
	what = "set owner and mode of";
	if ((access->owner != (uid_t)-1 || access->group != (gid_t)-1) &&
		chown(sock->path, access->owner, access->group) < 0)
		goto unlink;
	if (chmod(sock->path, access->mode < 0 ? 0660 : (mode_t)access->mode) < 0)
		goto unlink;
	what = "listen at";
	if (listen(sock->fd, BACKLOG) < 0)
		goto unlink;
	return 0;
unlink:
	failed = errno;
	unlink(sock->path);
	errno = failed;
fail:
	snprintf(err, err_len, "cannot %s %s: %s", what, sock->path, strerror(errno));
	return -1;
}

static void drop_lock(struct control_socket *sock)
{
	char path[CONFIG_PATH_MAX + 8];

	lock_path(sock, path, sizeof(path));
	unlink(path);
	close(sock->lock_fd);
	sock->lock_fd = -1;
}

int control_socket_open(struct control_socket *sock, const char *path,
	const struct config_access *access, char *err, size_t err_len)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	sock->fd = sock->lock_fd = -1;
	if (strlen(path) > CONFIG_PATH_MAX) {
		snprintf(err, err_len, "path of the control socket is longer than %d bytes",
			CONFIG_PATH_MAX);
		return -1;
	}
	strcpy(sock->path, path);
	strcpy(addr.sun_path, path);
	if (path_make_parents(path) < 0) {
		snprintf(
			err, err_len, "cannot make the directory of %s: %s", path, strerror(errno));
		return -1;
	}
	if (take_lock(sock, err, err_len) < 0)
		return -1;
	if (remove_stale(&addr, err, err_len) < 0) {
		drop_lock(sock);
		return -1;
	}
	sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0) {
		snprintf(err, err_len, "cannot make a socket: %s", strerror(errno));
		drop_lock(sock);
		return -1;
	}
	if (bind_and_listen(sock, &addr, access, err, err_len) < 0) {
		close(sock->fd);
		sock->fd = -1;
		drop_lock(sock);
		return -1;
	}
	return 0;
}

void control_socket_close(struct control_socket *sock)
{
	if (sock->fd < 0)
		return;
	close(sock->fd);
	sock->fd = -1;
	unlink(sock->path);
	drop_lock(sock);
}
