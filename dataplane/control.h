/*
 * The control socket: one request line in, one reply line out, for several clients at once. Owns
 * the socket, its lock file and the clients. Control thread only, on loop.h's loop.
 *
 * Nothing a client does blocks or grows without limit: descriptors are non-blocking, a client has
 * one request and one reply in memory, and who does not finish in time is cut off. At the limit of
 * clients the one that has been idle longest makes room.
 */
#ifndef VS_CONTROL_H
#define VS_CONTROL_H

#include <sys/types.h>

#include <jansson.h>

#include "config.h"

#define CONTROL_CLIENTS_MAX  32
#define CONTROL_REQUEST_MAX  (16u << 20) /* bytes in a line */
#define CONTROL_REPLY_MAX    (64u << 20)
#define CONTROL_BUFFERED_MAX (96u << 20) /* requests and replies of all clients together */
#define CONTROL_IDLE_MS      60000 /* for a request to come in whole, and a reply to be taken */

/* Who is at the other end of a connection (SO_PEERCRED). */
struct control_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/*
 * Answers one line, which has len bytes and no newline, and is hostile input. Returns the reply, a
 * new reference; never NULL.
 */
typedef json_t *(*control_answer_fn)(const char *line, size_t len, const struct control_peer *peer);

struct control_options {
	const char *path;
	struct config_access access;
	control_answer_fn answer;
	unsigned idle_ms; /* 0: CONTROL_IDLE_MS */
};

/*
 * Listens at options->path; a missing directory is made. A socket that is left over is removed, one
 * that somebody listens at is not. 0, or -1 with a message in err.
 */
int control_open(const struct control_options *options, char *err, size_t err_len);

/* Closes all connections, removes socket and lock file. */
void control_close(void);

/* {"path","clients","requests","refused_clients"}; the caller owns the reference. */
json_t *control_status(void);

#endif
