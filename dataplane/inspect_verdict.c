/* What comes of what was found: dropped or only told, who is cut off, what the operator hears. */
#include <stdio.h>
#include <string.h>

#include <rte_mbuf.h>

#include "inspect_state.h"
#include "rule_compile.h"
#include "ruleset.h"

#define EVIDENCE_MAX 65536u /* bytes of a record that stand before the packet at hand */

/* Of a failure: the reason to drop for it. */
static const enum drop_reason failure_reasons[CONFIG_FAILURES] = {
	[CONFIG_FAILURE_MIDSTREAM] = DROP_inspect_midstream,
	[CONFIG_FAILURE_ENCRYPTED] = DROP_inspect_encrypted,
	[CONFIG_FAILURE_COMPRESSED] = DROP_inspect_compressed,
	[CONFIG_FAILURE_MEMORY] = DROP_inspect_memory,
	[CONFIG_FAILURE_BUDGET] = DROP_inspect_budget,
	[CONFIG_FAILURE_ENGINE] = DROP_inspect_engine,
	[CONFIG_FAILURE_NO_DATABASE] = DROP_inspect_no_database,
};

static const char *const failure_texts[CONFIG_FAILURES] = {
	[CONFIG_FAILURE_MIDSTREAM] = "the connection's beginning was not seen",
	[CONFIG_FAILURE_ENCRYPTED] = "SMB is encrypted: its content can't be inspected",
	[CONFIG_FAILURE_COMPRESSED] = "SMB is compressed: its content can't be inspected",
	[CONFIG_FAILURE_MEMORY] = "no memory left to inspect the connection",
	[CONFIG_FAILURE_BUDGET] = "inspection takes more work than allowed",
	[CONFIG_FAILURE_ENGINE] = "the matcher failed",
	[CONFIG_FAILURE_NO_DATABASE] = "the tenant's rules are not compiled yet",
};

static const char *const failure_ids[CONFIG_FAILURES] = {
	[CONFIG_FAILURE_MIDSTREAM] = "midstream",
	[CONFIG_FAILURE_ENCRYPTED] = "encrypted",
	[CONFIG_FAILURE_COMPRESSED] = "compressed",
	[CONFIG_FAILURE_MEMORY] = "memory",
	[CONFIG_FAILURE_BUDGET] = "budget",
	[CONFIG_FAILURE_ENGINE] = "engine",
	[CONFIG_FAILURE_NO_DATABASE] = "no-database",
};

const char *inspect_failure_name(enum config_failure failure)
{
	return failure_ids[failure];
}

static const char *const stream_texts[STREAM_VERDICTS] = {
	[STREAM_DIFFERS] = "TCP segment overlaps what was sent before, with other bytes",
	[STREAM_URGENT] = "TCP urgent data: receivers do not agree on what it is",
	[STREAM_INVALID] = "TCP segment that does not belong into its stream",
};

static const int stream_reasons[STREAM_VERDICTS] = {
	[STREAM_DIFFERS] = DROP_stream_differs,
	[STREAM_AHEAD] = DROP_stream_ahead,
	[STREAM_WINDOW_FULL] = DROP_stream_window,
	[STREAM_URGENT] = DROP_stream_urgent,
	[STREAM_INVALID] = DROP_stream_invalid,
};

/* What every record about x says. culprit: side of the flow. */
static struct inspect_record record_of(
	const struct inspection *x, enum inspect_tells what, unsigned culprit)
{
	const struct conn *conn = x->conn;
	struct inspect_record record = {
		.what = (uint8_t)what,
		.key = conn->key,
		.opener = (uint8_t)inspect_opener(conn),
		.sender = x->packet->view.sender,
		.culprit = (uint8_t)inspect_key_side(conn, culprit),
		.port = {conn->port[0], conn->port[1]},
		.smb = x->flow != NULL && !x->flow->probing && detect_flow_is_smb(&x->flow->detect),
		.when = x->w->now,
	};

	for (unsigned i = 0; i < 2; i++) {
		const struct port *port = x->w->snapshot->ports[conn->port[i]];

		record.serial[i] = port != NULL ? port->serial : 0;
	}
	return record;
}

static void set_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text != NULL ? text : "");
}

/* A copy of n bytes as a chain of buffers; NULL: none are left. */
static struct rte_mbuf *copy_bytes(const uint8_t *bytes, uint32_t n)
{
	struct rte_mbuf *head = NULL;

	while (n > 0) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);
		uint16_t len;

		if (m == NULL)
			break;
		len = (uint16_t)RTE_MIN(n, rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_append(m, len), bytes, len);
		bytes += len;
		n -= len;
		if (head == NULL) {
			head = m;
		} else if (rte_pktmbuf_chain(head, m) != 0) {
			rte_pktmbuf_free(m);
			break;
		}
	}
	return head;
}

static void add_evidence(const struct inspection *x, const struct detect_finding *finding,
	struct inspect_record *record)
{
	uint64_t before = x->fed > finding->position ? x->fed - finding->position : 0;
	uint32_t len = (uint32_t)RTE_MIN(before, (uint64_t)finding->len);

	record->packet = rte_pktmbuf_copy(x->packet->m, port_env.pool, 0, UINT32_MAX);
	if (finding->side == x->side && finding->bytes != NULL && len > 0)
		record->before = copy_bytes(finding->bytes, RTE_MIN(len, EVIDENCE_MAX));
}

static void put(const struct inspection *x, struct inspect_record *record)
{
	if (record->dropped)
		record->reason = (uint8_t)x->reason;
	inspect_log_put(x->inspect->log, record);
}

static bool wants(const struct inspection *x, const struct inspect_record *record)
{
	if (!x->inspect->timed)
		return true; /* a replay tells all */
	return inspect_log_wants(x->inspect->log, record->port[record->culprit],
		record->quarantined, x->w->now, x->w->hz);
}

bool inspect_failed(struct inspection *x, enum config_failure failure)
{
	bool passes = !x->profile->prevent || x->profile->on[failure] != CONFIG_ON_DROP;
	struct inspect_record record;

	counter_add(&x->inspect->stats.failures[failure], 1);
	if (!passes)
		x->reason = (int)failure_reasons[failure];
	if (x->flow != NULL) {
		if (x->flow->failures & 1u << failure)
			return passes;
		x->flow->failures |= 1u << failure;
	}
	record = record_of(x, INSPECT_TELLS_FAILURE, 0);
	record.action = passes ? DETECT_ALERT : DETECT_DROP;
	record.dropped = !passes;
	set_text(record.id, sizeof(record.id), failure_ids[failure]);
	set_text(record.text, sizeof(record.text), failure_texts[failure]);
	if (wants(x, &record))
		put(x, &record);
	return passes;
}

static void tell_evasion(struct inspection *x, const char *id, const char *text)
{
	struct inspect_record record = record_of(x, INSPECT_TELLS_EVASION, x->side);

	counter_add(&x->inspect->stats.evasions, 1);
	record.action = DETECT_DROP;
	record.dropped = x->profile->prevent;
	set_text(record.id, sizeof(record.id), id);
	set_text(record.text, sizeof(record.text), text);
	if (wants(x, &record))
		put(x, &record);
}

void inspect_stream_verdict(struct inspection *x, enum stream_verdict verdict)
{
	if (verdict == STREAM_STOPPED)
		return; /* the handler has said why */
	if (verdict == STREAM_MEMORY) {
		if (inspect_failed(x, CONFIG_FAILURE_MEMORY))
			x->flow->passed = true;
		return;
	}
	if (x->profile->prevent)
		x->reason = stream_reasons[verdict];
	if (stream_texts[verdict] == NULL)
		return; /* a matter of patience, not of malice */
	tell_evasion(x, stream_verdict_name(verdict), stream_texts[verdict]);
}

void inspect_bad_checksum(struct inspection *x)
{
	if (x->profile->prevent)
		x->reason = DROP_stream_checksum;
	tell_evasion(x, "checksum", "TCP segment with a wrong checksum, which no receiver takes");
}

/* At which level port is to be cut off; FLOW or NONE: not at all. */
static enum config_quarantine_level level_for(const struct inspect_profile *profile,
	const struct port *port, bool server, bool file_content)
{
	enum config_quarantine_level level = (enum config_quarantine_level)profile->level;

	if (!profile->prevent || port == NULL || port->inspect_exempt)
		return CONFIG_QUARANTINE_NONE;
	if (file_content && level > CONFIG_QUARANTINE_FLOW)
		return CONFIG_QUARANTINE_FLOW; /* who moves it need not be ill */
	if (server && profile->exempt_servers && level > CONFIG_QUARANTINE_SERVICE)
		return CONFIG_QUARANTINE_SERVICE;
	return level;
}

static bool is_exempt(const struct inspect_profile *profile, struct addr addr)
{
	for (unsigned i = 0; i < profile->n_exempt; i++) {
		struct addr_span span = profile->exempt[i];

		/* As numbers, spans of IPv6 have the IPv4 addresses in them. */
		if (addr_is_ipv4(addr) == addr_is_ipv4(span.first) && addr_in(addr, span))
			return true;
	}
	return false;
}

/*
 * Who sends from an address of another host is as the uplink shows him: that host's switch holds
 * its guests to their own addresses, but another one may not. So nobody is cut off for what could
 * have been sent in his name by one who does not hear what is sent to him: the connection's opening
 * was seen in both directions, and the address has acknowledged what only its owner was sent.
 */
static bool is_proven(const struct inspection *x, unsigned culprit)
{
	return x->conn->flags & CONN_FIRST && !(x->conn->flags & CONN_PICKED_UP) &&
	       !x->flow->partial && x->flow->heard & 1u << culprit;
}

/* Cuts the address off that is the record's culprit, behind an uplink. */
static void cut_off_remote(struct inspection *x, enum config_quarantine_level level,
	unsigned culprit, struct inspect_record *record)
{
	struct addr addr = record->key.addr[record->culprit];
	struct inspect_stats *stats = &x->inspect->stats;

	if (level < CONFIG_QUARANTINE_SERVICE || is_exempt(x->profile, addr))
		return;
	if (!is_proven(x, culprit)) {
		record->where = INSPECT_REMOTE_UNPROVEN;
		counter_add(&stats->remote_unproven, 1);
		return;
	}
	switch (quarantine_remote_raise(x->from->network, addr, level)) {
	case QUARANTINE_REMOTE_NEW:
		counter_add(&stats->quarantines, 1);
		record->quarantined = true;
		record->level = (uint8_t)level;
		record->quarantine_s = x->profile->quarantine_s;
		break;
	case QUARANTINE_REMOTE_FULL:
		record->where = INSPECT_REMOTE_FULL;
		counter_add(&stats->remote_full, 1);
		break;
	case QUARANTINE_REMOTE_STANDS:
		break;
	}
}

/* Cuts port off. True where it is by this that it is. */
static bool cut_off(struct inspect *inspect, const struct inspect_profile *profile,
	const struct port *port, enum config_quarantine_level level, struct inspect_record *record)
{
	if (level < CONFIG_QUARANTINE_SERVICE || !quarantine_gate_raise(port->id, level))
		return false;
	counter_add(&inspect->stats.quarantines, 1);
	record->quarantined = true;
	record->level = (uint8_t)level;
	record->quarantine_s = profile->quarantine_s;
	return true;
}

/* What the tenant's classification.config says of the rule's class; its name where nothing does. */
static const char *category_of(const struct inspection *x, const struct rule *rule)
{
	const struct rule_db *db = detect_engine_db(x->context.engine);
	const char *text = ruleset_class_text(rule_db_ruleset(db), rule->classtype);

	return text[0] != '\0' ? text : rule->classtype;
}

static void describe(const struct inspection *x, const struct detect_finding *finding,
	struct inspect_record *record)
{
	record->offset = finding->offset;
	record->position = finding->position;
	record->value = finding->value;
	if (finding->kind == DETECT_RULE) {
		const struct rule *rule = finding->rule;

		record->gid = rule->gid;
		record->sid = rule->sid;
		record->rev = rule->rev;
		record->priority = rule->priority;
		set_text(record->text, sizeof(record->text), rule->msg);
		set_text(record->category, sizeof(record->category), category_of(x, rule));
	} else if (finding->kind == DETECT_FOREIGN_SHARE) {
		uint32_t host = (uint32_t)finding->value;

		set_text(record->id, sizeof(record->id), "foreign-share");
		snprintf(record->text, sizeof(record->text),
			"tree connect names host %u.%u.%u.%u, which is not where it goes: a worm "
			"carries addresses along",
			host >> 24, host >> 16 & 255, host >> 8 & 255, host & 255);
	} else {
		set_text(record->id, sizeof(record->id), smb_invariant(finding->invariant)->id);
		set_text(record->text, sizeof(record->text),
			smb_invariant(finding->invariant)->text);
	}
}

/* Findings on connections to several hosts mark a worm. */
static void count_finding(struct inspection *x, const struct detect_finding *finding,
	const struct inspect_record *record)
{
	const struct port *culprit = x->w->snapshot->ports[record->port[record->culprit]];

	if (culprit == NULL || finding->file_content ||
		(finding->action < DETECT_DROP && finding->kind != DETECT_FOREIGN_SHARE))
		return;
	inspect_fanout_post(x->w, culprit, FANOUT_DETECTED, x->conn->key.addr[!record->culprit]);
}

void inspect_found(void *arg, const struct detect_finding *finding)
{
	static const enum inspect_tells tells[] = {
		[DETECT_RULE] = INSPECT_TELLS_RULE,
		[DETECT_INVARIANT] = INSPECT_TELLS_INVARIANT,
		[DETECT_FOREIGN_SHARE] = INSPECT_TELLS_FOREIGN_SHARE,
	};
	struct inspection *x = arg;
	enum config_quarantine_level level;
	struct inspect_record record;
	const struct port *culprit;

	if (finding->kind == DETECT_FAILURE) {
		if (finding->failure != CONFIG_FAILURE_NO_DATABASE || x->profile->revision == 0)
			(void)inspect_failed(x, finding->failure);
		return;
	}
	counter_add(&x->inspect->stats.alerts, finding->alert);
	x->flow->alerted = true;
	record = record_of(x, tells[finding->kind], finding->culprit);
	culprit = x->w->snapshot->ports[record.port[record.culprit]];
	record.action = (uint8_t)finding->action;
	record.dropped = finding->action >= DETECT_DROP && x->profile->prevent;
	if (record.dropped)
		x->reason = DROP_inspect_found;
	if (culprit != NULL && culprit->remote)
		record.where = INSPECT_REMOTE;
	if (finding->action == DETECT_QUARANTINE) {
		level = level_for(x->profile, culprit,
			finding->culprit != detect_flow_client(&x->flow->detect),
			finding->file_content);
		if (record.where == INSPECT_REMOTE)
			cut_off_remote(x, level, finding->culprit, &record);
		else
			cut_off(x->inspect, x->profile, culprit, level, &record);
	}
	count_finding(x, finding, &record);
	if ((!finding->alert && !record.quarantined) || !wants(x, &record))
		return;
	describe(x, finding, &record);
	if (record.quarantined)
		add_evidence(x, finding, &record);
	put(x, &record);
}

void inspect_fanout_verdict(
	struct inspect *inspect, const struct port *port, enum fanout_state state)
{
	const struct inspect_profile *profile = port->inspect;
	struct fanout_counts counts;
	struct inspect_record record = {
		.what = INSPECT_TELLS_FANOUT,
		.action = state == FANOUT_WORM ? DETECT_QUARANTINE : DETECT_ALERT,
		.key.network = port->network,
		.port = {port->id, NO_PORT},
		.serial = {port->serial, 0},
		.when = inspect->w->now,
	};

	fanout_counts(inspect->fanout, port->id, &counts);
	if (state == FANOUT_WORM)
		record.dropped = cut_off(
			inspect, profile, port, level_for(profile, port, false, false), &record);
	if (!inspect_log_wants(
		    inspect->log, port->id, record.quarantined, inspect->w->now, inspect->w->hz))
		return;
	set_text(record.id, sizeof(record.id), "fan-out");
	snprintf(record.text, sizeof(record.text),
		"tries many hosts at inspected services: %u hosts, %u of them failed, %u attempts, "
		"findings on %u",
		counts.hosts, counts.failed_hosts, counts.attempts, counts.detected_hosts);
	inspect_log_put(inspect->log, &record);
}

void inspect_tell_flow(struct inspect *inspect, const struct inspect_flow *flow,
	const struct conn *conn, const char *reason)
{
	struct flow_record record = {
		.key = conn->key,
		.opener = (uint8_t)inspect_opener(conn),
		.state = conn->state,
		.verdict = flow->ended     ? FLOW_REJECTED
			   : flow->dropped ? FLOW_DROPPED
					   : FLOW_PASSED,
		.alerted = flow->alerted,
		.partial = flow->partial,
		.port = {conn->port[0], conn->port[1]},
		.since = flow->since,
		.until = flow->last,
	};

	set_text(record.reason, sizeof(record.reason), reason);
	for (unsigned i = 0; i < 2; i++) {
		const struct port *port = inspect->w->snapshot != NULL
						  ? inspect->w->snapshot->ports[conn->port[i]]
						  : NULL;
		unsigned side = inspect_key_side(conn, i);

		record.serial[i] = port != NULL ? port->serial : 0;
		record.packets[side] = flow->packets[i];
		record.bytes[side] = flow->bytes[i];
	}
	flow_log_put(inspect->flow_log, &record, inspect->w->now, inspect->w->hz);
}
