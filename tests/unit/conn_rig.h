/* Packets of connections, as a worker has them at hand, and the connections that they make. */
#ifndef VS_TEST_CONN_RIG_H
#define VS_TEST_CONN_RIG_H

#include "frames.h"

#include "conn_quota.h"
#include "conns.h"

#define RIG_RST 0x04

struct rig_packet {
	struct frame frame;
	struct rte_mbuf m;
	struct packet p;
	struct conn_view view;
};

/* A segment. */
struct rig_tcp {
	bool answer; /* sent by the other side */
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t window;
	uint32_t payload;
	int scale; /* of a SYN's option; -1: none */
};

static inline void rig_parse(struct rig_packet *r)
{
	r->m = (struct rte_mbuf){.buf_addr = r->frame.data,
		.data_len = (uint16_t)r->frame.len,
		.pkt_len = r->frame.len};
	assert_int_equal(packet_parse(&r->m, &r->p), -1);
	conn_view(&r->m, &r->p, 0, &r->view);
}

/* Another client for each number, below 10.0.7.200. */
static inline void rig_packet(
	struct rig_packet *r, uint8_t proto, uint32_t client, bool answer, uint8_t tcp_flags)
{
	struct frame_spec spec = {
		.proto = proto, .reverse = answer, .tcp_flags = tcp_flags, .payload = 8};
	uint8_t *ip;

	frame_build(&r->frame, &spec);
	ip = r->frame.data + r->frame.l3;
	put16(ip + (answer ? 18 : 14), client >> 15 & 0x3ff);
	if (proto == TCP || proto == UDP)
		put16(r->frame.data + r->frame.l4 + (answer ? 2 : 0), 1024 + (client & 0x7fff));
	else if (proto == 1) {
		r->frame.data[r->frame.l4] = answer ? 0 : 8;
		put16(r->frame.data + r->frame.l4 + 4, client & 0x7fff);
	}
	rig_parse(r);
}

static inline void rig_tcp_packet(struct rig_packet *r, const struct rig_tcp *t)
{
	struct frame_spec spec = {.proto = TCP,
		.reverse = t->answer,
		.tcp_flags = t->flags,
		.tcp_words = t->scale >= 0 && t->flags & TCP_SYN ? 1 : 0,
		.payload = t->payload};
	uint8_t *l4;

	frame_build(&r->frame, &spec);
	l4 = r->frame.data + r->frame.l4;
	put32(l4 + 4, t->seq);
	put32(l4 + 8, t->ack);
	put16(l4 + 14, t->window);
	if (spec.tcp_words > 0)
		memcpy(l4 + 20, (uint8_t[]){1, 3, 3, (uint8_t)t->scale}, 4);
	rig_parse(r);
}

static inline struct conn_timeouts rig_timeouts(void)
{
	struct conn_timeouts t = {0};

	t.seconds[CONN_TCP_SYN] = 60;
	t.seconds[CONN_TCP_SYN_ACK] = 30;
	t.seconds[CONN_TCP_ESTABLISHED] = 43200;
	t.seconds[CONN_TCP_FIN] = 120;
	t.seconds[CONN_TCP_CLOSING] = 45;
	t.seconds[CONN_TCP_CLOSED] = 20;
	t.seconds[CONN_UDP_FIRST] = 61;
	t.seconds[CONN_UDP_SINGLE] = 31;
	t.seconds[CONN_UDP_MULTIPLE] = 62;
	t.seconds[CONN_ICMP_FIRST] = 21;
	t.seconds[CONN_ICMP_REPLIED] = 11;
	t.seconds[CONN_OTHER_FIRST] = 63;
	t.seconds[CONN_OTHER_SINGLE] = 33;
	t.seconds[CONN_OTHER_MULTIPLE] = 64;
	return t;
}

static inline struct conns *rig_conns(uint32_t capacity)
{
	struct conns *conns = conns_create(capacity);
	struct conn_timeouts timeouts = rig_timeouts();
	struct conn_limits limits = {UINT32_MAX, UINT32_MAX};

	assert_non_null(conns);
	conns_set_timeouts(conns, &timeouts);
	for (unsigned i = 0; i < MAX_PORTS; i++)
		conn_quota_set_port((uint16_t)i, &limits);
	for (unsigned i = 0; i < CONFIG_TENANTS_MAX; i++)
		conn_quota_set_tenant((uint16_t)i, &limits);
	return conns;
}

/* r opens a connection from port `from` of tenant to port `to`, and is followed. */
static inline struct conn *rig_open(struct conns *conns, const struct rig_packet *r, uint16_t from,
	uint16_t to, uint16_t tenant, uint32_t now, enum drop_reason *reason)
{
	struct conn_open open = {.view = &r->view,
		.opener = r->view.sender,
		.tenant = tenant,
		.l2 = r->frame.data,
		.workers = 1};
	struct conn *conn;

	open.port[r->view.sender] = from;
	open.port[!r->view.sender] = to;
	conn = conns_open(conns, &open, now, reason);
	if (conn != NULL)
		assert_int_equal(
			conns_follow(conns, conn, &r->m, &r->p, r->view.sender, now, false), -1);
	return conn;
}

#endif
