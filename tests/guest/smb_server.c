/*
 * The server: takes files, and knows nothing else. Whoever comes is a guest; a connection has one
 * file open at a time.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smb_wire.h"

struct served {
	int directory, file;
};

static bool refuse(struct link *l, uint32_t status)
{
	begin(l, (unsigned)get(l->in + AT_COMMAND, 2), SMB2_RESPONSE, status);
	put(out(l) + SMB2_HEADER, 2, ERROR_BODY);
	return send_message(l, ERROR_BODY);
}

/* The bytes that a request says are `at` its fields of place and length; NULL: not in it. */
static const uint8_t *part(const struct link *l, uint64_t place, uint64_t len)
{
	return place >= SMB2_HEADER && place <= l->len && len <= l->len - place ? l->in + place
										: NULL;
}

static bool serve_negotiate(struct link *l)
{
	uint8_t *body = out(l) + SMB2_HEADER;

	begin(l, SMB2_NEGOTIATE, SMB2_RESPONSE, STATUS_OK);
	put(body, 2, NEGOTIATE_RESPONSE + 1);
	put(body + 2, 2, SMB2_SIGNING);
	put(body + 4, 2, SMB2_DIALECT);
	memcpy(body + 8, "vswitch guest", 13); /* ServerGuid */
	for (unsigned i = 0; i < 3; i++) /* of a transaction, a read, a write */
		put(body + 28 + 4 * i, 4, CHUNK);
	put(body + 56, 2, SMB2_HEADER + NEGOTIATE_RESPONSE);
	return send_message(l, NEGOTIATE_RESPONSE);
}

/* Who asks with NTLMSSP's first message gets a challenge; whatever is the answer to that will do.
 */
static bool serve_setup(struct link *l)
{
	uint8_t *body = out(l) + SMB2_HEADER, *token = body + SETUP_RESPONSE;
	uint64_t len = get(l->in + SMB2_HEADER + 14, 2);
	const uint8_t *given = part(l, get(l->in + SMB2_HEADER + 12, 2), len);
	bool first;

	if (!given || len < 12 || memcmp(given, "NTLMSSP", 8))
		return refuse(l, STATUS_NOT_SUPPORTED);
	first = get(given + 8, 4) == 1;
	l->session = 1;
	begin(l, SMB2_SESSION_SETUP, SMB2_RESPONSE, first ? STATUS_MORE : STATUS_OK);
	put(body, 2, SETUP_RESPONSE + 1);
	put(body + 2, 2, first ? 0 : 1); /* a guest */
	put(body + 4, 2, SMB2_HEADER + SETUP_RESPONSE);
	if (!first)
		return send_message(l, SETUP_RESPONSE);
	put(body + 6, 2, NTLM_CHALLENGE_SIZE);
	memset(token, 0, NTLM_CHALLENGE_SIZE);
	memcpy(token, "NTLMSSP", 8);
	put(token + 8, 4, 2);
	put(token + 16, 4, NTLM_CHALLENGE_SIZE);
	put(token + 20, 4, NTLM_FLAGS);
	memcpy(token + 24, "vswitch!", 8); /* the challenge, which is for no secret */
	put(token + 44, 4, NTLM_CHALLENGE_SIZE);
	return send_message(l, SETUP_RESPONSE + NTLM_CHALLENGE_SIZE);
}

/* The text that a request names, in ASCII; false: too long, not in it, or other letters. */
static bool text_of(const struct link *l, uint64_t place, uint64_t len, char name[NAME_LENGTH + 1])
{
	const uint8_t *from = part(l, place, len);

	if (!from || len % 2 || len / 2 > NAME_LENGTH)
		return false;
	for (uint64_t i = 0; i < len / 2; i++) {
		uint64_t letter = get(from + 2 * i, 2);

		if (letter < ' ' || letter > '~')
			return false;
		name[i] = (char)letter;
	}
	name[len / 2] = '\0';
	return true;
}

static bool serve_tree(struct link *l)
{
	uint8_t *body = out(l) + SMB2_HEADER;
	char path[NAME_LENGTH + 1];
	const char *share;

	if (!text_of(l, get(l->in + SMB2_HEADER + 4, 2), get(l->in + SMB2_HEADER + 6, 2), path))
		return refuse(l, STATUS_INVALID);
	share = strrchr(path, '\\');
	if (!share || strcmp(share + 1, SMB_SHARE))
		return refuse(l, STATUS_NO_SHARE);
	l->tree = 1;
	begin(l, SMB2_TREE_CONNECT, SMB2_RESPONSE, STATUS_OK);
	put(body, 2, TREE_RESPONSE);
	put(body + 2, 1, 1); /* a disk */
	put(body + 12, 4, 0x001f01ff); /* MaximalAccess */
	return send_message(l, TREE_RESPONSE);
}

static bool serve_create(struct link *l, struct served *served)
{
	uint8_t *body = out(l) + SMB2_HEADER;
	char name[NAME_LENGTH + 1];

	if (!l->tree ||
		!text_of(l, get(l->in + SMB2_HEADER + 44, 2), get(l->in + SMB2_HEADER + 46, 2),
			name) ||
		!name[0] || name[0] == '.' || strpbrk(name, "/\\"))
		return refuse(l, STATUS_NO_FILE);
	if (served->file >= 0)
		close(served->file);
	served->file = openat(
		served->directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
	if (served->file < 0)
		return refuse(l, STATUS_FAILED);
	begin(l, SMB2_CREATE, SMB2_RESPONSE, STATUS_OK);
	put(body, 2, CREATE_RESPONSE + 1);
	put(body + 4, 4, 2); /* created */
	put(body + 56, 4, 0x80); /* a normal file */
	put(body + 64, 8, 1); /* FileId */
	return send_message(l, CREATE_RESPONSE);
}

static bool serve_write(struct link *l, struct served *served)
{
	uint8_t *body = out(l) + SMB2_HEADER;
	const uint8_t *request = l->in + SMB2_HEADER, *data;
	uint64_t len = get(request + 4, 4);

	data = part(l, get(request + 2, 2), len);
	if (served->file < 0)
		return refuse(l, STATUS_CLOSED);
	if (!data || pwrite(served->file, data, len, (off_t)get(request + 8, 8)) != (ssize_t)len)
		return refuse(l, STATUS_INVALID);
	begin(l, SMB2_WRITE, SMB2_RESPONSE, STATUS_OK);
	put(body, 2, WRITE_RESPONSE + 1);
	put(body + 4, 4, len);
	return send_message(l, WRITE_RESPONSE);
}

/* The rest is answered by a body of zeros behind its size. */
static bool serve_end(struct link *l, struct served *served, unsigned command)
{
	uint32_t size = command == SMB2_CLOSE ? CLOSE_RESPONSE : SHORT_BODY;

	if (command == SMB2_CLOSE && served->file >= 0) {
		close(served->file);
		served->file = -1;
	}
	begin(l, command, SMB2_RESPONSE, STATUS_OK);
	put(out(l) + SMB2_HEADER, 2, size);
	return send_message(l, size);
}

static bool serve_request(struct link *l, struct served *served)
{
	static const uint32_t sizes[] = {[SMB2_NEGOTIATE] = NEGOTIATE_REQUEST,
		[SMB2_SESSION_SETUP] = SETUP_REQUEST,
		[SMB2_LOGOFF] = SHORT_BODY,
		[SMB2_TREE_CONNECT] = TREE_REQUEST,
		[SMB2_TREE_DISCONNECT] = SHORT_BODY,
		[SMB2_CREATE] = CREATE_REQUEST,
		[SMB2_CLOSE] = CLOSE_REQUEST,
		[SMB2_WRITE] = WRITE_REQUEST};
	unsigned command = (unsigned)get(l->in + AT_COMMAND, 2);

	if (memcmp(l->in, "\xfeSMB", 4))
		return false;
	l->message = get(l->in + AT_MESSAGE, 8);
	if (command >= sizeof(sizes) / sizeof(sizes[0]) || !sizes[command])
		return refuse(l, STATUS_NOT_SUPPORTED);
	if (l->len < SMB2_HEADER + sizes[command])
		return refuse(l, STATUS_INVALID);
	switch (command) {
	case SMB2_NEGOTIATE:
		return serve_negotiate(l);
	case SMB2_SESSION_SETUP:
		return serve_setup(l);
	case SMB2_TREE_CONNECT:
		return serve_tree(l);
	case SMB2_CREATE:
		return serve_create(l, served);
	case SMB2_WRITE:
		return serve_write(l, served);
	default:
		return serve_end(l, served, command);
	}
}

int serve(const char *directory)
{
	static struct link link;
	struct link *l = &link;
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(SMB_PORT)};
	struct served served = {.directory = open(directory, O_PATH | O_DIRECTORY), .file = -1};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (served.directory < 0)
		return fail(directory);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 16))
		return fail("listen");
	printf("ready\n");
	fflush(stdout);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		l->fd = accept(fd, NULL, NULL);
		if (l->fd < 0)
			return fail("accept");
		if (fork() == 0) {
			while (receive(l) && serve_request(l, &served))
				;
			_exit(0);
		}
		close(l->fd);
	}
}
