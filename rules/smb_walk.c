#include "smb_walk.h"

#include <string.h>

void smb_walk_begin(struct smb_walk *w, uint32_t record_len)
{
	w->record_len = record_len;
	w->at = 0;
	w->want = w->have = 0;
}

uint32_t smb_walk_end(const struct smb_walk *w)
{
	return w->at + w->want;
}

bool smb_walk_want(struct smb_walk *w, uint32_t at, uint32_t len, uint8_t step)
{
	if (at < smb_walk_end(w) || at > w->record_len || len > w->record_len - at ||
		len > SMB_WINDOW || len == 0) {
		smb_walk_stop(w);
		return false;
	}
	w->at = at;
	w->want = (uint16_t)len;
	w->have = 0;
	w->step = step;
	return true;
}

void smb_walk_stop(struct smb_walk *w)
{
	w->at = w->record_len;
	w->want = w->have = 0;
}

const uint8_t *smb_walk_window(
	struct smb_walk *w, const uint8_t *bytes, uint32_t len, uint32_t offset)
{
	uint32_t next = w->at + w->have, end = smb_walk_end(w);
	uint32_t take;

	if (w->want == w->have || next >= offset + len)
		return NULL;
	bytes += next - offset;
	len -= next - offset;
	if (w->have == 0 && len >= w->want) {
		w->have = w->want;
		return bytes;
	}
	take = end - next < len ? end - next : len;
	memcpy(w->buf + w->have, bytes, take);
	w->have = (uint16_t)(w->have + take);
	return w->have == w->want ? w->buf : NULL;
}
