/* Fan-out to inspected services: who is a worm, and who only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fanout.h"
#include "oom_rig.h"

#define HZ   1000u /* a cycle is a millisecond */
#define PORT 7
#define ME   UINT32_C(0x0a000002)
#define NET  UINT32_C(0x0a000000) /* 10.0.0.0/24 */

static const struct config_fanout limits = {.window_s = 60,
	.hosts = 20,
	.failed_percent = 50,
	.attempts = 70,
	.failed = 5,
	.detected = 3,
	.on = true};

static struct fanout *fanout;
static uint64_t now;
static uint32_t serial;
static unsigned told[FANOUT_WORM + 1]; /* how often, by state */
static unsigned told_others; /* of ports other than PORT */

static int start(void **state)
{
	fanout = fanout_create(HZ);
	now = 5000 * HZ;
	serial = 1;
	memset(told, 0, sizeof(told));
	told_others = 0;
	return fanout == NULL ? -1 : 0;
}

static int stop(void **state)
{
	fanout_free(fanout);
	return 0;
}

static struct addr ipv4(uint32_t address)
{
	return (struct addr){.low = ADDR_V4_PREFIX | address};
}

static void tell(uint16_t port, enum fanout_state state)
{
	told[state]++;
	if (state != FANOUT_QUIET && port != PORT)
		told_others++;
}

static void note_from(uint16_t port, enum fanout_event event, struct addr target)
{
	struct fanout_message message = {
		.port = port, .event = event, .serial = serial, .target = target};

	tell(port, fanout_note(fanout, &message, &limits, now));
}

static void note(enum fanout_event event, uint32_t target)
{
	note_from(PORT, event, ipv4(target));
}

static void told_fn(void *arg, uint16_t port, enum fanout_state state)
{
	assert_int_not_equal(state, FANOUT_QUIET);
	tell(port, state);
}

static const struct config_fanout *limits_fn(void *arg, uint16_t port, uint32_t of)
{
	assert_int_equal(of, serial);
	return arg;
}

static void expire(void)
{
	while (fanout_expire(fanout, now, 16, limits_fn, told_fn, (void *)&limits))
		;
}

/* Time goes by, with the owner's look at it once a second. */
static void pass(unsigned ms)
{
	for (; ms > HZ; ms -= HZ) {
		now += HZ;
		expire();
	}
	now += ms;
	expire();
}

static struct fanout_counts counts(void)
{
	struct fanout_counts c;

	fanout_counts(fanout, PORT, &c);
	return c;
}

static void assert_counts(unsigned hosts, unsigned failed, unsigned attempts, unsigned detected)
{
	struct fanout_counts c = counts();

	assert_int_equal(c.hosts, hosts);
	assert_int_equal(c.failed_hosts, failed);
	assert_int_equal(c.attempts, attempts);
	assert_int_equal(c.detected_hosts, detected);
}

/* n hosts refuse. */
static void worm(uint32_t net, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		note(FANOUT_ATTEMPT, net + i);
		note(FANOUT_REFUSED, net + i);
	}
}

static void assert_quiet(void)
{
	assert_int_equal(told[FANOUT_ALERT] + told[FANOUT_WORM], 0);
}

/* -- those that must stay quiet -- */

static void test_file_server(void **state)
{
	/* It only answers, and asks for its clients' MACs; a few have gone meanwhile. */
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 10; i < 250; i++) {
			note(FANOUT_LOOKUP, NET + i);
			if (i % 10 != 0)
				note(FANOUT_FOUND, NET + i);
		}
		pass(10 * HZ);
	}
	assert_quiet();
}

static void test_backup_server(void **state)
{
	/* Connects to 1,000 hosts an hour long; all answer, on one of two services. */
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t host = NET + i % 1000;

		note(FANOUT_LOOKUP, host);
		note(FANOUT_FOUND, host);
		note(FANOUT_ATTEMPT, host);
		note(FANOUT_ATTEMPT, host); /* to the other service */
		note(FANOUT_ANSWERED, host);
		note(FANOUT_REFUSED, host);
		pass(i % 100 == 0 ? HZ : 10);
	}
	assert_quiet();
	assert_int_equal(counts().failed_hosts, 0);
	assert_int_equal(counts().attempts, 0);
	assert_int_equal(counts().hosts, FANOUT_TARGETS);
}

static void test_backup_server_with_some_down(void **state)
{
	for (unsigned i = 0; i < 200; i++) {
		note(FANOUT_ATTEMPT, NET + i);
		if (i % 20 != 0)
			note(FANOUT_ANSWERED, NET + i);
	}
	pass(59 * HZ);
	assert_counts(200, 10, 10, 0);
	assert_quiet();
}

static void test_retries_to_one_dead_host(void **state)
{
	/* An hour of mounts that do not give up, whether nobody resolves or nobody answers. */
	for (unsigned i = 0; i < 3600; i++) {
		note(FANOUT_LOOKUP, NET + 9);
		for (unsigned j = 0; j < 3; j++)
			note(FANOUT_ATTEMPT, NET + 10);
		pass(HZ);
	}
	assert_quiet();
	assert_int_equal(counts().hosts, 2);
	assert_true(counts().attempts >= 3 * 52 && counts().attempts <= 3 * 60);
}

static void test_lookups_alone(void **state)
{
	/* Somebody pings a subnet: no service of ours. */
	for (unsigned i = 10; i < 250; i++)
		note(FANOUT_LOOKUP, NET + i);
	pass(4 * HZ);
	assert_quiet();
	assert_counts(240, 240, 0, 0);
	/* And uses a file server: worth a word. */
	for (unsigned i = 0; i < 10; i++) {
		note(FANOUT_ATTEMPT, NET + 1);
		note(FANOUT_ANSWERED, NET + 1);
	}
	assert_counts(241, 240, 0, 0);
	assert_int_equal(told[FANOUT_ALERT], 1);
	assert_int_equal(told[FANOUT_WORM], 0);
	/* As is one that is down, and a few of them, tried again and again. */
	for (unsigned i = 0; i < 100; i++)
		for (unsigned j = 2; j < 4; j++)
			note(FANOUT_ATTEMPT, NET + j);
	pass(4 * HZ);
	assert_counts(243, 242, 200, 0);
	assert_int_equal(told[FANOUT_WORM], 0);
	/* When they are forgotten they do not stand in the way of what comes later. */
	pass(60 * HZ);
	worm(NET, 20);
	assert_int_equal(told[FANOUT_WORM], 1);
}

static void test_framed(void **state)
{
	/* Somebody sends to it from addresses where nobody lives, all the time, while it uses two
	 * file servers and finds that a third is down. */
	for (unsigned i = 0; i < 590; i++) {
		note(FANOUT_LOOKUP, NET + 10 + i % 200);
		for (unsigned j = 2; j < 4; j++) {
			note(FANOUT_ATTEMPT, NET + j);
			note(FANOUT_ANSWERED, NET + j);
		}
		if (i % 25 == 0)
			note(FANOUT_ATTEMPT, NET + 4);
		note(FANOUT_REFUSED, NET + 4);
		pass(200);
	}
	assert_int_equal(told[FANOUT_WORM], 0);
	/* Each host that fails makes one of the lookups count: nine and nine beside the two. */
	worm(NET + 240, 7);
	assert_int_equal(told[FANOUT_WORM], 0);
	worm(NET + 250, 1);
	assert_int_equal(told[FANOUT_WORM], 1);
}

static void test_nothing_that_was_not_tried(void **state)
{
	/* Backscatter: answers and refusals to SYNs that somebody else sent in its name. */
	for (unsigned i = 0; i < 250; i++) {
		note(FANOUT_REFUSED, NET + i);
		note(FANOUT_ANSWERED, NET + i);
		note(FANOUT_FOUND, NET + i);
	}
	pass(10 * HZ);
	assert_quiet();
	assert_counts(0, 0, 0, 0);
}

/* -- worms -- */

static void test_worm_in_a_subnet(void **state)
{
	/* Ten a second; one address in 25 has a host, and that refuses. */
	for (unsigned i = 3; i < 253 && told[FANOUT_WORM] == 0; i++) {
		note(FANOUT_LOOKUP, NET + i);
		if (i % 25 == 3) {
			note(FANOUT_FOUND, NET + i);
			note(FANOUT_ATTEMPT, NET + i);
			note(FANOUT_REFUSED, NET + i);
		}
		pass(100);
	}
	assert_int_equal(told[FANOUT_ALERT], 1);
	assert_int_equal(told[FANOUT_WORM], 1);
	/* As soon as ten hosts have refused, beside ten addresses where nobody is. */
	assert_int_equal(counts().attempts, 10);
}

static void test_worm_in_a_lab(void **state)
{
	/* Four hosts of which it is one and two have the service open; it tries each address of the
	 * /24 in turn, a second each, as WannaCry's scan of its own subnet does. */
	for (unsigned i = 1; i < 60; i++) {
		for (unsigned j = 0; j < 2; j++)
			note(FANOUT_LOOKUP, NET + i);
		if (i == 2 || i == 3 || i == 4) {
			note(FANOUT_FOUND, NET + i);
			note(FANOUT_ATTEMPT, NET + i);
			note(i == 4 ? FANOUT_REFUSED : FANOUT_ANSWERED, NET + i);
		}
		pass(HZ);
	}
	/* Any stranger could have had it look them up: an alert, and what it sends to the two does
	 * the rest. */
	assert_int_equal(told[FANOUT_ALERT], 1);
	assert_int_equal(told[FANOUT_WORM], 0);
	note(FANOUT_DETECTED, NET + 2);
	note(FANOUT_DETECTED, NET + 3);
	note(FANOUT_DETECTED, NET + 4);
	assert_int_equal(told[FANOUT_WORM], 1);
}

static void test_worm_in_a_tiny_subnet(void **state)
{
	/* Eight addresses, of which it is one and three have hosts: the same few again and again.
	 */
	for (unsigned i = 0; i < 35 && told[FANOUT_WORM] == 0; i++) {
		for (unsigned j = 1; j < 4; j++)
			note(FANOUT_LOOKUP, NET + j);
		for (unsigned j = 4; j < 7; j++) {
			note(FANOUT_ATTEMPT, NET + j);
			note(FANOUT_REFUSED, NET + j);
		}
		pass(HZ);
	}
	assert_int_equal(told[FANOUT_ALERT], 1);
	assert_int_equal(told[FANOUT_WORM], 1);
	assert_counts(6, 6, 72, 0);
}

static void test_attempts_without_failed_hosts(void **state)
{
	for (unsigned i = 0; i < 200; i++)
		for (unsigned j = 0; j < 4; j++)
			note(FANOUT_ATTEMPT, NET + j);
	pass(5 * HZ);
	assert_int_equal(told[FANOUT_WORM], 0);
	assert_int_equal(told[FANOUT_ALERT], 1); /* 3 of 5 is half */
	for (unsigned j = 0; j < 4; j++) {
		note(FANOUT_ATTEMPT, NET + 4);
		note(FANOUT_REFUSED, NET + 4);
	}
	assert_int_equal(told[FANOUT_WORM], 1);
}

static void test_through_a_gateway(void **state)
{
	/* IPv6, beyond the router: nothing comes back at all. */
	for (unsigned i = 0; i < 20; i++)
		note_from(PORT, FANOUT_ATTEMPT,
			(struct addr){UINT64_C(0x20010db8) << 32, UINT64_C(7919) * i});
	pass(2999);
	assert_quiet();
	pass(1);
	assert_int_equal(told[FANOUT_WORM], 1);
	assert_counts(20, 20, 20, 0);
}

static void test_percent(void **state)
{
	for (unsigned i = 0; i < 40; i++) {
		note(FANOUT_ATTEMPT, NET + i);
		note(i % 2 == 0 || i == 1 ? FANOUT_ANSWERED : FANOUT_REFUSED, NET + i);
	}
	assert_counts(40, 19, 19, 0);
	assert_quiet();
	note(FANOUT_ATTEMPT, NET + 100);
	assert_quiet();
	note(FANOUT_REFUSED, NET + 100);
	assert_counts(41, 20, 20, 0);
	assert_quiet();
	note(FANOUT_ATTEMPT, NET + 101);
	note(FANOUT_REFUSED, NET + 101);
	assert_counts(42, 21, 21, 0);
	assert_int_equal(told[FANOUT_WORM], 1);
}

static void test_detected(void **state)
{
	note(FANOUT_ATTEMPT, NET + 1);
	note(FANOUT_ANSWERED, NET + 1);
	for (unsigned i = 0; i < 10; i++)
		note(FANOUT_DETECTED, NET + 1);
	assert_quiet();
	note(FANOUT_DETECTED, NET + 2);
	assert_int_equal(told[FANOUT_ALERT], 1);
	note(FANOUT_DETECTED, NET + 3);
	assert_int_equal(told[FANOUT_WORM], 1);
	assert_counts(3, 0, 0, 3);
}

static void test_detected_expire(void **state)
{
	for (unsigned i = 0; i < 20; i++) {
		note(FANOUT_DETECTED, NET + i);
		pass(31 * HZ);
	}
	assert_int_equal(told[FANOUT_WORM], 0);
	assert_true(told[FANOUT_ALERT] > 0);
}

/* -- windows -- */

static void test_expiry(void **state)
{
	worm(NET, 9);
	pass(60 * HZ - 1);
	assert_int_equal(counts().hosts, 9);
	pass(1);
	assert_counts(0, 0, 0, 0);
	worm(NET + 100, 9);
	assert_counts(9, 9, 9, 0);
	assert_quiet();
	/* Also where nobody looked in between. */
	now += 3600 * HZ;
	worm(NET + 200, 9);
	assert_counts(9, 9, 9, 0);
	assert_quiet();
}

static void test_waits_over_a_pause(void **state)
{
	/* They failed when their time was up, not when it was looked at. */
	for (unsigned i = 0; i < 30; i++)
		note(FANOUT_ATTEMPT, NET + i);
	now += 62 * HZ;
	expire();
	assert_int_equal(counts().failed_hosts, 30);
	now += HZ;
	expire();
	assert_counts(0, 0, 0, 0);
	for (unsigned i = 0; i < 9; i++)
		note(FANOUT_ATTEMPT, NET + i);
	now += 3600 * HZ;
	expire();
	assert_counts(0, 0, 0, 0);
}

static void test_slides(void **state)
{
	/* 19 in any window, and 20 in two halves of neighbouring ones. */
	for (unsigned i = 0; i < 200; i++) {
		worm(NET + i, 1);
		pass(60 * HZ / 19 + 1);
	}
	assert_int_equal(told[FANOUT_WORM], 0);
	assert_true(told[FANOUT_ALERT] >= 8 && told[FANOUT_ALERT] <= 12);
	pass(130 * HZ);
	told[FANOUT_ALERT] = 0;
	worm(NET, 10);
	pass(40 * HZ);
	worm(NET + 10, 10);
	assert_int_equal(told[FANOUT_WORM], 1);
	/* Half of that is nothing new. */
	pass(40 * HZ);
	assert_int_equal(counts().hosts, 10);
	assert_int_equal(told[FANOUT_ALERT], 1);
}

static void test_told_once_a_window(void **state)
{
	for (unsigned i = 0; i < 3 * 60; i++) {
		worm(NET + (i % 30) * 8, 8);
		pass(HZ);
	}
	assert_int_equal(told[FANOUT_ALERT], 1);
	assert_int_equal(told[FANOUT_WORM], 3);
}

static void test_clock_wraps(void **state)
{
	now = UINT64_MAX - 10 * HZ;
	for (unsigned i = 0; i < 30; i++) {
		note(FANOUT_ATTEMPT, NET + i);
		pass(HZ);
	}
	assert_int_equal(told[FANOUT_WORM], 1);
	assert_int_equal(counts().failed_hosts, 28);
	pass(63 * HZ);
	assert_counts(0, 0, 0, 0);
}

static void test_window_changes(void **state)
{
	struct config_fanout other = limits;
	struct fanout_message message = {
		.port = PORT, .event = FANOUT_ATTEMPT, .serial = serial, .target = ipv4(NET + 1)};

	worm(NET, 9);
	other.window_s = 10;
	now += 9 * HZ;
	assert_int_equal(fanout_note(fanout, &message, &other, now), FANOUT_QUIET);
	assert_counts(9, 9, 1, 0);
	now += 1 * HZ;
	assert_int_equal(fanout_note(fanout, &message, &other, now), FANOUT_QUIET);
	assert_counts(1, 0, 1, 0);
}

/* -- limits that are off, and beyond what is kept -- */

static void test_off(void **state)
{
	struct config_fanout none = {.window_s = 60, .on = true}, off = limits, high = limits;
	struct fanout_message message = {.port = PORT, .serial = serial};
	unsigned got;

	off.on = false;
	high.hosts = high.attempts = UINT32_MAX;
	for (unsigned i = 0; i < 300; i++) {
		message.target = ipv4(NET + i);
		message.event = FANOUT_ATTEMPT;
		assert_int_equal(fanout_note(fanout, &message, &off, now), FANOUT_QUIET);
	}
	assert_counts(0, 0, 0, 0);
	for (unsigned i = 0; i < 300; i++) {
		message.target = ipv4(NET + i);
		message.event = i % 2 ? FANOUT_DETECTED : FANOUT_ATTEMPT;
		assert_int_equal(fanout_note(fanout, &message, &none, now), FANOUT_QUIET);
		message.event = FANOUT_REFUSED;
		assert_int_equal(fanout_note(fanout, &message, &none, now), FANOUT_QUIET);
	}
	serial = ++message.serial;
	for (unsigned i = 0; i < FANOUT_TARGETS; i++) {
		message.target = ipv4(NET + i);
		message.event = FANOUT_ATTEMPT;
		got = fanout_note(fanout, &message, &high, now);
		message.event = FANOUT_REFUSED;
		got |= fanout_note(fanout, &message, &high, now);
		assert_true((got == FANOUT_WORM) == (i + 1 == FANOUT_TARGETS));
	}
}

/* -- floods -- */

static void test_flood_of_dead_targets(void **state)
{
	/* Far more than are kept, at once: what came first is not pushed out before it fails. */
	for (unsigned i = 0; i < 100000; i++)
		note(FANOUT_ATTEMPT, NET + i * 31);
	assert_int_equal(counts().hosts, FANOUT_TARGETS);
	pass(3 * HZ);
	assert_int_equal(told[FANOUT_WORM], 1);
	assert_int_equal(counts().failed_hosts, FANOUT_TARGETS);
}

static void test_flood_of_lookups(void **state)
{
	/* It keeps no SYN out, and what a SYN pushes out of it was a lookup. */
	for (unsigned i = 0; i < 10000; i++)
		note(FANOUT_LOOKUP, NET + i);
	for (unsigned i = 0; i < 30; i++) {
		note(FANOUT_ATTEMPT, NET + 20000 + i);
		note(FANOUT_LOOKUP, NET + 30000 + i);
	}
	assert_int_equal(counts().hosts, 30);
	pass(3 * HZ);
	assert_int_equal(told[FANOUT_WORM], 1);
	assert_int_equal(counts().failed_hosts, FANOUT_TARGETS);
}

static void test_flood_over_time(void **state)
{
	/* What came first fails first, however much comes behind it. */
	for (unsigned i = 0; i < 100; i++)
		note(FANOUT_LOOKUP, NET + i);
	pass(HZ);
	for (unsigned i = 0; i < 1000; i++)
		note(FANOUT_LOOKUP, NET + 1000 + i);
	for (unsigned i = 0; i < 30; i++)
		note(FANOUT_ATTEMPT, NET + 20000 + i);
	pass(2 * HZ);
	assert_int_equal(counts().failed_hosts, 100);
	assert_int_equal(told[FANOUT_ALERT], 1);
	assert_int_equal(told[FANOUT_WORM], 0);
	pass(HZ);
	assert_int_equal(told[FANOUT_WORM], 1);
}

static void test_flood_of_answered(void **state)
{
	/* Friends that answer push out neither who failed nor who was attacked. */
	note(FANOUT_DETECTED, NET + 1);
	note(FANOUT_DETECTED, NET + 2);
	worm(NET + 100, 5);
	for (unsigned i = 0; i < 10000; i++) {
		note(FANOUT_ATTEMPT, NET + 1000 + i);
		note(FANOUT_ANSWERED, NET + 1000 + i);
	}
	assert_counts(FANOUT_TARGETS, 5, 5, 2);
	assert_int_equal(told[FANOUT_WORM], 0);
	note(FANOUT_DETECTED, NET + 3);
	assert_int_equal(told[FANOUT_WORM], 1);
}

static void test_detected_finds_room(void **state)
{
	worm(NET, FANOUT_TARGETS);
	pass(61 * HZ);
	worm(NET, FANOUT_TARGETS);
	for (unsigned i = 0; i < 2 * FANOUT_TARGETS; i++)
		note(FANOUT_DETECTED, NET + 1000 + i);
	assert_int_equal(counts().detected_hosts, FANOUT_TARGETS);
	assert_int_equal(counts().failed_hosts, 0);
}

static void test_ports_are_apart(void **state)
{
	for (unsigned port = 100; port < 120; port++)
		for (unsigned i = 0; i < 9; i++) {
			note_from(port, FANOUT_ATTEMPT, ipv4(NET + i));
			note_from(port, FANOUT_REFUSED, ipv4(NET + i));
		}
	assert_quiet();
	worm(NET, 20);
	assert_int_equal(told[FANOUT_WORM], 1);
	assert_int_equal(told_others, 0);
}

static void test_more_ports_than_tables(void **state)
{
	/* Others come and go by the hundred between two attempts of a worm, which keeps its counts;
	 * those that only look up take nothing from anybody. */
	for (unsigned i = 0; i < 20; i++) {
		worm(NET + i, 1);
		for (unsigned j = 0; j < FANOUT_PORTS - 1; j++)
			note_from(100 + (i * 200 + j) % 800, FANOUT_ATTEMPT, ipv4(NET + i));
		for (unsigned port = 100; port < MAX_PORTS; port++)
			note_from(port, FANOUT_LOOKUP, ipv4(NET + 200));
	}
	assert_int_equal(told[FANOUT_WORM], 1);
	assert_int_equal(counts().failed_hosts, 20);
	pass(70 * HZ);
	/* All of them are free again. */
	for (unsigned port = 0; port < FANOUT_PORTS; port++)
		note_from(port, FANOUT_LOOKUP, ipv4(NET + 1));
	pass(4 * HZ);
	for (unsigned port = 0; port < FANOUT_PORTS; port++) {
		struct fanout_counts c;

		fanout_counts(fanout, port, &c);
		assert_int_equal(c.failed_hosts, 1);
	}
}

static void test_expiry_in_pieces(void **state)
{
	unsigned rounds = 1;

	for (unsigned port = 0; port < 100; port++)
		note_from(port, FANOUT_ATTEMPT, ipv4(NET + 1));
	now += 3 * HZ;
	while (fanout_expire(fanout, now, 30, limits_fn, told_fn, (void *)&limits))
		rounds++;
	assert_int_equal(rounds, 4);
	assert_int_equal(counts().failed_hosts, 1);
	/* Where inspection has ended, or the port, nothing is kept. */
	assert_false(fanout_expire(fanout, now, 100, limits_fn, told_fn, NULL));
	assert_int_equal(counts().hosts, 0);
}

static void test_port_comes_again(void **state)
{
	struct fanout_message old = {
		.port = PORT, .event = FANOUT_ATTEMPT, .serial = serial, .target = ipv4(NET + 99)};

	worm(NET, 19);
	serial++;
	worm(NET + 100, 1);
	assert_counts(1, 1, 1, 0);
	assert_int_equal(fanout_note(fanout, &old, &limits, now), FANOUT_QUIET);
	assert_counts(1, 1, 1, 0);
	assert_int_equal(told[FANOUT_WORM], 0);
	old.port = MAX_PORTS;
	assert_int_equal(fanout_note(fanout, &old, &limits, now), FANOUT_QUIET);
}

/* -- against a naive count -- */

#define NAIVE_HOSTS 300

/* What the header says of one target, told apart by brute force. */
struct naive {
	enum { NONE, LOOKING, TRYING, OPEN, FAILED, MARKED } kind;
	uint64_t since;
	bool service;
};

static void naive_advance(struct naive *n, uint64_t at)
{
	if ((n->kind == LOOKING || n->kind == TRYING) && at - n->since >= FANOUT_ANSWER_S * HZ) {
		n->kind = FAILED;
		n->since += FANOUT_ANSWER_S * HZ;
	}
	if (n->kind >= OPEN && at - n->since >= 60 * HZ)
		*n = (struct naive){0};
}

static void naive_become(struct naive *n, unsigned kind, bool service)
{
	n->kind = kind;
	n->since = now;
	n->service = service;
}

static void naive_note(struct naive *n, enum fanout_event event)
{
	bool waits = n->kind == LOOKING || n->kind == TRYING;

	if (event == FANOUT_ATTEMPT && n->kind <= LOOKING)
		naive_become(n, TRYING, true);
	else if (event == FANOUT_ATTEMPT && n->kind == FAILED)
		n->service = true;
	else if (event == FANOUT_LOOKUP && n->kind == NONE)
		naive_become(n, LOOKING, false);
	else if (event == FANOUT_FOUND && n->kind != NONE && !n->service)
		naive_become(n, NONE, false);
	else if (event == FANOUT_REFUSED && waits)
		naive_become(n, FAILED, n->service);
	else if (event == FANOUT_ANSWERED && n->service && (waits || n->kind == FAILED))
		naive_become(n, OPEN, true);
	else if (event == FANOUT_DETECTED && n->kind != MARKED)
		naive_become(n, MARKED, true);
}

static void test_against_naive(void **state)
{
	static struct naive hosts[NAIVE_HOSTS];
	unsigned seed = 1;

	memset(hosts, 0, sizeof(hosts));
	for (unsigned step = 0; step < 100000; step++) {
		struct fanout_counts want = {0};
		unsigned host = rand_r(&seed) % 150, event = rand_r(&seed) % (FANOUT_DETECTED + 1);

		if (event == FANOUT_DETECTED && rand_r(&seed) % 8 != 0)
			event = FANOUT_ATTEMPT;
		now += rand_r(&seed) % 700;
		for (unsigned i = 0; i < NAIVE_HOSTS; i++)
			naive_advance(&hosts[i], now);
		note(event, NET + host);
		naive_note(&hosts[host], event);
		for (unsigned i = 0; i < NAIVE_HOSTS; i++) {
			want.hosts += hosts[i].kind >= TRYING;
			want.failed_hosts += hosts[i].kind == FAILED;
			want.detected_hosts += hosts[i].kind == MARKED;
		}
		assert_counts(
			want.hosts, want.failed_hosts, counts().attempts, want.detected_hosts);
	}
}

static void *make(void)
{
	return fanout_create(HZ);
}

static void unmake(void *made)
{
	fanout_free(made);
}

static void test_out_of_memory(void **state)
{
	assert_int_equal(oom_each(make, unmake), 1);
	fanout_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_server),
		TEST(test_backup_server),
		TEST(test_backup_server_with_some_down),
		TEST(test_retries_to_one_dead_host),
		TEST(test_lookups_alone),
		TEST(test_framed),
		TEST(test_nothing_that_was_not_tried),
		TEST(test_worm_in_a_subnet),
		TEST(test_worm_in_a_lab),
		TEST(test_worm_in_a_tiny_subnet),
		TEST(test_attempts_without_failed_hosts),
		TEST(test_through_a_gateway),
		TEST(test_percent),
		TEST(test_detected),
		TEST(test_detected_expire),
		TEST(test_expiry),
		TEST(test_waits_over_a_pause),
		TEST(test_slides),
		TEST(test_told_once_a_window),
		TEST(test_clock_wraps),
		TEST(test_window_changes),
		TEST(test_off),
		TEST(test_flood_of_dead_targets),
		TEST(test_flood_of_lookups),
		TEST(test_flood_over_time),
		TEST(test_flood_of_answered),
		TEST(test_detected_finds_room),
		TEST(test_ports_are_apart),
		TEST(test_more_ports_than_tables),
		TEST(test_expiry_in_pieces),
		TEST(test_port_comes_again),
		TEST(test_against_naive),
		TEST(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
