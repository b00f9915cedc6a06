/* TCP's states and numbers, step by step. */
#include "conn_rig.h"

#include "conn_tcp.h"

#define ISN_A 0xffffff00u /* wraps early */
#define ISN_B 5000u

#define SYN_ACK (TCP_SYN | TCP_ACK)
#define FIN_ACK (TCP_FIN | TCP_ACK)

static struct rig_packet r;
static struct conns *conns;
static struct conn *conn;
static bool strict;

/* Both sides' next sequence numbers. */
static uint32_t next[2];

static int send_raw(const struct rig_tcp *t)
{
	rig_tcp_packet(&r, t);
	return conns_follow(conns, conn, &r.m, &r.p, r.view.sender, 1, strict);
}

/* The next segment of one side, acknowledging all of the other. */
static int step(bool answer, uint8_t flags, uint32_t payload)
{
	struct rig_tcp t = {
		answer, flags, next[answer], flags & TCP_ACK ? next[!answer] : 0, 1000, payload, 7};

	next[answer] += payload + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
	return send_raw(&t);
}

static void expect(bool answer, uint8_t flags, uint32_t payload, enum conn_state state)
{
	assert_int_equal(step(answer, flags, payload), -1);
	assert_int_equal(conn->state, state);
}

static int setup(void **state)
{
	enum drop_reason reason;
	struct conn_open open = {.view = &r.view, .opener = 0, .port = {7, 8}, .workers = 1};
	struct rig_tcp syn = {false, TCP_SYN, ISN_A, 0, 1000, 0, 7};

	conns = rig_conns(100);
	rig_tcp_packet(&r, &syn);
	open.l2 = r.frame.data;
	conn = conns_open(conns, &open, 0, &reason);
	assert_non_null(conn);
	next[0] = ISN_A;
	next[1] = ISN_B;
	strict = false;
	return 0;
}

static int setup_strict(void **state)
{
	setup(state);
	strict = true;
	return 0;
}

static int teardown(void **state)
{
	conns_free(conns);
	return 0;
}

static void open_up(void)
{
	expect(false, TCP_SYN, 0, CONN_TCP_SYN);
	expect(true, SYN_ACK, 0, CONN_TCP_SYN_ACK);
	expect(false, TCP_ACK, 0, CONN_TCP_ESTABLISHED);
}

static void test_life(void **state)
{
	open_up();
	expect(false, TCP_ACK, 1000, CONN_TCP_ESTABLISHED);
	expect(true, TCP_ACK, 500, CONN_TCP_ESTABLISHED);
	expect(false, FIN_ACK, 10, CONN_TCP_FIN);
	/* Half closed, the other side goes on for as long as it likes. */
	expect(true, TCP_ACK, 1400, CONN_TCP_FIN);
	expect(false, TCP_ACK, 0, CONN_TCP_FIN);
	expect(true, FIN_ACK, 0, CONN_TCP_CLOSING);
	expect(false, TCP_ACK, 0, CONN_TCP_CLOSED);
}

static void test_close_at_once(void **state)
{
	struct rig_tcp fin = {true, FIN_ACK, 0, 0, 1000, 0, -1};

	open_up();
	/* Neither FIN has seen the other yet. */
	fin.seq = next[1];
	fin.ack = next[0];
	expect(false, FIN_ACK, 0, CONN_TCP_FIN);
	assert_int_equal(send_raw(&fin), -1);
	next[1]++;
	assert_int_equal(conn->state, CONN_TCP_CLOSING);
	expect(false, TCP_ACK, 0, CONN_TCP_CLOSING);
	expect(true, TCP_ACK, 0, CONN_TCP_CLOSED);
}

static void test_both_open(void **state)
{
	struct rig_tcp back = {true, TCP_SYN, ISN_B, 0, 1000, 0, 7};

	expect(false, TCP_SYN, 0, CONN_TCP_SYN);
	assert_false(conn_tcp_is_new_attempt(conn, TCP_SYN, 1));
	assert_int_equal(send_raw(&back), -1);
	assert_int_equal(conn->state, CONN_TCP_SYN_ACK);
	assert_false(conn_tcp_is_new_attempt(conn, TCP_SYN, 1));
	back.answer = false;
	back.flags = SYN_ACK;
	back.seq = ISN_A;
	back.ack = ISN_B + 1;
	assert_int_equal(send_raw(&back), -1);
	assert_int_equal(conn->state, CONN_TCP_ESTABLISHED);
}

static void test_refused(void **state)
{
	struct rig_tcp reset = {true, RIG_RST | TCP_ACK, 0, ISN_A + 1, 0, 0, -1};

	expect(false, TCP_SYN, 0, CONN_TCP_SYN);
	assert_int_equal(send_raw(&reset), -1);
	assert_int_equal(conn->state, CONN_TCP_CLOSED);
}

static void test_new_attempts(void **state)
{
	expect(false, TCP_SYN, 0, CONN_TCP_SYN);
	assert_false(conn_tcp_is_new_attempt(conn, TCP_SYN, 0));
	expect(true, SYN_ACK, 0, CONN_TCP_SYN_ACK);
	expect(false, TCP_ACK, 0, CONN_TCP_ESTABLISHED);
	/* Of the opener: to be answered by the other side. Of the other: another connection. */
	assert_false(conn_tcp_is_new_attempt(conn, TCP_SYN, 0));
	assert_true(conn_tcp_is_new_attempt(conn, TCP_SYN, 1));
	assert_false(conn_tcp_is_new_attempt(conn, SYN_ACK, 1));
	assert_false(conn_tcp_is_new_attempt(conn, TCP_SYN | TCP_FIN, 1));
	expect(false, FIN_ACK, 0, CONN_TCP_FIN);
	assert_false(conn_tcp_is_new_attempt(conn, TCP_SYN, 0));
	expect(true, FIN_ACK, 0, CONN_TCP_CLOSING);
	assert_true(conn_tcp_is_new_attempt(conn, TCP_SYN, 0));
	expect(false, TCP_ACK, 0, CONN_TCP_CLOSED);
	assert_true(conn_tcp_is_new_attempt(conn, TCP_SYN, 0));
	assert_true(conn_tcp_is_new_attempt(conn, TCP_SYN, 1));
	assert_false(conn_tcp_is_new_attempt(conn, TCP_ACK, 0));
}

/* Liberal tracking drops nothing, whatever the numbers. */
static void test_liberal(void **state)
{
	open_up();
	next[0] += 0x40000000;
	expect(false, TCP_ACK, 1000, CONN_TCP_ESTABLISHED);
	next[1] -= 0x40000000;
	expect(true, TCP_ACK, 1000, CONN_TCP_ESTABLISHED);
	expect(true, 0, 0, CONN_TCP_ESTABLISHED);
	expect(true, RIG_RST, 0, CONN_TCP_CLOSED);
}

static void refuse(const struct rig_tcp *t)
{
	struct conn before = *conn;

	assert_int_equal(send_raw(t), DROP_tcp_invalid);
	assert_memory_equal(conn, &before, sizeof(before));
}

static void test_strict_bounds(void **state)
{
	const uint32_t window = 1000 << 7;
	struct rig_tcp t = {true, TCP_ACK, ISN_B + 1, 0, 1000, 0, -1};
	uint32_t edge;

	open_up();
	/* The opener's window, scaled, to the byte. */
	edge = ISN_B + 1 + window;
	t.ack = next[0];
	t.payload = 1000;
	t.seq = edge - 999;
	refuse(&t);
	t.seq = edge - 1000;
	assert_int_equal(send_raw(&t), -1);
	/* As far behind as the window is wide. */
	t.seq = edge - window - 1;
	t.payload = 1;
	refuse(&t);
	t.seq++;
	assert_int_equal(send_raw(&t), -1);
	/* Acknowledges what was not sent; or what was long ago. */
	t.ack = next[0] + 1;
	refuse(&t);
	t.ack = next[0] - 200000;
	refuse(&t);
	t.ack = next[0];
	assert_int_equal(send_raw(&t), -1);
}

static void test_strict_reset(void **state)
{
	struct rig_tcp t = {true, RIG_RST, ISN_B + 0x10000000, 0, 0, 0, -1};

	open_up();
	refuse(&t);
	t.seq = ISN_B + 1;
	assert_int_equal(send_raw(&t), -1);
	assert_int_equal(conn->state, CONN_TCP_CLOSED);
}

static void test_strict_opening(void **state)
{
	struct rig_tcp t = {true, SYN_ACK, ISN_B, ISN_A + 2, 1000, 0, 7};

	/* An answer, and data, before there is a question. */
	refuse(&t);
	expect(false, TCP_SYN, 0, CONN_TCP_SYN);
	refuse(&t);
	t.flags = RIG_RST;
	refuse(&t);
	t.flags = RIG_RST | TCP_ACK;
	refuse(&t);
	/* Not before the other side has answered. */
	t = (struct rig_tcp){false, TCP_ACK, ISN_A + 1, 1, 1000, 0, -1};
	refuse(&t);
	/* Asked again, with another number. */
	next[0] = ISN_A + 77777;
	expect(false, TCP_SYN, 0, CONN_TCP_SYN);
	expect(true, SYN_ACK, 0, CONN_TCP_SYN_ACK);
	expect(true, TCP_ACK, 100, CONN_TCP_SYN_ACK);
	expect(false, TCP_ACK, 0, CONN_TCP_ESTABLISHED);
}

static void test_strict_flags(void **state)
{
	static const uint8_t bad[] = {0, TCP_PSH, TCP_FIN, TCP_SYN | TCP_FIN, TCP_SYN | RIG_RST,
		RIG_RST | FIN_ACK, 0x3f, TCP_FIN | SYN_ACK};

	open_up();
	for (unsigned i = 0; i < RTE_DIM(bad); i++) {
		struct rig_tcp t = {false, bad[i], next[0], next[1], 1000, 0, -1};

		refuse(&t);
	}
	expect(false, TCP_ACK | 0xc0 | TCP_PSH | 0x20, 10, CONN_TCP_ESTABLISHED);
}

/* One side's SYN says nothing of scaling: then neither scales. */
static void test_strict_without_scaling(void **state)
{
	struct rig_tcp t = {true, SYN_ACK, ISN_B, ISN_A + 1, 1000, 0, -1};

	expect(false, TCP_SYN, 0, CONN_TCP_SYN);
	assert_int_equal(send_raw(&t), -1);
	next[1] = ISN_B + 1;
	expect(false, TCP_ACK, 0, CONN_TCP_ESTABLISHED);
	t = (struct rig_tcp){true, TCP_ACK, ISN_B + 1, next[0], 1000, 1001, -1};
	refuse(&t);
	t.payload = 1000;
	assert_int_equal(send_raw(&t), -1);
}

/* A megabyte both ways in segments of up to 64 KiB, through the wrap, out of order here and there.
 */
static void test_strict_transfer(void **state)
{
	uint64_t random = 3;
	struct rig_tcp shut;

	open_up();
	expect(true, TCP_ACK, 0, CONN_TCP_ESTABLISHED); /* a SYN's window is not scaled */
	for (unsigned i = 0; i < 200; i++) {
		bool answer = frames_random(&random) & 1;
		uint32_t len = 1 + frames_random(&random) % 60000;
		struct rig_tcp t = {
			answer, TCP_ACK, next[answer] + len, next[!answer], 1000, len, -1};

		assert_int_equal(send_raw(&t), -1);
		t.seq -= len;
		assert_int_equal(send_raw(&t), -1); /* the one before comes after */
		assert_int_equal(send_raw(&t), -1); /* and again */
		next[answer] += 2 * len;
		assert_int_equal(step(!answer, TCP_ACK, 0), -1);
	}
	/* Keep-alive, and a probe of a window that is shut. */
	next[0]--;
	assert_int_equal(step(false, TCP_ACK, 1), -1);
	shut = (struct rig_tcp){true, TCP_ACK, next[1], next[0], 0, 0, -1};
	assert_int_equal(send_raw(&shut), -1);
	assert_int_equal(step(false, TCP_ACK, 1), -1);
	expect(false, FIN_ACK, 0, CONN_TCP_FIN);
	expect(true, FIN_ACK, 0, CONN_TCP_CLOSING);
	expect(false, TCP_ACK, 0, CONN_TCP_CLOSED);
}

/* A guest that started again with the same port: its SYN passes, and the answer says the rest. */
static void test_strict_started_again(void **state)
{
	struct rig_tcp syn = {false, TCP_SYN, 0x70000000, 0, 1000, 0, 7};
	struct rig_tcp reset = {false, RIG_RST, 0, 0, 0, 0, -1};

	open_up();
	expect(true, TCP_ACK, 100, CONN_TCP_ESTABLISHED);
	assert_int_equal(send_raw(&syn), -1);
	assert_int_equal(conn->state, CONN_TCP_ESTABLISHED);
	expect(true, TCP_ACK, 0, CONN_TCP_ESTABLISHED);
	reset.seq = next[0];
	assert_int_equal(send_raw(&reset), -1);
	assert_int_equal(conn->state, CONN_TCP_CLOSED);
	assert_true(conn_tcp_is_new_attempt(conn, TCP_SYN, 0));
}

/* Options that lie about their lengths. */
static void test_strict_options(void **state)
{
	static const uint8_t options[][4] = {{3, 0, 0, 0}, {3, 1, 3, 3}, {1, 1, 1, 3}, {1, 1, 3, 3},
		{3, 255, 7, 7}, {2, 4, 3, 3}, {0, 3, 3, 7}, {3, 3, 200, 0}};

	for (unsigned i = 0; i < RTE_DIM(options); i++) {
		struct rig_tcp syn = {false, TCP_SYN, ISN_A, 0, 1000, 0, 7};

		rig_tcp_packet(&r, &syn);
		memcpy(r.frame.data + r.frame.l4 + 20, options[i], 4);
		assert_int_equal(conns_follow(conns, conn, &r.m, &r.p, 0, 1, true), -1);
		assert_int_equal(
			conn_table_detail(conns_table(conns), conn)->tcp[0].scales, i == 7);
		assert_int_equal(
			conn_table_detail(conns_table(conns), conn)->tcp[0].scale, i == 7 ? 14 : 0);
	}
}

int main(void)
{
#define LIBERAL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define STRICT(test)  cmocka_unit_test_setup_teardown(test, setup_strict, teardown)
	const struct CMUnitTest tests[] = {
		LIBERAL(test_life),
		STRICT(test_life),
		LIBERAL(test_close_at_once),
		STRICT(test_close_at_once),
		LIBERAL(test_both_open),
		STRICT(test_both_open),
		LIBERAL(test_refused),
		STRICT(test_refused),
		LIBERAL(test_new_attempts),
		STRICT(test_new_attempts),
		LIBERAL(test_liberal),
		STRICT(test_strict_bounds),
		STRICT(test_strict_reset),
		STRICT(test_strict_opening),
		STRICT(test_strict_flags),
		STRICT(test_strict_without_scaling),
		STRICT(test_strict_transfer),
		STRICT(test_strict_started_again),
		STRICT(test_strict_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
