/*
 * Runs inside a test guest: copies a file over SMB 2.1 to another guest, which takes it, without a
 * name and a password. (The kernel's own server, ksmbd, faults at the first open in Debian's 6.1.)
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "smb_wire.h"

#define STALL_SEC 20 /* without progress: fail rather than hang */

/* Sends what is in out() and waits for its answer; false, having said so, where it is not `want`.
 */
static bool call(struct link *l, const char *what, uint32_t body, uint32_t want, uint32_t least)
{
	uint32_t status;

	if (!send_message(l, body)) {
		fail(what);
		return false;
	}
	do {
		if (!receive(l)) {
			fail(what);
			return false;
		}
		status = (uint32_t)get(l->in + AT_STATUS, 4);
	} while (get(l->in + AT_MESSAGE, 8) != l->message || status == STATUS_PENDING);
	l->message++;
	if (status != want || l->len < SMB2_HEADER + least) {
		fprintf(stderr, "smb: %s: the server says 0x%08x\n", what, status);
		return false;
	}
	return true;
}

static bool negotiate(struct link *l)
{
	uint8_t *body = out(l) + SMB2_HEADER;

	begin(l, SMB2_NEGOTIATE, 0, 0);
	put(body, 2, NEGOTIATE_REQUEST);
	put(body + 2, 2, 1); /* dialects */
	put(body + 4, 2, SMB2_SIGNING);
	memcpy(body + 12, "vswitch guest", 13); /* ClientGuid */
	put(body + NEGOTIATE_REQUEST, 2, SMB2_DIALECT);
	return call(l, "negotiate", NEGOTIATE_REQUEST + 2, STATUS_OK, NEGOTIATE_RESPONSE);
}

/* token: written behind the body already. */
static bool setup(struct link *l, uint32_t token, uint32_t want)
{
	uint8_t *body = out(l) + SMB2_HEADER;

	put(body, 2, SETUP_REQUEST + 1);
	put(body + 3, 1, SMB2_SIGNING);
	put(body + 12, 2, SMB2_HEADER + SETUP_REQUEST);
	put(body + 14, 2, token);
	if (!call(l, "session setup", SETUP_REQUEST + token, want, SETUP_RESPONSE))
		return false;
	l->session = get(l->in + AT_SESSION, 8);
	return true;
}

static bool log_in(struct link *l)
{
	uint8_t *token = out(l) + SMB2_HEADER + SETUP_REQUEST;

	begin(l, SMB2_SESSION_SETUP, 0, 0);
	memset(token, 0, NTLM_NEGOTIATE_SIZE);
	memcpy(token, "NTLMSSP", 8);
	put(token + 8, 4, 1);
	put(token + 12, 4, NTLM_FLAGS);
	if (!setup(l, NTLM_NEGOTIATE_SIZE, STATUS_MORE))
		return false;
	begin(l, SMB2_SESSION_SETUP, 0, 0);
	memset(token, 0, NTLM_AUTHENTICATE_SIZE + 1);
	memcpy(token, "NTLMSSP", 8);
	put(token + 8, 4, 3);
	/* Six fields of a length, its maximum and a place: all empty but the LM response, a zero.
	 */
	for (unsigned i = 0; i < 6; i++)
		put(token + 12 + 8 * i + 4, 4, NTLM_AUTHENTICATE_SIZE);
	put(token + 12, 2, 1);
	put(token + 14, 2, 1);
	put(token + 60, 4, NTLM_FLAGS | NTLM_ANONYMOUS);
	return setup(l, NTLM_AUTHENTICATE_SIZE + 1, STATUS_OK);
}

static bool connect_share(struct link *l, const char *host)
{
	uint8_t *body = out(l) + SMB2_HEADER;
	char path[INET_ADDRSTRLEN + 16];
	uint32_t n;

	snprintf(path, sizeof(path), "\\\\%s\\" SMB_SHARE, host);
	begin(l, SMB2_TREE_CONNECT, 0, 0);
	put(body, 2, TREE_REQUEST + 1);
	put(body + 4, 2, SMB2_HEADER + TREE_REQUEST);
	n = put_text(body + TREE_REQUEST, path);
	put(body + 6, 2, n);
	if (!call(l, "tree connect", TREE_REQUEST + n, STATUS_OK, TREE_RESPONSE))
		return false;
	l->tree = (uint32_t)get(l->in + AT_TREE, 4);
	return true;
}

/* Makes the file anew. id: 16 bytes. */
static bool create(struct link *l, const char *name, uint8_t *id)
{
	uint8_t *body = out(l) + SMB2_HEADER;
	uint32_t n;

	begin(l, SMB2_CREATE, 0, 0);
	put(body, 2, CREATE_REQUEST + 1);
	put(body + 4, 4, 2); /* impersonation */
	put(body + 24, 4, 0x00120116); /* generic write */
	put(body + 28, 4, 0x80); /* a normal file */
	put(body + 32, 4, 7); /* others may read, write and delete */
	put(body + 36, 4, 5); /* overwrite, or create */
	put(body + 40, 4, 0x40); /* no directory */
	put(body + 44, 2, SMB2_HEADER + CREATE_REQUEST);
	n = put_text(body + CREATE_REQUEST, name);
	put(body + 46, 2, n);
	if (!call(l, "create", CREATE_REQUEST + n, STATUS_OK, CREATE_RESPONSE))
		return false;
	memcpy(id, l->in + SMB2_HEADER + 64, 16);
	return true;
}

static bool write_chunk(
	struct link *l, const uint8_t *id, uint64_t offset, const uint8_t *data, uint32_t n)
{
	uint8_t *body = out(l) + SMB2_HEADER;

	begin(l, SMB2_WRITE, 0, 0);
	put(body, 2, WRITE_REQUEST + 1);
	put(body + 2, 2, SMB2_HEADER + WRITE_REQUEST);
	put(body + 4, 4, n);
	put(body + 8, 8, offset);
	memcpy(body + 16, id, 16);
	memcpy(body + WRITE_REQUEST, data, n);
	return call(l, "write", WRITE_REQUEST + n, STATUS_OK, WRITE_RESPONSE);
}

static bool write_file(struct link *l, const uint8_t *id, int file, uint64_t *total)
{
	static uint8_t chunk[CHUNK];
	ssize_t n;

	for (*total = 0; (n = read(file, chunk, sizeof(chunk))) > 0; *total += (uint64_t)n)
		if (!write_chunk(l, id, *total, chunk, (uint32_t)n))
			return false;
	if (n < 0)
		fail("read");
	return n == 0;
}

static bool close_file(struct link *l, const uint8_t *id)
{
	uint8_t *body = out(l) + SMB2_HEADER;

	begin(l, SMB2_CLOSE, 0, 0);
	put(body, 2, CLOSE_REQUEST);
	memcpy(body + 8, id, 16);
	return call(l, "close", CLOSE_REQUEST, STATUS_OK, CLOSE_RESPONSE);
}

static bool leave(struct link *l, unsigned command)
{
	begin(l, command, 0, 0);
	put(out(l) + SMB2_HEADER, 2, SHORT_BODY);
	return call(l, "log off", SHORT_BODY, STATUS_OK, SHORT_BODY);
}

static void set_stall_limit(int fd)
{
	struct timeval limit = {.tv_sec = STALL_SEC};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int copy(const char *path, const char *host)
{
	static struct link link;
	struct link *l = &link;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(SMB_PORT)};
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int file = open(path, O_RDONLY);
	uint64_t total;
	uint8_t id[16];

	if (file < 0)
		return fail(path);
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1 || strlen(name) > NAME_LENGTH) {
		fprintf(stderr, "smb: an IPv4 address and a name of %d bytes at most are needed\n",
			NAME_LENGTH);
		return 2;
	}
	l->fd = socket(AF_INET, SOCK_STREAM, 0);
	set_stall_limit(l->fd);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof(to)))
		return fail("connect");
	if (!negotiate(l) || !log_in(l) || !connect_share(l, host) || !create(l, name, id) ||
		!write_file(l, id, file, &total) || !close_file(l, id) ||
		!leave(l, SMB2_TREE_DISCONNECT) || !leave(l, SMB2_LOGOFF))
		return 1;
	printf("copied %s, %llu bytes, to \\\\%s\\" SMB_SHARE "\n", name, (unsigned long long)total,
		host);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "copy"))
		return copy(argv[2], argv[3]);
	fprintf(stderr,
		"usage: smb serve DIRECTORY      shares it as `" SMB_SHARE "`, to everybody\n"
		"       smb copy FILE ADDRESS    to that share\n");
	return 2;
}
