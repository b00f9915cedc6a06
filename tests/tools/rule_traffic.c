/*
 * rule_traffic RULES-FILE CAPTURE: harmless SMB sessions for every rule of the file, as a capture.
 *
 * For each rule that can be solved: its record by itself (hit), with one byte changed (miss), cut
 * into segments in several ways (cut-*), and in a segment with others before and behind it
 * (behind, before). Rules that wait for flow bits get the records that set them first. Prints a
 * line a session: client's address, kind, sid; and a line a rule that could not be solved:
 * "unsolved SID reason".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule_bind.h"
#include "rule_packet.h"
#include "rule_compile.h"
#include "traffic/call.h"
#include "traffic/session.h"
#include "traffic/solve.h"

#define CLIENTS   0x0a000100u /* 10.0.1.0 and on: one a session */
#define SERVERS   0xac100100u /* 172.16.1.0 and on */
#define CHAIN     (CALL_RECORDS + 8) /* records that set bits, before the one that asks */
#define REPEATS   100
#define BYTEWISE  400 /* records up to so long are also cut into single bytes */
#define SEVERAL   3 /* other records beside it in one segment */
#define OTHER_LEN 48

struct step {
	const struct rule *rule;
	bool to_server;
	struct solution record;
};

/* What leads a rule to match: the records before it, and its own last. */
struct plan {
	struct step steps[CHAIN];
	unsigned n;
	uint16_t port;
	unsigned times; /* that the last must come */
};

static struct {
	struct ruleset *ruleset;
	struct rule_db *db;
	struct rule_vars *vars;
	struct rule_bind *bind;
	struct solve_with with;
	struct session_file *file;
	unsigned sessions;
} traffic;

static const char no_service[] = "its ports or addresses fit no SMB service";

/* Where a client's and a server's packets fit the rule's header and flow. */
static bool goes(const struct rule *rule, uint16_t port, bool to_server)
{
	uint8_t client[] = {10, 0, 1, 0}, server[] = {172, 16, 1, 0};
	struct rule_ends ends = {addr_from_ipv4(client), addr_from_ipv4(server), 50000, port};
	struct rule_ends back = {ends.dst, ends.src, port, 50000};
	struct rule_packet packet = {.to_server = to_server,
		.established = true,
		.in_stream = true,
		.flags = 0x18,
		.size = rule_range_given(&rule->dsize) ? rule->dsize.low : 100};

	return rule_packet_fits(rule, &packet) &&
	       rule_bind_fits(traffic.bind, rule, to_server ? &ends : &back);
}

static const char *plan_rule(struct plan *plan, const struct rule *rule, unsigned depth);

static bool sets(const struct rule *rule, uint16_t name)
{
	for (unsigned i = 0; i < rule->n_bits; i++)
		for (unsigned k = 0; k < rule->bits[i].n; k++)
			if (rule->bits[i].command == RULE_BIT_SET && rule->bits[i].names[k] == name)
				return true;
	return false;
}

/* A rule that sets one of the bits, and before it what that rule waits for. */
static bool plan_setter(struct plan *plan, const struct rule_bit *bit, unsigned depth)
{
	unsigned before = plan->n;

	for (unsigned k = 0; k < bit->n; k++)
		for (uint32_t r = 0; r < ruleset_count(traffic.ruleset); r++) {
			const struct rule *setter = ruleset_rule(traffic.ruleset, r);

			if (!sets(setter, bit->names[k]))
				continue;
			if (plan_rule(plan, setter, depth + 1) == NULL)
				return true;
			plan->n = before;
		}
	return false;
}

static const char *plan_record(struct plan *plan, const struct rule *rule)
{
	struct step *step = &plan->steps[plan->n];
	const char *why = no_service;

	for (unsigned side = 0; side < 2; side++) {
		if (!goes(rule, plan->port, side == 0))
			continue;
		step->rule = rule;
		step->to_server = side == 0;
		why = solve(rule, side == 0, &traffic.with, &step->record);
		if (why == NULL) {
			plan->n++;
			return NULL;
		}
	}
	return why;
}

/* The interface and the first operation that the rule names; any where it names none. */
static const char *plan_call(struct plan *plan, const struct rule *rule)
{
	static struct call_record records[CALL_RECORDS];
	const struct rule_range *version = &rule->dce_iface.version;

	if (rule_has_items(rule))
		return "looks at data of DCERPC calls";
	if (!goes(rule, plan->port, true))
		return no_service;
	call_make(rule->dce_iface.uuid,
		(uint16_t)(rule_range_given(version) && !version->negated ? version->low : 2),
		(uint16_t)(rule->n_opnums > 0 ? rule->opnums[0].low : 1), records);
	for (unsigned i = 0; i < CALL_RECORDS; i++) {
		struct step *step = &plan->steps[plan->n++];

		step->rule = rule;
		step->to_server = records[i].to_server;
		step->record = records[i].record;
	}
	return NULL;
}

static const char *plan_rule(struct plan *plan, const struct rule *rule, unsigned depth)
{
	if (depth + CALL_RECORDS >= CHAIN || plan->n + CALL_RECORDS >= CHAIN)
		return "waits for too long a chain of flow bits";
	for (unsigned i = 0; i < rule->n_bits; i++) {
		if (rule->bits[i].scope != RULE_BIT_FLOW)
			return "looks at xbits";
		if (rule->bits[i].command == RULE_BIT_ISSET &&
			!plan_setter(plan, &rule->bits[i], depth))
			return "no rule that can be solved sets the flow bit that it waits for";
	}
	return rule->dce_iface.given || rule->n_opnums > 0 ? plan_call(plan, rule)
							   : plan_record(plan, rule);
}

static const char *make_plan(struct plan *plan, const struct rule *rule)
{
	static const uint16_t ports[] = {445, 139};
	const char *why = no_service;

	for (unsigned i = 0; i < 2; i++) {
		const char *other;

		plan->n = 0;
		plan->port = ports[i];
		plan->times = 1;
		if (rule->threshold.type == RULE_THRESHOLD_THRESHOLD ||
			rule->threshold.type == RULE_THRESHOLD_BOTH)
			plan->times = rule->threshold.count;
		if (rule->filter.type == RULE_THRESHOLD_FILTER)
			plan->times = rule->filter.count + 1;
		if (plan->times > REPEATS)
			return "must match too often to alert";
		other = plan_rule(plan, rule, 0);
		if (other == NULL)
			return NULL;
		if (other != no_service)
			why = other;
	}
	return why;
}

static struct session session_new(uint16_t port)
{
	unsigned n = traffic.sessions++;

	return (struct session){.file = traffic.file,
		.client = CLIENTS + n,
		.server = SERVERS + n,
		.client_port = (uint16_t)(40000 + n % 20000),
		.server_port = port};
}

static void say(const struct session *s, const char *kind, const struct rule *rule)
{
	printf("%u.%u.%u.%u %s %u\n", s->client >> 24, s->client >> 16 & 255, s->client >> 8 & 255,
		s->client & 255, kind, rule->sid);
}

/* An SMB1 echo, which no rule is about. */
static uint32_t put_other(uint8_t *out, bool to_server)
{
	static const uint8_t begin[] = {0, 0, 0, OTHER_LEN - 4, 0xff, 'S', 'M', 'B', 0x2b};

	memset(out, 0, OTHER_LEN);
	memcpy(out, begin, sizeof(begin));
	out[13] = to_server ? 0 : 0x80;
	out[36] = 1;
	out[37] = 1;
	out[39] = OTHER_LEN - 41;
	return OTHER_LEN;
}

/* The session up to the last record, which is the caller's to send plan->times times. */
static struct session prepared(const struct plan *plan, const char *kind)
{
	struct session s = session_new(plan->port);
	uint8_t echo[OTHER_LEN];

	say(&s, kind, plan->steps[plan->n - 1].rule);
	session_begin(&s);
	if (!plan->steps[0].to_server) /* no server speaks first */
		session_send(&s, 0, echo, put_other(echo, true));
	for (unsigned i = 0; i + 1 < plan->n; i++)
		session_send(&s, !plan->steps[i].to_server, plan->steps[i].record.bytes,
			plan->steps[i].record.len);
	return s;
}

/* In pieces that end at the cuts, which rise within the record. */
static void send_cut(const struct plan *plan, const char *kind, const uint32_t *cuts, unsigned n)
{
	const struct step *last = &plan->steps[plan->n - 1];
	struct session s = prepared(plan, kind);

	for (unsigned t = 0; t < plan->times; t++) {
		uint32_t from = 0;

		for (unsigned i = 0; i <= n; i++) {
			uint32_t to = i < n ? cuts[i] : last->record.len;

			if (to <= from || to > last->record.len)
				continue;
			session_send(&s, !last->to_server, last->record.bytes + from, to - from);
			from = to;
		}
	}
	session_end(&s);
}

static void send_bytewise(const struct plan *plan)
{
	const struct step *last = &plan->steps[plan->n - 1];
	struct session s = prepared(plan, "cut-bytes");

	for (unsigned t = 0; t < plan->times; t++)
		for (uint32_t i = 0; i < last->record.len; i++)
			session_send(&s, !last->to_server, last->record.bytes + i, 1);
	session_end(&s);
}

static void send_miss(const struct plan *plan)
{
	const struct step *last = &plan->steps[plan->n - 1];
	uint8_t bytes[SOLVE_MAX];

	memcpy(bytes, last->record.bytes, last->record.len);
	for (uint32_t i = 0; i < last->record.n; i++) {
		uint32_t at = last->record.at + i;
		struct session s;

		if (at < 8) /* it would be no record any more */
			continue;
		bytes[at] ^= 1;
		if (!rule_has_items(last->rule) ||
			!solve_holds(last->rule, &traffic.with, bytes, last->record.len)) {
			s = prepared(plan, "miss");
			for (unsigned t = 0; t < plan->times; t++)
				session_send(&s, !last->to_server, bytes, last->record.len);
			session_end(&s);
			return;
		}
		bytes[at] ^= 1;
	}
}

/* Others and the record in one segment. */
static void send_among(const struct plan *plan, const char *kind, unsigned before, unsigned behind)
{
	static uint8_t bytes[SOLVE_MAX + 2 * SEVERAL * OTHER_LEN];
	const struct step *last = &plan->steps[plan->n - 1];
	struct session s = prepared(plan, kind);
	uint32_t n = 0;

	for (unsigned i = 0; i < before; i++)
		n += put_other(bytes + n, last->to_server);
	memcpy(bytes + n, last->record.bytes, last->record.len);
	n += last->record.len;
	for (unsigned i = 0; i < behind; i++)
		n += put_other(bytes + n, last->to_server);
	for (unsigned t = 0; t < plan->times; t++)
		session_send(&s, !last->to_server, bytes, n);
	session_end(&s);
}

static void send_all(const struct plan *plan)
{
	const struct solution *record = &plan->steps[plan->n - 1].record;
	uint32_t inside = record->at + record->n / 2;
	uint32_t all[] = {2, 4, 6, record->len / 2, record->len - 1};

	send_cut(plan, "hit", NULL, 0);
	send_miss(plan);
	send_cut(plan, "cut-length", (uint32_t[]){2}, 1);
	send_cut(plan, "cut-header", (uint32_t[]){4}, 1);
	send_cut(plan, "cut-magic", (uint32_t[]){6}, 1);
	if (record->n > 1)
		send_cut(plan, "cut-content", &inside, 1);
	send_cut(plan, "cut-last", (uint32_t[]){record->len - 1}, 1);
	send_cut(plan, "cut-often", all, sizeof(all) / sizeof(all[0]));
	if (record->len * plan->times <= BYTEWISE)
		send_bytewise(plan);
	send_among(plan, "behind", SEVERAL, 0);
	send_among(plan, "before", 0, SEVERAL);
}

static bool load(const char *path)
{
	struct ruleset_source source = {.name = path};
	struct ruleset_options options = {0};
	struct rule_report report;
	unsigned unknown;
	char why[512];

	rule_report_init(&report);
	traffic.ruleset = ruleset_load(&source, 1, &options, &report);
	if (traffic.ruleset == NULL)
		rule_report_print(&report, stderr);
	rule_report_free(&report);
	if (traffic.ruleset == NULL)
		return false;
	traffic.db = rule_compile(traffic.ruleset, NULL, why, sizeof(why));
	traffic.vars = rule_vars_create();
	traffic.bind = rule_bind_create(
		traffic.ruleset, traffic.vars, NULL, 0, &unknown, why, sizeof(why));
	if (traffic.db == NULL || traffic.bind == NULL) {
		fprintf(stderr, "%s: %s\n", path, why);
		return false;
	}
	traffic.with.scratch = rule_db_scratch(traffic.db);
	traffic.with.pcres = rule_db_pcres(traffic.db);
	return traffic.with.scratch != NULL;
}

static void unload(void)
{
	rule_scratch_free(traffic.with.scratch);
	rule_bind_free(traffic.bind);
	rule_vars_free(traffic.vars);
	rule_db_free(traffic.db);
	ruleset_free(traffic.ruleset);
}

int main(int argc, char **argv)
{
	static struct plan plan;

	if (argc != 3) {
		fprintf(stderr, "usage: rule_traffic RULES-FILE CAPTURE\n");
		return 2;
	}
	if (!load(argv[1]))
		return 1;
	traffic.file = session_file_open(argv[2]);
	if (traffic.file == NULL) {
		fprintf(stderr, "%s cannot be written\n", argv[2]);
		return 1;
	}
	for (uint32_t r = 0; r < ruleset_count(traffic.ruleset); r++) {
		const struct rule *rule = ruleset_rule(traffic.ruleset, r);
		const char *why = rule->noalert ? NULL : make_plan(&plan, rule);

		if (why != NULL)
			printf("unsolved %u %s\n", rule->sid, why);
		else if (!rule->noalert)
			send_all(&plan);
	}
	unload();
	if (session_file_close(traffic.file))
		return 0;
	fprintf(stderr, "%s could not be written in full\n", argv[2]);
	return 1;
}
