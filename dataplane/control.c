#include "control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_socket.h"
#include "log.h"
#include "loop.h"

#define READ_CHUNK   65536
#define SWEEP_MS     1000
#define ACCEPT_PAUSE 1000 /* ms without accepting when descriptors have run out */

struct client {
	int fd;
	bool eof; /* nothing more comes in: answer what is there, then close */
	struct loop_watch *watch;
	struct control_peer peer;
	uint64_t since_ms; /* start of the wait for a whole request, or for the reply to leave */
	char *in;
	size_t in_len, in_size;
	size_t scanned; /* bytes of in that hold no newline */
	char *out;
	size_t out_len, out_sent;
	LIST_ENTRY(client) entry;
};

LIST_HEAD(client_list, client);

static struct {
	struct control_socket sock;
	control_answer_fn answer;
	unsigned idle_ms;
	struct loop_watch *listener;
	struct loop_timer *sweeper;
	struct client_list clients;
	unsigned n_clients;
	size_t buffered; /* allocated for all clients' requests and replies */
	uint64_t requests, refused_clients;
	struct log_limit limit;
} control = {.sock = {.fd = -1, .lock_fd = -1}};

static const char too_busy[] =
	"{\"ok\":false,\"code\":\"busy\",\"error\":\"too many clients; try again\"}\n";

static void client_close(struct client *client)
{
	loop_remove(client->watch);
	close(client->fd);
	LIST_REMOVE(client, entry);
	control.n_clients--;
	control.buffered -= client->in_size + client->out_len;
	free(client->in);
	free(client->out);
	free(client);
}

/* Takes over text (malloc'ed) as the client's reply. */
static void set_reply(struct client *client, char *text, size_t len)
{
	client->out = text;
	client->out_len = len;
	client->out_sent = 0;
	control.buffered += len;
	client->since_ms = loop_now_ms();
}

static json_t *fault(const char *code, const char *text)
{
	return json_pack("{s:b,s:s,s:s}", "ok", 0, "code", code, "error", text);
}

/* Takes over the reference to reply. NULL only if there is no memory. */
static char *reply_text(json_t *reply, size_t *len)
{
	size_t need = json_dumpb(reply, NULL, 0, JSON_COMPACT);
	char *text;

	if (need == 0 || need > CONTROL_REPLY_MAX ||
		need + control.buffered > CONTROL_BUFFERED_MAX) {
		json_decref(reply);
		reply = fault("refused", "the answer is too large: ask for one port or network");
		need = json_dumpb(reply, NULL, 0, JSON_COMPACT);
	}
	text = malloc(need + 1);
	if (text != NULL) {
		json_dumpb(reply, text, need, JSON_COMPACT);
		text[need] = '\n';
		*len = need + 1;
	}
	json_decref(reply);
	return text;
}

/* What became of a client's input. */
enum progress { GONE = -1, NOTHING, ANSWERED };

/* Answers the first len bytes of the input, a line, and takes skip bytes away. */
static enum progress answer_line(struct client *client, size_t len, size_t skip)
{
	size_t reply_len;
	char *text;

	control.requests++;
	text = reply_text(control.answer(client->in, len, &client->peer), &reply_len);
	if (text == NULL) {
		client_close(client);
		return GONE;
	}
	client->in_len -= skip;
	client->scanned = 0;
	memmove(client->in, client->in + skip, client->in_len);
	set_reply(client, text, reply_len);
	return ANSWERED;
}

/* A last word to who can't be served, if its socket takes it at once. */
static void give_up(struct client *client, const char *code, const char *text)
{
	size_t len;
	char *reply = reply_text(fault(code, text), &len);

	if (reply != NULL && send(client->fd, reply, len, MSG_NOSIGNAL) < 0) {
		log_limited(&control.limit, LOG_LEVEL_WARNING, "control: client %d cut off: %s",
			(int)client->peer.pid, text);
	}
	free(reply);
	client_close(client);
}

/* The end of the input also ends a line. */
static enum progress next_line(struct client *client)
{
	char *newline;
	size_t len;

	if (client->in_len == 0)
		return NOTHING;
	newline = memchr(client->in + client->scanned, '\n', client->in_len - client->scanned);
	if (newline != NULL) {
		len = (size_t)(newline - client->in);
		return answer_line(client, len, len + 1);
	}
	client->scanned = client->in_len;
	return client->eof ? answer_line(client, client->in_len, client->in_len) : NOTHING;
}

static bool grow(struct client *client)
{
	size_t size = client->in_size == 0 ? READ_CHUNK : client->in_size * 2;
	char *in;

	if (control.buffered + (size - client->in_size) > CONTROL_BUFFERED_MAX) {
		give_up(client, "busy", "too much is going on at once; try again");
		return false;
	}
	in = realloc(client->in, size);
	if (in == NULL) {
		give_up(client, "busy", "out of memory; try again");
		return false;
	}
	control.buffered += size - client->in_size;
	client->in = in;
	client->in_size = size;
	return true;
}

/* One read a round, so that no client keeps the others waiting. False: the client is gone. */
static bool read_some(struct client *client)
{
	ssize_t n;

	if (client->scanned >= CONTROL_REQUEST_MAX) {
		give_up(client, "refused", "the request is longer than 16 MiB");
		return false;
	}
	if (client->in_len == client->in_size && !grow(client))
		return false;
	n = recv(client->fd, client->in + client->in_len, client->in_size - client->in_len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		client_close(client);
		return false;
	}
	if (client->in_len == 0)
		client->since_ms = loop_now_ms();
	client->in_len += (size_t)n;
	client->eof |= n == 0;
	return true;
}

/* An idle client holds no more than it had to begin with. */
static void reply_sent(struct client *client)
{
	control.buffered -= client->out_len;
	free(client->out);
	client->out = NULL;
	client->out_len = 0;
	client->since_ms = loop_now_ms();
	if (client->in_len == 0) {
		control.buffered -= client->in_size;
		free(client->in);
		client->in = NULL;
		client->in_size = 0;
	}
}

/* False: the client is gone. */
static bool write_some(struct client *client)
{
	ssize_t n = send(client->fd, client->out + client->out_sent,
		client->out_len - client->out_sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		client_close(client);
		return false;
	}
	client->out_sent += (size_t)n;
	if (client->out_sent == client->out_len)
		reply_sent(client);
	return true;
}

/*
 * Input is read only while no reply waits to leave: a client that doesn't read is not read from.
 * One line is answered a round; with more of them here already, being writable starts the next.
 */
static void client_ready(int fd, uint32_t events, void *arg)
{
	struct client *client = arg;
	uint32_t wanted = EPOLLIN;

	(void)fd;
	if (client->out == NULL && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 &&
		!client->eof && !read_some(client))
		return;
	if (client->out == NULL && next_line(client) == GONE)
		return;
	if (client->out != NULL && !write_some(client))
		return;
	if (client->out == NULL && client->eof && client->in_len == 0) {
		client_close(client);
		return;
	}
	if (client->out != NULL || client->eof || client->scanned < client->in_len)
		wanted = EPOLLOUT;
	if (loop_modify(client->watch, wanted) < 0)
		client_close(client);
}

static bool is_idle(const struct client *client)
{
	return client->out == NULL && client->in_len == 0;
}

static struct client *idle_longest(void)
{
	struct client *client, *found = NULL;

	LIST_FOREACH (client, &control.clients, entry) {
		if (is_idle(client) && (found == NULL || client->since_ms < found->since_ms))
			found = client;
	}
	return found;
}

static void client_new(int fd)
{
	struct client *client, *idle;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (control.n_clients >= CONTROL_CLIENTS_MAX) {
		idle = idle_longest();
		if (idle != NULL)
			client_close(idle);
	}
	if (control.n_clients >= CONTROL_CLIENTS_MAX) {
		control.refused_clients++;
		if (send(fd, too_busy, sizeof(too_busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_limited(&control.limit, LOG_LEVEL_WARNING, "control: client refused");
		close(fd);
		return;
	}
	client = calloc(1, sizeof(*client));
	if (client == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		free(client);
		close(fd);
		return;
	}
	client->fd = fd;
	client->peer = (struct control_peer){cred.uid, cred.gid, cred.pid};
	client->since_ms = loop_now_ms();
	client->watch = loop_add(fd, EPOLLIN, client_ready, client);
	if (client->watch == NULL) {
		free(client);
		close(fd);
		return;
	}
	LIST_INSERT_HEAD(&control.clients, client, entry);
	control.n_clients++;
}

static void resume_accept(void *arg)
{
	(void)arg;
	if (control.listener != NULL)
		loop_modify(control.listener, EPOLLIN);
}

static void accept_ready(int fd, uint32_t events, void *arg)
{
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	(void)arg;
	if (client >= 0) {
		client_new(client);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
		return;
	/* The connection stays queued, so the listener would be ready again at once, for ever. */
	log_limited(&control.limit, LOG_LEVEL_WARNING, "control: cannot take a client: %s",
		strerror(errno));
	if (loop_after(ACCEPT_PAUSE, resume_accept, NULL) != NULL)
		loop_modify(control.listener, 0);
}

static void sweep(void *arg)
{
	uint64_t now = loop_now_ms();
	struct client *client = LIST_FIRST(&control.clients), *next;

	(void)arg;
	for (; client != NULL; client = next) {
		next = LIST_NEXT(client, entry);
		if (now - client->since_ms >= control.idle_ms)
			client_close(client);
	}
}

int control_open(const struct control_options *options, char *err, size_t err_len)
{
	if (control_socket_open(&control.sock, options->path, &options->access, err, err_len) < 0)
		return -1;
	control.answer = options->answer;
	control.idle_ms = options->idle_ms > 0 ? options->idle_ms : CONTROL_IDLE_MS;
	LIST_INIT(&control.clients);
	control.listener = loop_add(control.sock.fd, EPOLLIN, accept_ready, NULL);
	control.sweeper = loop_every(
		control.idle_ms < SWEEP_MS ? control.idle_ms : SWEEP_MS, sweep, NULL);
	if (control.listener == NULL || control.sweeper == NULL) {
		snprintf(err, err_len, "cannot watch the control socket: %s", strerror(errno));
		control_close();
		return -1;
	}
	return 0;
}

void control_close(void)
{
	if (control.sock.fd < 0)
		return;
	while (!LIST_EMPTY(&control.clients))
		client_close(LIST_FIRST(&control.clients));
	loop_remove(control.listener);
	loop_cancel(control.sweeper);
	control.listener = NULL;
	control.sweeper = NULL;
	control_socket_close(&control.sock);
}

json_t *control_status(void)
{
	return json_pack("{s:s,s:i,s:I,s:I}", "path", control.sock.path, "clients",
		(int)control.n_clients, "requests", (json_int_t)control.requests, "refused_clients",
		(json_int_t)control.refused_clients);
}
