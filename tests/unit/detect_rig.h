/*
 * Rules, a connection, and what detect finds in what smb_rig.h has it sent, whole or cut. Each feed
 * is an exact heap block. Include behind cmocka.h.
 */
#ifndef VS_DETECT_RIG_H
#define VS_DETECT_RIG_H

#include "detect.h"
#include "inspect_blocks.h"
#include "rule_rig.h"
#include "smb2_rig.h"

#define FOUND_MAX 256

struct found {
	struct detect_finding finding;
	uint32_t sid; /* of a rule */
	uint32_t sent; /* bytes of all sends up to and with the feed that found it */
	unsigned send; /* number of the send */
};

struct rules_rig {
	struct ruleset *ruleset;
	struct rule_db *db;
	struct rule_bind *bind;
	struct detect_engine *engine;
};

static struct found found[FOUND_MAX];
static unsigned n_found;
static struct inspect_account account;
static struct detect_flow *conn;
static struct detect_context context;
static uint32_t sent_so_far, stopped_at; /* bytes; UINT32_MAX: it was not stopped */
static unsigned now_sending;
static bool bypassed, recognised; /* at the end */
static detect_passes passes_with;
static unsigned flags_with;
static bool by_sid; /* stories tell rules in the order of their sids, not of their matches */

/* Before each send; NULL: nothing. */
static void (*before_send)(unsigned n);

static void on_found(void *arg, const struct detect_finding *finding)
{
	uint32_t sum = 0;

	(void)arg;
	for (uint32_t i = 0; i < finding->len; i++)
		sum += finding->bytes[i]; /* they are there: ASan looks */
	assert_true(sum < UINT32_MAX);
	assert_true(n_found < FOUND_MAX);
	found[n_found].finding = *finding;
	found[n_found].sid = finding->rule ? finding->rule->sid : 0;
	found[n_found].sent = sent_so_far;
	found[n_found++].send = now_sending;
}

static inline struct rules_rig rules_up(
	const char *text, const struct rule_override *overrides, unsigned n)
{
	struct rules_rig rig = {0};
	struct rule_report report;
	struct rule_vars *vars = rule_vars_create();
	char reason[256] = "";
	unsigned unknown;

	rig.ruleset = rig_load(text, &report);
	if (!rig.ruleset)
		rule_report_print(&report, stdout);
	rule_report_free(&report);
	assert_non_null(rig.ruleset);
	rig.db = rule_compile(rig.ruleset, NULL, reason, sizeof(reason));
	assert_non_null(rig.db);
	rig.bind = rule_bind_create(
		rig.ruleset, vars, overrides, n, &unknown, reason, sizeof(reason));
	if (!rig.bind)
		fail_msg("%s", reason);
	rule_vars_free(vars);
	rig.engine = detect_engine_create(rig.db);
	assert_non_null(rig.engine);
	return rig;
}

static inline void rules_down(struct rules_rig *rig)
{
	assert_int_equal(detect_engine_flows(rig->engine), 0);
	detect_engine_free(rig->engine);
	rule_bind_free(rig->bind);
	rule_db_free(rig->db);
	ruleset_free(rig->ruleset);
}

static inline void detect_use(const struct rules_rig *rig)
{
	context.engine = rig ? rig->engine : NULL;
	context.bind = rig ? rig->bind : NULL;
}

/* With memory for n blocks of each size. */
static inline void detect_up(uint32_t n)
{
	uint32_t counts[INSPECT_BLOCKS] = {0, n, n, 1};

	account = (struct inspect_account){.max = UINT64_MAX};
	context = (struct detect_context){.memory = inspect_memory_create(counts, sizeof(*conn)),
		.account = &account,
		.xbits = rule_xbits_create(256),
		.counts = rule_counts_create(256),
		.now_s = 1000,
		.flow = 7,
		.found = on_found};
	assert_true(context.memory && context.xbits && context.counts);
	passes_with = flags_with = 0;
	before_send = NULL;
	by_sid = false;
	rig_reset(NULL);
}

static inline void detect_down(void)
{
	assert_int_equal(account.used, 0);
	inspect_memory_free(context.memory);
	rule_xbits_free(context.xbits);
	rule_counts_free(context.counts);
}

static inline struct detect_ends detect_rig_ends(void)
{
	return (struct detect_ends){
		{addr_from_ipv4("\x0a\0\0\1"), addr_from_ipv4("\x0a\0\0\2")}, {50000, 445}};
}

static inline void detect_open(void)
{
	struct detect_ends ends = detect_rig_ends();

	n_found = 0;
	sent_so_far = 0;
	stopped_at = UINT32_MAX;
	conn = malloc(sizeof(*conn));
	memset(conn, 0xa5, sizeof(*conn));
	detect_flow_init(conn, &ends, flags_with, passes_with);
}

static inline void detect_close(void)
{
	bypassed = detect_flow_bypassed(conn);
	recognised = detect_flow_is_smb(conn);
	detect_flow_end(conn, &context);
	free(conn);
	conn = NULL;
	if (context.engine)
		assert_int_equal(detect_engine_flows(context.engine), 0);
	assert_int_equal(account.used, 0);
}

static inline enum detect_result detect_segment(unsigned side, const uint8_t *bytes, uint32_t len)
{
	struct rule_packet packet = {.established = true, .flags = 0x18, .size = len};
	uint8_t *exact = malloc(len > 0 ? len : 1);
	enum detect_result r;

	packet.to_server = side == 0;
	memcpy(exact, bytes, len);
	sent_so_far += len;
	r = detect_packet(conn, &context, side, &packet);
	if (detect_feed(conn, &context, side, exact, len) == DETECT_STOP)
		r = DETECT_STOP;
	free(exact);
	if (r == DETECT_STOP && stopped_at == UINT32_MAX)
		stopped_at = sent_so_far;
	return r;
}

/* All that was sent, in pieces of at most cut bytes (0: as sent; seed: of random length). */
static inline void detect_run(uint32_t cut, unsigned *seed)
{
	detect_open();
	for (unsigned i = 0; i < n_sends; i++) {
		now_sending = i;
		if (before_send)
			before_send(i);
		if (sends[i].side >= 2)
			detect_gap(conn, &context, sends[i].side - 2);
		for (uint32_t done = 0; done < sends[i].len;) {
			uint32_t n = sends[i].len - done;

			if (seed)
				cut = 1 + (uint32_t)rand_r(seed) % 97;
			if (cut > 0 && n > cut)
				n = cut;
			detect_segment(sends[i].side, talk + sends[i].from + done, n);
			done += n;
		}
	}
	detect_close();
}

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->sid < y->sid ? -1 : x->sid > y->sid;
}

/* Sids and names of what was found, in order: "1 2 drop:3 quarantine:I1 failure:budget" */
static inline const char *detect_story(void)
{
	static const char *const actions[] = {"", "drop:", "reject:", "quarantine:"};
	static const char *const failures[CONFIG_FAILURES] = {"midstream", "encrypted",
		"compressed", "memory", "budget", "engine", "no_database"};
	static char story[4096];
	size_t at = 0;

	story[0] = 0;
	if (by_sid)
		qsort(found, n_found, sizeof(*found), compare_found);
	for (unsigned i = 0; i < n_found; i++) {
		const struct detect_finding *f = &found[i].finding;
		char what[64];

		if (f->kind == DETECT_RULE)
			snprintf(what, sizeof(what), "%s%u%s", actions[f->action], found[i].sid,
				f->alert ? "" : "(quiet)");
		else if (f->kind == DETECT_INVARIANT)
			snprintf(what, sizeof(what), "%s%s", actions[f->action],
				smb_invariant(f->invariant)->id);
		else
			snprintf(what, sizeof(what), "failure:%s%s", failures[f->failure],
				f->alert ? "" : "(again)");
		at += (size_t)snprintf(story + at, sizeof(story) - at, "%s%s", at ? " " : "", what);
	}
	return story;
}

/* However it is cut, the same is found. */
static inline void detect_run_all(const char *expected)
{
	static const uint32_t cuts[] = {0, 1, 2, 3, 7, 64, 1448};
	unsigned seed = 1;

	for (unsigned i = 0; i < sizeof(cuts) / sizeof(cuts[0]) + 3; i++) {
		bool random = i >= sizeof(cuts) / sizeof(cuts[0]);

		detect_run(random ? 0 : cuts[i], random ? &seed : NULL);
		if (strcmp(detect_story(), expected) != 0)
			fail_msg("cut %u: '%s' instead of '%s'", random ? 9999 : cuts[i],
				detect_story(), expected);
	}
}

#endif
