#include "detect_rules.h"

#include <string.h>

#include <rte_cycles.h>

#include "counters.h"
#include "detect_pending.h"
#include "detect_record.h"
#include "detect_track.h"

#define LATE_RULES                                                                                 \
	64 /* rules without data that one packet is held against between looks at the clock */
#define MATCHES 32 /* of one pass over a list that wait for a pass rule */

struct match {
	const struct rule *rule;
	uint32_t offset;
	bool alerts;
};

/* One pass over a list. */
struct run {
	struct detect_feed *feed;
	struct detect_record *record;
	struct detect_track *track; /* NULL: the record's own list */
	struct detect_engine *engine;
	const struct rule_bind *bind;
	const struct ruleset *ruleset;
	const struct rule_dce_call *calls; /* any of n_calls may fit */
	unsigned n_calls;
	enum detect_when when;
	struct rule_input input;
	unsigned n;
	struct match matches[MATCHES];
};

static void give_names(const struct detect_record *record, struct rule_input *input)
{
	static const enum rule_buffer buffers[DETECT_NAMES] = {
		RULE_SMB_SHARE, RULE_SMB_NAMED_PIPE, RULE_SMB_NTLMSSP_USER};

	for (unsigned i = 0; i < DETECT_NAMES; i++) {
		uint32_t len = record->name_len[i];

		if (len == 0)
			continue;
		input->data[buffers[i]] = (struct rule_data){
			record->names + i * (INSPECT_SMALL_SIZE / DETECT_NAMES), 0, len, len};
		input->given |= (uint8_t)(1u << buffers[i]);
	}
}

/* A stub's own call, else those of the record. */
static void give_calls(struct run *run, const struct detect_track *track)
{
	const struct detect_record *record = run->record;
	bool stub = track && track->buffer == RULE_DCE_STUB && track->has_call;

	if (stub && (run->track || record->n_calls == 0)) {
		run->calls = &track->call;
		run->n_calls = 1;
		run->input.dce_little = track->dce_little;
	} else {
		run->calls = record->calls;
		run->n_calls = record->n_calls < DETECT_CALLS ? record->n_calls : DETECT_CALLS;
		run->input.dce_little = record->dce_little;
	}
}

static bool calls_fit(const struct run *run, const struct rule *rule)
{
	for (unsigned i = 0; i < run->n_calls; i++)
		if (rule_packet_calls(rule, &run->calls[i]))
			return true;
	return run->n_calls == 0 && rule_packet_calls(rule, NULL);
}

/* All buffers that are there; what is not may come, until the record or track is over. */
static void give_input(struct run *run)
{
	const struct detect_record *record = run->record;
	const struct detect_track *track = run->track;
	struct rule_input *input = &run->input;

	*input = (struct rule_input){0};
	if (!track && record->track >= 0)
		track = &run->feed->flow->tracks[record->track];
	detect_record_input(record, input);
	if (record->names)
		give_names(record, input);
	if (track) {
		input->data[track->buffer] = detect_track_window(track, run->when != DETECT_SO_FAR);
		input->given |= (uint8_t)(1u << track->buffer);
	}
	give_calls(run, track);
	if (run->when == DETECT_SO_FAR)
		input->expected = (uint8_t)~input->given;
}

static void begin(struct run *run, struct detect_feed *feed, struct detect_track *track,
	enum detect_when when)
{
	run->feed = feed;
	run->record = detect_feed_record(feed);
	run->track = track;
	run->engine = track ? track->engine : run->record->engine;
	run->bind = track ? track->bind : run->record->bind;
	run->ruleset = rule_db_ruleset(detect_engine_db(run->engine));
	run->when = when;
	run->n = 0;
	give_input(run);
}

/* Every item, and what that cost. */
static enum rule_result match_items(struct run *run, const struct rule *rule, uint32_t *end)
{
	struct rule_scratch *scratch = detect_engine_scratch(run->engine);
	struct detect_cost *cost = detect_engine_cost(run->engine, rule->index);
	struct detect_feed *feed = run->feed;
	int64_t steps = feed->steps < DETECT_RULE_STEPS ? feed->steps : DETECT_RULE_STEPS;
	uint64_t begun = rte_rdtsc(), ended;
	enum rule_result result;

	scratch->budget = steps;
	result = rule_match(rule, &run->input, detect_engine_pcres(run->engine), scratch, end);
	ended = rte_rdtsc();
	feed->steps -= steps - scratch->budget;
	counter_add(&cost->checks, 1);
	counter_add(&cost->cycles, ended - begun);
	if (result == RULE_FAILED)
		detect_fail(feed, CONFIG_FAILURE_ENGINE);
	if (feed->steps <= 0 || detect_is_late(feed->context, ended))
		detect_spend(feed);
	else if (result == RULE_OVER) /* this rule's, or a limit of its pcre */
		detect_fail(feed, CONFIG_FAILURE_BUDGET);
	return result;
}

/* A record is both the stream's data and its packets'. */
static bool packet_fits(
	const struct rule *rule, const struct rule_packet *given, enum rule_direction direction)
{
	struct rule_packet packet = *given;

	packet.in_stream = !(rule->flow & RULE_NO_STREAM);
	packet.to_server = direction == RULE_DIR_TO_SERVER;
	return rule_packet_fits(rule, &packet);
}

/* Header, packet, call and bits: RULE_NO where it never fits this record. */
static enum rule_result fits(const struct run *run, const struct rule *rule)
{
	const struct detect_context *context = run->feed->context;
	const struct detect_flow *flow = run->feed->flow;

	if (rule_bind_disabled(run->bind, rule) ||
		!rule_bind_fits(run->bind, rule, &run->feed->ends))
		return RULE_NO;
	if (!packet_fits(rule, &flow->side[run->feed->side].packet, run->feed->direction) ||
		!calls_fit(run, rule) ||
		!rule_bits_allow(rule, &flow->bits, context->xbits, run->feed->ends.src,
			run->feed->ends.dst, context->now_s))
		return RULE_WAIT;
	return RULE_YES;
}

static bool asks_for_bits(const struct rule *rule)
{
	for (unsigned i = 0; i < rule->n_bits; i++)
		if (rule->bits[i].command == RULE_BIT_ISSET ||
			rule->bits[i].command == RULE_BIT_ISNOTSET)
			return true;
	return false;
}

/* Whether it is not sure that who sent the record said what the rule looks for: smb_event.h. */
static bool is_doubtful(const struct run *run, const struct rule *rule)
{
	bool content = rule->buffers & 1u << RULE_FILE_DATA;

	if (run->feed->flow->doubtful_bits && asks_for_bits(rule))
		return true;
	return run->record->doubt != SMB_SURE && !(run->record->doubt == SMB_DOUBT_RAW && content);
}

static enum detect_action action_of(const struct run *run, const struct rule *rule)
{
	if (is_doubtful(run, rule))
		return DETECT_ALERT;
	if (rule_bind_quarantines(run->bind, rule))
		return DETECT_QUARANTINE;
	switch (rule_bind_action(run->bind, rule)) {
	case RULE_DROP:
		return DETECT_DROP;
	case RULE_REJECT:
		return DETECT_REJECT;
	default:
		return DETECT_ALERT;
	}
}

/* Who did it: the one who is not the target, else who opened the connection. */
static unsigned culprit_of(const struct detect_feed *feed, const struct rule *rule)
{
	if (rule->target == RULE_TARGET_DST)
		return feed->side;
	if (rule->target == RULE_TARGET_SRC)
		return !feed->side;
	return smb_flow_direction(&feed->flow->smb, 0) == SMB_TO_SERVER ? 0 : 1;
}

static void act(struct run *run)
{
	for (unsigned i = 0; i < run->n; i++) {
		const struct match *match = &run->matches[i];
		const struct rule *rule = match->rule;
		struct detect_finding finding = {.kind = DETECT_RULE,
			.action = action_of(run, rule),
			.rule = rule,
			.alert = match->alerts,
			.file_content = rule->buffers & 1u << RULE_FILE_DATA,
			.culprit = culprit_of(run->feed, rule),
			.offset = match->offset};

		if (match->alerts)
			counter_add(&detect_engine_cost(run->engine, rule->index)->alerts, 1);
		run->feed->flow->bypassed |= rule->bypass;
		if (match->alerts || finding.action != DETECT_ALERT)
			detect_tell(run->feed, &finding);
	}
	run->n = 0;
}

/* Whether the rule has been told of in this record; from now on it has, as far as there is room. */
static bool told(struct detect_record *record, uint32_t rule)
{
	struct detect_pending *list = &record->pending;
	unsigned at = detect_pending_place(list, rule);

	if (detect_pending_has(list, at, rule) && list->waiting[at].done)
		return true;
	if (list->n < DETECT_PENDING)
		detect_pending_insert(list, at, rule, true);
	return false;
}

/* What a doubtful record leaves behind stays in its connection, and is as doubtful. */
static void apply_bits(struct run *run, const struct rule *rule)
{
	const struct detect_context *context = run->feed->context;
	const struct rule_ends *ends = &run->feed->ends;
	struct detect_flow *flow = run->feed->flow;
	bool doubtful = is_doubtful(run, rule);

	flow->doubtful_bits |= doubtful && rule->n_bits > 0;
	rule_bits_apply(rule, &flow->bits, doubtful ? NULL : context->xbits, ends->src, ends->dst,
		context->now_s);
}

/* It matched: counts, bits, and what it asks for, once it is sure that no pass rule forbids it. */
static void note(struct run *run, const struct rule *rule, uint32_t end)
{
	const struct detect_context *context = run->feed->context;
	const struct rule_ends *ends = &run->feed->ends;
	struct rule_count_verdict verdict = rule_count(
		context->counts, rule, ends->src, ends->dst, context->flow, context->now_s);
	bool in_record = rule->n_items > 0 && rule->items[rule->n_items - 1].buffer == RULE_RECORD;

	counter_add(&detect_engine_cost(run->engine, rule->index)->matches, 1);
	if (!verdict.matches)
		return;
	apply_bits(run, rule);
	if (rule_bind_action(run->bind, rule) == RULE_PASS) {
		run->record->passed = true;
		run->feed->flow->bypassed |= rule->bypass;
		run->n = 0;
		return;
	}
	if (run->n == MATCHES)
		act(run);
	if (run->track && told(run->record, rule->index))
		verdict.alerts = false;
	run->matches[run->n++] = (struct match){rule, in_record ? end : run->feed->at,
		verdict.alerts && !rule->noalert && !rule_bind_suppressed(run->bind, rule, ends)};
}

static enum rule_result evaluate(struct run *run, uint32_t index)
{
	const struct rule *rule = ruleset_rule(run->ruleset, index);
	enum rule_result result = fits(run, rule);
	uint32_t end = 0;

	if (result == RULE_YES && rule_has_items(rule))
		result = match_items(run, rule, &end);
	if (result == RULE_YES)
		note(run, rule, end);
	return result;
}

static struct detect_pending *list_of(const struct detect_feed *feed, struct detect_track *track)
{
	return track ? &track->pending : &detect_feed_record(feed)->pending;
}

static bool is_passed(const struct detect_feed *feed)
{
	return feed->flow->side[feed->side].passed || detect_feed_record(feed)->passed;
}

/* Evaluates what may have changed. */
static enum rule_result look_at(struct run *run, struct detect_waiting *waiting)
{
	enum rule_buffer buffer = run->track ? run->track->buffer : RULE_RECORD;
	const struct rule *rule = ruleset_rule(run->ruleset, waiting->rule);
	int64_t *steps = &run->feed->steps;
	enum rule_result result;

	if (waiting->done || is_passed(run->feed) || run->feed->spent)
		return RULE_WAIT;
	if (detect_pending_blocked(waiting, rule, buffer, &run->input, steps))
		return run->when == DETECT_SO_FAR ? RULE_WAIT : RULE_NO;
	result = evaluate(run, waiting->rule);
	if (result == RULE_WAIT && waiting->blocker == 0)
		detect_pending_block(waiting, rule, buffer, &run->input, steps);
	return result;
}

void detect_rules_run(struct detect_feed *feed, struct detect_track *track, enum detect_when when)
{
	struct detect_pending *list = list_of(feed, track);
	struct run run;
	uint16_t kept = 0;

	if (list->n == 0 || feed->spent)
		return;
	begin(&run, feed, track, when);
	for (unsigned i = 0; i < list->n; i++) {
		struct detect_waiting waiting = list->waiting[i];
		enum rule_result result = look_at(&run, &waiting);

		waiting.done |= result == RULE_YES;
		if (result == RULE_YES || result == RULE_WAIT ||
			(result == RULE_NO && when == DETECT_PAUSE))
			list->waiting[kept++] = waiting;
	}
	list->n = kept;
	act(&run);
}

void detect_rules_try(struct detect_feed *feed, struct detect_track *track, uint32_t rule)
{
	struct run run;

	if (feed->spent || is_passed(feed))
		return;
	begin(&run, feed, track, DETECT_FINAL);
	evaluate(&run, rule);
	act(&run);
}

void detect_rules_add(struct detect_feed *feed, struct detect_track *track, uint32_t index)
{
	struct detect_pending *list = list_of(feed, track);
	struct detect_record *record = detect_feed_record(feed);
	struct detect_engine *engine = track ? track->engine : record->engine;
	const struct rule_bind *bind = track ? track->bind : record->bind;
	const struct rule *rule = ruleset_rule(rule_db_ruleset(detect_engine_db(engine)), index);
	unsigned at = detect_pending_place(list, index);

	if (detect_pending_has(list, at, index) || rule_bind_disabled(bind, rule) ||
		!rule_bind_fits(bind, rule, &feed->ends))
		return;
	if (list->n == DETECT_PENDING) {
		detect_rules_run(feed, track, DETECT_SO_FAR);
		at = detect_pending_place(list, index);
	}
	if (list->n == DETECT_PENDING) {
		detect_rules_try(feed, track, index);
		detect_fail(feed, CONFIG_FAILURE_BUDGET);
		return;
	}
	detect_pending_insert(list, at, index, false);
}

void detect_rules_add_hits(struct detect_feed *feed, struct detect_track *track,
	enum rule_buffer buffer, const struct rule_hits *hits)
{
	struct detect_engine *engine = track ? track->engine : detect_feed_record(feed)->engine;

	for (uint32_t i = 0; i < hits->n; i++) {
		uint32_t n;
		const uint32_t *rules = rule_db_rules(detect_engine_db(engine), feed->direction,
			buffer, hits->hits[i].pattern, &n);

		for (uint32_t k = 0; k < n; k++)
			detect_rules_add(feed, track, rules[k]);
	}
	if (hits->lost > 0)
		detect_fail(feed, CONFIG_FAILURE_BUDGET);
}

void detect_rules_merge(
	struct detect_feed *feed, struct detect_track *track, const struct detect_pending *before)
{
	struct detect_pending *list = &track->pending;
	const struct ruleset *ruleset = rule_db_ruleset(detect_engine_db(track->engine));

	for (unsigned i = 0; i < before->n; i++) {
		uint32_t rule = before->waiting[i].rule;
		bool done = before->waiting[i].done;
		bool searched = ruleset_rule(ruleset, rule)->fast != RULE_NO_FAST;
		unsigned at = detect_pending_place(list, rule);

		if (detect_pending_has(list, at, rule))
			list->waiting[at].done = done;
		else if ((!done || !searched) && list->n < DETECT_PENDING)
			detect_pending_insert(list, at, rule, done);
		else if (!done)
			detect_fail(feed, CONFIG_FAILURE_BUDGET);
	}
}

bool detect_rules_packet_fits(const struct detect_engine *engine, enum rule_direction direction,
	const struct rule_packet *packet)
{
	const struct ruleset *ruleset = rule_db_ruleset(detect_engine_db(engine));
	uint32_t n;
	const uint32_t *rules = detect_engine_bare(engine, direction, false, &n);

	for (uint32_t i = 0; i < n; i++)
		if (packet_fits(ruleset_rule(ruleset, rules[i]), packet, direction))
			return true;
	return false;
}

void detect_rules_packet(struct detect_feed *feed)
{
	struct detect_engine *engine = feed->context->engine;
	struct detect_record none = {.track = -1};
	struct run run = {.feed = feed,
		.record = &none,
		.engine = engine,
		.bind = feed->context->bind,
		.ruleset = rule_db_ruleset(detect_engine_db(engine)),
		.when = DETECT_FINAL};
	uint32_t n;
	const uint32_t *rules = detect_engine_bare(engine, feed->direction, false, &n);

	for (uint32_t i = 0; i < n && !none.passed && !feed->spent; i++) {
		evaluate(&run, rules[i]);
		if (i % LATE_RULES == LATE_RULES - 1 && detect_is_late(feed->context, rte_rdtsc()))
			detect_spend(feed);
	}
	feed->flow->side[feed->side].passed = none.passed;
	act(&run);
}
