#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "config.h"
#include "source.h"
#include "switch_state.h"

#define L3 14
#define L4 (L3 + 20)

struct source {
	struct port_dev dev;
	unsigned number; /* N of vmN */
	_Atomic(const struct source_order *) posted; /* by the control thread; NULL: taken */
	_Atomic bool done; /* all of it is sent */

	/* The worker's that polls it. */
	struct source_order order;
	uint32_t at; /* flow that comes next */
	uint8_t frame[64]; /* all that its packets have in common */
	uint32_t sum; /* of its IP header, but for the addresses */
};

static _Thread_local uint64_t sunk;

static struct source *source(struct port_dev *dev)
{
	return (struct source *)dev;
}

static bool is_server(const struct source *s)
{
	return s->number % 2 == 0;
}

/* N of the port at the other end. */
static unsigned peer(const struct source *s)
{
	return is_server(s) ? s->number - 1 : s->number + 1;
}

static void make_frame(struct source *s)
{
	const uint8_t macs[2][6] = {
		{2, 0, 0, 0, 0, (uint8_t)peer(s)}, {2, 0, 0, 0, 0, (uint8_t)s->number}};
	struct rte_ipv4_hdr ip = {
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16(SOURCE_FRAME - L3),
		.time_to_live = 64,
		.next_proto_id = s->order.protocol,
		.src_addr = rte_cpu_to_be_32(0x0a000001 + (s->number << 8)),
		.dst_addr = rte_cpu_to_be_32(0x0a000001 + (peer(s) << 8)),
	};

	s->sum = rte_raw_cksum(&ip, sizeof(ip));
	memset(s->frame, 0, sizeof(s->frame));
	memcpy(s->frame, macs, sizeof(macs));
	s->frame[12] = 0x08;
	memcpy(s->frame + L3, &ip, sizeof(ip));
	if (s->order.protocol == IPPROTO_TCP) {
		struct rte_tcp_hdr tcp = {
			.data_off = 5 << 4,
			.tcp_flags = s->order.tcp_flags,
			.rx_win = 0xffff,
			.sent_seq = rte_cpu_to_be_32(s->order.tcp_flags & RTE_TCP_SYN_FLAG ? 0 : 1),
			.recv_ack = rte_cpu_to_be_32(s->order.tcp_flags & RTE_TCP_ACK_FLAG ? 1 : 0),
		};

		memcpy(s->frame + L4, &tcp, sizeof(tcp));
	} else {
		struct rte_udp_hdr udp = {.dgram_len = rte_cpu_to_be_16(SOURCE_FRAME - L4)};

		memcpy(s->frame + L4, &udp, sizeof(udp));
	}
}

/* Which of both ends' addresses the flow goes between, into a frame that has the first ones. */
static void set_addresses(const struct source *s, uint8_t *data, uint32_t flow)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(data + L3);
	unsigned n = s->order.addresses > 0 ? s->order.addresses : 1;
	const uint32_t add[2] = {flow % n, flow / n % n};
	uint32_t sum = s->sum + rte_cpu_to_be_16((uint16_t)(add[0] + add[1]));

	ip->src_addr += rte_cpu_to_be_32(add[is_server(s)]);
	ip->dst_addr += rte_cpu_to_be_32(add[!is_server(s)]);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->hdr_checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

static void make_packet(struct source *s, struct rte_mbuf *m)
{
	uint32_t flow = s->order.flows != NULL ? s->order.flows[s->at] : s->order.first + s->at;
	uint16_t ports[2] = {
		rte_cpu_to_be_16((uint16_t)(SOURCE_CLIENT + flow % SOURCE_CLIENTS)),
		rte_cpu_to_be_16((uint16_t)(SOURCE_SERVER + flow / SOURCE_CLIENTS)),
	};
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

	memcpy(data, s->frame, sizeof(s->frame));
	memcpy(data + L4, &ports[is_server(s)], sizeof(ports[0]));
	memcpy(data + L4 + sizeof(ports[0]), &ports[!is_server(s)], sizeof(ports[0]));
	set_addresses(s, data, flow);
	m->data_len = SOURCE_FRAME;
	m->pkt_len = SOURCE_FRAME;
	m->port = s->dev.id;
	s->at = s->at + 1 < s->order.n_flows ? s->at + 1 : 0;
}

void source_send(const char *name, const struct source_order *order)
{
	struct source *s = source(switch_find_port(name)->dev);

	atomic_store_explicit(&s->posted, order, memory_order_release);
}

bool source_is_done(const char *name)
{
	const struct source *s = source(switch_find_port(name)->dev);

	return atomic_load(&s->posted) == NULL && atomic_load(&s->done);
}

/* A new order. */
static void take_order(struct source *s)
{
	atomic_store(&s->done, false); /* before it is seen to be taken */
	s->order = *atomic_exchange(&s->posted, NULL);
	/* Goes on where it was, so that short runs come to all flows, too. */
	if (s->order.flows == NULL || s->at >= s->order.n_flows)
		s->at = 0;
	make_frame(s);
}

uint64_t source_sunk(void)
{
	return sunk;
}

static struct port_dev *source_open(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct source *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		snprintf(err, err_len, "out of memory");
		return NULL;
	}
	s->dev.driver = &source_driver;
	s->dev.id = id;
	s->number = (unsigned)atoi(conf->name + 2);
	s->done = true;
	snprintf(s->dev.name, sizeof(s->dev.name), "%s", conf->name);
	s->dev.rx_ready = s->dev.tx_ready = 1;
	s->dev.tx_caps = PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_CHAINS;
	s->dev.mtu = conf->mtu;
	s->dev.rx_generation = 1;
	return &s->dev;
}

static int source_update(struct port_dev *dev, const struct config_port *conf)
{
	dev->mtu = conf->mtu;
	return 0;
}

static uint64_t source_close(struct port_dev *dev)
{
	free(source(dev));
	return 0;
}

static uint16_t source_rx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct source *s = source(dev);

	if (unlikely(atomic_load_explicit(&s->posted, memory_order_acquire) != NULL))
		take_order(s);
	if (n > s->order.packets)
		n = (uint16_t)s->order.packets;
	if (n == 0) {
		atomic_store_explicit(&s->done, true, memory_order_release);
		return 0;
	}
	if (rte_pktmbuf_alloc_bulk(port_env.pool, pkts, n) != 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		make_packet(s, pkts[i]);
	s->order.packets -= n;
	return n;
}

static uint16_t source_tx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	rte_pktmbuf_free_bulk(pkts, n);
	sunk += n;
	return n;
}

static void source_rx_notify(struct port_dev *dev, uint16_t queue, bool on)
{
}

static int source_rx_fd(struct port_dev *dev, uint16_t queue)
{
	return PORT_FD_NONE;
}

static json_t *source_describe(struct port_dev *dev)
{
	return json_pack("{s:s, s:n}", "state", "up", "error");
}

const struct port_driver source_driver = {
	.kind = "source",
	.open = source_open,
	.update = source_update,
	.close = source_close,
	.rx_burst = source_rx_burst,
	.tx_burst = source_tx_burst,
	.rx_notify = source_rx_notify,
	.rx_fd = source_rx_fd,
	.describe = source_describe,
};
