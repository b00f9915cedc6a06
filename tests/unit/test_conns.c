/* Connections' lives: states, timeouts, who gives way when there are too many. */
#include "conn_rig.h"

#include "conn_opening.h"

#include <netinet/in.h>

#define GRE 47
#define S   CONN_TICKS_PER_SECOND

static struct rig_packet r;
static enum drop_reason reason;

static struct conn *open_one(
	struct conns *conns, uint8_t proto, uint32_t client, uint16_t port, uint32_t now)
{
	rig_packet(&r, proto, client, false, TCP_SYN);
	return rig_open(conns, &r, port, 500, 0, now, &reason);
}

static void follow(struct conns *conns, struct conn *conn, uint8_t proto, uint32_t client,
	bool answer, uint8_t flags, uint32_t now)
{
	rig_packet(&r, proto, client, answer, flags);
	assert_int_equal(conns_follow(conns, conn, &r.m, &r.p, answer, now, false), -1);
}

/* Opens, and answers until it is established. */
static struct conn *establish(
	struct conns *conns, uint8_t proto, uint32_t client, uint16_t port, uint32_t now)
{
	struct conn *conn = open_one(conns, proto, client, port, now);

	if (conn == NULL)
		return NULL;
	follow(conns, conn, proto, client, true, TCP_SYN | TCP_ACK, now);
	follow(conns, conn, proto, client, false, TCP_ACK, now);
	return conn;
}

static void expire_all(struct conns *conns, uint32_t now)
{
	while (conns_expire(conns, now, 64))
		;
}

static uint32_t used(struct conns *conns)
{
	return conn_table_used(conns_table(conns));
}

/* What is settled is not followed: whatever a connection has come to, that would change nothing. */
static void test_settled_is_what_following_leaves(void **state)
{
	static const uint8_t protos[] = {TCP, UDP, IPPROTO_ICMP, GRE};
	struct conns *conns = conns_create(64);
	unsigned settled = 0;

	for (unsigned i = 0; i < 4000; i++) {
		uint8_t proto = protos[i % RTE_DIM(protos)];
		struct conn *conn = open_one(conns, proto, 1, 1, S);

		assert_non_null(conn);
		for (unsigned n = 0; n < 12; n++) {
			uint8_t flags = rand() % 3 ? TCP_ACK : (uint8_t)(rand() & 0x3f);
			bool answer = rand() & 1, strict = rand() % 4 == 0;
			struct conn before = *conn;

			/* The usual handshake, to begin with. */
			if (n < 2 && i % 8 < 4) {
				flags = n == 0 ? TCP_SYN | TCP_ACK : TCP_ACK;
				answer = n == 0;
			}
			rig_packet(&r, proto, 1, answer, flags);
			if (conns_is_settled(conn, r.p.tcp_flags, answer, strict)) {
				settled++;
				assert_int_equal(
					conns_follow(conns, conn, &r.m, &r.p, answer, S, strict),
					-1);
				assert_memory_equal(conn, &before, sizeof(before));
			} else {
				conns_follow(conns, conn, &r.m, &r.p, answer, S, strict);
			}
		}
		conns_close(conns, conn);
	}
	assert_true(settled > 4000);
	conns_free(conns);
}

static void test_states(void **state)
{
	static const struct {
		uint8_t proto;
		enum conn_state first, again, answered;
	} cases[] = {
		{TCP, CONN_TCP_SYN, CONN_TCP_SYN, CONN_TCP_SYN_ACK},
		{UDP, CONN_UDP_FIRST, CONN_UDP_SINGLE, CONN_UDP_MULTIPLE},
		{IPPROTO_ICMP, CONN_ICMP_FIRST, CONN_ICMP_FIRST, CONN_ICMP_REPLIED},
		{GRE, CONN_OTHER_FIRST, CONN_OTHER_SINGLE, CONN_OTHER_MULTIPLE},
	};
	struct conns *conns = rig_conns(100);

	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		uint8_t proto = cases[i].proto;
		struct conn *conn = open_one(conns, proto, 1, 7, 0);

		assert_int_equal(conn->state, cases[i].first);
		/* Repeats stay new until there is an answer. */
		for (unsigned n = 0; n < 3; n++) {
			follow(conns, conn, proto, 1, false, TCP_SYN, 1);
			assert_int_equal(conn->state, cases[i].again);
		}
		assert_false(conn->flags & CONN_BOUND_1);
		follow(conns, conn, proto, 1, true, TCP_SYN | TCP_ACK, 2);
		assert_int_equal(conn->state, cases[i].answered);
		assert_true(conn->flags & CONN_BOUND_1);
		assert_memory_equal(conn->l2[1], r.frame.data, 12);
		assert_ptr_equal(
			conn_table_find(conns_table(conns), &r.view, 9, r.frame.data), conn);
	}
	assert_int_equal(conn_quota_port(7), RTE_DIM(cases));
	assert_int_equal(conn_quota_tenant(0), RTE_DIM(cases));
	conns_free(conns);
	assert_int_equal(conn_quota_port(7), 0);
	assert_int_equal(conn_quota_tenant(0), 0);
}

/* In every state, it goes when its time is up and not a second before. */
static void check_expiry(uint8_t proto, const uint8_t *steps, enum conn_state wanted)
{
	struct conns *conns = rig_conns(100);
	struct conn_timeouts timeouts = rig_timeouts();
	uint32_t start = 5000 * S + 3, end = start + timeouts.seconds[wanted] * S;
	struct conn *conn = open_one(conns, proto, 1, 7, start);

	/* high bit: by the other side */
	for (; steps != NULL && *steps != 0; steps++)
		follow(conns, conn, proto, 1, *steps & 0x40, *steps & 0x1f, start);
	assert_int_equal(conn->state, wanted);
	for (uint32_t now = start; now < end; now += 100 * S)
		expire_all(conns, now);
	expire_all(conns, end - 1);
	assert_int_equal(used(conns), 1);
	expire_all(conns, end + S);
	assert_int_equal(used(conns), 0);
	assert_int_equal(conn_quota_port(7), 0);
	conns_free(conns);
}

static void test_expiry(void **state)
{
	const uint8_t back = 0x40, syn_ack = back | TCP_SYN | TCP_ACK, ack = TCP_ACK;
	const uint8_t fin = TCP_FIN | TCP_ACK;

	check_expiry(TCP, NULL, CONN_TCP_SYN);
	check_expiry(TCP, (uint8_t[]){syn_ack, 0}, CONN_TCP_SYN_ACK);
	check_expiry(TCP, (uint8_t[]){syn_ack, ack, 0}, CONN_TCP_ESTABLISHED);
	check_expiry(TCP, (uint8_t[]){syn_ack, ack, fin, 0}, CONN_TCP_FIN);
	check_expiry(TCP, (uint8_t[]){syn_ack, ack, fin, back | fin, 0}, CONN_TCP_CLOSING);
	check_expiry(TCP, (uint8_t[]){syn_ack, ack, back | RIG_RST, 0}, CONN_TCP_CLOSED);
	check_expiry(UDP, NULL, CONN_UDP_FIRST);
	check_expiry(UDP, (uint8_t[]){ack, 0}, CONN_UDP_SINGLE);
	check_expiry(UDP, (uint8_t[]){back | ack, 0}, CONN_UDP_MULTIPLE);
	check_expiry(IPPROTO_ICMP, NULL, CONN_ICMP_FIRST);
	check_expiry(IPPROTO_ICMP, (uint8_t[]){back | ack, 0}, CONN_ICMP_REPLIED);
	check_expiry(GRE, NULL, CONN_OTHER_FIRST);
	check_expiry(GRE, (uint8_t[]){ack, 0}, CONN_OTHER_SINGLE);
	check_expiry(GRE, (uint8_t[]){back | ack, 0}, CONN_OTHER_MULTIPLE);
}

/* Packets keep it; but not one that was closed. */
static void test_traffic_keeps(void **state)
{
	struct conns *conns = rig_conns(100);
	struct conn *conn = establish(conns, UDP, 1, 7, 0);
	struct conn *closed = establish(conns, TCP, 2, 7, 0);
	uint32_t now;

	follow(conns, closed, TCP, 2, true, RIG_RST, 0);
	for (now = 0; now < 3000 * S; now += 30 * S) {
		follow(conns, conn, UDP, 1, false, 0, now);
		if (used(conns) == 2)
			follow(conns, closed, TCP, 2, false, TCP_ACK, now);
		expire_all(conns, now);
		assert_int_equal(used(conns), now > 21 * S ? 1 : 2);
	}
	conns_free(conns);
}

/* Hours without a call: what is due goes, the rest stays, in steps of the budget. */
static void test_catching_up(void **state)
{
	struct conns *conns = rig_conns(2000);
	unsigned calls = 1;

	for (uint32_t i = 0; i < 1000; i++) {
		assert_non_null(establish(conns, TCP, i, 7, i));
		assert_non_null(establish(conns, UDP, i, 8, i));
	}
	for (; conns_expire(conns, 10 * 3600 * S, 16); calls++)
		assert_true(calls < 1000);
	assert_true(calls > 100);
	assert_int_equal(used(conns), 1000);
	assert_int_equal(conn_quota_port(8), 0);
	expire_all(conns, 13 * 3600 * S);
	assert_int_equal(used(conns), 0);
	conns_free(conns);
}

static void test_new_timeouts(void **state)
{
	struct conns *conns = rig_conns(100);
	struct conn_timeouts timeouts = rig_timeouts();

	establish(conns, TCP, 1, 7, 0);
	expire_all(conns, 10 * S);
	timeouts.seconds[CONN_TCP_ESTABLISHED] = 30;
	conns_set_timeouts(conns, &timeouts);
	expire_all(conns, 29 * S);
	assert_int_equal(used(conns), 1);
	expire_all(conns, 32 * S);
	assert_int_equal(used(conns), 0);
	conns_free(conns);
}

static bool is_there(struct conns *conns, uint8_t proto, uint32_t client)
{
	rig_packet(&r, proto, client, false, TCP_ACK);
	return conn_table_find(conns_table(conns), &r.view, 7, r.frame.data) != NULL;
}

static void test_port_limit(void **state)
{
	struct conns *conns = rig_conns(100);
	struct conn_limits limits = {4, UINT32_MAX};
	struct conn *closed;

	conn_quota_set_port(7, &limits);
	conn_quota_port_peak(7);
	establish(conns, TCP, 0, 7, 0);
	open_one(conns, TCP, 1, 7, 0);
	open_one(conns, TCP, 2, 7, 0);
	closed = establish(conns, TCP, 3, 7, 0);
	follow(conns, closed, TCP, 3, false, RIG_RST, 0);
	assert_int_equal(conn_quota_port_peak(7), 4);
	/* What is closed goes first, then the oldest, never the established one. */
	assert_non_null(open_one(conns, TCP, 4, 7, 1));
	assert_false(is_there(conns, TCP, 3));
	assert_non_null(open_one(conns, TCP, 5, 7, 1));
	assert_false(is_there(conns, TCP, 1));
	assert_non_null(open_one(conns, TCP, 6, 7, 1));
	assert_false(is_there(conns, TCP, 2));
	assert_true(is_there(conns, TCP, 0));
	assert_int_equal(conns_pushed_out(conns), 3);
	assert_int_equal(conn_quota_port(7), 4);
	conns_free(conns);

	conns = rig_conns(100);
	conn_quota_set_port(7, &limits);
	for (uint32_t i = 0; i < 4; i++)
		establish(conns, TCP, i, 7, 0);
	assert_null(open_one(conns, TCP, 5, 7, 0));
	assert_int_equal(reason, DROP_conn_limit_port);
	assert_non_null(open_one(conns, TCP, 5, 8, 0));
	assert_int_equal(conn_quota_port(7), 4);
	conns_free(conns);
}

static void test_tenant_limit(void **state)
{
	struct conns *conns = rig_conns(100);
	struct conn_limits limits = {6, UINT32_MAX};

	conn_quota_set_tenant(0, &limits);
	/* Another tenant has more that could go. It is not asked. */
	for (uint32_t i = 0; i < 20; i++) {
		rig_packet(&r, UDP, 100 + i, false, 0);
		assert_non_null(rig_open(conns, &r, 20, 21, 9, 0, &reason));
	}
	open_one(conns, UDP, 0, 7, 0);
	for (uint32_t i = 1; i < 4; i++)
		open_one(conns, UDP, i, 8, 0);
	establish(conns, UDP, 4, 9, 0);
	establish(conns, UDP, 5, 9, 0);
	/* Of the one with the most, so that who floods costs nobody else one; of its own, where no
	 * other has more. */
	assert_non_null(open_one(conns, UDP, 6, 7, 0));
	assert_false(is_there(conns, UDP, 1));
	assert_non_null(open_one(conns, UDP, 7, 7, 0));
	assert_false(is_there(conns, UDP, 0));
	assert_int_equal(conn_quota_tenant(0), 6);
	assert_int_equal(conn_quota_tenant(9), 20);
	for (uint32_t i = 0; i < 8; i++) {
		struct conn *conn;

		rig_packet(&r, UDP, i, true, 0);
		conn = conn_table_find(conns_table(conns), &r.view, 500, r.frame.data);
		if (conn != NULL)
			follow(conns, conn, UDP, i, true, 0, 1);
	}
	assert_null(open_one(conns, UDP, 8, 10, 0));
	assert_int_equal(reason, DROP_conn_limit_tenant);
	assert_int_equal(conn_quota_port(10), 0);
	conns_free(conns);
}

/* What was denied goes first and soon, and comes back to its place when it is allowed again. */
static void test_denied(void **state)
{
	struct conns *conns = rig_conns(100);
	struct conn_limits limits = {3, UINT32_MAX};
	struct conn *conn;

	conn_quota_set_port(7, &limits);
	open_one(conns, UDP, 0, 7, 0);
	conn = establish(conns, UDP, 1, 7, 0);
	establish(conns, UDP, 2, 7, 0);
	conns_deny(conns, conn, true, 0);
	assert_non_null(open_one(conns, UDP, 3, 7, 0));
	assert_false(is_there(conns, UDP, 1));
	assert_true(is_there(conns, UDP, 0));
	/* Allowed again, an established one is safe. */
	rig_packet(&r, UDP, 2, false, 0);
	conn = conn_table_find(conns_table(conns), &r.view, 7, r.frame.data);
	conns_deny(conns, conn, true, 0);
	conns_deny(conns, conn, true, 0);
	conns_deny(conns, conn, false, 0);
	assert_non_null(open_one(conns, UDP, 4, 7, 0));
	assert_non_null(open_one(conns, UDP, 5, 7, 0));
	assert_true(is_there(conns, UDP, 2));
	conns_deny(conns, conn, true, 0);
	expire_all(conns, 22 * S);
	assert_false(is_there(conns, UDP, 2));
	assert_int_equal(used(conns), 2);
	assert_int_equal(conn_quota_port(7), 2);
	conns_free(conns);
}

/* From one worker's table to another's, as it was. */
static void test_adopted(void **state)
{
	struct conns *old = rig_conns(100), *conns = rig_conns(1);
	struct conn *conn = establish(old, TCP, 1, 7, 5), copy;
	struct conn_detail detail = *conn_table_detail(conns_table(old), conn);

	copy = *conn;
	conns_close(old, conn);
	conn = conns_adopt(conns, &copy, &detail);
	assert_non_null(conn);
	assert_int_equal(conn->state, CONN_TCP_ESTABLISHED);
	assert_int_equal(conn_quota_port(7), 1);
	rig_packet(&r, TCP, 1, true, TCP_ACK);
	assert_ptr_equal(conn_table_find(conns_table(conns), &r.view, 500, r.frame.data), conn);
	/* No room, and nothing that could go. */
	copy.key.port[0]++;
	assert_null(conns_adopt(conns, &copy, &detail));
	assert_int_equal(conn_quota_port(7), 1);
	expire_all(conns, 43300 * S);
	assert_int_equal(used(conns), 0);
	conns_free(conns);
	conns_free(old);
	assert_int_equal(conn_quota_port(7), 0);
}

/* A port that floods takes only from itself, once the table is full. */
static void test_flood_is_its_own(void **state)
{
	struct conns *conns = rig_conns(3000);

	for (uint32_t i = 0; i < 100; i++)
		assert_non_null(establish(conns, TCP, i, 7, 0));
	for (uint32_t i = 100; i < 200; i++)
		assert_non_null(open_one(conns, TCP, i, 7, 0));
	for (uint32_t i = 1000; i < 21000; i++)
		assert_non_null(open_one(conns, i & 1 ? TCP : UDP, i, 8, 1));
	for (uint32_t i = 0; i < 200; i++)
		assert_true(is_there(conns, TCP, i));
	assert_int_equal(used(conns), 3000);
	assert_int_equal(conn_quota_port(8), 2800);
	/* And others still open theirs. */
	for (uint32_t i = 200; i < 300; i++)
		assert_non_null(establish(conns, TCP, i, 7, 2));
	for (uint32_t i = 0; i < 300; i++)
		assert_true(is_there(conns, TCP, i));
	conns_free(conns);
}

static void test_full_of_established(void **state)
{
	struct conns *conns = rig_conns(50);

	for (uint32_t i = 0; i < 50; i++)
		assert_non_null(establish(conns, TCP, i, 7, 0));
	assert_null(open_one(conns, TCP, 50, 8, 0));
	assert_int_equal(reason, DROP_conn_table_full);
	assert_int_equal(conn_quota_port(8), 0);
	assert_int_equal(conn_quota_tenant(0), 50);
	assert_int_equal(used(conns), 50);
	conns_free(conns);
}

static void test_rates(void **state)
{
	struct conns *conns = rig_conns(1000);
	struct conn_limits port = {1000, 10}, tenant = {1000, 25};
	uint32_t n = 0;

	conn_quota_set_port(7, &port);
	conn_quota_set_tenant(0, &tenant);
	for (uint32_t i = 0; i < 10; i++)
		assert_non_null(open_one(conns, UDP, n++, 7, 100 * S));
	assert_null(open_one(conns, UDP, n++, 7, 100 * S));
	assert_int_equal(reason, DROP_conn_rate_port);
	for (uint32_t i = 0; i < 15; i++)
		assert_non_null(open_one(conns, UDP, n++, 8, 100 * S));
	assert_null(open_one(conns, UDP, n++, 8, 100 * S));
	assert_int_equal(reason, DROP_conn_rate_tenant);
	/* Half a second is five more of the port. */
	for (uint32_t i = 0; i < 5; i++)
		assert_non_null(open_one(conns, UDP, n++, 7, 100 * S + S / 2));
	assert_null(open_one(conns, UDP, n++, 7, 100 * S + S / 2));
	/* A long rest is one second's worth. */
	for (uint32_t i = 0; i < 10; i++)
		assert_non_null(open_one(conns, UDP, n++, 7, 9000 * S));
	assert_null(open_one(conns, UDP, n++, 7, 9000 * S));
	assert_int_equal(reason, DROP_conn_rate_port);
	conns_free(conns);
}

/* Two workers of a network have half each. */
static void test_rates_are_shared(void **state)
{
	static struct conn_meters meters[2];
	struct conn_limits limits = {1000, 10};
	unsigned passed = 0;

	conn_quota_set_port(30, &limits);
	limits.per_second = 1000;
	conn_quota_set_tenant(30, &limits);
	for (unsigned i = 0; i < 40; i++)
		passed += conn_quota_meter(&meters[i & 1], 30, 30, 2, 50 * S) < 0;
	assert_int_equal(passed, 10);
	/* However many they are, each may have one. */
	assert_int_equal(conn_quota_meter(&meters[0], 30, 30, 100, 60 * S), -1);
	limits.per_second = 0;
	conn_quota_set_port(30, &limits);
	assert_int_equal(conn_quota_meter(&meters[0], 30, 30, 1, 90 * S), DROP_conn_rate_port);
}

static void test_close_port(void **state)
{
	struct conns *conns = rig_conns(1000);
	unsigned calls = 1;

	for (uint32_t i = 0; i < 100; i++) {
		establish(conns, TCP, i, 7, 0);
		establish(conns, TCP, 100 + i, 8, 0);
		open_one(conns, UDP, i, 7, 0);
	}
	assert_true(conns_close_port(conns, 7, 0));
	assert_int_equal(used(conns), 300);
	/* The next port with that number keeps its own. */
	for (uint32_t i = 200; i < 250; i++)
		establish(conns, TCP, i, 7, 0);
	for (; conns_close_port(conns, 7, 50); calls++)
		assert_true(calls < 100);
	assert_true(calls >= 1000 / 50);
	assert_int_equal(used(conns), 150);
	assert_int_equal(conn_quota_port(7), 50);
	/* Also the far end. */
	while (conns_close_port(conns, 500, 50))
		;
	assert_int_equal(used(conns), 0);
	assert_int_equal(conn_quota_port(7) + conn_quota_port(8), 0);
	conns_free(conns);
}

static void test_picked_up(void **state)
{
	struct conns *conns = rig_conns(100);
	struct conn_open open = {
		.view = &r.view, .opener = 0, .port = {7, 8}, .picked_up = true, .workers = 1};
	struct conn *conn;

	/* By an answer: its direction is bound, and the other decides. */
	rig_packet(&r, TCP, 1, true, TCP_ACK);
	assert_false(conn_opening_starts(&r.p, &r.view));
	open.l2 = r.frame.data;
	conn = conns_open(conns, &open, 0, &reason);
	assert_int_equal(conns_follow(conns, conn, &r.m, &r.p, 1, 0, true), -1);
	assert_int_equal(conn->flags & (CONN_OPENER | CONN_BOUND_0 | CONN_BOUND_1), CONN_BOUND_1);
	/* One side alone could be anyone. */
	follow(conns, conn, TCP, 1, true, TCP_ACK, 0);
	assert_int_equal(conn->state, CONN_TCP_SYN_ACK);
	follow(conns, conn, TCP, 1, false, TCP_ACK, 0);
	assert_int_equal(conn->state, CONN_TCP_ESTABLISHED);

	rig_packet(&r, UDP, 1, true, 0);
	open.l2 = r.frame.data;
	conn = conns_open(conns, &open, 0, &reason);
	assert_int_equal(conns_follow(conns, conn, &r.m, &r.p, 1, 0, true), -1);
	assert_int_equal(conn->state, CONN_UDP_FIRST);
	follow(conns, conn, UDP, 1, true, 0, 0);
	assert_int_equal(conn->state, CONN_UDP_SINGLE);
	follow(conns, conn, UDP, 1, false, 0, 0);
	assert_int_equal(conn->state, CONN_UDP_MULTIPLE);
	conns_free(conns);
}

static void test_may_open(void **state)
{
	static const uint8_t no[] = {0, TCP_ACK, TCP_SYN | TCP_ACK, TCP_FIN, TCP_SYN | TCP_FIN,
		RIG_RST, TCP_SYN | RIG_RST, TCP_PSH};

	for (unsigned i = 0; i < RTE_DIM(no); i++) {
		rig_packet(&r, TCP, 1, false, no[i]);
		assert_false(conn_opening_starts(&r.p, &r.view));
	}
	rig_packet(&r, TCP, 1, false, TCP_SYN);
	assert_true(conn_opening_starts(&r.p, &r.view));
	rig_packet(&r, TCP, 1, false, TCP_SYN | 0xc0); /* ECN */
	assert_true(conn_opening_starts(&r.p, &r.view));
	rig_packet(&r, UDP, 1, false, 0);
	assert_true(conn_opening_starts(&r.p, &r.view));
	rig_packet(&r, IPPROTO_ICMP, 1, false, 0);
	assert_true(conn_opening_starts(&r.p, &r.view));
	rig_packet(&r, IPPROTO_ICMP, 1, true, 0);
	assert_false(conn_opening_starts(&r.p, &r.view));
}

/* Random lives against counts that are kept beside. */
#define CLIENTS 300

static void test_against_counts(void **state)
{
	struct conns *conns = rig_conns(200);
	uint64_t random = 7;
	uint32_t now = 0;

	for (unsigned i = 0; i < 100000; i++) {
		uint32_t client = frames_random(&random) % CLIENTS;
		uint8_t proto = (uint8_t[]){TCP, UDP, IPPROTO_ICMP}[client % 3];
		uint8_t flags = (uint8_t[]){TCP_SYN, TCP_ACK, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK,
			RIG_RST}[frames_random(&random) % 5];
		bool answer = frames_random(&random) % 2;
		uint16_t port = (uint16_t)(7 + client % 4);
		struct conn *conn;

		rig_packet(&r, proto, client, answer, flags);
		conn = conn_table_find(
			conns_table(conns), &r.view, answer ? 500 : port, r.frame.data);
		if (conn != NULL && frames_random(&random) % 16 == 0)
			conns_close(conns, conn);
		else if (conn != NULL)
			follow(conns, conn, proto, client, answer, flags, now);
		else if (!answer && conn_opening_starts(&r.p, &r.view))
			rig_open(conns, &r, port, 500, 0, now, &reason);
		now += frames_random(&random) % 4;
		conns_expire(conns, now, 8);
		assert_int_equal(conn_quota_port(7) + conn_quota_port(8) + conn_quota_port(9) +
					 conn_quota_port(10),
			used(conns));
		assert_int_equal(conn_quota_tenant(0), used(conns));
	}
	expire_all(conns, now + 50000 * S);
	assert_int_equal(used(conns), 0);
	conns_free(conns);
}

/* All included: with the wheel, the lists and the meters. */
static void test_bytes(void **state)
{
	struct conns *conns = rig_conns(1000000);

	assert_true(conns_bytes(conns) > conn_table_bytes(conns_table(conns)));
	assert_true(conns_bytes(conns) <= 1000000 * 192ull);
	conns_free(conns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_settled_is_what_following_leaves),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_traffic_keeps),
		cmocka_unit_test(test_catching_up),
		cmocka_unit_test(test_new_timeouts),
		cmocka_unit_test(test_port_limit),
		cmocka_unit_test(test_tenant_limit),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_adopted),
		cmocka_unit_test(test_flood_is_its_own),
		cmocka_unit_test(test_full_of_established),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_rates_are_shared),
		cmocka_unit_test(test_close_port),
		cmocka_unit_test(test_picked_up),
		cmocka_unit_test(test_may_open),
		cmocka_unit_test(test_against_counts),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
