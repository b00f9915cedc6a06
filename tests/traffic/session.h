/* TCP sessions between a client and a server as a capture file, well formed: handshake, ends, sums.
 */
#ifndef TRAFFIC_SESSION_H
#define TRAFFIC_SESSION_H

#include <stdbool.h>
#include <stdint.h>

struct session_file;

/* NULL: the file cannot be written. */
struct session_file *session_file_open(const char *path);
/* False: not all of it was written. */
bool session_file_close(struct session_file *file);

struct session {
	struct session_file *file;
	uint32_t client, server; /* IPv4, host order */
	uint16_t client_port, server_port;
	uint32_t seq[2]; /* next of each side; 0 is the client */
};

void session_begin(struct session *s);
/* One segment, acknowledged by the other side. */
void session_send(struct session *s, unsigned side, const uint8_t *bytes, uint32_t len);
void session_end(struct session *s);

#endif
