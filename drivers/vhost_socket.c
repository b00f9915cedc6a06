#include "vhost_socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost_protocol.h"

/*
 * For the rest of a message, or for room for an answer. Front ends send a message in one piece, and
 * wait for one answer at a time, so they never need it.
 */
#define PEER_MS 200

#define HEADER_BYTES 12 /* of a vhost-user message, which the library reads by itself */

static void address_of(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
}

/*
 * To connect a datagram socket to a stream socket fails without the stream's owner noticing, and
 * the error says whether there is one.
 */
enum vhost_socket_state vhost_socket_probe(const char *path)
{
	struct sockaddr_un address;
	struct stat st;
	int fd, rc, error;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? VHOST_SOCKET_MISSING : VHOST_SOCKET_UNREACHABLE;
	if (!S_ISSOCK(st.st_mode))
		return VHOST_SOCKET_OTHER;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return VHOST_SOCKET_UNREACHABLE;
	address_of(path, &address);
	rc = connect(fd, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	close(fd);
	if (rc == 0 || error == EPROTOTYPE)
		return VHOST_SOCKET_ALIVE;
	if (error == ECONNREFUSED)
		return VHOST_SOCKET_STALE;
	errno = error;
	return error == ENOENT ? VHOST_SOCKET_MISSING : VHOST_SOCKET_UNREACHABLE;
}

/* By descriptor: in a directory that others write to, a path may come to mean another file. */
static int give_fd(int fd, const struct config_access *access, int mode)
{
	char path[40];

	if (fchownat(fd, "", access->owner, access->group, AT_EMPTY_PATH) != 0)
		return -1;
	if (mode < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return chmod(path, mode);
}

static int give_directory(const char *path, const struct config_access *access)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
	int rc, error, mode = access->mode;

	if (fd < 0)
		return -1;
	if (mode >= 0)
		mode |= (mode & 0444) >> 2; /* who may read it may pass through it */
	rc = give_fd(fd, access, mode);
	error = errno;
	close(fd);
	errno = error;
	return rc;
}

static int make_directories(
	const char *path, const struct config_access *access, char *err, size_t err_len)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", path);
	for (char *slash = strchr(dir + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, 0755) != 0) {
			if (errno != EEXIST) {
				snprintf(err, err_len, "cannot make the directory %s: %s", dir,
					strerror(errno));
				return -1;
			}
		} else if (give_directory(dir, access) != 0) {
			snprintf(err, err_len, "cannot give %s to its owner, group and mode: %s",
				dir, strerror(errno));
			rmdir(dir);
			return -1;
		}
		*slash = '/';
	}
	return 0;
}

/* The library would say neither that it cannot bind nor why. */
static int try_bind(const char *path, char *err, size_t err_len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc, error;
	struct sockaddr_un address;

	address_of(path, &address);
	rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	if (fd >= 0)
		close(fd);
	if (rc == 0) {
		unlink(path);
		return 0;
	}
	snprintf(err, err_len, "cannot make the socket %s: %s", path, strerror(error));
	return -1;
}

static int clear_path(const char *path, char *err, size_t err_len)
{
	switch (vhost_socket_probe(path)) {
	case VHOST_SOCKET_MISSING:
		return 0;
	case VHOST_SOCKET_STALE:
		if (unlink(path) == 0 || errno == ENOENT)
			return 0;
		snprintf(err, err_len, "cannot remove the stale socket %s: %s", path,
			strerror(errno));
		return -1;
	case VHOST_SOCKET_ALIVE:
		snprintf(err, err_len,
			"%s is in use by another process (see ss -xlp): stop that, or choose "
			"another path",
			path);
		return -1;
	case VHOST_SOCKET_OTHER:
		snprintf(err, err_len,
			"%s exists and is no socket: remove it, or choose another path", path);
		return -1;
	default:
		snprintf(err, err_len, "cannot look at %s: %s", path, strerror(errno));
		return -1;
	}
}

int vhost_socket_prepare(const char *path, bool server, const struct config_access *access,
	char *err, size_t err_len)
{
	struct sockaddr_un address;

	if (path[0] != '/' || strlen(path) >= sizeof(address.sun_path)) {
		snprintf(err, err_len,
			"socket %s: must be an absolute path of at most %zu characters", path,
			sizeof(address.sun_path) - 1);
		return -1;
	}
	if (make_directories(path, access, err, err_len) != 0)
		return -1;
	if (!server)
		return 0;
	if (clear_path(path, err, err_len) != 0)
		return -1;
	return try_bind(path, err, err_len);
}

int vhost_socket_give(
	const char *path, const struct config_access *access, char *err, size_t err_len)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc = -1;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		errno = ENOTSOCK;
		if (S_ISSOCK(st.st_mode))
			rc = give_fd(fd, access, access->mode);
	}
	if (rc != 0)
		snprintf(err, err_len, "cannot give %s to its owner, group and mode: %s", path,
			strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

bool vhost_socket_identify(const char *path, struct vhost_socket_id *id)
{
	struct stat st;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	id->dev = st.st_dev;
	id->ino = st.st_ino;
	return true;
}

void vhost_socket_unlink_own(
	const char *path, const struct vhost_socket_id *id, int (*remove_path)(const char *path))
{
	char aside[PATH_MAX];
	struct stat st;
	bool other = lstat(path, &st) == 0 && (st.st_dev != id->dev || st.st_ino != id->ino);

	snprintf(aside, sizeof(aside), "%s.%d", path, (int)getpid());
	other = other && renameat2(AT_FDCWD, path, AT_FDCWD, aside, RENAME_NOREPLACE) == 0;
	remove_path(path);
	if (other)
		renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_NOREPLACE);
}

/* The library's end: in server mode the accepted socket has the path, else its peer. */
static bool is_at(int fd, const char *path, bool server)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address), int_len = sizeof(int);
	int listening = 0, rc;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &int_len) != 0 || listening)
		return false;
	if (server)
		rc = getsockname(fd, (struct sockaddr *)&address, &len);
	else
		rc = getpeername(fd, (struct sockaddr *)&address, &len);
	return rc == 0 && address.sun_family == AF_UNIX && len > sizeof(sa_family_t) &&
	       strncmp(address.sun_path, path, sizeof(address.sun_path)) == 0;
}

int vhost_socket_limit(const char *path, bool server, int other)
{
	const struct timeval time = {.tv_usec = PEER_MS * 1000};
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	while (dir != NULL && found < 0 && (entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd != other &&
			is_at(fd, path, server))
			found = fd;
	}
	if (dir != NULL)
		closedir(dir);
	if (found < 0)
		return -1;
	setsockopt(found, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	setsockopt(found, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
	return found;
}

pid_t vhost_socket_peer(int fd)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return 0;
	return peer.pid;
}

static bool is_header_read(const struct msghdr *msg)
{
	return msg->msg_iovlen == 1 && msg->msg_iov[0].iov_len == HEADER_BYTES &&
	       msg->msg_control != NULL;
}

/* Their number stays, so that the library still sees that they don't belong there. */
static void close_descriptors(struct msghdr *msg)
{
	const int none = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			uint8_t *place = (uint8_t *)c + at;
			int fd;

			memcpy(&fd, place, sizeof(fd));
			memcpy(place, &none, sizeof(none));
			close(fd);
		}
	}
}

/*
 * Stands before the C library's, which the vhost library would call. It takes up to eight
 * descriptors with any header, and forgets them where it then refuses the ring's number before it
 * asks vhost_protocol_before(): a front end could use up all that the process may open. So those
 * that come with a message that takes none are closed before the library has them.
 */
ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t n = syscall(SYS_recvmsg, fd, msg, flags);
	uint32_t request;

	if (n != HEADER_BYTES || !is_header_read(msg))
		return n;
	memcpy(&request, msg->msg_iov[0].iov_base, sizeof(request));
	if (!vhost_protocol_takes_descriptors(request))
		close_descriptors(msg);
	return n;
}
