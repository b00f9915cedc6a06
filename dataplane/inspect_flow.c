/* Connections under inspection: which ones, their bytes in order, and their end. */
#include <netinet/in.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "inspect_state.h"

#define PIECES_MAX  128 /* of one segment: 64 KiB in buffers of 2 KiB are 33, in fragments 64 */
#define METER_DEPTH 50 /* a meter is over when 1/50 s of its share is used up at once */

/* A segment as it came: what stream.h wants, and the memory for its pieces. */
struct segment {
	struct stream_segment s;
	struct stream_piece pieces[PIECES_MAX];
};

static const struct rte_tcp_hdr *tcp_of(const struct firewall_packet *packet)
{
	return rte_pktmbuf_mtod_offset(packet->m, const struct rte_tcp_hdr *, packet->p->l4_off);
}

/* Adds len bytes of m from off on. False where it is in too many pieces. */
static bool add_pieces(
	struct segment *segment, const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	for (; m != NULL && len > 0; m = m->next) {
		uint32_t n;

		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		n = RTE_MIN(m->data_len - off, len);
		if (segment->s.n_pieces == PIECES_MAX)
			return false;
		segment->pieces[segment->s.n_pieces++] = (struct stream_piece){
			rte_pktmbuf_mtod_offset(m, const uint8_t *, off), n};
		segment->s.len += n;
		len -= n;
		off = 0;
	}
	return len == 0;
}

/* Bytes of TCP from its header on in the first frame, and where they begin in the others. */
static bool add_fragments(struct segment *segment, const struct firewall_packet *packet)
{
	for (unsigned i = 1; i < packet->n_frames; i++) {
		struct packet p;
		struct packet_fragment f;

		if (packet_parse(packet->frames[i], &p) >= 0 || !(p.flags & PACKET_FRAGMENT))
			return false;
		packet_fragment(packet->frames[i], &p, &f);
		if (!add_pieces(segment, packet->frames[i], p.l3_off + f.header, f.len))
			return false;
	}
	return true;
}

static bool read_segment(const struct firewall_packet *packet, struct segment *segment)
{
	const struct packet *p = packet->p;
	const struct rte_tcp_hdr *tcp = tcp_of(packet);
	uint32_t end = p->l3_off + p->l3_len;

	segment->s = (struct stream_segment){
		.seq = rte_be_to_cpu_32(tcp->sent_seq),
		.ack = rte_be_to_cpu_32(tcp->recv_ack),
		.flags = p->tcp_flags,
		.urgent = rte_be_to_cpu_16(tcp->tcp_urp),
		.pieces = segment->pieces,
	};
	if (end > p->payload_off &&
		!add_pieces(segment, packet->m, p->payload_off, end - p->payload_off))
		return false;
	return packet->frames == NULL || add_fragments(segment, packet);
}

/*
 * Whether its checksum is right, as far as the sender has made one: a receiver drops what has a
 * wrong one, so it must not stand in the stream. open_ended: also where it is the pseudo-header's
 * alone, as in a capture taken before the sender's NIC completed it.
 */
static bool checksum_holds(const struct firewall_packet *packet, bool open_ended)
{
	const struct packet *p = packet->p;
	const struct rte_mbuf *m = packet->m;
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_off);
	uint32_t header = p->l4_off - p->l3_off, sum;
	uint32_t len = p->l3_off + p->l3_len - p->l4_off;
	bool ipv6 = p->flags & PACKET_IPV6;
	uint16_t pseudo, made = tcp_of(packet)->cksum;

	if (m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG))
		return true; /* left open: completed where it is delivered */
	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	if (packet->frames != NULL)
		return true; /* over several frames: the overlap rule holds for what gets dropped */
	pseudo = checksum_pseudo(ip, header, ipv6, IPPROTO_TCP, len);
	/* For a segment to be cut later, without its length. */
	if (open_ended &&
		(made == pseudo || made == checksum_pseudo(ip, header, ipv6, IPPROTO_TCP, 0)))
		return true;
	sum = pseudo + checksum_sum(m, p->l4_off, len);
	return (uint16_t)((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

static bool is_service(const struct inspect_profile *profile, const struct conn *conn)
{
	for (unsigned i = 0; i < profile->n_services; i++)
		if (conn->key.port[0] == profile->services[i] ||
			conn->key.port[1] == profile->services[i])
			return true;
	return false;
}

static void give_block(struct inspect *inspect, struct inspect_flow *flow)
{
	inspect->flows[flow->slot] = NULL;
	inspect->free[inspect->n_free++] = flow->slot;
	inspect->n_flows--;
	inspect_give(inspect->memory, &inspect->accounts[flow->tenant], INSPECT_FLOW, flow);
}

/* NULL stays x->flow where there is no memory for it. syn: the segment at hand is one. */
static bool make_flow(struct inspection *x, bool syn)
{
	struct inspect *inspect = x->inspect;
	struct inspect_account *account = &inspect->accounts[x->profile->tenant];
	struct inspect_flow *flow;

	account->max = x->profile->memory / n_workers;
	if (inspect->n_free == 0)
		return false;
	flow = inspect_take(inspect->memory, account, INSPECT_FLOW);
	if (flow == NULL)
		return false;
	memset(flow, 0, offsetof(struct inspect_flow, detect));
	flow->slot = inspect->free[--inspect->n_free];
	flow->conn = conn_table_index(x->w->firewall->table, x->conn);
	flow->tenant = x->profile->tenant;
	flow->partial = !(x->conn->flags & CONN_FIRST) && !syn;
	flow->since = flow->last = x->w->now;
	inspect->flows[flow->slot] = flow;
	inspect->n_flows++;
	counter_add(&inspect->stats.flows, 1);
	x->conn->inspected = flow->slot + 1;
	x->flow = flow;
	stream_init(&flow->stream, flow->partial);
	return true;
}

static void begin_detect(
	struct inspect_flow *flow, const struct inspect_profile *profile, const struct conn *conn)
{
	/* A flow begins only where the tenant has its rules, or wants none. */
	const detect_passes none_wanted = 1u << CONFIG_FAILURE_NO_DATABASE;
	struct detect_ends ends;
	unsigned flags = flow->partial ? SMB_FLOW_PARTIAL : 0;

	for (unsigned side = 0; side < 2; side++) {
		ends.addr[side] = conn->key.addr[inspect_key_side(conn, side)];
		ends.port[side] = conn->key.port[inspect_key_side(conn, side)];
		if (ends.port[side] == 139)
			flags |= SMB_FLOW_NETBIOS;
	}
	detect_flow_init(&flow->detect, &ends, flags,
		profile->prevent ? profile->passes | none_wanted : UINT32_MAX);
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

void inspect_conn_ended(void *arg, const struct conn *conn)
{
	struct inspect *inspect = arg;

	inspect_flow_end(inspect, inspect->flows[conn->inspected - 1],
		conn->state == CONN_TCP_CLOSED ? "closed" : "timeout");
}

/* Not SMB, or passed by policy: it is not looked at any more. */
static void settle(struct inspection *x)
{
	if (x->flow != NULL)
		inspect_flow_end(x->inspect, x->flow, "settled");
	x->flow = NULL;
	x->conn->settled = x->from->inspect_epoch;
}

/* Takes the stream's beginning from what was seen of the connection's. */
static void give_opening(struct inspection *x)
{
	const struct stream_handler none = {NULL, NULL};
	const uint32_t *first = x->conn->first;
	unsigned opener = inspect_opener(x->conn);
	struct stream_segment syn = {.seq = first[opener] - 1, .flags = RTE_TCP_SYN_FLAG};
	struct stream_segment answer = {.seq = first[!opener] - 1,
		.ack = first[opener],
		.flags = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG};
	struct inspect_account *account = &x->inspect->accounts[x->flow->tenant];

	if (!(x->conn->flags & CONN_FIRST))
		return; /* the stream meets the SYN itself, or begins anywhere */
	stream_segment(&x->flow->stream, x->inspect->memory, account, 0, &syn, &none, NULL);
	stream_segment(&x->flow->stream, x->inspect->memory, account, 1, &answer, &none, NULL);
}

/* What the first bytes say: whether to begin a flow, and whether it is SMB for sure already. */
static bool is_wanted(struct inspection *x, const struct stream_segment *s, bool *known)
{
	unsigned sender = x->packet->view.sender;
	bool first = !(x->conn->flags & CONN_FIRST) || s->seq == x->conn->first[sender];
	int smb = -1;

	*known = is_service(x->profile, x->conn);
	if (*known)
		return true;
	if (first && s->n_pieces > 0)
		smb = smb_flow_recognise(s->pieces[0].bytes, s->pieces[0].len);
	*known = smb == 1;
	if (smb == 0)
		settle(x);
	return smb != 0;
}

/* Begins a flow with the first segment that has data. x->flow stays NULL where none is to be. */
static void begin(struct inspection *x, const struct stream_segment *s)
{
	bool known, syn = s->flags & RTE_TCP_SYN_FLAG;

	if (!is_wanted(x, s, &known))
		return;
	if (x->profile->revision == 0) {
		(void)inspect_failed(x, CONFIG_FAILURE_NO_DATABASE);
		return;
	}
	if (!(x->conn->flags & CONN_FIRST) && !syn &&
		x->profile->on[CONFIG_FAILURE_MIDSTREAM] != CONFIG_ON_INSPECT) {
		if (inspect_failed(x, CONFIG_FAILURE_MIDSTREAM))
			settle(x);
		else
			x->ends = true;
		return;
	}
	if (!make_flow(x, syn)) {
		if (inspect_failed(x, CONFIG_FAILURE_MEMORY))
			settle(x);
		return;
	}
	x->flow->prober = (uint8_t)x->side;
	x->flow->probing = true;
	give_opening(x);
	if (known)
		begin_detect(x->flow, x->profile, x->conn);
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
	begin_detect(flow, x->profile, x->conn);
	if (stream_bytes(&flow->stream, !side) > 0)
		detect_gap(&flow->detect, &x->context, !side);
	return feed(x, side, flow->probe, flow->n_probe) &&
	       (n == len || feed(x, side, bytes + n, len - n));
}

static bool on_data(void *arg, unsigned side, const uint8_t *bytes, uint32_t len)
{
	struct inspection *x = arg;

	if (unlikely(x->flow->probing))
		return x->flow->n_probe > INSPECT_PROBE || probe(x, side, bytes, len);
	return feed(x, side, bytes, len);
}

static void on_gap(void *arg, unsigned side, uint32_t len)
{
	struct inspection *x = arg;

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

static void prepare_context(struct inspection *x)
{
	const struct inspect_profile *profile = x->profile;
	struct inspect *inspect = x->inspect;

	x->context = (struct detect_context){
		.engine = profile->engines[x->w->index],
		.bind = profile->bind,
		.memory = inspect->memory,
		.account = &inspect->accounts[profile->tenant],
		.xbits = inspect->xbits,
		.counts = inspect->counts,
		.now_s = x->w->now / x->w->hz,
		.flow = (uint64_t)x->conn->generation << 32 | x->flow->conn,
		.deadline = inspect->timed ? rte_rdtsc() + profile->packet_cycles : 0,
		.found = inspect_found,
		.arg = x,
	};
}

static void look_at_packet(struct inspection *x, const struct stream_segment *s)
{
	struct rule_packet facts = {
		.to_server = x->side == 0,
		.established = x->conn->state == CONN_TCP_ESTABLISHED ||
			       (x->conn->flags & CONN_PICKED_UP),
		.flags = s->flags,
		.size = s->len,
	};

	if (x->flow->probing)
		return;
	if (detect_packet(&x->flow->detect, &x->context, x->side, &facts) == DETECT_STOP &&
		x->profile->prevent)
		x->ends = true;
}

static void look_at_stream(struct inspection *x, const struct stream_segment *s)
{
	static const struct stream_handler handler = {on_data, on_gap};
	struct inspect_flow *flow = x->flow;
	enum stream_verdict verdict;

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
	if (unlikely(verdict != STREAM_PASS))
		inspect_stream_verdict(x, verdict);
	else if (x->profile->prevent)
		inspect_window_bound(x);
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
	if (x->flow != NULL &&
		(x->flow->n_probe > INSPECT_PROBE ||
			(!x->flow->probing && detect_flow_bypassed(&x->flow->detect))))
		settle(x);
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
		settle(x);
	return false;
}

static void look(struct inspection *x, const struct stream_segment *s)
{
	struct inspect_meter *port = &x->inspect->ports[x->from->id];
	struct inspect_meter *tenant = &x->inspect->tenants[x->profile->tenant];
	uint64_t start = rte_rdtsc(), spent;

	if (s->len > 0 && !is_ready(x, port, tenant))
		return;
	prepare_context(x);
	look_at_stream(x, s);
	spent = rte_rdtsc() - start;
	port->level += spent;
	tenant->level += spent;
	conclude(x);
}

/* Where each side's bytes begin, for a flow that begins later. */
static void note_syn(struct inspection *x, const struct stream_segment *s)
{
	unsigned sender = x->packet->view.sender;

	if (x->conn->inspected != 0)
		return;
	x->conn->first[sender] = s->seq + 1;
	if (s->flags & RTE_TCP_ACK_FLAG) {
		x->conn->first[!sender] = s->ack;
		x->conn->flags |= CONN_FIRST;
	}
}

int inspect_packet(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet)
{
	struct inspection x = {
		.w = w,
		.inspect = w->inspect,
		.profile = from->inspect,
		.from = from,
		.to = to,
		.packet = packet,
		.conn = packet->conn,
		.reason = -1,
	};
	struct segment segment;

	if (x.conn->key.proto != IPPROTO_TCP || x.conn->settled == from->inspect_epoch)
		return -1;
	x.side = packet->view.sender ^ inspect_opener(x.conn);
	if (!read_segment(packet, &segment))
		return DROP_stream_invalid;
	if (segment.s.flags & RTE_TCP_SYN_FLAG)
		note_syn(&x, &segment.s);
	inspect_fanout_segment(&x);
	if (x.conn->inspected != 0)
		x.flow = x.inspect->flows[x.conn->inspected - 1];
	else if (segment.s.len == 0)
		return -1;
	if (segment.s.len > 0 && !checksum_holds(packet, !x.inspect->timed))
		return x.profile->prevent ? (int)DROP_stream_checksum : -1;
	if (x.flow == NULL)
		begin(&x, &segment.s);
	if (x.flow != NULL)
		look(&x, &segment.s);
	else if (x.ends)
		conclude(&x);
	return x.reason;
}
