#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "pktgen_connect.h"

#define BEHIND      0.001 /* seconds that a sender makes up for */
#define WAITING_MAX 256 /* SYNs that wait for an answer, where none may get lost */
#define PATIENCE    0.1 /* seconds, then what was not answered is lost */
#define MSS         1460

enum {
	ANSWERED = 1, /* the client has its SYN-ACK */
	COMPLETE = 2, /* the server has its ACK */
};

/* Packets to be sent by one port in one burst. */
struct burst {
	struct pktgen_port *port;
	unsigned n;
	struct rte_mbuf *pkts[PKTGEN_BURST];
};

int pktgen_connect_init(struct pktgen_connect *connect, struct pktgen_ports *ports,
	const struct pktgen_options *options, bool storm, char err[PKTGEN_ERR])
{
	memset(connect, 0, sizeof(*connect));
	connect->ports = ports;
	connect->options = options;
	connect->storm = storm;
	for (unsigned i = 0; i + 1 < ports->n; i += 2) {
		struct pktgen_opening *o = &connect->pair[connect->n++];

		o->client = &ports->port[i];
		o->server = &ports->port[i + 1];
		if (pktgen_flows_init(&o->flows, options->ranges, options->flows,
			    o->client->conf->ip, o->client->conf->peer_ip, err) != 0)
			return -1;
		pktgen_cursor_init(&o->cursor, &o->flows, 0);
		if (storm)
			continue;
		o->state = calloc(o->flows.n, 1);
		if (o->state == NULL) {
			snprintf(err, PKTGEN_ERR, "no memory for %llu connections",
				(unsigned long long)o->flows.n);
			return -1;
		}
	}
	return 0;
}

void pktgen_connect_rate(struct pktgen_connect *connect, double rate)
{
	for (unsigned i = 0; i < connect->n; i++) {
		struct pktgen_opening *o = &connect->pair[i];

		pktgen_pace_init(&o->pace, rate, (double)rte_get_tsc_hz(), BEHIND, rte_rdtsc());
		o->left = connect->options->count > 0 ? connect->options->count : UINT64_MAX;
		o->opened = o->answered = o->completed = 0;
	}
}

/* A segment without data into the burst; without a buffer, it is lost. */
static void put(struct burst *burst, const struct pktgen_tuple *tuple, const struct pktgen_tcp *tcp)
{
	const struct pktgen_frame *frame = &burst->port->out;
	struct rte_mbuf *m = rte_pktmbuf_alloc(burst->port->tx_pool);
	uint32_t len, headers = frame->payload + (tcp->mss != 0 ? 8u : 0u);

	if (m == NULL) {
		burst->port->counts.refused++;
		return;
	}
	pktgen_frame_write(frame, rte_pktmbuf_mtod(m, uint8_t *), headers, tuple, tcp);
	len = headers < PKTGEN_FRAME_MIN ? PKTGEN_FRAME_MIN : headers;
	memset(rte_pktmbuf_mtod_offset(m, uint8_t *, headers), 0, len - headers);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	if (frame->partial) {
		m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
		m->l2_len = frame->l3;
		m->l3_len = frame->l4 - frame->l3;
		m->l4_len = headers - frame->l4;
	}
	burst->pkts[burst->n++] = m;
}

static unsigned flush(struct burst *burst)
{
	unsigned n = burst->n, sent;

	if (n == 0)
		return 0;
	sent = pktgen_port_send(burst->port, burst->pkts, n);
	burst->port->counts.refused += n - sent;
	rte_pktmbuf_free_bulk(burst->pkts + sent, n - sent);
	burst->n = 0;
	return sent;
}

static struct pktgen_tcp segment(uint8_t flags, uint32_t seq, uint32_t ack)
{
	return (struct pktgen_tcp){.seq = seq,
		.ack = ack,
		.window = 0xffff,
		.mss = flags & PKTGEN_SYN ? MSS : 0,
		.flags = flags};
}

static unsigned storm_due(struct pktgen_opening *o, uint64_t now)
{
	unsigned max = o->left < PKTGEN_BURST ? (unsigned)o->left : PKTGEN_BURST;
	unsigned n = pktgen_pace_due(&o->pace, now, max);

	o->client->counts.missed = o->pace.missed;
	o->left -= n;
	return n;
}

static void open_one(struct pktgen_opening *o, struct burst *burst)
{
	struct pktgen_tcp syn = segment(PKTGEN_SYN, (uint32_t)o->cursor.index, 0);

	put(burst, &o->cursor.tuple, &syn);
	o->opened++;
}

static void storm(struct pktgen_opening *o, struct burst *burst, uint64_t now)
{
	for (unsigned n = storm_due(o, now); n > 0; n--) {
		open_one(o, burst);
		pktgen_cursor_next(&o->cursor);
	}
}

/* Connections that are not open, one round after the other, while not too many wait. */
static void open_some(struct pktgen_opening *o, struct burst *burst, uint64_t now)
{
	if (now - o->progress > (uint64_t)(PATIENCE * (double)rte_get_tsc_hz())) {
		o->waiting = 0;
		if (o->round == 0)
			o->round = o->flows.n;
	}
	while (o->round > 0 && burst->n < PKTGEN_BURST && o->waiting < WAITING_MAX) {
		if (o->state[o->cursor.index] != (ANSWERED | COMPLETE)) {
			open_one(o, burst);
			o->waiting++;
			o->progress = now;
		}
		pktgen_cursor_next(&o->cursor);
		o->round--;
	}
}

/* Whose is it? False: of none of ours. */
static bool flow_of(
	const struct pktgen_opening *o, const struct pktgen_tuple *tuple, uint32_t number)
{
	struct pktgen_tuple own;

	if (number >= o->flows.n)
		return false;
	pktgen_flows_nth(&o->flows, number, &own);
	return memcmp(&own, tuple, sizeof(own)) == 0;
}

static bool first_time(struct pktgen_opening *o, uint32_t number, uint8_t what)
{
	if (o->state == NULL)
		return true;
	if (o->state[number] & what)
		return false;
	o->state[number] |= what;
	return true;
}

static bool client_hears(
	struct pktgen_opening *o, struct burst *burst, const struct pktgen_seen *seen, uint64_t now)
{
	struct pktgen_tuple turned = pktgen_tuple_turned(&seen->tuple);
	uint32_t number = seen->tcp.ack - 1;
	struct pktgen_tcp ack = segment(PKTGEN_ACK, seen->tcp.ack, seen->tcp.seq + 1);

	if ((seen->tcp.flags & (PKTGEN_SYN | PKTGEN_ACK | PKTGEN_RST)) !=
			(PKTGEN_SYN | PKTGEN_ACK) ||
		!flow_of(o, &turned, number))
		return false;
	put(burst, &turned, &ack);
	if (first_time(o, number, ANSWERED)) {
		o->answered++;
		o->waiting -= o->waiting > 0;
		o->progress = now;
	}
	return true;
}

static bool server_hears(
	struct pktgen_opening *o, struct burst *burst, const struct pktgen_seen *seen, uint64_t now)
{
	struct pktgen_tuple turned = pktgen_tuple_turned(&seen->tuple);
	bool syn = (seen->tcp.flags & PKTGEN_SYN) != 0;
	uint32_t number = syn ? seen->tcp.seq : seen->tcp.seq - 1;
	struct pktgen_tcp answer = segment(PKTGEN_SYN | PKTGEN_ACK, number, number + 1);

	if ((seen->tcp.flags & PKTGEN_RST) || !flow_of(o, &seen->tuple, number))
		return false;
	if (syn) {
		put(burst, &turned, &answer);
	} else if (first_time(o, number, COMPLETE)) {
		o->completed++;
		o->progress = now;
	}
	return true;
}

static unsigned receive(struct pktgen_opening *o, struct pktgen_port *port, uint64_t now)
{
	struct rte_mbuf *pkts[PKTGEN_BURST];
	struct burst burst = {.port = port};
	unsigned n = pktgen_port_receive(port, pkts);

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(pkts[i], const uint8_t *);
		struct pktgen_seen seen;
		bool ours = pktgen_frame_is(&port->in, data, pkts[i]->data_len) &&
			    pktgen_frame_read(&port->in, data, pkts[i]->data_len, &seen) &&
			    (port == o->client ? client_hears(o, &burst, &seen, now)
					       : server_hears(o, &burst, &seen, now));

		if (!ours)
			pktgen_port_foreign(port, pkts[i]);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	flush(&burst);
	return n;
}

static unsigned step(void *arg, uint64_t now, bool sending)
{
	struct pktgen_connect *connect = arg;
	unsigned moved = 0;

	for (unsigned i = 0; i < connect->n; i++) {
		struct pktgen_opening *o = &connect->pair[i];
		struct burst burst = {.port = o->client};

		moved += receive(o, o->client, now);
		moved += receive(o, o->server, now);
		if (!sending)
			continue;
		if (connect->storm)
			storm(o, &burst, now);
		else
			open_some(o, &burst, now);
		moved += flush(&burst);
	}
	return moved;
}

static bool done(void *arg)
{
	const struct pktgen_connect *connect = arg;

	for (unsigned i = 0; i < connect->n; i++) {
		const struct pktgen_opening *o = &connect->pair[i];

		if (connect->storm ? o->left > 0 : o->completed < o->flows.n)
			return false;
	}
	return true;
}

static bool settled(void *arg)
{
	const struct pktgen_connect *connect = arg;

	for (unsigned i = 0; i < connect->n; i++) {
		const struct pktgen_opening *o = &connect->pair[i];

		if (o->completed < (connect->storm ? o->opened : o->flows.n))
			return false;
	}
	return true;
}

struct pktgen_task pktgen_connect_task(struct pktgen_connect *connect)
{
	return (struct pktgen_task){.step = step, .done = done, .settled = settled, .arg = connect};
}

struct pktgen_connect_counts pktgen_connect_counts(const struct pktgen_connect *connect)
{
	struct pktgen_connect_counts counts = {0};

	for (unsigned i = 0; i < connect->n; i++) {
		counts.opened += connect->pair[i].opened;
		counts.answered += connect->pair[i].answered;
		counts.completed += connect->pair[i].completed;
		counts.wanted += connect->pair[i].flows.n;
	}
	return counts;
}

/* Sends the whole burst, however long the ring takes, within a second. */
static void push(struct burst *burst)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz();
	unsigned sent = 0;

	while (sent < burst->n && rte_rdtsc() < until)
		sent += pktgen_port_send(burst->port, burst->pkts + sent, burst->n - sent);
	rte_pktmbuf_free_bulk(burst->pkts + sent, burst->n - sent);
	burst->n = 0;
}

static void reset(struct pktgen_ports *ports, struct pktgen_opening *o)
{
	struct burst burst = {.port = o->client};
	struct pktgen_cursor cursor;
	uint64_t arrived = 0;

	pktgen_cursor_init(&cursor, &o->flows, 0);
	for (uint64_t i = 0; i < o->flows.n; i++, pktgen_cursor_next(&cursor)) {
		uint32_t next = (uint32_t)cursor.index + 1;
		struct pktgen_tcp rst = segment(PKTGEN_RST | PKTGEN_ACK, next, next);

		put(&burst, &cursor.tuple, &rst);
		if (burst.n < PKTGEN_BURST && i + 1 < o->flows.n)
			continue;
		push(&burst);
		arrived += pktgen_ports_empty(ports);
	}
	if (arrived < o->flows.n)
		pktgen_ports_await(ports, o->flows.n - arrived);
}

void pktgen_connect_reset(struct pktgen_connect *connect)
{
	for (unsigned i = 0; i < connect->n; i++)
		reset(connect->ports, &connect->pair[i]);
}

void pktgen_connect_free(struct pktgen_connect *connect)
{
	for (unsigned i = 0; i < connect->n; i++)
		free(connect->pair[i].state);
}
