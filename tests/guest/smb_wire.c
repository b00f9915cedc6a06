/* Records and headers of SMB 2.1, and what client and server share beside. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "smb_wire.h"

int fail(const char *what)
{
	fprintf(stderr, "smb: %s: %s\n", what, strerror(errno));
	return 1;
}

static bool transfer_all(int fd, uint8_t *at, size_t len, bool send)
{
	while (len) {
		ssize_t n = send ? write(fd, at, len) : read(fd, at, len);

		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0)
			return false;
		at += n;
		len -= n;
	}
	return true;
}

bool receive(struct link *l)
{
	uint8_t head[4];

	if (!transfer_all(l->fd, head, sizeof(head), false))
		return false;
	l->len = (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
	if (head[0] || l->len < SMB2_HEADER || l->len > sizeof(l->in)) {
		errno = EPROTO;
		return false;
	}
	return transfer_all(l->fd, l->in, l->len, false);
}

void begin(struct link *l, unsigned command, uint32_t flags, uint32_t status)
{
	uint8_t *at = out(l);

	memset(at, 0, SMB2_HEADER + CREATE_RESPONSE);
	memcpy(at, "\xfeSMB", 4);
	put(at + 4, 2, SMB2_HEADER);
	put(at + 6, 2, command == SMB2_NEGOTIATE ? 0 : 1);
	put(at + AT_STATUS, 4, status);
	put(at + AT_COMMAND, 2, command);
	put(at + AT_CREDITS, 2, 32);
	put(at + AT_FLAGS, 4, flags);
	put(at + AT_MESSAGE, 8, l->message);
	put(at + AT_TREE, 4, l->tree);
	put(at + AT_SESSION, 8, l->session);
}

bool send_message(struct link *l, uint32_t body)
{
	uint32_t len = SMB2_HEADER + body;

	l->record[0] = 0;
	l->record[1] = (uint8_t)(len >> 16);
	l->record[2] = (uint8_t)(len >> 8);
	l->record[3] = (uint8_t)len;
	return transfer_all(l->fd, l->record, 4 + len, true);
}
