/*
 * One request to vswitchd and its reply, over the control socket.
 */
#ifndef VS_CLIENT_H
#define VS_CLIENT_H

#include <stddef.h>

#include <jansson.h>

/*
 * Sends request to the socket at path and waits for the reply, for timeout_ms in all. The caller
 * owns the reply, an object. NULL with a sentence in err: vswitchd can't be reached, or did not
 * answer in time.
 */
json_t *client_request(
	const char *path, const json_t *request, unsigned timeout_ms, char *err, size_t err_len);

#endif
