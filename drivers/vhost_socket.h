/*
 * The socket file of a vhost-user port: the directories above it, who may use it, whether anybody
 * is there. Nothing here connects as a vhost-user peer does, so no front end is disturbed.
 *
 * Control thread, but for the last two.
 */
#ifndef VS_VHOST_SOCKET_H
#define VS_VHOST_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config.h"

enum vhost_socket_state {
	VHOST_SOCKET_MISSING,
	VHOST_SOCKET_STALE, /* a socket file that no process has open */
	VHOST_SOCKET_ALIVE, /* a process has it open */
	VHOST_SOCKET_OTHER, /* a file of another kind */
	VHOST_SOCKET_UNREACHABLE, /* errno says why */
};

/* Which file it is, so that another's in its place is known as such. */
struct vhost_socket_id {
	dev_t dev;
	ino_t ino;
};

enum vhost_socket_state vhost_socket_probe(const char *path);

/*
 * Makes the directories above path that are missing, for access. With server, removes a stale
 * socket and refuses any other file. 0, or -1 with a message in err.
 */
int vhost_socket_prepare(const char *path, bool server, const struct config_access *access,
	char *err, size_t err_len);

/* Gives path, which must be a socket itself and no link to one, to access. 0, or -1 with err. */
int vhost_socket_give(
	const char *path, const struct config_access *access, char *err, size_t err_len);

/* False where path is no socket. */
bool vhost_socket_identify(const char *path, struct vhost_socket_id *id);

/*
 * Calls remove(path), which unlinks whatever is there, so that only the file id is lost: another
 * one that has taken its place is moved out of the way for the moment.
 */
void vhost_socket_unlink_own(
	const char *path, const struct vhost_socket_id *id, int (*remove)(const char *path));

/*
 * Finds the descriptor of this process's connection at path, which the vhost library does not tell,
 * and gives it a time limit, so that a peer that sends half a message stops the library's thread
 * only for so long. other: the descriptor of a further connection there, or -1. The descriptor
 * stays the library's. -1: not found. Any thread.
 */
int vhost_socket_limit(const char *path, bool server, int other);

/* Process at the other end; 0: unknown. */
pid_t vhost_socket_peer(int fd);

#endif
