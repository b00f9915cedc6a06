/*
 * Fuzzes SMB on a connection. The first byte chooses how it is seen (1 picked up, 2 port 139), then
 * come segments: one byte whose lowest bit is the side and whose second is set where a gap is
 * before it, two of length, little endian, and their bytes, each fed from a heap block of just its
 * size.
 *
 * Every input is fed twice, the second time in single bytes, and must be told the same. What is
 * told must lie within its record, and its amount is bounded by the input's.
 *
 * libFuzzer target; tests/unit/smb_rig.h says how its corpus's messages are made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smb_flow.h"

#define EVENTS_PER_BYTE 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* What was told in one way of feeding. */
struct story {
	uint64_t sum; /* of the events in their order */
	uint64_t data[2], stub[2]; /* of bytes, whatever pieces they came in */
	uint64_t events;
	enum smb_flow_result result;
	uint32_t record_len[2], seen[2];
	bool in_record[2];
};

static void mix_bytes(uint64_t *sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		*sum = (*sum ^ p[i]) * 0x100000001b3ull;
}

static void mix(struct story *s, uint64_t v)
{
	mix_bytes(&s->sum, &v, sizeof(v));
}

static void on_record(struct story *s, const struct smb_event *e)
{
	unsigned d = e->direction;

	if (e->type == SMB_RECORD_BEGIN) {
		must(e->record.len >= NBSS_HEADER && e->record.len <= NBSS_MAX);
		s->in_record[d] = true;
		s->record_len[d] = e->record.len;
		s->seen[d] = 0;
	} else if (e->type == SMB_RECORD_DATA) {
		must(s->in_record[d] && e->bytes.len > 0 && e->offset == s->seen[d]);
		s->seen[d] += e->bytes.len;
		must(s->seen[d] <= s->record_len[d]);
		mix_bytes(&s->data[d], e->bytes.bytes, e->bytes.len);
	} else {
		must(s->in_record[d] && s->seen[d] == s->record_len[d]);
		s->in_record[d] = false;
		mix(s, s->data[d]);
	}
}

static void on_name(struct story *s, const struct smb_event *e)
{
	must(e->name.len <= SMB_WINDOW / 2 * 3);
	mix_bytes(&s->sum, e->name.text, e->name.len);
	mix(s, e->name.pipe | e->name.truncated << 1);
	mix(s, e->name.host);
}

static void on_dce(struct story *s, const struct smb_event *e)
{
	must(e->dce.stub_len <= UINT16_MAX);
	mix_bytes(&s->sum, e->dce.interface, 16);
	mix(s, e->dce.opnum);
	mix(s, e->dce.call);
	mix(s, e->dce.stub_len);
}

static void on_stub(struct story *s, const struct smb_event *e)
{
	unsigned d = e->direction;

	must(e->bytes.len > 0 && e->offset >= NBSS_HEADER); /* raw data begins there */
	must(s->in_record[d] && e->offset + e->bytes.len <= s->record_len[d]);
	mix_bytes(&s->stub[d], e->bytes.bytes, e->bytes.len);
}

static void on_fact(struct story *s, const struct smb_event *e)
{
	unsigned d = e->direction;

	switch (e->type) {
	case SMB_FILE_DATA:
		must(e->file.len > 0 && e->offset >= NBSS_HEADER);
		must(e->file.len <= s->record_len[d] &&
			e->offset <= s->record_len[d] - e->file.len);
		mix(s, e->file.len);
		mix(s, e->file.position);
		break;
	case SMB_MESSAGE:
		must(e->message.version == 1 || e->message.version == 2);
		mix(s, e->message.id);
		break;
	case SMB_ENCRYPTED:
	case SMB_COMPRESSED:
		must(e->opaque.len <= s->record_len[d]);
		mix(s, e->opaque.original);
		break;
	case SMB_DETECTED:
		must(e->detection.what < SMB_DETECTIONS);
		mix(s, e->detection.what);
		mix(s, e->detection.doubt);
		mix(s, e->detection.value);
		break;
	case SMB_LIMITED:
		must(e->limit < SMB_LIMITS);
		mix(s, e->limit);
		break;
	default:
		break;
	}
}

static void on_event(void *arg, const struct smb_event *e)
{
	struct story *s = arg;

	must(e->direction <= 1);
	if (e->type == SMB_RECORD_DATA) {
		on_record(s, e);
		return;
	}
	if (e->type == SMB_DCE_STUB) {
		on_stub(s, e);
		return;
	}
	s->events++;
	mix(s, e->type);
	mix(s, e->offset);
	if (e->type == SMB_RECORD_BEGIN || e->type == SMB_RECORD_END)
		on_record(s, e);
	else if (e->type >= SMB_TREE_CONNECT && e->type <= SMB_USER)
		on_name(s, e);
	else if (e->type == SMB_DCE_BIND || e->type == SMB_DCE_CALL)
		on_dce(s, e);
	else
		on_fact(s, e);
}

/* cut: bytes a feed at the most. */
static void feed(struct smb_flow *flow, unsigned side, const uint8_t *bytes, size_t len, size_t cut,
	struct story *s)
{
	for (size_t done = 0; done < len;) {
		size_t n = len - done < cut ? len - done : cut;
		uint8_t *exact = malloc(n);

		must(exact != NULL);
		memcpy(exact, bytes + done, n);
		s->result = smb_flow_feed(flow, side, exact, (uint32_t)n, on_event, s);
		free(exact);
		done += n;
	}
}

static void run(const uint8_t *data, size_t size, size_t cut, struct story *s)
{
	struct smb_flow *flow = malloc(sizeof(*flow));

	must(flow != NULL);
	memset(flow, 0xa5, sizeof(*flow));
	memset(s, 0, sizeof(*s));
	smb_flow_init(flow, data[0] & (SMB_FLOW_PARTIAL | SMB_FLOW_NETBIOS));
	for (size_t at = 1; at + 3 <= size;) {
		unsigned side = data[at] & 1;
		size_t len = data[at + 1] | (size_t)data[at + 2] << 8;

		if (data[at] & 2) {
			smb_flow_gap(flow, side);
			s->in_record[smb_flow_direction(flow, side)] = false;
		}
		at += 3;
		if (len > size - at)
			len = size - at;
		feed(flow, side, data + at, len, cut, s);
		at += len;
	}
	free(flow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct story whole, cut;

	if (size < 1 || size > 1u << 20)
		return 0;
	run(data, size, SIZE_MAX, &whole);
	run(data, size, 1, &cut);
	must(memcmp(&whole, &cut, sizeof(cut)) == 0);
	must(whole.events <= 16 + EVENTS_PER_BYTE * size);
	return 0;
}
