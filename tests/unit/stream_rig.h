/*
 * A connection's segments made by hand, and what reassembly gives to its handler, as text: bytes as
 * they are, a gap as <len>. Bytes are sent from heap blocks of just their size, in as many pieces
 * as rig.piece asks for. Include behind cmocka.h.
 */
#ifndef VS_STREAM_RIG_H
#define VS_STREAM_RIG_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>

#include "stream.h"
#include "unit/frames.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20

#define RIG_TOLD   (4u << 20)
#define RIG_PIECES 64
#define RIG_PAGES  2048

static struct {
	struct inspect_memory *memory;
	struct inspect_account account;
	struct stream stream;
	uint32_t isn[2];
	uint32_t ack[2]; /* what each side acknowledges with its next segments, without the isn */
	uint32_t piece; /* bytes; 0: one piece */
	char told[2][RIG_TOLD + 1];
	uint32_t len[2];
	const char *stop_at; /* data() says false once what a side was told ends so */
} rig;

static bool rig_data(void *arg, unsigned side, const uint8_t *bytes, uint32_t len)
{
	assert_ptr_equal(arg, &rig);
	assert_true(side < 2 && len > 0 && rig.len[side] + len <= RIG_TOLD);
	memcpy(rig.told[side] + rig.len[side], bytes, len);
	rig.len[side] += len;
	rig.told[side][rig.len[side]] = 0;
	return rig.stop_at == NULL || strlen(rig.stop_at) > rig.len[side] ||
	       memcmp(rig.told[side] + rig.len[side] - strlen(rig.stop_at), rig.stop_at,
		       strlen(rig.stop_at)) != 0;
}

static void rig_gap(void *arg, unsigned side, uint32_t len)
{
	assert_ptr_equal(arg, &rig);
	rig.len[side] += (uint32_t)sprintf(rig.told[side] + rig.len[side], "<%u>", len);
}

static const struct stream_handler rig_handler = {rig_data, rig_gap};
static const struct stream_handler *rig_uses = &rig_handler;

/* Bytes into exact blocks. */
static inline unsigned rig_cut(struct stream_piece *pieces, const uint8_t *bytes, uint32_t len)
{
	uint32_t size = rig.piece == 0 ? len : rig.piece;
	unsigned n = 0;

	if (len > size * RIG_PIECES)
		size = (len + RIG_PIECES - 1) / RIG_PIECES;
	for (uint32_t at = 0; at < len; at += size) {
		uint32_t take = len - at < size ? len - at : size;
		uint8_t *exact = malloc(take);

		assert_non_null(exact);
		memcpy(exact, bytes + at, take);
		pieces[n++] = (struct stream_piece){exact, take};
	}
	return n;
}

/* With these numbers as they are. */
static inline enum stream_verdict rig_raw(
	unsigned side, uint8_t flags, uint32_t seq, uint32_t ack, const void *bytes, uint32_t len)
{
	struct stream_piece pieces[RIG_PIECES];
	struct stream_segment segment = {
		.seq = seq, .ack = ack, .flags = flags, .len = len, .pieces = pieces};
	enum stream_verdict verdict;

	segment.n_pieces = rig_cut(pieces, bytes, len);
	verdict = stream_segment(
		&rig.stream, rig.memory, &rig.account, side, &segment, rig_uses, &rig);
	for (unsigned i = 0; i < segment.n_pieces; i++)
		free((void *)(uintptr_t)pieces[i].bytes);
	return verdict;
}

/* Bytes at `at` of the side's stream, 0 being its first. */
static inline enum stream_verdict rig_send(
	unsigned side, uint8_t flags, uint32_t at, const void *bytes, uint32_t len)
{
	return rig_raw(side, flags, rig.isn[side] + 1 + at, rig.isn[!side] + 1 + rig.ack[side],
		bytes, len);
}

static inline enum stream_verdict say(unsigned side, uint32_t at, const char *text)
{
	return rig_send(side, ACK | PSH, at, text, (uint32_t)strlen(text));
}

/* Side acknowledges the other's first `at` bytes. */
static inline enum stream_verdict acknowledge(unsigned side, uint32_t at)
{
	rig.ack[side] = at;
	return rig_raw(side, ACK, rig.isn[side] + 1, rig.isn[!side] + 1 + at, "", 0);
}

static inline uint32_t rig_pages(void)
{
	return inspect_memory_used(rig.memory, INSPECT_PAGE);
}

static inline void rig_begin(bool midstream, uint32_t isn0, uint32_t isn1)
{
	stream_init(&rig.stream, midstream);
	rig.isn[0] = isn0;
	rig.isn[1] = isn1;
	rig.ack[0] = rig.ack[1] = 0;
	rig.piece = 0;
	rig.len[0] = rig.len[1] = 0;
	rig.told[0][0] = rig.told[1][0] = 0;
	rig.stop_at = NULL;
	rig_uses = &rig_handler;
	rig.account.max = UINT64_MAX / 2;
}

/* With its handshake. */
static inline void rig_open(uint32_t isn0, uint32_t isn1)
{
	rig_begin(false, isn0, isn1);
	assert_int_equal(rig_raw(0, SYN, isn0, 0, "", 0), STREAM_PASS);
	assert_int_equal(rig_raw(1, SYN | ACK, isn1, isn0 + 1, "", 0), STREAM_PASS);
	assert_int_equal(acknowledge(0, 0), STREAM_PASS);
}

static inline void rig_end(void)
{
	stream_end(&rig.stream, rig.memory, &rig.account);
	assert_int_equal(rig_pages(), 0);
	assert_int_equal(rig.account.used, 0);
}

static inline int rig_setup(void **state)
{
	const uint32_t counts[INSPECT_BLOCKS] = {[INSPECT_PAGE] = RIG_PAGES,
		[INSPECT_SMALL] = 2,
		[INSPECT_LARGE] = 1,
		[INSPECT_FLOW] = 3};

	if (frames_eal("test_stream") < 0)
		return -1;
	rig.memory = inspect_memory_create(counts, 100);
	return rig.memory == NULL ? -1 : 0;
}

static inline int rig_teardown(void **state)
{
	inspect_memory_free(rig.memory);
	return rte_eal_cleanup();
}

#define is(verdict, wanted)                                                                        \
	assert_string_equal(stream_verdict_name(verdict), stream_verdict_name(STREAM_##wanted))
#define told(side, text) assert_string_equal(rig.told[side], text)

#endif
