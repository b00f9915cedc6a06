#include "smb_flow.h"

#include <string.h>

#include "smb_bytes.h"

enum { PARSER_NONE, PARSER_SMB1, PARSER_SMB2 };

void smb_flow_init(struct smb_flow *flow, unsigned flags)
{
	flow->flags = (uint8_t)flags;
	flow->oriented = !(flags & SMB_FLOW_PARTIAL);
	flow->swapped = false;
	flow->broken = false;
	smb_opening_init(&flow->opening, !(flags & SMB_FLOW_PARTIAL));
	for (unsigned i = 0; i < 2; i++) {
		struct smb_side *side = &flow->side[i];

		nbss_init(&side->nbss, flags & SMB_FLOW_NETBIOS);
		if (flags & SMB_FLOW_PARTIAL)
			nbss_resync(&side->nbss);
		smb_walk_begin(&side->walk, 0);
		side->stream = (struct smb_stream){0};
		side->told = 0;
		side->parser = PARSER_NONE;
		side->doubt = SMB_SURE;
		side->lost = false;
		side->holding = false;
	}
	smb_pipes_init(&flow->pipes);
	smb1_init(&flow->smb1);
	smb2_init(&flow->smb2);
}

enum smb_direction smb_flow_direction(const struct smb_flow *flow, unsigned side)
{
	return (enum smb_direction)(side ^ flow->swapped);
}

static struct smb_context context(
	struct smb_flow *flow, unsigned side, smb_handler *handler, void *arg)
{
	return (struct smb_context){
		.sink = {.handler = handler,
			.arg = arg,
			.direction = smb_flow_direction(flow, side),
			.whole = !(flow->flags & SMB_FLOW_PARTIAL),
			.doubt = flow->side[side].doubt,
			.told = &flow->side[side].told},
		.walk = &flow->side[side].walk,
		.stream = &flow->side[side].stream,
		.pipes = &flow->pipes,
		.opening = &flow->opening,
	};
}

/* About what begins here: a record, or none where one must begin. */
static void begin_doubt(struct smb_flow *flow, struct smb_context *c, unsigned side, bool raw)
{
	const struct smb_side *other = &flow->side[!side];
	enum smb_doubt doubt = SMB_SURE;

	/* What is missing of the other side may have announced it. */
	raw |= c->sink.direction == SMB_TO_CLIENT ? flow->smb1.raw_used || other->lost
						  : flow->smb1.raw_used && other->lost;
	if (flow->side[side].lost)
		doubt = SMB_DOUBT_PLACE;
	else if (!smb_opening_seen(&flow->opening))
		doubt = SMB_DOUBT_PICKED_UP;
	else if (raw)
		doubt = SMB_DOUBT_RAW;
	flow->side[side].doubt = (uint8_t)doubt;
	c->sink.doubt = doubt;
}

static void begin_record(struct smb_flow *flow, struct smb_context *c, unsigned side)
{
	struct smb_side *s = &flow->side[side];
	struct smb_event event = {
		.type = SMB_RECORD_BEGIN, .record = {.len = s->nbss.len, .type = s->nbss.type}};
	const uint8_t *magic = s->nbss.head + NBSS_HEADER;

	s->told = 0;
	s->stream = (struct smb_stream){0};
	s->parser = PARSER_NONE;
	begin_doubt(flow, c, side, s->nbss.is_raw);
	event.record.doubt = c->sink.doubt;
	smb_walk_begin(&s->walk, s->nbss.len);
	smb_tell(&c->sink, &event);
	if (s->nbss.is_raw) {
		smb1_raw_data(&flow->smb1, c);
		return;
	}
	if (s->nbss.type != NBSS_MESSAGE || s->nbss.len < NBSS_HEAD || le16(magic + 2) != 0x424d ||
		magic[1] != 'S')
		return;
	if (magic[0] == 0xff) {
		s->parser = PARSER_SMB1;
		smb1_begin(c);
	} else if (magic[0] >= 0xfc) {
		s->parser = PARSER_SMB2;
		smb2_begin(c, magic[0]);
	}
}

static void step(struct smb_flow *flow, struct smb_context *c, unsigned side, const uint8_t *window)
{
	if (flow->side[side].parser == PARSER_SMB1)
		smb1_step(&flow->smb1, c, window);
	else
		smb2_step(&flow->smb2, c, window);
}

/* A record's bytes: parser's windows and the data of pipes in the order in which they lie. */
static void record_data(
	struct smb_flow *flow, struct smb_context *c, unsigned side, const struct nbss_piece *piece)
{
	struct smb_side *s = &flow->side[side];
	struct smb_event event = {.type = SMB_RECORD_DATA,
		.offset = piece->offset,
		.bytes = {.bytes = piece->bytes, .len = piece->len}};
	const uint8_t *window;

	smb_tell(&c->sink, &event);
	while ((window = smb_walk_window(&s->walk, piece->bytes, piece->len, piece->offset)) !=
		NULL) {
		smb_pipes_feed(&flow->pipes, &c->sink, &s->stream, piece->bytes, piece->len,
			piece->offset, smb_walk_end(&s->walk));
		step(flow, c, side, window);
	}
	smb_pipes_feed(&flow->pipes, &c->sink, &s->stream, piece->bytes, piece->len, piece->offset,
		UINT32_MAX);
}

static void begin(
	struct smb_flow *flow, struct smb_context *c, unsigned side, const struct nbss_piece *piece)
{
	begin_record(flow, c, side);
	record_data(flow, c, side, piece);
}

/*
 * The first message of a connection that was picked up says by its reply flag who sends it. Its
 * record is held back until the flag is there, so that all of it is told in the right direction.
 * Where the first record does not say (encrypted, keep-alive), directions stand as they are fed:
 * what has been told once is not turned round.
 */
static void orient(struct smb_flow *flow, unsigned side)
{
	const uint8_t *held = flow->side[side].held;
	bool reply;

	flow->oriented = true;
	if (flow->side[side].nbss.type != NBSS_MESSAGE || flow->side[side].n_held < SMB_FLOW_HELD)
		return;
	if (held[4] == 0xff)
		reply = held[13] & 0x80;
	else if (held[4] == 0xfe)
		reply = held[20] & 0x01;
	else
		return;
	flow->swapped = reply != (side == SMB_TO_CLIENT);
}

static void hold(
	struct smb_flow *flow, struct smb_context *c, unsigned side, struct nbss_piece piece)
{
	struct smb_side *s = &flow->side[side];
	uint32_t need = s->nbss.len < SMB_FLOW_HELD ? s->nbss.len : SMB_FLOW_HELD;
	uint32_t more = need - s->n_held < piece.len ? need - s->n_held : piece.len;

	memcpy(s->held + s->n_held, piece.bytes, more);
	s->n_held = (uint8_t)(s->n_held + more);
	if (s->n_held < need)
		return;
	s->holding = false;
	if (!flow->oriented)
		orient(flow, side);
	c->sink.direction = smb_flow_direction(flow, side);
	begin(flow, c, side, &(struct nbss_piece){s->held, need, 0});
	piece = (struct nbss_piece){piece.bytes + more, piece.len - more, need};
	if (piece.len > 0)
		record_data(flow, c, side, &piece);
}

static void tell_skipped(
	struct smb_flow *flow, const struct smb_context *c, unsigned side, uint64_t skipped)
{
	struct smb_event event = {.type = SMB_RESYNC};

	event.bytes.len = skipped < UINT32_MAX ? (uint32_t)skipped : UINT32_MAX;
	if (skipped == 0)
		return;
	flow->side[side].lost = true;
	smb_opening_other(c->opening);
	smb_tell(&c->sink, &event);
}

/* From here on the side's records are where they are found. */
static void lose(struct smb_flow *flow, unsigned side)
{
	flow->side[side].told = 0;
	flow->side[side].lost = true;
	smb_opening_other(&flow->opening);
	nbss_resync(&flow->side[side].nbss);
}

/* No record begins where one must. */
static enum smb_flow_result bad(struct smb_flow *flow, struct smb_context *c, unsigned side)
{
	struct nbss *n = &flow->side[side].nbss;

	flow->side[side].told = 0;
	begin_doubt(flow, c, side, false);
	if (flow->flags & SMB_FLOW_PARTIAL) {
		lose(flow, side);
		return SMB_FLOW_OK;
	}
	flow->broken = true;
	smb_detect(&c->sink, SMB_FOUND_framing, 0, be32(n->head));
	return SMB_FLOW_BROKEN;
}

static void end_record(const struct smb_context *c, const struct smb_side *s)
{
	struct smb_event event = {.type = SMB_RECORD_END, .offset = s->nbss.len};

	if (s->told != 0) /* a record of something else may look like one */
		smb_opening_other(c->opening);
	smb_tell(&c->sink, &event);
}

/* SMB1's raw modes: what was announced while parsing is due on a side. */
static void expect_raw(struct smb_flow *flow, struct smb_context *c)
{
	unsigned client = smb_flow_direction(flow, 0) == SMB_TO_SERVER ? 0 : 1;

	if (c->raw & SMB_RAW_READ)
		nbss_expect_raw(&flow->side[!client].nbss);
	if (c->raw & SMB_RAW_ASKED)
		nbss_ask_raw(&flow->side[client].nbss);
	if (c->raw & (SMB_RAW_GRANTED | SMB_RAW_REFUSED))
		nbss_answer_raw(&flow->side[client].nbss, c->raw & SMB_RAW_GRANTED);
	c->raw = 0;
}

enum smb_flow_result smb_flow_feed(struct smb_flow *flow, unsigned side, const uint8_t *bytes,
	uint32_t len, smb_handler *handler, void *arg)
{
	struct smb_context c = context(flow, side, handler, arg);
	struct smb_side *s = &flow->side[side];
	struct nbss_piece piece;

	if (flow->broken)
		return SMB_FLOW_BROKEN;
	for (;;) {
		switch (nbss_next(&s->nbss, &bytes, &len, &piece)) {
		case NBSS_MORE:
			return SMB_FLOW_OK;
		case NBSS_SYNCED:
			tell_skipped(flow, &c, side, s->nbss.skipped);
			break;
		case NBSS_BEGIN:
			s->holding = !flow->oriented;
			s->n_held = 0;
			if (s->holding)
				hold(flow, &c, side, piece);
			else
				begin(flow, &c, side, &piece);
			break;
		case NBSS_DATA:
			if (s->holding)
				hold(flow, &c, side, piece);
			else
				record_data(flow, &c, side, &piece);
			break;
		case NBSS_END:
			end_record(&c, s);
			break;
		case NBSS_BAD:
			if (bad(flow, &c, side) == SMB_FLOW_BROKEN)
				return SMB_FLOW_BROKEN;
			break;
		}
		if (c.raw != 0)
			expect_raw(flow, &c);
	}
}

void smb_flow_gap(struct smb_flow *flow, unsigned side)
{
	flow->flags |= SMB_FLOW_PARTIAL;
	flow->side[side].holding = false;
	smb_walk_begin(&flow->side[side].walk, 0);
	lose(flow, side);
}

/* A packet of NetBIOS' session service that carries no message, as it may stand before the first
 * one (RFC 1002, 4.3): its type and length. 1, 0, or -1: too short to say. */
static int recognise_netbios(const uint8_t *bytes, uint32_t len)
{
	static const struct {
		uint8_t type;
		uint32_t min, max;
	} packets[] = {{0x00, 0, 0}, {0x81, 0, 512}, {0x82, 0, 0}, {0x83, 1, 1}, {0x84, 6, 6},
		{0x85, 0, 0}};
	uint32_t length;

	for (unsigned i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		if (bytes[0] != packets[i].type)
			continue;
		if (len < 4)
			return -1;
		length = (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
		return length >= packets[i].min && length <= packets[i].max;
	}
	return 0;
}

int smb_flow_recognise(const uint8_t *bytes, uint32_t len)
{
	static const uint8_t begin[NBSS_HEAD] = {0, 0, 0, 0, 0xfc, 'S', 'M', 'B'};
	static const uint8_t mask[NBSS_HEAD] = {0xff, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff};

	if (len == 0)
		return -1;
	if (recognise_netbios(bytes, len) == 1)
		return 1;
	if (len < 4 && recognise_netbios(bytes, len) < 0)
		return -1;
	for (uint32_t i = 0; i < len && i < NBSS_HEAD; i++)
		if ((bytes[i] & mask[i]) != begin[i])
			return 0;
	return len >= NBSS_HEAD ? 1 : -1;
}
