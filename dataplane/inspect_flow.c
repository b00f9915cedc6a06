/*
 * Connections under inspection: who may have how many, their segments put in order and looked at
 * within what work they may cause, and their end. Which ones they are: inspect_which.c. Its worker.
 */
#include <netinet/in.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_tcp.h>

#include "inspect_segment.h"
#include "inspect_state.h"

#define STRAYS_MAX  4 /* segments from before a flow that was taken over, until that ends */
#define MUCH_US     500 /* more than that for one packet is looked into */
#define METER_DEPTH 50 /* a meter is over when 1/50 s of its share is used up at once */

static void give_block(struct inspect *inspect, struct inspect_flow *flow)
{
	inspect->flows[flow->slot] = NULL;
	inspect->free[inspect->n_free++] = flow->slot;
	inspect->n_flows--;
	inspect->of_port[flow->port]--;
	inspect->of_tenant[flow->tenant]--;
	inspect_give(inspect->memory, &inspect->accounts[flow->tenant], INSPECT_FLOW, flow);
}

/* Nobody takes all slots from the others. In a replay a port stands for many. */
static bool has_share(const struct inspection *x, uint16_t port)
{
	const struct inspect *inspect = x->inspect;
	uint32_t quarter = inspect->max_flows / 4;

	return !inspect->timed ||
	       (inspect->of_port[port] < quarter &&
		       inspect->of_tenant[x->profile->tenant] < inspect->max_flows - quarter);
}

bool inspect_make_flow(struct inspection *x, bool partial)
{
	struct inspect *inspect = x->inspect;
	struct inspect_account *account = &inspect->accounts[x->profile->tenant];
	uint16_t port = x->conn->port[inspect_opener(x->conn)];
	struct inspect_flow *flow;

	account->max = x->profile->memory / x->w->snapshot->networks[x->from->network]->n_workers;
	if (inspect->n_free == 0 || !has_share(x, port))
		return false;
	flow = inspect_take(inspect->memory, account, INSPECT_FLOW);
	if (flow == NULL)
		return false;
	memset(flow, 0, offsetof(struct inspect_flow, detect));
	flow->slot = inspect->free[--inspect->n_free];
	flow->conn = conn_table_index(x->w->firewall->table, x->conn);
	flow->tenant = x->profile->tenant;
	flow->port = port;
	flow->partial = partial;
	flow->since = flow->last = x->w->now;
	inspect->flows[flow->slot] = flow;
	inspect->n_flows++;
	inspect->of_port[port]++;
	inspect->of_tenant[flow->tenant]++;
	counter_add(&inspect->stats.flows, 1);
	x->conn->inspected = flow->slot + 1;
	x->flow = flow;
	stream_init(&flow->stream, partial);
	return true;
}

/* What the tenant lets pass uninspected. A packet is looked at only where the tenant has its rules,
 * or wants none. */
static detect_passes passes_of(const struct inspect_profile *profile)
{
	return profile->prevent ? profile->passes | 1u << CONFIG_FAILURE_NO_DATABASE : UINT32_MAX;
}

void inspect_begin_detect(struct inspection *x)
{
	struct inspect_flow *flow = x->flow;
	const struct conn *conn = x->conn;
	struct detect_ends ends;
	unsigned flags = flow->partial ? SMB_FLOW_PARTIAL : 0;

	for (unsigned side = 0; side < 2; side++) {
		ends.addr[side] = conn->key.addr[inspect_key_side(conn, side)];
		ends.port[side] = conn->key.port[inspect_key_side(conn, side)];
		if (ends.port[side] == 139)
			flags |= SMB_FLOW_NETBIOS;
	}
	detect_flow_init(&flow->detect, &ends, flags, passes_of(x->profile));
	flow->probing = false;
}

void inspect_flow_end(struct inspect *inspect, struct inspect_flow *flow, const char *reason)
{
	struct inspect_account *account = &inspect->accounts[flow->tenant];
	const struct detect_context context = {.memory = inspect->memory, .account = account};
	struct conn *conn = conn_table_at(inspect->w->firewall->table, flow->conn);

	if (!flow->probing || flow->alerted)
		inspect_tell_flow(inspect, flow, conn, reason);
	stream_end(&flow->stream, inspect->memory, account);
	if (!flow->probing)
		detect_flow_end(&flow->detect, &context);
	conn->inspected = 0;
	give_block(inspect, flow);
}

void inspect_conn_ended(void *arg, const struct conn *conn, enum conn_end end)
{
	static const char *const reasons[] = {
		[CONN_END_TIMEOUT] = "timeout",
		[CONN_END_PUSHED_OUT] = "pushed_out",
		[CONN_END_PORT] = "port",
		[CONN_END_CLOSED] = "removed",
	};
	struct inspect *inspect = arg;

	inspect_flow_end(inspect, inspect->flows[conn->inspected - 1],
		conn->state == CONN_TCP_CLOSED ? "closed" : reasons[end]);
}

/* detect_context.extended */
static bool extended(void *arg)
{
	struct inspection *x = arg;

	if (!inspect_clock_was_away(&x->inspect->clock))
		return false;
	x->context.deadline = rte_rdtsc() + x->profile->packet_cycles;
	return true;
}

/*
 * There is work to do for the packet: from here on it has a context, and its time counts. A mere
 * acknowledgement mostly makes none.
 */
static void begin_work(struct inspection *x)
{
	const struct inspect_profile *profile = x->profile;
	struct inspect *inspect = x->inspect;

	if (x->start != 0)
		return;
	x->start = rte_rdtsc();
	x->context = (struct detect_context){
		.engine = profile->engines[x->w->index],
		.bind = profile->bind,
		.memory = inspect->memory,
		.account = &inspect->accounts[profile->tenant],
		.xbits = inspect->xbits,
		.counts = inspect->counts,
		.now_s = x->w->now / x->w->hz,
		.flow = (uint64_t)x->conn->generation << 32 | x->flow->conn,
		.deadline = inspect->timed ? x->start + profile->packet_cycles : 0,
		.begins = true,
		.extended = extended,
		.found = inspect_found,
		.arg = x,
	};
	if (!x->flow->probing)
		detect_flow_let_pass(&x->flow->detect, passes_of(profile));
}

static bool feed(struct inspection *x, unsigned side, const uint8_t *bytes, uint32_t len)
{
	enum detect_result result = detect_feed(&x->flow->detect, &x->context, side, bytes, len);

	if (result == DETECT_GO_ON || !x->profile->prevent)
		return true;
	x->ends = true;
	return false;
}

/* The first bytes of a connection on a port that is no service. */
static bool probe(struct inspection *x, unsigned side, const uint8_t *bytes, uint32_t len)
{
	struct inspect_flow *flow = x->flow;
	uint32_t n = RTE_MIN(INSPECT_PROBE - flow->n_probe, len);
	int smb;

	if (side != flow->prober)
		return true;
	memcpy(flow->probe + flow->n_probe, bytes, n);
	flow->n_probe += (uint8_t)n;
	smb = smb_flow_recognise(flow->probe, flow->n_probe);
	if (smb < 0)
		return true;
	if (smb == 0) {
		flow->n_probe = INSPECT_PROBE + 1; /* settled when the segment is through */
		return true;
	}
	inspect_begin_detect(x);
	if (stream_bytes(&flow->stream, !side) > 0)
		detect_gap(&flow->detect, &x->context, !side);
	return feed(x, side, flow->probe, flow->n_probe) &&
	       (n == len || feed(x, side, bytes + n, len - n));
}

static bool on_data(void *arg, unsigned side, const uint8_t *bytes, uint32_t len)
{
	struct inspection *x = arg;

	begin_work(x);
	if (unlikely(x->flow->probing))
		return x->flow->n_probe > INSPECT_PROBE || probe(x, side, bytes, len);
	return feed(x, side, bytes, len);
}

static void on_gap(void *arg, unsigned side, uint32_t len)
{
	struct inspection *x = arg;

	begin_work(x);
	x->flow->partial = true;
	if (!x->flow->probing)
		detect_gap(&x->flow->detect, &x->context, side);
}

/* Whether somebody has used up his share of the worker. */
static bool is_over(struct inspect *inspect, struct inspect_meter *meter, uint32_t percent)
{
	uint64_t now = inspect->w->now, share = inspect->w->hz / 100 * percent;
	uint64_t fallen = (now - meter->when) * percent / 100;

	meter->level = meter->level > fallen ? meter->level - fallen : 0;
	meter->when = now;
	return percent < 100 && meter->level > share / METER_DEPTH;
}

/* Cycles that it took, or what a packet may take where the worker was away meanwhile. */
static uint64_t work_of(struct inspection *x)
{
	uint64_t spent = rte_rdtsc() - x->start, much = x->w->hz / 1000000 * MUCH_US;

	if (likely(spent < much) || !x->inspect->timed ||
		!inspect_clock_was_away(&x->inspect->clock))
		return spent;
	return much;
}

static void look_at_packet(struct inspection *x, const struct stream_segment *s)
{
	struct rule_packet facts = {
		.to_server = x->side == 0,
		/* Also where one side has closed already: the other still may send. */
		.established = x->conn->state >= CONN_TCP_ESTABLISHED ||
			       (x->conn->flags & CONN_PICKED_UP),
		.flags = s->flags,
		.size = s->len,
	};

	if (x->flow->probing)
		return;
	if (x->start == 0) {
		if (detect_packet_matters(
			    &x->flow->detect, x->profile->engines[x->w->index], x->side, &facts))
			begin_work(x);
		else
			x->context = (struct detect_context){0};
	}
	if (detect_packet(&x->flow->detect, &x->context, x->side, &facts) == DETECT_STOP &&
		x->profile->prevent)
		x->ends = true;
}

/*
 * Whether the sender hears what is sent to its address: it acknowledges a number that only who was
 * sent it can know, the first of the other side's bytes or one of those behind it.
 */
static void note_heard(struct inspection *x, const struct stream_segment *s)
{
	uint32_t first = x->conn->first[!x->packet->view.sender];

	if (x->conn->flags & CONN_FIRST && s->flags & RTE_TCP_ACK_FLAG &&
		s->ack - first <= stream_bytes(&x->flow->stream, !x->side))
		x->flow->heard |= (uint8_t)(1u << x->side);
}

static void look_at_stream(struct inspection *x, const struct stream_segment *s)
{
	static const struct stream_handler handler = {on_data, on_gap};
	struct inspect_flow *flow = x->flow;
	enum stream_verdict verdict;

	if (unlikely(x->from->remote))
		note_heard(x, s);
	x->fed = stream_bytes(&flow->stream, x->side);
	flow->last = x->w->now;
	flow->packets[x->side]++;
	flow->bytes[x->side] += s->len;
	counter_add(&x->inspect->stats.segments, 1);
	counter_add(&x->inspect->stats.bytes, s->len);
	if (!x->ends)
		look_at_packet(x, s);
	if (x->ends)
		return;
	verdict = stream_segment(&flow->stream, x->inspect->memory,
		&x->inspect->accounts[flow->tenant], x->side, s, &handler, x);
	if (unlikely(verdict != STREAM_PASS)) {
		inspect_stream_verdict(x, verdict);
		/* Bytes that were lost when it was taken over will be sent for ever. */
		if (verdict == STREAM_INVALID && flow->partial && ++flow->strays >= STRAYS_MAX)
			x->ends = x->profile->prevent;
	} else if (x->profile->prevent) {
		inspect_window_bound(x);
	}
}

/* The connection ends here, where x says so. */
static void conclude(struct inspection *x)
{
	if (x->ends) {
		if (x->reason < 0)
			x->reason = DROP_inspect_found;
		counter_add(&x->inspect->stats.ended, 1);
		inspect_reset_both(x);
		if (x->flow != NULL) {
			x->flow->ended = true;
			inspect_flow_end(x->inspect, x->flow, "found");
		}
		firewall_end(x->w, x->conn);
		return;
	}
	if (x->flow != NULL)
		x->flow->dropped |= x->reason >= 0;
	if (x->flow == NULL)
		return;
	if (x->flow->passed || (!x->flow->probing && detect_flow_bypassed(&x->flow->detect)))
		inspect_settle(x);
	else if (x->flow->n_probe > INSPECT_PROBE)
		inspect_not_smb(x, inspect_key_side(x->conn, x->flow->prober));
}

/* Whether the segment may be looked at now; where not, the policy has been asked. */
static bool is_ready(struct inspection *x, struct inspect_meter *port, struct inspect_meter *tenant)
{
	if (x->profile->revision == 0) {
		(void)inspect_failed(x, CONFIG_FAILURE_NO_DATABASE);
		return false;
	}
	if (!x->inspect->timed || (!is_over(x->inspect, port, x->profile->port_percent) &&
					  !is_over(x->inspect, tenant, x->profile->tenant_percent)))
		return true;
	if (inspect_failed(x, CONFIG_FAILURE_BUDGET))
		inspect_settle(x);
	return false;
}

static void look(struct inspection *x, const struct stream_segment *s)
{
	/* Whoever answers: the work is the opener's wish. */
	struct inspect_meter *port = &x->inspect->ports[x->flow->port];
	struct inspect_meter *tenant = &x->inspect->tenants[x->profile->tenant];

	if (s->len > 0 && !is_ready(x, port, tenant)) {
		if (x->flow != NULL)
			x->flow->dropped |= x->reason >= 0;
		return;
	}
	if (s->len > 0)
		begin_work(x);
	look_at_stream(x, s);
	if (x->start != 0) {
		uint64_t spent = work_of(x);

		port->level += spent;
		tenant->level += spent;
	}
	conclude(x);
}

/* SMB on whatever port, from or to a guest that is cut off from it. */
static bool is_cut_off(const struct inspection *x)
{
	return inspect_gate_concerns(x->from, x->to) && x->flow != NULL && !x->flow->probing &&
	       detect_flow_is_smb(&x->flow->detect) &&
	       inspect_gate_level(x->from, x->to, x->packet) >= CONFIG_QUARANTINE_SERVICE;
}

/* What is not settled yet, or under inspection. */
static int inspect(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet, uint32_t epoch)
{
	struct inspection x; /* without context: that is much to be zeroed for every packet */
	enum stream_verdict verdict = STREAM_PASS;
	struct segment segment;

	x.w = w;
	x.inspect = w->inspect;
	x.profile = from->inspect;
	x.from = from;
	x.to = to;
	x.packet = packet;
	x.conn = packet->conn;
	x.flow = NULL;
	x.side = packet->view.sender ^ inspect_opener(x.conn);
	x.epoch = epoch;
	x.fed = x.start = 0;
	x.reason = -1;
	x.ends = false;
	if (!segment_read(packet, &segment))
		return x.profile->prevent ? (int)DROP_stream_invalid : -1;
	if (x.conn->inspected == 0)
		verdict = inspect_note(&x, &segment.s);
	if (unlikely(verdict != STREAM_PASS)) {
		inspect_stream_verdict(&x, verdict);
		return x.reason;
	}
	inspect_fanout_segment(&x);
	if (x.conn->inspected != 0)
		x.flow = x.inspect->flows[x.conn->inspected - 1];
	else if (segment.s.len == 0 || x.conn->settled == x.epoch)
		return inspect_gate(from, to, packet);
	if (segment.s.len > 0 && !segment_checksum_holds(packet, !x.inspect->timed)) {
		inspect_bad_checksum(&x);
		return x.reason;
	}
	if (x.flow == NULL)
		inspect_begin(&x, &segment.s);
	else if (is_cut_off(&x))
		return inspect_gate_drop(from, to, packet);
	if (x.flow != NULL)
		look(&x, &segment.s);
	else if (x.ends)
		conclude(&x);
	/* What was only told of may have been the last that was needed to cut somebody off. */
	if (x.reason < 0)
		x.reason = is_cut_off(&x) ? inspect_gate_drop(from, to, packet)
					  : inspect_gate(from, to, packet);
	return x.reason;
}

int inspect_packet(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet)
{
	uint32_t epoch = inspect_settled(from, to);

	if (likely(packet->conn->key.proto != IPPROTO_TCP || packet->conn->settled == epoch))
		return -1;
	return inspect(w, from, to, packet, epoch);
}
