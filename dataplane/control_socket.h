/*
 * Making the listening Unix socket of control.h: directory, lock, left-over socket, access rights.
 */
#ifndef VS_CONTROL_SOCKET_H
#define VS_CONTROL_SOCKET_H

#include <stddef.h>

#include "config.h"

struct control_socket {
	int fd; /* listens, non-blocking */
	int lock_fd; /* holds the lock on path.lock */
	char path[CONFIG_PATH_MAX + 1];
};

/* 0, or -1 with a message in err; nothing is left behind then. */
int control_socket_open(struct control_socket *sock, const char *path,
	const struct config_access *access, char *err, size_t err_len);

/* Closes it, and removes socket and lock file. */
void control_socket_close(struct control_socket *sock);

#endif
