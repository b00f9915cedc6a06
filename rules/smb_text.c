#include "smb_text.h"

#include <string.h>
#include <strings.h>

#include "smb_bytes.h"
#include "smb_walk.h"

/* A window of UTF-16 as UTF-8: at most 3 bytes for 2. */
#define TEXT_MAX (SMB_WINDOW / 2 * 3)

uint32_t smb_text_len(const uint8_t *raw, uint32_t len, bool unicode)
{
	const uint8_t *end;

	if (!unicode) {
		end = memchr(raw, 0, len);
		return end != NULL ? (uint32_t)(end - raw) : len;
	}
	for (uint32_t i = 0; i + 2 <= len; i += 2)
		if (raw[i] == 0 && raw[i + 1] == 0)
			return i;
	return len & ~1u;
}

/* Surrogates that stand alone become U+FFFD. */
static uint32_t code_point(const uint8_t *raw, uint32_t len, uint32_t *used)
{
	uint32_t c = le16(raw), d;

	*used = 2;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	d = c < 0xdc00 && len >= 4 ? le16(raw + 2) : 0;
	if (d < 0xdc00 || d > 0xdfff)
		return 0xfffd;
	*used = 4;
	return 0x10000 + ((c - 0xd800) << 10) + (d - 0xdc00);
}

static uint32_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static uint32_t to_utf8(const struct smb_name *name, uint32_t len, char *out)
{
	uint32_t n = 0, used;

	if (!name->unicode) {
		memcpy(out, name->raw, len);
		return len;
	}
	for (uint32_t i = 0; i + 2 <= len; i += used)
		n += put_utf8(out + n, code_point(name->raw + i, len - i, &used));
	return n;
}

/* The last component is IPC$, in any case. */
static bool is_ipc(const char *path, uint32_t len)
{
	return len >= 4 && strncasecmp(path + len - 4, "IPC$", 4) == 0 &&
	       (len == 4 || path[len - 5] == '\\' || path[len - 5] == '/');
}

/* The host of \\192.0.2.1\share, in host order; 0 where it is a name. */
static uint32_t host_of(const char *path, uint32_t len)
{
	uint32_t host = 0, part = 0, i = 0;
	unsigned digits = 0, dots = 0;

	while (i < len && (path[i] == '\\' || path[i] == '/'))
		i++;
	for (; i < len && path[i] != '\\' && path[i] != '/'; i++) {
		if (path[i] == '.' && digits > 0 && dots < 3) {
			host = host << 8 | part;
			part = digits = 0;
			dots++;
		} else if (path[i] >= '0' && path[i] <= '9' && digits < 3) {
			part = part * 10 + (uint32_t)(path[i] - '0');
			digits++;
		} else {
			return 0;
		}
		if (part > 255)
			return 0;
	}
	return dots == 3 && digits > 0 ? host << 8 | part : 0;
}

bool smb_text_tell(const struct smb_sink *sink, const struct smb_name *name)
{
	struct smb_event event = {.type = name->type, .offset = name->offset};
	uint32_t given = name->len < SMB_WINDOW ? name->len : SMB_WINDOW;
	uint32_t len = smb_text_len(name->raw, given, name->unicode);
	char text[TEXT_MAX];
	bool ipc;

	event.name.text = text;
	event.name.len = to_utf8(name, len, text);
	event.name.truncated = name->truncated && len >= (given & ~1u);
	ipc = name->type == SMB_TREE_CONNECT && is_ipc(text, event.name.len);
	event.name.pipe = ipc || name->pipe;
	if (name->type == SMB_TREE_CONNECT)
		event.name.host = host_of(text, event.name.len);
	smb_tell(sink, &event);
	if (event.name.truncated)
		smb_limited(sink, SMB_LIMIT_NAME, name->offset);
	return ipc;
}

void smb_text_user(const struct smb_sink *sink, const uint8_t *blob, uint32_t len, uint32_t offset)
{
	static const uint8_t authenticate[12] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0, 3, 0, 0, 0};
	const uint8_t *message = memmem(blob, len, authenticate, sizeof(authenticate));
	struct smb_name name = {.type = SMB_USER};
	uint32_t at, room;

	if (message == NULL)
		return;
	room = len - (uint32_t)(message - blob);
	if (room < 64)
		return;
	name.len = le16(message + 36);
	at = le32(message + 40);
	name.unicode = message[60] & 1;
	if (name.len == 0)
		return; /* nobody */
	if (at >= room) {
		smb_limited(sink, SMB_LIMIT_NAME, offset);
		return;
	}
	name.truncated = name.len > room - at;
	if (name.truncated)
		name.len = room - at;
	name.raw = message + at;
	name.offset = offset + (uint32_t)(name.raw - blob);
	smb_text_tell(sink, &name);
}
