#include "smb_source.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "config.h"

#define CLIENT_IP  0x0a000001u
#define FIRST_PORT 40000u
#define SMB_PORT   445
#define DEPTH      4u /* requests on their way */
#define FIRST_SEQ  1000u

#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG

/* Ethernet, IPv4, TCP. */
struct headers {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_tcp_hdr tcp;
} __attribute__((packed, aligned(2)));

struct end {
	struct headers headers; /* what all its packets have in common */
	struct pktgen_smb2_at at; /* what it sends next */
	struct pktgen_smb2_at got; /* and what it gets next */
	uint32_t seq, ack;
	bool opened; /* its SYN is sent */
	unsigned acks; /* that it owes */
};

static struct {
	_Atomic(const struct smb_source_order *) posted; /* by the control thread; NULL: taken */
	_Atomic bool over;

	/* The worker's, and when it is over the control thread's. */
	struct smb_source_order order;
	struct smb_source_result result;
	struct end ends[2];
	uint16_t port;
} talk;

struct smb_source {
	struct port_dev dev;
	unsigned side;
};

static unsigned side_of(const struct port_dev *dev)
{
	return ((const struct smb_source *)dev)->side;
}

static void make_headers(unsigned side)
{
	const uint16_t ports[2] = {rte_cpu_to_be_16(talk.port), rte_cpu_to_be_16(SMB_PORT)};
	struct headers *h = &talk.ends[side].headers;

	*h = (struct headers){
		.ether = {.dst_addr.addr_bytes = {2, 0, 0, 0, 0, (uint8_t)(2 - side)},
			.src_addr.addr_bytes = {2, 0, 0, 0, 0, (uint8_t)(1 + side)},
			.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)},
		.ip = {.version_ihl = 0x45,
			.time_to_live = 64,
			.next_proto_id = IPPROTO_TCP,
			.src_addr = rte_cpu_to_be_32(CLIENT_IP + side),
			.dst_addr = rte_cpu_to_be_32(CLIENT_IP + !side)},
		.tcp = {.src_port = ports[side],
			.dst_port = ports[!side],
			.data_off = sizeof(h->tcp) / 4 << 4,
			.rx_win = 0xffff},
	};
}

static void take_order(void)
{
	talk.order = *talk.posted;
	talk.result = (struct smb_source_result){.began = rte_rdtsc()};
	memset(talk.ends, 0, sizeof(talk.ends));
	talk.port = (uint16_t)(talk.port < FIRST_PORT ? FIRST_PORT : talk.port + 1u);
	for (unsigned side = 0; side < 2; side++) {
		make_headers(side);
		talk.ends[side].seq = FIRST_SEQ;
	}
	talk.posted = NULL;
}

/* The number of the message that it may not begin yet. */
static uint64_t limit_of(unsigned side)
{
	const struct end *end = &talk.ends[side];
	uint64_t limit = end->got.message;

	if (side == 0)
		limit += limit < PKTGEN_SMB2_SETUP ? 1 : DEPTH;
	return RTE_MIN(limit, talk.order.messages);
}

static void put_headers(struct end *end, struct rte_mbuf *m, uint8_t flags, uint32_t len)
{
	struct headers *h = rte_pktmbuf_mtod(m, struct headers *);

	*h = end->headers;
	h->ip.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(h->ip) + sizeof(h->tcp) + len));
	h->ip.hdr_checksum = rte_ipv4_cksum(&h->ip);
	h->tcp.sent_seq = rte_cpu_to_be_32(end->seq);
	h->tcp.recv_ack = rte_cpu_to_be_32(end->ack);
	h->tcp.tcp_flags = flags;
	end->seq += len + !!(flags & SYN);
	/* Checksums are left open, as guests do; so vhost says it. */
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
	if (len > SMB_SOURCE_MTU) {
		m->ol_flags |= RTE_MBUF_F_RX_LRO;
		m->tso_segsz = SMB_SOURCE_MTU;
	}
}

/* Fills m, and buffers behind it, with what the end sends next. False: no buffer. */
static bool put_payload(unsigned side, struct rte_mbuf *m, uint32_t *len)
{
	struct end *end = &talk.ends[side];
	uint64_t limit = limit_of(side), last = talk.order.messages - 1;
	struct rte_mbuf *at = m;

	*len = 0;
	at->data_len = sizeof(struct headers);
	for (;;) {
		uint32_t room = rte_pktmbuf_tailroom(at), n;

		room = RTE_MIN(room, talk.order.segment - *len);
		n = pktgen_smb2_bytes(talk.order.smb2, side, &end->at, limit, last,
			rte_pktmbuf_mtod_offset(at, uint8_t *, at->data_len), room);
		at->data_len += (uint16_t)n;
		*len += n;
		if (n < room || *len == talk.order.segment)
			break;
		at->next = rte_pktmbuf_alloc(port_env.pool);
		if (at->next == NULL)
			return false;
		at = at->next;
		m->nb_segs++;
	}
	m->pkt_len = (uint32_t)sizeof(struct headers) + *len;
	return true;
}

static bool may_speak(unsigned side)
{
	return talk.ends[side].at.message < limit_of(side);
}

/* The next packet of side, or NULL. */
static struct rte_mbuf *next_packet(unsigned side)
{
	struct end *end = &talk.ends[side];
	bool greets = !end->opened && (side == 0 || end->ack != 0);
	bool speaks = end->opened && talk.ends[!side].opened && end->ack != 0 && may_speak(side);
	struct rte_mbuf *m;
	uint32_t len = 0;

	if (!greets && !speaks && end->acks == 0)
		return NULL;
	m = rte_pktmbuf_alloc(port_env.pool);
	if (m == NULL)
		return NULL;
	/* What it owes goes first, each on its own. */
	if (speaks && end->acks == 0) {
		if (!put_payload(side, m, &len)) {
			rte_pktmbuf_free(m);
			return NULL;
		}
	} else {
		m->pkt_len = m->data_len = sizeof(struct headers);
		end->acks -= end->acks > 0;
	}
	put_headers(end, m, greets ? (end->ack != 0 ? SYN | ACK : SYN) : ACK, len);
	end->opened = true;
	return m;
}

static uint16_t rx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	unsigned side = side_of(dev), made = 0;

	if (talk.over || (talk.posted != NULL && side != 0))
		return 0;
	if (talk.posted != NULL)
		take_order();
	while (made < n && (pkts[made] = next_packet(side)) != NULL)
		pkts[made++]->port = dev->id;
	return (uint16_t)made;
}

/* All that was sent has arrived. */
static bool is_complete(void)
{
	return talk.ends[0].got.message == talk.order.messages &&
	       talk.ends[1].got.message == talk.order.messages;
}

/* What arrives at side: the next bytes, or something is wrong, and it is never over. */
static void arrive(unsigned side, const struct rte_mbuf *m)
{
	struct end *end = &talk.ends[side];
	const struct headers *h = rte_pktmbuf_mtod(m, const struct headers *);
	uint32_t len = m->pkt_len - (uint32_t)sizeof(*h);
	uint32_t seq = rte_be_to_cpu_32(h->tcp.sent_seq);
	bool opens = h->tcp.tcp_flags & SYN;

	talk.result.packets++;
	if ((!opens && seq != end->ack) || h->tcp.tcp_flags & RTE_TCP_RST_FLAG)
		return;
	end->ack = seq + len + opens;
	end->acks += len > 0 || opens;
	talk.result.payload += len;
	pktgen_smb2_skip(talk.order.smb2, !side, &end->got, len);
}

static uint16_t tx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	for (unsigned i = 0; i < n; i++)
		arrive(side_of(dev), pkts[i]);
	rte_pktmbuf_free_bulk(pkts, n);
	if (!talk.over && talk.order.smb2 != NULL && is_complete()) {
		talk.result.ended = rte_rdtsc();
		talk.result.done = true;
		talk.over = true;
	}
	return n;
}

void smb_source_begin(const struct smb_source_order *order)
{
	talk.posted = order;
	talk.over = false;
}

struct smb_source_result smb_source_result(void)
{
	return talk.over ? talk.result : (struct smb_source_result){0};
}

static struct port_dev *smb_source_open(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct smb_source *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		snprintf(err, err_len, "out of memory");
		return NULL;
	}
	talk.over = true;
	s->side = strcmp(conf->name, "vm2") == 0;
	s->dev.driver = &smb_source_driver;
	s->dev.id = id;
	snprintf(s->dev.name, sizeof(s->dev.name), "%s", conf->name);
	s->dev.rx_ready = s->dev.tx_ready = 1;
	s->dev.tx_caps = PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_CHAINS;
	s->dev.mtu = 65535;
	s->dev.rx_generation = 1;
	return &s->dev;
}

static int smb_source_update(struct port_dev *dev, const struct config_port *conf)
{
	return 0;
}

static uint64_t smb_source_close(struct port_dev *dev)
{
	free(dev);
	return 0;
}

static void smb_source_rx_notify(struct port_dev *dev, uint16_t queue, bool on)
{
}

static int smb_source_rx_fd(struct port_dev *dev, uint16_t queue)
{
	return PORT_FD_NONE;
}

static json_t *smb_source_describe(struct port_dev *dev)
{
	return json_pack("{s:s, s:n}", "state", "up", "error");
}

const struct port_driver smb_source_driver = {
	.kind = "source",
	.open = smb_source_open,
	.update = smb_source_update,
	.close = smb_source_close,
	.rx_burst = rx_burst,
	.tx_burst = tx_burst,
	.rx_notify = smb_source_rx_notify,
	.rx_fd = smb_source_rx_fd,
	.describe = smb_source_describe,
};
