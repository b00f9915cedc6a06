#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REPLY_MAX  (80u << 20) /* more than vswitchd ever sends */
#define READ_CHUNK 65536

struct exchange {
	int fd;
	uint64_t due_ms;
	bool sent;
	char *err;
	size_t err_len;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int open_socket(const char *path, char *err, size_t err_len)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(err, err_len, "the socket's path is longer than %zu bytes",
			sizeof(addr.sun_path) - 1);
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	snprintf(err, err_len, "cannot reach vswitchd at %s: %s%s", path, strerror(errno),
		errno == EACCES ? " (who may use it: vswitch.control-access in the configuration)"
				: " (is it running? -s or VSWITCH_SOCKET name another socket)");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Waits for events until the time is up. */
static bool wait_for(const struct exchange *x, short events)
{
	struct pollfd pfd = {.fd = x->fd, .events = events};
	uint64_t now = now_ms();
	int ready;

	do {
		ready = now >= x->due_ms ? 0 : poll(&pfd, 1, (int)(x->due_ms - now));
		now = now_ms();
	} while (ready < 0 && errno == EINTR);
	if (ready > 0)
		return true;
	snprintf(x->err, x->err_len, "vswitchd did not answer in time%s",
		x->sent ? "; what was asked for may still be done" : "");
	return false;
}

static bool lost(const struct exchange *x)
{
	snprintf(x->err, x->err_len, "vswitchd broke the connection%s%s", errno != 0 ? ": " : "",
		errno != 0 ? strerror(errno) : "");
	return false;
}

static bool send_all(const struct exchange *x, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n;

		if (!wait_for(x, POLLOUT))
			return false;
		n = send(x->fd, text, len, MSG_NOSIGNAL);
		/* A refusal may be there to be read though not all could be sent. */
		if (n < 0 && errno == EPIPE)
			return true;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return lost(x);
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* A line without its newline; the caller frees it. NULL with err. */
static char *receive_line(const struct exchange *x, size_t *len)
{
	size_t size = READ_CHUNK;
	char *text = malloc(size), *grown;

	for (*len = 0; text != NULL && *len < REPLY_MAX;) {
		ssize_t n;

		if (!wait_for(x, POLLIN))
			goto fail;
		n = recv(x->fd, text + *len, size - *len, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n == 0)
			errno = 0;
		if (n <= 0) {
			lost(x);
			goto fail;
		}
		*len += (size_t)n;
		if (text[*len - 1] == '\n')
			return text;
		if (*len < size)
			continue;
		grown = realloc(text, size *= 2);
		if (grown == NULL)
			break;
		text = grown;
	}
	snprintf(x->err, x->err_len, "the answer is too large");
fail:
	free(text);
	return NULL;
}

static json_t *exchange(struct exchange *x, const json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT), *text;
	json_t *reply = NULL;
	json_error_t error;
	size_t len;
	bool sent;

	if (line == NULL) {
		snprintf(x->err, x->err_len, "out of memory");
		return NULL;
	}
	sent = send_all(x, line, strlen(line)) && send_all(x, "\n", 1);
	free(line);
	if (!sent)
		return NULL;
	x->sent = true;
	text = receive_line(x, &len);
	if (text == NULL)
		return NULL;
	reply = json_loadb(text, len - 1, 0, &error);
	free(text);
	if (json_is_object(reply))
		return reply;
	json_decref(reply);
	snprintf(x->err, x->err_len, "what answers there is no vswitchd");
	return NULL;
}

json_t *client_request(
	const char *path, const json_t *request, unsigned timeout_ms, char *err, size_t err_len)
{
	struct exchange x = {.due_ms = now_ms() + timeout_ms, .err = err, .err_len = err_len};
	json_t *reply;

	x.fd = open_socket(path, err, err_len);
	if (x.fd < 0)
		return NULL;
	reply = exchange(&x, request);
	close(x.fd);
	return reply;
}
