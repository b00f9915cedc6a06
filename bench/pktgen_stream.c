#include <netinet/in.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_prefetch.h>

#include "pktgen_stream.h"

#define BEHIND 0.001 /* seconds that a sender makes up for */

/* For pktgen_port_fill(). */
struct template
{
	const struct pktgen_frame *frame;
	struct pktgen_tuple tuple;
	struct pktgen_tcp tcp;
	uint32_t len;
};

static void write_template(void *arg, uint8_t *data)
{
	const struct template *t = arg;
	bool tcp = t->frame->protocol == IPPROTO_TCP;

	memset(data, 0, t->len);
	pktgen_frame_write(t->frame, data, t->len, &t->tuple, tcp ? &t->tcp : NULL);
}

static struct pktgen_tuple tuple_of(const struct pktgen_stream *stream)
{
	const struct pktgen_tuple *t = &stream->cursor.tuple;

	return stream->turned ? pktgen_tuple_turned(t) : *t;
}

/* A flow's number is both ends' first sequence number: pktgen_connect.h. */
static struct pktgen_tcp tcp_of(const struct pktgen_stream *stream)
{
	uint32_t next = (uint32_t)stream->cursor.index + 1;

	return (struct pktgen_tcp){
		.seq = next, .ack = next, .window = 0xffff, .flags = PKTGEN_ACK | PKTGEN_PSH};
}

static void write_templates(struct pktgen_streams *streams, struct pktgen_stream *stream)
{
	struct template template = {
		.frame = &stream->port->out,
		.tuple = tuple_of(stream),
		.tcp = tcp_of(stream),
		.len = streams->options->sizes.max - PKTGEN_FCS,
	};

	pktgen_port_fill(stream->port, write_template, &template);
}

static void choose_offloads(struct pktgen_streams *streams, const struct pktgen_frame *frame)
{
	struct rte_mbuf m;

	if (streams->options->tso == 0)
		return;
	m.tx_offload = 0;
	m.l2_len = frame->l3;
	m.l3_len = frame->l4 - frame->l3;
	m.l4_len = frame->payload - frame->l4;
	m.tso_segsz = (uint16_t)streams->options->tso;
	streams->offload = m.tx_offload;
	streams->flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG;
}

static int init_stream(struct pktgen_streams *streams, unsigned i, char err[PKTGEN_ERR])
{
	const struct pktgen_options *options = streams->options;
	struct pktgen_stream *stream = &streams->stream[i];
	struct pktgen_port *port = &streams->ports->port[i];
	struct pktgen_port *first = i % 2 == 0 ? port : port->peer;

	stream->port = port;
	stream->turned = i % 2 == 1;
	stream->sends = !(stream->turned && options->one_way);
	if (pktgen_flows_init(&stream->flows, options->ranges, options->flows, first->conf->ip,
		    first->conf->peer_ip, err) != 0)
		return -1;
	pktgen_cursor_init(&stream->cursor, &stream->flows, 0);
	return 0;
}

static int check_sizes(const struct pktgen_streams *streams, char err[PKTGEN_ERR])
{
	const struct pktgen_frame *frame = &streams->ports->port[0].out;
	uint32_t need = pktgen_frame_stamped(frame) + PKTGEN_FCS;

	if (streams->options->latency > 0 && streams->options->sizes.min < need) {
		snprintf(err, PKTGEN_ERR,
			"a time needs frames of at least %u bytes for this traffic: see --size",
			need);
		return -1;
	}
	return 0;
}

int pktgen_streams_init(struct pktgen_streams *streams, struct pktgen_ports *ports,
	const struct pktgen_options *options, char err[PKTGEN_ERR])
{
	memset(streams, 0, sizeof(*streams));
	streams->ports = ports;
	streams->options = options;
	streams->ns_per_cycle = 1e9 / (double)rte_get_tsc_hz();
	streams->n = ports->n - (options->traffic == PKTGEN_MIX ? 2 : 0);
	for (unsigned i = 0; i < streams->n; i++) {
		if (init_stream(streams, i, err) != 0)
			return -1;
		write_templates(streams, &streams->stream[i]);
	}
	choose_offloads(streams, &ports->port[0].out);
	streams->plain = streams->stream[0].flows.n == 1 && options->latency == 0 &&
			 options->sizes.min == options->sizes.max;
	return check_sizes(streams, err);
}

void pktgen_streams_rate(struct pktgen_streams *streams, double rate)
{
	uint64_t now = rte_rdtsc();

	pktgen_histogram_reset(&streams->latency);
	for (unsigned i = 0; i < streams->n; i++) {
		struct pktgen_stream *stream = &streams->stream[i];

		pktgen_pace_init(&stream->pace, rate, (double)rte_get_tsc_hz(), BEHIND, now);
		stream->left = streams->options->count > 0 ? streams->options->count : UINT64_MAX;
	}
}

static void prepare(
	struct pktgen_streams *streams, struct pktgen_stream *stream, struct rte_mbuf *m)
{
	const struct pktgen_options *options = streams->options;
	const struct pktgen_frame *frame = &stream->port->out;
	uint32_t len = pktgen_size_next(&options->sizes, &stream->size_at) - PKTGEN_FCS;
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	bool tcp = frame->protocol == IPPROTO_TCP;
	struct pktgen_tuple tuple;
	struct pktgen_tcp segment;

	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	if (streams->flags != 0) {
		m->ol_flags |= streams->flags;
		m->tx_offload = streams->offload;
	}
	if (streams->plain)
		return;
	if (options->latency > 0)
		pktgen_frame_unstamp(frame, data);
	tuple = tuple_of(stream);
	segment = tcp_of(stream);
	pktgen_frame_patch(frame, data, len, &tuple, tcp ? &segment : NULL);
	pktgen_cursor_next(&stream->cursor);
	if (options->latency > 0 && stream->stamp_at-- == 0) {
		pktgen_frame_stamp(frame, data, rte_rdtsc());
		stream->stamp_at = (uint32_t)options->latency - 1;
	}
}

/* How many packets of the stream are to be made now. */
static unsigned due(struct pktgen_stream *stream, uint64_t now)
{
	unsigned max = PKTGEN_BURST - stream->n_waiting, n;

	if (stream->left < max)
		max = (unsigned)stream->left;
	n = pktgen_pace_due(&stream->pace, now, max);
	stream->port->counts.missed = stream->pace.missed;
	stream->left -= n;
	return n;
}

/* As fast as it goes, what does not fit waits; at a rate, it is lost. */
static void keep_rest(struct pktgen_stream *stream, unsigned sent, unsigned n)
{
	if (stream->pace.per_cycle == 0) {
		memmove(stream->pkts, stream->pkts + sent, (n - sent) * sizeof(stream->pkts[0]));
		stream->n_waiting = n - sent;
		return;
	}
	stream->port->counts.refused += n - sent;
	rte_pktmbuf_free_bulk(stream->pkts + sent, n - sent);
}

static unsigned transmit(struct pktgen_streams *streams, struct pktgen_stream *stream, uint64_t now)
{
	unsigned n = due(stream, now), all = stream->n_waiting, sent;

	if (n > 0 && rte_pktmbuf_alloc_bulk(stream->port->tx_pool, stream->pkts + all, n) == 0) {
		for (unsigned i = all; i < all + n; i++)
			prepare(streams, stream, stream->pkts[i]);
		all += n;
	} else if (n > 0) {
		stream->left += n;
		stream->port->counts.refused += stream->pace.per_cycle > 0 ? n : 0;
	}
	if (all == 0)
		return 0;
	sent = pktgen_port_send(stream->port, stream->pkts, all);
	stream->n_waiting = 0;
	if (sent < all)
		keep_rest(stream, sent, all);
	return sent;
}

static void look_at(struct pktgen_streams *streams, struct pktgen_port *port,
	struct rte_mbuf *const *pkts, unsigned n)
{
	uint64_t now = rte_rdtsc(), time;

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(pkts[i], const uint8_t *);

		if (!pktgen_frame_is(&port->in, data, pkts[i]->data_len))
			pktgen_port_foreign(port, pkts[i]);
		else if (streams->options->latency > 0 &&
			 pktgen_frame_stamp_of(&port->in, data, pkts[i]->data_len, &time) &&
			 now > time)
			pktgen_histogram_add(&streams->latency,
				(uint64_t)((double)(now - time) * streams->ns_per_cycle));
	}
}

static unsigned receive(struct pktgen_streams *streams, struct pktgen_port *port)
{
	struct rte_mbuf *pkts[PKTGEN_BURST];
	unsigned n = pktgen_port_receive(port, pkts);

	if (n == 0)
		return 0;
	if (streams->options->verify || streams->options->latency > 0)
		look_at(streams, port, pkts, n);
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static unsigned step(void *arg, uint64_t now, bool sending)
{
	struct pktgen_streams *streams = arg;
	unsigned moved = 0;

	for (unsigned i = 0; i < streams->n; i++) {
		struct pktgen_stream *stream = &streams->stream[i];

		moved += receive(streams, stream->port);
		if (sending && stream->sends)
			moved += transmit(streams, stream, now);
	}
	return moved;
}

static bool done(void *arg)
{
	const struct pktgen_streams *streams = arg;

	for (unsigned i = 0; i < streams->n; i++)
		if (streams->stream[i].sends &&
			(streams->stream[i].left > 0 || streams->stream[i].n_waiting > 0))
			return false;
	return true;
}

static bool settled(void *arg)
{
	const struct pktgen_streams *streams = arg;
	uint64_t sent = 0, received = 0;

	for (unsigned i = 0; i < streams->n; i++) {
		sent += streams->ports->port[i].counts.sent;
		received += streams->ports->port[i].counts.received;
	}
	return received >= sent;
}

void pktgen_streams_end(struct pktgen_streams *streams)
{
	for (unsigned i = 0; i < streams->n; i++) {
		struct pktgen_stream *stream = &streams->stream[i];

		rte_pktmbuf_free_bulk(stream->pkts, stream->n_waiting);
		stream->n_waiting = 0;
	}
}

struct pktgen_task pktgen_streams_task(struct pktgen_streams *streams)
{
	return (struct pktgen_task){.step = step, .done = done, .settled = settled, .arg = streams};
}
