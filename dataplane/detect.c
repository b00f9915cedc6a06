#include "detect.h"

#include <string.h>

#include <rte_cycles.h>

#include "detect_feed.h"
#include "detect_record.h"
#include "detect_rules.h"
#include "detect_track.h"

void detect_flow_init(struct detect_flow *flow, const struct detect_ends *ends, unsigned flags,
	detect_passes passes)
{
	flow->ends = *ends;
	flow->passes = passes;
	flow->failed = flow->clock = 0;
	flow->unlooked = DETECT_SLICE;
	flow->is_smb = flow->bypassed = flow->doubtful_bits = false;
	flow->bits = (struct rule_flow_bits){0};
	memset(flow->side, 0, sizeof(flow->side));
	memset(flow->tracks, 0, sizeof(flow->tracks));
	smb_flow_init(&flow->smb, flags);
}

static enum rule_direction direction_of(const struct detect_flow *flow, unsigned side)
{
	return smb_flow_direction(&flow->smb, side) == SMB_TO_SERVER ? RULE_DIR_TO_SERVER
								     : RULE_DIR_TO_CLIENT;
}

void detect_feed_begin(struct detect_feed *feed, struct detect_flow *flow,
	const struct detect_context *context, unsigned side)
{
	const struct detect_ends *ends = &flow->ends;

	feed->flow = flow;
	feed->context = context;
	feed->side = side;
	feed->direction = direction_of(flow, side);
	feed->ends = (struct rule_ends){
		ends->addr[side], ends->addr[!side], ends->port[side], ends->port[!side]};
	feed->piece = NULL;
	feed->piece_len = feed->piece_offset = feed->at = 0;
	feed->steps = DETECT_STEPS;
	feed->spent = feed->stop = false;
}

void detect_tell(struct detect_feed *feed, struct detect_finding *finding)
{
	const struct detect_record *record = detect_feed_record(feed);

	finding->side = feed->side;
	finding->position = record->open ? record->position : feed->flow->side[feed->side].next;
	if (record->open && record->head) {
		finding->bytes = record->head;
		finding->len = record->kept;
	}
	if (finding->action != DETECT_ALERT)
		feed->stop = true;
	feed->context->found(feed->context->arg, finding);
}

void detect_fail(struct detect_feed *feed, enum config_failure failure)
{
	uint32_t bit = 1u << failure;
	struct detect_finding finding = {.kind = DETECT_FAILURE,
		.action = DETECT_ALERT,
		.failure = failure,
		.alert = !(feed->flow->failed & bit),
		.culprit = feed->side,
		.offset = feed->at};

	feed->flow->failed |= bit;
	if (!(feed->flow->passes & bit))
		feed->stop = true;
	detect_tell(feed, &finding);
}

void detect_spend(struct detect_feed *feed)
{
	if (feed->spent)
		return;
	feed->spent = true;
	detect_fail(feed, CONFIG_FAILURE_BUDGET);
}

static void on_detected(struct detect_feed *feed, const struct smb_event *event)
{
	static const enum detect_action actions[] = {[SMB_ACTION_alert] = DETECT_ALERT,
		[SMB_ACTION_drop] = DETECT_DROP,
		[SMB_ACTION_quarantine] = DETECT_QUARANTINE};
	struct detect_finding finding = {.kind = DETECT_INVARIANT,
		.action = event->detection.doubt == SMB_SURE
				  ? actions[smb_invariant(event->detection.what)->action]
				  : DETECT_ALERT,
		.invariant = event->detection.what,
		.alert = true,
		.culprit = feed->side,
		.offset = event->offset,
		.value = event->detection.value};

	detect_tell(feed, &finding);
}

/* What rules see of a DCERPC call; those that look at nothing else may match now. */
static void on_call(struct detect_feed *feed, const struct smb_event *event)
{
	struct detect_record *record = detect_feed_record(feed);
	struct rule_dce_call *call;
	const uint32_t *rules;
	uint32_t n;

	if (!record->engine || feed->spent)
		return;
	call = detect_record_call(record, record->n_calls);
	record->n_calls++;
	record->dce_little = !event->dce.big_endian;
	record->pipe = feed->flow->smb.side[feed->side].stream.file;
	*call = (struct rule_dce_call){.version = event->dce.version,
		.opnum = event->dce.opnum,
		.has_iface = event->dce.known,
		.has_opnum = feed->direction == RULE_DIR_TO_SERVER,
		.first_frag = event->dce.first};
	memcpy(call->uuid, event->dce.interface, sizeof(call->uuid));
	rules = detect_engine_bare(record->engine, feed->direction, true, &n);
	for (uint32_t i = 0; i < n; i++)
		detect_rules_add(feed, NULL, rules[i]);
	detect_rules_run(feed, NULL, DETECT_SO_FAR);
}

/* A worm carries addresses along from where it was made; host: in host order, 0: none is named.
 * Findings of several such make a worm of their culprit, so there must be no doubt. */
static void look_at_host(struct detect_feed *feed, uint32_t host)
{
	const uint8_t bytes[] = {
		(uint8_t)(host >> 24), (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host};
	struct addr server = feed->flow->ends.addr[!feed->side];
	bool doubtful = detect_feed_record(feed)->doubt != SMB_SURE;
	struct detect_finding finding = {
		.kind = DETECT_FOREIGN_SHARE,
		.action = DETECT_ALERT,
		.alert = true,
		.culprit = feed->side,
		.offset = feed->at,
		.value = host,
	};

	if (host != 0 && !doubtful && addr_is_ipv4(server) &&
		!addr_equal(server, addr_from_ipv4(bytes)))
		detect_tell(feed, &finding);
}

static void on_name(struct detect_feed *feed, const struct smb_event *event)
{
	enum rule_buffer buffer = RULE_SMB_NTLMSSP_USER;

	if (event->type == SMB_TREE_CONNECT) {
		look_at_host(feed, event->name.host);
		detect_record_name(feed, RULE_SMB_SHARE, event->name.text, event->name.len);
		buffer = RULE_SMB_NAMED_PIPE; /* Suricata has IPC$'s path there */
	} else if (event->type == SMB_CREATE) {
		buffer = RULE_SMB_NAMED_PIPE;
	}
	if (event->type == SMB_USER || event->name.pipe)
		detect_record_name(feed, buffer, event->name.text, event->name.len);
}

static void on_record(struct detect_feed *feed, const struct smb_event *event)
{
	uint64_t *next = &feed->flow->side[feed->side].next;

	switch (event->type) {
	case SMB_RECORD_BEGIN:
		feed->piece_len = feed->piece_offset = 0;
		feed->flow->is_smb |= event->record.type == NBSS_MESSAGE &&
				      event->record.len >= NBSS_HEAD;
		detect_record_begin(feed, event->record.len);
		detect_feed_record(feed)->doubt = (uint8_t)event->record.doubt;
		break;
	case SMB_RECORD_DATA:
		feed->piece = event->bytes.bytes;
		feed->piece_len = event->bytes.len;
		feed->piece_offset = event->offset;
		detect_record_data(feed, event->bytes.bytes, event->bytes.len);
		detect_track_piece(feed);
		break;
	case SMB_RECORD_END:
		*next += event->offset;
		detect_record_end(feed);
		break;
	default: /* SMB_RESYNC */
		*next += event->bytes.len;
		break;
	}
}

/* Where the parser stopped looking, and something could hide: stubs only if a rule looks at them.
 */
static void on_limited(struct detect_feed *feed, enum smb_limit limit)
{
	const struct detect_engine *engine = detect_feed_record(feed)->engine;
	bool stubs = engine && detect_engine_buffers(engine, feed->direction) & 1u << RULE_DCE_STUB;

	if (limit == SMB_LIMIT_COMPOUND || (limit == SMB_LIMIT_STUB && stubs))
		detect_fail(feed, CONFIG_FAILURE_BUDGET);
}

/* Bytes of a file may look like it; no connection ends for those. What was passed over before them
 * went uninspected, too. */
static void on_opaque(struct detect_feed *feed, enum config_failure failure)
{
	if (detect_feed_record(feed)->doubt != SMB_DOUBT_PLACE)
		detect_fail(feed, failure);
}

static void on_event(void *arg, const struct smb_event *event)
{
	struct detect_feed *feed = arg;

	feed->at = event->offset;
	switch (event->type) {
	case SMB_RECORD_BEGIN:
		/* The first record of all may have shown who the client is. */
		feed->direction = direction_of(feed->flow, feed->side);
		on_record(feed, event);
		break;
	case SMB_RECORD_DATA:
	case SMB_RECORD_END:
	case SMB_RESYNC:
		on_record(feed, event);
		break;
	case SMB_TREE_CONNECT:
	case SMB_CREATE:
	case SMB_USER:
		on_name(feed, event);
		break;
	case SMB_FILE_DATA:
		detect_track_file(feed, event);
		break;
	case SMB_DCE_CALL:
		on_call(feed, event);
		break;
	case SMB_DCE_STUB:
		detect_track_stub(feed, event);
		break;
	case SMB_ENCRYPTED:
		on_opaque(feed, CONFIG_FAILURE_ENCRYPTED);
		break;
	case SMB_COMPRESSED:
		on_opaque(feed, CONFIG_FAILURE_COMPRESSED);
		break;
	case SMB_DETECTED:
		on_detected(feed, event);
		break;
	case SMB_LIMITED:
		on_limited(feed, event->limit);
		break;
	default: /* SMB_MESSAGE; SMB_DCE_BIND, which its calls tell again */
		break;
	}
}

/* At most DETECT_SLICE. */
static void feed_slice(struct detect_feed *feed, const uint8_t *bytes, uint32_t len)
{
	struct detect_flow *flow = feed->flow;

	/* A packet may come in many pieces. */
	if (flow->unlooked + len > DETECT_SLICE) {
		if (!feed->spent && detect_is_late(feed->context, rte_rdtsc()))
			detect_spend(feed);
		flow->unlooked = 0;
	}
	flow->unlooked += len;
	feed->steps = DETECT_STEPS;
	if (smb_flow_feed(&flow->smb, feed->side, bytes, len, on_event, feed) == SMB_FLOW_BROKEN)
		feed->stop = true;
	if (detect_feed_record(feed)->engine)
		detect_rules_run(feed, NULL, DETECT_SO_FAR);
}

enum detect_result detect_feed(struct detect_flow *flow, const struct detect_context *context,
	unsigned side, const uint8_t *bytes, uint32_t len)
{
	struct detect_feed feed;

	detect_feed_begin(&feed, flow, context, side);
	if (!context->engine && len > 0)
		detect_fail(&feed, CONFIG_FAILURE_NO_DATABASE);
	flow->side[side].fed += len;
	while (len > 0) {
		uint32_t n = len < DETECT_SLICE ? len : DETECT_SLICE;

		feed_slice(&feed, bytes, n);
		bytes += n;
		len -= n;
	}
	detect_record_settle(&feed);
	return feed.stop ? DETECT_STOP : DETECT_GO_ON;
}

bool detect_packet_matters(const struct detect_flow *flow, const struct detect_engine *engine,
	unsigned side, const struct rule_packet *packet)
{
	return engine && detect_rules_packet_fits(engine, direction_of(flow, side), packet);
}

enum detect_result detect_packet(struct detect_flow *flow, const struct detect_context *context,
	unsigned side, const struct rule_packet *packet)
{
	struct detect_feed feed;

	flow->side[side].packet = *packet;
	flow->side[side].passed = false;
	flow->unlooked = context->begins ? 0 : DETECT_SLICE;
	if (!detect_packet_matters(flow, context->engine, side, packet))
		return DETECT_GO_ON;
	detect_feed_begin(&feed, flow, context, side);
	detect_rules_packet(&feed);
	return feed.stop ? DETECT_STOP : DETECT_GO_ON;
}

static void drop_side(struct detect_flow *flow, const struct detect_context *context, unsigned side)
{
	detect_record_drop(&flow->side[side].record, direction_of(flow, side), context);
	for (unsigned i = 0; i < DETECT_TRACKS; i++)
		if (flow->tracks[i].engine && flow->tracks[i].side == side)
			detect_track_drop(flow, i, context);
}

void detect_flow_end(struct detect_flow *flow, const struct detect_context *context)
{
	drop_side(flow, context, 0);
	drop_side(flow, context, 1);
}

void detect_gap(struct detect_flow *flow, const struct detect_context *context, unsigned side)
{
	const struct nbss *nbss = &flow->smb.side[side].nbss;

	/* What is behind the last record counts as skipped when the next one is found. */
	flow->side[side].next = flow->side[side].fed - nbss->have - nbss->skipped;
	drop_side(flow, context, side);
	flow->side[side].record.open = false;
	smb_flow_gap(&flow->smb, side);
}

bool detect_flow_is_behind(const struct detect_flow *flow, const struct detect_context *context)
{
	bool behind = false;

	for (unsigned side = 0; side < 2; side++) {
		const struct detect_engine *engine = flow->side[side].record.engine;

		behind |= engine && engine != context->engine;
	}
	for (unsigned i = 0; i < DETECT_TRACKS; i++)
		behind |= flow->tracks[i].engine && flow->tracks[i].engine != context->engine;
	return behind;
}

void detect_flow_abandon(struct detect_flow *flow, const struct detect_context *context)
{
	for (unsigned side = 0; side < 2; side++) {
		struct detect_record *record = &flow->side[side].record;

		if (record->engine && record->engine != context->engine)
			detect_record_drop(record, direction_of(flow, side), context);
	}
	for (unsigned i = 0; i < DETECT_TRACKS; i++)
		if (flow->tracks[i].engine && flow->tracks[i].engine != context->engine)
			detect_track_drop(flow, i, context);
}

bool detect_flow_bypassed(const struct detect_flow *flow)
{
	return flow->bypassed;
}

unsigned detect_flow_client(const struct detect_flow *flow)
{
	return smb_flow_direction(&flow->smb, 0) == SMB_TO_SERVER ? 0 : 1;
}

bool detect_flow_is_smb(const struct detect_flow *flow)
{
	return flow->is_smb;
}
