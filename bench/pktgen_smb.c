#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ip.h>

#include "pktgen_smb.h"

#define SMB_PORT     445
#define DEPTH        4 /* reads or writes under way in a connection */
#define SLICE        64 /* connections that are looked at in one pass, each in turn */
#define RETRY        0.2 /* seconds without progress */
#define DUPLICATES   3 /* RFC 5681 3.2 */
#define CLIENT_ISN   1000u
#define SERVER_ISN   5000u
#define DEFAULT_SIZE 1518u
#define SYN_MSS      1460
#define RX_BUFFER    2048u /* bytes that a descriptor of the receiver holds */

/*
 * Bytes that an end has under way: no more than it was told, and than what fits into the receiver's
 * ring beside the other connections' share.
 */
static uint32_t window_of(const struct pktgen_smbs *smbs, uint64_t connections)
{
	uint64_t buffer = smbs->mss < RX_BUFFER ? smbs->mss : RX_BUFFER;
	uint64_t share = smbs->options->queue_size * 3 / 4 * buffer / connections;

	if (share < 2 * smbs->mss)
		share = 2 * smbs->mss;
	return (uint32_t)(share < smbs->options->window ? share : smbs->options->window);
}

int pktgen_smb_init(struct pktgen_smbs *smbs, struct pktgen_ports *ports,
	const struct pktgen_options *options, char err[PKTGEN_ERR])
{
	unsigned first = options->traffic == PKTGEN_MIX ? ports->n - 2 : 0;
	const struct pktgen_frame *frame = &ports->port[first].out;
	uint32_t size = options->sizes_given ? options->sizes.max : DEFAULT_SIZE;
	struct pktgen_range ranges[PKTGEN_FIELDS];

	memset(smbs, 0, sizeof(*smbs));
	memcpy(ranges, options->ranges, sizeof(ranges));
	if (ranges[PKTGEN_DST_PORT].count == 0)
		ranges[PKTGEN_DST_PORT] = (struct pktgen_range){
			.min = SMB_PORT, .step = 1, .count = 1};
	smbs->ports = ports;
	smbs->options = options;
	smbs->hz = rte_get_tsc_hz();
	smbs->mss = options->tso > 0 ? (uint32_t)options->tso : size - PKTGEN_FCS - frame->payload;
	smbs->large = options->tso > 0 ? PKTGEN_SIZE_MAX - PKTGEN_FCS - frame->payload : smbs->mss;
	for (unsigned i = first; i + 1 < ports->n; i += 2) {
		struct pktgen_smb_pair *pair = &smbs->pair[smbs->n++];

		pair->port[0] = &ports->port[i];
		pair->port[1] = &ports->port[i + 1];
		if (pktgen_flows_init(&pair->flows, ranges, options->flows, pair->port[0]->conf->ip,
			    pair->port[0]->conf->peer_ip, err) != 0)
			return -1;
		if (pair->flows.n > pair->flows.field[PKTGEN_SRC_PORT].count) {
			snprintf(err, PKTGEN_ERR,
				"each SMB connection needs a source port of its "
				"own: widen --src-port, or take less --flows");
			return -1;
		}
		pair->conns = calloc(pair->flows.n, sizeof(*pair->conns));
		if (pair->conns == NULL ||
			!pktgen_smb2_init(&pair->smb2, options->smb, (uint32_t)options->smb_block,
				options->smb_zeros, options->smb_marker,
				pair->port[0]->conf->peer_ip)) {
			snprintf(err, PKTGEN_ERR, "no memory for SMB connections");
			return -1;
		}
		smbs->window = window_of(smbs, pair->flows.n);
		for (uint64_t n = 0; n < pair->flows.n; n++)
			pktgen_flows_nth(&pair->flows, n, &pair->conns[n].tuple);
	}
	return 0;
}

/* A segment's buffer with its headers; its payload, of len bytes, is to be written at *payload. */
static struct rte_mbuf *make_segment(const struct pktgen_smbs *smbs, struct pktgen_port *port,
	const struct pktgen_tuple *tuple, const struct pktgen_tcp *tcp, uint32_t len,
	uint8_t **payload)
{
	const struct pktgen_frame *frame = &port->out;
	struct rte_mbuf *m = rte_pktmbuf_alloc(port->tx_pool);
	uint32_t headers, all;
	uint8_t *data;

	if (m == NULL)
		return NULL;
	data = rte_pktmbuf_mtod(m, uint8_t *);
	headers = frame->payload + (tcp->mss != 0 ? 8u : 0u);
	all = headers + len;
	pktgen_frame_write(frame, data, all, tuple, tcp);
	if (all < PKTGEN_FRAME_MIN) {
		memset(data + all, 0, PKTGEN_FRAME_MIN - all);
		all = PKTGEN_FRAME_MIN;
	}
	m->data_len = (uint16_t)all;
	m->pkt_len = all;
	if (frame->partial) {
		m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
		m->l2_len = frame->l3;
		m->l3_len = frame->l4 - frame->l3;
		m->l4_len = headers - frame->l4;
	}
	if (frame->partial && len > smbs->mss) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = (uint16_t)smbs->mss;
	}
	*payload = data + headers;
	return m;
}

/* Into TCP's checksum, where nobody else does it: its payload, which was taken for zeros. */
static void add_to_checksum(
	const struct pktgen_port *port, struct rte_mbuf *m, const uint8_t *payload, uint32_t len)
{
	rte_be16_t *checksum = rte_pktmbuf_mtod_offset(m, rte_be16_t *, port->out.l4 + 16);
	uint32_t sum;

	if (port->out.partial)
		return;
	sum = (uint16_t) ~*checksum + (uint32_t)rte_raw_cksum(payload, len);
	sum = (sum >> 16) + (sum & 0xffff);
	*checksum = (rte_be16_t) ~((sum >> 16) + sum);
}

static bool queue_segment(struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair,
	struct pktgen_smb_conn *conn, unsigned side, uint8_t flags, uint64_t limit, uint32_t len)
{
	struct pktgen_smb_end *end = &conn->end[side];
	struct pktgen_smb_out *out = &pair->out[side];
	struct pktgen_tuple tuple = side == 0 ? conn->tuple : pktgen_tuple_turned(&conn->tuple);
	struct pktgen_tcp tcp = {
		.seq = end->seq,
		.ack = flags & PKTGEN_ACK ? end->expected : 0,
		.window = flags & PKTGEN_SYN
				  ? 0xffff
				  : (uint16_t)((smbs->window >> PKTGEN_WINDOW_SCALE) + 1),
		.mss = flags & PKTGEN_SYN ? SYN_MSS : 0,
		.flags = flags,
	};
	uint8_t *payload;
	struct rte_mbuf *m;

	if (out->n == PKTGEN_BURST)
		return false;
	m = make_segment(smbs, pair->port[side], &tuple, &tcp, len, &payload);
	if (m == NULL)
		return false;
	if (len > 0) {
		pktgen_smb2_bytes(&pair->smb2, side, &end->next, limit, conn->last, payload, len);
		add_to_checksum(pair->port[side], m, payload, len);
		end->seq += len;
	}
	end->owed = 0;
	out->pkts[out->n++] = m;
	return true;
}

/* Which message this end may not begin yet. */
static uint64_t limit_of(const struct pktgen_smb_conn *conn, unsigned side)
{
	const struct pktgen_smb_end *end = &conn->end[side];
	uint64_t limit = end->heard.message; /* a server answers what it has heard */

	if (side == 0) /* and a client waits for answers, but for some reads and writes */
		limit += limit < PKTGEN_SMB2_SETUP ? 1 : DEPTH;
	return conn->last != UINT64_MAX && limit > conn->last + 1 ? conn->last + 1 : limit;
}

/* Bytes from where an end is up to a message, max at most. */
static uint32_t bytes_until(const struct pktgen_smb2 *smb2, unsigned side,
	const struct pktgen_smb2_at *at, uint64_t limit, uint32_t max)
{
	uint64_t sum = 0;

	for (uint64_t i = at->message; i < limit && sum < max; i++)
		sum += pktgen_smb2_len(smb2, side, i) - (i == at->message ? at->offset : 0);
	return sum < max ? (uint32_t)sum : max;
}

static void go_back(struct pktgen_smbs *smbs, struct pktgen_smb_end *end, uint64_t now)
{
	smbs->counts.repeated += (end->seq - end->acked + smbs->mss - 1) / smbs->mss;
	end->next = end->unacked;
	end->seq = end->acked;
	end->progress = now;
	if (end->window < smbs->mss) /* a probe, RFC 9293 3.8.6.1 */
		end->window = smbs->mss;
}

static void send_data(struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair,
	struct pktgen_smb_conn *conn, unsigned side, uint64_t now)
{
	struct pktgen_smb_end *end = &conn->end[side];
	uint64_t limit = limit_of(conn, side);
	uint32_t window = end->window < smbs->window ? end->window : smbs->window;
	bool waits = end->seq != end->acked || end->next.message < limit;

	if (waits && now - end->progress > (uint64_t)(RETRY * (double)smbs->hz))
		go_back(smbs, end, now);
	for (;;) {
		uint32_t flying = end->seq - end->acked;
		uint32_t room = flying < window ? window - flying : 0;
		uint32_t len = bytes_until(&pair->smb2, side, &end->next, limit, smbs->large);

		/* No small segments for the window's sake, RFC 9293 3.8.6.2.1. */
		if (len == 0 || (room < len && (room < smbs->mss ||
						       (room < smbs->large && room < window / 2))))
			return;
		if (len > room)
			len = room - room % smbs->mss;
		if (!queue_segment(smbs, pair, conn, side, PKTGEN_ACK | PKTGEN_PSH, limit, len))
			return;
		if (flying == 0)
			end->progress = now;
	}
}

static void open_conn(struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair,
	struct pktgen_smb_conn *conn, uint64_t now)
{
	if (conn->state == PKTGEN_SMB_OPENING &&
		now - conn->opened < (uint64_t)(RETRY * (double)smbs->hz))
		return;
	conn->end[0].seq = conn->end[0].acked = CLIENT_ISN;
	if (!queue_segment(smbs, pair, conn, 0, PKTGEN_SYN, 0, 0))
		return;
	conn->state = PKTGEN_SMB_OPENING;
	conn->opened = now;
}

static void serve(struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair,
	struct pktgen_smb_conn *conn, uint64_t now)
{
	/* The block that is begun after this is the last. */
	if (smbs->ending && conn->last == UINT64_MAX)
		conn->last = conn->end[0].next.message + (conn->end[0].next.offset > 0);
	if (smbs->ending && conn->last < PKTGEN_SMB2_SETUP)
		conn->last = PKTGEN_SMB2_SETUP;
	for (unsigned side = 0; side < 2; side++) {
		send_data(smbs, pair, conn, side, now);
		if (conn->end[side].owed > 0)
			queue_segment(smbs, pair, conn, side, PKTGEN_ACK, 0, 0);
	}
}

static void accept_conn(struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair,
	struct pktgen_smb_conn *conn, unsigned side, const struct pktgen_tcp *tcp, uint64_t now)
{
	struct pktgen_smb_end *end = &conn->end[side];

	end->expected = tcp->seq + 1;
	end->scale = tcp->scale;
	end->window = tcp->window;
	end->progress = now;
	if (side == 1) { /* a SYN, perhaps again */
		end->seq = end->acked = SERVER_ISN;
		if (queue_segment(smbs, pair, conn, 1, PKTGEN_SYN | PKTGEN_ACK, 0, 0))
			end->seq = end->acked = SERVER_ISN + 1;
		return;
	}
	if (conn->state != PKTGEN_SMB_OPENING)
		return;
	end->seq = end->acked = CLIENT_ISN + 1;
	end->owed = 1;
	conn->state = PKTGEN_SMB_OPEN;
	smbs->counts.connections++;
}

static void hear_ack(struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair,
	struct pktgen_smb_end *end, unsigned side, const struct pktgen_tcp *tcp, uint32_t len,
	uint64_t now)
{
	uint32_t acked = tcp->ack - end->acked;

	if (acked > end->seq - end->acked)
		return; /* of what was not sent, or old */
	end->window = (uint32_t)tcp->window << end->scale;
	if (acked > 0) {
		pktgen_smb2_skip(&pair->smb2, side, &end->unacked, acked);
		end->acked = tcp->ack;
		end->progress = now;
		end->duplicates = 0;
	} else if (len == 0 && end->seq != end->acked && end->duplicates < DUPLICATES &&
		   ++end->duplicates == DUPLICATES) {
		go_back(smbs, end, now); /* once, until something is acknowledged */
	}
}

/* In order only: what is ahead of a gap comes again. */
static void hear_data(struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair,
	struct pktgen_smb_end *end, unsigned side, uint32_t seq, uint32_t len)
{
	uint32_t old = end->expected - seq; /* bytes that are known already */
	uint64_t before = end->heard.message;

	if (len == 0)
		return;
	end->owed++;
	if (old >= len)
		return;
	len -= old;
	end->expected += len;
	smbs->counts.payload += len;
	pktgen_smb2_skip(&pair->smb2, !side, &end->heard, len);
	if (side != 0)
		return;
	for (uint64_t i = before; i < end->heard.message; i++) {
		smbs->counts.operations += i >= PKTGEN_SMB2_SETUP;
		smbs->counts.data += pktgen_smb2_data(&pair->smb2, i);
	}
}

static struct pktgen_smb_conn *find(
	const struct pktgen_smb_pair *pair, const struct pktgen_tuple *tuple)
{
	const struct pktgen_range *range = &pair->flows.field[PKTGEN_SRC_PORT];
	uint32_t at = (uint32_t)(tuple->sport - range->min) / range->step;
	uint32_t number = (at + range->count - range->first) % range->count;

	if (tuple->sport < range->min || at >= range->count || number >= pair->flows.n)
		return NULL;
	return memcmp(&pair->conns[number].tuple, tuple, sizeof(*tuple)) == 0 ? &pair->conns[number]
									      : NULL;
}

static bool hear(struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair, unsigned side,
	const struct pktgen_seen *seen, uint64_t now)
{
	struct pktgen_tuple tuple = side == 1 ? seen->tuple : pktgen_tuple_turned(&seen->tuple);
	struct pktgen_smb_conn *conn = find(pair, &tuple);

	if (conn == NULL)
		return false;
	if (seen->tcp.flags & PKTGEN_RST) {
		smbs->counts.reset += conn->state != PKTGEN_SMB_DEAD;
		conn->state = PKTGEN_SMB_DEAD;
		return true;
	}
	if (seen->tcp.flags & PKTGEN_SYN) {
		accept_conn(smbs, pair, conn, side, &seen->tcp, now);
		return true;
	}
	hear_ack(smbs, pair, &conn->end[side], side, &seen->tcp, seen->len, now);
	hear_data(smbs, pair, &conn->end[side], side, seen->tcp.seq, seen->len);
	/* An acknowledgement for each second segment, and the rest when its turn comes. */
	if (conn->end[side].owed > 1)
		queue_segment(smbs, pair, conn, side, PKTGEN_ACK, 0, 0);
	return true;
}

static unsigned receive(
	struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair, unsigned side, uint64_t now)
{
	struct pktgen_port *port = pair->port[side];
	struct rte_mbuf *pkts[PKTGEN_BURST];
	unsigned n = pktgen_port_receive(port, pkts);

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(pkts[i], const uint8_t *);
		struct pktgen_seen seen;

		if (!pktgen_frame_is(&port->in, data, pkts[i]->data_len) ||
			!pktgen_frame_read(&port->in, data, pkts[i]->data_len, &seen) ||
			!hear(smbs, pair, side, &seen, now))
			pktgen_port_foreign(port, pkts[i]);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static unsigned flush(struct pktgen_port *port, struct pktgen_smb_out *out)
{
	unsigned sent = out->n > 0 ? pktgen_port_send(port, out->pkts, out->n) : 0;

	out->n -= sent;
	memmove(out->pkts, out->pkts + sent, out->n * sizeof(out->pkts[0]));
	return sent;
}

static unsigned step(void *arg, uint64_t now, bool sending)
{
	struct pktgen_smbs *smbs = arg;
	unsigned moved = 0;

	smbs->ending = !sending;
	for (unsigned i = 0; i < smbs->n; i++) {
		struct pktgen_smb_pair *pair = &smbs->pair[i];
		uint32_t slice = pair->flows.n < SLICE ? (uint32_t)pair->flows.n : SLICE;

		moved += receive(smbs, pair, 0, now);
		moved += receive(smbs, pair, 1, now);
		for (; slice > 0; slice--) {
			struct pktgen_smb_conn *conn = &pair->conns[pair->at];

			if (conn->state == PKTGEN_SMB_OPEN)
				serve(smbs, pair, conn, now);
			else if (conn->state != PKTGEN_SMB_DEAD && sending)
				open_conn(smbs, pair, conn, now);
			pair->at = pair->at + 1 < pair->flows.n ? pair->at + 1 : 0;
		}
		moved += flush(pair->port[0], &pair->out[0]);
		moved += flush(pair->port[1], &pair->out[1]);
	}
	return moved;
}

static bool settled(void *arg)
{
	const struct pktgen_smbs *smbs = arg;

	for (unsigned i = 0; i < smbs->n; i++)
		for (uint64_t n = 0; n < smbs->pair[i].flows.n; n++) {
			const struct pktgen_smb_conn *conn = &smbs->pair[i].conns[n];

			if (conn->state == PKTGEN_SMB_OPEN &&
				(conn->end[0].heard.message <= conn->last ||
					conn->end[1].acked != conn->end[1].seq))
				return false;
		}
	return true;
}

struct pktgen_task pktgen_smb_task(struct pktgen_smbs *smbs)
{
	for (unsigned i = 0; i < smbs->n; i++)
		for (uint64_t n = 0; n < smbs->pair[i].flows.n; n++)
			smbs->pair[i].conns[n].last = UINT64_MAX;
	return (struct pktgen_task){.step = step, .settled = settled, .arg = smbs};
}

/* Returns how many of these arrived at once. */
static uint64_t reset(struct pktgen_smbs *smbs, struct pktgen_smb_pair *pair, uint64_t *sent)
{
	uint64_t arrived = 0;

	for (uint64_t n = 0; n < pair->flows.n; n++) {
		struct pktgen_smb_conn *conn = &pair->conns[n];

		if (conn->state != PKTGEN_SMB_OPEN)
			continue;
		queue_segment(smbs, pair, conn, 0, PKTGEN_RST | PKTGEN_ACK, 0, 0);
		*sent += flush(pair->port[0], &pair->out[0]);
		arrived += pktgen_ports_empty(smbs->ports);
	}
	return arrived;
}

void pktgen_smb_end(struct pktgen_smbs *smbs)
{
	uint64_t sent = 0, arrived = 0;

	for (unsigned i = 0; i < smbs->n && !smbs->options->keep; i++)
		arrived += reset(smbs, &smbs->pair[i], &sent);
	if (arrived < sent)
		pktgen_ports_await(smbs->ports, sent - arrived);
}

void pktgen_smb_free(struct pktgen_smbs *smbs)
{
	for (unsigned i = 0; i < smbs->n; i++) {
		struct pktgen_smb_pair *pair = &smbs->pair[i];

		for (unsigned side = 0; side < 2; side++)
			rte_pktmbuf_free_bulk(pair->out[side].pkts, pair->out[side].n);
		pktgen_smb2_free(&pair->smb2);
		free(pair->conns);
	}
}
